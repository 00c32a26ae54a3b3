/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state/sqlite/detect.h"
#include "core/base/err.h"
#include "core/util/obj.h"
#include "store/state/sqlite/db.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int cursor(struct wedr_state *s, int64_t *ret)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(s, &st, "SELECT position FROM cursor WHERE name='detect'", "");
    if (err == WEDR_OK) {
        int rc = sqlite3_step(st);
        err = rc == SQLITE_DONE ? WEDR_E_NOENT : wedr_state_error(rc);
        if (rc == SQLITE_ROW) {
            *ret = sqlite3_column_int64(st, 0);
        }
    }
    return wedr_state_read_end(s, st, err);
}

static const char *text(sqlite3_stmt *st, int i)
{
    return (const char *)sqlite3_column_text(st, i);
}

static int64_t number(sqlite3_stmt *st, int i)
{
    return sqlite3_column_type(st, i) == SQLITE_NULL ? -1 : sqlite3_column_int64(st, i);
}

void wedr_state_read_alert(sqlite3_stmt *st, struct wedr_alert_row *ret)
{
    *ret = (struct wedr_alert_row){
        .id = sqlite3_column_int64(st, 0),
        .alert_id = text(st, 1),
        .agent_id = text(st, 2),
        .hostname = text(st, 3),
        .origin = text(st, 4),
        .ts_us = sqlite3_column_int64(st, 5),
        .received_us = sqlite3_column_int64(st, 6),
        .stored_us = sqlite3_column_int64(st, 7),
        .rule_id = text(st, 8),
        .rule_title = text(st, 9),
        .rule_language = text(st, 10),
        .severity = text(st, 11),
        .message = text(st, 12),
        .tags = text(st, 13),
        .actions = text(st, 14),
        .pid = number(st, 15),
        .process_key = text(st, 16),
        .image_path = text(st, 17),
        .command_line = text(st, 18),
        .user = text(st, 19),
        .entity = text(st, 20),
        .suppressed = (uint64_t)sqlite3_column_int64(st, 21),
        .match_count = (uint64_t)sqlite3_column_int64(st, 22),
        .rules_serial = text(st, 23),
        .profile = text(st, 24),
        .ancestry = text(st, 25),
        .matched = text(st, 26),
    };
}

static int
alerts(struct wedr_state *s, const struct wedr_alert_query *q, wedr_alert_fn *fn, void *ctx)
{
    sqlite3_stmt *st = NULL;
    struct wedr_alert_row row;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(
        s, &st,
        "SELECT " WEDR_ALERT_COLUMNS " FROM (SELECT * FROM alert WHERE id>?1 AND ts>=?2 AND (?3 IS "
        "NULL OR agent_id=?3) AND (?4 IS NULL OR rule_id=?4) ORDER BY id DESC LIMIT ?5) a ORDER BY "
        "id",
        "iitti", q->behind_id, q->since_us, q->agent_id, q->rule_id, (int64_t)q->limit);
    while (wedr_state_row(st, &err)) {
        wedr_state_read_alert(st, &row);
        err = fn(ctx, &row);
    }
    return wedr_state_read_end(s, st, err);
}

static int evidence(struct wedr_state *s, int64_t alert, wedr_evidence_fn *fn, void *ctx)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(
        s, &st,
        "SELECT agent_id,epoch,stream,seq,event FROM alert_evidence WHERE alert=?1 ORDER BY n", "i",
        alert);
    while (wedr_state_row(st, &err)) {
        const char *epoch = text(st, 1);
        struct wedr_evidence_row row = {.agent_id = text(st, 0),
                                        .epoch = epoch ? strtoull(epoch, NULL, 16) : 0,
                                        .stream = text(st, 2),
                                        .seq = (uint64_t)sqlite3_column_int64(st, 3),
                                        .event = text(st, 4)};
        err = fn(ctx, &row);
    }
    return wedr_state_read_end(s, st, err);
}

/* UNION, not UNION ALL: parents that a hostile agent made circular end there. */
static int ancestry(struct wedr_state *s,
                    const char *agent_id,
                    const char *process_key,
                    size_t max,
                    wedr_process_fn *fn,
                    void *ctx)
{
    sqlite3_stmt *st = NULL;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = wedr_state_read(
        s, &st,
        "WITH RECURSIVE up(process_key) AS (SELECT ?2 UNION SELECT p.parent_key FROM up JOIN "
        "process p ON p.agent_id=?1 AND p.process_key=up.process_key WHERE p.parent_key IS NOT "
        "NULL LIMIT ?3) SELECT p.process_key,p.parent_key,p.pid,p.ppid,p.image_path,"
        "p.command_line,p.user,p.started FROM up CROSS JOIN process p ON p.agent_id=?1 AND "
        "p.process_key=up.process_key",
        "tti", agent_id, process_key, (int64_t)max);
    while (wedr_state_row(st, &err)) {
        struct wedr_process_row row = {.agent_id = agent_id,
                                       .process_key = text(st, 0),
                                       .parent_key = text(st, 1),
                                       .pid = number(st, 2),
                                       .ppid = number(st, 3),
                                       .image_path = text(st, 4),
                                       .command_line = text(st, 5),
                                       .user = text(st, 6),
                                       .ts_us = number(st, 7)};
        err = fn(ctx, &row);
    }
    return wedr_state_read_end(s, st, err);
}

const struct wedr_state_detect_ops wedr_state_detect_sqlite = {
    .apply = wedr_state_detect_apply,
    .cursor = cursor,
    .alerts = alerts,
    .evidence = evidence,
    .ancestry = ancestry,
};
