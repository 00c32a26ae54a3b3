/* SPDX-License-Identifier: Apache-2.0
 * server/http/route.h — the table of what can be asked. Constant data, any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WEDR_ROUTE_ID_MAX 37u /* a UUID with NUL */

struct wedr_request;

enum wedr_route_auth { WEDR_ROUTE_OPEN, WEDR_ROUTE_AGENT };
/* Where it runs: at once on the listener's thread (must not block), among control work (state
 * store), in ingest. */
enum wedr_route_lane { WEDR_RUN_INLINE, WEDR_RUN_CONTROL, WEDR_RUN_INGEST };

struct wedr_route {
    const char *method;
    const char *pattern; /* segments; "{id}" stands for one lower-case UUID */
    enum wedr_route_auth auth;
    enum wedr_route_lane lane;
    size_t body_max; /* 0: no body */
    void (*begin)(void *arg,
                  struct wedr_request *rq); /* after authentication, before the body; may be NULL */
    void (*run)(void *arg, struct wedr_request *rq);
};

enum wedr_route_result { WEDR_ROUTE_FOUND, WEDR_ROUTE_NO_PATH, WEDR_ROUTE_NO_METHOD };

/* True for 8-4-4-4-12 lower-case hex digits. */
int wedr_route_is_uuid(const char *s, size_t len);
/* path begins with '/', no query. ret_id is "" when the pattern has no {id}. NO_METHOD: *ret_route
 * is one that knows the path. */
enum wedr_route_result wedr_route_match(const struct wedr_route *table,
                                        size_t count,
                                        const char *method,
                                        const char *path,
                                        const struct wedr_route **ret_route,
                                        char ret_id[WEDR_ROUTE_ID_MAX]);
