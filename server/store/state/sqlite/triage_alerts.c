/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "store/state/sqlite/detect.h"
#include "store/state/sqlite/triage.h"
#include <stdlib.h>

#define TRIAGE_COLUMNS ",a.state,a.resolution,a.assignee,a.labels,a.comments,a.version,a.changed_us"
#define FIRST_TRIAGE_COLUMN WEDR_ALERT_COLUMN_COUNT

struct walk {
    wedr_triage_alert_fn *fn;
    void *ctx;
};

static int give_alert(void *arg, sqlite3_stmt *st)
{
    const struct walk *w = arg;
    const int t = FIRST_TRIAGE_COLUMN;
    struct wedr_triage_alert a = {
        .state = (uint8_t)sqlite3_column_int(st, t),
        .resolution = (uint8_t)sqlite3_column_int(st, t + 1),
        .assignee = (const char *)sqlite3_column_text(st, t + 2),
        .labels = wedr_triage_text(st, t + 3),
        .comments = (uint64_t)sqlite3_column_int64(st, t + 4),
        .version = (uint64_t)sqlite3_column_int64(st, t + 5),
        .changed_us = sqlite3_column_int64(st, t + 6),
    };
    wedr_state_read_alert(st, &a.row);
    return w->fn(w->ctx, &a);
}

static void add_part(struct wedr_question *q, const char *part)
{
    static const char *const columns[] = {"a.hostname", "a.rule_title", "a.rule_id",
                                          "a.message",  "a.entity",     "a.image_path",
                                          "a.user",     "a.alert_id",   "a.command_line"};
    wedr_question_add(q, " AND (0");
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(columns); i++) {
        wedr_question_add(q, " OR instr(lower(");
        wedr_question_add(q, columns[i]);
        wedr_question_text(q, "),lower(", part);
        wedr_question_add(q, "))");
    }
    wedr_question_add(q, ")");
}

static void add_times(struct wedr_question *q, const struct wedr_alert_ask *ask)
{
    if (ask->from_us) {
        wedr_question_number(q, " AND a.ts>=", ask->from_us);
    }
    if (ask->to_us) {
        wedr_question_number(q, " AND a.ts<", ask->to_us);
    }
    if (ask->by_id) {
        wedr_question_number(q, " AND a.id>", ask->after_id);
    } else if (ask->behind_id) {
        wedr_question_number(q, " AND (a.ts,a.id)<(", ask->behind_us);
        wedr_question_number(q, ",", ask->behind_id);
        wedr_question_add(q, ")");
    }
}

static void add_conditions(struct wedr_question *q, const struct wedr_alert_ask *ask)
{
    struct {
        const char *sql, *value;
    } equal[] = {{" AND a.agent_id=", ask->agent_id},
                 {" AND a.rule_id=", ask->rule_id},
                 {" AND a.process_key=", ask->process_key}};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(equal); i++) {
        if (equal[i].value) {
            wedr_question_text(q, equal[i].sql, equal[i].value);
        }
    }
    if (ask->assignee && ask->assignee[0] == '\0') {
        wedr_question_add(q, " AND a.assignee IS NULL");
    } else if (ask->assignee) {
        wedr_question_text(q, " AND a.assignee=", ask->assignee);
    }
    wedr_question_words(q, " AND a.severity", ask->severities, ask->severity_count);
    if (ask->label) {
        wedr_question_text(
            q, " AND EXISTS (SELECT 1 FROM json_each(a.labels) l WHERE l.value=", ask->label);
        wedr_question_add(q, ")");
    }
    if (ask->q) {
        add_part(q, ask->q);
    }
}

/* States are stored as numbers, so that the order of an index is that of the list. */
static int add_states(struct wedr_question *q, const struct wedr_alert_ask *ask)
{
    for (size_t i = 0; i < ask->state_count; i++) {
        uint8_t state = 0;
        int err = wedr_alert_state_of(ask->states[i], &state);
        if (err != WEDR_OK) {
            return WEDR_E_INVAL;
        }
        wedr_question_number(q, i ? "," : " AND a.state IN (", state);
    }
    wedr_question_add(q, ask->state_count ? ")" : "");
    return WEDR_OK;
}

int wedr_triage_alerts(struct wedr_state *s,
                       const struct wedr_scope *scope,
                       const struct wedr_alert_ask *ask,
                       wedr_triage_alert_fn *fn,
                       void *ctx)
{
    struct wedr_question q;
    struct walk w = {fn, ctx};
    wedr_question_init(&q, "SELECT " WEDR_ALERT_COLUMNS TRIAGE_COLUMNS " FROM alert a WHERE 1");
    int err = add_states(&q, ask);
    add_times(&q, ask);
    add_conditions(&q, ask);
    wedr_question_alert_scope(&q, scope);
    wedr_question_number(
        &q, ask->by_id ? " ORDER BY a.id LIMIT " : " ORDER BY a.ts DESC,a.id DESC LIMIT ",
        ask->limit);
    return err == WEDR_OK ? wedr_question_ask(s, &q, false, give_alert, &w) : err;
}

int wedr_triage_alert(struct wedr_state *s,
                      const struct wedr_scope *scope,
                      int64_t id,
                      wedr_triage_alert_fn *fn,
                      void *ctx)
{
    struct wedr_question q;
    struct walk w = {fn, ctx};
    wedr_question_init(&q, "SELECT " WEDR_ALERT_COLUMNS TRIAGE_COLUMNS " FROM alert a WHERE a.id=");
    wedr_question_number(&q, "", id);
    wedr_question_alert_scope(&q, scope);
    return wedr_question_ask(s, &q, true, give_alert, &w);
}

static int take_number(void *arg, sqlite3_stmt *st)
{
    int64_t *n = arg;
    *n = sqlite3_column_int64(st, 0);
    return 0;
}

int wedr_triage_alert_newest(struct wedr_state *s, int64_t *ret_id)
{
    struct wedr_question q;
    int64_t id = 0;
    wedr_question_init(&q, "SELECT coalesce(max(id),0) FROM alert");
    int err = wedr_question_ask(s, &q, true, take_number, &id);
    if (err == WEDR_OK) {
        *ret_id = id;
    }
    return err;
}

struct comments {
    wedr_comment_fn *fn;
    void *ctx;
};

static int give_comment(void *arg, sqlite3_stmt *st)
{
    const struct comments *c = arg;
    struct wedr_comment_row row = {.id = sqlite3_column_int64(st, 0),
                                   .author_id = wedr_triage_text(st, 1),
                                   .author = wedr_triage_text(st, 2),
                                   .ts_us = sqlite3_column_int64(st, 3),
                                   .text = wedr_triage_text(st, 4)};
    return c->fn(c->ctx, &row);
}

int wedr_triage_comments(struct wedr_state *s,
                         int64_t alert,
                         int64_t after_id,
                         uint32_t limit,
                         wedr_comment_fn *fn,
                         void *ctx)
{
    struct wedr_question q;
    struct comments c = {fn, ctx};
    wedr_question_init(&q, "SELECT id,author_id,author,ts,text FROM alert_comment WHERE alert=");
    wedr_question_number(&q, "", alert);
    wedr_question_number(&q, " AND id>", after_id);
    wedr_question_number(&q, " ORDER BY id LIMIT ", limit);
    return wedr_question_ask(s, &q, false, give_comment, &c);
}

struct responses {
    wedr_response_fn *fn;
    void *ctx;
};

static int give_response(void *arg, sqlite3_stmt *st)
{
    const struct responses *r = arg;
    struct wedr_response_row row = {
        .agent_id = wedr_triage_text(st, 0),
        .hostname = wedr_triage_text(st, 1),
        .epoch = strtoull(wedr_triage_text(st, 2), NULL, 16),
        .stream = wedr_triage_text(st, 3),
        .seq = (uint64_t)sqlite3_column_int64(st, 4),
        .ts_us = sqlite3_column_int64(st, 5),
        .alert_id = wedr_triage_text(st, 6),
        .rule_id = wedr_triage_text(st, 7),
        .action = wedr_triage_text(st, 8),
        .result = wedr_triage_text(st, 9),
        .pid = sqlite3_column_type(st, 10) == SQLITE_NULL ? -1 : sqlite3_column_int64(st, 10),
        .process_key = (const char *)sqlite3_column_text(st, 11),
        .detail = wedr_triage_text(st, 12),
        .duration_us = (uint64_t)sqlite3_column_int64(st, 13)};
    return r->fn(r->ctx, &row);
}

int wedr_triage_responses(struct wedr_state *s,
                          const char *agent_id,
                          const char *alert_id,
                          uint32_t limit,
                          wedr_response_fn *fn,
                          void *ctx)
{
    struct wedr_question q;
    struct responses r = {fn, ctx};
    wedr_question_init(&q,
                       "SELECT agent_id,hostname,epoch,stream,seq,ts,alert_id,rule_id,action,"
                       "result,pid,process_key,detail,duration_us FROM response WHERE alert_id=");
    wedr_question_text(&q, "", alert_id);
    wedr_question_text(&q, " AND agent_id=", agent_id);
    wedr_question_number(&q, " ORDER BY ts,seq LIMIT ", limit);
    return wedr_question_ask(s, &q, false, give_response, &r);
}
