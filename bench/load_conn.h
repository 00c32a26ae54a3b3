/* SPDX-License-Identifier: Apache-2.0
 * bench/load_conn.h — one kept-alive TLS connection of one agent that never blocks: thousands of
 * them are driven by one thread with epoll. */
#pragma once

#include "load_agent.h"
#include <openssl/ssl.h>
#include <stdbool.h>

enum load_state { LOAD_CLOSED, LOAD_CONNECTING, LOAD_IDLE, LOAD_SENDING, LOAD_WAITING };

struct load_conn {
    int fd;
    SSL *ssl;
    const struct load_agent *agent;
    enum load_state state;
    const char *head; /* of the request under way; borrowed */
    const struct load_body *body;
    size_t head_len, sent;
    char in[1024];
    size_t in_len;
    /* Of the last answer. */
    int status;
    unsigned retry_after_s;
    /* The load's own. */
    uint64_t due_ns, retry_ns;
    size_t next, owed;
};

/* Trusts the CA alone. */
SSL_CTX *load_tls(const char *ca_pem);
/* Begins to connect to 127.0.0.1:port. Dies when it cannot. */
void load_conn_open(struct load_conn *c, SSL_CTX *tls, unsigned port);
void load_conn_close(struct load_conn *c);
/* From LOAD_IDLE. */
void load_conn_send(struct load_conn *c,
                    const char *head,
                    size_t head_len,
                    const struct load_body *b);
/* Goes on as far as it can. True: an answer is there and the state LOAD_IDLE again; or the
 * connection is lost, LOAD_CLOSED. */
bool load_conn_step(struct load_conn *c);
