/* SPDX-License-Identifier: Apache-2.0 */
#include "evq.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/base/ring.h"
#include "irpq.h"
#include "mem.h"
#include "source.h"
#include "tags.h"

_Static_assert(WEDR_RING_LANES == WEDR_LANE_COUNT, "the ring's lanes are the wire's");

/* A batch is copied out in portions of this size, each under its own hold of the lock. */
#define PORTION 16384u

static struct {
    KSPIN_LOCK lock;
    struct wedr_ring *ring;
    uint8_t *arenas[WEDR_LANE_COUNT];
    uint32_t bytes[WEDR_LANE_COUNT]; /* of an arena */
    uint64_t truncated[WEDR_LANE_COUNT];
    volatile LONG64 filtered[WEDR_LANE_COUNT];
    uint64_t completed;
} queue;

static void stamp(void *record, size_t len, uint64_t seq, uint64_t dropped_total)
{
    uint8_t *p = record;

    UNREFERENCED_PARAMETER(len);
    wedr_put_le64(p + offsetof(struct wedr_event_header, seq), seq);
    wedr_put_le64(p + offsetof(struct wedr_event_header, drop_count), dropped_total);
}

NTSTATUS wedr_evq_init(uint32_t critical_bytes, uint32_t bulk_bytes)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    const size_t caps[WEDR_LANE_COUNT] = {critical_bytes, bulk_bytes};

    WEDR_MEMSET(&queue, 0, sizeof(queue));
    queue.bytes[0] = critical_bytes;
    queue.bytes[1] = bulk_bytes;
    KeInitializeSpinLock(&queue.lock);
    wedr_irpq_init(&queue.lock);
    queue.ring = wedr_mem_new(1, sizeof(*queue.ring), WEDR_TAG_RING);
    queue.arenas[0] = wedr_mem_new(caps[0], 1, WEDR_TAG_RING);
    queue.arenas[1] = wedr_mem_new(caps[1], 1, WEDR_TAG_RING);
    if (!queue.ring || wedr_ring_init(queue.ring, queue.arenas, caps, stamp) != WEDR_OK) {
        wedr_evq_fini();
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    return STATUS_SUCCESS;
}

void wedr_evq_fini(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        wedr_mem_free(queue.arenas[i], WEDR_TAG_RING);
        queue.arenas[i] = NULL;
    }
    wedr_mem_free(queue.ring, WEDR_TAG_RING);
    queue.ring = NULL;
}

static void complete(PIRP irp, NTSTATUS status, size_t len)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = len;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
}

/* The system buffer of a request as it fills. */
struct reply {
    uint8_t *out;
    size_t cap, used;
    bool batch;
};

static struct reply reply_of(PIRP irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    struct reply r = {irp->AssociatedIrp.SystemBuffer,
                      stack->Parameters.DeviceIoControl.OutputBufferLength, 0,
                      stack->Parameters.DeviceIoControl.IoControlCode == WEDR_IOCTL_GET_EVENTS};
    return r;
}

/* Under the lock: moves one record, or a portion of a batch. False when nothing was moved. */
static bool move(struct reply *r)
{
    size_t room = r->cap - r->used;
    size_t len = 0;
    uint32_t count;
    size_t portion = !r->batch ? 0 : room < PORTION ? room : PORTION;
    int err = wedr_ring_read(queue.ring, r->out + r->used, portion, &len, &count);

    if (err == WEDR_E_LIMIT && len <= room) {
        err = wedr_ring_read(queue.ring, r->out + r->used, len, &len, &count);
    }
    if (err == WEDR_OK) {
        r->used += len;
        return true;
    }
    if (err != WEDR_E_NOENT && err != WEDR_E_LIMIT) {
        wedr_source_bug();
    }
    return false;
}

/* The first portion was moved: fills what is left of a batch and completes the request. */
static void finish(PIRP irp, struct reply *r)
{
    KLOCK_QUEUE_HANDLE held;
    bool more = r->batch;

    while (more) {
        KeAcquireInStackQueuedSpinLock(&queue.lock, &held);
        more = move(r);
        KeReleaseInStackQueuedSpinLock(&held);
    }
    complete(irp, STATUS_SUCCESS, r->used);
}

NTSTATUS wedr_evq_read(PIRP irp)
{
    WEDR_IRQL_MAX(DISPATCH_LEVEL);
    struct reply r = reply_of(irp);
    NTSTATUS status = STATUS_SUCCESS;
    KLOCK_QUEUE_HANDLE held;

    KeAcquireInStackQueuedSpinLock(&queue.lock, &held);
    if (move(&r)) {
        queue.completed++;
    } else {
        status = wedr_irpq_park(irp);
    }
    KeReleaseInStackQueuedSpinLock(&held);
    if (status == STATUS_SUCCESS) {
        finish(irp, &r);
        return STATUS_SUCCESS;
    }
    if (status != STATUS_PENDING) {
        complete(irp, status, 0);
    }
    return STATUS_PENDING;
}

void wedr_evq_push(uint8_t *record, size_t len, uint8_t lane, uint32_t cuts)
{
    WEDR_IRQL_MAX(DISPATCH_LEVEL);
    KLOCK_QUEUE_HANDLE held;
    PIRP irp = NULL;
    struct reply r;

    KeAcquireInStackQueuedSpinLock(&queue.lock, &held);
    queue.truncated[lane] += cuts;
    wedr_put_le32(record + offsetof(struct wedr_event_header, trunc_count),
                  (uint32_t)queue.truncated[lane]);
    if (wedr_ring_push(queue.ring, lane, record, len) == WEDR_OK) {
        irp = wedr_irpq_take(NULL);
    }
    if (irp) {
        r = reply_of(irp);
        (void)move(&r); /* the record just pushed fits: buffers have WEDR_RECORD_MAX and more */
        queue.completed++;
    }
    KeReleaseInStackQueuedSpinLock(&held);
    if (irp) {
        finish(irp, &r);
    }
}

void wedr_evq_lose(uint8_t lane)
{
    WEDR_IRQL_MAX(DISPATCH_LEVEL);
    KLOCK_QUEUE_HANDLE held;

    KeAcquireInStackQueuedSpinLock(&queue.lock, &held);
    wedr_ring_lose(queue.ring, lane);
    KeReleaseInStackQueuedSpinLock(&held);
}

void wedr_evq_filtered(uint8_t lane)
{
    InterlockedIncrement64(&queue.filtered[lane]);
}

/* Completes what is parked, of that handle or of all, one at a time: no lock while completing. */
static void cancel_all(PFILE_OBJECT file)
{
    KLOCK_QUEUE_HANDLE held;
    PIRP irp;

    KeAcquireInStackQueuedSpinLock(&queue.lock, &held);
    wedr_irpq_close(file);
    KeReleaseInStackQueuedSpinLock(&held);
    do {
        KeAcquireInStackQueuedSpinLock(&queue.lock, &held);
        irp = wedr_irpq_take(file);
        if (irp) {
            wedr_irpq_count_cancelled();
        }
        KeReleaseInStackQueuedSpinLock(&held);
        if (irp) {
            complete(irp, STATUS_CANCELLED, 0);
        }
    } while (irp);
}

void wedr_evq_close(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    cancel_all(NULL);
}

void wedr_evq_open_file(PFILE_OBJECT file)
{
    KLOCK_QUEUE_HANDLE held;

    KeAcquireInStackQueuedSpinLock(&queue.lock, &held);
    wedr_irpq_open(file);
    KeReleaseInStackQueuedSpinLock(&held);
}

void wedr_evq_close_file(PFILE_OBJECT file)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    cancel_all(file);
}

uint32_t wedr_evq_lane_bytes(uint8_t lane)
{
    return queue.bytes[lane];
}

static void lane_stats(unsigned lane, struct wedr_ioctl_lane *ret)
{
    struct wedr_ring_stats s = wedr_ring_stats(queue.ring, lane);

    ret->produced = s.produced;
    ret->delivered = s.delivered;
    ret->lost[WEDR_LOSS_REASON_EVICTED_RING] = s.dropped[WEDR_RING_DROP_EVICTED];
    ret->lost[WEDR_LOSS_REASON_RING_FULL] = s.dropped[WEDR_RING_DROP_TOO_BIG];
    ret->lost[WEDR_LOSS_REASON_SCRATCH] = s.dropped[WEDR_RING_DROP_SOURCE];
    ret->truncated = queue.truncated[lane];
    ret->filtered = (uint64_t)WEDR_READ(&queue.filtered[lane]);
    ret->bytes_delivered = s.bytes_delivered;
    ret->queued = s.queued;
    ret->queued_peak = s.queued_peak;
    ret->bytes_queued = s.bytes_queued;
    ret->bytes_peak = s.bytes_peak;
}

void wedr_evq_stats(struct wedr_ioctl_stats *s)
{
    KLOCK_QUEUE_HANDLE held;

    KeAcquireInStackQueuedSpinLock(&queue.lock, &held);
    for (unsigned i = 0; i < WEDR_LANE_COUNT; i++) {
        lane_stats(i, &s->lane[i]);
    }
    s->parked = wedr_irpq_parked();
    s->completed = queue.completed;
    s->cancelled = wedr_irpq_cancelled();
    KeReleaseInStackQueuedSpinLock(&held);
}
