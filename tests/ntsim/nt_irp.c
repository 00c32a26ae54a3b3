/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_irp.c — requests. The IRP is a heap block that is gone once it is completed; what
 * the test holds is the record beside it. Live IRPs are in a hash table by address, so that
 * completing twice is seen without touching them. */
#include "nt_irp.h"

#define BUCKETS 64u
#define FILL 0xa5
#define FILL_MAX 4096u
#define GUARD 8u /* bytes behind the system buffer, where no sanitizer looks */

struct ntsim_irp *sim_irps; /* and the rest: under SIM_LOCK_IRP */

static struct ntsim_irp *buckets[BUCKETS];
static unsigned pending;
static _Atomic uint64_t completions;

static struct ntsim_irp **bucket_of(const void *irp)
{
    return &buckets[((uintptr_t)irp >> 5) * 2654435761u >> 9 & (BUCKETS - 1u)];
}

static size_t irp_len(void)
{
    return sizeof(IRP) + sizeof(IO_STACK_LOCATION);
}

/* ---- making one
 * ------------------------------------------------------------------------------------ */

static void *new_buffer(const void *in, size_t in_len, size_t len)
{
    uint8_t *buffer = sim_alloc(len + GUARD);

    if (in_len > 0) {
        memcpy(buffer, in, in_len);
    }
    memset(buffer + in_len, FILL, len - in_len < FILL_MAX ? len - in_len : FILL_MAX);
    memset(buffer + len, FILL, GUARD);
    sim_poison(buffer + len, GUARD);
    return buffer;
}

static struct ntsim_irp *new_irp(struct ntsim_file *f, UCHAR major)
{
    struct ntsim_irp *r = sim_zalloc(sizeof(*r));
    PIRP irp = sim_zalloc(irp_len());
    PIO_STACK_LOCATION stack = (PIO_STACK_LOCATION)(irp + 1);

    irp->Type = 6; /* IO_TYPE_IRP */
    irp->Size = (USHORT)irp_len();
    irp->StackCount = 1;
    irp->CurrentLocation = 1;
    irp->RequestorMode = UserMode;
    irp->Tail.Overlay.CurrentStackLocation = stack;
    irp->Tail.Overlay.OriginalFileObject = &f->body;
    irp->Tail.Overlay.Thread = sim_thread_body(sim_current());
    stack->MajorFunction = major;
    stack->DeviceObject = &f->device->body;
    stack->FileObject = &f->body;
    r->irp = irp;
    r->file = f;
    r->thread = sim_current();
    r->device = &f->device->body;
    r->in_dispatch = true;
    return r;
}

static void add(struct ntsim_irp *r)
{
    struct ntsim_irp **at = bucket_of(r->irp);

    sim_lock(SIM_LOCK_IRP);
    r->next = *at;
    *at = r;
    r->next_all = sim_irps;
    if (sim_irps) {
        sim_irps->prev_all = r;
    }
    sim_irps = r;
    pending++;
    sim_unlock(SIM_LOCK_IRP);
}

/* ---- completion
 * ---------------------------------------------------------------------------------------- */

struct ntsim_irp *sim_irp_find(const void *irp)
{
    struct ntsim_irp *r = *bucket_of(irp);

    while (r && r->irp != irp) {
        r = r->next;
    }
    return r;
}

static void take_out(struct ntsim_irp *r)
{
    struct ntsim_irp **at = bucket_of(r->irp);

    while (*at != r) {
        at = &(*at)->next;
    }
    *at = r->next;
    pending--;
}

/* seen: a copy of the record from under the lock. */
static void check_completion(const struct ntsim_irp *seen, const IRP *irp)
{
    if (irp->IoStatus.Status == STATUS_PENDING) {
        sim_violation(SIM_RULE_irp_completed_pending, "%p", (const void *)irp);
    }
    if (__atomic_load_n((void *const *)(ULONG_PTR)&irp->CancelRoutine, __ATOMIC_SEQ_CST)) {
        sim_violation(SIM_RULE_irp_cancel_routine, "%p", (const void *)irp);
    }
    if (seen->due && seen->cancelling != &sim_self) {
        sim_violation(SIM_RULE_irp_cancel_owned, "%p", (const void *)irp);
    }
    if (!NT_ERROR(irp->IoStatus.Status) && irp->IoStatus.Information > seen->out_len) {
        sim_violation(SIM_RULE_irp_information, "%llu of %llu",
                      (unsigned long long)irp->IoStatus.Information,
                      (unsigned long long)seen->out_len);
    }
}

/* Keeps what the caller gets; the lock is held. */
static void keep_result(struct ntsim_irp *r, const IRP *irp)
{
    r->status = irp->IoStatus.Status;
    r->information = irp->IoStatus.Information;
    r->marked = (irp->Tail.Overlay.CurrentStackLocation->Control & SL_PENDING_RETURNED) != 0;
    if (!NT_ERROR(r->status) && r->buffer) {
        r->out_bytes = r->information < r->out_len ? r->information : r->out_len;
        r->out = r->out_bytes > 0 ? sim_dup(r->buffer, r->out_bytes) : NULL;
    }
    r->irp = NULL;
}

static bool guard_is_whole(const struct ntsim_irp *r)
{
    const uint8_t *guard = (const uint8_t *)r->buffer + r->buffer_len;

    for (unsigned i = 0; i < GUARD; i++) {
        if (guard[i] != FILL) {
            return false;
        }
    }
    return true;
}

static void free_memory(PIRP irp, void *buffer, size_t len)
{
    sim_retire(irp, irp_len(), SIM_RULE_irp_used_after);
    if (buffer) {
        sim_retire(buffer, len, SIM_RULE_irp_used_after);
    }
}

/* What is known of irp, and no longer live with it; false: nothing. */
static bool look_up(const IRP *irp, struct ntsim_irp *ret_seen)
{
    const struct ntsim_irp *r;

    sim_lock(SIM_LOCK_IRP);
    r = sim_irp_find(irp);
    if (r) {
        ret_seen->due = r->due;
        ret_seen->cancelling = r->cancelling;
        ret_seen->out_len = r->out_len;
        ret_seen->buffer = r->buffer;
        ret_seen->buffer_len = r->buffer_len;
    }
    sim_unlock(SIM_LOCK_IRP);
    return r != NULL;
}

/* The record is the test's once it is done, and may be freed at once; false: someone else did it.
 */
static bool finish(PIRP irp)
{
    struct ntsim_irp *r;

    sim_lock(SIM_LOCK_IRP);
    r = sim_irp_find(irp);
    if (r) {
        take_out(r);
        keep_result(r, irp);
        r->buffer = NULL;
        atomic_store(&r->done, true);
    }
    sim_unlock(SIM_LOCK_IRP);
    return r != NULL;
}

VOID FASTCALL IofCompleteRequest(PIRP irp, CCHAR boost)
{
    SIM_ENTER(IofCompleteRequest);
    struct ntsim_irp seen;

    UNREFERENCED_PARAMETER(boost);
    if (sim_self.held_count > 0) {
        sim_violation(SIM_RULE_irp_under_lock, "%u locks held", sim_self.held_count);
    }
    if (!look_up(irp, &seen)) {
        sim_violation(SIM_RULE_irp_double_completion, "%p", (void *)irp);
        return;
    }
    check_completion(&seen, irp);
    if (seen.buffer) {
        sim_unpoison((uint8_t *)seen.buffer + seen.buffer_len, GUARD);
        if (!guard_is_whole(&seen)) {
            sim_violation(SIM_RULE_irp_overrun, "buffer of %llu bytes",
                          (unsigned long long)seen.buffer_len);
        }
    }
    if (!finish(irp)) {
        sim_violation(SIM_RULE_irp_double_completion, "%p, by two at once", (void *)irp);
        return;
    }
    free_memory(irp, seen.buffer, seen.buffer_len);
    atomic_fetch_add_explicit(&completions, 1, memory_order_relaxed);
    sim_wake();
    SIM_LEAVE(IofCompleteRequest);
}

uint64_t ntsim_completions(void)
{
    return atomic_load(&completions);
}

/* ---- dispatch
 * ------------------------------------------------------------------------------------------- */

static void check_returned(struct ntsim_irp *r, NTSTATUS returned, UCHAR major)
{
    bool done, marked;
    NTSTATUS status;

    sim_lock(SIM_LOCK_IRP);
    done = atomic_load(&r->done);
    status = r->status;
    marked = done ? r->marked
                  : (r->irp->Tail.Overlay.CurrentStackLocation->Control & SL_PENDING_RETURNED) != 0;
    r->in_dispatch = false;
    sim_unlock(SIM_LOCK_IRP);
    if (returned == STATUS_PENDING) {
        if (!marked) {
            sim_violation(SIM_RULE_irp_not_marked, "major function %u", major);
        }
    } else if (marked) {
        sim_violation(SIM_RULE_irp_marked, "major function %u, returned %x", major,
                      (unsigned)returned);
    } else if (!done) {
        sim_violation(SIM_RULE_irp_not_completed, "major function %u, returned %x", major,
                      (unsigned)returned);
    } else if (status != returned) {
        sim_violation(SIM_RULE_irp_status, "returned %x, completed with %x", (unsigned)returned,
                      (unsigned)status);
    }
}

static NTSTATUS dispatch(struct ntsim_irp *r, UCHAR major)
{
    struct sim_visit v;
    NTSTATUS status;

    sim_visit_start(&v);
    status = sim_driver.MajorFunction[major](r->device, r->irp);
    sim_visit_check(&v, "dispatch routine");
    check_returned(r, status, major);
    return status;
}

struct ntsim_irp *ntsim_ioctl_start(struct ntsim_file *f,
                                    uint32_t code,
                                    const void *in,
                                    size_t in_len,
                                    size_t out_len,
                                    int32_t *ret_status)
{
    struct ntsim_irp *r;
    PIO_STACK_LOCATION stack;

    if (f->dead) {
        sim_die("a request to a driver that is gone");
    }
    r = new_irp(f, IRP_MJ_DEVICE_CONTROL);
    stack = r->irp->Tail.Overlay.CurrentStackLocation;
    stack->Parameters.DeviceIoControl.IoControlCode = code;
    stack->Parameters.DeviceIoControl.InputBufferLength = (ULONG)in_len;
    stack->Parameters.DeviceIoControl.OutputBufferLength = (ULONG)out_len;
    r->out_len = out_len;
    r->buffer_len = in_len > out_len ? in_len : out_len;
    if (r->buffer_len > 0) {
        r->buffer = new_buffer(in, in_len, r->buffer_len);
        r->irp->AssociatedIrp.SystemBuffer = r->buffer;
    }
    add(r);
    *ret_status = dispatch(r, IRP_MJ_DEVICE_CONTROL);
    return r;
}

struct ntsim_irp *ntsim_major_start(struct ntsim_file *f, unsigned major, int32_t *ret_status)
{
    struct ntsim_irp *r;

    if (f->dead || major > IRP_MJ_MAXIMUM_FUNCTION) {
        sim_die("ntsim_major_start: no such function, or the driver is gone");
    }
    r = new_irp(f, (UCHAR)major);
    r->out_len = SIZE_MAX; /* Information has other meanings here */
    add(r);
    *ret_status = dispatch(r, (UCHAR)major);
    return r;
}

NTSTATUS sim_file_request(struct ntsim_file *f, UCHAR major)
{
    int32_t status;
    struct ntsim_irp *r = ntsim_major_start(f, major, &status);

    if (!atomic_load(&r->done)) {
        sim_violation(SIM_RULE_irp_create_pending, "major function %u", major);
        return STATUS_PENDING;
    }
    status = r->status;
    ntsim_irp_free(r);
    return status;
}

/* ---- the test's side
 * -------------------------------------------------------------------------------------- */

bool ntsim_irp_done(struct ntsim_irp *r)
{
    return atomic_load(&r->done);
}

bool ntsim_irp_wait(struct ntsim_irp *r, unsigned timeout_ms)
{
    return sim_wait(&r->done, timeout_ms);
}

static void must_be_done(struct ntsim_irp *r)
{
    if (!atomic_load(&r->done)) {
        sim_die("the request is not completed");
    }
}

int32_t ntsim_irp_status(struct ntsim_irp *r)
{
    must_be_done(r);
    return r->status;
}

uint64_t ntsim_irp_information(struct ntsim_irp *r)
{
    must_be_done(r);
    return r->information;
}

const uint8_t *ntsim_irp_output(struct ntsim_irp *r, size_t *ret_len)
{
    must_be_done(r);
    *ret_len = r->out_bytes;
    return r->out;
}

static void destroy(struct ntsim_irp *r)
{
    sim_lock(SIM_LOCK_IRP);
    if (r->prev_all) {
        r->prev_all->next_all = r->next_all;
    } else {
        sim_irps = r->next_all;
    }
    if (r->next_all) {
        r->next_all->prev_all = r->prev_all;
    }
    sim_unlock(SIM_LOCK_IRP);
    sim_free(r->out);
    sim_free(r);
}

void ntsim_irp_free(struct ntsim_irp *r)
{
    if (!atomic_load(&r->done)) {
        sim_violation(SIM_RULE_irp_freed_pending, "%p", (void *)r);
        return;
    }
    destroy(r);
}

int32_t ntsim_ioctl(struct ntsim_file *f,
                    uint32_t code,
                    const void *in,
                    size_t in_len,
                    void *out,
                    size_t out_len,
                    size_t *ret_information,
                    struct ntsim_irp **ret_irp)
{
    int32_t status;
    struct ntsim_irp *r = ntsim_ioctl_start(f, code, in, in_len, out_len, &status);

    if (ret_irp) {
        *ret_irp = NULL;
    }
    if (!atomic_load(&r->done)) {
        if (ret_irp) {
            *ret_irp = r;
            return STATUS_PENDING;
        }
        ntsim_cancel(r);
        if (!sim_wait(&r->done, 10000)) {
            sim_die("ntsim_ioctl: a parked request could not be cancelled");
        }
    }
    if (ret_information) {
        *ret_information = r->information;
    }
    if (r->out_bytes > 0 && out) {
        memcpy(out, r->out, r->out_bytes);
    }
    status = r->status;
    ntsim_irp_free(r);
    return status;
}

/* ---- what is left
 * ------------------------------------------------------------------------------------------------
 */

unsigned sim_irp_parked(const struct ntsim_file *f)
{
    unsigned n = 0;

    sim_lock(SIM_LOCK_IRP);
    if (!f) {
        n = pending;
    }
    for (struct ntsim_irp *r = f ? sim_irps : NULL; r; r = r->next_all) {
        n += r->file == f && !atomic_load(&r->done);
    }
    sim_unlock(SIM_LOCK_IRP);
    return n;
}

unsigned ntsim_parked(void)
{
    return sim_irp_parked(NULL);
}

/* The driver will not complete them any more. */
void sim_irp_abandon(const struct ntsim_file *f)
{
    sim_lock(SIM_LOCK_IRP);
    for (struct ntsim_irp *r = sim_irps; r; r = r->next_all) {
        if (!atomic_load(&r->done) && (!f || r->file == f)) {
            take_out(r);
            free_memory(r->irp, r->buffer, r->buffer_len);
            r->irp = NULL;
            r->buffer = NULL;
            r->status = STATUS_CANCELLED;
            atomic_store(&r->done, true);
        }
    }
    sim_unlock(SIM_LOCK_IRP);
    sim_wake();
}

void sim_irp_reset(void)
{
    sim_irp_abandon(NULL);
    while (sim_irps) {
        destroy(sim_irps);
    }
    atomic_store(&completions, 0);
}
