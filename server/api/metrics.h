/* SPDX-License-Identifier: Apache-2.0
 * server/api/metrics.h — counters of the server, written as Prometheus text. Thread-safe. */
#pragma once

#include "core/util/buf.h"
#include "detect/worker.h"
#include "http/http.h"
#include "store/events.h"
#include <stdatomic.h>
#include <stdint.h>

#define WEDR_METRICS_BUCKETS 10u

struct wedr_metrics {
    _Atomic uint64_t batches, duplicates, expired, conflicts, events, rejected, bytes_z;
    _Atomic uint64_t signature_refused, overload_refused, store_failed;
    _Atomic uint64_t enrolled, enroll_refused, enroll_limited, renewed, heartbeats, peer_refused,
        bundles_sent;
    _Atomic uint64_t answers[6]; /* by first digit of the status */
    _Atomic uint64_t inflight_bytes;
    _Atomic uint64_t queue_jobs;
    _Atomic uint64_t commits, commit_us_sum, commit_bucket[WEDR_METRICS_BUCKETS];
    /* Of the event store, as of the last tick: asking it waits for a commit. */
    _Atomic uint64_t days, day_bytes, days_deleted, lost_lines, low_refused;
    _Atomic int64_t clock_ahead_us;
    int64_t start_us;
};

void wedr_metrics_answer(struct wedr_metrics *m, int status);
void wedr_metrics_commit(struct wedr_metrics *m, uint64_t us);
void wedr_metrics_store(struct wedr_metrics *m, const struct wedr_events_stats *st);
void wedr_metrics_write(struct wedr_metrics *m,
                        const struct wedr_http_server_stats *http,
                        struct wedr_buf *ret);
void wedr_metrics_detect(const struct wedr_detect_stats *d, struct wedr_buf *ret);
