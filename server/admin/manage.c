/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/people.h"
#include "core/base/err.h"
#include "core/util/log.h"

#define TWO_53 9007199254740991LL

static int add_entry(void *ctx, const struct wedr_audit_row *r)
{
    const struct wedr_audit *e = &r->entry;
    return wedr_admin_page_add(
        ctx, r->id,
        json_pack("{s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "id", wedr_admin_json_id(r->id),
                  "ts", wedr_admin_json_time(e->ts_us), "actor", e->actor, "actor_kind",
                  e->actor_kind, "address", e->address, "action", e->action, "object", e->object,
                  "detail", e->detail, "hash", r->hash));
}

static void run_audit(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_admin_page p;
    int64_t before = 0, from = 0, to = INT64_MAX;
    if (!wedr_admin_time(rq, "from", 0, &from) || !wedr_admin_time(rq, "to", INT64_MAX, &to) ||
        !wedr_admin_page(rq, &p, &before)) {
        return;
    }
    wedr_admin_page_answer(rq, &p,
                           s->d.state_ops->people->audit_each(
                               s->d.state, from, to, wedr_request_query(rq, "actor"),
                               wedr_request_query(rq, "action"), before, p.limit, add_entry, &p));
}

static void answer_settings(struct wedr_request *rq, const struct wedr_settings *v)
{
    wedr_admin_etag(rq, v->version);
    wedr_admin_answer_take(
        rq, 200,
        json_pack("{s:I, s:I, s:I, s:I, s:b}", "retention_days", (json_int_t)v->retention_days,
                  "retention_bytes", (json_int_t)v->retention_bytes, "session_hours",
                  (json_int_t)v->session_hours, "session_idle_minutes",
                  (json_int_t)v->session_idle_minutes, "require_totp", v->require_totp));
}

static void run_get_settings(void *arg, struct wedr_request *rq)
{
    struct wedr_settings v = wedr_admin_settings(arg);
    answer_settings(rq, &v);
}

/* A key of the body into *v; absent: *v stays. False: it was answered. */
static bool read_number(struct wedr_request *rq,
                        const json_t *body,
                        const char *key,
                        int64_t min,
                        int64_t max,
                        int64_t *v)
{
    return !json_object_get(body, key) || wedr_admin_number(rq, body, key, min, max, min, v);
}

static bool read_settings(struct wedr_request *rq, const json_t *body, struct wedr_settings *v)
{
    int64_t hours = (int64_t)v->session_hours, idle = (int64_t)v->session_idle_minutes;
    const json_t *totp = json_object_get(body, "require_totp");
    if (json_object_size(body) == 0) {
        wedr_answer_problem(rq, 400, "nothing is to be changed");
        return false;
    }
    if (totp && !json_is_boolean(totp)) {
        wedr_answer_problem(rq, 400, "\"require_totp\" is true or false");
        return false;
    }
    if (!read_number(rq, body, "retention_days", 0, 36500, &v->retention_days) ||
        !read_number(rq, body, "retention_bytes", 0, TWO_53, &v->retention_bytes) ||
        !read_number(rq, body, "session_hours", 1, 720, &hours) ||
        !read_number(rq, body, "session_idle_minutes", 1, 10080, &idle)) {
        return false;
    }
    v->session_hours = (uint64_t)hours;
    v->session_idle_minutes = (uint64_t)idle;
    v->require_totp = totp ? json_is_true(totp) : v->require_totp;
    return true;
}

static void run_change_settings(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_settings v;
    uint64_t version = 0;
    char detail[256] = "";
    json_t *body = NULL;
    int err = s->d.state_ops->people->settings_get(s->d.state, &v);
    if (err != WEDR_OK) {
        wedr_admin_answer_error(rq, err);
        return;
    }
    if (wedr_admin_if_match(rq, &version)) {
        body = wedr_admin_body(rq, "retention_days retention_bytes session_hours "
                                   "session_idle_minutes require_totp");
    }
    if (body && read_settings(rq, body, &v)) {
        (void)json_dumpb(body, detail, sizeof(detail) - 1, JSON_COMPACT);
        struct wedr_audit who = wedr_admin_who(rq, "settings.change", "", detail);
        v.version = version;
        err = s->d.state_ops->people->settings_put(s->d.state, &v, &who);
        if (err == WEDR_OK) {
            err = wedr_admin_reload_settings(s);
        }
        if (err == WEDR_OK) {
            v = wedr_admin_settings(s);
            answer_settings(rq, &v);
        } else {
            wedr_admin_answer_error(rq, err);
        }
    }
    json_decref(body);
}

#define ROUTE(m, p, body, q, r, op)                                                                \
    {                                                                                              \
        .method = (m), .pattern = "/api/v1/" p, .auth = WEDR_ROUTE_PERSON,                         \
        .lane = WEDR_RUN_CONTROL, .body_max = (body), .run = (r), .query = (q), .operation = (op), \
        .need = WEDR_NEED_ADMIN                                                                    \
    }

const struct wedr_route wedr_manage_routes[] = {
    ROUTE("GET", "audit", 0, "limit cursor from to actor action", run_audit, "listAudit"),
    ROUTE("GET", "settings", 0, NULL, run_get_settings, "getSettings"),
    ROUTE("PATCH", "settings", WEDR_ADMIN_BODY_MAX, NULL, run_change_settings, "changeSettings"),
};
const size_t wedr_manage_route_count = WEDR_ARRAY_COUNT(wedr_manage_routes);
