/* SPDX-License-Identifier: Apache-2.0
 * endpoint/driver/src/announce.h — the process_create record, for processes that start and for
 * those that the inventory finds. */
#pragma once

#include "nt.h"
#include "proctab.h"

struct wedr_announcement {
    const struct wedr_proc *proc;
    uint32_t parent_pid;
    PCUNICODE_STRING image;        /* when the kernel knows no name of its own; may be NULL */
    PCUNICODE_STRING command_line; /* NULL: none was given */
    bool existing;                 /* by the inventory: the command line cannot be read */
};

/* process is referenced by the caller or by the callback's contract. IRQL PASSIVE. */
void wedr_announce(PEPROCESS process, const struct wedr_announcement *a);
