/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtual table `events`. It walks day files, blocks and lines; conditions on time, stream,
 * seq, type and process skip whole files, blocks and lines, and SQLite checks every condition again
 * on what is left. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "store/events/sql/block.h"
#include "store/events/sql/plan.h"
#include <stdio.h>
#include <string.h>

#define BLOCKS_A_PAGE 128
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
    size_t day;
    bool tiny, eof;
    int64_t *ids; /* page of block ids */
    int id_count, id_at;
    int64_t last_id;
    struct wedr_block block;
    bool block_open;
    uint32_t row;
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
    int64_t *ids = wedr_alloc(BLOCKS_A_PAGE, sizeof(*ids));
    if (c == NULL || ids == NULL) {
        wedr_free(c);
        wedr_free(ids);
        return SQLITE_NOMEM;
    }
    c->ids = ids;
    *ret = &c->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    wedr_block_fini(&c->block);
    wedr_events_ask_fini(&c->ask);
    wedr_free(c->ids);
    wedr_free(c);
    return SQLITE_OK;
}

#define PAGE_SQL(table, place)                                                      \
    "SELECT id FROM " table                                                         \
    " WHERE id>?1 AND (?2 IS NULL OR agent=?2) AND (?3 IS NULL OR stream=?3)"       \
    " AND (?4 IS NULL OR epoch=?4) AND t1>=?5 AND t0<=?6 AND seq1>=?7 AND seq0<=?8" \
    " AND NOT EXISTS(SELECT 1 FROM dead WHERE dead.id=" place ") ORDER BY id LIMIT ?9"

/* Next ids of this day and table that may have rows; the statement is closed at once, so that no
 * snapshot is held. */
static int next_page(struct cursor *c, sqlite3 *db)
{
    const struct wedr_events_ask *a = &c->ask;
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(
        db, c->tiny ? PAGE_SQL("tiny", "-tiny.id") : PAGE_SQL("blk", "blk.id"), -1, &st, NULL);
    if (rc != SQLITE_OK) {
        return rc;
    }
    sqlite3_bind_int64(st, 1, c->last_id);
    if (a->agent != NULL) {
        sqlite3_bind_text(st, 2, a->agent, -1, SQLITE_STATIC);
    }
    if (a->stream != NULL) {
        sqlite3_bind_text(st, 3, a->stream, -1, SQLITE_STATIC);
    }
    if (a->has_epoch) {
        sqlite3_bind_int64(st, 4, (int64_t)a->epoch);
    }
    sqlite3_bind_int64(st, 5, a->ts_min);
    sqlite3_bind_int64(st, 6, a->ts_max);
    sqlite3_bind_int64(st, 7, a->seq_min);
    sqlite3_bind_int64(st, 8, a->seq_max);
    sqlite3_bind_int(st, 9, BLOCKS_A_PAGE);
    c->id_count = c->id_at = 0;
    while (c->id_count < BLOCKS_A_PAGE && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        c->ids[c->id_count++] = sqlite3_column_int64(st, 0);
    }
    sqlite3_finalize(st);
    if (c->id_count != 0) {
        c->last_id = c->ids[c->id_count - 1];
    }
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Reads a block's metadata; *ret_use false when it went away or has no line of the type. */
static int
open_block(struct cursor *c, struct wedr_sql *sql, sqlite3 *db, int64_t id, bool *ret_use)
{
    sqlite3_stmt *st = NULL;
    *ret_use = false;
    int rc = sqlite3_prepare_v2(db,
                                c->tiny ? "SELECT " WEDR_BLOCK_COLUMNS " FROM tiny WHERE id=?1"
                                        : "SELECT " WEDR_BLOCK_COLUMNS " FROM blk WHERE id=?1",
                                -1, &st, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(st, 1, id);
        rc = sqlite3_step(st);
    }
    if (rc == SQLITE_ROW) {
        wedr_block_fini(&c->block);
        wedr_block_from_row(&c->block, sql, db, st, c->tiny);
        c->row = 0;
        sql->blocks_asked++;
        *ret_use = c->block.n > c->block.rejected && wedr_sql_in_scope(sql, c->block.agent) &&
                   (!c->ask.has_type || c->block.counts[c->ask.type] != 0);
    }
    sqlite3_finalize(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* SQLite's code for what would leave rows out. */
static int result_of(int failed)
{
    return failed == WEDR_E_BUSY      ? SQLITE_BUSY
           : failed == WEDR_E_TIMEOUT ? SQLITE_INTERRUPT
           : failed == WEDR_OK        ? SQLITE_OK
                                      : SQLITE_NOMEM;
}

/* Steps to the next block that may have rows; c->eof when there is none. */
static int next_block(struct cursor *c)
{
    struct wedr_sql *sql = ((struct table *)c->base.pVtab)->sql;
    c->block_open = false;
    for (; c->day < sql->day_count;
         c->day++, c->tiny = false, c->last_id = 0, c->id_count = c->id_at = 0) {
        sqlite3 *db = wedr_sql_day_db(sql, c->day);
        const struct wedr_sql_day *d = &sql->days[c->day];
        if (sql->failed != WEDR_OK) {
            return result_of(sql->failed);
        }
        if (db == NULL || d->t1 < c->ask.ts_min || d->t0 > c->ask.ts_max) {
            continue;
        }
        for (;;) {
            if (wedr_sql_timed_out(sql)) {
                return SQLITE_INTERRUPT;
            }
            int rc = c->id_at < c->id_count ? SQLITE_OK : next_page(c, db);
            if (rc != SQLITE_OK) {
                return rc;
            }
            if (c->id_count == 0) {
                if (c->tiny) {
                    break;
                }
                c->tiny = true;
                c->last_id = 0;
                continue;
            }
            rc = open_block(c, sql, db, c->ids[c->id_at++], &c->block_open);
            if (rc != SQLITE_OK || c->block_open) {
                return rc;
            }
        }
    }
    c->eof = true;
    return SQLITE_OK;
}

static bool row_wanted(struct cursor *c)
{
    const struct wedr_events_ask *a = &c->ask;
    struct wedr_block *b = &c->block;
    uint8_t code = 0;
    int64_t v = 0;
    if (!wedr_block_is_row(b, c->row)) {
        return false;
    }
    if ((a->seq_min > b->seq0 || a->seq_max < b->seq1) &&
        (!wedr_block_seq(b, c->row, &v) || v < a->seq_min || v > a->seq_max)) {
        return false;
    }
    if ((a->ts_min > b->t0 || a->ts_max < b->t1) &&
        (!wedr_block_ts(b, c->row, &v) || v < a->ts_min || v > a->ts_max)) {
        return false;
    }
    if (a->has_type && (!wedr_block_code(b, c->row, &code) || code != a->type)) {
        return false;
    }
    return !a->has_pid || (wedr_block_pid(b, c->row, WEDR_COLUMN_PID, &v) && v == a->pid);
}

/* From c->row on, to the next row that may answer the query. */
static int settle(struct cursor *c)
{
    struct wedr_sql *sql = ((struct table *)c->base.pVtab)->sql;
    while (!c->eof) {
        for (; c->block_open && c->row < c->block.n; c->row++) {
            if (++c->until_clock >= ROWS_BETWEEN_CLOCKS) {
                c->until_clock = 0;
                if (wedr_sql_timed_out(sql)) {
                    return SQLITE_INTERRUPT;
                }
            }
            if (row_wanted(c)) {
                return result_of(sql->failed);
            }
            if (c->block.failed != WEDR_OK) {
                break;
            }
        }
        int rc = sql->failed == WEDR_OK ? next_block(c) : result_of(sql->failed);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    return SQLITE_OK;
}

static int
filter(sqlite3_vtab_cursor *base, int idx_num, const char *plan, int argc, sqlite3_value **argv)
{
    struct cursor *c = (struct cursor *)base;
    (void)idx_num;
    wedr_block_fini(&c->block);
    c->day = 0;
    c->tiny = c->eof = c->block_open = false;
    c->last_id = 0;
    c->id_count = c->id_at = 0;
    int rc = wedr_events_ask_read(&c->ask, plan, argc, argv);
    if (rc != SQLITE_OK) {
        return rc;
    }
    c->eof = c->ask.nothing;
    return settle(c);
}

static int next(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    c->row++;
    return settle(c);
}

static int at_end(sqlite3_vtab_cursor *base)
{
    return ((struct cursor *)base)->eof;
}

static int row_id(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
    struct cursor *c = (struct cursor *)base;
    int64_t day = ((struct table *)base->pVtab)->sql->days[c->day].day;
    *ret = day << 48 | (c->tiny ? TINY_BIT : 0) | (c->block.id & 0x7FFFFFFF) << 16 | c->row;
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

static void result_type(sqlite3_context *ctx, struct cursor *c, int column)
{
    uint8_t code = 0;
    if (!wedr_block_code(&c->block, c->row, &code)) {
        return;
    }
    const struct wedr_type_info *t = wedr_type_by_code(code);
    const char *text = column == C_MODULE ? "plugin" : "plugin_event";
    if (t != NULL) {
        text = column == C_MODULE ? t->module : t->event_type;
    }
    sqlite3_result_text(ctx, text, -1, SQLITE_STATIC);
}

/* The stream is the lane for the kernel's events; else the type's default. */
static void result_lane(sqlite3_context *ctx, struct cursor *c)
{
    uint8_t code = 0;
    bool bulk = strcmp(c->block.stream, WEDR_STREAM_NAME_BULK) == 0;
    if (!bulk && strcmp(c->block.stream, WEDR_STREAM_NAME_CRITICAL) != 0) {
        const struct wedr_type_info *t =
            wedr_block_code(&c->block, c->row, &code) ? wedr_type_by_code(code) : NULL;
        bulk = t == NULL || t->lane == WEDR_LANE_BULK;
    }
    sqlite3_result_text(ctx, bulk ? "bulk" : "critical", -1, SQLITE_STATIC);
}

static void result_member(sqlite3_context *ctx, struct cursor *c, enum wedr_line_column column)
{
    if (!wedr_block_parse(&c->block, c->row)) {
        return;
    }
    const struct wedr_lp_member *m = c->block.info.column[column];
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
    struct wedr_block *b = &c->block;
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
    case C_LANE:
        result_lane(ctx, c);
        break;
    default:
        result_type(ctx, c, column);
        break;
    }
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i)
{
    struct cursor *c = (struct cursor *)base;
    struct wedr_block *b = &c->block;
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
};

int wedr_sql_add_events(sqlite3 *db, struct wedr_sql *s)
{
    return wedr_sqlite_error(db, sqlite3_create_module(db, "events", &events_module, s));
}
