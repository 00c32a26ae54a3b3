/* SPDX-License-Identifier: Apache-2.0 */
#include "common/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *text, size_t len, size_t columns_max, const char *want)
{
    struct wedr_buf b;
    char *copy = malloc(len + 1);
    memcpy(copy, text, len);
    wedr_buf_init(&b, 1000);
    wedr_show_text(&b, wedr_text(copy, len), columns_max);
    assert_int_equal(b.len, strlen(want));
    assert_memory_equal(b.len ? (const char *)b.p : "", want, b.len);
    wedr_buf_fini(&b);
    free(copy);
}

static void a_terminal_is_told_nothing_by_the_text_of_an_event(void **state)
{
    (void)state;
    expect("\x1b[2J\r\n\t\0\x7f", 9, 0, "\\x1b[2J\\x0d\\x0a\\x09\\x00\\x7f");
    expect("\xC2\x9B"
           "31m",
           5, 0, "\\x9b31m");
    expect("a\x9b\xFF\xC0\x80\xED\xA0\x80", 8, 0, "a\\x9b\\xff\\xc0\\x80\\xed\\xa0\\x80");
    expect("\xE2\x80\xAE"
           "exe.txt",
           10, 0, "\\u202eexe.txt");
}

static void other_text_stays_and_long_text_is_cut(void **state)
{
    (void)state;
    expect("", 0, 0, "");
    expect("C:\\a b \xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 16, 0,
           "C:\\a b \xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
    expect("\xF0\x9F\x98", 3, 0, "\\xf0\\x9f\\x98");
    expect("\xC3\xA4\xC3\xA4\xC3\xA4", 6, 3, "\xC3\xA4\xC3\xA4\xC3\xA4");
    expect("\xC3\xA4\xC3\xA4\xC3\xA4", 6, 2, "\xC3\xA4\xC3\xA4...");
}

static void expect_json(const char *text, size_t len, const char *want)
{
    struct wedr_buf b;
    char *copy = malloc(len + 1);
    memcpy(copy, text, len);
    wedr_buf_init(&b, 1000);
    wedr_show_json(&b, wedr_text(copy, len));
    assert_false(b.overflow);
    assert_string_equal((const char *)b.p, want);
    wedr_buf_fini(&b);
    free(copy);
}

static void json_has_no_control_characters_either(void **state)
{
    (void)state;
    expect_json("", 0, "\"\"");
    expect_json("a\"\\\n\x1b\x7f", 6, "\"a\\\"\\\\\\n\\u001b\\u007f\"");
    expect_json("\xC2\x9B\xC3\xA4\xC2\x80z", 7, "\"\\u009b\xC3\xA4\\u0080z\"");
    expect_json("a\x9b\xC2", 3, "\"a\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_terminal_is_told_nothing_by_the_text_of_an_event),
        cmocka_unit_test(json_has_no_control_characters_either),
        cmocka_unit_test(other_text_stays_and_long_text_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
