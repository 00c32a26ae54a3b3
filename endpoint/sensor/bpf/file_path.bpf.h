/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/file_path.bpf.h — calls that change a file by its name. The kernel's own copy
 * of the name is gone when the call ends, so it is read from the caller's memory twice: at entry,
 * kept in task storage, and at exit, when it is known that the call went well. Both must be equal,
 * or the record says "changed". A name whose page is not in memory at entry cannot be read there
 * (these programs may not wait for a page): then the record has no path_source. Where the name
 * leads is then looked up in kernel objects (file_resolve.bpf.h).
 *
 * Where the area `truth` is attached (truth.bpf.c), the kernel's own objects of the call have taken
 * the place of all that by the time it ends, and neither the text nor where it leads is asked.
 */
#pragma once

#include "file_record.bpf.h"
#include "file_resolve.bpf.h"
#include "path_call.bpf.h"

#define NAME_BYTES 4096u

/* The folder where a relative name begins: dirfd's or the working directory. */
static __always_inline bool begin_spot(struct spot *p, int dirfd)
{
    if (dirfd != AT_FDCWD) {
        return spot_of_file(p, file_of(dirfd));
    }
    struct task_struct *t = PLAIN(struct task_struct, bpf_get_current_task_btf());
    struct fs_struct *fs = t->fs;
    if (!fs) {
        return false;
    }
    spot_put(p, (u64)BPF_CORE_READ(fs, pwd.dentry), (u64)BPF_CORE_READ(fs, pwd.mnt));
    return true;
}

static __always_inline void root_spot(struct spot *p)
{
    struct task_struct *t = PLAIN(struct task_struct, bpf_get_current_task_btf());
    struct fs_struct *fs = t->fs;
    if (fs) {
        spot_put(p, (u64)BPF_CORE_READ(fs, root.dentry), (u64)BPF_CORE_READ(fs, root.mnt));
    }
}

/* Of the len bytes at TEXT_START. A global function: verified once. */
__attribute__((noinline)) u64 text_hash(u32 len)
{
    struct file_work *w = work_get();
    u64 h = len;
    if (!w) {
        return 0;
    }
    u32 end = TEXT_START + len;
    barrier_var(end);
    end &= TEXT_BYTES - 1;
    u64 *padding = (void *)&w->text[end];
    barrier_var(padding);
    padding[0] = 0; /* the last round is filled up */
    padding[1] = 0;
    padding[2] = 0;
    padding[3] = 0;
    for (u32 i = 0; i < NAME_BYTES; i += 32) { /* few rounds: each costs the verifier time */
        if (i >= len) {
            break;
        }
        h = wedr_persist_mix(h, text_word(w, TEXT_START + i));
        h = wedr_persist_mix(h, text_word(w, TEXT_START + i + 8));
        h = wedr_persist_mix(h, text_word(w, TEXT_START + i + 16));
        h = wedr_persist_mix(h, text_word(w, TEXT_START + i + 24));
    }
    return h;
}

/* Reads a name into the work text; its length with NUL, 0 when it cannot be read. */
static __always_inline u32 text_read(struct file_work *w, const struct path_call *c, u64 address)
{
    void *to = &w->text[TEXT_START];
    long n = c->in_kernel ? bpf_probe_read_kernel_str(to, NAME_BYTES, (const void *)address)
                          : bpf_probe_read_user_str(to, NAME_BYTES, (const void *)address);
    return n > 0 ? (u32)n : 0;
}

static __always_inline void keep_name(struct path_call *c, u32 which, int dirfd, u64 address)
{
    struct call_name *k = &c->name[which];
    struct file_work *w = work_get();
    if (!w) {
        return;
    }
    k->address = address;
    k->dirfd = dirfd;
    k->folder.dentry = 0;
    k->len = text_read(w, c, address);
    k->hash = text_hash(k->len);
    bpf_probe_read_kernel(k->head, HEAD_BYTES, &w->text[TEXT_START]);
}

/* The kernel's own objects of an earlier call. */
static __always_inline void truth_forget(struct path_call *c)
{
    c->before.inode = 0;
    c->truth = 0;
    c->waiting = 0;
    c->leaf = 0;
}

/* The call's place but for its names and what is known of them; NULL when nobody wants to know. */
static __always_inline struct path_call *call_place(u32 op)
{
    if (!kind_on(WEDR_EV_PERSISTENCE_WRITE) && !kind_on(file_type(op))) {
        return NULL;
    }
    struct path_call *c = bpf_task_storage_get(&path_calls, bpf_get_current_task_btf(), NULL,
                                               BPF_LOCAL_STORAGE_GET_F_CREATE);
    if (!c) {
        return NULL;
    }
    c->op = op;
    c->via = 0;
    c->follow = 0;
    c->by_file = 0;
    c->in_kernel = 0;
    c->open_flags = 0;
    c->mode = 0;
    c->owner = (u32)-1;
    c->group = (u32)-1;
    c->attr_len = 0;
    c->name[ORIGIN].address = 0;
    return c;
}

/* At entry: the call's place, to be filled with keep_name; NULL when nobody wants to know. */
static __always_inline struct path_call *call_begin(u32 op)
{
    struct path_call *c = call_place(op);
    if (c) {
        truth_forget(c);
    }
    return c;
}

static __always_inline void keep_attr(struct path_call *c, u64 address)
{
    long n = bpf_probe_read_user_str(c->attr, ATTR_BYTES, (const void *)address);
    c->attr_len = n > 1 ? (u32)n - 1 : 0;
}

/* Puts the name in the work text: as it was at entry or, `late`, as it is now. */
static __always_inline void
take_text(struct file_work *w, const struct path_call *c, const struct call_name *k, bool late)
{
    if (late) {
        if (!text_read(w, c, k->address)) {
            w->text[TEXT_START] = 0;
        }
        return;
    }
    bpf_probe_read_kernel(&w->text[TEXT_START], HEAD_BYTES, k->head);
    w->text[TEXT_START + HEAD_BYTES - 1] = 0;
}

static __always_inline void resolve(struct file_work *w, const struct call_name *k, bool follow)
{
    struct resolving *r = &w->r;
    __builtin_memset(r, 0, sizeof *r);
    r->pos = TEXT_START;
    r->name_pos = TEXT_START;
    r->follow = follow;
    root_spot(&r->root);
    if (w->text[TEXT_START] == '/') {
        r->at = r->root;
    } else {
        begin_spot(&r->at, k->dirfd);
    }
    r->rest = 1;
    for (int i = 0; i < RESOLVE_STEPS; i++) {
        r->rest = 0;
        if (resolve_step() == OVER) {
            break;
        }
        r->rest = 1;
    }
    if (r->rest && !r->found && r->pos > r->name_pos) {
        r->name_pos = r->pos; /* too many components */
    }
}

/* Where the kernel itself was with a name: nothing to follow. False: it is not there any more. */
static __always_inline bool resolve_true(struct file_work *w, const struct call_name *k)
{
    struct resolving *r = &w->r;
    __builtin_memset(r, 0, sizeof *r);
    r->name_pos = TEXT_START;
    r->at = k->folder;
    if (k->len == 0) {
        r->final = k->folder;
        r->found = 1;
    }
    bpf_probe_read_kernel(&w->text[TEXT_START], HEAD_BYTES, k->head);
    w->text[TEXT_START + HEAD_BYTES - 1] = 0;
    return truth_seal(k->folder.dentry) == k->hash;
}

/* Folder and name into the slot's record; length, and WEDR_SF_* in the high half. */
static __always_inline u64 compose(struct file_work *w, struct scratch *s, u32 slot, u32 pos)
{
    struct resolving *r = &w->r;
    struct spot *p = r->found ? &r->final : &r->at;
    u64 vfsmount = p->mount + bpf_core_field_offset(struct mount, mnt);
    u64 walked = walk_path(slot, p->dentry, vfsmount);
    u32 flags = (u32)(walked >> 32) & 0xffff;
    u32 off = (u32)walked & (WALK_BYTES - 1);
    u32 len = WALK_BYTES - off;
    barrier_var(len);
    len &= WALK_BYTES - 1;
    bpf_probe_read_kernel(&s->rec[pos], len, &s->walk[off]);
    if (r->found) {
        return len | (u64)flags << 32;
    }
    u32 end = pos + len;
    barrier_var(end);
    end &= REC_BYTES / 2 - 1;
    if (len != 1) { /* not the root itself */
        s->rec[end] = '/';
        end++;
        len++;
    }
    u32 from = r->name_pos & (TEXT_BYTES - 1);
    long n = bpf_probe_read_kernel_str(&s->rec[end], NAME_BYTES, &w->text[from]);
    len += n > 0 ? (u32)n - 1 : 0;
    if (len > WEDR_PATH_COPY_MAX) {
        len = WEDR_PATH_COPY_MAX;
        flags |= WEDR_SF_CUT;
    }
    return len | (u64)(flags & ~WEDR_SF_DELETED) << 32;
}

/* Mechanism by the inodes around the name that was resolved; leaf: what has it, where the name does
 * not tell; or 0. A frame of its own: that of name_add, with deep chains of calls below it, stays
 * small. */
static __noinline u32 spot_watched(const struct resolving *r, u64 leaf)
{
    struct persist_up {
        u64 dentry;
    } up = {r->found ? r->final.dentry : r->at.dentry};
    struct wedr_persist_bits *bits = persist_bits_get();
    u32 mechanism = 0;
    if (!bits) {
        return 0;
    }
    if (leaf) {
        mechanism = inode_watched(bits, ADDRESS(dentry___file, leaf, d_inode));
    }
    for (int i = 0; i < 3 && !mechanism; i++) {
        if (i == 2 && !r->found) {
            break;
        }
        mechanism = inode_watched(bits, ADDRESS(dentry___file, up.dentry, d_inode));
        up.dentry = ADDRESS(dentry___file, up.dentry, d_parent);
    }
    return mechanism;
}

/* At entry, after keep_name: where the names lead now. At exit they are followed again, and a
 * folder that is another one by then means that somebody swapped something on the way. A global
 * function: verified once. */
__attribute__((noinline)) int path_call_began(void)
{
    struct file_work *w = work_get();
    struct path_call *c = bpf_task_storage_get(&path_calls, bpf_get_current_task_btf(), NULL, 0);
    if (!w || !c) {
        return 0;
    }
    for (u32 which = 0; which < 2; which++) {
        struct call_name *k = &c->name[which];
        if (!k->address || !k->len || (which == ORIGIN && c->op == WEDR_FILE_OP_SYMLINK)) {
            continue;
        }
        take_text(w, c, k, k->len > HEAD_BYTES);
        resolve(w, k, c->follow >> which & 1);
        if (w->r.rest) {
            continue; /* not in the cache yet: the kernel brings it in */
        }
        k->folder = w->r.at;
        if (which == TARGET && w->r.found) {
            u64 dentry = w->r.final.dentry;
            inode_facts(&c->before, ADDRESS(dentry___file, dentry, d_inode));
        }
    }
    return 0;
}

/* Beside the mechanism in what name_add returns. */
#define NAME_CHANGED 0x100u
#define NAME_LATE 0x200u /* could not be read at entry: its page was not there yet */
#define NAME_TRUE 0x400u /* the kernel's own objects */

/* Is the text that was just read another one than at entry? */
static __always_inline bool text_changed(const struct call_name *k, u32 len)
{
    return k->len && (len != k->len || text_hash(len) != k->hash);
}

/* The name as it was at entry, in the folder where it led then. */
static __always_inline void resolve_early(struct file_work *w,
                                          const struct path_call *c,
                                          const struct call_name *k,
                                          bool follow)
{
    take_text(w, c, k, false);
    resolve(w, k, follow);
    if (k->folder.dentry && k->folder.dentry != w->r.at.dentry) {
        w->r.at = k->folder;
        w->r.found = 0;
    }
}

/* One of current's two names, resolved, at pos of the slot's record. Returns its length (bits
 * 0-15), WEDR_SF_* (16-31), the mechanism (32-39), NAME_CHANGED and NAME_LATE << 32. A global
 * function: verified once. */
__attribute__((noinline)) u64 name_add(u32 slot, u32 pos, u32 which)
{
    struct scratch *s = bpf_map_lookup_elem(&scratches, &slot);
    struct file_work *w = work_get();
    struct path_call *c = bpf_task_storage_get(&path_calls, bpf_get_current_task_btf(), NULL, 0);
    if (!s || !w || !c) {
        return 0;
    }
    barrier_var(pos);
    pos &= REC_BYTES / 4 - 1;
    struct call_name *k = &c->name[which & 1];
    bool follow = c->follow >> (which & 1) & 1;
    bool truth = c->truth >> (which & 1) & 1;
    bool changed = false;
    u64 text = 0;
    u32 mechanism = 0;
    if (truth) {
        changed = false;
    } else if (c->by_file) {
        w->text[TEXT_START] = 0;
    } else {
        changed = text_changed(k, text_read(w, c, k->address));
    }
    /* First what it is now; when that is another than it was, and no watched file, what it was. */
    for (int i = 0; i < 2; i++) {
        if (truth) {
            changed = !resolve_true(w, k);
            i = 1;
        } else if (i == 0) {
            resolve(w, k, follow);
            u64 folder = k->folder.dentry;
            changed |= !c->by_file && folder && folder != w->r.at.dentry;
        } else if (changed && !mechanism) {
            resolve_early(w, c, k, follow);
        } else {
            break;
        }
        text = compose(w, s, slot, pos);
        mechanism = spot_watched(&w->r, which == TARGET && truth ? leaf_of(c) : 0);
        if (!mechanism) {
            mechanism = persist_path(slot, pos, (u32)text & 0xffff, 1);
        }
    }
    return (text & 0xffff) | (text >> 32 & 0xffff) << 16 |
           (u64)(mechanism | (changed ? NAME_CHANGED : 0) |
                 (truth                    ? NAME_TRUE
                  : !k->len && !c->by_file ? NAME_LATE
                                           : 0))
               << 32;
}

static __always_inline void
add_name_of(struct build *b, struct file_event *e, struct wedr_str_ref *ref, u32 which)
{
    u64 added = name_add(b->slot, b->pos, which);
    u32 len = (u32)added & 0xffff, flags = (u32)added >> 16;
    ref_put(ref, b->pos, len, flags);
    e->cut += (flags & (WEDR_SF_CUT | WEDR_SF_HEAD_CUT)) != 0;
    b->pos += len;
    barrier_var(b->pos);
    b->pos &= REC_BYTES / 4 - 1;
    if (!e->mechanism) {
        e->mechanism = added >> 32 & 0xff;
    }
    if (added >> 32 & NAME_CHANGED) {
        e->source = WEDR_PATH_SOURCE_CHANGED;
    } else if (e->source == WEDR_PATH_SOURCE_KERNEL && !(added >> 32 & NAME_TRUE) &&
               which == ORIGIN) {
        e->source = WEDR_PATH_SOURCE_USER;
    } else if (added >> 32 & NAME_LATE && e->source == WEDR_PATH_SOURCE_USER) {
        e->source = 0; /* nothing to compare it with */
    }
}

/* The text of a symbolic link is what the caller said it is. */
static __always_inline void
add_link_text(struct build *b, struct file_event *e, const struct path_call *c)
{
    u64 address = c->name[ORIGIN].address;
    if (c->truth >> ORIGIN & 1) {
        add_name(b, &e->origin, (u64)c->name[ORIGIN].head, HEAD_BYTES, true);
    } else if (c->in_kernel) {
        add_name(b, &e->origin, address, NAME_BYTES, true);
    } else {
        add_user_name(b, &e->origin, address, NAME_BYTES, true);
        if (e->source == WEDR_PATH_SOURCE_KERNEL) {
            e->source = WEDR_PATH_SOURCE_USER; /* half of it */
        }
    }
    b->pos &= REC_BYTES / 4 - 1;
}

static __always_inline void
add_attr(struct build *b, struct file_event *e, const struct path_call *c)
{
    u32 pos = b->pos, len = c->attr_len;
    barrier_var(pos);
    pos &= REC_BYTES / 4 - 1;
    barrier_var(len);
    len &= ATTR_BYTES - 1;
    bpf_probe_read_kernel(&b->s->rec[pos], len, c->attr);
    ref_put(&e->attribute, pos, len, 0);
    b->at = pos;
    b->len = len;
    b->pos = pos + len;
}

static __always_inline bool attribute_wanted(const struct build *b, u32 op)
{
    if (op != WEDR_FILE_OP_SETXATTR && op != WEDR_FILE_OP_REMOVEXATTR) {
        return true;
    }
    return xattr_watched(b);
}

/* What the target is now. */
static __always_inline void
target_facts(struct file_event *e, const struct path_call *c, const struct file_work *w)
{
    if (c->op == WEDR_FILE_OP_DELETE && !c->in_kernel) { /* it is gone */
        bpf_probe_read_kernel(&e->file, sizeof e->file, &c->before);
        e->file.nlink -= e->file.nlink > 0;
    } else if (w->r.found || leaf_of(c)) {
        u64 dentry = w->r.found ? w->r.final.dentry : c->leaf;
        inode_facts(&e->file, ADDRESS(dentry___file, dentry, d_inode));
    } else if (c->truth >> TARGET & 1) {
        bpf_probe_read_kernel(&e->file, sizeof e->file, &c->before);
    }
    e->mode = e->file.mode ? e->file.mode : c->mode;
    e->open_flags = c->open_flags;
    e->owner = c->owner;
    e->group = c->group;
}

/* The call that current began went well: the record. A global function: verified once. */
__attribute__((noinline)) int path_call_told(void)
{
    struct build b = {};
    struct path_call *c = bpf_task_storage_get(&path_calls, bpf_get_current_task_btf(), NULL, 0);
    struct file_work *w = work_get();
    if (!c || !w) {
        return 0;
    }
    u32 op = c->op;
    struct file_event *e = &w->event;
    __builtin_memset(e, 0, sizeof *e);
    e->op = op;
    e->via = c->via;
    e->source =
        c->by_file || c->truth >> TARGET & 1 ? WEDR_PATH_SOURCE_KERNEL : WEDR_PATH_SOURCE_USER;
    bool bulk = type_wanted(file_type(op));
    union file_record *u = build_begin(&b, WEDR_LANE_BULK, SLOT_OWN, sizeof *u);
    if (!u) {
        c->op = 0;
        return 0;
    }
    add_name_of(&b, e, &e->target, TARGET);
    target_facts(e, c, w);
    c->op = 0;
    if (op == WEDR_FILE_OP_SYMLINK) {
        add_link_text(&b, e, c);
    } else if (op == WEDR_FILE_OP_RENAME || op == WEDR_FILE_OP_LINK) {
        add_name_of(&b, e, &e->origin, ORIGIN);
    }
    if (c->attr_len) {
        add_attr(&b, e, c);
    }
    bulk = bulk && attribute_wanted(&b, op) && !is_kernel_fs(e->file.magic);
    if (!kind_on(WEDR_EV_PERSISTENCE_WRITE)) {
        e->mechanism = 0;
    }
    file_end(&b, u, e, bulk);
    return 0;
}

/* What was to go on in a program of its own did not, for somebody emptied the array of programs:
 * the record is lost, and counted. */
static __always_inline void tail_missing(void)
{
    struct wedr_sensor_state *st = state_get();
    if (st) {
        struct wedr_sensor_lane *lane = &st->lane[WEDR_LANE_BULK];
        lane_next(lane);
        lane_lost(lane, WEDR_LOSS_REASON_SCRATCH);
    }
}

/* Has current begun a call that is told? */
static __always_inline bool path_call_pending(void)
{
    const struct path_call *c =
        bpf_task_storage_get(&path_calls, bpf_get_current_task_btf(), NULL, 0);
    return c && c->op;
}

/* Did the call that current began end well? Whatever else: it is over. */
static __always_inline bool path_went_well(long ret)
{
    struct path_call *c = bpf_task_storage_get(&path_calls, bpf_get_current_task_btf(), NULL, 0);
    if (!c || !c->op) {
        return false;
    }
    if (ret != 0) {
        c->op = 0;
    }
    return ret == 0;
}

/* At exit. */
static __always_inline int path_done(long ret)
{
    return path_went_well(ret) ? path_call_told() : 0;
}

/* Calls on an open file have no entry hook: at exit, the descriptor from the registers. */
static __always_inline struct path_call *file_call(u32 op, long ret)
{
    struct path_call *c = ret == 0 ? call_begin(op) : NULL;
    if (c) {
        c->by_file = 1;
        c->name[TARGET].dirfd = (int)syscall_arg(0);
    }
    return c;
}
