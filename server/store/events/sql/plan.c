/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/plan.h"

#include "core/util/alloc.h"
#include "ingest/line_schema.h"
#include <string.h>

/* How a condition is written into the plan: two letters, column and operator. 0 when it is not
 * used. */
static char plan_op(int column, unsigned char op)
{
    bool range = column == C_TS || column == C_SEQ;
    bool equal = range || column == C_AGENT_ID || column == C_EPOCH || column == C_STREAM ||
                 column == C_EVENT_TYPE || column == C_PID;
    switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
        return equal ? '=' : 0;
    case SQLITE_INDEX_CONSTRAINT_GT:
        return range ? '>' : 0;
    case SQLITE_INDEX_CONSTRAINT_GE:
        return range ? 'G' : 0;
    case SQLITE_INDEX_CONSTRAINT_LT:
        return range ? '<' : 0;
    case SQLITE_INDEX_CONSTRAINT_LE:
        return range ? 'L' : 0;
    default:
        return 0;
    }
}

static double selectivity(int column, char op)
{
    if (op != '=') {
        return 0.25;
    }
    switch (column) {
    case C_TS:
        return 0.00001;
    case C_SEQ:
    case C_PID:
        return 0.001;
    case C_AGENT_ID:
    case C_EPOCH:
        return 0.02;
    default:
        return 0.1;
    }
}

int wedr_events_best_index(sqlite3_vtab *v, sqlite3_index_info *info)
{
    char plan[256];
    int n = 0;
    double rows = 10000000.0;
    (void)v;
    for (int i = 0; i < info->nConstraint && n + 3 < (int)sizeof(plan); i++) {
        const struct sqlite3_index_constraint *c = &info->aConstraint[i];
        char op =
            plan_op(c->iColumn, c->op); /* 0 for the row id, too: iColumn -1 is no column of ours */
        if (!c->usable || op == '\0' || strcmp(sqlite3_vtab_collation(info, i), "BINARY") != 0) {
            continue;
        }
        plan[n++] = (char)('A' + c->iColumn);
        plan[n++] = op;
        info->aConstraintUsage[i].argvIndex = n / 2;
        rows *= selectivity(c->iColumn, op);
    }
    plan[n] = 0;
    info->idxStr = sqlite3_mprintf("%s", plan);
    info->needToFreeIdxStr = 1;
    info->estimatedRows = rows < 1 ? 1 : (sqlite3_int64)rows;
    info->estimatedCost = rows < 1 ? 1 : rows;
    return info->idxStr == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

void wedr_events_ask_fini(struct wedr_events_ask *a)
{
    wedr_free(a->agent);
    wedr_free(a->stream);
    memset(a, 0, sizeof(*a));
}

static bool epoch_of_text(const char *s, size_t len, uint64_t *ret)
{
    uint64_t v = 0;
    if (len != 16) {
        return false;
    }
    for (size_t i = 0; i < 16; i++) {
        bool digit = s[i] >= '0' && s[i] <= '9';
        if (!digit && !(s[i] >= 'a' && s[i] <= 'f')) {
            return false;
        }
        v = v << 4 | (uint64_t)(digit ? s[i] - '0' : s[i] - 'a' + 10);
    }
    *ret = v;
    return true;
}

/* Equality with a text; a value of another type only means that nothing is skipped. */
static int ask_text(struct wedr_events_ask *a, int column, sqlite3_value *v)
{
    if (sqlite3_value_type(v) != SQLITE_TEXT) {
        return SQLITE_OK;
    }
    const char *s = (const char *)sqlite3_value_text(v);
    size_t len = (size_t)sqlite3_value_bytes(v);
    if (s == NULL) {
        return SQLITE_NOMEM;
    }
    if (column == C_EPOCH) {
        a->has_epoch = true;
        a->nothing = a->nothing || !epoch_of_text(s, len, &a->epoch);
        return SQLITE_OK;
    }
    if (column == C_EVENT_TYPE) {
        const struct wedr_type_info *t = wedr_type_by_name(s, len);
        bool plugin = len == 12 && memcmp(s, "plugin_event", 12) == 0;
        a->has_type = t != NULL || plugin;
        a->type = (uint8_t)(t != NULL ? t->code : WEDR_TYPE_CODE_PLUGIN);
        a->nothing = a->nothing || !a->has_type;
        return SQLITE_OK;
    }
    char **place = column == C_AGENT_ID ? &a->agent : &a->stream;
    if (*place == NULL) {
        *place = wedr_strndup(s, len);
    }
    return *place == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

/* A bound on ts or seq. A fraction is widened to the next integer: SQLite checks again. */
static void ask_range(int64_t *min, int64_t *max, char op, sqlite3_value *v)
{
    int64_t lo, hi;
    if (sqlite3_value_type(v) == SQLITE_INTEGER) {
        lo = hi = sqlite3_value_int64(v);
    } else if (sqlite3_value_type(v) == SQLITE_FLOAT) {
        double d = sqlite3_value_double(v);
        if (!(d > -9e18 && d < 9e18)) {
            return;
        }
        lo = (int64_t)d - 1;
        hi = (int64_t)d + 1;
    } else {
        return;
    }
    if ((op == '>' || op == 'G' || op == '=') && lo > *min) {
        *min = lo;
    }
    if ((op == '<' || op == 'L' || op == '=') && hi < *max) {
        *max = hi;
    }
}

int wedr_events_ask_read(struct wedr_events_ask *a,
                         const char *plan,
                         int argc,
                         sqlite3_value **argv)
{
    wedr_events_ask_fini(a);
    a->ts_min = a->seq_min = INT64_MIN;
    a->ts_max = a->seq_max = INT64_MAX;
    for (int i = 0; i < argc; i++) {
        int column = plan[(size_t)2 * (size_t)i] - 'A';
        char op = plan[2 * i + 1];
        int rc = SQLITE_OK;
        if (column == C_TS) {
            ask_range(&a->ts_min, &a->ts_max, op, argv[i]);
        } else if (column == C_SEQ) {
            ask_range(&a->seq_min, &a->seq_max, op, argv[i]);
        } else if (column == C_PID) {
            if (sqlite3_value_type(argv[i]) == SQLITE_INTEGER) {
                a->has_pid = true;
                a->pid = sqlite3_value_int64(argv[i]);
            }
        } else {
            rc = ask_text(a, column, argv[i]);
        }
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    return SQLITE_OK;
}
