/* SPDX-License-Identifier: Apache-2.0
 * Whole documents: what describes a rule, several in one file, filters, correlations. */
#include "core/base/err.h"
#include "support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LS "logsource: {product: p, category: c}\n"
#define DET "detection:\n  s: {f: x}\n  condition: s\n"
#define RULE(n) "title: " n "\nid: id-" n "\nname: " n "\n" LS DET

static void is(struct wedr_text t, const char *want)
{
    assert_int_equal(t.len, strlen(want));
    assert_memory_equal(t.p, want, t.len);
}

static void every_field_of_a_rule_is_kept(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = sigma_load(
        "title: A title\nid: 929a690e-bef0-4204-a928-ef5e620d6fcc\nstatus: test\nlevel: high\n"
        "description: |\n  two\n  lines\nauthor: me, you\ndate: 2024-01-02\nmodified: 2024-02-03\n"
        "license: MIT\nreferences:\n  - https://a\n  - https://b\ntags: [attack.t1059, "
        "attack.execution]\n"
        "falsepositives: Unknown\nfields: [a, b]\nrelated:\n  - {id: x, type: derived}\n"
        "logsource:\n  product: windows\n  service: security\n  definition: any\ncustom: {a: "
        "[1]}\n" DET,
        NULL);
    assert_non_null(rs);
    const struct wedr_rule *r = wedr_ruleset_rule(rs, 0);
    is(r->title, "A title");
    is(r->id, "929a690e-bef0-4204-a928-ef5e620d6fcc");
    is(r->status, "test");
    is(r->description, "two\nlines\n");
    is(r->author, "me, you");
    is(r->date, "2024-01-02");
    is(r->modified, "2024-02-03");
    is(r->license, "MIT");
    is(r->language, "sigma");
    is(r->source_file, "test.yml");
    is(r->product, "windows");
    is(r->category, "");
    is(r->service, "security");
    assert_int_equal(r->severity, WEDR_SEVERITY_HIGH);
    assert_int_equal(r->references.count, 2);
    is(r->references.v[1], "https://b");
    is(r->tags.v[0], "attack.t1059");
    assert_int_equal(r->false_positives.count, 1);
    is(r->false_positives.v[0], "Unknown");
    assert_int_equal(r->class_count, 1);
    is(wedr_ruleset_class_name(rs, r->classes[0]), "windows/*/security");
    assert_int_equal(r->source_line, 1);
    wedr_ruleset_free(rs);
}

static void a_rule_needs_title_log_source_and_detection(void **state)
{
    (void)state;
    sigma_refused_text("id: x\n" LS DET, WEDR_E_FORMAT, "no title");
    sigma_refused_text("title: t\n" DET, WEDR_E_FORMAT, "no logsource");
    sigma_refused_text("title: t\nlogsource: {definition: d}\n" DET, WEDR_E_FORMAT,
                       "empty logsource");
    sigma_refused_text("title: t\n" LS, WEDR_E_FORMAT, "no detection");
    sigma_refused_text("title: t\n" LS "detection: x\n", WEDR_E_FORMAT, "no map");
    sigma_refused_text("- a\n", WEDR_E_FORMAT, "no map");
    sigma_refused_text("title: [a]\n" LS DET, WEDR_E_FORMAT, "title is no text");
    sigma_refused_text("title: t\nlevel: fatal\n" LS DET, WEDR_E_FORMAT, "level 'fatal'");
    assert_int_equal(sigma_line, 2);
    sigma_refused_text("title: t\ntags: {a: b}\n" LS DET, WEDR_E_FORMAT, "tags is no list");
    sigma_refused_text("title: t\nrelated: [a]\n" LS DET, WEDR_E_FORMAT, "related");
    sigma_refused_text("action: global\ntitle: t\n", WEDR_E_UNSUP, "action");
}

static void documents_of_one_file_stand_alone(void **state)
{
    (void)state;
    struct wedr_sigma_stats st;
    struct wedr_ruleset *rs = sigma_load("---\n" RULE("a") "---\n---\n" RULE("b") "...\n", &st);
    assert_non_null(rs);
    assert_int_equal(st.rules, 2);
    assert_int_equal(wedr_ruleset_rule(rs, 1)->source_line, 11);
    wedr_ruleset_free(rs);
    sigma_refused_text(RULE("a") "---\n" RULE("a"), WEDR_E_EXIST, "id id-a is used already");
    assert_int_equal(sigma_line, 9);
}

static void yaml_errors_name_their_line(void **state)
{
    (void)state;
    sigma_refused_text("title: t\ntitle: u\n" LS DET, WEDR_E_FORMAT, "'title' stands twice");
    assert_int_equal(sigma_line, 2);
    sigma_refused_text("title: t\n" LS "detection:\n  s: {a: 1\n", WEDR_E_FORMAT, "no YAML");
    sigma_refused_text("title: *nowhere\n" LS DET, WEDR_E_FORMAT, "names nothing before it");
    char deep[400] = "";
    for (int i = 0; i < 100; i++) {
        strcat(deep, "[");
    }
    sigma_refused_text(deep, WEDR_E_LIMIT, "deep");
}

static void aliases_are_expanded_within_a_budget(void **state)
{
    (void)state;
    assert_true(sigma_match("  x: &x {a: 1}\n  s: *x\n  condition: s", "{\"a\":1}"));
    assert_true(sigma_match("  x: &x {a: 1}\n  s:\n    <<: *x\n    b: 2\n  condition: s",
                            "{\"a\":1,\"b\":2}"));
    assert_false(
        sigma_match("  x: &x {a: 1}\n  s:\n    <<: *x\n    a: 2\n  condition: s", "{\"a\":1}"));
    char bomb[4096] = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
    for (char c = 'b'; c < 'j'; c++) {
        char line[128];
        char p = (char)(c - 1);
        snprintf(line, sizeof(line), "%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n",
                 c, c, p, p, p, p, p, p, p, p, p, p);
        strcat(bomb, line);
    }
    sigma_refused_text(bomb, WEDR_E_LIMIT, "more than 200000 values");
}

/* --- Filters. */

#define FILTER(rules, cond) \
    "title: f\n" LS "filter:\n  rules: " rules "\n  sel: {u: adm}\n  condition: " cond "\n"

static void a_filter_narrows_the_rules_that_it_names(void **state)
{
    (void)state;
    const char *yaml = FILTER("[id-a]", "not sel") "---\n" RULE("a") "---\n" RULE("b");
    assert_true(sigma_match_nth(yaml, 0, "{\"f\":\"x\"}"));
    assert_false(sigma_match_nth(yaml, 0, "{\"f\":\"x\",\"u\":\"adm\"}"));
    assert_true(sigma_match_nth(yaml, 1, "{\"f\":\"x\",\"u\":\"adm\"}"));
    assert_false(sigma_match_nth(yaml, 0, "{\"u\":\"other\"}"));
    const char *by_name = RULE("a") "---\n" FILTER("[a, unknown]", "not sel");
    assert_false(sigma_match_nth(by_name, 0, "{\"f\":\"x\",\"u\":\"adm\"}"));
    const char *positive = RULE("a") "---\n" FILTER("[a]", "sel");
    assert_false(sigma_match_nth(positive, 0, "{\"f\":\"x\"}"));
    assert_true(sigma_match_nth(positive, 0, "{\"f\":\"x\",\"u\":\"adm\"}"));
}

static void a_filter_of_any_takes_its_log_source(void **state)
{
    (void)state;
    const char *yaml =
        FILTER("any", "not sel") "---\n" RULE("a") "---\n"
                                                   "title: o\nlogsource: {product: q}\n" DET
                                                   "---\n" FILTER("[a]", "not sel2");
    struct wedr_sigma_stats st;
    assert_null(sigma_load(yaml, &st)); /* the last one has no sel2 */
    assert_int_equal(st.filtered, 1);
    assert_int_equal(st.filters, 1);
    assert_non_null(strstr(sigma_reason, "sel2"));
    const char *two = RULE("a") "---\n" FILTER(
        "any", "not sel") "---\n"
                          "title: g\n" LS "filter:\n  rules: a\n  v: {v: 1}\n  condition: not v\n";
    assert_true(sigma_match_nth(two, 0, "{\"f\":\"x\"}"));
    assert_false(sigma_match_nth(two, 0, "{\"f\":\"x\",\"u\":\"adm\"}"));
    assert_false(sigma_match_nth(two, 0, "{\"f\":\"x\",\"v\":1}"));
    sigma_refused_text("title: f\n" LS "filter:\n  s: {a: 1}\n  condition: s\n", WEDR_E_FORMAT,
                       "needs rules");
}

/* --- Correlations. */

static struct wedr_ruleset *correlate(const char *section, struct wedr_sigma_stats *st)
{
    char yaml[8192];
    snprintf(yaml, sizeof(yaml),
             "title: corr\nid: cc\nlevel: critical\ncorrelation:\n%s\n---\n%s---\n%s---\n%s",
             section, RULE("a"), RULE("b"), RULE("d"));
    return sigma_load(yaml, st);
}

static const struct wedr_correlation *only(struct wedr_ruleset *rs)
{
    if (!rs) {
        fail_msg("refused, line %u: %s", sigma_line, sigma_reason);
    }
    assert_int_equal(wedr_ruleset_correlation_count(rs), 1);
    return wedr_ruleset_correlation(rs, 0);
}

static void counts_with_limits_groups_and_span(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = correlate("  type: event_count\n  rules: [id-a]\n  group-by: [u, h]\n"
                                        "  timespan: 90m\n  condition: {gt: 100, lte: 200}",
                                        NULL);
    const struct wedr_correlation *c = only(rs);
    assert_int_equal(c->kind, WEDR_CORR_EVENT_COUNT);
    assert_int_equal(c->timespan_ms, 90 * 60 * 1000);
    assert_int_equal(c->group_count, 2);
    is(wedr_ruleset_field_name(rs, c->group_by[1]), "h");
    assert_int_equal(c->limit_count, 2);
    assert_int_equal(c->limits[0].op, WEDR_OP_GT);
    assert_int_equal(c->limits[1].number.v.i, 200);
    const struct wedr_rule *r = wedr_ruleset_rule(rs, c->rule);
    is(r->id, "cc");
    assert_int_equal(r->severity, WEDR_SEVERITY_CRITICAL);
    assert_true(wedr_ruleset_rule(rs, 0)->flags & WEDR_RULE_HIDDEN);
    assert_false(wedr_ruleset_rule(rs, 1)->flags & WEDR_RULE_HIDDEN);
    wedr_ruleset_free(rs);
    rs = correlate("  type: value_count\n  rules: a\n  timespan: 1d\n  generate: true\n"
                   "  condition: {field: user, eq: 4}",
                   NULL);
    c = only(rs);
    assert_int_equal(c->kind, WEDR_CORR_VALUE_COUNT);
    is(wedr_ruleset_field_name(rs, c->value_field), "user");
    assert_int_equal(c->limits[0].op, WEDR_OP_EQ);
    assert_int_equal(c->timespan_ms, 86400000);
    assert_false(wedr_ruleset_rule(rs, 0)->flags & WEDR_RULE_HIDDEN);
    wedr_ruleset_free(rs);
}

static void temporal_forms(void **state)
{
    (void)state;
    struct wedr_ruleset *rs =
        correlate("  type: temporal\n  rules: [a, b, d]\n  group-by: u\n  timespan: 30s", NULL);
    assert_int_equal(only(rs)->kind, WEDR_CORR_TEMPORAL);
    assert_int_equal(only(rs)->member_count, 3);
    wedr_ruleset_free(rs);
    rs = correlate("  type: temporal_ordered\n  rules: [b, a]\n  timespan: 2h", NULL);
    assert_int_equal(only(rs)->kind, WEDR_CORR_TEMPORAL_ORDERED);
    assert_int_equal(only(rs)->members[0], 1);
    wedr_ruleset_free(rs);
    rs =
        correlate("  type: temporal\n  rules: [a, b]\n  timespan: 2h\n  condition: {gte: 2}", NULL);
    assert_int_equal(only(rs)->kind, WEDR_CORR_TEMPORAL);
    wedr_ruleset_free(rs);
    rs = correlate("  type: temporal\n  rules: [a, b, d]\n  timespan: 2h\n  condition: {lt: 2}",
                   NULL);
    assert_int_equal(only(rs)->kind, WEDR_CORR_TEMPORAL);
    assert_int_equal(only(rs)->limits[0].op, WEDR_OP_LT);
    assert_int_equal(only(rs)->limits[0].number.v.i, 2);
    wedr_ruleset_free(rs);
    rs = correlate(
        "  type: temporal_ordered\n  rules: [a, b, d]\n  timespan: 2h\n  condition: {gte: 2}",
        NULL);
    assert_int_equal(only(rs)->kind, WEDR_CORR_PATTERN);
    assert_int_equal(only(rs)->limit_count, 0);
    const struct wedr_node *n = wedr_ruleset_node(rs, only(rs)->expression);
    assert_int_equal(n->kind, WEDR_NODE_AT_LEAST);
    assert_int_equal(n->arg, 2);
    wedr_ruleset_free(rs);
    rs = correlate("  type: temporal\n  timespan: 1w\n  condition: a AND (b or not d)", NULL);
    assert_int_equal(only(rs)->kind, WEDR_CORR_PATTERN);
    assert_int_equal(only(rs)->member_count, 3);
    assert_int_equal(wedr_ruleset_node(rs, only(rs)->expression)->kind, WEDR_NODE_AND);
    wedr_ruleset_free(rs);
}

static void aliases_name_fields_of_members(void **state)
{
    (void)state;
    struct wedr_ruleset *rs =
        correlate("  type: temporal\n  rules: [a, b]\n  group-by: [ip, h]\n  timespan: 10s\n"
                  "  aliases:\n    ip: {a: dst, b: src}\n    unused: {a: x}",
                  NULL);
    const struct wedr_correlation *c = only(rs);
    assert_int_equal(c->alias_count, 2);
    assert_int_equal(c->aliases[1].group, 0);
    assert_int_equal(c->aliases[1].member, 1);
    is(wedr_ruleset_field_name(rs, c->aliases[1].field), "src");
    wedr_ruleset_free(rs);
}

static void chains_come_in_any_order(void **state)
{
    (void)state;
    const char *yaml =
        "title: outer\nname: outer\ncorrelation:\n  type: temporal_ordered\n"
        "  rules: [inner, a]\n  timespan: 1h\n---\n"
        "title: inner\nname: inner\ncorrelation:\n  type: event_count\n  rules: [b]\n"
        "  timespan: 1h\n  condition: {gte: 3}\n---\n" RULE("a") "---\n" RULE("b");
    struct wedr_sigma_stats st;
    struct wedr_ruleset *rs = sigma_load(yaml, &st);
    assert_non_null(rs);
    assert_int_equal(st.correlations, 2);
    is(wedr_ruleset_rule(rs, 2)->title, "inner");
    assert_true(wedr_ruleset_rule(rs, 2)->flags & WEDR_RULE_HIDDEN);
    assert_false(wedr_ruleset_rule(rs, 3)->flags & WEDR_RULE_HIDDEN);
    wedr_ruleset_free(rs);
    sigma_refused_text(
        "title: x\nname: x\ncorrelation: {type: temporal, rules: [y], timespan: 1h}\n"
        "---\ntitle: y\nname: y\ncorrelation: {type: temporal, rules: [x], timespan: 1h}\n",
        WEDR_E_NOENT, "is not there");
}

static void correlations_refused(void **state)
{
    (void)state;
    static const struct {
        const char *section;
        const char *part;
    } rows[] = {
        {"  rules: [a]\n  timespan: 1h", "no type"},
        {"  type: value_avg\n  rules: [a]\n  timespan: 1h\n  condition: {gte: 1}",
         "'value_avg' is not"},
        {"  type: temporal\n  timespan: 1h", "no rules"},
        {"  type: temporal\n  rules: [a, zz]\n  timespan: 1h", "'zz' is not there"},
        {"  type: temporal\n  rules: [a, id-a]\n  timespan: 1h", "stands twice"},
        {"  type: temporal\n  rules: [a]", "timespan"},
        {"  type: temporal\n  rules: [a]\n  timespan: 0s", "timespan is 0"},
        {"  type: temporal\n  rules: [a]\n  timespan: 5x", "unknown unit"},
        {"  type: temporal\n  rules: [a]\n  timespan: h", "timespan"},
        {"  type: event_count\n  rules: [a]\n  timespan: 1h", "no condition"},
        {"  type: event_count\n  rules: [a]\n  timespan: 1h\n  condition: a", "map of limits"},
        {"  type: event_count\n  rules: [a]\n  timespan: 1h\n  condition: {ge: 1}", "gte"},
        {"  type: event_count\n  rules: [a]\n  timespan: 1h\n  condition: {gte: x}", "a number"},
        {"  type: event_count\n  rules: [a]\n  timespan: 1h\n  condition: {gte: 1, lt: 3, neq: 2}",
         "two limits"},
        {"  type: value_count\n  rules: [a]\n  timespan: 1h\n  condition: {gte: 1}",
         "needs a field"},
        {"  type: value_count\n  rules: [a]\n  timespan: 1h\n  condition: {gte: 1, field: [x, y]}",
         "more than one"},
        {"  type: temporal\n  rules: [a]\n  timespan: 1h\n  condition: a and b",
         "'b' of the condition"},
        {"  type: temporal\n  rules: [a]\n  timespan: 1h\n  condition: {gte: 2}",
         "always the same"},
        {"  type: temporal\n  rules: [a]\n  timespan: 1h\n  generate: maybe", "generate"},
        {"  type: temporal\n  rules: [a]\n  timespan: 1h\n  aliases: {x: {q: f}}",
         "not in the list"},
        {"  type: temporal\n  rules: [a]\n  timespan: 1h\n  group-by: [1, 2, 3, 4, 5, 6, 7, 8, 9]",
         "group-by"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wedr_sigma_stats st;
        struct wedr_ruleset *rs = correlate(rows[i].section, &st);
        if (rs || !strstr(sigma_reason, rows[i].part)) {
            fail_msg("%s\n'%s', not '%s'", rows[i].section, sigma_reason, rows[i].part);
        }
        assert_int_equal(st.rules, 3);
        assert_int_equal(st.refused, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_of_a_rule_is_kept),
        cmocka_unit_test(a_rule_needs_title_log_source_and_detection),
        cmocka_unit_test(documents_of_one_file_stand_alone),
        cmocka_unit_test(yaml_errors_name_their_line),
        cmocka_unit_test(aliases_are_expanded_within_a_budget),
        cmocka_unit_test(a_filter_narrows_the_rules_that_it_names),
        cmocka_unit_test(a_filter_of_any_takes_its_log_source),
        cmocka_unit_test(counts_with_limits_groups_and_span),
        cmocka_unit_test(temporal_forms),
        cmocka_unit_test(aliases_name_fields_of_members),
        cmocka_unit_test(chains_come_in_any_order),
        cmocka_unit_test(correlations_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
