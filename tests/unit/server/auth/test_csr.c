/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/ca.h"
#include "core/base/err.h"
#include "wedr/plat/pki.h"
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct made {
    char pem[WEDR_CSR_PEM_MAX * 4];
    size_t len;
};

static EVP_PKEY *new_key(const char *kind)
{
    if (strcmp(kind, "RSA") == 0) {
        return EVP_RSA_gen(2048);
    }
    if (strcmp(kind, "ED25519") == 0) {
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }
    return EVP_EC_gen(kind);
}

/* A request of that key; `signer` NULL: its own. */
static void make(const char *kind, EVP_PKEY *signer, const char *cn, struct made *ret)
{
    EVP_PKEY *key = new_key(kind);
    X509_REQ *r = X509_REQ_new();
    BIO *bio = BIO_new(BIO_s_mem());
    char *p = NULL;
    assert_non_null(key);
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(r), "CN", MBSTRING_UTF8,
                                                (const unsigned char *)cn, -1, -1, 0),
                     1);
    assert_int_equal(X509_REQ_set_pubkey(r, key), 1);
    EVP_PKEY *with = signer ? signer : key;
    const EVP_MD *md = EVP_PKEY_get_base_id(with) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
    assert_true(X509_REQ_sign(r, with, md) > 0);
    assert_int_equal(PEM_write_bio_X509_REQ(bio, r), 1);
    ret->len = (size_t)BIO_get_mem_data(bio, &p);
    assert_true(ret->len < sizeof(ret->pem));
    memcpy(ret->pem, p, ret->len);
    ret->pem[ret->len] = '\0';
    BIO_free(bio);
    X509_REQ_free(r);
    EVP_PKEY_free(key);
}

static int parse(const char *pem, size_t len)
{
    struct wedr_csr *csr = NULL;
    struct wedr_errinfo ei = {""};
    int err = wedr_csr_parse(pem, len, &csr, &ei);
    assert_true((err == WEDR_OK) == (csr != NULL));
    assert_true((err == WEDR_OK) == (ei.text[0] == '\0'));
    wedr_csr_free(csr);
    return err;
}

static void a_request_of_the_platforms_own_making_is_accepted(void **state)
{
    struct wedr_buf key, pem, der;
    struct wedr_csr *csr = NULL;
    size_t n = 0;
    (void)state;
    wedr_buf_init(&key, 65536);
    wedr_buf_init(&pem, 65536);
    wedr_buf_init(&der, 65536);
    assert_int_equal(wedr_pki_key_new(&key, NULL), WEDR_OK);
    assert_int_equal(wedr_pki_csr_new((const char *)key.p, key.len, "x", &pem, &der, NULL),
                     WEDR_OK);
    assert_int_equal(wedr_csr_parse((const char *)pem.p, pem.len, &csr, NULL), WEDR_OK);
    const uint8_t *p = wedr_csr_der(csr, &n);
    assert_int_equal(n, der.len);
    assert_memory_equal(p, der.p, n);
    wedr_csr_free(csr);
    wedr_buf_fini(&key);
    wedr_buf_fini(&pem);
    wedr_buf_fini(&der);
}

static void only_p256_keys_are_accepted(void **state)
{
    static const char *const others[] = {"P-384", "P-521", "secp256k1", "P-224", "RSA", "ED25519"};
    struct made m;
    (void)state;
    make("P-256", NULL, "x", &m);
    assert_int_equal(parse(m.pem, m.len), WEDR_OK);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(others); i++) {
        make(others[i], NULL, "x", &m);
        assert_int_equal(parse(m.pem, m.len), WEDR_E_UNSUP);
    }
}

static void a_request_signed_by_somebody_else_is_refused(void **state)
{
    struct made m;
    EVP_PKEY *other = EVP_EC_gen("P-256");
    (void)state;
    make("P-256", other, "x", &m);
    assert_int_equal(parse(m.pem, m.len), WEDR_E_AUTH);
    EVP_PKEY_free(other);
}

static void text_around_or_instead_of_one_block_is_refused(void **state)
{
    struct made m, twice;
    (void)state;
    make("P-256", NULL, "x", &m);
    twice.len = (size_t)snprintf(twice.pem, sizeof(twice.pem), "%s%s", m.pem, m.pem);
    assert_int_equal(parse(twice.pem, twice.len), WEDR_E_FORMAT);
    twice.len = (size_t)snprintf(twice.pem, sizeof(twice.pem), "hello\n%s", m.pem);
    assert_int_equal(parse(twice.pem, twice.len), WEDR_E_FORMAT);
    twice.len = (size_t)snprintf(twice.pem, sizeof(twice.pem), "%sbye\n", m.pem);
    assert_int_equal(parse(twice.pem, twice.len), WEDR_E_FORMAT);
    assert_int_equal(parse("", 0), WEDR_E_FORMAT);
    assert_int_equal(parse(m.pem, m.len + 1), WEDR_E_FORMAT); /* the NUL */
    static const char cert[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_int_equal(parse(cert, sizeof(cert) - 1), WEDR_E_FORMAT);
    static const char empty[] =
        "-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n";
    assert_int_equal(parse(empty, sizeof(empty) - 1), WEDR_E_FORMAT);
    memset(twice.pem, 'A', sizeof(twice.pem));
    assert_int_equal(parse(twice.pem, sizeof(twice.pem)), WEDR_E_FORMAT);
}

static void every_cut_and_every_flipped_byte_is_refused(void **state)
{
    struct made m;
    (void)state;
    make("P-256", NULL, "x", &m);
    for (size_t n = 0; n + 1 < m.len; n++) {
        assert_int_not_equal(parse(m.pem, n), WEDR_OK);
    }
    for (size_t i = 40; i + 40 < m.len; i++) {
        char was = m.pem[i];
        if (was == '\n') {
            continue;
        }
        m.pem[i] = was == 'A' ? 'B' : 'A';
        assert_int_not_equal(parse(m.pem, m.len), WEDR_OK);
        m.pem[i] = was;
    }
}

struct folder {
    char path[64];
    struct wedr_ca *ca;
};

static void open_ca(struct folder *f)
{
    (void)snprintf(f->path, sizeof(f->path), "/tmp/wedr-ca.XXXXXX");
    assert_non_null(mkdtemp(f->path));
    assert_int_equal(wedr_ca_open(f->path, &f->ca, NULL), WEDR_OK);
}

static void close_ca(struct folder *f)
{
    char command[128];
    wedr_ca_close(f->ca);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", f->path);
    assert_int_equal(system(command), 0);
}

static void a_signed_certificate_takes_nothing_but_the_key(void **state)
{
    struct folder f;
    struct made m;
    struct wedr_csr *csr = NULL, *stranger = NULL;
    struct wedr_buf pem;
    struct wedr_cert_info info;
    char fingerprint[65];
    const int64_t now = 1800000000LL * 1000000;
    (void)state;
    open_ca(&f);
    wedr_buf_init(&pem, 65536);
    make("P-256", NULL, "somebody-else", &m);
    assert_int_equal(wedr_csr_parse(m.pem, m.len, &csr, NULL), WEDR_OK);
    make("P-256", NULL, "x", &m);
    assert_int_equal(wedr_csr_parse(m.pem, m.len, &stranger, NULL), WEDR_OK);
    assert_int_equal(wedr_ca_sign_agent(f.ca, csr, "the-agent", now, &pem, fingerprint, NULL),
                     WEDR_OK);
    assert_int_equal(wedr_pki_cert_info((const char *)pem.p, pem.len, &info, NULL), WEDR_OK);
    assert_string_equal(info.common_name, "the-agent");
    assert_string_equal(info.fingerprint, fingerprint);
    assert_true(info.not_after_us - now <= 90LL * 86400 * 1000000);
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    X509 *c = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    unsigned char *der = NULL;
    int n = i2d_X509(c, &der);
    assert_true(wedr_csr_same_key(csr, der, (size_t)n));
    assert_false(wedr_csr_same_key(stranger, der, (size_t)n));
    assert_false(wedr_csr_same_key(csr, (const uint8_t *)"junk", 4));
    OPENSSL_free(der);
    X509_free(c);
    BIO_free(bio);
    wedr_csr_free(csr);
    wedr_csr_free(stranger);
    wedr_buf_fini(&pem);
    close_ca(&f);
}

static void the_ca_is_made_once_and_the_server_certificate_when_needed(void **state)
{
    struct folder f;
    struct wedr_ca *again = NULL;
    struct wedr_buf chain, key;
    bool is_new = false;
    const int64_t now = 1800000000LL * 1000000, day = 86400LL * 1000000;
    const struct {
        const char *names;
        int64_t now_us;
        bool is_new;
    } steps[] = {
        {"localhost\0"
         "127.0.0.1\0",
         now, true},
        {"127.0.0.1\0"
         "localhost\0",
         now, false},
        {"localhost\0"
         "127.0.0.1\0"
         "::1\0",
         now, true},
        {"localhost\0"
         "127.0.0.1\0"
         "::1\0",
         now + 300 * day, false},
        {"localhost\0"
         "127.0.0.1\0"
         "::1\0",
         now + 370 * day, true},
        {"localhost\0", now + 370 * day, true},
    };
    (void)state;
    open_ca(&f);
    assert_int_equal(wedr_ca_open(f.path, &again, NULL), WEDR_OK);
    assert_string_equal(wedr_ca_fingerprint(f.ca), wedr_ca_fingerprint(again));
    wedr_ca_close(again);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(steps); i++) {
        wedr_buf_init(&chain, 65536);
        wedr_buf_init(&key, 65536);
        assert_int_equal(
            wedr_ca_server_cert(f.ca, steps[i].names, steps[i].now_us, &chain, &key, &is_new, NULL),
            WEDR_OK);
        assert_int_equal(is_new, steps[i].is_new);
        assert_non_null(strstr((const char *)chain.p, wedr_ca_pem(f.ca)));
        wedr_buf_fini(&chain);
        wedr_buf_fini(&key);
    }
    close_ca(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_of_the_platforms_own_making_is_accepted),
        cmocka_unit_test(only_p256_keys_are_accepted),
        cmocka_unit_test(a_request_signed_by_somebody_else_is_refused),
        cmocka_unit_test(text_around_or_instead_of_one_block_is_refused),
        cmocka_unit_test(every_cut_and_every_flipped_byte_is_refused),
        cmocka_unit_test(a_signed_certificate_takes_nothing_but_the_key),
        cmocka_unit_test(the_ca_is_made_once_and_the_server_certificate_when_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
