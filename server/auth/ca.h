/* SPDX-License-Identifier: Apache-2.0
 *
 * server/auth/ca.h — the server's own certificate authority (EC P-256): made at first start, signs
 * the server's certificate and those of agents. Files below <data>/pki: ca.key (0600), ca.pem,
 * server.pem (key and certificate, 0600). Thread-safe after open.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/buf.h"
#include "core/util/errinfo.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_CA_DAYS 3650u
#define WEDR_SERVER_CERT_DAYS 397u
#define WEDR_AGENT_CERT_DAYS 90u
#define WEDR_CSR_PEM_MAX 16384u

struct wedr_ca;
struct wedr_csr;

/* Opens the authority of the data folder, which must exist; makes it when the folder is fresh. Safe
 * when several processes do it at once. */
WEDR_MUST_USE int wedr_ca_open(const char *data_dir, struct wedr_ca **ret, struct wedr_errinfo *ei);
void wedr_ca_close(struct wedr_ca *ca); /* NULL is allowed */
/* Lower-case hex SHA-256 of the certificate's DER. Borrowed. */
const char *wedr_ca_fingerprint(const struct wedr_ca *ca);
const char *wedr_ca_pem(const struct wedr_ca *ca); /* borrowed */

/* The server's certificate for these names (host names and addresses, NUL-terminated one after
 * another, an empty one ends the list): the stored one when it names exactly these, is signed by
 * this CA and lives for 30 more days, else a new one. ret_chain_pem: server certificate, then the
 * CA; ret_key_pem is a secret. *ret_new tells which. */
WEDR_MUST_USE int wedr_ca_server_cert(struct wedr_ca *ca,
                                      const char *names,
                                      int64_t now_us,
                                      struct wedr_buf *ret_chain_pem,
                                      struct wedr_buf *ret_key_pem,
                                      bool *ret_new,
                                      struct wedr_errinfo *ei);

/* A PKCS#10 request: exactly one PEM block of at most WEDR_CSR_PEM_MAX bytes, DER without anything
 * behind it, key EC P-256 by name, signed with that key. Subject, attributes and extensions are
 * never looked at. WEDR_E_FORMAT, _AUTH (signature), _UNSUP (other key). */
WEDR_MUST_USE int
wedr_csr_parse(const char *pem, size_t len, struct wedr_csr **ret, struct wedr_errinfo *ei);
void wedr_csr_free(struct wedr_csr *csr); /* NULL is allowed */
/* The request's DER, as received. */
const uint8_t *wedr_csr_der(const struct wedr_csr *csr, size_t *ret_len);
/* True when the certificate (DER) carries the request's public key. */
bool wedr_csr_same_key(const struct wedr_csr *csr, const uint8_t *cert_der, size_t cert_len);
/* Signs a client certificate (CN = agent_id, clientAuth) for the request's key. ret_pem is appended
 * to. */
WEDR_MUST_USE int wedr_ca_sign_agent(struct wedr_ca *ca,
                                     const struct wedr_csr *csr,
                                     const char *agent_id,
                                     int64_t now_us,
                                     struct wedr_buf *ret_pem,
                                     char ret_fingerprint[65],
                                     struct wedr_errinfo *ei);
