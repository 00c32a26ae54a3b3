/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/atoms.c — which predicates the passes decide, and what gates the others. */
#include "core/base/err.h"
#include "match/engine.h"
#include "match/literal.h"
#include <string.h>

#define COST_EXISTS 100000u
#define COST_BOOL 20000u
#define COST_NUMBER 2000u
#define COST_EMPTY 5000u
#define COST_LIST 5u
#define TEXT_MAX 8192u /* bytes that the tables hold: three times that fits the scratch memory */

int wedr_build_atom(struct wedr_builder *b, uint32_t cost, uint32_t *ret_atom)
{
    uint32_t atom = b->e->atom_count;
    if (atom > WEDR_EFFECT_ID) {
        return WEDR_E_LIMIT;
    }
    int r = wedr_vec_push(&b->tmp, &b->costs, &cost, 1, sizeof(cost));
    if (r == WEDR_OK) {
        b->e->atom_count++;
        *ret_atom = atom;
    }
    return r;
}

int wedr_build_table(struct wedr_builder *b, uint32_t field, uint32_t *ret_table)
{
    struct wedr_engine *e = b->e;
    uint32_t *slot = field == WEDR_FIELD_ANY ? &b->any : &e->table_of_field[field];
    if (*slot == WEDR_IR_NONE) {
        struct wedr_table t = wedr_table_init(field);
        uint32_t id = (uint32_t)e->tables.count;
        int r = wedr_vec_push(&e->pool, &e->tables, &t, 1, sizeof(t));
        if (r < 0) {
            return r;
        }
        *slot = id;
    }
    *ret_table = *slot;
    return WEDR_OK;
}

static struct wedr_table *table_at(const struct wedr_builder *b, uint32_t table)
{
    return WEDR_VEC_AT(struct wedr_table, b->e->tables, table);
}

/* The atom in *slot, made on first use. */
static int slot_atom(struct wedr_builder *b, uint32_t *slot, uint32_t cost, uint32_t *ret_atom)
{
    int r = WEDR_OK;
    if (*slot == WEDR_IR_NONE) {
        r = wedr_build_atom(b, cost, slot);
    }
    *ret_atom = *slot;
    return r;
}

static int exists_atom(struct wedr_builder *b, uint32_t field, uint32_t *ret_atom)
{
    uint32_t table;
    int r = wedr_build_table(b, field, &table);
    return r < 0 ? r : slot_atom(b, &table_at(b, table)->exists, COST_EXISTS, ret_atom);
}

struct literal_key {
    const struct wedr_builder *b;
    uint32_t table;
    uint8_t place;
    struct wedr_text text;
};

static bool same_literal(const void *ctx, uint32_t id)
{
    const struct literal_key *k = ctx;
    const struct wedr_literal_entry *have =
        WEDR_VEC_AT(struct wedr_literal_entry, k->b->literals, id);
    return have->table == k->table && have->literal.place == k->place &&
           have->literal.text.len == k->text.len &&
           memcmp(have->literal.text.p, k->text.p, k->text.len) == 0;
}

/* The atom of a folded text somewhere, in front, or at the end of the field's values. */
static int literal_atom(struct wedr_builder *b,
                        uint32_t field,
                        uint8_t pred_kind,
                        struct wedr_text t,
                        uint32_t *ret_atom)
{
    struct literal_key key = {.b = b};
    key.place = pred_kind == WEDR_PRED_PREFIX   ? WEDR_PLACE_FRONT
                : pred_kind == WEDR_PRED_SUFFIX ? WEDR_PLACE_END
                                                : WEDR_PLACE_ANYWHERE;
    uint32_t cost = wedr_literal_cost(t, pred_kind);
    key.text = t;
    int r = wedr_build_table(b, field, &key.table);
    if (r < 0) {
        return r;
    }
    uint32_t hash = wedr_hash_bytes(t.p, t.len, wedr_hash_mix(key.table, key.place));
    uint32_t id = wedr_index_find(&b->literal_index, hash, same_literal, &key);
    if (id != WEDR_IR_NONE) {
        *ret_atom = WEDR_VEC_AT(struct wedr_literal_entry, b->literals, id)->literal.atom;
        return WEDR_OK;
    }
    struct wedr_literal_entry l = {.literal.place = key.place, .table = key.table};
    r = wedr_pool_text(&b->tmp, t, &l.literal.text);
    if (r == WEDR_OK) {
        r = wedr_build_atom(b, cost, &l.literal.atom);
    }
    if (r == WEDR_OK) {
        r = wedr_vec_push(&b->tmp, &b->literals, &l, 1, sizeof(l));
    }
    if (r == WEDR_OK) {
        r = wedr_index_add(&b->tmp, &b->literal_index, hash, (uint32_t)b->literals.count - 1);
    }
    b->e->literal_count += r == WEDR_OK;
    *ret_atom = l.literal.atom;
    return r;
}

struct exact_key {
    const struct wedr_table *t;
    struct wedr_text text;
    struct wedr_number number;
};

static bool same_exact(const void *ctx, uint32_t id)
{
    const struct exact_key *k = ctx;
    struct wedr_text have = WEDR_VEC_AT(struct wedr_exact, k->t->exacts, id)->text;
    return have.len == k->text.len && memcmp(have.p, k->text.p, have.len) == 0;
}

static int
exact_atom(struct wedr_builder *b, uint32_t field, struct wedr_text text, uint32_t *ret_atom)
{
    uint32_t table;
    int r = wedr_build_table(b, field, &table);
    if (r < 0) {
        return r;
    }
    struct wedr_table *t = table_at(b, table);
    if (text.len == 0) {
        return slot_atom(b, &t->empty, COST_EMPTY, ret_atom);
    }
    struct exact_key key = {.t = t, .text = text};
    uint32_t hash = wedr_hash_bytes(text.p, text.len, 0);
    uint32_t id = wedr_index_find(&t->exact_index, hash, same_exact, &key);
    if (id == WEDR_IR_NONE) {
        struct wedr_exact x;
        id = (uint32_t)t->exacts.count;
        r = wedr_pool_text(&b->e->pool, text, &x.text);
        if (r == WEDR_OK) {
            r = wedr_build_atom(b, wedr_literal_cost(text, WEDR_PRED_EQUALS), &x.atom);
        }
        if (r == WEDR_OK) {
            r = wedr_vec_push(&b->e->pool, &t->exacts, &x, 1, sizeof(x));
        }
        if (r == WEDR_OK) {
            r = wedr_index_add(&b->e->pool, &t->exact_index, hash, id);
        }
        if (r < 0) {
            return r;
        }
        t->exact_lengths |= UINT64_C(1) << (text.len < 63 ? text.len : 63);
        t->exact_longest = text.len > t->exact_longest ? text.len : t->exact_longest;
        b->e->literal_count++;
    }
    *ret_atom = WEDR_VEC_AT(struct wedr_exact, t->exacts, id)->atom;
    return WEDR_OK;
}

static bool same_number(const void *ctx, uint32_t id)
{
    const struct exact_key *k = ctx;
    return wedr_number_compare(WEDR_VEC_AT(struct wedr_exact_number, k->t->numbers, id)->number,
                               k->number) == 0;
}

static int
number_atom(struct wedr_builder *b, uint32_t field, struct wedr_number number, uint32_t *ret_atom)
{
    uint32_t table;
    int r = wedr_build_table(b, field, &table);
    if (r < 0) {
        return r;
    }
    struct wedr_table *t = table_at(b, table);
    struct exact_key key = {.t = t, .number = number};
    uint32_t hash = wedr_number_hash(number);
    uint32_t id = wedr_index_find(&t->number_index, hash, same_number, &key);
    if (id == WEDR_IR_NONE) {
        struct wedr_exact_number x = {.number = number};
        id = (uint32_t)t->numbers.count;
        r = wedr_build_atom(b, COST_NUMBER, &x.atom);
        if (r == WEDR_OK) {
            r = wedr_vec_push(&b->e->pool, &t->numbers, &x, 1, sizeof(x));
        }
        if (r == WEDR_OK) {
            r = wedr_index_add(&b->e->pool, &t->number_index, hash, id);
        }
        if (r < 0) {
            return r;
        }
    }
    *ret_atom = WEDR_VEC_AT(struct wedr_exact_number, t->numbers, id)->atom;
    return WEDR_OK;
}

static int list_atom(struct wedr_builder *b, uint32_t field, uint32_t set, uint32_t *ret_atom)
{
    uint32_t table;
    struct wedr_list l = {.set = set};
    int r = wedr_build_table(b, field, &table);
    if (r == WEDR_OK) {
        r = wedr_build_atom(b, COST_LIST, &l.atom);
    }
    if (r == WEDR_OK) {
        r = wedr_vec_push(&b->e->pool, &table_at(b, table)->lists, &l, 1, sizeof(l));
    }
    *ret_atom = l.atom;
    return r;
}

static int bool_atom(struct wedr_builder *b, uint32_t field, bool value, uint32_t *ret_atom)
{
    uint32_t table;
    int r = wedr_build_table(b, field, &table);
    if (r < 0) {
        return r;
    }
    struct wedr_table *t = table_at(b, table);
    return slot_atom(b, value ? &t->yes : &t->no, COST_BOOL, ret_atom);
}

/* No letter that folding could change: cased and uncased are the same. */
static bool is_caseless(struct wedr_text t)
{
    for (uint32_t i = 0; i < t.len; i++) {
        uint8_t c = (uint8_t)t.p[i];
        if (c >= 0x80 || (uint8_t)((c | 32) - 'a') < 26) {
            return false;
        }
    }
    return true;
}

static struct wedr_text folded(const struct wedr_builder *b, struct wedr_text t)
{
    return wedr_text(b->fold, wedr_fold(t.p, t.len, b->fold));
}

static int text_atom(struct wedr_builder *b, const struct wedr_pred *p, uint32_t *ret_atom)
{
    struct wedr_text t = folded(b, p->u.text);
    if (p->kind == WEDR_PRED_EQUALS) {
        return exact_atom(b, p->field, t, ret_atom);
    }
    return literal_atom(b, p->field, p->kind, t, ret_atom);
}

/* What must be set before a residual predicate is worth evaluating. */
static int gate_atom(struct wedr_builder *b, const struct wedr_pred *p, uint32_t *ret_atom)
{
    char needed[WEDR_FOLD_MAX(WEDR_NEEDED_MAX)];
    size_t len = 0;
    if (p->kind <= WEDR_PRED_CONTAINS && p->u.text.len <= TEXT_MAX) {
        return text_atom(b, p, ret_atom);
    }
    if (p->kind == WEDR_PRED_WILDCARD) {
        len = wedr_needed_wildcard(p->u.text, needed);
    } else if (p->kind == WEDR_PRED_REGEX) {
        len = wedr_needed_regex(p->u.text, needed);
    }
    if (len > 0) {
        return literal_atom(b, p->field, WEDR_PRED_CONTAINS, wedr_text(needed, len), ret_atom);
    }
    if (p->field == WEDR_FIELD_ANY) {
        uint32_t table; /* its values must be looked at all the same */
        *ret_atom = WEDR_IR_NONE;
        return wedr_build_table(b, p->field, &table);
    }
    return exists_atom(b, p->field, ret_atom);
}

/* The atom that is the predicate itself; WEDR_E_NOENT when no pass decides it. */
static int direct_atom(struct wedr_builder *b, const struct wedr_pred *p, uint32_t *ret_atom)
{
    if (p->kind <= WEDR_PRED_CONTAINS) {
        bool cased = (p->flags & WEDR_PRED_CASED) && !is_caseless(p->u.text);
        bool any = p->u.text.len == 0 && p->kind != WEDR_PRED_EQUALS;
        return cased || any || p->u.text.len > TEXT_MAX ? WEDR_E_NOENT : text_atom(b, p, ret_atom);
    }
    switch (p->kind) {
    case WEDR_PRED_NUMBER:
        return p->op == WEDR_OP_EQ ? number_atom(b, p->field, p->u.number, ret_atom) : WEDR_E_NOENT;
    case WEDR_PRED_BOOL:
        return bool_atom(b, p->field, p->u.boolean, ret_atom);
    case WEDR_PRED_SET:
        return list_atom(b, p->field, p->u.set, ret_atom);
    default:
        return WEDR_E_NOENT;
    }
}

static int
residual(struct wedr_builder *b, const struct wedr_pred *p, uint32_t pred, uint32_t *ret_x)
{
    struct wedr_residual res = {.pred = pred, .gate = WEDR_IR_NONE};
    uint32_t id = (uint32_t)b->e->residuals.count;
    int r = WEDR_OK;
    if (p->kind != WEDR_PRED_CONTAINS || p->u.text.len > 0) { /* an empty CONTAINS: any value */
        r = gate_atom(b, p, &res.gate);
    } else {
        uint32_t table;
        r = wedr_build_table(b, p->field, &table);
    }
    if (r == WEDR_OK) {
        r = wedr_vec_push(&b->e->pool, &b->e->residuals, &res, 1, sizeof(res));
    }
    return r == WEDR_OK ? wedr_build_x(b, WEDR_X_RESIDUAL, id, NULL, 0, ret_x) : r;
}

static int
build_pred(struct wedr_builder *b, const struct wedr_pred *p, uint32_t pred, uint32_t *ret_x)
{
    uint32_t atom;
    int r;
    if (p->kind == WEDR_PRED_EXISTS || p->kind == WEDR_PRED_NULL) {
        r = exists_atom(b, p->field, &atom);
    } else {
        r = direct_atom(b, p, &atom);
    }
    if (r == WEDR_E_NOENT) {
        r = residual(b, p, pred, ret_x);
    } else if (r == WEDR_OK) {
        r = wedr_build_x(b, WEDR_X_ATOM, atom, NULL, 0, ret_x);
    }
    if (r == WEDR_OK && p->kind == WEDR_PRED_NULL) {
        uint32_t x = *ret_x;
        r = wedr_build_x(b, WEDR_X_NOT, 0, &x, 1, ret_x);
    }
    return r;
}

int wedr_build_pred(struct wedr_builder *b, uint32_t pred, uint32_t *ret_x)
{
    const struct wedr_pred *p = wedr_ruleset_pred(b->rs, pred);
    bool keyword = p->field == WEDR_FIELD_ANY;
    uint32_t x = keyword ? wedr_scoped_find(b, pred, true) : b->x_of_pred[pred];
    int r = WEDR_OK;
    if (x == WEDR_IR_NONE) {
        r = build_pred(b, p, pred, &x);
        if (r == WEDR_OK && keyword) {
            r = wedr_scoped_add(b, pred, true, x);
        } else if (r == WEDR_OK) {
            b->x_of_pred[pred] = x;
        }
    }
    if (r == WEDR_OK) {
        *ret_x = x;
    }
    return r;
}
