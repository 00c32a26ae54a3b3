/* SPDX-License-Identifier: Apache-2.0
 *
 * server/http/http.h — the HTTPS listener: TLS 1.2 or newer, one route table, bounded requests. Its
 * threads never block: a request is collected into its own bounded buffer, suspended, handed to
 * `submit`, and answered when somebody calls wedr_request_finish. Deadlines cover whole requests,
 * suspended or not.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/buf.h"
#include "core/util/errinfo.h"
#include "http/route.h"
#include "http/stream.h"
#include "http/uri.h"
#include "store/state.h"
#include "wedr/plat/fs.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_HTTP_HEADERS_MAX 64u
#define WEDR_HTTP_ANSWER_MAX (1u << 20)
#define WEDR_HTTP_PERSON_ANSWER_MAX (64u << 20) /* of a person's route */
#define WEDR_HTTP_ANSWER_HEADERS_MAX 8u
/* A refused request's body up to here is read and dropped, so that a client that is still sending
 * gets the answer; larger ones are cut off. */
#define WEDR_HTTP_DRAIN_MAX (512u << 10) /* twice the largest of a person's route */
/* The same of an agent that is asked to come again (429, 503). Its connection stays: another
 * handshake would cost more than the bytes, just when there is too much to do. */
#define WEDR_HTTP_DRAIN_AGENT_MAX (1u << 20)

struct wedr_http_header_in {
    const char *name, *value; /* borrowed for the request's life */
    size_t name_len, value_len;
};

/* The client's certificate, looked at once per connection. */
struct wedr_tls_peer {
    bool present;
    bool valid; /* chains to our CA, for clientAuth, and in time when the request came */
    char common_name[64];
    char sha256[65];
    uint8_t *der; /* owned by the connection */
    size_t der_len;
};

/* Bytes that several answers send at the same time. Freed with the last reference; any thread. */
struct wedr_shared;
/* A copy of p with one reference. NULL when out of memory. */
WEDR_MUST_USE struct wedr_shared *wedr_shared_new(const void *p, size_t len);
struct wedr_shared *wedr_shared_ref(struct wedr_shared *b);
void wedr_shared_unref(struct wedr_shared *b); /* NULL is allowed */
struct wedr_span wedr_shared_span(const struct wedr_shared *b);

struct wedr_request {
    const struct wedr_route *route; /* NULL until matched */
    const char *path;               /* as received, without the query; borrowed for its life */
    struct wedr_route_params params;
    struct wedr_uri_query query;
    char path_id[WEDR_ROUTE_ID_MAX]; /* of an agent's route: its "{id}" */
    const struct wedr_tls_peer *peer;
    uint8_t addr_key[16]; /* of the client, see wedr_net_peer */
    char addr_text[48];
    struct wedr_http_header_in headers[WEDR_HTTP_HEADERS_MAX];
    size_t header_count;
    uint64_t content_length;
    uint8_t *body; /* owned; content_length bytes when complete */
    size_t body_len;
    /* The answer. */
    int status; /* 0: none yet */
    struct wedr_buf answer;
    const char *content_type;
    struct wedr_shared *shared; /* takes the place of answer; a reference of the request's */
    char etag[68];              /* header ETag with its quotes; "" none */
    uint32_t retry_after_s;
    struct wedr_answer_header {
        const char *name; /* constant */
        char *value;      /* owned */
    } out[WEDR_HTTP_ANSWER_HEADERS_MAX];
    size_t out_count;
    struct wedr_answer_stream *stream; /* see stream.h; a reference of the request's */
    /* For the application. */
    struct wedr_person *person;  /* of a person's route, after authentication; owned */
    struct wedr_agent_row agent; /* of an agent's route, after authentication */
    bool cert_is_next;
    void *app;
    struct wedr_request *next; /* in a queue */
    void *http;                /* for server/http */
};

/* Value of a header (name without regard to case), NULL when absent or given twice. */
const char *wedr_request_header(const struct wedr_request *rq, const char *name);

/* A "{name}" of the route's pattern; "" when it has none of this name. */
const char *wedr_request_param(const struct wedr_request *rq, const char *name);
/* A query parameter, NULL when absent. Names that the route does not list never get here. */
const char *wedr_request_query(const struct wedr_request *rq, const char *name);
/* Value of a cookie into ret; false when absent, given twice, or cap bytes and longer. */
bool wedr_request_cookie(const struct wedr_request *rq, const char *name, char *ret, size_t cap);

/* Adds a header to the answer; name is constant. It takes the place of the default Cache-Control.
 * Too many, too long (4 KiB) or with control characters: the answer becomes a 500. */
void wedr_answer_header(struct wedr_request *rq, const char *name, const char *fmt, ...)
    WEDR_PRINTF(3, 4);
/* 204. */
void wedr_answer_empty(struct wedr_request *rq);
/* The answer is application/problem+json (RFC 9457) with this detail. */
void wedr_answer_problem(struct wedr_request *rq, int status, const char *fmt, ...)
    WEDR_PRINTF(3, 4);
/* The answer is what was put into rq->answer. */
void wedr_answer_json(struct wedr_request *rq, int status);
/* The answer is these bytes (a reference is taken), application/octet-stream. */
void wedr_answer_bytes(struct wedr_request *rq, struct wedr_shared *bytes);
/* 304: nothing but the ETag. */
void wedr_answer_unchanged(struct wedr_request *rq);

struct wedr_http_hooks {
    void *arg;
    /* Headers are read, the body is not. May refuse by answering; called for matched routes only.
     * Sees who is asking. */
    void (*begin)(void *arg, struct wedr_request *rq);
    /* The request is complete and suspended: give it to another thread. Must take it. */
    void (*submit)(void *arg, struct wedr_request *rq);
    /* Whatever happened (answered or broken off): the last call for rq. */
    void (*end)(void *arg, struct wedr_request *rq);
    /* An answer was sent with this status. */
    void (*answered)(void *arg, int status);
};

struct wedr_http_server_cfg {
    wedr_handle listener; /* taken over, also on errors */
    const char *chain_pem, *key_pem, *client_ca_pem;
    unsigned threads;
    unsigned connections_max, connections_per_address;
    size_t connection_memory;    /* request line and headers fit into it, else 431 */
    uint32_t header_deadline_ms; /* from accept to the end of the first request's headers */
    uint32_t keepalive_ms;       /* from an answer to the end of the next request's headers */
    uint32_t body_deadline_ms;   /* from there to the end of the body, routes of agents */
    uint32_t open_deadline_ms;   /* the same for routes that need no certificate */
    uint32_t work_deadline_ms;   /* from the whole request to the end of the answer */
    const struct wedr_route *routes;
    size_t route_count;
    const struct wedr_route *fallback; /* of a GET that no route knows; its pattern and query are
                                          not looked at. NULL: that is a 404 */
};

struct wedr_http_server_stats {
    uint64_t accepted, refused_tls, deadline;
    uint64_t open;
};

struct wedr_http_server;

WEDR_MUST_USE int wedr_http_server_start(const struct wedr_http_server_cfg *cfg,
                                         const struct wedr_http_hooks *hooks,
                                         struct wedr_http_server **ret,
                                         struct wedr_errinfo *ei);
/* New handshakes use this certificate from now on; chain and key are copied. */
WEDR_MUST_USE int wedr_http_server_cert(struct wedr_http_server *s,
                                        const char *chain_pem,
                                        const char *key_pem,
                                        struct wedr_errinfo *ei);
/* Ends new connections at once and answers new requests on open ones with 503. */
void wedr_http_server_quiesce(struct wedr_http_server *s);
/* Requests between their headers and their answer. */
unsigned wedr_http_server_busy(const struct wedr_http_server *s);
void wedr_http_server_stats(const struct wedr_http_server *s, struct wedr_http_server_stats *ret);
/* Every suspended request must have been finished. NULL is allowed. */
void wedr_http_server_stop(struct wedr_http_server *s);

/* The answer in rq is ready; any thread, once. rq must not be touched afterwards. */
void wedr_request_finish(struct wedr_request *rq);
