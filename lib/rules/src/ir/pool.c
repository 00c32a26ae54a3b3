/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/pool.c */
#include "ir/pool.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <string.h>

#define CHUNK_FIRST ((size_t)1 << 10)
#define CHUNK_LAST ((size_t)64 << 10)

struct wedr_pool_chunk {
    struct wedr_pool_chunk *next;
    size_t used, size;
    char bytes[];
};

void wedr_pool_fini(struct wedr_pool *pool)
{
    while (pool->chunks) {
        struct wedr_pool_chunk *c = pool->chunks;
        pool->chunks = c->next;
        wedr_pool_release(pool, c, sizeof(*c) + c->size);
    }
}

void *wedr_pool_realloc(struct wedr_pool *pool, void *p, size_t old_size, size_t size)
{
    if (size > pool->memory_max - (pool->memory - old_size)) {
        return NULL;
    }
    void *q = wedr_realloc(p, size, 1);
    if (q) {
        pool->memory = pool->memory - old_size + size;
    }
    return q;
}

void wedr_pool_release(struct wedr_pool *pool, void *p, size_t size)
{
    if (p) {
        pool->memory -= size;
        wedr_free(p);
    }
}

/* Each chunk has twice the room of the one before: small objects, of which there are many, stay
 * small. */
static size_t chunk_room(const struct wedr_pool_chunk *before, size_t size)
{
    size_t room = before ? 2 * before->size : CHUNK_FIRST;
    while (room < size) {
        room *= 2;
    }
    return room < CHUNK_LAST ? room : CHUNK_LAST;
}

void *wedr_pool_block(struct wedr_pool *pool, size_t size, size_t align)
{
    struct wedr_pool_chunk *c = pool->chunks;
    size_t at = c ? (c->used + align - 1) & ~(align - 1) : 0;
    if (!c || at > c->size || size > c->size - at) {
        bool own = size > CHUNK_LAST / 4;
        size_t room = own ? size : chunk_room(c, size);
        size_t all = sizeof(*c) + room;
        if (room > SIZE_MAX / 2) {
            return NULL;
        }
        struct wedr_pool_chunk *fresh = wedr_pool_realloc(pool, NULL, 0, all);
        if (!fresh) {
            return NULL;
        }
        memset(fresh, 0, all);
        fresh->size = room;
        if (c && own) { /* a big one of its own: the open chunk stays the first */
            fresh->next = c->next;
            c->next = fresh;
        } else {
            fresh->next = c;
            pool->chunks = fresh;
        }
        c = fresh;
        at = 0;
    }
    c->used = at + size;
    return c->bytes + at;
}

int wedr_vec_push(struct wedr_pool *pool, struct wedr_vec *v, const void *p, size_t n, size_t size)
{
    if (n == 0) {
        return WEDR_OK;
    }
    if (n > v->cap - v->count) {
        size_t want = v->count + n;
        size_t cap = v->cap + v->cap / 2 < want ? want + 4 : v->cap + v->cap / 2;
        if (want >= UINT32_MAX) {
            return WEDR_E_LIMIT;
        }
        void *q = wedr_pool_realloc(pool, v->p, v->cap * size, cap * size);
        if (!q) {
            return WEDR_E_NOMEM;
        }
        v->p = q;
        v->cap = cap;
    }
    char *to = (char *)v->p + v->count * size;
    if (p) {
        memcpy(to, p, n * size);
    } else {
        memset(to, 0, n * size);
    }
    v->count += n;
    return WEDR_OK;
}

void wedr_vec_fini(struct wedr_pool *pool, struct wedr_vec *v, size_t size)
{
    wedr_pool_release(pool, v->p, v->cap * size);
    v->p = NULL;
    v->count = v->cap = 0;
}

void wedr_vec_trim(struct wedr_pool *pool, struct wedr_vec *v, size_t size)
{
    if (v->count < v->cap && v->count > 0) {
        void *q = wedr_pool_realloc(pool, v->p, v->cap * size, v->count * size);
        if (q) {
            v->p = q;
            v->cap = v->count;
        }
    }
}

uint32_t wedr_hash_bytes(const void *p, size_t len, uint32_t seed)
{
    const uint8_t *s = p;
    uint64_t h = UINT64_C(0x9E3779B97F4A7C15) ^ seed ^ ((uint64_t)len << 32);
    for (; len >= 8; s += 8, len -= 8) {
        uint64_t w;
        memcpy(&w, s, 8);
        h = (h ^ w) * UINT64_C(0xBF58476D1CE4E5B9);
        h ^= h >> 32;
    }
    uint64_t w = 0;
    if (len) {
        memcpy(&w, s, len);
    }
    h = (h ^ w) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)(h >> 32) ^ (uint32_t)(h >> 7);
}

uint32_t wedr_index_find(const struct wedr_index *x,
                         uint32_t hash,
                         wedr_index_same_fn *same,
                         const void *ctx)
{
    if (x->cap == 0) {
        return WEDR_POOL_NONE;
    }
    for (size_t at = hash & (x->cap - 1);; at = (at + 1) & (x->cap - 1)) {
        const struct wedr_index_slot *s = &x->slots[at];
        if (s->id_plus_1 == 0) {
            return WEDR_POOL_NONE;
        }
        if (s->hash == hash && same(ctx, s->id_plus_1 - 1)) {
            return s->id_plus_1 - 1;
        }
    }
}

static void index_put(struct wedr_index *x, uint32_t hash, uint32_t id_plus_1)
{
    size_t at = hash & (x->cap - 1);
    while (x->slots[at].id_plus_1 != 0) {
        at = (at + 1) & (x->cap - 1);
    }
    x->slots[at].hash = hash;
    x->slots[at].id_plus_1 = id_plus_1;
}

int wedr_index_add(struct wedr_pool *pool, struct wedr_index *x, uint32_t hash, uint32_t id)
{
    if ((x->count + 1) * 4 > x->cap * 3) {
        struct wedr_index bigger = {.cap = x->cap ? x->cap * 2 : 16, .count = x->count};
        size_t size = bigger.cap * sizeof(*bigger.slots);
        bigger.slots = wedr_pool_realloc(pool, NULL, 0, size);
        if (!bigger.slots) {
            return WEDR_E_NOMEM;
        }
        memset(bigger.slots, 0, size);
        for (size_t i = 0; i < x->cap; i++) {
            if (x->slots[i].id_plus_1 != 0) {
                index_put(&bigger, x->slots[i].hash, x->slots[i].id_plus_1);
            }
        }
        wedr_pool_release(pool, x->slots, x->cap * sizeof(*x->slots));
        *x = bigger;
    }
    index_put(x, hash, id + 1);
    x->count++;
    return WEDR_OK;
}

void wedr_index_fini(struct wedr_pool *pool, struct wedr_index *x)
{
    wedr_pool_release(pool, x->slots, x->cap * sizeof(*x->slots));
    x->slots = NULL;
    x->count = x->cap = 0;
}
