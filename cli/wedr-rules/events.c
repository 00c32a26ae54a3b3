/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include "common/show.h"
#include "core/base/err.h"
#include "wedr/plat/term.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const wedr_events_endings[] = {
    ".json",     ".ndjson", ".jsonl",    ".log",        ".json.gz",   ".ndjson.gz",
    ".jsonl.gz", ".log.gz", ".json.zst", ".ndjson.zst", ".jsonl.zst", ".log.zst",
    ".log.1",    ".log.2",  ".log.3",    ".log.4",      NULL};

struct run {
    struct wedr_events *e;
    struct wedr_rule_event *ev;
    const char *path;
    uint64_t told; /* of this file */
};

void wedr_events_tell(
    const char *path, uint64_t line, uint64_t offset, const char *reason, uint64_t *told)
{
    char text[WEDR_ERRINFO_MAX + 64];
    if ((*told)++ < WEDR_EVENTS_TOLD_MAX) {
        (void)snprintf(text, sizeof(text), "%s (at byte %" PRIu64 ")", reason, offset);
        wedr_show_problem(path, line, text);
    }
}

void wedr_events_tell_more(const char *path, uint64_t told)
{
    char more[64];
    if (told > WEDR_EVENTS_TOLD_MAX) {
        (void)snprintf(more, sizeof(more), "%" PRIu64 " more of this kind",
                       told - WEDR_EVENTS_TOLD_MAX);
        wedr_show_problem(path, 0, more);
    }
}

static int on_doc(void *ctx, const struct wedr_doc *doc)
{
    struct run *g = ctx;
    struct wedr_errinfo ei = {""};
    const char *bad = doc->bad;
    int r = WEDR_OK;
    if (!bad) {
        r = wedr_rule_event_read_json(g->ev, g->e->load->map, doc->json, doc->len, &ei);
        bad = r == WEDR_OK ? NULL : ei.text[0] ? ei.text : wedr_err_text(r);
    }
    if (bad) {
        g->e->failed++;
        wedr_events_tell(g->path, doc->line, doc->offset, bad, &g->told);
        return r == WEDR_E_NOMEM ? r : WEDR_OK;
    }
    g->e->events++;
    g->e->unknown += wedr_rule_event_class_count(g->ev) == 0;
    return g->e->fn(g->e->ctx, g->path, doc, g->ev);
}

static int on_file(void *ctx, const char *path, wedr_handle h)
{
    struct run *g = ctx;
    const struct wedr_reader reader = {on_doc, NULL, g};
    g->path = path;
    g->told = 0;
    g->e->files++;
    int r = wedr_reader_run(&reader, h);
    wedr_events_tell_more(path, g->told);
    return r;
}

static void on_failed(void *ctx, const char *path, const char *reason)
{
    const struct run *g = ctx;
    g->e->failed++;
    wedr_show_problem(path, 0, reason);
}

int wedr_events_walk(const struct wedr_walk *walk, char *const *paths, size_t count)
{
    int r = WEDR_OK;
    for (size_t i = 0; r == WEDR_OK && i < count; i++) {
        r = strcmp(paths[i], "-") == 0 ? walk->file(walk->ctx, "-", wedr_term_input())
                                       : wedr_walk(walk, paths[i]);
    }
    return r;
}

int wedr_events_run(struct wedr_events *e, char *const *paths, size_t count)
{
    const struct wedr_rule_event_limits limits = {.document_max = (uint32_t)WEDR_DOCS_BYTES_MAX};
    struct run g = {.e = e};
    const struct wedr_walk walk = {wedr_events_endings, on_file, on_failed, &g};
    g.ev = wedr_rule_event_new(wedr_engine_ruleset(e->load->engine), &limits);
    if (!g.ev) {
        return WEDR_E_NOMEM;
    }
    int r = wedr_events_walk(&walk, paths, count);
    wedr_rule_event_free(g.ev);
    return r;
}
