/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state/sqlite/agent_cache.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/thread.h"
#include <string.h>

#define SLOTS 65536u

struct wedr_agent_cache {
    struct wedr_mutex *lock;
    uint64_t written;                  /* rows that were forgotten */
    struct wedr_agent_row *row[SLOTS]; /* one place for each hash: the last one has it */
};

static struct wedr_agent_row **slot_of(struct wedr_agent_cache *c, const char *agent_id)
{
    uint32_t h = 2166136261u;
    for (const char *p = agent_id; *p; p++) {
        h = (h ^ (uint8_t)*p) * 16777619u;
    }
    return &c->row[(h ^ h >> 16) % SLOTS];
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
    const struct wedr_agent_row *row = *slot_of(c, agent_id);
    bool known = row && strcmp(row->agent_id, agent_id) == 0;
    if (known) {
        *ret = *row;
    }
    *ret_seen = c->written;
    wedr_mutex_unlock(c->lock);
    return known;
}

void wedr_agent_cache_put(struct wedr_agent_cache *c,
                          const struct wedr_agent_row *row,
                          uint64_t seen)
{
    wedr_mutex_lock(c->lock);
    struct wedr_agent_row **slot = slot_of(c, row->agent_id);
    if (seen == c->written) {
        *slot = *slot ? *slot : wedr_alloc(1, sizeof(**slot));
        if (*slot) {
            **slot = *row;
        }
    }
    wedr_mutex_unlock(c->lock);
}

void wedr_agent_cache_forget(struct wedr_agent_cache *c, const char *agent_id)
{
    wedr_mutex_lock(c->lock);
    struct wedr_agent_row *row = *slot_of(c, agent_id);
    c->written++;
    if (row && strcmp(row->agent_id, agent_id) == 0) {
        row->agent_id[0] = '\0';
    }
    wedr_mutex_unlock(c->lock);
}
