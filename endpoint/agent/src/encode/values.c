/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/values.h"

#include "core/base/endian.h"
#include "wedr/wire/schema.h"
#include <stddef.h>
#include <stdio.h>

void wedr_value_time(struct wedr_line_text *t, struct wedr_second *cache, int64_t unix_us)
{
    const int64_t last = 253402300799999999; /* 9999-12-31T23:59:59.999999 */
    unix_us = unix_us < 0 ? 0 : unix_us > last ? last : unix_us;
    int64_t second = unix_us / 1000000;
    if (second != cache->second || cache->text[0] == '\0') {
        char b[40];
        struct wedr_json j;
        wedr_json_init(&j, b, sizeof(b));
        wedr_json_time_us(&j, second * 1000000);
        memcpy(cache->text, b + 1, 20);
        cache->second = second;
    }
    text_copy(t, cache->text, 20);
    uint32_t us = (uint32_t)(unix_us % 1000000);
    for (int i = 5; i >= 0; i--) {
        t->p[i] = (char)('0' + us % 10);
        us /= 10;
    }
    t->p += 6;
}

static unsigned group(const uint8_t *a, int i)
{
    const uint8_t *p = a + (size_t)i * 2;
    return (unsigned)p[0] << 8 | p[1];
}

static void ip6(struct wedr_line_text *t, const uint8_t *a)
{
    int best = -1;
    int best_len = 1; /* one group of zeroes is not shortened */
    for (int i = 0; i < 8; i++) {
        int n = 0;
        while (i + n < 8 && group(a, i + n) == 0) {
            n++;
        }
        if (n > best_len) {
            best = i;
            best_len = n;
        }
    }
    for (int i = 0; i < 8; i++) {
        if (i == best) {
            *t->p++ = ':';
            *t->p++ = ':';
            i += best_len - 1;
            continue;
        }
        if (i > 0 && t->p[-1] != ':') {
            *t->p++ = ':';
        }
        unsigned v = group(a, i);
        bool started = false;
        for (int shift = 12; shift >= 0; shift -= 4) {
            unsigned d = v >> shift & 15u;
            if (d != 0 || started || shift == 0) {
                *t->p++ = "0123456789abcdef"[d];
                started = true;
            }
        }
    }
}

void wedr_value_ip(struct wedr_line_text *t, const uint8_t *ip)
{
    *t->p++ = '"';
    if (ip[0] == 4) {
        for (int i = 1; i <= 4; i++) {
            text_u64(t, ip[i]);
            if (i < 4) {
                *t->p++ = '.';
            }
        }
    } else if (ip[0] == 6) {
        ip6(t, ip + 1);
    }
    *t->p++ = '"';
}

static struct wedr_span without_last_nul(struct wedr_span s)
{
    if (s.len > 0 && s.p[s.len - 1] == 0) {
        s.len--;
    }
    return s;
}

/* Plain text with NULs turned into blanks, in one pass; false when a byte needs more than that. */
static bool joined_plain(struct wedr_line_text *t, struct wedr_span s)
{
    if ((size_t)(t->end - t->p) < s.len + WEDR_TEXT_SLACK) {
        return false;
    }
    char *q = t->p;
    *q++ = '"';
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.p[i] == 0 ? ' ' : s.p[i];
        if (c < 0x20 || c > 0x7f || c == '"' || c == '\\') {
            return false;
        }
        *q++ = (char)c;
    }
    *q++ = '"';
    t->p = q;
    return true;
}

/* Each argument is text of its own: an argument that ends inside a character must not borrow from
 * the next one. */
bool wedr_value_joined(struct wedr_line_text *t, struct wedr_span list)
{
    struct wedr_span s = without_last_nul(list);
    if (joined_plain(t, s)) {
        return true;
    }
    bool valid = true;
    char *begin = t->p;
    size_t at = 0;
    while (at <= s.len && text_fits(t, 0)) {
        const uint8_t *nul = at < s.len ? memchr(s.p + at, 0, s.len - at) : NULL;
        size_t n = nul ? (size_t)(nul - (s.p + at)) : s.len - at;
        char *joint = t->p;
        valid = text_str(t, s.p + at, n, false) && valid;
        if (joint != begin && !t->overflow) {
            /* ...first""second... -> ...first second... */
            joint[-1] = ' ';
            memmove(joint, joint + 1, (size_t)(t->p - joint - 1));
            t->p--;
        }
        if (!nul) {
            break;
        }
        at += n + 1;
    }
    return valid;
}

void wedr_value_list(struct wedr_line_text *t, struct wedr_span list, bool utf16)
{
    struct wedr_span s = without_last_nul(list);
    size_t at = 0;
    if (!text_fits(t, 0)) {
        return;
    }
    *t->p++ = '[';
    while (list.len > 0 && at <= s.len) {
        const uint8_t *nul = at < s.len ? memchr(s.p + at, 0, s.len - at) : NULL;
        size_t n = nul ? (size_t)(nul - (s.p + at)) : s.len - at;
        if (!text_fits(t, 0)) {
            return;
        }
        if (at > 0) {
            *t->p++ = ',';
        }
        (void)text_str(t, s.p + at, n, utf16);
        if (!nul) {
            break;
        }
        at += n + 1;
    }
    if (text_fits(t, 0)) {
        *t->p++ = ']';
    }
}

void wedr_value_flags(struct wedr_line_text *t, uint8_t kind, uint32_t bits)
{
    bool first = true;
    *t->p++ = '[';
    for (uint32_t bit = 1; bit != 0 && bits != 0; bit <<= 1) {
        const char *text = (bits & bit) != 0 ? wedr_label_text(kind, bit) : NULL;
        if (!text || !text_fits(t, strlen(text))) {
            continue;
        }
        if (!first) {
            *t->p++ = ',';
        }
        first = false;
        *t->p++ = '"';
        text_copy(t, text, strlen(text));
        *t->p++ = '"';
    }
    *t->p++ = ']';
}

struct wedr_span wedr_value_basename(struct wedr_span path, bool utf16)
{
    size_t at = path.len;
    if (utf16) {
        while (at >= 2 && wedr_le16(path.p + at - 2) != '\\' && wedr_le16(path.p + at - 2) != '/') {
            at -= 2;
        }
    } else {
        while (at > 0 && path.p[at - 1] != '/') {
            at--;
        }
    }
    return path.len == 0 ? path : wedr_span(path.p + at, path.len - at);
}

const char *wedr_value_integrity(uint32_t rid)
{
    static const struct {
        uint32_t rid;
        const char *name;
    } levels[] = {{0x0000, "Untrusted"},       {0x1000, "Low"},  {0x2000, "Medium"},
                  {0x2100, "MediumPlus"},      {0x3000, "High"}, {0x4000, "System"},
                  {0x5000, "ProtectedProcess"}};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(levels); i++) {
        if (levels[i].rid == rid) {
            return levels[i].name;
        }
    }
    return NULL;
}

struct wedr_span wedr_value_windows_name(struct wedr_span path)
{
    size_t at = path.len;
    while (at > 0 && path.p[at - 1] != '\\' && path.p[at - 1] != '/') {
        at--;
    }
    return path.len == 0 ? path : wedr_span(path.p + at, path.len - at);
}

enum { REG_SZ = 1, REG_EXPAND_SZ = 2, REG_DWORD = 4, REG_MULTI_SZ = 7, REG_QWORD = 11 };

bool wedr_value_is_registry_text(uint32_t type)
{
    return type == REG_SZ || type == REG_EXPAND_SZ || type == REG_MULTI_SZ;
}

struct wedr_span
wedr_value_registry_text(uint32_t type, struct wedr_span data, uint8_t *room, size_t size)
{
    data.len &= ~(size_t)1; /* a preview may end inside a character */
    while (data.len >= 2 && wedr_le16(data.p + data.len - 2) == 0) {
        data.len -= 2;
    }
    if (type != REG_MULTI_SZ) {
        return data;
    }
    size_t len = data.len < size ? data.len : size & ~(size_t)1;
    for (size_t i = 0; i < len; i += 2) {
        uint16_t c = wedr_le16(data.p + i);
        wedr_put_le16(room + i, c == 0 ? ' ' : c);
    }
    return wedr_span(room, len);
}

const char *
wedr_value_registry_number(uint32_t type, struct wedr_span data, char *room, size_t size)
{
    if (type == REG_DWORD && data.len >= 4) {
        (void)snprintf(room, size, "DWORD (0x%08x)", (unsigned)wedr_le32(data.p));
        return room;
    }
    if (type == REG_QWORD && data.len >= 8) {
        (void)snprintf(room, size, "QWORD (0x%08x-0x%08x)", (unsigned)wedr_le32(data.p + 4),
                       (unsigned)wedr_le32(data.p));
        return room;
    }
    return "Binary Data";
}
