/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/progress.h — a bar on standard error while a scan runs: bytes, events a second,
 * matches. Shown when standard error is a terminal. One thread. */
#pragma once

#include "crew.h"

struct wedr_progress {
    bool on, drawn;
    uint64_t total; /* bytes of all files; 0: not known */
    uint64_t begun_ms, last_ms;
    uint64_t matches, severe; /* kept by the caller; severe: high and critical */
};

/* Walks the paths for their sizes when the bar is to be shown. */
void wedr_progress_init(struct wedr_progress *p, bool wanted, char *const *paths, size_t count);
/* Draws at most ten times a second. */
void wedr_progress_show(struct wedr_progress *p, const struct wedr_crew_stats *stats);
/* Takes the bar away: in front of anything else that goes to a terminal, and at the end. */
void wedr_progress_clear(struct wedr_progress *p);
