/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/waza/waza_probe.c — Sigma rules as Waza: `waza_probe RULES EVENTS` loads the
 * Sigma files that the list RULES names, writes each rule as Waza, reads that back, compares the
 * two and matches EVENTS (one JSON document a line) with both. Prints what differs and one line of
 * counts. For the Python test beside it. */
#include "core/base/err.h"
#include "same.h"
#include "slurp.h"
#include "wedr/rules/correlate.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include "wedr/rules/waza.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct wedr_ruleset *load_sigma(char *list)
{
    struct wedr_ruleset *rs = wedr_ruleset_new(256u << 20);
    struct wedr_sigma *s = wedr_sigma_new(rs, NULL, NULL, NULL);
    for (char *p = strtok(list, "\n"); p; p = strtok(NULL, "\n")) {
        size_t len;
        char *text = slurp(p, &len);
        (void)wedr_sigma_add(s, p, text, len);
        free(text);
    }
    (void)wedr_sigma_finish(s);
    wedr_sigma_free(s);
    return rs;
}

static void on_error(void *ctx, const struct wedr_waza_error *e)
{
    struct wedr_buf out;
    (void)ctx;
    wedr_buf_init(&out, 1u << 16);
    wedr_waza_error_print(e, &out);
    printf("%s", (const char *)out.p);
    wedr_buf_fini(&out);
}

static struct wedr_ruleset *as_waza(const struct wedr_ruleset *sigma, size_t *bad)
{
    struct wedr_ruleset *rs = wedr_ruleset_new(256u << 20);
    const struct wedr_waza_options options = {.error = on_error};
    struct wedr_waza *w = wedr_waza_new(rs, &options);
    struct wedr_buf all;
    struct wedr_buf one;
    wedr_buf_init(&all, WEDR_WAZA_FILE_MAX);
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(sigma); i++) {
        struct wedr_errinfo ei = {{0}};
        char name[64];
        int e = wedr_waza_write_rule(sigma, i, &all, &ei);
        if (e < 0) {
            printf("rule %u is not written: %s\n", i, ei.text);
            ++*bad;
            continue;
        }
        snprintf(name, sizeof(name), "rule%u.waza", i);
        wedr_buf_init(&one, WEDR_WAZA_FILE_MAX);
        e = wedr_waza_format(name, (const char *)all.p, all.len, &one, on_error, NULL);
        if (e < 0 || one.len != all.len || memcmp(one.p, all.p, all.len) != 0) {
            printf("rule %u is not written in the canonical layout\n%s", i, (const char *)all.p);
            ++*bad;
        }
        *bad += wedr_waza_add(w, name, (const char *)all.p, all.len) < 0;
        wedr_buf_fini(&one);
        wedr_buf_truncate(&all, 0);
    }
    *bad += wedr_waza_finish(w) < 0;
    wedr_buf_fini(&all);
    wedr_waza_free(w);
    return rs;
}

static size_t compare(const struct wedr_ruleset *a, const struct wedr_ruleset *b)
{
    size_t bad = 0;
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(a); i++) {
        const struct wedr_rule *r = wedr_ruleset_rule(a, i);
        struct wedr_text id = r->id.len ? r->id : r->title;
        uint32_t k = wedr_ruleset_rule_find(b, id.p, id.len);
        const char *what = k == WEDR_IR_NONE ? "it is missing" : same_rule(a, i, b, k, true);
        if (*what) {
            printf("%.*s (%.*s): %s\n", (int)id.len, id.p, (int)r->title.len, r->title.p, what);
            bad++;
        }
    }
    return bad;
}

/* --- Events. */

struct side {
    struct wedr_engine *e;
    struct wedr_field_map *map;
    struct wedr_matcher *m;
    struct wedr_rule_event *ev;
    struct wedr_correlate *c;
    uint64_t sum; /* of the ids of what matched in one event, whatever the order */
    uint64_t matches;
};

static void note(struct side *s, uint32_t rule)
{
    struct wedr_text id = wedr_ruleset_rule(wedr_engine_ruleset(s->e), rule)->id;
    uint64_t h = 1469598103934665603u;
    for (uint32_t i = 0; i < id.len; i++) {
        h = (h ^ (uint8_t)id.p[i]) * 1099511628211u;
    }
    s->sum += h;
    s->matches++;
}

static void on_firing(void *ctx, const struct wedr_firing *f)
{
    note(ctx, f->rule);
}

static void side_open(struct side *s, struct wedr_ruleset *rs)
{
    struct wedr_errinfo ei = {{0}};
    if (wedr_engine_new_take(rs, NULL, &s->e, &ei) < 0 ||
        wedr_pipeline_map(rs, NULL, 0, true, &s->map, &ei) < 0) {
        fprintf(stderr, "%s\n", ei.text);
        exit(1);
    }
    s->m = wedr_matcher_new(s->e);
    s->ev = wedr_rule_event_new(rs, NULL);
    s->c = wedr_correlate_new(s->e, NULL);
}

static void side_close(struct side *s)
{
    wedr_correlate_free(s->c);
    wedr_rule_event_free(s->ev);
    wedr_matcher_free(s->m);
    wedr_field_map_free(s->map);
    wedr_engine_free(s->e);
}

static void side_feed(struct side *s, const char *json, int64_t index)
{
    const uint32_t *rules;
    size_t count;
    s->sum = 0;
    if (wedr_rule_event_read_json(s->ev, s->map, json, strlen(json), NULL) < 0 ||
        wedr_matcher_run(s->m, s->ev, &rules, &count) < 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        note(s, rules[i]);
    }
    if (wedr_correlate_feed(s->c, s->ev, rules, count, index * 1000, (uint64_t)index, on_firing,
                            s) < 0) {
        s->sum = 0;
    }
}

int main(int argc, char **argv)
{
    size_t len;
    size_t bad = 0;
    if (argc != 3) {
        return 2;
    }
    char *list = slurp(argv[1], &len);
    struct wedr_ruleset *sigma = load_sigma(list);
    struct wedr_ruleset *waza = as_waza(sigma, &bad);
    bad += compare(sigma, waza);
    uint32_t rules = wedr_ruleset_rule_count(sigma);
    uint32_t correlations = wedr_ruleset_correlation_count(sigma);
    struct side a = {0};
    struct side b = {0};
    side_open(&a, sigma);
    side_open(&b, waza);
    char *events = slurp(argv[2], &len);
    int64_t index = 0;
    for (char *p = strtok(events, "\n"); p; p = strtok(NULL, "\n"), index++) {
        side_feed(&a, p, index);
        side_feed(&b, p, index);
        if (a.sum != b.sum) {
            printf("event %lld matches other rules\n", (long long)index);
            bad++;
        }
    }
    printf("counts\t%u\t%u\t%lld\t%llu\t%llu\t%zu\n", rules, correlations, (long long)index,
           (unsigned long long)a.matches, (unsigned long long)b.matches, bad);
    side_close(&a);
    side_close(&b);
    free(events);
    free(list);
    return bad > 0;
}
