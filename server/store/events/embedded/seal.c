/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "ingest/merge.h"
#include "ingest/prepared.h"
#include "store/events/embedded/keep.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define STREAMS_A_ROUND 16384u
#define FREE_SHARE 10 /* a file is packed when more than a tenth of it is free pages */

struct input {
    int64_t place, n, raw_len;
    uint64_t origin; /* same number: same hostname and boot */
};

struct inputs {
    struct input v[WEDR_MERGE_INPUTS_MAX];
    size_t count;
    int64_t last_seq; /* where the last one that was read begins */
    bool whole_only;  /* what makes no whole block waits for company */
};

/* Old files say UNIQUE: there a block cannot begin where one that was merged away began. */
static bool may_merge_blocks(sqlite3 *db)
{
    int64_t unique = 1;
    return wedr_sqlite_int(db, "SELECT count(*) FROM pragma_index_list('blk') WHERE origin='u'",
                           &unique) == WEDR_OK &&
           unique == 0;
}

/* Merges inputs [from, to): all of one origin. A damaged one is left where it is. */
static int merge_range(struct wedr_events *s,
                       sqlite3 *db,
                       const struct inputs *in,
                       size_t from,
                       size_t to,
                       struct wedr_merge_sums *sums)
{
    const struct wedr_events_settings set = wedr_keep_settings(s);
    int64_t places[WEDR_MERGE_INPUTS_MAX];
    int err = WEDR_OK;
    while (err == WEDR_OK && to - from > 1) {
        size_t bad = 0;
        uint64_t start = wedr_time_mono_ns();
        for (size_t i = from; i < to; i++) {
            places[i - from] = in->v[i].place;
        }
        err = wedr_merge_places(db, places, to - from, (int)set.merge_level, wedr_keep_now(s), sums,
                                &bad);
        if (err == WEDR_E_CORRUPT) {
            wedr_log(ERROR, "events.not_merged", WEDR_I64("place", places[bad]));
            err = merge_range(s, db, in, from, from + bad, sums);
            from += bad + 1;
            continue;
        }
        if (wedr_keep_rest(s, start) && err == WEDR_OK) {
            err = WEDR_E_TIMEOUT;
        }
        break;
    }
    return err;
}

/* Cuts what waits into blocks of about merge_lines. */
static int merge_inputs(struct wedr_events *s,
                        sqlite3 *db,
                        const struct inputs *in,
                        struct wedr_merge_sums *sums)
{
    const struct wedr_events_settings set = wedr_keep_settings(s);
    size_t from = 0;
    int64_t lines = 0, bytes = 0;
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < in->count; i++) {
        const struct input *x = &in->v[i];
        bool alone = x->raw_len > WEDR_MERGE_INPUT_RAW_MAX;
        if (i > from &&
            (alone || x->origin != in->v[from].origin || bytes + x->raw_len > WEDR_MERGE_RAW_MAX ||
             lines + x->n > 2 * (int64_t)set.merge_lines)) {
            err = merge_range(s, db, in, from, i, sums);
            from = i;
            lines = bytes = 0;
        }
        lines += x->n;
        bytes += x->raw_len;
        if (err == WEDR_OK && (alone || lines >= (int64_t)set.merge_lines)) {
            err = merge_range(s, db, in, from, i + 1, sums);
            from = i + 1;
            lines = bytes = 0;
        }
    }
    return err == WEDR_OK && in->count > from && !in->whole_only
               ? merge_range(s, db, in, from, in->count, sums)
               : err;
}

static uint64_t origin_of(sqlite3_stmt *st, int i)
{
    static const uint8_t key[WEDR_HASH_KEY_LEN];
    uint64_t a = wedr_hash64(key, sqlite3_column_blob(st, i), (size_t)sqlite3_column_bytes(st, i));
    uint64_t b =
        wedr_hash64(key, sqlite3_column_blob(st, i + 1), (size_t)sqlite3_column_bytes(st, i + 1));
    return a * 31 + b;
}

static int read_inputs(sqlite3 *db, sqlite3_stmt *st, struct inputs *ret)
{
    int rc = SQLITE_DONE;
    while (ret->count < WEDR_MERGE_INPUTS_MAX && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        ret->v[ret->count++] =
            (struct input){sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1),
                           sqlite3_column_int64(st, 2), origin_of(st, 3)};
        ret->last_seq = sqlite3_column_int64(st, 5);
    }
    return wedr_sqlite_error(db, rc);
}

/* Blocks that were merged before and are small yet go in again when what came meanwhile is half as
 * much: each line is merged a few times at most. */
static int add_short_blocks(sqlite3 *db,
                            const struct wedr_stream_name *k,
                            int64_t before_seq,
                            int64_t lines,
                            uint64_t merge_lines,
                            struct inputs *in)
{
    sqlite3_stmt *st = NULL;
    int rc = SQLITE_DONE;
    int err =
        wedr_stream_prepare(db,
                            "SELECT id, n, raw_len, hostname, boot_id FROM blk WHERE agent=?1 AND "
                            "epoch=?2 AND stream=?3 AND seq0<?4 AND NOT EXISTS(SELECT 1 FROM dead "
                            "WHERE dead.id=blk.id) ORDER BY seq0 DESC LIMIT 8",
                            k, &st);
    if (err == WEDR_OK) {
        sqlite3_bind_int64(st, 4, before_seq);
    }
    while (err == WEDR_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        int64_t n = sqlite3_column_int64(st, 1);
        if (n > 2 * lines || lines + n > (int64_t)merge_lines ||
            in->count == WEDR_MERGE_INPUTS_MAX) {
            rc = SQLITE_DONE;
            break;
        }
        memmove(in->v + 1, in->v, in->count * sizeof(in->v[0]));
        in->v[0] = (struct input){sqlite3_column_int64(st, 0), n, sqlite3_column_int64(st, 2),
                                  origin_of(st, 3)};
        in->count++;
        lines += n;
    }
    err = err == WEDR_OK ? wedr_sqlite_error(db, rc) : err;
    (void)sqlite3_finalize(st);
    return err;
}

/* What waits is found by the key of `batch`, which knows where each batch is. What is old and could
 * not be merged (too large, damaged, of another boot than its neighbours) is left to the sealing:
 * looking for it again would mean to read all batches behind it, every round. */
static int merge_due_stream(struct wedr_events *s,
                            sqlite3 *db,
                            struct wedr_waiting_stream *k,
                            struct inputs *in,
                            struct wedr_merge_sums *sums)
{
    sqlite3_stmt *st = NULL;
    int64_t lines = 0;
    int64_t after = (int64_t)wedr_keep_settings(s).merge_after_s * 1000000;
    bool old = k->oldest_us <= wedr_keep_now(s) - after;
    in->count = 0;
    in->whole_only = !old;
    int err = wedr_stream_prepare(
        db,
        "SELECT b.block, t.n, t.raw_len, t.hostname, t.boot_id, b.seq0 FROM batch b "
        "JOIN tiny t ON t.id=-b.block WHERE b.agent=?1 AND b.epoch=?2 AND b.stream=?3 "
        "AND b.seq0>=?4 AND b.block<0 ORDER BY b.seq0",
        &k->of, &st);
    if (err == WEDR_OK) {
        (void)sqlite3_bind_int64(st, 4, k->first_seq);
        err = read_inputs(db, st, in);
    }
    (void)sqlite3_finalize(st);
    for (size_t i = 0; i < in->count; i++) {
        lines += in->v[i].n;
    }
    bool all = in->count > 0 && in->count < WEDR_MERGE_INPUTS_MAX;
    if (err == WEDR_OK && old && in->count > 0 && may_merge_blocks(db)) {
        err = add_short_blocks(db, &k->of, k->first_seq, lines, wedr_keep_settings(s).merge_lines,
                               in);
    }
    err = err == WEDR_OK ? merge_inputs(s, db, in, sums) : err;
    k->first_seq = err == WEDR_OK && old && all ? in->last_seq : k->first_seq;
    return err;
}

/* Streams of which enough waits, or something for long. */
int wedr_seal_merge_due(struct wedr_events *s,
                        sqlite3 *db,
                        struct wedr_waiting *w,
                        int64_t now_us,
                        struct wedr_merge_sums *sums)
{
    const struct wedr_events_settings set = wedr_keep_settings(s);
    int64_t before_us = now_us - (int64_t)set.merge_after_s * 1000000;
    struct inputs *in = wedr_alloc(1, sizeof(*in));
    struct wedr_waiting_stream *k;
    size_t at = 0;
    int err = in ? WEDR_OK : WEDR_E_NOMEM;
    while (err == WEDR_OK &&
           (k = wedr_waiting_due(w, &at, (int64_t)set.merge_lines, before_us)) != NULL) {
        err = merge_due_stream(s, db, k, in, sums);
        err = err == WEDR_OK ? wedr_waiting_count(db, k) : err;
    }
    wedr_free(in);
    return err;
}

/* --- A day that is over. */

static int
read_streams(sqlite3 *db, sqlite3_stmt *st, struct wedr_stream_name *ret, size_t *ret_count)
{
    int rc = SQLITE_DONE;
    size_t n = 0;
    while (n < STREAMS_A_ROUND && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        wedr_stream_name_read(st, 0, &ret[n]);
        n++;
    }
    *ret_count = n;
    return wedr_sqlite_error(db, rc);
}

static int seal_stream(struct wedr_events *s,
                       sqlite3 *db,
                       const struct wedr_stream_name *k,
                       struct inputs *in,
                       struct wedr_merge_sums *sums)
{
    sqlite3_stmt *st = NULL;
    uint64_t half = wedr_keep_settings(s).merge_lines / 2;
    in->count = 0;
    in->whole_only = false;
    int err = wedr_stream_prepare(
        db,
        "SELECT * FROM (SELECT b.block place, t.n, t.raw_len, t.hostname, t.boot_id, b.seq0 FROM "
        "batch b JOIN tiny t ON t.id=-b.block WHERE b.agent=?1 AND b.epoch=?2 AND b.stream=?3 AND "
        "b.block<0 UNION ALL SELECT id, n, raw_len, hostname, boot_id, seq0 FROM blk WHERE "
        "agent=?1 AND epoch=?2 AND stream=?3 AND n<?4 AND NOT EXISTS(SELECT 1 FROM dead WHERE "
        "dead.id=blk.id)) ORDER BY seq0",
        k, &st);
    if (err == WEDR_OK) {
        sqlite3_bind_int64(st, 4, may_merge_blocks(db) ? (int64_t)half : 0);
        err = read_inputs(db, st, in);
    }
    (void)sqlite3_finalize(st);
    return err == WEDR_OK && in->count > 1 ? merge_inputs(s, db, in, sums) : err;
}

static int
seal_streams(struct wedr_events *s, sqlite3 *db, sqlite3_stmt *st, struct wedr_merge_sums *sums)
{
    struct wedr_stream_name *v = wedr_alloc(STREAMS_A_ROUND, sizeof(*v));
    struct inputs *in = wedr_alloc(1, sizeof(*in));
    size_t count = 0;
    int err = v && in ? read_streams(db, st, v, &count) : WEDR_E_NOMEM;
    (void)sqlite3_finalize(st);
    for (size_t i = 0; err == WEDR_OK && i < count; i++) {
        err = seal_stream(s, db, &v[i], in, sums);
    }
    wedr_free(v);
    wedr_free(in);
    return err;
}

/* Every frame once more at a higher level, in its place. */
static int repack(struct wedr_events *s, sqlite3 *db, struct wedr_merge_sums *sums)
{
    int64_t id = 0;
    for (int err = WEDR_OK; err == WEDR_OK;) {
        char sql[160];
        uint64_t level = wedr_keep_settings(s).seal_level;
        uint64_t start = wedr_time_mono_ns();
        (void)snprintf(
            sql, sizeof(sql),
            "SELECT id FROM blk WHERE id>%lld AND flags&4=0 AND NOT EXISTS(SELECT 1 FROM "
            "dead WHERE dead.id=blk.id) ORDER BY id LIMIT 1",
            (long long)id);
        err = level == 0 ? WEDR_E_NOENT : wedr_sqlite_int(db, sql, &id);
        if (err != WEDR_OK) {
            return err == WEDR_E_NOENT ? WEDR_OK : err;
        }
        err = wedr_merge_repack(db, id, (int)level, sums);
        if (err == WEDR_E_CORRUPT) {
            wedr_log(ERROR, "events.not_packed", WEDR_I64("block", id));
            err = WEDR_OK;
        }
        if (err != WEDR_OK || wedr_keep_rest(s, start)) {
            return err == WEDR_OK ? WEDR_E_TIMEOUT : err;
        }
    }
    return WEDR_OK;
}

/* Gives free pages back to the disk. The copy needs room beside the file. */
static int give_back(struct wedr_events *s, sqlite3 *db)
{
    int64_t pages = 0, free_pages = 0;
    uint64_t room = 0;
    int err = wedr_sqlite_int(db, "PRAGMA page_count", &pages);
    err = err == WEDR_OK ? wedr_sqlite_int(db, "PRAGMA freelist_count", &free_pages) : err;
    err = err == WEDR_OK ? wedr_fs_free_bytes(s->dir_handle, &room) : err;
    if (err != WEDR_OK || free_pages < 64 || free_pages * FREE_SHARE < pages ||
        room / 3 < (uint64_t)pages * 16384 + wedr_keep_settings(s).low_water_bytes) {
        return err;
    }
    err = wedr_sqlite_exec(db, "VACUUM");
    sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return err;
}

int wedr_seal_day(struct wedr_events *s,
                  sqlite3 *db,
                  int64_t now_us,
                  struct wedr_merge_sums *sums,
                  bool *ret_done)
{
    struct wedr_merge_sums before = *sums;
    sqlite3_stmt *st = NULL;
    char sql[128];
    int64_t waiting = 0;
    *ret_done = false;
    /* Streams whose small parts could become fewer. */
    int err = wedr_sqlite_error(
        db, sqlite3_prepare_v2(db,
                               "SELECT agent, epoch, stream FROM (SELECT agent, epoch, stream "
                               "FROM tiny WHERE NOT EXISTS(SELECT 1 FROM dead WHERE "
                               "dead.id=-tiny.id) UNION ALL SELECT agent, epoch, stream FROM blk "
                               "WHERE n<?1 AND NOT EXISTS(SELECT 1 FROM dead WHERE "
                               "dead.id=blk.id)) GROUP BY 1, 2, 3 HAVING count(*)>1",
                               -1, &st, NULL));
    if (err != WEDR_OK) {
        return err;
    }
    sqlite3_bind_int64(st, 1, (int64_t)wedr_keep_settings(s).merge_lines / 2);
    err = seal_streams(s, db, st, sums);
    if (err == WEDR_OK && sums->blocks == before.blocks) { /* nothing left that gets smaller */
        err = repack(s, db, sums);
        (void)snprintf(
            sql, sizeof(sql), "SELECT count(*) FROM dead WHERE at>=%lld",
            (long long)(now_us - (int64_t)wedr_keep_settings(s).merge_grace_s * 1000000));
        err = err == WEDR_OK ? wedr_sqlite_int(db, sql, &waiting) : err;
        if (err == WEDR_OK && waiting == 0) {
            err = give_back(s, db);
            err = err == WEDR_OK ? wedr_sqlite_run(db,
                                                   "INSERT OR REPLACE INTO meta(key, value) "
                                                   "VALUES('sealed', ?)",
                                                   "i", now_us)
                                 : err;
            *ret_done = err == WEDR_OK;
        }
    }
    return err;
}
