/* SPDX-License-Identifier: Apache-2.0 */
#include "counting.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "docs.h"
#include "wedr/rules/correlate.h"
#include <stdlib.h>
#include <string.h>

#define EVIDENCE_MAX 32u

/* An event that members match, with copies of all it needs. */
struct kept {
    int64_t time_us;
    uint32_t place; /* in places */
    uint32_t rule_count, json_len, host_len;
    char *bytes; /* rules, then JSON, then host */
};

struct wedr_counting {
    const struct wedr_load *load;
    const struct wedr_ruleset *rs;
    bool *feeds;
    wedr_counted_fn *fn;
    void *ctx;
    bool any_global, any_local;
    struct wedr_correlate *global; /* over all hosts; lives as long as this */
    struct wedr_rule_event *event;
    struct wedr_place *places; /* of every event kept so far: what evidence refers to */
    size_t place_count, place_cap;
    struct kept *kept;
    size_t kept_count, kept_cap, kept_bytes;
    int64_t last_us;
    /* During a feeding: */
    bool local;
    const struct wedr_place *now;
    int err;
    struct wedr_counting_stats stats;
};

/* Whether a correlation sees one host at a time. */
static bool is_local(const struct wedr_rule *rule)
{
    return rule->language.len == 4 && memcmp(rule->language.p, "waza", 4) == 0 &&
           (rule->flags & WEDR_RULE_SERVER) == 0;
}

int wedr_counting_new(const struct wedr_load *load,
                      bool *feeds,
                      wedr_counted_fn *fn,
                      void *ctx,
                      struct wedr_counting **ret_c)
{
    const struct wedr_ruleset *rs = wedr_engine_ruleset(load->engine);
    const struct wedr_rule_event_limits limits = {.document_max = (uint32_t)WEDR_DOCS_BYTES_MAX};
    bool any_global = false;
    bool any_local = false;
    *ret_c = NULL;
    for (uint32_t i = 0; i < wedr_ruleset_correlation_count(rs); i++) {
        const struct wedr_correlation *c = wedr_ruleset_correlation(rs, i);
        const struct wedr_rule *rule = wedr_ruleset_rule(rs, c->rule);
        if ((rule->flags & WEDR_RULE_DISABLED) != 0) {
            continue;
        }
        any_local = any_local || is_local(rule);
        any_global = any_global || !is_local(rule);
        for (uint32_t k = 0; k < c->member_count; k++) {
            feeds[c->members[k]] = true;
        }
    }
    if (!any_global && !any_local) {
        return WEDR_OK;
    }
    struct wedr_counting *c = wedr_alloc(1, sizeof(*c));
    if (!c) {
        return WEDR_E_NOMEM;
    }
    *ret_c = c;
    c->load = load;
    c->rs = rs;
    c->feeds = feeds;
    c->fn = fn;
    c->ctx = ctx;
    c->any_global = any_global;
    c->any_local = any_local;
    c->last_us = INT64_MIN;
    c->event = wedr_rule_event_new(rs, &limits);
    c->global = any_global ? wedr_correlate_new(load->engine, NULL) : NULL;
    return c->event && (c->global || !any_global) ? WEDR_OK : WEDR_E_NOMEM;
}

static void drop_kept(struct wedr_counting *c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct kept *k = &c->kept[i];
        c->kept_bytes -= k->rule_count * sizeof(uint32_t) + k->json_len + k->host_len;
        wedr_free(k->bytes);
    }
    c->kept_count -= count;
    if (c->kept_count > 0) {
        memmove(c->kept, c->kept + count, c->kept_count * sizeof(*c->kept));
    }
}

void wedr_counting_free(struct wedr_counting *c)
{
    if (!c) {
        return;
    }
    drop_kept(c, c->kept_count);
    wedr_free(c->kept);
    wedr_free(c->places);
    wedr_correlate_free(c->global);
    wedr_rule_event_free(c->event);
    wedr_free(c);
}

/* Room for one more of both arrays. */
static int make_room(struct wedr_counting *c)
{
    if (c->place_count == c->place_cap) {
        size_t cap = c->place_cap ? 2 * c->place_cap : 1024;
        struct wedr_place *places = wedr_realloc(c->places, cap, sizeof(*places));
        if (!places) {
            return WEDR_E_NOMEM;
        }
        c->places = places;
        c->place_cap = cap;
    }
    if (c->kept_count == c->kept_cap) {
        size_t cap = c->kept_cap ? 2 * c->kept_cap : 1024;
        struct kept *kept = wedr_realloc(c->kept, cap, sizeof(*kept));
        if (!kept) {
            return WEDR_E_NOMEM;
        }
        c->kept = kept;
        c->kept_cap = cap;
    }
    return WEDR_OK;
}

/* --- Feeding. */

static struct wedr_text host_of(const struct kept *k)
{
    return wedr_text(k->bytes + k->rule_count * sizeof(uint32_t) + k->json_len, k->host_len);
}

static void on_firing(void *ctx, const struct wedr_firing *firing)
{
    struct wedr_counting *c = ctx;
    const struct wedr_rule *rule = wedr_ruleset_rule(c->rs, firing->rule);
    struct wedr_place evidence[EVIDENCE_MAX];
    struct wedr_counted out = {.rule = firing->rule,
                               .place = *c->now,
                               .count = firing->count,
                               .evidence = evidence,
                               .group = firing->group,
                               .group_count = firing->group_count};
    if (c->err != WEDR_OK || is_local(rule) != c->local ||
        (rule->flags & (WEDR_RULE_HIDDEN | WEDR_RULE_DISABLED)) != 0) {
        return;
    }
    for (size_t i = 0; i < firing->evidence_count && i < EVIDENCE_MAX; i++) {
        if (firing->evidence[i] < c->place_count) {
            evidence[out.evidence_count++] = c->places[firing->evidence[i]];
        }
    }
    for (unsigned i = WEDR_FACT_HOST; i < WEDR_FACT_COUNT; i++) {
        out.facts[i] = wedr_facts_text(&c->load->facts, c->event, (enum wedr_fact)i);
    }
    for (size_t i = 0; i < c->load->facts.more_count; i++) {
        out.more[i] = wedr_facts_more(&c->load->facts, c->event, i);
    }
    c->err = c->fn(c->ctx, &out);
}

static int feed(struct wedr_counting *c, struct wedr_correlate *to, const struct kept *k)
{
    const uint32_t *rules = (const uint32_t *)(const void *)k->bytes;
    const char *json = k->bytes + k->rule_count * sizeof(uint32_t);
    c->now = &c->places[k->place];
    int r = wedr_rule_event_read_json(c->event, c->load->map, json, k->json_len, NULL);
    if (r == WEDR_OK) {
        r = wedr_correlate_feed(to, c->event, rules, k->rule_count, c->now->time_us, k->place,
                                on_firing, c);
    }
    return r == WEDR_OK ? c->err : r;
}

static int by_time(const void *pa, const void *pb)
{
    const struct kept *a = pa;
    const struct kept *b = pb;
    return a->time_us != b->time_us ? (a->time_us < b->time_us ? -1 : 1)
                                    : (a->place > b->place) - (a->place < b->place);
}

static int by_host(const void *pa, const void *pb)
{
    struct wedr_text a = host_of(pa);
    struct wedr_text b = host_of(pb);
    uint32_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.p, b.p, len) : 0;
    order = order ? order : (a.len > b.len) - (a.len < b.len);
    return order ? order : by_time(pa, pb);
}

static void note_stats(struct wedr_counting *c, const struct wedr_correlate *from)
{
    struct wedr_correlate_stats s;
    wedr_correlate_stats(from, &s);
    c->stats.ungrouped += s.ungrouped;
    c->stats.evicted += s.evicted_entries;
}

/* The first count of them, each host by itself. */
static int feed_hosts(struct wedr_counting *c, size_t count)
{
    struct wedr_correlate *one = NULL;
    int r = WEDR_OK;
    c->local = true;
    qsort(c->kept, count, sizeof(*c->kept), by_host);
    for (size_t i = 0; r == WEDR_OK && i < count; i++) {
        struct wedr_text host = host_of(&c->kept[i]);
        if (i == 0 || !wedr_text_equal(host, host_of(&c->kept[i - 1]), true)) {
            if (one) {
                note_stats(c, one);
            }
            wedr_correlate_free(one);
            one = wedr_correlate_new(c->load->engine, NULL);
            r = one ? WEDR_OK : WEDR_E_NOMEM;
        }
        r = r == WEDR_OK ? feed(c, one, &c->kept[i]) : r;
    }
    if (one) {
        note_stats(c, one);
    }
    wedr_correlate_free(one);
    return r;
}

/* Counts the oldest `count` and lets them go. */
static int count_oldest(struct wedr_counting *c, size_t count)
{
    int r = WEDR_OK;
    if (count == 0) {
        return WEDR_OK;
    }
    qsort(c->kept, c->kept_count, sizeof(*c->kept), by_time);
    c->local = false;
    for (size_t i = 0; c->global && r == WEDR_OK && i < count; i++) {
        r = feed(c, c->global, &c->kept[i]);
    }
    if (r == WEDR_OK && c->any_local) {
        r = feed_hosts(c, count);
    }
    drop_kept(c, count);
    return r;
}

int wedr_counting_add(struct wedr_counting *c, const struct wedr_hit *hit)
{
    struct kept k = {.json_len = hit->json.len, .host_len = hit->facts[WEDR_FACT_HOST].len};
    for (size_t i = 0; i < hit->count; i++) {
        k.rule_count += c->feeds[hit->rules[i]];
    }
    if (k.rule_count == 0) {
        return WEDR_OK;
    }
    if (c->place_count == WEDR_COUNTING_EVENTS_MAX) {
        return WEDR_E_LIMIT;
    }
    size_t rules_len = k.rule_count * sizeof(uint32_t);
    size_t len = rules_len + k.json_len + k.host_len;
    int r = make_room(c);
    if (r == WEDR_OK && c->kept_bytes + len > WEDR_COUNTING_BYTES_MAX) {
        c->stats.early = true;
        r = count_oldest(c, (c->kept_count + 1) / 2);
    }
    k.bytes = r == WEDR_OK ? wedr_alloc(1, len) : NULL;
    if (!k.bytes) {
        return r == WEDR_OK ? WEDR_E_NOMEM : r;
    }
    uint32_t *rules = (uint32_t *)(void *)k.bytes;
    for (size_t i = 0, n = 0; i < hit->count; i++) {
        if (c->feeds[hit->rules[i]]) {
            rules[n++] = hit->rules[i];
        }
    }
    memcpy(k.bytes + rules_len, hit->json.p, k.json_len);
    if (k.host_len > 0) {
        memcpy(k.bytes + rules_len + k.json_len, hit->facts[WEDR_FACT_HOST].p, k.host_len);
    }
    struct wedr_place place = hit->place;
    if (!place.timed) {
        place.time_us = c->last_us == INT64_MIN ? 0 : c->last_us;
        c->stats.undated++;
    }
    c->last_us = k.time_us = place.time_us;
    k.place = (uint32_t)c->place_count;
    c->places[c->place_count++] = place;
    c->kept[c->kept_count++] = k;
    c->kept_bytes += len;
    c->stats.kept++;
    return WEDR_OK;
}

int wedr_counting_finish(struct wedr_counting *c)
{
    int r = count_oldest(c, c->kept_count);
    if (c->global) {
        note_stats(c, c->global);
    }
    return r;
}

void wedr_counting_stats(const struct wedr_counting *c, struct wedr_counting_stats *ret_stats)
{
    *ret_stats = c->stats;
}
