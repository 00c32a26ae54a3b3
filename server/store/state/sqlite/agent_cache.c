/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state/sqlite/agent_cache.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/thread.h"
#include <string.h>

#define SLOTS 65536u
#define WAYS 4u /* slots for one hash */

struct wedr_agent_cache {
    struct wedr_mutex *lock;
    uint64_t written; /* rows that were forgotten */
    /* The newest of a hash first. With one slot for each, every seventh of 10,000 agents would
     * share it with another, and neither be known. */
    struct wedr_agent_row *row[SLOTS];
};

static struct wedr_agent_row **place_of(struct wedr_agent_cache *c, const char *agent_id)
{
    uint32_t h = 2166136261u;
    for (const char *p = agent_id; *p; p++) {
        h = (h ^ (uint8_t)*p) * 16777619u;
    }
    size_t set = (h ^ h >> 16) % (SLOTS / WAYS);
    return &c->row[set * WAYS];
}

static struct wedr_agent_row *find(struct wedr_agent_cache *c, const char *agent_id)
{
    struct wedr_agent_row **at = place_of(c, agent_id);
    for (size_t i = 0; i < WAYS; i++) {
        if (at[i] && strcmp(at[i]->agent_id, agent_id) == 0) {
            return at[i];
        }
    }
    return NULL;
}

/* Room for one more, in front of the others; one that was forgotten goes, else the oldest. */
static struct wedr_agent_row *make_way(struct wedr_agent_cache *c, const char *agent_id)
{
    struct wedr_agent_row **at = place_of(c, agent_id), *row;
    size_t i = 0;
    while (i < WAYS - 1 && at[i] && at[i]->agent_id[0]) {
        i++;
    }
    row = at[i] ? at[i] : wedr_alloc(1, sizeof(*row));
    if (row) {
        memmove(at + 1, at, i * sizeof(struct wedr_agent_row *));
        at[0] = row;
    }
    return row;
}

int wedr_agent_cache_new(struct wedr_agent_cache **ret)
{
    struct wedr_agent_cache *c = wedr_alloc(1, sizeof(*c));
    struct wedr_mutex *lock = c ? wedr_mutex_new() : NULL;
    if (!lock) {
        wedr_free(c);
        return WEDR_E_NOMEM;
    }
    c->lock = lock;
    *ret = c;
    return WEDR_OK;
}

void wedr_agent_cache_free(struct wedr_agent_cache *c)
{
    if (c) {
        for (size_t i = 0; i < SLOTS; i++) {
            wedr_free(c->row[i]);
        }
        wedr_mutex_free(c->lock);
        wedr_free(c);
    }
}

bool wedr_agent_cache_get(struct wedr_agent_cache *c,
                          const char *agent_id,
                          struct wedr_agent_row *ret,
                          uint64_t *ret_seen)
{
    wedr_mutex_lock(c->lock);
    const struct wedr_agent_row *row = find(c, agent_id);
    if (row) {
        *ret = *row;
    }
    *ret_seen = c->written;
    wedr_mutex_unlock(c->lock);
    return row != NULL;
}

void wedr_agent_cache_put(struct wedr_agent_cache *c,
                          const struct wedr_agent_row *row,
                          uint64_t seen)
{
    wedr_mutex_lock(c->lock);
    struct wedr_agent_row *to = find(c, row->agent_id);
    if (seen == c->written && (to || (to = make_way(c, row->agent_id)) != NULL)) {
        *to = *row;
    }
    wedr_mutex_unlock(c->lock);
}

void wedr_agent_cache_forget(struct wedr_agent_cache *c, const char *agent_id)
{
    wedr_mutex_lock(c->lock);
    struct wedr_agent_row *row = find(c, agent_id);
    c->written++;
    if (row) {
        row->agent_id[0] = '\0';
    }
    wedr_mutex_unlock(c->lock);
}
