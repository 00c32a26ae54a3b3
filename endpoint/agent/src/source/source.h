/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/source/source.h — where kernel records come from: two lanes, each a ring that
 * is read in place. The reader looks at records one after the other (peek) and gives them back
 * later, in the same order (release); what was not released is read again by the next agent. One
 * thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/err.h"
#include "core/base/span.h"
#include "core/util/errinfo.h"
#include "engine.h"
#include "wedr/wire/event.h"
#include "wedr/wire/sensor_state.h"
#include <stdbool.h>
#include <stdint.h>

struct wedr_source_counters {
    uint64_t produced; /* last seq given out */
    uint64_t lost[WEDR_SENSOR_LOST_REASONS];
    uint64_t lost_total;
    uint64_t missed; /* of the whole source, in every lane's counters: runs without a seq */
};

struct wedr_source_info {
    const char *name; /* "ebpf", "proc", "replay", "fake" */
    uint64_t epoch;
    uint8_t boot_id[WEDR_BOOT_ID_LEN];
    uint8_t os; /* enum wedr_os */
    bool adopted;
    bool live;        /* records carry this machine's boot clock, so that clock jumps matter */
    uint64_t boot_ns; /* pair that maps record times to UTC */
    int64_t utc_us;
};

struct wedr_source;

struct wedr_source_ops {
    /* The next record of the lane behind the last one peeked. *ret_rec is borrowed until it is
     * released; *ret_end is the ring position behind it. WEDR_E_AGAIN: nothing more now.
     * WEDR_E_FORMAT, WEDR_E_IO: the lane is unusable. */
    int (*peek)(struct wedr_source *s, unsigned lane, struct wedr_span *ret_rec, uint64_t *ret_end);
    /* Everything before position `end` may be overwritten. */
    void (*release)(struct wedr_source *s, unsigned lane, uint64_t end);
    /* Reads `lost` before `produced`: every loss counted has a seq <= produced. */
    void (*counters)(struct wedr_source *s, unsigned lane, struct wedr_source_counters *ret);
    /* The seqs up to base[lane] are in the spool: the source may leave them out. Called once,
     * before the first peek. */
    void (*start)(struct wedr_source *s, const uint64_t base[WEDR_LANE_COUNT]);
    /* True when nothing will come any more (a replay's end). */
    bool (*ended)(const struct wedr_source *s);
    /* How long the caller may sleep when nothing is there. Once a round: it may grow from one to
     * the next. */
    uint32_t (*wait_ms)(struct wedr_source *s);
    void (*close)(struct wedr_source *s);
};

/* Every source begins with this. */
struct wedr_source {
    const struct wedr_source_ops *ops;
    struct wedr_source_info info;
};

WEDR_MUST_USE int wedr_source_ebpf_open_take(const struct wedr_engine_ebpf *src,
                                             struct wedr_source **ret,
                                             struct wedr_errinfo *ei);
WEDR_MUST_USE int wedr_source_replay_open_take(const struct wedr_engine_replay *src,
                                               struct wedr_source **ret,
                                               struct wedr_errinfo *ei);
