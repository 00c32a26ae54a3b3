/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/events_columns.h"
#include "admin/events_page.h"
#include "admin/events_sql.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/time.h"
#include <stdio.h>
#include <string.h>

#define LIST "events"
#define BUCKETS_MAX 120
#define DAY_US INT64_C(86400000000)
#define TYPE_MAX 64u
#define COUNTS_MAX 20000u /* buckets times types */

static void run_list(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_asker who;
    struct wedr_seen seen;
    struct wedr_page_ask ask = {.oldest_first = false};
    if (!wedr_admin_limit(rq, &ask.limit) || !wedr_page_place(rq, LIST, &ask) ||
        !(ask.filter = wedr_page_filter(rq))) {
        return;
    }
    wedr_asker_of(rq->person, &who);
    int err = wedr_seen_load(s, &who.scope, &seen);
    if (err == WEDR_OK) {
        ask.scope = seen.scope;
        wedr_page_answer(s, rq, &ask, LIST);
        wedr_seen_fini(&seen);
    } else {
        wedr_admin_answer_error(rq, err);
    }
    wedr_filter_free(ask.filter);
}

static void run_get(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_asker who;
    struct wedr_seen seen;
    struct wedr_event_id id;
    if (!wedr_event_id_parse(wedr_request_param(rq, "id"), &id)) {
        wedr_admin_answer_error(rq, WEDR_E_NOENT);
        return;
    }
    wedr_asker_of(rq->person, &who);
    int err = wedr_seen_load(s, &who.scope, &seen);
    if (err == WEDR_OK) {
        wedr_event_answer(s, rq, &id, seen.scope);
        wedr_seen_fini(&seen);
    } else {
        wedr_admin_answer_error(rq, err);
    }
}

static void run_columns(void *arg, struct wedr_request *rq)
{
    struct wedr_out o;
    (void)arg;
    wedr_out_init(&o, &rq->answer);
    wedr_events_columns_write(&o);
    wedr_answer_json(rq, 200);
}

/* --- Histogram. */

struct count {
    int64_t bucket;
    char type[TYPE_MAX];
    int64_t n;
};

struct histogram {
    struct count *v;
    size_t count;
    int64_t interval_s;
};

static int take_count(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct histogram *h = arg;
    if (count != 3 || h->count == COUNTS_MAX) {
        return WEDR_E_FULL;
    }
    struct count *c = &h->v[h->count++];
    c->bucket = v[0].i;
    wedr_value_text(&v[1], c->type, sizeof(c->type));
    c->n = v[2].i;
    return WEDR_OK;
}

/* The shortest of these that needs at most BUCKETS_MAX. */
static int64_t interval_for(int64_t from_us, int64_t to_us)
{
    static const int64_t steps[] = {1,    5,    10,    30,    60,    300,   600,    900,    1800,
                                    3600, 7200, 10800, 21600, 43200, 86400, 604800, 2592000};
    int64_t span_s = (to_us - from_us) / 1000000;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(steps); i++) {
        if (span_s / steps[i] <= BUCKETS_MAX) {
            return steps[i];
        }
    }
    return 31536000;
}

/* Rows come sorted by bucket. */
static void write_histogram(struct wedr_out *o, const struct histogram *h)
{
    wedr_out_obj_begin(o);
    wedr_out_put_i64(o, "interval_s", h->interval_s);
    wedr_out_key(o, "buckets");
    wedr_out_arr_begin(o);
    for (size_t i = 0; i < h->count;) {
        int64_t bucket = h->v[i].bucket, n = 0;
        size_t end = i;
        for (; end < h->count && h->v[end].bucket == bucket; end++) {
            n += h->v[end].n;
        }
        wedr_out_obj_begin(o);
        wedr_out_put_time(o, "ts", bucket * h->interval_s * 1000000);
        wedr_out_put_i64(o, "count", n);
        wedr_out_key(o, "by_type");
        wedr_out_obj_begin(o);
        for (; i < end; i++) {
            wedr_out_put_i64(o, h->v[i].type, h->v[i].n);
        }
        wedr_out_obj_end(o);
        wedr_out_obj_end(o);
    }
    wedr_out_arr_end(o);
    wedr_out_obj_end(o);
}

/* Without a time the last day is meant. counted: conditions without times, over event_counts, which
 * opens no lines; else over events. */
static int
histogram_sql(struct wedr_filter *f, struct wedr_filter *counted, struct histogram *h, char **ret)
{
    static const char counts[] = "SELECT hour/?%zu AS b,event_type,sum(count) FROM "
                                 "event_counts(?%zu,?%zu,?%zu) WHERE 1%s"
                                 " GROUP BY b,event_type ORDER BY b,event_type";
    static const char lines[] = "SELECT ts/?%zu AS b,event_type,count(*) FROM events WHERE 1%s"
                                " GROUP BY b,event_type ORDER BY b,event_type";
    int64_t to = f->to_us ? f->to_us : wedr_time_utc_us();
    int64_t from = f->from_us ? f->from_us : to - DAY_US;
    struct wedr_filter *g = counted ? counted : f;
    int err = counted || f->from_us ? WEDR_OK : wedr_filter_number(f, " AND ts>=", from);
    if (err != WEDR_OK || g->count + 4 > WEDR_FILTER_VALUES_MAX) {
        return WEDR_E_LIMIT;
    }
    h->interval_s = interval_for(from, to > from ? to : from);
    const int64_t values[] = {h->interval_s * 1000000, h->interval_s, from,
                              f->to_us ? f->to_us - 1 : INT64_MAX};
    size_t cap = sizeof(counts) + g->len + 96, n = g->count;
    *ret = wedr_alloc(1, cap);
    if (!*ret) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; i < (counted ? 4u : 1u); i++) {
        g->value[g->count++] = (struct wedr_query_value){.type = WEDR_QUERY_INT, .i = values[i]};
    }
    if (counted) {
        (void)snprintf(*ret, cap, counts, n + 1, n + 2, n + 3, n + 4, g->text);
    } else {
        (void)snprintf(*ret, cap, lines, n + 1, g->text);
    }
    return WEDR_OK;
}

static void answer_histogram(struct wedr_server *s,
                             struct wedr_request *rq,
                             struct wedr_filter *f,
                             struct wedr_filter *counted,
                             const struct wedr_query_scope *scope)
{
    const struct wedr_filter *used = counted ? counted : f;
    struct histogram h = {.v = wedr_alloc(COUNTS_MAX, sizeof(*h.v))};
    struct wedr_out o;
    char *sql = NULL;
    int err = h.v ? histogram_sql(f, counted, &h, &sql) : WEDR_E_NOMEM;
    if (err != WEDR_OK) {
        wedr_admin_answer_error(rq, err);
    } else {
        struct wedr_rows q = {.sql = sql,
                              .params = used->value,
                              .param_count = used->count,
                              .scope = scope,
                              .row = take_count,
                              .arg = &h};
        if (wedr_data_rows(s, rq, &q)) {
            wedr_out_init(&o, &rq->answer);
            write_histogram(&o, &h);
            wedr_answer_json(rq, 200);
        }
    }
    wedr_free(sql);
    wedr_free(h.v);
}

/* The conditions but those on time; NULL when lines must be looked at, or out of memory. */
static struct wedr_filter *counted_filter(const struct wedr_request *rq,
                                          const struct wedr_filter *f)
{
    struct wedr_errinfo ei = {""};
    struct wedr_filter *g = f->only_counted ? wedr_filter_new() : NULL;
    int err = WEDR_OK;
    for (size_t i = 0; g && err == WEDR_OK && i < rq->query.count; i++) {
        const char *name = rq->query.item[i].name;
        if (strcmp(name, "from") != 0 && strcmp(name, "to") != 0) {
            err = wedr_filter_add(g, name, rq->query.item[i].value, &ei);
        }
    }
    if (err != WEDR_OK) {
        wedr_filter_free(g);
        g = NULL;
    }
    return g;
}

static void run_histogram(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_asker who;
    struct wedr_seen seen;
    struct wedr_filter *f = wedr_page_filter(rq);
    if (!f) {
        return;
    }
    wedr_asker_of(rq->person, &who);
    int err = wedr_seen_load(s, &who.scope, &seen);
    if (err == WEDR_OK) {
        struct wedr_filter *counted = counted_filter(rq, f);
        answer_histogram(s, rq, f, counted, seen.scope);
        wedr_filter_free(counted);
        wedr_seen_fini(&seen);
    } else {
        wedr_admin_answer_error(rq, err);
    }
    wedr_filter_free(f);
}

#define EVENTS "/api/v1/events"

const struct wedr_route wedr_event_routes[] = {
    {.method = "GET",
     .pattern = EVENTS,
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_list,
     .query = "limit cursor",
     .query_also = wedr_filter_knows,
     .operation = "listEvents",
     .need = WEDR_NEED_READ},
    {.method = "GET",
     .pattern = EVENTS "/histogram",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_histogram,
     .query_also = wedr_filter_knows,
     .operation = "getEventHistogram",
     .need = WEDR_NEED_READ},
    {.method = "GET",
     .pattern = EVENTS "/columns",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_CONTROL,
     .run = run_columns,
     .operation = "listEventColumns",
     .need = WEDR_NEED_READ},
    {.method = "POST",
     .pattern = EVENTS "/sql",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .body_max = WEDR_SQL_BODY_MAX,
     .run = wedr_events_sql,
     .operation = "querySql",
     .need = WEDR_NEED_TRIAGE},
    {.method = "GET",
     .pattern = EVENTS "/{id}",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_get,
     .operation = "getEvent",
     .need = WEDR_NEED_READ},
};
const size_t wedr_event_route_count = WEDR_ARRAY_COUNT(wedr_event_routes);
