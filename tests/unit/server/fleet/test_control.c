/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "core/util/buf.h"
#include "fleet/command_payload.h"
#include "fleet/control.h"
#include <string.h>

#define KEY "0123456789abcdef"
#define BOOT "00112233445566778899aabbccddeeff"
#define ALERT                                                                                \
    "{\"ts\":\"2026-11-26T20:00:00.5Z\",\"rule_id\":\"r\",\"rule_name\":\"n\",\"severity\":" \
    "\"medium\",\"module\":\"plugin\",\"action_taken\":\"kill\",\"evidence\":{\"pid\":7,"    \
    "\"process_key\":\"" KEY "\"}}"

static struct wedr_fleet_ack ack;
static struct wedr_fleet_alerts alerts;

static int parse_ack(const char *text)
{
    struct wedr_errinfo ei = {""};
    int err = wedr_fleet_ack_parse(text, strlen(text), &ack, &ei);
    assert_true((err == WEDR_OK) == (ei.text[0] == '\0'));
    return err;
}

static void acks_are_read(void **state)
{
    (void)state;
    assert_int_equal(parse_ack("{\"status\":\"completed\"}"), WEDR_OK);
    assert_true(ack.success);
    assert_string_equal(ack.result, "{}");
    assert_int_equal(parse_ack("{\"status\":\"failed\",\"result\":{\"b\": 1,\"a\":\"x\"}}"),
                     WEDR_OK);
    assert_false(ack.success);
    assert_string_equal(ack.result, "{\"a\":\"x\",\"b\":1}");
}

static void bad_acks_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"status\":\"done\"}",
                                      "{\"status\":1}",
                                      "{\"status\":\"success\",\"result\":[]}",
                                      "{\"status\":\"success\",\"more\":1}",
                                      "{\"status\":\"success\",\"status\":\"failed\"}"};
    struct wedr_buf b;
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        assert_int_equal(parse_ack(bad[i]), WEDR_E_FORMAT);
    }
    wedr_buf_init(&b, 65536);
    wedr_buf_adds(&b, "{\"status\":\"success\",\"result\":{\"a\":\"");
    for (size_t i = 0; i < WEDR_COMMAND_RESULT_MAX; i++) {
        wedr_buf_adds(&b, "x");
    }
    wedr_buf_adds(&b, "\"}}");
    assert_int_equal(wedr_fleet_ack_parse(b.p, b.len, &ack, NULL), WEDR_E_LIMIT);
    wedr_buf_fini(&b);
}

static int parse_alerts(const char *agent, const char *text)
{
    struct wedr_errinfo ei = {""};
    int err = wedr_fleet_alerts_parse(agent, text, strlen(text), &alerts, &ei);
    assert_true((err == WEDR_OK) == (ei.text[0] == '\0'));
    return err;
}

static void alerts_are_read_and_their_ids_are_their_content(void **state)
{
    char first[33];
    (void)state;
    assert_int_equal(parse_alerts("a", "{\"alerts\":[" ALERT "]}"), WEDR_OK);
    assert_true(alerts.count == 1 && alerts.skipped == 0);
    assert_true(alerts.v[0].ts_us == INT64_C(1795723200500000));
    assert_string_equal(alerts.v[0].severity, "medium");
    assert_string_equal(alerts.v[0].process_key, KEY);
    assert_true(alerts.v[0].killed && alerts.v[0].pid == 7);
    assert_string_equal(alerts.v[0].evidence, "{\"pid\":7,\"process_key\":\"" KEY "\"}");
    memcpy(first, alerts.v[0].id, sizeof(first));
    wedr_fleet_alerts_fini(&alerts);
    assert_int_equal(parse_alerts("a", "{ \"alerts\" : [ " ALERT " ] }"), WEDR_OK);
    assert_string_equal(alerts.v[0].id, first);
    wedr_fleet_alerts_fini(&alerts);
    assert_int_equal(parse_alerts("b", "{\"alerts\":[" ALERT "]}"), WEDR_OK);
    assert_string_not_equal(alerts.v[0].id, first);
    wedr_fleet_alerts_fini(&alerts);
}

static void what_is_no_alert_is_skipped_and_counted(void **state)
{
    (void)state;
    assert_int_equal(parse_alerts("a", "{\"alerts\":[1,{}," ALERT ",{\"ts\":\"2026-11-26\"}]}"),
                     WEDR_OK);
    assert_true(alerts.count == 1 && alerts.skipped == 3);
    wedr_fleet_alerts_fini(&alerts);
    assert_int_equal(parse_alerts("a", "{\"alerts\":{}}"), WEDR_E_FORMAT);
    assert_int_equal(parse_alerts("a", "{\"alerts\":[],\"more\":1}"), WEDR_E_FORMAT);
    assert_int_equal(parse_alerts("a", "{\"alerts\":[]}"), WEDR_OK);
}

static void more_alerts_than_allowed_are_refused(void **state)
{
    struct wedr_buf b;
    (void)state;
    wedr_buf_init(&b, 65536);
    wedr_buf_adds(&b, "{\"alerts\":[0");
    for (size_t i = 0; i < WEDR_FLEET_ALERTS_MAX; i++) {
        wedr_buf_adds(&b, ",0");
    }
    wedr_buf_adds(&b, "]}");
    assert_int_equal(wedr_fleet_alerts_parse("a", b.p, b.len, &alerts, NULL), WEDR_E_LIMIT);
    wedr_buf_fini(&b);
}

/* --- Payloads. */

static struct wedr_command c;
static char text[WEDR_COMMAND_PAYLOAD_MAX + 1];

static int take(const char *type, const char *payload, const char *status)
{
    struct wedr_command_target t;
    struct wedr_errinfo ei = {""};
    json_t *o = payload ? json_loads(payload, JSON_DECODE_ANY, NULL) : NULL;
    memset(&c, 0, sizeof(c));
    wedr_command_target_read(status, &t);
    int err = wedr_command_payload_take(type, o, &t, &c, text, &ei);
    assert_true((err == WEDR_OK) == (ei.text[0] == '\0'));
    json_decref(o);
    return err;
}

#define PROCESS "\"pid\":42,\"process_key\":\"" KEY "\""

static void a_kill_names_its_process_and_boot(void **state)
{
    (void)state;
    assert_int_equal(take("kill_process", "{" PROCESS "}", "{\"boot_id\":\"" BOOT "\"}"), WEDR_OK);
    assert_string_equal(text, "{" PROCESS ",\"boot_id\":\"" BOOT "\"}");
    assert_true(c.type == WEDR_COMMAND_KILL_PROCESS && c.kill.pid == 42 &&
                c.kill.process_key == 0x0123456789abcdefu && c.kill.boot_id[15] == 0xff);
    assert_int_equal(take("kill_process", "{" PROCESS ",\"boot_id\":\"" BOOT "\"}", "{}"), WEDR_OK);
    assert_int_equal(take("kill_process", "{" PROCESS "}", "{}"), WEDR_E_STATE);
    assert_int_equal(take("kill_process", "{" PROCESS "}", "no json"), WEDR_E_STATE);
}

static void bad_payloads_are_refused(void **state)
{
    static const char *const bad[] = {
        NULL,
        "[]",
        "{}",
        "{\"pid\":0,\"process_key\":\"" KEY "\"}",
        "{\"pid\":4294967296,\"process_key\":\"" KEY "\"}",
        "{\"pid\":\"1\",\"process_key\":\"" KEY "\"}",
        "{\"pid\":1,\"process_key\":\"0000000000000000\"}",
        "{\"pid\":1,\"process_key\":\"123\"}",
        "{" PROCESS ",\"boot_id\":\"x\"}",
        "{" PROCESS ",\"boot_id\":7}",
        "{" PROCESS ",\"signal\":9}",
    };
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        assert_int_equal(take("kill_process", bad[i], "{\"boot_id\":\"" BOOT "\"}"), WEDR_E_FORMAT);
    }
    assert_int_equal(take("update_rules", "{\"a\":1}", "{}"), WEDR_E_FORMAT);
    assert_int_equal(take("update_rules", NULL, "{}"), WEDR_OK);
    assert_string_equal(text, "{}");
}

static void only_what_the_agent_takes_is_accepted(void **state)
{
    (void)state;
    assert_int_equal(take("run_shell", "{}", "{}"), WEDR_E_UNSUP);
    assert_int_equal(take("update_rules", "{}", "{\"commands\":[]}"), WEDR_E_UNSUP);
    assert_int_equal(take("update_rules", "{}", "{\"commands\":[\"kill_process\",7]}"),
                     WEDR_E_UNSUP);
    assert_int_equal(take("update_rules", "{}", "{\"commands\":[\"x\",\"update_rules\"]}"),
                     WEDR_OK);
}

static void a_stored_command_is_read_back(void **state)
{
    struct wedr_command_row row = {.id = "f0f1f2f3-f4f5-46f7-88f9-fafbfcfdfeff",
                                   .type = "kill_process",
                                   .payload = "{" PROCESS ",\"boot_id\":\"" BOOT "\"}",
                                   .counter = 9,
                                   .created_us = 10,
                                   .expires_us = 20};
    (void)state;
    assert_int_equal(wedr_command_of_row(&row, &c), WEDR_OK);
    assert_true(c.counter == 9 && c.issued_us == 10 && c.expires_us == 20 && c.kill.pid == 42);
    assert_true(c.id[0] == 0xf0 && c.id[15] == 0xff);
    row.payload = "{" PROCESS "}";
    assert_int_equal(wedr_command_of_row(&row, &c), WEDR_E_CORRUPT);
    row.type = "later";
    assert_int_equal(wedr_command_of_row(&row, &c), WEDR_E_CORRUPT);
    row.type = "update_rules";
    row.payload = "{}";
    row.id = "f0f1";
    assert_int_equal(wedr_command_of_row(&row, &c), WEDR_E_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acks_are_read),
        cmocka_unit_test(bad_acks_are_refused),
        cmocka_unit_test(alerts_are_read_and_their_ids_are_their_content),
        cmocka_unit_test(what_is_no_alert_is_skipped_and_counted),
        cmocka_unit_test(more_alerts_than_allowed_are_refused),
        cmocka_unit_test(a_kill_names_its_process_and_boot),
        cmocka_unit_test(bad_payloads_are_refused),
        cmocka_unit_test(only_what_the_agent_takes_is_accepted),
        cmocka_unit_test(a_stored_command_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
