/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/platform/http_probe.h — certificates of a test and one request against its server.
 */
#pragma once

#include "plat_test.h"

#include "tls_server.h"
#include "wedr/plat/http.h"
#include <signal.h>

#define DAY 86400L

static struct test_cert ca, other_ca, server_cert, elsewhere_cert, old_cert, client_cert,
    foreign_leaf;

static inline int setup(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN); /* the test server's writes to clients that hung up */
    test_cert_make(&ca, "Test CA", NULL, NULL, 10 * DAY);
    test_cert_make(&other_ca, "Test CA", NULL, NULL, 10 * DAY); /* the same name, another key */
    test_cert_make(&server_cert, "server", "DNS:localhost,IP:127.0.0.1", &ca, DAY);
    test_cert_make(&elsewhere_cert, "server", "DNS:elsewhere.example,IP:10.1.2.3", &ca, DAY);
    test_cert_make(&old_cert, "server", "DNS:localhost,IP:127.0.0.1", &ca, 1800);
    test_cert_make(&client_cert, "agent-7", NULL, &ca, DAY);
    test_cert_make(&foreign_leaf, "server", "DNS:localhost,IP:127.0.0.1", &other_ca, DAY);
    return 0;
}

static inline int teardown(void **state)
{
    struct test_cert *all[] = {&ca,       &other_ca,    &server_cert, &elsewhere_cert,
                               &old_cert, &client_cert, &foreign_leaf};
    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        test_cert_free(all[i]);
    }
    return 0;
}

struct outcome {
    unsigned calls;
    int err, status;
    uint32_t retry_after_s;
    size_t body_len;
    char body[256];
    char ca_pem[4096];
    char error_text[256];
};

static inline void on_done(void *arg, const struct wedr_http_response *r)
{
    struct outcome *o = (struct outcome *)arg;
    o->calls++;
    o->err = r->err;
    o->status = r->status;
    o->retry_after_s = r->retry_after_s;
    o->body_len = r->body_len;
    (void)snprintf(o->body, sizeof(o->body), "%s", (const char *)r->body);
    (void)snprintf(o->ca_pem, sizeof(o->ca_pem), "%s", r->ca_pem == NULL ? "" : r->ca_pem);
    (void)snprintf(o->error_text, sizeof(o->error_text), "%s",
                   r->error_text == NULL ? "" : r->error_text);
}

static char url[64];

static inline const char *url_of(const struct tls_server *s, const char *host)
{
    (void)snprintf(url, sizeof(url), "https://%s:%u", host, s->port);
    return url;
}

static inline struct wedr_http_request get(const char *path)
{
    return (struct wedr_http_request){.method = "GET", .path = path, .response_max = 4096};
}

/* One request with cfg. */
static inline struct outcome ask(const struct wedr_http_cfg *cfg,
                                 const struct wedr_http_request *rq)
{
    struct outcome o = {0};
    struct wedr_http *h = NULL;
    assert_int_equal(wedr_http_new(cfg, &h, NULL), 0);
    assert_int_equal(wedr_http_once(h, rq, on_done, &o), 0);
    assert_int_equal(o.calls, 1);
    wedr_http_free(h);
    return o;
}

static inline struct outcome
ask_with(const struct tls_server *s, const char *host, const char *ca_pem, const char *sha256)
{
    struct wedr_http_cfg cfg = {.base_url = url_of(s, host),
                                .ca_pem = ca_pem,
                                .ca_sha256 = sha256,
                                .total_timeout_ms = 10000};
    struct wedr_http_request rq = get("/ok");
    return ask(&cfg, &rq);
}

static inline void
start(struct tls_server *s, const struct test_cert *leaf, const struct test_cert *chain)
{
    struct tls_server_cfg cfg = {.leaf = leaf, .chain = {chain, NULL}};
    tls_server_start(s, &cfg);
}
