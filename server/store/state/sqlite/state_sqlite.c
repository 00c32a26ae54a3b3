/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/state/sqlite — state.db. Two connections: the writer under its own lock (each write
 * is one durable transaction) and a reader, so that looking an agent up never waits for somebody
 * else's fsync.
 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "store/state/sqlite/agent_cache.h"
#include "store/state/sqlite/command.h"
#include "store/state/sqlite/db.h"
#include "store/state/sqlite/detect.h"
#include "store/state/sqlite/people.h"
#include "store/state/sqlite/rules.h"
#include "store/state/sqlite/schema.h"
#include "store/state/sqlite/totp_box.h"
#include "store/state/sqlite/triage.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/time.h"
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define TOKEN_HASH_LEN WEDR_TOKEN_HASH_LEN
#define TOKEN_TEXT_MAX 256u
#define STREAMS_MAX 256u
#define STATUS_JSON_MAX 16384u

enum stmt {
    S_BEGIN,
    S_COMMIT,
    S_ROLLBACK,
    S_TOKEN_ADD,
    S_TOKEN_PURGE,
    S_TOKEN_TAKE,
    S_AGENT_PUT,
    S_RENEW,
    S_CERT_USED,
    S_HEARTBEAT,
    S_STREAM_CLEAR,
    S_STREAM_PUT,
    S_WRITER_COUNT
};

static const char *const writer_sql[S_WRITER_COUNT] = {
    [S_BEGIN] = "BEGIN IMMEDIATE",
    [S_COMMIT] = "COMMIT",
    [S_ROLLBACK] = "ROLLBACK",
    [S_TOKEN_ADD] =
        "INSERT INTO enrollment_token(hash,uses_left,expires_us,created_us) VALUES(?1,?2,?3,"
        "CAST(strftime('%s','now') AS INTEGER)*1000000)",
    [S_TOKEN_PURGE] = "DELETE FROM enrollment_token WHERE uses_left <= 0 OR expires_us <= ?1",
    [S_TOKEN_TAKE] =
        "UPDATE enrollment_token SET uses_left = uses_left - 1 WHERE hash = ?1 AND uses_left > 0 "
        "AND expires_us > ?2",
    [S_AGENT_PUT] = "INSERT INTO "
                    "agent(agent_id,hostname,os,os_version,agent_version,cert_sha256,cert_sha256_"
                    "next,sign_public,"
                    "enrolled_us,last_seen_us,revoked,status_json,endpoint_group) "
                    "SELECT ?1,?2,?3,?4,?5,?6,'',?7,?8,?9,0,'{}',endpoint_group "
                    "FROM enrollment_token WHERE hash=?10 "
                    "ON CONFLICT(agent_id) DO UPDATE SET "
                    "hostname=?2,os=?3,os_version=?4,agent_version=?5,cert_sha256=?6,"
                    "cert_sha256_next='',sign_public=?7,enrolled_us=?8,last_seen_us=?9,revoked=0,"
                    "endpoint_group=excluded.endpoint_group",
    [S_RENEW] = "UPDATE agent SET cert_sha256_next=?2 WHERE agent_id=?1 AND revoked=0",
    [S_CERT_USED] = "UPDATE agent SET cert_sha256=?2, cert_sha256_next='' WHERE agent_id=?1 AND "
                    "cert_sha256_next=?2",
    [S_HEARTBEAT] =
        "UPDATE agent SET last_seen_us=?2, agent_version=?3, status_json=?4 WHERE agent_id=?1",
    [S_STREAM_CLEAR] = "DELETE FROM agent_stream WHERE agent_id=?1",
    [S_STREAM_PUT] =
        "INSERT OR REPLACE INTO agent_stream(agent_id,epoch,stream,in_flight) VALUES(?1,?2,?3,?4)",
};

static const char get_sql[] = "SELECT "
                              "agent_id,hostname,os,os_version,agent_version,cert_sha256,cert_"
                              "sha256_next,sign_public,enrolled_us,"
                              "last_seen_us,revoked,address FROM agent WHERE agent_id=?1";

struct wedr_state_agents {
    sqlite3_stmt *w[S_WRITER_COUNT];
    sqlite3_stmt *get;
};

static int step(sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return wedr_state_error(rc);
}

/* Runs what was prepared between BEGIN IMMEDIATE and COMMIT; any error rolls everything back. */
static int finish_transaction(struct wedr_state *s, int err)
{
    if (err == WEDR_OK) {
        err = step(s->agents->w[S_COMMIT]);
    }
    if (err != WEDR_OK && !sqlite3_get_autocommit(s->writer)) {
        (void)step(s->agents->w[S_ROLLBACK]);
    }
    return err;
}

static void bind_text(sqlite3_stmt *st, int i, const char *text)
{
    (void)sqlite3_bind_text(st, i, text, -1, SQLITE_STATIC);
}

/* Detection brings processes of thousands of agents at a time, each to another page: all of them
 * fit into the cache, and one page's changes of many commits go into the file together. */
#define WRITER_ROOM "PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=16384"

static int open_db(const char *path, sqlite3 **ret, struct wedr_errinfo *ei)
{
    int rc = sqlite3_open_v2(
        path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_busy_timeout(*ret, 10000);
        rc = sqlite3_exec(
            *ret,
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
            "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON",
            NULL, NULL, NULL);
    }
    if (rc != SQLITE_OK) {
        return wedr_fail(ei, wedr_state_error(rc), "%s: %s", path,
                         *ret ? sqlite3_errmsg(*ret) : sqlite3_errstr(rc));
    }
    return WEDR_OK;
}

/* A key that lies beside the database; made when it is missing. In the folder's lock. */
static int load_key(wedr_handle dir, const char *name, uint8_t key[32])
{
    wedr_handle f = WEDR_HANDLE_NONE;
    struct wedr_fs_stat st = {0};
    size_t n = 0;
    int err = wedr_fs_open_at(dir, name, WEDR_FS_READ, 0, &f);
    if (err == WEDR_E_NOENT) {
        randombytes_buf(key, 32);
        return wedr_fs_replace_at(dir, name, key, 32, 0600);
    }
    err = err == WEDR_OK ? wedr_fs_stat(f, &st) : err;
    err = err == WEDR_OK && (!st.regular || (st.mode & 077u)) ? WEDR_E_PERM : err;
    err = err == WEDR_OK ? wedr_fs_pread(f, key, 32, 0, &n) : err;
    wedr_fs_close(f);
    return err == WEDR_OK && n != 32 ? WEDR_E_CORRUPT : err;
}

/* Another process may make the keys at the same moment: a file appears whole, and only once. */
static int load_keys(const char *data_dir, struct wedr_state *s, struct wedr_errinfo *ei)
{
    wedr_handle dir = WEDR_HANDLE_NONE, lock = WEDR_HANDLE_NONE;
    const char *name = "token.lock";
    int err = wedr_fs_open_dir(data_dir, &dir);
    if (err == WEDR_OK) {
        err =
            wedr_fs_open_at(dir, name, WEDR_FS_READ | WEDR_FS_WRITE | WEDR_FS_CREATE, 0600, &lock);
    }
    for (int i = 0; err == WEDR_OK && i < 1000; i++) {
        err = wedr_fs_lock(lock);
        if (err != WEDR_E_BUSY) {
            break;
        }
        wedr_time_sleep_ms(10);
        err = i == 999 ? WEDR_E_BUSY : WEDR_OK;
    }
    if (err == WEDR_OK) {
        name = "token.key";
        err = load_key(dir, name, s->token_key);
    }
    if (err == WEDR_OK) {
        name = "totp.key";
        err = load_key(dir, name, s->totp_key);
    }
    wedr_fs_close(lock);
    wedr_fs_close(dir);
    return err == WEDR_OK
               ? err
               : wedr_fail(ei, err, "%s/%s: %s%s", data_dir, name, wedr_err_text(err),
                           err == WEDR_E_PERM ? " (it must be a file of mode 0600)" : "");
}

static int prepare_all(struct wedr_state *s, struct wedr_errinfo *ei)
{
    for (int i = 0; i < S_WRITER_COUNT; i++) {
        if (sqlite3_prepare_v3(s->writer, writer_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &s->agents->w[i], NULL) != SQLITE_OK) {
            return wedr_fail(ei, WEDR_E_BUG, "state.db: %s", sqlite3_errmsg(s->writer));
        }
    }
    if (sqlite3_prepare_v3(s->reader, get_sql, -1, SQLITE_PREPARE_PERSISTENT, &s->agents->get,
                           NULL) != SQLITE_OK) {
        return wedr_fail(ei, WEDR_E_BUG, "state.db: %s", sqlite3_errmsg(s->reader));
    }
    return WEDR_OK;
}

static void state_close(struct wedr_state *s)
{
    if (!s) {
        return;
    }
    for (int i = 0; s->agents && i < S_WRITER_COUNT; i++) {
        (void)sqlite3_finalize(s->agents->w[i]);
    }
    if (s->agents) {
        (void)sqlite3_finalize(s->agents->get);
    }
    wedr_free(s->agents);
    wedr_agent_cache_free(s->known);
    wedr_triage_close(s->triage);
    wedr_state_counts_free(s->counts);
    (void)sqlite3_close(s->reader);
    (void)sqlite3_close(s->writer);
    wedr_mutex_free(s->write_lock);
    wedr_mutex_free(s->read_lock);
    s->magic = 0;
    wedr_free_secret(s, sizeof(*s));
}

static int state_open(const char *data_dir, struct wedr_state **ret, struct wedr_errinfo *ei)
{
    char path[1024];
    int n = snprintf(path, sizeof(path), "%s/state.db", data_dir);
    struct wedr_state *s = wedr_alloc(1, sizeof(*s));
    if (!s || n < 0 || (size_t)n >= sizeof(path) || sodium_init() < 0) {
        wedr_free(s);
        return wedr_fail(ei, s ? WEDR_E_INVAL : WEDR_E_NOMEM, "cannot open the state of %.100s",
                         data_dir);
    }
    s->magic = WEDR_STATE_MAGIC;
    s->kept[WEDR_KEPT_ALERTS] = WEDR_ALERTS_KEPT;
    s->kept[WEDR_KEPT_RESPONSES] = WEDR_RESPONSES_KEPT;
    s->kept_bytes = WEDR_ALERT_BYTES_KEPT;
    s->kept_agent_bytes = WEDR_ALERT_BYTES_AGENT_KEPT;
    s->write_lock = wedr_mutex_new();
    s->read_lock = wedr_mutex_new();
    s->agents = wedr_alloc(1, sizeof(*s->agents));
    int err =
        s->write_lock && s->read_lock && s->agents ? wedr_agent_cache_new(&s->known) : WEDR_E_NOMEM;
    if (err == WEDR_OK) {
        err = load_keys(data_dir, s, ei);
    }
    if (err == WEDR_OK) {
        err = open_db(path, &s->writer, ei);
    }
    if (err == WEDR_OK) {
        err = wedr_state_migrate(s->writer, ei);
    }
    if (err == WEDR_OK) {
        err = wedr_totp_seal_old(s, ei);
    }
    if (err == WEDR_OK) {
        (void)sqlite3_exec(s->writer, WRITER_ROOM, NULL, NULL, NULL); /* slower without it */
        err = open_db(path, &s->reader, ei);
    }
    if (err == WEDR_OK) {
        err = wedr_triage_open(path, &s->triage);
    }
    if (err == WEDR_OK) {
        err = prepare_all(s, ei);
    }
    if (err != WEDR_OK) {
        state_close(s);
        return err;
    }
    *ret = s;
    return WEDR_OK;
}

int wedr_state_token_hash(const struct wedr_state *s,
                          const char *token,
                          uint8_t ret[WEDR_TOKEN_HASH_LEN])
{
    size_t len = strlen(token);
    if (len == 0 || len > TOKEN_TEXT_MAX) {
        return WEDR_E_AUTH;
    }
    return crypto_generichash(ret, TOKEN_HASH_LEN, (const uint8_t *)token, len, s->token_key,
                              WEDR_TOKEN_KEY_LEN) == 0
               ? WEDR_OK
               : WEDR_E_BUG;
}

static int
state_token_add(struct wedr_state *s, const char *token, uint32_t uses, int64_t expires_us)
{
    uint8_t hash[TOKEN_HASH_LEN];
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    if (uses == 0 || wedr_state_token_hash(s, token, hash) != WEDR_OK) {
        return WEDR_E_INVAL;
    }
    wedr_mutex_lock(s->write_lock);
    sqlite3_stmt *st = s->agents->w[S_TOKEN_ADD];
    (void)sqlite3_bind_blob(st, 1, hash, sizeof(hash), SQLITE_STATIC);
    (void)sqlite3_bind_int64(st, 2, uses);
    (void)sqlite3_bind_int64(st, 3, expires_us);
    int err = step(st);
    wedr_mutex_unlock(s->write_lock);
    return err;
}

static int put_agent(struct wedr_state *s, const struct wedr_agent_row *a, const uint8_t *token)
{
    sqlite3_stmt *st = s->agents->w[S_AGENT_PUT];
    bind_text(st, 1, a->agent_id);
    bind_text(st, 2, a->hostname);
    bind_text(st, 3, a->os);
    bind_text(st, 4, a->os_version);
    bind_text(st, 5, a->agent_version);
    bind_text(st, 6, a->cert_sha256);
    (void)sqlite3_bind_blob(st, 7, a->sign_public, sizeof(a->sign_public), SQLITE_STATIC);
    (void)sqlite3_bind_int64(st, 8, a->enrolled_us);
    (void)sqlite3_bind_int64(st, 9, a->last_seen_us);
    (void)sqlite3_bind_blob(st, 10, token, TOKEN_HASH_LEN, SQLITE_STATIC);
    return step(st);
}

static int state_enroll(struct wedr_state *s,
                        const char *token,
                        int64_t now_us,
                        const struct wedr_agent_row *agent)
{
    uint8_t hash[TOKEN_HASH_LEN];
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_token_hash(s, token, hash);
    if (err != WEDR_OK) {
        return err;
    }
    wedr_mutex_lock(s->write_lock);
    err = step(s->agents->w[S_BEGIN]);
    if (err == WEDR_OK) {
        (void)sqlite3_bind_blob(s->agents->w[S_TOKEN_TAKE], 1, hash, sizeof(hash), SQLITE_STATIC);
        (void)sqlite3_bind_int64(s->agents->w[S_TOKEN_TAKE], 2, now_us);
        err = step(s->agents->w[S_TOKEN_TAKE]);
        if (err == WEDR_OK && sqlite3_changes(s->writer) != 1) {
            err = WEDR_E_AUTH;
        }
        if (err == WEDR_OK) {
            err = put_agent(s, agent, hash);
        }
        if (err == WEDR_OK) {
            (void)sqlite3_bind_int64(s->agents->w[S_TOKEN_PURGE], 1, now_us);
            err = step(s->agents->w[S_TOKEN_PURGE]);
        }
        err = finish_transaction(s, err);
    }
    wedr_mutex_unlock(s->write_lock);
    wedr_agent_cache_forget(s->known, agent->agent_id);
    return err;
}

/* One UPDATE that must hit a row. */
static int update_one(struct wedr_state *s, enum stmt which, const char *agent_id, const char *text)
{
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    wedr_mutex_lock(s->write_lock);
    bind_text(s->agents->w[which], 1, agent_id);
    bind_text(s->agents->w[which], 2, text);
    int err = step(s->agents->w[which]);
    if (err == WEDR_OK && sqlite3_changes(s->writer) == 0) {
        err = WEDR_E_NOENT;
    }
    wedr_mutex_unlock(s->write_lock);
    wedr_agent_cache_forget(s->known, agent_id);
    return err;
}

static int state_renew(struct wedr_state *s, const char *agent_id, const char *cert_sha256_next)
{
    return update_one(s, S_RENEW, agent_id, cert_sha256_next);
}

static int state_cert_used(struct wedr_state *s, const char *agent_id, const char *cert_sha256)
{
    return update_one(s, S_CERT_USED, agent_id, cert_sha256);
}

static int read_agent(sqlite3_stmt *st, struct wedr_agent_row *ret)
{
    struct wedr_agent_row a;
    memset(&a, 0, sizeof(a));
    wedr_state_text(st, 0, a.agent_id, sizeof(a.agent_id));
    wedr_state_text(st, 1, a.hostname, sizeof(a.hostname));
    wedr_state_text(st, 2, a.os, sizeof(a.os));
    wedr_state_text(st, 3, a.os_version, sizeof(a.os_version));
    wedr_state_text(st, 4, a.agent_version, sizeof(a.agent_version));
    wedr_state_text(st, 5, a.cert_sha256, sizeof(a.cert_sha256));
    wedr_state_text(st, 6, a.cert_sha256_next, sizeof(a.cert_sha256_next));
    const void *key = sqlite3_column_blob(st, 7);
    if (!key || sqlite3_column_bytes(st, 7) != (int)sizeof(a.sign_public)) {
        return WEDR_E_CORRUPT;
    }
    memcpy(a.sign_public, key, sizeof(a.sign_public));
    a.enrolled_us = sqlite3_column_int64(st, 8);
    a.last_seen_us = sqlite3_column_int64(st, 9);
    a.revoked = sqlite3_column_int(st, 10) != 0;
    wedr_state_text(st, 11, a.address, sizeof(a.address));
    *ret = a;
    return WEDR_OK;
}

static int state_agent_get(struct wedr_state *s, const char *agent_id, struct wedr_agent_row *ret)
{
    uint64_t seen = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    if (wedr_agent_cache_get(s->known, agent_id, ret, &seen)) {
        return WEDR_OK;
    }
    wedr_mutex_lock(s->read_lock);
    bind_text(s->agents->get, 1, agent_id);
    int rc = sqlite3_step(s->agents->get);
    int err = rc == SQLITE_ROW    ? read_agent(s->agents->get, ret)
              : rc == SQLITE_DONE ? WEDR_E_NOENT
                                  : wedr_state_error(rc);
    sqlite3_reset(s->agents->get);
    sqlite3_clear_bindings(s->agents->get);
    wedr_mutex_unlock(s->read_lock);
    if (err == WEDR_OK) {
        wedr_agent_cache_put(s->known, ret, seen);
    }
    return err;
}

static int put_streams(struct wedr_state *s,
                       const char *agent_id,
                       const struct wedr_agent_stream_row *streams,
                       size_t count)
{
    bind_text(s->agents->w[S_STREAM_CLEAR], 1, agent_id);
    int err = step(s->agents->w[S_STREAM_CLEAR]);
    for (size_t i = 0; i < count && err == WEDR_OK; i++) {
        char epoch[17];
        (void)snprintf(epoch, sizeof(epoch), "%016" PRIx64, streams[i].epoch);
        sqlite3_stmt *st = s->agents->w[S_STREAM_PUT];
        bind_text(st, 1, agent_id);
        bind_text(st, 2, epoch);
        bind_text(st, 3, streams[i].stream);
        (void)sqlite3_bind_int64(st, 4, (sqlite3_int64)streams[i].in_flight);
        err = step(st);
    }
    return err;
}

static int state_heartbeat(struct wedr_state *s,
                           const char *agent_id,
                           int64_t now_us,
                           const char *agent_version,
                           const char *status_json,
                           const struct wedr_agent_stream_row *streams,
                           size_t count)
{
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    if (count > STREAMS_MAX || strlen(status_json) > STATUS_JSON_MAX) {
        return WEDR_E_LIMIT;
    }
    wedr_mutex_lock(s->write_lock);
    int err = step(s->agents->w[S_BEGIN]);
    if (err == WEDR_OK) {
        sqlite3_stmt *st = s->agents->w[S_HEARTBEAT];
        bind_text(st, 1, agent_id);
        (void)sqlite3_bind_int64(st, 2, now_us);
        bind_text(st, 3, agent_version);
        bind_text(st, 4, status_json);
        err = step(st);
        if (err == WEDR_OK && sqlite3_changes(s->writer) != 1) {
            err = WEDR_E_NOENT;
        }
        if (err == WEDR_OK) {
            err = put_streams(s, agent_id, streams, count);
        }
        err = finish_transaction(s, err);
    }
    wedr_mutex_unlock(s->write_lock);
    wedr_agent_cache_forget(s->known, agent_id);
    return err;
}

const struct wedr_state_ops wedr_state_sqlite = {
    .name = "sqlite",
    .rules = &wedr_state_rules_sqlite,
    .detect = &wedr_state_detect_sqlite,
    .people = &wedr_state_people_sqlite,
    .triage = &wedr_state_triage_sqlite,
    .command = &wedr_state_command_sqlite,
    .open = state_open,
    .close = state_close,
    .token_add = state_token_add,
    .enroll = state_enroll,
    .agent_renew = state_renew,
    .agent_cert_used = state_cert_used,
    .agent_get = state_agent_get,
    .heartbeat = state_heartbeat,
};
