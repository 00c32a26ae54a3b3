/* SPDX-License-Identifier: Apache-2.0
 * tests/wine/shim_callbacks.c — the registrations: what NT checks is checked here, what it refuses
 * is refused and noted. One registration of each kind, for there is one driver. */
#include "shim_nt.h"

#define STATUS_NOT_REGISTERED ((NTSTATUS)0xc000007a) /* STATUS_PROCEDURE_NOT_FOUND */
#define POOL_NON_PAGED 0x40u                         /* POOL_FLAG_NON_PAGED */

static PCREATE_PROCESS_NOTIFY_ROUTINE_EX process_routine;
static PCREATE_THREAD_NOTIFY_ROUTINE thread_routine;
static PLOAD_IMAGE_NOTIFY_ROUTINE image_routine;

static struct {
    PEX_CALLBACK_FUNCTION function;
    PVOID context;
    LARGE_INTEGER cookie;
} registry;

#define OPERATIONS_MAX 4u
static struct {
    OB_OPERATION_REGISTRATION operation[OPERATIONS_MAX];
    uint32_t count;
    PVOID context;
} handle;

static volatile LONG inside[SHIM_SOURCES];

void shim_enter(enum shim_source which)
{
    InterlockedIncrement(&inside[which]);
}

void shim_leave(enum shim_source which)
{
    InterlockedDecrement(&inside[which]);
}

/* The routine can be found no more: waits until nobody runs it. */
static NTSTATUS removed(enum shim_source which)
{
    __sync_synchronize();
    while (inside[which] != 0) {
        Sleep(1);
    }
    shim_state.registered[which] = 0;
    return STATUS_SUCCESS;
}

/* A registration succeeds, or fails as the test has asked for. */
static NTSTATUS take(enum shim_source which)
{
    if (shim_setup.fail[which] != 0) {
        return shim_setup.fail[which];
    }
    shim_state.registered[which] = 1;
    shim_state.registrations[which]++;
    return STATUS_SUCCESS;
}

static NTSTATUS refuse(NTSTATUS status, const char *what)
{
    shim_violation(what);
    return status;
}

static NTSTATUS NTAPI set_process(PCREATE_PROCESS_NOTIFY_ROUTINE_EX routine, BOOLEAN remove)
{
    NTSTATUS status;

    if (remove) {
        if (!routine || routine != process_routine) {
            return refuse(STATUS_INVALID_PARAMETER, "process routine removed, not registered");
        }
        process_routine = NULL;
        return removed(SHIM_PROCESS);
    }
    if (!routine || process_routine) {
        return refuse(STATUS_INVALID_PARAMETER, "process routine is NULL or registered twice");
    }
    if (!shim_integrity(routine)) {
        return refuse(STATUS_ACCESS_DENIED, "process routine in an image without FORCE_INTEGRITY");
    }
    status = take(SHIM_PROCESS);
    if (NT_SUCCESS(status)) {
        process_routine = routine;
    }
    return status;
}

static NTSTATUS NTAPI set_thread(PCREATE_THREAD_NOTIFY_ROUTINE routine)
{
    NTSTATUS status;

    if (!routine || thread_routine) {
        return refuse(STATUS_INVALID_PARAMETER, "thread routine is NULL or registered twice");
    }
    status = take(SHIM_THREAD);
    if (NT_SUCCESS(status)) {
        thread_routine = routine;
    }
    return status;
}

static NTSTATUS NTAPI remove_thread(PCREATE_THREAD_NOTIFY_ROUTINE routine)
{
    if (!routine || routine != thread_routine) {
        return refuse(STATUS_NOT_REGISTERED, "thread routine removed, not registered");
    }
    thread_routine = NULL;
    return removed(SHIM_THREAD);
}

static NTSTATUS NTAPI set_image(PLOAD_IMAGE_NOTIFY_ROUTINE routine)
{
    NTSTATUS status;

    if (!routine || image_routine) {
        return refuse(STATUS_INVALID_PARAMETER, "image routine is NULL or registered twice");
    }
    status = take(SHIM_IMAGE);
    if (NT_SUCCESS(status)) {
        image_routine = routine;
    }
    return status;
}

static NTSTATUS NTAPI remove_image(PLOAD_IMAGE_NOTIFY_ROUTINE routine)
{
    if (!routine || routine != image_routine) {
        return refuse(STATUS_NOT_REGISTERED, "image routine removed, not registered");
    }
    image_routine = NULL;
    return removed(SHIM_IMAGE);
}

/* Wine leaves the Type of a driver object 0; its image is the one that the function is in. */
static bool is_driver_of(PDRIVER_OBJECT driver, const void *function)
{
    ULONG_PTR offset = (ULONG_PTR)function - (ULONG_PTR)driver->DriverStart;

    return offset < driver->DriverSize;
}

/* Digits with at most one point among them. */
static bool altitude_ok(PCUNICODE_STRING a, uint16_t ret[32])
{
    size_t count = a && a->Buffer ? a->Length / sizeof(WCHAR) : 0, points = 0;

    if (count == 0 || count > 31) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        points += a->Buffer[i] == L'.';
        if (a->Buffer[i] != L'.' && (a->Buffer[i] < L'0' || a->Buffer[i] > L'9')) {
            return false;
        }
        ret[i] = a->Buffer[i];
    }
    ret[count] = 0;
    return points <= 1 && ret[0] != L'.' && ret[count - 1] != L'.';
}

static NTSTATUS NTAPI cm_register(PEX_CALLBACK_FUNCTION function,
                                  PCUNICODE_STRING altitude,
                                  PVOID driver,
                                  PVOID context,
                                  PLARGE_INTEGER ret_cookie,
                                  PVOID reserved)
{
    NTSTATUS status;

    if (!function || !ret_cookie || reserved || registry.function) {
        return refuse(STATUS_INVALID_PARAMETER, "registry callback: bad argument or twice");
    }
    if (!altitude_ok(altitude, shim_state.altitude[0])) {
        return refuse(STATUS_INVALID_PARAMETER, "registry callback: no altitude");
    }
    if (!driver || !is_driver_of(driver, function)) {
        return refuse(STATUS_INVALID_PARAMETER, "registry callback: not a driver object");
    }
    status = take(SHIM_REGISTRY);
    if (NT_SUCCESS(status)) {
        registry.cookie.QuadPart += 0x0001d00000000001ll;
        registry.context = context;
        *ret_cookie = registry.cookie;
        registry.function = function;
    }
    return status;
}

static NTSTATUS NTAPI cm_unregister(LARGE_INTEGER cookie)
{
    if (!registry.function || cookie.QuadPart != registry.cookie.QuadPart) {
        return refuse(STATUS_INVALID_PARAMETER, "registry callback removed, not registered");
    }
    registry.function = NULL;
    return removed(SHIM_REGISTRY);
}

static NTSTATUS NTAPI cm_key_name(
    PLARGE_INTEGER cookie, PVOID object, PULONG_PTR ret_id, PCUNICODE_STRING *ret_name, ULONG flags)
{
    const struct shim_key *key = object;
    UNICODE_STRING *name;

    if (!cookie || cookie->QuadPart != registry.cookie.QuadPart || flags != 0) {
        return refuse(STATUS_INVALID_PARAMETER, "key name asked with another cookie or flags");
    }
    if (!key || key->magic != SHIM_KEY_MAGIC) {
        return refuse(STATUS_INVALID_PARAMETER, "key name asked of what is no key");
    }
    if (key->gone) {
        return STATUS_KEY_DELETED;
    }
    if (ret_id) {
        *ret_id = (ULONG_PTR)object;
    }
    if (ret_name) {
        name = ExAllocatePoolWithTag(PagedPool, sizeof(*name) + key->name.Length, SHIM_TAG);
        if (!name) {
            return STATUS_INSUFFICIENT_RESOURCES;
        }
        name->Length = name->MaximumLength = key->name.Length;
        name->Buffer = (WCHAR *)(name + 1);
        memcpy(name->Buffer, key->name.Buffer, key->name.Length);
        shim_state.names++;
        *ret_name = name;
    }
    return STATUS_SUCCESS;
}

static VOID NTAPI cm_release_name(PCUNICODE_STRING name)
{
    if (!name || shim_state.names == 0) {
        shim_violation("key name released that was not given");
        return;
    }
    shim_state.names--;
    ExFreePoolWithTag((PVOID)name, SHIM_TAG);
}

static bool operation_ok(const OB_OPERATION_REGISTRATION *o)
{
    return (o->ObjectType == shim_export("PsProcessType") ||
            o->ObjectType == shim_export("PsThreadType")) &&
           o->Operations != 0 &&
           (o->Operations &
            ~(OB_OPERATION)(OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE)) == 0 &&
           (o->PreOperation || o->PostOperation);
}

static NTSTATUS NTAPI ob_register(POB_CALLBACK_REGISTRATION r, PVOID *ret_handle)
{
    NTSTATUS status;

    if (!r || !ret_handle || r->Version != OB_FLT_REGISTRATION_VERSION || handle.count) {
        return refuse(STATUS_INVALID_PARAMETER, "object callbacks: bad argument, version or twice");
    }
    if (r->OperationRegistrationCount == 0 || r->OperationRegistrationCount > OPERATIONS_MAX) {
        return refuse(STATUS_INVALID_PARAMETER, "object callbacks: count");
    }
    if (!altitude_ok(&r->Altitude, shim_state.altitude[1])) {
        return refuse(STATUS_INVALID_PARAMETER, "object callbacks: no altitude");
    }
    for (uint32_t i = 0; i < r->OperationRegistrationCount; i++) {
        const OB_OPERATION_REGISTRATION *o = &r->OperationRegistration[i];

        if (!operation_ok(o)) {
            return refuse(STATUS_INVALID_PARAMETER, "object callbacks: type, operation or routine");
        }
        if (!shim_integrity(o->PreOperation ? (void *)o->PreOperation : (void *)o->PostOperation)) {
            return refuse(STATUS_ACCESS_DENIED,
                          "object callback in an image without FORCE_INTEGRITY");
        }
        handle.operation[i] = *o;
    }
    status = take(SHIM_HANDLE);
    if (NT_SUCCESS(status)) {
        handle.context = r->RegistrationContext;
        handle.count = r->OperationRegistrationCount;
        *ret_handle = &handle;
    }
    return status;
}

static VOID NTAPI ob_unregister(PVOID registration)
{
    if (registration != &handle || handle.count == 0) {
        shim_violation("object callbacks removed, not registered");
        return;
    }
    handle.count = 0;
    (void)removed(SHIM_HANDLE);
}

static PVOID NTAPI allocate_pool2(ULONG64 flags, SIZE_T len, ULONG tag)
{
    PVOID p;

    if (flags != POOL_NON_PAGED || len == 0 || tag == 0) {
        shim_violation("ExAllocatePool2: flags, size or tag");
        return NULL;
    }
    shim_state.pool2_calls++;
    p = ExAllocatePoolWithTag(NonPagedPoolNx, len, tag);
    if (p) {
        memset(p, 0, len);
    }
    return p;
}

static VOID NTAPI precise_time(PLARGE_INTEGER ret_time)
{
    shim_state.precise_time_calls++;
    KeQuerySystemTime(ret_time);
}

void *shim_callback_lookup(enum shim_optional which)
{
    static void *const functions[SHIM_OPTIONALS] = {
        [SHIM_ALLOCATE_POOL2] = allocate_pool2,   [SHIM_CM_REGISTER] = cm_register,
        [SHIM_CM_UNREGISTER] = cm_unregister,     [SHIM_CM_KEY_NAME] = cm_key_name,
        [SHIM_CM_RELEASE_NAME] = cm_release_name, [SHIM_START_KEY] = shim_start_key,
        [SHIM_PRECISE_TIME] = precise_time,
    };

    return shim_setup.hide & 1u << which ? NULL : functions[which];
}

static bool same_name(PCUNICODE_STRING a, const char *b)
{
    size_t n = a->Length / sizeof(WCHAR);

    for (size_t i = 0; i < n; i++) {
        if (b[i] == 0 || a->Buffer[i] != (WCHAR)b[i]) {
            return false;
        }
    }
    return b[n] == 0;
}

static PVOID NTAPI routine_address(PUNICODE_STRING name)
{
    static const char *const names[SHIM_OPTIONALS] = {
        [SHIM_ALLOCATE_POOL2] = "ExAllocatePool2",
        [SHIM_CM_REGISTER] = "CmRegisterCallbackEx",
        [SHIM_CM_UNREGISTER] = "CmUnRegisterCallback",
        [SHIM_CM_KEY_NAME] = "CmCallbackGetKeyObjectIDEx",
        [SHIM_CM_RELEASE_NAME] = "CmCallbackReleaseKeyObjectIDEx",
        [SHIM_START_KEY] = "PsGetProcessStartKey",
        [SHIM_PRECISE_TIME] = "KeQuerySystemTimePrecise",
    };
    char text[64] = {0};

    for (uint32_t i = 0; i < SHIM_OPTIONALS; i++) {
        if (same_name(name, names[i])) {
            return shim_callback_lookup(i);
        }
    }
    for (size_t i = 0; i < name->Length / sizeof(WCHAR) && i < sizeof(text) - 1; i++) {
        text[i] = (char)name->Buffer[i];
    }
    return shim_export(text);
}

/* Wine makes this one event itself, when a driver is loaded into this process. */
static VOID NTAPI relay(PUNICODE_STRING name, HANDLE pid, PIMAGE_INFO information)
{
    PLOAD_IMAGE_NOTIFY_ROUTINE routine;

    shim_enter(SHIM_IMAGE);
    routine = image_routine;
    if (routine) {
        routine(name, pid, information);
    }
    shim_leave(SHIM_IMAGE);
}

void shim_relay_start(void)
{
    (void)PsSetLoadImageNotifyRoutine(relay);
}

void shim_relay_stop(void)
{
    (void)PsRemoveLoadImageNotifyRoutine(relay);
}

PCREATE_PROCESS_NOTIFY_ROUTINE_EX shim_process_routine(void)
{
    return process_routine;
}

PCREATE_THREAD_NOTIFY_ROUTINE shim_thread_routine(void)
{
    return thread_routine;
}

PLOAD_IMAGE_NOTIFY_ROUTINE shim_image_routine(void)
{
    return image_routine;
}

NTSTATUS shim_registry_call(REG_NOTIFY_CLASS which, void *information, uint32_t *calls)
{
    NTSTATUS status;

    if (!registry.function) {
        return STATUS_NOT_REGISTERED;
    }
    status = registry.function(registry.context, (PVOID)(ULONG_PTR)which, information);
    (*calls)++;
    if (status != STATUS_SUCCESS) {
        shim_violation("registry callback did not return STATUS_SUCCESS: it refuses operations");
    }
    return status;
}

OB_PREOP_CALLBACK_STATUS shim_handle_call(OB_PRE_OPERATION_INFORMATION *information,
                                          uint32_t *calls)
{
    OB_PREOP_CALLBACK_STATUS returned = OB_PREOP_SUCCESS;

    for (uint32_t i = 0; i < handle.count; i++) {
        const OB_OPERATION_REGISTRATION *o = &handle.operation[i];

        if (*o->ObjectType == information->ObjectType && o->Operations & information->Operation &&
            o->PreOperation) {
            returned = o->PreOperation(handle.context, information);
            (*calls)++;
        }
    }
    return returned;
}

const struct shim_patch shim_callback_patches[] = {
    {"PsSetCreateProcessNotifyRoutineEx", set_process},
    {"PsSetCreateThreadNotifyRoutine", set_thread},
    {"PsRemoveCreateThreadNotifyRoutine", remove_thread},
    {"PsSetLoadImageNotifyRoutine", set_image},
    {"PsRemoveLoadImageNotifyRoutine", remove_image},
    {"ObRegisterCallbacks", ob_register},
    {"ObUnRegisterCallbacks", ob_unregister},
    {"CmUnRegisterCallback", cm_unregister},
    {"MmGetSystemRoutineAddress", routine_address},
};
const size_t shim_callback_patch_count = RTL_NUMBER_OF(shim_callback_patches);
