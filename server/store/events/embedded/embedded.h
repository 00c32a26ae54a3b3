/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/embedded.h — inside of the embedded event store, shared by its files
 * and tests.
 *
 * <data>/events/LOCK            held by the one writer process
 * <data>/events/2026-11-23.db   blocks, batches and ledger facts received on that day
 * <data>/events/catalog.db      what dropped days leave behind: high-water marks, expired counts,
 * their ledger facts
 */
#pragma once

#include "store/events.h"
#include "store/events/embedded/day_file.h"
#include "store/events/embedded/retain_clock.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/thread.h"

#define WEDR_EVENTS_MAGIC 0x45565453u
#define WEDR_OPEN_DAYS_MAX 4u
#define WEDR_EVENTS_KEEP_LOCK "KEEP" /* held by whoever deletes days or copies them */

struct wedr_keep;   /* keep.h: the thread that looks after the files */
struct wedr_recent; /* recent.h: what was committed lately, for readers of this process */

/* Statements of db, each prepared when it is first run and kept. Begins with db alone set, ends
 * before db is closed. */
#define WEDR_STATEMENTS_MAX 16u
struct wedr_statements {
    sqlite3 *db;
    const char *sql[WEDR_STATEMENTS_MAX];
    sqlite3_stmt *st[WEDR_STATEMENTS_MAX];
};

struct wedr_day_handle {
    int32_t day;
    sqlite3 *db; /* NULL: free place */
    uint64_t used;
    sqlite3_stmt *find;          /* newest batch that begins at or before a seq */
    struct wedr_statements kept; /* of commits into it */
    int log_frames;              /* length of the write-ahead log after the last commit */
};

/* A day's file, and of which day it is found to be. */
struct wedr_day_age {
    int32_t day, of;
    int32_t today; /* when that was found */
    uint64_t bytes;
};

/* The committing thread has all of it during a commit (lock); the housekeeping thread has the
 * catalog and the rest of a file that is `dropping`. */
struct wedr_events {
    uint32_t magic;
    struct wedr_mutex *lock;
    struct wedr_keep *keep;
    struct wedr_recent *recent;
    struct wedr_events_settings settings;
    int32_t dropping; /* this day's file is being deleted: nothing is stored in it; -1: none */
    uint64_t low_logged_ms;
    bool arrivals_unknown;          /* at the start: of a damaged file */
    char dir[WEDR_EVENTS_PATH_MAX]; /* <data>/events */
    wedr_handle dir_handle, folder_lock;
    sqlite3 *catalog;
    sqlite3
        *mem; /* per (agent, epoch, stream, day): range of seqs; rebuilt from the files at open */
    sqlite3_stmt *mem_days, *mem_put, *mem_mark;
    struct wedr_day_handle open[WEDR_OPEN_DAYS_MAX];
    uint64_t use_clock;
    int64_t arrival; /* order of arrival over all files: the newest number given out */
    uint64_t idle_ticks;
    bool dirty; /* written since the last full checkpoint */
    struct wedr_events_stats stats;
    /* retain.c's alone: room of days that were deleted, which readers may have open yet. */
    struct {
        uint64_t bytes, free_before; /* the disk had free_before when the first of them went */
        int64_t at_us;               /* of the last one */
    } owed;
    struct wedr_retain_clock clock;
    struct wedr_day_age *ages; /* in the order of their names, as of the last round */
    size_t age_count;
};

extern const struct wedr_events_read_ops wedr_events_read_embedded; /* reader.c */

/* Handle of a day; creates the file when create is set (WEDR_E_NOENT otherwise). Borrowed until the
 * next call. A damaged file is set aside, logged and then treated as missing. */
WEDR_MUST_USE int wedr_embedded_day(struct wedr_events *s,
                                    int32_t day,
                                    bool create,
                                    struct wedr_day_handle **ret,
                                    struct wedr_errinfo *ei);
/* Bytes of a file of the folder; 0 when it is not there. It is not opened: its locks stay. */
uint64_t wedr_embedded_file_size(const struct wedr_events *s, const char *name);
/* Closes the day's handle when it is open. */
void wedr_embedded_day_close(struct wedr_events *s, int32_t day);
/* Closes and renames a damaged day file, forgets its ranges. */
void wedr_embedded_set_aside(struct wedr_events *s, int32_t day);
/* catalog.c: opens the catalog; a damaged one is set aside and read into a new one. */
WEDR_MUST_USE int wedr_embedded_catalog(struct wedr_events *s, struct wedr_errinfo *ei);
/* Fills the map of ranges from every day file and the catalog. */
WEDR_MUST_USE int wedr_embedded_load(struct wedr_events *s, struct wedr_errinfo *ei);
/* Retention: the day's file is deleted; what the ledger needs moves to the catalog first.
 * Crash-safe; beside commits, which are refused for that day alone (WEDR_E_BUSY). */
WEDR_MUST_USE int
wedr_embedded_drop_day(struct wedr_events *s, int32_t day, struct wedr_errinfo *ei);

/* Rows of a query on `from` into an insert on `to`, column by column. The first error of either;
 * rows that were read before it are in. */
WEDR_MUST_USE int
wedr_sqlite_copy(sqlite3 *from, const char *select, sqlite3 *to, const char *insert);

/* Inserts one batch: block or tiny row, batch row, stream range, facts. Inside the caller's
 * transaction. number: of the batch in order of arrival; stored times WEDR_ARRIVAL_STEP, plus the
 * line for a fact. */
#define WEDR_ARRIVAL_STEP 65536
WEDR_MUST_USE int wedr_block_insert(sqlite3 *db, const struct wedr_prepared *p, int64_t number);
WEDR_MUST_USE int
wedr_blocks_insert(struct wedr_statements *s, const struct wedr_prepared *p, int64_t number);
/* As wedr_sqlite_run. sql: the same pointer each time, a literal of static life. Values are not
 * looked at after the return. */
WEDR_MUST_USE int
wedr_statements_run(struct wedr_statements *s, const char *sql, const char *fmt, ...);
void wedr_statements_fini(struct wedr_statements *s);
/* Writes down which seqs the batches of a day hold, for a loss record that names them after the day
 * is dropped. Inside the caller's transaction. */
WEDR_MUST_USE int wedr_runs_copy(sqlite3 *day, sqlite3 *catalog);
WEDR_MUST_USE int wedr_tamper_insert(sqlite3 *db, const struct wedr_prepared *p);
