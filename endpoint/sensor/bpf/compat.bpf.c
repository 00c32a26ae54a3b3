/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/compat.bpf.c — the way around the system call tracepoints: a 64-bit process
 * that makes 32-bit system calls (int 0x80 on x86, AArch32 code on arm64). The kernel's tracepoints
 * per system call are silent for those, so one program looks at the end of every system call and
 * goes home at once unless it is such a one. It tells the first of each process and then does what
 * the silent hooks would have done.
 *
 * A path that is only known as a string is read at the end of the call alone: path_source says that
 * it is the caller's, and whether it was another one before is not known. Built twice, see
 * path.bpf.h.
 */
#include "code_32.bpf.h"
#include "cred.bpf.h"
#include "file_open.bpf.h"
#include "named.bpf.h"

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

/* Files: numbers of both tables, then those that differ. */
#define NR_OPEN 5
#define NR_CREAT 8
#define NR_LINK 9
#define NR_UNLINK 10
#define NR_CHMOD 15
#define NR_RENAME 38
#define NR_SYMLINK 83
#define NR_OPENAT2 437
#define NR_OPENAT (IS_X86 ? 295u : 322u)
#define NR_UNLINKAT (IS_X86 ? 301u : 328u)
#define NR_RENAMEAT (IS_X86 ? 302u : 329u)
#define NR_LINKAT (IS_X86 ? 303u : 330u)
#define NR_SYMLINKAT (IS_X86 ? 304u : 331u)
#define NR_FCHMODAT (IS_X86 ? 306u : 333u)
#define NR_RENAMEAT2 (IS_X86 ? 353u : 382u)

static __always_inline bool open_called(void *regs, u32 number, long ret)
{
    u64 flags = 0;
    if (number == NR_OPEN) {
        flags = compat_arg(regs, 1);
    } else if (number == NR_CREAT) {
        flags = O_CREAT | O_TRUNC;
    } else if (number == NR_OPENAT) {
        flags = compat_arg(regs, 2);
    } else if (number == NR_OPENAT2) {
        if (bpf_probe_read_user(&flags, sizeof flags, (void *)(u64)compat_arg(regs, 2))) {
            flags = 0;
        }
    } else {
        return false;
    }
    open_done(ret, (u32)flags, WEDR_VIA_COMPAT);
    return true;
}

static __always_inline bool names_of_one(struct named *n, void *regs, u32 number)
{
    n->dirfd = AT_FDCWD;
    n->name = compat_arg(regs, 0);
    if (number == NR_UNLINK) {
        n->op = WEDR_FILE_OP_DELETE;
    } else if (number == NR_CHMOD) {
        n->op = WEDR_FILE_OP_CHMOD;
        n->detail = compat_arg(regs, 1) & 07777;
        n->follow = 1;
    } else if (number == NR_UNLINKAT || number == NR_FCHMODAT) {
        n->op = number == NR_UNLINKAT ? WEDR_FILE_OP_DELETE : WEDR_FILE_OP_CHMOD;
        n->follow = number == NR_FCHMODAT;
        n->detail = number == NR_FCHMODAT ? compat_arg(regs, 2) & 07777 : 0;
        n->dirfd = (int)compat_arg(regs, 0);
        n->name = compat_arg(regs, 1);
        return number == NR_FCHMODAT || !(compat_arg(regs, 2) & AT_REMOVEDIR);
    }
    return n->op != 0;
}

static __always_inline bool names_of_two(struct named *n, void *regs, u32 number)
{
    bool rename = number == NR_RENAME || number == NR_RENAMEAT || number == NR_RENAMEAT2;
    n->dirfd = n->origin_dirfd = AT_FDCWD;
    if (number == NR_RENAME || number == NR_LINK || number == NR_SYMLINK) {
        n->op = rename              ? WEDR_FILE_OP_RENAME
                : number == NR_LINK ? WEDR_FILE_OP_LINK
                                    : WEDR_FILE_OP_SYMLINK;
        n->origin = compat_arg(regs, 0);
        n->name = compat_arg(regs, 1);
    } else if (number == NR_SYMLINKAT) {
        n->op = WEDR_FILE_OP_SYMLINK;
        n->origin = compat_arg(regs, 0);
        n->dirfd = (int)compat_arg(regs, 1);
        n->name = compat_arg(regs, 2);
    } else if (rename || number == NR_LINKAT) {
        n->op = rename ? WEDR_FILE_OP_RENAME : WEDR_FILE_OP_LINK;
        n->origin_dirfd = (int)compat_arg(regs, 0);
        n->origin = compat_arg(regs, 1);
        n->dirfd = (int)compat_arg(regs, 2);
        n->name = compat_arg(regs, 3);
        n->follow = !rename && (compat_arg(regs, 4) & AT_SYMLINK_FOLLOW) ? 1u << ORIGIN : 0;
    }
    return n->op != 0;
}

/* Is there a name to tell? */
static __always_inline bool path_called(void *regs, u32 number, long ret)
{
    struct named n = {.via = WEDR_VIA_COMPAT};
    return ret == 0 && (names_of_two(&n, regs, number) || names_of_one(&n, regs, number)) &&
           named_keep(&n);
}

static __always_inline bool code_called(void *regs, u32 number, long ret)
{
    struct call_32 c = {.number = number,
                        .arg = {compat_arg(regs, 0), compat_arg(regs, 1), compat_arg(regs, 2),
                                compat_arg(regs, 3), compat_arg(regs, 4)},
                        .ret = ret};
    return code_called_32(&c);
}

extern int wedr_compat_tail_told(void *);

/* What resolves a name needs nearly the 512 bytes that a stack may have with all its calls: it
 * begins with an empty one. */
struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __uint(key_size, sizeof(u32));
    __array(values, int(void *));
} compat_tails SEC(".maps") = {.values = {[0] = (void *)&wedr_compat_tail_told}};

SEC("tp_btf/sys_exit")
int wedr_compat_tail_told(void *unused)
{
    return path_call_told();
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
    } else if (!code_called(regs, number, ret) && !open_called(regs, number, (int)ret) &&
               path_called(regs, number, (int)ret)) {
        bpf_tail_call(ctx, &compat_tails, 0);
        tail_missing();
    }
    return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
