/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state/sqlite/db.h"
#include "core/base/err.h"
#include <stdarg.h>
#include <stdio.h>

int wedr_state_error(int sqlite_rc)
{
    switch (sqlite_rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return WEDR_OK;
    case SQLITE_FULL:
        return WEDR_E_NOSPC;
    case SQLITE_NOMEM:
        return WEDR_E_NOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return WEDR_E_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return WEDR_E_CORRUPT;
    case SQLITE_CONSTRAINT:
        return WEDR_E_EXIST;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
        return WEDR_E_PERM;
    default:
        return WEDR_E_IO;
    }
}

static int bind_all(sqlite3_stmt *st, const char *fmt, va_list ap)
{
    int rc = SQLITE_OK;
    for (int i = 1; rc == SQLITE_OK && fmt[i - 1] != '\0'; i++) {
        if (fmt[i - 1] == 'i') {
            rc = sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
        } else if (fmt[i - 1] == 't') {
            rc = sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
        } else {
            struct wedr_state_bytes b = va_arg(ap, struct wedr_state_bytes);
            rc = sqlite3_bind_blob64(st, i, b.p, b.len, SQLITE_STATIC);
        }
    }
    return rc;
}

static int
prepare_list(sqlite3 *db, sqlite3_stmt **ret, const char *sql, const char *fmt, va_list ap)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    rc = rc == SQLITE_OK ? bind_all(st, fmt, ap) : rc;
    if (rc != SQLITE_OK) {
        (void)sqlite3_finalize(st);
        return wedr_state_error(rc);
    }
    *ret = st;
    return WEDR_OK;
}

int wedr_state_prepare(sqlite3 *db, sqlite3_stmt **ret, const char *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int err = prepare_list(db, ret, sql, fmt, ap);
    va_end(ap);
    return err;
}

int wedr_state_read(struct wedr_state *s, sqlite3_stmt **ret, const char *sql, const char *fmt, ...)
{
    va_list ap;
    wedr_mutex_lock(s->read_lock);
    va_start(ap, fmt);
    int err = prepare_list(s->reader, ret, sql, fmt, ap);
    va_end(ap);
    return err;
}

bool wedr_state_row(sqlite3_stmt *st, int *err)
{
    if (*err != WEDR_OK) {
        return false;
    }
    int rc = sqlite3_step(st);
    *err = wedr_state_error(rc);
    return rc == SQLITE_ROW;
}

int wedr_state_read_end(struct wedr_state *s, sqlite3_stmt *st, int err)
{
    (void)sqlite3_finalize(st);
    wedr_mutex_unlock(s->read_lock);
    return err;
}

int wedr_state_run(sqlite3 *db, int *ret_changes, const char *sql, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int err = wedr_state_run_list(db, ret_changes, sql, fmt, ap);
    va_end(ap);
    return err;
}

int wedr_state_run_list(sqlite3 *db, int *ret_changes, const char *sql, const char *fmt, va_list ap)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    rc = rc == SQLITE_OK ? bind_all(st, fmt, ap) : rc;
    rc = rc == SQLITE_OK ? sqlite3_step(st) : rc;
    (void)sqlite3_finalize(st);
    if (wedr_state_error(rc) == WEDR_OK && ret_changes) {
        *ret_changes = sqlite3_changes(db);
    }
    return wedr_state_error(rc);
}

int wedr_state_again(sqlite3_stmt *st, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = bind_all(st, fmt, ap);
    va_end(ap);
    rc = rc == SQLITE_OK ? sqlite3_step(st) : rc;
    (void)sqlite3_reset(st);
    (void)sqlite3_clear_bindings(st);
    return wedr_state_error(rc);
}

int wedr_state_begin(struct wedr_state *s)
{
    wedr_mutex_lock(s->write_lock);
    return wedr_state_run(s->writer, NULL, "BEGIN IMMEDIATE", "");
}

int wedr_state_end(struct wedr_state *s, int err)
{
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL, "COMMIT", "");
    }
    if (err != WEDR_OK && !sqlite3_get_autocommit(s->writer)) {
        (void)sqlite3_exec(s->writer, "ROLLBACK", NULL, NULL, NULL);
    }
    wedr_mutex_unlock(s->write_lock);
    return err;
}

void wedr_state_text(sqlite3_stmt *st, int i, char *ret, size_t cap)
{
    const unsigned char *t = sqlite3_column_text(st, i);
    (void)snprintf(ret, cap, "%s", t ? (const char *)t : "");
}
