/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/handle.bpf.c — one process acts on another: ptrace, its memory, its
 * descriptors (process_handle_access), signals (process_signal).
 */
#include "handle.bpf.h"

#define PIDFS_MAGIC 0x50494446ul
#define SIGNALS 64

SEC("tp/syscalls/sys_exit_ptrace")
int wedr_ptrace(struct sys_exit *ctx)
{
    u64 request = syscall_arg(0);
    if (!ptrace_matters(request, ctx->ret)) {
        return 0;
    }
    return ptrace_told((u32)request, (u32)syscall_arg(1), ctx->ret);
}

SEC("tp/syscalls/sys_exit_process_vm_readv")
int wedr_vmread(struct sys_exit *ctx)
{
    return handle_by_number(WEDR_HANDLE_OP_VM_READ, 0, (u32)syscall_arg(0), ctx->ret);
}

SEC("tp/syscalls/sys_exit_process_vm_writev")
int wedr_vmwrite(struct sys_exit *ctx)
{
    return handle_by_number(WEDR_HANDLE_OP_VM_WRITE, 0, (u32)syscall_arg(0), ctx->ret);
}

/* Address of the struct pid behind a pidfd; 0 when the descriptor is something else by now. */
static __always_inline u64 pid_of_pidfd(u32 fd)
{
    const u8 want[8] = "[pidfd]";
    u64 address = fd_file(fd);
    struct place at;
    file_place(&at, address);
    struct inode *inode = (struct inode *)at.inode;
    struct dentry *d = (struct dentry *)at.dentry;
    if (BPF_CORE_READ(inode, i_sb, s_magic) == PIDFS_MAGIC) { /* 6.9 */
        return (u64)BPF_CORE_READ(inode, i_private);
    }
    u8 name[8] = {};
    bpf_probe_read_kernel_str(name, sizeof name, BPF_CORE_READ(d, d_name.name));
    for (u32 i = 0; i < sizeof want; i++) {
        if (name[i] != want[i]) {
            return 0;
        }
    }
    struct file *f = (struct file *)address;
    return (u64)BPF_CORE_READ(f, private_data);
}

SEC("tp/syscalls/sys_exit_pidfd_getfd")
int wedr_getfd(struct sys_exit *ctx)
{
    struct pid *pid = (struct pid *)pid_of_pidfd((u32)syscall_arg(0));
    if (!pid) {
        return 0;
    }
    struct end source, target = {};
    u64 task = task_of_pid((u64)pid);
    if (task) {
        end_of_task(&target, task);
    } else if (ctx->ret < 0) { /* it had ended before */
        return 0;
    } else {
        target.pid = (u32)BPF_CORE_READ(pid, numbers[0].nr);
    }
    end_of_task(&source, (u64)bpf_get_current_task());
    return handle_told(&source, &target, WEDR_HANDLE_OP_PIDFD_GETFD, 0, (int)ctx->ret);
}

enum {
    SIGHUP = 1,
    SIGINT = 2,
    SIGQUIT = 3,
    SIGABRT = 6,
    SIGKILL = 9,
    SIGTERM = 15,
    SIGCHLD = 17,
    SIGCONT = 18,
    SIGSTOP = 19,
    SIGURG = 23,
    SIGWINCH = 28
};
#define SET(sig) (1ull << (sig))
#define HARMLESS (SET(SIGCHLD) | SET(SIGCONT) | SET(SIGURG) | SET(SIGWINCH))
/* Ends or stops also a process that handles it (if it can): that is what it is sent for. */
#define MEANT_TO_END \
    (SET(SIGINT) | SET(SIGQUIT) | SET(SIGABRT) | SET(SIGKILL) | SET(SIGTERM) | SET(SIGSTOP))
#define SIG_DFL 0
#define SI_SIGIO (-5)
#define SI_TIMER (-2)
#define PENDING_ALREADY 2
#define GENERATIONS 8

/* Did a process send it? The kernel's own signals carry no information or a positive code. The
 * codes of timers, message queues and asynchronous I/O are the kernel's unless the caller is just
 * making them up. */
static __always_inline bool sent_by_process(u64 info)
{
    if (info <= 1) {
        return false;
    }
    struct kernel_siginfo *i = (struct kernel_siginfo *)info;
    int code = BPF_CORE_READ(i, si_code);
    if (code >= SI_SIGIO && code <= SI_TIMER) {
        return in_syscall(129, 138) || in_syscall(297, 240) || in_syscall(424, 424);
    }
    return code <= 0;
}

/* Will this signal end or stop that process, as far as the signal goes? */
static __always_inline bool ends_or_stops(struct task_struct *target, u32 sig)
{
    if (SET(sig) & HARMLESS) {
        return false;
    }
    if (SET(sig) & MEANT_TO_END) {
        return true;
    }
    struct sighand_struct *hand = target->sighand;
    u64 action = (u64)hand + bpf_core_field_offset(struct sighand_struct, action) +
                 (u64)(sig - 1) * bpf_core_type_size(struct k_sigaction);
    struct k_sigaction *a = (struct k_sigaction *)action;
    return (u64)BPF_CORE_READ(a, sa.sa_handler) == SIG_DFL;
}

static __always_inline bool is_descendant(struct task_struct *target, u32 of)
{
    u64 at = (u64)target;
    for (int i = 0; i < GENERATIONS; i++) {
        struct task_struct *t = (struct task_struct *)at;
        at = (u64)BPF_CORE_READ(t, real_parent);
        t = (struct task_struct *)at;
        u32 pid = (u32)BPF_CORE_READ(t, tgid);
        if (pid == of) {
            return true;
        }
        if (pid <= 1) {
            return false;
        }
    }
    return false;
}

static __always_inline u64 session_of(struct task_struct *t)
{
    struct signal_struct *sig = t->signal;
    return sig ? (u64)sig->pids[PIDTYPE_SID] : 0;
}

/* Among processes of one user only root's are of interest, and not what a shell or a service does
 * with its own: descendants, and the session. */
static __always_inline bool
signal_matters(struct task_struct *from, struct task_struct *target, u32 uid, u32 to, u32 sig)
{
    if (uid != 0) {
        return to != uid;
    }
    if (!ends_or_stops(target, sig)) {
        return false;
    }
    return to != 0 ||
           (session_of(from) != session_of(target) && !is_descendant(target, (u32)from->tgid));
}

SEC("tp_btf/signal_generate")
int BPF_PROG(wedr_signal, int sig, u64 info, struct task_struct *target, int group, int result)
{
    const u32 type = WEDR_EV_PROCESS_SIGNAL;
    struct task_struct *from = bpf_get_current_task_btf();
    if (sig == SIGCHLD || target->tgid == from->tgid || sig < 1 || sig > SIGNALS ||
        result == PENDING_ALREADY || !sent_by_process(info)) {
        return 0;
    }
    const struct cred *own = from->cred, *other = target->real_cred;
    u32 uid = own->uid.val, to = other->uid.val;
    struct reach_key key = {.source = task_key(from),
                            .target = task_key(target),
                            .what = 0xff000000u | (u32)sig,
                            .outcome = result};
    if (!signal_matters(from, target, uid, to, (u32)sig) || !wanted(type) || !tell_reach(&key)) {
        return 0;
    }
    struct emit e = {};
    struct wedr_linux_process_signal *r = emit_reserve(&e, WEDR_LANE_CRITICAL, sizeof *r);
    if (!r) {
        return 0;
    }
    PUT(r, pid, (u32)from->tgid);
    PUT(r, process_key, key.source);
    PUT(r, uid, uid);
    PUT(r, target_pid, (u32)target->tgid);
    PUT(r, target_key, key.target);
    PUT(r, target_uid, to);
    PUT(r, signal, (u32)sig);
    PUT(r, result, result);
    emit_submit(&e, r, type, sizeof *r, sizeof *r);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
