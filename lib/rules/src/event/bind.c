/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/bind.c — the field map applied to an event that was read. */
#include "core/base/err.h"
#include "event/event.h"
#include <string.h>

struct wedr_map_probe {
    const struct wedr_field_map *map;
    struct wedr_rule_event *ev;
    uint32_t source;
    struct wedr_text folded;
    uint32_t view, view_selector; /* the first selector that names a view wins */
    uint32_t met, head;           /* source that a condition asked for last, and its first value */
};

static bool is_null(const struct wedr_rule_event *ev, uint32_t index)
{
    return ev->values[index].kind == WEDR_VALUE_NULL;
}

static uint32_t head_of(const struct wedr_rule_event *ev, uint32_t source)
{
    for (uint32_t i = 0; i < ev->count; i++) {
        if (ev->values[i].source == source) {
            return i;
        }
    }
    return WEDR_IR_NONE;
}

static uint32_t next_of(const struct wedr_rule_event *ev, uint32_t index)
{
    for (uint32_t i = index + 1; i < ev->count; i++) {
        if (ev->values[i].source == ev->values[index].source) {
            return i;
        }
    }
    return WEDR_IR_NONE;
}

static bool holds(struct wedr_map_probe *p, const struct wedr_map_condition *c)
{
    struct wedr_rule_event *ev = p->ev;
    if (p->met != c->source) { /* selectors of one log ask for the same ones */
        p->met = c->source;
        p->head = head_of(ev, c->source);
    }
    for (uint32_t i = p->head; i != WEDR_IR_NONE; i = next_of(ev, i)) {
        if (!is_null(ev, i) &&
            (!c->value.p || wedr_text_equal(wedr_rule_event_text(ev, i), c->value, false))) {
            return true;
        }
    }
    return false;
}

/* Whether the first condition of s is what the probe looks for. */
static bool probed(const struct wedr_map_probe *p, const struct wedr_map_selector *s)
{
    const struct wedr_map_condition *c = &s->conditions[0];
    if (c->source != p->source || !c->value.p != !p->folded.p) {
        return false;
    }
    return !c->value.p ||
           (c->value.len == p->folded.len && memcmp(c->value.p, p->folded.p, p->folded.len) == 0);
}

/* Called for every selector with the hash of the value: takes those that hold, ends no search. */
static bool try_selector(const void *ctx, uint32_t id)
{
    struct wedr_map_probe *p = *(struct wedr_map_probe *const *)ctx;
    const struct wedr_map_selector *s =
        WEDR_VEC_AT(struct wedr_map_selector, p->map->selectors, id);
    if (!probed(p, s)) {
        return false;
    }
    for (uint32_t i = 1; i < s->count; i++) {
        if (!holds(p, &s->conditions[i])) {
            return false;
        }
    }
    if (s->event_class != WEDR_IR_NONE && wedr_rule_event_add_class(p->ev, s->event_class) < 0) {
        p->ev->dropped++;
    }
    if (s->view != 0 && id < p->view_selector) {
        p->view = s->view;
        p->view_selector = id;
    }
    return false;
}

static void look(struct wedr_map_probe *probe, uint32_t source, struct wedr_text folded)
{
    probe->source = source;
    probe->folded = folded;
    (void)wedr_index_find(&probe->map->selector_index, wedr_map_selector_hash(source, folded),
                          try_selector, &probe);
}

static bool first_there(const struct wedr_rule_event *ev, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (ev->values[i].source == ev->values[index].source && !is_null(ev, i)) {
            return false;
        }
    }
    return true;
}

/* Classes and view. */
static uint32_t select_view(const struct wedr_field_map *map, struct wedr_rule_event *ev)
{
    char folded[WEDR_FOLD_MAX(WEDR_MAP_VALUE_MAX)];
    struct wedr_map_probe probe = {
        .map = map, .ev = ev, .view_selector = WEDR_IR_NONE, .met = WEDR_IR_NONE};
    uint32_t tries = 0;
    for (uint32_t i = 0; i < ev->count && tries < WEDR_SELECTOR_TRIES_MAX; i++) {
        uint32_t id = ev->values[i].source;
        const struct wedr_map_source *source =
            id == WEDR_IR_NONE ? NULL : wedr_map_source_at(map, id);
        if (!source || !(source->selects || source->selects_there) || is_null(ev, i)) {
            continue;
        }
        tries++;
        if (source->selects_there && first_there(ev, i)) {
            look(&probe, id, wedr_text(NULL, 0));
        }
        struct wedr_text t = source->selects ? wedr_rule_event_text(ev, i) : wedr_text(NULL, 0);
        if (source->selects && t.len <= WEDR_MAP_VALUE_MAX) {
            look(&probe, id, wedr_text(folded, wedr_fold(t.p, t.len, folded)));
        }
    }
    return probe.view;
}

/* {name, value} objects whose name lies deeper than the reader looks. */
static void name_dotted(const struct wedr_field_map *map, struct wedr_rule_event *ev)
{
    char full[2 * WEDR_MAP_NAME_MAX];
    uint32_t name_at[WEDR_MAP_PAIRS_MAX];
    memset(name_at, 0xFF, sizeof(name_at));
    for (uint32_t i = 0; i < ev->count; i++) {
        struct wedr_rule_value *v = &ev->values[i];
        if (!(map->paired_bits >> (v->source % 64) & 1)) {
            continue;
        }
        for (uint32_t k = 0; k < map->pair_count; k++) {
            const struct wedr_map_pairs *p = &map->pairs[k];
            if (!p->dotted) {
                continue;
            }
            if (v->source == p->name_source) {
                name_at[k] = i;
            } else if (v->source == p->value_source && name_at[k] != WEDR_IR_NONE) {
                struct wedr_text name = wedr_rule_event_text(ev, name_at[k]);
                name_at[k] = WEDR_IR_NONE;
                if (name.len > WEDR_MAP_NAME_MAX) {
                    continue;
                }
                memcpy(full, p->prefix.p, p->prefix.len);
                if (name.len > 0) {
                    memcpy(full + p->prefix.len, name.p, name.len);
                }
                size_t len = p->prefix.len + (size_t)name.len;
                size_t skip = wedr_map_strip(map, full, len);
                v->name = name;
                v->source = wedr_map_find(map, full + skip, len - skip);
            }
        }
    }
}

int wedr_event_bind(struct wedr_rule_event *ev, uint32_t index, uint32_t field)
{
    if (field == WEDR_IR_NONE) {
        return WEDR_OK;
    }
    if (ev->values[index].field == WEDR_IR_NONE) {
        wedr_event_link(ev, index, field);
        return WEDR_OK;
    }
    struct wedr_rule_value *copy = wedr_event_push(ev);
    if (!copy) {
        return WEDR_E_LIMIT;
    }
    uint32_t at = copy->origin;
    *copy = ev->values[index];
    wedr_event_link(ev, at, field);
    return WEDR_OK;
}

static int bind_value(const struct wedr_field_map *map,
                      struct wedr_rule_event *ev,
                      uint32_t view,
                      uint32_t index)
{
    const struct wedr_map_source *s = wedr_map_source_at(map, ev->values[index].source);
    bool bound = false;
    int r = WEDR_OK;
    for (uint32_t b = 0; r == WEDR_OK && b < s->bind_count; b++) {
        const struct wedr_map_bind *bind =
            WEDR_VEC_AT(struct wedr_map_bind, map->binds, s->bind_first + b);
        if (bind->view == 0 || bind->view == view) {
            bound = true;
            r = wedr_event_bind(ev, index, bind->field);
        }
    }
    return r == WEDR_OK && !bound ? wedr_event_bind(ev, index, s->identity) : r;
}

static uint32_t value_of(const void *ctx, uint32_t source)
{
    const struct wedr_rule_event *ev = ctx;
    uint32_t at = head_of(ev, source);
    while (at != WEDR_IR_NONE && is_null(ev, at)) {
        at = next_of(ev, at);
    }
    return at;
}

int wedr_map_bind(const struct wedr_field_map *map, struct wedr_rule_event *ev)
{
    uint32_t count = ev->count;
    if (map->dotted_pairs && ev->paired) {
        name_dotted(map, ev);
    }
    uint32_t view = select_view(map, ev);
    int r = WEDR_OK;
    for (uint32_t i = 0; r == WEDR_OK && i < count; i++) {
        if (ev->values[i].source == WEDR_IR_NONE) {
            continue;
        }
        const struct wedr_map_source *s = wedr_map_source_at(map, ev->values[i].source);
        r = bind_value(map, ev, view, i);
        for (uint32_t d = 0; r == WEDR_OK && d < s->derived_count; d++) {
            const struct wedr_map_derived *derived =
                WEDR_VEC_AT(const struct wedr_map_derived, map->derived, s->derived_first + d);
            if (derived->view == 0 || derived->view == view) {
                r = wedr_map_derive(derived, ev, i, value_of, ev);
            }
        }
    }
    return r;
}
