/* SPDX-License-Identifier: Apache-2.0
 * Shapes of detections, keywords, and every form of condition. */
#include "core/base/err.h"
#include "support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define IDS \
    "  a: {a: 1}\n  b: {b: 1}\n  c: {c: 1}\n  sel_x: {x: 1}\n  sel_y: {y: 1}\n  _z: {z: 1}\n"

static bool cond(const char *condition, const char *json)
{
    char d[2048];
    snprintf(d, sizeof(d), IDS "  condition: %s", condition);
    return sigma_match(d, json);
}

static void bad(const char *condition, int err, const char *part)
{
    char d[2048];
    snprintf(d, sizeof(d), IDS "  condition: %s", condition);
    sigma_refused(d, err, part);
    assert_int_equal(sigma_line, 10);
}

static void maps_are_and_lists_of_maps_are_or(void **state)
{
    (void)state;
    const char *map = "  s:\n    a: 1\n    b: 2\n  condition: s";
    assert_true(sigma_match(map, "{\"a\":1,\"b\":2}"));
    assert_false(sigma_match(map, "{\"a\":1,\"b\":3}"));
    const char *list = "  s:\n    - a: 1\n      b: 2\n    - c: 3\n  condition: s";
    assert_true(sigma_match(list, "{\"a\":1,\"b\":2}"));
    assert_true(sigma_match(list, "{\"c\":3}"));
    assert_false(sigma_match(list, "{\"a\":1}"));
    const char *nested = "  s:\n    - - a: 1\n      - b: 2\n    - c: 3\n  condition: s";
    assert_true(sigma_match(nested, "{\"b\":2}"));
    const char *mixed = "  s:\n    - a: 1\n    - word\n  condition: s";
    assert_true(sigma_match(mixed, "{\"q\":\"a word.\"}"));
    assert_false(sigma_match(mixed, "{\"a\":2}"));
}

static void keywords_are_found_in_every_value(void **state)
{
    (void)state;
    const char *any = "  k: [evil, 'svc*-n', 4625]\n  condition: k";
    assert_true(sigma_match(any, "{\"m\":\"an EVIL thing\"}"));
    assert_true(sigma_match(any, "{\"deep\":{\"er\":[\"run svchost -n x\"]}}"));
    assert_true(sigma_match(any, "{\"m\":\"id 4625.\"}"));
    assert_false(sigma_match(any, "{\"evil\":\"name only\"}"));
    const char *all = "  k:\n    '|all': [one, two]\n  condition: k";
    assert_true(sigma_match(all, "{\"m\":\"one\",\"n\":\"two\"}"));
    assert_false(sigma_match(all, "{\"m\":\"one\"}"));
    assert_true(sigma_match("  k: single\n  condition: k", "{\"m\":\"a single word\"}"));
    assert_true(sigma_match("  k:\n    '|re': 'b\\d'\n  condition: k", "{\"m\":\"ab1\"}"));
    assert_false(sigma_match("  k:\n    '|re': 'b\\d'\n  condition: k", "{\"m\":\"ab\"}"));
    assert_true(sigma_match("  k:\n    '|contains': x\n  condition: k", "{\"m\":\"axb\"}"));
    assert_true(sigma_match("  k:\n    '|startswith': a\n  condition: k", "{\"m\":\"ab\"}"));
    assert_false(sigma_match("  k:\n    '|startswith': a\n  condition: k", "{\"m\":\"ba\"}"));
    assert_true(sigma_match("  k:\n    '|cased': aB\n  condition: k", "{\"m\":\"xaBx\"}"));
    assert_false(sigma_match("  k:\n    '|cased': aB\n  condition: k", "{\"m\":\"xabx\"}"));
    sigma_refused("  k: [null]\n  condition: k", WEDR_E_FORMAT, "need a field");
    sigma_refused("  k: []\n  condition: k", WEDR_E_FORMAT, "empty");
    sigma_refused("  k: {}\n  condition: k", WEDR_E_FORMAT, "empty");
    sigma_refused("  k:\n    '|exists': true\n  condition: k", WEDR_E_FORMAT, "need a field");
}

static void or_and_not_bind_in_this_order(void **state)
{
    (void)state;
    assert_true(cond("a and b", "{\"a\":1,\"b\":1}"));
    assert_false(cond("a and b", "{\"a\":1}"));
    assert_true(cond("a or b", "{\"b\":1}"));
    assert_false(cond("a or b", "{\"c\":1}"));
    assert_true(cond("not a", "{\"b\":1}"));
    assert_false(cond("not a", "{\"a\":1}"));
    assert_true(cond("a or b and c", "{\"a\":1}"));
    assert_false(cond("(a or b) and c", "{\"a\":1}"));
    assert_true(cond("not a and b", "{\"b\":1}"));
    assert_false(cond("not a and b", "{\"c\":1}"));
    assert_true(cond("not (a and b)", "{\"a\":1}"));
    assert_true(cond("not not a", "{\"a\":1}"));
    assert_true(cond("a AND (b OR NOT c)", "{\"a\":1}"));
    assert_true(cond("((a))", "{\"a\":1}"));
    assert_true(cond("a and not 1 of sel_*", "{\"a\":1}"));
    assert_false(cond("a and not 1 of sel_*", "{\"a\":1,\"y\":1}"));
    assert_false(cond("a and not all of sel_*", "{\"a\":1,\"x\":1,\"y\":1}"));
}

static void some_of_them(void **state)
{
    (void)state;
    assert_true(cond("1 of them", "{\"y\":1}"));
    assert_false(cond("1 of them", "{\"z\":1}")); /* _z is not one of them */
    assert_true(cond("any of them", "{\"c\":1}"));
    assert_true(cond("all of them", "{\"a\":1,\"b\":1,\"c\":1,\"x\":1,\"y\":1}"));
    assert_false(cond("all of them", "{\"a\":1,\"b\":1,\"c\":1,\"x\":1}"));
    assert_true(cond("1 of sel_*", "{\"x\":1}"));
    assert_false(cond("1 of sel_*", "{\"a\":1}"));
    assert_true(cond("all of sel_*", "{\"x\":1,\"y\":1}"));
    assert_false(cond("all of sel_*", "{\"x\":1}"));
    assert_true(cond("2 of them", "{\"a\":1,\"y\":1}"));
    assert_false(cond("2 of them", "{\"a\":1,\"z\":1}"));
    assert_true(cond("1 of *_y", "{\"y\":1}"));
    assert_false(cond("1 of s*x", "{\"y\":1}"));
    assert_true(cond("1 of a", "{\"a\":1}")); /* no star: that one alone */
    assert_true(cond("1 of _*", "{\"z\":1}"));
    assert_true(cond("a and not 1 of nothing_*", "{\"a\":1}"));
}

static void a_list_of_conditions_is_or(void **state)
{
    (void)state;
    const char *d = IDS "  condition:\n    - a and b\n    - c";
    assert_true(sigma_match(d, "{\"c\":1}"));
    assert_true(sigma_match(d, "{\"a\":1,\"b\":1}"));
    assert_false(sigma_match(d, "{\"a\":1}"));
}

static void what_is_no_condition(void **state)
{
    (void)state;
    bad("a and", WEDR_E_FORMAT, "missing at the end");
    bad("a b", WEDR_E_FORMAT, "at 'b'");
    bad("(a", WEDR_E_FORMAT, "')' is missing");
    bad("a)", WEDR_E_FORMAT, "at ')'");
    bad("and a", WEDR_E_FORMAT, "expected at 'and'");
    bad("unknown", WEDR_E_FORMAT, "unknown search identifier at 'unknown'");
    bad("all of nothing_*", WEDR_E_FORMAT, "no search identifier is so named");
    bad("3 of sel_*", WEDR_E_FORMAT, "more are asked for");
    bad("0 of sel_*", WEDR_E_FORMAT, "0 of");
    bad("some of sel_*", WEDR_E_FORMAT, "a number, any or all");
    bad("1 of", WEDR_E_FORMAT, "them");
    bad("a | count() by b > 5", WEDR_E_UNSUP, "correlation");
    bad("(a or b) | near c", WEDR_E_UNSUP, "correlation");
    bad("a and (b | count() > 1)", WEDR_E_UNSUP, "correlation");
    bad("[]", WEDR_E_FORMAT, "empty list");
    bad("{x: y}", WEDR_E_FORMAT, "a text");
    sigma_refused(IDS, WEDR_E_FORMAT, "no condition");
    sigma_refused(IDS "  condition: 1 of nothing_*", WEDR_E_FORMAT, "always false");
    sigma_refused(IDS "  condition: not 1 of nothing_*", WEDR_E_FORMAT, "always true");
}

static void deep_nesting_is_refused_not_followed(void **state)
{
    (void)state;
    char c[4096] = "";
    for (int i = 0; i < 500; i++) {
        strcat(c, "(");
    }
    strcat(c, "a");
    for (int i = 0; i < 500; i++) {
        strcat(c, ")");
    }
    char d[8192];
    snprintf(d, sizeof(d), IDS "  condition: %s", c);
    sigma_refused(d, WEDR_E_FORMAT, "nested");
    c[0] = '\0';
    for (int i = 0; i < 500; i++) {
        strcat(c, "not ");
    }
    snprintf(d, sizeof(d), IDS "  condition: %sa", c);
    sigma_refused(d, WEDR_E_FORMAT, "nested");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_are_and_lists_of_maps_are_or),
        cmocka_unit_test(keywords_are_found_in_every_value),
        cmocka_unit_test(or_and_not_bind_in_this_order),
        cmocka_unit_test(some_of_them),
        cmocka_unit_test(a_list_of_conditions_is_or),
        cmocka_unit_test(what_is_no_condition),
        cmocka_unit_test(deep_nesting_is_refused_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
