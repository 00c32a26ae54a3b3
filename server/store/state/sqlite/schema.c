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
    /* 2: detection */
    "CREATE TABLE rule(id TEXT PRIMARY KEY, language TEXT NOT NULL, title TEXT NOT NULL,"
    " source TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, enabled INTEGER NOT NULL,"
    " builtin INTEGER NOT NULL, updated_us INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE rule_version(id TEXT NOT NULL, version INTEGER NOT NULL, author TEXT NOT NULL,"
    " time_us INTEGER NOT NULL, text BLOB NOT NULL, PRIMARY KEY(id, version));"
    "CREATE TRIGGER rule_version_kept BEFORE DELETE ON rule_version BEGIN"
    " SELECT raise(ABORT, 'versions are only appended'); END;"
    "CREATE TRIGGER rule_version_fixed BEFORE UPDATE ON rule_version BEGIN"
    " SELECT raise(ABORT, 'versions are only appended'); END;"
    "CREATE TABLE list(name TEXT PRIMARY KEY, updated_us INTEGER NOT NULL, text BLOB NOT NULL);"
    "CREATE TABLE profile(name TEXT PRIMARY KEY, everything INTEGER NOT NULL,"
    " severity_min INTEGER NOT NULL, kill_allowed INTEGER NOT NULL, tags TEXT NOT NULL,"
    " enable TEXT NOT NULL, disable TEXT NOT NULL);"
    "INSERT INTO profile VALUES('default', 1, 0, 0, '', '', '');"
    "CREATE TABLE agent_profile(agent_id TEXT PRIMARY KEY REFERENCES agent(agent_id) ON DELETE "
    "CASCADE, profile TEXT NOT NULL REFERENCES profile(name)) WITHOUT ROWID;"
    "CREATE TABLE bundle(profile TEXT NOT NULL, os TEXT NOT NULL, serial INTEGER NOT NULL,"
    " sha256 TEXT NOT NULL, rules INTEGER NOT NULL, created_us INTEGER NOT NULL,"
    " bytes BLOB NOT NULL, PRIMARY KEY(profile, os, serial));"
    "CREATE TABLE alert(id INTEGER PRIMARY KEY AUTOINCREMENT, alert_id TEXT NOT NULL,"
    " agent_id TEXT NOT NULL, hostname TEXT NOT NULL, origin TEXT NOT NULL, ts INTEGER NOT NULL,"
    " received_at INTEGER NOT NULL, stored_at INTEGER NOT NULL, rule_id TEXT NOT NULL,"
    " rule_title TEXT NOT NULL, rule_language TEXT NOT NULL, severity TEXT NOT NULL,"
    " message TEXT NOT NULL, tags TEXT NOT NULL, actions TEXT NOT NULL, pid INTEGER,"
    " process_key TEXT, image_path TEXT, command_line TEXT, user TEXT, entity TEXT NOT NULL,"
    " suppressed INTEGER NOT NULL, match_count INTEGER NOT NULL, rules_serial TEXT NOT NULL,"
    " profile TEXT NOT NULL, ancestry TEXT NOT NULL, matched TEXT NOT NULL,"
    " UNIQUE(agent_id, alert_id, origin));"
    "CREATE INDEX alert_ts ON alert(ts);"
    "CREATE INDEX alert_rule ON alert(rule_id, ts);"
    "CREATE TABLE alert_evidence(alert INTEGER NOT NULL REFERENCES alert(id) ON DELETE CASCADE,"
    " n INTEGER NOT NULL, agent_id TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL,"
    " seq INTEGER NOT NULL, event TEXT, PRIMARY KEY(alert, n)) WITHOUT ROWID;"
    "CREATE TABLE response(agent_id TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL,"
    " seq INTEGER NOT NULL, hostname TEXT NOT NULL, ts INTEGER NOT NULL, alert_id TEXT NOT NULL,"
    " rule_id TEXT NOT NULL, action TEXT NOT NULL, result TEXT NOT NULL, pid INTEGER,"
    " process_key TEXT, detail TEXT NOT NULL, duration_us INTEGER NOT NULL,"
    " PRIMARY KEY(agent_id, epoch, stream, seq)) WITHOUT ROWID;"
    "CREATE INDEX response_ts ON response(ts);"
    "CREATE TABLE process(agent_id TEXT NOT NULL, process_key TEXT NOT NULL, parent_key TEXT,"
    " pid INTEGER, ppid INTEGER, image_path TEXT, command_line TEXT, user TEXT,"
    " started INTEGER, ended INTEGER, seen INTEGER NOT NULL, PRIMARY KEY(agent_id, process_key))"
    " WITHOUT ROWID;"
    "CREATE TABLE cursor(name TEXT PRIMARY KEY, position INTEGER NOT NULL) WITHOUT ROWID;",
    /* 3: what an alert takes with its evidence, about; the index gives the sum of an agent */
    "ALTER TABLE alert ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;"
    "UPDATE alert SET bytes=1024+length(CAST(message||tags||ancestry||matched AS BLOB))"
    "+coalesce(length(CAST(command_line AS BLOB)),0)+(SELECT "
    "coalesce(sum(128+coalesce(length(CAST(e.event AS BLOB)),0)),0) FROM alert_evidence e WHERE "
    "e.alert=alert.id);"
    "CREATE INDEX alert_agent ON alert(agent_id, id, bytes);",
    /* 4: what a profile says about the sensor */
    "ALTER TABLE profile ADD COLUMN sensor TEXT NOT NULL DEFAULT '';",
    /* 5: people; enrolment tokens have ids and give the endpoint its group */
    "CREATE TABLE user(id INTEGER PRIMARY KEY AUTOINCREMENT, username TEXT NOT NULL UNIQUE,"
    " display_name TEXT NOT NULL, role INTEGER NOT NULL, groups TEXT, disabled INTEGER NOT NULL,"
    " password TEXT NOT NULL, must_change INTEGER NOT NULL, totp BLOB, totp_pending BLOB,"
    " totp_step INTEGER NOT NULL DEFAULT 0, created_us INTEGER NOT NULL,"
    " last_seen_us INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE recovery_code(user_id INTEGER NOT NULL REFERENCES user(id) ON DELETE CASCADE,"
    " hash BLOB NOT NULL, PRIMARY KEY(user_id, hash)) WITHOUT ROWID;"
    "CREATE TABLE signin(name BLOB PRIMARY KEY, fails INTEGER NOT NULL, last_us INTEGER NOT NULL,"
    " until_us INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX signin_last ON signin(last_us);"
    "CREATE TABLE session(id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE,"
    " user_id INTEGER NOT NULL REFERENCES user(id) ON DELETE CASCADE, created_us INTEGER NOT NULL,"
    " last_us INTEGER NOT NULL, expires_us INTEGER NOT NULL, address TEXT NOT NULL,"
    " agent TEXT NOT NULL);"
    "CREATE INDEX session_user ON session(user_id, id);"
    "CREATE INDEX session_expires ON session(expires_us);"
    "CREATE TABLE api_token(id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE,"
    " user_id INTEGER NOT NULL REFERENCES user(id) ON DELETE CASCADE, name TEXT NOT NULL,"
    " scopes INTEGER NOT NULL, created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL,"
    " used_us INTEGER NOT NULL DEFAULT 0);"
    "CREATE INDEX api_token_user ON api_token(user_id, id);"
    "CREATE TABLE enrollment_token(id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE,"
    " uses_left INTEGER NOT NULL, expires_us INTEGER NOT NULL, created_us INTEGER NOT NULL,"
    " endpoint_group TEXT NOT NULL DEFAULT 'default', note TEXT NOT NULL DEFAULT '');"
    "INSERT INTO enrollment_token(hash,uses_left,expires_us,created_us)"
    " SELECT hash,uses_left,expires_us,created_us FROM token;"
    "DROP TABLE token;"
    "ALTER TABLE agent ADD COLUMN endpoint_group TEXT NOT NULL DEFAULT 'default';"
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE audit(id INTEGER PRIMARY KEY AUTOINCREMENT, ts_us INTEGER NOT NULL,"
    " actor TEXT NOT NULL, actor_kind TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL,"
    " object TEXT NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL);"
    "CREATE TRIGGER audit_kept BEFORE DELETE ON audit BEGIN"
    " SELECT raise(ABORT, 'the audit log is only appended'); END;"
    "CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit BEGIN"
    " SELECT raise(ABORT, 'the audit log is only appended'); END;",
    /* 6: what people make of alerts (state 0 new, 1 in progress, 2 closed; resolution 0 none), and
     * say of endpoints; questions that they ask */
    "ALTER TABLE alert ADD COLUMN state INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE alert ADD COLUMN resolution INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE alert ADD COLUMN assignee TEXT;"
    "ALTER TABLE alert ADD COLUMN labels TEXT NOT NULL DEFAULT '[]';"
    "ALTER TABLE alert ADD COLUMN comments INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE alert ADD COLUMN version INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE alert ADD COLUMN changed_us INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX alert_state ON alert(state, ts);"
    "CREATE INDEX response_alert ON response(alert_id);"
    "CREATE INDEX process_parent ON process(agent_id, parent_key, started);"
    "CREATE TABLE alert_comment(id INTEGER PRIMARY KEY AUTOINCREMENT, alert INTEGER NOT NULL"
    " REFERENCES alert(id) ON DELETE CASCADE, author_id TEXT NOT NULL, author TEXT NOT NULL,"
    " ts INTEGER NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX alert_comment_of ON alert_comment(alert, id);"
    "ALTER TABLE agent ADD COLUMN note TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE agent ADD COLUMN address TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE agent ADD COLUMN version INTEGER NOT NULL DEFAULT 1;"
    "CREATE INDEX agent_group ON agent(endpoint_group);",
    /* 7: commands to agents (state: enum wedr_command_state) */
    "CREATE TABLE command(row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
    " agent_id TEXT NOT NULL REFERENCES agent(agent_id) ON DELETE CASCADE, type TEXT NOT NULL,"
    " payload TEXT NOT NULL, created_by TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0,"
    " counter INTEGER NOT NULL, created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL,"
    " sent_us INTEGER NOT NULL DEFAULT 0, done_us INTEGER NOT NULL DEFAULT 0, result TEXT,"
    " UNIQUE(agent_id, counter));"
    "CREATE INDEX command_open ON command(agent_id, counter) WHERE state<2;"
    "CREATE INDEX command_agent ON command(agent_id, row);",
    /* 8: severity of the gravest rule of a source, '' before it was compiled. Secrets of second
     * factors are sealed (totp_box.h seals the old ones): an older release would take them for none
     * and ask for no code */
    "ALTER TABLE rule ADD COLUMN severity TEXT NOT NULL DEFAULT '';",
    /* 9: why somebody sent it */
    "ALTER TABLE command ADD COLUMN reason TEXT NOT NULL DEFAULT '';",
    /* 10: children are looked for among the processes of their agent, which are few
     * (WEDR_PROCESSES_AGENT_KEPT): the index made every process that starts change a page more */
    "DROP INDEX IF EXISTS process_parent;",
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
    return wedr_state_migrate_to(db, (int)WEDR_ARRAY_COUNT(migrations), ei);
}

int wedr_state_migrate_to(sqlite3 *db, int newest, struct wedr_errinfo *ei)
{
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
