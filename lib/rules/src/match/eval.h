/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/eval.h — plain evaluation: what each predicate means, in one place. The matcher
 * uses it for what its tables do not decide, the explanation for everything. */
#pragma once

#include "event/event.h"
#include "ir/value.h"
#include "match/need.h"

#define WEDR_EVAL_FOLD_MAX 65536u /* bytes of a value that a set looks at */
#define WEDR_EVAL_PAIRS_MAX 64u   /* values of each side that a comparison of fields looks at */

/* Scratch of one thread. */
struct wedr_eval {
    const struct wedr_ruleset *rs;
    const struct wedr_need *needs; /* by regex: asked before one is run; NULL: all are run */
    pcre2_general_context *memory;
    pcre2_match_data *match;
    pcre2_match_context *context;
    char *fold; /* WEDR_FOLD_MAX(WEDR_EVAL_FOLD_MAX) bytes */
    uint32_t regex_value_max, regex_give_up_max;
    uint32_t gave_up; /* regexes that ran out of steps on the event at hand */
    uint64_t regex_runs, regex_limited, regex_cut;
};

struct wedr_eval_limits {
    uint32_t regex_match_limit, regex_heap_kib_max, regex_value_max, regex_give_up_max;
};

WEDR_MUST_USE int wedr_eval_init(struct wedr_eval *x,
                                 const struct wedr_ruleset *rs,
                                 const struct wedr_eval_limits *limits);
void wedr_eval_fini(struct wedr_eval *x);
/* One value by itself; not for EXISTS, NULL, FIELD. */
bool wedr_eval_value(struct wedr_eval *x,
                     const struct wedr_pred *p,
                     struct wedr_rule_event *ev,
                     uint32_t value);
/* ret_value: the value that held, or WEDR_IR_NONE. */
bool wedr_eval_pred(struct wedr_eval *x,
                    const struct wedr_pred *p,
                    struct wedr_rule_event *ev,
                    uint32_t *ret_value);
bool wedr_eval_node(struct wedr_eval *x, uint32_t node, struct wedr_rule_event *ev);
/* Classes, guard, condition, exception and flags. */
bool wedr_eval_rule(struct wedr_eval *x, const struct wedr_rule *rule, struct wedr_rule_event *ev);
