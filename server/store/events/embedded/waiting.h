/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/waiting.h — which streams have small batches that wait to be merged,
 * kept between the rounds of housekeeping: a round reads the rows of `tiny` that came since the one
 * before, so that a day that grows does not make it dearer. After a start the first look reads all.
 * One thread (that of housekeeping). Takes some 180 bytes for each stream of a day that is not
 * over, for half a million of them at most: batches of others wait until their day is sealed, which
 * is logged.
 */
#pragma once

#include "core/base/attr.h"
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

struct wedr_waiting;

struct wedr_stream_name {
    char agent[64], name[64];
    int64_t epoch;
};

/* From three columns of a row, agent, epoch and stream, the first of which is `column`. */
void wedr_stream_name_read(sqlite3_stmt *st, int column, struct wedr_stream_name *ret);
/* A statement about a stream: its name is ?1, ?2, ?3, borrowed until the statement is finalized. */
WEDR_MUST_USE int wedr_stream_prepare(sqlite3 *db,
                                      const char *sql,
                                      const struct wedr_stream_name *k,
                                      sqlite3_stmt **ret);

struct wedr_waiting_stream {
    struct wedr_stream_name of;
    /* Of what waits; a batch that came during the last count may be in them twice. */
    int64_t batches, lines;
    int64_t oldest_us; /* received_at */
    int64_t first_seq;
};

/* NULL: out of memory. */
struct wedr_waiting *wedr_waiting_new(void);
/* NULL is allowed. */
void wedr_waiting_free(struct wedr_waiting *w);
/* All days: their files may be other ones now. */
void wedr_waiting_forget(struct wedr_waiting *w);

/* A day is over: nothing of it is kept any more. */
void wedr_waiting_end(struct wedr_waiting *w, int32_t day);

/* Takes up what is new in the day's file; the calls below are about this day then. */
WEDR_MUST_USE int wedr_waiting_look(struct wedr_waiting *w, sqlite3 *db, int32_t day);
/* The next stream from *at on (0 at first) with two batches and more, of which so many lines wait,
 * or one was received at or before a time; NULL behind the last. Borrowed until the next look. */
struct wedr_waiting_stream *
wedr_waiting_due(struct wedr_waiting *w, size_t *at, int64_t lines, int64_t before_us);
/* Counts anew what waits of a stream, after a merge. */
WEDR_MUST_USE int wedr_waiting_count(sqlite3 *db, struct wedr_waiting_stream *k);
