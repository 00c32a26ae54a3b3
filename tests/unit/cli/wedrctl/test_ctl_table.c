/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "form.h"
#include "sse.h"
#include "table.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct wedr_ctl_args none;

/* What a table of these rows looks like on a terminal of so many columns (0: none). */
static const char *draw(const struct wedr_ctl_column *columns,
                        size_t count,
                        const char *rows,
                        unsigned width,
                        bool color)
{
    static char text[4096];
    struct wedr_ctl c;
    struct wedr_ctl_table t;
    json_t *items = json_loads(rows, JSON_ALLOW_NUL, NULL);
    assert_non_null(items);
    wedr_ctl_init(&c, &none);
    c.columns = width;
    c.color = color;
    c.utf8 = false;
    wedr_ctl_table_init(&t, &c, columns, count);
    wedr_ctl_table_add(&t, items);
    assert_false(c.out.overflow);
    (void)snprintf(text, sizeof(text), "%s", (const char *)c.out.p);
    json_decref(items);
    wedr_ctl_fini(&c);
    return text;
}

static void cells_say_what_they_are(void **state)
{
    static const struct {
        const char *json;
        enum wedr_ctl_cell cell;
        const char *want;
    } cases[] = {
        {"\"2026-11-26T20:00:01.123456Z\"", WEDR_CTL_TIME, "2026-11-26 20:00:01Z"},
        {"\"2026-11-26T20:00:01.123456Z\"", WEDR_CTL_TIME_MS, "2026-11-26 20:00:01.123Z"},
        {"\"20\\u001b[31m\"", WEDR_CTL_TIME, "20\\x1b[31m"},
        {"\"a\\u0000b\\u202ec\\u009b\"", WEDR_CTL_TEXT, "a\\x00b\\u202ec\\x9b"},
        {"1536", WEDR_CTL_BYTES, "1.5 KiB"},
        {"1023", WEDR_CTL_BYTES, "1023 B"},
        {"9223372036854775807", WEDR_CTL_COUNT, "9223372036854775807"},
        {"null", WEDR_CTL_TEXT, ""},
        {"true", WEDR_CTL_TEXT, "yes"},
        {"[\"a\", 1, [\"\\u0007\"]]", WEDR_CTL_TEXT, "a, 1, \\x07"},
        {"{\"k\": \"\\u202e\\u00e9\"}", WEDR_CTL_TEXT, "{\"k\":\"\\u202E\\u00E9\"}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wedr_buf out;
        json_t *j = json_loads(cases[i].json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(j);
        wedr_buf_init(&out, 4096);
        wedr_buf_adds(&out, "");
        wedr_ctl_cell(&out, j, cases[i].cell);
        assert_string_equal((const char *)out.p, cases[i].want);
        wedr_buf_fini(&out);
        json_decref(j);
    }
}

static void columns_align_whatever_the_text(void **state)
{
    static const struct wedr_ctl_column columns[] = {{"NAME", "n", WEDR_CTL_TEXT},
                                                     {"N", "deep.count", WEDR_CTL_COUNT},
                                                     {"END", "e", WEDR_CTL_TEXT}};
    (void)state;
    assert_string_equal(draw(columns, 3,
                             "[{\"n\": \"a\", \"deep\": {\"count\": 100}, \"e\": \"x\"},"
                             " {\"n\": \"\\u001b]0;t\\u0007\", \"deep.count\": 7},"
                             " {\"n\": \"\\u65e5\\u672c\", \"e\": \"y\"}]",
                             0, false),
                        "NAME            N  END\n"
                        "a             100  x\n"
                        "\\x1b]0;t\\x07    7  \n"
                        "\xE6\x97\xA5\xE6\x9C\xAC               y\n");
}

static void a_narrow_terminal_cuts_long_columns_alone(void **state)
{
    static const struct wedr_ctl_column columns[] = {{"ID", "id", WEDR_CTL_TEXT},
                                                     {"PATH", "p", WEDR_CTL_LONG}};
    const char *rows = "[{\"id\": \"0123456789\", \"p\": \"/usr/lib/abcdefghijklmnopqrstuvwxyz\"}]";
    (void)state;
    assert_string_equal(draw(columns, 2, rows, 30, false), "ID          PATH\n"
                                                           "0123456789  /usr/lib/abcdefgh>\n");
    assert_non_null(strstr(draw(columns, 2, rows, 0, false), "xyz\n"));
    /* Never to nothing. */
    assert_non_null(strstr(draw(columns, 2, rows, 5, false), "  /usr/lib/ab>\n"));
}

static void colours_only_for_words_that_we_know(void **state)
{
    static const struct wedr_ctl_column columns[] = {{"S", "s", WEDR_CTL_WORD}};
    const char *rows = "[{\"s\": \"high\"}, {\"s\": \"\\u001b[5mx\"}]";
    (void)state;
    assert_string_equal(draw(columns, 1, rows, 0, true), "\x1b[1mS\x1b[0m\n"
                                                         "\x1b[31mhigh\x1b[0m\n"
                                                         "\\x1b[5mx\n");
    assert_null(strchr(draw(columns, 1, rows, 0, false), 0x1b));
}

static void rows_of_events_say_what_happened(void **state)
{
    static const struct {
        const char *event, *detail;
    } cases[] = {
        {"{\"raw\": {\"command_line\": \"id -u\"}}", "id -u"},
        {"{\"raw\": {\"dst_ip\": \"10.0.0.1\", \"dst_port\": 443}}", "10.0.0.1:443"},
        {"{\"raw\": {\"dst_ip\": \"::1\", \"dst_port\": 1}}", "[::1]:1"},
        {"{\"raw\": {\"target_path\": \"/etc/passwd\"}}", "/etc/passwd"},
        {"{\"raw\": {\"exit_code\": 3}}", "exit 3"},
        {"{\"raw\": []}", ""},
        {"{}", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_t *event = json_loads(cases[i].event, 0, NULL);
        json_t *row = wedr_ctl_event_row(event);
        assert_non_null(row);
        assert_string_equal(wedr_ctl_text(row, "detail"), cases[i].detail);
        json_decref(row);
        json_decref(event);
    }
}

static void paths_are_encoded(void **state)
{
    struct wedr_buf path;
    (void)state;
    wedr_buf_init(&path, 256);
    wedr_buf_adds(&path, "/users");
    wedr_ctl_path_add(&path, "../a b/\xC3\xA9?");
    wedr_ctl_path_param(&path, "q", "1&2=3");
    wedr_ctl_path_param(&path, "r", "");
    assert_string_equal((const char *)path.p, "/users/..%2Fa%20b%2F%C3%A9%3F?q=1%262%3D3&r=");
    wedr_buf_fini(&path);
}

static char seen[512];

static int on_event(void *arg, const char *event, const char *data, size_t len)
{
    (void)arg;
    size_t at = strlen(seen);
    (void)snprintf(seen + at, sizeof(seen) - at, "%s=%.*s;", event, (int)len, data);
    return strncmp(data, "stop", 4) == 0 ? 7 : 0;
}

static void server_sent_events_come_in_any_pieces(void **state)
{
    static const char stream[] =
        ": hello\n\ndata: {\"a\":1}\nid: 5\n\nevent: lost\r\ndata:two\r\ndata: "
        "lines\r\n\r\n\n\nevent: x\n\nunknown: y\ndata: last\n\n";
    (void)state;
    for (size_t piece = 1; piece <= sizeof(stream) - 1; piece++) {
        struct wedr_sse s;
        seen[0] = '\0';
        wedr_sse_init(&s, on_event, NULL);
        for (size_t at = 0; at < sizeof(stream) - 1; at += piece) {
            size_t n = sizeof(stream) - 1 - at < piece ? sizeof(stream) - 1 - at : piece;
            assert_int_equal(wedr_sse_feed(&s, stream + at, n), 0);
        }
        assert_string_equal(seen, "message={\"a\":1};lost=two\nlines;message=last;");
        assert_int_equal(wedr_sse_feed(&s, "data: stop\n\ndata: more\n\n", 24), 7);
        wedr_sse_fini(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_say_what_they_are),
        cmocka_unit_test(columns_align_whatever_the_text),
        cmocka_unit_test(a_narrow_terminal_cuts_long_columns_alone),
        cmocka_unit_test(colours_only_for_words_that_we_know),
        cmocka_unit_test(rows_of_events_say_what_happened),
        cmocka_unit_test(paths_are_encoded),
        cmocka_unit_test(server_sent_events_come_in_any_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
