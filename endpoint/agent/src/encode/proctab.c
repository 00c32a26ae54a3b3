/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/proctab.h"

#include "core/util/alloc.h"
#include <stddef.h>
#include <string.h>

struct entry {
    uint64_t key; /* 0: free */
    uint16_t len;
    uint8_t path[WEDR_PROCTAB_PATH_MAX + 1];
};

struct set {
    struct entry way[WEDR_PROCTAB_WAYS];
    uint32_t next; /* way that is replaced next */
};

struct wedr_proctab {
    struct set sets[WEDR_PROCTAB_SETS];
};

struct wedr_proctab *wedr_proctab_new(void)
{
    return wedr_alloc(1, sizeof(struct wedr_proctab));
}

void wedr_proctab_free(struct wedr_proctab *t)
{
    wedr_free(t);
}

static size_t set_of(uint64_t key)
{
    return (size_t)((key * 0x9e3779b97f4a7c15ull) >> 40) % WEDR_PROCTAB_SETS;
}

static struct entry *find(struct set *s, uint64_t key)
{
    for (unsigned i = 0; i < WEDR_PROCTAB_WAYS; i++) {
        if (s->way[i].key == key) {
            return &s->way[i];
        }
    }
    return NULL;
}

void wedr_proctab_put(struct wedr_proctab *t, uint64_t key, struct wedr_span path)
{
    if (key == 0) {
        return;
    }
    struct set *s = &t->sets[set_of(key)];
    struct entry *e = find(s, key);
    if (path.len == 0 || path.len > WEDR_PROCTAB_PATH_MAX) {
        if (e) {
            e->key = 0;
        }
        return;
    }
    if (!e) {
        e = find(s, 0);
    }
    if (!e) {
        e = &s->way[s->next];
        s->next = (s->next + 1) % WEDR_PROCTAB_WAYS;
    }
    e->key = key;
    e->len = (uint16_t)path.len;
    memmove(e->path, path.p, path.len);
}

struct wedr_span wedr_proctab_get(const struct wedr_proctab *t, uint64_t key)
{
    if (key != 0) {
        const struct set *s = &t->sets[set_of(key)];
        for (unsigned i = 0; i < WEDR_PROCTAB_WAYS; i++) {
            if (s->way[i].key == key) {
                return wedr_span(s->way[i].path, s->way[i].len);
            }
        }
    }
    return wedr_span(NULL, 0);
}

void wedr_proctab_remove(struct wedr_proctab *t, uint64_t key)
{
    struct entry *e = key != 0 ? find(&t->sets[set_of(key)], key) : NULL;
    if (e) {
        e->key = 0;
    }
}
