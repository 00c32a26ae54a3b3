/* SPDX-License-Identifier: Apache-2.0 */
#include "encode/encode.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct wedr_encoder *enc;
static uint8_t mem[WEDR_RECORD_MAX];
static char line[1024 * 1024];
static const struct wedr_clock_pair pair = {1000000000u, 1790000000000000};

static int setup(void **state)
{
    (void)state;
    return wedr_encoder_new(&enc);
}

static int teardown(void **state)
{
    (void)state;
    wedr_encoder_free(enc);
    return 0;
}

static size_t encode_len(struct wedr_record *r, uint8_t stream, uint16_t flags)
{
    struct wedr_event_view v;
    size_t len = 0;
    size_t n = wedr_record_finish(r, 42, 1001500000, stream, flags);
    assert_int_equal(wedr_event_decode(wedr_span(mem, n), &v), WEDR_OK);
    assert_int_equal(wedr_encode(enc, &v, pair, line, sizeof(line), &len), WEDR_OK);
    line[len] = '\0';
    return len;
}

static void set_text(struct wedr_record *r, const char *name, const char *text)
{
    assert_int_equal(wedr_record_set_str(r, name, text, strlen(text), 0), WEDR_OK);
}

static struct wedr_record begin(uint16_t type, uint8_t os)
{
    struct wedr_record r;
    assert_int_equal(wedr_record_begin(&r, mem, sizeof(mem), type, os), WEDR_OK);
    return r;
}

static void set(struct wedr_record *r, const char *name, uint64_t v)
{
    assert_int_equal(wedr_record_set_uint(r, name, v), WEDR_OK);
}

static void fork_line_is_the_envelope_in_its_order(void **state)
{
    (void)state;
    struct wedr_record r = begin(WEDR_EV_PROCESS_FORK, WEDR_OS_LINUX);
    set(&r, "pid", 12);
    set(&r, "parent_pid", 3);
    set(&r, "process_key", 0xabc);
    set(&r, "parent_key", 0xdef);
    set(&r, "creating_pid", 3);
    set(&r, "uid", 1000);
    set_text(&r, "comm", "ba\"sh");
    wedr_record_set_counts(&r, 5, 6);
    (void)encode_len(&r, WEDR_STREAM_CRITICAL, 0);
    assert_string_equal(
        line,
        "{\"ts\":\"2026-09-21T14:13:20.001500Z\",\"module\":\"kernel_callback\","
        "\"event_type\":\"process_fork\",\"process\":{\"pid\":12,\"ppid\":3,\"name\":\"ba\\\"sh\","
        "\"uid\":1000,\"key\":\"0000000000000abc\",\"parent_key\":\"0000000000000def\"},"
        "\"raw\":{\"comm\":\"ba\\\"sh\",\"creating_pid\":3,\"parent_key\":\"0000000000000def\","
        "\"parent_pid\":3,\"pid\":12,\"process_key\":\"0000000000000abc\",\"uid\":1000},"
        "\"source\":\"kernel\",\"kind\":\"ProcessFork\",\"event_version\":7,\"seq\":42,"
        "\"drop_count\":5,\"trunc_count\":6}\n");
}

static json_t *parse(size_t len)
{
    json_error_t err;
    json_t *j = json_loadb(line, len, JSON_REJECT_DUPLICATES, &err);
    if (!j) {
        fail_msg("%s in %s", err.text, line);
    }
    return j;
}

static const char *raw_text(const json_t *j, const char *name)
{
    return json_string_value(json_object_get(json_object_get(j, "raw"), name));
}

static void create_line_has_the_derived_keys(void **state)
{
    (void)state;
    static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char leaf[128];
    struct wedr_record r = begin(WEDR_EV_PROCESS_CREATE, WEDR_OS_LINUX);
    (void)snprintf(leaf, sizeof(leaf), "docker-%s.scope", id);
    set(&r, "pid", 7);
    set(&r, "process_key", 70);
    set_text(&r, "image_path", "/usr/bin/python3.11");
    set_text(&r, "parent_image_path", "/usr/bin/bash");
    set_text(&r, "cgroup_name", leaf);
    assert_int_equal(
        wedr_record_set_str(&r, "command_line", "python3\0-c\0print(1)\0", 20, WEDR_SF_CUT),
        WEDR_OK);
    set(&r, "exec_flags", WEDR_EXEC_FLAGS_MEMFD | WEDR_EXEC_FLAGS_SCRIPT);
    json_t *j = parse(encode_len(&r, WEDR_STREAM_CRITICAL, WEDR_EVF_EXISTING));
    const json_t *process = json_object_get(j, "process");
    assert_string_equal(json_string_value(json_object_get(process, "name")), "python3.11");
    assert_string_equal(json_string_value(json_object_get(process, "command_line")),
                        "python3 -c print(1)");
    assert_null(json_object_get(process, "command_line_cut"));
    assert_string_equal(raw_text(j, "command_line"), "python3 -c print(1)");
    assert_true(json_is_true(json_object_get(json_object_get(j, "raw"), "command_line_cut")));
    assert_true(json_is_true(json_object_get(json_object_get(j, "raw"), "existing")));
    assert_string_equal(raw_text(j, "parent_image_name"), "bash");
    assert_string_equal(raw_text(j, "container_id"), id);
    const json_t *argv = json_object_get(json_object_get(j, "raw"), "argv");
    assert_int_equal(json_array_size(argv), 3);
    assert_string_equal(json_string_value(json_array_get(argv, 1)), "-c");
    const json_t *flags = json_object_get(json_object_get(j, "raw"), "exec_flags");
    assert_int_equal(json_array_size(flags), 2);
    assert_string_equal(json_string_value(json_array_get(flags, 0)), "memfd");
    assert_null(json_object_get(j, "ts_ft_100ns"));
    json_decref(j);
}

static void a24_text_that_is_not_utf8_is_shown_and_kept_exactly(void **state)
{
    (void)state;
    struct wedr_record r = begin(WEDR_EV_PROCESS_CREATE, WEDR_OS_LINUX);
    set(&r, "pid", 7);
    assert_int_equal(wedr_record_set_str(&r, "image_path", "/t/\xc3\x28\xff", 6, 0), WEDR_OK);
    /* cut in the middle of a character, before the next argument */
    assert_int_equal(wedr_record_set_str(&r, "command_line", "a\xe2\x82\0b\0", 6, 0), WEDR_OK);
    json_t *j = parse(encode_len(&r, WEDR_STREAM_CRITICAL, 0));
    assert_string_equal(raw_text(j, "image_path"), "/t/\xef\xbf\xbd(\xef\xbf\xbd");
    assert_string_equal(raw_text(j, "image_path_hex"), "2f742fc328ff");
    assert_string_equal(raw_text(j, "command_line"), "a\xef\xbf\xbd b");
    assert_string_equal(raw_text(j, "command_line_hex"), "61e282006200");
    json_decref(j);
}

static void a09_exit_and_fork_take_the_program_from_the_process_table(void **state)
{
    (void)state;
    struct wedr_record r = begin(WEDR_EV_PROCESS_CREATE, WEDR_OS_LINUX);
    set(&r, "pid", 7);
    set(&r, "process_key", 700);
    set_text(&r, "image_path", "/opt/x/tool");
    (void)encode_len(&r, WEDR_STREAM_CRITICAL, 0);
    r = begin(WEDR_EV_PROCESS_FORK, WEDR_OS_LINUX);
    set(&r, "pid", 8);
    set(&r, "process_key", 800);
    set(&r, "parent_key", 700);
    set_text(&r, "comm", "tool-thread");
    json_t *j = parse(encode_len(&r, WEDR_STREAM_CRITICAL, 0));
    assert_string_equal(json_string_value(json_object_get(json_object_get(j, "process"), "path")),
                        "/opt/x/tool");
    json_decref(j);
    static const struct {
        uint64_t key;
        const char *name;
    } exits[] = {{800, "tool"}, {800, "tool"}, {900, "tool-thread"}};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(exits); i++) {
        r = begin(WEDR_EV_PROCESS_TERMINATE, WEDR_OS_LINUX);
        set(&r, "pid", 8);
        set(&r, "process_key", exits[i].key);
        set(&r, "signal", 9);
        set_text(&r, "comm", "tool-thread");
        j = parse(encode_len(&r, WEDR_STREAM_CRITICAL, 0));
        const json_t *p = json_object_get(j, "process");
        assert_string_equal(json_string_value(json_object_get(p, "name")), exits[i].name);
        assert_true(json_is_false(json_object_get(json_object_get(j, "raw"), "clean_exit")));
        json_decref(j);
    }
}

static void a15_module_load_does_not_name_the_module_as_the_process(void **state)
{
    (void)state;
    struct wedr_record r = begin(WEDR_EV_MODULE_LOAD, WEDR_OS_LINUX);
    set(&r, "pid", 7);
    set_text(&r, "image_path", "/lib/x.so");
    json_t *j = parse(encode_len(&r, WEDR_STREAM_BULK, 0));
    assert_null(json_object_get(json_object_get(j, "process"), "path"));
    assert_null(json_object_get(json_object_get(j, "process"), "name"));
    assert_string_equal(raw_text(j, "image_path"), "/lib/x.so");
    assert_string_equal(raw_text(j, "scope"), "user");
    json_decref(j);
}

static void a15_thread_create_names_owner_and_creator_apart(void **state)
{
    (void)state;
    struct wedr_record r = begin(WEDR_EV_THREAD_CREATE, WEDR_OS_WINDOWS);
    set(&r, "pid", 7);
    set(&r, "creating_pid", 9);
    json_t *j = parse(encode_len(&r, WEDR_STREAM_BULK, 0));
    assert_true(json_is_true(json_object_get(json_object_get(j, "raw"), "remote_injection")));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(j, "raw"), "creating_pid")),
                     9);
    assert_non_null(json_object_get(j, "ts_ft_100ns"));
    json_decref(j);
}

static void d18_the_first_thread_of_a_process_is_no_injection(void **state)
{
    (void)state;
    struct wedr_record r = begin(WEDR_EV_THREAD_CREATE, WEDR_OS_WINDOWS);
    set(&r, "pid", 7);
    set(&r, "creating_pid", 9);
    set(&r, "first_thread", 1);
    json_t *j = parse(encode_len(&r, WEDR_STREAM_BULK, 0));
    assert_true(json_is_false(json_object_get(json_object_get(j, "raw"), "remote_injection")));
    assert_true(json_is_true(json_object_get(json_object_get(j, "raw"), "first_thread")));
    json_decref(j);
}

static void set_wide(struct wedr_record *r, const char *name, const char *text)
{
    uint8_t wide[256];
    size_t n = strlen(text);
    assert_true(2 * n <= sizeof(wide));
    for (size_t i = 0; i < n; i++) {
        wide[2 * i] = (uint8_t)text[i];
        wide[2 * i + 1] = 0;
    }
    assert_int_equal(wedr_record_set_str(r, name, wide, 2 * n, WEDR_SF_UTF16), WEDR_OK);
}

static const char *process_text(json_t *j, const char *key)
{
    return json_string_value(json_object_get(json_object_get(j, "process"), key));
}

static void what_a_process_does_names_its_program(void **state)
{
    (void)state;
    struct wedr_record r = begin(WEDR_EV_PROCESS_CREATE, WEDR_OS_WINDOWS);
    set(&r, "process_key", 0x77);
    set(&r, "pid", 7);
    set_wide(&r, "image_path", "C:\\Windows\\a.exe");
    (void)encode_len(&r, WEDR_STREAM_CRITICAL, 0);
    r = begin(WEDR_EV_REGISTRY_WRITE, WEDR_OS_WINDOWS);
    set(&r, "process_key", 0x77);
    set(&r, "pid", 7);
    json_t *j = parse(encode_len(&r, WEDR_STREAM_CRITICAL, 0));
    assert_string_equal(process_text(j, "path"), "C:\\Windows\\a.exe");
    assert_string_equal(process_text(j, "name"), "a.exe");
    json_decref(j);
    r = begin(WEDR_EV_PROCESS_HANDLE_ACCESS, WEDR_OS_WINDOWS);
    set(&r, "source_key", 0x78); /* not known */
    set(&r, "source_pid", 8);
    set(&r, "target_key", 0x77);
    j = parse(encode_len(&r, WEDR_STREAM_CRITICAL, 0));
    assert_null(process_text(j, "path"));
    assert_string_equal(raw_text(j, "target_image_path"), "C:\\Windows\\a.exe");
    json_decref(j);
    r = begin(WEDR_EV_PROCESS_CREATE, WEDR_OS_LINUX);
    set(&r, "process_key", 0x99);
    set_text(&r, "image_path", "/usr/bin/curl");
    (void)encode_len(&r, WEDR_STREAM_CRITICAL, 0);
    r = begin(WEDR_EV_NETWORK_CONNECT, WEDR_OS_LINUX);
    set(&r, "process_key", 0x99);
    set(&r, "pid", 9);
    j = parse(encode_len(&r, WEDR_STREAM_BULK, 0));
    assert_string_equal(process_text(j, "path"), "/usr/bin/curl");
    assert_string_equal(process_text(j, "name"), "curl");
    json_decref(j);
}

static void registry_data_is_said_in_sysmons_words(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        const char *data;
        size_t len;
        const char *text;
    } cases[] = {
        {1, "r\0u\0n\0\0\0", 8, "run"},
        {2, "%\0a\0\"", 5, "%a"}, /* cut inside a character */
        {7, "a\0\0\0b\0\0\0\0\0", 10, "a b"},
        {4, "\1\0\0\0", 4, "DWORD (0x00000001)"},
        {4, "\1", 1, "Binary Data"},
        {11, "\1\0\0\0\2\0\0\0", 8, "QWORD (0x00000002-0x00000001)"},
        {3, "\1\2", 2, "Binary Data"},
        {1, "\0\0", 2, NULL},
    };
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(cases); i++) {
        struct wedr_record r = begin(WEDR_EV_REGISTRY_WRITE, WEDR_OS_WINDOWS);
        set(&r, "value_type", cases[i].type);
        assert_int_equal(wedr_record_set_str(&r, "data_preview", cases[i].data, cases[i].len, 0),
                         WEDR_OK);
        json_t *j = parse(encode_len(&r, WEDR_STREAM_CRITICAL, 0));
        const char *text = raw_text(j, "data_text");
        if (cases[i].text) {
            assert_non_null(text);
            assert_string_equal(text, cases[i].text);
        } else {
            assert_null(text);
        }
        json_decref(j);
    }
}

static void addresses_are_written_in_their_short_form(void **state)
{
    (void)state;
    static const struct {
        struct wedr_ip ip;
        const char *text;
    } cases[] = {
        {{4, {203, 0, 113, 9}}, "203.0.113.9"},
        {{6, {0}}, "::"},
        {{6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, "::1"},
        {{6, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}, "2001:db8::"},
        {{6, {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xa}}, "2001:db8:0:1::a"},
        {{6, {0, 1, 0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7}}, "1:0:2:3:4:5:6:7"},
    };
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(cases); i++) {
        struct wedr_record r = begin(WEDR_EV_NETWORK_CONNECT, WEDR_OS_LINUX);
        set(&r, "pid", 1);
        set(&r, "protocol", WEDR_NET_PROTOCOL_TCP);
        assert_int_equal(wedr_record_set_ip(&r, "dst_ip", cases[i].ip), WEDR_OK);
        json_t *j = parse(encode_len(&r, WEDR_STREAM_BULK, 0));
        assert_string_equal(raw_text(j, "dst_ip"), cases[i].text);
        assert_string_equal(raw_text(j, "direction"), "outbound");
        json_decref(j);
    }
}

/* The key of raw without its suffix, as schema.def knows it for this system. */
static bool is_known(const struct wedr_type_info *t, uint8_t os, const char *key)
{
    static const char *const suffixes[] = {"", "_hex", "_cut", "_code"};
    for (size_t i = 0; i < t->field_count; i++) {
        const struct wedr_field_info *f = &t->fields[i];
        for (size_t s = 0; s < WEDR_ARRAY_COUNT(suffixes); s++) {
            char name[64];
            (void)snprintf(name, sizeof(name), "%s%s", f->name, suffixes[s]);
            if ((f->os_mask & os) != 0 && f->name[0] != '\0' && strcmp(name, key) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void fill_everything(struct wedr_record *r, const struct wedr_type_info *t, uint8_t os)
{
    for (size_t i = 0; i < t->field_count; i++) {
        const struct wedr_field_info *f = &t->fields[i];
        if (f->derived || (f->os_mask & os) == 0) {
            continue;
        }
        if (f->kind == WEDR_KIND_JSON) {
            assert_int_equal(wedr_record_set_str(r, f->name, "[{}]", 4, 0), WEDR_OK);
        } else if (wedr_kind_is_string(f->kind)) {
            uint16_t flags = (uint16_t)(f->kind == WEDR_KIND_BYTES ? 0u : WEDR_SF_CUT);
            assert_int_equal(wedr_record_set_str(r, f->name, "xy/z", 4, flags), WEDR_OK);
        } else if (f->kind == WEDR_KIND_IP) {
            assert_int_equal(wedr_record_set_ip(r, f->name, (struct wedr_ip){4, {1, 2, 3, 4}}),
                             WEDR_OK);
        } else {
            set(r, f->name, 1);
        }
    }
}

/* Every type of both systems, all fields set and none: required keys are there, unknown ones are
 * not, raw is sorted. */
static void every_type_writes_what_the_schema_names_and_nothing_else(void **state)
{
    (void)state;
    size_t count = 0;
    const struct wedr_type_info *types = wedr_types(&count);
    for (size_t i = 0; i < 4 * count; i++) {
        const struct wedr_type_info *t = &types[i / 4];
        uint8_t os = i % 2 == 0 ? WEDR_OS_LINUX : WEDR_OS_WINDOWS;
        if ((t->os_mask & os) == 0) {
            continue;
        }
        struct wedr_record r = begin(t->code, os);
        if (i % 4 < 2) {
            fill_everything(&r, t, os);
        }
        json_t *j =
            parse(encode_len(&r, t->code >= WEDR_EV_AGENT_START ? WEDR_STREAM_AGENT : t->lane, 0));
        json_t *raw = json_object_get(j, "raw");
        assert_string_equal(json_string_value(json_object_get(j, "event_type")), t->event_type);
        assert_string_equal(json_string_value(json_object_get(j, "kind")), t->kind);
        assert_string_equal(json_string_value(json_object_get(j, "module")), t->module);
        const char *key;
        json_t *value;
        char before[64] = "";
        json_object_foreach(raw, key, value)
        {
            if (!is_known(t, os, key)) {
                fail_msg("%s: raw.%s is not in the schema", t->event_type, key);
            }
            assert_true(strcmp(before, key) < 0);
            (void)snprintf(before, sizeof(before), "%s", key);
        }
        for (size_t k = 0; k < t->field_count; k++) {
            const struct wedr_field_info *f = &t->fields[k];
            char name[64];
            (void)snprintf(name, sizeof(name), "%s%s", f->name,
                           f->kind == WEDR_KIND_BYTES ? "_hex" : "");
            if (f->required && (f->os_mask & os) != 0 && !json_object_get(raw, name)) {
                fail_msg("%s: raw.%s is required", t->event_type, name);
            }
            if (!f->required && !f->derived && i % 4 >= 2 && f->kind != WEDR_KIND_TIME) {
                assert_null(json_object_get(raw, name));
            }
        }
        json_decref(j);
    }
}

static void line_that_does_not_fit_is_refused_whatever_the_room(void **state)
{
    (void)state;
    static char arg[30000];
    memset(arg, 1, sizeof(arg));
    struct wedr_record r = begin(WEDR_EV_PROCESS_CREATE, WEDR_OS_LINUX);
    set(&r, "pid", 7);
    assert_int_equal(wedr_record_set_str(&r, "command_line", arg, sizeof(arg), 0), WEDR_OK);
    size_t whole = encode_len(&r, WEDR_STREAM_CRITICAL, 0);
    struct wedr_event_view v;
    assert_int_equal(wedr_event_decode(wedr_span(mem, r.len), &v), WEDR_OK);
    for (size_t cap = 0; cap < whole; cap += 1 + cap / 97) {
        char *small = wedr_alloc(cap > 0 ? cap : 1, 1);
        size_t len = 0;
        assert_int_equal(wedr_encode(enc, &v, pair, small, cap, &len), WEDR_E_LIMIT);
        wedr_free(small);
    }
}

static void times_far_away_are_clamped_not_wrapped(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MIN, -1, 0, INT64_MAX};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(times); i++) {
        struct wedr_record r =
            begin(WEDR_EV_THREAD_EXIT, i % 2 == 0 ? WEDR_OS_LINUX : WEDR_OS_WINDOWS);
        struct wedr_event_view v;
        size_t len = 0;
        size_t n = wedr_record_finish(&r, 1, times[i], WEDR_STREAM_BULK, 0);
        assert_int_equal(wedr_event_decode(wedr_span(mem, n), &v), WEDR_OK);
        assert_int_equal(wedr_encode(enc, &v, pair, line, sizeof(line), &len), WEDR_OK);
        assert_int_equal(line[7 + 26], 'Z');
        assert_true(memcmp(line + 7, "1970", 4) >= 0 && memcmp(line + 7, "9999", 4) <= 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_line_is_the_envelope_in_its_order),
        cmocka_unit_test(create_line_has_the_derived_keys),
        cmocka_unit_test(a24_text_that_is_not_utf8_is_shown_and_kept_exactly),
        cmocka_unit_test(a09_exit_and_fork_take_the_program_from_the_process_table),
        cmocka_unit_test(a15_module_load_does_not_name_the_module_as_the_process),
        cmocka_unit_test(a15_thread_create_names_owner_and_creator_apart),
        cmocka_unit_test(d18_the_first_thread_of_a_process_is_no_injection),
        cmocka_unit_test(what_a_process_does_names_its_program),
        cmocka_unit_test(registry_data_is_said_in_sysmons_words),
        cmocka_unit_test(addresses_are_written_in_their_short_form),
        cmocka_unit_test(every_type_writes_what_the_schema_names_and_nothing_else),
        cmocka_unit_test(line_that_does_not_fit_is_refused_whatever_the_room),
        cmocka_unit_test(times_far_away_are_clamped_not_wrapped),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
