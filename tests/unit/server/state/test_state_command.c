/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "state_folder.h"
#include "store/state/sqlite/db.h"
#include <stdio.h>
#include <string.h>

#define OPS (STATE_OPS->command)
#define A "a1234567-89ab-4cde-8f01-23456789abcd"
#define B "b1234567-89ab-4cde-8f01-23456789abcd"
#define MINUTE INT64_C(60000000)

static const struct wedr_scope all = {NULL, 0};
static const char *const red_groups[] = {"red"};
static const struct wedr_scope red = {red_groups, 1};
static const struct wedr_audit who = {.ts_us = STATE_NOW + 5,
                                      .actor = "ana",
                                      .actor_kind = "user",
                                      .address = "",
                                      .action = "command.test",
                                      .object = "",
                                      .detail = ""};

struct seen {
    size_t count;
    char id[16][WEDR_COMMAND_ID_TEXT];
    uint64_t counter[16];
    struct wedr_command_row last; /* without texts */
    char result[64], reason[WEDR_COMMAND_REASON_MAX + 1];
};

static int see(void *ctx, const struct wedr_command_row *c)
{
    struct seen *s = ctx;
    assert_true(s->count < 16);
    (void)snprintf(s->id[s->count], sizeof(s->id[0]), "%s", c->id);
    s->counter[s->count++] = c->counter;
    s->last = *c;
    (void)snprintf(s->result, sizeof(s->result), "%s", c->result ? c->result : "none");
    (void)snprintf(s->reason, sizeof(s->reason), "%s", c->reason);
    return 0;
}

static const char *id_of(unsigned n)
{
    static char id[4][WEDR_COMMAND_ID_TEXT];
    static unsigned at;
    char *ret = id[at++ % 4];
    (void)snprintf(ret, WEDR_COMMAND_ID_TEXT, "c1234567-89ab-4cde-8f01-%012u", n);
    return ret;
}

static int add(struct wedr_state *s,
               const struct wedr_scope *scope,
               const char *agent,
               unsigned n,
               int64_t now)
{
    struct wedr_command_row c = {.id = id_of(n),
                                 .agent_id = agent,
                                 .type = "update_rules",
                                 .payload = "{}",
                                 .created_by = "ana",
                                 .created_us = now,
                                 .expires_us = now + MINUTE};
    return OPS->add(s, scope, &c, &who);
}

static struct seen take(struct wedr_state *s, const char *agent, int64_t now)
{
    struct seen v = {.count = 0};
    assert_int_equal(OPS->take(s, agent, now, see, &v), WEDR_OK);
    return v;
}

static struct seen get(struct wedr_state *s, unsigned n, int64_t now)
{
    struct seen v = {.count = 0};
    assert_int_equal(OPS->get(s, &all, id_of(n), now, see, &v), WEDR_OK);
    return v;
}

static int64_t audits(struct wedr_state *s)
{
    sqlite3_stmt *st = NULL;
    int64_t n;
    assert_int_equal(sqlite3_prepare_v2(s->writer, "SELECT count(*) FROM audit", -1, &st, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(st), SQLITE_ROW);
    n = sqlite3_column_int64(st, 0);
    (void)sqlite3_finalize(st);
    return n;
}

static struct wedr_state *two_agents(void)
{
    struct wedr_state *s = state_open();
    state_add_agent(s, A, "linux");
    state_add_agent(s, B, "linux");
    assert_int_equal(sqlite3_exec(s->writer,
                                  "UPDATE agent SET endpoint_group='red' WHERE agent_id='" A "'",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    return s;
}

static void counters_only_rise(void **state)
{
    struct wedr_state *s = two_agents();
    (void)state;
    assert_int_equal(add(s, &all, A, 1, STATE_NOW), WEDR_OK);
    assert_int_equal(add(s, &all, A, 2, STATE_NOW), WEDR_OK);
    assert_int_equal(add(s, &all, A, 3, STATE_NOW - 1000), WEDR_OK); /* the clock went back */
    struct seen v = take(s, A, STATE_NOW + 1);
    assert_int_equal(v.count, 3);
    assert_true(v.counter[0] == STATE_NOW && v.counter[1] == STATE_NOW + 1 &&
                v.counter[2] == STATE_NOW + 2);
    assert_int_equal(take(s, B, STATE_NOW + 1).count, 0);
    STATE_OPS->close(s);
}

static void a_command_goes_from_pending_to_its_result(void **state)
{
    struct wedr_state *s = two_agents();
    bool again = true;
    (void)state;
    assert_int_equal(add(s, &all, A, 1, STATE_NOW), WEDR_OK);
    assert_int_equal(get(s, 1, STATE_NOW).last.state, WEDR_COMMAND_PENDING);
    assert_int_equal(OPS->done(s, A, id_of(1), true, "{}", &who, &again), WEDR_E_NOENT);
    assert_int_equal(take(s, A, STATE_NOW + 1).last.state, WEDR_COMMAND_SENT);
    assert_int_equal(take(s, A, STATE_NOW + 2).count, 1); /* until it is answered */
    assert_true(get(s, 1, STATE_NOW + 2).last.sent_us == STATE_NOW + 1);
    assert_int_equal(OPS->done(s, B, id_of(1), true, "{}", &who, &again), WEDR_E_NOENT);
    assert_int_equal(audits(s), 1);
    assert_int_equal(OPS->done(s, A, id_of(1), false, "{\"a\":1}", &who, &again), WEDR_OK);
    assert_false(again);
    assert_int_equal(OPS->done(s, A, id_of(1), true, "{}", &who, &again), WEDR_OK);
    assert_true(again);
    struct seen v = get(s, 1, STATE_NOW + 10 * MINUTE);
    assert_int_equal(v.last.state, WEDR_COMMAND_FAILED);
    assert_string_equal(v.result, "{\"a\":1}");
    assert_int_equal(audits(s), 2); /* the second answer changed nothing */
    assert_int_equal(take(s, A, STATE_NOW + 3).count, 0);
    assert_int_equal(OPS->done(s, A, id_of(9), true, "{}", &who, &again), WEDR_E_NOENT);
    STATE_OPS->close(s);
}

static void overdue_commands_expire_and_a_late_answer_still_counts(void **state)
{
    struct wedr_state *s = two_agents();
    bool again = true;
    (void)state;
    assert_int_equal(add(s, &all, A, 1, STATE_NOW), WEDR_OK);
    assert_int_equal(take(s, A, STATE_NOW + 1).count, 1);
    assert_int_equal(get(s, 1, STATE_NOW + MINUTE).last.state, WEDR_COMMAND_EXPIRED);
    assert_int_equal(take(s, A, STATE_NOW + MINUTE).count, 0);
    assert_int_equal(OPS->cancel(s, &all, id_of(1), STATE_NOW + MINUTE, &who), WEDR_E_STATE);
    assert_int_equal(OPS->done(s, A, id_of(1), true, "{}", &who, &again), WEDR_OK);
    assert_int_equal(get(s, 1, STATE_NOW + 2 * MINUTE).last.state, WEDR_COMMAND_SUCCESS);
    assert_int_equal(add(s, &all, A, 2, STATE_NOW), WEDR_OK); /* expires unsent */
    assert_int_equal(take(s, A, STATE_NOW + 9 * MINUTE).count, 0);
    assert_int_equal(OPS->done(s, A, id_of(2), true, "{}", &who, &again), WEDR_E_NOENT);
    STATE_OPS->close(s);
}

static void only_what_was_not_sent_is_cancelled(void **state)
{
    struct wedr_state *s = two_agents();
    (void)state;
    assert_int_equal(add(s, &all, A, 1, STATE_NOW), WEDR_OK);
    assert_int_equal(OPS->cancel(s, &all, id_of(1), STATE_NOW + 7, &who), WEDR_OK);
    assert_int_equal(get(s, 1, STATE_NOW + 8).last.state, WEDR_COMMAND_CANCELLED);
    assert_int_equal(OPS->cancel(s, &all, id_of(1), STATE_NOW + 7, &who), WEDR_E_STATE);
    assert_int_equal(take(s, A, STATE_NOW + 8).count, 0);
    assert_int_equal(add(s, &all, A, 2, STATE_NOW), WEDR_OK);
    assert_int_equal(take(s, A, STATE_NOW + 9).count, 1);
    assert_int_equal(OPS->cancel(s, &all, id_of(2), STATE_NOW + 9, &who), WEDR_E_STATE);
    assert_int_equal(audits(s), 3);
    STATE_OPS->close(s);
}

static void scope_hides_what_is_outside(void **state)
{
    struct wedr_state *s = two_agents();
    struct wedr_command_ask ask = {.state = -1, .now_us = STATE_NOW, .limit = 10};
    struct seen v = {.count = 0};
    (void)state;
    assert_int_equal(add(s, &red, A, 1, STATE_NOW), WEDR_OK);
    assert_int_equal(add(s, &red, B, 2, STATE_NOW), WEDR_E_NOENT);
    assert_int_equal(add(s, &all, B, 2, STATE_NOW), WEDR_OK);
    assert_int_equal(OPS->get(s, &red, id_of(2), STATE_NOW, see, &v), WEDR_E_NOENT);
    assert_int_equal(OPS->cancel(s, &red, id_of(2), STATE_NOW, &who), WEDR_E_NOENT);
    assert_int_equal(OPS->list(s, &red, &ask, see, &v), WEDR_OK);
    assert_int_equal(v.count, 1);
    assert_string_equal(v.id[0], id_of(1));
    STATE_OPS->close(s);
}

static void lists_filter_and_go_on(void **state)
{
    struct wedr_state *s = two_agents();
    struct wedr_command_ask ask = {.state = -1, .now_us = STATE_NOW, .limit = 2};
    struct seen v = {.count = 0}, w = {.count = 0}, x = {.count = 0};
    (void)state;
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(add(s, &all, A, i, STATE_NOW), WEDR_OK);
    }
    assert_int_equal(add(s, &all, B, 4, STATE_NOW), WEDR_OK);
    assert_int_equal(OPS->list(s, &all, &ask, see, &v), WEDR_OK);
    assert_int_equal(v.count, 2);
    assert_string_equal(v.id[0], id_of(4));
    ask.before = v.last.row;
    assert_int_equal(OPS->list(s, &all, &ask, see, &w), WEDR_OK);
    assert_int_equal(w.count, 2);
    assert_string_equal(w.id[1], id_of(1));
    assert_int_equal(OPS->cancel(s, &all, id_of(2), STATE_NOW, &who), WEDR_OK);
    ask = (struct wedr_command_ask){
        .agent_id = A, .state = WEDR_COMMAND_CANCELLED, .now_us = STATE_NOW, .limit = 9};
    assert_int_equal(OPS->list(s, &all, &ask, see, &x), WEDR_OK);
    assert_int_equal(x.count, 1);
    assert_string_equal(x.id[0], id_of(2));
    struct wedr_command_row kill = {.id = id_of(5),
                                    .agent_id = A,
                                    .type = "kill_process",
                                    .payload = "{}",
                                    .created_by = "ana",
                                    .reason = "it's a shell; DROP",
                                    .created_us = STATE_NOW,
                                    .expires_us = STATE_NOW + MINUTE};
    assert_int_equal(OPS->add(s, &all, &kill, &who), WEDR_OK);
    ask = (struct wedr_command_ask){
        .type = "kill_process", .state = -1, .now_us = STATE_NOW, .limit = 9};
    struct seen y = {.count = 0};
    assert_int_equal(OPS->list(s, &all, &ask, see, &y), WEDR_OK);
    assert_int_equal(y.count, 1);
    assert_string_equal(y.id[0], id_of(5));
    assert_string_equal(y.reason, kill.reason);
    assert_string_equal(get(s, 1, STATE_NOW).reason, "");
    STATE_OPS->close(s);
}

static void an_agent_has_a_bounded_number_of_them(void **state)
{
    struct wedr_state *s = two_agents();
    char payload[WEDR_COMMAND_PAYLOAD_MAX + 2], result[WEDR_COMMAND_RESULT_MAX + 2];
    bool again;
    (void)state;
    for (unsigned i = 0; i < WEDR_COMMANDS_OPEN_MAX; i++) {
        assert_int_equal(add(s, &all, A, i, STATE_NOW), WEDR_OK);
    }
    assert_int_equal(add(s, &all, A, 99, STATE_NOW), WEDR_E_LIMIT);
    assert_int_equal(add(s, &all, B, 99, STATE_NOW), WEDR_OK);
    assert_int_equal(take(s, A, STATE_NOW).count, WEDR_COMMANDS_AT_ONCE);
    assert_int_equal(add(s, &all, A, 100, STATE_NOW + MINUTE), WEDR_OK); /* those expired */
    memset(payload, ' ', sizeof(payload) - 1);
    payload[sizeof(payload) - 1] = '\0';
    struct wedr_command_row c = {.id = id_of(7),
                                 .agent_id = A,
                                 .type = "x",
                                 .payload = payload,
                                 .created_by = "",
                                 .created_us = 1,
                                 .expires_us = 2};
    assert_int_equal(OPS->add(s, &all, &c, &who), WEDR_E_LIMIT);
    char reason[WEDR_COMMAND_REASON_MAX + 2];
    memset(reason, 'r', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    c.payload = "{}";
    c.reason = reason;
    assert_int_equal(OPS->add(s, &all, &c, &who), WEDR_E_LIMIT);
    memset(result, ' ', sizeof(result) - 1);
    result[sizeof(result) - 1] = '\0';
    assert_int_equal(OPS->done(s, A, id_of(0), true, result, &who, &again), WEDR_E_LIMIT);
    STATE_OPS->close(s);
}

static void old_ones_go_and_open_ones_stay(void **state)
{
    struct wedr_state *s = two_agents();
    struct seen v = {.count = 0};
    (void)state;
    assert_int_equal(
        sqlite3_exec(s->writer,
                     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1005) "
                     "INSERT INTO command(id,agent_id,type,payload,created_by,state,counter,"
                     "created_us,expires_us) SELECT 'o'||i,'" A
                     "','x','{}','',CASE i WHEN 1 THEN 0 "
                     "ELSE 2 END,i,1,9000000000000000 FROM n",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(add(s, &all, A, 1, STATE_NOW), WEDR_OK);
    assert_int_equal(OPS->get(s, &all, "o1", 1, see, &v), WEDR_OK); /* pending */
    assert_int_equal(OPS->get(s, &all, "o2", 1, see, &v), WEDR_E_NOENT);
    assert_int_equal(OPS->get(s, &all, "o5", 1, see, &v), WEDR_E_NOENT);
    assert_int_equal(OPS->get(s, &all, "o6", 1, see, &v), WEDR_OK);
    STATE_OPS->close(s);
}

static void states_have_names(void **state)
{
    uint8_t n = 0;
    (void)state;
    assert_string_equal(wedr_command_state_name(WEDR_COMMAND_SENT), "sent");
    assert_null(wedr_command_state_name(WEDR_COMMAND_STATES));
    assert_int_equal(wedr_command_state_of("cancelled", &n), WEDR_OK);
    assert_int_equal(n, WEDR_COMMAND_CANCELLED);
    assert_int_equal(wedr_command_state_of("", &n), WEDR_E_NOENT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, state_set_up, state_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counters_only_rise),
        TEST(a_command_goes_from_pending_to_its_result),
        TEST(overdue_commands_expire_and_a_late_answer_still_counts),
        TEST(only_what_was_not_sent_is_cancelled),
        TEST(scope_hides_what_is_outside),
        TEST(lists_filter_and_go_on),
        TEST(an_agent_has_a_bounded_number_of_them),
        TEST(old_ones_go_and_open_ones_stay),
        cmocka_unit_test(states_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
