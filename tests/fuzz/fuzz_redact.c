/* SPDX-License-Identifier: Apache-2.0
 * Arguments of a program: what is taken out is not there any more, and the rest is what it was. */
#include "core/base/err.h"
#include "encode/redact.h"
#include "wedr/wire/event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wedr_redact *r;
    struct wedr_span s;
    char text[256];
    if (!r && wedr_redact_new("password,pass,token", &r) != WEDR_OK) {
        return 0;
    }
    if (size > WEDR_ARGV_COPY_MAX) {
        return 0;
    }
    if (wedr_redact_args(r, wedr_span(data, size), &s) &&
        s.len > size + WEDR_REDACT_SECRETS * (sizeof(WEDR_REDACT_TEXT) - 1)) {
        __builtin_trap();
    }
    size_t n = size < sizeof(text) ? size : sizeof(text);
    for (size_t i = 0; i < n; i++) {
        text[i] = (char)data[i];
    }
    if (wedr_redact_text(r, text, n) > n) {
        __builtin_trap();
    }
    return 0;
}
