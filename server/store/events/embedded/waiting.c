/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/embedded/waiting.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "store/events/embedded/day_file.h"
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DAYS 8u /* not over at once: the one before, today, those of a clock that leapt ahead */
#define STREAMS_MIN 256u
#define STREAMS_MAX (1u << 19) /* about 90 MB: agents choose their streams' names and epochs */

/* Streams of a day by their names, in a table with open addressing that is never more than half
 * full. */
struct day {
    int32_t day;  /* -1: free */
    int64_t last; /* newest tiny.id that was looked at */
    uint64_t used;
    struct wedr_waiting_stream *v;
    size_t count, cap;
    uint32_t *slots; /* number in v plus one; 0: free */
    size_t slot_count;
    bool full_logged;
};

struct wedr_waiting {
    struct day days[DAYS], *now;
    uint64_t clock;
    uint8_t key[WEDR_HASH_KEY_LEN]; /* agents choose their streams' names */
};

struct wedr_waiting *wedr_waiting_new(void)
{
    struct wedr_waiting *w = wedr_alloc(1, sizeof(*w));
    if (w) {
        randombytes_buf(w->key, sizeof(w->key));
        wedr_waiting_forget(w);
    }
    return w;
}

static void forget_day(struct day *d)
{
    wedr_free(d->v);
    wedr_free(d->slots);
    *d = (struct day){.day = -1};
}

void wedr_waiting_forget(struct wedr_waiting *w)
{
    for (size_t i = 0; i < DAYS; i++) {
        forget_day(&w->days[i]);
    }
    w->now = NULL;
}

void wedr_waiting_free(struct wedr_waiting *w)
{
    if (w) {
        wedr_waiting_forget(w);
        wedr_free(w);
    }
}

/* The place of a day; the one that was not asked for the longest time becomes it. */
static struct day *place_of(struct wedr_waiting *w, int32_t day)
{
    struct day *d = &w->days[0];
    for (size_t i = 0; i < DAYS; i++) {
        if (w->days[i].day == day) {
            d = &w->days[i];
            break;
        }
        d = w->days[i].used < d->used ? &w->days[i] : d;
    }
    if (d->day != day) {
        forget_day(d);
        d->day = day;
    }
    d->used = ++w->clock;
    return d;
}

static uint64_t hash_of(const struct wedr_waiting *w, const struct wedr_stream_name *k)
{
    uint8_t text[sizeof(k->agent) + sizeof(k->name) + sizeof(k->epoch)];
    size_t a = strlen(k->agent) + 1, n = strlen(k->name) + 1;
    memcpy(text, k->agent, a);
    memcpy(text + a, k->name, n);
    memcpy(text + a + n, &k->epoch, sizeof(k->epoch));
    return wedr_hash64(w->key, text, a + n + sizeof(k->epoch));
}

static bool same(const struct wedr_stream_name *a, const struct wedr_stream_name *b)
{
    return a->epoch == b->epoch && strcmp(a->agent, b->agent) == 0 && strcmp(a->name, b->name) == 0;
}

static uint32_t *
slot_of(const struct wedr_waiting *w, const struct day *d, const struct wedr_stream_name *k)
{
    size_t i = (size_t)hash_of(w, k) & (d->slot_count - 1);
    while (d->slots[i] && !same(&d->v[d->slots[i] - 1].of, k)) {
        i = (i + 1) & (d->slot_count - 1);
    }
    return &d->slots[i];
}

static bool grow(const struct wedr_waiting *w, struct day *d)
{
    size_t cap = d->cap ? d->cap * 2 : STREAMS_MIN;
    struct wedr_waiting_stream *v = cap <= STREAMS_MAX ? wedr_realloc(d->v, cap, sizeof(*v)) : NULL;
    if (!v) {
        return false;
    }
    d->v = v;
    uint32_t *slots = wedr_alloc(cap * 2, sizeof(*slots));
    if (!slots) {
        return false;
    }
    wedr_free(d->slots);
    d->slots = slots;
    d->slot_count = cap * 2;
    d->cap = cap;
    for (size_t i = 0; i < d->count; i++) {
        *slot_of(w, d, &d->v[i].of) = (uint32_t)i + 1;
    }
    return true;
}

/* What finds no place waits for the day to be sealed: others must not wait with it. */
static void say_full(struct day *d)
{
    if (!d->full_logged) {
        d->full_logged = true;
        wedr_log(WARN, "events.merge_waits_for_seal", WEDR_I64("day", d->day),
                 WEDR_U64("streams", d->count));
    }
}

static void add(const struct wedr_waiting *w, struct day *d, const struct wedr_waiting_stream *one)
{
    uint32_t *slot = d->slots ? slot_of(w, d, &one->of) : NULL;
    if (slot && *slot) {
        struct wedr_waiting_stream *k = &d->v[*slot - 1];
        bool first = k->batches++ == 0;
        k->oldest_us = first || one->oldest_us < k->oldest_us ? one->oldest_us : k->oldest_us;
        k->first_seq = first || one->first_seq < k->first_seq ? one->first_seq : k->first_seq;
        k->lines += one->lines;
        return;
    }
    if ((d->count == d->cap && !grow(w, d)) || !d->v || !d->slots) {
        say_full(d);
        return;
    }
    d->v[d->count++] = *one;
    *slot_of(w, d, &one->of) = (uint32_t)d->count;
}

static void copy_text(sqlite3_stmt *st, int i, char *ret, size_t cap)
{
    const char *s = (const char *)sqlite3_column_text(st, i);
    (void)snprintf(ret, cap, "%s", s ? s : "");
}

void wedr_stream_name_read(sqlite3_stmt *st, int column, struct wedr_stream_name *ret)
{
    copy_text(st, column, ret->agent, sizeof(ret->agent));
    ret->epoch = sqlite3_column_int64(st, column + 1);
    copy_text(st, column + 2, ret->name, sizeof(ret->name));
}

int wedr_stream_prepare(sqlite3 *db,
                        const char *sql,
                        const struct wedr_stream_name *k,
                        sqlite3_stmt **ret)
{
    int err = wedr_sqlite_error(db, sqlite3_prepare_v2(db, sql, -1, ret, NULL));
    if (err == WEDR_OK) {
        (void)sqlite3_bind_text(*ret, 1, k->agent, -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(*ret, 2, k->epoch);
        (void)sqlite3_bind_text(*ret, 3, k->name, -1, SQLITE_STATIC);
    }
    return err;
}

int wedr_waiting_look(struct wedr_waiting *w, sqlite3 *db, int32_t day)
{
    struct day *d = place_of(w, day);
    sqlite3_stmt *st = NULL;
    w->now = d;
    int rc = sqlite3_prepare_v2(db,
                                "SELECT id, agent, epoch, stream, n, received_at, seq0 FROM tiny "
                                "WHERE id>?1 AND NOT EXISTS(SELECT 1 FROM dead WHERE "
                                "dead.id=-tiny.id) ORDER BY id",
                                -1, &st, NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(st, 1, d->last);
        while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
            struct wedr_waiting_stream one = {.batches = 1,
                                              .lines = sqlite3_column_int64(st, 4),
                                              .oldest_us = sqlite3_column_int64(st, 5),
                                              .first_seq = sqlite3_column_int64(st, 6)};
            wedr_stream_name_read(st, 1, &one.of);
            add(w, d, &one);
            d->last = sqlite3_column_int64(st, 0);
        }
    }
    int err = wedr_sqlite_error(db, rc);
    (void)sqlite3_finalize(st);
    return err;
}

void wedr_waiting_end(struct wedr_waiting *w, int32_t day)
{
    for (size_t i = 0; i < DAYS; i++) {
        if (w->days[i].day == day) {
            w->now = w->now == &w->days[i] ? NULL : w->now;
            forget_day(&w->days[i]);
        }
    }
}

struct wedr_waiting_stream *
wedr_waiting_due(struct wedr_waiting *w, size_t *at, int64_t lines, int64_t before_us)
{
    while (w->now && *at < w->now->count) {
        struct wedr_waiting_stream *k = &w->now->v[(*at)++];
        if (k->batches > 1 && (k->lines >= lines || k->oldest_us <= before_us)) {
            return k;
        }
    }
    return NULL;
}

int wedr_waiting_count(sqlite3 *db, struct wedr_waiting_stream *k)
{
    sqlite3_stmt *st = NULL;
    int err = wedr_stream_prepare(db,
                                  "SELECT count(*), coalesce(sum(n), 0), min(received_at), "
                                  "min(seq0) FROM batch WHERE agent=?1 AND epoch=?2 AND stream=?3 "
                                  "AND seq0>=?4 AND block<0",
                                  &k->of, &st);
    if (err == WEDR_OK) {
        (void)sqlite3_bind_int64(st, 4, k->first_seq);
        int rc = sqlite3_step(st);
        err = wedr_sqlite_error(db, rc);
        if (rc == SQLITE_ROW) {
            k->batches = sqlite3_column_int64(st, 0);
            k->lines = sqlite3_column_int64(st, 1);
            k->oldest_us = sqlite3_column_int64(st, 2);
            k->first_seq = sqlite3_column_int64(st, 3);
        }
    }
    (void)sqlite3_finalize(st);
    return err;
}
