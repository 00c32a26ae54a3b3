/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/matcher.h — scratch memory of one thread. */
#pragma once

#include "match/engine.h"

#define WEDR_MATCHER_MAGIC 0x574d5431u

struct wedr_matcher {
    uint32_t magic;
    const struct wedr_engine *e;
    struct wedr_eval eval;
    uint64_t *atoms;   /* bits */
    uint32_t *touched; /* atoms that are set */
    uint32_t touched_count;
    uint64_t *candidates; /* bits of engine rules */
    uint8_t *scope_state; /* enum wedr_scope_state */
    uint32_t *scopes;     /* those that are not WEDR_SCOPE_IDLE */
    uint32_t scope_count;
    uint64_t *needed;   /* bits of tables */
    uint32_t *keywords; /* tables of keywords of the scopes that are on */
    uint32_t keyword_count;
    uint32_t *passed; /* by table: epoch * WEDR_ASKS + how many literals of the twin were asked for
                         by themselves; the last: all of it was passed */
    uint32_t *memo;   /* by residual: epoch * 2 + truth */
    uint32_t epoch;
    uint32_t *matches;
    size_t bytes;
    uint64_t events, candidate_count, match_count;
};

#define WEDR_ASKS 16u /* two less are asked for; the next one passes the twin */
enum wedr_scope_state { WEDR_SCOPE_IDLE, WEDR_SCOPE_PICKED, WEDR_SCOPE_ON };

/* Sets what the values of one table's field decide (passes.c). */
void wedr_pass_table(struct wedr_matcher *m,
                     const struct wedr_table *t,
                     struct wedr_rule_event *ev);

enum wedr_answer { WEDR_ANSWER_NO, WEDR_ANSWER_YES, WEDR_ANSWER_PASS /* the table, to know it */ };
/* Looks for one literal of a table in the values of its field; sets nothing. */
enum wedr_answer
wedr_pass_asked(const struct wedr_table *t, const struct wedr_asked *a, struct wedr_rule_event *ev);

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
    return m->atoms[atom / 64] >> (atom % 64) & 1;
}
/* Sets an atom and, the first time, does what follows from it. */
static inline void wedr_matcher_set(struct wedr_matcher *m, uint32_t atom)
{
    if (!wedr_matcher_has(m, atom)) {
        wedr_matcher_spread(m, atom);
    }
}
