/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/waza/support.h — a Waza text in, events of our own form against it, and what
 * fired, in words short enough that a test is a few lines. Events are bound by the pipelines that
 * are compiled in. */
#pragma once

#include "wedr/rules/correlate.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/waza.h"
#include <stdbool.h>

struct waza_told {
    uint32_t errors, warnings;
    struct wedr_waza_error last; /* texts in the buffers below */
    char text[512];
    char file[256];
    char all[16384]; /* "LINE:COLUMN text\n" each, warnings with "w" in front */
};
extern struct waza_told waza_told;

/* Files that includes find. */
struct waza_file {
    const char *name, *text;
};
void waza_files(const struct waza_file *files, size_t count);
/* Reads `text` as file "rules/test.waza"; errors are in waza_told. Never NULL; *ret_err: of the
 * loader. */
struct wedr_ruleset *waza_load(const char *text, int *ret_err);
/* The same behind Sigma rules. */
struct wedr_ruleset *waza_load_with(const char *sigma, const char *text, int *ret_err);

/* A machine over the rules of a text (or of a ruleset, which it takes). */
struct waza_machine;
struct waza_machine *waza_machine(const char *text);
struct waza_machine *waza_machine_take(struct wedr_ruleset *rs);
void waza_machine_free(struct waza_machine *m);
const struct wedr_ruleset *waza_machine_rules(const struct waza_machine *m);
/* One event at time t_ms. What fired: "Title[ref ref] Title2[ref]", refs being the numbers (from 1)
 * of the events fed; single-event rules have their own event only. Hidden rules are left out.
 * Valid until the next call. */
const char *waza_feed(struct waza_machine *m, int64_t t_ms, const char *json);
const struct wedr_correlate_stats *waza_machine_stats(struct waza_machine *m);

/* "process_create", "raw": a line of a Linux agent. Valid until the fourth next call. */
const char *waza_event(const char *event_type, const char *raw);
/* A group of one condition fires for one event of process_create with that raw. */
bool waza_match(const char *condition, const char *raw);
#define YES(condition, raw) assert_true(waza_match(condition, raw))
#define NO(condition, raw) assert_false(waza_match(condition, raw))
/* Both sections around the lines of one group called R. */
const char *waza_group(const char *lines);
