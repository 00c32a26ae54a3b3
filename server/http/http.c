/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "http/conn.h"
#include "http/park.h"
#include "http/request.h"
#include "http/stream_mhd.h"
#include "http/tls.h"
#include "wedr/plat/fs.h"
#include "wedr/plat/net.h"
#include "wedr/plat/thread.h"
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

#define HTTP_MAGIC 0x57485454u

struct wedr_http_server {
    uint32_t magic;
    struct wedr_http_server_cfg cfg;
    struct wedr_http_hooks hooks;
    struct wedr_conns *conns;
    struct wedr_park *park;
    struct MHD_Daemon *daemon;
    char *client_ca;
    atomic_uint busy;
    atomic_bool quiet;
    struct wedr_mutex *streams_lock;
    struct exchange *streams; /* with rq.stream */
    _Atomic uint64_t refused_tls;
};

/* One request between MHD and us. */
struct exchange {
    struct wedr_request rq; /* first: rq->http points back here */
    struct wedr_http_server *s;
    struct MHD_Connection *mhd;
    struct wedr_conn *conn;
    char *uri; /* owned: as received; cut at its '?' */
    const char *query_text;
    size_t uri_len;
    bool counted;  /* in busy */
    bool checked;  /* the headers are sound */
    bool begun;    /* hooks.begin was called: hooks.end will be */
    bool draining; /* refused; what is still to come of the body is dropped */
    bool submitted;
    struct exchange *stream_prev, *stream_next;
};

static struct wedr_conn *conn_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return i ? i->socket_context : NULL;
}

/* In the place of MHD_quiesce_daemon(): that takes the listening socket out of the threads' epoll
 * sets while they may be doing the same, and the one that comes second ends the process. */
static enum MHD_Result on_accept(void *cls, const struct sockaddr *address, socklen_t len)
{
    const struct wedr_http_server *s = cls;
    (void)address;
    (void)len;
    return atomic_load(&s->quiet) ? MHD_NO : MHD_YES;
}

static void on_connection(void *cls,
                          struct MHD_Connection *mhd,
                          void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct wedr_http_server *s = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *i =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = i ? wedr_conns_add(s->conns, i->connect_fd, s->cfg.header_deadline_ms) : NULL;
        if (*context) {
            wedr_park_adopt(s->park, *context, mhd);
        }
    } else if (*context) {
        wedr_park_forget(*context);
        wedr_conns_remove(s->conns, *context);
        *context = NULL;
    }
}

static enum MHD_Result
add_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct wedr_request *rq = cls;
    (void)kind;
    if (wedr_request_add_header(rq, name, value) != 0) {
        wedr_answer_problem(rq, 431, "more than %u headers", WEDR_HTTP_HEADERS_MAX);
        return MHD_NO;
    }
    return MHD_YES;
}

static void forget_shared(void *bytes)
{
    wedr_shared_unref(bytes);
}

/* Nothing is copied: MHD holds a reference of its own or takes the memory over. */
static struct MHD_Response *make_response(struct wedr_request *rq)
{
    if (rq->stream) {
        return wedr_stream_response(rq->stream);
    }
    if (!rq->shared) {
        struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback(
            rq->answer.len, rq->answer.p, wedr_free);
        if (r) {
            memset(&rq->answer, 0, sizeof(rq->answer));
        }
        return r;
    }
    struct wedr_span s = wedr_shared_span(rq->shared);
    struct MHD_Response *r = MHD_create_response_from_buffer_with_free_callback_cls(
        s.len, (void *)(uintptr_t)s.p, forget_shared, wedr_shared_ref(rq->shared));
    if (!r) {
        wedr_shared_unref(rq->shared);
    }
    return r;
}

static void add_headers(struct exchange *x, struct MHD_Response *r, bool close_it)
{
    struct wedr_request *rq = &x->rq;
    const struct wedr_http_server_cfg *cfg = &x->s->cfg;
    char text[128];
    bool cache = false;
    if (rq->content_type) {
        (void)MHD_add_response_header(r, "Content-Type", rq->content_type);
    }
    if (rq->etag[0]) {
        (void)MHD_add_response_header(r, "ETag", rq->etag);
    }
    for (size_t i = 0; i < rq->out_count; i++) {
        (void)MHD_add_response_header(r, rq->out[i].name, rq->out[i].value);
        cache = cache || strcmp(rq->out[i].name, "Cache-Control") == 0;
    }
    if (!cache) {
        (void)MHD_add_response_header(r, "Cache-Control", "no-store");
    }
    (void)MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (rq->status == 405 && rq->route) {
        wedr_route_allow(cfg->routes, cfg->route_count, rq->route, text, sizeof(text));
        (void)MHD_add_response_header(r, "Allow", text);
    }
    if (rq->retry_after_s) {
        (void)snprintf(text, sizeof(text), "%u", rq->retry_after_s);
        (void)MHD_add_response_header(r, "Retry-After", text);
    }
    if (close_it || atomic_load(&x->s->quiet)) {
        (void)MHD_add_response_header(r, "Connection", "close");
    }
}

static enum MHD_Result send_answer(struct exchange *x, bool close_it)
{
    struct wedr_request *rq = &x->rq;
    struct MHD_Response *r = make_response(rq);
    if (!r) {
        return MHD_NO;
    }
    add_headers(x, r, close_it);
    if (x->s->hooks.answered) {
        x->s->hooks.answered(x->s->hooks.arg, rq->status);
    }
    enum MHD_Result done = MHD_queue_response(x->mhd, (unsigned)rq->status, r);
    MHD_destroy_response(r);
    return done;
}

static void read_query(struct exchange *x)
{
    struct wedr_request *rq = &x->rq;
    struct wedr_errinfo ei = {""};
    if (!x->query_text) {
        return;
    }
    if (!rq->route->query && !rq->route->query_also) {
        wedr_answer_problem(rq, 400, "no query is understood here");
        return;
    }
    int err = wedr_uri_query_parse(x->query_text, &rq->query, &ei);
    if (err == WEDR_E_NOMEM) {
        rq->retry_after_s = 5;
        wedr_answer_problem(rq, 503, "out of memory");
    } else if (err != WEDR_OK) {
        wedr_answer_problem(rq, 400, "%s", ei.text);
    } else {
        wedr_request_check_query(rq);
    }
}

static void match(struct exchange *x, const char *method)
{
    struct wedr_request *rq = &x->rq;
    const struct wedr_http_server_cfg *cfg = &x->s->cfg;
    char allow[128];
    switch (wedr_route_match(cfg->routes, cfg->route_count, method, rq->path, &rq->route,
                             &rq->params)) {
    case WEDR_ROUTE_NO_PATH:
        if (cfg->fallback && strcmp(method, "GET") == 0 && rq->content_length == 0) {
            rq->route = cfg->fallback;
        } else {
            wedr_answer_problem(rq, 404, "there is nothing at this path");
        }
        return;
    case WEDR_ROUTE_NO_METHOD:
        wedr_route_allow(cfg->routes, cfg->route_count, rq->route, allow, sizeof(allow));
        wedr_answer_problem(rq, 405, "this path answers %s", allow);
        return;
    case WEDR_ROUTE_FOUND:
        break;
    }
    if (rq->route->auth == WEDR_ROUTE_AGENT) {
        (void)snprintf(rq->path_id, sizeof(rq->path_id), "%s", wedr_request_param(rq, "id"));
    } else if (rq->route->auth == WEDR_ROUTE_PERSON) {
        rq->answer.max = WEDR_HTTP_PERSON_ANSWER_MAX;
    }
    if (rq->route->body_max == 0 && rq->content_length != 0) {
        wedr_answer_problem(rq, 413, "this request has no body");
    } else if (rq->route->body_max && !wedr_request_header(rq, "Content-Length")) {
        wedr_answer_problem(rq, 411, "Content-Length is required");
    } else if (rq->content_length > rq->route->body_max) {
        wedr_answer_problem(rq, 413, "the body is larger than %zu bytes", rq->route->body_max);
    } else {
        read_query(x);
    }
}

static void look_at_peer(struct exchange *x)
{
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    wedr_net_peer(i ? i->client_addr : NULL, x->rq.addr_key, x->rq.addr_text,
                  sizeof(x->rq.addr_text));
    if (x->rq.route && x->rq.route->auth == WEDR_ROUTE_AGENT) {
        i = MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
        if (i) {
            x->rq.peer = wedr_conn_peer(x->conn, i->tls_session);
        }
    }
}

/* Headers are complete. Everything that can be refused is refused here, before the body is read. */
static void begin(struct exchange *x, const char *method, const char *version)
{
    struct wedr_request *rq = &x->rq;
    const struct wedr_http_server_cfg *cfg = &x->s->cfg;
    (void)MHD_get_connection_values(x->mhd, MHD_HEADER_KIND, add_header, rq);
    if (rq->status == 0) {
        const union MHD_ConnectionInfo *i =
            MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
        wedr_request_check(rq, strcmp(version, "HTTP/1.1") == 0,
                           strlen(method) + 1 + x->uri_len + 1 + strlen(version),
                           i ? i->header_size : 0);
        x->checked = rq->status == 0;
    }
    if (rq->status == 0 && atomic_load(&x->s->quiet)) {
        rq->retry_after_s = 2;
        wedr_answer_problem(rq, 503, "the server is stopping");
    }
    if (rq->status == 0) {
        match(x, method);
    }
    if (rq->status == 0) {
        look_at_peer(x);
        x->s->hooks.begin(x->s->hooks.arg, rq);
        x->begun = true;
    }
    if (rq->status == 0 && rq->content_length) {
        rq->body = wedr_alloc(1, rq->content_length);
        if (!rq->body) {
            rq->retry_after_s = 5;
            wedr_answer_problem(rq, 503, "out of memory");
        }
    }
    wedr_conn_deadline(x->conn, rq->route && rq->route->auth == WEDR_ROUTE_AGENT
                                    ? cfg->body_deadline_ms
                                    : cfg->open_deadline_ms);
}

static void free_exchange(struct exchange *x)
{
    wedr_free(x->rq.body);
    wedr_buf_fini(&x->rq.answer);
    wedr_shared_unref(x->rq.shared);
    wedr_stream_unref(x->rq.stream);
    wedr_free(x->rq.person);
    wedr_uri_query_fini(&x->rq.query);
    for (size_t i = 0; i < x->rq.out_count; i++) {
        wedr_free(x->rq.out[i].value);
    }
    wedr_free_secret(x->uri, x->uri ? x->uri_len : 0);
    wedr_free(x);
}

/* The request line is there: the only place where MHD shows it as it was received. */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct wedr_http_server *s = cls;
    struct wedr_conn *conn = conn_of(mhd);
    struct exchange *x = conn ? wedr_alloc(1, sizeof(*x)) : NULL;
    if (!x) {
        return NULL;
    }
    x->s = s;
    x->mhd = mhd;
    x->conn = conn;
    conn->spoke = true;
    x->rq.http = x;
    wedr_buf_init(&x->rq.answer, WEDR_HTTP_ANSWER_MAX);
    x->uri_len = strlen(uri);
    x->uri = wedr_strndup(uri, x->uri_len);
    if (!x->uri) {
        free_exchange(x);
        return NULL;
    }
    char *query = strchr(x->uri, '?');
    if (query) {
        *query = '\0';
        x->query_text = query + 1;
    }
    x->rq.path = x->uri;
    return x;
}

/* Paths and queries are decoded by http/uri.h alone. */
static size_t keep_escaped(void *cls, struct MHD_Connection *mhd, char *s)
{
    (void)cls;
    (void)mhd;
    return strlen(s);
}

static enum MHD_Result take_body(struct exchange *x, const char *data, size_t *size)
{
    struct wedr_request *rq = &x->rq;
    if (!rq->body || *size > rq->content_length - rq->body_len) {
        return MHD_NO;
    }
    memcpy(rq->body + rq->body_len, data, *size);
    rq->body_len += *size;
    *size = 0;
    return MHD_YES;
}

/* Whether the rest of a refused request is read before the answer: it is small, both sides agree
 * on its length, and the client does not wait for a sign to send it. */
static bool worth_draining(const struct wedr_request *rq)
{
    size_t max = wedr_request_may_stay(rq) ? WEDR_HTTP_DRAIN_AGENT_MAX : WEDR_HTTP_DRAIN_MAX;
    return rq->content_length > 0 && rq->content_length <= max &&
           !wedr_request_header(rq, "Expect");
}

static enum MHD_Result first_call(struct exchange *x, const char *method, const char *version)
{
    x->counted = true;
    atomic_fetch_add(&x->s->busy, 1);
    begin(x, method, version);
    if (x->rq.status == 0) {
        return MHD_YES;
    }
    x->draining = x->checked && worth_draining(&x->rq);
    return x->draining ? MHD_YES : send_answer(x, true);
}

static enum MHD_Result on_request(void *cls,
                                  struct MHD_Connection *mhd,
                                  const char *url,
                                  const char *method,
                                  const char *version,
                                  const char *upload_data,
                                  size_t *upload_data_size,
                                  void **con_cls)
{
    struct wedr_http_server *s = cls;
    struct exchange *x = *con_cls;
    (void)url;
    if (!x) {
        return MHD_NO;
    }
    if (!x->counted) {
        return first_call(x, method, version);
    }
    if (*upload_data_size && x->draining) {
        *upload_data_size = 0;
        return MHD_YES;
    }
    if (*upload_data_size) {
        return take_body(x, upload_data, upload_data_size);
    }
    if (x->draining) {
        return send_answer(x, !wedr_request_may_stay(&x->rq));
    }
    if (!x->submitted) {
        x->submitted = true;
        if (x->rq.body_len != x->rq.content_length) {
            return MHD_NO;
        }
        wedr_conn_deadline(x->conn, s->cfg.work_deadline_ms);
        if (x->rq.route->lane == WEDR_RUN_INLINE) {
            x->rq.route->run(s->hooks.arg, &x->rq);
            return send_answer(x, false);
        }
        MHD_suspend_connection(mhd);
        s->hooks.submit(s->hooks.arg, &x->rq);
        return MHD_YES;
    }
    return x->rq.status ? send_answer(x, false) : MHD_NO;
}

static void forget_stream(struct exchange *x)
{
    struct wedr_http_server *s = x->s;
    wedr_mutex_lock(s->streams_lock);
    if (x->stream_prev) {
        x->stream_prev->stream_next = x->stream_next;
    } else {
        s->streams = x->stream_next;
    }
    if (x->stream_next) {
        x->stream_next->stream_prev = x->stream_prev;
    }
    wedr_mutex_unlock(s->streams_lock);
}

struct wedr_answer_stream *
wedr_stream_begin(struct wedr_request *rq, const char *content_type, size_t buffer_len)
{
    struct exchange *x = rq->http;
    struct wedr_http_server *s = x->s;
    struct wedr_answer_stream *st =
        wedr_stream_new(x->mhd, x->conn, s->cfg.work_deadline_ms, buffer_len);
    if (!st) {
        return NULL;
    }
    rq->stream = wedr_stream_ref(st);
    rq->content_type = content_type;
    rq->status = 200;
    wedr_mutex_lock(s->streams_lock);
    x->stream_next = s->streams;
    if (s->streams) {
        s->streams->stream_prev = x;
    }
    s->streams = x;
    bool quiet = atomic_load(&s->quiet);
    wedr_mutex_unlock(s->streams_lock);
    if (quiet) {
        wedr_stream_close(st);
    }
    wedr_request_finish(rq);
    return st;
}

static void on_completed(void *cls,
                         struct MHD_Connection *mhd,
                         void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct wedr_http_server *s = cls;
    struct exchange *x = *con_cls;
    (void)mhd;
    (void)code;
    if (!x) {
        return;
    }
    *con_cls = NULL;
    if (x->begun && s->hooks.end) {
        s->hooks.end(s->hooks.arg, &x->rq);
    }
    wedr_conn_deadline(x->conn, s->cfg.keepalive_ms);
    if (x->rq.stream) {
        forget_stream(x);
        wedr_stream_close(x->rq.stream);
    }
    bool counted = x->counted;
    free_exchange(x);
    if (counted) {
        atomic_fetch_sub(&s->busy, 1);
    }
}

void wedr_request_finish(struct wedr_request *rq)
{
    struct exchange *x = rq->http;
    MHD_resume_connection(x->mhd);
}

/* MHD's own messages (failed handshakes, malformed requests) are counted, never printed: their text
 * is the peer's. */
static void on_message(void *cls, const char *fmt, va_list ap)
{
    struct wedr_http_server *s = cls;
    (void)fmt;
    (void)ap;
    atomic_fetch_add(&s->refused_tls, 1);
}

static int start_daemon(struct wedr_http_server *s, struct wedr_errinfo *ei)
{
    const struct wedr_http_server_cfg *c = &s->cfg;
    unsigned longest_ms =
        c->body_deadline_ms > c->keepalive_ms ? c->body_deadline_ms : c->keepalive_ms;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, (intptr_t)c->listener, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)c->connections_max, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)c->connections_per_address, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)(longest_ms / 1000 + 1), NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_uri, s},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)keep_escaped, s},
        {MHD_OPTION_HTTPS_MEM_TRUST, 0, s->client_ca},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)WEDR_TLS_PRIORITIES},
        {c->threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, (intptr_t)c->threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    s->daemon = MHD_start_daemon(
        MHD_USE_TLS | MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
        0, on_accept, s, on_request, s, MHD_OPTION_EXTERNAL_LOGGER, on_message, s,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        s, MHD_OPTION_CONNECTION_MEMORY_LIMIT, c->connection_memory, MHD_OPTION_HTTPS_CERT_CALLBACK,
        wedr_tls_certificate, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    return s->daemon ? WEDR_OK : wedr_fail(ei, WEDR_E_TLS, "cannot start the HTTPS listener");
}

int wedr_http_server_start(const struct wedr_http_server_cfg *cfg,
                           const struct wedr_http_hooks *hooks,
                           struct wedr_http_server **ret,
                           struct wedr_errinfo *ei)
{
    struct wedr_http_server *s = wedr_alloc(1, sizeof(*s));
    if (!s) {
        wedr_fs_close(cfg->listener);
        return WEDR_E_NOMEM;
    }
    s->magic = HTTP_MAGIC;
    s->cfg = *cfg;
    s->hooks = *hooks;
    s->client_ca = wedr_strndup(cfg->client_ca_pem, strlen(cfg->client_ca_pem));
    s->streams_lock = wedr_mutex_new();
    int err = s->client_ca && s->streams_lock ? wedr_conns_new(&s->conns) : WEDR_E_NOMEM;
    err = err == WEDR_OK ? wedr_park_new(&s->park) : err;
    if (err == WEDR_OK) {
        err = wedr_tls_use(cfg->chain_pem, cfg->key_pem, ei);
    }
    *ret = s; /* requests come before start_daemon returns, and their handlers look here */
    if (err == WEDR_OK) {
        err = start_daemon(s, ei); /* MHD closes the listener from here on, also when it fails */
    } else {
        wedr_fs_close(cfg->listener);
    }
    if (err != WEDR_OK) {
        *ret = NULL;
        wedr_http_server_stop(s);
    }
    return err;
}

int wedr_http_server_cert(struct wedr_http_server *s,
                          const char *chain_pem,
                          const char *key_pem,
                          struct wedr_errinfo *ei)
{
    WEDR_OBJ_CHECK(s, HTTP_MAGIC);
    return wedr_tls_use(chain_pem, key_pem, ei);
}

void wedr_http_server_quiesce(struct wedr_http_server *s)
{
    wedr_mutex_lock(s->streams_lock);
    atomic_store(&s->quiet, true);
    for (struct exchange *x = s->streams; x; x = x->stream_next) {
        wedr_stream_close(x->rq.stream);
    }
    wedr_mutex_unlock(s->streams_lock);
}

unsigned wedr_http_server_busy(const struct wedr_http_server *s)
{
    return atomic_load(&s->busy);
}

void wedr_http_server_stats(const struct wedr_http_server *s, struct wedr_http_server_stats *ret)
{
    wedr_conns_counts(s->conns, &ret->accepted, &ret->open, &ret->deadline);
    ret->refused_tls = atomic_load(&s->refused_tls);
}

void wedr_http_server_stop(struct wedr_http_server *s)
{
    if (!s) {
        return;
    }
    wedr_park_end(s->park);
    if (s->daemon) {
        MHD_stop_daemon(s->daemon);
    }
    wedr_conns_free(s->conns);
    wedr_park_free(s->park);
    wedr_tls_forget();
    wedr_mutex_free(s->streams_lock);
    wedr_free(s->client_ca);
    s->magic = 0;
    wedr_free(s);
}
