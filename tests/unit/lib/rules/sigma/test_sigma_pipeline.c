/* SPDX-License-Identifier: Apache-2.0
 * Pipelines: the compiled-in ones name no field that is not ours, events of every form get their
 * classes and fields, files can stand for a compiled-in one, mistakes name their line. */
#include "core/base/err.h"
#include "support.h"
#include "wedr/wire/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What rules also call a field of the Sigma column, or what Sysmon would have in it. */
static const char *const also[][3] = {
    {"dns_query", "raw.query_name", "query"},
    {"dns_query", "raw.answers", "answer"},
    {"process_create", "raw.user_full", "User"},
};

static struct wedr_pipeline *builtin(const char *name)
{
    const char *yaml;
    size_t len;
    const char *have;
    for (size_t i = 0; (have = wedr_pipeline_builtin(i, &yaml, &len)) != NULL; i++) {
        struct wedr_errinfo ei = {{0}};
        struct wedr_pipeline *p = NULL;
        if (strcmp(have, name) == 0) {
            if (wedr_pipeline_read(yaml, len, &p, &ei) < 0) {
                fail_msg("%s: %s", name, ei.text);
            }
            assert_string_equal(wedr_pipeline_name(p), name);
            return p;
        }
    }
    fail_msg("no pipeline %s", name);
    return NULL;
}

static void key_of(const struct wedr_field_info *f, char out[128])
{
    bool bytes = !f->derived && f->kind == WEDR_KIND_BYTES;
    snprintf(out, 128, "%s%s%s", f->name[0] ? "raw." : "process.",
             f->name[0] ? f->name : f->process_key, bytes ? "_hex" : "");
}

static bool in_schema(const char *view, const char *source, const char *field)
{
    const struct wedr_type_info *t = wedr_type_by_name(view, strlen(view));
    for (size_t i = 0; t && i < t->field_count; i++) {
        char key[128];
        key_of(&t->fields[i], key);
        if (strcmp(key, source) == 0 && strcmp(t->fields[i].sigma, field) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(also) / sizeof(also[0]); i++) {
        if (strcmp(also[i][0], view) == 0 && strcmp(also[i][1], source) == 0 &&
            strcmp(also[i][2], field) == 0) {
            return true;
        }
    }
    return false;
}

/* The key that a field is made of: the first one of a template. */
static const char *key_in(const char *source)
{
    static char key[128];
    const char *open = strchr(source, '{');
    if (!open) {
        return source;
    }
    snprintf(key, sizeof(key), "%.*s", (int)strcspn(open + 1, ":}"), open + 1);
    return key;
}

static size_t seen;

static void check_field(void *ctx, const char *view, const char *source, const char *field)
{
    (void)ctx;
    seen++;
    assert_non_null(view);
    if (!in_schema(view, key_in(source), field)) {
        fail_msg("%s: %s -> %s is not in schema.def", view, source, field);
    }
}

struct wanted {
    const char *view, *source, *field;
    bool found;
};

static void find_field(void *ctx, const char *view, const char *source, const char *field)
{
    struct wanted *w = ctx;
    w->found |= strcmp(view, w->view) == 0 && strcmp(key_in(source), w->source) == 0 &&
                strcmp(field, w->field) == 0;
}

static void our_fields_are_those_of_the_schema_and_all_of_them(void **state)
{
    (void)state;
    struct wedr_pipeline *p = builtin("wedr");
    seen = 0;
    wedr_pipeline_fields(p, check_field, NULL);
    assert_true(seen > 60);
    size_t count;
    const struct wedr_type_info *types = wedr_types(&count);
    for (size_t t = 0; t < count; t++) {
        for (size_t i = 0; i < types[t].field_count; i++) {
            char key[128];
            key_of(&types[t].fields[i], key);
            struct wanted w = {types[t].event_type, key, types[t].fields[i].sigma, false};
            if (w.field[0] == '\0') {
                continue;
            }
            wedr_pipeline_fields(p, find_field, &w);
            if (!w.found) {
                fail_msg("%s: %s -> %s is missing in wedr.yml", w.view, w.source, w.field);
            }
        }
    }
    wedr_pipeline_free(p);
}

struct waza_wanted {
    char source[128];
    bool found;
};

static void find_source(void *ctx, const char *source, const char *view)
{
    struct waza_wanted *w = ctx;
    w->found |= strcmp(source, w->source) == 0;
    assert_true(strncmp(source, "waza:", 5) != 0 || view == NULL);
}

static void every_type_of_the_schema_has_its_waza_class(void **state)
{
    (void)state;
    struct wedr_pipeline *p = builtin("wedr");
    size_t count;
    const struct wedr_type_info *types = wedr_types(&count);
    for (size_t t = 0; t < count; t++) {
        struct waza_wanted w = {.found = false};
        snprintf(w.source, sizeof(w.source), "waza:%s/%s", types[t].module, types[t].event_type);
        wedr_pipeline_sources(p, find_source, &w);
        if (!w.found) {
            fail_msg("%s is missing in wedr.yml", w.source);
        }
    }
    wedr_pipeline_free(p);
}

/* --- Events of every form. */

static struct wedr_ruleset *rules_for(const char *const *logsources)
{
    static char yaml[16384];
    yaml[0] = '\0';
    for (size_t i = 0; logsources[i]; i += 2) {
        size_t n = strlen(yaml);
        snprintf(yaml + n, sizeof(yaml) - n,
                 "---\ntitle: r%zu\nlogsource: {%s}\ndetection:\n  s: {%s}\n  condition: s\n",
                 i / 2, logsources[i], logsources[i + 1]);
    }
    struct wedr_ruleset *rs = sigma_load(yaml, NULL);
    if (!rs) {
        fail_msg("%s", sigma_reason);
    }
    return rs;
}

/* Which of the rules match, as a bit set. */
static unsigned run(const char *const *logsources,
                    const struct wedr_pipeline *const *pipelines,
                    size_t count,
                    const char *json)
{
    struct wedr_ruleset *rs = rules_for(logsources);
    struct wedr_errinfo ei = {{0}};
    struct wedr_engine *e = NULL;
    struct wedr_field_map *map = NULL;
    assert_int_equal(wedr_engine_new_take(rs, NULL, &e, &ei), WEDR_OK);
    if (wedr_pipeline_map(rs, pipelines, count, count == 0, &map, &ei) < 0) {
        fail_msg("%s", ei.text);
    }
    struct wedr_rule_event *ev = wedr_rule_event_new(rs, NULL);
    struct wedr_matcher *m = wedr_matcher_new(e);
    const uint32_t *v = NULL;
    size_t n = 0;
    if (wedr_rule_event_read_json(ev, map, json, strlen(json), &ei) < 0) {
        fail_msg("%s: %s", ei.text, json);
    }
    assert_int_equal(wedr_matcher_run(m, ev, &v, &n), WEDR_OK);
    unsigned bits = 0;
    for (size_t i = 0; i < n; i++) {
        bits |= 1u << v[i];
    }
    wedr_matcher_free(m);
    wedr_rule_event_free(ev);
    wedr_field_map_free(map);
    wedr_engine_free(e);
    return bits;
}

#define SYSMON "Microsoft-Windows-Sysmon/Operational"
static const char *const windows[] = {"product: windows, category: process_creation",
                                      "Image|endswith: \\a.exe",
                                      "category: process_creation",
                                      "Image|endswith: \\a.exe",
                                      "product: windows",
                                      "Image|endswith: \\a.exe",
                                      "product: windows, service: sysmon",
                                      "EventID: 1",
                                      "product: windows, category: image_load",
                                      "Image|endswith: \\a.exe",
                                      "product: linux, category: process_creation",
                                      "Image|endswith: \\a.exe",
                                      NULL};

static void sysmon_in_every_form(void **state)
{
    (void)state;
    static const char *const events[] = {
        "{\"EventID\":1,\"Channel\":\"" SYSMON "\",\"Image\":\"C:\\\\a.exe\"}",
        "{\"EventID\":\"1\",\"Channel\":\"" SYSMON "\",\"Image\":\"C:\\\\a.exe\"}",
        "{\"Event\":{\"System\":{\"EventID\":1,\"Channel\":\"" SYSMON
        "\"},\"EventData\":{\"Image\":\"C:\\\\a.exe\"}}}",
        "{\"Event\":{\"System\":{\"EventID\":{\"#attributes\":{\"Qualifiers\":0},\"#text\":1},"
        "\"Channel\":\"" SYSMON "\"},\"EventData\":{\"Image\":\"C:\\\\a.exe\"}}}",
        "{\"Event\":{\"EventData\":{\"Data\":[{\"@Name\":\"RuleName\",\"#text\":\"-\"},{\"@Name\":"
        "\"Image\",\"#text\":\"C:\\\\a.exe\"}]},\"System\":{\"EventID\":\"1\",\"Channel\":\"" SYSMON
        "\"}}}",
        "{\"winlog\":{\"event_id\":1,\"channel\":\"" SYSMON
        "\",\"event_data\":{\"Image\":\"C:\\\\a.exe\"}}}",
    };
    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        unsigned bits = run(windows, NULL, 0, events[i]);
        if (bits != 0xF) {
            fail_msg("%x: %s", bits, events[i]);
        }
    }
    assert_int_equal(run(windows, NULL, 0,
                         "{\"EventID\":5,\"Channel\":\"" SYSMON "\",\"Image\":\"C:\\\\a.exe\"}"),
                     0x4);
    assert_int_equal(
        run(windows, NULL, 0, "{\"EventID\":1,\"Channel\":\"Other\",\"Image\":\"C:\\\\a.exe\"}"),
        0x4); /* of Windows, that is all */
    assert_int_equal(run(windows, NULL, 0, "{\"EventID\":1,\"Image\":\"C:\\\\a.exe\"}"), 0);
}

static void system_fields_and_user_data(void **state)
{
    (void)state;
    static const char *const r[] = {
        "product: windows, service: application",
        "Provider_Name: MSSQL, EventID: 15457, Data|contains: xp_",
        "product: windows, service: terminalservices-localsessionmanager",
        "EventID: 21, Address: LOCAL",
        "product: windows, service: system",
        "Provider_Name: P, Computer: c, ComputerName: c",
        NULL};
    assert_int_equal(
        run(r, NULL, 0,
            "{\"Event\":{\"System\":{\"Provider\":{\"#attributes\":{\"Name\":\"MSSQL\"}},"
            "\"EventID\":{\"#attributes\":{\"Qualifiers\":1},\"#text\":15457},\"Channel\":"
            "\"Application\"},\"EventData\":{\"Data\":{\"#text\":[\"a\",\"the xp_cmdshell\"]}}}}"),
        1);
    assert_int_equal(
        run(r, NULL, 0,
            "{\"Event\":{\"System\":{\"EventID\":21,\"Channel\":\"Microsoft-Windows-"
            "TerminalServices-LocalSessionManager/Operational\"},\"UserData\":{\"EventXML\":{"
            "\"Address\":\"LOCAL\"}}}}"),
        2);
    assert_int_equal(
        run(r, NULL, 0,
            "{\"EventID\":7045,\"Channel\":\"System\",\"SourceName\":\"P\",\"Computer\":\"c\"}"),
        4);
    assert_int_equal(
        run(r, NULL, 0,
            "{\"winlog\":{\"event_id\":7045,\"channel\":\"System\",\"provider_name\":\"P\","
            "\"computer_name\":\"c\"}}"),
        4);
}

/* Whether a rule of `class_name` that wants field == text matches. */
static bool waza(const char *class_name, const char *field_name, const char *text, const char *json)
{
    struct wedr_ruleset *rs = wedr_ruleset_new(1u << 20);
    struct wedr_rule rule = wedr_rule_init();
    struct wedr_engine *e = NULL;
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {{0}};
    uint32_t field;
    uint32_t classes[1];
    uint32_t id;
    assert_int_equal(wedr_ruleset_field(rs, field_name, strlen(field_name), &field), WEDR_OK);
    assert_int_equal(wedr_ruleset_class(rs, class_name, strlen(class_name), classes), WEDR_OK);
    assert_int_equal(wedr_ir_text(rs, field, WEDR_PRED_EQUALS, wedr_text(text, strlen(text)), 0,
                                  &rule.condition, &ei),
                     WEDR_OK);
    rule.classes = classes;
    rule.class_count = 1;
    assert_int_equal(wedr_ruleset_add_rule(rs, &rule, &id), WEDR_OK);
    assert_int_equal(wedr_engine_new_take(rs, NULL, &e, &ei), WEDR_OK);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &map, &ei), WEDR_OK);
    struct wedr_rule_event *ev = wedr_rule_event_new(rs, NULL);
    struct wedr_matcher *m = wedr_matcher_new(e);
    const uint32_t *v;
    size_t n = 0;
    assert_int_equal(wedr_rule_event_read_json(ev, map, json, strlen(json), &ei), WEDR_OK);
    assert_int_equal(wedr_matcher_run(m, ev, &v, &n), WEDR_OK);
    wedr_matcher_free(m);
    wedr_rule_event_free(ev);
    wedr_field_map_free(map);
    wedr_engine_free(e);
    return n == 1;
}

#define OURS(type, rest) \
    "{\"module\":\"kernel_callback\",\"event_type\":\"" type "\",\"ts_ft_100ns\":1," rest "}"

static void waza_rules_see_our_keys_and_those_of_sysmon(void **state)
{
    (void)state;
    static const char create[] = "waza:kernel_callback/process_create";
    static const char ours[] =
        OURS("process_create", "\"process\":{\"path\":\"p\"},\"raw\":{\"pid\":7,"
                               "\"image_path\":\"/bin/a\",\"uid\":0}");
    static const char sysmon[] =
        "{\"EventID\":1,\"Channel\":\"" SYSMON "\",\"Image\":\"C:\\\\a.exe\",\"ProcessId\":\"12\"}";
    static const char evtx[] =
        "{\"Event\":{\"System\":{\"EventID\":13,\"Channel\":\"" SYSMON
        "\"},\"EventData\":{\"Data\":["
        "{\"#attributes\":{\"Name\":\"EventType\"},\"#text\":\"SetValue\"},"
        "{\"#attributes\":{\"Name\":\"TargetObject\"},\"#text\":\"HKLM\\\\x\"}]}}}";
    assert_true(waza(create, "raw.image_path", "/bin/a", ours));
    assert_true(waza(create, "Image", "/bin/a", ours));
    assert_true(waza(create, "raw.pid", "7", ours));
    assert_true(waza(create, "process.path", "p", ours));
    assert_true(waza(create, "event_type", "process_create", ours));
    assert_false(waza("waza:kernel_callback/file_write", "raw.pid", "7", ours));
    assert_true(waza(create, "raw.image_path", "c:\\a.exe", sysmon));
    assert_true(waza(create, "Image", "c:\\a.exe", sysmon));
    assert_true(waza(create, "raw.pid", "12", sysmon));
    assert_true(waza("waza:kernel_callback/registry_write", "raw.key_path", "hklm\\x", evtx));
    assert_true(waza("windows/registry_set/*", "TargetObject", "hklm\\x", evtx));
}

static void composed_fields_are_those_of_sysmon(void **state)
{
    (void)state;
    static const char set[] =
        OURS("registry_write",
             "\"raw\":{\"key_path\":\"HKLM\\\\Run\",\"op\":\"SetValue\",\"value_name\":\"x\"}");
    static const char add[] =
        OURS("registry_write", "\"raw\":{\"key_path\":\"HKLM\\\\Run\",\"op\":\"CreateKey\"}");
    assert_true(waza("windows/registry_set/*", "TargetObject", "HKLM\\Run\\x", set));
    assert_true(waza("windows/registry_add/*", "TargetObject", "HKLM\\Run", add));
    assert_true(waza("windows/process_access/*", "GrantedAccess", "0x1fffff",
                     OURS("process_handle_access", "\"raw\":{\"desired_access\":2097151}")));
    assert_true(waza("windows/network_connection/*", "Initiated", "true",
                     OURS("network_connect", "\"raw\":{\"direction\":\"outbound\"}")));
    assert_true(waza("windows/network_connection/*", "Initiated", "false",
                     OURS("network_accept", "\"raw\":{\"direction\":\"inbound\"}")));
    assert_true(waza("windows/process_creation/*", "Hashes", "SHA256=ab",
                     OURS("process_create", "\"raw\":{\"sha256\":\"ab\"}")));
    /* Any channel is Windows. */
    assert_true(waza("windows/*/*", "x", "1", "{\"Channel\":\"Some Vendor/Operational\",\"x\":1}"));
    assert_false(waza("windows/*/*", "x", "1", "{\"channel\":\"y\",\"x\":1}"));
}

static void the_channel_of_a_cleared_log_is_the_one_that_was_cleared(void **state)
{
    (void)state;
    static const char cleared[] =
        "{\"Event\":{\"System\":{\"EventID\":104,\"Channel\":\"System\"},\"UserData\":{"
        "\"LogFileCleared\":{\"Channel\":\"Application\",\"SubjectUserName\":\"ann\"}}}}";
    assert_true(waza("windows/*/system", "Channel", "Application", cleared));
    assert_false(waza("windows/*/system", "Channel", "System", cleared));
    assert_true(waza("windows/*/system", "SubjectUserName", "ann", cleared));
    assert_true(
        waza("windows/*/system", "Channel", "System", "{\"EventID\":105,\"Channel\":\"System\"}"));
}

static void names_with_blanks_are_found_without_them(void **state)
{
    (void)state;
    static const char defender[] =
        "{\"Event\":{\"System\":{\"EventID\":1119,\"Channel\":\"Microsoft-Windows-Windows Defender/"
        "Operational\"},\"EventData\":{\"Threat Name\":\"t\",\"Process Name\":\"p\"}}}";
    assert_true(waza("windows/*/windefend", "ThreatName", "t", defender));
    assert_true(waza("windows/*/windefend", "Threat Name", "t", defender));
    assert_true(waza("windows/*/windefend", "ProcessName", "p", defender));
}

static void an_event_may_name_its_log_source(void **state)
{
    (void)state;
    static const char nested[] =
        "{\"logsource\":{\"product\":\"AWS\",\"service\":\"cloudtrail\"},\"eventName\":\"x\"}";
    static const char dotted[] = "{\"logsource.product\":\"aws\",\"eventName\":\"x\"}";
    assert_true(waza("aws/*/cloudtrail", "eventName", "x", nested));
    assert_true(waza("aws/*/*", "eventName", "x", nested));
    assert_true(waza("*/*/cloudtrail", "eventName", "x", nested));
    assert_false(waza("aws/network/cloudtrail", "eventName", "x", nested));
    assert_true(waza("aws/*/*", "eventName", "x", dotted));
    assert_false(waza("aws/*/cloudtrail", "eventName", "x", dotted));
}

static void security_4688_is_a_process_creation_too(void **state)
{
    (void)state;
    static const char *const r[] = {
        "product: windows, category: process_creation", "Image: a, ParentImage: p, ProcessId: 7",
        "product: windows, service: security", "EventID: 4688, NewProcessName: a", NULL};
    assert_int_equal(run(r, NULL, 0,
                         "{\"EventID\":4688,\"Channel\":\"Security\",\"NewProcessName\":\"a\","
                         "\"ParentProcessName\":\"p\",\"NewProcessId\":7,\"ProcessId\":8}"),
                     3);
    assert_int_equal(run(r, NULL, 0,
                         "{\"EventID\":4689,\"Channel\":\"Security\",\"NewProcessName\":\"a\","
                         "\"ParentProcessName\":\"p\",\"NewProcessId\":7,\"ProcessId\":8}"),
                     0);
}

static void our_events_of_both_systems(void **state)
{
    (void)state;
    static const char *const r[] = {"product: windows, category: process_creation",
                                    "Image: a, CommandLine|contains: x",
                                    "product: linux, category: process_creation",
                                    "Image: a, CommandLine|contains: x",
                                    "product: linux, category: file_event",
                                    "TargetFilename: t",
                                    "category: dns",
                                    "query: n",
                                    "product: windows, category: registry_set",
                                    "TargetObject|contains: k",
                                    "product: windows, category: registry_delete",
                                    "TargetObject|contains: k",
                                    NULL};
    assert_int_equal(
        run(r, NULL, 0,
            "{\"ts\":\"t\",\"event_type\":\"process_create\",\"raw\":{\"image_path\":\"a\","
            "\"command_line\":\"x y\",\"uid\":0}}"),
        2);
    assert_int_equal(
        run(r, NULL, 0,
            "{\"ts\":\"t\",\"event_type\":\"process_create\",\"raw\":{\"image_path\":\"a\","
            "\"command_line\":\"x y\"},\"ts_ft_100ns\":1}"),
        1);
    assert_int_equal(run(r, NULL, 0,
                         "{\"event_type\":\"file_write\",\"raw\":{\"op\":\"Create\",\"uid\":1,"
                         "\"target_path\":\"t\"}}"),
                     4);
    assert_int_equal(
        run(r, NULL, 0, "{\"event_type\":\"dns_query\",\"raw\":{\"uid\":1,\"query_name\":\"N\"}}"),
        8);
    assert_int_equal(run(r, NULL, 0,
                         "{\"event_type\":\"registry_write\",\"raw\":{\"op\":\"SetValue\","
                         "\"key_path\":\"\\\\k\"},\"ts_ft_100ns\":1}"),
                     16);
}

static void ecs_auditd_and_the_journal(void **state)
{
    (void)state;
    static const char *const r[] = {"product: windows, category: process_creation",
                                    "Image: a, ParentImage: p",
                                    "product: linux, service: auditd",
                                    "type: EXECVE, a0: ls",
                                    "product: linux, category: process_creation",
                                    "Image: /bin/ls",
                                    "product: linux, service: sshd",
                                    "message|contains: root",
                                    "category: webserver",
                                    "cs-uri-query|contains: q",
                                    NULL};
    assert_int_equal(
        run(r, NULL, 0,
            "{\"event\":{\"category\":[\"process\"],\"type\":[\"start\"]},\"host\":{\"os\":"
            "{\"type\":\"windows\"}},\"process\":{\"executable\":\"A\",\"parent\":{"
            "\"executable\":\"p\"}}}"),
        1);
    assert_int_equal(run(r, NULL, 0, "{\"type\":\"EXECVE\",\"argc\":2,\"a0\":\"ls\"}"), 2);
    assert_int_equal(run(r, NULL, 0, "{\"type\":\"SYSCALL\",\"syscall\":59,\"exe\":\"/bin/ls\"}"),
                     4);
    assert_int_equal(run(r, NULL, 0, "{\"SYSLOG_IDENTIFIER\":\"sshd\",\"MESSAGE\":\"for root\"}"),
                     8);
    assert_int_equal(
        run(r, NULL, 0, "{\"event\":{\"category\":\"web\"},\"url\":{\"query\":\"a=q\"}}"), 16);
}

static void a_file_stands_for_the_compiled_in_one(void **state)
{
    (void)state;
    static const char *const r[] = {"product: x, category: y", "Field: 1", NULL};
    static const char yaml[] =
        "name: windows\nviews:\n  v: {key: [Field, Other]}\nevents:\n"
        "  - when: {kind: [a, b], there: ~}\n    sources: x/y/*\n    view: v\n";
    struct wedr_errinfo ei = {{0}};
    struct wedr_pipeline *p = NULL;
    if (wedr_pipeline_read(yaml, strlen(yaml), &p, &ei) < 0) {
        fail_msg("%s", ei.text);
    }
    const struct wedr_pipeline *const v[] = {p};
    assert_int_equal(run(r, v, 1, "{\"kind\":\"b\",\"there\":0,\"key\":1}"), 1);
    assert_int_equal(run(r, v, 1, "{\"kind\":\"c\",\"there\":0,\"key\":1}"), 0);
    assert_int_equal(run(r, v, 1, "{\"kind\":\"a\",\"key\":1}"), 0);
    wedr_pipeline_free(p);
}

static void mistakes_name_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *part;
    } rows[] = {
        {"", "line 1: empty"},
        {"a: b\n", "line 1: a pipeline is one map with a name"},
        {"name: x\nfoo: 1\n", "line 2: unknown key"},
        {"name: x\nfields: [a]\n", "line 2: a map"},
        {"name: x\nfields:\n  a: {b: c}\n", "line 3: a rule field"},
        {"name: x\nevents:\n  - sources: a/b/c\n", "line 3: when"},
        {"name: x\nevents:\n  - when: {}\n    sources: a/b/c\n", "line 3: when"},
        {"name: x\nevents:\n  - when: {a: 1}\n    sources: 'waza:a/b/c'\n", "line 4: product"},
        {"name: x\nkeep_names: 1\n", "line 2: true or false"},
        {"name: x\nfields:\n  a: {b: {}}\n", "line 3: a rule field"},
        {"name: x\nevents:\n  - when: {a: 1}\n    sources: a/b\n",
         "line 4: product/category/service"},
        {"name: x\nevents:\n  - when: {a: 1}\n    view: v\n", "line 4: the view"},
        {"name: x\nevents:\n  - when: {a: 1}\n    wen: v\n    sources: a/b/c\n",
         "line 4: an event has"},
        {"name: x\nevents:\n  - when: {a: 1}\n", "line 3: sources or a view"},
        {"name: x\npairs:\n  - {array: a}\n", "line 3: pairs need"},
        {"name: x\nforms: [a]\n", "line 2: forms"},
        {"name: [\n", "line 2: no YAML"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wedr_errinfo ei = {{0}};
        struct wedr_pipeline *p = NULL;
        int e = wedr_pipeline_read(rows[i].yaml, strlen(rows[i].yaml), &p, &ei);
        if (e == WEDR_OK || !strstr(ei.text, rows[i].part)) {
            fail_msg("'%s', not '%s'", ei.text, rows[i].part);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_fields_are_those_of_the_schema_and_all_of_them),
        cmocka_unit_test(every_type_of_the_schema_has_its_waza_class),
        cmocka_unit_test(waza_rules_see_our_keys_and_those_of_sysmon),
        cmocka_unit_test(composed_fields_are_those_of_sysmon),
        cmocka_unit_test(sysmon_in_every_form),
        cmocka_unit_test(system_fields_and_user_data),
        cmocka_unit_test(the_channel_of_a_cleared_log_is_the_one_that_was_cleared),
        cmocka_unit_test(names_with_blanks_are_found_without_them),
        cmocka_unit_test(an_event_may_name_its_log_source),
        cmocka_unit_test(security_4688_is_a_process_creation_too),
        cmocka_unit_test(our_events_of_both_systems),
        cmocka_unit_test(ecs_auditd_and_the_journal),
        cmocka_unit_test(a_file_stands_for_the_compiled_in_one),
        cmocka_unit_test(mistakes_name_their_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
