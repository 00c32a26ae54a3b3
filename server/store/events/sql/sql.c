/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/sql.h"

#include "core/base/err.h"
#include "store/events.h"
#include "store/print.h"
#include <float.h>
#include <string.h>

#define HEAP_LIMIT (512LL * 1024 * 1024)
#define SQL_LENGTH_MAX (1024 * 1024)
#define VALUE_LENGTH_MAX (64 * 1024 * 1024)
#define PROGRESS_STEPS 4000

static const char *const computed_tables[] = {"ledger", "ledger_loss", "coverage_gaps", "agents",
                                              "tamper"};
static const char *const state_views[] = {"alerts", "alert_evidence", "responses", "rules",
                                          "process_tree"};
/* What the views are made of; of agents only what process_tree shows. */
static const char *const state_tables[] = {"alert", "alert_evidence", "response",
                                           "rule",  "rule_version",   "process"};
static const char *const agent_columns[] = {"", "agent_id", "hostname"};
static const char *const other_tables[] = {"events", "json_each", "json_tree", "sqlite_master",
                                           "sqlite_schema"};

static bool named(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; name != NULL && i < count; i++) {
        if (sqlite3_stricmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A WITH table may be named like one of our views and then passes for it here: what is read decides
 * as well, so that neither keys nor token hashes nor bundles can be seen through a false name. */
static bool may_read_state(const char *table, const char *column, const char *view)
{
    bool known = named(table, state_tables, WEDR_ARRAY_COUNT(state_tables)) ||
                 (sqlite3_stricmp(table, "agent") == 0 &&
                  named(column, agent_columns, WEDR_ARRAY_COUNT(agent_columns)));
    bool counted = column != NULL && column[0] == 0; /* no column is read: count(*) of a view */
    return known && (counted || named(view, state_views, WEDR_ARRAY_COUNT(state_views)));
}

/* Reading the tables above, and functions that only compute. Everything else is refused. */
static int authorize(
    void *arg, int action, const char *a, const char *b, const char *schema, const char *trigger)
{
    static const char *const forbidden[] = {"load_extension", "fts3_tokenizer", "randomblob",
                                            "zeroblob", "sqlite_log"};
    (void)arg;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_READ:
        if (schema != NULL && strcmp(schema, "state") == 0) {
            return may_read_state(a, b, trigger) ? SQLITE_OK : SQLITE_DENY;
        }
        if (named(a, state_views, WEDR_ARRAY_COUNT(state_views)) ||
            named(a, computed_tables, WEDR_ARRAY_COUNT(computed_tables)) ||
            named(a, other_tables, WEDR_ARRAY_COUNT(other_tables))) {
            return SQLITE_OK;
        }
        /* No column is read: count(*) of a WITH table comes here under its own name. */
        return b != NULL && b[0] == 0 && sqlite3_strnicmp(a, "x_", 2) != 0 ? SQLITE_OK
                                                                           : SQLITE_DENY;
    case SQLITE_FUNCTION:
        return named(b, forbidden, WEDR_ARRAY_COUNT(forbidden)) ? SQLITE_DENY : SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

static int on_progress(void *arg)
{
    return wedr_sql_timed_out(arg) ? 1 : 0;
}

static void put_hex(FILE *out, const unsigned char *p, int len)
{
    for (int i = 0; i < len; i++) {
        (void)fprintf(out, "%02x", p[i]);
    }
}

static void put_json_value(FILE *out, sqlite3_stmt *st, int i)
{
    switch (sqlite3_column_type(st, i)) {
    case SQLITE_INTEGER:
        (void)fprintf(out, "%lld", (long long)sqlite3_column_int64(st, i));
        break;
    case SQLITE_FLOAT: {
        /* infinity has no JSON form; SQLite has no other odd value */
        double d = sqlite3_column_double(st, i);
        if (d > DBL_MAX || d < -DBL_MAX) {
            (void)fputs("null", out);
        } else {
            (void)fprintf(out, "%.17g", d);
        }
        break;
    }
    case SQLITE_TEXT: {
        const unsigned char *s = sqlite3_column_text(st, i);
        wedr_print_json(out, s, (size_t)sqlite3_column_bytes(st, i));
        break;
    }
    case SQLITE_BLOB: {
        const unsigned char *p = sqlite3_column_blob(st, i);
        (void)fputc('"', out);
        put_hex(out, p, sqlite3_column_bytes(st, i));
        (void)fputc('"', out);
        break;
    }
    default:
        (void)fputs("null", out);
        break;
    }
}

static void put_json_row(FILE *out, sqlite3_stmt *st, bool first)
{
    (void)fputs(first ? "[{" : ",\n{", out);
    for (int i = 0; i < sqlite3_column_count(st); i++) {
        const char *name = sqlite3_column_name(st, i);
        name = name == NULL ? "" : name;
        (void)fputs(i == 0 ? "" : ",", out);
        wedr_print_json(out, name, strlen(name));
        (void)fputc(':', out);
        put_json_value(out, st, i);
    }
    (void)fputc('}', out);
}

static void put_plain_row(FILE *out, sqlite3_stmt *st)
{
    for (int i = 0; i < sqlite3_column_count(st); i++) {
        (void)fputs(i == 0 ? "" : "\t", out);
        if (sqlite3_column_type(st, i) == SQLITE_BLOB) {
            put_hex(out, sqlite3_column_blob(st, i), sqlite3_column_bytes(st, i));
        } else if (sqlite3_column_type(st, i) != SQLITE_NULL) {
            const unsigned char *s = sqlite3_column_text(st, i);
            wedr_print_text(out, s, s == NULL ? 0 : (size_t)sqlite3_column_bytes(st, i));
        }
    }
    (void)fputc('\n', out);
}

static void put_plain_header(FILE *out, sqlite3_stmt *st)
{
    for (int i = 0; i < sqlite3_column_count(st); i++) {
        const char *name = sqlite3_column_name(st, i);
        (void)fputs(i == 0 ? "" : "\t", out);
        wedr_print_text(out, name, name == NULL ? 0 : strlen(name));
    }
    (void)fputc('\n', out);
}

static int explain(sqlite3 *db, int rc, struct wedr_errinfo *ei)
{
    switch (rc & 0xFF) {
    case SQLITE_INTERRUPT:
        return wedr_fail(ei, WEDR_E_TIMEOUT, "the query took longer than it may");
    case SQLITE_NOMEM:
        return wedr_fail(ei, WEDR_E_LIMIT, "the query needs more memory than it may have");
    case SQLITE_AUTH:
        return wedr_fail(ei, WEDR_E_PERM, "not allowed: %s", sqlite3_errmsg(db));
    case SQLITE_TOOBIG:
        return wedr_fail(ei, WEDR_E_LIMIT, "%s", sqlite3_errmsg(db));
    case SQLITE_ERROR:
        return wedr_fail(ei, WEDR_E_INVAL, "%s", sqlite3_errmsg(db));
    default:
        return wedr_fail(ei, wedr_sqlite_error(db, rc), "%s", sqlite3_errmsg(db));
    }
}

static int run(sqlite3 *db, const char *sql, bool json, FILE *out, struct wedr_errinfo *ei)
{
    sqlite3_stmt *st = NULL, *more = NULL;
    const char *tail = NULL;
    bool first = true;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, &tail);
    if (rc != SQLITE_OK) {
        return explain(db, rc, ei);
    }
    int more_rc = sqlite3_prepare_v2(db, tail, -1, &more, NULL);
    sqlite3_finalize(more);
    if (st == NULL || more != NULL || more_rc != SQLITE_OK || !sqlite3_stmt_readonly(st)) {
        sqlite3_finalize(st);
        return wedr_fail(ei, WEDR_E_INVAL, "exactly one SELECT is expected");
    }
    if (!json) {
        put_plain_header(out, st);
    }
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        if (json) {
            put_json_row(out, st, first);
        } else {
            put_plain_row(out, st);
        }
        first = false;
    }
    int err = rc == SQLITE_DONE ? WEDR_OK : explain(db, rc, ei);
    sqlite3_finalize(st);
    if (json && err == WEDR_OK) {
        (void)fputs(first ? "[]\n" : "]\n", out);
    }
    if (err == WEDR_OK && (fflush(out) != 0 || ferror(out))) {
        err = wedr_fail(ei, WEDR_E_IO, "the result could not be written");
    }
    return err;
}

/* Computed tables and views are made only for a query whose text names one. */
static bool mentions(const char *sql, const char *const *names, size_t count)
{
    for (; *sql != 0; sql++) {
        for (size_t i = 0; i < count; i++) {
            if (sqlite3_strnicmp(sql, names[i], (int)strlen(names[i])) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void set_limits(sqlite3 *db, struct wedr_sql *s)
{
    sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, SQL_LENGTH_MAX);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_LENGTH_MAX);
    sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_progress_handler(db, PROGRESS_STEPS, on_progress, s);
}

int wedr_sql_query(
    struct wedr_sql *s, const char *sql, bool json, FILE *out, struct wedr_errinfo *ei)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI;
    int rc = wedr_sqlite_error(NULL, sqlite3_open_v2(":memory:", &db, flags, NULL));
    if (rc != WEDR_OK) {
        sqlite3_close(db);
        return wedr_fail(ei, rc, "out of memory");
    }
    set_limits(db, s);
    rc = wedr_sqlite_exec(db, "PRAGMA temp_store=MEMORY");
    rc = rc == WEDR_OK ? wedr_sql_add_events(db, s) : rc;
    if (rc == WEDR_OK && mentions(sql, computed_tables, WEDR_ARRAY_COUNT(computed_tables))) {
        rc = wedr_sql_add_ledger(db, s, ei);
    }
    if (rc == WEDR_OK && mentions(sql, state_views, WEDR_ARRAY_COUNT(state_views))) {
        rc = wedr_sql_add_state(db, s, ei);
    }
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    if (rc == WEDR_OK) { /* connects the virtual table, which the authorizer would refuse */
        rc = wedr_sqlite_exec(db, "SELECT 1 FROM events WHERE agent_id='' LIMIT 0");
    }
    if (rc == WEDR_OK) {
        sqlite3_set_authorizer(db, authorize, NULL);
        rc = run(db, sql, json, out, ei);
    }
    sqlite3_close(db);
    return rc;
}

int wedr_sql_run(const char *data_dir,
                 const char *sql,
                 bool json,
                 uint32_t time_limit_ms,
                 FILE *out,
                 struct wedr_errinfo *ei)
{
    struct wedr_sql s;
    sqlite3_int64 before = sqlite3_hard_heap_limit64(HEAP_LIMIT);
    int rc = wedr_sql_open(data_dir, time_limit_ms, &s, ei);
    if (rc == WEDR_OK) {
        rc = wedr_sql_query(&s, sql, json, out, ei);
        wedr_sql_close(&s);
    }
    sqlite3_hard_heap_limit64(before);
    return rc;
}
