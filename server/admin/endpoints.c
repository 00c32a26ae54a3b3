/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/data.h"
#include "admin/endpoints_out.h"
#include "admin/people.h"
#include "core/base/err.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define LIST "endpoints"
#define RULES_LIST "rules"
#define WEEK_US (7 * INT64_C(86400000000))
#define NOTE_MAX 1000u

static int64_t online_since(const struct wedr_server *s)
{
    return wedr_time_utc_us() - (int64_t)s->d.cfg->checkin_interval_s * 2500000;
}

struct listing {
    struct wedr_server *s;
    struct wedr_out out;
    uint32_t limit, count;
    bool more;
    char host[256], id[WEDR_AGENT_ID_TEXT];
};

static int list_one(void *ctx, const struct wedr_endpoint_row *e)
{
    struct listing *l = ctx;
    if (l->count == l->limit) {
        l->more = true;
        return 0;
    }
    wedr_out_obj_begin(&l->out);
    wedr_endpoint_out(l->s, &l->out, e, NULL);
    wedr_out_obj_end(&l->out);
    l->count++;
    (void)snprintf(l->host, sizeof(l->host), "%s", e->hostname);
    (void)snprintf(l->id, sizeof(l->id), "%s", e->agent_id);
    return 0;
}

static bool read_ask(struct wedr_request *rq, struct wedr_cursor *c, struct wedr_endpoint_ask *ask)
{
    const char *text = wedr_request_query(rq, "cursor");
    const char *status = wedr_request_query(rq, "status");
    uint8_t number = 0;
    ask->q = wedr_request_query(rq, "q");
    ask->group = wedr_request_query(rq, "group");
    ask->status = -1;
    if (status && wedr_endpoint_status_of(status, &number) != WEDR_OK) {
        wedr_answer_problem(rq, 400,
                            "\"status\" must be online, degraded, offline, never or revoked");
        return false;
    }
    ask->status = status ? number : -1;
    if (text && !wedr_cursor_read(text, LIST, 2, c)) {
        wedr_answer_problem(rq, 400, "\"cursor\" is not one of this list");
        return false;
    }
    ask->behind_host = text ? c->field[0] : NULL;
    ask->behind_id = text ? c->field[1] : NULL;
    return wedr_admin_limit(rq, &ask->limit);
}

static void end_list(struct wedr_request *rq,
                     struct wedr_out *o,
                     bool more,
                     const char *list,
                     const char *const *fields,
                     size_t count,
                     int err)
{
    char next[WEDR_CURSOR_TEXT_MAX];
    wedr_out_arr_end(o);
    more = more && wedr_cursor_make(list, fields, count, next);
    wedr_out_put_text(o, "next", more ? next : NULL);
    wedr_out_obj_end(o);
    wedr_out_fini(o);
    if (err == WEDR_OK) {
        wedr_answer_json(rq, 200);
    } else {
        wedr_admin_answer_error(rq, err);
    }
}

static void begin_list(struct wedr_request *rq, struct wedr_out *o)
{
    wedr_out_init(o, &rq->answer);
    wedr_out_obj_begin(o);
    wedr_out_key(o, "items");
    wedr_out_arr_begin(o);
}

static void run_list(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_asker who;
    struct wedr_cursor c;
    struct wedr_endpoint_ask ask = {.online_since_us = online_since(s)};
    struct listing l = {.s = s};
    if (!read_ask(rq, &c, &ask)) {
        return;
    }
    l.limit = ask.limit++;
    wedr_asker_of(rq->person, &who);
    begin_list(rq, &l.out);
    int err = s->d.state_ops->triage->endpoints(s->d.state, &who.scope, &ask, list_one, &l);
    const char *fields[] = {l.host, l.id};
    end_list(rq, &l.out, l.more, LIST, fields, 2, err);
}

/* --- One of them. */

struct whole {
    struct wedr_server *s;
    struct wedr_out out;
    struct wedr_sensor_info *sensor;
    uint64_t version;
};

static int put_whole(void *ctx, const struct wedr_endpoint_row *e)
{
    struct whole *w = ctx;
    w->version = e->version;
    wedr_out_obj_begin(&w->out);
    wedr_endpoint_out(w->s, &w->out, e, w->sensor);
    wedr_endpoint_detail_out(&w->out, e);
    wedr_out_obj_end(&w->out);
    return 0;
}

/* Of an endpoint that the asker sees, or saw until this request. */
static void answer_endpoint(struct wedr_server *s, struct wedr_request *rq, const char *agent_id)
{
    const struct wedr_scope all = {NULL, 0};
    struct wedr_sensor_info sensor;
    struct whole w = {.s = s, .sensor = &sensor};
    wedr_sensor_info_load(s, agent_id, &sensor);
    wedr_out_init(&w.out, &rq->answer);
    int err = s->d.state_ops->triage->endpoint(s->d.state, &all, agent_id, online_since(s),
                                               put_whole, &w);
    wedr_out_fini(&w.out);
    wedr_sensor_info_fini(&sensor);
    wedr_admin_answer_version(rq, err, w.version);
}

static void run_get(void *arg, struct wedr_request *rq)
{
    const char *id = wedr_request_param(rq, "id");
    if (wedr_data_endpoint(arg, rq, id)) {
        answer_endpoint(arg, rq, id);
    }
}

/* 1..64 of letters, digits, '_', '.', '-'. */
static const char *group_name(const json_t *v)
{
    static const char good[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    const char *s = json_string_value(v);
    size_t n = json_string_length(v);
    return s && n > 0 && n < WEDR_GROUP_NAME_MAX && strspn(s, good) == n ? s : NULL;
}

static bool read_change(struct wedr_request *rq, const json_t *o, struct wedr_endpoint_change *c)
{
    const json_t *group = json_object_get(o, "group"), *note = json_object_get(o, "note");
    const json_t *revoked = json_object_get(o, "revoked");
    c->group = group ? group_name(group) : NULL;
    c->note = note ? json_string_value(note) : NULL;
    c->set_revoked = revoked != NULL;
    c->revoked = json_is_true(revoked);
    if (group && !c->group) {
        wedr_answer_problem(rq, 400, "\"group\" must be 1 to 64 letters, digits, '_', '.' or '-'");
    } else if (note && (!c->note || json_string_length(note) > NOTE_MAX ||
                        strlen(c->note) != json_string_length(note))) {
        wedr_answer_problem(rq, 400, "\"note\" must be a text of at most %u bytes", NOTE_MAX);
    } else if (revoked && !json_is_boolean(revoked)) {
        wedr_answer_problem(rq, 400, "\"revoked\" must be true or false");
    } else if (!group && !note && !revoked) {
        wedr_answer_problem(rq, 400, "nothing is to be changed");
    }
    return rq->status == 0;
}

static void run_change(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    const char *id = wedr_request_param(rq, "id");
    struct wedr_asker who;
    struct wedr_endpoint_change c;
    char object[64], detail[256];
    uint64_t version = 0;
    if (!wedr_data_endpoint(s, rq, id) || !wedr_admin_if_match(rq, &version)) {
        return;
    }
    json_t *o = wedr_admin_body(rq, "group revoked note");
    if (o && read_change(rq, o, &c)) {
        (void)snprintf(object, sizeof(object), "endpoint:%s", id);
        (void)snprintf(detail, sizeof(detail), "%s%s%s%s", c.group ? "group=" : "",
                       c.group ? c.group : "",
                       !c.set_revoked ? ""
                       : c.revoked    ? " revoked"
                                      : " not revoked",
                       c.note ? " note" : "");
        struct wedr_audit note = wedr_admin_who(rq, "endpoint.change", object, detail);
        wedr_asker_of(rq->person, &who);
        int err =
            s->d.state_ops->triage->endpoint_change(s->d.state, &who.scope, id, version, &c, &note);
        if (err == WEDR_OK) {
            answer_endpoint(s, rq, id);
        } else {
            wedr_admin_answer_error(rq, err);
        }
    }
    json_decref(o);
}

/* --- Rules. */

struct rules {
    struct wedr_out out;
    uint32_t limit, count;
    bool more;
    char id[256];
};

static int put_rule(void *ctx, const struct wedr_rule_row *r)
{
    struct rules *l = ctx;
    if (l->count == l->limit) {
        l->more = true;
        return 0;
    }
    l->count++;
    (void)snprintf(l->id, sizeof(l->id), "%s", r->id);
    wedr_out_obj_begin(&l->out);
    wedr_out_put_text(&l->out, "id", r->id);
    wedr_out_put_text(&l->out, "title", r->title);
    wedr_out_put_text(&l->out, "language", r->language);
    wedr_out_put_text(&l->out, "source", r->source);
    wedr_out_put_text(&l->out, "severity", r->severity);
    wedr_out_put_bool(&l->out, "enabled", r->enabled);
    wedr_out_put_bool(&l->out, "builtin", r->builtin);
    wedr_out_put_i64(&l->out, "version", r->version);
    wedr_out_put_time(&l->out, "updated", r->updated_us);
    wedr_out_put_i64(&l->out, "alerts_7d", (int64_t)r->alerts);
    wedr_out_obj_end(&l->out);
    return 0;
}

static void run_rules(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_asker who;
    struct wedr_cursor c;
    struct rules l = {.count = 0};
    const char *text = wedr_request_query(rq, "cursor");
    if (!wedr_admin_limit(rq, &l.limit)) {
        return;
    }
    if (text && !wedr_cursor_read(text, RULES_LIST, 1, &c)) {
        wedr_answer_problem(rq, 400, "\"cursor\" is not one of this list");
        return;
    }
    wedr_asker_of(rq->person, &who);
    begin_list(rq, &l.out);
    int err =
        s->d.state_ops->triage->rules(s->d.state, &who.scope, text ? c.field[0] : NULL,
                                      wedr_time_utc_us() - WEEK_US, l.limit + 1, put_rule, &l);
    const char *fields[] = {l.id};
    end_list(rq, &l.out, l.more, RULES_LIST, fields, 1, err);
}

const struct wedr_route wedr_endpoint_routes[] = {
    {.method = "GET",
     .pattern = "/api/v1/endpoints",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_list,
     .query = "limit cursor q group status",
     .operation = "listEndpoints",
     .need = WEDR_NEED_READ},
    {.method = "GET",
     .pattern = "/api/v1/endpoints/{id}",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_get,
     .operation = "getEndpoint",
     .need = WEDR_NEED_READ},
    {.method = "PATCH",
     .pattern = "/api/v1/endpoints/{id}",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .body_max = WEDR_ADMIN_BODY_MAX,
     .run = run_change,
     .operation = "changeEndpoint",
     .need = WEDR_NEED_ADMIN},
    {.method = "GET",
     .pattern = "/api/v1/rules",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_rules,
     .query = "limit cursor",
     .operation = "listRules",
     .need = WEDR_NEED_READ},
};
const size_t wedr_endpoint_route_count = WEDR_ARRAY_COUNT(wedr_endpoint_routes);
