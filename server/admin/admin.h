/* SPDX-License-Identifier: Apache-2.0
 *
 * server/admin/admin.h — the interface for people: its routes, who may use them, how answers are
 * made. The contract of every route is admin/openapi; a file per subject, each with its table of
 * routes. Handlers get the server as `arg`, a request whose person passed the route's `need`, and
 * run on the thread of the route's lane.
 */
#pragma once

#include "api/server.h"
#include "auth/person.h"
#include "http/http.h"
#include <jansson.h>

#define WEDR_ADMIN_BODY_MAX 65536u
#define WEDR_ADMIN_LIST_MAX 1000u
#define WEDR_ADMIN_LIST_DEFAULT 100u

struct wedr_route_table {
    const struct wedr_route *routes;
    const size_t *count;
};

/* All routes of the server, of agents and of people, in one array for the listener. The caller
 * frees *ret with wedr_free. */
WEDR_MUST_USE int wedr_admin_routes(struct wedr_route **ret, size_t *ret_count);

/* Before the body: session cookie or API token, CSRF, role, scopes. Fills rq->person or answers 401
 * or 403. */
void wedr_admin_authenticate(struct wedr_server *s, struct wedr_request *rq);

/* Settings and limits of people, before the listener starts. */
WEDR_MUST_USE int wedr_admin_start(struct wedr_server *s);
/* About once a second: notes which sessions and tokens were used. */
void wedr_admin_tick(struct wedr_server *s);
void wedr_admin_stop(struct wedr_server *s); /* also half-started */
/* Stored settings are in force from now on. */
WEDR_MUST_USE int wedr_admin_reload_settings(struct wedr_server *s);
/* A body must say that it is JSON: a form of a foreign page cannot. False: answered with 415. */
bool wedr_admin_json_type(struct wedr_request *rq);

/* Answers with this JSON and drops the reference; NULL (out of memory) and text that is no UTF-8
 * become a 503. */
void wedr_admin_answer_take(struct wedr_request *rq, int status, json_t *body);
/* {"items": items, "next": next or null}; takes items. */
void wedr_admin_answer_list_take(struct wedr_request *rq, json_t *items, const char *next);
/* A page of a list that goes by id, while the store gives its rows. */
struct wedr_admin_page {
    json_t *items;
    uint32_t limit;
    int64_t last; /* id of the newest item when the page is full: the cursor; else 0 */
};
/* limit and cursor of the request, and an empty page. False: it was answered. */
bool wedr_admin_page(struct wedr_request *rq, struct wedr_admin_page *ret, int64_t *ret_cursor);
/* Takes item (NULL: WEDR_E_NOMEM). */
WEDR_MUST_USE int wedr_admin_page_add(struct wedr_admin_page *p, int64_t id, json_t *item);
/* Answers with the page, or the problem of err; takes its items. */
void wedr_admin_page_answer(struct wedr_request *rq, struct wedr_admin_page *p, int err);
/* header If-Match: `"<version>"`, or `*` for any (0). False: it was answered (428, 412). */
bool wedr_admin_if_match(struct wedr_request *rq, uint64_t *ret_version);
/* 200 with rq->answer and this version as its ETag, or the problem of err. */
void wedr_admin_answer_version(struct wedr_request *rq, int err, uint64_t version);
void wedr_admin_etag(struct wedr_request *rq, uint64_t version);
/* The problem for an error of the store: 404, 409, 412, 422 or 503. */
void wedr_admin_answer_error(struct wedr_request *rq, int err);
/* 204, or the problem of err. */
void wedr_admin_answer_done(struct wedr_request *rq, int err);
/* The body as an object that knows these keys only (blank-separated). NULL: it was answered. */
json_t *wedr_admin_body(struct wedr_request *rq, const char *keys);
/* limit of a list, 1..1000. False: it was answered. */
bool wedr_admin_limit(struct wedr_request *rq, uint32_t *ret);
/* An id of digits from the path; false: it was answered with 404. */
bool wedr_admin_id(struct wedr_request *rq, const char *name, int64_t *ret);
/* The cursor of a list that goes by id: 0 when absent. False: it was answered. */
bool wedr_admin_cursor(struct wedr_request *rq, int64_t *ret);
/* A time parameter; fallback when absent. False: it was answered. */
bool wedr_admin_time(struct wedr_request *rq, const char *name, int64_t fallback, int64_t *ret_us);
json_t *wedr_admin_json_time(int64_t us); /* 0: null */
json_t *wedr_admin_json_id(int64_t id);
