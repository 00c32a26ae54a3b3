/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/matcher.h — scratch memory of one thread. */
#pragma once

#include "match/engine.h"

#define WEDR_MATCHER_MAGIC 0x574d5431u

/* What is known of 64 atoms. */
struct wedr_truth {
    uint64_t set, absent; /* absent: asked for, and not there */
};

#define WEDR_FILTERS 8u
#define WEDR_FILTER_BYTES_MAX 4096u /* of the texts of a field that a filter is made of */

struct wedr_filter {
    uint64_t bits[(1u << WEDR_ASK_BITS) / 64];
};

struct wedr_matcher {
    uint32_t magic;
    const struct wedr_engine *e;
    struct wedr_eval eval;
    struct wedr_truth *atoms;
    uint32_t *touched; /* atoms of which something is known */
    uint32_t touched_count;
    uint64_t *candidates; /* bits of engine rules */
    uint8_t *scope_state; /* enum wedr_scope_state */
    uint32_t *scopes;     /* those that are not WEDR_SCOPE_IDLE */
    uint32_t scope_count;
    uint64_t *needed;   /* bits of tables */
    uint32_t *keywords; /* tables of keywords of the scopes that are on */
    uint32_t keyword_count;
    uint32_t *passed; /* by twin: epoch * WEDR_ASKS + enum wedr_asks or a filter */
    uint32_t *memo;   /* by residual: epoch * 2 + truth */
    uint32_t epoch;
    struct wedr_filter *filters; /* WEDR_FILTERS */
    uint32_t filter_count;
    uint32_t *matches;
    size_t bytes;
    uint64_t events, candidate_count, match_count;
};

/* What m->passed says of a twin: how many of its literals were asked for one by one, or more. */
enum wedr_asks {
    WEDR_ASKS_FEW = 2,   /* the next one has a filter made */
    WEDR_ASKS_MANY = 14, /* the next one has the twin passed, when there is no filter */
    WEDR_ASKS_FILTER = 16,
    WEDR_ASKS_PASSED = WEDR_ASKS_FILTER + WEDR_FILTERS,
    WEDR_ASKS
};
enum wedr_scope_state { WEDR_SCOPE_IDLE, WEDR_SCOPE_PICKED, WEDR_SCOPE_ON };

/* Sets what the values of one table's field decide (passes.c). */
void wedr_pass_table(struct wedr_matcher *m,
                     const struct wedr_table *t,
                     struct wedr_rule_event *ev);

enum wedr_answer { WEDR_ANSWER_NO, WEDR_ANSWER_YES, WEDR_ANSWER_PASS /* the table, to know it */ };
/* Looks for one literal of a table in the values of its field; sets nothing. */
enum wedr_answer wedr_pass_asked(const struct wedr_table *t,
                                 const struct wedr_ask *a,
                                 const char *literal,
                                 struct wedr_rule_event *ev);
/* Fills the filter with the values of the table's field. False when they are too long. */
bool wedr_pass_filter(const struct wedr_table *t,
                      struct wedr_rule_event *ev,
                      struct wedr_filter *filter);
static inline bool wedr_filter_may(const struct wedr_filter *f, const struct wedr_ask *a)
{
    uint64_t found = 0;
    for (uint32_t i = 0; i < WEDR_ASK_GRAMS; i++) {
        found |= f->bits[a->grams[i] / 64] >> (a->grams[i] % 64);
    }
    return found & 1;
}

/* Of a word that is not 0. */
static inline uint32_t wedr_lowest_bit(uint64_t word)
{
#if defined(__GNUC__)
    return (uint32_t)__builtin_ctzll(word);
#else
    uint32_t n = 0;
    while (!(word >> n & 1)) {
        n++;
    }
    return n;
#endif
}

void wedr_matcher_spread(struct wedr_matcher *m, uint32_t atom);
static inline bool wedr_matcher_has(const struct wedr_matcher *m, uint32_t atom)
{
    return m->atoms[atom / 64].set >> (atom % 64) & 1;
}
/* Sets an atom and, the first time, does what follows from it. */
static inline void wedr_matcher_set(struct wedr_matcher *m, uint32_t atom)
{
    if (!wedr_matcher_has(m, atom)) {
        wedr_matcher_spread(m, atom);
    }
}
