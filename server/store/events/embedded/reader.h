/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/reader.h — inside of struct wedr_events_reader (store/events.h):
 * following commits is in reader.c, scanning by time in reader_scan.c. One thread.
 */
#pragma once

#include "store/events/embedded/embedded.h"
#include "store/events/embedded/patience.h"
#include "store/events/sql/block.h"

#define WEDR_READER_MAGIC 0x52454144u
#define WEDR_READER_PAGE 256u

struct wedr_reader_place {
    int64_t arrival;
    int64_t block; /* > 0: blk.id, < 0: -tiny.id */
    int64_t seq0, received;
    uint32_t n;
};

struct wedr_reader_kept; /* reader.c */

struct wedr_events_reader {
    uint32_t magic;
    char data_dir[WEDR_EVENTS_PATH_MAX];
    struct wedr_sql sql;
    struct wedr_recent *recent; /* of the writer beside it; NULL: there is none */
    uint64_t listed_ms;
    int64_t *seen;                 /* newest arrival of each day when it was last looked at */
    struct wedr_reader_kept *kept; /* of each day */
    /* The page that is being read: places of one day. */
    size_t day;
    struct wedr_patience patience;
    struct wedr_reader_place page[WEDR_READER_PAGE];
    size_t count, at;
    int64_t after; /* arrival of the last place that was given out; the page goes on behind it */
    /* A scan: what the day held when the scan came to it. */
    const struct wedr_events_scan *ask;
    int64_t *ids;
    size_t id_count, id_cap, id_at;
    bool listed;
    /* The block, and the lines of it that are given out: a merged one holds several batches. */
    struct wedr_block block;
    struct wedr_line_parser *parser; /* while no block has it */
    uint32_t first, lines;
    int64_t t0, t1;
    uint32_t counts[256];
};

/* Lists the day files anew. */
WEDR_MUST_USE int wedr_reader_list(struct wedr_events_reader *r, struct wedr_errinfo *ei);
/* The block or tiny batch at a place of r->day, whose connection is db. *ret_found false: there is
 * no such row. */
WEDR_MUST_USE int
wedr_reader_open_block(struct wedr_events_reader *r, sqlite3 *db, int64_t place, bool *ret_found);
/* All lines of the open block are given out. */
void wedr_reader_view_whole(struct wedr_events_reader *r);
/* What is given out of the open block. */
void wedr_reader_describe(const struct wedr_events_reader *r,
                          int64_t arrival,
                          int64_t received_us,
                          struct wedr_event_block *ret);

/* Of wedr_events_read_ops. */
WEDR_MUST_USE int wedr_reader_scan(struct wedr_events_reader *r,
                                   const struct wedr_events_scan *ask);
WEDR_MUST_USE int wedr_reader_scan_next(struct wedr_events_reader *r, struct wedr_event_block *ret);
