/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/embedded/embedded.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "core/util/obj.h"
#include "ingest/prepared.h"
#include "store/events/embedded/keep.h"
#include "store/events/embedded/recent.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define CHECKPOINT_FRAMES 4096 /* 64 MiB of log */
#define IDLE_TICKS 10
#define LOW_LOG_MS 60000u

static int open_mem(struct wedr_events *s)
{
    int rc = wedr_sqlite_error(
        NULL,
        sqlite3_open_v2(":memory:", &s->mem,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL));
    if (rc == WEDR_OK) {
        rc = wedr_sqlite_exec(
            s->mem, "CREATE TABLE held(agent TEXT, epoch INTEGER, stream TEXT, day INTEGER,"
                    " seq_min INTEGER, seq_max INTEGER, PRIMARY KEY(agent, epoch, stream, day)) "
                    "WITHOUT ROWID;"
                    "CREATE TABLE mark(agent TEXT, epoch INTEGER, stream TEXT, seq_max INTEGER,"
                    " PRIMARY KEY(agent, epoch, stream)) WITHOUT ROWID");
    }
    if (rc != WEDR_OK) {
        return rc;
    }
    int sq = sqlite3_prepare_v3(s->mem,
                                "SELECT day FROM held WHERE agent=?1 AND epoch=?2 AND stream=?3 AND"
                                " seq_min<=?5 AND seq_max>=?4",
                                -1, SQLITE_PREPARE_PERSISTENT, &s->mem_days, NULL);
    if (sq == SQLITE_OK) {
        sq = sqlite3_prepare_v3(
            s->mem,
            "INSERT INTO held VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT DO UPDATE SET"
            " seq_min=min(seq_min, ?5), seq_max=max(seq_max, ?6)",
            -1, SQLITE_PREPARE_PERSISTENT, &s->mem_put, NULL);
    }
    if (sq == SQLITE_OK) {
        sq = sqlite3_prepare_v3(
            s->mem, "SELECT seq_max FROM mark WHERE agent=?1 AND epoch=?2 AND stream=?3", -1,
            SQLITE_PREPARE_PERSISTENT, &s->mem_mark, NULL);
    }
    return wedr_sqlite_error(s->mem, sq);
}

static int lock_folder(struct wedr_events *s, const char *data_dir, struct wedr_errinfo *ei)
{
    int n = snprintf(s->dir, sizeof(s->dir), "%s/events", data_dir);
    if (n < 0 || (size_t)n + 64u >= sizeof(s->dir)) {
        return wedr_fail(ei, WEDR_E_LIMIT, "path of the data folder is too long");
    }
    int rc = wedr_fs_mkdir(s->dir, 0700, UINT32_MAX);
    rc = rc == WEDR_OK ? wedr_fs_open_dir(s->dir, &s->dir_handle) : rc;
    rc = rc == WEDR_OK
             ? wedr_fs_open_at(s->dir_handle, "LOCK", WEDR_FS_READ | WEDR_FS_WRITE | WEDR_FS_CREATE,
                               0600, &s->folder_lock)
             : rc;
    if (rc == WEDR_OK) {
        rc = wedr_fs_lock(s->folder_lock);
    }
    if (rc == WEDR_E_BUSY) {
        return wedr_fail(ei, rc, "%s: another wedr-server is using this folder", s->dir);
    }
    return rc == WEDR_OK ? rc : wedr_fail(ei, rc, "%s: %s", s->dir, wedr_err_text(rc));
}

static void embedded_close(struct wedr_events *s)
{
    if (s == NULL) {
        return;
    }
    wedr_keep_stop(s);
    wedr_free(s->ages);
    wedr_recent_free(s->recent);
    wedr_mutex_free(s->lock);
    sqlite3_finalize(s->mem_days);
    sqlite3_finalize(s->mem_put);
    sqlite3_finalize(s->mem_mark);
    for (size_t i = 0; i < WEDR_OPEN_DAYS_MAX; i++) {
        if (s->open[i].db != NULL) {
            wedr_embedded_day_close(s, s->open[i].day);
        }
    }
    sqlite3_close(s->mem);
    sqlite3_close(s->catalog);
    wedr_fs_close(s->folder_lock);
    wedr_fs_close(s->dir_handle);
    wedr_free(s);
}

static int embedded_open(const char *data_dir, struct wedr_events **ret, struct wedr_errinfo *ei)
{
    struct wedr_events *s = wedr_alloc(1, sizeof(*s));
    if (s == NULL) {
        return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    }
    s->magic = WEDR_EVENTS_MAGIC;
    s->dir_handle = s->folder_lock = WEDR_HANDLE_NONE;
    s->dropping = -1;
    s->lock = wedr_mutex_new();
    int rc = s->lock ? wedr_keep_new(s) : WEDR_E_NOMEM;
    rc = rc == WEDR_OK ? wedr_recent_new(&s->recent) : rc;
    rc = rc == WEDR_OK ? lock_folder(s, data_dir, ei) : rc;
    rc = rc == WEDR_OK ? wedr_embedded_catalog(s, ei) : rc;
    rc = rc == WEDR_OK ? wedr_retain_clock_load(&s->clock, s->catalog) : rc;
    if (rc == WEDR_OK) {
        rc = open_mem(s);
    }
    if (rc == WEDR_OK) {
        rc = wedr_embedded_load(s, ei);
    }
    if (rc == WEDR_OK) {
        rc = wedr_fs_sync(s->dir_handle);
    }
    if (rc != WEDR_OK) {
        embedded_close(s);
        return rc;
    }
    *ret = s;
    return WEDR_OK;
}

static void bind_stream(sqlite3_stmt *st, const struct wedr_prepared *p)
{
    sqlite3_reset(st);
    sqlite3_bind_text(st, 1, p->agent_id, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 2, (int64_t)p->id.epoch);
    sqlite3_bind_text(st, 3, p->id.stream, -1, SQLITE_STATIC);
}

/* Batches of a stream do not overlap, so only the newest one that begins at or before our end can
 * touch us. */
static int compare_in_day(struct wedr_day_handle *d,
                          const struct wedr_prepared *p,
                          enum wedr_commit_outcome *outcome)
{
    const struct wedr_batch_id *id = &p->id;
    bind_stream(d->find, p);
    sqlite3_bind_int64(d->find, 4, (int64_t)id->last_seq);
    int rc = sqlite3_step(d->find);
    if (rc == SQLITE_ROW && sqlite3_column_int64(d->find, 1) >= (int64_t)id->first_seq) {
        bool same = sqlite3_column_int64(d->find, 0) == (int64_t)id->first_seq &&
                    sqlite3_column_int64(d->find, 1) == (int64_t)id->last_seq &&
                    sqlite3_column_bytes(d->find, 2) == (int)sizeof(id->sha256) &&
                    memcmp(sqlite3_column_blob(d->find, 2), id->sha256, sizeof(id->sha256)) == 0;
        *outcome = same ? WEDR_COMMIT_DUPLICATE : WEDR_COMMIT_CONFLICT;
    }
    int err = wedr_sqlite_error(d->db, rc);
    sqlite3_reset(d->find);
    return err;
}

static int compare_with_mark(struct wedr_events *s,
                             const struct wedr_prepared *p,
                             enum wedr_commit_outcome *outcome)
{
    bind_stream(s->mem_mark, p);
    int rc = sqlite3_step(s->mem_mark);
    if (rc == SQLITE_ROW) {
        int64_t mark = sqlite3_column_int64(s->mem_mark, 0);
        if ((int64_t)p->id.last_seq <= mark) {
            *outcome = WEDR_COMMIT_EXPIRED;
        } else if ((int64_t)p->id.first_seq <= mark) {
            *outcome = WEDR_COMMIT_CONFLICT;
        }
    }
    int err = wedr_sqlite_error(s->mem, rc);
    sqlite3_reset(s->mem_mark);
    return err;
}

/* What is to be done with a batch, given every file that may hold its range. */
static int decide(struct wedr_events *s,
                  int32_t today,
                  const struct wedr_prepared *p,
                  enum wedr_commit_outcome *outcome,
                  struct wedr_errinfo *ei)
{
    int32_t days[64];
    size_t count = 0;
    *outcome = WEDR_COMMIT_STORED;
    bind_stream(s->mem_days, p);
    sqlite3_bind_int64(s->mem_days, 4, (int64_t)p->id.first_seq);
    sqlite3_bind_int64(s->mem_days, 5, (int64_t)p->id.last_seq);
    int rc;
    while ((rc = sqlite3_step(s->mem_days)) == SQLITE_ROW && count < WEDR_ARRAY_COUNT(days)) {
        days[count++] = sqlite3_column_int(s->mem_days, 0);
    }
    int err = wedr_sqlite_error(s->mem, rc);
    sqlite3_reset(s->mem_days);
    if (rc == SQLITE_ROW) {
        return wedr_fail(ei, WEDR_E_LIMIT, "a stream lies in more than 64 day files at one place");
    }
    for (size_t i = 0; err == WEDR_OK && i < count && *outcome == WEDR_COMMIT_STORED; i++) {
        struct wedr_day_handle *d = NULL;
        err = wedr_embedded_day(s, days[i], false, &d, ei);
        if (err == WEDR_OK) {
            err = compare_in_day(d, p, outcome);
        } else if (err == WEDR_E_NOENT) {
            err = WEDR_OK;
        }
        if (err == WEDR_E_CORRUPT && days[i] != today) {
            wedr_embedded_set_aside(s, days[i]);
            err = WEDR_OK;
        }
    }
    if (err == WEDR_OK && *outcome == WEDR_COMMIT_STORED) {
        err = compare_with_mark(s, p, outcome);
    }
    return err;
}

static int note_range(struct wedr_events *s, const struct wedr_prepared *p, int32_t day)
{
    bind_stream(s->mem_put, p);
    sqlite3_bind_int(s->mem_put, 4, day);
    sqlite3_bind_int64(s->mem_put, 5, (int64_t)p->id.first_seq);
    sqlite3_bind_int64(s->mem_put, 6, (int64_t)p->id.last_seq);
    int rc = sqlite3_step(s->mem_put);
    sqlite3_reset(s->mem_put);
    return wedr_sqlite_error(s->mem, rc);
}

/* One batch inside the open transactions. The day's handle is looked up again: decide() may have
 * opened others; the day's own stays open, for it is in a transaction. */
static int commit_one(struct wedr_events *s,
                      int32_t day,
                      const struct wedr_prepared *p,
                      int64_t *arrival,
                      enum wedr_commit_outcome *outcome,
                      struct wedr_errinfo *ei)
{
    struct wedr_day_handle *d = NULL;
    int rc = decide(s, day, p, outcome, ei);
    rc = rc == WEDR_OK ? wedr_embedded_day(s, day, true, &d, ei) : rc;
    if (rc != WEDR_OK || *outcome == WEDR_COMMIT_DUPLICATE || *outcome == WEDR_COMMIT_EXPIRED) {
        return rc;
    }
    if (*outcome == WEDR_COMMIT_CONFLICT) {
        return wedr_tamper_insert(d->db, p);
    }
    rc = wedr_blocks_insert(&d->kept, p, ++*arrival);
    return rc == WEDR_OK ? note_range(s, p, day) : rc;
}

static void count_outcomes(struct wedr_events *s, const struct wedr_commit *c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct wedr_prepared *p = c[i].p;
        switch (c[i].outcome) {
        case WEDR_COMMIT_STORED:
            s->stats.batches++;
            s->stats.events += p->accepted;
            s->stats.rejected += p->rejected;
            s->stats.bytes_z += p->z_len;
            break;
        case WEDR_COMMIT_DUPLICATE:
            s->stats.duplicates++;
            break;
        case WEDR_COMMIT_CONFLICT:
            s->stats.conflicts++;
            wedr_log(WARN, "events.conflict", WEDR_STR("agent_id", p->agent_id),
                     WEDR_STR("stream", p->id.stream), WEDR_U64("first_seq", p->id.first_seq),
                     WEDR_U64("last_seq", p->id.last_seq));
            break;
        default:
            s->stats.expired++;
            break;
        }
    }
}

static void roll_back(struct wedr_events *s, sqlite3 *db)
{
    if (db != NULL && !sqlite3_get_autocommit(db)) {
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    if (!sqlite3_get_autocommit(s->mem)) {
        sqlite3_exec(s->mem, "ROLLBACK", NULL, NULL, NULL);
    }
}

/* A disk that is full to its last byte is hard to get out of: nothing could be merged or deleted
 * on it any more. */
static int has_room(struct wedr_events *s, struct wedr_errinfo *ei)
{
    uint64_t room = 0, low = s->settings.low_water_bytes;
    if (!low || wedr_fs_free_bytes(s->dir_handle, &room) != WEDR_OK || room >= low) {
        return WEDR_OK;
    }
    s->stats.refused_low++;
    if (s->low_logged_ms == 0 || wedr_time_mono_ms() - s->low_logged_ms >= LOW_LOG_MS) {
        s->low_logged_ms = wedr_time_mono_ms();
        wedr_log(ERROR, "events.disk_low", WEDR_U64("free_bytes", room),
                 WEDR_U64("low_water_bytes", low));
    }
    return wedr_fail(ei, WEDR_E_NOSPC, "%llu bytes are free, below events.low_water_bytes",
                     (unsigned long long)room);
}

static int run_group(struct wedr_events *s,
                     int32_t day,
                     struct wedr_commit *c,
                     size_t count,
                     enum wedr_commit_outcome *outcomes,
                     struct wedr_errinfo *ei)
{
    struct wedr_day_handle *d = NULL;
    int64_t arrival = s->arrival;
    int rc = day == s->dropping ? wedr_fail(ei, WEDR_E_BUSY, "the day's file is being deleted")
                                : has_room(s, ei);
    rc = rc == WEDR_OK ? wedr_embedded_day(s, day, true, &d, ei) : rc;
    if (rc != WEDR_OK) {
        return rc;
    }
    sqlite3 *db = d->db;
    rc = wedr_statements_run(&d->kept, "BEGIN IMMEDIATE", "");
    rc = rc == WEDR_OK ? wedr_sqlite_exec(s->mem, "BEGIN") : rc;
    for (size_t i = 0; rc == WEDR_OK && i < count; i++) {
        rc = commit_one(s, day, c[i].p, &arrival, &outcomes[i], ei);
    }
    if (rc == WEDR_OK && arrival != s->arrival) {
        rc = wedr_statements_run(&d->kept, "UPDATE meta SET value=? WHERE key='arrival'", "i",
                                 arrival);
    }
    rc = rc == WEDR_OK ? wedr_statements_run(&d->kept, "COMMIT", "") : rc;
    rc = rc == WEDR_OK ? wedr_sqlite_exec(s->mem, "COMMIT") : rc;
    if (rc != WEDR_OK) {
        wedr_fail(ei, rc, "commit: %s", sqlite3_errmsg(db));
        roll_back(s, db);
        return rc;
    }
    s->arrival = arrival;
    return WEDR_OK;
}

static int
embedded_commit(struct wedr_events *s, struct wedr_commit *c, size_t count, struct wedr_errinfo *ei)
{
    WEDR_OBJ_CHECK(s, WEDR_EVENTS_MAGIC);
    if (count == 0) {
        return WEDR_OK;
    }
    enum wedr_commit_outcome *outcomes = wedr_alloc(count, sizeof(*outcomes));
    if (outcomes == NULL) {
        return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    }
    /* One file per group, so that it is stored whole or not at all. */
    int32_t day = wedr_day_of(c[count - 1].p->received_us);
    wedr_mutex_lock(s->lock);
    int64_t first = s->arrival + 1;
    int rc = run_group(s, day, c, count, outcomes, ei);
    if (rc == WEDR_OK) {
        for (size_t i = 0; i < count; i++) {
            c[i].outcome = outcomes[i];
        }
        count_outcomes(s, c, count);
        wedr_recent_put(s->recent, c, count, first);
        s->dirty = true;
        s->idle_ticks = 0;
    } else if (rc == WEDR_E_CORRUPT) {
        wedr_embedded_set_aside(s, day);
        rc = WEDR_E_IO;
    }
    wedr_mutex_unlock(s->lock);
    wedr_free(outcomes);
    return rc;
}

/* False: something had the log open, and it stays for now. Nobody is waited for: batches that come
 * meanwhile would wait, too. */
static bool empty_log(sqlite3 *db)
{
    (void)sqlite3_busy_timeout(db, 0);
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    (void)sqlite3_busy_timeout(db, WEDR_DAY_BUSY_MS);
    return rc == SQLITE_OK;
}

/* The log is copied into the files when it is long, and emptied when nothing has come for a while.
 */
static void embedded_tick(struct wedr_events *s)
{
    wedr_mutex_lock(s->lock);
    bool idle = ++s->idle_ticks >= IDLE_TICKS && s->dirty, left = false;
    for (size_t i = 0; i < WEDR_OPEN_DAYS_MAX; i++) {
        struct wedr_day_handle *d = &s->open[i];
        if (d->db == NULL) {
            continue;
        }
        if (idle) {
            left = !empty_log(d->db) || left;
        } else if (d->log_frames >= CHECKPOINT_FRAMES) {
            sqlite3_wal_checkpoint_v2(d->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        } else {
            continue;
        }
        d->log_frames = 0;
        if (idle) {
            (void)sqlite3_db_release_memory(d->db);
        }
    }
    if (idle) {
        wedr_recent_rest(s->recent);
        s->dirty = left;
        s->idle_ticks = 0; /* what is left is tried again as much later */
    }
    wedr_mutex_unlock(s->lock);
}

static void embedded_stats(struct wedr_events *s, struct wedr_events_stats *ret)
{
    wedr_mutex_lock(s->lock);
    *ret = s->stats;
    wedr_mutex_unlock(s->lock);
}

static int embedded_settings(struct wedr_events *s, const struct wedr_events_settings *set)
{
    wedr_mutex_lock(s->lock);
    s->settings = *set;
    wedr_mutex_unlock(s->lock);
    return wedr_keep_start(s);
}

const struct wedr_events_ops wedr_events_embedded = {
    .name = "embedded",
    .read = &wedr_events_read_embedded,
    .open = embedded_open,
    .close = embedded_close,
    .commit = embedded_commit,
    .tick = embedded_tick,
    .stats = embedded_stats,
    .settings = embedded_settings,
};
