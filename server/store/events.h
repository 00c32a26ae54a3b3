/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events.h — where events live. Backends: embedded (SQLite day files with zstd
 * blocks); OpenSearch later. The design is in docs/event-store.md; what is stored opens for ever.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
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
    uint64_t refused_low; /* commits refused because the disk is nearly full */
    /* Housekeeping since the start: merged blocks made of so many batches and lines. */
    uint64_t salvaged_batches, lost_lines; /* of damaged files */
    uint64_t rounds, merges, merged_batches, merged_lines, days_sealed, days_dropped;
    /* As of its last round: bytes and number of day files, begin of the oldest day. */
    uint64_t bytes, days;
    int64_t oldest_us;
    int64_t clock_ahead_us; /* how far the server's clock leapt, while it is doubted; 0: not */
};

/* What housekeeping does; each number may change while it runs. docs/event-store.md. */
struct wedr_events_settings {
    uint64_t retention_days;       /* days that are kept beside today; 0: all */
    uint64_t retention_bytes;      /* of day files, but never the newest; 0: no limit */
    uint64_t retention_free_bytes; /* free disk below which old days go, too; 0: they stay */
    uint64_t retention_floor_days; /* but never these beside today */
    uint64_t clock_doubt_s;    /* for so long retention doubts a clock that leapt; 0: not at all */
    uint64_t low_water_bytes;  /* free disk below which nothing is taken: WEDR_E_NOSPC; 0: none */
    uint64_t keep_interval_ms; /* between two rounds */
    uint64_t merge_lines;      /* lines of a merged block; 0: nothing is merged or sealed */
    uint64_t merge_after_s;    /* age at which small batches are merged also when they are few */
    uint64_t merge_level;      /* of zstd */
    uint64_t merge_grace_s;    /* for so long what was merged stays readable where it was */
    uint64_t seal_after_s;     /* after its end a day is merged again */
    uint64_t seal_level;       /* its blocks are packed again at this level of zstd; 0: not */
    uint64_t check_days;       /* days that are over are verified so often; 0: never */
};

/* --- Reading. A reader has its own connections: any number of them, in any process, beside the one
 * that writes. One thread each. */

struct wedr_events_reader;

/* One stored batch. Texts are the reader's, until its next call. */
struct wedr_event_block {
    const char *agent_id, *hostname, *stream;
    uint64_t epoch;
    int64_t arrival;             /* order of commits over all files: a cursor; 0 from scan */
    int64_t received_us, t0, t1; /* t0, t1: of its lines */
    uint32_t lines;              /* rejected ones too; 0: the block is gone or damaged */
    const uint32_t *counts;      /* 256: accepted lines by stored type code */
};

struct wedr_event_line {
    int64_t ts_us;
    uint64_t seq;
    uint8_t type;          /* stored type code */
    struct wedr_span text; /* without newline; WEDR_LINE_PADDING bytes behind it can be read */
};

/* What a scan is about. */
struct wedr_events_scan {
    const char *agent_id;   /* NULL: all */
    int64_t from_us, to_us; /* time of the events, inclusive */
    const bool *types;      /* 256 stored type codes; NULL: all */
};

struct wedr_events_read_ops {
    int (*open)(const char *data_dir, struct wedr_events_reader **ret, struct wedr_errinfo *ei);
    void (*close)(struct wedr_events_reader *r);
    /* s is open for writing in this process and outlives r: what it committed lately is read from
     * its memory. */
    void (*beside)(struct wedr_events_reader *r, struct wedr_events *s);
    /* The oldest block that was committed behind `arrival` (0: the very first): every commit once,
     * in order. WEDR_E_NOENT: there is none yet. WEDR_E_BUSY, NOMEM, IO: it could not be looked;
     * ask again. A part that the disk does not give for ten minutes is passed over. */
    int (*next)(struct wedr_events_reader *r, int64_t arrival, struct wedr_event_block *ret);
    /* Newest arrival; 0 when nothing is stored. */
    int (*newest)(struct wedr_events_reader *r, int64_t *ret_arrival);
    /* An arrival behind which everything lies that was received at received_us or later. */
    int (*arrival_before)(struct wedr_events_reader *r, int64_t received_us, int64_t *ret_arrival);
    /* Starts over the blocks that may hold such lines, day by day; the ask must live until its
     * end. */
    int (*scan)(struct wedr_events_reader *r, const struct wedr_events_scan *ask);
    /* WEDR_E_NOENT at the end. WEDR_E_IO: a part that may hold such lines cannot be read. */
    int (*scan_next)(struct wedr_events_reader *r, struct wedr_event_block *ret);
    /* Line of the current block. type_only fills in nothing but the type, without opening the lines
     * where it can. WEDR_E_NOENT: rejected, or cannot be read. */
    int (*line)(struct wedr_events_reader *r,
                uint32_t row,
                bool type_only,
                struct wedr_event_line *ret);
};

struct wedr_events_ops {
    const char *name;
    const struct wedr_events_read_ops *read;
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
    void (*stats)(struct wedr_events *s, struct wedr_events_stats *ret); /* any thread */
    /* Any thread. The first call starts the store's housekeeping thread; without one nothing is
     * merged or deleted. WEDR_E_NOMEM. */
    int (*settings)(struct wedr_events *s, const struct wedr_events_settings *set);
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
