/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/file_resolve.bpf.h — where a name that a process gave to the kernel leads:
 * from the folder where it begins, component by component, through the kernel's directory cache,
 * over
 * "..", symbolic links, mounts and the magic links of /proc. The call that gave the name has just
 * ended well, so what it walked over is in the cache. Takes no locks and changes nothing; what it
 * does not find stays as the process wrote it.
 */
#pragma once

#include "file_kernel.bpf.h"
#include "file_record.bpf.h"

#define TEXT_START 4096u /* the name; symbolic links are put before it */
#define TEXT_BYTES 8192u
#define TEXT_ROOM 256u
#define RESOLVE_STEPS 96
#define RESOLVE_LINKS 12u
#define CHAIN_STEPS 12
#define MOUNT_STEPS_FAST 1024
#define MOUNT_STEPS_PROBE 96
#define SLASH_STEPS 32
#define MOUNTED_OVER 4
#define UP_STEPS 8

struct resolving {
    u32 pos;                /* of what is still to do, in text */
    u32 name_pos, name_len; /* the last component, or all that is left */
    u32 links;
    u32 follow; /* also the last component, when it is a symbolic link */
    u32 found;  /* final is there */
    u32 rest;   /* unresolved: name_pos is where it stopped */
    u32 proc_fd;
    u64 proc_task;        /* behind /proc/self: the task meant */
    struct spot root, at; /* at: the folder that holds the name */
    struct spot final;
};

struct file_work {
    u8 text[TEXT_BYTES + TEXT_ROOM];
    struct resolving r;
    struct file_event event;
    u32 asked, via; /* of an open, for the program that goes on with it */
};

/* Only used by whoever holds the scratch slot of the CPU. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct file_work);
} file_works SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, struct wedr_file_ctl);
} file_ctl SEC(".maps");

static __always_inline struct file_work *work_get(void)
{
    u32 zero = 0;
    return bpf_map_lookup_elem(&file_works, &zero);
}

static __always_inline u64 text_word(const struct file_work *w, u32 pos)
{
    barrier_var(pos);
    pos &= TEXT_BYTES - 1;
    const u64 *word = (const void *)&w->text[pos];
    barrier_var(word); /* not to be split into bytes */
    return *word;
}

/* The high bit of the first byte that is NUL or a slash (of later ones too, perhaps). */
static __always_inline u64 ends_in(u64 word)
{
    u64 slash = word ^ BYTES_OF('/');
    return (((word - BYTES_OF(1)) & ~word) | ((slash - BYTES_OF(1)) & ~slash)) & BYTES_OF(0x80);
}

static __always_inline u64 rotate(u64 v, u32 n)
{
    return v << n | v >> (64 - n);
}

/* The component at pos: its length, and its hash in the high half, made as the kernel makes it:
 * eight bytes at a time, salted with the folder. A global function: verified once. */
__attribute__((noinline)) u64 name_at(u32 pos, u64 folder)
{
    const struct file_work *w = work_get();
    u64 x = 0, y = folder;
    u32 len = 0;
    if (!w) {
        return 0;
    }
    for (int i = 0; i < 32; i++) {
        u64 word = text_word(w, pos + len);
        u64 end = ends_in(word);
        if (end) {
            u64 mask = ((end & -end) - 1) >> 7;
            x ^= word & mask;
            len += (u32)((mask & BYTES_OF(1)) * BYTES_OF(1) >> 56);
            break;
        }
        x ^= word;
        y ^= x;
        x = rotate(x, 12);
        x += y;
        y = rotate(y, 45);
        y *= 9;
        len += 8;
    }
    y ^= x * 0x61c8864680b583ebull;
    return len | (y * 0x61c8864680b583ebull >> 32) << 32;
}

/* The dentry of a name in a folder, 0 when it is not in the cache. */
__attribute__((noinline)) u64 child_of(u64 folder, u32 hash, u32 len)
{
    u32 zero = 0;
    u64 node = 0;
    struct wedr_file_ctl *ctl = bpf_map_lookup_elem(&file_ctl, &zero);
    if (!ctl || !ctl->table) {
        return 0;
    }
    bpf_probe_read_kernel(&node, sizeof node,
                          (const void *)(ctl->table + 8 * (u64)(hash >> (ctl->shift & 31))));
    node &= ~1ull; /* the chain's lock */
    for (int i = 0; i < CHAIN_STEPS && node; i++) {
        u64 d = node - bpf_core_field_offset(struct dentry___file, d_hash);
        if (LOAD(dentry___file, d, d_name.hash) == hash &&
            LOAD(dentry___file, d, d_name.len) == len &&
            ADDRESS(dentry___file, d, d_parent) == folder) {
            return d;
        }
        node = ADDRESS(dentry___file, d, d_hash.next);
    }
    return 0;
}

/* The search for the mount that hides a dentry, in the list of the mounts on its mount. */
struct mount_search {
    u64 dentry, head, node, found;
};

static __always_inline bool mount_search_step(struct mount_search *m)
{
    if (!m->node || m->node == m->head) {
        return false;
    }
    u64 at = m->node - bpf_core_field_offset(struct mount___file, mnt_child);
    if (ADDRESS(mount___file, at, mnt_mountpoint) == m->dentry) {
        m->found = at;
        return false;
    }
    m->node = ADDRESS(mount___file, at, mnt_child.next);
    return true;
}

#if WEDR_WALK_FAST

static long mount_search_next(u32 i, void *search)
{
    return !mount_search_step(search);
}

static __always_inline void mount_search_all(struct mount_search *m)
{
    bpf_loop(MOUNT_STEPS_FAST, mount_search_next, m, 0);
}

#else

static __always_inline void mount_search_all(struct mount_search *m)
{
    for (int i = 0; i < MOUNT_STEPS_PROBE; i++) {
        if (!mount_search_step(m)) {
            break;
        }
    }
}

#endif

/* The mount that hides a dentry of this mount, 0 for none. A global function: verified once. */
__attribute__((noinline)) u64 mount_over(u64 mount, u64 dentry)
{
    struct mount_search m = {
        .dentry = dentry,
        .head = mount + bpf_core_field_offset(struct mount___file, mnt_mounts),
        .node = ADDRESS(mount___file, mount, mnt_mounts.next),
    };
    mount_search_all(&m);
    return m.found;
}

static __always_inline u32 mounted_flag(void)
{
    if (bpf_core_enum_value_exists(enum dentry_flags___file, DCACHE_MOUNTED___file)) {
        return (u32)bpf_core_enum_value(enum dentry_flags___file, DCACHE_MOUNTED___file);
    }
    return 0x10000;
}

static __always_inline void enter_mounts(struct spot *p)
{
    for (int i = 0; i < MOUNTED_OVER; i++) {
        if (!(LOAD(dentry___file, p->dentry, d_flags) & mounted_flag())) {
            return;
        }
        u64 m = mount_over(p->mount, p->dentry);
        if (!m) {
            return;
        }
        p->mount = m;
        p->dentry = ADDRESS(mount___file, m, mnt.mnt_root);
    }
}

static __always_inline void go_up(struct spot *p, const struct spot *root)
{
    for (int i = 0; i < UP_STEPS; i++) {
        u64 top = ADDRESS(mount___file, p->mount, mnt.mnt_root);
        if (p->dentry == root->dentry && p->mount == root->mount) {
            return;
        }
        if (p->dentry != top) {
            p->dentry = ADDRESS(dentry___file, p->dentry, d_parent);
            enter_mounts(p);
            return;
        }
        u64 parent = ADDRESS(mount___file, p->mount, mnt_parent);
        if (parent == p->mount) {
            return;
        }
        p->dentry = ADDRESS(mount___file, p->mount, mnt_mountpoint);
        p->mount = parent;
    }
}

static __always_inline void spot_put(struct spot *p, u64 dentry, u64 vfsmount)
{
    p->dentry = dentry;
    p->mount = vfsmount - bpf_core_field_offset(struct mount, mnt);
}

static __always_inline bool spot_of_file(struct spot *p, u64 file)
{
    spot_put(p, ADDRESS(file___file, file, f_path.dentry), ADDRESS(file___file, file, f_path.mnt));
    return file && p->dentry;
}

static __always_inline bool
is_text(const struct file_work *w, u32 pos, u32 len, const char *what, u32 n)
{
    u64 word = text_word(w, pos);
    u64 want = 0;
    __builtin_memcpy(&want, what, n);
    return len == n && (n >= 8 || (word & ((1ull << (8 * n)) - 1)) == want);
}

static __always_inline u32 text_number(const struct file_work *w, u32 pos, u32 len)
{
    u32 number = 0;
    for (u32 i = 0; i < 7 && i < len; i++) {
        number = number * 10 + ((u32)(text_word(w, pos + i) & 0xff) - '0');
    }
    return number;
}

/* A task's file by the number at pos. */
static __always_inline u64 file_of_task(const struct file_work *w, u64 task, u32 pos, u32 len)
{
    u64 files = ADDRESS(task_struct___file, task, files);
    u64 table = ADDRESS(files_struct___file, files, fdt);
    u32 number = text_number(w, pos, len);
    u64 file = 0;
    if (number < LOAD(fdtable___file, table, max_fds)) {
        u64 slots = ADDRESS(fdtable___file, table, fd);
        bpf_probe_read_kernel(&file, sizeof file, (const void *)(slots + 8 * (u64)number));
    }
    return file;
}

static __always_inline u64 task_of_proc(u64 inode)
{
    u64 p = inode - bpf_core_field_offset(struct proc_inode___file, vfs_inode);
    u64 pid = ADDRESS(proc_inode___file, p, pid);
    return pid ? task_of_pid(pid) : 0;
}

/* A magic link of /proc in the folder of a task: goes where it leads. */
static __always_inline bool jump(struct file_work *w, u64 task, u32 pos, u32 len, struct spot *to)
{
    struct task_struct *t = (struct task_struct *)task;
    struct fs_struct *fs = BPF_CORE_READ(t, fs);
    if (!task) {
        return false;
    }
    if (is_text(w, pos, len, "root", 4)) {
        spot_put(to, (u64)BPF_CORE_READ(fs, root.dentry), (u64)BPF_CORE_READ(fs, root.mnt));
        return fs != NULL;
    }
    if (is_text(w, pos, len, "cwd", 3)) {
        spot_put(to, (u64)BPF_CORE_READ(fs, pwd.dentry), (u64)BPF_CORE_READ(fs, pwd.mnt));
        return fs != NULL;
    }
    if (is_text(w, pos, len, "exe", 3)) {
        return spot_of_file(to, (u64)BPF_CORE_READ(t, mm, exe_file));
    }
    u32 first = (u32)(text_word(w, pos) & 0xff);
    return first >= '0' && first <= '9' && spot_of_file(to, file_of_task(w, task, pos, len));
}

/* Over: nothing more is to be done. */
#define GO_ON 0
#define OVER 1

static __always_inline int give_up(struct resolving *r, u32 pos)
{
    r->name_pos = pos;
    r->rest = 1;
    return OVER;
}

/* Stands at a file or folder: the end of the name, or the next folder. */
static __always_inline int arrive(struct resolving *r, const struct spot *p, u32 next, bool last)
{
    if (last) {
        r->final = *p;
        r->found = 1;
        return OVER;
    }
    r->at = *p;
    r->pos = next;
    return GO_ON;
}

/* Puts the text of a symbolic link in the place of the component that ended at next. */
static __always_inline int follow_link(struct file_work *w, u64 link, u32 pos, u32 next)
{
    struct resolving *r = &w->r;
    u8 first = 0;
    if (++r->links > RESOLVE_LINKS) {
        return give_up(r, pos);
    }
    /* Its length: copied once to where nobody looks. */
    long n = bpf_probe_read_kernel_str(&w->text[TEXT_BYTES], TEXT_ROOM, (const void *)link);
    u32 len = (u32)n - 1;
    if (n <= 1 || len >= TEXT_ROOM - 1 || next < len) {
        return give_up(r, pos);
    }
    u32 start = next - len;
    barrier_var(start);
    start &= TEXT_BYTES - 1;
    barrier_var(len);
    len &= TEXT_ROOM - 1;
    bpf_probe_read_kernel(&w->text[start], len, (const void *)link);
    first = w->text[start];
    if (first == '/') {
        r->at = r->root;
    }
    r->pos = start;
    return GO_ON;
}

static __always_inline int proc_step(struct file_work *w, u32 pos, u32 len, u32 next, bool last)
{
    struct resolving *r = &w->r;
    struct spot to = {};
    if (is_text(w, pos, len, "fd", 2)) {
        r->pos = next;
        return last ? give_up(r, pos) : GO_ON;
    }
    if (!jump(w, r->proc_task, pos, len, &to)) {
        return give_up(r, pos);
    }
    r->proc_task = 0;
    return arrive(r, &to, next, last);
}

/* The child d of r->at: a link, a folder or what was looked for. */
static __always_inline int
child_step(struct file_work *w, u64 d, u32 pos, u32 len, u32 next, bool last)
{
    struct resolving *r = &w->r;
    u64 inode = ADDRESS(dentry___file, d, d_inode);
    struct spot to = {d, r->at.mount};
    if ((LOAD(inode___file, inode, i_mode) & S_IFMT) == S_IFLNK && (!last || r->follow)) {
        u64 link = ADDRESS(inode___file, inode, i_link);
        u64 sb = ADDRESS(inode___file, inode, i_sb);
        if (link) {
            return follow_link(w, link, pos, next);
        }
        if (LOAD(super_block___file, sb, s_magic) != MAGIC_PROC) {
            return give_up(r, pos);
        }
        if (is_text(w, pos, len, "self", 4) || len == 11) { /* thread-self */
            r->proc_task = (u64)bpf_get_current_task();
            r->pos = next;
            return last ? give_up(r, pos) : GO_ON;
        }
        if (!jump(w, task_of_proc(inode), pos, len, &to)) {
            return give_up(r, pos);
        }
        return arrive(r, &to, next, last);
    }
    enter_mounts(&to);
    return arrive(r, &to, next, last);
}

/* Where the next component begins: slashes are jumped over. A global function: verified once. */
__attribute__((noinline)) u32 skip_slashes(u32 pos)
{
    const struct file_work *w = work_get();
    if (!w) {
        return pos;
    }
    for (int i = 0; i < SLASH_STEPS; i++) {
        if (text_word(w, pos) != BYTES_OF('/')) {
            break;
        }
        pos += 8;
    }
    for (int i = 0; i < 8; i++) {
        if ((text_word(w, pos) & 0xff) != '/') {
            break;
        }
        pos++;
    }
    return pos; /* still at a slash: the next step goes on */
}

/* One component. OVER when the name is at its end or cannot be followed further. */
__attribute__((noinline)) int resolve_step(void)
{
    struct file_work *w = work_get();
    if (!w) {
        return OVER;
    }
    struct resolving *r = &w->r;
    u32 pos = skip_slashes(r->pos);
    u64 name = name_at(pos, r->at.dentry);
    u32 len = (u32)name;
    if (pos >= TEXT_BYTES - 256 || len > 255) {
        return give_up(r, pos);
    }
    r->name_pos = pos;
    r->name_len = len;
    if (len == 0 && (text_word(w, pos) & 0xff) == '/') { /* more slashes than one step takes */
        r->pos = pos;
        return GO_ON;
    }
    if (len == 0) {
        return arrive(r, &r->at, pos, true);
    }
    u32 next = pos + len;
    u64 word = text_word(w, pos);
    bool last = (text_word(w, next) & 0xff) == 0;
    if (r->proc_task) {
        return proc_step(w, pos, len, next, last);
    }
    if (len == 1 && (word & 0xff) == '.') {
        return arrive(r, &r->at, next, last);
    }
    if (len == 2 && (word & 0xffff) == 0x2e2e) {
        struct spot to = r->at;
        go_up(&to, &r->root);
        return arrive(r, &to, next, last);
    }
    u64 d = child_of(r->at.dentry, (u32)(name >> 32), len);
    if (d && LOAD(dentry___file, d, d_inode)) {
        return child_step(w, d, pos, len, next, last);
    }
    return last ? OVER : give_up(r, pos);
}
