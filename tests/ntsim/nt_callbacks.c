/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_callbacks.c — registrations in general, and those for processes, images, threads.
 * Who fires counts itself into the slot before looking whether it is active; who unregisters makes
 * it inactive and waits for the count: as the kernel, it returns when nobody is inside any more. */
#include "nt_sim.h"

struct sim_slots sim_callbacks[NTSIM_SOURCES];

static uint16_t altitude_units[NTSIM_SOURCES][32];
static size_t altitude_len[NTSIM_SOURCES];
static struct ntsim_text taken;

/* ---- slots --------------------------------------------------------------------------------------
 */

struct sim_slot *sim_slot_free(enum ntsim_source s)
{
    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        struct sim_slot *slot = &sim_callbacks[s].slot[i];

        if (!atomic_load(&slot->active) && atomic_load(&slot->running) == 0) {
            return slot;
        }
    }
    return NULL;
}

void sim_slot_stop(struct sim_slot *slot, const char *who)
{
    for (unsigned i = 0; i < sim_self.callbacks && i < 8; i++) {
        if (sim_self.callback[i] == slot) {
            sim_violation(SIM_RULE_callback_self, "%s", who);
            atomic_store(&slot->active, false);
            return;
        }
    }
    atomic_store(&slot->active, false);
    while (atomic_load(&slot->running) != 0) {
        sim_yield();
    }
}

void sim_visit_start(struct sim_visit *v)
{
    v->slot = NULL;
    v->irql = sim_self.irql;
    v->held = sim_self.held_count;
    v->regions = sim_self.regions;
}

void sim_visit_check(const struct sim_visit *v, const char *what)
{
    if (sim_self.held_count != v->held) {
        sim_violation(SIM_RULE_lock_held, "%s: %u locks", what, sim_self.held_count);
        sim_self.held_count = v->held;
    }
    if (sim_self.regions != v->regions) {
        sim_violation(SIM_RULE_region_left, "%s: %u, was %u", what, sim_self.regions, v->regions);
        sim_self.regions = v->regions;
    }
    if (sim_self.irql != v->irql) {
        sim_violation(SIM_RULE_irql_changed, "%s: %u, was %u", what, sim_self.irql, v->irql);
        sim_self.irql = v->irql;
    }
}

bool sim_visit_begin(struct sim_visit *v, struct sim_slot *slot)
{
    if (!atomic_load_explicit(&slot->active, memory_order_relaxed)) {
        return false;
    }
    atomic_fetch_add(&slot->running, 1);
    if (!atomic_load(&slot->active)) {
        atomic_fetch_sub(&slot->running, 1);
        return false;
    }
    sim_visit_start(v);
    v->slot = slot;
    if (sim_self.callbacks < 8) {
        sim_self.callback[sim_self.callbacks] = slot;
    }
    sim_self.callbacks++;
    return true;
}

void sim_visit_end(struct sim_visit *v, const char *what)
{
    sim_visit_check(v, what);
    sim_self.callbacks--;
    atomic_fetch_sub(&v->slot->running, 1);
}

unsigned ntsim_registered(enum ntsim_source s)
{
    unsigned n = 0;

    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        n += atomic_load(&sim_callbacks[s].slot[i].active);
    }
    return n;
}

static void end_slot(struct sim_slot *slot)
{
    atomic_store(&slot->active, false);
    sim_free((void *)(ULONG_PTR)slot->altitude.units);
    slot->altitude = NTSIM_NULL;
    memset(slot->pre, 0, sizeof(slot->pre));
}

void sim_callbacks_check_unload(void)
{
    static const char *const names[NTSIM_SOURCES] = {"process", "image", "thread", "registry",
                                                     "handle"};

    for (unsigned s = 0; s < NTSIM_SOURCES; s++) {
        if (ntsim_registered((enum ntsim_source)s) > 0) {
            sim_violation(SIM_RULE_callback_leak, "%s", names[s]);
        }
        for (unsigned i = 0; i < SIM_SLOTS; i++) {
            end_slot(&sim_callbacks[s].slot[i]);
        }
    }
}

void sim_callbacks_reset(void)
{
    for (unsigned s = 0; s < NTSIM_SOURCES; s++) {
        for (unsigned i = 0; i < SIM_SLOTS; i++) {
            end_slot(&sim_callbacks[s].slot[i]);
        }
        altitude_len[s] = 0;
    }
    sim_free((void *)(ULONG_PTR)taken.units);
    taken = NTSIM_NULL;
    sim_self.callbacks = 0;
}

/* ---- altitudes
 * --------------------------------------------------------------------------------------- */

bool sim_altitude_valid(PCUNICODE_STRING a)
{
    unsigned n = a && a->Buffer ? a->Length / 2u : 0;
    unsigned points = 0, digits = 0;

    if (n == 0 || a->Length % 2 != 0) {
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        points += a->Buffer[i] == L'.';
        digits += a->Buffer[i] >= L'0' && a->Buffer[i] <= L'9';
    }
    return points <= 1 && points + digits == n && a->Buffer[0] != L'.';
}

bool sim_altitude_free(enum ntsim_source s, PCUNICODE_STRING altitude)
{
    if (taken.present && sim_text_equal(taken, sim_text_of(altitude))) {
        return false;
    }
    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        const struct sim_slot *slot = &sim_callbacks[s].slot[i];

        if (atomic_load(&slot->active) && sim_text_equal(slot->altitude, sim_text_of(altitude))) {
            return false;
        }
    }
    return true;
}

void sim_altitude_note(enum ntsim_source s, PCUNICODE_STRING altitude)
{
    size_t len = altitude ? altitude->Length : 0;

    altitude_len[s] = len < sizeof(altitude_units[s]) ? len : sizeof(altitude_units[s]);
    if (altitude && altitude->Buffer) {
        memcpy(altitude_units[s], altitude->Buffer, altitude_len[s]);
    }
}

const uint16_t *ntsim_altitude(enum ntsim_source s, size_t *ret_len)
{
    *ret_len = altitude_len[s];
    return altitude_units[s];
}

void ntsim_altitude_taken(struct ntsim_text altitude)
{
    sim_free((void *)(ULONG_PTR)taken.units);
    taken = sim_text_dup(altitude);
}

/* ---- processes, images, threads
 * ------------------------------------------------------------------------ */

static struct sim_slot *find(enum ntsim_source s, const void *function)
{
    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        struct sim_slot *slot = &sim_callbacks[s].slot[i];

        if (atomic_load(&slot->active) && atomic_load(&slot->function) == function) {
            return slot;
        }
    }
    return NULL;
}

static NTSTATUS add(enum ntsim_source s, ULONG_PTR function, const char *who)
{
    struct sim_slot *slot;

    sim_lock(SIM_LOCK_CALLBACK);
    if (!function || find(s, (void *)function)) {
        sim_unlock(SIM_LOCK_CALLBACK);
        sim_violation(SIM_RULE_callback_twice, "%s", who);
        return STATUS_INVALID_PARAMETER;
    }
    slot = sim_slot_free(s);
    if (slot) {
        atomic_store(&slot->function, (void *)function);
        atomic_store(&slot->active, true);
    }
    sim_unlock(SIM_LOCK_CALLBACK);
    return slot ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static NTSTATUS take_away(enum ntsim_source s, ULONG_PTR function, const char *who)
{
    struct sim_slot *slot;

    sim_lock(SIM_LOCK_CALLBACK);
    slot = find(s, (void *)function);
    sim_unlock(SIM_LOCK_CALLBACK);
    if (!slot) {
        sim_violation(SIM_RULE_callback_unknown, "%s", who);
        return STATUS_PROCEDURE_NOT_FOUND;
    }
    sim_slot_stop(slot, who);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI PsSetCreateProcessNotifyRoutineEx(PCREATE_PROCESS_NOTIFY_ROUTINE_EX routine,
                                                 BOOLEAN remove)
{
    static const char who[] = "PsSetCreateProcessNotifyRoutineEx";
    SIM_ENTER(PsSetCreateProcessNotifyRoutineEx);
    NTSTATUS status = remove ? 0 : SIM_FAULT(PsSetCreateProcessNotifyRoutineEx);

    if (status == 0) {
        status = remove ? take_away(NTSIM_SOURCE_PROCESS, (ULONG_PTR)routine, who)
                        : add(NTSIM_SOURCE_PROCESS, (ULONG_PTR)routine, who);
    }
    SIM_LEAVE(PsSetCreateProcessNotifyRoutineEx);
    return status;
}

NTSTATUS NTAPI PsSetLoadImageNotifyRoutine(PLOAD_IMAGE_NOTIFY_ROUTINE routine)
{
    SIM_ENTER(PsSetLoadImageNotifyRoutine);
    NTSTATUS status = SIM_FAULT(PsSetLoadImageNotifyRoutine);

    if (status == 0) {
        status = add(NTSIM_SOURCE_IMAGE, (ULONG_PTR)routine, "PsSetLoadImageNotifyRoutine");
    }
    SIM_LEAVE(PsSetLoadImageNotifyRoutine);
    return status;
}

NTSTATUS NTAPI PsRemoveLoadImageNotifyRoutine(PLOAD_IMAGE_NOTIFY_ROUTINE routine)
{
    SIM_ENTER(PsRemoveLoadImageNotifyRoutine);
    NTSTATUS status =
        take_away(NTSIM_SOURCE_IMAGE, (ULONG_PTR)routine, "PsRemoveLoadImageNotifyRoutine");

    SIM_LEAVE(PsRemoveLoadImageNotifyRoutine);
    return status;
}

NTSTATUS NTAPI PsSetCreateThreadNotifyRoutine(PCREATE_THREAD_NOTIFY_ROUTINE routine)
{
    SIM_ENTER(PsSetCreateThreadNotifyRoutine);
    NTSTATUS status = SIM_FAULT(PsSetCreateThreadNotifyRoutine);

    if (status == 0) {
        status = add(NTSIM_SOURCE_THREAD, (ULONG_PTR)routine, "PsSetCreateThreadNotifyRoutine");
    }
    SIM_LEAVE(PsSetCreateThreadNotifyRoutine);
    return status;
}

NTSTATUS NTAPI PsRemoveCreateThreadNotifyRoutine(PCREATE_THREAD_NOTIFY_ROUTINE routine)
{
    SIM_ENTER(PsRemoveCreateThreadNotifyRoutine);
    NTSTATUS status =
        take_away(NTSIM_SOURCE_THREAD, (ULONG_PTR)routine, "PsRemoveCreateThreadNotifyRoutine");

    SIM_LEAVE(PsRemoveCreateThreadNotifyRoutine);
    return status;
}

/* ---- firing
 * ---------------------------------------------------------------------------------------------- */

static HANDLE id(uint64_t n)
{
    return (HANDLE)(ULONG_PTR)n;
}

static void fire_process(PEPROCESS process, HANDLE pid, PPS_CREATE_NOTIFY_INFO info)
{
    struct sim_visit v;

    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        struct sim_slot *slot = &sim_callbacks[NTSIM_SOURCE_PROCESS].slot[i];

        if (sim_visit_begin(&v, slot)) {
            ((PCREATE_PROCESS_NOTIFY_ROUTINE_EX)(ULONG_PTR)atomic_load(&slot->function))(process,
                                                                                         pid, info);
            sim_visit_end(&v, "process callback");
        }
    }
}

int32_t ntsim_fire_process_create(const struct ntsim_create *c)
{
    const struct ntsim_thread *creator = sim_current();
    bool given = c->creating_pid != 0 || c->creating_tid != 0;
    struct sim_string image, command;
    FILE_OBJECT file;
    PS_CREATE_NOTIFY_INFO info;

    memset(&file, 0, sizeof(file));
    memset(&info, 0, sizeof(info));
    info.Size = sizeof(info);
    info.FileOpenNameAvailable = c->file_open_name_available ? 1 : 0;
    info.ParentProcessId = id(c->parent_pid ? c->parent_pid : c->process->spec.parent_pid);
    info.CreatingThreadId.UniqueProcess = id(given ? c->creating_pid : creator->process->spec.pid);
    info.CreatingThreadId.UniqueThread = id(given ? c->creating_tid : creator->tid);
    info.FileObject = c->no_file_object ? NULL : &file;
    info.ImageFileName = sim_string_init(&image, c->image);
    info.CommandLine = sim_string_init(&command, c->command_line);
    fire_process(sim_process_body(c->process), id(c->process->spec.pid), &info);
    sim_string_fini(&image);
    sim_string_fini(&command);
    return info.CreationStatus;
}

void ntsim_fire_process_exit_as(struct ntsim_process *p, uint64_t pid)
{
    if (p) {
        atomic_store(&p->exited, true);
    }
    fire_process(sim_process_body(p), id(pid), NULL);
}

void ntsim_fire_process_exit(struct ntsim_process *p)
{
    ntsim_fire_process_exit_as(p, p->spec.pid);
}

void ntsim_fire_image(const struct ntsim_image *image)
{
    struct sim_string name;
    IMAGE_INFO_EX info;
    FILE_OBJECT file;
    struct sim_visit v;
    PUNICODE_STRING full;

    memset(&info, 0, sizeof(info));
    memset(&file, 0, sizeof(file));
    info.Size = sizeof(info);
    info.FileObject = &file;
    info.ImageInfo.Properties = image->properties;
    info.ImageInfo.ImageBase = (PVOID)(ULONG_PTR)image->base;
    info.ImageInfo.ImageSize = image->size;
    full = sim_string_init(&name, image->name);
    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        struct sim_slot *slot = &sim_callbacks[NTSIM_SOURCE_IMAGE].slot[i];

        if (sim_visit_begin(&v, slot)) {
            ((PLOAD_IMAGE_NOTIFY_ROUTINE)(ULONG_PTR)atomic_load(&slot->function))(
                full, id(image->pid), &info.ImageInfo);
            sim_visit_end(&v, "image callback");
        }
    }
    sim_string_fini(&name);
}

void ntsim_fire_thread(uint64_t pid, uint64_t tid, bool created)
{
    struct sim_visit v;

    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        struct sim_slot *slot = &sim_callbacks[NTSIM_SOURCE_THREAD].slot[i];

        if (sim_visit_begin(&v, slot)) {
            ((PCREATE_THREAD_NOTIFY_ROUTINE)(ULONG_PTR)atomic_load(&slot->function))(
                id(pid), id(tid), created);
            sim_visit_end(&v, "thread callback");
        }
    }
}
