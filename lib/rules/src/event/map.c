/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/map.c — the field map: built, sealed, then looked up per key. bind.c applies it
 * to events. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "event/event.h"
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define MAP_MEMORY_MAX ((size_t)16 << 20)

static struct wedr_map_source *source_at(const struct wedr_field_map *map, uint32_t source)
{
    return wedr_map_source_at(map, source);
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

int wedr_map_source_add(struct wedr_field_map *map, struct wedr_text name, uint32_t *ret_source)
{
    if (name.len == 0 || name.len > WEDR_MAP_NAME_MAX) {
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
        r = wedr_map_source_add(map, wedr_ruleset_field_name(rs, i), &source);
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
    wedr_vec_fini(&map->pool, &map->derived, sizeof(struct wedr_map_derived));
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
    int r = wedr_map_source_add(map, of(source), &e.source);
    return r == WEDR_OK ? wedr_vec_push(&map->pool, &map->entries, &e, 1, sizeof(e)) : r;
}

int wedr_field_map_prefix(struct wedr_field_map *map, const char *prefix)
{
    struct wedr_text t = of(prefix);
    if (map->sealed) {
        return WEDR_E_STATE;
    }
    if (t.len == 0 || t.len > WEDR_MAP_NAME_MAX) {
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
        int r = strlen(from[i]) > WEDR_MAP_NAME_MAX
                    ? WEDR_E_INVAL
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

int wedr_map_folded(struct wedr_field_map *map, const char *value, struct wedr_text *ret_text)
{
    char folded[WEDR_FOLD_MAX(WEDR_MAP_VALUE_MAX)];
    size_t len = strlen(value);
    if (len <= WEDR_MAP_VALUE_MAX) {
        len = wedr_fold(value, len, folded);
    }
    return len > WEDR_MAP_VALUE_MAX ? WEDR_E_LIMIT
                                    : wedr_pool_text(&map->pool, wedr_text(folded, len), ret_text);
}

static int copy_condition(struct wedr_field_map *map,
                          const struct wedr_selector_condition *from,
                          struct wedr_map_condition *to)
{
    int r = wedr_map_source_add(map, of(from->source), &to->source);
    if (r < 0 || !from->value) {
        return r;
    }
    return wedr_map_folded(map, from->value, &to->value);
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
    if (count == 0 || count > WEDR_SELECTOR_CONDITIONS_MAX) {
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
    if (map->selectors.count == WEDR_MAP_SELECTORS_MAX) {
        return WEDR_E_LIMIT;
    }
    return wedr_vec_push(&map->pool, &map->selectors, &s, 1, sizeof(s));
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

/* Pairs with a dotted name are found by the names of their two values. */
static int seal_pairs(struct wedr_field_map *map)
{
    char name[2 * WEDR_MAP_NAME_MAX + 1];
    int r = WEDR_OK;
    for (uint32_t i = 0; r == WEDR_OK && i < map->pair_count; i++) {
        struct wedr_map_pairs *p = &map->pairs[i];
        const struct wedr_text keys[2] = {p->name_key, p->value_key};
        uint32_t *const to[2] = {&p->name_source, &p->value_source};
        p->dotted = p->name_key.len > 0 && memchr(p->name_key.p, '.', p->name_key.len) != NULL;
        map->dotted_pairs |= p->dotted;
        for (size_t k = 0; p->dotted && r == WEDR_OK && k < 2; k++) {
            int n = snprintf(name, sizeof(name), "%s.%s", p->array.p, keys[k].p);
            size_t len = n < 0 ? 0 : (size_t)n;
            size_t skip = wedr_map_strip(map, name, len);
            r = wedr_map_source_add(map, wedr_text(name + skip, len - skip), to[k]);
            if (r == WEDR_OK) {
                map->paired_bits |= UINT64_C(1) << (*to[k] % 64);
            }
        }
    }
    return r;
}

int wedr_field_map_seal(struct wedr_field_map *map)
{
    int r = map->sealed ? WEDR_E_STATE : seal_pairs(map);
    r = r < 0 ? r : seal_binds(map);
    for (uint32_t i = 0; r == WEDR_OK && i < map->selectors.count; i++) {
        const struct wedr_map_selector *s =
            WEDR_VEC_AT(struct wedr_map_selector, map->selectors, i);
        const struct wedr_map_condition *c = &s->conditions[0];
        struct wedr_map_source *source = source_at(map, c->source);
        source->selects |= c->value.p != NULL;
        source->selects_there |= c->value.p == NULL;
        r = wedr_index_add(&map->pool, &map->selector_index,
                           wedr_map_selector_hash(c->source, c->value), i);
    }
    r = r < 0 ? r : wedr_map_seal_derived(map);
    if (r == WEDR_OK) {
        static atomic_uint_fast64_t serials;
        map->serial = (uint64_t)atomic_fetch_add(&serials, 1) + 1;
        map->sealed = true;
    }
    return r;
}
