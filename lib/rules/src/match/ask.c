/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/ask.c — literals that are only looked for when a candidate asks. The first ones
 * of a field are looked for in its values. For the next ones a filter is made of the values: a bit
 * for each fourth of their grams, which a literal of seven bytes and more cannot pass between. Only
 * one of whose four grams in a row a bit is set is looked for. */
#include "core/base/err.h"
#include "match/engine.h"
#include <string.h>

#define SEEN (1u << WEDR_ASK_BITS)
#define ASK_MIN (WEDR_GRAM + WEDR_ASK_GRAMS - 1) /* bytes of a literal that has so many grams */

static bool is_asked(const struct wedr_builder *b, const struct wedr_literal_entry *l)
{
    /* Keywords are looked for in all texts, so that one costs as much as their table. */
    return !b->eager[l->literal.atom] &&
           WEDR_VEC_AT(struct wedr_table, b->e->tables, l->table)->field != WEDR_FIELD_ANY;
}

/* The grams in a row that the fewest literals have. */
static void pick_grams(struct wedr_ask *a, struct wedr_text t, const uint32_t *seen)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t at = 0; at + ASK_MIN <= t.len; at++) {
        uint32_t sum = 0;
        uint16_t places[WEDR_ASK_GRAMS];
        for (uint32_t k = 0; k < WEDR_ASK_GRAMS; k++) {
            places[k] = (uint16_t)wedr_ask_place(t.p + at + k);
            sum += seen[places[k]];
        }
        if (sum < best) {
            best = sum;
            a->filtered = true;
            memcpy(a->grams, places, sizeof(places));
        }
    }
}

int wedr_build_asks(struct wedr_builder *b)
{
    struct wedr_engine *e = b->e;
    const struct wedr_literal_entry *l = b->literals.p;
    uint32_t *seen = wedr_pool_block(&b->tmp, SEEN * sizeof(*seen), 8);
    size_t size = 0;
    for (size_t i = 0; i < b->literals.count; i++) {
        size += is_asked(b, &l[i]) ? l[i].literal.text.len : 0;
    }
    e->ask_texts = wedr_pool_block(&e->pool, size + 1, 8);
    if (!seen || !e->ask_texts) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; i < b->literals.count; i++) {
        struct wedr_text t = l[i].literal.text;
        for (uint32_t k = 0; k + WEDR_GRAM <= t.len; k++) {
            seen[wedr_ask_place(t.p + k)]++;
        }
    }
    uint32_t used = 0;
    for (size_t i = 0; i < b->literals.count; i++) {
        if (is_asked(b, &l[i])) {
            struct wedr_ask *a = &e->asks[l[i].literal.atom];
            struct wedr_text t = l[i].literal.text;
            memcpy(e->ask_texts + used, t.p, t.len);
            a->text = used;
            a->len = (uint16_t)t.len;
            a->place = l[i].literal.place;
            pick_grams(a, t, seen);
            used += t.len;
        }
    }
    return WEDR_OK;
}
