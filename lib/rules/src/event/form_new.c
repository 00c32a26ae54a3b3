/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/form_new.c — the map worked out for documents whose keys are known: which
 * selectors can hold at all, what is left to test, and where each key goes in each view. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "event/form.h"
#include <string.h>

#define FORM_MEMORY_MAX ((size_t)64 << 20)

/* JSON text of a constant scalar without its quotes; constants have no escapes. */
static struct wedr_text plain(struct wedr_text json)
{
    return json.len >= 2 && json.p[0] == '"' ? wedr_text(json.p + 1, json.len - 2) : json;
}

static int add_place(struct wedr_form *f, const struct wedr_form_key *key)
{
    struct wedr_form_place place = {.source = WEDR_IR_NONE};
    size_t len = strlen(key->name);
    const char *dot = strrchr(key->name, '.');
    for (uint32_t i = 0; i < f->map->pair_count; i++) {
        if (strcmp(f->map->pairs[i].array.p, key->name) == 0) {
            return WEDR_E_INVAL;
        }
    }
    int r = wedr_pool_text(&f->pool,
                           dot ? wedr_text(dot + 1, len - (size_t)(dot + 1 - key->name))
                               : wedr_text(key->name, len),
                           &place.name);
    if (r == WEDR_OK && key->constant) {
        r = wedr_pool_text(&f->pool, wedr_text(key->constant, strlen(key->constant)),
                           &place.constant);
    }
    size_t skip = wedr_map_strip(f->map, key->name, len);
    if (skip < len) {
        place.source = wedr_map_find(f->map, key->name + skip, len - skip);
    }
    return r < 0 ? r : wedr_vec_push(&f->pool, &f->places, &place, 1, sizeof(place));
}

static uint32_t key_of(const struct wedr_form *f, uint32_t source)
{
    for (uint32_t k = 0; k < f->key_count; k++) {
        if (wedr_form_place(f, k)->source == source) {
            return k;
        }
    }
    return WEDR_IR_NONE;
}

static bool same_condition(const struct wedr_form_condition *a, const struct wedr_form_condition *b)
{
    return a->key == b->key && !a->value.p == !b->value.p && a->value.len == b->value.len &&
           (!a->value.p || memcmp(a->value.p, b->value.p, a->value.len) == 0);
}

/* A condition's bit; 0 when it always holds. False: it never does. */
static bool
condition_bit(struct wedr_form *f, const struct wedr_map_condition *c, uint64_t *ret_bit, int *err)
{
    struct wedr_form_condition want = {key_of(f, c->source), c->value};
    *ret_bit = 0;
    if (want.key == WEDR_IR_NONE) {
        return false;
    }
    const struct wedr_form_place *place = wedr_form_place(f, want.key);
    if (place->constant.p) {
        return !c->value.p || wedr_text_equal(plain(place->constant), c->value, false);
    }
    uint32_t at = 0;
    while (at < f->condition_count && !same_condition(&f->conditions[at], &want)) {
        at++;
    }
    if (at == WEDR_FORM_CONDITIONS_MAX) {
        *err = WEDR_E_LIMIT;
        return false;
    }
    f->conditions[at] = want;
    f->condition_count += at == f->condition_count;
    wedr_form_place(f, want.key)->conditions |= UINT64_C(1) << at;
    *ret_bit = UINT64_C(1) << at;
    return true;
}

static int view_index(struct wedr_form *f, uint32_t view, uint32_t *ret_index)
{
    for (uint32_t i = 0; i < f->view_count; i++) {
        if (f->views[i] == view) {
            *ret_index = i;
            return WEDR_OK;
        }
    }
    if (f->view_count == WEDR_FORM_VIEWS_MAX) {
        return WEDR_E_LIMIT;
    }
    f->views[f->view_count] = view;
    *ret_index = f->view_count++;
    return WEDR_OK;
}

static int class_mask(struct wedr_form *f, uint32_t event_class, uint32_t *ret_mask)
{
    uint32_t i = 0;
    if (event_class == WEDR_IR_NONE) {
        *ret_mask = 0;
        return WEDR_OK;
    }
    while (i < f->class_count && f->classes[i] != event_class) {
        i++;
    }
    if (i == WEDR_EVENT_CLASSES_MAX) {
        return WEDR_E_LIMIT;
    }
    f->classes[i] = event_class;
    f->class_count += i == f->class_count;
    *ret_mask = 1u << i;
    return WEDR_OK;
}

/* Takes back conditions from `count` on. */
static void forget(struct wedr_form *f, uint32_t count)
{
    for (uint32_t c = count; c < f->condition_count; c++) {
        wedr_form_place(f, f->conditions[c].key)->conditions &= ~(UINT64_C(1) << c);
    }
    f->condition_count = count;
}

/* Keeps a selector that can hold. */
static int add_selector(struct wedr_form *f, const struct wedr_map_selector *from)
{
    struct wedr_form_selector s = {.event_class = from->event_class};
    uint32_t before = f->condition_count;
    int r = WEDR_OK;
    for (uint32_t i = 0; i < from->count; i++) {
        uint64_t bit;
        if (!condition_bit(f, &from->conditions[i], &bit, &r)) {
            forget(f, before);
            return r;
        }
        s.needs |= bit;
    }
    r = view_index(f, from->view, &s.view_index);
    r = r < 0 ? r : class_mask(f, from->event_class, &s.mask);
    return r < 0 ? r : wedr_vec_push(&f->pool, &f->selectors, &s, 1, sizeof(s));
}

static int add_bind(struct wedr_form *f, struct wedr_form_use *use, uint32_t field, uint32_t mask)
{
    struct wedr_form_bind b = {field, mask};
    if (field == WEDR_IR_NONE || mask == 0) {
        return WEDR_OK;
    }
    use->mask |= mask;
    use->bind_count++;
    return wedr_vec_push(&f->pool, &f->binds, &b, 1, sizeof(b));
}

/* Where a key goes in a view: as bind.c does it. */
static int add_use(struct wedr_form *f, uint32_t view, uint32_t key, const uint32_t *masks)
{
    struct wedr_form_use use = {.bind_first = (uint32_t)f->binds.count,
                                .derived_first = (uint32_t)f->derived.count};
    uint32_t id = wedr_form_place(f, key)->source;
    bool bound = false;
    int r = WEDR_OK;
    const struct wedr_map_source *s = id == WEDR_IR_NONE ? NULL : wedr_map_source_at(f->map, id);
    for (uint32_t b = 0; s && r == WEDR_OK && b < s->bind_count; b++) {
        const struct wedr_map_bind *bind =
            WEDR_VEC_AT(const struct wedr_map_bind, f->map->binds, s->bind_first + b);
        if (bind->view == 0 || bind->view == view) {
            bound = true;
            r = add_bind(f, &use, bind->field,
                         bind->field == WEDR_IR_NONE ? 0 : masks[bind->field]);
        }
    }
    if (r == WEDR_OK && s && !bound && s->identity != WEDR_IR_NONE) {
        r = add_bind(f, &use, s->identity, masks[s->identity]);
    }
    for (uint32_t d = 0; s && r == WEDR_OK && d < s->derived_count; d++) {
        struct wedr_form_derived to = {.derived = s->derived_first + d};
        const struct wedr_map_derived *from =
            WEDR_VEC_AT(const struct wedr_map_derived, f->map->derived, to.derived);
        to.mask = masks[from->field] | f->keywords;
        if ((from->view == 0 || from->view == view) && to.mask != 0) {
            use.derived_count++;
            use.mask |= to.mask;
            r = wedr_vec_push(&f->pool, &f->derived, &to, 1, sizeof(to));
        }
    }
    return r < 0 ? r : wedr_vec_push(&f->pool, &f->uses, &use, 1, sizeof(use));
}

/* A key that only stands in templates is needed by them. */
static void need_parts(struct wedr_form *f, uint32_t view_at)
{
    struct wedr_form_use *uses =
        WEDR_VEC_AT(struct wedr_form_use, f->uses, (size_t)view_at * f->key_count);
    for (uint32_t k = 0; k < f->key_count; k++) {
        for (uint32_t d = 0; d < uses[k].derived_count; d++) {
            const struct wedr_form_derived *to =
                WEDR_VEC_AT(const struct wedr_form_derived, f->derived, uses[k].derived_first + d);
            const struct wedr_map_derived *from =
                WEDR_VEC_AT(const struct wedr_map_derived, f->map->derived, to->derived);
            for (uint32_t p = 0; p < from->part_count; p++) {
                for (uint32_t other = 0; other < f->key_count; other++) {
                    if (wedr_form_place(f, other)->source == from->parts[p].source) {
                        uses[other].mask |= to->mask;
                    }
                }
            }
        }
    }
}

static int add_uses(struct wedr_form *f)
{
    uint32_t fields = wedr_ruleset_field_count(f->map->rs);
    struct wedr_vec masks = {0};
    int r = wedr_vec_push(&f->pool, &masks, NULL, (size_t)fields + 1, sizeof(uint32_t));
    r = r < 0 ? r : wedr_form_needs(f, masks.p);
    for (uint32_t v = 0; v < f->view_count; v++) {
        for (uint32_t k = 0; r == WEDR_OK && k < f->key_count; k++) {
            r = add_use(f, f->views[v], k, masks.p);
        }
        if (r == WEDR_OK && f->key_count > 0) {
            need_parts(f, v);
        }
    }
    wedr_vec_fini(&f->pool, &masks, sizeof(uint32_t));
    return r;
}

static int note_wanted(struct wedr_form *f)
{
    int r = WEDR_OK;
    for (uint32_t k = 0; r == WEDR_OK && k < f->key_count; k++) {
        struct wedr_form_place *place = wedr_form_place(f, k);
        bool used = f->keywords != 0;
        for (uint32_t v = 0; v < f->view_count; v++) {
            used |=
                WEDR_VEC_AT(struct wedr_form_use, f->uses, (size_t)v * f->key_count + k)->mask != 0;
        }
        place->wanted = (used || place->conditions != 0) && !place->constant.p;
        if (used && place->constant.p) {
            r = wedr_vec_push(&f->pool, &f->constants, &k, 1, sizeof(k));
        }
    }
    return r;
}

int wedr_form_new(const struct wedr_field_map *map,
                  const struct wedr_form_key *keys,
                  size_t count,
                  struct wedr_form **ret_form)
{
    if (!map->sealed) {
        return WEDR_E_STATE;
    }
    if (count > WEDR_FORM_KEYS_MAX) {
        return WEDR_E_LIMIT;
    }
    struct wedr_form *f = wedr_alloc(1, sizeof(*f));
    if (!f) {
        return WEDR_E_NOMEM;
    }
    f->map = map;
    f->pool.memory_max = FORM_MEMORY_MAX;
    f->key_count = (uint32_t)count;
    f->view_count = 1; /* view 0 */
    int r = WEDR_OK;
    for (size_t i = 0; r == WEDR_OK && i < count; i++) {
        r = add_place(f, &keys[i]);
    }
    for (uint32_t i = 0; r == WEDR_OK && i < map->selectors.count; i++) {
        r = add_selector(f, WEDR_VEC_AT(const struct wedr_map_selector, map->selectors, i));
    }
    r = r < 0 ? r : add_uses(f);
    r = r < 0 ? r : note_wanted(f);
    if (r < 0) {
        wedr_form_free(f);
        return r;
    }
    *ret_form = f;
    return WEDR_OK;
}

void wedr_form_free(struct wedr_form *f)
{
    if (f) {
        wedr_vec_fini(&f->pool, &f->places, sizeof(struct wedr_form_place));
        wedr_vec_fini(&f->pool, &f->selectors, sizeof(struct wedr_form_selector));
        wedr_vec_fini(&f->pool, &f->uses, sizeof(struct wedr_form_use));
        wedr_vec_fini(&f->pool, &f->binds, sizeof(struct wedr_form_bind));
        wedr_vec_fini(&f->pool, &f->derived, sizeof(struct wedr_form_derived));
        wedr_vec_fini(&f->pool, &f->constants, sizeof(uint32_t));
        wedr_pool_fini(&f->pool);
        wedr_free(f);
    }
}

size_t wedr_form_memory(const struct wedr_form *f)
{
    return sizeof(*f) + f->pool.memory;
}

bool wedr_form_wanted(const struct wedr_form *f)
{
    return f->live != 0;
}

bool wedr_form_wants(const struct wedr_form *f, uint32_t key)
{
    return key < f->key_count && wedr_form_place(f, key)->wanted;
}
