/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening what is damaged. Lines that are whole, beside parts that are not: columns and filters are
 * made again. And a file whose first page is gone gets that of a new one, which has the same tables
 * in the same places. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "ingest/merge.h"
#include "ingest/prepared.h"
#include "ingest/unpack.h"
#include "store/events/embedded/page_vfs.h"
#include "store/events/embedded/salvage.h"
#include <stdio.h>
#include <string.h>

#define LINE_FIRST (64u << 10)
#define BUSY_MS 5000

/* A damaged file is read like a hostile one: nothing is written to it but the log's index. */
int wedr_salvage_open(const char *path, sqlite3 **ret)
{
    sqlite3 *db = NULL;
    int64_t tables = 0;
    int err = wedr_day_not_empty(path);
    err = err == WEDR_OK        ? wedr_db_open(path, SQLITE_OPEN_READWRITE, &db)
          : err == WEDR_E_NOENT ? WEDR_E_CORRUPT
                                : err;
    if (err == WEDR_OK) {
        sqlite3_busy_timeout(db, BUSY_MS);
        sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        err = wedr_sqlite_exec(db, "PRAGMA query_only=1; PRAGMA cell_size_check=1");
        err = err == WEDR_OK ? wedr_sqlite_int(db,
                                               "SELECT count(*) FROM sqlite_master WHERE name IN "
                                               "('batch', 'blk', 'data', 'tiny', 'stream')",
                                               &tables)
                             : err;
        err = err == WEDR_OK && tables != 5 ? WEDR_E_CORRUPT : err;
    }
    if (err != WEDR_OK) {
        sqlite3_close(db);
        return err;
    }
    *ret = db;
    return WEDR_OK;
}

int wedr_salvage_arrival(const char *path, int64_t *ret)
{
    sqlite3 *db = NULL;
    int64_t a = 0, b = 0;
    int err = wedr_salvage_open(path, &db);
    if (err == WEDR_OK) {
        int one = wedr_sqlite_int(db, "SELECT value FROM meta WHERE key='arrival'", &a);
        int other = wedr_sqlite_int(
            db, "SELECT coalesce(max(arrival), 0) / 65536 FROM batch NOT INDEXED", &b);
        err = one == WEDR_OK || other == WEDR_OK ? WEDR_OK : WEDR_E_CORRUPT;
    }
    sqlite3_close(db);
    if (err == WEDR_OK) {
        *ret = a > b ? a : b;
    }
    return err;
}

/* All lines were accepted once: each is a row. */
static int add_lines(struct wedr_merge *m, const char *raw, size_t len)
{
    struct wedr_line_parser *parser = wedr_line_parser_new(LINE_FIRST);
    int err = parser ? WEDR_OK : WEDR_E_NOMEM;
    for (size_t at = 0; err == WEDR_OK && at < len;) {
        struct wedr_line line;
        struct wedr_line_info info = {0};
        const char *nl = memchr(raw + at, '\n', len - at);
        size_t n = nl ? (size_t)(nl - raw) - at : 0;
        err = nl ? wedr_line_parse(parser, raw + at, n, &line) : WEDR_E_CORRUPT;
        err = err == WEDR_OK ? wedr_line_read(&line, &info) : err;
        if (err == WEDR_OK) {
            wedr_merge_add(m, info.seq, wedr_span(raw + at, n), &line, &info);
        }
        at += n + 1;
    }
    wedr_line_parser_free(parser);
    return err;
}

static int insert_remade(struct wedr_salvage *w,
                         sqlite3_stmt *blk,
                         const struct wedr_merged *m,
                         int64_t *ret_new)
{
    static const char *const parts[3] = {"INSERT INTO col(id, c) VALUES(?,?)",
                                         "INSERT INTO filt(id, f) VALUES(?,?)",
                                         "INSERT INTO ng(id, g) VALUES(?,?)"};
    const struct wedr_sqlite_blob blobs[3] = {
        {m->col.p, m->col.len}, {m->bloom.p, m->bloom.len}, {m->ngram.p, m->ngram.len}};
    sqlite3_stmt *out = NULL;
    int err = wedr_sqlite_error(
        w->to, sqlite3_prepare_v2(w->to,
                                  "INSERT INTO blk(agent, hostname, epoch, boot_id, stream, seq0, "
                                  "seq1, n, rejected, t0, t1, received_at, counts, raw_len, z_len, "
                                  "flags) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                                  -1, &out, NULL));
    for (int i = 0; err == WEDR_OK && i < 16; i++) {
        sqlite3_bind_value(out, i + 1, sqlite3_column_value(blk, i));
    }
    err = err == WEDR_OK ? wedr_sqlite_error(w->to, sqlite3_step(out)) : err;
    (void)sqlite3_finalize(out);
    *ret_new = sqlite3_last_insert_rowid(w->to);
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(parts); i++) {
        err = wedr_sqlite_run(w->to, parts[i], "ib", *ret_new, blobs[i]);
    }
    return err;
}

int wedr_salvage_remake(struct wedr_salvage *w, int64_t id, int64_t *ret_new)
{
    sqlite3_stmt *st = NULL;
    struct wedr_merge *m = NULL;
    struct wedr_merged made = {0};
    char *raw = NULL;
    size_t len = 0;
    int rc = sqlite3_prepare_v2(
        w->from,
        "SELECT k.agent, k.hostname, k.epoch, k.boot_id, k.stream, k.seq0, k.seq1, k.n, k.rejected,"
        " k.t0, k.t1, k.received_at, k.counts, k.raw_len, k.z_len, k.flags, d.z, m.sha256, m.parts"
        " FROM blk k JOIN data d ON d.id=k.id JOIN made m ON m.id=k.id WHERE k.id=?1",
        -1, &st, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(st, 1, id);
        rc = sqlite3_step(st);
    }
    /* Which lines were rejected stood in the columns alone. */
    int err = rc == SQLITE_DONE || (rc == SQLITE_ROW && sqlite3_column_int64(st, 8) != 0)
                  ? WEDR_E_CORRUPT
                  : wedr_sqlite_error(w->from, rc);
    if (err == WEDR_OK) {
        m = wedr_merge_new((uint64_t)sqlite3_column_int64(st, 5));
        err = m ? wedr_unpack(sqlite3_column_blob(st, 16), (size_t)sqlite3_column_bytes(st, 16),
                              WEDR_BATCH_RAW_ACCEPT, &raw, &len)
                : WEDR_E_NOMEM;
    }
    err = err == WEDR_OK ? add_lines(m, raw, len) : err;
    err = err == WEDR_OK ? wedr_merge_finish(m, 1, &made) : err;
    if (err == WEDR_OK) {
        err = made.lines == sqlite3_column_int64(st, 7) ? insert_remade(w, st, &made, ret_new)
                                                        : WEDR_E_CORRUPT;
        wedr_merged_fini(&made);
    }
    for (int i = 0; err == WEDR_OK && i < 2; i++) { /* the frame and its digest stay as they are */
        struct wedr_sqlite_blob z = {sqlite3_column_blob(st, 16),
                                     (size_t)sqlite3_column_bytes(st, 16)};
        struct wedr_sqlite_blob sha = {sqlite3_column_blob(st, 17),
                                       (size_t)sqlite3_column_bytes(st, 17)};
        struct wedr_sqlite_blob parts = {sqlite3_column_blob(st, 18),
                                         (size_t)sqlite3_column_bytes(st, 18)};
        err = i == 0
                  ? wedr_sqlite_run(w->to, "INSERT INTO data(id, z) VALUES(?,?)", "ib", *ret_new, z)
                  : wedr_sqlite_run(w->to, "INSERT INTO made(id, sha256, parts) VALUES(?,?,?)",
                                    "ibb", *ret_new, sha, parts);
    }
    wedr_merge_free(m);
    wedr_free(raw);
    (void)sqlite3_finalize(st);
    return err;
}

/* --- The first page. */

#define SAMPLES 64u /* pages that are asked whether the file has sums */

/* What can be seen of a file without its first page. */
struct shape {
    uint64_t pages;
    bool sums;
    bool packed; /* of a release without sums: VACUUM put its tables elsewhere */
};

static void put_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

/* Of the 100 bytes of a header (sqlite.org/fileformat.html, 1.3): the bytes that are left free on
 * each page, the version that day_file.c gives it. */
static bool says_sums(const uint8_t page[WEDR_PAGE_LEN])
{
    uint8_t version[4];
    put_be32(version, WEDR_DAY_VERSION);
    return page[20] == WEDR_PAGE_SUM_LEN && memcmp(page + 60, version, sizeof(version)) == 0;
}

static int read_shape(wedr_handle h, uint8_t page[WEDR_PAGE_LEN], struct shape *ret)
{
    struct wedr_fs_stat fs = {0};
    unsigned read = 0;
    *ret = (struct shape){.sums = false};
    int err = wedr_fs_stat(h, &fs);
    ret->pages = fs.size / WEDR_PAGE_LEN;
    err = err == WEDR_OK && ret->pages > UINT32_MAX ? WEDR_E_CORRUPT : err;
    for (uint64_t i = 1; err == WEDR_OK && i < ret->pages && i < SAMPLES; i++, read++) {
        size_t n = 0;
        err = wedr_fs_pread(h, page, WEDR_PAGE_LEN, i * WEDR_PAGE_LEN, &n);
        ret->sums = ret->sums || wedr_page_sum_is_right(page, i + 1);
        ret->packed = ret->packed || (i == 4 && (page[0] == 5 || page[0] == 13)); /* no index */
    }
    ret->sums = ret->sums || read == 0; /* nothing but a log: of today */
    if (err == WEDR_OK && !ret->sums) { /* or none of them is whole; the first may be nearly */
        size_t n = 0;
        err = wedr_fs_pread(h, page, WEDR_PAGE_LEN, 0, &n);
        ret->sums = err == WEDR_OK && n == WEDR_PAGE_LEN && says_sums(page);
    }
    return err;
}

/* That of a file that was just made, which has the same tables in the same places. */
static int
new_first_page(struct wedr_events *s, const struct shape *shape, uint8_t ret[WEDR_PAGE_LEN])
{
    static const char *const names[] = {"new.tmp", "new.tmp-wal", "new.tmp-shm"};
    char path[WEDR_EVENTS_PATH_MAX + 16];
    wedr_handle h = WEDR_HANDLE_NONE;
    size_t n = 0;
    (void)snprintf(path, sizeof(path), "%s/new.tmp", s->dir);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(names); i++) {
        int gone = wedr_fs_unlink_at(s->dir_handle, names[i]);
        if (gone != WEDR_OK && gone != WEDR_E_NOENT) {
            return gone;
        }
    }
    int err = wedr_day_make_empty(path, shape->sums ? WEDR_DAY_VERSION : 1, shape->packed);
    err = err == WEDR_OK ? wedr_fs_open(path, WEDR_FS_READ, 0, &h) : err;
    err = err == WEDR_OK ? wedr_fs_pread(h, ret, WEDR_PAGE_LEN, 0, &n) : err;
    wedr_fs_close(h);
    err = err == WEDR_OK ? wedr_fs_unlink_at(s->dir_handle, names[0]) : err;
    return err == WEDR_OK && n != WEDR_PAGE_LEN ? WEDR_E_BUG : err;
}

/* The old first page is kept beside the file. */
static int keep_first_page(struct wedr_events *s, const char *name, wedr_handle h, uint8_t *page)
{
    char kept[128];
    size_t n = 0;
    (void)snprintf(kept, sizeof(kept), "%.13s.page1%.60s", name,
                   name + strlen("2026-11-23.db.damaged"));
    int err = wedr_fs_pread(h, page, WEDR_PAGE_LEN, 0, &n);
    return err == WEDR_OK ? wedr_fs_replace_at(s->dir_handle, kept, page, n, 0600) : err;
}

int wedr_salvage_first_page(struct wedr_events *s, const char *name, bool *ret_sums)
{
    char path[WEDR_EVENTS_PATH_MAX + 160];
    uint8_t *page = wedr_alloc(1, WEDR_PAGE_LEN);
    struct shape shape = {0};
    wedr_handle h = WEDR_HANDLE_NONE;
    (void)snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    int err = page ? wedr_fs_open(path, WEDR_FS_READ | WEDR_FS_WRITE, 0, &h) : WEDR_E_NOMEM;
    err = err == WEDR_OK ? read_shape(h, page, &shape) : err;
    err = err == WEDR_OK ? keep_first_page(s, name, h, page) : err;
    err = err == WEDR_OK ? new_first_page(s, &shape, page) : err;
    if (err == WEDR_OK) {
        put_be32(page + 28, shape.pages ? (uint32_t)shape.pages : 1);
        memcpy(page + 92, page + 24, 4); /* that number holds for this version */
        memset(page + 32, 0, 8);         /* no list of free pages */
        if (shape.sums) {
            wedr_page_sum_put(page, 1);
        }
        err = wedr_fs_write(h, page, WEDR_PAGE_LEN);
    }
    err = err == WEDR_OK ? wedr_fs_sync(h) : err;
    wedr_fs_close(h);
    wedr_free(page);
    if (err == WEDR_OK) {
        *ret_sums = shape.sums;
    }
    return err;
}
