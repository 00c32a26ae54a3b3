/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/obj.h — magic numbers of long-lived objects. A wrong one is a programming error:
 * tests and the server abort; the endpoint counts it and returns WEDR_E_BUG, because we never take
 * a machine down. */
#pragma once

#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>

/* Default true (abort). The agent's programs set false first thing in main. */
void wedr_obj_abort_on_bug(bool abort_on_bug);
/* Bugs seen since start; part of the agent's health. */
uint64_t wedr_obj_bugs(void);
/* Records the bug: aborts or counts. */
void wedr_obj_bug(const char *file, int line);

/* In a function that returns int: leaves with WEDR_E_BUG when o is NULL or not what it should be.
 */
#define WEDR_OBJ_CHECK(o, expected)             \
    do {                                        \
        if (!(o) || (o)->magic != (expected)) { \
            wedr_obj_bug(__FILE__, __LINE__);   \
            return WEDR_E_BUG;                  \
        }                                       \
    } while (0)
