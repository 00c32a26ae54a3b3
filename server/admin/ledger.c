/* SPDX-License-Identifier: Apache-2.0
 *
 * What was produced, stored and lost: the tables ledger, ledger_loss and coverage_gaps as lists. */
#include "admin/data.h"
#include "admin/events_id.h"
#include "core/base/err.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEDGER_LIST "ledger"
#define GAPS_LIST "gaps"

#define LEDGER_SQL                                                                               \
    "SELECT agent_id,hostname,epoch,boot_id,stream,state,unknown_since,produced,stored,expired," \
    "lost,missing,in_flight,(SELECT json_group_array(json_object('reason',x.reason,'lost',"      \
    "x.lost)) FROM ledger_loss x WHERE x.agent_id=l.agent_id AND x.epoch=l.epoch AND "           \
    "x.stream=l.stream) FROM ledger l WHERE (?1 IS NULL OR agent_id=?1) AND (?2 IS NULL OR "     \
    "(agent_id,epoch,stream)>(?2,?3,?4)) ORDER BY agent_id,epoch,stream LIMIT ?5"

#define GAPS_SQL                                                                              \
    "SELECT agent_id,hostname,stream,from_ts,to_ts,reason FROM coverage_gaps WHERE (?1 IS "   \
    "NULL OR agent_id=?1) AND (?2 IS NULL OR from_ts<?2 OR (from_ts=?2 AND (agent_id,stream," \
    "coalesce(to_ts,0),reason)>(?3,?4,?5,?6))) ORDER BY from_ts DESC,agent_id,stream,"        \
    "coalesce(to_ts,0),reason LIMIT ?7"

struct list {
    struct wedr_out out;
    uint32_t limit, count;
    bool more;
    /* Of the last row, for the cursor. */
    char agent[WEDR_AGENT_ID_TEXT], epoch[17], stream[WEDR_STREAM_NAME_MAX], reason[64];
    int64_t from, to;
};

static void put_value(struct wedr_out *o, const char *key, const struct wedr_query_value *v)
{
    wedr_out_key(o, key);
    wedr_value_out(o, v);
}

static void put_time(struct wedr_out *o, const char *key, const struct wedr_query_value *v)
{
    wedr_out_put_time(o, key, v->type == WEDR_QUERY_INT ? v->i : 0);
}

static int put_ledger(void *arg, const struct wedr_query_value *v, size_t count)
{
    static const char *const numbers[] = {"produced", "stored",  "expired",
                                          "lost",     "missing", "in_flight"};
    struct list *l = arg;
    if (count != 14 || l->count == l->limit) {
        l->more = true;
        return WEDR_E_FULL;
    }
    l->count++;
    wedr_value_text(&v[0], l->agent, sizeof(l->agent));
    wedr_value_text(&v[2], l->epoch, sizeof(l->epoch));
    wedr_value_text(&v[4], l->stream, sizeof(l->stream));
    wedr_out_obj_begin(&l->out);
    put_value(&l->out, "endpoint_id", &v[0]);
    put_value(&l->out, "hostname", &v[1]);
    put_value(&l->out, "epoch", &v[2]);
    put_value(&l->out, "boot_id", &v[3]);
    put_value(&l->out, "stream", &v[4]);
    put_value(&l->out, "state", &v[5]);
    put_time(&l->out, "unknown_since", &v[6]);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(numbers); i++) {
        wedr_out_put_i64(&l->out, numbers[i], v[7 + i].type == WEDR_QUERY_INT ? v[7 + i].i : 0);
    }
    wedr_out_key(&l->out, "losses");
    (void)wedr_out_stored(&l->out, (const char *)v[13].s.p, v[13].s.len);
    wedr_out_obj_end(&l->out);
    return WEDR_OK;
}

static int put_gap(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct list *l = arg;
    if (count != 6 || l->count == l->limit) {
        l->more = true;
        return WEDR_E_FULL;
    }
    l->count++;
    wedr_value_text(&v[0], l->agent, sizeof(l->agent));
    wedr_value_text(&v[2], l->stream, sizeof(l->stream));
    wedr_value_text(&v[5], l->reason, sizeof(l->reason));
    l->from = v[3].i;
    l->to = v[4].type == WEDR_QUERY_INT ? v[4].i : 0;
    wedr_out_obj_begin(&l->out);
    put_value(&l->out, "endpoint_id", &v[0]);
    put_value(&l->out, "hostname", &v[1]);
    put_value(&l->out, "stream", &v[2]);
    put_time(&l->out, "from", &v[3]);
    put_time(&l->out, "to", &v[4]);
    put_value(&l->out, "reason", &v[5]);
    wedr_out_obj_end(&l->out);
    return WEDR_OK;
}

static struct wedr_query_value text(const char *s)
{
    return (struct wedr_query_value){.type = s ? WEDR_QUERY_TEXT : WEDR_QUERY_NULL,
                                     .s = wedr_span(s, s ? strlen(s) : 0)};
}

static struct wedr_query_value number(int64_t i)
{
    return (struct wedr_query_value){.type = WEDR_QUERY_INT, .i = i};
}

static bool ledger_next(const struct list *l, char ret[WEDR_CURSOR_TEXT_MAX])
{
    const char *fields[] = {l->agent, l->epoch, l->stream};
    return wedr_cursor_make(LEDGER_LIST, fields, 3, ret);
}

static bool gap_next(const struct list *l, char ret[WEDR_CURSOR_TEXT_MAX])
{
    char from[24], to[24];
    const char *fields[] = {from, l->agent, l->stream, to, l->reason};
    (void)snprintf(from, sizeof(from), "%" PRId64, l->from);
    (void)snprintf(to, sizeof(to), "%" PRId64, l->to);
    return wedr_cursor_make(GAPS_LIST, fields, 5, ret);
}

/* Runs q and answers with the rows as a list, of one endpoint or of all that the person may see. */
static void answer(struct wedr_server *s,
                   struct wedr_request *rq,
                   const char *agent_id,
                   struct wedr_rows *q,
                   struct list *l,
                   bool (*make_next)(const struct list *l, char ret[WEDR_CURSOR_TEXT_MAX]))
{
    char next[WEDR_CURSOR_TEXT_MAX];
    struct wedr_asker who;
    struct wedr_seen seen;
    wedr_asker_of(rq->person, &who);
    int err = wedr_seen_load(s, &who.scope, &seen);
    if (err != WEDR_OK) {
        wedr_admin_answer_error(rq, err);
        return;
    }
    struct wedr_query_scope one = {&agent_id, agent_id && wedr_seen_has(&seen, agent_id) ? 1 : 0};
    q->scope = agent_id ? &one : seen.scope; /* the ledger is computed for its scope */
    q->arg = l;
    wedr_out_init(&l->out, &rq->answer);
    wedr_out_obj_begin(&l->out);
    wedr_out_key(&l->out, "items");
    wedr_out_arr_begin(&l->out);
    if (wedr_data_rows(s, rq, q)) {
        wedr_out_arr_end(&l->out);
        bool more = l->more && make_next(l, next);
        wedr_out_put_text(&l->out, "next", more ? next : NULL);
        wedr_out_obj_end(&l->out);
        wedr_answer_json(rq, 200);
    }
    wedr_out_fini(&l->out);
    wedr_seen_fini(&seen);
}

static bool refuse_cursor(struct wedr_request *rq)
{
    wedr_answer_problem(rq, 400, "\"cursor\" is not one of this list");
    return false;
}

static void answer_ledger(struct wedr_server *s, struct wedr_request *rq, const char *agent_id)
{
    struct wedr_cursor c = {.field = {NULL}};
    struct list l = {.count = 0};
    const char *cursor = wedr_request_query(rq, "cursor");
    if (!wedr_admin_limit(rq, &l.limit) ||
        (cursor && !wedr_cursor_read(cursor, LEDGER_LIST, 3, &c) && !refuse_cursor(rq))) {
        return;
    }
    struct wedr_query_value v[] = {text(agent_id), text(c.field[0]), text(c.field[1]),
                                   text(c.field[2]), number((int64_t)l.limit + 1)};
    struct wedr_rows q = {
        .sql = LEDGER_SQL, .params = v, .param_count = WEDR_ARRAY_COUNT(v), .row = put_ledger};
    answer(s, rq, agent_id, &q, &l, ledger_next);
}

static void run_ledger(void *arg, struct wedr_request *rq)
{
    answer_ledger(arg, rq, NULL);
}

static void run_endpoint_ledger(void *arg, struct wedr_request *rq)
{
    const char *id = wedr_request_param(rq, "id");
    if (wedr_data_endpoint(arg, rq, id)) {
        answer_ledger(arg, rq, id);
    }
}

static void run_gaps(void *arg, struct wedr_request *rq)
{
    struct wedr_cursor c = {.field = {NULL}};
    struct list l = {.count = 0};
    const char *cursor = wedr_request_query(rq, "cursor");
    const char *endpoint = wedr_request_query(rq, "endpoint");
    if (!wedr_admin_limit(rq, &l.limit) ||
        (cursor && !wedr_cursor_read(cursor, GAPS_LIST, 5, &c) && !refuse_cursor(rq))) {
        return;
    }
    struct wedr_query_value v[] = {text(endpoint),
                                   cursor ? number(strtoll(c.field[0], NULL, 10)) : text(NULL),
                                   text(c.field[1]),
                                   text(c.field[2]),
                                   cursor ? number(strtoll(c.field[3], NULL, 10)) : text(NULL),
                                   text(c.field[4]),
                                   number((int64_t)l.limit + 1)};
    struct wedr_rows q = {
        .sql = GAPS_SQL, .params = v, .param_count = WEDR_ARRAY_COUNT(v), .row = put_gap};
    answer(arg, rq, endpoint, &q, &l, gap_next);
}

const struct wedr_route wedr_ledger_routes[] = {
    {.method = "GET",
     .pattern = "/api/v1/ledger",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_ledger,
     .query = "limit cursor",
     .operation = "listLedger",
     .need = WEDR_NEED_READ},
    {.method = "GET",
     .pattern = "/api/v1/endpoints/{id}/ledger",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_endpoint_ledger,
     .query = "limit cursor",
     .operation = "getEndpointLedger",
     .need = WEDR_NEED_READ},
    {.method = "GET",
     .pattern = "/api/v1/coverage-gaps",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .run = run_gaps,
     .query = "limit cursor endpoint",
     .operation = "listCoverageGaps",
     .need = WEDR_NEED_READ},
};
const size_t wedr_ledger_route_count = WEDR_ARRAY_COUNT(wedr_ledger_routes);
