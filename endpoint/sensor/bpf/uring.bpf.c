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
#include "file_path.bpf.h"

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

#pragma clang attribute pop

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

static __always_inline struct path_call *request_begin(u32 op)
{
    struct path_call *c = call_begin(op);
    if (c) {
        c->via = WEDR_VIA_IO_URING;
        c->in_kernel = 1;
    }
    return c;
}

static __always_inline void open_asked(u64 request)
{
    struct io_open *o = (struct io_open *)request;
    u32 flags = (u32)BPF_CORE_READ(o, how.flags);
    if (!(flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC))) {
        return;
    }
    bool created = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    struct path_call *c = request_begin(created ? WEDR_FILE_OP_CREATE : WEDR_FILE_OP_WRITE);
    if (c) {
        c->open_flags = flags;
        c->follow = !(flags & O_NOFOLLOW) && !created;
        keep_name(c, TARGET, BPF_CORE_READ(o, dfd), (u64)BPF_CORE_READ(o, filename, name));
    }
}

static __always_inline void rename_asked(u64 request)
{
    struct io_rename *n = (struct io_rename *)request;
    struct path_call *c = request_begin(WEDR_FILE_OP_RENAME);
    if (c) {
        keep_name(c, TARGET, BPF_CORE_READ(n, new_dfd), (u64)BPF_CORE_READ(n, newpath, name));
        keep_name(c, ORIGIN, BPF_CORE_READ(n, old_dfd), (u64)BPF_CORE_READ(n, oldpath, name));
    }
}

static __always_inline void unlink_asked(u64 request)
{
    struct io_unlink *u = (struct io_unlink *)request;
    if (BPF_CORE_READ(u, flags) & AT_REMOVEDIR) {
        return;
    }
    struct path_call *c = request_begin(WEDR_FILE_OP_DELETE);
    if (c) {
        keep_name(c, TARGET, BPF_CORE_READ(u, dfd), (u64)BPF_CORE_READ(u, filename, name));
    }
}

/* Symbolic links are asked for in the same form; their text is the old name. */
static __always_inline void link_asked(u64 request, u32 op)
{
    struct io_link *l = (struct io_link *)request;
    struct path_call *c = request_begin(op);
    if (c) {
        c->follow = (u32)((BPF_CORE_READ(l, flags) & AT_SYMLINK_FOLLOW) != 0) << ORIGIN;
        keep_name(c, TARGET, BPF_CORE_READ(l, new_dfd), (u64)BPF_CORE_READ(l, newpath, name));
        keep_name(c, ORIGIN, BPF_CORE_READ(l, old_dfd), (u64)BPF_CORE_READ(l, oldpath, name));
    }
}

static __always_inline int asked(u64 request)
{
    struct io_kiocb *r = (struct io_kiocb *)request;
    if (!bpf_core_field_exists(r->cmd)) {
        return 0;
    }
    switch (BPF_CORE_READ(r, opcode)) {
    case OP_OPENAT:
    case OP_OPENAT2:
        open_asked(request);
        break;
    case OP_RENAMEAT:
        rename_asked(request);
        break;
    case OP_UNLINKAT:
        unlink_asked(request);
        break;
    case OP_SYMLINKAT:
        link_asked(request, WEDR_FILE_OP_SYMLINK);
        break;
    case OP_LINKAT:
        link_asked(request, WEDR_FILE_OP_LINK);
        break;
    default:
        return 0;
    }
    return path_done(0);
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
    u64 file = fd_file((u32)BPF_CORE_READ(r, cqe.res));
    u64 inode = file ? (u64)LOAD(file___file, file, f_inode) : 0;
    u64 sb = inode ? (u64)LOAD(inode___file, inode, i_sb) : 0;
    if (sb && LOAD(super_block___file, sb, s_magic) == MAGIC_PROC) {
        file_opened(file, BPF_CORE_READ(r, cqe.res), 0, WEDR_VIA_IO_URING);
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
