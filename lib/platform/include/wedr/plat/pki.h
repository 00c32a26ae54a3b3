/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/pki.h — the agent's keys: EC P-256 for TLS (OpenSSL; CNG on Windows), Ed25519 for
 * batches (libsodium). */
#pragma once

#include "core/base/attr.h"
#include "core/util/buf.h"
#include "core/util/errinfo.h"
#include <stdint.h>

#define WEDR_SIGN_PUBLIC_LEN 32
#define WEDR_SIGN_SECRET_LEN 64
#define WEDR_SIGN_LEN 64

/* A fresh P-256 key as PKCS#8 PEM into ret_key_pem (a secret: wipe). */
WEDR_MUST_USE int wedr_pki_key_new(struct wedr_buf *ret_key_pem, struct wedr_errinfo *ei);
/* PKCS#10 request of that key with subject CN = common_name; ret_csr_pem PEM, ret_csr_der the same
 * in DER. */
WEDR_MUST_USE int wedr_pki_csr_new(const char *key_pem,
                                   size_t key_len,
                                   const char *common_name,
                                   struct wedr_buf *ret_csr_pem,
                                   struct wedr_buf *ret_csr_der,
                                   struct wedr_errinfo *ei);

struct wedr_cert_info {
    char common_name[256];
    char fingerprint[65]; /* lower-case hex SHA-256 of the DER */
    int64_t not_before_us, not_after_us;
};
/* First certificate of a PEM text. */
WEDR_MUST_USE int wedr_pki_cert_info(const char *pem,
                                     size_t len,
                                     struct wedr_cert_info *ret,
                                     struct wedr_errinfo *ei);

/* That the first certificate of cert_pem carries the public key of key_pem and is signed by the
 * first one of ca_pem. WEDR_E_TLS when not. */
WEDR_MUST_USE int wedr_pki_cert_matches(const char *cert_pem,
                                        size_t cert_len,
                                        const char *key_pem,
                                        size_t key_len,
                                        const char *ca_pem,
                                        size_t ca_len);

void wedr_sign_keypair(uint8_t ret_public[WEDR_SIGN_PUBLIC_LEN],
                       uint8_t ret_secret[WEDR_SIGN_SECRET_LEN]);
void wedr_sign(const uint8_t secret[WEDR_SIGN_SECRET_LEN],
               const void *p,
               size_t n,
               uint8_t ret_sig[WEDR_SIGN_LEN]);
/* WEDR_E_AUTH when it does not match. */
WEDR_MUST_USE int wedr_sign_verify(const uint8_t public_key[WEDR_SIGN_PUBLIC_LEN],
                                   const void *p,
                                   size_t n,
                                   const uint8_t sig[WEDR_SIGN_LEN]);
