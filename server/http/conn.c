/* SPDX-License-Identifier: Apache-2.0 */
#include "http/conn.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/sha256.h"
#include "wedr/plat/net.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include <gnutls/x509.h>
#include <string.h>

#define REAP_EVERY_MS 200u

struct wedr_conns {
    struct wedr_mutex *lock;
    struct wedr_cond *wake;
    struct wedr_thread *reaper;
    struct wedr_conn *head;
    /* No deadline is before it: until then nobody needs to be looked at. */
    _Atomic uint64_t next_ms;
    bool stop;
    uint64_t accepted, open, deadline;
};

static void lower_next(struct wedr_conns *cs, uint64_t ms)
{
    uint64_t next = atomic_load(&cs->next_ms);
    while (ms < next && !atomic_compare_exchange_weak(&cs->next_ms, &next, ms)) {
    }
}

/* Who sets a deadline meanwhile lowers next_ms himself: he stores before he looks at it, and here
 * it is raised before deadlines are looked at. */
static void end_late_ones(struct wedr_conns *cs, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    atomic_store(&cs->next_ms, UINT64_MAX);
    for (struct wedr_conn *c = cs->head; c; c = c->next) {
        uint64_t due = atomic_load(&c->deadline_ms);
        if (due <= now) {
            atomic_store(&c->deadline_ms, UINT64_MAX);
            wedr_net_shutdown(c->fd);
            cs->deadline++;
        } else if (due < next) {
            next = due;
        }
    }
    lower_next(cs, next);
}

/* The socket is only shut down here; the listener's thread sees the end and closes it. */
static void reap(void *arg)
{
    struct wedr_conns *cs = arg;
    wedr_mutex_lock(cs->lock);
    while (!cs->stop) {
        uint64_t now = wedr_time_mono_ms();
        if (atomic_load(&cs->next_ms) <= now) {
            end_late_ones(cs, now);
        }
        (void)wedr_cond_wait(cs->wake, cs->lock, REAP_EVERY_MS);
    }
    wedr_mutex_unlock(cs->lock);
}

int wedr_conns_new(struct wedr_conns **ret)
{
    struct wedr_conns *cs = wedr_alloc(1, sizeof(*cs));
    if (!cs) {
        return WEDR_E_NOMEM;
    }
    cs->lock = wedr_mutex_new();
    cs->wake = wedr_cond_new();
    atomic_store(&cs->next_ms, UINT64_MAX);
    int err = cs->lock && cs->wake ? wedr_thread_new(&cs->reaper, "http-deadline", reap, cs)
                                   : WEDR_E_NOMEM;
    if (err != WEDR_OK) {
        wedr_conns_free(cs);
        return err;
    }
    *ret = cs;
    return WEDR_OK;
}

void wedr_conns_free(struct wedr_conns *cs)
{
    if (!cs) {
        return;
    }
    if (cs->reaper) {
        wedr_mutex_lock(cs->lock);
        cs->stop = true;
        wedr_cond_signal(cs->wake);
        wedr_mutex_unlock(cs->lock);
        wedr_thread_join(cs->reaper);
    }
    wedr_cond_free(cs->wake);
    wedr_mutex_free(cs->lock);
    wedr_free(cs);
}

struct wedr_conn *wedr_conns_add(struct wedr_conns *cs, wedr_handle fd, uint32_t deadline_ms)
{
    struct wedr_conn *c = wedr_alloc(1, sizeof(*c));
    if (!c) {
        return NULL;
    }
    c->fd = fd;
    c->conns = cs;
    wedr_mutex_lock(cs->lock);
    c->next = cs->head;
    if (cs->head) {
        cs->head->prev = c;
    }
    cs->head = c;
    cs->accepted++;
    cs->open++;
    wedr_conn_deadline(c, deadline_ms);
    wedr_mutex_unlock(cs->lock);
    return c;
}

void wedr_conns_remove(struct wedr_conns *cs, struct wedr_conn *c)
{
    wedr_mutex_lock(cs->lock);
    if (c->prev) {
        c->prev->next = c->next;
    } else {
        cs->head = c->next;
    }
    if (c->next) {
        c->next->prev = c->prev;
    }
    cs->open--;
    wedr_mutex_unlock(cs->lock);
    wedr_free(c->peer.der);
    wedr_free(c);
}

void wedr_conn_deadline(struct wedr_conn *c, uint32_t in_ms)
{
    uint64_t due = wedr_time_mono_ms() + in_ms;
    atomic_store(&c->deadline_ms, due);
    lower_next(c->conns, due);
}

void wedr_conn_no_deadline(struct wedr_conn *c)
{
    atomic_store(&c->deadline_ms, UINT64_MAX);
}

/* False: it cannot be read. */
static bool read_leaf(const gnutls_datum_t *der, struct wedr_conn *c)
{
    struct wedr_tls_peer *p = &c->peer;
    gnutls_x509_crt_t crt;
    size_t len = sizeof(p->common_name);
    if (gnutls_x509_crt_init(&crt) != GNUTLS_E_SUCCESS) {
        return false;
    }
    bool good = gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == GNUTLS_E_SUCCESS &&
                gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0,
                                              p->common_name, &len) == GNUTLS_E_SUCCESS &&
                len > 0 && strlen(p->common_name) == len;
    if (good) {
        c->peer_from_s = gnutls_x509_crt_get_activation_time(crt);
        c->peer_until_s = gnutls_x509_crt_get_expiration_time(crt);
    } else {
        p->common_name[0] = '\0';
    }
    gnutls_x509_crt_deinit(crt);
    return good;
}

static void check_peer(struct wedr_conn *c, gnutls_session_t session)
{
    struct wedr_tls_peer *p = &c->peer;
    unsigned count = 0, status = 0;
    char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
    gnutls_typed_vdata_st want = {GNUTLS_DT_KEY_PURPOSE_OID, (unsigned char *)purpose, 0};
    const gnutls_datum_t *certs = gnutls_certificate_get_peers(session, &count);
    if (!certs || count == 0) {
        return;
    }
    p->present = true;
    if (gnutls_certificate_verify_peers(session, &want, 1, &status) != GNUTLS_E_SUCCESS ||
        status != 0) {
        return;
    }
    uint8_t digest[WEDR_SHA256_LEN];
    wedr_sha256(certs[0].data, certs[0].size, digest);
    wedr_hex(digest, sizeof(digest), p->sha256);
    p->der = (uint8_t *)wedr_strndup((const char *)certs[0].data, certs[0].size);
    p->der_len = certs[0].size;
    c->peer_good = p->der != NULL && read_leaf(&certs[0], c);
}

const struct wedr_tls_peer *wedr_conn_peer(struct wedr_conn *c, gnutls_session_t session)
{
    int64_t now_s = wedr_time_utc_us() / 1000000;
    if (!c->peer_checked) {
        c->peer_checked = true;
        check_peer(c, session);
    }
    c->peer.valid = c->peer_good && now_s >= c->peer_from_s && now_s <= c->peer_until_s;
    return &c->peer;
}

void wedr_conns_counts(struct wedr_conns *cs,
                       uint64_t *ret_accepted,
                       uint64_t *ret_open,
                       uint64_t *ret_deadline)
{
    wedr_mutex_lock(cs->lock);
    *ret_accepted = cs->accepted;
    *ret_open = cs->open;
    *ret_deadline = cs->deadline;
    wedr_mutex_unlock(cs->lock);
}
