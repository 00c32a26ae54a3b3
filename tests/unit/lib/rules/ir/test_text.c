/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "wedr/rules/text.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct wedr_text t(const char *s)
{
    return wedr_text(s, strlen(s));
}

static void folding_follows_unicode_simple_case_folding(void **state)
{
    (void)state;
    static const uint32_t pairs[][2] = {
        {'A', 'a'},         {'Z', 'z'},      {'@', '@'},       {'[', '['},         {0xC9, 0xE9},
        {0xD7, 0xD7},       {0xDF, 0xDF},    {0x130, 0x130},   {0x178, 0xFF},      {0x1E9E, 0xDF},
        {0x3A3, 0x3C3},     {0x3C2, 0x3C3},  {0x410, 0x430},   {0x212A, 'k'},      {0x17F, 's'},
        {0x10400, 0x10428}, {0x23A, 0x2C65}, {0x4E00, 0x4E00}, {0x1F600, 0x1F600}, {0x100, 0x101},
        {0x101, 0x101},
    };
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(pairs); i++) {
        assert_int_equal(wedr_fold_char(pairs[i][0]), pairs[i][1]);
    }
    char out[64];
    size_t n = wedr_fold("\xC8\xBA"
                         "B\xC3\x89\xFF\xE2\x84",
                         8, out);
    assert_int_equal(n, 9);
    assert_memory_equal(out,
                        "\xE2\xB1\xA5"
                        "b\xC3\xA9\xFF\xE2\x84",
                        9);
}

static void relations_fold_both_sides_unless_cased(void **state)
{
    (void)state;
    struct wedr_text v = t("C:\\\xC3\x89t\xC3\xA9\\CMD.exe");
    assert_true(wedr_text_equal(v, t("c:\\\xC3\xA9T\xC3\x89\\cmd.EXE"), false));
    assert_false(wedr_text_equal(v, t("c:\\\xC3\xA9T\xC3\x89\\cmd.EXE"), true));
    assert_false(wedr_text_equal(v, t("c:\\\xC3\xA9T\xC3\x89\\cmd.EX"), false));
    assert_true(wedr_text_starts(v, t("c:\\\xC3\xA9"), false));
    assert_false(wedr_text_starts(v, t("c:\\\xC3\xA9"), true));
    assert_true(wedr_text_ends(v, t("\xC3\x89\\cmd.exe"), false));
    assert_false(wedr_text_ends(v, t("cmd.exe"), true));
    assert_true(wedr_text_ends(v, t("CMD.exe"), true));
    assert_true(wedr_text_contains(v, t("T\xC3\x89\\C"), false));
    assert_false(wedr_text_contains(v, t("T\xC3\x89\\C"), true));
    assert_false(wedr_text_contains(t("aaaab"), t("aaaaab"), false));
    assert_true(wedr_text_contains(t("aaaabaaaaab"), t("aaaaab"), false));
    assert_true(wedr_text_contains(t(""), t(""), false));
    assert_true(wedr_text_contains(t("x"), t(""), true));
    assert_true(wedr_text_ends(t("\xE2\x84\xAA"), t("K"), false)); /* the Kelvin sign */
}

static void wildcards_cover_the_whole_value(void **state)
{
    (void)state;
    static const struct {
        const char *value, *pattern;
        bool want;
    } rows[] = {
        {"abc", "a*c", true},
        {"abc", "a?c", true},
        {"abc", "a?", false},
        {"abc", "*", true},
        {"", "*", true},
        {"", "?", false},
        {"", "", true},
        {"a", "", false},
        {"a*c", "a\\*c", true},
        {"abc", "a\\*c", false},
        {"a?c", "a\\?c", true},
        {"a\\c", "a\\\\c", true},
        {"ABC", "a*C", true},
        {"aXbXc", "a*b*c", true},
        {"aXbX", "a*b*c", false},
        {"a\xC3\xA9"
         "c",
         "a?c", true},
        {"a\xFF"
         "c",
         "a?c", true},
        {"abab", "*ab", true},
        {"ababa", "*ab", false},
        {"x\\", "x\\", true},
        {"aaaaaaaaaaaaaaaaab", "*a*a*a*a*b", true},
        {"\\??\\C:", "\\\\\\?\\?\\\\*", true},
    };
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(rows); i++) {
        if (wedr_text_wildcard(t(rows[i].value), t(rows[i].pattern), false) != rows[i].want) {
            fail_msg("%s ~ %s", rows[i].value, rows[i].pattern);
        }
    }
    assert_false(wedr_text_wildcard(t("ABC"), t("a*C"), true));
}

static struct wedr_number number(const char *s)
{
    struct wedr_number n = wedr_number_i64(-999);
    assert_int_equal(wedr_number_parse(s, strlen(s), &n), WEDR_OK);
    return n;
}

static void numbers_are_read_from_end_to_end(void **state)
{
    (void)state;
    static const char *const bad[] = {"",   "-",    "+",   "1 ",  " 1",  "1.",  ".5",
                                      "1e", "0x10", "1e+", "nan", "inf", "--1", "1a"};
    struct wedr_number n;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        assert_int_equal(wedr_number_parse(bad[i], strlen(bad[i]), &n), WEDR_E_FORMAT);
    }
    assert_int_equal(number("-9223372036854775808").v.i, INT64_MIN);
    assert_int_equal(number("-9223372036854775808").kind, WEDR_NUMBER_I64);
    assert_int_equal(number("18446744073709551615").kind, WEDR_NUMBER_U64);
    assert_int_equal(number("18446744073709551616").kind, WEDR_NUMBER_F64);
    assert_int_equal(number("1e3").kind, WEDR_NUMBER_I64);
    assert_int_equal(number("007").v.i, 7);
    assert_int_equal(wedr_number_parse_hex("0x1FfF", 6, &n), WEDR_OK);
    assert_int_equal(n.v.i, 0x1fff);
    assert_int_equal(wedr_number_parse_hex("0x10000000000000000", 19, &n), WEDR_E_FORMAT);
    assert_int_equal(wedr_number_parse_hex("0x", 2, &n), WEDR_E_FORMAT);
}

static void numbers_of_different_kinds_compare_exactly(void **state)
{
    (void)state;
    static const char *const rising[] = {"-1e300",
                                         "-9223372036854775809",
                                         "-9223372036854775808",
                                         "-2.5",
                                         "-2",
                                         "-0.5",
                                         "0",
                                         "0.25",
                                         "1",
                                         "1.5",
                                         "9007199254740993",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "18446744073709551615",
                                         "1e20"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(rising); i++) {
        for (size_t k = 0; k < WEDR_ARRAY_COUNT(rising); k++) {
            int order = wedr_number_compare(number(rising[i]), number(rising[k]));
            if ((order < 0) != (i < k) || (order > 0) != (i > k)) {
                /* the first two texts round to -2^63 or beyond as a double */
                assert_true(i + k == 3 && order == 0);
            }
        }
    }
    assert_int_equal(
        wedr_number_compare(number("9007199254740993"), wedr_number_f64(9007199254740992.0)), 1);
    struct wedr_number nan = wedr_number_f64((double)NAN);
    assert_true(wedr_number_compare(nan, number("1e300")) > 0);
    assert_int_equal(wedr_number_compare(nan, nan), 0);
    assert_true(wedr_number_compare(number("5"), nan) < 0);
    assert_int_equal(wedr_number_compare(number("-0.0"), number("0")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folding_follows_unicode_simple_case_folding),
        cmocka_unit_test(relations_fold_both_sides_unless_cased),
        cmocka_unit_test(wildcards_cover_the_whole_value),
        cmocka_unit_test(numbers_are_read_from_end_to_end),
        cmocka_unit_test(numbers_of_different_kinds_compare_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
