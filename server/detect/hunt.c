/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/hunt.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "detect/eval.h"
#include "wedr/plat/time.h"
#include "wedr/rules/correlate.h"
#include <string.h>

#define PROGRESS_MS 500u

struct hunting {
    const struct wedr_hunt *h;
    struct wedr_hunt_stats *stats;
    struct wedr_events_reader *reader;
    struct wedr_eval *eval;
    struct wedr_correlate *correlate; /* NULL: no rule needs it */
    bool types[256];
    uint64_t begin_ms, told_ms;
    /* Of the line that is being looked at. */
    struct wedr_event_block block;
    struct wedr_event_line line;
    int result; /* of the callback */
};

static void report(struct hunting *w, uint32_t rule, uint64_t count)
{
    const struct wedr_rule *r = wedr_ruleset_rule(wedr_eval_ruleset(w->eval), rule);
    struct wedr_hunt_match m = {r, &w->block, &w->line, count};
    if ((r->flags & WEDR_RULE_HIDDEN) != 0 || w->result != 0 || w->stats->limited) {
        return;
    }
    w->stats->matches++;
    w->result = w->h->match(w->h->ctx, &m);
    w->stats->limited = w->h->match_limit && w->stats->matches >= w->h->match_limit;
}

static void on_firing(void *ctx, const struct wedr_firing *firing)
{
    report(ctx, firing->rule, firing->count);
}

static int look_at(struct hunting *w)
{
    const uint32_t *rules = NULL;
    size_t count = 0;
    int err = wedr_eval_line(w->eval, &w->block, &w->line, &rules, &count);
    w->stats->looked_at++;
    if (err != WEDR_OK) {
        w->stats->unreadable++;
        return err == WEDR_E_NOMEM ? err : WEDR_OK;
    }
    for (size_t i = 0; i < count; i++) {
        report(w, rules[i], 1);
    }
    if (count && w->correlate) {
        err = wedr_correlate_feed(w->correlate, wedr_eval_event(w->eval), rules, count,
                                  w->line.ts_us, w->line.seq, on_firing, w);
    }
    return err == WEDR_OK ? w->result : err;
}

static int check_clock(struct hunting *w)
{
    uint64_t now = wedr_time_mono_ms();
    w->stats->milliseconds = now - w->begin_ms;
    if (w->h->progress && now - w->told_ms >= PROGRESS_MS) {
        w->told_ms = now;
        w->h->progress(w->h->ctx, w->stats);
    }
    return w->h->time_limit_ms && w->stats->milliseconds >= w->h->time_limit_ms ? WEDR_E_TIMEOUT
                                                                                : WEDR_OK;
}

static int look_at_block(struct hunting *w)
{
    const struct wedr_event_block *b = &w->block;
    const struct wedr_events_read_ops *ops = w->h->events_ops->read;
    struct wedr_event_line *l = &w->line;
    int err = check_clock(w);
    w->stats->blocks++;
    w->stats->events += b->lines;
    for (uint32_t row = 0; err == WEDR_OK && row < b->lines && !w->stats->limited; row++) {
        err = ops->line(w->reader, row, true, l);
        if (err == WEDR_OK && w->types[l->type]) {
            err = ops->line(w->reader, row, false, l);
            if (err == WEDR_OK && l->ts_us >= w->h->from_us && l->ts_us <= w->h->to_us) {
                err = look_at(w);
            }
        }
        err = err == WEDR_E_NOENT ? WEDR_OK : err;
        if (err == WEDR_OK && row % 4096 == 4095) {
            err = check_clock(w);
        }
    }
    return err;
}

/* Events alone: in any order, and the store skips for us. */
static int scan(struct hunting *w)
{
    const struct wedr_events_read_ops *ops = w->h->events_ops->read;
    struct wedr_events_scan ask = {w->h->agent_id, w->h->from_us, w->h->to_us, w->types};
    int err = ops->scan(w->reader, &ask);
    while (err == WEDR_OK && !w->stats->limited) {
        err = ops->scan_next(w->reader, &w->block);
        err = err == WEDR_OK ? look_at_block(w) : err;
    }
    return err == WEDR_E_NOENT ? WEDR_OK : err;
}

static bool block_wanted(const struct hunting *w)
{
    const struct wedr_event_block *b = &w->block;
    if (b->lines == 0 || b->t1 < w->h->from_us || b->t0 > w->h->to_us ||
        (w->h->agent_id && strcmp(w->h->agent_id, b->agent_id) != 0)) {
        return false;
    }
    for (size_t i = 0; i < 256; i++) {
        if (w->types[i] && b->counts[i]) {
            return true;
        }
    }
    return false;
}

/* Correlations count over time: in the order in which events came. */
static int follow(struct hunting *w)
{
    const struct wedr_events_read_ops *ops = w->h->events_ops->read;
    int64_t newest = 0, at = 0;
    int err = ops->newest(w->reader, &newest);
    while (err == WEDR_OK && at < newest && !w->stats->limited) {
        err = ops->next(w->reader, at, &w->block);
        if (err == WEDR_OK) {
            at = w->block.arrival;
            err = block_wanted(w) ? look_at_block(w) : check_clock(w);
        }
    }
    return err == WEDR_E_NOENT ? WEDR_OK : err;
}

static int hunt(struct hunting *w, struct wedr_errinfo *ei)
{
    const struct wedr_ruleset *rs = wedr_eval_ruleset(w->eval);
    int err = wedr_eval_types(rs, w->types);
    if (err == WEDR_OK) {
        err = w->h->events_ops->read->open(w->h->data_dir, &w->reader, ei);
    }
    if (err == WEDR_OK && wedr_ruleset_correlation_count(rs) != 0) {
        w->correlate = wedr_correlate_new(wedr_eval_engine(w->eval), NULL);
        err = w->correlate ? WEDR_OK : WEDR_E_NOMEM;
    }
    if (err == WEDR_OK) {
        err = w->correlate ? follow(w) : scan(w);
    }
    if (err == WEDR_E_TIMEOUT) {
        (void)wedr_fail(ei, err, "the hunt took longer than it may");
    }
    return err;
}

int wedr_hunt_run_take(const struct wedr_hunt *h,
                       struct wedr_ruleset *rs,
                       struct wedr_field_map *map,
                       struct wedr_hunt_stats *ret_stats,
                       struct wedr_errinfo *ei)
{
    struct hunting w = {.h = h, .stats = ret_stats, .begin_ms = wedr_time_mono_ms()};
    struct wedr_matcher_stats m = {0};
    struct wedr_correlate_stats c = {0};
    memset(ret_stats, 0, sizeof(*ret_stats));
    int err = wedr_eval_new_take(rs, map, &w.eval, ei);
    if (err != WEDR_OK) {
        return err;
    }
    err = hunt(&w, ei);
    wedr_eval_stats(w.eval, &m);
    ret_stats->regex_limited = m.regex_limited;
    if (w.correlate) {
        wedr_correlate_stats(w.correlate, &c);
        ret_stats->windows_evicted = c.evicted_windows;
    }
    ret_stats->milliseconds = wedr_time_mono_ms() - w.begin_ms;
    wedr_correlate_free(w.correlate);
    if (w.reader) {
        h->events_ops->read->close(w.reader);
    }
    wedr_eval_free(w.eval);
    return err;
}
