/* SPDX-License-Identifier: Apache-2.0 */
#include "http/request.h"
#include "http/http.h"
#include <string.h>

static char lower(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char)(c + 32);
    }
    return c;
}

/* Without regard to the case of ASCII letters; both have n bytes. */
static bool same_name(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (lower(a[i]) != lower(b[i])) {
            return false;
        }
    }
    return true;
}

static size_t find(const struct wedr_request *rq, const char *name, const char **ret_value)
{
    size_t n = 0, len = strlen(name);
    for (size_t i = 0; i < rq->header_count; i++) {
        const struct wedr_http_header_in *h = &rq->headers[i];
        if (h->name_len == len && same_name(h->name, name, len)) {
            *ret_value = h->value;
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

const char *wedr_request_param(const struct wedr_request *rq, const char *name)
{
    for (size_t i = 0; i < rq->params.count; i++) {
        if (strcmp(rq->params.item[i].name, name) == 0) {
            return rq->params.item[i].value;
        }
    }
    return "";
}

const char *wedr_request_query(const struct wedr_request *rq, const char *name)
{
    return wedr_uri_query_get(&rq->query, name);
}

bool wedr_request_cookie(const struct wedr_request *rq, const char *name, char *ret, size_t cap)
{
    const char *at = wedr_request_header(rq, "Cookie");
    const char *value = NULL;
    size_t value_len = 0, name_len = strlen(name), found = 0;
    while (at && *at) {
        at += strspn(at, " ;");
        size_t n = strcspn(at, ";");
        if (n > name_len && strncmp(at, name, name_len) == 0 && at[name_len] == '=') {
            value = at + name_len + 1;
            value_len = n - name_len - 1;
            found++;
        }
        at += n;
    }
    if (found != 1 || value_len >= cap) {
        return false;
    }
    memcpy(ret, value, value_len);
    ret[value_len] = '\0';
    return true;
}

/* True when word is one of the blank-separated words. */
static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = words; p && *p;) {
        size_t len = strcspn(p, " ");
        if (len == n && memcmp(p, word, n) == 0) {
            return true;
        }
        p += len;
        p += strspn(p, " ");
    }
    return false;
}

void wedr_request_check_query(struct wedr_request *rq)
{
    const struct wedr_route *r = rq->route;
    for (size_t i = 0; i < rq->query.count; i++) {
        const char *name = rq->query.item[i].name;
        if (!has_word(r->query, name) && !(r->query_also && r->query_also(name))) {
            wedr_answer_problem(rq, 400, "unknown query parameter \"%s\"", name);
            return;
        }
    }
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

static bool has_control_bytes(const char *s, size_t len)
{
    bool some = false; /* without a way out in the middle: many bytes at a time */
    for (size_t i = 0; i < len; i++) {
        some |= ((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7f;
    }
    return some;
}

static bool is_continue(const char *expect)
{
    static const char want[] = "100-continue";
    return strlen(expect) == sizeof(want) - 1 && same_name(expect, want, sizeof(want) - 1);
}

/* Bytes that the request line and the headers take at most when each header is written "Name:
 * value" on one line. A larger block hides something: a folded line or padding. */
static size_t plain_size(const struct wedr_request *rq, size_t line_len)
{
    size_t n = line_len + 2 + 2;
    for (size_t i = 0; i < rq->header_count; i++) {
        n += rq->headers[i].name_len + 2 + rq->headers[i].value_len + 2;
    }
    return n;
}

void wedr_request_check(struct wedr_request *rq, bool http11, size_t line_len, size_t header_size)
{
    const char *value = NULL;
    for (size_t i = 0; i < rq->header_count; i++) {
        const struct wedr_http_header_in *h = &rq->headers[i];
        if (h->name_len == 0 || has_control_bytes(h->name, h->name_len) ||
            has_control_bytes(h->value, h->value_len)) {
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
               (find(rq, "Expect", &value) == 1 && !is_continue(value))) {
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
    value = value ? value : "";
    rq->headers[rq->header_count++] =
        (struct wedr_http_header_in){name, value, strlen(name), strlen(value)};
    return 0;
}

bool wedr_request_may_stay(const struct wedr_request *rq)
{
    return (rq->status == 429 || rq->status == 503) && rq->peer && rq->peer->valid;
}
