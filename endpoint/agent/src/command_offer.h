/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/command_offer.h — commands as the server's JSON has them, and what is
 * answered. Hostile bytes: used in net alone; what a command says is looked at by the holder. No
 * state. Fuzzed.
 */
#pragma once

#include "core/base/attr.h"
#include "wedr/wire/msg.h"
#include <stddef.h>
#include <stdint.h>

#define WEDR_COMMAND_OFFERS_MAX 8u /* of one answer; more come with the next */
#define WEDR_COMMAND_ID_TEXT 37u

struct wedr_command_offer {
    uint8_t id[WEDR_COMMAND_ID_LEN];
    uint16_t len;
    uint8_t signature[WEDR_BATCH_SIG_LEN];
    uint8_t bytes[WEDR_COMMAND_MAX];
};
struct wedr_command_offers {
    struct wedr_command_offer v[WEDR_COMMAND_OFFERS_MAX];
    size_t count;
    uint32_t poll_s; /* how often to ask for more between heartbeats; 0: not */
};
/* "pending_commands" and "command_poll_seconds" of an answer; what is malformed is left out. */
void wedr_command_offers_read(const void *body, size_t len, struct wedr_command_offers *ret);
void wedr_command_id_text(const uint8_t id[WEDR_COMMAND_ID_LEN], char ret[WEDR_COMMAND_ID_TEXT]);

#define WEDR_COMMAND_ACK_MAX 2048u
/* The body of the acknowledgement into text[WEDR_COMMAND_ACK_MAX]; its bytes. */
size_t wedr_command_ack_write(const struct wedr_msg_command_result *m,
                              char text[WEDR_COMMAND_ACK_MAX]);
