/* SPDX-License-Identifier: Apache-2.0
 * Rules that are made to cost: regexes that explode, long lists, aliases, nesting, many open
 * groups. All of it stays within what the headers promise, counted in steps, bytes and groups. */
#include "core/base/err.h"
#include "core/util/buf.h"
#include "support.h"
#include "wedr/rules/correlate.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "title: t\nlogsource: {product: test, category: unit, service: case}\ndetection:\n"

struct run {
    struct wedr_engine *e;
    struct wedr_field_map *map;
    struct wedr_rule_event *ev;
    struct wedr_matcher *m;
};

static struct run start(struct wedr_ruleset *rs, const struct wedr_engine_options *opts)
{
    struct run r = {NULL, NULL, NULL, NULL};
    struct wedr_errinfo ei = {{0}};
    if (!rs) {
        fail_msg("refused, line %u: %s", sigma_line, sigma_reason);
    }
    assert_int_equal(wedr_engine_new_take(rs, opts, &r.e, &ei), WEDR_OK);
    r.map = wedr_field_map_new(rs);
    assert_int_equal(wedr_field_map_seal(r.map), WEDR_OK);
    r.ev = wedr_rule_event_new(rs, NULL);
    r.m = wedr_matcher_new(r.e);
    assert_true(r.ev && r.m);
    return r;
}

static void finish(struct run *r)
{
    wedr_matcher_free(r->m);
    wedr_rule_event_free(r->ev);
    wedr_field_map_free(r->map);
    wedr_engine_free(r->e);
}

/* Rules that an event with f = value matches. */
static size_t matches(struct run *r, const char *value, size_t len)
{
    const struct wedr_ruleset *rs = wedr_engine_ruleset(r->e);
    uint32_t field = wedr_ruleset_field_find(rs, "f", 1);
    const uint32_t *rules;
    size_t count = 0;
    wedr_rule_event_clear(r->ev);
    assert_int_equal(wedr_rule_event_add_text(r->ev, field, value, len), WEDR_OK);
    for (uint32_t i = 0; i < wedr_ruleset_class_count(rs); i++) {
        assert_int_equal(wedr_rule_event_add_class(r->ev, i), WEDR_OK);
    }
    assert_int_equal(wedr_matcher_run(r->m, r->ev, &rules, &count), WEDR_OK);
    return count;
}

/* --- Regexes. */

/* Behind the run: nothing that goes on with it, but the letters without which a search would give
 * up at once. */
static const char end_of_run[] = "!bcyA)!";

/* Each needs exponential or high polynomial time on a run of its letter that ends otherwise. */
static const struct {
    const char *regex;
    char run;
    const char *good; /* what it is meant to match */
} explosive[] = {
    {"(a+)+$", 'a', "aaa"},
    {"^(a|aa)+$", 'a', "aaa"},
    {"^(a|a|a)*$", 'a', "aaa"},
    {"^(a*)*b", 'a', "aab"},
    {"(.*a){6}$", 'a', "aaaaaa"},
    {"^(([a-z])+.)+[A-Z]([a-z])+$", 'a', "ab.Cd"},
    {"^(?:a?){40}a{40}$", 'a',
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {"(x+x+)+y", 'x', "xxy"},
    {"^(\\w+\\s?)*$", 'w', "ww w"},
    {"(a+)\\1+b\\1$", 'a', "aaba"},
    {"^(?=(a+)+b)a", 'a', "aab"},
    {"(?<=a)(a+)+c", 'a', "aac"},
    {"((a{0,20}){0,20}){0,20}b$", 'a', "aab"},
    {"^(a+?)+?$", 'a', "aaa"},
    {"^([^b!]|a)*b", 'a', "aab"},
    {"(\\(([^()]*|(?1))*\\))+b", '(', "(())b"},
};

static void a_regex_that_explodes_gives_up_within_its_budget(void **state)
{
    (void)state;
    char value[40000];
    for (int jit = 0; jit < 2; jit++) {
        for (size_t i = 0; i < sizeof(explosive) / sizeof(explosive[0]); i++) {
            struct wedr_engine_options opts = {.jit = jit != 0};
            char yaml[512];
            snprintf(yaml, sizeof(yaml), HEAD "  s:\n    f|re: '%s'\n  condition: s\n",
                     explosive[i].regex);
            struct run r = start(sigma_load(yaml, NULL), &opts);
            struct wedr_matcher_stats s;
            size_t before = wedr_matcher_memory(r.m);
            if (matches(&r, explosive[i].good, strlen(explosive[i].good)) != 1) {
                fail_msg("%s does not match %s", explosive[i].regex, explosive[i].good);
            }
            for (size_t len = 32; len <= sizeof(value); len = len * 5 + 1) {
                memset(value, explosive[i].run, len);
                memcpy(value + len - strlen(end_of_run), end_of_run, strlen(end_of_run));
                assert_int_equal(matches(&r, value, len), 0);
            }
            wedr_matcher_stats(r.m, &s);
            if (s.regex_limited == 0) {
                fail_msg("no longer explosive: %s", explosive[i].regex);
            }
            assert_true(s.regex_limited <= s.regex_runs);
            /* 256 KiB of the regex engine's own, once */
            assert_true(wedr_matcher_memory(r.m) <= before + ((size_t)512 << 10));
            assert_int_equal(matches(&r, explosive[i].good, strlen(explosive[i].good)), 1);
            finish(&r);
        }
    }
}

/* Steps are bounded per value: with half the budget no value takes more steps than half. */
static void the_budget_is_the_one_that_was_asked_for(void **state)
{
    (void)state;
    char value[64];
    memset(value, 'a', sizeof(value));
    memcpy(value + 20, end_of_run, strlen(end_of_run));
    const uint32_t limits[] = {10, 1000, 10000000};
    const uint64_t limited[] = {1, 1, 0};
    for (size_t i = 0; i < 3; i++) {
        const struct wedr_engine_options opts = {.regex_match_limit = limits[i]};
        struct run r =
            start(sigma_load(HEAD "  s:\n    f|re: '^(a|aa)+c'\n  condition: s\n", NULL), &opts);
        struct wedr_matcher_stats s;
        assert_int_equal(matches(&r, value, 20 + strlen(end_of_run)), 0);
        wedr_matcher_stats(r.m, &s);
        assert_int_equal(s.regex_runs, 1);
        assert_int_equal(s.regex_limited, limited[i]);
        finish(&r);
    }
}

static void a_regex_too_large_is_refused(void **state)
{
    (void)state;
    sigma_refused("  s:\n    f|re: '((((a{900}){900}){900}){900})'\n  condition: s", WEDR_E_FORMAT,
                  "too large");
    sigma_refused("  s:\n    f|re: '(a'\n  condition: s", WEDR_E_FORMAT, "regular expression");
}

/* --- Lists. */

static void a_list_of_100000_values_is_found_in_and_keeps_to_its_memory(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    struct wedr_buf yaml;
    wedr_buf_init(&yaml, (size_t)8 << 20);
    wedr_buf_adds(&yaml, HEAD "  s:\n    f:\n");
    for (int i = 0; i < COUNT; i++) {
        wedr_buf_addf(&yaml, "      - 'Value%d'\n", i);
    }
    wedr_buf_adds(&yaml, "  condition: s\n");
    assert_false(yaml.overflow);
    struct run r = start(sigma_load((const char *)yaml.p, NULL), NULL);
    wedr_buf_fini(&yaml);
    struct wedr_engine_info info;
    wedr_engine_info(r.e, &info);
    assert_true(info.total_bytes < (size_t)96 << 20);
    assert_int_equal(matches(&r, "vAlue99999", 10), 1);
    assert_int_equal(matches(&r, "value0", 6), 1);
    assert_int_equal(matches(&r, "value100000", 11), 0);
    assert_int_equal(matches(&r, "value9999x", 10), 0);
    finish(&r);
}

static void a_list_above_the_limit_is_refused(void **state)
{
    (void)state;
    struct wedr_buf yaml;
    wedr_buf_init(&yaml, (size_t)8 << 20);
    wedr_buf_adds(&yaml, HEAD "  s:\n    f: [x");
    for (int i = 0; i < 200001; i++) {
        wedr_buf_adds(&yaml, ",x");
    }
    wedr_buf_adds(&yaml, "]\n  condition: s\n");
    sigma_refused_text((const char *)yaml.p, WEDR_E_LIMIT, "more than 200000 values");
    wedr_buf_fini(&yaml);
}

/* --- Aliases, nesting. */

static void aliases_of_aliases_are_refused_whatever_they_are_of(void **state)
{
    (void)state;
    static const char *const seeds[] = {"[x, x]", "{a: x, b: x}", "[[x], {a: x}]"};
    for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
        char yaml[8192];
        snprintf(yaml, sizeof(yaml), HEAD "  a0: &a0 %s\n", seeds[i]);
        for (int level = 1; level < 28; level++) {
            snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml), "  a%d: &a%d [*a%d, *a%d]\n",
                     level, level, level - 1, level - 1);
        }
        strcat(yaml, "  condition: a0\n");
        sigma_refused_text(yaml, WEDR_E_LIMIT, "");
    }
    sigma_refused_text("a: &a [*a]\n", WEDR_E_FORMAT, "");
    sigma_refused_text("a: &a {<<: *a}\n", WEDR_E_FORMAT, "");
    sigma_refused_text("a: *never\n", WEDR_E_FORMAT, "");
}

static void deep_documents_are_refused_not_followed(void **state)
{
    (void)state;
    static const char *const open[] = {"[", "{a: ", "- "};
    for (size_t i = 0; i < 3; i++) {
        struct wedr_buf yaml;
        wedr_buf_init(&yaml, (size_t)2 << 20);
        wedr_buf_adds(&yaml, i == 2 ? "a:\n  " : "a: ");
        for (int n = 0; n < 100000; n++) {
            wedr_buf_adds(&yaml, open[i]);
        }
        sigma_refused_text((const char *)yaml.p, WEDR_E_LIMIT, "");
        wedr_buf_fini(&yaml);
    }
}

/* --- Open correlations. */

static void feed(struct run *r, struct wedr_correlate *c, uint32_t user, int64_t time_us)
{
    const struct wedr_ruleset *rs = wedr_engine_ruleset(r->e);
    char name[32];
    const uint32_t *rules;
    size_t count;
    int n = snprintf(name, sizeof(name), "user%u", user);
    wedr_rule_event_clear(r->ev);
    assert_int_equal(
        wedr_rule_event_add_text(r->ev, wedr_ruleset_field_find(rs, "u", 1), name, (size_t)n),
        WEDR_OK);
    for (uint32_t i = 0; i < wedr_ruleset_class_count(rs); i++) {
        assert_int_equal(wedr_rule_event_add_class(r->ev, i), WEDR_OK);
    }
    assert_int_equal(wedr_matcher_run(r->m, r->ev, &rules, &count), WEDR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(wedr_correlate_feed(c, r->ev, rules, count, time_us, user, NULL, NULL),
                     WEDR_OK);
}

static void many_open_correlations_stay_bounded_and_are_counted(void **state)
{
    (void)state;
    const char *yaml = HEAD "  s:\n    u|exists: true\n  condition: s\nname: base\n"
                            "---\ntitle: many\ncorrelation:\n  type: event_count\n  rules: [base]\n"
                            "  group-by: [u]\n  timespan: 1h\n  condition: {gte: 2}\n";
    struct run r = start(sigma_load(yaml, NULL), NULL);
    struct wedr_correlate *c = wedr_correlate_new(r.e, NULL);
    struct wedr_correlate_stats s;
    assert_non_null(c);
    wedr_correlate_stats(c, &s);
    size_t before = s.memory_bytes;
    for (uint32_t i = 0; i < 10000; i++) {
        feed(&r, c, i, 1000 + i);
    }
    wedr_correlate_stats(c, &s);
    assert_int_equal(s.windows, 10000);
    assert_int_equal(s.evicted_windows, 0);
    assert_int_equal(s.fired, 0);
    feed(&r, c, 0, 20000); /* the oldest of them is still open, and now the youngest */
    for (uint32_t i = 10000; i < 15000; i++) {
        feed(&r, c, i, 20000 + i);
    }
    feed(&r, c, 0, 40000);
    feed(&r, c, 1, 40001); /* gave way */
    wedr_correlate_stats(c, &s);
    assert_int_equal(s.fired, 2);
    assert_int_equal(s.windows, 10000);
    assert_int_equal(s.evicted_windows, 5001);
    assert_int_equal(s.memory_bytes, before);
    feed(&r, c, 99999,
         INT64_C(10800) * 1000000); /* three hours later all the others have run out */
    for (int i = 0; i < 3; i++) {
        feed(&r, c, 99999, INT64_C(10801) * 1000000);
    }
    wedr_correlate_stats(c, &s);
    assert_int_equal(s.windows, 1);
    assert_int_equal(s.expired, 10000);
    wedr_correlate_free(c);
    finish(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_regex_that_explodes_gives_up_within_its_budget),
        cmocka_unit_test(the_budget_is_the_one_that_was_asked_for),
        cmocka_unit_test(a_regex_too_large_is_refused),
        cmocka_unit_test(a_list_of_100000_values_is_found_in_and_keeps_to_its_memory),
        cmocka_unit_test(a_list_above_the_limit_is_refused),
        cmocka_unit_test(aliases_of_aliases_are_refused_whatever_they_are_of),
        cmocka_unit_test(deep_documents_are_refused_not_followed),
        cmocka_unit_test(many_open_correlations_stay_bounded_and_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
