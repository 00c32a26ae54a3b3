/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/path_call.bpf.h — a call that changes a file by its name, from its entry to
 * its end: what the task's storage keeps of it. The entry hook writes what the caller said, the
 * hooks of the area `truth` in the middle of the call what the kernel made of it, the exit hook
 * makes the record.
 */
#pragma once

#include "file_kernel.bpf.h"

#include "wedr/wire/persistence.h"

#define HEAD_BYTES 256u /* of a name, kept from entry to exit */
#define ATTR_BYTES 256u

enum { TARGET = 0, ORIGIN = 1 };

/* By the caller's words. Where the kernel's own objects are known (path_call.truth) they stand in
 * the same places: folder the folder that the kernel changed, head and len the name in it; len 0:
 * folder is the file itself. hash: the folder's truth_seal. */
struct call_name {
    u64 address;
    u64 hash;           /* of the whole name */
    struct spot folder; /* that holds the last component, at entry; 0: not known */
    int dirfd;
    u32 len; /* with NUL; 0: could not be read */
    u8 head[HEAD_BYTES];
};

struct path_call {
    u32 op; /* WEDR_FILE_OP_*; 0: no call is on its way */
    u32 via;
    u32 follow;    /* bit TARGET, bit ORIGIN: the last component may be a symbolic link */
    u32 by_file;   /* the target is the open file dirfd */
    u32 in_kernel; /* the names are kernel memory (io_uring) */
    u32 mode, owner, group;
    u32 open_flags;
    u32 attr_len;
    u32 truth;   /* bit TARGET, bit ORIGIN: that name is the kernel's */
    u32 waiting; /* of a call that had no entry hook (32-bit): the op that the truth is of; or 0 */
    u64 leaf;    /* the dentry that has the target's inode when the call went well; 0: not known */
    struct inode_facts before; /* of the target, at entry; inode 0: not known */
    u8 attr[ATTR_BYTES];
    struct call_name name[2];
};

struct {
    __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct path_call);
} path_calls SEC(".maps");

/* Tells a dentry from what may stand at its address later, and from itself at another place. */
static __always_inline u64 truth_seal(u64 dentry)
{
    u64 seal = wedr_persist_mix(LOAD(dentry___file, dentry, d_name.hash),
                                ADDRESS(dentry___file, dentry, d_parent));
    return wedr_persist_mix(seal, ADDRESS(dentry___file, dentry, d_inode));
}

/* The leaf, when it is where the call has put it; 0 otherwise. */
static __always_inline u64 leaf_of(const struct path_call *c)
{
    u64 folder = c->name[TARGET].folder.dentry;
    return c->leaf && ADDRESS(dentry___file, c->leaf, d_parent) == folder ? c->leaf : 0;
}
