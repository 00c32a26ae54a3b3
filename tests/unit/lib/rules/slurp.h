/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/slurp.h — files for the probes of the rule tests. */
#pragma once

#include <stddef.h>

/* The whole file, a NUL behind it; owned. Ends the program when it cannot be read. */
char *slurp(const char *path, size_t *ret_len);
