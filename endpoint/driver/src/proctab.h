/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/proctab.h — the processes that are alive and were announced (sent as a
 * process_create record). Bounded; filled by the inventory at load and by process creation. It
 * tells a process's first thread from an injected one, and the handles of a creation under way from
 * the opening of a process that runs. All calls: IRQL <= DISPATCH, any thread. */
#pragma once

#include "nt.h"

#define WEDR_PROCTAB_MAX 8192u /* live processes; those beyond are counted as untracked */

struct wedr_proc {
    uint64_t key;         /* process key, see procinfo.h */
    uint32_t pid;         /* never 0 in the table */
    uint32_t creator_pid; /* 0 when it ran before the driver */
    uint32_t creator_tid;
    uint32_t first_tid; /* 0 until the first thread was announced */
    bool existing;      /* found by the inventory: its first thread is long gone by */
    bool thread_opened; /* the creation's own handle to the first thread was seen */
};

/* STATUS_INSUFFICIENT_RESOURCES. IRQL PASSIVE. */
NTSTATUS wedr_proctab_init(void);
void wedr_proctab_fini(void);

/* False when the table is full (counted) or the pid is there already (left as it is, unless
 * `replace`: a reused pid whose end was missed). */
bool wedr_proctab_add(const struct wedr_proc *p, bool replace);
bool wedr_proctab_find(uint32_t pid, struct wedr_proc *ret);
/* The process ended. False when it was not there; ret may be NULL. */
bool wedr_proctab_remove(uint32_t pid, struct wedr_proc *ret);

/* A thread of pid was created: true, once, when it is the process's first. */
bool wedr_proctab_first_thread(uint32_t pid, uint32_t tid);
/* The thread tid of pid is being opened by a thread of creator_pid: true, once, when this is the
 * creation's own handle to the first thread. */
bool wedr_proctab_creation_thread_handle(uint32_t pid,
                                         uint32_t tid,
                                         uint32_t creator_pid,
                                         uint32_t creator_tid);

/* The inventory is done. */
void wedr_proctab_set_complete(void);
/* True when a live process that is not in the table is one that was not announced yet: the
 * inventory is done and nothing was ever untracked. */
bool wedr_proctab_is_complete(void);

uint32_t wedr_proctab_count(void);
uint64_t wedr_proctab_untracked(void); /* processes that found the table full since the load */
