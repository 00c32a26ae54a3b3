/* SPDX-License-Identifier: Apache-2.0 */
#include "http/tls.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#define CHAIN_MAX 4u

struct identity {
    struct identity *before;
    gnutls_pcert_st chain[CHAIN_MAX];
    unsigned count;
    gnutls_privkey_t key;
};

static _Atomic(struct identity *) current;

static void free_identity(struct identity *i)
{
    for (unsigned k = 0; k < i->count; k++) {
        gnutls_pcert_deinit(&i->chain[k]);
    }
    if (i->key) {
        gnutls_privkey_deinit(i->key);
    }
    wedr_free(i);
}

static gnutls_datum_t datum(const char *pem)
{
    gnutls_datum_t d = {(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)};
    return d;
}

int wedr_tls_use(const char *chain_pem, const char *key_pem, struct wedr_errinfo *ei)
{
    struct identity *i = wedr_alloc(1, sizeof(*i));
    gnutls_datum_t chain = datum(chain_pem), key = datum(key_pem);
    unsigned count = CHAIN_MAX;
    if (!i) {
        return WEDR_E_NOMEM;
    }
    int rc = gnutls_pcert_list_import_x509_raw(i->chain, &count, &chain, GNUTLS_X509_FMT_PEM, 0);
    if (rc >= 0) {
        i->count = count;
        rc = gnutls_privkey_init(&i->key);
    }
    if (rc >= 0) {
        rc = gnutls_privkey_import_x509_raw(i->key, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
    }
    if (rc < 0) {
        free_identity(i);
        return wedr_fail(ei, WEDR_E_TLS, "the server's certificate cannot be used: %s",
                         gnutls_strerror(rc));
    }
    i->before = atomic_load(&current);
    atomic_store(&current, i);
    return WEDR_OK;
}

void wedr_tls_forget(void)
{
    struct identity *i = atomic_exchange(&current, NULL);
    while (i) {
        struct identity *before = i->before;
        free_identity(i);
        i = before;
    }
}

int wedr_tls_certificate(gnutls_session_t session,
                         const gnutls_datum_t *req_ca_dn,
                         int req_count,
                         const gnutls_pk_algorithm_t *algorithms,
                         int algorithm_count,
                         gnutls_pcert_st **ret_chain,
                         unsigned int *ret_len,
                         gnutls_privkey_t *ret_key)
{
    struct identity *i = atomic_load(&current);
    (void)session;
    (void)req_ca_dn;
    (void)req_count;
    (void)algorithms;
    (void)algorithm_count;
    if (!i) {
        return -1;
    }
    *ret_chain = i->chain;
    *ret_len = i->count;
    *ret_key = i->key;
    return 0;
}
