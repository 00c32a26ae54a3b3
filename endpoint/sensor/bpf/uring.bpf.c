/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/uring.bpf.c — files that are changed through io_uring, past all system call
 * hooks. A request is told when it is submitted, before the process learns of its end: at its end
 * nothing is left of its name, the descriptor may be closed again and the completion need not be
 * reported. So the record says what was asked, with the kernel's own copy of the name; whether it
 * went well is not known.
 *
 * Current is the process whose request it is: the caller of io_uring_enter, or a thread that the
 * kernel made for it (SQPOLL) and that shares its files and folders. Connections through io_uring
 * pass the hooks of all connections. Built twice, see path.bpf.h.
 */
#include "file_open.bpf.h"
#include "named.bpf.h"

#define OP_OPENAT 18
#define OP_OPENAT2 28
#define OP_RENAMEAT 35
#define OP_UNLINKAT 36
#define OP_SYMLINKAT 38
#define OP_LINKAT 39
#define O_NOFOLLOW (IS_X86 ? 0400000u : 0100000u)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct io_cqe {
    int res;
};
struct io_cmd_data {
    struct file *file;
};
struct io_kiocb {
    struct io_cmd_data cmd; /* 6.0: what the tracepoints hand out is the request */
    u8 opcode;
    struct io_cqe cqe;
};
struct filename {
    const char *name;
};
struct open_how {
    u64 flags;
};
/* A request begins with what its kind needs. */
struct io_open {
    int dfd;
    struct filename *filename;
    struct open_how how;
};
struct io_rename {
    int old_dfd, new_dfd;
    struct filename *oldpath, *newpath;
};
struct io_unlink {
    int dfd, flags;
    struct filename *filename;
};
struct io_link {
    int old_dfd, new_dfd, flags;
    struct filename *oldpath, *newpath;
};
/* The same from 7.0 on: the pointer got a coat, its first and only member. */
struct delayed_filename {
    struct filename *__incomplete_filename;
};
struct io_open___delayed {
    struct delayed_filename filename;
};
struct io_rename___delayed {
    struct delayed_filename oldpath, newpath;
};
struct io_unlink___delayed {
    struct delayed_filename filename;
};
struct io_link___delayed {
    struct delayed_filename oldpath, newpath;
};

#pragma clang attribute pop

/* The address of the kernel's copy of a name that a request bears in `field`. */
#define NAME_IN(kind, request, field)                                                             \
    ((u64)(bpf_core_type_exists(struct delayed_filename)                                          \
               ? BPF_CORE_READ((struct kind##___delayed *)(request), field.__incomplete_filename, \
                               name)                                                              \
               : BPF_CORE_READ((struct kind *)(request), field, name)))

SEC("tp_btf/io_uring_create")
int BPF_PROG(wedr_uring_new, int fd, void *ring, u32 entries, u32 completions, u32 flags)
{
    struct task_head head;
    struct emit e = {};
    task_head(&head);
    if (!wanted(WEDR_EV_IO_URING_SETUP) || !budget_take(WEDR_EV_IO_URING_SETUP, &head)) {
        return 0;
    }
    struct wedr_linux_io_uring_setup *r = emit_reserve(&e, WEDR_LANE_BULK, sizeof *r);
    if (!r) {
        return 0;
    }
    PUT_HEAD(r, &head);
    PUT(r, entries, entries);
    PUT(r, setup_flags, flags);
    emit_submit(&e, r, WEDR_EV_IO_URING_SETUP, sizeof *r, sizeof *r);
    return 0;
}

static __always_inline bool open_asked(struct named *n, u64 request)
{
    struct io_open *o = (struct io_open *)request;
    u32 flags = (u32)BPF_CORE_READ(o, how.flags);
    bool create = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    n->op = create ? WEDR_FILE_OP_CREATE : WEDR_FILE_OP_WRITE;
    n->follow = !(flags & O_NOFOLLOW) && !create;
    n->dirfd = BPF_CORE_READ(o, dfd);
    n->name = NAME_IN(io_open, request, filename);
    n->detail = flags;
    return flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
}

static __always_inline void rename_asked(struct named *n, u64 request)
{
    struct io_rename *r = (struct io_rename *)request;
    n->op = WEDR_FILE_OP_RENAME;
    n->dirfd = BPF_CORE_READ(r, new_dfd);
    n->name = NAME_IN(io_rename, request, newpath);
    n->origin_dirfd = BPF_CORE_READ(r, old_dfd);
    n->origin = NAME_IN(io_rename, request, oldpath);
}

static __always_inline bool unlink_asked(struct named *n, u64 request)
{
    struct io_unlink *u = (struct io_unlink *)request;
    n->op = WEDR_FILE_OP_DELETE;
    n->dirfd = BPF_CORE_READ(u, dfd);
    n->name = NAME_IN(io_unlink, request, filename);
    return !(BPF_CORE_READ(u, flags) & AT_REMOVEDIR);
}

/* Symbolic links are asked for in the same form; their text is the old name. */
static __always_inline void link_asked(struct named *n, u64 request, u32 op)
{
    struct io_link *l = (struct io_link *)request;
    n->op = op;
    n->follow = (u32)((BPF_CORE_READ(l, flags) & AT_SYMLINK_FOLLOW) != 0) << ORIGIN;
    n->dirfd = BPF_CORE_READ(l, new_dfd);
    n->name = NAME_IN(io_link, request, newpath);
    n->origin_dirfd = BPF_CORE_READ(l, old_dfd);
    n->origin = NAME_IN(io_link, request, oldpath);
}

/* False for requests that are not about files, or change none. */
static __always_inline bool names_asked(struct named *n, u64 request, u8 op)
{
    switch (op) {
    case OP_OPENAT:
    case OP_OPENAT2:
        return open_asked(n, request);
    case OP_RENAMEAT:
        rename_asked(n, request);
        return true;
    case OP_UNLINKAT:
        return unlink_asked(n, request);
    case OP_SYMLINKAT:
        link_asked(n, request, WEDR_FILE_OP_SYMLINK);
        return true;
    case OP_LINKAT:
        link_asked(n, request, WEDR_FILE_OP_LINK);
        return true;
    default:
        return false;
    }
}

static __always_inline int asked(u64 request)
{
    struct io_kiocb *r = (struct io_kiocb *)request;
    struct named n = {.via = WEDR_VIA_IO_URING};
    if (!bpf_core_field_exists(r->cmd) || !names_asked(&n, request, BPF_CORE_READ(r, opcode))) {
        return 0;
    }
    return named_keep(&n) ? path_call_told() : 0;
}

SEC("tp_btf/io_uring_submit_req") /* 6.4 */
int BPF_PROG(wedr_uring_req, void *request)
{
    return asked((u64)request);
}

SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(wedr_uring_sqe, void *request)
{
    return asked((u64)request);
}

/* The memory of another process is a file of /proc, and reading it is what matters: seen when the
 * open has ended, by the descriptor. */
SEC("tp_btf/io_uring_complete")
int BPF_PROG(wedr_uring_end, void *ring, void *request)
{
    struct io_kiocb *r = request;
    if (!request || !bpf_core_field_exists(r->cmd)) {
        return 0;
    }
    u8 op = BPF_CORE_READ(r, opcode);
    if (op != OP_OPENAT && op != OP_OPENAT2) {
        return 0;
    }
    int fd = BPF_CORE_READ(r, cqe.res);
    u64 file = fd_file((u32)fd);
    u64 inode = file ? ADDRESS(file___file, file, f_inode) : 0;
    u64 sb = inode ? ADDRESS(inode___file, inode, i_sb) : 0;
    u64 task = sb && LOAD(super_block___file, sb, s_magic) == MAGIC_PROC
                   ? memory_of_another(file, inode)
                   : 0;
    if (task) {
        memory_opened(task, file, fd);
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
