/* SPDX-License-Identifier: Apache-2.0
 * rules/src/pipeline/pipeline.c — a pipeline as its checked YAML tree, whose texts end in NUL. */
#include "wedr/rules/pipeline.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "pipeline/tree.h"
#include <string.h>

#define MEMORY_MAX ((size_t)32 << 20)

static int fail(struct wedr_errinfo *ei, const struct wedr_yaml *y, const char *what)
{
    return wedr_fail(ei, WEDR_E_FORMAT, "line %u: %s", y->line, what);
}

static bool is_text(const struct wedr_yaml *y)
{
    return y && y->kind == WEDR_YAML_SCALAR && y->text.len > 0 &&
           !memchr(y->text.p, '\0', y->text.len);
}

/* A text or a list of texts. */
static bool is_texts(const struct wedr_yaml *y)
{
    if (y->kind != WEDR_YAML_LIST) {
        return is_text(y);
    }
    for (const struct wedr_yaml *i = y->first; i; i = i->next) {
        if (!is_text(i)) {
            return false;
        }
    }
    return y->count > 0;
}

/* Field of rules: {value of the key: text that the field has then}. */
static bool is_words(const struct wedr_yaml *y)
{
    for (const struct wedr_yaml *field = y->first; field; field = field->next) {
        if (field->key.len == 0 || field->kind != WEDR_YAML_MAP || field->count == 0) {
            return false;
        }
        for (const struct wedr_yaml *w = field->first; w; w = w->next) {
            if (w->key.len == 0 || !is_text(w)) {
                return false;
            }
        }
    }
    return y->count > 0;
}

static int check_fields(const struct wedr_yaml *map, struct wedr_errinfo *ei)
{
    if (map->kind != WEDR_YAML_MAP) {
        return fail(ei, map, "a map of keys to rule fields was expected");
    }
    for (const struct wedr_yaml *y = map->first; y; y = y->next) {
        if (y->key.len == 0 || !(y->kind == WEDR_YAML_MAP ? is_words(y) : is_texts(y))) {
            return fail(ei, y, "a rule field or a list of them was expected");
        }
    }
    return WEDR_OK;
}

static int check_maps(const struct wedr_yaml *list, const char *what, struct wedr_errinfo *ei)
{
    if (list->kind != WEDR_YAML_LIST) {
        return fail(ei, list, what);
    }
    for (const struct wedr_yaml *i = list->first; i; i = i->next) {
        if (i->kind != WEDR_YAML_MAP || i->count == 0) {
            return fail(ei, i, what);
        }
    }
    return WEDR_OK;
}

/* product/category/service, * for any; or waza:module/event_type. */
static bool is_source(const struct wedr_yaml *y)
{
    unsigned slashes = 0;
    for (uint32_t i = 0; i < y->text.len; i++) {
        slashes += y->text.p[i] == '/';
    }
    return wedr_pipeline_is_waza(y->text.p) ? slashes == 1
                                            : slashes == 2 && strcmp(y->text.p, "*/*/*") != 0;
}

/* Values, null for "is there", or a list of alternatives. */
static bool is_when(const struct wedr_yaml *when)
{
    for (const struct wedr_yaml *y = when->first; y; y = y->next) {
        if (y->kind == WEDR_YAML_SCALAR && y->plain && wedr_text_is(y->text, "~")) {
            continue;
        }
        if (!is_texts(y)) {
            return false;
        }
    }
    return when->count > 0 && when->count <= WEDR_SELECTOR_CONDITIONS_MAX;
}

static int
check_event(const struct wedr_yaml *e, const struct wedr_yaml *views, struct wedr_errinfo *ei)
{
    const struct wedr_yaml *when = wedr_yaml_get(e, "when");
    const struct wedr_yaml *sources = wedr_yaml_get(e, "sources");
    const struct wedr_yaml *view = wedr_yaml_get(e, "view");
    for (const struct wedr_yaml *y = e->first; y; y = y->next) {
        if (y != when && y != sources && y != view) {
            return fail(ei, y, "an event has when, sources and view");
        }
    }
    if (!when || when->kind != WEDR_YAML_MAP || !is_when(when)) {
        return fail(ei, when ? when : e, "when needs one to six keys");
    }
    if ((!sources && !view) || (sources && !is_texts(sources))) {
        return fail(ei, sources ? sources : e, "sources or a view are missing");
    }
    const struct wedr_yaml *s = !sources                          ? NULL
                                : sources->kind == WEDR_YAML_LIST ? sources->first
                                                                  : sources;
    for (; s; s = sources->kind == WEDR_YAML_LIST ? s->next : NULL) {
        if (!is_source(s)) {
            return fail(ei, s, "product/category/service was expected, with * for any");
        }
    }
    if (view && (!is_text(view) || !wedr_yaml_get(views, view->text.p))) {
        return fail(ei, view, "the view is not among the views");
    }
    return WEDR_OK;
}

static int check_pairs(const struct wedr_yaml *pairs, struct wedr_errinfo *ei)
{
    static const char *const keys[] = {"array", "name", "value"};
    int e = check_maps(pairs, "pairs is a list of maps", ei);
    for (const struct wedr_yaml *p = e < 0 ? NULL : pairs->first; p; p = p->next) {
        for (size_t i = 0; i < WEDR_ARRAY_COUNT(keys); i++) {
            if (!is_text(wedr_yaml_get(p, keys[i]))) {
                return fail(ei, p, "pairs need array, name and value");
            }
        }
    }
    return e;
}

static int check_forms(const struct wedr_yaml *forms, struct wedr_errinfo *ei)
{
    int e = check_maps(forms, "forms is a list of maps", ei);
    for (const struct wedr_yaml *f = e < 0 ? NULL : forms->first; f; f = f->next) {
        for (const struct wedr_yaml *y = f->first; y; y = y->next) {
            if (!is_text(y)) {
                return fail(ei, y, "a form names one key for each");
            }
        }
    }
    return e;
}

static int
check_top(const struct wedr_yaml *y, const struct wedr_yaml *tree, struct wedr_errinfo *ei)
{
    int e = WEDR_OK;
    if (wedr_text_is(y->key, "name") || wedr_text_is(y->key, "description")) {
        return is_text(y) ? WEDR_OK : fail(ei, y, "a text was expected");
    }
    if (wedr_text_is(y->key, "keep_names")) {
        bool ok = is_text(y) && (wedr_text_is(y->text, "true") || wedr_text_is(y->text, "false"));
        return ok ? WEDR_OK : fail(ei, y, "true or false was expected");
    }
    if (wedr_text_is(y->key, "fields")) {
        return check_fields(y, ei);
    }
    if (wedr_text_is(y->key, "prefixes")) {
        return is_texts(y) ? WEDR_OK : fail(ei, y, "prefixes is a list of texts");
    }
    if (wedr_text_is(y->key, "pairs")) {
        return check_pairs(y, ei);
    }
    if (wedr_text_is(y->key, "forms")) {
        return check_forms(y, ei);
    }
    if (wedr_text_is(y->key, "views")) {
        for (const struct wedr_yaml *v = y->first; e == WEDR_OK && v; v = v->next) {
            e = check_fields(v, ei);
        }
        return y->kind == WEDR_YAML_MAP ? e : fail(ei, y, "views is a map");
    }
    if (wedr_text_is(y->key, "events")) {
        e = check_maps(y, "events is a list of maps", ei);
        for (const struct wedr_yaml *v = y->first; e == WEDR_OK && v; v = v->next) {
            e = check_event(v, wedr_yaml_get(tree, "views"), ei);
        }
        return e;
    }
    return fail(ei, y, "unknown key");
}

static int check(const struct wedr_yaml *tree, struct wedr_errinfo *ei)
{
    if (!tree) {
        return wedr_fail(ei, WEDR_E_FORMAT, "line 1: empty");
    }
    if (tree->kind != WEDR_YAML_MAP || tree->next || !is_text(wedr_yaml_get(tree, "name"))) {
        return fail(ei, tree, "a pipeline is one map with a name");
    }
    for (const struct wedr_yaml *y = tree->first; y; y = y->next) {
        int e = check_top(y, tree, ei);
        if (e < 0) {
            return e;
        }
    }
    return WEDR_OK;
}

int wedr_pipeline_read(const char *yaml,
                       size_t len,
                       struct wedr_pipeline **ret_pipeline,
                       struct wedr_errinfo *ei)
{
    const struct wedr_yaml_limits limits = {16, 50000};
    struct wedr_yaml *tree = NULL;
    uint32_t line = 0;
    struct wedr_errinfo inner = {{0}};
    if (len > WEDR_PIPELINE_FILE_MAX) {
        return wedr_fail(ei, WEDR_E_LIMIT, "line 0: too big");
    }
    struct wedr_arena *scratch = wedr_arena_new(MEMORY_MAX);
    struct wedr_pipeline *p = wedr_alloc(1, sizeof(*p));
    if (p) {
        p->arena = wedr_arena_new(MEMORY_MAX);
    }
    int e = scratch && p && p->arena ? WEDR_OK : WEDR_E_NOMEM;
    if (e == WEDR_OK) {
        e = wedr_yaml_read(scratch, &limits, yaml, len, &tree, &line, &inner);
        if (e < 0) {
            (void)wedr_fail(ei, e, "line %u: %s", line, inner.text);
        }
    }
    e = e < 0 ? e : check(tree, ei);
    if (e == WEDR_OK) {
        p->tree = wedr_yaml_copy(p->arena, tree);
        e = p->tree ? WEDR_OK : WEDR_E_NOMEM;
    }
    wedr_arena_free(scratch);
    if (e < 0) {
        wedr_pipeline_free(p);
        return e;
    }
    *ret_pipeline = p;
    return WEDR_OK;
}

void wedr_pipeline_free(struct wedr_pipeline *p)
{
    if (p) {
        wedr_arena_free(p->arena);
        wedr_free(p);
    }
}

const char *wedr_pipeline_name(const struct wedr_pipeline *p)
{
    return wedr_yaml_get(p->tree, "name")->text.p;
}

static void
each_field(const struct wedr_yaml *map, const char *view, wedr_pipeline_field_fn *fn, void *ctx)
{
    for (const struct wedr_yaml *y = map ? map->first : NULL; y; y = y->next) {
        const struct wedr_yaml *f = y->kind == WEDR_YAML_SCALAR ? y : y->first;
        for (; f; f = y->kind == WEDR_YAML_SCALAR ? NULL : f->next) {
            fn(ctx, view, y->key.p, y->kind == WEDR_YAML_MAP ? f->key.p : f->text.p);
        }
    }
}

void wedr_pipeline_fields(const struct wedr_pipeline *p, wedr_pipeline_field_fn *fn, void *ctx)
{
    each_field(wedr_yaml_get(p->tree, "fields"), NULL, fn, ctx);
    const struct wedr_yaml *views = wedr_yaml_get(p->tree, "views");
    for (const struct wedr_yaml *v = views ? views->first : NULL; v; v = v->next) {
        each_field(v, v->key.p, fn, ctx);
    }
}

void wedr_pipeline_sources(const struct wedr_pipeline *p, wedr_pipeline_source_fn *fn, void *ctx)
{
    const struct wedr_yaml *events = wedr_yaml_get(p->tree, "events");
    for (const struct wedr_yaml *e = events ? events->first : NULL; e; e = e->next) {
        const struct wedr_yaml *sources = wedr_yaml_get(e, "sources");
        const struct wedr_yaml *view = wedr_yaml_get(e, "view");
        const struct wedr_yaml *s =
            sources && sources->kind == WEDR_YAML_LIST ? sources->first : sources;
        for (; s; s = sources->kind == WEDR_YAML_LIST ? s->next : NULL) {
            fn(ctx, s->text.p, view ? view->text.p : NULL);
        }
    }
}
