/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * endpoint/sensor/bpf/file_open.bpf.h — files that were opened, from the open file itself: one
 * record per open that can change it, and /proc/PID/mem of another process. What a process does
 * with the descriptor later (write, mmap, splice, sendfile, io_uring) needs no hook of its own.
 */
#pragma once

#include "file_resolve.bpf.h"
#include "reach.bpf.h"

#define O_ACCMODE 3u

/* The task whose memory a file of /proc gives access to, 0 when it is none or the caller's own. */
static __always_inline u64 memory_of_another(u64 file, u64 inode)
{
    u64 dentry = ADDRESS(file___file, file, f_path.dentry);
    u64 name = ADDRESS(dentry___file, dentry, d_name.name);
    u32 text = 0;
    if (LOAD(dentry___file, dentry, d_name.len) != 3) {
        return 0;
    }
    bpf_probe_read_kernel(&text, sizeof text, (const void *)name);
    if (text != 0x006d656d) { /* "mem" */
        return 0;
    }
    u64 p = inode - bpf_core_field_offset(struct proc_inode___file, vfs_inode);
    u64 pid = ADDRESS(proc_inode___file, p, pid);
    u64 task = pid ? task_of_pid(pid) : 0;
    u32 own = (u32)(bpf_get_current_pid_tgid() >> 32);
    return (u32)LOAD(task_struct___file, task, tgid) == own ? 0 : task;
}

static __always_inline void memory_opened(u64 task, u64 file, long fd)
{
    struct emit e = {};
    struct task_head h;
    if (!wanted(WEDR_EV_PROCESS_HANDLE_ACCESS)) {
        return;
    }
    task_head(&h);
    u32 flags = LOAD(file___file, file, f_flags);
    struct reach_key key = {.source = h.key,
                            .target = task_key_at(task),
                            .what = WEDR_HANDLE_OP_PROC_MEM << 16 | (flags & O_ACCMODE)};
    if (!tell_reach(&key)) {
        return;
    }
    struct wedr_linux_process_handle_access *r = emit_reserve(&e, WEDR_LANE_CRITICAL, sizeof *r);
    if (!r) {
        return;
    }
    PUT(r, source_pid, h.pid);
    PUT(r, source_key, key.source);
    PUT(r, target_pid, (u32)LOAD(task_struct___file, task, tgid));
    PUT(r, target_key, key.target);
    PUT(r, op, WEDR_HANDLE_OP_PROC_MEM);
    PUT(r, request, flags);
    PUT(r, result, (int)fd);
    emit_submit(&e, r, WEDR_EV_PROCESS_HANDLE_ACCESS, sizeof *r, sizeof *r);
}

static __always_inline void write_opened(u64 file, u64 inode, u32 mode, u32 asked, u32 via)
{
    struct file_work *w = work_get();
    struct build b = {};
    if (!w) {
        return;
    }
    struct file_event *e = &w->event;
    __builtin_memset(e, 0, sizeof *e);
    e->source = WEDR_PATH_SOURCE_KERNEL;
    e->via = via;
    u64 dentry = ADDRESS(file___file, file, f_path.dentry);
    u64 vfsmount = ADDRESS(file___file, file, f_path.mnt);
    inode_facts(&e->file, inode);
    u32 near = persist_near(dentry, vfsmount);
    if (near && !kind_on(WEDR_EV_PERSISTENCE_WRITE)) {
        near = 0;
    }
    bool bulk = !is_kernel_fs(e->file.magic) && wanted(WEDR_EV_FILE_WRITE);
    if (!near && !bulk) {
        return;
    }
    union file_record *u =
        build_begin(&b, near ? WEDR_LANE_CRITICAL : WEDR_LANE_BULK, SLOT_OWN, sizeof *u);
    if (!u) {
        return;
    }
    add_path(&b, &e->target, dentry, vfsmount);
    e->mechanism = near;
    if (near == NEAR_NAME) {
        e->mechanism = persist_path(b.slot, e->target.offset, e->target.len, 0);
        if (e->mechanism) {
            inode_watch(inode, e->mechanism);
        }
    }
    to_lane(&b, WEDR_LANE_BULK);
    e->op = mode & FMODE_CREATED ? WEDR_FILE_OP_CREATE
            : mode & FMODE_WRITE ? WEDR_FILE_OP_WRITE
                                 : WEDR_FILE_OP_TRUNCATE;
    e->open_flags = LOAD(file___file, file, f_flags) | (asked & (O_CREAT | O_EXCL | O_TRUNC));
    e->mode = e->file.mode;
    file_end(&b, u, e, bulk);
}

/* Can the open file change anything, or is it another's memory? For nearly all opens the answer is
 * no, after five loads. */
static __always_inline bool open_matters(u64 file, u32 asked)
{
    u32 mode = LOAD(file___file, file, f_mode);
    u64 inode = (u64)LOAD(file___file, file, f_inode);
    u32 kind = LOAD(inode___file, inode, i_mode);
    if ((kind & S_IFMT) != S_IFREG) {
        return false;
    }
    if (mode & (FMODE_WRITE | FMODE_CREATED) || asked & O_TRUNC) {
        return true;
    }
    u64 sb = (u64)LOAD(inode___file, inode, i_sb);
    return LOAD(super_block___file, sb, s_magic) == MAGIC_PROC;
}

/* A file that current has just opened and that matters. fd: its number, for the record. asked: the
 * flags of the call (the open file keeps all but O_CREAT, O_EXCL and O_TRUNC). A global function:
 * verified once. */
__attribute__((noinline)) int file_opened(u64 file, s64 fd, u32 asked, u32 via)
{
    u32 mode = LOAD(file___file, file, f_mode);
    u64 inode = ADDRESS(file___file, file, f_inode);
    u64 sb = ADDRESS(inode___file, inode, i_sb);
    if (LOAD(super_block___file, sb, s_magic) == MAGIC_PROC) {
        u64 task = memory_of_another(file, inode);
        if (task) {
            memory_opened(task, file, fd);
            return 0;
        }
    }
    if (mode & (FMODE_WRITE | FMODE_CREATED) || asked & O_TRUNC) {
        write_opened(file, inode, mode, asked, via);
    }
    return 0;
}

/* At the end of an open call, for programs that are not of file.bpf.c. */
static __always_inline int open_done(long fd, u32 asked, u32 via)
{
    u64 file = file_of(fd);
    return file && open_matters(file, asked) ? file_opened(file, fd, asked, via) : 0;
}
