/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/http.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "http_internal.h"
#include "wedr/plat/time.h"
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define HTTP_MAGIC 0x57485454u
#define CONNECT_TIMEOUT_MS 10000u /* when the caller gives 0 */
#define TOTAL_TIMEOUT_MS 60000u

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

void wedr_http_free(struct wedr_http *h)
{
    if (h == NULL || h->magic != HTTP_MAGIC) {
        return;
    }
    h->magic = 0;
    for (size_t i = 0; i < WEDR_HTTP_XFERS_MAX; i++) {
        if (h->xfers[i] != NULL) {
            (void)curl_multi_remove_handle(h->multi, h->xfers[i]->easy);
            wedr_http_xfer_free(h->xfers[i]);
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

int wedr_http_start(struct wedr_http *h,
                    const struct wedr_http_request *rq,
                    wedr_http_done done,
                    void *arg)
{
    size_t slot = 0;
    int err = WEDR_E_NOMEM;
    WEDR_OBJ_CHECK(h, HTTP_MAGIC);
    while (slot < WEDR_HTTP_XFERS_MAX && h->xfers[slot] != NULL) {
        slot++;
    }
    if (slot == WEDR_HTTP_XFERS_MAX) {
        return WEDR_E_FULL;
    }
    if (!wedr_http_request_valid(rq)) {
        return WEDR_E_INVAL;
    }
    struct wedr_http_xfer *x = wedr_alloc(1, sizeof(*x));
    if (x == NULL) {
        return WEDR_E_NOMEM;
    }
    x->owner = h;
    x->done = done;
    x->arg = arg;
    wedr_buf_init(&x->body, rq->response_max);
    x->easy = curl_easy_init();
    if (x->easy != NULL) {
        err = wedr_http_xfer_set(h, x, rq);
    }
    if (err == WEDR_OK && curl_multi_add_handle(h->multi, x->easy) != CURLM_OK) {
        err = WEDR_E_NOMEM;
    }
    if (err != WEDR_OK) {
        wedr_http_xfer_free(x);
        return err;
    }
    h->xfers[slot] = x;
    return WEDR_OK;
}

static bool mentions(const struct wedr_http_xfer *x, const char *const *words, size_t count)
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
static int map_error(const struct wedr_http_xfer *x, CURLcode code)
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
        return x->ended ? WEDR_E_CLOSED : x->too_large ? WEDR_E_LIMIT : WEDR_E_NOMEM;
    case CURLE_ABORTED_BY_CALLBACK:
        return WEDR_E_TIMEOUT;
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
static void complete(struct wedr_http *h, struct wedr_http_xfer *x, CURLcode code)
{
    long status = 0;
    struct wedr_http_response r = {.err = map_error(x, code), .retry_after_s = x->retry_after_s};
    if (r.err == WEDR_OK) {
        (void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
        r.status = (int)status;
        r.body = x->body.p != NULL ? x->body.p : (const uint8_t *)"";
        r.body_len = x->body.len;
        r.header = x->value[0] != '\0' ? x->value : NULL;
        r.ca_pem = h->pinned ? h->pin.ca_pem : NULL;
    } else {
        r.body = (const uint8_t *)"";
        r.retry_after_s = 0;
        r.error_text = x->error[0] != '\0' ? x->error : curl_easy_strerror(code);
        if (r.err == WEDR_E_TLS && h->pinned && h->pin.reason[0] != '\0') {
            r.error_text = h->pin.reason;
        } else if (r.err == WEDR_E_LIMIT) {
            r.error_text = "the answer is longer than expected";
        } else if (r.err == WEDR_E_TIMEOUT && x->silence_ms > 0) {
            r.error_text = "the server went silent";
        }
    }
    x->done(x->arg, &r);
    wedr_http_xfer_free(x);
}

static size_t complete_finished(struct wedr_http *h)
{
    size_t completed = 0;
    int queued = 0;
    CURLMsg *m;
    while ((m = curl_multi_info_read(h->multi, &queued)) != NULL) {
        struct wedr_http_xfer *x = NULL;
        CURLcode code = m->data.result; /* m dies with the removal */
        if (m->msg != CURLMSG_DONE ||
            curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &x) != CURLE_OK) {
            continue;
        }
        (void)curl_multi_remove_handle(h->multi, x->easy);
        for (size_t i = 0; i < WEDR_HTTP_XFERS_MAX; i++) {
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
    wedr_http_piece piece;
    void *arg;
    bool finished;
};

static void on_once(void *arg, const struct wedr_http_response *r)
{
    struct once *o = (struct once *)arg;
    o->done(o->arg, r);
    o->finished = true;
}

static int on_once_piece(void *arg, const void *p, size_t n)
{
    struct once *o = (struct once *)arg;
    return o->piece(o->arg, p, n);
}

int wedr_http_once(struct wedr_http *h,
                   const struct wedr_http_request *rq,
                   wedr_http_done done,
                   void *arg)
{
    struct once o = {.done = done, .piece = rq->piece, .arg = arg};
    struct wedr_http_request own = *rq;
    own.piece = rq->piece != NULL ? on_once_piece : NULL;
    int err = wedr_http_start(h, &own, on_once, &o);
    while (err == WEDR_OK && !o.finished) { /* bounded by total_timeout_ms */
        err = wedr_http_wait(h, NULL, 0, 1000);
    }
    return err;
}
