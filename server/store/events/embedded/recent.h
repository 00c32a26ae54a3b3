/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/recent.h — small batches that were committed lately, kept in memory
 * for readers of the process that commits them. A fleet that idles sends one event at a time, and
 * reading each back from its file would cost as much as storing it. The oldest make room for the
 * newest; whoever comes too late finds them in the file. Any thread.
 */
#pragma once

#include "store/events.h"
#include "store/events/sql/block.h"

struct wedr_recent;

/* WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_recent_new(struct wedr_recent **ret);
/* NULL is allowed. */
void wedr_recent_free(struct wedr_recent *r);
/* A group was committed; of the stored ones (c[i].outcome) the first has number `first` in order of
 * arrival. A batch is kept when its lines are at hand and memory is to be had; which one is the
 * newest is known in any case. */
void wedr_recent_put(struct wedr_recent *r, const struct wedr_commit *c, size_t n, int64_t first);
/* Numbers up to this one were given out, to batches that are not kept. */
void wedr_recent_note(struct wedr_recent *r, int64_t number);
/* The batch as a block of sql with its lines open, which was never in a database: it has no id. ret
 * was shut. WEDR_E_NOENT: it is not kept (any more); WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_recent_get(struct wedr_recent *r,
                                  int64_t number,
                                  struct wedr_sql *sql,
                                  struct wedr_block *ret);
/* The newest number that was put or noted; 0: none yet. */
int64_t wedr_recent_newest(struct wedr_recent *r);
/* Gives the memory back until the next put. */
void wedr_recent_rest(struct wedr_recent *r);
