/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/alternative.c — see alternative.h. */
#include "waza/alternative.h"
#include "core/base/err.h"
#include <string.h>

int wedr_waza_each_alternative(const struct wedr_waza_compiler *c,
                               const struct wedr_waza_line *line,
                               const struct wedr_waza_expr *x,
                               wedr_waza_alternative_fn *fn,
                               void *ctx)
{
    if (x->kind != WAZA_X_OR || (x->var != WEDR_WAZA_VAR_MANY && !c->group->v1)) {
        return fn(ctx, line, x);
    }
    int result = WEDR_OK;
    for (const struct wedr_waza_expr *kid = x->first; kid; kid = kid->next) {
        int e = wedr_waza_each_alternative(c, line, kid, fn, ctx);
        result = e < 0 ? e : result;
    }
    return result;
}

struct look {
    const struct wedr_waza_compiler *c;
    const struct wedr_waza_event *first;
    bool several;
};

static int look_at(void *ctx, const struct wedr_waza_line *line, const struct wedr_waza_expr *x)
{
    static const struct wedr_waza_event own = {.kind = WAZA_EVENT_SOURCE};
    struct look *k = ctx;
    (void)line;
    if (x->var == WEDR_WAZA_VAR_MANY || (k->c->group->v1 && x->kind != WAZA_X_COMPARE)) {
        return WEDR_E_UNSUP;
    }
    const struct wedr_waza_event *event =
        x->var == WEDR_WAZA_VAR_NONE ? &own : &wedr_waza_var(k->c, x->var)->event;
    k->several = k->several || (k->first && !wedr_waza_same_event(k->first, event));
    k->first = k->first ? k->first : event;
    /* Only our own events can be told apart by what stands in them. */
    bool told = event->kind == WAZA_EVENT_TYPE && k->first->kind == WAZA_EVENT_TYPE;
    return event->kind == WAZA_EVENT_RULE || (k->several && !told) ? WEDR_E_UNSUP : WEDR_OK;
}

bool wedr_waza_is_single(const struct wedr_waza_compiler *c)
{
    struct look k = {.c = c};
    if (c->group->mode != WAZA_ANY) {
        return false;
    }
    for (const struct wedr_waza_line *l = c->group->lines.first; l; l = l->next) {
        if (wedr_waza_each_alternative(c, l, l->expr, look_at, &k) < 0) {
            return false;
        }
    }
    return true;
}

struct collect {
    struct wedr_waza_compiler *c;
    struct wedr_waza_alternatives *all;
};

/* The alternative of that event, made when there is none. */
static struct wedr_waza_alternative *
alternative(struct collect *k, const struct wedr_waza_expr *x, struct wedr_waza_span span)
{
    static const struct wedr_waza_var own = {.event = {.kind = WAZA_EVENT_SOURCE}};
    const struct wedr_waza_var *var =
        x->var == WEDR_WAZA_VAR_NONE ? &own : wedr_waza_var(k->c, x->var);
    struct wedr_waza_alternatives *a = k->all;
    for (uint32_t i = 0; i < a->count; i++) {
        if (wedr_waza_same_event(&a->v[i].event, &var->event)) {
            return &a->v[i];
        }
    }
    if (a->count == WEDR_WAZA_CLASSES_MAX) {
        (void)wedr_waza_fail(k->c->source, span, WEDR_E_LIMIT, "more than %u kinds of events",
                             WEDR_WAZA_CLASSES_MAX);
        return NULL;
    }
    if (!a->v) {
        a->v = wedr_waza_alloc(k->c->source, WEDR_WAZA_CLASSES_MAX * sizeof(*a->v));
    }
    if (!a->v) {
        return NULL;
    }
    struct wedr_waza_alternative *made = &a->v[a->count++];
    made->event = var->event;
    made->label = var->label;
    return made;
}

static int add(void *ctx, const struct wedr_waza_line *line, const struct wedr_waza_expr *x)
{
    struct collect *k = ctx;
    if (x->var == WEDR_WAZA_VAR_MANY) {
        return wedr_waza_fail(k->c->source, line->span, WEDR_E_FORMAT,
                              "each line of this group speaks of one event");
    }
    uint32_t node = 0;
    int e = wedr_waza_node(k->c, x, &node);
    struct wedr_waza_alternative *a = e < 0 ? NULL : alternative(k, x, line->span);
    if (!a) {
        return e < 0 ? e : WEDR_E_LIMIT;
    }
    if ((a->kid_count & (a->kid_count - 1)) == 0) { /* 0 or a power of two: full */
        uint32_t cap = a->kid_count ? a->kid_count * 2 : 1;
        uint32_t *v = wedr_waza_alloc(k->c->source, (size_t)cap * sizeof(*v));
        if (!v) {
            return WEDR_E_LIMIT;
        }
        if (a->kid_count) {
            memcpy(v, a->kids, a->kid_count * sizeof(*v));
        }
        a->kids = v;
    }
    a->kids[a->kid_count++] = node;
    return WEDR_OK;
}

int wedr_waza_alternatives(struct wedr_waza_compiler *c, struct wedr_waza_alternatives *ret)
{
    struct collect k = {c, ret};
    int result = WEDR_OK;
    for (const struct wedr_waza_line *l = c->group->lines.first; l; l = l->next) {
        int e = wedr_waza_each_alternative(c, l, l->expr, add, &k);
        result = e < 0 ? e : result;
    }
    for (uint32_t i = 0; result == WEDR_OK && i < ret->count; i++) {
        struct wedr_waza_alternative *a = &ret->v[i];
        result = wedr_waza_refused(c, c->group->span,
                                   wedr_ir_or(c->rs, a->kids, a->kid_count, &a->node), NULL);
    }
    return result;
}
