/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "detect_lab.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct lab l;

static int set_up(void **state)
{
    (void)state;
    lab_open(&l);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lab_close(&l);
    return 0;
}

#define EPOCH_TEXT "fedcba9876543210"
#define EVIDENCE(event) \
    "[{\"epoch\":\"" EPOCH_TEXT "\",\"stream\":\"kernel.critical\",\"seq\":7" event "}]"

static void put_alerts(unsigned first, unsigned count, const char *evidence)
{
    struct tb b;
    tb_init(&b, "alert");
    for (unsigned i = 0; i < count; i++) {
        lab_alert(&b, first + i, first + i, evidence);
    }
    lab_put(&l, &b);
}

static void an_alert_line_becomes_a_row_with_its_evidence(void **state)
{
    (void)state;
    lab_start(&l);
    put_alerts(1, 1, EVIDENCE(",\"event\":{\"a\":[1, 2],\"big\":18446744073709551615}"));
    lab_settle(&l);
    assert_string_equal(
        lab_sql(&l, "SELECT agent_id, hostname, origin, ts, rule_id, severity, tags, pid, "
                    "suppressed, rules_serial, ancestry FROM alerts"),
        "[{\"agent_id\":\"" TB_AGENT "\",\"hostname\":\"host-a\",\"origin\":\"agent\",\"ts\":"
        "1795478400000000,\"rule_id\":\"r1\",\"severity\":\"high\",\"tags\":"
        "\"[\\\"attack.t1059\\\"]\",\"pid\":77,\"suppressed\":2,\"rules_serial\":\"5\","
        "\"ancestry\":\"[]\"}]\n");
    assert_string_equal(
        lab_sql(&l, "SELECT agent_id, epoch, stream, seq, event FROM alert_evidence"),
        "[{\"agent_id\":\"" TB_AGENT "\",\"epoch\":\"" EPOCH_TEXT
        "\",\"stream\":\"kernel.critical\",\"seq\":7,\"event\":"
        "\"{\\\"a\\\":[1, 2],\\\"big\\\":18446744073709551615}\"}]\n");
}

static void the_same_alert_again_is_stored_once(void **state)
{
    (void)state;
    struct wedr_detect_stats stats;
    lab_start(&l);
    put_alerts(1, 3, "[]");
    struct tb b;
    tb_init(&b, "alert");
    lab_alert(&b, 4, 2, "[]");
    lab_alert(&b, 5, 9, "[]");
    lab_put(&l, &b);
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 4);
    wedr_detect_stats(l.detect, &stats);
    assert_int_equal(stats.alerts_again, 1);
}

static void another_agent_cannot_take_an_alerts_place(void **state)
{
    (void)state;
    struct tb b;
    lab_start(&l);
    tb_init(&b, "alert");
    b.agent = TB_AGENT2;
    lab_alert(&b, 1, 1, "[]");
    lab_put(&l, &b);
    put_alerts(1, 1, "[]");
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts WHERE agent_id='" TB_AGENT "'"), 1);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 2);
}

static void hostile_alerts_are_counted_and_cost_only_themselves(void **state)
{
    (void)state;
    struct wedr_detect_stats stats;
    static const char *const evidence[] = {
        "[]",
        "{}",
        "[1,\"x\",null,[],{}]",
        "[{\"epoch\":\"zz\",\"stream\":\"kernel.critical\",\"seq\":1}]",
        "[{\"epoch\":\"" EPOCH_TEXT "\",\"stream\":\"../..\",\"seq\":1}]",
        "[{\"epoch\":\"" EPOCH_TEXT "\",\"stream\":\"alert\",\"seq\":-1}]",
        "[{\"epoch\":\"" EPOCH_TEXT "\",\"stream\":\"alert\",\"seq\":99999999999999999999}]",
        "[{\"seq\":1,\"epoch\":\"" EPOCH_TEXT "\",\"x\":\"}]\\\"\",\"stream\":\"alert\","
        "\"event\":\"text\"}]",
    };
    lab_start(&l);
    struct tb b;
    tb_init(&b, "alert");
    for (unsigned i = 0; i < WEDR_ARRAY_COUNT(evidence); i++) {
        lab_alert(&b, i + 1, i + 1, evidence[i]);
    }
    tb_line(
        &b, 9,
        "{\"ts\":\"%s\",\"module\":\"agent\",\"event_type\":\"alert\",\"raw\":{\"alert_id\":"
        "\"../../x\",\"entity\":\"e\",\"event_time\":\"%s\",\"evidence\":[],\"match_count\":1,"
        "\"rule_id\":\"r\",\"rule_language\":\"sigma\",\"rule_title\":\"t\",\"rules_serial\":"
        "\"5\",\"severity\":\"high\",\"severity_code\":4,\"suppressed\":0},\"source\":\"agent\","
        "\"kind\":\"Alert\",\"event_version\":7,\"seq\":9}",
        tb_time(TB_T0), tb_time(TB_T0));
    lab_alert(&b, 10, 10, "[]");
    lab_put(&l, &b);
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 8);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alert_evidence"), 1);
    wedr_detect_stats(l.detect, &stats);
    assert_int_equal(stats.alerts_malformed, 1);
}

static void huge_evidence_is_cut_and_the_alert_is_kept(void **state)
{
    (void)state;
    size_t n = 300000;
    char *evidence = malloc(3 * n);
    assert_non_null(evidence);
    int at = sprintf(evidence, "[{\"epoch\":\"" EPOCH_TEXT "\",\"stream\":\"alert\",\"seq\":1,"
                               "\"event\":{\"a\":\"");
    memset(evidence + at, 'x', n);
    at += (int)n;
    at += sprintf(evidence + at, "\"}}");
    for (unsigned i = 0; i < 200; i++) {
        at += sprintf(evidence + at,
                      ",{\"epoch\":\"" EPOCH_TEXT "\",\"stream\":\"alert\",\"seq\":"
                      "%u,\"event\":{}}",
                      i + 2);
    }
    (void)sprintf(evidence + at, "]");
    lab_start(&l);
    put_alerts(1, 1, evidence);
    lab_settle(&l);
    free(evidence);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 1);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alert_evidence"), WEDR_ALERT_EVIDENCE_MAX);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alert_evidence WHERE event IS NULL"), 1);
}

static void many_alerts_of_one_batch_are_all_stored(void **state)
{
    (void)state;
    lab_start(&l);
    put_alerts(1, 5000, EVIDENCE(",\"event\":{\"k\":\"v\"}"));
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 5000);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alert_evidence"), 5000);
}

static void what_was_stored_before_a_stop_is_read_after_it_and_once(void **state)
{
    (void)state;
    lab_start(&l);
    put_alerts(1, 2, "[]");
    lab_settle(&l);
    lab_stop(&l);
    put_alerts(3, 2, "[]");
    lab_start(&l);
    put_alerts(5, 2, "[]");
    lab_settle(&l);
    assert_string_equal(lab_sql(&l, "SELECT group_concat(rule_id, ' ') r FROM alerts"),
                        "[{\"r\":\"r1 r2 r3 r4 r5 r6\"}]\n");
}

/* The order of arrival begins anew when the newest day files are lost: what comes then lies before
 * the place that was reached. */
static void alerts_are_found_after_the_event_store_was_lost(void **state)
{
    (void)state;
    char command[128];
    struct wedr_errinfo ei = {""};
    lab_start(&l);
    for (unsigned i = 1; i <= 3; i++) {
        put_alerts(i, 1, "[]");
    }
    lab_settle(&l);
    lab_stop(&l);
    wedr_events_embedded.close(l.events);
    (void)snprintf(command, sizeof(command), "rm -r %s/events", l.dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(wedr_events_embedded.open(l.dir, &l.events, &ei), WEDR_OK);
    lab_start(&l);
    put_alerts(4, 1, "[]");
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 4);
}

static void events_of_before_the_first_start_are_left_alone(void **state)
{
    (void)state;
    put_alerts(1, 2, "[]");
    lab_start(&l);
    lab_settle(&l);
    put_alerts(3, 1, "[]");
    lab_settle(&l);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts"), 1);
}

static void responses_are_kept(void **state)
{
    (void)state;
    struct tb b;
    lab_start(&l);
    tb_init(&b, "alert");
    tb_line(
        &b, 1,
        "{\"ts\":\"%s\",\"module\":\"agent\",\"event_type\":\"response\",\"process\":{\"pid\":5,"
        "\"key\":\"00000000000000aa\"},\"raw\":{\"action\":\"kill\",\"action_code\":1,"
        "\"alert_id\":\"%032x\",\"detail\":\"gone\",\"duration_us\":12,\"pid\":5,"
        "\"process_key\":\"00000000000000aa\",\"result\":\"done\",\"result_code\":1,"
        "\"rule_id\":\"r\"},\"source\":\"agent\",\"kind\":\"Response\",\"event_version\":7,"
        "\"seq\":1}",
        tb_time(TB_T0), 9);
    lab_put(&l, &b);
    lab_settle(&l);
    assert_string_equal(lab_sql(&l, "SELECT action, result, pid, process_key, detail, duration_us "
                                    "FROM responses"),
                        "[{\"action\":\"kill\",\"result\":\"done\",\"pid\":5,\"process_key\":"
                        "\"00000000000000aa\",\"detail\":\"gone\",\"duration_us\":12}]\n");
}

static void processes_form_a_tree(void **state)
{
    (void)state;
    struct tb b;
    lab_start(&l);
    tb_init(&b, "kernel.critical");
    tb_create(&b, 1, TB_T0, 10, 1, "/usr/sbin/sshd", "-D");
    tb_fork(&b, 2, TB_T0 + 1, 11, 10);
    tb_create(&b, 3, TB_T0 + 2, 11, 10, "/bin/bash", "-c");
    tb_create(&b, 4, TB_T0 + 3, 12, 11, "/usr/bin/id", "-u");
    lab_put(&l, &b);
    lab_settle(&l);
    assert_string_equal(
        lab_sql(&l, "SELECT pid, ppid, image_path, started FROM process_tree ORDER BY pid"),
        "[{\"pid\":10,\"ppid\":1,\"image_path\":\"/usr/sbin/sshd\",\"started\":1795478400000000},\n"
        "{\"pid\":11,\"ppid\":10,\"image_path\":\"/bin/bash\",\"started\":1795478400000001},\n"
        "{\"pid\":12,\"ppid\":11,\"image_path\":\"/usr/bin/id\",\"started\":1795478400000003}]\n");
}

static void the_processes_of_an_agent_are_bounded(void **state)
{
    (void)state;
    struct wedr_detect_stats stats;
    const unsigned count = WEDR_PROCESSES_AGENT_KEPT + 3000;
    lab_start(&l);
    for (unsigned i = 0; i < count; i += 1024) {
        struct tb b;
        tb_init(&b, "kernel.critical");
        for (unsigned k = i; k < i + 1024; k++) {
            tb_fork(&b, k + 1, TB_T0 + k, 1000 + k, 1);
        }
        lab_put(&l, &b);
    }
    lab_settle(&l);
    assert_true(lab_int(&l, "SELECT count(*) FROM process_tree") <= WEDR_PROCESSES_AGENT_KEPT);
    wedr_detect_stats(l.detect, &stats);
    assert_true(stats.processes_dropped > 0);
}

static void sql_reads_the_state_through_its_views_alone(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "SELECT * FROM state.token", "SELECT * FROM token, alerts", "SELECT * FROM state.alert",
        "DELETE FROM alerts", "SELECT bytes FROM state.bundle, alerts",
        "SELECT count(*) FROM state.token, alerts", "ATTACH 'x' AS alerts",
        /* names of our views, given to something else */
        "WITH alerts AS (SELECT hash FROM state.token) SELECT * "
        "FROM alerts",
        "WITH rules AS MATERIALIZED (SELECT bytes FROM state.bundle) "
        "SELECT * FROM rules",
        "WITH process_tree AS (SELECT sign_public FROM state.agent) "
        "SELECT * FROM process_tree",
        "WITH alerts AS (SELECT name FROM state.sqlite_master) "
        "SELECT * FROM alerts",
        "SELECT * FROM (SELECT hash FROM state.token) AS alerts"};
    struct wedr_errinfo ei = {""};
    char text[256];
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        FILE *out = fmemopen(text, sizeof(text), "w");
        assert_non_null(out);
        if (wedr_sql_run(l.dir, bad[i], true, 10000, out, &ei) == WEDR_OK) {
            fail_msg("%s", bad[i]);
        }
        (void)fclose(out);
    }
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM rules"), 0);
    assert_int_equal(lab_int(&l, "SELECT count(*) FROM alerts a JOIN alert_evidence e USING "
                                 "(alert_id) JOIN responses r USING (alert_id)"),
                     0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_alert_line_becomes_a_row_with_its_evidence),
        T(the_same_alert_again_is_stored_once),
        T(another_agent_cannot_take_an_alerts_place),
        T(hostile_alerts_are_counted_and_cost_only_themselves),
        T(huge_evidence_is_cut_and_the_alert_is_kept),
        T(many_alerts_of_one_batch_are_all_stored),
        T(what_was_stored_before_a_stop_is_read_after_it_and_once),
        T(alerts_are_found_after_the_event_store_was_lost),
        T(events_of_before_the_first_start_are_left_alone),
        T(responses_are_kept),
        T(processes_form_a_tree),
        T(the_processes_of_an_agent_are_bounded),
        T(sql_reads_the_state_through_its_views_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
