/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/rule.c — rules and correlations, copied in whole. */
#include "core/base/err.h"
#include "ir/ruleset.h"
#include <stddef.h>
#include <string.h>

struct wedr_rule wedr_rule_init(void)
{
    struct wedr_rule r = {.guard = WEDR_IR_NONE,
                          .condition = WEDR_IR_NONE,
                          .exception = WEDR_IR_NONE,
                          .correlation = WEDR_IR_NONE,
                          .entity_field = WEDR_IR_NONE,
                          .severity = WEDR_SEVERITY_MEDIUM,
                          .actions = WEDR_ACTION_ALERT};
    return r;
}

struct wedr_correlation wedr_correlation_init(void)
{
    struct wedr_correlation c = {
        .value_field = WEDR_IR_NONE, .expression = WEDR_IR_NONE, .rule = WEDR_IR_NONE};
    return c;
}

/* Copies an array into the ruleset. */
static int
copy_array(struct wedr_ruleset *rs, const void *p, size_t count, size_t size, void *ret_copy)
{
    void *copy = NULL;
    if (count > 0) {
        copy = wedr_pool_block(&rs->pool, count * size, 16);
        if (!copy) {
            return WEDR_E_NOMEM;
        }
        memcpy(copy, p, count * size);
    }
    memcpy(ret_copy, &copy, sizeof(copy));
    return WEDR_OK;
}

static int copy_list(struct wedr_ruleset *rs, struct wedr_text_list *list)
{
    struct wedr_text *v = NULL;
    if (list->count > WEDR_IR_KIDS_MAX) {
        return WEDR_E_LIMIT;
    }
    if (list->count > 0) {
        v = wedr_pool_block(&rs->pool, list->count * sizeof(*v), sizeof(void *));
        if (!v) {
            return WEDR_E_NOMEM;
        }
    }
    for (uint32_t i = 0; i < list->count; i++) {
        int r = wedr_rs_intern(rs, list->v[i], &v[i]);
        if (r < 0) {
            return r;
        }
    }
    list->v = v;
    return WEDR_OK;
}

/* Texts that other rules repeat, then those that they do not. */
static const size_t shared_texts[] = {
    offsetof(struct wedr_rule, author),      offsetof(struct wedr_rule, date),
    offsetof(struct wedr_rule, modified),    offsetof(struct wedr_rule, status),
    offsetof(struct wedr_rule, license),     offsetof(struct wedr_rule, category),
    offsetof(struct wedr_rule, product),     offsetof(struct wedr_rule, service),
    offsetof(struct wedr_rule, source_file), offsetof(struct wedr_rule, language),
    offsetof(struct wedr_rule, needs),
};
static const size_t own_texts[] = {
    offsetof(struct wedr_rule, id),
    offsetof(struct wedr_rule, title),
    offsetof(struct wedr_rule, description),
    offsetof(struct wedr_rule, message),
};
static const size_t lists[] = {
    offsetof(struct wedr_rule, tags),
    offsetof(struct wedr_rule, references),
    offsetof(struct wedr_rule, false_positives),
    offsetof(struct wedr_rule, exceptions),
};

static int copy_texts(struct wedr_ruleset *rs, struct wedr_rule *r)
{
    int e = WEDR_OK;
    for (size_t i = 0; e == WEDR_OK && i < WEDR_ARRAY_COUNT(shared_texts); i++) {
        struct wedr_text *t = (void *)((char *)r + shared_texts[i]);
        e = wedr_rs_intern(rs, *t, t);
    }
    for (size_t i = 0; e == WEDR_OK && i < WEDR_ARRAY_COUNT(own_texts); i++) {
        struct wedr_text *t = (void *)((char *)r + own_texts[i]);
        e = t->len > WEDR_IR_TEXT_MAX ? WEDR_E_LIMIT
            : t->len > 0              ? wedr_pool_text(&rs->pool, *t, t)
                                      : wedr_rs_intern(rs, *t, t);
    }
    for (size_t i = 0; e == WEDR_OK && i < WEDR_ARRAY_COUNT(lists); i++) {
        e = copy_list(rs, (void *)((char *)r + lists[i]));
    }
    return e;
}

static bool node_ok(const struct wedr_ruleset *rs, uint32_t node)
{
    return node == WEDR_IR_NONE || node < rs->nodes.count;
}

static int check_rule(const struct wedr_ruleset *rs, const struct wedr_rule *rule)
{
    if (!node_ok(rs, rule->guard) || !node_ok(rs, rule->condition) ||
        !node_ok(rs, rule->exception) || rule->severity > WEDR_SEVERITY_CRITICAL ||
        (rule->entity_field != WEDR_IR_NONE && rule->entity_field >= rs->fields.count)) {
        return WEDR_E_INVAL;
    }
    for (uint32_t i = 0; i < rule->class_count; i++) {
        if (rule->classes[i] >= rs->classes.count) {
            return WEDR_E_INVAL;
        }
    }
    return rule->class_count > WEDR_IR_CLASSES_MAX ? WEDR_E_LIMIT : WEDR_OK;
}

static struct wedr_rule *rule_at(const struct wedr_ruleset *rs, uint32_t rule)
{
    return rule < rs->rules.count ? WEDR_VEC_AT(struct wedr_rule, rs->rules, rule) : NULL;
}

struct id_key {
    const struct wedr_ruleset *rs;
    struct wedr_text id;
};

static bool same_text(struct wedr_text a, struct wedr_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static bool same_id(const void *ctx, uint32_t rule)
{
    const struct id_key *k = ctx;
    return same_text(rule_at(k->rs, rule)->id, k->id);
}

static uint32_t find_id(const struct wedr_ruleset *rs, struct wedr_text id)
{
    struct id_key key = {rs, id};
    return wedr_index_find(&rs->rule_index, wedr_hash_bytes(id.p, id.len, 0), same_id, &key);
}

static int add_rule(struct wedr_ruleset *rs, struct wedr_rule *rule, uint32_t *ret_rule)
{
    int r = check_rule(rs, rule);
    if (r == WEDR_OK) {
        r = copy_texts(rs, rule);
    }
    if (r == WEDR_OK) {
        r = copy_array(rs, rule->classes, rule->class_count, sizeof(*rule->classes),
                       &rule->classes);
    }
    uint32_t id = (uint32_t)rs->rules.count;
    if (r == WEDR_OK) {
        r = wedr_vec_push(&rs->pool, &rs->rules, rule, 1, sizeof(*rule));
    }
    /* The first of an id is the one that is found: equal ids never pile up in the index. */
    if (r == WEDR_OK && rule->id.len > 0 && find_id(rs, rule->id) == WEDR_IR_NONE) {
        r = wedr_index_add(&rs->pool, &rs->rule_index, wedr_hash_bytes(rule->id.p, rule->id.len, 0),
                           id);
        rs->rules.count -= r < 0;
    }
    if (r == WEDR_OK) {
        *ret_rule = id;
    }
    return r;
}

int wedr_ruleset_add_rule(struct wedr_ruleset *rs, const struct wedr_rule *rule, uint32_t *ret_rule)
{
    struct wedr_rule copy = *rule;
    copy.correlation = WEDR_IR_NONE;
    return copy.condition == WEDR_IR_NONE ? WEDR_E_INVAL : add_rule(rs, &copy, ret_rule);
}

static bool field_ok(const struct wedr_ruleset *rs, uint32_t field)
{
    return field < rs->fields.count;
}

static int check_parts(const struct wedr_ruleset *rs, const struct wedr_correlation *c)
{
    for (uint32_t i = 0; i < c->member_count; i++) {
        if (c->members[i] >= rs->rules.count) {
            return WEDR_E_INVAL;
        }
    }
    for (uint32_t i = 0; i < c->group_count; i++) {
        if (!field_ok(rs, c->group_by[i])) {
            return WEDR_E_INVAL;
        }
    }
    for (uint32_t i = 0; i < c->alias_count; i++) {
        const struct wedr_correlation_alias *a = &c->aliases[i];
        if (a->group >= c->group_count || a->member >= c->member_count || !field_ok(rs, a->field)) {
            return WEDR_E_INVAL;
        }
    }
    for (uint32_t i = 0; i < c->join_count; i++) {
        const struct wedr_correlation_join *j = &c->joins[i];
        if (j->member_a >= c->member_count || j->member_b >= c->member_count ||
            !field_ok(rs, j->field_a) || !field_ok(rs, j->field_b)) {
            return WEDR_E_INVAL;
        }
    }
    for (uint32_t i = 0; i < c->limit_count; i++) {
        if (c->limits[i].op > WEDR_OP_GE) {
            return WEDR_E_INVAL;
        }
    }
    return WEDR_OK;
}

/* Only members, and, or, not, at least, true, false below an expression. */
static bool expression_ok(const struct wedr_ruleset *rs, uint32_t node, uint32_t members)
{
    const struct wedr_node *n = wedr_ruleset_node(rs, node);
    if (!n || n->kind == WEDR_NODE_PRED || (n->kind == WEDR_NODE_MEMBER && n->arg >= members)) {
        return false;
    }
    for (uint32_t i = 0; i < n->kid_count; i++) {
        if (!expression_ok(rs, wedr_ruleset_kids(rs, n)[i], members)) {
            return false;
        }
    }
    return true;
}

/* Distinct fields that joins name on one side of a member. */
static uint32_t join_sides(const struct wedr_correlation *c, uint32_t member)
{
    uint32_t fields[WEDR_IR_JOIN_SIDES_MAX + 1];
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->join_count * 2 && count <= WEDR_IR_JOIN_SIDES_MAX; i++) {
        const struct wedr_correlation_join *j = &c->joins[i / 2];
        uint32_t field = i % 2 ? j->field_b : j->field_a;
        uint32_t at = 0;
        if ((i % 2 ? j->member_b : j->member_a) != member) {
            continue;
        }
        while (at < count && fields[at] != field) {
            at++;
        }
        fields[at] = field;
        count += at == count;
    }
    return count;
}

static int check_sizes(const struct wedr_correlation *c)
{
    int64_t most = c->kind == WEDR_CORR_VALUE_COUNT ? WEDR_IR_DISTINCT_MAX : WEDR_IR_COUNT_MAX;
    for (uint32_t i = 0; i < c->limit_count; i++) {
        if (wedr_number_compare(c->limits[i].number, wedr_number_i64(most)) > 0) {
            return WEDR_E_LIMIT;
        }
    }
    for (uint32_t i = 0; i < c->member_count; i++) {
        if (join_sides(c, i) > WEDR_IR_JOIN_SIDES_MAX) {
            return WEDR_E_LIMIT;
        }
    }
    return WEDR_OK;
}

static int check_correlation(const struct wedr_ruleset *rs, const struct wedr_correlation *c)
{
    if (c->member_count > WEDR_IR_MEMBERS_MAX || c->group_count > WEDR_IR_GROUP_MAX ||
        c->alias_count > WEDR_IR_MEMBERS_MAX * WEDR_IR_GROUP_MAX ||
        c->join_count > WEDR_IR_MEMBERS_MAX) {
        return WEDR_E_LIMIT;
    }
    if (c->kind > WEDR_CORR_PATTERN || c->member_count == 0 ||
        c->limit_count > WEDR_ARRAY_COUNT(c->limits)) {
        return WEDR_E_INVAL;
    }
    if (c->kind == WEDR_CORR_VALUE_COUNT && !field_ok(rs, c->value_field)) {
        return WEDR_E_INVAL;
    }
    if (c->expression != WEDR_IR_NONE && !expression_ok(rs, c->expression, c->member_count)) {
        return WEDR_E_INVAL;
    }
    int r = check_parts(rs, c);
    return r < 0 ? r : check_sizes(c);
}

int wedr_ruleset_add_correlation(struct wedr_ruleset *rs,
                                 const struct wedr_rule *rule,
                                 const struct wedr_correlation *correlation,
                                 uint32_t *ret_rule)
{
    struct wedr_correlation c = *correlation;
    struct wedr_rule copy = *rule;
    int r = check_correlation(rs, &c);
    if (r == WEDR_OK) {
        r = copy_array(rs, c.members, c.member_count, sizeof(*c.members), &c.members);
    }
    if (r == WEDR_OK) {
        r = copy_array(rs, c.group_by, c.group_count, sizeof(*c.group_by), &c.group_by);
    }
    if (r == WEDR_OK) {
        r = copy_array(rs, c.aliases, c.alias_count, sizeof(*c.aliases), &c.aliases);
    }
    if (r == WEDR_OK) {
        r = copy_array(rs, c.joins, c.join_count, sizeof(*c.joins), &c.joins);
    }
    c.rule = (uint32_t)rs->rules.count;
    copy.correlation = (uint32_t)rs->correlations.count;
    copy.condition = WEDR_IR_NONE;
    if (r == WEDR_OK) {
        r = wedr_vec_push(&rs->pool, &rs->correlations, &c, 1, sizeof(c));
    }
    if (r == WEDR_OK) {
        r = add_rule(rs, &copy, ret_rule);
        rs->correlations.count -= r < 0;
    }
    return r;
}

int wedr_ruleset_set_condition(struct wedr_ruleset *rs, uint32_t rule, uint32_t condition)
{
    struct wedr_rule *r = rule_at(rs, rule);
    if (!r || condition >= rs->nodes.count || r->correlation != WEDR_IR_NONE) {
        return WEDR_E_INVAL;
    }
    r->condition = condition;
    return WEDR_OK;
}

int wedr_ruleset_set_exception(struct wedr_ruleset *rs, uint32_t rule, uint32_t exception)
{
    struct wedr_rule *r = rule_at(rs, rule);
    if (!r || !node_ok(rs, exception)) {
        return WEDR_E_INVAL;
    }
    r->exception = exception;
    return WEDR_OK;
}

int wedr_ruleset_set_flags(struct wedr_ruleset *rs, uint32_t rule, uint16_t flags)
{
    struct wedr_rule *r = rule_at(rs, rule);
    if (!r) {
        return WEDR_E_INVAL;
    }
    r->flags = flags;
    return WEDR_OK;
}

uint32_t wedr_ruleset_rule_count(const struct wedr_ruleset *rs)
{
    return (uint32_t)rs->rules.count;
}

const struct wedr_rule *wedr_ruleset_rule(const struct wedr_ruleset *rs, uint32_t rule)
{
    return rule_at(rs, rule);
}

uint32_t wedr_ruleset_rule_find(const struct wedr_ruleset *rs, const char *id, size_t len)
{
    if (len > WEDR_IR_TEXT_MAX) {
        return WEDR_IR_NONE;
    }
    struct wedr_text key = wedr_text(id, len);
    uint32_t found = find_id(rs, key);
    for (uint32_t i = 0; found == WEDR_IR_NONE && i < rs->rules.count; i++) {
        found = same_text(rule_at(rs, i)->title, key) ? i : WEDR_IR_NONE;
    }
    return found;
}

uint32_t wedr_ruleset_correlation_count(const struct wedr_ruleset *rs)
{
    return (uint32_t)rs->correlations.count;
}

const struct wedr_correlation *wedr_ruleset_correlation(const struct wedr_ruleset *rs,
                                                        uint32_t index)
{
    return index < rs->correlations.count
               ? WEDR_VEC_AT(const struct wedr_correlation, rs->correlations, index)
               : NULL;
}

static const char *const severities[] = {"informational", "low", "medium", "high", "critical"};

const char *wedr_severity_name(uint8_t severity)
{
    return severity < WEDR_ARRAY_COUNT(severities) ? severities[severity] : "";
}

int wedr_severity_parse(const char *s, size_t len, uint8_t *ret_severity)
{
    struct wedr_text t = wedr_text(s, len);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(severities); i++) {
        if (wedr_text_equal(t, wedr_text(severities[i], strlen(severities[i])), false)) {
            *ret_severity = (uint8_t)i;
            return WEDR_OK;
        }
    }
    if (wedr_text_equal(t, wedr_text("info", 4), false)) {
        *ret_severity = WEDR_SEVERITY_INFORMATIONAL;
        return WEDR_OK;
    }
    return WEDR_E_NOENT;
}
