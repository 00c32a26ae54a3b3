/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/events.h — the events of files and folders, one after another, as the matcher sees
 * them. What cannot be read is printed on standard error (at most WEDR_EVENTS_TOLD_MAX a file),
 * counted, and left out. */
#pragma once

#include "load.h"

#define WEDR_EVENTS_TOLD_MAX 10u

/* json: its text. Other than 0 ends the run. */
typedef int wedr_events_fn(
    void *ctx, const char *path, uint64_t index, struct wedr_rule_event *ev, struct wedr_text json);

struct wedr_events {
    const struct wedr_load *load;
    wedr_events_fn *fn;
    void *ctx;
    uint64_t files, events; /* read */
    uint64_t unknown;       /* events whose log source no rule asks for, or no pipeline knows */
    uint64_t failed;        /* files and events that could not be read */
};

/* load, fn and ctx of e are set, the counts add up. What fn returned, WEDR_E_NOMEM, or 0. */
WEDR_MUST_USE int wedr_events_run(struct wedr_events *e, char *const *paths, size_t count);
