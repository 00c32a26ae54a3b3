/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 *
 * lib/wire/sensor_state.h — the pinned, memory-mapped page in which the Linux sensor counts.
 * Written by the BPF programs (lanes) and, before they are attached, by the holder (the rest); read
 * by core without a system call. One BPF array map with one value, BPF_F_MMAPABLE, pinned as
 * "state"; the rings are pinned as "ring0" (critical) and "ring1" (bulk). Everything is cumulative
 * per epoch.
 */
#pragma once

#include "wedr/wire/event.h"

#define WEDR_SENSOR_STATE_MAGIC 0x3753524445570a07ull
#define WEDR_RING_BYTES (16u << 20) /* each of the two BPF rings */
#define WEDR_SENSOR_LOST_REASONS 8u /* index = enum wedr_label_code LOSS_REASON 1 .. 7 */

struct wedr_sensor_lane {
    uint64_t seq;                            /* last sequence number given out */
    uint64_t lost[WEDR_SENSOR_LOST_REASONS]; /* by reason; index 0 unused */
    uint64_t trunc;                          /* strings cut */
    uint64_t reserved[6];                    /* two cache lines per lane */
};

#define WEDR_SENSOR_KINDS 64u /* type codes of kernel records are below */

struct wedr_sensor_state {
    uint64_t magic;
    uint64_t epoch;
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
    uint8_t object_sha256[32]; /* of the BPF object that was loaded */
    uint64_t start_boot_ns;    /* pair that maps record times to UTC, taken when the programs were
                                  attached */
    int64_t start_utc_us;
    /* Runs without a seq: those that the kernel skipped, as the holder last read them, and those
     * that one of two programs did not see of the other. */
    uint64_t missed, unpaired;
    uint64_t reserved[4];
    struct wedr_sensor_lane lane[WEDR_LANE_COUNT];
    /* By type: events that a budget held back (they have no seq), and those of them that an
     * activity_summary in the ring has told since. */
    uint64_t suppressed[WEDR_SENSOR_KINDS];
    uint64_t summarised[WEDR_SENSOR_KINDS];
};

_Static_assert(sizeof(struct wedr_sensor_lane) == 128, "one lane is two cache lines");
