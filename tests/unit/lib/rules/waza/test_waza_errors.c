/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/waza/test_waza_errors.c — what is said about what is wrong, and where. */
#include "core/base/err.h"
#include "support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define P "kernel_callback.process_create."

static void all_errors_of_a_file_are_told_in_order(void **state)
{
    int e;
    (void)state;
    struct wedr_ruleset *rs = waza_load("stray words\n"
                                        "- Detection:\n"
                                        "  - Good:\n"
                                        "    - a.b.c == 1\n"
                                        "  - Bad:\n"
                                        "    window: x\n"
                                        "    - a.b.c containz \"x\"\n"
                                        "    - a.b.c == \n"
                                        "    - a.b == 1\n"
                                        "- Action:\n"
                                        "  - Good:\n"
                                        "    - log\n"
                                        "  - Bad:\n"
                                        "    - explode\n",
                                        &e);
    assert_int_equal(e, WEDR_E_FORMAT);
    assert_int_equal(waza_told.errors, 6);
    assert_string_equal(waza_told.all,
                        "1:1 content outside any section\n"
                        "6:13 bad window 'x'\n"
                        "7:13 unknown operator 'containz'; did you mean 'contains'?\n"
                        "8:15 expected a value (text, number, true, false), the line ends here\n"
                        "9:7 invalid field path 'a.b': module.event_type.field was expected\n"
                        "14:7 unknown action 'explode' (log, alert \"text\" and kill are known)\n");
    assert_int_equal(wedr_ruleset_rule_count(rs), 1);
    assert_string_equal(wedr_ruleset_rule(rs, 0)->title.p, "Good");
    wedr_ruleset_free(rs);
}

static void each_error_names_its_place(void **state)
{
    static const struct {
        const char *lines, *told;
    } cases[] = {
        {"- a.b.c == 1 &&\n- a.b.c == 2",
         "3:16 expected a condition (module.event_type.field == value), the line ends here\n"},
        {"- (a.b.c == 1", "3:3 this '(' is not closed\n"},
        {"- a.b.c == 1)", "3:13 expected '&&', '||' or the end of the line, found ')'\n"},
        {"- a.b.c in [1, 2", "3:12 this '[' is not closed\n"},
        {"- a.b.c == \"x", "3:12 the text has no closing \"\n"},
        {"- a.b.c matches /x", "3:17 the regular expression has no closing /\n"},
        {"- a.b.c matches /x(/",
         "3:17 regular expression: missing closing parenthesis at offset 2\n"},
        {"- a.b.c matches /x/q", "3:17 a regular expression has the flags i, m and s\n"},
        {"- a.b.c == 99999999999999999999", "3:12 the number does not fit 64 bits\n"},
        {"- a.b.c == 1x", "3:12 that is no number\n"},
        {"- a.b.c ; 1", "3:9 unexpected character ';'\n"},
        {"- a..c == 1", "3:3 invalid field path 'a..c'\n"},
        {"- a.b.c Contains \"x\"", "3:9 unknown operator 'Contains'; did you mean 'contains'?\n"},
        {"- a.b.c cidr \"10.0.0.0/99\"",
         "3:14 a network was expected, like \"10.0.0.0/8\" or \"fe80::/10\"\n"},
        {"- a.b.c in list nothing", "3:17 no list is called 'nothing'\n"},
        {"- a.b.c in []", "3:12 the list is empty\n"},
        {"- $x.c == 1", "3:3 no event is called 'x' (event NAME: ... names one)\n"},
        {"- a.b.c < d.e.f", "3:9 fields of two events are joined by '==' only\n"},
        {"- rule \"nobody\"", "3:3 rule 'nobody' is not there\n"},
        {"severity: bad\n- a.b.c == 1",
         "3:11 severity is informational, low, medium, high or critical\n"},
        {"- a.b.c == 1\nexception x: d.e.f == 1",
         "4:14 the exception speaks of an event that the rule does not look at\n"},
        {"count >= 60000\n- a.b.c == 1", "3:10 at most 50000\n"},
        {"- 3 of (a.b.c == 1, a.b.d == 1)", "3:3 only 2 are listed\n"},
        {"- true", "3:3 the condition speaks of no event\n"},
        {"- \xC3\xA9.b.c == \"\xC3\xA9\" foo",
         "3:16 expected '&&', '||' or the end of the line, found 'foo'\n"},
    };
    int e;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wedr_ruleset_free(waza_load(waza_group(cases[i].lines), &e));
        assert_true(e < 0);
        assert_int_equal(waza_told.errors, 1);
        assert_string_equal(waza_told.all, cases[i].told);
    }
}

static void lines_in_the_wrong_place_are_errors(void **state)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"A:\n", "1:1 group 'A' outside any section\n"},
        {"- Detection:\n- a.b.c == 1\n", "2:3 condition outside any Detection group\n"},
        {"- Action:\n- log\n", "2:3 action outside any Action group\n"},
        {"- Action:\n- A:\n- window: 5s\n- log\n- Detection:\n- A:\n- a.b.c == 1\n",
         "3:3 'window:' only valid inside a Detection group\n"},
        {"- window 5s\n", "1:3 'window:' only valid inside a Detection group\n"},
        {"include x\n", "1:9 include needs a \"path\"\n"},
    };
    int e;
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wedr_ruleset_free(waza_load(cases[i].text, &e));
        assert_true(e < 0);
        assert_string_equal(waza_told.all, cases[i].told);
    }
}

static void the_line_is_shown_with_a_caret(void **state)
{
    struct wedr_buf out;
    const char *source = "\t- a.b.\xC3\xBC containz \"x\"";
    struct wedr_waza_error e = {
        .file = "r.waza", .line = 3, .column = 10, .width = 8, .text = "no"};
    (void)state;
    e.source = wedr_text(source, strlen(source));
    wedr_buf_init(&out, 4096);
    wedr_waza_error_print(&e, &out);
    assert_string_equal(out.p, "r.waza:3:10: error: no\n"
                               "     3 |  - a.b.\xC3\xBC containz \"x\"\n"
                               "       |          ^~~~~~~~\n");
    wedr_buf_truncate(&out, 0);
    e.warning = true;
    e.column = 0;
    wedr_waza_error_print(&e, &out);
    assert_string_equal(out.p, "r.waza:3: warning: no\n");
    wedr_buf_truncate(&out, 0);
    char longer[400];
    memset(longer, 'x', sizeof(longer));
    e.column = 350;
    e.source = wedr_text(longer, sizeof(longer));
    wedr_waza_error_print(&e, &out);
    const char *caret = strchr((const char *)out.p, '^');
    assert_non_null(caret);
    assert_int_equal(caret - strrchr((const char *)out.p, '|'), 2 + 3 + 49);
    wedr_buf_fini(&out);
}

static void only_so_many_errors_are_told_and_the_rest_counted(void **state)
{
    static char text[20000];
    int e;
    (void)state;
    strcpy(text, "- Detection:\n");
    for (int i = 0; i < 500; i++) {
        strcat(text, "- x ? y\n");
    }
    wedr_ruleset_free(waza_load(text, &e));
    assert_int_equal(waza_told.errors, WEDR_WAZA_ERRORS_MAX + 1);
    assert_true(waza_told.last.line == 0);
    assert_non_null(strstr(waza_told.text, "more"));
}

static void unknown_types_and_fields_are_warnings(void **state)
{
    int e;
    (void)state;
    wedr_ruleset_free(waza_load(
        waza_group("- " P "imagepath == \"x\"\n- kernel_callback.proces_create.pid == 1\n"
                   "- plugin.any.thing == 1\n- " P "image_path_hex exists\n- " P "argv == \"x\"\n"
                   "- " P "process.name == \"x\""),
        &e));
    assert_int_equal(e, WEDR_OK);
    assert_string_equal(waza_told.all, "w3:3 'process_create' has no field 'imagepath'\n"
                                       "w4:3 unknown event type 'kernel_callback.proces_create'\n");
}

static void comparisons_that_can_never_hold_are_warnings(void **state)
{
    int e;
    (void)state;
    wedr_ruleset_free(
        waza_load(waza_group("- a.b.c < \"x\" || a.b.c >= true\n- a.b.c & 1 == 2"), &e));
    assert_int_equal(e, WEDR_OK);
    assert_int_equal(waza_told.warnings, 4);
    assert_non_null(strstr(waza_told.all, "the condition is always false"));
}

static void circular_includes_are_named(void **state)
{
    static const struct waza_file f[] = {{"rules/a.waza", "include \"b.waza\""},
                                         {"rules/b.waza", "include \"a.waza\""}};
    int e;
    (void)state;
    waza_files(f, 2);
    wedr_ruleset_free(waza_load("include \"a.waza\"", &e));
    assert_int_equal(e, WEDR_E_FORMAT);
    assert_string_equal(waza_told.text, "circular include: rules/a.waza");
    assert_string_equal(waza_told.last.file, "rules/b.waza");
    waza_files(NULL, 0);
}

static void the_schema_is_our_events(void **state)
{
    struct wedr_buf out;
    (void)state;
    wedr_buf_init(&out, 1u << 20);
    assert_int_equal(wedr_waza_schema(&out), WEDR_OK);
    const char *p = (const char *)out.p;
    assert_int_equal(
        strncmp(
            p,
            "[{\"module\":\"kernel_callback\",\"events\":[{\"name\":\"process_create\",\"fields\":["
            "{\"name\":\"pid\",\"field_type\":\"int\"}",
            80),
        0);
    assert_non_null(strstr(p, "{\"name\":\"elevated\",\"field_type\":\"bool\"}"));
    assert_non_null(strstr(p, "{\"module\":\"agent\",\"events\":["));
    const char *first = strstr(p, "\"command_line\"");
    const char *end = strstr(p, "process_terminate");
    assert_true(first && first < end);
    const char *second = strstr(first + 1, "\"command_line\"");
    assert_true(!second || second > end);
    wedr_buf_fini(&out);
    wedr_buf_init(&out, 100);
    assert_int_equal(wedr_waza_schema(&out), WEDR_E_LIMIT);
    wedr_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_errors_of_a_file_are_told_in_order),
        cmocka_unit_test(each_error_names_its_place),
        cmocka_unit_test(lines_in_the_wrong_place_are_errors),
        cmocka_unit_test(the_line_is_shown_with_a_caret),
        cmocka_unit_test(only_so_many_errors_are_told_and_the_rest_counted),
        cmocka_unit_test(unknown_types_and_fields_are_warnings),
        cmocka_unit_test(comparisons_that_can_never_hold_are_warnings),
        cmocka_unit_test(circular_includes_are_named),
        cmocka_unit_test(the_schema_is_our_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
