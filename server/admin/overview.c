/* SPDX-License-Identifier: Apache-2.0
 *
 * The state of everything that the asker sees, in one answer: a page that is open all day asks this
 * often, so each part is one question that the stores answer from sums. */
#include "admin/data.h"
#include "admin/people.h"
#include "core/base/err.h"
#include "core/util/log.h"
#include "wedr/plat/time.h"
#include <string.h>

#define HOUR_US 3600000000LL
#define HOURS 24
#define WEEK_US (168 * HOUR_US)

static void put_i64(struct wedr_out *o, const char *key, uint64_t v)
{
    wedr_out_put_i64(o, key, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

static int put_endpoints(struct wedr_server *s, const struct wedr_scope *scope, struct wedr_out *o)
{
    struct wedr_endpoint_counts c;
    int64_t since = wedr_time_utc_us() - (int64_t)s->d.cfg->checkin_interval_s * 2500000;
    int err = s->d.state_ops->triage->endpoint_counts(s->d.state, scope, since, &c);
    if (err != WEDR_OK) {
        return err;
    }
    wedr_out_key(o, "endpoints");
    wedr_out_obj_begin(o);
    put_i64(o, "total",
            c.by_status[WEDR_ENDPOINT_ONLINE] + c.by_status[WEDR_ENDPOINT_DEGRADED] +
                c.by_status[WEDR_ENDPOINT_OFFLINE] + c.by_status[WEDR_ENDPOINT_NEVER]);
    put_i64(o, "online", c.by_status[WEDR_ENDPOINT_ONLINE]);
    put_i64(o, "offline", c.by_status[WEDR_ENDPOINT_OFFLINE] + c.by_status[WEDR_ENDPOINT_NEVER]);
    put_i64(o, "degraded", c.by_status[WEDR_ENDPOINT_DEGRADED]);
    wedr_out_obj_end(o);
    return WEDR_OK;
}

static int put_severity(void *arg, const struct wedr_query_value *v, size_t count)
{
    static const char *const known[] = {"informational", "low", "medium", "high", "critical"};
    char severity[32];
    struct wedr_out *o = arg;
    if (count == 2) {
        wedr_value_text(&v[0], severity, sizeof(severity));
        for (size_t i = 0; i < WEDR_ARRAY_COUNT(known); i++) {
            if (strcmp(known[i], severity) == 0) {
                wedr_out_put_i64(o, known[i], v[1].i);
            }
        }
    }
    return WEDR_OK;
}

static int put_rule(void *arg, const struct wedr_query_value *v, size_t count)
{
    static const char *const names[] = {"rule_id", "rule_title", "severity", "alerts"};
    struct wedr_out *o = arg;
    wedr_out_obj_begin(o);
    for (size_t i = 0; i < count && i < WEDR_ARRAY_COUNT(names); i++) {
        wedr_out_key(o, names[i]);
        wedr_value_out(o, &v[i]);
    }
    wedr_out_obj_end(o);
    return WEDR_OK;
}

struct hours {
    int64_t first;
    int64_t count[HOURS + 1];
};

static int add_hour(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct hours *h = arg;
    int64_t i = count == 2 ? (v[0].i - h->first) / HOUR_US : -1;
    if (i >= 0 && i <= HOURS) {
        h->count[i] += v[1].i;
    }
    return WEDR_OK;
}

static int take_number(void *arg, const struct wedr_query_value *v, size_t count)
{
    *(int64_t *)arg = count == 1 && v[0].type == WEDR_QUERY_INT ? v[0].i : 0;
    return WEDR_OK;
}

struct ask {
    struct wedr_server *s;
    const struct wedr_query_scope *scope;
    struct wedr_query_value from;
};

static int query(const struct ask *a,
                 const char *sql,
                 int (*row)(void *arg, const struct wedr_query_value *v, size_t count),
                 void *arg)
{
    struct wedr_errinfo ei = {""};
    struct wedr_rows q = {.sql = sql,
                          .params = &a->from,
                          .param_count = strstr(sql, "?1") ? 1 : 0,
                          .scope = a->scope,
                          .row = row,
                          .arg = arg};
    int err = wedr_data_query(a->s, &q, &ei);
    if (err != WEDR_OK) {
        wedr_log(ERROR, "overview.failed", WEDR_ERR(err), WEDR_STR("why", ei.text));
    }
    return err;
}

static int put_alerts(struct ask *a, struct wedr_out *o)
{
    wedr_out_key(o, "alerts");
    wedr_out_obj_begin(o);
    wedr_out_key(o, "open");
    wedr_out_obj_begin(o);
    int err =
        query(a, "SELECT severity, count(*) FROM alerts WHERE state<>'closed' GROUP BY severity",
              put_severity, o);
    wedr_out_obj_end(o);
    wedr_out_obj_end(o);
    wedr_out_key(o, "top_rules");
    wedr_out_arr_begin(o);
    a->from.i = wedr_time_utc_us() - WEEK_US;
    if (err == WEDR_OK) {
        err = query(a,
                    /* title and severity are those of the newest alert */
                    "SELECT rule_id, rule_title, severity, count(*), max(ts) FROM alerts WHERE"
                    " ts>=?1 GROUP BY rule_id ORDER BY 4 DESC, 1 LIMIT 10",
                    put_rule, o);
    }
    wedr_out_arr_end(o);
    return err;
}

/* Reports count from the begin of their stream: what rose behind ?1. A hostile one cannot make the
 * sum overflow. */
static const char reported_losses[] =
    "SELECT coalesce(sum(rose),0) FROM (SELECT max(0, max(iif(received_at>=?1,n,0))-"
    "max(iif(received_at<?1,n,0))) AS rose FROM (SELECT agent_id, received_at,"
    " json_extract(raw,'$.raw.epoch') AS epoch, json_extract(raw,'$.raw.stream') AS stream,"
    " json_extract(raw,'$.raw.reason') AS reason,"
    " min(coalesce(CAST(json_extract(raw,'$.raw.lost') AS INTEGER),0),1000000000000) AS n"
    " FROM events WHERE event_type='telemetry_loss') GROUP BY agent_id,epoch,stream,reason)";

static int put_events(struct ask *a, struct wedr_out *o)
{
    struct hours h = {.count = {0}};
    int64_t lost = 0;
    a->from.i = h.first = (wedr_time_utc_us() / HOUR_US - HOURS) * HOUR_US;
    int err =
        query(a, "SELECT hour, sum(count) FROM event_counts(3600, ?1) GROUP BY hour", add_hour, &h);
    if (err == WEDR_OK) {
        a->from.i = wedr_time_utc_us() - HOURS * HOUR_US;
        err = query(a, reported_losses, take_number, &lost);
    }
    wedr_out_key(o, "events_24h");
    wedr_out_arr_begin(o);
    for (int64_t i = 0; i <= HOURS; i++) {
        wedr_out_obj_begin(o);
        wedr_out_put_time(o, "ts", h.first + i * HOUR_US);
        wedr_out_put_i64(o, "count", h.count[i]);
        wedr_out_obj_end(o);
    }
    wedr_out_arr_end(o);
    wedr_out_put_i64(o, "losses_24h", lost);
    return err;
}

/* Size and age are the server's own, the same for everybody; how many events there are is not. */
static int put_store(struct ask *a, struct wedr_out *o)
{
    struct wedr_events_stats st;
    int64_t stored = 0;
    a->s->d.events_ops->stats(a->s->d.events, &st);
    int err =
        query(a, "SELECT coalesce(sum(count),0) FROM event_counts(31622400)", take_number, &stored);
    wedr_out_key(o, "store");
    wedr_out_obj_begin(o);
    put_i64(o, "bytes", st.bytes);
    wedr_out_put_time(o, "oldest", st.oldest_us);
    wedr_out_put_i64(o, "events", stored);
    wedr_out_obj_end(o);
    return err;
}

static void run_overview(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_asker who;
    struct wedr_seen seen;
    struct wedr_out o;
    wedr_asker_of(rq->person, &who);
    int err = wedr_seen_load(s, &who.scope, &seen);
    if (err != WEDR_OK) {
        wedr_admin_answer_error(rq, err);
        return;
    }
    struct ask a = {.s = s, .scope = seen.scope, .from = {.type = WEDR_QUERY_INT, .i = 1}};
    wedr_out_init(&o, &rq->answer);
    wedr_out_obj_begin(&o);
    err = put_endpoints(s, &who.scope, &o);
    err = err == WEDR_OK ? put_alerts(&a, &o) : err;
    err = err == WEDR_OK ? put_events(&a, &o) : err;
    err = err == WEDR_OK ? put_store(&a, &o) : err;
    wedr_out_put_text(&o, "version", WEDR_SERVER_VERSION);
    wedr_out_obj_end(&o);
    wedr_out_fini(&o);
    wedr_seen_fini(&seen);
    if (err == WEDR_OK) {
        wedr_answer_json(rq, 200);
    } else {
        wedr_admin_answer_error(rq, err);
    }
}

const struct wedr_route wedr_overview_routes[] = {
    {.method = "GET",
     .pattern = "/api/v1/overview",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_overview,
     .operation = "getOverview",
     .need = WEDR_NEED_READ},
};
const size_t wedr_overview_route_count = WEDR_ARRAY_COUNT(wedr_overview_routes);
