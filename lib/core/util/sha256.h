/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/sha256.h — SHA-256 and hex, over libsodium. */
#pragma once

#include "core/base/attr.h"
#include <stddef.h>
#include <stdint.h>

#define WEDR_SHA256_LEN 32
#define WEDR_SHA256_HEX 64

struct wedr_sha256_state {
    uint64_t opaque[16];
};
/* In parts. */
void wedr_sha256_begin(struct wedr_sha256_state *s);
void wedr_sha256_add(struct wedr_sha256_state *s, const void *p, size_t n);
void wedr_sha256_end(struct wedr_sha256_state *s, uint8_t ret_digest[WEDR_SHA256_LEN]);
/* A short hash that nobody can aim at who does not know the key. */
#define WEDR_HASH_KEY_LEN 16
uint64_t wedr_hash64(const uint8_t key[WEDR_HASH_KEY_LEN], const void *p, size_t n);
void wedr_sha256(const void *p, size_t n, uint8_t ret_digest[WEDR_SHA256_LEN]);
/* Lower-case hex with NUL: ret_hex has room for 2 * n + 1. */
void wedr_hex(const void *p, size_t n, char *ret_hex);
/* Exactly 2 * n hex digits, either case, into n bytes. WEDR_E_FORMAT otherwise; ret untouched. */
WEDR_MUST_USE int wedr_unhex(const char *hex, size_t hex_len, void *ret, size_t n);
/* Base64 with padding, of at most cap bytes, into ret. WEDR_E_FORMAT otherwise. */
WEDR_MUST_USE int
wedr_unbase64(const char *text, size_t text_len, void *ret, size_t cap, size_t *ret_len);
/* A digest as a person copies it: 64 hex digits, either case, also with colons between the bytes,
 * into lower case without. WEDR_E_FORMAT. */
WEDR_MUST_USE int wedr_fingerprint_parse(const char *text, char ret_hex[WEDR_SHA256_HEX + 1]);
/* Cryptographically secure random bytes. */
void wedr_random(void *p, size_t n);
