/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/events_filter.h"
#include "core/base/err.h"
#include <stdio.h>
#include <string.h>

/* The conditions and, behind a bar, their values. */
static const char *filter(const char *name, const char *value)
{
    static char text[8192];
    struct wedr_errinfo ei = {""};
    struct wedr_filter *f = wedr_filter_new();
    assert_non_null(f);
    int err = wedr_filter_add(f, name, value, &ei);
    if (err != WEDR_OK) {
        (void)snprintf(text, sizeof(text), "%d %s", err, ei.text);
        wedr_filter_free(f);
        return text;
    }
    int n = snprintf(text, sizeof(text), "%s", f->text);
    for (size_t i = 0; i < f->count; i++) {
        const struct wedr_query_value *v = &f->value[i];
        n += v->type == WEDR_QUERY_INT
                 ? snprintf(text + n, sizeof(text) - (size_t)n, "|%lld", (long long)v->i)
                 : snprintf(text + n, sizeof(text) - (size_t)n, "|%.*s", (int)v->s.len,
                            (const char *)v->s.p);
    }
    wedr_filter_free(f);
    return text;
}

static void values_are_bound_and_never_text_of_the_statement(void **state)
{
    (void)state;
    static const char evil[] = "x' OR 1=1; DROP TABLE events --";
    char expected[256];
    (void)snprintf(expected, sizeof(expected), " AND process_path=?1|%s", evil);
    assert_string_equal(filter("image_path", evil), expected);
    assert_string_equal(filter("user.not", "root"), " AND user IS NOT ?1|root");
    assert_string_equal(filter("hash", ""), " AND sha256=?1|");
    assert_string_equal(filter("endpoint", "a"), " AND agent_id=?1|a");
}

static void numbers_are_numbers(void **state)
{
    (void)state;
    assert_string_equal(filter("pid", "7"), " AND pid IN (?1)|7");
    assert_string_equal(filter("pid", "7,-8"), " AND pid IN (?1,?2)|7|-8");
    assert_string_equal(filter("remote_port.min", "1024"), " AND remote_port>=?1|1024");
    assert_string_equal(filter("uid.max", "0"), " AND uid<=?1|0");
    assert_string_equal(filter("pid.not", "7"), " AND pid IS NOT ?1|7");
    assert_string_equal(filter("seq", "-9223372036854775808"),
                        " AND seq IN (?1)|-9223372036854775808");
    static const char *const bad[] = {"",   "x", "7,", ",7", "7 ", "+7", "9223372036854775808",
                                      "0x1"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        assert_non_null(strstr(filter("pid", bad[i]), "must be a whole number"));
    }
    assert_non_null(strstr(filter("pid.min", "1,2"), "must be a whole number"));
}

static void patterns_escape_what_means_something_to_like(void **state)
{
    (void)state;
    assert_string_equal(filter("process_path.like", "C:\\a_b\\*100%"),
                        " AND process_path LIKE ?1 ESCAPE '\\'|C:\\\\a\\_b\\\\%100\\%");
    assert_string_equal(filter("user.like", "r*t"), " AND user LIKE ?1|r%t");
}

static void a_part_of_the_line_is_a_literal(void **state)
{
    (void)state;
    assert_string_equal(filter("q", "a*b_%"), " AND contains(raw,?1)|a*b_%");
    /* A path as a person writes it, and as JSON does. */
    assert_string_equal(filter("q", "C:\\x"),
                        " AND (contains(raw,?1) OR contains(raw,?2))|C:\\x|C:\\\\x");
}

static void types_and_times_must_be_known(void **state)
{
    (void)state;
    assert_string_equal(filter("type", "process_create,plugin_event"),
                        " AND event_type IN (?1,?2)|process_create|plugin_event");
    assert_non_null(strstr(filter("type", "process_creat"), "there is no event type"));
    assert_non_null(strstr(filter("type", ""), "there is no event type"));
    assert_string_equal(filter("from", "1970-01-01T00:00:01.000000Z"), " AND ts>=?1|1000000");
    assert_string_equal(filter("to", "1970-01-01T00:00:01.000000Z"), " AND ts<?1|1000000");
    assert_non_null(strstr(filter("to", "yesterday"), "must be a time"));
}

static void unknown_names_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         "x",        "pid.like", "user.min", "pid.x",
                                      "pid.not.", "pid.eq=1", "rowid",    "1=1",      "q.like"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        assert_false(wedr_filter_knows(bad[i]));
        assert_non_null(strstr(filter(bad[i], "1"), "there is no parameter"));
    }
    assert_true(wedr_filter_knows("q") && wedr_filter_knows("from"));
    assert_true(wedr_filter_knows("command_line.like") && wedr_filter_knows("hash"));
}

static void a_filter_has_bounds_and_goes_back(void **state)
{
    (void)state;
    struct wedr_errinfo ei = {""};
    struct wedr_filter *f = wedr_filter_new();
    assert_int_equal(wedr_filter_add(f, "type", "process_create", &ei), WEDR_OK);
    assert_true(f->only_counted);
    struct wedr_filter_mark m = wedr_filter_mark(f);
    assert_int_equal(wedr_filter_number(f, " AND ts=", 5), WEDR_OK);
    wedr_filter_reset(f, m);
    assert_string_equal(f->text, " AND event_type IN (?1)");
    assert_int_equal(wedr_filter_add(f, "pid", "5", &ei), WEDR_OK);
    assert_false(f->only_counted);
    int err = WEDR_OK;
    for (int i = 0; i < 1000 && err == WEDR_OK; i++) {
        err = wedr_filter_add(f, "user", "x", &ei);
    }
    assert_int_equal(err, WEDR_E_LIMIT);
    wedr_filter_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_bound_and_never_text_of_the_statement),
        cmocka_unit_test(numbers_are_numbers),
        cmocka_unit_test(patterns_escape_what_means_something_to_like),
        cmocka_unit_test(a_part_of_the_line_is_a_literal),
        cmocka_unit_test(types_and_times_must_be_known),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(a_filter_has_bounds_and_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
