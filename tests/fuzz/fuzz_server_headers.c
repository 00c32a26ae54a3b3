/* SPDX-License-Identifier: Apache-2.0
 * tests/fuzz/fuzz_server_headers.c — a request's path, headers and batch identity. Input: method,
 * path and header lines, each ended by a newline. */
#include "core/base/err.h"
#include "core/base/utf16.h"
#include "fleet/fleet.h"
#include "http/request.h"
#include "http/route.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct wedr_route routes[] = {
    {.method = "GET", .pattern = "/healthz"},
    {.method = "POST", .pattern = "/api/v1/agents/{id}/logs", .auth = WEDR_ROUTE_AGENT},
    {.method = "GET", .pattern = "/api/v1/a/{id}/{key}", .auth = WEDR_ROUTE_PERSON},
};

static const char *get(const void *arg, const char *name)
{
    return wedr_request_header(arg, name);
}

/* The next line of text, NUL-terminated in place; NULL at the end. */
static char *next_line(char **at, const char *end)
{
    char *line = *at;
    if (line >= end) {
        return NULL;
    }
    char *nl = memchr(line, '\n', (size_t)(end - line));
    *at = nl ? nl + 1 : (char *)(uintptr_t)end;
    line[nl ? nl - line : end - line] = '\0';
    return line;
}

static void use(struct wedr_request *rq)
{
    struct wedr_batch_id id;
    uint8_t signature[WEDR_BATCH_SIG_LEN], key[WEDR_SIGN_PUBLIC_LEN] = {0};
    struct wedr_errinfo ei = {""};
    wedr_request_check(rq, true, 20, 0);
    if (rq->status != 0 && (rq->answer.len == 0 || rq->answer.p[0] != '{')) {
        abort();
    }
    if (wedr_fleet_batch_parse(get, rq, &id, signature, &ei) != WEDR_OK) {
        if (!ei.text[0]) {
            abort();
        }
        return;
    }
    if (wedr_batch_id_check(&id) != WEDR_OK) {
        abort();
    }
    (void)!wedr_fleet_batch_verify("01234567-89ab-4cde-8f01-23456789abcd", key, &id, signature);
}

/* What got through is text without control characters, and only a UUID names an agent. */
static void use_path(struct wedr_request *rq, const char *method, char *path)
{
    struct wedr_errinfo ei = {""};
    char *query = strchr(path, '?');
    if (query) {
        *query++ = '\0';
    }
    if (wedr_route_match(routes, WEDR_ARRAY_COUNT(routes), method, path, &rq->route, &rq->params) ==
        WEDR_ROUTE_FOUND) {
        for (size_t i = 0; i < rq->params.count; i++) {
            const char *v = rq->params.item[i].value;
            if (v[0] == '\0' || strchr(v, '/') || strchr(v, '\n') ||
                !wedr_utf8_valid(v, strlen(v)) ||
                (rq->route->auth == WEDR_ROUTE_AGENT && !wedr_route_is_uuid(v, strlen(v)))) {
                abort();
            }
        }
    }
    if (query && wedr_uri_query_parse(query, &rq->query, &ei) == WEDR_OK) {
        for (size_t i = 0; i < rq->query.count; i++) {
            const char *v = rq->query.item[i].value;
            if (strchr(v, '\n') || !wedr_utf8_valid(v, strlen(v)) ||
                wedr_request_query(rq, rq->query.item[i].name) != v) {
                abort();
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wedr_request rq;
    char cookie[64];
    if (size > 65536) {
        return 0;
    }
    char *text = malloc(size + 1);
    if (!text) {
        return 0;
    }
    if (size) {
        memcpy(text, data, size);
    }
    char *at = text;
    memset(&rq, 0, sizeof(rq));
    wedr_buf_init(&rq.answer, WEDR_HTTP_ANSWER_MAX);
    const char *method = next_line(&at, text + size);
    char *path = next_line(&at, text + size);
    if (method && path) {
        use_path(&rq, method, path);
    }
    for (char *line; (line = next_line(&at, text + size)) != NULL;) {
        char *colon = strchr(line, ':');
        if (colon) {
            *colon = '\0';
        }
        if (wedr_request_add_header(&rq, line, colon ? colon + 1 : NULL) != 0) {
            break;
        }
    }
    use(&rq);
    if (wedr_request_cookie(&rq, "a", cookie, sizeof(cookie)) && strlen(cookie) >= sizeof(cookie)) {
        abort();
    }
    wedr_uri_query_fini(&rq.query);
    wedr_buf_fini(&rq.answer);
    free(text);
    return 0;
}
