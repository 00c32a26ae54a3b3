/* SPDX-License-Identifier: Apache-2.0
 * What rules can name: event types and fields of our own events (Waza), and for Sigma the fields
 * that the pipelines give for each log source. */
#include "commands.h"

#include "common/show.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/waza.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define OUT_MAX ((size_t)16 << 20)
#define TEXTS_MAX ((size_t)4 << 20)

/* A log source with its view, or a field with its view; texts are in one buffer, NUL-terminated. */
struct pair {
    size_t name, view; /* offsets */
    bool any_view;
};

struct pairs {
    struct pair *v;
    size_t count, cap;
};

struct schema {
    struct wedr_buf texts;
    struct pairs sources, fields;
    bool failed;
};

static size_t keep(struct schema *s, const char *text)
{
    size_t at = s->texts.len;
    wedr_buf_add(&s->texts, text, strlen(text) + 1);
    s->failed = s->failed || s->texts.overflow;
    return s->failed ? 0 : at;
}

static void push(struct schema *s, struct pairs *to, const char *name, const char *view)
{
    if (to->count == to->cap) {
        size_t cap = to->cap ? 2 * to->cap : 256;
        struct pair *v = wedr_realloc(to->v, cap, sizeof(*v));
        if (!v) {
            s->failed = true;
            return;
        }
        to->v = v;
        to->cap = cap;
    }
    size_t name_at = keep(s, name);
    to->v[to->count++] = (struct pair){name_at, keep(s, view ? view : ""), view == NULL};
}

static void on_source(void *ctx, const char *source, const char *view)
{
    struct schema *s = ctx;
    push(s, &s->sources, source, view);
}

static void on_field(void *ctx, const char *view, const char *source, const char *field)
{
    struct schema *s = ctx;
    (void)source;
    push(s, &s->fields, field, view);
}

static const char *text(const struct schema *s, size_t at)
{
    return s->texts.p ? (const char *)s->texts.p + at : "";
}

static int by_text(const void *pa, const void *pb)
{
    return strcmp(*(const char *const *)pa, *(const char *const *)pb);
}

/* Names of the fields that source i has, sorted, each once. */
static size_t fields_of(const struct schema *s, size_t i, const char **names)
{
    const char *source = text(s, s->sources.v[i].name);
    size_t count = 0;
    size_t kept = 0;
    for (size_t k = 0; k < s->fields.count; k++) {
        const struct pair *f = &s->fields.v[k];
        bool has = f->any_view;
        for (size_t m = i; !has && m < s->sources.count; m++) {
            has = strcmp(text(s, s->sources.v[m].name), source) == 0 && !s->sources.v[m].any_view &&
                  strcmp(text(s, s->sources.v[m].view), text(s, f->view)) == 0;
        }
        if (has) {
            names[count++] = text(s, f->name);
        }
    }
    if (count > 0) {
        qsort(names, count, sizeof(*names), by_text);
    }
    for (size_t k = 0; k < count; k++) {
        if (kept == 0 || strcmp(names[kept - 1], names[k]) != 0) {
            names[kept++] = names[k];
        }
    }
    return kept;
}

/* Only the first place of a source; classes of Waza are told with the event types. */
static bool is_told(const struct schema *s, size_t i)
{
    const char *source = text(s, s->sources.v[i].name);
    for (size_t k = 0; k < i; k++) {
        if (strcmp(text(s, s->sources.v[k].name), source) == 0) {
            return false;
        }
    }
    return strncmp(source, "waza:", 5) != 0;
}

static void add_source(struct wedr_buf *out,
                       const char *pipeline,
                       const char *source,
                       const char **names,
                       size_t count,
                       bool json)
{
    if (json) {
        bool first = out->p[out->len - 1] == '[';
        wedr_buf_adds(out, first ? "{\"log_source\":" : ",{\"log_source\":");
        wedr_show_json(out, wedr_text(source, strlen(source)));
        wedr_buf_addf(out, ",\"pipeline\":\"%s\",\"fields\":[", pipeline);
        for (size_t k = 0; k < count; k++) {
            wedr_buf_adds(out, k > 0 ? "," : "");
            wedr_show_json(out, wedr_text(names[k], strlen(names[k])));
        }
        wedr_buf_adds(out, "]}");
        return;
    }
    wedr_buf_addf(out, "%s  (%s)\n   ", source, pipeline);
    for (size_t k = 0; k < count; k++) {
        wedr_buf_addf(out, " %s", names[k]);
    }
    wedr_buf_adds(out, count > 0 ? "\n" : " fields as the events name them\n");
}

static int
add_pipeline(struct wedr_buf *out, const char *yaml, size_t len, bool json, struct wedr_errinfo *ei)
{
    struct schema s = {.failed = false};
    struct wedr_pipeline *p = NULL;
    wedr_buf_init(&s.texts, TEXTS_MAX);
    int r = wedr_pipeline_read(yaml, len, &p, ei);
    if (r == WEDR_OK) {
        wedr_pipeline_sources(p, on_source, &s);
        wedr_pipeline_fields(p, on_field, &s);
    }
    const char **names = wedr_alloc(s.fields.count + 1, sizeof(*names));
    if (!names || s.failed) {
        r = WEDR_E_NOMEM;
    }
    for (size_t i = 0; r == WEDR_OK && i < s.sources.count; i++) {
        if (is_told(&s, i)) {
            size_t count = fields_of(&s, i, names);
            add_source(out, wedr_pipeline_name(p), text(&s, s.sources.v[i].name), names, count,
                       json);
        }
    }
    wedr_free((void *)names);
    wedr_free(s.sources.v);
    wedr_free(s.fields.v);
    wedr_buf_fini(&s.texts);
    wedr_pipeline_free(p);
    return r;
}

/* The same as text: an event type a line, then its fields. */
static int add_waza_table(struct wedr_buf *out)
{
    struct wedr_buf json;
    size_t i;
    size_t k;
    size_t n;
    json_t *module;
    json_t *event;
    json_t *field;
    wedr_buf_init(&json, OUT_MAX);
    int r = wedr_waza_schema(&json);
    json_t *all = r == WEDR_OK ? json_loadb((const char *)json.p, json.len, 0, NULL) : NULL;
    json_array_foreach(all, i, module)
    {
        json_array_foreach(json_object_get(module, "events"), k, event)
        {
            wedr_buf_addf(out, "%s.%s\n   ", json_string_value(json_object_get(module, "module")),
                          json_string_value(json_object_get(event, "name")));
            json_array_foreach(json_object_get(event, "fields"), n, field)
            {
                wedr_buf_addf(out, " %s:%s", json_string_value(json_object_get(field, "name")),
                              json_string_value(json_object_get(field, "field_type")));
            }
            wedr_buf_adds(out, "\n");
        }
    }
    if (r == WEDR_OK && !all) {
        r = WEDR_E_NOMEM;
    }
    json_decref(all);
    wedr_buf_fini(&json);
    return r;
}

int wedr_rules_schema(const struct wedr_rules_args *args)
{
    struct wedr_errinfo ei = {""};
    struct wedr_buf out;
    const char *yaml = NULL;
    size_t len = 0;
    wedr_buf_init(&out, OUT_MAX);
    wedr_buf_adds(&out, args->json ? "{\"waza\":" : "Waza: MODULE.EVENT_TYPE.FIELD\n\n");
    int r = args->json ? wedr_waza_schema(&out) : add_waza_table(&out);
    wedr_buf_adds(&out, args->json ? ",\"sigma\":[" : "\nSigma: log source (pipeline), fields\n\n");
    for (size_t i = 0; r == WEDR_OK && wedr_pipeline_builtin(i, &yaml, &len); i++) {
        r = add_pipeline(&out, yaml, len, args->json, &ei);
    }
    wedr_buf_adds(&out, args->json ? "]}\n" : "");
    if (r == WEDR_OK && !wedr_show_flush(&out)) {
        r = WEDR_E_IO;
    }
    if (r < 0) {
        wedr_show_problem("", 0, ei.text[0] ? ei.text : wedr_err_text(r));
    }
    wedr_buf_fini(&out);
    return r < 0 ? WEDR_EXIT_FAILED : WEDR_EXIT_DONE;
}
