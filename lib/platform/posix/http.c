/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/http.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/buf.h"
#include "core/util/obj.h"
#include "http_internal.h"
#include "wedr/plat/time.h"
#include <ctype.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define HTTP_MAGIC 0x57485454u
#define XFERS_MAX 8
#define BODY_MAX (8u << 20)
#define HEADERS_MAX 32
#define HEADER_LEN_MAX 4096
#define RETRY_AFTER_MAX_S 86400u
#define CONNECT_TIMEOUT_MS 10000u /* when the caller gives 0 */
#define TOTAL_TIMEOUT_MS 60000u

struct xfer {
    struct wedr_http *owner;
    CURL *easy;
    struct curl_slist *headers;
    struct wedr_buf body;
    bool too_large;
    uint32_t retry_after_s;
    wedr_http_done done;
    void *arg;
    char error[CURL_ERROR_SIZE];
};

struct wedr_http {
    uint32_t magic;
    CURLM *multi;
    struct xfer *xfers[XFERS_MAX]; /* NULL: free */
    char *base_url, *ca_pem, *cert_pem, *key_pem, *proxy, *user_agent;
    size_t key_len;
    uint32_t connect_timeout_ms, total_timeout_ms;
    bool pinned;
    struct wedr_http_pin pin;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_init_result;

static void curl_init(void)
{
    curl_init_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int copy(char **ret, const char *s)
{
    if (s == NULL) {
        return WEDR_OK;
    }
    *ret = wedr_strndup(s, strlen(s));
    return *ret == NULL ? WEDR_E_NOMEM : WEDR_OK;
}

/* Takes the host out of https://host[:port]; WEDR_E_INVAL for any other form. */
static int parse_base_url(const char *url, char *ret_host, size_t cap)
{
    char *scheme = NULL;
    char *host = NULL;
    char *rest = NULL;
    int err = WEDR_E_INVAL;
    CURLU *u = curl_url();
    if (u == NULL) {
        return WEDR_E_NOMEM;
    }
    if (url == NULL || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        goto out;
    }
    /* The parser adds the path "/" itself: compare with the text to see that the caller gave none.
     */
    bool extra = curl_url_get(u, CURLUPART_USER, &rest, 0) == CURLUE_OK ||
                 curl_url_get(u, CURLUPART_QUERY, &rest, 0) == CURLUE_OK ||
                 curl_url_get(u, CURLUPART_FRAGMENT, &rest, 0) == CURLUE_OK;
    size_t authority = strlen("https://");
    if (extra || strcmp(scheme, "https") != 0 || strlen(url) <= authority ||
        strpbrk(url + authority, "/\\") != NULL) {
        goto out;
    }
    size_t n = strlen(host);
    bool brackets = n >= 2 && host[0] == '[' && host[n - 1] == ']';
    const char *bare = brackets ? host + 1 : host;
    n = brackets ? n - 2 : n;
    if (n > 0 && n < cap) {
        memcpy(ret_host, bare, n);
        ret_host[n] = '\0';
        err = WEDR_OK;
    }
out:
    curl_free(rest);
    curl_free(host);
    curl_free(scheme);
    curl_url_cleanup(u);
    return err;
}

static int copy_cfg(struct wedr_http *h, const struct wedr_http_cfg *cfg)
{
    h->connect_timeout_ms =
        cfg->connect_timeout_ms == 0 ? CONNECT_TIMEOUT_MS : cfg->connect_timeout_ms;
    h->total_timeout_ms = cfg->total_timeout_ms == 0 ? TOTAL_TIMEOUT_MS : cfg->total_timeout_ms;
    h->key_len = cfg->key_pem == NULL ? 0 : strlen(cfg->key_pem);
    const char *agent = cfg->user_agent == NULL ? "wazabiedr" : cfg->user_agent;
    if (copy(&h->base_url, cfg->base_url) != WEDR_OK || copy(&h->ca_pem, cfg->ca_pem) != WEDR_OK ||
        copy(&h->cert_pem, cfg->cert_pem) != WEDR_OK ||
        copy(&h->key_pem, cfg->key_pem) != WEDR_OK || copy(&h->proxy, cfg->proxy) != WEDR_OK ||
        copy(&h->user_agent, agent) != WEDR_OK) {
        return WEDR_E_NOMEM;
    }
    return WEDR_OK;
}

int wedr_http_new(const struct wedr_http_cfg *cfg, struct wedr_http **ret, struct wedr_errinfo *ei)
{
    char host[256];
    int err;
    (void)pthread_once(&curl_once, curl_init);
    if (curl_init_result != CURLE_OK) {
        return wedr_fail(ei, WEDR_E_UNSUP, "libcurl: %s", curl_easy_strerror(curl_init_result));
    }
    if ((cfg->ca_pem == NULL) == (cfg->ca_sha256 == NULL)) {
        return wedr_fail(ei, WEDR_E_INVAL, "give either a CA certificate or its SHA-256");
    }
    if ((cfg->cert_pem == NULL) != (cfg->key_pem == NULL)) {
        return wedr_fail(ei, WEDR_E_INVAL,
                         "a client certificate needs its key, and the other way round");
    }
    err = parse_base_url(cfg->base_url, host, sizeof(host));
    if (err != WEDR_OK) {
        return wedr_fail(ei, err,
                         "the server's address must read https://host or https://host:port");
    }
    struct wedr_http *h = wedr_alloc(1, sizeof(*h));
    if (h == NULL) {
        return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    }
    h->magic = HTTP_MAGIC;
    err = copy_cfg(h, cfg);
    if (err == WEDR_OK && cfg->ca_sha256 != NULL) {
        h->pinned = true;
        err = wedr_http_pin_init(&h->pin, cfg->ca_sha256, host);
    }
    h->multi = err == WEDR_OK ? curl_multi_init() : NULL;
    if (h->multi == NULL) {
        err = err == WEDR_OK ? WEDR_E_NOMEM : err;
        wedr_http_free(h);
        return wedr_fail(ei, err,
                         err == WEDR_E_FORMAT ? "the CA's SHA-256 is not 64 hex digits"
                                              : "out of memory");
    }
    *ret = h;
    return WEDR_OK;
}

static void xfer_free(struct xfer *x)
{
    if (x != NULL) {
        curl_easy_cleanup(x->easy);
        curl_slist_free_all(x->headers);
        wedr_buf_fini(&x->body);
        wedr_free(x);
    }
}

void wedr_http_free(struct wedr_http *h)
{
    if (h == NULL || h->magic != HTTP_MAGIC) {
        return;
    }
    h->magic = 0;
    for (size_t i = 0; i < XFERS_MAX; i++) {
        if (h->xfers[i] != NULL) {
            (void)curl_multi_remove_handle(h->multi, h->xfers[i]->easy);
            xfer_free(h->xfers[i]);
        }
    }
    (void)curl_multi_cleanup(h->multi);
    wedr_http_pin_fini(&h->pin);
    wedr_free(h->base_url);
    wedr_free(h->ca_pem);
    wedr_free(h->cert_pem);
    wedr_free_secret(h->key_pem, h->key_len);
    wedr_free(h->proxy);
    wedr_free(h->user_agent);
    wedr_free(h);
}

static size_t on_body(char *p, size_t size, size_t count, void *arg)
{
    struct xfer *x = (struct xfer *)arg;
    size_t n = size * count;
    if (n > x->body.max - x->body.len) {
        x->too_large = true;
        return 0; /* ends the transfer */
    }
    wedr_buf_add(&x->body, p, n);
    return x->body.overflow ? 0 : n;
}

/* Seconds, or a date of which the distance from now is taken; what cannot be read is as good as
 * absent. */
static uint32_t parse_retry_after(const char *s)
{
    if (isdigit((unsigned char)s[0])) {
        uint64_t v = 0;
        for (; isdigit((unsigned char)*s); s++) {
            v = v > RETRY_AFTER_MAX_S ? v : v * 10 + (uint64_t)(*s - '0');
        }
        return v > RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (uint32_t)v;
    }
    time_t at = curl_getdate(s, NULL);
    time_t now = (time_t)(wedr_time_utc_us() / 1000000);
    if (at <= now) {
        return 0;
    }
    return at - now > (time_t)RETRY_AFTER_MAX_S ? RETRY_AFTER_MAX_S : (uint32_t)(at - now);
}

static size_t on_header(char *p, size_t size, size_t count, void *arg)
{
    static const char name[] = "retry-after:";
    struct xfer *x = (struct xfer *)arg;
    char value[64] = "";
    size_t n = size * count;
    size_t skip = sizeof(name) - 1;
    if (n > skip && strncasecmp(p, name, skip) == 0) {
        while (skip < n && (p[skip] == ' ' || p[skip] == '\t')) {
            skip++;
        }
        size_t len = n - skip < sizeof(value) - 1 ? n - skip : sizeof(value) - 1;
        memcpy(value, p + skip, len);
        value[len] = '\0';
        x->retry_after_s = parse_retry_after(value);
    }
    return n;
}

/* Visible ASCII only (blank and tab in header values): nothing of the caller's data can begin a new
 * header. */
static bool is_clean(const char *s, bool blanks)
{
    size_t n = 0;
    for (; n <= HEADER_LEN_MAX && s[n] != '\0'; n++) {
        unsigned char c = (unsigned char)s[n];
        if (c >= 0x7f || c < 0x20 || (c == ' ' && !blanks)) {
            return false;
        }
    }
    return n <= HEADER_LEN_MAX;
}

static int add_header(struct xfer *x, const char *line)
{
    struct curl_slist *l = curl_slist_append(x->headers, line);
    if (l == NULL) {
        return WEDR_E_NOMEM;
    }
    x->headers = l;
    return WEDR_OK;
}

static int set_headers(struct xfer *x, const struct wedr_http_request *rq)
{
    bool content_type = false;
    int err = add_header(x, "Expect:"); /* no pause before a large body */
    if (rq->header_count > HEADERS_MAX) {
        return WEDR_E_INVAL;
    }
    for (size_t i = 0; i < rq->header_count && err == WEDR_OK; i++) {
        char line[2 * HEADER_LEN_MAX + 4];
        const struct wedr_http_header *e = &rq->headers[i];
        if (e->name[0] == '\0' || strchr(e->name, ':') != NULL || !is_clean(e->name, false) ||
            !is_clean(e->value, true)) {
            return WEDR_E_INVAL;
        }
        content_type = content_type || strcasecmp(e->name, "content-type") == 0;
        /* curl drops a header without value unless it ends with a semicolon. */
        (void)snprintf(line, sizeof(line), e->value[0] == '\0' ? "%s;" : "%s: %s", e->name,
                       e->value);
        err = add_header(x, line);
    }
    if (err == WEDR_OK && !content_type) {
        err = add_header(x, "Content-Type:"); /* else curl claims a web form */
    }
    return err == WEDR_OK && curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers) != CURLE_OK
               ? WEDR_E_NOMEM
               : err;
}

static struct curl_blob blob_of(char *text)
{
    /* Not copied: ours lives longer, and curl would not wipe its copy of the key. */
    struct curl_blob b = {text, strlen(text), CURL_BLOB_NOCOPY};
    return b;
}

/* The system's CA store is switched off in both modes: only what the caller named is trusted. */
static bool set_trust(struct wedr_http *h, CURL *c)
{
    bool ok = curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_CAINFO, NULL) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK &&
              curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    if (ok && h->pinned) {
        ok = curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, wedr_http_pin_install) == CURLE_OK &&
             curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, &h->pin) == CURLE_OK;
    } else if (ok) {
        struct curl_blob ca = blob_of(h->ca_pem);
        ok = curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &ca) == CURLE_OK;
    }
    if (ok && h->cert_pem != NULL) {
        struct curl_blob cert = blob_of(h->cert_pem);
        struct curl_blob key = blob_of(h->key_pem);
        ok = curl_easy_setopt(c, CURLOPT_SSLCERT_BLOB, &cert) == CURLE_OK &&
             curl_easy_setopt(c, CURLOPT_SSLKEY_BLOB, &key) == CURLE_OK;
    }
    return ok;
}

static bool set_transport(struct wedr_http *h, struct xfer *x)
{
    CURL *c = x->easy;
    return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
           /* An empty proxy and an empty exception list also keep the environment out. */
           curl_easy_setopt(c, CURLOPT_PROXY, h->proxy == NULL ? "" : h->proxy) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOPROXY, "") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L) ==
               CURLE_OK && /* never wait for a resolver thread */
           curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)h->connect_timeout_ms) ==
               CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)h->total_timeout_ms) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, h->user_agent) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->error) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PRIVATE, x) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, x) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HEADERDATA, x) == CURLE_OK;
}

static int set_request(struct wedr_http *h, struct xfer *x, const struct wedr_http_request *rq)
{
    char url[HEADER_LEN_MAX + 512];
    bool post = strcmp(rq->method, "POST") == 0;
    int n = snprintf(url, sizeof(url), "%s%s", h->base_url, rq->path);
    if (n < 0 || (size_t)n >= sizeof(url)) {
        return WEDR_E_INVAL;
    }
    bool ok = curl_easy_setopt(x->easy, CURLOPT_URL, url) == CURLE_OK;
    if (ok && post) {
        ok = curl_easy_setopt(x->easy, CURLOPT_POST, 1L) == CURLE_OK &&
             curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, rq->body_len == 0 ? "" : rq->body) ==
                 CURLE_OK &&
             curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_len) ==
                 CURLE_OK;
    } else if (ok) {
        ok = curl_easy_setopt(x->easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    }
    return ok ? set_headers(x, rq) : WEDR_E_NOMEM;
}

static bool request_valid(const struct wedr_http_request *rq)
{
    bool get = strcmp(rq->method, "GET") == 0;
    return (get || strcmp(rq->method, "POST") == 0) && rq->path[0] == '/' &&
           is_clean(rq->path, false) && rq->body_len <= BODY_MAX && !(get && rq->body_len > 0);
}

int wedr_http_start(struct wedr_http *h,
                    const struct wedr_http_request *rq,
                    wedr_http_done done,
                    void *arg)
{
    size_t slot = 0;
    int err = WEDR_E_NOMEM;
    WEDR_OBJ_CHECK(h, HTTP_MAGIC);
    while (slot < XFERS_MAX && h->xfers[slot] != NULL) {
        slot++;
    }
    if (slot == XFERS_MAX) {
        return WEDR_E_FULL;
    }
    if (!request_valid(rq)) {
        return WEDR_E_INVAL;
    }
    struct xfer *x = wedr_alloc(1, sizeof(*x));
    if (x == NULL) {
        return WEDR_E_NOMEM;
    }
    x->owner = h;
    x->done = done;
    x->arg = arg;
    wedr_buf_init(&x->body, rq->response_max);
    x->easy = curl_easy_init();
    if (x->easy != NULL && set_transport(h, x) && set_trust(h, x->easy)) {
        err = set_request(h, x, rq);
    }
    if (err == WEDR_OK && curl_multi_add_handle(h->multi, x->easy) != CURLM_OK) {
        err = WEDR_E_NOMEM;
    }
    if (err != WEDR_OK) {
        xfer_free(x);
        return err;
    }
    h->xfers[slot] = x;
    return WEDR_OK;
}

static bool mentions(const struct xfer *x, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strstr(x->error, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* curl gives one code for "the connection broke during the handshake" and "the handshake was
 * refused", and with TLS 1.3 the server's refusal of our certificate arrives as a failed read. Only
 * the text tells them apart, and it matters: the first is tried again, the second needs a person.
 */
static int map_error(const struct xfer *x, CURLcode code)
{
    static const char *const broke[] = {"SYSCALL", "onnection reset", "unexpected eof",
                                        "roken pipe"};
    static const char *const refused[] = {"alert"};
    switch (code) {
    case CURLE_OK:
        return WEDR_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return WEDR_E_TIMEOUT;
    case CURLE_OUT_OF_MEMORY:
        return WEDR_E_NOMEM;
    case CURLE_WRITE_ERROR:
        return x->too_large ? WEDR_E_LIMIT : WEDR_E_NOMEM;
    case CURLE_SSL_CONNECT_ERROR:
        return mentions(x, broke, WEDR_ARRAY_COUNT(broke)) ? WEDR_E_NET : WEDR_E_TLS;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_USE_SSL_FAILED:
        return WEDR_E_TLS;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return mentions(x, refused, WEDR_ARRAY_COUNT(refused)) ? WEDR_E_TLS : WEDR_E_NET;
    default:
        return WEDR_E_NET;
    }
}

/* Hands the result over and frees the transfer; its slot is free already, so that the callback can
 * start another. */
static void complete(struct wedr_http *h, struct xfer *x, CURLcode code)
{
    long status = 0;
    struct wedr_http_response r = {.err = map_error(x, code), .retry_after_s = x->retry_after_s};
    if (r.err == WEDR_OK) {
        (void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
        r.status = (int)status;
        r.body = x->body.p != NULL ? x->body.p : (const uint8_t *)"";
        r.body_len = x->body.len;
        r.ca_pem = h->pinned ? h->pin.ca_pem : NULL;
    } else {
        r.body = (const uint8_t *)"";
        r.retry_after_s = 0;
        r.error_text = x->error[0] != '\0' ? x->error : curl_easy_strerror(code);
        if (r.err == WEDR_E_TLS && h->pinned && h->pin.reason[0] != '\0') {
            r.error_text = h->pin.reason;
        } else if (r.err == WEDR_E_LIMIT) {
            r.error_text = "the answer is longer than expected";
        }
    }
    x->done(x->arg, &r);
    xfer_free(x);
}

static size_t complete_finished(struct wedr_http *h)
{
    size_t completed = 0;
    int queued = 0;
    CURLMsg *m;
    while ((m = curl_multi_info_read(h->multi, &queued)) != NULL) {
        struct xfer *x = NULL;
        CURLcode code = m->data.result; /* m dies with the removal */
        if (m->msg != CURLMSG_DONE ||
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x) != CURLE_OK) {
            continue;
        }
        (void)curl_multi_remove_handle(h->multi, x->easy);
        for (size_t i = 0; i < XFERS_MAX; i++) {
            h->xfers[i] = h->xfers[i] == x ? NULL : h->xfers[i];
        }
        complete(h, x, code);
        completed++;
    }
    return completed;
}

/* Sleeps until curl or one of w has something to do, at most timeout_ms. */
static int
poll_with(struct wedr_http *h, const struct wedr_wait *w, size_t count, uint32_t timeout_ms)
{
    struct curl_waitfd fds[WEDR_WAIT_MAX];
    unsigned n = 0;
    for (size_t i = 0; i < count; i++) {
        if (w[i].handle != WEDR_HANDLE_NONE) {
            fds[n].fd = (curl_socket_t)w[i].handle;
            fds[n].events = (short)(((w[i].want & WEDR_WAIT_READ) != 0 ? CURL_WAIT_POLLIN : 0) |
                                    ((w[i].want & WEDR_WAIT_WRITE) != 0 ? CURL_WAIT_POLLOUT : 0));
            fds[n].revents = 0;
            n++;
        }
    }
    int ms = timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms;
    return curl_multi_poll(h->multi, fds, n, ms, NULL) == CURLM_OK ? WEDR_OK : WEDR_E_NOMEM;
}

int wedr_http_wait(struct wedr_http *h, struct wedr_wait *w, size_t count, uint32_t timeout_ms)
{
    uint64_t start = wedr_time_mono_ms();
    WEDR_OBJ_CHECK(h, HTTP_MAGIC);
    if (count > WEDR_WAIT_MAX) {
        return WEDR_E_INVAL;
    }
    for (;;) {
        int running = 0;
        size_t ready = 0;
        if (curl_multi_perform(h->multi, &running) != CURLM_OK) {
            return WEDR_E_NOMEM;
        }
        size_t completed = complete_finished(h);
        /* Looked at in every round: the caller gets fresh results whatever ended the wait. */
        int err = wedr_wait_any(w, count, 0, &ready);
        uint64_t gone = wedr_time_mono_ms() - start;
        if (err != WEDR_OK || completed > 0 || ready > 0 ||
            (timeout_ms != UINT32_MAX && gone >= timeout_ms)) {
            return err;
        }
        err = poll_with(h, w, count,
                        timeout_ms == UINT32_MAX ? UINT32_MAX : (uint32_t)(timeout_ms - gone));
        if (err != WEDR_OK) {
            return err;
        }
    }
}

struct once {
    wedr_http_done done;
    void *arg;
    bool finished;
};

static void on_once(void *arg, const struct wedr_http_response *r)
{
    struct once *o = (struct once *)arg;
    o->done(o->arg, r);
    o->finished = true;
}

int wedr_http_once(struct wedr_http *h,
                   const struct wedr_http_request *rq,
                   wedr_http_done done,
                   void *arg)
{
    struct once o = {.done = done, .arg = arg};
    int err = wedr_http_start(h, rq, on_once, &o);
    while (err == WEDR_OK && !o.finished) { /* bounded by total_timeout_ms */
        err = wedr_http_wait(h, NULL, 0, 1000);
    }
    return err;
}
