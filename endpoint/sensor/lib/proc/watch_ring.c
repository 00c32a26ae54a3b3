/* SPDX-License-Identifier: Apache-2.0
 *
 * The writing side of a ring with a BPF ring's layout (bpf_ring.c has it in words). A record never
 * wraps: what is left at the end is filled with a discarded one. */
#include "watch_priv.h"

#include "core/base/err.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DISCARD_BIT (1u << 30)
#define HDR_BYTES 8u

int watch_rings_map(struct watch_rings *r,
                    const int ring[WEDR_LANE_COUNT],
                    uint32_t bytes,
                    int state)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    memset(r, 0, sizeof *r);
    void *p = mmap(NULL, sizeof *r->state, PROT_READ | PROT_WRITE, MAP_SHARED, state, 0);
    if (p == MAP_FAILED) {
        return wedr_err_from_os(errno);
    }
    r->state = p;
    for (int i = 0; i < (int)WEDR_LANE_COUNT; i++) {
        struct watch_lane *l = &r->lane[i];
        p = mmap(NULL, 2 * page + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring[i], 0);
        if (p == MAP_FAILED) {
            return wedr_err_from_os(errno);
        }
        l->mem = p;
        l->size = bytes;
        l->count = &r->state->lane[i];
    }
    return WEDR_OK;
}

void watch_rings_unmap(struct watch_rings *r)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < (int)WEDR_LANE_COUNT; i++) {
        if (r->lane[i].mem) {
            (void)munmap(r->lane[i].mem, 2 * page + r->lane[i].size);
        }
    }
    if (r->state) {
        (void)munmap(r->state, sizeof *r->state);
    }
    memset(r, 0, sizeof *r);
}

static uint64_t *word_at(const struct watch_lane *l, size_t offset)
{
    return (uint64_t *)(void *)(l->mem + offset);
}

/* The reader has no rights and this page is its own: a position that cannot be is not believed. */
static uint64_t room(struct watch_lane *l)
{
    uint64_t at = __atomic_load_n(word_at(l, 0), __ATOMIC_ACQUIRE);
    if (at >= l->consumer && at <= l->producer && (at & 7u) == 0) {
        l->consumer = at;
    }
    return l->size - (l->producer - l->consumer);
}

static void put_entry(struct watch_lane *l, const void *bytes, uint32_t len, uint32_t flag)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *to = l->mem + 2 * page + (l->producer & (l->size - 1));
    uint32_t head[2] = {len | flag, 0};
    memcpy(to, head, sizeof head);
    if (bytes) {
        memcpy(to + HDR_BYTES, bytes, len);
    }
    l->producer += (len + HDR_BYTES + 7u) & ~7u;
    __atomic_store_n(word_at(l, page), l->producer, __ATOMIC_RELEASE);
}

static bool put_bytes(struct watch_lane *l, const void *bytes, uint32_t len)
{
    uint64_t step = ((uint64_t)len + HDR_BYTES + 7u) & ~(uint64_t)7u;
    uint64_t to_end = l->size - (l->producer & (l->size - 1));
    uint64_t filler = to_end < step ? to_end : 0;
    if (room(l) < filler + step) {
        return false;
    }
    if (filler) {
        put_entry(l, NULL, (uint32_t)filler - HDR_BYTES, DISCARD_BIT);
    }
    put_entry(l, bytes, len, 0);
    return true;
}

static uint64_t lost_all(const struct wedr_sensor_lane *count)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < WEDR_SENSOR_LOST_REASONS; i++) {
        sum += count->lost[i];
    }
    return sum;
}

void watch_rings_put(struct watch_rings *r,
                     enum wedr_lane lane,
                     struct wedr_record *rec,
                     uint64_t boot_ns,
                     uint16_t flags)
{
    struct watch_lane *l = &r->lane[lane];
    uint8_t stream = lane == WEDR_LANE_CRITICAL ? WEDR_STREAM_CRITICAL : WEDR_STREAM_BULK;
    uint64_t seq = __atomic_add_fetch(&l->count->seq, 1, __ATOMIC_RELEASE);
    wedr_record_set_counts(rec, lost_all(l->count), (uint32_t)l->count->trunc);
    size_t size = wedr_record_finish(rec, seq, (int64_t)boot_ns, stream, flags);
    if (size == 0 || !put_bytes(l, rec->p, (uint32_t)size)) {
        uint64_t *lost = &l->count->lost[WEDR_LOSS_REASON_RING_FULL];
        (void)__atomic_add_fetch(lost, 1, __ATOMIC_RELEASE);
    }
}
