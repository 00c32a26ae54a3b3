/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables over the state store: agents, alerts, alert_evidence, responses, rules, process_tree. Each
 * is a virtual table that asks state.db itself, with the caller's scope in the question. The store
 * is not attached to the analyst's connection, so that no text can name keys, token hashes or
 * another endpoint's rows. Comparisons and order are handed down; SQLite checks them again. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "ingest/filter.h"
#include "store/events/sql/sql.h"
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 40u
#define BUSY_MS 2000

struct state_column {
    const char *name, *type, *expression;
};

struct state_table {
    const char *name;
    size_t key_count; /* the first columns tell rows apart */
    const char *from;
    const char *agent; /* condition of the scope; NULL: the same for everyone */
    struct state_column column[COLUMNS_MAX];
};

#define SCOPED(column) "wedr_in_scope(" column ")"
/* An alert over several endpoints has none of its own: all of its evidence must be in scope. The
 * same as wedr_question_alert_scope of the state store. */
#define ALERT_SCOPED(id, agent)                                                           \
    "(" SCOPED(agent) " OR (" agent                                                       \
                      "='' AND EXISTS(SELECT 1 FROM alert_evidence x WHERE x.alert=" id   \
                      ") AND NOT EXISTS(SELECT 1 FROM alert_evidence x WHERE x.alert=" id \
                      " AND NOT " SCOPED("x.agent_id") ")))"

static const struct state_table tables[] = {
    {"agents",
     1,
     "agent",
     SCOPED("agent_id"),
     {{"agent_id", "TEXT", "agent_id"},
      {"hostname", "TEXT", "hostname"},
      {"os", "TEXT", "os"},
      {"os_version", "TEXT", "os_version"},
      {"agent_version", "TEXT", "agent_version"},
      {"enrolled_at", "INTEGER", "enrolled_us"},
      {"last_seen", "INTEGER", "last_seen_us"},
      {"cert_sha256", "TEXT", "cert_sha256"},
      {"revoked", "INTEGER", "revoked"},
      {"endpoint_group", "TEXT", "endpoint_group"}}},
    {"alerts",
     1,
     "alert",
     ALERT_SCOPED("alert.id", "alert.agent_id"),
     {{"id", "INTEGER", "id"},
      {"alert_id", "TEXT", "alert_id"},
      {"agent_id", "TEXT", "agent_id"},
      {"hostname", "TEXT", "hostname"},
      {"origin", "TEXT", "origin"},
      {"ts", "INTEGER", "ts"},
      {"received_at", "INTEGER", "received_at"},
      {"stored_at", "INTEGER", "stored_at"},
      {"rule_id", "TEXT", "rule_id"},
      {"rule_title", "TEXT", "rule_title"},
      {"rule_language", "TEXT", "rule_language"},
      {"severity", "TEXT", "severity"},
      {"state", "TEXT", "CASE state WHEN 0 THEN 'new' WHEN 1 THEN 'in_progress' ELSE 'closed' END"},
      {"assignee", "TEXT", "assignee"},
      {"message", "TEXT", "message"},
      {"tags", "TEXT", "tags"},
      {"actions", "TEXT", "actions"},
      {"pid", "INTEGER", "pid"},
      {"process_key", "TEXT", "process_key"},
      {"image_path", "TEXT", "image_path"},
      {"command_line", "TEXT", "command_line"},
      {"user", "TEXT", "user"},
      {"entity", "TEXT", "entity"},
      {"suppressed", "INTEGER", "suppressed"},
      {"match_count", "INTEGER", "match_count"},
      {"rules_serial", "TEXT", "rules_serial"},
      {"profile", "TEXT", "profile"},
      {"ancestry", "TEXT", "ancestry"},
      {"matched", "TEXT", "matched"}}},
    {"alert_evidence",
     3,
     "alert_evidence e JOIN alert a ON a.id=e.alert",
     ALERT_SCOPED("a.id", "a.agent_id") " AND " SCOPED("e.agent_id"),
     {{"alert_id", "TEXT", "a.alert_id"},
      {"alert", "INTEGER", "a.id"},
      {"n", "INTEGER", "e.n"},
      {"agent_id", "TEXT", "e.agent_id"},
      {"epoch", "TEXT", "e.epoch"},
      {"stream", "TEXT", "e.stream"},
      {"seq", "INTEGER", "e.seq"},
      {"event", "TEXT", "e.event"}}},
    {"responses",
     4,
     "response",
     SCOPED("agent_id"),
     {{"agent_id", "TEXT", "agent_id"},
      {"epoch", "TEXT", "epoch"},
      {"stream", "TEXT", "stream"},
      {"seq", "INTEGER", "seq"},
      {"hostname", "TEXT", "hostname"},
      {"ts", "INTEGER", "ts"},
      {"alert_id", "TEXT", "alert_id"},
      {"rule_id", "TEXT", "rule_id"},
      {"action", "TEXT", "action"},
      {"result", "TEXT", "result"},
      {"pid", "INTEGER", "pid"},
      {"process_key", "TEXT", "process_key"},
      {"detail", "TEXT", "detail"},
      {"duration_us", "INTEGER", "duration_us"}}},
    {"rules",
     1,
     "rule r JOIN rule_version v ON v.id=r.id AND v.version=r.version",
     NULL,
     {{"id", "TEXT", "r.id"},
      {"language", "TEXT", "r.language"},
      {"title", "TEXT", "r.title"},
      {"source", "TEXT", "r.source"},
      {"version", "INTEGER", "r.version"},
      {"enabled", "INTEGER", "r.enabled"},
      {"builtin", "INTEGER", "r.builtin"},
      {"updated_at", "INTEGER", "r.updated_us"},
      {"author", "TEXT", "v.author"},
      {"text", "TEXT", "CAST(v.text AS TEXT)"}}},
    {"process_tree",
     2,
     "process p LEFT JOIN agent a ON a.agent_id=p.agent_id",
     SCOPED("p.agent_id"),
     {{"agent_id", "TEXT", "p.agent_id"},
      {"process_key", "TEXT", "p.process_key"},
      {"hostname", "TEXT", "a.hostname"},
      {"parent_key", "TEXT", "p.parent_key"},
      {"pid", "INTEGER", "p.pid"},
      {"ppid", "INTEGER", "p.ppid"},
      {"image_path", "TEXT", "p.image_path"},
      {"command_line", "TEXT", "p.command_line"},
      {"user", "TEXT", "p.user"},
      {"started", "INTEGER", "p.started"},
      {"ended", "INTEGER", "p.ended"}}},
};

/* Columns that came with a later version of state.db's schema: of a store that no newer server
 * opened yet they are NULL. */
static const struct {
    const char *table, *column;
    int since;
} later[] = {{"agents", "endpoint_group", 5}, {"alerts", "state", 6}, {"alerts", "assignee", 6}};

struct state_source { /* one per table and query; freed by SQLite with the module */
    struct wedr_sql *sql;
    const struct state_table *table;
};

struct vtab {
    sqlite3_vtab base;
    struct state_source source;
};

struct cursor {
    sqlite3_vtab_cursor base;
    sqlite3_stmt *st; /* NULL: at the end */
};

bool wedr_sql_is_state_table(const char *name)
{
    for (size_t i = 0; name != NULL && i < WEDR_ARRAY_COUNT(tables); i++) {
        if (sqlite3_stricmp(name, tables[i].name) == 0) {
            return true;
        }
    }
    return false;
}

static void in_scope(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    const char *agent = (const char *)sqlite3_value_text(argv[0]);
    sqlite3_result_int(ctx, wedr_sql_in_scope(sqlite3_user_data(ctx), agent));
}

static int read_version(sqlite3 *db, int *ret)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL);
    if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        *ret = sqlite3_column_int(st, 0);
    }
    int end = sqlite3_finalize(st);
    return rc == SQLITE_OK ? end : rc;
}

int wedr_sql_state_db(struct wedr_sql *s, sqlite3 **ret)
{
    sqlite3 *db = NULL;
    if (s->state == NULL) {
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
        int rc = sqlite3_open_v2(s->state_path, &db, flags, NULL);
        if (rc == SQLITE_OK) {
            (void)sqlite3_busy_timeout(db, BUSY_MS);
            (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
            rc = sqlite3_exec(db, "PRAGMA query_only=1", NULL, NULL, NULL);
        }
        if (rc == SQLITE_OK) {
            rc = read_version(db, &s->state_version);
        }
        if (rc == SQLITE_OK) {
            rc = sqlite3_create_function(db, "wedr_in_scope", 1,
                                         SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, s,
                                         in_scope, NULL, NULL);
        }
        if (rc != SQLITE_OK) {
            (void)sqlite3_close(db);
            return (rc & 0xFF) == SQLITE_CANTOPEN ? WEDR_E_NOENT : wedr_sqlite_error(NULL, rc);
        }
        s->state = db;
    }
    *ret = s->state;
    return WEDR_OK;
}

static size_t column_count(const struct state_table *t)
{
    size_t n = 0;
    while (n < COLUMNS_MAX && t->column[n].name != NULL) {
        n++;
    }
    return n;
}

static const char *expression(const struct vtab *v, size_t column)
{
    const struct state_table *t = v->source.table;
    const struct state_column *c = &t->column[column];
    sqlite3 *db = NULL;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(later); i++) {
        if (strcmp(later[i].table, t->name) == 0 && strcmp(later[i].column, c->name) == 0 &&
            wedr_sql_state_db(v->source.sql, &db) == WEDR_OK &&
            v->source.sql->state_version < later[i].since) {
            return "NULL";
        }
    }
    return c->expression;
}

static int
connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **err)
{
    const struct state_source *source = aux;
    sqlite3_str *text = sqlite3_str_new(db);
    (void)argc;
    (void)argv;
    (void)err;
    sqlite3_str_appendf(text, "CREATE TABLE x(");
    for (size_t i = 0; i < column_count(source->table); i++) {
        const struct state_column *c = &source->table->column[i];
        sqlite3_str_appendf(text, "%s\"%w\" %s", i == 0 ? "" : ",", c->name, c->type);
    }
    sqlite3_str_appendf(text, ")");
    char *sql = sqlite3_str_finish(text);
    int rc = sql == NULL ? SQLITE_NOMEM : sqlite3_declare_vtab(db, sql);
    sqlite3_free(sql);
    struct vtab *v = rc == SQLITE_OK ? wedr_alloc(1, sizeof(*v)) : NULL;
    if (v == NULL) {
        return rc == SQLITE_OK ? SQLITE_NOMEM : rc;
    }
    v->source = *source;
    (void)sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    *ret = &v->base;
    return SQLITE_OK;
}

static int disconnect(sqlite3_vtab *v)
{
    wedr_free(v);
    return SQLITE_OK;
}

static const char *operator_text(unsigned char op)
{
    return op == SQLITE_INDEX_CONSTRAINT_EQ   ? "="
           : op == SQLITE_INDEX_CONSTRAINT_GT ? ">"
           : op == SQLITE_INDEX_CONSTRAINT_GE ? ">="
           : op == SQLITE_INDEX_CONSTRAINT_LT ? "<"
           : op == SQLITE_INDEX_CONSTRAINT_LE ? "<="
                                              : NULL;
}

/* The plan is three lines: the question, the conditions as "<column> <operator>;", the order. */
static double add_conditions(sqlite3_str *plan, sqlite3_index_info *info)
{
    double rows = 100000.0;
    int used = 0;
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];
        const char *op = operator_text(c->op);
        if (c->usable && op != NULL && c->iColumn >= 0 &&
            strcmp(sqlite3_vtab_collation(info, i), "BINARY") == 0) {
            info->aConstraintUsage[i].argvIndex = ++used;
            sqlite3_str_appendf(plan, "%d %s;", c->iColumn, op);
            rows *= c->op == SQLITE_INDEX_CONSTRAINT_EQ ? 0.001 : 0.3;
        }
    }
    return rows;
}

static void add_order(sqlite3_str *plan, const struct vtab *v, sqlite3_index_info *info)
{
    for (int i = 0; i < info->nOrderBy; i++) {
        if (info->aOrderBy[i].iColumn < 0) {
            return; /* the row id means nothing here */
        }
    }
    for (int i = 0; i < info->nOrderBy; i++) {
        sqlite3_str_appendf(plan, "%s%s%s", i == 0 ? " ORDER BY " : ",",
                            expression(v, (size_t)info->aOrderBy[i].iColumn),
                            info->aOrderBy[i].desc ? " DESC" : "");
    }
    info->orderByConsumed = info->nOrderBy != 0;
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    const struct vtab *v = (const struct vtab *)base;
    const struct state_table *t = v->source.table;
    sqlite3_str *plan = sqlite3_str_new(NULL);
    sqlite3_str_appendf(plan, "SELECT ");
    for (size_t i = 0; i < column_count(t); i++) {
        bool used = i < t->key_count || (info->colUsed >> (i < 63 ? i : 63) & 1u) != 0;
        sqlite3_str_appendf(plan, "%s%s", i == 0 ? "" : ",", used ? expression(v, i) : "0");
    }
    bool scoped = t->agent != NULL && v->source.sql->scope != NULL;
    sqlite3_str_appendf(plan, " FROM %s WHERE %s\n", t->from, scoped ? t->agent : "1");
    double rows = add_conditions(plan, info);
    sqlite3_str_appendf(plan, "\n");
    add_order(plan, v, info);
    info->idxStr = sqlite3_str_finish(plan);
    info->needToFreeIdxStr = 1;
    info->estimatedRows = rows < 1 ? 1 : (sqlite3_int64)rows;
    info->estimatedCost = rows + 10;
    return info->idxStr == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *v, sqlite3_vtab_cursor **ret)
{
    (void)v;
    struct cursor *c = wedr_alloc(1, sizeof(*c));
    if (c == NULL) {
        return SQLITE_NOMEM;
    }
    *ret = &c->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    (void)sqlite3_finalize(c->st);
    wedr_free(c);
    return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    if (wedr_sql_timed_out(((struct vtab *)base->pVtab)->source.sql)) {
        return SQLITE_INTERRUPT;
    }
    int rc = sqlite3_step(c->st);
    if (rc == SQLITE_ROW) {
        return SQLITE_OK;
    }
    (void)sqlite3_finalize(c->st);
    c->st = NULL;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Makes the question of a plan. A condition is handed down only with a value of the column's own
 * type: both sides compare those alike. NULL when out of memory. */
static char *question(const struct vtab *v, const char *plan, sqlite3_value **argv)
{
    const char *at = strchr(plan, '\n');
    sqlite3_str *sql = sqlite3_str_new(NULL);
    sqlite3_str_append(sql, plan, (int)(at - plan));
    at++;
    for (int i = 0; *at != '\n'; i++) {
        char *op = NULL;
        size_t column = strtoul(at, &op, 10);
        const struct state_column *c = &v->source.table->column[column];
        const char *end = strchr(op, ';');
        int type = sqlite3_value_type(argv[i]);
        if (strcmp(c->type, "TEXT") == 0 ? type == SQLITE_TEXT
                                         : type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
            sqlite3_str_appendf(sql, " AND %s%.*s?%d", expression(v, column), (int)(end - op), op,
                                i + 1);
        }
        at = end + 1;
    }
    sqlite3_str_appendall(sql, at + 1);
    return sqlite3_str_finish(sql);
}

static int prepare(struct cursor *c, sqlite3 *db, const char *plan, int argc, sqlite3_value **argv)
{
    char *sql = question((struct vtab *)c->base.pVtab, plan, argv);
    if (sql == NULL) {
        return SQLITE_NOMEM;
    }
    int rc = sqlite3_prepare_v2(db, sql, -1, &c->st, NULL);
    sqlite3_free(sql);
    for (int i = 0; rc == SQLITE_OK && i < argc && i < sqlite3_bind_parameter_count(c->st); i++) {
        rc = sqlite3_bind_value(c->st, i + 1, argv[i]);
    }
    return rc;
}

static int
filter(sqlite3_vtab_cursor *base, int idx_num, const char *plan, int argc, sqlite3_value **argv)
{
    struct cursor *c = (struct cursor *)base;
    struct vtab *v = (struct vtab *)base->pVtab;
    sqlite3 *db = NULL;
    (void)idx_num;
    (void)sqlite3_finalize(c->st);
    c->st = NULL;
    int err = wedr_sql_state_db(v->source.sql, &db);
    if (err != WEDR_OK) { /* before the server's first start there is nothing in it */
        return err == WEDR_E_NOENT ? SQLITE_OK : SQLITE_CANTOPEN;
    }
    int rc = prepare(c, db, plan, argc, argv);
    if (rc != SQLITE_OK) {
        sqlite3_free(v->base.zErrMsg);
        v->base.zErrMsg = sqlite3_mprintf("state.db: %s", sqlite3_errmsg(db));
        (void)sqlite3_finalize(c->st);
        c->st = NULL;
        return rc;
    }
    return next(base);
}

static int at_end(sqlite3_vtab_cursor *base)
{
    return ((struct cursor *)base)->st == NULL;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i)
{
    sqlite3_result_value(ctx, sqlite3_column_value(((struct cursor *)base)->st, i));
    return SQLITE_OK;
}

/* An OR of two conditions tells rows apart by this: a hash of the columns that do. */
static int row_id(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
    struct cursor *c = (struct cursor *)base;
    uint64_t h = 0;
    for (size_t i = 0; i < ((struct vtab *)base->pVtab)->source.table->key_count; i++) {
        const char *s = (const char *)sqlite3_column_text(c->st, (int)i);
        uint64_t one = wedr_filter_hash(s == NULL ? "" : s, s == NULL ? 0 : strlen(s));
        h = (h ^ one) * UINT64_C(0x9E3779B185EBCA87);
    }
    *ret = (sqlite3_int64)(h >> 1);
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .iVersion = 1,
    .xConnect = connect,
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = at_end,
    .xColumn = column,
    .xRowid = row_id,
};

static void free_source(void *p)
{
    wedr_free(p);
}

int wedr_sql_add_state(sqlite3 *db, struct wedr_sql *s)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < WEDR_ARRAY_COUNT(tables); i++) {
        struct state_source *source = wedr_alloc(1, sizeof(*source));
        if (source == NULL) {
            return WEDR_E_NOMEM;
        }
        *source = (struct state_source){s, &tables[i]};
        rc = sqlite3_create_module_v2(db, tables[i].name, &module, source, free_source);
    }
    return wedr_sqlite_error(db, rc);
}
