/* SPDX-License-Identifier: Apache-2.0
 * server/auth/command_seal.h — a command as the agent's holder takes it: its bytes and the command
 * key's signature, as text. Pure, any thread. */
#pragma once

#include "core/base/attr.h"
#include "wedr/plat/pki.h"
#include "wedr/wire/command.h"

#define WEDR_SEALED_TEXT 700u    /* base64 of WEDR_COMMAND_MAX bytes, with NUL */
#define WEDR_SEALED_SIG_TEXT 96u /* base64 of a signature, with NUL */

struct wedr_sealed_command {
    char bytes[WEDR_SEALED_TEXT], signature[WEDR_SEALED_SIG_TEXT];
};

/* Errors of wedr_command_encode. */
WEDR_MUST_USE int wedr_command_seal(const uint8_t secret[WEDR_SIGN_SECRET_LEN],
                                    const struct wedr_command *c,
                                    struct wedr_sealed_command *ret);
