/* SPDX-License-Identifier: Apache-2.0
 * tests/rules/stream_probe.c — a stream of events through rules and correlations:
 * `stream_probe RULES EVENTS`. RULES is one file of Sigma documents; EVENTS has a time in us since
 * 1970, a tab and a JSON document a line. Prints a JSON object a line for every firing. */
#include "core/base/err.h"
#include "slurp.h"
#include "wedr/rules/correlate.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stream {
    const struct wedr_ruleset *rs;
    size_t index; /* of the event */
};

static void on_report(void *ctx, const struct wedr_sigma_report *r)
{
    (void)ctx;
    if (r->outcome == WEDR_SIGMA_REFUSED) {
        (void)fprintf(stderr, "line %u: %s\n", r->line, r->text);
        exit(1);
    }
}

static void on_firing(void *ctx, const struct wedr_firing *f)
{
    const struct stream *s = ctx;
    struct wedr_text name = wedr_ruleset_rule(s->rs, f->rule)->title;
    printf("{\"event\": %zu, \"rule\": \"%.*s\", \"count\": %" PRIu64 ", \"group\": [", s->index,
           (int)name.len, name.p, f->count);
    for (uint32_t i = 0; i < f->group_count; i++) {
        printf("%s\"%.*s\"", i ? ", " : "", (int)f->group[i].len, f->group[i].p);
    }
    printf("]}\n");
}

static void check(int e, const char *what, const struct wedr_errinfo *ei)
{
    if (e < 0) {
        (void)fprintf(stderr, "%s: %s %s\n", what, wedr_err_text(e), ei->text);
        exit(1);
    }
}

static struct wedr_engine *load(const char *path)
{
    struct wedr_errinfo ei = {{0}};
    struct wedr_engine *e = NULL;
    struct wedr_ruleset *rs = wedr_ruleset_new((size_t)64 << 20);
    struct wedr_sigma *s = wedr_sigma_new(rs, NULL, on_report, NULL);
    size_t len;
    char *text = slurp(path, &len);
    check(wedr_sigma_add(s, path, text, len), path, &ei);
    check(wedr_sigma_finish(s), path, &ei);
    wedr_sigma_free(s);
    free(text);
    check(wedr_engine_new_take(rs, NULL, &e, &ei), "engine", &ei);
    return e;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        return 2;
    }
    struct wedr_errinfo ei = {{0}};
    struct wedr_engine *e = load(argv[1]);
    struct stream s = {wedr_engine_ruleset(e), 0};
    struct wedr_field_map *map = NULL;
    check(wedr_pipeline_map(s.rs, NULL, 0, true, &map, &ei), "pipelines", &ei);
    struct wedr_matcher *m = wedr_matcher_new(e);
    struct wedr_correlate *c = wedr_correlate_new(e, NULL);
    struct wedr_rule_event *ev = wedr_rule_event_new(s.rs, NULL);
    size_t len;
    char *events = slurp(argv[2], &len);
    for (char *p = strtok(events, "\n"); p; p = strtok(NULL, "\n"), s.index++) {
        char *json = NULL;
        int64_t time_us = strtoll(p, &json, 10);
        const uint32_t *v;
        size_t n;
        check(wedr_rule_event_read_json(ev, map, json, strlen(json), &ei), "event", &ei);
        check(wedr_matcher_run(m, ev, &v, &n), "match", &ei);
        check(wedr_correlate_feed(c, ev, v, n, time_us, s.index, on_firing, &s), "feed", &ei);
    }
    free(events);
    wedr_rule_event_free(ev);
    wedr_correlate_free(c);
    wedr_matcher_free(m);
    wedr_field_map_free(map);
    wedr_engine_free(e);
    return 0;
}
