/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/log.h"
#include "store/events/embedded/embedded.h"
#include "store/events/embedded/keep.h"
#include "store/events/embedded/salvage.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

/* Room for every page that 2,000 small batches of as many agents change. With less, pages go into
 * the log before the commit, which then reads all of it again for the sums of its frames; with 80
 * MiB, commits of 4,096 took as long and the server 60 MiB more. */
#define COMMIT_CACHE "PRAGMA cache_size=-32768"

static void
day_path(const struct wedr_events *s, int32_t day, const char *suffix, char *ret, size_t cap)
{
    char text[WEDR_DAY_TEXT];
    wedr_day_text(day, text);
    (void)snprintf(ret, cap, "%s%s%s.db%s", s == NULL ? "" : s->dir, s == NULL ? "" : "/", text,
                   suffix);
}

static void handle_close(struct wedr_day_handle *d)
{
    sqlite3_finalize(d->find);
    wedr_statements_fini(&d->kept);
    sqlite3_close(d->db);
    memset(d, 0, sizeof(*d));
}

void wedr_embedded_day_close(struct wedr_events *s, int32_t day)
{
    for (size_t i = 0; i < WEDR_OPEN_DAYS_MAX; i++) {
        if (s->open[i].db != NULL && s->open[i].day == day) {
            handle_close(&s->open[i]);
        }
    }
}

/* A free place, or the one that was used least recently and has no transaction open. */
static struct wedr_day_handle *free_place(struct wedr_events *s)
{
    struct wedr_day_handle *best = NULL;
    for (size_t i = 0; i < WEDR_OPEN_DAYS_MAX; i++) {
        struct wedr_day_handle *d = &s->open[i];
        if (d->db == NULL) {
            return d;
        }
        if (sqlite3_get_autocommit(d->db) && (best == NULL || d->used < best->used)) {
            best = d;
        }
    }
    handle_close(best);
    return best;
}

static int note_log_length(void *arg, sqlite3 *db, const char *name, int frames)
{
    struct wedr_day_handle *d = arg;
    (void)db;
    (void)name;
    d->log_frames = frames;
    return SQLITE_OK;
}

static void move_aside(struct wedr_events *s, int32_t day)
{
    static const char *const suffixes[3] = {"", "-wal", "-shm"};
    char from[64], to[160], base[64], stamp[32];
    (void)snprintf(stamp, sizeof(stamp), ".damaged-%lld", (long long)wedr_time_utc_us());
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(suffixes); i++) {
        day_path(NULL, day, suffixes[i], from, sizeof(from));
        day_path(NULL, day, "", base, sizeof(base));
        /* the log keeps the name that SQLite looks for beside the file */
        (void)snprintf(to, sizeof(to), "%s%s%s", base, stamp, suffixes[i]);
        int rc = wedr_fs_rename_at(s->dir_handle, from, to);
        if (rc != WEDR_OK && rc != WEDR_E_NOENT) {
            wedr_log(ERROR, "events.file_not_set_aside", WEDR_STR("file", from), WEDR_ERR(rc));
        } else if (i == 0) {
            wedr_log(ERROR, "events.file_damaged", WEDR_STR("file", from),
                     WEDR_STR("set_aside_as", to));
        }
    }
    if (wedr_fs_sync(s->dir_handle) != WEDR_OK) {
        wedr_log(ERROR, "events.folder_not_synced", WEDR_STR("folder", s->dir));
    }
}

void wedr_embedded_set_aside(struct wedr_events *s, int32_t day)
{
    char sql[64];
    wedr_embedded_day_close(s, day);
    wedr_keep_forget(s);
    move_aside(s, day);
    (void)snprintf(sql, sizeof(sql), "DELETE FROM held WHERE day=%d", day);
    if (s->mem != NULL && wedr_sqlite_exec(s->mem, sql) != WEDR_OK) {
        wedr_log(ERROR, "events.ranges_not_forgotten", WEDR_I64("day", day));
    }
}

static int day_exists(struct wedr_events *s, int32_t day)
{
    char name[64];
    struct wedr_fs_stat st;
    day_path(NULL, day, "", name, sizeof(name));
    return wedr_fs_stat_at(s->dir_handle, name, &st);
}

uint64_t wedr_embedded_file_size(const struct wedr_events *s, const char *name)
{
    struct wedr_fs_stat st = {0};
    return wedr_fs_stat_at(s->dir_handle, name, &st) == WEDR_OK ? st.size : 0;
}

static uint64_t size_of_day(const struct wedr_events *s, int32_t day, const char *suffix)
{
    char name[64];
    day_path(NULL, day, suffix, name, sizeof(name));
    return wedr_embedded_file_size(s, name);
}

/* Opens the file, makes it when it is missing; a damaged one makes room for a new one. */
static int
open_day(struct wedr_events *s, int32_t day, bool create, sqlite3 **ret, struct wedr_errinfo *ei)
{
    char path[WEDR_EVENTS_PATH_MAX + 64];
    bool exists = day_exists(s, day) == WEDR_OK;
    if (!exists && !create) {
        return WEDR_E_NOENT;
    }
    day_path(s, day, "", path, sizeof(path));
    /* SQLite would throw the log of an empty file away; it may hold everything. */
    bool emptied = exists && size_of_day(s, day, "") == 0 && size_of_day(s, day, "-wal") != 0;
    int rc = emptied ? WEDR_E_CORRUPT : wedr_day_open(path, ret, ei);
    if (rc == WEDR_E_CORRUPT) {
        wedr_embedded_set_aside(s, day);
        if (!create) {
            return WEDR_E_NOENT;
        }
        exists = false;
        rc = wedr_day_open(path, ret, ei);
    }
    if (rc == WEDR_OK && !exists) {
        rc = wedr_fs_sync(s->dir_handle);
        if (rc != WEDR_OK) {
            sqlite3_close(*ret);
        }
    }
    return rc;
}

int wedr_embedded_day(struct wedr_events *s,
                      int32_t day,
                      bool create,
                      struct wedr_day_handle **ret,
                      struct wedr_errinfo *ei)
{
    for (size_t i = 0; i < WEDR_OPEN_DAYS_MAX; i++) {
        if (s->open[i].db != NULL && s->open[i].day == day) {
            s->open[i].used = ++s->use_clock;
            *ret = &s->open[i];
            return WEDR_OK;
        }
    }
    sqlite3 *db = NULL;
    sqlite3_stmt *find = NULL;
    int rc = open_day(s, day, create, &db, ei);
    if (rc != WEDR_OK) {
        return rc;
    }
    int sq = sqlite3_prepare_v3(
        db,
        "SELECT seq0, seq1, sha256 FROM batch WHERE agent=?1 AND epoch=?2 AND stream=?3"
        " AND seq0<=?4 ORDER BY seq0 DESC LIMIT 1",
        -1, SQLITE_PREPARE_PERSISTENT, &find, NULL);
    if (sq != SQLITE_OK) {
        rc = wedr_fail(ei, wedr_sqlite_error(db, sq), "day file: %s", sqlite3_errmsg(db));
        sqlite3_close(db);
        return rc == WEDR_E_BUG ? WEDR_E_CORRUPT : rc;
    }
    struct wedr_day_handle *d = free_place(s);
    *d = (struct wedr_day_handle){
        .day = day, .db = db, .used = ++s->use_clock, .find = find, .kept = {.db = db}};
    sqlite3_wal_hook(db, note_log_length, d);
    (void)sqlite3_exec(db, COMMIT_CACHE, NULL, NULL, NULL); /* without it slower, not wrong */
    *ret = d;
    return WEDR_OK;
}

/* Copies the rows of a query on `from` into an insert on `to`, column by column. day > 0 is bound
 * behind them. */
static int
copy_rows(sqlite3 *from, const char *select, sqlite3 *to, const char *insert, int32_t day)
{
    sqlite3_stmt *in = NULL, *out = NULL;
    int rc = sqlite3_prepare_v2(from, select, -1, &in, NULL);
    int err = wedr_sqlite_error(from, rc);
    if (err == WEDR_OK) {
        err = wedr_sqlite_error(to, sqlite3_prepare_v2(to, insert, -1, &out, NULL));
    }
    while (err == WEDR_OK && (rc = sqlite3_step(in)) == SQLITE_ROW) {
        int n = sqlite3_column_count(in);
        for (int i = 0; i < n; i++) {
            sqlite3_bind_value(out, i + 1, sqlite3_column_value(in, i));
        }
        if (day > 0) {
            sqlite3_bind_int(out, n + 1, day);
        }
        int step = sqlite3_step(out);
        err = wedr_sqlite_error(to, step);
        sqlite3_reset(out);
    }
    if (err == WEDR_OK) {
        err = wedr_sqlite_error(from, rc);
    }
    sqlite3_finalize(in);
    sqlite3_finalize(out);
    return err;
}

int wedr_sqlite_copy(sqlite3 *from, const char *select, sqlite3 *to, const char *insert)
{
    return copy_rows(from, select, to, insert, 0);
}

/* Numbers of arrival that a damaged file gave out must not be given out again: readers would take
 * what comes for what they have seen. */
#define ARRIVALS_OF_A_DAY (INT64_C(1) << 32)
static int skip_arrivals(void *arg, const char *name)
{
    struct wedr_events *s = arg;
    char path[WEDR_EVENTS_PATH_MAX + 160];
    int64_t newest = 0;
    int32_t day = 0;
    size_t len = strlen(name);
    if (!strstr(name, ".db.damaged-") || !wedr_day_parse(name, WEDR_DAY_TEXT - 1, &day) ||
        strcmp(name + len - 4, "-wal") == 0 || strcmp(name + len - 4, "-shm") == 0) {
        return 0;
    }
    (void)snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    if (wedr_salvage_arrival(path, &newest) != WEDR_OK) {
        s->arrivals_unknown = true;
    }
    s->arrival = newest > s->arrival ? newest : s->arrival;
    return 0;
}

static int load_day(struct wedr_events *s, int32_t day, struct wedr_errinfo *ei)
{
    struct wedr_day_handle *d = NULL;
    int64_t arrival = 0;
    int rc = wedr_embedded_day(s, day, false, &d, ei);
    if (rc == WEDR_OK) {
        rc = wedr_sqlite_int(d->db, "SELECT value FROM meta WHERE key='arrival'", &arrival);
        rc = rc == WEDR_E_NOENT ? WEDR_E_CORRUPT : rc;
    }
    if (rc == WEDR_OK) {
        rc = copy_rows(d->db, "SELECT agent, epoch, stream, seq_min, seq_max FROM stream", s->mem,
                       "INSERT OR REPLACE INTO held(agent, epoch, stream, seq_min, seq_max, day) "
                       "VALUES(?,?,?,?,?,?)",
                       day);
    }
    if (rc == WEDR_E_CORRUPT || rc == WEDR_E_BUG) {
        wedr_embedded_set_aside(s, day);
        return WEDR_OK;
    }
    if (rc == WEDR_E_NOENT) {
        return WEDR_OK;
    }
    s->arrival = arrival > s->arrival ? arrival : s->arrival;
    return rc;
}

struct load_arg {
    struct wedr_events *s;
    int32_t days[32768 / 8]; /* more than any retention keeps */
    size_t count;
};

static int collect_day(void *arg, const char *name)
{
    struct load_arg *l = arg;
    int32_t day = 0;
    if (wedr_day_of_file(name, &day)) {
        if (l->count == WEDR_ARRAY_COUNT(l->days)) {
            return WEDR_E_LIMIT;
        }
        l->days[l->count++] = day;
    }
    return 0;
}

static int unlink_day(struct wedr_events *s, int32_t day)
{
    static const char *const suffixes[3] = {"-shm", "-wal", ""};
    char name[64], sql[80];
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(suffixes); i++) {
        day_path(NULL, day, suffixes[i], name, sizeof(name));
        int rc = wedr_fs_unlink_at(s->dir_handle, name);
        if (rc != WEDR_OK && rc != WEDR_E_NOENT) {
            return rc;
        }
    }
    int rc = wedr_fs_sync(s->dir_handle);
    (void)snprintf(sql, sizeof(sql), "DELETE FROM dropping WHERE day=%d", day);
    return rc == WEDR_OK ? wedr_sqlite_exec(s->catalog, sql) : rc;
}

int wedr_embedded_load(struct wedr_events *s, struct wedr_errinfo *ei)
{
    struct load_arg l = {.s = s};
    int64_t dropping = 0, arrival = 0;
    int rc;
    while ((rc = wedr_sqlite_int(s->catalog, "SELECT day FROM dropping LIMIT 1", &dropping)) ==
           WEDR_OK) {
        rc = unlink_day(s, (int32_t)dropping);
        if (rc != WEDR_OK) {
            return wedr_fail(ei, rc, "a dropped day file cannot be deleted");
        }
    }
    rc = rc == WEDR_E_NOENT ? wedr_fs_list(s->dir_handle, collect_day, &l) : rc;
    for (size_t i = 0; rc == WEDR_OK && i < l.count; i++) {
        rc = load_day(s, l.days[i], ei);
    }
    if (rc == WEDR_OK) {
        rc = copy_rows(s->catalog,
                       "SELECT agent, epoch, stream, max(seq_max) FROM expired GROUP BY 1, 2, 3",
                       s->mem, "INSERT INTO mark VALUES(?,?,?,?)", 0);
    }
    rc = rc == WEDR_OK
             ? wedr_sqlite_int(s->catalog, "SELECT coalesce(max(arrival), 0) / 65536 FROM expired",
                               &arrival)
             : rc;
    s->arrival = arrival > s->arrival ? arrival : s->arrival;
    rc = rc == WEDR_OK ? wedr_fs_list(s->dir_handle, skip_arrivals, s) : rc;
    s->arrival += s->arrivals_unknown ? ARRIVALS_OF_A_DAY : 0;
    return rc == WEDR_OK ? rc : wedr_fail(ei, rc, "%s: cannot be read", s->dir);
}

/* The part of a day that outlives it. A batch whose block is gone is not counted as expired: it was
 * missing before. */
static int copy_to_catalog(struct wedr_events *s, sqlite3 *day, int32_t number)
{
    static const struct {
        const char *select, *insert;
    } copies[] = {
        {"SELECT * FROM loss", "INSERT OR IGNORE INTO loss VALUES(?,?,?,?,?,?,?,?,?,?,?)"},
        {"SELECT * FROM epoch_start",
         "INSERT OR IGNORE INTO epoch_start VALUES(?,?,?,?,?,?,?,?,?)"},
        {"SELECT * FROM epoch_end", "INSERT OR IGNORE INTO epoch_end VALUES(?,?,?,?,?,?,?,?)"},
        {"SELECT * FROM gap", "INSERT OR IGNORE INTO gap VALUES(?,?,?,?,?,?,?,?)"},
        {"SELECT * FROM tamper", "INSERT OR IGNORE INTO tamper VALUES(?,?,?,?,?,?,?,?)"},
        {"SELECT * FROM damage", "INSERT OR IGNORE INTO damage VALUES(?,?,?,?,?,?,?)"}};
    int rc = copy_rows(
        day,
        "SELECT b.agent, b.epoch, b.stream,"
        " sum(iif((b.block>0 AND EXISTS(SELECT 1 FROM data d JOIN blk k ON k.id=d.id WHERE "
        "d.id=b.block))"
        " OR EXISTS(SELECT 1 FROM tiny t WHERE t.id=-b.block), n-rejected, 0)), sum(rejected),"
        " (SELECT max(produced) FROM batch x WHERE x.agent=b.agent AND x.epoch=b.epoch AND "
        "x.stream=b.stream),"
        " boot_id, hostname, t_last, max(seq1),"
        " (SELECT min(arrival) FROM batch x WHERE x.agent=b.agent AND x.epoch=b.epoch AND "
        "x.stream=b.stream)"
        " FROM batch b GROUP BY 1, 2, 3",
        s->catalog,
        /* the same day again: the clock was set back and the day was made anew */
        "INSERT INTO expired(agent, epoch, stream, expired, rejected, produced, boot_id,"
        " hostname, t_last, seq_max, arrival, day) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT(agent, epoch, stream, day) DO UPDATE SET expired=expired+excluded.expired,"
        " rejected=rejected+excluded.rejected, produced=max(produced, excluded.produced),"
        " t_last=iif(excluded.seq_max>seq_max, excluded.t_last, t_last),"
        " seq_max=max(seq_max, excluded.seq_max), arrival=min(arrival, excluded.arrival)",
        number);
    for (size_t i = 0; rc == WEDR_OK && i < WEDR_ARRAY_COUNT(copies); i++) {
        rc = copy_rows(day, copies[i].select, s->catalog, copies[i].insert, 0);
    }
    return rc == WEDR_OK ? wedr_runs_copy(day, s->catalog) : rc;
}

/* Puts what the ledger needs into the catalog, together with the promise to delete the file. */
static int promise_drop(struct wedr_events *s, int32_t day, struct wedr_errinfo *ei)
{
    sqlite3 *db = NULL;
    char sql[160], path[WEDR_EVENTS_PATH_MAX + 64];
    int64_t promised = 0;
    (void)snprintf(sql, sizeof(sql), "SELECT day FROM dropping WHERE day=%d", day);
    int rc = wedr_sqlite_int(s->catalog, sql, &promised);
    if (rc != WEDR_E_NOENT) {
        return rc; /* done before: the file could not be deleted then */
    }
    day_path(s, day, "", path, sizeof(path));
    rc = wedr_day_open_reader(path, &db);
    if (rc != WEDR_OK) {
        return wedr_fail(ei, rc, "%s: %s", path, wedr_err_text(rc));
    }
    rc = wedr_sqlite_exec(s->catalog, "BEGIN IMMEDIATE");
    rc = rc == WEDR_OK ? copy_to_catalog(s, db, day) : rc;
    sqlite3_close(db);
    (void)snprintf(sql, sizeof(sql), "INSERT INTO dropping VALUES(%d)", day);
    rc = rc == WEDR_OK ? wedr_sqlite_exec(s->catalog, sql) : rc;
    rc = rc == WEDR_OK ? wedr_sqlite_exec(s->catalog, "COMMIT") : rc;
    if (rc != WEDR_OK) {
        wedr_fail(ei, rc, "catalog: %s", sqlite3_errmsg(s->catalog));
        if (!sqlite3_get_autocommit(s->catalog)) {
            sqlite3_exec(s->catalog, "ROLLBACK", NULL, NULL, NULL);
        }
    }
    return rc;
}

/* What the writer knows of the day's ranges: from now on they are below the mark. */
static int forget_day(struct wedr_events *s, int32_t day)
{
    char sql[160];
    wedr_embedded_day_close(s, day);
    wedr_keep_forget(s);
    (void)snprintf(sql, sizeof(sql),
                   "SELECT agent, epoch, stream, seq_max FROM expired WHERE day=%d", day);
    int rc = copy_rows(s->catalog, sql, s->mem,
                       "INSERT INTO mark VALUES(?,?,?,?) ON CONFLICT DO UPDATE SET "
                       "seq_max=max(seq_max, excluded.seq_max)",
                       0);
    (void)snprintf(sql, sizeof(sql), "DELETE FROM held WHERE day=%d", day);
    return rc == WEDR_OK ? wedr_sqlite_exec(s->mem, sql) : rc;
}

/* The long parts, copying and deleting, are done without the lock: no commit waits for them. */
int wedr_embedded_drop_day(struct wedr_events *s, int32_t day, struct wedr_errinfo *ei)
{
    wedr_mutex_lock(s->lock);
    s->dropping = day;
    wedr_mutex_unlock(s->lock);
    int rc = promise_drop(s, day, ei);
    bool promised = rc == WEDR_OK;
    if (rc == WEDR_E_CORRUPT) {
        wedr_mutex_lock(s->lock);
        wedr_embedded_set_aside(s, day);
        wedr_mutex_unlock(s->lock);
    }
    if (promised) {
        wedr_mutex_lock(s->lock);
        rc = forget_day(s, day);
        wedr_mutex_unlock(s->lock);
    }
    rc = rc == WEDR_OK ? unlink_day(s, day) : rc;
    if (rc == WEDR_OK || !promised) { /* else nothing may be stored there: it will go */
        wedr_mutex_lock(s->lock);
        s->dropping = -1;
        wedr_mutex_unlock(s->lock);
    }
    return rc;
}
