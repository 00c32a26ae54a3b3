/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 *
 * lib/wire/command.h — what a server tells one agent to do. The server's command key signs exactly
 * these bytes; the agent's holder verifies the signature before it decodes them. Little-endian:
 * "WEDRCMD1", key 32, counter 8, issued 8, expires 8, id 16, type 2, payload length 2, payload.
 * docs/commands.md. No OS, no allocation.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "wedr/wire/event.h"
#include <stddef.h>
#include <stdint.h>

#define WEDR_COMMAND_MAGIC "WEDRCMD1"
#define WEDR_COMMAND_HEAD_LEN 84u
#define WEDR_COMMAND_MAX 512u /* bytes of a whole one; what follows the head is its payload */
#define WEDR_COMMAND_ID_LEN 16u
#define WEDR_COMMAND_KEY_LEN 32u

enum wedr_command_type {
    WEDR_COMMAND_KILL_PROCESS = 1, /* pid 4, process_key 8, boot id 16 */
    WEDR_COMMAND_UPDATE_RULES = 2, /* nothing */
};

struct wedr_command {
    uint8_t key[WEDR_COMMAND_KEY_LEN]; /* SHA-256 of the agent's public batch key */
    uint64_t counter;                  /* >= 1; rises with every command of an agent */
    int64_t issued_us, expires_us;     /* UTC; 0 < issued < expires */
    uint8_t id[WEDR_COMMAND_ID_LEN];   /* a UUID's bytes */
    uint16_t type;                     /* enum wedr_command_type */
    struct {
        uint32_t pid;         /* >= 1 */
        uint64_t process_key; /* not 0 */
        uint8_t boot_id[WEDR_BOOT_ID_LEN];
    } kill; /* of WEDR_COMMAND_KILL_PROCESS, else zeros */
};

/* Writes the one form that decode takes. WEDR_E_RANGE: a field is outside the bounds above;
 * WEDR_E_UNSUP: unknown type; ret is untouched then. */
WEDR_MUST_USE int
wedr_command_encode(const struct wedr_command *c, uint8_t ret[WEDR_COMMAND_MAX], size_t *ret_len);
/* WEDR_E_VERSION: another magic. WEDR_E_FORMAT: a length or a field is wrong. WEDR_E_UNSUP: the
 * head is good and the type is not known here; ret has the head then, so that it can be answered.
 */
WEDR_MUST_USE int wedr_command_decode(struct wedr_span in, struct wedr_command *ret);
/* "kill_process"; NULL for a type that is not known. */
const char *wedr_command_type_name(uint16_t type);
/* WEDR_E_UNSUP. */
WEDR_MUST_USE int wedr_command_type_of(const char *name, uint16_t *ret);
