/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/term.c — a condition over several events in disjunctive form. What speaks of one
 * event alone stays whole, so that only the parts that mix events multiply. */
#include "core/base/err.h"
#include "waza/compiler.h"
#include <string.h>

static int too_many(struct wedr_waza_compiler *c, struct wedr_waza_span span)
{
    return wedr_waza_fail(c->source, span, WEDR_E_LIMIT,
                          "more than %u alternatives over several events", WEDR_WAZA_TERMS_MAX);
}

static int one_atom(struct wedr_waza_compiler *c,
                    const struct wedr_waza_expr *x,
                    bool negated,
                    struct wedr_waza_terms *ret_terms)
{
    struct wedr_waza_term *term = wedr_waza_alloc(c->source, sizeof(*term));
    struct wedr_waza_atom *atom = wedr_waza_alloc(c->source, sizeof(*atom));
    if (!term || !atom) {
        return WEDR_E_LIMIT;
    }
    atom->x = x;
    atom->negated = negated;
    term->atoms = atom;
    term->count = 1;
    ret_terms->v = term;
    ret_terms->count = 1;
    return WEDR_OK;
}

/* true: one term of nothing; false: no term. */
static int constant(struct wedr_waza_compiler *c, bool truth, struct wedr_waza_terms *ret_terms)
{
    ret_terms->v = wedr_waza_alloc(c->source, sizeof(*ret_terms->v));
    ret_terms->count = truth;
    return ret_terms->v ? WEDR_OK : WEDR_E_LIMIT;
}

int wedr_waza_terms_and(struct wedr_waza_compiler *c,
                        struct wedr_waza_span span,
                        const struct wedr_waza_terms *a,
                        const struct wedr_waza_terms *b,
                        struct wedr_waza_terms *ret_terms)
{
    uint32_t count = a->count * b->count; /* each at most WEDR_WAZA_TERMS_MAX */
    if (count > WEDR_WAZA_TERMS_MAX) {
        return too_many(c, span);
    }
    struct wedr_waza_term *v = wedr_waza_alloc(c->source, (count + 1) * sizeof(*v));
    if (!v) {
        return WEDR_E_LIMIT;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct wedr_waza_term *x = &a->v[i / b->count];
        const struct wedr_waza_term *y = &b->v[i % b->count];
        v[i].count = x->count + y->count;
        v[i].atoms = wedr_waza_alloc(c->source, (v[i].count + 1) * sizeof(*v[i].atoms));
        if (!v[i].atoms) {
            return WEDR_E_LIMIT;
        }
        if (x->count) {
            memcpy(v[i].atoms, x->atoms, x->count * sizeof(*x->atoms));
        }
        if (y->count) {
            memcpy(v[i].atoms + x->count, y->atoms, y->count * sizeof(*y->atoms));
        }
    }
    ret_terms->v = v;
    ret_terms->count = count;
    return WEDR_OK;
}

static int terms_or(struct wedr_waza_compiler *c,
                    struct wedr_waza_span span,
                    const struct wedr_waza_terms *a,
                    const struct wedr_waza_terms *b,
                    struct wedr_waza_terms *ret_terms)
{
    uint32_t count = a->count + b->count;
    if (count > WEDR_WAZA_TERMS_MAX) {
        return too_many(c, span);
    }
    struct wedr_waza_term *v = wedr_waza_alloc(c->source, (count + 1) * sizeof(*v));
    if (!v) {
        return WEDR_E_LIMIT;
    }
    if (a->count) {
        memcpy(v, a->v, a->count * sizeof(*v));
    }
    if (b->count) {
        memcpy(v + a->count, b->v, b->count * sizeof(*v));
    }
    ret_terms->v = v;
    ret_terms->count = count;
    return WEDR_OK;
}

/* Operands that speak of one event each are put together before they multiply. */
static int combine(struct wedr_waza_compiler *c,
                   const struct wedr_waza_expr *x,
                   bool negated,
                   struct wedr_waza_terms *ret_terms)
{
    bool both = (x->kind == WAZA_X_AND) != negated;
    int e = constant(c, both, ret_terms);
    for (const struct wedr_waza_expr *kid = x->first; e == WEDR_OK && kid; kid = kid->next) {
        struct wedr_waza_terms terms = {NULL, 0};
        e = wedr_waza_terms(c, kid, negated, &terms);
        if (e == WEDR_OK) {
            e = both ? wedr_waza_terms_and(c, x->span, ret_terms, &terms, ret_terms)
                     : terms_or(c, x->span, ret_terms, &terms, ret_terms);
        }
    }
    return e;
}

int wedr_waza_terms(struct wedr_waza_compiler *c,
                    const struct wedr_waza_expr *x,
                    bool negated,
                    struct wedr_waza_terms *ret_terms)
{
    while (x->kind == WAZA_X_NOT) {
        x = x->first;
        negated = !negated;
    }
    if (x->var == WEDR_WAZA_VAR_NONE && x->kind == WAZA_X_CONSTANT) {
        return constant(c, x->truth != negated, ret_terms);
    }
    if (x->var < WEDR_WAZA_VAR_MANY) {
        return one_atom(c, x, negated, ret_terms);
    }
    if (x->kind == WAZA_X_COMPARE) { /* a join */
        return negated ? wedr_waza_fail(c->source, x->span, WEDR_E_FORMAT,
                                        "fields of two events are joined by '==' only, not by its "
                                        "opposite")
                       : one_atom(c, x, false, ret_terms);
    }
    if (x->kind == WAZA_X_OF) {
        return wedr_waza_fail(c->source, x->span, WEDR_E_UNSUP,
                              "'N of' speaks of one event; write the alternatives of several");
    }
    return combine(c, x, negated, ret_terms);
}
