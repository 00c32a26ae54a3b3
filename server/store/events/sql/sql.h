/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/sql.h — what the parts of a query share: the data folder's day files
 * opened for reading, the caller's scope and limits, the tables. One thread, one query.
 */
#pragma once

#include "core/util/errinfo.h"
#include "ingest/unpack.h"
#include "store/events/embedded/day_file.h"
#include "store/events/sql/sql_memory.h"
#include "store/query.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct wedr_metas; /* metas.h */

/* What of a block is read by id, each with a statement that is kept. */
enum wedr_part {
    WEDR_PART_COLUMNS,
    WEDR_PART_DATA,
    WEDR_PART_TINY,
    WEDR_PART_BITMAP,
    WEDR_PART_MADE,
    WEDR_PART_FILTER,
    WEDR_PART_NGRAM,
    WEDR_PART_COUNT
};

struct wedr_sql_day {
    int32_t day;
    sqlite3 *db;                         /* opened on first use */
    bool bad;                            /* cannot be read: said once in the log, then skipped */
    bool unmade;                         /* bad only for now: its tables are being made */
    int why;                             /* of a bad one: what opening it gave */
    int64_t t0, t1;                      /* of its events; valid once open */
    struct wedr_metas *metas;            /* of its blocks; NULL: not read yet */
    sqlite3_stmt *part[WEDR_PART_COUNT]; /* reset after each use: no snapshot is held */
};

struct wedr_sql {
    char dir[WEDR_EVENTS_PATH_MAX]; /* <data>/events */
    char state_path[WEDR_EVENTS_PATH_MAX + 16];
    struct wedr_sql_day *days; /* ascending */
    size_t day_count, day_cap;
    sqlite3 *catalog;   /* NULL when there is none */
    sqlite3 *state;     /* state.db, opened on first use */
    int state_version;  /* of its schema */
    const char **scope; /* agent ids, sorted; NULL: every endpoint. The texts are the caller's */
    size_t scope_count;
    uint64_t started_ms, deadline_ms;
    const atomic_bool *cancel; /* NULL: never */
    struct wedr_sql_budget budget;
    /* First error that would leave rows out (memory, a lock): the query fails. A damaged block does
     * not: it is left out and logged. */
    int failed;
    size_t open_bytes, open_bytes_max; /* lines of blocks that cursors hold open */
    uint32_t scans;                    /* of the table events that were begun */
    atomic_size_t kept;                /* bytes of token filters in metas */
    atomic_size_t
        *keep_to;    /* `kept` of the query's own, also for its threads; NULL: none are kept */
    bool keeps_room; /* wedr_sql_close will be called */
    struct wedr_room spare; /* of the lines of a block that was shut, for the next */
    /* Work done: tests prove pruning with them. */
    uint64_t blocks_asked, lines_parsed, blocks_opened, parts_read;
};

/* Lists the day files; nothing is opened yet. */
WEDR_MUST_USE int wedr_sql_open(const char *data_dir,
                                uint32_t time_limit_ms,
                                struct wedr_sql *ret,
                                struct wedr_errinfo *ei);
void wedr_sql_close(struct wedr_sql *s);
/* The same folder and limits for another thread, which opens the files itself. What it notes and
 * counts is its own. s outlives it. Free with wedr_sql_close. WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_sql_clone(const struct wedr_sql *s, struct wedr_sql *ret);
/* Connection of a day; NULL when it cannot be read. Borrowed. */
sqlite3 *wedr_sql_day_db(struct wedr_sql *s, size_t i);
/* state.db for reading. Borrowed. WEDR_E_NOENT: there is none (yet). */
WEDR_MUST_USE int wedr_sql_state_db(struct wedr_sql *s, sqlite3 **ret);
/* True when rc was such an error; it is noted. */
bool wedr_sql_note(struct wedr_sql *s, int rc);
/* The time is over, or the caller does not want the result any more. */
bool wedr_sql_timed_out(const struct wedr_sql *s);
/* Statements of db end with SQLITE_INTERRUPT when that is so; until the handler is taken away. */
void wedr_sql_watch(struct wedr_sql *s, sqlite3 *db);
/* Takes the scope over (NULL: every endpoint). WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_sql_set_scope(struct wedr_sql *s, const struct wedr_query_scope *scope);
/* False for a text of NULL, too. */
bool wedr_sql_in_scope(const struct wedr_sql *s, const char *agent);

/* Adds the virtual table `events` to db; s outlives db. */
WEDR_MUST_USE int wedr_sql_add_events(sqlite3 *db, struct wedr_sql *s);
/* Adds the virtual table `event_counts`. */
WEDR_MUST_USE int wedr_sql_add_counts(sqlite3 *db, struct wedr_sql *s);
/* Makes and fills ledger, ledger_loss, coverage_gaps and tamper in db, for the scope. */
WEDR_MUST_USE int wedr_sql_add_ledger(sqlite3 *db, struct wedr_sql *s, struct wedr_errinfo *ei);

/* Adds the tables over the state store: agents, alerts, alert_evidence, responses, rules,
 * process_tree. */
WEDR_MUST_USE int wedr_sql_add_state(sqlite3 *db, struct wedr_sql *s);
/* True when name is one of them. */
bool wedr_sql_is_state_table(const char *name);

/* One query on an opened folder; wedr_query_run is this with opening and closing around it. Of q
 * only the text, the parameters, limits on the result and callbacks are used. */
WEDR_MUST_USE int wedr_sql_query(struct wedr_sql *s,
                                 const struct wedr_query *q,
                                 struct wedr_query_result *ret,
                                 struct wedr_errinfo *ei);
/* The same, printed as wedr_sql_run does. */
WEDR_MUST_USE int
wedr_sql_print(struct wedr_sql *s, const char *sql, bool json, FILE *out, struct wedr_errinfo *ei);
