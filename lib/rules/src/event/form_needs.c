/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/form_needs.c — which fields the rules of which classes look at. */
#include "core/base/err.h"
#include "event/form.h"
#include <string.h>

struct needs {
    const struct wedr_ruleset *rs;
    uint32_t *fields;   /* masks by field */
    uint32_t *rules;    /* masks by rule */
    uint32_t *nodes;    /* masks by node */
    uint32_t *keywords; /* one */
};

static uint32_t mask_of_rule(const struct wedr_form *f, const struct wedr_rule *rule)
{
    uint32_t mask = rule->class_count == 0 ? WEDR_FORM_ANY : 0;
    for (uint32_t i = 0; i < rule->class_count; i++) {
        for (uint32_t k = 0; k < f->class_count; k++) {
            mask |= f->classes[k] == rule->classes[i] ? 1u << k : 0;
        }
    }
    return (rule->flags & WEDR_RULE_DISABLED) != 0 ? 0 : mask;
}

static void need_field(struct needs *n, uint32_t field, uint32_t mask)
{
    if (field == WEDR_FIELD_ANY) {
        *n->keywords |= mask;
    } else if (field != WEDR_IR_NONE) {
        n->fields[field] |= mask;
    }
}

static void need_node(struct needs *n, uint32_t node, uint32_t mask)
{
    if (node != WEDR_IR_NONE) {
        n->nodes[node] |= mask;
    }
}

/* A correlation looks at the events of its members, which come before it. */
static uint32_t need_correlation(struct needs *n, const struct wedr_correlation *c)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < c->member_count; i++) {
        mask |= n->rules[c->members[i]];
    }
    for (uint32_t i = 0; i < c->group_count; i++) {
        need_field(n, c->group_by[i], mask);
    }
    for (uint32_t i = 0; i < c->alias_count; i++) {
        need_field(n, c->aliases[i].field, mask);
    }
    for (uint32_t i = 0; i < c->join_count; i++) {
        need_field(n, c->joins[i].field_a, mask);
        need_field(n, c->joins[i].field_b, mask);
    }
    need_field(n, c->value_field, mask);
    return mask;
}

/* From rules down to predicates: kids come before their node. */
static void need_nodes(struct needs *n)
{
    for (uint32_t i = wedr_ruleset_node_count(n->rs); i-- > 0;) {
        const struct wedr_node *node = wedr_ruleset_node(n->rs, i);
        const uint32_t *kids = wedr_ruleset_kids(n->rs, node);
        for (uint32_t k = 0; k < node->kid_count; k++) {
            n->nodes[kids[k]] |= n->nodes[i];
        }
        if (node->kind == WEDR_NODE_PRED) {
            const struct wedr_pred *p = wedr_ruleset_pred(n->rs, node->arg);
            need_field(n, p->field, n->nodes[i]);
            need_field(n, p->kind == WEDR_PRED_FIELD ? p->u.other : WEDR_IR_NONE, n->nodes[i]);
        }
    }
}

int wedr_form_needs(struct wedr_form *f,
                    uint32_t *masks) /* NOLINT(readability-non-const-parameter): through n */
{
    const struct wedr_ruleset *rs = f->map->rs;
    struct wedr_vec rules = {0};
    struct wedr_vec nodes = {0};
    uint32_t rule_count = wedr_ruleset_rule_count(rs);
    int r = wedr_vec_push(&f->pool, &rules, NULL, (size_t)rule_count + 1, sizeof(uint32_t));
    if (r == WEDR_OK) {
        r = wedr_vec_push(&f->pool, &nodes, NULL, (size_t)wedr_ruleset_node_count(rs) + 1,
                          sizeof(uint32_t));
    }
    struct needs n = {rs, masks, rules.p, nodes.p, &f->keywords};
    for (uint32_t i = 0; r == WEDR_OK && i < rule_count; i++) {
        const struct wedr_rule *rule = wedr_ruleset_rule(rs, i);
        uint32_t mask = rule->correlation == WEDR_IR_NONE
                            ? mask_of_rule(f, rule)
                            : need_correlation(&n, wedr_ruleset_correlation(rs, rule->correlation));
        n.rules[i] = mask;
        f->live |= mask;
        need_node(&n, rule->guard, mask);
        need_node(&n, rule->condition, mask);
        need_node(&n, rule->exception, mask);
        need_field(&n, rule->entity_field, mask);
    }
    if (r == WEDR_OK) {
        need_nodes(&n);
    }
    wedr_vec_fini(&f->pool, &rules, sizeof(uint32_t));
    wedr_vec_fini(&f->pool, &nodes, sizeof(uint32_t));
    return r;
}
