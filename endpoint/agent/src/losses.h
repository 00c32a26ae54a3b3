/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/losses.h — what was lost, per (epoch, stream, reason): cumulative counts and,
 * for losses after the ring, sequence ranges. The kernel's own counters are only passed through;
 * what the agent itself gives up is kept in losses.state (replaced atomically) so that counts of a
 * kernel epoch that outlives the agent never go back. Adding the same records twice counts them
 * once: a loss is made durable first and acted on after, and a crash in between leads to the same
 * loss again. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/buf.h"
#include "reorder.h"
#include "wedr/plat/fs.h"
#include "wedr/wire/event.h"
#include <stdbool.h>
#include <stdint.h>

#define WEDR_LOSSES_KEYS_MAX 256u  /* the oldest goes first */
#define WEDR_LOSSES_RANGES_MAX 64u /* of one key; the lowest seqs go first */
#define WEDR_LOSSES_REPEAT_MS 1000u
#define WEDR_LOSSES_HOLES \
    0u /* reason under which holes that were given up are remembered; never reported */

struct wedr_loss_range {
    uint64_t first, last, count;
};

struct wedr_loss {
    uint64_t epoch;
    char stream[WEDR_STREAM_NAME_MAX];
    uint32_t reason;
    uint32_t range_count;
    uint64_t lost;
    struct wedr_loss_range ranges[WEDR_LOSSES_RANGES_MAX]; /* rising */
    uint64_t reported; /* count in the newest telemetry_loss; kept with the count */
    uint64_t reported_ms;
    bool again; /* report although the count did not change */
};

struct wedr_losses;

/* dir is borrowed and must stay open. A state file that is damaged or that the disk does not
 * give back is an error of its own, WEDR_E_CORRUPT or WEDR_E_IO, with an empty ledger in *ret all
 * the same. */
WEDR_MUST_USE int wedr_losses_open(wedr_handle dir, struct wedr_losses **ret);
void wedr_losses_free(struct wedr_losses *l);
/* count records of [first, last]; first 0: no range is known. Makes the ledger dirty. Never fails:
 * out of keys the oldest key goes. */
void wedr_losses_add(struct wedr_losses *l,
                     uint64_t epoch,
                     const char *stream,
                     uint32_t reason,
                     uint64_t first,
                     uint64_t last,
                     uint64_t count);
/* The producer's own count; not kept in the file. */
void wedr_losses_set(
    struct wedr_losses *l, uint64_t epoch, const char *stream, uint32_t reason, uint64_t lost);
/* Durable when WEDR_OK; does nothing when nothing was added. */
WEDR_MUST_USE int wedr_losses_flush(struct wedr_losses *l);
/* Report the producer's losses of this stream once more, since its counters moved on; NULL: all
 * losses of all streams. */
void wedr_losses_again(struct wedr_losses *l, uint64_t epoch, const char *stream);
uint64_t
wedr_losses_count(const struct wedr_losses *l, uint64_t epoch, const char *stream, uint32_t reason);
/* The next loss to report: at once when it is new, then at most once in WEDR_LOSSES_REPEAT_MS while
 * it grows; with `all` whatever is not reported. NULL when there is none. */
const struct wedr_loss *wedr_losses_due(const struct wedr_losses *l, uint64_t now_ms, bool all);
void wedr_losses_reported(struct wedr_losses *l, const struct wedr_loss *loss, uint64_t now_ms);
/* Ranges of the key as "1-5,9-9". */
void wedr_loss_ranges_text(const struct wedr_loss *loss, struct wedr_buf *ret);
/* The key when it is there. */
const struct wedr_loss *
wedr_losses_find(const struct wedr_losses *l, uint64_t epoch, const char *stream, uint32_t reason);
/* Drops the remembered holes of a stream and puts these in their place. */
void wedr_losses_set_holes(struct wedr_losses *l,
                           uint64_t epoch,
                           const char *stream,
                           const struct wedr_seq_range *holes,
                           size_t count);
