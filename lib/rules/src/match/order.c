/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/order.c — what a candidate asks first: what is known already, then what needs
 * another pass, regexes last. Most candidates fail, so the first answers decide what they cost. */
#include "core/base/err.h"
#include "match/engine.h"

#define SORTED_MAX 256u /* kids; the others of a longer list stay behind these */

enum weight { KNOWN, ON_DEMAND, EVALUATED, REGEX, WEIGHTS };

static uint8_t
weight_of(const struct wedr_builder *b, const struct wedr_x *x, const uint8_t *weights)
{
    uint8_t most = KNOWN;
    if (x->kind == WEDR_X_ATOM) {
        return b->eager[x->arg] ? KNOWN : ON_DEMAND;
    }
    if (x->kind == WEDR_X_RESIDUAL) {
        uint32_t pred = WEDR_VEC_AT(const struct wedr_residual, b->e->residuals, x->arg)->pred;
        return wedr_ruleset_pred(b->rs, pred)->kind == WEDR_PRED_REGEX ? REGEX : EVALUATED;
    }
    for (uint32_t i = 0; i < x->kid_count; i++) {
        uint8_t w = weights[wedr_engine_kids(b->e, x)[i]];
        most = w > most ? w : most;
    }
    return most;
}

/* Of two kids, the one that is asked later. All kids of an AND must hold: the rarest is asked
 * first, and what is always there or excludes something last. */
static bool
is_later(const struct wedr_builder *b, uint8_t kind, const uint8_t *weights, uint32_t a, uint32_t k)
{
    if (weights[a] != weights[k]) {
        return weights[a] > weights[k];
    }
    return kind == WEDR_X_AND && wedr_build_cost(b, a) > wedr_build_cost(b, k);
}

/* Kids that are equal keep their order. */
static void sort_kids(const struct wedr_builder *b, const struct wedr_x *x, const uint8_t *weights)
{
    uint32_t *kids = WEDR_VEC_AT(uint32_t, b->e->kids, x->kid_first);
    uint32_t count = x->kid_count < SORTED_MAX ? x->kid_count : SORTED_MAX;
    for (uint32_t i = 1; i < count; i++) {
        uint32_t moved = kids[i];
        uint32_t at = i;
        for (; at > 0 && is_later(b, x->kind, weights, kids[at - 1], moved); at--) {
            kids[at] = kids[at - 1];
        }
        kids[at] = moved;
    }
}

int wedr_build_order(struct wedr_builder *b)
{
    size_t count = b->e->xs.count;
    uint8_t *weights = wedr_pool_block(&b->tmp, count + 1, 8);
    if (!weights) {
        return WEDR_E_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) { /* kids come before what they belong to */
        const struct wedr_x *x = wedr_engine_x(b->e, i);
        weights[i] = weight_of(b, x, weights);
        if (x->kid_count > 1) {
            sort_kids(b, x, weights);
        }
    }
    return WEDR_OK;
}

static uint32_t ref_of(const struct wedr_builder *b, uint32_t id)
{
    const struct wedr_x *x = wedr_engine_x(b->e, id);
    if (x->kind != WEDR_X_ATOM) {
        return id;
    }
    return (uint32_t)(b->eager[x->arg] ? WEDR_REF_ATOM : WEDR_REF_ASK) << WEDR_REF_SHIFT | x->arg;
}

void wedr_build_refs(struct wedr_builder *b)
{
    struct wedr_engine *e = b->e;
    uint32_t *kids = e->kids.p;
    struct wedr_engine_rule *rules = e->rules.p;
    struct wedr_scope *scopes = e->scopes.p;
    for (size_t i = 0; i < e->kids.count; i++) {
        kids[i] = ref_of(b, kids[i]);
    }
    for (size_t i = 0; i < e->rules.count; i++) {
        rules[i].x = ref_of(b, rules[i].x);
    }
    for (size_t i = 0; i < e->scopes.count; i++) {
        scopes[i].guard =
            scopes[i].guard == WEDR_IR_NONE ? WEDR_IR_NONE : ref_of(b, scopes[i].guard);
    }
}
