/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/explain.c — every node of a rule with its truth for one event. */
#include "core/base/err.h"
#include "core/util/obj.h"
#include "match/matcher.h"
#include <string.h>

struct explain {
    struct wedr_matcher *m;
    struct wedr_rule_event *ev;
    wedr_explain_fn *fn;
    void *ctx;
    uint32_t part;
};

/* Values of the field that the predicate looks at. */
static uint32_t first_value(const struct explain *x, uint32_t field, uint32_t *ret_count)
{
    uint32_t count = 0;
    if (field == WEDR_FIELD_ANY) {
        *ret_count = x->ev->count;
        return x->ev->count ? 0 : WEDR_IR_NONE;
    }
    uint32_t first = wedr_rule_event_first(x->ev, field);
    for (uint32_t v = first; v != WEDR_IR_NONE; v = x->ev->values[v].next) {
        count++;
    }
    *ret_count = count;
    return first;
}

static void tell(const struct explain *x, uint32_t node, uint32_t depth)
{
    const struct wedr_ruleset *rs = x->m->e->rs;
    const struct wedr_node *n = wedr_ruleset_node(rs, node);
    struct wedr_explain_step step = {
        .part = x->part, .depth = depth, .node = node, .pred = WEDR_IR_NONE};
    if (n->kind == WEDR_NODE_PRED) {
        const struct wedr_pred *p = wedr_ruleset_pred(rs, n->arg);
        uint32_t value;
        step.pred = n->arg;
        step.truth = wedr_eval_pred(&x->m->eval, p, x->ev, &value);
        uint32_t first = first_value(x, p->field, &step.value_count);
        value = value == WEDR_IR_NONE ? first : value;
        if (p->field != WEDR_FIELD_ANY) {
            step.field = wedr_ruleset_field_name(rs, p->field);
        }
        if (value != WEDR_IR_NONE && (step.truth || p->field != WEDR_FIELD_ANY)) {
            step.value = wedr_rule_event_text(x->ev, value);
        }
    } else {
        step.truth = wedr_eval_node(&x->m->eval, node, x->ev);
    }
    x->fn(x->ctx, &step);
    for (uint32_t i = 0; i < n->kid_count; i++) {
        tell(x, wedr_ruleset_kids(rs, n)[i], depth + 1);
    }
}

int wedr_engine_explain(struct wedr_matcher *m,
                        uint32_t rule,
                        struct wedr_rule_event *ev,
                        wedr_explain_fn *fn,
                        void *ctx,
                        bool *ret_match)
{
    WEDR_OBJ_CHECK(m, WEDR_MATCHER_MAGIC);
    WEDR_OBJ_CHECK(ev, WEDR_EVENT_MAGIC);
    const struct wedr_rule *r = wedr_ruleset_rule(m->e->rs, rule);
    if (!r) {
        return WEDR_E_NOENT;
    }
    if (r->condition == WEDR_IR_NONE) {
        return WEDR_E_INVAL;
    }
    struct explain x = {.m = m, .ev = ev, .fn = fn, .ctx = ctx};
    m->eval.gave_up = 0;
    m->eval.needs = NULL;
    const uint32_t parts[] = {r->guard, r->condition, r->exception};
    for (; fn && x.part < WEDR_ARRAY_COUNT(parts); x.part++) {
        if (parts[x.part] != WEDR_IR_NONE) {
            tell(&x, parts[x.part], 0);
        }
    }
    m->eval.gave_up = 0;
    *ret_match = wedr_eval_rule(&m->eval, r, ev);
    return WEDR_OK;
}
