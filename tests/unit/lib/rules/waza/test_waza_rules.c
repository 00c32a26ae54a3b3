/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/waza/test_waza_rules.c — conditions of one event, and what describes a rule.
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

static void the_old_comparisons_hold_and_fail(void **state)
{
    (void)state;
    YES(P "image_path contains \"\\\\Temp\\\\\"", "\"image_path\":\"C:\\\\Temp\\\\a.exe\"");
    NO(P "image_path contains \"\\\\temp\\\\\"", "\"image_path\":\"C:\\\\Temp\\\\a.exe\"");
    YES(P "image_path startsWith \"/usr\"", "\"image_path\":\"/usr/bin/id\"");
    NO(P "image_path startsWith \"usr\"", "\"image_path\":\"/usr/bin/id\"");
    YES(P "pid == 5", "\"pid\":5");
    NO(P "pid == 5", "\"pid\":6");
    YES(P "pid >= 5 && " P "pid < 7", "\"pid\":6");
    YES(P "elevated == true", "\"elevated\":true");
    NO(P "elevated == true", "\"elevated\":false");
    YES(P "pid == 1 | " P "pid == 2 || " P "pid == 3", "\"pid\":2");
    YES("!(" P "pid == 1)", "\"pid\":2");
    YES("-  " P "comm == \"a#b\"   # a comment", "\"comm\":\"a#b\"");
    YES(P "exe_size > 1.5", "\"exe_size\":2");
    YES(P "pid == -5", "\"pid\":-5");
    YES(P "comm == \"a\\\"b\\\\c\\qd\\te\"", "\"comm\":\"a\\\"b\\\\cqd\\te\"");
}

static void text_operators_come_cased_and_in_any_case(void **state)
{
    (void)state;
    YES(P "image_path endsWith \"/id\"", "\"image_path\":\"/usr/bin/id\"");
    NO(P "image_path endsWith \"/ID\"", "\"image_path\":\"/usr/bin/id\"");
    YES(P "image_path iendsWith \"/ID\"", "\"image_path\":\"/usr/bin/id\"");
    YES(P "image_path istartsWith \"/USR\"", "\"image_path\":\"/usr/bin/id\"");
    YES(P "image_path icontains \"BIN\"", "\"image_path\":\"/usr/bin/id\"");
    YES(P "comm iequals \"ID\"", "\"comm\":\"id\"");
    NO(P "comm == \"ID\"", "\"comm\":\"id\"");
    YES(P "image_path like \"/usr/*/id\"", "\"image_path\":\"/usr/bin/id\"");
    NO(P "image_path like \"/USR/*/id\"", "\"image_path\":\"/usr/bin/id\"");
    YES(P "image_path ilike \"/USR/?i?/id\"", "\"image_path\":\"/usr/bin/id\"");
    YES(P "command_line icontains [\"-ENC\", \"-foo\"]", "\"command_line\":\"x -enc y\"");
    NO(P "command_line contains all [\"-enc\", \"-foo\"]", "\"command_line\":\"x -enc y\"");
    YES(P "command_line contains all [\"-enc\", \"y\"]", "\"command_line\":\"x -enc y\"");
}

static void regular_expressions_have_flags(void **state)
{
    (void)state;
    YES(P "comm matches /^a.c$/", "\"comm\":\"abc\"");
    NO(P "comm matches /^A.c$/", "\"comm\":\"abc\"");
    YES(P "comm matches /^A.c$/i", "\"comm\":\"abc\"");
    NO(P "comm matches /a.c/", "\"comm\":\"a\\nc\"");
    YES(P "comm matches /a.c/s", "\"comm\":\"a\\nc\"");
    YES(P "comm matches /^c$/m", "\"comm\":\"a\\nc\"");
    YES(P "image_path matches /\\/usr\\/b[#]?in/", "\"image_path\":\"/usr/bin\"");
    YES(P "comm matches [/^x/, /C$/i]", "\"comm\":\"abc\"");
    YES(P "comm matches \"^a\"", "\"comm\":\"abc\"");
}

static void lists_hold_texts_numbers_and_networks(void **state)
{
    (void)state;
    YES(P "comm in [\"a\", \"b\"]", "\"comm\":\"b\"");
    NO(P "comm in [\"a\", \"B\"]", "\"comm\":\"b\"");
    YES(P "comm iin [\"a\", \"B\",]", "\"comm\":\"b\"");
    YES(P "pid in [1, 0x10, 3]", "\"pid\":16");
    NO(P "pid in [1, 0x10, 3]", "\"pid\":2");
    YES(P "comm in [\n  \"a\", # first\n  \"b\"\n]", "\"comm\":\"b\"");
    YES("kernel_callback.process_create.cwd cidr \"10.0.0.0/8\"", "\"cwd\":\"10.1.2.3\"");
    NO("kernel_callback.process_create.cwd cidr \"10.0.0.0/8\"", "\"cwd\":\"11.1.2.3\"");
    YES(P "cwd in networks [\"10.0.0.0/8\", \"fe80::/10\"]", "\"cwd\":\"fe80::1\"");
    YES(P "cwd in domains [\"example.com\"]", "\"cwd\":\"a.Example.com\"");
    YES(P "sha256 iin words [\"AB12\"]", "\"sha256\":\"SHA1=ab12,MD5=0\"");
    YES("list bad: [\"x\", \"y\"]\n" P "comm in list bad", "\"comm\":\"y\"");
    NO("list bad: [\"x\", \"y\"]\n" P "comm in list bad", "\"comm\":\"Y\"");
    YES("list bad: [\"x\", \"y\"]\n" P "comm iin list bad", "\"comm\":\"Y\"");
}

static void bits_can_be_tested(void **state)
{
    (void)state;
    YES(P "cap_effective has_all 0x21", "\"cap_effective\":33");
    NO(P "cap_effective has_all 0x21", "\"cap_effective\":32");
    YES(P "cap_effective has_any 0x21", "\"cap_effective\":32");
    YES(P "cap_effective & 0x20", "\"cap_effective\":33");
    NO(P "cap_effective & 0x20", "\"cap_effective\":1");
    YES(P "cap_effective & 0xF0 == 0x20", "\"cap_effective\":47");
    NO(P "cap_effective & 0xF0 == 0x20", "\"cap_effective\":63");
    YES(P "cap_effective & 0xF0 != 0x20", "\"cap_effective\":63");
    YES(P "cap_effective & 0xF0 == 0", "\"cap_effective\":15");
    YES(P "cap_effective has_all 0x8000000000000000", "\"cap_effective\":9223372036854775808");
}

static void fields_of_one_event_compare(void **state)
{
    (void)state;
    YES(P "uid == " P "euid", "\"uid\":1,\"euid\":1");
    NO(P "uid == " P "euid", "\"uid\":1,\"euid\":2");
    YES(P "uid != " P "euid", "\"uid\":1,\"euid\":2");
    YES(P "uid > " P "euid", "\"uid\":3,\"euid\":2");
    YES(P "command_line contains " P "comm", "\"command_line\":\"/bin/ls -l\",\"comm\":\"ls\"");
    NO(P "command_line contains " P "comm", "\"command_line\":\"/bin/ls -l\",\"comm\":\"LS\"");
    YES(P "cwd iequals " P "comm", "\"cwd\":\"LS\",\"comm\":\"ls\"");
}

static void the_rest_of_the_operators(void **state)
{
    (void)state;
    YES(P "tty exists", "\"tty\":\"pts0\"");
    NO(P "tty exists", "\"pid\":1");
    YES("!" P "tty exists", "\"pid\":1");
    YES("hour(" P "cwd) == 23", "\"cwd\":\"2026-11-23T23:34:17Z\"");
    NO("hour(" P "cwd) < 23", "\"cwd\":\"2026-11-23T23:34:17Z\"");
    YES("2 of (" P "pid == 1, " P "uid == 2, " P "gid == 3)", "\"pid\":1,\"uid\":9,\"gid\":3");
    NO("2 of (" P "pid == 1, " P "uid == 2, " P "gid == 3)", "\"pid\":1,\"uid\":9,\"gid\":9");
    YES(P "* contains \"needle\"", "\"comm\":\"a needle b\"");
    NO(P "* contains \"needle\"", "\"comm\":\"a\"");
    YES(P "pid <> 5", "\"pid\":6");
    NO(P "pid <> 5", "\"uid\":6");
    YES("(" P "pid == 1 &&\n   " P "uid == 2)", "\"pid\":1,\"uid\":2");
    YES(P "pid == 1 &&\n " P "uid == 2", "\"pid\":1,\"uid\":2");
    YES(P "comm == 'C:\\x''y'", "\"comm\":\"C:\\\\x'y\"");
    YES(P "comm == e\"\\x41\\u{e9}\\r\"", "\"comm\":\"A\\u00e9\\r\"");
}

static void an_event_line_can_be_named_whole(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(
        waza_group(P "process.path == \"/a\" && " P "host.name == \"h\" && " P "@seq == 7"));
    assert_string_equal(
        waza_feed(m, 1,
                  "{\"module\":\"kernel_callback\",\"event_type\":\"process_create\","
                  "\"seq\":7,\"host\":{\"name\":\"h\"},\"process\":{\"path\":\"/a\"}}"),
        "R[1]");
    waza_machine_free(m);
}

static void lines_of_several_event_types_are_alternatives_of_one_rule(void **state)
{
    (void)state;
    struct waza_machine *m = waza_machine(waza_group("- " P "pid == 1\n"
                                                     "- kernel_callback.module_load.pid == 2\n"
                                                     "exception quiet: " P "comm == \"ok\"\n"));
    assert_int_equal(wedr_ruleset_rule_count(waza_machine_rules(m)), 1);
    assert_string_equal(waza_feed(m, 1, waza_event("process_create", "\"pid\":1")), "R[1]");
    assert_string_equal(waza_feed(m, 1, waza_event("process_create", "\"pid\":2")), "");
    assert_string_equal(waza_feed(m, 1, waza_event("module_load", "\"pid\":1")), "");
    assert_string_equal(waza_feed(m, 1, waza_event("module_load", "\"pid\":2")), "R[4]");
    assert_string_equal(waza_feed(m, 1, waza_event("process_create", "\"pid\":1,\"comm\":\"ok\"")),
                        "");
    assert_string_equal(waza_feed(m, 1, waza_event("module_load", "\"pid\":2,\"comm\":\"ok\"")),
                        "R[6]");
    waza_machine_free(m);
}

static void rules_over_a_log_source_use_its_field_names(void **state)
{
    (void)state;
    struct waza_machine *m =
        waza_machine(waza_group("source: linux/process_creation\n"
                                "- Image endsWith \"/id\" && \"CommandLine\" icontains \"-U\"\n"
                                "exception root: User == \"root\"\n"));
    const char *hit = "\"uid\":0,\"image_path\":\"/bin/id\",\"command_line\":\"id -u\"";
    assert_string_equal(waza_feed(m, 1, waza_event("process_create", hit)), "R[1]");
    assert_string_equal(
        waza_feed(m, 1, waza_event("process_create", "\"uid\":0,\"image_path\":\"/bin/id\"")), "");
    const struct wedr_rule *r = wedr_ruleset_rule(waza_machine_rules(m), 0);
    assert_memory_equal(r->product.p, "linux", 6);
    assert_memory_equal(r->category.p, "process_creation", 17);
    assert_string_equal(wedr_ruleset_class_name(waza_machine_rules(m), r->classes[0]).p,
                        "linux/process_creation/*");
    waza_machine_free(m);
}

static void metadata_reaches_the_rule(void **state)
{
    (void)state;
    int e;
    struct wedr_ruleset *rs =
        waza_load("- Detection:\n  - Name:\n"
                  "    id: 0a1b-2c\n    title: A title, with commas # and a comment\n"
                  "    description: \"what # it says\"\n    author: me\n    date: 2026-01-02\n"
                  "    status: stable\n    severity: high\n    tags: [attack.t1059.001, "
                  "attack.defense-evasion]\n"
                  "    references: [\"https://example.com/#x\",\n      \"b\"]\n    falsepositives: "
                  "none that I know\n"
                  "    enabled: false\n    scope: server\n    hidden: true\n"
                  "    entity: kernel_callback.process_create.user\n    throttle: 3/min\n"
                  "    exception ours: kernel_callback.process_create.comm == \"wedr\"\n"
                  "    - kernel_callback.process_create.pid == 1\n"
                  "- Action:\n  - Name:\n    - log anything\n    - killProcess now\n    - alert it "
                  "happened # x\n",
                  &e);
    assert_int_equal(e, WEDR_OK);
    assert_int_equal(waza_told.warnings, 0);
    const struct wedr_rule *r = wedr_ruleset_rule(rs, 0);
    assert_string_equal(r->id.p, "0a1b-2c");
    assert_string_equal(r->title.p, "A title, with commas");
    assert_string_equal(r->description.p, "what # it says");
    assert_string_equal(r->date.p, "2026-01-02");
    assert_int_equal(r->severity, WEDR_SEVERITY_HIGH);
    assert_int_equal(r->tags.count, 2);
    assert_string_equal(r->tags.v[1].p, "attack.defense-evasion");
    assert_string_equal(r->references.v[0].p, "https://example.com/#x");
    assert_string_equal(r->false_positives.v[0].p, "none that I know");
    assert_string_equal(r->exceptions.v[0].p, "ours");
    assert_int_equal(r->flags, WEDR_RULE_DISABLED | WEDR_RULE_SERVER | WEDR_RULE_HIDDEN);
    assert_string_equal(wedr_ruleset_field_name(rs, r->entity_field).p, "raw.user");
    assert_int_equal(r->throttle_count, 3);
    assert_int_equal(r->throttle_ms, 60000);
    assert_int_equal(r->actions, WEDR_ACTION_LOG | WEDR_ACTION_ALERT | WEDR_ACTION_KILL);
    assert_string_equal(r->message.p, "it happened");
    assert_string_equal(r->language.p, "waza");
    assert_string_equal(r->source_file.p, "rules/test.waza");
    assert_int_equal(r->source_line, 2);
    wedr_ruleset_free(rs);
}

static void rules_come_in_the_order_of_files_then_includes(void **state)
{
    (void)state;
    static const struct waza_file f[] = {
        {"rules/sub/b.waza",
         "- Detection:\n- B:\n- a.b.c == 1\n- Action:\n- B:\n- log\ninclude \"c.waza\"\n"},
        {"rules/sub/c.waza",
         "list shared: [\"x\"]\n- Detection:\n- C:\n- a.b.c == 1\n- Action:\n- C:\n- log\n"},
    };
    int e;
    waza_files(f, 2);
    struct wedr_ruleset *rs = waza_load("include \"./sub/b.waza\" # first\n- Detection:\n  - A:\n"
                                        "    - a.b.c in list shared\n    include \"sub/c.waza\"\n"
                                        "- Action:\n  - A:\n    - log\n",
                                        &e);
    assert_int_equal(e, WEDR_OK);
    assert_int_equal(wedr_ruleset_rule_count(rs), 3);
    assert_string_equal(wedr_ruleset_rule(rs, 0)->title.p, "A");
    assert_string_equal(wedr_ruleset_rule(rs, 1)->title.p, "B");
    assert_string_equal(wedr_ruleset_rule(rs, 2)->title.p, "C");
    wedr_ruleset_free(rs);
    waza_files(NULL, 0);
}

static void durations_and_throttles_in_every_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t count;
        uint64_t ms;
    } good[] = {{"1/s", 1, 1000},    {"2/sec", 2, 1000},
                {"3/m", 3, 60000},   {"4/min", 4, 60000},
                {"5/h", 5, 3600000}, {"6/hour", 6, 3600000},
                {"7/500ms", 7, 500}, {"8/10 s", 8, 10000},
                {"9/10", 9, 10000},  {"4294967295/s", UINT32_MAX, 1000}};
    static const char *const bad[] = {
        "0/s", "1/0s", "1", "1/", "/s", "4294967296/s", "1/day", "-1/s", "1/99999999999999999999h"};
    char lines[256];
    int e;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(lines, sizeof(lines), "throttle %s\na.b.c == 1", good[i].text);
        struct wedr_ruleset *rs = waza_load(waza_group(lines), &e);
        assert_int_equal(e, WEDR_OK);
        assert_int_equal(wedr_ruleset_rule(rs, 0)->throttle_count, good[i].count);
        assert_int_equal(wedr_ruleset_rule(rs, 0)->throttle_ms, good[i].ms);
        wedr_ruleset_free(rs);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(lines, sizeof(lines), "throttle: %s\na.b.c == 1", bad[i]);
        wedr_ruleset_free(waza_load(waza_group(lines), &e));
        assert_int_equal(e, WEDR_E_FORMAT);
    }
}

static void the_samples_of_the_old_system_load(void **state)
{
    (void)state;
    int e;
    struct wedr_ruleset *rs = waza_load(
        "# rules\n- detection:\n  - RemoteThreadInjection:\n      window: 5s\n"
        "      - kernel_callback.thread_create.remote_injection == true\n"
        "  - SuspiciousImagePath:\n      window 10s\n      throttle: 3/min\n"
        "      - kernel_callback.process_create.image_path contains \"\\\\Temp\\\\\"   # comment\n"
        "      - kernel_callback.process_create.image_path contains "
        "\"\\\\AppData\\\\Local\\\\Temp\"\n"
        "  - ProcessHandleTamper:\n      window: 10s\n"
        "      - kernel_callback.process_handle_access.op == \"Open\" && "
        "kernel_callback.process_create.image_path contains \"lsass\"\n"
        "ACTION:\n  - RemoteThreadInjection:\n    - alert \"Remote thread\"\n    - log\n"
        "  - SuspiciousImagePath:\n    - alert\n  - ProcessHandleTamper:\n    - kill_process\n",
        &e);
    assert_int_equal(e, WEDR_OK);
    assert_int_equal(waza_told.errors, 0);
    wedr_ruleset_free(rs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_old_comparisons_hold_and_fail),
        cmocka_unit_test(text_operators_come_cased_and_in_any_case),
        cmocka_unit_test(regular_expressions_have_flags),
        cmocka_unit_test(lists_hold_texts_numbers_and_networks),
        cmocka_unit_test(bits_can_be_tested),
        cmocka_unit_test(fields_of_one_event_compare),
        cmocka_unit_test(the_rest_of_the_operators),
        cmocka_unit_test(an_event_line_can_be_named_whole),
        cmocka_unit_test(lines_of_several_event_types_are_alternatives_of_one_rule),
        cmocka_unit_test(rules_over_a_log_source_use_its_field_names),
        cmocka_unit_test(metadata_reaches_the_rule),
        cmocka_unit_test(rules_come_in_the_order_of_files_then_includes),
        cmocka_unit_test(durations_and_throttles_in_every_spelling),
        cmocka_unit_test(the_samples_of_the_old_system_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
