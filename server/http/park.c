/* SPDX-License-Identifier: Apache-2.0 */
#include "http/park.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/net.h"
#include "wedr/plat/thread.h"
#include <errno.h>
#include <microhttpd.h>
#include <stdatomic.h>

#define STOP_LOOK_MS 200u
#define READY_MAX 64u

struct wedr_park {
    struct wedr_mutex *lock; /* of the list; MHD's own lock is taken inside, never the other way */
    struct wedr_conn *head;
    bool ended;
    atomic_bool stop;
    struct wedr_net_watch *watch;
    struct wedr_thread *waker;
};

/* With the lock held. */
static void unlink_conn(struct wedr_park *k, struct wedr_conn *c)
{
    if (c->park_prev) {
        c->park_prev->park_next = c->park_next;
    } else {
        k->head = c->park_next;
    }
    if (c->park_next) {
        c->park_next->park_prev = c->park_prev;
    }
    c->park_prev = c->park_next = NULL;
    c->parked = false;
}

/* An event's connection is alive: only a connection that this thread or wedr_park_end woke can be
 * closed, and wedr_park_end comes after this thread. */
static void wake(void *arg)
{
    struct wedr_park *k = arg;
    void *ready[READY_MAX];
    while (!atomic_load(&k->stop)) {
        size_t n = wedr_net_watch_wait(k->watch, ready, READY_MAX, STOP_LOOK_MS);
        for (size_t i = 0; i < n; i++) {
            struct wedr_conn *c = ready[i];
            wedr_mutex_lock(k->lock);
            if (c->parked) {
                unlink_conn(k, c);
                MHD_resume_connection(c->mhd);
            }
            wedr_mutex_unlock(k->lock);
        }
    }
}

int wedr_park_new(struct wedr_park **ret)
{
    struct wedr_park *k = wedr_alloc(1, sizeof(*k));
    if (!k) {
        return WEDR_E_NOMEM;
    }
    k->lock = wedr_mutex_new();
    int err = k->lock ? wedr_net_watch_new(&k->watch) : WEDR_E_NOMEM;
    err = err == WEDR_OK ? wedr_thread_new(&k->waker, "http-wake", wake, k) : err;
    if (err != WEDR_OK) {
        wedr_park_free(k);
        return err;
    }
    *ret = k;
    return WEDR_OK;
}

/* The socket is empty in the middle of a handshake; on the listener's thread. */
static void set_aside(struct wedr_park *k, struct wedr_conn *c)
{
    wedr_mutex_lock(k->lock);
    if (!k->ended && !c->parked) {
        c->park_next = k->head;
        if (k->head) {
            k->head->park_prev = c;
        }
        k->head = c;
        c->parked = true;
        MHD_suspend_connection(c->mhd);
        if (wedr_net_watch_once(k->watch, c->fd, c) != WEDR_OK) {
            unlink_conn(k, c);
            MHD_resume_connection(c->mhd);
        }
    }
    wedr_mutex_unlock(k->lock);
}

static ssize_t pull(gnutls_transport_ptr_t arg, void *ret, size_t n)
{
    struct wedr_conn *c = arg;
    size_t len = 0;
    int err = wedr_net_recv(c->fd, ret, n, &len);
    if (err == WEDR_OK) {
        return (ssize_t)len;
    }
    if (err == WEDR_E_AGAIN && !c->spoke) {
        set_aside(c->park, c);
    }
    gnutls_transport_set_errno(c->tls, err == WEDR_E_AGAIN ? EAGAIN : ECONNRESET);
    return -1;
}

void wedr_park_adopt(struct wedr_park *k, struct wedr_conn *c, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    gnutls_transport_ptr_t in = NULL, out = NULL;
    if (i && i->tls_session) {
        c->park = k;
        c->mhd = mhd;
        c->tls = i->tls_session;
        gnutls_transport_get_ptr2(c->tls, &in, &out);
        gnutls_transport_set_ptr2(c->tls, c, out);
        gnutls_transport_set_pull_function(c->tls, pull);
    }
}

void wedr_park_forget(struct wedr_conn *c)
{
    struct wedr_park *k = c->park;
    if (k) {
        wedr_mutex_lock(k->lock);
        if (c->parked) {
            unlink_conn(k, c);
        }
        wedr_mutex_unlock(k->lock);
    }
}

void wedr_park_end(struct wedr_park *k)
{
    if (!k) {
        return;
    }
    atomic_store(&k->stop, true);
    wedr_thread_join(k->waker);
    k->waker = NULL;
    if (k->lock) {
        wedr_mutex_lock(k->lock);
        k->ended = true;
        while (k->head) {
            struct wedr_conn *c = k->head;
            unlink_conn(k, c);
            MHD_resume_connection(c->mhd);
        }
        wedr_mutex_unlock(k->lock);
    }
}

void wedr_park_free(struct wedr_park *k)
{
    if (k) {
        wedr_park_end(k);
        wedr_net_watch_free(k->watch);
        wedr_mutex_free(k->lock);
        wedr_free(k);
    }
}
