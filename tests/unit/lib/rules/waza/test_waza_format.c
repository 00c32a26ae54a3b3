/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/waza/test_waza_format.c — one layout that changes nothing, and rules of
 * other languages as text. */
#include "core/base/err.h"
#include "same.h"
#include "support.h"
#include "wedr/rules/sigma.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define P "kernel_callback.process_create."
#define N "kernel_callback.network_connect."

static char *format(const char *text)
{
    struct wedr_buf out;
    wedr_buf_init(&out, 1u << 20);
    int e = wedr_waza_format("t.waza", text, strlen(text), &out, NULL, NULL);
    if (e < 0) {
        fail_msg("%s: not formatted: %s", wedr_err_text(e), text);
    }
    char *copy = calloc(1, out.len + 1);
    assert_non_null(copy);
    memcpy(copy, out.p ? (const char *)out.p : "", out.len);
    wedr_buf_fini(&out);
    return copy;
}

static void a_file_gets_the_one_layout(void **state)
{
    (void)state;
    char *got = format(
        "\xEF\xBB\xBF\n\n# head\r\n-detection:   # here\n\n\n -   A :\n#about it\nwindow 5s\n"
        "throttle:3/min # often\n -(a.b.c==1|a.b.c  ==2)&&!( a.b.d in[1,2 ,3])   # why\n\n"
        "title:  \"x # y\"\ncount>=3 by a.b.u , a.b.v\nexception  ok:a.b.c==1\n"
        "- a.b.c == 1 &&   # first\n # between\n(a.b.d == 2 ||\na.b.e == 3)\n- hour( a.b.t )<5\n"
        "tags: [a,\n\"b\"]\ninclude   \"x\"\nACTION:\nA:\n- alert   \"x\"\n-killProcess\n- log\n# "
        "tail");
    assert_string_equal(got, "# head\n"
                             "- Detection:  # here\n"
                             "\n"
                             "  - A:\n"
                             "    #about it\n"
                             "    window: 5s\n"
                             "    throttle: 3/min  # often\n"
                             "    - (a.b.c == 1 || a.b.c == 2) && !(a.b.d in [1, 2, 3])  # why\n"
                             "\n"
                             "    title: \"x # y\"\n"
                             "    count >= 3 by a.b.u, a.b.v\n"
                             "    exception ok: a.b.c == 1\n"
                             "    - a.b.c == 1 &&  # first\n"
                             "      # between\n"
                             "      (a.b.d == 2 ||\n"
                             "        a.b.e == 3)\n"
                             "    - hour(a.b.t) < 5\n"
                             "    tags: [a,\n"
                             "      \"b\"]\n"
                             "    - include \"x\"\n"
                             "- Action:\n"
                             "  - A:\n"
                             "    - alert \"x\"\n"
                             "    - kill\n"
                             "    - log\n"
                             "# tail\n");
    free(got);
}

static void the_value_of_a_setting_stays_as_it_is(void **state)
{
    (void)state;
    char *got = format(
        "- Detection:\n- A:\nauthor  : : x: \ntitle:y :\n- a.b.c == 1\n- Action:\n- A:\n- log\n");
    assert_string_equal(got,
                        "- Detection:\n  - A:\n    author: : x:\n    title: y :\n    - a.b.c == 1\n"
                        "- Action:\n  - A:\n    - log\n");
    free(got);
}

static void what_does_not_parse_is_left_alone(void **state)
{
    struct wedr_buf out;
    (void)state;
    wedr_buf_init(&out, 100);
    wedr_buf_adds(&out, "before");
    assert_int_equal(wedr_waza_format("t", "- Detection:\n- A:\n- x ==\n", 25, &out, NULL, NULL),
                     WEDR_E_FORMAT);
    assert_string_equal(out.p, "before");
    char text[400] = "";
    for (int i = 0; i < 30; i++) {
        strcat(text, "# comment\n");
    }
    assert_int_equal(wedr_waza_format("t", text, strlen(text), &out, NULL, NULL), WEDR_E_LIMIT);
    assert_int_equal(out.len, 6);
    wedr_buf_fini(&out);
}

/* --- Random programs. */

static uint32_t seed;

static uint32_t next(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static char program[65536];
static size_t used;

static void put(const char *s)
{
    size_t n = strlen(s);
    assert_true(used + n < sizeof(program));
    memcpy(program + used, s, n + 1);
    used += n;
}

static const char *one(const char *const *v, uint32_t count)
{
    return v[next(count)];
}

static const char *const blanks[] = {"", " ", "  ", "\t"};
static const char *const breaks[] = {" ", "\n", "  # note (x\n", "\n\n  # alone \"\n", " "};

static void gap(void)
{
    put(one(blanks, 4));
}

static void comparison(void)
{
    static const char *const all[] = {
        "a.b.c==1",
        "a.b.d  !=  \"x # \\\" y\"",
        "a.b.\"q r\" contains 'C:\\x'",
        "a.b.c in [1,\n2 , # two\n 3]",
        "a.b.d iin[\"a\",\"b\"]",
        "a.b.d matches /a#\"b\\/c/is",
        "hour( a.b.t )>=5",
        "a.b.c exists",
        "a.b.c & 0xF0==0x10",
        "a.b.c==a.b.d",
        "a.b.d icontains all [\"x\", \"y\"]",
        "a.b.* contains e\"\\x01\"",
        "2 of (a.b.c == 1, a.b.c == 2, a.b.d == \"z\")",
        "a.b.f<-1.5",
    };
    put(one(all, sizeof(all) / sizeof(all[0])));
}

static void expression(unsigned depth)
{
    uint32_t kind = depth > 4 ? 0 : next(6);
    if (kind < 2) {
        comparison();
    } else if (kind == 2) {
        put("!");
        gap();
        put("(");
        expression(depth + 1);
        put(")");
    } else {
        static const char *const ops[] = {"&&", "||", "|"};
        uint32_t n = 2 + next(3);
        put("(");
        gap();
        for (uint32_t i = 0; i < n; i++) {
            if (i) {
                gap();
                put(one(ops, 3));
                put(one(breaks, 5));
            }
            expression(depth + 1);
        }
        put(one(breaks, 5));
        put(")");
    }
}

static void setting(void)
{
    static const char *const all[] = {
        "window 10s",
        "- window:0s",
        "throttle: 4/min # t",
        "severity:high",
        "title: a b  c # x",
        "tags:[a.b,\n\"c\"]",
        "exception  e1 :a.b.c==9",
        "entity: a.b.u",
        "# only a comment",
        "",
        "description: \"x\\ny\"",
        "enabled: false",
    };
    put(one(all, sizeof(all) / sizeof(all[0])));
    put("\n");
}

static void random_program(void)
{
    uint32_t groups = 1 + next(3);
    used = 0;
    put(one(breaks, 5));
    put("\n-  detection:");
    put(one(breaks, 5));
    put("\n");
    for (uint32_t g = 0; g < groups; g++) {
        char name[16];
        snprintf(name, sizeof(name), "-G%u:\n", g);
        put(name);
        for (uint32_t i = next(4); i > 0; i--) {
            setting();
        }
        for (uint32_t i = 1 + next(3); i > 0; i--) {
            put("- ");
            expression(0);
            put(one(breaks, 5));
            put("\n");
        }
    }
    put("- ACTION:\n");
    for (uint32_t g = 0; g < groups; g++) {
        char text[64];
        snprintf(text, sizeof(text), "G%u:\n- alert \"a%u\" \n -kill_process\n", g, g);
        put(text);
    }
}

static void formatting_changes_no_rule_and_nothing_the_second_time(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 3000; i++) {
        int e;
        seed = i;
        random_program();
        char *first = format(program);
        char *second = format(first);
        if (strcmp(first, second) != 0) {
            fail_msg("seed %u:\n%s\n=====\n%s", i, first, second);
        }
        struct wedr_ruleset *a = waza_load(program, &e);
        if (e < 0) {
            fail_msg("seed %u: %s\n%s", i, waza_told.all, program);
        }
        struct wedr_ruleset *b = waza_load(first, &e);
        assert_int_equal(e, WEDR_OK);
        assert_int_equal(wedr_ruleset_rule_count(a), wedr_ruleset_rule_count(b));
        for (uint32_t r = 0; r < wedr_ruleset_rule_count(a); r++) {
            const char *what = same_rule(a, r, b, r, true);
            if (*what) {
                fail_msg("seed %u: %s\n%s\n=====\n%s", i, what, program, first);
            }
        }
        for (const char *p = strchr(program, '#'), *q = strchr(first, '#');
             p || q;) { /* comments */
            assert_true(p && q);
            assert_int_equal(p[1], q[1]);
            p = strchr(p + 1, '#');
            q = strchr(q + 1, '#');
        }
        wedr_ruleset_free(a);
        wedr_ruleset_free(b);
        free(first);
        free(second);
    }
}

/* --- Rules as text. */

/* All rules of a ruleset written, read back and compared. */
static struct wedr_ruleset *written(const struct wedr_ruleset *rs)
{
    struct wedr_buf out;
    int e;
    wedr_buf_init(&out, 1u << 22);
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(rs); i++) {
        struct wedr_errinfo ei = {{0}};
        e = wedr_waza_write_rule(rs, i, &out, &ei);
        if (e < 0) {
            fail_msg("rule %u: %s %s", i, wedr_err_text(e), ei.text);
        }
    }
    struct wedr_ruleset *back = waza_load(out.p ? (const char *)out.p : "", &e);
    if (e < 0) {
        fail_msg("%s\n%s", waza_told.all, (const char *)out.p);
    }
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(rs); i++) {
        const struct wedr_rule *r = wedr_ruleset_rule(rs, i);
        struct wedr_text id = r->id.len ? r->id : r->title;
        uint32_t k = wedr_ruleset_rule_find(back, id.p, id.len);
        assert_int_not_equal(k, WEDR_IR_NONE);
        const char *what = same_rule(rs, i, back, k, true);
        if (*what) {
            fail_msg("rule %u: %s\n%s", i, what, (const char *)out.p);
        }
    }
    wedr_buf_fini(&out);
    return back;
}

static void sigma_correlations_are_written(void **state)
{
    static const char yaml[] =
        "title: A\nid: 11111111-cc61-4bc2-8b9f-ab6ba6ec0a4b\nlogsource: {product: linux, category: "
        "process_creation}\n"
        "detection: {s: {Image: /a}, condition: s}\n---\n"
        "title: B, with \"quotes\"\nname: b\nlogsource: {product: linux, category: "
        "process_creation}\n"
        "detection: {s: {Image: /b}, condition: s}\n---\n"
        "title: C1\ncorrelation: {type: event_count, rules: [b], group-by: [User, Image], "
        "timespan: 5m, condition: {gte: 10, lt: 50}}\n---\n"
        "title: C2\ncorrelation: {type: value_count, rules: [b, "
        "11111111-cc61-4bc2-8b9f-ab6ba6ec0a4b], group-by: [User], timespan: 90s, condition: {gt: "
        "3, field: 'Odd Name'}}\n---\n"
        "title: C3\nlevel: critical\ncorrelation: {type: temporal, rules: [b, "
        "11111111-cc61-4bc2-8b9f-ab6ba6ec0a4b], group-by: [u], timespan: 1h, aliases: {u: {b: "
        "User, 11111111-cc61-4bc2-8b9f-ab6ba6ec0a4b: Target.User}}}\n---\n"
        "title: C4\ncorrelation: {type: temporal_ordered, rules: "
        "[11111111-cc61-4bc2-8b9f-ab6ba6ec0a4b, b], timespan: 1h}\n---\n"
        "title: C5\ncorrelation: {type: temporal, rules: [b, "
        "11111111-cc61-4bc2-8b9f-ab6ba6ec0a4b], timespan: 1h, condition: 'b and not "
        "11111111-cc61-4bc2-8b9f-ab6ba6ec0a4b'}\n---\n"
        "title: C6\ncorrelation: {type: temporal, rules: [b, "
        "11111111-cc61-4bc2-8b9f-ab6ba6ec0a4b], timespan: 1h, condition: {gte: 1}}\n---\n"
        "title: C7\ncorrelation: {type: temporal_ordered, rules: [b, "
        "11111111-cc61-4bc2-8b9f-ab6ba6ec0a4b], timespan: 1h, condition: 'b or "
        "11111111-cc61-4bc2-8b9f-ab6ba6ec0a4b'}\n";
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(16u << 20);
    struct wedr_sigma *s = wedr_sigma_new(rs, NULL, NULL, NULL);
    assert_int_equal(wedr_sigma_add(s, "x.yml", yaml, strlen(yaml)), WEDR_OK);
    assert_int_equal(wedr_sigma_finish(s), WEDR_OK);
    wedr_sigma_free(s);
    assert_int_equal(wedr_ruleset_correlation_count(rs), 7);
    wedr_ruleset_free(written(rs));
    wedr_ruleset_free(rs);
}

static void odd_names_values_and_actions_are_written(void **state)
{
    int e;
    (void)state;
    struct wedr_ruleset *rs =
        waza_load("- Detection:\n- \"a group\":\nid: x\ntitle: e\"a\\r\\x01b\"\nsource: "
                  "[\"a,b/c\", \"q#/w\"]\n"
                  "throttle: 5/1500ms\nentity: @\"an entity\"\nexception one: Image == \"a\"\n"
                  "- @\"count\" >= 5 && @\"a\\\"b\" == @\"true\" && x == -1.25 && @rule exists\n"
                  "- \"\xC3\xA9 x\" matches /\\Qa\\E\\/[\\/]\\x00/ && minute(T) <> 3 && @\"a..c\" "
                  "exists && Y <> 5\n"
                  "- 2 of (a == 1, b has_any 0xF0, !(c == true || d cidr \"fe80::/10\"))\n"
                  "- e like \"a*b?c\" && f == \"tab\\tline\\n\" && g == e\"nul\\0\" && h == "
                  "'C:\\it' && * contains \"x\"\n"
                  "- Action:\n- \"a group\":\n- alert e\"m\\r\"\n- kill\n",
                  &e);
    assert_int_equal(e, WEDR_OK);
    struct wedr_ruleset *back = written(rs);
    const struct wedr_rule *r = wedr_ruleset_rule(back, 0);
    assert_int_equal(r->message.len, 2);
    assert_int_equal(r->actions, WEDR_ACTION_ALERT | WEDR_ACTION_KILL);
    assert_string_equal(wedr_ruleset_field_name(back, r->entity_field).p, "an entity");
    wedr_ruleset_free(back);
    wedr_ruleset_free(rs);
}

static void waza_rules_of_several_events_are_written(void **state)
{
    int e;
    (void)state;
    struct wedr_ruleset *rs =
        waza_load("- Detection:\n- A:\nwindow: 7s\n- " P "comm == \"a\" && " N "dst_port == 2 && " P
                  "pid == " N "pid && "
                  "!(kernel_callback.file_delete.pid == 3)\n"
                  "- S:\nsequence by " P "uid | " N "pid\n- " P "pid == 1\n- " N "pid == 2\n"
                  "- D:\ndistinct " P "comm >= 3 by " P "uid\n- " P "comm exists\n"
                  "- Action:\n- A:\n- log\n- S:\n- alert\n- D:\n- log\n",
                  &e);
    assert_int_equal(e, WEDR_OK);
    wedr_ruleset_free(written(rs));
    wedr_ruleset_free(rs);
}

static void a_guard_is_written_into_the_condition(void **state)
{
    struct wedr_buf out;
    int e;
    (void)state;
    struct wedr_ruleset *rs =
        waza_load(waza_group("- plugin.acme.x == 2 || plugin.acme.x == 3"), &e);
    assert_int_equal(e, WEDR_OK);
    wedr_buf_init(&out, 1u << 16);
    assert_int_equal(wedr_waza_write_rule(rs, 0, &out, NULL), WEDR_OK);
    wedr_ruleset_free(rs);
    struct waza_machine *m = waza_machine((const char *)out.p);
    wedr_buf_fini(&out);
    assert_string_equal(
        waza_feed(m, 1, "{\"module\":\"plugin\",\"event_type\":\"acme\",\"raw\":{\"x\":3}}"),
        "R[1]");
    assert_string_equal(
        waza_feed(m, 2, "{\"module\":\"plugin\",\"event_type\":\"acne\",\"raw\":{\"x\":3}}"), "");
    assert_string_equal(
        waza_feed(m, 3, "{\"module\":\"plugin\",\"event_type\":\"acme\",\"raw\":{\"x\":4}}"), "");
    waza_machine_free(m);
}

static void what_has_no_form_says_so(void **state)
{
    struct wedr_buf out;
    struct wedr_errinfo ei = {{0}};
    uint32_t field;
    uint32_t rule;
    struct wedr_rule r = wedr_rule_init();
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(1u << 20);
    assert_int_equal(wedr_ruleset_field(rs, "a\nb", 3, &field), WEDR_OK);
    assert_int_equal(wedr_ir_exists(rs, field, true, &r.condition), WEDR_OK);
    assert_int_equal(wedr_ruleset_add_rule(rs, &r, &rule), WEDR_OK);
    wedr_buf_init(&out, 1u << 16);
    assert_int_equal(wedr_waza_write_rule(rs, rule, &out, &ei), WEDR_E_UNSUP);
    assert_non_null(strstr(ei.text, "control characters"));
    assert_int_equal(out.len, 0);
    assert_int_equal(wedr_waza_write_rule(rs, 9, &out, &ei), WEDR_E_NOENT);
    wedr_buf_fini(&out);
    wedr_ruleset_free(rs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_gets_the_one_layout),
        cmocka_unit_test(the_value_of_a_setting_stays_as_it_is),
        cmocka_unit_test(what_does_not_parse_is_left_alone),
        cmocka_unit_test(formatting_changes_no_rule_and_nothing_the_second_time),
        cmocka_unit_test(sigma_correlations_are_written),
        cmocka_unit_test(odd_names_values_and_actions_are_written),
        cmocka_unit_test(waza_rules_of_several_events_are_written),
        cmocka_unit_test(a_guard_is_written_into_the_condition),
        cmocka_unit_test(what_has_no_form_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
