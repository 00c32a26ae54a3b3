/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/enrich/facts_main.h — the process facts: reads executables and asks for names
 * on behalf of core, which may do neither. Own user; may read any file and see what processes run,
 * and nothing else (WEDR_SANDBOX_FACTS). Understands messages and package databases, which root
 * alone writes; what an executable's bytes mean core finds out. Lowest priority. Two threads: names
 * may take as long as a directory server likes.
 */
#pragma once

#include "config.h"
#include "identity.h"
#include "wedr/plat/ipc.h"
#include <stdbool.h>

struct wedr_facts_args {
    struct wedr_agent_cfg cfg;
    bool change_user;               /* false when the caller is not root */
    struct wedr_identity *identity; /* of the parent: wiped in the child before anything else */
};

/* For wedr_child_start; arg is struct wedr_facts_args. Returns when the holder closed the channel.
 */
int wedr_facts_main(void *arg, struct wedr_ipc *channel);
