/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/ship.h — net's side of shipping: POSTs sealed batches as they are, a few at a
 * time, and says of each what became of it. Backoff 1 s to the configured maximum with jitter;
 * Retry-After counts. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/backoff.h"
#include "wedr/plat/http.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>
#include <stdint.h>

#define WEDR_SHIP_SLOW_MS 60000u /* pause after 401, 403, 404: a person has to do something */

struct wedr_ship_verdict {
    enum wedr_msg_outcome outcome;
    enum wedr_msg_server_state server;
    bool backoff;     /* the pause grows with every failure */
    uint32_t wait_ms; /* a fixed pause, 0 = none or backoff's */
};
/* What an answer means. err and status as in struct wedr_http_response. */
struct wedr_ship_verdict wedr_ship_judge(int err, int status, uint32_t retry_after_s);

/* Called once for each batch that was offered. window and wait_ms as in struct
 * wedr_msg_batch_outcome. */
typedef void (*wedr_ship_done)(void *arg,
                               const struct wedr_batch_id *id,
                               enum wedr_msg_outcome outcome,
                               uint32_t window,
                               uint32_t wait_ms);

struct wedr_ship;

WEDR_MUST_USE struct wedr_ship *
wedr_ship_new(const char *agent_id, uint32_t max_backoff_ms, wedr_ship_done done, void *arg);
/* Forgets what is under way without calling done; free the HTTP client first. NULL is allowed. */
void wedr_ship_free(struct wedr_ship *s);
/* Says of what is under way that it is to be offered again; the HTTP client was freed before. */
void wedr_ship_give_back(struct wedr_ship *s);
/* Forgets what is under way (core is gone); the HTTP client was freed before. */
void wedr_ship_reset(struct wedr_ship *s);
/* Sends the batch; file is taken. h NULL: nothing can be sent now, done is called at once with
 * RETRY. */
void wedr_ship_offer_take(struct wedr_ship *s,
                          struct wedr_http *h,
                          const struct wedr_batch_id *id,
                          const uint8_t signature[WEDR_BATCH_SIG_LEN],
                          wedr_handle file);
size_t wedr_ship_in_flight(const struct wedr_ship *s);
/* The members of m that speak of shipping. */
void wedr_ship_stats(const struct wedr_ship *s, struct wedr_msg_net_stats *m);
/* An answer to another request (the heartbeat) says how the server is: same books. */
void wedr_ship_note_server(struct wedr_ship *s,
                           enum wedr_msg_server_state state,
                           int status,
                           const char *error);
