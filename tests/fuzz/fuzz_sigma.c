/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_sigma.c — any bytes as a rule file and as a pipeline: both readers of YAML give
 * the same tree, what is refused says why in one line, what is taken can be matched. */
#include "core/base/err.h"
#include "sigma/yaml.h"
#include "wedr/rules/engine.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 8192u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

static bool same_text(struct wedr_text a, struct wedr_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static bool same(const struct wedr_yaml *a, const struct wedr_yaml *b)
{
    for (; a && b; a = a->next, b = b->next) {
        if (a->kind != b->kind || a->plain != b->plain || a->count != b->count ||
            a->line != b->line || !same_text(a->text, b->text) || !same_text(a->key, b->key) ||
            !same(a->first, b->first)) {
            return false;
        }
    }
    return !a && !b;
}

static void both_readers(const char *s, size_t len)
{
    const struct wedr_yaml_limits limits = {32, 5000};
    struct wedr_arena *a = wedr_arena_new(4u << 20);
    struct wedr_arena *b = wedr_arena_new(4u << 20);
    struct wedr_yaml *x = NULL;
    struct wedr_yaml *y = NULL;
    uint32_t line = 0;
    require(a && b);
    if (wedr_yaml_read_quick(a, &limits, s, len, &x) == WEDR_OK) {
        int e = wedr_yaml_read_full(b, &limits, s, len, &y, &line, NULL);
        require(e == WEDR_OK && same(x, y));
    }
    wedr_arena_free(a);
    wedr_arena_free(b);
}

static void on_report(void *ctx, const struct wedr_sigma_report *r)
{
    (void)ctx;
    if (r->outcome == WEDR_SIGMA_REFUSED) {
        require(r->err < 0 && r->text[0] != '\0' && !strchr(r->text, '\n'));
    } else if (r->outcome != WEDR_SIGMA_FILTER) {
        require(r->rule != WEDR_IR_NONE);
    }
}

static void match(struct wedr_ruleset *rs)
{
    static const char json[] = "{\"a\":\"x\",\"f\":[1,\"y\",null],\"Image\":\"C:\\\\a.exe\"}";
    struct wedr_engine *e;
    struct wedr_field_map *map;
    if (wedr_engine_new_take(rs, NULL, &e, NULL) < 0) {
        wedr_ruleset_free(rs);
        return;
    }
    require(wedr_pipeline_map(rs, NULL, 0, true, &map, NULL) == WEDR_OK);
    struct wedr_rule_event *ev = wedr_rule_event_new(rs, NULL);
    struct wedr_matcher *m = wedr_matcher_new(e);
    const uint32_t *rules;
    size_t count;
    require(ev && m && wedr_rule_event_read_json(ev, map, json, sizeof(json) - 1, NULL) == WEDR_OK);
    if (wedr_ruleset_class_count(rs) > 0) {
        (void)wedr_rule_event_add_class(ev, 0);
    }
    require(wedr_matcher_run(m, ev, &rules, &count) == WEDR_OK);
    wedr_matcher_free(m);
    wedr_rule_event_free(ev);
    wedr_field_map_free(map);
    wedr_engine_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const values[] = {"one", "t*o"};
    static const struct wedr_sigma_list list = {"list", values, 2};
    const struct wedr_sigma_options options = {.lists = &list, .list_count = 1, .values_max = 5000};
    const char *s = (const char *)data;
    struct wedr_errinfo ei = {{0}};
    struct wedr_pipeline *p;
    if (size > INPUT_MAX) {
        return 0;
    }
    both_readers(s, size);
    if (wedr_pipeline_read(s, size, &p, &ei) == WEDR_OK) {
        wedr_pipeline_free(p);
    } else {
        require(strncmp(ei.text, "line ", 5) == 0);
    }
    struct wedr_ruleset *rs = wedr_ruleset_new(16u << 20);
    struct wedr_sigma *loader = wedr_sigma_new(rs, &options, on_report, NULL);
    require(rs && loader);
    (void)wedr_sigma_add(loader, "f", s, size);
    (void)wedr_sigma_finish(loader);
    wedr_sigma_free(loader);
    if (wedr_ruleset_rule_count(rs) > 0) {
        match(rs);
    } else {
        wedr_ruleset_free(rs);
    }
    return 0;
}
