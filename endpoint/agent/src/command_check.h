/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/command_check.h — whether a command may be done: the server's signature, this
 * agent's key, a counter that was never used, its time. Nothing of it is decoded before the
 * signature is good. Pure.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "wedr/plat/pki.h"
#include "wedr/wire/command.h"
#include <stdbool.h>
#include <stdint.h>

struct wedr_command_gate {
    bool have_key;
    uint8_t server_key[WEDR_SIGN_PUBLIC_LEN]; /* that signs commands */
    uint8_t own_key[WEDR_COMMAND_KEY_LEN];    /* SHA-256 of this agent's public batch key */
    uint64_t mark;                            /* the highest counter that was ever taken */
};

/* WEDR_E_AUTH: no key, another signature, another agent's; WEDR_E_FORMAT, WEDR_E_VERSION: signed,
 * and still no command; WEDR_E_STATE: a counter that was taken before; WEDR_E_TIMEOUT: over;
 * WEDR_E_UNSUP: of a type that is not known. ei says why. *ret is set for WEDR_OK, WEDR_E_STATE,
 * WEDR_E_TIMEOUT and WEDR_E_UNSUP. */
WEDR_MUST_USE int wedr_command_check(const struct wedr_command_gate *g,
                                     struct wedr_span bytes,
                                     const uint8_t signature[WEDR_SIGN_LEN],
                                     int64_t now_us,
                                     struct wedr_command *ret,
                                     struct wedr_errinfo *ei);
