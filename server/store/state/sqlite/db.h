/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/state/sqlite/db.h — what the files of this backend share: the two connections, their
 * locks, and statements that are prepared for one call. A file per concept: agents and tokens,
 * rules, detection.
 */
#pragma once

#include "core/base/attr.h"
#include "store/state.h"
#include "wedr/plat/thread.h"
#include <sqlite3.h>
#include <stdarg.h>

#define WEDR_STATE_MAGIC 0x57535154u
#define WEDR_TOKEN_KEY_LEN 32u
#define WEDR_TOTP_KEY_LEN 32u

struct wedr_state_counts; /* detect.h */
struct wedr_state_triage; /* triage.h */
struct wedr_state_agents; /* prepared statements of state_sqlite.c */

struct wedr_state {
    uint32_t magic;
    struct wedr_mutex *write_lock, *read_lock;
    sqlite3 *writer, *reader; /* each under its lock */
    struct wedr_state_agents *agents;
    struct wedr_agent_cache *known;
    struct wedr_state_triage *triage; /* connections for questions of people */
    struct wedr_state_counts *counts; /* of the writer; NULL until needed */
    /* Limits; tests lower them. */
    uint64_t kept[2];                      /* alerts and responses of all agents */
    uint64_t kept_bytes, kept_agent_bytes; /* of alerts: of all agents, of one */
    uint8_t token_key[WEDR_TOKEN_KEY_LEN];
    uint8_t totp_key[WEDR_TOTP_KEY_LEN];
};

/* WEDR_E_* of an SQLite result; WEDR_OK for OK, ROW and DONE. */
int wedr_state_error(int sqlite_rc);

struct wedr_state_bytes {
    const void *p;
    size_t len;
};

/* Prepares sql and binds, per letter of fmt: t const char * (NULL: NULL), i int64_t, b struct
 * wedr_state_bytes. The values must live until the statement is finalized. */
WEDR_MUST_USE int
wedr_state_prepare(sqlite3 *db, sqlite3_stmt **ret, const char *sql, const char *fmt, ...);
/* Runs one statement that gives no rows. ret_changes may be NULL. */
WEDR_MUST_USE int
wedr_state_run(sqlite3 *db, int *ret_changes, const char *sql, const char *fmt, ...);
WEDR_MUST_USE int
wedr_state_run_list(sqlite3 *db, int *ret_changes, const char *sql, const char *fmt, va_list ap);
/* Binds what fmt says to a statement that is kept, steps it once and resets it. */
WEDR_MUST_USE int wedr_state_again(sqlite3_stmt *st, const char *fmt, ...);

/* A question to the reader: takes the read lock and prepares as above; always followed by
 * wedr_state_read_end, whatever it returns. */
WEDR_MUST_USE int
wedr_state_read(struct wedr_state *s, sqlite3_stmt **ret, const char *sql, const char *fmt, ...);
/* Steps to the next row. False: there is none, or *err is not WEDR_OK (any more). */
bool wedr_state_row(sqlite3_stmt *st, int *err);
/* Finalizes (NULL is allowed) and gives the lock back; err. */
int wedr_state_read_end(struct wedr_state *s, sqlite3_stmt *st, int err);

/* A write transaction: takes the write lock; always followed by wedr_state_end, whatever it
 * returns. */
WEDR_MUST_USE int wedr_state_begin(struct wedr_state *s);
/* Commits when err is WEDR_OK, else rolls back; gives the lock back; the first error. */
int wedr_state_end(struct wedr_state *s, int err);

#define WEDR_TOKEN_HASH_LEN 32u
/* What is stored of an enrolment token. WEDR_E_AUTH when it is empty or too long. */
WEDR_MUST_USE int wedr_state_token_hash(const struct wedr_state *s,
                                        const char *token,
                                        uint8_t ret[WEDR_TOKEN_HASH_LEN]);

/* Text of column i into ret, cut at cap; "" for NULL. */
void wedr_state_text(sqlite3_stmt *st, int i, char *ret, size_t cap);
