/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/events.h — the events of files, folders and standard input, one after another, as
 * the matcher sees them. What cannot be read is printed on standard error (at most
 * WEDR_EVENTS_TOLD_MAX a file), counted, and left out. For scan.c there is crew.h instead. */
#pragma once

#include "load.h"
#include "reader.h"
#include "walk.h"

#define WEDR_EVENTS_TOLD_MAX 10u

extern const char *const wedr_events_endings[]; /* of event files */

/* Other than 0 ends the run. */
typedef int
wedr_events_fn(void *ctx, const char *path, const struct wedr_doc *doc, struct wedr_rule_event *ev);

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
/* Calls walk's functions for each path; for "-" with standard input under that name. */
WEDR_MUST_USE int wedr_events_walk(const struct wedr_walk *walk, char *const *paths, size_t count);
/* Prints "path:line: reason (at byte N)"; *told: how many of this file were printed. */
void wedr_events_tell(
    const char *path, uint64_t line, uint64_t offset, const char *reason, uint64_t *told);
/* After a file: how many were not printed. */
void wedr_events_tell_more(const char *path, uint64_t told);
