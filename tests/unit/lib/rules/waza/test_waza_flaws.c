/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/waza/test_waza_flaws.c — what the old language got wrong, by docs/flaws.md.
 */
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

static void w01_leaves_of_one_event_type_bind_to_one_event(void **state)
{
    (void)state;
    const char *rule = waza_group("- " P "image_path contains \"powershell\" && " P
                                  "command_line contains \"-enc\"");
    struct waza_machine *m = waza_machine(rule);
    assert_string_equal(
        waza_feed(m, 1, waza_event("process_create", "\"image_path\":\"powershell\"")), "");
    assert_string_equal(waza_feed(m, 2, waza_event("process_create", "\"command_line\":\"-enc\"")),
                        "");
    assert_string_equal(
        waza_feed(m, 3,
                  waza_event("process_create",
                             "\"image_path\":\"powershell\",\"command_line\":\"-enc\"")),
        "R[3]");
    waza_machine_free(m);
}

static void w01_compat_v1_still_takes_any_event_of_the_window(void **state)
{
    (void)state;
    const char *lines =
        "- " P "image_path contains \"powershell\" && " P "command_line contains \"-enc\"";
    char text[1024];
    for (int in_group = 0; in_group < 2; in_group++) {
        snprintf(text, sizeof(text), "%s%s", in_group ? "compat: v1\n" : "", lines);
        char file[2048];
        snprintf(file, sizeof(file), "%s%s", in_group ? "" : "compat: v1\n", waza_group(text));
        struct waza_machine *m = waza_machine(file);
        assert_string_equal(
            waza_feed(m, 1000, waza_event("process_create", "\"image_path\":\"powershell\"")), "");
        assert_string_equal(
            waza_feed(m, 2000, waza_event("process_create", "\"command_line\":\"-enc\"")),
            "R[1 2]");
        assert_string_equal(
            waza_feed(m, 9000, waza_event("process_create", "\"command_line\":\"-enc\"")), "");
        waza_machine_free(m);
    }
}

static void w02_a_match_uses_its_events_up_and_its_trigger_matches(void **state)
{
    (void)state;
    struct waza_machine *m =
        waza_machine(waza_group("window: 10s\n- " P "comm == \"a\" && " N "dst_port == 443"));
    assert_string_equal(waza_feed(m, 1000, waza_event("process_create", "\"comm\":\"a\"")), "");
    assert_string_equal(waza_feed(m, 2000, waza_event("network_connect", "\"dst_port\":443")),
                        "R[1 2]");
    assert_string_equal(waza_feed(m, 3000, waza_event("network_connect", "\"dst_port\":80")), "");
    assert_string_equal(waza_feed(m, 3001, waza_event("process_create", "\"comm\":\"b\"")), "");
    assert_string_equal(waza_feed(m, 3002, waza_event("network_connect", "\"dst_port\":443")), "");
    waza_machine_free(m);
}

static void w03_joins_lists_bits_and_texts_in_any_case(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(
        waza_group("- " P "image_path iendsWith \"LSASS.EXE\" && "
                   "kernel_callback.process_handle_access.target_pid == " P "pid && "
                   "kernel_callback.process_handle_access.desired_access has_all 0x10 && "
                   "kernel_callback.process_handle_access.op in [\"Open\", \"Duplicate\"] && " P
                   "comm matches /^ls.s/i"));
    assert_string_equal(
        waza_feed(m, 1,
                  waza_event("process_create",
                             "\"image_path\":\"C:\\\\lsass.exe\",\"pid\":4,\"comm\":\"LSAS\"")),
        "");
    assert_string_equal(
        waza_feed(m, 2,
                  waza_event("process_handle_access",
                             "\"op\":\"Open\",\"target_pid\":9,\"desired_access\":16")),
        "");
    assert_string_equal(
        waza_feed(m, 3,
                  waza_event("process_handle_access",
                             "\"op\":\"Open\",\"target_pid\":4,\"desired_access\":8")),
        "");
    assert_string_equal(
        waza_feed(m, 4,
                  waza_event("process_handle_access",
                             "\"op\":\"Open\",\"target_pid\":4,\"desired_access\":24")),
        "R[1 4]");
    waza_machine_free(m);
}

static void w04_a_flood_of_half_matches_stays_within_its_memory(void **state)
{
    (void)state;
    struct waza_machine *m =
        waza_machine(waza_group("window: 1h\n- " P "comm == \"a\" && " N "dst_port == 443"));
    const char *half = waza_event("process_create", "\"comm\":\"a\"");
    size_t memory = waza_machine_stats(m)->memory_bytes;
    for (int64_t i = 0; i < 20000; i++) {
        assert_string_equal(waza_feed(m, i, half), "");
    }
    assert_true(waza_machine_stats(m)->entries <= 256);
    assert_true(waza_machine_stats(m)->evicted_entries > 19000);
    assert_int_equal(waza_machine_stats(m)->memory_bytes, memory);
    waza_machine_free(m);
}

static void w05_the_largest_throttle_costs_nothing(void **state)
{
    int e;
    (void)state;
    struct wedr_ruleset *small = waza_load(waza_group("throttle: 1/s\n- a.b.c == 1"), &e);
    struct wedr_ruleset *large =
        waza_load(waza_group("throttle: 4294967295/s\nentity: a.b.user\n- a.b.c == 1"), &e);
    const struct wedr_rule *r = wedr_ruleset_rule(large, 0);
    assert_int_equal(e, WEDR_OK);
    assert_int_equal(r->throttle_count, 4294967295u);
    assert_int_equal(r->throttle_ms, 1000);
    assert_string_equal(wedr_ruleset_field_name(large, r->entity_field).p, "raw.user");
    assert_true(wedr_ruleset_memory(large) < wedr_ruleset_memory(small) + 4096);
    wedr_ruleset_free(small);
    wedr_ruleset_free(large);
}

static void w06_a_window_of_nothing_means_the_same_event(void **state)
{
    (void)state;
    struct waza_machine *m =
        waza_machine(waza_group("window: 0s\n- " P "pid == 1 && " P "uid == 2"));
    assert_string_equal(waza_feed(m, 5, waza_event("process_create", "\"pid\":1,\"uid\":2")),
                        "R[1]");
    waza_machine_free(m);
    m = waza_machine(waza_group("compat: v1\nwindow: 0s\n- " P "pid == 1 && " P "uid == 2"));
    assert_string_equal(waza_feed(m, 5, waza_event("process_create", "\"pid\":1")), "");
    assert_string_equal(waza_feed(m, 5, waza_event("process_create", "\"uid\":2")), "");
    assert_string_equal(waza_feed(m, 5, waza_event("process_create", "\"pid\":1,\"uid\":2")),
                        "R[3]");
    waza_machine_free(m);
}

static void w06_time_is_the_events_own(void **state)
{
    (void)state;
    struct waza_machine *m =
        waza_machine(waza_group("window: 5s\n- " P "pid == 1 && " N "pid == 1"));
    assert_string_equal(waza_feed(m, 100000, waza_event("process_create", "\"pid\":1")), "");
    assert_string_equal(waza_feed(m, 98000, waza_event("network_connect", "\"pid\":1")), "R[2 1]");
    waza_machine_free(m);
}

static void w07_not_means_not_on_the_event(void **state)
{
    (void)state;
    NO("!(" P "pid == 1) && " P "comm == \"a\"", "\"pid\":1,\"comm\":\"a\"");
    YES("!(" P "pid == 1) && " P "comm == \"a\"", "\"pid\":2,\"comm\":\"a\"");
    YES(P "tty != \"pts0\"", "\"pid\":2");
    NO(P "tty exists && " P "tty != \"pts0\"", "\"pid\":2");
    NO("compat: v1\n- " P "tty != \"pts0\"", "\"pid\":2");
}

static void w07_absence_alone_is_refused(void **state)
{
    int e;
    (void)state;
    wedr_ruleset_free(waza_load(waza_group("- !(" P "pid == 1) && !(" N "pid == 1)"), &e));
    assert_int_equal(e, WEDR_E_FORMAT);
    assert_non_null(strstr(waza_told.text, "absence"));
    wedr_ruleset_free(waza_load(waza_group("compat: v1\n- !(" P "pid == 1)"), &e));
    assert_int_equal(e, WEDR_E_FORMAT);
    assert_non_null(strstr(waza_told.text, "absence"));
}

static void w08_numbers_compare_whatever_their_kind(void **state)
{
    (void)state;
    YES(P "exe_size == 5.0", "\"exe_size\":5");
    YES(P "exe_size == 5", "\"exe_size\":5.0");
    YES(P "exe_size < 5.5", "\"exe_size\":5");
    YES(P "cgroup_id == 18446603336221196288", "\"cgroup_id\":18446603336221196288");
    NO(P "cgroup_id == 18446603336221196288", "\"cgroup_id\":18446603336221196289");
    YES(P "cgroup_id > 9223372036854775807", "\"cgroup_id\":18446603336221196288");
    YES(P "cgroup_id == 0xFFFF800000000000", "\"cgroup_id\":18446603336221196288");
}

static void w09_groups_that_can_never_fire_are_errors(void **state)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"- Detection:\n- A:\n- Action:\n- A:\n- log\n", "Detection group 'A' is empty"},
        {"- Detection:\n- A:\n- a.b.c == 1\n- Action:\n- A:\n", "Action group 'A' is empty"},
        {"- Detection:\n- A:\n- a.b.c == 1\n", "no matching Action group"},
        {"- Detection:\n- Action:\n- A:\n- log\n", "no matching Detection group"},
        {"- Detection:\n- A:\n- a.b.c == 1\n- window:\n- Action:\n- A:\n- log\n", "bad window ''"},
        {"- Detection:\n- A:\n- a.b.c == 1\n- A:\n- a.b.c == 2\n- Action:\n- A:\n- log\n",
         "duplicate Detection group 'A'"},
        {"- Detection:\n- A:\n- a.b.c == 1\n- Action:\n- A:\n- log\n- A:\n- log\n",
         "duplicate Action group 'A'"},
    };
    int e;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        wedr_ruleset_free(waza_load(bad[i].text, &e));
        assert_true(e == WEDR_E_FORMAT || e == WEDR_E_EXIST);
        if (!strstr(waza_told.all, bad[i].part)) {
            fail_msg("%s does not say %s", waza_told.all, bad[i].part);
        }
    }
}

static void w09_a_name_is_taken_once_across_includes(void **state)
{
    static const struct waza_file f[] = {
        {"rules/b.waza", "- Detection:\n- A:\n- a.b.c == 1\n- Action:\n- A:\n- log\n"}};
    int e;
    (void)state;
    waza_files(f, 1);
    struct wedr_ruleset *rs = waza_load(
        "include \"b.waza\"\n- Detection:\n- A:\n- a.b.c == 1\n- Action:\n- A:\n- log\n", &e);
    assert_int_equal(e, WEDR_E_EXIST);
    assert_int_equal(wedr_ruleset_rule_count(rs), 1);
    assert_non_null(strstr(waza_told.text, "used already in rules/test.waza:3"));
    wedr_ruleset_free(rs);
    waza_files(NULL, 0);
}

static void w10_every_name_and_every_depth_can_be_reached(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(
        waza_group("- plugin.acme-tick.v2.\"my field\" == 1\n- plugin.acme-tick.v2.\"a.b\" == 2\n"
                   "- plugin.acme-tick.v2.\xC3\xBC == 3\n- plugin.\"acme-tick\".v2.x-y == 4\n"
                   "- kernel_callback.process_create.deep.er.field == 5"));
    const char *type = "acme-tick.v2";
    assert_string_equal(waza_feed(m, 1, waza_event(type, "\"my field\":1")), "R[1]");
    assert_string_equal(waza_feed(m, 2, waza_event(type, "\"a\":{\"b\":2}")), "R[2]");
    assert_string_equal(waza_feed(m, 3, waza_event(type, "\"\xC3\xBC\":3")), "R[3]");
    assert_string_equal(waza_feed(m, 4, waza_event(type, "\"x-y\":4")), "R[4]");
    assert_string_equal(
        waza_feed(m, 5, waza_event("process_create", "\"deep\":{\"er\":{\"field\":5}}")), "R[5]");
    assert_string_equal(waza_feed(m, 6, waza_event("acme.v2", "\"my field\":1")), "");
    waza_machine_free(m);
}

static void w11_includes_stay_below_the_folder(void **state)
{
    static const char *const bad[] = {"/etc/passwd", "../x.waza", "a/../../x", "a//b",
                                      "a\\\\b",      "C:/x",      "./../x",    "..",
                                      ".",           "a/./b",     "",          "a/"};
    static const struct waza_file f[] = {
        {"/etc/passwd", ""}, {"x.waza", ""}, {"rules/../x.waza", ""}};
    int e;
    (void)state;
    waza_files(f, 3);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "include \"%s\"\n", bad[i]);
        wedr_ruleset_free(waza_load(text, &e));
        assert_int_equal(e, WEDR_E_PERM);
        assert_non_null(strstr(waza_told.text, "no absolute path"));
    }
    waza_files(NULL, 0);
    wedr_ruleset_free(waza_load("include \"not-there.waza\"\n", &e));
    assert_int_equal(e, WEDR_E_NOENT);
    assert_non_null(strstr(waza_told.text, "read 'rules/not-there.waza'"));
}

static void w11_without_a_reader_nothing_is_read(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(1u << 20);
    struct wedr_waza *w = wedr_waza_new(rs, NULL);
    assert_int_equal(wedr_waza_add(w, "a.waza", "include \"b.waza\"", 16), WEDR_E_PERM);
    wedr_waza_free(w);
    wedr_ruleset_free(rs);
}

static void w12_rules_say_what_they_are_and_what_they_leave_out(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(
        waza_group("id: \"x-1\"\nseverity: critical\ntags: attack.t1110\ndescription: many\n"
                   "exception backup: " P "user == \"backup\"\ncount >= 2 by " P "uid\n- " P
                   "comm == \"su\""));
    const struct wedr_rule *r = NULL;
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(waza_machine_rules(m)); i++) {
        r = wedr_ruleset_rule(waza_machine_rules(m), i);
    }
    assert_string_equal(r->id.p, "x-1");
    assert_int_equal(r->severity, WEDR_SEVERITY_CRITICAL);
    assert_string_equal(r->tags.v[0].p, "attack.t1110");
    assert_string_equal(
        waza_feed(m, 1,
                  waza_event("process_create", "\"comm\":\"su\",\"uid\":1,\"user\":\"backup\"")),
        "");
    assert_string_equal(waza_feed(m, 2, waza_event("process_create", "\"comm\":\"su\",\"uid\":1")),
                        "");
    assert_string_equal(waza_feed(m, 3, waza_event("process_create", "\"comm\":\"su\",\"uid\":1")),
                        "R[2 3]");
    waza_machine_free(m);
    int e;
    struct wedr_ruleset *rs = waza_load(waza_group("enabled: false\n- " P "comm == \"su\""), &e);
    m = waza_machine_take(rs);
    assert_string_equal(waza_feed(m, 1, waza_event("process_create", "\"comm\":\"su\"")), "");
    waza_machine_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(w01_leaves_of_one_event_type_bind_to_one_event),
        cmocka_unit_test(w01_compat_v1_still_takes_any_event_of_the_window),
        cmocka_unit_test(w02_a_match_uses_its_events_up_and_its_trigger_matches),
        cmocka_unit_test(w03_joins_lists_bits_and_texts_in_any_case),
        cmocka_unit_test(w04_a_flood_of_half_matches_stays_within_its_memory),
        cmocka_unit_test(w05_the_largest_throttle_costs_nothing),
        cmocka_unit_test(w06_a_window_of_nothing_means_the_same_event),
        cmocka_unit_test(w06_time_is_the_events_own),
        cmocka_unit_test(w07_not_means_not_on_the_event),
        cmocka_unit_test(w07_absence_alone_is_refused),
        cmocka_unit_test(w08_numbers_compare_whatever_their_kind),
        cmocka_unit_test(w09_groups_that_can_never_fire_are_errors),
        cmocka_unit_test(w09_a_name_is_taken_once_across_includes),
        cmocka_unit_test(w10_every_name_and_every_depth_can_be_reached),
        cmocka_unit_test(w11_includes_stay_below_the_folder),
        cmocka_unit_test(w11_without_a_reader_nothing_is_read),
        cmocka_unit_test(w12_rules_say_what_they_are_and_what_they_leave_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
