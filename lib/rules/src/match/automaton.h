/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/automaton.h — finds all literals that a text begins with, or, reversed, ends
 * with (ASCII letters in either case): a trie in one array of words, rows where states branch much,
 * lists elsewhere. What stands anywhere in a text is found by grams.h. Constant after building, any
 * thread. */
#pragma once

#include "ir/ruleset.h"

/* Where in a value a literal stands. */
enum wedr_place { WEDR_PLACE_ANYWHERE, WEDR_PLACE_FRONT, WEDR_PLACE_END, WEDR_PLACES };

struct wedr_literal {
    struct wedr_text text; /* folded, not empty */
    uint32_t atom;         /* what a hit sets */
    uint8_t place;         /* enum wedr_place */
};

struct wedr_automaton {
    uint32_t *words; /* NULL: no literals */
    size_t word_count;
    uint32_t states;
    uint8_t classes[256]; /* byte of a text -> class; 0: in no literal */
};

/* A state is the index of its header word; the atom of the literal that ends there comes next, then
 * the edges. */
#define WEDR_AC_EDGES 0xFFu /* how many; 255: a row with one target for each class */
#define WEDR_AC_ROW 0xFFu
#define WEDR_AC_OUT 0x100u      /* an atom follows: something ends here */
#define WEDR_AC_CLASS_SHIFT 16  /* of the only edge */
#define WEDR_AC_DEAD UINT32_MAX /* no literal goes on */

/* Sorts the literals; tables in pool, scratch in tmp. A text occurs once. */
WEDR_MUST_USE int wedr_automaton_build(struct wedr_automaton *ac,
                                       struct wedr_literal *literals,
                                       size_t count,
                                       struct wedr_pool *pool,
                                       struct wedr_pool *tmp);
void wedr_automaton_fini(struct wedr_automaton *ac, struct wedr_pool *pool);

/* The state after a byte of class k, WEDR_AC_DEAD when there is none. */
static inline uint32_t wedr_automaton_step(const uint32_t *t, uint32_t s, uint32_t k)
{
    uint32_t h = t[s];
    uint32_t n = h & WEDR_AC_EDGES;
    const uint32_t *e = t + s + 1 + ((h & WEDR_AC_OUT) != 0);
    if (n == WEDR_AC_ROW) {
        return e[k];
    }
    if (n == 1) {
        return (h >> WEDR_AC_CLASS_SHIFT & 0xFF) == k ? e[0] : WEDR_AC_DEAD;
    }
    const uint8_t *classes = (const uint8_t *)e;
    for (uint32_t i = 0; i < n; i++) {
        if (classes[i] == k) {
            return e[(n + 3) / 4 + i];
        }
    }
    return WEDR_AC_DEAD;
}

/* The atom of a state, WEDR_IR_NONE when nothing ends there. */
static inline uint32_t wedr_automaton_out(const uint32_t *t, uint32_t s)
{
    return t[s] & WEDR_AC_OUT ? t[s + 1] : WEDR_IR_NONE;
}
