/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/export.h"
#include "admin/events_filter.h"
#include "admin/events_id.h"
#include "admin/events_sql.h"
#include "admin/export_csv.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "wedr/plat/thread.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PIECE ((size_t)64 << 10) /* written at once */
#define TEXT_MAX ((size_t)96 << 20)

#define LINES "SELECT agent_id,epoch,stream,seq,hostname,received_at,raw FROM events WHERE 1"
#define CELLS "SELECT * FROM events WHERE 1"

enum format { CSV, ROWS, LINES_OF_EVENTS }; /* ROWS: an object a row */

struct job {
    struct wedr_exports *all;
    size_t slot;
    struct wedr_server *s;
    enum format format;
    char *sql;
    json_t *body;               /* texts of the filter */
    struct wedr_filter *filter; /* NULL: sql is the analyst's */
    struct wedr_seen seen;
    struct wedr_answer_stream *st;
    struct wedr_buf text;
    struct wedr_out out;
    char **names; /* of the columns, for ROWS */
    size_t name_count;
};

struct wedr_exports {
    struct wedr_mutex *lock;
    struct {
        bool busy, ended; /* ended: the thread is to be joined */
        int64_t user_id;
        struct wedr_thread *thread;
    } slot[WEDR_EXPORTS_MAX];
    atomic_bool stop;
};

int wedr_exports_new(struct wedr_exports **ret)
{
    struct wedr_exports *e = wedr_alloc(1, sizeof(*e));
    if (e) {
        e->lock = wedr_mutex_new();
    }
    if (!e || !e->lock) {
        wedr_free(e);
        return WEDR_E_NOMEM;
    }
    *ret = e;
    return WEDR_OK;
}

void wedr_exports_free(struct wedr_exports *e)
{
    if (!e) {
        return;
    }
    atomic_store(&e->stop, true);
    for (size_t i = 0; i < WEDR_EXPORTS_MAX; i++) {
        wedr_thread_join(e->slot[i].thread);
    }
    wedr_mutex_free(e->lock);
    wedr_free(e);
}

static void free_job(struct job *j)
{
    if (!j) {
        return;
    }
    for (size_t i = 0; i < j->name_count; i++) {
        wedr_free(j->names[i]);
    }
    wedr_free(j->names);
    wedr_filter_free(j->filter);
    json_decref(j->body);
    wedr_seen_fini(&j->seen);
    wedr_out_fini(&j->out);
    wedr_buf_fini(&j->text);
    wedr_stream_unref(j->st);
    wedr_free(j->sql);
    wedr_free(j);
}

/* --- Rows. */

static int flush(struct job *j, size_t from)
{
    int err = WEDR_OK;
    if (j->text.overflow) {
        return WEDR_E_LIMIT;
    }
    if (j->text.len >= from && j->text.len) {
        err = wedr_stream_write(j->st, j->text.p, j->text.len, WEDR_EXPORT_STALL_MS);
        wedr_buf_truncate(&j->text, 0);
    }
    return err;
}

static int put_columns(void *arg, const char *const *names, size_t count)
{
    struct job *j = arg;
    if (j->format == ROWS) {
        j->names = wedr_alloc(count + 1, sizeof(*j->names));
        for (size_t i = 0; j->names && i < count; i++) {
            const char *name = names[i] ? names[i] : "";
            j->names[i] = wedr_strndup(name, strlen(name));
            j->name_count += j->names[i] != NULL;
        }
        return j->names && j->name_count == count ? WEDR_OK : WEDR_E_NOMEM;
    }
    for (size_t i = 0; j->format == CSV && i < count; i++) {
        const char *name = names[i] ? names[i] : "";
        wedr_csv_cell(&j->text, name, strlen(name), i == 0, false);
    }
    if (j->format == CSV) {
        wedr_csv_end_row(&j->text);
    }
    return WEDR_OK;
}

static void put_cell(struct job *j, const struct wedr_query_value *v, bool first)
{
    static const char digits[] = "0123456789abcdef";
    char text[64];
    int n = 0;
    switch (v->type) {
    case WEDR_QUERY_INT:
        n = snprintf(text, sizeof(text), "%" PRId64, v->i);
        wedr_csv_cell(&j->text, text, (size_t)n, first, true);
        return;
    case WEDR_QUERY_REAL:
        n = snprintf(text, sizeof(text), "%.17g", v->r);
        wedr_csv_cell(&j->text, text, (size_t)n, first, true);
        return;
    case WEDR_QUERY_TEXT:
        wedr_csv_cell(&j->text, v->s.p, v->s.len, first, false);
        return;
    case WEDR_QUERY_BLOB:
        wedr_csv_cell(&j->text, "", 0, first, false);
        for (size_t i = 0; i < v->s.len; i++) {
            const uint8_t *p = v->s.p;
            char hex[2] = {digits[p[i] >> 4], digits[p[i] & 15]};
            wedr_buf_add(&j->text, hex, 2);
        }
        return;
    default:
        wedr_csv_cell(&j->text, "", 0, first, false);
        return;
    }
}

static void put_event(struct job *j, const struct wedr_query_value *v)
{
    struct wedr_event_id id = {.seq = v[3].i};
    char text[WEDR_EVENT_ID_MAX], hostname[256];
    wedr_value_text(&v[0], id.agent_id, sizeof(id.agent_id));
    wedr_value_text(&v[1], id.epoch, sizeof(id.epoch));
    wedr_value_text(&v[2], id.stream, sizeof(id.stream));
    wedr_value_text(&v[4], hostname, sizeof(hostname));
    wedr_event_id_text(&id, text);
    const char *line = v[6].type == WEDR_QUERY_TEXT ? (const char *)v[6].s.p : "";
    wedr_event_out(&j->out, text, id.agent_id, hostname, v[5].i, line, v[6].s.len);
}

static int put_row(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct job *j = arg;
    j->out.comma = false;
    if (j->format == CSV) {
        for (size_t i = 0; i < count; i++) {
            put_cell(j, &v[i], i == 0);
        }
        wedr_csv_end_row(&j->text);
        return flush(j, PIECE);
    }
    if (j->format == LINES_OF_EVENTS) {
        put_event(j, v);
    } else {
        wedr_out_obj_begin(&j->out);
        for (size_t i = 0; i < count && i < j->name_count; i++) {
            wedr_out_bytes(&j->out, j->names[i], strlen(j->names[i]));
            wedr_buf_add(&j->text, ":", 1);
            j->out.comma = false;
            wedr_value_out(&j->out, &v[i]);
        }
        wedr_out_obj_end(&j->out);
    }
    wedr_buf_add(&j->text, "\n", 1);
    return flush(j, PIECE);
}

static void run(void *arg)
{
    struct job *j = arg;
    struct wedr_exports *all = j->all;
    struct wedr_errinfo ei = {""};
    struct wedr_query_result result = {0};
    size_t slot = j->slot;
    struct wedr_query q = {.data_dir = j->s->d.data_dir,
                           .sql = j->sql,
                           .params = j->filter ? j->filter->value : NULL,
                           .param_count = j->filter ? j->filter->count : 0,
                           .scope = j->seen.scope,
                           .time_limit_ms = WEDR_EXPORT_TIME_MS,
                           .cancel = &all->stop,
                           .columns = put_columns,
                           .row = put_row,
                           .arg = j};
    int err = wedr_query_run(&q, &result, &ei);
    err = err == WEDR_OK ? flush(j, 0) : err;
    if (err != WEDR_OK && err != WEDR_E_CLOSED) {
        wedr_log(WARN, "export.cut_short", WEDR_ERR(err), WEDR_U64("rows", result.rows));
    }
    wedr_stream_end(j->st, err == WEDR_OK && !result.truncated);
    free_job(j);
    wedr_mutex_lock(all->lock);
    all->slot[slot].ended = true;
    wedr_mutex_unlock(all->lock);
}

/* --- The request. */

/* A free place; those that ended are joined. False: none, or the person has enough. */
static bool take_slot(struct wedr_exports *e, int64_t user_id, size_t *ret)
{
    struct wedr_thread *old = NULL;
    bool found = false;
    unsigned own = 0;
    wedr_mutex_lock(e->lock);
    for (size_t i = 0; i < WEDR_EXPORTS_MAX; i++) {
        own += e->slot[i].busy && !e->slot[i].ended && e->slot[i].user_id == user_id;
    }
    for (size_t i = 0; i < WEDR_EXPORTS_MAX && !found && own < WEDR_EXPORTS_USER_MAX; i++) {
        if (!e->slot[i].busy || e->slot[i].ended) {
            old = e->slot[i].thread;
            e->slot[i].thread = NULL;
            e->slot[i].busy = true;
            e->slot[i].user_id = user_id;
            e->slot[i].ended = false;
            *ret = i;
            found = true;
        }
    }
    wedr_mutex_unlock(e->lock);
    wedr_thread_join(old);
    return found;
}

static void free_slot(struct wedr_exports *e, size_t slot)
{
    wedr_mutex_lock(e->lock);
    e->slot[slot].busy = false;
    wedr_mutex_unlock(e->lock);
}

static bool read_filter(struct wedr_request *rq, struct job *j)
{
    const json_t *filter = json_object_get(j->body, "filter");
    struct wedr_errinfo ei = {""};
    const char *name = NULL;
    json_t *value = NULL;
    if (filter && !json_is_object(filter)) {
        wedr_answer_problem(rq, 400, "\"filter\" must be an object of parameters and texts");
        return false;
    }
    j->filter = wedr_filter_new();
    int err = j->filter ? WEDR_OK : WEDR_E_NOMEM;
    json_object_foreach((json_t *)(uintptr_t)filter, name, value)
    {
        const char *text = json_string_value(value);
        if (err == WEDR_OK && (!text || strlen(text) != json_string_length(value))) {
            err = wedr_fail(&ei, WEDR_E_INVAL, "\"%.64s\" must be a text", name);
        }
        err = err == WEDR_OK ? wedr_filter_add(j->filter, name, text, &ei) : err;
    }
    if (err != WEDR_OK) {
        wedr_answer_problem(rq, err == WEDR_E_NOMEM ? 503 : 400, "%s",
                            ei.text[0] ? ei.text : "too many conditions");
    }
    return err == WEDR_OK;
}

static bool make_sql(struct wedr_request *rq, struct job *j, const char *format)
{
    bool csv = strcmp(format, "csv") == 0;
    const char *sql = NULL;
    j->format = csv ? CSV : ROWS;
    if (json_object_get(j->body, "sql")) {
        if (json_object_get(j->body, "filter")) {
            wedr_answer_problem(rq, 400, "either \"sql\" or \"filter\"");
            return false;
        }
        sql = wedr_sql_text(rq, j->body);
        j->sql = sql ? wedr_strndup(sql, strlen(sql)) : NULL;
    } else if (read_filter(rq, j)) {
        j->format = csv ? CSV : LINES_OF_EVENTS;
        size_t cap = sizeof(LINES) + j->filter->len;
        j->sql = wedr_alloc(1, cap);
        if (j->sql) {
            (void)snprintf(j->sql, cap, "%s%s", csv ? CELLS : LINES, j->filter->text);
        }
    }
    if (!j->sql && rq->status == 0) {
        wedr_admin_answer_error(rq, WEDR_E_NOMEM);
    }
    return j->sql != NULL;
}

static bool no_row(struct wedr_server *s, struct wedr_request *rq, struct job *j);

/* Everything up to the thread; answered when it fails. */
static bool prepare(struct wedr_server *s, struct wedr_request *rq, struct job *j)
{
    struct wedr_asker who;
    j->body = wedr_admin_body(rq, "sql filter format");
    if (!j->body) {
        return false;
    }
    const char *format = json_string_value(json_object_get(j->body, "format"));
    if (!format || (strcmp(format, "csv") != 0 && strcmp(format, "ndjson") != 0)) {
        wedr_answer_problem(rq, 400, "\"format\" must be csv or ndjson");
        return false;
    }
    if (!make_sql(rq, j, format)) {
        return false;
    }
    wedr_asker_of(rq->person, &who);
    int err = wedr_seen_load(s, &who.scope, &j->seen);
    if (err != WEDR_OK) {
        wedr_admin_answer_error(rq, err);
        return false;
    }
    j->seen.scope = j->seen.scope ? &j->seen.list : NULL;
    return no_row(s, rq, j);
}

static int stop_at_once(void *arg, const char *const *names, size_t count)
{
    (void)arg;
    (void)names;
    (void)count;
    return WEDR_E_FULL;
}

/* A mistake in the statement is said before the answer begins. */
static bool no_row(struct wedr_server *s, struct wedr_request *rq, struct job *j)
{
    struct wedr_errinfo ei = {""};
    struct wedr_rows q = {.sql = j->sql,
                          .params = j->filter ? j->filter->value : NULL,
                          .param_count = j->filter ? j->filter->count : 0,
                          .scope = j->seen.scope,
                          .columns = stop_at_once};
    int err = wedr_data_query(s, &q, &ei);
    if (err != WEDR_OK && err != WEDR_E_FULL) {
        wedr_sql_failed(rq, j->sql, &q, err, &ei);
    }
    return err == WEDR_OK || err == WEDR_E_FULL;
}

static void run_export(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_exports *e = s->exports;
    size_t slot = 0;
    struct job *j = wedr_alloc(1, sizeof(*j));
    if (!j || !prepare(s, rq, j)) {
        if (!j) {
            wedr_admin_answer_error(rq, WEDR_E_NOMEM);
        }
        goto refused;
    }
    if (!take_slot(e, rq->person->user_id, &slot)) {
        rq->retry_after_s = 10;
        wedr_answer_problem(rq, 429, "exports are running already: at most %u of a user, %u in all",
                            WEDR_EXPORTS_USER_MAX, WEDR_EXPORTS_MAX);
        goto refused;
    }
    bool csv = j->format == CSV;
    j->all = e;
    j->slot = slot;
    j->s = s;
    wedr_buf_init(&j->text, TEXT_MAX);
    wedr_out_init(&j->out, &j->text);
    wedr_answer_header(rq, "Content-Disposition", "attachment; filename=\"events.%s\"",
                       csv ? "csv" : "ndjson");
    j->st = wedr_stream_begin(rq, csv ? "text/csv; charset=utf-8" : "application/x-ndjson",
                              WEDR_EXPORT_BUFFER);
    if (!j->st) {
        free_slot(e, slot);
        wedr_admin_answer_error(rq, WEDR_E_NOMEM);
        goto refused;
    }
    wedr_mutex_lock(e->lock); /* it may have ended before we know what to join */
    int err = wedr_thread_new(&e->slot[slot].thread, "export", run, j);
    wedr_mutex_unlock(e->lock);
    if (err != WEDR_OK) {
        wedr_stream_end(j->st, false);
        free_slot(e, slot);
        free_job(j);
    }
    return;
refused:
    free_job(j);
    wedr_request_finish(rq);
}

const struct wedr_route wedr_export_routes[] = {
    {.method = "POST",
     .pattern = "/api/v1/events/export",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_QUERY,
     .body_max = WEDR_SQL_BODY_MAX,
     .run = run_export,
     .operation = "exportEvents",
     .need = WEDR_NEED_TRIAGE,
     .finishes = true},
};
const size_t wedr_export_route_count = WEDR_ARRAY_COUNT(wedr_export_routes);
