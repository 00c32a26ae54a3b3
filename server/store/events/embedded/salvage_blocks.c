/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/sha256.h"
#include "ingest/prepared.h"
#include "store/events/embedded/recent.h"
#include "store/events/embedded/salvage.h"
#include "store/events/sql/block.h"
#include <stdio.h>
#include <string.h>

/* Looked for when the table does not say how many it had. */
#define IDS_WITHOUT_COUNT 1000000
#define IDS_A_PAGE 128    /* there is no smaller row */
#define MISSES_MAX 100000 /* behind the last row that was found */

/* Numbers of arrival are given out by the writer. The batches were seen when they first came. */
static int64_t next_arrival(struct wedr_events *s)
{
    wedr_mutex_lock(s->lock);
    int64_t n = ++s->arrival;
    wedr_recent_note(s->recent, n);
    wedr_mutex_unlock(s->lock);
    return n;
}

static void bind_range(sqlite3_stmt *st, const struct wedr_block *b, int64_t first, int64_t last)
{
    sqlite3_bind_text(st, 1, b->agent, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, (int64_t)b->epoch);
    sqlite3_bind_text(st, 3, b->stream, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 4, first);
    sqlite3_bind_int64(st, 5, last);
}

static int
overlaps(struct wedr_salvage *w, const struct wedr_block *b, int64_t first, int64_t last, bool *ret)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(w->to,
                                "SELECT 1 FROM batch WHERE agent=?1 AND epoch=?2 AND stream=?3 AND "
                                "seq0<=?5 AND seq1>=?4 LIMIT 1",
                                -1, &st, NULL);
    if (rc == SQLITE_OK) {
        bind_range(st, b, first, last);
        rc = sqlite3_step(st);
    }
    *ret = rc == SQLITE_ROW;
    int err = wedr_sqlite_error(w->to, rc);
    (void)sqlite3_finalize(st);
    return err;
}

/* WEDR_E_CORRUPT without a row. */
static int row_of(sqlite3 *db, const char *sql, int64_t id, sqlite3_stmt **ret)
{
    int rc = sqlite3_prepare_v2(db, sql, -1, ret, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(*ret, 1, id);
        rc = sqlite3_step(*ret);
    }
    return rc == SQLITE_DONE ? WEDR_E_CORRUPT : wedr_sqlite_error(db, rc);
}

/* As if it came again, from the agent that the block names. */
static int take_again(struct wedr_salvage *w, const struct wedr_block *b)
{
    struct wedr_ingest_batch in = {
        .agent_id = b->agent, .hostname = b->hostname, .received_us = b->received_at};
    struct wedr_prepared *p = NULL;
    sqlite3_stmt *st = NULL;
    int err = row_of(w->from,
                     b->tiny ? "SELECT z FROM tiny WHERE id=?1" : "SELECT z FROM data WHERE id=?1",
                     b->id, &st);
    if (err == WEDR_OK && strlen(b->stream) >= sizeof(in.id.stream)) {
        err = WEDR_E_CORRUPT;
    }
    if (err == WEDR_OK) {
        in.z = sqlite3_column_blob(st, 0);
        in.z_len = (size_t)sqlite3_column_bytes(st, 0);
        memcpy(in.id.stream, b->stream, strlen(b->stream));
        memcpy(in.id.boot_id, b->boot_id, sizeof(in.id.boot_id));
        in.id.epoch = b->epoch;
        in.id.first_seq = (uint64_t)b->seq0;
        in.id.last_seq = in.id.produced = (uint64_t)b->seq1;
        in.id.count = b->n;
        wedr_sha256(in.z, in.z_len, in.id.sha256);
        err = wedr_ingest_prepare(&in, &p, NULL);
    }
    if (err == WEDR_OK && p->rejected != b->rejected) {
        err = WEDR_E_CORRUPT;
    }
    err = err == WEDR_OK ? wedr_block_insert(w->to, p, next_arrival(w->s)) : err;
    wedr_prepared_free(p);
    (void)sqlite3_finalize(st);
    return err;
}

/* A part of the merged block at `place` that came once more meanwhile: it need not stay twice. */
static int take_over(
    struct wedr_salvage *w, const struct wedr_block *b, int64_t first, int64_t last, int64_t place)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(
        w->to,
        "SELECT block FROM batch WHERE agent=?1 AND epoch=?2 AND stream=?3 AND seq0=?4 AND "
        "seq1=?5 AND block NOT IN (0, ?6) AND NOT EXISTS(SELECT 1 FROM blk WHERE blk.id="
        "batch.block AND blk.flags&?7)",
        -1, &st, NULL);
    if (rc == SQLITE_OK) {
        bind_range(st, b, first, last);
        sqlite3_bind_int64(st, 6, place);
        sqlite3_bind_int64(st, 7, WEDR_BLK_MADE);
        rc = sqlite3_step(st);
    }
    int64_t other = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    int err = wedr_sqlite_error(w->to, rc);
    (void)sqlite3_finalize(st);
    err = err == WEDR_OK && other ? wedr_salvage_remove_place(w, other) : err;
    return err == WEDR_OK && other
               ? wedr_sqlite_run(w->to, "UPDATE batch SET block=? WHERE block=?", "ii", place,
                                 other)
               : err;
}

static int insert_part(struct wedr_salvage *w,
                       struct wedr_block *b,
                       int64_t place,
                       uint32_t row,
                       uint32_t lines,
                       int64_t received_us)
{
    int64_t first = 0, last = 0, rejected = 0, t_last = received_us;
    bool there = false;
    if (lines == 0 || lines > b->n - row || !wedr_block_seq(b, row, &first) ||
        !wedr_block_seq(b, row + lines - 1, &last)) {
        return WEDR_E_CORRUPT;
    }
    for (uint32_t i = row; i < row + lines; i++) {
        bool is_row = wedr_block_is_row(b, i);
        rejected += !is_row;
        if (b->failed != WEDR_OK || (is_row && !wedr_block_ts(b, i, &t_last))) {
            return WEDR_E_CORRUPT;
        }
    }
    int err = overlaps(w, b, first, last, &there);
    if (err != WEDR_OK || there) {
        return err == WEDR_OK ? take_over(w, b, first, last, place) : err;
    }
    w->sums.batches++;
    w->sums.lines += lines;
    /* The digest of the batch is gone: whoever sends it again is refused. */
    return wedr_sqlite_run(
        w->to,
        "INSERT INTO batch(agent, epoch, stream, seq0, seq1, sha256, n, rejected, bitmap, produced,"
        " lost_ring, boot_id, received_at, block, hostname, t_last, arrival)"
        " VALUES(?,?,?,?,?,NULL,?,?,NULL,?,0,?,?,?,?,?,?)",
        "titiiiiibiitii", b->agent, (int64_t)b->epoch, b->stream, first, last, (int64_t)lines,
        rejected, last, (struct wedr_sqlite_blob){b->boot_id, sizeof(b->boot_id)}, received_us,
        place, b->hostname, t_last, next_arrival(w->s) * WEDR_ARRIVAL_STEP);
}

/* The batches of a merged block stand in its parts: those of them that nothing names yet. */
static int split_made(struct wedr_salvage *w, struct wedr_block *b, int64_t place)
{
    sqlite3_stmt *st = NULL;
    uint32_t row = 0;
    int err = row_of(w->from, "SELECT parts FROM made WHERE id=?1", b->id, &st);
    const uint8_t *p = err == WEDR_OK ? sqlite3_column_blob(st, 0) : NULL;
    size_t len = p ? (size_t)sqlite3_column_bytes(st, 0) : 0;
    for (size_t at = WEDR_PARTS_HEAD; err == WEDR_OK && at + WEDR_PART_LEN <= len;
         at += WEDR_PART_LEN) {
        uint32_t lines = wedr_le32(p + at);
        err = row > b->n ? WEDR_E_CORRUPT
                         : insert_part(w, b, place, row, lines, (int64_t)wedr_le64(p + at + 4));
        row += lines;
    }
    (void)sqlite3_finalize(st);
    err = err == WEDR_OK && row != b->n ? WEDR_E_CORRUPT : err;
    return err == WEDR_OK ? wedr_salvage_note_stream(w, b->agent, (int64_t)b->epoch, b->stream,
                                                     (const int64_t[2]){b->seq0, b->seq1},
                                                     (const int64_t[2]){b->t0, b->t1})
                          : err;
}

static int take_made(struct wedr_salvage *w, struct wedr_block *b)
{
    sqlite3_stmt *st = NULL;
    uint8_t is[WEDR_SHA256_LEN];
    int64_t place = 0;
    int err =
        row_of(w->from, "SELECT d.z, m.sha256 FROM data d JOIN made m ON m.id=d.id WHERE d.id=?1",
               b->id, &st);
    if (err == WEDR_OK) {
        wedr_sha256(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0), is);
        err = sqlite3_column_bytes(st, 1) == WEDR_SHA256_LEN &&
                      memcmp(is, sqlite3_column_blob(st, 1), sizeof(is)) == 0
                  ? WEDR_OK
                  : WEDR_E_CORRUPT;
    }
    (void)sqlite3_finalize(st);
    err = err == WEDR_OK ? wedr_salvage_block(w, b->id, true, &place) : err;
    return err == WEDR_OK ? split_made(w, b, place) : err;
}

/* Some of the block's batches were known, and it was copied for them. The others are in it, too:
 * without a name they would be told and not counted, and taken once more from where they came. */
static int name_rest(struct wedr_salvage *w, struct wedr_block *b)
{
    int64_t place = 0;
    int err = wedr_salvage_moved(w, b->id, &place);
    if (err == WEDR_E_NOENT || (err == WEDR_OK && place <= 0)) {
        return WEDR_OK;
    }
    return err == WEDR_OK ? split_made(w, b, place) : err;
}

/* What makes no sense is passed over; what the new file says goes on. */
static bool is_fault_of_the_row(int err)
{
    return err == WEDR_E_CORRUPT || err == WEDR_E_BUG || err == WEDR_E_FORMAT ||
           err == WEDR_E_RANGE || err == WEDR_E_LIMIT || err == WEDR_E_NOENT;
}

static int take_place(struct wedr_salvage *w, int64_t id, bool tiny, bool *ret_found)
{
    struct wedr_sql counters = {.day_count = 0};
    struct wedr_block b = {0};
    sqlite3_stmt *st = NULL;
    bool there = false, made = false;
    int err = row_of(w->from,
                     tiny ? "SELECT " WEDR_BLOCK_COLUMNS ", 0 FROM tiny WHERE id=?1"
                          : "SELECT " WEDR_BLOCK_COLUMNS ", flags FROM blk WHERE id=?1",
                     id, &st);
    *ret_found = err == WEDR_OK;
    if (err == WEDR_OK) {
        wedr_block_from_row(&b, &counters, w->from, st, tiny);
        made = (sqlite3_column_int64(st, sqlite3_column_count(st) - 1) & WEDR_BLK_MADE) != 0;
    }
    (void)sqlite3_finalize(st);
    if (err != WEDR_OK) {
        return is_fault_of_the_row(err) ? WEDR_OK : err;
    }
    const struct wedr_salvage_sums before = w->sums;
    err = wedr_sqlite_exec(w->to, "BEGIN IMMEDIATE");
    err = err == WEDR_OK ? overlaps(w, &b, b.seq0, b.seq1, &there) : err;
    if (err == WEDR_OK && made) {
        err = there ? name_rest(w, &b) : take_made(w, &b);
    } else if (err == WEDR_OK && !there) {
        err = take_again(w, &b);
        w->sums.batches++;
        w->sums.lines += b.n;
    }
    if (err != WEDR_OK) {
        w->sums = before;
    }
    wedr_block_fini(&b);
    bool fault = is_fault_of_the_row(err);
    int end = wedr_sqlite_exec(w->to, err == WEDR_OK ? "COMMIT" : "ROLLBACK");
    return err == WEDR_OK || fault ? end : err;
}

/* The newest first: a block holds what was merged into it, older ones with the same lines are
 * dead. */
static int take_table(struct wedr_salvage *w, bool tiny)
{
    int64_t last = IDS_WITHOUT_COUNT, pages = 0;
    if (wedr_sqlite_int(w->from, "PRAGMA page_count", &pages) == WEDR_OK &&
        pages * IDS_A_PAGE + MISSES_MAX < last) {
        last = pages * IDS_A_PAGE + MISSES_MAX; /* others were merged away */
    }
    bool known = wedr_sqlite_int(w->from,
                                 tiny ? "SELECT coalesce(max(id), 0) FROM tiny"
                                      : "SELECT coalesce(max(id), 0) FROM blk",
                                 &last) == WEDR_OK;
    int err = WEDR_OK;
    unsigned misses = 0;
    for (int64_t id = last; err == WEDR_OK && id > 0; id--) {
        bool found = false;
        err = take_place(w, id, tiny, &found);
        misses = found ? 0 : misses + 1;
        if (misses == MISSES_MAX && known) {
            break;
        }
    }
    return err;
}

int wedr_salvage_nameless(struct wedr_salvage *w)
{
    int err = take_table(w, false);
    return err == WEDR_OK ? take_table(w, true) : err;
}
