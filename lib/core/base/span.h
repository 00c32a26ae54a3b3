/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 * lib/core/base/span.h — a borrowed run of bytes and a bounds-checked reader over it. Freestanding.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wedr_span {
    const uint8_t *p; /* may be NULL only when len is 0 */
    size_t len;       /* bytes */
};

static inline struct wedr_span wedr_span(const void *p, size_t len)
{
    struct wedr_span s = {(const uint8_t *)p, len};
    return s;
}

/* True and *ret_sub set when [offset, offset + len) lies inside s; no overflow for any argument. */
static inline bool
wedr_span_sub(struct wedr_span s, size_t offset, size_t len, struct wedr_span *ret_sub)
{
    if (offset > s.len || len > s.len - offset) {
        return false;
    }
    ret_sub->p = s.len == 0 ? s.p : s.p + offset;
    ret_sub->len = len;
    return true;
}
