/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/embedded/verify.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "ingest/columns.h"
#include "ingest/prepared.h"
#include "ingest/unpack.h"
#include "store/events/embedded/day_file.h"
#include "wedr/plat/fs.h"
#include <stdio.h>
#include <string.h>

#define DAYS_MAX 8192u
#define PAGES_TOLD 16 /* damaged pages of one file that are told one by one */
#define ASIDE ".db.damaged-"
#define SALVAGED ".db.salvaged-"

struct verify {
    const char *folder; /* <data>/events */
    wedr_verify_fn *fn;
    bool (*end)(void *ctx); /* may be NULL */
    void *ctx;
    struct wedr_verify_sums *sums;
    int32_t days[DAYS_MAX];
    size_t day_count;
    char day[WEDR_DAY_TEXT];
    sqlite3 *db;
    const char *wrong_digest; /* what to say */
};

/* A stored batch while it is looked at: columns of BATCH_SELECT. */
enum {
    AT_AGENT,
    AT_STREAM,
    AT_SEQ0,
    AT_SEQ1,
    AT_SHA,
    AT_N,
    AT_REJECTED,
    AT_BLOCK,
    AT_ROW_N,
    AT_ROW_REJECTED,
    AT_RAW_LEN,
    AT_Z,
    AT_COL,
    AT_SEQ_MIN,
    AT_SEQ_MAX
};
static const char batches[] =
    "SELECT b.agent, b.stream, b.seq0, b.seq1, b.sha256, b.n, b.rejected, b.block,"
    " coalesce(k.n, t.n), coalesce(k.rejected, t.rejected), coalesce(k.raw_len, t.raw_len),"
    " coalesce(d.z, t.z), c.c, s.seq_min, s.seq_max FROM batch b"
    " LEFT JOIN blk k ON k.id=b.block LEFT JOIN data d ON d.id=b.block LEFT JOIN col c ON "
    "c.id=b.block"
    " LEFT JOIN tiny t ON t.id=-b.block"
    " LEFT JOIN stream s ON s.agent=b.agent AND s.epoch=b.epoch AND s.stream=b.stream"
    " WHERE coalesce(k.flags, 0)&2=0 AND NOT (b.block=0 AND EXISTS(SELECT 1 FROM damage x WHERE "
    "x.agent=b.agent AND x.epoch=b.epoch AND x.stream=b.stream AND x.seq0=b.seq0))";

/* Blocks that we made of several batches, in the same columns: n and rejected are the sums of the
 * batches that point to the block, the digest is that of our own frame. */
#define OF_BLOCK                                                                                \
    " FROM batch b WHERE b.agent=k.agent AND b.epoch=k.epoch AND b.stream=k.stream AND b.seq0 " \
    "BETWEEN k.seq0 AND k.seq1 AND b.seq1<=k.seq1 AND b.block=k.id"
static const char made_blocks[] =
    "SELECT k.agent, k.stream, k.seq0, k.seq1, m.sha256, (SELECT sum(n)" OF_BLOCK
    "), (SELECT sum(rejected)" OF_BLOCK
    "), k.id, k.n, k.rejected, k.raw_len, d.z, c.c, s.seq_min, s.seq_max FROM blk k"
    " LEFT JOIN made m ON m.id=k.id LEFT JOIN data d ON d.id=k.id LEFT JOIN col c ON c.id=k.id"
    " LEFT JOIN stream s ON s.agent=k.agent AND s.epoch=k.epoch AND s.stream=k.stream"
    " WHERE k.flags&2 AND NOT EXISTS(SELECT 1 FROM dead x WHERE x.id=k.id)";

static void tell(struct verify *v, const char *batch, const char *what)
{
    v->sums->problems++;
    v->fn(v->ctx, v->day, batch, what);
}

static int add_day(void *arg, const char *name)
{
    struct verify *v = arg;
    int32_t day = 0;
    size_t len = strlen(name);
    bool part =
        len > 4 && (strcmp(name + len - 4, "-wal") == 0 || strcmp(name + len - 4, "-shm") == 0);
    if (!part && (strstr(name, ASIDE) || strstr(name, SALVAGED))) {
        v->sums->aside++;
    } else if (wedr_day_of_file(name, &day) && v->day_count < DAYS_MAX) {
        size_t at = v->day_count++;
        for (; at > 0 && v->days[at - 1] > day; at--) {
            v->days[at] = v->days[at - 1];
        }
        v->days[at] = day;
    }
    return WEDR_OK;
}

/* Every page, every index entry. */
static int check_pages(struct verify *v)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(v->db, "PRAGMA integrity_check(16)", -1, &st, NULL);
    for (int told = 0; rc == SQLITE_OK && told < PAGES_TOLD; told++) {
        rc = sqlite3_step(st);
        const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
        if (text && strcmp(text, "ok") != 0) {
            tell(v, "", text);
        }
        rc = rc == SQLITE_ROW ? SQLITE_OK : rc;
    }
    int err = wedr_sqlite_error(v->db, rc);
    sqlite3_finalize(st);
    if (err == WEDR_E_CORRUPT) {
        tell(v, "", "the file is damaged");
        err = WEDR_OK;
    }
    return err;
}

static uint64_t count_lines(const char *p, size_t len)
{
    uint64_t n = 0;
    for (const char *end = p + len; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) {
        n++;
    }
    return n;
}

/* The lines themselves; what is wrong with them, or NULL. */
static const char *check_lines(struct verify *v, sqlite3_stmt *st)
{
    size_t z_len = (size_t)sqlite3_column_bytes(st, AT_Z), len = 0;
    const void *z = sqlite3_column_blob(st, AT_Z);
    uint8_t digest[WEDR_SHA256_LEN];
    char *raw = NULL;
    wedr_sha256(z, z_len, digest);
    if (sqlite3_column_bytes(st, AT_SHA) != (int)sizeof(digest) ||
        memcmp(digest, sqlite3_column_blob(st, AT_SHA), sizeof(digest)) != 0) {
        return v->wrong_digest;
    }
    int err = wedr_unpack(z, z_len, WEDR_BATCH_RAW_ACCEPT, &raw, &len);
    if (err != WEDR_OK) {
        return "the lines cannot be unpacked";
    }
    uint64_t lines = count_lines(raw, len);
    bool ends = len > 0 && raw[len - 1] == '\n';
    wedr_free(raw);
    v->sums->lines += lines;
    v->sums->bytes_z += z_len;
    v->sums->bytes_raw += len;
    if (len != (uint64_t)sqlite3_column_int64(st, AT_RAW_LEN)) {
        return "the lines are longer or shorter than the table says";
    }
    return lines == (uint64_t)sqlite3_column_int64(st, AT_N) && ends
               ? NULL
               : "another number of lines than the table says";
}

/* The column part of a block; what is wrong with it, or NULL. */
static const char *check_columns(sqlite3_stmt *st)
{
    struct wedr_columns *c = NULL;
    const int64_t *ints = NULL;
    const uint8_t *types = NULL;
    static const enum wedr_column_id ids[] = {WEDR_COLUMN_TS, WEDR_COLUMN_PID, WEDR_COLUMN_PPID,
                                              WEDR_COLUMN_LINE, WEDR_COLUMN_SEQ};
    if (sqlite3_column_type(st, AT_COL) == SQLITE_NULL) {
        return "the column part is missing";
    }
    int err = wedr_columns_open(
        sqlite3_column_blob(st, AT_COL), (size_t)sqlite3_column_bytes(st, AT_COL),
        (uint32_t)sqlite3_column_int64(st, AT_N), (uint64_t)sqlite3_column_int64(st, AT_SEQ0), &c);
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(ids); i++) {
        err = wedr_columns_ints(c, ids[i], &ints);
    }
    err = err == WEDR_OK ? wedr_columns_types(c, &types) : err;
    wedr_columns_close(c);
    return err == WEDR_OK ? NULL : "the column part cannot be read";
}

static const char *check_row(struct verify *v, sqlite3_stmt *st)
{
    int64_t n = sqlite3_column_int64(st, AT_N);
    if (sqlite3_column_type(st, AT_Z) == SQLITE_NULL) {
        return "the block is missing";
    }
    if (n < 0 || n > WEDR_BATCH_LINES_MAX || n != sqlite3_column_int64(st, AT_ROW_N) ||
        sqlite3_column_int64(st, AT_REJECTED) != sqlite3_column_int64(st, AT_ROW_REJECTED)) {
        return "batch and block disagree about their lines";
    }
    if (sqlite3_column_type(st, AT_SEQ_MIN) == SQLITE_NULL ||
        sqlite3_column_int64(st, AT_SEQ0) < sqlite3_column_int64(st, AT_SEQ_MIN) ||
        sqlite3_column_int64(st, AT_SEQ1) > sqlite3_column_int64(st, AT_SEQ_MAX)) {
        return "the range of the stream does not hold the batch";
    }
    const char *wrong = check_lines(v, st);
    return wrong || sqlite3_column_int64(st, AT_BLOCK) < 0 ? wrong : check_columns(st);
}

static int check_rows(struct verify *v, const char *sql, const char *wrong_digest)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(v->db, sql, -1, &st, NULL);
    v->wrong_digest = wrong_digest;
    while (rc == SQLITE_OK && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        char batch[192];
        const char *wrong = check_row(v, st);
        v->sums->blocks += sqlite3_column_int64(st, AT_BLOCK) > 0;
        if (wrong) {
            (void)snprintf(batch, sizeof(batch), "%.64s %.64s %lld",
                           (const char *)sqlite3_column_text(st, AT_AGENT),
                           (const char *)sqlite3_column_text(st, AT_STREAM),
                           (long long)sqlite3_column_int64(st, AT_SEQ0));
            tell(v, batch, wrong);
        }
        rc = SQLITE_OK;
    }
    int err = wedr_sqlite_error(v->db, rc);
    sqlite3_finalize(st);
    return err;
}

static int check_batches(struct verify *v)
{
    int64_t count = 0;
    int err = wedr_sqlite_int(v->db, "SELECT count(*) FROM batch", &count);
    v->sums->batches += (uint64_t)count;
    count = 0;
    err = err == WEDR_OK ? wedr_sqlite_int(v->db, "SELECT count(*) FROM damage", &count) : err;
    v->sums->lost += (uint64_t)count;
    err = err == WEDR_OK
              ? check_rows(v, batches, "the digest is not that of the batch as it was received")
              : err;
    return err == WEDR_OK
               ? check_rows(v, made_blocks, "the digest is not that of the block as it was merged")
               : err;
}

/* Blocks that no batch speaks of would be events that nobody sent. */
static int check_orphans(struct verify *v)
{
    static const struct {
        const char *sql, *what;
    } checks[] = {
        {"SELECT count(*) FROM blk WHERE id NOT IN (SELECT block FROM batch) AND id NOT IN (SELECT "
         "id FROM dead)",
         "blocks without a batch"},
        {"SELECT count(*) FROM tiny WHERE -id NOT IN (SELECT block FROM batch) AND -id NOT IN "
         "(SELECT id FROM dead)",
         "small blocks without a batch"},
        {"SELECT count(*) FROM data WHERE id NOT IN (SELECT id FROM blk)", "data without a block"},
        {"SELECT count(*) FROM batch b JOIN dead d ON d.id=b.block", "batches in a dead block"},
        {"SELECT count(*) FROM batch b JOIN blk k ON k.id=b.block WHERE k.flags&2 AND (b.agent<>"
         "k.agent OR b.epoch<>k.epoch OR b.stream<>k.stream OR b.seq0<k.seq0 OR b.seq1>k.seq1)",
         "batches outside of their block"},
    };
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(checks); i++) {
        int64_t n = 0;
        char what[96];
        int err = wedr_sqlite_int(v->db, checks[i].sql, &n);
        if (err != WEDR_OK) {
            return err;
        }
        if (n > 0) {
            (void)snprintf(what, sizeof(what), "%lld %s", (long long)n, checks[i].what);
            tell(v, "", what);
        }
    }
    return WEDR_OK;
}

#define STEPS 100 /* of SQLite's machine between two questions whether to end */

static int ask_to_end(void *arg)
{
    const struct verify *v = arg;
    return v->end(v->ctx);
}

/* All of it as it was at one moment, whatever the server writes meanwhile. */
static int check_day(struct verify *v, int32_t day)
{
    char path[WEDR_EVENTS_PATH_MAX + 32];
    wedr_day_text(day, v->day);
    (void)snprintf(path, sizeof(path), "%s/%s.db", v->folder, v->day);
    int err = wedr_day_open_reader(path, &v->db);
    if (err == WEDR_E_NOENT) {
        return WEDR_OK; /* dropped meanwhile, or made and still empty */
    }
    v->sums->days++;
    if (err == WEDR_E_CORRUPT || err == WEDR_E_VERSION) {
        tell(v, "", err == WEDR_E_VERSION ? "written by a newer program" : "no file of ours");
        return WEDR_OK;
    }
    if (err == WEDR_OK && v->end) {
        sqlite3_progress_handler(v->db, STEPS, ask_to_end, v);
    }
    err = err == WEDR_OK ? wedr_sqlite_exec(v->db, "BEGIN") : err;
    err = err == WEDR_OK ? check_pages(v) : err;
    err = err == WEDR_OK ? check_batches(v) : err;
    err = err == WEDR_OK ? check_orphans(v) : err;
    if (err == WEDR_E_CORRUPT) {
        tell(v, "", "the rest of the file cannot be read");
        err = WEDR_OK;
    }
    sqlite3_close(v->db);
    v->db = NULL;
    return err;
}

int wedr_events_verify(const char *data_dir,
                       wedr_verify_fn *fn,
                       void *ctx,
                       struct wedr_verify_sums *ret_sums,
                       struct wedr_errinfo *ei)
{
    char folder[WEDR_EVENTS_PATH_MAX];
    wedr_handle dir = WEDR_HANDLE_NONE;
    struct verify *v = wedr_alloc(1, sizeof(*v));
    if (!v) {
        return WEDR_E_NOMEM;
    }
    memset(ret_sums, 0, sizeof(*ret_sums));
    (void)snprintf(folder, sizeof(folder), "%s/events", data_dir);
    v->folder = folder;
    v->fn = fn;
    v->ctx = ctx;
    v->sums = ret_sums;
    int err = wedr_fs_open_dir(folder, &dir);
    err = err == WEDR_OK ? wedr_fs_list(dir, add_day, v) : err;
    for (size_t i = 0; err == WEDR_OK && i < v->day_count; i++) {
        err = check_day(v, v->days[i]);
    }
    if (err != WEDR_OK) {
        (void)wedr_fail(ei, err, "%s%s%s: %s", folder, v->day[0] ? "/" : "", v->day,
                        wedr_err_text(err));
    }
    wedr_fs_close(dir);
    wedr_free(v);
    return err;
}

int wedr_events_verify_day(const char *folder,
                           int32_t day,
                           wedr_verify_fn *fn,
                           bool (*end)(void *ctx),
                           void *ctx,
                           struct wedr_verify_sums *ret_sums)
{
    struct verify *v = wedr_alloc(1, sizeof(*v));
    if (!v) {
        return WEDR_E_NOMEM;
    }
    memset(ret_sums, 0, sizeof(*ret_sums));
    v->folder = folder;
    v->fn = fn;
    v->end = end;
    v->ctx = ctx;
    v->sums = ret_sums;
    int err = check_day(v, day);
    wedr_free(v);
    return err;
}
