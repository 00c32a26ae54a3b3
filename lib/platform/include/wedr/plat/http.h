/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/http.h — HTTPS client: libcurl on Linux, WinHTTP on Windows. Several requests run at
 * once from one thread; wedr_http_wait drives them together with the caller's own handles. HTTPS
 * only, TLS 1.2 or newer. */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "wedr/plat/ipc.h"
#include <stddef.h>
#include <stdint.h>

struct wedr_http;

struct wedr_http_cfg {
    const char *base_url; /* https://host[:port], no trailing slash */
    /* Trust: exactly one of the two. ca_pem: only chains to these. ca_sha256: lower-case hex
     * SHA-256 of the DER of the CA that the server sends in its chain; the handshake fails before
     * any request byte is sent when it is not there, does not sign the chain, or the name does not
     * match. */
    const char *ca_pem;
    const char *ca_sha256;
    const char *cert_pem, *key_pem; /* client certificate, or NULL; copied, the key wiped at free */
    const char *proxy;              /* URL, or NULL: none (the environment is not consulted) */
    uint32_t connect_timeout_ms, total_timeout_ms; /* of one request; 0: 10 s and 60 s */
    const char *user_agent;
};

struct wedr_http_header {
    const char *name, *value;
};

#define WEDR_HTTP_HEADER_MAX 4096u

/* A piece of the answer's body, borrowed during the call; other than 0 ends the request with
 * WEDR_E_CLOSED. arg is that of the completion. */
typedef int (*wedr_http_piece)(void *arg, const void *p, size_t n);

struct wedr_http_request {
    const char *method; /* GET, POST, PUT, PATCH or DELETE */
    const char *path;   /* begins with '/' */
    const struct wedr_http_header *headers;
    size_t header_count;
    const void *body; /* borrowed until the completion */
    size_t body_len;
    size_t response_max; /* bytes kept of the answer; more is an error */
    /* For answers without a bound, or NULL: gets the body of a 2xx answer, which is not kept then;
     * other answers are kept as ever. */
    wedr_http_piece piece;
    uint32_t silence_ms; /* not 0: this long without a byte ends it, instead of total_timeout_ms */
    const char *want_header; /* name of a header of the answer to be kept, or NULL; borrowed until
                                the completion */
};

struct wedr_http_response {
    int err; /* WEDR_OK when an HTTP answer came, else WEDR_E_NET, _TLS, _TIMEOUT, _LIMIT, _NOMEM */
    int status;          /* HTTP status, 0 when none */
    const uint8_t *body; /* borrowed until the callback returns; NUL-terminated */
    size_t body_len;
    uint32_t retry_after_s; /* 0 when absent; HTTP dates are turned into seconds, at most 86,400 */
    const char *header;     /* value of want_header, NULL when absent; cut at 4,095 bytes */
    const char *error_text; /* for a person when err is set */
    /* When ca_sha256 was given: PEM of that CA as the server sent it, else NULL. */
    const char *ca_pem;
};
typedef void (*wedr_http_done)(void *arg, const struct wedr_http_response *r);

WEDR_MUST_USE int
wedr_http_new(const struct wedr_http_cfg *cfg, struct wedr_http **ret, struct wedr_errinfo *ei);
/* Cancels what runs (their callbacks are not called). NULL is allowed. */
void wedr_http_free(struct wedr_http *h);
/* Starts a request; done is called once, from wedr_http_wait. Headers and path are copied.
 * WEDR_E_FULL above 8, WEDR_E_INVAL for another method, a body above 8 MiB, or control characters
 * in path or headers. done must not free h. */
WEDR_MUST_USE int wedr_http_start(struct wedr_http *h,
                                  const struct wedr_http_request *rq,
                                  wedr_http_done done,
                                  void *arg);
/* Runs transfers until one of w is ready, a request completed or timeout_ms passed. */
WEDR_MUST_USE int
wedr_http_wait(struct wedr_http *h, struct wedr_wait *w, size_t count, uint32_t timeout_ms);
/* One request, start to end; for the command line. Same contract. */
WEDR_MUST_USE int wedr_http_once(struct wedr_http *h,
                                 const struct wedr_http_request *rq,
                                 wedr_http_done done,
                                 void *arg);
