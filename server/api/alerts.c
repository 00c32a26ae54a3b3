/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/out.h"
#include "api/server.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "fleet/control.h"
#include "wedr/plat/time.h"
#include <string.h>

/* What such an alert says beside its columns is its evidence: one event that has no place in a
 * stream. */
#define STREAM "alerts"

struct rows {
    struct wedr_alert_row alert[WEDR_FLEET_ALERTS_MAX];
    struct wedr_evidence_row evidence[WEDR_FLEET_ALERTS_MAX];
};

static void fill(const struct wedr_request *rq,
                 const struct wedr_fleet_alert *a,
                 int64_t now_us,
                 struct wedr_alert_row *row,
                 struct wedr_evidence_row *evidence)
{
    *evidence = (struct wedr_evidence_row){
        .agent_id = rq->agent.agent_id, .stream = STREAM, .event = a->evidence};
    *row = (struct wedr_alert_row){.alert_id = a->id,
                                   .agent_id = rq->agent.agent_id,
                                   .hostname = rq->agent.hostname,
                                   .origin = "agent",
                                   .ts_us = a->ts_us,
                                   .received_us = now_us,
                                   .rule_id = a->rule_id,
                                   .rule_title = a->rule_name,
                                   .rule_language = "waza",
                                   .severity = a->severity,
                                   .message = "",
                                   .tags = "[]",
                                   .actions = a->killed ? "[\"alert\",\"kill\"]" : "[\"alert\"]",
                                   .pid = a->pid,
                                   .process_key = a->process_key[0] ? a->process_key : NULL,
                                   .entity = "",
                                   .match_count = 1,
                                   .rules_serial = "0",
                                   .profile = "",
                                   .ancestry = "[]",
                                   .matched = "[]",
                                   .evidence = evidence,
                                   .evidence_count = 1};
}

static int store(struct wedr_server *s,
                 const struct wedr_request *rq,
                 const struct wedr_fleet_alerts *a,
                 struct wedr_detect_step *step)
{
    struct rows *rows = wedr_alloc(1, sizeof(*rows));
    if (!rows) {
        return WEDR_E_NOMEM;
    }
    step->now_us = wedr_time_utc_us();
    step->cursor = -1;
    step->alerts = rows->alert;
    step->alert_count = a->count;
    for (size_t i = 0; i < a->count; i++) {
        fill(rq, &a->v[i], step->now_us, &rows->alert[i], &rows->evidence[i]);
    }
    int err = a->count ? s->d.state_ops->detect->apply(s->d.state, step) : WEDR_OK;
    wedr_free(rows);
    return err;
}

static void answer_stored(struct wedr_request *rq, const struct wedr_fleet_alerts *a)
{
    struct wedr_out o;
    wedr_out_init(&o, &rq->answer);
    wedr_out_obj_begin(&o);
    wedr_out_key(&o, "alert_ids");
    wedr_out_arr_begin(&o);
    for (size_t i = 0; i < a->count; i++) {
        wedr_out_text(&o, a->v[i].id);
    }
    wedr_out_arr_end(&o);
    wedr_out_put_i64(&o, "received", (int64_t)a->count);
    wedr_out_put_i64(&o, "skipped", (int64_t)a->skipped);
    wedr_out_obj_end(&o);
    wedr_out_fini(&o);
    wedr_answer_json(rq, 202);
}

void wedr_api_alerts(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_errinfo ei = {""};
    struct wedr_detect_step step = {.cursor = -1};
    struct wedr_fleet_alerts *a = wedr_alloc(1, sizeof(*a));
    wedr_api_adopt_certificate(s, rq);
    int err = a ? wedr_fleet_alerts_parse(rq->agent.agent_id, rq->body, rq->body_len, a, &ei)
                : WEDR_E_NOMEM;
    if (err == WEDR_E_FORMAT || err == WEDR_E_LIMIT) {
        wedr_answer_problem(rq, err == WEDR_E_LIMIT ? 413 : 400, "%s", ei.text);
        wedr_free(a);
        return;
    }
    err = err == WEDR_OK ? store(s, rq, a, &step) : err;
    if (err == WEDR_OK) {
        wedr_log(INFO, "alerts.received", WEDR_STR("agent", rq->agent.agent_id),
                 WEDR_U64("new", step.alerts_new), WEDR_U64("again", step.alerts_again),
                 WEDR_U64("skipped", a->skipped));
        answer_stored(rq, a);
    } else {
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "the alerts could not be stored: %s", wedr_err_text(err));
    }
    if (a) {
        wedr_fleet_alerts_fini(a);
    }
    wedr_free(a);
}
