/* SPDX-License-Identifier: Apache-2.0
 * server/http/tls.h — the certificate that new handshakes present. GnuTLS gives the callback
 * nothing of ours, so it is one per process. Thread-safe. */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>

#define WEDR_TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* chain_pem: certificate, then its CA, which is sent too. The one before stays for handshakes under
 * way. */
WEDR_MUST_USE int wedr_tls_use(const char *chain_pem, const char *key_pem, struct wedr_errinfo *ei);
/* Frees all of them; no handshake may be under way. */
void wedr_tls_forget(void);
int wedr_tls_certificate(gnutls_session_t session,
                         const gnutls_datum_t *req_ca_dn,
                         int req_count,
                         const gnutls_pk_algorithm_t *algorithms,
                         int algorithm_count,
                         gnutls_pcert_st **ret_chain,
                         unsigned int *ret_len,
                         gnutls_privkey_t *ret_key);
