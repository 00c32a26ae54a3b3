/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/finders.c — what finds the literals of each table. Where grams are looked for
 * anyway, literals in front and at the end are grams too, with a place; tries take the others. */
#include "core/base/err.h"
#include "ir/utf8.h"
#include "match/engine.h"
#include <string.h>

/* Literals of one table by what finds them. */
struct parts {
    struct wedr_literal *grams, *front, *end;
    size_t gram_count, front_count, end_count;
};

/* It could stand in the text of a number. */
static bool is_numeric(struct wedr_text t)
{
    static const char *const words[] = {"-inf", "-nan"};
    uint32_t digits = 0;
    while (digits < t.len && t.p[digits] && strchr("0123456789+-.e", t.p[digits])) {
        digits++;
    }
    bool numeric = digits == t.len;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(words); i++) {
        numeric |= wedr_text_contains(wedr_text(words[i], 4), t, true);
    }
    return numeric;
}

/* Without a NUL, which stands between gathered texts, and without a part of a character, which
 * could be one of another character before folding. */
static bool is_clean(struct wedr_text t)
{
    const char *p = t.p;
    const char *end = t.p + t.len;
    while (p < end) {
        uint32_t c;
        p += wedr_utf8_step(p, end, &c);
        if (c == 0 || c >= WEDR_UTF8_STRAY) {
            return false;
        }
    }
    return true;
}

static void note_texts(struct wedr_table *t, const struct wedr_literal *l, size_t count)
{
    const struct wedr_exact *x = t->exacts.p;
    bool anywhere = true;
    t->texts = t->exacts.count + count > 0;
    for (size_t i = 0; i < t->exacts.count; i++) {
        t->numeric = t->numeric || is_numeric(x[i].text);
    }
    for (size_t i = 0; i < count; i++) {
        t->numeric = t->numeric || is_numeric(l[i].text);
        anywhere = anywhere && l[i].place == WEDR_PLACE_ANYWHERE && is_clean(l[i].text);
    }
    t->whole = t->field == WEDR_FIELD_ANY && count > 0 && anywhere && t->exacts.count == 0 &&
               t->numbers.count == 0 && t->lists.count == 0 && t->exists == WEDR_IR_NONE &&
               t->empty == WEDR_IR_NONE && t->yes == WEDR_IR_NONE && t->no == WEDR_IR_NONE;
}

static int reverse(struct wedr_builder *b, struct wedr_text *t)
{
    char *to = wedr_pool_block(&b->tmp, t->len, 1);
    if (!to) {
        return WEDR_E_NOMEM;
    }
    for (uint32_t i = 0; i < t->len; i++) {
        to[i] = t->p[t->len - 1 - i];
    }
    t->p = to;
    return WEDR_OK;
}

/* Length of the shortest literal anywhere that has a gram; UINT32_MAX when there is none. */
static uint32_t shortest_gram(const struct wedr_literal *l, size_t count)
{
    uint32_t least = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        if (l[i].place == WEDR_PLACE_ANYWHERE && l[i].text.len >= WEDR_GRAM &&
            l[i].text.len < least) {
            least = l[i].text.len;
        }
    }
    return least;
}

/* A shorter literal would have grams looked up at more places. */
static int
part(struct wedr_builder *b, const struct wedr_literal *l, size_t count, struct parts *ret)
{
    uint32_t least = shortest_gram(l, count);
    struct wedr_literal *all = wedr_pool_block(&b->tmp, (3 * count + 1) * sizeof(*all), 16);
    struct parts p = {all, all + count, all + 2 * count, 0, 0, 0};
    int r = all ? WEDR_OK : WEDR_E_NOMEM;
    for (size_t i = 0; r == WEDR_OK && i < count; i++) {
        if (l[i].place == WEDR_PLACE_ANYWHERE || l[i].text.len >= least) {
            p.grams[p.gram_count++] = l[i];
        } else if (l[i].place == WEDR_PLACE_FRONT) {
            p.front[p.front_count++] = l[i];
        } else {
            p.end[p.end_count] = l[i];
            r = reverse(b, &p.end[p.end_count++].text);
        }
    }
    *ret = p;
    return r;
}

static int
build_table(struct wedr_builder *b, struct wedr_table *t, struct wedr_literal *l, size_t count)
{
    struct wedr_pool *pool = &b->e->pool;
    struct parts p;
    note_texts(t, l, count);
    int r = part(b, l, count, &p);
    if (r == WEDR_OK && p.gram_count > 0) {
        r = wedr_grams_build(&t->grams, p.grams, p.gram_count, t->whole, pool, &b->tmp);
    }
    if (r == WEDR_OK && p.front_count > 0) {
        r = wedr_automaton_build(&t->front, p.front, p.front_count, pool, &b->tmp);
    }
    if (r == WEDR_OK && p.end_count > 0) {
        r = wedr_automaton_build(&t->end, p.end, p.end_count, pool, &b->tmp);
    }
    t->sought = (uint8_t)((t->exacts.count > 0 ? WEDR_SOUGHT_EXACTS : 0) |
                          (p.gram_count > 0 ? WEDR_SOUGHT_GRAMS : 0) |
                          (p.front_count > 0 ? WEDR_SOUGHT_FRONT : 0) |
                          (p.end_count > 0 ? WEDR_SOUGHT_END : 0) |
                          (t->numbers.count > 0 ? WEDR_SOUGHT_NUMBERS : 0) |
                          (t->yes != WEDR_IR_NONE || t->no != WEDR_IR_NONE ? WEDR_SOUGHT_BOOL : 0) |
                          (t->lists.count > 0 ? WEDR_SOUGHT_LISTS : 0));
    b->e->automaton_bytes +=
        t->grams.bytes + (t->front.word_count + t->end.word_count) * sizeof(uint32_t);
    return r;
}

/* Literals by table: `first` gets where each begins, and one more. */
static int
sort_literals(struct wedr_builder *b, struct wedr_literal **ret_sorted, uint32_t **ret_first)
{
    size_t bins = b->e->tables.count;
    const struct wedr_literal_entry *all = b->literals.p;
    struct wedr_literal *sorted =
        wedr_pool_block(&b->tmp, (b->literals.count + 1) * sizeof(*sorted), 16);
    uint32_t *first = wedr_pool_block(&b->tmp, (bins + 2) * sizeof(*first), 8);
    if (!sorted || !first) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; i < b->literals.count; i++) {
        first[all[i].table + 2]++;
    }
    for (size_t t = 0; t < bins; t++) {
        first[t + 1] += first[t];
    }
    for (size_t i = 0; i < b->literals.count; i++) {
        sorted[first[all[i].table + 1]++] = all[i].literal;
    }
    *ret_sorted = sorted;
    *ret_first = first;
    return WEDR_OK;
}

int wedr_build_finders(struct wedr_builder *b)
{
    struct wedr_literal *sorted;
    uint32_t *first;
    int r = sort_literals(b, &sorted, &first);
    for (size_t i = 0; r == WEDR_OK && i < b->e->tables.count; i++) {
        struct wedr_table *t = WEDR_VEC_AT(struct wedr_table, b->e->tables, i);
        r = build_table(b, t, sorted + first[i], first[i + 1] - first[i]);
    }
    return r;
}
