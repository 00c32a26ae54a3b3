/* SPDX-License-Identifier: Apache-2.0
 *
 * From what is known to wire records. */
#include "watch_priv.h"

#include "core/base/err.h"
#include <stdio.h>
#include <string.h>

#define PF_KTHREAD 0x00200000u

static bool begin(struct watch_records *r, struct wedr_record *rec, uint16_t type)
{
    return wedr_record_begin(rec, r->mem, sizeof r->mem, type, WEDR_OS_LINUX) == WEDR_OK;
}

/* Names are the schema's and a record of ours always has room: an error is a mistake in this file,
 * which the tests see as a missing field. */
static void put(struct wedr_record *rec, const char *name, uint64_t v)
{
    (void)!wedr_record_set_uint(rec, name, v);
}

static void put_text(struct watch_records *r,
                     struct wedr_record *rec,
                     const char *name,
                     const void *s,
                     size_t len,
                     unsigned flags)
{
    (void)!wedr_record_set_str(rec, name, s, len, (uint16_t)flags);
    (void)r;
}

static void put_ids(struct wedr_record *rec, const struct watch_ids *ids)
{
    put(rec, "uid", ids->uid);
    put(rec, "gid", ids->gid);
    put(rec, "euid", ids->euid);
    put(rec, "egid", ids->egid);
    put(rec, "suid", ids->suid);
    put(rec, "sgid", ids->sgid);
    put(rec, "fsuid", ids->fsuid);
    put(rec, "fsgid", ids->fsgid);
}

static void put_caps(struct wedr_record *rec, const struct watch_ids *ids)
{
    put(rec, "cap_effective", ids->cap_effective);
    put(rec, "cap_permitted", ids->cap_permitted);
    put(rec, "cap_inheritable", ids->cap_inheritable);
    put(rec, "cap_bounding", ids->cap_bounding);
    put(rec, "cap_ambient", ids->cap_ambient);
}

static uint32_t exec_flags(const struct watch_facts *f)
{
    uint32_t flags = 0;
    bool set_id = (f->exe_mode & 04000) && f->ids.euid == f->exe_uid && f->ids.euid != f->ids.uid;
    bool memfd = (f->exe.flags & WEDR_SF_NO_NAME) != 0;
    flags |= memfd ? WEDR_EXEC_FLAGS_MEMFD | WEDR_EXEC_FLAGS_NO_NAME : 0u;
    flags |= (f->exe.flags & WEDR_SF_DELETED) || (f->exe.len && f->exe_inode && !f->exe_nlink)
                 ? WEDR_EXEC_FLAGS_DELETED
                 : 0u;
    flags |= f->root.len > 1 ? WEDR_EXEC_FLAGS_CHROOTED : 0u;
    flags |= set_id ? WEDR_EXEC_FLAGS_SETUID : 0u;
    flags |= f->kernel_flags & PF_KTHREAD ? WEDR_EXEC_FLAGS_KERNEL_THREAD : 0u;
    return flags;
}

/* Majors of the kernel's list of devices: pseudo terminals, consoles, serial lines. */
static void put_tty(struct watch_records *r, struct wedr_record *rec, uint32_t number)
{
    char name[32] = "";
    uint32_t major = number >> 8 & 0xfff, minor = (number & 0xff) | (number >> 12 & 0xfff00);
    if (major >= 136 && major <= 143) {
        (void)snprintf(name, sizeof name, "pts%u", (major - 136) * 256 + minor);
    } else if (major == 4) {
        (void)snprintf(name, sizeof name, minor < 64 ? "tty%u" : "ttyS%u",
                       minor < 64 ? minor : minor - 64);
    }
    put_text(r, rec, "tty", name, strlen(name), 0);
}

static void put_cgroup(struct watch_records *r, struct wedr_record *rec, const struct watch_text *t)
{
    size_t end = t->len, at = end;
    while (at > 0 && t->s[at - 1] != '/') {
        at--;
    }
    put_text(r, rec, "cgroup_name", t->s + at, end - at, 0);
    end = at > 0 ? at - 1 : 0;
    at = end;
    while (at > 0 && t->s[at - 1] != '/') {
        at--;
    }
    put_text(r, rec, "cgroup_parent", t->s + at, end - at, 0);
}

static void put_exec(struct watch_records *r, struct wedr_record *rec, const struct watch_facts *f)
{
    unsigned gone = f->alive ? 0 : WEDR_SF_UNREADABLE;
    unsigned argv = f->argv_unreadable || !f->alive ? WEDR_SF_UNREADABLE : 0;
    argv |= f->argv_size > f->argv_len ? WEDR_SF_CUT : 0;
    put_text(r, rec, "image_path", f->exe.s, f->exe.len, f->exe.flags | gone);
    put_text(r, rec, "command_line", f->argv, f->argv_len, argv);
    put(rec, "argv_size", f->argv_size);
    put_text(r, rec, "cwd", f->cwd.s, f->cwd.len, f->cwd.flags | gone);
    put(rec, "exec_flags", exec_flags(f));
    put(rec, "login_uid", f->alive ? f->login_uid : UNKNOWN_ID);
    put(rec, "pgid", f->pgid);
    put(rec, "sid", f->sid);
    put(rec, "ns_pid_nr", f->ns_pid_nr);
    put(rec, "ns_user", f->ns_user);
    put(rec, "ns_pid", f->ns_pid);
    put(rec, "ns_mnt", f->ns_mnt);
    put(rec, "ns_net", f->ns_net);
    put(rec, "ns_uts", f->ns_uts);
    put(rec, "ns_ipc", f->ns_ipc);
    put(rec, "ns_cgroup", f->ns_cgroup);
    put(rec, "exe_inode", f->exe_inode);
    put(rec, "exe_dev", f->exe_dev);
    put(rec, "exe_mode", f->exe_mode);
    put(rec, "exe_nlink", f->exe_nlink);
    put(rec, "exe_uid", f->exe_uid);
    put(rec, "exe_size", f->exe_size);
    put(rec, "exe_ctime_ns", (uint64_t)f->exe_ctime_ns);
    put(rec, "exe_mtime_ns", (uint64_t)f->exe_mtime_ns);
    put_tty(r, rec, f->tty);
    put_cgroup(r, rec, &f->cgroup);
}

void watch_record_create(struct watch_records *r,
                         const struct watch_process *p,
                         const struct watch_facts *f,
                         uint64_t boot_ns,
                         bool existing)
{
    struct wedr_record rec;
    if (!begin(r, &rec, WEDR_EV_PROCESS_CREATE)) {
        return;
    }
    put(&rec, "pid", p->pid);
    put(&rec, "parent_pid", p->parent_pid);
    put(&rec, "creating_pid", p->pid);
    put(&rec, "process_key", p->key);
    put(&rec, "parent_key", p->parent_key);
    put_text(r, &rec, "comm", p->comm, strlen(p->comm), f->alive ? 0 : WEDR_SF_UNREADABLE);
    put_ids(&rec, &p->ids);
    put_caps(&rec, &p->ids);
    put_exec(r, &rec, f);
    watch_exe_read(&r->parent_exe, p->parent_pid);
    put_text(r, &rec, "parent_image_path", r->parent_exe.s, r->parent_exe.len,
             p->parent_pid ? r->parent_exe.flags : 0);
    watch_rings_put(r->rings, WEDR_LANE_CRITICAL, &rec, boot_ns, existing ? WEDR_EVF_EXISTING : 0);
}

static void
put_life(struct watch_records *r, struct wedr_record *rec, const struct watch_process *p)
{
    put(rec, "pid", p->pid);
    put(rec, "parent_pid", p->parent_pid);
    put(rec, "process_key", p->key);
    put(rec, "parent_key", p->parent_key);
    put(rec, "uid", p->ids.uid);
    put_text(r, rec, "comm", p->comm, strlen(p->comm), 0);
}

void watch_record_fork(struct watch_records *r, const struct watch_process *p, uint64_t boot_ns)
{
    struct wedr_record rec;
    if (begin(r, &rec, WEDR_EV_PROCESS_FORK)) {
        put_life(r, &rec, p);
        watch_rings_put(r->rings, WEDR_LANE_CRITICAL, &rec, boot_ns, 0);
    }
}

void watch_record_exit(struct watch_records *r,
                       const struct watch_process *p,
                       uint64_t boot_ns,
                       bool code_known)
{
    struct wedr_record rec;
    if (!begin(r, &rec, WEDR_EV_PROCESS_TERMINATE)) {
        return;
    }
    put_life(r, &rec, p);
    put(&rec, "exit_code", code_known ? p->exit_code >> 8 & 0xff : (uint64_t)-1);
    put(&rec, "signal", code_known ? p->exit_code & 0x7f : 0);
    put(&rec, "core_dumped", code_known && (p->exit_code & 0x80));
    watch_rings_put(r->rings, WEDR_LANE_CRITICAL, &rec, boot_ns, 0);
}

void watch_record_ids(struct watch_records *r,
                      const struct watch_process *p,
                      const struct watch_ids *old,
                      uint16_t op,
                      uint64_t boot_ns)
{
    struct wedr_record rec;
    if (!begin(r, &rec, WEDR_EV_CREDENTIAL_CHANGE)) {
        return;
    }
    put(&rec, "pid", p->pid);
    put(&rec, "process_key", p->key);
    put(&rec, "op", op);
    put_ids(&rec, &p->ids);
    put(&rec, "cap_effective", p->ids.cap_effective);
    put(&rec, "cap_permitted", p->ids.cap_permitted);
    put(&rec, "old_uid", old->uid);
    put(&rec, "old_euid", old->euid);
    put(&rec, "old_suid", old->suid);
    put(&rec, "old_fsuid", old->fsuid);
    put(&rec, "old_gid", old->gid);
    put(&rec, "old_egid", old->egid);
    put(&rec, "old_sgid", old->sgid);
    put(&rec, "old_fsgid", old->fsgid);
    put(&rec, "old_cap_effective", old->cap_effective);
    put(&rec, "old_cap_permitted", old->cap_permitted);
    watch_rings_put(r->rings, WEDR_LANE_CRITICAL, &rec, boot_ns, 0);
}

void watch_record_file(struct watch_records *r,
                       const struct watch_process *p,
                       const struct watch_file_event *e,
                       uint64_t boot_ns)
{
    struct wedr_record rec;
    if (!begin(r, &rec, WEDR_EV_PERSISTENCE_WRITE)) {
        return;
    }
    put(&rec, "pid", p->pid);
    put(&rec, "process_key", p->key);
    put(&rec, "uid", p->ids.uid);
    put(&rec, "op", e->op);
    put(&rec, "mechanism", e->mechanism);
    put(&rec, "path_source", WEDR_PATH_SOURCE_KERNEL);
    put_text(r, &rec, "target_path", e->path, strlen(e->path), 0);
    put(&rec, "inode", e->inode);
    put(&rec, "dev", e->dev);
    put(&rec, "file_mode", e->mode);
    put(&rec, "nlink", e->nlink);
    watch_rings_put(r->rings, WEDR_LANE_CRITICAL, &rec, boot_ns, 0);
}
