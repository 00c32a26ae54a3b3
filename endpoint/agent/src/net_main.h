/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/net_main.h — the net process: own user, no capabilities, no files. Talks to
 * the server: batches, heartbeats, renewal of its certificate. Holds the TLS key, never the key
 * that signs batches.
 */
#pragma once

#include "config.h"
#include "identity.h"
#include "wedr/plat/ipc.h"
#include <stdbool.h>

struct wedr_net_args {
    struct wedr_agent_cfg cfg;
    char server_url[512];
    char agent_id[WEDR_AGENT_ID_TEXT];
    bool change_user;
    const char *version;
    struct wedr_identity *identity; /* of the parent: wiped in the child before anything else */
};

/* For wedr_child_start; arg is struct wedr_net_args. Returns when the holder closed the channel. */
int wedr_net_main(void *arg, struct wedr_ipc *channel);
/* What wedr_net_main does first; also the child of `enroll` and tests call it. */
WEDR_MUST_USE int
wedr_net_confine(const struct wedr_net_args *args, char ret_missing[64], struct wedr_errinfo *ei);
