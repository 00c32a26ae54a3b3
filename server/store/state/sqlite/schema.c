/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state/sqlite/schema.h"
#include "core/base/err.h"
#include <sqlite3.h>
#include <stdio.h>

static const char *const migrations[] = {
    /* 1 */
    "CREATE TABLE agent(agent_id TEXT PRIMARY KEY, hostname TEXT NOT NULL, os TEXT NOT NULL, "
    "os_version TEXT NOT NULL,"
    " agent_version TEXT NOT NULL, cert_sha256 TEXT NOT NULL, cert_sha256_next TEXT NOT NULL "
    "DEFAULT '',"
    " sign_public BLOB NOT NULL, enrolled_us INTEGER NOT NULL, last_seen_us INTEGER NOT NULL,"
    " revoked INTEGER NOT NULL DEFAULT 0, status_json TEXT NOT NULL DEFAULT '{}') WITHOUT ROWID;"
    "CREATE TABLE agent_stream(agent_id TEXT NOT NULL REFERENCES agent(agent_id) ON DELETE CASCADE,"
    " epoch TEXT NOT NULL, stream TEXT NOT NULL, in_flight INTEGER NOT NULL,"
    " PRIMARY KEY(agent_id, epoch, stream)) WITHOUT ROWID;"
    "CREATE TABLE token(hash BLOB PRIMARY KEY, uses_left INTEGER NOT NULL, expires_us INTEGER NOT "
    "NULL,"
    " created_us INTEGER NOT NULL) WITHOUT ROWID;",
};

static int read_version(sqlite3 *db, int *ret)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL);
    if (rc == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW) {
        *ret = sqlite3_column_int(st, 0);
    } else if (rc == SQLITE_OK) {
        rc = SQLITE_CORRUPT;
    }
    (void)sqlite3_finalize(st);
    return rc;
}

int wedr_state_migrate(sqlite3 *db, struct wedr_errinfo *ei)
{
    const int newest = (int)WEDR_ARRAY_COUNT(migrations);
    char pragma[48];
    int version = 0;
    if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        read_version(db, &version) != SQLITE_OK) {
        goto failed;
    }
    if (version < 0 || version > newest) {
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
        return wedr_fail(ei, WEDR_E_VERSION,
                         "state.db has version %d, this program knows %d: use the newer program",
                         version, newest);
    }
    for (int i = version; i < newest; i++) {
        if (sqlite3_exec(db, migrations[i], NULL, NULL, NULL) != SQLITE_OK) {
            goto failed;
        }
    }
    (void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version=%d", newest);
    if ((version != newest && sqlite3_exec(db, pragma, NULL, NULL, NULL) != SQLITE_OK) ||
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        goto failed;
    }
    return WEDR_OK;
failed:
    (void)wedr_fail(ei, WEDR_E_IO, "state.db: %s", sqlite3_errmsg(db));
    if (!sqlite3_get_autocommit(db)) {
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
    return WEDR_E_IO;
}
