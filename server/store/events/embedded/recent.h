/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/recent.h — small batches that were committed lately, kept in memory
 * for readers of the process that commits them. A fleet that idles sends one event at a time, and
 * reading each back from its file would cost as much as storing it. The oldest make room for the
 * newest; whoever comes too late finds them in the file. Any thread.
 */
#pragma once

#include "ingest/prepared.h"
#include "store/events/sql/block.h"

struct wedr_recent;

/* WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_recent_new(struct wedr_recent **ret);
/* NULL is allowed. */
void wedr_recent_free(struct wedr_recent *r);
/* Batch `number` in order of arrival was committed. It is kept when p has its lines and memory is
 * to be had; that it is the newest is known in any case. */
void wedr_recent_put(struct wedr_recent *r, const struct wedr_prepared *p, int64_t number);
/* The batch as a block of sql with its lines open, which was never in a database: it has no id. ret
 * was shut. WEDR_E_NOENT: it is not kept (any more); WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_recent_get(struct wedr_recent *r,
                                  int64_t number,
                                  struct wedr_sql *sql,
                                  struct wedr_block *ret);
/* Number of the newest batch that was put; 0: none yet. */
int64_t wedr_recent_newest(struct wedr_recent *r);
/* Gives the memory back until the next put. */
void wedr_recent_rest(struct wedr_recent *r);
