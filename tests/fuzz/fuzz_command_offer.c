/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_command_offer.c — any bytes as the server's answer with commands, as net reads
 * it.
 */
#include "command_offer.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wedr_command_offers offers;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wedr_msg_command_result m;
    char text[WEDR_COMMAND_ACK_MAX];
    wedr_command_offers_read(data, size, &offers);
    if (offers.count > WEDR_COMMAND_OFFERS_MAX || offers.poll_s > 3600) {
        abort();
    }
    for (size_t i = 0; i < offers.count; i++) {
        if (offers.v[i].len > WEDR_COMMAND_MAX) {
            abort();
        }
    }
    /* An answer with any text in it stays one object. */
    wedr_msg_begin(&m, WEDR_MSG_T_COMMAND_RESULT);
    m.outcome = WEDR_MSG_COMMAND_FAILED;
    memcpy(m.detail, data, size < sizeof(m.detail) ? size : sizeof(m.detail) - 1);
    size_t n = wedr_command_ack_write(&m, text);
    if (n == 0 || n >= sizeof(text) || text[n - 1] != '}') {
        abort();
    }
    return 0;
}
