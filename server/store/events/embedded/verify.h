/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/verify.h — looks at every byte of the stored events: pages, digests,
 * blocks and what the tables say about them. Changes nothing; may run beside the server. One
 * thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include <stdbool.h>
#include <stdint.h>

struct wedr_verify_sums {
    uint64_t days, batches, blocks, lines, bytes_z, bytes_raw;
    uint64_t lost; /* batches that were found damaged earlier: counted as lost(corrupt) */
    uint64_t
        aside; /* files that were damaged earlier and set aside: *.db.damaged-*, *.db.salvaged-* */
    uint64_t problems; /* told one by one */
};

/* day: "2026-11-23"; batch: "agent stream first_seq" or "" when it is about the file. Texts live
 * during the call. */
typedef void wedr_verify_fn(void *ctx, const char *day, const char *batch, const char *what);

/* WEDR_OK also when there were problems: *ret_sums counts them. WEDR_E_NOENT: no events folder;
 * WEDR_E_NOMEM, WEDR_E_IO: could not go on. */
WEDR_MUST_USE int wedr_events_verify(const char *data_dir,
                                     wedr_verify_fn *fn,
                                     void *ctx,
                                     struct wedr_verify_sums *ret_sums,
                                     struct wedr_errinfo *ei);
/* The same of one day in a folder of day files; end (may be NULL) is asked every few steps, true:
 * WEDR_E_TIMEOUT. A file that is gone has no problems. */
WEDR_MUST_USE int wedr_events_verify_day(const char *folder,
                                         int32_t day,
                                         wedr_verify_fn *fn,
                                         bool (*end)(void *ctx),
                                         void *ctx,
                                         struct wedr_verify_sums *ret_sums);
