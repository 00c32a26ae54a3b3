/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/obj.h"
#include "core/util/sha256.h"
#include "store/state/sqlite/people.h"
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 257u
#define DETAIL_MAX 4097u
#define AUDIT_TEXTS 6u
#define CUT_NOTE 40u /* room for what says how much was left out */

/* An entry's hash is keyed: who can only write to the database cannot make a chain that fits. Each
 * text goes in with its NUL, so that none can borrow from its neighbour. */
static void chain(const struct wedr_state *s,
                  const uint8_t before[WEDR_SECRET_HASH_LEN],
                  int64_t id,
                  int64_t ts_us,
                  const char *const texts[AUDIT_TEXTS],
                  uint8_t ret[WEDR_SECRET_HASH_LEN])
{
    crypto_generichash_state h;
    uint8_t numbers[16];
    for (unsigned i = 0; i < 8; i++) {
        numbers[i] = (uint8_t)((uint64_t)id >> (8 * i));
        numbers[8 + i] = (uint8_t)((uint64_t)ts_us >> (8 * i));
    }
    (void)crypto_generichash_init(&h, s->token_key, WEDR_TOKEN_KEY_LEN, WEDR_SECRET_HASH_LEN);
    (void)crypto_generichash_update(&h, (const uint8_t *)"audit", 6);
    (void)crypto_generichash_update(&h, before, WEDR_SECRET_HASH_LEN);
    (void)crypto_generichash_update(&h, numbers, sizeof(numbers));
    for (size_t i = 0; i < AUDIT_TEXTS; i++) {
        (void)crypto_generichash_update(&h, (const uint8_t *)texts[i], strlen(texts[i]) + 1);
    }
    (void)crypto_generichash_final(&h, ret, WEDR_SECRET_HASH_LEN);
    sodium_memzero(&h, sizeof(h));
}

/* In a write transaction: id and hash of the newest entry; 0 and zeros when there is none. */
static int newest(struct wedr_state *s, int64_t *ret_id, uint8_t ret[WEDR_SECRET_HASH_LEN])
{
    sqlite3_stmt *st = NULL;
    memset(ret, 0, WEDR_SECRET_HASH_LEN);
    *ret_id = 0;
    int err = wedr_state_prepare(
        s->writer, &st,
        "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name='audit'),0),"
        "(SELECT hash FROM audit ORDER BY id DESC LIMIT 1)",
        "");
    if (err == WEDR_OK) {
        int rc = sqlite3_step(st);
        err = rc == SQLITE_ROW ? WEDR_OK : wedr_state_error(rc);
        const void *hash = sqlite3_column_blob(st, 1);
        *ret_id = sqlite3_column_int64(st, 0);
        if (hash && sqlite3_column_bytes(st, 1) == (int)WEDR_SECRET_HASH_LEN) {
            memcpy(ret, hash, WEDR_SECRET_HASH_LEN);
        }
    }
    (void)sqlite3_finalize(st);
    return err;
}

/* Cut at a character when it is too long, and says so. */
static void keep_text(const char *text, char *ret, size_t cap)
{
    size_t len = strlen(text), n = len < cap ? len : cap - CUT_NOTE;
    while (n < len && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80) {
        n--;
    }
    memcpy(ret, text, n);
    ret[n] = '\0';
    if (n < len) {
        (void)snprintf(ret + n, cap - n, " ... (%zu bytes more)", len - n);
    }
}

int wedr_state_audit(struct wedr_state *s, const struct wedr_audit *who)
{
    char texts[AUDIT_TEXTS - 1][TEXT_MAX], detail[DETAIL_MAX];
    uint8_t before[WEDR_SECRET_HASH_LEN], hash[WEDR_SECRET_HASH_LEN];
    int64_t id = 0;
    if (!who) {
        return WEDR_OK;
    }
    const char *const given[] = {who->actor,  who->actor_kind, who->address,
                                 who->action, who->object,     who->detail};
    for (size_t i = 0; i < AUDIT_TEXTS - 1; i++) {
        keep_text(given[i] ? given[i] : "", texts[i], TEXT_MAX);
    }
    keep_text(who->detail ? who->detail : "", detail, sizeof(detail));
    const char *const kept[AUDIT_TEXTS] = {texts[0], texts[1], texts[2],
                                           texts[3], texts[4], detail};
    int err = newest(s, &id, before);
    if (err != WEDR_OK) {
        return err;
    }
    chain(s, before, id + 1, who->ts_us, kept, hash);
    struct wedr_state_bytes b = {hash, sizeof(hash)};
    return wedr_state_run(s->writer, NULL, "INSERT INTO audit VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)",
                          "iittttttb", id + 1, who->ts_us, kept[0], kept[1], kept[2], kept[3],
                          kept[4], kept[5], b);
}

int wedr_people_audit_add(struct wedr_state *s, const struct wedr_audit *entry)
{
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    return wedr_state_end(s, err == WEDR_OK ? wedr_state_audit(s, entry) : err);
}

static const char *text_at(sqlite3_stmt *st, int i)
{
    const unsigned char *t = sqlite3_column_text(st, i);
    return t ? (const char *)t : "";
}

int wedr_people_audit_each(struct wedr_state *s,
                           int64_t from_us,
                           int64_t to_us,
                           const char *actor,
                           const char *action,
                           int64_t before,
                           uint32_t limit,
                           wedr_audit_fn *fn,
                           void *ctx)
{
    sqlite3_stmt *st = NULL;
    bool prefix = action && action[0] && action[strlen(action) - 1] == '.';
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(
        s, &st,
        "SELECT id,ts_us,actor,actor_kind,address,action,object,detail,hash FROM audit WHERE"
        " (?1=0 OR id<?1) AND ts_us BETWEEN ?2 AND ?3 AND (?4 IS NULL OR actor=?4) AND"
        " (?5 IS NULL OR action=?5 OR (?6 AND substr(action,1,length(?5))=?5))"
        " ORDER BY id DESC LIMIT ?7",
        "iiittii", before, from_us, to_us, actor, action, (int64_t)prefix, (int64_t)limit);
    while (wedr_state_row(st, &err)) {
        char hash[2 * WEDR_SECRET_HASH_LEN + 1] = "";
        const void *h = sqlite3_column_blob(st, 8);
        if (h && sqlite3_column_bytes(st, 8) == (int)WEDR_SECRET_HASH_LEN) {
            wedr_hex(h, WEDR_SECRET_HASH_LEN, hash);
        }
        struct wedr_audit_row row = {sqlite3_column_int64(st, 0),
                                     {sqlite3_column_int64(st, 1), text_at(st, 2), text_at(st, 3),
                                      text_at(st, 4), text_at(st, 5), text_at(st, 6),
                                      text_at(st, 7)},
                                     hash};
        err = fn(ctx, &row);
    }
    return wedr_state_read_end(s, st, err);
}

/* One row of the chain; before becomes its hash. */
static int verify_row(const struct wedr_state *s,
                      sqlite3_stmt *st,
                      int64_t expected_id,
                      uint8_t before[WEDR_SECRET_HASH_LEN],
                      struct wedr_errinfo *ei)
{
    uint8_t hash[WEDR_SECRET_HASH_LEN];
    int64_t id = sqlite3_column_int64(st, 0);
    if (id != expected_id) {
        return wedr_fail(ei, WEDR_E_CORRUPT, "entries %" PRId64 " to %" PRId64 " are gone",
                         expected_id, id - 1);
    }
    const char *const texts[AUDIT_TEXTS] = {text_at(st, 2), text_at(st, 3), text_at(st, 4),
                                            text_at(st, 5), text_at(st, 6), text_at(st, 7)};
    chain(s, before, id, sqlite3_column_int64(st, 1), texts, hash);
    const void *stored = sqlite3_column_blob(st, 8);
    if (!stored || sqlite3_column_bytes(st, 8) != (int)sizeof(hash) ||
        memcmp(stored, hash, sizeof(hash)) != 0) {
        return wedr_fail(ei, WEDR_E_CORRUPT, "entry %" PRId64 " was changed, or the one before it",
                         id);
    }
    memcpy(before, hash, sizeof(hash));
    return WEDR_OK;
}

/* With the read lock. The database's own counter tells when entries at the end are gone. */
static int last_id(struct wedr_state *s, int64_t *ret)
{
    sqlite3_stmt *st = NULL;
    int err = wedr_state_prepare(s->reader, &st,
                                 "SELECT coalesce(max(seq),0) FROM sqlite_sequence WHERE"
                                 " name='audit'",
                                 "");
    if (err == WEDR_OK) {
        int rc = sqlite3_step(st);
        err = wedr_state_error(rc);
        *ret = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    }
    (void)sqlite3_finalize(st);
    return err;
}

int wedr_people_audit_verify(struct wedr_state *s,
                             uint64_t *ret_count,
                             char ret_head[65],
                             struct wedr_errinfo *ei)
{
    sqlite3_stmt *st = NULL;
    uint8_t hash[WEDR_SECRET_HASH_LEN] = {0};
    int64_t n = 0, last = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    wedr_mutex_lock(s->read_lock);
    int err = wedr_state_run(s->reader, NULL, "BEGIN", "");
    if (err == WEDR_OK) {
        err = wedr_state_prepare(s->reader, &st,
                                 "SELECT id,ts_us,actor,actor_kind,address,action,object,detail,"
                                 "hash FROM audit ORDER BY id",
                                 "");
    }
    while (wedr_state_row(st, &err)) {
        err = verify_row(s, st, ++n, hash, ei);
    }
    (void)sqlite3_finalize(st);
    err = err == WEDR_OK ? last_id(s, &last) : err;
    if (err == WEDR_OK && last != n) {
        err = wedr_fail(ei, WEDR_E_CORRUPT,
                        "entries behind %" PRId64 " are gone: there were %" PRId64, n, last);
    }
    (void)!wedr_state_run(s->reader, NULL, "COMMIT", "");
    wedr_mutex_unlock(s->read_lock);
    if (err == WEDR_OK) {
        *ret_count = (uint64_t)n;
        wedr_hex(hash, sizeof(hash), ret_head);
    }
    return err;
}

int wedr_people_enrollment_add(struct wedr_state *s,
                               const struct wedr_enrollment_row *r,
                               const char *token,
                               const struct wedr_audit *who,
                               int64_t *ret_id)
{
    uint8_t hash[WEDR_TOKEN_HASH_LEN];
    int changes = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    if (r->uses_left == 0 || wedr_state_token_hash(s, token, hash) != WEDR_OK) {
        return WEDR_E_INVAL;
    }
    struct wedr_state_bytes b = {hash, sizeof(hash)};
    int err = wedr_state_begin(s);
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, &changes,
                             "INSERT INTO enrollment_token(hash,uses_left,expires_us,created_us,"
                             "endpoint_group,note) SELECT ?1,?2,?3,?4,?5,?6 WHERE"
                             " (SELECT count(*) FROM enrollment_token)<?7",
                             "biiitti", b, (int64_t)r->uses_left, r->expires_us, r->created_us,
                             r->group, r->note, (int64_t)WEDR_ENROLLMENT_TOKENS_MAX);
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

int wedr_people_enrollment_each(struct wedr_state *s,
                                int64_t now_us,
                                int64_t before,
                                uint32_t limit,
                                wedr_enrollment_fn *fn,
                                void *ctx)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(s, &st,
                              "SELECT id,uses_left,expires_us,created_us,endpoint_group,note"
                              " FROM enrollment_token WHERE uses_left>0 AND expires_us>?1 AND"
                              " (?2=0 OR id<?2) ORDER BY id DESC LIMIT ?3",
                              "iii", now_us, before, (int64_t)limit);
    while (wedr_state_row(st, &err)) {
        struct wedr_enrollment_row row;
        memset(&row, 0, sizeof(row));
        row.id = sqlite3_column_int64(st, 0);
        row.uses_left = (uint32_t)sqlite3_column_int64(st, 1);
        row.expires_us = sqlite3_column_int64(st, 2);
        row.created_us = sqlite3_column_int64(st, 3);
        wedr_state_text(st, 4, row.group, sizeof(row.group));
        wedr_state_text(st, 5, row.note, sizeof(row.note));
        err = fn(ctx, &row);
    }
    return wedr_state_read_end(s, st, err);
}

int wedr_people_enrollment_remove(struct wedr_state *s, int64_t id, const struct wedr_audit *who)
{
    return wedr_state_change(s, who, true, "DELETE FROM enrollment_token WHERE id=?1", "i", id);
}

static const struct {
    const char *name;
    int64_t fallback;
} known[] = {
    {"version", 1},        {"retention_days", -1},       {"retention_bytes", -1},
    {"session_hours", 12}, {"session_idle_minutes", 60}, {"require_totp", 0},
};

static int read_settings(sqlite3 *db, int64_t v[WEDR_ARRAY_COUNT(known)])
{
    sqlite3_stmt *st = NULL;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(known); i++) {
        v[i] = known[i].fallback;
    }
    int err = wedr_state_prepare(db, &st, "SELECT name,value FROM setting", "");
    while (wedr_state_row(st, &err)) {
        for (size_t i = 0; i < WEDR_ARRAY_COUNT(known); i++) {
            v[i] = strcmp(known[i].name, text_at(st, 0)) == 0 ? sqlite3_column_int64(st, 1) : v[i];
        }
    }
    (void)sqlite3_finalize(st);
    return err;
}

int wedr_people_settings_get(struct wedr_state *s, struct wedr_settings *ret)
{
    int64_t v[WEDR_ARRAY_COUNT(known)];
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    wedr_mutex_lock(s->read_lock);
    int err = read_settings(s->reader, v);
    wedr_mutex_unlock(s->read_lock);
    if (err == WEDR_OK) {
        struct wedr_settings r = {.version = (uint64_t)v[0],
                                  .retention_days = v[1],
                                  .retention_bytes = v[2],
                                  .session_hours = (uint64_t)v[3],
                                  .session_idle_minutes = (uint64_t)v[4],
                                  .require_totp = v[5] != 0};
        *ret = r;
    }
    return err;
}

int wedr_people_settings_put(struct wedr_state *s,
                             const struct wedr_settings *set,
                             const struct wedr_audit *who)
{
    int64_t v[WEDR_ARRAY_COUNT(known)];
    const int64_t new_values[WEDR_ARRAY_COUNT(known)] = {(int64_t)set->version + 1,
                                                         set->retention_days,
                                                         set->retention_bytes,
                                                         (int64_t)set->session_hours,
                                                         (int64_t)set->session_idle_minutes,
                                                         set->require_totp ? 1 : 0};
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_begin(s);
    err = err == WEDR_OK ? read_settings(s->writer, v) : err;
    if (err == WEDR_OK && v[0] != (int64_t)set->version) {
        err = WEDR_E_CONFLICT;
    }
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(known); i++) {
        err = wedr_state_run(s->writer, NULL, "INSERT OR REPLACE INTO setting VALUES(?1,?2)", "ti",
                             known[i].name, new_values[i]);
    }
    if (err == WEDR_OK) {
        err = wedr_state_audit(s, who);
    }
    return wedr_state_end(s, err);
}
