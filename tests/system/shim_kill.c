/* SPDX-License-Identifier: Apache-2.0
 * tests/system/shim_kill.c — preloaded into a server under test: kill -9 at a chosen step of its
 * work instead of at a chosen time. WEDR_SHIM_KILL names a file of four int32: the work that is
 * meant, how many of its system calls are still let through, the signal that the process then sends
 * itself, and, written here just before that, the work that was hit. The call that SIGKILL ends it
 * at is not made. What a call belongs to is told by the thread that makes it and the file that it
 * changes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum work { NONE, INGEST, COMPACTION, RETENTION, BACKUP, START };

static struct control {
    int32_t work, left, signal, hit;
} * control;

__attribute__((constructor)) static void shim_init(void)
{
    const char *path = getenv("WEDR_SHIM_KILL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *p = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        control = p != MAP_FAILED ? p : NULL;
        close(fd);
    }
}

/* name: without its folder. "2026-11-23.db", its log, a damaged one of that name. */
static bool is_day(const char *name)
{
    return strlen(name) >= 13 && name[4] == '-' && name[7] == '-' &&
           strncmp(name + 10, ".db", 3) == 0;
}

static enum work work_of(const char *path, bool deletes)
{
    char thread[17] = "";
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (control->work == BACKUP) {
        return strstr(path, "/backup-") || !slash ? BACKUP : NONE;
    }
    if (gettid() == getpid()) {
        return is_day(name) || strncmp(name, "catalog.db", 10) == 0 ? START : NONE;
    }
    prctl(PR_GET_NAME, thread);
    if (strcmp(thread, "commit") == 0) {
        return is_day(name) ? INGEST : NONE;
    }
    if (strcmp(thread, "keep") != 0) {
        return NONE;
    }
    return strncmp(name, "catalog.db", 10) == 0 || (deletes && is_day(name)) ? RETENTION
           : is_day(name)                                                    ? COMPACTION
                                                                             : NONE;
}

static void step(const char *path, bool deletes)
{
    if (!control || control->work == NONE || work_of(path, deletes) != (enum work)control->work) {
        return;
    }
    if (__atomic_fetch_sub(&control->left, 1, __ATOMIC_SEQ_CST) == 0) {
        control->hit = control->work;
        kill(getpid(), control->signal);
    }
}

static void step_fd(int fd)
{
    char link[48], path[PATH_MAX];
    if (!control || control->work == NONE) {
        return;
    }
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path) - 1);
    if (n > 0) {
        path[n] = 0;
        step(path, false);
    }
}

/* The call as the next library has it. */
#define NEXT(ret, name, ...)                                \
    static ret (*next)(__VA_ARGS__);                        \
    if (!next) {                                            \
        next = (ret(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name); \
    }

ssize_t write(int fd, const void *p, size_t n)
{
    NEXT(ssize_t, "write", int, const void *, size_t)
    step_fd(fd);
    return next(fd, p, n);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    NEXT(ssize_t, "pwrite64", int, const void *, size_t, off64_t)
    step_fd(fd);
    return next(fd, p, n, at);
}

int fsync(int fd)
{
    NEXT(int, "fsync", int)
    step_fd(fd);
    return next(fd);
}

int fdatasync(int fd)
{
    NEXT(int, "fdatasync", int)
    step_fd(fd);
    return next(fd);
}

int unlink(const char *path)
{
    NEXT(int, "unlink", const char *)
    step(path, true);
    return next(path);
}

int unlinkat(int dir, const char *name, int flags)
{
    NEXT(int, "unlinkat", int, const char *, int)
    step(name, true);
    return next(dir, name, flags);
}

int renameat(int dir, const char *from, int to_dir, const char *to)
{
    NEXT(int, "renameat", int, const char *, int, const char *)
    step(to, false);
    return next(dir, from, to_dir, to);
}
