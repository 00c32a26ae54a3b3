/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/describe.c — predicates as text for people. */
#include "core/base/err.h"
#include "ir/ruleset.h"
#include "wedr/rules/engine.h"
#include <inttypes.h>

static const char *const words[WEDR_PRED_KIND_COUNT] = {
    [WEDR_PRED_EQUALS] = "equals",   [WEDR_PRED_PREFIX] = "startswith",
    [WEDR_PRED_SUFFIX] = "endswith", [WEDR_PRED_CONTAINS] = "contains",
    [WEDR_PRED_WILDCARD] = "like",   [WEDR_PRED_REGEX] = "matches",
    [WEDR_PRED_CIDR] = "in network", [WEDR_PRED_NUMBER] = "",
    [WEDR_PRED_BOOL] = "is",         [WEDR_PRED_EXISTS] = "exists",
    [WEDR_PRED_NULL] = "is null",    [WEDR_PRED_FIELD] = "",
    [WEDR_PRED_BITS] = "has",        [WEDR_PRED_TIME] = "",
    [WEDR_PRED_SET] = "in list of",
};

static const char *const ops[] = {
    [WEDR_OP_EQ] = "=",
    [WEDR_OP_NE] = "!=",
    [WEDR_OP_LT] = "<",
    [WEDR_OP_LE] = "<=",
    [WEDR_OP_GT] = ">",
    [WEDR_OP_GE] = ">=",
    [WEDR_OP_CONTAINS] = "contains",
    [WEDR_OP_STARTS] = "startswith",
    [WEDR_OP_ENDS] = "endswith",
    [WEDR_OP_ALL] = "all bits of",
    [WEDR_OP_ANY] = "any bit of",
};

static const char *const parts[] = {
    [WEDR_TIME_MINUTE] = "minute", [WEDR_TIME_HOUR] = "hour",   [WEDR_TIME_DAY] = "day",
    [WEDR_TIME_WEEK] = "week",     [WEDR_TIME_MONTH] = "month", [WEDR_TIME_YEAR] = "year",
};

static void add_quoted(struct wedr_buf *out, struct wedr_text t)
{
    wedr_buf_adds(out, "\"");
    for (uint32_t i = 0; i < t.len; i++) {
        uint8_t c = (uint8_t)t.p[i];
        if (c < 0x20 || c == 0x7F) {
            wedr_buf_addf(out, "\\x%02x", c);
        } else {
            if (c == '"') {
                wedr_buf_adds(out, "\\");
            }
            wedr_buf_add(out, &t.p[i], 1);
        }
    }
    wedr_buf_adds(out, "\"");
}

static void add_number(struct wedr_buf *out, struct wedr_number n)
{
    if (n.kind == WEDR_NUMBER_F64) {
        wedr_buf_addf(out, "%.17g", n.v.f);
    } else if (n.kind == WEDR_NUMBER_U64) {
        wedr_buf_addf(out, "%" PRIu64, n.v.u);
    } else {
        wedr_buf_addf(out, "%" PRId64, n.v.i);
    }
}

static void add_net(struct wedr_buf *out, const struct wedr_net *n)
{
    for (unsigned i = 0; i < (n->family == 4 ? 4u : 16u); i++) {
        if (n->family == 4) {
            wedr_buf_addf(out, "%s%u", i ? "." : "", n->addr[i]);
        } else {
            wedr_buf_addf(out, "%s%02x", i && i % 2 == 0 ? ":" : "", n->addr[i]);
        }
    }
    wedr_buf_addf(out, "/%u", n->bits);
}

static void add_name(const struct wedr_ruleset *rs, uint32_t field, struct wedr_buf *out)
{
    if (field == WEDR_FIELD_ANY) {
        wedr_buf_adds(out, "any value");
    } else {
        struct wedr_text name = wedr_ruleset_field_name(rs, field);
        wedr_buf_add(out, name.p, name.len);
    }
}

static void
add_operand(const struct wedr_ruleset *rs, const struct wedr_pred *p, struct wedr_buf *out)
{
    switch (p->kind) {
    case WEDR_PRED_CIDR:
        add_net(out, &p->u.net);
        break;
    case WEDR_PRED_NUMBER:
    case WEDR_PRED_TIME:
        add_number(out, p->u.number);
        break;
    case WEDR_PRED_BOOL:
        wedr_buf_adds(out, p->u.boolean ? "true" : "false");
        break;
    case WEDR_PRED_FIELD:
        wedr_buf_adds(out, "field ");
        add_name(rs, p->u.other, out);
        break;
    case WEDR_PRED_BITS:
        wedr_buf_addf(out, "0x%" PRIx64, p->u.bits);
        break;
    case WEDR_PRED_SET:
        wedr_buf_addf(out, "%" PRIu32 " entries", wedr_set_entry_count(rs, p->u.set));
        break;
    default:
        add_quoted(out, p->u.text);
    }
}

void wedr_pred_describe(const struct wedr_ruleset *rs, uint32_t pred, struct wedr_buf *out)
{
    const struct wedr_pred *p = wedr_ruleset_pred(rs, pred);
    if (!p) {
        return;
    }
    add_name(rs, p->field, out);
    if (p->kind == WEDR_PRED_TIME) {
        wedr_buf_addf(out, " %s", parts[p->part]);
    }
    if (words[p->kind][0]) {
        wedr_buf_addf(out, " %s", words[p->kind]);
    }
    if (p->kind == WEDR_PRED_EXISTS || p->kind == WEDR_PRED_NULL) {
        return;
    }
    if (p->kind == WEDR_PRED_NUMBER || p->kind == WEDR_PRED_TIME || p->kind == WEDR_PRED_FIELD ||
        p->kind == WEDR_PRED_BITS) {
        wedr_buf_addf(out, " %s", ops[p->op]);
    }
    wedr_buf_adds(out, " ");
    add_operand(rs, p, out);
    if (p->flags & WEDR_PRED_CASED) {
        wedr_buf_adds(out, " (cased)");
    }
    if (p->flags & (WEDR_PRED_RE_I | WEDR_PRED_RE_M | WEDR_PRED_RE_S)) {
        wedr_buf_addf(out, " (%s%s%s)", p->flags & WEDR_PRED_RE_I ? "i" : "",
                      p->flags & WEDR_PRED_RE_M ? "m" : "", p->flags & WEDR_PRED_RE_S ? "s" : "");
    }
}
