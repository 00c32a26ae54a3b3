/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/condition.c — which events a condition speaks of, and conditions of one event. */
#include "core/base/err.h"
#include "waza/compiler.h"

static uint32_t together(uint32_t a, uint32_t b)
{
    return a == WEDR_WAZA_VAR_NONE || a == b ? b : b == WEDR_WAZA_VAR_NONE ? a : WEDR_WAZA_VAR_MANY;
}

static int analyse_compare(struct wedr_waza_compiler *c, struct wedr_waza_expr *x)
{
    struct wedr_waza_compare *k = x->compare;
    int e = wedr_waza_resolve(c, k->left, &k->var, &k->field);
    x->var = k->var;
    if (e == WEDR_OK && k->right) {
        e = wedr_waza_resolve(c, k->right, &k->right_var, &k->right_field);
        x->var = e < 0 ? k->var : together(k->var, k->right_var);
    }
    if (e < 0) {
        return e;
    }
    bool joins = x->var == WEDR_WAZA_VAR_MANY;
    if (joins && c->group->v1) {
        return wedr_waza_fail(c->source, x->span, WEDR_E_FORMAT,
                              "compat v1 does not compare fields of two events");
    }
    if (joins && (k->op != WAZA_OP_EQ || k->negated || k->uncased || k->field == WEDR_FIELD_ANY)) {
        return wedr_waza_fail(c->source, k->op_span, WEDR_E_FORMAT,
                              "fields of two events are joined by '==' only");
    }
    if (!joins && wedr_waza_var(c, x->var)->event.kind == WAZA_EVENT_RULE) {
        return wedr_waza_fail(
            c->source, x->span, WEDR_E_FORMAT,
            "a rule's event is joined or grouped by its fields; conditions belong "
            "into the rule");
    }
    return WEDR_OK;
}

int wedr_waza_analyse(struct wedr_waza_compiler *c, struct wedr_waza_expr *x)
{
    int result = WEDR_OK;
    x->var = WEDR_WAZA_VAR_NONE;
    if (x->kind == WAZA_X_COMPARE) {
        return analyse_compare(c, x);
    }
    if (x->kind == WAZA_X_EVENT) {
        return wedr_waza_resolve_event(c, x, &x->var);
    }
    for (struct wedr_waza_expr *kid = x->first; kid; kid = kid->next) {
        int e = wedr_waza_analyse(c, kid);
        result = e < 0 ? e : result; /* the others have errors of their own */
        x->var = together(x->var, kid->var);
    }
    return result;
}

static int
kids_node(struct wedr_waza_compiler *c, const struct wedr_waza_expr *x, uint32_t *ret_node)
{
    if (x->count > WEDR_IR_KIDS_MAX) {
        return wedr_waza_refused(c, x->span, WEDR_E_LIMIT, NULL);
    }
    uint32_t *kids = wedr_waza_alloc(c->source, ((size_t)x->count + 1) * sizeof(*kids));
    uint32_t count = 0;
    int result = kids ? WEDR_OK : WEDR_E_LIMIT;
    for (const struct wedr_waza_expr *kid = x->first; kids && kid; kid = kid->next) {
        kids[count] = 0;
        int e = wedr_waza_node(c, kid, &kids[count++]);
        result = e < 0 ? e : result;
    }
    if (result < 0) {
        return result;
    }
    int e = x->kind == WAZA_X_AND  ? wedr_ir_and(c->rs, kids, count, ret_node)
            : x->kind == WAZA_X_OR ? wedr_ir_or(c->rs, kids, count, ret_node)
                                   : wedr_ir_at_least(c->rs, x->need, kids, count, ret_node);
    return wedr_waza_refused(c, x->span, e, NULL);
}

int wedr_waza_node(struct wedr_waza_compiler *c, const struct wedr_waza_expr *x, uint32_t *ret_node)
{
    uint32_t kid = 0;
    int e;
    switch (x->kind) {
    case WAZA_X_COMPARE:
        return wedr_waza_compare_node(c, x->compare, x->span, ret_node);
    case WAZA_X_NOT:
        e = wedr_waza_node(c, x->first, &kid);
        return e < 0 ? e : wedr_waza_refused(c, x->span, wedr_ir_not(c->rs, kid, ret_node), NULL);
    case WAZA_X_CONSTANT:
    case WAZA_X_EVENT:
        e = wedr_ir_constant(c->rs, x->kind == WAZA_X_EVENT || x->truth, ret_node);
        return wedr_waza_refused(c, x->span, e, NULL);
    default:
        return kids_node(c, x, ret_node);
    }
}

/* --- Rules that a group names. */

/* Calls for each name until one says false. */
static bool each_rule(const struct wedr_waza_expr *x, const struct wedr_ruleset *rs, bool *any)
{
    if (x->kind == WAZA_X_EVENT && x->is_rule) {
        *any = true;
        return !rs || wedr_ruleset_rule_find(rs, x->name.p, x->name.len) != WEDR_IR_NONE;
    }
    for (const struct wedr_waza_expr *kid = x->first; kid; kid = kid->next) {
        if (!each_rule(kid, rs, any)) {
            return false;
        }
    }
    return true;
}

static bool each_rule_of(const struct wedr_waza_group *g, const struct wedr_ruleset *rs, bool *any)
{
    *any = false;
    for (const struct wedr_waza_label *l = g->labels; l; l = l->next) {
        if (l->kind == WAZA_EVENT_RULE) {
            *any = true;
            if (rs && wedr_ruleset_rule_find(rs, l->text.p, l->text.len) == WEDR_IR_NONE) {
                return false;
            }
        }
    }
    for (const struct wedr_waza_line *l = g->lines.first; l; l = l->next) {
        if (l->expr && !each_rule(l->expr, rs, any)) {
            return false;
        }
    }
    return true;
}

bool wedr_waza_names_rules(const struct wedr_waza_group *g)
{
    bool any;
    (void)each_rule_of(g, NULL, &any);
    return any;
}

bool wedr_waza_rules_known(const struct wedr_ruleset *rs, const struct wedr_waza_group *g)
{
    bool any;
    return each_rule_of(g, rs, &any);
}
