/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_ob.c — callbacks for handles to processes and threads. */
#include "nt_sim.h"

static uint32_t operations_of[2]; /* of the last registration: process, thread */
static unsigned entries;

void sim_ob_note_reset(void)
{
    operations_of[0] = operations_of[1] = 0;
    entries = 0;
}

uint32_t ntsim_handle_operations(bool threads)
{
    return operations_of[threads ? 1 : 0];
}

unsigned ntsim_handle_entries(void)
{
    return entries;
}

/* 0 process, 1 thread, 2 neither */
static unsigned type_index(POBJECT_TYPE *type)
{
    return type == PsProcessType ? 0 : type == PsThreadType ? 1 : 2;
}

static bool entry_valid(const OB_OPERATION_REGISTRATION *o)
{
    return type_index(o->ObjectType) < 2 && (o->PreOperation || o->PostOperation) &&
           o->Operations != 0 &&
           (o->Operations &
            ~(OB_OPERATION)(OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE)) == 0;
}

static NTSTATUS check(const OB_CALLBACK_REGISTRATION *r)
{
    if ((r->Version & 0xff00u) != OB_FLT_REGISTRATION_VERSION ||
        r->OperationRegistrationCount == 0 || !r->OperationRegistration ||
        !sim_altitude_valid(&r->Altitude)) {
        return STATUS_INVALID_PARAMETER;
    }
    for (unsigned i = 0; i < r->OperationRegistrationCount; i++) {
        if (!entry_valid(&r->OperationRegistration[i])) {
            return STATUS_INVALID_PARAMETER;
        }
    }
    return STATUS_SUCCESS;
}

static void note(const OB_CALLBACK_REGISTRATION *r)
{
    sim_ob_note_reset();
    sim_altitude_note(NTSIM_SOURCE_HANDLE, &r->Altitude);
    entries = r->OperationRegistrationCount;
    for (unsigned i = 0; i < entries; i++) {
        const OB_OPERATION_REGISTRATION *o = &r->OperationRegistration[i];

        operations_of[type_index(o->ObjectType)] |= o->Operations;
    }
}

static void fill(struct sim_slot *slot, const OB_CALLBACK_REGISTRATION *r)
{
    slot->altitude = sim_text_dup(sim_text_of(&r->Altitude));
    slot->context = r->RegistrationContext;
    for (unsigned i = 0; i < r->OperationRegistrationCount; i++) {
        const OB_OPERATION_REGISTRATION *o = &r->OperationRegistration[i];
        unsigned type = type_index(o->ObjectType);

        if (o->Operations & OB_OPERATION_HANDLE_CREATE) {
            slot->pre[type][0] = o->PreOperation;
        }
        if (o->Operations & OB_OPERATION_HANDLE_DUPLICATE) {
            slot->pre[type][1] = o->PreOperation;
        }
    }
    atomic_store(&slot->active, true);
}

NTSTATUS NTAPI ObRegisterCallbacks(POB_CALLBACK_REGISTRATION r, PVOID *ret_handle)
{
    SIM_ENTER(ObRegisterCallbacks);
    NTSTATUS status = SIM_FAULT(ObRegisterCallbacks);
    struct sim_slot *slot = NULL;

    if (status) {
        return status;
    }
    status = check(r);
    if (!NT_SUCCESS(status)) {
        sim_violation(SIM_RULE_callback_arguments, "ObRegisterCallbacks");
        return status;
    }
    note(r);
    sim_lock(SIM_LOCK_CALLBACK);
    if (!sim_altitude_free(NTSIM_SOURCE_HANDLE, &r->Altitude)) {
        status = SIM_ALTITUDE_COLLISION;
    } else {
        slot = sim_slot_free(NTSIM_SOURCE_HANDLE);
        status = slot ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    }
    if (slot) {
        fill(slot, r);
    }
    sim_unlock(SIM_LOCK_CALLBACK);
    SIM_LEAVE(ObRegisterCallbacks);
    if (slot) {
        *ret_handle = slot;
    }
    return status;
}

VOID NTAPI ObUnRegisterCallbacks(PVOID handle)
{
    SIM_ENTER(ObUnRegisterCallbacks);
    struct sim_slot *slot = handle;
    struct sim_slot *first = sim_callbacks[NTSIM_SOURCE_HANDLE].slot;

    if (slot < first || slot >= first + SIM_SLOTS || !atomic_load(&slot->active)) {
        sim_violation(SIM_RULE_callback_unknown, "ObUnRegisterCallbacks(%p)", handle);
        return;
    }
    sim_slot_stop(slot, "ObUnRegisterCallbacks");
    sim_lock(SIM_LOCK_CALLBACK);
    sim_free((void *)(ULONG_PTR)slot->altitude.units);
    slot->altitude = NTSIM_NULL;
    memset(slot->pre, 0, sizeof(slot->pre));
    sim_unlock(SIM_LOCK_CALLBACK);
    SIM_LEAVE(ObUnRegisterCallbacks);
}

/* ---- firing
 * ---------------------------------------------------------------------------------------------- */

static void call(struct sim_slot *slot,
                 POB_PRE_OPERATION_CALLBACK pre,
                 const struct ntsim_handle *h,
                 POB_PRE_OPERATION_PARAMETERS parameters)
{
    OB_PRE_OPERATION_INFORMATION info;

    memset(&info, 0, sizeof(info));
    info.Operation = h->duplicate ? OB_OPERATION_HANDLE_DUPLICATE : OB_OPERATION_HANDLE_CREATE;
    info.KernelHandle = h->kernel_handle ? 1 : 0;
    info.Object = h->thread ? (PVOID)sim_thread_body(h->thread) : sim_process_body(h->process);
    info.ObjectType = h->thread ? *PsThreadType : *PsProcessType;
    info.Parameters = parameters;
    if (pre(slot->context, &info) != OB_PREOP_SUCCESS) {
        sim_violation(SIM_RULE_callback_ob_status, "not OB_PREOP_SUCCESS");
    }
}

uint32_t ntsim_fire_handle(const struct ntsim_handle *h)
{
    OB_PRE_OPERATION_PARAMETERS parameters;
    struct sim_visit v;

    memset(&parameters, 0, sizeof(parameters));
    parameters.DuplicateHandleInformation.OriginalDesiredAccess = h->access;
    parameters.DuplicateHandleInformation.DesiredAccess =
        h->reduced_access ? h->reduced_access : h->access;
    if (h->duplicate) {
        parameters.DuplicateHandleInformation.SourceProcess = sim_process_body(h->source);
        parameters.DuplicateHandleInformation.TargetProcess = sim_process_body(h->target);
    }
    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        struct sim_slot *slot = &sim_callbacks[NTSIM_SOURCE_HANDLE].slot[i];

        if (sim_visit_begin(&v, slot)) {
            POB_PRE_OPERATION_CALLBACK pre = slot->pre[h->thread ? 1 : 0][h->duplicate ? 1 : 0];

            if (pre) {
                call(slot, pre, h, &parameters);
            }
            sim_visit_end(&v, "handle callback");
        }
    }
    return parameters.CreateHandleInformation.DesiredAccess;
}
