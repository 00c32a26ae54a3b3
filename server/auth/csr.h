/* SPDX-License-Identifier: Apache-2.0
 * server/auth/csr.h — fields of a checked request, for server/auth alone. */
#pragma once

#include "auth/ca.h"
#include <openssl/evp.h>
#include <openssl/x509.h>

struct wedr_csr {
    X509_REQ *req;
    EVP_PKEY *key;
    uint8_t *der; /* as received */
    size_t der_len;
};
