/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/sensor/lib/persistence.h — tells the file programs which files make code run by
 * themselves (wedr/wire/persistence.def). One thread; root.
 */
#pragma once

#include "core/base/attr.h"
#include <stddef.h>
#include <stdint.h>

struct bpf_object;
struct wedr_sensor_unwatched;

/* Fills the pattern maps of the loaded object `file` and has the programs look at the files that
 * exist now (at most WEDR_PERSISTENCE_FILES, the system's first, 64 of each home): their inodes are
 * watched, and their names show where the kernel's directory cache is. Without that last part (too
 * few files, an unknown kernel) names that a process gave are shown unresolved; that is no error.
 * Before the programs are attached. WEDR_E_RANGE: a pattern that the maps cannot hold. */
#define WEDR_PERSISTENCE_FILES 4096u
WEDR_MUST_USE int wedr_persistence_start(struct bpf_object *obj,
                                         struct wedr_sensor_unwatched *ret_unwatched);

/* The last part of it. Any time later the inodes of files that came since can be added so. */
void wedr_persistence_scan(struct bpf_object *obj, struct wedr_sensor_unwatched *ret_unwatched);

/* For tests and doctor: patterns in the list, and what is wrong with one that is not well formed.
 */
size_t wedr_persistence_count(void);
const char *wedr_persistence_flaw(size_t pattern);

struct wedr_file_sample;
/* Where the directory cache's table is, from samples of it: *ret_table 0 when they do not agree. */
void wedr_dcache_solve(const struct wedr_file_sample *samples,
                       size_t count,
                       uint64_t *ret_table,
                       uint32_t *ret_shift);
