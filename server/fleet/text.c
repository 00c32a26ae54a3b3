/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/text.h"
#include "core/base/err.h"
#include <string.h>

/* Depth before the parser sees it: its recursion is bounded by the text, not by us. */
static bool too_deep(const char *s, size_t len, size_t max)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        if (in_string) {
            if (s[i] == '\\') {
                i++;
            } else if (s[i] == '"') {
                in_string = false;
            }
        } else if (s[i] == '"') {
            in_string = true;
        } else if (s[i] == '{' || s[i] == '[') {
            if (++depth > max) {
                return true;
            }
        } else if ((s[i] == '}' || s[i] == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

json_t *wedr_fleet_load(const void *body, size_t len, size_t depth, struct wedr_errinfo *ei)
{
    json_error_t e;
    if (len == 0) {
        (void)wedr_fail(ei, WEDR_E_FORMAT, "the body is empty");
        return NULL;
    }
    if (too_deep(body, len, depth)) {
        (void)wedr_fail(ei, WEDR_E_FORMAT, "the JSON is nested deeper than %zu levels", depth);
        return NULL;
    }
    json_t *o = json_loadb(body, len, JSON_REJECT_DUPLICATES, &e);
    if (!o) {
        (void)wedr_fail(ei, WEDR_E_FORMAT, "the body is not valid JSON (line %d, column %d)",
                        e.line, e.column);
    } else if (!json_is_object(o)) {
        (void)wedr_fail(ei, WEDR_E_FORMAT, "the body is not a JSON object");
        json_decref(o);
        o = NULL;
    }
    return o;
}

int wedr_fleet_known(const json_t *o,
                     const char *const *names,
                     size_t count,
                     struct wedr_errinfo *ei)
{
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)(uintptr_t)o, key, value)
    {
        size_t i = 0;
        while (i < count && strcmp(names[i], key) != 0) {
            i++;
        }
        if (i == count) {
            return wedr_fail(ei, WEDR_E_FORMAT, "unknown key \"%.64s\"", key);
        }
    }
    return WEDR_OK;
}

int wedr_fleet_string(
    const json_t *o, const char *key, size_t min, char *ret, size_t cap, struct wedr_errinfo *ei)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_string(v)) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"%s\" must be a string", key);
    }
    const char *s = json_string_value(v);
    size_t len = json_string_length(v);
    if (len < min || len >= cap) {
        return wedr_fail(ei, WEDR_E_FORMAT, "\"%s\" must have %zu to %zu bytes", key, min, cap - 1);
    }
    for (size_t i = 0; i < len; i++) {
        if (((unsigned char)s[i] < 0x20 && s[i] != '\n' && s[i] != '\r') || s[i] == 0x7f) {
            return wedr_fail(ei, WEDR_E_FORMAT, "\"%s\" holds control characters", key);
        }
    }
    memcpy(ret, s, len + 1);
    return WEDR_OK;
}

bool wedr_fleet_hex64(const char *s, uint64_t *ret)
{
    uint64_t v = 0;
    if (strlen(s) != 16) {
        return false;
    }
    for (size_t i = 0; i < 16; i++) {
        unsigned d = s[i] >= '0' && s[i] <= '9'   ? (unsigned)(s[i] - '0')
                     : s[i] >= 'a' && s[i] <= 'f' ? (unsigned)(s[i] - 'a' + 10)
                                                  : 16u;
        if (d == 16) {
            return false;
        }
        v = v << 4 | d;
    }
    if (v == 0) {
        return false;
    }
    *ret = v;
    return true;
}
