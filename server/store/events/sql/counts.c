/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtual table `event_counts`: how many events of each type each endpoint sent in each span of
 * time, without opening a line. What the metadata of a block says is enough when the block lies in
 * one span; else its columns of times and types are counted. Written like a function,
 * event_counts(span_s, from, to): all three may be left out, then it is hours over everything. */
#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "ingest/filter.h"
#include "store/events/sql/scan.h"
#include <stdlib.h>
#include <string.h>

#define SPAN_S 3600
#define SPAN_S_MAX (366ll * 86400)
#define US 1000000ll
#define SUMS_MAX (8u << 20)

enum counts_column { K_HOUR, K_TYPE, K_AGENT, K_HOSTNAME, K_COUNT, K_SPAN, K_FROM, K_TO };
/* Columns of `events` that stand for ours in a test. */
static const int event_column[] = {C_TS, C_EVENT_TYPE, C_AGENT_ID, C_HOSTNAME};

static const char declaration[] =
    "CREATE TABLE event_counts(hour INTEGER, event_type TEXT, agent_id TEXT, hostname TEXT, count "
    "INTEGER, span_s INTEGER HIDDEN, from_ts INTEGER HIDDEN, to_ts INTEGER HIDDEN)";

struct sum {
    int64_t begin;                    /* of the span */
    const struct wedr_block_meta *of; /* names the endpoint; NULL: free place */
    uint64_t count;
    uint8_t code;
};

struct table {
    sqlite3_vtab base;
    struct wedr_sql *sql;
};

struct cursor {
    sqlite3_vtab_cursor base;
    struct wedr_events_ask ask;
    int64_t span_us, from, to; /* inclusive */
    int64_t span_s;
    struct sum *slot; /* open addressing */
    size_t cap, count;
    size_t at;
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
    (void)sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    *ret = &t->base;
    return SQLITE_OK;
}

static int disconnect(sqlite3_vtab *v)
{
    wedr_free(v);
    return SQLITE_OK;
}

/* The plan as that of `events`: two letters a condition. Only equality is understood for the
 * function's arguments. */
static int best_index(sqlite3_vtab *v, sqlite3_index_info *info)
{
    char plan[2 * WEDR_TESTS_MAX + 1];
    int n = 0;
    (void)v;
    for (int i = 0; i < info->nConstraint && n + 2 < (int)sizeof(plan); i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];
        bool argument = c->iColumn >= K_SPAN;
        bool equal = c->op == SQLITE_INDEX_CONSTRAINT_EQ;
        if (argument && equal && !c->usable) {
            return SQLITE_CONSTRAINT;
        }
        bool range =
            c->iColumn == K_HOUR && c->op != SQLITE_INDEX_CONSTRAINT_NE &&
            (equal || c->op == SQLITE_INDEX_CONSTRAINT_GT || c->op == SQLITE_INDEX_CONSTRAINT_GE ||
             c->op == SQLITE_INDEX_CONSTRAINT_LT || c->op == SQLITE_INDEX_CONSTRAINT_LE);
        bool text = c->iColumn >= K_TYPE && c->iColumn <= K_HOSTNAME && equal;
        if (!c->usable || !(range || text || (argument && equal)) ||
            strcmp(sqlite3_vtab_collation(info, i), "BINARY") != 0) {
            continue;
        }
        bool in = equal && !argument && sqlite3_vtab_in(info, i, -1);
        if (in) {
            (void)sqlite3_vtab_in(info, i, 1);
        }
        plan[n++] = (char)('A' + c->iColumn);
        int op = c->op == SQLITE_INDEX_CONSTRAINT_GT || c->op == SQLITE_INDEX_CONSTRAINT_GE
                     ? WEDR_TEST_GE
                     : WEDR_TEST_LE;
        op = in ? 'I' : equal ? WEDR_TEST_ANY : op;
        plan[n++] = (char)op;
        info->aConstraintUsage[i].argvIndex = n / 2;
        info->aConstraintUsage[i].omit = argument;
    }
    plan[n] = 0;
    info->idxStr = sqlite3_mprintf("%s", plan);
    info->needToFreeIdxStr = 1;
    info->estimatedRows = 10000;
    info->estimatedCost = 100000;
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
    wedr_events_ask_fini(&c->ask);
    wedr_free(c->slot);
    wedr_free(c);
    return SQLITE_OK;
}

/* --- Sums. */

static bool same(const struct sum *s, int64_t begin, const struct wedr_block_meta *m, uint8_t code)
{
    return s->begin == begin && s->code == code &&
           (s->of == m ||
            (strcmp(s->of->agent, m->agent) == 0 && strcmp(s->of->hostname, m->hostname) == 0));
}

static uint64_t hash_of(int64_t begin, const struct wedr_block_meta *m, uint8_t code)
{
    uint64_t h = wedr_filter_hash(m->agent, strlen(m->agent));
    h = (h ^ (uint64_t)begin) * UINT64_C(0x9E3779B185EBCA87);
    h = (h ^ h >> 29 ^ code) * UINT64_C(0xC2B2AE3D27D4EB4F);
    return h ^ h >> 32;
}

static bool grow(struct cursor *c)
{
    size_t cap = c->cap == 0 ? 256 : c->cap * 2;
    struct sum *slot = cap > SUMS_MAX ? NULL : wedr_alloc(cap, sizeof(*slot));
    if (slot == NULL) {
        return false;
    }
    for (size_t i = 0; i < c->cap; i++) {
        const struct sum *s = &c->slot[i];
        if (s->of != NULL) {
            size_t k = (size_t)hash_of(s->begin, s->of, s->code) & (cap - 1);
            while (slot[k].of != NULL) {
                k = (k + 1) & (cap - 1);
            }
            slot[k] = *s;
        }
    }
    wedr_free(c->slot);
    c->slot = slot;
    c->cap = cap;
    return true;
}

static bool
add(struct cursor *c, int64_t begin, const struct wedr_block_meta *m, uint8_t code, uint64_t n)
{
    if (c->count * 2 >= c->cap && !grow(c)) {
        return false;
    }
    size_t k = (size_t)hash_of(begin, m, code) & (c->cap - 1);
    while (c->slot[k].of != NULL && !same(&c->slot[k], begin, m, code)) {
        k = (k + 1) & (c->cap - 1);
    }
    struct sum *s = &c->slot[k];
    if (s->of == NULL) {
        *s = (struct sum){.begin = begin, .of = m, .code = code};
        c->count++;
    }
    s->count += n;
    return true;
}

/* --- Blocks. */

static int64_t span_of(const struct cursor *c, int64_t ts)
{
    int64_t rest = ts % c->span_us;
    return ts - (rest < 0 ? rest + c->span_us : rest);
}

static bool add_counts(struct cursor *c, const struct wedr_block_meta *m)
{
    for (uint32_t i = 0; i + 6 <= m->counts_len; i += 6) {
        uint16_t code = wedr_le16(m->counts + i);
        uint32_t n = wedr_le32(m->counts + i + 2);
        if (code < 256 && n != 0 && c->ask.code_ok[code] &&
            !add(c, span_of(c, m->t0), m, (uint8_t)code, n)) {
            return false;
        }
    }
    return true;
}

/* Lines of one span, which mostly come one behind another. */
struct run {
    uint64_t lines[256];
    int64_t begin, end; /* of the span; end <= begin: there is none yet */
};

static bool flush(struct cursor *c, struct run *r, const struct wedr_block_meta *m)
{
    bool good = true;
    for (unsigned k = 0; good && r->begin < r->end && k < 256; k++) {
        good = r->lines[k] == 0 || add(c, r->begin, m, (uint8_t)k, r->lines[k]);
        r->lines[k] = 0;
    }
    return good;
}

static bool
add_line(struct cursor *c, struct run *r, const struct wedr_block_meta *m, int64_t ts, uint8_t code)
{
    if (!c->ask.code_ok[code] || ts < c->from || ts > c->to) {
        return true;
    }
    if (ts < r->begin || ts >= r->end) {
        if (!flush(c, r, m)) {
            return false;
        }
        r->begin = span_of(c, ts);
        r->end = r->begin + c->span_us;
    }
    r->lines[code]++;
    return true;
}

static bool add_lines(struct cursor *c, struct wedr_block *b, const struct wedr_block_meta *m)
{
    struct run r = {.begin = 0};
    const int64_t *times = NULL;
    const uint8_t *types = NULL;
    bool good = true;
    bool columns = !b->tiny && wedr_block_need_columns(b) &&
                   wedr_columns_ints(b->columns, WEDR_COLUMN_TS, &times) == WEDR_OK &&
                   wedr_columns_types(b->columns, &types) == WEDR_OK;
    for (uint32_t i = 0; good && i < b->n; i++) {
        int64_t ts = 0;
        uint8_t code = 0;
        if (columns ? types[i] != WEDR_TYPE_CODE_REJECTED : wedr_block_is_row(b, i)) {
            ts = columns ? times[i] : 0;
            code = columns ? types[i] : 0;
            if (columns || (wedr_block_ts(b, i, &ts) && wedr_block_code(b, i, &code))) {
                good = add_line(c, &r, m, ts, code);
            }
        }
    }
    return good && flush(c, &r, m);
}

static int
add_block(struct cursor *c, struct wedr_sql *s, size_t day, const struct wedr_block_meta *m)
{
    bool inside = m->t0 >= c->from && m->t1 <= c->to;
    if (inside && span_of(c, m->t0) == span_of(c, m->t1)) {
        return add_counts(c, m) ? WEDR_OK : WEDR_E_NOMEM;
    }
    struct wedr_block b;
    wedr_block_from_meta(&b, s, &s->days[day], m);
    bool good = add_lines(c, &b, m);
    wedr_block_fini(&b);
    return !good ? WEDR_E_NOMEM : s->failed != WEDR_OK ? s->failed : WEDR_OK;
}

static int add_days(struct cursor *c, struct wedr_sql *s)
{
    int err = WEDR_OK;
    for (size_t d = 0; err == WEDR_OK && d < s->day_count; d++) {
        const struct wedr_block_meta *m = NULL;
        size_t n = 0;
        if (wedr_sql_day_db(s, d) != NULL && (s->days[d].t1 < c->from || s->days[d].t0 > c->to)) {
            continue;
        }
        err = wedr_metas(s, d, &m, &n);
        for (size_t i = 0; err == WEDR_OK && i < n; i++) {
            if (m[i].t1 < c->from || m[i].t0 > c->to || !wedr_scan_wants(&c->ask, &m[i])) {
                continue;
            }
            err = wedr_sql_timed_out(s) ? WEDR_E_TIMEOUT : add_block(c, s, d, &m[i]);
        }
    }
    return err;
}

/* --- The query. */

/* Takes the arguments and bounds on hour out of the plan; what is left is a plan of `events`. */
static int read_plan(struct cursor *c, const char *plan, int argc, sqlite3_value **argv)
{
    char left[2 * WEDR_TESTS_MAX + 1];
    sqlite3_value *values[WEDR_TESTS_MAX];
    size_t n = 0;
    c->span_s = SPAN_S;
    c->from = INT64_MIN;
    c->to = INT64_MAX;
    for (size_t i = 0; i < (size_t)argc; i++) {
        int column = plan[2 * i] - 'A';
        if (column < (int)WEDR_ARRAY_COUNT(event_column)) { /* K_COUNT is never handed down */
            if (column != K_HOUR) { /* SQLite compares the hours; they are few */
                left[2 * n] = (char)('A' + event_column[column]);
                left[2 * n + 1] = plan[2 * i + 1];
                values[n++] = argv[i];
            }
            continue;
        }
        if (sqlite3_value_type(argv[i]) == SQLITE_NULL) {
            continue;
        }
        int64_t v = sqlite3_value_int64(argv[i]);
        c->span_s = column == K_SPAN ? v : c->span_s;
        c->from = column == K_FROM ? v : c->from;
        c->to = column == K_TO ? v : c->to;
    }
    left[2 * n] = 0;
    if (c->span_s < 1 || c->span_s > SPAN_S_MAX) {
        sqlite3_free(c->base.pVtab->zErrMsg);
        c->base.pVtab->zErrMsg = sqlite3_mprintf("event_counts: span_s is 1 to 31622400 seconds");
        return SQLITE_ERROR;
    }
    c->span_us = c->span_s * US;
    return wedr_events_ask_read(&c->ask, 0, left, (int)n, values);
}

static void settle(struct cursor *c)
{
    while (c->at < c->cap && c->slot[c->at].of == NULL) {
        c->at++;
    }
}

static int
filter(sqlite3_vtab_cursor *base, int idx_num, const char *plan, int argc, sqlite3_value **argv)
{
    struct cursor *c = (struct cursor *)base;
    (void)idx_num;
    wedr_free(c->slot);
    c->slot = NULL;
    c->cap = c->count = c->at = 0;
    int rc = read_plan(c, plan, argc, argv);
    if (rc != SQLITE_OK) {
        return rc;
    }
    int err = c->ask.nothing ? WEDR_OK : add_days(c, ((struct table *)base->pVtab)->sql);
    settle(c);
    return err == WEDR_OK          ? SQLITE_OK
           : err == WEDR_E_TIMEOUT ? SQLITE_INTERRUPT
           : err == WEDR_E_BUSY    ? SQLITE_BUSY
                                   : SQLITE_NOMEM;
}

static int next(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    c->at++;
    settle(c);
    return SQLITE_OK;
}

static int at_end(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    return c->at >= c->cap;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *ctx, int i)
{
    struct cursor *c = (struct cursor *)base;
    const struct sum *s = &c->slot[c->at];
    switch (i) {
    case K_HOUR:
        sqlite3_result_int64(ctx, s->begin);
        break;
    case K_TYPE:
        sqlite3_result_text(ctx, wedr_events_type_text(s->code), -1, SQLITE_STATIC);
        break;
    case K_AGENT:
        sqlite3_result_text(ctx, s->of->agent, -1, SQLITE_STATIC);
        break;
    case K_HOSTNAME:
        sqlite3_result_text(ctx, s->of->hostname, -1, SQLITE_STATIC);
        break;
    case K_COUNT:
        sqlite3_result_int64(ctx, (sqlite3_int64)s->count);
        break;
    case K_SPAN:
        sqlite3_result_int64(ctx, c->span_s);
        break;
    default: /* the bounds, as they were given */
        if (i == K_FROM ? c->from != INT64_MIN : c->to != INT64_MAX) {
            sqlite3_result_int64(ctx, i == K_FROM ? c->from : c->to);
        }
        break;
    }
    return SQLITE_OK;
}

static int row_id(sqlite3_vtab_cursor *base, sqlite3_int64 *ret)
{
    struct cursor *c = (struct cursor *)base;
    const struct sum *s = &c->slot[c->at];
    *ret = (sqlite3_int64)(hash_of(s->begin, s->of, s->code) >> 1);
    return SQLITE_OK;
}

static const sqlite3_module counts_module = {
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

int wedr_sql_add_counts(sqlite3 *db, struct wedr_sql *s)
{
    return wedr_sqlite_error(db, sqlite3_create_module(db, "event_counts", &counts_module, s));
}
