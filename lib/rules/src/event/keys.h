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

struct wedr_key_id {
    uint64_t bytes[WEDR_KEY_MAX / 8]; /* zeroes behind the key */
    uint32_t path, len;               /* path of the object that it stands in; NONE: a free slot */
};

struct wedr_key {
    struct wedr_key_id id;
    uint32_t source; /* of its value in the field map, or WEDR_IR_NONE */
    uint32_t child;  /* path of an object that is its value */
    uint32_t skip;   /* of such an object, as its frame has it; NONE: not asked yet */
    uint16_t pairs;  /* the same */
    bool paired;     /* a dotted pair may look for its value */
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

/* The key at s, of which WEDR_KEY_MAX bytes can be read. */
static inline struct wedr_key_id wedr_key_id(uint32_t path, const char *s, uint32_t len)
{
    struct wedr_key_id k = {
        {wedr_key_word(s, len, 0), wedr_key_word(s, len, 8), wedr_key_word(s, len, 16)}, path, len};
    return k;
}

/* The first of its two slots. */
static inline struct wedr_key *wedr_keys_slots(struct wedr_keys *k, const struct wedr_key_id *key)
{
    uint64_t h =
        (key->bytes[0] ^ ((uint64_t)key->path << 8 ^ key->len)) * UINT64_C(0x9E3779B97F4A7C15) +
        key->bytes[1] * UINT64_C(0xBF58476D1CE4E5B9) + key->bytes[2] * UINT64_C(0x94D049BB133111EB);
    h ^= h >> 32;
    return &k->slots[h * UINT64_C(0xD6E8FEB86659FD93) >> (64 - WEDR_KEYS_BITS) & ~UINT64_C(1)];
}

static inline bool wedr_key_same(const struct wedr_key_id *a, const struct wedr_key_id *b)
{
    return a->bytes[0] == b->bytes[0] && a->bytes[1] == b->bytes[1] && a->bytes[2] == b->bytes[2] &&
           a->path == b->path && a->len == b->len;
}

/* Which of its two slots has the key, or NULL. */
static inline struct wedr_key *wedr_keys_in(struct wedr_key *slots, const struct wedr_key_id *id)
{
    return wedr_key_same(&slots[0].id, id)   ? &slots[0]
           : wedr_key_same(&slots[1].id, id) ? &slots[1]
                                             : NULL;
}

/* Remembers a key; of its two slots the one that was filled before is lost. */
static inline struct wedr_key *wedr_keys_put(struct wedr_key *slots, const struct wedr_key *key)
{
    slots[1] = slots[0];
    slots[0] = *key;
    return &slots[0];
}
