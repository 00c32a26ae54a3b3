/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/tiny_driver.c — a driver with a parking queue, a name and all five callbacks. */
#include "tiny_driver.h"

int tiny_sin;

static struct {
    PDEVICE_OBJECT device;
    KSPIN_LOCK lock;
    LIST_ENTRY parked;
    LARGE_INTEGER cookie;
    volatile LONG ready; /* the cookie is valid */
    PVOID ob;
    volatile LONG calls[5];
    volatile LONG64 last;
} tiny;

static UNICODE_STRING text(PCWSTR s)
{
    UNICODE_STRING u;

    RtlInitUnicodeString(&u, s);
    return u;
}

unsigned tiny_calls(unsigned source)
{
    return (unsigned)InterlockedOr(&tiny.calls[source], 0);
}

uint64_t tiny_last(void)
{
    return (uint64_t)InterlockedOr64(&tiny.last, 0);
}

PLARGE_INTEGER tiny_cookie(void)
{
    return &tiny.cookie;
}

/* ---- requests
 * ------------------------------------------------------------------------------------ */

NTSTATUS tiny_complete(PIRP irp, NTSTATUS status, ULONG_PTR len)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = len;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static VOID NTAPI cancel(PDEVICE_OBJECT device, PIRP irp)
{
    KLOCK_QUEUE_HANDLE held;

    UNREFERENCED_PARAMETER(device);
    IoReleaseCancelSpinLock(irp->CancelIrql);
    KeAcquireInStackQueuedSpinLock(&tiny.lock, &held);
    RemoveEntryList(&irp->Tail.Overlay.ListEntry);
    KeReleaseInStackQueuedSpinLock(&held);
    tiny_complete(irp, STATUS_CANCELLED, 0);
}

static NTSTATUS park(PIRP irp)
{
    KLOCK_QUEUE_HANDLE held;
    bool cancelled;

    KeAcquireInStackQueuedSpinLock(&tiny.lock, &held);
    IoMarkIrpPending(irp);
    InsertTailList(&tiny.parked, &irp->Tail.Overlay.ListEntry);
    IoSetCancelRoutine(irp, cancel);
    cancelled = irp->Cancel && IoSetCancelRoutine(irp, NULL);
    if (cancelled) {
        RemoveEntryList(&irp->Tail.Overlay.ListEntry);
    }
    KeReleaseInStackQueuedSpinLock(&held);
    if (cancelled) {
        tiny_complete(irp, STATUS_CANCELLED, 0);
    }
    return STATUS_PENDING;
}

/* The oldest parked request, of that file or any; rude: whether or not it is being cancelled. */
static PIRP take(PFILE_OBJECT file, bool rude)
{
    KLOCK_QUEUE_HANDLE held;
    PIRP found = NULL;

    KeAcquireInStackQueuedSpinLock(&tiny.lock, &held);
    for (PLIST_ENTRY e = tiny.parked.Flink; e != &tiny.parked && !found; e = e->Flink) {
        PIRP irp = CONTAINING_RECORD(e, IRP, Tail.Overlay.ListEntry);

        if ((!file || IoGetCurrentIrpStackLocation(irp)->FileObject == file) &&
            (IoSetCancelRoutine(irp, NULL) || rude)) {
            found = irp;
        }
    }
    if (found) {
        RemoveEntryList(&found->Tail.Overlay.ListEntry);
    }
    KeReleaseInStackQueuedSpinLock(&held);
    return found;
}

static void drain(PFILE_OBJECT file)
{
    PIRP irp;

    while ((irp = take(file, false)) != NULL) {
        tiny_complete(irp, STATUS_CANCELLED, 0);
    }
}

static void release(bool rude)
{
    PIRP irp = take(NULL, rude);

    if (irp) {
        memcpy(irp->AssociatedIrp.SystemBuffer, "tiny", 4);
        tiny_complete(irp, STATUS_SUCCESS, 4);
    }
}

static NTSTATUS NTAPI on_control(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    ULONG out = stack->Parameters.DeviceIoControl.OutputBufferLength;
    ULONG command = (stack->Parameters.DeviceIoControl.IoControlCode & 0x1fffu) >> 2;

    UNREFERENCED_PARAMETER(device);
    switch (command) {
    case TINY_GOOD:
        if (out < sizeof(out)) {
            return tiny_complete(irp, STATUS_BUFFER_TOO_SMALL, 0);
        }
        memcpy(irp->AssociatedIrp.SystemBuffer, &out, sizeof(out));
        return tiny_complete(irp, STATUS_SUCCESS, sizeof(out));
    case TINY_PARK:
    case TINY_IRP_LEFT_AT_CLOSE:
        return park(irp);
    case TINY_RELEASE:
    case TINY_RELEASE_RUDELY:
        release(command == TINY_RELEASE_RUDELY);
        return tiny_complete(irp, STATUS_SUCCESS, 0);
    default:
        if (tiny_sin_of_irp(command)) {
            return tiny_sin_with_irp(command, irp);
        }
        tiny_sin_at_once(command);
        return tiny_complete(irp, STATUS_SUCCESS, 0);
    }
}

static NTSTATUS NTAPI on_file(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);

    UNREFERENCED_PARAMETER(device);
    if (stack->MajorFunction == IRP_MJ_CREATE && tiny_sin == TINY_CREATE_PENDING) {
        return park(irp);
    }
    if (stack->MajorFunction != IRP_MJ_CREATE && tiny_sin != TINY_IRP_LEFT_AT_CLOSE) {
        drain(stack->FileObject);
    }
    return tiny_complete(irp, STATUS_SUCCESS, 0);
}

/* ---- callbacks
 * ----------------------------------------------------------------------------------------- */

static void seen(unsigned source, ULONG_PTR number)
{
    InterlockedIncrement(&tiny.calls[source]);
    InterlockedExchange64(&tiny.last, (LONG64)number);
}

static VOID NTAPI on_process(PEPROCESS process, HANDLE pid, PPS_CREATE_NOTIFY_INFO info)
{
    UNREFERENCED_PARAMETER(process);
    seen(0, info && info->CommandLine ? info->CommandLine->Length : (ULONG_PTR)pid);
}

static VOID NTAPI on_image(PUNICODE_STRING name, HANDLE pid, PIMAGE_INFO info)
{
    UNREFERENCED_PARAMETER(pid);
    seen(1, name ? name->Length : info->Properties);
}

static VOID NTAPI on_thread(HANDLE pid, HANDLE tid, BOOLEAN create)
{
    UNREFERENCED_PARAMETER(pid);
    UNREFERENCED_PARAMETER(create);
    if (tiny_sin == TINY_CALLBACK_SELF) {
        PsRemoveCreateThreadNotifyRoutine(on_thread);
    }
    seen(2, (ULONG_PTR)tid);
}

static NTSTATUS NTAPI on_registry(PVOID context, PVOID what, PVOID info)
{
    PCUNICODE_STRING name;

    UNREFERENCED_PARAMETER(context);
    if (info && InterlockedOr(&tiny.ready, 0) &&
        (REG_NOTIFY_CLASS)(ULONG_PTR)what == RegNtPostSetValueKey) {
        REG_POST_OPERATION_INFORMATION *post = info;

        if (NT_SUCCESS(CmCallbackGetKeyObjectIDEx(&tiny.cookie, post->Object, NULL, &name, 0))) {
            InterlockedExchange64(&tiny.last, name->Length);
            CmCallbackReleaseKeyObjectIDEx(name);
        }
    }
    InterlockedIncrement(&tiny.calls[3]);
    return STATUS_SUCCESS;
}

static OB_PREOP_CALLBACK_STATUS NTAPI on_handle(PVOID context, POB_PRE_OPERATION_INFORMATION info)
{
    UNREFERENCED_PARAMETER(context);
    seen(4, info->Parameters->CreateHandleInformation.OriginalDesiredAccess);
    return tiny_sin < TINY_GOOD ? (OB_PREOP_CALLBACK_STATUS)1 : OB_PREOP_SUCCESS;
}

NTSTATUS tiny_ob_register(USHORT version, USHORT count, PVOID *ret_handle)
{
    OB_OPERATION_REGISTRATION operations[2] = {
        {PsProcessType, OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE, on_handle,
         NULL},
        {PsThreadType, OB_OPERATION_HANDLE_CREATE, on_handle, NULL}};
    OB_CALLBACK_REGISTRATION r = {version, count, text(L"321.5"), NULL, operations};

    return ObRegisterCallbacks(&r, ret_handle);
}

NTSTATUS tiny_cm_register(PCWSTR altitude, PLARGE_INTEGER ret_cookie)
{
    UNICODE_STRING u = text(altitude);

    return CmRegisterCallbackEx(on_registry, &u, &tiny, NULL, ret_cookie, NULL);
}

void tiny_callback_twice(void)
{
    PsSetCreateThreadNotifyRoutine(on_thread);
}

/* ---- life
 * --------------------------------------------------------------------------------------------------
 */

static void stop(void)
{
    if (tiny.ob) {
        ObUnRegisterCallbacks(tiny.ob);
    }
    if (tiny.cookie.QuadPart) {
        CmUnRegisterCallback(tiny.cookie);
    }
    if (tiny_sin != TINY_CALLBACK_SELF) {
        PsRemoveCreateThreadNotifyRoutine(on_thread);
    }
    PsRemoveLoadImageNotifyRoutine(on_image);
    if (tiny_sin != TINY_CALLBACK_LEAK) {
        PsSetCreateProcessNotifyRoutineEx(on_process, TRUE);
    }
}

static VOID NTAPI unload(PDRIVER_OBJECT driver)
{
    UNICODE_STRING link = text(L"\\DosDevices\\WazabiEDR");

    UNREFERENCED_PARAMETER(driver);
    stop();
    if (tiny_sin != TINY_IRP_LEFT_AT_CLOSE) {
        drain(NULL);
    }
    if (tiny_sin != TINY_LINK_LEAK) {
        IoDeleteSymbolicLink(&link);
    }
    if (tiny_sin != TINY_DEVICE_LEAK) {
        IoDeleteDevice(tiny.device);
    }
    if (tiny_sin == TINY_DEVICE_TWICE) {
        IoDeleteDevice(tiny.device);
    }
}

static NTSTATUS start(void)
{
    NTSTATUS status = PsSetCreateProcessNotifyRoutineEx(on_process, FALSE);

    if (NT_SUCCESS(status)) {
        status = PsSetLoadImageNotifyRoutine(on_image);
        if (!NT_SUCCESS(status)) {
            PsSetCreateProcessNotifyRoutineEx(on_process, TRUE);
            return status;
        }
        status = PsSetCreateThreadNotifyRoutine(on_thread);
        if (!NT_SUCCESS(status)) {
            PsRemoveLoadImageNotifyRoutine(on_image);
            PsSetCreateProcessNotifyRoutineEx(on_process, TRUE);
            return status;
        }
        /* Without these two it lives on. */
        if (!NT_SUCCESS(tiny_cm_register(L"321", &tiny.cookie))) {
            tiny.cookie.QuadPart = 0;
        }
        InterlockedExchange(&tiny.ready, 1);
        if (!NT_SUCCESS(tiny_ob_register(OB_FLT_REGISTRATION_VERSION, 2, &tiny.ob))) {
            tiny.ob = NULL;
        }
    }
    return status;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING service_key)
{
    UNICODE_STRING name = text(L"\\Device\\WazabiEDR");
    UNICODE_STRING link = text(L"\\DosDevices\\WazabiEDR");
    NTSTATUS status;

    UNREFERENCED_PARAMETER(service_key);
    memset(&tiny, 0, sizeof(tiny));
    KeInitializeSpinLock(&tiny.lock);
    InitializeListHead(&tiny.parked);
    driver->MajorFunction[IRP_MJ_CREATE] = on_file;
    driver->MajorFunction[IRP_MJ_CLEANUP] = on_file;
    driver->MajorFunction[IRP_MJ_CLOSE] = on_file;
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = on_control;
    status = IoCreateDevice(driver, 16, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, TRUE,
                            &tiny.device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = IoCreateSymbolicLink(&link, &name);
    if (NT_SUCCESS(status)) {
        status = start();
        if (NT_SUCCESS(status)) {
            driver->DriverUnload = tiny_sin == TINY_NO_UNLOAD ? NULL : unload;
            return STATUS_SUCCESS;
        }
        IoDeleteSymbolicLink(&link);
    }
    IoDeleteDevice(tiny.device);
    return status;
}
