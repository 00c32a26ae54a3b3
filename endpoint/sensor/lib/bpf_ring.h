/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/sensor/lib/bpf_ring.h — reader of a BPF ring buffer and of the state page, from passed
 * descriptors: mmap and munmap only, no bpf() call, so that the core process can use it behind its
 * seccomp filter. A record stays in the ring until the reader releases it, and the release point
 * lives in the ring itself: who opens it next goes on there. One reader at a time; one thread per
 * reader.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "wedr/plat/fs.h"
#include "wedr/wire/sensor_state.h"
#include <stdint.h>

struct wedr_bpf_ring;

/* Borrows map until return (the mapping outlives the descriptor). size_bytes: the ring's
 * max_entries, a power of two and a multiple of the page size, else WEDR_E_INVAL. WEDR_E_IO,
 * WEDR_E_PERM: the kernel refused the mapping. */
WEDR_MUST_USE int
wedr_bpf_ring_open(wedr_handle map, uint32_t size_bytes, struct wedr_bpf_ring **ret);
void wedr_bpf_ring_close(struct wedr_bpf_ring *r); /* NULL is allowed */

/* Positions are byte counts since the ring was made; they never go back. Where the released part
 * ends: */
uint64_t wedr_bpf_ring_consumer(const struct wedr_bpf_ring *r);
/* Where the kernel will put the next record (acquire): */
uint64_t wedr_bpf_ring_producer(const struct wedr_bpf_ring *r);

/* The next committed record at or behind *pos (begin with wedr_bpf_ring_consumer); *pos moves
 * behind it; discarded ones are skipped. *ret_rec borrows the ring's memory, whole even where the
 * ring wraps, until it is released. WEDR_E_AGAIN: nothing more now, or the next record is still
 * being written; *pos then stands before it. WEDR_E_CORRUPT: a length that cannot be; *pos unmoved.
 */
WEDR_MUST_USE int
wedr_bpf_ring_next(const struct wedr_bpf_ring *r, uint64_t *pos, struct wedr_span *ret_rec);

/* Everything before pos may be overwritten from now on (release order). pos as wedr_bpf_ring_next
 * left it; one that lies outside the unreleased part is ignored. */
void wedr_bpf_ring_release(struct wedr_bpf_ring *r, uint64_t pos);

/* Maps the state page read-only. WEDR_E_VERSION when its magic is not ours. Unmap with
 * wedr_sensor_state_unmap. Counters move while they are read: load them with wedr_sensor_count. */
WEDR_MUST_USE int wedr_sensor_state_map(wedr_handle state, const struct wedr_sensor_state **ret);
void wedr_sensor_state_unmap(const struct wedr_sensor_state *st); /* NULL is allowed */
/* Atomic load of one counter of the page; what is loaded after it in the program is loaded after
 * it. */
static inline uint64_t wedr_sensor_count(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}
