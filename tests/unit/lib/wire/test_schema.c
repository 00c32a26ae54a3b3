/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "wedr/wire/batch.h"
#include "wedr/wire/decode.h"
#include "wedr/wire/sensor_state.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Columns of the table events that fields may fill; the others are made from the batch and the line
 * itself. */
static const char *const columns[] = {"pid",          "ppid",         "process_key",  "parent_key",
                                      "process_name", "process_path", "command_line", "uid",
                                      "user",         "sha256",       "target_path",  "remote_ip",
                                      "remote_port",  "dns_name",     "container_id"};

/* Keys of the process block. */
static const char *const process_keys[] = {
    "pid",          "ppid",      "key",         "parent_key", "name", "path",
    "command_line", "user",      "user_domain", "user_sid",   "uid",  "integrity_label",
    "elevated",     "session_id"};

static const struct wedr_type_info *types;
static size_t type_count;

static bool listed(const char *s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i], s) == 0) {
            return true;
        }
    }
    return false;
}

static bool name_ok(const char *s)
{
    if (*s < 'a' || *s > 'z') {
        return false;
    }
    return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

/* Calls fn for each field of each type. */
static void each_field(void (*fn)(const struct wedr_type_info *t, const struct wedr_field_info *f))
{
    for (size_t i = 0; i < type_count; i++) {
        for (size_t k = 0; k < types[i].field_count; k++) {
            fn(&types[i], &types[i].fields[k]);
        }
    }
}

static void types_rise_by_code_and_have_unique_names(void **state)
{
    (void)state;
    assert_true(type_count >= 21);
    for (size_t i = 0; i < type_count; i++) {
        assert_true(i == 0 || types[i].code > types[i - 1].code);
        assert_true(name_ok(types[i].event_type));
        assert_true(types[i].os_mask >= 1 && types[i].os_mask <= 3);
        assert_true(types[i].lane < WEDR_LANE_COUNT);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(types[i].event_type, types[k].event_type);
            assert_string_not_equal(types[i].kind, types[k].kind);
        }
    }
}

static void every_type_is_found_by_code_and_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < type_count; i++) {
        const char *name = types[i].event_type;

        assert_ptr_equal(wedr_type_by_code(types[i].code), &types[i]);
        assert_ptr_equal(wedr_type_by_name(name, strlen(name)), &types[i]);
        assert_null(wedr_type_by_name(name, strlen(name) - 1));
    }
    for (unsigned code = 0; code < 65536; code++) {
        const struct wedr_type_info *t = wedr_type_by_code((uint16_t)code);

        assert_true(t == NULL || t->code == code);
    }
    assert_null(wedr_type_by_name("", 0));
}

static void modules_follow_the_code(void **state)
{
    (void)state;
    for (size_t i = 0; i < type_count; i++) {
        assert_string_equal(types[i].module, types[i].code < 64 ? "kernel_callback" : "agent");
    }
}

static void field_is_consistent(const struct wedr_type_info *t, const struct wedr_field_info *f)
{
    assert_true(f->name[0] != '\0' || (f->derived && f->process_key[0] != '\0'));
    assert_true(f->name[0] == '\0' || name_ok(f->name));
    assert_true(strlen(f->help) >= 3);
    assert_true(f->process_key[0] == '\0' ||
                listed(f->process_key, process_keys, WEDR_ARRAY_COUNT(process_keys)));
    assert_true(f->sql[0] == '\0' || listed(f->sql, columns, WEDR_ARRAY_COUNT(columns)));
    if (f->derived) {
        assert_int_equal(f->kind, WEDR_KIND_COUNT);
        assert_false(f->required);
        assert_int_equal(f->size, 0);
        return;
    }
    assert_true(f->kind < WEDR_KIND_COUNT);
    assert_true(f->size > 0);
    /* A field of a system that its type does not have could never be seen. */
    assert_int_equal(f->os_mask & ~t->os_mask, 0);
}

static void fields_name_only_known_columns_and_process_keys(void **state)
{
    (void)state;
    each_field(field_is_consistent);
}

static void fields_lie_one_behind_another_up_to_the_fixed_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < type_count; i++) {
        size_t at_linux = sizeof(struct wedr_event_header);
        size_t at_windows = sizeof(struct wedr_event_header);

        for (size_t k = 0; k < types[i].field_count; k++) {
            const struct wedr_field_info *f = &types[i].fields[k];

            if (f->derived) {
                continue;
            }
            if ((f->os_mask & WEDR_OSM_LINUX) != 0) {
                assert_int_equal(f->offset_linux, at_linux);
                at_linux += f->size;
            }
            if ((f->os_mask & WEDR_OSM_WINDOWS) != 0) {
                assert_int_equal(f->offset_windows, at_windows);
                at_windows += f->size;
            }
        }
        assert_int_equal(types[i].fixed_linux, at_linux);
        assert_int_equal(types[i].fixed_windows, at_windows);
    }
}

/* On one system a type has each raw key, each process key and each column once. */
static void no_key_appears_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < type_count; i++) {
        for (size_t k = 0; k < types[i].field_count; k++) {
            for (size_t m = 0; m < k; m++) {
                const struct wedr_field_info *a = &types[i].fields[k];
                const struct wedr_field_info *b = &types[i].fields[m];

                if ((a->os_mask & b->os_mask) == 0) {
                    continue;
                }
                assert_true(a->name[0] == '\0' || strcmp(a->name, b->name) != 0);
                assert_true(a->process_key[0] == '\0' ||
                            strcmp(a->process_key, b->process_key) != 0);
                assert_true(a->sql[0] == '\0' || strcmp(a->sql, b->sql) != 0);
            }
        }
    }
}

static void kernel_types_say_whose_process_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < type_count && types[i].code < 64; i++) {
        bool pid = false, key = false;

        for (size_t k = 0; k < types[i].field_count; k++) {
            const struct wedr_field_info *f = &types[i].fields[k];

            pid = pid || (strcmp(f->sql, "pid") == 0 && f->required) ||
                  (strcmp(f->process_key, "pid") == 0 && f->required);
            key = key || strcmp(f->sql, "process_key") == 0;
        }
        assert_true(pid);
        assert_true(key);
    }
}

static void process_create_has_what_the_ledger_check_searches_for(void **state)
{
    static const char *const need[] = {"pid", "process_key", "image_path", "command_line", "comm"};
    const struct wedr_type_info *t = wedr_type_by_code(WEDR_EV_PROCESS_CREATE);

    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(need); i++) {
        assert_non_null(wedr_type_field(t, WEDR_OS_LINUX, need[i]));
    }
    assert_int_equal(wedr_type_field(t, WEDR_OS_LINUX, "command_line")->kind, WEDR_KIND_ARGV);
    assert_int_equal(wedr_type_field(t, WEDR_OS_WINDOWS, "command_line")->kind, WEDR_KIND_STR);
    assert_null(wedr_type_field(t, WEDR_OS_WINDOWS, "comm"));
    assert_null(wedr_type_field(t, WEDR_OS_LINUX, "existing")); /* derived */
}

static void labels_translate_both_ways(void **state)
{
    static const struct {
        uint8_t kind;
        uint32_t code;
        const char *text;
    } some[] = {{WEDR_KIND_REGISTRY_OP, 1, "SetValue"}, {WEDR_KIND_HANDLE_OP, 20, "ProcMem"},
                {WEDR_KIND_NET_PROTOCOL, 6, "tcp"},     {WEDR_KIND_LOSS_REASON, 24, "rejected"},
                {WEDR_KIND_GAP_REASON, 1, "host_off"},  {WEDR_KIND_EXEC_FLAGS, 0x100, "compat"},
                {WEDR_KIND_FILE_OP, 9, "Setxattr"}};
    uint32_t code = 0;

    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(some); i++) {
        assert_string_equal(wedr_label_text(some[i].kind, some[i].code), some[i].text);
        assert_int_equal(wedr_label_code(some[i].kind, some[i].text, strlen(some[i].text), &code),
                         WEDR_OK);
        assert_int_equal(code, some[i].code);
    }
    code = 77;
    assert_null(wedr_label_text(WEDR_KIND_REGISTRY_OP, 99));
    assert_null(wedr_label_text(WEDR_KIND_U32, 1));
    assert_int_equal(wedr_label_code(WEDR_KIND_REGISTRY_OP, "tcp", 3, &code), WEDR_E_NOENT);
    assert_int_equal(wedr_label_code(WEDR_KIND_NET_PROTOCOL, "tc", 2, &code), WEDR_E_NOENT);
    assert_int_equal(code, 77);
}

static void losses_before_the_agent_fit_the_sensors_counters(void **state)
{
    (void)state;
    for (uint32_t code = 1; code < 16; code++) {
        bool known = wedr_label_text(WEDR_KIND_LOSS_REASON, code) != NULL;

        assert_true(!known || code < WEDR_SENSOR_LOST_REASONS);
    }
}

static void names_of_the_kernel_streams_are_valid(void **state)
{
    static const char *const names[] = {WEDR_STREAM_NAME_CRITICAL, WEDR_STREAM_NAME_BULK,
                                        WEDR_STREAM_NAME_AGENT, WEDR_STREAM_NAME_ALERT};

    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(names); i++) {
        assert_true(wedr_stream_name_valid(names[i], strlen(names[i])));
    }
}

static void process_keys_of_one_nanosecond_differ(void **state)
{
    (void)state;
    assert_true(wedr_linux_process_key(5, 1) != wedr_linux_process_key(5, 2));
    assert_true(wedr_linux_process_key(5, 4194303) != wedr_linux_process_key(5, 0));
    assert_true(wedr_linux_process_key(1000, 3) == (1000ull ^ 3ull << 42));
}

static int load(void **state)
{
    (void)state;
    types = wedr_types(&type_count);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_rise_by_code_and_have_unique_names),
        cmocka_unit_test(every_type_is_found_by_code_and_name),
        cmocka_unit_test(modules_follow_the_code),
        cmocka_unit_test(fields_name_only_known_columns_and_process_keys),
        cmocka_unit_test(fields_lie_one_behind_another_up_to_the_fixed_size),
        cmocka_unit_test(no_key_appears_twice),
        cmocka_unit_test(kernel_types_say_whose_process_it_was),
        cmocka_unit_test(process_create_has_what_the_ledger_check_searches_for),
        cmocka_unit_test(labels_translate_both_ways),
        cmocka_unit_test(losses_before_the_agent_fit_the_sensors_counters),
        cmocka_unit_test(names_of_the_kernel_streams_are_valid),
        cmocka_unit_test(process_keys_of_one_nanosecond_differ),
    };

    return cmocka_run_group_tests(tests, load, NULL);
}
