/* SPDX-License-Identifier: Apache-2.0
 * rules/src/bundle/read_rules.c — names, lists, expressions and rules: everything goes through the
 * functions that front ends build rulesets with, which check what they are given. */
#include "bundle/reader.h"
#include "core/base/err.h"
#include "ir/value.h"
#include <string.h>

#define REGEXES_MAX 65535u

/* A table of n ids. */
static bool table(struct wedr_bundle_reader *r, struct wedr_bundle_table *t, uint32_t n)
{
    t->to = wedr_bundle_block(r, n, sizeof(uint32_t));
    return t->to != NULL;
}

static void check(struct wedr_bundle_reader *r, int err, const char *what)
{
    if (err < 0 && r->err == WEDR_OK) {
        (void)wedr_bundle_bad(r, err == WEDR_E_INVAL ? WEDR_E_FORMAT : err, what);
    }
}

void wedr_bundle_read_names(struct wedr_bundle_reader *r)
{
    uint32_t n = wedr_bundle_count(r, WEDR_IR_FIELDS_MAX, 1);
    if (!table(r, &r->fields, n)) {
        return;
    }
    for (uint32_t i = 0; r->err == WEDR_OK && i < n; i++) {
        struct wedr_text t = wedr_bundle_text(r);
        check(r, wedr_ruleset_field(r->rs, t.p, t.len, &r->fields.to[i]), "the name of a field");
        r->fields.count++;
    }
    n = wedr_bundle_count(r, WEDR_IR_CLASSES_MAX, 1);
    if (!table(r, &r->classes, n)) {
        return;
    }
    for (uint32_t i = 0; r->err == WEDR_OK && i < n; i++) {
        struct wedr_text t = wedr_bundle_text(r);
        check(r, wedr_ruleset_class(r->rs, t.p, t.len, &r->classes.to[i]), "the name of a class");
        r->classes.count++;
    }
}

static void read_set(struct wedr_bundle_reader *r, uint32_t set, enum wedr_set_mode mode)
{
    uint32_t n = wedr_bundle_count(r, WEDR_IR_SET_MAX, 1);
    for (uint32_t i = 0; r->err == WEDR_OK && i < n; i++) {
        if (mode == WEDR_SET_CIDR) {
            struct wedr_net net = wedr_bundle_net(r);
            check(r, r->err < 0 ? r->err : wedr_rs_set_add_net(r->rs, set, &net), "a network");
            continue;
        }
        size_t len = (size_t)wedr_bundle_number(r, WEDR_IR_TEXT_MAX);
        const uint8_t *p = wedr_bundle_bytes(r, len);
        check(r, p ? wedr_ruleset_set_add(r->rs, set, (const char *)p, len) : r->err,
              "an entry of a list");
    }
    check(r, r->err < 0 ? r->err : wedr_ruleset_set_seal(r->rs, set), "a list");
}

void wedr_bundle_read_sets(struct wedr_bundle_reader *r)
{
    uint32_t n = wedr_bundle_count(r, WEDR_BUNDLE_SETS_MAX, 3);
    if (!table(r, &r->sets, n)) {
        return;
    }
    for (uint32_t i = 0; r->err == WEDR_OK && i < n; i++) {
        enum wedr_set_mode mode = (enum wedr_set_mode)wedr_bundle_number(r, WEDR_SET_CIDR);
        bool cased = wedr_bundle_number(r, 1) != 0;
        check(r, r->err < 0 ? r->err : wedr_ruleset_set_new(r->rs, mode, cased, &r->sets.to[i]),
              "a list");
        if (r->err == WEDR_OK) {
            read_set(r, r->sets.to[i], mode);
            r->sets.count++;
        }
    }
}

static void read_payload(struct wedr_bundle_reader *r, struct wedr_pred *p)
{
    switch (p->kind) {
    case WEDR_PRED_CIDR:
        p->u.net = wedr_bundle_net(r);
        wedr_net_trim(&p->u.net);
        break;
    case WEDR_PRED_NUMBER:
    case WEDR_PRED_TIME:
        p->u.number = wedr_bundle_value(r);
        break;
    case WEDR_PRED_BOOL:
        p->u.boolean = wedr_bundle_number(r, 1) != 0;
        break;
    case WEDR_PRED_FIELD:
        p->u.other = wedr_bundle_id(r, &r->fields, false);
        break;
    case WEDR_PRED_BITS:
        p->u.bits = wedr_bundle_number(r, UINT64_MAX);
        break;
    case WEDR_PRED_SET:
        p->u.set = wedr_bundle_id(r, &r->sets, false);
        break;
    case WEDR_PRED_EXISTS:
    case WEDR_PRED_NULL:
        break;
    default:
        p->u.text = wedr_bundle_text(r);
        break;
    }
}

static void read_pred(struct wedr_bundle_reader *r, uint32_t *ret_node)
{
    struct wedr_pred p = {.kind = (uint8_t)wedr_bundle_number(r, WEDR_PRED_KIND_COUNT - 1)};
    uint32_t field = wedr_bundle_id(r, &r->fields, true);
    p.field = field == WEDR_IR_NONE ? WEDR_FIELD_ANY : field;
    p.op = (uint8_t)wedr_bundle_number(r, WEDR_OP_ANY);
    p.flags = (uint8_t)wedr_bundle_number(r, UINT8_MAX);
    p.part = (uint8_t)wedr_bundle_number(r, WEDR_TIME_YEAR);
    read_payload(r, &p);
    if (p.kind == WEDR_PRED_REGEX && r->rs->regexes.count >= REGEXES_MAX) {
        (void)wedr_bundle_bad(r, WEDR_E_LIMIT, "regular expressions");
    }
    if (r->err == WEDR_OK) {
        struct wedr_errinfo ei = {""};
        int e = wedr_ir_pred(r->rs, &p, ret_node, &ei);
        check(r, e, ei.text[0] != '\0' ? ei.text : "a predicate");
    }
}

static int make_node(struct wedr_bundle_reader *r,
                     uint64_t kind,
                     uint32_t arg,
                     const uint32_t *kids,
                     uint32_t count,
                     uint32_t *ret_node)
{
    switch (kind) {
    case WEDR_NODE_TRUE:
    case WEDR_NODE_FALSE:
        return wedr_ir_constant(r->rs, kind == WEDR_NODE_TRUE, ret_node);
    case WEDR_NODE_NOT:
        return count == 1 ? wedr_ir_not(r->rs, kids[0], ret_node) : WEDR_E_FORMAT;
    case WEDR_NODE_AND:
        return wedr_ir_and(r->rs, kids, count, ret_node);
    case WEDR_NODE_OR:
        return wedr_ir_or(r->rs, kids, count, ret_node);
    case WEDR_NODE_AT_LEAST:
        return wedr_ir_at_least(r->rs, arg, kids, count, ret_node);
    default:
        return wedr_ir_member(r->rs, arg, ret_node);
    }
}

/* Kids are named by how far they lie back: only earlier nodes can be. */
static void read_node(struct wedr_bundle_reader *r, uint32_t at, uint32_t *kids)
{
    uint64_t kind = wedr_bundle_number(r, WEDR_NODE_MEMBER);
    if (kind == WEDR_NODE_PRED) {
        read_pred(r, &r->nodes.to[at]);
        return;
    }
    uint32_t arg = (uint32_t)wedr_bundle_number(r, WEDR_IR_KIDS_MAX);
    uint32_t count = wedr_bundle_count(r, WEDR_IR_KIDS_MAX, 1);
    for (uint32_t k = 0; r->err == WEDR_OK && k < count; k++) {
        uint64_t back = wedr_bundle_number(r, at);
        if (back == 0) {
            (void)wedr_bundle_bad(r, WEDR_E_FORMAT, "a node that contains itself");
            return;
        }
        kids[k] = r->nodes.to[at - back];
    }
    if (r->err == WEDR_OK) {
        check(r, make_node(r, kind, arg, kids, count, &r->nodes.to[at]), "an expression");
    }
}

void wedr_bundle_read_nodes(struct wedr_bundle_reader *r)
{
    uint32_t n = wedr_bundle_count(r, UINT32_MAX - 1, 3);
    uint32_t *kids = wedr_bundle_block(r, WEDR_IR_KIDS_MAX, sizeof(uint32_t));
    if (!kids || !table(r, &r->nodes, n)) {
        return;
    }
    for (uint32_t i = 0; r->err == WEDR_OK && i < n; i++) {
        read_node(r, i, kids);
        r->nodes.count++;
    }
}

static struct wedr_text_list read_list(struct wedr_bundle_reader *r)
{
    struct wedr_text_list list = {NULL, wedr_bundle_count(r, WEDR_IR_KIDS_MAX, 1)};
    struct wedr_text *v = list.count ? wedr_bundle_block(r, list.count, sizeof(*v)) : NULL;
    for (uint32_t i = 0; v && i < list.count; i++) {
        v[i] = wedr_bundle_text(r);
    }
    list.v = v;
    list.count = v ? list.count : 0;
    return list;
}

static const uint32_t *
read_ids(struct wedr_bundle_reader *r, const struct wedr_bundle_table *t, uint32_t max, uint32_t *n)
{
    *n = wedr_bundle_count(r, max, 1);
    uint32_t *ids = wedr_bundle_block(r, *n, sizeof(*ids));
    for (uint32_t i = 0; ids && i < *n; i++) {
        ids[i] = wedr_bundle_id(r, t, false);
    }
    return ids;
}

static void read_aliases(struct wedr_bundle_reader *r, struct wedr_correlation *c)
{
    c->alias_count = wedr_bundle_count(r, WEDR_IR_MEMBERS_MAX * WEDR_IR_GROUP_MAX, 3);
    struct wedr_correlation_alias *a = wedr_bundle_block(r, c->alias_count, sizeof(*a));
    for (uint32_t i = 0; a && i < c->alias_count; i++) {
        a[i].group = (uint32_t)wedr_bundle_number(r, UINT32_MAX);
        a[i].member = (uint32_t)wedr_bundle_number(r, UINT32_MAX);
        a[i].field = wedr_bundle_id(r, &r->fields, false);
    }
    c->aliases = a;
}

static void read_joins(struct wedr_bundle_reader *r, struct wedr_correlation *c)
{
    c->join_count = wedr_bundle_count(r, WEDR_IR_MEMBERS_MAX, 4);
    struct wedr_correlation_join *j = wedr_bundle_block(r, c->join_count, sizeof(*j));
    for (uint32_t i = 0; j && i < c->join_count; i++) {
        j[i].member_a = (uint32_t)wedr_bundle_number(r, UINT32_MAX);
        j[i].field_a = wedr_bundle_id(r, &r->fields, false);
        j[i].member_b = (uint32_t)wedr_bundle_number(r, UINT32_MAX);
        j[i].field_b = wedr_bundle_id(r, &r->fields, false);
    }
    c->joins = j;
}

static void add_weight(struct wedr_bundle_reader *r, uint32_t node)
{
    r->weight += node == WEDR_IR_NONE ? 0 : wedr_ruleset_node(r->rs, node)->weight;
    if (r->weight > WEDR_BUNDLE_WEIGHT_MAX) {
        (void)wedr_bundle_bad(r, WEDR_E_LIMIT, "expressions");
    }
}

static void read_correlation(struct wedr_bundle_reader *r, struct wedr_correlation *c)
{
    c->kind = (uint8_t)wedr_bundle_number(r, WEDR_CORR_PATTERN);
    uint64_t bits = wedr_bundle_number(r, 3);
    c->ordered = (bits & 1) != 0;
    c->consume = (bits & 2) != 0;
    c->timespan_ms = wedr_bundle_number(r, INT64_MAX / 1000);
    c->members = read_ids(r, &r->rules, WEDR_IR_MEMBERS_MAX, &c->member_count);
    c->group_by = read_ids(r, &r->fields, WEDR_IR_GROUP_MAX, &c->group_count);
    read_aliases(r, c);
    read_joins(r, c);
    c->limit_count = wedr_bundle_count(r, WEDR_ARRAY_COUNT(c->limits), 10);
    for (uint32_t i = 0; i < c->limit_count; i++) {
        c->limits[i].op = (uint8_t)wedr_bundle_number(r, WEDR_OP_GE);
        c->limits[i].number = wedr_bundle_value(r);
    }
    c->value_field = wedr_bundle_id(r, &r->fields, true);
    c->expression = wedr_bundle_id(r, &r->nodes, true);
    add_weight(r, c->expression);
}

static void read_rule(struct wedr_bundle_reader *r, uint32_t at)
{
    struct wedr_rule rule = wedr_rule_init();
    struct wedr_correlation c = wedr_correlation_init();
    for (size_t i = 0; i < wedr_bundle_text_count; i++) {
        *wedr_bundle_rule_text(&rule, i) = wedr_bundle_text(r);
    }
    for (size_t i = 0; i < wedr_bundle_list_count; i++) {
        *wedr_bundle_rule_list(&rule, i) = read_list(r);
    }
    rule.classes = read_ids(r, &r->classes, WEDR_IR_CLASSES_MAX, &rule.class_count);
    rule.guard = wedr_bundle_id(r, &r->nodes, true);
    rule.condition = wedr_bundle_id(r, &r->nodes, true);
    rule.exception = wedr_bundle_id(r, &r->nodes, true);
    rule.source_line = (uint32_t)wedr_bundle_number(r, UINT32_MAX);
    rule.flags = (uint16_t)wedr_bundle_number(r, UINT16_MAX);
    rule.severity = (uint8_t)wedr_bundle_number(r, WEDR_SEVERITY_CRITICAL);
    rule.actions = (uint8_t)wedr_bundle_number(r, UINT8_MAX);
    rule.throttle_count = (uint32_t)wedr_bundle_number(r, UINT32_MAX);
    rule.throttle_ms = wedr_bundle_number(r, UINT64_MAX);
    rule.entity_field = wedr_bundle_id(r, &r->fields, true);
    bool correlation = wedr_bundle_number(r, 1) != 0;
    add_weight(r, rule.guard);
    add_weight(r, rule.condition);
    add_weight(r, rule.exception);
    if (correlation) {
        read_correlation(r, &c);
    }
    if (r->err == WEDR_OK) {
        check(r,
              correlation ? wedr_ruleset_add_correlation(r->rs, &rule, &c, &r->rules.to[at])
                          : wedr_ruleset_add_rule(r->rs, &rule, &r->rules.to[at]),
              "a rule");
    }
}

void wedr_bundle_read_rules(struct wedr_bundle_reader *r)
{
    uint32_t n = wedr_bundle_count(r, UINT32_MAX - 1, wedr_bundle_text_count);
    if (!table(r, &r->rules, n)) {
        return;
    }
    for (uint32_t i = 0; r->err == WEDR_OK && i < n; i++) {
        read_rule(r, i);
        r->rules.count++;
    }
}
