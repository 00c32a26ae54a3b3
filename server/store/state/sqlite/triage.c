/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of the enums, processes, rules, and the table of all that people ask of state.db. */
#include "store/state/sqlite/triage.h"
#include "core/base/err.h"
#include <string.h>

static const char *const state_names[WEDR_ALERT_STATES] = {"new", "in_progress", "closed"};
static const char *const resolution_names[WEDR_RESOLUTIONS] = {
    NULL, "true_positive", "false_positive", "benign", "duplicate"};
static const char *const status_names[WEDR_ENDPOINT_STATUSES] = {"online", "degraded", "offline",
                                                                 "never", "revoked"};

static int number_of(const char *const *names, size_t count, const char *name, uint8_t *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (names[i] && strcmp(names[i], name) == 0) {
            *ret = (uint8_t)i;
            return WEDR_OK;
        }
    }
    return WEDR_E_NOENT;
}

const char *wedr_alert_state_name(unsigned state)
{
    return state < WEDR_ALERT_STATES ? state_names[state] : NULL;
}

const char *wedr_alert_resolution_name(unsigned resolution)
{
    return resolution < WEDR_RESOLUTIONS ? resolution_names[resolution] : NULL;
}

const char *wedr_endpoint_status_name(unsigned status)
{
    return status < WEDR_ENDPOINT_STATUSES ? status_names[status] : NULL;
}

int wedr_alert_state_of(const char *name, uint8_t *ret)
{
    return number_of(state_names, WEDR_ALERT_STATES, name, ret);
}

int wedr_alert_resolution_of(const char *name, uint8_t *ret)
{
    return number_of(resolution_names, WEDR_RESOLUTIONS, name, ret);
}

int wedr_endpoint_status_of(const char *name, uint8_t *ret)
{
    return number_of(status_names, WEDR_ENDPOINT_STATUSES, name, ret);
}

/* --- Processes. */

#define PROCESS_COLUMNS                                                                       \
    "SELECT process_key,parent_key,pid,ppid,image_path,command_line,user,started,ended FROM " \
    "process WHERE agent_id="

struct processes {
    wedr_process_info_fn *fn;
    void *ctx;
};

static int64_t number_or_none(sqlite3_stmt *st, int i)
{
    return sqlite3_column_type(st, i) == SQLITE_NULL ? -1 : sqlite3_column_int64(st, i);
}

static int give_process(void *arg, sqlite3_stmt *st)
{
    const struct processes *w = arg;
    struct wedr_process_info p = {.process_key = wedr_triage_text(st, 0),
                                  .parent_key = (const char *)sqlite3_column_text(st, 1),
                                  .pid = number_or_none(st, 2),
                                  .ppid = number_or_none(st, 3),
                                  .image_path = (const char *)sqlite3_column_text(st, 4),
                                  .command_line = (const char *)sqlite3_column_text(st, 5),
                                  .user = (const char *)sqlite3_column_text(st, 6),
                                  .started_us = number_or_none(st, 7),
                                  .ended_us = number_or_none(st, 8)};
    return w->fn(w->ctx, &p);
}

static int process(struct wedr_state *s,
                   const char *agent_id,
                   const char *process_key,
                   wedr_process_info_fn *fn,
                   void *ctx)
{
    struct wedr_question q;
    struct processes w = {fn, ctx};
    wedr_question_init(&q, PROCESS_COLUMNS);
    wedr_question_text(&q, "", agent_id);
    wedr_question_text(&q, " AND process_key=", process_key);
    return wedr_question_ask(s, &q, true, give_process, &w);
}

static int children(struct wedr_state *s,
                    const char *agent_id,
                    const char *process_key,
                    uint32_t limit,
                    wedr_process_info_fn *fn,
                    void *ctx)
{
    struct wedr_question q;
    struct processes w = {fn, ctx};
    wedr_question_init(&q, PROCESS_COLUMNS);
    wedr_question_text(&q, "", agent_id);
    wedr_question_text(&q, " AND parent_key=", process_key);
    wedr_question_number(&q, " ORDER BY started,process_key LIMIT ", limit);
    return wedr_question_ask(s, &q, false, give_process, &w);
}

/* --- Rules. */

struct rule_walk {
    wedr_rule_row_fn *fn;
    void *ctx;
};

static int give_rule(void *arg, sqlite3_stmt *st)
{
    const struct rule_walk *w = arg;
    struct wedr_rule_row r = {.id = wedr_triage_text(st, 0),
                              .title = wedr_triage_text(st, 1),
                              .language = wedr_triage_text(st, 2),
                              .source = wedr_triage_text(st, 3),
                              .version = (uint32_t)sqlite3_column_int64(st, 4),
                              .enabled = sqlite3_column_int(st, 5) != 0,
                              .builtin = sqlite3_column_int(st, 6) != 0,
                              .updated_us = sqlite3_column_int64(st, 7),
                              .alerts = (uint64_t)sqlite3_column_int64(st, 8),
                              .severity = (const char *)sqlite3_column_text(st, 9)};
    return w->fn(w->ctx, &r);
}

static int rules(struct wedr_state *s,
                 const struct wedr_scope *scope,
                 const char *behind,
                 int64_t alerts_since_us,
                 uint32_t limit,
                 wedr_rule_row_fn *fn,
                 void *ctx)
{
    struct wedr_question q;
    struct rule_walk w = {fn, ctx};
    wedr_question_init(&q, "SELECT r.id,r.title,r.language,r.source,r.version,r.enabled,r.builtin,"
                           "r.updated_us,(SELECT count(*) FROM alert a WHERE a.rule_id=r.id");
    wedr_question_number(&q, " AND a.ts>=", alerts_since_us);
    wedr_question_alert_scope(&q, scope);
    wedr_question_add(&q, "),coalesce(nullif(nullif(r.severity,''),'none'),(SELECT a.severity FROM"
                          " alert a WHERE a.rule_id=r.id");
    wedr_question_alert_scope(&q, scope);
    wedr_question_add(&q, " ORDER BY a.ts DESC LIMIT 1)) FROM rule r WHERE 1");
    if (behind) {
        wedr_question_text(&q, " AND r.id>", behind);
    }
    wedr_question_number(&q, " ORDER BY r.id LIMIT ", limit);
    return wedr_question_ask(s, &q, false, give_rule, &w);
}

const struct wedr_state_triage_ops wedr_state_triage_sqlite = {
    .alerts = wedr_triage_alerts,
    .alert = wedr_triage_alert,
    .alert_newest = wedr_triage_alert_newest,
    .alert_change = wedr_triage_alert_change,
    .comments = wedr_triage_comments,
    .comment_add = wedr_triage_comment_add,
    .comment_delete = wedr_triage_comment_delete,
    .responses = wedr_triage_responses,
    .endpoints = wedr_triage_endpoints,
    .endpoint = wedr_triage_endpoint,
    .endpoint_counts = wedr_triage_endpoint_counts,
    .endpoint_streams = wedr_triage_endpoint_streams,
    .endpoint_change = wedr_triage_endpoint_change,
    .endpoint_address = wedr_triage_endpoint_address,
    .in_scope = wedr_triage_in_scope,
    .scope_agents = wedr_triage_scope_agents,
    .process = process,
    .children = children,
    .rules = rules,
};
