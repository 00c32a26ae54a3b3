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
#include "store/events/embedded/salvage.h"
#include <stdio.h>
#include <string.h>

#define PAGE 16384u
#define LINE_FIRST (64u << 10)
#define BUSY_MS 5000

/* A damaged file is read like a hostile one: nothing is written to it but the log's index. */
int wedr_salvage_open(const char *path, sqlite3 **ret)
{
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    int64_t tables = 0;
    int err = wedr_sqlite_error(NULL, sqlite3_open_v2(path, &db, flags, NULL));
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

static int read_first_page(const char *path, uint8_t ret[PAGE], uint64_t *ret_size)
{
    struct wedr_fs_stat fs = {0};
    wedr_handle h = WEDR_HANDLE_NONE;
    size_t n = 0;
    int err = wedr_fs_open(path, WEDR_FS_READ, 0, &h);
    err = err == WEDR_OK ? wedr_fs_stat(h, &fs) : err;
    err = err == WEDR_OK ? wedr_fs_pread(h, ret, PAGE, 0, &n) : err;
    wedr_fs_close(h);
    *ret_size = fs.size;
    return err == WEDR_OK && n != PAGE ? WEDR_E_CORRUPT : err;
}

/* That of a file that was just made. */
static int new_first_page(struct wedr_events *s, uint8_t ret[PAGE])
{
    static const char *const names[] = {"new.tmp", "new.tmp-wal", "new.tmp-shm"};
    char path[WEDR_EVENTS_PATH_MAX + 16];
    sqlite3 *db = NULL;
    uint64_t size = 0;
    (void)snprintf(path, sizeof(path), "%s/new.tmp", s->dir);
    for (int turn = 0; turn < 2; turn++) {
        int err = turn == 0 ? WEDR_OK : wedr_day_open(path, &db, NULL);
        if (turn == 1) {
            sqlite3_close(db); /* the log goes into the file */
            err = err == WEDR_OK ? read_first_page(path, ret, &size) : err;
        }
        for (size_t i = 0; i < WEDR_ARRAY_COUNT(names); i++) {
            int gone = wedr_fs_unlink_at(s->dir_handle, names[i]);
            err = err == WEDR_OK && gone != WEDR_E_NOENT ? gone : err;
        }
        if (err != WEDR_OK) {
            return err;
        }
    }
    return WEDR_OK;
}

static void put_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

int wedr_salvage_first_page(struct wedr_events *s, const char *name)
{
    char path[WEDR_EVENTS_PATH_MAX + 160], kept[128];
    uint8_t *pages = wedr_alloc(2, PAGE), *old = pages, *fresh = pages ? pages + PAGE : NULL;
    uint64_t size = 0;
    wedr_handle h = WEDR_HANDLE_NONE;
    (void)snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    (void)snprintf(kept, sizeof(kept), "%.13s.page1%.60s", name,
                   name + strlen("2026-11-23.db.damaged"));
    int err = pages ? read_first_page(path, old, &size) : WEDR_E_NOMEM;
    err = err == WEDR_OK && size / PAGE > UINT32_MAX ? WEDR_E_CORRUPT : err;
    err = err == WEDR_OK ? new_first_page(s, fresh) : err;
    err = err == WEDR_OK ? wedr_fs_replace_at(s->dir_handle, kept, old, PAGE, 0600) : err;
    if (err == WEDR_OK) {
        put_be32(fresh + 28, (uint32_t)(size / PAGE)); /* pages of the file */
        memcpy(fresh + 92, fresh + 24, 4);             /* that number holds for this version */
        memset(fresh + 32, 0, 8);                      /* no list of free pages */
        err = wedr_fs_open(path, WEDR_FS_READ | WEDR_FS_WRITE, 0, &h);
    }
    err = err == WEDR_OK ? wedr_fs_write(h, fresh, PAGE) : err;
    err = err == WEDR_OK ? wedr_fs_sync(h) : err;
    wedr_fs_close(h);
    wedr_free(pages);
    return err;
}
