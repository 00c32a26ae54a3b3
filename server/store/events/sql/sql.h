/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/sql.h — what the parts of analysts' SQL share: the data folder's day
 * files opened for reading, the virtual table `events`, the computed tables. One thread, one query.
 */
#pragma once

#include "core/util/errinfo.h"
#include "store/events/embedded/day_file.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct wedr_sql_day {
    int32_t day;
    sqlite3 *db;    /* opened on first use */
    bool bad;       /* cannot be read: said once in the log, then skipped */
    int64_t t0, t1; /* of its events; valid once open */
};

struct wedr_sql {
    char dir[WEDR_EVENTS_PATH_MAX]; /* <data>/events */
    char state_path[WEDR_EVENTS_PATH_MAX + 16];
    struct wedr_sql_day *days; /* ascending */
    size_t day_count, day_cap;
    sqlite3 *catalog; /* NULL when there is none */
    uint64_t deadline_ms;
    /* First error that would leave rows out (memory, a lock): the query fails. A damaged block does
     * not: it is left out and logged. */
    int failed;
    size_t open_bytes, open_bytes_max;    /* lines of blocks that cursors hold open */
    uint64_t lines_parsed, blocks_opened; /* work done: tests prove pruning with them */
};

/* Lists the day files; nothing is opened yet. */
WEDR_MUST_USE int wedr_sql_open(const char *data_dir,
                                uint32_t time_limit_ms,
                                struct wedr_sql *ret,
                                struct wedr_errinfo *ei);
void wedr_sql_close(struct wedr_sql *s);
/* Connection of a day; NULL when it cannot be read. Borrowed. */
sqlite3 *wedr_sql_day_db(struct wedr_sql *s, size_t i);
/* True when rc was such an error; it is noted. */
bool wedr_sql_note(struct wedr_sql *s, int rc);
bool wedr_sql_timed_out(const struct wedr_sql *s);

/* Adds the virtual table `events` to db; s outlives db. */
WEDR_MUST_USE int wedr_sql_add_events(sqlite3 *db, struct wedr_sql *s);
/* Makes and fills ledger, ledger_loss, coverage_gaps, agents and tamper in db. */
WEDR_MUST_USE int wedr_sql_add_ledger(sqlite3 *db, struct wedr_sql *s, struct wedr_errinfo *ei);

/* Attaches the state store and adds views of what detection keeps in it. */
WEDR_MUST_USE int wedr_sql_add_state(sqlite3 *db, struct wedr_sql *s, struct wedr_errinfo *ei);

/* One query on an opened folder; wedr_sql_run is this with opening and closing around it. */
WEDR_MUST_USE int
wedr_sql_query(struct wedr_sql *s, const char *sql, bool json, FILE *out, struct wedr_errinfo *ei);
