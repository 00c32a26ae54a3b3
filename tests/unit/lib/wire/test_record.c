/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "wedr/wire/decode.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint8_t mem[2 * WEDR_RECORD_MAX];
static uint8_t big[WEDR_RECORD_MAX];

static struct wedr_record begin(uint16_t type, uint8_t os, size_t cap)
{
    struct wedr_record r;

    memset(mem, 0xee, sizeof(mem));
    assert_int_equal(wedr_record_begin(&r, mem, cap, type, os), WEDR_OK);
    return r;
}

static struct wedr_event_view finished(struct wedr_record *r)
{
    struct wedr_event_view v;
    size_t len = wedr_record_finish(r, 1, 1, WEDR_STREAM_CRITICAL, 0);

    assert_int_equal(wedr_event_decode(wedr_span(mem, len), &v), WEDR_OK);
    assert_int_equal(v.rec.len, len);
    return v;
}

static void begin_refuses_what_does_not_exist(void **state)
{
    struct wedr_record r;

    (void)state;
    assert_int_equal(wedr_record_begin(&r, mem, sizeof(mem), 0, WEDR_OS_LINUX), WEDR_E_VERSION);
    assert_int_equal(wedr_record_begin(&r, mem, sizeof(mem), 999, WEDR_OS_LINUX), WEDR_E_VERSION);
    assert_int_equal(wedr_record_begin(&r, mem, sizeof(mem), WEDR_EV_PROCESS_FORK, WEDR_OS_WINDOWS),
                     WEDR_E_VERSION);
    assert_int_equal(wedr_record_begin(&r, mem, sizeof(mem), WEDR_EV_PROCESS_CREATE, 3),
                     WEDR_E_VERSION);
    assert_int_equal(wedr_record_begin(&r, mem, sizeof(struct wedr_linux_process_fork) - 1,
                                       WEDR_EV_PROCESS_FORK, WEDR_OS_LINUX),
                     WEDR_E_RANGE);
}

static void fields_not_set_are_zero(void **state)
{
    struct wedr_record r = begin(WEDR_EV_PROCESS_CREATE, WEDR_OS_LINUX, sizeof(mem));
    struct wedr_event_view v = finished(&r);

    (void)state;
    for (size_t i = sizeof(struct wedr_event_header); i < v.rec.len; i++) {
        assert_int_equal(v.rec.p[i], 0);
    }
}

static void unknown_fields_and_wrong_kinds_are_refused(void **state)
{
    struct wedr_record r = begin(WEDR_EV_NETWORK_CONNECT, WEDR_OS_LINUX, sizeof(mem));
    struct wedr_ip bad = {.family = 5};
    struct wedr_ip ip = {.family = 4};

    (void)state;
    assert_int_equal(wedr_record_set_uint(&r, "nothing", 1), WEDR_E_NOENT);
    assert_int_equal(wedr_record_set_str(&r, "nothing", "x", 1, 0), WEDR_E_NOENT);
    assert_int_equal(wedr_record_set_ip(&r, "nothing", ip), WEDR_E_NOENT);
    assert_int_equal(wedr_record_set_uint(&r, "ip_version", 4), WEDR_E_NOENT); /* derived */
    assert_int_equal(wedr_record_set_uint(&r, "dst_ip", 1), WEDR_E_INVAL);
    assert_int_equal(wedr_record_set_str(&r, "pid", "x", 1, 0), WEDR_E_INVAL);
    assert_int_equal(wedr_record_set_ip(&r, "pid", ip), WEDR_E_INVAL);
    assert_int_equal(wedr_record_set_ip(&r, "dst_ip", bad), WEDR_E_INVAL);
    assert_int_equal(wedr_record_set_ip(&r, "dst_ip", ip), WEDR_OK);
}

static void numbers_must_fit_their_field(void **state)
{
    struct wedr_record r = begin(WEDR_EV_PROCESS_TERMINATE, WEDR_OS_LINUX, sizeof(mem));
    struct wedr_event_view v;

    (void)state;
    assert_int_equal(wedr_record_set_uint(&r, "pid", 0x100000000u), WEDR_E_RANGE);
    assert_int_equal(wedr_record_set_uint(&r, "core_dumped", 2), WEDR_E_RANGE);
    assert_int_equal(wedr_record_set_uint(&r, "exit_code", (uint64_t)INT64_MIN), WEDR_E_RANGE);
    assert_int_equal(wedr_record_set_uint(&r, "exit_code", (uint64_t)(int64_t)-7), WEDR_OK);
    v = finished(&r);
    assert_int_equal(wedr_event_int(&v, wedr_event_field(&v, "exit_code")), -7);
    assert_int_equal(wedr_record_set_uint(&r, "exit_code", 0xc0000005u), WEDR_OK);
    v = finished(&r);
    assert_int_equal(wedr_event_int(&v, wedr_event_field(&v, "exit_code")), -1073741819);
}

static void strings_that_no_record_may_hold_are_refused(void **state)
{
    struct wedr_record r = begin(WEDR_EV_PROCESS_CREATE, WEDR_OS_LINUX, sizeof(mem));

    (void)state;
    assert_int_equal(wedr_record_set_str(&r, "comm", "a\0b", 3, 0), WEDR_E_INVAL);
    assert_int_equal(wedr_record_set_str(&r, "comm", "a\0\0\0", 4, WEDR_SF_UTF16), WEDR_E_INVAL);
    assert_int_equal(wedr_record_set_str(&r, "comm", "a\0b", 3, WEDR_SF_UTF16), WEDR_E_INVAL);
    assert_int_equal(wedr_record_set_str(&r, "comm", "a", 1, 0x40), WEDR_E_INVAL);
    assert_int_equal(wedr_record_set_str(&r, "command_line", "a\0b", 3, 0), WEDR_OK);
    r = begin(WEDR_EV_EPOCH_START, WEDR_OS_LINUX, sizeof(mem));
    assert_int_equal(wedr_record_set_str(&r, "boot_id", "\0\0", 2, WEDR_SF_UTF16), WEDR_E_INVAL);
    assert_int_equal(wedr_record_set_str(&r, "boot_id", "\0\0", 2, 0), WEDR_OK);
}

static void only_whole_compact_json_is_taken_as_json(void **state)
{
    static const char *const good[] = {"[]", "{}", "[[],{}]",
                                       "[{\"a\":[1,-0.5e+9,true,false,null,\"\\u00e9\\n\"]},2]",
                                       "{\"\":\"\"}"};
    static const char *const bad[] = {"1",
                                      "\"a\"",
                                      "[",
                                      "]",
                                      "[}",
                                      "{]",
                                      "[1,]",
                                      "[,1]",
                                      "[1 ,2]",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{1:2}",
                                      "[01]",
                                      "[1.]",
                                      "[.5]",
                                      "[+1]",
                                      "[1e]",
                                      "[-]",
                                      "[nul]",
                                      "[tru]",
                                      "[\"\\x\"]",
                                      "[\"\\u12g4\"]",
                                      "[\"\n\"]",
                                      "[\"]",
                                      "[]1",
                                      "[][]",
                                      " []",
                                      "[1]\n",
                                      "[\"\xff\"]",
                                      "[\"\xed\xa0\x80\"]"};
    char deep[64];
    struct wedr_record r = begin(WEDR_EV_ALERT, WEDR_OS_LINUX, sizeof(mem));

    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(good); i++) {
        assert_int_equal(wedr_record_set_str(&r, "evidence", good[i], strlen(good[i]), 0), WEDR_OK);
        assert_int_equal(wedr_record_set_str(&r, "evidence", good[i], strlen(good[i]), WEDR_SF_CUT),
                         WEDR_E_INVAL);
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        assert_int_equal(wedr_record_set_str(&r, "evidence", bad[i], strlen(bad[i]), 0),
                         WEDR_E_INVAL);
    }
    for (size_t depth = 24; depth <= 25; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        assert_int_equal(wedr_record_set_str(&r, "evidence", deep, 2 * depth, 0),
                         depth == 24 ? WEDR_OK : WEDR_E_INVAL);
    }
}

static void json_that_does_not_fit_is_refused_not_cut(void **state)
{
    struct wedr_record r = begin(WEDR_EV_ALERT, WEDR_OS_LINUX, sizeof(mem));

    (void)state;
    memset(big, '1', sizeof(big));
    big[0] = '[';
    big[65534] = ']';
    assert_int_equal(wedr_record_set_str(&r, "evidence", big, 65535, 0), WEDR_OK);
    big[65534] = '1';
    big[65535] = ']';
    assert_int_equal(wedr_record_set_str(&r, "ancestry", big, 65536, 0), WEDR_E_RANGE);
}

static void string_longer_than_its_length_field_is_cut_and_flagged(void **state)
{
    struct wedr_record r = begin(WEDR_EV_PROCESS_CREATE, WEDR_OS_LINUX, sizeof(mem));
    struct wedr_event_view v;
    uint16_t flags = 0;

    (void)state;
    memset(big, 'x', sizeof(big));
    assert_int_equal(wedr_record_set_str(&r, "image_path", big, 65535, 0), WEDR_OK);
    assert_int_equal(wedr_record_set_str(&r, "cwd", big, 65000, WEDR_SF_NO_NAME), WEDR_OK);
    assert_int_equal(wedr_record_set_str(&r, "comm", big, 65536, 0), WEDR_OK);
    v = finished(&r);
    assert_int_equal(wedr_event_str(&v, wedr_event_field(&v, "image_path"), &flags).len, 65535);
    assert_int_equal(flags, 0);
    assert_int_equal(wedr_event_str(&v, wedr_event_field(&v, "cwd"), &flags).len, 65000);
    assert_int_equal(flags, WEDR_SF_NO_NAME);
    /* What was left of the record: 131072 - 328 - 65535 - 65000. */
    assert_int_equal(wedr_event_str(&v, wedr_event_field(&v, "comm"), &flags).len, 209);
    assert_int_equal(flags, WEDR_SF_CUT);
    assert_int_equal(v.rec.len, WEDR_RECORD_MAX);
}

static void length_field_bounds_a_string_that_the_record_could_hold(void **state)
{
    struct wedr_record r = begin(WEDR_EV_PROCESS_CREATE, WEDR_OS_LINUX, sizeof(mem));
    struct wedr_event_view v;
    uint16_t flags = 0;

    (void)state;
    memset(big, 'x', sizeof(big));
    assert_int_equal(wedr_record_set_str(&r, "image_path", big, 65536 + 10, 0), WEDR_OK);
    v = finished(&r);
    assert_int_equal(wedr_event_str(&v, wedr_event_field(&v, "image_path"), &flags).len, 65535);
    assert_int_equal(flags, WEDR_SF_CUT);
}

static void utf16_is_cut_between_units(void **state)
{
    size_t fixed = sizeof(struct wedr_windows_file_delete);
    struct wedr_record r = begin(WEDR_EV_FILE_DELETE, WEDR_OS_WINDOWS, fixed + 5);
    struct wedr_event_view v;
    uint16_t flags = 0;

    (void)state;
    assert_int_equal(wedr_record_set_str(&r, "target_path", "a\0b\0c\0", 6, WEDR_SF_UTF16),
                     WEDR_OK);
    v = finished(&r);
    assert_int_equal(wedr_event_str(&v, wedr_event_field(&v, "target_path"), &flags).len, 4);
    assert_int_equal(flags, WEDR_SF_UTF16 | WEDR_SF_CUT);
}

static void full_record_takes_an_empty_cut_string(void **state)
{
    struct wedr_record r =
        begin(WEDR_EV_PROCESS_FORK, WEDR_OS_LINUX, sizeof(struct wedr_linux_process_fork));
    struct wedr_event_view v;
    uint16_t flags = 0;

    (void)state;
    assert_int_equal(wedr_record_set_str(&r, "comm", "bash", 4, 0), WEDR_OK);
    v = finished(&r);
    assert_int_equal(wedr_event_str(&v, wedr_event_field(&v, "comm"), &flags).len, 0);
    assert_int_equal(flags, WEDR_SF_CUT);
}

static void ipv4_tail_is_cleared(void **state)
{
    struct wedr_record r = begin(WEDR_EV_NETWORK_ACCEPT, WEDR_OS_LINUX, sizeof(mem));
    struct wedr_ip ip = {.family = 4, .addr = {1, 2, 3, 4, 5, 6}};
    struct wedr_event_view v;

    (void)state;
    assert_int_equal(wedr_record_set_ip(&r, "src_ip", ip), WEDR_OK);
    v = finished(&r);
    ip = wedr_event_ip(&v, wedr_event_field(&v, "src_ip"));
    assert_int_equal(ip.addr[3], 4);
    assert_int_equal(ip.addr[4], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begin_refuses_what_does_not_exist),
        cmocka_unit_test(fields_not_set_are_zero),
        cmocka_unit_test(unknown_fields_and_wrong_kinds_are_refused),
        cmocka_unit_test(numbers_must_fit_their_field),
        cmocka_unit_test(strings_that_no_record_may_hold_are_refused),
        cmocka_unit_test(only_whole_compact_json_is_taken_as_json),
        cmocka_unit_test(json_that_does_not_fit_is_refused_not_cut),
        cmocka_unit_test(string_longer_than_its_length_field_is_cut_and_flagged),
        cmocka_unit_test(length_field_bounds_a_string_that_the_record_could_hold),
        cmocka_unit_test(utf16_is_cut_between_units),
        cmocka_unit_test(full_record_takes_an_empty_cut_string),
        cmocka_unit_test(ipv4_tail_is_cleared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
