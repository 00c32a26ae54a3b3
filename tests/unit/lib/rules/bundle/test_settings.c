/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/endian.h"
#include "core/base/err.h"
#include "wedr/rules/bundle.h"
#include "wedr/rules/settings.h"
#include "wedr/wire/schema.h"
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int apply(struct wedr_sensor_settings *s, const char *lines)
{
    struct wedr_errinfo ei = {""};
    int err = wedr_settings_apply(s, lines, strlen(lines), &ei);
    assert_true(err == WEDR_OK || ei.text[0] != '\0');
    return err;
}

static struct wedr_settings_meaning mean(const struct wedr_sensor_settings *s)
{
    struct wedr_settings_meaning m;
    assert_int_equal(wedr_settings_mean(s, &m, NULL), WEDR_OK);
    return m;
}

static bool on(const struct wedr_settings_meaning *m, unsigned code)
{
    return (m->kinds >> code & 1) != 0;
}

static void defaults_record_all_but_threads_and_bound_bulk_alone(void **state)
{
    (void)state;
    struct wedr_sensor_settings s;
    size_t count = 0;
    const struct wedr_type_info *types = wedr_types(&count);
    wedr_settings_defaults(&s);
    struct wedr_settings_meaning m = mean(&s);
    for (size_t i = 0; i < count && types[i].code < WEDR_SETTINGS_KINDS; i++) {
        unsigned c = types[i].code;
        bool thread = c == WEDR_EV_THREAD_CREATE || c == WEDR_EV_THREAD_EXIT;
        bool bulk = types[i].lane == WEDR_LANE_BULK && c != WEDR_EV_ACTIVITY_SUMMARY;
        assert_int_equal(on(&m, c), !thread);
        assert_int_equal(m.budget[c], bulk ? 2000 : 0);
    }
    assert_int_equal(m.uid_count, 0);
    assert_true(s.from_profile);
}

static void lines_change_what_they_name(void **state)
{
    (void)state;
    struct wedr_sensor_settings s;
    wedr_settings_defaults(&s);
    assert_int_equal(apply(&s, "sensor.kinds_off=file_delete\n"
                               "sensor.exclude_uids=0,65534\n"
                               "sensor.exclude_paths=/var/lib/docker/,/tmp/a b/\n"
                               "sensor.budgets=*:0,file_write:5\n"
                               "sensor.cpu_percent=25\n"),
                     WEDR_OK);
    struct wedr_settings_meaning m = mean(&s);
    assert_false(on(&m, WEDR_EV_FILE_DELETE));
    assert_true(on(&m, WEDR_EV_THREAD_CREATE));
    assert_int_equal(m.uid_count, 2);
    assert_int_equal(m.uids[0], 0);
    assert_int_equal(m.uids[1], 65534);
    assert_int_equal(m.budget[WEDR_EV_FILE_WRITE], 5);
    assert_int_equal(m.budget[WEDR_EV_FILE_DELETE], 0);
    assert_int_equal(s.cpu_percent, 25);
    const char *at = s.exclude_paths;
    assert_string_equal(wedr_settings_next(&at), "/var/lib/docker/");
    assert_string_equal(wedr_settings_next(&at), "/tmp/a b/");
    assert_null(wedr_settings_next(&at));
    assert_int_equal(apply(&s, "sensor.exclude_paths=\n"), WEDR_OK);
    assert_int_equal(s.exclude_paths[0], '\0');
}

static void what_makes_no_sense_changes_nothing(void **state)
{
    static const char *const bad[] = {
        "sensor.kinds_off=process_create\n", /* always recorded */
        "sensor.kinds_off=agent_start\n",    /* no sensor's */
        "sensor.kinds_off=nothing\n",
        "sensor.exclude_paths=tmp/\n",
        "sensor.exclude_uids=-1\n",
        "sensor.exclude_uids=4294967295\n",
        "sensor.exclude_uids=1x\n",
        "sensor.budgets=process_create:5\n", /* critical */
        "sensor.budgets=file_write\n",
        "sensor.budgets=file_write:\n",
        "sensor.budgets=file_write:1000001\n",
        "sensor.budget_window_ms=0\n",
        "sensor.cpu_percent=many\n",
        "sensor.from_profile=false\n",
        "sensor.unknown=1\n",
        "shipper.server_url=https://elsewhere\n",
        "sensor.cpu_percent=20", /* no end of the line */
        "=\n",
        "\n",
    };
    (void)state;
    struct wedr_sensor_settings s, before;
    wedr_settings_defaults(&s);
    before = s;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        char lines[128];
        (void)snprintf(lines, sizeof(lines), "sensor.cpu_percent=7\n%s", bad[i]);
        assert_true(apply(&s, lines) < 0);
        assert_memory_equal(&s, &before, sizeof(s));
    }
    assert_true(wedr_settings_apply(&s, "sensor.kinds_off=file\0_write\n", 29, NULL) < 0);
}

static void more_than_fits_is_refused(void **state)
{
    (void)state;
    static char lines[WEDR_SETTINGS_TEXT_MAX + 2];
    struct wedr_sensor_settings s;
    wedr_settings_defaults(&s);
    (void)snprintf(lines, sizeof(lines), "sensor.exclude_paths=/%0121d\n", 0);
    assert_true(apply(&s, lines) < 0);
    size_t n = (size_t)snprintf(lines, sizeof(lines), "sensor.exclude_uids=");
    for (int i = 0; i <= (int)WEDR_SETTINGS_UIDS_MAX; i++) {
        n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%s%d", i ? "," : "", i);
    }
    (void)snprintf(lines + n, sizeof(lines) - n, "\n");
    assert_true(apply(&s, lines) < 0);
    memset(lines, 'x', sizeof(lines) - 1);
    lines[sizeof(lines) - 1] = '\0';
    assert_true(apply(&s, lines) < 0);
}

static void bundle(const char *settings, struct wedr_buf *out, uint8_t public_key[32])
{
    uint8_t secret_key[64];
    struct wedr_ruleset *rs = wedr_ruleset_new((size_t)1 << 24);
    assert_non_null(rs);
    struct wedr_field_map *map = wedr_field_map_new(rs);
    assert_non_null(map);
    assert_int_equal(wedr_field_map_seal(map), WEDR_OK);
    struct wedr_bundle_options o = {.serial = 5, .profile = "office", .settings = settings};
    assert_true(sodium_init() >= 0);
    assert_int_equal(crypto_sign_keypair(public_key, secret_key), 0);
    wedr_buf_init(out, WEDR_BUNDLE_MAX);
    assert_int_equal(wedr_bundle_write(rs, map, &o, secret_key, out, NULL, NULL), WEDR_OK);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
}

static void load(const struct wedr_buf *b)
{
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    assert_int_equal(wedr_bundle_load(b->p, b->len, (size_t)1 << 24, &rs, &map, NULL), WEDR_OK);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
}

static void a_bundle_carries_its_profiles_settings(void **state)
{
    static const char lines[] = "sensor.cpu_percent=20\nsensor.exclude_uids=7\n";
    (void)state;
    struct wedr_buf b;
    struct wedr_bundle_info info;
    uint8_t key[32];
    const char *text = NULL;
    size_t len = 0;
    bundle(lines, &b, key);
    assert_int_equal(wedr_bundle_check(b.p, b.len, key, &info, NULL), WEDR_OK);
    assert_int_equal(info.format, 2);
    assert_int_equal(wedr_bundle_settings(b.p, b.len, &text, &len), WEDR_OK);
    assert_int_equal(len, sizeof(lines) - 1);
    assert_memory_equal(text, lines, len);
    load(&b);
    /* A length that reaches behind the body. */
    wedr_put_le32(b.p + 128, (uint32_t)(b.len - 128 - 64 - 4 + 1));
    assert_int_equal(wedr_bundle_settings(b.p, b.len, &text, &len), WEDR_E_FORMAT);
    wedr_put_le32(b.p + 128, UINT32_MAX);
    assert_int_equal(wedr_bundle_settings(b.p, b.len, &text, &len), WEDR_E_FORMAT);
    wedr_buf_fini(&b);
}

static void without_settings_a_bundle_is_one_that_older_agents_read(void **state)
{
    (void)state;
    static const char *const none[] = {NULL, ""};
    for (size_t i = 0; i < 2; i++) {
        struct wedr_buf b;
        struct wedr_bundle_info info;
        uint8_t key[32];
        const char *text = "x";
        size_t len = 1;
        bundle(none[i], &b, key);
        assert_int_equal(wedr_bundle_check(b.p, b.len, key, &info, NULL), WEDR_OK);
        assert_int_equal(info.format, 1);
        assert_int_equal(wedr_bundle_settings(b.p, b.len, &text, &len), WEDR_OK);
        assert_int_equal(len, 0);
        load(&b);
        wedr_buf_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_record_all_but_threads_and_bound_bulk_alone),
        cmocka_unit_test(lines_change_what_they_name),
        cmocka_unit_test(what_makes_no_sense_changes_nothing),
        cmocka_unit_test(more_than_fits_is_refused),
        cmocka_unit_test(a_bundle_carries_its_profiles_settings),
        cmocka_unit_test(without_settings_a_bundle_is_one_that_older_agents_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
