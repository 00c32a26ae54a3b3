/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/obj.h"
#include "store/state/sqlite/people.h"
#include <string.h>

#define NAMES_MAX 100000 /* counters of names; the oldest goes first */

/* Counters that no longer say anything are forgotten; so is the oldest when strangers fill the
 * table with names that do not exist. */
static int purge_names(struct wedr_state *s, int64_t now_us)
{
    int err = wedr_state_run(s->writer, NULL, "DELETE FROM signin WHERE last_us<?1 AND until_us<?2",
                             "ii", now_us - WEDR_SIGNIN_LOCK_US, now_us);
    return err == WEDR_OK
               ? wedr_state_run(s->writer, NULL,
                                "DELETE FROM signin WHERE name IN (SELECT name FROM signin ORDER BY"
                                " last_us DESC LIMIT -1 OFFSET ?1)",
                                "i", (int64_t)NAMES_MAX)
               : err;
}

static int read_counter(struct wedr_state *s,
                        struct wedr_state_bytes name,
                        int64_t *ret_fails,
                        int64_t *ret_until_us)
{
    sqlite3_stmt *st = NULL;
    *ret_fails = *ret_until_us = 0;
    int err = wedr_state_prepare(s->writer, &st, "SELECT fails,until_us FROM signin WHERE name=?1",
                                 "b", name);
    if (err == WEDR_OK) {
        int rc = sqlite3_step(st);
        err = wedr_state_error(rc);
        if (rc == SQLITE_ROW) {
            *ret_fails = sqlite3_column_int64(st, 0);
            *ret_until_us = sqlite3_column_int64(st, 1);
        }
    }
    (void)sqlite3_finalize(st);
    return err;
}

int wedr_people_signin_charge(struct wedr_state *s,
                              const char *username,
                              int64_t now_us,
                              int64_t *ret_until_us)
{
    uint8_t hash[WEDR_SECRET_HASH_LEN];
    int64_t fails = 0, until = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    wedr_state_secret_hash(s, "name", username, hash);
    struct wedr_state_bytes name = {hash, sizeof(hash)};
    int err = wedr_state_begin(s);
    err = err == WEDR_OK ? purge_names(s, now_us) : err;
    err = err == WEDR_OK ? read_counter(s, name, &fails, &until) : err;
    if (err == WEDR_OK && until > now_us) {
        *ret_until_us = until;
        err = WEDR_E_LIMIT;
    }
    if (err == WEDR_OK) {
        fails = until ? 1 : fails + 1; /* a lock-out that is over begins anew */
        until = fails >= (int64_t)WEDR_SIGNIN_TRIES ? now_us + WEDR_SIGNIN_LOCK_US : 0;
        err = wedr_state_run(s->writer, NULL, "INSERT OR REPLACE INTO signin VALUES(?1,?2,?3,?4)",
                             "biii", name, fails, now_us, until);
    }
    err = wedr_state_end(s, err);
    if (err == WEDR_OK) {
        *ret_until_us = until;
    }
    return err;
}

int wedr_people_signin_refund(struct wedr_state *s, const char *username)
{
    uint8_t hash[WEDR_SECRET_HASH_LEN];
    wedr_state_secret_hash(s, "name", username, hash);
    struct wedr_state_bytes name = {hash, sizeof(hash)};
    return wedr_state_change(s, NULL, false,
                             "UPDATE signin SET fails=max(fails-1,0), until_us=0 WHERE name=?1",
                             "b", name);
}

int wedr_people_signin_clear(struct wedr_state *s,
                             const char *username,
                             const struct wedr_audit *who)
{
    uint8_t hash[WEDR_SECRET_HASH_LEN];
    wedr_state_secret_hash(s, "name", username, hash);
    struct wedr_state_bytes name = {hash, sizeof(hash)};
    return wedr_state_change(s, who, false, "DELETE FROM signin WHERE name=?1", "b", name);
}

int wedr_people_session_add(struct wedr_state *s,
                            const struct wedr_session_row *r,
                            const char *secret,
                            const struct wedr_audit *who,
                            int64_t *ret_id)
{
    uint8_t hash[WEDR_SECRET_HASH_LEN];
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    wedr_state_secret_hash(s, "session", secret, hash);
    struct wedr_state_bytes b = {hash, sizeof(hash)};
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL,
                             "DELETE FROM session WHERE expires_us<=?2 OR id IN (SELECT id FROM"
                             " session WHERE user_id=?1 ORDER BY id DESC LIMIT -1 OFFSET ?3)",
                             "iii", r->user_id, r->created_us, (int64_t)WEDR_USER_SESSIONS_MAX - 1);
    }
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL,
                             "INSERT INTO session(hash,user_id,created_us,last_us,expires_us,"
                             "address,agent) VALUES(?1,?2,?3,?3,?4,?5,?6)",
                             "biiitt", b, r->user_id, r->created_us, r->expires_us, r->address,
                             r->agent);
    }
    int64_t id = err == WEDR_OK ? sqlite3_last_insert_rowid(s->writer) : 0;
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL, "UPDATE user SET last_seen_us=?2 WHERE id=?1", "ii",
                             r->user_id, r->created_us);
    }
    if (err == WEDR_OK) {
        err = wedr_state_audit(s, who);
    }
    err = wedr_state_end(s, err);
    if (err == WEDR_OK) {
        *ret_id = id;
    }
    return err;
}

static void read_session(sqlite3_stmt *st, int at, struct wedr_session_row *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->id = sqlite3_column_int64(st, at);
    ret->user_id = sqlite3_column_int64(st, at + 1);
    ret->created_us = sqlite3_column_int64(st, at + 2);
    ret->last_us = sqlite3_column_int64(st, at + 3);
    ret->expires_us = sqlite3_column_int64(st, at + 4);
    wedr_state_text(st, at + 5, ret->address, sizeof(ret->address));
    wedr_state_text(st, at + 6, ret->agent, sizeof(ret->agent));
}

#define SESSION_COLUMNS "s.id,s.user_id,s.created_us,s.last_us,s.expires_us,s.address,s.agent"

int wedr_people_session_get(struct wedr_state *s,
                            const char *secret,
                            int64_t now_us,
                            int64_t idle_us,
                            struct wedr_session_row *ret,
                            struct wedr_user_row *ret_user)
{
    uint8_t hash[WEDR_SECRET_HASH_LEN];
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    wedr_state_secret_hash(s, "session", secret, hash);
    struct wedr_state_bytes b = {hash, sizeof(hash)};
    int err = wedr_state_read(
        s, &st,
        "SELECT " WEDR_USER_COLUMNS "," SESSION_COLUMNS
        " FROM session s JOIN user u ON u.id=s.user_id WHERE s.hash=?1 AND s.expires_us>?2 AND"
        " s.last_us>?3 AND u.disabled=0",
        "bii", b, now_us, now_us - idle_us);
    if (err == WEDR_OK) {
        int rc = sqlite3_step(st);
        err = rc == SQLITE_DONE ? WEDR_E_AUTH : wedr_state_error(rc);
    }
    if (err == WEDR_OK) {
        wedr_state_read_user(s, st, 0, ret_user);
        read_session(st, WEDR_USER_COLUMN_COUNT, ret);
    }
    return wedr_state_read_end(s, st, err);
}

int wedr_people_session_touch(struct wedr_state *s, int64_t id, int64_t now_us)
{
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL,
                             "UPDATE session SET last_us=?2 WHERE id=?1 AND last_us<?2", "ii", id,
                             now_us);
    }
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL,
                             "UPDATE user SET last_seen_us=?2 WHERE last_seen_us<?2 AND"
                             " id=(SELECT user_id FROM session WHERE id=?1)",
                             "ii", id, now_us);
    }
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL, "DELETE FROM session WHERE expires_us<=?1", "i",
                             now_us);
    }
    return wedr_state_end(s, err);
}

int wedr_people_session_end(struct wedr_state *s,
                            int64_t id,
                            int64_t user_id,
                            const struct wedr_audit *who)
{
    return wedr_state_change(s, who, true, "DELETE FROM session WHERE id=?1 AND user_id=?2", "ii",
                             id, user_id);
}

int wedr_people_session_end_others(struct wedr_state *s,
                                   int64_t user_id,
                                   int64_t keep,
                                   const struct wedr_audit *who)
{
    return wedr_state_change(s, who, false, "DELETE FROM session WHERE user_id=?1 AND id<>?2", "ii",
                             user_id, keep);
}

int wedr_people_session_each(
    struct wedr_state *s, int64_t user_id, int64_t now_us, wedr_session_fn *fn, void *ctx)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(s, &st,
                              "SELECT " SESSION_COLUMNS
                              " FROM session s WHERE s.user_id=?1 AND s.expires_us>?2"
                              " ORDER BY s.id DESC",
                              "ii", user_id, now_us);
    while (wedr_state_row(st, &err)) {
        struct wedr_session_row row;
        read_session(st, 0, &row);
        err = fn(ctx, &row);
    }
    return wedr_state_read_end(s, st, err);
}

int wedr_people_token_add(struct wedr_state *s,
                          const struct wedr_token_row *r,
                          const char *secret,
                          const struct wedr_audit *who,
                          int64_t *ret_id)
{
    uint8_t hash[WEDR_SECRET_HASH_LEN];
    int changes = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    wedr_state_secret_hash(s, "token", secret, hash);
    struct wedr_state_bytes b = {hash, sizeof(hash)};
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, &changes,
                             "INSERT INTO api_token(hash,user_id,name,scopes,created_us,expires_us)"
                             " SELECT ?1,?2,?3,?4,?5,?6 WHERE (SELECT count(*) FROM api_token"
                             " WHERE user_id=?2)<?7",
                             "bitiiii", b, r->user_id, r->name, (int64_t)r->scopes, r->created_us,
                             r->expires_us, (int64_t)WEDR_USER_TOKENS_MAX);
    }
    int64_t id = err == WEDR_OK ? sqlite3_last_insert_rowid(s->writer) : 0;
    if (err == WEDR_OK) {
        err = changes == 0 ? WEDR_E_LIMIT : wedr_state_audit(s, who);
    }
    err = wedr_state_end(s, err);
    if (err == WEDR_OK) {
        *ret_id = id;
    }
    return err;
}

#define TOKEN_COLUMNS \
    "t.id,t.user_id,t.name,t.scopes,t.created_us,t.expires_us,t.used_us,u.username"

static void read_token(sqlite3_stmt *st, int at, struct wedr_token_row *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->id = sqlite3_column_int64(st, at);
    ret->user_id = sqlite3_column_int64(st, at + 1);
    wedr_state_text(st, at + 2, ret->name, sizeof(ret->name));
    ret->scopes = (uint32_t)sqlite3_column_int64(st, at + 3);
    ret->created_us = sqlite3_column_int64(st, at + 4);
    ret->expires_us = sqlite3_column_int64(st, at + 5);
    ret->used_us = sqlite3_column_int64(st, at + 6);
    wedr_state_text(st, at + 7, ret->owner, sizeof(ret->owner));
}

int wedr_people_token_get(struct wedr_state *s,
                          const char *secret,
                          int64_t now_us,
                          struct wedr_token_row *ret,
                          struct wedr_user_row *ret_user)
{
    uint8_t hash[WEDR_SECRET_HASH_LEN];
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    wedr_state_secret_hash(s, "token", secret, hash);
    struct wedr_state_bytes b = {hash, sizeof(hash)};
    int err = wedr_state_read(s, &st,
                              "SELECT " WEDR_USER_COLUMNS "," TOKEN_COLUMNS
                              " FROM api_token t JOIN user u ON u.id=t.user_id"
                              " WHERE t.hash=?1 AND t.expires_us>?2 AND u.disabled=0",
                              "bi", b, now_us);
    if (err == WEDR_OK) {
        int rc = sqlite3_step(st);
        err = rc == SQLITE_DONE ? WEDR_E_AUTH : wedr_state_error(rc);
    }
    if (err == WEDR_OK) {
        wedr_state_read_user(s, st, 0, ret_user);
        read_token(st, WEDR_USER_COLUMN_COUNT, ret);
    }
    return wedr_state_read_end(s, st, err);
}

int wedr_people_token_touch(struct wedr_state *s, int64_t id, int64_t now_us)
{
    return wedr_state_change(s, NULL, false,
                             "UPDATE api_token SET used_us=?2 WHERE id=?1 AND used_us<?2", "ii", id,
                             now_us);
}

int wedr_people_token_each(struct wedr_state *s,
                           int64_t user_id,
                           int64_t before,
                           uint32_t limit,
                           wedr_token_fn *fn,
                           void *ctx)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(s, &st,
                              "SELECT " TOKEN_COLUMNS
                              " FROM api_token t JOIN user u ON u.id=t.user_id WHERE (?1=0 OR"
                              " t.user_id=?1) AND (?2=0 OR t.id<?2) ORDER BY t.id DESC LIMIT ?3",
                              "iii", user_id, before, (int64_t)limit);
    while (wedr_state_row(st, &err)) {
        struct wedr_token_row row;
        read_token(st, 0, &row);
        err = fn(ctx, &row);
    }
    return wedr_state_read_end(s, st, err);
}

int wedr_people_token_remove(struct wedr_state *s,
                             int64_t id,
                             int64_t user_id,
                             const struct wedr_audit *who)
{
    return wedr_state_change(s, who, true,
                             "DELETE FROM api_token WHERE id=?1 AND (?2=0 OR user_id=?2)", "ii", id,
                             user_id);
}
