/* SPDX-License-Identifier: Apache-2.0
 *
 * server/detect/worker.h — the thread that reads what was stored, in the order of commits, and
 * keeps alerts, responses and processes. Its place is a cursor in the state store, committed
 * together with what was found: after a crash it goes on where it was. It never holds up the
 * ingest: it has its own connections and reads behind.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "detect/watch.h"
#include <stdint.h>

struct wedr_detect_cfg {
    const char *data_dir;
    const struct wedr_state_ops *state_ops;
    struct wedr_state *state;
    const struct wedr_events_ops *events_ops;
    struct wedr_events *events; /* outlives the thread */
};

struct wedr_detect_stats {
    uint64_t blocks, events; /* read since the start */
    uint64_t alerts, alerts_again, alerts_malformed, alerts_dropped;
    uint64_t alert_bytes_dropped, evidence_cut;
    uint64_t alert_bytes; /* of all stored ones; 0 before the first commit */
    uint64_t responses, processes, processes_dropped;
    uint64_t failures; /* of the store, each tried again */
    uint64_t behind;   /* batches that are stored and not read */
    uint64_t lag_us;   /* age of the oldest of them */
    int64_t cursor;    /* arrival of the last batch whose findings are committed */
    struct wedr_watch_stats watch;
};

struct wedr_detect;

WEDR_MUST_USE int wedr_detect_start(const struct wedr_detect_cfg *cfg,
                                    struct wedr_detect **ret,
                                    struct wedr_errinfo *ei);
/* Something was stored, or rules were published. Any thread, never waits. */
void wedr_detect_wake(struct wedr_detect *d);
/* Waits until what is read is committed. NULL is allowed. */
void wedr_detect_stop(struct wedr_detect *d);
void wedr_detect_stats(struct wedr_detect *d, struct wedr_detect_stats *ret);
