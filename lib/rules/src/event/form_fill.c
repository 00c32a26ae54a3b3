/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/form_fill.c — one document of a form: conditions first, then only values that
 * rules of its classes ask for. */
#include "core/base/err.h"
#include "event/form.h"
#include <string.h>

/* One value of a document that went into the event: count elements from `first` on. */
struct placed {
    uint32_t key, first, count;
};

struct fill {
    const struct wedr_form *f;
    struct wedr_rule_event *ev;
    const struct wedr_form_use *uses; /* of the view */
    uint32_t mask;                    /* classes of the event, ANY among them */
    bool all;                         /* keywords: every value */
    struct placed placed[WEDR_FORM_KEYS_MAX];
    uint32_t placed_count;
};

static const char *string_end(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        p += *p == '\\' && p + 1 < end;
    }
    return p < end ? p + 1 : end;
}

/* The next element of an array, *at behind it; false at the end. */
static bool next_element(const char **at, const char *end, struct wedr_text *ret)
{
    const char *p = *at;
    while (p < end && (*p == '[' || *p == ',' || *p == ' ')) {
        p++;
    }
    if (p >= end || *p == ']') {
        return false;
    }
    const char *first = p;
    if (*p == '"') {
        p = string_end(p, end);
    } else {
        while (p < end && *p != ',' && *p != ']') {
            p++;
        }
    }
    *ret = wedr_text(first, (size_t)(p - first));
    *at = p;
    return true;
}

static void read_number(struct wedr_rule_value *v, struct wedr_text t)
{
    uint64_t n = 0;
    uint32_t i = 0;
    for (; i < t.len && i < 18 && t.p[i] >= '0' && t.p[i] <= '9'; i++) {
        n = n * 10 + (uint64_t)(t.p[i] - '0');
    }
    if (i == t.len && i > 0) {
        v->number = wedr_number_i64((int64_t)n);
    } else if (wedr_number_parse(t.p, t.len, &v->number) < 0) {
        return; /* no JSON: null */
    }
    v->kind = WEDR_VALUE_NUMBER;
    v->text = t;
}

static void read_scalar(struct wedr_rule_value *v, struct wedr_text t)
{
    if (t.len >= 2 && t.p[0] == '"') {
        v->kind = WEDR_VALUE_TEXT;
        v->text = wedr_text(t.p + 1, t.len - 2);
        v->escaped = t.len > 2 && memchr(v->text.p, '\\', v->text.len) != NULL;
    } else if (t.len > 0 && (t.p[0] == 't' || t.p[0] == 'f')) {
        v->kind = WEDR_VALUE_BOOL;
        v->boolean = t.p[0] == 't';
        v->text = t;
    } else if (t.len > 0 && t.p[0] != 'n') {
        read_number(v, t);
    }
}

static bool is_null(struct wedr_text t)
{
    return t.len == 0 || t.p[0] == 'n';
}

/* Whether an element of a document is the text that a condition wants. */
static bool equals(struct wedr_text element, struct wedr_text want)
{
    char room[6 * WEDR_MAP_VALUE_MAX];
    struct wedr_rule_value v = {.kind = WEDR_VALUE_NULL};
    if (is_null(element)) {
        return false;
    }
    if (!want.p) {
        return true;
    }
    read_scalar(&v, element);
    if (v.escaped) {
        if (v.text.len > sizeof(room)) {
            return false;
        }
        v.text = wedr_text(room, wedr_json_unescape(v.text.p, v.text.len, room));
    }
    return v.kind != WEDR_VALUE_NULL && wedr_text_equal(v.text, want, false);
}

static bool holds(struct wedr_text value, struct wedr_text want)
{
    if (value.len == 0 || value.p[0] != '[') {
        return equals(value, want);
    }
    const char *at = value.p;
    struct wedr_text element;
    while (next_element(&at, value.p + value.len, &element)) {
        if (equals(element, want)) {
            return true;
        }
    }
    return false;
}

/* The conditions that hold, as bits. */
static uint64_t
conditions(const struct wedr_form *f, const struct wedr_form_value *values, size_t count)
{
    uint64_t held = 0;
    for (size_t i = 0; f->condition_count > 0 && i < count; i++) {
        uint64_t left = wedr_form_place(f, values[i].key)->conditions & ~held;
        struct wedr_text t = wedr_text(values[i].p, values[i].len);
        for (uint32_t c = 0; left != 0; c++, left >>= 1) {
            if ((left & 1) != 0 && holds(t, f->conditions[c].value)) {
                held |= UINT64_C(1) << c;
            }
        }
    }
    return held;
}

/* Classes and view. */
static uint32_t select_view(struct fill *x, uint64_t held)
{
    const struct wedr_form *f = x->f;
    uint32_t view = 0;
    for (uint32_t i = 0; i < f->selectors.count; i++) {
        const struct wedr_form_selector *s =
            WEDR_VEC_AT(const struct wedr_form_selector, f->selectors, i);
        if ((s->needs & ~held) != 0) {
            continue;
        }
        view = view == 0 ? s->view_index : view;
        if ((s->mask & ~x->mask) != 0) {
            x->mask |= s->mask;
            (void)wedr_rule_event_add_class(x->ev, s->event_class); /* the form has no more */
        }
    }
    return view;
}

static int place_one(struct fill *x, uint32_t key, struct wedr_text t)
{
    const struct wedr_form_place *place = wedr_form_place(x->f, key);
    struct wedr_rule_value *v = wedr_event_push(x->ev);
    if (!v) {
        return WEDR_E_LIMIT;
    }
    v->source = place->source;
    v->name = place->name;
    read_scalar(v, t);
    return WEDR_OK;
}

static int place_value(struct fill *x, uint32_t key, struct wedr_text t)
{
    struct placed p = {.key = key, .first = x->ev->count};
    int r = WEDR_OK;
    if (!x->all && (x->uses[key].mask & x->mask) == 0) {
        return WEDR_OK;
    }
    if (t.len > 0 && t.p[0] == '[') {
        const char *at = t.p;
        struct wedr_text element;
        while (r == WEDR_OK && next_element(&at, t.p + t.len, &element)) {
            r = place_one(x, key, element);
        }
    } else {
        r = place_one(x, key, t);
    }
    p.count = x->ev->count - p.first;
    if (r == WEDR_OK && x->placed_count < WEDR_FORM_KEYS_MAX) {
        x->placed[x->placed_count++] = p;
    }
    return r;
}

/* Constants stand where their keys do. */
static int place_all(struct fill *x, const struct wedr_form_value *values, size_t count)
{
    const uint32_t *constants = x->f->constants.p;
    size_t c = 0;
    int r = WEDR_OK;
    for (size_t i = 0; r == WEDR_OK && i <= count; i++) {
        while (r == WEDR_OK && c < x->f->constants.count &&
               (i == count || constants[c] < values[i].key)) {
            r = place_value(x, constants[c], wedr_form_place(x->f, constants[c])->constant);
            c++;
        }
        if (r == WEDR_OK && i < count) {
            r = place_value(x, values[i].key, wedr_text(values[i].p, values[i].len));
        }
    }
    return r;
}

static uint32_t value_of(const void *ctx, uint32_t source)
{
    const struct fill *x = ctx;
    for (uint32_t i = 0; i < x->placed_count; i++) {
        const struct placed *p = &x->placed[i];
        for (uint32_t k = p->first;
             wedr_form_place(x->f, p->key)->source == source && k < p->first + p->count; k++) {
            if (x->ev->values[k].kind != WEDR_VALUE_NULL) {
                return k;
            }
        }
    }
    return WEDR_IR_NONE;
}

/* Fields of one value, then what is made of it. */
static int bind_one(struct fill *x, const struct wedr_form_use *use, uint32_t index)
{
    int r = WEDR_OK;
    for (uint32_t b = 0; r == WEDR_OK && b < use->bind_count; b++) {
        const struct wedr_form_bind *bind =
            WEDR_VEC_AT(const struct wedr_form_bind, x->f->binds, use->bind_first + b);
        if ((bind->mask & x->mask) != 0) {
            r = wedr_event_bind(x->ev, index, bind->field);
        }
    }
    for (uint32_t d = 0; r == WEDR_OK && d < use->derived_count; d++) {
        const struct wedr_form_derived *derived =
            WEDR_VEC_AT(const struct wedr_form_derived, x->f->derived, use->derived_first + d);
        if ((derived->mask & x->mask) != 0) {
            r = wedr_map_derive(
                WEDR_VEC_AT(const struct wedr_map_derived, x->f->map->derived, derived->derived),
                x->ev, index, value_of, x);
        }
    }
    return r;
}

static int bind_all(struct fill *x)
{
    int r = WEDR_OK;
    for (uint32_t i = 0; r == WEDR_OK && i < x->placed_count; i++) {
        const struct placed *p = &x->placed[i];
        for (uint32_t k = 0; r == WEDR_OK && k < p->count; k++) {
            r = bind_one(x, &x->uses[p->key], p->first + k);
        }
    }
    return r;
}

int wedr_form_fill(const struct wedr_form *f,
                   const struct wedr_form_value *values,
                   size_t count,
                   struct wedr_rule_event *ev,
                   bool *ret_any)
{
    struct fill x;
    x.f = f;
    x.ev = ev;
    x.mask = WEDR_FORM_ANY;
    x.placed_count = 0;
    wedr_rule_event_clear(ev);
    *ret_any = false;
    if (f->live == 0) {
        return WEDR_OK;
    }
    uint32_t view = select_view(&x, conditions(f, values, count));
    if ((x.mask & f->live) == 0) {
        wedr_rule_event_clear(ev);
        return WEDR_OK;
    }
    x.all = (x.mask & f->keywords) != 0;
    x.uses = WEDR_VEC_AT(const struct wedr_form_use, f->uses, (size_t)view * f->key_count);
    int r = place_all(&x, values, count);
    r = r < 0 ? r : bind_all(&x);
    if (r < 0) {
        wedr_rule_event_clear(ev);
        return r;
    }
    *ret_any = true;
    return WEDR_OK;
}
