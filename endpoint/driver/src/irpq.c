/* SPDX-License-Identifier: Apache-2.0
 * A request is linked exactly while it is parked; only detach() takes it out. When the cancel
 * routine was already called, take() leaves the request alone: the routine waits for the lock and
 * detaches it itself. */
#include "irpq.h"

static struct {
    PKSPIN_LOCK lock;
    LIST_ENTRY parked;
    uint32_t count;
    uint64_t cancelled;
    bool closed;
} queue;

/* FileObject->FsContext of a handle whose requests may be parked. */
static int open_mark;

void wedr_irpq_init(PKSPIN_LOCK lock)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    queue.lock = lock;
    InitializeListHead(&queue.parked);
    queue.count = 0;
    queue.cancelled = 0;
    queue.closed = false;
}

static PFILE_OBJECT file_of(PIRP irp)
{
    return IoGetCurrentIrpStackLocation(irp)->FileObject;
}

static void detach(PIRP irp)
{
    RemoveEntryList(&irp->Tail.Overlay.ListEntry);
    queue.count--;
}

static VOID NTAPI cancel_parked(PDEVICE_OBJECT device, PIRP irp)
{
    KLOCK_QUEUE_HANDLE held;

    UNREFERENCED_PARAMETER(device);
    IoReleaseCancelSpinLock(irp->CancelIrql);
    KeAcquireInStackQueuedSpinLock(queue.lock, &held);
    detach(irp);
    queue.cancelled++;
    KeReleaseInStackQueuedSpinLock(&held);
    irp->IoStatus.Status = STATUS_CANCELLED;
    irp->IoStatus.Information = 0;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
}

NTSTATUS wedr_irpq_park(PIRP irp)
{
    WEDR_IRQL_MAX(DISPATCH_LEVEL);
    IoMarkIrpPending(irp);
    if (queue.closed || file_of(irp)->FsContext != &open_mark) {
        return STATUS_CANCELLED;
    }
    if (queue.count >= WEDR_IRPQ_MAX) {
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    InsertTailList(&queue.parked, &irp->Tail.Overlay.ListEntry);
    queue.count++;
    (void)IoSetCancelRoutine(irp, cancel_parked);
    /* Cancelled before the routine was set: nobody will call it, unless it was called just now. */
    if (irp->Cancel && IoSetCancelRoutine(irp, NULL)) {
        detach(irp);
        queue.cancelled++;
        return STATUS_CANCELLED;
    }
    return STATUS_PENDING;
}

PIRP wedr_irpq_take(PFILE_OBJECT file)
{
    WEDR_IRQL_MAX(DISPATCH_LEVEL);
    for (PLIST_ENTRY e = queue.parked.Flink; e != &queue.parked; e = e->Flink) {
        PIRP irp = CONTAINING_RECORD(e, IRP, Tail.Overlay.ListEntry);

        if ((!file || file_of(irp) == file) && IoSetCancelRoutine(irp, NULL)) {
            detach(irp);
            return irp;
        }
    }
    return NULL;
}

void wedr_irpq_open(PFILE_OBJECT file)
{
    file->FsContext = &open_mark;
}

void wedr_irpq_close(PFILE_OBJECT file)
{
    if (file) {
        file->FsContext = NULL;
    } else {
        queue.closed = true;
    }
}

void wedr_irpq_count_cancelled(void)
{
    queue.cancelled++;
}

uint32_t wedr_irpq_parked(void)
{
    return queue.count;
}

uint64_t wedr_irpq_cancelled(void)
{
    return queue.cancelled;
}
