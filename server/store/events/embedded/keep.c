/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/embedded/keep.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "store/events/embedded/salvage.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define SWEEP_ROWS 128u       /* deleted in one transaction */
#define SEALED_MAX 32768u     /* day numbers */
#define LOG_LONG_ENOUGH 1024u /* frames after which our own writes are copied into the file */

struct wedr_keep {
    struct wedr_thread *thread;
    struct wedr_cond *wake;
    bool running, stop; /* under the store's lock */
    bool forget;        /* so, too: files were exchanged */
    struct wedr_waiting *waiting;
    uint8_t sealed[SEALED_MAX / 8];
    uint8_t checked[SEALED_MAX / 8]; /* need not be asked when they were verified */
    int64_t checked_since_us;
    int64_t round_us; /* the round's time when it began, and the clock that goes on from there */
    uint64_t round_mono_ms;
};

int64_t wedr_keep_now(const struct wedr_events *s)
{
    return s->keep->round_us + (int64_t)(wedr_time_mono_ms() - s->keep->round_mono_ms) * 1000;
}

struct wedr_events_settings wedr_keep_settings(struct wedr_events *s)
{
    wedr_mutex_lock(s->lock);
    struct wedr_events_settings set = s->settings;
    wedr_mutex_unlock(s->lock);
    return set;
}

/* True when it is time to end. */
static bool wait_ms(struct wedr_events *s, uint64_t ms)
{
    wedr_mutex_lock(s->lock);
    bool stop = s->keep->stop;
    if (!stop && ms && s->keep->running) { /* a round that a test makes does not wait */
        (void)wedr_cond_wait(s->keep->wake, s->lock,
                             ms > UINT32_MAX - 1 ? UINT32_MAX - 1 : (uint32_t)ms);
        stop = s->keep->stop;
    }
    wedr_mutex_unlock(s->lock);
    return stop;
}

bool wedr_keep_rest(struct wedr_events *s, uint64_t start_ns)
{
    return wait_ms(s, (wedr_time_mono_ns() - start_ns) / 1000000u + 1);
}

static bool disk_is_low(struct wedr_events *s)
{
    uint64_t free_bytes = 0;
    uint64_t low = wedr_keep_settings(s).low_water_bytes;
    return low && wedr_fs_free_bytes(s->dir_handle, &free_bytes) == WEDR_OK && free_bytes < low;
}

static int sweep(struct wedr_events *s, sqlite3 *db, int64_t now_us, bool *ret_some)
{
    int64_t grace = (int64_t)wedr_keep_settings(s).merge_grace_s * 1000000;
    for (unsigned swept = SWEEP_ROWS; swept == SWEEP_ROWS;) {
        uint64_t start = wedr_time_mono_ns();
        int err = wedr_merge_sweep(db, now_us - grace, SWEEP_ROWS, &swept);
        if (err != WEDR_OK) {
            return err;
        }
        *ret_some = *ret_some || swept;
        if (swept == SWEEP_ROWS && wedr_keep_rest(s, start)) {
            return WEDR_E_TIMEOUT;
        }
    }
    return WEDR_OK;
}

static int note_frames(void *arg, sqlite3 *db, const char *name, int frames)
{
    (void)db;
    (void)name;
    *(unsigned *)arg = (unsigned)frames;
    return SQLITE_OK;
}

static bool is_over(struct wedr_events *s, int32_t day, int64_t now_us)
{
    return now_us >= (int64_t)(day + 1) * INT64_C(86400000000) +
                         (int64_t)wedr_keep_settings(s).seal_after_s * 1000000;
}

static int merge_day(
    struct wedr_events *s, sqlite3 *db, int32_t day, int64_t now_us, struct wedr_merge_sums *sums)
{
    struct wedr_waiting *w = s->keep->waiting;
    int err = wedr_waiting_look(w, db, day);
    return err == WEDR_OK ? wedr_seal_merge_due(s, db, w, now_us, sums) : err;
}

static int seal_day(struct wedr_events *s,
                    sqlite3 *db,
                    int32_t day,
                    int64_t now_us,
                    struct wedr_merge_sums *sums,
                    bool *ret_done)
{
    wedr_waiting_end(s->keep->waiting, day);
    return wedr_seal_day(s, db, now_us, sums, ret_done);
}

static int work_on(struct wedr_events *s, sqlite3 *db, int32_t day, int64_t now_us)
{
    struct wedr_merge_sums sums = {0};
    int64_t sealed = 0;
    bool some = false, done = false;
    int err = wedr_sqlite_int(db, "SELECT value FROM meta WHERE key='sealed'", &sealed);
    if (err == WEDR_OK && day < wedr_day_of(now_us)) {
        s->keep->sealed[day / 8] |= (uint8_t)(1u << (day % 8));
        return WEDR_OK;
    }
    err = sweep(s, db, now_us, &some);
    if (err == WEDR_OK && !disk_is_low(s)) {
        err = is_over(s, day, now_us) ? seal_day(s, db, day, now_us, &sums, &done)
                                      : merge_day(s, db, day, now_us, &sums);
    }
    wedr_mutex_lock(s->lock);
    s->stats.merges += sums.blocks;
    s->stats.merged_batches += sums.places;
    s->stats.merged_lines += sums.lines;
    s->stats.days_sealed += done;
    wedr_mutex_unlock(s->lock);
    if (sums.blocks || done) {
        char text[WEDR_DAY_TEXT];
        wedr_day_text(day, text);
        wedr_log(DEBUG, "events.merged", WEDR_STR("day", text), WEDR_U64("blocks", sums.blocks),
                 WEDR_U64("places", sums.places), WEDR_U64("lines", sums.lines),
                 WEDR_U64("bytes_before", sums.bytes_before),
                 WEDR_U64("bytes_after", sums.bytes_after), WEDR_U64("sealed", done));
    }
    return err;
}

static int do_day(struct wedr_events *s, int32_t day, int64_t now_us)
{
    char path[WEDR_EVENTS_PATH_MAX + 64], text[WEDR_DAY_TEXT];
    sqlite3 *db = NULL;
    unsigned frames = 0;
    if (s->keep->sealed[day / 8] & 1u << (day % 8)) {
        return WEDR_OK;
    }
    wedr_day_text(day, text);
    (void)snprintf(path, sizeof(path), "%s/%s.db", s->dir, text);
    int err = wedr_day_open_worker(path, &db);
    if (err != WEDR_OK) {
        return err == WEDR_E_NOENT ? WEDR_OK : err;
    }
    sqlite3_wal_hook(db, note_frames, &frames);
    err = work_on(s, db, day, now_us);
    if (frames >= LOG_LONG_ENOUGH) {
        sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    sqlite3_close(db);
    return err;
}

struct days {
    int32_t v[4096];
    size_t count;
};

static int add_day(void *arg, const char *name)
{
    struct days *d = arg;
    int32_t day = 0;
    if (wedr_day_of_file(name, &day) && day >= 0 && day < (int32_t)SEALED_MAX &&
        d->count < WEDR_ARRAY_COUNT(d->v)) {
        d->v[d->count++] = day;
    }
    return 0;
}

#define ASK_AGAIN_US INT64_C(86400000000)

/* A day a round is read as a whole, of those that nothing is written to any more. */
static void check_one(struct wedr_events *s, const struct days *d, int64_t now_us)
{
    struct wedr_keep *k = s->keep;
    if (now_us - k->checked_since_us >= ASK_AGAIN_US || now_us < k->checked_since_us) {
        memset(k->checked, 0, sizeof(k->checked));
        k->checked_since_us = now_us;
    }
    for (size_t i = 0; i < d->count && !wait_ms(s, 0); i++) {
        uint8_t bit = (uint8_t)(1u << (d->v[i] % 8)), *sealed = &k->sealed[d->v[i] / 8];
        uint8_t *checked = &k->checked[d->v[i] / 8];
        if ((*sealed & bit) && !(*checked & bit)) {
            *checked |= bit;
            if (wedr_scrub_day(s, d->v[i], false, now_us)) {
                return;
            }
        }
    }
}

void wedr_keep_round(struct wedr_events *s, int64_t now_us)
{
    struct days d = {.count = 0};
    s->keep->round_us = now_us;
    s->keep->round_mono_ms = wedr_time_mono_ms();
    if (!disk_is_low(s) && wedr_salvage(s) > 0) {
        memset(s->keep->sealed, 0, sizeof(s->keep->sealed)); /* their days are new */
        memset(s->keep->checked, 0, sizeof(s->keep->checked));
    }
    wedr_mutex_lock(s->lock);
    bool forget = s->keep->forget;
    s->keep->forget = false;
    wedr_mutex_unlock(s->lock);
    if (forget) {
        wedr_waiting_forget(s->keep->waiting);
    }
    wedr_retain(s, now_us);
    int err =
        wedr_keep_settings(s).merge_lines ? wedr_fs_list(s->dir_handle, add_day, &d) : WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < d.count && !wait_ms(s, 0); i++) {
        int one = do_day(s, d.v[i], now_us);
        if (one != WEDR_OK && one != WEDR_E_TIMEOUT) {
            wedr_log(WARN, "events.housekeeping", WEDR_I64("day", d.v[i]), WEDR_ERR(one));
        }
        if (one == WEDR_E_CORRUPT) {
            (void)wedr_scrub_day(s, d.v[i], true, now_us);
        }
    }
    if (err == WEDR_OK && !disk_is_low(s)) {
        check_one(s, &d, now_us);
    }
    wedr_mutex_lock(s->lock);
    s->stats.rounds++;
    wedr_mutex_unlock(s->lock);
}

static void run(void *arg)
{
    struct wedr_events *s = arg;
    wedr_thread_background();
    do {
        wedr_keep_round(s, wedr_time_utc_us());
    } while (!wait_ms(s, wedr_keep_settings(s).keep_interval_ms));
}

int wedr_keep_start(struct wedr_events *s)
{
    wedr_mutex_lock(s->lock);
    bool running = s->keep->running;
    s->keep->running = true;
    wedr_mutex_unlock(s->lock);
    int err = running ? WEDR_OK : wedr_thread_new(&s->keep->thread, "keep", run, s);
    if (err != WEDR_OK) {
        wedr_mutex_lock(s->lock);
        s->keep->running = false;
        wedr_mutex_unlock(s->lock);
    }
    return err;
}

int wedr_keep_new(struct wedr_events *s)
{
    s->keep = wedr_alloc(1, sizeof(*s->keep));
    if (!s->keep) {
        return WEDR_E_NOMEM;
    }
    s->keep->wake = wedr_cond_new();
    s->keep->waiting = wedr_waiting_new();
    return s->keep->wake && s->keep->waiting ? WEDR_OK : WEDR_E_NOMEM;
}

void wedr_keep_forget(struct wedr_events *s)
{
    if (s->keep) {
        s->keep->forget = true;
    }
}

void wedr_keep_stop(struct wedr_events *s)
{
    if (!s->keep) {
        return;
    }
    if (s->keep->thread) {
        wedr_mutex_lock(s->lock);
        s->keep->stop = true;
        wedr_cond_broadcast(s->keep->wake);
        wedr_mutex_unlock(s->lock);
        wedr_thread_join(s->keep->thread);
    }
    wedr_cond_free(s->keep->wake);
    wedr_waiting_free(s->keep->waiting);
    wedr_free(s->keep);
    s->keep = NULL;
}
