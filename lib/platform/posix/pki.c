/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/pki.h"

#include "core/base/err.h"
#include "core/util/sha256.h"
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

#define PEM_MAX (1u << 20) /* longest PEM text taken */

static int ssl_failed(struct wedr_errinfo *ei, const char *what)
{
    char text[160];
    unsigned long e = ERR_get_error();
    ERR_error_string_n(e, text, sizeof(text));
    ERR_clear_error();
    return wedr_fail(ei, WEDR_E_TLS, "%s: %s", what, e == 0 ? "failed" : text);
}

/* An encrypted key would ask the terminal for its password: never. */
/* NOLINTNEXTLINE(readability-non-const-parameter): OpenSSL gives the signature. */
static int no_password(char *buf, int size, int rwflag, void *arg)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)arg;
    return -1;
}

static BIO *read_bio(const char *pem, size_t len)
{
    return pem == NULL || len == 0 || len > PEM_MAX ? NULL : BIO_new_mem_buf(pem, (int)len);
}

static EVP_PKEY *read_key(const char *pem, size_t len)
{
    BIO *bio = read_bio(pem, len);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    return key;
}

static X509 *read_cert(const char *pem, size_t len)
{
    BIO *bio = read_bio(pem, len);
    X509 *cert = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_password, NULL);
    BIO_free(bio);
    return cert;
}

/* Appends what bio holds. OpenSSL wipes the memory of a BIO when it grows or is freed. */
static int append_bio(struct wedr_buf *b, BIO *bio)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    if (n <= 0) {
        return WEDR_E_TLS;
    }
    wedr_buf_add(b, p, (size_t)n);
    return b->overflow ? WEDR_E_LIMIT : WEDR_OK;
}

int wedr_pki_key_new(struct wedr_buf *ret_key_pem, struct wedr_errinfo *ei)
{
    int err;
    BIO *bio = BIO_new(BIO_s_mem());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    if (bio == NULL || key == NULL ||
        PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
        err = ssl_failed(ei, "making a key");
    } else {
        err = append_bio(ret_key_pem, bio);
    }
    EVP_PKEY_free(key);
    BIO_free(bio);
    return err;
}

static X509_REQ *make_request(EVP_PKEY *key, const char *common_name)
{
    X509_REQ *rq = X509_REQ_new();
    X509_NAME *name = X509_NAME_new();
    bool done = rq != NULL && name != NULL && X509_REQ_set_version(rq, X509_REQ_VERSION_1) == 1 &&
                X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                           (const unsigned char *)common_name, -1, -1, 0) == 1 &&
                X509_REQ_set_subject_name(rq, name) == 1 && X509_REQ_set_pubkey(rq, key) == 1 &&
                X509_REQ_sign(rq, key, EVP_sha256()) > 0;
    X509_NAME_free(name);
    if (!done) {
        X509_REQ_free(rq);
        return NULL;
    }
    return rq;
}

int wedr_pki_csr_new(const char *key_pem,
                     size_t key_len,
                     const char *common_name,
                     struct wedr_buf *ret_csr_pem,
                     struct wedr_buf *ret_csr_der,
                     struct wedr_errinfo *ei)
{
    int err = WEDR_OK;
    X509_REQ *rq = NULL;
    BIO *pem = NULL;
    BIO *der = NULL;
    EVP_PKEY *key = read_key(key_pem, key_len);
    if (key == NULL) {
        ERR_clear_error();
        return wedr_fail(ei, WEDR_E_FORMAT, "the private key is not a readable PEM key");
    }
    rq = make_request(key, common_name);
    pem = BIO_new(BIO_s_mem());
    der = BIO_new(BIO_s_mem());
    if (rq == NULL || pem == NULL || der == NULL || PEM_write_bio_X509_REQ(pem, rq) != 1 ||
        i2d_X509_REQ_bio(der, rq) != 1) {
        err = ssl_failed(ei, "making a certificate request");
        goto out;
    }
    err = append_bio(ret_csr_pem, pem);
    if (err == WEDR_OK) {
        err = append_bio(ret_csr_der, der);
    }
out:
    BIO_free(der);
    BIO_free(pem);
    X509_REQ_free(rq);
    EVP_PKEY_free(key);
    return err;
}

static int read_common_name(const X509 *cert, char *ret, size_t cap)
{
    unsigned char *utf8 = NULL;
    const X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    ret[0] = '\0';
    if (at < 0) {
        return WEDR_OK;
    }
    int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    int err = WEDR_OK;
    if (n < 0 || (size_t)n >= cap || memchr(utf8, 0, (size_t)n) != NULL) {
        err = WEDR_E_FORMAT; /* a NUL inside would let a name pass for a shorter one */
    } else {
        memcpy(ret, utf8, (size_t)n);
        ret[n] = '\0';
    }
    OPENSSL_free(utf8);
    return err;
}

static int read_time(const ASN1_TIME *t, int64_t *ret_us)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(t, &tm) != 1) {
        return WEDR_E_FORMAT;
    }
    *ret_us = (int64_t)timegm(&tm) * 1000000;
    return WEDR_OK;
}

int wedr_pki_cert_info(const char *pem,
                       size_t len,
                       struct wedr_cert_info *ret,
                       struct wedr_errinfo *ei)
{
    struct wedr_cert_info info = {0};
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    X509 *cert = read_cert(pem, len);
    if (cert == NULL) {
        ERR_clear_error();
        return wedr_fail(ei, WEDR_E_FORMAT, "not a readable PEM certificate");
    }
    int err = read_common_name(cert, info.common_name, sizeof(info.common_name));
    if (err == WEDR_OK) {
        err = read_time(X509_get0_notBefore(cert), &info.not_before_us);
    }
    if (err == WEDR_OK) {
        err = read_time(X509_get0_notAfter(cert), &info.not_after_us);
    }
    if (err == WEDR_OK && (X509_digest(cert, EVP_sha256(), digest, &digest_len) != 1 ||
                           digest_len != WEDR_SHA256_LEN)) {
        err = WEDR_E_TLS;
    }
    X509_free(cert);
    ERR_clear_error();
    if (err != WEDR_OK) {
        return wedr_fail(ei, err, "the certificate's name or dates cannot be read");
    }
    wedr_hex(digest, WEDR_SHA256_LEN, info.fingerprint);
    *ret = info;
    return WEDR_OK;
}

int wedr_pki_cert_matches(const char *cert_pem,
                          size_t cert_len,
                          const char *key_pem,
                          size_t key_len,
                          const char *ca_pem,
                          size_t ca_len)
{
    int err = WEDR_OK;
    X509 *cert = read_cert(cert_pem, cert_len);
    X509 *ca = read_cert(ca_pem, ca_len);
    EVP_PKEY *key = read_key(key_pem, key_len);
    if (cert == NULL || ca == NULL || key == NULL ||
        EVP_PKEY_eq(X509_get0_pubkey(cert), key) != 1 ||
        X509_verify(cert, X509_get0_pubkey(ca)) != 1) {
        err = WEDR_E_TLS;
    }
    EVP_PKEY_free(key);
    X509_free(ca);
    X509_free(cert);
    ERR_clear_error();
    return err;
}

void wedr_sign_keypair(uint8_t ret_public[WEDR_SIGN_PUBLIC_LEN],
                       uint8_t ret_secret[WEDR_SIGN_SECRET_LEN])
{
    _Static_assert(crypto_sign_PUBLICKEYBYTES == WEDR_SIGN_PUBLIC_LEN &&
                       crypto_sign_SECRETKEYBYTES == WEDR_SIGN_SECRET_LEN &&
                       crypto_sign_BYTES == WEDR_SIGN_LEN,
                   "lengths of Ed25519");
    if (sodium_init() >= 0) { /* fails only without a source of random numbers */
        (void)crypto_sign_keypair(ret_public, ret_secret);
    }
}

void wedr_sign(const uint8_t secret[WEDR_SIGN_SECRET_LEN],
               const void *p,
               size_t n,
               uint8_t ret_sig[WEDR_SIGN_LEN])
{
    (void)crypto_sign_detached(ret_sig, NULL, (const unsigned char *)p, n, secret);
}

int wedr_sign_verify(const uint8_t public_key[WEDR_SIGN_PUBLIC_LEN],
                     const void *p,
                     size_t n,
                     const uint8_t sig[WEDR_SIGN_LEN])
{
    int e = crypto_sign_verify_detached(sig, (const unsigned char *)p, n, public_key);
    return e == 0 ? WEDR_OK : WEDR_E_AUTH;
}
