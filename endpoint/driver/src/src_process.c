/* SPDX-License-Identifier: Apache-2.0
 * Process creation and end. The callback runs at PASSIVE in the creator's context: what the record
 * says of the new process comes from its PEPROCESS. */
#include "announce.h"
#include "procinfo.h"
#include "rec.h"
#include "source.h"
#include "sources.h"

static void on_create(PEPROCESS process, uint32_t pid, const PS_CREATE_NOTIFY_INFO *info)
{
    struct wedr_proc p = {.key = wedr_procinfo_key(process),
                          .pid = pid,
                          .creator_pid = wedr_id(info->CreatingThreadId.UniqueProcess),
                          .creator_tid = wedr_id(info->CreatingThreadId.UniqueThread)};
    const struct wedr_announcement a = {.proc = &p,
                                        .parent_pid = wedr_id(info->ParentProcessId),
                                        .image = info->ImageFileName,
                                        .command_line = info->CommandLine};

    (void)wedr_proctab_add(&p, true); /* a full table counts it and stops believing itself */
    wedr_announce(process, &a);
}

static void on_exit(PEPROCESS process, uint32_t pid)
{
    struct wedr_windows_process_terminate e;
    struct wedr_proc p;
    struct wedr_rec r;

    if (!wedr_proctab_remove(pid, &p)) {
        p.key = wedr_procinfo_key(process);
    }
    wedr_rec_begin(&r, &e, sizeof(e), WEDR_EV_PROCESS_TERMINATE, WEDR_LANE_CRITICAL);
    e.pid = pid;
    e.exit_code = PsGetProcessExitStatus(process);
    e.process_key = p.key;
    wedr_source_count(WEDR_CALLBACK_PROCESS, wedr_rec_push(&r));
}

static VOID NTAPI on_process(PEPROCESS process, HANDLE pid, PPS_CREATE_NOTIFY_INFO info)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    wedr_source_call(WEDR_CALLBACK_PROCESS);
    if (info) {
        on_create(process, wedr_id(pid), info);
    } else {
        on_exit(process, wedr_id(pid));
    }
}

void wedr_src_process_start(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    wedr_source_registered(WEDR_CALLBACK_PROCESS,
                           PsSetCreateProcessNotifyRoutineEx(on_process, FALSE));
}

void wedr_src_process_stop(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    if (wedr_source_stop(WEDR_CALLBACK_PROCESS)) {
        (void)PsSetCreateProcessNotifyRoutineEx(on_process, TRUE);
    }
}
