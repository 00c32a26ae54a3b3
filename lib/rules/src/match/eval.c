/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/eval.c */
#include "match/eval.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <string.h>

static void *take(size_t size, void *ctx)
{
    (void)ctx;
    return wedr_alloc(size, 1);
}

static void give(void *p, void *ctx)
{
    (void)ctx;
    wedr_free(p);
}

int wedr_eval_init(struct wedr_eval *x,
                   const struct wedr_ruleset *rs,
                   const struct wedr_eval_limits *limits)
{
    memset(x, 0, sizeof(*x));
    x->rs = rs;
    x->regex_value_max = limits->regex_value_max;
    x->regex_give_up_max = limits->regex_give_up_max;
    x->fold = wedr_alloc(WEDR_FOLD_MAX(WEDR_EVAL_FOLD_MAX), 1);
    x->memory = pcre2_general_context_create(take, give, NULL);
    x->match = x->memory ? pcre2_match_data_create(1, x->memory) : NULL;
    x->context = x->memory ? pcre2_match_context_create(x->memory) : NULL;
    if (!x->fold || !x->match || !x->context) {
        wedr_eval_fini(x);
        return WEDR_E_NOMEM;
    }
    (void)pcre2_set_match_limit(x->context, limits->regex_match_limit);
    (void)pcre2_set_depth_limit(x->context, limits->regex_match_limit);
    (void)pcre2_set_heap_limit(x->context, limits->regex_heap_kib_max);
    return WEDR_OK;
}

void wedr_eval_fini(struct wedr_eval *x)
{
    wedr_free(x->fold);
    pcre2_match_data_free(x->match);
    pcre2_match_context_free(x->context);
    pcre2_general_context_free(x->memory);
    x->memory = NULL;
    x->fold = NULL;
    x->match = NULL;
    x->context = NULL;
}

static bool order_holds(uint8_t op, int order)
{
    switch (op) {
    case WEDR_OP_EQ:
        return order == 0;
    case WEDR_OP_NE:
        return order != 0;
    case WEDR_OP_LT:
        return order < 0;
    case WEDR_OP_LE:
        return order <= 0;
    case WEDR_OP_GT:
        return order > 0;
    case WEDR_OP_GE:
        return order >= 0;
    default:
        return false;
    }
}

static bool number_of(struct wedr_rule_event *ev, uint32_t value, struct wedr_number *ret_number)
{
    const struct wedr_rule_value *v = &ev->values[value];
    if (v->kind == WEDR_VALUE_NUMBER) {
        *ret_number = v->number;
        return true;
    }
    if (v->kind != WEDR_VALUE_TEXT) {
        return false;
    }
    struct wedr_text t = wedr_rule_event_text(ev, value);
    return wedr_number_parse(t.p, t.len, ret_number) == WEDR_OK;
}

static bool bits_hold(const struct wedr_pred *p, struct wedr_rule_event *ev, uint32_t value)
{
    struct wedr_number n;
    if (!number_of(ev, value, &n)) {
        struct wedr_text t = wedr_rule_event_text(ev, value);
        if (ev->values[value].kind != WEDR_VALUE_TEXT ||
            wedr_number_parse_hex(t.p, t.len, &n) < 0) {
            return false;
        }
    }
    if (n.kind == WEDR_NUMBER_F64) {
        return false;
    }
    uint64_t have = n.kind == WEDR_NUMBER_U64 ? n.v.u : (uint64_t)n.v.i;
    return p->op == WEDR_OP_ALL ? (have & p->u.bits) == p->u.bits : (have & p->u.bits) != 0;
}

static bool time_holds(const struct wedr_pred *p, struct wedr_rule_event *ev, uint32_t value)
{
    const struct wedr_rule_value *v = &ev->values[value];
    int64_t us;
    if (v->kind == WEDR_VALUE_NUMBER) {
        us = wedr_time_from_number(v->number);
    } else {
        struct wedr_text t = wedr_rule_event_text(ev, value);
        if (v->kind != WEDR_VALUE_TEXT || wedr_time_parse(t.p, t.len, &us) < 0) {
            return false;
        }
    }
    struct wedr_number part = wedr_number_i64(wedr_time_part(us, (enum wedr_time_part)p->part));
    return order_holds(p->op, wedr_number_compare(part, p->u.number));
}

static bool regex_holds(struct wedr_eval *x, const struct wedr_pred *p, struct wedr_text t)
{
    const pcre2_code *code = WEDR_VEC_AT(struct wedr_regex, x->rs->regexes, p->regex)->code;
    size_t len = t.len;
    if (x->needs && !wedr_need_met(&x->needs[p->regex], t)) {
        return false;
    }
    if (x->gave_up >= x->regex_give_up_max) { /* hostile: what else it may cost is bounded */
        x->regex_limited++;
        return false;
    }
    if (len > x->regex_value_max) {
        len = x->regex_value_max;
        x->regex_cut++;
    }
    x->regex_runs++;
    int r = pcre2_match(code, (PCRE2_SPTR)t.p, len, 0, 0, x->match, x->context);
    if (r < 0 && r != PCRE2_ERROR_NOMATCH) {
        x->regex_limited++;
        x->gave_up++;
    }
    return r >= 0;
}

static bool set_holds(struct wedr_eval *x, const struct wedr_pred *p, struct wedr_text t)
{
    if (t.len > WEDR_EVAL_FOLD_MAX) {
        t.len = WEDR_EVAL_FOLD_MAX;
    }
    return wedr_set_has(wedr_rs_set(x->rs, p->u.set), t, x->fold);
}

static bool address_holds(const struct wedr_pred *p, struct wedr_text t)
{
    struct wedr_net address;
    return wedr_address_parse(t.p, t.len, &address) == WEDR_OK && wedr_net_has(&p->u.net, &address);
}

static bool
bool_holds(const struct wedr_pred *p, const struct wedr_rule_value *v, struct wedr_text t)
{
    if (v->kind == WEDR_VALUE_BOOL) {
        return v->boolean == p->u.boolean;
    }
    return v->kind == WEDR_VALUE_TEXT &&
           wedr_text_equal(t, p->u.boolean ? wedr_text("true", 4) : wedr_text("false", 5), false);
}

bool wedr_eval_value(struct wedr_eval *x,
                     const struct wedr_pred *p,
                     struct wedr_rule_event *ev,
                     uint32_t value)
{
    const struct wedr_rule_value *v = &ev->values[value];
    struct wedr_number n;
    if (v->kind == WEDR_VALUE_NULL) {
        return false;
    }
    bool cased = p->flags & WEDR_PRED_CASED;
    struct wedr_text t = wedr_rule_event_text(ev, value);
    switch (p->kind) {
    case WEDR_PRED_EQUALS:
        return wedr_text_equal(t, p->u.text, cased);
    case WEDR_PRED_PREFIX:
        return wedr_text_starts(t, p->u.text, cased);
    case WEDR_PRED_SUFFIX:
        return wedr_text_ends(t, p->u.text, cased);
    case WEDR_PRED_CONTAINS:
        return wedr_text_contains(t, p->u.text, cased);
    case WEDR_PRED_WILDCARD:
        return wedr_text_wildcard(t, p->u.text, cased);
    case WEDR_PRED_REGEX:
        return regex_holds(x, p, t);
    case WEDR_PRED_CIDR:
        return address_holds(p, t);
    case WEDR_PRED_NUMBER:
        return number_of(ev, value, &n) && order_holds(p->op, wedr_number_compare(n, p->u.number));
    case WEDR_PRED_BOOL:
        return bool_holds(p, v, t);
    case WEDR_PRED_BITS:
        return bits_hold(p, ev, value);
    case WEDR_PRED_TIME:
        return time_holds(p, ev, value);
    case WEDR_PRED_SET:
        return set_holds(x, p, t);
    default:
        return false;
    }
}

static bool
pair_holds(const struct wedr_pred *p, struct wedr_rule_event *ev, uint32_t a, uint32_t b)
{
    bool cased = p->flags & WEDR_PRED_CASED;
    struct wedr_number x;
    struct wedr_number y;
    struct wedr_text s = wedr_rule_event_text(ev, a);
    struct wedr_text t = wedr_rule_event_text(ev, b);
    bool typed = ev->values[a].kind == WEDR_VALUE_NUMBER || ev->values[b].kind == WEDR_VALUE_NUMBER;
    switch (p->op) {
    case WEDR_OP_CONTAINS:
        return wedr_text_contains(s, t, cased);
    case WEDR_OP_STARTS:
        return wedr_text_starts(s, t, cased);
    case WEDR_OP_ENDS:
        return wedr_text_ends(s, t, cased);
    case WEDR_OP_EQ:
    case WEDR_OP_NE:
        if (!typed || !number_of(ev, a, &x) || !number_of(ev, b, &y)) {
            return wedr_text_equal(s, t, cased) == (p->op == WEDR_OP_EQ);
        }
        return order_holds(p->op, wedr_number_compare(x, y));
    default:
        return number_of(ev, a, &x) && number_of(ev, b, &y) &&
               order_holds(p->op, wedr_number_compare(x, y));
    }
}

/* Any pair of values that are not null. */
static bool fields_hold(const struct wedr_pred *p, struct wedr_rule_event *ev, uint32_t *ret_value)
{
    const struct wedr_rule_value *v = ev->values;
    unsigned left = WEDR_EVAL_PAIRS_MAX;
    for (uint32_t a = wedr_rule_event_first(ev, p->field); a != WEDR_IR_NONE && left > 0;
         a = v[a].next, left--) {
        unsigned right = WEDR_EVAL_PAIRS_MAX;
        for (uint32_t b = wedr_rule_event_first(ev, p->u.other); b != WEDR_IR_NONE && right > 0;
             b = v[b].next, right--) {
            if (v[a].kind != WEDR_VALUE_NULL && v[b].kind != WEDR_VALUE_NULL &&
                pair_holds(p, ev, a, b)) {
                *ret_value = a;
                return true;
            }
        }
    }
    return false;
}

static uint32_t first_not_null(const struct wedr_rule_event *ev, uint32_t field)
{
    uint32_t v = wedr_rule_event_first(ev, field);
    while (v != WEDR_IR_NONE && ev->values[v].kind == WEDR_VALUE_NULL) {
        v = ev->values[v].next;
    }
    return v;
}

bool wedr_eval_pred(struct wedr_eval *x,
                    const struct wedr_pred *p,
                    struct wedr_rule_event *ev,
                    uint32_t *ret_value)
{
    *ret_value = WEDR_IR_NONE;
    if (p->field == WEDR_FIELD_ANY) {
        for (uint32_t v = 0; v < ev->count; v++) {
            if (ev->values[v].origin == v && wedr_eval_value(x, p, ev, v)) {
                *ret_value = v;
                return true;
            }
        }
        return false;
    }
    if (p->kind == WEDR_PRED_EXISTS || p->kind == WEDR_PRED_NULL) {
        *ret_value = first_not_null(ev, p->field);
        return (*ret_value != WEDR_IR_NONE) == (p->kind == WEDR_PRED_EXISTS);
    }
    if (p->kind == WEDR_PRED_FIELD) {
        return fields_hold(p, ev, ret_value);
    }
    for (uint32_t v = wedr_rule_event_first(ev, p->field); v != WEDR_IR_NONE;
         v = ev->values[v].next) {
        if (wedr_eval_value(x, p, ev, v)) {
            *ret_value = v;
            return true;
        }
    }
    return false;
}

static bool kids_hold(struct wedr_eval *x, const struct wedr_node *n, struct wedr_rule_event *ev)
{
    const uint32_t *kids = wedr_ruleset_kids(x->rs, n);
    uint32_t need = n->kind == WEDR_NODE_AND ? n->kid_count : n->kind == WEDR_NODE_OR ? 1 : n->arg;
    uint32_t have = 0;
    for (uint32_t i = 0; have < need && n->kid_count - i >= need - have; i++) {
        have += wedr_eval_node(x, kids[i], ev);
    }
    return have >= need;
}

bool wedr_eval_node(struct wedr_eval *x, uint32_t node, struct wedr_rule_event *ev)
{
    const struct wedr_node *n = WEDR_VEC_AT(const struct wedr_node, x->rs->nodes, node);
    uint32_t value;
    switch (n->kind) {
    case WEDR_NODE_TRUE:
        return true;
    case WEDR_NODE_PRED:
        return wedr_eval_pred(x, WEDR_VEC_AT(const struct wedr_pred, x->rs->preds, n->arg), ev,
                              &value);
    case WEDR_NODE_NOT:
        return !wedr_eval_node(x, wedr_ruleset_kids(x->rs, n)[0], ev);
    case WEDR_NODE_AND:
    case WEDR_NODE_OR:
    case WEDR_NODE_AT_LEAST:
        return kids_hold(x, n, ev);
    default:
        return false;
    }
}

static bool class_holds(const struct wedr_rule *rule, const struct wedr_rule_event *ev)
{
    for (uint32_t i = 0; i < rule->class_count; i++) {
        for (uint32_t k = 0; k < ev->class_count; k++) {
            if (rule->classes[i] == ev->classes[k]) {
                return true;
            }
        }
    }
    return rule->class_count == 0;
}

bool wedr_eval_rule(struct wedr_eval *x, const struct wedr_rule *rule, struct wedr_rule_event *ev)
{
    if ((rule->flags & (WEDR_RULE_DISABLED | WEDR_RULE_NEEDS_LIST)) != 0 ||
        rule->condition == WEDR_IR_NONE) {
        return false;
    }
    return class_holds(rule, ev) &&
           (rule->guard == WEDR_IR_NONE || wedr_eval_node(x, rule->guard, ev)) &&
           wedr_eval_node(x, rule->condition, ev) &&
           (rule->exception == WEDR_IR_NONE || !wedr_eval_node(x, rule->exception, ev));
}
