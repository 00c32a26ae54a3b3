/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/event.c — values in one array, chained by field. */
#include "event/event.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_TEXT 32u /* bytes of the longest number that is printed */

static uint32_t or_default(uint32_t given, uint32_t otherwise)
{
    return given ? given : otherwise;
}

static void *take(struct wedr_rule_event *ev, size_t count, size_t size)
{
    ev->bytes += count * size;
    return wedr_alloc(count, size);
}

struct wedr_rule_event *wedr_rule_event_new(const struct wedr_ruleset *rs,
                                            const struct wedr_rule_event_limits *limits)
{
    static const struct wedr_rule_event_limits none;
    const struct wedr_rule_event_limits *l = limits ? limits : &none;
    struct wedr_rule_event *ev = wedr_alloc(1, sizeof(*ev));
    if (!ev) {
        return NULL;
    }
    ev->magic = WEDR_EVENT_MAGIC;
    ev->rs = rs;
    ev->bytes = sizeof(*ev);
    ev->limits.values_max = or_default(l->values_max, 4096);
    ev->limits.document_max = or_default(l->document_max, 1u << 20);
    ev->limits.name_max = or_default(l->name_max, 512);
    ev->limits.depth_max = or_default(l->depth_max, 32);
    if (ev->limits.depth_max > WEDR_EVENT_DEPTH_MAX) {
        ev->limits.depth_max = WEDR_EVENT_DEPTH_MAX;
    }
    ev->field_count = wedr_ruleset_field_count(rs);
    ev->memory_size =
        2 * (size_t)ev->limits.document_max + (size_t)ev->limits.values_max * NUMBER_TEXT;
    ev->first = take(ev, (size_t)ev->field_count + 1, sizeof(uint32_t));
    ev->last = take(ev, (size_t)ev->field_count + 1, sizeof(uint32_t));
    ev->touched = take(ev, (size_t)ev->field_count + 1, sizeof(uint32_t));
    ev->values = take(ev, ev->limits.values_max, sizeof(*ev->values));
    ev->memory = take(ev, ev->memory_size, 1);
    ev->folded_size =
        WEDR_FOLD_MAX(2 * (size_t)ev->limits.document_max) + (size_t)ev->limits.values_max * 2;
    ev->folded = take(ev, ev->folded_size, 1);
    ev->gathered_size = ev->limits.document_max + (size_t)ev->limits.values_max;
    ev->gathered = take(ev, ev->gathered_size, 1);
    ev->keys = take(ev, 1, sizeof(*ev->keys));
    ev->slices = take(ev, ev->limits.values_max, sizeof(*ev->slices));
    ev->name = take(ev, (size_t)ev->limits.name_max * 2, 1);
    if (!ev->first || !ev->last || !ev->touched || !ev->values || !ev->memory || !ev->folded ||
        !ev->gathered || !ev->keys || !ev->slices || !ev->name) {
        wedr_rule_event_free(ev);
        return NULL;
    }
    memset(ev->first, 0xFF, ((size_t)ev->field_count + 1) * sizeof(uint32_t));
    return ev;
}

void wedr_rule_event_free(struct wedr_rule_event *ev)
{
    if (ev) {
        wedr_free(ev->first);
        wedr_free(ev->last);
        wedr_free(ev->touched);
        wedr_free(ev->values);
        wedr_free(ev->memory);
        wedr_free(ev->folded);
        wedr_free(ev->gathered);
        wedr_free(ev->keys);
        wedr_free(ev->slices);
        wedr_free(ev->name);
        ev->magic = 0;
        wedr_free(ev);
    }
}

size_t wedr_rule_event_memory(const struct wedr_rule_event *ev)
{
    return ev->bytes;
}

void wedr_rule_event_clear(struct wedr_rule_event *ev)
{
    for (uint32_t i = 0; i < ev->touched_count; i++) {
        ev->first[ev->touched[i]] = WEDR_IR_NONE;
    }
    ev->touched_count = 0;
    ev->count = 0;
    ev->class_count = 0;
    ev->memory_used = ev->folded_used = ev->composed = 0;
    ev->gathered_count = 0;
    ev->ascii = false;
    ev->paired = false;
}

static inline void link_value(struct wedr_rule_event *ev, uint32_t index, uint32_t field)
{
    ev->values[index].field = field;
    ev->values[index].next = WEDR_IR_NONE;
    if (ev->first[field] == WEDR_IR_NONE) {
        ev->first[field] = index;
        ev->touched[ev->touched_count++] = field;
    } else {
        ev->values[ev->last[field]].next = index;
    }
    ev->last[field] = index;
}

void wedr_event_link(struct wedr_rule_event *ev, uint32_t index, uint32_t field)
{
    link_value(ev, index, field);
}

/* A new value of a field that exists, or of none. */
static inline int add(struct wedr_rule_event *ev, uint32_t field, struct wedr_rule_value **ret_v)
{
    if (field >= ev->field_count && field != WEDR_IR_NONE) {
        return WEDR_E_INVAL;
    }
    struct wedr_rule_value *v = wedr_event_push(ev);
    if (!v) {
        return WEDR_E_LIMIT;
    }
    if (field != WEDR_IR_NONE) {
        link_value(ev, v->origin, field);
    }
    *ret_v = v;
    return WEDR_OK;
}

int wedr_rule_event_add_text(struct wedr_rule_event *ev, uint32_t field, const char *s, size_t len)
{
    struct wedr_rule_value *v;
    if (len >= UINT32_MAX) {
        return WEDR_E_LIMIT;
    }
    int r = add(ev, field, &v);
    if (r == WEDR_OK) {
        v->kind = WEDR_VALUE_TEXT;
        v->text = wedr_text(len ? s : "", len);
    }
    return r;
}

static int add_number(struct wedr_rule_event *ev, uint32_t field, struct wedr_number n)
{
    struct wedr_rule_value *v;
    int r = add(ev, field, &v);
    if (r == WEDR_OK) {
        v->kind = WEDR_VALUE_NUMBER;
        v->number = n;
    }
    return r;
}

int wedr_rule_event_add_i64(struct wedr_rule_event *ev, uint32_t field, int64_t v)
{
    return add_number(ev, field, wedr_number_i64(v));
}

int wedr_rule_event_add_u64(struct wedr_rule_event *ev, uint32_t field, uint64_t v)
{
    return add_number(ev, field, wedr_number_u64(v));
}

int wedr_rule_event_add_f64(struct wedr_rule_event *ev, uint32_t field, double v)
{
    return add_number(ev, field, wedr_number_f64(v));
}

int wedr_rule_event_add_bool(struct wedr_rule_event *ev, uint32_t field, bool b)
{
    struct wedr_rule_value *v;
    int r = add(ev, field, &v);
    if (r == WEDR_OK) {
        v->kind = WEDR_VALUE_BOOL;
        v->boolean = b;
        v->text = b ? wedr_text("true", 4) : wedr_text("false", 5);
    }
    return r;
}

int wedr_rule_event_add_null(struct wedr_rule_event *ev, uint32_t field)
{
    struct wedr_rule_value *v;
    return add(ev, field, &v);
}

int wedr_rule_event_add_class(struct wedr_rule_event *ev, uint32_t event_class)
{
    if (event_class >= WEDR_IR_CLASSES_MAX) {
        return WEDR_E_INVAL;
    }
    for (uint32_t i = 0; i < ev->class_count; i++) {
        if (ev->classes[i] == event_class) {
            return WEDR_OK;
        }
    }
    if (ev->class_count == WEDR_EVENT_CLASSES_MAX) {
        return WEDR_E_LIMIT;
    }
    ev->classes[ev->class_count++] = event_class;
    return WEDR_OK;
}

uint32_t wedr_rule_event_first(const struct wedr_rule_event *ev, uint32_t field)
{
    return field < ev->field_count ? ev->first[field] : WEDR_IR_NONE;
}

uint32_t wedr_rule_event_value_count(const struct wedr_rule_event *ev)
{
    return ev->count;
}

const struct wedr_rule_value *wedr_rule_event_value(const struct wedr_rule_event *ev,
                                                    uint32_t index)
{
    return index < ev->count ? &ev->values[index] : NULL;
}

/* The shortest of three precisions that reads back as the same number. */
static int print_double(char *to, double f)
{
    int n = 0;
    for (int precision = 15; precision <= 17; precision++) {
        n = snprintf(to, NUMBER_TEXT, "%.*g", precision, f);
        if (strtod(to, NULL) == f) {
            break;
        }
    }
    return n;
}

/* Decimal digits, as most numbers of events are whole ones. */
static int print_whole(char *to, uint64_t v, bool minus)
{
    char digits[NUMBER_TEXT];
    int n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    if (minus) {
        digits[n++] = '-';
    }
    for (int i = 0; i < n; i++) {
        to[i] = digits[n - 1 - i];
    }
    return n;
}

static struct wedr_text print_number(struct wedr_rule_event *ev, struct wedr_number n)
{
    if (ev->memory_size - ev->memory_used < NUMBER_TEXT) {
        return wedr_text("", 0);
    }
    char *to = ev->memory + ev->memory_used;
    bool minus = n.kind == WEDR_NUMBER_I64 && n.v.i < 0;
    int len = n.kind == WEDR_NUMBER_F64 ? print_double(to, n.v.f)
              : n.kind == WEDR_NUMBER_U64
                  ? print_whole(to, n.v.u, false)
                  : print_whole(to, minus ? 0 - (uint64_t)n.v.i : (uint64_t)n.v.i, minus);
    size_t used = len < 0 ? 0 : (size_t)len;
    ev->memory_used += used;
    return wedr_text(to, used);
}

struct wedr_text wedr_rule_event_text(struct wedr_rule_event *ev, uint32_t index)
{
    struct wedr_rule_value *v = &ev->values[index];
    if (v->origin != index) {
        v->text = wedr_rule_event_text(ev, v->origin);
        v->escaped = false;
        return v->text;
    }
    if (v->escaped) {
        v->escaped = false;
        if (v->text.len > ev->memory_size - ev->memory_used) {
            v->text = wedr_text("", 0);
            return v->text;
        }
        char *to = ev->memory + ev->memory_used;
        size_t len = wedr_json_unescape(v->text.p, v->text.len, to);
        ev->memory_used += len;
        v->text = wedr_text(to, len);
    } else if (v->kind == WEDR_VALUE_NUMBER && !v->text.p) {
        v->text = print_number(ev, v->number);
    }
    return v->text;
}

uint32_t wedr_rule_event_class_count(const struct wedr_rule_event *ev)
{
    return ev->class_count;
}

uint32_t wedr_rule_event_class(const struct wedr_rule_event *ev, uint32_t index)
{
    return index < ev->class_count ? ev->classes[index] : WEDR_IR_NONE;
}

bool wedr_event_plain_first(struct wedr_rule_event *ev, uint32_t origin)
{
    struct wedr_text *s = &ev->slices[origin];
    struct wedr_text t = wedr_rule_event_text(ev, origin);
    if (ev->ascii || t.len == 0 || !wedr_text_has_high(t.p, t.len)) {
        *s = t.p ? t : wedr_text("", 0);
    } else if (WEDR_FOLD_MAX((size_t)t.len) <= ev->folded_size - ev->folded_used) {
        char *to = ev->folded + ev->folded_used;
        *s = wedr_text(to, wedr_fold(t.p, t.len, to));
        ev->folded_used += s->len;
    } else {
        return false;
    }
    return true;
}

/* Copies in steps of 16 bytes where both sides have room for that: most values are short. */
static void copy_short(char *to, const char *from, size_t len)
{
    if (len < 16) {
        memcpy(to, from, len);
        return;
    }
    for (size_t i = 0; i + 16 < len; i += 16) {
        memcpy(to + i, from + i, 16);
    }
    memcpy(to + len - 16, from + len - 16, 16);
}

/* False when there are too many. */
static bool note_high(struct wedr_rule_event *ev)
{
    ev->high_count = 0;
    for (uint32_t i = 0; i < ev->count; i++) {
        const struct wedr_rule_value *v = &ev->values[i];
        if (!wedr_event_is_text(ev, i) || !wedr_text_has_high(v->text.p, v->text.len)) {
            continue;
        }
        if (ev->high_count == WEDR_EVENT_HIGH_MAX) {
            return false;
        }
        ev->high[ev->high_count++] = i;
    }
    return true;
}

bool wedr_event_gather(struct wedr_rule_event *ev)
{
    size_t used = 0;
    if (ev->gathered_count != 0) {
        return ev->gathered_count == ev->count + 1;
    }
    for (uint32_t i = 0; i < ev->count; i++) {
        struct wedr_rule_value *v = &ev->values[i];
        if (!wedr_event_is_text(ev, i)) {
            continue;
        }
        if (v->text.len + 1 > ev->gathered_size - used) {
            return false;
        }
        char *to = ev->gathered + used + 1;
        ev->gathered[used] = '\0';
        if (v->escaped) { /* it stays here */
            v->text = wedr_text(to, wedr_json_unescape(v->text.p, v->text.len, to));
            v->escaped = false;
        } else {
            copy_short(to, v->text.p, v->text.len);
        }
        used += 1 + v->text.len;
    }
    ev->gathered_used = used;
    ev->high_count = 0;
    ev->ascii = !wedr_text_has_high(ev->gathered, used);
    if (!ev->ascii && !note_high(ev)) {
        ev->gathered_count = UINT32_MAX;
        return false;
    }
    ev->gathered_count = ev->count + 1;
    return true;
}
