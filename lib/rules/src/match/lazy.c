/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/lazy.c — what the passes need not look for. Only an atom that picks a rule or a
 * scope must be known for every event; the others (".exe", "\system32\", what stands beside the
 * trigger or behind a not) matter when a candidate asks for them, which few events have. So each
 * table has two twins for these: one for literals, which are asked for by themselves (ask.c), and
 * one for all else, which is passed on demand. Their groups are asked for likewise. */
#include "core/base/err.h"
#include "match/engine.h"
#include <string.h>

/* Reverse edges: the members of each group. */
struct members {
    uint32_t *first; /* by atom, and one more */
    uint32_t *atom;
};

static struct wedr_table *table_at(const struct wedr_builder *b, uint32_t table)
{
    return WEDR_VEC_AT(struct wedr_table, b->e->tables, table);
}

static uint32_t kind_of(const struct wedr_edge *e)
{
    return e->effect >> WEDR_EFFECT_SHIFT;
}

static int find_members(struct wedr_builder *b, struct members *m)
{
    const struct wedr_edge *e = b->edges.p;
    m->first = wedr_pool_block(&b->tmp, ((size_t)b->e->atom_count + 2) * sizeof(uint32_t), 8);
    m->atom = wedr_pool_block(&b->tmp, (b->edges.count + 1) * sizeof(uint32_t), 8);
    if (!m->first || !m->atom) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; i < b->edges.count; i++) {
        if (kind_of(&e[i]) == WEDR_EFFECT_ATOM) {
            m->first[(e[i].effect & WEDR_EFFECT_ID) + 2]++;
        }
    }
    for (uint32_t a = 0; a < b->e->atom_count; a++) {
        m->first[a + 1] += a > 0 ? m->first[a] : 0;
    }
    for (size_t i = 0; i < b->edges.count; i++) {
        if (kind_of(&e[i]) == WEDR_EFFECT_ATOM) {
            m->atom[m->first[(e[i].effect & WEDR_EFFECT_ID) + 1]++] = e[i].atom;
        }
    }
    return WEDR_OK;
}

/* An atom is eager when it picks something, or is a member of a group that does. A group has a
 * higher number than its members. */
static int mark_eager(struct wedr_builder *b, const struct members *m)
{
    const struct wedr_edge *e = b->edges.p;
    b->eager = wedr_pool_block(&b->tmp, (size_t)b->e->atom_count + 1, 8);
    if (!b->eager) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; i < b->edges.count; i++) {
        if (kind_of(&e[i]) != WEDR_EFFECT_ATOM) {
            b->eager[e[i].atom] = 1;
        }
    }
    for (uint32_t a = b->e->atom_count; a-- > 0;) {
        for (uint32_t i = m->first[a]; b->eager[a] && i < m->first[a + 1]; i++) {
            b->eager[m->atom[i]] = 1;
        }
    }
    return WEDR_OK;
}

/* Moves an atom that is not eager. */
static void move_slot(const struct wedr_builder *b,
                      uint32_t *from,
                      uint32_t *to,
                      uint32_t twin,
                      struct wedr_ask *asks)
{
    if (*from != WEDR_IR_NONE && !b->eager[*from]) {
        *to = *from;
        asks[*from].twin = twin;
        *from = WEDR_IR_NONE;
    }
}

/* Exact texts and numbers cost one look-up for all of them: they stay together. */
static void move_exacts(const struct wedr_builder *b,
                        struct wedr_table *t,
                        struct wedr_table *to,
                        struct wedr_ask *asks)
{
    const struct wedr_exact *x = t->exacts.p;
    uint32_t twin = t->lazy;
    bool eager = false;
    for (size_t i = 0; i < t->exacts.count; i++) {
        eager |= b->eager[x[i].atom] != 0;
    }
    if (eager || t->exacts.count == 0) {
        return;
    }
    for (size_t i = 0; i < t->exacts.count; i++) {
        asks[x[i].atom].twin = twin;
    }
    to->exacts = t->exacts;
    to->exact_index = t->exact_index;
    to->exact_lengths = t->exact_lengths;
    to->exact_longest = t->exact_longest;
    memset(&t->exacts, 0, sizeof(t->exacts));
    memset(&t->exact_index, 0, sizeof(t->exact_index));
    t->exact_lengths = 0;
    t->exact_longest = 0;
}

static void move_numbers(const struct wedr_builder *b,
                         struct wedr_table *t,
                         struct wedr_table *to,
                         struct wedr_ask *asks)
{
    const struct wedr_exact_number *x = t->numbers.p;
    uint32_t twin = t->lazy;
    bool eager = false;
    for (size_t i = 0; i < t->numbers.count; i++) {
        eager |= b->eager[x[i].atom] != 0;
    }
    if (eager || t->numbers.count == 0) {
        return;
    }
    for (size_t i = 0; i < t->numbers.count; i++) {
        asks[x[i].atom].twin = twin;
    }
    to->numbers = t->numbers;
    to->number_index = t->number_index;
    memset(&t->numbers, 0, sizeof(t->numbers));
    memset(&t->number_index, 0, sizeof(t->number_index));
}

static int move_lists(struct wedr_builder *b,
                      struct wedr_table *t,
                      struct wedr_table *to,
                      struct wedr_ask *asks)
{
    struct wedr_list *lists = t->lists.p;
    size_t kept = 0;
    int r = WEDR_OK;
    for (size_t i = 0; r == WEDR_OK && i < t->lists.count; i++) {
        if (b->eager[lists[i].atom]) {
            lists[kept++] = lists[i];
        } else {
            asks[lists[i].atom].twin = t->lazy;
            r = wedr_vec_push(&b->e->pool, &to->lists, &lists[i], 1, sizeof(lists[i]));
        }
    }
    t->lists.count = r == WEDR_OK ? kept : t->lists.count;
    return r;
}

static bool is_empty(const struct wedr_table *t)
{
    return t->exacts.count == 0 && t->numbers.count == 0 && t->lists.count == 0 &&
           t->exists == WEDR_IR_NONE && t->empty == WEDR_IR_NONE && t->yes == WEDR_IR_NONE &&
           t->no == WEDR_IR_NONE;
}

/* The twin is the table behind all others. */
static int split_table(struct wedr_builder *b, uint32_t table, struct wedr_ask *asks)
{
    struct wedr_table *t = table_at(b, table);
    struct wedr_table twin = wedr_table_init(t->field);
    t->lazy = (uint32_t)b->e->tables.count;
    move_slot(b, &t->exists, &twin.exists, t->lazy, asks);
    move_slot(b, &t->empty, &twin.empty, t->lazy, asks);
    move_slot(b, &t->yes, &twin.yes, t->lazy, asks);
    move_slot(b, &t->no, &twin.no, t->lazy, asks);
    move_exacts(b, t, &twin, asks);
    move_numbers(b, t, &twin, asks);
    int r = move_lists(b, t, &twin, asks);
    if (is_empty(&twin)) {
        t->lazy = WEDR_IR_NONE;
        return r;
    }
    int p = wedr_vec_push(&b->e->pool, &b->e->tables, &twin, 1, sizeof(twin));
    return r < 0 ? r : p;
}

/* The twin of a literal's table, made on first use. */
static int literal_twin(struct wedr_builder *b, uint32_t table, uint32_t *ret_twin)
{
    int r = WEDR_OK;
    if (table_at(b, table)->lazy_literals == WEDR_IR_NONE) {
        struct wedr_table twin = wedr_table_init(table_at(b, table)->field);
        table_at(b, table)->lazy_literals = (uint32_t)b->e->tables.count;
        r = wedr_vec_push(&b->e->pool, &b->e->tables, &twin, 1, sizeof(twin));
    }
    *ret_twin = table_at(b, table)->lazy_literals;
    return r;
}

static int split_all(struct wedr_builder *b, struct wedr_ask *asks)
{
    struct wedr_literal_entry *l = b->literals.p;
    uint32_t count = (uint32_t)b->e->tables.count;
    int r = WEDR_OK;
    for (uint32_t t = 0; r == WEDR_OK && t < count; t++) {
        r = split_table(b, t, asks);
    }
    for (size_t i = 0; r == WEDR_OK && i < b->literals.count; i++) {
        if (!b->eager[l[i].literal.atom]) {
            r = literal_twin(b, l[i].table, &l[i].table);
            asks[l[i].literal.atom].twin = l[i].table;
        }
    }
    return r;
}

/* Groups that are not eager are asked for by their members, instead of being set by them. */
static int list_members(struct wedr_builder *b, const struct members *m)
{
    struct wedr_engine *e = b->e;
    e->member_first = wedr_pool_block(&e->pool, ((size_t)e->atom_count + 2) * sizeof(uint32_t), 8);
    int r = e->member_first ? WEDR_OK : WEDR_E_NOMEM;
    for (uint32_t a = 0; r == WEDR_OK && a < e->atom_count; a++) {
        e->member_first[a] = (uint32_t)e->members.count;
        if (!b->eager[a]) {
            r = wedr_vec_push(&e->pool, &e->members, m->atom + m->first[a],
                              m->first[a + 1] - m->first[a], sizeof(uint32_t));
        }
    }
    if (r == WEDR_OK) {
        e->member_first[e->atom_count] = (uint32_t)e->members.count;
    }
    return r;
}

/* An edge to a group that is not eager has no effect. */
static void drop_edges(struct wedr_builder *b)
{
    struct wedr_edge *e = b->edges.p;
    size_t kept = 0;
    for (size_t i = 0; i < b->edges.count; i++) {
        if (kind_of(&e[i]) != WEDR_EFFECT_ATOM || b->eager[e[i].effect & WEDR_EFFECT_ID]) {
            e[kept++] = e[i];
        }
    }
    b->edges.count = kept;
}

int wedr_build_lazy(struct wedr_builder *b)
{
    struct members m;
    struct wedr_engine *e = b->e;
    size_t atoms = (size_t)e->atom_count + 1;
    e->asks = wedr_pool_block(&e->pool, atoms * sizeof(*e->asks), 8);
    int r = e->asks ? find_members(b, &m) : WEDR_E_NOMEM;
    for (size_t i = 0; r == WEDR_OK && i < atoms; i++) {
        e->asks[i].twin = WEDR_IR_NONE;
    }
    r = r == WEDR_OK ? mark_eager(b, &m) : r;
    r = r == WEDR_OK ? split_all(b, e->asks) : r;
    r = r == WEDR_OK ? list_members(b, &m) : r;
    if (r == WEDR_OK) {
        drop_edges(b);
    }
    return r;
}
