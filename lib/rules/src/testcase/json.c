/* SPDX-License-Identifier: Apache-2.0
 * rules/src/testcase/json.c — YAML to JSON, and JSON texts apart into documents. */
#include "core/util/json.h"
#include "core/base/err.h"
#include "testcase/testcase.h"
#include <stdio.h>

/* Every byte of a text may become \u00XX, every node has a comma, a colon and two signs. */
static size_t size_of(const struct wedr_yaml *y)
{
    size_t n = 6u * ((size_t)y->text.len + y->key.len) + 40;
    if (y->kind != WEDR_YAML_SCALAR) {
        for (const struct wedr_yaml *i = y->first; i; i = i->next) {
            n += size_of(i);
        }
    }
    return n;
}

/* What JSON calls a number: YAML has more of them (0x1F, .5, +1, .inf). */
static bool is_json_number(struct wedr_text t)
{
    uint32_t i = t.len > 0 && t.p[0] == '-';
    uint32_t first = i;
    while (i < t.len && t.p[i] >= '0' && t.p[i] <= '9') {
        i++;
    }
    if (i == first || (t.p[first] == '0' && i - first > 1)) {
        return false;
    }
    if (i < t.len && t.p[i] == '.') {
        uint32_t point = i++;
        while (i < t.len && t.p[i] >= '0' && t.p[i] <= '9') {
            i++;
        }
        if (i == point + 1) {
            return false;
        }
    }
    if (i < t.len && (t.p[i] == 'e' || t.p[i] == 'E')) {
        i++;
        i += i < t.len && (t.p[i] == '+' || t.p[i] == '-');
        uint32_t digits = i;
        while (i < t.len && t.p[i] >= '0' && t.p[i] <= '9') {
            i++;
        }
        if (i == digits) {
            return false;
        }
    }
    return i == t.len;
}

static void write_number(struct wedr_json *j, struct wedr_text t, struct wedr_number n)
{
    char text[40];
    if (is_json_number(t)) {
        wedr_json_raw(j, t.p, t.len);
    } else if (n.kind == WEDR_NUMBER_I64) {
        wedr_json_i64(j, n.v.i);
    } else if (n.kind == WEDR_NUMBER_U64) {
        wedr_json_u64(j, n.v.u);
    } else {
        int len = snprintf(text, sizeof(text), "%.17g", n.v.f); /* finite: infinities are texts */
        wedr_json_raw(j, text, len > 0 ? (size_t)len : 0);
    }
}

static void write_scalar(struct wedr_json *j, const struct wedr_yaml *y)
{
    bool b = false;
    struct wedr_number n;
    switch (wedr_yaml_type(y, &b, &n)) {
    case WEDR_YAML_NULL:
        wedr_json_null(j);
        break;
    case WEDR_YAML_BOOL:
        wedr_json_bool(j, b);
        break;
    case WEDR_YAML_NUMBER:
        write_number(j, y->text, n);
        break;
    default:
        (void)wedr_json_str(j, y->text.p, y->text.len);
    }
}

/* Keys are any text here, which wedr_json_key is not for. */
static void write_key(struct wedr_json *j, struct wedr_text key)
{
    (void)wedr_json_str(j, key.p, key.len);
    j->comma = false;
    wedr_json_raw(j, ":", 1);
    j->comma = false;
}

/* Depth is bounded by the reader's limit. */
static void write_node(struct wedr_json *j, const struct wedr_yaml *y)
{
    bool map = y->kind == WEDR_YAML_MAP;
    if (y->kind == WEDR_YAML_SCALAR) {
        write_scalar(j, y);
        return;
    }
    if (map) {
        wedr_json_obj_begin(j);
    } else {
        wedr_json_arr_begin(j);
    }
    for (const struct wedr_yaml *i = y->first; i; i = i->next) {
        if (map) {
            write_key(j, i->key);
        }
        write_node(j, i);
    }
    if (map) {
        wedr_json_obj_end(j);
    } else {
        wedr_json_arr_end(j);
    }
}

int wedr_yaml_to_json(struct wedr_arena *a,
                      const struct wedr_yaml *node,
                      struct wedr_text *ret_json)
{
    size_t size = size_of(node);
    char *p = size < UINT32_MAX ? wedr_arena_alloc(a, size) : NULL;
    struct wedr_json j;
    if (!p) {
        return WEDR_E_NOMEM;
    }
    wedr_json_init(&j, p, size);
    write_node(&j, node);
    if (j.overflow) {
        return WEDR_E_BUG;
    }
    *ret_json = wedr_text(p, wedr_json_len(&j));
    return WEDR_OK;
}

static bool is_between(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == '[' || c == ']';
}

int wedr_documents_next(struct wedr_documents *d, struct wedr_text *ret_document)
{
    size_t depth = 0;
    bool inside = false;
    while (d->p < d->end && is_between(*d->p)) {
        d->p++;
    }
    const char *first = d->p;
    if (first == d->end) {
        *ret_document = wedr_text(first, 0);
        return WEDR_OK;
    }
    if (*first != '{') {
        return WEDR_E_FORMAT;
    }
    for (const char *p = first; p < d->end; p++) {
        if (inside) {
            inside = *p != '"';
            p += *p == '\\' && p + 1 < d->end;
            continue;
        }
        inside = *p == '"';
        depth += *p == '{';
        depth -= *p == '}';
        if (depth == 0) {
            d->p = p + 1;
            *ret_document = wedr_text(first, (size_t)(d->p - first));
            return WEDR_OK;
        }
    }
    return WEDR_E_FORMAT;
}

int wedr_testcase_offset(struct wedr_text t, int64_t *ret_us)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"", 1000000},
                 {"us", 1},
                 {"ms", 1000},
                 {"s", 1000000},
                 {"m", 60000000},
                 {"h", INT64_C(3600000000)},
                 {"d", INT64_C(86400000000)}};
    int64_t n = 0;
    uint32_t i = 0;
    for (; i < t.len && t.p[i] >= '0' && t.p[i] <= '9'; i++) {
        n = n * 10 + (t.p[i] - '0');
        if (n > 100000000) {
            return WEDR_E_FORMAT;
        }
    }
    struct wedr_text unit = wedr_text(t.p + i, t.len - i);
    for (size_t u = 0; i > 0 && u < WEDR_ARRAY_COUNT(units); u++) {
        if (wedr_text_is(unit, units[u].name)) {
            *ret_us = n * units[u].us;
            return WEDR_OK;
        }
    }
    return WEDR_E_FORMAT;
}
