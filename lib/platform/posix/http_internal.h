/* SPDX-License-Identifier: Apache-2.0
 * lib/platform/posix/http_internal.h — what http.c and http_pin.c share. */
#pragma once

#include "core/util/sha256.h"
#include "wedr/plat/http.h"
#include <curl/curl.h>

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
