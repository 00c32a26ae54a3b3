/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/thread.bpf.c — threads come and go. A process's first thread is the process
 * itself: process_fork and process_terminate tell of it. Off unless the policy asks for it: some
 * programs start thousands.
 */
#include "filter.bpf.h"
#include "record.bpf.h"

/* A record about a thread that is not its process's first; NULL when there is none to make. head:
 * of current. */
static __always_inline void *
thread_begin(struct emit *e, struct task_head *head, struct task_struct *t, u32 type, u32 size)
{
    if (t->pid == t->tgid || !wanted(type)) {
        return NULL;
    }
    task_head(head);
    return budget_take(type, head) ? emit_reserve(e, WEDR_LANE_BULK, size) : NULL;
}

/* In the thread that makes it. */
SEC("tp_btf/task_newtask")
int BPF_PROG(wedr_thread, struct task_struct *t)
{
    const u32 type = WEDR_EV_THREAD_CREATE;
    struct task_head head;
    struct emit e = {};
    struct wedr_linux_thread_create *r = thread_begin(&e, &head, t, type, sizeof *r);
    if (!r) {
        return 0;
    }
    PUT(r, pid, (u32)t->tgid);
    PUT(r, tid, (u32)t->pid);
    PUT(r, process_key, task_key(t));
    PUT(r, creating_pid, head.pid);
    PUT(r, creating_key, head.key);
    emit_submit(&e, r, type, sizeof *r, sizeof *r);
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(wedr_texit, struct task_struct *t)
{
    const u32 type = WEDR_EV_THREAD_EXIT;
    struct task_head head;
    struct emit e = {};
    struct wedr_linux_thread_exit *r = thread_begin(&e, &head, t, type, sizeof *r);
    if (!r) {
        return 0;
    }
    PUT(r, pid, (u32)t->tgid);
    PUT(r, tid, (u32)t->pid);
    PUT(r, process_key, head.key);
    emit_submit(&e, r, type, sizeof *r, sizeof *r);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
