/* SPDX-License-Identifier: Apache-2.0
 * Threads. A process's first thread is always made by its creator and is no injection; any later
 * thread that another process makes is. The callback runs at PASSIVE or APC in the creator's
 * context (creation) or the ending thread's (exit). */
#include "evq.h"
#include "kfilter.h"
#include "procinfo.h"
#include "proctab.h"
#include "rec.h"
#include "source.h"
#include "sources.h"

static uint64_t key_of(uint32_t pid)
{
    struct wedr_proc p;

    return wedr_proctab_find(pid, &p) ? p.key : 0;
}

static void push_create(uint32_t pid, uint32_t tid, uint32_t creator, bool first, uint8_t lane)
{
    struct wedr_windows_thread_create e;
    struct wedr_rec r;

    wedr_rec_begin(&r, &e, sizeof(e), WEDR_EV_THREAD_CREATE, lane);
    e.pid = pid;
    e.tid = tid;
    e.creating_pid = creator;
    e.process_key = key_of(pid);
    e.creating_key = key_of(creator);
    e.first_thread = first ? 1 : 0;
    wedr_source_count(WEDR_CALLBACK_THREAD, wedr_rec_push(&r));
}

static void push_exit(uint32_t pid, uint32_t tid)
{
    struct wedr_windows_thread_exit e;
    struct wedr_rec r;

    wedr_rec_begin(&r, &e, sizeof(e), WEDR_EV_THREAD_EXIT, WEDR_LANE_BULK);
    e.pid = pid;
    e.tid = tid;
    e.process_key = key_of(pid);
    wedr_source_count(WEDR_CALLBACK_THREAD, wedr_rec_push(&r));
}

static VOID NTAPI on_thread(HANDLE process_id, HANDLE thread_id, BOOLEAN create)
{
    WEDR_IRQL_MAX(APC_LEVEL);
    uint32_t pid = wedr_id(process_id);
    uint32_t tid = wedr_id(thread_id);
    uint32_t creator = wedr_id(PsGetCurrentProcessId());
    /* The table learns of it even when the filter leaves threads out. */
    bool first = create && wedr_proctab_first_thread(pid, tid);
    uint8_t lane = create && creator != pid && !first ? WEDR_LANE_CRITICAL : WEDR_LANE_BULK;

    wedr_source_call(WEDR_CALLBACK_THREAD);
    if ((wedr_kfilter_classes() & WEDR_CLASS_THREAD) == 0) {
        wedr_evq_filtered(lane);
        return;
    }
    if (create) {
        push_create(pid, tid, creator, first, lane);
    } else {
        push_exit(pid, tid);
    }
}

void wedr_src_thread_start(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    wedr_source_registered(WEDR_CALLBACK_THREAD, PsSetCreateThreadNotifyRoutine(on_thread));
}

void wedr_src_thread_stop(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    if (wedr_source_stop(WEDR_CALLBACK_THREAD)) {
        (void)PsRemoveCreateThreadNotifyRoutine(on_thread);
    }
}
