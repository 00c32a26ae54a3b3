/* SPDX-License-Identifier: Apache-2.0
 * bench/rules_lane.h — the events of one lane, as JSON lines and as a decoder of records would have
 * them, and what matching them costs. */
#pragma once

#include "core/util/buf.h"
#include "wedr/rules/engine.h"

#define BENCH_EVENTS_MAX 20000u

/* Rules ready to match, and one thread's scratch memory for it. */
struct bench_set {
    struct wedr_engine *e; /* owns the ruleset */
    struct wedr_field_map *map;
    struct wedr_matcher *m;
    struct wedr_rule_event *ev;
};

/* A field of a decoded event. */
struct bench_item {
    uint32_t field;
    uint8_t kind; /* enum wedr_value_kind */
    bool boolean;
    struct wedr_number number;
    struct wedr_text text;
};

struct bench_event {
    struct wedr_span line;
    uint32_t first, count; /* of items */
    uint32_t classes[WEDR_EVENT_CLASSES_MAX];
    uint32_t class_count;
    uint32_t matches;
};

struct bench_lane {
    char name[64];
    struct wedr_buf file, texts, items; /* of a lane that was read */
    struct bench_event *events;
    size_t count;
    const struct bench_lane *from; /* whose items the events point into */
};

struct bench_result {
    double decoded_ns, json_ns, read_ns;        /* of a core per event, the fastest pass */
    uint32_t p99_ns, worst_ns;                  /* from a JSON line */
    double bytes, candidates, matches, regexes; /* per event */
    size_t classed;
};

/* Reads the file and decodes each line. The engine's ruleset gives fields and classes. */
int bench_lane_read(struct bench_lane *l, struct bench_set *s, const char *path);
/* Every event that matches (or none of those), with_every > 0: and after as many of them one that
 * does match. */
int bench_lane_derive(struct bench_lane *l,
                      const struct bench_lane *from,
                      const char *name,
                      bool matching,
                      size_t with_every);
void bench_lane_fini(struct bench_lane *l);
int bench_lane_measure(const struct bench_lane *l,
                       struct bench_set *s,
                       double seconds,
                       struct bench_result *ret);
/* A fixed amount of work, for a profiler that counts instructions. */
int bench_lane_repeat(const struct bench_lane *l, struct bench_set *s, size_t passes, bool decoded);
int bench_read_file(const char *path, struct wedr_buf *out);

void bench_set_fini(struct bench_set *s);
