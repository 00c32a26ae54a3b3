/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/testcase/test_testcase.c — test files, good and bad, against rules. */
#include "core/base/err.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include "wedr/rules/testcase.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char rules[] = "title: a shell\n"
                            "id: shell\n"
                            "name: shell\n"
                            "logsource: {category: process_creation, product: linux}\n"
                            "detection: {s: {Image|endswith: /sh}, condition: s}\n"
                            "---\n"
                            "title: any root\n"
                            "id: root\n"
                            "logsource: {category: process_creation, product: linux}\n"
                            "detection: {s: {User: root}, condition: s}\n"
                            "---\n"
                            "title: three shells\n"
                            "id: three\n"
                            "correlation:\n"
                            "  type: event_count\n"
                            "  rules: [shell]\n"
                            "  group-by: [User]\n"
                            "  timespan: 1m\n"
                            "  generate: true\n"
                            "  condition: {gte: 3}\n";

static struct wedr_engine *engine;
static struct wedr_field_map *map;
static struct wedr_testrunner *runner;
static char findings[2048];
static size_t last_event;

static int setup(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(8u << 20);
    struct wedr_sigma *s = wedr_sigma_new(rs, NULL, NULL, NULL);
    assert_int_equal(wedr_sigma_add(s, "r.yml", rules, sizeof(rules) - 1), WEDR_OK);
    assert_int_equal(wedr_sigma_finish(s), WEDR_OK);
    wedr_sigma_free(s);
    assert_int_equal(wedr_engine_new_take(rs, NULL, &engine, NULL), WEDR_OK);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &map, NULL), WEDR_OK);
    runner = wedr_testrunner_new(engine, map);
    assert_non_null(runner);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wedr_testrunner_free(runner);
    wedr_field_map_free(map);
    wedr_engine_free(engine);
    return 0;
}

static void on_finding(void *ctx, const struct wedr_testcase_finding *f)
{
    (void)ctx;
    size_t at = strlen(findings);
    assert_null(strchr(f->text, '\n'));
    snprintf(findings + at, sizeof(findings) - at, "%d %s\n", (int)f->verdict, f->text);
    last_event = f->event;
}

static int open_file(void *ctx, struct wedr_text name, const char **ret_text, size_t *ret_len)
{
    static const char events[] =
        "[{\"event_type\":\"process_create\",\"raw\":{\"uid\":0,\"image_path\":\"/bin/sh\"}},\n"
        " {\"a\":\"}\\\"{\"}]\n{\"b\":1}\n";
    (void)ctx;
    if (name.len != 9 || memcmp(name.p, "some.json", 9) != 0) {
        return WEDR_E_NOENT;
    }
    *ret_text = events;
    *ret_len = sizeof(events) - 1;
    return WEDR_OK;
}

/* Runs case 0 of a test file that is gone by then. */
static bool passes(const char *yaml)
{
    struct wedr_errinfo ei = {{0}};
    struct wedr_testfile *f = NULL;
    char *copy = malloc(strlen(yaml) + 1);
    assert_non_null(copy);
    strcpy(copy, yaml);
    if (wedr_testfile_read(copy, strlen(copy), &f, &ei) < 0) {
        fail_msg("%s\n%s", ei.text, yaml);
    }
    free(copy);
    bool passed = false;
    findings[0] = '\0';
    assert_int_equal(
        wedr_testrunner_run(runner, wedr_testfile_case(f, 0), open_file, on_finding, NULL, &passed),
        WEDR_OK);
    assert_int_equal(passed, findings[0] == '\0');
    wedr_testfile_free(f);
    return passed;
}

#define EVENT "{event_type: process_create, raw: {uid: 0, image_path: /bin/sh, user: root}}"

static void events_are_objects_or_texts_of_json_lines(void **state)
{
    (void)state;
    assert_true(passes("cases:\n- name: a\n  events: [" EVENT "]\n  expect: [shell, any root]\n"));
    assert_true(
        passes("cases:\n- name: a\n  events:\n  - '{\"event_type\":\"process_create\",\"raw\":"
               "{\"uid\":0,\"image_path\":\"/bin/sh\"}}'\n  expect: shell\n  not: [root]\n"));
    assert_true(passes(
        "cases:\n- name: a\n  events: |\n    {\"x\": 1}\n"
        "    {\"event_type\":\"process_create\",\"raw\":{\"uid\":0,\"image_path\":\"/bin/sh\"}}\n"
        "  expect: [shell]\n"));
    assert_true(passes("cases:\n- name: a\n  events:\n    event_type: process_create\n    raw:\n"
                       "      uid: 0x10\n      n: [.5, +1, .inf, 1e2, 18446744073709551615, ~, "
                       "007, \"q\"]\n      user: 'root'\n  expect: [root]\n"));
}

static void what_does_not_fire_or_must_not_is_found(void **state)
{
    (void)state;
    assert_false(passes("cases:\n- name: a\n  events: [{a: 1}, " EVENT
                        "]\n  expect: [three]\n  not: [shell]\n"));
    assert_string_equal(findings,
                        "0 did not fire: three\n1 fired at event 1, must not: a shell (shell)\n");
    assert_int_equal(last_event, 1);
    assert_false(passes("cases:\n- name: a\n  events: [" EVENT "]\n  expect: none\n"));
    assert_string_equal(findings, "1 fired at event 0, must not: a shell (shell)\n"
                                  "1 fired at event 0, must not: any root (root)\n");
    assert_true(passes("cases:\n- name: a\n  events: [{event_type: other}]\n  expect: none\n"));
    assert_false(passes("cases:\n- name: a\n  events: [{a: 1}]\n  not: [nobody]\n"));
    assert_string_equal(findings, "2 no such rule: nobody\n");
    assert_false(passes("cases:\n- name: a\n  events: ['{\"a\": nope}']\n  expect: none\n"));
    assert_non_null(strstr(findings, "3 event 0: "));
}

static void correlations_go_by_the_times_of_the_case(void **state)
{
    (void)state;
    assert_true(passes("cases:\n- name: a\n  events: [" EVENT ", " EVENT ", " EVENT "]\n"
                       "  at: [0s, 30s, 59s]\n  expect: [three shells]\n"));
    assert_true(passes("cases:\n- name: a\n  events: [" EVENT ", " EVENT ", " EVENT "]\n"
                       "  at: [0s, 1m, 2m]\n  not: [three]\n"));
    assert_true(passes("cases:\n- name: a\n  events: [" EVENT ", " EVENT ", " EVENT
                       "]\n  expect: [three]\n"));
#define AT(ts)                \
    "{ts: '2026-05-01T10:" ts \
    "Z', event_type: process_create, raw: {uid: 0, image_path: /bin/sh, user: root}}"
    assert_true(passes("cases:\n- name: a\n  events: [" AT("00:00") ", " AT("01:00") ", " AT(
        "02:00") "]\n  not: [three]\n"));
    assert_true(passes("cases:\n- name: a\n  events: [" AT("00:00") ", " AT("00:10") ", " AT(
        "00:59") "]\n  expect: [three]\n"));
}

static void files_beside_are_read_as_documents(void **state)
{
    (void)state;
    assert_true(passes("cases:\n- name: a\n  file: some.json\n  expect: [shell]\n  not: [root]\n"));
    assert_false(passes("cases:\n- name: a\n  file: [other.json]\n  expect: none\n"));
    assert_string_equal(findings, "3 other.json: not found\n");
}

static void the_regression_form_of_sigma_is_read(void **state)
{
    (void)state;
    static const char info[] =
        "id: x\nrule_metadata:\n  - id: shell\n    title: t\n"
        "regression_tests_info:\n  - name: Positive Detection Test\n    type: evtx\n"
        "    path: regression_data/a/b/some.evtx\n";
    struct wedr_testfile *f = NULL;
    assert_true(passes(info));
    assert_int_equal(wedr_testfile_read(info, sizeof(info) - 1, &f, NULL), WEDR_OK);
    assert_int_equal(wedr_testfile_case_count(f), 1);
    assert_string_equal(wedr_testfile_case(f, 0)->files[0].p, "some.json");
    assert_null(wedr_testfile_case(f, 1));
    wedr_testfile_free(f);
}

static void a_zero_byte_ends_the_name_of_a_recording(void **state)
{
    (void)state;
    static const char info[] = "id: x\nrule_metadata: [{id: shell}]\n"
                               "regression_tests_info: [{name: n, path: \"a/b\\0ccc.evtx\"}]\n";
    struct wedr_testfile *f = NULL;
    assert_int_equal(wedr_testfile_read(info, sizeof(info) - 1, &f, NULL), WEDR_OK);
    struct wedr_text name = wedr_testfile_case(f, 0)->files[0];
    assert_int_equal(name.len, strlen(name.p));
    wedr_testfile_free(f);
}

static void a_wrong_test_file_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *why;
    } wrong[] = {
        {"", "line 1: "},
        {"- a", "line 1: a test file"},
        {"cases: []", "no list of cases"},
        {"cases: [{events: [{a: 1}], expect: none}]", "needs a name"},
        {"cases: [{name: a, expect: none}]", "needs events"},
        {"cases:\n- name: a\n  events: [{a: 1}]\n", "line 2: a case says"},
        {"cases:\n- name: a\n  evnts: [{a: 1}]\n", "line 3: a case has"},
        {"cases:\n- name: a\n  events: [1]\n", "one JSON object"},
        {"cases:\n- name: a\n  events: ['{']\n", "one JSON object"},
        {"cases:\n- name: a\n  events: [{a: 1}]\n  at: [soon]\n", "line 4: a time"},
        {"cases:\n- name: a\n  events: [{a: 1}]\n  at: [2s, 1s]\n", "go back"},
        {"cases:\n- name: a\n  events: [{a: 1}]\n  expect: [[b]]\n", "a text was expected"},
        {"regression_tests_info:\n- path: a\n", "without rule_metadata"},
        {"rule_metadata: []\nregression_tests_info:\n- path: a\n", "names no rule"},
        {"cases: [\n", "line "},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct wedr_testfile *f = NULL;
        struct wedr_errinfo ei = {{0}};
        int r = wedr_testfile_read(wrong[i].yaml, strlen(wrong[i].yaml), &f, &ei);
        if (r >= 0 || !strstr(ei.text, wrong[i].why)) {
            fail_msg("%d '%s': %s", r, ei.text, wrong[i].yaml);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_objects_or_texts_of_json_lines),
        cmocka_unit_test(what_does_not_fire_or_must_not_is_found),
        cmocka_unit_test(correlations_go_by_the_times_of_the_case),
        cmocka_unit_test(files_beside_are_read_as_documents),
        cmocka_unit_test(the_regression_form_of_sigma_is_read),
        cmocka_unit_test(a_zero_byte_ends_the_name_of_a_recording),
        cmocka_unit_test(a_wrong_test_file_is_refused_with_its_line),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
