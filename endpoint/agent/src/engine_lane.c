/* SPDX-License-Identifier: Apache-2.0
 *
 * One lane from the ring to the spool: look, put in order, encode, match, write, release.
 */
#include "engine_internal.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include "wedr/plat/time.h"
#include "wedr/wire/decode.h"
#include <string.h>

#define LOSS_HOLD_MS 500u

/* What one write is going to carry. */
struct batch {
    struct wedr_reorder_cursor cursor;
    size_t len;
    uint32_t count;
    uint64_t first_seq, last_seq;
    struct refused {
        uint64_t seq;
        uint32_t reason;
    } refused[ENGINE_REFUSED_MAX];
    size_t refused_count;
    bool full; /* ended for lack of room: seal */
    bool more; /* ended at a bound */
};

/* Runs that the kernel skipped have no seq: they are a stream of their own, in which everything is
 * lost. */
static void count_missed(struct wedr_engine *e, const struct engine_lane *l)
{
    if (l->c.missed > 0) {
        wedr_losses_set(e->losses, l->st->epoch, WEDR_STREAM_NAME_MISSED,
                        WEDR_LOSS_REASON_BPF_MISSED, l->c.missed);
    }
}

/* The producer's losses are reported when their holes have been passed, so that the ledger never
 * shows more lost than produced. A count without a seq behind it must not wait for ever. */
static void hold_losses(struct wedr_engine *e, struct engine_lane *l, uint64_t now, bool all)
{
    const char *name = l->st->name;
    if (!l->has_pending && l->c.lost_total > 0) {
        l->pending = l->c;
        l->pending_ms = now;
        l->has_pending = true;
    }
    if (all) {
        l->pending = l->c;
    }
    if (l->has_pending &&
        (all || l->r.explained >= l->pending.lost_total || now - l->pending_ms >= LOSS_HOLD_MS)) {
        for (uint32_t i = 1; i < WEDR_SENSOR_LOST_REASONS; i++) {
            wedr_losses_set(e->losses, l->st->epoch, name, i, l->pending.lost[i]);
        }
        l->has_pending = false;
    }
}

static void count_unnumbered(struct wedr_engine *e, struct engine_lane *l, uint64_t end)
{
    l->malformed++;
    l->unnumbered++;
    wedr_losses_add(e->losses, l->st->epoch, l->st->name, WEDR_LOSS_REASON_MALFORMED, 0, 0, 1);
    wedr_reorder_add_done(&l->r, end);
}

static void take_one(struct wedr_engine *e, unsigned lane, struct wedr_span rec, uint64_t end)
{
    struct engine_lane *l = &e->lane[lane];
    uint64_t seq = rec.len >= sizeof(struct wedr_event_header) ? wedr_le64(rec.p + 8) : 0;
    l->read++;
    if (seq > l->c.produced) {
        struct wedr_source_counters now;
        e->source->ops->counters(e->source, lane, &now);
        if (seq > now.produced) {
            seq = 0;
        }
    }
    if (seq == 0) {
        count_unnumbered(e, l, end);
        return;
    }
    switch (wedr_reorder_add(&l->r, seq, rec, end)) {
    case WEDR_REORDER_LATE:
        l->late++;
        wedr_losses_add(e->losses, l->st->epoch, l->st->name, WEDR_LOSS_REASON_LATE, seq, seq, 1);
        wedr_losses_set_holes(e->losses, l->st->epoch, l->st->name, l->r.holes, l->r.hole_count);
        break;
    case WEDR_REORDER_TWICE:
        l->malformed++; /* a second record under a seq that is stored: nothing is lost that was
                           numbered */
        break;
    default:
        break;
    }
}

static int look(struct wedr_engine *e, unsigned lane, uint64_t now)
{
    struct engine_lane *l = &e->lane[lane];
    const struct wedr_source_ops *ops = e->source->ops;
    ops->counters(e->source, lane, &l->c);
    wedr_reorder_observe(&l->r, now, l->c.produced, l->c.lost_total + l->unnumbered);
    l->more = false;
    for (unsigned i = 0; !wedr_reorder_full(&l->r); i++) {
        struct wedr_span rec;
        uint64_t end;
        if (i == ENGINE_PEEK_MAX) {
            l->more = true;
            return WEDR_OK;
        }
        int err = ops->peek(e->source, lane, &rec, &end);
        if (err == WEDR_E_AGAIN) {
            return WEDR_OK;
        }
        if (err != WEDR_OK) {
            return err;
        }
        take_one(e, lane, rec, end);
    }
    return WEDR_OK;
}

static int encode_item(struct wedr_engine *e,
                       unsigned lane,
                       const struct wedr_reorder_item *it,
                       size_t at,
                       struct wedr_event_view *ret_view,
                       size_t *ret_len,
                       uint32_t *ret_reason)
{
    int err = wedr_event_decode(it->rec, ret_view);
    *ret_reason = WEDR_LOSS_REASON_MALFORMED;
    if (err != WEDR_OK || ret_view->h.stream != lane || ret_view->h.type >= WEDR_EV_AGENT_START) {
        return WEDR_E_FORMAT;
    }
    *ret_reason = WEDR_LOSS_REASON_ENCODE;
    wedr_dns_unfold(e->dns, ret_view);
    return wedr_encode(e->encoder, ret_view, e->kernel, e->out + WEDR_SPOOL_FRAME_ROOM + at,
                       WEDR_LINE_MAX, ret_len);
}

/* Encodes what is in order, as much as one write takes. */
static void gather(struct wedr_engine *e, unsigned lane, struct batch *b)
{
    struct engine_lane *l = &e->lane[lane];
    uint64_t room = wedr_spool_room(e->spool, l->st);
    uint32_t lines = WEDR_BATCH_LINES_MAX - l->st->count;
    for (;;) {
        if (b->len >= ENGINE_FRAME_TARGET || b->refused_count == ENGINE_REFUSED_MAX ||
            !wedr_detect_room(e->detect)) {
            b->more = true;
            return;
        }
        const struct wedr_reorder_item *it = wedr_reorder_next(&l->r, &b->cursor);
        if (!it) {
            b->more = b->cursor.given_up_count == WEDR_ARRAY_COUNT(b->cursor.given_up);
            return;
        }
        struct wedr_event_view v;
        size_t len = 0;
        uint32_t reason;
        if (encode_item(e, lane, it, b->len, &v, &len, &reason) != WEDR_OK) {
            b->refused[b->refused_count++] = (struct refused){it->seq, reason};
            continue;
        }
        bool first = b->count == 0 && l->st->count == 0;
        if ((b->len + len > room || b->count == lines) && !first) {
            wedr_reorder_back(&l->r, &b->cursor);
            b->full = true;
            return;
        }
        if (it->seq > l->shown_seq) {
            engine_alert_show(e, &v, e->out + WEDR_SPOOL_FRAME_ROOM + b->len, len, l->st,
                              e->kernel);
            l->shown_seq = it->seq;
        }
        b->first_seq = b->count == 0 ? it->seq : b->first_seq;
        b->last_seq = it->seq;
        b->count++;
        b->len += len;
    }
}

/* Losses are durable before the write that steps over them. */
static int note_losses(struct wedr_engine *e, struct engine_lane *l, const struct batch *b)
{
    for (size_t i = 0; i < b->refused_count; i++) {
        wedr_losses_add(e->losses, l->st->epoch, l->st->name, b->refused[i].reason,
                        b->refused[i].seq, b->refused[i].seq, 1);
    }
    if (b->cursor.given_up_count > 0) {
        struct wedr_seq_range holes[WEDR_REORDER_HOLES + WEDR_ARRAY_COUNT(b->cursor.given_up)];
        memcpy(holes, l->r.holes, l->r.hole_count * sizeof(holes[0]));
        memcpy(holes + l->r.hole_count, b->cursor.given_up,
               b->cursor.given_up_count * sizeof(holes[0]));
        size_t n = l->r.hole_count + b->cursor.given_up_count;
        size_t skip = n > WEDR_REORDER_HOLES ? n - WEDR_REORDER_HOLES : 0;
        wedr_losses_set_holes(e->losses, l->st->epoch, l->st->name, holes + skip, n - skip);
    }
    return b->refused_count > 0 || b->cursor.given_up_count > 0 ? wedr_losses_flush(e->losses)
                                                                : WEDR_OK;
}

static int release(struct wedr_engine *e, unsigned lane)
{
    struct engine_lane *l = &e->lane[lane];
    uint64_t end;
    int err = wedr_losses_flush(e->losses); /* what was counted while looking */
    uint64_t before = l->r.order_head;
    if (err == WEDR_OK && wedr_reorder_released(&l->r, &end)) {
        l->released += l->r.order_head - before;
        e->source->ops->release(e->source, lane, end);
    }
    return err;
}

static int write_batch(struct wedr_engine *e, struct engine_lane *l, const struct batch *b)
{
    struct wedr_spool_frame_in f = {.lines = e->out + WEDR_SPOOL_FRAME_ROOM,
                                    .len = b->len,
                                    .count = b->count,
                                    .first_seq = b->first_seq,
                                    .last_seq = b->last_seq,
                                    .produced = b->cursor.seq,
                                    .lost = l->c.lost_total,
                                    .explained = b->cursor.explained};
    int err = engine_alert_flush(e);
    if (err == WEDR_OK) {
        err = note_losses(e, l, b);
    }
    if (err == WEDR_OK) {
        err = engine_append(e, l->st, &f);
    }
    if (err != WEDR_OK) {
        return err;
    }
    wedr_reorder_commit(&l->r, &b->cursor);
    l->spooled += b->count;
    l->malformed += b->refused_count;
    if (b->count == 0) {
        wedr_losses_again(e->losses, l->st->epoch, l->st->name);
    }
    return WEDR_OK;
}

int engine_lane_round(struct wedr_engine *e, unsigned lane, bool all, bool *ret_busy)
{
    struct engine_lane *l = &e->lane[lane];
    struct batch b;
    uint64_t now = wedr_time_mono_ms();
    int err = look(e, lane, now);
    if (err != WEDR_OK) {
        return err;
    }
    memset(&b, 0, offsetof(struct batch, refused));
    b.refused_count = 0;
    b.full = b.more = false;
    /* `all` is true only when nothing can come any more: then what is not here will never be. */
    wedr_reorder_look(&l->r, now, all && !l->more && !wedr_reorder_full(&l->r), &b.cursor);
    gather(e, lane, &b);
    if (b.cursor.seq != l->r.seq) {
        err = write_batch(e, l, &b);
    }
    if (err == WEDR_OK) {
        err = release(e, lane);
    }
    if (err != WEDR_OK) {
        return err;
    }
    hold_losses(e, l, now, all && l->r.count == 0);
    count_missed(e, l);
    l->behind = b.more || b.full || l->more;
    *ret_busy = *ret_busy || l->behind || b.count > 0;
    return b.full ? wedr_spool_seal(e->spool, l->st) : WEDR_OK;
}
