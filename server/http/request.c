/* SPDX-License-Identifier: Apache-2.0 */
#include "http/request.h"
#include "core/util/alloc.h"
#include "core/util/json.h"
#include "http/http.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static char lower(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c + 32);
    }
    return c;
}

/* Without regard to the case of ASCII letters. */
static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        if (lower(*a) != lower(*b)) {
            return false;
        }
    }
    return *a == *b;
}

static size_t find(const struct wedr_request *rq, const char *name, const char **ret_value)
{
    size_t n = 0;
    for (size_t i = 0; i < rq->header_count; i++) {
        if (same_name(rq->headers[i].name, name)) {
            *ret_value = rq->headers[i].value;
            n++;
        }
    }
    return n;
}

const char *wedr_request_header(const struct wedr_request *rq, const char *name)
{
    const char *value = NULL;
    return find(rq, name, &value) == 1 ? value : NULL;
}

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
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {417, "Expectation Failed"},
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

void wedr_answer_unchanged(struct wedr_request *rq)
{
    wedr_buf_truncate(&rq->answer, 0);
    rq->content_type = NULL;
    rq->status = 304;
}

/* Decimal digits alone, as RFC 9110 has it: no sign, no blanks, no list. */
static bool parse_length(const char *s, uint64_t *ret)
{
    uint64_t v = 0;
    size_t n = strlen(s);
    if (n == 0 || n > 18) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
        v = v * 10 + (uint64_t)(s[i] - '0');
    }
    *ret = v;
    return true;
}

static bool has_control_bytes(const char *s)
{
    for (; *s; s++) {
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f) {
            return true;
        }
    }
    return false;
}

/* Bytes that the request line and the headers take at most when each header is written "Name:
 * value" on one line. A larger block hides something: a folded line or padding. */
static size_t plain_size(const struct wedr_request *rq, size_t line_len)
{
    size_t n = line_len + 2 + 2;
    for (size_t i = 0; i < rq->header_count; i++) {
        n += strlen(rq->headers[i].name) + 2 + strlen(rq->headers[i].value) + 2;
    }
    return n;
}

void wedr_request_check(struct wedr_request *rq, bool http11, size_t line_len, size_t header_size)
{
    const char *value = NULL;
    for (size_t i = 0; i < rq->header_count; i++) {
        if (rq->headers[i].name[0] == '\0' || has_control_bytes(rq->headers[i].name) ||
            has_control_bytes(rq->headers[i].value)) {
            wedr_answer_problem(rq, 400, "a header holds control characters");
            return;
        }
    }
    if (!http11) {
        wedr_answer_problem(rq, 400, "only HTTP/1.1 is spoken here");
    } else if (find(rq, "Host", &value) != 1) {
        wedr_answer_problem(rq, 400, "exactly one Host header is required");
    } else if (find(rq, "Transfer-Encoding", &value) != 0) {
        wedr_answer_problem(rq, find(rq, "Content-Length", &value) ? 400 : 411,
                            "Transfer-Encoding is not accepted: send Content-Length alone");
    } else if (find(rq, "Upgrade", &value) != 0 || find(rq, "Trailer", &value) != 0) {
        wedr_answer_problem(rq, 400, "Upgrade and Trailer are not accepted");
    } else if (find(rq, "Expect", &value) > 1 ||
               (find(rq, "Expect", &value) == 1 && !same_name(value, "100-continue"))) {
        wedr_answer_problem(rq, 417, "only Expect: 100-continue is understood");
    } else if (find(rq, "Content-Length", &value) > 1 ||
               (find(rq, "Content-Length", &value) == 1 &&
                !parse_length(value, &rq->content_length))) {
        wedr_answer_problem(rq, 400, "Content-Length must be one decimal number");
    } else if (header_size > plain_size(rq, line_len)) {
        wedr_answer_problem(rq, 400, "folded or padded header lines are not accepted");
    }
}

int wedr_request_add_header(struct wedr_request *rq, const char *name, const char *value)
{
    if (rq->header_count == WEDR_HTTP_HEADERS_MAX) {
        return -1;
    }
    rq->headers[rq->header_count].name = name;
    rq->headers[rq->header_count].value = value ? value : "";
    rq->header_count++;
    return 0;
}
