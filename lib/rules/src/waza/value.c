/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/value.c — values and lists of them to predicates. */
#include "core/base/err.h"
#include "waza/compiler.h"
#include <inttypes.h>
#include <stdio.h>

#define SET_FROM 64u      /* texts: from here on they become a list of the ruleset */
#define NUMBERS_MAX 1024u /* more are looked up by their text */

static int pred(struct wedr_waza_compiler *c,
                const struct wedr_pred *p,
                struct wedr_waza_span span,
                uint32_t *ret_node)
{
    struct wedr_errinfo ei = {{0}};
    return wedr_waza_refused(c, span, wedr_ir_pred(c->rs, p, ret_node, &ei), &ei);
}

static int never(struct wedr_waza_compiler *c, struct wedr_waza_span span, uint32_t *ret_node)
{
    wedr_waza_warn(c->source, span, "never true: this operator needs a number");
    return wedr_waza_refused(c, span, wedr_ir_constant(c->rs, false, ret_node), NULL);
}

static int number(struct wedr_waza_compiler *c,
                  const struct wedr_waza_compare *k,
                  const struct wedr_waza_value *v,
                  uint32_t *ret_node)
{
    static const uint8_t ops[] = {
        [WAZA_OP_EQ] = WEDR_OP_EQ, [WAZA_OP_OTHER] = WEDR_OP_NE, [WAZA_OP_LT] = WEDR_OP_LT,
        [WAZA_OP_LE] = WEDR_OP_LE, [WAZA_OP_GT] = WEDR_OP_GT,    [WAZA_OP_GE] = WEDR_OP_GE};
    struct wedr_pred p = {.field = k->field,
                          .kind = k->part == UINT8_MAX ? WEDR_PRED_NUMBER : WEDR_PRED_TIME,
                          .op = ops[k->op],
                          .part = k->part == UINT8_MAX ? 0 : k->part,
                          .u.number = v->number};
    return pred(c, &p, v->span, ret_node);
}

/* == and <>. */
static int equal(struct wedr_waza_compiler *c,
                 const struct wedr_waza_compare *k,
                 const struct wedr_waza_value *v,
                 uint32_t *ret_node)
{
    struct wedr_pred p = {.field = k->field, .flags = k->uncased ? 0 : WEDR_PRED_CASED};
    if (v->kind == WAZA_INTEGER && !k->uncased) {
        return number(c, k, v, ret_node);
    }
    if (k->op == WAZA_OP_OTHER) {
        return never(c, v->span, ret_node);
    }
    if (v->kind == WAZA_TRUTH) {
        p.kind = WEDR_PRED_BOOL;
        p.flags = 0;
        p.u.boolean = v->truth;
    } else {
        p.kind = WEDR_PRED_EQUALS;
        p.u.text = v->text;
    }
    return pred(c, &p, v->span, ret_node);
}

static int network(struct wedr_waza_compiler *c,
                   const struct wedr_waza_compare *k,
                   const struct wedr_waza_value *v,
                   uint32_t *ret_node)
{
    struct wedr_pred p = {.field = k->field, .kind = WEDR_PRED_CIDR};
    if (v->kind != WAZA_TEXT || wedr_net_parse(v->text.p, v->text.len, &p.u.net) < 0) {
        return wedr_waza_fail(c->source, v->span, WEDR_E_FORMAT,
                              "a network was expected, like \"10.0.0.0/8\" or \"fe80::/10\"");
    }
    return pred(c, &p, v->span, ret_node);
}

int wedr_waza_value_node(struct wedr_waza_compiler *c,
                         const struct wedr_waza_compare *k,
                         const struct wedr_waza_value *v,
                         uint32_t *ret_node)
{
    static const uint8_t kinds[] = {[WAZA_OP_CONTAINS] = WEDR_PRED_CONTAINS,
                                    [WAZA_OP_STARTS] = WEDR_PRED_PREFIX,
                                    [WAZA_OP_ENDS] = WEDR_PRED_SUFFIX,
                                    [WAZA_OP_LIKE] = WEDR_PRED_WILDCARD,
                                    [WAZA_OP_MATCHES] = WEDR_PRED_REGEX};
    if (v->kind == WAZA_PATTERN && k->op != WAZA_OP_MATCHES) {
        return wedr_waza_fail(c->source, v->span, WEDR_E_FORMAT,
                              "a regular expression belongs to 'matches'");
    }
    if (k->part != UINT8_MAX && v->kind != WAZA_INTEGER) {
        return wedr_waza_fail(c->source, v->span, WEDR_E_FORMAT, "a number was expected");
    }
    switch (k->op) {
    case WAZA_OP_EQ:
    case WAZA_OP_OTHER:
        return equal(c, k, v, ret_node);
    case WAZA_OP_LT:
    case WAZA_OP_LE:
    case WAZA_OP_GT:
    case WAZA_OP_GE:
        return v->kind == WAZA_INTEGER ? number(c, k, v, ret_node) : never(c, v->span, ret_node);
    case WAZA_OP_CIDR:
        return network(c, k, v, ret_node);
    default:
        break;
    }
    struct wedr_pred p = {.field = k->field,
                          .kind = kinds[k->op],
                          .flags = k->uncased ? 0 : WEDR_PRED_CASED,
                          .u.text = v->text};
    if (k->op == WAZA_OP_MATCHES) {
        p.flags = v->flags;
    }
    return pred(c, &p, v->span, ret_node);
}

/* --- Lists. */

/* As events write it. */
static int add_value(struct wedr_ruleset *rs, uint32_t set, const struct wedr_waza_value *v)
{
    char text[32];
    if (v->kind != WAZA_INTEGER || v->number.kind == WEDR_NUMBER_F64) {
        return wedr_ruleset_set_add(rs, set, v->text.p ? v->text.p : "", v->text.len);
    }
    int n = v->number.kind == WEDR_NUMBER_U64
                ? snprintf(text, sizeof(text), "%" PRIu64, v->number.v.u)
                : snprintf(text, sizeof(text), "%" PRId64, v->number.v.i);
    return wedr_ruleset_set_add(rs, set, text, n < 0 ? 0 : (size_t)n);
}

static int fill(struct wedr_waza_compiler *c, const struct wedr_waza_value *first, uint32_t set)
{
    int result = WEDR_OK;
    for (const struct wedr_waza_value *v = first; v; v = v->next) {
        int e = add_value(c->rs, set, v);
        if (e == WEDR_E_FORMAT) {
            e = wedr_waza_fail(c->source, v->span, e, "'%.*s' is no network",
                               WEDR_WAZA_SHOWN(v->text));
        } else if (e < 0) {
            return wedr_waza_refused(c, v->span, e, NULL);
        }
        result = e < 0 ? e : result;
    }
    int e = wedr_ruleset_set_seal(c->rs, set);
    return e < 0 ? e : result;
}

/* A list as a set; a named one once for all rules. */
static int set_of(struct wedr_waza_compiler *c,
                  const struct wedr_waza_compare *k,
                  struct wedr_waza_named *named,
                  const struct wedr_waza_value *first,
                  uint32_t *ret_set)
{
    if (named && named->sets[k->mode][!k->uncased]) {
        *ret_set = named->sets[k->mode][!k->uncased] - 1;
        return WEDR_OK;
    }
    int e = wedr_ruleset_set_new(c->rs, (enum wedr_set_mode)k->mode, !k->uncased, ret_set);
    e = e < 0 ? wedr_waza_refused(c, k->op_span, e, NULL) : fill(c, first, *ret_set);
    if (e == WEDR_OK && named) {
        named->sets[k->mode][!k->uncased] = *ret_set + 1;
    }
    return e;
}

static int set_node(struct wedr_waza_compiler *c,
                    const struct wedr_waza_compare *k,
                    struct wedr_waza_named *named,
                    const struct wedr_waza_value *first,
                    uint32_t *ret_node)
{
    struct wedr_pred p = {.field = k->field, .kind = WEDR_PRED_SET};
    int e = set_of(c, k, named, first, &p.u.set);
    return e < 0 ? e : pred(c, &p, k->op_span, ret_node);
}

struct tally {
    uint32_t texts, numbers, truths, patterns;
    struct wedr_waza_span pattern;
};

static struct tally count(const struct wedr_waza_value *v)
{
    struct tally t = {0};
    for (; v; v = v->next) {
        t.texts += v->kind == WAZA_TEXT;
        t.numbers += v->kind == WAZA_INTEGER;
        t.truths += v->kind == WAZA_TRUTH;
        t.patterns += v->kind == WAZA_PATTERN;
        t.pattern = v->kind == WAZA_PATTERN ? v->span : t.pattern;
    }
    return t;
}

/* Few values: each a predicate of its own. */
static int each(struct wedr_waza_compiler *c,
                const struct wedr_waza_compare *k,
                const struct wedr_waza_value *first,
                uint32_t n,
                uint32_t *ret_node)
{
    struct wedr_waza_compare one = *k;
    uint32_t *kids = wedr_waza_alloc(c->source, (size_t)n * sizeof(*kids));
    uint32_t at = 0;
    int e = kids ? WEDR_OK : WEDR_E_LIMIT;
    one.op = WAZA_OP_EQ;
    for (const struct wedr_waza_value *v = first; e == WEDR_OK && v; v = v->next) {
        e = equal(c, &one, v, &kids[at++]);
    }
    return e < 0 ? e
                 : wedr_waza_refused(c, k->op_span, wedr_ir_or(c->rs, kids, at, ret_node), NULL);
}

int wedr_waza_in_node(struct wedr_waza_compiler *c,
                      const struct wedr_waza_compare *k,
                      uint32_t *ret_node)
{
    struct wedr_waza_named *named = NULL;
    const struct wedr_waza_value *first = k->first;
    if (k->list.p) {
        named = wedr_waza_find_list(c->w, c->file, k->list);
        if (!named) {
            return wedr_waza_fail(c->source, k->list_span, WEDR_E_NOENT, "no list is called '%.*s'",
                                  WEDR_WAZA_SHOWN(k->list));
        }
        first = named->first;
    }
    struct tally t = count(first);
    uint32_t total = t.texts + t.numbers + t.truths;
    if (t.patterns) {
        return wedr_waza_fail(c->source, named ? k->list_span : t.pattern, WEDR_E_FORMAT,
                              "'in' takes no regular expressions, 'matches [...]' does");
    }
    if (total == 0) {
        wedr_waza_warn(c->source, k->op_span, "never true: the list is empty");
        return wedr_waza_refused(c, k->op_span, wedr_ir_constant(c->rs, false, ret_node), NULL);
    }
    bool few = t.texts < SET_FROM && t.numbers <= NUMBERS_MAX;
    return k->mode != WEDR_SET_EXACT || !few ? set_node(c, k, named, first, ret_node)
                                             : each(c, k, first, total, ret_node);
}
