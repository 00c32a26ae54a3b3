/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/salvage.h — what can be read of a day file that was set aside goes
 * into a fresh one; what cannot is counted as lost(corrupt). On the housekeeping thread.
 */
#pragma once

#include "core/base/err.h"
#include "store/events/embedded/embedded.h"

struct wedr_salvage_sums {
    uint64_t batches, lines;           /* saved */
    uint64_t lost_batches, lost_lines; /* known, but not readable: rows of `damage` */
    bool index_damaged;                /* there may have been batches that nothing names any more */
};

/* One file under way; for the two files of this part. */
struct wedr_salvage {
    struct wedr_events *s;
    sqlite3 *from, *to;
    int32_t day;
    unsigned open;  /* batches in the open transaction */
    bool head_lost; /* the first page was put in its place: newer tables may not be where it says */
    struct wedr_salvage_sums sums;
};

/* Of every "<day>.db.damaged-*" of the folder: its batches whose digest is right are copied into
 * the day's file, next to what is there; a batch that is there already stays. Then the file is
 * renamed to "<day>.db.salvaged-*" and never looked at again. Safe to repeat after a crash. The
 * number of files that are done. */
unsigned wedr_salvage(struct wedr_events *s);
/* What SQLite says of a row that makes no sense is the row's fault, not ours. */
static inline bool wedr_salvage_is_damage(int err)
{
    return err == WEDR_E_CORRUPT || err == WEDR_E_BUG;
}
/* Copies all that can be read of `from` into `to`, the writer learns of it. */
WEDR_MUST_USE int wedr_salvage_all(struct wedr_salvage *w);
/* The newest arrival in a file that was set aside; WEDR_E_CORRUPT when it cannot be read. */
WEDR_MUST_USE int wedr_salvage_arrival(const char *path, int64_t *ret);
/* A file that was set aside, with its log, for reading. WEDR_E_CORRUPT: its tables cannot be found.
 */
WEDR_MUST_USE int wedr_salvage_open(const char *path, sqlite3 **ret);
/* Copies a block with all its parts, in the caller's transaction. WEDR_E_CORRUPT: not all of it can
 * be read. */
WEDR_MUST_USE int
wedr_salvage_block(struct wedr_salvage *w, int64_t id, bool made, int64_t *ret_new);
/* Where a block of `from` was copied to; 0: it could not be. WEDR_E_NOENT: nobody asked for it. */
WEDR_MUST_USE int wedr_salvage_moved(struct wedr_salvage *w, int64_t id, int64_t *ret_new);
/* Widens what `to` says of a stream: first and last seq, first and last time. */
WEDR_MUST_USE int wedr_salvage_note_stream(struct wedr_salvage *w,
                                           const char *agent,
                                           int64_t epoch,
                                           const char *stream,
                                           const int64_t seqs[2],
                                           const int64_t times[2]);
/* Deletes a block or small batch of `to` that is one batch's alone; place: as batch.block says. */
WEDR_MUST_USE int wedr_salvage_remove_place(struct wedr_salvage *w, int64_t place);
/* salvage_parts.c: the same of a merged block whose lines are whole, with columns and filters made
 * anew. WEDR_E_CORRUPT: they are not, or some of its lines had been rejected. */
WEDR_MUST_USE int wedr_salvage_remake(struct wedr_salvage *w, int64_t id, int64_t *ret_new);
/* Gives a file whose first page is trashed that of a new one; the old page is kept beside it as
 * "<day>.db.page1-*". ret_sums: the file's pages have checksums, its newer tables are where the
 * page says. */
WEDR_MUST_USE int wedr_salvage_first_page(struct wedr_events *s, const char *name, bool *ret_sums);
/* salvage_blocks.c: blocks and small batches whose batch row cannot be read. Merged blocks must
 * have the digest in `made`; the others are checked line by line like what comes from an agent. */
WEDR_MUST_USE int wedr_salvage_nameless(struct wedr_salvage *w);
