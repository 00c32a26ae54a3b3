/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"
#include "admin/events_id.h"
#include "core/base/err.h"
#include "core/util/json.h"
#include "fleet/text.h"
#include "ingest/line_schema.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BODY_DEPTH 8u

static int add_text(const char *p, size_t n, void *arg)
{
    struct wedr_buf *b = arg;
    wedr_buf_add(b, p, n);
    return b->overflow ? -1 : 0;
}

void wedr_admin_answer_take(struct wedr_request *rq, int status, json_t *body)
{
    wedr_buf_truncate(&rq->answer, 0);
    bool whole = body && json_dump_callback(body, add_text, &rq->answer, JSON_COMPACT) == 0;
    json_decref(body);
    if (whole || rq->answer.overflow) {
        wedr_answer_json(rq, status);
    } else {
        wedr_admin_answer_error(rq, WEDR_E_NOMEM);
    }
}

void wedr_admin_answer_list_take(struct wedr_request *rq, json_t *items, const char *next)
{
    wedr_admin_answer_take(rq, 200,
                           items ? json_pack("{s:o, s:s?}", "items", items, "next", next) : NULL);
}

void wedr_admin_answer_error(struct wedr_request *rq, int err)
{
    switch (err) {
    case WEDR_E_NOENT:
        wedr_answer_problem(rq, 404, "there is no such object");
        return;
    case WEDR_E_EXIST:
        wedr_answer_problem(rq, 409, "there is one with this name already");
        return;
    case WEDR_E_CONFLICT:
        wedr_answer_problem(rq, 412, "it changed since it was read: read it again");
        return;
    case WEDR_E_LIMIT:
        wedr_answer_problem(rq, 409, "there are too many of them already");
        return;
    default:
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "the server cannot do it now: %s", wedr_err_text(err));
    }
}

bool wedr_admin_if_match(struct wedr_request *rq, uint64_t *ret_version)
{
    const char *tag = wedr_request_header(rq, "If-Match");
    char number[24];
    int64_t version = 0;
    if (!tag) {
        wedr_answer_problem(rq, 428, "If-Match with the ETag that was read is required");
        return false;
    }
    size_t n = strlen(tag);
    if (strcmp(tag, "*") == 0) {
        *ret_version = 0;
        return true;
    }
    if (n > 2 && n < sizeof(number) && tag[0] == '"' && tag[n - 1] == '"') {
        memcpy(number, tag + 1, n - 2);
        number[n - 2] = '\0';
        if (wedr_positive_parse(number, &version)) {
            *ret_version = (uint64_t)version;
            return true;
        }
    }
    wedr_answer_problem(rq, 412, "If-Match is no ETag of this object: read it again");
    return false;
}

void wedr_admin_etag(struct wedr_request *rq, uint64_t version)
{
    (void)snprintf(rq->etag, sizeof(rq->etag), "\"%" PRIu64 "\"", version);
}

void wedr_admin_answer_version(struct wedr_request *rq, int err, uint64_t version)
{
    if (err == WEDR_OK) {
        wedr_admin_etag(rq, version);
        wedr_answer_json(rq, 200);
    } else {
        wedr_admin_answer_error(rq, err);
    }
}

bool wedr_admin_page(struct wedr_request *rq, struct wedr_admin_page *ret, int64_t *ret_cursor)
{
    memset(ret, 0, sizeof(*ret));
    if (!wedr_admin_limit(rq, &ret->limit) || !wedr_admin_cursor(rq, ret_cursor)) {
        return false;
    }
    ret->items = json_array();
    if (!ret->items) {
        wedr_admin_answer_error(rq, WEDR_E_NOMEM);
    }
    return ret->items != NULL;
}

int wedr_admin_page_add(struct wedr_admin_page *p, int64_t id, json_t *item)
{
    if (json_array_append_new(p->items, item) != 0) {
        return WEDR_E_NOMEM;
    }
    p->last = json_array_size(p->items) == p->limit ? id : 0;
    return WEDR_OK;
}

void wedr_admin_page_answer(struct wedr_request *rq, struct wedr_admin_page *p, int err)
{
    char next[24];
    if (err == WEDR_OK) {
        (void)snprintf(next, sizeof(next), "%" PRId64, p->last);
        wedr_admin_answer_list_take(rq, p->items, p->last ? next : NULL);
    } else {
        json_decref(p->items);
        wedr_admin_answer_error(rq, err);
    }
}

void wedr_admin_answer_done(struct wedr_request *rq, int err)
{
    if (err == WEDR_OK) {
        wedr_answer_empty(rq);
    } else {
        wedr_admin_answer_error(rq, err);
    }
}

json_t *wedr_admin_body(struct wedr_request *rq, const char *keys)
{
    struct wedr_errinfo ei = {""};
    const char *name = NULL;
    json_t *value = NULL;
    json_t *o = wedr_fleet_load(rq->body, rq->body_len, BODY_DEPTH, &ei);
    if (!o) {
        wedr_answer_problem(rq, 400, "%s", ei.text);
        return NULL;
    }
    json_object_foreach(o, name, value)
    {
        size_t n = strlen(name);
        const char *at = n ? strstr(keys, name) : NULL; /* "" is found behind the end, too */
        while (at && !((at == keys || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' '))) {
            at = strstr(at + 1, name);
        }
        if (!at || strchr(name, ' ')) {
            wedr_answer_problem(rq, 400, "unknown key \"%.64s\"", name);
            json_decref(o);
            return NULL;
        }
    }
    return o;
}

/* Decimal digits without a leading zero, 1 to 19 of them, at most INT64_MAX. */
static bool read_number(const char *s, int64_t *ret)
{
    int64_t v = 0;
    if (s[0] == '\0' || s[0] == '0') {
        return false;
    }
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || v > (INT64_MAX - (*s - '0')) / 10) {
            return false;
        }
        v = v * 10 + (*s - '0');
    }
    *ret = v;
    return true;
}

bool wedr_admin_limit(struct wedr_request *rq, uint32_t *ret)
{
    const char *text = wedr_request_query(rq, "limit");
    int64_t v = WEDR_ADMIN_LIST_DEFAULT;
    if (text && (!read_number(text, &v) || v > (int64_t)WEDR_ADMIN_LIST_MAX)) {
        wedr_answer_problem(rq, 400, "\"limit\" must be a number from 1 to %u",
                            WEDR_ADMIN_LIST_MAX);
        return false;
    }
    *ret = (uint32_t)v;
    return true;
}

bool wedr_admin_id(struct wedr_request *rq, const char *name, int64_t *ret)
{
    if (!read_number(wedr_request_param(rq, name), ret)) {
        wedr_admin_answer_error(rq, WEDR_E_NOENT);
        return false;
    }
    return true;
}

bool wedr_admin_cursor(struct wedr_request *rq, int64_t *ret)
{
    const char *text = wedr_request_query(rq, "cursor");
    *ret = 0;
    if (text && !read_number(text, ret)) {
        wedr_answer_problem(rq, 400, "\"cursor\" is not one of this list");
        return false;
    }
    return true;
}

/* "2026-11-26T20:00:00Z" with no or 1 to 6 decimals. */
static bool read_time(const char *text, int64_t *ret_us)
{
    char full[28] = "0000-00-00T00:00:00.000000Z";
    size_t len = strlen(text);
    if (len < 20 || len > 27 || text[len - 1] != 'Z' || (len > 20 && text[19] != '.') ||
        len == 21) {
        return false;
    }
    memcpy(full, text, len - 1);
    return wedr_line_time_parse(full, 27, ret_us);
}

bool wedr_admin_time(struct wedr_request *rq, const char *name, int64_t fallback, int64_t *ret_us)
{
    const char *text = wedr_request_query(rq, name);
    *ret_us = fallback;
    if (text && !read_time(text, ret_us)) {
        wedr_answer_problem(rq, 400, "\"%s\" must be a time as 2026-11-26T20:00:00.000000Z", name);
        return false;
    }
    return true;
}

json_t *wedr_admin_json_time(int64_t us)
{
    char mem[40];
    struct wedr_json j;
    if (us == 0) {
        return json_null();
    }
    wedr_json_init(&j, mem, sizeof(mem));
    wedr_json_time_us(&j, us);
    size_t n = wedr_json_len(&j);
    return n > 2 ? json_stringn(mem + 1, n - 2) : json_null(); /* without the quotes */
}

json_t *wedr_admin_json_id(int64_t id)
{
    return json_sprintf("%" PRId64, id);
}
