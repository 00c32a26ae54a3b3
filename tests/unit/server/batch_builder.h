/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/server/batch_builder.h — batches as an agent sends them, with lines written by hand
 * here.
 */
#pragma once

#include "core/util/buf.h"
#include "ingest/ingest.h"
#include "ingest/prepared.h"

#define TB_AGENT "11111111-2222-4333-8444-555555555555"
#define TB_AGENT2 "66666666-7777-4888-9999-aaaaaaaaaaaa"
#define TB_EPOCH 0xfedcba9876543210ull
#define TB_T0 1795478400000000ll /* 2026-11-24T00:00:00Z */

struct tb {
    struct wedr_buf raw;
    struct wedr_batch_id id;
    const char *agent;
    const char *hostname;
    int64_t received_us;
    void *z; /* made by tb_seal */
    size_t z_len;
};

/* An empty batch of TB_AGENT and TB_EPOCH. */
void tb_init(struct tb *b, const char *stream);
void tb_fini(struct tb *b);
/* Any text as a line; the newline is added. */
void tb_line(struct tb *b, uint64_t seq, const char *fmt, ...) WEDR_PRINTF(3, 4);
/* Valid lines. */
void tb_create(struct tb *b,
               uint64_t seq,
               int64_t ts_us,
               uint32_t pid,
               uint32_t ppid,
               const char *path,
               const char *argument);
void tb_fork(struct tb *b, uint64_t seq, int64_t ts_us, uint32_t pid, uint32_t ppid);
void tb_connect(
    struct tb *b, uint64_t seq, int64_t ts_us, uint32_t pid, const char *ip, unsigned port);
void tb_epoch_start(struct tb *b, uint64_t seq, int64_t ts_us, uint64_t epoch, const char *stream);
void tb_epoch_end(struct tb *b,
                  uint64_t seq,
                  int64_t ts_us,
                  uint64_t epoch,
                  const char *stream,
                  uint64_t produced);
void tb_loss(struct tb *b,
             uint64_t seq,
             int64_t ts_us,
             uint64_t epoch,
             const char *stream,
             const char *reason,
             uint64_t lost,
             const char *ranges);
void tb_gap(struct tb *b,
            uint64_t seq,
            int64_t ts_us,
            const char *stream,
            int64_t from_us,
            int64_t to_us,
            const char *reason);
/* count forks from first_seq on, one second apart. */
void tb_forks(struct tb *b, uint64_t first_seq, uint32_t count);
/* Compresses, fills in count, digest and, when 0, the seq range's end as produced. */
void tb_seal(struct tb *b);
/* tb_seal if needed, then wedr_ingest_prepare. */
int tb_prepare(struct tb *b, struct wedr_prepared **ret);
/* "2026-11-24T00:00:00.000000Z" in a static buffer (two calls may be in one expression). */
const char *tb_time(int64_t us);
