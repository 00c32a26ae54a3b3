/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/ca.h"
#include "auth/csr.h"
#include "auth/secret_file.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "core/util/sha256.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#define CA_MAGIC 0x57434131u
#define PEM_FILE_MAX 65536u
#define DAY_US (86400LL * 1000000LL)
#define RENEW_BEFORE_US (30 * DAY_US)
#define SAN_MAX 256u

struct wedr_ca {
    uint32_t magic;
    wedr_handle dir;
    EVP_PKEY *key;
    X509 *cert;
    struct wedr_buf pem;
    char fingerprint[WEDR_SHA256_HEX + 1];
};

static int ssl_fail(struct wedr_errinfo *ei, const char *what)
{
    unsigned long e = ERR_get_error();
    const char *reason = e ? ERR_reason_error_string(e) : NULL;
    ERR_clear_error();
    return wedr_fail(ei, WEDR_E_TLS, "%s: %s", what, reason ? reason : "OpenSSL error");
}

static int fingerprint_of(X509 *cert, char ret[WEDR_SHA256_HEX + 1])
{
    unsigned char *der = NULL;
    uint8_t digest[WEDR_SHA256_LEN];
    int n = i2d_X509(cert, &der);
    if (n <= 0) {
        return WEDR_E_TLS;
    }
    wedr_sha256(der, (size_t)n, digest);
    wedr_hex(digest, sizeof(digest), ret);
    OPENSSL_free(der);
    return WEDR_OK;
}

static int bio_to_buf(BIO *bio, struct wedr_buf *ret)
{
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    if (n <= 0) {
        return WEDR_E_NOMEM;
    }
    wedr_buf_add(ret, p, (size_t)n);
    return ret->overflow ? WEDR_E_LIMIT : WEDR_OK;
}

static int cert_to_pem(X509 *cert, struct wedr_buf *ret)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int err = bio && PEM_write_bio_X509(bio, cert) == 1 ? bio_to_buf(bio, ret) : WEDR_E_NOMEM;
    BIO_free(bio);
    return err;
}

static int key_to_pem(EVP_PKEY *key, struct wedr_buf *ret)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    int err = bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1
                  ? bio_to_buf(bio, ret)
                  : WEDR_E_NOMEM;
    BIO_free(bio);
    return err;
}

static bool add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
    bool ok = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

/* Serial, validity, subject CN and key of a new certificate; backdated by an hour for clocks that
 * disagree. */
static X509 *new_cert(const char *cn, EVP_PKEY *key, int64_t now_us, unsigned days)
{
    uint8_t serial[16];
    X509 *c = X509_new();
    BIGNUM *bn = NULL;
    time_t now = (time_t)(now_us / 1000000);
    wedr_random(serial, sizeof(serial));
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
    X509_NAME *name = c ? X509_get_subject_name(c) : NULL;
    bool ok = c && (bn = BN_bin2bn(serial, (int)sizeof(serial), NULL)) != NULL &&
              X509_set_version(c, 2) == 1 &&
              BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(c)) != NULL &&
              X509_time_adj_ex(X509_getm_notBefore(c), 0, -3600, &now) != NULL &&
              X509_time_adj_ex(X509_getm_notAfter(c), (int)days, -3600, &now) != NULL &&
              X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
                                         (const unsigned char *)"WazabiEDR", -1, -1, 0) == 1 &&
              X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1,
                                         -1, 0) == 1 &&
              X509_set_pubkey(c, key) == 1;
    BN_free(bn);
    if (!ok) {
        X509_free(c);
        return NULL;
    }
    return c;
}

static int make_ca(struct wedr_ca *ca, struct wedr_errinfo *ei)
{
    char cn[48];
    uint8_t tag[4];
    struct wedr_buf key_pem;
    int err = WEDR_OK;
    wedr_buf_init(&key_pem, PEM_FILE_MAX);
    wedr_random(tag, sizeof(tag));
    (void)snprintf(cn, sizeof(cn), "WazabiEDR CA %02x%02x%02x%02x", tag[0], tag[1], tag[2], tag[3]);
    ca->key = EVP_EC_gen("P-256");
    ca->cert = ca->key ? new_cert(cn, ca->key, wedr_time_utc_us(), WEDR_CA_DAYS) : NULL;
    if (!ca->cert || X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert)) != 1 ||
        !add_ext(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_ext(ca->cert, ca->cert, NID_key_usage, "critical,keyCertSign,cRLSign") ||
        !add_ext(ca->cert, ca->cert, NID_subject_key_identifier, "hash") ||
        X509_sign(ca->cert, ca->key, EVP_sha256()) <= 0) {
        err = ssl_fail(ei, "cannot make the CA");
        goto out;
    }
    err = key_to_pem(ca->key, &key_pem);
    if (err == WEDR_OK) {
        err = cert_to_pem(ca->cert, &ca->pem);
    }
    /* The certificate is what makes the pair valid: it comes last. */
    if (err == WEDR_OK) {
        err = wedr_fs_replace_at(ca->dir, "ca.key", key_pem.p, key_pem.len, 0600);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_replace_at(ca->dir, "ca.pem", ca->pem.p, ca->pem.len, 0644);
    }
    if (err != WEDR_OK) {
        (void)wedr_fail(ei, err, "cannot store the CA: %s", wedr_err_text(err));
    }
out:
    if (key_pem.p) {
        OPENSSL_cleanse(key_pem.p, key_pem.len);
    }
    wedr_buf_fini(&key_pem);
    return err;
}

static int read_file(wedr_handle dir, const char *name, struct wedr_buf *ret)
{
    wedr_handle f = WEDR_HANDLE_NONE;
    int err = wedr_fs_open_at(dir, name, WEDR_FS_READ, 0, &f);
    if (err == WEDR_OK) {
        err = wedr_fs_read_all(f, ret);
    }
    wedr_fs_close(f);
    return err;
}

/* ca.key, which must be the server's alone. why stays empty when it cannot be read at all. */
static int read_key(wedr_handle dir, struct wedr_buf *ret, struct wedr_errinfo *why)
{
    wedr_handle f = WEDR_HANDLE_NONE;
    int err = wedr_fs_open_at(dir, "ca.key", WEDR_FS_READ, 0, &f);
    if (err == WEDR_OK) {
        err = wedr_secret_file_check(f, "pki/ca.key", why);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_read_all(f, ret);
    }
    wedr_fs_close(f);
    return err;
}

static EVP_PKEY *pem_key(const struct wedr_buf *b)
{
    BIO *bio = b->len ? BIO_new_mem_buf(b->p, (int)b->len) : NULL;
    EVP_PKEY *k = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return k;
}

static X509 *pem_cert(const struct wedr_buf *b)
{
    BIO *bio = b->len ? BIO_new_mem_buf(b->p, (int)b->len) : NULL;
    X509 *c = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    return c;
}

static int load_ca(struct wedr_ca *ca, struct wedr_errinfo *ei)
{
    struct wedr_buf key_pem;
    struct wedr_errinfo why = {""};
    wedr_buf_init(&key_pem, PEM_FILE_MAX);
    int err = read_file(ca->dir, "ca.pem", &ca->pem);
    if (err == WEDR_E_NOENT) {
        err = make_ca(ca, ei);
        goto out;
    }
    if (err == WEDR_OK) {
        err = read_key(ca->dir, &key_pem, &why);
    }
    if (err != WEDR_OK) {
        (void)wedr_fail(ei, err, "cannot read pki/ca.pem and pki/ca.key: %s",
                        why.text[0] ? why.text : wedr_err_text(err));
        goto out;
    }
    ca->cert = pem_cert(&ca->pem);
    ca->key = pem_key(&key_pem);
    if (!ca->cert || !ca->key || X509_check_private_key(ca->cert, ca->key) != 1) {
        err = ssl_fail(ei, "pki/ca.pem and pki/ca.key do not belong together");
    }
out:
    if (key_pem.p) {
        OPENSSL_cleanse(key_pem.p, key_pem.len);
    }
    wedr_buf_fini(&key_pem);
    return err;
}

/* Holds the folder's lock so that two processes cannot both make the CA or the server's
 * certificate. */
static int lock_pki(wedr_handle dir, wedr_handle *ret_lock)
{
    wedr_handle lock = WEDR_HANDLE_NONE;
    int err =
        wedr_fs_open_at(dir, "lock", WEDR_FS_READ | WEDR_FS_WRITE | WEDR_FS_CREATE, 0600, &lock);
    if (err != WEDR_OK) {
        return err;
    }
    for (int i = 0; i < 1000; i++) {
        err = wedr_fs_lock(lock);
        if (err != WEDR_E_BUSY) {
            break;
        }
        wedr_time_sleep_ms(10);
    }
    if (err != WEDR_OK) {
        wedr_fs_close(lock);
        return err;
    }
    *ret_lock = lock;
    return WEDR_OK;
}

int wedr_ca_open(const char *data_dir, struct wedr_ca **ret, struct wedr_errinfo *ei)
{
    char path[1024];
    wedr_handle lock = WEDR_HANDLE_NONE;
    int n = snprintf(path, sizeof(path), "%s/pki", data_dir);
    if (n < 0 || (size_t)n >= sizeof(path)) {
        return wedr_fail(ei, WEDR_E_INVAL, "the data folder's name is too long");
    }
    struct wedr_ca *ca = wedr_alloc(1, sizeof(*ca));
    if (!ca) {
        return WEDR_E_NOMEM;
    }
    ca->magic = CA_MAGIC;
    ca->dir = WEDR_HANDLE_NONE;
    wedr_buf_init(&ca->pem, PEM_FILE_MAX);
    int err = wedr_fs_mkdir(path, 0700, UINT32_MAX);
    if (err == WEDR_OK) {
        err = wedr_fs_open_dir(path, &ca->dir);
    }
    if (err == WEDR_OK) {
        err = lock_pki(ca->dir, &lock);
    }
    if (err != WEDR_OK) {
        (void)wedr_fail(ei, err, "%s: %s", path, wedr_err_text(err));
        goto out;
    }
    err = load_ca(ca, ei);
    if (err == WEDR_OK) {
        err = fingerprint_of(ca->cert, ca->fingerprint);
    }
out:
    wedr_fs_close(lock);
    if (err != WEDR_OK) {
        wedr_ca_close(ca);
        return err;
    }
    *ret = ca;
    return WEDR_OK;
}

void wedr_ca_close(struct wedr_ca *ca)
{
    if (ca) {
        EVP_PKEY_free(ca->key);
        X509_free(ca->cert);
        wedr_buf_fini(&ca->pem);
        wedr_fs_close(ca->dir);
        ca->magic = 0;
        wedr_free(ca);
    }
}

const char *wedr_ca_fingerprint(const struct wedr_ca *ca)
{
    return ca->fingerprint;
}

const char *wedr_ca_pem(const struct wedr_ca *ca)
{
    return (const char *)ca->pem.p;
}

static bool sign_cert(struct wedr_ca *ca, X509 *c)
{
    return X509_set_issuer_name(c, X509_get_subject_name(ca->cert)) == 1 &&
           add_ext(c, ca->cert, NID_subject_key_identifier, "hash") &&
           add_ext(c, ca->cert, NID_authority_key_identifier, "keyid:always") &&
           X509_sign(c, ca->key, EVP_sha256()) > 0;
}

/* "DNS:a" or "IP:1.2.3.4" for one name, as an element of a GENERAL_NAMES. */
static bool add_name(GENERAL_NAMES *list, const char *name)
{
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);
    ERR_clear_error();
    if (g && ip) {
        GENERAL_NAME_set0_value(g, GEN_IPADD, ip);
    } else if (g) {
        ASN1_IA5STRING *s = ASN1_IA5STRING_new();
        if (!s || ASN1_STRING_set(s, name, -1) != 1) {
            ASN1_IA5STRING_free(s);
            GENERAL_NAME_free(g);
            return false;
        }
        GENERAL_NAME_set0_value(g, GEN_DNS, s);
    }
    if (!g || sk_GENERAL_NAME_push(list, g) <= 0) {
        GENERAL_NAME_free(g);
        return false;
    }
    return true;
}

static GENERAL_NAMES *names_of(const char *names)
{
    GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
    size_t count = 0;
    for (const char *n = names; list && *n; n += strlen(n) + 1) {
        if (count == SAN_MAX || !add_name(list, n)) {
            GENERAL_NAMES_free(list);
            return NULL;
        }
        count++;
    }
    return list;
}

static bool holds_all(GENERAL_NAMES *a, GENERAL_NAMES *b)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(b); i++) {
        bool found = false;
        for (int k = 0; k < sk_GENERAL_NAME_num(a) && !found; k++) {
            found = GENERAL_NAME_cmp(sk_GENERAL_NAME_value(a, k), sk_GENERAL_NAME_value(b, i)) == 0;
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static bool
still_good(struct wedr_ca *ca, const struct wedr_buf *file, GENERAL_NAMES *want, int64_t now_us)
{
    time_t limit = (time_t)((now_us + RENEW_BEFORE_US) / 1000000);
    time_t now = (time_t)(now_us / 1000000);
    X509 *c = pem_cert(file);
    EVP_PKEY *k = pem_key(file);
    GENERAL_NAMES *have = c ? X509_get_ext_d2i(c, NID_subject_alt_name, NULL, NULL) : NULL;
    bool good = c && k && have && X509_check_private_key(c, k) == 1 &&
                X509_verify(c, X509_get0_pubkey(ca->cert)) == 1 &&
                X509_cmp_time(X509_get0_notAfter(c), &limit) > 0 &&
                X509_cmp_time(X509_get0_notBefore(c), &now) < 0 && holds_all(have, want) &&
                holds_all(want, have);
    GENERAL_NAMES_free(have);
    X509_free(c);
    EVP_PKEY_free(k);
    ERR_clear_error();
    return good;
}

static int issue_server(struct wedr_ca *ca,
                        GENERAL_NAMES *san,
                        int64_t now_us,
                        struct wedr_buf *file,
                        struct wedr_errinfo *ei)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *c = key ? new_cert("wedr-server", key, now_us, WEDR_SERVER_CERT_DAYS) : NULL;
    int err = WEDR_OK;
    if (!c || !add_ext(c, ca->cert, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_ext(c, ca->cert, NID_key_usage, "critical,digitalSignature") ||
        !add_ext(c, ca->cert, NID_ext_key_usage, "serverAuth") ||
        X509_add1_ext_i2d(c, NID_subject_alt_name, san, 0, 0) != 1 || !sign_cert(ca, c)) {
        err = ssl_fail(ei, "cannot make the server's certificate");
        goto out;
    }
    wedr_buf_truncate(file, 0);
    err = cert_to_pem(c, file);
    if (err == WEDR_OK) {
        err = key_to_pem(key, file);
    }
    if (err == WEDR_OK) {
        err = wedr_fs_replace_at(ca->dir, "server.pem", file->p, file->len, 0600);
    }
    if (err != WEDR_OK) {
        (void)wedr_fail(ei, err, "cannot store the server's certificate: %s", wedr_err_text(err));
    }
out:
    X509_free(c);
    EVP_PKEY_free(key);
    return err;
}

int wedr_ca_server_cert(struct wedr_ca *ca,
                        const char *names,
                        int64_t now_us,
                        struct wedr_buf *ret_chain_pem,
                        struct wedr_buf *ret_key_pem,
                        bool *ret_new,
                        struct wedr_errinfo *ei)
{
    struct wedr_buf file;
    wedr_handle lock = WEDR_HANDLE_NONE;
    X509 *c = NULL;
    EVP_PKEY *k = NULL;
    WEDR_OBJ_CHECK(ca, CA_MAGIC);
    GENERAL_NAMES *san = names_of(names);
    wedr_buf_init(&file, PEM_FILE_MAX);
    int err = san && sk_GENERAL_NAME_num(san) > 0 ? lock_pki(ca->dir, &lock) : WEDR_E_INVAL;
    if (err != WEDR_OK) {
        (void)wedr_fail(ei, err, "cannot name the server in a certificate (at most %u names)",
                        SAN_MAX);
        goto out;
    }
    *ret_new =
        read_file(ca->dir, "server.pem", &file) != WEDR_OK || !still_good(ca, &file, san, now_us);
    if (*ret_new) {
        err = issue_server(ca, san, now_us, &file, ei);
    }
    if (err == WEDR_OK && (c = pem_cert(&file)) != NULL && (k = pem_key(&file)) != NULL) {
        err = cert_to_pem(c, ret_chain_pem);
        wedr_buf_add(ret_chain_pem, ca->pem.p, ca->pem.len);
        err = err == WEDR_OK ? key_to_pem(k, ret_key_pem) : err;
    }
out:
    if (file.p) {
        OPENSSL_cleanse(file.p, file.len);
    }
    wedr_buf_fini(&file);
    X509_free(c);
    EVP_PKEY_free(k);
    GENERAL_NAMES_free(san);
    wedr_fs_close(lock);
    return err;
}

int wedr_ca_sign_agent(struct wedr_ca *ca,
                       const struct wedr_csr *csr,
                       const char *agent_id,
                       int64_t now_us,
                       struct wedr_buf *ret_pem,
                       char ret_fingerprint[65],
                       struct wedr_errinfo *ei)
{
    int err;
    WEDR_OBJ_CHECK(ca, CA_MAGIC);
    X509 *c = new_cert(agent_id, csr->key, now_us, WEDR_AGENT_CERT_DAYS);
    if (!c || !add_ext(c, ca->cert, NID_basic_constraints, "critical,CA:FALSE") ||
        !add_ext(c, ca->cert, NID_key_usage, "critical,digitalSignature") ||
        !add_ext(c, ca->cert, NID_ext_key_usage, "clientAuth") || !sign_cert(ca, c)) {
        err = ssl_fail(ei, "cannot sign the agent's certificate");
    } else {
        err = fingerprint_of(c, ret_fingerprint);
        err = err == WEDR_OK ? cert_to_pem(c, ret_pem) : err;
    }
    X509_free(c);
    return err;
}
