/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/prepared.h — inside of struct wedr_prepared, for the store's backends and tests.
 */
#pragma once

#include "core/util/buf.h"
#include "ingest/ingest.h"
#include <stdbool.h>

#define WEDR_BLOCK_LINES_MIN \
    512u /* a batch with fewer lines is stored as `tiny`: no columns, no filters */
#define WEDR_LINES_KEPT_MAX 8192u /* of a prepared batch, uncompressed */
#define WEDR_LOST_MAX \
    (1ull << 53)            /* records that one loss record counts: sums stay within 64 bits */
#define WEDR_RANGES_MAX 64u /* sequence ranges that one loss record names */

struct wedr_seq_range {
    uint64_t first, last;
};

/* What a line of the stream "agent" says about an epoch, for the ledger. */
struct wedr_fact {
    uint16_t type;   /* WEDR_EV_EPOCH_START, EPOCH_END, TELEMETRY_LOSS or COVERAGE_GAP */
    uint16_t reason; /* loss or gap reason code; 0 in the others */
    uint32_t line;
    uint64_t seq; /* of the line that says it */
    int64_t ts_us;
    uint64_t epoch; /* that it speaks of */
    char stream[WEDR_STREAM_NAME_MAX];
    uint8_t boot_id[WEDR_BOOT_ID_LEN]; /* EPOCH_START */
    bool adopted;
    bool has_produced;
    uint64_t produced, lost;
    int64_t from_us, to_us; /* COVERAGE_GAP */
    uint32_t range_count;
    struct wedr_seq_range range[WEDR_RANGES_MAX];
};

struct wedr_prepared {
    char agent_id[WEDR_AGENT_ID_TEXT];
    char hostname[256];
    struct wedr_batch_id id;
    int64_t received_us;
    uint8_t *z;
    size_t z_len, raw_len;
    uint32_t accepted, rejected;
    char *lines;     /* of a small batch, all accepted, raw_len bytes; NULL for others */
    uint8_t *bitmap; /* bit i of byte i / 8: line i was rejected; NULL when none was */
    size_t bitmap_len;
    int64_t t0, t1, t_last; /* of the accepted lines; all received_us when there is none */
    bool canonical, tiny;
    uint32_t counts[256];              /* accepted lines by stored type code */
    struct wedr_buf col, bloom, ngram; /* empty when tiny */
    struct wedr_fact *facts;
    size_t fact_count;
};

/* "first-last,first-last"; each first <= last, at most WEDR_RANGES_MAX. WEDR_E_FORMAT. */
WEDR_MUST_USE int wedr_ranges_parse(const char *s,
                                    size_t len,
                                    struct wedr_seq_range ret[WEDR_RANGES_MAX],
                                    uint32_t *ret_count);
