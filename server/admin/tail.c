/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/tail.h"
#include "core/base/err.h"
#include "ingest/line_schema.h"
#include "wedr/wire/schema.h"
#include <string.h>

/* Names of event types, with commas, as stored codes. */
static bool read_types(const char *text, bool types[256])
{
    memset(types, 0, 256 * sizeof(*types));
    for (const char *s = text;; s += strcspn(s, ",") + 1) {
        size_t n = strcspn(s, ",");
        const struct wedr_type_info *t = wedr_type_by_name(s, n);
        bool plugin = n == 12 && memcmp(s, "plugin_event", 12) == 0;
        if (!plugin && (!t || t->code > 255)) {
            return false;
        }
        types[plugin ? WEDR_TYPE_CODE_PLUGIN : t->code] = true;
        if (s[n] == '\0') {
            return true;
        }
    }
}

static void refuse(struct wedr_request *rq)
{
    rq->retry_after_s = 10;
    wedr_answer_problem(rq, 429, "too many are watching: at most %u of a user, %u in all",
                        WEDR_TAIL_USER_MAX, WEDR_TAIL_WATCHERS_MAX);
    wedr_request_finish(rq);
}

static void
watch(struct wedr_server *s, struct wedr_request *rq, const struct wedr_tail_ask *wanted)
{
    /* The request is gone when the stream has begun: what it says is copied. */
    char groups[WEDR_GROUPS_MAX], agent_id[WEDR_AGENT_ID_TEXT] = "";
    struct wedr_tail_ask ask = *wanted;
    ask.user_id = rq->person->user_id;
    ask.again = wedr_request_header(rq, "Last-Event-ID") != NULL;
    if (wedr_tail_reserve(s->tail, ask.user_id) != WEDR_OK) {
        refuse(rq);
        return;
    }
    memcpy(groups, rq->person->group_text, sizeof(groups));
    ask.groups = rq->person->groups ? groups : NULL;
    if (wanted->agent_id) {
        (void)snprintf(agent_id, sizeof(agent_id), "%s", wanted->agent_id);
        ask.agent_id = agent_id;
    }
    struct wedr_answer_stream *st = wedr_stream_begin(rq, "text/event-stream", WEDR_TAIL_BUFFER);
    if (st) {
        wedr_tail_add_take(s->tail, &ask, st);
        return;
    }
    wedr_tail_release(s->tail, ask.user_id);
    wedr_admin_answer_error(rq, WEDR_E_NOMEM);
    wedr_request_finish(rq);
}

static void run_events(void *arg, struct wedr_request *rq)
{
    bool types[256];
    const char *names = wedr_request_query(rq, "type");
    struct wedr_tail_ask ask = {.agent_id = wedr_request_query(rq, "endpoint")};
    if (ask.agent_id && !wedr_data_endpoint(arg, rq, ask.agent_id)) {
        wedr_request_finish(rq);
        return;
    }
    if (names && !read_types(names, types)) {
        wedr_answer_problem(rq, 400, "there is no such event type");
        wedr_request_finish(rq);
        return;
    }
    ask.types = names ? types : NULL;
    watch(arg, rq, &ask);
}

static void run_alerts(void *arg, struct wedr_request *rq)
{
    struct wedr_tail_ask ask = {.alerts = true};
    watch(arg, rq, &ask);
}

const struct wedr_route wedr_tail_routes[] = {
    {.method = "GET",
     .pattern = "/api/v1/events/tail",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_CONTROL,
     .run = run_events,
     .query = "endpoint type",
     .operation = "tailEvents",
     .need = WEDR_NEED_READ,
     .finishes = true},
    {.method = "GET",
     .pattern = "/api/v1/alerts/stream",
     .auth = WEDR_ROUTE_PERSON,
     .lane = WEDR_RUN_CONTROL,
     .run = run_alerts,
     .operation = "streamAlerts",
     .need = WEDR_NEED_READ,
     .finishes = true},
};
const size_t wedr_tail_route_count = WEDR_ARRAY_COUNT(wedr_tail_routes);
