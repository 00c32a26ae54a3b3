/* SPDX-License-Identifier: Apache-2.0
 *
 * From a match to an alert: throttle, budget, actions, the record.
 */
#include "detect/state.h"

#include "core/base/err.h"
#include "core/util/log.h"
#include "wedr/rules/bundle.h"
#include "wedr/rules/ioc.h"
#include <string.h>

#define ALERT_ROOM (256u << 10)     /* an alert with its lines certainly fits */
#define ALERT_ROOM_MIN (128u << 10) /* ... and one without them */
#define MILLI 1000u
/* Of the budget: what lesser alerts leave to urgent ones, and what is told later to all new ones.
 * Who floods the one kind does not take the other's place. */
#define SPARE_URGENT (WEDR_DETECT_ALERTS_BURST / 4)
#define SPARE_NEW (WEDR_DETECT_ALERTS_BURST / 2)

static bool within_budget(struct wedr_detect *d, uint64_t spare)
{
    uint64_t passed = d->now_ms - d->budget_ms;
    uint64_t most = (uint64_t)WEDR_DETECT_ALERTS_BURST * MILLI;
    uint64_t more = passed < most ? passed * WEDR_DETECT_ALERTS_SECOND : most;
    d->budget = d->budget + more < most ? d->budget + more : most;
    d->budget_ms = d->now_ms;
    if (d->budget < MILLI + spare * MILLI) {
        return false;
    }
    d->budget -= MILLI;
    return true;
}

static int write_alert(struct wedr_detect *d, const struct wedr_alert *a)
{
    struct wedr_record r;
    size_t room = wedr_outbox_room(&d->outbox);
    if (room < ALERT_ROOM_MIN) {
        return WEDR_E_LIMIT;
    }
    int err = wedr_alert_build(&d->builder, a, d->processes, room >= ALERT_ROOM, &r);
    if (err == WEDR_OK) {
        err = wedr_outbox_add(&d->outbox, &r, d->encoder, d->now);
    }
    d->stats.alerts += err == WEDR_OK ? 1 : 0;
    return err;
}

static void explain(struct wedr_detect *d, const struct detect_match *m)
{
    struct wedr_detect_rules *r = d->rules;
    bool match = false;
    wedr_alert_matched_begin(&d->builder, r->rs);
    for (size_t i = 0; i < m->explain_count; i++) {
        /* It matched a moment ago; what cannot be explained is left out. */
        (void)!wedr_engine_explain(r->matcher, m->explain[i], r->event, wedr_alert_matched_step,
                                   &d->builder, &match);
    }
    wedr_alert_matched_end(&d->builder);
}

/* Which entry of a list of indicators it was; borrowed from the builder. */
static struct wedr_text
name_entry(struct wedr_detect *d, const struct wedr_rule *rule, const struct detect_match *m)
{
    struct wedr_ioc_hit hit;
    struct wedr_buf *note = &d->builder.describe;
    wedr_buf_truncate(note, 0);
    if (rule->language.len == 3 && memcmp(rule->language.p, "ioc", 3) == 0 &&
        wedr_ioc_find(d->rules->rs, m->rule, d->rules->event, &hit) == WEDR_OK) {
        wedr_ioc_describe(&hit, note);
    }
    return wedr_text((const char *)note->p, note->len);
}

static void log_match(const struct wedr_rule *rule, const struct detect_match *m, const char *id)
{
    char rule_id[WEDR_DETECT_RULE_ID_MAX] = "";
    size_t n = rule->id.len < sizeof(rule_id) ? rule->id.len : sizeof(rule_id) - 1;
    memcpy(rule_id, rule->id.p, n);
    wedr_log(WARN, "detect.match", WEDR_STR("rule", rule_id),
             WEDR_STR("severity", wedr_severity_name(rule->severity)), WEDR_STR("alert", id),
             WEDR_U64("pid", m->s->pid), WEDR_STR("stream", m->s->stream),
             WEDR_U64("seq", m->s->seq));
}

static struct wedr_throttle_ask
ask_for(const struct wedr_detect *d, const struct wedr_rule *rule, const struct detect_match *m)
{
    return (struct wedr_throttle_ask){.rule_id = rule->id.p,
                                      .rule_id_len = rule->id.len,
                                      .rule = m->rule,
                                      .entity = m->entity,
                                      .count = rule->throttle_count,
                                      .window_ms = rule->throttle_ms,
                                      .now_ms = d->now_ms,
                                      .s = *m->s};
}

/* True when an alert is in the outbox, or the rule asks for none and its log line is written. */
static bool emit(struct wedr_detect *d,
                 const struct wedr_rule *rule,
                 const struct detect_match *m,
                 const char *id,
                 uint64_t suppressed)
{
    if ((rule->actions & (WEDR_ACTION_ALERT | WEDR_ACTION_KILL)) != 0) {
        struct wedr_alert a = {.rule = rule,
                               .s = *m->s,
                               .entity = m->entity,
                               .suppressed = suppressed,
                               .match_count = m->count,
                               .rules_serial = d->rules->info.serial,
                               .profile = d->rules->info.profile,
                               .events = m->events,
                               .event_count = m->event_count};
        memcpy(a.id, id, sizeof(a.id));
        explain(d, m);
        a.note = name_entry(d, rule, m);
        int err = write_alert(d, &a);
        if (err != WEDR_OK) {
            wedr_log(WARN, "detect.alert_not_written", WEDR_ERR(err), WEDR_STR("alert", id));
            return false;
        }
    }
    if ((rule->actions & WEDR_ACTION_LOG) != 0) {
        log_match(rule, m, id);
    }
    return true;
}

void detect_raise(struct wedr_detect *d, const struct detect_match *m)
{
    const struct wedr_rule *rule = wedr_ruleset_rule(d->rules->rs, m->rule);
    struct wedr_throttle_ask ask = ask_for(d, rule, m);
    char id[WEDR_ALERT_ID_TEXT];
    uint64_t suppressed = 0;
    wedr_alert_id(rule->id, m->s, id);
    d->stats.matched++;
    bool raised = wedr_throttle_pass(d->throttle, &ask, &suppressed);
    uint64_t spare = rule->severity >= WEDR_SEVERITY_HIGH ? 0 : SPARE_URGENT;
    if (raised && !within_budget(d, spare)) {
        d->stats.over_budget++;
        raised = false;
        wedr_throttle_take_back(d->throttle, &ask, suppressed);
    } else if (raised && !emit(d, rule, m, id, suppressed)) {
        raised = false;
        wedr_throttle_take_back(d->throttle, &ask, suppressed);
    }
    d->stats.suppressed += raised ? 0 : 1;
    /* A throttle spares people, not processes. Where the policy says no anyway, one answer for each
     * alert is enough. */
    bool allowed = (d->rules->info.policy & WEDR_BUNDLE_KILL_ALLOWED) != 0;
    if ((rule->actions & WEDR_ACTION_KILL) != 0 && (allowed || raised)) {
        (void)detect_kill(d, rule, m->s, id);
    }
}

/* The alert stands for the newest match that was held back, and counts the others. */
static bool tell(struct wedr_detect *d,
                 const struct wedr_detect_rules *r,
                 uint32_t index,
                 const struct wedr_sighting *last,
                 const char *entity,
                 uint64_t count)
{
    const struct wedr_rule *rule = wedr_ruleset_rule(r->rs, index);
    struct wedr_alert_event event = {.s = *last};
    struct wedr_alert a = {.rule = rule,
                           .s = *last,
                           .entity = entity,
                           .suppressed = count - 1,
                           .match_count = 1,
                           .rules_serial = r->info.serial,
                           .profile = r->info.profile,
                           .events = &event,
                           .event_count = 1};
    wedr_alert_id(rule->id, last, a.id);
    wedr_alert_matched_none(&d->builder);
    bool told = write_alert(d, &a) == WEDR_OK;
    d->stats.suppressed -= told ? 1 : 0;
    return told;
}

void detect_hold(struct wedr_detect_rules *r,
                 uint32_t rule,
                 uint64_t count,
                 const struct wedr_sighting *last)
{
    struct wedr_detect_held *h = &r->held[rule];
    r->holding += h->count == 0 ? 1 : 0;
    h->count += count;
    h->last = *last;
}

bool detect_tell(void *ctx, const struct wedr_throttle_entry *entry, bool last)
{
    struct wedr_detect *d = ctx;
    struct wedr_detect_rules *r = d->rules;
    if (!r || entry->rule >= r->rules) {
        return true;
    }
    uint8_t actions = wedr_ruleset_rule(r->rs, entry->rule)->actions;
    if ((actions & (WEDR_ACTION_ALERT | WEDR_ACTION_KILL)) == 0) {
        return true; /* a log line is not counted */
    }
    if (!d->ending && within_budget(d, SPARE_NEW) &&
        tell(d, r, entry->rule, &entry->last, entry->entity, entry->suppressed)) {
        return true;
    }
    if (!last && !d->ending) {
        return false;
    }
    detect_hold(r, entry->rule, entry->suppressed, &entry->last);
    return true;
}

/* False: not all of it. */
static bool tell_held_of(struct wedr_detect *d, struct wedr_detect_rules *r, bool all)
{
    for (uint32_t i = 0; r->holding > 0 && i < r->rules; i++) {
        struct wedr_detect_held *h = &r->held[i];
        if (h->count == 0) {
            continue;
        }
        if ((!all && !within_budget(d, SPARE_NEW)) ||
            !tell(d, r, i, &h->last, "several", h->count)) {
            return false;
        }
        h->count = 0;
        r->holding--;
    }
    return true;
}

void detect_tell_held(struct wedr_detect *d, bool all)
{
    if (d->leaving) {
        if (!tell_held_of(d, d->leaving, all)) {
            return;
        }
        wedr_detect_rules_free(d->leaving);
        d->leaving = NULL;
    }
    if (d->rules) {
        (void)tell_held_of(d, d->rules, all);
    }
}
