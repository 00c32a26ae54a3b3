/* SPDX-License-Identifier: Apache-2.0
 * rules/engine.h — a ruleset compiled for matching. One pass over a field's value finds all
 * literals that rules look for in it; they pick the candidate rules; only these are evaluated. The
 * engine is constant and shared between threads; each thread has a matcher (scratch memory).
 * Matching allocates nothing, except that the memory of regexes grows to the largest that one
 * needed, at most regex_heap_kib_max, and stays. */
#pragma once

#include "core/util/buf.h"
#include "wedr/rules/event.h"

struct wedr_engine_options {
    size_t memory_max; /* of the tables; default 64 MiB */
    bool jit;          /* regexes as machine code: for benchmarks. With PCRE2 10.42 it and the
                          interpreter disagree on some patterns over characters above U+007F */
    uint32_t regex_match_limit;  /* steps of one regex on one value; default 20,000 */
    uint32_t regex_heap_kib_max; /* default 256 */
    uint32_t regex_value_max;    /* bytes of a value that a regex sees; default 32 KiB */
    uint32_t regex_give_up_max; /* regexes that ran out of steps on one event, before no more run on
                                   it; default 4 */
};

struct wedr_engine_info {
    uint32_t rules; /* matched at all: neither disabled nor correlations */
    uint32_t
        rules_always; /* of them: no literal picks them, evaluated for every event of their class */
    uint32_t fields;  /* with predicates */
    uint32_t literals; /* distinct (field, text) */
    uint32_t states;   /* of all automata, and entries of gram tables */
    uint32_t atoms;    /* bits that the passes decide */
    uint32_t residual; /* predicates that are evaluated one by one */
    uint32_t regexes;
    size_t automaton_bytes;
    size_t table_bytes;
    size_t ruleset_bytes;
    size_t total_bytes;
};

struct wedr_engine;

/* opts NULL or a 0 in it: the default. On success the engine owns rs. WEDR_E_NOMEM, WEDR_E_LIMIT
 * (memory_max); then rs stays the caller's. */
WEDR_MUST_USE int wedr_engine_new_take(struct wedr_ruleset *rs,
                                       const struct wedr_engine_options *opts,
                                       struct wedr_engine **ret_engine,
                                       struct wedr_errinfo *ei);
void wedr_engine_free(struct wedr_engine *e);
const struct wedr_ruleset *wedr_engine_ruleset(const struct wedr_engine *e);
void wedr_engine_info(const struct wedr_engine *e, struct wedr_engine_info *ret_info);

struct wedr_matcher_stats {
    uint64_t events, candidates, matches;
    uint64_t regex_runs;
    uint64_t regex_limited; /* a regex gave up or was not run any more: counted as no match */
    uint64_t regex_cut;     /* values longer than regex_value_max: only their beginning was seen */
};

struct wedr_matcher;

/* NULL when out of memory. The engine must outlive it. */
WEDR_MUST_USE struct wedr_matcher *wedr_matcher_new(const struct wedr_engine *e);
void wedr_matcher_free(struct wedr_matcher *m);
size_t wedr_matcher_memory(const struct wedr_matcher *m);
/* The rules (indexes, ascending, hidden ones too, correlations never) that ev satisfies. The array
 * is the matcher's, until the next call. ev must be made for this engine's ruleset. WEDR_E_BUG
 * otherwise. */
WEDR_MUST_USE int wedr_matcher_run(struct wedr_matcher *m,
                                   struct wedr_rule_event *ev,
                                   const uint32_t **ret_rules,
                                   size_t *ret_count);
void wedr_matcher_stats(const struct wedr_matcher *m, struct wedr_matcher_stats *ret_stats);

/* --- Explaining: plain evaluation without any prefilter. */

/* One node of a rule for one event. */
struct wedr_explain_step {
    uint32_t part;  /* 0 guard, 1 condition, 2 exception */
    uint32_t depth; /* 0 for the root of the part */
    uint32_t node;
    bool truth;
    uint32_t pred;          /* WEDR_IR_NONE when the node is no predicate */
    struct wedr_text field; /* name, empty for keywords */
    struct wedr_text
        value; /* of the event: the one that held, else the first; p NULL when there is none */
    uint32_t value_count; /* of the field */
};

typedef void wedr_explain_fn(void *ctx, const struct wedr_explain_step *step);

/* Calls fn (may be NULL) for every node in preorder; *ret_match is what wedr_matcher_run would say.
 * WEDR_E_NOENT for an unknown rule, WEDR_E_INVAL for a correlation. */
WEDR_MUST_USE int wedr_engine_explain(struct wedr_matcher *m,
                                      uint32_t rule,
                                      struct wedr_rule_event *ev,
                                      wedr_explain_fn *fn,
                                      void *ctx,
                                      bool *ret_match);
/* `CommandLine contains "-enc"` and the like, appended to out. */
void wedr_pred_describe(const struct wedr_ruleset *rs, uint32_t pred, struct wedr_buf *out);
