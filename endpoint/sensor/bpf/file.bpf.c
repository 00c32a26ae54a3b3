/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/file.bpf.c — the hooks of files: what was opened for writing, and what
 * changed by name: renamed, removed, linked, given other rights. Built twice, see path.bpf.h.
 */
#include "file_open.bpf.h"
#include "file_path.bpf.h"
#include "file_scan.bpf.h"

#define EXIT(name, call) SEC("tp/syscalls/sys_exit_" #call) int wedr_##name(struct sys_exit *x)
#define ENTER(name, call)                                         \
    static __always_inline void name##_keep(struct sys_enter *e); \
    SEC("tp/syscalls/sys_enter_" #call)                           \
    int wedr_##name(struct sys_enter *e)                          \
    {                                                             \
        name##_keep(e);                                           \
        if (path_call_pending()) {                                \
            bpf_tail_call(e, &file_tails, BEGAN);                 \
        }                                                         \
        return 0;                                                 \
    }                                                             \
    static __always_inline void name##_keep(struct sys_enter *e)

/* What is long goes on in programs of their own: they are verified once and not for each hook. The
 * loader pins the map: an array of programs empties itself when nobody refers to it. */
extern int wedr_file_tail_told(void *), wedr_file_tail_began(void *), wedr_file_tail_open(void *);
enum { TOLD, BEGAN, OPENED, TAILS };
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, TAILS);
    __uint(key_size, sizeof(u32));
    __array(values, int(void *));
} file_tails SEC(".maps") = {.values = {
                                 [TOLD] = (void *)&wedr_file_tail_told,
                                 [BEGAN] = (void *)&wedr_file_tail_began,
                                 [OPENED] = (void *)&wedr_file_tail_open,
                             }};

SEC("tp/syscalls/sys_exit_openat")
int wedr_file_tail_told(void *unused)
{
    return path_call_told();
}

SEC("tp/syscalls/sys_enter_openat")
int wedr_file_tail_began(void *unused)
{
    return path_call_began();
}

SEC("tp/syscalls/sys_exit_openat")
int wedr_file_tail_open(void *ctx)
{
    const struct sys_exit *x = ctx;
    const struct file_work *w = work_get();
    u64 file = file_of(x->ret);
    return w && file ? file_opened(file, x->ret, w->asked, w->via) : 0;
}

/* Most opens are for reading and end here. */
static __always_inline int go_on_open(struct sys_exit *x, u32 asked, u32 via)
{
    u64 file = file_of(x->ret);
    struct file_work *w = work_get();
    if (file && w && open_matters(file, asked)) {
        w->asked = asked;
        w->via = via;
        bpf_tail_call(x, &file_tails, OPENED);
        tail_missing();
    }
    return 0;
}

EXIT(open, open)
{
    return go_on_open(x, (u32)syscall_arg(1), 0);
}

EXIT(openat, openat)
{
    return go_on_open(x, (u32)syscall_arg(2), 0);
}

/* Its flags lie in the caller's memory: only O_CREAT, O_EXCL and O_TRUNC are taken from there. */
EXIT(openat2, openat2)
{
    u64 flags = 0;
    if (x->ret < 0 || bpf_probe_read_user(&flags, sizeof flags, (const void *)syscall_arg(2))) {
        flags = 0;
    }
    return go_on_open(x, (u32)flags, 0);
}

EXIT(creat, creat)
{
    return go_on_open(x, O_CREAT | O_TRUNC, 0);
}

EXIT(byhandle, open_by_handle_at)
{
    return go_on_open(x, (u32)syscall_arg(2), WEDR_VIA_HANDLE);
}

/* One name, two names: what the calls have in common. */
static __always_inline struct path_call *one(u32 op, s64 dirfd, u64 name, bool follow)
{
    struct path_call *c = call_begin(op);
    if (c) {
        c->follow = follow;
        keep_name(c, TARGET, (int)dirfd, name);
    }
    return c;
}

static __always_inline void two(u32 op, s64 dirfd, u64 old, s64 new_dirfd, u64 name, bool follow)
{
    struct path_call *c = call_begin(op);
    if (c) {
        c->follow = (u32)follow << ORIGIN;
        keep_name(c, TARGET, (int)new_dirfd, name);
        keep_name(c, ORIGIN, (int)dirfd, old);
    }
}

static __always_inline void mode_call(s64 dirfd, u64 name, u64 mode, u64 flags)
{
    struct path_call *c = one(WEDR_FILE_OP_CHMOD, dirfd, name, !(flags & AT_SYMLINK_NOFOLLOW));
    if (c) {
        c->mode = mode & 07777;
    }
}

static __always_inline void owner_call(s64 dirfd, u64 name, u64 owner, u64 group, u64 flags)
{
    struct path_call *c = one(WEDR_FILE_OP_CHOWN, dirfd, name, !(flags & AT_SYMLINK_NOFOLLOW));
    if (c) {
        c->owner = (u32)owner;
        c->group = (u32)group;
    }
}

static __always_inline void xattr_call(u32 op, s64 dirfd, u64 name, u64 attribute, u64 flags)
{
    struct path_call *c = one(op, dirfd, name, !(flags & AT_SYMLINK_NOFOLLOW));
    if (c) {
        keep_attr(c, attribute);
    }
}

static __always_inline int go_on(struct sys_exit *x)
{
    if (path_went_well(x->ret)) {
        bpf_tail_call(x, &file_tails, TOLD);
        tail_missing();
        path_went_well(-1);
    }
    return 0;
}

#define DONE(name, call) \
    EXIT(name, call)     \
    {                    \
        return go_on(x); \
    }

ENTER(rename_i, rename)
{
    two(WEDR_FILE_OP_RENAME, AT_FDCWD, e->args[0], AT_FDCWD, e->args[1], false);
}
ENTER(renat_i, renameat)
{
    two(WEDR_FILE_OP_RENAME, e->args[0], e->args[1], e->args[2], e->args[3], false);
}
ENTER(renat2_i, renameat2)
{
    two(WEDR_FILE_OP_RENAME, e->args[0], e->args[1], e->args[2], e->args[3], false);
}
DONE(rename_o, rename)
DONE(renat_o, renameat)
DONE(renat2_o, renameat2)

ENTER(unlink_i, unlink)
{
    one(WEDR_FILE_OP_DELETE, AT_FDCWD, e->args[0], false);
}
ENTER(unlat_i, unlinkat)
{
    if (!(e->args[2] & AT_REMOVEDIR)) {
        one(WEDR_FILE_OP_DELETE, e->args[0], e->args[1], false);
    }
}
DONE(unlink_o, unlink)
DONE(unlat_o, unlinkat)

ENTER(link_i, link)
{
    two(WEDR_FILE_OP_LINK, AT_FDCWD, e->args[0], AT_FDCWD, e->args[1], false);
}
ENTER(linkat_i, linkat)
{
    two(WEDR_FILE_OP_LINK, e->args[0], e->args[1], e->args[2], e->args[3],
        e->args[4] & AT_SYMLINK_FOLLOW);
}
ENTER(sym_i, symlink)
{
    two(WEDR_FILE_OP_SYMLINK, AT_FDCWD, e->args[0], AT_FDCWD, e->args[1], false);
}
ENTER(symat_i, symlinkat)
{
    two(WEDR_FILE_OP_SYMLINK, AT_FDCWD, e->args[0], e->args[1], e->args[2], false);
}
DONE(link_o, link)
DONE(linkat_o, linkat)
DONE(sym_o, symlink)
DONE(symat_o, symlinkat)

ENTER(chmod_i, chmod)
{
    mode_call(AT_FDCWD, e->args[0], e->args[1], 0);
}
ENTER(chmodat_i, fchmodat)
{
    mode_call(e->args[0], e->args[1], e->args[2], 0);
}
ENTER(chmod2_i, fchmodat2)
{
    mode_call(e->args[0], e->args[1], e->args[2], e->args[3]);
}
DONE(chmod_o, chmod)
DONE(chmodat_o, fchmodat)
DONE(chmod2_o, fchmodat2)
EXIT(fchmod, fchmod)
{
    struct path_call *c = file_call(WEDR_FILE_OP_CHMOD, x->ret);
    if (c) {
        c->mode = syscall_arg(1) & 07777;
    }
    return go_on(x);
}

ENTER(chown_i, chown)
{
    owner_call(AT_FDCWD, e->args[0], e->args[1], e->args[2], 0);
}
ENTER(lchown_i, lchown)
{
    owner_call(AT_FDCWD, e->args[0], e->args[1], e->args[2], AT_SYMLINK_NOFOLLOW);
}
ENTER(chownat_i, fchownat)
{
    owner_call(e->args[0], e->args[1], e->args[2], e->args[3], e->args[4]);
}
DONE(chown_o, chown)
DONE(lchown_o, lchown)
DONE(chownat_o, fchownat)
EXIT(fchown, fchown)
{
    struct path_call *c = file_call(WEDR_FILE_OP_CHOWN, x->ret);
    if (c) {
        c->owner = (u32)syscall_arg(1);
        c->group = (u32)syscall_arg(2);
    }
    return go_on(x);
}

ENTER(setxa_i, setxattr)
{
    xattr_call(WEDR_FILE_OP_SETXATTR, AT_FDCWD, e->args[0], e->args[1], 0);
}
ENTER(lsetxa_i, lsetxattr)
{
    xattr_call(WEDR_FILE_OP_SETXATTR, AT_FDCWD, e->args[0], e->args[1], AT_SYMLINK_NOFOLLOW);
}
ENTER(setxat_i, setxattrat)
{
    xattr_call(WEDR_FILE_OP_SETXATTR, e->args[0], e->args[1], e->args[3], e->args[2]);
}
ENTER(rmxa_i, removexattr)
{
    xattr_call(WEDR_FILE_OP_REMOVEXATTR, AT_FDCWD, e->args[0], e->args[1], 0);
}
ENTER(lrmxa_i, lremovexattr)
{
    xattr_call(WEDR_FILE_OP_REMOVEXATTR, AT_FDCWD, e->args[0], e->args[1], AT_SYMLINK_NOFOLLOW);
}
ENTER(rmxat_i, removexattrat)
{
    xattr_call(WEDR_FILE_OP_REMOVEXATTR, e->args[0], e->args[1], e->args[3], e->args[2]);
}
DONE(setxa_o, setxattr)
DONE(lsetxa_o, lsetxattr)
DONE(setxat_o, setxattrat)
DONE(rmxa_o, removexattr)
DONE(lrmxa_o, lremovexattr)
DONE(rmxat_o, removexattrat)
EXIT(fsetxa, fsetxattr)
{
    struct path_call *c = file_call(WEDR_FILE_OP_SETXATTR, x->ret);
    if (c) {
        keep_attr(c, syscall_arg(1));
    }
    return go_on(x);
}
EXIT(frmxa, fremovexattr)
{
    struct path_call *c = file_call(WEDR_FILE_OP_REMOVEXATTR, x->ret);
    if (c) {
        keep_attr(c, syscall_arg(1));
    }
    return go_on(x);
}

ENTER(trunc_i, truncate)
{
    one(WEDR_FILE_OP_TRUNCATE, AT_FDCWD, e->args[0], true);
}
DONE(trunc_o, truncate)

/* What the loader has open: their inodes are watched from now on, and their names tell how names
 * are found in the directory cache. */
SEC("iter/task_file")
int wedr_file_list(struct bpf_iter__task_file *ctx)
{
    struct task_struct *t = ctx->task;
    struct file *f = ctx->file;
    u32 zero = 0, fd = ctx->fd;
    struct wedr_file_ctl *ctl = bpf_map_lookup_elem(&file_ctl, &zero);
    if (!ctl || !t || !f || (u32)t->tgid != ctl->scanner || fd >= WEDR_SCAN_FILES) {
        return 0;
    }
    u32 mechanism = ctl->mechanism[fd];
    struct wedr_file_sample sample = {};
    if (mechanism) {
        file_scanned((u64)f, mechanism, &sample);
        bpf_seq_write(ctx->meta->seq, &sample, sizeof sample);
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
