/* SPDX-License-Identifier: Apache-2.0
 *
 * The pinned rings of the Linux sensor, read through passed descriptors. The release point lives in
 * the ring, so an agent that is started again goes on where the last one stopped. The source
 * without BPF fills rings of the same layout, which last as long as the holder.
 */
#include "source/source.h"

#include "core/util/alloc.h"
#include "sensor/lib/bpf_ring.h"
#include <string.h>

/* Nobody wakes the reader, which would cost each process that makes a record more than the record
 * itself: it looks. While records come often, so that a rule can still end a process; after some
 * rounds in vain less often, for each costs what an idle machine has to give. */
#define POLL_MS 20u
#define POLL_IDLE_MS 100u

struct ebpf {
    struct wedr_source base;
    struct wedr_bpf_ring *ring[WEDR_LANE_COUNT];
    uint64_t cursor[WEDR_LANE_COUNT];
    uint64_t seen; /* sum of the cursors when it was waited last */
    uint32_t wait_ms;
    const struct wedr_sensor_state *state;
};

static int
ebpf_peek(struct wedr_source *s, unsigned lane, struct wedr_span *ret_rec, uint64_t *ret_end)
{
    struct ebpf *b = (struct ebpf *)s;
    int err = wedr_bpf_ring_next(b->ring[lane], &b->cursor[lane], ret_rec);
    if (err == WEDR_OK) {
        *ret_end = b->cursor[lane];
    }
    return err;
}

static void ebpf_release(struct wedr_source *s, unsigned lane, uint64_t end)
{
    wedr_bpf_ring_release(((struct ebpf *)s)->ring[lane], end);
}

static void ebpf_counters(struct wedr_source *s, unsigned lane, struct wedr_source_counters *ret)
{
    const struct wedr_sensor_state *st = ((struct ebpf *)s)->state;
    const struct wedr_sensor_lane *l = &st->lane[lane];
    memset(ret, 0, sizeof(*ret));
    ret->missed = wedr_sensor_count(&st->missed) + wedr_sensor_count(&st->unpaired);
    for (unsigned i = 1; i < WEDR_SENSOR_LOST_REASONS; i++) {
        ret->lost[i] = wedr_sensor_count(&l->lost[i]);
        ret->lost_total += ret->lost[i];
    }
    ret->produced = wedr_sensor_count(&l->seq); /* after the losses, before what the ring shows */
}

static void ebpf_start(struct wedr_source *s, const uint64_t base[WEDR_LANE_COUNT])
{
    struct ebpf *b = (struct ebpf *)s;
    (void)base;
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        b->cursor[i] = wedr_bpf_ring_consumer(b->ring[i]);
    }
}

static bool ebpf_ended(const struct wedr_source *s)
{
    (void)s;
    return false;
}

static uint32_t ebpf_wait_ms(struct wedr_source *s)
{
    struct ebpf *b = (struct ebpf *)s;
    uint64_t sum = 0;
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        sum += b->cursor[i];
    }
    uint32_t longer = b->wait_ms + b->wait_ms / 4;
    b->wait_ms = sum != b->seen || b->wait_ms == 0 ? POLL_MS
                 : longer < POLL_IDLE_MS           ? longer
                                                   : POLL_IDLE_MS;
    b->seen = sum;
    return b->wait_ms;
}

static void ebpf_close(struct wedr_source *s)
{
    struct ebpf *b = (struct ebpf *)s;
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        wedr_bpf_ring_close(b->ring[i]);
    }
    wedr_sensor_state_unmap(b->state);
    wedr_free(b);
}

static const struct wedr_source_ops ebpf_ops = {
    .peek = ebpf_peek,
    .release = ebpf_release,
    .counters = ebpf_counters,
    .start = ebpf_start,
    .ended = ebpf_ended,
    .wait_ms = ebpf_wait_ms,
    .close = ebpf_close,
};

static int map_all(struct ebpf *b, const struct wedr_engine_ebpf *src, struct wedr_errinfo *ei)
{
    uint32_t bytes = src->ring_bytes != 0 ? src->ring_bytes : WEDR_RING_BYTES;
    int err = wedr_sensor_state_map(src->state, &b->state);
    if (err != WEDR_OK) {
        return wedr_fail(ei, err, "cannot map the sensor's state: %s", wedr_err_text(err));
    }
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        err = wedr_bpf_ring_open(src->ring[i], bytes, &b->ring[i]);
        if (err != WEDR_OK) {
            return wedr_fail(ei, err, "cannot map ring %u: %s", i, wedr_err_text(err));
        }
    }
    if (b->state->epoch == 0) {
        return wedr_fail(ei, WEDR_E_FORMAT, "the sensor's state has no epoch");
    }
    return WEDR_OK;
}

int wedr_source_ebpf_open_take(const struct wedr_engine_ebpf *src,
                               struct wedr_source **ret,
                               struct wedr_errinfo *ei)
{
    int err;
    struct ebpf *b = wedr_alloc(1, sizeof(*b));
    if (!b) {
        err = wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
        goto out;
    }
    b->base.ops = &ebpf_ops;
    err = map_all(b, src, ei);
    if (err != WEDR_OK) {
        ebpf_close(&b->base);
        goto out;
    }
    struct wedr_source_info *info = &b->base.info;
    info->name = src->proc ? "proc" : "ebpf";
    info->epoch = b->state->epoch;
    memcpy(info->boot_id, b->state->boot_id, WEDR_BOOT_ID_LEN);
    info->os = WEDR_OS_LINUX;
    info->adopted = src->adopted;
    info->live = true;
    info->boot_ns = b->state->start_boot_ns;
    info->utc_us = b->state->start_utc_us;
    *ret = &b->base;
out:
    wedr_fs_close(src->state);
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        wedr_fs_close(src->ring[i]);
    }
    return err;
}
