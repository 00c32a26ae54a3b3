/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/capture.h — making capture files (lib/wire/include/wedr/wire/batch.h has the
 * format): from a live sensor, or synthetic ones for tests and measurements.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "engine.h"
#include <stdbool.h>
#include <stdint.h>

struct wedr_capture_stats {
    uint64_t records, bytes;
    uint64_t lost; /* by the sensor meanwhile */
};

/* Moves records from the sensor into the file until stop(arg) says so (asked about every 20 ms),
 * then ends the file. The capture is an epoch of its own: seqs count from 1 and losses from 0. Of
 * an adopted sensor the records that wait in the rings are dropped first; a new one's inventory is
 * part of the capture. Takes the handles of src; the file is borrowed. */
WEDR_MUST_USE int wedr_capture_record(const struct wedr_engine_ebpf *src,
                                      wedr_handle file,
                                      bool (*stop)(void *arg),
                                      void *arg,
                                      struct wedr_capture_stats *ret,
                                      struct wedr_errinfo *ei);

/* Writes a synthetic capture of `events` records to the file: the same seed gives the same bytes. A
 * realistic mix in both lanes over consistent process trees. */
WEDR_MUST_USE int
wedr_gen(wedr_handle file, uint64_t events, uint64_t seed, struct wedr_errinfo *ei);
