/* SPDX-License-Identifier: Apache-2.0 */
#include "common/show.h"

#include "core/util/json.h"
#include <string.h>

#define PROBLEM_MAX ((size_t)1 << 16)

/* The code point at s and its bytes; 0 bytes when it is no UTF-8. */
static size_t decode(const unsigned char *s, size_t len, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (n == 0 || n > len || s[0] > 0xF4) {
        return 0;
    }
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
        c = c << 6 | (s[i] & 0x3Fu);
    }
    if (c < least[n] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000)) {
        return 0;
    }
    *ret_code = c;
    return n;
}

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

/* Turns the direction of writing, or ends a line. */
static bool is_mark(uint32_t c)
{
    return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x2028 && c <= 0x202E) ||
           (c >= 0x2066 && c <= 0x2069);
}

void wedr_show_text(struct wedr_buf *out, struct wedr_text t, size_t columns_max)
{
    size_t columns = 0;
    for (size_t at = 0; at < t.len; columns++) {
        const unsigned char *s = (const unsigned char *)t.p + at;
        uint32_t c = 0;
        size_t n = decode(s, t.len - at, &c);
        if (columns_max && columns == columns_max) {
            wedr_buf_adds(out, "...");
            return;
        }
        if (n == 0 || is_control(c)) {
            wedr_buf_addf(out, "\\x%02x", n == 0 ? (unsigned)s[0] : (unsigned)c);
        } else if (is_mark(c)) {
            wedr_buf_addf(out, "\\u%04x", (unsigned)c);
        } else {
            wedr_buf_add(out, s, n);
        }
        at += n ? n : 1;
    }
}

void wedr_show_problem(const char *path, uint64_t line, const char *reason)
{
    struct wedr_buf b;
    wedr_buf_init(&b, PROBLEM_MAX);
    wedr_show_text(&b, wedr_text(path, strlen(path)), 0);
    if (line > 0) {
        wedr_buf_addf(&b, ":%llu", (unsigned long long)line);
    }
    wedr_buf_adds(&b, path[0] ? ": " : "");
    wedr_show_text(&b, wedr_text(reason, strlen(reason)), 1000);
    (void)fprintf(stderr, "%s\n", b.p ? (const char *)b.p : "out of memory");
    wedr_buf_fini(&b);
}

/* The inside of a JSON string. */
static void add_inside(struct wedr_buf *out, const char *p, size_t len)
{
    struct wedr_json j;
    size_t cap = len * 6 + 2; /* \u00XX for each byte */
    char *to = len > 0 ? (char *)wedr_buf_reserve(out, cap) : NULL;
    if (to) {
        wedr_json_init(&j, to, cap);
        (void)wedr_json_str(&j, p, len);
        size_t n = wedr_json_len(&j) - 2;
        memmove(to, to + 1, n);
        wedr_buf_commit(out, n);
    }
}

void wedr_show_json(struct wedr_buf *out, struct wedr_text t)
{
    size_t from = 0;
    wedr_buf_adds(out, "\"");
    for (size_t at = 0; at < t.len;) {
        uint32_t c = 0;
        size_t n = decode((const unsigned char *)t.p + at, t.len - at, &c);
        if (n > 0 && c >= 0x7F && is_control(c)) { /* the writer leaves these as they are */
            add_inside(out, t.p + from, at - from);
            wedr_buf_addf(out, "\\u%04x", (unsigned)c);
            from = at + n;
        }
        at += n ? n : 1;
    }
    add_inside(out, t.p ? t.p + from : "", t.len - from);
    wedr_buf_adds(out, "\"");
}

bool wedr_show_flush(struct wedr_buf *out)
{
    bool whole = !out->overflow && (out->len == 0 || fwrite(out->p, out->len, 1, stdout) == 1);
    wedr_buf_truncate(out, 0);
    return whole;
}
