/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/derive.c — values that an event does not have as rules want them: put together
 * from others by a template, or said in other words. */
#include "core/base/err.h"
#include "event/event.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int derived_add(struct wedr_field_map *map, const struct wedr_map_derived *d)
{
    if (map->derived.count == WEDR_MAP_DERIVED_MAX) {
        return WEDR_E_LIMIT;
    }
    return wedr_vec_push(&map->pool, &map->derived, d, 1, sizeof(*d));
}

/* One {source} or {source:hex}; *at is behind its literal. */
static int parse_part(struct wedr_field_map *map, const char **at, struct wedr_map_part *p)
{
    const char *open = *at;
    const char *close = strchr(open, '}');
    if (!close) {
        return WEDR_E_FORMAT;
    }
    struct wedr_text name = wedr_text(open + 1, (size_t)(close - open) - 1);
    p->hex = name.len >= 4 && memcmp(name.p + name.len - 4, ":hex", 4) == 0;
    name.len -= p->hex ? 4 : 0;
    if (name.len == 0 || memchr(name.p, '{', name.len)) {
        return WEDR_E_FORMAT;
    }
    *at = close + 1;
    return wedr_map_source_add(map, name, &p->source);
}

static int parse(struct wedr_field_map *map, const char *s, struct wedr_map_derived *d)
{
    for (;;) {
        size_t literal = strcspn(s, "{");
        bool last = s[literal] == '\0';
        if (!last && d->part_count == WEDR_MAP_PARTS_MAX) {
            return WEDR_E_FORMAT;
        }
        struct wedr_text *to = last ? &d->after : &d->parts[d->part_count].before;
        int r = wedr_pool_text(&map->pool, wedr_text(s, literal), to);
        s += literal;
        if (r == WEDR_OK && *s == '\0') {
            return d->part_count > 0 ? WEDR_OK : WEDR_E_FORMAT;
        }
        r = r < 0 ? r : parse_part(map, &s, &d->parts[d->part_count++]);
        if (r < 0) {
            return r;
        }
    }
}

int wedr_field_map_compose(struct wedr_field_map *map,
                           uint32_t view,
                           const char *template,
                           const char *field_name)
{
    struct wedr_map_derived d = {.view = view};
    size_t len = strlen(template);
    if (map->sealed) {
        return WEDR_E_STATE;
    }
    if (len > WEDR_MAP_NAME_MAX) {
        return WEDR_E_LIMIT;
    }
    d.field = wedr_ruleset_field_find(map->rs, field_name, strlen(field_name));
    int r = parse(map, template, &d);
    r = r < 0 ? r : wedr_pool_text(&map->pool, wedr_text(template, len), &d.template);
    d.source = d.parts[0].source;
    return r < 0 || d.field == WEDR_IR_NONE ? r : derived_add(map, &d);
}

int wedr_field_map_value(struct wedr_field_map *map,
                         uint32_t view,
                         const char *source,
                         const char *value,
                         const char *field_name,
                         const char *text)
{
    struct wedr_map_derived d = {.view = view};
    size_t len = strlen(text);
    if (map->sealed) {
        return WEDR_E_STATE;
    }
    if (len > WEDR_MAP_VALUE_MAX) {
        return WEDR_E_LIMIT;
    }
    d.field = wedr_ruleset_field_find(map->rs, field_name, strlen(field_name));
    int r = wedr_map_source_add(map, wedr_text(source, strlen(source)), &d.source);
    r = r < 0 ? r : wedr_map_folded(map, value, &d.value);
    r = r < 0 ? r : wedr_pool_text(&map->pool, wedr_text(text, len), &d.text);
    return r < 0 || d.field == WEDR_IR_NONE ? r : derived_add(map, &d);
}

int wedr_map_seal_derived(struct wedr_field_map *map)
{
    struct wedr_map_derived *d = map->derived.p;
    size_t count = map->derived.count;
    for (size_t i = 1; i < count; i++) { /* few of them, nearly in order, and equal ones stay so */
        struct wedr_map_derived moved = d[i];
        size_t at = i;
        for (; at > 0 && d[at - 1].source > moved.source; at--) {
            d[at] = d[at - 1];
        }
        d[at] = moved;
    }
    for (size_t i = 0; i < count; i++) {
        struct wedr_map_source *s = wedr_map_source_at(map, d[i].source);
        s->derived_first = s->derived_count ? s->derived_first : (uint32_t)i;
        s->derived_count++;
    }
    return WEDR_OK;
}

/* What a part puts into the text; hex turns a whole number into 0x%x. */
static struct wedr_text part_text(struct wedr_rule_event *ev, uint32_t index, bool hex, char *room)
{
    struct wedr_text t = wedr_rule_event_text(ev, index);
    struct wedr_number n = ev->values[index].number;
    if (!hex) {
        return t;
    }
    if (ev->values[index].kind == WEDR_VALUE_TEXT && wedr_number_parse(t.p, t.len, &n) < 0) {
        return t;
    }
    if (ev->values[index].kind == WEDR_VALUE_BOOL || n.kind == WEDR_NUMBER_F64 ||
        (n.kind == WEDR_NUMBER_I64 && n.v.i < 0)) {
        return t;
    }
    int len = snprintf(room, 24, "0x%" PRIx64, n.v.u);
    return wedr_text(room, len < 0 ? 0 : (size_t)len);
}

/* Appends to the text that grows at the end of the event's memory; false when it is full. */
static bool append(struct wedr_rule_event *ev, size_t *len, struct wedr_text t)
{
    size_t room = ev->limits.document_max - ev->composed;
    if (t.len > room - *len || t.len > ev->memory_size - ev->memory_used - *len) {
        return false;
    }
    if (t.len > 0) {
        memcpy(ev->memory + ev->memory_used + *len, t.p, t.len);
    }
    *len += t.len;
    return true;
}

/* A value of the event's own memory. */
static int
push_text(struct wedr_rule_event *ev, struct wedr_text text, struct wedr_text name, uint32_t field)
{
    struct wedr_rule_value *v = wedr_event_push(ev);
    if (!v) {
        return WEDR_E_LIMIT;
    }
    v->kind = WEDR_VALUE_TEXT;
    v->text = text;
    v->name = name;
    wedr_event_link(ev, v->origin, field);
    return WEDR_OK;
}

static int
compose(const struct wedr_map_derived *d, struct wedr_rule_event *ev, const uint32_t *values)
{
    size_t len = 0;
    bool fits = true;
    for (uint32_t i = 0; fits && i < d->part_count; i++) {
        char room[24];
        if (values[i] != WEDR_IR_NONE) {
            fits = append(ev, &len, d->parts[i].before) &&
                   append(ev, &len, part_text(ev, values[i], d->parts[i].hex, room));
        }
    }
    if (!fits || !append(ev, &len, d->after)) {
        ev->dropped++;
        return WEDR_OK;
    }
    struct wedr_text text = wedr_text(ev->memory + ev->memory_used, len);
    ev->memory_used += len;
    ev->composed += len;
    return push_text(ev, text, ev->values[values[0]].name, d->field);
}

int wedr_map_derive(const struct wedr_map_derived *d,
                    struct wedr_rule_event *ev,
                    uint32_t index,
                    wedr_map_value_fn *value_of,
                    const void *ctx)
{
    uint32_t values[WEDR_MAP_PARTS_MAX];
    if (d->part_count == 0) {
        bool same = ev->values[index].kind != WEDR_VALUE_NULL &&
                    wedr_text_equal(wedr_rule_event_text(ev, index), d->value, false);
        return same ? push_text(ev, d->text, ev->values[index].name, d->field) : WEDR_OK;
    }
    for (uint32_t i = 0; i < d->part_count; i++) {
        values[i] = value_of(ctx, d->parts[i].source);
        if (values[i] != WEDR_IR_NONE) { /* made now: what follows appends behind it */
            (void)wedr_rule_event_text(ev, values[i]);
        }
    }
    return values[0] == index ? compose(d, ev, values) : WEDR_OK;
}
