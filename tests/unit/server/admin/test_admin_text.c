/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/cursor.h"
#include "admin/data.h"
#include "admin/events_columns.h"
#include "admin/events_id.h"
#include "admin/export_csv.h"
#include "admin/out.h"
#include "core/util/buf.h"
#include "wedr/wire/batch.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define AGENT "a1234567-89ab-4cde-8f01-23456789abcd"

static const char *text_of(struct wedr_buf *b)
{
    static char text[65536];
    (void)snprintf(text, sizeof(text), "%.*s", (int)b->len, b->p ? (const char *)b->p : "");
    wedr_buf_fini(b);
    return text;
}

static void values_become_json(void **state)
{
    (void)state;
    struct wedr_buf b;
    struct wedr_out o;
    wedr_buf_init(&b, 4096);
    wedr_out_init(&o, &b);
    wedr_out_obj_begin(&o);
    wedr_out_put_text(&o, "a", "<b>\"\x1b[31m\"</b>");
    wedr_out_put_text(&o, "n", NULL);
    wedr_out_key(&o, "l");
    wedr_out_arr_begin(&o);
    wedr_out_safe_i64(&o, INT64_C(1) << 53);
    wedr_out_safe_i64(&o, INT64_MAX);
    wedr_out_safe_i64(&o, INT64_MIN);
    wedr_out_real(&o, 0.5);
    wedr_out_real(&o, (double)INFINITY);
    wedr_out_id(&o, UINT64_MAX);
    wedr_out_hex(&o, "\x00\xff", 2);
    wedr_out_bytes(&o, "a\xff\0", 3);
    wedr_out_arr_end(&o);
    wedr_out_put_time(&o, "t", 1);
    wedr_out_put_time(&o, "z", 0);
    wedr_out_obj_end(&o);
    wedr_out_fini(&o);
    assert_string_equal(
        text_of(&b),
        "{\"a\":\"<b>\\\"\\u001b[31m\\\"</b>\",\"n\":null,\"l\":[9007199254740992,"
        "\"9223372036854775807\",\"-9223372036854775808\",0.5,null,\"18446744073709551615\","
        "\"00ff\",\"a\xef\xbf\xbd\\u0000\"],\"t\":\"1970-01-01T00:00:00.000001Z\",\"z\":null}");
}

static const char *stored(const char *json)
{
    struct wedr_buf b;
    struct wedr_out o;
    wedr_buf_init(&b, 65536);
    wedr_out_init(&o, &b);
    wedr_out_arr_begin(&o);
    (void)wedr_out_stored(&o, json, strlen(json));
    wedr_out_arr_end(&o);
    wedr_out_fini(&o);
    return text_of(&b);
}

static void stored_json_is_checked_before_it_is_passed_on(void **state)
{
    (void)state;
    assert_string_equal(stored("{\"a\":18446744073709551615}"), "[{\"a\":18446744073709551615}]");
    assert_string_equal(stored("[1,\"x\"]"), "[[1,\"x\"]]");
    assert_string_equal(stored("\"x\""), "[\"x\"]");
    assert_string_equal(stored("{\"a\":1"), "[null]");
    assert_string_equal(stored("1,\"x\":2"), "[null]"); /* would add a member to the answer */
    assert_string_equal(stored("1},{\"x\":2"), "[null]");
    assert_string_equal(stored("\"\xff\""), "[null]");
    assert_string_equal(stored("{},{}"), "[null]");
    assert_string_equal(stored("{\"a\":1} {}"), "[null]");
    assert_string_equal(stored("{"), "[null]");
    assert_string_equal(stored(""), "[null]");
}

static const char *event(const char *line)
{
    struct wedr_buf b;
    struct wedr_out o;
    wedr_buf_init(&b, 65536);
    wedr_out_init(&o, &b);
    wedr_event_out(&o, "1", AGENT, NULL, 0, line, line ? strlen(line) : 0);
    wedr_out_fini(&o);
    return text_of(&b);
}

/* Evidence of an alert is what an agent said: it adds no member that looks like one of ours. */
static void an_event_out_of_an_alert_stays_one_object(void **state)
{
#define OURS "{\"_id\":\"1\",\"_endpoint_id\":\"" AGENT "\""
    static const char damaged[] = OURS ",\"_damaged\":true}";
    (void)state;
    assert_string_equal(event("{\"seq\":1}"), OURS ",\"seq\":1}");
    assert_string_equal(event("{\"a\":{\"_id\":2}} "), OURS ",\"a\":{\"_id\":2}}");
    assert_string_equal(event("{ }"), OURS "}");
    assert_string_equal(event("{}"), OURS "}");
    assert_string_equal(event(NULL), OURS "}");
    assert_string_equal(event("{\"_endpoint_id\":\"x\"}"), damaged);
    assert_string_equal(event("{\"a\":1,\"\\u005fid\":2}"), damaged);
    assert_string_equal(event("{\"a\":1}}"), damaged);
    assert_string_equal(event("[]"), damaged);
    assert_string_equal(event(""), damaged);
#undef OURS
}

/* What was taken in is given out: the longest line and the deepest one, too. */
static void a_stored_object_may_be_as_long_and_as_deep_as_a_line(void **state)
{
    (void)state;
    static char text[WEDR_LINE_MAX]; /* a line of that many bytes with its newline */
    static const char head[] = "{\"a\":\"", foot[] = "\"}";
    struct wedr_buf b;
    struct wedr_out o;
    wedr_buf_init(&b, 64);
    wedr_out_init(&o, &b);
    memset(text, 'x', sizeof(text));
    memcpy(text, head, sizeof(head) - 1);
    memcpy(text + sizeof(text) - sizeof(foot), foot, sizeof(foot) - 1);
    assert_true(wedr_out_valid(&o, text, sizeof(text) - 1));
    size_t n = 0;
    for (unsigned i = 1; i < WEDR_LINE_DEPTH_MAX; i++) {
        memcpy(text + n, "{\"a\":", 5);
        n += 5;
    }
    memcpy(text + n, "{}", 2);
    memset(text + n + 2, '}', WEDR_LINE_DEPTH_MAX - 1);
    assert_true(wedr_out_valid(&o, text, n + 2 + WEDR_LINE_DEPTH_MAX - 1));
    wedr_out_fini(&o);
    wedr_buf_fini(&b);
}

static void cursors_come_back_and_forged_ones_do_not(void **state)
{
    (void)state;
    char text[WEDR_CURSOR_TEXT_MAX], long_field[WEDR_CURSOR_BYTES_MAX + 1];
    struct wedr_cursor c;
    const char *fields[] = {"17", "", "h\xc3\xa4st +/?"};
    const char *bad[] = {"a\x1f"
                         "b"};
    assert_true(wedr_cursor_make("x", fields, 3, text));
    assert_int_equal(
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
        strlen(text));
    assert_true(wedr_cursor_read(text, "x", 3, &c));
    assert_string_equal(c.field[0], "17");
    assert_string_equal(c.field[1], "");
    assert_string_equal(c.field[2], fields[2]);
    assert_false(wedr_cursor_read(text, "y", 3, &c));
    assert_false(wedr_cursor_read(text, "x", 2, &c));
    assert_false(wedr_cursor_read(text, "x", 4, &c));
    text[strlen(text) - 1] = '\0';
    assert_false(wedr_cursor_read(text, "x", 3, &c));
    assert_false(wedr_cursor_read("", "x", 3, &c));
    assert_false(wedr_cursor_read("%", "x", 3, &c));
    assert_false(wedr_cursor_make("x", bad, 1, text));
    memset(long_field, 'a', sizeof(long_field) - 1);
    long_field[sizeof(long_field) - 1] = '\0';
    bad[0] = long_field;
    assert_false(wedr_cursor_make("x", bad, 1, text));
    memset(text, 'A', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_false(wedr_cursor_read(text, "x", 3, &c));
}

static void an_event_id_has_one_spelling(void **state)
{
    (void)state;
    struct wedr_event_id id;
    char text[WEDR_EVENT_ID_MAX];
    static const char good[] = AGENT ":00000000000000ff:kernel.critical:9223372036854775807";
    static const char *const bad[] = {
        "",
        ":::",
        AGENT,
        AGENT ":00000000000000ff:kernel.critical",
        AGENT ":00000000000000ff:kernel.critical:",
        AGENT ":00000000000000ff:kernel.critical:0",
        AGENT ":00000000000000ff:kernel.critical:01",
        AGENT ":00000000000000ff:kernel.critical:-1",
        AGENT ":00000000000000ff:kernel.critical:9223372036854775808",
        AGENT ":00000000000000FF:kernel.critical:1",
        AGENT ":0ff:kernel.critical:1",
        AGENT ":00000000000000ff::1",
        AGENT ":00000000000000ff:kernel.critical:1:",
        "A1234567-89ab-4cde-8f01-23456789abcd:00000000000000ff:kernel.critical:1"};
    assert_true(wedr_event_id_parse(good, &id));
    assert_int_equal(id.seq, INT64_MAX);
    wedr_event_id_text(&id, text);
    assert_string_equal(text, good);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        assert_false(wedr_event_id_parse(bad[i], &id));
    }
}

static const char *cell(const char *s)
{
    struct wedr_buf b;
    wedr_buf_init(&b, 4096);
    wedr_csv_cell(&b, s, strlen(s), true, false);
    return text_of(&b);
}

static void formulas_are_cells_of_text(void **state)
{
    (void)state;
    struct wedr_buf b;
    assert_string_equal(cell("plain"), "\"plain\"");
    assert_string_equal(cell("=1+1"), "\"'=1+1\"");
    assert_string_equal(cell("+1"), "\"'+1\"");
    assert_string_equal(cell("-1"), "\"'-1\"");
    assert_string_equal(cell("@SUM(A1)"), "\"'@SUM(A1)\"");
    assert_string_equal(cell("\tx"), "\"'\tx\"");
    assert_string_equal(cell("\rx"), "\"'\rx\"");
    assert_string_equal(cell("\xef\xbc\x9d"
                             "1"),
                        "\"'\xef\xbc\x9d"
                        "1\"");
    assert_string_equal(cell("a=\"b\"\r\nc,d"), "\"a=\"\"b\"\"\r\nc,d\"");
    assert_string_equal(cell("a\xff"), "\"a\xef\xbf\xbd\"");
    assert_string_equal(cell(""), "");
    wedr_buf_init(&b, 4096);
    wedr_csv_cell(&b, "-5", 2, true, true);
    wedr_csv_cell(&b, "", 0, false, false);
    wedr_csv_cell(&b, "x", 1, false, false);
    wedr_csv_end_row(&b);
    assert_string_equal(text_of(&b), "-5,,\"x\"\r\n");
}

static void columns_know_their_types(void **state)
{
    (void)state;
    struct wedr_buf b;
    struct wedr_out o;
    wedr_buf_init(&b, 65536);
    wedr_out_init(&o, &b);
    wedr_events_columns_write(&o);
    wedr_out_fini(&o);
    const char *text = text_of(&b);
    assert_non_null(
        strstr(text, "{\"name\":\"dns_name\",\"type\":\"text\",\"types\":[\"dns_query\""));
    assert_non_null(strstr(text, "\"ecs\":\"process.entity_id\""));
    assert_null(strstr(text, "\"help\":\"\""));
    assert_string_equal(wedr_events_column("hash", 4)->name, "sha256");
    assert_null(wedr_events_column("pidx", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_become_json),
        cmocka_unit_test(stored_json_is_checked_before_it_is_passed_on),
        cmocka_unit_test(an_event_out_of_an_alert_stays_one_object),
        cmocka_unit_test(a_stored_object_may_be_as_long_and_as_deep_as_a_line),
        cmocka_unit_test(cursors_come_back_and_forged_ones_do_not),
        cmocka_unit_test(an_event_id_has_one_spelling),
        cmocka_unit_test(formulas_are_cells_of_text),
        cmocka_unit_test(columns_know_their_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
