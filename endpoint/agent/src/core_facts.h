/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/core_facts.h — core's end of the channel to the process facts: hands on what
 * enrich/facts.h wants to know, as much as goes without waiting, and takes answers.
 */
#pragma once

#include "enrich/facts.h"
#include "peer.h"

/* Names of this machine's own users and groups, before core can open files no more. */
void wedr_core_facts_preload(struct wedr_facts *f);
/* Takes the channel of message m in the place of the old one. On an error there is none. */
WEDR_MUST_USE int
wedr_core_facts_peer(struct wedr_facts *f, struct wedr_peer_msg *m, struct wedr_ipc **channel);
/* One turn. An error: the channel ended with it and *channel is NULL; the other side may live on,
 * and only the holder can make another. */
WEDR_MUST_USE int wedr_core_facts_turn(struct wedr_facts *f, struct wedr_ipc **channel);
