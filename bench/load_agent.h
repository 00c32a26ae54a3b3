/* SPDX-License-Identifier: Apache-2.0
 * bench/load_agent.h — agents for the server's benchmarks: enrolled as real ones are, each with a
 * key, a certificate and a signing key of its own, and whole requests that are made before the
 * clock runs. */
#pragma once

#include "load_body.h"
#include "wedr/plat/pki.h"
#include "wedr/wire/batch.h"
#include <stddef.h>
#include <stdint.h>

struct load_agent {
    char id[WEDR_AGENT_ID_TEXT];
    uint8_t raw[WEDR_AGENT_ID_LEN];
    uint8_t sign_public[WEDR_SIGN_PUBLIC_LEN], sign_secret[WEDR_SIGN_SECRET_LEN];
    char *cert_pem, *key_pem;
};

/* ret: count agents. Dies when one is refused. */
void load_enroll(
    const char *url, const char *ca_pem, const char *token, struct load_agent *ret, size_t count);
/* The head of the request that carries b, signed by a, without the body. Static for the next call;
 * its length into ret_len. */
const char *load_head(const struct load_agent *a, const struct load_body *b, size_t *ret_len);
