/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/alerts.h"
#include "admin/events_id.h"
#include "admin/tail.h"
#include "core/base/err.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIST "alerts"
#define WORDS_MAX 256u
#define RESPONSES_MAX 1000u
#define COMMENTS_SHOWN WEDR_COMMENTS_MAX

static void put_stored(struct wedr_out *o, const char *key, const char *json)
{
    wedr_out_key(o, key);
    (void)wedr_out_stored(o, json, strlen(json));
}

static void put_id(struct wedr_out *o, const char *key, uint64_t id)
{
    wedr_out_key(o, key);
    wedr_out_id(o, id);
}

static void put_process(struct wedr_out *o, const struct wedr_alert_row *r)
{
    wedr_out_key(o, "pid");
    if (r->pid >= 0) {
        wedr_out_i64(o, r->pid);
    } else {
        wedr_out_null(o);
    }
    wedr_out_put_text(o, "process_key", r->process_key);
    wedr_out_put_text(o, "image_path", r->image_path);
    wedr_out_put_text(o, "command_line", r->command_line);
    wedr_out_put_text(o, "user", r->user);
}

void wedr_alert_out(struct wedr_out *o, const struct wedr_triage_alert *a)
{
    const struct wedr_alert_row *r = &a->row;
    put_id(o, "id", (uint64_t)r->id);
    wedr_out_put_text(o, "alert_id", r->alert_id);
    wedr_out_put_time(o, "ts", r->ts_us);
    wedr_out_put_time(o, "received", r->received_us);
    wedr_out_put_text(o, "endpoint_id", r->agent_id);
    wedr_out_put_text(o, "hostname", r->hostname);
    wedr_out_put_text(o, "rule_id", r->rule_id);
    wedr_out_put_text(o, "rule_title", r->rule_title);
    wedr_out_put_text(o, "rule_language", r->rule_language);
    wedr_out_put_text(o, "severity", r->severity);
    wedr_out_put_text(o, "state", wedr_alert_state_name(a->state));
    wedr_out_put_text(o, "resolution", wedr_alert_resolution_name(a->resolution));
    wedr_out_put_text(o, "assignee", a->assignee);
    put_stored(o, "tags", a->labels);
    put_stored(o, "rule_tags", r->tags);
    wedr_out_put_text(o, "message", r->message);
    wedr_out_put_text(o, "origin", r->origin);
    wedr_out_put_text(o, "entity", r->entity);
    put_process(o, r);
    wedr_out_put_i64(o, "suppressed", (int64_t)r->suppressed);
    wedr_out_put_i64(o, "match_count", (int64_t)r->match_count);
    wedr_out_put_i64(o, "comments_count", (int64_t)a->comments);
    wedr_out_put_i64(o, "version", (int64_t)a->version);
    wedr_out_put_time(o, "changed", a->changed_us);
}

/* --- The list. */

struct listing {
    struct wedr_out out;
    uint32_t limit, count;
    int64_t last_ts, last_id;
    bool more;
};

static int list_one(void *ctx, const struct wedr_triage_alert *a)
{
    struct listing *l = ctx;
    if (l->count == l->limit) {
        l->more = true;
        return 0;
    }
    wedr_out_obj_begin(&l->out);
    wedr_alert_out(&l->out, a);
    wedr_out_obj_end(&l->out);
    l->count++;
    l->last_ts = a->row.ts_us;
    l->last_id = a->row.id;
    return 0;
}

static bool known_severities(const char *const *words, size_t count)
{
    static const char *const names[] = {"informational", "low", "medium", "high", "critical"};
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t k = 0; k < WEDR_ARRAY_COUNT(names); k++) {
            known = known || strcmp(words[i], names[k]) == 0;
        }
        if (!known) {
            return false;
        }
    }
    return true;
}

struct words {
    char states[WORDS_MAX], severities[WORDS_MAX];
};

static bool read_words(struct wedr_request *rq, struct words *w, struct wedr_alert_ask *ask)
{
    const char *states = wedr_request_query(rq, "state");
    const char *severities = wedr_request_query(rq, "severity");
    bool good = !states || wedr_data_words(states, w->states, sizeof(w->states), ask->states,
                                           WEDR_TRIAGE_WORDS_MAX, &ask->state_count);
    for (size_t i = 0; good && i < ask->state_count; i++) {
        uint8_t state;
        good = wedr_alert_state_of(ask->states[i], &state) == WEDR_OK;
    }
    if (!good) {
        wedr_answer_problem(rq, 400, "\"state\" must be of new, in_progress, closed");
        return false;
    }
    good = !severities ||
           (wedr_data_words(severities, w->severities, sizeof(w->severities), ask->severities,
                            WEDR_TRIAGE_WORDS_MAX, &ask->severity_count) &&
            known_severities(ask->severities, ask->severity_count));
    if (!good) {
        wedr_answer_problem(rq, 400,
                            "\"severity\" must be of informational, low, medium, high, critical");
    }
    return good;
}

static bool read_place(struct wedr_request *rq, struct wedr_alert_ask *ask)
{
    struct wedr_cursor c;
    const char *text = wedr_request_query(rq, "cursor");
    if (text &&
        !(wedr_cursor_read(text, LIST, 2, &c) && wedr_positive_parse(c.field[0], &ask->behind_us) &&
          wedr_positive_parse(c.field[1], &ask->behind_id))) {
        wedr_answer_problem(rq, 400, "\"cursor\" is not one of this list");
        return false;
    }
    return true;
}

static bool read_ask(struct wedr_request *rq, struct words *w, struct wedr_alert_ask *ask)
{
    *ask = (struct wedr_alert_ask){.agent_id = wedr_request_query(rq, "endpoint"),
                                   .rule_id = wedr_request_query(rq, "rule"),
                                   .process_key = wedr_request_query(rq, "process_key"),
                                   .assignee = wedr_request_query(rq, "assignee"),
                                   .label = wedr_request_query(rq, "tag"),
                                   .q = wedr_request_query(rq, "q")};
    return wedr_admin_limit(rq, &ask->limit) && wedr_admin_time(rq, "from", 0, &ask->from_us) &&
           wedr_admin_time(rq, "to", 0, &ask->to_us) && read_words(rq, w, ask) &&
           read_place(rq, ask);
}

static void put_next(struct listing *l)
{
    char ts[24], id[24], next[WEDR_CURSOR_TEXT_MAX];
    const char *fields[] = {ts, id};
    (void)snprintf(ts, sizeof(ts), "%" PRId64, l->last_ts);
    (void)snprintf(id, sizeof(id), "%" PRId64, l->last_id);
    bool more = l->more && wedr_cursor_make(LIST, fields, 2, next);
    wedr_out_put_text(&l->out, "next", more ? next : NULL);
}

static void run_list(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_asker who;
    struct wedr_alert_ask ask;
    struct words words;
    struct listing l = {.count = 0};
    if (!read_ask(rq, &words, &ask)) {
        return;
    }
    l.limit = ask.limit++; /* one more says whether there are more */
    wedr_asker_of(rq->person, &who);
    wedr_out_init(&l.out, &rq->answer);
    wedr_out_obj_begin(&l.out);
    wedr_out_key(&l.out, "items");
    wedr_out_arr_begin(&l.out);
    int err = s->d.state_ops->triage->alerts(s->d.state, &who.scope, &ask, list_one, &l);
    wedr_out_arr_end(&l.out);
    put_next(&l);
    wedr_out_obj_end(&l.out);
    wedr_out_fini(&l.out);
    if (err == WEDR_OK) {
        wedr_answer_json(rq, 200);
    } else if (err == WEDR_E_TIMEOUT) {
        wedr_answer_problem(rq, 408, "the question took longer than it may: ask for less time");
    } else {
        wedr_admin_answer_error(rq, err);
    }
}

/* --- One of them. */

struct whole {
    struct wedr_server *s;
    struct wedr_out out;
    uint64_t version;
};

static int put_evidence(void *ctx, const struct wedr_evidence_row *e)
{
    struct wedr_out *o = ctx;
    struct wedr_event_id id = {.seq = (int64_t)e->seq};
    char text[WEDR_EVENT_ID_MAX];
    (void)snprintf(id.agent_id, sizeof(id.agent_id), "%s", e->agent_id);
    (void)snprintf(id.epoch, sizeof(id.epoch), "%016" PRIx64, e->epoch);
    (void)snprintf(id.stream, sizeof(id.stream), "%s", e->stream);
    wedr_event_id_text(&id, text);
    wedr_event_out(o, text, id.agent_id, NULL, 0, e->event, e->event ? strlen(e->event) : 0);
    return 0;
}

static int put_response(void *ctx, const struct wedr_response_row *r)
{
    struct wedr_out *o = ctx;
    wedr_out_obj_begin(o);
    wedr_out_put_time(o, "ts", r->ts_us);
    wedr_out_put_text(o, "action", r->action);
    wedr_out_put_text(o, "result", r->result);
    wedr_out_key(o, "pid");
    if (r->pid >= 0) {
        wedr_out_i64(o, r->pid);
    } else {
        wedr_out_null(o);
    }
    wedr_out_put_text(o, "process_key", r->process_key);
    wedr_out_put_text(o, "detail", r->detail);
    wedr_out_put_i64(o, "duration_us", (int64_t)r->duration_us);
    wedr_out_obj_end(o);
    return 0;
}

void wedr_comment_out(struct wedr_out *o, const struct wedr_comment_row *c)
{
    wedr_out_obj_begin(o);
    put_id(o, "id", (uint64_t)c->id);
    wedr_out_put_text(o, "author", c->author);
    wedr_out_put_time(o, "created", c->ts_us);
    wedr_out_put_text(o, "text", c->text);
    wedr_out_obj_end(o);
}

static int put_comment(void *ctx, const struct wedr_comment_row *c)
{
    wedr_comment_out(ctx, c);
    return 0;
}

static int put_whole(void *ctx, const struct wedr_triage_alert *a)
{
    struct whole *w = ctx;
    struct wedr_out *o = &w->out;
    const struct wedr_state_ops *ops = w->s->d.state_ops;
    struct wedr_state *state = w->s->d.state;
    w->version = a->version;
    wedr_out_obj_begin(o);
    wedr_alert_out(o, a);
    wedr_out_put_time(o, "stored", a->row.stored_us);
    wedr_out_put_text(o, "rules_serial", a->row.rules_serial);
    wedr_out_put_text(o, "profile", a->row.profile);
    put_stored(o, "ancestry", a->row.ancestry);
    put_stored(o, "actions", a->row.actions);
    put_stored(o, "matched", a->row.matched);
    wedr_out_key(o, "evidence");
    wedr_out_arr_begin(o);
    int err = ops->detect->evidence(state, a->row.id, put_evidence, o);
    wedr_out_arr_end(o);
    wedr_out_key(o, "responses");
    wedr_out_arr_begin(o);
    if (err == WEDR_OK) {
        err = ops->triage->responses(state, a->row.agent_id, a->row.alert_id, RESPONSES_MAX,
                                     put_response, o);
    }
    wedr_out_arr_end(o);
    wedr_out_key(o, "comments");
    wedr_out_arr_begin(o);
    if (err == WEDR_OK) {
        err = ops->triage->comments(state, a->row.id, 0, COMMENTS_SHOWN, put_comment, o);
    }
    wedr_out_arr_end(o);
    wedr_out_obj_end(o);
    return err;
}

void wedr_alert_answer(struct wedr_server *s, struct wedr_request *rq, int64_t id)
{
    struct wedr_asker who;
    struct whole w = {.s = s};
    wedr_asker_of(rq->person, &who);
    wedr_buf_truncate(&rq->answer, 0);
    wedr_out_init(&w.out, &rq->answer);
    int err = s->d.state_ops->triage->alert(s->d.state, &who.scope, id, put_whole, &w);
    wedr_out_fini(&w.out);
    wedr_admin_answer_version(rq, err, w.version);
}

static void run_get(void *arg, struct wedr_request *rq)
{
    int64_t id = 0;
    if (wedr_admin_id(rq, "id", &id)) {
        wedr_alert_answer(arg, rq, id);
    }
}

#define ALERTS "/api/v1/alerts"

const struct wedr_route wedr_alert_routes[] = {
    {.method = "GET",
     .pattern = ALERTS,
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_list,
     .query = "limit cursor state severity endpoint rule process_key assignee tag from to q",
     .operation = "listAlerts",
     .need = WEDR_NEED_READ},
    {.method = "GET",
     .pattern = ALERTS "/{id}",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_get,
     .operation = "getAlert",
     .need = WEDR_NEED_READ},
    {.method = "PATCH",
     .pattern = ALERTS "/{id}",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_CONTROL,
     .body_max = WEDR_ADMIN_BODY_MAX,
     .run = wedr_alerts_change,
     .operation = "changeAlert",
     .need = WEDR_NEED_TRIAGE},
    {.method = "POST",
     .pattern = ALERTS "/bulk",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_CONTROL,
     .body_max = WEDR_ADMIN_BODY_MAX,
     .run = wedr_alerts_bulk,
     .operation = "changeAlerts",
     .need = WEDR_NEED_TRIAGE},
    {.method = "POST",
     .pattern = ALERTS "/{id}/comments",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_CONTROL,
     .body_max = WEDR_ADMIN_BODY_MAX,
     .run = wedr_alerts_comment_add,
     .operation = "addComment",
     .need = WEDR_NEED_TRIAGE},
    {.method = "DELETE",
     .pattern = ALERTS "/{id}/comments/{comment}",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_CONTROL,
     .run = wedr_alerts_comment_delete,
     .operation = "deleteComment",
     .need = WEDR_NEED_TRIAGE},
};
const size_t wedr_alert_route_count = WEDR_ARRAY_COUNT(wedr_alert_routes);
