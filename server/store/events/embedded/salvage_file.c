/* SPDX-License-Identifier: Apache-2.0
 *
 * The files that were set aside: opening them, which day they are of, where they go when they are
 * done. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "store/events/embedded/keep.h"
#include "store/events/embedded/salvage.h"
#include <stdio.h>
#include <string.h>

#define FILES_A_ROUND 64u

/* The day's file for the rest: made when nothing came since. */
static int open_fresh(struct wedr_salvage *w, const char *day)
{
    char path[WEDR_EVENTS_PATH_MAX + 64];
    struct wedr_day_handle *h = NULL;
    (void)snprintf(path, sizeof(path), "%s/%s.db", w->s->dir, day);
    wedr_mutex_lock(w->s->lock);
    int err = wedr_embedded_day(w->s, w->day, true, &h, NULL);
    wedr_mutex_unlock(w->s->lock);
    return err == WEDR_OK ? wedr_day_open_worker(path, &w->to) : err;
}

/* "<day>.db.damaged-X" and its log become "<day>.db.salvaged-X". */
static int put_away(struct wedr_events *s, const char *name)
{
    static const char *const suffixes[3] = {"-shm", "-wal", ""};
    char from[128], to[128];
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(suffixes); i++) {
        (void)snprintf(from, sizeof(from), "%.90s%s", name, suffixes[i]);
        (void)snprintf(to, sizeof(to), "%.13s.salvaged%.60s%s", name,
                       name + strlen("2026-11-23.db.damaged"), suffixes[i]);
        err = wedr_fs_rename_at(s->dir_handle, from, to);
        err = err == WEDR_E_NOENT ? WEDR_OK : err;
    }
    return err == WEDR_OK ? wedr_fs_sync(s->dir_handle) : err;
}

static int open_damaged(struct wedr_salvage *w, const char *name)
{
    char path[WEDR_EVENTS_PATH_MAX + 160];
    bool sums = false;
    (void)snprintf(path, sizeof(path), "%s/%s", w->s->dir, name);
    int err = wedr_salvage_open(path, &w->from);
    if (wedr_salvage_is_damage(err)) {
        w->sums.index_damaged = true;
        err = wedr_salvage_first_page(w->s, name, &sums);
        err = err == WEDR_OK ? wedr_salvage_open(path, &w->from) : err;
        w->head_lost = !sums;
    }
    return err;
}

/* The file may have lain under another day's name: its batches belong to its own day, where they
 * may be already. Files of older releases do not say; any batch of the day that they are called
 * shows that they are of it. */
static int32_t day_of(struct wedr_salvage *w, int32_t named)
{
    char sql[128];
    int64_t v = 0;
    long long from = (long long)named * 86400000000LL;
    if (wedr_sqlite_int(w->from, "SELECT value FROM meta WHERE key='day'", &v) == WEDR_OK) {
        return v >= 0 && v < 32768 ? (int32_t)v : named;
    }
    (void)snprintf(sql, sizeof(sql),
                   "SELECT 1 FROM batch WHERE received_at>=%lld AND received_at<%lld LIMIT 1", from,
                   from + 86400000000LL);
    if (wedr_sqlite_int(w->from, sql, &v) != WEDR_E_NOENT ||
        wedr_sqlite_int(w->from, "SELECT received_at FROM batch LIMIT 1", &v) != WEDR_OK) {
        return named;
    }
    return wedr_day_of(v);
}

/* Its batches were counted as expired. */
static bool is_dropped(struct wedr_events *s, int32_t day)
{
    char sql[64];
    int64_t v = 0;
    (void)snprintf(sql, sizeof(sql), "SELECT 1 FROM expired WHERE day=%d LIMIT 1", day);
    return wedr_sqlite_int(s->catalog, sql, &v) == WEDR_OK;
}

/* The log beside a file may be another day's and hide what the file holds. */
static bool put_log_away(struct wedr_events *s, const char *name)
{
    char from[128], to[128];
    (void)snprintf(from, sizeof(from), "%.90s-shm", name);
    int err = wedr_fs_unlink_at(s->dir_handle, from);
    (void)snprintf(from, sizeof(from), "%.90s-wal", name);
    (void)snprintf(to, sizeof(to), "%.13s.salvaged%.60s-log-wal", name,
                   name + strlen("2026-11-23.db.damaged"));
    return (err == WEDR_OK || err == WEDR_E_NOENT) &&
           wedr_fs_rename_at(s->dir_handle, from, to) == WEDR_OK;
}

static bool salvage_one(struct wedr_events *s, const char *name, int32_t day, bool log_away)
{
    char text[WEDR_DAY_TEXT];
    struct wedr_salvage w = {.s = s, .day = day};
    wedr_mutex_lock(s->lock);
    wedr_keep_forget(s); /* also when it ends half way */
    wedr_mutex_unlock(s->lock);
    int err = open_damaged(&w, name);
    w.day = err == WEDR_OK ? day_of(&w, day) : day;
    wedr_day_text(w.day, text);
    if (wedr_salvage_is_damage(err) || (w.day != day && is_dropped(s, w.day))) {
        err = wedr_salvage_is_damage(err) ? WEDR_OK : err; /* not even its tables can be found */
    } else {
        err = err == WEDR_OK ? open_fresh(&w, text) : err;
        err = err == WEDR_OK ? wedr_salvage_all(&w) : err;
    }
    sqlite3_close(w.from);
    sqlite3_close(w.to);
    bool again = err == WEDR_OK && w.day != day && !log_away && put_log_away(s, name);
    err = err == WEDR_OK && !again ? put_away(s, name) : err;
    if (err != WEDR_OK) {
        wedr_log(ERROR, "events.not_salvaged", WEDR_STR("file", name), WEDR_ERR(err));
        return false;
    }
    wedr_log(ERROR, "events.salvaged", WEDR_STR("file", name), WEDR_STR("day", text),
             WEDR_U64("batches", w.sums.batches), WEDR_U64("lines", w.sums.lines),
             WEDR_U64("lost_batches", w.sums.lost_batches),
             WEDR_U64("lost_lines", w.sums.lost_lines),
             WEDR_U64("index_damaged", w.sums.index_damaged));
    return !again || salvage_one(s, name, day, true);
}

struct damaged {
    char name[FILES_A_ROUND][96];
    int32_t day[FILES_A_ROUND];
    size_t count;
};

static int add_damaged(void *arg, const char *name)
{
    struct damaged *d = arg;
    size_t len = strlen(name);
    const char *tail = len > 4 ? name + len - 4 : "";
    bool part = strcmp(tail, "-wal") == 0 || strcmp(tail, "-shm") == 0;
    if (!part && d->count < FILES_A_ROUND && len < sizeof(d->name[0]) &&
        len > strlen("2026-11-23.db.damaged-") &&
        strncmp(name + WEDR_DAY_TEXT - 1, ".db.damaged-", 12) == 0 &&
        wedr_day_parse(name, WEDR_DAY_TEXT - 1, &d->day[d->count])) {
        memcpy(d->name[d->count++], name, len + 1);
    }
    return 0;
}

unsigned wedr_salvage(struct wedr_events *s)
{
    unsigned done = 0;
    struct damaged *d = wedr_alloc(1, sizeof(*d));
    int err = d ? wedr_fs_list(s->dir_handle, add_damaged, d) : WEDR_E_NOMEM;
    for (size_t i = 0; err == WEDR_OK && i < d->count; i++) {
        done += salvage_one(s, d->name[i], d->day[i], false);
    }
    wedr_free(d);
    return done;
}
