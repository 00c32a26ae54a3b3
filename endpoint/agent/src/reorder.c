/* SPDX-License-Identifier: Apache-2.0 */
#include "reorder.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include <string.h>

#define HISTORY_STEP_MS 5u

int wedr_reorder_init(struct wedr_reorder *r)
{
    memset(r, 0, sizeof(*r));
    r->items = wedr_alloc((size_t)2 * WEDR_REORDER_PENDING, sizeof(*r->items));
    r->order = wedr_alloc(WEDR_REORDER_PENDING, sizeof(*r->order));
    if (!r->items || !r->order) {
        wedr_reorder_fini(r);
        return WEDR_E_NOMEM;
    }
    return WEDR_OK;
}

void wedr_reorder_fini(struct wedr_reorder *r)
{
    wedr_free(r->items);
    wedr_free(r->order);
    r->items = NULL;
    r->order = NULL;
}

void wedr_reorder_begin(struct wedr_reorder *r, uint64_t seq, uint64_t explained)
{
    r->start = r->count = 0;
    r->order_head = r->order_tail = 0;
    r->seq = r->base = seq;
    r->explained = explained;
    r->produced = r->lost = 0;
    r->seen_head = r->seen_count = 0;
    r->hole_count = 0;
}

bool wedr_reorder_full(const struct wedr_reorder *r)
{
    return r->order_tail - r->order_head >= WEDR_REORDER_PENDING;
}

void wedr_reorder_observe(struct wedr_reorder *r, uint64_t now_ms, uint64_t produced, uint64_t lost)
{
    r->produced = produced > r->produced ? produced : r->produced;
    r->lost = lost;
    if (r->seen_count > 0) {
        const struct wedr_reorder_seen *last =
            &r->seen[(r->seen_head + r->seen_count - 1) % WEDR_REORDER_HISTORY];
        if (now_ms - last->ms < HISTORY_STEP_MS || last->produced == r->produced) {
            return;
        }
    }
    if (r->seen_count == WEDR_REORDER_HISTORY) {
        r->seen_head = (r->seen_head + 1) % WEDR_REORDER_HISTORY;
        r->seen_count--;
    }
    r->seen[(r->seen_head + r->seen_count) % WEDR_REORDER_HISTORY] =
        (struct wedr_reorder_seen){now_ms, r->produced};
    r->seen_count++;
}

/* The producer's counter as it was seen at least age_ms ago; 0 when it was not looked at by then.
 */
static uint64_t seen_before(const struct wedr_reorder *r, uint64_t now_ms, uint64_t age_ms)
{
    for (size_t i = r->seen_count; i > 0; i--) {
        const struct wedr_reorder_seen *s = &r->seen[(r->seen_head + i - 1) % WEDR_REORDER_HISTORY];
        if (now_ms - s->ms >= age_ms) {
            return s->produced;
        }
    }
    return 0;
}

/* First index in [0, count) whose seq is >= seq; records come nearly sorted, so the end is tried
 * first. */
static size_t lower_bound(const struct wedr_reorder *r, uint64_t seq)
{
    const struct wedr_reorder_item *it = r->items + r->start;
    if (r->count == 0 || it[r->count - 1].seq < seq) {
        return r->count;
    }
    size_t lo = 0;
    size_t hi = r->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (it[mid].seq < seq) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static uint32_t take_place(struct wedr_reorder *r, uint64_t end, bool done)
{
    uint32_t slot = (uint32_t)(r->order_tail % WEDR_REORDER_PENDING);
    r->order[slot] = (struct wedr_reorder_place){end, done};
    r->order_tail++;
    return slot;
}

void wedr_reorder_add_done(struct wedr_reorder *r, uint64_t end)
{
    (void)take_place(r, end, true);
}

/* Takes seq out of the remembered holes; false when it was in none. */
static bool fill_hole(struct wedr_reorder *r, uint64_t seq)
{
    for (size_t i = 0; i < r->hole_count; i++) {
        struct wedr_seq_range *h = &r->holes[i];
        if (seq < h->first || seq > h->last) {
            continue;
        }
        if (h->first == h->last) {
            memmove(h, h + 1, (r->hole_count - i - 1) * sizeof(*h));
            r->hole_count--;
        } else if (seq == h->first) {
            h->first++;
        } else if (seq == h->last) {
            h->last--;
        } else if (r->hole_count < WEDR_REORDER_HOLES) {
            memmove(h + 2, h + 1, (r->hole_count - i - 1) * sizeof(*h));
            h[1] = (struct wedr_seq_range){seq + 1, h->last};
            h->last = seq - 1;
            r->hole_count++;
        } else {
            h->first = seq + 1;
        }
        return true;
    }
    return false;
}

enum wedr_reorder_result
wedr_reorder_add(struct wedr_reorder *r, uint64_t seq, struct wedr_span rec, uint64_t end)
{
    if (seq <= r->seq) {
        (void)take_place(r, end, true);
        if (fill_hole(r, seq)) {
            return WEDR_REORDER_LATE;
        }
        return seq <= r->base ? WEDR_REORDER_OLD : WEDR_REORDER_TWICE;
    }
    size_t at = lower_bound(r, seq);
    if (at < r->count && r->items[r->start + at].seq == seq) {
        (void)take_place(r, end, true);
        return WEDR_REORDER_TWICE;
    }
    if (r->start + r->count == (size_t)2 * WEDR_REORDER_PENDING) {
        memmove(r->items, r->items + r->start, r->count * sizeof(*r->items));
        r->start = 0;
    }
    struct wedr_reorder_item *it = r->items + r->start + at;
    memmove(it + 1, it, (r->count - at) * sizeof(*it));
    *it = (struct wedr_reorder_item){seq, rec, take_place(r, end, false)};
    r->count++;
    return WEDR_REORDER_TAKEN;
}

void wedr_reorder_look(const struct wedr_reorder *r,
                       uint64_t now_ms,
                       bool all,
                       struct wedr_reorder_cursor *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->seq = r->seq;
    ret->explained = r->explained;
    size_t below = lower_bound(r, r->produced == UINT64_MAX ? UINT64_MAX : r->produced + 1);
    uint64_t open = r->produced > r->seq ? r->produced - r->seq - below : 0;
    uint64_t unexplained = r->lost > r->explained ? r->lost - r->explained : 0;
    ret->explains = open > 0 && unexplained >= open;
    if (all) {
        ret->limit = UINT64_MAX;
    } else {
        ret->limit =
            seen_before(r, now_ms, ret->explains ? WEDR_REORDER_POLL_MS : WEDR_REORDER_GIVE_UP_MS);
    }
}

/* Passes the hole up to and with `last`. False when the cursor has no room to note it. */
static bool pass(const struct wedr_reorder *r, struct wedr_reorder_cursor *c, uint64_t last)
{
    uint64_t n = last - c->seq;
    uint64_t known = r->lost > c->explained ? r->lost - c->explained : 0;
    if (!c->explains || known < n) {
        if (c->given_up_count == sizeof(c->given_up) / sizeof(c->given_up[0])) {
            return false;
        }
        c->given_up[c->given_up_count++] = (struct wedr_seq_range){c->seq + 1, last};
    }
    c->explained += n < known ? n : known;
    c->seq = last;
    return true;
}

const struct wedr_reorder_item *wedr_reorder_next(const struct wedr_reorder *r,
                                                  struct wedr_reorder_cursor *c)
{
    if (c->used == r->count) {
        uint64_t last = c->limit < r->produced ? c->limit : r->produced;
        if (last > c->seq) {
            (void)pass(r, c, last);
        }
        return NULL;
    }
    const struct wedr_reorder_item *it = r->items + r->start + c->used;
    if (it->seq != c->seq + 1) {
        /* A hole is passed as a whole or, when only its lower part is old enough, up to there. */
        uint64_t last = it->seq - 1 < c->limit ? it->seq - 1 : c->limit;
        if (last <= c->seq || !pass(r, c, last) || last != it->seq - 1) {
            return NULL;
        }
    }
    c->used++;
    c->seq = it->seq;
    return it;
}

void wedr_reorder_back(const struct wedr_reorder *r, struct wedr_reorder_cursor *c)
{
    c->used--;
    c->seq = r->items[r->start + c->used].seq - 1;
}

void wedr_reorder_commit(struct wedr_reorder *r, const struct wedr_reorder_cursor *c)
{
    for (size_t i = 0; i < c->used; i++) {
        r->order[r->items[r->start + i].slot].done = true;
    }
    r->start += c->used;
    r->count -= c->used;
    if (r->count == 0) {
        r->start = 0;
    }
    r->seq = c->seq;
    r->explained = c->explained;
    for (size_t i = 0; i < c->given_up_count; i++) {
        if (r->hole_count == WEDR_REORDER_HOLES) {
            memmove(r->holes, r->holes + 1, (WEDR_REORDER_HOLES - 1) * sizeof(r->holes[0]));
            r->hole_count--;
        }
        r->holes[r->hole_count++] = c->given_up[i];
    }
}

bool wedr_reorder_released(struct wedr_reorder *r, uint64_t *ret_end)
{
    uint64_t before = r->order_head;
    uint64_t end = 0;
    while (r->order_head < r->order_tail && r->order[r->order_head % WEDR_REORDER_PENDING].done) {
        end = r->order[r->order_head % WEDR_REORDER_PENDING].end;
        r->order_head++;
    }
    if (r->order_head == before) {
        return false;
    }
    *ret_end = end;
    return true;
}
