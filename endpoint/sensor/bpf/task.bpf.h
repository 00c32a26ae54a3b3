/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/task.bpf.h — what a record says about a task, read from kernel objects. Every
 * pointer is checked before it is followed: a kernel thread has no mm and an exiting task loses one
 * part after the other.
 */
#pragma once

#include "path.bpf.h"

#define COMM_BYTES 16u
#define I_NSEC_MASK 0x3fffffffu /* 6.13 keeps a flag in the top bit of i_ctime_nsec */

static __always_inline u64 task_key(struct task_struct *task)
{
    struct task_struct *t = PLAIN(struct task_struct, task);
    struct task_struct *leader = t->group_leader;
    return leader ? wedr_linux_process_key(leader->start_boottime, (u32)t->tgid) : 0;
}

/* Copies the task name to rec + pos; the reference says how much of it counts. */
static __always_inline void
comm_put(void *rec, struct wedr_str_ref *ref, u32 pos, struct task_struct *t)
{
    long n = bpf_probe_read_kernel_str((u8 *)rec + pos, COMM_BYTES, t->comm);
    ref_put(ref, pos, n > 1 ? (u32)n - 1 : 0, n < 0 ? WEDR_SF_UNREADABLE : 0);
}

static __always_inline u32 login_uid(struct task_struct *t)
{
    struct task_struct___audit *a = (void *)t;
    return bpf_core_field_exists(a->loginuid) ? BPF_CORE_READ(a, loginuid.val) : (u32)-1;
}

/* Id in the initial pid namespace of the process group or session. */
static __always_inline u32 signal_pid(struct signal_struct *sig, int which)
{
    struct pid *p = sig->pids[which];
    return p ? (u32)BPF_CORE_READ(p, numbers[0].nr) : 0;
}

static __always_inline void put_caps(struct wedr_linux_process_create *r, const struct cred *c)
{
    if (bpf_core_field_exists(c->cap_effective.val)) {
        PUT(r, cap_inheritable, c->cap_inheritable.val);
        PUT(r, cap_permitted, c->cap_permitted.val);
        PUT(r, cap_effective, c->cap_effective.val);
        PUT(r, cap_bounding, c->cap_bset.val);
        PUT(r, cap_ambient, c->cap_ambient.val);
        return;
    }
    u64 v = 0; /* two words of 32 bits */
    bpf_core_read(&v, sizeof v, &c->cap_inheritable);
    PUT(r, cap_inheritable, v);
    bpf_core_read(&v, sizeof v, &c->cap_permitted);
    PUT(r, cap_permitted, v);
    bpf_core_read(&v, sizeof v, &c->cap_effective);
    PUT(r, cap_effective, v);
    bpf_core_read(&v, sizeof v, &c->cap_bset);
    PUT(r, cap_bounding, v);
    bpf_core_read(&v, sizeof v, &c->cap_ambient);
    PUT(r, cap_ambient, v);
}

static __always_inline void put_cred(struct wedr_linux_process_create *r, struct task_struct *t)
{
    const struct cred *c = t->cred;
    if (!c) {
        return;
    }
    PUT(r, uid, c->uid.val);
    PUT(r, gid, c->gid.val);
    PUT(r, euid, c->euid.val);
    PUT(r, egid, c->egid.val);
    PUT(r, suid, c->suid.val);
    PUT(r, sgid, c->sgid.val);
    PUT(r, fsuid, c->fsuid.val);
    PUT(r, fsgid, c->fsgid.val);
    struct user_namespace *u = c->user_ns;
    PUT(r, ns_user, u ? u->ns.inum : 0);
    put_caps(r, c);
}

static __always_inline void put_namespaces(struct wedr_linux_process_create *r,
                                           struct task_struct *t)
{
    struct nsproxy *ns = t->nsproxy;
    if (ns) {
        struct mnt_namespace *mnt = ns->mnt_ns;
        struct net *net = ns->net_ns;
        struct uts_namespace *uts = ns->uts_ns;
        struct ipc_namespace *ipc = ns->ipc_ns;
        struct cgroup_namespace *cgroup = ns->cgroup_ns;
        PUT(r, ns_mnt, mnt ? mnt->ns.inum : 0);
        PUT(r, ns_net, net ? net->ns.inum : 0);
        PUT(r, ns_uts, uts ? uts->ns.inum : 0);
        PUT(r, ns_ipc, ipc ? ipc->ns.inum : 0);
        PUT(r, ns_cgroup, cgroup ? cgroup->ns.inum : 0);
    }
    struct pid *p = t->thread_pid;
    if (p) {
        u32 level = p->level;
        struct upid up = {};
        const char *first = (const char *)p + bpf_core_field_offset(struct pid, numbers);
        bpf_probe_read_kernel(&up, sizeof up, first + (level & 63) * sizeof up);
        PUT(r, ns_pid_nr, (u32)up.nr);
        struct pid_namespace *pns = up.ns;
        PUT(r, ns_pid, (u32)BPF_CORE_READ(pns, ns.inum));
    }
}

/* The cgroup whose name tells most: of the v1 pids hierarchy where there is one (there v2 only has
 * the root), else of v2. The address of its node, 0 when unknown. */
static __always_inline u64 put_cgroup(struct wedr_linux_process_create *r, struct task_struct *t)
{
    struct css_set *set = t->cgroups;
    if (!set) {
        return 0;
    }
    struct cgroup *cg = set->dfl_cgrp;
    struct kernfs_node *kn = cg ? cg->kn : NULL;
    if (!kn) {
        return 0;
    }
    PUT(r, cgroup_id, kn->id);
    if (bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id)) {
        u32 index = bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id);
        struct cgroup_subsys_state *css = NULL;
        const char *first = (const char *)set + bpf_core_field_offset(struct css_set, subsys);
        bpf_probe_read_kernel(&css, sizeof css, first + (index & 63) * sizeof css);
        struct cgroup *pids = BPF_CORE_READ(css, cgroup);
        if (pids && (u64)BPF_CORE_READ(pids, root) != (u64)cg->root) {
            return (u64)BPF_CORE_READ(pids, kn);
        }
    }
    return (u64)kn;
}

static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *kn)
{
    struct kernfs_node___p615 *newer = (void *)kn;
    return bpf_core_field_exists(newer->__parent) ? BPF_CORE_READ(newer, __parent)
                                                  : BPF_CORE_READ(kn, parent);
}

static __always_inline s64 nanoseconds(s64 sec, s64 nsec)
{
    return sec * 1000000000 + nsec;
}

static __always_inline void put_inode_times(struct wedr_linux_process_create *r,
                                            struct inode *inode)
{
    struct inode___t611 *t = (void *)inode;
    struct inode___c66 *c = (void *)inode;
    struct inode___m67 *m = (void *)inode;
    if (bpf_core_field_exists(t->i_ctime_sec)) {
        PUT(r, exe_ctime_ns, nanoseconds(t->i_ctime_sec, t->i_ctime_nsec & I_NSEC_MASK));
        PUT(r, exe_mtime_ns, nanoseconds(t->i_mtime_sec, t->i_mtime_nsec & I_NSEC_MASK));
        return;
    }
    if (bpf_core_field_exists(c->__i_ctime)) {
        PUT(r, exe_ctime_ns, nanoseconds(c->__i_ctime.tv_sec, c->__i_ctime.tv_nsec));
    } else {
        PUT(r, exe_ctime_ns, nanoseconds(inode->i_ctime.tv_sec, inode->i_ctime.tv_nsec));
    }
    if (bpf_core_field_exists(m->__i_mtime)) {
        PUT(r, exe_mtime_ns, nanoseconds(m->__i_mtime.tv_sec, m->__i_mtime.tv_nsec));
    } else {
        PUT(r, exe_mtime_ns, nanoseconds(inode->i_mtime.tv_sec, inode->i_mtime.tv_nsec));
    }
}

/* Did this file's set-id bits give the process an identity that its real ids do not have? */
static __always_inline bool
gained_identity(const struct wedr_linux_process_create *r, u32 mode, u32 file_uid, u32 file_gid)
{
    if ((mode & S_ISUID) && r->euid == file_uid && r->euid != r->uid) {
        return true;
    }
    return (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && r->egid == file_gid &&
           r->egid != r->gid;
}

/* The file's own facts; returns WEDR_EXEC_FLAGS_*. Credentials must be in the record already. */
static __always_inline u32 put_exe_inode(struct wedr_linux_process_create *r, struct inode *inode)
{
    u32 mode = inode->i_mode;
    u32 uid = inode->i_uid.val;
    u32 nlink = inode->i_nlink;
    PUT(r, exe_inode, inode->i_ino);
    struct super_block *sb = inode->i_sb;
    PUT(r, exe_dev, sb ? sb->s_dev : 0);
    PUT(r, exe_mode, mode);
    PUT(r, exe_nlink, nlink);
    PUT(r, exe_uid, uid);
    PUT(r, exe_size, (u64)inode->i_size);
    put_inode_times(r, inode);
    u32 flags = nlink == 0 ? WEDR_EXEC_FLAGS_DELETED : 0;
    if (gained_identity(r, mode, uid, inode->i_gid.val)) {
        flags |= WEDR_EXEC_FLAGS_SETUID;
    }
    return flags;
}
