/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_ps.c — objects and their references, processes, threads. */
#include "nt_sim.h"

#define BUCKETS 1024u

_Atomic int64_t sim_references;

static struct ntsim_process *buckets[BUCKETS]; /* live ones by pid; under SIM_LOCK_PS */
static struct ntsim_process *everyone;
static struct ntsim_process *system_process;
static struct ntsim_thread *system_thread;

static POBJECT_TYPE process_type = (POBJECT_TYPE)(ULONG_PTR)0x7001u;
static POBJECT_TYPE thread_type = (POBJECT_TYPE)(ULONG_PTR)0x7002u;
POBJECT_TYPE *PsProcessType = &process_type;
POBJECT_TYPE *PsThreadType = &thread_type;

/* ---- objects ----------------------------------------------------------------------------------
 */

struct sim_object *sim_object_of(const void *body)
{
    return (struct sim_object *)(ULONG_PTR)body - 1;
}

bool sim_object_check(const void *body, enum sim_type type, const char *who)
{
    if (body && sim_object_of(body)->magic == SIM_OBJECT_MAGIC &&
        (type == 0 || sim_object_of(body)->type == type)) {
        return true;
    }
    sim_violation(SIM_RULE_object_type, "%s(%p)", who, body);
    return false;
}

void sim_object_init(struct sim_object *o, enum sim_type type)
{
    o->magic = SIM_OBJECT_MAGIC;
    o->type = type;
    atomic_store(&o->refs, 0);
}

void sim_object_end(struct sim_object *o, const char *what)
{
    int64_t refs = atomic_exchange(&o->refs, 0);

    if (refs != 0) {
        atomic_fetch_sub(&sim_references, refs);
        sim_violation(SIM_RULE_object_freed, "%s, %lld references", what, (long long)refs);
    }
    o->magic = 0;
}

void sim_object_ref(struct sim_object *o)
{
    atomic_fetch_add(&o->refs, 1);
    atomic_fetch_add(&sim_references, 1);
}

static LONG_PTR unref(struct sim_object *o, const char *who)
{
    int64_t before = atomic_fetch_sub(&o->refs, 1);

    if (before <= 0) {
        atomic_fetch_add(&o->refs, 1);
        sim_violation(SIM_RULE_object_underflow, "%s", who);
        return 0;
    }
    atomic_fetch_sub(&sim_references, 1);
    return (LONG_PTR)before; /* the kernel's own one is left */
}

LONG_PTR FASTCALL ObfReferenceObject(PVOID body)
{
    SIM_ENTER(ObfReferenceObject);
    if (!sim_object_check(body, 0, "ObfReferenceObject")) {
        return 0;
    }
    sim_object_ref(sim_object_of(body));
    return 2;
}

LONG_PTR FASTCALL ObfDereferenceObject(PVOID body)
{
    SIM_ENTER(ObfDereferenceObject);
    if (!sim_object_check(body, 0, "ObfDereferenceObject")) {
        return 0;
    }
    return unref(sim_object_of(body), "ObfDereferenceObject");
}

uint64_t ntsim_references(void)
{
    return (uint64_t)atomic_load(&sim_references);
}

/* ---- processes as the test makes them
 * ------------------------------------------------------------- */

static struct ntsim_process **bucket_of(uint64_t pid)
{
    return &buckets[(pid >> 2) % BUCKETS];
}

static struct ntsim_process *find_locked(uint64_t pid)
{
    struct ntsim_process *p = *bucket_of(pid);

    while (p && p->spec.pid != pid) {
        p = p->next;
    }
    return p;
}

static void add(struct ntsim_process *p)
{
    struct ntsim_process **at = bucket_of(p->spec.pid);

    sim_lock(SIM_LOCK_PS);
    if (find_locked(p->spec.pid)) {
        sim_die("ntsim_process_new: that pid is alive");
    }
    p->next = *at;
    *at = p;
    p->next_all = everyone;
    if (everyone) {
        everyone->prev_all = p;
    }
    everyone = p;
    sim_unlock(SIM_LOCK_PS);
}

struct ntsim_process *ntsim_process_new(const struct ntsim_process_spec *spec)
{
    static const uint8_t local_system[12] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0};
    struct ntsim_process *p = sim_zalloc(sizeof(*p));

    sim_object_init(&p->object, SIM_TYPE_PROCESS);
    sim_object_init(&p->token, SIM_TYPE_TOKEN);
    p->spec = *spec;
    p->spec.image = sim_text_dup(spec->image);
    if (!spec->sid) {
        p->spec.sid_len = sizeof(local_system);
    } else if (spec->sid_len > SIM_SID_MAX) {
        sim_die("ntsim_process_new: a SID has at most 68 bytes");
    }
    memcpy(p->sid, spec->sid ? spec->sid : local_system, p->spec.sid_len);
    p->spec.sid = p->sid;
    atomic_store(&p->fail, spec->fail);
    atomic_store(&p->exit_status, spec->exit_status);
    atomic_store(&p->live, true);
    add(p);
    return p;
}

void ntsim_process_end(struct ntsim_process *p)
{
    atomic_store(&p->exited, true);
    sim_lock(SIM_LOCK_PS);
    if (atomic_exchange(&p->live, false)) {
        struct ntsim_process **at = bucket_of(p->spec.pid);

        while (*at != p) {
            at = &(*at)->next;
        }
        *at = p->next;
    }
    sim_unlock(SIM_LOCK_PS);
}

static void destroy(struct ntsim_process *p)
{
    while (p->threads) {
        struct ntsim_thread *t = p->threads;

        p->threads = t->next;
        sim_object_end(&t->object, "thread");
        sim_free(t);
    }
    sim_object_end(&p->token, "token");
    sim_object_end(&p->object, "process");
    sim_free((void *)(ULONG_PTR)p->spec.image.units);
    sim_free(p);
}

void ntsim_process_free(struct ntsim_process *p)
{
    ntsim_process_end(p);
    sim_lock(SIM_LOCK_PS);
    if (p->prev_all) {
        p->prev_all->next_all = p->next_all;
    } else {
        everyone = p->next_all;
    }
    if (p->next_all) {
        p->next_all->prev_all = p->prev_all;
    }
    sim_unlock(SIM_LOCK_PS);
    destroy(p);
}

void ntsim_process_fail(struct ntsim_process *p, unsigned fail)
{
    atomic_store(&p->fail, fail);
}

void ntsim_process_exit_status(struct ntsim_process *p, int32_t status)
{
    atomic_store(&p->exit_status, status);
}

uint64_t ntsim_pid(const struct ntsim_process *p)
{
    return p->spec.pid;
}

struct ntsim_process *ntsim_process_find(uint64_t pid)
{
    struct ntsim_process *p;

    sim_lock(SIM_LOCK_PS);
    p = find_locked(pid);
    sim_unlock(SIM_LOCK_PS);
    return p;
}

struct ntsim_process *ntsim_system(void)
{
    return system_process;
}

struct ntsim_thread *ntsim_thread_new(struct ntsim_process *p, uint64_t tid)
{
    struct ntsim_thread *t = sim_zalloc(sizeof(*t));

    sim_object_init(&t->object, SIM_TYPE_THREAD);
    t->tid = tid;
    t->process = p;
    sim_lock(SIM_LOCK_PS);
    t->next = p->threads;
    p->threads = t;
    sim_unlock(SIM_LOCK_PS);
    return t;
}

uint64_t ntsim_tid(const struct ntsim_thread *t)
{
    return t->tid;
}

/* ---- the current one
 * -------------------------------------------------------------------------------- */

void ntsim_set_current(struct ntsim_thread *t)
{
    sim_self.current = t;
    sim_self.generation = atomic_load_explicit(&sim_generation, memory_order_relaxed);
}

struct ntsim_thread *sim_current(void)
{
    if (!sim_self.current ||
        sim_self.generation != atomic_load_explicit(&sim_generation, memory_order_relaxed)) {
        return system_thread;
    }
    return sim_self.current;
}

struct ntsim_thread *ntsim_current(void)
{
    return sim_current();
}

/* After a leak was reported. */
void sim_ps_forget_references(void)
{
    for (struct ntsim_process *p = everyone; p; p = p->next_all) {
        atomic_store(&p->object.refs, 0);
        atomic_store(&p->token.refs, 0);
        for (struct ntsim_thread *t = p->threads; t; t = t->next) {
            atomic_store(&t->object.refs, 0);
        }
    }
    atomic_store(&sim_references, 0);
}

void sim_ps_reset(void)
{
    static const struct ntsim_process_spec system = {
        .pid = 4, .create_time = NTSIM_TIME, .start_key = 1, .integrity = 0x4000, .elevated = true};

    atomic_fetch_add(&sim_generation, 1);
    while (everyone) {
        ntsim_process_free(everyone);
    }
    system_process = ntsim_process_new(&system);
    system_thread = ntsim_thread_new(system_process, 8);
}

/* ---- the driver's side
 * -------------------------------------------------------------------------------- */

static HANDLE id(uint64_t n)
{
    return (HANDLE)(ULONG_PTR)n;
}

static struct ntsim_process *process_of(PEPROCESS body, const char *who)
{
    return sim_object_check(body, SIM_TYPE_PROCESS, who)
               ? CONTAINING_RECORD((UCHAR *)body, struct ntsim_process, body)
               : system_process;
}

static struct ntsim_thread *thread_of(PETHREAD body, const char *who)
{
    return sim_object_check(body, SIM_TYPE_THREAD, who)
               ? CONTAINING_RECORD((UCHAR *)body, struct ntsim_thread, body)
               : system_thread;
}

PEPROCESS NTAPI IoGetCurrentProcess(VOID)
{
    SIM_ENTER(IoGetCurrentProcess);
    return sim_process_body(sim_current()->process);
}

PEPROCESS NTAPI IoThreadToProcess(PETHREAD thread)
{
    SIM_ENTER(IoThreadToProcess);
    return sim_process_body(thread_of(thread, "IoThreadToProcess")->process);
}

HANDLE NTAPI PsGetCurrentProcessId(VOID)
{
    SIM_ENTER(PsGetCurrentProcessId);
    return id(sim_current()->process->spec.pid);
}

HANDLE NTAPI PsGetCurrentThreadId(VOID)
{
    SIM_ENTER(PsGetCurrentThreadId);
    return id(sim_current()->tid);
}

HANDLE NTAPI PsGetProcessId(PEPROCESS process)
{
    SIM_ENTER(PsGetProcessId);
    return id(process_of(process, "PsGetProcessId")->spec.pid);
}

HANDLE NTAPI PsGetThreadId(PETHREAD thread)
{
    SIM_ENTER(PsGetThreadId);
    return id(thread_of(thread, "PsGetThreadId")->tid);
}

HANDLE NTAPI PsGetThreadProcessId(PETHREAD thread)
{
    SIM_ENTER(PsGetThreadProcessId);
    return id(thread_of(thread, "PsGetThreadProcessId")->process->spec.pid);
}

NTSTATUS NTAPI PsGetProcessExitStatus(PEPROCESS process)
{
    SIM_ENTER(PsGetProcessExitStatus);
    struct ntsim_process *p = process_of(process, "PsGetProcessExitStatus");

    return atomic_load(&p->exited) ? atomic_load(&p->exit_status) : STATUS_PENDING;
}

HANDLE NTAPI PsGetProcessInheritedFromUniqueProcessId(PEPROCESS process)
{
    SIM_ENTER(PsGetProcessInheritedFromUniqueProcessId);
    return id(process_of(process, "PsGetProcessInheritedFromUniqueProcessId")->spec.parent_pid);
}

ULONG NTAPI PsGetProcessSessionId(PEPROCESS process)
{
    SIM_ENTER(PsGetProcessSessionId);
    struct ntsim_process *p = process_of(process, "PsGetProcessSessionId");

    return (atomic_load(&p->fail) & NTSIM_FAIL_SESSION) ? MAXULONG : p->spec.session;
}

LONGLONG NTAPI PsGetProcessCreateTimeQuadPart(PEPROCESS process)
{
    SIM_ENTER(PsGetProcessCreateTimeQuadPart);
    return process_of(process, "PsGetProcessCreateTimeQuadPart")->spec.create_time;
}

ULONGLONG NTAPI PsGetProcessStartKey(PEPROCESS process)
{
    SIM_ENTER(PsGetProcessStartKey);
    return process_of(process, "PsGetProcessStartKey")->spec.start_key;
}

NTSTATUS NTAPI PsLookupProcessByProcessId(HANDLE pid, PEPROCESS *ret_process)
{
    SIM_ENTER(PsLookupProcessByProcessId);
    NTSTATUS status = SIM_FAULT(PsLookupProcessByProcessId);
    struct ntsim_process *p;

    if (status) {
        return status;
    }
    sim_lock(SIM_LOCK_PS);
    p = find_locked((ULONG_PTR)pid);
    if (p && (atomic_load(&p->fail) & NTSIM_FAIL_LOOKUP)) {
        p = NULL;
    }
    if (p) {
        sim_object_ref(&p->object);
        *ret_process = sim_process_body(p);
    }
    sim_unlock(SIM_LOCK_PS);
    SIM_LEAVE(PsLookupProcessByProcessId);
    return p ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS NTAPI PsLookupThreadByThreadId(HANDLE tid, PETHREAD *ret_thread)
{
    SIM_ENTER(PsLookupThreadByThreadId);
    NTSTATUS status = SIM_FAULT(PsLookupThreadByThreadId);
    struct ntsim_thread *t = NULL;

    if (status) {
        return status;
    }
    sim_lock(SIM_LOCK_PS);
    for (struct ntsim_process *p = everyone; p && !t; p = p->next_all) {
        for (t = p->threads; t && t->tid != (ULONG_PTR)tid;) {
            t = t->next;
        }
    }
    if (t) {
        sim_object_ref(&t->object);
        *ret_thread = sim_thread_body(t);
    }
    sim_unlock(SIM_LOCK_PS);
    return t ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* ---- the list of processes
 * --------------------------------------------------------------------------- */

/* SYSTEM_PROCESS_INFORMATION and SYSTEM_THREAD_INFORMATION of x64, as far as they are filled. */
struct process_entry {
    ULONG next;
    ULONG threads;
    UCHAR reserved0[24];
    LARGE_INTEGER create_time, user_time, kernel_time;
    UNICODE_STRING image;
    LONG priority;
    HANDLE pid, parent;
    ULONG handles, session;
    UCHAR reserved1[0x100 - 0x68];
};
struct thread_entry {
    UCHAR reserved0[0x28];
    HANDLE pid, tid;
    UCHAR reserved1[0x50 - 0x38];
};
_Static_assert(offsetof(struct process_entry, image) == 0x38, "as on x64");
_Static_assert(offsetof(struct process_entry, pid) == 0x50, "as on x64");
_Static_assert(sizeof(struct process_entry) == 0x100, "as on x64");
_Static_assert(sizeof(struct thread_entry) == 0x50, "as on x64");

static size_t entry_len(const struct ntsim_process *p, ULONG *ret_threads)
{
    ULONG n = 0;

    for (const struct ntsim_thread *t = p ? p->threads : NULL; t; t = t->next) {
        n++;
    }
    *ret_threads = n;
    return sizeof(struct process_entry) + n * sizeof(struct thread_entry);
}

static bool listed(struct ntsim_process *p)
{
    return atomic_load(&p->live) && !(atomic_load(&p->fail) & NTSIM_FAIL_HIDDEN);
}

/* p NULL: the idle process, pid 0. */
static void put_entry(uint8_t *at, struct ntsim_process *p)
{
    struct process_entry e = {.priority = 8};
    struct thread_entry thread = {.reserved0 = {0}};

    e.next = (ULONG)entry_len(p, &e.threads);
    if (p) {
        e.create_time.QuadPart = p->spec.create_time;
        e.pid = id(p->spec.pid);
        e.parent = id(p->spec.parent_pid);
        e.session = p->spec.session;
    }
    memcpy(at, &e, sizeof(e));
    at += sizeof(e);
    for (struct ntsim_thread *t = p ? p->threads : NULL; t; t = t->next) {
        thread.pid = e.pid;
        thread.tid = id(t->tid);
        memcpy(at, &thread, sizeof(thread));
        at += sizeof(thread);
    }
}

static NTSTATUS list_processes(uint8_t *buffer, ULONG len, ULONG *ret_need)
{
    ULONG threads;
    size_t need = entry_len(NULL, &threads), at = 0, last = 0;

    for (struct ntsim_process *p = everyone; p; p = p->next_all) {
        need += listed(p) ? entry_len(p, &threads) : 0;
    }
    *ret_need = (ULONG)need;
    if (need > len) {
        return STATUS_INFO_LENGTH_MISMATCH;
    }
    put_entry(buffer, NULL);
    at = entry_len(NULL, &threads);
    for (struct ntsim_process *p = everyone; p; p = p->next_all) {
        if (listed(p)) {
            put_entry(buffer + at, p);
            last = at;
            at += entry_len(p, &threads);
        }
    }
    memset(buffer + last, 0, sizeof(ULONG)); /* the last one has no next */
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ZwQuerySystemInformation(ULONG information_class,
                                        PVOID buffer,
                                        ULONG len,
                                        PULONG ret_len)
{
    SIM_ENTER(ZwQuerySystemInformation);
    NTSTATUS status = SIM_FAULT(ZwQuerySystemInformation);
    ULONG need = 0;

    if (status) {
        return status;
    }
    if (information_class != 5) {
        return STATUS_INVALID_INFO_CLASS;
    }
    sim_lock(SIM_LOCK_PS);
    status = list_processes(buffer, len, &need);
    sim_unlock(SIM_LOCK_PS);
    if (ret_len) {
        *ret_len = need;
    }
    SIM_LEAVE(ZwQuerySystemInformation);
    return status;
}
