/* SPDX-License-Identifier: Apache-2.0 */
#include "http/uri.h"
#include "core/base/err.h"
#include "core/base/utf16.h"
#include "core/util/alloc.h"
#include <string.h>

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool wedr_uri_decode(const char *s, size_t len, bool form, char *ret, size_t cap)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '%') {
            int hi = i + 2 < len ? digit(s[i + 1]) : -1;
            int lo = hi >= 0 ? digit(s[i + 2]) : -1;
            if (lo < 0) {
                return false;
            }
            c = (unsigned char)(hi * 16 + lo);
            i += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        if (c < 0x20 || c == 0x7f || n + 1 >= cap) {
            return false;
        }
        ret[n++] = (char)c;
    }
    if (n >= cap) {
        return false;
    }
    ret[n] = '\0';
    return wedr_utf8_valid(ret, n);
}

static bool good_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");
    return n > 0 && n <= WEDR_URI_QUERY_NAME_MAX && s[n] == '\0';
}

/* Decodes one "name=value" in place: what is decoded is never longer. */
static int
add_pair(struct wedr_uri_query *q, const char *from, size_t len, char *to, struct wedr_errinfo *ei)
{
    const char *eq = memchr(from, '=', len);
    size_t name_len = eq ? (size_t)(eq - from) : len;
    size_t value_len = eq ? len - name_len - 1 : 0;
    char *value = to + name_len + 1;
    if (q->count == WEDR_URI_QUERY_MAX) {
        return wedr_fail(ei, WEDR_E_LIMIT, "more than %u query parameters", WEDR_URI_QUERY_MAX);
    }
    if (!wedr_uri_decode(from, name_len, true, to, name_len + 1) || !good_name(to) ||
        !wedr_uri_decode(eq ? eq + 1 : from, value_len, true, value, value_len + 1)) {
        return wedr_fail(ei, WEDR_E_FORMAT,
                         "the query holds a name or a value that is not well-formed");
    }
    if (wedr_uri_query_get(q, to)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "query parameter \"%s\" is given twice", to);
    }
    q->item[q->count].name = to;
    q->item[q->count].value = value;
    q->count++;
    return WEDR_OK;
}

int wedr_uri_query_parse(const char *text, struct wedr_uri_query *ret, struct wedr_errinfo *ei)
{
    struct wedr_uri_query q = {.count = 0};
    size_t len = strlen(text);
    int err = WEDR_OK;
    if (len > WEDR_URI_QUERY_BYTES_MAX) {
        return wedr_fail(ei, WEDR_E_LIMIT, "the query is longer than %u bytes",
                         WEDR_URI_QUERY_BYTES_MAX);
    }
    q.mem = wedr_alloc(len + 2 * (len / 2 + 2), 1); /* a pair takes two NULs, "&&" is refused */
    if (!q.mem) {
        return WEDR_E_NOMEM;
    }
    char *to = q.mem;
    while (*text && err == WEDR_OK) {
        size_t n = strcspn(text, "&");
        err = add_pair(&q, text, n, to, ei);
        to += n + 2;
        text += n;
        text += *text == '&' ? 1 : 0;
    }
    if (err != WEDR_OK) {
        wedr_uri_query_fini(&q);
        return err;
    }
    *ret = q;
    return WEDR_OK;
}

const char *wedr_uri_query_get(const struct wedr_uri_query *q, const char *name)
{
    for (size_t i = 0; i < q->count; i++) {
        if (strcmp(q->item[i].name, name) == 0) {
            return q->item[i].value;
        }
    }
    return NULL;
}

void wedr_uri_query_fini(struct wedr_uri_query *q)
{
    wedr_free(q->mem);
    q->mem = NULL;
    q->count = 0;
}
