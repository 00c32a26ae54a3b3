/* SPDX-License-Identifier: Apache-2.0
 *
 * Events through rules to the lines of the stream alert. */
#include "core/base/err.h"
#include "detect/alert.h"
#include "detect/state.h"
#include "records.h"
#include "wedr/rules/bundle.h"
#include "wedr/rules/ioc.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define EPOCH 0x1122334455667788u

static uint8_t mem[WEDR_RECORD_MAX];
static char line[WEDR_LINE_MAX];
static const struct wedr_clock_pair pair = {0, RECORDS_UTC_US};
static uint64_t now_ms = 1000;

static uint64_t test_clock(void)
{
    return now_ms;
}

struct fixture {
    struct wedr_encoder *enc;
    struct wedr_detect *d;
    uint64_t seq;
    json_t *lines; /* everything that was written */
};

#define RULE(id, select)                                                              \
    "title: title of " id "\nid: " id "\nlevel: high\n"                               \
    "tags: [attack.t1059]\nlogsource: {product: linux, category: process_creation}\n" \
    "detection: {selection: {" select "}, condition: selection}\n"
#define SHELL RULE("shell", "Image|endswith: /sh, CommandLine|contains: evil")

static void use(struct fixture *f, const char *yaml, uint64_t serial, uint32_t policy)
{
    struct wedr_ruleset *rs = wedr_ruleset_new((size_t)16 << 20);
    struct wedr_sigma *s = wedr_sigma_new(rs, NULL, NULL, NULL);
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {""};
    struct wedr_detect_bundle info = {serial, policy, "test"};
    assert_int_equal(wedr_sigma_add(s, "t.yml", yaml, strlen(yaml)), WEDR_OK);
    assert_int_equal(wedr_sigma_finish(s), WEDR_OK);
    wedr_sigma_free(s);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &map, &ei), WEDR_OK);
    assert_int_equal(wedr_detect_use_take(f->d, rs, map, &info, &ei), WEDR_OK);
}

/* One rule for events of any kind, with actions that Sigma cannot name. */
static void
use_one(struct fixture *f, const char *field, const char *word, uint8_t actions, uint32_t policy)
{
    struct wedr_ruleset *rs = wedr_ruleset_new((size_t)16 << 20);
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {""};
    struct wedr_detect_bundle info = {1, policy, "test"};
    struct wedr_rule rule = wedr_rule_init();
    uint32_t id, index;
    assert_int_equal(wedr_ruleset_field(rs, field, strlen(field), &id), WEDR_OK);
    assert_int_equal(wedr_ir_text(rs, id, WEDR_PRED_CONTAINS, wedr_text(word, strlen(word)), 0,
                                  &rule.condition, &ei),
                     WEDR_OK);
    rule.id = wedr_text("one", 3);
    rule.title = rule.id;
    rule.language = wedr_text("waza", 4);
    rule.actions = actions;
    assert_int_equal(wedr_ruleset_add_rule(rs, &rule, &index), WEDR_OK);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &map, &ei), WEDR_OK);
    assert_int_equal(wedr_detect_use_take(f->d, rs, map, &info, &ei), WEDR_OK);
}

static void use_kill(struct fixture *f, uint32_t policy)
{
    use_one(f, "CommandLine", "evil", WEDR_ACTION_ALERT | WEDR_ACTION_KILL, policy);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    now_ms = 1000;
    assert_int_equal(wedr_encoder_new(&f->enc), WEDR_OK);
    assert_int_equal(wedr_detect_new(f->enc, &f->d), WEDR_OK);
    f->d->mono_ms = test_clock;
    f->d->budget_ms = now_ms;
    f->lines = json_array();
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    wedr_detect_free(f->d);
    wedr_encoder_free(f->enc);
    json_decref(f->lines);
    free(f);
    return 0;
}

/* Takes what waits, as the engine would write it. */
static size_t collect(struct fixture *f)
{
    struct wedr_spool_frame_in in;
    size_t n = 0;
    json_array_clear(f->lines);
    if (!wedr_detect_frame(f->d, &in)) {
        return 0;
    }
    for (char *p = in.lines; p < in.lines + in.len;) {
        char *end = memchr(p, '\n', (size_t)(in.lines + in.len - p));
        json_error_t e;
        assert_non_null(end);
        json_t *j = json_loadb(p, (size_t)(end - p), JSON_REJECT_DUPLICATES, &e);
        if (!j) {
            fail_msg("%s: %.*s", e.text, (int)(end - p), p);
        }
        assert_int_equal(json_integer_value(json_object_get(j, "seq")), in.first_seq + n);
        json_array_append_new(f->lines, j);
        p = end + 1;
        n++;
    }
    assert_int_equal(n, in.count);
    assert_int_equal(in.last_seq, in.first_seq + n - 1);
    assert_int_equal(in.produced, in.last_seq);
    wedr_detect_written(f->d);
    return n;
}

static json_t *raw(struct fixture *f, size_t i)
{
    return json_object_get(json_array_get(f->lines, i), "raw");
}

static const char *text(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "(none)";
}

static json_int_t number(json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void show(struct fixture *f, const struct wedr_event_view *v, const char *stream)
{
    size_t len = 0;
    assert_int_equal(wedr_encode(f->enc, v, pair, line, sizeof(line), &len), WEDR_OK);
    struct wedr_detect_event e = {v, line, len, stream, EPOCH, pair};
    wedr_detect_event(f->d, &e, pair);
}

static void run(struct fixture *f, uint32_t pid, const char *image, const char *command)
{
    f->seq++;
    struct wedr_event_view v =
        rec_exec(mem, f->seq, f->seq + 10, pid, 7, image, command, strlen(command));
    show(f, &v, "kernel.critical");
}

static void an_alert_says_rule_process_ancestry_evidence_and_what_held(void **state)
{
    struct fixture *f = *state;
    use(f, SHELL, 4711, 0);
    struct wedr_event_view v = rec_exec(mem, 1, 5, 1, 0, "/sbin/init", "init", 4);
    show(f, &v, "kernel.critical");
    v = rec_exec(mem, 2, 6, 7, 1, "/usr/sbin/sshd", "sshd", 4);
    show(f, &v, "kernel.critical");
    f->seq = 2;
    run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(collect(f), 1);
    json_t *j = json_array_get(f->lines, 0), *r = raw(f, 0);
    assert_string_equal(text(j, "event_type"), "alert");
    assert_string_equal(text(j, "module"), "agent");
    assert_string_equal(text(r, "rule_id"), "shell");
    assert_string_equal(text(r, "rule_title"), "title of shell");
    assert_string_equal(text(r, "rule_language"), "sigma");
    assert_string_equal(text(r, "severity"), "high");
    assert_string_equal(text(r, "rules_serial"), "4711");
    assert_string_equal(text(r, "profile"), "test");
    assert_string_equal(text(r, "image_path"), "/bin/sh");
    assert_string_equal(text(r, "command_line"), "sh -c evil");
    assert_string_equal(text(r, "user"), "1000");
    assert_string_equal(text(r, "event_time"), "2025-11-24T16:00:00.013000Z");
    assert_int_equal(number(r, "pid"), 8);
    assert_int_equal(number(json_object_get(j, "process"), "pid"), 8);
    assert_string_equal(json_string_value(json_array_get(json_object_get(r, "tags"), 0)),
                        "attack.t1059");
    assert_string_equal(json_string_value(json_array_get(json_object_get(r, "actions"), 0)),
                        "alert");
    json_t *ev = json_array_get(json_object_get(r, "evidence"), 0);
    assert_string_equal(text(ev, "epoch"), "1122334455667788");
    assert_string_equal(text(ev, "stream"), "kernel.critical");
    assert_int_equal(number(ev, "seq"), 3);
    assert_string_equal(text(json_object_get(json_object_get(ev, "event"), "raw"), "command_line"),
                        "sh -c evil");
    json_t *an = json_object_get(r, "ancestry");
    assert_int_equal(json_array_size(an), 3);
    assert_string_equal(text(json_array_get(an, 1), "image_path"), "/usr/sbin/sshd");
    assert_string_equal(text(json_array_get(an, 2), "image_path"), "/sbin/init");
    assert_string_equal(text(json_array_get(an, 2), "started"), "2025-11-24T16:00:00.001000Z");
    json_t *held = json_object_get(r, "matched");
    assert_int_equal(json_array_size(held), 2);
    assert_string_equal(text(json_array_get(held, 0), "value"), "/bin/sh");
}

static void w02_only_the_event_that_matches_raises_an_alert(void **state)
{
    struct fixture *f = *state;
    use(f, SHELL, 1, 0);
    run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(collect(f), 1);
    run(f, 9, "/bin/sh", "sh -c good");
    run(f, 10, "/bin/ls", "evil");
    assert_int_equal(collect(f), 0);
}

static void the_same_match_has_the_same_id_and_another_one_another(void **state)
{
    struct fixture *f = *state;
    char first[33];
    use(f, SHELL, 1, 0);
    f->seq = 40;
    run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(collect(f), 1);
    (void)snprintf(first, sizeof(first), "%s", text(raw(f, 0), "alert_id"));
    assert_int_equal(strlen(first), 32);
    run(f, 9, "/bin/sh", "sh -c evil");
    assert_int_equal(collect(f), 1);
    assert_string_not_equal(text(raw(f, 0), "alert_id"), first);
    /* A new process of the agent, other rules around it, the same record read again. */
    void *again = NULL;
    (void)set_up(&again);
    struct fixture *g = again;
    use(g, RULE("other", "CommandLine|contains: vil") "---\n" SHELL, 2, 0);
    g->seq = 40;
    run(g, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(collect(g), 2);
    assert_true(strcmp(text(raw(g, 0), "alert_id"), first) == 0 ||
                strcmp(text(raw(g, 1), "alert_id"), first) == 0);
    (void)tear_down(&again);
}

static void every_match_is_an_alert_or_counted_as_held_back(void **state)
{
    struct fixture *f = *state;
    struct wedr_detect_stats st;
    use(f, SHELL, 1, 0);
    for (unsigned i = 0; i < 50; i++) {
        run(f, 8, "/bin/sh", "sh -c evil");
    }
    assert_int_equal(collect(f), WEDR_THROTTLE_ALERTS);
    now_ms += WEDR_THROTTLE_WINDOW_MS;
    wedr_detect_tick(f->d, pair, false);
    assert_int_equal(collect(f), 1);
    json_t *r = raw(f, 0);
    assert_int_equal(number(r, "suppressed"), 50 - (int)WEDR_THROTTLE_ALERTS - 1);
    assert_int_equal(number(json_array_get(json_object_get(r, "evidence"), 0), "seq"), 50);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.matched, 50);
    assert_int_equal(st.alerts + st.suppressed, 50);
    assert_int_equal(st.events, 50);
}

static void one_noisy_process_does_not_silence_another(void **state)
{
    struct fixture *f = *state;
    use(f, SHELL, 1, 0);
    for (unsigned i = 0; i < 30; i++) {
        run(f, 8, "/bin/sh", "sh -c evil");
    }
    (void)collect(f);
    run(f, 9, "/bin/sh", "sh -c evil");
    assert_int_equal(collect(f), 1);
    assert_int_equal(number(raw(f, 0), "pid"), 9);
}

static void all_rules_together_have_a_budget_and_nothing_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct wedr_detect_stats st;
    unsigned n = 0;
    use(f, SHELL, 1, 0);
    for (uint32_t pid = 100; pid < 100 + WEDR_DETECT_ALERTS_BURST + 50; pid++) {
        run(f, pid, "/bin/sh", "sh -c evil");
        if (!wedr_detect_room(f->d)) {
            n += (unsigned)collect(f);
        }
    }
    n += (unsigned)collect(f);
    assert_int_equal(n, WEDR_DETECT_ALERTS_BURST);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.over_budget, 50);
    now_ms += WEDR_THROTTLE_WINDOW_MS;
    wedr_detect_tick(f->d, pair, false);
    assert_int_equal(collect(f), 50); /* each is told with its count */
}

/* More entities than anybody remembers: the budget holds all the same, and the sum is right. */
static void a_flood_of_entities_stays_within_the_budget_and_is_counted(void **state)
{
    struct fixture *f = *state;
    struct wedr_detect_stats st;
    const uint32_t flood = 3 * WEDR_THROTTLE_DEFAULT;
    uint64_t told = 0, n = 0;
    use(f, SHELL, 1, 0);
    for (uint32_t pid = 100; pid < 100 + flood; pid++) {
        run(f, pid, "/bin/sh", "sh -c evil");
        if (!wedr_detect_room(f->d)) {
            n += collect(f);
        }
    }
    n += collect(f);
    assert_int_equal(n, WEDR_DETECT_ALERTS_BURST);
    wedr_detect_tick(f->d, pair, true); /* the end */
    assert_int_equal(collect(f), 1);
    assert_string_equal(text(raw(f, 0), "entity"), "several");
    told = (uint64_t)number(raw(f, 0), "suppressed");
    assert_int_equal(told + 1, flood - WEDR_DETECT_ALERTS_BURST);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.alerts + st.suppressed, flood);
}

/* The budget kept it back, not its throttle. */
static void what_a_flood_keeps_back_is_told_soon_not_when_its_throttle_is_over(void **state)
{
    struct fixture *f = *state;
    use(f, SHELL "---\n" RULE("rare", "Image: /bin/rare"), 1, 0);
    f->d->budget = 0;
    run(f, 8, "/bin/rare", "x");
    assert_int_equal(collect(f), 0);
    now_ms += 1000;
    run(f, 8, "/bin/sh", "sh -c evil"); /* new ones come first */
    wedr_detect_tick(f->d, pair, false);
    assert_int_equal(collect(f), 1);
    assert_string_equal(text(raw(f, 0), "rule_id"), "shell");
    now_ms += 10000;
    assert_true(now_ms < WEDR_THROTTLE_WINDOW_MS);
    wedr_detect_tick(f->d, pair, false);
    assert_int_equal(collect(f), 1);
    assert_string_equal(text(raw(f, 0), "rule_id"), "rare");
}

static void a_flood_of_lesser_alerts_leaves_room_for_urgent_ones(void **state)
{
    struct fixture *f = *state;
    use(f,
        SHELL "---\ntitle: low\nid: low\nlevel: low\n"
              "logsource: {product: linux, category: process_creation}\n"
              "detection: {selection: {Image: /bin/low}, condition: selection}\n",
        1, 0);
    for (uint32_t pid = 100; pid < 100 + 2 * WEDR_DETECT_ALERTS_BURST; pid++) {
        run(f, pid, "/bin/low", "x");
        if (!wedr_detect_room(f->d)) {
            (void)collect(f);
        }
    }
    (void)collect(f);
    run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(collect(f), 1);
    assert_string_equal(text(raw(f, 0), "rule_id"), "shell");
}

#define COUNT_RULE                                                                 \
    SHELL "---\ntitle: many\nid: many\nlevel: critical\ncorrelation:\n"            \
          "  type: event_count\n  rules: [shell]\n  group-by: [ParentProcessId]\n" \
          "  timespan: 1h\n  condition: {gte: 3}\n"

static void w02_a_correlation_shows_the_events_that_it_counted(void **state)
{
    struct fixture *f = *state;
    use(f, COUNT_RULE, 1, 0);
    run(f, 8, "/bin/sh", "sh -c evil 1");
    run(f, 9, "/bin/ls", "harmless");
    run(f, 10, "/bin/sh", "sh -c evil 2");
    assert_int_equal(collect(f), 0); /* the rule itself only feeds the count */
    run(f, 11, "/bin/sh", "sh -c evil 3");
    assert_int_equal(collect(f), 1);
    json_t *r = raw(f, 0), *ev = json_object_get(r, "evidence");
    assert_string_equal(text(r, "rule_id"), "many");
    assert_string_equal(text(r, "severity"), "critical");
    assert_string_equal(text(r, "entity"), "7");
    assert_int_equal(number(r, "match_count"), 3);
    assert_int_equal(json_array_size(ev), 3);
    static const char *const want[] = {"sh -c evil 1", "sh -c evil 2", "sh -c evil 3"};
    for (size_t i = 0; i < 3; i++) {
        json_t *e = json_object_get(json_array_get(ev, i), "event");
        assert_string_equal(text(json_object_get(e, "raw"), "command_line"), want[i]);
    }
    assert_true(json_array_size(json_object_get(r, "matched")) >= 2);
}

static void long_evidence_is_cut_from_the_oldest_on_and_counted(void **state)
{
    struct fixture *f = *state;
    static char big[30000];
    struct wedr_detect_stats st;
    use(f, COUNT_RULE, 1, 0);
    memset(big, 'x', sizeof(big) - 1);
    memcpy(big, "sh -c evil ", 11);
    for (uint32_t pid = 8; pid < 11; pid++) {
        run(f, pid, "/bin/sh", big);
    }
    assert_int_equal(collect(f), 1);
    json_t *ev = json_object_get(raw(f, 0), "evidence");
    assert_int_equal(json_array_size(ev), 3);
    assert_null(json_object_get(json_array_get(ev, 0), "event"));
    assert_int_equal(number(json_array_get(ev, 0), "seq"), 1);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.too_large, 1);
}

static void records_of_the_agent_itself_are_matched_too(void **state)
{
    struct fixture *f = *state;
    use_one(f, "event_type", "coverage_gap", WEDR_ACTION_ALERT, 0);
    struct wedr_event_view v = rec_gap(mem, 9, 10, "kernel");
    show(f, &v, "agent");
    assert_int_equal(collect(f), 1);
    json_t *r = raw(f, 0);
    assert_string_equal(text(r, "entity"), "host");
    assert_null(json_object_get(r, "pid"));
    assert_null(json_object_get(r, "ancestry"));
    assert_string_equal(text(json_array_get(json_object_get(r, "evidence"), 0), "stream"), "agent");
}

static void exchanged_rules_keep_windows_and_throttles(void **state)
{
    struct fixture *f = *state;
    struct wedr_detect_stats st;
    use(f, COUNT_RULE, 1, 0);
    run(f, 8, "/bin/sh", "sh -c evil 1");
    run(f, 9, "/bin/sh", "sh -c evil 2");
    use(f, RULE("new", "Image: /bin/new") "---\n" COUNT_RULE, 2, 0);
    run(f, 10, "/bin/sh", "sh -c evil 3");
    assert_int_equal(collect(f), 1);
    assert_string_equal(text(raw(f, 0), "rules_serial"), "2");
    assert_int_equal(json_array_size(json_object_get(raw(f, 0), "evidence")), 3);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.swaps, 2);
    assert_int_equal(st.serial, 2);
}

static void a_throttle_goes_on_over_an_exchange(void **state)
{
    struct fixture *f = *state;
    use(f, SHELL, 1, 0);
    for (unsigned i = 0; i < 30; i++) {
        run(f, 8, "/bin/sh", "sh -c evil");
    }
    (void)collect(f);
    use(f, RULE("new", "Image: /bin/new") "---\n" SHELL, 2, 0);
    run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(collect(f), 0);
    use(f, RULE("new", "Image: /bin/new"), 3, 0); /* the rule goes: its count is told */
    assert_int_equal(collect(f), 1);
    assert_string_equal(text(raw(f, 0), "rule_id"), "shell");
    assert_int_equal(number(raw(f, 0), "suppressed"), 10);
}

/* The disk takes nothing for a while: what is encoded already leaves no room for another alert. */
static void fill_outbox(struct fixture *f)
{
    struct wedr_detect_outcome o = {.kill = {8, rec_key(8), "00ff", "killer"},
                                    .result = WEDR_RESPONSE_RESULT_DONE,
                                    .detail = "it has ended"};
    while (wedr_detect_response(f->d, &o, pair) == WEDR_OK) {
    }
}

static void counts_that_cannot_be_told_at_an_exchange_go_on_with_their_rule(void **state)
{
    struct fixture *f = *state;
    const uint32_t flood = 3 * WEDR_THROTTLE_DEFAULT;
    use(f, SHELL, 1, 0);
    for (uint32_t pid = 100; pid < 100 + flood; pid++) {
        run(f, pid, "/bin/sh", "sh -c evil");
        if (!wedr_detect_room(f->d)) {
            (void)collect(f);
        }
    }
    (void)collect(f);
    fill_outbox(f);
    use(f, RULE("new", "Image: /bin/new") "---\n" SHELL, 2, 0); /* another index */
    assert_true(collect(f) > 0);
    wedr_detect_tick(f->d, pair, true);
    assert_int_equal(collect(f), 1);
    assert_string_equal(text(raw(f, 0), "rule_id"), "shell");
    assert_string_equal(text(raw(f, 0), "rules_serial"), "2");
    assert_int_equal(number(raw(f, 0), "suppressed") + 1, flood - WEDR_DETECT_ALERTS_BURST);
}

/* Of a rule that is not there any more, too: it is told as soon as there is room. */
static void counts_of_a_rule_that_goes_wait_for_room(void **state)
{
    struct fixture *f = *state;
    use(f, SHELL, 1, 0);
    for (unsigned i = 0; i < 30; i++) {
        run(f, 8, "/bin/sh", "sh -c evil");
    }
    (void)collect(f);
    fill_outbox(f);
    use(f, RULE("new", "Image: /bin/new"), 2, 0);
    use(f, RULE("newer", "Image: /bin/newer"), 3, 0);
    assert_true(collect(f) > 0);
    now_ms += DETECT_TICK_MS;
    wedr_detect_tick(f->d, pair, false);
    assert_int_equal(collect(f), 1);
    assert_string_equal(text(raw(f, 0), "rule_id"), "shell");
    assert_string_equal(text(raw(f, 0), "rules_serial"), "1");
    assert_int_equal(number(raw(f, 0), "suppressed"), 9);
    now_ms += DETECT_TICK_MS;
    wedr_detect_tick(f->d, pair, true);
    assert_int_equal(collect(f), 0);
}

static void without_rules_events_pass_and_processes_are_remembered(void **state)
{
    struct fixture *f = *state;
    struct wedr_detect_stats st;
    run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(collect(f), 0);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.serial, 0);
    assert_int_equal(st.events, 0);
    assert_int_equal(st.processes, 1);
}

static void w02_a_kill_names_the_process_of_the_event_once(void **state)
{
    struct fixture *f = *state;
    struct wedr_detect_kill k;
    use_kill(f, WEDR_BUNDLE_KILL_ALLOWED);
    run(f, 8, "/bin/x", "evil");
    run(f, 8, "/bin/x", "evil");
    assert_true(wedr_detect_next_kill(f->d, &k));
    assert_int_equal(k.pid, 8);
    assert_true(k.process_key == rec_key(8));
    assert_string_equal(k.rule_id, "one");
    assert_int_equal(collect(f), 2);
    assert_string_equal(text(raw(f, 0), "alert_id"), k.alert_id);
    assert_false(wedr_detect_next_kill(f->d, &k));
    now_ms += DETECT_KILL_AGAIN_MS; /* it did not die: asked again */
    run(f, 8, "/bin/x", "evil");
    assert_true(wedr_detect_next_kill(f->d, &k));
}

static void a_throttle_spares_people_not_processes(void **state)
{
    struct fixture *f = *state;
    struct wedr_detect_kill k;
    unsigned kills = 0;
    use_kill(f, WEDR_BUNDLE_KILL_ALLOWED);
    for (uint32_t pid = 0; pid < WEDR_DETECT_ALERTS_BURST + 20; pid++) {
        run(f, 100 + pid, "/bin/x", "evil");
        kills += wedr_detect_next_kill(f->d, &k) ? 1 : 0;
        if (!wedr_detect_room(f->d)) {
            (void)collect(f);
        }
    }
    assert_int_equal(kills, WEDR_DETECT_ALERTS_BURST + 20);
}

static void where_the_policy_forbids_it_each_alert_asks_once(void **state)
{
    struct fixture *f = *state;
    struct wedr_detect_kill k;
    unsigned kills = 0;
    use_kill(f, 0);
    for (unsigned i = 0; i < 100; i++) {
        run(f, 8, "/bin/x", "evil");
        now_ms += DETECT_KILL_AGAIN_MS / 20;
        kills += wedr_detect_next_kill(f->d, &k) ? 1 : 0;
    }
    assert_true(kills >= 1 && kills <= 5);
}

static void an_action_of_log_alone_raises_no_alert(void **state)
{
    struct fixture *f = *state;
    struct wedr_detect_stats st;
    use_one(f, "CommandLine", "evil", WEDR_ACTION_LOG, 0);
    run(f, 8, "/bin/x", "evil");
    assert_int_equal(collect(f), 0);
    wedr_detect_stats(f->d, &st);
    assert_int_equal(st.matched, 1);
}

static void kills_without_room_for_them_are_answered_not_forgotten(void **state)
{
    struct fixture *f = *state;
    unsigned failed = 0;
    use_kill(f, WEDR_BUNDLE_KILL_ALLOWED);
    for (uint32_t pid = 1; pid <= WEDR_DETECT_KILLS_MAX + 3; pid++) {
        assert_int_equal(wedr_detect_room(f->d), pid <= WEDR_DETECT_KILLS_MAX);
        run(f, pid, "/bin/x", "evil"); /* shown all the same */
    }
    size_t n = collect(f);
    for (size_t i = 0; i < n; i++) {
        failed += strcmp(text(json_array_get(f->lines, i), "event_type"), "response") == 0 &&
                  strcmp(text(raw(f, i), "result"), "failed") == 0;
    }
    assert_int_equal(failed, 3);
}

static void an_alert_of_a_list_names_the_entry(void **state)
{
    static const char list[] = "id: 4c1d2e3f-0000-4000-8000-000000000001\n"
                               "title: bad files\n"
                               "severity: high\n\n"
                               "path /tmp/bad/tool # seen in the lab\n";
    struct fixture *f = *state;
    struct wedr_ruleset *rs = wedr_ruleset_new((size_t)16 << 20);
    struct wedr_field_map *map = NULL;
    struct wedr_errinfo ei = {""};
    struct wedr_detect_bundle info = {1, 0, "test"};
    struct wedr_ioc_stats st;
    assert_int_equal(wedr_ioc_add(rs, "t.ioc", list, sizeof(list) - 1, NULL, NULL, NULL, &st),
                     WEDR_OK);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &map, &ei), WEDR_OK);
    assert_int_equal(wedr_detect_use_take(f->d, rs, map, &info, &ei), WEDR_OK);
    run(f, 8, "/tmp/bad/tool", "tool");
    assert_int_equal(collect(f), 1);
    assert_string_equal(text(raw(f, 0), "rule_language"), "ioc");
    assert_non_null(strstr(text(raw(f, 0), "message"), "/tmp/bad/tool"));
    assert_non_null(strstr(text(raw(f, 0), "message"), "seen in the lab"));
}

static void a_response_is_a_line_of_the_stream(void **state)
{
    struct fixture *f = *state;
    struct wedr_detect_outcome o = {.kill = {8, rec_key(8), "00ff", "killer"},
                                    .result = WEDR_RESPONSE_RESULT_DONE,
                                    .duration_us = 1234,
                                    .detail = "ended by signal 9"};
    assert_int_equal(wedr_detect_response(f->d, &o, pair), WEDR_OK);
    assert_int_equal(collect(f), 1);
    json_t *r = raw(f, 0);
    assert_string_equal(text(r, "result"), "done");
    assert_string_equal(text(r, "action"), "kill");
    assert_string_equal(text(r, "alert_id"), "00ff");
    assert_int_equal(number(r, "duration_us"), 1234);
}

static void a_bundle_that_is_none_leaves_the_old_rules_at_work(void **state)
{
    struct fixture *f = *state;
    struct wedr_errinfo ei = {""};
    struct wedr_detect_bundle info = {2, 0, "bad"};
    use(f, SHELL, 1, 0);
    assert_int_not_equal(wedr_detect_load(f->d, "no bundle", 9, &info, &ei), WEDR_OK);
    run(f, 8, "/bin/sh", "sh -c evil");
    assert_int_equal(collect(f), 1);
    assert_string_equal(text(raw(f, 0), "rules_serial"), "1");
}

static void hostile_texts_of_rules_and_processes_stay_inside_of_their_fields(void **state)
{
    struct fixture *f = *state;
    use(f,
        "title: \"a\\\"b\\n\\x01\"\nid: shell\nlogsource: {product: linux, category: "
        "process_creation}\n"
        "detection: {selection: {CommandLine|contains: evil}, condition: selection}\n",
        1, 0);
    run(f, 8, "/bin/\xff\xfe\"\\", "evil \"}],\"x\":\x01\xc3");
    assert_int_equal(collect(f), 1);
    assert_string_equal(text(raw(f, 0), "rule_title"), "a\"b\n\x01");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_alert_says_rule_process_ancestry_evidence_and_what_held),
        TEST(w02_only_the_event_that_matches_raises_an_alert),
        TEST(the_same_match_has_the_same_id_and_another_one_another),
        TEST(every_match_is_an_alert_or_counted_as_held_back),
        TEST(one_noisy_process_does_not_silence_another),
        TEST(all_rules_together_have_a_budget_and_nothing_is_forgotten),
        TEST(a_flood_of_entities_stays_within_the_budget_and_is_counted),
        TEST(what_a_flood_keeps_back_is_told_soon_not_when_its_throttle_is_over),
        TEST(a_flood_of_lesser_alerts_leaves_room_for_urgent_ones),
        TEST(w02_a_correlation_shows_the_events_that_it_counted),
        TEST(long_evidence_is_cut_from_the_oldest_on_and_counted),
        TEST(records_of_the_agent_itself_are_matched_too),
        TEST(exchanged_rules_keep_windows_and_throttles),
        TEST(a_throttle_goes_on_over_an_exchange),
        TEST(counts_that_cannot_be_told_at_an_exchange_go_on_with_their_rule),
        TEST(counts_of_a_rule_that_goes_wait_for_room),
        TEST(without_rules_events_pass_and_processes_are_remembered),
        TEST(w02_a_kill_names_the_process_of_the_event_once),
        TEST(a_throttle_spares_people_not_processes),
        TEST(where_the_policy_forbids_it_each_alert_asks_once),
        TEST(an_action_of_log_alone_raises_no_alert),
        TEST(kills_without_room_for_them_are_answered_not_forgotten),
        TEST(an_alert_of_a_list_names_the_entry),
        TEST(a_response_is_a_line_of_the_stream),
        TEST(a_bundle_that_is_none_leaves_the_old_rules_at_work),
        TEST(hostile_texts_of_rules_and_processes_stay_inside_of_their_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
