/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/obj.c */
#include "core/util/obj.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_bool abort_wanted = true;
static _Atomic uint64_t bugs;

void wedr_obj_abort_on_bug(bool abort_on_bug)
{
    atomic_store(&abort_wanted, abort_on_bug);
}

uint64_t wedr_obj_bugs(void)
{
    return atomic_load(&bugs);
}

void wedr_obj_bug(const char *file, int line)
{
    atomic_fetch_add(&bugs, 1);
    if (atomic_load(&abort_wanted)) {
        (void)fprintf(stderr, "internal inconsistency at %s:%d\n", file, line);
        abort();
    }
}
