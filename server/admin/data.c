/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/data.h"
#include "admin/events_id.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGENTS_MAX 1000000u

void wedr_asker_of(const struct wedr_person *p, struct wedr_asker *ret)
{
    ret->scope = (struct wedr_scope){NULL, 0};
    if (!p->groups) {
        return;
    }
    ret->scope.groups = ret->groups;
    for (const char *g = p->groups; *g && ret->scope.count < WEDR_SCOPE_GROUPS_MAX;
         g += strlen(g) + 1) {
        ret->groups[ret->scope.count++] = g;
    }
}

static int add_agent(void *ctx, const char *agent_id)
{
    struct wedr_seen *v = ctx;
    if (v->count == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 64;
        void *p = cap <= AGENTS_MAX ? wedr_realloc(v->ids, cap, sizeof(*v->ids)) : NULL;
        if (!p) {
            return WEDR_E_NOMEM;
        }
        v->ids = p;
        v->cap = cap;
    }
    (void)snprintf(v->ids[v->count++], sizeof(*v->ids), "%s", agent_id);
    return 0;
}

int wedr_seen_load(struct wedr_server *s, const struct wedr_scope *scope, struct wedr_seen *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (!scope->groups) {
        return WEDR_OK;
    }
    int err = s->d.state_ops->triage->scope_agents(s->d.state, scope, add_agent, ret);
    if (err == WEDR_OK) {
        ret->names = wedr_alloc(ret->count + 1, sizeof(*ret->names));
        err = ret->names ? WEDR_OK : WEDR_E_NOMEM;
    }
    if (err != WEDR_OK) {
        wedr_seen_fini(ret);
        return err;
    }
    for (size_t i = 0; i < ret->count; i++) {
        ret->names[i] = ret->ids[i];
    }
    ret->list = (struct wedr_query_scope){ret->names, ret->count};
    ret->scope = &ret->list;
    return WEDR_OK;
}

void wedr_seen_fini(struct wedr_seen *v)
{
    wedr_free(v->ids);
    wedr_free(v->names);
    memset(v, 0, sizeof(*v));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool wedr_seen_has(const struct wedr_seen *v, const char *agent_id)
{
    return !v->scope || (v->count && bsearch(&agent_id, v->names, v->count, sizeof(*v->names),
                                             compare_names) != NULL);
}

bool wedr_data_endpoint(struct wedr_server *s, struct wedr_request *rq, const char *agent_id)
{
    struct wedr_asker who;
    bool in = false;
    wedr_asker_of(rq->person, &who);
    int err = wedr_route_is_uuid(agent_id, strlen(agent_id))
                  ? s->d.state_ops->triage->in_scope(s->d.state, &who.scope, agent_id, &in)
                  : WEDR_E_NOENT;
    err = err == WEDR_OK && !in ? WEDR_E_NOENT : err;
    if (err != WEDR_OK) {
        wedr_admin_answer_error(rq, err);
    }
    return err == WEDR_OK;
}

bool wedr_data_words(
    const char *list, char *copy, size_t cap, const char **words, size_t max, size_t *ret_count)
{
    size_t n = strlen(list), count = 0;
    if (n >= cap) {
        return false;
    }
    memcpy(copy, list, n + 1);
    for (char *p = copy;;) {
        size_t len = strcspn(p, ",");
        bool last = p[len] == '\0';
        if (len == 0 || count == max) {
            return false;
        }
        p[len] = '\0';
        words[count++] = p;
        if (last) {
            break;
        }
        p += len + 1;
    }
    *ret_count = count;
    return true;
}

int wedr_data_query(struct wedr_server *s, struct wedr_rows *q, struct wedr_errinfo *ei)
{
    struct wedr_query query = {.data_dir = s->d.data_dir,
                               .sql = q->sql,
                               .params = q->params,
                               .param_count = q->param_count,
                               .scope = q->scope,
                               .time_limit_ms = (uint32_t)s->d.cfg->sql_time_limit_ms,
                               .rows_max = q->rows_max,
                               .bytes_max = q->bytes_max,
                               .columns = q->columns,
                               .row = q->row,
                               .arg = q->arg};
    memset(&q->result, 0, sizeof(q->result));
    q->result.error_position = -1;
    return wedr_query_run(&query, &q->result, ei);
}

void wedr_data_query_failed(struct wedr_request *rq,
                            const struct wedr_rows *q,
                            int err,
                            const struct wedr_errinfo *ei)
{
    (void)q;
    switch (err) {
    case WEDR_E_TIMEOUT:
        wedr_answer_problem(rq, 408,
                            "the query took longer than it may: ask for less time or fewer "
                            "endpoints");
        return;
    case WEDR_E_BUSY:
        wedr_answer_problem(rq, 503, "%s", ei->text);
        return;
    case WEDR_E_LIMIT:
        wedr_answer_problem(rq, 413, "the query needs more memory than it may have");
        return;
    case WEDR_E_INVAL:
    case WEDR_E_PERM:
        wedr_answer_problem(rq, 422, "%s", ei->text);
        return;
    default:
        wedr_admin_answer_error(rq, err);
    }
}

bool wedr_data_rows(struct wedr_server *s, struct wedr_request *rq, struct wedr_rows *q)
{
    struct wedr_errinfo ei = {""};
    int err = wedr_data_query(s, q, &ei);
    if (err == WEDR_OK || err == WEDR_E_FULL) {
        return true;
    }
    wedr_data_query_failed(rq, q, err, &ei);
    return false;
}

void wedr_value_text(const struct wedr_query_value *v, char *ret, size_t cap)
{
    size_t n = v->type == WEDR_QUERY_TEXT ? v->s.len : 0;
    n = n < cap ? n : cap - 1;
    if (n) {
        memcpy(ret, v->s.p, n);
    }
    ret[n] = '\0';
}

void wedr_value_out(struct wedr_out *o, const struct wedr_query_value *v)
{
    switch (v->type) {
    case WEDR_QUERY_INT:
        wedr_out_safe_i64(o, v->i);
        break;
    case WEDR_QUERY_REAL:
        wedr_out_real(o, v->r);
        break;
    case WEDR_QUERY_TEXT:
        wedr_out_bytes(o, v->s.len ? (const void *)v->s.p : "", v->s.len);
        break;
    case WEDR_QUERY_BLOB:
        wedr_out_hex(o, v->s.len ? (const void *)v->s.p : "", v->s.len);
        break;
    default:
        wedr_out_null(o);
        break;
    }
}

void wedr_event_out(struct wedr_out *o,
                    const char *event_id,
                    const char *agent_id,
                    const char *hostname,
                    int64_t received_us,
                    const char *line,
                    size_t len)
{
    wedr_out_obj_begin(o);
    wedr_out_put_text(o, "_id", event_id);
    wedr_out_put_text(o, "_endpoint_id", agent_id);
    if (hostname) {
        wedr_out_put_text(o, "_hostname", hostname);
    }
    if (received_us) {
        wedr_out_put_time(o, "_received", received_us);
    }
    while (line && len && (line[len - 1] == ' ' || line[len - 1] == '\r')) {
        len--;
    }
    if (line && !wedr_out_members(o, line, len)) {
        wedr_out_put_bool(o, "_damaged", true);
    }
    wedr_out_obj_end(o);
}
