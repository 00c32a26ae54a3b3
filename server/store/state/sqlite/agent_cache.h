/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/state/sqlite/agent_cache.h — rows of agents that asked lately, in memory: each
 * request of an agent looks at its row, and most do nothing to it. Only this process writes rows of
 * agents while the server runs, and whoever does calls wedr_agent_cache_forget after its commit.
 * Thread-safe. At most 65,536 rows of less than 1 KiB. */
#pragma once

#include "store/state.h"

struct wedr_agent_cache;

WEDR_MUST_USE int wedr_agent_cache_new(struct wedr_agent_cache **ret); /* WEDR_E_NOMEM */
void wedr_agent_cache_free(struct wedr_agent_cache *c);                /* NULL is allowed */
/* A row that is known. False: read it from the database and put it; *ret_seen is for the put. */
bool wedr_agent_cache_get(struct wedr_agent_cache *c,
                          const char *agent_id,
                          struct wedr_agent_row *ret,
                          uint64_t *ret_seen);
/* What was read after a get that said `seen`. Nothing is kept when a row was written meanwhile: it
 * may be this one. */
void wedr_agent_cache_put(struct wedr_agent_cache *c,
                          const struct wedr_agent_row *row,
                          uint64_t seen);
/* The agent's row was written, and whoever reads now gets what it is. */
void wedr_agent_cache_forget(struct wedr_agent_cache *c, const char *agent_id);
