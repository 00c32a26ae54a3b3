/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/core_main.h — the core process: own user, no capabilities, one folder. Drives
 * the engine, asks the holder to sign sealed batches and passes them to net.
 */
#pragma once

#include "config.h"
#include "identity.h"
#include "wedr/plat/ipc.h"
#include "wedr/plat/proc.h"
#include <stdbool.h>
#include <stdint.h>

struct wedr_core_args {
    struct wedr_agent_cfg cfg;
    char spool_dir[4096];
    bool reenrolled;  /* what the spool holds belongs to another identity */
    bool change_user; /* false when the caller is not root */
    const char *version;
    struct wedr_host host;          /* core cannot look for itself */
    struct wedr_identity *identity; /* of the parent: wiped in the child before anything else */
};

/* For wedr_child_start; arg is struct wedr_core_args. Returns when the holder closed the channel.
 */
int wedr_core_main(void *arg, struct wedr_ipc *channel);
/* What wedr_core_main does first: forgets the parent's keys and gives up its rights. Tests plant
 * their own code behind this very call. */
WEDR_MUST_USE int
wedr_core_confine(const struct wedr_core_args *args, char ret_missing[64], struct wedr_errinfo *ei);
