/* SPDX-License-Identifier: Apache-2.0
 * rules/src/corr/correlate.c — what each kind of correlation keeps and when it fires. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "corr/state.h"
#include <string.h>

#define MS_US INT64_C(1000)
#define SPAN_MS_MAX UINT64_C(100000000000) /* three years */
#define WINDOWS_MIN 128u                   /* more than the members of a correlation */
#define ENTRIES_MIN 1024u

static uint32_t pick(uint32_t given, uint32_t otherwise, uint32_t least)
{
    uint32_t v = given ? given : otherwise;
    return v < least ? least : v;
}

static void *take(struct wedr_correlate *c, size_t count, size_t size)
{
    c->stats.memory_bytes += count * size;
    return wedr_alloc(count, size);
}

/* Entries that a threshold needs to be reached at all. */
static uint32_t entries_needed(const struct wedr_correlate *c, const struct wedr_correlation *k)
{
    uint32_t most =
        c->limits.entries_max > k->member_count ? c->limits.entries_max : k->member_count;
    for (uint32_t i = 0; i < k->limit_count; i++) {
        struct wedr_number n = k->limits[i].number;
        int64_t whole = n.kind == WEDR_NUMBER_I64   ? n.v.i
                        : n.kind == WEDR_NUMBER_F64 ? (int64_t)n.v.f
                                                    : 0;
        if (whole + 2 > (int64_t)most) {
            most = (uint32_t)(whole + 2);
        }
    }
    return most;
}

static void init_kind(const struct wedr_correlate *c,
                      struct wedr_corr_kind *k,
                      const struct wedr_correlation *from)
{
    const struct wedr_ruleset *rs = c->e->rs;
    uint64_t ms = from->timespan_ms < SPAN_MS_MAX ? from->timespan_ms : SPAN_MS_MAX;
    k->c = from;
    k->on = (wedr_ruleset_rule(rs, from->rule)->flags &
             (WEDR_RULE_DISABLED | WEDR_RULE_NEEDS_LIST)) == 0;
    k->span_us = (int64_t)ms * MS_US;
    k->entries_max = entries_needed(c, from);
    k->least_used = k->most_used = WEDR_CORR_NONE;
    struct wedr_text id = wedr_ruleset_rule(rs, from->rule)->id;
    k->seed = id.len > 0 ? wedr_corr_hash(id, 1)
                         : (uint64_t)(from->rule + 1) * UINT64_C(0x9E3779B97F4A7C15);
    k->negated = wedr_corr_negated(rs, from);
    k->needed = wedr_corr_needed(rs, from);
}

/* Rule -> the correlations that it is a member of. */
static int init_members(struct wedr_correlate *c)
{
    uint32_t rules = wedr_ruleset_rule_count(c->e->rs);
    size_t total = 0;
    for (uint32_t i = 0; i < c->kind_count; i++) {
        total += c->kinds[i].on ? c->kinds[i].c->member_count : 0;
    }
    c->member_first = take(c, (size_t)rules + 2, sizeof(*c->member_first));
    c->memberships = take(c, total + 1, sizeof(*c->memberships));
    if (!c->member_first || !c->memberships) {
        return WEDR_E_NOMEM;
    }
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < c->kind_count; i++) {
            const struct wedr_correlation *k = c->kinds[i].c;
            for (uint32_t m = 0; c->kinds[i].on && m < k->member_count; m++) {
                if (pass == 0) {
                    c->member_first[k->members[m] + 2]++;
                } else {
                    struct wedr_corr_membership here = {i, m};
                    c->memberships[c->member_first[k->members[m] + 1]++] = here;
                }
            }
        }
        for (uint32_t r = 0; pass == 0 && r < rules; r++) {
            c->member_first[r + 1] += c->member_first[r];
        }
    }
    return WEDR_OK;
}

static int init(struct wedr_correlate *c, const struct wedr_correlate_limits *l)
{
    const struct wedr_ruleset *rs = c->e->rs;
    bool joins = false;
    c->limits.windows_max = pick(l->windows_max, 10000, WINDOWS_MIN);
    c->limits.entries_max = pick(l->entries_max, 256, 1);
    c->limits.entries_total_max = pick(l->entries_total_max, 100000, ENTRIES_MIN);
    c->limits.evidence_max = pick(l->evidence_max, 32, 1);
    c->kind_count = wedr_ruleset_correlation_count(rs);
    c->kinds = take(c, (size_t)c->kind_count + 1, sizeof(*c->kinds));
    if (!c->kinds) {
        return WEDR_E_NOMEM;
    }
    if (c->kind_count == 0) {
        return WEDR_OK;
    }
    for (uint32_t i = 0; i < c->kind_count; i++) {
        init_kind(c, &c->kinds[i], wedr_ruleset_correlation(rs, i));
        joins = joins || c->kinds[i].c->join_count > 0;
    }
    c->bucket_mask = 255;
    while (c->bucket_mask < c->limits.windows_max) {
        c->bucket_mask = c->bucket_mask * 2 + 1;
    }
    c->pending = take(c, (size_t)c->kind_count / 64 + 1, sizeof(*c->pending));
    c->windows = take(c, c->limits.windows_max, sizeof(*c->windows));
    c->buckets = take(c, (size_t)c->bucket_mask + 1, sizeof(*c->buckets));
    c->entries = take(c, c->limits.entries_total_max, sizeof(*c->entries));
    c->evidence = take(c, c->limits.evidence_max, sizeof(*c->evidence));
    if (joins) {
        c->joins = take(c, (size_t)c->limits.entries_total_max * WEDR_IR_JOIN_SIDES_MAX,
                        sizeof(*c->joins));
    }
    if (!c->pending || !c->windows || !c->buckets || !c->entries || !c->evidence ||
        (joins && !c->joins)) {
        return WEDR_E_NOMEM;
    }
    wedr_corr_windows_init(c);
    return init_members(c);
}

struct wedr_correlate *wedr_correlate_new(const struct wedr_engine *e,
                                          const struct wedr_correlate_limits *limits)
{
    static const struct wedr_correlate_limits none;
    struct wedr_correlate *c = wedr_alloc(1, sizeof(*c));
    if (!c) {
        return NULL;
    }
    c->magic = WEDR_CORRELATE_MAGIC;
    c->e = e;
    c->stats.memory_bytes = sizeof(*c);
    if (init(c, limits ? limits : &none) < 0) {
        wedr_correlate_free(c);
        return NULL;
    }
    return c;
}

void wedr_correlate_free(struct wedr_correlate *c)
{
    if (c) {
        wedr_free(c->kinds);
        wedr_free(c->pending);
        wedr_free(c->member_first);
        wedr_free(c->memberships);
        wedr_free(c->windows);
        wedr_free(c->buckets);
        wedr_free(c->entries);
        wedr_free(c->evidence);
        wedr_free(c->joins);
        c->magic = 0;
        wedr_free(c);
    }
}

/* The event that is being fed. */
struct feed {
    struct wedr_correlate *c;
    struct wedr_rule_event *ev;
    int64_t time_us;
    uint64_t ref;
    wedr_firing_fn *fn;
    void *ctx;
};

static uint32_t add(const struct feed *f, uint32_t window, uint32_t member, uint64_t value)
{
    uint32_t id = wedr_corr_add(f->c, window, f->time_us);
    if (id != WEDR_CORR_NONE) {
        struct wedr_corr_entry *e = &f->c->entries[id];
        e->member = (uint8_t)member;
        e->ref = f->ref;
        e->value = value;
    }
    return id;
}

/* Of what is equal, only the newest stays. */
static void remove_equal(struct wedr_correlate *c, uint32_t window, uint32_t kept, bool by_member)
{
    const struct wedr_corr_entry *k = &c->entries[kept];
    for (uint32_t e = c->windows[window].newest; e != WEDR_CORR_NONE; e = c->entries[e].older) {
        const struct wedr_corr_entry *x = &c->entries[e];
        if (e != kept && (by_member ? x->member == k->member : x->value == k->value)) {
            wedr_corr_remove(c, window, k->time_us >= x->time_us ? e : kept);
            return;
        }
    }
}

/* True when one was in time. */
static bool add_values(const struct feed *f, uint32_t window, uint32_t member)
{
    struct wedr_correlate *c = f->c;
    uint32_t field = c->kinds[c->windows[window].kind_of].c->value_field;
    uint32_t left = WEDR_CORR_VALUES_MAX;
    bool any = false;
    for (uint32_t v = wedr_rule_event_first(f->ev, field); v != WEDR_IR_NONE && left > 0;
         v = f->ev->values[v].next, left--) {
        if (f->ev->values[v].kind != WEDR_VALUE_NULL) {
            uint32_t e = add(f, window, member, wedr_corr_hash(wedr_rule_event_text(f->ev, v), 1));
            if (e != WEDR_CORR_NONE) {
                remove_equal(c, window, e, false);
                any = true;
            }
        }
    }
    return any;
}

/* Notes that the event is one of that member; an event counts once however many members it is.
 * False when the window did not take it. */
static bool note(const struct feed *f, uint32_t window, uint32_t member)
{
    struct wedr_correlate *c = f->c;
    const struct wedr_correlation *k = c->kinds[c->windows[window].kind_of].c;
    bool again = c->windows[window].seq == c->seq;
    c->windows[window].seq = c->seq;
    if (again && k->kind <= WEDR_CORR_VALUE_COUNT) {
        return false;
    }
    if (k->kind == WEDR_CORR_VALUE_COUNT) {
        return add_values(f, window, member);
    }
    uint32_t e = add(f, window, member, 0);
    if (e == WEDR_CORR_NONE) {
        return false;
    }
    if (k->kind == WEDR_CORR_TEMPORAL) {
        remove_equal(c, window, e, true);
    } else if (k->kind == WEDR_CORR_PATTERN && c->joins) {
        wedr_corr_note_joins(c, window, e, f->ev);
    }
    return true;
}

static bool limits_hold(const struct wedr_correlation *k, uint64_t count)
{
    for (uint32_t i = 0; i < k->limit_count; i++) {
        int order = wedr_number_compare(wedr_number_u64(count), k->limits[i].number);
        bool holds = k->limits[i].op == WEDR_OP_EQ   ? order == 0
                     : k->limits[i].op == WEDR_OP_NE ? order != 0
                     : k->limits[i].op == WEDR_OP_LT ? order < 0
                     : k->limits[i].op == WEDR_OP_LE ? order <= 0
                     : k->limits[i].op == WEDR_OP_GT ? order > 0
                                                     : order >= 0;
        if (!holds) {
            return false;
        }
    }
    return true;
}

/* From the event at hand, which is of the last member, backwards: the latest event of each member
 * before. */
static bool in_order(const struct wedr_correlate *c, uint32_t window, uint32_t *chosen)
{
    const struct wedr_corr_window *w = &c->windows[window];
    uint32_t next = c->kinds[w->kind_of].c->member_count;
    uint32_t last = next - 1;
    uint64_t seq = 0;
    for (uint32_t e = w->newest; e != WEDR_CORR_NONE && next > 0; e = c->entries[e].older) {
        const struct wedr_corr_entry *x = &c->entries[e];
        bool first = next == last + 1;
        if (x->member == next - 1 && (first ? x->seq == c->seq : x->seq != seq)) {
            chosen[--next] = e;
            seq = x->seq;
        }
    }
    return next == 0;
}

static bool fires(struct wedr_correlate *c, uint32_t window, uint32_t *chosen)
{
    const struct wedr_corr_window *w = &c->windows[window];
    const struct wedr_correlation *k = c->kinds[w->kind_of].c;
    switch (k->kind) {
    case WEDR_CORR_EVENT_COUNT:
    case WEDR_CORR_VALUE_COUNT:
        return w->count > 0 && limits_hold(k, w->count);
    case WEDR_CORR_TEMPORAL:
        return k->limit_count > 0 ? limits_hold(k, w->count) : w->count == k->member_count;
    case WEDR_CORR_TEMPORAL_ORDERED:
        return in_order(c, window, chosen);
    default:
        return wedr_corr_search(c, window, chosen);
    }
}

/* References of the window's newest entries, or of the chosen ones, oldest first. */
static size_t gather(struct wedr_correlate *c, uint32_t window, const uint32_t *chosen)
{
    const struct wedr_corr_window *w = &c->windows[window];
    const struct wedr_correlation *k = c->kinds[w->kind_of].c;
    size_t count = 0;
    for (uint32_t e = w->newest; e != WEDR_CORR_NONE && count < c->limits.evidence_max;
         e = c->entries[e].older) {
        bool wanted = k->kind < WEDR_CORR_TEMPORAL_ORDERED || chosen[c->entries[e].member] == e;
        if (wanted && (count == 0 || c->evidence[count - 1] != c->entries[e].ref)) {
            c->evidence[count++] = c->entries[e].ref;
        }
    }
    for (size_t i = 0; i < count / 2; i++) {
        uint64_t swap = c->evidence[i];
        c->evidence[i] = c->evidence[count - 1 - i];
        c->evidence[count - 1 - i] = swap;
    }
    return count;
}

static void mark(struct wedr_correlate *c, uint32_t rule)
{
    for (uint32_t i = c->member_first[rule]; i < c->member_first[rule + 1]; i++) {
        const struct wedr_corr_membership *m = &c->memberships[i];
        c->kinds[m->correlation].members |= UINT64_C(1) << m->member;
        c->pending[m->correlation / 64] |= UINT64_C(1) << (m->correlation % 64);
    }
}

static void fire(const struct feed *f, uint32_t window, const uint32_t *chosen)
{
    struct wedr_correlate *c = f->c;
    const struct wedr_corr_window *w = &c->windows[window];
    const struct wedr_correlation *k = c->kinds[w->kind_of].c;
    struct wedr_firing x = {
        .rule = k->rule, .count = w->count, .evidence = c->evidence, .group_count = k->group_count};
    x.evidence_count = gather(c, window, chosen);
    size_t at = 0;
    for (uint32_t g = 0; g < k->group_count; g++) {
        uint16_t len;
        memcpy(&len, w->key + at, 2);
        x.group[g] = wedr_text(w->key + at + 2, len);
        at += 2u + len;
    }
    c->stats.fired++;
    if (f->fn) {
        f->fn(f->ctx, &x);
    }
    mark(c, k->rule);
    if (k->consume) {
        wedr_corr_clear(c, window);
    }
}

/* All members first, so that a pattern sees everything that the event is. */
static void process(const struct feed *f, uint32_t kind)
{
    struct wedr_correlate *c = f->c;
    uint64_t members = c->kinds[kind].members;
    uint32_t windows[WEDR_IR_MEMBERS_MAX];
    uint32_t chosen[WEDR_IR_MEMBERS_MAX];
    uint32_t count = 0;
    wedr_corr_expire(c, kind);
    for (uint32_t m = 0; m < c->kinds[kind].c->member_count; m++) {
        uint32_t window = members >> m & 1 ? wedr_corr_window(c, kind, m, f->ev) : WEDR_CORR_NONE;
        if (window != WEDR_CORR_NONE && note(f, window, m)) {
            uint32_t at = 0;
            while (at < count && windows[at] != window) {
                at++;
            }
            windows[at] = window;
            count += at == count;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (fires(c, windows[i], chosen)) {
            fire(f, windows[i], chosen);
        }
    }
    c->kinds[kind].members = 0;
}

int wedr_correlate_feed(struct wedr_correlate *c,
                        struct wedr_rule_event *ev,
                        const uint32_t *rules,
                        size_t count,
                        int64_t time_us,
                        uint64_t ref,
                        wedr_firing_fn *fn,
                        void *ctx)
{
    WEDR_OBJ_CHECK(c, WEDR_CORRELATE_MAGIC);
    WEDR_OBJ_CHECK(ev, WEDR_EVENT_MAGIC);
    if (c->kind_count == 0) {
        return WEDR_OK;
    }
    for (size_t i = 0; i < count; i++) {
        if (rules[i] >= wedr_ruleset_rule_count(c->e->rs)) {
            return WEDR_E_INVAL;
        }
    }
    const int64_t edge = INT64_MAX / 4;
    struct feed f = {.c = c, .ev = ev, .ref = ref, .fn = fn, .ctx = ctx};
    f.time_us = time_us > edge ? edge : time_us < -edge ? -edge : time_us;
    c->seq++;
    c->stats.fed += count > 0;
    c->now_us = f.time_us;
    c->sweep = (c->sweep + 1) % c->kind_count; /* so that groups nobody feeds any more go, too */
    wedr_corr_expire(c, c->sweep);
    for (size_t i = 0; i < count; i++) {
        mark(c, rules[i]);
    }
    /* A correlation that fires can only feed later ones. */
    for (uint32_t k = 0; k < c->kind_count; k++) {
        if (c->pending[k / 64] == 0) {
            k |= 63;
        } else if (c->pending[k / 64] >> (k % 64) & 1) {
            c->pending[k / 64] &= ~(UINT64_C(1) << (k % 64));
            process(&f, k);
        }
    }
    return WEDR_OK;
}

void wedr_correlate_stats(const struct wedr_correlate *c, struct wedr_correlate_stats *ret_stats)
{
    *ret_stats = c->stats;
}
