/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/sources.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "detect/lists.h"
#include <stdio.h>
#include <string.h>

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && strcmp(s + n - k, end) == 0;
}

const char *wedr_source_language(const char *name)
{
    static const struct {
        const char *end, *language;
    } endings[] = {{".yml", "sigma"}, {".yaml", "sigma"}, {".waza", "waza"}, {".ioc", "ioc"}};
    if (ends_with(name, ".test.yml") || ends_with(name, ".test.yaml")) {
        return NULL;
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(endings); i++) {
        if (ends_with(name, endings[i].end)) {
            return endings[i].language;
        }
    }
    return NULL;
}

static const char *known_language(const char *name)
{
    static const char *const all[] = {"sigma", "waza", "ioc"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(all); i++) {
        if (strcmp(name, all[i]) == 0) {
            return all[i];
        }
    }
    return NULL;
}

uint32_t wedr_sources_find(const struct wedr_sources *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->v[i].name, name) == 0) {
            return (uint32_t)i;
        }
    }
    return WEDR_IR_NONE;
}

static struct wedr_source *new_place(struct wedr_sources *s)
{
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 64;
        struct wedr_source *v = wedr_realloc(s->v, cap, sizeof(*v));
        if (!v) {
            return NULL;
        }
        s->v = v;
        s->cap = cap;
    }
    struct wedr_source *e = &s->v[s->count];
    memset(e, 0, sizeof(*e));
    e->first_rule = WEDR_IR_NONE;
    return e;
}

/* Texts are never NULL, also when empty. */
static int set_text(struct wedr_sources *s, struct wedr_source *e, const char *text, size_t len)
{
    char *copy = NULL;
    if (len > WEDR_RULE_SOURCE_TEXT_MAX || s->bytes + len > WEDR_SOURCES_BYTES_MAX) {
        return WEDR_E_LIMIT;
    }
    copy = wedr_strndup(text, len);
    if (!copy) {
        return WEDR_E_NOMEM;
    }
    wedr_free(e->text);
    s->bytes += len;
    e->text = copy;
    e->len = len;
    return WEDR_OK;
}

static void free_source(struct wedr_source *e)
{
    wedr_free(e->id);
    wedr_free(e->name);
    wedr_free(e->text);
    wedr_free(e->title);
}

int wedr_sources_add(struct wedr_sources *s, const char *name, const char *text, size_t len)
{
    const char *language = wedr_source_language(name);
    uint32_t at = wedr_sources_find(s, name);
    if (!language) {
        return WEDR_E_INVAL;
    }
    if (at != WEDR_IR_NONE) {
        s->v[at].fresh = true;
        s->v[at].language = language;
        return set_text(s, &s->v[at], text, len);
    }
    struct wedr_source *e = s->count < WEDR_SOURCES_MAX ? new_place(s) : NULL;
    if (!e) {
        return s->count < WEDR_SOURCES_MAX ? WEDR_E_NOMEM : WEDR_E_LIMIT;
    }
    e->language = language;
    e->enabled = e->fresh = true;
    e->name = wedr_strndup(name, strlen(name));
    int err = e->name ? set_text(s, e, text, len) : WEDR_E_NOMEM;
    if (err != WEDR_OK) {
        free_source(e);
        return err;
    }
    s->count++;
    return WEDR_OK;
}

static int add_stored(void *ctx, const struct wedr_stored_rule *r)
{
    struct wedr_sources *s = ctx;
    const char *language = known_language(r->language);
    if (!language) {
        return WEDR_E_VERSION; /* written by a newer program */
    }
    struct wedr_source *e = s->count < WEDR_SOURCES_MAX ? new_place(s) : NULL;
    if (!e) {
        return s->count < WEDR_SOURCES_MAX ? WEDR_E_NOMEM : WEDR_E_LIMIT;
    }
    e->language = language;
    e->enabled = r->enabled;
    e->builtin = r->builtin;
    e->version = r->version;
    (void)snprintf(e->severity, sizeof(e->severity), "%s", r->severity);
    e->id = wedr_strndup(r->id, strlen(r->id));
    e->name = wedr_strndup(r->source, strlen(r->source));
    int err = e->id && e->name ? set_text(s, e, r->text, r->text_len) : WEDR_E_NOMEM;
    if (err != WEDR_OK) {
        free_source(e);
        return err;
    }
    s->count++;
    return WEDR_OK;
}

int wedr_sources_load(struct wedr_sources *s,
                      const struct wedr_state_ops *ops,
                      struct wedr_state *state,
                      struct wedr_errinfo *ei)
{
    memset(s, 0, sizeof(*s));
    int err = ops->rules->each(state, true, add_stored, s);
    if (err == WEDR_OK) {
        err = wedr_source_lists_load(s, ops, state);
    }
    if (err != WEDR_OK) {
        wedr_sources_fini(s);
        return wedr_fail(ei, err, "the stored rules cannot be read: %s", wedr_err_text(err));
    }
    return WEDR_OK;
}

void wedr_sources_fini(struct wedr_sources *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free_source(&s->v[i]);
    }
    wedr_free(s->v);
    wedr_source_lists_free(s);
    memset(s, 0, sizeof(*s));
}

const char *wedr_source_severity(const struct wedr_source *e)
{
    const char *name = e->rule_count ? wedr_severity_name(e->severity_is) : NULL;
    return name ? name : "none";
}

static int store_one(struct wedr_source *e,
                     const struct wedr_state_ops *ops,
                     struct wedr_state *state,
                     const char *author,
                     int64_t now_us,
                     uint32_t *stored,
                     struct wedr_errinfo *ei)
{
    uint32_t version = 0;
    struct wedr_stored_rule r = {.id = e->id,
                                 .language = e->language,
                                 .title = e->title,
                                 .source = e->name,
                                 .text = e->text,
                                 .text_len = e->len,
                                 .author = author,
                                 .enabled = e->enabled && !e->off,
                                 .builtin = e->builtin};
    int err = ops->rules->put(state, &r, now_us, &version);
    if (err == WEDR_E_CONFLICT) {
        return wedr_fail(ei, err,
                         "%s: the name belongs to another rule; rename the file or remove "
                         "that rule",
                         e->name);
    }
    /* One that is off was not compiled: its severity is found at the next start. */
    const char *is = e->enabled ? wedr_source_severity(e) : "";
    if (err == WEDR_OK && (e->enabled || version != e->version) && strcmp(is, e->severity) != 0) {
        err = ops->rules->severity(state, e->id, is);
    }
    if (err != WEDR_OK) {
        return wedr_fail(ei, err, "%s: %s", e->name, wedr_err_text(err));
    }
    *stored += version != e->version;
    e->version = version;
    return WEDR_OK;
}

int wedr_sources_store(struct wedr_sources *s,
                       const struct wedr_state_ops *ops,
                       struct wedr_state *state,
                       const char *author,
                       int64_t now_us,
                       uint32_t *ret_stored,
                       struct wedr_errinfo *ei)
{
    uint32_t stored = 0;
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < s->count; i++) {
        struct wedr_source *e = &s->v[i];
        if (e->fresh && e->problems == 0) {
            err = store_one(e, ops, state, author, now_us, &stored, ei);
        }
    }
    *ret_stored = stored;
    return err;
}
