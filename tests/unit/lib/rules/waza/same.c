/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/waza/same.c */
#include "same.h"
#include <string.h>

struct pair {
    const struct wedr_ruleset *a, *b;
};

static bool same_text(struct wedr_text x, struct wedr_text y)
{
    return x.len == y.len && (x.len == 0 || memcmp(x.p, y.p, x.len) == 0);
}

static bool same_list(struct wedr_text_list x, struct wedr_text_list y)
{
    for (uint32_t i = 0; x.count == y.count && i < x.count; i++) {
        if (!same_text(x.v[i], y.v[i])) {
            return false;
        }
    }
    return x.count == y.count;
}

static bool same_field(const struct pair *p, uint32_t x, uint32_t y)
{
    bool special = x >= WEDR_FIELD_ANY || y >= WEDR_FIELD_ANY;
    return special ? x == y
                   : same_text(wedr_ruleset_field_name(p->a, x), wedr_ruleset_field_name(p->b, y));
}

static bool has_entry(const struct wedr_ruleset *rs, uint32_t set, struct wedr_text entry)
{
    for (uint32_t i = 0; i < wedr_set_entry_count(rs, set); i++) {
        if (same_text(wedr_set_entry(rs, set, i), entry)) {
            return true;
        }
    }
    return false;
}

static bool same_set(const struct pair *p, uint32_t x, uint32_t y)
{
    bool cased_x;
    bool cased_y;
    enum wedr_set_mode mode = wedr_set_mode(p->a, x, &cased_x);
    uint32_t count = wedr_set_entry_count(p->a, x);
    if (mode != wedr_set_mode(p->b, y, &cased_y) || (mode != WEDR_SET_CIDR && cased_x != cased_y) ||
        count != wedr_set_entry_count(p->b, y)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (mode == WEDR_SET_CIDR) {
            struct wedr_net m = wedr_set_net(p->a, x, i);
            struct wedr_net n = wedr_set_net(p->b, y, i);
            if (m.family != n.family || m.bits != n.bits || memcmp(m.addr, n.addr, 16) != 0) {
                return false;
            }
        } else if (!has_entry(p->b, y, wedr_set_entry(p->a, x, i))) {
            return false;
        }
    }
    return true;
}

/* Control characters of a pattern may come back as escapes: compiled and compared elsewhere. */
static bool same_pattern(struct wedr_text x, struct wedr_text y)
{
    bool plain = true;
    for (uint32_t i = 0; i < x.len; i++) {
        plain = plain && (uint8_t)x.p[i] >= ' ' && x.p[i] != 0x7F &&
                !(x.p[i] == '\\' && i + 1 < x.len && x.p[i + 1] == '/');
    }
    return !plain || same_text(x, y);
}

static bool same_pred(const struct pair *p, const struct wedr_pred *x, const struct wedr_pred *y)
{
    if (x->kind != y->kind || !same_field(p, x->field, y->field) || x->op != y->op ||
        x->part != y->part) {
        return false;
    }
    bool ordered = x->kind == WEDR_PRED_FIELD && x->op > WEDR_OP_NE && x->op <= WEDR_OP_GE;
    if (!ordered && x->flags != y->flags) { /* case means nothing to < and its kin */
        return false;
    }
    switch (x->kind) {
    case WEDR_PRED_REGEX:
        return same_pattern(x->u.text, y->u.text);
    case WEDR_PRED_CIDR:
        return memcmp(&x->u.net, &y->u.net, sizeof(x->u.net)) == 0;
    case WEDR_PRED_NUMBER:
    case WEDR_PRED_TIME:
        return wedr_number_compare(x->u.number, y->u.number) == 0;
    case WEDR_PRED_BOOL:
        return x->u.boolean == y->u.boolean;
    case WEDR_PRED_EXISTS:
    case WEDR_PRED_NULL:
        return true;
    case WEDR_PRED_FIELD:
        return same_field(p, x->u.other, y->u.other);
    case WEDR_PRED_BITS:
        return x->u.bits == y->u.bits;
    case WEDR_PRED_SET:
        return same_set(p, x->u.set, y->u.set);
    default:
        return same_text(x->u.text, y->u.text);
    }
}

static bool same_node(const struct pair *p, uint32_t x, uint32_t y);

/* "is null" comes back as "not exists". */
static bool same_null(const struct pair *p, const struct wedr_pred *x, const struct wedr_node *n)
{
    if (n->kind != WEDR_NODE_NOT) {
        return false;
    }
    const struct wedr_node *kid = wedr_ruleset_node(p->b, wedr_ruleset_kids(p->b, n)[0]);
    const struct wedr_pred *y =
        kid->kind == WEDR_NODE_PRED ? wedr_ruleset_pred(p->b, kid->arg) : NULL;
    return y && y->kind == WEDR_PRED_EXISTS && same_field(p, x->field, y->field);
}

/* "not null" comes back as "exists". */
static bool
same_not_null(const struct pair *p, const struct wedr_node *m, const struct wedr_node *n)
{
    const struct wedr_node *kid = wedr_ruleset_node(p->a, wedr_ruleset_kids(p->a, m)[0]);
    const struct wedr_pred *x =
        kid->kind == WEDR_NODE_PRED ? wedr_ruleset_pred(p->a, kid->arg) : NULL;
    const struct wedr_pred *y = n->kind == WEDR_NODE_PRED ? wedr_ruleset_pred(p->b, n->arg) : NULL;
    return x && y && x->kind == WEDR_PRED_NULL && y->kind == WEDR_PRED_EXISTS &&
           same_field(p, x->field, y->field);
}

static bool same_node(const struct pair *p, uint32_t x, uint32_t y)
{
    if (x == WEDR_IR_NONE || y == WEDR_IR_NONE) {
        return x == y;
    }
    const struct wedr_node *m = wedr_ruleset_node(p->a, x);
    const struct wedr_node *n = wedr_ruleset_node(p->b, y);
    if (m->kind == WEDR_NODE_PRED && wedr_ruleset_pred(p->a, m->arg)->kind == WEDR_PRED_NULL) {
        return same_null(p, wedr_ruleset_pred(p->a, m->arg), n);
    }
    if (m->kind == WEDR_NODE_NOT && n->kind != WEDR_NODE_NOT) {
        return same_not_null(p, m, n);
    }
    if (m->kind != n->kind || m->kid_count != n->kid_count) {
        return false;
    }
    if (m->kind == WEDR_NODE_PRED) {
        return same_pred(p, wedr_ruleset_pred(p->a, m->arg), wedr_ruleset_pred(p->b, n->arg));
    }
    for (uint32_t i = 0; i < m->kid_count; i++) {
        if (!same_node(p, wedr_ruleset_kids(p->a, m)[i], wedr_ruleset_kids(p->b, n)[i])) {
            return false;
        }
    }
    return m->arg == n->arg;
}

static bool
same_condition(const struct pair *p, const struct wedr_rule *x, const struct wedr_rule *y)
{
    return same_node(p, x->guard, y->guard) && same_node(p, x->condition, y->condition);
}

static bool same_correlation(const struct pair *p, uint32_t x, uint32_t y)
{
    if (x == WEDR_IR_NONE || y == WEDR_IR_NONE) {
        return x == y;
    }
    const struct wedr_correlation *m = wedr_ruleset_correlation(p->a, x);
    const struct wedr_correlation *n = wedr_ruleset_correlation(p->b, y);
    bool same = m->kind == n->kind && m->ordered == n->ordered && m->consume == n->consume &&
                m->timespan_ms == n->timespan_ms && m->member_count == n->member_count &&
                m->group_count == n->group_count && m->alias_count == n->alias_count &&
                m->join_count == n->join_count && m->limit_count == n->limit_count &&
                same_field(p, m->value_field, n->value_field) &&
                same_node(p, m->expression, n->expression);
    for (uint32_t i = 0; same && i < m->member_count; i++) {
        same = *same_rule(p->a, m->members[i], p->b, n->members[i], false) == '\0';
    }
    for (uint32_t i = 0; same && i < m->group_count; i++) {
        same = same_field(p, m->group_by[i], n->group_by[i]);
    }
    for (uint32_t i = 0; same && i < m->alias_count; i++) {
        same = m->aliases[i].group == n->aliases[i].group &&
               m->aliases[i].member == n->aliases[i].member &&
               same_field(p, m->aliases[i].field, n->aliases[i].field);
    }
    for (uint32_t i = 0; same && i < m->join_count; i++) {
        same = m->joins[i].member_a == n->joins[i].member_a &&
               m->joins[i].member_b == n->joins[i].member_b &&
               same_field(p, m->joins[i].field_a, n->joins[i].field_a) &&
               same_field(p, m->joins[i].field_b, n->joins[i].field_b);
    }
    for (uint32_t i = 0; same && i < m->limit_count; i++) {
        same = m->limits[i].op == n->limits[i].op &&
               wedr_number_compare(m->limits[i].number, n->limits[i].number) == 0;
    }
    return same;
}

static const char *same_description(const struct wedr_rule *x, const struct wedr_rule *y)
{
    if (!same_text(x->title, y->title) || (x->id.len && !same_text(x->id, y->id))) {
        return "id or title";
    }
    if (!same_text(x->description, y->description) || !same_text(x->author, y->author) ||
        !same_text(x->date, y->date) || !same_text(x->modified, y->modified) ||
        !same_text(x->status, y->status) || !same_text(x->license, y->license) ||
        !same_text(x->needs, y->needs) || !same_text(x->message, y->message)) {
        return "a text";
    }
    if (!same_text(x->product, y->product) || !same_text(x->category, y->category) ||
        !same_text(x->service, y->service)) {
        return "the log source";
    }
    if (!same_list(x->tags, y->tags) || !same_list(x->references, y->references) ||
        !same_list(x->false_positives, y->false_positives)) {
        return "a list";
    }
    return x->severity == y->severity && x->flags == y->flags &&
                   x->throttle_count == y->throttle_count && x->throttle_ms == y->throttle_ms
               ? ""
               : "severity, flags or throttle";
}

const char *same_rule(const struct wedr_ruleset *a,
                      uint32_t x,
                      const struct wedr_ruleset *b,
                      uint32_t y,
                      bool described)
{
    const struct pair p = {a, b};
    const struct wedr_rule *m = wedr_ruleset_rule(a, x);
    const struct wedr_rule *n = wedr_ruleset_rule(b, y);
    if (m->class_count != n->class_count) {
        return "the number of classes";
    }
    for (uint32_t i = 0; i < m->class_count; i++) {
        if (!same_text(wedr_ruleset_class_name(a, m->classes[i]),
                       wedr_ruleset_class_name(b, n->classes[i]))) {
            return "a class";
        }
    }
    if (!same_condition(&p, m, n)) {
        return "the condition";
    }
    if (!same_node(&p, m->exception, n->exception)) {
        return "the exception";
    }
    if (!same_correlation(&p, m->correlation, n->correlation)) {
        return "the correlation";
    }
    if (m->actions != n->actions && m->actions != 0) {
        return "the actions";
    }
    return described ? same_description(m, n) : "";
}
