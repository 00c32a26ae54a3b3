/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/day_file.h — one SQLite file per day of receipt: tables, opening,
 * setting aside. The tables are described in docs/event-store.md. One thread per handle.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_DAY_APPLICATION_ID 0x57454456 /* "WEDV" */
#define WEDR_DAY_VERSION 2                 /* 2: each page has a checksum, see page_vfs.h */
#define WEDR_DAY_TEXT 11u                  /* "2026-11-23" with NUL */
#define WEDR_EVENTS_PATH_MAX 1024u
#define WEDR_DAY_BUSY_MS 5000 /* a handle waits so long for another's lock */
/* blk.flags */
#define WEDR_BLK_CANONICAL 1
#define WEDR_BLK_MADE 2 /* the frame is ours, not a batch as it was received: see `made` */
/* made.parts: u8 version, u8[3] 0, u32 batches; then per batch u32 lines, i64 received_at */
#define WEDR_PARTS_VERSION 1u
#define WEDR_PARTS_HEAD 8u
#define WEDR_PART_LEN 12u

/* WEDR_E_* for an SQLite result; a full disk (NOSPC) and too many open files (BUSY) are told apart
 * from other I/O errors. WEDR_OK for SQLITE_OK, ROW and DONE. */
int wedr_sqlite_error(sqlite3 *db, int sqlite_rc);

/* Day number since 1970 of a time, its text, and back (false: no such name). */
int32_t wedr_day_of(int64_t us);
void wedr_day_text(int32_t day, char ret[WEDR_DAY_TEXT]);
bool wedr_day_parse(const char *s, size_t len, int32_t *ret_day);
/* Day of a file name "2026-11-23.db"; false for any other name. */
bool wedr_day_of_file(const char *name, int32_t *ret_day);

/* sqlite3_open_v2 with what every database of the store needs: page checksums, no multi-threading,
 * no symbolic links. *ret NULL after an error. */
WEDR_MUST_USE int wedr_db_open(const char *path, int flags, sqlite3 **ret);
/* For the writer: creates the file when it is missing, checks identity, version and durability
 * settings. WEDR_E_CORRUPT: not ours, damaged or another day's file (set it aside); WEDR_E_VERSION:
 * written by a newer release; WEDR_E_NOSPC, IO. */
WEDR_MUST_USE int wedr_day_open(const char *path, sqlite3 **ret, struct wedr_errinfo *ei);
/* A new file with the tables of a version and nothing in them, for its first page; packed: as
 * VACUUM leaves it. */
WEDR_MUST_USE int wedr_day_make_empty(const char *path, int version, bool packed);
/* A further connection for writing to a file that is there (WEDR_E_NOENT), beside the one that
 * commits: what it writes is whole or not at all after a crash, but not at once durable. */
WEDR_MUST_USE int wedr_day_open_worker(const char *path, sqlite3 **ret);
/* The same tables without blocks, for what dropped files leave behind. */
WEDR_MUST_USE int wedr_catalog_open(const char *path, sqlite3 **ret, struct wedr_errinfo *ei);
/* WEDR_E_NOENT for a file without a byte, which is being made or was emptied: SQLite would throw
 * away a log that lies beside it. */
WEDR_MUST_USE int wedr_day_not_empty(const char *path);
/* For readers: nothing can be changed through it. WEDR_E_CORRUPT, WEDR_E_VERSION, WEDR_E_NOENT. */
WEDR_MUST_USE int wedr_day_open_reader(const char *path, sqlite3 **ret);

struct wedr_sqlite_blob {
    const void *p; /* NULL: NULL */
    size_t len;
};
/* Binds and runs one statement without results. fmt, a letter per value: i int64_t, t const char *,
 * b struct wedr_sqlite_blob. */
WEDR_MUST_USE int wedr_sqlite_run(sqlite3 *db, const char *sql, const char *fmt, ...);
#define WEDR_COUNTS_MAX (256u * 6u) /* u16 type code, u32 lines each */
struct wedr_sqlite_blob wedr_counts_blob(const uint32_t counts[256], uint8_t mem[WEDR_COUNTS_MAX]);
/* Runs statements without results. */
WEDR_MUST_USE int wedr_sqlite_exec(sqlite3 *db, const char *sql);
/* First column of the first row. WEDR_E_NOENT without a row. */
WEDR_MUST_USE int wedr_sqlite_int(sqlite3 *db, const char *sql, int64_t *ret);
