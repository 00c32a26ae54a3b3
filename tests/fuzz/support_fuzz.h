/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/fuzz/support_fuzz.h — a spool folder and an engine for the targets that need one.
 */
#pragma once

#include "engine.h"
#include <stddef.h>
#include <stdint.h>

/* An empty folder of this process. */
const char *fuzz_dir(void);
void fuzz_put(const char *dir, const char *name, const void *p, size_t n);
void fuzz_clean(const char *dir);
struct wedr_engine *fuzz_engine(const char *dir);
/* Rounds and shipping until the engine is idle. Aborts on a batch that breaks its own rules. */
void fuzz_rounds(struct wedr_engine *e);
