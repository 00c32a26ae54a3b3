/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/core_rules.h — core's side of rules: takes bundles from the holder, asks it to
 * end processes, records what became of that. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "engine.h"
#include "peer.h"

/* RULES: loads the bundle behind m's handle and answers. Fails only when the holder is gone. */
WEDR_MUST_USE int
wedr_core_rules(struct wedr_engine *e, struct wedr_ipc *holder, const struct wedr_peer_msg *m);
/* Asks for what rules want ended; what the holder has no room for waits. */
void wedr_core_kills(struct wedr_engine *e, struct wedr_ipc *holder);
/* KILL_RESULT */
void wedr_core_kill_result(struct wedr_engine *e, const struct wedr_msg_kill_result *m);
void wedr_core_detect_stats(const struct wedr_detect_stats *s, struct wedr_msg_detect *ret);
