/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/utf8.h — one character of a text that may not be UTF-8. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WEDR_UTF8_STRAY 0x110000u /* + byte: a byte that is part of no valid character */

/* The character at p (p < end) and how many bytes it has; 1 and WEDR_UTF8_STRAY + byte for a stray
 * byte. */
static inline size_t wedr_utf8_step(const char *p, const char *end, uint32_t *ret_char)
{
    const uint8_t *s = (const uint8_t *)p;
    size_t left = (size_t)(end - p);
    uint32_t c = s[0];
    if (c < 0x80) {
        *ret_char = c;
        return 1;
    }
    size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    if (c < 0xC2 || c > 0xF4 || n > left) {
        *ret_char = WEDR_UTF8_STRAY + c;
        return 1;
    }
    uint32_t v = c & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            *ret_char = WEDR_UTF8_STRAY + c;
            return 1;
        }
        v = v << 6 | (s[i] & 0x3Fu);
    }
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (v < least[n] || v > 0x10FFFF || (v >= 0xD800 && v < 0xE000)) {
        *ret_char = WEDR_UTF8_STRAY + c;
        return 1;
    }
    *ret_char = v;
    return n;
}

/* Writes c (a valid code point) as 1 to 4 bytes. */
static inline size_t wedr_utf8_write(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}
