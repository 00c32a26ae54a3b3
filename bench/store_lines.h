/* SPDX-License-Identifier: Apache-2.0
 *
 * bench/store_lines.h — batches for benches of the event store: two types, skewed values.
 */
#pragma once

#include "core/util/buf.h"
#include "ingest/ingest.h"

#define WEDR_BENCH_T0 1795478400000000ll /* 2026-11-24T00:00:00Z */

/* A batch of agent k in the stream kernel.bulk, received at T0 + first us. raw is scratch; in->z is
 * the caller's, with wedr_free. WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_bench_batch(struct wedr_ingest_batch *in,
                                   struct wedr_buf *raw,
                                   char agent[37],
                                   uint64_t first,
                                   uint32_t lines,
                                   unsigned k);
/* Removes a data folder that has nothing but events. */
void wedr_bench_clean(const char *dir);
