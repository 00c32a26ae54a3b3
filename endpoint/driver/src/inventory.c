/* SPDX-License-Identifier: Apache-2.0
 * The processes that ran before the driver. */
#include "announce.h"
#include "mem.h"
#include "procinfo.h"
#include "source.h"
#include "sources.h"
#include "tags.h"

#define LIST_FIRST (256u << 10) /* bytes of the first try */
#define LIST_MAX (16u << 20)

/* The head of an entry of SystemProcessInformation on x64; the threads behind it are not read. */
struct entry {
    ULONG next; /* bytes to the next entry, 0 in the last */
    ULONG thread_count;
    UCHAR times_and_name[0x48];
    HANDLE pid;
    HANDLE parent_pid;
};

_Static_assert(offsetof(struct entry, pid) == 0x50 && sizeof(struct entry) == 0x60,
               "layout of SYSTEM_PROCESS_INFORMATION on x64");

/* The list in memory of ours; NULL when it could not be had. */
static uint8_t *take_list(ULONG *ret_len)
{
    for (ULONG size = LIST_FIRST; size <= LIST_MAX; size *= 2) {
        uint8_t *list = wedr_mem_new(size, 1, WEDR_TAG_INVENTORY);
        ULONG used = 0;
        NTSTATUS status;

        if (!list) {
            return NULL;
        }
        status = ZwQuerySystemInformation(WEDR_SYSTEM_PROCESS_INFORMATION, list, size, &used);
        if (NT_SUCCESS(status)) {
            *ret_len = used < size ? used : size;
            return list;
        }
        wedr_mem_free(list, WEDR_TAG_INVENTORY);
        if (status != STATUS_INFO_LENGTH_MISMATCH) {
            return NULL;
        }
    }
    return NULL;
}

/* Announces one process, unless it was announced meanwhile or is gone. */
static void announce_existing(const struct entry *e)
{
    struct wedr_proc p = {.pid = wedr_id(e->pid), .existing = true};
    const struct wedr_announcement a = {
        .proc = &p, .parent_pid = wedr_id(e->parent_pid), .existing = true};
    PEPROCESS process;

    if (!NT_SUCCESS(PsLookupProcessByProcessId(e->pid, &process))) {
        return;
    }
    p.key = wedr_procinfo_key(process);
    if (!wedr_procinfo_exited(process) && wedr_proctab_add(&p, false)) {
        if (wedr_procinfo_exited(process)) {
            /* Its end may have been reported before the table knew it. */
            (void)wedr_proctab_remove(p.pid, NULL);
        } else {
            wedr_announce(process, &a);
        }
    }
    ObDereferenceObject(process);
}

void wedr_inventory_run(void)
{
    WEDR_IRQL_MAX(PASSIVE_LEVEL);
    ULONG len = 0, at = 0;
    uint8_t *list = take_list(&len);

    if (!list) {
        wedr_source_count(WEDR_CALLBACK_PROCESS, false);
        return;
    }
    while (at <= len && len - at >= sizeof(struct entry)) {
        struct entry e;

        WEDR_MEMCPY(&e, list + at, sizeof(e));
        if (e.pid) {
            announce_existing(&e);
        }
        if (e.next == 0 || e.next > len - at) {
            break;
        }
        at += e.next;
    }
    wedr_mem_free(list, WEDR_TAG_INVENTORY);
    /* Without the callback the table would soon be out of date. */
    if (wedr_source_is_active(WEDR_CALLBACK_PROCESS)) {
        wedr_proctab_set_complete();
    }
}
