/* SPDX-License-Identifier: Apache-2.0
 *
 * Events to rules: remember processes, match, feed windows, exchange rules.
 */
#include "detect/detect.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/log.h"
#include "detect/state.h"
#include "wedr/plat/time.h"
#include "wedr/rules/bundle.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The event that is under way. */
struct shown {
    struct wedr_detect *d;
    const struct wedr_detect_event *e;
    struct wedr_sighting s;
    uint64_t ref; /* among the evidence, 0: not kept */
};

int wedr_detect_new(struct wedr_encoder *encoder, struct wedr_detect **ret)
{
    struct wedr_detect *d = wedr_alloc(1, sizeof(*d));
    if (!d) {
        return WEDR_E_NOMEM;
    }
    d->encoder = encoder;
    d->mono_ms = wedr_time_mono_ms;
    d->budget = (uint64_t)WEDR_DETECT_ALERTS_BURST * 1000u;
    d->budget_ms = d->mono_ms();
    d->processes = wedr_encoder_tree(encoder);
    d->throttle = wedr_throttle_new(WEDR_THROTTLE_DEFAULT, detect_tell, d);
    int err = d->throttle ? wedr_outbox_init(&d->outbox) : WEDR_E_NOMEM;
    if (err == WEDR_OK) {
        err = wedr_alert_builder_init(&d->builder, encoder);
    }
    if (err != WEDR_OK) {
        wedr_detect_free(d);
        return err;
    }
    *ret = d;
    return WEDR_OK;
}

void wedr_detect_free(struct wedr_detect *d)
{
    if (d) {
        wedr_detect_rules_free(d->rules);
        wedr_detect_rules_free(d->leaving);
        wedr_alert_builder_fini(&d->builder);
        wedr_outbox_fini(&d->outbox);
        wedr_evidence_free(d->evidence);
        wedr_throttle_free(d->throttle);
        wedr_free(d);
    }
}

struct exchange {
    const struct wedr_ruleset *from, *to;
};

static uint32_t find_again(const struct exchange *x, uint32_t old_rule)
{
    struct wedr_text id = wedr_ruleset_rule(x->from, old_rule)->id;
    uint32_t rule = wedr_ruleset_rule_find(x->to, id.p, id.len);
    return rule == WEDR_IR_NONE ? WEDR_THROTTLE_RULE_GONE : rule;
}

static uint32_t new_index(void *ctx, uint32_t old_rule)
{
    return find_again(ctx, old_rule);
}

static int adopt(struct wedr_detect *d, struct wedr_detect_rules *r)
{
    struct wedr_correlate_adoption a;
    if (r->correlate && !d->evidence) {
        d->evidence = wedr_evidence_new(WEDR_EVIDENCE_SLOTS, WEDR_EVIDENCE_BYTES);
        if (!d->evidence) {
            return WEDR_E_NOMEM;
        }
    }
    if (!r->correlate || !d->rules || !d->rules->correlate) {
        return WEDR_OK;
    }
    int err = wedr_correlate_adopt(r->correlate, d->rules->correlate, &a);
    if (err == WEDR_OK) {
        wedr_log(INFO, "detect.windows_kept", WEDR_U64("windows", a.windows),
                 WEDR_U64("dropped", a.dropped), WEDR_U64("changed", a.changed));
    }
    return err;
}

/* What rules of both still have to tell goes on with the new ones. */
static void
carry_held(const struct exchange *x, struct wedr_detect_rules *from, struct wedr_detect_rules *to)
{
    for (uint32_t i = 0; from->holding > 0 && i < from->rules; i++) {
        struct wedr_detect_held *h = &from->held[i];
        uint32_t rule = h->count > 0 ? find_again(x, i) : WEDR_THROTTLE_RULE_GONE;
        if (rule != WEDR_THROTTLE_RULE_GONE) {
            detect_hold(to, rule, h->count, &h->last);
            h->count = 0;
            from->holding--;
        }
    }
}

static void log_untold(const struct wedr_detect_rules *r)
{
    for (uint32_t i = 0; i < r->rules; i++) {
        if (r->held[i].count > 0) {
            char id[WEDR_DETECT_RULE_ID_MAX] = "";
            struct wedr_text t = wedr_ruleset_rule(r->rs, i)->id;
            memcpy(id, t.p, t.len < sizeof(id) ? t.len : sizeof(id) - 1);
            wedr_log(ERROR, "detect.count_not_told", WEDR_STR("rule", id),
                     WEDR_U64("suppressed", r->held[i].count));
        }
    }
}

/* Rules that are gone and could not tell everything (the disk is full) stay until they can; of more
 * than one such set only the log has the older ones' counts. */
static void leave(struct wedr_detect *d, struct wedr_detect_rules *old)
{
    if (old->holding == 0) {
        wedr_detect_rules_free(old);
        return;
    }
    if (d->leaving) {
        log_untold(d->leaving);
        wedr_detect_rules_free(d->leaving);
    }
    wedr_detect_rules_rest(old);
    d->leaving = old;
}

int wedr_detect_use_take(struct wedr_detect *d,
                         struct wedr_ruleset *rs,
                         struct wedr_field_map *map,
                         const struct wedr_detect_bundle *info,
                         struct wedr_errinfo *ei)
{
    struct wedr_detect_rules *r = NULL;
    int err = wedr_detect_rules_new_take(rs, map, d->encoder, info, &r, ei);
    if (err == WEDR_OK) {
        err = adopt(d, r);
        if (err != WEDR_OK) {
            wedr_detect_rules_free(r);
            return wedr_fail(ei, err, "cannot take the windows over: %s", wedr_err_text(err));
        }
    }
    if (err != WEDR_OK) {
        return err;
    }
    if (d->rules) {
        struct exchange x = {d->rules->rs, r->rs};
        d->ending = true; /* of the rules that go */
        wedr_throttle_rules(d->throttle, new_index, &x);
        carry_held(&x, d->rules, r);
        detect_tell_held(d, true);
        d->ending = false;
        leave(d, d->rules);
    }
    d->rules = r;
    d->stats.swaps++;
    return WEDR_OK;
}

int wedr_detect_load(struct wedr_detect *d,
                     const void *bytes,
                     size_t len,
                     const struct wedr_detect_bundle *info,
                     struct wedr_errinfo *ei)
{
    struct wedr_ruleset *rs = NULL;
    struct wedr_field_map *map = NULL;
    int err = wedr_bundle_load(bytes, len, WEDR_DETECT_RULESET_MAX, &rs, &map, ei);
    return err == WEDR_OK ? wedr_detect_use_take(d, rs, map, info, ei) : err;
}

static uint64_t field_of_process(const struct wedr_event_view *v, const char *key)
{
    for (size_t i = 0; i < v->type->field_count; i++) {
        const struct wedr_field_info *f = &v->type->fields[i];
        if (!f->derived && (f->os_mask & v->h.os) != 0 && strcmp(f->process_key, key) == 0) {
            return wedr_event_uint(v, f);
        }
    }
    return 0;
}

static void see(struct shown *x)
{
    const struct wedr_event_view *v = x->e->v;
    x->s.epoch = x->e->epoch;
    x->s.seq = v->h.seq;
    (void)snprintf(x->s.stream, sizeof(x->s.stream), "%s", x->e->stream);
    x->s.time_us = wedr_record_utc_us(&v->h, x->e->clock);
    x->s.pid = (uint32_t)field_of_process(v, "pid");
    x->s.process_key = field_of_process(v, "key");
}

/* What the alert shows and the throttle keeps has no secrets in it. */
static void hide(const struct shown *x, char *text, size_t *at)
{
    *at = wedr_encoder_hide(x->d->encoder, text, *at);
    text[*at] = '\0';
}

static void copy_text(char *out, size_t cap, size_t *at, struct wedr_text t)
{
    size_t room = cap - 1 - *at;
    size_t n = t.len < room ? t.len : room;
    for (size_t i = 0; i < n; i++) {
        out[*at + i] = t.p[i];
        if (t.p[i] == '\0') {
            out[*at + i] = ' ';
        }
    }
    *at += n;
    out[*at] = '\0';
}

/* Whose alerts are counted together. */
static void entity_of(const struct shown *x, const struct wedr_rule *rule, char *out, size_t cap)
{
    struct wedr_rule_event *ev = x->d->rules->event;
    size_t at = 0;
    uint32_t value = rule->entity_field == WEDR_IR_NONE
                         ? WEDR_IR_NONE
                         : wedr_rule_event_first(ev, rule->entity_field);
    if (value != WEDR_IR_NONE) {
        copy_text(out, cap, &at, wedr_rule_event_text(ev, value));
        hide(x, out, &at);
    } else if (x->s.process_key != 0) {
        (void)snprintf(out, cap, "process:%016" PRIx64, x->s.process_key);
    } else {
        (void)snprintf(out, cap, "host");
    }
}

static void raise_single(struct shown *x, uint32_t index)
{
    char entity[WEDR_ENTITY_MAX];
    struct wedr_alert_event event = {.s = x->s, .line = wedr_span(x->e->line, x->e->len)};
    const struct wedr_rule *rule = wedr_ruleset_rule(x->d->rules->rs, index);
    if ((rule->flags & (WEDR_RULE_HIDDEN | WEDR_RULE_SERVER)) != 0) {
        return;
    }
    entity_of(x, rule, entity, sizeof(entity));
    struct detect_match m = {.rule = index,
                             .entity = entity,
                             .count = 1,
                             .s = &x->s,
                             .events = &event,
                             .event_count = 1,
                             .explain = &index,
                             .explain_count = 1};
    detect_raise(x->d, &m);
}

static size_t
gather_evidence(const struct shown *x, const struct wedr_firing *f, struct wedr_alert_event *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < f->evidence_count && n < WEDR_ALERT_EVENTS_MAX; i++) {
        struct wedr_alert_event *e = &ret[n];
        if (f->evidence[i] == x->ref) {
            *e = (struct wedr_alert_event){x->s, wedr_span(x->e->line, x->e->len)};
            n++;
        } else if (wedr_evidence_get(x->d->evidence, f->evidence[i], &e->s, &e->line)) {
            n++;
        }
    }
    return n;
}

/* Members of the correlation that the event under way matched. */
static size_t gather_members(const struct wedr_detect_rules *r, uint32_t rule, uint32_t *ret)
{
    const struct wedr_rule *of = wedr_ruleset_rule(r->rs, rule);
    const struct wedr_correlation *c = wedr_ruleset_correlation(r->rs, of->correlation);
    size_t n = 0;
    for (uint32_t i = 0; i < c->member_count && n < WEDR_IR_MEMBERS_MAX; i++) {
        for (size_t k = 0; k < r->matched_count; k++) {
            if (r->matched[k] == c->members[i]) {
                ret[n++] = c->members[i];
                break;
            }
        }
    }
    return n;
}

static void on_firing(void *ctx, const struct wedr_firing *f)
{
    struct shown *x = ctx;
    struct wedr_alert_event events[WEDR_ALERT_EVENTS_MAX];
    uint32_t members[WEDR_IR_MEMBERS_MAX];
    char entity[WEDR_ENTITY_MAX] = "";
    size_t at = 0;
    const struct wedr_rule *rule = wedr_ruleset_rule(x->d->rules->rs, f->rule);
    if ((rule->flags & (WEDR_RULE_HIDDEN | WEDR_RULE_SERVER)) != 0) {
        return;
    }
    for (uint32_t i = 0; i < f->group_count; i++) {
        if (i > 0) {
            copy_text(entity, sizeof(entity), &at, wedr_text(", ", 2));
        }
        copy_text(entity, sizeof(entity), &at, f->group[i]);
    }
    if (at == 0) {
        entity_of(x, rule, entity, sizeof(entity));
    } else {
        hide(x, entity, &at);
    }
    struct detect_match m = {.rule = f->rule,
                             .entity = entity,
                             .count = f->count,
                             .s = &x->s,
                             .events = events,
                             .event_count = gather_evidence(x, f, events),
                             .explain = members,
                             .explain_count = gather_members(x->d->rules, f->rule, members)};
    detect_raise(x->d, &m);
}

static void feed_windows(struct shown *x)
{
    struct wedr_detect *d = x->d;
    struct wedr_detect_rules *r = d->rules;
    x->ref = wedr_evidence_put(d->evidence, &x->s, x->e->line, x->e->len);
    int err = wedr_correlate_feed(r->correlate, r->event, r->matched, r->matched_count,
                                  x->s.time_us, x->ref, on_firing, x);
    if (err != WEDR_OK) {
        wedr_log(ERROR, "detect.windows_failed", WEDR_ERR(err));
    }
}

static void match(struct shown *x)
{
    struct wedr_detect_rules *r = x->d->rules;
    const uint32_t *rules = NULL;
    size_t count = 0;
    bool any = false;
    int err = wedr_tap_fill(r->tap, x->d->encoder, x->e->line, x->e->len, r->event, &any);
    if (err == WEDR_OK && any) {
        err = wedr_matcher_run(r->matcher, r->event, &rules, &count);
    }
    if (err != WEDR_OK) {
        wedr_log(WARN, "detect.event_not_matched", WEDR_ERR(err),
                 WEDR_U64("type", x->e->v->h.type));
        return;
    }
    if (count == 0) {
        return;
    }
    /* Explaining uses the matcher too: its list is copied first. */
    memcpy(r->matched, rules, count * sizeof(rules[0]));
    r->matched_count = count;
    see(x);
    x->d->now_ms = x->d->mono_ms();
    for (size_t i = 0; i < count; i++) {
        raise_single(x, r->matched[i]);
    }
    if (r->correlate) {
        feed_windows(x);
    }
}

static bool alerts_fit(const struct wedr_detect *d)
{
    return wedr_outbox_room(&d->outbox) >= DETECT_ROOM;
}

/* One event asks for one kill at most: all of its matches name the same process. */
bool wedr_detect_room(const struct wedr_detect *d)
{
    return alerts_fit(d) && d->kills.count < WEDR_DETECT_KILLS_MAX;
}

void wedr_detect_event(struct wedr_detect *d,
                       const struct wedr_detect_event *e,
                       struct wedr_clock_pair now)
{
    struct shown x = {.d = d, .e = e};
    if (!d->rules) {
        return;
    }
    d->stats.events++;
    if (wedr_tap_wants(d->rules->tap, e->v->h.os, e->v->h.type)) {
        d->now = now;
        match(&x);
    }
}

void wedr_detect_tick(struct wedr_detect *d, struct wedr_clock_pair now, bool all)
{
    uint64_t now_ms = d->mono_ms();
    if (!all && (now_ms - d->ticked_ms < DETECT_TICK_MS || !alerts_fit(d))) {
        return;
    }
    d->now = now;
    d->now_ms = d->ticked_ms = now_ms;
    d->ending = all;
    wedr_throttle_tick(d->throttle, now_ms, all);
    detect_tell_held(d, all);
    d->ending = false;
}

bool wedr_detect_frame(struct wedr_detect *d, struct wedr_spool_frame_in *ret)
{
    return wedr_outbox_frame(&d->outbox, ret);
}

void wedr_detect_written(struct wedr_detect *d)
{
    wedr_outbox_clear(&d->outbox);
}

void wedr_detect_stats(const struct wedr_detect *d, struct wedr_detect_stats *ret)
{
    struct wedr_correlate_stats c;
    *ret = d->stats;
    ret->seq = d->outbox.seq;
    ret->processes = wedr_proctree_count(d->processes);
    ret->processes_evicted = wedr_proctree_evicted(d->processes);
    ret->too_large = d->builder.cut;
    if (!d->rules) {
        return;
    }
    ret->serial = d->rules->info.serial;
    ret->rules = d->rules->rules;
    ret->memory = wedr_detect_rules_memory(d->rules) +
                  (d->leaving ? wedr_detect_rules_memory(d->leaving) : 0);
    if (d->rules->correlate) {
        wedr_correlate_stats(d->rules->correlate, &c);
        ret->windows = c.windows;
        ret->windows_evicted = c.evicted_windows;
        ret->memory += c.memory_bytes;
    }
}
