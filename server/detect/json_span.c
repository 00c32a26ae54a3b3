/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/json_span.h"
#include <string.h>

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_blanks(struct wedr_span s, size_t at)
{
    while (at < s.len && blank(s.p[at])) {
        at++;
    }
    return at;
}

/* Behind the string that begins at `at`. */
static size_t skip_string(struct wedr_span s, size_t at)
{
    for (at++; at < s.len && s.p[at] != '"'; at++) {
        at += s.p[at] == '\\';
    }
    return at < s.len ? at + 1 : s.len;
}

/* Behind the value that begins at `at`. */
static size_t skip_value(struct wedr_span s, size_t at)
{
    size_t depth = 0;
    while (at < s.len) {
        uint8_t c = s.p[at];
        if (c == '"') {
            at = skip_string(s, at);
        } else if (c == '{' || c == '[') {
            depth++;
            at++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) {
                return at;
            }
            depth--;
            at++;
        } else if (depth == 0 && (c == ',' || blank(c))) {
            return at;
        } else {
            at++;
            continue; /* inside a number or a word */
        }
        if (depth == 0) {
            return at;
        }
    }
    return at;
}

static bool is_key(struct wedr_span quoted, const char *key)
{
    size_t n = strlen(key);
    return quoted.len == n + 2 && memcmp(quoted.p + 1, key, n) == 0;
}

bool wedr_json_member(struct wedr_span object, const char *key, struct wedr_span *ret)
{
    size_t at = skip_blanks(object, 0);
    if (at == object.len || object.p[at] != '{') {
        return false;
    }
    for (at = skip_blanks(object, at + 1); at < object.len && object.p[at] == '"';) {
        size_t end = skip_string(object, at);
        struct wedr_span name = wedr_span(object.p + at, end - at);
        at = skip_blanks(object, end);
        at = skip_blanks(object, at + 1); /* the colon */
        if (at >= object.len) {
            return false;
        }
        end = skip_value(object, at);
        if (is_key(name, key)) {
            *ret = wedr_span(object.p + at, end - at);
            return end > at;
        }
        at = skip_blanks(object, end);
        if (at >= object.len || object.p[at] != ',') {
            return false;
        }
        at = skip_blanks(object, at + 1);
    }
    return false;
}

bool wedr_json_element(struct wedr_span array, size_t *at, struct wedr_span *ret)
{
    size_t i = skip_blanks(array, *at);
    if (*at == 0) {
        if (i >= array.len || array.p[i] != '[') {
            return false;
        }
        i = skip_blanks(array, i + 1);
    } else if (i < array.len && array.p[i] == ',') {
        i = skip_blanks(array, i + 1);
    }
    if (i >= array.len || array.p[i] == ']') {
        return false;
    }
    size_t end = skip_value(array, i);
    *ret = wedr_span(array.p + i, end - i);
    *at = end;
    return end > i;
}

bool wedr_json_plain(struct wedr_span value, struct wedr_span *ret)
{
    if (value.len < 2 || value.p[0] != '"' || value.p[value.len - 1] != '"' ||
        memchr(value.p, '\\', value.len)) {
        return false;
    }
    *ret = wedr_span(value.p + 1, value.len - 2);
    return true;
}

bool wedr_json_u63(struct wedr_span value, uint64_t *ret)
{
    uint64_t v = 0;
    if (value.len == 0 || value.len > 19) {
        return false;
    }
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < '0' || value.p[i] > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(value.p[i] - '0');
    }
    if (v > INT64_MAX) {
        return false;
    }
    *ret = v;
    return true;
}
