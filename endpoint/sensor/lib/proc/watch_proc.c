/* SPDX-License-Identifier: Apache-2.0
 *
 * What /proc says about one process. All of it is read below one descriptor of its folder, so that
 * a pid that is used again in between gives nothing rather than a mixture. */
#include "watch_priv.h"

#include "core/base/attr.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SMALL_FILE 8192u

static int open_process(uint32_t pid)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/%u", pid);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Bytes read, with a NUL behind them; -1. */
static ssize_t read_file(int dir, const char *name, char *to, size_t cap)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    size_t len = 0;
    ssize_t n;
    while (len < cap - 1 && (n = read(fd, to + len, cap - 1 - len)) > 0) {
        len += (size_t)n;
    }
    (void)close(fd);
    to[len] = 0;
    return (ssize_t)len;
}

static void read_link(int dir, const char *name, struct watch_text *t)
{
    static const char deleted[] = " (deleted)";
    ssize_t n = readlinkat(dir, name, t->s, sizeof t->s);
    t->flags = 0;
    t->len = n > 0 ? (size_t)n : 0;
    if (n < 0 && errno != ENOENT) { /* a kernel thread has none */
        t->flags = WEDR_SF_UNREADABLE;
    }
    if (t->len == sizeof t->s) {
        t->flags |= WEDR_SF_CUT;
        t->len--;
    }
    if (t->len > sizeof deleted - 1 &&
        memcmp(t->s + t->len - (sizeof deleted - 1), deleted, sizeof deleted - 1) == 0) {
        t->len -= sizeof deleted - 1;
        t->flags |= WEDR_SF_DELETED;
    }
    if (t->len > 7 && memcmp(t->s, "/memfd:", 7) == 0) {
        t->flags = (uint16_t)((t->flags & ~WEDR_SF_DELETED) | WEDR_SF_NO_NAME);
    }
}

/* Numbers parted by blanks, as many as there are places; returns how many there were. */
static size_t numbers(const char *text, uint64_t *to, size_t count)
{
    size_t n = 0;
    while (n < count) {
        char *end = NULL;
        text += strspn(text, " \t");
        uint64_t v = strtoull(text, &end, 10);
        if (end == text) {
            break;
        }
        to[n++] = v;
        text = end;
    }
    return n;
}

/* pid (comm) state ppid pgrp session tty ... ; the name may hold anything, so from its last
 * bracket.
 */
enum {
    STAT_PARENT,
    STAT_GROUP,
    STAT_SESSION,
    STAT_TTY,
    STAT_FLAGS = 5,
    STAT_THREADS = 16,
    STAT_START = 18,
    STAT_COUNT
};

static bool read_stat(int dir, struct watch_facts *f)
{
    char text[SMALL_FILE];
    uint64_t v[STAT_COUNT];
    if (read_file(dir, "stat", text, sizeof text) <= 0) {
        return false;
    }
    const char *first = strchr(text, '('), *last = strrchr(text, ')');
    if (!first || !last || last <= first || strlen(last) < 5 ||
        numbers(last + 3, v, STAT_COUNT) != STAT_COUNT) {
        return false;
    }
    size_t len = (size_t)(last - first - 1);
    len = len < sizeof f->comm ? len : sizeof f->comm - 1;
    memcpy(f->comm, first + 1, len);
    f->comm[len] = 0;
    f->state = last[2];
    f->parent_pid = (uint32_t)v[STAT_PARENT];
    f->pgid = (uint32_t)v[STAT_GROUP];
    f->sid = (uint32_t)v[STAT_SESSION];
    f->tty = (uint32_t)v[STAT_TTY];
    f->kernel_flags = (uint32_t)v[STAT_FLAGS];
    f->threads = (uint32_t)v[STAT_THREADS];
    f->start_ns = v[STAT_START] * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
    return true;
}

static const char *line_of(const char *text, const char *key)
{
    size_t len = strlen(key);
    for (const char *at = text; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, key, len) == 0) {
            return at + len;
        }
    }
    return "";
}

static uint64_t hex_of(const char *text, const char *key)
{
    return strtoull(line_of(text, key), NULL, 16);
}

static void read_status(int dir, struct watch_facts *f)
{
    char text[SMALL_FILE];
    struct watch_ids *ids = &f->ids;
    uint64_t v[32];
    if (read_file(dir, "status", text, sizeof text) <= 0) {
        return;
    }
    if (numbers(line_of(text, "Uid:"), v, 4) == 4) {
        ids->uid = (uint32_t)v[0];
        ids->euid = (uint32_t)v[1];
        ids->suid = (uint32_t)v[2];
        ids->fsuid = (uint32_t)v[3];
    }
    if (numbers(line_of(text, "Gid:"), v, 4) == 4) {
        ids->gid = (uint32_t)v[0];
        ids->egid = (uint32_t)v[1];
        ids->sgid = (uint32_t)v[2];
        ids->fsgid = (uint32_t)v[3];
    }
    ids->cap_inheritable = hex_of(text, "CapInh:");
    ids->cap_permitted = hex_of(text, "CapPrm:");
    ids->cap_effective = hex_of(text, "CapEff:");
    ids->cap_bounding = hex_of(text, "CapBnd:");
    ids->cap_ambient = hex_of(text, "CapAmb:");
    /* One number per namespace, the innermost last; the kernel nests them 32 deep at most. */
    size_t depth = numbers(line_of(text, "NSpid:"), v, WEDR_ARRAY_COUNT(v));
    f->ns_pid_nr = depth ? (uint32_t)v[depth - 1] : 0;
}

static uint32_t namespace_of(int dir, const char *name)
{
    char target[64] = "";
    ssize_t n = readlinkat(dir, name, target, sizeof target - 1);
    const char *number = n > 0 ? strchr(target, '[') : NULL;
    return number ? (uint32_t)strtoul(number + 1, NULL, 10) : 0;
}

static void read_namespaces(int dir, struct watch_facts *f)
{
    f->ns_user = namespace_of(dir, "ns/user");
    f->ns_pid = namespace_of(dir, "ns/pid");
    f->ns_mnt = namespace_of(dir, "ns/mnt");
    f->ns_net = namespace_of(dir, "ns/net");
    f->ns_uts = namespace_of(dir, "ns/uts");
    f->ns_ipc = namespace_of(dir, "ns/ipc");
    f->ns_cgroup = namespace_of(dir, "ns/cgroup");
}

/* Lines "number:controllers:/path": the v1 pids hierarchy where there is one, else v2. */
static void read_cgroup(int dir, struct watch_facts *f)
{
    char text[SMALL_FILE];
    if (read_file(dir, "cgroup", text, sizeof text) <= 0) {
        return;
    }
    const char *at = strstr(text, ":pids:");
    at = at ? at + 6 : line_of(text, "0::");
    f->cgroup.len = strcspn(at, "\n");
    f->cgroup.len = f->cgroup.len < sizeof f->cgroup.s ? f->cgroup.len : sizeof f->cgroup.s - 1;
    memcpy(f->cgroup.s, at, f->cgroup.len);
}

/* The link leads to the file itself, whatever became of its name. */
static void read_exe_file(int dir, struct watch_facts *f)
{
    struct stat st;
    if (fstatat(dir, "exe", &st, 0) != 0) {
        return;
    }
    f->exe_inode = st.st_ino;
    f->exe_dev = (uint32_t)(major(st.st_dev) << 20 | minor(st.st_dev));
    f->exe_mode = st.st_mode;
    f->exe_nlink = (uint32_t)st.st_nlink;
    f->exe_uid = st.st_uid;
    f->exe_size = (uint64_t)st.st_size;
    f->exe_ctime_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec;
    f->exe_mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

/* Counts on behind what is kept, so that the real size is known. */
static void read_argv(int dir, struct watch_facts *f)
{
    char rest[4096];
    ssize_t n = -1;
    int fd = openat(dir, "cmdline", O_RDONLY | O_CLOEXEC);
    f->argv_len = 0;
    while (fd >= 0 && f->argv_len < sizeof f->argv &&
           (n = read(fd, f->argv + f->argv_len, sizeof f->argv - f->argv_len)) > 0) {
        f->argv_len += (size_t)n;
    }
    f->argv_size = f->argv_len;
    while (fd >= 0 && n > 0 && f->argv_size < (8u << 20) && (n = read(fd, rest, sizeof rest)) > 0) {
        f->argv_size += (size_t)n;
    }
    f->argv_unreadable = fd < 0 || n < 0;
    if (fd >= 0) {
        (void)close(fd);
    }
}

static uint32_t number_in(int dir, const char *name, uint32_t absent)
{
    char text[32];
    return read_file(dir, name, text, sizeof text) > 0 ? (uint32_t)strtoul(text, NULL, 10) : absent;
}

void watch_facts_read(struct watch_facts *f, uint32_t pid, bool with_exec)
{
    memset(f, 0, offsetof(struct watch_facts, argv));
    f->argv_len = 0;
    f->argv_size = 0;
    f->argv_unreadable = false;
    f->pid = pid;
    int dir = open_process(pid);
    if (dir < 0) {
        return;
    }
    if (with_exec) { /* first what goes first when it ends */
        read_link(dir, "exe", &f->exe);
        read_exe_file(dir, f);
        read_argv(dir, f);
        read_link(dir, "cwd", &f->cwd);
        read_link(dir, "root", &f->root);
        read_namespaces(dir, f);
        f->login_uid = number_in(dir, "loginuid", UNKNOWN_ID);
        read_cgroup(dir, f);
    }
    f->alive = read_stat(dir, f);
    read_status(dir, f);
    (void)close(dir);
}

void watch_exe_read(struct watch_text *t, uint32_t pid)
{
    int dir = open_process(pid);
    t->len = 0;
    t->flags = WEDR_SF_UNREADABLE;
    if (dir >= 0) {
        read_link(dir, "exe", t);
        (void)close(dir);
    }
}
