/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/automaton.h — finds all literals of one field in one pass over a folded text.
 * Literals anywhere: Aho-Corasick in one array of words, rows where states branch much, lists
 * elsewhere, behind a filter of the first four bytes that skips where no literal begins. Literals
 * in front and, reversed, at the end: a plain trie in the same words. Constant after building, any
 * thread. */
#pragma once

#include "ir/ruleset.h"

struct wedr_literal {
    struct wedr_text text; /* folded, not empty */
    uint32_t atom;         /* what a hit sets */
};

/* What ends in a state, and the record of the next shorter text that ends there too. */
struct wedr_automaton_out {
    uint32_t atom;
    uint32_t link; /* WEDR_IR_NONE at the end */
};

struct wedr_automaton {
    uint32_t *words; /* NULL: no literals */
    struct wedr_automaton_out *outs;
    uint64_t
        *grams; /* bits by hash: the first grams of literals, four bytes each; NULL in a trie */
    uint64_t *pairs; /* bits: two bytes that a literal of less than four begins with; NULL when
                        there is none */
    size_t word_count, out_count, gram_words;
    uint32_t gram_shift;
    uint32_t stride; /* grams are looked up at every stride-th byte: each literal has that many of
                        them */
    uint32_t states;
    uint8_t classes[256]; /* byte of a folded text -> class; 0: in no literal */
};

/* A state is the index of its header word. */
#define WEDR_AC_EDGES 0xFFu /* how many; 255: a row with one target for each class */
#define WEDR_AC_ROW 0xFFu
#define WEDR_AC_OUT 0x100u     /* a record index follows the failure target: something ends here */
#define WEDR_AC_CLASS_SHIFT 16 /* of the only edge */
#define WEDR_AC_DEPTH_SHIFT \
    24 /* bytes of a literal that the state stands for, at most WEDR_AC_GRAM */
#define WEDR_AC_GRAM 4u
#define WEDR_AC_STRIDE_MAX 4u
#define WEDR_AC_PAIR_WORDS 1024u
#define WEDR_AC_DEAD UINT32_MAX /* of a trie: no literal goes on */

enum wedr_automaton_kind { WEDR_AUTOMATON_ANYWHERE, WEDR_AUTOMATON_TRIE };

/* Sorts the literals; tables in pool, scratch in tmp. A text occurs once. */
WEDR_MUST_USE int wedr_automaton_build(struct wedr_automaton *ac,
                                       enum wedr_automaton_kind kind,
                                       struct wedr_literal *literals,
                                       size_t count,
                                       struct wedr_pool *pool,
                                       struct wedr_pool *tmp);
void wedr_automaton_fini(struct wedr_automaton *ac, struct wedr_pool *pool);

/* The state after a byte of class k; in a trie WEDR_AC_DEAD when there is none. */
static inline uint32_t wedr_automaton_step(const uint32_t *t, uint32_t s, uint32_t k)
{
    do {
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
    } while (s != WEDR_AC_DEAD);
    return s;
}

/* The first record of a state, WEDR_IR_NONE when nothing ends there. */
static inline uint32_t wedr_automaton_out(const uint32_t *t, uint32_t s)
{
    return t[s] & WEDR_AC_OUT ? t[s + 2] : WEDR_IR_NONE;
}

/* Slot of four bytes in grams. */
static inline uint32_t wedr_automaton_gram(const struct wedr_automaton *ac, uint32_t four)
{
    return four * 0x9E3779B1u >> ac->gram_shift;
}
