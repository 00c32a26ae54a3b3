/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/syscall.bpf.h — what a program at the end of a system call asks: the
 * arguments, the file behind a descriptor, the task behind a pid. Arguments come from the saved
 * registers: the caller cannot change them after the kernel took them. A descriptor and a pid are
 * looked up anew, in the table of now: another thread may have put something else there meanwhile,
 * so what is found must be checked where that matters. Nothing here takes a lock; a program runs
 * inside an RCU read section, which keeps what is found from being freed.
 */
#pragma once

#include "task.bpf.h"

/* Context of tp/syscalls/sys_exit_*. These hooks see native calls only, never those of the 32-bit
 * table. */
struct sys_exit {
    u64 common;
    u64 number;
    s64 ret;
};

#define IS_X86 bpf_core_field_exists(((struct pt_regs___x86 *)0)->orig_ax)

/* Argument n (a constant, 0 to 5) of current's system call. */
static __always_inline u64 syscall_arg(int n)
{
    void *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
    if (!IS_X86) {
        struct pt_regs___arm64 *a = regs;
        return n == 0 ? a->orig_x0 : a->regs[n];
    }
    struct pt_regs___x86 *x = regs;
    switch (n) {
    case 0:
        return x->di;
    case 1:
        return x->si;
    case 2:
        return x->dx;
    case 3:
        return x->r10;
    case 4:
        return x->r8;
    default:
        return x->r9;
    }
}

/* Is current inside this system call of its native table? */
static __always_inline bool in_syscall(u64 x86, u64 arm64)
{
    void *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
    if (!IS_X86) {
        struct pt_regs___arm64 *a = regs;
        return (u64)a->syscallno == arm64;
    }
    struct pt_regs___x86 *x = regs;
    return x->orig_ax == x86;
}

#define TS_COMPAT 0x2u             /* x86: thread_info.status */
#define TIF_32BIT_ARM64 (1u << 22) /* thread_info.flags */

/* Is the task, which is current, inside a system call of the 32-bit table? */
static __always_inline bool in_compat_call(struct task_struct *t)
{
    struct task_struct___x86 *x = (void *)t;
    struct task_struct___arm64 *a = (void *)t;
    return IS_X86 ? (x->thread_info.status & TS_COMPAT) != 0
                  : (a->thread_info.flags & TIF_32BIT_ARM64) != 0;
}

/* Address of the struct file that current's descriptor fd stands for now; 0 when there is none. */
static __always_inline u64 fd_file(u32 fd)
{
    struct task_struct *t = PLAIN(struct task_struct, bpf_get_current_task_btf());
    struct files_struct *files = t->files;
    struct fdtable *table = BPF_CORE_READ(files, fdt);
    if (fd >= BPF_CORE_READ(table, max_fds)) {
        return 0;
    }
    struct file **all = BPF_CORE_READ(table, fd);
    u64 file = 0;
    bpf_probe_read_kernel(&file, sizeof file, all + fd);
    return file;
}

/* The bit that marks a backing file is the one or the other, depending on the kernel, and each
 * means something else on other kernels. */
#define FMODE_MAYBE_BACKING 0x3000000u

/* Where a file is, as the process that opened it sees it; addresses. */
struct place {
    u64 dentry, mnt, inode;
};

/* What follows a struct file in memory is only a path if its two halves agree. */
static __always_inline bool is_path(u64 dentry, u64 mnt)
{
    struct dentry *d = (struct dentry *)dentry;
    struct vfsmount *m = (struct vfsmount *)mnt;
    u64 sb = (u64)BPF_CORE_READ(d, d_sb);
    return sb && sb == (u64)BPF_CORE_READ(m, mnt_sb);
}

/* A mapping of a file of overlayfs holds the file of the layer below, with a path that nobody uses;
 * the path that was opened stands behind it (6.8). Before, that file borrows the opened path. The
 * inode is therefore always the path's, never f_inode. */
static __always_inline void file_place(struct place *p, u64 address)
{
    struct file *f = (struct file *)address;
    struct backing_file *b = (struct backing_file *)address;
    p->dentry = (u64)BPF_CORE_READ(f, f_path.dentry);
    p->mnt = (u64)BPF_CORE_READ(f, f_path.mnt);
    if (bpf_core_field_exists(b->user_path) && (BPF_CORE_READ(f, f_mode) & FMODE_MAYBE_BACKING)) {
        u64 dentry = (u64)BPF_CORE_READ(b, user_path.dentry);
        u64 mnt = (u64)BPF_CORE_READ(b, user_path.mnt);
        if (is_path(dentry, mnt)) {
            p->dentry = dentry;
            p->mnt = mnt;
        }
    }
    struct dentry *d = (struct dentry *)p->dentry;
    p->inode = (u64)BPF_CORE_READ(d, d_inode);
}

#define XA_LEVELS 6 /* of 64 slots: more than there can be pids */
#define XA_IS_NODE(entry) (((entry)&3) == 2 && (entry) > 4096)

/* Address of the struct pid that a number stands for in current's own pid namespace, 0 when there
 * is none: the kernel's own look-up, done again. */
static inline __noinline u64 pid_by_number(u32 number)
{
    struct task_struct *t = PLAIN(struct task_struct, bpf_get_current_task_btf());
    struct pid *own = t->thread_pid;
    if (!own) {
        return 0;
    }
    struct upid up = {};
    u64 first = (u64)own + bpf_core_field_offset(struct pid, numbers);
    bpf_probe_read_kernel(&up, sizeof up, (void *)(first + (own->level & 63) * sizeof up));
    struct pid_namespace *ns = up.ns;
    u64 entry = (u64)BPF_CORE_READ(ns, idr.idr_rt.xa_head);
    u64 index = number - BPF_CORE_READ(ns, idr.idr_base);
    for (int i = 0; i < XA_LEVELS && XA_IS_NODE(entry); i++) {
        struct xa_node *node = (struct xa_node *)(entry - 2);
        u32 shift = BPF_CORE_READ(node, shift) & 31;
        u64 slot = index >> shift;
        if (slot > 63) {
            return 0;
        }
        index &= (1ull << shift) - 1;
        u64 slots = (u64)node + bpf_core_field_offset(struct xa_node, slots);
        bpf_probe_read_kernel(&entry, sizeof entry, (void *)(slots + slot * sizeof entry));
        if (shift == 0) {
            return XA_IS_NODE(entry) ? 0 : entry;
        }
    }
    return index == 0 && !XA_IS_NODE(entry) ? entry : 0;
}

/* Address of the task (thread) of a struct pid; 0 when it has ended. */
static __always_inline u64 task_of_pid(u64 address)
{
    struct pid *p = (struct pid *)address;
    u64 link = (u64)BPF_CORE_READ(p, tasks[PIDTYPE_PID].first);
    return link ? link - bpf_core_field_offset(struct task_struct, pid_links) : 0;
}

/* task_key() of a task that only its address is known of. */
static __always_inline u64 task_key_at(u64 address)
{
    struct task_struct *t = (struct task_struct *)address;
    struct task_struct *leader = BPF_CORE_READ(t, group_leader);
    return leader ? wedr_linux_process_key(BPF_CORE_READ(leader, start_boottime),
                                           (u32)BPF_CORE_READ(t, tgid))
                  : 0;
}
