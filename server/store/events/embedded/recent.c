/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/embedded/recent.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/plat/thread.h"
#include <string.h>

/* What detection is behind while 10,000 agents keep two processors busy, about twice. */
#define BYTES_MAX ((size_t)32 << 20)
#define SLOTS 32768u

/* In the ring; behind it the host's name, counts and lines. */
struct head {
    struct wedr_batch_id id;
    char agent_id[WEDR_AGENT_ID_TEXT];
    int64_t received_us, t0, t1;
    uint32_t host_len, counts_len, lines_len;
};

struct slot {
    int64_t number; /* 0: free */
    uint64_t at;    /* bytes of the ring that were passed before it, since the start */
};

struct wedr_recent {
    struct wedr_mutex *lock;
    uint8_t *bytes; /* NULL at rest */
    uint64_t end;   /* bytes that were passed; a batch does not go around the end */
    struct slot *slot;
    int64_t newest;
};

int wedr_recent_new(struct wedr_recent **ret)
{
    struct wedr_recent *r = wedr_alloc(1, sizeof(*r));
    if (!r) {
        return WEDR_E_NOMEM;
    }
    r->lock = wedr_mutex_new();
    r->slot = wedr_alloc(SLOTS, sizeof(*r->slot));
    if (!r->lock || !r->slot) {
        wedr_recent_free(r);
        return WEDR_E_NOMEM;
    }
    *ret = r;
    return WEDR_OK;
}

void wedr_recent_free(struct wedr_recent *r)
{
    if (r) {
        wedr_mutex_free(r->lock);
        wedr_free(r->slot);
        wedr_free(r->bytes);
        wedr_free(r);
    }
}

/* Room for len bytes at the end of the ring. */
static uint8_t *make_room(struct wedr_recent *r, size_t len)
{
    size_t at = (size_t)(r->end % BYTES_MAX);
    if (len > BYTES_MAX - at) {
        r->end += BYTES_MAX - at;
        at = 0;
    }
    r->end += len;
    return r->bytes + at;
}

static void keep(struct wedr_recent *r, const struct wedr_prepared *p, int64_t number)
{
    uint8_t counts[WEDR_COUNTS_MAX];
    size_t counts_len = wedr_counts_blob(p->counts, counts).len;
    struct head h = {.id = p->id,
                     .received_us = p->received_us,
                     .t0 = p->t0,
                     .t1 = p->t1,
                     .host_len = (uint32_t)strlen(p->hostname),
                     .counts_len = (uint32_t)counts_len,
                     .lines_len = (uint32_t)p->raw_len};
    memcpy(h.agent_id, p->agent_id, sizeof(h.agent_id));
    size_t len = sizeof(h) + h.host_len + counts_len + p->raw_len;
    uint8_t *to = make_room(r, len);
    r->slot[number % SLOTS] = (struct slot){number, r->end - len};
    memcpy(to, &h, sizeof(h));
    to += sizeof(h);
    memcpy(to, p->hostname, h.host_len);
    to += h.host_len;
    if (counts_len) {
        memcpy(to, counts, counts_len);
        to += counts_len;
    }
    memcpy(to, p->lines, p->raw_len);
}

void wedr_recent_put(struct wedr_recent *r, const struct wedr_commit *c, size_t n, int64_t first)
{
    wedr_mutex_lock(r->lock);
    for (size_t i = 0; i < n; i++) {
        if (c[i].outcome != WEDR_COMMIT_STORED) {
            continue;
        }
        if (c[i].p->lines && !r->bytes) {
            r->bytes = wedr_alloc(BYTES_MAX, 1);
        }
        if (c[i].p->lines && r->bytes) {
            keep(r, c[i].p, first);
        }
        r->newest = first++;
    }
    wedr_mutex_unlock(r->lock);
}

void wedr_recent_note(struct wedr_recent *r, int64_t number)
{
    wedr_mutex_lock(r->lock);
    r->newest = number > r->newest ? number : r->newest;
    wedr_mutex_unlock(r->lock);
}

/* What the block says and holds, from its bytes in the ring. */
static int fill(struct wedr_block *b, const uint8_t *from)
{
    struct head h;
    memcpy(&h, from, sizeof(h));
    from += sizeof(h);
    b->tiny = true;
    b->epoch = h.id.epoch;
    memcpy(b->agent, h.agent_id, sizeof(h.agent_id));
    memcpy(b->hostname, from, h.host_len); /* of a prepared batch: shorter than that room */
    memcpy(b->stream, h.id.stream, sizeof(h.id.stream));
    memcpy(b->boot_id, h.id.boot_id, sizeof(b->boot_id));
    b->seq0 = (int64_t)h.id.first_seq;
    b->seq1 = (int64_t)h.id.last_seq;
    b->n = h.id.count;
    b->t0 = h.t0;
    b->t1 = h.t1;
    b->received_at = h.received_us;
    from += h.host_len;
    wedr_block_counts(b, from, h.counts_len);
    return wedr_block_give_lines(b, (const char *)from + h.counts_len, h.lines_len);
}

int wedr_recent_get(struct wedr_recent *r,
                    int64_t number,
                    struct wedr_sql *sql,
                    struct wedr_block *ret)
{
    int err = WEDR_E_NOENT;
    wedr_mutex_lock(r->lock);
    const struct slot *s = &r->slot[number % SLOTS];
    if (number > 0 && s->number == number && r->bytes && r->end - s->at <= BYTES_MAX) {
        memset(ret, 0, sizeof(*ret));
        ret->sql = sql;
        err = fill(ret, r->bytes + s->at % BYTES_MAX);
    }
    wedr_mutex_unlock(r->lock);
    return err == WEDR_OK ? wedr_block_lines_given(ret) : err;
}

int64_t wedr_recent_newest(struct wedr_recent *r)
{
    wedr_mutex_lock(r->lock);
    int64_t newest = r->newest;
    wedr_mutex_unlock(r->lock);
    return newest;
}

void wedr_recent_rest(struct wedr_recent *r)
{
    wedr_mutex_lock(r->lock);
    wedr_free(r->bytes);
    r->bytes = NULL;
    r->end += BYTES_MAX; /* what was kept is too far away now */
    wedr_mutex_unlock(r->lock);
}
