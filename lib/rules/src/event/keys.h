/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/keys.h — what the keys of JSON documents stand for, remembered from one document
 * to the next. A log has a few hundred different keys; putting a dotted name together, stripping
 * its prefix and hashing it is only done for those not met lately. One for each event, not
 * thread-safe. */
#pragma once

#include "ir/ruleset.h"
#include <string.h>

#define WEDR_KEYS_BITS 10u
#define WEDR_KEY_MAX 24u            /* bytes of a key that is remembered */
#define WEDR_KEYS_ROOT 0u           /* path of the document */
#define WEDR_KEYS_NONE WEDR_IR_NONE /* path below which nothing is remembered */

struct wedr_key {
    uint64_t bytes[WEDR_KEY_MAX / 8]; /* zeroes behind the key */
    uint32_t path, len;               /* path of the object that it stands in; NONE: a free slot */
    uint32_t source;                  /* of its value in the field map, or WEDR_IR_NONE */
    uint32_t child;                   /* path of an object that is its value */
    uint32_t skip, pairs; /* of such an object, as its frame has them; skip NONE: not asked yet */
};

struct wedr_keys {
    uint64_t map;  /* serial of the field map that the sources are of */
    uint32_t next; /* path; each is given once */
    struct wedr_key slots[1u << WEDR_KEYS_BITS];
};

static inline void wedr_keys_begin(struct wedr_keys *k, uint64_t map)
{
    if (k->map != map || k->next >= WEDR_KEYS_NONE - 1) {
        memset(k->slots, 0xFF, sizeof(k->slots));
        k->map = map;
        k->next = WEDR_KEYS_ROOT + 1;
    }
}

/* Eight bytes of a key of len bytes at s, those from `at` on; zeroes behind the key. */
static inline uint64_t wedr_key_word(const char *s, uint32_t len, uint32_t at)
{
    static const uint64_t masks[2 * WEDR_KEY_MAX / 8] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
    uint64_t w;
    uint64_t mask;
    memcpy(&w, s + at, sizeof(w));
    memcpy(&mask, (const char *)masks + WEDR_KEY_MAX - len + at, sizeof(mask));
    return w & mask;
}

/* The slot of the key at s, of which WEDR_KEY_MAX bytes can be read; its bytes and path are set in
 * *ret_key. */
static inline struct wedr_key *wedr_keys_slot(
    struct wedr_keys *k, uint32_t path, const char *s, uint32_t len, struct wedr_key *ret_key)
{
    uint64_t h = (uint64_t)path << 8 ^ len;
    for (uint32_t i = 0; i < WEDR_KEY_MAX / 8; i++) {
        ret_key->bytes[i] = wedr_key_word(s, len, i * 8);
        h = (h ^ ret_key->bytes[i]) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 29;
    }
    ret_key->path = path;
    ret_key->len = len;
    return &k->slots[h >> (64 - WEDR_KEYS_BITS)];
}

static inline bool wedr_key_same(const struct wedr_key *a, const struct wedr_key *b)
{
    return a->path == b->path && a->len == b->len && a->bytes[0] == b->bytes[0] &&
           a->bytes[1] == b->bytes[1] && a->bytes[2] == b->bytes[2];
}
