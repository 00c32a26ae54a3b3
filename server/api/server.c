/* SPDX-License-Identifier: Apache-2.0 */
#include "api/server.h"
#include "admin/admin.h"
#include "admin/export.h"
#include "admin/tail.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "fleet/control.h"
#include "fleet/fleet.h"
#include "wedr/plat/net.h"
#include "wedr/plat/proc.h"
#include "wedr/plat/time.h"
#include <string.h>

#define PEM_MAX 65536u
#define NAMES_MAX 8192u
#define NAMES_EVERY_MS 60000u

static void run_healthz(void *arg, struct wedr_request *rq)
{
    (void)arg;
    wedr_buf_adds(&rq->answer, "{\"ok\":true,\"version\":\"" WEDR_SERVER_VERSION "\"}");
    wedr_answer_json(rq, 200);
}

static void run_readyz(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    if (!atomic_load(&s->store_ok)) {
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "the last batch could not be stored");
        return;
    }
    wedr_buf_adds(&rq->answer, "{\"ready\":true}");
    wedr_answer_json(rq, 200);
}

static void run_metrics(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    struct wedr_http_server_stats http;
    wedr_http_server_stats(s->http, &http);
    wedr_metrics_write(&s->metrics, &http, &rq->answer);
    if (s->d.detect) {
        struct wedr_detect_stats detect;
        wedr_detect_stats(s->d.detect, &detect);
        wedr_metrics_detect(&detect, &rq->answer);
    }
    wedr_answer_json(rq, 200);
    if (rq->status == 200) {
        rq->content_type = "text/plain; version=0.0.4; charset=utf-8";
    }
}

const struct wedr_route wedr_agent_routes[] = {
    {.method = "GET", .pattern = "/healthz", .lane = WEDR_RUN_INLINE, .run = run_healthz},
    {.method = "GET", .pattern = "/readyz", .lane = WEDR_RUN_INLINE, .run = run_readyz},
    {.method = "GET", .pattern = "/metrics", .lane = WEDR_RUN_INLINE, .run = run_metrics},
    {.method = "POST",
     .pattern = "/api/v1/agents/enroll",
     .lane = WEDR_RUN_CONTROL,
     .body_max = WEDR_FLEET_BODY_MAX,
     .begin = wedr_api_enroll_begin,
     .run = wedr_api_enroll},
    {.method = "POST",
     .pattern = "/api/v1/agents/{id}/renew",
     .auth = WEDR_ROUTE_AGENT,
     .lane = WEDR_RUN_CONTROL,
     .body_max = WEDR_FLEET_BODY_MAX,
     .run = wedr_api_renew},
    {.method = "POST",
     .pattern = "/api/v1/agents/{id}/heartbeat",
     .auth = WEDR_ROUTE_AGENT,
     .lane = WEDR_RUN_CONTROL,
     .body_max = WEDR_FLEET_BODY_MAX,
     .run = wedr_api_heartbeat},
    {.method = "GET",
     .pattern = "/api/v1/agents/{id}/rules",
     .auth = WEDR_ROUTE_AGENT,
     .lane = WEDR_RUN_CONTROL,
     .run = wedr_api_rules},
    {.method = "GET",
     .pattern = "/api/v1/agents/{id}/commands",
     .auth = WEDR_ROUTE_AGENT,
     .lane = WEDR_RUN_CONTROL,
     .run = wedr_api_commands},
    {.method = "POST",
     .pattern = "/api/v1/agents/{id}/commands/{command}/ack",
     .auth = WEDR_ROUTE_AGENT,
     .lane = WEDR_RUN_CONTROL,
     .body_max = WEDR_FLEET_BODY_MAX,
     .run = wedr_api_command_ack},
    {.method = "GET",
     .pattern = "/api/v1/agents/{id}/profile",
     .auth = WEDR_ROUTE_AGENT,
     .lane = WEDR_RUN_CONTROL,
     .run = wedr_api_profile},
    {.method = "GET",
     .pattern = "/api/v1/profiles/{profile}/template",
     .auth = WEDR_ROUTE_AGENT,
     .lane = WEDR_RUN_CONTROL,
     .run = wedr_api_template},
    {.method = "POST",
     .pattern = "/api/v1/agents/{id}/alerts",
     .auth = WEDR_ROUTE_AGENT,
     .lane = WEDR_RUN_CONTROL,
     .body_max = WEDR_FLEET_ALERTS_BODY_MAX,
     .run = wedr_api_alerts},
    {.method = "POST",
     .pattern = "/api/v1/agents/{id}/logs",
     .auth = WEDR_ROUTE_AGENT,
     .lane = WEDR_RUN_INGEST,
     .body_max = WEDR_BATCH_Z_MAX,
     .begin = wedr_api_logs_begin,
     .run = wedr_api_logs,
     .finishes = true},
};
const size_t wedr_agent_route_count = WEDR_ARRAY_COUNT(wedr_agent_routes);

static void run_console(void *arg, struct wedr_request *rq)
{
    const struct wedr_server *s = arg;
    if (!s->files || !wedr_static_answer(s->files, rq)) {
        wedr_answer_problem(rq, 404, "there is nothing at this path");
    }
}

static const struct wedr_route console_route = {.method = "GET",
                                                .pattern = "/",
                                                .auth = WEDR_ROUTE_OPEN,
                                                .lane = WEDR_RUN_INLINE,
                                                .run = run_console};

/* A folder that was named must be there; the one beside the program may be missing. */
static int load_console(struct wedr_server *s, struct wedr_errinfo *ei)
{
    const char *named = s->d.cfg->console_dir;
    char beside[1024];
    int err = named[0] ? WEDR_OK : wedr_proc_beside("console", beside, sizeof(beside));
    if (err == WEDR_OK) {
        err = wedr_static_load(named[0] ? named : beside, &s->files, ei);
    }
    if (err == WEDR_OK) {
        wedr_log(INFO, "console.files", WEDR_U64("count", wedr_static_count(s->files)));
    } else if (!named[0]) {
        wedr_log(WARN, "console.missing", WEDR_ERR(err));
        err = WEDR_OK;
    }
    return err;
}

static void on_begin(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    if (rq->route->auth == WEDR_ROUTE_AGENT) {
        wedr_api_authenticate(s, rq);
    } else if (rq->route->auth == WEDR_ROUTE_PERSON) {
        wedr_admin_authenticate(s, rq);
    }
    if (rq->status == 0 && rq->route->begin) {
        rq->route->begin(s, rq);
    }
}

static void on_submit(void *arg, struct wedr_request *rq)
{
    struct wedr_server *s = arg;
    if (!wedr_stages_submit(s->stages, rq)) {
        atomic_fetch_add(&s->metrics.overload_refused, 1);
        rq->retry_after_s = 2;
        wedr_answer_problem(rq, 429, "too many requests are waiting");
        wedr_request_finish(rq);
    }
}

static void on_end(void *arg, struct wedr_request *rq)
{
    wedr_api_logs_release(arg, rq);
}

static void on_answered(void *arg, int status)
{
    struct wedr_server *s = arg;
    wedr_metrics_answer(&s->metrics, status);
}

struct names {
    char text[NAMES_MAX];
    size_t len;
};

/* Names that could not stand in a certificate are left out; doubles too. */
static int add_name(void *arg, const char *name)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:";
    struct names *n = arg;
    size_t len = strlen(name);
    if (len == 0 || len > 253 || strspn(name, good) != len || len + 2 > sizeof(n->text) - n->len) {
        return 0;
    }
    for (const char *p = n->text; *p; p += strlen(p) + 1) {
        if (strcmp(p, name) == 0) {
            return 0;
        }
    }
    memcpy(n->text + n->len, name, len + 1);
    n->len += len + 1;
    n->text[n->len] = '\0';
    return 0;
}

static int server_cert(struct wedr_server *s,
                       struct wedr_buf *chain,
                       struct wedr_buf *key,
                       bool *ret_new,
                       struct wedr_errinfo *ei)
{
    struct names n = {"", 0};
    for (const char *p = s->d.cfg->names; *p; p += strlen(p) + 1) {
        (void)add_name(&n, p);
    }
    int err = wedr_net_names(add_name, &n);
    return err == WEDR_OK
               ? wedr_ca_server_cert(s->d.ca, n.text, wedr_time_utc_us(), chain, key, ret_new, ei)
               : err;
}

static void wipe(struct wedr_buf *b)
{
    if (b->p) {
        wedr_wipe(b->p, b->len);
    }
    wedr_buf_fini(b);
}

static int start_http(struct wedr_server *s, struct wedr_errinfo *ei)
{
    const struct wedr_server_cfg *c = s->d.cfg;
    struct wedr_buf chain, key;
    bool is_new = false;
    wedr_buf_init(&chain, PEM_MAX);
    wedr_buf_init(&key, PEM_MAX);
    int err = server_cert(s, &chain, &key, &is_new, ei);
    if (err == WEDR_OK) {
        struct wedr_http_server_cfg hc = {
            .listener = s->listener,
            .chain_pem = (const char *)chain.p,
            .key_pem = (const char *)key.p,
            .client_ca_pem = wedr_ca_pem(s->d.ca),
            .threads = (unsigned)c->http_threads,
            .connections_max = (unsigned)c->connections_max,
            .connections_per_address = (unsigned)c->connections_per_address,
            .connection_memory = c->header_bytes,
            .header_deadline_ms = (uint32_t)c->header_deadline_ms,
            .keepalive_ms = (uint32_t)c->keepalive_ms,
            .body_deadline_ms = (uint32_t)c->body_deadline_ms,
            .open_deadline_ms = (uint32_t)c->open_deadline_ms,
            .work_deadline_ms = (uint32_t)c->work_deadline_ms,
            .routes = s->routes,
            .route_count = s->route_count,
            .fallback = &console_route,
        };
        struct wedr_http_hooks hooks = {.arg = s,
                                        .begin = on_begin,
                                        .submit = on_submit,
                                        .end = on_end,
                                        .answered = on_answered};
        s->listener = WEDR_HANDLE_NONE;
        err = wedr_http_server_start(&hc, &hooks, &s->http, ei);
        wedr_log(INFO, "tls.certificate", WEDR_STR("state", is_new ? "issued" : "kept"));
    }
    wipe(&chain);
    wipe(&key);
    return err;
}

int wedr_server_start(const struct wedr_server_deps *deps,
                      char ret_address[64],
                      struct wedr_server **ret,
                      struct wedr_errinfo *ei)
{
    const struct wedr_server_cfg *c = deps->cfg;
    struct wedr_server *s = wedr_alloc(1, sizeof(*s));
    if (!s) {
        return WEDR_E_NOMEM;
    }
    s->d = *deps;
    s->listener = WEDR_HANDLE_NONE;
    s->metrics.start_us = wedr_time_utc_us();
    s->names_checked_ms = wedr_time_mono_ms();
    atomic_store(&s->store_ok, true);
    s->enroll_limit =
        wedr_limit_new((uint32_t)c->enroll_attempts_per_minute, (uint32_t)c->enrolments_per_minute);
    struct wedr_stages_cfg pc = {.workers = (unsigned)c->workers,
                                 .queries = (unsigned)c->query_threads,
                                 .commit_batches = (unsigned)c->commit_batches,
                                 .commit_bytes = c->commit_bytes,
                                 .commit_wait_us = c->commit_wait_us,
                                 .commit_longest_us = c->commit_longest_us,
                                 .events_ops = deps->events_ops,
                                 .events = deps->events,
                                 .metrics = &s->metrics,
                                 .arg = s};
    int err = s->enroll_limit ? wedr_stages_new(&pc, &s->stages) : WEDR_E_NOMEM;
    if (err == WEDR_OK) {
        err = wedr_admin_start(s);
    }
    if (err == WEDR_OK) {
        err = wedr_admin_routes(&s->routes, &s->route_count);
    }
    if (err == WEDR_OK) {
        err = load_console(s, ei);
    }
    struct wedr_tail_cfg tc = {deps->data_dir, deps->state_ops, deps->state, deps->events_ops,
                               deps->cfg->stream_life_ms};
    err = err == WEDR_OK ? wedr_tail_start(&tc, &s->tail) : err;
    err = err == WEDR_OK ? wedr_exports_new(&s->exports) : err;
    if (err == WEDR_OK) {
        err = wedr_net_listen(c->listen, 1024, &s->listener, ei);
    }
    if (err == WEDR_OK) {
        err = wedr_net_local(s->listener, ret_address, 64);
    }
    if (err == WEDR_OK) {
        err = start_http(s, ei);
    }
    if (err != WEDR_OK) {
        wedr_server_stop(s, 0);
        return err;
    }
    *ret = s;
    return WEDR_OK;
}

void wedr_server_tick(struct wedr_server *s)
{
    struct wedr_buf chain, key;
    struct wedr_errinfo ei = {""};
    bool is_new = false;
    wedr_admin_tick(s);
    if (wedr_time_mono_ms() - s->names_checked_ms < NAMES_EVERY_MS) {
        return;
    }
    s->names_checked_ms = wedr_time_mono_ms();
    wedr_buf_init(&chain, PEM_MAX);
    wedr_buf_init(&key, PEM_MAX);
    int err = server_cert(s, &chain, &key, &is_new, &ei);
    if (err == WEDR_OK && is_new) {
        err = wedr_http_server_cert(s->http, (const char *)chain.p, (const char *)key.p, &ei);
        wedr_log(INFO, "tls.certificate", WEDR_STR("state", "reissued"));
    }
    if (err != WEDR_OK) {
        wedr_log(ERROR, "tls.certificate_failed", WEDR_ERR(err), WEDR_STR("why", ei.text));
    }
    wipe(&chain);
    wipe(&key);
}

void wedr_server_stop(struct wedr_server *s, uint32_t grace_ms)
{
    if (!s) {
        return;
    }
    if (s->http) {
        uint64_t end = wedr_time_mono_ms() + grace_ms;
        wedr_http_server_quiesce(s->http);
        while (wedr_http_server_busy(s->http) && wedr_time_mono_ms() < end) {
            wedr_time_sleep_ms(10);
        }
    }
    /* Answers what is still queued; then the listener, when nothing is suspended any more. A body
     * that ends in between finds a pipeline that refuses it. */
    if (s->stages) {
        wedr_stages_stop(s->stages);
    }
    wedr_tail_stop(s->tail); /* the listener closed all streams */
    wedr_exports_free(s->exports);
    wedr_http_server_stop(s->http);
    wedr_stages_free(s->stages);
    wedr_fs_close(s->listener);
    wedr_limit_free(s->enroll_limit);
    wedr_api_rules_fini(s);
    wedr_api_profile_fini(s);
    wedr_free(s->routes);
    wedr_static_free(s->files);
    wedr_admin_stop(s);
    wedr_free_secret(s, sizeof(*s));
}
