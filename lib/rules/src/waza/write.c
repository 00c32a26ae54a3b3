/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/write.c — predicates and expressions. Operands that ask the same of one field
 * become one comparison with a list. */
#include "waza/write.h"
#include "core/base/err.h"
#include <inttypes.h>
#include <string.h>

enum place { OUTSIDE, IN_OR, IN_AND, IN_NOT }; /* what binds around an expression */

static void put(struct wedr_waza_writer *w, uint32_t node, enum place place);

static const struct wedr_pred *pred_of(const struct wedr_waza_writer *w, uint32_t node)
{
    const struct wedr_node *n = wedr_ruleset_node(w->rs, node);
    return n->kind == WEDR_NODE_PRED ? wedr_ruleset_pred(w->rs, n->arg) : NULL;
}

/* --- Predicates. */

/* Operator of predicates that can have a list behind them; NULL: none. */
static const char *list_operator(const struct wedr_pred *p, bool one)
{
    bool cased = (p->flags & WEDR_PRED_CASED) != 0;
    switch (p->kind) {
    case WEDR_PRED_EQUALS:
        return one ? (cased ? "==" : "iequals") : cased ? "in" : "iin";
    case WEDR_PRED_PREFIX:
        return cased ? "startsWith" : "istartsWith";
    case WEDR_PRED_SUFFIX:
        return cased ? "endsWith" : "iendsWith";
    case WEDR_PRED_CONTAINS:
        return cased ? "contains" : "icontains";
    case WEDR_PRED_WILDCARD:
        return cased ? "like" : "ilike";
    case WEDR_PRED_REGEX:
        return "matches";
    case WEDR_PRED_CIDR:
        return "cidr";
    case WEDR_PRED_NUMBER:
        return p->op == WEDR_OP_EQ ? one ? "==" : "in" : NULL;
    default:
        return NULL;
    }
}

static void put_value(struct wedr_waza_writer *w, const struct wedr_pred *p)
{
    switch (p->kind) {
    case WEDR_PRED_REGEX:
        wedr_waza_put_regex(w, p->u.text, p->flags);
        break;
    case WEDR_PRED_CIDR:
        wedr_waza_put_net(w, &p->u.net);
        break;
    case WEDR_PRED_NUMBER:
    case WEDR_PRED_TIME:
        wedr_waza_put_number(w, p->u.number);
        break;
    default:
        wedr_waza_put_text(w, p->u.text, false);
    }
}

static const char *order(uint8_t op)
{
    static const char *const signs[] = {
        [WEDR_OP_EQ] = "==", [WEDR_OP_NE] = "<>", [WEDR_OP_LT] = "<",
        [WEDR_OP_LE] = "<=", [WEDR_OP_GT] = ">",  [WEDR_OP_GE] = ">="};
    return signs[op];
}

static void put_field_pred(struct wedr_waza_writer *w, const struct wedr_pred *p)
{
    bool cased = (p->flags & WEDR_PRED_CASED) != 0;
    if (p->op == WEDR_OP_NE && !cased) {
        (void)wedr_waza_no_form(w, "an uncased <> of two fields");
    }
    wedr_buf_addf(w->out, " %s ",
                  p->op == WEDR_OP_CONTAINS ? cased ? "contains" : "icontains"
                  : p->op == WEDR_OP_STARTS ? cased ? "startsWith" : "istartsWith"
                  : p->op == WEDR_OP_ENDS   ? cased ? "endsWith" : "iendsWith"
                  : p->op == WEDR_OP_EQ     ? cased ? "==" : "iequals"
                                            : order(p->op));
    wedr_waza_put_field(w, p->u.other);
}

static void put_set(struct wedr_waza_writer *w, uint32_t set)
{
    bool cased;
    enum wedr_set_mode mode = wedr_set_mode(w->rs, set, &cased);
    uint32_t count = wedr_set_entry_count(w->rs, set);
    wedr_buf_addf(w->out, " %s %s[",
                  cased || mode >= WEDR_SET_CIDR || mode == WEDR_SET_DOMAIN ? "in" : "iin",
                  mode == WEDR_SET_DOMAIN  ? "domains "
                  : mode == WEDR_SET_WORDS ? "words "
                  : mode == WEDR_SET_CIDR  ? "networks "
                                           : "");
    if (count == 0) {
        (void)wedr_waza_no_form(w, "an empty list");
    }
    for (uint32_t i = 0; i < count; i++) {
        wedr_buf_adds(w->out, i ? ",\n        " : "\n        ");
        if (mode == WEDR_SET_CIDR) {
            struct wedr_net n = wedr_set_net(w->rs, set, i);
            wedr_waza_put_net(w, &n);
        } else {
            wedr_waza_put_text(w, wedr_set_entry(w->rs, set, i), true);
        }
    }
    wedr_buf_adds(w->out, "\n      ]");
}

static void put_pred(struct wedr_waza_writer *w, const struct wedr_pred *p)
{
    static const char *const parts[] = {"minute", "hour", "day", "week", "month", "year"};
    const char *word = list_operator(p, true);
    if (p->kind == WEDR_PRED_NULL) {
        wedr_buf_adds(w->out, "!");
    }
    if (p->kind == WEDR_PRED_TIME) {
        wedr_buf_addf(w->out, "%s(", parts[p->part]);
    }
    wedr_waza_put_field(w, p->field);
    if (word) {
        wedr_buf_addf(w->out, " %s ", word);
        put_value(w, p);
        return;
    }
    switch (p->kind) {
    case WEDR_PRED_EXISTS:
    case WEDR_PRED_NULL:
        wedr_buf_adds(w->out, " exists");
        break;
    case WEDR_PRED_BOOL:
        wedr_buf_addf(w->out, " == %s", p->u.boolean ? "true" : "false");
        break;
    case WEDR_PRED_FIELD:
        put_field_pred(w, p);
        break;
    case WEDR_PRED_BITS:
        wedr_buf_addf(w->out, " %s 0x%" PRIx64, p->op == WEDR_OP_ALL ? "has_all" : "has_any",
                      p->u.bits);
        break;
    case WEDR_PRED_SET:
        put_set(w, p->u.set);
        break;
    default: /* NUMBER, TIME */
        wedr_buf_addf(w->out, "%s %s ", p->kind == WEDR_PRED_TIME ? ")" : "", order(p->op));
        put_value(w, p);
    }
}

/* --- Expressions. */

/* How many kids from `at` on ask the same of one field, so that a list says it. */
static uint32_t run(const struct wedr_waza_writer *w, const struct wedr_node *n, uint32_t at)
{
    const uint32_t *kids = wedr_ruleset_kids(w->rs, n);
    const struct wedr_pred *first = pred_of(w, kids[at]);
    uint32_t count = 1;
    bool all = n->kind == WEDR_NODE_AND;
    if (!first || !list_operator(first, false) || n->kind == WEDR_NODE_AT_LEAST ||
        (all && (first->kind == WEDR_PRED_EQUALS || first->kind == WEDR_PRED_NUMBER))) {
        return 1;
    }
    uint8_t flags = first->kind == WEDR_PRED_REGEX ? 0 : first->flags;
    for (; at + count < n->kid_count; count++) {
        const struct wedr_pred *p = pred_of(w, kids[at + count]);
        if (!p || p->kind != first->kind || p->field != first->field || p->op != first->op ||
            (first->kind == WEDR_PRED_REGEX ? 0 : p->flags) != flags) {
            break;
        }
    }
    return count;
}

static void
put_list(struct wedr_waza_writer *w, const struct wedr_node *n, uint32_t at, uint32_t count)
{
    const uint32_t *kids = wedr_ruleset_kids(w->rs, n);
    const struct wedr_pred *first = pred_of(w, kids[at]);
    bool lines = count > 3 && first->kind != WEDR_PRED_NUMBER;
    wedr_waza_put_field(w, first->field);
    wedr_buf_addf(w->out, " %s %s[", list_operator(first, false),
                  n->kind == WEDR_NODE_AND ? "all " : "");
    for (uint32_t i = 0; i < count; i++) {
        wedr_buf_adds(w->out, lines ? i ? ",\n        " : "\n        " : i ? ", " : "");
        put_value(w, pred_of(w, kids[at + i]));
    }
    wedr_buf_adds(w->out, lines ? "\n      ]" : "]");
}

static void put_kids(struct wedr_waza_writer *w,
                     const struct wedr_node *n,
                     const char *between,
                     enum place inner)
{
    const uint32_t *kids = wedr_ruleset_kids(w->rs, n);
    for (uint32_t i = 0; i < n->kid_count;) {
        uint32_t count = run(w, n, i);
        wedr_buf_adds(w->out, i ? between : "");
        if (count > 1) {
            put_list(w, n, i, count);
        } else {
            put(w, kids[i], inner);
        }
        i += count;
    }
}

static void put_group(struct wedr_waza_writer *w,
                      const struct wedr_node *n,
                      const char *between,
                      enum place inner,
                      bool brackets)
{
    brackets = brackets && run(w, n, 0) < n->kid_count;
    wedr_buf_adds(w->out, brackets ? "(" : "");
    put_kids(w, n, between, inner);
    wedr_buf_adds(w->out, brackets ? ")" : "");
}

static void put(struct wedr_waza_writer *w, uint32_t node, enum place place)
{
    const struct wedr_node *n = wedr_ruleset_node(w->rs, node);
    switch (n->kind) {
    case WEDR_NODE_PRED:
        put_pred(w, wedr_ruleset_pred(w->rs, n->arg));
        break;
    case WEDR_NODE_NOT:
        wedr_buf_adds(w->out, "!");
        put(w, wedr_ruleset_kids(w->rs, n)[0], IN_NOT);
        break;
    case WEDR_NODE_AND:
        put_group(w, n, " && ", IN_AND, place == IN_NOT);
        break;
    case WEDR_NODE_OR:
        put_group(w, n, " || ", IN_OR, place == IN_AND || place == IN_NOT);
        break;
    case WEDR_NODE_AT_LEAST:
        wedr_buf_addf(w->out, "%" PRIu32 " of (", n->arg);
        put_kids(w, n, ", ", OUTSIDE);
        wedr_buf_adds(w->out, ")");
        break;
    case WEDR_NODE_MEMBER:
        wedr_buf_addf(w->out, "$m%" PRIu32, n->arg + 1);
        break;
    default:
        wedr_buf_adds(w->out, n->kind == WEDR_NODE_TRUE ? "true" : "false");
    }
}

void wedr_waza_put_node(struct wedr_waza_writer *w, uint32_t node, bool top)
{
    const struct wedr_node *n = wedr_ruleset_node(w->rs, node);
    if (top && n->kind == WEDR_NODE_AND) {
        put_kids(w, n, " &&\n      ", IN_AND);
    } else {
        put(w, node, OUTSIDE);
    }
}
