/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/events_sql.h"
#include "core/base/err.h"
#include "core/base/utf16.h"
#include <string.h>

struct answer {
    struct wedr_out out;
};

static int put_columns(void *arg, const char *const *names, size_t count)
{
    struct answer *a = arg;
    wedr_out_key(&a->out, "columns");
    wedr_out_arr_begin(&a->out);
    for (size_t i = 0; i < count; i++) {
        wedr_out_obj_begin(&a->out);
        wedr_out_put_text(&a->out, "name", names[i] ? names[i] : "");
        wedr_out_obj_end(&a->out);
    }
    wedr_out_arr_end(&a->out);
    wedr_out_key(&a->out, "rows");
    wedr_out_arr_begin(&a->out);
    return WEDR_OK;
}

static int put_row(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct answer *a = arg;
    wedr_out_arr_begin(&a->out);
    for (size_t i = 0; i < count; i++) {
        wedr_value_out(&a->out, &v[i]);
    }
    wedr_out_arr_end(&a->out);
    return a->out.b->overflow ? WEDR_E_NOMEM : WEDR_OK;
}

const char *wedr_sql_text(struct wedr_request *rq, const json_t *body)
{
    const json_t *v = json_object_get(body, "sql");
    size_t n = json_string_length(v);
    if (!json_is_string(v) || n == 0 || n > WEDR_SQL_TEXT_MAX ||
        strlen(json_string_value(v)) != n) {
        wedr_answer_problem(rq, 400, "\"sql\" must be a text of 1 to %u bytes", WEDR_SQL_TEXT_MAX);
        return NULL;
    }
    return json_string_value(v);
}

/* Line and column, both from 1, of a byte; a column is a character. */
static void find_place(const char *sql, size_t at, int64_t *line, int64_t *column)
{
    size_t len = strlen(sql);
    *line = *column = 1;
    for (size_t i = 0; i < at && i < len;) {
        uint32_t cp = 0;
        bool good = false;
        bool newline = sql[i] == '\n';
        i += wedr_utf8_next(sql + i, len - i, &cp, &good);
        *line += newline;
        *column = newline ? 1 : *column + 1;
    }
}

void wedr_sql_failed(struct wedr_request *rq,
                     const char *sql,
                     const struct wedr_rows *q,
                     int err,
                     const struct wedr_errinfo *ei)
{
    struct wedr_out o;
    int64_t line = 0, column = 0;
    wedr_data_query_failed(rq, q, err, ei);
    if (rq->status != 422 || q->result.error_position < 0) {
        return;
    }
    find_place(sql, (size_t)q->result.error_position, &line, &column);
    wedr_buf_truncate(&rq->answer, 0);
    wedr_out_init(&o, &rq->answer);
    wedr_out_obj_begin(&o);
    wedr_out_put_text(&o, "type", "about:blank");
    wedr_out_put_text(&o, "title", "Unprocessable Content");
    wedr_out_put_i64(&o, "status", 422);
    wedr_out_put_text(&o, "detail", ei->text);
    wedr_out_put_i64(&o, "line", line);
    wedr_out_put_i64(&o, "column", column);
    wedr_out_obj_end(&o);
}

static bool read_limit(struct wedr_request *rq, const json_t *body, uint64_t *ret)
{
    const json_t *v = json_object_get(body, "limit");
    *ret = WEDR_SQL_ROWS_DEFAULT;
    if (v && (!json_is_integer(v) || json_integer_value(v) < 1 ||
              json_integer_value(v) > (json_int_t)WEDR_SQL_ROWS_MAX)) {
        wedr_answer_problem(rq, 400, "\"limit\" must be a number from 1 to %u", WEDR_SQL_ROWS_MAX);
        return false;
    }
    *ret = v ? (uint64_t)json_integer_value(v) : *ret;
    return true;
}

static void answer_sql(struct wedr_server *s,
                       struct wedr_request *rq,
                       const char *sql,
                       uint64_t limit,
                       const struct wedr_query_scope *scope)
{
    struct answer a;
    struct wedr_errinfo ei = {""};
    struct wedr_rows q = {.sql = sql,
                          .scope = scope,
                          .rows_max = limit,
                          .bytes_max = WEDR_SQL_BYTES_MAX,
                          .columns = put_columns,
                          .row = put_row,
                          .arg = &a};
    wedr_out_init(&a.out, &rq->answer);
    wedr_out_obj_begin(&a.out);
    int err = wedr_data_query(s, &q, &ei);
    if (err != WEDR_OK) {
        wedr_sql_failed(rq, sql, &q, err, &ei);
        return;
    }
    wedr_out_arr_end(&a.out);
    wedr_out_put_bool(&a.out, "truncated", q.result.truncated);
    wedr_out_put_i64(&a.out, "elapsed_ms", q.result.elapsed_ms);
    wedr_out_put_i64(&a.out, "scanned", (int64_t)q.result.blocks_asked);
    wedr_out_put_i64(&a.out, "parsed", (int64_t)q.result.lines_parsed);
    wedr_out_obj_end(&a.out);
    wedr_answer_json(rq, 200);
}

void wedr_events_sql(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_asker who;
    struct wedr_seen seen;
    uint64_t limit = 0;
    json_t *o = wedr_admin_body(rq, "sql limit");
    const char *sql = o ? wedr_sql_text(rq, o) : NULL;
    if (sql && read_limit(rq, o, &limit)) {
        wedr_asker_of(rq->person, &who);
        int err = wedr_seen_load(s, &who.scope, &seen);
        if (err == WEDR_OK) {
            answer_sql(s, rq, sql, limit, seen.scope);
            wedr_seen_fini(&seen);
        } else {
            wedr_admin_answer_error(rq, err);
        }
    }
    json_decref(o);
}
