/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/csr.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

/* Explicit parameters pass only when OpenSSL finds them to be exactly this curve. */
static bool key_is_p256(EVP_PKEY *key)
{
    char group[64];
    size_t n = 0;
    if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_EC || EVP_PKEY_get_bits(key) != 256 ||
        EVP_PKEY_get_group_name(key, group, sizeof(group), &n) != 1) {
        return false;
    }
    return strcmp(group, SN_X9_62_prime256v1) == 0;
}

/* One block of that name and nothing but blanks around it. */
static bool only_one_block(const char *pem, size_t len)
{
    static const char begin[] = "-----BEGIN ", end[] = "-----END CERTIFICATE REQUEST-----";
    size_t i = 0, begins = 0, tail = 0;
    while (i < len && (pem[i] == '\n' || pem[i] == '\r' || pem[i] == ' ')) {
        i++;
    }
    if (len - i < sizeof(begin) - 1 || memcmp(pem + i, begin, sizeof(begin) - 1) != 0) {
        return false;
    }
    for (; i < len; i++) {
        if (pem[i] == '\0' || (unsigned char)pem[i] > 0x7e) {
            return false;
        }
        if (len - i >= sizeof(begin) - 1 && memcmp(pem + i, begin, sizeof(begin) - 1) == 0) {
            begins++;
        }
        if (len - i >= sizeof(end) - 1 && memcmp(pem + i, end, sizeof(end) - 1) == 0) {
            tail = i + sizeof(end) - 1;
        }
    }
    for (i = tail; i < len; i++) {
        if (pem[i] != '\n' && pem[i] != '\r' && pem[i] != ' ') {
            return false;
        }
    }
    return begins == 1 && tail != 0;
}

static int read_der(const char *pem, size_t len, struct wedr_csr *csr)
{
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long der_len = 0;
    int err = WEDR_E_FORMAT;
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    if (!bio) {
        return WEDR_E_NOMEM;
    }
    if (PEM_read_bio(bio, &name, &header, &der, &der_len) == 1 && der_len > 0 &&
        strcmp(name, PEM_STRING_X509_REQ) == 0 && header[0] == '\0') {
        const unsigned char *p = der;
        csr->req = d2i_X509_REQ(NULL, &p, der_len);
        csr->der = csr->req && p == der + der_len
                       ? (uint8_t *)wedr_strndup((const char *)der, (size_t)der_len)
                       : NULL;
        csr->der_len = (size_t)der_len;
        err = csr->der ? WEDR_OK : WEDR_E_FORMAT;
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(der);
    BIO_free(bio);
    return err;
}

int wedr_csr_parse(const char *pem, size_t len, struct wedr_csr **ret, struct wedr_errinfo *ei)
{
    if (len == 0 || len > WEDR_CSR_PEM_MAX || !only_one_block(pem, len)) {
        return wedr_fail(ei, WEDR_E_FORMAT,
                         "csr_pem is not one CERTIFICATE REQUEST block of at most %u bytes",
                         WEDR_CSR_PEM_MAX);
    }
    struct wedr_csr *csr = wedr_alloc(1, sizeof(*csr));
    if (!csr) {
        return WEDR_E_NOMEM;
    }
    int err = read_der(pem, len, csr);
    if (err != WEDR_OK) {
        (void)wedr_fail(ei, err, "csr_pem does not hold a PKCS#10 request");
        goto out;
    }
    csr->key = X509_REQ_get_pubkey(csr->req);
    if (!key_is_p256(csr->key)) {
        err = wedr_fail(ei, WEDR_E_UNSUP, "the key of the request is not EC P-256");
        goto out;
    }
    if (X509_REQ_verify(csr->req, csr->key) != 1) {
        err = wedr_fail(ei, WEDR_E_AUTH, "the request is not signed with its own key");
        goto out;
    }
    *ret = csr;
    csr = NULL;
out:
    ERR_clear_error();
    wedr_csr_free(csr);
    return err;
}

void wedr_csr_free(struct wedr_csr *csr)
{
    if (csr) {
        EVP_PKEY_free(csr->key);
        X509_REQ_free(csr->req);
        wedr_free(csr->der);
        wedr_free(csr);
    }
}

const uint8_t *wedr_csr_der(const struct wedr_csr *csr, size_t *ret_len)
{
    *ret_len = csr->der_len;
    return csr->der;
}

bool wedr_csr_same_key(const struct wedr_csr *csr, const uint8_t *cert_der, size_t cert_len)
{
    const unsigned char *p = cert_der;
    X509 *cert = d2i_X509(NULL, &p, (long)cert_len);
    bool same = cert && EVP_PKEY_eq(X509_get0_pubkey(cert), csr->key) == 1;
    X509_free(cert);
    ERR_clear_error();
    return same;
}
