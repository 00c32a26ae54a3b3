/* SPDX-License-Identifier: Apache-2.0
 * server/http/route.h — the table of what can be asked. Constant data, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_ROUTE_ID_MAX 37u     /* a UUID with NUL */
#define WEDR_ROUTE_PARAMS_MAX 3u  /* "{name}" segments of one pattern */
#define WEDR_ROUTE_PARAM_MAX 257u /* a decoded one with NUL */

struct wedr_request;

/* Who may ask: anybody; the agent of the path, by its certificate; a person, by session or API
 * token. */
enum wedr_route_auth { WEDR_ROUTE_OPEN, WEDR_ROUTE_AGENT, WEDR_ROUTE_PERSON };

/* What a person needs for a route of WEDR_ROUTE_PERSON. */
enum wedr_need {
    WEDR_NEED_SESSION, /* a session, also one that must change its password first; no API token */
    WEDR_NEED_SELF,    /* a session without such a duty; no API token */
    WEDR_NEED_READ,
    WEDR_NEED_TRIAGE,
    WEDR_NEED_RESPOND,
    WEDR_NEED_ADMIN,
    WEDR_NEED_TOKEN, /* an API token, whatever its scopes and its owner's duties; no session */
};

/* Where it runs: at once on the listener's thread (must not block), among control work (state
 * store), in ingest, among queries (events: may take seconds), among password hashes (slow and
 * large in memory, few at a time). */
enum wedr_route_lane {
    WEDR_RUN_INLINE,
    WEDR_RUN_CONTROL,
    WEDR_RUN_INGEST,
    WEDR_RUN_QUERY,
    WEDR_RUN_PASSWORD,
    WEDR_RUN_LANES,
};

struct wedr_route {
    const char *method;
    /* Segments; "{name}" stands for one: of an agent's route for a lower-case UUID, else for 1 to
     * 256 bytes of UTF-8 without '/' and control characters, percent-decoded. "*" alone: every path
     * that nothing else knows. */
    const char *pattern;
    enum wedr_route_auth auth;
    enum wedr_route_lane lane;
    size_t body_max; /* 0: no body */
    void (*begin)(void *arg,
                  struct wedr_request *rq); /* after authentication, before the body; may be NULL */
    void (*run)(void *arg, struct wedr_request *rq);
    /* Names of the query parameters, blank-separated; NULL: none. Others are refused unless
     * query_also knows them. */
    const char *query;
    bool (*query_also)(const char *name);
    const char *operation; /* operationId in admin/openapi.yaml; NULL: of agents, not in it */
    enum wedr_need need;
    bool finishes; /* run calls wedr_request_finish or wedr_stream_begin itself, exactly once */
};

struct wedr_route_params {
    size_t count;
    struct {
        char name[32];
        char value[WEDR_ROUTE_PARAM_MAX];
    } item[WEDR_ROUTE_PARAMS_MAX];
};

enum wedr_route_result { WEDR_ROUTE_FOUND, WEDR_ROUTE_NO_PATH, WEDR_ROUTE_NO_METHOD };

/* True for 8-4-4-4-12 lower-case hex digits. */
int wedr_route_is_uuid(const char *s, size_t len);
/* path begins with '/', as it was received, no query. Of several patterns that match, the one with
 * the fewest "{name}" counts. NO_METHOD: *ret_route is one that knows the path. */
enum wedr_route_result wedr_route_match(const struct wedr_route *table,
                                        size_t count,
                                        const char *method,
                                        const char *path,
                                        const struct wedr_route **ret_route,
                                        struct wedr_route_params *ret_params);
/* The methods of the routes with r's pattern, as header Allow has them; cut at cap. */
void wedr_route_allow(const struct wedr_route *table,
                      size_t count,
                      const struct wedr_route *r,
                      char *ret,
                      size_t cap);
