/* SPDX-License-Identifier: Apache-2.0
 *
 * server/detect/watch.h — the rules that the server itself matches: correlations over the events of
 * all hosts, and rules with `scope: server`. What they find becomes alerts of a step. One thread.
 */
#pragma once

#include "detect/step.h"
#include "store/state.h"

#define WEDR_WATCH_EVIDENCE_MAX 32u

struct wedr_watch_stats {
    uint64_t serial; /* of the bundle in force, 0: none */
    uint32_t rules;
    uint64_t events, matches, unreadable;
    uint64_t fired, suppressed, dropped; /* dropped: no room in a step */
    uint64_t windows, evicted, late;     /* of correlations */
    uint64_t regex_limited;
    size_t memory_bytes;
};

struct wedr_watch;

/* state is borrowed; it is asked for ancestors and host names. */
WEDR_MUST_USE int
wedr_watch_new(const struct wedr_state_ops *ops, struct wedr_state *state, struct wedr_watch **ret);
void wedr_watch_free(struct wedr_watch *w); /* NULL is allowed */
/* Looks for a newer bundle of the server and adopts it; correlations that did not change keep their
 * open windows. *ret_cold: there was none of these, so that reading the last window again counts no
 * event twice. An error leaves the old rules in force. */
WEDR_MUST_USE int
wedr_watch_reload(struct wedr_watch *w, bool *ret_changed, bool *ret_cold, struct wedr_errinfo *ei);
/* True when a line of this stored type may matter. */
bool wedr_watch_wants(const struct wedr_watch *w, uint8_t type);
/* One line, once. silent: builds up windows and reports nothing (lines that were read before a
 * restart). WEDR_E_NOMEM; a line that cannot be read is counted. */
WEDR_MUST_USE int wedr_watch_line(struct wedr_watch *w,
                                  struct wedr_step *step,
                                  const struct wedr_event_block *b,
                                  const struct wedr_event_line *l,
                                  bool silent);
/* How far back lines matter for what comes; 0: not at all. */
int64_t wedr_watch_window_us(const struct wedr_watch *w);
/* Alerts of the server that are in the store keep others from being raised again. */
WEDR_MUST_USE int wedr_watch_remember(struct wedr_watch *w, int64_t since_us);
void wedr_watch_stats(const struct wedr_watch *w, struct wedr_watch_stats *ret);
