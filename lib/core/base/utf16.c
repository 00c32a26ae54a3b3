/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 * lib/core/base/utf16.c */
#include "core/base/utf16.h"
#include "core/base/endian.h"

static size_t broken(size_t used, uint32_t *ret_cp, bool *ret_ok)
{
    *ret_cp = WEDR_UTF_BAD;
    *ret_ok = false;
    return used;
}

size_t wedr_utf8_next(const void *s, size_t len, uint32_t *ret_cp, bool *ret_ok)
{
    const uint8_t *p = (const uint8_t *)s;
    uint8_t lead = p[0];
    if (lead < 0x80) {
        *ret_cp = lead;
        *ret_ok = true;
        return 1;
    }
    /* The range of the second byte excludes overlong forms, surrogates and what lies above
     * U+10FFFF. */
    size_t need;
    uint8_t low = 0x80, high = 0xBF;
    uint32_t cp;
    if (lead >= 0xC2 && lead <= 0xDF) {
        need = 2;
        cp = lead & 0x1Fu;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        need = 3;
        cp = lead & 0x0Fu;
        low = lead == 0xE0 ? 0xA0 : 0x80;
        high = lead == 0xED ? 0x9F : 0xBF;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        need = 4;
        cp = lead & 0x07u;
        low = lead == 0xF0 ? 0x90 : 0x80;
        high = lead == 0xF4 ? 0x8F : 0xBF;
    } else {
        return broken(1, ret_cp, ret_ok);
    }
    for (size_t i = 1; i < need; i++) {
        if (i >= len || p[i] < low || p[i] > high) {
            return broken(i, ret_cp, ret_ok);
        }
        cp = cp << 6 | (p[i] & 0x3Fu);
        low = 0x80;
        high = 0xBF;
    }
    *ret_cp = cp;
    *ret_ok = true;
    return need;
}

size_t wedr_utf16_next(const void *s, size_t len, uint32_t *ret_cp, bool *ret_ok)
{
    const uint8_t *p = (const uint8_t *)s;
    uint32_t unit = wedr_le16(p);
    if (unit < 0xD800 || unit > 0xDFFF) {
        *ret_cp = unit;
        *ret_ok = true;
        return 2;
    }
    if (unit > 0xDBFF || len < 4) {
        return broken(2, ret_cp, ret_ok);
    }
    uint32_t second = wedr_le16(p + 2);
    if (second < 0xDC00 || second > 0xDFFF) {
        return broken(2, ret_cp, ret_ok);
    }
    *ret_cp = 0x10000u + ((unit - 0xD800u) << 10) + (second - 0xDC00u);
    *ret_ok = true;
    return 4;
}

size_t wedr_utf8_put(uint32_t cp, uint8_t ret[4])
{
    if (cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF)) {
        cp = WEDR_UTF_BAD;
    }
    if (cp < 0x80) {
        ret[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        ret[0] = (uint8_t)(0xC0u | cp >> 6);
        ret[1] = (uint8_t)(0x80u | (cp & 0x3Fu));
        return 2;
    }
    if (cp < 0x10000) {
        ret[0] = (uint8_t)(0xE0u | cp >> 12);
        ret[1] = (uint8_t)(0x80u | (cp >> 6 & 0x3Fu));
        ret[2] = (uint8_t)(0x80u | (cp & 0x3Fu));
        return 3;
    }
    ret[0] = (uint8_t)(0xF0u | cp >> 18);
    ret[1] = (uint8_t)(0x80u | (cp >> 12 & 0x3Fu));
    ret[2] = (uint8_t)(0x80u | (cp >> 6 & 0x3Fu));
    ret[3] = (uint8_t)(0x80u | (cp & 0x3Fu));
    return 4;
}

static size_t utf16_put(uint32_t cp, uint8_t ret[4])
{
    if (cp < 0x10000) {
        wedr_put_le16(ret, (uint16_t)cp);
        return 2;
    }
    cp -= 0x10000;
    wedr_put_le16(ret, (uint16_t)(0xD800u + (cp >> 10)));
    wedr_put_le16(ret + 2, (uint16_t)(0xDC00u + (cp & 0x3FFu)));
    return 4;
}

bool wedr_utf8_valid(const void *s, size_t len)
{
    const uint8_t *p = (const uint8_t *)s;
    size_t i = 0;
    while (i < len) {
        if (len - i >= 8 && (wedr_le64(p + i) & 0x8080808080808080u) == 0) {
            i += 8;
            continue;
        }
        uint32_t cp;
        bool ok;
        i += wedr_utf8_next(p + i, len - i, &cp, &ok);
        if (!ok) {
            return false;
        }
    }
    return true;
}

bool wedr_utf16_valid(const void *s, size_t len)
{
    const uint8_t *p = (const uint8_t *)s;
    for (size_t i = 0; i + 1 < len;) {
        uint32_t cp;
        bool ok;
        i += wedr_utf16_next(p + i, len - i, &cp, &ok);
        if (!ok) {
            return false;
        }
    }
    return len % 2 == 0;
}

/* Appends n bytes when they fit; n is at most 4. */
static bool
append(struct wedr_utf_result *r, uint8_t *out, size_t cap, const uint8_t *bytes, size_t n)
{
    if (n > cap - r->len) {
        r->cut = true;
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        out[r->len++] = bytes[i];
    }
    return true;
}

struct wedr_utf_result wedr_utf16_to_utf8(const void *s, size_t len, void *ret, size_t cap)
{
    const uint8_t *p = (const uint8_t *)s;
    struct wedr_utf_result r = {0, 0, true, false};
    while (len - r.used >= 2) {
        uint32_t cp;
        bool ok;
        uint8_t bytes[4];
        size_t n = wedr_utf16_next(p + r.used, len - r.used, &cp, &ok);
        if (!append(&r, (uint8_t *)ret, cap, bytes, wedr_utf8_put(cp, bytes))) {
            return r;
        }
        r.valid = r.valid && ok;
        r.used += n;
    }
    if (r.used < len) {
        r.valid = false;
        r.used = len;
    }
    return r;
}

struct wedr_utf_result wedr_utf8_to_utf16(const void *s, size_t len, void *ret, size_t cap)
{
    const uint8_t *p = (const uint8_t *)s;
    struct wedr_utf_result r = {0, 0, true, false};
    while (r.used < len) {
        uint32_t cp;
        bool ok;
        uint8_t bytes[4];
        size_t n = wedr_utf8_next(p + r.used, len - r.used, &cp, &ok);
        if (!append(&r, (uint8_t *)ret, cap, bytes, utf16_put(cp, bytes))) {
            return r;
        }
        r.valid = r.valid && ok;
        r.used += n;
    }
    return r;
}
