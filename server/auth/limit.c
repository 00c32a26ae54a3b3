/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/limit.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "wedr/plat/thread.h"
#include <sodium.h>
#include <string.h>

#define WINDOW_MS 60000u
#define WAYS 8u

struct slot {
    uint8_t key[16];
    uint64_t begin_ms;
    uint32_t count; /* 0: free */
};

struct wedr_limit {
    struct wedr_mutex *lock;
    uint32_t per_key, total;
    uint64_t total_begin_ms;
    uint32_t total_count;
    uint8_t seed[crypto_shorthash_KEYBYTES];
    struct slot slots[WEDR_LIMIT_SLOTS];
};

struct wedr_limit *wedr_limit_new(uint32_t per_key, uint32_t total)
{
    struct wedr_limit *l = wedr_alloc(1, sizeof(*l));
    if (!l) {
        return NULL;
    }
    l->lock = wedr_mutex_new();
    if (!l->lock) {
        wedr_free(l);
        return NULL;
    }
    l->per_key = per_key;
    l->total = total;
    wedr_random(l->seed, sizeof(l->seed));
    return l;
}

void wedr_limit_free(struct wedr_limit *l)
{
    if (l) {
        wedr_mutex_free(l->lock);
        wedr_free(l);
    }
}

/* The clock is read before the lock is taken: now may be a moment before the begin. */
static uint64_t age(uint64_t begin_ms, uint64_t now_ms)
{
    return now_ms > begin_ms ? now_ms - begin_ms : 0;
}

/* The key's slot; when it has none and `make`, the emptiest of its set is taken over. */
static struct slot *find(struct wedr_limit *l, const uint8_t key[16], uint64_t now_ms, bool make)
{
    uint8_t h[crypto_shorthash_BYTES];
    uint64_t v = 0;
    struct slot *least = NULL;
    (void)crypto_shorthash(h, key, 16, l->seed);
    memcpy(&v, h, sizeof(v));
    struct slot *set = &l->slots[(v % (WEDR_LIMIT_SLOTS / WAYS)) * WAYS];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].count && age(set[i].begin_ms, now_ms) >= WINDOW_MS) {
            set[i].count = 0;
        }
        if (set[i].count && memcmp(set[i].key, key, 16) == 0) {
            return &set[i];
        }
        if (!least || set[i].count < least->count) {
            least = &set[i];
        }
    }
    if (!make) {
        return NULL;
    }
    memcpy(least->key, key, 16);
    least->begin_ms = now_ms;
    least->count = 0;
    return least;
}

static uint32_t seconds_left(uint64_t begin_ms, uint64_t now_ms)
{
    return (uint32_t)((WINDOW_MS - age(begin_ms, now_ms) + 999) / 1000);
}

bool wedr_limit_take(struct wedr_limit *l,
                     const uint8_t key[16],
                     uint64_t now_ms,
                     uint32_t *ret_wait_s)
{
    bool ok = false;
    wedr_mutex_lock(l->lock);
    if (l->total_count && age(l->total_begin_ms, now_ms) >= WINDOW_MS) {
        l->total_count = 0;
    }
    struct slot *s = find(l, key, now_ms, false);
    if (s && s->count >= l->per_key) {
        *ret_wait_s = seconds_left(s->begin_ms, now_ms);
    } else if (l->total_count >= l->total) {
        *ret_wait_s = seconds_left(l->total_begin_ms, now_ms);
    } else {
        s = s ? s : find(l, key, now_ms, true);
        s->count++;
        if (l->total_count++ == 0) {
            l->total_begin_ms = now_ms;
        }
        ok = true;
    }
    wedr_mutex_unlock(l->lock);
    return ok;
}

void wedr_limit_refund(struct wedr_limit *l, const uint8_t key[16], uint64_t now_ms)
{
    wedr_mutex_lock(l->lock);
    struct slot *s = find(l, key, now_ms, false);
    if (s && s->count) {
        s->count--;
    }
    wedr_mutex_unlock(l->lock);
}
