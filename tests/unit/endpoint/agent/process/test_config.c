/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "core/base/err.h"
#include "proc_test.h"
#include <string.h>

static int parse(const char *json, struct wedr_agent_cfg *c, struct wedr_errinfo *ei)
{
    return wedr_agent_config_parse(json, strlen(json), c, ei);
}

static void no_file_gives_the_defaults(void **state)
{
    struct wedr_agent_cfg c;
    const char *dir = p_dir();
    (void)state;
    assert_int_equal(wedr_agent_config_load(dir, &c, NULL), WEDR_OK);
    assert_int_equal(c.max_age_ms, 1000);
    assert_int_equal(c.core_uid, 60901);
    assert_int_equal(c.net_uid, 60902);
    assert_true(c.shipper_enabled);
    assert_string_equal(c.log_level, "info");
    p_remove(dir);
}

static void file_is_parsed_by_a_child_and_overrides_what_it_names(void **state)
{
    struct wedr_agent_cfg c;
    const char *dir = p_dir();
    static const char text[] =
        "{\"agent\": {\"max_age_ms\": 200}, \"shipper\": {\"enabled\": false}}";
    (void)state;
    p_write(dir, "agent.json", text, sizeof(text) - 1, 0600);
    assert_int_equal(wedr_agent_config_load(dir, &c, NULL), WEDR_OK);
    assert_int_equal(c.max_age_ms, 200);
    assert_false(c.shipper_enabled);
    assert_int_equal(c.zstd_level, 3);
    p_remove(dir);
}

static void file_that_others_may_change_is_refused(void **state)
{
    struct wedr_agent_cfg c;
    struct wedr_errinfo ei = {""};
    const char *dir = p_dir();
    (void)state;
    p_write(dir, "agent.json", "{}", 2, 0666);
    assert_int_equal(wedr_agent_config_load(dir, &c, &ei), WEDR_E_PERM);
    assert_non_null(strstr(ei.text, "agent.json"));
    p_remove(dir);
}

static void unknown_key_is_an_error_with_its_line(void **state)
{
    struct wedr_agent_cfg c;
    struct wedr_errinfo ei = {""};
    (void)state;
    assert_int_equal(parse("{\"agent\": {\n\"max_age_ms\": 200,\n\"max_agee_ms\": 1}}", &c, &ei),
                     WEDR_E_FORMAT);
    assert_non_null(strstr(ei.text, "line 3"));
}

static void values_that_make_no_sense_are_refused(void **state)
{
    struct wedr_agent_cfg c;
    (void)state;
    assert_int_equal(parse("{\"agent\": {\"core_uid\": 5, \"net_uid\": 5}}", &c, NULL),
                     WEDR_E_FORMAT);
    assert_int_equal(parse("{\"agent\": {\"core_uid\": 0}}", &c, NULL), WEDR_E_FORMAT);
    assert_int_equal(parse("{\"shipper\": {\"server_url\": \"http://x\"}}", &c, NULL),
                     WEDR_E_FORMAT);
    assert_int_equal(parse("{\"shipper\": {\"server_url\": \"https://x/\"}}", &c, NULL),
                     WEDR_E_FORMAT);
    assert_int_equal(parse("{\"shipper\": {\"server_url\": \"https://x:1\"}}", &c, NULL), WEDR_OK);
    assert_int_equal(parse("{\"log\": {\"level\": \"loud\"}}", &c, NULL), WEDR_E_FORMAT);
    assert_int_equal(parse("{\"sensor\": {\"exclude_paths\": [\"/tmp/\"]}}", &c, NULL), WEDR_OK);
    assert_int_equal(parse("{\"sensor\": {\"exclude_paths\": [\"tmp/\"]}}", &c, NULL),
                     WEDR_E_FORMAT);
    assert_int_equal(parse("{\"agent\": {\"max_bytes_per_file\": 99999999}}", &c, NULL),
                     WEDR_E_FORMAT);
}

static void block_from_a_lying_parser_is_refused(void **state)
{
    struct wedr_agent_cfg good, bad, out;
    (void)state;
    assert_int_equal(parse("{}", &good, NULL), WEDR_OK);
    assert_int_equal(wedr_agent_config_check(&good, sizeof(good), &out, NULL), WEDR_OK);
    assert_int_equal(wedr_agent_config_check(&good, sizeof(good) - 1, &out, NULL), WEDR_E_FORMAT);
    bad = good;
    memset(bad.server_url, 'x', sizeof(bad.server_url));
    assert_int_equal(wedr_agent_config_check(&bad, sizeof(bad), &out, NULL), WEDR_E_FORMAT);
    bad = good;
    bad.core_uid = 0;
    assert_int_equal(wedr_agent_config_check(&bad, sizeof(bad), &out, NULL), WEDR_E_FORMAT);
    bad = good;
    memset(&bad.shipper_enabled, 2, 1);
    assert_int_equal(wedr_agent_config_check(&bad, sizeof(bad), &out, NULL), WEDR_E_FORMAT);
    bad = good;
    memset(bad.sensor.exclude_paths, '/',
           sizeof(bad.sensor.exclude_paths)); /* a list without end */
    assert_int_equal(wedr_agent_config_check(&bad, sizeof(bad), &out, NULL), WEDR_E_FORMAT);
    bad = good;
    memcpy(bad.sensor.kinds_off, "process_create\0", 16);
    assert_int_equal(wedr_agent_config_check(&bad, sizeof(bad), &out, NULL), WEDR_E_FORMAT);
    bad = good;
    bad.max_bytes_per_file = UINT64_MAX;
    assert_int_equal(wedr_agent_config_check(&bad, sizeof(bad), &out, NULL), WEDR_E_FORMAT);
}

static void a_profile_says_what_the_sensor_records_unless_the_file_forbids(void **state)
{
    static const char lines[] = "sensor.cpu_percent=7\nsensor.exclude_uids=5\n";
    static const char wrong[] = "sensor.cpu_percent=0\n";
    static const char file[] = "{\"sensor\": {\"from_profile\": false, \"cpu_percent\": 9}}";
    struct wedr_errinfo ei = {""};
    struct wedr_agent_cfg c;
    (void)state;
    const char *dir = p_dir();
    assert_int_equal(wedr_agent_config_load_with(dir, lines, strlen(lines), &c, NULL), WEDR_OK);
    assert_int_equal(c.sensor.cpu_percent, 7);
    assert_string_equal(c.sensor.exclude_uids, "5");
    assert_int_equal(wedr_agent_config_load_with(dir, wrong, strlen(wrong), &c, &ei),
                     WEDR_E_FORMAT);
    assert_int_equal(strncmp(ei.text, "profile: ", 9), 0);
    p_write(dir, "agent.json", file, sizeof(file) - 1, 0600);
    assert_int_equal(wedr_agent_config_load_with(dir, lines, strlen(lines), &c, NULL), WEDR_OK);
    assert_int_equal(c.sensor.cpu_percent, 9);
    assert_int_equal(c.sensor.exclude_uids[0], 0);
    p_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_gives_the_defaults),
        cmocka_unit_test(file_is_parsed_by_a_child_and_overrides_what_it_names),
        cmocka_unit_test(file_that_others_may_change_is_refused),
        cmocka_unit_test(unknown_key_is_an_error_with_its_line),
        cmocka_unit_test(values_that_make_no_sense_are_refused),
        cmocka_unit_test(block_from_a_lying_parser_is_refused),
        cmocka_unit_test(a_profile_says_what_the_sensor_records_unless_the_file_forbids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
