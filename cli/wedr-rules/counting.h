/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/counting.h — correlations over the events of all files. What their members match
 * is kept, put in the order of time, and counted when all files are read, so that neither the order
 * of files nor that of events in them matters. Sigma's correlations count over all hosts, as do
 * Waza's with scope server; other Waza rules see one host at a time, as on an agent. Beyond
 * WEDR_COUNTING_BYTES_MAX the older half is counted early. One thread. */
#pragma once

#include "crew.h"

#define WEDR_COUNTING_BYTES_MAX ((size_t)256 << 20) /* of kept events */
#define WEDR_COUNTING_EVENTS_MAX ((size_t)4 << 20)  /* over the whole run: the evidence */

/* A correlation that fired. Borrowed during the call. */
struct wedr_counted {
    uint32_t rule;
    struct wedr_place place; /* of the event that made it fire */
    struct wedr_text facts[WEDR_FACT_COUNT];
    struct wedr_text more[WEDR_FACTS_MORE_MAX];
    uint64_t count;                    /* events, distinct values or members */
    const struct wedr_place *evidence; /* oldest first */
    size_t evidence_count;
    const struct wedr_text *group; /* values of the group-by fields */
    uint32_t group_count;
};
/* Other than 0 stops. */
typedef int wedr_counted_fn(void *ctx, const struct wedr_counted *c);

struct wedr_counting_stats {
    uint64_t kept;
    uint64_t undated;   /* had no time: counted at that of the event before */
    uint64_t ungrouped; /* had no value of a group-by field */
    uint64_t evicted;   /* fell out of a full window */
    bool early;         /* some were counted before all were read */
};

struct wedr_counting;

/* NULL in *ret_c when no rule that is reported correlates. feeds (of each rule) is set to true for
 * members. WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_counting_new(const struct wedr_load *load,
                                    bool *feeds,
                                    wedr_counted_fn *fn,
                                    void *ctx,
                                    struct wedr_counting **ret_c);
void wedr_counting_free(struct wedr_counting *c);
/* A hit, whatever its rules. What fn returned, WEDR_E_LIMIT (EVENTS_MAX), WEDR_E_NOMEM, or 0. */
WEDR_MUST_USE int wedr_counting_add(struct wedr_counting *c, const struct wedr_hit *hit);
/* Counts what is kept. */
WEDR_MUST_USE int wedr_counting_finish(struct wedr_counting *c);
void wedr_counting_stats(const struct wedr_counting *c, struct wedr_counting_stats *ret_stats);
