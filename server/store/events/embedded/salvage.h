/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/salvage.h — what can be read of a day file that was set aside goes
 * into a fresh one; what cannot is counted as lost(corrupt). On the housekeeping thread.
 */
#pragma once

#include "store/events/embedded/embedded.h"

struct wedr_salvage_sums {
    uint64_t batches, lines;           /* saved */
    uint64_t lost_batches, lost_lines; /* known, but not readable: rows of `damage` */
    bool index_damaged;                /* there may have been batches that nothing names any more */
};

/* Of every "<day>.db.damaged-*" of the folder: its batches whose digest is right are copied into
 * the day's file, next to what is there; a batch that is there already stays. Then the file is
 * renamed to "<day>.db.salvaged-*" and never looked at again. Safe to repeat after a crash. The
 * number of files that are done. */
unsigned wedr_salvage(struct wedr_events *s);
/* The newest arrival in a file that was set aside; WEDR_E_CORRUPT when it cannot be read. */
WEDR_MUST_USE int wedr_salvage_arrival(const char *path, int64_t *ret);
