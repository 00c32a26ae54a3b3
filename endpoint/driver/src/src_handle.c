/* SPDX-License-Identifier: Apache-2.0
 * Handles to processes and threads, as they are opened or duplicated with rights that let one
 * process change, read or stop another. The callback runs at PASSIVE or APC in the asking thread's
 * context, before the handle exists; the mask that was asked for decides, because another driver
 * may already have taken rights away from the one that will be granted. */
#include "evq.h"
#include "kfilter.h"
#include "procinfo.h"
#include "proctab.h"
#include "rec.h"
#include "source.h"
#include "sources.h"

/* Rights of winnt.h by value, since kernel headers lack most. TERMINATE, CREATE_THREAD,
 * VM_OPERATION, VM_READ, VM_WRITE, DUP_HANDLE, CREATE_PROCESS, SET_INFORMATION, SUSPEND_RESUME. */
#define PROCESS_RIGHTS \
    (0x0001u | 0x0002u | 0x0008u | 0x0010u | 0x0020u | 0x0040u | 0x0080u | 0x0200u | 0x0800u)
/* TERMINATE, SUSPEND_RESUME, GET_CONTEXT, SET_CONTEXT, SET_INFORMATION, SET_THREAD_TOKEN,
 * IMPERSONATE, DIRECT_IMPERSONATION. */
#define THREAD_RIGHTS \
    (0x0001u | 0x0002u | 0x0008u | 0x0010u | 0x0020u | 0x0080u | 0x0100u | 0x0200u)

static PVOID registration;

/* One handle operation in plain numbers. */
struct access {
    PEPROCESS process; /* the target, or the process of the target thread; borrowed */
    uint32_t source_pid, target_pid, target_tid;
    uint32_t from_pid, to_pid; /* of a duplication */
    uint32_t desired, original;
    uint16_t op; /* WEDR_HANDLE_OP_* */
};

/* False for an operation that this driver did not ask for. */
static bool read_access(const OB_PRE_OPERATION_INFORMATION *info, struct access *ret)
{
    WEDR_MEMSET(ret, 0, sizeof(*ret));
    ret->source_pid = wedr_id(PsGetCurrentProcessId());
    if (info->ObjectType == *WEDR_PROCESS_TYPE) {
        ret->process = (PEPROCESS)info->Object;
    } else if (info->ObjectType == *WEDR_THREAD_TYPE) {
        ret->process = IoThreadToProcess((PETHREAD)info->Object);
        ret->target_tid = wedr_id(PsGetThreadId((PETHREAD)info->Object));
    } else {
        return false;
    }
    ret->target_pid = wedr_id(PsGetProcessId(ret->process));
    if (info->Operation == OB_OPERATION_HANDLE_CREATE) {
        ret->op = WEDR_HANDLE_OP_OPEN;
        ret->desired = info->Parameters->CreateHandleInformation.DesiredAccess;
        ret->original = info->Parameters->CreateHandleInformation.OriginalDesiredAccess;
        ret->to_pid = ret->source_pid;
    } else if (info->Operation == OB_OPERATION_HANDLE_DUPLICATE) {
        const OB_PRE_DUPLICATE_HANDLE_INFORMATION *d =
            &info->Parameters->DuplicateHandleInformation;

        ret->op = WEDR_HANDLE_OP_DUPLICATE;
        ret->desired = d->DesiredAccess;
        ret->original = d->OriginalDesiredAccess;
        ret->from_pid = wedr_id(PsGetProcessId((PEPROCESS)d->SourceProcess));
        ret->to_pid = wedr_id(PsGetProcessId((PEPROCESS)d->TargetProcess));
    } else {
        return false;
    }
    return true;
}

/* Rights that matter, got by or through somebody else. */
static bool matters(const struct access *a)
{
    uint32_t rights = a->target_tid != 0 ? THREAD_RIGHTS : PROCESS_RIGHTS;

    return (a->original & rights) != 0 &&
           (a->source_pid != a->target_pid || a->to_pid != a->target_pid);
}

/* The handles that CreateProcess itself opens to the process it is making: the process is not
 * announced yet (or, for its first thread, just was), alive, and the caller's own child. Where the
 * table is not sure of itself, nothing is left out. */
static bool is_creation(const struct access *a)
{
    struct wedr_proc p;

    if (a->op != WEDR_HANDLE_OP_OPEN || wedr_procinfo_exited(a->process)) {
        return false;
    }
    if (wedr_proctab_find(a->target_pid, &p)) {
        return a->target_tid != 0 &&
               wedr_proctab_creation_thread_handle(a->target_pid, a->target_tid, a->source_pid,
                                                   wedr_id(PsGetCurrentThreadId()));
    }
    return wedr_proctab_is_complete() &&
           wedr_id(PsGetProcessInheritedFromUniqueProcessId(a->process)) == a->source_pid;
}

static void push(const struct access *a)
{
    struct wedr_windows_process_handle_access e;
    struct wedr_proc p;
    struct wedr_rec r;

    wedr_rec_begin(&r, &e, sizeof(e), WEDR_EV_PROCESS_HANDLE_ACCESS, WEDR_LANE_CRITICAL);
    e.source_pid = a->source_pid;
    e.target_pid = a->target_pid;
    e.target_tid = a->target_tid;
    e.source_key = wedr_proctab_find(a->source_pid, &p) ? p.key : 0;
    e.target_key = wedr_procinfo_key(a->process);
    e.op = a->op;
    e.desired_access = a->desired;
    e.original_desired_access = a->original;
    if (a->op == WEDR_HANDLE_OP_DUPLICATE) {
        e.duplicate_source_pid = a->from_pid;
        e.duplicate_target_pid = a->to_pid;
    }
    wedr_source_count(WEDR_CALLBACK_HANDLE, wedr_rec_push(&r));
}

static OB_PREOP_CALLBACK_STATUS NTAPI on_handle(PVOID context, POB_PRE_OPERATION_INFORMATION info)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    struct access a;

    UNREFERENCED_PARAMETER(context);
    wedr_source_call(WEDR_CALLBACK_HANDLE);
    if (!info->KernelHandle && read_access(info, &a) && matters(&a) && !is_creation(&a)) {
        if ((wedr_kfilter_classes() & WEDR_CLASS_HANDLE) != 0) {
            push(&a);
        } else {
            wedr_evq_filtered(WEDR_LANE_CRITICAL);
        }
    }
    return OB_PREOP_SUCCESS;
}

void wedr_src_handle_start(const struct wedr_settings *s)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    OB_OPERATION_REGISTRATION operations[2];
    OB_CALLBACK_REGISTRATION r;
    NTSTATUS status;

    WEDR_MEMSET(operations, 0, sizeof(operations));
    operations[0].ObjectType = WEDR_PROCESS_TYPE;
    operations[1].ObjectType = WEDR_THREAD_TYPE;
    for (unsigned i = 0; i < WEDR_ARRAY_COUNT(operations); i++) {
        operations[i].Operations = OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE;
        operations[i].PreOperation = on_handle;
    }
    WEDR_MEMSET(&r, 0, sizeof(r));
    r.Version = OB_FLT_REGISTRATION_VERSION;
    r.OperationRegistrationCount = (USHORT)WEDR_ARRAY_COUNT(operations);
    r.Altitude.Buffer = (PWCH)s->altitude;
    r.Altitude.Length = s->altitude_len;
    r.Altitude.MaximumLength = s->altitude_len;
    r.OperationRegistration = operations;
    registration = NULL;
    status = ObRegisterCallbacks(&r, &registration);
    wedr_source_registered(WEDR_CALLBACK_HANDLE, status);
}

void wedr_src_handle_stop(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    if (wedr_source_stop(WEDR_CALLBACK_HANDLE)) {
        ObUnRegisterCallbacks(registration);
        registration = NULL;
    }
}
