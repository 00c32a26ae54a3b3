/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/shim.c — the shim driver: replaces exports of Wine's ntoskrnl in its own process and
 * takes the test's requests. Loaded before the driver under test, in the same load-order group, so
 * that both share the process. */
#include "shim_nt.h"

struct shim_state shim_state;
struct shim_setup shim_setup;

#define PATCH_LEN 12u
#define PATCHES_MAX 32u

/* A PE image: where its header is, DllCharacteristics in it, and the bit. */
#define PE_HEADER_AT 0x3cu
#define PE_CHARACTERISTICS 94u
#define PE_FORCE_INTEGRITY 0x80u

static struct {
    unsigned char *at;
    unsigned char saved[PATCH_LEN];
} patched[PATCHES_MAX];
static size_t patched_count;

/* The driver under test, once it was found; what it was given as CREATE routine. */
static PDRIVER_OBJECT target;
static PDRIVER_DISPATCH target_create;
static PFILE_OBJECT newest_file;
static PDEVICE_OBJECT shim_device;

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING key);

void shim_violation(const char *what)
{
    uint32_t n = (uint32_t)InterlockedIncrement((volatile LONG *)&shim_state.violations) - 1;

    if (n < SHIM_NOTES_MAX) {
        for (size_t i = 0; i < SHIM_NOTE_MAX - 1 && what[i]; i++) {
            shim_state.note[n][i] = what[i];
        }
    }
}

void *shim_export(const char *name)
{
    return GetProcAddress(GetModuleHandleA("ntoskrnl.exe"), name);
}

bool shim_integrity(const void *function)
{
    const unsigned char *base;
    uint32_t header;
    uint16_t characteristics;

    if (!GetModuleHandleExA(SHIM_FROM_ADDRESS, function, (void **)&base)) {
        return false;
    }
    memcpy(&header, base + PE_HEADER_AT, sizeof(header));
    memcpy(&characteristics, base + header + PE_CHARACTERISTICS, sizeof(characteristics));
    return (characteristics & PE_FORCE_INTEGRITY) != 0;
}

/* mov rax, function; jmp rax */
static bool patch(const struct shim_patch *p)
{
    unsigned char *at = shim_export(p->name);
    ULONG old;

    if (!at || patched_count == PATCHES_MAX ||
        !VirtualProtect(at, PATCH_LEN, PAGE_EXECUTE_READWRITE, &old)) {
        shim_violation(p->name);
        return false;
    }
    patched[patched_count].at = at;
    memcpy(patched[patched_count].saved, at, PATCH_LEN);
    patched_count++;
    at[0] = 0x48;
    at[1] = 0xb8;
    memcpy(at + 2, &p->function, sizeof(p->function));
    at[10] = 0xff;
    at[11] = 0xe0;
    return true;
}

static void unpatch_all(void)
{
    while (patched_count > 0) {
        patched_count--;
        memcpy(patched[patched_count].at, patched[patched_count].saved, PATCH_LEN);
    }
}

static bool patch_all(void)
{
    bool good = true;

    for (size_t i = 0; i < shim_callback_patch_count; i++) {
        good = patch(&shim_callback_patches[i]) && good;
    }
    for (size_t i = 0; i < shim_process_patch_count; i++) {
        good = patch(&shim_process_patches[i]) && good;
    }
    return good;
}

/* Watches which file objects the driver opens, for SHIM_IOCTL_CLEANUP. */
static NTSTATUS NTAPI watch_create(PDEVICE_OBJECT device, PIRP irp)
{
    PFILE_OBJECT file = IoGetCurrentIrpStackLocation(irp)->FileObject;
    NTSTATUS status = target_create(device, irp);

    shim_state.create_status = status;
    if (NT_SUCCESS(status)) {
        newest_file = file;
        shim_state.opens++;
    }
    return status;
}

/* Finds the driver under test and wraps its CREATE routine; again after each load. */
static NTSTATUS find_target(void)
{
    UNICODE_STRING name;
    PDRIVER_OBJECT found = NULL;
    POBJECT_TYPE *type = shim_export("IoDriverObjectType");
    NTSTATUS status;

    RtlInitUnicodeString(&name, L"\\Driver\\WazabiEDR");
    status = ObReferenceObjectByName(&name, 0, NULL, 0, *type, KernelMode, NULL, (PVOID *)&found);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    if (found->MajorFunction[IRP_MJ_CREATE] != watch_create) {
        target = found;
        target_create = found->MajorFunction[IRP_MJ_CREATE];
        found->MajorFunction[IRP_MJ_CREATE] = watch_create;
        newest_file = NULL;
    }
    ObfDereferenceObject(found);
    return STATUS_SUCCESS;
}

static NTSTATUS NTAPI keep_irp(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
    UNREFERENCED_PARAMETER(device);
    UNREFERENCED_PARAMETER(irp);
    *(bool *)context = true;
    return STATUS_MORE_PROCESSING_REQUIRED;
}

/* The request that NT sends when the last handle of a file object is closed. Wine never does. */
static void send_cleanup(const struct shim_cleanup *c, struct shim_fired *ret)
{
    static FILE_OBJECT stranger;
    PFILE_OBJECT file = c->stranger ? &stranger : newest_file;
    PIO_STACK_LOCATION stack;
    bool completed = false;
    PIRP irp;

    if (!target || !file || !target->DeviceObject) {
        ret->status = STATUS_NOT_FOUND;
        return;
    }
    stranger.Type = IO_TYPE_FILE;
    stranger.DeviceObject = target->DeviceObject;
    irp = IoAllocateIrp(1, FALSE);
    if (!irp) {
        ret->status = STATUS_INSUFFICIENT_RESOURCES;
        return;
    }
    IoSetCompletionRoutine(irp, keep_irp, &completed, TRUE, TRUE, TRUE);
    stack = IoGetNextIrpStackLocation(irp);
    stack->MajorFunction = IRP_MJ_CLEANUP;
    stack->FileObject = file;
    stack->DeviceObject = target->DeviceObject;
    IoSetNextIrpStackLocation(irp);
    ret->calls = 1;
    ret->returned = target->MajorFunction[IRP_MJ_CLEANUP](target->DeviceObject, irp);
    if (!completed) {
        shim_violation("CLEANUP was not completed by its dispatch routine");
        return;
    }
    if (irp->IoStatus.Status != ret->returned) {
        shim_violation("CLEANUP completed with another status than was returned");
    }
    IoFreeIrp(irp);
}

static NTSTATUS control(ULONG code, void *buffer, ULONG in, ULONG out, ULONG_PTR *ret_len)
{
    struct shim_fired fired = {0};

    switch (code) {
    case SHIM_IOCTL_STATE:
        if (out < sizeof(shim_state)) {
            return STATUS_BUFFER_TOO_SMALL;
        }
        (void)find_target();
        memcpy(buffer, &shim_state, sizeof(shim_state));
        *ret_len = sizeof(shim_state);
        return STATUS_SUCCESS;
    case SHIM_IOCTL_SETUP:
        if (in < sizeof(shim_setup)) {
            return STATUS_INVALID_PARAMETER;
        }
        memcpy(&shim_setup, buffer, sizeof(shim_setup));
        return STATUS_SUCCESS;
    case SHIM_IOCTL_PROCESS:
        if (in < sizeof(struct shim_process)) {
            return STATUS_INVALID_PARAMETER;
        }
        shim_process_set(buffer);
        return STATUS_SUCCESS;
    case SHIM_IOCTL_POLL:
        if (in < sizeof(uint32_t)) {
            return STATUS_INVALID_PARAMETER;
        }
        shim_poll(*(uint32_t *)buffer != 0);
        return STATUS_SUCCESS;
    case SHIM_IOCTL_STORM:
        if (in < sizeof(struct shim_storm)) {
            return STATUS_INVALID_PARAMETER;
        }
        shim_storm(buffer);
        return STATUS_SUCCESS;
    case SHIM_IOCTL_FIRE:
    case SHIM_IOCTL_CLEANUP:
        if (out < sizeof(fired) || in < (code == SHIM_IOCTL_FIRE ? sizeof(struct shim_fire)
                                                                 : sizeof(struct shim_cleanup))) {
            return STATUS_INVALID_PARAMETER;
        }
        if (code == SHIM_IOCTL_FIRE) {
            shim_fire(buffer, in, &fired);
        } else {
            send_cleanup(buffer, &fired);
        }
        memcpy(buffer, &fired, sizeof(fired));
        *ret_len = sizeof(fired);
        return STATUS_SUCCESS;
    default:
        return STATUS_INVALID_DEVICE_REQUEST;
    }
}

static NTSTATUS NTAPI dispatch(PDEVICE_OBJECT device, PIRP irp)
{
    PIO_STACK_LOCATION stack = IoGetCurrentIrpStackLocation(irp);
    ULONG_PTR len = 0;
    NTSTATUS status = STATUS_SUCCESS;

    UNREFERENCED_PARAMETER(device);
    if (stack->MajorFunction == IRP_MJ_DEVICE_CONTROL) {
        status = control(stack->Parameters.DeviceIoControl.IoControlCode,
                         irp->AssociatedIrp.SystemBuffer,
                         stack->Parameters.DeviceIoControl.InputBufferLength,
                         stack->Parameters.DeviceIoControl.OutputBufferLength, &len);
    }
    irp->IoStatus.Status = status;
    irp->IoStatus.Information = len;
    IoCompleteRequest(irp, IO_NO_INCREMENT);
    return status;
}

static VOID NTAPI unload(PDRIVER_OBJECT driver)
{
    UNICODE_STRING link;

    UNREFERENCED_PARAMETER(driver);
    shim_poll(false);
    unpatch_all();
    shim_relay_stop();
    shim_process_fini();
    RtlInitUnicodeString(&link, SHIM_LINK);
    (void)IoDeleteSymbolicLink(&link);
    IoDeleteDevice(shim_device);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING key)
{
    UNICODE_STRING name, link;
    NTSTATUS status;

    /* Wine takes an image that imports kernel32 for a DLL too: this is DllMain with its reason. */
    if ((ULONG_PTR)key <= 3) {
        return 1;
    }
    RtlInitUnicodeString(&name, SHIM_DEVICE);
    RtlInitUnicodeString(&link, SHIM_LINK);
    status = IoCreateDevice(driver, 0, &name, FILE_DEVICE_UNKNOWN, 0, FALSE, &shim_device);
    if (!NT_SUCCESS(status)) {
        return status;
    }
    status = IoCreateSymbolicLink(&link, &name);
    if (NT_SUCCESS(status) && shim_process_init()) {
        shim_relay_start();
        if (patch_all()) {
            driver->MajorFunction[IRP_MJ_CREATE] = dispatch;
            driver->MajorFunction[IRP_MJ_CLOSE] = dispatch;
            driver->MajorFunction[IRP_MJ_DEVICE_CONTROL] = dispatch;
            driver->DriverUnload = unload;
            return STATUS_SUCCESS;
        }
        unpatch_all();
        shim_relay_stop();
    }
    (void)IoDeleteSymbolicLink(&link);
    IoDeleteDevice(shim_device);
    return STATUS_UNSUCCESSFUL;
}
