/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/peer.h — one end of a channel between the agent's processes: receives and
 * checks messages, sends them, and carries log lines of a child to the holder. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include "wedr/plat/ipc.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>

/* Every message is read into one of these; the type says which member counts. */
struct wedr_peer_msg {
    uint16_t type; /* enum wedr_msg_type */
    union {
        struct wedr_msg_header h;
        uint8_t bytes[WEDR_MSG_SIZE_MAX];
    } u;
    wedr_handle handles[WEDR_MSG_HANDLES_MAX]; /* the caller's */
    size_t handle_count;
};

/* The next message of that direction. WEDR_E_AGAIN: none. WEDR_E_CLOSED: the peer is gone.
 * WEDR_E_FORMAT: it broke the protocol (its handles are closed): end it. */
WEDR_MUST_USE int
wedr_peer_recv(struct wedr_ipc *c, enum wedr_msg_direction direction, struct wedr_peer_msg *ret);
/* The header says how long m is. Never blocks: WEDR_E_AGAIN when the peer is too slow. */
WEDR_MUST_USE int
wedr_peer_send(struct wedr_ipc *c, const void *m, const wedr_handle *handles, size_t count);
/* For the children, whose holder always reads: waits up to 5 s for room. WEDR_E_TIMEOUT. */
WEDR_MUST_USE int
wedr_peer_send_wait(struct wedr_ipc *c, const void *m, const wedr_handle *handles, size_t count);
/* A message that is a header and a text, or a result and a text. */
WEDR_MUST_USE int wedr_peer_send_text(struct wedr_ipc *c, uint16_t type, const char *text);
WEDR_MUST_USE int
wedr_peer_send_result(struct wedr_ipc *c, uint16_t type, int err, const char *text);
void wedr_peer_close_handles(struct wedr_peer_msg *m);

/* The log of a child goes to the holder: `type` is WEDR_MSG_T_CORE_LOG or _NET_LOG. Lines that do
 * not fit at once are counted as dropped by the log. c is kept by reference. */
void wedr_peer_log_to(struct wedr_ipc *c, uint16_t type, const char *name, const char *level);
/* "warn" -> WEDR_LOG_WARN; anything unknown is INFO. */
int wedr_log_level_of(const char *name);
