/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/prune.h — whether a block's filters allow a match. What is in the
 * database is hostile: a damaged filter allows everything.
 */
#pragma once

#include "ingest/filter.h"
#include "store/events/sql/block.h"
#include "store/events/sql/plan.h"

struct wedr_block_meta;

/* What a query's tests ask the filters for, hashed once for all blocks. Constant after _new: any
 * thread. ask outlives it. WEDR_E_NOMEM. */
struct wedr_prune;
WEDR_MUST_USE int wedr_prune_new(const struct wedr_events_ask *ask, struct wedr_prune **ret);
void wedr_prune_free(struct wedr_prune *p); /* NULL is allowed */
/* False: what the query kept of the block's filters tells that no line can pass all tests. */
bool wedr_prune_kept_allows(const struct wedr_prune *p, const struct wedr_block_meta *m);
/* False: no line of the block, which m is of, can pass all tests. */
bool wedr_prune_allows(const struct wedr_prune *p,
                       struct wedr_block *b,
                       const struct wedr_block_meta *m);
/* The same for a 4-gram bitmap and a text, in lower case, that is looked for in whole lines as they
 * are stored (escapes and all). Exposed for tests. */
bool wedr_prune_raw_allows(const uint8_t bits[WEDR_NGRAM_BYTES], const char *needle, size_t len);
/* True for a text that could be a JSON integer in a text column: filters hold texts only. */
bool wedr_prune_like_number(struct wedr_span s);
