/* SPDX-License-Identifier: Apache-2.0
 * rules/src/testcase/run.c — a case through matcher and correlations, and what is wrong with the
 * outcome. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "ir/value.h"
#include "testcase/testcase.h"
#include <stdio.h>
#include <string.h>

#define BASE_US INT64_C(1767225600000000) /* 2026-01-01T00:00:00Z, what offsets begin at */
#define STEP_US 1000
#define NOT_FIRED SIZE_MAX

/* Where events say when they happened; the first that is there counts. */
static const char *const time_names[] = {
    "ts",
    "@timestamp",
    "timestamp",
    "UtcTime",
    "winlog.event_data.UtcTime",
    "Event.EventData.UtcTime",
    "Event.System.TimeCreated.#attributes.SystemTime",
    "Event.System.TimeCreated.@SystemTime",
    "TimeCreated",
    "EventTime",
};

struct wedr_testrunner {
    const struct wedr_engine *engine;
    const struct wedr_ruleset *rs;
    const struct wedr_field_map *map;
    struct wedr_rule_event *event;
    struct wedr_matcher *matcher;
    /* A ruleset of nothing but the fields above: it reads an event's time. */
    struct wedr_ruleset *clock_rules;
    struct wedr_field_map *clock_map;
    struct wedr_rule_event *clock_event;
    size_t *fired; /* for each rule the first event at which it fired, or NOT_FIRED */
};

/* One run. */
struct run {
    struct wedr_testrunner *t;
    const struct wedr_testcase *c;
    struct wedr_correlate *correlate;
    wedr_testcase_open_fn *open;
    wedr_testcase_finding_fn *fn;
    void *ctx;
    size_t event; /* index of the next one */
    int64_t time_us;
    bool passed;
};

static bool open_clock(struct wedr_testrunner *t)
{
    t->clock_rules = wedr_ruleset_new(1u << 20);
    for (size_t i = 0; t->clock_rules && i < WEDR_ARRAY_COUNT(time_names); i++) {
        uint32_t field;
        if (wedr_ruleset_field(t->clock_rules, time_names[i], strlen(time_names[i]), &field) < 0) {
            return false;
        }
    }
    t->clock_map = t->clock_rules ? wedr_field_map_new(t->clock_rules) : NULL;
    if (!t->clock_map || wedr_field_map_seal(t->clock_map) < 0) {
        return false;
    }
    t->clock_event = wedr_rule_event_new(t->clock_rules, NULL);
    return t->clock_event != NULL;
}

struct wedr_testrunner *wedr_testrunner_new(const struct wedr_engine *engine,
                                            const struct wedr_field_map *map)
{
    struct wedr_testrunner *t = wedr_alloc(1, sizeof(*t));
    if (!t) {
        return NULL;
    }
    t->engine = engine;
    t->map = map;
    t->rs = wedr_engine_ruleset(engine);
    t->fired = wedr_alloc(wedr_ruleset_rule_count(t->rs) + 1u, sizeof(*t->fired));
    t->event = wedr_rule_event_new(t->rs, NULL);
    t->matcher = wedr_matcher_new(engine);
    if (!t->fired || !t->event || !t->matcher || !open_clock(t)) {
        wedr_testrunner_free(t);
        return NULL;
    }
    return t;
}

void wedr_testrunner_free(struct wedr_testrunner *t)
{
    if (!t) {
        return;
    }
    wedr_matcher_free(t->matcher);
    wedr_rule_event_free(t->event);
    wedr_rule_event_free(t->clock_event);
    wedr_field_map_free(t->clock_map);
    wedr_ruleset_free(t->clock_rules);
    wedr_free(t->fired);
    wedr_free(t);
}

static void found(struct run *r,
                  enum wedr_testcase_verdict verdict,
                  uint32_t rule,
                  size_t event,
                  const char *text)
{
    struct wedr_testcase_finding f = {verdict, rule, event, text};
    r->passed = false;
    if (r->fn) {
        r->fn(r->ctx, &f);
    }
}

static void fires(struct run *r, uint32_t rule)
{
    if (r->t->fired[rule] == NOT_FIRED) {
        r->t->fired[rule] = r->event;
    }
}

static void on_firing(void *ctx, const struct wedr_firing *firing)
{
    struct run *r = ctx;
    if ((wedr_ruleset_rule(r->t->rs, firing->rule)->flags & WEDR_RULE_HIDDEN) == 0) {
        fires(r, firing->rule);
    }
}

static bool own_time(struct wedr_testrunner *t, struct wedr_text event, int64_t *ret_us)
{
    if (wedr_rule_event_read_json(t->clock_event, t->clock_map, event.p, event.len, NULL) < 0) {
        return false;
    }
    for (uint32_t f = 0; f < WEDR_ARRAY_COUNT(time_names); f++) {
        uint32_t v = wedr_rule_event_first(t->clock_event, f);
        struct wedr_text s =
            v == WEDR_IR_NONE ? wedr_text(NULL, 0) : wedr_rule_event_text(t->clock_event, v);
        if (s.len > 0 && wedr_time_parse(s.p, s.len, ret_us) == WEDR_OK) {
            return true;
        }
    }
    return false;
}

static void set_time(struct run *r, struct wedr_text event)
{
    int64_t us = 0;
    if (r->event < r->c->at_count) {
        r->time_us = BASE_US + r->c->at_us[r->event];
    } else if (r->c->at_count == 0 && own_time(r->t, event, &us)) {
        r->time_us = us;
    } else {
        r->time_us += STEP_US;
    }
}

static int feed(struct run *r, struct wedr_text event)
{
    struct wedr_testrunner *t = r->t;
    struct wedr_errinfo ei = {{0}};
    const uint32_t *rules = NULL;
    size_t count = 0;
    set_time(r, event);
    if (wedr_rule_event_read_json(t->event, t->map, event.p, event.len, &ei) < 0) {
        char text[WEDR_ERRINFO_MAX + 32];
        (void)snprintf(text, sizeof(text), "event %zu: %s", r->event, ei.text);
        found(r, WEDR_TESTCASE_ERROR, WEDR_IR_NONE, r->event++, text);
        return WEDR_OK;
    }
    int e = wedr_matcher_run(t->matcher, t->event, &rules, &count);
    for (size_t i = 0; e == WEDR_OK && i < count; i++) {
        if ((wedr_ruleset_rule(t->rs, rules[i])->flags & WEDR_RULE_HIDDEN) == 0) {
            fires(r, rules[i]);
        }
    }
    if (e == WEDR_OK) {
        e = wedr_correlate_feed(r->correlate, t->event, rules, count, r->time_us, r->event,
                                on_firing, r);
    }
    r->event++;
    return e;
}

static int feed_file(struct run *r, struct wedr_text name)
{
    char text[WEDR_ERRINFO_MAX];
    const char *content = NULL;
    size_t len = 0;
    int shown = (int)(name.len < 128 ? name.len : 128);
    int e = r->open ? r->open(r->ctx, name, &content, &len) : WEDR_E_NOENT;
    if (e < 0 || len > UINT32_MAX) {
        (void)snprintf(text, sizeof(text), "%.*s: %s", shown, name.p,
                       wedr_err_text(e < 0 ? e : WEDR_E_LIMIT));
        found(r, WEDR_TESTCASE_ERROR, WEDR_IR_NONE, SIZE_MAX, text);
        return WEDR_OK;
    }
    struct wedr_documents d = wedr_documents(wedr_text(content, len));
    struct wedr_text document;
    e = WEDR_OK;
    while (e == WEDR_OK && r->event < WEDR_TESTCASE_EVENTS_MAX) {
        if (wedr_documents_next(&d, &document) < 0) {
            (void)snprintf(text, sizeof(text), "%.*s: not JSON documents", shown, name.p);
            found(r, WEDR_TESTCASE_ERROR, WEDR_IR_NONE, SIZE_MAX, text);
            break;
        }
        if (document.len == 0) {
            break;
        }
        e = feed(r, document);
    }
    if (r->event >= WEDR_TESTCASE_EVENTS_MAX) {
        found(r, WEDR_TESTCASE_ERROR, WEDR_IR_NONE, SIZE_MAX, "too many events in one case");
    }
    return e;
}

/* What people call a rule: its title, and its id where that differs. */
static void unexpected(struct run *r, uint32_t rule)
{
    const struct wedr_rule *x = wedr_ruleset_rule(r->t->rs, rule);
    char text[512];
    (void)snprintf(text, sizeof(text), "fired at event %zu, must not: %.*s (%.*s)",
                   r->t->fired[rule], (int)(x->title.len < 200 ? x->title.len : 200),
                   x->title.len ? x->title.p : "", (int)(x->id.len < 64 ? x->id.len : 64),
                   x->id.len ? x->id.p : "");
    found(r, WEDR_TESTCASE_UNEXPECTED, rule, r->t->fired[rule], text);
}

static void missing(struct run *r, uint32_t rule, struct wedr_text name)
{
    uint16_t flags = wedr_ruleset_rule(r->t->rs, rule)->flags;
    char text[512];
    (void)snprintf(text, sizeof(text), "did not fire%s: %.*s",
                   flags & WEDR_RULE_DISABLED     ? " (it is disabled)"
                   : flags & WEDR_RULE_NEEDS_LIST ? " (a placeholder has no list)"
                   : flags & WEDR_RULE_HIDDEN     ? " (it only feeds others)"
                                                  : "",
                   (int)(name.len < 200 ? name.len : 200), name.p);
    found(r, WEDR_TESTCASE_MISSING, rule, SIZE_MAX, text);
}

static void judge_named(struct run *r, const struct wedr_text *names, size_t count, bool expected)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t rule = wedr_ruleset_rule_find(r->t->rs, names[i].p, names[i].len);
        if (rule == WEDR_IR_NONE) {
            char text[512];
            (void)snprintf(text, sizeof(text), "no such rule: %.*s",
                           (int)(names[i].len < 200 ? names[i].len : 200), names[i].p);
            found(r, WEDR_TESTCASE_UNKNOWN, rule, SIZE_MAX, text);
        } else if (expected && r->t->fired[rule] == NOT_FIRED) {
            missing(r, rule, names[i]);
        } else if (!expected && r->t->fired[rule] != NOT_FIRED) {
            unexpected(r, rule);
        }
    }
}

static void judge(struct run *r)
{
    judge_named(r, r->c->expect, r->c->expect_count, true);
    judge_named(r, r->c->never, r->c->never_count, false);
    for (uint32_t i = 0; r->c->expect_none && i < wedr_ruleset_rule_count(r->t->rs); i++) {
        if (r->t->fired[i] != NOT_FIRED) {
            unexpected(r, i);
        }
    }
}

int wedr_testrunner_run(struct wedr_testrunner *t,
                        const struct wedr_testcase *c,
                        wedr_testcase_open_fn *open,
                        wedr_testcase_finding_fn *fn,
                        void *ctx,
                        bool *ret_passed)
{
    struct run r = {
        .t = t, .c = c, .open = open, .fn = fn, .ctx = ctx, .time_us = BASE_US, .passed = true};
    int e = WEDR_OK;
    r.correlate = wedr_correlate_new(t->engine, NULL);
    if (!r.correlate) {
        return WEDR_E_NOMEM;
    }
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(t->rs); i++) {
        t->fired[i] = NOT_FIRED;
    }
    for (size_t i = 0; e == WEDR_OK && i < c->event_count; i++) {
        e = feed(&r, c->events[i]);
    }
    for (size_t i = 0; e == WEDR_OK && i < c->file_count; i++) {
        e = feed_file(&r, c->files[i]);
    }
    wedr_correlate_free(r.correlate);
    if (e == WEDR_OK) {
        judge(&r);
        *ret_passed = r.passed;
    }
    return e;
}
