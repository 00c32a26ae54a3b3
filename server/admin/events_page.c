/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/events_page.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SELECT "SELECT ts,agent_id,epoch,stream,seq,hostname,received_at,raw FROM events WHERE 1"
#define COLUMNS 8u
#define BY_NAME " ORDER BY agent_id,epoch,stream,seq LIMIT "
#define TEXT_MAX ((size_t)48 << 20)

struct item {
    int64_t ts;
    struct wedr_event_id id;
    size_t at, len; /* in text */
};

struct page {
    struct wedr_server *s;
    struct wedr_request *rq;
    const struct wedr_page_ask *ask;
    struct wedr_buf text; /* JSON of the items, one behind another */
    struct wedr_out out;
    struct item *items;
    size_t count, cap;
    size_t budget; /* text may grow to this; at least one item beyond */
    size_t first;  /* items of this statement begin here */
};

static int take(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct page *p = arg;
    char hostname[256], id[WEDR_EVENT_ID_MAX];
    if (count != COLUMNS || p->count == p->cap) {
        return WEDR_E_BUG;
    }
    if (p->count > p->first && p->text.len >= p->budget) {
        return WEDR_E_FULL;
    }
    struct item *i = &p->items[p->count];
    i->ts = v[0].i;
    wedr_value_text(&v[1], i->id.agent_id, sizeof(i->id.agent_id));
    wedr_value_text(&v[2], i->id.epoch, sizeof(i->id.epoch));
    wedr_value_text(&v[3], i->id.stream, sizeof(i->id.stream));
    i->id.seq = v[4].i;
    wedr_value_text(&v[5], hostname, sizeof(hostname));
    wedr_event_id_text(&i->id, id);
    i->at = p->text.len;
    p->out.comma = false;
    const char *line = v[7].type == WEDR_QUERY_TEXT ? (const char *)v[7].s.p : "";
    wedr_event_out(&p->out, id, i->id.agent_id, hostname, v[6].i, line, v[7].s.len);
    i->len = p->text.len - i->at;
    p->count++;
    return p->text.overflow ? WEDR_E_NOMEM : WEDR_OK;
}

/* Runs the filter's conditions with what was added to them. *ret_whole: there is no more. */
static int run(struct page *p, uint32_t limit, bool *ret_whole)
{
    struct wedr_filter *f = p->ask->filter;
    struct wedr_errinfo ei = {""};
    char *sql = wedr_alloc(1, sizeof(SELECT) + f->len);
    struct wedr_rows q = {.sql = sql,
                          .params = f->value,
                          .param_count = f->count,
                          .scope = p->ask->scope,
                          .row = take,
                          .arg = p};
    if (!sql) {
        wedr_admin_answer_error(p->rq, WEDR_E_NOMEM);
        return WEDR_E_NOMEM;
    }
    (void)snprintf(sql, sizeof(SELECT) + f->len, "%s%s", SELECT, f->text);
    p->first = p->count;
    int err = wedr_data_query(p->s, &q, &ei);
    wedr_free(sql);
    *ret_whole = err == WEDR_OK && p->count - p->first < limit;
    if (err != WEDR_OK && err != WEDR_E_FULL) {
        wedr_data_query_failed(p->rq, &q, err, &ei);
        return err;
    }
    return WEDR_OK;
}

/* Those of one microsecond, by name, behind one of them. */
static int take_group(
    struct page *p, int64_t ts, const struct wedr_event_id *behind, uint32_t limit, bool *whole)
{
    struct wedr_filter *f = p->ask->filter;
    struct wedr_filter_mark m = wedr_filter_mark(f);
    int err = wedr_filter_number(f, " AND ts=", ts);
    if (err == WEDR_OK && behind) {
        err = wedr_filter_bytes(f, " AND (agent_id,epoch,stream,seq)>(", behind->agent_id);
        err = err == WEDR_OK ? wedr_filter_bytes(f, ",", behind->epoch) : err;
        err = err == WEDR_OK ? wedr_filter_bytes(f, ",", behind->stream) : err;
        err = err == WEDR_OK ? wedr_filter_number(f, ",", behind->seq) : err;
        err = err == WEDR_OK ? wedr_filter_piece(f, ")") : err;
    }
    err = err == WEDR_OK ? wedr_filter_number(f, BY_NAME, limit) : err;
    if (err != WEDR_OK) {
        wedr_answer_problem(p->rq, 400, "too many conditions");
    }
    err = err == WEDR_OK ? run(p, limit, whole) : err;
    wedr_filter_reset(f, m);
    return err;
}

/* The next ones by time; when there are more, the last microsecond may be there in part. */
static int take_next(struct page *p, uint32_t limit, bool *whole)
{
    struct wedr_filter *f = p->ask->filter;
    struct wedr_filter_mark m = wedr_filter_mark(f);
    bool up = p->ask->oldest_first;
    int err = p->ask->behind
                  ? wedr_filter_number(f, up ? " AND ts>" : " AND ts<", p->ask->behind_ts)
                  : WEDR_OK;
    err =
        err == WEDR_OK
            ? wedr_filter_number(f, up ? " ORDER BY ts LIMIT " : " ORDER BY ts DESC LIMIT ", limit)
            : err;
    if (err != WEDR_OK) {
        wedr_answer_problem(p->rq, 400, "too many conditions");
    }
    err = err == WEDR_OK ? run(p, limit, whole) : err;
    wedr_filter_reset(f, m);
    return err;
}

static int compare(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = (x->ts > y->ts) - (x->ts < y->ts);
    order = order ? order : strcmp(x->id.agent_id, y->id.agent_id);
    order = order ? order : strcmp(x->id.epoch, y->id.epoch);
    order = order ? order : strcmp(x->id.stream, y->id.stream);
    return order ? order : (x->id.seq > y->id.seq) - (x->id.seq < y->id.seq);
}

static int compare_down(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = (x->ts < y->ts) - (x->ts > y->ts);
    return order ? order : compare(a, b);
}

/* Those of the page in their order; *ret_more: there are more. */
static int collect(struct page *p, bool *ret_more)
{
    const uint32_t want = p->ask->limit + 1;
    bool whole = true;
    int err = WEDR_OK;
    if (p->ask->behind) {
        err = take_group(p, p->ask->behind_ts, &p->ask->behind_id, want, &whole);
    }
    if (err != WEDR_OK || !whole) {
        *ret_more = true;
        return err;
    }
    size_t sorted = p->count;
    err = take_next(p, want - (uint32_t)p->count, &whole);
    if (err == WEDR_OK && !whole) { /* the last group again, by name this time */
        int64_t last = p->items[p->count - 1].ts;
        while (p->count > sorted && p->items[p->count - 1].ts == last) {
            p->count--;
        }
        p->text.len = p->count ? p->items[p->count - 1].at + p->items[p->count - 1].len : 0;
        qsort(p->items + sorted, p->count - sorted, sizeof(*p->items),
              p->ask->oldest_first ? compare : compare_down);
        err = take_group(p, last, NULL, want - (uint32_t)p->count, &whole);
        *ret_more = true;
        return err;
    }
    qsort(p->items + sorted, p->count - sorted, sizeof(*p->items),
          p->ask->oldest_first ? compare : compare_down);
    *ret_more = false;
    return err;
}

static bool make_next(const struct item *last, const char *list, char ret[WEDR_CURSOR_TEXT_MAX])
{
    char ts[24], id[WEDR_EVENT_ID_MAX];
    const char *fields[] = {ts, id};
    (void)snprintf(ts, sizeof(ts), "%" PRId64, last->ts);
    wedr_event_id_text(&last->id, id);
    return wedr_cursor_make(list, fields, 2, ret);
}

static void answer(struct page *p, bool more, const char *list)
{
    char next[WEDR_CURSOR_TEXT_MAX];
    struct wedr_out o;
    size_t shown = p->count < p->ask->limit ? p->count : p->ask->limit;
    more = (more || shown < p->count) && shown > 0 && make_next(&p->items[shown - 1], list, next);
    wedr_out_init(&o, &p->rq->answer);
    wedr_out_obj_begin(&o);
    wedr_out_key(&o, "items");
    wedr_out_arr_begin(&o);
    for (size_t i = 0; i < shown; i++) {
        wedr_out_raw(&o, (const char *)p->text.p + p->items[i].at, p->items[i].len);
    }
    wedr_out_arr_end(&o);
    wedr_out_put_text(&o, "next", more ? next : NULL);
    wedr_out_obj_end(&o);
    wedr_answer_json(p->rq, 200);
}

void wedr_page_answer(struct wedr_server *s,
                      struct wedr_request *rq,
                      const struct wedr_page_ask *ask,
                      const char *list)
{
    struct page p = {.s = s, .rq = rq, .ask = ask, .budget = WEDR_PAGE_BYTES};
    bool more = false;
    p.cap = 2 * ((size_t)ask->limit + 1); /* the last group is asked for twice */
    p.items = wedr_alloc(p.cap, sizeof(*p.items));
    wedr_buf_init(&p.text, TEXT_MAX);
    wedr_out_init(&p.out, &p.text);
    if (!p.items) {
        wedr_admin_answer_error(rq, WEDR_E_NOMEM);
    } else if (collect(&p, &more) == WEDR_OK) {
        answer(&p, more, list);
    }
    wedr_out_fini(&p.out);
    wedr_buf_fini(&p.text);
    wedr_free(p.items);
}

bool wedr_page_place(struct wedr_request *rq, const char *list, struct wedr_page_ask *ask)
{
    struct wedr_cursor c;
    const char *text = wedr_request_query(rq, "cursor");
    char *end = NULL;
    if (!text) {
        return true;
    }
    ask->behind =
        wedr_cursor_read(text, list, 2, &c) && wedr_event_id_parse(c.field[1], &ask->behind_id);
    if (ask->behind) {
        ask->behind_ts = strtoll(c.field[0], &end, 10);
        ask->behind = end != c.field[0] && *end == '\0';
    }
    if (!ask->behind) {
        wedr_answer_problem(rq, 400, "\"cursor\" is not one of this list");
    }
    return ask->behind;
}

struct wedr_filter *wedr_page_filter(struct wedr_request *rq)
{
    struct wedr_errinfo ei = {""};
    struct wedr_filter *f = wedr_filter_new();
    int err = f ? WEDR_OK : WEDR_E_NOMEM;
    for (size_t i = 0; err == WEDR_OK && i < rq->query.count; i++) {
        const char *name = rq->query.item[i].name;
        if (strcmp(name, "limit") != 0 && strcmp(name, "cursor") != 0) {
            err = wedr_filter_add(f, name, rq->query.item[i].value, &ei);
        }
    }
    if (err == WEDR_OK) {
        return f;
    }
    wedr_filter_free(f);
    if (err == WEDR_E_NOMEM) {
        wedr_admin_answer_error(rq, err);
    } else {
        wedr_answer_problem(rq, 400, "%s", ei.text[0] ? ei.text : "too many conditions");
    }
    return NULL;
}

void wedr_event_answer(struct wedr_server *s,
                       struct wedr_request *rq,
                       const struct wedr_event_id *id,
                       const struct wedr_query_scope *scope)
{
    struct item item;
    struct page p = {.s = s, .rq = rq, .items = &item, .cap = 1, .budget = TEXT_MAX};
    struct wedr_query_value v[4] = {
        {.type = WEDR_QUERY_TEXT, .s = wedr_span(id->agent_id, strlen(id->agent_id))},
        {.type = WEDR_QUERY_TEXT, .s = wedr_span(id->epoch, strlen(id->epoch))},
        {.type = WEDR_QUERY_TEXT, .s = wedr_span(id->stream, strlen(id->stream))},
        {.type = WEDR_QUERY_INT, .i = id->seq}};
    struct wedr_rows q = {.sql = SELECT " AND agent_id=?1 AND epoch=?2 AND stream=?3 AND seq=?4 "
                                        "LIMIT 1",
                          .params = v,
                          .param_count = 4,
                          .scope = scope,
                          .row = take,
                          .arg = &p};
    wedr_buf_init(&p.text, TEXT_MAX);
    wedr_out_init(&p.out, &p.text);
    if (wedr_data_rows(s, rq, &q)) {
        if (p.count) {
            wedr_buf_add(&rq->answer, p.text.p, p.text.len);
            wedr_answer_json(rq, 200);
        } else {
            wedr_admin_answer_error(rq, WEDR_E_NOENT);
        }
    }
    wedr_out_fini(&p.out);
    wedr_buf_fini(&p.text);
}
