/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "load_language.h"
#include "wedr/plat/time.h"
#include "wedr/rules/ioc.h"

static void on_report(void *ctx, const struct wedr_ioc_report *report)
{
    struct wedr_load *l = ctx;
    switch (report->outcome) {
    case WEDR_IOC_LIST:
    case WEDR_IOC_LIST_EXPIRED:
        l->rules++;
        l->compiled++;
        l->expired += report->outcome == WEDR_IOC_LIST_EXPIRED;
        break;
    case WEDR_IOC_LIST_REFUSED:
        l->rules++;
        wedr_load_failed(l, report->file, report->line, report->text, NULL);
        break;
    case WEDR_IOC_ENTRY_REFUSED:
        wedr_load_failed(l, report->file, report->line, report->text, NULL);
        break;
    case WEDR_IOC_ENTRY_EXPIRED:
        l->expired++;
        break;
    case WEDR_IOC_ENTRY_DUPLICATE:
        break;
    }
}

static int open_ioc(struct wedr_loading *g, void **state)
{
    (void)g;
    *state = NULL;
    return WEDR_OK;
}

static int add(struct wedr_loading *g, void *state, const char *path, const char *text, size_t len)
{
    const struct wedr_ioc_options options = {.now_us = wedr_time_utc_us()};
    struct wedr_ioc_stats stats;
    (void)state;
    return wedr_ioc_add(g->l->rs, path, text, len, &options, on_report, g->l, &stats);
}

static const char *const endings[] = {".ioc", NULL};

const struct wedr_load_language wedr_load_ioc = {
    endings, WEDR_IOC_FILE_MAX, "larger than 64 MiB", open_ioc, add, NULL, NULL};
