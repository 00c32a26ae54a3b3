/* SPDX-License-Identifier: Apache-2.0
 *
 * Bundles through the holder's own code, with this test in the place of core. */
#include "core/base/err.h"
#include "holder_i.h"
#include "proc_test.h"
#include "wedr/rules/pipeline.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct holder h;
static struct wedr_run_args args;
static struct wedr_ipc *core; /* core's end of its channel */
static uint8_t secret[WEDR_SIGN_SECRET_LEN];
static char key_text[2 * WEDR_BUNDLE_PUBLIC_KEY_LEN + 1];
static const char *dir;

static void make_bundle(uint64_t serial, struct wedr_buf *ret)
{
    struct wedr_ruleset *rs = wedr_ruleset_new((size_t)16 << 20);
    struct wedr_rule rule = wedr_rule_init();
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {""};
    struct wedr_bundle_options o = {.serial = serial, .profile = "test"};
    uint32_t field, index;
    rule.id = rule.title = rule.language = wedr_text("fork", 4);
    assert_int_equal(wedr_ruleset_field(rs, "event_type", 10, &field), WEDR_OK);
    assert_int_equal(wedr_ir_text(rs, field, WEDR_PRED_EQUALS, wedr_text("process_fork", 12), 0,
                                  &rule.condition, &ei),
                     WEDR_OK);
    assert_int_equal(wedr_ruleset_add_rule(rs, &rule, &index), WEDR_OK);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &map, &ei), WEDR_OK);
    wedr_buf_init(ret, WEDR_BUNDLE_MAX);
    assert_int_equal(wedr_bundle_write(rs, map, &o, secret, ret, NULL, &ei), WEDR_OK);
    wedr_field_map_free(map);
    wedr_ruleset_free(rs);
}

static void end_holder(void)
{
    holder_rules_close(&h);
    wedr_ipc_close(h.core.c);
    wedr_ipc_close(core);
    core = NULL;
}

/* A holder that begins: all that it knows of earlier ones is in the state folder. */
static void begin_holder(void)
{
    memset(&h, 0, sizeof(h));
    h.args = &args;
    h.rules.net_file = WEDR_HANDLE_NONE;
    (void)snprintf(h.state_dir, sizeof(h.state_dir), "%s", dir);
    assert_int_equal(wedr_ipc_pair(&h.core.c, &core), WEDR_OK);
    h.core.ready = true;
    holder_rules_core_ready(&h);
    holder_rules_net_ready(&h);
}

static void core_says(uint64_t serial, int err)
{
    struct wedr_msg_rules_result m;
    wedr_msg_begin(&m, WEDR_MSG_T_RULES_RESULT);
    m.serial = serial;
    m.err = err;
    holder_rules_result(&h, &m);
}

/* Net brings the bundle of that serial; true: the holder gave it to core. */
static bool fetched(uint64_t serial)
{
    struct wedr_msg_rules_fetched m;
    struct wedr_buf b;
    make_bundle(serial, &b);
    assert_int_equal(wedr_fs_write(h.rules.net_file, b.p, b.len), WEDR_OK);
    wedr_msg_begin(&m, WEDR_MSG_T_RULES_FETCHED);
    m.len = (uint32_t)b.len;
    memset(m.sha256, 1, sizeof(m.sha256));
    h.rules.fetched_ms = 0;
    h.rules.error[0] = 0;
    holder_rules_fetched(&h, &m);
    wedr_buf_fini(&b);
    return h.rules.asked && h.rules.next.serial == serial;
}

static void take(uint64_t serial)
{
    assert_true(fetched(serial));
    core_says(serial, WEDR_OK);
    assert_true(h.rules.at_work);
    assert_true(h.rules.now.serial == serial);
}

static void an_older_bundle_is_refused_though_the_stored_one_cannot_be_read(void **state)
{
    (void)state;
    struct stat st;
    char path[512];
    begin_holder();
    take(5);
    take(7);
    end_holder();
    (void)snprintf(path, sizeof(path), "%s/identity/rules.serial", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    p_write(dir, "identity/rules.bundle", "damage", 6, 0600);
    begin_holder();
    assert_false(h.rules.asked);
    assert_false(fetched(6));
    assert_non_null(strstr(h.rules.error, "older"));
    take(7); /* the same one again heals it */
    p_write(dir, "identity/rules.bundle", "damage", 6, 0600);
    end_holder();
    begin_holder();
    take(8);
    end_holder();
}

/* What core could not load was never at work: the one before may come again. */
static void a_bundle_that_core_refused_raises_no_mark(void **state)
{
    (void)state;
    begin_holder();
    take(5);
    assert_true(fetched(9));
    core_says(9, WEDR_E_LIMIT);
    end_holder();
    assert_int_equal(wedr_identity_rename(dir, "rules.bundle", "gone"), WEDR_OK);
    begin_holder();
    take(5);
    end_holder();
}

/* An agent that got its bundle before there were marks, or lost the mark. */
static void the_stored_bundle_makes_the_mark_anew(void **state)
{
    (void)state;
    begin_holder();
    take(7);
    end_holder();
    p_write(dir, "identity/rules.serial", "no number", 9, 0600);
    begin_holder();
    assert_true(h.rules.asked);
    core_says(7, WEDR_OK);
    end_holder();
    p_write(dir, "identity/rules.bundle", "damage", 6, 0600);
    begin_holder();
    assert_false(fetched(6));
    end_holder();
}

static void another_enrolment_has_another_mark(void **state)
{
    (void)state;
    begin_holder();
    take(7);
    end_holder();
    assert_int_equal(wedr_identity_remove(dir), WEDR_OK);
    begin_holder();
    take(3);
    end_holder();
}

/* Net is started when the identity is there; core was before. */
static void rules_come_to_an_agent_that_was_enrolled_while_it_ran(void **state)
{
    (void)state;
    args.rules_key = NULL;
    begin_holder();
    assert_false(fetched(5));
    assert_non_null(strstr(h.rules.error, "no key"));
    p_write(dir, "identity/rules_key", key_text, strlen(key_text), 0600);
    holder_rules_net_ready(&h);
    take(5);
    end_holder();
}

/* What the agent does when core ended and was started again. */
static void core_ends_and_comes_again(int signal)
{
    h.core.ready = false;
    holder_rules_core_down(&h, 128 + signal);
    h.core.ready = true;
    holder_rules_core_ready(&h);
}

static void a_bundle_that_ends_core_while_it_matches_is_given_up_and_said(void **state)
{
    (void)state;
    struct wedr_msg_holder_state m;
    begin_holder();
    take(5);
    for (unsigned i = 0; i < 2; i++) {
        core_ends_and_comes_again(SIGSEGV);
        assert_true(h.rules.asked); /* once or twice may be anything */
        core_says(5, WEDR_OK);
        assert_true(h.rules.at_work);
    }
    core_ends_and_comes_again(SIGSEGV);
    assert_false(h.rules.asked);
    assert_false(h.rules.at_work);
    memset(&m, 0, sizeof(m));
    holder_rules_state(&h, &m);
    assert_int_equal(m.rules_serial, 0);
    assert_non_null(strstr(m.rules_error, "goes without"));
    assert_memory_equal(m.rules_refused_sha256, h.rules.now.sha256, 32); /* not fetched again */
    core_ends_and_comes_again(SIGSEGV);
    assert_false(h.rules.asked);
    take(6); /* another one may work */
    assert_int_equal(h.rules.error[0], 0);
    core_ends_and_comes_again(SIGSEGV);
    assert_true(h.rules.asked);
    end_holder();
}

static void core_that_ends_now_and_then_keeps_its_rules(void **state)
{
    (void)state;
    begin_holder();
    take(5);
    for (unsigned i = 0; i < 6; i++) {
        for (size_t k = 0; k < HOLDER_RULES_DEATHS; k++) { /* half a minute passes */
            h.rules.death_ms[k] -= h.rules.death_ms[k] != 0 ? 30000 : 0;
        }
        core_ends_and_comes_again(SIGSEGV);
        assert_true(h.rules.asked);
        core_says(5, WEDR_OK);
    }
    end_holder();
}

/* By the system when memory is short, by a person: the rules are not to blame. */
static void core_that_is_killed_from_outside_keeps_its_rules(void **state)
{
    (void)state;
    begin_holder();
    take(5);
    for (unsigned i = 0; i < 6; i++) {
        core_ends_and_comes_again(SIGKILL);
        assert_true(h.rules.asked);
        core_says(5, WEDR_OK);
    }
    end_holder();
}

static const char *settings_error(const char *lines)
{
    static struct wedr_msg_holder_state m;
    holder_policy_offer(&h, lines, strlen(lines));
    holder_policy_accept(&h);
    holder_policy_state(&h, &m);
    return m.settings_error;
}

static void settings_that_were_refused_are_forgotten_when_others_take_their_place(void **state)
{
    static const char good[] = "sensor.cpu_percent=7\n";
    (void)state;
    begin_holder();
    assert_string_equal(settings_error(good), "");
    assert_non_null(strstr(settings_error("sensor.cpu_percent=0\n"), "profile"));
    assert_string_equal(settings_error(good), "");
    assert_int_equal(h.cfg.sensor.cpu_percent, 7);
    end_holder();
}

static int set_up(void **state)
{
    uint8_t key[WEDR_BUNDLE_PUBLIC_KEY_LEN];
    char path[512];
    (void)state;
    dir = p_dir();
    (void)snprintf(path, sizeof(path), "%s/identity", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    wedr_sign_keypair(key, secret);
    for (size_t i = 0; i < sizeof(key); i++) {
        (void)snprintf(&key_text[2 * i], 3, "%02x", key[i]);
    }
    args.rules_key = key_text;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    p_remove(dir);
    return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_older_bundle_is_refused_though_the_stored_one_cannot_be_read),
        TEST(a_bundle_that_core_refused_raises_no_mark),
        TEST(the_stored_bundle_makes_the_mark_anew),
        TEST(another_enrolment_has_another_mark),
        TEST(rules_come_to_an_agent_that_was_enrolled_while_it_ran),
        TEST(a_bundle_that_ends_core_while_it_matches_is_given_up_and_said),
        TEST(core_that_ends_now_and_then_keeps_its_rules),
        TEST(core_that_is_killed_from_outside_keeps_its_rules),
        TEST(settings_that_were_refused_are_forgotten_when_others_take_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
