/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_command.c — any bytes as a command: refused, or a command whose bytes are these
 * very ones. */
#include "core/base/err.h"
#include "wedr/wire/command.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wedr_command c;
    uint8_t again[WEDR_COMMAND_MAX];
    size_t n = 0;
    int err = wedr_command_decode(wedr_span(data, size), &c);
    if (err == WEDR_OK) {
        if (wedr_command_encode(&c, again, &n) != WEDR_OK || n != size ||
            memcmp(again, data, n) != 0 || !wedr_command_type_name(c.type)) {
            abort();
        }
    } else if (err == WEDR_E_UNSUP &&
               (wedr_command_type_name(c.type) || c.counter == 0 || c.kill.pid != 0)) {
        abort();
    }
    return 0;
}
