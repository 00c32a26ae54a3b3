/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/crew.h — all events of the given files through the matcher, on several threads:
 * the calling thread cuts files into batches and hands out what was found, in the order of the
 * events; all threads match. Bounded: WEDR_CREW_BATCH bytes a batch, two batches a thread and two.
 */
#pragma once

#include "load.h"

#define WEDR_CREW_BATCH ((size_t)256 << 10) /* bytes, and one event more */
#define WEDR_CREW_BATCH_EVENTS 2048u

/* Where an event stands. The path lives as long as the crew. */
struct wedr_place {
    const char *path;
    uint64_t index, line; /* in the file: index from 0, line from 1 */
    bool timed;
    int64_t time_us; /* since 1970 */
};

/* An event that rules match. Borrowed during the call. */
struct wedr_hit {
    struct wedr_place place;
    struct wedr_text json;
    const uint32_t *rules; /* wanted ones */
    size_t count;
    struct wedr_text facts[WEDR_FACT_COUNT]; /* but for the time */
    struct wedr_text more[WEDR_FACTS_MORE_MAX];
    const struct wedr_batch *batch; /* for wedr_hit_note */
    size_t note_first;
};

/* What the `index`-th of its rules can say about the event (note.h). */
struct wedr_text wedr_hit_note(const struct wedr_hit *hit, size_t index);

struct wedr_crew_stats {
    uint64_t files, events, bytes; /* read; bytes as they lie in the files */
    uint64_t unknown;              /* events whose log source no rule asks for */
    uint64_t outside;              /* events that lie outside of since and until */
    uint64_t undated;              /* likewise not to be told: they are matched */
    uint64_t failed;               /* files and events that could not be read */
};

struct wedr_crew {
    const struct wedr_load *load;
    unsigned threads;   /* at least 1 */
    const bool *wanted; /* of each rule: whether a match of it is a hit */
    bool since_set, until_set;
    int64_t since_us, until_us;
    int (*hit)(void *ctx, const struct wedr_hit *hit); /* other than 0 ends the run */
    void (*progress)(void *ctx, const struct wedr_crew_stats *stats); /* often; may be NULL */
    void (*problem)(void *ctx); /* before a line goes to standard error; may be NULL */
    void *ctx;
    struct wedr_crew_stats stats;
    struct wedr_crew_run *run; /* keeps the paths */
};

/* What hit returned, WEDR_E_NOMEM, or 0. Once. */
WEDR_MUST_USE int wedr_crew_run(struct wedr_crew *p, char *const *paths, size_t count);
void wedr_crew_fini(struct wedr_crew *p);
