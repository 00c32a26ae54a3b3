/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/cursor.h"
#include "core/base/utf16.h"
#include <stdint.h>
#include <string.h>

#define SEPARATOR '\x1f'

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Base64 with the alphabet of URLs, without padding. */
static void encode(const unsigned char *p, size_t n, char *ret)
{
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | p[i];
        for (have += 8; have >= 6; have -= 6) {
            *ret++ = digits[bits >> (have - 6) & 63];
        }
    }
    if (have) {
        *ret++ = digits[bits << (6 - have) & 63];
    }
    *ret = '\0';
}

/* False: a wrong character, too long, or bits left over. */
static bool decode(const char *s, char *ret, size_t cap, size_t *ret_len)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;
    for (; *s; s++) {
        const char *at = strchr(digits, *s);
        if (!at || n >= cap) {
            return false;
        }
        bits = (bits << 6 | (uint32_t)(at - digits)) & 0xffffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            ret[n++] = (char)(bits >> have & 255);
        }
    }
    *ret_len = n;
    return have < 6 && (bits & ((1u << have) - 1)) == 0;
}

static bool add(char *mem, size_t *n, const char *s)
{
    size_t len = strlen(s);
    if (len + 1 > WEDR_CURSOR_BYTES_MAX - *n || strchr(s, SEPARATOR)) {
        return false;
    }
    memcpy(mem + *n, s, len);
    *n += len;
    mem[(*n)++] = SEPARATOR;
    return true;
}

bool wedr_cursor_make(const char *list,
                      const char *const *fields,
                      size_t count,
                      char ret[WEDR_CURSOR_TEXT_MAX])
{
    char mem[WEDR_CURSOR_BYTES_MAX];
    size_t n = 0;
    bool good = count <= WEDR_CURSOR_FIELDS_MAX && add(mem, &n, list);
    for (size_t i = 0; good && i < count; i++) {
        good = add(mem, &n, fields[i]);
    }
    ret[0] = '\0';
    if (good) {
        encode((const unsigned char *)mem, n, ret);
    }
    return good;
}

bool wedr_cursor_read(const char *text, const char *list, size_t count, struct wedr_cursor *ret)
{
    size_t n = 0, found = 0;
    if (!decode(text, ret->mem, WEDR_CURSOR_BYTES_MAX, &n) || n == 0 || memchr(ret->mem, '\0', n) ||
        !wedr_utf8_valid(ret->mem, n)) {
        return false;
    }
    ret->mem[n] = '\0';
    const char *begin = ret->mem;
    for (size_t i = 0; i < n; i++) {
        if (ret->mem[i] != SEPARATOR) {
            continue;
        }
        ret->mem[i] = '\0';
        if (found == 0 && strcmp(begin, list) != 0) {
            return false;
        }
        if (found > count) {
            return false;
        }
        if (found > 0) {
            ret->field[found - 1] = begin;
        }
        found++;
        begin = ret->mem + i + 1;
    }
    return found == count + 1 && begin == ret->mem + n;
}
