/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/map.c — the field map: built, sealed, then looked up per key and applied per
 * event. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "event/event.h"
#include <stdlib.h>
#include <string.h>

#define MAP_MEMORY_MAX ((size_t)16 << 20)
#define MAP_NAME_MAX 512u
#define SELECTOR_VALUE_MAX 256u
#define SELECTOR_TRIES_MAX 64u /* values of one event that selectors are looked up by */

static struct wedr_map_source *source_at(const struct wedr_field_map *map, uint32_t source)
{
    return WEDR_VEC_AT(struct wedr_map_source, map->sources, source);
}

struct name_key {
    const struct wedr_field_map *map;
    struct wedr_text name;
};

static bool same_source(const void *ctx, uint32_t source)
{
    const struct name_key *k = ctx;
    struct wedr_text have = source_at(k->map, source)->name;
    return have.len == k->name.len && memcmp(have.p, k->name.p, have.len) == 0;
}

uint32_t wedr_map_find(const struct wedr_field_map *map, const char *name, size_t len)
{
    struct name_key key = {map, wedr_text(name, len)};
    return wedr_index_find(&map->source_index, wedr_hash_bytes(name, len, 0), same_source, &key);
}

static int source_add(struct wedr_field_map *map, struct wedr_text name, uint32_t *ret_source)
{
    if (name.len == 0 || name.len > MAP_NAME_MAX) {
        return WEDR_E_INVAL;
    }
    uint32_t id = wedr_map_find(map, name.p, name.len);
    if (id == WEDR_IR_NONE) {
        struct wedr_map_source s = {.identity = wedr_ruleset_field_find(map->rs, name.p, name.len)};
        id = (uint32_t)map->sources.count;
        int r = wedr_pool_text(&map->pool, name, &s.name);
        if (r == WEDR_OK) {
            r = wedr_vec_push(&map->pool, &map->sources, &s, 1, sizeof(s));
        }
        if (r == WEDR_OK) {
            r = wedr_index_add(&map->pool, &map->source_index, wedr_hash_bytes(name.p, name.len, 0),
                               id);
        }
        if (r < 0) {
            return r;
        }
    }
    *ret_source = id;
    return WEDR_OK;
}

struct wedr_field_map *wedr_field_map_new(const struct wedr_ruleset *rs)
{
    struct wedr_field_map *map = wedr_alloc(1, sizeof(*map));
    if (!map) {
        return NULL;
    }
    map->rs = rs;
    map->pool.memory_max = MAP_MEMORY_MAX;
    int r = WEDR_OK;
    for (uint32_t i = 0; r == WEDR_OK && i < wedr_ruleset_field_count(rs); i++) {
        uint32_t source;
        r = source_add(map, wedr_ruleset_field_name(rs, i), &source);
    }
    if (r < 0) {
        wedr_field_map_free(map);
        return NULL;
    }
    return map;
}

void wedr_field_map_free(struct wedr_field_map *map)
{
    if (!map) {
        return;
    }
    wedr_vec_fini(&map->pool, &map->sources, sizeof(struct wedr_map_source));
    wedr_vec_fini(&map->pool, &map->entries, sizeof(struct wedr_map_entry));
    wedr_vec_fini(&map->pool, &map->binds, sizeof(struct wedr_map_bind));
    wedr_vec_fini(&map->pool, &map->selectors, sizeof(struct wedr_map_selector));
    wedr_vec_fini(&map->pool, &map->keys, sizeof(uint32_t));
    wedr_index_fini(&map->pool, &map->source_index);
    wedr_index_fini(&map->pool, &map->selector_index);
    wedr_pool_fini(&map->pool);
    wedr_free(map);
}

size_t wedr_field_map_memory(const struct wedr_field_map *map)
{
    return sizeof(*map) + map->pool.memory;
}

static struct wedr_text of(const char *s)
{
    return wedr_text(s, strlen(s));
}

int wedr_field_map_add(struct wedr_field_map *map,
                       uint32_t view,
                       const char *source,
                       const char *field_name)
{
    struct wedr_map_entry e = {.view = view};
    if (map->sealed) {
        return WEDR_E_STATE;
    }
    e.field = wedr_ruleset_field_find(map->rs, field_name, strlen(field_name));
    int r = source_add(map, of(source), &e.source);
    return r == WEDR_OK ? wedr_vec_push(&map->pool, &map->entries, &e, 1, sizeof(e)) : r;
}

int wedr_field_map_prefix(struct wedr_field_map *map, const char *prefix)
{
    struct wedr_text t = of(prefix);
    if (map->sealed) {
        return WEDR_E_STATE;
    }
    if (t.len == 0 || t.len > MAP_NAME_MAX) {
        return WEDR_E_INVAL;
    }
    if (map->prefix_count == WEDR_MAP_PREFIXES_MAX) {
        return WEDR_E_LIMIT;
    }
    int r = wedr_pool_text(&map->pool, t, &map->prefixes[map->prefix_count]);
    map->prefix_count += r == WEDR_OK;
    return r;
}

int wedr_field_map_pairs(struct wedr_field_map *map,
                         const char *array,
                         const char *name_key,
                         const char *value_key,
                         const char *prefix)
{
    if (map->sealed) {
        return WEDR_E_STATE;
    }
    if (map->pair_count == WEDR_MAP_PAIRS_MAX) {
        return WEDR_E_LIMIT;
    }
    struct wedr_map_pairs *p = &map->pairs[map->pair_count];
    const char *const from[] = {array, name_key, value_key, prefix};
    struct wedr_text *const to[] = {&p->array, &p->name_key, &p->value_key, &p->prefix};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(from); i++) {
        int r = strlen(from[i]) > MAP_NAME_MAX ? WEDR_E_INVAL
                                               : wedr_pool_text(&map->pool, of(from[i]), to[i]);
        if (r < 0) {
            return r;
        }
    }
    map->pair_count++;
    return WEDR_OK;
}

size_t wedr_map_strip(const struct wedr_field_map *map, const char *name, size_t len)
{
    size_t best = 0;
    for (uint32_t i = 0; i < map->prefix_count; i++) {
        const struct wedr_text *p = &map->prefixes[i];
        if (p->len <= len && p->len > best && memcmp(p->p, name, p->len) == 0) {
            best = p->len;
        }
    }
    return best;
}

static int copy_condition(struct wedr_field_map *map,
                          const struct wedr_selector_condition *from,
                          struct wedr_map_condition *to)
{
    int r = source_add(map, of(from->source), &to->source);
    if (r < 0 || !from->value) {
        return r;
    }
    char folded[WEDR_FOLD_MAX(SELECTOR_VALUE_MAX)];
    size_t len = strlen(from->value);
    if (len > SELECTOR_VALUE_MAX) {
        return WEDR_E_LIMIT;
    }
    return wedr_pool_text(&map->pool, wedr_text(folded, wedr_fold(from->value, len, folded)),
                          &to->value);
}

int wedr_field_map_select(struct wedr_field_map *map,
                          const struct wedr_selector_condition *conditions,
                          size_t count,
                          uint32_t view,
                          const char *class_name)
{
    struct wedr_map_selector s = {
        .count = (uint32_t)count, .view = view, .event_class = WEDR_IR_NONE};
    if (map->sealed) {
        return WEDR_E_STATE;
    }
    if (count == 0 || count > WEDR_SELECTOR_CONDITIONS_MAX || !conditions[0].value) {
        return WEDR_E_INVAL;
    }
    for (size_t i = 0; i < count; i++) {
        int r = copy_condition(map, &conditions[i], &s.conditions[i]);
        if (r < 0) {
            return r;
        }
    }
    if (class_name) {
        s.event_class = wedr_ruleset_class_find(map->rs, class_name, strlen(class_name));
        if (s.event_class == WEDR_IR_NONE && view == 0) {
            return WEDR_OK; /* no rule would know */
        }
    }
    return wedr_vec_push(&map->pool, &map->selectors, &s, 1, sizeof(s));
}

static uint32_t selector_hash(uint32_t source, struct wedr_text folded)
{
    return wedr_hash_bytes(folded.p, folded.len, source + 1);
}

static int seal_binds(struct wedr_field_map *map)
{
    for (uint32_t s = 0; s < map->sources.count; s++) {
        source_at(map, s)->bind_count = 0;
    }
    const struct wedr_map_entry *e = map->entries.p;
    for (size_t i = 0; i < map->entries.count; i++) {
        source_at(map, e[i].source)->bind_count++;
    }
    uint32_t first = 0;
    for (uint32_t s = 0; s < map->sources.count; s++) {
        struct wedr_map_source *source = source_at(map, s);
        source->bind_first = first;
        first += source->bind_count;
        source->bind_count = 0;
    }
    int r = wedr_vec_push(&map->pool, &map->binds, NULL, map->entries.count,
                          sizeof(struct wedr_map_bind));
    for (size_t i = 0; r == WEDR_OK && i < map->entries.count; i++) {
        struct wedr_map_source *source = source_at(map, e[i].source);
        struct wedr_map_bind b = {e[i].view, e[i].field};
        *WEDR_VEC_AT(struct wedr_map_bind, map->binds, source->bind_first + source->bind_count++) =
            b;
    }
    wedr_vec_fini(&map->pool, &map->entries, sizeof(struct wedr_map_entry));
    return r;
}

int wedr_field_map_seal(struct wedr_field_map *map)
{
    int r = map->sealed ? WEDR_E_STATE : seal_binds(map);
    for (uint32_t i = 0; r == WEDR_OK && i < map->selectors.count; i++) {
        const struct wedr_map_selector *s =
            WEDR_VEC_AT(struct wedr_map_selector, map->selectors, i);
        const struct wedr_map_condition *c = &s->conditions[0];
        struct wedr_map_source *source = source_at(map, c->source);
        if (!source->selects) {
            source->selects = true;
            r = wedr_vec_push(&map->pool, &map->keys, &c->source, 1, sizeof(c->source));
        }
        if (r == WEDR_OK) {
            r = wedr_index_add(&map->pool, &map->selector_index, selector_hash(c->source, c->value),
                               i);
        }
    }
    map->sealed |= r == WEDR_OK;
    return r;
}

struct wedr_map_probe {
    const struct wedr_field_map *map;
    struct wedr_rule_event *ev;
    uint32_t source;
    struct wedr_text folded;
    uint32_t view, view_selector; /* the first selector that names a view wins */
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

static bool holds(struct wedr_rule_event *ev, const struct wedr_map_condition *c)
{
    for (uint32_t i = head_of(ev, c->source); i != WEDR_IR_NONE; i = next_of(ev, i)) {
        if (!is_null(ev, i) &&
            (!c->value.p || wedr_text_equal(wedr_rule_event_text(ev, i), c->value, false))) {
            return true;
        }
    }
    return false;
}

/* Called for every selector with the hash of the value: takes those that hold, ends no search. */
static bool try_selector(const void *ctx, uint32_t id)
{
    struct wedr_map_probe *p = *(struct wedr_map_probe *const *)ctx;
    const struct wedr_map_selector *s =
        WEDR_VEC_AT(struct wedr_map_selector, p->map->selectors, id);
    const struct wedr_map_condition *c = &s->conditions[0];
    if (c->source != p->source || c->value.len != p->folded.len ||
        memcmp(c->value.p, p->folded.p, p->folded.len) != 0) {
        return false;
    }
    for (uint32_t i = 1; i < s->count; i++) {
        if (!holds(p->ev, &s->conditions[i])) {
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

/* Classes and view. */
static uint32_t select_view(const struct wedr_field_map *map, struct wedr_rule_event *ev)
{
    char folded[WEDR_FOLD_MAX(SELECTOR_VALUE_MAX)];
    struct wedr_map_probe probe = {.map = map, .ev = ev, .view_selector = WEDR_IR_NONE};
    struct wedr_map_probe *ctx = &probe;
    uint32_t tries = 0;
    for (uint32_t i = 0; i < ev->count && tries < SELECTOR_TRIES_MAX; i++) {
        uint32_t source = ev->values[i].source;
        if (source == WEDR_IR_NONE || !source_at(map, source)->selects || is_null(ev, i)) {
            continue;
        }
        struct wedr_text t = wedr_rule_event_text(ev, i);
        tries++;
        if (t.len <= SELECTOR_VALUE_MAX) {
            probe.source = source;
            probe.folded = wedr_text(folded, wedr_fold(t.p, t.len, folded));
            (void)wedr_index_find(&map->selector_index, selector_hash(source, probe.folded),
                                  try_selector, &ctx);
        }
    }
    return probe.view;
}

static int bind_field(struct wedr_rule_event *ev, uint32_t index, uint32_t field)
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

int wedr_map_bind(const struct wedr_field_map *map, struct wedr_rule_event *ev)
{
    uint32_t view = select_view(map, ev);
    uint32_t count = ev->count;
    for (uint32_t i = 0; i < count; i++) {
        if (ev->values[i].source == WEDR_IR_NONE) {
            continue;
        }
        const struct wedr_map_source *s = source_at(map, ev->values[i].source);
        bool bound = false;
        for (uint32_t b = 0; b < s->bind_count; b++) {
            const struct wedr_map_bind *bind =
                WEDR_VEC_AT(struct wedr_map_bind, map->binds, s->bind_first + b);
            if (bind->view == 0 || bind->view == view) {
                bound = true;
                int r = bind_field(ev, i, bind->field);
                if (r < 0) {
                    return r;
                }
            }
        }
        if (!bound) {
            int r = bind_field(ev, i, s->identity);
            if (r < 0) {
                return r;
            }
        }
    }
    return WEDR_OK;
}
