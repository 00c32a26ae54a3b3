/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/detect/outbox.h — lines of the stream alert that are encoded and numbered but
 * not yet in the spool. Nothing is dropped from it: who adds asks for room first. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "encode/encode.h"
#include "spool/spool.h"
#include <stdbool.h>

#define WEDR_OUTBOX_BYTES ((size_t)2 << 20)
#define WEDR_OUTBOX_LINES_MAX 4096u

struct wedr_outbox {
    char *memory; /* the room that a frame's header needs, then the lines */
    size_t len;
    uint32_t count;
    uint64_t first_seq;
    uint64_t seq; /* of the last line; the stream's counter */
};

WEDR_MUST_USE int wedr_outbox_init(struct wedr_outbox *o);
void wedr_outbox_fini(struct wedr_outbox *o);
/* Bytes that a line may still have. */
size_t wedr_outbox_room(const struct wedr_outbox *o);
/* Finishes the record with the stream's next seq and adds its line. WEDR_E_LIMIT: no room; nothing
 * changed then. */
WEDR_MUST_USE int wedr_outbox_add(struct wedr_outbox *o,
                                  struct wedr_record *r,
                                  struct wedr_encoder *encoder,
                                  struct wedr_clock_pair clock);
/* What waits, as one frame for the spool. False: nothing. */
WEDR_MUST_USE bool wedr_outbox_frame(struct wedr_outbox *o, struct wedr_spool_frame_in *ret);
/* It is in the spool. */
void wedr_outbox_clear(struct wedr_outbox *o);
