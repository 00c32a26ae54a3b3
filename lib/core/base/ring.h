/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 * lib/core/base/ring.h — two-lane ring of whole records that evicts the oldest. Each lane is one
 * byte arena that the caller gives plus 4096 descriptors: no allocation, ever. Freestanding: the
 * Windows driver compiles this file.
 *
 * Locking: every call is made under one lock that the caller holds (a spin lock in the driver).
 * From a peek to its commit the lock is held too, or the commit says that the record was evicted in
 * between.
 *
 * Accounting, true after every call and never reset:  produced = delivered + sum of dropped[] +
 * queued A seq (1, 2, 3 ... per lane) is taken before the record can be lost, so a hole in the seqs
 * is exactly the loss. */
#pragma once

#include "core/base/attr.h"
#include "core/base/err.h"
#include <stddef.h>
#include <stdint.h>

#define WEDR_RING_LANES 2u
#define WEDR_RING_SLOTS 4096u

enum wedr_ring_drop {
    WEDR_RING_DROP_EVICTED = 0, /* made room for a newer record */
    WEDR_RING_DROP_TOO_BIG = 1, /* larger than the lane's arena */
    WEDR_RING_DROP_SOURCE = 2,  /* the producer could not build it (no memory, cancelled capture) */
    WEDR_RING_DROP_COUNT
};

struct wedr_ring_stats {
    uint64_t produced; /* also the newest seq */
    uint64_t delivered;
    uint64_t dropped[WEDR_RING_DROP_COUNT];
    uint64_t bytes_delivered;
    uint64_t bytes_queued; /* of records; what is left unused at the arena's end is not counted */
    uint64_t bytes_peak;
    uint32_t queued;
    uint32_t queued_peak;
};

struct wedr_ring_slot {
    uint64_t seq;
    uint32_t offset, len; /* bytes in the arena, contiguous */
};

struct wedr_ring_lane {
    uint8_t *arena;
    uint32_t cap;
    uint32_t write; /* offset behind the newest record */
    uint32_t head;  /* slot of the oldest record */
    struct wedr_ring_stats stats;
    struct wedr_ring_slot slots[WEDR_RING_SLOTS];
};

/* Called under the lock with the copy inside the arena: writes seq and the lane's losses so far
 * into the record. */
typedef void (*wedr_ring_stamp)(void *record, size_t len, uint64_t seq, uint64_t dropped_total);

struct wedr_ring {
    uint32_t magic;
    wedr_ring_stamp stamp;
    struct wedr_ring_lane lanes[WEDR_RING_LANES];
};

/* arenas[i] has caps[i] bytes (1 .. UINT32_MAX) and outlives the ring. stamp may be NULL.
 * WEDR_E_INVAL. */
WEDR_MUST_USE int wedr_ring_init(struct wedr_ring *r,
                                 uint8_t *const arenas[WEDR_RING_LANES],
                                 const size_t caps[WEDR_RING_LANES],
                                 wedr_ring_stamp stamp);

/* Takes a seq and copies len bytes in, evicting the oldest as needed. WEDR_E_LIMIT: larger than the
 * arena, counted as dropped with its seq. WEDR_E_INVAL: bad lane or len 0, nothing counted. Never
 * fails because the lane is full. */
WEDR_MUST_USE int
wedr_ring_push(struct wedr_ring *r, unsigned lane, const void *record, size_t len);
/* Takes a seq for a record that the producer could not build and counts it as dropped[SOURCE]. */
void wedr_ring_lose(struct wedr_ring *r, unsigned lane);

/* The oldest record of the lane, borrowed until the lock is released. WEDR_E_NOENT when the lane is
 * empty. */
WEDR_MUST_USE int wedr_ring_peek(const struct wedr_ring *r,
                                 unsigned lane,
                                 const void **ret_record,
                                 size_t *ret_len,
                                 uint64_t *ret_seq);
/* The peeked record was copied out: it leaves and counts as delivered. WEDR_E_STATE when the oldest
 * record is not seq (it was evicted and is counted as dropped: the copy must be thrown away). */
WEDR_MUST_USE int wedr_ring_commit(struct wedr_ring *r, unsigned lane, uint64_t seq);

/* Copies out as many whole records as fit into cap, lane 0 before lane 1, each lane in seq order,
 * and commits them. WEDR_E_NOENT: both lanes are empty. WEDR_E_LIMIT: not even the next one fits;
 * *ret_len is then the size that it needs, *ret_count 0 and nothing was taken. */
WEDR_MUST_USE int
wedr_ring_read(struct wedr_ring *r, void *out, size_t cap, size_t *ret_len, uint32_t *ret_count);

/* Copy of the lane's counters; all zero for a bad lane. */
struct wedr_ring_stats wedr_ring_stats(const struct wedr_ring *r, unsigned lane);
