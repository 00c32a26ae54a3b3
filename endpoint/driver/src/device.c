/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include "core/base/ring.h"
#include "evq.h"
#include "kfilter.h"
#include "proctab.h"
#include "source.h"

#define DRIVER_MAJOR 0
#define DRIVER_MINOR 1
#define DRIVER_PATCH 0

#define DEVICE_NAME L"\\Device\\WazabiEDR"
#define LINK_NAME L"\\DosDevices\\WazabiEDR"
#define STATS_SHORTEST 16u /* bytes of GET_STATS and GET_VERSION that say what is there */

_Static_assert(METHOD_BUFFERED == (WEDR_IOCTL_SET_FILTER & 3u) && FILE_DEVICE_UNKNOWN == 0x22u,
               "the codes of the wire are those of the kernel");

static struct {
    PDEVICE_OBJECT device;
    struct wedr_boot boot;
    bool published;
    PFILE_OBJECT volatile owner; /* the open handle's file object */
    volatile LONG64 refused;
} state;

static NTSTATUS complete(PIRP irp, NTSTATUS status, size_t len)
{
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = len;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static NTSTATUS refuse(PIRP irp, NTSTATUS status)
{
    InterlockedIncrement64(&state.refused);
    return complete(irp, status, 0);
}

static NTSTATUS NTAPI on_other(PDEVICE_OBJECT device, PIRP irp)
{
    UNREFERENCED_PARAMETER(device);
    return complete(irp, STATUS_INVALID_DEVICE_REQUEST, 0);
}

static NTSTATUS NTAPI on_create(PDEVICE_OBJECT device, PIRP irp)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;

    UNREFERENCED_PARAMETER(device);
    /* The device is exclusive, too; Wine for one does not look at that. */
    if (!file || InterlockedCompareExchangePointer((PVOID volatile *)&state.owner, file, NULL)) {
        return refuse(irp, STATUS_ACCESS_DENIED);
    }
    wedr_evq_open_file(file);
    return complete(irp, STATUS_SUCCESS, 0);
}

/* The last handle is closed: nothing of it waits any longer. */
static NTSTATUS NTAPI on_cleanup(PDEVICE_OBJECT device, PIRP irp)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;

    UNREFERENCED_PARAMETER(device);
    if (file) {
        wedr_evq_close_file(file);
    }
    return complete(irp, STATUS_SUCCESS, 0);
}

/* Cleanup should have come before; where it did not, this is the last chance. */
static NTSTATUS NTAPI on_close(PDEVICE_OBJECT device, PIRP irp)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;

    UNREFERENCED_PARAMETER(device);
    if (file) {
        wedr_evq_close_file(file);
        (void)InterlockedCompareExchangePointer((PVOID volatile *)&state.owner, NULL, file);
    }
    return complete(irp, STATUS_SUCCESS, 0);
}

static NTSTATUS get_event(PIRP irp, const IO_STACK_LOCATION *stack)
{
    const uint32_t needed = WEDR_RECORD_MAX;
    ULONG len = stack->Parameters.DeviceIoControl.OutputBufferLength;

    if (len >= WEDR_RECORD_MAX) {
        return wedr_evq_read(irp);
    }
    InterlockedIncrement64(&state.refused);
    if (len < sizeof(needed)) {
        return complete(irp, STATUS_BUFFER_OVERFLOW, 0);
    }
    WEDR_MEMCPY(irp->AssociatedIrp.SystemBuffer, &needed, sizeof(needed));
    return complete(irp, STATUS_BUFFER_OVERFLOW, sizeof(needed));
}

/* Copies what fits of a structure that says its own size. */
static NTSTATUS answer(PIRP irp, const IO_STACK_LOCATION *stack, const void *p, size_t len)
{
    size_t room = stack->Parameters.DeviceIoControl.OutputBufferLength;

    if (room < STATS_SHORTEST) {
        return refuse(irp, STATUS_BUFFER_TOO_SMALL);
    }
    len = len < room ? len : room;
    WEDR_MEMCPY(irp->AssociatedIrp.SystemBuffer, p, len);
    return complete(irp, STATUS_SUCCESS, len);
}

static NTSTATUS get_version(PIRP irp, const IO_STACK_LOCATION *stack)
{
    struct wedr_ioctl_version v;

    WEDR_MEMSET(&v, 0, sizeof(v));
    v.size = sizeof(v);
    v.ioctl_version = WEDR_IOCTL_VERSION;
    v.wire_version = WEDR_WIRE_VERSION;
    v.driver_major = DRIVER_MAJOR;
    v.driver_minor = DRIVER_MINOR;
    v.driver_patch = DRIVER_PATCH;
    v.record_max = WEDR_RECORD_MAX;
    v.lane_slots = WEDR_RING_SLOTS;
    v.lane_bytes = wedr_evq_lane_bytes(WEDR_LANE_CRITICAL);
    v.epoch = state.boot.epoch;
    WEDR_MEMCPY(v.boot_id, state.boot.boot_id, sizeof(v.boot_id));
    return answer(irp, stack, &v, sizeof(v));
}

static NTSTATUS get_stats(PIRP irp, const IO_STACK_LOCATION *stack)
{
    struct wedr_ioctl_stats s;

    WEDR_MEMSET(&s, 0, sizeof(s));
    s.size = sizeof(s);
    s.ioctl_version = WEDR_IOCTL_VERSION;
    s.lane_count = WEDR_LANE_COUNT;
    s.callback_count = WEDR_CALLBACK_COUNT;
    s.epoch = state.boot.epoch;
    WEDR_MEMCPY(s.boot_id, state.boot.boot_id, sizeof(s.boot_id));
    s.start_time = state.boot.start_time;
    s.filter_generation = wedr_kfilter_generation();
    s.refused = (uint64_t)WEDR_READ(&state.refused);
    s.bugs = wedr_source_bugs();
    s.processes = wedr_proctab_count();
    s.processes_untracked = wedr_proctab_untracked();
    wedr_evq_stats(&s);
    wedr_source_stats(&s, wedr_kfilter_classes());
    return answer(irp, stack, &s, sizeof(s));
}

static NTSTATUS set_filter(PIRP irp, const IO_STACK_LOCATION *stack)
{
    NTSTATUS status = wedr_kfilter_set(irp->AssociatedIrp.SystemBuffer,
                                       stack->Parameters.DeviceIoControl.InputBufferLength);

    return NT_SUCCESS(status) ? complete(irp, status, 0) : refuse(irp, status);
}

static NTSTATUS NTAPI on_control(PDEVICE_OBJECT device, PIRP irp)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    const IO_STACK_LOCATION *stack = IoGetCurrentIrpStackLocation(irp);

    UNREFERENCED_PARAMETER(device);
    if (!stack->FileObject) { /* made by another driver, which opened nothing */
        return refuse(irp, STATUS_INVALID_DEVICE_REQUEST);
    }
    switch (stack->Parameters.DeviceIoControl.IoControlCode) {
    case WEDR_IOCTL_GET_EVENT:
    case WEDR_IOCTL_GET_EVENTS:
        return get_event(irp, stack);
    case WEDR_IOCTL_GET_STATS:
        return get_stats(irp, stack);
    case WEDR_IOCTL_GET_VERSION:
        return get_version(irp, stack);
    case WEDR_IOCTL_SET_FILTER:
        return set_filter(irp, stack);
    default:
        return refuse(irp, STATUS_INVALID_DEVICE_REQUEST);
    }
}

/* A SID with one or two sub-authorities; SID of winnt.h has room for one. */
struct short_sid {
    UCHAR revision, count;
    UCHAR authority[6];
    ULONG sub[2];
};

/* "D:P(A;;GA;;;SY)(A;;GA;;;BA)", written into the device that exists already: the routine that
 * creates a device with a descriptor is in a static library of the WDK alone. */
static NTSTATUS protect(PDEVICE_OBJECT device)
{
    static const struct short_sid system = {SID_REVISION, 1, {0, 0, 0, 0, 0, 5}, {18, 0}};
    static const struct short_sid administrators = {SID_REVISION, 2, {0, 0, 0, 0, 0, 5}, {32, 544}};
    SECURITY_DESCRIPTOR descriptor;
    union {
        ACL acl;
        UCHAR room[sizeof(ACL) + 2 * (sizeof(ACCESS_ALLOWED_ACE) + sizeof(struct short_sid))];
    } list;
    HANDLE handle = NULL;
    NTSTATUS status;

    status = RtlCreateAcl(&list.acl, sizeof(list), ACL_REVISION);
    if (NT_SUCCESS(status)) {
        status = RtlAddAccessAllowedAce(&list.acl, ACL_REVISION, FILE_ALL_ACCESS, (PSID)&system);
    }
    if (NT_SUCCESS(status)) {
        status =
            RtlAddAccessAllowedAce(&list.acl, ACL_REVISION, FILE_ALL_ACCESS, (PSID)&administrators);
    }
    if (NT_SUCCESS(status)) {
        status = RtlCreateSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
    }
    if (NT_SUCCESS(status)) {
        status = RtlSetDaclSecurityDescriptor(&descriptor, TRUE, &list.acl, FALSE);
    }
    if (NT_SUCCESS(status)) {
        status = ObOpenObjectByPointer(device, OBJ_KERNEL_HANDLE, NULL, WRITE_DAC, NULL, KernelMode,
                                       &handle);
    }
    if (NT_SUCCESS(status)) {
        status = ZwSetSecurityObject(
            handle, DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, &descriptor);
        ZwClose(handle);
    }
    return status;
}

NTSTATUS wedr_device_init(PDRIVER_OBJECT driver, const struct wedr_boot *boot)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    UNICODE_STRING name;
    NTSTATUS status;

    WEDR_MEMSET(&state, 0, sizeof(state));
    state.boot = *boot;
    RtlInitUnicodeString(&name, DEVICE_NAME);
    status = IoCreateDevice(driver, 0, &name, FILE_DEVICE_UNKNOWN, FILE_DEVICE_SECURE_OPEN, TRUE,
                            &state.device);
    if (!NT_SUCCESS(status)) {
        state.device = NULL;
        return status;
    }
    status = protect(state.device);
    if (!NT_SUCCESS(status)) {
        wedr_device_fini();
        return status;
    }
    state.device->Flags |= DO_BUFFERED_IO;
    for (unsigned i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++) {
        driver->MajorFunction[i] = on_other;
    }
    driver->MajorFunction[IRP_MJ_CREATE] = on_create;
    driver->MajorFunction[IRP_MJ_CLEANUP] = on_cleanup;
    driver->MajorFunction[IRP_MJ_CLOSE] = on_close;
    driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = on_control;
    return STATUS_SUCCESS;
}

NTSTATUS wedr_device_publish(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    UNICODE_STRING name, link;
    NTSTATUS status;

    RtlInitUnicodeString(&name, DEVICE_NAME);
    RtlInitUnicodeString(&link, LINK_NAME);
    status = IoCreateSymbolicLink(&link, &name);
    if (NT_SUCCESS(status)) {
        state.published = true;
        state.device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
    }
    return status;
}

void wedr_device_unpublish(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    UNICODE_STRING link;

    if (state.published) {
        RtlInitUnicodeString(&link, LINK_NAME);
        /* Nothing could be done about a failure: the name then leads nowhere. */
        (void)IoDeleteSymbolicLink(&link);
        state.published = false;
    }
}

void wedr_device_fini(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    if (state.device) {
        IoDeleteDevice(state.device);
        state.device = NULL;
    }
}
