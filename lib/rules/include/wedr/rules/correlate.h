/* SPDX-License-Identifier: Apache-2.0
 * rules/correlate.h — the state behind correlations: windows keyed by (correlation, group values),
 * bounded by time and number, the oldest evicted first and counted. One per stream of events; not
 * thread-safe. */
#pragma once

#include "wedr/rules/engine.h"

struct wedr_correlate_limits {
    uint32_t windows_max;       /* open groups of all correlations; default 10,000 */
    uint32_t entries_max;       /* events kept in one window; default 256: a count above is exact,
                                   evidence is the newest */
    uint32_t entries_total_max; /* of all windows; default 200,000 */
    uint32_t evidence_max;      /* events named in one firing; default 32 */
};

struct wedr_correlate_stats {
    uint64_t fed, fired;
    uint64_t windows, entries;                          /* now */
    uint64_t expired, evicted_windows, evicted_entries; /* evicted: over a limit, not over time */
    size_t memory_bytes;
};

/* A correlation that fired. */
struct wedr_firing {
    uint32_t rule;
    uint64_t count;           /* events, or distinct values */
    const uint64_t *evidence; /* event references, oldest first, the trigger last */
    size_t evidence_count;
    struct wedr_text group[WEDR_IR_GROUP_MAX];
    uint32_t group_count;
};

struct wedr_correlate;
typedef void wedr_firing_fn(void *ctx, const struct wedr_firing *firing);

/* limits NULL or a 0 in it: the default. NULL when out of memory. The engine must outlive it. */
WEDR_MUST_USE struct wedr_correlate *wedr_correlate_new(const struct wedr_engine *e,
                                                        const struct wedr_correlate_limits *limits);
void wedr_correlate_free(struct wedr_correlate *c);
/* The matches of one event (as wedr_matcher_run gave them). time_us: when it happened, since 1970;
 * an event older than the newest of its window by more than the timespan is ignored. ref: what
 * names the event for the caller. fn is called for each correlation that fires, in rule order, also
 * for those fed by other correlations. */
WEDR_MUST_USE int wedr_correlate_feed(struct wedr_correlate *c,
                                      struct wedr_rule_event *ev,
                                      const uint32_t *rules,
                                      size_t count,
                                      int64_t time_us,
                                      uint64_t ref,
                                      wedr_firing_fn *fn,
                                      void *ctx);
void wedr_correlate_stats(const struct wedr_correlate *c, struct wedr_correlate_stats *ret_stats);
