/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/program.c — nodes of the ruleset as expressions over atoms. */
#include "core/base/err.h"
#include "match/engine.h"
#include <string.h>

int wedr_build_x(struct wedr_builder *b,
                 enum wedr_x_kind kind,
                 uint32_t arg,
                 const uint32_t *kids,
                 size_t count,
                 uint32_t *ret_x)
{
    struct wedr_engine *e = b->e;
    struct wedr_x x = {.kind = (uint8_t)kind,
                       .arg = arg,
                       .kid_first = (uint32_t)e->kids.count,
                       .kid_count = (uint32_t)count};
    uint32_t id = (uint32_t)e->xs.count;
    if (id > WEDR_REF_ID) {
        return WEDR_E_LIMIT;
    }
    int r = wedr_vec_push(&e->pool, &e->kids, kids, count, sizeof(*kids));
    if (r == WEDR_OK) {
        r = wedr_vec_push(&e->pool, &e->xs, &x, 1, sizeof(x));
    }
    if (r == WEDR_OK) {
        uint32_t cost = wedr_trigger_cost(b, id);
        r = wedr_vec_push(&b->tmp, &b->x_costs, &cost, 1, sizeof(cost));
    }
    if (r == WEDR_OK) {
        *ret_x = id;
    }
    return r;
}

static int add_edge(struct wedr_builder *b, uint32_t atom, uint32_t effect)
{
    struct wedr_edge edge = {atom, effect};
    return wedr_vec_push(&b->tmp, &b->edges, &edge, 1, sizeof(edge));
}

static bool is_atom(const struct wedr_builder *b, uint32_t x)
{
    return wedr_engine_x(b->e, x)->kind == WEDR_X_ATOM;
}

/* Two and more atoms among xs become one atom that any of them sets; the others stay. */
static int merge_atoms(struct wedr_builder *b, uint32_t *xs, uint32_t *count)
{
    uint32_t atoms = 0;
    uint64_t cost = 0;
    const uint32_t *costs = b->costs.p;
    for (uint32_t i = 0; i < *count; i++) {
        if (is_atom(b, xs[i])) {
            atoms++;
            cost += costs[wedr_engine_x(b->e, xs[i])->arg];
        }
    }
    if (atoms < 2) {
        return WEDR_OK;
    }
    uint32_t group;
    int r =
        wedr_build_atom(b, cost < WEDR_COST_NEVER ? (uint32_t)cost : WEDR_COST_NEVER - 1, &group);
    uint32_t kept = 0;
    uint32_t effect = (uint32_t)WEDR_EFFECT_ATOM << WEDR_EFFECT_SHIFT | group;
    for (uint32_t i = 0; r == WEDR_OK && i < *count; i++) {
        if (is_atom(b, xs[i])) {
            r = add_edge(b, wedr_engine_x(b->e, xs[i])->arg, effect);
        } else {
            xs[kept++] = xs[i];
        }
    }
    if (r == WEDR_OK) {
        r = wedr_build_x(b, WEDR_X_ATOM, group, NULL, 0, &xs[kept]);
    }
    *count = kept + 1;
    return r;
}

static int build_kids(struct wedr_builder *b, const struct wedr_node *n, uint32_t *xs)
{
    for (uint32_t i = 0; i < n->kid_count; i++) {
        int r = wedr_build_node(b, wedr_ruleset_kids(b->rs, n)[i], &xs[i]);
        if (r < 0) {
            return r;
        }
    }
    return WEDR_OK;
}

static int build_inner(struct wedr_builder *b, const struct wedr_node *n, uint32_t *ret_x)
{
    static const uint8_t kinds[] = {[WEDR_NODE_NOT] = WEDR_X_NOT,
                                    [WEDR_NODE_AND] = WEDR_X_AND,
                                    [WEDR_NODE_OR] = WEDR_X_OR,
                                    [WEDR_NODE_AT_LEAST] = WEDR_X_AT_LEAST};
    size_t size = ((size_t)n->kid_count + 1) * sizeof(uint32_t);
    uint32_t *xs = wedr_pool_realloc(&b->tmp, NULL, 0, size);
    uint32_t count = n->kid_count;
    int r = xs ? build_kids(b, n, xs) : WEDR_E_NOMEM;
    if (r == WEDR_OK && n->kind == WEDR_NODE_OR) {
        r = merge_atoms(b, xs, &count);
    }
    if (r == WEDR_OK && count == 1 && n->kind == WEDR_NODE_OR) {
        *ret_x = xs[0];
    } else if (r == WEDR_OK) {
        r = wedr_build_x(b, (enum wedr_x_kind)kinds[n->kind], n->arg, xs, count, ret_x);
    }
    wedr_pool_release(&b->tmp, xs, size);
    return r;
}

struct scoped_key {
    const struct wedr_builder *b;
    uint32_t id;
    bool pred;
};

static bool same_scoped(const void *ctx, uint32_t id)
{
    const struct scoped_key *k = ctx;
    const struct wedr_scoped_x *have = WEDR_VEC_AT(const struct wedr_scoped_x, k->b->scoped, id);
    return have->scope == k->b->scope && have->id == k->id && have->pred == k->pred;
}

static uint32_t scoped_hash(const struct wedr_builder *b, uint32_t id, bool pred)
{
    return wedr_hash_mix(wedr_hash_mix(b->scope * 2 + pred, id), 1);
}

uint32_t wedr_scoped_find(const struct wedr_builder *b, uint32_t id, bool pred)
{
    struct scoped_key key = {b, id, pred};
    uint32_t found = wedr_index_find(&b->scoped_index, scoped_hash(b, id, pred), same_scoped, &key);
    return found == WEDR_POOL_NONE ? WEDR_IR_NONE
                                   : WEDR_VEC_AT(const struct wedr_scoped_x, b->scoped, found)->x;
}

int wedr_scoped_add(struct wedr_builder *b, uint32_t id, bool pred, uint32_t x)
{
    struct wedr_scoped_x s = {.scope = b->scope, .id = id, .x = x, .pred = pred};
    uint32_t at = (uint32_t)b->scoped.count;
    int r = wedr_vec_push(&b->tmp, &b->scoped, &s, 1, sizeof(s));
    return r < 0 ? r : wedr_index_add(&b->tmp, &b->scoped_index, scoped_hash(b, id, pred), at);
}

static bool has_keywords(const struct wedr_builder *b, uint32_t node)
{
    const struct wedr_node *n = wedr_ruleset_node(b->rs, node);
    if (b->keywords[node] == 0) {
        bool some =
            n->kind == WEDR_NODE_PRED && wedr_ruleset_pred(b->rs, n->arg)->field == WEDR_FIELD_ANY;
        for (uint32_t i = 0; !some && i < n->kid_count; i++) {
            some = has_keywords(b, wedr_ruleset_kids(b->rs, n)[i]);
        }
        b->keywords[node] = some ? 2 : 1;
    }
    return b->keywords[node] == 2;
}

static int build_node(struct wedr_builder *b, uint32_t node, uint32_t *ret_x)
{
    const struct wedr_node *n = wedr_ruleset_node(b->rs, node);
    switch (n->kind) {
    case WEDR_NODE_PRED:
        return wedr_build_pred(b, n->arg, ret_x);
    case WEDR_NODE_NOT:
    case WEDR_NODE_AND:
    case WEDR_NODE_OR:
    case WEDR_NODE_AT_LEAST:
        return build_inner(b, n, ret_x);
    default:
        return wedr_build_x(b, n->kind == WEDR_NODE_TRUE ? WEDR_X_TRUE : WEDR_X_FALSE, 0, NULL, 0,
                            ret_x);
    }
}

int wedr_build_node(struct wedr_builder *b, uint32_t node, uint32_t *ret_x)
{
    bool scoped = has_keywords(b, node);
    uint32_t x = scoped ? wedr_scoped_find(b, node, false) : b->x_of_node[node];
    int r = WEDR_OK;
    if (x == WEDR_IR_NONE) {
        r = build_node(b, node, &x);
        if (r == WEDR_OK && scoped) {
            r = wedr_scoped_add(b, node, false, x);
        } else if (r == WEDR_OK) {
            b->x_of_node[node] = x;
        }
    }
    if (r == WEDR_OK) {
        *ret_x = x;
    }
    return r;
}

void wedr_build_tables(const struct wedr_builder *b, uint32_t node, uint32_t any, uint64_t *bits)
{
    const struct wedr_node *n = wedr_ruleset_node(b->rs, node);
    if (n->kind == WEDR_NODE_PRED) {
        uint32_t field = wedr_ruleset_pred(b->rs, n->arg)->field;
        uint32_t table = field == WEDR_FIELD_ANY ? any : b->e->table_of_field[field];
        if (table != WEDR_IR_NONE) {
            bits[table / 64] |= UINT64_C(1) << (table % 64);
        }
        return;
    }
    for (uint32_t i = 0; i < n->kid_count; i++) {
        wedr_build_tables(b, wedr_ruleset_kids(b->rs, n)[i], any, bits);
    }
}
