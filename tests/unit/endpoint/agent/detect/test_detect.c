/* SPDX-License-Identifier: Apache-2.0
 *
 * What an alert says of the events that raised it. */
#include "alert_lab.h"
#include "core/base/err.h"
#include "detect/state.h"
#include "wedr/rules/bundle.h"
#include "wedr/rules/ioc.h"
#include "wedr/rules/pipeline.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void an_alert_says_rule_process_ancestry_evidence_and_what_held(void **state)
{
    struct alert_lab *f = *state;
    lab_use(f, SHELL, 4711, 0);
    struct wedr_event_view v = rec_exec(lab_mem, 1, 5, 1, 0, "/sbin/init", "init", 4);
    lab_show(f, &v, "kernel.critical");
    v = rec_exec(lab_mem, 2, 6, 7, 1, "/usr/sbin/sshd", "sshd", 4);
    lab_show(f, &v, "kernel.critical");
    f->seq = 2;
    lab_run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(lab_collect(f), 1);
    json_t *j = json_array_get(f->lines, 0), *r = lab_raw(f, 0);
    assert_string_equal(lab_text(j, "event_type"), "alert");
    assert_string_equal(lab_text(j, "module"), "agent");
    assert_string_equal(lab_text(r, "rule_id"), "shell");
    assert_string_equal(lab_text(r, "rule_title"), "title of shell");
    assert_string_equal(lab_text(r, "rule_language"), "sigma");
    assert_string_equal(lab_text(r, "severity"), "high");
    assert_string_equal(lab_text(r, "rules_serial"), "4711");
    assert_string_equal(lab_text(r, "profile"), "test");
    assert_string_equal(lab_text(r, "image_path"), "/bin/sh");
    assert_string_equal(lab_text(r, "command_line"), "sh -c evil");
    assert_string_equal(lab_text(r, "user"), "1000");
    assert_string_equal(lab_text(r, "event_time"), "2025-11-24T16:00:00.013000Z");
    assert_int_equal(lab_number(r, "pid"), 8);
    assert_int_equal(lab_number(json_object_get(j, "process"), "pid"), 8);
    assert_string_equal(json_string_value(json_array_get(json_object_get(r, "tags"), 0)),
                        "attack.t1059");
    assert_string_equal(json_string_value(json_array_get(json_object_get(r, "actions"), 0)),
                        "alert");
    json_t *ev = json_array_get(json_object_get(r, "evidence"), 0);
    assert_string_equal(lab_text(ev, "epoch"), "1122334455667788");
    assert_string_equal(lab_text(ev, "stream"), "kernel.critical");
    assert_int_equal(lab_number(ev, "seq"), 3);
    assert_string_equal(
        lab_text(json_object_get(json_object_get(ev, "event"), "raw"), "command_line"),
        "sh -c evil");
    json_t *an = json_object_get(r, "ancestry");
    assert_int_equal(json_array_size(an), 3);
    assert_string_equal(lab_text(json_array_get(an, 1), "image_path"), "/usr/sbin/sshd");
    assert_string_equal(lab_text(json_array_get(an, 2), "image_path"), "/sbin/init");
    assert_string_equal(lab_text(json_array_get(an, 2), "started"), "2025-11-24T16:00:00.001000Z");
    json_t *held = json_object_get(r, "matched");
    assert_int_equal(json_array_size(held), 2);
    assert_string_equal(lab_text(json_array_get(held, 0), "value"), "/bin/sh");
}

static void w02_only_the_event_that_matches_raises_an_alert(void **state)
{
    struct alert_lab *f = *state;
    lab_use(f, SHELL, 1, 0);
    lab_run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(lab_collect(f), 1);
    lab_run(f, 9, "/bin/sh", "sh -c good");
    lab_run(f, 10, "/bin/ls", "evil");
    assert_int_equal(lab_collect(f), 0);
}

static void the_same_match_has_the_same_id_and_another_one_another(void **state)
{
    struct alert_lab *f = *state;
    char first[33];
    lab_use(f, SHELL, 1, 0);
    f->seq = 40;
    lab_run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(lab_collect(f), 1);
    (void)snprintf(first, sizeof(first), "%s", lab_text(lab_raw(f, 0), "alert_id"));
    assert_int_equal(strlen(first), 32);
    lab_run(f, 9, "/bin/sh", "sh -c evil");
    assert_int_equal(lab_collect(f), 1);
    assert_string_not_equal(lab_text(lab_raw(f, 0), "alert_id"), first);
    /* A new process of the agent, other rules around it, the same record read again. */
    void *again = NULL;
    (void)lab_set_up(&again);
    struct alert_lab *g = again;
    lab_use(g, RULE("other", "CommandLine|contains: vil") "---\n" SHELL, 2, 0);
    g->seq = 40;
    lab_run(g, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(lab_collect(g), 2);
    assert_true(strcmp(lab_text(lab_raw(g, 0), "alert_id"), first) == 0 ||
                strcmp(lab_text(lab_raw(g, 1), "alert_id"), first) == 0);
    (void)lab_tear_down(&again);
}

#define COUNT_RULE                                                                 \
    SHELL "---\ntitle: many\nid: many\nlevel: critical\ncorrelation:\n"            \
          "  type: event_count\n  rules: [shell]\n  group-by: [ParentProcessId]\n" \
          "  timespan: 1h\n  condition: {gte: 3}\n"

static void w02_a_correlation_shows_the_events_that_it_counted(void **state)
{
    struct alert_lab *f = *state;
    lab_use(f, COUNT_RULE, 1, 0);
    lab_run(f, 8, "/bin/sh", "sh -c evil 1");
    lab_run(f, 9, "/bin/ls", "harmless");
    lab_run(f, 10, "/bin/sh", "sh -c evil 2");
    assert_int_equal(lab_collect(f), 0); /* the rule itself only feeds the count */
    lab_run(f, 11, "/bin/sh", "sh -c evil 3");
    assert_int_equal(lab_collect(f), 1);
    json_t *r = lab_raw(f, 0), *ev = json_object_get(r, "evidence");
    assert_string_equal(lab_text(r, "rule_id"), "many");
    assert_string_equal(lab_text(r, "severity"), "critical");
    assert_string_equal(lab_text(r, "entity"), "7");
    assert_int_equal(lab_number(r, "match_count"), 3);
    assert_int_equal(json_array_size(ev), 3);
    static const char *const want[] = {"sh -c evil 1", "sh -c evil 2", "sh -c evil 3"};
    for (size_t i = 0; i < 3; i++) {
        json_t *e = json_object_get(json_array_get(ev, i), "event");
        assert_string_equal(lab_text(json_object_get(e, "raw"), "command_line"), want[i]);
    }
    assert_true(json_array_size(json_object_get(r, "matched")) >= 2);
}

static void long_evidence_is_cut_from_the_oldest_on_and_counted(void **state)
{
    struct alert_lab *f = *state;
    static char big[30000];
    struct wedr_detect_stats st;
    lab_use(f, COUNT_RULE, 1, 0);
    memset(big, 'x', sizeof(big) - 1);
    memcpy(big, "sh -c evil ", 11);
    for (uint32_t pid = 8; pid < 11; pid++) {
        lab_run(f, pid, "/bin/sh", big);
    }
    assert_int_equal(lab_collect(f), 1);
    json_t *ev = json_object_get(lab_raw(f, 0), "evidence");
    assert_int_equal(json_array_size(ev), 3);
    assert_null(json_object_get(json_array_get(ev, 0), "event"));
    assert_int_equal(lab_number(json_array_get(ev, 0), "seq"), 1);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.too_large, 1);
}

static void records_of_the_agent_itself_are_matched_too(void **state)
{
    struct alert_lab *f = *state;
    lab_use_one(f, "event_type", "coverage_gap", WEDR_ACTION_ALERT, 0);
    struct wedr_event_view v = rec_gap(lab_mem, 9, 10, "kernel");
    lab_show(f, &v, "agent");
    assert_int_equal(lab_collect(f), 1);
    json_t *r = lab_raw(f, 0);
    assert_string_equal(lab_text(r, "entity"), "host");
    assert_null(json_object_get(r, "pid"));
    assert_null(json_object_get(r, "ancestry"));
    assert_string_equal(lab_text(json_array_get(json_object_get(r, "evidence"), 0), "stream"),
                        "agent");
}

static void exchanged_rules_keep_windows_and_throttles(void **state)
{
    struct alert_lab *f = *state;
    struct wedr_detect_stats st;
    lab_use(f, COUNT_RULE, 1, 0);
    lab_run(f, 8, "/bin/sh", "sh -c evil 1");
    lab_run(f, 9, "/bin/sh", "sh -c evil 2");
    lab_use(f, RULE("new", "Image: /bin/new") "---\n" COUNT_RULE, 2, 0);
    lab_run(f, 10, "/bin/sh", "sh -c evil 3");
    assert_int_equal(lab_collect(f), 1);
    assert_string_equal(lab_text(lab_raw(f, 0), "rules_serial"), "2");
    assert_int_equal(json_array_size(json_object_get(lab_raw(f, 0), "evidence")), 3);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.swaps, 2);
    assert_int_equal(st.serial, 2);
}

static void without_rules_events_pass_and_processes_are_remembered(void **state)
{
    struct alert_lab *f = *state;
    struct wedr_detect_stats st;
    lab_run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(lab_collect(f), 0);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.serial, 0);
    assert_int_equal(st.events, 0);
    assert_int_equal(st.processes, 1);
}

static void w02_a_kill_names_the_process_of_the_event_once(void **state)
{
    struct alert_lab *f = *state;
    struct wedr_detect_kill k;
    lab_use_kill(f, WEDR_BUNDLE_KILL_ALLOWED);
    lab_run(f, 8, "/bin/x", "evil");
    lab_run(f, 8, "/bin/x", "evil");
    assert_true(wedr_detect_next_kill(f->d, &k));
    assert_int_equal(k.pid, 8);
    assert_true(k.process_key == rec_key(8));
    assert_string_equal(k.rule_id, "one");
    assert_int_equal(lab_collect(f), 2);
    assert_string_equal(lab_text(lab_raw(f, 0), "alert_id"), k.alert_id);
    assert_false(wedr_detect_next_kill(f->d, &k));
    lab_now_ms += DETECT_KILL_AGAIN_MS; /* it did not die: asked again */
    lab_run(f, 8, "/bin/x", "evil");
    assert_true(wedr_detect_next_kill(f->d, &k));
}

static void an_action_of_log_alone_raises_no_alert(void **state)
{
    struct alert_lab *f = *state;
    struct wedr_detect_stats st;
    lab_use_one(f, "CommandLine", "evil", WEDR_ACTION_LOG, 0);
    lab_run(f, 8, "/bin/x", "evil");
    assert_int_equal(lab_collect(f), 0);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.matched, 1);
}

static void an_alert_of_a_list_names_the_entry(void **state)
{
    static const char list[] = "id: 4c1d2e3f-0000-4000-8000-000000000001\n"
                               "title: bad files\n"
                               "severity: high\n\n"
                               "path /tmp/bad/tool # seen in the lab\n";
    struct alert_lab *f = *state;
    struct wedr_ruleset *rs = wedr_ruleset_new((size_t)16 << 20);
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {""};
    struct wedr_detect_bundle info = {1, 0, "test"};
    struct wedr_ioc_stats st;
    assert_int_equal(wedr_ioc_add(rs, "t.ioc", list, sizeof(list) - 1, NULL, NULL, NULL, &st),
                     WEDR_OK);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &map, &ei), WEDR_OK);
    assert_int_equal(wedr_detect_use_take(f->d, rs, map, &info, &ei), WEDR_OK);
    lab_run(f, 8, "/tmp/bad/tool", "tool");
    assert_int_equal(lab_collect(f), 1);
    assert_string_equal(lab_text(lab_raw(f, 0), "rule_language"), "ioc");
    assert_non_null(strstr(lab_text(lab_raw(f, 0), "message"), "/tmp/bad/tool"));
    assert_non_null(strstr(lab_text(lab_raw(f, 0), "message"), "seen in the lab"));
}

static void a_response_is_a_line_of_the_stream(void **state)
{
    struct alert_lab *f = *state;
    struct wedr_detect_outcome o = {.kill = {8, rec_key(8), "00ff", "killer"},
                                    .result = WEDR_RESPONSE_RESULT_DONE,
                                    .duration_us = 1234,
                                    .detail = "ended by signal 9"};
    assert_int_equal(wedr_detect_response(f->d, &o, lab_pair), WEDR_OK);
    assert_int_equal(lab_collect(f), 1);
    json_t *r = lab_raw(f, 0);
    assert_string_equal(lab_text(r, "result"), "done");
    assert_string_equal(lab_text(r, "action"), "kill");
    assert_string_equal(lab_text(r, "alert_id"), "00ff");
    assert_int_equal(lab_number(r, "duration_us"), 1234);
}

static void a_bundle_that_is_none_leaves_the_old_rules_at_work(void **state)
{
    struct alert_lab *f = *state;
    struct wedr_errinfo ei = {""};
    struct wedr_detect_bundle info = {2, 0, "bad"};
    lab_use(f, SHELL, 1, 0);
    assert_int_not_equal(wedr_detect_load(f->d, "no bundle", 9, &info, &ei), WEDR_OK);
    lab_run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(lab_collect(f), 1);
    assert_string_equal(lab_text(lab_raw(f, 0), "rules_serial"), "1");
}

static void hostile_texts_of_rules_and_processes_stay_inside_of_their_fields(void **state)
{
    struct alert_lab *f = *state;
    lab_use(f,
            "title: \"a\\\"b\\n\\x01\"\nid: shell\nlogsource: {product: linux, category: "
            "process_creation}\n"
            "detection: {selection: {CommandLine|contains: evil}, condition: selection}\n",
            1, 0);
    lab_run(f, 8, "/bin/\xff\xfe\"\\", "evil \"}],\"x\":\x01\xc3");
    assert_int_equal(lab_collect(f), 1);
    assert_string_equal(lab_text(lab_raw(f, 0), "rule_title"), "a\"b\n\x01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(an_alert_says_rule_process_ancestry_evidence_and_what_held),
        LAB_TEST(w02_only_the_event_that_matches_raises_an_alert),
        LAB_TEST(the_same_match_has_the_same_id_and_another_one_another),
        LAB_TEST(w02_a_correlation_shows_the_events_that_it_counted),
        LAB_TEST(long_evidence_is_cut_from_the_oldest_on_and_counted),
        LAB_TEST(records_of_the_agent_itself_are_matched_too),
        LAB_TEST(exchanged_rules_keep_windows_and_throttles),
        LAB_TEST(without_rules_events_pass_and_processes_are_remembered),
        LAB_TEST(w02_a_kill_names_the_process_of_the_event_once),
        LAB_TEST(an_action_of_log_alone_raises_no_alert),
        LAB_TEST(an_alert_of_a_list_names_the_entry),
        LAB_TEST(a_response_is_a_line_of_the_stream),
        LAB_TEST(a_bundle_that_is_none_leaves_the_old_rules_at_work),
        LAB_TEST(hostile_texts_of_rules_and_processes_stay_inside_of_their_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
