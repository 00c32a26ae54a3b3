/* SPDX-License-Identifier: Apache-2.0
 * The quick reader of YAML says what libyaml says, or steps aside. */
#include "core/base/err.h"
#include "sigma/yaml.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct wedr_yaml_limits limits = {32, 10000};

static bool same_text(struct wedr_text a, struct wedr_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static bool same(const struct wedr_yaml *a, const struct wedr_yaml *b)
{
    for (; a && b; a = a->next, b = b->next) {
        if (a->kind != b->kind || a->plain != b->plain || a->count != b->count ||
            a->line != b->line || !same_text(a->text, b->text) || !same_text(a->key, b->key) ||
            !same(a->first, b->first)) {
            return false;
        }
    }
    return !a && !b;
}

/* quick: 1 must take it, 0 must not, 2 as it likes. */
static void both(const char *yaml, int quick)
{
    struct wedr_arena *a = wedr_arena_new(1 << 20);
    struct wedr_arena *b = wedr_arena_new(1 << 20);
    struct wedr_yaml *x = NULL;
    struct wedr_yaml *y = NULL;
    uint32_t line = 0;
    struct wedr_errinfo ei = {{0}};
    int q = wedr_yaml_read_quick(a, &limits, yaml, strlen(yaml), &x);
    int f = wedr_yaml_read_full(b, &limits, yaml, strlen(yaml), &y, &line, &ei);
    if (quick < 2 && (q == WEDR_OK) != (quick == 1)) {
        fail_msg("quick %d: %s", q, yaml);
    }
    if (q == WEDR_OK && f < 0) {
        fail_msg("quick takes what is an error (%s): %s", ei.text, yaml);
    }
    if (q == WEDR_OK && !same(x, y)) {
        fail_msg("not the same: %s", yaml);
    }
    wedr_arena_free(a);
    wedr_arena_free(b);
}

static void plain_documents_are_read_quickly(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a: b\n",
        "a: b",
        "a:\n  b: c\n  d:\n    - e\n    - f: g\n      h: i\nj: k\n",
        "a:\n- b\n- c\nd: e\n",
        "a: 'it''s'\nb: \"x\\\\y\\\"z\\n\"\n",
        "'a b': c\n\"d\": e\n",
        "a: |\n    one\n      two\n\n    three\nb: c\n",
        "a: |-\n  x\n\n\nb: c\n",
        "a: |\n  x",
        "# c\na: b # d\n\n# e\nc: 'd' # e\n",
        "---\na: b\n---\nc: d\n",
        "a:\nb: ~\nc: null\n",
        "- - a\n  - b\n- c\n",
        "-\n  a: b\n- c\n",
        "a: b#c\n",
        "a: x y  z \n",
        "a: -b\nc: ?d\ne: :f\n",
        "a: http://x:8/y\n",
        "a:   # nothing\n  b: c\n",
        "a: # c\n- b\n",
        "a|b|c: d\n",
        "",
        "# only\n",
        "\n\n",
        "a: \xC3\xA9\xE2\x80\x93\xF0\x9F\x98\x80\n",
        "a: '# no comment'\n",
        "- a: |\n    x\n  b: c\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        both(texts[i], 1);
    }
}

static void what_is_less_plain_goes_to_libyaml(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a: [b, c]\n",
        "a: {b: c}\n",
        "a: &x b\nc: *x\n",
        "a: !t b\n",
        "a: >\n  b\n  c\n",
        "a: b\n  c\n",
        "a: 'b\n  c'\n",
        "a: \"\\x41\"\n",
        "a: |2\n    b\n",
        "a: |+\n  b\n\n",
        "a: b: c\n",
        "a: b\n c: d\n",
        "? a\n: b\n",
        "a\n",
        "a:\tb\n",
        "\ta: b\n",
        "a: b\r\nc: d\r\n",
        "a: b\n...\n",
        "%YAML 1.1\n---\na: b\n",
        "a: 1\na: 2\n",
        "a: `b\n",
        "a: @b\n",
        "a: %b\n",
        "a: 'b' c\n",
        "a: \xFF\n",
        "a: \xC2\x85\n",
        "a: \x01\n",
        "<<: b\n",
        "a: 'b\n",
        "- a\nb: c\n",
        "a:\n  - b\n c: d\n",
        "--- a: b\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        both(texts[i], 0);
    }
}

static void random_pieces_never_differ(void **state)
{
    (void)state;
    static const char *const pieces[] = {"a",        "b: ", ":",     "- ", "-", "\n", "\n  ",
                                         "\n    ",   " ",   "'",     "\"", "|", "|-", "#",
                                         " # x",     "x y", "---\n", "\\", "1", "~",  "\n- ",
                                         "key: v\n", "''",  "\t",    ">"};
    uint64_t seed = 88172645463325252u;
    for (int round = 0; round < 60000; round++) {
        char text[256] = "";
        for (int n = 0; n < 14; n++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            strcat(text, pieces[seed % (sizeof(pieces) / sizeof(pieces[0]))]);
        }
        both(text, 2);
    }
}

static struct wedr_yaml scalar(const char *s)
{
    struct wedr_yaml y = {.kind = WEDR_YAML_SCALAR, .plain = true, .text = wedr_text(s, strlen(s))};
    return y;
}

static void plain_scalars_have_types(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum wedr_yaml_type type;
        double value;
    } rows[] = {
        {"", WEDR_YAML_NULL, 0},           {"~", WEDR_YAML_NULL, 0},
        {"Null", WEDR_YAML_NULL, 0},       {"nULL", WEDR_YAML_TEXT, 0},
        {"true", WEDR_YAML_BOOL, 1},       {"FALSE", WEDR_YAML_BOOL, 0},
        {"yes", WEDR_YAML_TEXT, 0},        {"12", WEDR_YAML_NUMBER, 12},
        {"-3", WEDR_YAML_NUMBER, -3},      {"+4", WEDR_YAML_NUMBER, 4},
        {"0x1F", WEDR_YAML_NUMBER, 31},    {"0o17", WEDR_YAML_NUMBER, 15},
        {"007", WEDR_YAML_NUMBER, 7},      {"1.5", WEDR_YAML_NUMBER, 1.5},
        {".5", WEDR_YAML_NUMBER, 0.5},     {"1.", WEDR_YAML_NUMBER, 1},
        {"1e3", WEDR_YAML_NUMBER, 1e3},    {".", WEDR_YAML_TEXT, 0},
        {"1.2.3", WEDR_YAML_TEXT, 0},      {"12a", WEDR_YAML_TEXT, 0},
        {"-", WEDR_YAML_TEXT, 0},          {"0o8", WEDR_YAML_TEXT, 0},
        {"2024-01-02", WEDR_YAML_TEXT, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wedr_yaml y = scalar(rows[i].text);
        bool b = false;
        struct wedr_number n = {0};
        enum wedr_yaml_type t = wedr_yaml_type(&y, &b, &n);
        if (t != rows[i].type) {
            fail_msg("'%s' is %d", rows[i].text, (int)t);
        }
        if (t == WEDR_YAML_BOOL) {
            assert_int_equal(b, rows[i].value != 0);
        }
        if (t == WEDR_YAML_NUMBER && wedr_number_compare(n, wedr_number_f64(rows[i].value)) != 0) {
            fail_msg("'%s' has another value", rows[i].text);
        }
        y.plain = false;
        assert_int_equal(wedr_yaml_type(&y, &b, &n), WEDR_YAML_TEXT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_documents_are_read_quickly),
        cmocka_unit_test(what_is_less_plain_goes_to_libyaml),
        cmocka_unit_test(random_pieces_never_differ),
        cmocka_unit_test(plain_scalars_have_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
