/* SPDX-License-Identifier: Apache-2.0 */
#include "core/util/alloc.h"
#include "core/util/json.h"
#include "http/http.h"
#include "http/request.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *wedr_status_title(int status)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
        {422, "Unprocessable Content"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(titles); i++) {
        if (titles[i].status == status) {
            return titles[i].title;
        }
    }
    return "Error";
}

void wedr_answer_problem(struct wedr_request *rq, int status, const char *fmt, ...)
{
    char detail[512], mem[2048];
    struct wedr_json j;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(detail, sizeof(detail), fmt, ap);
    va_end(ap);
    wedr_json_init(&j, mem, sizeof(mem));
    wedr_json_obj_begin(&j);
    wedr_json_key(&j, "type");
    wedr_json_str(&j, "about:blank", 11);
    wedr_json_key(&j, "title");
    const char *title = wedr_status_title(status);
    wedr_json_str(&j, title, strlen(title));
    wedr_json_key(&j, "status");
    wedr_json_i64(&j, status);
    wedr_json_key(&j, "detail");
    wedr_json_str(&j, detail, strlen(detail));
    wedr_json_obj_end(&j);
    wedr_buf_truncate(&rq->answer, 0);
    wedr_buf_add(&rq->answer, mem, wedr_json_len(&j));
    rq->content_type = "application/problem+json";
    rq->status = status;
}

void wedr_answer_json(struct wedr_request *rq, int status)
{
    if (rq->answer.overflow) {
        wedr_answer_problem(rq, 500, "the answer is larger than the server's limit");
        return;
    }
    rq->content_type = "application/json";
    rq->status = status;
}

struct wedr_shared {
    _Atomic uint32_t refs;
    size_t len;
    uint8_t *p;
};

struct wedr_shared *wedr_shared_new(const void *p, size_t len)
{
    struct wedr_shared *b = wedr_alloc(1, sizeof(*b));
    if (!b) {
        return NULL;
    }
    b->p = (uint8_t *)wedr_strndup(p, len);
    if (!b->p) {
        wedr_free(b);
        return NULL;
    }
    b->len = len;
    atomic_store(&b->refs, 1);
    return b;
}

struct wedr_shared *wedr_shared_ref(struct wedr_shared *b)
{
    atomic_fetch_add(&b->refs, 1);
    return b;
}

void wedr_shared_unref(struct wedr_shared *b)
{
    if (b && atomic_fetch_sub(&b->refs, 1) == 1) {
        wedr_free(b->p);
        wedr_free(b);
    }
}

struct wedr_span wedr_shared_span(const struct wedr_shared *b)
{
    return wedr_span(b->p, b->len);
}

void wedr_answer_bytes(struct wedr_request *rq, struct wedr_shared *bytes)
{
    rq->shared = wedr_shared_ref(bytes);
    rq->content_type = "application/octet-stream";
    rq->status = 200;
}

void wedr_answer_empty(struct wedr_request *rq)
{
    wedr_buf_truncate(&rq->answer, 0);
    rq->content_type = NULL;
    rq->status = 204;
}

void wedr_answer_header(struct wedr_request *rq, const char *name, const char *fmt, ...)
{
    char value[4096];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    bool good = n >= 0 && (size_t)n < sizeof(value) && rq->out_count < WEDR_HTTP_ANSWER_HEADERS_MAX;
    for (int i = 0; good && i < n; i++) {
        good = (unsigned char)value[i] >= 0x20 && value[i] != 0x7f;
    }
    char *copy = good ? wedr_strndup(value, (size_t)n) : NULL;
    if (!copy) {
        wedr_answer_problem(rq, 500, "the answer's header %s cannot be sent", name);
        return;
    }
    rq->out[rq->out_count].name = name;
    rq->out[rq->out_count].value = copy;
    rq->out_count++;
}

void wedr_answer_unchanged(struct wedr_request *rq)
{
    wedr_buf_truncate(&rq->answer, 0);
    rq->content_type = NULL;
    rq->status = 304;
}
