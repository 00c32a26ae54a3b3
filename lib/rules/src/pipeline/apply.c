/* SPDX-License-Identifier: Apache-2.0
 * rules/src/pipeline/apply.c — pipelines to a field map. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "pipeline/tree.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include <string.h>

#define CLASSES_MAX 48u /* of one event, generalised */

struct apply {
    struct wedr_field_map *map;
    const struct wedr_ruleset *rs;
    const struct wedr_yaml *tree;
    bool keep_names;
    uint32_t view_base; /* views of this pipeline are view_base + 1 ... */
    struct wedr_selector_condition conditions[WEDR_SELECTOR_CONDITIONS_MAX];
    uint32_t view;
    char classes[CLASSES_MAX][WEDR_SIGMA_CLASS_MAX];
    uint32_t class_count;
};

static int add_words(struct apply *a, uint32_t view, const struct wedr_yaml *y)
{
    int e = WEDR_OK;
    for (const struct wedr_yaml *f = y->first; e == WEDR_OK && f; f = f->next) {
        for (const struct wedr_yaml *w = f->first; e == WEDR_OK && w; w = w->next) {
            e = wedr_field_map_value(a->map, view, y->key.p, w->key.p, f->key.p, w->text.p);
        }
    }
    return e;
}

/* What one key is called; a key with braces is a template. */
static int add_field(struct apply *a, uint32_t view, const struct wedr_yaml *y)
{
    bool template = strchr(y->key.p, '{') != NULL;
    const struct wedr_yaml *f = y->kind == WEDR_YAML_LIST ? y->first : y;
    int e = WEDR_OK;
    for (; e == WEDR_OK && f; f = y->kind == WEDR_YAML_LIST ? f->next : NULL) {
        e = template ? wedr_field_map_compose(a->map, view, y->key.p, f->text.p)
                     : wedr_field_map_add(a->map, view, y->key.p, f->text.p);
    }
    if (e == WEDR_OK && a->keep_names && !template &&
        wedr_ruleset_field_find(a->rs, y->key.p, y->key.len) != WEDR_IR_NONE) {
        e = wedr_field_map_add(a->map, view, y->key.p, y->key.p);
    }
    return e;
}

static int add_fields(struct apply *a, uint32_t view, const struct wedr_yaml *map)
{
    int e = WEDR_OK;
    for (const struct wedr_yaml *y = map ? map->first : NULL; e == WEDR_OK && y; y = y->next) {
        e = y->kind == WEDR_YAML_MAP ? add_words(a, view, y) : add_field(a, view, y);
    }
    return e;
}

static int add_prefixes(struct apply *a)
{
    const struct wedr_yaml *list = wedr_yaml_get(a->tree, "prefixes");
    const struct wedr_yaml *y = list && list->kind == WEDR_YAML_LIST ? list->first : list;
    for (; y; y = list->kind == WEDR_YAML_LIST ? y->next : NULL) {
        int e = wedr_field_map_prefix(a->map, y->text.p);
        if (e < 0) {
            return e;
        }
    }
    list = wedr_yaml_get(a->tree, "pairs");
    for (y = list ? list->first : NULL; y; y = y->next) {
        const struct wedr_yaml *prefix = wedr_yaml_get(y, "prefix");
        int e = wedr_field_map_pairs(
            a->map, wedr_yaml_get(y, "array")->text.p, wedr_yaml_get(y, "name")->text.p,
            wedr_yaml_get(y, "value")->text.p, prefix ? prefix->text.p : "");
        if (e < 0) {
            return e;
        }
    }
    return WEDR_OK;
}

static void add_class(struct apply *a, const char *name, size_t len)
{
    bool wanted = len > 0 && a->class_count < CLASSES_MAX &&
                  wedr_ruleset_class_find(a->rs, name, len) != WEDR_IR_NONE;
    for (uint32_t i = 0; wanted && i < a->class_count; i++) {
        wanted = strcmp(a->classes[i], name) != 0;
    }
    if (wanted) {
        memcpy(a->classes[a->class_count++], name, len + 1);
    }
}

/* The class and, as rules may say less than an event does, every class that leaves parts out. */
static void add_classes(struct apply *a, const char *source)
{
    struct wedr_text parts[3];
    char name[WEDR_SIGMA_CLASS_MAX];
    if (wedr_pipeline_is_waza(source)) {
        add_class(a, source, strlen(source) < sizeof(name) ? strlen(source) : 0);
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        size_t len = strcspn(source, "/");
        parts[i] = wedr_text(source, len == 1 && *source == '*' ? 0 : len);
        source += len + (source[len] == '/');
    }
    for (unsigned keep = 1; keep < 8; keep++) {
        struct wedr_text some[3];
        bool said = true;
        for (unsigned i = 0; i < 3; i++) {
            some[i] = keep >> i & 1 ? parts[i] : wedr_text("", 0);
            said &= !(keep >> i & 1) || parts[i].len > 0;
        }
        if (said) {
            add_class(a, name, wedr_sigma_class_name(some[0], some[1], some[2], name));
        }
    }
}

static uint32_t view_of(const struct apply *a, const struct wedr_yaml *event)
{
    const struct wedr_yaml *view = wedr_yaml_get(event, "view");
    const struct wedr_yaml *views = wedr_yaml_get(a->tree, "views");
    uint32_t n = 0;
    for (const struct wedr_yaml *v = view && views ? views->first : NULL; v; v = v->next) {
        n++;
        if (wedr_text_is(v->key, view->text.p)) {
            return a->view_base + n;
        }
    }
    return 0;
}

/* All conditions are chosen: the classes, and the view with the first of them. */
static int select_all(struct apply *a, uint32_t count)
{
    struct wedr_selector_condition *c = a->conditions;
    for (uint32_t i = 1; i < count && !c[0].value; i++) { /* selectors are found by a value */
        struct wedr_selector_condition swap = c[0];
        c[0] = c[i];
        c[i] = swap;
    }
    int e = WEDR_OK;
    if (a->class_count == 0 && a->view != 0) {
        return wedr_field_map_select(a->map, c, count, a->view, NULL);
    }
    for (uint32_t i = 0; e == WEDR_OK && i < a->class_count; i++) {
        e = wedr_field_map_select(a->map, c, count, i == 0 ? a->view : 0, a->classes[i]);
    }
    return e;
}

/* Chooses a value for condition `at` and those behind it: every combination is a selector. */
static int
combine(struct apply *a, const struct wedr_yaml *form, const struct wedr_yaml *when, uint32_t at)
{
    if (!when) {
        struct wedr_selector_condition saved[WEDR_SELECTOR_CONDITIONS_MAX];
        memcpy(saved, a->conditions, sizeof(saved));
        int e = select_all(a, at);
        memcpy(a->conditions, saved, sizeof(saved));
        return e;
    }
    const struct wedr_yaml *named = form ? wedr_yaml_get(form, when->key.p) : NULL;
    bool there = when->kind == WEDR_YAML_SCALAR && when->plain && wedr_text_is(when->text, "~");
    const struct wedr_yaml *v = when->kind == WEDR_YAML_LIST ? when->first : when;
    for (; v; v = when->kind == WEDR_YAML_LIST ? v->next : NULL) {
        a->conditions[at].source = named ? named->text.p : when->key.p;
        a->conditions[at].value = there ? NULL : v->text.p;
        int e = combine(a, form, when->next, at + 1);
        if (e < 0) {
            return e;
        }
    }
    return WEDR_OK;
}

static int add_event(struct apply *a, const struct wedr_yaml *event)
{
    const struct wedr_yaml *sources = wedr_yaml_get(event, "sources");
    const struct wedr_yaml *forms = wedr_yaml_get(a->tree, "forms");
    const struct wedr_yaml *when = wedr_yaml_get(event, "when");
    const struct wedr_yaml *s =
        sources && sources->kind == WEDR_YAML_LIST ? sources->first : sources;
    a->class_count = 0;
    for (; s; s = sources->kind == WEDR_YAML_LIST ? s->next : NULL) {
        add_classes(a, s->text.p);
    }
    a->view = view_of(a, event);
    int e = forms ? WEDR_OK : combine(a, NULL, when->first, 0);
    for (const struct wedr_yaml *f = forms ? forms->first : NULL; e == WEDR_OK && f; f = f->next) {
        e = combine(a, f, when->first, 0);
    }
    return e;
}

static int apply(struct apply *a)
{
    const struct wedr_yaml *views = wedr_yaml_get(a->tree, "views");
    const struct wedr_yaml *events = wedr_yaml_get(a->tree, "events");
    const struct wedr_yaml *keep = wedr_yaml_get(a->tree, "keep_names");
    uint32_t view = a->view_base;
    a->keep_names = keep && wedr_text_is(keep->text, "true");
    int e = add_prefixes(a);
    e = e < 0 ? e : add_fields(a, 0, wedr_yaml_get(a->tree, "fields"));
    for (const struct wedr_yaml *v = views ? views->first : NULL; e == WEDR_OK && v; v = v->next) {
        e = add_fields(a, ++view, v);
    }
    for (const struct wedr_yaml *v = events ? events->first : NULL; e == WEDR_OK && v;
         v = v->next) {
        e = add_event(a, v);
    }
    a->view_base = view;
    return e;
}

/* An event that names its log source itself belongs to every class that asks no more than that. */
static int add_named(struct apply *a)
{
    static const char *const keys[] = {"logsource.product", "logsource.category",
                                       "logsource.service"};
    int e = WEDR_OK;
    for (uint32_t i = 0; e == WEDR_OK && i < wedr_ruleset_class_count(a->rs); i++) {
        struct wedr_selector_condition c[3];
        char parts[3][WEDR_SIGMA_CLASS_MAX];
        const char *name = wedr_ruleset_class_name(a->rs, i).p;
        const char *at = name;
        size_t count = 0;
        size_t k = 0;
        for (; k < 3 && strlen(at) < WEDR_SIGMA_CLASS_MAX; k++) {
            size_t len = strcspn(at, "/");
            memcpy(parts[k], at, len);
            parts[k][len] = '\0';
            if (strcmp(parts[k], "*") != 0) {
                c[count++] = (struct wedr_selector_condition){keys[k], parts[k]};
            }
            at += len + (at[len] == '/');
        }
        if (k == 3 && *at == '\0' && count > 0 && !wedr_pipeline_is_waza(name)) {
            e = wedr_field_map_select(a->map, c, count, 0, name);
        }
    }
    return e;
}

const char *wedr_pipeline_builtin(size_t index, const char **ret_yaml, size_t *ret_len)
{
    size_t count = 0;
    while (count < index && wedr_pipeline_texts[count].name) {
        count++;
    }
    const struct wedr_pipeline_text *t = &wedr_pipeline_texts[count];
    if (t->name && ret_yaml) {
        *ret_yaml = t->yaml;
        *ret_len = t->len;
    }
    return t->name;
}

static bool is_given(const struct wedr_pipeline *const *v, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(wedr_pipeline_name(v[i]), name) == 0) {
            return true;
        }
    }
    return false;
}

static int add_builtin(struct apply *a,
                       const struct wedr_pipeline *const *given,
                       size_t count,
                       struct wedr_errinfo *ei)
{
    int e = WEDR_OK;
    for (const struct wedr_pipeline_text *t = wedr_pipeline_texts; e == WEDR_OK && t->name; t++) {
        struct wedr_pipeline *p;
        if (is_given(given, count, t->name)) {
            continue;
        }
        e = wedr_pipeline_read(t->yaml, t->len, &p, ei);
        if (e == WEDR_OK) {
            a->tree = p->tree;
            e = apply(a);
            wedr_pipeline_free(p);
        }
    }
    return e;
}

int wedr_pipeline_map(const struct wedr_ruleset *rs,
                      const struct wedr_pipeline *const *pipelines,
                      size_t count,
                      bool with_builtin,
                      struct wedr_field_map **ret_map,
                      struct wedr_errinfo *ei)
{
    if (count > WEDR_PIPELINES_MAX) {
        return wedr_fail(ei, WEDR_E_LIMIT, "more than %u pipelines", WEDR_PIPELINES_MAX);
    }
    struct apply *a = wedr_alloc(1, sizeof(*a));
    struct wedr_field_map *map = a ? wedr_field_map_new(rs) : NULL;
    int e = map ? WEDR_OK : WEDR_E_NOMEM;
    if (e == WEDR_OK) {
        a->map = map;
        a->rs = rs;
    }
    for (size_t i = 0; e == WEDR_OK && i < count; i++) {
        a->tree = pipelines[i]->tree;
        e = apply(a);
    }
    if (e == WEDR_OK && (with_builtin || count == 0)) {
        e = add_builtin(a, pipelines, count, ei);
        e = e < 0 ? e : add_named(a);
    }
    e = e < 0 ? e : wedr_field_map_seal(map);
    wedr_free(a);
    if (e < 0) {
        wedr_field_map_free(map);
        return e;
    }
    *ret_map = map;
    return WEDR_OK;
}
