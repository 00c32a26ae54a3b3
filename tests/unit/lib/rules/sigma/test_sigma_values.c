/* SPDX-License-Identifier: Apache-2.0
 * Values, wildcards, escapes and every modifier: each with an event that fits and one that does
 * not. */
#include "core/base/err.h"
#include "support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void text_is_compared_whole_and_in_any_case(void **state)
{
    (void)state;
    YES("f: AbC", "{\"f\":\"aBc\"}");
    NO("f: abc", "{\"f\":\"abcd\"}");
    NO("f: abc", "{\"g\":\"abc\"}");
    YES("f: '\xC3\x89t\xC3\xA9'", "{\"f\":\"\xC3\xA9T\xC3\x89\"}");
}

static void wildcards_stand_for_characters(void **state)
{
    (void)state;
    YES("f: 'prog?.exe'", "{\"f\":\"progA.exe\"}");
    NO("f: 'prog?.exe'", "{\"f\":\"prog.exe\"}");
    NO("f: 'prog?.exe'", "{\"f\":\"progAB.exe\"}");
    YES("f: 'v*.exe'", "{\"f\":\"v.exe\"}");
    YES("f: 'v*.exe'", "{\"f\":\"v1.2.exe\"}");
    NO("f: 'v*.exe'", "{\"f\":\"v1.2.exe.txt\"}");
    YES("f: '*mid*'", "{\"f\":\"a mid b\"}");
    YES("f: '*'", "{\"f\":\"x\"}");
    NO("f: '*'", "{\"g\":\"x\"}");
}

/* The five rows of the specification: what stands in the rule, what the value must be. */
static void backslash_escapes_wildcards_and_itself_only(void **state)
{
    (void)state;
    YES("f: 'a\\b'", "{\"f\":\"a\\\\b\"}");   /* \b is \b */
    YES("f: 'a\\\\b'", "{\"f\":\"a\\\\b\"}"); /* \\b too */
    YES("f: 'a\\*b'", "{\"f\":\"a*b\"}");     /* \* is a star */
    NO("f: 'a\\*b'", "{\"f\":\"axb\"}");
    YES("f: 'a\\?b'", "{\"f\":\"a?b\"}");
    NO("f: 'a\\?b'", "{\"f\":\"axb\"}");
    YES("f: 'a\\\\*b'", "{\"f\":\"a\\\\xyzb\"}"); /* \\* is a backslash and a wildcard */
    NO("f: 'a\\\\*b'", "{\"f\":\"axyzb\"}");
    YES("f: 'a\\\\\\*b'", "{\"f\":\"a\\\\*b\"}"); /* \\\* is both plain */
    NO("f: 'a\\\\\\*b'", "{\"f\":\"a\\\\xb\"}");
    YES("f: 'a\\\\\\b'", "{\"f\":\"a\\\\\\\\b\"}");   /* three are two */
    YES("f: 'a\\\\\\\\b'", "{\"f\":\"a\\\\\\\\b\"}"); /* four are two */
    NO("f: 'a\\\\\\\\b'", "{\"f\":\"a\\\\b\"}");
    YES("f|endswith: '\\cmd.exe'", "{\"f\":\"C:\\\\x\\\\cmd.exe\"}");
    YES("f: 'dir\\'", "{\"f\":\"dir\\\\\"}"); /* at the end it is itself */
}

static void numbers_booleans_null_and_empty(void **state)
{
    (void)state;
    YES("f: 4688", "{\"f\":4688}");
    YES("f: 4688", "{\"f\":\"4688\"}");
    NO("f: 4688", "{\"f\":46880}");
    YES("f: '4688'", "{\"f\":4688}");
    YES("f: 1.5", "{\"f\":1.50}");
    YES("f: -1", "{\"f\":-1}");
    YES("f: 0x10", "{\"f\":16}");
    YES("f: true", "{\"f\":true}");
    YES("f: true", "{\"f\":\"True\"}");
    NO("f: true", "{\"f\":false}");
    YES("f: 'true'", "{\"f\":true}");
    YES("f: null", "{\"g\":1}");
    YES("f: ~", "{\"f\":null}");
    YES("f:", "{\"g\":1}");
    NO("f: null", "{\"f\":\"\"}");
    YES("f: ''", "{\"f\":\"\"}");
    NO("f: ''", "{\"f\":\"x\"}");
    NO("f: ''", "{\"g\":1}");
    YES("f: []", "{\"g\":1}");
    YES("f: [null, '']", "{\"f\":\"\"}");
    YES("f: 'null'", "{\"f\":\"null\"}");
}

static void lists_are_or_and_all_makes_them_and(void **state)
{
    (void)state;
    YES("f: [a, b]", "{\"f\":\"b\"}");
    NO("f: [a, b]", "{\"f\":\"c\"}");
    YES("f: [1, two, null]", "{\"g\":1}");
    YES("f|contains|all: [a, b]", "{\"f\":\"xbya\"}");
    NO("f|contains|all: [a, b]", "{\"f\":\"xb\"}");
    YES("f|all|contains: [a, b]", "{\"f\":\"xbya\"}");
    NO("f|all: [a, b]", "{\"f\":\"a\"}");
    YES("f|all: [a, b]", "{\"f\":[\"a\",\"b\"]}");
    YES("f|contains|all: only", "{\"f\":\"the only one\"}");
}

static void a_long_list_is_as_good_as_a_short_one(void **state)
{
    (void)state;
    char yaml[8192] = "f:";
    for (int i = 0; i < 300; i++) {
        snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml), "\n      - 'Value%d'", i);
    }
    YES(yaml, "{\"f\":\"vAlue299\"}");
    NO(yaml, "{\"f\":\"value300\"}");
}

static void place_modifiers(void **state)
{
    (void)state;
    YES("f|contains: mid", "{\"f\":\"amidb\"}");
    NO("f|contains: mid", "{\"f\":\"ami\"}");
    YES("f|startswith: ab", "{\"f\":\"ABc\"}");
    NO("f|startswith: ab", "{\"f\":\"cab\"}");
    YES("f|endswith: bc", "{\"f\":\"aBC\"}");
    NO("f|endswith: bc", "{\"f\":\"bca\"}");
    YES("f|contains: 'a*c'", "{\"f\":\"xabbcx\"}");
    NO("f|contains: 'a*c'", "{\"f\":\"xcabx\"}");
    YES("f|startswith: 'a?c'", "{\"f\":\"abcd\"}");
    NO("f|startswith: 'a?c'", "{\"f\":\"xabcd\"}");
    YES("f|contains: 46", "{\"f\":\"x46y\"}");
    YES("f|startswith|endswith: b", "{\"f\":\"abc\"}"); /* both: anywhere */
}

static void regular_expressions_and_their_flags(void **state)
{
    (void)state;
    YES("f|re: 'b+\\d'", "{\"f\":\"abb1\"}");
    NO("f|re: 'b+\\d'", "{\"f\":\"aBB1\"}");
    YES("f|re|i: 'b+\\d'", "{\"f\":\"aBB1\"}");
    NO("f|re: '^b'", "{\"f\":\"a\\nb\"}");
    YES("f|re|m: '^b'", "{\"f\":\"a\\nb\"}");
    NO("f|re: 'a.b'", "{\"f\":\"a\\nb\"}");
    YES("f|re|s: 'a.b'", "{\"f\":\"a\\nb\"}");
    YES("f|re|i|m|s: '^B.C'", "{\"f\":\"a\\nb\\nc\"}");
    YES("f|re|startswith: 'b|c'", "{\"f\":\"cx\"}");
    NO("f|re|startswith: 'b|c'", "{\"f\":\"xc\"}");
    YES("f|re|endswith: 'b|c'", "{\"f\":\"xc\"}");
    NO("f|re|endswith: 'b|c'", "{\"f\":\"cx\"}");
    YES("f|re|contains: 'b'", "{\"f\":\"abc\"}");
    YES("f|re: '\\*'", "{\"f\":\"a*b\"}"); /* no Sigma wildcards in it */
    NO("f|re: '\\*'", "{\"f\":\"ab\"}");
    YES("f|re: [x, y]", "{\"f\":\"ay\"}");
    sigma_refused("  s: {f|re: '('}\n  condition: s", WEDR_E_FORMAT, "regular expression");
    sigma_refused("  s: {f|i: a}\n  condition: s", WEDR_E_FORMAT, "follow re");
    sigma_refused("  s: {f|base64|re: a}\n  condition: s", WEDR_E_FORMAT, "");
}

static void networks(void **state)
{
    (void)state;
    YES("f|cidr: 10.0.0.0/8", "{\"f\":\"10.1.2.3\"}");
    NO("f|cidr: 10.0.0.0/8", "{\"f\":\"11.1.2.3\"}");
    YES("f|cidr: ['192.168.0.0/16', 'fe80::/10']", "{\"f\":\"fe80::1\"}");
    NO("f|cidr: 'fe80::/10'", "{\"f\":\"fd00::1\"}");
    NO("f|cidr: 10.0.0.0/8", "{\"f\":\"ten\"}");
    sigma_refused("  s: {f|cidr: 10.0.0.0/33}\n  condition: s", WEDR_E_FORMAT, "no network");
}

static void base64_and_its_offsets(void **state)
{
    (void)state;
    YES("f|base64: foobar", "{\"f\":\"Zm9vYmFy\"}");
    NO("f|base64: foobar", "{\"f\":\"foobar\"}");
    YES("f|base64|contains: 'ab'", "{\"f\":\"xxYWI=xx\"}");
    YES("f|base64offset|contains: foobar", "{\"f\":\"Zm9vYmFy\"}");
    YES("f|base64offset|contains: foobar", "{\"f\":\"eGZvb2Jhcg==\"}");     /* xfoobar */
    YES("f|base64offset|contains: foobar", "{\"f\":\"eHhmb29iYXI=\"}");     /* xxfoobar */
    YES("f|base64offset|contains: foobar", "{\"f\":\"eHh4Zm9vYmFyeHh4\"}"); /* xxxfoobarxxx */
    NO("f|base64offset|contains: foobar", "{\"f\":\"eHh4Zm9vYm8=\"}");
    sigma_refused("  s: {f|base64: 'a*'}\n  condition: s", WEDR_E_FORMAT, "without wildcards");
    sigma_refused("  s: {f|base64offset: 'a'}\n  condition: s", WEDR_E_FORMAT, "too short");
    sigma_refused("  s: {f|base64: ''}\n  condition: s", WEDR_E_FORMAT, "base64");
}

static void wide_texts(void **state)
{
    (void)state;
    YES("f|wide|base64: cmd", "{\"f\":\"YwBtAGQA\"}");
    YES("f|utf16le|base64: cmd", "{\"f\":\"YwBtAGQA\"}");
    YES("f|utf16be|base64: cmd", "{\"f\":\"AGMAbQBk\"}");
    YES("f|utf16|base64: cmd", "{\"f\":\"//5jAG0AZAA=\"}");
    NO("f|wide|base64: cmd", "{\"f\":\"Y21k\"}");
    YES("f|wide|base64offset|contains: cmd", "{\"f\":\"eGMAbQBkAA==\"}"); /* x, then wide */
    YES("f|wide|base64: '\xC3\xA9\xF0\x9F\x98\x80'", "{\"f\":\"6QA92ADe\"}");
    YES("f|wide: ab", "{\"f\":\"a\\u0000b\\u0000\"}");
    YES("f|wide|contains: 'a*b'", "{\"f\":\"xa\\u0000yyb\\u0000\"}");
    NO("f|wide: ab", "{\"f\":\"ab\"}");
}

static void windash_tries_every_dash_before_a_flag(void **state)
{
    (void)state;
    static const char *const dashes[] = {"-", "/", "\xE2\x80\x93", "\xE2\x80\x94", "\xE2\x80\x95"};
    for (size_t i = 0; i < 5; i++) {
        for (size_t k = 0; k < 5; k++) {
            char json[128];
            snprintf(json, sizeof(json), "{\"f\":\"x %sa %sb-c\"}", dashes[i], dashes[k]);
            YES("f|windash|contains: ' -a /b-c'", json);
            YES("f|contains|windash: ' \xE2\x80\x93"
                "a -b-c'",
                json);
        }
    }
    NO("f|windash|contains: ' -a'", "{\"f\":\"x +a\"}");
    NO("f|windash|contains: 'a-b'", "{\"f\":\"a/b\"}"); /* no flag */
    YES("f|windash|contains: '-a'", "{\"f\":\"/a\"}");
    YES("f|windash|contains|all: [' -a', ' -b']", "{\"f\":\"x /a -b\"}");
    NO("f|windash|contains|all: [' -a', ' -b']", "{\"f\":\"x /a -c\"}");
    sigma_refused("  s: {f|windash: '-a -b -c -d -e -f -g'}\n  condition: s", WEDR_E_LIMIT,
                  "too many dashes");
}

static void exists_cased_and_neq(void **state)
{
    (void)state;
    YES("f|exists: true", "{\"f\":\"\"}");
    NO("f|exists: true", "{\"g\":1}");
    YES("f|exists: false", "{\"g\":1}");
    NO("f|exists: false", "{\"f\":0}");
    YES("f|exists: 'true'", "{\"f\":1}");
    sigma_refused("  s: {f|exists: maybe}\n  condition: s", WEDR_E_FORMAT, "exists");
    YES("f|cased: aB", "{\"f\":\"aB\"}");
    NO("f|cased: aB", "{\"f\":\"ab\"}");
    YES("f|contains|cased: aB", "{\"f\":\"xaBx\"}");
    NO("f|cased|contains: aB", "{\"f\":\"xabx\"}");
    YES("f|neq: a", "{\"f\":\"b\"}");
    NO("f|neq: a", "{\"f\":\"A\"}");
    YES("f|neq: [a, b]", "{\"f\":\"c\"}");
    NO("f|neq: [a, b]", "{\"f\":\"b\"}");
    YES("f|neq: 5", "{\"f\":6}");
    NO("f|neq: 5", "{\"f\":5}");
    YES("f|fieldref|neq: g", "{\"f\":1,\"g\":2}");
    NO("f|fieldref|neq: g", "{\"f\":1,\"g\":1}");
}

static void numbers_compared(void **state)
{
    (void)state;
    YES("f|lt: 5", "{\"f\":4}");
    NO("f|lt: 5", "{\"f\":5}");
    YES("f|lte: 5", "{\"f\":5}");
    NO("f|lte: 5", "{\"f\":5.1}");
    YES("f|gt: 5", "{\"f\":\"6\"}");
    NO("f|gt: 5", "{\"f\":5}");
    YES("f|gte: 5", "{\"f\":5}");
    NO("f|gte: 5", "{\"f\":\"x\"}");
    YES("f|gt: '5'", "{\"f\":6}");
    sigma_refused("  s: {f|gt: x}\n  condition: s", WEDR_E_FORMAT, "number");
    sigma_refused("  s: {f|gt|lt: 5}\n  condition: s", WEDR_E_FORMAT, "number");
}

static void fields_compared(void **state)
{
    (void)state;
    YES("f|fieldref: g", "{\"f\":\"Ab\",\"g\":\"aB\"}");
    NO("f|fieldref: g", "{\"f\":\"ab\",\"g\":\"abc\"}");
    NO("f|fieldref: g", "{\"f\":\"ab\"}");
    YES("f|fieldref|startswith: g", "{\"f\":\"abc\",\"g\":\"ab\"}");
    NO("f|fieldref|startswith: g", "{\"f\":\"cab\",\"g\":\"ab\"}");
    YES("f|fieldref|endswith: g", "{\"f\":\"cab\",\"g\":\"ab\"}");
    NO("f|fieldref|endswith: g", "{\"f\":\"abc\",\"g\":\"ab\"}");
    YES("f|fieldref|contains: g", "{\"f\":\"cabd\",\"g\":\"ab\"}");
    YES("f|contains|fieldref: g", "{\"f\":\"cabd\",\"g\":\"ab\"}");
    YES("f|endswith|fieldref: g", "{\"f\":\"cab\",\"g\":\"ab\"}");
    NO("f|endswith|fieldref: g", "{\"f\":\"abc\",\"g\":\"ab\"}");
    NO("f|fieldref|cased: g", "{\"f\":\"A\",\"g\":\"a\"}");
    YES("f|fieldref: [g, h]", "{\"f\":1,\"g\":2,\"h\":1}");
    sigma_refused("  s: {f|fieldref: ''}\n  condition: s", WEDR_E_FORMAT, "fieldref");
}

static void parts_of_a_time(void **state)
{
    (void)state;
    const char *t = "{\"f\":\"2025-08-02T23:59:07Z\"}";
    YES("f|minute: 59", t);
    NO("f|minute: 58", t);
    YES("f|hour: 23", t);
    NO("f|hour: 11", t);
    YES("f|day: 2", t);
    YES("f|week: 31", t);
    YES("f|month: 8", t);
    YES("f|year: 2025", t);
    NO("f|year: 2024", t);
    YES("f|hour|gte: 22", t);
    NO("f|hour|lt: 23", t);
    YES("f|gte|hour: 22", t);
    YES("f|hour: [1, 23]", t);
    NO("f|hour: 23", "{\"f\":\"no time\"}");
    sigma_refused("  s: {f|hour: x}\n  condition: s", WEDR_E_FORMAT, "number");
}

static void placeholders(void **state)
{
    (void)state;
    static const char *const admins[] = {"root", "adm_*"};
    static const char *const none[] = {NULL};
    const struct wedr_sigma_list lists[] = {{"Admins", admins, 2}, {"Nobody", none, 0}};
    sigma_lists(lists, 2);
    YES("f|expand: '%Admins%'", "{\"f\":\"ROOT\"}");
    YES("f|expand: '%Admins%'", "{\"f\":\"adm_x\"}");
    NO("f|expand: '%Admins%'", "{\"f\":\"user\"}");
    YES("f|expand: 'x-%Admins%-%Admins%'", "{\"f\":\"x-root-adm_1\"}");
    YES("f|contains|expand: '%Admins%'", "{\"f\":\"is root here\"}");
    YES("f|expand|contains: '%Admins%'", "{\"f\":\"is root here\"}");
    YES("f|expand: '\\%Admins%Admins%'", "{\"f\":\"%Adminsroot\"}");
    YES("f|re|expand: '^%Admins%$'", "{\"f\":\"root\"}");
    NO("f|expand: '%Nobody%'", "{\"f\":\"\"}");
    YES("f: '%Admins%'", "{\"f\":\"%admins%\"}"); /* without expand it is itself */
    YES("f|expand: '100% of it'", "{\"f\":\"100% of it\"}");
    sigma_lists(NULL, 0);
    struct wedr_sigma_stats st;
    struct wedr_ruleset *rs = sigma_load("title: t\nlogsource: {product: p}\ndetection:\n"
                                         "  s:\n    f|expand: ['%A%', '%B_1%', '%A%']\n"
                                         "  condition: not s\n",
                                         &st);
    assert_non_null(rs);
    assert_int_equal(st.need_list, 1);
    assert_true(wedr_ruleset_rule(rs, 0)->flags & WEDR_RULE_NEEDS_LIST);
    struct wedr_text needs = wedr_ruleset_rule(rs, 0)->needs;
    assert_int_equal(needs.len, 5);
    assert_memory_equal(needs.p, "A B_1", 5);
    wedr_ruleset_free(rs);
    NO("f|expand: '%Unknown%'", "{\"f\":\"%Unknown%\"}");
}

static void what_no_modifier_takes(void **state)
{
    (void)state;
    sigma_refused("  s: {f|contain: a}\n  condition: s", WEDR_E_UNSUP, "modifier 'contain'");
    sigma_refused("  s: {f|contains: {a: b}}\n  condition: s", WEDR_E_FORMAT, "map");
    sigma_refused("  s: {f: [[a]]}\n  condition: s", WEDR_E_FORMAT, "list or a map");
    sigma_refused("  s: {f|contains: null}\n  condition: s", WEDR_E_FORMAT, "need a text");
    sigma_refused("  s: {f|wide: 5}\n  condition: s", WEDR_E_FORMAT, "needs a text");
    sigma_refused("  s: {f|cased: true}\n  condition: s", WEDR_E_FORMAT, "cased");
    sigma_refused("  s: {f||contains: a}\n  condition: s", WEDR_E_UNSUP, "modifier ''");
    sigma_refused("  s:\n    f:\n      - a\n      - b: c\n  condition: s", WEDR_E_FORMAT, "map");
    assert_int_equal(sigma_line, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_compared_whole_and_in_any_case),
        cmocka_unit_test(wildcards_stand_for_characters),
        cmocka_unit_test(backslash_escapes_wildcards_and_itself_only),
        cmocka_unit_test(numbers_booleans_null_and_empty),
        cmocka_unit_test(lists_are_or_and_all_makes_them_and),
        cmocka_unit_test(a_long_list_is_as_good_as_a_short_one),
        cmocka_unit_test(place_modifiers),
        cmocka_unit_test(regular_expressions_and_their_flags),
        cmocka_unit_test(networks),
        cmocka_unit_test(base64_and_its_offsets),
        cmocka_unit_test(wide_texts),
        cmocka_unit_test(windash_tries_every_dash_before_a_flag),
        cmocka_unit_test(exists_cased_and_neq),
        cmocka_unit_test(numbers_compared),
        cmocka_unit_test(fields_compared),
        cmocka_unit_test(parts_of_a_time),
        cmocka_unit_test(placeholders),
        cmocka_unit_test(what_no_modifier_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
