/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/sql.h"
#include "store/events/sql/sql_functions.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/time.h"
#include <string.h>

#define SQL_LENGTH_MAX (1024 * 1024)
#define VALUE_LENGTH_MAX (16 * 1024 * 1024)
#define LIKE_LENGTH_MAX 512
#define PARAMETERS_MAX 1000

static const char *const computed_tables[] = {"ledger", "ledger_loss", "coverage_gaps", "tamper"};
static const char *const other_tables[] = {"events",    "event_counts",  "json_each",
                                           "json_tree", "sqlite_master", "sqlite_schema"};

static bool named(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; name != NULL && i < count; i++) {
        if (sqlite3_stricmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Reading the tables above, and functions that only compute. Everything else is refused. */
static int authorize(
    void *arg, int action, const char *a, const char *b, const char *schema, const char *trigger)
{
    static const char *const forbidden[] = {"load_extension", "fts3_tokenizer", "randomblob",
                                            "zeroblob", "sqlite_log"};
    (void)arg;
    (void)schema;
    (void)trigger;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_READ:
        if (wedr_sql_is_state_table(a) ||
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

static int explain(struct wedr_sql *s, sqlite3 *db, int rc, struct wedr_errinfo *ei)
{
    switch (rc & 0xFF) {
    case SQLITE_INTERRUPT:
        return wedr_time_mono_ms() >= s->deadline_ms
                   ? wedr_fail(ei, WEDR_E_TIMEOUT, "the query took longer than it may")
                   : wedr_fail(ei, WEDR_E_CLOSED, "the query was cancelled");
    case SQLITE_NOMEM:
        return wedr_fail(ei, WEDR_E_LIMIT, "the query needs more memory than it may have");
    case SQLITE_AUTH:
        return wedr_fail(ei, WEDR_E_PERM, "not allowed: %s", sqlite3_errmsg(db));
    case SQLITE_BUSY:
        return wedr_fail(ei, WEDR_E_BUSY,
                         "events were merged or deleted while the query read them: ask again");
    case SQLITE_TOOBIG:
        return wedr_fail(ei, WEDR_E_LIMIT, "%s", sqlite3_errmsg(db));
    case SQLITE_ERROR:
    case SQLITE_RANGE:
        return wedr_fail(ei, WEDR_E_INVAL, "%s", sqlite3_errmsg(db));
    default:
        return wedr_fail(ei, wedr_sqlite_error(db, rc), "%s", sqlite3_errmsg(db));
    }
}

/* --- One statement and what it gives. */

struct run {
    struct wedr_sql *sql;
    sqlite3 *db;
    const struct wedr_query *q;
    struct wedr_query_result *ret;
    struct wedr_errinfo *ei;
    sqlite3_stmt *st;
    size_t count; /* columns */
    struct wedr_query_value *values;
};

static int prepare(struct run *r)
{
    sqlite3_stmt *more = NULL;
    const char *tail = NULL;
    int rc = sqlite3_prepare_v2(r->db, r->q->sql, -1, &r->st, &tail);
    if (rc != SQLITE_OK) {
        r->ret->error_position = sqlite3_error_offset(r->db);
        return explain(r->sql, r->db, rc, r->ei);
    }
    int more_rc = sqlite3_prepare_v2(r->db, tail, -1, &more, NULL);
    sqlite3_finalize(more);
    if (r->st == NULL || more != NULL || more_rc != SQLITE_OK || !sqlite3_stmt_readonly(r->st)) {
        return wedr_fail(r->ei, WEDR_E_INVAL, "exactly one SELECT is expected");
    }
    return WEDR_OK;
}

static int bind(struct run *r)
{
    const struct wedr_query *q = r->q;
    int rc = SQLITE_OK;
    if (q->param_count > (size_t)sqlite3_bind_parameter_count(r->st)) {
        return wedr_fail(r->ei, WEDR_E_INVAL, "more values than parameters");
    }
    for (size_t i = 0; rc == SQLITE_OK && i < q->param_count; i++) {
        const struct wedr_query_value *v = &q->params[i];
        const char *p = v->s.len == 0 ? "" : (const char *)v->s.p;
        int at = (int)i + 1;
        switch (v->type) {
        case WEDR_QUERY_INT:
            rc = sqlite3_bind_int64(r->st, at, v->i);
            break;
        case WEDR_QUERY_REAL:
            rc = sqlite3_bind_double(r->st, at, v->r);
            break;
        case WEDR_QUERY_TEXT:
            rc = sqlite3_bind_text64(r->st, at, p, v->s.len, SQLITE_STATIC, SQLITE_UTF8);
            break;
        case WEDR_QUERY_BLOB:
            rc = sqlite3_bind_blob64(r->st, at, p, v->s.len, SQLITE_STATIC);
            break;
        default:
            break;
        }
    }
    return rc == SQLITE_OK ? WEDR_OK : explain(r->sql, r->db, rc, r->ei);
}

/* True when n more bytes may be given; they are counted. */
static bool take_bytes(struct run *r, uint64_t n)
{
    if (r->q->bytes_max != 0 && n > r->q->bytes_max - r->ret->bytes) {
        r->ret->truncated = true;
        return false;
    }
    r->ret->bytes += n;
    return true;
}

static int give_columns(struct run *r)
{
    uint64_t bytes = 0;
    const char **names = wedr_alloc(r->count + 1, sizeof(*names));
    if (names == NULL) {
        return wedr_fail(r->ei, WEDR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < r->count; i++) {
        const char *name = sqlite3_column_name(r->st, (int)i);
        names[i] = name == NULL ? "" : name;
        bytes += strlen(names[i]);
    }
    int err = WEDR_OK;
    if (take_bytes(r, bytes) && r->q->columns != NULL) {
        err = r->q->columns(r->q->arg, names, r->count);
    }
    wedr_free(names);
    return err;
}

static uint64_t read_value(sqlite3_stmt *st, int i, struct wedr_query_value *v)
{
    memset(v, 0, sizeof(*v));
    switch (sqlite3_column_type(st, i)) {
    case SQLITE_INTEGER:
        v->type = WEDR_QUERY_INT;
        v->i = sqlite3_column_int64(st, i);
        return 8;
    case SQLITE_FLOAT:
        v->type = WEDR_QUERY_REAL;
        v->r = sqlite3_column_double(st, i);
        return 8;
    case SQLITE_TEXT:
        v->type = WEDR_QUERY_TEXT;
        v->s.p = sqlite3_column_text(st, i);
        break;
    case SQLITE_BLOB:
        v->type = WEDR_QUERY_BLOB;
        v->s.p = sqlite3_column_blob(st, i);
        break;
    default:
        return 1;
    }
    v->s.len = v->s.p == NULL ? 0 : (size_t)sqlite3_column_bytes(st, i);
    return v->s.len;
}

/* False: a limit ends the result here. */
static bool read_row(struct run *r)
{
    uint64_t bytes = 0;
    if (r->q->rows_max != 0 && r->ret->rows == r->q->rows_max) {
        r->ret->truncated = true;
        return false;
    }
    for (size_t i = 0; i < r->count; i++) {
        bytes += read_value(r->st, (int)i, &r->values[i]);
    }
    return take_bytes(r, bytes);
}

static int give_rows(struct run *r)
{
    int rc;
    r->values = wedr_alloc(r->count + 1, sizeof(*r->values));
    if (r->values == NULL) {
        return wedr_fail(r->ei, WEDR_E_NOMEM, "out of memory");
    }
    while ((rc = sqlite3_step(r->st)) == SQLITE_ROW) {
        if (!read_row(r)) {
            return WEDR_OK;
        }
        if (wedr_sql_timed_out(r->sql)) { /* while the receiver was slow */
            return explain(r->sql, r->db, SQLITE_INTERRUPT, r->ei);
        }
        int err = r->q->row == NULL ? WEDR_OK : r->q->row(r->q->arg, r->values, r->count);
        if (err != WEDR_OK) {
            return err;
        }
        r->ret->rows++;
    }
    return rc == SQLITE_DONE ? WEDR_OK : explain(r->sql, r->db, rc, r->ei);
}

static int run(struct run *r)
{
    int err = prepare(r);
    if (err == WEDR_OK) {
        r->count = (size_t)sqlite3_column_count(r->st);
        err = bind(r);
    }
    err = err == WEDR_OK ? give_columns(r) : err;
    if (err == WEDR_OK && !r->ret->truncated) {
        err = give_rows(r);
    }
    sqlite3_finalize(r->st);
    wedr_free(r->values);
    return err;
}

/* --- The connection it runs on. */

/* Computed tables are made only for a query whose text names one. */
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
    sqlite3_limit(db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, LIKE_LENGTH_MAX);
    sqlite3_limit(db, SQLITE_LIMIT_VARIABLE_NUMBER, PARAMETERS_MAX);
    sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    wedr_sql_watch(s, db);
}

/* A virtual table declares its columns when it is first named, which the authorizer would refuse.
 */
static int connect_tables(sqlite3 *db)
{
    static const char *const tables[] = {"events", "event_counts",   "agents",
                                         "alerts", "alert_evidence", "responses",
                                         "rules",  "process_tree"};
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < WEDR_ARRAY_COUNT(tables); i++) {
        char text[64];
        sqlite3_stmt *st = NULL;
        (void)snprintf(text, sizeof(text), "SELECT 1 FROM %s", tables[i]);
        rc = sqlite3_prepare_v2(db, text, -1, &st, NULL);
        sqlite3_finalize(st);
    }
    return wedr_sqlite_error(db, rc);
}

static int query(struct wedr_sql *s,
                 const struct wedr_query *q,
                 struct wedr_query_result *ret,
                 struct wedr_errinfo *ei)
{
    struct run r = {.sql = s, .q = q, .ret = ret, .ei = ei};
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int err = wedr_sqlite_error(NULL, sqlite3_open_v2(":memory:", &r.db, flags, NULL));
    if (err != WEDR_OK) {
        sqlite3_close(r.db);
        return wedr_fail(ei, err, "out of memory");
    }
    set_limits(r.db, s);
    err = wedr_sqlite_exec(r.db, "PRAGMA temp_store=MEMORY");
    err = err == WEDR_OK ? wedr_sqlite_error(r.db, wedr_sql_add_functions(r.db)) : err;
    err = err == WEDR_OK ? wedr_sql_add_events(r.db, s) : err;
    err = err == WEDR_OK ? wedr_sql_add_counts(r.db, s) : err;
    err = err == WEDR_OK ? wedr_sql_add_state(r.db, s) : err;
    if (err == WEDR_OK && mentions(q->sql, computed_tables, WEDR_ARRAY_COUNT(computed_tables))) {
        err = wedr_sql_add_ledger(r.db, s, ei);
    }
    err = err == WEDR_OK ? connect_tables(r.db) : err;
    if (err == WEDR_OK) {
        sqlite3_set_authorizer(r.db, authorize, NULL);
        err = run(&r);
    }
    sqlite3_close(r.db);
    return err;
}

int wedr_sql_query(struct wedr_sql *s,
                   const struct wedr_query *q,
                   struct wedr_query_result *ret,
                   struct wedr_errinfo *ei)
{
    memset(ret, 0, sizeof(*ret));
    ret->error_position = -1;
    struct wedr_sql_budget *before = wedr_sql_budget_use(&s->budget);
    int err = query(s, q, ret, ei);
    (void)wedr_sql_budget_use(before);
    ret->elapsed_ms = (uint32_t)(wedr_time_mono_ms() - s->started_ms);
    ret->blocks_asked = s->blocks_asked;
    ret->blocks_opened = s->blocks_opened;
    ret->lines_parsed = s->lines_parsed;
    return err;
}

int wedr_query_run(const struct wedr_query *q,
                   struct wedr_query_result *ret,
                   struct wedr_errinfo *ei)
{
    struct wedr_sql s;
    memset(ret, 0, sizeof(*ret));
    ret->error_position = -1;
    int err = wedr_sql_open(q->data_dir, q->time_limit_ms, &s, ei);
    if (err != WEDR_OK) {
        return err;
    }
    s.cancel = q->cancel;
    if (q->memory_limit != 0) {
        s.budget.max = s.open_bytes_max = q->memory_limit;
    }
    err = wedr_sql_set_scope(&s, q->scope);
    err = err == WEDR_OK ? wedr_sql_query(&s, q, ret, ei) : wedr_fail(ei, err, "out of memory");
    wedr_sql_close(&s);
    return err;
}
