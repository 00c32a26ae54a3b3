/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/target.h"

#include "core/base/err.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_THREAD 0x00200000u /* PF_KTHREAD */
#define FIELD_FLAGS 9             /* of /proc/PID/stat, counted from 1 */
#define FIELD_START 22
#define NS_PER_S 1000000000u

static int read_proc(uint32_t pid, const char *name, char *text, size_t cap)
{
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT || errno == ESRCH ? WEDR_E_NOENT : wedr_err_from_os(errno);
    }
    ssize_t n = read(fd, text, cap - 1);
    int e = errno;
    (void)close(fd);
    if (n <= 0) {
        return n == 0 || e == ESRCH ? WEDR_E_NOENT : wedr_err_from_os(e);
    }
    text[n] = '\0';
    return WEDR_OK;
}

/* The name in parentheses may hold anything: what counts stands behind the last one. */
static int parse_stat(const char *text, struct wedr_target *ret)
{
    const char *p = strrchr(text, ')');
    long ticks = sysconf(_SC_CLK_TCK);
    if (!p || p[1] != ' ' || ticks <= 0) {
        return WEDR_E_FORMAT;
    }
    p += 2;
    ret->start_step_ns = NS_PER_S / (uint64_t)ticks;
    for (int field = 3; field <= FIELD_START; field++) {
        if (field == FIELD_FLAGS) {
            ret->kernel = (strtoul(p, NULL, 10) & KERNEL_THREAD) != 0;
        } else if (field == FIELD_START) {
            ret->start_boot_ns = strtoull(p, NULL, 10) * ret->start_step_ns;
            return WEDR_OK;
        }
        p = strchr(p, ' ');
        if (!p) {
            break;
        }
        p++;
    }
    return WEDR_E_FORMAT;
}

/* Whose process it is: the owner of its folder would be root's for one that only hides its memory.
 */
static bool has_our_user(uint32_t pid)
{
    char text[4096];
    const char *uid =
        read_proc(pid, "status", text, sizeof(text)) == WEDR_OK ? strstr(text, "\nUid:\t") : NULL;
    return uid && strtoul(uid + 6, NULL, 10) == getuid();
}

/* Anybody can run this program with a library of his own in it; that makes it not ours. */
static bool runs_this_program(uint32_t pid)
{
    char path[64];
    struct stat own, other;
    (void)snprintf(path, sizeof(path), "/proc/%u/exe", pid);
    return stat("/proc/self/exe", &own) == 0 && stat(path, &other) == 0 &&
           own.st_dev == other.st_dev && own.st_ino == other.st_ino && has_our_user(pid);
}

int wedr_target_open(uint32_t pid, struct wedr_target *ret)
{
    char text[1024];
    struct wedr_target t = {.handle = WEDR_HANDLE_NONE};
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (fd < 0) {
        /* EINVAL: a thread that leads no group, or no number of a process at all. */
        return errno == ESRCH || errno == EINVAL ? WEDR_E_NOENT : wedr_err_from_os(errno);
    }
    int err = read_proc(pid, "stat", text, sizeof(text));
    if (err == WEDR_OK) {
        err = parse_stat(text, &t);
    }
    if (err == WEDR_OK) {
        t.own = runs_this_program(pid);
        /* Had it ended by now, what was read might be another one's of the same number. Only the
         * handle knows: a process whose first thread is gone looks like a zombie and goes on. */
        struct pollfd p = {.fd = fd, .events = POLLIN};
        t.ended = poll(&p, 1, 0) == 1;
        t.handle = fd;
        *ret = t;
    } else {
        (void)close(fd);
    }
    return err;
}

int wedr_target_kill(const struct wedr_target *t)
{
    if (syscall(SYS_pidfd_send_signal, (int)t->handle, SIGKILL, NULL, 0) == 0) {
        return WEDR_OK;
    }
    return errno == ESRCH ? WEDR_E_NOENT : wedr_err_from_os(errno);
}
