/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/cfg.c — the file is checked as a whole before anything is stored, so a bad file
 * changes nothing. jansson keeps keys in file order and refuses duplicates; a key's line is found
 * by counting keys in the text. */
#include "core/util/cfg.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <errno.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX ((size_t)1024 * 1024)
#define DEPTH_MAX 8u

struct table {
    const struct wedr_cfg_option *rows;
    size_t count;
    uint8_t *out; /* NULL: only check */
};

static void *jansson_alloc(size_t n)
{
    return wedr_alloc(1, n);
}

static const struct wedr_cfg_option *
find(const struct table *t, const char *section, const char *key)
{
    size_t n = strlen(section);
    for (size_t i = 0; i < t->count; i++) {
        const char *name = t->rows[i].name;
        if (strncmp(name, section, n) == 0 && name[n] == '.' && strcmp(name + n + 1, key) == 0) {
            return &t->rows[i];
        }
    }
    return NULL;
}

static bool known_section(const struct table *t, const char *section)
{
    size_t n = strlen(section);
    for (size_t i = 0; i < t->count; i++) {
        if (strncmp(t->rows[i].name, section, n) == 0 && t->rows[i].name[n] == '.') {
            return true;
        }
    }
    return false;
}

static int
store(const struct table *t, const struct wedr_cfg_option *o, const void *value, size_t n)
{
    if (t->out) {
        memcpy(t->out + o->offset, value, n);
    }
    return WEDR_OK;
}

static int
put_bool(const struct table *t, const struct wedr_cfg_option *o, bool v, struct wedr_errinfo *ei)
{
    if (o->size != sizeof(bool)) {
        return wedr_fail(ei, WEDR_E_BUG, "%s: table row has a wrong size", o->name);
    }
    return store(t, o, &v, sizeof(v));
}

static int
put_u64(const struct table *t, const struct wedr_cfg_option *o, uint64_t v, struct wedr_errinfo *ei)
{
    if (o->size != sizeof(uint64_t)) {
        return wedr_fail(ei, WEDR_E_BUG, "%s: table row has a wrong size", o->name);
    }
    if (v < o->min || v > o->max) {
        return wedr_fail(ei, WEDR_E_RANGE, "\"%s\" must be %llu to %llu", o->name,
                         (unsigned long long)o->min, (unsigned long long)o->max);
    }
    return store(t, o, &v, sizeof(v));
}

static int put_str(const struct table *t,
                   const struct wedr_cfg_option *o,
                   const char *s,
                   size_t len,
                   struct wedr_errinfo *ei)
{
    if (len >= o->size) {
        return wedr_fail(ei, WEDR_E_RANGE, "\"%s\" is longer than %zu bytes", o->name,
                         o->size ? o->size - 1 : 0);
    }
    if (t->out) {
        memset(t->out + o->offset, 0, o->size);
    }
    return store(t, o, s, len);
}

/* Adds one element of a list behind *used bytes; the empty string that ends the list always has
 * room. */
static int put_element(const struct table *t,
                       const struct wedr_cfg_option *o,
                       const char *s,
                       size_t len,
                       size_t *used,
                       struct wedr_errinfo *ei)
{
    if (len == 0) {
        return wedr_fail(ei, WEDR_E_RANGE, "\"%s\" has an empty element", o->name);
    }
    if (o->size < 2 || len + 1 > o->size - 1 - *used) {
        return wedr_fail(ei, WEDR_E_RANGE, "\"%s\" is longer than %zu bytes in all", o->name,
                         o->size);
    }
    if (t->out) {
        memcpy(t->out + o->offset + *used, s, len);
        t->out[o->offset + *used + len] = '\0';
    }
    *used += len + 1;
    return WEDR_OK;
}

static void list_begin(const struct table *t, const struct wedr_cfg_option *o)
{
    if (t->out) {
        memset(t->out + o->offset, 0, o->size);
    }
}

static int put_list_text(const struct table *t,
                         const struct wedr_cfg_option *o,
                         const char *s,
                         struct wedr_errinfo *ei)
{
    size_t used = 0;
    list_begin(t, o);
    while (*s) {
        size_t len = strcspn(s, ",");
        int err = put_element(t, o, s, len, &used, ei);
        if (err) {
            return err;
        }
        s += len;
        if (*s == ',' && *++s == '\0') {
            return put_element(t, o, s, 0, &used, ei);
        }
    }
    return WEDR_OK;
}

static int put_text(const struct table *t,
                    const struct wedr_cfg_option *o,
                    const char *text,
                    struct wedr_errinfo *ei)
{
    switch (o->type) {
    case WEDR_CFG_BOOL:
        if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
            return put_bool(t, o, text[0] == 't', ei);
        }
        return wedr_fail(ei, WEDR_E_FORMAT, "\"%s\" must be true or false", o->name);
    case WEDR_CFG_U64: {
        char *end = NULL;
        errno = 0;
        unsigned long long v = strtoull(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno) {
            return wedr_fail(ei, WEDR_E_FORMAT, "\"%s\" must be a number", o->name);
        }
        return put_u64(t, o, v, ei);
    }
    case WEDR_CFG_STR:
        return put_str(t, o, text, strlen(text), ei);
    case WEDR_CFG_LIST:
        return put_list_text(t, o, text, ei);
    }
    return wedr_fail(ei, WEDR_E_BUG, "%s: table row has an unknown type", o->name);
}

static int put_json_list(const struct table *t,
                         const struct wedr_cfg_option *o,
                         const json_t *v,
                         struct wedr_errinfo *ei)
{
    size_t used = 0;
    list_begin(t, o);
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *e = json_array_get(v, i);
        if (!json_is_string(e)) {
            return wedr_fail(ei, WEDR_E_FORMAT, "\"%s\" must be a list of strings", o->name);
        }
        int err = put_element(t, o, json_string_value(e), json_string_length(e), &used, ei);
        if (err) {
            return err;
        }
    }
    return WEDR_OK;
}

static int put_json(const struct table *t,
                    const struct wedr_cfg_option *o,
                    const json_t *v,
                    struct wedr_errinfo *ei)
{
    if (o->type == WEDR_CFG_BOOL && json_is_boolean(v)) {
        return put_bool(t, o, json_is_true(v), ei);
    }
    if (o->type == WEDR_CFG_U64 && json_is_integer(v) && json_integer_value(v) >= 0) {
        return put_u64(t, o, (uint64_t)json_integer_value(v), ei);
    }
    if (o->type == WEDR_CFG_STR && json_is_string(v)) {
        return put_str(t, o, json_string_value(v), json_string_length(v), ei);
    }
    if (o->type == WEDR_CFG_LIST && json_is_array(v)) {
        return put_json_list(t, o, v, ei);
    }
    static const char *const wanted[] = {"true or false", "a number that is not negative",
                                         "a string", "a list of strings"};
    return wedr_fail(ei, WEDR_E_FORMAT, "\"%s\" must be %s", o->name, wanted[o->type]);
}

/* Where in a valid JSON text its n-th section (from 1) and the m-th key within it stand. */
struct place {
    size_t section, key; /* key 0: the section's name itself */
};

/* Line of a place. The text is known to be valid JSON. */
static unsigned line_of(const char *text, size_t len, struct place want)
{
    unsigned line = 1, depth = 0;
    struct place at = {0, 0};
    bool in_string = false, expect_key = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        line += c == '\n';
        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
            if (expect_key && depth == 1) {
                at.section++;
                at.key = 0;
            } else if (expect_key && depth == 2) {
                at.key++;
            }
            if (expect_key && depth <= 2 && at.section == want.section && at.key == want.key) {
                return line;
            }
            expect_key = false;
        } else if (c == '{' || c == '[') {
            depth++;
            expect_key = c == '{';
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == ',') {
            expect_key = depth <= 2;
        }
    }
    return line;
}

/* jansson's own limit is 2048 deep; ours is told with the line. */
static unsigned too_deep_line(const char *text, size_t len)
{
    unsigned line = 1, depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        line += c == '\n';
        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX) {
                return line;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return 0;
}

static int with_line(unsigned line, const struct wedr_errinfo *why, struct wedr_errinfo *ei)
{
    return wedr_fail(ei, WEDR_E_FORMAT, "line %u: %s", line, why->text);
}

/* One pass over the document: checks, and stores when t->out is set. */
static int
apply(const struct table *t, json_t *root, const char *text, size_t len, struct wedr_errinfo *ei)
{
    struct place at = {0, 0};
    struct wedr_errinfo why = {{0}};
    const char *section, *key;
    json_t *body, *value;
    json_object_foreach(root, section, body)
    {
        at.section++;
        at.key = 0;
        if (!known_section(t, section)) {
            (void)wedr_fail(&why, WEDR_E_FORMAT, "unknown key \"%s\"", section);
            return with_line(line_of(text, len, at), &why, ei);
        }
        if (!json_is_object(body)) {
            (void)wedr_fail(&why, WEDR_E_FORMAT, "\"%s\" must be an object", section);
            return with_line(line_of(text, len, at), &why, ei);
        }
        json_object_foreach(body, key, value)
        {
            at.key++;
            const struct wedr_cfg_option *o = find(t, section, key);
            int err = o ? put_json(t, o, value, &why)
                        : wedr_fail(&why, WEDR_E_FORMAT, "unknown key \"%s.%s\"", section, key);
            if (err == WEDR_E_BUG) {
                return wedr_fail(ei, WEDR_E_BUG, "%s", why.text);
            }
            if (err) {
                return with_line(line_of(text, len, at), &why, ei);
            }
        }
    }
    return WEDR_OK;
}

/* The first call makes jansson allocate through wedr_alloc, whose blocks and libc's are freed
 * alike. */
static void adopt_jansson(void)
{
    static atomic_flag done = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&done)) {
        json_set_alloc_funcs(jansson_alloc, wedr_free);
    }
}

int wedr_cfg_parse(const struct wedr_cfg_option *table,
                   size_t count,
                   const char *json,
                   size_t len,
                   void *cfg,
                   struct wedr_errinfo *ei)
{
    if (len > TEXT_MAX) {
        return wedr_fail(ei, WEDR_E_LIMIT, "larger than %zu bytes", TEXT_MAX);
    }
    unsigned deep = too_deep_line(json, len);
    if (deep) {
        return wedr_fail(ei, WEDR_E_FORMAT, "line %u: nested deeper than %u", deep, DEPTH_MAX);
    }
    adopt_jansson();
    json_error_t je;
    json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &je);
    if (!root) {
        if (json_error_code(&je) == json_error_out_of_memory) {
            return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
        }
        return wedr_fail(ei, WEDR_E_FORMAT, "line %d: %s", je.line > 0 ? je.line : 1, je.text);
    }
    int err;
    if (json_is_object(root)) {
        struct table t = {table, count, NULL};
        err = apply(&t, root, json, len, ei);
        if (!err) {
            t.out = cfg;
            err = apply(&t, root, json, len, ei);
        }
    } else {
        err = wedr_fail(ei, WEDR_E_FORMAT, "line 1: must be an object");
    }
    json_decref(root);
    return err;
}

int wedr_cfg_set(const struct wedr_cfg_option *table,
                 size_t count,
                 const char *name,
                 const char *value,
                 void *cfg,
                 struct wedr_errinfo *ei)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0) {
            struct table t = {table, count, NULL};
            int err = put_text(&t, &table[i], value, ei);
            t.out = cfg;
            return err ? err : put_text(&t, &table[i], value, ei);
        }
    }
    return wedr_fail(ei, WEDR_E_NOENT, "unknown key \"%s\"", name);
}

int wedr_cfg_defaults(const struct wedr_cfg_option *table,
                      size_t count,
                      void *cfg,
                      struct wedr_errinfo *ei)
{
    const struct table t = {table, count, cfg};
    for (size_t i = 0; i < count; i++) {
        const struct wedr_cfg_option *o = &table[i];
        if (!o->fallback) {
            memset((uint8_t *)cfg + o->offset, 0, o->size);
        } else if (put_text(&t, o, o->fallback, ei)) {
            return WEDR_E_BUG;
        }
    }
    return WEDR_OK;
}
