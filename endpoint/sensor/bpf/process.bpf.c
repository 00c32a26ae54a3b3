/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/process.bpf.c — process start, fork, end, and the inventory of what ran
 * before. Observes only. Built twice, see path.bpf.h.
 */
#include "filter.bpf.h"

#define ARGV_ROOM 32768u
#define EEXIST 17

_Static_assert(STRINGS_MAX + ARGV_ROOM <= REC_BYTES, "argv fits behind the other strings");

/* Processes whose last two threads left together: both see no thread alive. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, u64);
    __type(value, u8);
} exited SEC(".maps");

enum argv_from { ARGV_OWN, ARGV_OTHER, ARGV_OUT_OF_REACH };

static __always_inline void add_argv(struct build *b,
                                     struct wedr_linux_process_create *r,
                                     struct task_struct *t,
                                     enum argv_from from)
{
    struct mm_struct *mm = t->mm;
    if (!mm) {
        return;
    }
    u64 start = mm->arg_start, size = mm->arg_end - start;
    u32 pos = b->pos;
    if (size == 0 || size > 0xffffffffu || pos > STRINGS_MAX) {
        return;
    }
    PUT(r, argv_size, (u32)size);
    u32 len = size > WEDR_ARGV_COPY_MAX ? WEDR_ARGV_COPY_MAX : (u32)size;
    u32 flags = size > WEDR_ARGV_COPY_MAX ? WEDR_SF_CUT : 0;
    barrier_var(len);
    len &= ARGV_ROOM - 1;
    long err = -1;
    if (from == ARGV_OWN) {
        err = bpf_probe_read_user(&b->s->rec[pos], len, (const void *)start);
    } else if (from == ARGV_OTHER) {
        err = bpf_copy_from_user_task(&b->s->rec[pos], len, (const void *)start, t, 0);
    }
    if (err) {
        PUT(r, command_line.flags, WEDR_SF_UNREADABLE);
        return;
    }
    ref_put(&r->command_line, pos, len, flags);
    b->cut += flags != 0;
    b->pos = pos + len;
}

static __always_inline void
put_exe(struct build *b, struct wedr_linux_process_create *r, struct task_struct *t)
{
    struct mm_struct *mm = t->mm;
    struct file *exe = mm ? mm->exe_file : NULL;
    if (!exe) {
        return;
    }
    struct inode *inode = exe->f_inode;
    if (inode) {
        b->flags |= put_exe_inode(r, inode);
    }
    u32 found = add_path(b, &r->image_path, (u64)BPF_CORE_READ(exe, f_path.dentry),
                         (u64)BPF_CORE_READ(exe, f_path.mnt));
    if (found & WALK_MEMFD) {
        b->flags |= WEDR_EXEC_FLAGS_MEMFD;
    }
    if (found & WEDR_SF_NO_NAME) {
        /* What never had a name cannot have lost it. */
        b->flags = (b->flags & ~WEDR_EXEC_FLAGS_DELETED) | WEDR_EXEC_FLAGS_NO_NAME;
    }
    if (found & WEDR_SF_DELETED) {
        b->flags |= WEDR_EXEC_FLAGS_DELETED;
    }
}

static __always_inline void
put_directories(struct build *b, struct wedr_linux_process_create *r, struct task_struct *t)
{
    struct fs_struct *fs = t->fs;
    if (!fs) {
        return;
    }
    add_path(b, &r->cwd, (u64)BPF_CORE_READ(fs, pwd.dentry), (u64)BPF_CORE_READ(fs, pwd.mnt));
    if (!is_namespace_root((u64)BPF_CORE_READ(fs, root.dentry), (u64)BPF_CORE_READ(fs, root.mnt))) {
        b->flags |= WEDR_EXEC_FLAGS_CHROOTED;
    }
}

static __always_inline void
put_parent(struct build *b, struct wedr_linux_process_create *r, struct task_struct *t)
{
    struct task_struct *parent = t->real_parent;
    if (!parent) {
        return;
    }
    PUT(r, parent_pid, (u32)parent->tgid);
    if (parent->tgid == 0) { /* the idle task is nobody's parent in any list */
        return;
    }
    PUT(r, parent_key, task_key(parent));
    struct mm_struct *mm = BPF_CORE_READ(parent, mm);
    struct file *exe = BPF_CORE_READ(mm, exe_file);
    if (exe) {
        add_path(b, &r->parent_image_path, (u64)BPF_CORE_READ(exe, f_path.dentry),
                 (u64)BPF_CORE_READ(exe, f_path.mnt));
    }
}

static __always_inline void
put_cgroup_names(struct build *b, struct wedr_linux_process_create *r, struct task_struct *t)
{
    struct kernfs_node *kn = (void *)put_cgroup(r, t);
    struct kernfs_node *parent = kernfs_parent(kn);
    add_name(b, &r->cgroup_name, (u64)BPF_CORE_READ(kn, name), 256, false);
    add_name(b, &r->cgroup_parent, (u64)BPF_CORE_READ(parent, name), 256, false);
}

static __always_inline void
put_task(struct build *b, struct wedr_linux_process_create *r, struct task_struct *t)
{
    PUT(r, pid, (u32)t->tgid);
    PUT(r, creating_pid, (u32)t->tgid);
    PUT(r, process_key, task_key(t));
    PUT(r, login_uid, login_uid(t));
    comm_put(r, &r->comm, b->pos, t);
    b->pos += COMM_BYTES;
    put_cred(r, t);
    put_namespaces(r, t);
    struct signal_struct *sig = t->signal;
    if (sig) {
        PUT(r, pgid, signal_pid(sig, PIDTYPE_PGID));
        PUT(r, sid, signal_pid(sig, PIDTYPE_SID));
        struct tty_struct *tty = sig->tty;
        add_name(b, &r->tty, tty ? (u64)tty->name : 0, 64, false);
    }
    put_cgroup_names(b, r, t);
    struct mm_struct *mm = t->mm;
    if (mm && mm->task_size <= 0x100000000ul) {
        b->flags |= WEDR_EXEC_FLAGS_COMPAT;
    }
    if (t->flags & PF_KTHREAD) {
        b->flags |= WEDR_EXEC_FLAGS_KERNEL_THREAD;
    }
    put_exe(b, r, t);
    put_directories(b, r, t);
    put_parent(b, r, t);
}

/* "/dev/fd/" and a number: the kernel's own name for a program that was given by descriptor. */
static __always_inline bool given_by_descriptor(const char *filename)
{
    u8 name[20] = {};
    if (bpf_probe_read_kernel_str(name, sizeof name, filename) < 10) {
        return false;
    }
    const u8 want[8] = "/dev/fd/";
    for (int i = 0; i < 8; i++) {
        if (name[i] != want[i]) {
            return false;
        }
    }
    for (int i = 8; i < 19 && name[i]; i++) {
        if (name[i] < '0' || name[i] > '9') {
            return false;
        }
    }
    return true;
}

static __always_inline void
put_program_name(struct build *b, struct wedr_linux_process_create *r, struct linux_binprm *bprm)
{
    const char *filename = bprm->filename;
    if (given_by_descriptor(filename)) {
        b->flags |= WEDR_EXEC_FLAGS_FEXECVE;
    }
    if (bprm->interp != filename) {
        b->flags |= WEDR_EXEC_FLAGS_SCRIPT;
        add_name(b, &r->script_path, (u64)filename, 4096, true);
    }
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(wedr_exec, struct task_struct *task, int old_pid, struct linux_binprm *given)
{
    struct task_struct *t = PLAIN(struct task_struct, task);
    struct linux_binprm *bprm = PLAIN(struct linux_binprm, given);
    struct build b = {};
    struct wedr_linux_process_create *r = build_begin(&b, WEDR_LANE_CRITICAL, SLOT_OWN, sizeof *r);
    if (!r) {
        return 0;
    }
    put_task(&b, r, t);
    put_program_name(&b, r, bprm);
    add_argv(&b, r, t, ARGV_OWN);
    PUT(r, exec_flags, b.flags);
    build_end(&b, r, WEDR_EV_PROCESS_CREATE, sizeof *r, 0);
    return 0;
}

/* One byte per record to whoever reads the iterator: the loader counts them. */
static __always_inline int inventory_one(struct bpf_iter__task *ctx, enum argv_from from)
{
    struct task_struct *t = ctx->task;
    if (!t || t->pid != t->tgid) {
        return 0;
    }
    struct signal_struct *sig = t->signal;
    if (!sig || sig->live.counter == 0) { /* ended, not yet waited for */
        return 0;
    }
    struct build b = {};
    struct wedr_linux_process_create *r = build_begin(&b, WEDR_LANE_CRITICAL, SLOT_ITER, sizeof *r);
    if (!r) {
        return 0;
    }
    put_task(&b, r, PLAIN(struct task_struct, t));
    add_argv(&b, r, t, from);
    PUT(r, exec_flags, b.flags);
    build_end(&b, r, WEDR_EV_PROCESS_CREATE, sizeof *r, WEDR_EVF_EXISTING);
    char one = 1;
    bpf_seq_write(ctx->meta->seq, &one, sizeof one);
    return 0;
}

/* 5.18 and newer: may wait for another task's memory. */
SEC("iter.s/task")
int wedr_inventory(struct bpf_iter__task *ctx)
{
    return inventory_one(ctx, ARGV_OTHER);
}

SEC("iter/task")
int wedr_inventory_noargv(struct bpf_iter__task *ctx)
{
    return inventory_one(ctx, ARGV_OUT_OF_REACH);
}

/* Skipped runs of all programs in all, written by the holder. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u64);
} missed SEC(".maps");

static __always_inline void note_missed(void)
{
    u32 zero = 0;
    const u64 *count = bpf_map_lookup_elem(&missed, &zero);
    struct wedr_sensor_state *st = state_get();
    if (count && st && *count > st->missed) {
        st->missed = *count;
    }
}

/* Over the entries of budgets, then of budget_users, every few seconds. */
SEC("iter/bpf_map_elem")
int wedr_sweep(struct bpf_iter__bpf_map_elem *ctx)
{
    const u64 *at = ctx->key;
    if (!at) { /* the end */
        note_missed();
        return 0;
    }
    budget_sweep(*at, ctx->map == (void *)&budget_users);
    return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(wedr_fork, struct task_struct *creator, struct task_struct *made)
{
    struct task_struct *child = PLAIN(struct task_struct, made);
    if (child->pid != child->tgid) {
        return 0;
    }
    struct emit e;
    struct wedr_linux_process_fork *r =
        emit_reserve(&e, WEDR_LANE_CRITICAL, sizeof *r + COMM_BYTES);
    if (!r) {
        return 0;
    }
    PUT(r, pid, (u32)child->tgid);
    PUT(r, process_key, task_key(child));
    struct task_struct *parent = child->real_parent;
    if (parent) {
        PUT(r, parent_pid, (u32)parent->tgid);
        PUT(r, parent_key, task_key(parent));
    }
    PUT(r, creating_pid, (u32)creator->tgid);
    const struct cred *c = child->cred;
    PUT(r, uid, c ? c->uid.val : 0);
    comm_put(r, &r->comm, sizeof *r, child);
    emit_submit(&e, r, WEDR_EV_PROCESS_FORK, sizeof *r + COMM_BYTES, sizeof *r);
    return 0;
}

/* True for one thread of the group only: the one that leaves no other alive. A thread that sees
 * others (they are on their way out as well) notes that it speaks for the group; one that sees none
 * still has to look whether another spoke before it was gone. */
static __always_inline bool is_last_thread(struct task_struct *t, struct signal_struct *sig)
{
    if (sig->live.counter != 0) {
        return false;
    }
    u64 key = task_key(t);
    if (sig->nr_threads <= 1) {
        return !bpf_map_lookup_elem(&exited, &key);
    }
    /* Before 6.4 the upper half of what the update returns is not set. */
    u8 one = 1;
    int err = (int)bpf_map_update_elem(&exited, &key, &one, BPF_NOEXIST);
    return err != -EEXIST;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(wedr_exit, struct task_struct *task)
{
    struct task_struct *t = PLAIN(struct task_struct, task);
    struct signal_struct *sig = t->signal;
    if (!sig || !is_last_thread(t, sig)) {
        return 0;
    }
    budget_end(task_key(t));
    struct emit e;
    struct wedr_linux_process_terminate *r =
        emit_reserve(&e, WEDR_LANE_CRITICAL, sizeof *r + COMM_BYTES);
    if (!r) {
        return 0;
    }
    struct task_struct *leader = t->group_leader;
    u32 status = (u32)t->exit_code;
    if (sig->flags & SIGNAL_GROUP_EXIT) {
        status = (u32)sig->group_exit_code;
    } else if (leader) {
        status = (u32)leader->exit_code;
    }
    PUT(r, pid, (u32)t->tgid);
    PUT(r, exit_code, (int)(status >> 8 & 0xff));
    PUT(r, signal, status & 0x7f);
    PUT(r, core_dumped, (status & 0x80) != 0);
    PUT(r, process_key, task_key(t));
    struct task_struct *parent = t->real_parent;
    if (parent) {
        PUT(r, parent_pid, (u32)parent->tgid);
        PUT(r, parent_key, parent->tgid ? task_key(parent) : 0);
    }
    const struct cred *c = t->cred;
    PUT(r, uid, c ? c->uid.val : 0);
    comm_put(r, &r->comm, sizeof *r, leader ? leader : t);
    emit_submit(&e, r, WEDR_EV_PROCESS_TERMINATE, sizeof *r + COMM_BYTES, sizeof *r);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
