/* SPDX-License-Identifier: Apache-2.0
 *
 * What lies long enough on a disk changes by itself. Each day that is over is verified now and
 * then, in the background; a damaged one is set aside, and the next round saves what can be read
 * and counts the rest. */
#include "core/base/err.h"
#include "core/util/log.h"
#include "store/events/embedded/keep.h"
#include "store/events/embedded/verify.h"
#include "wedr/plat/time.h"
#include <stdio.h>

struct watch {
    struct wedr_events *s;
    uint64_t start_ns;
    char first[128]; /* what is wrong */
};

#define WORK_NS 50000000u /* then it rests as long */

static bool end_now(void *ctx)
{
    struct watch *w = ctx;
    if (wedr_time_mono_ns() - w->start_ns < WORK_NS) {
        return false;
    }
    bool stop = wedr_keep_rest(w->s, w->start_ns);
    w->start_ns = wedr_time_mono_ns();
    return stop;
}

static void note_first(void *ctx, const char *day, const char *batch, const char *what)
{
    struct watch *w = ctx;
    (void)day;
    if (!w->first[0]) {
        (void)snprintf(w->first, sizeof(w->first), "%.80s%s%.40s", batch, batch[0] ? ": " : "",
                       what);
    }
}

/* When it was last found whole; 0: never. */
static int64_t checked_at(const char *path)
{
    sqlite3 *db = NULL;
    int64_t at = 0;
    if (wedr_day_open_reader(path, &db) == WEDR_OK &&
        wedr_sqlite_int(db, "SELECT value FROM meta WHERE key='checked'", &at) != WEDR_OK) {
        at = 0;
    }
    sqlite3_close(db);
    return at;
}

static int note_checked(const char *path, int64_t now_us)
{
    sqlite3 *db = NULL;
    int err = wedr_day_open_worker(path, &db);
    err = err == WEDR_OK
              ? wedr_sqlite_run(db, "INSERT OR REPLACE INTO meta VALUES('checked', ?)", "i", now_us)
              : err;
    sqlite3_close(db);
    return err;
}

static void set_aside(struct wedr_events *s, int32_t day, const char *text, const char *why)
{
    wedr_log(ERROR, "events.day_damaged", WEDR_STR("day", text), WEDR_STR("first", why));
    wedr_mutex_lock(s->lock);
    wedr_embedded_set_aside(s, day);
    wedr_mutex_unlock(s->lock);
}

bool wedr_scrub_day(struct wedr_events *s, int32_t day, bool doubtful, int64_t now_us)
{
    struct watch w = {.s = s, .start_ns = wedr_time_mono_ns()};
    struct wedr_verify_sums sums;
    char path[WEDR_EVENTS_PATH_MAX + 64], text[WEDR_DAY_TEXT];
    int64_t every = (int64_t)wedr_keep_settings(s).check_days * INT64_C(86400000000);
    wedr_day_text(day, text);
    (void)snprintf(path, sizeof(path), "%s/%s.db", s->dir, text);
    if (!every) {
        return false;
    }
    if (!doubtful) {
        int64_t at = checked_at(path);
        if (at && at <= now_us && now_us - at < every) {
            return false;
        }
    }
    int err = wedr_events_verify_day(s->dir, day, note_first, end_now, &w, &sums);
    if (err == WEDR_OK && sums.problems) {
        set_aside(s, day, text, w.first);
    } else if (err == WEDR_OK) {
        err = note_checked(path, now_us);
    }
    if (err != WEDR_OK && err != WEDR_E_TIMEOUT) {
        wedr_log(WARN, "events.not_checked", WEDR_STR("day", text), WEDR_ERR(err));
    }
    return true;
}
