/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/path.bpf.h — the path of a (mount, dentry) up to the root of its mount
 * namespace, whatever root directory the process has. Built backwards in the scratch slot. Takes no
 * lock: a rename at the same moment can give a mixed path; a name that changed under the copy stops
 * the walk, flagged.
 *
 * WEDR_WALK_FAST: bpf_loop and bpf_rdonly_cast (6.2 and newer). Otherwise probe reads in a bounded
 * loop.
 */
#pragma once

#include "lane.bpf.h"

#define WALK_STEPS_FAST 2048u
#define WALK_STEPS_PROBE 96u
#define WALK_MEMFD 0x10000u /* beside the WEDR_SF_* bits */
#define ROOT_STEPS 8

struct walk {
    struct scratch *s;
    u64 dentry, mount; /* addresses */
    u32 off;           /* the path so far is walk[off .. WALK_BYTES) */
    u32 flags;
    u32 done;
};

struct walk_link {
    u64 parent, root, mount_parent, mountpoint, name;
    u64 namespace; /* that the mount belongs to, 0: to none */
    u32 len;
};

/* Is the mount reachable by a path? Not when it was unmounted lazily or never attached
 * (open_tree, fsmount): then it hangs in no namespace or in one of its own. */
static __always_inline bool is_attached(u64 namespace)
{
    struct mnt_namespace___seq *old = (void *)namespace;
    struct ns_common___id *id =
        (void *)(namespace + bpf_core_field_offset(struct mnt_namespace, ns));
    if (!namespace) {
        return false;
    }
    if (bpf_core_field_exists(old->seq)) {
        return BPF_CORE_READ(old, seq) != 0;
    }
    return !bpf_core_field_exists(id->ns_id) || BPF_CORE_READ(id, ns_id) != 0;
}

static __always_inline bool is_memfd(const u8 *name)
{
    return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' &&
           name[5] == ':';
}

/* Puts "/name" before what is there. False when the walk is over. */
static __always_inline bool walk_prepend(struct walk *w, u64 name, u32 len)
{
    u32 off = w->off;
    barrier_var(len);
    len &= NAME_ROOM - 1;
    if (off > WALK_BYTES || off < len + 2) { /* one byte stays free: WEDR_PATH_COPY_MAX */
        w->flags |= WEDR_SF_HEAD_CUT;
        return false;
    }
    off -= len + 1;
    barrier_var(off);
    off &= WALK_BYTES - 1;
    u8 *to = &w->s->walk[off];
    long n = bpf_probe_read_kernel_str(to + 1, len + 1, (const void *)name);
    /* The terminator of the copy lies on the next component's slash. */
    u32 end = off + 1 + len;
    barrier_var(end);
    end &= 2 * WALK_BYTES - 1;
    if (end < WALK_BYTES) {
        w->s->walk[end] = '/';
    }
    if (n != (long)len + 1) {
        w->flags |= WEDR_SF_HEAD_CUT | WEDR_SF_UNREADABLE;
        return false;
    }
    *to = '/';
    w->off = off;
    return true;
}

/* One step up. False when the walk is over. */
static __always_inline bool walk_up(struct walk *w, const struct walk_link *l)
{
    if (w->dentry == l->root) {
        if (l->mount_parent == w->mount) {
            if (!is_attached(l->namespace)) {
                w->flags |= WEDR_SF_NO_NAME;
            }
            return false;
        }
        w->dentry = l->mountpoint;
        w->mount = l->mount_parent;
        return true;
    }
    if (l->parent == w->dentry) { /* a root that no mount shows: memfd, pipe, lazily unmounted */
        u8 head[8] = {};
        bpf_probe_read_kernel_str(head, sizeof head, (const void *)l->name);
        w->flags |= WEDR_SF_NO_NAME;
        if (is_memfd(head)) {
            w->flags |= WALK_MEMFD;
        }
        if (head[0] != '/') {
            walk_prepend(w, l->name, l->len);
        }
        return false;
    }
    if (!walk_prepend(w, l->name, l->len)) {
        return false;
    }
    w->dentry = l->parent;
    return true;
}

#if WEDR_WALK_FAST

static long walk_step(u32 i, void *arg)
{
    struct walk *w = arg;
    struct dentry *d = bpf_rdonly_cast((void *)w->dentry, bpf_core_type_id_kernel(struct dentry));
    struct mount *m = bpf_rdonly_cast((void *)w->mount, bpf_core_type_id_kernel(struct mount));
    struct walk_link l = {
        .parent = (u64)d->d_parent,
        .root = (u64)m->mnt.mnt_root,
        .mount_parent = (u64)m->mnt_parent,
        .mountpoint = (u64)m->mnt_mountpoint,
        .name = (u64)d->d_name.name,
        .len = d->d_name.len,
        .namespace = (u64)m->mnt_ns,
    };
    w->done = !walk_up(w, &l);
    return w->done;
}

static __always_inline void walk_all(struct walk *w)
{
    bpf_loop(WALK_STEPS_FAST, walk_step, w, 0);
}

#else

static __always_inline void walk_all(struct walk *w)
{
    for (u32 i = 0; i < WALK_STEPS_PROBE; i++) {
        struct dentry *d = (struct dentry *)w->dentry;
        struct mount *m = (struct mount *)w->mount;
        struct walk_link l = {
            .parent = (u64)BPF_CORE_READ(d, d_parent),
            .root = (u64)BPF_CORE_READ(m, mnt.mnt_root),
            .mount_parent = (u64)BPF_CORE_READ(m, mnt_parent),
            .mountpoint = (u64)BPF_CORE_READ(m, mnt_mountpoint),
            .name = (u64)BPF_CORE_READ(d, d_name.name),
            .len = BPF_CORE_READ(d, d_name.len),
            .namespace = (u64)BPF_CORE_READ(m, mnt_ns),
        };
        w->done = !walk_up(w, &l);
        if (w->done) {
            break;
        }
    }
}

#endif

/* Path into the slot's walk buffer. Returns its offset there (< WALK_BYTES) in the low half and
 * WEDR_SF_* and WALK_MEMFD in the high half. A global function: the verifier checks it once, not
 * per call. */
__attribute__((noinline)) u64 walk_path(u32 slot, u64 dentry, u64 vfsmount)
{
    struct walk w = {.off = WALK_BYTES, .dentry = dentry};
    w.s = bpf_map_lookup_elem(&scratches, &slot);
    if (!w.s) {
        return 0;
    }
    w.mount = vfsmount - bpf_core_field_offset(struct mount, mnt);
    struct dentry *d = (struct dentry *)dentry;
    if (!BPF_CORE_READ(d, d_hash.pprev) && (u64)BPF_CORE_READ(d, d_parent) != dentry) {
        w.flags |= WEDR_SF_DELETED;
    }
    walk_all(&w);
    if (!w.done) {
        w.flags |= WEDR_SF_HEAD_CUT;
    }
    u32 off = w.off;
    if (off >= WALK_BYTES) { /* the root itself */
        off = WALK_BYTES - 1;
        w.s->walk[off] = '/';
    }
    return off | (u64)w.flags << 32;
}

/* Is this the root of its mount namespace, seen through whatever is mounted over it? */
__attribute__((noinline)) int is_namespace_root(u64 dentry, u64 vfsmount)
{
    u64 mount = vfsmount - bpf_core_field_offset(struct mount, mnt);
    for (int i = 0; i < ROOT_STEPS; i++) {
        struct mount *m = (struct mount *)mount;
        if ((u64)BPF_CORE_READ(m, mnt.mnt_root) != dentry) {
            return 0;
        }
        u64 parent = (u64)BPF_CORE_READ(m, mnt_parent);
        if (parent == mount) {
            return 1;
        }
        dentry = (u64)BPF_CORE_READ(m, mnt_mountpoint);
        mount = parent;
    }
    return 1;
}
