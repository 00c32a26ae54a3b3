/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "store/events/embedded/keep.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYS_MAX 32768u
#define OWED_US INT64_C(120000000)

struct files {
    struct wedr_events *s;
    struct wedr_day_age *v;
    size_t count, cap;
};

/* The log counts, too: it becomes a part of the file. */
static int add_file(void *arg, const char *name)
{
    struct files *f = arg;
    char log[64];
    int32_t day = 0;
    if (!wedr_day_of_file(name, &day)) {
        return 0;
    }
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 64;
        struct wedr_day_age *v = cap > DAYS_MAX ? NULL : wedr_realloc(f->v, cap, sizeof(*v));
        if (!v) {
            return WEDR_E_NOMEM;
        }
        f->v = v;
        f->cap = cap;
    }
    (void)snprintf(log, sizeof(log), "%s-wal", name);
    f->v[f->count++] = (struct wedr_day_age){.day = day,
                                             .of = day,
                                             .bytes = wedr_embedded_file_size(f->s, name) +
                                                      wedr_embedded_file_size(f->s, log)};
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct wedr_day_age *x = a, *y = b;
    return (x->day > y->day) - (x->day < y->day);
}

static int by_age(const void *a, const void *b)
{
    const struct wedr_day_age *x = a, *y = b;
    int order = (x->of > y->of) - (x->of < y->of);
    return order ? order : by_name(a, b);
}

/* --- How old a day is. */

/* A file is named by the server's clock, which may have been wrong. What most endpoints say can
 * make it younger than its name, never older; a time that has not come yet says nothing. A file
 * that is named after a day that has not come is what they say. */
static int32_t true_day(struct wedr_events *s, int32_t day, int32_t today)
{
    char path[WEDR_EVENTS_PATH_MAX + 32], text[WEDR_DAY_TEXT];
    struct wedr_day_witness w = {0};
    wedr_day_text(day, text);
    (void)snprintf(path, sizeof(path), "%s/%s.db", s->dir, text);
    if (wedr_day_witness(path, 0, &w) != WEDR_OK || w.endpoints == 0) {
        return day;
    }
    int32_t said = wedr_day_of(w.median_us);
    return said > today || (day <= today && said < day) ? day : said;
}

/* Looks into each file once, and again when its size changed. Both lists are in the order of names;
 * the new one is kept for the next round, in that order. */
static void find_ages(struct wedr_events *s, const struct files *f, int32_t written, int32_t today)
{
    size_t at = 0;
    for (size_t i = 0; i < f->count; i++) {
        struct wedr_day_age *a = &f->v[i];
        while (at < s->age_count && s->ages[at].day < a->day) {
            at++;
        }
        bool known = at < s->age_count && s->ages[at].day == a->day &&
                     s->ages[at].bytes == a->bytes && s->ages[at].today == today;
        a->today = today;
        a->of = a->day == written ? a->day : known ? s->ages[at].of : true_day(s, a->day, today);
    }
    struct wedr_day_age *copy = f->count ? wedr_realloc(s->ages, f->count, sizeof(*copy)) : NULL;
    if (copy) {
        memcpy(copy, f->v, f->count * sizeof(*copy));
        s->ages = copy;
    }
    s->age_count = copy ? f->count : 0;
}

/* --- What today is. */

static void tell_clock(const struct wedr_retain_clock *c, const char *event)
{
    wedr_log(WARN, event, WEDR_I64("ahead_s", c->ahead_us / 1000000),
             WEDR_I64("doubted_s", c->doubted_us / 1000000));
}

/* True when it may be believed. */
static bool clock_is_witnessed(struct wedr_events *s)
{
    char path[WEDR_EVENTS_PATH_MAX + 32], text[WEDR_DAY_TEXT];
    struct wedr_day_witness w = {0};
    wedr_day_text(wedr_day_of(s->clock.seen_us), text);
    (void)snprintf(path, sizeof(path), "%s/%s.db", s->dir, text);
    return wedr_day_witness(path, s->clock.seen_us, &w) == WEDR_OK && w.near * 2 > w.endpoints;
}

/* The first release that doubts clocks, or a catalog that was lost: the newest day that has come is
 * the time that was seen last. */
static void begin_clock(struct wedr_events *s, const struct files *f, int64_t now_us)
{
    int32_t today = wedr_day_of(now_us), newest = -1;
    for (size_t i = 0; i < f->count; i++) {
        newest = f->v[i].day <= today && f->v[i].day > newest ? f->v[i].day : newest;
    }
    if (s->clock.seen_us == 0 && newest >= 0 && newest < today) {
        s->clock.seen_us = (int64_t)(newest + 1) * INT64_C(86400000000);
    }
}

static int32_t find_today(struct wedr_events *s, const struct files *f, int64_t now_us)
{
    struct wedr_retain_clock *c = &s->clock;
    int64_t hold_us = (int64_t)wedr_keep_settings(s).clock_doubt_s * 1000000;
    begin_clock(s, f, now_us);
    enum wedr_clock_news news = wedr_retain_clock_look(c, now_us, wedr_time_boot_ns() / 1000000);
    bool changed = news != WEDR_CLOCK_QUIET;
    if (news == WEDR_CLOCK_RETURNED) {
        tell_clock(c, "events.clock_returned");
    } else if (c->ahead_us &&
               (hold_us == 0 || (c->doubted_us >= hold_us && clock_is_witnessed(s)))) {
        tell_clock(c, "events.clock_believed");
        wedr_retain_clock_believe(c);
        changed = true;
    } else if (news == WEDR_CLOCK_LEAPT) {
        tell_clock(c, "events.clock_leapt");
    }
    int err = wedr_retain_clock_save(c, s->catalog, changed);
    if (err != WEDR_OK) {
        wedr_log(ERROR, "events.clock_not_noted", WEDR_ERR(err));
    }
    return wedr_day_of(wedr_retain_clock_now(c));
}

/* Held while days are deleted, and by whoever copies them meanwhile: a backup. */
static int take_lock(struct wedr_events *s, wedr_handle *ret)
{
    int err = wedr_fs_open_at(s->dir_handle, WEDR_EVENTS_KEEP_LOCK,
                              WEDR_FS_READ | WEDR_FS_WRITE | WEDR_FS_CREATE, 0600, ret);
    err = err == WEDR_OK ? wedr_fs_lock(*ret) : err;
    if (err != WEDR_OK) {
        wedr_fs_close(*ret);
        *ret = WEDR_HANDLE_NONE;
    }
    return err;
}

/* What is there now, and would be after the days that went. */
struct room {
    uint64_t bytes, free_bytes;
};

/* age: in days. */
static bool is_due(const struct wedr_events_settings *set, int64_t age, const struct room *room)
{
    return (set->retention_days && age > (int64_t)set->retention_days) ||
           (set->retention_bytes && room->bytes > set->retention_bytes) ||
           (room->free_bytes < set->retention_free_bytes &&
            age > (int64_t)set->retention_floor_days);
}

/* A reader that has a deleted file open keeps its room from the disk until it lists the days again
 * or its question ends. Until then, or for OWED_US, the room counts as free: else each round would
 * delete one more day for it. */
static uint64_t owed_bytes(struct wedr_events *s, uint64_t free_bytes, int64_t now_us)
{
    uint64_t came = free_bytes > s->owed.free_before ? free_bytes - s->owed.free_before : 0;
    bool over = now_us < s->owed.at_us || now_us - s->owed.at_us >= OWED_US;
    if (over || came >= s->owed.bytes) {
        s->owed.bytes = 0;
        s->owed.free_before = free_bytes;
        return 0;
    }
    return s->owed.bytes - came;
}

static bool drop(struct wedr_events *s, const struct wedr_day_age *f)
{
    struct wedr_errinfo ei = {""};
    char text[WEDR_DAY_TEXT];
    wedr_day_text(f->day, text);
    int err = wedr_embedded_drop_day(s, f->day, &ei);
    if (err != WEDR_OK) {
        wedr_log(ERROR, "events.day_not_deleted", WEDR_STR("day", text), WEDR_ERR(err),
                 WEDR_STR("why", ei.text));
        return false;
    }
    wedr_log(INFO, "events.day_deleted", WEDR_STR("day", text), WEDR_U64("bytes", f->bytes));
    wedr_mutex_lock(s->lock);
    s->stats.days_dropped++;
    wedr_mutex_unlock(s->lock);
    return true;
}

/* Room now, with what readers still hold. */
static struct room find_room(struct wedr_events *s, const struct files *f, int64_t now_us)
{
    struct room room = {0, UINT64_MAX};
    for (size_t i = 0; i < f->count; i++) {
        room.bytes += f->v[i].bytes;
    }
    if (wedr_fs_free_bytes(s->dir_handle, &room.free_bytes) != WEDR_OK) {
        room.free_bytes = UINT64_MAX;
    }
    uint64_t owed = owed_bytes(s, room.free_bytes, now_us);
    room.free_bytes += room.free_bytes < UINT64_MAX - owed ? owed : 0;
    return room;
}

/* Deletes what is due, the oldest first; what stays is moved to the front of the list. */
static void
drop_due(struct wedr_events *s, struct files *f, struct room *room, int64_t now_us, int32_t today)
{
    const struct wedr_events_settings set = wedr_keep_settings(s);
    wedr_handle lock = WEDR_HANDLE_NONE;
    int32_t written = wedr_day_of(now_us);
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++) {
        const struct wedr_day_age *v = &f->v[i];
        bool in_use = v->day == written || v->day == written + 1; /* it may be midnight */
        bool due = !in_use && is_due(&set, (int64_t)today - v->of, room);
        /* A backup that is being made keeps them all for now. */
        if (due && (lock != WEDR_HANDLE_NONE || take_lock(s, &lock) == WEDR_OK)) {
            if (drop(s, v)) {
                s->owed.bytes += v->bytes;
                s->owed.at_us = now_us;
            }
            room->bytes -= v->bytes;
            room->free_bytes += room->free_bytes < UINT64_MAX - v->bytes ? v->bytes : 0;
        } else {
            f->v[kept++] = *v;
        }
    }
    f->count = kept;
    wedr_fs_close(lock);
}

void wedr_retain(struct wedr_events *s, int64_t now_us)
{
    struct files f = {.s = s};
    int32_t oldest = INT32_MAX;
    int err = wedr_fs_list(s->dir_handle, add_file, &f);
    struct room room = find_room(s, &f, now_us);
    if (err == WEDR_OK) {
        if (f.count > 1) {
            qsort(f.v, f.count, sizeof(*f.v), by_name);
        }
        int32_t today = find_today(s, &f, now_us);
        find_ages(s, &f, wedr_day_of(now_us), today);
        if (f.count > 1) {
            qsort(f.v, f.count, sizeof(*f.v), by_age);
        }
        drop_due(s, &f, &room, now_us, today);
    }
    for (size_t i = 0; i < f.count; i++) {
        oldest = f.v[i].day < oldest ? f.v[i].day : oldest;
    }
    wedr_mutex_lock(s->lock);
    s->stats.bytes = room.bytes;
    s->stats.days = f.count;
    s->stats.oldest_us = f.count ? (int64_t)oldest * INT64_C(86400000000) : 0;
    s->stats.clock_ahead_us = s->clock.ahead_us;
    wedr_mutex_unlock(s->lock);
    wedr_free(f.v);
}
