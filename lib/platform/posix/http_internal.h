/* SPDX-License-Identifier: Apache-2.0
 * lib/platform/posix/http_internal.h — what http.c, http_xfer.c and http_pin.c share. */
#pragma once

#include "core/util/sha256.h"
#include "wedr/plat/http.h"
#include <curl/curl.h>
#include <stdbool.h>

/* Trust by fingerprint: lives as long as its client. */
struct wedr_http_pin {
    uint8_t sha256[WEDR_SHA256_LEN];
    char host[256];   /* name or address the certificate must carry, without brackets */
    void *trusted;    /* STACK_OF(X509) with the one CA, once a server sent it */
    char *ca_pem;     /* the same as text */
    char reason[128]; /* why the last verification failed, "" when it did not */
};

/* hex: 64 hex digits. WEDR_E_FORMAT when not. */
WEDR_MUST_USE int wedr_http_pin_init(struct wedr_http_pin *p, const char *hex, const char *host);
void wedr_http_pin_fini(struct wedr_http_pin *p);
/* CURLOPT_SSL_CTX_FUNCTION: puts our verification into the handshake; arg is the pin. */
CURLcode wedr_http_pin_install(CURL *easy, void *ssl_ctx, void *arg);

#define WEDR_HTTP_XFERS_MAX 8

/* One request on its way. */
struct wedr_http_xfer {
    struct wedr_http *owner;
    CURL *easy;
    struct curl_slist *headers;
    struct wedr_buf body;
    bool too_large, ended; /* ended: the caller wants no more of the answer */
    wedr_http_piece piece;
    uint32_t silence_ms; /* without a byte end it; 0: total_timeout_ms does */
    uint64_t heard_ms;   /* when the last byte came */
    const char *want;    /* name of the header that is kept, or NULL */
    char value[WEDR_HTTP_HEADER_MAX];
    uint32_t retry_after_s;
    wedr_http_done done;
    void *arg;
    char error[CURL_ERROR_SIZE];
};

struct wedr_http {
    uint32_t magic;
    CURLM *multi;
    struct wedr_http_xfer *xfers[WEDR_HTTP_XFERS_MAX]; /* NULL: free */
    char *base_url, *ca_pem, *cert_pem, *key_pem, *proxy, *user_agent;
    size_t key_len;
    uint32_t connect_timeout_ms, total_timeout_ms;
    bool pinned;
    struct wedr_http_pin pin;
};

/* Whether a request may be made at all. */
bool wedr_http_request_valid(const struct wedr_http_request *rq);
/* Gives x->easy everything it needs. WEDR_E_NOMEM, WEDR_E_INVAL. */
WEDR_MUST_USE int wedr_http_xfer_set(struct wedr_http *h,
                                     struct wedr_http_xfer *x,
                                     const struct wedr_http_request *rq);
void wedr_http_xfer_free(struct wedr_http_xfer *x);
