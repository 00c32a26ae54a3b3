/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/commands.h"
#include "admin/data.h"
#include "admin/people.h"
#include "core/base/err.h"
#include "fleet/command_payload.h"
#include "fleet/fleet.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define EXPIRES_S 300
#define EXPIRES_MIN_S 10
#define EXPIRES_MAX_S 604800
#define OBJECT_MAX 64u

/* What the store or an agent gave, as JSON; null when it is none. */
static json_t *stored_json(const char *text)
{
    json_t *o = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    return o ? o : json_null();
}

static json_t *command_json(const struct wedr_command_row *c)
{
    char counter[24];
    const char *state = wedr_command_state_name(c->state);
    (void)snprintf(counter, sizeof(counter), "%llu", (unsigned long long)c->counter);
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "id",
                     c->id, "endpoint_id", c->agent_id, "hostname", c->hostname, "type", c->type,
                     "payload", stored_json(c->payload), "state", state ? state : "failed",
                     "created_by", c->created_by, "reason", c->reason, "counter", counter,
                     "created", wedr_admin_json_time(c->created_us), "expires",
                     wedr_admin_json_time(c->expires_us), "sent", wedr_admin_json_time(c->sent_us),
                     "done", wedr_admin_json_time(c->done_us), "result", stored_json(c->result));
}

static int keep_json(void *ctx, const struct wedr_command_row *c)
{
    json_t **ret = ctx;
    *ret = command_json(c);
    return WEDR_OK;
}

static void
answer_command(struct wedr_server *s, struct wedr_request *rq, const char *id, int status)
{
    struct wedr_asker who;
    json_t *o = NULL;
    wedr_asker_of(rq->person, &who);
    int err =
        s->d.state_ops->command->get(s->d.state, &who.scope, id, wedr_time_utc_us(), keep_json, &o);
    if (err == WEDR_OK) {
        wedr_admin_answer_take(rq, status, o);
    } else {
        wedr_admin_answer_error(rq, err);
    }
}

static void run_get(void *arg, struct wedr_request *rq)
{
    answer_command(arg, rq, wedr_request_param(rq, "id"), 200);
}

static int add_item(void *ctx, const struct wedr_command_row *c)
{
    return wedr_admin_page_add(ctx, c->row, command_json(c));
}

static void run_list(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_admin_page p;
    struct wedr_asker who;
    struct wedr_command_ask ask = {.agent_id = wedr_request_query(rq, "endpoint"),
                                   .type = wedr_request_query(rq, "type"),
                                   .state = -1,
                                   .now_us = wedr_time_utc_us()};
    const char *state = wedr_request_query(rq, "state");
    uint16_t known = 0;
    uint8_t number = 0;
    if (ask.type && wedr_command_type_of(ask.type, &known) != WEDR_OK) {
        wedr_answer_problem(rq, 400, "\"type\" must be one that an endpoint can be sent");
        return;
    }
    if (state && wedr_command_state_of(state, &number) != WEDR_OK) {
        wedr_answer_problem(
            rq, 400, "\"state\" must be pending, sent, success, failed, expired or cancelled");
        return;
    }
    ask.state = state ? number : -1;
    if (!wedr_admin_page(rq, &p, &ask.before)) {
        return;
    }
    ask.limit = p.limit;
    wedr_asker_of(rq->person, &who);
    wedr_admin_page_answer(
        rq, &p, s->d.state_ops->command->list(s->d.state, &who.scope, &ask, add_item, &p));
}

/* --- A new one. */

struct wanted {
    struct wedr_command_target target;
    bool revoked;
    struct wedr_command c;
    const char *reason; /* the body's */
    char payload[WEDR_COMMAND_PAYLOAD_MAX + 1];
};

static int read_target(void *ctx, const struct wedr_endpoint_row *e)
{
    struct wanted *w = ctx;
    wedr_command_target_read(e->status_json, &w->target);
    w->revoked = e->status == WEDR_ENDPOINT_REVOKED;
    return WEDR_OK;
}

static bool read_wanted(struct wedr_request *rq, const json_t *body, struct wanted *w)
{
    struct wedr_errinfo ei = {""};
    int64_t seconds = 0;
    const char *type = wedr_admin_text(rq, body, "type", 1, 64, NULL);
    w->reason = type ? wedr_admin_text(rq, body, "reason", 0, WEDR_COMMAND_REASON_MAX, "") : NULL;
    if (!w->reason || !wedr_admin_number(rq, body, "expires_in_seconds", EXPIRES_MIN_S,
                                         EXPIRES_MAX_S, EXPIRES_S, &seconds)) {
        return false;
    }
    if (w->revoked) {
        wedr_answer_problem(rq, 422, "the endpoint is revoked: it is sent nothing");
        return false;
    }
    int err = wedr_command_payload_take(type, json_object_get(body, "payload"), &w->target, &w->c,
                                        w->payload, &ei);
    if (err != WEDR_OK) {
        wedr_answer_problem(rq, err == WEDR_E_FORMAT ? 400 : 422, "%s", ei.text);
        return false;
    }
    w->c.issued_us = wedr_time_utc_us();
    w->c.expires_us = w->c.issued_us + seconds * 1000000;
    return true;
}

static void
create(struct wedr_server *s, struct wedr_request *rq, const char *agent_id, const struct wanted *w)
{
    struct wedr_asker asker;
    char id[WEDR_AGENT_ID_TEXT], object[OBJECT_MAX],
        detail[WEDR_COMMAND_PAYLOAD_MAX + WEDR_COMMAND_REASON_MAX + 128];
    wedr_fleet_new_id(id);
    struct wedr_command_row row = {.id = id,
                                   .agent_id = agent_id,
                                   .type = wedr_command_type_name(w->c.type),
                                   .payload = w->payload,
                                   .created_by = rq->person->username,
                                   .reason = w->reason,
                                   .created_us = w->c.issued_us,
                                   .expires_us = w->c.expires_us};
    (void)snprintf(object, sizeof(object), "command:%s", id);
    (void)snprintf(detail, sizeof(detail), "endpoint:%s %s %s%s%s", agent_id, row.type, w->payload,
                   w->reason[0] ? " " : "", w->reason);
    struct wedr_audit who = wedr_admin_who(rq, "command.create", object, detail);
    wedr_asker_of(rq->person, &asker);
    int err = s->d.state_ops->command->add(s->d.state, &asker.scope, &row, &who);
    if (err == WEDR_OK) {
        answer_command(s, rq, id, 201);
    } else if (err == WEDR_E_LIMIT) {
        wedr_answer_problem(rq, 409, "%u commands wait for this endpoint already",
                            WEDR_COMMANDS_OPEN_MAX);
    } else {
        wedr_admin_answer_error(rq, err);
    }
}

static void run_create(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_asker who;
    struct wanted w;
    const char *agent_id = wedr_request_param(rq, "id");
    memset(&w, 0, sizeof(w));
    wedr_asker_of(rq->person, &who);
    int err =
        s->d.state_ops->triage->endpoint(s->d.state, &who.scope, agent_id, 0, read_target, &w);
    if (err != WEDR_OK) {
        wedr_admin_answer_error(rq, err);
        return;
    }
    json_t *body = wedr_admin_body(rq, "type payload reason expires_in_seconds");
    if (body && read_wanted(rq, body, &w)) {
        create(s, rq, agent_id, &w);
    }
    json_decref(body);
}

static void run_cancel(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_asker asker;
    char object[OBJECT_MAX];
    const char *id = wedr_request_param(rq, "id");
    (void)snprintf(object, sizeof(object), "command:%.48s", id);
    struct wedr_audit who = wedr_admin_who(rq, "command.cancel", object, "");
    wedr_asker_of(rq->person, &asker);
    int err = s->d.state_ops->command->cancel(s->d.state, &asker.scope, id, who.ts_us, &who);
    if (err == WEDR_E_STATE) {
        wedr_answer_problem(rq, 409, "it is not pending any more");
    } else {
        wedr_admin_answer_done(rq, err);
    }
}

#define ROUTE(m, p, body, q, r, op, n)                                                             \
    {                                                                                              \
        .method = (m), .pattern = "/api/v1/" p, .auth = WEDR_ROUTE_PERSON, .lane = WEDR_RUN_QUERY, \
        .body_max = (body), .run = (r), .query = (q), .operation = (op), .need = (n)               \
    }

const struct wedr_route wedr_command_routes[] = {
    ROUTE("POST",
          "endpoints/{id}/commands",
          WEDR_ADMIN_BODY_MAX,
          NULL,
          run_create,
          "createCommand",
          WEDR_NEED_RESPOND),
    ROUTE("GET",
          "commands",
          0,
          "limit cursor endpoint state type",
          run_list,
          "listCommands",
          WEDR_NEED_READ),
    ROUTE("GET", "commands/{id}", 0, NULL, run_get, "getCommand", WEDR_NEED_READ),
    ROUTE("DELETE", "commands/{id}", 0, NULL, run_cancel, "cancelCommand", WEDR_NEED_RESPOND),
};
const size_t wedr_command_route_count = WEDR_ARRAY_COUNT(wedr_command_routes);
