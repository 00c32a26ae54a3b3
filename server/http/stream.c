/* SPDX-License-Identifier: Apache-2.0 */
#include "http/stream.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "http/stream_mhd.h"
#include "wedr/plat/thread.h"
#include "wedr/plat/time.h"
#include <stdatomic.h>
#include <string.h>

struct wedr_answer_stream {
    atomic_uint refs;
    struct wedr_mutex *lock; /* of everything below */
    struct wedr_cond *room;
    struct MHD_Connection *mhd; /* valid until closed */
    struct wedr_conn *conn;
    uint32_t read_deadline_ms;
    bool asleep; /* the connection is suspended until there are bytes */
    bool ended, whole, closed;
    uint8_t *ring;
    size_t cap, head, len;
};

struct wedr_answer_stream *wedr_stream_new(struct MHD_Connection *mhd,
                                           struct wedr_conn *conn,
                                           uint32_t read_deadline_ms,
                                           size_t buffer_len)
{
    struct wedr_answer_stream *st = wedr_alloc(1, sizeof(*st));
    if (!st) {
        return NULL;
    }
    atomic_store(&st->refs, 1);
    st->mhd = mhd;
    st->conn = conn;
    st->read_deadline_ms = read_deadline_ms;
    st->cap = buffer_len;
    st->lock = wedr_mutex_new();
    st->room = wedr_cond_new();
    st->ring = wedr_alloc(buffer_len, 1);
    if (!st->lock || !st->room || !st->ring) {
        wedr_stream_unref(st);
        return NULL;
    }
    return st;
}

struct wedr_answer_stream *wedr_stream_ref(struct wedr_answer_stream *st)
{
    atomic_fetch_add(&st->refs, 1);
    return st;
}

void wedr_stream_unref(struct wedr_answer_stream *st)
{
    if (st && atomic_fetch_sub(&st->refs, 1) == 1) {
        wedr_free(st->ring);
        wedr_cond_free(st->room);
        wedr_mutex_free(st->lock);
        wedr_free(st);
    }
}

/* With the lock held: the listener's thread looks again. */
static void wake(struct wedr_answer_stream *st)
{
    if (st->asleep) {
        st->asleep = false;
        wedr_conn_deadline(st->conn, st->read_deadline_ms);
        MHD_resume_connection(st->mhd);
    }
}

/* With the lock held. The client gets time for each piece that it takes, and for ever while there
 * is nothing to take. */
static ssize_t take(struct wedr_answer_stream *st, char *to, size_t max)
{
    if (st->closed || (st->len == 0 && st->ended)) {
        return st->closed || !st->whole ? MHD_CONTENT_READER_END_WITH_ERROR
                                        : MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (st->len == 0) {
        st->asleep = true;
        wedr_conn_no_deadline(st->conn);
        MHD_suspend_connection(st->mhd);
        return 0;
    }
    size_t n = st->cap - st->head < st->len ? st->cap - st->head : st->len;
    n = n < max ? n : max;
    memcpy(to, st->ring + st->head, n);
    st->head = (st->head + n) % st->cap;
    st->len -= n;
    wedr_conn_deadline(st->conn, st->read_deadline_ms);
    wedr_cond_broadcast(st->room);
    return (ssize_t)n;
}

static ssize_t on_read(void *cls, uint64_t pos, char *to, size_t max)
{
    struct wedr_answer_stream *st = cls;
    (void)pos;
    wedr_mutex_lock(st->lock);
    ssize_t n = take(st, to, max);
    wedr_mutex_unlock(st->lock);
    return n;
}

static void on_free(void *cls)
{
    wedr_stream_close(cls);
    wedr_stream_unref(cls);
}

struct MHD_Response *wedr_stream_response(struct wedr_answer_stream *st)
{
    struct MHD_Response *r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 32768, on_read,
                                                               wedr_stream_ref(st), on_free);
    if (!r) {
        wedr_stream_unref(st);
    }
    return r;
}

void wedr_stream_close(struct wedr_answer_stream *st)
{
    wedr_mutex_lock(st->lock);
    st->closed = true;
    wake(st);
    wedr_cond_broadcast(st->room);
    wedr_mutex_unlock(st->lock);
}

/* With the lock held. */
static size_t put(struct wedr_answer_stream *st, const uint8_t *p, size_t n)
{
    size_t done = 0;
    while (done < n && st->len < st->cap) {
        size_t tail = (st->head + st->len) % st->cap;
        size_t piece = tail < st->head ? st->head - tail : st->cap - tail;
        piece = piece < n - done ? piece : n - done;
        memcpy(st->ring + tail, p + done, piece);
        st->len += piece;
        done += piece;
    }
    return done;
}

int wedr_stream_write(struct wedr_answer_stream *st, const void *p, size_t n, uint32_t timeout_ms)
{
    const uint8_t *at = p;
    int err = WEDR_OK;
    wedr_mutex_lock(st->lock);
    uint64_t until = wedr_time_mono_ms() + timeout_ms;
    while (n && err == WEDR_OK) {
        uint64_t now = wedr_time_mono_ms();
        if (st->closed || st->ended) {
            err = WEDR_E_CLOSED;
        } else if (timeout_ms == 0 && st->cap - st->len < n) {
            err = WEDR_E_TIMEOUT;
        } else if (st->len < st->cap) {
            size_t done = put(st, at, n);
            at += done;
            n -= done;
            until = now + timeout_ms;
            wake(st);
        } else if (now >= until) {
            st->closed = true;
            err = WEDR_E_TIMEOUT;
        } else {
            (void)wedr_cond_wait(st->room, st->lock, (uint32_t)(until - now));
        }
    }
    wedr_mutex_unlock(st->lock);
    return err;
}

size_t wedr_stream_pending(struct wedr_answer_stream *st)
{
    wedr_mutex_lock(st->lock);
    size_t n = st->len;
    wedr_mutex_unlock(st->lock);
    return n;
}

bool wedr_stream_closed(struct wedr_answer_stream *st)
{
    wedr_mutex_lock(st->lock);
    bool closed = st->closed;
    wedr_mutex_unlock(st->lock);
    return closed;
}

void wedr_stream_end(struct wedr_answer_stream *st, bool whole)
{
    wedr_mutex_lock(st->lock);
    st->ended = true;
    st->whole = whole;
    wake(st);
    wedr_mutex_unlock(st->lock);
}
