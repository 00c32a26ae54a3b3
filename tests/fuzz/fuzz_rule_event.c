/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_rule_event.c — any bytes as one JSON event: refused, or every text lies where it
 * may, and rules that look at everything say the same with and without the tables. */
#include "core/base/err.h"
#include "wedr/rules/engine.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wedr_engine *engine;
static struct wedr_field_map *map;
static struct wedr_rule_event *event;
static struct wedr_matcher *matcher;

static void require(int ok)
{
    if (!ok) {
        abort();
    }
}

static void add(struct wedr_ruleset *rs, uint32_t field, enum wedr_pred_kind kind, const char *text)
{
    struct wedr_rule rule = wedr_rule_init();
    uint32_t id;
    require(wedr_ir_text(rs, field, kind, wedr_text(text, strlen(text)), 0, &rule.condition,
                         NULL) == WEDR_OK);
    require(wedr_ruleset_add_rule(rs, &rule, &id) == WEDR_OK);
}

static void start(void)
{
    static const char *const names[] = {"a", "b.c", "d"};
    static const char *const texts[] = {"x", "ab", "\xC3\xA9", "\\x*y", "aaaa", "a?b"};
    const struct wedr_rule_event_limits limits = {
        .values_max = 100, .document_max = 1u << 16, .depth_max = 8, .name_max = 24};
    const struct wedr_selector_condition when[] = {{"kind", "x"}, {"a", NULL}};
    struct wedr_ruleset *rs = wedr_ruleset_new(8u << 20);
    uint32_t fields[4] = {0, 0, 0, WEDR_FIELD_ANY};
    require(rs != NULL);
    for (size_t i = 0; i < 3; i++) {
        require(wedr_ruleset_field(rs, names[i], strlen(names[i]), &fields[i]) == WEDR_OK);
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (unsigned kind = WEDR_PRED_EQUALS; kind <= WEDR_PRED_WILDCARD; kind++) {
            add(rs, fields[(i + kind) % 4], (enum wedr_pred_kind)kind, texts[i]);
        }
    }
    require(wedr_engine_new_take(rs, NULL, &engine, NULL) == WEDR_OK);
    map = wedr_field_map_new(rs);
    event = wedr_rule_event_new(rs, &limits);
    matcher = wedr_matcher_new(engine);
    require(map && event && matcher);
    require(wedr_field_map_prefix(map, "p.") == WEDR_OK);
    require(wedr_field_map_pairs(map, "p.q", "n", "v", "p.") == WEDR_OK);
    require(wedr_field_map_add(map, 1, "e", "a") == WEDR_OK &&
            wedr_field_map_add(map, 1, "e", "d") == WEDR_OK);
    require(wedr_field_map_select(map, when, 2, 1, NULL) == WEDR_OK);
    require(wedr_field_map_seal(map) == WEDR_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wedr_errinfo ei;
    const uint32_t *rules;
    size_t count;
    if (!engine) {
        start();
    }
    int r = wedr_rule_event_read_json(event, map, (const char *)data, size, &ei);
    require(r == WEDR_OK || r == WEDR_E_FORMAT || r == WEDR_E_LIMIT);
    require(r == WEDR_OK || wedr_rule_event_value_count(event) == 0);
    size_t total = 0;
    for (uint32_t i = 0; i < wedr_rule_event_value_count(event); i++) {
        struct wedr_text t = wedr_rule_event_text(event, i);
        for (uint32_t k = 0; k < t.len; k++) {
            total += (uint8_t)t.p[k]; /* the sanitizer looks where it lies */
        }
    }
    require(total < SIZE_MAX);
    require(wedr_matcher_run(matcher, event, &rules, &count) == WEDR_OK);
    size_t at = 0;
    for (uint32_t rule = 0; rule < wedr_ruleset_rule_count(wedr_engine_ruleset(engine)); rule++) {
        bool want;
        bool have = at < count && rules[at] == rule;
        require(wedr_engine_explain(matcher, rule, event, NULL, NULL, &want) == WEDR_OK);
        require(want == have);
        at += have;
    }
    return 0;
}
