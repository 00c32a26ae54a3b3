/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/core_batches.h — core's side of shipping: takes sealed batches from the
 * engine, has them signed by the holder, hands them to net and books what net reports. At most
 * WEDR_MSG_WINDOW_MAX are under way. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "engine.h"
#include "wedr/plat/ipc.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>
#include <stdint.h>

enum wedr_batch_step {
    WEDR_STEP_FREE,
    WEDR_STEP_TAKEN,
    WEDR_STEP_SIGNING,
    WEDR_STEP_SIGNED,
    WEDR_STEP_SENT
};

struct wedr_batch_slot {
    enum wedr_batch_step step;
    struct wedr_batch_id id;
    uint8_t signature[WEDR_BATCH_SIG_LEN];
    wedr_handle file;
};

struct wedr_batches {
    struct wedr_batch_slot slot[WEDR_MSG_WINDOW_MAX];
    uint32_t window;        /* how many net wants at once */
    uint64_t not_before_ms; /* net asked for a pause until then */
    uint64_t unexpected;    /* outcomes for batches that were not under way */
};

void wedr_batches_init(struct wedr_batches *b);
size_t wedr_batches_under_way(const struct wedr_batches *b);
/* One step for each slot; takes new batches while net is there. Returns how long the caller may
 * wait at most, ms. */
uint32_t wedr_batches_run(struct wedr_batches *b,
                          struct wedr_engine *e,
                          struct wedr_ipc *holder,
                          struct wedr_ipc *net);
/* The holder's answer; one for a batch that does not wait for it changes nothing. */
void wedr_batches_signed(struct wedr_batches *b, const struct wedr_msg_signed *m);
/* Net's report (checked by wedr_msg_check). WEDR_E_FORMAT: that batch was not sent to net: end it.
 */
WEDR_MUST_USE int wedr_batches_outcome(struct wedr_batches *b,
                                       struct wedr_engine *e,
                                       const struct wedr_msg_batch_outcome *m);
/* Everything under way goes back to the engine. */
void wedr_batches_net_gone(struct wedr_batches *b, struct wedr_engine *e);
/* An orderly stop: no pause that net asked for counts any more. */
void wedr_batches_hurry(struct wedr_batches *b);
