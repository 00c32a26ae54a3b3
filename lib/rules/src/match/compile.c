/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/compile.c — from a ruleset to the tables of an engine. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "match/engine.h"
#include <string.h>

#define ENGINE_MEMORY ((size_t)64 << 20)
#define REGEX_MATCH_LIMIT 20000u
#define REGEX_HEAP_KIB 256u
#define REGEX_VALUE_MAX 32768u
#define REGEX_GIVE_UP_MAX 4u

static bool matched_at_all(const struct wedr_rule *r)
{
    return r->condition != WEDR_IR_NONE &&
           (r->flags & (WEDR_RULE_DISABLED | WEDR_RULE_NEEDS_LIST)) == 0;
}

struct scope_key {
    const struct wedr_builder *b;
    const struct wedr_rule *rule;
};

static bool same_scope(const void *ctx, uint32_t id)
{
    const struct scope_key *k = ctx;
    const struct wedr_scope *have = WEDR_VEC_AT(struct wedr_scope, k->b->e->scopes, id);
    return have->node == k->rule->guard && have->class_count == k->rule->class_count &&
           (have->class_count == 0 ||
            memcmp(have->classes, k->rule->classes, have->class_count * sizeof(uint32_t)) == 0);
}

static int scope_of(struct wedr_builder *b, const struct wedr_rule *rule, uint32_t *ret_scope)
{
    struct scope_key key = {b, rule};
    uint32_t hash =
        wedr_hash_bytes(rule->classes, rule->class_count * sizeof(uint32_t), rule->guard);
    uint32_t id = wedr_index_find(&b->scope_index, hash, same_scope, &key);
    if (id == WEDR_IR_NONE) {
        struct wedr_scope s = {.guard = WEDR_IR_NONE,
                               .classes = rule->classes,
                               .class_count = rule->class_count,
                               .node = rule->guard,
                               .any = WEDR_IR_NONE};
        id = (uint32_t)b->e->scopes.count;
        b->scope = id;
        b->any = WEDR_IR_NONE;
        int r = rule->guard == WEDR_IR_NONE ? WEDR_OK : wedr_build_node(b, rule->guard, &s.guard);
        if (r == WEDR_OK) {
            s.any = b->any;
            r = wedr_vec_push(&b->e->pool, &b->e->scopes, &s, 1, sizeof(s));
        }
        if (r == WEDR_OK) {
            r = wedr_index_add(&b->tmp, &b->scope_index, hash, id);
        }
        if (r < 0) {
            return r;
        }
    }
    *ret_scope = id;
    return WEDR_OK;
}

static struct wedr_scope *scope_at(const struct wedr_engine *e, uint32_t scope)
{
    return WEDR_VEC_AT(struct wedr_scope, e->scopes, scope);
}

static int build_rule(struct wedr_builder *b, uint32_t rule)
{
    const struct wedr_rule *from = wedr_ruleset_rule(b->rs, rule);
    struct wedr_engine_rule to = {.rule = rule};
    uint32_t id = (uint32_t)b->e->rules.count;
    int r = scope_of(b, from, &to.scope);
    if (r < 0) {
        return r;
    }
    b->scope = to.scope;
    b->any = scope_at(b->e, to.scope)->any;
    r = wedr_build_node(b, from->condition, &to.x);
    if (r == WEDR_OK && from->exception != WEDR_IR_NONE) {
        uint32_t both[2] = {to.x, 0};
        r = wedr_build_node(b, from->exception, &both[1]);
        if (r == WEDR_OK) {
            r = wedr_build_x(b, WEDR_X_NOT, 0, &both[1], 1, &both[1]);
        }
        if (r == WEDR_OK) {
            r = wedr_build_x(b, WEDR_X_AND, 0, both, 2, &to.x);
        }
    }
    scope_at(b->e, to.scope)->any = b->any;
    if (r == WEDR_OK) {
        r = wedr_vec_push(&b->e->pool, &b->e->rules, &to, 1, sizeof(to));
    }
    if (r == WEDR_OK && wedr_build_cost(b, to.x) != WEDR_COST_NEVER) {
        r = wedr_build_trigger(b, to.x, (uint32_t)WEDR_EFFECT_RULE << WEDR_EFFECT_SHIFT | id);
    }
    return r;
}

static int build_rules(struct wedr_builder *b)
{
    int r = WEDR_OK;
    uint32_t count = wedr_ruleset_rule_count(b->rs);
    for (uint32_t i = 0; r == WEDR_OK && i < count; i++) {
        if (matched_at_all(wedr_ruleset_rule(b->rs, i))) {
            r = build_rule(b, i);
        }
    }
    return r;
}

/* Rules of one scope stand side by side, so that those of others are not even looked at. */
static int sort_rules(struct wedr_builder *b)
{
    struct wedr_engine *e = b->e;
    size_t count = e->rules.count;
    struct wedr_engine_rule *rules = e->rules.p;
    struct wedr_engine_rule *sorted = wedr_pool_block(&b->tmp, (count + 1) * sizeof(*sorted), 8);
    uint32_t *place = wedr_pool_block(&b->tmp, (count + 1) * sizeof(*place), 8);
    if (!sorted || !place) {
        return WEDR_E_NOMEM;
    }
    uint32_t total = 0;
    for (size_t i = 0; i < count; i++) {
        scope_at(e, rules[i].scope)->rule_count++;
    }
    for (uint32_t s = 0; s < e->scopes.count; s++) {
        scope_at(e, s)->rule_first = total;
        total += scope_at(e, s)->rule_count;
        scope_at(e, s)->rule_count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        struct wedr_scope *s = scope_at(e, rules[i].scope);
        place[i] = s->rule_first + s->rule_count++;
        sorted[place[i]] = rules[i];
    }
    if (count > 0) {
        memcpy(rules, sorted, count * sizeof(*rules));
    }
    struct wedr_edge *edges = b->edges.p;
    for (size_t i = 0; i < b->edges.count; i++) { /* all of them pick rules, or are of groups */
        if (edges[i].effect >> WEDR_EFFECT_SHIFT == WEDR_EFFECT_RULE) {
            edges[i].effect = (uint32_t)WEDR_EFFECT_RULE << WEDR_EFFECT_SHIFT |
                              place[edges[i].effect & WEDR_EFFECT_ID];
        }
    }
    return WEDR_OK;
}

/* Rules without triggers, by scope. */
static int build_always(struct wedr_builder *b)
{
    struct wedr_engine *e = b->e;
    const struct wedr_engine_rule *rules = e->rules.p;
    uint32_t total = 0;
    for (size_t i = 0; i < e->rules.count; i++) {
        scope_at(e, rules[i].scope)->always_count +=
            wedr_build_cost(b, rules[i].x) == WEDR_COST_NEVER;
    }
    for (uint32_t s = 0; s < e->scopes.count; s++) {
        scope_at(e, s)->always_first = total;
        total += scope_at(e, s)->always_count;
        scope_at(e, s)->always_count = 0;
    }
    int r = wedr_vec_push(&e->pool, &e->always, NULL, total, sizeof(uint32_t));
    for (size_t i = 0; r == WEDR_OK && i < e->rules.count; i++) {
        if (wedr_build_cost(b, rules[i].x) == WEDR_COST_NEVER) {
            struct wedr_scope *s = scope_at(e, rules[i].scope);
            *WEDR_VEC_AT(uint32_t, e->always, s->always_first + s->always_count++) = (uint32_t)i;
        }
    }
    return r;
}

/* Scopes with a guard are picked by the guard's triggers, the others by class or always. */
static int build_scopes(struct wedr_builder *b)
{
    struct wedr_engine *e = b->e;
    uint32_t classes = wedr_ruleset_class_count(b->rs);
    e->class_first = wedr_pool_block(&e->pool, ((size_t)classes + 2) * sizeof(uint32_t), 8);
    if (!e->class_first) {
        return WEDR_E_NOMEM;
    }
    int r = WEDR_OK;
    for (uint32_t s = 0; r == WEDR_OK && s < e->scopes.count; s++) {
        uint32_t guard = scope_at(e, s)->guard;
        if (guard != WEDR_IR_NONE && wedr_build_cost(b, guard) != WEDR_COST_NEVER) {
            r = wedr_build_trigger(b, guard, (uint32_t)WEDR_EFFECT_SCOPE << WEDR_EFFECT_SHIFT | s);
        } else if (scope_at(e, s)->class_count == 0) {
            r = wedr_vec_push(&e->pool, &e->open_scopes, &s, 1, sizeof(s));
        } else {
            scope_at(e, s)->by_class = true;
        }
    }
    for (uint32_t c = 0; r == WEDR_OK && c < classes; c++) {
        e->class_first[c] = (uint32_t)e->class_scopes.count;
        for (uint32_t s = 0; r == WEDR_OK && s < e->scopes.count; s++) {
            const struct wedr_scope *scope = scope_at(e, s);
            for (uint32_t i = 0; scope->by_class && i < scope->class_count; i++) {
                if (scope->classes[i] == c) {
                    r = wedr_vec_push(&e->pool, &e->class_scopes, &s, 1, sizeof(s));
                    break;
                }
            }
        }
    }
    e->class_first[classes] = (uint32_t)e->class_scopes.count;
    return r;
}

/* Which tables the rules of each scope look at, and which the guards. */
static int build_scope_tables(struct wedr_builder *b)
{
    struct wedr_engine *e = b->e;
    e->table_words = (e->field_tables + 63) / 64;
    size_t words = (size_t)e->table_words * (e->scopes.count + 1);
    e->scope_tables = wedr_pool_block(&e->pool, (words + 1) * sizeof(uint64_t), 8);
    if (!e->scope_tables) {
        return WEDR_E_NOMEM;
    }
    const struct wedr_engine_rule *rules = e->rules.p;
    for (size_t i = 0; i < e->rules.count; i++) {
        const struct wedr_rule *r = wedr_ruleset_rule(b->rs, rules[i].rule);
        uint64_t *bits = e->scope_tables + (size_t)rules[i].scope * e->table_words;
        uint32_t any = scope_at(e, rules[i].scope)->any;
        wedr_build_tables(b, r->condition, any, bits);
        if (r->exception != WEDR_IR_NONE) {
            wedr_build_tables(b, r->exception, any, bits);
        }
    }
    uint64_t *guards = e->scope_tables + e->scopes.count * e->table_words;
    for (size_t i = 0; i < e->rules.count; i++) {
        const struct wedr_rule *r = wedr_ruleset_rule(b->rs, rules[i].rule);
        if (r->guard != WEDR_IR_NONE) {
            wedr_build_tables(b, r->guard, scope_at(e, rules[i].scope)->any, guards);
        }
    }
    e->guard_tables = guards;
    int r = WEDR_OK;
    for (uint32_t t = 0; r == WEDR_OK && t < e->field_tables; t++) {
        if (WEDR_VEC_AT(struct wedr_table, e->tables, t)->field == WEDR_FIELD_ANY &&
            (guards[t / 64] >> (t % 64) & 1)) {
            r = wedr_vec_push(&e->pool, &e->guard_keywords, &t, 1, sizeof(t));
        }
    }
    return r;
}

static bool is_idle(const struct wedr_table *t)
{
    return !t->texts && t->numbers.count == 0 && t->lists.count == 0 && t->exists == WEDR_IR_NONE &&
           t->empty == WEDR_IR_NONE && t->yes == WEDR_IR_NONE && t->no == WEDR_IR_NONE;
}

/* Fields of which passes need to know nothing are not looked at. */
static int drop_idle(struct wedr_builder *b)
{
    struct wedr_engine *e = b->e;
    for (uint32_t t = 0; t < e->field_tables; t++) {
        const struct wedr_table *table = WEDR_VEC_AT(struct wedr_table, e->tables, t);
        if (is_idle(table) && table->field != WEDR_FIELD_ANY) {
            e->table_of_field[table->field] = WEDR_IR_NONE;
        }
    }
    for (size_t s = 0; s < e->scopes.count; s++) {
        uint32_t any = scope_at(e, (uint32_t)s)->any;
        if (any != WEDR_IR_NONE && is_idle(WEDR_VEC_AT(struct wedr_table, e->tables, any))) {
            scope_at(e, (uint32_t)s)->any = WEDR_IR_NONE;
        }
    }
    return WEDR_OK;
}

/* Edges by atom: counts in first[atom + 1], then where each begins. */
static int sort_edges(struct wedr_builder *b, uint32_t **ret_first, uint32_t **ret_effects)
{
    const struct wedr_edge *edges = b->edges.p;
    size_t atoms = b->e->atom_count;
    uint32_t *first = wedr_pool_block(&b->tmp, (atoms + 2) * sizeof(uint32_t), 8);
    uint32_t *effects = wedr_pool_block(&b->tmp, (b->edges.count + 1) * sizeof(uint32_t), 8);
    if (!first || !effects) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; i < b->edges.count; i++) {
        first[edges[i].atom + 2]++;
    }
    for (size_t a = 0; a < atoms; a++) {
        first[a + 1] += first[a];
    }
    for (size_t i = 0; i < b->edges.count; i++) {
        effects[first[edges[i].atom + 1]++] = edges[i].effect;
    }
    *ret_first = first;
    *ret_effects = effects;
    return WEDR_OK;
}

/* Most atoms have one effect. */
static int build_effects(struct wedr_builder *b)
{
    struct wedr_engine *e = b->e;
    uint32_t *first;
    uint32_t *effects;
    int r = sort_edges(b, &first, &effects);
    e->effect_of = wedr_pool_block(&e->pool, ((size_t)e->atom_count + 1) * sizeof(uint32_t), 8);
    if (r < 0 || !e->effect_of) {
        return WEDR_E_NOMEM;
    }
    for (uint32_t a = 0; r == WEDR_OK && a < e->atom_count; a++) {
        uint32_t count = first[a + 1] - first[a];
        e->effect_of[a] = count == 0   ? WEDR_IR_NONE
                          : count == 1 ? effects[first[a]]
                                       : (uint32_t)WEDR_EFFECT_LIST << WEDR_EFFECT_SHIFT |
                                             (uint32_t)e->effects.count;
        if (count > 1) {
            r = wedr_vec_push(&e->pool, &e->effects, &count, 1, sizeof(uint32_t));
            r = r < 0 ? r
                      : wedr_vec_push(&e->pool, &e->effects, &effects[first[a]], count,
                                      sizeof(uint32_t));
        }
    }
    return r;
}

/* What a text must have before a regex is worth running. */
static int build_needs(struct wedr_builder *b)
{
    struct wedr_engine *e = b->e;
    const struct wedr_residual *res = e->residuals.p;
    e->needs = wedr_pool_block(&e->pool, (b->rs->regexes.count + 1) * sizeof(*e->needs), 8);
    if (!e->needs) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; i < e->residuals.count; i++) {
        const struct wedr_pred *p = wedr_ruleset_pred(b->rs, res[i].pred);
        if (p->regex != WEDR_IR_NONE) {
            uint32_t least = 0;
            (void)pcre2_pattern_info(
                WEDR_VEC_AT(const struct wedr_regex, b->rs->regexes, p->regex)->code,
                PCRE2_INFO_MINLENGTH, &least);
            wedr_need_regex(p->u.text, p->flags, least, &e->needs[p->regex]);
        }
    }
    return WEDR_OK;
}

static int builder_init(struct wedr_builder *b)
{
    size_t nodes = (size_t)wedr_ruleset_node_count(b->rs) + 1;
    size_t preds = (size_t)wedr_ruleset_pred_count(b->rs) + 1;
    size_t fields = (size_t)wedr_ruleset_field_count(b->rs) + 1;
    b->x_of_node = wedr_pool_block(&b->tmp, nodes * sizeof(uint32_t), 8);
    b->x_of_pred = wedr_pool_block(&b->tmp, preds * sizeof(uint32_t), 8);
    b->keywords = wedr_pool_block(&b->tmp, nodes, 8);
    b->fold = wedr_pool_block(&b->tmp, WEDR_FOLD_MAX(WEDR_IR_TEXT_MAX), 8);
    b->e->table_of_field = wedr_pool_block(&b->e->pool, fields * sizeof(uint32_t), 8);
    if (!b->x_of_node || !b->x_of_pred || !b->keywords || !b->fold || !b->e->table_of_field) {
        return WEDR_E_NOMEM;
    }
    memset(b->x_of_node, 0xFF, nodes * sizeof(uint32_t));
    memset(b->x_of_pred, 0xFF, preds * sizeof(uint32_t));
    memset(b->e->table_of_field, 0xFF, fields * sizeof(uint32_t));
    return WEDR_OK;
}

static void builder_fini(struct wedr_builder *b)
{
    wedr_vec_fini(&b->tmp, &b->literals, sizeof(struct wedr_literal_entry));
    wedr_vec_fini(&b->tmp, &b->edges, sizeof(struct wedr_edge));
    wedr_vec_fini(&b->tmp, &b->costs, sizeof(uint32_t));
    wedr_vec_fini(&b->tmp, &b->x_costs, sizeof(uint32_t));
    wedr_vec_fini(&b->tmp, &b->scoped, sizeof(struct wedr_scoped_x));
    wedr_index_fini(&b->tmp, &b->scoped_index);
    wedr_index_fini(&b->tmp, &b->literal_index);
    wedr_index_fini(&b->tmp, &b->scope_index);
    wedr_pool_fini(&b->tmp);
}

static int split_tables(struct wedr_builder *b)
{
    b->e->field_tables = (uint32_t)b->e->tables.count;
    return wedr_build_lazy(b);
}

static int build(struct wedr_builder *b)
{
    static int (*const steps[])(struct wedr_builder *) = {
        builder_init,    build_rules,      sort_rules,         build_always,  build_scopes,
        split_tables,    wedr_build_order, build_scope_tables, build_effects, wedr_build_finders,
        wedr_build_asks, drop_idle,        build_needs};
    int r = WEDR_OK;
    for (size_t i = 0; r == WEDR_OK && i < WEDR_ARRAY_COUNT(steps); i++) {
        r = steps[i](b);
    }
    if (r == WEDR_OK) {
        wedr_build_refs(b);
    }
    struct wedr_engine *e = b->e;
    wedr_vec_trim(&e->pool, &e->xs, sizeof(struct wedr_x));
    wedr_vec_trim(&e->pool, &e->kids, sizeof(uint32_t));
    wedr_vec_trim(&e->pool, &e->residuals, sizeof(struct wedr_residual));
    wedr_vec_trim(&e->pool, &e->rules, sizeof(struct wedr_engine_rule));
    return r;
}

static void set_options(struct wedr_engine *e, const struct wedr_engine_options *opts)
{
    static const struct wedr_engine_options none;
    e->opts = opts ? *opts : none;
    e->opts.memory_max = e->opts.memory_max ? e->opts.memory_max : ENGINE_MEMORY;
    e->opts.regex_match_limit =
        e->opts.regex_match_limit ? e->opts.regex_match_limit : REGEX_MATCH_LIMIT;
    e->opts.regex_heap_kib_max =
        e->opts.regex_heap_kib_max ? e->opts.regex_heap_kib_max : REGEX_HEAP_KIB;
    e->opts.regex_give_up_max =
        e->opts.regex_give_up_max ? e->opts.regex_give_up_max : REGEX_GIVE_UP_MAX;
    e->opts.regex_value_max = e->opts.regex_value_max ? e->opts.regex_value_max : REGEX_VALUE_MAX;
}

/* Regexes of predicates that are used; one that cannot be compiled to machine code is interpreted.
 */
static void jit_all(const struct wedr_engine *e)
{
    const struct wedr_residual *res = e->residuals.p;
    for (size_t i = 0; i < e->residuals.count; i++) {
        uint32_t regex = wedr_ruleset_pred(e->rs, res[i].pred)->regex;
        if (regex != WEDR_IR_NONE) {
            (void)pcre2_jit_compile(WEDR_VEC_AT(struct wedr_regex, e->rs->regexes, regex)->code,
                                    PCRE2_JIT_COMPLETE);
        }
    }
}

int wedr_engine_new_take(struct wedr_ruleset *rs,
                         const struct wedr_engine_options *opts,
                         struct wedr_engine **ret_engine,
                         struct wedr_errinfo *ei)
{
    struct wedr_engine *e = wedr_alloc(1, sizeof(*e));
    if (!e) {
        return WEDR_E_NOMEM;
    }
    e->magic = WEDR_ENGINE_MAGIC;

    set_options(e, opts);
    e->pool.memory_max = e->opts.memory_max;
    struct wedr_builder b = {.rs = rs, .e = e, .tmp.memory_max = e->opts.memory_max};
    int r = build(&b);
    builder_fini(&b);
    if (r < 0) {
        wedr_engine_free(e);
        return wedr_fail(ei, r, "the rules do not fit into %zu bytes of tables", b.tmp.memory_max);
    }
    e->rs = rs;
    if (e->opts.jit) {
        jit_all(e);
    }
    *ret_engine = e;
    return WEDR_OK;
}

void wedr_engine_free(struct wedr_engine *e)
{
    if (!e) {
        return;
    }
    for (size_t i = 0; i < e->tables.count; i++) {
        struct wedr_table *t = WEDR_VEC_AT(struct wedr_table, e->tables, i);
        wedr_automaton_fini(&t->front, &e->pool);
        wedr_automaton_fini(&t->end, &e->pool);
        wedr_vec_fini(&e->pool, &t->exacts, sizeof(struct wedr_exact));
        wedr_vec_fini(&e->pool, &t->numbers, sizeof(struct wedr_exact_number));
        wedr_vec_fini(&e->pool, &t->lists, sizeof(struct wedr_list));
        wedr_index_fini(&e->pool, &t->exact_index);
        wedr_index_fini(&e->pool, &t->number_index);
    }
    wedr_vec_fini(&e->pool, &e->tables, sizeof(struct wedr_table));
    wedr_vec_fini(&e->pool, &e->guard_keywords, sizeof(uint32_t));
    wedr_vec_fini(&e->pool, &e->xs, sizeof(struct wedr_x));
    wedr_vec_fini(&e->pool, &e->kids, sizeof(uint32_t));
    wedr_vec_fini(&e->pool, &e->residuals, sizeof(struct wedr_residual));
    wedr_vec_fini(&e->pool, &e->rules, sizeof(struct wedr_engine_rule));
    wedr_vec_fini(&e->pool, &e->scopes, sizeof(struct wedr_scope));
    wedr_vec_fini(&e->pool, &e->always, sizeof(uint32_t));
    wedr_vec_fini(&e->pool, &e->effects, sizeof(uint32_t));
    wedr_vec_fini(&e->pool, &e->members, sizeof(uint32_t));
    wedr_vec_fini(&e->pool, &e->open_scopes, sizeof(uint32_t));
    wedr_vec_fini(&e->pool, &e->class_scopes, sizeof(uint32_t));
    wedr_pool_fini(&e->pool);
    wedr_ruleset_free(e->rs);
    e->magic = 0;
    wedr_free(e);
}

const struct wedr_ruleset *wedr_engine_ruleset(const struct wedr_engine *e)
{
    return e->rs;
}

void wedr_engine_info(const struct wedr_engine *e, struct wedr_engine_info *ret_info)
{
    struct wedr_engine_info i = {.rules = (uint32_t)e->rules.count,
                                 .rules_always = (uint32_t)e->always.count,
                                 .fields = e->field_tables,
                                 .literals = e->literal_count,
                                 .atoms = e->atom_count,
                                 .residual = (uint32_t)e->residuals.count,
                                 .regexes = (uint32_t)e->rs->regexes.count,
                                 .automaton_bytes = e->automaton_bytes,
                                 .table_bytes = e->pool.memory - e->automaton_bytes,
                                 .ruleset_bytes = wedr_ruleset_memory(e->rs)};
    for (size_t t = 0; t < e->tables.count; t++) {
        const struct wedr_table *table = WEDR_VEC_AT(struct wedr_table, e->tables, t);
        i.states += table->front.states + table->end.states + table->grams.count;
    }
    i.total_bytes = sizeof(*e) + e->pool.memory + i.ruleset_bytes;
    *ret_info = i;
}
