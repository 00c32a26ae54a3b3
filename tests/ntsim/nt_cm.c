/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_cm.c — registering for registry operations, and the names of key objects. */
#include "nt_sim.h"

struct ntsim_key {
    struct sim_object object;
    UCHAR body[16];
    struct ntsim_text name;
    int32_t fail;
    bool dead;
    struct ntsim_key *next, *prev;
};
_Static_assert(offsetof(struct ntsim_key, body) == sizeof(struct sim_object), "the body follows");

static struct ntsim_key *all_keys; /* and what is in them: under SIM_LOCK_CM */
static struct ntsim_key dead_key;
static uint64_t next_cookie = 0x1d0;

/* ---- key objects
 * --------------------------------------------------------------------------------- */

struct ntsim_key *ntsim_key_new(struct ntsim_text name)
{
    struct ntsim_key *k = sim_zalloc(sizeof(*k));

    sim_object_init(&k->object, SIM_TYPE_KEY);
    k->name = sim_text_dup(name);
    sim_lock(SIM_LOCK_CM);
    k->next = all_keys;
    if (all_keys) {
        all_keys->prev = k;
    }
    all_keys = k;
    sim_unlock(SIM_LOCK_CM);
    return k;
}

void ntsim_key_free(struct ntsim_key *k)
{
    sim_lock(SIM_LOCK_CM);
    if (k->prev) {
        k->prev->next = k->next;
    } else {
        all_keys = k->next;
    }
    if (k->next) {
        k->next->prev = k->prev;
    }
    sim_unlock(SIM_LOCK_CM);
    sim_object_end(&k->object, "key");
    sim_free((void *)(ULONG_PTR)k->name.units);
    sim_free(k);
}

void ntsim_key_rename(struct ntsim_key *k, struct ntsim_text name)
{
    struct ntsim_text copy = sim_text_dup(name);

    sim_lock(SIM_LOCK_CM);
    sim_free((void *)(ULONG_PTR)k->name.units);
    k->name = copy;
    sim_unlock(SIM_LOCK_CM);
}

void ntsim_key_fail(struct ntsim_key *k, int32_t status)
{
    sim_lock(SIM_LOCK_CM);
    k->fail = status;
    sim_unlock(SIM_LOCK_CM);
}

struct ntsim_key *ntsim_key_dead(void)
{
    return &dead_key;
}

PVOID sim_key_body(struct ntsim_key *k)
{
    return k ? k->body : NULL;
}

/* What a rename does: the last part of the name is another one. */
void sim_key_rename_leaf(struct ntsim_key *k, struct ntsim_text leaf)
{
    size_t n;
    uint16_t *units;

    sim_lock(SIM_LOCK_CM);
    n = k->name.len / 2u;
    while (n > 0 && k->name.units[n - 1] != '\\') {
        n--;
    }
    if (k->name.units && leaf.units && n * 2 + leaf.len <= 0xffff) {
        units = sim_alloc(n * 2 + leaf.len);
        memcpy(units, k->name.units, n * 2);
        memcpy(units + n, leaf.units, leaf.len);
        sim_free((void *)(ULONG_PTR)k->name.units);
        k->name = NTSIM_BYTES(units, n * 2 + leaf.len);
    }
    sim_unlock(SIM_LOCK_CM);
}

void sim_cm_reset(void)
{
    while (all_keys) {
        ntsim_key_free(all_keys);
    }
    sim_object_init(&dead_key.object, SIM_TYPE_KEY);
    dead_key.dead = true;
}

/* ---- registering
 * ------------------------------------------------------------------------------------ */

NTSTATUS NTAPI CmRegisterCallbackEx(PEX_CALLBACK_FUNCTION function,
                                    PCUNICODE_STRING altitude,
                                    PVOID driver,
                                    PVOID context,
                                    PLARGE_INTEGER ret_cookie,
                                    PVOID reserved)
{
    SIM_ENTER(CmRegisterCallbackEx);
    NTSTATUS status = SIM_FAULT(CmRegisterCallbackEx);
    struct sim_slot *slot = NULL;
    uint64_t cookie = 0;

    if (status) {
        return status;
    }
    if (!function || !driver || !ret_cookie || reserved || !sim_altitude_valid(altitude)) {
        sim_violation(SIM_RULE_callback_arguments, "CmRegisterCallbackEx");
        return STATUS_INVALID_PARAMETER;
    }
    sim_altitude_note(NTSIM_SOURCE_REGISTRY, altitude);
    sim_lock(SIM_LOCK_CALLBACK);
    if (!sim_altitude_free(NTSIM_SOURCE_REGISTRY, altitude)) {
        status = SIM_ALTITUDE_COLLISION;
    } else {
        slot = sim_slot_free(NTSIM_SOURCE_REGISTRY);
        status = slot ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    }
    if (slot) {
        cookie = next_cookie++;
        slot->cookie = cookie;
        slot->context = context;
        slot->altitude = sim_text_dup(sim_text_of(altitude));
        atomic_store(&slot->function, (void *)(ULONG_PTR)function);
        atomic_store(&slot->active, true);
    }
    sim_unlock(SIM_LOCK_CALLBACK);
    SIM_LEAVE(CmRegisterCallbackEx);
    if (slot) {
        ret_cookie->QuadPart = (LONGLONG)cookie;
    }
    return status;
}

static struct sim_slot *slot_of(uint64_t cookie)
{
    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        struct sim_slot *slot = &sim_callbacks[NTSIM_SOURCE_REGISTRY].slot[i];

        if (atomic_load(&slot->active) && slot->cookie == cookie) {
            return slot;
        }
    }
    return NULL;
}

NTSTATUS NTAPI CmUnRegisterCallback(LARGE_INTEGER cookie)
{
    SIM_ENTER(CmUnRegisterCallback);
    struct sim_slot *slot;

    sim_lock(SIM_LOCK_CALLBACK);
    slot = slot_of((uint64_t)cookie.QuadPart);
    sim_unlock(SIM_LOCK_CALLBACK);
    if (!slot) {
        sim_violation(SIM_RULE_callback_unknown, "CmUnRegisterCallback(%llx)",
                      (unsigned long long)cookie.QuadPart);
        return STATUS_INVALID_PARAMETER;
    }
    sim_slot_stop(slot, "CmUnRegisterCallback");
    sim_lock(SIM_LOCK_CALLBACK);
    sim_free((void *)(ULONG_PTR)slot->altitude.units);
    slot->altitude = NTSIM_NULL;
    sim_unlock(SIM_LOCK_CALLBACK);
    SIM_LEAVE(CmUnRegisterCallback);
    return STATUS_SUCCESS;
}

/* ---- names
 * --------------------------------------------------------------------------------------------- */

/* The lock SIM_LOCK_CM is held. */
static PCUNICODE_STRING name_of(const struct ntsim_key *k)
{
    PUNICODE_STRING name =
        sim_block_new(SIM_KIND_NAME, sizeof(*name) + k->name.len, 0x6d4e6d43u, false, true);

    name->Length = k->name.len;
    name->MaximumLength = k->name.len;
    name->Buffer = k->name.units ? (PWSTR)(name + 1) : NULL;
    if (k->name.units) {
        memcpy(name->Buffer, k->name.units, k->name.len);
    }
    return name;
}

NTSTATUS NTAPI CmCallbackGetKeyObjectIDEx(
    PLARGE_INTEGER cookie, PVOID object, PULONG_PTR ret_id, PCUNICODE_STRING *ret_name, ULONG flags)
{
    SIM_ENTER(CmCallbackGetKeyObjectIDEx);
    NTSTATUS status = SIM_FAULT(CmCallbackGetKeyObjectIDEx);
    struct ntsim_key *k;

    if (status) {
        return status;
    }
    if (!cookie || !object || flags != 0 || !slot_of((uint64_t)cookie->QuadPart)) {
        return STATUS_INVALID_PARAMETER;
    }
    if (object == sim_key_body(&dead_key)) {
        sim_violation(SIM_RULE_cm_dead_object, "CmCallbackGetKeyObjectIDEx");
        return STATUS_INVALID_PARAMETER;
    }
    if (!sim_object_check(object, SIM_TYPE_KEY, "CmCallbackGetKeyObjectIDEx")) {
        return STATUS_INVALID_PARAMETER;
    }
    k = CONTAINING_RECORD((UCHAR *)object, struct ntsim_key, body);
    sim_lock(SIM_LOCK_CM);
    status = k->fail;
    if (NT_SUCCESS(status)) {
        if (ret_id) {
            *ret_id = (ULONG_PTR)object;
        }
        if (ret_name) {
            *ret_name = name_of(k);
        }
    }
    sim_unlock(SIM_LOCK_CM);
    SIM_LEAVE(CmCallbackGetKeyObjectIDEx);
    return status;
}

VOID NTAPI CmCallbackReleaseKeyObjectIDEx(PCUNICODE_STRING name)
{
    SIM_ENTER(CmCallbackReleaseKeyObjectIDEx);
    sim_block_free((PVOID)(ULONG_PTR)name, SIM_KIND_NAME, false, 0);
}
