/* SPDX-License-Identifier: Apache-2.0
 *
 * server/detect/hunt.h — any rule over events that are stored already, correlations too. Reads
 * beside the running server; blocks that cannot hold an event of the time, the agent or the rules'
 * types are not opened. One thread per hunt, bounded in time, matches and memory (one batch of at
 * most 32 MiB, the ruleset, the windows of correlations).
 */
#pragma once

#include "core/util/errinfo.h"
#include "detect/sources.h"
#include "store/events.h"

#define WEDR_HUNT_EVIDENCE_MAX 32u

/* Borrowed during the call. A correlation is told with the event that completed it. */
struct wedr_hunt_match {
    const struct wedr_rule *rule;
    const struct wedr_event_block *block;
    const struct wedr_event_line *line;
    uint64_t count; /* events that it rests on */
};

struct wedr_hunt_stats {
    uint64_t blocks, events, looked_at; /* looked_at: of a type that the rules ask for */
    uint64_t matches, unreadable, regex_limited, windows_evicted;
    uint64_t milliseconds;
    bool limited; /* ended by the limit of matches */
};

struct wedr_hunt {
    const struct wedr_events_ops *events_ops;
    const char *data_dir;
    const char *agent_id;   /* NULL: all */
    int64_t from_us, to_us; /* time of the events, inclusive */
    uint64_t match_limit;   /* 0: none */
    uint64_t time_limit_ms; /* 0: none; WEDR_E_TIMEOUT beyond */
    /* Anything but 0 ends the hunt and is returned. */
    int (*match)(void *ctx, const struct wedr_hunt_match *m);
    void (*progress)(void *ctx,
                     const struct wedr_hunt_stats *so_far); /* now and then; may be NULL */
    void *ctx;
};

/* Takes rs and map. ret_stats is written also when it fails. */
WEDR_MUST_USE int wedr_hunt_run_take(const struct wedr_hunt *h,
                                     struct wedr_ruleset *rs,
                                     struct wedr_field_map *map,
                                     struct wedr_hunt_stats *ret_stats,
                                     struct wedr_errinfo *ei);

/* The rules to hunt with: those of every fresh source, and of stored ones by their id or the id of
 * a rule in them, with what they rest on and nothing else. WEDR_E_NOENT (ei) for an id that is not
 * there, WEDR_E_FORMAT when a chosen one does not compile (told to fn). */
WEDR_MUST_USE int wedr_hunt_choose(struct wedr_sources *s,
                                   const char *const *ids,
                                   size_t id_count,
                                   wedr_problem_fn *fn,
                                   void *ctx,
                                   struct wedr_ruleset **ret_rs,
                                   struct wedr_field_map **ret_map,
                                   struct wedr_errinfo *ei);
