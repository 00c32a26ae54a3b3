/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/canary_driver_rec.c — the driver's record builder with one fault, to see that fuzzing
 * finds it: one byte too many is copied of what is longer than 4000 bytes. */
#include "rec.h"

#undef WEDR_MEMCPY
#define WEDR_MEMCPY(to, from, n) __builtin_memcpy((to), (from), (n) + ((n) > 4000u))

#include "../../endpoint/driver/src/rec.c"
