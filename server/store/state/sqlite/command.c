/* SPDX-License-Identifier: Apache-2.0 */
#include "store/state/sqlite/command.h"
#include "core/base/err.h"
#include "core/util/obj.h"
#include "store/state/sqlite/people.h"
#include "store/state/sqlite/triage.h"
#include <string.h>

static const char *const state_names[WEDR_COMMAND_STATES] = {"pending", "sent",    "success",
                                                             "failed",  "expired", "cancelled"};

const char *wedr_command_state_name(unsigned state)
{
    return state < WEDR_COMMAND_STATES ? state_names[state] : NULL;
}

int wedr_command_state_of(const char *name, uint8_t *ret)
{
    for (unsigned i = 0; i < WEDR_COMMAND_STATES; i++) {
        if (strcmp(state_names[i], name) == 0) {
            *ret = (uint8_t)i;
            return WEDR_OK;
        }
    }
    return WEDR_E_NOENT;
}

/* What is overdue is noted when somebody writes about the agent's commands; until then readers see
 * it by its time. */
static int expire(struct wedr_state *s, const char *agent_id, int64_t now_us)
{
    return wedr_state_run(s->writer, NULL,
                          "UPDATE command SET state=4,done_us=expires_us WHERE agent_id=?1 AND "
                          "state<2 AND expires_us<=?2",
                          "ti", agent_id, now_us);
}

static int check_room(struct wedr_state *s, const char *agent_id)
{
    sqlite3_stmt *st = NULL;
    int64_t open = 0;
    int err = wedr_state_prepare(s->writer, &st,
                                 "SELECT count(*) FROM command WHERE agent_id=?1 AND state<2", "t",
                                 agent_id);
    if (wedr_state_row(st, &err)) {
        open = sqlite3_column_int64(st, 0);
    }
    (void)sqlite3_finalize(st);
    return err == WEDR_OK && open >= (int64_t)WEDR_COMMANDS_OPEN_MAX ? WEDR_E_LIMIT : err;
}

static int drop_old(struct wedr_state *s, const char *agent_id)
{
    return wedr_state_run(s->writer, NULL,
                          "DELETE FROM command WHERE agent_id=?1 AND state>=2 AND row<=(SELECT row "
                          "FROM command WHERE agent_id=?1 AND state>=2 ORDER BY row DESC LIMIT 1 "
                          "OFFSET ?2)",
                          "ti", agent_id, (int64_t)WEDR_COMMANDS_KEPT);
}

static int check_agent(struct wedr_state *s, const struct wedr_scope *scope, const char *agent_id)
{
    struct wedr_question q;
    wedr_question_init(&q, "SELECT 1 FROM agent g WHERE g.agent_id=");
    wedr_question_text(&q, "", agent_id);
    wedr_question_scope(&q, "g.agent_id", scope);
    return wedr_question_within(s->writer, &q, true, NULL, NULL);
}

static int add(struct wedr_state *s,
               const struct wedr_scope *scope,
               const struct wedr_command_row *c,
               const struct wedr_audit *who)
{
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    const char *reason = c->reason ? c->reason : "";
    if (strlen(c->payload) > WEDR_COMMAND_PAYLOAD_MAX || strlen(reason) > WEDR_COMMAND_REASON_MAX) {
        return WEDR_E_LIMIT;
    }
    int err = wedr_state_begin(s);
    err = err == WEDR_OK ? check_agent(s, scope, c->agent_id) : err;
    err = err == WEDR_OK ? expire(s, c->agent_id, c->created_us) : err;
    err = err == WEDR_OK ? check_room(s, c->agent_id) : err;
    err = err == WEDR_OK ? drop_old(s, c->agent_id) : err;
    if (err == WEDR_OK) {
        err = wedr_state_run(
            s->writer, NULL,
            "INSERT INTO command(id,agent_id,type,payload,created_by,created_us,expires_us,reason,"
            "counter) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,max(?6,1+coalesce((SELECT max(counter) FROM "
            "command WHERE agent_id=?2),0)))",
            "tttttiit", c->id, c->agent_id, c->type, c->payload, c->created_by, c->created_us,
            c->expires_us, reason);
    }
    err = err == WEDR_OK ? wedr_state_audit(s, who) : err;
    return wedr_state_end(s, err);
}

#define COLUMNS                                                                        \
    "SELECT c.row,c.id,c.agent_id,a.hostname,c.type,c.payload,c.created_by,c.counter," \
    "c.created_us,c.expires_us,c.sent_us,c.done_us,c.result,c.reason,"
#define FROM " FROM command c JOIN agent a ON a.agent_id=c.agent_id WHERE "

static int give(sqlite3_stmt *st, wedr_command_fn *fn, void *ctx)
{
    struct wedr_command_row c = {
        .row = sqlite3_column_int64(st, 0),
        .id = wedr_triage_text(st, 1),
        .agent_id = wedr_triage_text(st, 2),
        .hostname = wedr_triage_text(st, 3),
        .type = wedr_triage_text(st, 4),
        .payload = wedr_triage_text(st, 5),
        .created_by = wedr_triage_text(st, 6),
        .counter = (uint64_t)sqlite3_column_int64(st, 7),
        .created_us = sqlite3_column_int64(st, 8),
        .expires_us = sqlite3_column_int64(st, 9),
        .sent_us = sqlite3_column_int64(st, 10),
        .done_us = sqlite3_column_int64(st, 11),
        .result = (const char *)sqlite3_column_text(st, 12),
        .reason = wedr_triage_text(st, 13),
        .state = (uint8_t)sqlite3_column_int(st, 14),
    };
    return fn(ctx, &c);
}

/* *ret: whether a command of the agent waits. */
static int any_open(struct wedr_state *s, const char *agent_id, bool *ret)
{
    sqlite3_stmt *st = NULL;
    int err = wedr_state_read(s, &st, "SELECT 1 FROM command WHERE agent_id=?1 AND state<2 LIMIT 1",
                              "t", agent_id);
    *ret = wedr_state_row(st, &err);
    return wedr_state_read_end(s, st, err);
}

static int give_open(struct wedr_state *s, const char *agent_id, wedr_command_fn *fn, void *ctx)
{
    sqlite3_stmt *st = NULL;
    int err = wedr_state_prepare(s->writer, &st,
                                 COLUMNS "c.state" FROM
                                         "c.agent_id=?1 AND c.state<2 ORDER BY c.counter LIMIT ?2",
                                 "ti", agent_id, (int64_t)WEDR_COMMANDS_AT_ONCE);
    while (wedr_state_row(st, &err)) {
        err = give(st, fn, ctx);
    }
    (void)sqlite3_finalize(st);
    return err;
}

static int
take(struct wedr_state *s, const char *agent_id, int64_t now_us, wedr_command_fn *fn, void *ctx)
{
    bool any = false;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    int err = any_open(s, agent_id, &any);
    if (err != WEDR_OK || !any) {
        return err;
    }
    err = wedr_state_begin(s);
    err = err == WEDR_OK ? expire(s, agent_id, now_us) : err;
    if (err == WEDR_OK) {
        err = wedr_state_run(
            s->writer, NULL,
            "UPDATE command SET state=1,sent_us=?2 WHERE state=0 AND row IN (SELECT row FROM "
            "command WHERE agent_id=?1 AND state<2 ORDER BY counter LIMIT ?3)",
            "tii", agent_id, now_us, (int64_t)WEDR_COMMANDS_AT_ONCE);
    }
    err = err == WEDR_OK ? give_open(s, agent_id, fn, ctx) : err;
    return wedr_state_end(s, err);
}

/* State and time of sending of the agent's command. WEDR_E_NOENT. */
static int
look(struct wedr_state *s, const char *agent_id, const char *id, int *ret_state, bool *ret_sent)
{
    sqlite3_stmt *st = NULL;
    int err = wedr_state_prepare(s->writer, &st,
                                 "SELECT state,sent_us FROM command WHERE id=?1 AND agent_id=?2",
                                 "tt", id, agent_id);
    if (wedr_state_row(st, &err)) {
        *ret_state = sqlite3_column_int(st, 0);
        *ret_sent = sqlite3_column_int64(st, 1) != 0;
    } else {
        err = err == WEDR_OK ? WEDR_E_NOENT : err;
    }
    (void)sqlite3_finalize(st);
    return err;
}

static int done(struct wedr_state *s,
                const char *agent_id,
                const char *id,
                bool success,
                const char *result,
                const struct wedr_audit *who,
                bool *ret_again)
{
    int state = 0;
    bool sent = false;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    if (strlen(result) > WEDR_COMMAND_RESULT_MAX) {
        return WEDR_E_LIMIT;
    }
    int err = wedr_state_begin(s);
    err = err == WEDR_OK ? look(s, agent_id, id, &state, &sent) : err;
    err = err == WEDR_OK && !sent ? WEDR_E_NOENT : err; /* it cannot know of it */
    bool again = state == WEDR_COMMAND_SUCCESS || state == WEDR_COMMAND_FAILED;
    if (err == WEDR_OK && !again) { /* an answer that came late is better than `expired` */
        err = wedr_state_run(s->writer, NULL,
                             "UPDATE command SET state=?2,result=?3,done_us=?4 WHERE id=?1", "titi",
                             id, (int64_t)(success ? WEDR_COMMAND_SUCCESS : WEDR_COMMAND_FAILED),
                             result, who->ts_us);
        err = err == WEDR_OK ? wedr_state_audit(s, who) : err;
    }
    err = wedr_state_end(s, err);
    if (err == WEDR_OK) {
        *ret_again = again;
    }
    return err;
}

static int take_state(void *arg, sqlite3_stmt *st)
{
    int *state = arg;
    *state = sqlite3_column_int(st, 0);
    return 0;
}

#define SHOWN "CASE WHEN c.state<2 AND c.expires_us<="

static int cancel(struct wedr_state *s,
                  const struct wedr_scope *scope,
                  const char *id,
                  int64_t now_us,
                  const struct wedr_audit *who)
{
    struct wedr_question q;
    int state = 0;
    WEDR_OBJ_CHECK(s, WEDR_STATE_MAGIC);
    wedr_question_init(&q, "SELECT ");
    wedr_question_number(&q, SHOWN, now_us);
    wedr_question_text(&q, " THEN 4 ELSE c.state END FROM command c WHERE c.id=", id);
    wedr_question_scope(&q, "c.agent_id", scope);
    int err = wedr_state_begin(s);
    err = err == WEDR_OK ? wedr_question_within(s->writer, &q, true, take_state, &state) : err;
    err = err == WEDR_OK && state != WEDR_COMMAND_PENDING ? WEDR_E_STATE : err;
    if (err == WEDR_OK) {
        err = wedr_state_run(s->writer, NULL, "UPDATE command SET state=5,done_us=?2 WHERE id=?1",
                             "ti", id, now_us);
    }
    err = err == WEDR_OK ? wedr_state_audit(s, who) : err;
    return wedr_state_end(s, err);
}

struct giving {
    wedr_command_fn *fn;
    void *ctx;
};

static int give_row(void *arg, sqlite3_stmt *st)
{
    const struct giving *g = arg;
    return give(st, g->fn, g->ctx);
}

static void ask_init(struct wedr_question *q, int64_t now_us)
{
    wedr_question_init(q, COLUMNS);
    wedr_question_number(q, SHOWN, now_us);
    wedr_question_add(q, " THEN 4 ELSE c.state END AS shown" FROM "1");
}

static int list(struct wedr_state *s,
                const struct wedr_scope *scope,
                const struct wedr_command_ask *ask,
                wedr_command_fn *fn,
                void *ctx)
{
    struct wedr_question q;
    struct giving g = {fn, ctx};
    ask_init(&q, ask->now_us);
    wedr_question_scope(&q, "c.agent_id", scope);
    if (ask->agent_id) {
        wedr_question_text(&q, " AND c.agent_id=", ask->agent_id);
    }
    if (ask->type) {
        wedr_question_text(&q, " AND c.type=", ask->type);
    }
    if (ask->before > 0) {
        wedr_question_number(&q, " AND c.row<", ask->before);
    }
    if (ask->state >= 0) {
        wedr_question_number(&q, " AND shown=", ask->state);
    }
    wedr_question_number(&q, " ORDER BY c.row DESC LIMIT ", ask->limit);
    return wedr_question_ask(s, &q, false, give_row, &g);
}

static int get(struct wedr_state *s,
               const struct wedr_scope *scope,
               const char *id,
               int64_t now_us,
               wedr_command_fn *fn,
               void *ctx)
{
    struct wedr_question q;
    struct giving g = {fn, ctx};
    ask_init(&q, now_us);
    wedr_question_text(&q, " AND c.id=", id);
    wedr_question_scope(&q, "c.agent_id", scope);
    return wedr_question_ask(s, &q, true, give_row, &g);
}

const struct wedr_state_command_ops wedr_state_command_sqlite = {
    .add = add,
    .take = take,
    .done = done,
    .cancel = cancel,
    .list = list,
    .get = get,
};
