/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state/sqlite/people.h"
#include "core/base/err.h"
#include "core/util/obj.h"
#include "store/state/sqlite/totp_box.h"
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

void wedr_state_secret_hash(const struct wedr_state *s,
                            const char *use,
                            const char *secret,
                            uint8_t ret[WEDR_SECRET_HASH_LEN])
{
    crypto_generichash_state h;
    (void)crypto_generichash_init(&h, s->token_key, WEDR_TOKEN_KEY_LEN, WEDR_SECRET_HASH_LEN);
    (void)crypto_generichash_update(&h, (const uint8_t *)use, strlen(use) + 1);
    (void)crypto_generichash_update(&h, (const uint8_t *)secret, strlen(secret));
    (void)crypto_generichash_final(&h, ret, WEDR_SECRET_HASH_LEN);
    sodium_memzero(&h, sizeof(h));
}

int wedr_state_change(struct wedr_state *s,
                      const struct wedr_audit *who,
                      bool must_change,
                      const char *sql,
                      const char *fmt,
                      ...)
{
    va_list ap;
    int changes = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        va_start(ap, fmt);
        err = wedr_state_run_list(s->writer, &changes, sql, fmt, ap);
        va_end(ap);
    }
    if (err == WEDR_OK && must_change && changes == 0) {
        err = WEDR_E_NOENT;
    }
    if (err == WEDR_OK) {
        err = wedr_state_audit(s, who);
    }
    return wedr_state_end(s, err);
}

/* One that cannot be opened is still a second factor: a sign-in needs it, and no code fits it. */
static bool read_secret(const struct wedr_state *s,
                        sqlite3_stmt *st,
                        int at,
                        int64_t user_id,
                        uint8_t ret[WEDR_TOTP_SECRET_LEN])
{
    if (sqlite3_column_type(st, at) == SQLITE_NULL) {
        return false;
    }
    const void *p = sqlite3_column_blob(st, at);
    (void)wedr_totp_unseal(s, user_id, p, (size_t)sqlite3_column_bytes(st, at), ret);
    return true;
}

void wedr_state_read_user(const struct wedr_state *s,
                          sqlite3_stmt *st,
                          int at,
                          struct wedr_user_row *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->id = sqlite3_column_int64(st, at);
    wedr_state_text(st, at + 1, ret->username, sizeof(ret->username));
    wedr_state_text(st, at + 2, ret->display_name, sizeof(ret->display_name));
    ret->role = sqlite3_column_int(st, at + 3);
    ret->all_groups = sqlite3_column_type(st, at + 4) == SQLITE_NULL;
    wedr_state_text(st, at + 4, ret->groups, sizeof(ret->groups));
    ret->disabled = sqlite3_column_int(st, at + 5) != 0;
    wedr_state_text(st, at + 6, ret->password, sizeof(ret->password));
    ret->must_change_password = sqlite3_column_int(st, at + 7) != 0;
    ret->totp = read_secret(s, st, at + 8, ret->id, ret->totp_secret);
    ret->totp_is_pending = read_secret(s, st, at + 9, ret->id, ret->totp_pending);
    ret->totp_step = sqlite3_column_int64(st, at + 10);
    ret->created_us = sqlite3_column_int64(st, at + 11);
    ret->last_seen_us = sqlite3_column_int64(st, at + 12);
}

/* With the read lock: until when the name is locked. */
static void read_lock_out(struct wedr_state *s, struct wedr_user_row *u)
{
    uint8_t name[WEDR_SECRET_HASH_LEN];
    sqlite3_stmt *st = NULL;
    wedr_state_secret_hash(s, "name", u->username, name);
    struct wedr_state_bytes b = {name, sizeof(name)};
    if (wedr_state_prepare(s->reader, &st, "SELECT until_us FROM signin WHERE name=?1", "b", b) ==
            WEDR_OK &&
        sqlite3_step(st) == SQLITE_ROW) {
        u->locked_until_us = sqlite3_column_int64(st, 0);
    }
    (void)sqlite3_finalize(st);
}

/* Steps st (may be NULL) for one user. */
static int one_user(struct wedr_state *s, sqlite3_stmt *st, int err, struct wedr_user_row *ret)
{
    if (err == WEDR_OK) {
        int rc = sqlite3_step(st);
        err = rc == SQLITE_DONE ? WEDR_E_NOENT : wedr_state_error(rc);
    }
    if (err == WEDR_OK) {
        wedr_state_read_user(s, st, 0, ret);
        read_lock_out(s, ret);
    }
    return wedr_state_read_end(s, st, err);
}

static int user_get(struct wedr_state *s, int64_t id, struct wedr_user_row *ret)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err =
        wedr_state_read(s, &st, "SELECT " WEDR_USER_COLUMNS " FROM user u WHERE u.id=?1", "i", id);
    return one_user(s, st, err, ret);
}

static int user_find(struct wedr_state *s, const char *username, struct wedr_user_row *ret)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(
        s, &st, "SELECT " WEDR_USER_COLUMNS " FROM user u WHERE u.username=?1", "t", username);
    return one_user(s, st, err, ret);
}

static int
user_each(struct wedr_state *s, int64_t after, uint32_t limit, wedr_user_fn *fn, void *ctx)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(
        s, &st, "SELECT " WEDR_USER_COLUMNS " FROM user u WHERE u.id>?1 ORDER BY u.id LIMIT ?2",
        "ii", after, (int64_t)limit);
    while (wedr_state_row(st, &err)) {
        struct wedr_user_row u;
        wedr_state_read_user(s, st, 0, &u);
        read_lock_out(s, &u);
        err = fn(ctx, &u);
        sodium_memzero(&u, sizeof(u));
    }
    return wedr_state_read_end(s, st, err);
}

/* In a write transaction: the number that a query gives. */
static int count_rows(struct wedr_state *s, const char *sql, int64_t *ret)
{
    sqlite3_stmt *st = NULL;
    int err = wedr_state_prepare(s->writer, &st, sql, "");
    if (err == WEDR_OK) {
        int rc = sqlite3_step(st);
        err = rc == SQLITE_ROW ? WEDR_OK : rc == SQLITE_DONE ? WEDR_E_BUG : wedr_state_error(rc);
    }
    if (err == WEDR_OK) {
        *ret = sqlite3_column_int64(st, 0);
    }
    (void)sqlite3_finalize(st);
    return err;
}

static int user_add(struct wedr_state *s,
                    const struct wedr_user_row *u,
                    const struct wedr_audit *who,
                    int64_t *ret_id)
{
    int64_t count = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        err = count_rows(s, "SELECT count(*) FROM user", &count);
    }
    if (err == WEDR_OK && count >= (int64_t)WEDR_USERS_MAX) {
        err = WEDR_E_LIMIT;
    }
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL,
                             "INSERT INTO user(username,display_name,role,groups,disabled,password,"
                             "must_change,created_us) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
                             "ttititii", u->username, u->display_name, (int64_t)u->role,
                             u->all_groups ? NULL : u->groups, (int64_t)u->disabled, u->password,
                             (int64_t)u->must_change_password, u->created_us);
    }
    int64_t id = err == WEDR_OK ? sqlite3_last_insert_rowid(s->writer) : 0;
    if (err == WEDR_OK) {
        err = wedr_state_audit(s, who);
    }
    err = wedr_state_end(s, err);
    if (err == WEDR_OK) {
        *ret_id = id;
    }
    return err;
}

/* In a write transaction: somebody must still be able to manage. */
static int an_admin_is_left(struct wedr_state *s)
{
    int64_t admins = 0;
    int err = count_rows(s, "SELECT count(*) FROM user WHERE role=4 AND disabled=0", &admins);
    return err == WEDR_OK && admins == 0 ? WEDR_E_STATE : err;
}

static int user_change(struct wedr_state *s,
                       const struct wedr_user_row *u,
                       unsigned set,
                       const struct wedr_audit *who)
{
    int changes = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        err = wedr_state_run(
            s->writer, &changes,
            "UPDATE user SET display_name=CASE WHEN ?2&1 THEN ?3 ELSE display_name END,"
            " role=CASE WHEN ?2&2 THEN ?4 ELSE role END,"
            " groups=CASE WHEN ?2&4 THEN ?5 ELSE groups END,"
            " disabled=CASE WHEN ?2&8 THEN ?6 ELSE disabled END WHERE id=?1",
            "iititi", u->id, (int64_t)set, u->display_name, (int64_t)u->role,
            u->all_groups ? NULL : u->groups, (int64_t)u->disabled);
    }
    if (err == WEDR_OK && changes == 0) {
        err = WEDR_E_NOENT;
    }
    if (err == WEDR_OK) {
        err = an_admin_is_left(s);
    }
    if (err == WEDR_OK && (set & WEDR_USER_DISABLED) && u->disabled) {
        err = wedr_state_run(s->writer, NULL, "DELETE FROM session WHERE user_id=?1", "i", u->id);
    }
    if (err == WEDR_OK) {
        err = wedr_state_audit(s, who);
    }
    return wedr_state_end(s, err);
}

static int user_remove(struct wedr_state *s, int64_t id, const struct wedr_audit *who)
{
    int changes = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, &changes, "DELETE FROM user WHERE id=?1", "i", id);
    }
    if (err == WEDR_OK) {
        err = changes == 0 ? WEDR_E_NOENT : an_admin_is_left(s);
    }
    if (err == WEDR_OK) {
        err = wedr_state_audit(s, who);
    }
    return wedr_state_end(s, err);
}

/* In a write transaction. The name's lock-out ends. */
static int forgive(struct wedr_state *s, int64_t id)
{
    sqlite3_stmt *st = NULL;
    uint8_t name[WEDR_SECRET_HASH_LEN];
    char username[WEDR_USERNAME_MAX];
    int err = wedr_state_prepare(s->writer, &st, "SELECT username FROM user WHERE id=?1", "i", id);
    if (err == WEDR_OK) {
        int rc = sqlite3_step(st);
        err = rc == SQLITE_DONE ? WEDR_E_NOENT : wedr_state_error(rc);
    }
    if (err == WEDR_OK) {
        wedr_state_text(st, 0, username, sizeof(username));
        wedr_state_secret_hash(s, "name", username, name);
    }
    (void)sqlite3_finalize(st);
    struct wedr_state_bytes b = {name, sizeof(name)};
    return err == WEDR_OK
               ? wedr_state_run(s->writer, NULL, "DELETE FROM signin WHERE name=?1", "b", b)
               : err;
}

static int user_password(struct wedr_state *s,
                         int64_t id,
                         const char *hash,
                         bool must_change,
                         int64_t keep,
                         const struct wedr_audit *who)
{
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    err = err == WEDR_OK ? forgive(s, id) : err;
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL,
                             "UPDATE user SET password=?2, must_change=?3 WHERE id=?1", "iti", id,
                             hash, (int64_t)must_change);
    }
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL, "DELETE FROM session WHERE user_id=?1 AND id<>?2",
                             "ii", id, keep);
    }
    if (err == WEDR_OK) {
        err = wedr_state_audit(s, who);
    }
    return wedr_state_end(s, err);
}

static int totp_begin(struct wedr_state *s, int64_t id, const uint8_t secret[WEDR_TOTP_SECRET_LEN])
{
    uint8_t box[WEDR_TOTP_BOX_LEN];
    struct wedr_state_bytes b = {box, sizeof(box)};
    int err = wedr_totp_seal(s, id, secret, box);
    return err == WEDR_OK
               ? wedr_state_change(s, NULL, true, "UPDATE user SET totp_pending=?2 WHERE id=?1",
                                   "ib", id, b)
               : err;
}

/* In a write transaction. */
static int put_codes(struct wedr_state *s, int64_t id, const char (*codes)[16])
{
    int err =
        wedr_state_run(s->writer, NULL, "DELETE FROM recovery_code WHERE user_id=?1", "i", id);
    for (size_t i = 0; err == WEDR_OK && i < WEDR_RECOVERY_CODES; i++) {
        uint8_t hash[WEDR_SECRET_HASH_LEN];
        wedr_state_secret_hash(s, "recovery", codes[i], hash);
        struct wedr_state_bytes b = {hash, sizeof(hash)};
        err =
            wedr_state_run(s->writer, NULL, "INSERT INTO recovery_code VALUES(?1,?2)", "ib", id, b);
    }
    return err;
}

static int totp_confirm(struct wedr_state *s,
                        int64_t id,
                        int64_t step,
                        const char (*codes)[16],
                        const struct wedr_audit *who)
{
    int changes = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, &changes,
                             "UPDATE user SET totp=totp_pending, totp_pending=NULL, totp_step=?2"
                             " WHERE id=?1 AND totp_pending IS NOT NULL",
                             "ii", id, step);
    }
    if (err == WEDR_OK) {
        err = changes == 0 ? WEDR_E_STATE : put_codes(s, id, codes);
    }
    if (err == WEDR_OK) {
        err = wedr_state_audit(s, who);
    }
    return wedr_state_end(s, err);
}

static int
totp_remove(struct wedr_state *s, int64_t id, bool end_sessions, const struct wedr_audit *who)
{
    int changes = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, &changes,
                             "UPDATE user SET totp=NULL, totp_pending=NULL WHERE id=?1", "i", id);
    }
    if (err == WEDR_OK) {
        err = changes == 0 ? WEDR_E_NOENT
                           : wedr_state_run(s->writer, NULL,
                                            "DELETE FROM recovery_code WHERE user_id=?1", "i", id);
    }
    if (err == WEDR_OK && end_sessions) {
        err = wedr_state_run(s->writer, NULL, "DELETE FROM session WHERE user_id=?1", "i", id);
    }
    if (err == WEDR_OK) {
        err = wedr_state_audit(s, who);
    }
    return wedr_state_end(s, err);
}

static int totp_use(struct wedr_state *s, int64_t id, int64_t step)
{
    int err = wedr_state_change(
        s, NULL, true, "UPDATE user SET totp_step=?2 WHERE id=?1 AND totp_step<?2", "ii", id, step);
    return err == WEDR_E_NOENT ? WEDR_E_AUTH : err;
}

static int recovery_use(struct wedr_state *s, int64_t id, const char *code)
{
    uint8_t hash[WEDR_SECRET_HASH_LEN];
    wedr_state_secret_hash(s, "recovery", code, hash);
    struct wedr_state_bytes b = {hash, sizeof(hash)};
    int err = wedr_state_change(
        s, NULL, true, "DELETE FROM recovery_code WHERE user_id=?1 AND hash=?2", "ib", id, b);
    return err == WEDR_E_NOENT ? WEDR_E_AUTH : err;
}

const struct wedr_state_people_ops wedr_state_people_sqlite = {
    .user_add = user_add,
    .user_get = user_get,
    .user_find = user_find,
    .user_each = user_each,
    .user_change = user_change,
    .user_remove = user_remove,
    .user_password = user_password,
    .totp_begin = totp_begin,
    .totp_confirm = totp_confirm,
    .totp_remove = totp_remove,
    .totp_use = totp_use,
    .recovery_use = recovery_use,
    .signin_charge = wedr_people_signin_charge,
    .signin_refund = wedr_people_signin_refund,
    .signin_clear = wedr_people_signin_clear,
    .session_add = wedr_people_session_add,
    .session_get = wedr_people_session_get,
    .session_touch = wedr_people_session_touch,
    .session_end = wedr_people_session_end,
    .session_end_others = wedr_people_session_end_others,
    .session_each = wedr_people_session_each,
    .token_add = wedr_people_token_add,
    .token_get = wedr_people_token_get,
    .token_touch = wedr_people_token_touch,
    .token_each = wedr_people_token_each,
    .token_remove = wedr_people_token_remove,
    .enrollment_add = wedr_people_enrollment_add,
    .enrollment_each = wedr_people_enrollment_each,
    .enrollment_remove = wedr_people_enrollment_remove,
    .settings_get = wedr_people_settings_get,
    .settings_put = wedr_people_settings_put,
    .audit_add = wedr_people_audit_add,
    .audit_each = wedr_people_audit_each,
    .audit_verify = wedr_people_audit_verify,
};
