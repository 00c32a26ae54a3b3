/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/embedded/merge.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "ingest/merge.h"
#include "ingest/unpack.h"
#include "store/events/sql/block.h"
#include <stdio.h>
#include <string.h>

/* One merge under way. */
struct work {
    sqlite3 *db;
    struct wedr_sql counters; /* of the block reader */
    struct wedr_block first;  /* the first input: agent, stream, ... of the new block */
    struct wedr_merge *merge;
    struct wedr_buf parts;
    uint32_t batches;
    int64_t seq1;
    uint64_t bytes;
};

static int prepare(sqlite3 *db, const char *sql, int64_t a, sqlite3_stmt **ret)
{
    int rc = sqlite3_prepare_v2(db, sql, -1, ret, NULL);
    rc = rc == SQLITE_OK ? sqlite3_bind_int64(*ret, 1, a) : rc;
    return wedr_sqlite_error(db, rc);
}

/* WEDR_E_CORRUPT without a row: what asks knows that there must be one. */
static int step_row(sqlite3 *db, sqlite3_stmt *st)
{
    int rc = sqlite3_step(st);
    return rc == SQLITE_DONE ? WEDR_E_CORRUPT : wedr_sqlite_error(db, rc);
}

static int open_place(struct work *w, int64_t place, struct wedr_block *ret)
{
    sqlite3_stmt *st = NULL;
    bool tiny = place < 0;
    int err = prepare(w->db,
                      tiny ? "SELECT " WEDR_BLOCK_COLUMNS " FROM tiny WHERE id=?1"
                           : "SELECT " WEDR_BLOCK_COLUMNS " FROM blk WHERE id=?1",
                      tiny ? -place : place, &st);
    err = err == WEDR_OK ? step_row(w->db, st) : err;
    if (err == WEDR_OK) {
        wedr_block_from_row(ret, &w->counters, w->db, st, tiny);
    }
    (void)sqlite3_finalize(st);
    return err;
}

/* The digest that a frame must have: of the batch as it was received, or of what we made. */
static int frame_is_whole(sqlite3 *db, int64_t place, const void *digest, uint64_t *ret_len)
{
    sqlite3_stmt *st = NULL;
    uint8_t is[WEDR_SHA256_LEN];
    int err =
        prepare(db, place < 0 ? "SELECT z FROM tiny WHERE id=?1" : "SELECT z FROM data WHERE id=?1",
                place < 0 ? -place : place, &st);
    err = err == WEDR_OK ? step_row(db, st) : err;
    if (err == WEDR_OK) {
        size_t len = (size_t)sqlite3_column_bytes(st, 0);
        wedr_sha256(sqlite3_column_blob(st, 0), len, is);
        *ret_len += len;
        err = memcmp(is, digest, sizeof(is)) == 0 ? WEDR_OK : WEDR_E_CORRUPT;
    }
    (void)sqlite3_finalize(st);
    return err;
}

static void add_part(struct work *w, uint32_t lines, int64_t received_us)
{
    uint8_t part[WEDR_PART_LEN];
    wedr_put_le32(part, lines);
    wedr_put_le64(part + 4, (uint64_t)received_us);
    wedr_buf_add(&w->parts, part, sizeof(part));
    w->batches++;
}

/* Digest of a block that we made; *ret_made false for one as it was received. */
static int digest_of_made(sqlite3 *db, int64_t place, uint8_t *ret, bool *ret_made)
{
    sqlite3_stmt *st = NULL;
    *ret_made = false;
    if (place < 0) {
        return WEDR_OK;
    }
    int err = prepare(db,
                      "SELECT m.sha256 FROM blk k LEFT JOIN made m ON m.id=k.id WHERE k.id=?1 AND "
                      "k.flags&2",
                      place, &st);
    int rc = err == WEDR_OK ? sqlite3_step(st) : SQLITE_DONE;
    if (rc == SQLITE_ROW && sqlite3_column_bytes(st, 0) == WEDR_SHA256_LEN) {
        memcpy(ret, sqlite3_column_blob(st, 0), WEDR_SHA256_LEN);
        *ret_made = true;
    } else if (rc == SQLITE_ROW) {
        err = WEDR_E_CORRUPT;
    }
    err = err == WEDR_OK ? wedr_sqlite_error(db, rc) : err;
    (void)sqlite3_finalize(st);
    return err;
}

/* The batches of a place become parts; its frame must be what they or `made` say. */
static int check_batches(struct work *w, const struct wedr_block *b, int64_t place)
{
    sqlite3_stmt *st = NULL;
    uint8_t digest[WEDR_SHA256_LEN];
    bool made = false;
    uint64_t lines = 0;
    int rc = SQLITE_DONE, err = digest_of_made(w->db, place, digest, &made);
    if (err == WEDR_OK) {
        err = prepare(w->db,
                      "SELECT n, received_at, sha256 FROM batch WHERE block=?1 AND agent=?2 AND "
                      "epoch=?3 AND stream=?4 AND seq0 BETWEEN ?5 AND ?6 ORDER BY seq0",
                      place, &st);
    }
    if (err == WEDR_OK) {
        sqlite3_bind_text(st, 2, b->agent, -1, SQLITE_STATIC);
        sqlite3_bind_int64(st, 3, (int64_t)b->epoch);
        sqlite3_bind_text(st, 4, b->stream, -1, SQLITE_STATIC);
        sqlite3_bind_int64(st, 5, b->seq0);
        sqlite3_bind_int64(st, 6, b->seq1);
    }
    while (err == WEDR_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        int64_t n = sqlite3_column_int64(st, 0);
        lines += (uint64_t)n;
        add_part(w, (uint32_t)n, sqlite3_column_int64(st, 1));
        if (!made && sqlite3_column_bytes(st, 2) == WEDR_SHA256_LEN) {
            memcpy(digest, sqlite3_column_blob(st, 2), sizeof(digest));
        } else if (!made) {
            err = WEDR_E_CORRUPT;
        }
    }
    err = err == WEDR_OK ? wedr_sqlite_error(w->db, rc) : err;
    (void)sqlite3_finalize(st);
    if (err == WEDR_OK && lines != b->n) {
        err = WEDR_E_CORRUPT;
    }
    return err == WEDR_OK ? frame_is_whole(w->db, place, digest, &w->bytes) : err;
}

static int add_lines(struct work *w, struct wedr_block *b)
{
    int64_t seq = b->seq0 - 1;
    for (uint32_t i = 0; i < b->n; i++) {
        struct wedr_span text;
        int64_t before = seq;
        uint8_t code = 0;
        if (!wedr_block_any_seq(b, i, before, &seq) || seq <= before || seq <= w->seq1 ||
            seq > b->seq1 || !wedr_block_line(b, i, &text)) {
            return b->failed == WEDR_E_NOMEM ? b->failed : WEDR_E_CORRUPT;
        }
        bool row = wedr_block_is_row(b, i);
        if (b->failed != WEDR_OK ||
            (row && (!wedr_block_parse(b, i) || !wedr_block_code(b, i, &code)))) {
            return b->failed == WEDR_E_NOMEM ? b->failed : WEDR_E_CORRUPT;
        }
        b->info.code = row ? code : b->info.code;
        wedr_merge_add(w->merge, (uint64_t)seq, text, row ? &b->line : NULL, row ? &b->info : NULL);
    }
    w->seq1 = b->seq1;
    return WEDR_OK;
}

static bool same_origin(const struct wedr_block *a, const struct wedr_block *b)
{
    return strcmp(a->agent, b->agent) == 0 && strcmp(a->stream, b->stream) == 0 &&
           strcmp(a->hostname, b->hostname) == 0 && a->epoch == b->epoch &&
           memcmp(a->boot_id, b->boot_id, sizeof(a->boot_id)) == 0;
}

static int take_input(struct work *w, int64_t place, bool first)
{
    struct wedr_block b = {0};
    int err = open_place(w, place, &b);
    if (err == WEDR_OK && first) {
        w->first = b; /* nothing of it is open yet */
        w->seq1 = b.seq0 - 1;
        w->merge = wedr_merge_new((uint64_t)b.seq0);
        err = w->merge ? WEDR_OK : WEDR_E_NOMEM;
    }
    if (err == WEDR_OK && !same_origin(&w->first, &b)) {
        err = WEDR_E_CORRUPT;
    }
    err = err == WEDR_OK ? check_batches(w, &b, place) : err;
    err = err == WEDR_OK ? add_lines(w, &b) : err;
    wedr_block_fini(&b);
    return err;
}

static int insert_parts(struct work *w, int64_t id, const struct wedr_merged *m)
{
    static const char *const parts[4] = {
        "INSERT INTO data(id, z) VALUES(?,?)", "INSERT INTO col(id, c) VALUES(?,?)",
        "INSERT INTO filt(id, f) VALUES(?,?)", "INSERT INTO ng(id, g) VALUES(?,?)"};
    const struct wedr_sqlite_blob blobs[4] = {{m->z, m->z_len},
                                              {m->col.p, m->col.len},
                                              {m->bloom.p, m->bloom.len},
                                              {m->ngram.p, m->ngram.len}};
    uint8_t digest[WEDR_SHA256_LEN];
    int err = WEDR_OK;
    for (int i = 0; err == WEDR_OK && i < 4; i++) {
        err = wedr_sqlite_run(w->db, parts[i], "ib", id, blobs[i]);
    }
    wedr_sha256(m->z, m->z_len, digest);
    return err == WEDR_OK
               ? wedr_sqlite_run(w->db, "INSERT INTO made(id, sha256, parts) VALUES(?,?,?)", "ibb",
                                 id, (struct wedr_sqlite_blob){digest, sizeof(digest)},
                                 (struct wedr_sqlite_blob){w->parts.p, w->parts.len})
               : err;
}

static int insert_block(struct work *w, const struct wedr_merged *m, int64_t *ret_id)
{
    uint8_t mem[WEDR_COUNTS_MAX];
    const struct wedr_block *f = &w->first;
    bool some = m->lines > m->rejected;
    int err = wedr_sqlite_run(
        w->db,
        "INSERT INTO blk(agent, hostname, epoch, boot_id, stream, seq0, seq1, n, rejected, t0, t1,"
        " received_at, counts, raw_len, z_len, flags) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "ttibtiiiiiiibiii", f->agent, f->hostname, (int64_t)f->epoch,
        (struct wedr_sqlite_blob){f->boot_id, sizeof(f->boot_id)}, f->stream, f->seq0, w->seq1,
        (int64_t)m->lines, (int64_t)m->rejected, some ? m->t0 : f->received_at,
        some ? m->t1 : f->received_at, f->received_at, wedr_counts_blob(m->counts, mem),
        (int64_t)m->raw_len, (int64_t)m->z_len,
        (int64_t)(WEDR_BLK_MADE | (m->canonical ? WEDR_BLK_CANONICAL : 0)));
    *ret_id = sqlite3_last_insert_rowid(w->db);
    return err == WEDR_OK ? insert_parts(w, *ret_id, m) : err;
}

/* Everything was computed before: the lock is held for the writing alone. */
static int replace(struct work *w,
                   const int64_t *places,
                   size_t count,
                   const struct wedr_merged *m,
                   int64_t now_us)
{
    int64_t id = 0;
    int err = wedr_sqlite_exec(w->db, "BEGIN IMMEDIATE");
    if (err != WEDR_OK) {
        return err;
    }
    err = insert_block(w, m, &id);
    for (size_t i = 0; err == WEDR_OK && i < count; i++) {
        err =
            wedr_sqlite_run(w->db, "INSERT INTO dead(id, at) VALUES(?,?)", "ii", places[i], now_us);
    }
    if (err == WEDR_OK) {
        err = wedr_sqlite_run(w->db,
                              "UPDATE batch SET block=? WHERE agent=? AND epoch=? AND stream=? AND "
                              "seq0 BETWEEN ? AND ? AND block IN (SELECT id FROM dead)",
                              "ititii", id, w->first.agent, (int64_t)w->first.epoch,
                              w->first.stream, w->first.seq0, w->seq1);
    }
    if (err == WEDR_OK && sqlite3_changes(w->db) != (int)w->batches) {
        err = WEDR_E_BUG;
    }
    err = err == WEDR_OK ? wedr_sqlite_exec(w->db, "COMMIT") : err;
    if (err != WEDR_OK && !sqlite3_get_autocommit(w->db)) {
        sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return err;
}

int wedr_merge_places(sqlite3 *db,
                      const int64_t *places,
                      size_t count,
                      int level,
                      int64_t now_us,
                      struct wedr_merge_sums *sums,
                      size_t *ret_bad)
{
    struct work w = {.db = db};
    struct wedr_merged m;
    uint8_t head[WEDR_PARTS_HEAD] = {WEDR_PARTS_VERSION};
    int err = WEDR_OK;
    wedr_buf_init(&w.parts, WEDR_PARTS_HEAD + (size_t)WEDR_PART_LEN * WEDR_BATCH_LINES_MAX);
    wedr_buf_add(&w.parts, head, sizeof(head));
    for (size_t i = 0; err == WEDR_OK && i < count; i++) {
        err = take_input(&w, places[i], i == 0);
        *ret_bad = i;
    }
    err = err == WEDR_OK ? wedr_merge_finish(w.merge, level, &m) : err;
    if (err == WEDR_OK) {
        err = w.parts.overflow ? WEDR_E_NOMEM : WEDR_OK;
        if (err == WEDR_OK) {
            wedr_put_le32(w.parts.p + 4, w.batches);
            err = replace(&w, places, count, &m, now_us);
        }
        if (err == WEDR_OK) {
            sums->blocks++;
            sums->places += count;
            sums->lines += m.lines;
            sums->bytes_before += w.bytes;
            sums->bytes_after += m.z_len;
        }
        wedr_merged_fini(&m);
    }
    wedr_merge_free(w.merge);
    wedr_buf_fini(&w.parts);
    return err;
}

/* --- Packing again. */

static int store_frame(struct work *w, int64_t block, const uint8_t *z, size_t z_len)
{
    uint8_t digest[WEDR_SHA256_LEN];
    int err = wedr_sqlite_exec(w->db, "BEGIN IMMEDIATE");
    if (err != WEDR_OK) {
        return err;
    }
    wedr_sha256(z, z_len, digest);
    err = wedr_sqlite_run(w->db, "UPDATE data SET z=? WHERE id=?", "bi",
                          (struct wedr_sqlite_blob){z, z_len}, block);
    if (err == WEDR_OK) {
        err = wedr_sqlite_run(w->db, "UPDATE blk SET z_len=?, flags=flags|6 WHERE id=?", "ii",
                              (int64_t)z_len, block);
    }
    if (err == WEDR_OK) {
        err = wedr_sqlite_run(w->db, "INSERT OR REPLACE INTO made(id, sha256, parts) VALUES(?,?,?)",
                              "ibb", block, (struct wedr_sqlite_blob){digest, sizeof(digest)},
                              (struct wedr_sqlite_blob){w->parts.p, w->parts.len});
    }
    err = err == WEDR_OK ? wedr_sqlite_exec(w->db, "COMMIT") : err;
    if (err != WEDR_OK && !sqlite3_get_autocommit(w->db)) {
        sqlite3_exec(w->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return err;
}

int wedr_merge_repack(sqlite3 *db, int64_t block, int level, struct wedr_merge_sums *sums)
{
    struct work w = {.db = db};
    struct wedr_block b = {0};
    struct wedr_span line;
    uint8_t head[WEDR_PARTS_HEAD] = {WEDR_PARTS_VERSION}, *z = NULL;
    size_t z_len = 0;
    wedr_buf_init(&w.parts, WEDR_PARTS_HEAD + (size_t)WEDR_PART_LEN * WEDR_BATCH_LINES_MAX);
    wedr_buf_add(&w.parts, head, sizeof(head));
    int err = open_place(&w, block, &b);
    err = err == WEDR_OK ? check_batches(&w, &b, block) : err;
    if (err == WEDR_OK) {
        err = wedr_block_line(&b, 0, &line) ? wedr_pack(b.raw, b.raw_len, level, &z, &z_len)
                                            : WEDR_E_CORRUPT;
    }
    err = err == WEDR_OK && w.parts.overflow ? WEDR_E_NOMEM : err;
    if (err == WEDR_OK) {
        wedr_put_le32(w.parts.p + 4, w.batches);
        err = store_frame(&w, block, z, z_len);
    }
    if (err == WEDR_OK) {
        sums->bytes_before += w.bytes;
        sums->bytes_after += z_len;
    }
    wedr_free(z);
    wedr_block_fini(&b);
    wedr_buf_fini(&w.parts);
    return err;
}

/* The newest row of a table stays: its id would be given out again. */
int wedr_merge_sweep(sqlite3 *db, int64_t died_before_us, unsigned limit, unsigned *ret_swept)
{
    static const char *const steps[] = {
        "CREATE TEMP TABLE IF NOT EXISTS gone(id INTEGER PRIMARY KEY)",
        "DELETE FROM gone",
        NULL, /* what is due, below */
        "DELETE FROM tiny WHERE id IN (SELECT -id FROM gone WHERE id<0)",
        "DELETE FROM blk WHERE id IN (SELECT id FROM gone WHERE id>0)",
        "DELETE FROM data WHERE id IN (SELECT id FROM gone WHERE id>0)",
        "DELETE FROM col WHERE id IN (SELECT id FROM gone WHERE id>0)",
        "DELETE FROM filt WHERE id IN (SELECT id FROM gone WHERE id>0)",
        "DELETE FROM ng WHERE id IN (SELECT id FROM gone WHERE id>0)",
        "DELETE FROM made WHERE id IN (SELECT id FROM gone WHERE id>0)",
        "DELETE FROM dead WHERE id IN (SELECT id FROM gone)"};
    unsigned swept = 0;
    int err = wedr_sqlite_exec(db, "BEGIN IMMEDIATE");
    if (err != WEDR_OK) {
        return err;
    }
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(steps); i++) {
        if (steps[i]) {
            err = wedr_sqlite_exec(db, steps[i]);
            continue;
        }
        err = wedr_sqlite_run(db,
                              "INSERT INTO gone SELECT id FROM dead WHERE at<? AND id<coalesce(("
                              "SELECT max(id) FROM blk), 0) AND id>-coalesce((SELECT max(id) FROM "
                              "tiny), 0) LIMIT ?",
                              "ii", died_before_us, (int64_t)limit);
        swept = err == WEDR_OK ? (unsigned)sqlite3_changes(db) : 0;
    }
    err = err == WEDR_OK ? wedr_sqlite_exec(db, swept ? "COMMIT" : "ROLLBACK") : err;
    if (err != WEDR_OK && !sqlite3_get_autocommit(db)) {
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    if (err == WEDR_OK) {
        *ret_swept = swept;
    }
    return err;
}
