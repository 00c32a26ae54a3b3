/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "store/state.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/thread.h"
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OPS (&wedr_state_sqlite)
#define ID "01234567-89ab-4cde-8f01-23456789abcd"
#define NOW 1800000000000000LL

static char folder[64];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/wedr-state.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    return system(command);
}

static struct wedr_state *open_state(void)
{
    struct wedr_state *s = NULL;
    struct wedr_errinfo ei = {""};
    if (OPS->open(folder, &s, &ei) != WEDR_OK) {
        fail_msg("%s", ei.text);
    }
    return s;
}

static struct wedr_agent_row make_agent(const char *id)
{
    struct wedr_agent_row a;
    memset(&a, 0, sizeof(a));
    (void)snprintf(a.agent_id, sizeof(a.agent_id), "%s", id);
    (void)snprintf(a.hostname, sizeof(a.hostname), "host'; DROP TABLE agent; --");
    (void)snprintf(a.os, sizeof(a.os), "linux");
    (void)snprintf(a.os_version, sizeof(a.os_version), "Debian 12");
    (void)snprintf(a.agent_version, sizeof(a.agent_version), "0.1.0");
    memset(a.cert_sha256, 'a', 64);
    memset(a.sign_public, 7, sizeof(a.sign_public));
    a.enrolled_us = a.last_seen_us = NOW;
    return a;
}

static void an_enrolled_agent_is_found_again_also_after_reopening(void **state)
{
    struct wedr_agent_row a = make_agent(ID), got;
    (void)state;
    struct wedr_state *s = open_state();
    assert_int_equal(OPS->token_add(s, "t", 1, NOW + 10), WEDR_OK);
    assert_int_equal(OPS->enroll(s, "t", NOW, &a), WEDR_OK);
    OPS->close(s);
    s = open_state();
    assert_int_equal(OPS->agent_get(s, ID, &got), WEDR_OK);
    assert_memory_equal(&got, &a, sizeof(a));
    assert_int_equal(OPS->agent_get(s, "nobody", &got), WEDR_E_NOENT);
    OPS->close(s);
}

static void s01_a_token_ends_with_its_uses_and_its_time(void **state)
{
    struct wedr_agent_row a = make_agent(ID);
    (void)state;
    struct wedr_state *s = open_state();
    assert_int_equal(OPS->token_add(s, "two", 2, NOW + 10), WEDR_OK);
    assert_int_equal(OPS->enroll(s, "two", NOW, &a), WEDR_OK);
    assert_int_equal(OPS->enroll(s, "two", NOW + 9, &a), WEDR_OK);
    assert_int_equal(OPS->enroll(s, "two", NOW, &a), WEDR_E_AUTH);
    assert_int_equal(OPS->token_add(s, "late", 1, NOW + 10), WEDR_OK);
    assert_int_equal(OPS->enroll(s, "late", NOW + 10, &a), WEDR_E_AUTH);
    assert_int_equal(OPS->enroll(s, "never", NOW, &a), WEDR_E_AUTH);
    assert_int_equal(OPS->enroll(s, "", NOW, &a), WEDR_E_AUTH);
    assert_int_equal(OPS->token_add(s, "none", 0, NOW + 10), WEDR_E_INVAL);
    OPS->close(s);
}

static void a_token_is_not_in_the_file(void **state)
{
    char command[160];
    (void)state;
    struct wedr_state *s = open_state();
    assert_int_equal(OPS->token_add(s, "very-secret-token-text", 1, NOW), WEDR_OK);
    OPS->close(s);
    (void)snprintf(command, sizeof(command), "grep -rq very-secret-token-text '%s'", folder);
    assert_int_not_equal(system(command), 0);
}

static atomic_uint enrolled, refused;

static void redeem(void *arg)
{
    struct wedr_state *s = arg;
    for (int i = 0; i < 125; i++) {
        char id[WEDR_AGENT_ID_TEXT];
        (void)snprintf(id, sizeof(id), "01234567-89ab-4cde-8f01-%012x", (unsigned)(i + 1));
        struct wedr_agent_row a = make_agent(id);
        int err = OPS->enroll(s, "one", NOW, &a);
        atomic_fetch_add(err == WEDR_OK ? &enrolled : &refused, 1);
        assert_true(err == WEDR_OK || err == WEDR_E_AUTH);
    }
}

static void of_a_thousand_redemptions_at_once_exactly_one_succeeds(void **state)
{
    struct wedr_thread *t[8];
    (void)state;
    /* Two handles, as two processes would have. */
    struct wedr_state *s[2] = {open_state(), open_state()};
    assert_int_equal(OPS->token_add(s[0], "one", 1, NOW + 10), WEDR_OK);
    atomic_store(&enrolled, 0);
    atomic_store(&refused, 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(wedr_thread_new(&t[i], "redeem", redeem, s[i % 2]), WEDR_OK);
    }
    for (int i = 0; i < 8; i++) {
        wedr_thread_join(t[i]);
    }
    assert_int_equal(atomic_load(&enrolled), 1);
    assert_int_equal(atomic_load(&refused), 999);
    OPS->close(s[0]);
    OPS->close(s[1]);
}

static void a_failed_enrolment_uses_no_token(void **state)
{
    struct wedr_agent_row a = make_agent(ID), got;
    (void)state;
    struct wedr_state *s = open_state();
    sqlite3 *db = NULL;
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/state.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "CREATE TRIGGER no BEFORE INSERT ON agent BEGIN SELECT RAISE(ABORT,'no'); END",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(OPS->token_add(s, "t", 1, NOW + 10), WEDR_OK);
    assert_int_not_equal(OPS->enroll(s, "t", NOW, &a), WEDR_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TRIGGER no", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(OPS->agent_get(s, ID, &got), WEDR_E_NOENT);
    assert_int_equal(OPS->enroll(s, "t", NOW, &a), WEDR_OK);
    OPS->close(s);
}

static void s02_a_renewed_certificate_becomes_current_when_used(void **state)
{
    struct wedr_agent_row a = make_agent(ID), got;
    (void)state;
    struct wedr_state *s = open_state();
    assert_int_equal(OPS->token_add(s, "t", 1, NOW + 10), WEDR_OK);
    assert_int_equal(OPS->enroll(s, "t", NOW, &a), WEDR_OK);
    assert_int_equal(OPS->agent_renew(s, ID, "next"), WEDR_OK);
    assert_int_equal(OPS->agent_cert_used(s, ID, "other"), WEDR_E_NOENT);
    assert_int_equal(OPS->agent_get(s, ID, &got), WEDR_OK);
    assert_string_equal(got.cert_sha256, a.cert_sha256);
    assert_string_equal(got.cert_sha256_next, "next");
    assert_int_equal(OPS->agent_cert_used(s, ID, "next"), WEDR_OK);
    assert_int_equal(OPS->agent_get(s, ID, &got), WEDR_OK);
    assert_string_equal(got.cert_sha256, "next");
    assert_string_equal(got.cert_sha256_next, "");
    assert_int_equal(OPS->agent_renew(s, "nobody", "x"), WEDR_E_NOENT);
    OPS->close(s);
}

static struct wedr_agent_row get(struct wedr_state *s)
{
    struct wedr_agent_row got;
    assert_int_equal(OPS->agent_get(s, ID, &got), WEDR_OK);
    return got;
}

/* Rows are kept in memory: every way of writing one is seen by the next who asks. */
static void what_is_read_of_an_agent_is_what_was_written_last(void **state)
{
    struct wedr_agent_row a = make_agent(ID);
    const struct wedr_scope all = {NULL, 0};
    const struct wedr_endpoint_change end = {.set_revoked = true, .revoked = true};
    const struct wedr_endpoint_change back = {.set_revoked = true};
    (void)state;
    struct wedr_state *s = open_state();
    assert_int_equal(OPS->token_add(s, "t", 2, NOW + 10), WEDR_OK);
    assert_int_equal(OPS->enroll(s, "t", NOW, &a), WEDR_OK);
    assert_string_equal(get(s).agent_version, "0.1.0");
    assert_int_equal(OPS->agent_renew(s, ID, "next"), WEDR_OK);
    assert_string_equal(get(s).cert_sha256_next, "next");
    assert_int_equal(OPS->agent_cert_used(s, ID, "next"), WEDR_OK);
    assert_string_equal(get(s).cert_sha256, "next");
    assert_int_equal(OPS->heartbeat(s, ID, NOW + 6, "0.2.1", "{}", NULL, 0), WEDR_OK);
    assert_string_equal(get(s).agent_version, "0.2.1");
    assert_int_equal(OPS->triage->endpoint_address(s, ID, "192.0.2.1"), WEDR_OK);
    assert_string_equal(get(s).address, "192.0.2.1");
    assert_int_equal(OPS->triage->endpoint_change(s, &all, ID, 0, &end, NULL), WEDR_OK);
    assert_true(get(s).revoked);
    assert_int_equal(OPS->triage->endpoint_change(s, &all, ID, 0, &back, NULL), WEDR_OK);
    assert_false(get(s).revoked);
    (void)snprintf(a.hostname, sizeof(a.hostname), "other");
    assert_int_equal(OPS->enroll(s, "t", NOW, &a), WEDR_OK);
    assert_string_equal(get(s).hostname, "other");
    OPS->close(s);
}

static atomic_bool asked_enough;

static void ask(void *arg)
{
    while (!atomic_load(&asked_enough)) {
        (void)get(arg);
    }
}

static void who_reads_beside_a_writer_leaves_nothing_old_behind(void **state)
{
    struct wedr_agent_row a = make_agent(ID);
    struct wedr_thread *t[4];
    (void)state;
    struct wedr_state *s = open_state();
    assert_int_equal(OPS->token_add(s, "t", 1, NOW + 10), WEDR_OK);
    assert_int_equal(OPS->enroll(s, "t", NOW, &a), WEDR_OK);
    atomic_store(&asked_enough, false);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(wedr_thread_new(&t[i], "ask", ask, s), WEDR_OK);
    }
    for (int64_t i = 1; i <= 500; i++) {
        assert_int_equal(OPS->heartbeat(s, ID, NOW + i, "0.2.0", "{}", NULL, 0), WEDR_OK);
        assert_int_equal(get(s).last_seen_us, NOW + i);
        assert_int_equal(get(s).last_seen_us, NOW + i);
    }
    atomic_store(&asked_enough, true);
    for (size_t i = 0; i < 4; i++) {
        wedr_thread_join(t[i]);
    }
    OPS->close(s);
}

static void a_heartbeat_replaces_the_streams(void **state)
{
    struct wedr_agent_row a = make_agent(ID), got;
    const struct wedr_agent_stream_row streams[] = {
        {.epoch = 0xfedcba9876543210, .stream = "kernel.bulk", .in_flight = 5},
        {.epoch = 1, .stream = "agent", .in_flight = 0}};
    (void)state;
    struct wedr_state *s = open_state();
    assert_int_equal(OPS->token_add(s, "t", 1, NOW + 10), WEDR_OK);
    assert_int_equal(OPS->enroll(s, "t", NOW, &a), WEDR_OK);
    assert_int_equal(
        OPS->heartbeat(s, ID, NOW + 5, "0.2.0", "{\"status\":\"healthy\"}", streams, 2), WEDR_OK);
    assert_int_equal(OPS->heartbeat(s, ID, NOW + 6, "0.2.1", "{}", streams, 1), WEDR_OK);
    assert_int_equal(OPS->heartbeat(s, "nobody", NOW, "0", "{}", NULL, 0), WEDR_E_NOENT);
    assert_int_equal(OPS->agent_get(s, ID, &got), WEDR_OK);
    assert_int_equal(got.last_seen_us, NOW + 6);
    assert_string_equal(got.agent_version, "0.2.1");
    OPS->close(s);
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    char path[96];
    (void)snprintf(path, sizeof(path), "%s/state.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT count(*), min(epoch), min(in_flight) FROM agent_stream", -1,
                           &st, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(st, 0), 1);
    assert_string_equal((const char *)sqlite3_column_text(st, 1), "fedcba9876543210");
    assert_int_equal(sqlite3_column_int(st, 2), 5);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

static void put_file(const char *name, const void *p, size_t n)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void a_database_of_version_1_opens_with_all_it_held(void **state)
{
    char command[512];
    uint8_t key[32];
    struct wedr_agent_row got, a = make_agent(ID);
    (void)state;
    memset(key, 7, sizeof(key));
    put_file("token.key", key, sizeof(key));
    (void)snprintf(command, sizeof(command), "cp '%s' '%s/state.db'", WEDR_SAMPLE_V1, folder);
    assert_int_equal(system(command), 0);
    struct wedr_state *s = open_state();
    assert_int_equal(OPS->agent_get(s, "11111111-2222-4333-8444-555555555555", &got), WEDR_OK);
    assert_string_equal(got.hostname, "sample-host");
    assert_string_equal(got.cert_sha256_next, "next-fingerprint");
    assert_true(got.revoked);
    assert_int_equal(got.sign_public[31], 31);
    assert_int_equal(OPS->enroll(s, "sample-token", NOW, &a), WEDR_OK);
    assert_int_equal(OPS->enroll(s, "sample-token", NOW, &a), WEDR_E_AUTH);
    OPS->close(s);
}

static void a_database_of_a_newer_program_is_left_alone(void **state)
{
    struct wedr_state *s = open_state();
    struct wedr_errinfo ei = {""};
    sqlite3 *db = NULL;
    char path[96];
    (void)state;
    OPS->close(s);
    s = NULL;
    (void)snprintf(path, sizeof(path), "%s/state.db", folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(OPS->open(folder, &s, &ei), WEDR_E_VERSION);
    assert_null(s);
    assert_non_null(strstr(ei.text, "99"));
}

static void a_file_that_is_no_database_is_an_error(void **state)
{
    struct wedr_state *s = NULL;
    struct wedr_errinfo ei = {""};
    char junk[8192];
    (void)state;
    memset(junk, 'j', sizeof(junk));
    put_file("state.db", junk, sizeof(junk));
    assert_int_not_equal(OPS->open(folder, &s, &ei), WEDR_OK);
    assert_null(s);
    put_file("token.key", "short", 5);
    assert_int_equal(OPS->open(folder, &s, &ei), WEDR_E_CORRUPT);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_enrolled_agent_is_found_again_also_after_reopening),
        T(s01_a_token_ends_with_its_uses_and_its_time),
        T(a_token_is_not_in_the_file),
        T(of_a_thousand_redemptions_at_once_exactly_one_succeeds),
        T(a_failed_enrolment_uses_no_token),
        T(s02_a_renewed_certificate_becomes_current_when_used),
        T(what_is_read_of_an_agent_is_what_was_written_last),
        T(who_reads_beside_a_writer_leaves_nothing_old_behind),
        T(a_heartbeat_replaces_the_streams),
        T(a_database_of_version_1_opens_with_all_it_held),
        T(a_database_of_a_newer_program_is_left_alone),
        T(a_file_that_is_no_database_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
