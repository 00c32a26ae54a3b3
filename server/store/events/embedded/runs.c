/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "store/events/embedded/embedded.h"
#include "store/events/sql/block.h"

/* A batch without its block held nothing: it was missing before. */
static const char batches[] =
    "SELECT agent, epoch, stream, seq0, seq1, n, block FROM batch b WHERE"
    " (b.block>0 AND EXISTS(SELECT 1 FROM data d JOIN blk k ON k.id=d.id WHERE d.id=b.block))"
    " OR EXISTS(SELECT 1 FROM tiny t WHERE t.id=-b.block)";

static int put_run(sqlite3_stmt *out, sqlite3 *catalog, int64_t first, int64_t last)
{
    sqlite3_bind_int64(out, 4, first);
    sqlite3_bind_int64(out, 5, last);
    int err = wedr_sqlite_error(catalog, sqlite3_step(out));
    sqlite3_reset(out);
    return err;
}

/* The runs between the holes of one batch; its block may have been merged from several. */
static int
put_batch(sqlite3 *day, int64_t id, int64_t seq0, int64_t seq1, sqlite3_stmt *out, sqlite3 *catalog)
{
    struct wedr_sql counters = {.day_count = 0};
    struct wedr_block b;
    sqlite3_stmt *st = NULL;
    bool tiny = id < 0;
    int rc = sqlite3_prepare_v2(day,
                                tiny ? "SELECT " WEDR_BLOCK_COLUMNS " FROM tiny WHERE id=?1"
                                     : "SELECT " WEDR_BLOCK_COLUMNS " FROM blk WHERE id=?1",
                                -1, &st, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_int64(st, 1, tiny ? -id : id);
        rc = sqlite3_step(st);
    }
    int err = wedr_sqlite_error(day, rc);
    if (rc == SQLITE_ROW) {
        wedr_block_from_row(&b, &counters, day, st, tiny);
        int64_t first = seq0, last = seq0 - 1, seq = 0;
        for (uint32_t i = 0; err == WEDR_OK && i < b.n && wedr_block_any_seq(&b, i, seq, &seq);
             i++) {
            if (seq < seq0 || seq > seq1) {
                continue;
            }
            if (seq != last + 1) {
                err = last < first ? WEDR_OK : put_run(out, catalog, first, last);
                first = seq;
            }
            last = seq;
        }
        if (err == WEDR_OK && last >= first) {
            err = put_run(out, catalog, first, last);
        }
        wedr_block_fini(&b);
    }
    sqlite3_finalize(st);
    return err;
}

int wedr_runs_copy(sqlite3 *day, sqlite3 *catalog)
{
    sqlite3_stmt *in = NULL, *out = NULL;
    int rc = sqlite3_prepare_v2(day, batches, -1, &in, NULL);
    int err = wedr_sqlite_error(day, rc);
    if (err == WEDR_OK) {
        err = wedr_sqlite_error(
            catalog, sqlite3_prepare_v2(catalog, "INSERT OR IGNORE INTO run VALUES(?,?,?,?,?)", -1,
                                        &out, NULL));
    }
    while (err == WEDR_OK && (rc = sqlite3_step(in)) == SQLITE_ROW) {
        int64_t seq0 = sqlite3_column_int64(in, 3), seq1 = sqlite3_column_int64(in, 4);
        for (int i = 0; i < 3; i++) {
            sqlite3_bind_value(out, i + 1, sqlite3_column_value(in, i));
        }
        err = seq1 - seq0 + 1 == sqlite3_column_int64(in, 5)
                  ? put_run(out, catalog, seq0, seq1)
                  : put_batch(day, sqlite3_column_int64(in, 6), seq0, seq1, out, catalog);
    }
    if (err == WEDR_OK) {
        err = wedr_sqlite_error(day, rc);
    }
    sqlite3_finalize(in);
    sqlite3_finalize(out);
    return err;
}
