/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "store/events/embedded/reader.h"

int wedr_reader_scan(struct wedr_events_reader *r, const struct wedr_events_scan *ask)
{
    WEDR_OBJ_CHECK(r, WEDR_READER_MAGIC);
    int err = wedr_reader_list(r, NULL);
    r->ask = ask;
    r->id_count = r->id_at = 0;
    r->day = 0;
    r->listed = false;
    return err;
}

#define IDS_MAX (16u << 20) /* blocks of one day */
#define SCAN_SQL(table, place)                                                     \
    "SELECT " place " FROM " table                                                 \
    " WHERE t1>=?1 AND t0<=?2 AND (?3 IS NULL OR agent=?3) AND NOT EXISTS(SELECT " \
    "1 FROM dead WHERE dead.id=" place ") ORDER BY " table ".id"

static int add_ids(struct wedr_events_reader *r, sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int err = wedr_sqlite_error(db, sqlite3_prepare_v2(db, sql, -1, &st, NULL));
    int rc = SQLITE_DONE;
    if (err == WEDR_OK) {
        (void)sqlite3_bind_int64(st, 1, r->ask->from_us);
        (void)sqlite3_bind_int64(st, 2, r->ask->to_us);
        (void)sqlite3_bind_text(st, 3, r->ask->agent_id, -1, SQLITE_STATIC);
    }
    while (err == WEDR_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        if (r->id_count == r->id_cap) {
            size_t cap = r->id_cap ? r->id_cap * 2 : WEDR_READER_PAGE;
            int64_t *ids = cap > IDS_MAX ? NULL : wedr_realloc(r->ids, cap, sizeof(*ids));
            if (!ids) {
                err = WEDR_E_NOMEM;
                break;
            }
            r->ids = ids;
            r->id_cap = cap;
        }
        r->ids[r->id_count++] = sqlite3_column_int64(st, 0);
    }
    err = err == WEDR_OK ? wedr_sqlite_error(db, rc) : err;
    (void)sqlite3_finalize(st);
    return err;
}

/* Both tables as they were at one moment: what is merged later stays readable where it was. */
static int list_day(struct wedr_events_reader *r, sqlite3 *db)
{
    r->id_count = r->id_at = 0;
    int err = wedr_sqlite_exec(db, "BEGIN");
    if (err == WEDR_OK) {
        err = add_ids(r, db, SCAN_SQL("blk", "blk.id"));
        err = err == WEDR_OK ? add_ids(r, db, SCAN_SQL("tiny", "-tiny.id")) : err;
        int end = wedr_sqlite_exec(db, "COMMIT");
        err = err == WEDR_OK ? end : err;
    }
    r->listed = err == WEDR_OK;
    return err;
}

static bool block_wanted(const struct wedr_events_reader *r)
{
    if (!r->ask->types) {
        return r->block.n != 0;
    }
    for (size_t i = 0; i < 256; i++) {
        if (r->ask->types[i] && r->block.counts[i]) {
            return true;
        }
    }
    return false;
}

/* On to the next day. */
static void scan_on(struct wedr_events_reader *r)
{
    r->day++;
    r->listed = false;
    r->id_count = r->id_at = 0;
}

/* A day of receipt so long before that no event of it is from then, but for clocks that are wrong.
 */
static bool came_before(int32_t day, int64_t from_us)
{
    return (int64_t)(day + 2) * INT64_C(86400000000) <= from_us;
}

int wedr_reader_scan_next(struct wedr_events_reader *r, struct wedr_event_block *ret)
{
    WEDR_OBJ_CHECK(r, WEDR_READER_MAGIC);
    r->sql.failed = WEDR_OK;
    while (r->ask && r->day < r->sql.day_count) {
        sqlite3 *db = wedr_sql_day_db(&r->sql, r->day);
        const struct wedr_sql_day *d = &r->sql.days[r->day];
        bool found = false;
        if (r->sql.failed != WEDR_OK) {
            return r->sql.failed;
        }
        if (!db && d->why == WEDR_E_IO && !came_before(d->day, r->ask->from_us)) {
            return WEDR_E_IO; /* what it holds may answer */
        }
        if (!db || d->t1 < r->ask->from_us || d->t0 > r->ask->to_us) {
            scan_on(r);
            continue;
        }
        int err = r->listed ? WEDR_OK : list_day(r, db);
        if (err != WEDR_OK) {
            return err;
        }
        if (r->id_at == r->id_count) {
            scan_on(r);
            continue;
        }
        err = wedr_reader_open_block(r, db, r->ids[r->id_at++], &found);
        if (err != WEDR_OK || !found) { /* merged, and longer ago than it stays readable */
            return err == WEDR_OK ? WEDR_E_BUSY : err;
        }
        if (block_wanted(r)) {
            wedr_reader_view_whole(r);
            wedr_reader_describe(r, 0, r->block.received_at, ret);
            return WEDR_OK;
        }
    }
    return WEDR_E_NOENT;
}
