/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/token_set.h — the set of 64-bit hashes that a filter is made of. Where a hash has
 * its place nobody can tell who does not know the set's random number: hashes that were chosen to
 * fall together do not. Two hashes that differ in the lowest two bits alone are taken for one.
 */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_TOKEN_KEY 1u   /* listed: goes into the filter */
#define WEDR_TOKEN_VALUE 2u /* of a value that was taken in whole */
#define WEDR_TOKEN_MARKS 3u

struct wedr_token_set {
    uint64_t *slot; /* hash without its lowest two bits, marks in their place; 0: free */
    uint64_t *key;  /* hashes with WEDR_TOKEN_KEY, whole, in the order in which they came */
    size_t cap;     /* slots, a power of two; at most half are taken */
    size_t count, keys;
    unsigned shift; /* 64 less the bits of a place */
    uint64_t spread;
    bool failed; /* sticky: out of memory, or over the limit */
};

/* hint: hashes that may come; it grows. False when out of memory. */
WEDR_MUST_USE bool wedr_token_set_init(struct wedr_token_set *s, size_t hint);
void wedr_token_set_fini(struct wedr_token_set *s);
/* Doubles the places; false, and failed, when that cannot be. */
bool wedr_token_set_grow(struct wedr_token_set *s);

/* Of a hash without its lowest two bits: its place, or the free one where it belongs. */
static inline uint64_t *wedr_token_set_place(const struct wedr_token_set *s, uint64_t h)
{
    size_t k = (size_t)((h * s->spread) >> s->shift);
    while (s->slot[k] != 0 && (s->slot[k] & ~(uint64_t)WEDR_TOKEN_MARKS) != h) {
        k = (k + 1) & (s->cap - 1);
    }
    return &s->slot[k];
}

/* The hash's place, with its marks or, new, without any: the caller sets one at once. Valid until
 * the next call. NULL when the set failed. */
static inline uint64_t *wedr_token_set_at(struct wedr_token_set *s, uint64_t hash)
{
    uint64_t h = hash & ~(uint64_t)WEDR_TOKEN_MARKS;
    if (s->count * 2 >= s->cap && !wedr_token_set_grow(s)) {
        return NULL;
    }
    uint64_t *at = wedr_token_set_place(s, h);
    if (*at == 0) {
        *at = h;
        s->count++;
    }
    return at;
}

/* Lists the hash of this place, if it was not. */
static inline void wedr_token_set_list(struct wedr_token_set *s, uint64_t *at, uint64_t hash)
{
    if ((*at & WEDR_TOKEN_KEY) == 0) {
        *at |= WEDR_TOKEN_KEY;
        s->key[s->keys++] = hash == 0 ? 1 : hash;
    }
}

static inline void wedr_token_set_add_key(struct wedr_token_set *s, uint64_t hash)
{
    uint64_t *at = wedr_token_set_at(s, hash);
    if (at != NULL) {
        wedr_token_set_list(s, at, hash);
    }
}
