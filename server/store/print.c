/* SPDX-License-Identifier: Apache-2.0 */
#include "store/print.h"
#include "core/base/utf16.h"
#include <stdbool.h>
#include <stdint.h>

/* False for what steers a terminal or turns the order of letters around. */
static bool may_show(uint32_t cp)
{
    return cp >= 0xA0 && !(cp >= 0x200E && cp <= 0x200F) && !(cp >= 0x2028 && cp <= 0x202E) &&
           !(cp >= 0x2066 && cp <= 0x2069);
}

/* Returns how many bytes it took. */
static size_t put_json_multibyte(FILE *out, const unsigned char *s, size_t len)
{
    uint8_t text[4];
    uint32_t cp = 0;
    bool good = false;
    size_t used = wedr_utf8_next(s, len, &cp, &good);
    if (!may_show(cp)) { /* none of them needs two units */
        (void)fprintf(out, "\\u%04x", (unsigned)cp);
        return used;
    }
    size_t n = wedr_utf8_put(cp, text);
    for (size_t i = 0; i < n; i++) {
        (void)fputc(text[i], out);
    }
    return used;
}

void wedr_print_json(FILE *out, const void *text, size_t len)
{
    const unsigned char *s = text;
    (void)fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = s[i];
        if (c >= 0x80) {
            i += put_json_multibyte(out, s + i, len - i) - 1;
        } else if (c == '"' || c == '\\') {
            (void)fputc('\\', out);
            (void)fputc(c, out);
        } else if (c < 0x20 || c == 0x7f) {
            (void)fprintf(out, "\\u%04x", c);
        } else {
            (void)fputc(c, out);
        }
    }
    (void)fputc('"', out);
}

void wedr_print_json_value(FILE *out, const void *text, size_t len)
{
    const unsigned char *s = text;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = s[i];
        if (c >= 0x80) {
            i += put_json_multibyte(out, s + i, len - i) - 1;
        } else if (c == 0x7f) {
            (void)fputs("\\u007f", out);
        } else {
            (void)fputc(c < 0x20 ? ' ' : c, out); /* between values: inside they are escaped */
        }
    }
}

static size_t put_multibyte(FILE *out, const unsigned char *s, size_t len)
{
    uint32_t cp = 0;
    bool good = false;
    size_t used = wedr_utf8_next(s, len, &cp, &good);
    good = good && may_show(cp);
    for (size_t i = 0; i < used; i++) {
        (void)fprintf(out, good ? "%c" : "\\x%02x", s[i]);
    }
    return used;
}

void wedr_print_text(FILE *out, const void *text, size_t len)
{
    const unsigned char *s = text;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = s[i];
        if (c >= 0x80) {
            i += put_multibyte(out, s + i, len - i) - 1;
        } else if (c < 0x20 || c == 0x7f || c == '\\') {
            (void)fprintf(out, c == '\\' ? "\\\\" : "\\x%02x", c);
        } else {
            (void)fputc(c, out);
        }
    }
}
