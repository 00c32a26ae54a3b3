/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/pool.h — scans a list of blocks, in this thread or a few ahead of it by
 * others, and gives what was found in the list's order. Bounded by number and bytes.
 */
#pragma once

#include "store/events/sql/scan.h"

struct wedr_place {
    size_t day; /* index in sql->days */
    const struct wedr_block_meta *meta;
};

struct wedr_pool;

/* All outlive it. WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_pool_new(struct wedr_sql *sql,
                                const struct wedr_events_ask *ask,
                                const struct wedr_place *list,
                                size_t count,
                                struct wedr_pool **ret);
/* Stops and joins the threads. NULL is allowed. */
void wedr_pool_free(struct wedr_pool *p);
/* What the next place of the list has; belongs to the caller and to this thread. ret must be zeroed
 * before: errors may leave it so, or partly filled in; wedr_found_fini frees it in any case.
 * WEDR_E_NOENT behind the last. WEDR_E_TIMEOUT, WEDR_E_NOMEM, WEDR_E_BUSY: rows would be left out.
 */
WEDR_MUST_USE int wedr_pool_next(struct wedr_pool *p, struct wedr_found *ret);
