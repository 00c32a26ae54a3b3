/* SPDX-License-Identifier: Apache-2.0 */
#include "http_internal.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

int wedr_http_pin_init(struct wedr_http_pin *p, const char *hex, const char *host)
{
    memset(p, 0, sizeof(*p));
    if (strlen(host) >= sizeof(p->host)) {
        return WEDR_E_FORMAT;
    }
    (void)snprintf(p->host, sizeof(p->host), "%s", host);
    return wedr_unhex(hex, strlen(hex), p->sha256, sizeof(p->sha256));
}

void wedr_http_pin_fini(struct wedr_http_pin *p)
{
    sk_X509_pop_free((STACK_OF(X509) *)p->trusted, X509_free);
    wedr_free(p->ca_pem);
    p->trusted = NULL;
    p->ca_pem = NULL;
}

static char *to_pem(X509 *cert)
{
    char *text = NULL;
    char *ret = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && PEM_write_bio_X509(bio, cert) == 1) {
        long n = BIO_get_mem_data(bio, &text);
        ret = n > 0 ? wedr_strndup(text, (size_t)n) : NULL;
    }
    BIO_free(bio);
    return ret;
}

/* The certificate authority with our fingerprint among what the server sent, or NULL. */
static X509 *find_ca(const struct wedr_http_pin *p, const STACK_OF(X509) * chain)
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned len = 0;
        X509 *c = sk_X509_value(chain, i);
        if (X509_digest(c, EVP_sha256(), digest, &len) == 1 && len == sizeof(p->sha256) &&
            memcmp(digest, p->sha256, len) == 0 && X509_check_ca(c) > 0) {
            return c;
        }
    }
    return NULL;
}

/* Remembers the CA as the one certificate to trust. */
static bool trust(struct wedr_http_pin *p, X509 *ca)
{
    STACK_OF(X509) *one = sk_X509_new_null();
    char *pem = to_pem(ca);
    if (one == NULL || pem == NULL || X509_up_ref(ca) != 1) {
        goto fail;
    }
    if (sk_X509_push(one, ca) <= 0) {
        X509_free(ca);
        goto fail;
    }
    p->trusted = one;
    p->ca_pem = pem;
    return true;
fail:
    sk_X509_free(one);
    wedr_free(pem);
    return false;
}

static bool expect_host(X509_VERIFY_PARAM *param, const char *host)
{
    unsigned char address[16];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1) {
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    }
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

static int refuse(X509_STORE_CTX *ctx, struct wedr_http_pin *p, int code, const char *why)
{
    (void)snprintf(p->reason, sizeof(p->reason), "%s", why);
    X509_STORE_CTX_set_error(ctx, code);
    return 0;
}

/* Inside the handshake, in place of OpenSSL's own verification: nothing of the request has been
 * sent yet. The context comes from SSL and already carries purpose and security level. */
static int verify(X509_STORE_CTX *ctx, void *arg)
{
    struct wedr_http_pin *p = (struct wedr_http_pin *)arg;
    p->reason[0] = '\0';
    if (p->trusted == NULL) {
        X509 *ca = find_ca(p, X509_STORE_CTX_get0_untrusted(ctx));
        if (ca == NULL) {
            return refuse(ctx, p, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
                          "the server sent no certificate authority with the given SHA-256");
        }
        if (!trust(p, ca)) {
            return refuse(ctx, p, X509_V_ERR_OUT_OF_MEM, "out of memory");
        }
    }
    X509_STORE_CTX_set0_trusted_stack(ctx, (STACK_OF(X509) *)p->trusted);
    if (!expect_host(X509_STORE_CTX_get0_param(ctx), p->host)) {
        return refuse(ctx, p, X509_V_ERR_OUT_OF_MEM, "out of memory");
    }
    if (X509_verify_cert(ctx) != 1) {
        int code = X509_STORE_CTX_get_error(ctx);
        return refuse(ctx, p, code == X509_V_OK ? X509_V_ERR_UNSPECIFIED : code,
                      X509_verify_cert_error_string(code));
    }
    return 1;
}

CURLcode wedr_http_pin_install(CURL *easy, void *ssl_ctx, void *arg)
{
    (void)easy;
    SSL_CTX_set_cert_verify_callback((SSL_CTX *)ssl_ctx, verify, arg);
    return CURLE_OK;
}
