/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtual table `events`. It walks day files, blocks and lines; conditions on time, stream,
 * seq, type and process skip whole files, blocks and lines, and SQLite checks every condition again
 * on what is left. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "store/events/sql/block.h"
#include "store/events/sql/plan.h"
#include "store/events/sql/rows.h"
#include "store/events/sql/test_value.h"
#include <stdio.h>
#include <string.h>

#define TINY_BIT (1LL << 47)
#define ROWS_BETWEEN_CLOCKS 256u

static const char declaration[] =
    "CREATE TABLE events(ts INTEGER, received_at INTEGER, agent_id TEXT, hostname TEXT, epoch "
    "TEXT, boot_id TEXT,"
    " stream TEXT, seq INTEGER, lane TEXT, module TEXT, event_type TEXT, pid INTEGER, ppid INTEGER,"
    " process_key TEXT, parent_key TEXT, process_name TEXT, process_path TEXT, command_line TEXT, "
    "uid INTEGER,"
    " user TEXT, sha256 TEXT, target_path TEXT, remote_ip TEXT, remote_port INTEGER, dns_name TEXT,"
    " container_id TEXT, raw TEXT)";

struct table {
    sqlite3_vtab base;
    struct wedr_sql *sql;
};

struct cursor {
    sqlite3_vtab_cursor base;
    struct wedr_events_ask ask;
    struct wedr_rows *rows;
    struct wedr_block *block; /* the row's; NULL at the end */
    uint32_t row;
    int32_t day;
    uint32_t until_clock;
};

static int
connect(sqlite3 *db, void *aux, int argc, const char *const *argv, sqlite3_vtab **ret, char **err)
{
    (void)argc;
    (void)argv;
    (void)err;
    struct table *t = wedr_alloc(1, sizeof(*t));
    if (t == NULL) {
        return SQLITE_NOMEM;
    }
    t->sql = aux;
    int rc = sqlite3_declare_vtab(db, declaration);
    if (rc != SQLITE_OK) {
        wedr_free(t);
        return rc;
    }
    sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    *ret = &t->base;
    return SQLITE_OK;
}

static int disconnect(sqlite3_vtab *v)
{
    wedr_free(v);
    return SQLITE_OK;
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
    wedr_rows_free(c->rows);
    wedr_events_ask_fini(&c->ask);
    wedr_free(c);
    return SQLITE_OK;
}

/* SQLite's code for what would leave rows out. */
static int result_of(int failed)
{
    return failed == WEDR_E_BUSY      ? SQLITE_BUSY
           : failed == WEDR_E_TIMEOUT ? SQLITE_INTERRUPT
           : failed == WEDR_OK        ? SQLITE_OK
                                      : SQLITE_NOMEM;
}

/* A line that turns out not to be readable is no row, rather than one of NULLs. */
static bool needs_lines(const struct cursor *c)
{
    const uint32_t own = ((1u << C_PROCESS_KEY) - 1u) | 1u << C_PROCESS_NAME;
    return c->block->tiny || (c->ask.used & ~own) != 0;
}

static int next(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    if (++c->until_clock >= ROWS_BETWEEN_CLOCKS) {
        c->until_clock = 0;
        if (wedr_sql_timed_out(((struct table *)base->pVtab)->sql)) {
            return SQLITE_INTERRUPT;
        }
    }
    int err = wedr_rows_next(c->rows, &c->block, &c->row, &c->day);
    while (err == WEDR_OK && needs_lines(c) && !wedr_block_need_lines(c->block)) {
        err = wedr_rows_next(c->rows, &c->block, &c->row, &c->day);
    }
    if (err != WEDR_OK) {
        c->block = NULL;
    }
    return err == WEDR_E_NOENT ? SQLITE_OK : result_of(err);
}

static int
filter(sqlite3_vtab_cursor *base, int idx_num, const char *plan, int argc, sqlite3_value **argv)
{
    struct cursor *c = (struct cursor *)base;
    wedr_rows_free(c->rows);
    c->rows = NULL;
    c->block = NULL;
    int rc = wedr_events_ask_read(&c->ask, idx_num, plan, argc, argv);
    if (rc != SQLITE_OK) {
        return rc;
    }
    int err = wedr_rows_new(((struct table *)base->pVtab)->sql, &c->ask, &c->rows);
    return err == WEDR_OK ? next(base) : result_of(err);
}

static int at_end(sqlite3_vtab_cursor *base)
{
    return ((struct cursor *)base)->block == NULL;
}

static int row_id(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
    struct cursor *c = (struct cursor *)base;
    *ret = (int64_t)c->day << 48 | (c->block->tiny ? TINY_BIT : 0) |
           (c->block->id & 0x7FFFFFFF) << 16 | c->row;
    return SQLITE_OK;
}

static void result_hex(sqlite3_context *ctx, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 * WEDR_BOOT_ID_LEN];
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = digits[p[i] >> 4];
        text[2 * i + 1] = digits[p[i] & 15];
    }
    sqlite3_result_text(ctx, text, (int)(2 * n), SQLITE_TRANSIENT);
}

static void result_epoch(sqlite3_context *ctx, uint64_t epoch)
{
    uint8_t b[8];
    for (size_t i = 0; i < 8; i++) {
        b[i] = (uint8_t)(epoch >> (56 - 8 * i));
    }
    result_hex(ctx, b, sizeof(b));
}

static void result_code(sqlite3_context *ctx, struct cursor *c, int column)
{
    uint8_t code = 0;
    if (wedr_block_code(c->block, c->row, &code)) {
        const char *text = column == C_LANE     ? wedr_scan_lane(c->block->stream, code)
                           : column == C_MODULE ? wedr_events_module_text(code)
                                                : wedr_events_type_text(code);
        sqlite3_result_text(ctx, text, -1, SQLITE_STATIC);
    }
}

static void result_member(sqlite3_context *ctx, struct cursor *c, enum wedr_line_column column)
{
    if (!wedr_block_parse(c->block, c->row)) {
        return;
    }
    const struct wedr_lp_member *m = c->block->info.column[column];
    if (m == NULL) {
        return;
    }
    if (m->type == WEDR_LP_STR) {
        sqlite3_result_text64(ctx, m->s, m->s_len, SQLITE_TRANSIENT, SQLITE_UTF8);
    } else if (m->type == WEDR_LP_INT || m->type == WEDR_LP_BOOL) {
        sqlite3_result_int64(ctx, (sqlite3_int64)m->v);
    }
}

static void result_span(sqlite3_context *ctx, struct wedr_span s)
{
    sqlite3_result_text64(ctx, (const char *)s.p, s.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void result_from_block(sqlite3_context *ctx, struct cursor *c, int column)
{
    struct wedr_block *b = c->block;
    switch (column) {
    case C_RECEIVED_AT:
        sqlite3_result_int64(ctx, wedr_block_received_at(b, c->row));
        break;
    case C_AGENT_ID:
        sqlite3_result_text(ctx, b->agent, -1, SQLITE_TRANSIENT);
        break;
    case C_HOSTNAME:
        sqlite3_result_text(ctx, b->hostname, -1, SQLITE_TRANSIENT);
        break;
    case C_EPOCH:
        result_epoch(ctx, b->epoch);
        break;
    case C_BOOT_ID:
        result_hex(ctx, b->boot_id, sizeof(b->boot_id));
        break;
    case C_STREAM:
        sqlite3_result_text(ctx, b->stream, -1, SQLITE_TRANSIENT);
        break;
    default:
        result_code(ctx, c, column);
        break;
    }
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i)
{
    struct cursor *c = (struct cursor *)base;
    struct wedr_block *b = c->block;
    struct wedr_span s;
    int64_t v = 0;
    if (i == C_RECEIVED_AT || (i >= C_AGENT_ID && i <= C_STREAM) ||
        (i >= C_LANE && i <= C_EVENT_TYPE)) {
        result_from_block(ctx, c, i);
    } else if (i == C_RAW) {
        if (wedr_block_line(b, c->row, &s)) {
            result_span(ctx, s);
        }
    } else if (i == C_PROCESS_NAME) {
        if (wedr_block_name(b, c->row, &s)) {
            result_span(ctx, s);
        }
    } else if (i == C_TS     ? wedr_block_ts(b, c->row, &v)
               : i == C_SEQ  ? wedr_block_seq(b, c->row, &v)
               : i == C_PID  ? wedr_block_pid(b, c->row, WEDR_COLUMN_PID, &v)
               : i == C_PPID ? wedr_block_pid(b, c->row, WEDR_COLUMN_PPID, &v)
                             : false) {
        sqlite3_result_int64(ctx, v);
    } else if (i >= C_PROCESS_KEY) {
        result_member(ctx, c, (enum wedr_line_column)(i - C_PROCESS_KEY + WEDR_COL_PROCESS_KEY));
    }
    return result_of(((struct table *)base->pVtab)->sql->failed);
}

static void contains(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    (void)argc;
    const char *s = (const char *)sqlite3_value_text(argv[0]);
    const char *needle = (const char *)sqlite3_value_text(argv[1]);
    if (s == NULL || needle == NULL) {
        return; /* NULL */
    }
    size_t len = (size_t)sqlite3_value_bytes(argv[0]), n = (size_t)sqlite3_value_bytes(argv[1]);
    char *lower = wedr_strndup(needle, n);
    if (lower == NULL) {
        sqlite3_result_error_nomem(ctx);
        return;
    }
    wedr_lower(lower, n);
    sqlite3_result_int(ctx, wedr_contains(s, len, lower, n));
    wedr_free(lower);
}

/* contains(column, text) is a condition that the table can skip by. */
static int find_function(sqlite3_vtab *v,
                         int argc,
                         const char *name,
                         void (**ret)(sqlite3_context *, int, sqlite3_value **),
                         void **ret_arg)
{
    (void)v;
    if (argc != 2 || sqlite3_stricmp(name, "contains") != 0) {
        return 0;
    }
    *ret = contains;
    *ret_arg = NULL;
    return SQLITE_INDEX_CONSTRAINT_FUNCTION;
}

static const sqlite3_module events_module = {
    .iVersion = 1,
    .xConnect = connect,
    .xBestIndex = wedr_events_best_index,
    .xDisconnect = disconnect,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = at_end,
    .xColumn = column,
    .xRowid = row_id,
    .xFindFunction = find_function,
};

int wedr_sql_add_events(sqlite3 *db, struct wedr_sql *s)
{
    int rc = sqlite3_create_module(db, "events", &events_module, s);
    if (rc == SQLITE_OK) {
        rc = sqlite3_create_function(db, "contains", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                     contains, NULL, NULL);
    }
    return wedr_sqlite_error(db, rc);
}
