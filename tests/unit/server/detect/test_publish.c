/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "detect/profile.h"
#include "detect/publish.h"
#include "state_folder.h"
#include "store/state/sqlite/db.h"
#include "wedr/rules/bundle.h"
#include <stdio.h>
#include <string.h>

#define LINUX_ID "01234567-89ab-4cde-8f01-23456789abcd"

static uint8_t secret[WEDR_SIGN_SECRET_LEN], public_key[WEDR_SIGN_PUBLIC_LEN];

#define RULE(id, title, level, tag, extra)                                                     \
    "title: " title "\nid: " id "\nlevel: " level "\ntags: [" tag "]\nlogsource:\n  product: " \
    "linux\n  category: process_creation\ndetection:\n  s:\n    Image|endswith: /" title "\n"  \
    "  condition: s\n" extra
#define R1 "11111111-1111-4111-8111-111111111111"
#define R2 "22222222-2222-4222-8222-222222222222"
#define R3 "33333333-3333-4333-8333-333333333333"
#define R4 "44444444-4444-4444-8444-444444444444"
#define BROKEN \
    "title: b\nlogsource: {product: linux}\ndetection:\n  s:\n    a|nothing: 1\n  condition: s\n"
#define CORRELATION                                                                          \
    "title: many\nid: " R4 "\nlevel: high\ncorrelation:\n  type: event_count\n  rules: [" R1 \
    "]\n  group-by: [User]\n  timespan: 5m\n  condition:\n    gte: 10\n"

struct told {
    unsigned errors;
    char last[256], file[256];
    uint32_t line;
};

static void note(void *ctx, const struct wedr_problem *p)
{
    struct told *t = ctx;
    if (p->warning) {
        return;
    }
    t->errors++;
    t->line = p->line;
    (void)snprintf(t->last, sizeof(t->last), "%s", p->text);
    (void)snprintf(t->file, sizeof(t->file), "%s", p->file);
}

/* Adds files and stores those that compile; how many were stored. */
static unsigned add(struct wedr_state *s, struct told *told, size_t count, const char *const *files)
{
    struct wedr_sources sources;
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {""};
    uint32_t refused = 0, stored = 0;
    assert_int_equal(wedr_sources_load(&sources, STATE_OPS, s, &ei), WEDR_OK);
    for (size_t i = 0; i < count; i++) {
        const char *text = files[2 * i + 1];
        assert_int_equal(wedr_sources_add(&sources, files[2 * i], text, strlen(text)), WEDR_OK);
    }
    assert_int_equal(
        wedr_sources_compile(&sources, STATE_NOW, note, told, &rs, &map, &refused, &ei), WEDR_OK);
    assert_int_equal(refused, told->errors);
    assert_int_equal(wedr_sources_store(&sources, STATE_OPS, s, "me", STATE_NOW, &stored, &ei),
                     WEDR_OK);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
    wedr_sources_fini(&sources);
    return stored;
}

static int publish(struct wedr_state *s, const char *profile, struct told *told)
{
    uint32_t refused = 0;
    struct wedr_publish p = {.ops = STATE_OPS,
                             .state = s,
                             .secret = secret,
                             .now_us = STATE_NOW,
                             .profile = profile,
                             .problem = note,
                             .ctx = told};
    return wedr_publish(&p, &refused, NULL);
}

/* The rule ids of the newest bundle, in order; "" when there is no bundle. */
static const char *ids_of(struct wedr_state *s, const char *profile, const char *os)
{
    static char ids[512];
    struct wedr_bundle_row row;
    struct wedr_bundle_info info;
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    struct wedr_buf bytes;
    struct wedr_errinfo ei = {""};
    ids[0] = '\0';
    wedr_buf_init(&bytes, WEDR_BUNDLE_MAX);
    if (STATE_OPS->rules->bundle_newest(s, profile, os, &row, &bytes) == WEDR_OK) {
        assert_int_equal(wedr_bundle_check(bytes.p, bytes.len, public_key, &info, &ei), WEDR_OK);
        assert_int_equal(info.serial, row.serial);
        assert_int_equal(wedr_bundle_load(bytes.p, bytes.len, 1 << 24, &rs, &map, &ei), WEDR_OK);
        for (uint32_t i = 0; i < wedr_ruleset_rule_count(rs); i++) {
            const struct wedr_rule *r = wedr_ruleset_rule(rs, i);
            size_t n = strlen(ids);
            (void)snprintf(ids + n, sizeof(ids) - n, "%.1s%s", r->id.p,
                           (r->flags & WEDR_RULE_HIDDEN) ? "h " : " ");
        }
        wedr_field_map_free(map);
        wedr_ruleset_free(rs);
    }
    wedr_buf_fini(&bytes);
    return ids;
}

static const char *const three[] = {"a.yml", RULE(R1, "a", "low", "attack.t1059.001", ""),
                                    "b.yml", RULE(R2, "b", "high", "attack.t1003", ""),
                                    "c.yml", RULE(R3, "c", "critical", "attack.t1059", "")};

static void a_rule_that_does_not_compile_is_named_and_leaves_the_others(void **state)
{
    (void)state;
    struct told told = {0};
    struct wedr_state *s = state_open();
    const char *const files[] = {"a.yml", three[1], "bad.yml", BROKEN};
    assert_int_equal(add(s, &told, 2, files), 1);
    assert_int_equal(told.errors, 1);
    assert_string_equal(told.file, "bad.yml");
    assert_int_equal(told.line, 5);
    assert_non_null(strstr(told.last, "nothing"));
    STATE_OPS->close(s);
}

static void a_broken_rule_leaves_the_old_bundle_in_force(void **state)
{
    (void)state;
    struct told told = {0};
    struct wedr_bundle_row before, after;
    struct wedr_state *s = state_open();
    assert_int_equal(add(s, &told, 3, three), 3);
    assert_int_equal(publish(s, NULL, &told), WEDR_OK);
    assert_int_equal(STATE_OPS->rules->bundle_newest(s, "default", "linux", &before, NULL), 0);
    struct wedr_stored_rule bad = {.id = "bad",
                                   .language = "sigma",
                                   .title = "t",
                                   .enabled = true,
                                   .source = "bad.yml",
                                   .text = BROKEN,
                                   .text_len = strlen(BROKEN)};
    assert_int_equal(STATE_OPS->rules->put(s, &bad, STATE_NOW, NULL), WEDR_OK);
    assert_int_equal(publish(s, NULL, &told), WEDR_E_FORMAT);
    assert_string_equal(told.file, "bad.yml");
    assert_int_equal(STATE_OPS->rules->bundle_newest(s, "default", "linux", &after, NULL), 0);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(STATE_OPS->rules->enable(s, "bad", false), WEDR_OK);
    assert_int_equal(publish(s, NULL, &told), WEDR_OK);
    STATE_OPS->close(s);
}

static void serials_rise_although_the_clock_stands_still(void **state)
{
    (void)state;
    struct told told = {0};
    struct wedr_bundle_row row;
    struct wedr_state *s = state_open();
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(publish(s, NULL, &told), WEDR_OK);
        assert_int_equal(STATE_OPS->rules->bundle_newest(s, "default", "linux", &row, NULL), 0);
        assert_int_equal(row.serial, (uint64_t)STATE_NOW + i);
    }
    STATE_OPS->close(s);
}

/* The server's own bundle comes last and its row is refused. */
static void a_publish_that_fails_in_the_middle_leaves_every_profile_as_it_was(void **state)
{
    (void)state;
    struct told told = {0};
    struct wedr_bundle_row before, after;
    struct wedr_state *s = state_open();
    assert_int_equal(publish(s, NULL, &told), WEDR_OK);
    assert_int_equal(STATE_OPS->rules->bundle_newest(s, "default", "linux", &before, NULL), 0);
    assert_int_equal(wedr_state_run(s->writer, NULL,
                                    "CREATE TRIGGER no BEFORE INSERT ON bundle WHEN "
                                    "new.profile='" WEDR_PROFILE_SERVER "' BEGIN SELECT "
                                    "raise(ABORT, 'no'); END",
                                    ""),
                     WEDR_OK);
    assert_int_not_equal(publish(s, NULL, &told), WEDR_OK);
    assert_int_equal(STATE_OPS->rules->bundle_newest(s, "default", "linux", &after, NULL), 0);
    assert_memory_equal(&before, &after, sizeof(before));
    assert_int_equal(wedr_state_run(s->writer, NULL, "DROP TRIGGER no", ""), WEDR_OK);
    assert_int_equal(publish(s, NULL, &told), WEDR_OK);
    assert_int_equal(STATE_OPS->rules->bundle_newest(s, "default", "linux", &after, NULL), 0);
    assert_int_equal(after.serial, before.serial + 1);
    STATE_OPS->close(s);
}

static void change(struct wedr_state *s, const char *name, const char *assignment)
{
    static struct wedr_profile p;
    struct wedr_errinfo ei = {""};
    if (STATE_OPS->rules->profile_get(s, name, &p) != WEDR_OK) {
        memset(&p, 0, sizeof(p));
        (void)snprintf(p.name, sizeof(p.name), "%s", name);
    }
    if (wedr_profile_change(&p, assignment, &ei) != WEDR_OK) {
        fail_msg("%s", ei.text);
    }
    assert_int_equal(STATE_OPS->rules->profile_put(s, &p), WEDR_OK);
}

static void a_profile_chooses_by_severity_tag_and_name(void **state)
{
    (void)state;
    struct told told = {0};
    struct wedr_state *s = state_open();
    assert_int_equal(add(s, &told, 3, three), 3);
    change(s, "some", "rules=none");
    change(s, "some", "tags=attack.t1059");
    change(s, "high", "rules=all");
    change(s, "high", "min_severity=high");
    change(s, "named", "rules=none");
    change(s, "named", "enable=" R1 "," R2);
    change(s, "named", "disable=" R2);
    assert_int_equal(publish(s, NULL, &told), WEDR_OK);
    assert_string_equal(ids_of(s, "default", "linux"), "1 2 3 ");
    assert_string_equal(ids_of(s, "default", "windows"), "");
    assert_string_equal(ids_of(s, "some", "linux"), "1 3 ");
    assert_string_equal(ids_of(s, "high", "linux"), "2 3 ");
    assert_string_equal(ids_of(s, "named", "linux"), "1 ");
    STATE_OPS->close(s);
}

static void what_a_profile_says_about_the_sensor_goes_with_its_bundle(void **state)
{
    (void)state;
    struct told told = {0};
    struct wedr_bundle_row row;
    struct wedr_buf bytes;
    const char *text = NULL;
    size_t len = 0;
    static const char want[] = "sensor.cpu_percent=10\nsensor.exclude_paths=/srv/,/tmp/\n";
    struct wedr_state *s = state_open();
    change(s, "calm", "sensor.exclude_paths=/tmp/");
    change(s, "calm", "sensor.exclude_uids=7");
    change(s, "calm", "sensor.cpu_percent=10");
    change(s, "calm", "sensor.exclude_paths=/srv/,/tmp/");
    change(s, "calm", "sensor.exclude_uids=");
    assert_int_equal(publish(s, NULL, &told), WEDR_OK);
    wedr_buf_init(&bytes, WEDR_BUNDLE_MAX);
    assert_int_equal(STATE_OPS->rules->bundle_newest(s, "calm", "linux", &row, &bytes), WEDR_OK);
    assert_int_equal(wedr_bundle_settings(bytes.p, bytes.len, &text, &len), WEDR_OK);
    assert_int_equal(len, sizeof(want) - 1);
    assert_memory_equal(text, want, len);
    wedr_buf_fini(&bytes);
    STATE_OPS->close(s);
}

static void one_profile_is_published_alone_and_an_unknown_one_not(void **state)
{
    (void)state;
    struct told told = {0};
    struct wedr_bundle_row row;
    struct wedr_state *s = state_open();
    change(s, "other", "rules=all");
    assert_int_equal(publish(s, "other", &told), WEDR_OK);
    assert_int_equal(STATE_OPS->rules->bundle_newest(s, "other", "linux", &row, NULL), WEDR_OK);
    assert_int_equal(STATE_OPS->rules->bundle_newest(s, "default", "linux", &row, NULL),
                     WEDR_E_NOENT);
    assert_int_equal(publish(s, "nobody", &told), WEDR_E_NOENT);
    STATE_OPS->close(s);
}

static void correlations_go_to_the_server_and_their_members_to_both(void **state)
{
    (void)state;
    struct told told = {0};
    struct wedr_state *s = state_open();
    const char *const files[] = {"m.yml", CORRELATION, "a.yml", three[1], "b.yml", three[3]};
    assert_int_equal(add(s, &told, 3, files), 3);
    assert_int_equal(told.errors, 0);
    assert_int_equal(publish(s, NULL, &told), WEDR_OK);
    assert_string_equal(ids_of(s, "default", "linux"), "2 ");
    assert_string_equal(ids_of(s, WEDR_PROFILE_SERVER, "server"), "1h 4 ");
    STATE_OPS->close(s);
}

static void kill_needs_the_word_of_the_profile(void **state)
{
    (void)state;
    struct told told = {0};
    struct wedr_bundle_row row;
    struct wedr_bundle_info info;
    struct wedr_buf bytes;
    struct wedr_state *s = state_open();
    change(s, "strict", "kill=yes");
    assert_int_equal(publish(s, NULL, &told), WEDR_OK);
    const char *const names[] = {"default", "strict"};
    for (unsigned i = 0; i < 2; i++) {
        wedr_buf_init(&bytes, WEDR_BUNDLE_MAX);
        assert_int_equal(STATE_OPS->rules->bundle_newest(s, names[i], "linux", &row, &bytes), 0);
        assert_int_equal(wedr_bundle_check(bytes.p, bytes.len, public_key, &info, NULL), WEDR_OK);
        assert_int_equal(info.policy, i ? WEDR_BUNDLE_KILL_ALLOWED : 0);
        assert_string_equal(info.profile, names[i]);
        wedr_buf_fini(&bytes);
    }
    STATE_OPS->close(s);
}

static void wrong_words_about_a_profile_are_refused(void **state)
{
    (void)state;
    static struct wedr_profile p;
    static const char *const bad[] = {"",
                                      "=",
                                      "rules",
                                      "rules=some",
                                      "kill=maybe",
                                      "tags",
                                      "min_severity=loud",
                                      "colour=red",
                                      "tags=a\nb",
                                      "sensor.cpu_percent=0",
                                      "sensor.colour=red",
                                      "sensor.from_profile=false",
                                      "sensor.exclude_uids=1\nsensor.cpu_percent=2"};
    struct wedr_errinfo ei = {""};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        assert_int_equal(wedr_profile_change(&p, bad[i], &ei), WEDR_E_INVAL);
    }
    assert_true(wedr_profile_name_valid("web-1"));
    assert_false(wedr_profile_name_valid("@server"));
    assert_false(wedr_profile_name_valid(""));
    assert_false(wedr_profile_name_valid("A"));
}

static int find_rule(void *ctx, const struct wedr_stored_rule *r)
{
    char *text = ctx;
    if (strcmp(r->id, R1) == 0) {
        (void)snprintf(text, 64, "%s, %s", r->severity, r->enabled ? "on" : "off");
    }
    return 0;
}

static const char *severity_of_r1(struct wedr_state *s)
{
    static char text[64];
    text[0] = '\0';
    assert_int_equal(STATE_OPS->rules->each(s, false, find_rule, text), WEDR_OK);
    return text;
}

static void a_rule_has_its_severity_before_it_is_published_and_while_it_is_off(void **state)
{
    (void)state;
    struct told told = {0};
    static const char *const files[] = {"a.yml", RULE(R1, "a", "high", "attack.t1059", "")};
    static const char *const newer[] = {"a.yml", RULE(R1, "a", "low", "attack.t1059", "")};
    struct wedr_state *s = state_open();
    assert_int_equal(add(s, &told, 1, files), 1);
    assert_string_equal(severity_of_r1(s), "high, on");
    /* As a release that did not write it down left it. */
    assert_int_equal(STATE_OPS->rules->severity(s, R1, ""), WEDR_OK);
    assert_int_equal(STATE_OPS->rules->enable(s, R1, false), WEDR_OK);
    struct wedr_publish p = {.ops = STATE_OPS, .state = s, .secret = secret, .now_us = 1};
    assert_int_equal(wedr_publish_builtin(&p, NULL), WEDR_OK);
    assert_string_equal(severity_of_r1(s), "high, off");
    assert_int_equal(add(s, &told, 1, newer), 1);
    assert_int_equal(wedr_publish_builtin(&p, NULL), WEDR_OK);
    assert_string_equal(severity_of_r1(s), "low, off");
    STATE_OPS->close(s);
}

static void the_built_in_rules_are_published_once(void **state)
{
    (void)state;
    struct told told = {0};
    struct wedr_bundle_row first, second;
    struct wedr_state *s = state_open();
    struct wedr_publish p = {.ops = STATE_OPS,
                             .state = s,
                             .secret = secret,
                             .now_us = STATE_NOW,
                             .problem = note,
                             .ctx = &told};
    assert_int_equal(wedr_publish_builtin(&p, NULL), WEDR_OK);
    assert_int_equal(told.errors, 0);
    assert_int_equal(STATE_OPS->rules->bundle_newest(s, "default", "linux", &first, NULL), 0);
    assert_int_equal(wedr_publish_builtin(&p, NULL), WEDR_OK);
    assert_int_equal(STATE_OPS->rules->bundle_newest(s, "default", "linux", &second, NULL), 0);
    assert_memory_equal(&first, &second, sizeof(first));
    STATE_OPS->close(s);
}

static void a_placeholder_takes_its_values_from_a_stored_list(void **state)
{
    (void)state;
    struct told told = {0};
    struct wedr_state *s = state_open();
    static const char text[] =
        "title: l\nid: " R1 "\nlogsource: {product: linux, category: process_creation}\n"
        "detection:\n  s:\n    User|expand: '%admins%'\n  condition: s\n";
    const char *const files[] = {"l.yml", text};
    assert_int_equal(add(s, &told, 1, files), 1);
    assert_int_equal(publish(s, NULL, &told), WEDR_OK);
    assert_string_equal(ids_of(s, "default", "linux"), "");
    assert_int_equal(STATE_OPS->rules->list_put(s, "admins", "# who\nroot\r\n\n", 14, STATE_NOW),
                     0);
    assert_int_equal(publish(s, NULL, &told), WEDR_OK);
    assert_string_equal(ids_of(s, "default", "linux"), "1 ");
    STATE_OPS->close(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, state_set_up, state_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_rule_that_does_not_compile_is_named_and_leaves_the_others),
        T(a_broken_rule_leaves_the_old_bundle_in_force),
        T(serials_rise_although_the_clock_stands_still),
        T(a_publish_that_fails_in_the_middle_leaves_every_profile_as_it_was),
        T(a_profile_chooses_by_severity_tag_and_name),
        T(what_a_profile_says_about_the_sensor_goes_with_its_bundle),
        T(one_profile_is_published_alone_and_an_unknown_one_not),
        T(correlations_go_to_the_server_and_their_members_to_both),
        T(kill_needs_the_word_of_the_profile),
        T(wrong_words_about_a_profile_are_refused),
        T(a_rule_has_its_severity_before_it_is_published_and_while_it_is_off),
        T(the_built_in_rules_are_published_once),
        T(a_placeholder_takes_its_values_from_a_stored_list),
    };
    wedr_sign_keypair(public_key, secret);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
