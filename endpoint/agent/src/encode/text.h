/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint/agent/src/encode/text.h — the inner loops of the encoder: numbers and plain text into a
 * line. What is not plain ASCII goes through core/util/json.h. A write that does not fit sets
 * `overflow`; callers test it once per line.
 */
#pragma once

#include "core/util/json.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define WEDR_TEXT_SLACK 128u /* room that one put_* of a bounded value needs at most */

struct wedr_line_text {
    char *p;
    char *end;
    bool overflow;
};

/* True when n more bytes and the slack fit. */
static inline bool text_fits(struct wedr_line_text *t, size_t n)
{
    if ((size_t)(t->end - t->p) >= n + WEDR_TEXT_SLACK) {
        return true;
    }
    t->overflow = true;
    return false;
}

/* Callers of the following four made sure of the room. */
static inline void text_copy(struct wedr_line_text *t, const char *s, size_t n)
{
    memcpy(t->p, s, n);
    t->p += n;
}

static inline void text_u64(struct wedr_line_text *t, uint64_t v)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
        "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
        "8081828384858687888990919293949596979899";
    char b[20];
    char *q = b + sizeof(b);
    while (v >= 100) {
        q -= 2;
        memcpy(q, pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    if (v >= 10) {
        q -= 2;
        memcpy(q, pairs + 2 * v, 2);
    } else {
        *--q = (char)('0' + v);
    }
    text_copy(t, q, (size_t)(b + sizeof(b) - q));
}

static inline void text_i64(struct wedr_line_text *t, int64_t v)
{
    if (v < 0) {
        *t->p++ = '-';
        text_u64(t, (uint64_t)0 - (uint64_t)v);
    } else {
        text_u64(t, (uint64_t)v);
    }
}

static inline void text_hex(struct wedr_line_text *t, const uint8_t *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *t->p++ = digits[p[i] >> 4];
        *t->p++ = digits[p[i] & 15];
    }
}

static inline void text_key64(struct wedr_line_text *t, uint64_t v)
{
    uint8_t b[8];
    for (unsigned i = 0; i < 8; i++) {
        b[i] = (uint8_t)(v >> (56 - 8 * i));
    }
    *t->p++ = '"';
    text_hex(t, b, sizeof(b));
    *t->p++ = '"';
}

/* Nonzero when a byte of w is below 0x20, above 0x7f, a quote or a backslash. */
static inline uint64_t text_special(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t high = 0x8080808080808080u;
    uint64_t quote = w ^ (ones * '"');
    uint64_t slash = w ^ (ones * '\\');
    return (w | (w - ones * 0x20) | (quote - ones) | (slash - ones)) & high;
}

/* Plain text in quotes; false and nothing written when it needs escapes or is not ASCII. */
static inline bool text_plain(struct wedr_line_text *t, const uint8_t *s, size_t n)
{
    if ((size_t)(t->end - t->p) < n + WEDR_TEXT_SLACK) {
        return false;
    }
    char *q = t->p;
    *q++ = '"';
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t w;
        memcpy(&w, s + i, 8);
        if (text_special(w) != 0) {
            return false;
        }
        memcpy(q + i, &w, 8);
    }
    for (; i < n; i++) {
        if (s[i] < 0x20 || s[i] > 0x7f || s[i] == '"' || s[i] == '\\') {
            return false;
        }
        q[i] = (char)s[i];
    }
    q[n] = '"';
    t->p = q + n + 1;
    return true;
}

/* Any bytes (UTF-8 or UTF-16LE) as a JSON string; false when they were not valid text. */
static inline bool text_str(struct wedr_line_text *t, const uint8_t *s, size_t n, bool utf16)
{
    if (!utf16 && text_plain(t, s, n)) {
        return true;
    }
    struct wedr_json j;
    wedr_json_init(&j, t->p, (size_t)(t->end - t->p));
    bool valid = utf16 ? wedr_json_utf16(&j, s, n) : wedr_json_str(&j, (const char *)s, n);
    if (j.overflow) {
        t->overflow = true;
    }
    t->p = j.p;
    return valid;
}
