/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/cfg.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct options {
    bool verify;
    bool plain;
    uint64_t timeout;
    char url[24];
    char modules[16];
};

#define ROW(name, type, member, min, max, fallback)                                               \
    {                                                                                             \
        name, type, offsetof(struct options, member), sizeof(((struct options *)0)->member), min, \
            max, fallback, "help"                                                                 \
    }

static const struct wedr_cfg_option table[] = {
    ROW("shipper.verify_tls", WEDR_CFG_BOOL, verify, 0, 0, "true"),
    ROW("shipper.plain", WEDR_CFG_BOOL, plain, 0, 0, NULL),
    ROW("shipper.timeout_secs", WEDR_CFG_U64, timeout, 1, 300, "30"),
    ROW("shipper.server_url", WEDR_CFG_STR, url, 0, 0, "https://a"),
    ROW("filter.modules", WEDR_CFG_LIST, modules, 0, 0, "one,two"),
};
#define ROWS (sizeof(table) / sizeof(table[0]))

static struct options defaults(void)
{
    struct options o;
    memset(&o, 0x5A, sizeof(o));
    assert_int_equal(wedr_cfg_defaults(table, ROWS, &o, NULL), WEDR_OK);
    return o;
}

static int parse(const char *json, struct options *o, struct wedr_errinfo *ei)
{
    return wedr_cfg_parse(table, ROWS, json, strlen(json), o, ei);
}

static void defaults_come_from_the_table(void **state)
{
    (void)state;
    struct options o = defaults();
    assert_true(o.verify);
    assert_false(o.plain);
    assert_int_equal(o.timeout, 30);
    assert_string_equal(o.url, "https://a");
    assert_memory_equal(o.modules, "one\0two\0\0", 9);
}

static void a_bad_table_is_a_bug_not_a_surprise(void **state)
{
    (void)state;
    const struct wedr_cfg_option bad[] = {
        ROW("a.b", WEDR_CFG_U64, timeout, 5, 10, "4"),
        ROW("a.b", WEDR_CFG_BOOL, verify, 0, 0, "yes"),
        ROW("a.b", WEDR_CFG_STR, modules, 0, 0, "longer than sixteen bytes"),
        {"a.b", WEDR_CFG_U64, 0, 4, 0, 9, "1", ""},
    };
    struct options o;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(wedr_cfg_defaults(&bad[i], 1, &o, NULL), WEDR_E_BUG);
    }
}

static void values_are_read_over_what_is_there(void **state)
{
    (void)state;
    struct options o = defaults();
    assert_int_equal(
        parse("{\"shipper\": {\"timeout_secs\": 300, \"server_url\": \"https://h:8443\", "
              "\"verify_tls\": false},\n \"filter\": {\"modules\": [\"abc\", \"d\"]}}",
              &o, NULL),
        WEDR_OK);
    assert_false(o.verify);
    assert_int_equal(o.timeout, 300);
    assert_string_equal(o.url, "https://h:8443");
    assert_memory_equal(o.modules, "abc\0d\0\0", 7);
    assert_int_equal(parse("{}", &o, NULL), WEDR_OK);
    assert_int_equal(o.timeout, 300);
    assert_int_equal(parse("{\"filter\": {\"modules\": []}}", &o, NULL), WEDR_OK);
    assert_int_equal(o.modules[0], 0);
}

static const struct {
    const char *json, *reason;
} bad_files[] = {
    {"{\n \"shipper\": {\n  \"timeout_secs\": 5,\n  \"tiemout\": 5 }}",
     "line 4: unknown key \"shipper.tiemout\""},
    {"{\n\"shiper\": {}}", "line 2: unknown key \"shiper\""},
    {"{\"filter\": {\"modules\": [\"a\",\n\"tiemout\",\n\"b\"]},\n\n\"shipper\": {\"tiemout\": 1}}",
     "line 5: unknown key \"shipper.tiemout\""},
    {"{\"shipper\": {\"server_url\": \"\\\"tiemout\\\": {\",\n\n\"timeout_secs\": 0}}",
     "line 3: \"shipper.timeout_secs\" must be 1 to 300"},
    {"{\"shipper\": {\n\"t\\u0069emout\": 1}}", "line 2: unknown key \"shipper.tiemout\""},
    {"{\"shipper\": {\"timeout_secs\": 301}}", "line 1: \"shipper.timeout_secs\" must be 1 to 300"},
    {"{\"shipper\": {\"timeout_secs\": -5}}",
     "line 1: \"shipper.timeout_secs\" must be a number that is not negative"},
    {"{\"shipper\": {\"timeout_secs\": 5.0}}",
     "line 1: \"shipper.timeout_secs\" must be a number that is not negative"},
    {"{\"shipper\": {\"timeout_secs\": \"5\"}}",
     "line 1: \"shipper.timeout_secs\" must be a number that is not negative"},
    {"{\"shipper\": {\"verify_tls\": 1}}", "line 1: \"shipper.verify_tls\" must be true or false"},
    {"{\"shipper\": {\"server_url\": null}}", "line 1: \"shipper.server_url\" must be a string"},
    {"{\"shipper\": {\"server_url\": \"123456789012345678901234\"}}",
     "line 1: \"shipper.server_url\" is longer than 23 bytes"},
    {"{\"filter\": {\"modules\": \"a\"}}", "line 1: \"filter.modules\" must be a list of strings"},
    {"{\"filter\": {\"modules\": [\"a\", {}]}}",
     "line 1: \"filter.modules\" must be a list of strings"},
    {"{\"filter\": {\"modules\": [\"a\", \"\"]}}",
     "line 1: \"filter.modules\" has an empty element"},
    {"{\"filter\": {\"modules\": [\"12345678\", \"123456\"]}}",
     "line 1: \"filter.modules\" is longer than 16 bytes in all"},
    {"{\"shipper\":\n[]}", "line 1: \"shipper\" must be an object"},
    {"[]", "line 1: must be an object"},
    {"{\n\"a\":[[[[[[[\n[]]]]]]]]}", "line 3: nested deeper than 8"},
};

static void a_bad_file_is_named_by_line_and_changes_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad_files) / sizeof(bad_files[0]); i++) {
        struct options o = defaults();
        const struct options before = o;
        struct wedr_errinfo ei = {{0}};
        assert_int_equal(parse(bad_files[i].json, &o, &ei), WEDR_E_FORMAT);
        assert_string_equal(ei.text, bad_files[i].reason);
        assert_memory_equal(&o, &before, sizeof(o));
    }
}

static void broken_json_is_named_by_line(void **state)
{
    (void)state;
    static const struct {
        const char *json, *begin;
    } rows[] = {
        {"", "line 1: "},
        {"{\n\n\"shipper\" {}}", "line 3: "},
        {"{\"shipper\": {\"timeout_secs\": 5,\n\"timeout_secs\": 6}}", "line 2: "},
        {"{} x", "line 1: "},
        {"{\"shipper\": {\"server_url\": \"\\u0000\"}}", "line 1: "},
        {"{\"shipper\": {\"timeout_secs\": 99999999999999999999}}", "line 1: "},
        {"{\"shipper\": {\"server_url\": \"\xFF\"}}", "line 1: "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct options o = defaults();
        struct wedr_errinfo ei = {{0}};
        assert_int_equal(parse(rows[i].json, &o, &ei), WEDR_E_FORMAT);
        assert_memory_equal(ei.text, rows[i].begin, strlen(rows[i].begin));
    }
}

static void a_file_above_one_mebibyte_is_refused(void **state)
{
    (void)state;
    struct options o = defaults();
    size_t len = 1024 * 1024 + 1;
    char *text = wedr_alloc(len, 1);
    assert_non_null(text);
    memset(text, ' ', len);
    memcpy(text, "{}", 2);
    assert_int_equal(wedr_cfg_parse(table, ROWS, text, len, &o, NULL), WEDR_E_LIMIT);
    assert_int_equal(wedr_cfg_parse(table, ROWS, text, len - 1, &o, NULL), WEDR_OK);
    wedr_free(text);
}

static void one_option_is_set_from_text(void **state)
{
    (void)state;
    struct options o = defaults();
    struct wedr_errinfo ei;
    assert_int_equal(wedr_cfg_set(table, ROWS, "shipper.timeout_secs", "7", &o, &ei), WEDR_OK);
    assert_int_equal(o.timeout, 7);
    assert_int_equal(wedr_cfg_set(table, ROWS, "filter.modules", "a,bc", &o, &ei), WEDR_OK);
    assert_memory_equal(o.modules, "a\0bc\0\0", 6);
    assert_int_equal(wedr_cfg_set(table, ROWS, "filter.modules", "", &o, &ei), WEDR_OK);
    assert_int_equal(o.modules[0], 0);
    static const struct {
        const char *name, *value;
        int err;
    } bad[] = {
        {"shipper.timeout_secs", "0", WEDR_E_RANGE},
        {"shipper.timeout_secs", "7s", WEDR_E_FORMAT},
        {"shipper.timeout_secs", "", WEDR_E_FORMAT},
        {"shipper.timeout_secs", " 7", WEDR_E_FORMAT},
        {"shipper.timeout_secs", "-7", WEDR_E_FORMAT},
        {"shipper.timeout_secs", "99999999999999999999", WEDR_E_FORMAT},
        {"shipper.verify_tls", "True", WEDR_E_FORMAT},
        {"filter.modules", "a,,b", WEDR_E_RANGE},
        {"filter.modules", "a,", WEDR_E_RANGE},
        {"shipper", "1", WEDR_E_NOENT},
        {"shipper.time", "1", WEDR_E_NOENT},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct options before = o;
        assert_int_equal(wedr_cfg_set(table, ROWS, bad[i].name, bad[i].value, &o, &ei), bad[i].err);
        assert_memory_equal(&o, &before, sizeof(o));
    }
}

static void every_failed_allocation_is_reported_and_changes_nothing(void **state)
{
    (void)state;
    static const char json[] =
        "{\"shipper\": {\"timeout_secs\": 9, \"server_url\": \"https://host\"},"
        " \"filter\": {\"modules\": [\"abc\", \"d\"]}}";
    struct options o = defaults();
    (void)wedr_alloc_fail_nth(0);
    assert_int_equal(parse(json, &o, NULL), WEDR_OK);
    size_t calls = wedr_alloc_fail_nth(0);
    assert_true(calls > 5);
    for (size_t n = 1; n <= calls; n++) {
        o = defaults();
        struct options before = o;
        (void)wedr_alloc_fail_nth(n);
        int err = parse(json, &o, NULL);
        (void)wedr_alloc_fail_nth(0);
        assert_true(err != WEDR_OK);
        assert_memory_equal(&o, &before, sizeof(o));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_come_from_the_table),
        cmocka_unit_test(a_bad_table_is_a_bug_not_a_surprise),
        cmocka_unit_test(values_are_read_over_what_is_there),
        cmocka_unit_test(a_bad_file_is_named_by_line_and_changes_nothing),
        cmocka_unit_test(broken_json_is_named_by_line),
        cmocka_unit_test(a_file_above_one_mebibyte_is_refused),
        cmocka_unit_test(one_option_is_set_from_text),
        cmocka_unit_test(every_failed_allocation_is_reported_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
