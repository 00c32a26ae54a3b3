/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/unescape.c — JSON strings that the reader checked, as the text that they stand
 * for. */
#include "event/event.h"
#include "event/scan.h"
#include "ir/utf8.h"
#include <string.h>

static uint32_t hex4(const char *s)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t c = (uint8_t)s[i];
        v = v << 4 | (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return v;
}

/* The character of \uXXXX at s (behind the u); a pair takes both escapes. */
static size_t unescape_unicode(const char *s, const char *end, uint32_t *ret_char)
{
    uint32_t c = hex4(s);
    if (c < 0xD800 || c >= 0xE000) {
        *ret_char = c;
        return 4;
    }
    if (c < 0xDC00 && end - s >= 10 && s[4] == '\\' && s[5] == 'u') {
        uint32_t low = hex4(s + 6);
        if (low >= 0xDC00 && low < 0xE000) {
            *ret_char = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            return 10;
        }
    }
    *ret_char = 0xFFFD;
    return 4;
}

/* Bytes before the next backslash are copied, many at a time where there is room for that: what is
 * too much is written over. */
static size_t copy_plain(const char *s, const char *end, char *to)
{
    size_t n = 0;
    size_t len = (size_t)(end - s);
    while (len - n >= WEDR_SCAN) {
        size_t found = wedr_scan_slash(s + n);
        memcpy(to + n, s + n, WEDR_SCAN);
        n += found;
        if (found < WEDR_SCAN) {
            return n;
        }
    }
    while (n < len && s[n] != '\\') {
        to[n] = s[n];
        n++;
    }
    return n;
}

/* By the character behind the backslash: what they stand for; 0: more follows. */
static const char simple[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                 ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};

size_t wedr_json_unescape(const char *s, size_t len, char *out)
{
    const char *end = s + len;
    char *to = out;
    while ((size_t)(end - s) >= WEDR_SCAN) {
        size_t n = wedr_scan_slash(s);
        memcpy(to, s, WEDR_SCAN);
        to += n;
        s += n;
        if (n < WEDR_SCAN) {
            char c = simple[(uint8_t)s[1]];
            if (c == '\0') {
                break;
            }
            *to++ = c;
            s += 2;
        }
    }
    for (;;) {
        size_t n = copy_plain(s, end, to);
        s += n;
        to += n;
        if (s == end) {
            return (size_t)(to - out);
        }
        char c = s[1];
        s += 2;
        if (c == 'u') {
            uint32_t v;
            s += unescape_unicode(s, end, &v);
            to += wedr_utf8_write(v, to);
            continue;
        }
        *to++ = simple[(uint8_t)c];
    }
}
