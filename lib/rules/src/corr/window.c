/* SPDX-License-Identifier: Apache-2.0
 * rules/src/corr/window.c — windows in a hash table and two lists of use, entries in a list by
 * time. */
#include "corr/state.h"
#include <string.h>

uint64_t wedr_corr_hash(struct wedr_text t, uint64_t seed)
{
    uint32_t low = wedr_hash_bytes(t.p, t.len, (uint32_t)seed);
    uint32_t high = wedr_hash_bytes(t.p, t.len, (uint32_t)(seed >> 32) ^ 0x5bd1e995u);
    return (uint64_t)high << 32 | low;
}

bool wedr_corr_first(struct wedr_rule_event *ev, uint32_t field, struct wedr_text *ret_text)
{
    for (uint32_t v = wedr_rule_event_first(ev, field); v != WEDR_IR_NONE; v = ev->values[v].next) {
        if (ev->values[v].kind != WEDR_VALUE_NULL) {
            *ret_text = wedr_rule_event_text(ev, v);
            return true;
        }
    }
    return false;
}

/* Memory is touched only when it is first needed. */
void wedr_corr_windows_init(struct wedr_correlate *c)
{
    memset(c->buckets, 0xFF, ((size_t)c->bucket_mask + 1) * sizeof(*c->buckets));
    c->free_window = c->free_entry = WEDR_CORR_NONE;
    c->least_used = c->most_used = WEDR_CORR_NONE;
}

/* Takes w out of both lists of use. */
static void unlink_window(struct wedr_correlate *c, uint32_t window)
{
    struct wedr_corr_window *w = &c->windows[window];
    struct wedr_corr_kind *k = &c->kinds[w->kind_of];
    *(w->less_used == WEDR_CORR_NONE ? &c->least_used : &c->windows[w->less_used].more_used) =
        w->more_used;
    *(w->more_used == WEDR_CORR_NONE ? &c->most_used : &c->windows[w->more_used].less_used) =
        w->less_used;
    *(w->less_used_of == WEDR_CORR_NONE ? &k->least_used
                                        : &c->windows[w->less_used_of].more_used_of) =
        w->more_used_of;
    *(w->more_used_of == WEDR_CORR_NONE ? &k->most_used
                                        : &c->windows[w->more_used_of].less_used_of) =
        w->less_used_of;
}

static void link_window(struct wedr_correlate *c, uint32_t window)
{
    struct wedr_corr_window *w = &c->windows[window];
    struct wedr_corr_kind *k = &c->kinds[w->kind_of];
    w->more_used = w->more_used_of = WEDR_CORR_NONE;
    w->less_used = c->most_used;
    w->less_used_of = k->most_used;
    *(w->less_used == WEDR_CORR_NONE ? &c->least_used : &c->windows[w->less_used].more_used) =
        window;
    *(w->less_used_of == WEDR_CORR_NONE ? &k->least_used
                                        : &c->windows[w->less_used_of].more_used_of) = window;
    c->most_used = k->most_used = window;
}

void wedr_corr_remove(struct wedr_correlate *c, uint32_t window, uint32_t entry)
{
    struct wedr_corr_window *w = &c->windows[window];
    struct wedr_corr_entry *e = &c->entries[entry];
    *(e->older == WEDR_CORR_NONE ? &w->oldest : &c->entries[e->older].newer) = e->newer;
    *(e->newer == WEDR_CORR_NONE ? &w->newest : &c->entries[e->newer].older) = e->older;
    e->newer = c->free_entry;
    c->free_entry = entry;
    w->count--;
    c->stats.entries--;
}

void wedr_corr_clear(struct wedr_correlate *c, uint32_t window)
{
    while (c->windows[window].oldest != WEDR_CORR_NONE) {
        wedr_corr_remove(c, window, c->windows[window].oldest);
    }
}

static void free_window(struct wedr_correlate *c, uint32_t window)
{
    struct wedr_corr_window *w = &c->windows[window];
    uint32_t *at = &c->buckets[(uint32_t)w->key_hash & c->bucket_mask];
    wedr_corr_clear(c, window);
    unlink_window(c, window);
    while (*at != window) {
        at = &c->windows[*at].chain;
    }
    *at = w->chain;
    w->kind_of = WEDR_CORR_NONE;
    w->chain = c->free_window;
    c->free_window = window;
    c->stats.windows--;
}

static void evict_window(struct wedr_correlate *c, uint32_t window)
{
    c->stats.evicted_windows++;
    c->stats.evicted_entries += c->windows[window].count;
    free_window(c, window);
}

/* One timespan longer than its events count: an event of another host may come that much later. */
void wedr_corr_expire(struct wedr_correlate *c, uint32_t kind)
{
    const struct wedr_corr_kind *k = &c->kinds[kind];
    while (k->least_used != WEDR_CORR_NONE &&
           c->windows[k->least_used].newest_us < c->now_us - 2 * k->span_us) {
        c->stats.expired++;
        free_window(c, k->least_used);
    }
}

static uint32_t group_field(const struct wedr_correlation *c, uint32_t group, uint32_t member)
{
    for (uint32_t i = 0; i < c->alias_count; i++) {
        if (c->aliases[i].group == group && c->aliases[i].member == member) {
            return c->aliases[i].field;
        }
    }
    return c->group_by[group];
}

/* The key of the event's group into w; long values are cut, their hash counts in whole. */
static bool make_key(const struct wedr_correlation *c,
                     uint32_t member,
                     struct wedr_rule_event *ev,
                     struct wedr_corr_window *w)
{
    for (uint32_t g = 0; g < c->group_count; g++) {
        struct wedr_text t;
        if (!wedr_corr_first(ev, group_field(c, g, member), &t)) {
            return false;
        }
        w->key_hash = wedr_corr_hash(t, w->key_hash + g + 1);
        uint32_t room = (WEDR_CORR_KEY_MAX - w->key_len) / (c->group_count - g) - 2;
        uint16_t len = (uint16_t)(t.len < room ? t.len : room);
        memcpy(w->key + w->key_len, &len, 2);
        if (len) {
            memcpy(w->key + w->key_len + 2, t.p, len);
        }
        w->key_len = (uint16_t)(w->key_len + 2 + len);
    }
    return true;
}

static uint32_t take_window(struct wedr_correlate *c)
{
    if (c->free_window == WEDR_CORR_NONE && c->fresh_windows < c->limits.windows_max) {
        return c->fresh_windows++;
    }
    if (c->free_window == WEDR_CORR_NONE) {
        evict_window(c, c->least_used);
    }
    uint32_t id = c->free_window;
    c->free_window = c->windows[id].chain;
    return id;
}

/* A window without entries, the most recently used one. */
static uint32_t open_window(struct wedr_correlate *c, const struct wedr_corr_window *want)
{
    uint32_t id = take_window(c);
    struct wedr_corr_window *w = &c->windows[id];
    uint32_t *bucket = &c->buckets[(uint32_t)want->key_hash & c->bucket_mask];
    *w = *want;
    w->chain = *bucket;
    w->oldest = w->newest = WEDR_CORR_NONE;
    *bucket = id;
    link_window(c, id);
    c->stats.windows++;
    return id;
}

uint32_t wedr_corr_window(struct wedr_correlate *c,
                          uint32_t kind,
                          uint32_t member,
                          struct wedr_rule_event *ev)
{
    struct wedr_corr_window want = {.kind_of = kind, .key_hash = c->kinds[kind].seed};
    if (!make_key(c->kinds[kind].c, member, ev, &want)) {
        c->stats.ungrouped++;
        return WEDR_CORR_NONE;
    }
    uint32_t id = c->buckets[(uint32_t)want.key_hash & c->bucket_mask];
    for (; id != WEDR_CORR_NONE; id = c->windows[id].chain) {
        const struct wedr_corr_window *have = &c->windows[id];
        if (have->kind_of == kind && have->key_hash == want.key_hash &&
            have->key_len == want.key_len && memcmp(have->key, want.key, want.key_len) == 0) {
            unlink_window(c, id);
            link_window(c, id);
            return id;
        }
    }
    want.newest_us = INT64_MIN;
    return open_window(c, &want);
}

uint32_t
wedr_corr_window_like(struct wedr_correlate *c, uint32_t kind, const struct wedr_corr_window *like)
{
    struct wedr_corr_window want = *like;
    want.kind_of = kind;
    want.count = 0;
    return open_window(c, &want);
}

/* When there is none left, the least recently used window gives all of its own; one that this event
 * already stands in gives only its oldest. */
static uint32_t take_entry(struct wedr_correlate *c)
{
    if (c->free_entry == WEDR_CORR_NONE && c->fresh_entries < c->limits.entries_total_max) {
        return c->fresh_entries++;
    }
    if (c->free_entry == WEDR_CORR_NONE) {
        uint32_t victim = c->least_used;
        while (c->windows[victim].count == 0) {
            victim = c->windows[victim].more_used;
        }
        if (c->windows[victim].seq == c->seq) {
            wedr_corr_remove(c, victim, c->windows[victim].oldest);
            c->stats.evicted_entries++;
        } else {
            evict_window(c, victim);
        }
    }
    uint32_t id = c->free_entry;
    c->free_entry = c->entries[id].newer;
    return id;
}

/* A clock that was wrong once must not close a group for good. */
static bool is_late(struct wedr_correlate *c, uint32_t window, int64_t time_us)
{
    struct wedr_corr_window *w = &c->windows[window];
    if (w->newest_us == INT64_MIN || time_us >= w->newest_us - c->kinds[w->kind_of].span_us) {
        w->late = 0;
        return false;
    }
    c->stats.late++;
    if (++w->late < WEDR_CORR_LATE_MAX) {
        return true;
    }
    wedr_corr_clear(c, window);
    w->newest_us = INT64_MIN;
    w->late = 0;
    return false;
}

uint32_t wedr_corr_append(struct wedr_correlate *c, uint32_t window)
{
    uint32_t id = take_entry(c);
    struct wedr_corr_window *w = &c->windows[window];
    struct wedr_corr_entry *e = &c->entries[id];
    e->older = w->newest;
    e->newer = WEDR_CORR_NONE;
    *(e->older == WEDR_CORR_NONE ? &w->oldest : &c->entries[e->older].newer) = id;
    w->newest = id;
    w->count++;
    c->stats.entries++;
    return id;
}

uint32_t wedr_corr_add(struct wedr_correlate *c, uint32_t window, int64_t time_us)
{
    struct wedr_corr_window *w = &c->windows[window];
    const struct wedr_corr_kind *k = &c->kinds[w->kind_of];
    if (is_late(c, window, time_us)) {
        return WEDR_CORR_NONE;
    }
    w->newest_us = time_us > w->newest_us ? time_us : w->newest_us;
    while (w->oldest != WEDR_CORR_NONE &&
           c->entries[w->oldest].time_us < w->newest_us - k->span_us) {
        wedr_corr_remove(c, window, w->oldest);
    }
    if (w->count >= k->entries_max) {
        wedr_corr_remove(c, window, w->oldest);
        c->stats.evicted_entries++;
    }
    uint32_t id = take_entry(c);
    struct wedr_corr_entry *e = &c->entries[id];
    uint32_t after = w->newest;
    while (after != WEDR_CORR_NONE && c->entries[after].time_us > time_us) {
        after = c->entries[after].older;
    }
    e->older = after;
    e->newer = after == WEDR_CORR_NONE ? w->oldest : c->entries[after].newer;
    *(e->older == WEDR_CORR_NONE ? &w->oldest : &c->entries[e->older].newer) = id;
    *(e->newer == WEDR_CORR_NONE ? &w->newest : &c->entries[e->newer].older) = id;
    e->time_us = time_us;
    e->seq = c->seq;
    e->value = 0;
    w->count++;
    c->stats.entries++;
    return id;
}
