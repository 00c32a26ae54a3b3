/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/watch.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "detect/eval.h"
#include "detect/finding.h"
#include "detect/holdback.h"
#include "wedr/rules/bundle.h"
#include "wedr/rules/correlate.h"
#include "wedr/rules/ioc.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REFS_MAX 131072u /* events that matched; a power of two, more than correlations keep */
#define MINUTE_US INT64_C(60000000)
#define NOTE_MAX 1024u
#define REMEMBERED_MAX 10000u

struct wedr_watch {
    const struct wedr_state_ops *ops;
    struct wedr_state *state;
    struct wedr_eval *eval; /* NULL: no rules */
    struct wedr_correlate *correlate;
    struct wedr_holdback *throttle;
    struct wedr_ref *refs; /* made with the first rules */
    uint64_t next_ref;
    bool types[256];
    int64_t window_us;
    struct wedr_watch_stats stats;
    /* Of the line that is being looked at. */
    struct wedr_step *step;
    const struct wedr_event_block *block;
    const struct wedr_event_line *line;
    bool silent;
};

int wedr_watch_new(const struct wedr_state_ops *ops,
                   struct wedr_state *state,
                   struct wedr_watch **ret)
{
    struct wedr_watch *w = wedr_alloc(1, sizeof(*w));
    if (!w) {
        return WEDR_E_NOMEM;
    }
    w->ops = ops;
    w->state = state;
    w->throttle = wedr_holdback_new();
    if (!w->throttle) {
        wedr_watch_free(w);
        return WEDR_E_NOMEM;
    }
    *ret = w;
    return WEDR_OK;
}

void wedr_watch_free(struct wedr_watch *w)
{
    if (w) {
        wedr_correlate_free(w->correlate);
        wedr_eval_free(w->eval);
        wedr_holdback_free(w->throttle);
        wedr_free(w->refs);
        wedr_free(w);
    }
}

/* --- Rules. */

static int build(const struct wedr_watch *w,
                 const struct wedr_buf *bytes,
                 struct wedr_eval **ret_eval,
                 struct wedr_correlate **ret_correlate,
                 struct wedr_correlate_adoption *ret_adopted,
                 struct wedr_errinfo *ei)
{
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    int err = wedr_bundle_load(bytes->p, bytes->len, (size_t)256 << 20, &rs, &map, ei);
    err = err == WEDR_OK ? wedr_eval_new_take(rs, map, ret_eval, ei) : err;
    if (err != WEDR_OK) {
        return err;
    }
    struct wedr_correlate_limits limits = {.evidence_max = WEDR_WATCH_EVIDENCE_MAX};
    *ret_correlate = wedr_correlate_new(wedr_eval_engine(*ret_eval), &limits);
    if (!*ret_correlate) {
        return WEDR_E_NOMEM;
    }
    return w->correlate ? wedr_correlate_adopt(*ret_correlate, w->correlate, ret_adopted) : WEDR_OK;
}

static int
adopt(struct wedr_watch *w, const struct wedr_buf *bytes, bool *ret_cold, struct wedr_errinfo *ei)
{
    struct wedr_correlate_adoption adopted = {0};
    struct wedr_eval *eval = NULL;
    struct wedr_correlate *correlate = NULL;
    bool types[256];
    int err = build(w, bytes, &eval, &correlate, &adopted, ei);
    err = err == WEDR_OK ? wedr_eval_types(wedr_eval_ruleset(eval), types) : err;
    if (err == WEDR_OK && !w->refs) {
        w->refs = wedr_alloc(REFS_MAX, sizeof(*w->refs));
        err = w->refs ? WEDR_OK : WEDR_E_NOMEM;
    }
    if (err != WEDR_OK) {
        wedr_correlate_free(correlate);
        wedr_eval_free(eval);
        return err;
    }
    *ret_cold = adopted.kept == 0;
    wedr_correlate_free(w->correlate);
    wedr_eval_free(w->eval);
    w->eval = eval;
    w->correlate = correlate;
    memcpy(w->types, types, sizeof(types));
    w->window_us = wedr_eval_window_us(wedr_eval_ruleset(eval));
    w->stats.rules = wedr_ruleset_rule_count(wedr_eval_ruleset(eval));
    return WEDR_OK;
}

int wedr_watch_reload(struct wedr_watch *w,
                      bool *ret_changed,
                      bool *ret_cold,
                      struct wedr_errinfo *ei)
{
    struct wedr_bundle_row row;
    struct wedr_buf bytes;
    *ret_changed = *ret_cold = false;
    int err = w->ops->rules->bundle_newest(w->state, WEDR_PROFILE_SERVER, "server", &row, NULL);
    if (err == WEDR_E_NOENT || (err == WEDR_OK && row.serial == w->stats.serial)) {
        return WEDR_OK;
    }
    wedr_buf_init(&bytes, WEDR_BUNDLE_STORED_MAX);
    if (err == WEDR_OK) {
        err = w->ops->rules->bundle_newest(w->state, WEDR_PROFILE_SERVER, "server", &row, &bytes);
    }
    err = err == WEDR_OK ? adopt(w, &bytes, ret_cold, ei) : err;
    wedr_buf_fini(&bytes);
    if (err == WEDR_OK) {
        w->stats.serial = row.serial;
        *ret_changed = true;
    }
    return err;
}

bool wedr_watch_wants(const struct wedr_watch *w, uint8_t type)
{
    return w->eval && w->stats.rules && w->types[type];
}

int64_t wedr_watch_window_us(const struct wedr_watch *w)
{
    return w->eval ? w->window_us : 0;
}

/* --- Findings. */

/* One alert per rule and entity in its throttle's time, or, without one, in its window. */
static bool may_alert(struct wedr_watch *w,
                      const struct wedr_rule *r,
                      const struct wedr_finding *f,
                      uint64_t *ret_suppressed)
{
    const struct wedr_ruleset *rs = wedr_eval_ruleset(w->eval);
    uint64_t ms = r->throttle_ms;
    uint32_t count = r->throttle_count ? r->throttle_count : 1;
    if (r->throttle_count == 0 && r->correlation != WEDR_IR_NONE) {
        ms = wedr_ruleset_correlation(rs, r->correlation)->timespan_ms;
    }
    int64_t window = ms > INT64_MAX / 1000 ? INT64_MAX : (int64_t)ms * 1000;
    window = r->throttle_count == 0 && window < MINUTE_US ? MINUTE_US : window;
    return wedr_holdback_take(w->throttle, f->rule_id, f->entity, w->line->ts_us, window, count,
                              ret_suppressed);
}

static void report(struct wedr_watch *w,
                   uint32_t rule,
                   uint64_t count,
                   const uint64_t *evidence,
                   size_t evidence_count,
                   const struct wedr_firing *firing)
{
    const struct wedr_ruleset *rs = wedr_eval_ruleset(w->eval);
    const struct wedr_rule *r = wedr_ruleset_rule(rs, rule);
    struct wedr_finding f = {.ops = w->ops,
                             .state = w->state,
                             .step = w->step,
                             .rs = rs,
                             .rule = r,
                             .block = w->block,
                             .line = w->line,
                             .firing = firing,
                             .count = count,
                             .serial = w->stats.serial};
    struct wedr_ioc_hit hit;
    struct wedr_buf note;
    w->stats.fired++;
    if (!firing && r->entity_field != WEDR_IR_NONE) {
        struct wedr_rule_event *ev = wedr_eval_event(w->eval);
        uint32_t first = wedr_rule_event_first(ev, r->entity_field);
        f.entity_value = first == WEDR_IR_NONE ? wedr_text("", 0) : wedr_rule_event_text(ev, first);
    }
    for (size_t i = evidence_count; i-- > 0 && f.ref_count < WEDR_WATCH_EVIDENCE_MAX;) {
        const struct wedr_ref *ref = &w->refs[evidence[i] % REFS_MAX];
        if (w->next_ref - evidence[i] <= REFS_MAX) { /* not overwritten yet */
            f.refs[f.ref_count++] = ref;
        }
    }
    wedr_finding_name(&f);
    wedr_buf_init(&note, NOTE_MAX);
    if (!firing && wedr_ioc_find(rs, rule, wedr_eval_event(w->eval), &hit) == WEDR_OK) {
        wedr_ioc_describe(&hit, &note);
        f.note = note.p ? (const char *)note.p : NULL;
    }
    if (!may_alert(w, r, &f, &f.suppressed)) {
        w->stats.suppressed++;
    } else if (!wedr_finding_store(&f)) {
        w->stats.dropped++;
    }
    wedr_buf_fini(&note);
}

static void on_firing(void *ctx, const struct wedr_firing *firing)
{
    struct wedr_watch *w = ctx;
    const struct wedr_rule *r = wedr_ruleset_rule(wedr_eval_ruleset(w->eval), firing->rule);
    if (!w->silent && (r->flags & WEDR_RULE_HIDDEN) == 0) {
        report(w, firing->rule, firing->count, firing->evidence, firing->evidence_count, firing);
    }
}

/* The newest match last: its reference is the one that the line gets. */
static uint64_t remember_line(struct wedr_watch *w)
{
    uint64_t n = w->next_ref++;
    struct wedr_ref *ref = &w->refs[n % REFS_MAX];
    (void)snprintf(ref->agent_id, sizeof(ref->agent_id), "%s", w->block->agent_id);
    (void)snprintf(ref->stream, sizeof(ref->stream), "%s", w->block->stream);
    ref->epoch = w->block->epoch;
    ref->seq = w->line->seq;
    return n;
}

int wedr_watch_line(struct wedr_watch *w,
                    struct wedr_step *step,
                    const struct wedr_event_block *b,
                    const struct wedr_event_line *l,
                    bool silent)
{
    const uint32_t *rules = NULL;
    size_t count = 0;
    int err = wedr_eval_line(w->eval, b, l, &rules, &count);
    w->stats.events++;
    if (err != WEDR_OK) {
        w->stats.unreadable++;
        return err == WEDR_E_NOMEM ? err : WEDR_OK;
    }
    if (count == 0) {
        return WEDR_OK;
    }
    w->stats.matches += count;
    w->step = step;
    w->block = b;
    w->line = l;
    w->silent = silent;
    uint64_t ref = remember_line(w);
    for (size_t i = 0; i < count && !silent; i++) {
        const struct wedr_rule *r = wedr_ruleset_rule(wedr_eval_ruleset(w->eval), rules[i]);
        if ((r->flags & WEDR_RULE_HIDDEN) == 0) {
            report(w, rules[i], 1, &ref, 1, NULL);
        }
    }
    return wedr_correlate_feed(w->correlate, wedr_eval_event(w->eval), rules, count, l->ts_us, ref,
                               on_firing, w);
}

static int remember_alert(void *ctx, const struct wedr_alert_row *a)
{
    struct wedr_watch *w = ctx;
    if (strcmp(a->origin, "server") == 0) {
        wedr_holdback_remember(w->throttle, a->rule_id, a->entity, a->ts_us);
    }
    return 0;
}

int wedr_watch_remember(struct wedr_watch *w, int64_t since_us)
{
    struct wedr_alert_query q = {.since_us = since_us, .limit = REMEMBERED_MAX};
    return w->ops->detect->alerts(w->state, &q, remember_alert, w);
}

void wedr_watch_stats(const struct wedr_watch *w, struct wedr_watch_stats *ret)
{
    struct wedr_correlate_stats c = {0};
    struct wedr_matcher_stats m = {0};
    *ret = w->stats;
    if (w->eval) {
        wedr_correlate_stats(w->correlate, &c);
        wedr_eval_stats(w->eval, &m);
        ret->windows = c.windows;
        ret->evicted = c.evicted_windows;
        ret->late = c.late;
        ret->regex_limited = m.regex_limited;
        ret->memory_bytes = c.memory_bytes + (w->refs ? REFS_MAX * sizeof(*w->refs) : 0);
    }
}
