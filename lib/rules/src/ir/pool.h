/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/pool.h — memory of one object with a hard cap: arrays that grow, hash tables of ids,
 * and blocks that live as long as the pool. Not thread-safe. */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_POOL_NONE UINT32_MAX

struct wedr_pool {
    size_t memory, memory_max; /* bytes */
    struct wedr_pool_chunk *chunks;
};

/* An array. */
struct wedr_vec {
    void *p;
    size_t count, cap; /* elements */
};

/* Hash -> id; the caller compares. */
struct wedr_index {
    struct wedr_index_slot {
        uint32_t hash, id_plus_1;
    } * slots;
    size_t count, cap; /* cap: a power of two */
};

#define WEDR_VEC_AT(type, vec, i) (&((type *)(vec).p)[i])

/* Gives back the blocks; arrays and tables are given back one by one before. */
void wedr_pool_fini(struct wedr_pool *pool);
/* old_size is what p held. NULL: no memory or the cap. */
void *wedr_pool_realloc(struct wedr_pool *pool, void *p, size_t old_size, size_t size);
void wedr_pool_release(struct wedr_pool *pool, void *p, size_t size);
/* A zeroed block. */
void *wedr_pool_block(struct wedr_pool *pool, size_t size, size_t align);
/* Appends n elements of `size` bytes (p NULL: zeroes). WEDR_E_NOMEM, WEDR_E_LIMIT. */
WEDR_MUST_USE int
wedr_vec_push(struct wedr_pool *pool, struct wedr_vec *v, const void *p, size_t n, size_t size);
void wedr_vec_fini(struct wedr_pool *pool, struct wedr_vec *v, size_t size);
/* Gives back what is not used. */
void wedr_vec_trim(struct wedr_pool *pool, struct wedr_vec *v, size_t size);

typedef bool wedr_index_same_fn(const void *ctx, uint32_t id);
/* The first id with that hash that `same` accepts, or WEDR_POOL_NONE. */
uint32_t wedr_index_find(const struct wedr_index *x,
                         uint32_t hash,
                         wedr_index_same_fn *same,
                         const void *ctx);
WEDR_MUST_USE int
wedr_index_add(struct wedr_pool *pool, struct wedr_index *x, uint32_t hash, uint32_t id);
void wedr_index_fini(struct wedr_pool *pool, struct wedr_index *x);

uint32_t wedr_hash_bytes(const void *p, size_t len, uint32_t seed);
static inline uint32_t wedr_hash_mix(uint32_t h, uint32_t v)
{
    uint64_t m = (uint64_t)(h ^ v) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(m >> 32) ^ (uint32_t)m;
}
