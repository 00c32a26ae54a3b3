/* SPDX-License-Identifier: Apache-2.0
 * server/http/conn.h — the open connections: who they are and until when they may go on. For
 * server/http alone. */
#pragma once

#include "http/http.h"
#include <gnutls/gnutls.h>

struct MHD_Connection;
struct wedr_conns;
struct wedr_park;

struct wedr_conn {
    struct wedr_conns *conns;
    struct wedr_conn *prev, *next;
    wedr_handle fd; /* valid while registered */
    _Atomic uint64_t deadline_ms;
    bool peer_checked, peer_good;      /* looked at; what does not change about it is right */
    int64_t peer_from_s, peer_until_s; /* of its certificate, since 1970 */
    /* See park.h. */
    struct wedr_park *park;
    struct wedr_conn *park_prev, *park_next;
    struct MHD_Connection *mhd;
    gnutls_session_t tls;
    bool parked;
    bool spoke; /* a request line came; the listener's thread alone */
    struct wedr_tls_peer peer;
};

/* Starts the thread that ends connections past their deadline. */
WEDR_MUST_USE int wedr_conns_new(struct wedr_conns **ret);
/* Every connection must be gone. NULL is allowed. */
void wedr_conns_free(struct wedr_conns *cs);
/* NULL when out of memory: the connection then lives by the idle time-out alone and gets no request
 * through. */
struct wedr_conn *wedr_conns_add(struct wedr_conns *cs, wedr_handle fd, uint32_t deadline_ms);
/* Before the socket is closed. */
void wedr_conns_remove(struct wedr_conns *cs, struct wedr_conn *c);
void wedr_conn_deadline(struct wedr_conn *c, uint32_t in_ms);
/* Until the next wedr_conn_deadline. */
void wedr_conn_no_deadline(struct wedr_conn *c);
/* The client's certificate. Issuer, signature and purpose are verified once, its dates each time: a
 * connection may live longer than the certificate it began with. */
const struct wedr_tls_peer *wedr_conn_peer(struct wedr_conn *c, gnutls_session_t session);
void wedr_conns_counts(struct wedr_conns *cs,
                       uint64_t *ret_accepted,
                       uint64_t *ret_open,
                       uint64_t *ret_deadline);
