/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/pattern.c — a group that looks at several events: hidden rules, one for each event
 * variable, and the correlation over them. */
#include "core/base/err.h"
#include "waza/alternative.h"
#include "waza/compiler.h"
#include <string.h>

#define JOINS_MAX WEDR_IR_MEMBERS_MAX

struct member {
    struct wedr_waza_event event;
    const struct wedr_waza_label *label;
    uint32_t condition;
};

struct build {
    struct wedr_waza_compiler *c;
    struct wedr_correlation corr;
    struct member about[WEDR_IR_MEMBERS_MAX];
    uint32_t members[WEDR_IR_MEMBERS_MAX];
    uint32_t count;
    uint32_t group_by[WEDR_IR_GROUP_MAX];
    struct wedr_correlation_alias aliases[WEDR_IR_MEMBERS_MAX * WEDR_IR_GROUP_MAX];
    struct wedr_correlation_join joins[JOINS_MAX];
};

static int refused(struct build *b, int e)
{
    return wedr_waza_refused(b->c, b->c->group->span, e, NULL);
}

static bool same_text(struct wedr_text a, struct wedr_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* --- Members. */

/* The hidden rule of a member. */
static int hidden_rule(struct build *b, const struct member *m, uint32_t *ret_rule)
{
    struct wedr_waza_compiler *c = b->c;
    struct wedr_rule rule = wedr_rule_init();
    uint32_t classes[WEDR_WAZA_CLASSES_MAX];
    const struct wedr_waza_group *g = c->group;
    struct wedr_text title = g->title.len ? g->title : g->name;
    const char *p = wedr_arena_printf(c->source->arena, "%.*s: event %u", (int)title.len, title.p,
                                      b->count + 1);
    if (!p) {
        return refused(b, WEDR_E_LIMIT);
    }
    rule.title = wedr_text(p, strlen(p));
    rule.severity = g->severity;
    rule.actions = 0;
    rule.language = wedr_text("waza", 4);
    rule.source_file = wedr_text(c->source->name, strlen(c->source->name));
    rule.source_line = g->line;
    rule.flags = (uint16_t)(WEDR_RULE_HIDDEN | (g->disabled ? WEDR_RULE_DISABLED : 0) |
                            (g->server ? WEDR_RULE_SERVER : 0));
    rule.condition = m->condition;
    int e = wedr_waza_bind(c, &m->event, &rule, classes);
    e = e < 0 ? e : wedr_waza_exception(c, &m->event, &rule.exception);
    return e < 0 || g->bad ? e : refused(b, wedr_ruleset_add_rule(c->rs, &rule, ret_rule));
}

/* A member; `share`: one that is the same already will do. */
static int add_member(struct build *b, const struct member *m, bool share, uint32_t *ret_member)
{
    uint32_t rule = m->event.kind == WAZA_EVENT_RULE ? m->event.rule : WEDR_IR_NONE;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct member *have = &b->about[i];
        if (have->condition == m->condition && wedr_waza_same_event(&have->event, &m->event)) {
            if (share) {
                *ret_member = i;
                return WEDR_OK;
            }
            rule = b->members[i];
        }
    }
    if (b->count == WEDR_IR_MEMBERS_MAX) {
        return wedr_waza_fail(b->c->source, b->c->group->span, WEDR_E_LIMIT,
                              "the group looks at more than %u events", WEDR_IR_MEMBERS_MAX);
    }
    int e = rule == WEDR_IR_NONE ? hidden_rule(b, m, &rule) : WEDR_OK;
    if (e == WEDR_OK) {
        b->about[b->count] = *m;
        b->members[b->count] = rule;
        *ret_member = b->count++;
    }
    return e;
}

static struct member member_of(const struct build *b, uint32_t var)
{
    const struct wedr_waza_var *v = wedr_waza_var(b->c, var);
    struct member m = {v->event, v->label, WEDR_IR_NONE};
    return m;
}

/* --- Terms. */

static bool is_join(const struct wedr_waza_atom *a)
{
    return a->x->var == WEDR_WAZA_VAR_MANY;
}

/* Variables of a term: those with conditions in their order, then those that joins alone name. */
static uint32_t variables(const struct wedr_waza_term *t, uint32_t vars[WEDR_IR_MEMBERS_MAX + 1])
{
    uint32_t count = 0;
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < t->count; i++) {
            const struct wedr_waza_expr *x = t->atoms[i].x;
            uint32_t both[2] = {x->var, x->var};
            if (is_join(&t->atoms[i]) != (round == 1)) {
                continue;
            }
            if (round == 1) {
                both[0] = x->compare->var;
                both[1] = x->compare->right_var;
            }
            for (uint32_t k = 0; k <= round; k++) {
                uint32_t at = 0;
                while (at < count && vars[at] != both[k]) {
                    at++;
                }
                if (at <= WEDR_IR_MEMBERS_MAX) { /* one too many is told by the caller */
                    vars[at] = both[k];
                    count += at == count;
                }
            }
        }
    }
    return count;
}

/* What the event of a variable has to satisfy. `absent`: there must be none that does. */
static int condition_of(struct build *b,
                        const struct wedr_waza_term *t,
                        uint32_t var,
                        bool *ret_absent,
                        uint32_t *ret_node)
{
    uint32_t *kids = wedr_waza_alloc(b->c->source, ((size_t)t->count + 1) * sizeof(*kids));
    uint32_t count = 0;
    uint32_t field = WEDR_IR_NONE;
    bool positive = false;
    bool any = false;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct wedr_waza_expr *x = t->atoms[i].x;
        if (is_join(&t->atoms[i])) {
            field = x->compare->var == var         ? x->compare->field
                    : x->compare->right_var == var ? x->compare->right_field
                                                   : field;
        } else if (x->var == var) {
            any = true;
            positive = positive || !t->atoms[i].negated;
        }
    }
    int e = kids ? WEDR_OK : WEDR_E_LIMIT;
    for (uint32_t i = 0; e == WEDR_OK && i < t->count; i++) {
        const struct wedr_waza_atom *a = &t->atoms[i];
        if (is_join(a) || a->x->var != var) {
            continue;
        }
        e = wedr_waza_node(b->c, a->x, &kids[count]);
        if (e == WEDR_OK && a->negated && positive) {
            e = refused(b, wedr_ir_not(b->c->rs, kids[count], &kids[count]));
        }
        count++;
    }
    *ret_absent = any && !positive;
    if (e < 0) {
        return e;
    }
    if (!any) { /* joins alone name it */
        bool rule = wedr_waza_var(b->c, var)->event.kind == WAZA_EVENT_RULE;
        return refused(b, rule ? wedr_ir_constant(b->c->rs, true, ret_node)
                               : wedr_ir_exists(b->c->rs, field, true, ret_node));
    }
    return refused(b, positive ? wedr_ir_and(b->c->rs, kids, count, ret_node)
                               : wedr_ir_or(b->c->rs, kids, count, ret_node));
}

static uint32_t place(const uint32_t *vars, uint32_t count, uint32_t var)
{
    uint32_t i = 0;
    while (i < count && vars[i] != var) {
        i++;
    }
    return i;
}

static int add_joins(struct build *b,
                     const struct wedr_waza_term *t,
                     const uint32_t *vars,
                     const uint32_t *members,
                     uint32_t count)
{
    for (uint32_t i = 0; i < t->count; i++) {
        if (!is_join(&t->atoms[i])) {
            continue;
        }
        const struct wedr_waza_compare *k = t->atoms[i].x->compare;
        if (b->corr.join_count == JOINS_MAX) {
            return wedr_waza_fail(b->c->source, t->atoms[i].x->span, WEDR_E_LIMIT,
                                  "more than %u joins", JOINS_MAX);
        }
        struct wedr_correlation_join *j = &b->joins[b->corr.join_count++];
        j->member_a = members[place(vars, count, k->var)];
        j->field_a = k->field;
        j->member_b = members[place(vars, count, k->right_var)];
        j->field_b = k->right_field;
    }
    return WEDR_OK;
}

static int absent_alone(struct build *b, struct wedr_waza_span span)
{
    return wedr_waza_fail(
        b->c->source, span, WEDR_E_FORMAT,
        "this is about the absence of events alone, which no event can show; name "
        "one that has to happen");
}

/* One term as members and its part of the expression. */
static int add_term(struct build *b,
                    const struct wedr_waza_term *t,
                    struct wedr_waza_span span,
                    uint32_t *ret_node)
{
    uint32_t vars[WEDR_IR_MEMBERS_MAX + 1];
    uint32_t members[WEDR_IR_MEMBERS_MAX + 1];
    uint32_t kids[WEDR_IR_MEMBERS_MAX + 1];
    uint32_t count = variables(t, vars);
    bool joins = false;
    bool positive = false;
    int e = WEDR_OK;
    if (count > WEDR_IR_MEMBERS_MAX) {
        return wedr_waza_fail(b->c->source, span, WEDR_E_LIMIT,
                              "the group looks at more than %u events", WEDR_IR_MEMBERS_MAX);
    }
    for (uint32_t i = 0; i < t->count; i++) {
        joins = joins || is_join(&t->atoms[i]);
    }
    for (uint32_t i = 0; e == WEDR_OK && i < count; i++) {
        struct member m = member_of(b, vars[i]);
        bool absent = false;
        members[i] = kids[i] = 0;
        e = condition_of(b, t, vars[i], &absent, &m.condition);
        e = e < 0 ? e : add_member(b, &m, !joins && count == 1, &members[i]);
        e = e < 0 ? e : refused(b, wedr_ir_member(b->c->rs, members[i], &kids[i]));
        if (e == WEDR_OK && absent) {
            e = refused(b, wedr_ir_not(b->c->rs, kids[i], &kids[i]));
        }
        positive = positive || !absent;
    }
    if (e == WEDR_OK && !positive) {
        return absent_alone(b, span);
    }
    e = e < 0 ? e : add_joins(b, t, vars, members, count);
    return e < 0 ? e : refused(b, wedr_ir_and(b->c->rs, kids, count, ret_node));
}

/* --- The kinds of groups. */

struct lines {
    struct build *b;
    uint32_t *kids;
    uint32_t count;
};

static int
any_alternative(void *ctx, const struct wedr_waza_line *line, const struct wedr_waza_expr *x)
{
    struct lines *k = ctx;
    struct wedr_waza_terms terms = {NULL, 0};
    int e = wedr_waza_terms(k->b->c, x, false, &terms);
    for (uint32_t i = 0; e == WEDR_OK && i < terms.count; i++) {
        if (k->count == WEDR_IR_MEMBERS_MAX) {
            return wedr_waza_fail(k->b->c->source, line->span, WEDR_E_LIMIT,
                                  "the group looks at more than %u events", WEDR_IR_MEMBERS_MAX);
        }
        e = add_term(k->b, &terms.v[i], x->span, &k->kids[k->count++]);
    }
    return e;
}

/* The expression as it stands over members. compat v1: each comparison is true when any event in
 * the window satisfies it. *ret_absent: true when nothing happens. */
static int
v1_node(struct build *b, const struct wedr_waza_expr *x, bool *ret_absent, uint32_t *ret_node)
{
    uint32_t kids[WEDR_IR_MEMBERS_MAX] = {0};
    uint32_t count = 0;
    uint32_t holds = 0;
    if (x->kind == WAZA_X_COMPARE || x->kind == WAZA_X_EVENT) {
        struct member m = member_of(b, x->var);
        uint32_t member = 0;
        int e = wedr_waza_node(b->c, x, &m.condition);
        e = e < 0 ? e : add_member(b, &m, true, &member);
        *ret_absent = false;
        return e < 0 ? e : refused(b, wedr_ir_member(b->c->rs, member, ret_node));
    }
    if (x->kind == WAZA_X_CONSTANT) {
        *ret_absent = x->truth;
        return refused(b, wedr_ir_constant(b->c->rs, x->truth, ret_node));
    }
    for (const struct wedr_waza_expr *kid = x->first; kid; kid = kid->next) {
        bool absent = false;
        if (count == WEDR_IR_MEMBERS_MAX) {
            return refused(b, WEDR_E_LIMIT);
        }
        int e = v1_node(b, kid, &absent, &kids[count++]);
        if (e < 0) {
            return e;
        }
        holds += absent;
    }
    *ret_absent = x->kind == WAZA_X_NOT   ? holds == 0
                  : x->kind == WAZA_X_AND ? holds == count
                  : x->kind == WAZA_X_OR  ? holds > 0
                                          : holds >= x->need;
    return refused(b, x->kind == WAZA_X_NOT   ? wedr_ir_not(b->c->rs, kids[0], ret_node)
                      : x->kind == WAZA_X_AND ? wedr_ir_and(b->c->rs, kids, count, ret_node)
                      : x->kind == WAZA_X_OR
                          ? wedr_ir_or(b->c->rs, kids, count, ret_node)
                          : wedr_ir_at_least(b->c->rs, x->need, kids, count, ret_node));
}

static int
v1_alternative(void *ctx, const struct wedr_waza_line *line, const struct wedr_waza_expr *x)
{
    struct lines *k = ctx;
    bool absent = false;
    if (k->count == WEDR_IR_MEMBERS_MAX) {
        return refused(k->b, WEDR_E_LIMIT);
    }
    int e = v1_node(k->b, x, &absent, &k->kids[k->count++]);
    return e == WEDR_OK && absent ? absent_alone(k->b, line->span) : e;
}

/* Nothing but events that happen or not: the expression can stay as it is. */
static bool happens_only(const struct wedr_waza_expr *x)
{
    for (const struct wedr_waza_expr *kid = x->first; kid; kid = kid->next) {
        if (!happens_only(kid)) {
            return false;
        }
    }
    return x->kind != WAZA_X_COMPARE;
}

static bool all_happen_only(const struct build *b)
{
    for (const struct wedr_waza_line *l = b->c->group->lines.first; l; l = l->next) {
        if (!happens_only(l->expr)) {
            return false;
        }
    }
    return true;
}

static int any_mode(struct build *b)
{
    uint32_t kids[WEDR_IR_MEMBERS_MAX];
    struct lines k = {b, kids, 0};
    int result = WEDR_OK;
    bool happens = all_happen_only(b);
    b->corr.kind = WEDR_CORR_PATTERN;
    for (const struct wedr_waza_line *l = b->c->group->lines.first; l; l = l->next) {
        int e = b->c->group->v1 || happens
                    ? v1_alternative(&k, l, l->expr)
                    : wedr_waza_each_alternative(b->c, l, l->expr, any_alternative, &k);
        result = e < 0 ? e : result;
    }
    return result < 0 ? result
                      : refused(b, wedr_ir_or(b->c->rs, kids, k.count, &b->corr.expression));
}

/* Each line is one event that has to happen, another one than in the other lines. */
static bool plain_lines(const struct build *b)
{
    for (const struct wedr_waza_line *l = b->c->group->lines.first; l; l = l->next) {
        if (l->expr->var >= WEDR_WAZA_VAR_MANY || l->expr->kind == WAZA_X_NOT) {
            return false;
        }
        for (const struct wedr_waza_line *k = b->c->group->lines.first; k != l; k = k->next) {
            if (k->expr->var == l->expr->var) {
                return false;
            }
        }
    }
    return b->c->group->lines.count <= WEDR_IR_MEMBERS_MAX;
}

static int each_line(struct build *b)
{
    bool ordered = b->c->group->mode == WAZA_SEQUENCE;
    int result = WEDR_OK;
    b->corr.kind = ordered ? WEDR_CORR_TEMPORAL_ORDERED : WEDR_CORR_TEMPORAL;
    for (const struct wedr_waza_line *l = b->c->group->lines.first; l; l = l->next) {
        struct member m = member_of(b, l->expr->var);
        uint32_t member;
        int e = wedr_waza_node(b->c, l->expr, &m.condition);
        e = e < 0 ? e : add_member(b, &m, !ordered, &member);
        result = e < 0 ? e : result;
    }
    memcpy(b->corr.limits, b->c->group->limits, sizeof(b->corr.limits));
    b->corr.limit_count = b->c->group->limit_count;
    return result;
}

/* Members in the order in which the group names them, then the lines as one expression. */
static int one_expression(struct build *b)
{
    uint32_t kids[WEDR_IR_MEMBERS_MAX];
    struct lines k = {b, kids, 0};
    uint32_t number = 0;
    int e = WEDR_OK;
    for (const struct wedr_waza_label *l = b->c->group->labels; e == WEDR_OK && l; l = l->next) {
        uint32_t var = b->c->labels[number++];
        uint32_t member;
        if (var) {
            struct member m = member_of(b, var - 1);
            e = refused(b, wedr_ir_constant(b->c->rs, true, &m.condition));
            e = e < 0 ? e : add_member(b, &m, true, &member);
        }
    }
    for (const struct wedr_waza_line *l = b->c->group->lines.first; e == WEDR_OK && l;
         l = l->next) {
        e = v1_alternative(&k, l, l->expr);
    }
    return e < 0 ? e : refused(b, wedr_ir_and(b->c->rs, kids, k.count, &b->corr.expression));
}

/* all, sequence: the lines are one conjunction. */
static int all_lines(struct build *b)
{
    struct wedr_waza_terms all = {NULL, 0};
    const struct wedr_waza_line *first = b->c->group->lines.first;
    uint32_t kids[WEDR_WAZA_TERMS_MAX];
    if (plain_lines(b)) {
        return each_line(b);
    }
    if (b->c->group->limit_count) {
        return wedr_waza_fail(b->c->source, b->c->group->mode_span, WEDR_E_FORMAT,
                              "where lines are counted each of them is one event of its own");
    }
    b->corr.kind = WEDR_CORR_PATTERN;
    b->corr.ordered = b->c->group->mode == WAZA_SEQUENCE;
    if (all_happen_only(b)) {
        return one_expression(b);
    }
    int e = wedr_waza_terms(b->c, first->expr, false, &all);
    for (const struct wedr_waza_line *l = first->next; e == WEDR_OK && l; l = l->next) {
        struct wedr_waza_terms one = {NULL, 0};
        e = wedr_waza_terms(b->c, l->expr, false, &one);
        e = e < 0 ? e : wedr_waza_terms_and(b->c, l->span, &all, &one, &all);
    }
    if (e == WEDR_OK && b->corr.ordered && all.count != 1) {
        return wedr_waza_fail(b->c->source, b->c->group->mode_span, WEDR_E_FORMAT,
                              "a step of a sequence has no alternatives of several events");
    }
    for (uint32_t i = 0; e == WEDR_OK && i < all.count; i++) {
        e = add_term(b, &all.v[i], b->c->group->mode_span, &kids[i]);
    }
    return e < 0 ? e : refused(b, wedr_ir_or(b->c->rs, kids, all.count, &b->corr.expression));
}

static int count_mode(struct build *b)
{
    struct wedr_waza_alternatives a = {NULL, 0, 0};
    struct wedr_waza_group *g = b->c->group;
    uint32_t member;
    int e = wedr_waza_alternatives(b->c, &a);
    for (uint32_t i = 0; e == WEDR_OK && i < a.count; i++) {
        struct member m = {a.v[i].event, a.v[i].label, a.v[i].node};
        e = add_member(b, &m, true, &member);
    }
    b->corr.kind = g->mode == WAZA_COUNT ? WEDR_CORR_EVENT_COUNT : WEDR_CORR_VALUE_COUNT;
    memcpy(b->corr.limits, g->limits, sizeof(g->limits));
    b->corr.limit_count = g->limit_count;
    if (e == WEDR_OK && g->value) {
        uint32_t var;
        e = wedr_waza_resolve(b->c, g->value, &var, &b->corr.value_field);
    }
    return e;
}

/* --- by */

/* The field of one alternative of a key for the members that it speaks of. */
static int add_alias(struct build *b, uint32_t key, const struct wedr_waza_path *path, uint32_t nth)
{
    uint32_t var;
    uint32_t field;
    int e = wedr_waza_resolve(b->c, path, &var, &field);
    if (e < 0) {
        return e;
    }
    const struct wedr_waza_var *v = wedr_waza_var(b->c, var);
    if (nth == 0) {
        b->group_by[key] = field;
    }
    for (uint32_t m = 0; m < b->count; m++) {
        bool same = v->label
                        ? b->about[m].label && same_text(b->about[m].label->name, v->label->name)
                        : wedr_waza_same_event(&b->about[m].event, &v->event);
        if (same && field != b->group_by[key]) {
            struct wedr_correlation_alias *a = &b->aliases[b->corr.alias_count];
            if (b->corr.alias_count++ == WEDR_ARRAY_COUNT(b->aliases)) {
                return refused(b, WEDR_E_LIMIT);
            }
            a->group = key;
            a->member = m;
            a->field = field;
        }
    }
    return WEDR_OK;
}

static int add_keys(struct build *b)
{
    const struct wedr_waza_group *g = b->c->group;
    int e = WEDR_OK;
    for (uint32_t k = 0; e == WEDR_OK && k < g->key_count; k++) {
        for (uint32_t i = 0; e == WEDR_OK && i < g->keys[k].count; i++) {
            e = add_alias(b, k, g->keys[k].paths[i], i);
        }
    }
    b->corr.group_count = g->key_count;
    return e;
}

static int build(struct build *b, uint32_t *ret_rule)
{
    struct wedr_waza_group *g = b->c->group;
    struct wedr_rule rule;
    b->corr = wedr_correlation_init();
    b->corr.consume = g->consume;
    b->corr.timespan_ms = g->window_ms;
    int e = g->mode == WAZA_ANY                               ? any_mode(b)
            : g->mode == WAZA_ALL || g->mode == WAZA_SEQUENCE ? all_lines(b)
                                                              : count_mode(b);
    e = e < 0 ? e : add_keys(b);
    e = e < 0 ? e : wedr_waza_describe(b->c, &rule);
    if (e < 0 || g->bad) {
        return e;
    }
    b->corr.members = b->members;
    b->corr.member_count = b->count;
    b->corr.group_by = b->group_by;
    b->corr.aliases = b->aliases;
    b->corr.joins = b->joins;
    if (b->count == 0) {
        return wedr_waza_fail(b->c->source, g->span, WEDR_E_FORMAT, "the condition is never true");
    }
    e = wedr_ruleset_add_correlation(b->c->rs, &rule, &b->corr, ret_rule);
    return e == WEDR_E_LIMIT ? wedr_waza_fail(b->c->source, g->span, e,
                                              "too many joins, or more than %u fields of one event "
                                              "in them",
                                              WEDR_IR_JOIN_SIDES_MAX)
                             : refused(b, e);
}

int wedr_waza_pattern(struct wedr_waza_compiler *c, uint32_t *ret_rule)
{
    struct build *b = wedr_waza_alloc(c->source, sizeof(*b));
    if (!b) {
        return WEDR_E_LIMIT;
    }
    b->c = c;
    return build(b, ret_rule);
}
