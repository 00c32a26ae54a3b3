/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/meta.h"
#include "admin/admin.h"
#include "admin/openapi.h"

static void run_openapi(void *arg, struct wedr_request *rq)
{
    (void)arg;
    wedr_buf_add(&rq->answer, wedr_openapi_json, wedr_openapi_json_len);
    wedr_answer_json(rq, 200);
}

const struct wedr_route wedr_meta_routes[] = {
    {.method = "GET",
     .pattern = "/api/v1/openapi.json",
     .auth = WEDR_ROUTE_OPEN,
     .lane = WEDR_RUN_INLINE,
     .run = run_openapi,
     .operation = "getOpenapi"},
};
const size_t wedr_meta_route_count = WEDR_ARRAY_COUNT(wedr_meta_routes);
