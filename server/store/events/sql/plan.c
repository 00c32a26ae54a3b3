/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/plan.h"

#include "core/base/utf16.h"
#include "core/util/alloc.h"
#include "ingest/line_schema.h"
#include "store/events/sql/test_value.h"
#include <string.h>

#define USED_BITS ((1 << C_COUNT) - 1)
#define ORDER_ASCENDING (1 << 28)
#define ORDER_DESCENDING (1 << 29)
#define TEXT_MAX (1u << 20) /* longer values are not handed down */
#define IN_MAX 100000u      /* values of one IN */

bool wedr_events_is_number(int column)
{
    return column == C_TS || column == C_RECEIVED_AT || column == C_SEQ || column == C_PID ||
           column == C_PPID || column == C_UID || column == C_REMOTE_PORT;
}

/* How a condition is written into the plan. 0 when it is not used. */
static int plan_op(int column, unsigned char op)
{
    bool text = !wedr_events_is_number(column);
    switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
        return WEDR_TEST_ANY;
    case SQLITE_INDEX_CONSTRAINT_GT:
        return WEDR_TEST_GT;
    case SQLITE_INDEX_CONSTRAINT_GE:
        return WEDR_TEST_GE;
    case SQLITE_INDEX_CONSTRAINT_LT:
        return WEDR_TEST_LT;
    case SQLITE_INDEX_CONSTRAINT_LE:
        return WEDR_TEST_LE;
    case SQLITE_INDEX_CONSTRAINT_LIKE:
        return text ? WEDR_TEST_LIKE : 0;
    case SQLITE_INDEX_CONSTRAINT_FUNCTION:
        return text ? WEDR_TEST_CONTAINS : 0;
    default:
        return 0;
    }
}

static double selectivity(int column, int op)
{
    if (op != WEDR_TEST_ANY) {
        return op == WEDR_TEST_LIKE || op == WEDR_TEST_CONTAINS ? 0.05 : 0.25;
    }
    switch (column) {
    case C_TS:
        return 0.00001;
    case C_SEQ:
    case C_PID:
    case C_PROCESS_KEY:
    case C_PARENT_KEY:
        return 0.0001;
    case C_LANE:
    case C_MODULE:
        return 0.5;
    case C_STREAM:
    case C_EVENT_TYPE:
        return 0.1;
    default:
        return 0.01;
    }
}

int wedr_events_best_index(sqlite3_vtab *v, sqlite3_index_info *info)
{
    char plan[2 * WEDR_TESTS_MAX + 1];
    int n = 0;
    double rows = 10000000.0;
    (void)v;
    for (int i = 0; i < info->nConstraint && n + 2 < (int)sizeof(plan); i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];
        int op = c->iColumn < 0 ? 0 : plan_op(c->iColumn, c->op); /* -1: the row id */
        if (!c->usable || op == 0 || strcmp(sqlite3_vtab_collation(info, i), "BINARY") != 0) {
            continue;
        }
        if (op == WEDR_TEST_ANY && sqlite3_vtab_in(info, i, -1)) {
            (void)sqlite3_vtab_in(info, i, 1); /* all values at once: the order holds over them */
            op = 'I';
        }
        plan[n++] = (char)('A' + c->iColumn);
        plan[n++] = (char)op;
        info->aConstraintUsage[i].argvIndex = n / 2;
        rows *= selectivity(c->iColumn, op == 'I' ? WEDR_TEST_ANY : op);
    }
    plan[n] = 0;
    info->idxNum = (int)(info->colUsed & USED_BITS);
    if (info->nOrderBy == 1 && info->aOrderBy[0].iColumn == C_TS) {
        info->idxNum |= info->aOrderBy[0].desc ? ORDER_DESCENDING : ORDER_ASCENDING;
        info->orderByConsumed = 1;
    }
    info->idxStr = sqlite3_mprintf("%s", plan);
    info->needToFreeIdxStr = 1;
    info->estimatedRows = rows < 1 ? 1 : (sqlite3_int64)rows;
    info->estimatedCost = rows < 1 ? 1 : rows;
    return info->idxStr == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

static void test_fini(struct wedr_test *t)
{
    for (size_t i = 0; t->text != NULL && i < t->count; i++) {
        wedr_free((void *)(uintptr_t)t->text[i].p);
    }
    wedr_free(t->text);
    wedr_free(t->number);
    memset(t, 0, sizeof(*t));
}

void wedr_events_ask_fini(struct wedr_events_ask *a)
{
    for (size_t i = 0; i < a->count; i++) {
        test_fini(&a->test[i]);
    }
    memset(a, 0, sizeof(*a));
}

void wedr_events_ask_init(struct wedr_events_ask *a)
{
    memset(a, 0, sizeof(*a));
    a->ts_min = a->seq_min = INT64_MIN;
    a->ts_max = a->seq_max = INT64_MAX;
    memset(a->code_ok, 1, sizeof(a->code_ok));
}

const char *wedr_events_type_text(uint8_t code)
{
    const struct wedr_type_info *t = wedr_type_by_code(code);
    return t != NULL ? t->event_type : "plugin_event";
}

const char *wedr_events_module_text(uint8_t code)
{
    const struct wedr_type_info *t = wedr_type_by_code(code);
    return t != NULL ? t->module : "plugin";
}

/* --- Values. What cannot be compared here exactly as SQLite does it is not used at all. */

enum { NOT_USED = -1 };

/* Room for one more value; false when out of memory. */
static bool grow(struct wedr_test *t)
{
    if ((t->count & (t->count - 1)) != 0) {
        return true; /* the room doubles at powers of two */
    }
    size_t cap = t->count == 0 ? 1 : t->count * 2;
    if (wedr_events_is_number(t->column)) {
        int64_t *p = wedr_realloc(t->number, cap, sizeof(*p));
        t->number = p != NULL ? p : t->number;
        return p != NULL;
    }
    struct wedr_span *p = wedr_realloc(t->text, cap, sizeof(*p));
    t->text = p != NULL ? p : t->text;
    return p != NULL;
}

static int add_text(struct wedr_test *t, const char *s, size_t len, bool lower)
{
    char *copy = grow(t) ? wedr_strndup(s, len) : NULL;
    if (copy == NULL) {
        return SQLITE_NOMEM;
    }
    if (lower) {
        wedr_lower(copy, len);
    }
    t->text[t->count++] = wedr_span(copy, len);
    return SQLITE_OK;
}

/* A bound that is no integer is widened to the next one. Lines may hold uid and remote_port as
 * text: such a value passes every test. */
static int add_number(struct wedr_test *t, sqlite3_value *v)
{
    int type = sqlite3_value_numeric_type(v);
    bool any = t->op == WEDR_TEST_ANY;
    int64_t n;
    if (type == SQLITE_INTEGER) {
        n = sqlite3_value_int64(v);
    } else if (type == SQLITE_FLOAT) {
        double d = sqlite3_value_double(v);
        if (!(d > -9e18 && d < 9e18)) {
            return any ? SQLITE_OK : NOT_USED;
        }
        n = (int64_t)d;
        if (any && (double)n != d) {
            return SQLITE_OK; /* equals no integer */
        }
        if (any && (n > (1LL << 53) || n < -(1LL << 53))) {
            return NOT_USED; /* several integers are this number */
        }
        n += any ? 0 : t->op == WEDR_TEST_GT || t->op == WEDR_TEST_GE ? -1 : 1;
        t->op = (uint8_t)(t->op == WEDR_TEST_GT   ? WEDR_TEST_GE
                          : t->op == WEDR_TEST_LT ? WEDR_TEST_LE
                                                  : t->op);
    } else {
        return any && type == SQLITE_NULL ? SQLITE_OK : NOT_USED; /* a text */
    }
    if (!grow(t)) {
        return SQLITE_NOMEM;
    }
    t->number[t->count++] = n;
    return SQLITE_OK;
}

/* The texts between the wildcards. */
static int add_pattern(struct wedr_test *t, const char *s, size_t len)
{
    t->anchored = len != 0 && s[0] != '%' && s[0] != '_';
    for (size_t i = 0, from = 0; i <= len; i++) {
        if (i < len && s[i] != '%' && s[i] != '_') {
            continue;
        }
        int rc = i > from ? add_text(t, s + from, i - from, true) : SQLITE_OK;
        if (rc != SQLITE_OK) {
            return rc;
        }
        from = i + 1;
    }
    return SQLITE_OK;
}

static int add_value(struct wedr_test *t, sqlite3_value *v)
{
    int type = sqlite3_value_type(v);
    if (type == SQLITE_NULL || type == SQLITE_BLOB) { /* equals nothing that we have */
        return t->op == WEDR_TEST_ANY ? SQLITE_OK : NOT_USED;
    }
    if (wedr_events_is_number(t->column)) {
        return add_number(t, v);
    }
    if (type != SQLITE_TEXT) { /* how a number is compared depends on where it comes from */
        return NOT_USED;
    }
    const char *s = (const char *)sqlite3_value_text(v);
    size_t len = (size_t)sqlite3_value_bytes(v);
    if (s == NULL) {
        return SQLITE_NOMEM;
    }
    if (len > TEXT_MAX) {
        return NOT_USED;
    }
    if (t->op == WEDR_TEST_LIKE || t->op == WEDR_TEST_CONTAINS) {
        if (memchr(s, 0, len) != NULL || !wedr_utf8_valid(s, len)) {
            return NOT_USED;
        }
        return t->op == WEDR_TEST_LIKE ? add_pattern(t, s, len) : add_text(t, s, len, true);
    }
    return add_text(t, s, len, false);
}

static int add_values(struct wedr_test *t, bool in, sqlite3_value *v)
{
    if (!in) {
        return add_value(t, v);
    }
    sqlite3_value *one = NULL;
    int rc = SQLITE_OK;
    int more = sqlite3_vtab_in_first(v, &one);
    for (; rc == SQLITE_OK && more == SQLITE_OK && one != NULL;
         more = sqlite3_vtab_in_next(v, &one)) {
        rc = t->count < IN_MAX ? add_value(t, one) : NOT_USED;
    }
    if (rc == SQLITE_OK && more != SQLITE_OK && more != SQLITE_DONE) {
        rc = more;
    }
    return rc;
}

/* --- What the tests say about whole blocks. */

static void limit_range(const struct wedr_test *t, int64_t *min, int64_t *max)
{
    int64_t lo = INT64_MAX, hi = INT64_MIN;
    for (size_t i = 0; i < t->count; i++) {
        lo = t->number[i] < lo ? t->number[i] : lo;
        hi = t->number[i] > hi ? t->number[i] : hi;
    }
    bool low = t->op == WEDR_TEST_ANY || t->op == WEDR_TEST_GT || t->op == WEDR_TEST_GE;
    bool high = t->op == WEDR_TEST_ANY || t->op == WEDR_TEST_LT || t->op == WEDR_TEST_LE;
    *min = low && lo > *min ? lo : *min;
    *max = high && hi < *max ? hi : *max;
}

static void summarize(struct wedr_events_ask *a)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct wedr_test *t = &a->test[i];
        a->nothing = a->nothing || (t->op == WEDR_TEST_ANY && t->count == 0 && t->column != C_UID &&
                                    t->column != C_REMOTE_PORT);
        if (t->column == C_TS) {
            limit_range(t, &a->ts_min, &a->ts_max);
        } else if (t->column == C_SEQ) {
            limit_range(t, &a->seq_min, &a->seq_max);
        }
        for (unsigned code = 0; code < 256; code++) {
            const char *text = t->column == C_EVENT_TYPE ? wedr_events_type_text((uint8_t)code)
                               : t->column == C_MODULE   ? wedr_events_module_text((uint8_t)code)
                                                         : NULL;
            if (text != NULL && !wedr_test_text(t, text, strlen(text))) {
                a->code_ok[code] = false;
            }
        }
    }
    a->nothing = a->nothing || a->ts_min > a->ts_max || a->seq_min > a->seq_max;
}

int wedr_events_ask_read(
    struct wedr_events_ask *a, int idx_num, const char *plan, int argc, sqlite3_value **argv)
{
    wedr_events_ask_fini(a);
    wedr_events_ask_init(a);
    a->used = (uint32_t)idx_num & USED_BITS;
    a->order = (idx_num & ORDER_ASCENDING) != 0 ? 1 : (idx_num & ORDER_DESCENDING) != 0 ? -1 : 0;
    for (int i = 0; i < argc; i++, plan += 2) {
        struct wedr_test *t = &a->test[a->count++];
        *t = (struct wedr_test){.column = (uint8_t)(plan[0] - 'A'),
                                .op = (uint8_t)(plan[1] == 'I' ? WEDR_TEST_ANY : plan[1])};
        int rc = add_values(t, plan[1] == 'I', argv[i]);
        if (rc == NOT_USED) {
            test_fini(t);
            a->count--;
        } else if (rc != SQLITE_OK) {
            return rc;
        }
    }
    summarize(a);
    return SQLITE_OK;
}
