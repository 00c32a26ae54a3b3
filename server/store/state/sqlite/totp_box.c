/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state/sqlite/totp_box.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/log.h"
#include <sodium.h>
#include <string.h>

#define PLAIN_LEN (8u + WEDR_TOTP_SECRET_LEN)

_Static_assert(crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + PLAIN_LEN ==
                   WEDR_TOTP_BOX_LEN,
               "length of a box");
_Static_assert(crypto_secretbox_KEYBYTES == WEDR_TOTP_KEY_LEN, "length of the key");

int wedr_totp_seal(const struct wedr_state *s,
                   int64_t user_id,
                   const uint8_t secret[WEDR_TOTP_SECRET_LEN],
                   uint8_t ret[WEDR_TOTP_BOX_LEN])
{
    uint8_t plain[PLAIN_LEN];
    wedr_put_le64(plain, (uint64_t)user_id);
    memcpy(plain + 8, secret, WEDR_TOTP_SECRET_LEN);
    randombytes_buf(ret, crypto_secretbox_NONCEBYTES);
    int rc = crypto_secretbox_easy(ret + crypto_secretbox_NONCEBYTES, plain, sizeof(plain), ret,
                                   s->totp_key);
    sodium_memzero(plain, sizeof(plain));
    return rc == 0 ? WEDR_OK : WEDR_E_BUG;
}

bool wedr_totp_unseal(const struct wedr_state *s,
                      int64_t user_id,
                      const void *box,
                      size_t len,
                      uint8_t ret[WEDR_TOTP_SECRET_LEN])
{
    uint8_t plain[PLAIN_LEN];
    const uint8_t *b = box;
    bool good =
        b && len == WEDR_TOTP_BOX_LEN &&
        crypto_secretbox_open_easy(plain, b + crypto_secretbox_NONCEBYTES,
                                   len - crypto_secretbox_NONCEBYTES, b, s->totp_key) == 0 &&
        wedr_le64(plain) == (uint64_t)user_id;
    if (good) {
        memcpy(ret, plain + 8, WEDR_TOTP_SECRET_LEN);
    } else {
        randombytes_buf(ret, WEDR_TOTP_SECRET_LEN);
    }
    sodium_memzero(plain, sizeof(plain));
    return good;
}

struct column {
    const char *next; /* the next user with something in it */
    const char *put;
};

static const struct column columns[] = {
    {"SELECT id,totp FROM user WHERE totp IS NOT NULL AND id>?1 ORDER BY id LIMIT 1",
     "UPDATE user SET totp=?2 WHERE id=?1"},
    {"SELECT id,totp_pending FROM user WHERE totp_pending IS NOT NULL AND id>?1 ORDER BY id LIMIT "
     "1",
     "UPDATE user SET totp_pending=?2 WHERE id=?1"}};

static int next_with(struct wedr_state *s,
                     const struct column *c,
                     int64_t after,
                     int64_t *ret_id,
                     sqlite3_stmt **ret)
{
    int err = wedr_state_prepare(s->writer, ret, c->next, "i", after);
    int rc = err == WEDR_OK ? sqlite3_step(*ret) : SQLITE_DONE;
    if (err == WEDR_OK && rc != SQLITE_ROW) {
        err = rc == SQLITE_DONE ? WEDR_E_NOENT : wedr_state_error(rc);
    }
    *ret_id = err == WEDR_OK ? sqlite3_column_int64(*ret, 0) : 0;
    return err;
}

static int
seal_column(struct wedr_state *s, const struct column *c, uint64_t *sealed, uint64_t *unreadable)
{
    int64_t id = 0;
    int err = WEDR_OK;
    while (err == WEDR_OK) {
        uint8_t secret[WEDR_TOTP_SECRET_LEN], box[WEDR_TOTP_BOX_LEN];
        sqlite3_stmt *st = NULL;
        err = next_with(s, c, id, &id, &st);
        size_t len = err == WEDR_OK ? (size_t)sqlite3_column_bytes(st, 1) : 0;
        bool plain = err == WEDR_OK && len == WEDR_TOTP_SECRET_LEN;
        if (plain) {
            memcpy(secret, sqlite3_column_blob(st, 1), WEDR_TOTP_SECRET_LEN);
        } else if (err == WEDR_OK) {
            *unreadable += !wedr_totp_unseal(s, id, sqlite3_column_blob(st, 1), len, secret);
        }
        (void)sqlite3_finalize(st);
        if (plain) {
            struct wedr_state_bytes b = {box, sizeof(box)};
            err = wedr_totp_seal(s, id, secret, box);
            err = err == WEDR_OK ? wedr_state_run(s->writer, NULL, c->put, "ib", id, b) : err;
            *sealed += err == WEDR_OK;
        }
        sodium_memzero(secret, sizeof(secret));
    }
    return err == WEDR_E_NOENT ? WEDR_OK : err;
}

int wedr_totp_seal_old(struct wedr_state *s, struct wedr_errinfo *ei)
{
    uint64_t sealed = 0, unreadable = 0;
    int err = wedr_state_begin(s);
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(columns); i++) {
        err = seal_column(s, &columns[i], &sealed, &unreadable);
    }
    err = wedr_state_end(s, err);
    if (err == WEDR_OK && sealed) { /* the log held them, too */
        (void)sqlite3_wal_checkpoint_v2(s->writer, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        wedr_log(INFO, "people.totp_sealed", WEDR_U64("secrets", sealed));
    }
    if (err == WEDR_OK && unreadable) {
        wedr_log(WARN, "people.totp_unreadable", WEDR_U64("secrets", unreadable),
                 WEDR_STR("why", "totp.key is not the one that they were sealed with"));
    }
    return err == WEDR_OK ? err : wedr_fail(ei, err, "state.db: second factors cannot be sealed");
}
