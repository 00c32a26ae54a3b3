/* SPDX-License-Identifier: Apache-2.0
 *
 * server/admin/data.h — what the routes over events, alerts and endpoints share: the asker's scope
 * as the stores want it, versions as ETags, lists of words, rows of a query. For server/admin.
 */
#pragma once

#include "admin/admin.h"
#include "admin/cursor.h"
#include "admin/out.h"
#include "store/query.h"
#include "store/state_triage.h"

#define WEDR_PAGE_BYTES ((size_t)4 << 20) /* a page of events ends early beyond this */

/* Which endpoints a person sees. Refers to the person. */
struct wedr_asker {
    struct wedr_scope scope;
    const char *groups[WEDR_SCOPE_GROUPS_MAX];
};
void wedr_asker_of(const struct wedr_person *p, struct wedr_asker *ret);

/* The same as a list of endpoints, as of now. */
struct wedr_seen {
    struct wedr_query_scope list;
    const struct wedr_query_scope *scope; /* &list; NULL: every endpoint */
    char (*ids)[WEDR_AGENT_ID_TEXT];
    const char **names; /* sorted */
    size_t count, cap;
};
WEDR_MUST_USE int
wedr_seen_load(struct wedr_server *s, const struct wedr_scope *scope, struct wedr_seen *ret);
void wedr_seen_fini(struct wedr_seen *v);
bool wedr_seen_has(const struct wedr_seen *v, const char *agent_id);

/* True when the endpoint exists for the person; else it was answered. */
bool wedr_data_endpoint(struct wedr_server *s, struct wedr_request *rq, const char *agent_id);

/* Splits "a,b" in a copy of at most cap bytes. False: too long, too many, or an empty word. */
bool wedr_data_words(
    const char *list, char *copy, size_t cap, const char **words, size_t max, size_t *ret_count);

/* One query for a person's request. Everything is answered when it fails: false. */
struct wedr_rows {
    const char *sql;
    const struct wedr_query_value *params;
    size_t param_count;
    const struct wedr_query_scope *scope;
    uint64_t rows_max, bytes_max;
    int (*columns)(void *arg, const char *const *names, size_t count);
    int (*row)(void *arg, const struct wedr_query_value *v, size_t count);
    void *arg;
    struct wedr_query_result result; /* set */
};
bool wedr_data_rows(struct wedr_server *s, struct wedr_request *rq, struct wedr_rows *q);
/* The same without an answer. WEDR_E_FULL: row said that it has enough, which is no error. */
WEDR_MUST_USE int
wedr_data_query(struct wedr_server *s, struct wedr_rows *q, struct wedr_errinfo *ei);
void wedr_data_query_failed(struct wedr_request *rq,
                            const struct wedr_rows *q,
                            int err,
                            const struct wedr_errinfo *ei);

/* A text value with a NUL, cut at cap; "" for anything else. */
void wedr_value_text(const struct wedr_query_value *v, char *ret, size_t cap);
/* Any value as JSON; blobs in hex. */
void wedr_value_out(struct wedr_out *o, const struct wedr_query_value *v);

/* The stored line with where it is from in front of its members. received_us 0, hostname NULL: left
 * out; a line that is no JSON object leaves `_damaged`; NULL: the line was not kept. */
void wedr_event_out(struct wedr_out *o,
                    const char *event_id,
                    const char *agent_id,
                    const char *hostname,
                    int64_t received_us,
                    const char *line,
                    size_t len);

/* Tables of routes. */
extern const struct wedr_route wedr_alert_routes[], wedr_endpoint_routes[], wedr_event_routes[],
    wedr_tree_routes[], wedr_ledger_routes[], wedr_export_routes[], wedr_tail_routes[];
extern const size_t wedr_alert_route_count, wedr_endpoint_route_count, wedr_event_route_count,
    wedr_tree_route_count, wedr_ledger_route_count, wedr_export_route_count, wedr_tail_route_count;
