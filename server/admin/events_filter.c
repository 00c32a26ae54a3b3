/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/events_filter.h"
#include "admin/events_columns.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "ingest/line_schema.h"
#include <stdio.h>
#include <string.h>

#define LIST_MAX 64u

enum compare { OP_EQUAL, OP_NOT, OP_LIKE, OP_MIN, OP_MAX, OP_NONE };

static const char *const suffixes[] = {"", ".not", ".like", ".min", ".max"};

struct wedr_filter *wedr_filter_new(void)
{
    struct wedr_filter *f = wedr_alloc(1, sizeof(*f));
    if (f) {
        f->only_counted = true;
    }
    return f;
}

void wedr_filter_free(struct wedr_filter *f)
{
    for (size_t i = 0; f && i < f->owned_count; i++) {
        wedr_free(f->owned[i]);
    }
    wedr_free(f);
}

/* The column and how it is asked for; NULL: no such name. */
static const struct wedr_events_column_info *read_name(const char *name, enum compare *ret_op)
{
    const char *dot = strchr(name, '.');
    size_t len = dot ? (size_t)(dot - name) : strlen(name);
    enum compare op = OP_NONE;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(suffixes); i++) {
        if (strcmp(suffixes[i], dot ? dot : "") == 0) {
            op = (enum compare)i;
        }
    }
    const struct wedr_events_column_info *c = wedr_events_column(name, len);
    bool fits = c && op != OP_NONE && (c->number ? op != OP_LIKE : op != OP_MIN && op != OP_MAX);
    *ret_op = op;
    return fits ? c : NULL;
}

static bool is_special(const char *name)
{
    return strcmp(name, "from") == 0 || strcmp(name, "to") == 0 || strcmp(name, "q") == 0;
}

bool wedr_filter_knows(const char *name)
{
    enum compare op;
    return is_special(name) || read_name(name, &op) != NULL;
}

int wedr_filter_piece(struct wedr_filter *f, const char *piece)
{
    size_t n = strlen(piece);
    if (n >= sizeof(f->text) - f->len) {
        return WEDR_E_LIMIT;
    }
    memcpy(f->text + f->len, piece, n + 1);
    f->len += n;
    return WEDR_OK;
}

static int add_value(struct wedr_filter *f, const char *piece, struct wedr_query_value v)
{
    char place[24];
    if (f->count == WEDR_FILTER_VALUES_MAX) {
        return WEDR_E_LIMIT;
    }
    f->value[f->count] = v;
    (void)snprintf(place, sizeof(place), "?%zu", ++f->count);
    int err = wedr_filter_piece(f, piece);
    return err == WEDR_OK ? wedr_filter_piece(f, place) : err;
}

int wedr_filter_number(struct wedr_filter *f, const char *piece, int64_t value)
{
    return add_value(f, piece, (struct wedr_query_value){.type = WEDR_QUERY_INT, .i = value});
}

int wedr_filter_bytes(struct wedr_filter *f, const char *piece, const char *value)
{
    return add_value(
        f, piece,
        (struct wedr_query_value){.type = WEDR_QUERY_TEXT, .s = wedr_span(value, strlen(value))});
}

/* A text that the filter keeps. */
static int own(struct wedr_filter *f, char *text, const char *piece)
{
    if (!text || f->owned_count == WEDR_FILTER_VALUES_MAX) {
        wedr_free(text);
        return text ? WEDR_E_LIMIT : WEDR_E_NOMEM;
    }
    f->owned[f->owned_count++] = text;
    return wedr_filter_bytes(f, piece, text);
}

/* True when a pattern must escape something. The table skips by patterns that need no escape. */
static bool needs_escape(const char *s)
{
    return strpbrk(s, "%_\\") != NULL;
}

/* A pattern of LIKE: what means something to LIKE is escaped, `*` becomes `%`. */
static char *make_pattern(const char *s)
{
    size_t n = 0;
    char *p = wedr_alloc(2 * strlen(s) + 1, 1);
    for (; p && *s; s++) {
        if (*s == '%' || *s == '_' || *s == '\\') {
            p[n++] = '\\';
        }
        p[n++] = *s;
        if (*s == '*') {
            p[n - 1] = '%';
        }
    }
    return p;
}

/* As the line's JSON spells it. */
static char *json_spelling(const char *s)
{
    size_t n = 0;
    char *p = wedr_alloc(2 * strlen(s) + 1, 1);
    for (; p && *s; s++) {
        if (*s == '"' || *s == '\\') {
            p[n++] = '\\';
        }
        p[n++] = *s;
    }
    return p;
}

static int add_part(struct wedr_filter *f, const char *value)
{
    if (!strpbrk(value, "\"\\")) {
        int err = wedr_filter_bytes(f, " AND contains(raw,", value);
        return err == WEDR_OK ? wedr_filter_piece(f, ")") : err;
    }
    /* as it stands, or as a value */
    int err = wedr_filter_bytes(f, " AND (contains(raw,", value);
    err = err == WEDR_OK ? own(f, json_spelling(value), ") OR contains(raw,") : err;
    return err == WEDR_OK ? wedr_filter_piece(f, "))") : err;
}

/* A whole number up to a comma or the end; the place behind it, NULL when there is none. */
static const char *read_integer(const char *s, int64_t *ret)
{
    bool minus = *s == '-';
    uint64_t v = 0, max = (uint64_t)INT64_MAX + minus;
    s += minus;
    if (*s < '0' || *s > '9') {
        return NULL;
    }
    for (; *s >= '0' && *s <= '9'; s++) {
        if (v > (max - (uint64_t)(*s - '0')) / 10) {
            return NULL;
        }
        v = v * 10 + (uint64_t)(*s - '0');
    }
    *ret = minus ? (int64_t)(0 - v) : (int64_t)v;
    return *s == '\0' || *s == ',' ? s : NULL;
}

static int begin_condition(struct wedr_filter *f, const char *column, const char *op)
{
    int err = wedr_filter_piece(f, " AND ");
    err = err == WEDR_OK ? wedr_filter_piece(f, column) : err;
    return err == WEDR_OK ? wedr_filter_piece(f, op) : err;
}

static int add_numbers(struct wedr_filter *f,
                       const struct wedr_events_column_info *c,
                       enum compare op,
                       const char *value,
                       struct wedr_errinfo *ei)
{
    static const char *const signs[] = {" IN (", " IS NOT ", "", ">=", "<="};
    const char *s = value;
    int64_t v = 0;
    size_t n = 0;
    int err = begin_condition(f, c->name, signs[op]);
    do {
        s = read_integer(s + (n != 0), &v);
        if (!s || (*s == ',' && op != OP_EQUAL) || ++n > LIST_MAX) {
            return wedr_fail(ei, WEDR_E_INVAL, "\"%s\" must be a whole number%s", c->name,
                             op == OP_EQUAL ? " or at most 64 of them" : "");
        }
        err = err == WEDR_OK ? wedr_filter_number(f, n == 1 ? "" : ",", v) : err;
    } while (*s == ',');
    return err == WEDR_OK && op == OP_EQUAL ? wedr_filter_piece(f, ")") : err;
}

/* Names of event types; every one must be known, so that a slip of the pen is no empty list. */
static int add_types(struct wedr_filter *f, const char *value, struct wedr_errinfo *ei)
{
    size_t n = 0;
    int err = wedr_filter_piece(f, " AND event_type IN (");
    for (const char *s = value; err == WEDR_OK; s += strcspn(s, ",") + 1) {
        size_t len = strcspn(s, ",");
        const struct wedr_type_info *t = wedr_type_by_name(s, len);
        bool plugin = len == 12 && memcmp(s, "plugin_event", 12) == 0;
        if ((!t && !plugin) || ++n > LIST_MAX) {
            return wedr_fail(ei, WEDR_E_INVAL, "there is no event type \"%.*s\"",
                             (int)(len < 64 ? len : 64), s);
        }
        err = wedr_filter_bytes(f, n == 1 ? "" : ",", t ? t->event_type : "plugin_event");
        if (s[len] == '\0') {
            break;
        }
    }
    return err == WEDR_OK ? wedr_filter_piece(f, ")") : err;
}

static int add_text(struct wedr_filter *f,
                    const struct wedr_events_column_info *c,
                    enum compare op,
                    const char *value)
{
    int err = begin_condition(f, c->name,
                              op == OP_EQUAL ? "="
                              : op == OP_NOT ? " IS NOT "
                                             : " LIKE ");
    if (err != WEDR_OK) {
        return err;
    }
    if (op != OP_LIKE) {
        return wedr_filter_bytes(f, "", value);
    }
    err = own(f, make_pattern(value), "");
    return err == WEDR_OK && needs_escape(value) ? wedr_filter_piece(f, " ESCAPE '\\'") : err;
}

static int add_time(struct wedr_filter *f, bool from, const char *value, struct wedr_errinfo *ei)
{
    int64_t us = 0;
    if (!wedr_line_time_parse(value, strlen(value), &us)) {
        return wedr_fail(ei, WEDR_E_INVAL, "\"%s\" must be a time as 2026-11-26T20:00:00.000000Z",
                         from ? "from" : "to");
    }
    *(from ? &f->from_us : &f->to_us) = us;
    return wedr_filter_number(f, from ? " AND ts>=" : " AND ts<", us);
}

int wedr_filter_add(struct wedr_filter *f,
                    const char *name,
                    const char *value,
                    struct wedr_errinfo *ei)
{
    enum compare op = OP_NONE;
    if (strcmp(name, "from") == 0 || strcmp(name, "to") == 0) {
        return add_time(f, name[0] == 'f', value, ei);
    }
    if (strcmp(name, "q") == 0) {
        f->only_counted = false;
        return add_part(f, value);
    }
    const struct wedr_events_column_info *c = read_name(name, &op);
    if (!c) {
        return wedr_fail(ei, WEDR_E_INVAL, "there is no parameter \"%.64s\"", name);
    }
    bool type = strcmp(c->name, "event_type") == 0;
    f->only_counted =
        f->only_counted && op == OP_EQUAL && (type || strcmp(c->name, "agent_id") == 0);
    if (c->number) {
        return add_numbers(f, c, op, value, ei);
    }
    return type && op == OP_EQUAL ? add_types(f, value, ei) : add_text(f, c, op, value);
}

struct wedr_filter_mark wedr_filter_mark(const struct wedr_filter *f)
{
    return (struct wedr_filter_mark){f->len, f->count};
}

void wedr_filter_reset(struct wedr_filter *f, struct wedr_filter_mark m)
{
    f->len = m.len;
    f->count = m.count;
    f->text[f->len] = '\0';
}
