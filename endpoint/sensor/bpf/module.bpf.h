/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/module.bpf.h — code that becomes runnable: what is told about it, whichever
 * system call did it. What is said about memory comes from the mapping that the kernel made. Only
 * where another thread holds the address space at that moment, the descriptor is asked instead.
 *
 * A file is told once per process and program it runs, memory once per kind. A file that changed
 * since is another one. The map that knows what was told forgets the oldest: then something is told
 * again.
 *
 * Global functions are verified once and not per call.
 */
#pragma once

#include "filter.bpf.h"
#include "record.bpf.h"
#include "syscall.bpf.h"

#define PROT_READ 1u
#define PROT_EXEC 4u
#define VM_GROWSDOWN 0x100u
#define PROT_ALL 7u /* the bits of vm_flags are the same */
#define MAP_ANONYMOUS 0x20u
#define READ_IMPLIES_EXEC 0x0400000u
#define S_IFREG 0100000u
#define VMAS_MAX 16 /* mappings that one mprotect is followed over */
#define EEXIST 17

#define HIDDEN (WEDR_MAP_FLAGS_MEMFD | WEDR_MAP_FLAGS_DELETED | WEDR_MAP_FLAGS_NO_NAME)
#define TOLD_MODULE 0u
#define TOLD_MEMORY 0x80000000u /* with map_flags, and prot above them */

struct told_key {
    u64 process_key, exec_id; /* exec_id grows with every execve */
    u64 inode, version;
    u32 dev, what;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct told_key);
    __type(value, u8);
} told SEC(".maps");

/* A mapping. */
struct code {
    struct place at; /* its file; zero without one */
    u64 start, end;
    u32 prot;
    u32 flags; /* WEDR_MAP_FLAGS_* */
};

static __always_inline u64 inode_ctime(u64 address)
{
    struct inode *inode = (struct inode *)address;
    struct inode___t611 *t = (void *)inode;
    struct inode___c66 *c = (void *)inode;
    if (bpf_core_field_exists(t->i_ctime_sec)) {
        return (u64)nanoseconds(BPF_CORE_READ(t, i_ctime_sec),
                                BPF_CORE_READ(t, i_ctime_nsec) & I_NSEC_MASK);
    }
    if (bpf_core_field_exists(c->__i_ctime)) {
        return (u64)nanoseconds(BPF_CORE_READ(c, __i_ctime.tv_sec),
                                BPF_CORE_READ(c, __i_ctime.tv_nsec));
    }
    return (u64)nanoseconds(BPF_CORE_READ(inode, i_ctime.tv_sec),
                            BPF_CORE_READ(inode, i_ctime.tv_nsec));
}

static __always_inline bool is_regular(u64 address)
{
    struct inode *inode = (struct inode *)address;
    return address && (BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFREG;
}

/* A file without a name counts once, whatever is written to it: else a process could fill the
 * critical ring with one. Of the others each state counts. */
static __always_inline void told_key(struct told_key *k, u64 inode, u32 what, bool hidden)
{
    struct task_struct *t = bpf_get_current_task_btf();
    k->process_key = task_key(t);
    k->exec_id = t->self_exec_id;
    k->what = what;
    if (inode) {
        struct inode *i = (struct inode *)inode;
        k->inode = BPF_CORE_READ(i, i_ino);
        k->dev = BPF_CORE_READ(i, i_sb, s_dev);
        k->version = hidden ? BPF_CORE_READ(i, i_generation) : inode_ctime(inode);
    }
}

/* Only the first caller gets true, also of two at once. Where the map refuses, it is told again. */
static __always_inline bool tell_now(const struct told_key *k)
{
    u8 one = 1;
    return (int)bpf_map_update_elem(&told, k, &one, BPF_NOEXIST) != -EEXIST;
}

/* What is unusual about the file itself. */
static __always_inline u32 file_flags(const struct place *p)
{
    struct dentry *d = (struct dentry *)p->dentry;
    struct vfsmount *v = (struct vfsmount *)p->mnt;
    struct inode *i = (struct inode *)p->inode;
    if ((u64)BPF_CORE_READ(d, d_parent) == p->dentry &&
        (u64)BPF_CORE_READ(v, mnt_root) != p->dentry) {
        u8 head[8] = {};
        bpf_probe_read_kernel_str(head, sizeof head, BPF_CORE_READ(d, d_name.name));
        return WEDR_MAP_FLAGS_NO_NAME | (is_memfd(head) ? WEDR_MAP_FLAGS_MEMFD : 0);
    }
    struct mount *m = (struct mount *)(p->mnt - bpf_core_field_offset(struct mount, mnt));
    u32 flags = BPF_CORE_READ(m, mnt_ns) ? 0 : WEDR_MAP_FLAGS_NO_NAME; /* lazily unmounted */
    if (!BPF_CORE_READ(d, d_hash.pprev) || BPF_CORE_READ(i, i_nlink) == 0) {
        flags |= WEDR_MAP_FLAGS_DELETED;
    }
    return flags;
}

/* Called with the address space locked: the file cannot go away. */
static long code_seen(struct task_struct *t, struct vm_area_struct *area, void *arg)
{
    struct vm_area_struct *vma = PLAIN(struct vm_area_struct, area);
    struct code *c = arg;
    c->start = vma->vm_start;
    c->end = vma->vm_end;
    c->prot = (u32)vma->vm_flags & PROT_ALL;
    struct mm_struct *mm = vma->vm_mm;
    if (vma->vm_flags & VM_GROWSDOWN) { /* also a part that mprotect cut out of it */
        c->flags |= WEDR_MAP_FLAGS_STACK;
    } else if (mm && c->start < mm->brk && c->end > mm->start_brk) {
        c->flags |= WEDR_MAP_FLAGS_HEAP;
    }
    struct file *f = vma->vm_file;
    if (f) {
        file_place(&c->at, (u64)f);
    }
    return 0;
}

/* The mapping of current at this address. False when it is gone again, when another thread is
 * changing the address space, or when the kernel cannot be asked (before 5.17). */
static __always_inline bool code_at(struct code *c, u64 address)
{
    __builtin_memset(c, 0, sizeof *c);
    if (!bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_find_vma) ||
        bpf_find_vma(bpf_get_current_task_btf(), address, code_seen, c, 0) || !c->end) {
        return false;
    }
    if (c->at.inode) {
        c->flags |= file_flags(&c->at);
    } else {
        c->flags |= WEDR_MAP_FLAGS_ANONYMOUS;
    }
    return true;
}

/* A file without a name is told whatever filters say; others as the policy has it. */
static __always_inline bool module_wanted(bool hidden)
{
    return hidden ? kind_on(WEDR_EV_MODULE_LOAD) : wanted(WEDR_EV_MODULE_LOAD);
}

/* first: nothing of this program can have been told yet. */
__attribute__((noinline)) int module_mapped(struct code *c, u64 base, u64 size, u32 first)
{
    if (!c) {
        return 0;
    }
    const u32 type = WEDR_EV_MODULE_LOAD;
    struct told_key key = {};
    bool hidden = c->flags & HIDDEN;
    told_key(&key, c->at.inode, TOLD_MODULE, hidden);
    if ((!first && bpf_map_lookup_elem(&told, &key)) || !module_wanted(hidden)) {
        return 0;
    }
    struct build b = {};
    struct wedr_linux_module_load *r =
        build_begin(&b, hidden ? WEDR_LANE_CRITICAL : WEDR_LANE_BULK, SLOT_OWN, sizeof *r);
    if (!r) {
        return 0;
    }
    struct inode *inode = (struct inode *)c->at.inode;
    struct task_head head;
    task_head(&head);
    PUT_HEAD(r, &head);
    PUT(r, image_base, base);
    PUT(r, image_size, size);
    PUT(r, inode, key.inode);
    PUT(r, dev, key.dev);
    PUT(r, nlink, BPF_CORE_READ(inode, i_nlink));
    PUT(r, map_flags, c->flags | (c->prot & 2 ? WEDR_MAP_FLAGS_WRITABLE : 0));
    add_path(&b, &r->image_path, c->at.dentry, c->at.mnt);
    if ((hidden || path_take(&b, type, &head)) && (first || tell_now(&key))) {
        build_end(&b, r, type, sizeof *r, 0);
    } else {
        build_drop(&b);
    }
    return 0;
}

__attribute__((noinline)) int memory_made(struct code *c, u64 address, u64 size)
{
    if (!c) {
        return 0;
    }
    const u32 type = WEDR_EV_MEMORY_EXEC;
    struct told_key key = {};
    u32 flags = c->flags | (c->prot & 2 ? WEDR_MAP_FLAGS_WRITABLE : 0);
    told_key(&key, c->at.inode, TOLD_MEMORY | c->prot << 16 | flags, true);
    if (bpf_map_lookup_elem(&told, &key) || !wanted(type)) {
        return 0;
    }
    struct build b = {};
    struct wedr_linux_memory_exec *r = build_begin(&b, WEDR_LANE_BULK, SLOT_OWN, sizeof *r);
    if (!r) {
        return 0;
    }
    struct task_head head;
    task_head(&head);
    PUT_HEAD(r, &head);
    PUT(r, address, address);
    PUT(r, size, size);
    PUT(r, prot, c->prot);
    PUT(r, map_flags, flags);
    add_path(&b, &r->image_path, c->at.dentry, c->at.mnt);
    if (budget_take(type, &head) && tell_now(&key)) {
        build_end(&b, r, type, sizeof *r, 0);
    } else {
        build_drop(&b);
    }
    return 0;
}

/* Is what a call that gives an address returned an error? */
static __always_inline bool is_error(s64 ret)
{
    return ret < 0 && ret >= -4095;
}

/* Does memory that is asked for like this become executable? */
static __always_inline bool makes_code(u64 prot)
{
    if (prot & PROT_EXEC) {
        return true;
    }
    struct task_struct *t = bpf_get_current_task_btf();
    return (prot & PROT_READ) && (t->personality & READ_IMPLIES_EXEC);
}

/* mmap gave this. size, prot, flags, fd: as asked for; size 0: as the mapping has it. */
static __always_inline int code_mapped(u64 base, u64 size, u64 prot, u64 flags, u32 fd)
{
    struct code c;
    bool anonymous = flags & MAP_ANONYMOUS;
    if (!code_at(&c, base)) {
        if (!makes_code(prot)) {
            return 0;
        }
        c.prot = ((u32)prot & PROT_ALL) | PROT_EXEC;
        if (!anonymous) {
            file_place(&c.at, fd_file(fd));
            c.flags = c.at.inode ? file_flags(&c.at) : 0;
        }
    } else if (!(c.prot & PROT_EXEC)) { /* a file on a mount with noexec, an old personality */
        return 0;
    }
    if (anonymous) { /* shared anonymous memory has an inner file */
        c.at = (struct place){};
        c.flags = (c.flags & ~HIDDEN) | WEDR_MAP_FLAGS_ANONYMOUS;
    }
    size = size ? size : c.end - c.start;
    if (is_regular(c.at.inode)) {
        return module_mapped(&c, base, size, false);
    }
    return memory_made(&c, base, size);
}

/* Its own program text is no module: the process's start named it. */
static __always_inline bool is_own_program(u64 inode)
{
    struct task_struct *t = PLAIN(struct task_struct, bpf_get_current_task_btf());
    struct mm_struct *mm = t->mm;
    struct place exe;
    file_place(&exe, (u64)BPF_CORE_READ(mm, exe_file));
    return exe.inode == inode;
}

/* A file that was mapped without the right to run it and got that right afterwards was loaded. */
static __always_inline int memory_changed(struct code *c, u64 from, u64 to)
{
    from = from > c->start ? from : c->start;
    to = to < c->end ? to : c->end;
    c->flags |= WEDR_MAP_FLAGS_MPROTECT;
    memory_made(c, from, to - from);
    u32 inner = c->flags & (WEDR_MAP_FLAGS_NO_NAME | WEDR_MAP_FLAGS_MEMFD);
    if (is_regular(c->at.inode) && inner != WEDR_MAP_FLAGS_NO_NAME &&
        !is_own_program(c->at.inode)) {
        module_mapped(c, from, to - from, false);
    }
    return 0;
}

/* mprotect succeeded. prot as asked for, makes_code() of it true. */
static __always_inline int code_protected(u64 from, u64 size, u64 prot)
{
    u64 to = from + size;
    for (int i = 0; i < VMAS_MAX && from < to; i++) {
        struct code c;
        if (!code_at(&c, from)) {
            c.start = from;
            c.end = to;
            c.prot = (u32)prot & PROT_ALL;
        }
        if (c.prot & PROT_EXEC) {
            memory_changed(&c, from, to);
        }
        from = c.end;
    }
    return 0;
}

/* shmat gave this. */
static __always_inline int segment_attached(u64 base)
{
    struct code c;
    if (!code_at(&c, base)) {
        c.prot = PROT_READ | PROT_EXEC;
    }
    return c.prot & PROT_EXEC ? memory_made(&c, base, c.end - c.start) : 0;
}

/* memfd_create gave fd. */
static __always_inline int memfd_made(u32 fd, u32 flags)
{
    const u32 type = WEDR_EV_MEMFD_CREATE;
    if (!wanted(type)) {
        return 0;
    }
    struct task_head head;
    task_head(&head);
    struct place at;
    file_place(&at, fd_file(fd));
    struct dentry *d = (struct dentry *)at.dentry;
    struct inode *inode = (struct inode *)at.inode;
    u64 name = (u64)BPF_CORE_READ(d, d_name.name);
    u8 start[8] = {};
    bpf_probe_read_kernel_str(start, sizeof start, (void *)name);
    struct build b = {};
    if (!budget_take(type, &head)) {
        return 0;
    }
    struct wedr_linux_memfd_create *r = build_begin(&b, WEDR_LANE_BULK, SLOT_OWN, sizeof *r);
    if (!r) {
        return 0;
    }
    PUT_HEAD(r, &head);
    PUT(r, memfd_flags, flags);
    if (is_memfd(start)) { /* still that file */
        PUT(r, inode, BPF_CORE_READ(inode, i_ino));
        add_name(&b, &r->name, name + 6, 256, false);
    }
    build_end(&b, r, type, sizeof *r, 0);
    return 0;
}

/* A record about code of the kernel that current asked for. */
static __always_inline struct wedr_linux_module_load *kernel_code(struct build *b, u32 object)
{
    if (!kind_on(WEDR_EV_MODULE_LOAD)) {
        return NULL;
    }
    struct wedr_linux_module_load *r = build_begin(b, WEDR_LANE_CRITICAL, SLOT_OWN, sizeof *r);
    if (!r) {
        return NULL;
    }
    struct task_head head;
    task_head(&head);
    PUT_HEAD(r, &head);
    PUT(r, kernel_object, (u16)object);
    return r;
}

static __always_inline bool current_is_own(void)
{
    struct policy_now p;
    return policy_get(&p) && is_own_process(p.page, (u32)(bpf_get_current_pid_tgid() >> 32));
}

static __always_inline bool is_bpf_prog(struct file *f)
{
    const u8 want[9] = "bpf-prog";
    u8 name[12] = {};
    bpf_probe_read_kernel_str(name, sizeof name, BPF_CORE_READ(f, f_path.dentry, d_name.name));
    for (u32 i = 0; i < sizeof want; i++) {
        if (name[i] != want[i]) {
            return false;
        }
    }
    return true;
}

/* bpf(BPF_PROG_LOAD) gave fd. */
static __always_inline int bpf_loaded(u32 fd)
{
    if (current_is_own()) {
        return 0;
    }
    struct build b = {};
    struct wedr_linux_module_load *r = kernel_code(&b, WEDR_KERNEL_OBJECT_BPF_PROGRAM);
    if (!r) {
        return 0;
    }
    u64 address = fd_file(fd);
    struct file *f = (struct file *)address;
    if (is_bpf_prog(f)) { /* still that file */
        struct bpf_prog *p = BPF_CORE_READ(f, private_data);
        struct bpf_prog_aux *aux = BPF_CORE_READ(p, aux);
        PUT(r, bpf_type, BPF_CORE_READ(p, type));
        add_name(&b, &r->object_name, (u64)aux + bpf_core_field_offset(struct bpf_prog_aux, name),
                 16, false);
    }
    build_end(&b, r, WEDR_EV_MODULE_LOAD, sizeof *r, 0);
    return 0;
}
