/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/embedded/day_file.h"

#include "core/base/err.h"
#include "ingest/line_schema.h"
#include "store/events/embedded/page_vfs.h"
#include "wedr/plat/fs.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What the ledger is made of; in day files and in the catalog alike. An epoch is its 64 bits as a
 * signed integer. */
#define LEDGER_TABLES                                                                              \
    "CREATE TABLE stream(agent TEXT, epoch INTEGER, stream TEXT, seq_min INTEGER, seq_max "        \
    "INTEGER,"                                                                                     \
    " t0 INTEGER, t1 INTEGER, PRIMARY KEY(agent, epoch, stream)) WITHOUT ROWID;"                   \
    "CREATE TABLE loss(agent TEXT, epoch INTEGER, stream TEXT, reason INTEGER, lost INTEGER,"      \
    " produced INTEGER, ranges TEXT, ts INTEGER, arrival INTEGER, src_epoch INTEGER, src_seq "     \
    "INTEGER,"                                                                                     \
    " PRIMARY KEY(agent, src_epoch, src_seq)) WITHOUT ROWID;"                                      \
    "CREATE TABLE epoch_start(agent TEXT, epoch INTEGER, stream TEXT, boot_id BLOB, adopted "      \
    "INTEGER,"                                                                                     \
    " ts INTEGER, arrival INTEGER, src_epoch INTEGER, src_seq INTEGER,"                            \
    " PRIMARY KEY(agent, src_epoch, src_seq)) WITHOUT ROWID;"                                      \
    "CREATE TABLE epoch_end(agent TEXT, epoch INTEGER, stream TEXT, produced INTEGER, ts INTEGER," \
    " arrival INTEGER, src_epoch INTEGER, src_seq INTEGER,"                                        \
    " PRIMARY KEY(agent, src_epoch, src_seq)) WITHOUT ROWID;"                                      \
    "CREATE TABLE gap(agent TEXT, hostname TEXT, stream TEXT, from_us INTEGER, to_us INTEGER,"     \
    " reason INTEGER, src_epoch INTEGER, src_seq INTEGER,"                                         \
    " PRIMARY KEY(agent, src_epoch, src_seq)) WITHOUT ROWID;"                                      \
    "CREATE TABLE tamper(agent TEXT, hostname TEXT, epoch INTEGER, stream TEXT, seq0 INTEGER,"     \
    " seq1 INTEGER, sha256 BLOB, received_at INTEGER,"                                             \
    " PRIMARY KEY(agent, epoch, stream, seq0, sha256)) WITHOUT ROWID;"

/* Batches that are known and cannot be read: lost(corrupt). */
#define DAMAGE_TABLE                                                                   \
    "damage(agent TEXT, epoch INTEGER, stream TEXT, seq0 INTEGER, seq1 INTEGER, lost " \
    "INTEGER, at INTEGER, PRIMARY KEY(agent, epoch, stream, seq0)) WITHOUT ROWID"

#define FIRST_TABLES                                                                              \
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;"                       \
    "INSERT INTO meta VALUES('arrival', 0);"                                                      \
    "CREATE TABLE batch(agent TEXT, epoch INTEGER, stream TEXT, seq0 INTEGER, seq1 INTEGER, "     \
    "sha256 BLOB,"                                                                                \
    " n INTEGER, rejected INTEGER, bitmap BLOB, produced INTEGER, lost_ring INTEGER, boot_id "    \
    "BLOB,"                                                                                       \
    " received_at INTEGER, block INTEGER, hostname TEXT, t_last INTEGER, arrival INTEGER,"        \
    " PRIMARY KEY(agent, epoch, stream, seq0)) WITHOUT ROWID;"                                    \
    "CREATE TABLE blk(id INTEGER PRIMARY KEY, agent TEXT, hostname TEXT, epoch INTEGER, boot_id " \
    "BLOB,"                                                                                       \
    " stream TEXT, seq0 INTEGER, seq1 INTEGER, n INTEGER, rejected INTEGER, t0 INTEGER, t1 "      \
    "INTEGER,"                                                                                    \
    " received_at INTEGER, counts BLOB, raw_len INTEGER, z_len INTEGER, flags INTEGER);"
/* No UNIQUE: a block that was merged away may begin where the new one does. */
#define BLK_INDEXES                                            \
    "CREATE INDEX blk_seq ON blk(agent, epoch, stream, seq0);" \
    "CREATE INDEX blk_time ON blk(agent, t0);"
/* Files of releases before have a key of `tiny`, for which each small batch of another agent
 * changed a page. The key of `batch` leads to the same rows. An empty table has its root page, so
 * that those of the tables behind it are where they were. */
#define TINY_KEY_1 ", UNIQUE(agent, epoch, stream, seq0));"
#define TINY_KEY ");CREATE TABLE tiny_key(id INTEGER PRIMARY KEY);"
#define MORE_TABLES(key)                                                                           \
    "CREATE TABLE data(id INTEGER PRIMARY KEY, z BLOB);"                                           \
    "CREATE TABLE col(id INTEGER PRIMARY KEY, c BLOB);"                                            \
    "CREATE TABLE filt(id INTEGER PRIMARY KEY, f BLOB);"                                           \
    "CREATE TABLE ng(id INTEGER PRIMARY KEY, g BLOB);"                                             \
    "CREATE TABLE tiny(id INTEGER PRIMARY KEY, agent TEXT, hostname TEXT, epoch INTEGER, boot_id " \
    "BLOB,"                                                                                        \
    " stream TEXT, seq0 INTEGER, seq1 INTEGER, n INTEGER, rejected INTEGER, t0 INTEGER, t1 "       \
    "INTEGER,"                                                                                     \
    " received_at INTEGER, counts BLOB, raw_len INTEGER, bitmap BLOB, z BLOB" key LEDGER_TABLES
/* What files of older releases lack; they get it when they are opened for writing. Readers go
 * through batches in order of arrival. */
#define LATE_INDEXES "CREATE INDEX IF NOT EXISTS batch_arrival ON batch(arrival);"
/* Releases before had one index more, the last one of version 2. */
#define TINY_MERGE "CREATE INDEX tiny_merge ON tiny(agent, epoch, stream, seq0, n, received_at);"
#define LATE_TABLES                                                                     \
    "CREATE TABLE IF NOT EXISTS dead(id INTEGER PRIMARY KEY, at INTEGER);"              \
    "CREATE TABLE IF NOT EXISTS made(id INTEGER PRIMARY KEY, sha256 BLOB, parts BLOB);" \
    "CREATE TABLE IF NOT EXISTS " DAMAGE_TABLE ";"

/* Tables, then indexes: VACUUM makes them in that order, so each has the same root page for ever. A
 * file whose first page is lost can be read with that of another one (salvage_parts.c). */
static const char day_tables[] = FIRST_TABLES MORE_TABLES(TINY_KEY)
LATE_TABLES BLK_INDEXES LATE_INDEXES;
static const char day_tables_1[] = FIRST_TABLES BLK_INDEXES MORE_TABLES(TINY_KEY_1)
LATE_INDEXES TINY_MERGE LATE_TABLES;
static const char day_neighbours[] = LATE_INDEXES LATE_TABLES;

static const char catalog_tables[] =
    "CREATE TABLE dropping(day INTEGER PRIMARY KEY);"
    "CREATE TABLE expired(agent TEXT, epoch INTEGER, stream TEXT, expired INTEGER, rejected "
    "INTEGER,"
    " produced INTEGER, boot_id BLOB, hostname TEXT, t_last INTEGER, seq_max INTEGER, arrival "
    "INTEGER,"
    " day INTEGER, PRIMARY KEY(agent, epoch, stream, day)) WITHOUT ROWID;"
    "CREATE TABLE run(agent TEXT, epoch INTEGER, stream TEXT, seq0 INTEGER, seq1 INTEGER,"
    " PRIMARY KEY(agent, epoch, stream, seq0)) WITHOUT ROWID;" LEDGER_TABLES;

int wedr_sqlite_error(sqlite3 *db, int sqlite_rc)
{
    switch (sqlite_rc & 0xFF) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return WEDR_OK;
    case SQLITE_NOMEM:
        return WEDR_E_NOMEM;
    case SQLITE_FULL:
        return WEDR_E_NOSPC;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return WEDR_E_CORRUPT;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_ERROR:
        return WEDR_E_BUG; /* our statements fit our tables: these are not ours */
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return WEDR_E_BUSY;
    case SQLITE_INTERRUPT:
        return WEDR_E_TIMEOUT;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
        return WEDR_E_PERM;
    default:
        break;
    }
    int os = db != NULL ? sqlite3_system_errno(db) : 0;
    if (os == EMFILE || os == ENFILE) {
        return WEDR_E_BUSY; /* it says nothing about the file */
    }
    return os == ENOSPC || os == EDQUOT ? WEDR_E_NOSPC : WEDR_E_IO;
}

int wedr_sqlite_exec(sqlite3 *db, const char *sql)
{
    return wedr_sqlite_error(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int wedr_sqlite_int(sqlite3 *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
    }
    int err = rc == SQLITE_DONE ? WEDR_E_NOENT : wedr_sqlite_error(db, rc);
    if (rc == SQLITE_ROW) {
        *ret = sqlite3_column_int64(st, 0);
    }
    sqlite3_finalize(st);
    return err;
}

int32_t wedr_day_of(int64_t us)
{
    int64_t day = us / 86400000000 - (us % 86400000000 < 0 ? 1 : 0);
    return day < 0 ? 0 : day > 32767 ? 32767 : (int32_t)day;
}

void wedr_day_text(int32_t day, char ret[WEDR_DAY_TEXT])
{
    int y = 0;
    unsigned m = 0, d = 0;
    wedr_civil_from_days(day, &y, &m, &d);
    (void)snprintf(ret, WEDR_DAY_TEXT, "%04u-%02u-%02u", (unsigned)y % 10000u, m % 100u, d % 100u);
}

bool wedr_day_parse(const char *s, size_t len, int32_t *ret_day)
{
    char again[WEDR_DAY_TEXT];
    int part[3] = {0, 0, 0}, k = 0;
    if (len != WEDR_DAY_TEXT - 1u) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '-') {
            k++;
        } else if (s[i] < '0' || s[i] > '9') {
            return false;
        } else if (k < 3) {
            part[k] = part[k] * 10 + (s[i] - '0');
        }
    }
    if (k != 2 || part[0] < 1970 || part[0] > 2059 || part[1] < 1 || part[1] > 12 || part[2] < 1 ||
        part[2] > 31) {
        return false;
    }
    int32_t day = (int32_t)wedr_days_from_civil(part[0], (unsigned)part[1], (unsigned)part[2]);
    wedr_day_text(day, again);
    *ret_day = day;
    return memcmp(again, s, len) == 0;
}

bool wedr_day_of_file(const char *name, int32_t *ret_day)
{
    size_t len = strlen(name);
    return len == WEDR_DAY_TEXT + 2u && strcmp(name + WEDR_DAY_TEXT - 1u, ".db") == 0 &&
           wedr_day_parse(name, WEDR_DAY_TEXT - 1u, ret_day);
}

/* Creates the tables in one transaction: a file whose writer was killed here is empty and made
 * again. */
static int create_tables(sqlite3 *db, const char *tables, int version)
{
    char head[128];
    int rc = version < 2 ? WEDR_OK : wedr_sqlite_error(db, wedr_page_vfs_begin(db));
    rc = rc == WEDR_OK
             ? wedr_sqlite_exec(
                   db, "PRAGMA page_size=16384; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
             : rc;
    if (rc == WEDR_OK) {
        rc = wedr_sqlite_exec(db, "BEGIN IMMEDIATE");
    }
    if (rc != WEDR_OK) {
        return rc;
    }
    (void)snprintf(head, sizeof(head), "PRAGMA application_id=%d; PRAGMA user_version=%d",
                   WEDR_DAY_APPLICATION_ID, version);
    rc = wedr_sqlite_exec(db, tables);
    rc = rc == WEDR_OK ? wedr_sqlite_exec(db, head) : rc;
    rc = rc == WEDR_OK ? wedr_sqlite_exec(db, "COMMIT") : rc;
    if (rc != WEDR_OK && !sqlite3_get_autocommit(db)) {
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    return rc;
}

static int check_identity(sqlite3 *db)
{
    int64_t id = 0, version = 0, tables = 0;
    int rc = wedr_sqlite_int(db, "PRAGMA application_id", &id);
    rc = rc == WEDR_OK ? wedr_sqlite_int(db, "PRAGMA user_version", &version) : rc;
    rc = rc == WEDR_OK ? wedr_sqlite_int(db, "SELECT count(*) FROM sqlite_master", &tables) : rc;
    if (rc != WEDR_OK) {
        return rc;
    }
    if (id == 0 && version == 0 && tables == 0) {
        return WEDR_E_NOENT;
    }
    if (id != WEDR_DAY_APPLICATION_ID) {
        return WEDR_E_CORRUPT;
    }
    if (version > WEDR_DAY_VERSION) {
        return WEDR_E_VERSION;
    }
    /* A changed header must not turn the checks of the other pages off. */
    bool sums = wedr_page_vfs_free_bytes(db) == WEDR_PAGE_SUM_LEN;
    return sums == (version >= 2) ? WEDR_OK : WEDR_E_CORRUPT;
}

/* The day that the name of a file says; false: it is not a day's. */
static bool day_of_path(const char *path, int32_t *ret)
{
    const char *slash = strrchr(path, '/');
    return wedr_day_of_file(slash ? slash + 1 : path, ret);
}

/* A file that lies under the name of another day is not what it is taken for: its batches may be
 * there a second time. WEDR_E_NOENT: it does not say of which day it is. */
static int check_day(sqlite3 *db, const char *path)
{
    int32_t day = 0;
    int64_t says = 0;
    if (!day_of_path(path, &day)) {
        return WEDR_OK;
    }
    int err = wedr_sqlite_int(db, "SELECT value FROM meta WHERE key='day'", &says);
    return err == WEDR_OK && says != day ? WEDR_E_CORRUPT : err;
}

/* A file of an older release is of the day on which one of its batches came: the last one of each
 * commit decides which file it goes into. */
static int note_day(sqlite3 *db, const char *path)
{
    char sql[256];
    int32_t day = 0;
    int64_t fits = 0;
    int err = check_day(db, path);
    if (err != WEDR_E_NOENT || !day_of_path(path, &day)) {
        return err;
    }
    long long from = (long long)day * 86400000000LL, to = from + 86400000000LL;
    (void)snprintf(sql, sizeof(sql),
                   "SELECT NOT EXISTS(SELECT 1 FROM batch) OR EXISTS(SELECT 1 FROM batch WHERE "
                   "received_at>=%lld AND received_at<%lld)",
                   from, to);
    err = wedr_sqlite_int(db, sql, &fits);
    if (err != WEDR_OK || !fits) {
        return err == WEDR_OK ? WEDR_E_CORRUPT : err;
    }
    return wedr_sqlite_run(db, "INSERT INTO meta VALUES('day', ?)", "i", (int64_t)day);
}

int wedr_db_open(const char *path, int flags, sqlite3 **ret)
{
    const char *vfs = wedr_page_vfs();
    sqlite3 *db = NULL;
    flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    int rc = vfs ? sqlite3_open_v2(path, &db, flags, vfs) : SQLITE_NOMEM;
    int err = wedr_sqlite_error(db, rc);
    if (err != WEDR_OK) {
        sqlite3_close(db);
        db = NULL;
    }
    *ret = db;
    return err;
}

/* A commit is durable when it returns: WAL with FULL syncs the log at each commit. */
static int check_durable(sqlite3 *db)
{
    int64_t sync = 0;
    sqlite3_stmt *st = NULL;
    int rc = wedr_sqlite_exec(db, "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0");
    rc = rc == WEDR_OK ? wedr_sqlite_int(db, "PRAGMA synchronous", &sync) : rc;
    if (rc != WEDR_OK) {
        return rc;
    }
    int step = sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &st, NULL);
    step = step == SQLITE_OK ? sqlite3_step(st) : step;
    const char *mode = step == SQLITE_ROW ? (const char *)sqlite3_column_text(st, 0) : NULL;
    bool durable = sync == 2 && mode != NULL && strcmp(mode, "wal") == 0;
    sqlite3_finalize(st);
    return durable ? WEDR_OK : WEDR_E_IO;
}

/* tables: made when there are none yet; NULL: WEDR_E_NOENT then. */
static int open_writer(const char *path, const char *tables, sqlite3 **ret, struct wedr_errinfo *ei)
{
    sqlite3 *db = NULL;
    int rc = wedr_db_open(path, SQLITE_OPEN_READWRITE | (tables ? SQLITE_OPEN_CREATE : 0), &db);
    if (rc == WEDR_OK) {
        sqlite3_extended_result_codes(db, 1);
        sqlite3_busy_timeout(db, WEDR_DAY_BUSY_MS);
        sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        /* A file that is refused stays as it is: its log may be another's. */
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        rc = check_identity(db);
        rc = rc == WEDR_E_NOENT && tables ? create_tables(db, tables, WEDR_DAY_VERSION) : rc;
        rc = rc == WEDR_OK ? check_durable(db) : rc;
    }
    if (rc != WEDR_OK) {
        wedr_fail(ei, rc, "%s: %s", path, db != NULL ? sqlite3_errmsg(db) : "cannot open");
        sqlite3_close(db);
        return rc;
    }
    *ret = db;
    return WEDR_OK;
}

int wedr_day_open(const char *path, sqlite3 **ret, struct wedr_errinfo *ei)
{
    int err = open_writer(path, day_tables, ret, ei);
    if (err == WEDR_OK) {
        err = wedr_sqlite_exec(*ret, day_neighbours);
        err = err == WEDR_OK ? note_day(*ret, path) : err;
        sqlite3_db_config(*ret, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, err != WEDR_OK, NULL);
        if (err != WEDR_OK) {
            wedr_fail(ei, err, "%s: %s", path,
                      err == WEDR_E_CORRUPT ? "damaged, or another day's" : sqlite3_errmsg(*ret));
            sqlite3_close(*ret);
        }
    }
    return err;
}

int wedr_day_make_empty(const char *path, int version, bool packed)
{
    sqlite3 *db = NULL;
    int err = wedr_db_open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db);
    err =
        err == WEDR_OK ? create_tables(db, version < 2 ? day_tables_1 : day_tables, version) : err;
    err = err == WEDR_OK && packed ? wedr_sqlite_exec(db, "VACUUM") : err;
    sqlite3_close(db); /* the log goes into the file */
    return err;
}

int wedr_day_open_worker(const char *path, sqlite3 **ret)
{
    int64_t have = 0;
    int err = open_writer(path, NULL, ret, NULL);
    if (err == WEDR_OK) {
        err =
            wedr_sqlite_int(*ret, "SELECT count(*) FROM sqlite_master WHERE name='damage'", &have);
        err = err == WEDR_OK && !have ? WEDR_E_NOENT : err; /* being made right now */
        err = err == WEDR_OK ? check_day(*ret, path) : err; /* NOENT: the same */
        sqlite3_db_config(*ret, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, err != WEDR_OK, NULL);
        err = err == WEDR_OK ? wedr_sqlite_exec(*ret, "PRAGMA synchronous=NORMAL") : err;
        if (err != WEDR_OK) {
            sqlite3_close(*ret);
        }
    }
    return err;
}

int wedr_catalog_open(const char *path, sqlite3 **ret, struct wedr_errinfo *ei)
{
    int err = open_writer(path, catalog_tables, ret, ei);
    if (err == WEDR_OK) {
        err = wedr_sqlite_exec(*ret, "CREATE TABLE IF NOT EXISTS " DAMAGE_TABLE
                                     ";CREATE TABLE IF NOT EXISTS clock(id INTEGER PRIMARY KEY,"
                                     " seen INTEGER, ahead INTEGER, doubted INTEGER)");
        sqlite3_db_config(*ret, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, err != WEDR_OK, NULL);
        if (err != WEDR_OK) {
            wedr_fail(ei, err, "%s: %s", path, sqlite3_errmsg(*ret));
            sqlite3_close(*ret);
        }
    }
    return err;
}

/* An older release's file that was not opened for writing since: its neighbours are empty. */
static int stand_in_for_neighbours(sqlite3 *db)
{
    static const char *const tables[][2] = {
        {"dead", "CREATE TEMP TABLE dead(id INTEGER PRIMARY KEY, at INTEGER)"},
        {"made", "CREATE TEMP TABLE made(id INTEGER PRIMARY KEY, sha256 BLOB, parts BLOB)"},
        {"damage", "CREATE TEMP TABLE " DAMAGE_TABLE}};
    int err = WEDR_OK;
    for (size_t i = 0; err == WEDR_OK && i < WEDR_ARRAY_COUNT(tables); i++) {
        char sql[96];
        int64_t have = 0;
        (void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM sqlite_master WHERE name='%s'",
                       tables[i][0]);
        err = wedr_sqlite_int(db, sql, &have);
        err = err == WEDR_OK && !have ? wedr_sqlite_exec(db, tables[i][1]) : err;
    }
    return err;
}

int wedr_day_not_empty(const char *path)
{
    struct wedr_fs_stat st = {0};
    int err = wedr_fs_stat_path(path, &st);
    return err == WEDR_OK && st.size == 0 ? WEDR_E_NOENT : err;
}

int wedr_day_open_reader(const char *path, sqlite3 **ret)
{
    sqlite3 *db = NULL;
    int err = wedr_day_not_empty(path);
    if (err != WEDR_OK) {
        return err;
    }
    err = wedr_db_open(path, SQLITE_OPEN_READWRITE, &db);
    if (err != WEDR_OK) {
        err = wedr_db_open(path, SQLITE_OPEN_READONLY, &db);
    }
    if (err == WEDR_OK) {
        sqlite3_extended_result_codes(db, 1);
        sqlite3_busy_timeout(db, WEDR_DAY_BUSY_MS);
        sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        err = check_identity(db);
        int day = err == WEDR_OK ? check_day(db, path) : WEDR_OK;
        err = day == WEDR_OK || day == WEDR_E_NOENT ? err : day; /* an older release did not say */
        err = err == WEDR_OK ? stand_in_for_neighbours(db) : err;
        err = err == WEDR_OK ? wedr_sqlite_exec(db, "PRAGMA query_only=1") : err;
    }
    if (err != WEDR_OK) {
        sqlite3_close(db);
        return err;
    }
    *ret = db;
    return WEDR_OK;
}
