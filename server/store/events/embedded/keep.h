/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/keep.h — housekeeping of the day files on a thread of its own:
 * merging small batches, sealing days that are over, deleting what is too old or too much. It has
 * its own connections, computes without any lock and writes in short transactions, so that a commit
 * waits for it no longer than for one block to be copied into the log.
 */
#pragma once

#include "store/events/embedded/embedded.h"
#include "store/events/embedded/merge.h"
#include "store/events/embedded/waiting.h"

/* One round over all day files: what is due now. For the thread, and for tests without it. */
void wedr_keep_round(struct wedr_events *s, int64_t now_us);
/* Before anything else of this part; the thread does not run yet. */
WEDR_MUST_USE int wedr_keep_new(struct wedr_events *s);
/* Starts the thread; once. */
WEDR_MUST_USE int wedr_keep_start(struct wedr_events *s);
/* A day's file was exchanged: the next round learns anew what waits in each. In the store's lock.
 */
void wedr_keep_forget(struct wedr_events *s);
/* Ends it after its current step, frees. */
void wedr_keep_stop(struct wedr_events *s);

/* --- For the files of this part. */

/* A copy of the settings. */
struct wedr_events_settings wedr_keep_settings(struct wedr_events *s);
/* The time in this round. */
int64_t wedr_keep_now(const struct wedr_events *s);
/* True: end now. Waits as long as the step since start_ns took, so that housekeeping uses half a
 * processor at most. */
bool wedr_keep_rest(struct wedr_events *s, uint64_t start_ns);

/* seal.c: small batches that are due on a day, of which w has looked at the file. */
WEDR_MUST_USE int wedr_seal_merge_due(struct wedr_events *s,
                                      sqlite3 *db,
                                      struct wedr_waiting *w,
                                      int64_t now_us,
                                      struct wedr_merge_sums *sums);
/* The steps of a day that is over; *ret_done when nothing is left to do. */
WEDR_MUST_USE int wedr_seal_day(struct wedr_events *s,
                                sqlite3 *db,
                                int64_t now_us,
                                struct wedr_merge_sums *sums,
                                bool *ret_done);
/* retain.c: deletes days, oldest first, as the settings say; never the newest. Adds up what is
 * left. */
void wedr_retain(struct wedr_events *s, int64_t now_us);
/* scrub.c: verifies a day when settings.check_days say that it is time, or at once when it is
 * doubtful; what is damaged is set aside. True: it took its time. */
bool wedr_scrub_day(struct wedr_events *s, int32_t day, bool doubtful, int64_t now_us);
