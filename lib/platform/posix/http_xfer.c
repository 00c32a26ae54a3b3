/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/buf.h"
#include "http_internal.h"
#include "wedr/plat/time.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define BODY_MAX (8u << 20)
#define HEADERS_MAX 32
#define HEADER_LEN_MAX 4096
#define RETRY_AFTER_MAX_S 86400u

void wedr_http_xfer_free(struct wedr_http_xfer *x)
{
    if (x != NULL) {
        curl_easy_cleanup(x->easy);
        curl_slist_free_all(x->headers);
        wedr_buf_fini(&x->body);
        wedr_wipe(x->value, sizeof(x->value)); /* may be a cookie */
        wedr_free(x);
    }
}

static size_t on_body(char *p, size_t size, size_t count, void *arg)
{
    struct wedr_http_xfer *x = (struct wedr_http_xfer *)arg;
    size_t n = size * count;
    long status = 0;
    x->heard_ms = wedr_time_mono_ms();
    if (x->piece != NULL) {
        (void)curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
        if (status >= 200 && status < 300) {
            x->ended = x->piece(x->arg, p, n) != 0;
            return x->ended ? 0 : n;
        }
    }
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

/* Copies the value of a header line that begins with name and a colon, cut at cap - 1. */
static bool
take_header(const char *p, size_t n, const char *name, size_t len, char *ret_value, size_t cap)
{
    if (n <= len || p[len] != ':' || strncasecmp(p, name, len) != 0) {
        return false;
    }
    size_t from = len + 1;
    while (from < n && (p[from] == ' ' || p[from] == '\t')) {
        from++;
    }
    while (n > from && (p[n - 1] == '\r' || p[n - 1] == '\n' || p[n - 1] == ' ')) {
        n--;
    }
    size_t value_len = n - from < cap - 1 ? n - from : cap - 1;
    memcpy(ret_value, p + from, value_len);
    ret_value[value_len] = '\0';
    return true;
}

static size_t on_header(char *p, size_t size, size_t count, void *arg)
{
    static const char retry[] = "retry-after";
    struct wedr_http_xfer *x = (struct wedr_http_xfer *)arg;
    char value[64] = "";
    size_t n = size * count;
    x->heard_ms = wedr_time_mono_ms();
    if (take_header(p, n, retry, sizeof(retry) - 1, value, sizeof(value))) {
        x->retry_after_s = parse_retry_after(value);
    }
    if (x->want != NULL && x->value[0] == '\0') {
        (void)take_header(p, n, x->want, strlen(x->want), x->value, sizeof(x->value));
    }
    return n;
}

/* About once a second, also when nothing comes. */
static int
on_progress(void *arg, curl_off_t dtotal, curl_off_t dnow, curl_off_t utotal, curl_off_t unow)
{
    const struct wedr_http_xfer *x = (const struct wedr_http_xfer *)arg;
    (void)dtotal;
    (void)dnow;
    (void)utotal;
    (void)unow;
    return wedr_time_mono_ms() - x->heard_ms > x->silence_ms ? 1 : 0;
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

static int add_header(struct wedr_http_xfer *x, const char *line)
{
    struct curl_slist *l = curl_slist_append(x->headers, line);
    if (l == NULL) {
        return WEDR_E_NOMEM;
    }
    x->headers = l;
    return WEDR_OK;
}

static int set_headers(struct wedr_http_xfer *x, const struct wedr_http_request *rq)
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

static bool set_deadline(struct wedr_http *h, struct wedr_http_xfer *x)
{
    CURL *c = x->easy;
    if (x->silence_ms == 0) {
        return curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)h->total_timeout_ms) == CURLE_OK;
    }
    x->heard_ms = wedr_time_mono_ms();
    return curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_XFERINFODATA, x) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
}

static bool set_transport(struct wedr_http *h, struct wedr_http_xfer *x)
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
           set_deadline(h, x) &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, h->user_agent) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->error) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PRIVATE, x) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, x) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HEADERDATA, x) == CURLE_OK;
}

static bool is_get(const struct wedr_http_request *rq)
{
    return strcmp(rq->method, "GET") == 0;
}

static int
set_request(struct wedr_http *h, struct wedr_http_xfer *x, const struct wedr_http_request *rq)
{
    char url[HEADER_LEN_MAX + 512];
    int n = snprintf(url, sizeof(url), "%s%s", h->base_url, rq->path);
    if (n < 0 || (size_t)n >= sizeof(url)) {
        return WEDR_E_INVAL;
    }
    bool ok = curl_easy_setopt(x->easy, CURLOPT_URL, url) == CURLE_OK;
    if (ok && !is_get(rq)) {
        ok = curl_easy_setopt(x->easy, CURLOPT_POST, 1L) == CURLE_OK &&
             curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, rq->method) == CURLE_OK &&
             curl_easy_setopt(x->easy, CURLOPT_POSTFIELDS, rq->body_len == 0 ? "" : rq->body) ==
                 CURLE_OK &&
             curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_len) ==
                 CURLE_OK;
    } else if (ok) {
        ok = curl_easy_setopt(x->easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    }
    return ok ? set_headers(x, rq) : WEDR_E_NOMEM;
}

int wedr_http_xfer_set(struct wedr_http *h,
                       struct wedr_http_xfer *x,
                       const struct wedr_http_request *rq)
{
    x->piece = rq->piece;
    x->silence_ms = rq->silence_ms;
    x->want = rq->want_header;
    return set_transport(h, x) && set_trust(h, x->easy) ? set_request(h, x, rq) : WEDR_E_NOMEM;
}

bool wedr_http_request_valid(const struct wedr_http_request *rq)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    bool known = false;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(methods); i++) {
        known = known || strcmp(rq->method, methods[i]) == 0;
    }
    return known && rq->path[0] == '/' && is_clean(rq->path, false) && rq->body_len <= BODY_MAX &&
           !(is_get(rq) && rq->body_len > 0);
}
