/* SPDX-License-Identifier: Apache-2.0
 *
 * Stored batches in the order in which they came. No statement stays open between two calls: a
 * reader never holds a snapshot that keeps the log from being emptied. */
#include "store/events/embedded/reader.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "store/events/embedded/patience.h"
#include "store/events/embedded/recent.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define LIST_EVERY_MS 30000u /* day files are listed again */
#define LIST_SOON_MS 250u    /* while there is none of today yet */
#define NO_LIMIT UINT32_MAX

/* Statements of one day, made when they are first needed: making one costs more than asking. */
enum kept {
    KEPT_COUNTER,
    KEPT_BEHIND,
    KEPT_SINCE,
    KEPT_PAGE,
    KEPT_MOVED,
    KEPT_TINY,
    KEPT_BLK,
    KEPT_COUNT
};
struct wedr_reader_kept {
    sqlite3_stmt *st[KEPT_COUNT];
};

static void shut_block(struct wedr_events_reader *r)
{
    if (r->block.parser) {
        r->parser = r->block.parser;
        r->block.parser = NULL;
    }
    wedr_block_fini(&r->block);
}

static void shut_days(struct wedr_events_reader *r)
{
    shut_block(r);
    for (size_t i = 0; r->kept && i < r->sql.day_count; i++) {
        for (size_t k = 0; k < KEPT_COUNT; k++) {
            (void)sqlite3_finalize(r->kept[i].st[k]);
        }
    }
    wedr_sql_close(&r->sql);
    wedr_free(r->seen);
    wedr_free(r->kept);
    r->seen = NULL;
    r->kept = NULL;
}

int wedr_reader_list(struct wedr_events_reader *r, struct wedr_errinfo *ei)
{
    shut_days(r);
    r->count = r->at = 0;
    int err = wedr_sql_open(r->data_dir, NO_LIMIT, &r->sql, ei);
    if (err == WEDR_OK) {
        r->seen = wedr_alloc(r->sql.day_count + 1, sizeof(*r->seen));
        r->kept = wedr_alloc(r->sql.day_count + 1, sizeof(*r->kept));
        err = r->seen && r->kept ? WEDR_OK : WEDR_E_NOMEM;
    }
    if (err != WEDR_OK) {
        shut_days(r);
    }
    r->listed_ms = wedr_time_mono_ms();
    return err;
}

/* A file that was seen while its tables were made is looked at again as if it had not been there.
 */
static int keep_listed(struct wedr_events_reader *r)
{
    size_t n = r->sql.day_count;
    const struct wedr_sql_day *last = n ? &r->sql.days[n - 1] : NULL;
    bool today = last && !last->unmade && last->day == wedr_day_of(wedr_time_utc_us());
    uint64_t age = wedr_time_mono_ms() - r->listed_ms;
    return n == 0 || age >= (today ? LIST_EVERY_MS : LIST_SOON_MS) ? wedr_reader_list(r, NULL)
                                                                   : WEDR_OK;
}

static void reader_close(struct wedr_events_reader *r)
{
    if (r) {
        shut_days(r);
        wedr_line_parser_free(r->parser);
        wedr_free(r->ids);
        r->magic = 0;
        wedr_free(r);
    }
}

static int
reader_open(const char *data_dir, struct wedr_events_reader **ret, struct wedr_errinfo *ei)
{
    struct wedr_events_reader *r = wedr_alloc(1, sizeof(*r));
    if (!r) {
        return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    }
    r->magic = WEDR_READER_MAGIC;
    int n = snprintf(r->data_dir, sizeof(r->data_dir), "%s", data_dir);
    int err = n < 0 || (size_t)n >= sizeof(r->data_dir)
                  ? wedr_fail(ei, WEDR_E_LIMIT, "path of the data folder is too long")
                  : wedr_reader_list(r, ei);
    if (err != WEDR_OK) {
        reader_close(r);
        return err;
    }
    *ret = r;
    return WEDR_OK;
}

/* A statement of day i, whose file is open. Reset it after use: it holds no snapshot then. */
static int prepare(struct wedr_events_reader *r, size_t i, enum kept which, sqlite3_stmt **ret)
{
    static const char *const sql[KEPT_COUNT] = {
        "SELECT value FROM meta WHERE key='arrival'",
        "SELECT min(arrival) FROM batch WHERE arrival>?1",
        "SELECT min(arrival) FROM batch WHERE received_at>=?1",
        "SELECT arrival, block, seq0, received_at, n FROM batch WHERE arrival>=?1 ORDER BY arrival"
        " LIMIT ?2",
        "SELECT block FROM batch WHERE arrival=?1",
        "SELECT " WEDR_BLOCK_COLUMNS " FROM tiny WHERE id=?1",
        "SELECT " WEDR_BLOCK_COLUMNS " FROM blk WHERE id=?1"};
    sqlite3_stmt **st = &r->kept[i].st[which];
    int rc = *st ? SQLITE_OK
                 : sqlite3_prepare_v3(r->sql.days[i].db, sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                                      st, NULL);
    *ret = *st;
    return rc;
}

/* First integer of a query with at most one number; *ret_found false without a row or with NULL. */
static int ask_int(struct wedr_events_reader *r,
                   size_t i,
                   enum kept which,
                   int64_t number,
                   bool *ret_found,
                   int64_t *ret)
{
    sqlite3_stmt *st = NULL;
    int rc = prepare(r, i, which, &st);
    *ret_found = false;
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(st, 1, number);
        rc = sqlite3_step(st);
    }
    if (rc == SQLITE_ROW && sqlite3_column_type(st, 0) != SQLITE_NULL) {
        *ret = sqlite3_column_int64(st, 0);
        *ret_found = true;
    }
    (void)sqlite3_reset(st);
    return wedr_sqlite_error(r->sql.days[i].db, rc);
}

/* A day that cannot be opened: what is damaged or not ours has no batches to follow. */
static int pass_over(struct wedr_events_reader *r, struct wedr_sql_day *d)
{
    if (d->why != WEDR_E_IO || !wedr_patience_left(&r->patience, d->day, wedr_time_mono_ms())) {
        return WEDR_OK;
    }
    d->bad = false; /* the next look opens it again */
    return WEDR_E_IO;
}

/* The newest arrival of a day into seen. Only the newest days change, as long as the clock does not
 * go back; the list is made anew for that now and then, and when a batch is missing. */
static int look_at_counter(struct wedr_events_reader *r, size_t i)
{
    int64_t newest = 0;
    bool found = false;
    if (i + 2 < r->sql.day_count && r->seen[i] != 0) {
        return WEDR_OK;
    }
    if (!wedr_sql_day_db(&r->sql, i)) {
        return r->sql.failed != WEDR_OK ? r->sql.failed : pass_over(r, &r->sql.days[i]);
    }
    wedr_patience_forget(&r->patience, r->sql.days[i].day);
    int err = ask_int(r, i, KEPT_COUNTER, 0, &found, &newest);
    r->seen[i] = newest * WEDR_ARRIVAL_STEP;
    return err;
}

/* A day without news costs one small query, and an old one that was looked at before none. */
static int
first_behind(struct wedr_events_reader *r, size_t i, int64_t after, bool *found, int64_t *ret)
{
    *found = false;
    int err = look_at_counter(r, i);
    if (err != WEDR_OK || r->seen[i] <= after) {
        return err;
    }
    return ask_int(r, i, KEPT_BEHIND, after, found, ret);
}

/* From first on as far as the numbers go on without a gap: what is missing may be in another day.
 */
static int read_page(struct wedr_events_reader *r, sqlite3 *db, int64_t first)
{
    sqlite3_stmt *st = NULL;
    int rc = prepare(r, r->day, KEPT_PAGE, &st);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(st, 1, first);
        (void)sqlite3_bind_int(st, 2, (int)WEDR_READER_PAGE);
    }
    r->count = r->at = 0;
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(st);
        if (rc != SQLITE_ROW || r->count == WEDR_READER_PAGE) {
            break;
        }
        int64_t arrival = sqlite3_column_int64(st, 0);
        if (arrival != first + (int64_t)r->count * WEDR_ARRIVAL_STEP) {
            break;
        }
        r->page[r->count++] = (struct wedr_reader_place){
            arrival, sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2),
            sqlite3_column_int64(st, 3), (uint32_t)sqlite3_column_int64(st, 4)};
    }
    (void)sqlite3_reset(st);
    return wedr_sqlite_error(db, rc);
}

/* The oldest arrival behind `after` of all listed days; *ret is INT64_MAX without one. */
static int find_oldest(struct wedr_events_reader *r, int64_t after, int64_t *ret)
{
    int err = WEDR_OK;
    *ret = INT64_MAX;
    for (size_t i = r->sql.day_count; err == WEDR_OK && i-- > 0;) {
        int64_t first = 0;
        bool found = false;
        err = first_behind(r, i, after, &found, &first);
        if (err == WEDR_OK && found && first < *ret) {
            *ret = first;
            r->day = i;
        }
    }
    return err;
}

/* Every batch has the next number, whatever its day. When one is missing before what was found, it
 * is gone with its day, or it was stored in a day that was looked at before, or that was not there
 * yet: the server's clock jumped. It was stored before what was found, so that looking at all the
 * days again shows it. */
static int find_page(struct wedr_events_reader *r, int64_t after)
{
    int64_t next = (after / WEDR_ARRIVAL_STEP + 1) * WEDR_ARRIVAL_STEP;
    int64_t first = INT64_MAX, before;
    int err = keep_listed(r);
    err = err == WEDR_OK ? find_oldest(r, after, &first) : err;
    if (err == WEDR_OK && first != INT64_MAX && first != next) {
        do { /* again when that day was dropped meanwhile */
            before = first;
            err = wedr_reader_list(r, NULL);
            err = err == WEDR_OK ? find_oldest(r, after, &first) : err;
        } while (err == WEDR_OK && first != INT64_MAX && first > before);
    }
    if (err != WEDR_OK || first == INT64_MAX) {
        return err == WEDR_OK ? WEDR_E_NOENT : err;
    }
    sqlite3 *db = wedr_sql_day_db(&r->sql, r->day);
    err = db ? read_page(r, db, first) : WEDR_E_BUSY;
    return err == WEDR_OK && r->count == 0 ? WEDR_E_NOENT : err;
}

/* *ret_found false: there is no such row. */
int wedr_reader_open_block(struct wedr_events_reader *r,
                           sqlite3 *db,
                           int64_t place,
                           bool *ret_found)
{
    sqlite3_stmt *st = NULL;
    bool tiny = place < 0;
    shut_block(r);
    int rc = prepare(r, r->day, tiny ? KEPT_TINY : KEPT_BLK, &st);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_int64(st, 1, tiny ? -place : place);
        rc = sqlite3_step(st);
    }
    *ret_found = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        wedr_block_from_row(&r->block, &r->sql, db, st, tiny);
        r->block.day = &r->sql.days[r->day];
        r->block.parser = r->parser;
        r->parser = NULL;
    }
    (void)sqlite3_reset(st);
    return wedr_sqlite_error(db, rc);
}

/* All lines of the open block. */
void wedr_reader_view_whole(struct wedr_events_reader *r)
{
    r->first = 0;
    r->lines = r->block.n;
    r->t0 = r->block.t0;
    r->t1 = r->block.t1;
    memcpy(r->counts, r->block.counts, sizeof(r->counts));
}

/* Row of the first line whose seq is not below; n when there is none or it cannot be read. */
static uint32_t row_of_seq(struct wedr_block *b, int64_t seq)
{
    uint32_t lo = 0, hi = b->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int64_t v = 0;
        if (!wedr_block_seq(b, mid, &v)) {
            return b->n;
        }
        if (v < seq) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* The lines of one batch in a block that was merged from several. */
static void view_part(struct wedr_events_reader *r, const struct wedr_reader_place *p)
{
    struct wedr_block *b = &r->block;
    bool some = false;
    r->first = row_of_seq(b, p->seq0);
    r->lines = p->n <= b->n && r->first <= b->n - p->n ? p->n : 0;
    r->t0 = r->t1 = p->received;
    memset(r->counts, 0, sizeof(r->counts));
    for (uint32_t i = r->first; i < r->first + r->lines; i++) {
        uint8_t code = 0;
        int64_t ts = 0;
        if (!wedr_block_is_row(b, i) || !wedr_block_code(b, i, &code) ||
            !wedr_block_ts(b, i, &ts)) {
            continue;
        }
        r->counts[code]++;
        r->t0 = !some || ts < r->t0 ? ts : r->t0;
        r->t1 = !some || ts > r->t1 ? ts : r->t1;
        some = true;
    }
}

/* The batch at a place. Where it lies may have changed since the page was read: it was merged. */
static int open_batch(struct wedr_events_reader *r, sqlite3 *db, struct wedr_reader_place *p)
{
    bool found = false, moved = false;
    int64_t block = 0;
    int err = wedr_reader_open_block(r, db, p->block, &found);
    if (err == WEDR_OK && !found) {
        err = ask_int(r, r->day, KEPT_MOVED, p->arrival, &moved, &block);
        if (err == WEDR_OK && moved && block != p->block) {
            p->block = block;
            err = wedr_reader_open_block(r, db, block, &found);
        }
    }
    if (err != WEDR_OK) {
        return err;
    }
    if (r->block.n == p->n && r->block.seq0 == p->seq0) {
        wedr_reader_view_whole(r);
    } else {
        view_part(r, p);
    }
    return r->sql.failed;
}

void wedr_reader_describe(const struct wedr_events_reader *r,
                          int64_t arrival,
                          int64_t received_us,
                          struct wedr_event_block *ret)
{
    const struct wedr_block *b = &r->block;
    *ret = (struct wedr_event_block){.agent_id = b->agent,
                                     .hostname = b->hostname,
                                     .stream = b->stream,
                                     .epoch = b->epoch,
                                     .arrival = arrival,
                                     .received_us = received_us,
                                     .t0 = r->t0,
                                     .t1 = r->t1,
                                     .lines = r->lines,
                                     .counts = r->counts};
}

static void reader_beside(struct wedr_events_reader *r, struct wedr_events *s)
{
    r->recent = s->recent;
}

/* The batch behind `arrival` from the writer's memory. WEDR_E_NOENT: it is not there. */
static int next_recent(struct wedr_events_reader *r, int64_t arrival, struct wedr_event_block *ret)
{
    int64_t number = arrival / WEDR_ARRIVAL_STEP + 1;
    shut_block(r);
    int err = wedr_recent_get(r->recent, number, &r->sql, &r->block);
    if (err == WEDR_OK) {
        r->block.parser = r->parser;
        r->parser = NULL;
        wedr_reader_view_whole(r);
        wedr_reader_describe(r, number * WEDR_ARRIVAL_STEP, r->block.received_at, ret);
        r->after = ret->arrival;
    }
    return err;
}

/* WEDR_E_AGAIN: the files have to be looked at. The page that is being read goes on behind what
 * comes from memory. */
static int look_beside(struct wedr_events_reader *r, int64_t arrival, struct wedr_event_block *ret)
{
    bool in_page = !r->ask && r->at < r->count && r->after == arrival;
    int64_t newest = r->recent ? wedr_recent_newest(r->recent) : 0;
    if (newest == 0) {
        return WEDR_E_AGAIN;
    }
    int err = in_page ? WEDR_OK : keep_listed(r);
    if (err == WEDR_OK && arrival >= newest * WEDR_ARRIVAL_STEP) {
        return WEDR_E_NOENT;
    }
    err = err == WEDR_OK ? next_recent(r, arrival, ret) : err;
    if (err == WEDR_OK) {
        r->ask = NULL;
        r->at = in_page && r->page[r->at].arrival == r->after ? r->at + 1 : r->count;
    }
    return err == WEDR_E_NOENT ? WEDR_E_AGAIN : err;
}

static int reader_next(struct wedr_events_reader *r, int64_t arrival, struct wedr_event_block *ret)
{
    WEDR_OBJ_CHECK(r, WEDR_READER_MAGIC);
    r->sql.failed = WEDR_OK;
    int err = look_beside(r, arrival, ret);
    if (err != WEDR_E_AGAIN) {
        return err;
    }
    if (r->ask || r->at == r->count || r->after != arrival) {
        r->ask = NULL;
        err = find_page(r, arrival);
        if (err != WEDR_OK) {
            r->count = r->at = 0;
            return err;
        }
    }
    struct wedr_reader_place *p = &r->page[r->at];
    sqlite3 *db = wedr_sql_day_db(&r->sql, r->day);
    err = db ? open_batch(r, db, p) : WEDR_E_BUSY;
    if (err == WEDR_OK) {
        r->at++;
        r->after = p->arrival;
        wedr_reader_describe(r, p->arrival, p->received, ret);
    }
    return err;
}

/* As the files say; each of them can be read, or has had its time. */
static int newest_in_files(struct wedr_events_reader *r, int64_t *ret_arrival)
{
    int64_t newest = 0;
    int err = keep_listed(r);
    for (size_t i = 0; err == WEDR_OK && i < r->sql.day_count; i++) {
        err = look_at_counter(r, i);
        newest = r->seen[i] > newest ? r->seen[i] : newest;
    }
    *ret_arrival = newest;
    return err;
}

static int reader_newest(struct wedr_events_reader *r, int64_t *ret_arrival)
{
    WEDR_OBJ_CHECK(r, WEDR_READER_MAGIC);
    int64_t newest = r->recent ? wedr_recent_newest(r->recent) * WEDR_ARRIVAL_STEP : 0;
    int err = newest == 0 ? newest_in_files(r, &newest) : WEDR_OK;
    if (err == WEDR_OK) {
        *ret_arrival = newest;
    }
    return err;
}

static int
reader_arrival_before(struct wedr_events_reader *r, int64_t received_us, int64_t *ret_arrival)
{
    int64_t oldest = 0;
    WEDR_OBJ_CHECK(r, WEDR_READER_MAGIC);
    int err = newest_in_files(r, &oldest);
    for (size_t i = r->sql.day_count; err == WEDR_OK && i-- > 0;) {
        bool found = false;
        int64_t v = 0;
        /* A file has what was received on its day. */
        if ((int64_t)(r->sql.days[i].day + 1) * INT64_C(86400000000) <= received_us) {
            break;
        }
        sqlite3 *db = wedr_sql_day_db(&r->sql, i);
        err = db ? ask_int(r, i, KEPT_SINCE, received_us, &found, &v) : r->sql.failed;
        oldest = found && v - 1 < oldest ? v - 1 : oldest;
    }
    if (err == WEDR_OK) {
        *ret_arrival = oldest;
    }
    return err;
}

static int
reader_line(struct wedr_events_reader *r, uint32_t row, bool type_only, struct wedr_event_line *ret)
{
    struct wedr_block *b = &r->block;
    struct wedr_event_line l = {0};
    int64_t seq = 0;
    WEDR_OBJ_CHECK(r, WEDR_READER_MAGIC);
    if (row >= r->lines) {
        return WEDR_E_NOENT;
    }
    row += r->first;
    if (!wedr_block_is_row(b, row) || !wedr_block_code(b, row, &l.type)) {
        return r->sql.failed != WEDR_OK ? r->sql.failed : WEDR_E_NOENT;
    }
    if (!type_only && (!wedr_block_ts(b, row, &l.ts_us) || !wedr_block_seq(b, row, &seq) ||
                       !wedr_block_line(b, row, &l.text))) {
        return r->sql.failed != WEDR_OK ? r->sql.failed : WEDR_E_NOENT;
    }
    l.seq = (uint64_t)seq;
    *ret = l;
    return WEDR_OK;
}

const struct wedr_events_read_ops wedr_events_read_embedded = {
    .open = reader_open,
    .close = reader_close,
    .beside = reader_beside,
    .next = reader_next,
    .newest = reader_newest,
    .arrival_before = reader_arrival_before,
    .scan = wedr_reader_scan,
    .scan_next = wedr_reader_scan_next,
    .line = reader_line,
};
