/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/handle.bpf.h — one process reaches into another: the record
 * process_handle_access.
 */
#pragma once

#include "filter.bpf.h"
#include "reach.bpf.h"
#include "record.bpf.h"
#include "syscall.bpf.h"

/* One end of it; ids of the initial pid namespace. */
struct end {
    u64 key;
    u32 pid, tid;
};

static __always_inline void end_of_task(struct end *e, u64 task)
{
    struct task_struct *t = (struct task_struct *)task;
    e->key = task_key_at(task);
    e->pid = (u32)BPF_CORE_READ(t, tgid);
    e->tid = (u32)BPF_CORE_READ(t, pid);
}

/* op: WEDR_HANDLE_OP_*. A process that reaches into itself is no record. */
static inline __noinline int
handle_told(const struct end *source, const struct end *target, u32 op, u32 request, int result)
{
    const u32 type = WEDR_EV_PROCESS_HANDLE_ACCESS;
    struct reach_key key = {.source = source->key,
                            .target = target->key,
                            .what = op << 16 | (request & 0xffff),
                            .outcome = result < 0 ? result : 0};
    if (source->pid == target->pid || !wanted(type) || !tell_reach(&key)) {
        return 0;
    }
    struct emit e = {};
    struct wedr_linux_process_handle_access *r = emit_reserve(&e, WEDR_LANE_CRITICAL, sizeof *r);
    if (!r) {
        return 0;
    }
    PUT(r, source_pid, source->pid);
    PUT(r, source_key, source->key);
    PUT(r, target_pid, target->pid);
    PUT(r, target_key, target->key);
    PUT(r, target_tid, target->tid == target->pid ? 0 : target->tid);
    PUT(r, op, (u16)op);
    PUT(r, request, request);
    PUT(r, result, result);
    emit_submit(&e, r, type, sizeof *r, sizeof *r);
    return 0;
}

/* Current reached for the task that `number` stands for in its own pid namespace. A number that
 * stands for nobody is recorded only when the call succeeded (the target ended right after): then
 * target_key and target_pid are 0 and target_tid is the number. */
static __always_inline int handle_by_number(u32 op, u32 request, u32 number, s64 result)
{
    struct end source, target = {};
    u64 task = task_of_pid(pid_by_number(number));
    if (task) {
        end_of_task(&target, task);
    } else if (result < 0) {
        return 0;
    } else {
        target.tid = number;
    }
    end_of_task(&source, (u64)bpf_get_current_task());
    return handle_told(&source, &target, op, request, (int)result);
}

#define PTRACE_TRACEME 0
#define PTRACE_POKETEXT 4
#define PTRACE_POKEDATA 5
#define PTRACE_POKEUSR 6
#define PTRACE_SETREGS 13
#define PTRACE_ATTACH 16
#define PTRACE_SETREGSET 0x4205
#define PTRACE_SEIZE 0x4206
#define PTRACE_SET_SYSCALL_INFO 0x4212

/* The requests by which a tracer gets hold of a process or changes it. A debugger makes many others
 * per step; and of the changing ones a failed one only says that the process is not traced. */
static __always_inline bool ptrace_matters(u64 request, s64 result)
{
    switch (request) {
    case PTRACE_ATTACH:
    case PTRACE_SEIZE:
        return true;
    case PTRACE_TRACEME:
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
    case PTRACE_POKEUSR:
    case PTRACE_SETREGS:
    case PTRACE_SETREGSET:
    case PTRACE_SET_SYSCALL_INFO:
        return result >= 0;
    default:
        return false;
    }
}

/* TRACEME gives the caller into its parent's hands: the record says who gets access to whom, so the
 * parent is the source. */
static inline __noinline int ptrace_told(u32 request, u32 number, s64 result)
{
    if (!ptrace_matters(request, result)) {
        return 0;
    }
    if (request != PTRACE_TRACEME) {
        return handle_by_number(WEDR_HANDLE_OP_PTRACE, request, number, result);
    }
    struct end source, target;
    struct task_struct *t = PLAIN(struct task_struct, bpf_get_current_task_btf());
    end_of_task(&source, (u64)t->real_parent);
    end_of_task(&target, (u64)t);
    return handle_told(&source, &target, WEDR_HANDLE_OP_PTRACE, request, 0);
}
