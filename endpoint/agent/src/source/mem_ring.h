/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/source/mem_ring.h — a ring of whole records in memory with the same reading
 * rules as a BPF ring: positions only grow, records lie in one piece, what was peeked stays valid
 * until released. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include <stddef.h>
#include <stdint.h>

struct wedr_mem_ring {
    uint8_t *mem;    /* owned, size bytes */
    size_t size;     /* power of two */
    uint64_t head;   /* next write */
    uint64_t cursor; /* next peek */
    uint64_t tail;   /* released up to here */
};

/* WEDR_E_INVAL when size is no power of two, WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_mem_ring_init(struct wedr_mem_ring *r, size_t size);
void wedr_mem_ring_fini(struct wedr_mem_ring *r);
/* Copies a record in. WEDR_E_FULL: release something first; WEDR_E_RANGE: larger than a quarter of
 * the ring. */
WEDR_MUST_USE int wedr_mem_ring_push(struct wedr_mem_ring *r, const void *p, size_t n);
/* As peek and release of source.h. */
WEDR_MUST_USE int
wedr_mem_ring_peek(struct wedr_mem_ring *r, struct wedr_span *ret_rec, uint64_t *ret_end);
void wedr_mem_ring_release(struct wedr_mem_ring *r, uint64_t end);
