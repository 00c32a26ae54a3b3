/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/automaton.h — finds all literals of one field in one pass over a folded text:
 * Aho-Corasick in one array of words, rows where states branch much, lists elsewhere. Constant
 * after building, any thread. */
#pragma once

#include "ir/ruleset.h"

enum wedr_literal_place {
    WEDR_LITERAL_CONTAINS,
    WEDR_LITERAL_PREFIX,
    WEDR_LITERAL_SUFFIX,
    WEDR_LITERAL_PLACES
};

struct wedr_literal {
    struct wedr_text text; /* folded, not empty */
    uint8_t place;         /* enum wedr_literal_place */
    uint32_t atom;         /* what a hit sets */
};

/* What ends in a state, and the record of the next shorter text that ends there too. */
struct wedr_automaton_out {
    uint32_t atom[WEDR_LITERAL_PLACES]; /* WEDR_IR_NONE: none */
    uint32_t depth;                     /* bytes */
    uint32_t link;                      /* WEDR_IR_NONE at the end */
};

struct wedr_automaton {
    uint32_t *words; /* NULL: no literals */
    struct wedr_automaton_out *outs;
    size_t word_count, out_count;
    uint32_t states;
    uint8_t classes[256]; /* byte of a text (upper case too) -> class; 0: in no literal */
};

/* A state is the index of its header word. */
#define WEDR_AC_EDGES 0xFFu /* how many; 255: a row with one target for each class */
#define WEDR_AC_ROW 0xFFu
#define WEDR_AC_MID 0x100u     /* a CONTAINS or PREFIX ends here */
#define WEDR_AC_END 0x200u     /* a SUFFIX ends here */
#define WEDR_AC_OUT 0x400u     /* a record index follows the failure target */
#define WEDR_AC_CLASS_SHIFT 16 /* of the only edge */

/* Sorts the literals; tables in pool, scratch in tmp. A text and place occur once. */
WEDR_MUST_USE int wedr_automaton_build(struct wedr_automaton *ac,
                                       struct wedr_literal *literals,
                                       size_t count,
                                       struct wedr_pool *pool,
                                       struct wedr_pool *tmp);
void wedr_automaton_fini(struct wedr_automaton *ac, struct wedr_pool *pool);

/* The state after a byte of that class. */
static inline uint32_t wedr_automaton_step(const uint32_t *t, uint32_t s, uint32_t k)
{
    for (;;) {
        uint32_t h = t[s];
        uint32_t n = h & WEDR_AC_EDGES;
        const uint32_t *e = t + s + 2 + ((h & WEDR_AC_OUT) != 0);
        if (n == WEDR_AC_ROW) {
            return e[k];
        }
        if (n == 1) {
            if ((h >> WEDR_AC_CLASS_SHIFT & 0xFF) == k) {
                return e[0];
            }
        } else if (n > 1) {
            const uint8_t *classes = (const uint8_t *)e;
            for (uint32_t i = 0; i < n; i++) {
                if (classes[i] == k) {
                    return e[(n + 3) / 4 + i];
                }
            }
        }
        s = t[s + 1];
    }
}
