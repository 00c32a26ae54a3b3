/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening the catalog. A damaged one is set aside; what can be read of it goes into a new one. What
 * dropped days left behind and cannot be read any more shows as missing. */
#include "core/base/err.h"
#include "core/util/log.h"
#include "store/events/embedded/embedded.h"
#include "wedr/plat/time.h"
#include <stdio.h>

static const char *const suffixes[3] = {"", "-wal", "-shm"};

/* Every page: small numbers for each stream and day that was dropped. */
static int check(sqlite3 *db)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL);
    rc = rc == SQLITE_OK ? sqlite3_step(st) : rc;
    const char *text = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
    bool whole = text && sqlite3_stricmp(text, "ok") == 0;
    int err = rc == SQLITE_ROW ? WEDR_OK : wedr_sqlite_error(db, rc);
    (void)sqlite3_finalize(st);
    return err == WEDR_OK && !whole ? WEDR_E_CORRUPT : err;
}

static int open_whole(const char *path, sqlite3 **ret, struct wedr_errinfo *ei)
{
    int err = wedr_catalog_open(path, ret, ei);
    if (err == WEDR_OK) {
        err = check(*ret);
        if (err != WEDR_OK) {
            (void)wedr_fail(ei, err, "%s: %s", path, wedr_err_text(err));
            sqlite3_db_config(*ret, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
            sqlite3_close(*ret);
            *ret = NULL;
        }
    }
    return err == WEDR_E_BUG ? WEDR_E_CORRUPT : err; /* tables of another kind */
}

/* aside: its new name. */
static int set_aside(struct wedr_events *s, char aside[64])
{
    char from[64], to[80];
    int err = WEDR_OK;
    (void)snprintf(aside, 64, "catalog.db.damaged-%lld", (long long)wedr_time_utc_us());
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(suffixes); i++) {
        (void)snprintf(from, sizeof(from), "catalog.db%s", suffixes[i]);
        (void)snprintf(to, sizeof(to), "%s%s", aside, suffixes[i]);
        err = wedr_fs_rename_at(s->dir_handle, from, to);
        err = err == WEDR_E_NOENT ? WEDR_OK : err;
    }
    return err == WEDR_OK ? wedr_fs_sync(s->dir_handle) : err;
}

/* From either end as far as it goes. */
static void save(sqlite3 *from, sqlite3 *to)
{
    static const char *const tables[] = {"dropping",    "expired",   "run", "stream", "loss",
                                         "epoch_start", "epoch_end", "gap", "tamper", "damage"};
    for (size_t i = 0; i < 2 * WEDR_ARRAY_COUNT(tables); i++) {
        const char *t = tables[i / 2];
        char columns[64] = "?", select[96], insert[128];
        int64_t n = 0;
        (void)snprintf(select, sizeof(select), "SELECT count(*) FROM pragma_table_info('%s')", t);
        if (wedr_sqlite_int(to, select, &n) != WEDR_OK || n < 1 || n > 20) {
            continue;
        }
        for (int64_t k = 1, at = 1; k < n; k++, at += 2) {
            (void)snprintf(columns + at, sizeof(columns) - (size_t)at, ",?");
        }
        (void)snprintf(select, sizeof(select), "SELECT * FROM %s ORDER BY 1 %s", t,
                       i % 2 ? "DESC" : "ASC");
        (void)snprintf(insert, sizeof(insert), "INSERT OR IGNORE INTO %s VALUES(%s)", t, columns);
        int err = wedr_sqlite_copy(from, select, to, insert);
        if (err != WEDR_OK) {
            wedr_log(ERROR, "events.catalog_lost", WEDR_STR("table", t), WEDR_ERR(err));
        }
    }
}

int wedr_embedded_catalog(struct wedr_events *s, struct wedr_errinfo *ei)
{
    char path[WEDR_EVENTS_PATH_MAX + 96], aside[64];
    sqlite3 *old = NULL;
    (void)snprintf(path, sizeof(path), "%s/catalog.db", s->dir);
    int err = open_whole(path, &s->catalog, ei);
    if (err != WEDR_E_CORRUPT) {
        return err;
    }
    err = set_aside(s, aside);
    err = err == WEDR_OK ? wedr_catalog_open(path, &s->catalog, ei) : err;
    if (err != WEDR_OK) {
        return err;
    }
    wedr_log(ERROR, "events.catalog_damaged", WEDR_STR("set_aside_as", aside));
    (void)snprintf(path, sizeof(path), "%s/%s", s->dir, aside);
    if (wedr_day_open_reader(path, &old) == WEDR_OK) {
        err = wedr_sqlite_exec(s->catalog, "BEGIN IMMEDIATE");
        save(old, s->catalog);
        err = err == WEDR_OK ? wedr_sqlite_exec(s->catalog, "COMMIT") : err;
    }
    sqlite3_close(old);
    return err;
}
