/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/merge.h — several stored batches of one stream become one block.
 * Works on its own connection to a day file; one thread.
 */
#pragma once

#include "store/events/embedded/day_file.h"

#define WEDR_MERGE_INPUTS_MAX 2048u
#define WEDR_MERGE_INPUT_RAW_MAX (2 << 20) /* a batch with longer text stays alone */

struct wedr_merge_sums {
    uint64_t blocks, places, lines; /* made, merged away, lines in them */
    uint64_t bytes_before, bytes_after;
};

/* Makes one block of live places (> 0: blk.id, < 0: -tiny.id) of one (agent, epoch, stream,
 * boot_id, hostname), ascending by seq. Each frame's digest is checked first. One transaction: the
 * block, its parts and `made` come in, the batches point to it, the old places are noted in `dead`.
 * WEDR_E_CORRUPT: the input *ret_bad is damaged or makes no sense; nothing was changed.
 * WEDR_E_NOSPC, IO, BUSY, NOMEM, LIMIT: nothing was changed. sums is added to. */
WEDR_MUST_USE int wedr_merge_places(sqlite3 *db,
                                    const int64_t *places,
                                    size_t count,
                                    int level,
                                    int64_t now_us,
                                    struct wedr_merge_sums *sums,
                                    size_t *ret_bad);
/* Packs the frame of one block again. The rows stay where they are. Errors as above. */
WEDR_MUST_USE int
wedr_merge_repack(sqlite3 *db, int64_t block, int level, struct wedr_merge_sums *sums);
/* Deletes places that died before a time, at most `limit` of them. */
WEDR_MUST_USE int
wedr_merge_sweep(sqlite3 *db, int64_t died_before_us, unsigned limit, unsigned *ret_swept);
