/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/buf.h — growable byte buffer with a maximum stated at init. Not thread-safe. */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include <stdarg.h>

struct wedr_buf {
    uint8_t *p;    /* owned; NUL is kept behind len once anything was written */
    size_t len;    /* bytes used */
    size_t cap;    /* bytes allocated */
    size_t max;    /* len never exceeds this */
    bool overflow; /* sticky: an append did not fit or memory ran out; nothing was appended then */
};

void wedr_buf_init(struct wedr_buf *b, size_t max);
void wedr_buf_fini(struct wedr_buf *b);
/* Makes room for n more bytes and returns where to write them; NULL sets overflow. Commit what was
 * written. */
uint8_t *wedr_buf_reserve(struct wedr_buf *b, size_t n);
void wedr_buf_commit(struct wedr_buf *b, size_t n);
void wedr_buf_add(struct wedr_buf *b, const void *p, size_t n);
void wedr_buf_adds(struct wedr_buf *b, const char *s);
void wedr_buf_addf(struct wedr_buf *b, const char *fmt, ...) WEDR_PRINTF(2, 3);
/* len = n (n <= len) and, for n == 0, clears overflow. Keeps the memory. */
void wedr_buf_truncate(struct wedr_buf *b, size_t n);
struct wedr_span wedr_buf_span(const struct wedr_buf *b);
