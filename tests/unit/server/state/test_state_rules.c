/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "state_folder.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#define RULES (STATE_OPS->rules)
#define LINUX_ID "01234567-89ab-4cde-8f01-23456789abcd"
#define WINDOWS_ID "11234567-89ab-4cde-8f01-23456789abcd"

static int put(struct wedr_state *s, const char *id, const char *source, const char *text)
{
    uint32_t version = 0;
    struct wedr_stored_rule r = {.id = id,
                                 .language = "sigma",
                                 .title = "a title",
                                 .source = source,
                                 .text = text,
                                 .text_len = strlen(text),
                                 .author = "someone",
                                 .enabled = true};
    int err = RULES->put(s, &r, STATE_NOW, &version);
    return err == WEDR_OK ? (int)version : err;
}

struct seen {
    int count;
    char last[512], ids[512];
    uint32_t version;
    bool enabled;
};

static int note(void *ctx, const struct wedr_stored_rule *r)
{
    struct seen *s = ctx;
    s->count++;
    s->version = r->version;
    s->enabled = r->enabled;
    (void)snprintf(s->last, sizeof(s->last), "%.*s", (int)r->text_len, r->text ? r->text : "");
    size_t n = strlen(s->ids);
    (void)snprintf(s->ids + n, sizeof(s->ids) - n, "%s ", r->id);
    return 0;
}

static void a_new_text_is_a_new_version_and_the_old_one_stays(void **state)
{
    (void)state;
    struct wedr_state *s = state_open();
    struct seen got = {0};
    assert_int_equal(put(s, "r1", "a.yml", "one"), 1);
    assert_int_equal(put(s, "r1", "a.yml", "one"), 1);
    assert_int_equal(put(s, "r1", "a.yml", "two"), 2);
    assert_int_equal(RULES->get(s, "r1", 0, note, &got), WEDR_OK);
    assert_string_equal(got.last, "two");
    assert_int_equal(got.version, 2);
    assert_int_equal(RULES->get(s, "r1", 1, note, &got), WEDR_OK);
    assert_string_equal(got.last, "one");
    assert_int_equal(RULES->get(s, "r1", 3, note, &got), WEDR_E_NOENT);
    STATE_OPS->close(s);
}

static void a_removed_rule_comes_back_with_the_next_version(void **state)
{
    (void)state;
    struct wedr_state *s = state_open();
    struct seen got = {0};
    assert_int_equal(put(s, "r1", "a.yml", "one"), 1);
    assert_int_equal(RULES->remove(s, "r1"), WEDR_OK);
    assert_int_equal(RULES->remove(s, "r1"), WEDR_E_NOENT);
    assert_int_equal(RULES->get(s, "r1", 0, note, &got), WEDR_E_NOENT);
    assert_int_equal(put(s, "r1", "a.yml", "one"), 2);
    STATE_OPS->close(s);
}

static void versions_cannot_be_changed_or_deleted_by_anybody(void **state)
{
    (void)state;
    char path[128];
    sqlite3 *db = NULL;
    struct wedr_state *s = state_open();
    assert_int_equal(put(s, "r1", "a.yml", "one"), 1);
    STATE_OPS->close(s);
    (void)snprintf(path, sizeof(path), "%s/state.db", state_folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM rule_version", NULL, NULL, NULL),
                     SQLITE_CONSTRAINT);
    assert_int_equal(sqlite3_exec(db, "UPDATE rule_version SET text='x'", NULL, NULL, NULL),
                     SQLITE_CONSTRAINT);
    sqlite3_close(db);
}

static void two_rules_cannot_have_one_source(void **state)
{
    (void)state;
    struct wedr_state *s = state_open();
    struct seen got = {0};
    assert_int_equal(put(s, "r1", "a.yml", "one"), 1);
    assert_int_equal(put(s, "r2", "a.yml", "other"), WEDR_E_CONFLICT);
    assert_int_equal(put(s, "r2", "b.yml", "other"), 1);
    assert_int_equal(RULES->each(s, false, note, &got), WEDR_OK);
    assert_string_equal(got.ids, "r1 r2 ");
    assert_string_equal(got.last, "");
    assert_int_equal(RULES->each(s, true, note, &got), WEDR_OK);
    assert_string_equal(got.last, "other");
    STATE_OPS->close(s);
}

static void a_rule_is_switched_off_and_on_and_keeps_that_over_versions(void **state)
{
    (void)state;
    struct wedr_state *s = state_open();
    struct seen got = {0};
    assert_int_equal(put(s, "r1", "a.yml", "one"), 1);
    assert_int_equal(RULES->enable(s, "r1", false), WEDR_OK);
    assert_int_equal(put(s, "r1", "a.yml", "two"), 2);
    assert_int_equal(RULES->get(s, "r1", 0, note, &got), WEDR_OK);
    assert_false(got.enabled);
    assert_int_equal(RULES->enable(s, "r1", true), WEDR_OK);
    assert_int_equal(RULES->get(s, "r1", 0, note, &got), WEDR_OK);
    assert_true(got.enabled);
    assert_int_equal(RULES->enable(s, "nobody", true), WEDR_E_NOENT);
    STATE_OPS->close(s);
}

static void names_and_texts_over_their_limits_are_refused(void **state)
{
    (void)state;
    char id[WEDR_RULE_ID_MAX + 1];
    struct wedr_state *s = state_open();
    memset(id, 'x', sizeof(id) - 1);
    id[sizeof(id) - 1] = '\0';
    assert_int_equal(put(s, id, "a.yml", "one"), WEDR_E_LIMIT);
    assert_int_equal(put(s, "", "a.yml", "one"), WEDR_E_LIMIT);
    assert_int_equal(put(s, "r", "", "one"), WEDR_E_LIMIT);
    STATE_OPS->close(s);
}

static int note_list(void *ctx, const char *name, const char *text, size_t len)
{
    struct seen *s = ctx;
    size_t n = strlen(s->ids);
    (void)snprintf(s->ids + n, sizeof(s->ids) - n, "%s=%.*s;", name, (int)len, text);
    s->count++;
    return 0;
}

static void lists_are_replaced_and_removed_by_name(void **state)
{
    (void)state;
    struct wedr_state *s = state_open();
    struct seen got = {0};
    assert_int_equal(RULES->list_put(s, "admins", "a", 1, STATE_NOW), WEDR_OK);
    assert_int_equal(RULES->list_put(s, "admins", "b\nc", 3, STATE_NOW), WEDR_OK);
    assert_int_equal(RULES->list_put(s, "servers", "", 0, STATE_NOW), WEDR_OK);
    assert_int_equal(RULES->list_each(s, note_list, &got), WEDR_OK);
    assert_string_equal(got.ids, "admins=b\nc;servers=;");
    assert_int_equal(RULES->list_remove(s, "admins"), WEDR_OK);
    assert_int_equal(RULES->list_remove(s, "admins"), WEDR_E_NOENT);
    STATE_OPS->close(s);
}

static int count_profile(void *ctx, const struct wedr_profile *p, uint32_t agents)
{
    struct seen *s = ctx;
    size_t n = strlen(s->ids);
    (void)snprintf(s->ids + n, sizeof(s->ids) - n, "%s=%u;", p->name, agents);
    return 0;
}

static void agents_are_in_default_until_they_are_assigned(void **state)
{
    (void)state;
    static struct wedr_profile p, back;
    struct seen got = {0};
    struct wedr_state *s = state_open();
    state_add_agent(s, LINUX_ID, "linux");
    state_add_agent(s, WINDOWS_ID, "windows");
    assert_int_equal(RULES->profile_get(s, "default", &back), WEDR_OK);
    assert_true(back.all);
    assert_false(back.kill_allowed);
    (void)snprintf(p.name, sizeof(p.name), "strict");
    (void)snprintf(p.tags, sizeof(p.tags), "attack.t1059");
    (void)snprintf(p.disable, sizeof(p.disable), "r1,r2");
    (void)snprintf(p.sensor, sizeof(p.sensor), "sensor.cpu_percent=9\n");
    p.kill_allowed = true;
    p.severity_min = 3;
    assert_int_equal(RULES->profile_put(s, &p), WEDR_OK);
    assert_int_equal(RULES->profile_get(s, "strict", &back), WEDR_OK);
    assert_memory_equal(&back, &p, sizeof(p));
    assert_int_equal(RULES->profile_assign(s, LINUX_ID, "strict"), WEDR_OK);
    assert_int_equal(RULES->profile_assign(s, LINUX_ID, "none"), WEDR_E_NOENT);
    assert_int_equal(RULES->profile_assign(s, "nobody", "strict"), WEDR_E_NOENT);
    assert_int_equal(RULES->profile_get(s, "none", &back), WEDR_E_NOENT);
    assert_int_equal(RULES->profile_each(s, count_profile, &got), WEDR_OK);
    assert_string_equal(got.ids, "default=1;strict=1;");
    STATE_OPS->close(s);
}

static struct wedr_bundle_new bundle(const char *profile, const char *os, uint64_t serial)
{
    struct wedr_bundle_new b = {
        .row = {.serial = serial, .rules = 3, .created_us = STATE_NOW}, .bytes = "-", .len = 1};
    (void)snprintf(b.row.profile, sizeof(b.row.profile), "%s", profile);
    (void)snprintf(b.row.os, sizeof(b.row.os), "%s", os);
    (void)snprintf(b.row.sha256, sizeof(b.row.sha256), "%s-%s-%u", profile, os, (unsigned)serial);
    return b;
}

static int publish(struct wedr_state *s, const char *profile, const char *os, uint64_t serial)
{
    char bytes[64];
    struct wedr_bundle_new b = bundle(profile, os, serial);
    int n = snprintf(bytes, sizeof(bytes), "bytes of %s", b.row.sha256);
    b.bytes = bytes;
    b.len = (size_t)n;
    return RULES->bundles_put(s, &b, 1);
}

static void an_agent_gets_the_newest_bundle_of_its_profile_and_system(void **state)
{
    (void)state;
    static struct wedr_profile p;
    struct wedr_bundle_row row;
    struct wedr_buf bytes;
    struct wedr_state *s = state_open();
    state_add_agent(s, LINUX_ID, "linux");
    state_add_agent(s, WINDOWS_ID, "windows");
    wedr_buf_init(&bytes, 1 << 20);
    assert_int_equal(RULES->bundle_of_agent(s, LINUX_ID, &row, NULL), WEDR_E_NOENT);
    for (uint64_t serial = 1; serial < 4; serial++) {
        assert_int_equal(publish(s, "default", "linux", serial), WEDR_OK);
        assert_int_equal(publish(s, "default", "windows", serial + 10), WEDR_OK);
    }
    assert_int_equal(publish(s, "strict", "linux", 2), WEDR_OK);
    assert_int_equal(RULES->bundle_of_agent(s, LINUX_ID, &row, &bytes), WEDR_OK);
    assert_int_equal(row.serial, 3);
    assert_string_equal((char *)bytes.p, "bytes of default-linux-3");
    assert_int_equal(row.size, bytes.len);
    assert_int_equal(RULES->bundle_of_agent(s, WINDOWS_ID, &row, NULL), WEDR_OK);
    assert_int_equal(row.serial, 13);
    assert_int_equal(RULES->bundle_of_agent(s, "nobody", &row, NULL), WEDR_E_NOENT);
    (void)snprintf(p.name, sizeof(p.name), "strict");
    assert_int_equal(RULES->profile_put(s, &p), WEDR_OK);
    assert_int_equal(RULES->profile_assign(s, LINUX_ID, "strict"), WEDR_OK);
    assert_int_equal(RULES->bundle_of_agent(s, LINUX_ID, &row, NULL), WEDR_OK);
    assert_string_equal(row.profile, "strict");
    wedr_buf_fini(&bytes);
    STATE_OPS->close(s);
}

static void bundles_that_are_put_together_are_all_stored_or_none(void **state)
{
    (void)state;
    struct wedr_bundle_row row;
    struct wedr_bundle_new all[] = {bundle("default", "linux", 5), bundle("default", "windows", 5),
                                    bundle("strict", "linux", 4)};
    struct wedr_state *s = state_open();
    assert_int_equal(publish(s, "default", "linux", 3), WEDR_OK);
    assert_int_equal(publish(s, "strict", "linux", 4), WEDR_OK);
    assert_int_equal(RULES->bundles_put(s, all, 3), WEDR_E_CONFLICT);
    assert_int_equal(RULES->bundle_newest(s, "default", "linux", &row, NULL), WEDR_OK);
    assert_int_equal(row.serial, 3);
    assert_int_equal(RULES->bundle_newest(s, "default", "windows", &row, NULL), WEDR_E_NOENT);
    all[2].row.serial = 5;
    assert_int_equal(RULES->bundles_put(s, all, 3), WEDR_OK);
    assert_int_equal(RULES->bundle_newest(s, "default", "windows", &row, NULL), WEDR_OK);
    assert_int_equal(RULES->bundle_newest(s, "strict", "linux", &row, NULL), WEDR_OK);
    assert_int_equal(row.serial, 5);
    STATE_OPS->close(s);
}

static void serials_only_rise_and_old_bundles_go(void **state)
{
    (void)state;
    struct wedr_bundle_row row;
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    struct wedr_state *s = state_open();
    for (uint64_t serial = 1; serial <= WEDR_BUNDLES_KEPT + 5; serial++) {
        assert_int_equal(publish(s, "default", "linux", serial), WEDR_OK);
    }
    assert_int_equal(publish(s, "default", "linux", 3), WEDR_E_CONFLICT);
    assert_int_equal(publish(s, "default", "linux", WEDR_BUNDLES_KEPT + 5), WEDR_E_CONFLICT);
    assert_int_equal(RULES->bundle_newest(s, "default", "linux", &row, NULL), WEDR_OK);
    assert_int_equal(row.serial, WEDR_BUNDLES_KEPT + 5);
    assert_int_equal(RULES->bundle_newest(s, "default", "windows", &row, NULL), WEDR_E_NOENT);
    STATE_OPS->close(s);
    (void)snprintf(path, sizeof(path), "%s/state.db", state_folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM bundle", -1, &st, NULL), 0);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(st, 0), WEDR_BUNDLES_KEPT);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

#define T(f) cmocka_unit_test_setup_teardown(f, state_set_up, state_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_new_text_is_a_new_version_and_the_old_one_stays),
        T(a_removed_rule_comes_back_with_the_next_version),
        T(versions_cannot_be_changed_or_deleted_by_anybody),
        T(two_rules_cannot_have_one_source),
        T(a_rule_is_switched_off_and_on_and_keeps_that_over_versions),
        T(names_and_texts_over_their_limits_are_refused),
        T(lists_are_replaced_and_removed_by_name),
        T(agents_are_in_default_until_they_are_assigned),
        T(an_agent_gets_the_newest_bundle_of_its_profile_and_system),
        T(bundles_that_are_put_together_are_all_stored_or_none),
        T(serials_only_rise_and_old_bundles_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
