/* SPDX-License-Identifier: Apache-2.0
 *
 * The fast reader of lines may take only what the general parser and check take, and must find the
 * same in it: lines of agents, broken in every place in many ways, are given to both. */
#include "batch_builder.h"
#include "core/base/err.h"
#include "ingest/line_reader.h"
#include "line_same.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#define ROOM 8192u

struct both {
    struct wedr_line_reader *reader;
    struct wedr_line_parser *parser;
    char text[ROOM + WEDR_LINE_PADDING];
    size_t read, taken, plain; /* lines; of them accepted; of them by the fast reader */
};

static const char line_text[] =
    "{\"ts\":\"2026-11-24T00:00:00.000001Z\",\"module\":\"kernel_callback\",\"event_type\":"
    "\"process_fork\",\"process\":{\"pid\":2,\"name\":\"a\\\\b\\n\\u001f\xc3\xa9 and so on\"},"
    "\"raw\":{\"comm\":\"sh\",\"comm_cut\":true,\"creating_pid\":1,\"parent_key\":"
    "\"0000000000000001\",\"parent_pid\":4294967295,\"pid\":20,\"process_key\":"
    "\"00000000000000ff\",\"uid\":0},\"source\":\"kernel\",\"kind\":\"ProcessFork\","
    "\"event_version\":7,\"seq\":10}";

static int start(void **state)
{
    static struct both b;
    memset(&b, 0, sizeof(b));
    b.reader = wedr_line_reader_new(64);
    b.parser = wedr_line_parser_new(64);
    *state = &b;
    return b.reader != NULL && b.parser != NULL ? 0 : -1;
}

static int stop(void **state)
{
    struct both *b = *state;
    wedr_line_reader_free(b->reader);
    wedr_line_parser_free(b->parser);
    return 0;
}

/* The line of len bytes in b->text. */
static void judge(struct both *b, size_t len, const char *stream)
{
    struct wedr_line x = {NULL, 0}, y = {NULL, 0};
    struct wedr_line_info p, q, r;
    memset(&q, 0, sizeof(q));
    b->text[len] = '\n';
    int rc = wedr_line_parse(b->parser, b->text, len, &y);
    rc = rc == WEDR_OK ? wedr_line_check(&y, stream, &q) : rc;
    bool plain = wedr_line_reader_plain(b->reader, b->text, len, stream, &x, &p);
    const char *differs = plain && rc == WEDR_OK ? line_differs(&x, &p, &y, &q) : NULL;
    b->read++;
    b->taken += rc == WEDR_OK;
    b->plain += plain;
    if (plain && (rc != WEDR_OK || differs != NULL)) {
        fail_msg("%d, %s: %.*s", rc, differs != NULL ? differs : "refused", (int)len, b->text);
    }
    char scratch[ROOM + WEDR_LINE_PADDING];
    if (plain && wedr_text_canonical(b->text, len + 1, scratch) != 1) {
        fail_msg("not canonical: %.*s", (int)len, b->text);
    }
    if (wedr_line_reader_next(b->reader, b->text, len, stream, &x, &r) != rc ||
        r.has_seq != q.has_seq || r.seq != q.seq ||
        (rc == WEDR_OK && line_differs(&x, &r, &y, &q) != NULL)) {
        fail_msg("in whole: %.*s", (int)len, b->text);
    }
}

/* line_text with `cut` bytes at `at` replaced. */
static void judge_changed(struct both *b, size_t at, size_t cut, const char *in, size_t in_len)
{
    size_t len = sizeof(line_text) - 1u;
    memcpy(b->text, line_text, at);
    memcpy(b->text + at, in, in_len);
    memcpy(b->text + at + in_len, line_text + at + cut, len - at - cut);
    judge(b, len - cut + in_len, "kernel.critical");
}

static void a_line_of_an_agent_is_read_fast(void **state)
{
    struct both *b = *state;
    judge_changed(b, 0, 0, "", 0);
    judge_changed(b, 0, 0, "", 0);
    assert_int_equal(b->plain, 2);
}

static void every_byte_may_be_any_byte(void **state)
{
    struct both *b = *state;
    for (size_t at = 0; at < sizeof(line_text) - 1u; at++) {
        for (int c = 0; c < 256; c++) {
            char byte = (char)c;
            if (c != '\n') {
                judge_changed(b, at, 1, &byte, 1);
                judge_changed(b, at, 0, &byte, 1);
            }
        }
        judge_changed(b, at, 1, "", 0);
    }
    assert_true(b->plain > b->read / 50);
    assert_true(b->taken > b->plain);
}

static void every_place_may_have_any_token(void **state)
{
    static const char *const tokens[] = {
        "\\u0000",
        "\\u0001",
        "\\u0008",
        "\\u001F",
        "\\u0041",
        "\\ud83d\\ude00",
        "\\ud800",
        "\\/",
        "\\\"",
        "\\\\",
        "\\x",
        "\xc3\xa9",
        "\xff",
        "\xc0\xaf",
        "\xed\xa0\x80",
        "\xf0\x9f\x98\x80",
        "\xe2\x82",
        "00",
        "-",
        "-1",
        "1.5",
        "1e3",
        "4294967296",
        "18446744073709551615",
        "9223372036854775808",
        "99999999999999999999999",
        "null",
        "true",
        "[]",
        "{}",
        "[1]",
        "\"\"",
        "\"x\"",
        ",",
        ":",
        "{",
        "}",
        "\"pid\":5,",
        "\"uid\":0,",
        "\"comm\":\"x\",",
        "\"seq\":7,",
        "\"ts_ft_100ns\":5,",
        "\"drop_count\":3,",
        "\"process\":{\"pid\":1},",
        "\"raw\":{},",
        "\"nobody_knows\":1,",
        "\"comm_hex\":\"00ff\",",
        "\"comm_hex\":\"00f\",",
        "\"plugin_id\":\"x\",",
        "\"a_key_that_is_a_good_deal_longer_than_any_key_that_the_schema_has_for_any_type\":1,"};
    struct both *b = *state;
    for (size_t at = 0; at <= sizeof(line_text) - 1u; at++) {
        for (size_t i = 0; i < WEDR_ARRAY_COUNT(tokens); i++) {
            for (size_t cut = 0; cut < 18 && at + cut < sizeof(line_text); cut++) {
                judge_changed(b, at, cut, tokens[i], strlen(tokens[i]));
            }
        }
    }
    assert_true(b->plain > 1000);
}

static void a_list_is_read_up_to_its_end(void **state)
{
#define MODULE_LOAD(list)                                                                    \
    "{\"ts\":\"2026-11-24T00:00:00.000001Z\",\"module\":\"kernel_callback\",\"event_type\":" \
    "\"module_load\",\"raw\":{\"image_base\":1,\"image_size\":2,\"map_flags\":" list         \
    ",\"pid\":2},"                                                                           \
    "\"source\":\"kernel\",\"kind\":\"ImageLoad\",\"event_version\":7,\"seq\":10}"
    static const struct {
        const char *text;
        bool plain;
    } cases[] = {{MODULE_LOAD("[]"), true},
                 {MODULE_LOAD("[\"a\"]"), true},
                 {MODULE_LOAD("[\"a\",\"\"]"), true},
                 {MODULE_LOAD("[\"a\",\"b\\\\\"]"), true},
                 {MODULE_LOAD("[\"a\",]"), false},
                 {MODULE_LOAD("[,\"a\"]"), false},
                 {MODULE_LOAD("[\"a\"\"b\"]"), false},
                 {MODULE_LOAD("[\"a\" ]"), false},
                 {MODULE_LOAD("[1]"), false},
                 {MODULE_LOAD("[[\"a\"]]"), false},
                 {MODULE_LOAD("[\"a\""), false},
                 {MODULE_LOAD("\"a\""), false}};
    struct both *b = *state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(cases); i++) {
        size_t before = b->plain;
        memcpy(b->text, cases[i].text, strlen(cases[i].text));
        judge(b, strlen(cases[i].text), "kernel.bulk");
        assert_int_equal(b->plain - before, cases[i].plain);
    }
}

static void numbers_are_those_of_64_bits(void **state)
{
    static const char *const numbers[] = {"0",
                                          "-0",
                                          "00",
                                          "9",
                                          "9999999999999999999",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "10000000000000000000",
                                          "18446744073709551615",
                                          "18446744073709551616",
                                          "19999999999999999999",
                                          "20000000000000000000",
                                          "99999999999999999999",
                                          "100000000000000000000",
                                          "184467440737095516150",
                                          "-1",
                                          "1.0",
                                          "1e1",
                                          "1E1",
                                          "",
                                          "-",
                                          "+1"};
    struct both *b = *state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(numbers); i++) {
        int n =
            snprintf(b->text, ROOM, "%s%s%s",
                     "{\"ts\":\"2026-11-24T00:00:00.000001Z\",\"module\":\"kernel_callback\","
                     "\"event_type\":\"module_load\",\"raw\":{\"image_base\":",
                     numbers[i],
                     ",\"image_size\":2,\"pid\":2},\"source\":\"kernel\",\"kind\":\"ImageLoad\","
                     "\"event_version\":7,\"seq\":10}");
        judge(b, (size_t)n, "kernel.bulk");
    }
    assert_int_equal(b->plain, b->taken - 1); /* -0 is the parser's */
}

static void a_list_of_more_than_there_is_room_for_is_read_by_the_parser(void **state)
{
    struct both *b = *state;
    size_t n = (size_t)snprintf(b->text, ROOM, "%s", MODULE_LOAD("[\"\""));
    char *tail = strstr(b->text, ",\"pid\"");
    char rest[256];
    size_t rest_len = n - (size_t)(tail - b->text);
    memcpy(rest, tail, rest_len);
    for (size_t i = 0; i < 1100; i++) {
        memcpy(tail + 3 * i, ",\"\"", 3);
    }
    memcpy(tail + 3300, "]", 1);
    memcpy(tail + 3301, rest, rest_len);
    judge(b, n + 3301, "kernel.bulk");
    assert_int_equal(b->taken, 1);
    assert_int_equal(b->plain, 0);
}

static void a_reader_is_kept_unless_it_saw_a_long_line(void **state)
{
    (void)state;
    struct wedr_line_reader *a = wedr_line_reader_borrow(100), *b = wedr_line_reader_borrow(100);
    assert_true(a != NULL && b != NULL && a != b);
    wedr_line_reader_return(a);
    struct wedr_line_reader *again = wedr_line_reader_borrow(5000);
    assert_ptr_equal(again, a);
    wedr_line_reader_return(again);
    struct wedr_line_reader *large = wedr_line_reader_borrow(1u << 20);
    assert_ptr_equal(large, a);
    wedr_line_reader_return(large);
    wedr_line_reader_return(NULL);
    struct wedr_line_reader *some[10];
    for (size_t i = 0; i < 10; i++) {
        some[i] = i == 0 ? b : wedr_line_reader_borrow(100);
        assert_non_null(some[i]);
    }
    for (size_t i = 0; i < 10; i++) { /* two more than are kept */
        wedr_line_reader_return(some[i]);
    }
}

static void each_stream_takes_its_own(void **state)
{
    static const char *const streams[] = {
        "kernel.critical",
        "alert",
        "agent",
        "plugin.x",
        "kernel.bulk",
        "a.name.that.is.longer.than.a.stream.may.be.and.is.forgotten.at.once.and.for.ever"};
    struct both *b = *state;
    for (size_t i = 0; i < 60; i++) {
        memcpy(b->text, line_text, sizeof(line_text));
        judge(b, sizeof(line_text) - 1u, streams[i * i % WEDR_ARRAY_COUNT(streams)]);
    }
    assert_true(b->plain > 10 && b->plain < 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_of_an_agent_is_read_fast, start, stop),
        cmocka_unit_test_setup_teardown(every_byte_may_be_any_byte, start, stop),
        cmocka_unit_test_setup_teardown(every_place_may_have_any_token, start, stop),
        cmocka_unit_test_setup_teardown(a_list_is_read_up_to_its_end, start, stop),
        cmocka_unit_test_setup_teardown(numbers_are_those_of_64_bits, start, stop),
        cmocka_unit_test_setup_teardown(a_list_of_more_than_there_is_room_for_is_read_by_the_parser,
                                        start, stop),
        cmocka_unit_test(a_reader_is_kept_unless_it_saw_a_long_line),
        cmocka_unit_test_setup_teardown(each_stream_takes_its_own, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
