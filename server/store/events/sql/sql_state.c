/* SPDX-License-Identifier: Apache-2.0
 *
 * What detection keeps in the state store, as views: alerts, alert_evidence, responses, rules,
 * process_tree. The store is attached; the authorizer lets its tables be read through these views
 * alone. */
#include "core/base/err.h"
#include "store/events/sql/sql.h"
#include <string.h>

static const char views[] =
    "CREATE TEMP VIEW alerts AS SELECT id, alert_id, agent_id, hostname, origin, ts, received_at, "
    "stored_at, rule_id, rule_title, rule_language, severity, message, tags, actions, pid, "
    "process_key, image_path, command_line, user, entity, suppressed, match_count, rules_serial, "
    "profile, ancestry, matched FROM state.alert;"
    "CREATE TEMP VIEW alert_evidence AS SELECT a.alert_id, a.id AS alert, e.n, e.agent_id, "
    "e.epoch, "
    "e.stream, e.seq, e.event FROM state.alert_evidence e JOIN state.alert a ON a.id=e.alert;"
    "CREATE TEMP VIEW responses AS SELECT agent_id, hostname, epoch, stream, seq, ts, alert_id, "
    "rule_id, action, result, pid, process_key, detail, duration_us FROM state.response;"
    "CREATE TEMP VIEW rules AS SELECT r.id, r.language, r.title, r.source, r.version, r.enabled, "
    "r.builtin, r.updated_us AS updated_at, v.author, CAST(v.text AS TEXT) AS text FROM state.rule "
    "r JOIN state.rule_version v ON v.id=r.id AND v.version=r.version;"
    "CREATE TEMP VIEW process_tree AS SELECT p.agent_id, a.hostname, p.process_key, p.parent_key, "
    "p.pid, p.ppid, p.image_path, p.command_line, p.user, p.started, p.ended FROM state.process p "
    "LEFT JOIN state.agent a ON a.agent_id=p.agent_id;";

/* "file:<path>?mode=rw": never makes the file. Characters with a meaning in a URI are escaped. */
static bool make_uri(const char *path, char *ret, size_t cap)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;
    const char *head = "file:", *tail = "?mode=rw";
    for (; *head && n + 1 < cap; head++) {
        ret[n++] = *head;
    }
    for (; *path && n + 4 < cap; path++) {
        unsigned char c = (unsigned char)*path;
        if (c == '%' || c == '?' || c == '#') {
            ret[n++] = '%';
            ret[n++] = hex[c >> 4];
            ret[n++] = hex[c & 15];
        } else {
            ret[n++] = (char)c;
        }
    }
    bool whole = *path == '\0' && n + strlen(tail) < cap;
    if (whole) {
        memcpy(ret + n, tail, strlen(tail) + 1);
    }
    return whole;
}

int wedr_sql_add_state(sqlite3 *db, struct wedr_sql *s, struct wedr_errinfo *ei)
{
    char uri[3 * WEDR_EVENTS_PATH_MAX];
    sqlite3_stmt *st = NULL;
    if (!make_uri(s->state_path, uri, sizeof(uri))) {
        return wedr_fail(ei, WEDR_E_LIMIT, "path of the data folder is too long");
    }
    int rc = sqlite3_prepare_v2(db, "ATTACH ?1 AS state", -1, &st, NULL);
    if (rc == SQLITE_OK) {
        (void)sqlite3_bind_text(st, 1, uri, -1, SQLITE_STATIC);
        rc = sqlite3_step(st);
    }
    (void)sqlite3_finalize(st);
    int err = rc == SQLITE_DONE ? wedr_sqlite_exec(db, views) : wedr_sqlite_error(db, rc);
    return err == WEDR_OK ? err : wedr_fail(ei, err, "%s: %s", s->state_path, sqlite3_errmsg(db));
}
