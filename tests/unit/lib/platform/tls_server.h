/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/platform/tls_server.h — certificates made on the spot and a small HTTPS server on
 * a loopback port, which counts every decrypted byte that a client sent. */
#pragma once

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct test_cert {
    X509 *cert;
    EVP_PKEY *key;
    char *cert_pem, *key_pem; /* free with test_cert_free */
    char sha256[65];
};

/* issuer NULL: a certificate authority signed by itself. san: "DNS:localhost,IP:127.0.0.1", or
 * NULL. Valid from an hour ago for valid_s seconds. */
void test_cert_make(struct test_cert *ret,
                    const char *cn,
                    const char *san,
                    const struct test_cert *issuer,
                    long valid_s);
void test_cert_free(struct test_cert *c);

struct tls_server {
    int fd, stop_fds[2];
    uint16_t port;
    SSL_CTX *ctx;
    pthread_t thread;
    atomic_uint handshakes, requests;
    atomic_size_t app_bytes;
    atomic_bool slow_seen;
    bool plain; /* answers in the clear: not a TLS server at all */
};

struct tls_server_cfg {
    const struct test_cert *leaf;
    const struct test_cert *chain[2];  /* sent behind the leaf; NULL ends */
    const struct test_cert *client_ca; /* demands a client certificate of it, or NULL */
    bool plain;
};

/* The paths it knows (any other is answered with 200 "ok"):
 *   /echo (the body) /head (the request head) /who (the client certificate)  /redirect /big
 * (100,000 bytes) /slow (never answers) /retry/VALUE (429, Retry-After: VALUE) /date/N (503,
 * Retry-After: the date N seconds from now) */
void tls_server_start(struct tls_server *s, const struct tls_server_cfg *cfg);
void tls_server_stop(struct tls_server *s);
