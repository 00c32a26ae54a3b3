/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/holdback.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include <stdio.h>
#include <string.h>

#define WAYS 8u
#define SETS (WEDR_HOLDBACK_PAIRS_MAX / WAYS)
#define KEY_LEN 16u

/* The key is a digest: whoever chooses an entity cannot choose whom it collides with. */
struct pair {
    uint8_t key[KEY_LEN];
    int64_t begin_us; /* of the window */
    uint64_t used;    /* 0: free */
    uint64_t suppressed;
    uint32_t count;
};

struct wedr_holdback {
    struct pair v[WEDR_HOLDBACK_PAIRS_MAX];
    uint64_t clock, forgotten;
};

struct wedr_holdback *wedr_holdback_new(void)
{
    return wedr_alloc(1, sizeof(struct wedr_holdback));
}

void wedr_holdback_free(struct wedr_holdback *t)
{
    wedr_free(t);
}

static struct pair *
find(struct wedr_holdback *t, const char *rule_id, const char *entity, bool *ret_new)
{
    char text[2048];
    uint8_t digest[WEDR_SHA256_LEN];
    uint32_t set;
    int n = snprintf(text, sizeof(text), "%s\n%s", rule_id, entity);
    wedr_sha256(text, n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1, digest);
    memcpy(&set, digest + KEY_LEN, sizeof(set));
    struct pair *v = &t->v[(size_t)(set % SETS) * WAYS], *oldest = v;
    for (size_t i = 0; i < WAYS; i++) {
        if (v[i].used && memcmp(v[i].key, digest, KEY_LEN) == 0) {
            v[i].used = ++t->clock;
            *ret_new = false;
            return &v[i];
        }
        oldest = v[i].used < oldest->used ? &v[i] : oldest;
    }
    t->forgotten += oldest->used != 0;
    memset(oldest, 0, sizeof(*oldest));
    memcpy(oldest->key, digest, KEY_LEN);
    oldest->used = ++t->clock;
    *ret_new = true;
    return oldest;
}

bool wedr_holdback_take(struct wedr_holdback *t,
                        const char *rule_id,
                        const char *entity,
                        int64_t ts_us,
                        int64_t window_us,
                        uint32_t count,
                        uint64_t *ret_suppressed)
{
    bool is_new = false;
    struct pair *p = find(t, rule_id, entity, &is_new);
    bool outside = ts_us - p->begin_us >= window_us || p->begin_us - ts_us >= window_us;
    if (is_new || outside) {
        p->begin_us = ts_us;
        p->count = 0;
    }
    if (p->count >= count) {
        p->suppressed++;
        return false;
    }
    p->count++;
    *ret_suppressed = p->suppressed;
    p->suppressed = 0;
    return true;
}

void wedr_holdback_remember(struct wedr_holdback *t,
                            const char *rule_id,
                            const char *entity,
                            int64_t ts_us)
{
    bool is_new = false;
    struct pair *p = find(t, rule_id, entity, &is_new);
    if (is_new || ts_us > p->begin_us) {
        p->begin_us = ts_us;
        p->count = 1;
    }
}

uint64_t wedr_holdback_forgotten(const struct wedr_holdback *t)
{
    return t->forgotten;
}
