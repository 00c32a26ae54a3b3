/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/correlation.c — correlation documents to the intermediate form. */
#include "core/base/err.h"
#include "loader.h"
#include <string.h>

#define ALIASES_MAX ((size_t)WEDR_IR_GROUP_MAX * WEDR_IR_MEMBERS_MAX)

struct build {
    struct wedr_sigma *s;
    struct wedr_sigma_compiler *c;
    const struct wedr_yaml *map; /* the section */
    struct wedr_correlation corr;
    struct wedr_text_list names, group;
    uint32_t members[WEDR_IR_MEMBERS_MAX];
    uint32_t fields[WEDR_IR_GROUP_MAX];
    struct wedr_correlation_alias *aliases;
};

static int bad(struct build *b, const struct wedr_yaml *y, const char *what)
{
    return wedr_sigma_fail(b->c, y ? y->line : b->map->line, WEDR_E_FORMAT, "correlation: %s",
                           what);
}

static int same_text(struct wedr_text a, struct wedr_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* --- Names of members in a condition like "a and not b". */

struct collect {
    struct wedr_sigma_compiler *c;
    struct wedr_text *v;
    uint32_t count;
};

static int collect_node(void *ctx, struct wedr_text name, uint32_t *ret_node)
{
    struct collect *k = ctx;
    for (uint32_t i = 0; i < k->count; i++) {
        if (same_text(k->v[i], name)) {
            return wedr_ir_member(k->c->rs, i, ret_node);
        }
    }
    if (k->count == WEDR_IR_MEMBERS_MAX) {
        return wedr_sigma_fail(k->c, k->c->line, WEDR_E_LIMIT, "correlation: more than %u rules",
                               WEDR_IR_MEMBERS_MAX);
    }
    k->v[k->count] = name;
    return wedr_ir_member(k->c->rs, k->count++, ret_node);
}

static int
collect_match(void *ctx, struct wedr_text pattern, uint32_t **ret_nodes, uint32_t *ret_count)
{
    struct collect *k = ctx;
    (void)pattern;
    *ret_nodes = NULL;
    *ret_count = 0;
    return wedr_sigma_fail(k->c, k->c->line, WEDR_E_UNSUP,
                           "correlation: a condition names its rules one by one");
}

static int read_expression(struct wedr_sigma_compiler *c,
                           const struct wedr_yaml *y,
                           struct collect *k,
                           uint32_t *ret_node)
{
    const struct wedr_sigma_names names = {collect_node, collect_match, k};
    c->line = y->line;
    return wedr_sigma_expression(c, y->text, y->line, &names, ret_node);
}

int wedr_sigma_member_names(struct wedr_sigma_compiler *c,
                            const struct wedr_yaml *doc,
                            struct wedr_text_list *ret_names)
{
    const struct wedr_yaml *map = wedr_yaml_get(doc, "correlation");
    if (map->kind != WEDR_YAML_MAP) {
        return wedr_sigma_fail(c, map->line, WEDR_E_FORMAT, "correlation is no map");
    }
    int e = wedr_sigma_list_of(c, map, "rules", ret_names);
    const struct wedr_yaml *y = wedr_yaml_get(map, "condition");
    if (e < 0 || ret_names->count > 0 || !y || y->kind != WEDR_YAML_SCALAR) {
        return e;
    }
    uint32_t node;
    struct collect k = {c, wedr_arena_alloc(c->arena, WEDR_IR_MEMBERS_MAX * sizeof(*k.v)), 0};
    e = k.v ? read_expression(c, y, &k, &node) : wedr_sigma_full(c, y->line);
    ret_names->v = k.v;
    ret_names->count = k.count;
    return e;
}

static int read_type(struct build *b)
{
    static const struct {
        const char *name;
        uint8_t kind;
    } kinds[] = {
        {"event_count", WEDR_CORR_EVENT_COUNT},
        {"value_count", WEDR_CORR_VALUE_COUNT},
        {"temporal", WEDR_CORR_TEMPORAL},
        {"temporal_ordered", WEDR_CORR_TEMPORAL_ORDERED},
    };
    struct wedr_text type = {NULL, 0};
    int e = wedr_sigma_text_of(b->c, b->map, "type", &type);
    if (e < 0 || !type.p) {
        return e < 0 ? e : bad(b, NULL, "no type");
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(kinds); i++) {
        if (wedr_text_is(type, kinds[i].name)) {
            b->corr.kind = kinds[i].kind;
            return WEDR_OK;
        }
    }
    return wedr_sigma_fail(b->c, wedr_yaml_get(b->map, "type")->line, WEDR_E_UNSUP,
                           "correlation: type '%.*s' is not supported",
                           (int)(type.len < 60 ? type.len : 60), type.p);
}

static int read_members(struct build *b)
{
    const struct wedr_yaml *y = wedr_yaml_get(b->map, "rules");
    if (b->names.count == 0 || b->names.count > WEDR_IR_MEMBERS_MAX) {
        return bad(b, y, b->names.count ? "too many rules" : "no rules");
    }
    for (uint32_t i = 0; i < b->names.count; i++) {
        const struct wedr_sigma_known *k = wedr_sigma_find(b->s, b->names.v[i]);
        if (!k || k->rule == WEDR_IR_NONE) {
            return wedr_sigma_fail(b->c, y ? y->line : b->map->line, WEDR_E_NOENT,
                                   "correlation: rule '%.*s' is not there",
                                   (int)(b->names.v[i].len < 80 ? b->names.v[i].len : 80),
                                   b->names.v[i].p);
        }
        b->members[i] = k->rule;
        for (uint32_t j = 0; j < i; j++) {
            if (b->members[j] == k->rule) {
                return bad(b, y, "a rule stands twice in the list");
            }
        }
    }
    b->corr.members = b->members;
    b->corr.member_count = b->names.count;
    return WEDR_OK;
}

static int read_group(struct build *b)
{
    int e = wedr_sigma_list_of(b->c, b->map, "group-by", &b->group);
    if (e == WEDR_OK && b->group.count > WEDR_IR_GROUP_MAX) {
        e = wedr_sigma_fail(b->c, wedr_yaml_get(b->map, "group-by")->line, WEDR_E_LIMIT,
                            "correlation: more than %u fields in group-by", WEDR_IR_GROUP_MAX);
    }
    for (uint32_t i = 0; e == WEDR_OK && i < b->group.count; i++) {
        e = wedr_ruleset_field(b->c->rs, b->group.v[i].p, b->group.v[i].len, &b->fields[i]);
    }
    b->corr.group_by = b->fields;
    b->corr.group_count = b->group.count;
    return e;
}

/* One alias: the group-by field of that name has another one in some members. */
static int read_alias(struct build *b, const struct wedr_yaml *alias)
{
    uint32_t group = 0;
    while (group < b->group.count && !same_text(b->group.v[group], alias->key)) {
        group++;
    }
    if (alias->kind != WEDR_YAML_MAP) {
        return bad(b, alias, "an alias needs a map of rules to fields");
    }
    for (const struct wedr_yaml *y = alias->first; y; y = y->next) {
        const struct wedr_sigma_known *k = wedr_sigma_find(b->s, y->key);
        uint32_t member = 0;
        while (k && member < b->corr.member_count && b->members[member] != k->rule) {
            member++;
        }
        if (!k || member == b->corr.member_count || y->kind != WEDR_YAML_SCALAR) {
            return bad(b, y, "an alias names a rule that is not in the list");
        }
        if (group == b->group.count) {
            continue; /* defined, never used */
        }
        if (b->corr.alias_count == ALIASES_MAX) {
            return bad(b, y, "too many aliases");
        }
        struct wedr_correlation_alias *a = &b->aliases[b->corr.alias_count++];
        a->group = group;
        a->member = member;
        int e = wedr_ruleset_field(b->c->rs, y->text.p, y->text.len, &a->field);
        if (e < 0) {
            return e == WEDR_E_INVAL ? bad(b, y, "an alias without a field") : e;
        }
    }
    return WEDR_OK;
}

static int read_aliases(struct build *b)
{
    const struct wedr_yaml *y = wedr_yaml_get(b->map, "aliases");
    int e = WEDR_OK;
    if (!y) {
        return WEDR_OK;
    }
    if (y->kind != WEDR_YAML_MAP) {
        return bad(b, y, "aliases is no map");
    }
    b->aliases = wedr_arena_alloc(b->c->arena, ALIASES_MAX * sizeof(*b->aliases));
    b->corr.aliases = b->aliases;
    if (!b->aliases) {
        return wedr_sigma_full(b->c, y->line);
    }
    for (const struct wedr_yaml *a = y->first; e == WEDR_OK && a; a = a->next) {
        e = read_alias(b, a);
    }
    return e;
}

static int read_timespan(struct build *b)
{
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'s', 1000},      {'m', 60000},      {'h', 3600000},    {'d', 86400000},
                 {'w', 604800000}, {'M', 2629746000}, {'y', 31556952000}};
    struct wedr_text t = {NULL, 0};
    const struct wedr_yaml *y = wedr_yaml_get(b->map, "timespan");
    int e = wedr_sigma_text_of(b->c, b->map, "timespan", &t);
    if (e < 0 || t.len < 2 || t.len > 10) {
        return e < 0 ? e : bad(b, y, "timespan needs a number and s, m, h, d, w, M or y");
    }
    uint64_t n = 0;
    for (uint32_t i = 0; i + 1 < t.len; i++) {
        if (t.p[i] < '0' || t.p[i] > '9') {
            return bad(b, y, "timespan needs a number and s, m, h, d, w, M or y");
        }
        n = n * 10 + (uint64_t)(t.p[i] - '0');
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(units); i++) {
        if (units[i].unit == t.p[t.len - 1] && n > 0) {
            b->corr.timespan_ms = n * units[i].ms;
            return WEDR_OK;
        }
    }
    return bad(b, y, n ? "timespan has an unknown unit" : "timespan is 0");
}

static int read_limit(struct build *b, const struct wedr_yaml *y, uint8_t op)
{
    bool boolean;
    struct wedr_number n;
    if (b->corr.limit_count == WEDR_ARRAY_COUNT(b->corr.limits)) {
        return bad(b, y, "more than two limits");
    }
    if (wedr_yaml_type(y, &boolean, &n) != WEDR_YAML_NUMBER || n.kind != WEDR_NUMBER_I64 ||
        n.v.i < 0) {
        return bad(b, y, "a limit is a number of events or values");
    }
    struct wedr_correlation_limit *l = &b->corr.limits[b->corr.limit_count++];
    l->op = op;
    l->number = n;
    return WEDR_OK;
}

static int read_field(struct build *b, const struct wedr_yaml *y)
{
    struct wedr_text_list list = {NULL, 0};
    int e = wedr_sigma_list_of(b->c, wedr_yaml_get(b->map, "condition"), "field", &list);
    if (e == WEDR_OK && list.count != 1) {
        return wedr_sigma_fail(b->c, y->line, WEDR_E_UNSUP,
                               "correlation: value_count over more than one field");
    }
    e = e < 0 ? e : wedr_ruleset_field(b->c->rs, list.v[0].p, list.v[0].len, &b->corr.value_field);
    return e == WEDR_E_INVAL ? bad(b, y, "field is empty or too long") : e;
}

static int read_limits(struct build *b, const struct wedr_yaml *map)
{
    static const struct {
        const char *name;
        uint8_t op;
    } ops[] = {{"gte", WEDR_OP_GE}, {"gt", WEDR_OP_GT}, {"lte", WEDR_OP_LE},
               {"lt", WEDR_OP_LT},  {"eq", WEDR_OP_EQ}, {"neq", WEDR_OP_NE}};
    for (const struct wedr_yaml *y = map->first; y; y = y->next) {
        size_t i = 0;
        while (i < WEDR_ARRAY_COUNT(ops) && !wedr_text_is(y->key, ops[i].name)) {
            i++;
        }
        bool field = i == WEDR_ARRAY_COUNT(ops) && wedr_text_is(y->key, "field");
        if (i == WEDR_ARRAY_COUNT(ops) && !field) {
            return bad(b, y, "a condition has gt, gte, lt, lte, eq, neq and field");
        }
        int e = field ? read_field(b, y) : read_limit(b, y, ops[i].op);
        if (e < 0) {
            return e;
        }
    }
    return b->corr.limit_count > 0 ? WEDR_OK : bad(b, map, "a condition without a limit");
}

/* "At least need of the members", also for numbers that are none or all too many. */
static int at_least(struct build *b, int64_t need, uint32_t *ret_node)
{
    uint32_t nodes[WEDR_IR_MEMBERS_MAX];
    int e = WEDR_OK;
    if (need <= 0 || need > b->corr.member_count) {
        return wedr_ir_constant(b->c->rs, need <= 0, ret_node);
    }
    for (uint32_t i = 0; e == WEDR_OK && i < b->corr.member_count; i++) {
        e = wedr_ir_member(b->c->rs, i, &nodes[i]);
    }
    return e < 0
               ? e
               : wedr_ir_at_least(b->c->rs, (uint32_t)need, nodes, b->corr.member_count, ret_node);
}

/* How many of the rules fired: from, from + 1, ... up to `to`. */
static int limit_node(struct build *b, const struct wedr_correlation_limit *l, uint32_t *ret_node)
{
    int64_t n = l->number.v.i < INT32_MAX ? l->number.v.i : INT32_MAX;
    bool upper = l->op == WEDR_OP_LE || l->op == WEDR_OP_LT;
    int64_t from = l->op == WEDR_OP_GT || l->op == WEDR_OP_LE ? n + 1 : n;
    uint32_t nodes[2] = {0, 0};
    int e = at_least(b, from, &nodes[0]);
    if (e == WEDR_OK && upper) {
        e = wedr_ir_not(b->c->rs, nodes[0], &nodes[0]);
    }
    if (e == WEDR_OK && (l->op == WEDR_OP_EQ || l->op == WEDR_OP_NE)) {
        e = at_least(b, n + 1, &nodes[1]);
        e = e < 0 ? e : wedr_ir_not(b->c->rs, nodes[1], &nodes[1]);
        e = e < 0 ? e : wedr_ir_and(b->c->rs, nodes, 2, &nodes[0]);
        if (e == WEDR_OK && l->op == WEDR_OP_NE) {
            e = wedr_ir_not(b->c->rs, nodes[0], &nodes[0]);
        }
    }
    *ret_node = nodes[0];
    return e;
}

static void make_pattern(struct build *b, uint32_t expression)
{
    b->corr.ordered = b->corr.kind == WEDR_CORR_TEMPORAL_ORDERED;
    b->corr.kind = WEDR_CORR_PATTERN;
    b->corr.expression = expression;
}

/* temporal with limits: how many of its rules fired. All of them is what temporal means; in order,
 * the limits become an expression. */
static int count_members(struct build *b)
{
    uint32_t nodes[2] = {0, 0};
    uint32_t count = b->corr.limit_count;
    const struct wedr_correlation_limit *l = b->corr.limits;
    bool ordered = b->corr.kind == WEDR_CORR_TEMPORAL_ORDERED;
    int e = WEDR_OK;
    b->corr.limit_count = ordered ? 0 : count;
    if (count == 1 && (l->op == WEDR_OP_GE || l->op == WEDR_OP_EQ) &&
        l->number.v.i == (int64_t)b->corr.member_count) {
        b->corr.limit_count = 0;
        return WEDR_OK;
    }
    for (uint32_t i = 0; e == WEDR_OK && i < count; i++) {
        e = limit_node(b, &l[i], &nodes[i]);
    }
    e = e < 0 ? e : wedr_ir_and(b->c->rs, nodes, count, &nodes[0]);
    const struct wedr_node *n = e < 0 ? NULL : wedr_ruleset_node(b->c->rs, nodes[0]);
    if (n && (n->kind == WEDR_NODE_TRUE || n->kind == WEDR_NODE_FALSE)) {
        return bad(b, wedr_yaml_get(b->map, "condition"), "the condition is always the same");
    }
    if (e == WEDR_OK && ordered) {
        make_pattern(b, nodes[0]);
    }
    return e;
}

static int read_text_condition(struct build *b, const struct wedr_yaml *y)
{
    struct wedr_text v[WEDR_IR_MEMBERS_MAX];
    struct collect k = {b->c, v, b->names.count};
    uint32_t node;
    memcpy(v, b->names.v, b->names.count * sizeof(*v));
    int e = read_expression(b->c, y, &k, &node);
    if (e == WEDR_OK && k.count > b->names.count) {
        return wedr_sigma_fail(b->c, y->line, WEDR_E_FORMAT,
                               "correlation: '%.*s' of the condition is not among the rules",
                               (int)(v[b->names.count].len < 80 ? v[b->names.count].len : 80),
                               v[b->names.count].p);
    }
    if (e == WEDR_OK) {
        make_pattern(b, node);
    }
    return e;
}

static int read_condition(struct build *b)
{
    const struct wedr_yaml *y = wedr_yaml_get(b->map, "condition");
    bool counts = b->corr.kind == WEDR_CORR_EVENT_COUNT || b->corr.kind == WEDR_CORR_VALUE_COUNT;
    if (!y) {
        return counts ? bad(b, NULL, "no condition") : WEDR_OK;
    }
    if (y->kind == WEDR_YAML_SCALAR && !counts) {
        return read_text_condition(b, y);
    }
    if (y->kind != WEDR_YAML_MAP) {
        return bad(b, y, "a condition is a map of limits");
    }
    int e = read_limits(b, y);
    if (e == WEDR_OK && b->corr.kind == WEDR_CORR_VALUE_COUNT &&
        b->corr.value_field == WEDR_IR_NONE) {
        e = bad(b, y, "value_count needs a field");
    }
    return e < 0 || counts ? e : count_members(b);
}

static int read_generate(struct build *b, const struct wedr_yaml *doc, bool *ret_generate)
{
    const struct wedr_yaml *y = wedr_yaml_get(b->map, "generate");
    struct wedr_number number;
    y = y ? y : wedr_yaml_get(doc, "generate");
    *ret_generate = false;
    return y && wedr_yaml_type(y, ret_generate, &number) != WEDR_YAML_BOOL
               ? bad(b, y, "generate is true or false")
               : WEDR_OK;
}

int wedr_sigma_correlation(struct wedr_sigma *s,
                           struct wedr_sigma_compiler *c,
                           const struct wedr_sigma_pending *p,
                           uint32_t *ret_rule)
{
    struct build b = {.s = s, .c = c, .corr = wedr_correlation_init()};
    struct wedr_rule rule = wedr_rule_init();
    bool generate = false;
    b.map = wedr_yaml_get(p->doc, "correlation");
    int e = wedr_sigma_metadata(c, p->doc, &rule);
    e = e < 0 ? e : wedr_sigma_member_names(c, p->doc, &b.names);
    e = e < 0 ? e : read_type(&b);
    e = e < 0 ? e : read_members(&b);
    e = e < 0 ? e : read_group(&b);
    e = e < 0 ? e : read_aliases(&b);
    e = e < 0 ? e : read_timespan(&b);
    e = e < 0 ? e : read_condition(&b);
    e = e < 0 ? e : read_generate(&b, p->doc, &generate);
    if (e < 0) {
        return e;
    }
    rule.source_file = wedr_text(p->file, strlen(p->file));
    e = wedr_ruleset_add_correlation(c->rs, &rule, &b.corr, ret_rule);
    if (e < 0) {
        return wedr_sigma_fail(c, p->doc->line, e, "the ruleset did not take the correlation: %s",
                               wedr_err_text(e));
    }
    unsigned use = WEDR_SIGMA_USE_MEMBER | (generate ? WEDR_SIGMA_USE_GENERATE : 0);
    for (uint32_t i = 0; e == WEDR_OK && i < b.corr.member_count; i++) {
        e = wedr_sigma_use(s, b.members[i], use);
    }
    return e;
}
