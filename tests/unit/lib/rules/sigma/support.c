/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/sigma/support.c */
#include "support.h"
#include "core/base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

char sigma_reason[256];
uint32_t sigma_line;
static int reason_err;
static struct wedr_sigma_options options;

void sigma_lists(const struct wedr_sigma_list *lists, size_t count)
{
    options.lists = lists;
    options.list_count = count;
}

static void on_report(void *ctx, const struct wedr_sigma_report *r)
{
    (void)ctx;
    if (r->outcome == WEDR_SIGMA_REFUSED) {
        snprintf(sigma_reason, sizeof(sigma_reason), "%s", r->text);
        sigma_line = r->line;
        reason_err = r->err;
        assert_null(strchr(r->text, '\n'));
        assert_string_not_equal(r->text, "");
    }
}

struct wedr_ruleset *sigma_load(const char *yaml, struct wedr_sigma_stats *ret_stats)
{
    sigma_reason[0] = '\0';
    sigma_line = 0;
    reason_err = WEDR_OK;
    struct wedr_ruleset *rs = wedr_ruleset_new(64u << 20);
    struct wedr_sigma *s = wedr_sigma_new(rs, &options, on_report, NULL);
    assert_non_null(s);
    char *copy = malloc(strlen(yaml) + 1); /* gone before the rules are used */
    assert_non_null(copy);
    strcpy(copy, yaml);
    int a = wedr_sigma_add(s, "test.yml", copy, strlen(copy));
    free(copy);
    int b = wedr_sigma_finish(s);
    if (ret_stats) {
        wedr_sigma_stats(s, ret_stats);
    }
    assert_int_equal(a < 0 || b < 0, reason_err < 0);
    wedr_sigma_free(s);
    if (a < 0 || b < 0) {
        wedr_ruleset_free(rs);
        return NULL;
    }
    return rs;
}

bool sigma_match_nth(const char *yaml, uint32_t rule, const char *json)
{
    struct wedr_ruleset *rs = sigma_load(yaml, NULL);
    struct wedr_errinfo ei = {{0}};
    struct wedr_engine *e = NULL;
    if (!rs) {
        fail_msg("refused, line %u: %s\n%s", sigma_line, sigma_reason, yaml);
    }
    assert_int_equal(wedr_engine_new_take(rs, NULL, &e, &ei), WEDR_OK);
    struct wedr_field_map *map = wedr_field_map_new(rs);
    assert_int_equal(wedr_field_map_seal(map), WEDR_OK);
    struct wedr_rule_event *ev = wedr_rule_event_new(rs, NULL);
    struct wedr_matcher *m = wedr_matcher_new(e);
    const uint32_t *rules = NULL;
    size_t count = 0;
    int r = wedr_rule_event_read_json(ev, map, json, strlen(json), &ei);
    if (r < 0) {
        fail_msg("%s: %s", ei.text, json);
    }
    for (uint32_t i = 0; i < wedr_ruleset_class_count(rs); i++) {
        assert_int_equal(wedr_rule_event_add_class(ev, i), WEDR_OK);
    }
    assert_int_equal(wedr_matcher_run(m, ev, &rules, &count), WEDR_OK);
    bool found = false;
    bool plain = false;
    for (size_t i = 0; i < count; i++) {
        found |= rules[i] == rule;
    }
    assert_int_equal(wedr_engine_explain(m, rule, ev, NULL, NULL, &plain), WEDR_OK);
    assert_int_equal(found, plain);
    wedr_matcher_free(m);
    wedr_rule_event_free(ev);
    wedr_field_map_free(map);
    wedr_engine_free(e);
    return found;
}

static const char *rule_of(const char *detection)
{
    static char yaml[65536];
    int n = snprintf(yaml, sizeof(yaml),
                     "title: t\n"
                     "logsource: {product: test, category: unit, service: case}\n"
                     "detection:\n%s\n",
                     detection);
    assert_true(n > 0 && (size_t)n < sizeof(yaml));
    return yaml;
}

bool sigma_match(const char *detection, const char *json)
{
    return sigma_match_nth(rule_of(detection), 0, json);
}

bool sigma_entry(const char *entry, const char *json)
{
    char detection[16384];
    snprintf(detection, sizeof(detection), "  s:\n    %s\n  condition: s", entry);
    return sigma_match(detection, json);
}

void sigma_refused_text(const char *yaml, int err, const char *part)
{
    struct wedr_ruleset *rs = sigma_load(yaml, NULL);
    if (rs) {
        wedr_ruleset_free(rs);
        fail_msg("not refused: %s", yaml);
    }
    if (reason_err != err || !strstr(sigma_reason, part)) {
        fail_msg("refused with %d '%s', not %d '%s'", reason_err, sigma_reason, err, part);
    }
}

void sigma_refused(const char *detection, int err, const char *part)
{
    sigma_refused_text(rule_of(detection), err, part);
}
