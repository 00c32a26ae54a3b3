/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/reorder.h — puts the records of one lane into seq order. Records of a BPF ring
 * come out of order by hundreds of places, so a missing seq is only a hole for now. It is passed
 * over when the producer's loss counter explains every open hole and they are older than one poll,
 * or when it is older than WEDR_REORDER_GIVE_UP_MS. A record stays where it is in the ring; it is
 * released when everything before it in the ring is done. One thread, bounded, no clock of its own.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_REORDER_POLL_MS 20u
#define WEDR_REORDER_GIVE_UP_MS 200u
#define WEDR_REORDER_PENDING 32768u /* records looked at and not yet done */
#define WEDR_REORDER_HOLES 64u      /* holes given up without explanation that are remembered */
#define WEDR_REORDER_HISTORY 64u

struct wedr_seq_range {
    uint64_t first, last;
};

struct wedr_reorder_item {
    uint64_t seq;
    struct wedr_span rec; /* borrowed from the ring */
    uint32_t slot;        /* in `order` */
};

struct wedr_reorder {
    struct wedr_reorder_item
        *items; /* by seq, [start, start + count) of 2 * WEDR_REORDER_PENDING */
    size_t start, count;
    struct wedr_reorder_place {
        uint64_t end; /* ring position behind it */
        bool done;
    } * order; /* by ring position, WEDR_REORDER_PENDING slots used as a queue */
    uint64_t order_head, order_tail;
    uint64_t seq;            /* everything up to it is written or a known hole */
    uint64_t base;           /* seq at the start: below it a record was written by an earlier run */
    uint64_t explained;      /* holes passed so far that the loss counter explains */
    uint64_t produced, lost; /* as observed last */
    struct wedr_reorder_seen {
        uint64_t ms, produced;
    } seen[WEDR_REORDER_HISTORY];
    size_t seen_head, seen_count;
    struct wedr_seq_range holes[WEDR_REORDER_HOLES]; /* given up, newest last */
    size_t hole_count;
};

enum wedr_reorder_result {
    WEDR_REORDER_TAKEN,
    WEDR_REORDER_OLD,  /* written by an earlier run: done */
    WEDR_REORDER_LATE, /* its hole was given up: done, the caller counts it */
    WEDR_REORDER_TWICE /* a seq that came before: done, the caller counts it */
};

/* A look at what can be written, without changing anything until it is committed. */
struct wedr_reorder_cursor {
    size_t used;  /* items taken */
    uint64_t seq; /* everything up to it is covered by the items taken and the holes passed */
    uint64_t explained;
    uint64_t limit; /* holes up to this seq may be passed */
    bool explains;  /* because the loss counter says so */
    struct wedr_seq_range given_up[8];
    size_t given_up_count; /* unexplained holes passed by this cursor */
};

WEDR_MUST_USE int wedr_reorder_init(struct wedr_reorder *r);
void wedr_reorder_fini(struct wedr_reorder *r);
/* Starts over behind seq, with nothing pending. */
void wedr_reorder_begin(struct wedr_reorder *r, uint64_t seq, uint64_t explained);
/* True when no more records can be taken until some are released. */
bool wedr_reorder_full(const struct wedr_reorder *r);
/* The producer's counters as read BEFORE the records that are added now were looked for. */
void wedr_reorder_observe(struct wedr_reorder *r,
                          uint64_t now_ms,
                          uint64_t produced,
                          uint64_t lost);
/* One more record in ring order; not when full. */
enum wedr_reorder_result
wedr_reorder_add(struct wedr_reorder *r, uint64_t seq, struct wedr_span rec, uint64_t end);
/* A place in the ring that carries nothing usable. */
void wedr_reorder_add_done(struct wedr_reorder *r, uint64_t end);
/* all: the producer ended, nothing more can come: every hole may be passed. */
void wedr_reorder_look(const struct wedr_reorder *r,
                       uint64_t now_ms,
                       bool all,
                       struct wedr_reorder_cursor *ret);
/* The next record in seq order; NULL when the next seq is an open hole, nothing is left, or eight
 * unexplained holes were passed (commit first). */
const struct wedr_reorder_item *wedr_reorder_next(const struct wedr_reorder *r,
                                                  struct wedr_reorder_cursor *c);
/* Undoes the last item that wedr_reorder_next returned (it did not fit). */
void wedr_reorder_back(const struct wedr_reorder *r, struct wedr_reorder_cursor *c);
/* What the cursor covers is written: its records are done. */
void wedr_reorder_commit(struct wedr_reorder *r, const struct wedr_reorder_cursor *c);
/* True and the position up to which the ring may be released, when it moved. */
bool wedr_reorder_released(struct wedr_reorder *r, uint64_t *ret_end);
