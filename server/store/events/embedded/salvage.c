/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/embedded/salvage.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "ingest/prepared.h"
#include "store/events/embedded/keep.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define IN_ONE_COMMIT 64u

/* Columns of BATCH. */
enum {
    B_AGENT,
    B_EPOCH,
    B_STREAM,
    B_SEQ0,
    B_SEQ1,
    B_SHA,
    B_N,
    B_REJECTED,
    B_BITMAP,
    B_PRODUCED,
    B_LOST_RING,
    B_BOOT,
    B_RECEIVED,
    B_BLOCK,
    B_HOSTNAME,
    B_T_LAST,
    B_ARRIVAL,
    B_COUNT
};
#define BATCH                                                                                \
    "SELECT agent, epoch, stream, seq0, seq1, sha256, n, rejected, bitmap, produced, "       \
    "lost_ring, boot_id, received_at, block, hostname, t_last, arrival FROM batch ORDER BY " \
    "agent %s, epoch %s, stream %s, seq0 %s"

static int row_by_id(sqlite3 *db, const char *sql, int64_t id, sqlite3_stmt **ret)
{
    int rc = sqlite3_prepare_v2(db, sql, -1, ret, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(*ret, 1, id);
        rc = sqlite3_step(*ret);
    }
    return rc == SQLITE_DONE ? WEDR_E_CORRUPT : wedr_sqlite_error(db, rc);
}

/* Copies the one row of `select` at id into `insert`, whose first value is new_id (0: NULL). */
static int
copy_row(struct wedr_salvage *w, const char *select, int64_t id, const char *insert, int64_t new_id)
{
    sqlite3_stmt *in = NULL, *out = NULL;
    int err = row_by_id(w->from, select, id, &in);
    if (err == WEDR_OK) {
        err = wedr_sqlite_error(w->to, sqlite3_prepare_v2(w->to, insert, -1, &out, NULL));
    }
    if (err == WEDR_OK) {
        if (new_id) {
            sqlite3_bind_int64(out, 1, new_id);
        }
        for (int i = 0; i < sqlite3_column_count(in); i++) {
            sqlite3_bind_value(out, i + 2, sqlite3_column_value(in, i));
        }
        err = wedr_sqlite_error(w->to, sqlite3_step(out));
    }
    (void)sqlite3_finalize(in);
    (void)sqlite3_finalize(out);
    return err;
}

/* The frame of a place against a digest. */
static int
frame_is_right(struct wedr_salvage *w, const char *sql, int64_t id, const void *digest, int len)
{
    sqlite3_stmt *st = NULL;
    uint8_t is[WEDR_SHA256_LEN];
    int err = row_by_id(w->from, sql, id, &st);
    if (err == WEDR_OK) {
        wedr_sha256(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0), is);
        err = len == WEDR_SHA256_LEN && memcmp(is, digest, sizeof(is)) == 0 ? WEDR_OK
                                                                            : WEDR_E_CORRUPT;
    }
    (void)sqlite3_finalize(st);
    return err;
}

#define BLK_ALL                                                                               \
    "agent, hostname, epoch, boot_id, stream, seq0, seq1, n, rejected, t0, t1, received_at, " \
    "counts, raw_len, z_len, flags"
#define TINY_ALL                                                                              \
    "agent, hostname, epoch, boot_id, stream, seq0, seq1, n, rejected, t0, t1, received_at, " \
    "counts, raw_len, bitmap, z"

int wedr_salvage_block(struct wedr_salvage *w, int64_t id, bool made, int64_t *ret_new)
{
    static const char *const parts[][2] = {
        {"SELECT z FROM data WHERE id=?1", "INSERT INTO data(id, z) VALUES(?,?)"},
        {"SELECT c FROM col WHERE id=?1", "INSERT INTO col(id, c) VALUES(?,?)"},
        {"SELECT f FROM filt WHERE id=?1", "INSERT INTO filt(id, f) VALUES(?,?)"},
        {"SELECT g FROM ng WHERE id=?1", "INSERT INTO ng(id, g) VALUES(?,?)"},
        {"SELECT sha256, parts FROM made WHERE id=?1",
         "INSERT INTO made(id, sha256, parts) VALUES(?,?,?)"}};
    int err =
        copy_row(w, "SELECT " BLK_ALL " FROM blk WHERE id=?1", id,
                 "INSERT INTO blk(id, " BLK_ALL ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", 0);
    int64_t new_id = sqlite3_last_insert_rowid(w->to);
    for (size_t i = 0; err == WEDR_OK && i < (made ? 5u : 4u); i++) {
        err = copy_row(w, parts[i][0], id, parts[i][1], new_id);
    }
    if (err == WEDR_OK) {
        *ret_new = new_id;
    }
    return err;
}

int wedr_salvage_moved(struct wedr_salvage *w, int64_t id, int64_t *ret_new)
{
    char sql[96];
    (void)snprintf(sql, sizeof(sql), "SELECT new FROM temp.moved WHERE old=%lld", (long long)id);
    return wedr_sqlite_int(w->to, sql, ret_new);
}

/* A block that holds several batches is copied once. */
static int moved_block(struct wedr_salvage *w, int64_t id, bool made, int64_t *ret_new)
{
    int err = wedr_salvage_moved(w, id, ret_new);
    if (err == WEDR_OK) {
        return *ret_new ? WEDR_OK : WEDR_E_CORRUPT;
    }
    if (err == WEDR_E_NOENT) {
        err = wedr_sqlite_exec(w->to, "SAVEPOINT parts");
        err = err == WEDR_OK ? wedr_salvage_block(w, id, made, ret_new) : err;
        if (wedr_salvage_is_damage(err) && made) {
            err = wedr_sqlite_exec(w->to, "ROLLBACK TO parts");
            err = err == WEDR_OK ? wedr_salvage_remake(w, id, ret_new) : err;
        }
    }
    return err == WEDR_OK
               ? wedr_sqlite_run(w->to, "INSERT INTO temp.moved VALUES(?,?)", "ii", id, *ret_new)
               : err;
}

static int copy_place(struct wedr_salvage *w, sqlite3_stmt *b, int64_t *ret_new)
{
    sqlite3_stmt *st = NULL;
    int64_t place = sqlite3_column_int64(b, B_BLOCK);
    const void *sha = sqlite3_column_blob(b, B_SHA);
    int len = sqlite3_column_bytes(b, B_SHA);
    if (place < 0) {
        int err = frame_is_right(w, "SELECT z FROM tiny WHERE id=?1", -place, sha, len);
        err = err == WEDR_OK ? copy_row(w, "SELECT " TINY_ALL " FROM tiny WHERE id=?1", -place,
                                        "INSERT INTO tiny(id, " TINY_ALL
                                        ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                                        0)
                             : err;
        *ret_new = -sqlite3_last_insert_rowid(w->to);
        return err;
    }
    int err = row_by_id(w->from, "SELECT flags FROM blk WHERE id=?1", place, &st);
    bool made = err == WEDR_OK && (sqlite3_column_int64(st, 0) & WEDR_BLK_MADE) != 0;
    (void)sqlite3_finalize(st);
    if (err == WEDR_OK && made) {
        st = NULL;
        err = row_by_id(w->from, "SELECT sha256 FROM made WHERE id=?1", place, &st);
        err = err == WEDR_OK
                  ? frame_is_right(w, "SELECT z FROM data WHERE id=?1", place,
                                   sqlite3_column_blob(st, 0), sqlite3_column_bytes(st, 0))
                  : err;
        (void)sqlite3_finalize(st);
    } else if (err == WEDR_OK) {
        err = frame_is_right(w, "SELECT z FROM data WHERE id=?1", place, sha, len);
    }
    return err == WEDR_OK ? moved_block(w, place, made, ret_new) : err;
}

static int insert_batch(struct wedr_salvage *w, sqlite3_stmt *b, int64_t block)
{
    sqlite3_stmt *out = NULL;
    int err = wedr_sqlite_error(
        w->to, sqlite3_prepare_v2(w->to,
                                  "INSERT INTO batch(agent, epoch, stream, seq0, seq1, sha256, n, "
                                  "rejected, bitmap, produced, lost_ring, boot_id, received_at, "
                                  "block, hostname, t_last, arrival) "
                                  "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                                  -1, &out, NULL));
    for (int i = 0; err == WEDR_OK && i < B_COUNT; i++) {
        if (i == B_BLOCK) {
            sqlite3_bind_int64(out, i + 1, block);
        } else {
            sqlite3_bind_value(out, i + 1, sqlite3_column_value(b, i));
        }
    }
    err = err == WEDR_OK ? wedr_sqlite_error(w->to, sqlite3_step(out)) : err;
    (void)sqlite3_finalize(out);
    return err;
}

/* Known by its row, but nobody can read it: its place answers a retry, its lines are lost. */
static int quarantine(struct wedr_salvage *w, sqlite3_stmt *b)
{
    int64_t lost = sqlite3_column_int64(b, B_N) - sqlite3_column_int64(b, B_REJECTED);
    w->sums.lost_batches++;
    w->sums.lost_lines += (uint64_t)(lost > 0 ? lost : 0);
    int err = insert_batch(w, b, 0);
    return err == WEDR_OK
               ? wedr_sqlite_run(w->to, "INSERT OR REPLACE INTO damage VALUES(?,?,?,?,?,?,?)",
                                 "titiiii", (const char *)sqlite3_column_text(b, B_AGENT),
                                 sqlite3_column_int64(b, B_EPOCH),
                                 (const char *)sqlite3_column_text(b, B_STREAM),
                                 sqlite3_column_int64(b, B_SEQ0), sqlite3_column_int64(b, B_SEQ1),
                                 lost, wedr_time_utc_us())
               : err;
}

int wedr_salvage_note_stream(struct wedr_salvage *w,
                             const char *agent,
                             int64_t epoch,
                             const char *stream,
                             const int64_t seqs[2],
                             const int64_t times[2])
{
    return wedr_sqlite_run(
        w->to,
        "INSERT INTO stream VALUES(?,?,?,?,?,?,?) ON CONFLICT(agent, epoch, stream) DO UPDATE SET "
        "seq_min=min(seq_min, excluded.seq_min), seq_max=max(seq_max, excluded.seq_max), "
        "t0=min(t0, excluded.t0), t1=max(t1, excluded.t1)",
        "titiiii", agent, epoch, stream, seqs[0], seqs[1], times[0], times[1]);
}

static int note_stream(struct wedr_salvage *w, sqlite3_stmt *b)
{
    int64_t t = sqlite3_column_int64(b, B_T_LAST);
    return wedr_salvage_note_stream(
        w, (const char *)sqlite3_column_text(b, B_AGENT), sqlite3_column_int64(b, B_EPOCH),
        (const char *)sqlite3_column_text(b, B_STREAM),
        (const int64_t[2]){sqlite3_column_int64(b, B_SEQ0), sqlite3_column_int64(b, B_SEQ1)},
        (const int64_t[2]){t, t});
}

static bool row_makes_sense(sqlite3_stmt *b)
{
    int64_t n = sqlite3_column_int64(b, B_N), rejected = sqlite3_column_int64(b, B_REJECTED);
    int64_t seq0 = sqlite3_column_int64(b, B_SEQ0), seq1 = sqlite3_column_int64(b, B_SEQ1);
    return sqlite3_column_type(b, B_AGENT) == SQLITE_TEXT &&
           sqlite3_column_type(b, B_STREAM) == SQLITE_TEXT && n > 0 && n <= WEDR_BATCH_LINES_MAX &&
           rejected >= 0 && rejected <= n && seq0 > 0 && seq1 - seq0 >= n - 1;
}

static int commit(struct wedr_salvage *w)
{
    int err = w->open ? wedr_sqlite_exec(w->to, "COMMIT") : WEDR_OK;
    w->open = 0;
    return err;
}

int wedr_salvage_remove_place(struct wedr_salvage *w, int64_t place)
{
    static const char *const tables[] = {"blk", "data", "col", "filt", "ng"};
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(tables); i++) {
        char sql[64];
        (void)snprintf(sql, sizeof(sql), "DELETE FROM %s WHERE id=?", tables[i]);
        err = wedr_sqlite_run(w->to, sql, "i", place);
    }
    return err == WEDR_OK ? wedr_sqlite_run(w->to, "DELETE FROM tiny WHERE id=?", "i", -place)
                          : err;
}

/* Deletes a batch that came once more meanwhile, with the place that is its alone. */
static int remove_copy(struct wedr_salvage *w, sqlite3_stmt *b, int64_t place)
{
    int err = wedr_salvage_remove_place(w, place);
    return err == WEDR_OK
               ? wedr_sqlite_run(w->to,
                                 "DELETE FROM batch WHERE agent=? AND epoch=? AND stream=? AND "
                                 "seq0=?",
                                 "titi", (const char *)sqlite3_column_text(b, B_AGENT),
                                 sqlite3_column_int64(b, B_EPOCH),
                                 (const char *)sqlite3_column_text(b, B_STREAM),
                                 sqlite3_column_int64(b, B_SEQ0))
               : err;
}

static bool is_made(sqlite3 *db, int64_t place)
{
    char sql[64];
    int64_t flags = 0;
    (void)snprintf(sql, sizeof(sql), "SELECT flags FROM blk WHERE id=%lld", (long long)place);
    return place > 0 && wedr_sqlite_int(db, sql, &flags) == WEDR_OK && (flags & WEDR_BLK_MADE) != 0;
}

/* *ret: something that overlaps is there and stays. The same batch once more makes room when its
 * lines are also in a merged block, which cannot be saved without them. */
static int is_there(struct wedr_salvage *w, sqlite3_stmt *b, bool *ret, bool *ret_removed)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(w->to,
                                "SELECT seq0, seq1, sha256, block FROM batch WHERE agent=?1 AND "
                                "epoch=?2 AND stream=?3 AND seq0<=?5 AND seq1>=?4 LIMIT 1",
                                -1, &st, NULL);
    for (int i = 0; rc == SQLITE_OK && i <= B_SEQ1; i++) {
        rc = sqlite3_bind_value(st, i + 1, sqlite3_column_value(b, i));
    }
    rc = rc == SQLITE_OK ? sqlite3_step(st) : rc;
    bool there = rc == SQLITE_ROW, same = false;
    int64_t place = there ? sqlite3_column_int64(st, 3) : 0;
    if (there) {
        int len = sqlite3_column_bytes(st, 2);
        same = sqlite3_column_int64(st, 0) == sqlite3_column_int64(b, B_SEQ0) &&
               sqlite3_column_int64(st, 1) == sqlite3_column_int64(b, B_SEQ1) &&
               len == WEDR_SHA256_LEN && len == sqlite3_column_bytes(b, B_SHA) &&
               memcmp(sqlite3_column_blob(st, 2), sqlite3_column_blob(b, B_SHA), (size_t)len) == 0;
    }
    int err = wedr_sqlite_error(w->to, rc);
    (void)sqlite3_finalize(st);
    if (err == WEDR_OK && same && place != 0 && !is_made(w->to, place) &&
        is_made(w->from, sqlite3_column_int64(b, B_BLOCK))) {
        there = false;
        *ret_removed = true;
        err = remove_copy(w, b, place);
    }
    *ret = there;
    return err;
}

/* The lines are whole and what stands beside them is not: as if the batch came again. *ret_whole
 * false: they are not either. */
static int take_again(struct wedr_salvage *w, sqlite3_stmt *b, bool *ret_whole)
{
    struct wedr_ingest_batch in = {.agent_id = (const char *)sqlite3_column_text(b, B_AGENT),
                                   .hostname = (const char *)sqlite3_column_text(b, B_HOSTNAME),
                                   .received_us = sqlite3_column_int64(b, B_RECEIVED)};
    const char *stream = (const char *)sqlite3_column_text(b, B_STREAM);
    struct wedr_prepared *p = NULL;
    sqlite3_stmt *st = NULL;
    *ret_whole = false;
    if (sqlite3_column_int64(b, B_BLOCK) <= 0 || !in.hostname ||
        strlen(stream) >= sizeof(in.id.stream) ||
        sqlite3_column_bytes(b, B_SHA) != WEDR_SHA256_LEN ||
        sqlite3_column_bytes(b, B_BOOT) != (int)sizeof(in.id.boot_id) ||
        row_by_id(w->from, "SELECT z FROM data WHERE id=?1", sqlite3_column_int64(b, B_BLOCK),
                  &st) != WEDR_OK) {
        (void)sqlite3_finalize(st);
        return WEDR_OK;
    }
    in.z = sqlite3_column_blob(st, 0);
    in.z_len = (size_t)sqlite3_column_bytes(st, 0);
    memcpy(in.id.stream, stream, strlen(stream));
    memcpy(in.id.boot_id, sqlite3_column_blob(b, B_BOOT), sizeof(in.id.boot_id));
    memcpy(in.id.sha256, sqlite3_column_blob(b, B_SHA), sizeof(in.id.sha256));
    in.id.epoch = (uint64_t)sqlite3_column_int64(b, B_EPOCH);
    in.id.first_seq = (uint64_t)sqlite3_column_int64(b, B_SEQ0);
    in.id.last_seq = (uint64_t)sqlite3_column_int64(b, B_SEQ1);
    in.id.produced = (uint64_t)sqlite3_column_int64(b, B_PRODUCED);
    in.id.lost = (uint64_t)sqlite3_column_int64(b, B_LOST_RING);
    in.id.count = (uint32_t)sqlite3_column_int64(b, B_N);
    int err = wedr_ingest_prepare(&in, &p, NULL);
    *ret_whole = err == WEDR_OK && p->rejected == (uint32_t)sqlite3_column_int64(b, B_REJECTED);
    err = *ret_whole
              ? wedr_block_insert(w->to, p, sqlite3_column_int64(b, B_ARRIVAL) / WEDR_ARRIVAL_STEP)
          : err == WEDR_E_NOMEM ? err
                                : WEDR_OK;
    wedr_prepared_free(p);
    (void)sqlite3_finalize(st);
    return err;
}

static int save_batch(struct wedr_salvage *w, sqlite3_stmt *b)
{
    bool there = false, removed = false;
    int64_t block = 0;
    if (!row_makes_sense(b)) {
        w->sums.index_damaged = true;
        return WEDR_OK;
    }
    int err = w->open ? WEDR_OK : wedr_sqlite_exec(w->to, "BEGIN IMMEDIATE");
    w->open += err == WEDR_OK;
    err = err == WEDR_OK ? wedr_sqlite_exec(w->to, "SAVEPOINT one") : err;
    err = err == WEDR_OK ? is_there(w, b, &there, &removed) : err;
    if (err == WEDR_OK && !there) {
        bool whole = true;
        int copied = copy_place(w, b, &block);
        err = copied == WEDR_OK                ? insert_batch(w, b, block)
              : wedr_salvage_is_damage(copied) ? wedr_sqlite_exec(w->to, "ROLLBACK TO one")
                                               : copied;
        if (err == WEDR_OK && copied != WEDR_OK) {
            err = take_again(w, b, &whole);
        }
        if (err == WEDR_OK && whole) {
            w->sums.batches++;
            w->sums.lines += (uint64_t)sqlite3_column_int64(b, B_N);
        } else if (err == WEDR_OK && !removed) {
            err = quarantine(w, b);
        }
        err = err == WEDR_OK ? note_stream(w, b) : err;
    }
    err = err == WEDR_OK ? wedr_sqlite_exec(w->to, "RELEASE one") : err;
    return err == WEDR_OK && w->open >= IN_ONE_COMMIT ? commit(w) : err;
}

/* From one end until the end or a page that cannot be read. */
static int save_from(struct wedr_salvage *w, const char *direction, bool *ret_whole)
{
    sqlite3_stmt *st = NULL;
    char sql[512];
    int rc = SQLITE_DONE;
    (void)snprintf(sql, sizeof(sql), BATCH, direction, direction, direction, direction);
    int err = wedr_sqlite_error(w->from, sqlite3_prepare_v2(w->from, sql, -1, &st, NULL));
    while (err == WEDR_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        err = save_batch(w, st);
    }
    if (err == WEDR_OK) {
        *ret_whole = rc == SQLITE_DONE;
        err = rc == SQLITE_DONE || wedr_salvage_is_damage(wedr_sqlite_error(w->from, rc))
                  ? WEDR_OK
                  : wedr_sqlite_error(w->from, rc);
    }
    (void)sqlite3_finalize(st);
    return wedr_salvage_is_damage(err) && !*ret_whole ? WEDR_OK : err;
}

/* Facts of the ledger: what can be read from either end. */
static int save_facts(struct wedr_salvage *w)
{
    static const char *const tables[][2] = {
        {"loss", "INSERT OR IGNORE INTO loss VALUES(?,?,?,?,?,?,?,?,?,?,?)"},
        {"epoch_start", "INSERT OR IGNORE INTO epoch_start VALUES(?,?,?,?,?,?,?,?,?)"},
        {"epoch_end", "INSERT OR IGNORE INTO epoch_end VALUES(?,?,?,?,?,?,?,?)"},
        {"gap", "INSERT OR IGNORE INTO gap VALUES(?,?,?,?,?,?,?,?)"},
        {"tamper", "INSERT OR IGNORE INTO tamper VALUES(?,?,?,?,?,?,?,?)"},
        {"damage", "INSERT OR IGNORE INTO damage VALUES(?,?,?,?,?,?,?)"}};
    int err = wedr_sqlite_exec(w->to, "BEGIN IMMEDIATE");
    w->open = err == WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < 2 * WEDR_ARRAY_COUNT(tables); i++) {
        const char *const *t = tables[i / 2];
        char sql[128];
        if (w->head_lost && strcmp(t[0], "damage") == 0) {
            continue;
        }
        /* The second time from the end: by descending primary key, 1 and 2 are its first columns.
         */
        (void)snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY 1 %s, 2 %s", t[0],
                       i % 2 ? "DESC" : "ASC", i % 2 ? "DESC" : "ASC");
        err = wedr_sqlite_copy(w->from, sql, w->to, t[1]);
        if (wedr_salvage_is_damage(err)) {
            w->sums.index_damaged = true;
            err = WEDR_OK;
        }
    }
    return err;
}

/* The writer learns which ranges the file holds; a retry then finds them. */
static int tell_writer(struct wedr_salvage *w)
{
    char sql[256];
    wedr_mutex_lock(w->s->lock);
    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO held(agent, epoch, stream, seq_min, seq_max, day) "
                   "VALUES(?,?,?,?,?,%d) ON CONFLICT DO UPDATE SET seq_min=min(seq_min, "
                   "excluded.seq_min), seq_max=max(seq_max, excluded.seq_max)",
                   w->day);
    int err = wedr_sqlite_copy(w->to, "SELECT agent, epoch, stream, seq_min, seq_max FROM stream",
                               w->s->mem, sql);
    w->s->stats.salvaged_batches += w->sums.batches;
    w->s->stats.lost_lines += w->sums.lost_lines;
    wedr_mutex_unlock(w->s->lock);
    return err;
}

int wedr_salvage_all(struct wedr_salvage *w)
{
    bool whole = false, back = false;
    int err =
        wedr_sqlite_exec(w->to, "CREATE TEMP TABLE moved(old INTEGER PRIMARY KEY, new INTEGER)");
    err = err == WEDR_OK ? save_facts(w) : err;
    err = err == WEDR_OK ? save_from(w, "ASC", &whole) : err;
    if (err == WEDR_OK && !whole) {
        w->sums.index_damaged = true;
        err = save_from(w, "DESC", &back);
        err = err == WEDR_OK ? commit(w) : err;
        err = err == WEDR_OK ? wedr_salvage_nameless(w) : err;
    }
    if (err == WEDR_OK) {
        err = wedr_sqlite_exec(w->to, "UPDATE meta SET value=max(value, (SELECT coalesce(max("
                                      "arrival), 0) / 65536 FROM batch)) WHERE key='arrival'");
    }
    err = err == WEDR_OK ? commit(w) : err;
    if (err != WEDR_OK && !sqlite3_get_autocommit(w->to)) {
        sqlite3_exec(w->to, "ROLLBACK", NULL, NULL, NULL);
    }
    return err == WEDR_OK ? tell_writer(w) : err;
}
