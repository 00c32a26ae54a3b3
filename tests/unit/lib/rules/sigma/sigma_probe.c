/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/sigma/sigma_probe.c — loads the rule files that a list names and matches
 * events, one JSON document a line: `sigma_probe RULES [EVENTS]`. Prints a line for the load, one
 * for every document that was refused, and one for every event. For the Python tests beside it. */
#include "core/base/err.h"
#include "slurp.h"
#include "wedr/rules/engine.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu_ms(void)
{
    return (double)clock() * 1000.0 / CLOCKS_PER_SEC;
}

static void on_report(void *ctx, const struct wedr_sigma_report *r)
{
    (void)ctx;
    if (r->outcome == WEDR_SIGMA_REFUSED) {
        printf("refused\t%s\t%u\t%s\n", r->file, r->line, r->text);
    }
}

struct rule_file {
    char *name, *text;
    size_t len;
};

static void load(struct wedr_ruleset *rs, char *list)
{
    static struct rule_file files[20000];
    size_t count = 0;
    for (char *p = strtok(list, "\n"); p && count < 20000; p = strtok(NULL, "\n")) {
        files[count].name = p;
        files[count].text = slurp(p, &files[count].len);
        count++;
    }
    double start = cpu_ms();
    struct wedr_sigma *s = wedr_sigma_new(rs, NULL, on_report, NULL);
    for (size_t i = 0; i < count; i++) {
        (void)wedr_sigma_add(s, files[i].name, files[i].text, files[i].len);
    }
    (void)wedr_sigma_finish(s);
    struct wedr_sigma_stats st;
    wedr_sigma_stats(s, &st);
    wedr_sigma_free(s);
    printf("load\t%u\t%u\t%u\t%u\t%u\t%.1f\n", st.files, st.documents, st.rules, st.refused,
           st.need_list, cpu_ms() - start);
    for (size_t i = 0; i < count; i++) {
        free(files[i].text);
    }
}

static void print_match(const struct wedr_ruleset *rs, size_t event, const uint32_t *v, size_t n)
{
    printf("event\t%zu", event);
    for (size_t i = 0; i < n; i++) {
        struct wedr_text id = wedr_ruleset_rule(rs, v[i])->id;
        printf("\t%.*s", (int)id.len, id.p);
    }
    printf("\n");
}

static int match(const struct wedr_engine *e, char *events)
{
    const struct wedr_ruleset *rs = wedr_engine_ruleset(e);
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {{0}};
    int r = wedr_pipeline_map(rs, NULL, 0, true, &map, &ei);
    if (r < 0) {
        fprintf(stderr, "pipelines: %s %s\n", wedr_err_text(r), ei.text);
        return 1;
    }
    struct wedr_matcher *m = wedr_matcher_new(e);
    struct wedr_rule_event *ev = wedr_rule_event_new(rs, NULL);
    size_t index = 0;
    int bad = 0;
    for (char *p = strtok(events, "\n"); p; p = strtok(NULL, "\n"), index++) {
        const uint32_t *v;
        size_t n;
        r = wedr_rule_event_read_json(ev, map, p, strlen(p), &ei);
        r = r < 0 ? r : wedr_matcher_run(m, ev, &v, &n);
        if (r < 0) {
            fprintf(stderr, "event %zu: %s %s\n", index, wedr_err_text(r), ei.text);
            bad = 1;
            continue;
        }
        print_match(rs, index, v, n);
    }
    wedr_rule_event_free(ev);
    wedr_matcher_free(m);
    wedr_field_map_free(map);
    return bad;
}

int main(int argc, char **argv)
{
    size_t len;
    if (argc < 2) {
        return 2;
    }
    char *list = slurp(argv[1], &len);
    struct wedr_ruleset *rs = wedr_ruleset_new(256u << 20);
    load(rs, list);
    free(list);
    int bad = 0;
    if (argc > 2) {
        struct wedr_engine *e;
        struct wedr_errinfo ei = {{0}};
        double start = cpu_ms();
        int r = wedr_engine_new_take(rs, NULL, &e, &ei);
        if (r < 0) {
            fprintf(stderr, "engine: %s %s\n", wedr_err_text(r), ei.text);
            return 1;
        }
        printf("engine\t%.1f\n", cpu_ms() - start);
        char *events = slurp(argv[2], &len);
        bad = match(e, events);
        free(events);
        wedr_engine_free(e);
    } else {
        wedr_ruleset_free(rs);
    }
    return bad;
}
