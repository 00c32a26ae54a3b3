/* SPDX-License-Identifier: Apache-2.0
 * rules/correlate.h — the state behind correlations: windows keyed by (correlation, group values),
 * bounded by time and by number; what has to go first is counted. One per stream of events; all
 * memory is taken at new; not thread-safe. */
#pragma once

#include "wedr/rules/engine.h"

struct wedr_correlate_limits {
    uint32_t windows_max; /* open groups of all correlations; default 10,000; the least recently
                             used one goes */
    uint32_t
        entries_max; /* events kept in one window; default 256, more where a threshold needs more */
    uint32_t entries_total_max; /* of all windows; default 100,000 */
    uint32_t evidence_max;      /* events named in one firing; default 32 */
};

struct wedr_correlate_stats {
    uint64_t fed, fired;
    uint64_t windows, entries; /* now */
    uint64_t expired;          /* windows that ran out of time */
    uint64_t evicted_windows;  /* over a limit */
    uint64_t evicted_entries;  /* over a limit, those of evicted windows too */
    uint64_t late; /* older than the newest of their window by more than the timespan: ignored, up
                        to 7 in a row */
    uint64_t ungrouped;        /* without a value of a group-by field: ignored */
    uint64_t searches_limited; /* a join that was given up */
    size_t memory_bytes;
};

/* A correlation that fired. Borrowed during the call. */
struct wedr_firing {
    uint32_t rule;
    uint64_t count; /* events in the window, or distinct values or members */
    const uint64_t
        *evidence; /* event references, oldest first; the newest ones when there are more */
    size_t evidence_count;
    struct wedr_text group[WEDR_IR_GROUP_MAX]; /* cut when long */
    uint32_t group_count;
};

struct wedr_correlate;
typedef void wedr_firing_fn(void *ctx, const struct wedr_firing *firing);

/* limits NULL or a 0 in it: the default. NULL when out of memory. The engine must outlive it. */
WEDR_MUST_USE struct wedr_correlate *wedr_correlate_new(const struct wedr_engine *e,
                                                        const struct wedr_correlate_limits *limits);
void wedr_correlate_free(struct wedr_correlate *c);
/* The matches of one event (as wedr_matcher_run gave them). time_us: when it happened, since 1970.
 * ref names the event for the caller. A group or join value is the first of its field, compared
 * exactly. fn is called for each correlation that fires, in rule order, those fed by other
 * correlations included; never from a disabled one. Allocates nothing. */
WEDR_MUST_USE int wedr_correlate_feed(struct wedr_correlate *c,
                                      struct wedr_rule_event *ev,
                                      const uint32_t *rules,
                                      size_t count,
                                      int64_t time_us,
                                      uint64_t ref,
                                      wedr_firing_fn *fn,
                                      void *ctx);
void wedr_correlate_stats(const struct wedr_correlate *c, struct wedr_correlate_stats *ret_stats);

struct wedr_correlate_adoption {
    uint32_t kept;             /* correlations whose windows came along */
    uint32_t changed;          /* of the same id, but another definition: they begin empty */
    uint32_t gone;             /* not in the new ruleset any more */
    uint64_t windows, entries; /* that came along */
    uint64_t dropped;          /* windows left behind: of changed or gone ones, over a limit */
};

/* Takes the open windows of `from` over, oldest first, for every correlation that has the same rule
 * id and the same definition (its own, and that of each member down to the last predicate): an
 * attack that is half seen when rules change is not forgotten, no event counts twice. c must be
 * fresh (WEDR_E_STATE). from stays as it is and is not fed any more. WEDR_E_NOMEM: c is empty. */
WEDR_MUST_USE int wedr_correlate_adopt(struct wedr_correlate *c,
                                       const struct wedr_correlate *from,
                                       struct wedr_correlate_adoption *ret_adoption);
