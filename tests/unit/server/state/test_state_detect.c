/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "state_folder.h"
#include <stdio.h>
#include <string.h>

#define DETECT (STATE_OPS->detect)
#define A "01234567-89ab-4cde-8f01-23456789abcd"
#define B "11234567-89ab-4cde-8f01-23456789abcd"

static struct wedr_alert_row alert(const char *agent, const char *id, const char *rule, int64_t ts)
{
    struct wedr_alert_row a = {.alert_id = id,
                               .agent_id = agent,
                               .hostname = "h",
                               .origin = "agent",
                               .ts_us = ts,
                               .rule_id = rule,
                               .rule_title = "t",
                               .rule_language = "sigma",
                               .severity = "high",
                               .message = "",
                               .tags = "[]",
                               .actions = "[]",
                               .pid = -1,
                               .entity = "",
                               .rules_serial = "1",
                               .profile = "",
                               .ancestry = "[]",
                               .matched = "[]"};
    return a;
}

static int apply(struct wedr_state *s, struct wedr_detect_step *step, int64_t cursor)
{
    step->cursor = cursor;
    step->now_us = STATE_NOW;
    return DETECT->apply(s, step);
}

struct seen {
    char text[512];
};

static int note_alert(void *ctx, const struct wedr_alert_row *a)
{
    struct seen *s = ctx;
    size_t n = strlen(s->text);
    (void)snprintf(s->text + n, sizeof(s->text) - n, "%s ", a->alert_id);
    return 0;
}

static int note_evidence(void *ctx, const struct wedr_evidence_row *e)
{
    struct seen *s = ctx;
    size_t n = strlen(s->text);
    (void)snprintf(s->text + n, sizeof(s->text) - n, "%llx/%s/%u=%s ", (unsigned long long)e->epoch,
                   e->stream, (unsigned)e->seq, e->event ? e->event : "-");
    return 0;
}

static int note_process(void *ctx, const struct wedr_process_row *p)
{
    struct seen *s = ctx;
    size_t n = strlen(s->text);
    (void)snprintf(s->text + n, sizeof(s->text) - n, "%s ", p->process_key);
    return 0;
}

static const char *ask(struct wedr_state *s, struct wedr_alert_query q)
{
    static struct seen seen;
    memset(&seen, 0, sizeof(seen));
    q.limit = q.limit ? q.limit : 100;
    assert_int_equal(DETECT->alerts(s, &q, note_alert, &seen), WEDR_OK);
    return seen.text;
}

static void findings_and_cursor_are_stored_together(void **state)
{
    (void)state;
    struct wedr_alert_row rows[] = {alert(A, "a1", "r1", 10), alert(A, "a2", "r2", 20),
                                    alert(B, "a1", "r1", 30)};
    struct wedr_detect_step step = {.alerts = rows, .alert_count = 3};
    int64_t cursor = -1;
    struct wedr_state *s = state_open();
    assert_int_equal(DETECT->cursor(s, &cursor), WEDR_E_NOENT);
    assert_int_equal(apply(s, &step, 77), WEDR_OK);
    assert_int_equal(step.alerts_new, 3);
    STATE_OPS->close(s);
    s = state_open();
    assert_int_equal(DETECT->cursor(s, &cursor), WEDR_OK);
    assert_int_equal(cursor, 77);
    assert_int_equal(apply(s, &step, 78), WEDR_OK);
    assert_int_equal(step.alerts_new, 0);
    assert_int_equal(step.alerts_again, 3);
    assert_string_equal(ask(s, (struct wedr_alert_query){0}), "a1 a2 a1 ");
    assert_string_equal(ask(s, (struct wedr_alert_query){.since_us = 20}), "a2 a1 ");
    assert_string_equal(ask(s, (struct wedr_alert_query){.agent_id = B}), "a1 ");
    assert_string_equal(ask(s, (struct wedr_alert_query){.rule_id = "r2"}), "a2 ");
    assert_string_equal(ask(s, (struct wedr_alert_query){.limit = 2}), "a2 a1 ");
    assert_string_equal(ask(s, (struct wedr_alert_query){.behind_id = 2}), "a1 ");
    STATE_OPS->close(s);
}

static void evidence_comes_back_as_it_was(void **state)
{
    (void)state;
    struct wedr_alert_row a = alert(A, "a1", "r1", 10);
    struct wedr_evidence_row e[] = {{A, 0xfedcba9876543210u, "kernel.bulk", 5, "{}"},
                                    {A, 1, "alert", 6, NULL}};
    struct wedr_detect_step step = {.alerts = &a, .alert_count = 1};
    struct seen seen = {""};
    struct wedr_state *s = state_open();
    a.evidence = e;
    a.evidence_count = 2;
    assert_int_equal(apply(s, &step, 1), WEDR_OK);
    assert_int_equal(DETECT->evidence(s, 1, note_evidence, &seen), WEDR_OK);
    assert_string_equal(seen.text, "fedcba9876543210/kernel.bulk/5={} 1/alert/6=- ");
    STATE_OPS->close(s);
}

static struct wedr_process_row process(const char *key, const char *parent)
{
    struct wedr_process_row p = {.event = WEDR_PROCESS_CREATED,
                                 .agent_id = A,
                                 .process_key = key,
                                 .parent_key = parent,
                                 .pid = 1,
                                 .ppid = -1,
                                 .ts_us = 5};
    return p;
}

static void ancestors_are_found_and_a_circle_ends(void **state)
{
    (void)state;
    struct wedr_process_row rows[] = {process("p1", NULL), process("p2", "p1"), process("p3", "p2"),
                                      process("x", "y"), process("y", "x")};
    struct wedr_detect_step step = {.processes = rows, .process_count = 5};
    struct seen seen = {""}, circle = {""}, none = {""}, cut = {""};
    struct wedr_state *s = state_open();
    assert_int_equal(apply(s, &step, 1), WEDR_OK);
    assert_int_equal(DETECT->ancestry(s, A, "p3", 10, note_process, &seen), WEDR_OK);
    assert_string_equal(seen.text, "p3 p2 p1 ");
    assert_int_equal(DETECT->ancestry(s, A, "x", 10, note_process, &circle), WEDR_OK);
    assert_string_equal(circle.text, "x y ");
    assert_int_equal(DETECT->ancestry(s, B, "p3", 10, note_process, &none), WEDR_OK);
    assert_string_equal(none.text, "");
    assert_int_equal(DETECT->ancestry(s, A, "p3", 2, note_process, &cut), WEDR_OK);
    assert_string_equal(cut.text, "p3 p2 ");
    STATE_OPS->close(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, state_set_up, state_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(findings_and_cursor_are_stored_together),
        T(evidence_comes_back_as_it_was),
        T(ancestors_are_found_and_a_circle_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
