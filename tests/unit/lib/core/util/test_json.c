/* SPDX-License-Identifier: Apache-2.0 */
#include "core/util/alloc.h"
#include "core/util/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char mem[4096];

static struct wedr_json begin(void)
{
    struct wedr_json j;
    memset(mem, 0x77, sizeof(mem));
    wedr_json_init(&j, mem, sizeof(mem));
    return j;
}

static void assert_written(const struct wedr_json *j, const char *want)
{
    assert_false(j->overflow);
    assert_int_equal(wedr_json_len(j), strlen(want));
    assert_memory_equal(mem, want, strlen(want));
}

static void document_is_byte_exact(void **state)
{
    (void)state;
    struct wedr_json j = begin();
    wedr_json_obj_begin(&j);
    wedr_json_key(&j, "ts");
    wedr_json_time_us(&j, 1795466057123456);
    wedr_json_key(&j, "seq");
    wedr_json_u64(&j, 18446744073709551615u);
    wedr_json_key(&j, "process");
    wedr_json_obj_begin(&j);
    wedr_json_obj_end(&j);
    wedr_json_key(&j, "argv");
    wedr_json_arr_begin(&j);
    assert_true(wedr_json_str(&j, "a", 1));
    wedr_json_arr_begin(&j);
    wedr_json_arr_end(&j);
    wedr_json_i64(&j, -1);
    wedr_json_null(&j);
    wedr_json_arr_end(&j);
    wedr_json_key(&j, "ok");
    wedr_json_bool(&j, true);
    wedr_json_key(&j, "no");
    wedr_json_bool(&j, false);
    wedr_json_key(&j, "epoch");
    wedr_json_hex64(&j, 0x00ABCDEF01234567);
    wedr_json_key(&j, "hex");
    wedr_json_hex(&j, "\x00\xFF\x1a", 3);
    wedr_json_key(&j, "raw");
    wedr_json_raw(&j, "[1,2]", 5);
    wedr_json_obj_end(&j);
    assert_written(
        &j, "{\"ts\":\"2026-11-23T20:34:17.123456Z\",\"seq\":18446744073709551615,\"process\":{},"
            "\"argv\":[\"a\",[],-1,null],\"ok\":true,\"no\":false,\"epoch\":\"00abcdef01234567\","
            "\"hex\":\"00ff1a\",\"raw\":[1,2]}");
}

static void integers_are_exact_at_every_length(void **state)
{
    (void)state;
    uint64_t v = 1;
    for (int digits = 1; digits <= 20; digits++, v *= 10) {
        const uint64_t near[] = {v - 1, v, v + 1};
        for (size_t i = 0; i < 3; i++) {
            char want[32];
            struct wedr_json j = begin();
            wedr_json_u64(&j, near[i]);
            (void)snprintf(want, sizeof(want), "%llu", (unsigned long long)near[i]);
            assert_written(&j, want);
            j = begin();
            wedr_json_i64(&j, -(int64_t)(near[i] & INT64_MAX));
            (void)snprintf(want, sizeof(want), "%lld", (long long)-(int64_t)(near[i] & INT64_MAX));
            assert_written(&j, want);
        }
    }
    struct wedr_json j = begin();
    wedr_json_i64(&j, INT64_MIN);
    assert_written(&j, "-9223372036854775808");
    j = begin();
    wedr_json_u64(&j, UINT64_MAX);
    assert_written(&j, "18446744073709551615");
}

static void every_ascii_byte_is_escaped_as_the_header_says(void **state)
{
    (void)state;
    static const char *const special[128] = {
        ['\b'] = "\\b", ['\f'] = "\\f", ['\n'] = "\\n", ['\r'] = "\\r",
        ['\t'] = "\\t", ['"'] = "\\\"", ['\\'] = "\\\\"};
    /* At each place of a word, and with words before and behind it. */
    for (int c = 0; c < 128; c++) {
        for (size_t at = 0; at < 20; at++) {
            char in[20], want[64];
            memset(in, 'x', sizeof(in));
            in[at] = (char)c;
            char shown[8] = {(char)c, 0};
            if (special[c]) {
                (void)snprintf(shown, sizeof(shown), "%s", special[c]);
            } else if (c < 0x20) {
                (void)snprintf(shown, sizeof(shown), "\\u%04x", (unsigned)c);
            }
            (void)snprintf(want, sizeof(want), "\"%.*s%s%.*s\"", (int)at, "xxxxxxxxxxxxxxxxxxxx",
                           shown, (int)(19 - at), "xxxxxxxxxxxxxxxxxxxx");
            struct wedr_json j = begin();
            assert_true(wedr_json_str(&j, in, sizeof(in)));
            assert_written(&j, want);
        }
    }
}

static void broken_utf8_is_replaced_and_reported(void **state)
{
    (void)state;
    struct wedr_json j = begin();
    assert_false(wedr_json_str(&j, "0123456789\xC3\xA9\xE2\x82\xF0\x9F\x98\x80\xFF.", 20));
    assert_written(&j, "\"0123456789\xC3\xA9\xEF\xBF\xBD\xF0\x9F\x98\x80\xEF\xBF\xBD.\"");
    j = begin();
    assert_true(wedr_json_str(&j, "\xEF\xBF\xBD", 3)); /* stands in the input: not an error */
    assert_written(&j, "\"\xEF\xBF\xBD\"");
    j = begin();
    assert_true(wedr_json_str(&j, NULL, 0));
    assert_written(&j, "\"\"");
}

/* The old agent cut script text at a byte position and died when a character stood there. */
static void a24_text_cut_inside_a_character_is_written_not_fatal(void **state)
{
    (void)state;
    static char text[16400];
    static char out[sizeof(text) * 6];
    memset(text, 'a', sizeof(text));
    memcpy(text + 16382, "\xE2\x82\xAC", 3); /* a euro sign across byte 16384 */
    for (size_t len = 16380; len < 16388; len++) {
        struct wedr_json j;
        wedr_json_init(&j, out, sizeof(out));
        bool valid = wedr_json_str(&j, text, len);
        assert_int_equal(valid, len != 16383 && len != 16384);
        assert_false(j.overflow);
        assert_int_equal(out[wedr_json_len(&j) - 1], '"');
    }
}

static void utf16_text_is_converted_and_lone_surrogates_replaced(void **state)
{
    (void)state;
    struct wedr_json j = begin();
    assert_true(wedr_json_utf16(&j, "a\0\"\0\n\0\xE9\0\x3D\xD8\x00\xDE", 12));
    assert_written(&j, "\"a\\\"\\n\xC3\xA9\xF0\x9F\x98\x80\"");
    j = begin();
    assert_false(wedr_json_utf16(&j, "a\0\x00\xD8z\0", 6));
    assert_written(&j, "\"a\xEF\xBF\xBDz\"");
    j = begin();
    assert_true(wedr_json_utf16(&j, "a\0b", 3)); /* the odd byte is ignored */
    assert_written(&j, "\"a\"");
}

static void write_all(struct wedr_json *j)
{
    wedr_json_arr_begin(j);
    wedr_json_obj_begin(j);
    wedr_json_key(j, "key");
    (void)wedr_json_str(j, "some text\nwith \xC3\xA9 and \xFF", 22);
    wedr_json_obj_end(j);
    (void)wedr_json_utf16(j, "a\0b\0", 4);
    wedr_json_u64(j, 1234567);
    wedr_json_i64(j, -12);
    wedr_json_bool(j, true);
    wedr_json_null(j);
    wedr_json_hex64(j, 5);
    wedr_json_hex(j, "abc", 3);
    wedr_json_time_us(j, 0);
    wedr_json_raw(j, "{}", 2);
    wedr_json_arr_end(j);
}

static void every_smaller_room_overflows_and_is_not_exceeded(void **state)
{
    (void)state;
    struct wedr_json j = begin();
    write_all(&j);
    assert_false(j.overflow);
    size_t whole = wedr_json_len(&j);
    for (size_t cap = 0; cap < whole; cap++) {
        char *tight = wedr_alloc(cap, 1); /* the sanitizer guards its end */
        wedr_json_init(&j, tight, cap);
        write_all(&j);
        assert_true(j.overflow);
        assert_true(wedr_json_len(&j) <= cap);
        wedr_free(tight);
    }
    wedr_json_init(&j, mem, whole);
    write_all(&j);
    assert_false(j.overflow);
}

static void nothing_is_written_after_the_first_overflow(void **state)
{
    (void)state;
    struct wedr_json j;
    wedr_json_init(&j, mem, 10);
    wedr_json_arr_begin(&j);
    wedr_json_u64(&j, 12345678901234);
    size_t len = wedr_json_len(&j);
    wedr_json_u64(&j, 1); /* would fit */
    wedr_json_arr_end(&j);
    assert_true(j.overflow);
    assert_int_equal(wedr_json_len(&j), len);
}

static void times_are_right_around_leap_days_and_clamped(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        {0, "\"1970-01-01T00:00:00.000000Z\""},
        {-1, "\"1970-01-01T00:00:00.000000Z\""},
        {INT64_MIN, "\"1970-01-01T00:00:00.000000Z\""},
        {951782399999999, "\"2000-02-28T23:59:59.999999Z\""},
        {951782400000000, "\"2000-02-29T00:00:00.000000Z\""},
        {951868800000000, "\"2000-03-01T00:00:00.000000Z\""},
        {4107542399000001, "\"2100-02-28T23:59:59.000001Z\""},
        {4107542400000000, "\"2100-03-01T00:00:00.000000Z\""},
        {1704067199000000, "\"2023-12-31T23:59:59.000000Z\""},
        {1735603200500000, "\"2024-12-31T00:00:00.500000Z\""},
        {253402300799999999, "\"9999-12-31T23:59:59.999999Z\""},
        {INT64_MAX, "\"9999-12-31T23:59:59.999999Z\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wedr_json j = begin();
        wedr_json_time_us(&j, rows[i].us);
        assert_written(&j, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(document_is_byte_exact),
        cmocka_unit_test(integers_are_exact_at_every_length),
        cmocka_unit_test(every_ascii_byte_is_escaped_as_the_header_says),
        cmocka_unit_test(broken_utf8_is_replaced_and_reported),
        cmocka_unit_test(a24_text_cut_inside_a_character_is_written_not_fatal),
        cmocka_unit_test(utf16_text_is_converted_and_lone_surrogates_replaced),
        cmocka_unit_test(every_smaller_room_overflows_and_is_not_exceeded),
        cmocka_unit_test(nothing_is_written_after_the_first_overflow),
        cmocka_unit_test(times_are_right_around_leap_days_and_clamped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
