/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "store/events/embedded/keep.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAYS_MAX 32768u
#define OWED_US INT64_C(120000000)

struct file {
    int32_t day;
    uint64_t bytes;
};

struct files {
    struct wedr_events *s;
    struct file *v;
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
        struct file *v = cap > DAYS_MAX ? NULL : wedr_realloc(f->v, cap, sizeof(*v));
        if (!v) {
            return WEDR_E_NOMEM;
        }
        f->v = v;
        f->cap = cap;
    }
    (void)snprintf(log, sizeof(log), "%s-wal", name);
    f->v[f->count++] = (struct file){day, wedr_embedded_file_size(f->s, name) +
                                              wedr_embedded_file_size(f->s, log)};
    return 0;
}

static int compare(const void *a, const void *b)
{
    const struct file *x = a, *y = b;
    return (x->day > y->day) - (x->day < y->day);
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

static bool
is_due(const struct wedr_events_settings *set, int32_t day, const struct room *room, int32_t today)
{
    int64_t age = (int64_t)today - day;
    if (age <= 0) {
        return false; /* the file that is being written */
    }
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

static bool drop(struct wedr_events *s, const struct file *f)
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

void wedr_retain(struct wedr_events *s, int64_t now_us)
{
    const struct wedr_events_settings set = wedr_keep_settings(s);
    struct files f = {.s = s};
    wedr_handle lock = WEDR_HANDLE_NONE;
    struct room room = {0, UINT64_MAX};
    uint64_t kept = 0;
    int32_t today = wedr_day_of(now_us), oldest = 0;
    int err = wedr_fs_list(s->dir_handle, add_file, &f);
    for (size_t i = 0; i < f.count; i++) {
        room.bytes += f.v[i].bytes;
    }
    if (wedr_fs_free_bytes(s->dir_handle, &room.free_bytes) != WEDR_OK) {
        room.free_bytes = UINT64_MAX;
    }
    uint64_t owed = owed_bytes(s, room.free_bytes, now_us);
    room.free_bytes += room.free_bytes < UINT64_MAX - owed ? owed : 0;
    if (err == WEDR_OK && f.count > 1) {
        qsort(f.v, f.count, sizeof(*f.v), compare);
    }
    for (size_t i = 0; err == WEDR_OK && i < f.count; i++) {
        bool due = is_due(&set, f.v[i].day, &room, today);
        /* A backup that is being made keeps them all for now. */
        if (due && (lock != WEDR_HANDLE_NONE || take_lock(s, &lock) == WEDR_OK)) {
            if (drop(s, &f.v[i])) {
                s->owed.bytes += f.v[i].bytes;
                s->owed.at_us = now_us;
            }
            room.bytes -= f.v[i].bytes;
            room.free_bytes += room.free_bytes < UINT64_MAX - f.v[i].bytes ? f.v[i].bytes : 0;
        } else {
            kept++;
            oldest = kept == 1 ? f.v[i].day : oldest;
        }
    }
    wedr_fs_close(lock);
    wedr_free(f.v);
    wedr_mutex_lock(s->lock);
    s->stats.bytes = room.bytes;
    s->stats.days = kept;
    s->stats.oldest_us = (int64_t)oldest * INT64_C(86400000000);
    wedr_mutex_unlock(s->lock);
}
