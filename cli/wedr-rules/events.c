/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "core/base/err.h"
#include "docs.h"
#include "show.h"
#include "walk.h"
#include <inttypes.h>
#include <stdio.h>

static const char *const endings[] = {".json", ".ndjson", ".jsonl", NULL};

struct run {
    struct wedr_events *e;
    struct wedr_rule_event *ev;
    const char *path;
    uint64_t failed_here; /* in this file */
};

static void tell_failed(struct run *g, uint64_t line, const char *reason)
{
    g->e->failed++;
    if (g->failed_here++ < WEDR_EVENTS_TOLD_MAX) {
        wedr_show_problem(g->path, line, reason);
    }
}

static int on_doc(void *ctx, const struct wedr_doc *doc)
{
    struct run *g = ctx;
    struct wedr_errinfo ei = {""};
    if (doc->bad) {
        tell_failed(g, doc->line, doc->bad);
        return WEDR_OK;
    }
    int r = wedr_rule_event_read_json(g->ev, g->e->load->map, doc->json, doc->len, &ei);
    if (r != WEDR_OK) {
        tell_failed(g, doc->line, ei.text[0] ? ei.text : wedr_err_text(r));
        return r == WEDR_E_NOMEM ? r : WEDR_OK;
    }
    g->e->events++;
    g->e->unknown += wedr_rule_event_class_count(g->ev) == 0;
    return g->e->fn(g->e->ctx, g->path, doc->index, g->ev, wedr_text(doc->json, doc->len));
}

static int on_file(void *ctx, const char *path, wedr_handle h)
{
    struct run *g = ctx;
    g->path = path;
    g->failed_here = 0;
    g->e->files++;
    int r = wedr_docs_read(h, on_doc, g);
    if (r == WEDR_E_IO) {
        tell_failed(g, 0, wedr_err_text(r));
        r = WEDR_OK;
    }
    if (g->failed_here > WEDR_EVENTS_TOLD_MAX) {
        char more[64];
        (void)snprintf(more, sizeof(more), "%" PRIu64 " more of this kind",
                       g->failed_here - WEDR_EVENTS_TOLD_MAX);
        wedr_show_problem(path, 0, more);
    }
    return r;
}

static void on_failed(void *ctx, const char *path, const char *reason)
{
    const struct run *g = ctx;
    g->e->failed++;
    wedr_show_problem(path, 0, reason);
}

int wedr_events_run(struct wedr_events *e, char *const *paths, size_t count)
{
    const struct wedr_rule_event_limits limits = {.document_max = (uint32_t)WEDR_DOCS_BYTES_MAX};
    struct run g = {.e = e};
    const struct wedr_walk walk = {endings, on_file, on_failed, &g};
    int r = WEDR_OK;
    g.ev = wedr_rule_event_new(wedr_engine_ruleset(e->load->engine), &limits);
    if (!g.ev) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; r == WEDR_OK && i < count; i++) {
        r = wedr_walk(&walk, paths[i]);
    }
    wedr_rule_event_free(g.ev);
    return r;
}
