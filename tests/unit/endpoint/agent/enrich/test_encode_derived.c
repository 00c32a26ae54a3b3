/* SPDX-License-Identifier: Apache-2.0
 *
 * What a line has of other records and of what was asked: parents, names, facts, no secrets. */
#include "core/base/err.h"
#include "encode/encode.h"
#include "enrich/facts.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define UTC_US 1790000000000000

static struct wedr_encoder *enc;
static struct wedr_facts *facts;
static uint8_t mem[WEDR_RECORD_MAX];
static char line[1024 * 1024];
static const struct wedr_clock_pair pair = {1000000000u, UTC_US};

static int setup(void **state)
{
    (void)state;
    facts = wedr_facts_new();
    assert_non_null(facts);
    assert_int_equal(wedr_encoder_new(&enc), WEDR_OK);
    wedr_encoder_facts(enc, facts);
    wedr_facts_put_name(facts, false, 0, "root");
    wedr_facts_put_name(facts, false, 1000, "ada");
    wedr_facts_put_name(facts, true, 100, "users");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wedr_encoder_free(enc);
    wedr_facts_free(facts);
    return 0;
}

static struct wedr_record begin(uint16_t type)
{
    struct wedr_record r;
    assert_int_equal(wedr_record_begin(&r, mem, sizeof(mem), type, WEDR_OS_LINUX), WEDR_OK);
    return r;
}

static void set(struct wedr_record *r, const char *name, uint64_t v)
{
    assert_int_equal(wedr_record_set_uint(r, name, v), WEDR_OK);
}

static void set_bytes(struct wedr_record *r, const char *name, const char *text, size_t len)
{
    assert_int_equal(wedr_record_set_str(r, name, text, len, 0), WEDR_OK);
}

static json_t *encode(struct wedr_record *r)
{
    struct wedr_event_view v;
    json_error_t e;
    size_t len = 0;
    size_t n = wedr_record_finish(r, 42, 1001500000, WEDR_STREAM_CRITICAL, 0);
    assert_int_equal(wedr_event_decode(wedr_span(mem, n), &v), WEDR_OK);
    assert_int_equal(wedr_encode(enc, &v, pair, line, sizeof(line), &len), WEDR_OK);
    line[len] = '\0';
    json_t *j = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);
    if (!j) {
        fail_msg("%s in %s", e.text, line);
    }
    return j;
}

static json_t *run(uint64_t key, uint64_t parent, uint32_t uid, const char *argv, size_t len)
{
    struct wedr_record r = begin(WEDR_EV_PROCESS_CREATE);
    set(&r, "pid", key);
    set(&r, "process_key", key);
    set(&r, "parent_key", parent);
    set(&r, "uid", uid);
    set(&r, "euid", 0);
    set(&r, "gid", 100);
    set(&r, "login_uid", UINT32_MAX);
    set(&r, "exe_inode", 9);
    set(&r, "exe_size", 10);
    set_bytes(&r, "image_path", "/usr/bin/tool", 13);
    set_bytes(&r, "command_line", argv, len);
    set_bytes(&r, "cgroup_name", "ssh.service", 11);
    return encode(&r);
}

static const char *at(const json_t *j, const char *block, const char *key)
{
    return json_string_value(json_object_get(json_object_get(j, block), key));
}

static void parents_and_people_are_named(void **state)
{
    (void)state;
    json_decref(run(7, 1, 1000, "sh\0-i\0", 6));
    json_t *j = run(8, 7, 0, "id\0", 3);
    assert_string_equal(at(j, "raw", "parent_command_line"), "sh -i");
    assert_string_equal(at(j, "raw", "parent_user"), "ada");
    assert_string_equal(at(j, "raw", "user"), "root");
    assert_string_equal(at(j, "process", "user"), "root");
    assert_string_equal(at(j, "raw", "effective_user"), "root");
    assert_string_equal(at(j, "raw", "group"), "users");
    assert_null(at(j, "raw", "login_user"));
    assert_string_equal(at(j, "raw", "service"), "ssh.service");
    assert_null(json_object_get(json_object_get(j, "raw"), "parent_command_line_cut"));
    json_decref(j);
    j = run(9, 12345, 4242, "id\0", 3); /* nobody knows them */
    assert_null(at(j, "raw", "parent_command_line"));
    assert_null(at(j, "raw", "user"));
    assert_null(at(j, "process", "user"));
    json_decref(j);
}

static void a_long_command_line_of_a_parent_says_that_it_is_cut(void **state)
{
    static char argv[2000];
    (void)state;
    memset(argv, 'x', sizeof(argv));
    json_decref(run(7, 1, 0, argv, sizeof(argv)));
    json_t *j = run(8, 7, 0, "id\0", 3);
    assert_int_equal(strlen(at(j, "raw", "parent_command_line")), 512);
    assert_true(
        json_is_true(json_object_get(json_object_get(j, "raw"), "parent_command_line_cut")));
    json_decref(j);
}

static void every_event_of_a_user_has_the_name(void **state)
{
    size_t count = 0;
    const struct wedr_type_info *types = wedr_types(&count);
    unsigned seen = 0;
    (void)state;
    for (size_t i = 0; i < count; i++) {
        const struct wedr_field_info *uid = wedr_type_field(&types[i], WEDR_OS_LINUX, "uid");
        if (!uid || strcmp(uid->process_key, "uid") != 0) {
            continue;
        }
        const struct wedr_field_info *pid = wedr_type_field(&types[i], WEDR_OS_LINUX, "pid");
        struct wedr_record r = begin(types[i].code);
        set(&r, pid ? "pid" : "source_pid", 5);
        set(&r, "uid", 1000);
        json_t *j = encode(&r);
        const char *user = at(j, "process", "user");
        if (!user || strcmp(user, "ada") != 0) {
            fail_msg("%s", line);
        }
        json_decref(j);
        seen++;
    }
    assert_true(seen > 15);
}

static void what_is_known_of_the_file_is_in_the_line(void **state)
{
    struct wedr_msg_exe_ask m;
    struct wedr_msg_exe_facts a;
    (void)state;
    json_t *j = run(7, 1, 0, "tool\0", 5);
    assert_null(at(j, "raw", "sha256"));
    json_decref(j);
    assert_true(wedr_facts_next_ask(facts, &m));
    wedr_facts_asked(facts, &m);
    wedr_msg_begin(&a, WEDR_MSG_T_EXE_FACTS);
    a.exe = m.exe;
    a.result = WEDR_MSG_EXE_KNOWN;
    memset(a.sha256, 0xab, sizeof(a.sha256));
    wedr_msg_put_text(a.package, sizeof(a.package), "tools");
    wedr_msg_put_text(a.package_version, sizeof(a.package_version), "1.2-3");
    wedr_facts_exe_answer(facts, &a);
    j = run(8, 1, 0, "tool\0", 5);
    assert_string_equal(at(j, "raw", "sha256"),
                        "abababababababababababababababababababababababababababababababab");
    assert_string_equal(at(j, "raw", "package"), "tools");
    assert_string_equal(at(j, "raw", "package_version"), "1.2-3");
    assert_null(at(j, "raw", "build_id"));
    json_decref(j);
}

static void lines_have_no_secrets(void **state)
{
    (void)state;
    assert_int_equal(wedr_encoder_redact(enc, "password"), WEDR_OK);
    json_t *j = run(7, 1, 0, "x\0--password=hunter2\0y\0", 23);
    assert_null(strstr(line, "hunter2"));
    assert_string_equal(at(j, "raw", "command_line"), "x --password=*** y");
    assert_string_equal(at(j, "process", "command_line"), "x --password=*** y");
    const json_t *argv = json_object_get(json_object_get(j, "raw"), "argv");
    assert_string_equal(json_string_value(json_array_get(argv, 1)), "--password=***");
    assert_true(json_is_true(json_object_get(json_object_get(j, "raw"), "redacted")));
    json_decref(j);
    j = run(8, 7, 0, "id\0", 3);
    assert_string_equal(at(j, "raw", "parent_command_line"), "x --password=*** y");
    assert_null(json_object_get(json_object_get(j, "raw"), "redacted"));
    assert_int_equal(wedr_encoder_redacted(enc), 1);
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parents_and_people_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_command_line_of_a_parent_says_that_it_is_cut, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_event_of_a_user_has_the_name, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_known_of_the_file_is_in_the_line, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_have_no_secrets, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
