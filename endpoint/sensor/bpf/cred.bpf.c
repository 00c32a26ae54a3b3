/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/cred.bpf.c — changes of identity and of namespaces without execve, and those
 * that nothing explains. Observes only.
 */
#include "cred.bpf.h"

#define CALLED(name, call)             \
    SEC("tp/syscalls/sys_exit_" #name) \
    int wedr_##name(void *ctx)         \
    {                                  \
        return cred_called(call);      \
    }

CALLED(setuid, CALL_UID)
CALLED(setreuid, CALL_UID)
CALLED(setresuid, CALL_UID)
CALLED(setgid, CALL_GID)
CALLED(setregid, CALL_GID)
CALLED(setresgid, CALL_GID)
CALLED(setfsuid, CALL_FSUID)
CALLED(setfsgid, CALL_FSGID)
CALLED(setgroups, CALL_GROUPS)
CALLED(capset, CALL_CAPSET)
CALLED(unshare, CALL_UNSHARE)
CALLED(setns, CALL_SETNS)

/* The child begins with what its creator has; clone may give it other namespaces. A creator is one
 * of the kernel's own threads when the kernel starts a helper: that gets its identity afterwards.
 */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(wedr_cred_fork, struct task_struct *creator, struct task_struct *child)
{
    if ((creator->flags | child->flags) & PF_KTHREAD) {
        return 0;
    }
    struct cred_task *from = cred_of(creator, BPF_LOCAL_STORAGE_GET_F_CREATE);
    struct cred_task *to = cred_of(child, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!from || !to) {
        return 0;
    }
    if (!from->known) {
        cred_fill(from, creator);
    } else {
        cred_look(creator, from, CALL_NONE);
    }
    to->last = from->last;
    to->groups = from->groups;
    __builtin_memcpy(to->ns, from->ns, sizeof to->ns);
    to->known = from->known;
    if (child->nsproxy == creator->nsproxy && child->real_cred == creator->real_cred) {
        return 0;
    }
    cred_look(child, to, CALL_UNSHARE);
    ns_read(child, to->ns, to->last.ns_user);
    ns_tell(child, WEDR_NAMESPACE_OP_CLONE, from->ns, to->ns);
    return 0;
}

/* Where the kernel has it (6.10): the last moment before execve puts on the new credentials. */
SEC("tp_btf/sched_prepare_exec")
int BPF_PROG(wedr_cred_prep, struct task_struct *t)
{
    struct cred_task *s = cred_of(t, 0);
    if (s && s->known) {
        cred_look(t, s, CALL_NONE);
    }
    return 0;
}

/* What execve itself changes stands in process_create. It never touches the real ids or the user
 * namespace; the effective ids become the file's (set-id bits) or fall back to the real ones. */
static __always_inline bool
exec_legal(const struct cred_view *old, const struct cred_view *now, u32 mode)
{
    if (now->uid != old->uid || now->gid != old->gid || now->ns_user != old->ns_user) {
        return false;
    }
    bool uid_ok = now->euid == old->euid || now->euid == old->uid || (mode & S_ISUID);
    bool gid_ok = now->egid == old->egid || now->egid == old->gid || (mode & S_ISGID);
    return uid_ok && gid_ok;
}

/* Set-id bits that may have given the process its effective ids. */
static __always_inline u32 exec_mode(struct task_struct *t, struct linux_binprm *bprm)
{
    if (BPF_CORE_READ_BITFIELD_PROBED(bprm, execfd_creds)) {
        return S_ISUID | S_ISGID;
    }
    struct mm_struct *mm = t->mm;
    struct file *exe = mm ? mm->exe_file : NULL;
    struct inode *inode = exe ? exe->f_inode : NULL;
    return inode ? inode->i_mode : 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(wedr_cred_exec, struct task_struct *t, int old_pid, struct linux_binprm *bprm)
{
    struct cred_view now;
    struct cred_task *s = cred_of(t, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!s) {
        return 0;
    }
    if (!s->known || !cred_read(t, &now)) {
        cred_fill(s, t);
        return 0;
    }
    if (!exec_legal(&s->last, &now, exec_mode(t, bprm)) && is_armed()) {
        cred_tell(t, WEDR_CREDENTIAL_OP_UNEXPLAINED, &s->last, &now, s->groups);
    }
    s->last = now;
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(wedr_cred_exit, struct task_struct *t)
{
    struct cred_task *s = cred_of(t, 0);
    if (s && s->known) {
        cred_look(t, s, CALL_NONE);
    }
    return 0;
}

/* Tasks that are older than the sensor. Writes no record. */
SEC("iter/task")
int wedr_cred_list(struct bpf_iter__task *ctx)
{
    struct task_struct *t = ctx->task;
    if (!t || (t->flags & PF_KTHREAD)) {
        return 0;
    }
    struct cred_task *s = cred_of(t, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (s && !s->known) {
        cred_fill(s, t);
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
