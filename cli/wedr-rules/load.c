/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "choose.h"
#include "common/show.h"
#include "core/base/err.h"
#include "load_language.h"
#include "walk.h"
#include "wedr/rules/pack.h"
#include "wedr/rules/pipeline.h"
#include <stdio.h>
#include <string.h>

const char *const wedr_load_endings[] = {".yml", ".yaml", ".waza", ".ioc", NULL};

/* In the order in which they finish: Waza may name rules of the others. */
static const struct wedr_load_language *const languages[] = {&wedr_load_sigma, &wedr_load_ioc,
                                                             &wedr_load_waza};

struct reading {
    struct wedr_loading g;
    struct wedr_buf text;
};

void wedr_load_failed(
    struct wedr_load *l, const char *file, uint32_t line, const char *reason, const char *shown)
{
    l->failed++;
    if (l->failed_fn) {
        l->failed_fn(l->ctx, file, line, reason, shown);
    } else if (shown) {
        (void)fputs(shown, stderr);
    } else {
        wedr_show_problem(file, line, reason);
    }
}

bool wedr_load_is_test(const char *path)
{
    static const char *const endings[] = {".test.yml", ".test.yaml", NULL};
    const char *slash = strrchr(path, '/');
    return wedr_walk_has_ending(path, endings) || strcmp(slash ? slash + 1 : path, "info.yml") == 0;
}

static size_t language_of(const char *path)
{
    size_t i = 0;
    while (i < WEDR_ARRAY_COUNT(languages) && !wedr_walk_has_ending(path, languages[i]->endings)) {
        i++;
    }
    return i;
}

static int add_text(struct reading *r, const char *path, const char *text, size_t len)
{
    size_t i = language_of(path);
    if (i == WEDR_ARRAY_COUNT(languages)) {
        wedr_load_failed(r->g.l, path, 0, "no rule language has this ending", NULL);
        return WEDR_OK;
    }
    int err = languages[i]->add(&r->g, r->g.state[i], path, text, len);
    return err == WEDR_E_NOMEM ? err : WEDR_OK;
}

static int on_file(void *ctx, const char *path, wedr_handle h)
{
    struct reading *r = ctx;
    size_t i = language_of(path);
    if (wedr_load_is_test(path)) {
        return WEDR_OK;
    }
    r->g.l->files++;
    wedr_buf_fini(&r->text);
    wedr_buf_init(&r->text, i < WEDR_ARRAY_COUNT(languages) ? languages[i]->file_max : 0);
    int err = i < WEDR_ARRAY_COUNT(languages) ? wedr_fs_read_all(h, &r->text) : WEDR_OK;
    if (err == WEDR_OK) {
        return add_text(r, path, r->text.p ? (const char *)r->text.p : "", r->text.len);
    }
    if (err != WEDR_E_NOMEM) {
        wedr_load_failed(r->g.l, path, 0,
                         err == WEDR_E_LIMIT ? languages[i]->too_large : wedr_err_text(err), NULL);
    }
    return err == WEDR_E_NOMEM ? err : WEDR_OK;
}

static void on_failed(void *ctx, const char *path, const char *reason)
{
    const struct reading *r = ctx;
    wedr_load_failed(r->g.l, path, 0, reason, NULL);
}

bool wedr_load_in_pack(const char *argument, const char *name)
{
    const char *below = argument + strlen("@pack");
    if (strncmp(argument, "@pack", 5) != 0 || (*below != '\0' && *below != '/')) {
        return false;
    }
    below += *below == '/';
    size_t n = strlen(below);
    return strncmp(name, below, n) == 0 &&
           (n == 0 || below[n - 1] == '/' || name[n] == '/' || name[n] == '\0');
}

static int add_pack(struct reading *r, const char *argument)
{
    char path[WEDR_WALK_PATH_MAX];
    const char *text;
    size_t len;
    const char *name;
    uint64_t before = r->g.l->files;
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && (name = wedr_pack_file(i, &text, &len)) != NULL; i++) {
        if (wedr_load_in_pack(argument, name) &&
            snprintf(path, sizeof(path), "@pack/%s", name) > 0) {
            r->g.l->files++;
            err = add_text(r, path, text, len);
        }
    }
    if (r->g.l->files == before) {
        wedr_load_failed(r->g.l, argument, 0, "the built-in pack has nothing of this name", NULL);
    }
    return err;
}

static int read_all(struct reading *r)
{
    const struct wedr_rules_args *args = r->g.l->args;
    const struct wedr_walk walk = {wedr_load_endings, on_file, on_failed, r};
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(languages); i++) {
        err = languages[i]->open(&r->g, &r->g.state[i]);
    }
    for (size_t i = 0; err == WEDR_OK && i < args->rule_count; i++) {
        r->g.root = args->rules[i];
        err = args->rules[i][0] == '@' ? add_pack(r, args->rules[i])
                                       : wedr_walk(&walk, args->rules[i]);
    }
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(languages); i++) {
        if (languages[i]->finish && languages[i]->finish(&r->g, r->g.state[i]) == WEDR_E_NOMEM) {
            err = WEDR_E_NOMEM;
        }
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(languages); i++) {
        if (languages[i]->close) {
            languages[i]->close(r->g.state[i]);
        }
    }
    return err;
}

int wedr_load_ruleset(struct wedr_load *l, struct wedr_errinfo *ei)
{
    struct reading r = {.g = {.l = l}};
    l->rs = wedr_ruleset_new(WEDR_LOAD_RULESET_MAX);
    wedr_buf_init(&r.text, 0);
    int err = l->rs ? read_all(&r) : WEDR_E_NOMEM;
    wedr_buf_fini(&r.text);
    return err == WEDR_OK ? err : wedr_fail(ei, err, "%s", wedr_err_text(err));
}

int wedr_load_map(struct wedr_load *l,
                  const struct wedr_ruleset *rs,
                  struct wedr_field_map **ret_map,
                  struct wedr_errinfo *ei)
{
    const struct wedr_rules_values *files = &l->args->pipeline;
    struct wedr_pipeline *pipelines[WEDR_PIPELINES_MAX] = {NULL};
    struct wedr_buf text;
    int r = files->count <= WEDR_PIPELINES_MAX
                ? WEDR_OK
                : wedr_fail(ei, WEDR_E_LIMIT, "at most %u pipelines", WEDR_PIPELINES_MAX);
    wedr_buf_init(&text, WEDR_PIPELINE_FILE_MAX);
    for (size_t i = 0; r == WEDR_OK && i < files->count; i++) {
        struct wedr_errinfo why = {""};
        wedr_handle h = WEDR_HANDLE_NONE;
        r = wedr_fs_open(files->v[i], WEDR_FS_READ, 0, &h);
        if (r == WEDR_OK) {
            r = wedr_fs_read_all(h, &text);
        }
        if (r == WEDR_OK) {
            r = wedr_pipeline_read(text.p ? (const char *)text.p : "", text.len, &pipelines[i],
                                   &why);
        }
        if (r != WEDR_OK) {
            (void)wedr_fail(ei, r, "pipeline %.100s: %.120s", files->v[i],
                            why.text[0] ? why.text : wedr_err_text(r));
        }
        wedr_fs_close(h);
    }
    if (r == WEDR_OK) {
        r = wedr_pipeline_map(rs, (const struct wedr_pipeline *const *)pipelines, files->count,
                              true, ret_map, ei);
    }
    for (size_t i = 0; i < WEDR_PIPELINES_MAX; i++) {
        wedr_pipeline_free(pipelines[i]);
    }
    wedr_buf_fini(&text);
    return r;
}

static int enable_all(struct wedr_ruleset *rs)
{
    int r = WEDR_OK;
    for (uint32_t i = 0; r == WEDR_OK && i < wedr_ruleset_rule_count(rs); i++) {
        uint16_t flags = wedr_ruleset_rule(rs, i)->flags & (uint16_t)~WEDR_RULE_DISABLED;
        r = wedr_ruleset_set_flags(rs, i, flags);
    }
    return r;
}

int wedr_load_rules(struct wedr_load *l, struct wedr_errinfo *ei)
{
    const struct wedr_engine_options options = {.memory_max = WEDR_LOAD_TABLES_MAX};
    int r = wedr_load_ruleset(l, ei);
    if (r == WEDR_OK && l->with_disabled) {
        r = enable_all(l->rs);
    }
    if (r == WEDR_OK) {
        r = wedr_choose(l->rs, l->args, &l->chosen, ei);
    }
    if (r == WEDR_OK && l->want_facts) {
        r = wedr_facts_intern(&l->facts, l->rs, l->args->field.v, l->args->field.count, ei);
    }
    if (r == WEDR_OK) {
        r = wedr_engine_new_take(l->rs, &options, &l->engine, ei);
    }
    if (r != WEDR_OK) {
        return r;
    }
    l->rs = NULL;
    return wedr_load_map(l, wedr_engine_ruleset(l->engine), &l->map, ei);
}

void wedr_load_fini(struct wedr_load *l)
{
    wedr_field_map_free(l->map);
    wedr_engine_free(l->engine);
    wedr_ruleset_free(l->rs);
    l->map = NULL;
    l->engine = NULL;
    l->rs = NULL;
}
