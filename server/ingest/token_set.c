/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/token_set.h"

#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include <string.h>

#define CAP_MIN 4096u
#define CAP_HINTED_MAX (1u << 16)
#define CAP_MAX (1u << 24)

/* New room of `cap` places, and for as many keys as they can be. */
static bool set_room(struct wedr_token_set *s, size_t cap)
{
    s->slot = wedr_alloc(cap, sizeof(*s->slot));
    s->key = wedr_realloc(NULL, cap / 2 + 1, sizeof(*s->key));
    s->cap = cap;
    s->shift = 64u - (unsigned)__builtin_ctzll(cap);
    if (s->slot == NULL || s->key == NULL) {
        wedr_token_set_fini(s);
        return false;
    }
    return true;
}

bool wedr_token_set_init(struct wedr_token_set *s, size_t hint)
{
    size_t cap = CAP_MIN;
    memset(s, 0, sizeof(*s));
    wedr_random(&s->spread, sizeof(s->spread));
    s->spread |= 1u;
    while (cap < CAP_HINTED_MAX && cap < hint * 2) {
        cap *= 2;
    }
    return set_room(s, cap);
}

void wedr_token_set_fini(struct wedr_token_set *s)
{
    wedr_free(s->slot);
    wedr_free(s->key);
    s->slot = NULL;
    s->key = NULL;
}

bool wedr_token_set_grow(struct wedr_token_set *s)
{
    struct wedr_token_set n = {.spread = s->spread};
    if (s->failed || s->cap * 2 > CAP_MAX || !set_room(&n, s->cap * 2)) {
        s->failed = true;
        return false;
    }
    for (size_t i = 0; i < s->cap; i++) {
        uint64_t e = s->slot[i];
        if (e != 0) {
            *wedr_token_set_place(&n, e & ~(uint64_t)WEDR_TOKEN_MARKS) = e;
        }
    }
    memcpy(n.key, s->key, s->keys * sizeof(*s->key));
    n.count = s->count;
    n.keys = s->keys;
    wedr_token_set_fini(s);
    *s = n;
    return true;
}
