/* SPDX-License-Identifier: Apache-2.0
 *
 * server/fleet/command_payload.h — the payload of a command between people's JSON, the store and
 * the signed bytes. Pure, any thread.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "store/state_command.h"
#include "wedr/wire/command.h"
#include <jansson.h>

/* What an agent's last heartbeat says about commands. */
struct wedr_command_target {
    bool named;                             /* it named what it takes: only that is sent to it */
    uint32_t takes;                         /* bit 1 << enum wedr_command_type */
    char boot_id[2 * WEDR_BOOT_ID_LEN + 1]; /* hex; "": it did not say */
};
/* status_json is the store's; anything strange in it counts as not said. */
void wedr_command_target_read(const char *status_json, struct wedr_command_target *ret);

/* From people: type and payload (NULL: none) as they sent it, into c->type and c->kill, and as the
 * text to store. A kill without boot_id gets the target's. WEDR_E_UNSUP: not a type that the agent
 * takes; WEDR_E_FORMAT; WEDR_E_STATE: its boot is not known. Each with the reason. */
WEDR_MUST_USE int wedr_command_payload_take(const char *type,
                                            const json_t *payload,
                                            const struct wedr_command_target *target,
                                            struct wedr_command *c,
                                            char ret_text[WEDR_COMMAND_PAYLOAD_MAX + 1],
                                            struct wedr_errinfo *ei);
/* From the store: all of a command but the agent's key. WEDR_E_CORRUPT. */
WEDR_MUST_USE int wedr_command_of_row(const struct wedr_command_row *row, struct wedr_command *ret);
