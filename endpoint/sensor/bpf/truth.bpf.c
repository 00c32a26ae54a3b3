/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/truth.bpf.c — what the kernel itself made of a name. On its way through a
 * call that changes a file by name the kernel asks its security modules, with the folder and the
 * name that it is about to change in its own memory. These programs run at those questions and put
 * that in the place of what the caller said, in the call that its entry hook left in the task's
 * storage (path_call.bpf.h): whoever exchanges the text, a link or a folder while the call runs
 * deceives nobody. Each of them may be missing: then the caller's words are compared and followed
 * as before.
 *
 * They run for every process, but have something to do only inside a call that will be told. They
 * touch nothing but the task's own storage: they can be interrupted by other programs.
 */
#include "path_call.bpf.h"

/* The call of current that this question belongs to. A 32-bit call has no entry hook: it is begun
 * here, and whoever sees its end takes the truth over. */
static __always_inline struct path_call *truth_call(u32 op)
{
    struct task_struct *t = bpf_get_current_task_btf();
    struct path_call *c = bpf_task_storage_get(&path_calls, t, NULL, 0);
    if (c && c->op) {
        return c->op == op ? c : NULL;
    }
    if (!in_compat_call(t)) {
        return NULL;
    }
    c = bpf_task_storage_get(&path_calls, t, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (c) {
        c->waiting = op;
    }
    return c;
}

static __always_inline void truth_spot(struct call_name *k, struct path *at, u64 dentry)
{
    k->folder.dentry = dentry;
    k->folder.mount = (u64)BPF_CORE_READ(at, mnt) - bpf_core_field_offset(struct mount___file, mnt);
    k->hash = truth_seal(dentry);
}

/* The name of a dentry in a folder. */
static __always_inline void truth_name(struct call_name *k, struct path *folder, u64 dentry)
{
    u64 name = ADDRESS(dentry___file, dentry, d_name.name);
    long n = bpf_probe_read_kernel_str(k->head, HEAD_BYTES, (const void *)name);
    truth_spot(k, folder, (u64)BPF_CORE_READ(folder, dentry));
    k->len = n > 0 ? (u32)n : 1;
}

/* A file that is there, by itself. */
static __always_inline void truth_file(struct call_name *k, struct path *at, u64 dentry)
{
    truth_spot(k, at, dentry);
    k->len = 0;
}

static __always_inline void truth_facts(struct path_call *c, u64 dentry)
{
    inode_facts(&c->before, ADDRESS(dentry___file, dentry, d_inode));
}

SEC("fentry/security_path_rename")
int BPF_PROG(wedr_t_rename, struct path *from, void *old, struct path *to, void *fresh)
{
    struct path_call *c = truth_call(WEDR_FILE_OP_RENAME);
    if (c) {
        truth_name(&c->name[TARGET], to, (u64)fresh);
        truth_name(&c->name[ORIGIN], from, (u64)old);
        truth_facts(c, (u64)old);
        c->leaf = (u64)old;
        c->truth = 1 << TARGET | 1 << ORIGIN;
    }
    return 0;
}

SEC("fentry/security_path_unlink")
int BPF_PROG(wedr_t_unlink, struct path *folder, void *dentry)
{
    struct path_call *c = truth_call(WEDR_FILE_OP_DELETE);
    if (c) {
        truth_name(&c->name[TARGET], folder, (u64)dentry);
        truth_facts(c, (u64)dentry);
        c->leaf = 0;
        c->truth = 1 << TARGET;
    }
    return 0;
}

/* Both names are on one mount, or the kernel would not have come here. */
SEC("fentry/security_path_link")
int BPF_PROG(wedr_t_link, void *old, struct path *to, void *fresh)
{
    struct path_call *c = truth_call(WEDR_FILE_OP_LINK);
    if (c) {
        truth_name(&c->name[TARGET], to, (u64)fresh);
        truth_file(&c->name[ORIGIN], to, (u64)old);
        truth_facts(c, (u64)old);
        c->leaf = (u64)fresh;
        c->truth = 1 << TARGET | 1 << ORIGIN;
    }
    return 0;
}

SEC("fentry/security_path_symlink")
int BPF_PROG(wedr_t_symlink, struct path *folder, void *dentry, const char *text)
{
    struct path_call *c = truth_call(WEDR_FILE_OP_SYMLINK);
    if (c) {
        struct call_name *k = &c->name[ORIGIN];
        long n = bpf_probe_read_kernel_str(k->head, HEAD_BYTES, text);
        truth_name(&c->name[TARGET], folder, (u64)dentry);
        c->before.inode = 0;
        c->leaf = (u64)dentry;
        c->truth = 1 << TARGET;
        if (n > 0 && n < (long)HEAD_BYTES) { /* a longer one is read where the caller has it */
            c->truth |= 1 << ORIGIN;
        }
    }
    return 0;
}

static __always_inline void truth_of_file(u32 op, struct path *at)
{
    struct path_call *c = truth_call(op);
    if (c) {
        truth_file(&c->name[TARGET], at, (u64)BPF_CORE_READ(at, dentry));
        c->leaf = 0;
        c->truth = 1 << TARGET;
    }
}

SEC("fentry/security_path_chmod")
int BPF_PROG(wedr_t_chmod, struct path *at)
{
    truth_of_file(WEDR_FILE_OP_CHMOD, at);
    return 0;
}

SEC("fentry/security_path_chown")
int BPF_PROG(wedr_t_chown, struct path *at)
{
    truth_of_file(WEDR_FILE_OP_CHOWN, at);
    return 0;
}

SEC("fentry/security_path_truncate")
int BPF_PROG(wedr_t_truncate, struct path *at)
{
    truth_of_file(WEDR_FILE_OP_TRUNCATE, at);
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
