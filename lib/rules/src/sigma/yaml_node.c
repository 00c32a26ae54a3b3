/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/yaml_node.c — what can be asked of a tree. */
#include "core/base/err.h"
#include "yaml.h"
#include <stdlib.h>
#include <string.h>

#define TWICE_SORT_FROM 24u /* keys: from here on sorting is quicker than comparing all pairs */

const struct wedr_yaml *wedr_yaml_get(const struct wedr_yaml *map, const char *key)
{
    if (!map || map->kind != WEDR_YAML_MAP) {
        return NULL;
    }
    for (const struct wedr_yaml *c = map->first; c; c = c->next) {
        if (wedr_text_is(c->key, key)) {
            return c;
        }
    }
    return NULL;
}

static int compare_keys(const void *a, const void *b)
{
    const struct wedr_yaml *x = *(const struct wedr_yaml *const *)a;
    const struct wedr_yaml *y = *(const struct wedr_yaml *const *)b;
    uint32_t n = x->key.len < y->key.len ? x->key.len : y->key.len;
    int r = n ? memcmp(x->key.p, y->key.p, n) : 0;
    if (r != 0) {
        return r;
    }
    return x->key.len < y->key.len ? -1 : x->key.len > y->key.len;
}

const struct wedr_yaml *wedr_yaml_twice(struct wedr_arena *a, const struct wedr_yaml *map)
{
    if (map->count < TWICE_SORT_FROM) {
        for (const struct wedr_yaml *x = map->first; x; x = x->next) {
            for (const struct wedr_yaml *y = x->next; y; y = y->next) {
                if (compare_keys(&x, &y) == 0) {
                    return y;
                }
            }
        }
        return NULL;
    }
    const struct wedr_yaml **v = wedr_arena_alloc(a, map->count * sizeof(void *));
    if (!v) {
        return map->first; /* the overflow flag says what happened */
    }
    uint32_t n = 0;
    for (const struct wedr_yaml *c = map->first; c; c = c->next) {
        v[n++] = c;
    }
    qsort(v, n, sizeof(void *), compare_keys);
    for (uint32_t i = 1; i < n; i++) {
        if (compare_keys(&v[i - 1], &v[i]) == 0) {
            return v[i]->line > v[i - 1]->line ? v[i] : v[i - 1];
        }
    }
    return NULL;
}

static bool copy_text(struct wedr_arena *a, struct wedr_text from, struct wedr_text *to)
{
    *to = wedr_text("", 0);
    if (from.len > 0) {
        char *p = wedr_arena_strndup(a, from.p, from.len);
        if (!p) {
            return false;
        }
        *to = wedr_text(p, from.len);
    }
    return true;
}

/* Depth is bounded by the reader. */
struct wedr_yaml *wedr_yaml_copy(struct wedr_arena *a, const struct wedr_yaml *tree)
{
    struct wedr_yaml *n = wedr_arena_alloc(a, sizeof(*n));
    if (!n) {
        return NULL;
    }
    *n = *tree;
    n->first = n->next = NULL;
    if (!copy_text(a, tree->text, &n->text) || !copy_text(a, tree->key, &n->key)) {
        return NULL;
    }
    struct wedr_yaml **end = &n->first;
    for (const struct wedr_yaml *c = tree->first; c; c = c->next) {
        *end = wedr_yaml_copy(a, c);
        if (!*end) {
            return NULL;
        }
        end = &(*end)->next;
    }
    return n;
}

static bool any_of(struct wedr_text t, const char *const *words, size_t count, size_t *ret_index)
{
    for (size_t i = 0; i < count; i++) {
        if (wedr_text_is(t, words[i])) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static bool octal(struct wedr_text t, struct wedr_number *ret_number)
{
    uint64_t v = 0;
    if (t.len < 3 || t.len > 23 || t.p[0] != '0' || t.p[1] != 'o') {
        return false;
    }
    for (uint32_t i = 2; i < t.len; i++) {
        if (t.p[i] < '0' || t.p[i] > '7' || v > UINT64_MAX >> 3) {
            return false;
        }
        v = v << 3 | (uint64_t)(t.p[i] - '0');
    }
    *ret_number = wedr_number_u64(v);
    return true;
}

/* "1." and ".5" are floats in YAML, not in JSON. */
static bool yaml_float(struct wedr_text t, struct wedr_number *ret_number)
{
    char tmp[64];
    size_t n = 0;
    if (t.len == 0 || t.len > sizeof(tmp) - 4 || !memchr(t.p, '.', t.len)) {
        return false;
    }
    for (uint32_t i = 0; i < t.len; i++) {
        bool digit_before = n > 0 && tmp[n - 1] >= '0' && tmp[n - 1] <= '9';
        bool digit_after = i + 1 < t.len && t.p[i + 1] >= '0' && t.p[i + 1] <= '9';
        if (t.p[i] == '.' && !digit_before && !digit_after) {
            return false;
        }
        if (t.p[i] == '.' && !digit_before) {
            tmp[n++] = '0';
        }
        tmp[n++] = t.p[i];
        if (t.p[i] == '.' && !digit_after) {
            tmp[n++] = '0';
        }
        if (n > sizeof(tmp) - 4) {
            return false;
        }
    }
    return wedr_number_parse(tmp, n, ret_number) == WEDR_OK;
}

static bool number_of(struct wedr_text t, struct wedr_number *ret_number)
{
    char c = t.p[0];
    if (!(c == '+' || c == '-' || c == '.' || (c >= '0' && c <= '9'))) {
        return false;
    }
    return wedr_number_parse(t.p, t.len, ret_number) == WEDR_OK ||
           (t.len > 2 && c == '0' && t.p[1] == 'x' &&
            wedr_number_parse_hex(t.p, t.len, ret_number) == WEDR_OK) ||
           octal(t, ret_number) || yaml_float(t, ret_number);
}

enum wedr_yaml_type
wedr_yaml_type(const struct wedr_yaml *node, bool *ret_bool, struct wedr_number *ret_number)
{
    static const char *const nulls[] = {"null", "~", "", "Null", "NULL"};
    static const char *const bools[] = {"true", "false", "True", "False", "TRUE", "FALSE"};
    size_t i;
    if (node->kind != WEDR_YAML_SCALAR) {
        return WEDR_YAML_COLLECTION;
    }
    if (!node->plain || node->text.len > 64) {
        return WEDR_YAML_TEXT;
    }
    if (any_of(node->text, nulls, WEDR_ARRAY_COUNT(nulls), &i)) {
        return WEDR_YAML_NULL;
    }
    if (any_of(node->text, bools, WEDR_ARRAY_COUNT(bools), &i)) {
        *ret_bool = i % 2 == 0;
        return WEDR_YAML_BOOL;
    }
    return number_of(node->text, ret_number) ? WEDR_YAML_NUMBER : WEDR_YAML_TEXT;
}

bool wedr_yaml_is_simple(const char *s, size_t len)
{
    const uint8_t *p = (const uint8_t *)s;
    const uint8_t *end = p + len;
    while (p < end) {
        uint8_t c = *p;
        if (c < 0x80) {
            if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7F) {
                return false;
            }
            p++;
            continue;
        }
        unsigned more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : 1;
        if (c < 0xC2 || c > 0xF4 || (size_t)(end - p) <= more) {
            return false;
        }
        uint32_t u = c & (0x3Fu >> more);
        for (unsigned i = 1; i <= more; i++) {
            if ((p[i] & 0xC0) != 0x80) {
                return false;
            }
            u = u << 6 | (p[i] & 0x3Fu);
        }
        bool overlong = (more == 2 && u < 0x800) || (more == 3 && u < 0x10000);
        if (overlong || u < 0xA0 || (u >= 0xD800 && u < 0xE000) || u == 0x2028 || u == 0x2029 ||
            u == 0xFEFF || u == 0xFFFE || u == 0xFFFF || u > 0x10FFFF) {
            return false;
        }
        p += more + 1;
    }
    return true;
}
