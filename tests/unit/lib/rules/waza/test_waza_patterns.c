/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/waza/test_waza_patterns.c — groups that look at several events. */
#include "core/base/err.h"
#include "support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define P "kernel_callback.process_create."
#define N "kernel_callback.network_connect."
#define H "kernel_callback.process_handle_access."

static void events_of_two_types_meet_in_the_window(void **state)
{
    (void)state;
    struct waza_machine *m =
        waza_machine(waza_group("window: 10s\n- " P "comm == \"a\" && " N "dst_port == 443"));
    assert_string_equal(waza_feed(m, 1000, waza_event("process_create", "\"comm\":\"a\"")), "");
    assert_string_equal(waza_feed(m, 2000, waza_event("network_connect", "\"dst_port\":80")), "");
    assert_string_equal(waza_feed(m, 11000, waza_event("network_connect", "\"dst_port\":443")),
                        "R[1 3]");
    assert_string_equal(waza_feed(m, 20000, waza_event("process_create", "\"comm\":\"a\"")), "");
    assert_string_equal(waza_feed(m, 30001, waza_event("network_connect", "\"dst_port\":443")), "");
    assert_string_equal(waza_feed(m, 30002, waza_event("process_create", "\"comm\":\"a\"")),
                        "R[5 6]");
    waza_machine_free(m);
}

static void fields_of_two_events_join(void **state)
{
    (void)state;
    struct waza_machine *m =
        waza_machine(waza_group("- " P "image_path contains \"lsass\" && " P "pid == " H
                                "target_pid && " H "op == \"Open\""));
    const char *lsass = "\"image_path\":\"lsass.exe\",\"pid\":4";
    assert_string_equal(waza_feed(m, 1000, waza_event("process_create", lsass)), "");
    assert_string_equal(
        waza_feed(m, 1001, waza_event("process_handle_access", "\"op\":\"Open\",\"target_pid\":5")),
        "");
    assert_string_equal(
        waza_feed(m, 1002, waza_event("process_handle_access", "\"op\":\"Dup\",\"target_pid\":4")),
        "");
    assert_string_equal(
        waza_feed(m, 1003, waza_event("process_handle_access", "\"op\":\"Open\",\"target_pid\":4")),
        "R[1 4]");
    waza_machine_free(m);
}

static void a_join_alone_makes_a_member(void **state)
{
    (void)state;
    struct waza_machine *m =
        waza_machine(waza_group("- " P "comm == \"a\" && " P "pid == " N "pid"));
    assert_string_equal(waza_feed(m, 1, waza_event("process_create", "\"comm\":\"a\",\"pid\":7")),
                        "");
    assert_string_equal(waza_feed(m, 2, waza_event("network_connect", "\"pid\":8")), "");
    assert_string_equal(waza_feed(m, 3, waza_event("network_connect", "\"pid\":7")), "R[1 3]");
    waza_machine_free(m);
}

static void two_events_of_one_type_have_names(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(waza_group(
        "event parent: kernel_callback.process_create\n"
        "event child: kernel_callback.process_create\n"
        "- $parent.comm == \"sh\" && $child.comm == \"nc\" && $child.parent_pid == $parent.pid"));
    assert_string_equal(
        waza_feed(m, 1, waza_event("process_create", "\"comm\":\"sh\",\"pid\":1,\"parent_pid\":0")),
        "");
    assert_string_equal(
        waza_feed(m, 2, waza_event("process_create", "\"comm\":\"nc\",\"pid\":2,\"parent_pid\":9")),
        "");
    assert_string_equal(
        waza_feed(m, 3, waza_event("process_create", "\"comm\":\"nc\",\"pid\":3,\"parent_pid\":1")),
        "R[1 3]");
    waza_machine_free(m);
}

static void what_must_not_happen_is_joined_too(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(waza_group(
        "- " N "dst_port == 4444 && !(" P "comm == \"trusted\") && " P "pid == " N "pid"));
    assert_string_equal(
        waza_feed(m, 1, waza_event("process_create", "\"comm\":\"trusted\",\"pid\":1")), "");
    assert_string_equal(
        waza_feed(m, 2, waza_event("network_connect", "\"dst_port\":4444,\"pid\":1")), "");
    assert_string_equal(
        waza_feed(m, 3, waza_event("network_connect", "\"dst_port\":4444,\"pid\":2")), "R[3]");
    waza_machine_free(m);
}

static void alternatives_over_events_are_told_apart(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(waza_group(
        "- (" P "comm == \"a\" || " N "dst_port == 1) && " P "uid == 0\n- " H "op == \"Open\""));
    assert_string_equal(waza_feed(m, 1, waza_event("process_create", "\"comm\":\"a\",\"uid\":0")),
                        "R[1]");
    assert_string_equal(waza_feed(m, 2, waza_event("process_create", "\"comm\":\"b\",\"uid\":0")),
                        "");
    assert_string_equal(waza_feed(m, 3, waza_event("network_connect", "\"dst_port\":1")), "R[2 3]");
    assert_string_equal(waza_feed(m, 4, waza_event("process_handle_access", "\"op\":\"Open\"")),
                        "R[4]");
    waza_machine_free(m);
}

static void a_sequence_needs_its_order(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(waza_group("window: 1m\nsequence by " P "pid\n- " P
                                                     "comm == \"a\"\n- " N "dst_port == 443"));
    assert_string_equal(
        waza_feed(m, 1, waza_event("network_connect", "\"dst_port\":443,\"pid\":1")), "");
    assert_string_equal(waza_feed(m, 2, waza_event("process_create", "\"comm\":\"a\",\"pid\":1")),
                        "");
    assert_string_equal(
        waza_feed(m, 3, waza_event("network_connect", "\"dst_port\":443,\"pid\":2")), "");
    assert_string_equal(
        waza_feed(m, 4, waza_event("network_connect", "\"dst_port\":443,\"pid\":1")), "R[2 4]");
    waza_machine_free(m);
}

static void a_sequence_may_join_and_exclude(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(waza_group(
        "event a: kernel_callback.process_create\nevent b: kernel_callback.process_create\n"
        "event c: kernel_callback.process_create\nwindow: 1m\nsequence\n"
        "- $a.comm == \"a\"\n- !($b.comm == \"stop\")\n- $c.comm == \"c\" && $c.parent_pid == "
        "$a.pid"));
    assert_string_equal(waza_feed(m, 1, waza_event("process_create", "\"comm\":\"a\",\"pid\":1")),
                        "");
    assert_string_equal(
        waza_feed(m, 2, waza_event("process_create", "\"comm\":\"c\",\"pid\":2,\"parent_pid\":1")),
        "R[1 2]");
    assert_string_equal(waza_feed(m, 3, waza_event("process_create", "\"comm\":\"a\",\"pid\":3")),
                        "");
    assert_string_equal(
        waza_feed(m, 4, waza_event("process_create", "\"comm\":\"stop\",\"pid\":4")), "");
    assert_string_equal(
        waza_feed(m, 5, waza_event("process_create", "\"comm\":\"c\",\"pid\":5,\"parent_pid\":3")),
        "");
    waza_machine_free(m);
}

static void all_lines_may_come_in_any_order(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(
        waza_group("all\n- " P "comm == \"a\"\n- " N "dst_port == 443\n- " H "op == \"Open\""));
    assert_string_equal(waza_feed(m, 1, waza_event("network_connect", "\"dst_port\":443")), "");
    assert_string_equal(waza_feed(m, 2, waza_event("process_handle_access", "\"op\":\"Open\"")),
                        "");
    assert_string_equal(waza_feed(m, 3, waza_event("process_create", "\"comm\":\"a\"")),
                        "R[1 2 3]");
    waza_machine_free(m);
    m = waza_machine(waza_group("all >= 2\n- " P "comm == \"a\"\n- " N "dst_port == 443\n- " H
                                "op == \"Open\""));
    assert_string_equal(waza_feed(m, 1, waza_event("network_connect", "\"dst_port\":443")), "");
    assert_string_equal(waza_feed(m, 2, waza_event("process_create", "\"comm\":\"a\"")), "R[1 2]");
    waza_machine_free(m);
}

static void events_are_counted_by_key(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(waza_group("count >= 3 by " P "uid\nwindow: 10s\n- " P
                                                     "comm == \"su\"\n- " P "comm == \"sudo\""));
    assert_string_equal(waza_feed(m, 1, waza_event("process_create", "\"comm\":\"su\",\"uid\":1")),
                        "");
    assert_string_equal(
        waza_feed(m, 2, waza_event("process_create", "\"comm\":\"sudo\",\"uid\":1")), "");
    assert_string_equal(waza_feed(m, 3, waza_event("process_create", "\"comm\":\"su\",\"uid\":2")),
                        "");
    assert_string_equal(waza_feed(m, 4, waza_event("process_create", "\"comm\":\"su\",\"uid\":1")),
                        "R[1 2 4]");
    assert_string_equal(waza_feed(m, 5, waza_event("process_create", "\"comm\":\"su\",\"uid\":1")),
                        "");
    waza_machine_free(m);
}

static void distinct_values_are_counted(void **state)
{
    (void)state;
    struct waza_machine *m =
        waza_machine(waza_group("distinct " N "dst_ip >= 3 by " N "pid\n- " N "dst_port == 22"));
    assert_string_equal(
        waza_feed(m, 1,
                  waza_event("network_connect", "\"dst_port\":22,\"pid\":1,\"dst_ip\":\"a\"")),
        "");
    assert_string_equal(
        waza_feed(m, 2,
                  waza_event("network_connect", "\"dst_port\":22,\"pid\":1,\"dst_ip\":\"a\"")),
        "");
    assert_string_equal(
        waza_feed(m, 3,
                  waza_event("network_connect", "\"dst_port\":22,\"pid\":1,\"dst_ip\":\"b\"")),
        "");
    assert_string_equal(
        waza_feed(m, 4,
                  waza_event("network_connect", "\"dst_port\":22,\"pid\":1,\"dst_ip\":\"c\"")),
        "R[2 3 4]");
    waza_machine_free(m);
}

static void keys_may_differ_by_kind_of_event(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(waza_group("all by " P "pid | " H "source_pid\n- " P
                                                     "comm == \"a\"\n- " H "op == \"Open\""));
    assert_string_equal(waza_feed(m, 1, waza_event("process_create", "\"comm\":\"a\",\"pid\":5")),
                        "");
    assert_string_equal(waza_feed(m, 2,
                                  waza_event("process_handle_access",
                                             "\"op\":\"Open\",\"pid\":5,\"source_pid\":6")),
                        "");
    assert_string_equal(waza_feed(m, 3,
                                  waza_event("process_handle_access",
                                             "\"op\":\"Open\",\"pid\":9,\"source_pid\":5")),
                        "R[1 3]");
    waza_machine_free(m);
}

static void rules_of_any_language_can_be_members(void **state)
{
    static const char sigma[] = "title: S\nid: 5013198c-cc61-4bc2-8b9f-ab6ba6ec0a4b\nlevel: low\n"
                                "logsource: {product: linux, category: process_creation}\n"
                                "detection: {s: {Image|endswith: /nc}, condition: s}\n";
    int e;
    (void)state;
    struct wedr_ruleset *rs = waza_load_with(
        sigma,
        "- Detection:\n- Both:\n- rule \"Above\" && rule "
        "\"5013198c-cc61-4bc2-8b9f-ab6ba6ec0a4b\"\nwindow: 1s\n"
        "- Above:\n- rule \"Port\" && rule \"Port\"\n- Port:\n- " N "dst_port == 9\nhidden: true\n"
        "- Action:\n- Both:\n- alert\n- Above:\n- log\n- Port:\n- log\n",
        &e);
    assert_int_equal(e, WEDR_OK);
    struct waza_machine *m = waza_machine_take(rs);
    assert_string_equal(
        waza_feed(m, 1, waza_event("process_create", "\"uid\":0,\"image_path\":\"/nc\"")), "S[1]");
    assert_string_equal(waza_feed(m, 2, waza_event("network_connect", "\"dst_port\":9")),
                        "Above[2] Both[1 2]");
    waza_machine_free(m);
}

static void exceptions_keep_events_out_of_patterns(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(
        waza_group("exception known: " P "uid == 7\n- " P "comm == \"a\" && " N "dst_port == 443"));
    assert_string_equal(waza_feed(m, 1, waza_event("process_create", "\"comm\":\"a\",\"uid\":7")),
                        "");
    assert_string_equal(waza_feed(m, 2, waza_event("network_connect", "\"dst_port\":443")), "");
    assert_string_equal(waza_feed(m, 3, waza_event("process_create", "\"comm\":\"a\",\"uid\":8")),
                        "R[2 3]");
    waza_machine_free(m);
}

static void named_events_may_come_from_log_sources(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(waza_group(
        "event p: source \"linux/process_creation\"\nevent n: source \"linux/network_connection\"\n"
        "- $p.Image endsWith \"/nc\" && $n.DestinationPort == 1 && $p.ProcessId == $n.ProcessId"));
    assert_string_equal(
        waza_feed(m, 1, waza_event("process_create", "\"uid\":0,\"pid\":3,\"image_path\":\"/nc\"")),
        "");
    assert_string_equal(
        waza_feed(m, 2, waza_event("network_connect", "\"uid\":0,\"pid\":4,\"dst_port\":1")), "");
    assert_string_equal(
        waza_feed(m, 3, waza_event("network_connect", "\"uid\":0,\"pid\":3,\"dst_port\":1")),
        "R[1 3]");
    waza_machine_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_of_two_types_meet_in_the_window),
        cmocka_unit_test(fields_of_two_events_join),
        cmocka_unit_test(a_join_alone_makes_a_member),
        cmocka_unit_test(two_events_of_one_type_have_names),
        cmocka_unit_test(what_must_not_happen_is_joined_too),
        cmocka_unit_test(alternatives_over_events_are_told_apart),
        cmocka_unit_test(a_sequence_needs_its_order),
        cmocka_unit_test(a_sequence_may_join_and_exclude),
        cmocka_unit_test(all_lines_may_come_in_any_order),
        cmocka_unit_test(events_are_counted_by_key),
        cmocka_unit_test(distinct_values_are_counted),
        cmocka_unit_test(keys_may_differ_by_kind_of_event),
        cmocka_unit_test(rules_of_any_language_can_be_members),
        cmocka_unit_test(exceptions_keep_events_out_of_patterns),
        cmocka_unit_test(named_events_may_come_from_log_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
