/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause */
#include "json_value.h"

#include "core/base/utf16.h"
#include <string.h>

struct reader {
    const uint8_t *p, *end;
    uint32_t objects; /* bit by depth: 1 an object, 0 an array */
    unsigned depth;
};

_Static_assert(WIRE_JSON_DEPTH_MAX < 32, "one bit a level");

static bool take(struct reader *r, uint8_t c)
{
    if (r->p == r->end || *r->p != c) {
        return false;
    }
    r->p++;
    return true;
}

static bool digits(struct reader *r)
{
    const uint8_t *begin = r->p;

    while (r->p < r->end && *r->p >= '0' && *r->p <= '9') {
        r->p++;
    }
    return r->p > begin;
}

static bool number(struct reader *r)
{
    (void)take(r, '-');
    if (!take(r, '0') && !digits(r)) {
        return false;
    }
    if (take(r, '.') && !digits(r)) {
        return false;
    }
    if (take(r, 'e') || take(r, 'E')) {
        if (!take(r, '+')) {
            (void)take(r, '-');
        }
        return digits(r);
    }
    return true;
}

static bool is_hex(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Behind a backslash. */
static bool escape(struct reader *r)
{
    uint8_t c = r->p < r->end ? *r->p++ : 0;

    if (c != 'u') {
        return c != 0 && strchr("\"\\/bfnrt", c) != NULL;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (r->p == r->end || !is_hex(*r->p++)) {
            return false;
        }
    }
    return true;
}

static bool string(struct reader *r)
{
    if (!take(r, '"')) {
        return false;
    }
    while (r->p < r->end && *r->p >= 0x20) {
        uint8_t c = *r->p++;

        if (c == '"') {
            return true;
        }
        if (c == '\\' && !escape(r)) {
            return false;
        }
    }
    return false;
}

static bool word(struct reader *r, const char *text)
{
    size_t n = strlen(text);

    if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0) {
        return false;
    }
    r->p += n;
    return true;
}

static bool scalar(struct reader *r)
{
    switch (r->p < r->end ? *r->p : 0) {
    case '"':
        return string(r);
    case 't':
        return word(r, "true");
    case 'f':
        return word(r, "false");
    case 'n':
        return word(r, "null");
    default:
        return number(r);
    }
}

static bool in_object(const struct reader *r)
{
    return (r->objects >> r->depth & 1) != 0;
}

static bool key(struct reader *r)
{
    return string(r) && take(r, ':');
}

/* The opening bracket of an array or object is next. False when it is too deep. */
static bool open_one(struct reader *r)
{
    bool object = *r->p++ == '{';

    if (++r->depth > WIRE_JSON_DEPTH_MAX) {
        return false;
    }
    r->objects &= ~(1u << r->depth);
    r->objects |= (uint32_t)object << r->depth;
    return true;
}

/* Behind a value: closes what ends here. True when another value follows or all is closed. */
static bool close_some(struct reader *r)
{
    while (r->depth > 0) {
        if (take(r, ',')) {
            return !in_object(r) || key(r);
        }
        if (!take(r, in_object(r) ? '}' : ']')) {
            return false;
        }
        r->depth--;
    }
    return true;
}

bool wire_json_ok(struct wedr_span text)
{
    struct reader r = {text.p, text.p + text.len, 0, 0};

    if (text.len == 0 || (text.p[0] != '[' && text.p[0] != '{')) {
        return false;
    }
    do {
        if (r.p < r.end && (*r.p == '[' || *r.p == '{')) {
            if (!open_one(&r)) {
                return false;
            }
            if (r.p < r.end && *r.p != (in_object(&r) ? '}' : ']')) {
                if (in_object(&r) && !key(&r)) {
                    return false;
                }
                continue; /* its first value */
            }
        } else if (!scalar(&r)) {
            return false;
        }
        if (!close_some(&r)) {
            return false;
        }
    } while (r.depth > 0);
    return r.p == r.end && wedr_utf8_valid(text.p, text.len);
}
