/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/named.bpf.h — an operation on names that comes by another way than a system
 * call of the native table: told at once, for there was no entry to remember it at.
 */
#pragma once

#include "file_path.bpf.h"

struct named {
    u32 op; /* WEDR_FILE_OP_* */
    u32 via, follow;
    int dirfd, origin_dirfd;
    u64 name, origin; /* addresses; origin 0: there is one name */
    u32 detail;       /* flags of an open, mode of a chmod */
};

/* A global function of plain numbers: verified once and not for each operation. what: op, via and
 * follow, a byte each. 1: path_call_told has something to tell. */
__attribute__((noinline)) int named_kept(u32 what, u64 dirfds, u64 name, u64 origin, u32 detail)
{
    struct path_call *c = call_place(what & 0xff);
    if (!c) {
        return 0;
    }
    c->via = what >> 8 & 0xff;
    c->in_kernel = c->via == WEDR_VIA_IO_URING;
    c->follow = what >> 16 & 0xff;
    c->open_flags = detail;
    c->mode = detail & 07777;
    if (c->via != WEDR_VIA_COMPAT || c->waiting != c->op) {
        truth_forget(c);
    }
    c->waiting = 0;
    c->name[TARGET].address = name;
    c->name[ORIGIN].address = origin;
    if (!(c->truth >> TARGET & 1)) {
        keep_name(c, TARGET, (int)dirfds, name);
    }
    if (origin && !(c->truth >> ORIGIN & 1)) {
        keep_name(c, ORIGIN, (int)(dirfds >> 32), origin);
    }
    return 1;
}

static __always_inline int named_keep(const struct named *n)
{
    return named_kept(n->op | n->via << 8 | n->follow << 16,
                      (u32)n->dirfd | (u64)(u32)n->origin_dirfd << 32, n->name, n->origin,
                      n->detail);
}
