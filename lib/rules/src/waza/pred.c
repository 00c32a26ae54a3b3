/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/pred.c — comparisons to predicates. */
#include "core/base/err.h"
#include "waza/compiler.h"

int wedr_waza_refused(struct wedr_waza_compiler *c,
                      struct wedr_waza_span span,
                      int err,
                      const struct wedr_errinfo *ei)
{
    return err == WEDR_OK ? WEDR_OK
                          : wedr_waza_fail(c->source, span, err, "%s",
                                           ei && ei->text[0]     ? ei->text
                                           : err == WEDR_E_LIMIT ? "too many values, nodes or "
                                                                   "fields for one ruleset"
                                                                 : wedr_err_text(err));
}

static int
exists(struct wedr_waza_compiler *c, uint32_t field, struct wedr_waza_span span, uint32_t *ret_node)
{
    if (field == WEDR_FIELD_ANY) {
        return wedr_waza_fail(c->source, span, WEDR_E_FORMAT, "this needs a field, not '*'");
    }
    return wedr_waza_refused(c, span, wedr_ir_exists(c->rs, field, true, ret_node), NULL);
}

/* PATH OP PATH of one event. */
static int field_node(struct wedr_waza_compiler *c,
                      const struct wedr_waza_compare *k,
                      struct wedr_waza_span span,
                      uint32_t *ret_node)
{
    static const uint8_t ops[] = {[WAZA_OP_EQ] = WEDR_OP_EQ,
                                  [WAZA_OP_OTHER] = WEDR_OP_NE,
                                  [WAZA_OP_LT] = WEDR_OP_LT,
                                  [WAZA_OP_LE] = WEDR_OP_LE,
                                  [WAZA_OP_GT] = WEDR_OP_GT,
                                  [WAZA_OP_GE] = WEDR_OP_GE,
                                  [WAZA_OP_CONTAINS] = WEDR_OP_CONTAINS,
                                  [WAZA_OP_STARTS] = WEDR_OP_STARTS,
                                  [WAZA_OP_ENDS] = WEDR_OP_ENDS};
    struct wedr_errinfo ei = {{0}};
    if (k->field == WEDR_FIELD_ANY) {
        return wedr_waza_fail(c->source, span, WEDR_E_FORMAT, "'*' is compared with values only");
    }
    struct wedr_pred p = {.field = k->field,
                          .kind = WEDR_PRED_FIELD,
                          .op = ops[k->op],
                          .flags = k->uncased ? 0 : WEDR_PRED_CASED,
                          .u.other = k->right_field};
    int e = wedr_ir_pred(c->rs, &p, ret_node, &ei);
    return wedr_waza_refused(c, span, e, &ei);
}

static uint64_t bits_of(const struct wedr_waza_value *v)
{
    return v->number.kind == WEDR_NUMBER_U64 ? v->number.v.u : (uint64_t)v->number.v.i;
}

static int bits(struct wedr_waza_compiler *c,
                const struct wedr_waza_compare *k,
                uint8_t op,
                uint64_t mask,
                uint32_t *ret_node)
{
    struct wedr_errinfo ei = {{0}};
    struct wedr_pred p = {.field = k->field, .kind = WEDR_PRED_BITS, .op = op, .u.bits = mask};
    int e = wedr_ir_pred(c->rs, &p, ret_node, &ei);
    return wedr_waza_refused(c, k->op_span, e, &ei);
}

/* & mask == value: all bits of value, none of the others of mask. */
static int mask_node(struct wedr_waza_compiler *c,
                     const struct wedr_waza_compare *k,
                     struct wedr_waza_span span,
                     uint32_t *ret_node)
{
    uint64_t mask = bits_of(k->first);
    uint64_t value = bits_of(k->first->next);
    uint32_t kids[2] = {0, 0};
    if (value & ~mask) {
        wedr_waza_warn(c->source, k->first->next->span, "never true: the mask lacks these bits");
        return wedr_waza_refused(c, span, wedr_ir_constant(c->rs, false, ret_node), NULL);
    }
    int e = value ? bits(c, k, WEDR_OP_ALL, value, &kids[0]) : exists(c, k->field, span, &kids[0]);
    if (e < 0 || mask == value) {
        *ret_node = kids[0];
        return e;
    }
    e = bits(c, k, WEDR_OP_ANY, mask & ~value, &kids[1]);
    e = e < 0 ? e : wedr_ir_not(c->rs, kids[1], &kids[1]);
    return e < 0 ? e : wedr_waza_refused(c, span, wedr_ir_and(c->rs, kids, 2, ret_node), NULL);
}

/* One value, or several: any of them, or all. */
static int values_node(struct wedr_waza_compiler *c,
                       const struct wedr_waza_compare *k,
                       struct wedr_waza_span span,
                       uint32_t *ret_node)
{
    if (k->count == 1) {
        return wedr_waza_value_node(c, k, k->first, ret_node);
    }
    if (k->count > WEDR_IR_KIDS_MAX) {
        return wedr_waza_fail(c->source, span, WEDR_E_LIMIT, "more than %u values",
                              WEDR_IR_KIDS_MAX);
    }
    uint32_t *kids = wedr_waza_alloc(c->source, k->count * sizeof(*kids));
    uint32_t count = 0;
    int e = kids ? WEDR_OK : WEDR_E_LIMIT;
    for (const struct wedr_waza_value *v = k->first; e == WEDR_OK && v; v = v->next) {
        e = wedr_waza_value_node(c, k, v, &kids[count++]);
    }
    if (e < 0) {
        return e;
    }
    return wedr_waza_refused(c, span,
                             k->all ? wedr_ir_and(c->rs, kids, count, ret_node)
                                    : wedr_ir_or(c->rs, kids, count, ret_node),
                             NULL);
}

static int positive(struct wedr_waza_compiler *c,
                    const struct wedr_waza_compare *k,
                    struct wedr_waza_span span,
                    uint32_t *ret_node)
{
    if (k->right) {
        return field_node(c, k, span, ret_node);
    }
    switch (k->op) {
    case WAZA_OP_EXISTS:
        return exists(c, k->field, span, ret_node);
    case WAZA_OP_HAS_ALL:
        return bits(c, k, WEDR_OP_ALL, bits_of(k->first), ret_node);
    case WAZA_OP_HAS_ANY:
        return bits(c, k, WEDR_OP_ANY, bits_of(k->first), ret_node);
    case WAZA_OP_MASK:
        return mask_node(c, k, span, ret_node);
    case WAZA_OP_IN:
        return wedr_waza_in_node(c, k, ret_node);
    default:
        return values_node(c, k, span, ret_node);
    }
}

int wedr_waza_compare_node(struct wedr_waza_compiler *c,
                           const struct wedr_waza_compare *k,
                           struct wedr_waza_span span,
                           uint32_t *ret_node)
{
    uint32_t kids[2] = {0, 0};
    int e = positive(c, k, span, &kids[0]);
    if (e == WEDR_OK && k->negated) {
        e = wedr_ir_not(c->rs, kids[0], &kids[0]);
        if (e == WEDR_OK && c->group->v1) { /* there, and another */
            e = exists(c, k->field, span, &kids[1]);
            e = e < 0 ? e : wedr_ir_and(c->rs, kids, 2, &kids[0]);
        }
    }
    *ret_node = kids[0];
    return e;
}
