/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/proc.h — this process, child processes, the host. */
#pragma once

#include "core/base/attr.h"
#include "wedr/plat/ipc.h"
#include <stdbool.h>
#include <stdint.h>

struct wedr_child;

/* Runs fn(arg, channel) in a new process that shares nothing but `channel` (and inherits standard
 * error); the child leaves with fn's result and dies with its parent (PR_SET_PDEATHSIG + the
 * channel's end). POSIX: fork; the parent must be single-threaded. All other handles above 2 are
 * closed in the child before fn runs. */
WEDR_MUST_USE int wedr_child_start(const char *title,
                                   int (*fn)(void *arg, struct wedr_ipc *channel),
                                   void *arg,
                                   struct wedr_child **ret_child,
                                   struct wedr_ipc **ret_channel);
uint32_t wedr_child_pid(const struct wedr_child *c);
/* Readable when the child ended (pidfd). Borrowed. */
wedr_handle wedr_child_handle(const struct wedr_child *c);
/* WEDR_E_AGAIN while it runs; else its exit code, or 128 + signal. */
WEDR_MUST_USE int wedr_child_wait(struct wedr_child *c, uint32_t timeout_ms, int *ret_code);
void wedr_child_kill(struct wedr_child *c);
void wedr_child_free(
    struct wedr_child *c); /* kills and waits when still running; NULL is allowed */

/* Frees without waiting: a child that was killed and cannot end yet (a file system holds it) ends
 * by itself. NULL is allowed. */
void wedr_child_abandon(struct wedr_child *c);

/* One handle that becomes readable on SIGTERM, SIGINT or SIGHUP (console close, service stop);
 * blocks them for the process. Read which with wedr_stop_signal_take. */
WEDR_MUST_USE int wedr_stop_signal_open(wedr_handle *ret_h);
int wedr_stop_signal_take(wedr_handle h); /* signal number, 0 when none */

struct wedr_host {
    char hostname[256];
    char os_name[64];     /* "linux" */
    char os_version[128]; /* PRETTY_NAME */
    char os_release[128]; /* uname -r */
    uint8_t boot_id[16];
};
WEDR_MUST_USE int wedr_host_info(struct wedr_host *ret);

/* For a process that shall stay small rather than be quick at allocating: large blocks come from
 * the system and go back to it, all threads but the first share one heap. Called at the start;
 * children inherit it.
 */
void wedr_heap_frugal(void);
/* Gives memory that was freed back to the system, where the C library keeps it. After work that
 * needed much for a moment. */
void wedr_heap_trim(void);

/* What only a start needs: free memory, and the pages of code and constants (the program's, its
 * libraries') that were read once. Given back to the system SETTLE_MS (proc_host.c) after the first
 * turn, once; pages that are used again come from the page cache. Zeroed by the owner; one thread.
 */
struct wedr_settle {
    uint64_t due_ms;
    bool done;
};
void wedr_settle_turn(struct wedr_settle *s, uint64_t now_ms); /* now: wedr_time_mono_ms */

struct wedr_proc_usage {
    uint64_t cpu_us;               /* user + system since start */
    uint64_t rss_bytes, pss_bytes; /* 0 where the OS has none or forbids it (own sandbox) */
};
/* pid 0: this process. */
WEDR_MUST_USE int wedr_proc_cpu(uint32_t pid, uint64_t *ret_us); /* cpu_us alone: one system call */
WEDR_MUST_USE int wedr_proc_usage(uint32_t pid, struct wedr_proc_usage *ret);
/* Path of name in the folder of the running program. WEDR_E_LIMIT when it does not fit. */
WEDR_MUST_USE int wedr_proc_beside(const char *name, char *ret_path, size_t cap);
