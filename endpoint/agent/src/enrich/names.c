/* SPDX-License-Identifier: Apache-2.0 */
#include "enrich/names.h"

#include "core/util/alloc.h"
#include <string.h>

struct entry {
    uint64_t until_ms; /* asked for again after this time */
    uint32_t id;
    bool used;
    uint8_t len;
    char name[WEDR_MSG_NAME_MAX];
};

struct set {
    struct entry way[WEDR_NAMES_WAYS];
    uint32_t next; /* way that is replaced next */
};

struct wedr_names {
    struct set set[WEDR_NAMES_SETS];
};

struct wedr_names *wedr_names_new(void)
{
    return wedr_alloc(1, sizeof(struct wedr_names));
}

void wedr_names_free(struct wedr_names *n)
{
    wedr_free(n);
}

static struct set *set_of(struct wedr_names *n, uint32_t id)
{
    return &n->set[(id * 0x9e3779b1u) >> 24];
}

static struct entry *find(struct set *s, uint32_t id)
{
    for (unsigned i = 0; i < WEDR_NAMES_WAYS; i++) {
        if (s->way[i].used && s->way[i].id == id) {
            return &s->way[i];
        }
    }
    return NULL;
}

static struct entry *place(struct wedr_names *n, uint32_t id)
{
    struct set *s = set_of(n, id);
    struct entry *e = find(s, id);
    for (unsigned i = 0; !e && i < WEDR_NAMES_WAYS; i++) {
        e = s->way[i].used ? NULL : &s->way[i];
    }
    if (!e) {
        e = &s->way[s->next];
        s->next = (s->next + 1) % WEDR_NAMES_WAYS;
    }
    if (!e->used || e->id != id) {
        memset(e, 0, sizeof(*e));
        e->used = true;
        e->id = id;
    }
    return e;
}

struct wedr_span wedr_names_get(struct wedr_names *n, uint32_t id, uint64_t now_ms, bool *ret_ask)
{
    const struct entry *e = find(set_of(n, id), id);
    *ret_ask = !e || now_ms >= e->until_ms;
    return e ? wedr_span(e->name, e->len) : wedr_span(NULL, 0);
}

void wedr_names_asked(struct wedr_names *n, uint32_t id, uint64_t until_ms)
{
    place(n, id)->until_ms = until_ms;
}

void wedr_names_put(struct wedr_names *n, uint32_t id, const char *name, uint64_t until_ms)
{
    struct entry *e = place(n, id);
    size_t len = strlen(name);
    e->len = (uint8_t)(len < sizeof(e->name) ? len : 0);
    memcpy(e->name, name, e->len);
    e->until_ms = until_ms;
}
