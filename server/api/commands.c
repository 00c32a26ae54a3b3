/* SPDX-License-Identifier: Apache-2.0 */
#include "api/server.h"
#include "auth/command_seal.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/json.h"
#include "core/util/log.h"
#include "core/util/sha256.h"
#include "fleet/command_payload.h"
#include "fleet/control.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

struct offer {
    const struct wedr_server *s;
    const char *agent_id;
    uint8_t key[WEDR_COMMAND_KEY_LEN];
    struct wedr_json *j;
};

/* One that cannot be made into bytes is left out and expires; it must not hold up the others. */
static int offer_one(void *ctx, const struct wedr_command_row *row)
{
    struct offer *o = ctx;
    struct wedr_command c;
    struct wedr_sealed_command sealed;
    int err = wedr_command_of_row(row, &c);
    memcpy(c.key, o->key, sizeof(c.key));
    err = err == WEDR_OK ? wedr_command_seal(o->s->d.command_secret, &c, &sealed) : err;
    if (err != WEDR_OK) {
        wedr_log(ERROR, "command.damaged", WEDR_STR("id", row->id), WEDR_ERR(err));
        return WEDR_OK;
    }
    wedr_json_obj_begin(o->j);
    wedr_json_put_str(o->j, "id", row->id);
    wedr_json_put_str(o->j, "type", row->type);
    wedr_json_key(o->j, "payload");
    wedr_json_raw(o->j, row->payload, strlen(row->payload));
    wedr_json_put_str(o->j, "signed", sealed.bytes);
    wedr_json_put_str(o->j, "signature", sealed.signature);
    wedr_json_obj_end(o->j);
    wedr_log(INFO, "command.sent", WEDR_STR("agent", o->agent_id), WEDR_STR("id", row->id),
             WEDR_STR("type", row->type));
    return WEDR_OK;
}

int wedr_api_commands_offer(struct wedr_server *s,
                            const char *agent_id,
                            const uint8_t sign_public[WEDR_SIGN_PUBLIC_LEN],
                            int64_t now_us,
                            struct wedr_json *j)
{
    struct offer o = {.s = s, .agent_id = agent_id, .j = j};
    wedr_sha256(sign_public, WEDR_SIGN_PUBLIC_LEN, o.key);
    wedr_json_key(j, "pending_commands");
    wedr_json_arr_begin(j);
    int err = s->d.state_ops->command->take(s->d.state, agent_id, now_us, offer_one, &o);
    wedr_json_arr_end(j);
    return err;
}

void wedr_api_commands(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    char mem[WEDR_HEARTBEAT_ANSWER_MAX];
    struct wedr_json j;
    wedr_api_adopt_certificate(s, rq);
    wedr_json_init(&j, mem, sizeof(mem));
    wedr_json_obj_begin(&j);
    int err = wedr_api_commands_offer(s, rq->agent.agent_id, rq->agent.sign_public,
                                      wedr_time_utc_us(), &j);
    wedr_json_obj_end(&j);
    if (err == WEDR_OK) {
        wedr_buf_add(&rq->answer, mem, wedr_json_len(&j));
        wedr_answer_json(rq, 200);
    } else {
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "the commands could not be read: %s", wedr_err_text(err));
    }
}

static void answer_ack(struct wedr_server *s,
                       struct wedr_request *rq,
                       const char *id,
                       const struct wedr_fleet_ack *ack)
{
    char object[64];
    bool again = false;
    (void)snprintf(object, sizeof(object), "command:%s", id);
    struct wedr_audit who = {.ts_us = wedr_time_utc_us(),
                             .actor = rq->agent.agent_id,
                             .actor_kind = "agent",
                             .address = rq->addr_text,
                             .action = ack->success ? "command.success" : "command.failed",
                             .object = object,
                             .detail = ack->result};
    int err = s->d.state_ops->command->done(s->d.state, rq->agent.agent_id, id, ack->success,
                                            ack->result, &who, &again);
    if (err == WEDR_E_NOENT) {
        wedr_answer_problem(rq, 404, "this agent was sent no such command");
    } else if (err != WEDR_OK) {
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "the result could not be stored: %s", wedr_err_text(err));
    } else {
        wedr_log(INFO, "command.answered", WEDR_STR("agent", rq->agent.agent_id),
                 WEDR_STR("id", id), WEDR_U64("success", ack->success), WEDR_U64("again", again));
        wedr_answer_empty(rq);
    }
}

void wedr_api_command_ack(void *arg, struct wedr_request *rq)
{
    struct wedr_errinfo ei = {""};
    struct wedr_fleet_ack *ack = wedr_alloc(1, sizeof(*ack));
    wedr_api_adopt_certificate(arg, rq);
    int err = ack ? wedr_fleet_ack_parse(rq->body, rq->body_len, ack, &ei) : WEDR_E_NOMEM;
    if (err == WEDR_OK) {
        answer_ack(arg, rq, wedr_request_param(rq, "command"), ack);
    } else if (err == WEDR_E_NOMEM) {
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "out of memory");
    } else {
        wedr_answer_problem(rq, err == WEDR_E_LIMIT ? 413 : 400, "%s", ei.text);
    }
    wedr_free(ack);
}
