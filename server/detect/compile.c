/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "detect/lists.h"
#include "wedr/rules/ioc.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include "wedr/rules/waza.h"
#include <stdio.h>
#include <string.h>

#define OWN_PIPELINE "wedr"

struct compiler {
    struct wedr_sources *s;
    struct wedr_ruleset *rs;
    struct wedr_sigma *sigma;
    struct wedr_waza *waza;
    struct wedr_sigma_list *sigma_lists;
    struct wedr_waza_list *waza_lists;
    wedr_problem_fn *fn;
    void *ctx;
    uint32_t refused;
    size_t near; /* source that was spoken of last */
    int64_t now_us;
};

static struct wedr_source *source_of(struct compiler *c, const char *name, size_t len)
{
    for (size_t i = 0; i < c->s->count; i++) {
        struct wedr_source *e = &c->s->v[(c->near + i) % c->s->count];
        if (strlen(e->name) == len && memcmp(e->name, name, len) == 0) {
            c->near = (c->near + i) % c->s->count;
            return e;
        }
    }
    return NULL;
}

static void tell(struct compiler *c,
                 const char *file,
                 uint32_t line,
                 uint32_t column,
                 bool warning,
                 const char *text)
{
    struct wedr_problem p = {file, line, column, warning, text};
    if (!warning) {
        struct wedr_source *e = source_of(c, file, strlen(file));
        c->refused++;
        if (e) {
            e->problems++;
        }
    }
    if (c->fn) {
        c->fn(c->ctx, &p);
    }
}

static void on_sigma(void *ctx, const struct wedr_sigma_report *r)
{
    char text[512];
    if (r->outcome == WEDR_SIGMA_REFUSED) {
        tell(ctx, r->file, r->line, 0, false, r->text);
    } else if (r->outcome == WEDR_SIGMA_RULE && r->text && r->text[0]) {
        (void)snprintf(text, sizeof(text), "cannot match until there is a list for: %s", r->text);
        tell(ctx, r->file, r->line, 0, true, text);
    }
}

static void on_waza(void *ctx, const struct wedr_waza_error *e)
{
    tell(ctx, e->file, e->line, e->column, e->warning, e->text);
}

static void on_ioc(void *ctx, const struct wedr_ioc_report *r)
{
    if (r->outcome == WEDR_IOC_LIST_REFUSED) {
        tell(ctx, r->file, r->line, 0, false, r->text);
    } else if (r->outcome == WEDR_IOC_ENTRY_REFUSED || r->outcome == WEDR_IOC_LIST_EXPIRED) {
        tell(ctx, r->file, r->line, 0, true, r->text);
    }
}

/* Includes are looked for among the stored sources alone, never on disk. */
static int read_include(void *ctx, const char *path, struct wedr_buf *out)
{
    struct compiler *c = ctx;
    uint32_t i = wedr_sources_find(c->s, path);
    if (i == WEDR_IR_NONE) {
        return WEDR_E_NOENT;
    }
    wedr_buf_add(out, c->s->v[i].text, c->s->v[i].len);
    return out->overflow ? WEDR_E_LIMIT : WEDR_OK;
}

static int make_loaders(struct compiler *c)
{
    size_t n = c->s->list_count;
    c->sigma_lists = wedr_alloc(n + 1, sizeof(*c->sigma_lists));
    c->waza_lists = wedr_alloc(n + 1, sizeof(*c->waza_lists));
    if (!c->sigma_lists || !c->waza_lists) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        const struct wedr_source_list *l = &c->s->lists[i];
        c->sigma_lists[i] = (struct wedr_sigma_list){l->name, l->values, l->count};
        c->waza_lists[i] = (struct wedr_waza_list){l->name, l->values, l->count};
    }
    struct wedr_sigma_options so = {.lists = c->sigma_lists, .list_count = n};
    struct wedr_waza_options wo = {
        .read = read_include, .error = on_waza, .ctx = c, .lists = c->waza_lists, .list_count = n};
    c->sigma = wedr_sigma_new(c->rs, &so, on_sigma, c);
    c->waza = wedr_waza_new(c->rs, &wo);
    return c->sigma && c->waza ? WEDR_OK : WEDR_E_NOMEM;
}

/* Only memory ends it: everything else was told and leaves that rule out. */
static int fatal(int err)
{
    return err == WEDR_E_NOMEM ? err : WEDR_OK;
}

static int add_language(struct compiler *c, const char *language)
{
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < c->s->count; i++) {
        struct wedr_source *e = &c->s->v[i];
        if (!e->enabled || strcmp(e->language, language) != 0) {
            continue;
        }
        c->near = i;
        if (strcmp(language, "sigma") == 0) {
            err = fatal(wedr_sigma_add(c->sigma, e->name, e->text, e->len));
        } else if (strcmp(language, "waza") == 0) {
            err = fatal(wedr_waza_add(c->waza, e->name, e->text, e->len));
        } else {
            struct wedr_ioc_options io = {c->now_us};
            struct wedr_ioc_stats st;
            err = fatal(wedr_ioc_add(c->rs, e->name, e->text, e->len, &io, on_ioc, c, &st));
        }
    }
    return err;
}

static int set_identity(struct wedr_source *e, struct wedr_text id, struct wedr_text title)
{
    if (!e->id) {
        e->id = id.len && id.len < WEDR_RULE_ID_MAX ? wedr_strndup(id.p, id.len)
                                                    : wedr_strndup(e->name, strlen(e->name));
    }
    wedr_free(e->title);
    e->title =
        title.len ? wedr_strndup(title.p, title.len) : wedr_strndup(e->name, strlen(e->name));
    return e->id && e->title ? WEDR_OK : WEDR_E_NOMEM;
}

/* What each source became. A rule that an operator enabled is on, whatever its text says; an
 * expired list stays off. */
static int look_at_rules(struct compiler *c)
{
    int err = WEDR_OK;
    uint32_t count = wedr_ruleset_rule_count(c->rs);
    for (uint32_t i = 0; err == WEDR_OK && i < count; i++) {
        const struct wedr_rule *r = wedr_ruleset_rule(c->rs, i);
        struct wedr_source *e = source_of(c, r->source_file.p, r->source_file.len);
        if (!e) {
            continue;
        }
        e->severity_is = r->severity > e->severity_is ? r->severity : e->severity_is;
        bool off = (r->flags & WEDR_RULE_DISABLED) != 0 && strcmp(e->language, "ioc") != 0;
        if (e->rule_count++ == 0 || ((r->flags & WEDR_RULE_HIDDEN) == 0 && !e->title)) {
            e->first_rule = i;
            e->off = off && !e->id;
            if ((r->flags & WEDR_RULE_HIDDEN) == 0 || r->id.len) {
                err = set_identity(e, r->id, r->title);
            }
        }
        if (off && e->version != 0) {
            err = wedr_ruleset_set_flags(c->rs, i, r->flags & (uint16_t)~WEDR_RULE_DISABLED);
        }
    }
    for (size_t i = 0; err == WEDR_OK && i < c->s->count; i++) {
        struct wedr_source *e = &c->s->v[i];
        if (!e->id || !e->title) {
            err = set_identity(e, wedr_text("", 0), wedr_text("", 0));
        }
    }
    return err;
}

static int compile(struct compiler *c)
{
    int err = make_loaders(c);
    for (size_t i = 0; i < c->s->count; i++) {
        struct wedr_source *e = &c->s->v[i];
        e->problems = e->rule_count = 0;
        e->severity_is = 0;
        e->first_rule = WEDR_IR_NONE;
    }
    err = err == WEDR_OK ? add_language(c, wedr_source_language("x.yml")) : err;
    err = err == WEDR_OK ? add_language(c, wedr_source_language("x.ioc")) : err;
    err = err == WEDR_OK ? add_language(c, wedr_source_language("x.waza")) : err;
    err = err == WEDR_OK ? fatal(wedr_sigma_finish(c->sigma)) : err;
    err = err == WEDR_OK ? fatal(wedr_waza_finish(c->waza)) : err;
    return err == WEDR_OK ? look_at_rules(c) : err;
}

int wedr_own_field_map(const struct wedr_ruleset *rs,
                       struct wedr_field_map **ret_map,
                       struct wedr_errinfo *ei)
{
    const char *yaml = NULL, *name = NULL;
    size_t len = 0;
    struct wedr_pipeline *p = NULL;
    for (size_t i = 0; (name = wedr_pipeline_builtin(i, &yaml, &len)) != NULL; i++) {
        if (strcmp(name, OWN_PIPELINE) == 0) {
            break;
        }
    }
    int err = name ? wedr_pipeline_read(yaml, len, &p, ei) : WEDR_E_BUG;
    if (err == WEDR_OK) {
        const struct wedr_pipeline *one = p;
        err = wedr_pipeline_map(rs, &one, 1, false, ret_map, ei);
    }
    wedr_pipeline_free(p);
    return err;
}

int wedr_sources_compile(struct wedr_sources *s,
                         int64_t now_us,
                         wedr_problem_fn *fn,
                         void *ctx,
                         struct wedr_ruleset **ret_rs,
                         struct wedr_field_map **ret_map,
                         uint32_t *ret_refused,
                         struct wedr_errinfo *ei)
{
    struct compiler c = {.s = s, .fn = fn, .ctx = ctx, .now_us = now_us};
    struct wedr_field_map *map = NULL;
    c.rs = wedr_ruleset_new(WEDR_RULESET_BYTES_MAX);
    int err = c.rs ? compile(&c) : WEDR_E_NOMEM;
    if (err == WEDR_OK) {
        err = wedr_own_field_map(c.rs, &map, ei);
    } else {
        err = wedr_fail(ei, err, "compiling the rules: %s", wedr_err_text(err));
    }
    wedr_waza_free(c.waza);
    wedr_sigma_free(c.sigma);
    wedr_free(c.sigma_lists);
    wedr_free(c.waza_lists);
    if (err != WEDR_OK) {
        wedr_ruleset_free(c.rs);
        return err;
    }
    *ret_rs = c.rs;
    *ret_map = map;
    *ret_refused = c.refused;
    return WEDR_OK;
}
