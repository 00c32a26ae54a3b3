/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/net_command.h — net's side of commands: hands what the server sends to the
 * holder, as it is, and the holder's answers back to the server until it has them; asks for more
 * between heartbeats. Bounded; a command that finds no room comes again. One thread.
 */
#pragma once

#include "command_offer.h"
#include "core/base/attr.h"
#include "wedr/plat/http.h"
#include "wedr/plat/ipc.h"
#include "wedr/wire/msg.h"
#include <stdbool.h>

#define WEDR_NET_COMMANDS_MAX 16u

struct wedr_net_commands {
    struct wedr_ipc *holder;
    char path[128], ack_path[256];
    struct wedr_net_command {
        uint8_t state; /* see the C file */
        uint64_t since_ms;
        struct wedr_msg_command_result m; /* m.id is the command's */
    } item[WEDR_NET_COMMANDS_MAX];
    size_t acking;
    bool ack_busy, poll_busy;
    uint64_t ack_not_before_ms, next_poll_ms;
    uint32_t poll_ms; /* 0: only heartbeats bring commands */
    bool want_rules;  /* update_rules was done: the caller asks for them and clears it */
    char body[WEDR_COMMAND_ACK_MAX];
    size_t body_len;
};

void wedr_net_commands_init(struct wedr_net_commands *c,
                            struct wedr_ipc *holder,
                            const char *agent_id);
/* The client is gone, and what it had under way. */
void wedr_net_commands_reset(struct wedr_net_commands *c);
/* A heartbeat's answer. */
void wedr_net_commands_heartbeat(struct wedr_net_commands *c, const void *body, size_t len);
/* COMMAND_RESULT of the holder. */
void wedr_net_commands_result(struct wedr_net_commands *c, const struct wedr_msg_command_result *m);
/* Sends what is to be sent. ret_ms: until it has something to do, at most max_ms. */
uint32_t wedr_net_commands_run(struct wedr_net_commands *c,
                               struct wedr_http *http,
                               uint64_t now_ms,
                               uint32_t max_ms);
