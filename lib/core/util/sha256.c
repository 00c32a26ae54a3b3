/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/sha256.c */
#include "core/util/sha256.h"
#include "core/base/err.h"
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

_Static_assert(WEDR_SHA256_LEN == crypto_hash_sha256_BYTES, "digest size");

/* sodium_init may be called by several threads at once; the flag only saves its lock afterwards. */
static void start_sodium(void)
{
    static atomic_bool started;
    if (atomic_load_explicit(&started, memory_order_acquire)) {
        return;
    }
    if (sodium_init() < 0) {
        abort(); /* no random source: keys made now would be guessable */
    }
    atomic_store_explicit(&started, true, memory_order_release);
}

void wedr_sha256(const void *p, size_t n, uint8_t ret_digest[WEDR_SHA256_LEN])
{
    start_sodium();
    (void)crypto_hash_sha256(ret_digest, p, n);
}

_Static_assert(sizeof(struct wedr_sha256_state) >= sizeof(crypto_hash_sha256_state), "room");

void wedr_sha256_begin(struct wedr_sha256_state *s)
{
    start_sodium();
    (void)crypto_hash_sha256_init((crypto_hash_sha256_state *)(void *)s);
}

void wedr_sha256_add(struct wedr_sha256_state *s, const void *p, size_t n)
{
    (void)crypto_hash_sha256_update((crypto_hash_sha256_state *)(void *)s, p, n);
}

void wedr_sha256_end(struct wedr_sha256_state *s, uint8_t ret_digest[WEDR_SHA256_LEN])
{
    (void)crypto_hash_sha256_final((crypto_hash_sha256_state *)(void *)s, ret_digest);
}

_Static_assert(WEDR_HASH_KEY_LEN == crypto_shorthash_KEYBYTES, "key size");

uint64_t wedr_hash64(const uint8_t key[WEDR_HASH_KEY_LEN], const void *p, size_t n)
{
    uint64_t h = 0;
    (void)crypto_shorthash((unsigned char *)&h, p, n, key);
    return h;
}

void wedr_hex(const void *p, size_t n, char *ret_hex)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        ret_hex[2 * i] = digits[b[i] >> 4];
        ret_hex[2 * i + 1] = digits[b[i] & 15];
    }
    ret_hex[2 * n] = '\0';
}

/* Value of a digit, and 16 above it; 0: it is none. */
static const uint8_t digits[256] = {
    ['0'] = 16, ['1'] = 17, ['2'] = 18, ['3'] = 19, ['4'] = 20, ['5'] = 21, ['6'] = 22, ['7'] = 23,
    ['8'] = 24, ['9'] = 25, ['a'] = 26, ['b'] = 27, ['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31,
    ['A'] = 26, ['B'] = 27, ['C'] = 28, ['D'] = 29, ['E'] = 30, ['F'] = 31};

int wedr_unhex(const char *hex, size_t hex_len, void *ret, size_t n)
{
    const uint8_t *in = (const uint8_t *)hex;
    uint8_t all = 16, *b = ret;
    if (hex_len % 2 != 0 || hex_len / 2 != n) {
        return WEDR_E_FORMAT;
    }
    for (size_t i = 0; i < hex_len; i++) {
        all &= digits[in[i]];
    }
    if (!all) {
        return WEDR_E_FORMAT;
    }
    for (size_t i = 0; i < n; i++) {
        b[i] = (uint8_t)(digits[in[2 * i]] << 4 | (digits[in[2 * i + 1]] & 15));
    }
    return WEDR_OK;
}

int wedr_unbase64(const char *text, size_t text_len, void *ret, size_t cap, size_t *ret_len)
{
    size_t n = 0;
    const char *end = NULL;
    start_sodium();
    if (sodium_base642bin(ret, cap, text, text_len, NULL, &n, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != text + text_len) {
        return WEDR_E_FORMAT;
    }
    *ret_len = n;
    return WEDR_OK;
}

int wedr_fingerprint_parse(const char *text, char ret_hex[WEDR_SHA256_HEX + 1])
{
    char hex[WEDR_SHA256_HEX];
    uint8_t digest[WEDR_SHA256_LEN];
    size_t n = 0;
    for (const char *c = text; *c; c++) {
        if (*c == ':' && n % 2 == 0 && n > 0 && n < sizeof(hex)) {
            continue;
        }
        if (n == sizeof(hex)) {
            return WEDR_E_FORMAT;
        }
        hex[n++] = *c;
    }
    int err = wedr_unhex(hex, n, digest, sizeof(digest));
    if (err == WEDR_OK) {
        wedr_hex(digest, sizeof(digest), ret_hex);
    }
    return err;
}

void wedr_random(void *p, size_t n)
{
    start_sodium();
    randombytes_buf(p, n);
}
