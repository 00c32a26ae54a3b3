/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/scan.h — the lines of one block that may answer a query: filters, then
 * the column part, then a search over the text, then a parse of the lines that are left. One
 * struct wedr_scan per thread.
 */
#pragma once

#include "store/events/sql/block.h"
#include "store/events/sql/metas.h"
#include "store/events/sql/plan.h"
#include "store/events/sql/prune.h"
#include "store/events/sql/test_value.h"

struct wedr_match {
    int64_t ts; /* only when the query is ordered */
    uint32_t row;
};

struct wedr_found {
    struct wedr_block block;
    struct wedr_match *match; /* in the query's order within the block */
    size_t count;
    size_t at; /* the reader's place */
};

struct wedr_scan_needle {
    struct wedr_needle n;
    bool canonical; /* of a decoded value: stands in the text only when that has one spelling */
};

struct wedr_scan {
    struct wedr_sql *sql; /* this thread's */
    const struct wedr_events_ask *ask;
    struct wedr_prune *prune;
    struct wedr_line_parser *parser;
    struct wedr_scan_needle needle[WEDR_TESTS_MAX];
    size_t needle_count;
    uint8_t *mask; /* one byte a line: still in question */
    size_t mask_cap;
};

/* WEDR_E_NOMEM. ask and sql outlive it. */
WEDR_MUST_USE int
wedr_scan_init(struct wedr_scan *w, struct wedr_sql *sql, const struct wedr_events_ask *ask);
void wedr_scan_fini(struct wedr_scan *w);

/* False: nothing of the block can match. Looks at the metadata alone. */
bool wedr_scan_wants(const struct wedr_events_ask *a, const struct wedr_block_meta *m);
/* Finds the lines; ret->count may be 0. What would leave rows out is noted in w->sql; a damaged
 * line ends the block there. Free with wedr_found_fini in any case. */
void wedr_scan_block(struct wedr_scan *w,
                     struct wedr_sql_day *day,
                     const struct wedr_block_meta *m,
                     struct wedr_found *ret);
void wedr_found_fini(struct wedr_found *f);

/* False: lines of that stored type code in that stream fail a test on event_type, module or lane.
 */
bool wedr_scan_code_passes(const struct wedr_events_ask *a, const char *stream, uint8_t code);
/* Text of the column lane for a stream and a stored type code. */
const char *wedr_scan_lane(const char *stream, uint8_t code);
