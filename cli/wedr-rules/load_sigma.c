/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "load_language.h"
#include "wedr/rules/sigma.h"

static void on_report(void *ctx, const struct wedr_sigma_report *report)
{
    struct wedr_load *l = ctx;
    l->rules++;
    if (report->outcome == WEDR_SIGMA_REFUSED) {
        wedr_load_failed(l, report->file, report->line, report->text, NULL);
        return;
    }
    l->compiled++;
    l->correlations += report->outcome == WEDR_SIGMA_CORRELATION;
    l->filters += report->outcome == WEDR_SIGMA_FILTER;
    l->need_list += report->outcome == WEDR_SIGMA_RULE && report->text && report->text[0];
}

static int open(struct wedr_loading *g, void **state)
{
    *state = wedr_sigma_new(g->l->rs, NULL, on_report, g->l);
    return *state ? WEDR_OK : WEDR_E_NOMEM;
}

static int add(struct wedr_loading *g, void *state, const char *path, const char *text, size_t len)
{
    uint64_t told = g->l->rules;
    int r = wedr_sigma_add(state, path, text, len);
    if (r == WEDR_OK && g->l->rules == told) {
        wedr_load_failed(g->l, path, 0, "no rule in this file", NULL);
    }
    return r;
}

static int finish(struct wedr_loading *g, void *state)
{
    (void)g;
    return wedr_sigma_finish(state);
}

static void close_sigma(void *state)
{
    wedr_sigma_free(state);
}

static const char *const endings[] = {".yml", ".yaml", NULL};

const struct wedr_load_language wedr_load_sigma = {
    endings, WEDR_SIGMA_FILE_MAX, "larger than 8 MiB", open, add, finish, close_sigma};
