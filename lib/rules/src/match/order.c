/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/order.c — what a candidate asks first: what is known already, then what needs
 * another pass, regexes last. Most candidates fail, so the first answers decide what they cost. */
#include "core/base/err.h"
#include "match/engine.h"
#include <string.h>

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

/* Kids of the same weight keep their order. */
static void sort_kids(const struct wedr_builder *b,
                      const struct wedr_x *x,
                      const uint8_t *weights,
                      uint32_t *scratch)
{
    uint32_t *kids = WEDR_VEC_AT(uint32_t, b->e->kids, x->kid_first);
    uint32_t n = 0;
    for (unsigned w = KNOWN; w < WEIGHTS; w++) {
        for (uint32_t i = 0; i < x->kid_count; i++) {
            if (weights[kids[i]] == w) {
                scratch[n++] = kids[i];
            }
        }
    }
    memcpy(kids, scratch, x->kid_count * sizeof(*kids));
}

int wedr_build_order(struct wedr_builder *b)
{
    size_t count = b->e->xs.count;
    uint8_t *weights = wedr_pool_block(&b->tmp, count + 1, 8);
    uint32_t *scratch = wedr_pool_block(&b->tmp, (b->e->kids.count + 1) * sizeof(*scratch), 8);
    if (!weights || !scratch) {
        return WEDR_E_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) { /* kids come before what they belong to */
        const struct wedr_x *x = wedr_engine_x(b->e, i);
        weights[i] = weight_of(b, x, weights);
        if (x->kid_count > 1) {
            sort_kids(b, x, weights, scratch);
        }
    }
    return WEDR_OK;
}
