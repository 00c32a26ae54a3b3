/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "state_folder.h"
#include "store/state/sqlite/db.h"
#include "store/state/sqlite/detect.h"
#include "store/state/sqlite/schema.h"
#include <stdio.h>
#include <string.h>

#define DETECT (STATE_OPS->detect)
#define A "01234567-89ab-4cde-8f01-23456789abcd"
#define B "11234567-89ab-4cde-8f01-23456789abcd"

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
    struct wedr_alert_row rows[] = {state_alert(A, "a1", "r1", 10), state_alert(A, "a2", "r2", 20),
                                    state_alert(B, "a1", "r1", 30)};
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
    struct wedr_alert_row a = state_alert(A, "a1", "r1", 10);
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

static void a_flood_of_alerts_pushes_out_only_its_senders(void **state)
{
    (void)state;
    struct wedr_alert_row rows[41];
    char ids[40][8];
    struct wedr_detect_step step = {.alerts = rows};
    struct wedr_state *s = state_open();
    rows[0] = state_alert(B, "b1", "r1", 1);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(ids[i], sizeof(ids[i]), "a%d", i);
        rows[1 + i] = state_alert(A, ids[i], "r1", i);
    }
    step.alert_count = 9;
    assert_int_equal(apply(s, &step, 1), WEDR_OK);
    STATE_OPS->close(s);
    s = state_open(); /* what is counted anew counts the same */
    s->kept[WEDR_KEPT_ALERTS] = 12;
    step.alert_count = 41;
    assert_int_equal(apply(s, &step, 2), WEDR_OK);
    assert_string_equal(ask(s, (struct wedr_alert_query){.agent_id = B}), "b1 ");
    const char *of_a = ask(s, (struct wedr_alert_query){.agent_id = A});
    assert_non_null(strstr(of_a, "a39 "));
    assert_null(strstr(of_a, "a0 "));
    assert_true(step.alerts_dropped > 0);
    STATE_OPS->close(s);
}

static int64_t number(struct wedr_state *s, const char *sql)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(wedr_state_prepare(s->writer, &st, sql, ""), WEDR_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return n;
}

#define EVENT_LEN 30000u
static char big_event[EVENT_LEN + 1], huge_event[WEDR_ALERT_EVIDENCE_BYTES_MAX + 2];

static void make_events(void)
{
    memset(big_event, 'x', EVENT_LEN);
    memset(huge_event, 'y', sizeof(huge_event) - 1);
}

static void evidence_over_its_bytes_is_kept_as_a_reference(void **state)
{
    (void)state;
    make_events();
    struct wedr_evidence_row e[] = {
        {A, 1, "a", 1, big_event}, {A, 1, "a", 2, big_event}, {A, 1, "a", 3, big_event}};
    struct wedr_evidence_row too_long = {A, 1, "a", 4, huge_event};
    struct wedr_alert_row rows[] = {state_alert(A, "a1", "r1", 10), state_alert(A, "a2", "r1", 10)};
    struct wedr_detect_step step = {.alerts = rows, .alert_count = 2};
    struct wedr_state *s = state_open();
    rows[0].evidence = e;
    rows[0].evidence_count = 3;
    rows[1].evidence = &too_long;
    rows[1].evidence_count = 1;
    assert_int_equal(apply(s, &step, 1), WEDR_OK);
    assert_int_equal(step.evidence_cut, 2);
    assert_int_equal(number(s, "SELECT count(*) FROM alert_evidence"), 4);
    assert_int_equal(number(s, "SELECT seq FROM alert_evidence WHERE alert=1 AND event IS NULL"),
                     1);
    assert_int_equal(number(s, "SELECT count(event) FROM alert_evidence WHERE alert=1"), 2);
    assert_int_equal(number(s, "SELECT count(event) FROM alert_evidence WHERE alert=2"), 0);
    assert_int_equal(apply(s, &step, 2), WEDR_OK);
    assert_int_equal(step.evidence_cut, 0); /* nothing was stored */
    STATE_OPS->close(s);
}

static void put_big(struct wedr_state *s, const char *agent, int first, int count)
{
    struct wedr_evidence_row e = {agent, 1, "a", 1, big_event};
    char id[16];
    for (int i = first; i < first + count; i++) {
        (void)snprintf(id, sizeof(id), "%c%d", agent[0] == '0' ? 'a' : 'b', i);
        struct wedr_alert_row a = state_alert(agent, id, "r1", i);
        struct wedr_detect_step step = {.alerts = &a, .alert_count = 1};
        a.evidence = &e;
        a.evidence_count = 1;
        assert_int_equal(apply(s, &step, i + 1), WEDR_OK);
        assert_int_equal(step.alert_bytes, number(s, "SELECT sum(bytes) FROM alert"));
        assert_true(step.alert_bytes <= s->kept_bytes);
        assert_int_equal(step.alert_bytes_dropped != 0, step.alerts_dropped != 0);
    }
}

static void the_bytes_of_one_agents_alerts_are_bounded_and_its_oldest_go(void **state)
{
    (void)state;
    make_events();
    struct wedr_state *s = state_open();
    put_big(s, B, 0, 2);
    put_big(s, A, 0, 3);
    STATE_OPS->close(s);
    s = state_open(); /* what is counted anew counts the same */
    s->kept_agent_bytes = 8 * EVENT_LEN;
    put_big(s, A, 3, 30);
    assert_true(number(s, "SELECT sum(length(event)) FROM alert_evidence e JOIN alert a ON "
                          "a.id=e.alert WHERE a.agent_id LIKE '0%'") <= 8 * EVENT_LEN);
    assert_int_equal(number(s, "SELECT count(*) FROM alert WHERE agent_id LIKE '1%'"), 2);
    const char *of_a = ask(s, (struct wedr_alert_query){.agent_id = A});
    assert_non_null(strstr(of_a, "a32 "));
    assert_null(strstr(of_a, "a0 "));
    assert_int_equal(number(s, "SELECT count(*) FROM alert_evidence WHERE alert NOT IN (SELECT id "
                               "FROM alert)"),
                     0);
    STATE_OPS->close(s);
}

static void the_bytes_of_all_alerts_are_bounded_and_the_biggest_sender_pays(void **state)
{
    (void)state;
    make_events();
    struct wedr_state *s = state_open();
    s->kept_bytes = 12 * EVENT_LEN;
    put_big(s, A, 0, 9);
    put_big(s, B, 0, 4);
    assert_int_equal(number(s, "SELECT count(*) FROM alert WHERE agent_id LIKE '1%'"), 4);
    assert_true(number(s, "SELECT count(*) FROM alert WHERE agent_id LIKE '0%'") < 9);
    assert_null(strstr(ask(s, (struct wedr_alert_query){.agent_id = A}), "a0 "));
    STATE_OPS->close(s);
}

/* What a program of version 2 would have left behind, with the alerts of the store that is there.
 */
static void make_older_store(void)
{
#define V2                                                                                      \
    "id,alert_id,agent_id,hostname,origin,ts,received_at,stored_at,rule_id,rule_title,"         \
    "rule_language,severity,message,tags,actions,pid,process_key,image_path,command_line,user," \
    "entity,suppressed,match_count,rules_serial,profile,ancestry,matched"
    char path[128], newer[128], attach[160];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof(path), "%s/state.db", state_folder);
    (void)snprintf(newer, sizeof(newer), "%s/newer.db", state_folder);
    (void)snprintf(attach, sizeof(attach), "ATTACH '%s' AS n", newer);
    assert_int_equal(rename(path, newer), 0);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(wedr_state_migrate_to(db, 2, NULL), WEDR_OK);
    assert_int_equal(sqlite3_exec(db, attach, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "INSERT INTO alert(" V2 ") SELECT " V2 " FROM n.alert;"
                                  "INSERT INTO alert_evidence SELECT * FROM n.alert_evidence",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void alerts_of_an_older_store_are_counted_with_their_bytes(void **state)
{
    (void)state;
    make_events();
    struct wedr_state *s = state_open();
    put_big(s, A, 0, 3);
    int64_t bytes = number(s, "SELECT sum(bytes) FROM alert");
    assert_true(bytes > 3 * EVENT_LEN);
    STATE_OPS->close(s);
    make_older_store();
    s = state_open();
    assert_int_equal(number(s, "SELECT sum(bytes) FROM alert"), bytes);
    STATE_OPS->close(s);
}

static void numbers_of_dropped_alerts_cost_no_others_their_place(void **state)
{
    (void)state;
    struct wedr_alert_row old = state_alert(B, "b1", "r1", 1), new = state_alert(A, "a1", "r1", 2);
    struct wedr_detect_step first = {.alerts = &old, .alert_count = 1};
    struct wedr_detect_step second = {.alerts = &new, .alert_count = 1};
    struct wedr_state *s = state_open();
    assert_int_equal(apply(s, &first, 1), WEDR_OK);
    assert_int_equal(wedr_state_run(s->writer, NULL,
                                    "UPDATE sqlite_sequence SET seq=?1 WHERE name='alert'", "i",
                                    (int64_t)WEDR_ALERTS_KEPT + 10),
                     WEDR_OK);
    assert_int_equal(apply(s, &second, 2), WEDR_OK);
    assert_string_equal(ask(s, (struct wedr_alert_query){0}), "b1 a1 ");
    STATE_OPS->close(s);
}

static int count_responses(struct wedr_state *s, const char *agent)
{
    sqlite3_stmt *st = NULL;
    assert_int_equal(wedr_state_prepare(s->reader, &st,
                                        "SELECT count(*) FROM response WHERE agent_id=?1", "t",
                                        agent),
                     WEDR_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    int n = sqlite3_column_int(st, 0);
    (void)sqlite3_finalize(st);
    return n;
}

/* Their times are the agents' word: one from the far future must not keep its place for ever. */
static void a_flood_of_responses_pushes_out_only_its_senders(void **state)
{
    (void)state;
    struct wedr_response_row rows[41];
    struct wedr_detect_step step = {.responses = rows, .response_count = 41};
    struct wedr_state *s = state_open();
    for (int i = 0; i < 41; i++) {
        rows[i] = (struct wedr_response_row){.agent_id = i ? A : B,
                                             .hostname = "h",
                                             .epoch = 1,
                                             .stream = "alert",
                                             .seq = (uint64_t)i + 1,
                                             .ts_us = i ? INT64_C(4000000000000000) : 1,
                                             .alert_id = "a",
                                             .rule_id = "r",
                                             .action = "kill",
                                             .result = "done",
                                             .pid = -1,
                                             .detail = ""};
    }
    s->kept[WEDR_KEPT_RESPONSES] = 12;
    assert_int_equal(apply(s, &step, 1), WEDR_OK);
    assert_int_equal(count_responses(s, B), 1);
    assert_true(count_responses(s, A) < 12);
    STATE_OPS->close(s);
}

static void an_agent_cannot_take_the_place_of_the_servers_alert(void **state)
{
    (void)state;
    struct wedr_alert_row forged = state_alert(A, "a1", "r1", 1),
                          own = state_alert(A, "a1", "r1", 2);
    struct wedr_detect_step first = {.alerts = &forged, .alert_count = 1};
    struct wedr_detect_step second = {.alerts = &own, .alert_count = 1};
    struct wedr_state *s = state_open();
    own.origin = "server";
    assert_int_equal(apply(s, &first, 1), WEDR_OK);
    assert_int_equal(apply(s, &second, 2), WEDR_OK);
    assert_int_equal(second.alerts_new, 1);
    assert_string_equal(ask(s, (struct wedr_alert_query){0}), "a1 a1 ");
    STATE_OPS->close(s);
}

#define T(f) cmocka_unit_test_setup_teardown(f, state_set_up, state_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(findings_and_cursor_are_stored_together),
        T(evidence_comes_back_as_it_was),
        T(ancestors_are_found_and_a_circle_ends),
        T(a_flood_of_alerts_pushes_out_only_its_senders),
        T(evidence_over_its_bytes_is_kept_as_a_reference),
        T(the_bytes_of_one_agents_alerts_are_bounded_and_its_oldest_go),
        T(the_bytes_of_all_alerts_are_bounded_and_the_biggest_sender_pays),
        T(alerts_of_an_older_store_are_counted_with_their_bytes),
        T(numbers_of_dropped_alerts_cost_no_others_their_place),
        T(a_flood_of_responses_pushes_out_only_its_senders),
        T(an_agent_cannot_take_the_place_of_the_servers_alert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
