/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_cancel.c — cancelling requests, at once or in two halves. */
#include "nt_irp.h"

/* The driver may read Cancel at any time; that it is not synchronised is in the nature of it. */
__attribute__((no_sanitize("thread"))) static void set_cancel(PIRP irp)
{
    irp->Cancel = TRUE;
}

/* The lock is held. */
static bool take_routine(struct ntsim_irp *r)
{
    if (atomic_load(&r->done) || r->due) {
        return false;
    }
    set_cancel(r->irp);
    r->due = IoSetCancelRoutine(r->irp, NULL);
    return r->due != NULL;
}

bool ntsim_cancel_begin(struct ntsim_irp *r)
{
    KIRQL irql;
    bool due;

    IoAcquireCancelSpinLock(&irql);
    sim_lock(SIM_LOCK_IRP);
    due = take_routine(r);
    sim_unlock(SIM_LOCK_IRP);
    IoReleaseCancelSpinLock(irql);
    return due;
}

void ntsim_cancel_finish(struct ntsim_irp *r)
{
    struct sim_visit v;
    PDRIVER_CANCEL routine;
    PDEVICE_OBJECT device;
    KIRQL irql;
    PIRP irp;

    sim_visit_start(&v);
    IoAcquireCancelSpinLock(&irql);
    sim_lock(SIM_LOCK_IRP);
    routine = r->due;
    irp = r->irp;
    device = r->device;
    r->cancelling = &sim_self;
    if (irp) {
        irp->CancelIrql = irql;
    }
    sim_unlock(SIM_LOCK_IRP);
    if (!routine || !irp) {
        IoReleaseCancelSpinLock(irql); /* completed in between: reported then */
        return;
    }
    /* Once it completes the request, the record may be gone. */
    routine(device, irp);
    if (sim_cancel_lock_mine()) {
        sim_violation(SIM_RULE_cancel_lock, "left held by a cancel routine");
        sim_cancel_lock_break();
    }
    sim_visit_check(&v, "cancel routine");
    sim_lock(SIM_LOCK_IRP);
    if (sim_irp_find(irp) == r) {
        r->due = NULL; /* handed on: whoever has it now completes it */
    }
    sim_unlock(SIM_LOCK_IRP);
}

bool ntsim_cancel(struct ntsim_irp *r)
{
    if (!ntsim_cancel_begin(r)) {
        return false;
    }
    ntsim_cancel_finish(r);
    return true;
}

static unsigned cancel_those(const struct ntsim_file *f,
                             const struct ntsim_thread *t,
                             const struct ntsim_process *p)
{
    unsigned n = 0;
    struct ntsim_irp *r;

    for (;;) {
        KIRQL irql;

        IoAcquireCancelSpinLock(&irql);
        sim_lock(SIM_LOCK_IRP);
        for (r = sim_irps; r; r = r->next_all) {
            if ((!f || r->file == f) && (!t || r->thread == t) && (!p || r->thread->process == p) &&
                take_routine(r)) {
                break;
            }
        }
        sim_unlock(SIM_LOCK_IRP);
        IoReleaseCancelSpinLock(irql);
        if (!r) {
            return n;
        }
        ntsim_cancel_finish(r);
        n++;
    }
}

unsigned ntsim_cancel_file(struct ntsim_file *f)
{
    return cancel_those(f, NULL, NULL);
}

unsigned ntsim_cancel_thread(struct ntsim_thread *t)
{
    return cancel_those(NULL, t, NULL);
}

unsigned ntsim_cancel_process(struct ntsim_process *p)
{
    return cancel_those(NULL, NULL, p);
}
