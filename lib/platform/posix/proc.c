/* SPDX-License-Identifier: Apache-2.0 */
#include "wedr/plat/proc.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_MAGIC 0x57434844u
#define CLOSE_FALLBACK_MAX                                                 \
    65536u /* descriptors tried one by one on a kernel without close_range \
            */

struct wedr_child {
    uint32_t magic;
    pid_t pid;
    int pidfd;
    bool ended;
    int code;
};

/* Closes [first, last]; one by one before Linux 5.9. */
static void close_from_to(unsigned first, unsigned last)
{
    struct rlimit rl = {CLOSE_FALLBACK_MAX, CLOSE_FALLBACK_MAX};
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0) {
        return;
    }
    (void)getrlimit(RLIMIT_NOFILE, &rl);
    unsigned end = rl.rlim_cur < CLOSE_FALLBACK_MAX ? (unsigned)rl.rlim_cur : CLOSE_FALLBACK_MAX;
    for (unsigned fd = first; fd <= last && fd < end; fd++) {
        (void)close((int)fd);
    }
}

/* The new process: leaves by _exit, so that nothing of the parent's (buffers, handlers) runs twice.
 */
static void child_main(const char *title,
                       int (*fn)(void *arg, struct wedr_ipc *channel),
                       void *arg,
                       struct wedr_ipc *channel,
                       pid_t parent)
{
    int keep = (int)wedr_ipc_handle(channel);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
        _exit(127); /* the parent died before the signal was armed */
    }
    (void)prctl(PR_SET_NAME, title);
    close_from_to(3, (unsigned)keep - 1u);
    close_from_to((unsigned)keep + 1u, ~0u);
    _exit(fn(arg, channel) & 0xff);
}

int wedr_child_start(const char *title,
                     int (*fn)(void *arg, struct wedr_ipc *channel),
                     void *arg,
                     struct wedr_child **ret_child,
                     struct wedr_ipc **ret_channel)
{
    struct wedr_ipc *ours = NULL;
    struct wedr_ipc *theirs = NULL;
    struct wedr_child *c = wedr_alloc(1, sizeof(*c));
    if (c == NULL) {
        return WEDR_E_NOMEM;
    }
    int err = wedr_ipc_pair(&ours, &theirs);
    if (err != WEDR_OK) {
        goto out;
    }
    pid_t parent = getpid();
    wedr_heap_trim(); /* what is free here would be the child's for ever */
    c->pid = fork();
    if (c->pid == 0) {
        wedr_ipc_close(ours);
        child_main(title, fn, arg, theirs, parent);
    }
    if (c->pid < 0) {
        err = wedr_err_from_os(errno);
        goto out;
    }
    /* No race: the number cannot be reused before we have reaped the child. */
    c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
    if (c->pidfd < 0) {
        err = wedr_err_from_os(errno);
        (void)kill(c->pid, SIGKILL);
        (void)waitpid(c->pid, NULL, 0);
        goto out;
    }
    c->magic = CHILD_MAGIC;
    *ret_child = c;
    *ret_channel = ours;
    c = NULL;
    ours = NULL;
out:
    wedr_ipc_close(theirs);
    wedr_ipc_close(ours);
    wedr_free(c);
    return err;
}

uint32_t wedr_child_pid(const struct wedr_child *c)
{
    return (uint32_t)c->pid;
}

wedr_handle wedr_child_handle(const struct wedr_child *c)
{
    return c->pidfd;
}

int wedr_child_wait(struct wedr_child *c, uint32_t timeout_ms, int *ret_code)
{
    WEDR_OBJ_CHECK(c, CHILD_MAGIC);
    if (!c->ended) {
        struct wedr_wait w = {.handle = c->pidfd, .want = WEDR_WAIT_READ};
        size_t ready = 0;
        siginfo_t si = {0};
        int err = wedr_wait_any(&w, 1, timeout_ms, &ready);
        if (err != WEDR_OK) {
            return err;
        }
        if (ready == 0) {
            return WEDR_E_AGAIN;
        }
        if (waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOHANG) != 0) {
            return wedr_err_from_os(errno);
        }
        if (si.si_pid == 0) {
            return WEDR_E_AGAIN;
        }
        c->ended = true;
        c->code = si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
    }
    *ret_code = c->code;
    return WEDR_OK;
}

void wedr_child_kill(struct wedr_child *c)
{
    if (c != NULL && c->magic == CHILD_MAGIC && !c->ended) {
        (void)syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL, 0);
    }
}

void wedr_child_abandon(struct wedr_child *c)
{
    if (c != NULL && c->magic == CHILD_MAGIC) {
        (void)close(c->pidfd);
        c->magic = 0;
        wedr_free(c);
    }
}

void wedr_child_free(struct wedr_child *c)
{
    int code = 0;
    if (c == NULL || c->magic != CHILD_MAGIC) {
        return;
    }
    wedr_child_kill(c);
    while (wedr_child_wait(c, UINT32_MAX, &code) == WEDR_E_AGAIN) {
    }
    wedr_child_abandon(c);
}

int wedr_stop_signal_open(wedr_handle *ret_h)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    int rc = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (rc != 0) {
        return wedr_err_from_os(rc);
    }
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        return wedr_err_from_os(errno);
    }
    *ret_h = fd;
    return WEDR_OK;
}

int wedr_stop_signal_take(wedr_handle h)
{
    struct signalfd_siginfo si;
    ssize_t n;
    do {
        n = read((int)h, &si, sizeof(si));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(si) ? (int)si.ssi_signo : 0;
}
