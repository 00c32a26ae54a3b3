/* SPDX-License-Identifier: Apache-2.0
 * Open addressing with linear probing, at most half full; removal moves later entries of the run
 * back, so that no markers pile up. */
#include "proctab.h"

#include "mem.h"
#include "tags.h"

#define SLOTS 16384u
_Static_assert(SLOTS == 2 * WEDR_PROCTAB_MAX, "at most half full");

static struct {
    KSPIN_LOCK lock;
    struct wedr_proc *slots;
    uint32_t count;
    uint64_t untracked;
    bool inventory_done;
} table;

NTSTATUS wedr_proctab_init(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    WEDR_MEMSET(&table, 0, sizeof(table));
    KeInitializeSpinLock(&table.lock);
    table.slots = wedr_mem_new(SLOTS, sizeof(*table.slots), WEDR_TAG_PROCTAB);
    return table.slots ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

void wedr_proctab_fini(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    wedr_mem_free(table.slots, WEDR_TAG_PROCTAB);
    table.slots = NULL;
}

static uint32_t home(uint32_t pid)
{
    return (pid * 2654435769u) >> 18; /* Fibonacci hashing to 14 bits */
}

_Static_assert(SLOTS == 1u << 14, "home() gives 14 bits");

/* The slot of pid, or the free one where it would go. There always is one: the table is half full.
 */
static uint32_t slot_of(uint32_t pid)
{
    uint32_t i = home(pid);

    while (table.slots[i].pid != 0 && table.slots[i].pid != pid) {
        i = (i + 1) % SLOTS;
    }
    return i;
}

bool wedr_proctab_add(const struct wedr_proc *p, bool replace)
{
    WEDR_IRQL_MAX(DISPATCH_LEVEL);
    KLOCK_QUEUE_HANDLE held;
    bool added = false;
    struct wedr_proc *s;

    if (p->pid == 0) {
        return false;
    }
    KeAcquireInStackQueuedSpinLock(&table.lock, &held);
    s = &table.slots[slot_of(p->pid)];
    if (s->pid != 0) {
        added = replace;
    } else if (table.count == WEDR_PROCTAB_MAX) {
        table.untracked++;
    } else {
        table.count++;
        added = true;
    }
    if (added) {
        *s = *p;
    }
    KeReleaseInStackQueuedSpinLock(&held);
    return added;
}

bool wedr_proctab_find(uint32_t pid, struct wedr_proc *ret)
{
    WEDR_IRQL_MAX(DISPATCH_LEVEL);
    KLOCK_QUEUE_HANDLE held;
    const struct wedr_proc *s;
    bool found;

    KeAcquireInStackQueuedSpinLock(&table.lock, &held);
    s = &table.slots[slot_of(pid)];
    found = pid != 0 && s->pid == pid;
    if (found) {
        *ret = *s;
    }
    KeReleaseInStackQueuedSpinLock(&held);
    return found;
}

/* Closes the gap at slot i: the next entry of the run whose home is not behind the gap moves in. */
static void close_gap(uint32_t i)
{
    for (uint32_t next = (i + 1) % SLOTS; table.slots[next].pid != 0; next = (next + 1) % SLOTS) {
        uint32_t from_home = (next - home(table.slots[next].pid)) % SLOTS;

        if (from_home >= (next - i) % SLOTS) {
            table.slots[i] = table.slots[next];
            i = next;
        }
    }
    WEDR_MEMSET(&table.slots[i], 0, sizeof(table.slots[i]));
}

bool wedr_proctab_remove(uint32_t pid, struct wedr_proc *ret)
{
    WEDR_IRQL_MAX(DISPATCH_LEVEL);
    KLOCK_QUEUE_HANDLE held;
    uint32_t i;
    bool found;

    KeAcquireInStackQueuedSpinLock(&table.lock, &held);
    i = slot_of(pid);
    found = pid != 0 && table.slots[i].pid == pid;
    if (found) {
        if (ret) {
            *ret = table.slots[i];
        }
        close_gap(i);
        table.count--;
    }
    KeReleaseInStackQueuedSpinLock(&held);
    return found;
}

bool wedr_proctab_first_thread(uint32_t pid, uint32_t tid)
{
    WEDR_IRQL_MAX(DISPATCH_LEVEL);
    KLOCK_QUEUE_HANDLE held;
    struct wedr_proc *s;
    bool first;

    KeAcquireInStackQueuedSpinLock(&table.lock, &held);
    s = &table.slots[slot_of(pid)];
    first = pid != 0 && s->pid == pid && !s->existing && s->first_tid == 0;
    if (first) {
        s->first_tid = tid;
    }
    KeReleaseInStackQueuedSpinLock(&held);
    return first;
}

bool wedr_proctab_creation_thread_handle(uint32_t pid,
                                         uint32_t tid,
                                         uint32_t creator_pid,
                                         uint32_t creator_tid)
{
    WEDR_IRQL_MAX(DISPATCH_LEVEL);
    KLOCK_QUEUE_HANDLE held;
    struct wedr_proc *s;
    bool own;

    KeAcquireInStackQueuedSpinLock(&table.lock, &held);
    s = &table.slots[slot_of(pid)];
    own = pid != 0 && s->pid == pid && !s->existing && !s->thread_opened &&
          (s->first_tid == tid || s->first_tid == 0) && s->creator_pid == creator_pid &&
          s->creator_tid == creator_tid;
    if (own) {
        s->thread_opened = true;
    }
    KeReleaseInStackQueuedSpinLock(&held);
    return own;
}

void wedr_proctab_set_complete(void)
{
    KLOCK_QUEUE_HANDLE held;

    KeAcquireInStackQueuedSpinLock(&table.lock, &held);
    table.inventory_done = true;
    KeReleaseInStackQueuedSpinLock(&held);
}

bool wedr_proctab_is_complete(void)
{
    KLOCK_QUEUE_HANDLE held;
    bool complete;

    KeAcquireInStackQueuedSpinLock(&table.lock, &held);
    complete = table.inventory_done && table.untracked == 0;
    KeReleaseInStackQueuedSpinLock(&held);
    return complete;
}

uint32_t wedr_proctab_count(void)
{
    KLOCK_QUEUE_HANDLE held;
    uint32_t count;

    KeAcquireInStackQueuedSpinLock(&table.lock, &held);
    count = table.count;
    KeReleaseInStackQueuedSpinLock(&held);
    return count;
}

uint64_t wedr_proctab_untracked(void)
{
    KLOCK_QUEUE_HANDLE held;
    uint64_t untracked;

    KeAcquireInStackQueuedSpinLock(&table.lock, &held);
    untracked = table.untracked;
    KeReleaseInStackQueuedSpinLock(&held);
    return untracked;
}
