/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/ntsim/nt_irql.c — IRQL of a thread, spin locks, the cancel lock. A spin lock's word holds
 * the address of its owner's thread state, 0 when free; taking and releasing it are the acquire and
 * release operations that the thread sanitizer knows. */
#include "nt_sim.h"

static _Atomic unsigned stuck_ms = 10000;
static KSPIN_LOCK cancel_lock;

/* ---- IRQL
 * ---------------------------------------------------------------------------------------- */

unsigned long long ntsim_readcr8(void)
{
    return sim_self.irql;
}

/* KeRaiseIrql and KeLowerIrql are inline in the headers and end here both. */
void ntsim_writecr8(unsigned long long irql)
{
    if (irql < DISPATCH_LEVEL && sim_self.held_count > 0) {
        sim_violation(SIM_RULE_lock_irql, "IRQL lowered to %llu with a lock held", irql);
    }
    sim_self.irql = (uint8_t)irql;
}

unsigned long long ntsim_readgsqword(unsigned offset)
{
    if (offset != 0x188) {
        sim_die("another field of the processor block than the current thread");
    }
    return (uintptr_t)sim_thread_body(sim_current());
}

unsigned ntsim_irql(void)
{
    return sim_self.irql;
}

void ntsim_set_irql(unsigned irql)
{
    sim_self.irql = (uint8_t)irql;
}

void wedr_checked_failed(const char *function, int line);
void wedr_checked_failed(const char *function, int line)
{
    sim_violation(SIM_RULE_irql_driver, "%s:%d at IRQL %u", function, line, sim_self.irql);
}

/* ---- the lock itself
 * --------------------------------------------------------------------------------- */

static ULONG_PTR me(void)
{
    return (ULONG_PTR)&sim_self;
}

static bool try_take(PKSPIN_LOCK lock)
{
    ULONG_PTR free_word = 0;

    return __atomic_compare_exchange_n(lock, &free_word, me(), false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static void take_slowly(PKSPIN_LOCK lock)
{
    uint64_t until = 0;

    if (__atomic_load_n(lock, __ATOMIC_RELAXED) == me()) {
        sim_violation(SIM_RULE_lock_recursion, "%p", (void *)lock);
        return;
    }
    for (unsigned spin = 0; !try_take(lock); spin++) {
        if (spin < 64) {
            __builtin_ia32_pause();
            continue;
        }
        sim_yield();
        if (spin % 1024 != 0) {
            continue;
        }
        if (until == 0) {
            until = sim_clock_ms() + atomic_load(&stuck_ms);
        } else if (sim_clock_ms() > until) {
            sim_violation(SIM_RULE_lock_stuck, "%p, for %u ms", (void *)lock,
                          atomic_load(&stuck_ms));
            __atomic_store_n(lock, me(), __ATOMIC_SEQ_CST);
            return;
        }
    }
}

static void take(PKSPIN_LOCK lock, void *handle, uint8_t old_irql)
{
    if (!try_take(lock)) {
        take_slowly(lock);
    }
    if (sim_self.held_count == SIM_HELD_MAX) {
        sim_violation(SIM_RULE_lock_depth, "%u", sim_self.held_count);
        return;
    }
    if (sim_self.held_count == 0) {
        sim_pages_hide(true);
    }
    sim_self.held[sim_self.held_count++] = (struct sim_held){lock, handle, old_irql};
}

/* Forgets that this thread holds lock; false and a violation when it does not. */
static bool forget(PKSPIN_LOCK lock, struct sim_held *ret)
{
    for (unsigned i = sim_self.held_count; i-- > 0;) {
        if (sim_self.held[i].lock == lock) {
            *ret = sim_self.held[i];
            for (; i + 1 < sim_self.held_count; i++) {
                sim_self.held[i] = sim_self.held[i + 1];
            }
            sim_self.held_count--;
            if (sim_self.held_count == 0) {
                sim_pages_hide(false);
            }
            return true;
        }
    }
    sim_violation(SIM_RULE_lock_not_owner, "%p", (void *)lock);
    return false;
}

/* irql: to go to; -1: stays. */
static void release(PKSPIN_LOCK lock, void *handle, int irql)
{
    struct sim_held held;

    if (!forget(lock, &held)) {
        return;
    }
    if (held.handle != handle) {
        sim_violation(SIM_RULE_lock_handle, "%p", (void *)lock);
    }
    if (sim_self.irql != DISPATCH_LEVEL) {
        sim_violation(SIM_RULE_lock_irql, "released at IRQL %u", sim_self.irql);
    } else if (irql >= 0 && irql != held.old_irql) {
        sim_violation(SIM_RULE_lock_irql, "released to %d, was %u", irql, held.old_irql);
        irql = held.old_irql;
    }
    __atomic_store_n(lock, 0, __ATOMIC_RELEASE);
    if (irql >= 0) {
        sim_self.irql = (uint8_t)irql;
    }
}

static KIRQL raise_to_dispatch(void)
{
    KIRQL old = sim_self.irql;

    if (old < DISPATCH_LEVEL) {
        sim_self.irql = DISPATCH_LEVEL;
    }
    return old;
}

static void at_dispatch(const void *lock)
{
    if (sim_self.irql < DISPATCH_LEVEL) {
        sim_violation(SIM_RULE_lock_below_dispatch, "%p at IRQL %u", lock, sim_self.irql);
        sim_self.irql = DISPATCH_LEVEL;
    }
}

/* ---- queued locks
 * -------------------------------------------------------------------------------------- */

static void queue(PKSPIN_LOCK lock, PKLOCK_QUEUE_HANDLE handle, KIRQL old)
{
    take(lock, handle, old);
    handle->LockQueue.Next = NULL;
    handle->LockQueue.Lock = lock;
    handle->OldIrql = old;
}

VOID FASTCALL KeAcquireInStackQueuedSpinLock(PKSPIN_LOCK lock, PKLOCK_QUEUE_HANDLE handle)
{
    SIM_ENTER(KeAcquireInStackQueuedSpinLock);
    queue(lock, handle, raise_to_dispatch());
    SIM_LEAVE(KeAcquireInStackQueuedSpinLock);
}

VOID FASTCALL KeReleaseInStackQueuedSpinLock(PKLOCK_QUEUE_HANDLE handle)
{
    SIM_ENTER(KeReleaseInStackQueuedSpinLock);
    release(handle->LockQueue.Lock, handle, handle->OldIrql);
    handle->LockQueue.Lock = NULL;
    SIM_LEAVE(KeReleaseInStackQueuedSpinLock);
}

VOID FASTCALL KeAcquireInStackQueuedSpinLockAtDpcLevel(PKSPIN_LOCK lock, PKLOCK_QUEUE_HANDLE handle)
{
    SIM_ENTER(KeAcquireInStackQueuedSpinLockAtDpcLevel);
    at_dispatch(lock);
    queue(lock, handle, DISPATCH_LEVEL);
}

VOID FASTCALL KeReleaseInStackQueuedSpinLockFromDpcLevel(PKLOCK_QUEUE_HANDLE handle)
{
    SIM_ENTER(KeReleaseInStackQueuedSpinLockFromDpcLevel);
    release(handle->LockQueue.Lock, handle, -1);
    handle->LockQueue.Lock = NULL;
}

/* ---- plain locks
 * ------------------------------------------------------------------------------------------ */

KIRQL NTAPI KeAcquireSpinLockRaiseToDpc(PKSPIN_LOCK lock)
{
    SIM_ENTER(KeAcquireSpinLockRaiseToDpc);
    KIRQL old = raise_to_dispatch();

    take(lock, NULL, old);
    SIM_LEAVE(KeAcquireSpinLockRaiseToDpc);
    return old;
}

VOID NTAPI KeReleaseSpinLock(PKSPIN_LOCK lock, KIRQL irql)
{
    SIM_ENTER(KeReleaseSpinLock);
    release(lock, NULL, irql);
    SIM_LEAVE(KeReleaseSpinLock);
}

VOID NTAPI KeAcquireSpinLockAtDpcLevel(PKSPIN_LOCK lock)
{
    SIM_ENTER(KeAcquireSpinLockAtDpcLevel);
    at_dispatch(lock);
    take(lock, NULL, DISPATCH_LEVEL);
}

VOID NTAPI KeReleaseSpinLockFromDpcLevel(PKSPIN_LOCK lock)
{
    SIM_ENTER(KeReleaseSpinLockFromDpcLevel);
    release(lock, NULL, -1);
}

/* ---- the cancel lock
 * ------------------------------------------------------------------------------------------ */

VOID NTAPI IoAcquireCancelSpinLock(PKIRQL ret_irql)
{
    SIM_ENTER(IoAcquireCancelSpinLock);
    KIRQL old = raise_to_dispatch();

    take(&cancel_lock, &cancel_lock, old);
    *ret_irql = old;
}

VOID NTAPI IoReleaseCancelSpinLock(KIRQL irql)
{
    SIM_ENTER(IoReleaseCancelSpinLock);
    if (!sim_cancel_lock_mine()) {
        sim_violation(SIM_RULE_cancel_lock, "released by a thread that does not hold it");
        return;
    }
    release(&cancel_lock, &cancel_lock, irql);
}

bool sim_cancel_lock_mine(void)
{
    return __atomic_load_n(&cancel_lock, __ATOMIC_RELAXED) == me();
}

/* After a cancel routine that kept it. */
void sim_cancel_lock_break(void)
{
    struct sim_held held;

    if (sim_cancel_lock_mine() && forget(&cancel_lock, &held)) {
        __atomic_store_n(&cancel_lock, 0, __ATOMIC_RELEASE);
        sim_self.irql = held.old_irql;
    }
}

void ntsim_lock_timeout(unsigned ms)
{
    atomic_store(&stuck_ms, ms);
}

void sim_irql_reset(void)
{
    ntsim_lock_timeout(10000);
    cancel_lock = 0;
    sim_self.irql = PASSIVE_LEVEL;
    sim_self.held_count = 0;
    sim_self.regions = 0;
    ntsim_page_texts(false);
}

/* ---- what needs no lock
 * ------------------------------------------------------------------------------------------- */

VOID NTAPI KeEnterCriticalRegion(VOID)
{
    SIM_ENTER(KeEnterCriticalRegion);
    sim_self.regions++;
}

VOID NTAPI KeLeaveCriticalRegion(VOID)
{
    SIM_ENTER(KeLeaveCriticalRegion);
    if (sim_self.regions == 0) {
        sim_violation(SIM_RULE_region_underflow, "%u", sim_self.regions);
    } else {
        sim_self.regions--;
    }
}

NTSTATUS NTAPI KeDelayExecutionThread(KPROCESSOR_MODE mode,
                                      BOOLEAN alertable,
                                      PLARGE_INTEGER interval)
{
    SIM_ENTER(KeDelayExecutionThread);
    UNREFERENCED_PARAMETER(mode);
    UNREFERENCED_PARAMETER(alertable);
    sim_sleep_us(interval->QuadPart < 0 && interval->QuadPart > -1000000
                     ? (unsigned)(-interval->QuadPart / 10)
                     : 1000u);
    return STATUS_SUCCESS;
}

DECLSPEC_NORETURN VOID NTAPI
KeBugCheckEx(ULONG code, ULONG_PTR p1, ULONG_PTR p2, ULONG_PTR p3, ULONG_PTR p4)
{
    sim_violation(SIM_RULE_bugcheck, "%x %llx %llx %llx %llx", (unsigned)code,
                  (unsigned long long)p1, (unsigned long long)p2, (unsigned long long)p3,
                  (unsigned long long)p4);
    sim_die("the machine stopped");
}
