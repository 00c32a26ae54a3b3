/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events.h — where events live. Backends: embedded (SQLite day files with zstd
 * blocks); OpenSearch later. The design is in docs/event-store.md; what is stored opens for ever.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "ingest/ingest.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum wedr_commit_outcome {
    WEDR_COMMIT_STORED = 1,
    WEDR_COMMIT_DUPLICATE, /* same range and digest: stored before, answer 202 again */
    WEDR_COMMIT_EXPIRED,   /* below the high-water mark of a dropped file: 202, not stored */
    WEDR_COMMIT_CONFLICT   /* overlaps with another digest: 409; the store notes a tamper event */
};

struct wedr_commit {
    const struct wedr_prepared *p;
    enum wedr_commit_outcome outcome; /* set on success */
};

struct wedr_events; /* an open store */

struct wedr_events_stats {
    uint64_t batches, duplicates, conflicts, expired, events, rejected, bytes_z;
};

struct wedr_events_ops {
    const char *name;
    /* data_dir exists; the backend makes its own folder below it. One writer process per folder
     * (WEDR_E_BUSY). */
    int (*open)(const char *data_dir, struct wedr_events **ret, struct wedr_errinfo *ei);
    void (*close)(struct wedr_events *s);
    /* Durable when it returns WEDR_OK (fsync): all of them or none. One thread at a time.
     * WEDR_E_NOSPC, WEDR_E_IO: none is stored, retry later. */
    int (*commit)(struct wedr_events *s,
                  struct wedr_commit *c,
                  size_t count,
                  struct wedr_errinfo *ei);
    /* Housekeeping (checkpoints); call about once a second from the committing thread. */
    void (*tick)(struct wedr_events *s);
    void (*stats)(const struct wedr_events *s, struct wedr_events_stats *ret);
};
extern const struct wedr_events_ops wedr_events_embedded;

/* Analysts' SQL over the data folder of a running or stopped server: tables events, ledger,
 * ledger_loss, coverage_gaps, agents. Read-only, under an authorizer, at most time_limit_ms. Writes
 * rows to out: with json one array of objects, else columns separated by tabs with a header line.
 */
WEDR_MUST_USE int wedr_sql_run(const char *data_dir,
                               const char *sql,
                               bool json,
                               uint32_t time_limit_ms,
                               FILE *out,
                               struct wedr_errinfo *ei);
