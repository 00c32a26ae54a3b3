/* SPDX-License-Identifier: Apache-2.0 */
#include "command_check.h"

#include "core/base/err.h"
#include <string.h>

int wedr_command_check(const struct wedr_command_gate *g,
                       struct wedr_span bytes,
                       const uint8_t signature[WEDR_SIGN_LEN],
                       int64_t now_us,
                       struct wedr_command *ret,
                       struct wedr_errinfo *ei)
{
    struct wedr_command c;
    if (!g->have_key) {
        return wedr_fail(ei, WEDR_E_AUTH, "no key to check a command with: enrol again");
    }
    if (bytes.len > WEDR_COMMAND_MAX ||
        wedr_sign_verify(g->server_key, bytes.p, bytes.len, signature) != WEDR_OK) {
        return wedr_fail(ei, WEDR_E_AUTH, "the signature is not the server's");
    }
    int err = wedr_command_decode(bytes, &c);
    if (err != WEDR_OK && err != WEDR_E_UNSUP) {
        return wedr_fail(ei, err, "signed, but no command that this agent can read");
    }
    if (memcmp(c.key, g->own_key, sizeof(c.key)) != 0) {
        return wedr_fail(ei, WEDR_E_AUTH, "it is meant for another agent");
    }
    *ret = c;
    if (c.counter <= g->mark) {
        return wedr_fail(ei, WEDR_E_STATE, "its counter was used before");
    }
    if (now_us >= c.expires_us) {
        return wedr_fail(ei, WEDR_E_TIMEOUT, "it is over its time by this machine's clock");
    }
    return err == WEDR_OK ? WEDR_OK
                          : wedr_fail(ei, err, "commands of type %u are not known here", c.type);
}
