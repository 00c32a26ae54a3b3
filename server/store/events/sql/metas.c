/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/metas.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/arena.h"
#include "core/util/log.h"
#include "ingest/prepared.h"
#include <string.h>

#define TEXTS_MAX (256u << 20) /* names and counts of one day */
#define BLOCKS_MAX (16u << 20)
#define BLOCKS_BETWEEN_CLOCKS 1024u

struct wedr_metas {
    struct wedr_block_meta *v;
    size_t count, cap;
    struct wedr_arena *texts;
    _Atomic(struct wedr_kept_filter *) *kept; /* one for each block */
};

#define META_COLUMNS                                                                  \
    "t0, t1, seq0, seq1, received_at, epoch, n, rejected, boot_id, agent, hostname, " \
    "stream, counts"
/* Places that were merged away are in `dead`. */
#define META_SQL(table, place, flags)                    \
    "SELECT id, " flags ", " META_COLUMNS " FROM " table \
    " WHERE NOT EXISTS(SELECT 1 FROM dead WHERE dead.id=" place ") ORDER BY id"

void wedr_metas_fini(struct wedr_metas *m)
{
    if (m != NULL) {
        for (size_t i = 0; m->kept != NULL && i < m->count; i++) {
            struct wedr_kept_filter *f = atomic_load(&m->kept[i]);
            if (f != NULL) {
                wedr_free(f->p);
                wedr_free(f);
            }
        }
        wedr_free(m->kept);
        wedr_free(m->v);
        wedr_arena_free(m->texts);
        wedr_free(m);
    }
}

static struct wedr_block_meta *add(struct wedr_metas *m)
{
    if (m->count == m->cap) {
        size_t cap = m->cap == 0 ? 256 : m->cap * 2;
        struct wedr_block_meta *v = cap > BLOCKS_MAX ? NULL : wedr_realloc(m->v, cap, sizeof(*v));
        if (v == NULL) {
            return NULL;
        }
        m->v = v;
        m->cap = cap;
    }
    memset(&m->v[m->count], 0, sizeof(m->v[0]));
    return &m->v[m->count++];
}

/* The text of column i; that of the block before when it is the same. NULL when out of memory. */
static const char *text_of(struct wedr_metas *m, sqlite3_stmt *st, int i, const char *before)
{
    const char *s = (const char *)sqlite3_column_text(st, i);
    s = s == NULL ? "" : s;
    return before != NULL && strcmp(before, s) == 0 ? before
                                                    : wedr_arena_strndup(m->texts, s, strlen(s));
}

static uint32_t lines_of(sqlite3_stmt *st, int i)
{
    int64_t v = sqlite3_column_int64(st, i);
    return v < 0 ? 0 : v > WEDR_BATCH_LINES_MAX ? WEDR_BATCH_LINES_MAX : (uint32_t)v;
}

static void read_numbers(sqlite3_stmt *st, bool tiny, struct wedr_block_meta *b)
{
    int64_t flags = sqlite3_column_int64(st, 1);
    b->id = sqlite3_column_int64(st, 0);
    b->tiny = tiny;
    b->canonical = (flags & WEDR_BLK_CANONICAL) != 0;
    b->merged = (flags & WEDR_BLK_MADE) != 0;
    b->t0 = sqlite3_column_int64(st, 2);
    b->t1 = sqlite3_column_int64(st, 3);
    b->seq0 = sqlite3_column_int64(st, 4);
    b->seq1 = sqlite3_column_int64(st, 5);
    b->received_at = sqlite3_column_int64(st, 6);
    b->epoch = (uint64_t)sqlite3_column_int64(st, 7);
    b->n = lines_of(st, 8);
    b->rejected = lines_of(st, 9);
    if (sqlite3_column_bytes(st, 10) == (int)sizeof(b->boot_id)) {
        memcpy(b->boot_id, sqlite3_column_blob(st, 10), sizeof(b->boot_id));
    }
}

/* Keeps the block st stands on when there is a row in it that the caller may see. */
static int keep(struct wedr_sql *s, struct wedr_metas *m, sqlite3_stmt *st, bool tiny)
{
    s->blocks_asked++;
    if (!wedr_sql_in_scope(s, (const char *)sqlite3_column_text(st, 11)) ||
        lines_of(st, 8) <= lines_of(st, 9)) {
        return WEDR_OK;
    }
    const struct wedr_block_meta *last = m->count == 0 ? NULL : &m->v[m->count - 1];
    const char *agent = text_of(m, st, 11, last == NULL ? NULL : last->agent);
    const char *hostname = text_of(m, st, 12, last == NULL ? NULL : last->hostname);
    const char *stream = text_of(m, st, 13, last == NULL ? NULL : last->stream);
    size_t len = (size_t)sqlite3_column_bytes(st, 14);
    uint8_t *counts = wedr_arena_alloc(m->texts, len + 1);
    struct wedr_block_meta *b = counts == NULL ? NULL : add(m);
    if (b == NULL || agent == NULL || hostname == NULL || stream == NULL) {
        return WEDR_E_NOMEM;
    }
    if (len != 0) {
        memcpy(counts, sqlite3_column_blob(st, 14), len);
    }
    read_numbers(st, tiny, b);
    b->agent = agent;
    b->hostname = hostname;
    b->stream = stream;
    b->counts = counts;
    b->counts_len = (uint32_t)len;
    return WEDR_OK;
}

static int
read_table(struct wedr_sql *s, struct wedr_metas *m, sqlite3 *db, const char *sql, bool tiny)
{
    sqlite3_stmt *st = NULL;
    int rc = SQLITE_DONE;
    uint32_t until_clock = 0;
    int err = wedr_sqlite_error(db, sqlite3_prepare_v2(db, sql, -1, &st, NULL));
    while (err == WEDR_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        err = keep(s, m, st, tiny);
        if (++until_clock == BLOCKS_BETWEEN_CLOCKS) {
            until_clock = 0;
            err = err == WEDR_OK && wedr_sql_timed_out(s) ? WEDR_E_TIMEOUT : err;
        }
    }
    err = err == WEDR_OK ? wedr_sqlite_error(db, rc) : err;
    sqlite3_finalize(st);
    return err;
}

static int read_day(struct wedr_sql *s, struct wedr_metas *m, sqlite3 *db)
{
    int err = wedr_sqlite_exec(db, "BEGIN");
    if (err == WEDR_OK) {
        err = read_table(s, m, db, META_SQL("blk", "blk.id", "flags"), false);
        err = err == WEDR_OK ? read_table(s, m, db, META_SQL("tiny", "-tiny.id", "0"), true) : err;
        int end = wedr_sqlite_exec(db, "COMMIT");
        err = err == WEDR_OK ? end : err;
    }
    return err;
}

static int add_kept(struct wedr_metas *m)
{
    m->kept = wedr_alloc(m->count + 1, sizeof(m->kept[0]));
    for (size_t i = 0; m->kept != NULL && i < m->count; i++) {
        atomic_init(&m->kept[i], NULL);
        m->v[i].kept = &m->kept[i];
    }
    return m->kept == NULL ? WEDR_E_NOMEM : WEDR_OK;
}

int wedr_metas(struct wedr_sql *s, size_t i, const struct wedr_block_meta **ret, size_t *ret_count)
{
    struct wedr_sql_day *d = &s->days[i];
    sqlite3 *db = wedr_sql_day_db(s, i);
    *ret = NULL;
    *ret_count = 0;
    if (db == NULL) {
        return s->failed;
    }
    if (d->metas == NULL) {
        struct wedr_metas *m = wedr_alloc(1, sizeof(*m));
        int err = m == NULL || (m->texts = wedr_arena_new(TEXTS_MAX)) == NULL ? WEDR_E_NOMEM
                                                                              : read_day(s, m, db);
        err = err == WEDR_OK ? add_kept(m) : err;
        if (err != WEDR_OK) {
            wedr_metas_fini(m);
            if (wedr_sql_note(s, err)) {
                return err;
            }
            wedr_log(ERROR, "events.day_unreadable", WEDR_I64("day", d->day), WEDR_ERR(err));
            d->bad = true;
            sqlite3_close(d->db);
            d->db = NULL;
            return WEDR_OK;
        }
        d->metas = m;
    }
    *ret = d->metas->v;
    *ret_count = d->metas->count;
    return WEDR_OK;
}
