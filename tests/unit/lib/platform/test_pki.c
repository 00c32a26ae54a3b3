/* SPDX-License-Identifier: Apache-2.0 */
#include "plat_test.h"

#include "tls_server.h"
#include "wedr/plat/pki.h"
#include "wedr/plat/time.h"
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>

static struct wedr_buf key, pem, der;
static struct wedr_errinfo ei;

static int setup(void **state)
{
    (void)state;
    wedr_buf_init(&key, 4096);
    wedr_buf_init(&pem, 4096);
    wedr_buf_init(&der, 4096);
    ei.text[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wedr_buf_fini(&key);
    wedr_buf_fini(&pem);
    wedr_buf_fini(&der);
    return 0;
}

static void a_new_key_is_a_p256_key_and_never_the_same(void **state)
{
    char curve[32] = "";
    size_t n = 0;
    struct wedr_buf second;
    (void)state;
    assert_int_equal(wedr_pki_key_new(&key, &ei), 0);
    assert_memory_equal(key.p, "-----BEGIN PRIVATE KEY-----", 27);
    BIO *bio = BIO_new_mem_buf(key.p, (int)key.len);
    EVP_PKEY *k = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    assert_non_null(k);
    assert_int_equal(EVP_PKEY_get_group_name(k, curve, sizeof(curve), &n), 1);
    assert_string_equal(curve, SN_X9_62_prime256v1);
    EVP_PKEY_free(k);
    BIO_free(bio);
    wedr_buf_init(&second, 4096);
    assert_int_equal(wedr_pki_key_new(&second, &ei), 0);
    assert_true(second.len != key.len || memcmp(second.p, key.p, key.len) != 0);
    wedr_buf_fini(&second);
}

static void a_request_carries_name_and_key_and_is_signed_by_it(void **state)
{
    char cn[64] = "";
    (void)state;
    assert_int_equal(wedr_pki_key_new(&key, &ei), 0);
    assert_int_equal(wedr_pki_csr_new((const char *)key.p, key.len, "host-1", &pem, &der, &ei), 0);
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.len);
    X509_REQ *rq = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    assert_non_null(rq);
    assert_int_equal(X509_REQ_verify(rq, X509_REQ_get0_pubkey(rq)), 1);
    assert_int_equal(
        X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(rq), NID_commonName, cn, sizeof(cn)),
        6);
    assert_string_equal(cn, "host-1");
    unsigned char *again = NULL;
    int n = i2d_X509_REQ(rq, &again);
    assert_int_equal(n, der.len);
    assert_memory_equal(again, der.p, der.len);
    OPENSSL_free(again);
    X509_REQ_free(rq);
    BIO_free(bio);
}

static void a_request_of_a_bad_key_or_name_fails_with_a_reason(void **state)
{
    static const char encrypted[] =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    char longest[300];
    (void)state;
    assert_int_equal(wedr_pki_csr_new("no key", 6, "x", &pem, &der, &ei), WEDR_E_FORMAT);
    assert_int_not_equal(ei.text[0], '\0');
    assert_int_equal(wedr_pki_csr_new(NULL, 0, "x", &pem, &der, &ei), WEDR_E_FORMAT);
    assert_int_equal(wedr_pki_csr_new(encrypted, sizeof(encrypted) - 1, "x", &pem, &der, &ei),
                     WEDR_E_FORMAT);
    assert_int_equal(wedr_pki_key_new(&key, &ei), 0);
    memset(longest, 'n', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(wedr_pki_csr_new((const char *)key.p, key.len, longest, &pem, &der, &ei),
                     WEDR_E_TLS);
    assert_int_equal(pem.len, 0);
    struct wedr_buf small;
    wedr_buf_init(&small, 10);
    assert_int_equal(wedr_pki_key_new(&small, &ei), WEDR_E_LIMIT);
    wedr_buf_fini(&small);
}

static void a_certificate_is_described(void **state)
{
    struct test_cert c;
    struct wedr_cert_info info;
    (void)state;
    test_cert_make(&c, "agent-7", NULL, NULL, 7200);
    assert_int_equal(wedr_pki_cert_info(c.cert_pem, strlen(c.cert_pem), &info, &ei), 0);
    assert_string_equal(info.common_name, "agent-7");
    assert_string_equal(info.fingerprint, c.sha256);
    int64_t now = wedr_time_utc_us();
    assert_in_range(now - info.not_before_us, 3595000000, 3700000000);
    assert_in_range(info.not_after_us - now, 3500000000, 3601000000);
    struct wedr_cert_info untouched = info;
    assert_int_equal(wedr_pki_cert_info("rubbish", 7, &info, &ei), WEDR_E_FORMAT);
    assert_int_equal(wedr_pki_cert_info("", 0, &info, &ei), WEDR_E_FORMAT);
    assert_int_equal(wedr_pki_cert_info(c.cert_pem, strlen(c.cert_pem) / 2, &info, NULL),
                     WEDR_E_FORMAT);
    assert_memory_equal(&info, &untouched, sizeof(info));
    test_cert_free(&c);
}

static void a_name_with_a_nul_inside_is_refused(void **state)
{
    struct test_cert c;
    struct wedr_cert_info info;
    char *text = NULL;
    (void)state;
    test_cert_make(&c, "x", NULL, NULL, 7200);
    X509_NAME *name = X509_NAME_new();
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", V_ASN1_UTF8STRING,
                                                (const unsigned char *)"root\0evil", 9, -1, 0),
                     1);
    assert_int_equal(X509_set_subject_name(c.cert, name), 1);
    assert_true(X509_sign(c.cert, c.key, EVP_sha256()) > 0);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, c.cert), 1);
    long n = BIO_get_mem_data(bio, &text);
    assert_int_equal(wedr_pki_cert_info(text, (size_t)n, &info, &ei), WEDR_E_FORMAT);
    BIO_free(bio);
    X509_NAME_free(name);
    test_cert_free(&c);
}

static int
matches(const struct test_cert *cert, const struct test_cert *key_of, const struct test_cert *ca)
{
    return wedr_pki_cert_matches(cert->cert_pem, strlen(cert->cert_pem), key_of->key_pem,
                                 strlen(key_of->key_pem), ca->cert_pem, strlen(ca->cert_pem));
}

static void a_certificate_matches_only_its_key_and_its_ca(void **state)
{
    struct test_cert ca, other_ca, leaf, other_leaf;
    (void)state;
    test_cert_make(&ca, "CA", NULL, NULL, 7200);
    test_cert_make(&other_ca, "CA", NULL, NULL, 7200);
    test_cert_make(&leaf, "leaf", NULL, &ca, 7200);
    test_cert_make(&other_leaf, "leaf", NULL, &ca, 7200);
    assert_int_equal(matches(&leaf, &leaf, &ca), WEDR_OK);
    assert_int_equal(matches(&leaf, &other_leaf, &ca), WEDR_E_TLS);
    assert_int_equal(matches(&leaf, &leaf, &other_ca), WEDR_E_TLS);
    assert_int_equal(wedr_pki_cert_matches("x", 1, "y", 1, "z", 1), WEDR_E_TLS);
    test_cert_free(&ca);
    test_cert_free(&other_ca);
    test_cert_free(&leaf);
    test_cert_free(&other_leaf);
}

static void a_signature_holds_only_for_its_text_and_key(void **state)
{
    uint8_t public_key[WEDR_SIGN_PUBLIC_LEN];
    uint8_t other_key[WEDR_SIGN_PUBLIC_LEN];
    uint8_t secret[WEDR_SIGN_SECRET_LEN];
    uint8_t other_secret[WEDR_SIGN_SECRET_LEN];
    uint8_t sig[WEDR_SIGN_LEN];
    (void)state;
    wedr_sign_keypair(public_key, secret);
    wedr_sign_keypair(other_key, other_secret);
    wedr_sign(secret, "batch", 5, sig);
    assert_int_equal(wedr_sign_verify(public_key, "batch", 5, sig), WEDR_OK);
    assert_int_equal(wedr_sign_verify(public_key, "batcH", 5, sig), WEDR_E_AUTH);
    assert_int_equal(wedr_sign_verify(public_key, "batch", 4, sig), WEDR_E_AUTH);
    assert_int_equal(wedr_sign_verify(other_key, "batch", 5, sig), WEDR_E_AUTH);
    sig[10] ^= 1;
    assert_int_equal(wedr_sign_verify(public_key, "batch", 5, sig), WEDR_E_AUTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_key_is_a_p256_key_and_never_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_request_carries_name_and_key_and_is_signed_by_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_request_of_a_bad_key_or_name_fails_with_a_reason, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_certificate_is_described, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_with_a_nul_inside_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_certificate_matches_only_its_key_and_its_ca, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_signature_holds_only_for_its_text_and_key, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
