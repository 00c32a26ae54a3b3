/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/ioc/test_ioc.c — lists of indicators in, events of all forms against them.
 */
#include "core/base/err.h"
#include "wedr/rules/bundle.h"
#include "wedr/rules/engine.h"
#include "wedr/rules/ioc.h"
#include "wedr/rules/pipeline.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SHA1 "da39a3ee5e6b4b0d3255bfef95601890afd80709"
#define MD5 "d41d8cd98f00b204e9800998ecf8427e"

static struct wedr_ioc_stats stats;
static struct wedr_ioc_report last; /* last refusal, expiry or duplicate */
static char last_text[256];
static int64_t now_us;

static void on_report(void *ctx, const struct wedr_ioc_report *r)
{
    (void)ctx;
    if (r->outcome != WEDR_IOC_LIST) {
        last = *r;
        snprintf(last_text, sizeof(last_text), "%s", r->text);
        assert_null(strchr(r->text, '\n'));
        assert_string_not_equal(r->text, "");
    }
}

/* One list, loaded from memory that is gone before it is used. */
static int load(struct wedr_ruleset *rs, const char *text, size_t len)
{
    struct wedr_ioc_options options = {.now_us = now_us};
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    memset(&last, 0, sizeof(last));
    last_text[0] = '\0';
    int r = wedr_ioc_add(rs, "folder/sample.ioc", copy, len, &options, on_report, NULL, &stats);
    free(copy);
    return r;
}

/* A list under test, with all pipelines. */
struct list {
    struct wedr_engine *engine;
    struct wedr_field_map *map;
    struct wedr_rule_event *event;
    struct wedr_matcher *matcher;
    struct wedr_ioc_hit hit;
    char hit_text[1024];
};

static struct list *open_list(const char *text)
{
    struct list *l = calloc(1, sizeof(*l));
    struct wedr_ruleset *rs = wedr_ruleset_new(64u << 20);
    struct wedr_errinfo ei = {{0}};
    assert_non_null(l);
    (void)load(rs, text, strlen(text));
    assert_int_not_equal(stats.rule, WEDR_IR_NONE);
    assert_int_equal(wedr_engine_new_take(rs, NULL, &l->engine, &ei), WEDR_OK);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &l->map, &ei), WEDR_OK);
    l->event = wedr_rule_event_new(rs, NULL);
    l->matcher = wedr_matcher_new(l->engine);
    return l;
}

static void close_list(struct list *l)
{
    wedr_matcher_free(l->matcher);
    wedr_rule_event_free(l->event);
    wedr_field_map_free(l->map);
    wedr_engine_free(l->engine);
    free(l);
}

/* Does the list match; then the entry is found too, and only then. */
static bool matches(struct list *l, const char *json)
{
    const uint32_t *rules = NULL;
    size_t count = 0;
    struct wedr_errinfo ei = {{0}};
    if (wedr_rule_event_read_json(l->event, l->map, json, strlen(json), &ei) < 0) {
        fail_msg("%s: %s", ei.text, json);
    }
    assert_int_equal(wedr_matcher_run(l->matcher, l->event, &rules, &count), WEDR_OK);
    int r = wedr_ioc_find(wedr_engine_ruleset(l->engine), 0, l->event, &l->hit);
    assert_int_equal(r, count > 0 ? WEDR_OK : WEDR_E_NOENT);
    if (r == WEDR_OK) {
        struct wedr_buf out;
        wedr_buf_init(&out, sizeof(l->hit_text) - 1);
        wedr_ioc_describe(&l->hit, &out);
        assert_false(out.overflow);
        memcpy(l->hit_text, out.p, out.len + 1);
        wedr_buf_fini(&out);
    }
    return count > 0;
}

static void says(struct list *l, const char *json, const char *text)
{
    assert_true(matches(l, json));
    assert_string_equal(l->hit_text, text);
}

static void hashes_match_in_every_form_of_event(void **state)
{
    (void)state;
    struct list *l = open_list("id: a\ntitle: b\nhash " SHA256 " # two five six\nhash " SHA1
                               "\nmd5 D41D8CD98F00B204E9800998ECF8427E # five\n");
    assert_int_equal(stats.hashes, 3);
    says(l, "{\"event_type\":\"process_create\",\"raw\":{\"uid\":0,\"sha256\":\"" SHA256 "\"}}",
         "hash " SHA256 ": two five six");
    says(l,
         "{\"EventID\":1,\"Channel\":\"Microsoft-Windows-Sysmon/"
         "Operational\",\"Hashes\":\"SHA1=00,MD5=" MD5 ",IMPHASH=1\"}",
         "hash " MD5 ": five");
    says(l, "{\"process\":{\"hash\":{\"sha256\":\"" SHA256 "\"}}}",
         "hash " SHA256 ": two five six");
    says(l, "{\"file\":{\"hash\":{\"sha1\":\"" SHA1 "\"}}}", "hash " SHA1);
    assert_false(matches(l, "{\"Hashes\":\"SHA1=" SHA1 "0\"}"));
    assert_false(matches(l, "{\"CommandLine\":\"" SHA1 "\"}"));
    close_list(l);
}

static void domains_match_themselves_and_what_is_below(void **state)
{
    (void)state;
    struct list *l = open_list("domain bad[.]Example # the one\ndomain *.deep.bad.example # lower\n"
                               "domain .dotted.example.\n");
    assert_int_equal(stats.domains, 3);
    says(l, "{\"event_type\":\"dns_query\",\"raw\":{\"uid\":1,\"query_name\":\"BAD.example.\"}}",
         "domain bad.example: the one");
    says(l, "{\"dns\":{\"question\":{\"name\":\"a.deep.bad.example\"}}}",
         "domain deep.bad.example: lower");
    says(l, "{\"DestinationHostname\":\"x.dotted.example\"}", "domain dotted.example");
    assert_false(matches(l, "{\"QueryName\":\"notbad.example\"}"));
    assert_false(matches(l, "{\"QueryName\":\"example\"}"));
    close_list(l);
}

static void addresses_and_networks_match_and_the_narrowest_is_named(void **state)
{
    (void)state;
    struct list *l =
        open_list("ip 192.0.2.7 # host\ncidr 192.0.2.0/24 # net\nip 2001:db8::1:0:0:1\n"
                  "cidr 2001[:]db8:1::/48 # six\nip 198[.]51[.]100[.]9\n");
    says(l,
         "{\"event_type\":\"network_connect\",\"raw\":{\"uid\":1,\"dst_ip\":\"192.0.2.7\",\"dst_"
         "port\":80}}",
         "ip 192.0.2.7: host");
    says(l, "{\"SourceIp\":\"192.0.2.8\"}", "ip 192.0.2.0/24: net");
    says(l, "{\"destination\":{\"ip\":\"2001:db8:1:2::3\"}}", "ip 2001:db8:1::/48: six");
    says(l, "{\"DestinationIp\":\"2001:0db8:0:0:1::1\"}", "ip 2001:db8::1:0:0:1");
    says(l,
         "{\"event_type\":\"dns_query\",\"raw\":{\"uid\":1,\"query_name\":\"a.b\",\"answers\":["
         "\"203.0.113.1\",\"198.51.100.9\"]}}",
         "ip 198.51.100.9");
    assert_false(matches(l, "{\"DestinationIp\":\"192.0.3.7\"}"));
    close_list(l);
}

static void paths_of_windows_match_in_any_case_others_do_not(void **state)
{
    (void)state;
    struct list *l =
        open_list("path C:\\Users\\Public\\Evil Tool.exe # w\npath /usr/bin/.Hidden # u\n"
                  "path *\\temp\\drop?.dll # wild\npath /tmp/.x/* expires=2030-01-01 # tree\n"
                  "path \"/opt/with # in it\" # quoted\n");
    assert_int_equal(stats.paths, 5);
    assert_int_equal(stats.wildcards, 2);
    says(l,
         "{\"event_type\":\"process_create\",\"ts_ft_100ns\":1,\"raw\":{\"image_path\":\"c:"
         "\\\\users\\\\public\\\\EVIL tool.exe\"}}",
         "path c:\\users\\public\\evil tool.exe: w");
    says(l, "{\"Image\":\"/usr/bin/.Hidden\"}", "path /usr/bin/.Hidden: u");
    assert_false(matches(l, "{\"Image\":\"/usr/bin/.hidden\"}"));
    says(l, "{\"ImageLoaded\":\"C:\\\\Windows\\\\Temp\\\\DROP1.dll\"}",
         "path *\\temp\\drop?.dll: wild");
    says(l,
         "{\"event_type\":\"file_write\",\"raw\":{\"uid\":0,\"op\":\"Create\",\"target_path\":\"/"
         "tmp/.x/a/b\"}}",
         "path /tmp/.x/*: tree");
    assert_false(matches(l, "{\"Image\":\"/tmp/.X/a\"}"));
    assert_false(matches(l, "{\"Image\":\"/opt/with\"}"));
    close_list(l);
}

static void a_header_becomes_the_metadata_of_the_rule(void **state)
{
    (void)state;
    static const char text[] =
        "\xEF\xBB\xBF# a list\r\nid: 11111111-2222-4333-8444-555555555555\r\n"
        "title: Some list\r\nseverity: critical\r\ntags: attack.t1071, "
        "attack.command-and-control\r\n"
        "author: me\r\ndate: 2026-01-02\r\nreference: https://a.example\r\nreference: b\r\n"
        "false_positive: none\r\naction: log\r\nstatus: stable\r\n\r\nip 192.0.2.1\r\n";
    struct wedr_ruleset *rs = wedr_ruleset_new(1u << 20);
    assert_int_equal(load(rs, text, sizeof(text) - 1), WEDR_OK);
    const struct wedr_rule *r = wedr_ruleset_rule(rs, stats.rule);
    assert_string_equal(r->id.p, "11111111-2222-4333-8444-555555555555");
    assert_string_equal(r->title.p, "Some list");
    assert_string_equal(r->language.p, "ioc");
    assert_int_equal(r->severity, WEDR_SEVERITY_CRITICAL);
    assert_int_equal(r->actions, WEDR_ACTION_LOG);
    assert_int_equal(r->tags.count, 2);
    assert_string_equal(r->tags.v[1].p, "attack.command-and-control");
    assert_int_equal(r->references.count, 2);
    assert_int_equal(r->false_positives.count, 1);
    /* The id is taken now. */
    assert_int_equal(load(rs, text, sizeof(text) - 1), WEDR_E_EXIST);
    assert_int_equal(stats.rule, WEDR_IR_NONE);
    assert_int_equal(last.outcome, WEDR_IOC_LIST_REFUSED);
    wedr_ruleset_free(rs);
}

static void a_bare_csv_file_is_a_list_named_after_its_file(void **state)
{
    (void)state;
    struct list *l = open_list("type,value,comment,expires\n"
                               "domain,bad.example,\"said \"\"hello\"\", twice\"\n"
                               "sha1," SHA1 ",,2030-12-31\n"
                               "path,\"C:\\a, b\\c.exe\",comma\n"
                               "ip-dst,192.0.2.1\n");
    assert_int_equal(stats.entries, 4);
    assert_int_equal(stats.refused, 0);
    const struct wedr_rule *r = wedr_ruleset_rule(wedr_engine_ruleset(l->engine), 0);
    assert_string_equal(r->id.p, "sample");
    assert_string_equal(r->title.p, "sample");
    says(l, "{\"QueryName\":\"bad.example\"}", "domain bad.example: said \"hello\", twice");
    says(l, "{\"Image\":\"C:\\\\a, b\\\\c.exe\"}", "path c:\\a, b\\c.exe: comma");
    says(l, "{\"SourceIp\":\"192.0.2.1\"}", "ip 192.0.2.1");
    close_list(l);
}

static void a_wrong_entry_is_refused_with_its_line_and_the_others_count(void **state)
{
    (void)state;
    static const struct {
        const char *line, *why;
    } wrong[] = {
        {"hash abc", "MD5 has 32"},
        {"sha256 " SHA1, "digits"},
        {"hash zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "hexadecimal"},
        {"domain com", "2 parts"},
        {"domain b\xC3\xBC"
         "cher.example",
         "no domain name"},
        {"domain a..b", "no domain name"},
        {"ip 1.2.3", "no address"},
        {"ip 0.0.0.0/0", "too much"},
        {"cidr ::/0", "too much"},
        {"path evil.exe", "a path is whole"},
        {"path *\\*", "too much"},
        {"path /tmp/\x01"
         "abcd",
         "control character"},
        {"url https://bad.example/", "unknown kind 'url'"},
        {"domain bad.example expires=soon", "YYYY-MM-DD"},
        {"hash", "no value"},
        {"title: behind", "behind entries"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[512];
        struct wedr_ruleset *rs = wedr_ruleset_new(1u << 20);
        int n = snprintf(text, sizeof(text), "ip 192.0.2.1\n%s\nip 192.0.2.2\n", wrong[i].line);
        int r = load(rs, text, (size_t)n);
        if (r != WEDR_E_FORMAT || !strstr(last_text, wrong[i].why)) {
            fail_msg("%s: %d '%s'", wrong[i].line, r, last_text);
        }
        assert_int_equal(last.outcome, WEDR_IOC_ENTRY_REFUSED);
        assert_int_equal(last.line, 2);
        assert_int_equal(stats.refused, 1);
        assert_int_equal(stats.entries, 2);
        assert_int_not_equal(stats.rule, WEDR_IR_NONE);
        wedr_ruleset_free(rs);
    }
}

static void a_wrong_header_line_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"severity: loud", "expires: never", "colour: red",
                                        "action: kill", "title:"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[256];
        struct wedr_ruleset *rs = wedr_ruleset_new(1u << 20);
        int n = snprintf(text, sizeof(text), "%s\nip 192.0.2.1\n", wrong[i]);
        assert_int_equal(load(rs, text, (size_t)n), WEDR_E_FORMAT);
        assert_int_equal(last.line, 1);
        wedr_ruleset_free(rs);
    }
    struct wedr_ruleset *rs = wedr_ruleset_new(1u << 20);
    assert_int_equal(load(rs, "title: nothing\n", 15), WEDR_E_FORMAT);
    assert_int_equal(last.outcome, WEDR_IOC_LIST_REFUSED);
    wedr_ruleset_free(rs);
}

static void what_stands_twice_counts_once(void **state)
{
    (void)state;
    struct list *l =
        open_list("domain bad.example # first\ndomain BAD.example. # second\nip 192.0.2.1\n"
                  "ip 192.0.2.1\npath C:\\x\\evil.exe\npath c:\\X\\evil.EXE\npath /a/b*cd/e\n"
                  "path /a/b*cd/e\n");
    assert_int_equal(stats.duplicates, 4);
    assert_int_equal(stats.entries, 4);
    says(l, "{\"QueryName\":\"bad.example\"}", "domain bad.example: first");
    close_list(l);
}

static void what_has_expired_does_not_match_and_says_so(void **state)
{
    (void)state;
    now_us = INT64_C(1767225600000000); /* 2026-01-01T00:00:00Z */
    struct list *l = open_list("expires: 2026-06-30\ndomain old.example expires=2025-12-31\n"
                               "domain new.example expires=2026-01-01\n");
    assert_int_equal(last.outcome, WEDR_IOC_ENTRY_EXPIRED);
    assert_int_equal(last.line, 2);
    assert_int_equal(stats.expired, 1);
    assert_true(stats.next_expiry_us == now_us + INT64_C(86400000000));
    assert_false(matches(l, "{\"QueryName\":\"old.example\"}"));
    assert_true(matches(l, "{\"QueryName\":\"new.example\"}"));
    close_list(l);

    struct wedr_ruleset *rs = wedr_ruleset_new(1u << 20);
    static const char text[] = "expires: 2025-12-31\nip 192.0.2.1\n";
    assert_int_equal(load(rs, text, sizeof(text) - 1), WEDR_OK);
    assert_int_equal(last.outcome, WEDR_IOC_LIST_EXPIRED);
    assert_true(stats.list_expired);
    assert_true(wedr_ruleset_rule(rs, stats.rule)->flags & WEDR_RULE_DISABLED);
    wedr_ruleset_free(rs);

    rs = wedr_ruleset_new(1u << 20);
    static const char gone[] = "ip 192.0.2.1 expires=2020-01-01\n";
    assert_int_equal(load(rs, gone, sizeof(gone) - 1), WEDR_OK);
    assert_int_equal(last.outcome, WEDR_IOC_LIST_EXPIRED);
    assert_true(wedr_ruleset_rule(rs, stats.rule)->flags & WEDR_RULE_DISABLED);
    wedr_ruleset_free(rs);
    now_us = 0;
}

/* What an agent gets: no YAML, no list file, and still the entry and its comment. */
static void an_agent_names_the_entry_from_its_bundle(void **state)
{
    (void)state;
    static const char text[] =
        "domain bad.example # from a report\npath C:\\evil.exe # w\nip 192.0.2.0/24 # n\n"
        "hash " MD5 " # m\n";
    uint8_t public_key[WEDR_BUNDLE_PUBLIC_KEY_LEN];
    uint8_t secret_key[WEDR_BUNDLE_SECRET_KEY_LEN];
    struct wedr_bundle_options options = {
        .serial = 1, .profile = "test", .parts = WEDR_BUNDLE_AGENT | WEDR_BUNDLE_WINDOWS};
    struct wedr_ruleset *rs = wedr_ruleset_new(4u << 20);
    struct wedr_field_map *map = NULL;
    struct wedr_buf file;
    struct list l = {.engine = NULL};
    assert_int_equal(load(rs, text, sizeof(text) - 1), WEDR_OK);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &map, NULL), WEDR_OK);
    assert_int_equal(crypto_sign_keypair(public_key, secret_key), 0);
    wedr_buf_init(&file, WEDR_BUNDLE_MAX);
    assert_int_equal(wedr_bundle_write(rs, map, &options, secret_key, &file, NULL, NULL), WEDR_OK);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    assert_int_equal(wedr_bundle_load(file.p, file.len, 4u << 20, &rs, &l.map, NULL), WEDR_OK);
    wedr_buf_fini(&file);
    assert_int_equal(wedr_engine_new_take(rs, NULL, &l.engine, NULL), WEDR_OK);
    l.event = wedr_rule_event_new(rs, NULL);
    l.matcher = wedr_matcher_new(l.engine);
    says(&l,
         "{\"event_type\":\"dns_query\",\"ts_ft_100ns\":1,\"raw\":{\"query_name\":\"a.bad."
         "example\"}}",
         "domain bad.example: from a report");
    says(&l,
         "{\"event_type\":\"process_create\",\"ts_ft_100ns\":1,\"raw\":{\"image_path\":\"c:"
         "\\\\EVIL.exe\"}}",
         "path c:\\evil.exe: w");
    says(
        &l,
        "{\"event_type\":\"network_connect\",\"ts_ft_100ns\":1,\"raw\":{\"dst_ip\":\"192.0.2.9\"}}",
        "ip 192.0.2.0/24: n");
    says(&l,
         "{\"event_type\":\"process_create\",\"ts_ft_100ns\":1,\"raw\":{\"sha256\":\"" MD5 "\"}}",
         "hash " MD5 ": m");
    wedr_matcher_free(l.matcher);
    wedr_rule_event_free(l.event);
    wedr_field_map_free(l.map);
    wedr_engine_free(l.engine);
}

static char *many(uint32_t count, bool mixed, size_t *ret_len)
{
    char *text = malloc((size_t)count * 160);
    size_t at = 0;
    assert_non_null(text);
    for (uint32_t i = 0; i < count; i++) {
        char *p = text + at;
        size_t room = (size_t)count * 160 - at;
        int n =
            !mixed || i % 5 == 0
                ? snprintf(p, room, "hash %08x%056x # family %u, seen in campaign number %u\n",
                           i * 2654435761u, i, i % 97, i)
            : i % 5 == 1
                ? snprintf(p, room, "domain host%u.evil%u.example # campaign %u\n", i, i % 991, i)
            : i % 5 == 2 ? snprintf(p, room, "ip 10.%u.%u.%u\n", i >> 16, (i >> 8) & 255, i & 255)
            : i % 5 == 3
                ? snprintf(p, room, "cidr 2001:db8:%x::/48 # hosting %u\n", i & 0xFFFF, i)
                : snprintf(p, room, "path C:\\ProgramData\\Vendor\\file%u.exe # tool %u\n", i, i);
        assert_true(n > 0 && (size_t)n < room);
        at += (size_t)n;
    }
    *ret_len = at;
    return text;
}

/* Ruleset and engine, as the library itself counts. */
static size_t bytes_of(uint32_t count, bool mixed)
{
    size_t len = 0;
    char *text = many(count, mixed, &len);
    struct wedr_ruleset *rs = wedr_ruleset_new(64u << 20);
    struct wedr_engine *e = NULL;
    struct wedr_engine_info info;
    assert_int_equal(load(rs, text, len), WEDR_OK);
    assert_int_equal(stats.entries, count);
    free(text);
    assert_int_equal(wedr_engine_new_take(rs, NULL, &e, NULL), WEDR_OK);
    wedr_engine_info(e, &info);
    assert_int_equal(info.rules_always, 0);
    wedr_engine_free(e);
    printf("%u entries (%s): %zu bytes\n", count, mixed ? "mixed" : "SHA-256 with comments",
           info.total_bytes);
    return info.total_bytes;
}

static void ten_thousand_entries_fit_two_mebibytes(void **state)
{
    (void)state;
    assert_true(bytes_of(10000, false) <= (size_t)2 << 20);
    assert_true(bytes_of(10000, true) <= (size_t)2 << 20);
}

static void a_list_too_large_for_its_ruleset_is_refused_as_a_whole(void **state)
{
    (void)state;
    size_t len = 0;
    char *text = many(100000, true, &len);
    struct wedr_ruleset *rs = wedr_ruleset_new(4u << 20);
    int r = load(rs, text, len);
    assert_true(r == WEDR_E_NOMEM || r == WEDR_E_LIMIT);
    assert_int_equal(stats.rule, WEDR_IR_NONE);
    assert_int_equal(last.outcome, WEDR_IOC_LIST_REFUSED);
    assert_true(wedr_ruleset_memory(rs) <= (size_t)4 << 20);
    wedr_ruleset_free(rs);
    rs = wedr_ruleset_new(64u << 20);
    assert_int_equal(load(rs, text, len), WEDR_OK);
    assert_int_equal(stats.entries, 100000);
    printf("100000 entries (mixed): %zu bytes of ruleset\n", wedr_ruleset_memory(rs));
    wedr_ruleset_free(rs);
    free(text);
}

static void wildcards_have_a_maximum(void **state)
{
    (void)state;
    char *text = malloc(300 * 64);
    size_t at = 0;
    assert_non_null(text);
    for (unsigned i = 0; i < 300; i++) {
        at += (size_t)snprintf(text + at, 64, "path *\\evil%u?name\\*.dll # n%u\n", i, i);
    }
    text[at] = '\0';
    struct list *l = open_list(text);
    free(text);
    assert_int_equal(stats.wildcards, WEDR_IOC_WILDCARDS_MAX);
    assert_int_equal(stats.refused, 300 - WEDR_IOC_WILDCARDS_MAX);
    says(l, "{\"ImageLoaded\":\"d:\\\\Evil7xname\\\\a.DLL\"}", "path *\\evil7?name\\*.dll: n7");
    close_list(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_match_in_every_form_of_event),
        cmocka_unit_test(domains_match_themselves_and_what_is_below),
        cmocka_unit_test(addresses_and_networks_match_and_the_narrowest_is_named),
        cmocka_unit_test(paths_of_windows_match_in_any_case_others_do_not),
        cmocka_unit_test(a_header_becomes_the_metadata_of_the_rule),
        cmocka_unit_test(a_bare_csv_file_is_a_list_named_after_its_file),
        cmocka_unit_test(a_wrong_entry_is_refused_with_its_line_and_the_others_count),
        cmocka_unit_test(a_wrong_header_line_is_refused),
        cmocka_unit_test(what_stands_twice_counts_once),
        cmocka_unit_test(what_has_expired_does_not_match_and_says_so),
        cmocka_unit_test(an_agent_names_the_entry_from_its_bundle),
        cmocka_unit_test(ten_thousand_entries_fit_two_mebibytes),
        cmocka_unit_test(a_list_too_large_for_its_ruleset_is_refused_as_a_whole),
        cmocka_unit_test(wildcards_have_a_maximum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
