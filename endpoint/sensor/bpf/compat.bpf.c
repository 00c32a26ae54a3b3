/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/compat.bpf.c — the way around the system call tracepoints: a 64-bit process
 * that makes 32-bit system calls (int 0x80 on x86, AArch32 code on arm64). The kernel's tracepoints
 * per system call are silent for those, so one program looks at the end of every system call and
 * goes home at once unless it is such a one. It tells the first of each process and then does what
 * the silent hooks would have done.
 */
#include "cred.bpf.h"
#include "handle.bpf.h"

#define TS_COMPAT 0x2u             /* x86: thread_info.status */
#define TIF_32BIT_ARM64 (1u << 22) /* thread_info.flags */
#define LIMIT_32BIT 0x100000000ul

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs___ia32 {
    unsigned long bx, cx, dx, si, di, orig_ax;
};

#pragma clang attribute pop

/* Processes whose first call was told. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, u64);
    __type(value, u8);
} compat_seen SEC(".maps");

static __always_inline bool in_compat_call(struct task_struct *t)
{
    struct task_struct___x86 *x = (void *)t;
    struct task_struct___arm64 *a = (void *)t;
    return IS_X86 ? (x->thread_info.status & TS_COMPAT) != 0
                  : (a->thread_info.flags & TIF_32BIT_ARM64) != 0;
}

/* Argument n (a constant, 0 to 4). */
static __always_inline u32 compat_arg(void *regs, int n)
{
    if (!IS_X86) {
        struct pt_regs___arm64 *a = regs;
        return (u32)(n == 0 ? a->orig_x0 : a->regs[n]);
    }
    struct pt_regs___ia32 *x = regs;
    switch (n) {
    case 0:
        return (u32)x->bx;
    case 1:
        return (u32)x->cx;
    case 2:
        return (u32)x->dx;
    case 3:
        return (u32)x->si;
    default:
        return (u32)x->di;
    }
}

static __always_inline u32 compat_number(void *regs)
{
    if (!IS_X86) {
        struct pt_regs___arm64 *a = regs;
        return (u32)a->syscallno;
    }
    struct pt_regs___ia32 *x = regs;
    return (u32)x->orig_ax;
}

/* A 32-bit program says what it is in process_create; here it is about those that hide it. */
static __always_inline void tell_first(struct task_struct *t, u32 number)
{
    struct mm_struct *mm = t->mm;
    u64 key = task_key(t);
    u8 one = 1;
    if (!mm || mm->task_size <= LIMIT_32BIT || bpf_map_lookup_elem(&compat_seen, &key) ||
        !wanted(WEDR_EV_COMPAT_CALL) ||
        (int)bpf_map_update_elem(&compat_seen, &key, &one, BPF_NOEXIST)) {
        return;
    }
    struct task_head head;
    struct emit e = {};
    struct wedr_linux_compat_call *r = emit_reserve(&e, WEDR_LANE_CRITICAL, sizeof *r);
    if (!r) {
        return;
    }
    task_head(&head);
    PUT_HEAD(r, &head);
    PUT(r, syscall_number, number);
    emit_submit(&e, r, WEDR_EV_COMPAT_CALL, sizeof *r, sizeof *r);
}

/* Numbers that both 32-bit tables share, then those that differ: x86, arm. The lower numbers are
 * the calls with 16-bit ids. */
#define NR_PTRACE 26
#define NR_SETUID16 23
#define NR_SETGID16 46
#define NR_SETREUID16 70
#define NR_SETREGID16 71
#define NR_SETGROUPS16 81
#define NR_SETFSUID16 138
#define NR_SETFSGID16 139
#define NR_SETRESUID16 164
#define NR_SETRESGID16 170
#define NR_CAPSET 185
#define NR_SETREUID 203
#define NR_SETREGID 204
#define NR_SETGROUPS 206
#define NR_SETRESUID 208
#define NR_SETRESGID 210
#define NR_SETUID 213
#define NR_SETGID 214
#define NR_SETFSUID 215
#define NR_SETFSGID 216
#define NR_UNSHARE (IS_X86 ? 310u : 337u)
#define NR_SETNS (IS_X86 ? 346u : 375u)

static __always_inline enum cred_call cred_call_of(u32 number)
{
    switch (number) {
    case NR_SETUID16:
    case NR_SETREUID16:
    case NR_SETRESUID16:
    case NR_SETUID:
    case NR_SETREUID:
    case NR_SETRESUID:
        return CALL_UID;
    case NR_SETGID16:
    case NR_SETREGID16:
    case NR_SETRESGID16:
    case NR_SETGID:
    case NR_SETREGID:
    case NR_SETRESGID:
        return CALL_GID;
    case NR_SETFSUID16:
    case NR_SETFSUID:
        return CALL_FSUID;
    case NR_SETFSGID16:
    case NR_SETFSGID:
        return CALL_FSGID;
    case NR_SETGROUPS16:
    case NR_SETGROUPS:
        return CALL_GROUPS;
    case NR_CAPSET:
        return CALL_CAPSET;
    default:
        return number == NR_UNSHARE ? CALL_UNSHARE : number == NR_SETNS ? CALL_SETNS : CALL_NONE;
    }
}

SEC("tp_btf/sys_exit")
int BPF_PROG(wedr_compat, void *regs, long ret)
{
    struct task_struct *t = bpf_get_current_task_btf();
    if (!in_compat_call(t)) {
        return 0;
    }
    u32 number = compat_number(regs);
    tell_first(t, number);
    enum cred_call call = cred_call_of(number);
    if (call != CALL_NONE) {
        cred_called(call);
    } else if (number == NR_PTRACE) {
        ptrace_told(compat_arg(regs, 0), compat_arg(regs, 1), (int)ret);
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
