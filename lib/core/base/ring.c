/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 * lib/core/base/ring.c — records lie one behind the other in the arena, each in one piece; when the
 * tail of the arena is too short for the next one it starts again at 0. The oldest record's offset
 * is where free space ends. */
#include "core/base/ring.h"

#define RING_MAGIC 0x52524457u

_Static_assert((WEDR_RING_SLOTS & (WEDR_RING_SLOTS - 1)) == 0, "slot numbers are masked");

static int lane_ok(const struct wedr_ring *r, unsigned lane)
{
    return r && r->magic == RING_MAGIC && lane < WEDR_RING_LANES;
}

static uint64_t dropped_total(const struct wedr_ring_lane *l)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < WEDR_RING_DROP_COUNT; i++) {
        sum += l->stats.dropped[i];
    }
    return sum;
}

int wedr_ring_init(struct wedr_ring *r,
                   uint8_t *const arenas[WEDR_RING_LANES],
                   const size_t caps[WEDR_RING_LANES],
                   wedr_ring_stamp stamp)
{
    for (unsigned i = 0; i < WEDR_RING_LANES; i++) {
        if (!arenas[i] || caps[i] == 0 || caps[i] > UINT32_MAX) {
            return WEDR_E_INVAL;
        }
    }
    WEDR_MEMSET(r, 0, sizeof(*r));
    for (unsigned i = 0; i < WEDR_RING_LANES; i++) {
        r->lanes[i].arena = arenas[i];
        r->lanes[i].cap = (uint32_t)caps[i];
    }
    r->stamp = stamp;
    r->magic = RING_MAGIC;
    return WEDR_OK;
}

static void remove_oldest(struct wedr_ring_lane *l)
{
    l->stats.bytes_queued -= l->slots[l->head].len;
    l->head = (l->head + 1) & (WEDR_RING_SLOTS - 1);
    l->stats.queued--;
}

/* Finds len contiguous free bytes without evicting. len is at most the capacity. */
static int find_place(const struct wedr_ring_lane *l, uint32_t len, uint32_t *ret_offset)
{
    if (l->stats.queued == WEDR_RING_SLOTS) {
        return WEDR_E_FULL;
    }
    if (l->stats.queued == 0) {
        *ret_offset = 0;
        return WEDR_OK;
    }
    uint32_t oldest = l->slots[l->head].offset;
    uint32_t end = l->write > oldest ? l->cap : oldest;
    if (len <= end - l->write) {
        *ret_offset = l->write;
        return WEDR_OK;
    }
    if (end == l->cap && len <= oldest) {
        *ret_offset = 0;
        return WEDR_OK;
    }
    return WEDR_E_FULL;
}

static void count_queued(struct wedr_ring_stats *s, uint32_t len)
{
    s->queued++;
    if (s->queued > s->queued_peak) {
        s->queued_peak = s->queued;
    }
    s->bytes_queued += len;
    if (s->bytes_queued > s->bytes_peak) {
        s->bytes_peak = s->bytes_queued;
    }
}

int wedr_ring_push(struct wedr_ring *r, unsigned lane, const void *record, size_t len)
{
    if (!lane_ok(r, lane) || len == 0) {
        return WEDR_E_INVAL;
    }
    struct wedr_ring_lane *l = &r->lanes[lane];
    uint64_t seq = ++l->stats.produced;
    if (len > l->cap) {
        l->stats.dropped[WEDR_RING_DROP_TOO_BIG]++;
        return WEDR_E_LIMIT;
    }
    uint32_t offset;
    while (find_place(l, (uint32_t)len, &offset) != WEDR_OK) {
        remove_oldest(l);
        l->stats.dropped[WEDR_RING_DROP_EVICTED]++;
    }
    WEDR_MEMCPY(l->arena + offset, record, len);
    if (r->stamp) {
        r->stamp(l->arena + offset, len, seq, dropped_total(l));
    }
    struct wedr_ring_slot *s = &l->slots[(l->head + l->stats.queued) & (WEDR_RING_SLOTS - 1)];
    s->seq = seq;
    s->offset = offset;
    s->len = (uint32_t)len;
    l->write = offset + (uint32_t)len;
    count_queued(&l->stats, (uint32_t)len);
    return WEDR_OK;
}

void wedr_ring_lose(struct wedr_ring *r, unsigned lane)
{
    if (lane_ok(r, lane)) {
        r->lanes[lane].stats.produced++;
        r->lanes[lane].stats.dropped[WEDR_RING_DROP_SOURCE]++;
    }
}

int wedr_ring_peek(const struct wedr_ring *r,
                   unsigned lane,
                   const void **ret_record,
                   size_t *ret_len,
                   uint64_t *ret_seq)
{
    if (!lane_ok(r, lane)) {
        return WEDR_E_INVAL;
    }
    const struct wedr_ring_lane *l = &r->lanes[lane];
    if (l->stats.queued == 0) {
        return WEDR_E_NOENT;
    }
    const struct wedr_ring_slot *s = &l->slots[l->head];
    *ret_record = l->arena + s->offset;
    *ret_len = s->len;
    *ret_seq = s->seq;
    return WEDR_OK;
}

int wedr_ring_commit(struct wedr_ring *r, unsigned lane, uint64_t seq)
{
    if (!lane_ok(r, lane)) {
        return WEDR_E_INVAL;
    }
    struct wedr_ring_lane *l = &r->lanes[lane];
    if (l->stats.queued == 0 || l->slots[l->head].seq != seq) {
        return WEDR_E_STATE;
    }
    l->stats.bytes_delivered += l->slots[l->head].len;
    remove_oldest(l);
    l->stats.delivered++;
    return WEDR_OK;
}

int wedr_ring_read(struct wedr_ring *r, void *out, size_t cap, size_t *ret_len, uint32_t *ret_count)
{
    size_t used = 0;
    uint32_t count = 0;
    for (unsigned lane = 0; lane < WEDR_RING_LANES; lane++) {
        const void *record;
        size_t len;
        uint64_t seq;
        int err;
        while ((err = wedr_ring_peek(r, lane, &record, &len, &seq)) == WEDR_OK) {
            if (len > cap - used) {
                *ret_len = count ? used : len;
                *ret_count = count;
                return count ? WEDR_OK : WEDR_E_LIMIT;
            }
            WEDR_MEMCPY((uint8_t *)out + used, record, len);
            err = wedr_ring_commit(r, lane, seq);
            if (err != WEDR_OK) {
                return err;
            }
            used += len;
            count++;
        }
        if (err != WEDR_E_NOENT) {
            return err;
        }
    }
    if (count == 0) {
        return WEDR_E_NOENT;
    }
    *ret_len = used;
    *ret_count = count;
    return WEDR_OK;
}

struct wedr_ring_stats wedr_ring_stats(const struct wedr_ring *r, unsigned lane)
{
    static const struct wedr_ring_stats none;
    return lane_ok(r, lane) ? r->lanes[lane].stats : none;
}
