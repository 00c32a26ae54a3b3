/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/canary_driver_kfilter.c — the driver's filter with one fault, to see that fuzzing
 * finds it: each prefix is looked for one place too far. */
#include "kfilter.h"

static struct wedr_span canary_prefix_at(struct wedr_span in, size_t i)
{
    return wedr_filter_prefix_at(in, i + 1);
}
#define wedr_filter_prefix_at canary_prefix_at

#include "../../endpoint/driver/src/kfilter.c"
