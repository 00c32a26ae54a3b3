/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/sandbox.h — what a process of the agent gives up. One call, no way back, applied to
 * every thread (call it before threads start). Linux: ids, capabilities, no_new_privs, no dump,
 * rlimits, landlock (where the kernel has it), seccomp allow list (EPERM for what is denied by
 * policy, kill for the unknown architecture). */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "wedr/plat/fs.h"
#include <stdbool.h>
#include <stdint.h>

enum wedr_sandbox_profile {
    WEDR_SANDBOX_PARSER, /* short-lived: reads and writes what it has open, nothing else; not even a
                            file open */
    WEDR_SANDBOX_CORE, /* files below `dir`, message channels it has, no sockets, exec, BPF, signals
                          to others */
    WEDR_SANDBOX_FACTS, /* opens any file for reading, sees what processes run (the capabilities
                           DAC_READ_SEARCH and SYS_PTRACE stay), asks local name services; writes
                           nothing, starts nothing, looks into no process, no network. Linux: no
                           landlock, which would hide other processes' files */
    WEDR_SANDBOX_WATCH, /* the source without BPF: reads /proc of all (the same two capabilities
                           stay), reads what its netlink and fanotify descriptors tell and marks
                           folders with the latter; writes nothing that it has not open, starts
                           nothing, no sockets, no threads. Linux: no landlock */
    WEDR_SANDBOX_NET /* TCP and UDP sockets for TLS and name resolution, read-only /etc name service
                        files and CA store; no exec, BPF, listening, other files. Linux: each is
                        allowed as the file it is now; one replaced by rename later
                        (/etc/resolv.conf, unless it points below /run) is unreadable until the
                        process starts anew */
};

struct wedr_sandbox_cfg {
    enum wedr_sandbox_profile profile;
    uint32_t uid, gid;   /* numeric; 0 keeps the caller's ids (tests without root) */
    const char *dir;     /* CORE: the one folder it may use (already opened ones stay usable). It
                            becomes the working folder, before the ids change: its parents may be
                            closed     to uid, "." is not */
    uint64_t memory_max; /* RLIMIT_AS in bytes, 0 = none */
    uint32_t files_max;  /* RLIMIT_NOFILE, 0 = keep */
};

/* What could not be applied because the kernel lacks it (landlock) is listed in ret_missing
 * ("landlock") and is not an error; anything else that fails is. */
struct wedr_sandbox_report {
    char missing[64];
};
WEDR_MUST_USE int wedr_sandbox_enter(const struct wedr_sandbox_cfg *cfg,
                                     struct wedr_sandbox_report *ret,
                                     struct wedr_errinfo *ei);
/* NET: one of its name service files has come, gone or been replaced since; a new process would see
 * the new one. */
bool wedr_sandbox_outdated(void);
