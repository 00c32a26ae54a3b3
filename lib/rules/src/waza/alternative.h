/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/alternative.h — the lines of a group as alternatives that look at one event each,
 * those of the same event put together. */
#pragma once

#include "waza/compiler.h"

struct wedr_waza_alternative {
    struct wedr_waza_event event;
    const struct wedr_waza_label *label;
    uint32_t node;
    uint32_t *kids; /* while it is being made */
    uint32_t kid_count;
};

struct wedr_waza_alternatives {
    struct wedr_waza_alternative *v;
    uint32_t count, cap;
};

/* The group fires by one event and its alternatives can be told apart in one rule. */
bool wedr_waza_is_single(const struct wedr_waza_compiler *c);
/* Alternatives of a group of which every line (or alternative of it) has one event. */
int wedr_waza_alternatives(struct wedr_waza_compiler *c, struct wedr_waza_alternatives *ret);
/* Calls fn for x, or for each of its alternatives when it has several events. */
typedef int wedr_waza_alternative_fn(void *ctx,
                                     const struct wedr_waza_line *line,
                                     const struct wedr_waza_expr *x);
int wedr_waza_each_alternative(const struct wedr_waza_compiler *c,
                               const struct wedr_waza_line *line,
                               const struct wedr_waza_expr *x,
                               wedr_waza_alternative_fn *fn,
                               void *ctx);
