/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/net_rules.h — net's side of rules: when a heartbeat's answer names another
 * bundle than the one at work, fetches it and writes it, unverified, to the
 * memory that the holder gave it. One download at a
 * time, at most every few seconds. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "heartbeat.h"
#include "wedr/plat/http.h"
#include "wedr/plat/ipc.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>

struct wedr_net_rules {
    struct wedr_ipc *holder;
    wedr_handle file; /* of the holder; WEDR_HANDLE_NONE: none now */
    char path[128], etag[72];
    struct wedr_rules_offer offer; /* of the last heartbeat */
    uint8_t asked[32];
    uint64_t not_before_ms;
    bool busy;
    uint64_t fetched, failed;
};

void wedr_net_rules_init(struct wedr_net_rules *r, struct wedr_ipc *holder, const char *agent_id);
/* NET_FILE. */
void wedr_net_rules_file_take(struct wedr_net_rules *r, wedr_handle file);
/* The client is gone, and what it had under way. */
void wedr_net_rules_reset(struct wedr_net_rules *r);
/* Starts a download when the offer is another one than what the holder has or refused. */
void wedr_net_rules_run(struct wedr_net_rules *r,
                        struct wedr_http *http,
                        const struct wedr_msg_holder_state *h);
