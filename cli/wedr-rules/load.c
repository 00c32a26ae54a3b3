/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include "core/base/err.h"
#include "show.h"
#include "walk.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"

const char *const wedr_load_endings[] = {".yml", ".yaml", NULL};

struct loading {
    struct wedr_load *l;
    struct wedr_sigma *sigma;
    struct wedr_buf text;
};

static void tell_failed(struct wedr_load *l, const char *file, uint32_t line, const char *reason)
{
    l->failed++;
    if (l->failed_fn) {
        l->failed_fn(l->ctx, file, line, reason);
    } else {
        wedr_show_problem(file, line, reason);
    }
}

static void on_report(void *ctx, const struct wedr_sigma_report *report)
{
    struct wedr_load *l = ctx;
    l->rules++;
    if (report->outcome == WEDR_SIGMA_REFUSED) {
        tell_failed(l, report->file, report->line, report->text);
        return;
    }
    l->compiled++;
    l->correlations += report->outcome == WEDR_SIGMA_CORRELATION;
    l->filters += report->outcome == WEDR_SIGMA_FILTER;
    l->need_list += report->outcome == WEDR_SIGMA_RULE && report->text && report->text[0];
}

static int on_file(void *ctx, const char *path, wedr_handle h)
{
    struct loading *g = ctx;
    g->l->files++;
    int r = wedr_fs_read_all(h, &g->text);
    if (r == WEDR_OK) {
        uint64_t told = g->l->rules;
        r = wedr_sigma_add(g->sigma, path, g->text.p ? (const char *)g->text.p : "", g->text.len);
        if (r == WEDR_OK && g->l->rules == told) {
            tell_failed(g->l, path, 0, "no rule in this file");
        }
    } else if (r != WEDR_E_NOMEM) {
        tell_failed(g->l, path, 0, r == WEDR_E_LIMIT ? "larger than 8 MiB" : wedr_err_text(r));
    }
    return r == WEDR_E_NOMEM ? r : WEDR_OK;
}

static void on_failed(void *ctx, const char *path, const char *reason)
{
    const struct loading *g = ctx;
    tell_failed(g->l, path, 0, reason);
}

static int read_rules(struct loading *g, char *const *paths, size_t count)
{
    const struct wedr_walk walk = {wedr_load_endings, on_file, on_failed, g};
    int r = WEDR_OK;
    wedr_buf_init(&g->text, WEDR_SIGMA_FILE_MAX);
    for (size_t i = 0; r == WEDR_OK && i < count; i++) {
        r = wedr_walk(&walk, paths[i]);
    }
    wedr_buf_fini(&g->text);
    if (r == WEDR_OK && wedr_sigma_finish(g->sigma) == WEDR_E_NOMEM) {
        r = WEDR_E_NOMEM;
    }
    return r;
}

int wedr_load_rules(struct wedr_load *l, char *const *paths, size_t count, struct wedr_errinfo *ei)
{
    const struct wedr_engine_options options = {.memory_max = WEDR_LOAD_TABLES_MAX};
    struct wedr_ruleset *rs = wedr_ruleset_new(WEDR_LOAD_RULESET_MAX);
    struct loading g = {.l = l};
    int r = WEDR_E_NOMEM;
    g.sigma = rs ? wedr_sigma_new(rs, NULL, on_report, l) : NULL;
    if (g.sigma) {
        r = read_rules(&g, paths, count);
    }
    wedr_sigma_free(g.sigma);
    if (r != WEDR_OK) {
        wedr_ruleset_free(rs);
        return wedr_fail(ei, r, "%s", wedr_err_text(r));
    }
    r = wedr_engine_new_take(rs, &options, &l->engine, ei);
    if (r != WEDR_OK) {
        wedr_ruleset_free(rs);
        return r;
    }
    return wedr_pipeline_map(wedr_engine_ruleset(l->engine), NULL, 0, true, &l->map, ei);
}

void wedr_load_fini(struct wedr_load *l)
{
    wedr_field_map_free(l->map);
    wedr_engine_free(l->engine);
    l->map = NULL;
    l->engine = NULL;
}
