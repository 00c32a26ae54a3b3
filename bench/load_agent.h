/* SPDX-License-Identifier: Apache-2.0
 * bench/load_agent.h — agents for the server's benchmarks: enrolled as real ones are, each with a
 * key, a certificate and a signing key of its own, and whole requests that are made before the
 * clock runs. */
#pragma once

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

/* The n-th batch of every agent: the same lines, the same bytes; what differs is in the headers. */
struct load_body {
    uint64_t first_seq;
    uint32_t count;
    uint8_t sha256[32];
    void *z;
    size_t z_len, raw_len;
};

/* Prints the two texts and ends the program with 1. */
_Noreturn void bench_die(const char *what, const char *why);
/* ret: count agents. Dies when one is refused. */
void load_enroll(
    const char *url, const char *ca_pem, const char *token, struct load_agent *ret, size_t count);
/* Process starts and exits in turn, `events` of them from first_seq on. */
void load_body_make(struct load_body *ret, uint64_t first_seq, uint32_t events);
/* The head of the request that carries b, signed by a, without the body. Static for the next call;
 * its length into ret_len. */
const char *load_head(const struct load_agent *a, const struct load_body *b, size_t *ret_len);
