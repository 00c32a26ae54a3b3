/* SPDX-License-Identifier: Apache-2.0
 * wedr/plat/target.h — a process that shall be ended: found by its number, told apart from any
 * other that had or will have that number, ended by handle. Needs the right to signal it. Any
 * thread. */
#pragma once

#include "core/base/attr.h"
#include "wedr/plat/fs.h"
#include <stdbool.h>
#include <stdint.h>

struct wedr_target {
    wedr_handle handle; /* readable once the process has ended; the caller closes it */
    /* When it began: within [start_boot_ns, start_boot_ns + start_step_ns) of the boot-time clock.
     */
    uint64_t start_boot_ns, start_step_ns;
    bool kernel; /* a thread of the kernel */
    bool own;    /* runs this very program, for the same user */
    bool ended;  /* all of its threads: only its parent is still to hear of it */
};

/* What is said of it was read after the handle was open, so it is the same process.
 * WEDR_E_NOENT: no such process. */
WEDR_MUST_USE int wedr_target_open(uint32_t pid, struct wedr_target *ret);
/* Ends it without asking it. WEDR_E_NOENT: it has ended already. WEDR_E_PERM. */
WEDR_MUST_USE int wedr_target_kill(const struct wedr_target *t);
