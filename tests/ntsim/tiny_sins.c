/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/tiny_sins.c — what no driver may do, one by one. */
#include "tiny_driver.h"

#define TAG 0x796e6954u /* "Tiny" */
#define OTHER_TAG 0x72656874u
#define NX ((POOL_TYPE)512)

void wedr_checked_failed(const char *function, int line);

void *tiny_key;

/* ---- locks and IRQL
 * ------------------------------------------------------------------------------- */

static KSPIN_LOCK locks[16];

static void sin_of_queued_lock(ULONG command)
{
    KLOCK_QUEUE_HANDLE a, b;

    KeAcquireInStackQueuedSpinLock(&locks[0], &a);
    switch (command) {
    case TINY_LOCK_TWICE:
        KeAcquireInStackQueuedSpinLock(&locks[0], &b);
        KeReleaseInStackQueuedSpinLock(&b);
        break;
    case TINY_LOCK_OTHER_HANDLE:
        b = a;
        KeReleaseInStackQueuedSpinLock(&b);
        return;
    case TINY_LOCK_LOWERED:
        KeLowerIrql(PASSIVE_LEVEL);
        break;
    case TINY_LOCK_WRONG_IRQL:
        a.OldIrql = APC_LEVEL;
        break;
    case TINY_LOCK_KEPT:
        return;
    default: /* LOCK_NOT_MINE */
        b = a;
        KeReleaseInStackQueuedSpinLock(&a);
        KeReleaseInStackQueuedSpinLock(&b);
        return;
    }
    KeReleaseInStackQueuedSpinLock(&a);
}

static void many_locks(void)
{
    KLOCK_QUEUE_HANDLE h[9];

    for (unsigned i = 0; i < 9; i++) {
        KeAcquireInStackQueuedSpinLock(&locks[i + 1], &h[i]);
    }
    for (unsigned i = 9; i-- > 0;) {
        KeReleaseInStackQueuedSpinLock(&h[i]);
    }
}

static bool sin_of_irql(ULONG command)
{
    KLOCK_QUEUE_HANDLE a;
    KIRQL old;

    switch (command) {
    case TINY_LOCK_AT_PASSIVE:
        KeAcquireInStackQueuedSpinLockAtDpcLevel(&locks[0], &a);
        KeReleaseInStackQueuedSpinLockFromDpcLevel(&a);
        KeLowerIrql(PASSIVE_LEVEL);
        return true;
    case TINY_LOCKS_MANY:
        many_locks();
        return true;
    case TINY_CANCEL_LOCK_NOT_MINE:
        IoReleaseCancelSpinLock(PASSIVE_LEVEL);
        return true;
    case TINY_IRQL_KEPT:
        KeRaiseIrql(APC_LEVEL, &old);
        return true;
    case TINY_REGION_KEPT:
        KeEnterCriticalRegion();
        return true;
    case TINY_REGION_NOT_ENTERED:
        KeLeaveCriticalRegion();
        return true;
    case TINY_IRQL_TOO_HIGH:
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        PsRemoveLoadImageNotifyRoutine(NULL);
        KeLowerIrql(old);
        return true;
    case TINY_IRQL_CHECK:
        wedr_checked_failed("tiny", 1);
        return true;
    case TINY_BUG_CHECK:
        KeBugCheckEx(0xf7, 1, 2, 3, 4);
    default:
        return false;
    }
}

/* ---- pool
 * -------------------------------------------------------------------------------------------- */

static void sin_with_block(ULONG command)
{
    UCHAR *volatile p = ExAllocatePoolWithTag(NX, 24, TAG);

    switch (command) {
    case TINY_POOL_FREED_TWICE:
        ExFreePool(p);
        break;
    case TINY_POOL_OTHER_TAG:
        ExFreePoolWithTag(p, OTHER_TAG);
        return;
    case TINY_POOL_OVERRUN:
        p[24] = 1;
        break;
    case TINY_POOL_UNDERRUN:
        p[-1] = 1;
        break;
    case TINY_POOL_AFTER_FREE:
        ExFreePoolWithTag(p, TAG);
        p[3] = 1;
        return;
    default: /* POOL_LEAK */
        return;
    }
    ExFreePoolWithTag(p, TAG);
}

static void free_quietly(PVOID p)
{
    if (p) {
        ExFreePool(p);
    }
}

static bool sin_of_pool(ULONG command)
{
    UCHAR room[64];
    PVOID p;
    KIRQL old;

    switch (command) {
    case TINY_POOL_FREED_STACK:
        ExFreePoolWithTag(room + 32, TAG);
        return true;
    case TINY_POOL_PAGED_HIGH:
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        p = ExAllocatePoolWithTag(PagedPool, 8, TAG);
        KeLowerIrql(old);
        break;
    case TINY_POOL_PAGED_FREED_HIGH:
        p = ExAllocatePoolWithTag(PagedPool, 8, TAG);
        KeRaiseIrql(DISPATCH_LEVEL, &old);
        ExFreePool(p);
        KeLowerIrql(old);
        return true;
    case TINY_POOL_EXECUTABLE:
        p = ExAllocatePoolWithTag(NonPagedPool, 8, TAG);
        break;
    case TINY_POOL_NOTHING:
        p = ExAllocatePoolWithTag(NX, 0, TAG);
        break;
    case TINY_POOL_NO_TAG:
        p = ExAllocatePoolWithTag(NX, 8, 0);
        break;
    case TINY_POOL_FLAGS:
        p = ExAllocatePool2(0x140u, 8, TAG);
        break;
    case TINY_POOL_TYPE:
        p = ExAllocatePoolWithTag(NonPagedPoolNxCacheAligned, 8, TAG);
        break;
    default:
        return false;
    }
    free_quietly(p);
    return true;
}

/* ---- callbacks, handles, objects, names
 * ------------------------------------------------------------------ */

static bool sin_of_callback(ULONG command)
{
    LARGE_INTEGER cookie = {.QuadPart = 77};
    PVOID handle;

    switch (command) {
    case TINY_CALLBACK_UNKNOWN:
        PsRemoveLoadImageNotifyRoutine((PLOAD_IMAGE_NOTIFY_ROUTINE)(ULONG_PTR)0x1234);
        return true;
    case TINY_CALLBACK_UNKNOWN_CM:
        CmUnRegisterCallback(cookie);
        return true;
    case TINY_CALLBACK_UNKNOWN_OB:
        ObUnRegisterCallbacks(&cookie);
        return true;
    case TINY_CALLBACK_TWICE:
        tiny_callback_twice();
        return true;
    case TINY_CALLBACK_VERSION:
        tiny_ob_register(0x200, 2, &handle);
        return true;
    case TINY_CALLBACK_NO_ENTRY:
        tiny_ob_register(OB_FLT_REGISTRATION_VERSION, 0, &handle);
        return true;
    case TINY_CALLBACK_ALTITUDE:
        tiny_cm_register(L"32x", &cookie);
        return true;
    default:
        return false;
    }
}

static bool sin_of_handle(ULONG command)
{
    UNICODE_STRING path;
    OBJECT_ATTRIBUTES a;
    HANDLE h;

    if (command != TINY_HANDLE_LEAK && command != TINY_HANDLE_CLOSED_TWICE &&
        command != TINY_HANDLE_USER) {
        return false;
    }
    RtlInitUnicodeString(&path, L"\\Registry\\Machine\\System");
    InitializeObjectAttributes(
        &a, &path, OBJ_CASE_INSENSITIVE | (command == TINY_HANDLE_USER ? 0u : OBJ_KERNEL_HANDLE),
        NULL, NULL);
    if (NT_SUCCESS(ZwOpenKey(&h, KEY_QUERY_VALUE, &a)) && command != TINY_HANDLE_LEAK) {
        ZwClose(h);
        if (command == TINY_HANDLE_CLOSED_TWICE) {
            ZwClose(h);
        }
    }
    return true;
}

static bool sin_of_object(ULONG command)
{
    PEPROCESS process;
    PVOID token;

    switch (command) {
    case TINY_OBJECT_LEAK:
        PsLookupProcessByProcessId((HANDLE)4, &process);
        return true;
    case TINY_OBJECT_UNDERFLOW:
        ObDereferenceObject(PsGetCurrentProcess());
        return true;
    case TINY_OBJECT_TOKEN_UNDERFLOW:
        token = PsReferencePrimaryToken(PsGetCurrentProcess());
        PsDereferencePrimaryToken(token);
        PsDereferencePrimaryToken(token);
        return true;
    case TINY_OBJECT_WRONG:
        PsGetProcessId((PEPROCESS)KeGetCurrentThread());
        return true;
    default:
        return false;
    }
}

static bool sin_of_name(ULONG command)
{
    PCUNICODE_STRING name;

    if (command != TINY_NAME_LEAK && command != TINY_NAME_TWICE && command != TINY_NAME_DEAD_KEY) {
        return false;
    }
    if (NT_SUCCESS(CmCallbackGetKeyObjectIDEx(tiny_cookie(), tiny_key, NULL, &name, 0)) &&
        command == TINY_NAME_TWICE) {
        CmCallbackReleaseKeyObjectIDEx(name);
        CmCallbackReleaseKeyObjectIDEx(name);
    }
    return true;
}

void tiny_sin_at_once(ULONG command)
{
    switch (command) {
    case TINY_LOCK_TWICE:
    case TINY_LOCK_NOT_MINE:
    case TINY_LOCK_OTHER_HANDLE:
    case TINY_LOCK_LOWERED:
    case TINY_LOCK_WRONG_IRQL:
    case TINY_LOCK_KEPT:
        sin_of_queued_lock(command);
        return;
    case TINY_POOL_FREED_TWICE:
    case TINY_POOL_OTHER_TAG:
    case TINY_POOL_OVERRUN:
    case TINY_POOL_UNDERRUN:
    case TINY_POOL_AFTER_FREE:
    case TINY_POOL_LEAK:
        sin_with_block(command);
        return;
    default:
        (void)(sin_of_irql(command) || sin_of_pool(command) || sin_of_callback(command) ||
               sin_of_handle(command) || sin_of_object(command) || sin_of_name(command));
        return;
    }
}

/* ---- requests
 * -------------------------------------------------------------------------------------------- */

bool tiny_sin_of_irp(ULONG command)
{
    return command >= TINY_IRP_TWICE && command <= TINY_IRP_OVERRUN;
}

static VOID NTAPI never(PDEVICE_OBJECT device, PIRP irp)
{
    UNREFERENCED_PARAMETER(device);
    UNREFERENCED_PARAMETER(irp);
}

static NTSTATUS sin_at_completion(ULONG command, PIRP irp)
{
    KLOCK_QUEUE_HANDLE held;
    UCHAR *buffer = irp->AssociatedIrp.SystemBuffer;

    switch (command) {
    case TINY_IRP_UNDER_LOCK:
        KeAcquireInStackQueuedSpinLock(&locks[0], &held);
        tiny_complete(irp, STATUS_SUCCESS, 0);
        KeReleaseInStackQueuedSpinLock(&held);
        return STATUS_SUCCESS;
    case TINY_IRP_AS_PENDING:
        IoMarkIrpPending(irp);
        return tiny_complete(irp, STATUS_PENDING, 0);
    case TINY_IRP_WITH_ROUTINE:
        IoSetCancelRoutine(irp, never);
        return tiny_complete(irp, STATUS_SUCCESS, 0);
    case TINY_IRP_TOO_MUCH:
        return tiny_complete(irp, STATUS_SUCCESS, 17);
    case TINY_IRP_MARKED:
        IoMarkIrpPending(irp);
        return tiny_complete(irp, STATUS_SUCCESS, 0);
    case TINY_IRP_OTHER_STATUS:
        tiny_complete(irp, STATUS_SUCCESS, 0);
        return STATUS_UNSUCCESSFUL;
    case TINY_IRP_OVERRUN:
        buffer[16] = 1;
        return tiny_complete(irp, STATUS_SUCCESS, 0);
    default: /* IRP_NOT_MARKED */
        tiny_complete(irp, STATUS_SUCCESS, 0);
        return STATUS_PENDING;
    }
}

NTSTATUS tiny_sin_with_irp(ULONG command, PIRP irp)
{
    UCHAR *volatile buffer = irp->AssociatedIrp.SystemBuffer;
    PIRP volatile after = irp;

    switch (command) {
    case TINY_IRP_TWICE:
        tiny_complete(irp, STATUS_SUCCESS, 0);
        IoCompleteRequest(irp, IO_NO_INCREMENT);
        return STATUS_SUCCESS;
    case TINY_IRP_FORGOTTEN:
        return STATUS_SUCCESS;
    case TINY_IRP_WRITTEN_AFTER:
        tiny_complete(irp, STATUS_SUCCESS, 0);
        after->IoStatus.Status = STATUS_SUCCESS;
        return STATUS_SUCCESS;
    case TINY_IRP_BUFFER_AFTER:
        tiny_complete(irp, STATUS_SUCCESS, 0);
        buffer[2] = 1;
        return STATUS_SUCCESS;
    default:
        return sin_at_completion(command, irp);
    }
}
