/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "state_folder.h"
#include "store/state/sqlite/schema.h"
#include "wedr/plat/thread.h"
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPS (STATE_OPS->people)
#define NOW STATE_NOW
#define HOUR (3600LL * 1000000)

static const struct wedr_audit who = {NOW, "boss", "user", "127.0.0.1", "test.do", "", ""};

static int64_t add_user(struct wedr_state *s, const char *name, int role)
{
    struct wedr_user_row u = {.role = role, .all_groups = true, .created_us = NOW};
    int64_t id = 0;
    (void)snprintf(u.username, sizeof(u.username), "%s", name);
    (void)snprintf(u.password, sizeof(u.password), "hash of %s", name);
    assert_int_equal(OPS->user_add(s, &u, &who, &id), WEDR_OK);
    return id;
}

static uint64_t audit_count(struct wedr_state *s)
{
    uint64_t n = 0;
    char head[65];
    struct wedr_errinfo ei = {""};
    assert_int_equal(OPS->audit_verify(s, &n, head, &ei), WEDR_OK);
    return n;
}

static void a_user_is_kept_changed_and_removed_with_a_line_for_each(void **state)
{
    struct wedr_user_row u, got;
    int64_t id = 0;
    (void)state;
    struct wedr_state *s = state_open();
    int64_t boss = add_user(s, "boss", WEDR_ROLE_ADMIN);
    id = add_user(s, "ana", WEDR_ROLE_VIEWER);
    assert_int_equal(OPS->user_find(s, "ana", &got), WEDR_OK);
    assert_true(got.id == id && got.all_groups && !got.totp && got.role == WEDR_ROLE_VIEWER);
    assert_int_equal(OPS->user_find(s, "an", &u), WEDR_E_NOENT);
    assert_int_equal(OPS->user_add(s, &got, &who, &id), WEDR_E_EXIST);
    u = got;
    u.role = WEDR_ROLE_ANALYST;
    u.all_groups = false;
    (void)snprintf(u.groups, sizeof(u.groups), "web,db");
    assert_int_equal(OPS->user_change(s, &u, WEDR_USER_GROUPS, &who), WEDR_OK);
    assert_int_equal(OPS->user_get(s, u.id, &got), WEDR_OK);
    assert_string_equal(got.groups, "web,db");
    assert_int_equal(got.role, WEDR_ROLE_VIEWER); /* was not in the set */
    assert_int_equal(audit_count(s), 3);          /* the refused one left none */
    u.id = boss;
    u.role = WEDR_ROLE_VIEWER;
    assert_int_equal(OPS->user_change(s, &u, WEDR_USER_ROLE, &who), WEDR_E_STATE);
    u.disabled = true;
    assert_int_equal(OPS->user_change(s, &u, WEDR_USER_DISABLED, &who), WEDR_E_STATE);
    assert_int_equal(OPS->user_remove(s, boss, &who), WEDR_E_STATE);
    assert_int_equal(OPS->user_remove(s, 999, &who), WEDR_E_NOENT);
    assert_int_equal(OPS->user_remove(s, got.id, &who), WEDR_OK);
    assert_int_equal(OPS->user_get(s, got.id, &u), WEDR_E_NOENT);
    assert_int_equal(audit_count(s), 4);
    STATE_OPS->close(s);
}

struct guesses {
    struct wedr_state *s;
    atomic_int looks;
};

static void guess(void *arg)
{
    struct guesses *g = arg;
    for (int i = 0; i < 50; i++) {
        int64_t until = 0;
        int err = OPS->signin_charge(g->s, "ana", NOW, &until);
        if (err == WEDR_OK) {
            atomic_fetch_add(&g->looks, 1);
        } else {
            assert_int_equal(err, WEDR_E_LIMIT);
            assert_true(until == NOW + WEDR_SIGNIN_LOCK_US);
        }
    }
}

static void many_at_once_get_as_many_looks_as_one_after_the_other(void **state)
{
    struct guesses g = {state_open(), 0};
    struct wedr_thread *t[4] = {NULL};
    int64_t until = 0;
    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(wedr_thread_new(&t[i], "guess", guess, &g), WEDR_OK);
    }
    for (int i = 0; i < 4; i++) {
        wedr_thread_join(t[i]);
    }
    assert_int_equal(atomic_load(&g.looks), WEDR_SIGNIN_TRIES);
    /* The lock ends; then there are ten again, and other names are their own. */
    int64_t later = NOW + WEDR_SIGNIN_LOCK_US + 1;
    for (unsigned i = 1; i <= WEDR_SIGNIN_TRIES; i++) {
        assert_int_equal(OPS->signin_charge(g.s, "ana", later, &until), WEDR_OK);
        assert_int_equal(until != 0, i == WEDR_SIGNIN_TRIES);
    }
    assert_int_equal(OPS->signin_charge(g.s, "ana", later, &until), WEDR_E_LIMIT);
    assert_int_equal(OPS->signin_charge(g.s, "bob", later, &until), WEDR_OK);
    assert_int_equal(OPS->signin_clear(g.s, "ana", &who), WEDR_OK);
    assert_int_equal(OPS->signin_charge(g.s, "ana", later, &until), WEDR_OK);
    /* A refund gives one back and no more. */
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(OPS->signin_charge(g.s, "ana", later, &until), WEDR_OK);
        assert_int_equal(OPS->signin_refund(g.s, "ana"), WEDR_OK);
    }
    STATE_OPS->close(g.s);
}

static void a_session_ends_by_idleness_age_and_order(void **state)
{
    struct wedr_session_row row = {.created_us = NOW, .expires_us = NOW + HOUR}, got;
    struct wedr_user_row u;
    int64_t id = 0;
    (void)state;
    struct wedr_state *s = state_open();
    row.user_id = add_user(s, "boss", WEDR_ROLE_ADMIN);
    (void)snprintf(row.address, sizeof(row.address), "127.0.0.1");
    assert_int_equal(OPS->session_add(s, &row, "secret", &who, &id), WEDR_OK);
    assert_int_equal(OPS->session_get(s, "secret", NOW + 1, 100, &got, &u), WEDR_OK);
    assert_true(got.id == id && u.id == row.user_id);
    assert_string_equal(got.address, "127.0.0.1");
    assert_int_equal(OPS->session_get(s, "secre", NOW + 1, 100, &got, &u), WEDR_E_AUTH);
    assert_int_equal(OPS->session_get(s, "secret", NOW + 100, 100, &got, &u), WEDR_E_AUTH);
    assert_int_equal(OPS->session_touch(s, id, NOW + 50), WEDR_OK);
    assert_int_equal(OPS->session_get(s, "secret", NOW + 100, 100, &got, &u), WEDR_OK);
    assert_int_equal(OPS->session_get(s, "secret", NOW + HOUR, 2 * HOUR, &got, &u), WEDR_E_AUTH);
    assert_int_equal(OPS->session_end(s, id, row.user_id + 1, &who), WEDR_E_NOENT);
    assert_int_equal(OPS->session_end(s, id, row.user_id, &who), WEDR_OK);
    assert_int_equal(OPS->session_get(s, "secret", NOW + 60, HOUR, &got, &u), WEDR_E_AUTH);
    for (unsigned i = 0; i <= WEDR_USER_SESSIONS_MAX; i++) {
        char secret[16];
        (void)snprintf(secret, sizeof(secret), "s%u", i);
        assert_int_equal(OPS->session_add(s, &row, secret, NULL, &id), WEDR_OK);
    }
    assert_int_equal(OPS->session_get(s, "s0", NOW, HOUR, &got, &u), WEDR_E_AUTH);
    assert_int_equal(OPS->session_get(s, "s1", NOW, HOUR, &got, &u), WEDR_OK);
    assert_int_equal(OPS->session_end_others(s, row.user_id, id, &who), WEDR_OK);
    assert_int_equal(OPS->session_get(s, "s1", NOW, HOUR, &got, &u), WEDR_E_AUTH);
    assert_int_equal(OPS->session_get(s, "s100", NOW, HOUR, &got, &u), WEDR_OK);
    assert_int_equal(OPS->user_password(s, row.user_id, "new", false, id, &who), WEDR_OK);
    assert_int_equal(OPS->session_get(s, "s100", NOW, HOUR, &got, &u), WEDR_OK);
    assert_int_equal(OPS->user_password(s, row.user_id, "new", true, 0, &who), WEDR_OK);
    assert_int_equal(OPS->session_get(s, "s100", NOW, HOUR, &got, &u), WEDR_E_AUTH);
    STATE_OPS->close(s);
}

static void steps_and_recovery_codes_are_used_once(void **state)
{
    uint8_t secret[WEDR_TOTP_SECRET_LEN] = {7};
    char codes[WEDR_RECOVERY_CODES][16];
    struct wedr_user_row u;
    (void)state;
    struct wedr_state *s = state_open();
    int64_t id = add_user(s, "boss", WEDR_ROLE_ADMIN);
    for (unsigned i = 0; i < WEDR_RECOVERY_CODES; i++) {
        (void)snprintf(codes[i], sizeof(codes[i]), "CODE%u", i);
    }
    const char(*c)[16] = (const char(*)[16])codes;
    assert_int_equal(OPS->totp_confirm(s, id, 5, c, &who), WEDR_E_STATE);
    assert_int_equal(OPS->totp_begin(s, id, secret), WEDR_OK);
    assert_int_equal(OPS->user_get(s, id, &u), WEDR_OK);
    assert_true(!u.totp && u.totp_is_pending);
    assert_int_equal(OPS->totp_confirm(s, id, 5, c, &who), WEDR_OK);
    assert_int_equal(OPS->user_get(s, id, &u), WEDR_OK);
    assert_true(u.totp && !u.totp_is_pending && u.totp_step == 5 && u.totp_secret[0] == 7);
    assert_int_equal(OPS->totp_use(s, id, 5), WEDR_E_AUTH);
    assert_int_equal(OPS->totp_use(s, id, 6), WEDR_OK);
    assert_int_equal(OPS->totp_use(s, id, 6), WEDR_E_AUTH);
    assert_int_equal(OPS->totp_use(s, id, 4), WEDR_E_AUTH);
    assert_int_equal(OPS->recovery_use(s, id, "CODE3"), WEDR_OK);
    assert_int_equal(OPS->recovery_use(s, id, "CODE3"), WEDR_E_AUTH);
    assert_int_equal(OPS->recovery_use(s, id + 1, "CODE4"), WEDR_E_AUTH);
    assert_int_equal(OPS->totp_remove(s, id, true, &who), WEDR_OK);
    assert_int_equal(OPS->recovery_use(s, id, "CODE4"), WEDR_E_AUTH);
    STATE_OPS->close(s);
}

static void exec_state(const char *sql)
{
    char path[96];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof(path), "%s/state.db", state_folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* Whether one of the files of the database holds the text. */
static bool state_holds(const char *text)
{
    static const char *const names[] = {"state.db", "state.db-wal"};
    bool found = false;
    for (size_t i = 0; i < 2; i++) {
        char path[96];
        static char all[4 << 20];
        (void)snprintf(path, sizeof(path), "%s/%s", state_folder, names[i]);
        FILE *f = fopen(path, "rbe");
        size_t n = f ? fread(all, 1, sizeof(all), f) : 0;
        for (size_t at = 0; at + strlen(text) <= n && !found; at++) {
            found = memcmp(all + at, text, strlen(text)) == 0;
        }
        if (f) {
            (void)fclose(f);
        }
    }
    return found;
}

#define SECRET "SeCrEt-of-20-bytes.."

static void second_factors_lie_sealed_and_only_for_their_user(void **state)
{
    const uint8_t *secret = (const uint8_t *)SECRET;
    char codes[WEDR_RECOVERY_CODES][16] = {"A"}, key[96];
    struct wedr_user_row u;
    (void)state;
    for (unsigned i = 0; i < WEDR_RECOVERY_CODES; i++) {
        (void)snprintf(codes[i], sizeof(codes[i]), "CODE%u", i);
    }
    struct wedr_state *s = state_open();
    int64_t boss = add_user(s, "boss", WEDR_ROLE_ADMIN),
            other = add_user(s, "other", WEDR_ROLE_VIEWER);
    assert_int_equal(OPS->totp_begin(s, boss, secret), WEDR_OK);
    assert_int_equal(OPS->user_get(s, boss, &u), WEDR_OK);
    assert_memory_equal(u.totp_pending, secret, WEDR_TOTP_SECRET_LEN);
    assert_int_equal(OPS->totp_confirm(s, boss, 5, (const char(*)[16])codes, &who), WEDR_OK);
    assert_int_equal(OPS->user_get(s, boss, &u), WEDR_OK);
    assert_memory_equal(u.totp_secret, secret, WEDR_TOTP_SECRET_LEN);
    STATE_OPS->close(s);
    assert_false(state_holds(SECRET));
    /* Moved to another user it opens nothing, and is still a second factor. */
    exec_state("UPDATE user SET totp=(SELECT totp FROM user WHERE username='boss') WHERE "
               "username='other'");
    s = state_open();
    assert_int_equal(OPS->user_get(s, other, &u), WEDR_OK);
    assert_true(u.totp && memcmp(u.totp_secret, secret, WEDR_TOTP_SECRET_LEN) != 0);
    STATE_OPS->close(s);
    /* The database alone, as from a backup: nobody signs in without a code, no code fits. */
    (void)snprintf(key, sizeof(key), "%s/totp.key", state_folder);
    assert_int_equal(remove(key), 0);
    s = state_open();
    assert_int_equal(OPS->user_get(s, boss, &u), WEDR_OK);
    uint8_t first[WEDR_TOTP_SECRET_LEN], none[WEDR_TOTP_SECRET_LEN] = {0};
    memcpy(first, u.totp_secret, sizeof(first));
    assert_int_equal(OPS->user_get(s, boss, &u), WEDR_OK);
    assert_true(u.totp && memcmp(u.totp_secret, secret, sizeof(first)) != 0 &&
                memcmp(u.totp_secret, none, sizeof(none)) != 0 &&
                memcmp(u.totp_secret, first, sizeof(first)) != 0);
    assert_int_equal(OPS->recovery_use(s, boss, "CODE3"), WEDR_OK); /* that way in is left */
    STATE_OPS->close(s);
}

static void second_factors_of_an_older_release_are_sealed_at_the_start(void **state)
{
    struct wedr_user_row u;
    (void)state;
    struct wedr_state *s = state_open();
    int64_t id = add_user(s, "boss", WEDR_ROLE_ADMIN);
    STATE_OPS->close(s);
    exec_state("UPDATE user SET totp=CAST('" SECRET "' AS BLOB), totp_pending=CAST('" SECRET
               "' AS BLOB);"
               "ALTER TABLE rule DROP COLUMN severity; ALTER TABLE command DROP COLUMN reason;"
               "PRAGMA user_version=7");
    assert_true(state_holds(SECRET));
    s = state_open();
    assert_false(state_holds(SECRET));
    assert_int_equal(OPS->user_get(s, id, &u), WEDR_OK);
    assert_true(u.totp && u.totp_is_pending);
    assert_memory_equal(u.totp_secret, SECRET, WEDR_TOTP_SECRET_LEN);
    assert_memory_equal(u.totp_pending, SECRET, WEDR_TOTP_SECRET_LEN);
    STATE_OPS->close(s);
}

static int count_tokens(void *ctx, const struct wedr_token_row *t)
{
    (void)t;
    ++*(unsigned *)ctx;
    return WEDR_OK;
}

static void tokens_have_owners_ends_and_a_limit(void **state)
{
    struct wedr_token_row t = {.created_us = NOW, .expires_us = NOW + HOUR, .scopes = 4}, got;
    struct wedr_user_row u;
    int64_t id = 0, first = 0;
    unsigned n = 0;
    (void)state;
    struct wedr_state *s = state_open();
    int64_t boss = add_user(s, "boss", WEDR_ROLE_ADMIN), ana = add_user(s, "ana", WEDR_ROLE_VIEWER);
    t.user_id = ana;
    for (unsigned i = 0; i < WEDR_USER_TOKENS_MAX; i++) {
        char secret[16];
        (void)snprintf(secret, sizeof(secret), "t%u", i);
        assert_int_equal(OPS->token_add(s, &t, secret, NULL, &id), WEDR_OK);
        first = first ? first : id;
    }
    assert_int_equal(OPS->token_add(s, &t, "x", NULL, &id), WEDR_E_LIMIT);
    assert_int_equal(OPS->token_get(s, "t0", NOW, &got, &u), WEDR_OK);
    assert_true(got.id == first && u.id == ana && got.scopes == 4);
    assert_string_equal(got.owner, "ana");
    assert_int_equal(OPS->token_get(s, "t0", NOW + HOUR, &got, &u), WEDR_E_AUTH);
    assert_int_equal(OPS->token_each(s, boss, 0, 1000, count_tokens, &n), WEDR_OK);
    assert_int_equal(n, 0);
    assert_int_equal(OPS->token_each(s, 0, first + 3, 1000, count_tokens, &n), WEDR_OK);
    assert_int_equal(n, 3);
    assert_int_equal(OPS->token_remove(s, first, boss, &who), WEDR_E_NOENT);
    assert_int_equal(OPS->token_remove(s, first, 0, &who), WEDR_OK);
    assert_int_equal(OPS->token_get(s, "t0", NOW, &got, &u), WEDR_E_AUTH);
    u.id = ana;
    u.disabled = true;
    assert_int_equal(OPS->user_change(s, &u, WEDR_USER_DISABLED, &who), WEDR_OK);
    assert_int_equal(OPS->token_get(s, "t1", NOW, &got, &u), WEDR_E_AUTH);
    STATE_OPS->close(s);
}

static void settings_change_one_version_after_the_other(void **state)
{
    struct wedr_settings v, got;
    (void)state;
    struct wedr_state *s = state_open();
    assert_int_equal(OPS->settings_get(s, &v), WEDR_OK);
    assert_true(v.retention_days == -1 && v.session_hours == 12 && v.version == 1);
    v.retention_days = 30;
    assert_int_equal(OPS->settings_put(s, &v, &who), WEDR_OK);
    assert_int_equal(OPS->settings_put(s, &v, &who), WEDR_E_CONFLICT);
    STATE_OPS->close(s);
    s = state_open();
    assert_int_equal(OPS->settings_get(s, &got), WEDR_OK);
    assert_true(got.retention_days == 30 && got.version == 2);
    assert_int_equal(audit_count(s), 1);
    STATE_OPS->close(s);
}

static int copy_detail(void *ctx, const struct wedr_audit_row *row)
{
    (void)snprintf(ctx, 8192, "%s", row->entry.detail);
    return 0;
}

/* A euro sign lies over the place where the text ends. */
static void an_audit_text_that_is_cut_says_so(void **state)
{
    char detail[6001] = "", got[8192] = "";
    struct wedr_audit e = {NOW, "a", "user", "c", "d", "e", detail};
    (void)state;
    memset(detail, 'x', 4056);
    for (size_t i = 4056; i + 3 < sizeof(detail); i += 3) {
        memcpy(detail + i, "\xe2\x82\xac", 3);
    }
    struct wedr_state *s = state_open();
    assert_int_equal(OPS->audit_add(s, &e), WEDR_OK);
    assert_int_equal(OPS->audit_each(s, 0, INT64_MAX, NULL, NULL, 0, 10, copy_detail, got),
                     WEDR_OK);
    detail[4056] = '\0';
    assert_memory_equal(got, detail, 4056);
    assert_string_equal(got + 4056, " ... (1944 bytes more)");
    assert_int_equal(audit_count(s), 1);
    STATE_OPS->close(s);
}

static void an_audit_line_cannot_borrow_from_its_neighbour(void **state)
{
    struct wedr_audit e = {NOW, "ab", "user", "c", "d", "e", "f"};
    struct wedr_errinfo ei = {""};
    char head[65], path[96];
    sqlite3 *db = NULL;
    uint64_t n = 0;
    (void)state;
    struct wedr_state *s = state_open();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(OPS->audit_add(s, &e), WEDR_OK);
    }
    (void)snprintf(path, sizeof(path), "%s/state.db", state_folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "DROP TRIGGER audit_fixed; UPDATE audit SET actor='a',"
                                  "actor_kind='buser' WHERE id=3",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(OPS->audit_verify(s, &n, head, &ei), WEDR_E_CORRUPT);
    assert_non_null(strstr(ei.text, "entry 3"));
    STATE_OPS->close(s);
}

static int keep_enrollment(void *ctx, const struct wedr_enrollment_row *t)
{
    *(struct wedr_enrollment_row *)ctx = *t;
    return WEDR_OK;
}

/* What an older program wrote: its tokens work, its agents are in the default group. */
static void version_4_opens_with_its_tokens_and_agents(void **state)
{
    sqlite3 *db = NULL;
    char path[96];
    struct wedr_errinfo ei = {""};
    struct wedr_enrollment_row t = {.id = 0};
    (void)state;
    struct wedr_state *s = state_open();
    assert_int_equal(STATE_OPS->token_add(s, "old-token", 3, NOW + HOUR), WEDR_OK);
    STATE_OPS->close(s);
    (void)snprintf(path, sizeof(path), "%s/state.db", state_folder);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    uint8_t hash[64];
    sqlite3_stmt *st = NULL;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT hash FROM enrollment_token", -1, &st, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int len = sqlite3_column_bytes(st, 0);
    assert_true(len > 0 && len <= (int)sizeof(hash));
    memcpy(hash, sqlite3_column_blob(st, 0), (size_t)len);
    sqlite3_finalize(st);
    sqlite3_close(db);
    char command[256];
    (void)snprintf(command, sizeof(command), "rm -f '%.70s' '%.70s-wal' '%.70s-shm'", path, path,
                   path);
    assert_int_equal(system(command), 0);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(wedr_state_migrate_to(db, 4, &ei), WEDR_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO token VALUES(?1,3,?2,1)", -1, &st, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_bind_blob(st, 1, hash, len, SQLITE_STATIC), SQLITE_OK);
    assert_int_equal(sqlite3_bind_int64(st, 2, NOW + HOUR), SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_DONE);
    sqlite3_finalize(st);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO agent(agent_id,hostname,os,os_version,agent_version,"
                                  "cert_sha256,sign_public,enrolled_us,last_seen_us)"
                                  " VALUES('a','h','linux','','','',zeroblob(32),1,1)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    s = state_open();
    assert_int_equal(OPS->enrollment_each(s, NOW, 0, 10, keep_enrollment, &t), WEDR_OK);
    assert_int_equal(t.uses_left, 3);
    assert_string_equal(t.group, WEDR_GROUP_DEFAULT);
    struct wedr_agent_row a = {.enrolled_us = NOW, .last_seen_us = NOW};
    (void)snprintf(a.agent_id, sizeof(a.agent_id), "b");
    assert_int_equal(STATE_OPS->enroll(s, "old-token", NOW, &a), WEDR_OK);
    STATE_OPS->close(s);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT count(*) FROM agent WHERE endpoint_group='default'",
                                        -1, &st, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(st, 0), 2);
    sqlite3_finalize(st);
    sqlite3_close(db);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, state_set_up, state_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_user_is_kept_changed_and_removed_with_a_line_for_each),
        TEST(many_at_once_get_as_many_looks_as_one_after_the_other),
        TEST(a_session_ends_by_idleness_age_and_order),
        TEST(steps_and_recovery_codes_are_used_once),
        TEST(second_factors_lie_sealed_and_only_for_their_user),
        TEST(second_factors_of_an_older_release_are_sealed_at_the_start),
        TEST(tokens_have_owners_ends_and_a_limit),
        TEST(settings_change_one_version_after_the_other),
        TEST(an_audit_text_that_is_cut_says_so),
        TEST(an_audit_line_cannot_borrow_from_its_neighbour),
        TEST(version_4_opens_with_its_tokens_and_agents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
