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

#define TRIAGE (STATE_OPS->triage)
#define A "a1234567-89ab-4cde-8f01-23456789abcd"
#define B "b1234567-89ab-4cde-8f01-23456789abcd"

static const struct wedr_scope all = {NULL, 0};
static const char *const red_groups[] = {"red", "pink"};
static const struct wedr_scope red = {red_groups, 2};
static const struct wedr_scope nobody = {red_groups, 0};

static void apply(struct wedr_state *s, struct wedr_detect_step *step)
{
    step->now_us = STATE_NOW;
    assert_int_equal(STATE_OPS->detect->apply(s, step), WEDR_OK);
}

static void sql(struct wedr_state *s, const char *text)
{
    assert_int_equal(sqlite3_exec(s->writer, text, NULL, NULL, NULL), SQLITE_OK);
}

/* Two endpoints, A in red and B in blue; alerts 1 (A), 2 (B), 3 (both) and 4 (of the server over
 * A alone). */
static struct wedr_state *filled(void)
{
    struct wedr_evidence_row both[] = {{A, 1, "kernel.critical", 5, "{}"},
                                       {B, 1, "kernel.critical", 6, "{}"}};
    struct wedr_alert_row rows[] = {state_alert(A, "a", "r1", 10), state_alert(B, "b", "r1", 20),
                                    state_alert("", "c", "r1", 30), state_alert("", "d", "r1", 40)};
    struct wedr_detect_step step = {.alerts = rows, .alert_count = 4};
    struct wedr_state *s = state_open();
    state_add_agent(s, A, "linux");
    state_add_agent(s, B, "linux");
    sql(s, "UPDATE agent SET endpoint_group='red' WHERE agent_id='" A "'");
    sql(s, "UPDATE agent SET endpoint_group='blue' WHERE agent_id='" B "'");
    rows[0].message = "a <b>bold</b> % message";
    rows[0].process_key = "00000000000000aa";
    rows[1].severity = "low";
    rows[2].evidence = both;
    rows[2].evidence_count = 2;
    rows[3].evidence = both;
    rows[3].evidence_count = 1;
    apply(s, &step);
    return s;
}

static int note(void *ctx, const struct wedr_triage_alert *a)
{
    char *text = ctx;
    size_t n = strlen(text);
    (void)snprintf(text + n, 512 - n, "%d", (int)a->row.id);
    return 0;
}

static const char *
ask(struct wedr_state *s, const struct wedr_scope *scope, struct wedr_alert_ask q)
{
    static char text[512];
    text[0] = '\0';
    q.limit = q.limit ? q.limit : 100;
    assert_int_equal(TRIAGE->alerts(s, scope, &q, note, text), WEDR_OK);
    return text;
}

static void questions_have_conditions_and_places(void **state)
{
    (void)state;
    struct wedr_state *s = filled();
    assert_string_equal(ask(s, &all, (struct wedr_alert_ask){0}), "4321");
    assert_string_equal(ask(s, &all, (struct wedr_alert_ask){.limit = 2}), "43");
    assert_string_equal(
        ask(s, &all, (struct wedr_alert_ask){.behind_us = 30, .behind_id = 3, .limit = 1}), "2");
    assert_string_equal(ask(s, &all, (struct wedr_alert_ask){.by_id = true, .after_id = 2}), "34");
    assert_string_equal(ask(s, &all, (struct wedr_alert_ask){.from_us = 20, .to_us = 40}), "32");
    assert_string_equal(ask(s, &all, (struct wedr_alert_ask){.agent_id = B}), "2");
    assert_string_equal(
        ask(s, &all, (struct wedr_alert_ask){.severities = {"low", "medium"}, .severity_count = 2}),
        "2");
    assert_string_equal(ask(s, &all, (struct wedr_alert_ask){.q = "<B>BOLD</b> %"}), "1");
    assert_string_equal(ask(s, &all, (struct wedr_alert_ask){.q = "' OR 1=1 --"}), "");
    assert_string_equal(ask(s, &all, (struct wedr_alert_ask){.rule_id = "r2"}), "");
    assert_string_equal(ask(s, &all, (struct wedr_alert_ask){.process_key = "00000000000000aa"}),
                        "1");
    struct wedr_alert_ask bad = {.states = {"open"}, .state_count = 1, .limit = 1};
    assert_int_equal(TRIAGE->alerts(s, &all, &bad, note, NULL), WEDR_E_INVAL);
    STATE_OPS->close(s);
}

static void what_is_out_of_scope_is_not_there(void **state)
{
    (void)state;
    char text[512] = "";
    size_t changed = 9;
    int64_t id = 2, comment = 0;
    bool in = true;
    struct wedr_state *s = filled();
    struct wedr_triage_change close = {.set_state = true, .state = WEDR_ALERT_CLOSED};
    struct wedr_comment_row c = {.author_id = "1", .author = "eve", .text = "x", .ts_us = 1};
    /* 3 has evidence of B: it would tell of B. */
    assert_string_equal(ask(s, &red, (struct wedr_alert_ask){0}), "41");
    assert_string_equal(ask(s, &nobody, (struct wedr_alert_ask){0}), "");
    assert_int_equal(TRIAGE->alert(s, &red, 1, note, text), WEDR_OK);
    assert_int_equal(TRIAGE->alert(s, &red, 2, note, text), WEDR_E_NOENT);
    assert_int_equal(TRIAGE->alert(s, &red, 3, note, text), WEDR_E_NOENT);
    assert_int_equal(TRIAGE->alert_change(s, &red, &id, 1, 0, &close, 1, NULL, &changed),
                     WEDR_E_NOENT);
    assert_int_equal(TRIAGE->comment_add(s, &red, 2, &c, NULL, &comment), WEDR_E_NOENT);
    assert_int_equal(TRIAGE->comment_add(s, &all, 2, &c, NULL, &comment), WEDR_OK);
    assert_int_equal(TRIAGE->comment_delete(s, &red, 2, comment, "1", NULL), WEDR_E_NOENT);
    assert_int_equal(TRIAGE->in_scope(s, &red, B, &in), WEDR_OK);
    assert_false(in);
    assert_int_equal(TRIAGE->in_scope(s, &red, A, &in), WEDR_OK);
    assert_true(in);
    struct wedr_endpoint_change group = {.group = "red"};
    assert_int_equal(TRIAGE->endpoint_change(s, &red, B, 0, &group, NULL), WEDR_E_NOENT);
    STATE_OPS->close(s);
}

static int count_rule(void *ctx, const struct wedr_rule_row *r)
{
    (void)r;
    ++*(int *)ctx;
    return 0;
}

static void a_person_may_have_as_many_groups_as_there_can_be(void **state)
{
    (void)state;
    const char *names[WEDR_SCOPE_GROUPS_MAX];
    struct wedr_scope many = {.groups = names, .count = WEDR_SCOPE_GROUPS_MAX};
    struct wedr_state *s = filled();
    int n = 0;
    for (size_t i = 0; i < WEDR_SCOPE_GROUPS_MAX; i++) {
        names[i] = "red";
    }
    assert_string_equal(ask(s, &many, (struct wedr_alert_ask){0}), "41");
    assert_int_equal(TRIAGE->rules(s, &many, NULL, 0, 10, count_rule, &n), WEDR_OK);
    STATE_OPS->close(s);
}

static int keep(void *ctx, const struct wedr_triage_alert *a)
{
    (void)snprintf(ctx, 512, "%s %s %s %s v%d c%d", wedr_alert_state_name(a->state),
                   a->resolution ? wedr_alert_resolution_name(a->resolution) : "-",
                   a->assignee ? a->assignee : "-", a->labels, (int)a->version, (int)a->comments);
    return 0;
}

static const char *show(struct wedr_state *s, int64_t id)
{
    static char text[512];
    assert_int_equal(TRIAGE->alert(s, &all, id, keep, text), WEDR_OK);
    return text;
}

static int change(struct wedr_state *s, int64_t id, uint64_t version, struct wedr_triage_change c)
{
    size_t changed = 0;
    int err = TRIAGE->alert_change(s, &all, &id, 1, version, &c, 7, NULL, &changed);
    return err == WEDR_OK ? (int)changed : err;
}

static void changes_carry_versions(void **state)
{
    (void)state;
    struct wedr_state *s = filled();
    struct wedr_triage_change c = {.set_state = true,
                                   .state = WEDR_ALERT_CLOSED,
                                   .set_resolution = true,
                                   .resolution = WEDR_RESOLUTION_BENIGN,
                                   .set_assignee = true,
                                   .assignee = "ann",
                                   .set_labels = true,
                                   .labels = "[\"x\"]"};
    assert_string_equal(show(s, 1), "new - - [] v1 c0");
    assert_int_equal(change(s, 1, 1, c), 1);
    assert_string_equal(show(s, 1), "closed benign ann [\"x\"] v2 c0");
    assert_int_equal(change(s, 1, 2, c), 0); /* the same again is no change */
    assert_int_equal(change(s, 1, 1, c), WEDR_E_CONFLICT);
    c = (struct wedr_triage_change){.set_state = true, .state = WEDR_ALERT_NEW};
    assert_int_equal(change(s, 1, 2, c), 1); /* an open alert has no resolution */
    assert_string_equal(show(s, 1), "new - ann [\"x\"] v3 c0");
    c = (struct wedr_triage_change){.set_resolution = true,
                                    .resolution = WEDR_RESOLUTION_DUPLICATE};
    assert_int_equal(change(s, 1, 0, c), WEDR_E_STATE);
    c = (struct wedr_triage_change){.set_assignee = true};
    assert_int_equal(change(s, 1, 0, c), 1);
    assert_string_equal(show(s, 1), "new - - [\"x\"] v4 c0");
    assert_string_equal(ask(s, &all, (struct wedr_alert_ask){.label = "x"}), "1");
    assert_string_equal(ask(s, &all, (struct wedr_alert_ask){.label = "\"x"}), "");
    assert_string_equal(ask(s, &all, (struct wedr_alert_ask){.assignee = ""}), "4321");
    STATE_OPS->close(s);
}

static void a_bulk_change_is_all_or_nothing(void **state)
{
    (void)state;
    size_t changed = 0;
    int64_t ids[] = {1, 2, 3}, missing[] = {1, 99};
    struct wedr_state *s = filled();
    struct wedr_triage_change c = {.set_state = true, .state = WEDR_ALERT_IN_PROGRESS};
    assert_int_equal(TRIAGE->alert_change(s, &all, missing, 2, 0, &c, 1, NULL, &changed),
                     WEDR_E_NOENT);
    assert_string_equal(show(s, 1), "new - - [] v1 c0");
    assert_int_equal(TRIAGE->alert_change(s, &all, ids, 3, 0, &c, 1, NULL, &changed), WEDR_OK);
    assert_int_equal(changed, 3);
    assert_string_equal(
        ask(s, &all, (struct wedr_alert_ask){.states = {"new", "closed"}, .state_count = 2}), "4");
    assert_int_equal(TRIAGE->alert_change(s, &all, ids, 0, 0, &c, 1, NULL, &changed), WEDR_E_LIMIT);
    STATE_OPS->close(s);
}

static int note_object(void *ctx, const struct wedr_audit_row *r)
{
    char *text = ctx;
    size_t n = strlen(text);
    (void)snprintf(text + n, 512 - n, "%s %s; ", r->entry.object, r->entry.detail);
    return 0;
}

static void each_alert_of_a_bulk_change_is_in_the_audit_log(void **state)
{
    (void)state;
    size_t changed = 0;
    char text[512] = "";
    int64_t ids[] = {1, 2, 3};
    struct wedr_state *s = filled();
    struct wedr_triage_change c = {.set_state = true, .state = WEDR_ALERT_CLOSED};
    struct wedr_audit who = {.ts_us = 5,
                             .actor = "ann",
                             .actor_kind = "user",
                             .action = "alert.change",
                             .object = "",
                             .detail = "state=closed"};
    assert_int_equal(change(s, 2, 0, c), 1); /* it is as wanted already */
    assert_int_equal(TRIAGE->alert_change(s, &all, ids, 3, 0, &c, 6, &who, &changed), WEDR_OK);
    assert_int_equal(changed, 2);
    assert_int_equal(
        STATE_OPS->people->audit_each(s, 0, INT64_MAX, "ann", NULL, 0, 100, note_object, text),
        WEDR_OK);
    assert_string_equal(text, "alert:3 state=closed; alert:1 state=closed; ");
    STATE_OPS->close(s);
}

static void what_comes_again_keeps_its_triage(void **state)
{
    (void)state;
    struct wedr_alert_row again = state_alert(A, "a", "r1", 10);
    struct wedr_detect_step step = {.alerts = &again, .alert_count = 1};
    struct wedr_state *s = filled();
    struct wedr_triage_change c = {.set_state = true, .state = WEDR_ALERT_CLOSED};
    assert_int_equal(change(s, 1, 0, c), 1);
    apply(s, &step);
    assert_int_equal(step.alerts_again, 1);
    assert_string_equal(show(s, 1), "closed - - [] v2 c0");
    STATE_OPS->close(s);
}

static int note_comment(void *ctx, const struct wedr_comment_row *c)
{
    char *text = ctx;
    size_t n = strlen(text);
    (void)snprintf(text + n, 512 - n, "%d:%s:%s ", (int)c->id, c->author, c->text);
    return 0;
}

static void comments_belong_to_their_authors(void **state)
{
    (void)state;
    char text[512] = "", big[WEDR_COMMENT_MAX + 2];
    int64_t id = 0;
    struct wedr_state *s = filled();
    struct wedr_comment_row ann = {.author_id = "1", .author = "ann", .text = "one", .ts_us = 1};
    struct wedr_comment_row bob = {.author_id = "2", .author = "bob", .text = "two", .ts_us = 2};
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    struct wedr_comment_row large = {.author_id = "1", .author = "ann", .text = big};
    assert_int_equal(TRIAGE->comment_add(s, &all, 1, &ann, NULL, &id), WEDR_OK);
    assert_int_equal(TRIAGE->comment_add(s, &all, 1, &bob, NULL, &id), WEDR_OK);
    assert_int_equal(TRIAGE->comment_add(s, &all, 1, &large, NULL, &id), WEDR_E_LIMIT);
    assert_string_equal(show(s, 1), "new - - [] v1 c2");
    assert_int_equal(TRIAGE->comment_delete(s, &all, 1, 1, "2", NULL), WEDR_E_PERM);
    assert_int_equal(TRIAGE->comment_delete(s, &all, 2, 1, "1", NULL), WEDR_E_NOENT);
    assert_int_equal(TRIAGE->comments(s, 1, 0, 10, note_comment, text), WEDR_OK);
    assert_string_equal(text, "1:ann:one 2:bob:two ");
    assert_int_equal(TRIAGE->comment_delete(s, &all, 1, 1, "1", NULL), WEDR_OK);
    assert_string_equal(show(s, 1), "new - - [] v1 c1");
    sql(s, "DELETE FROM alert WHERE id=1");
    text[0] = '\0';
    assert_int_equal(TRIAGE->comments(s, 1, 0, 10, note_comment, text), WEDR_OK);
    assert_string_equal(text, "");
    STATE_OPS->close(s);
}

static int note_endpoint(void *ctx, const struct wedr_endpoint_row *e)
{
    char *text = ctx;
    size_t n = strlen(text);
    (void)snprintf(text + n, 512 - n, "%s/%s/%s/v%d/%s ", e->hostname,
                   wedr_endpoint_status_name(e->status), e->group, (int)e->version, e->note);
    return 0;
}

static const char *
endpoints(struct wedr_state *s, const struct wedr_scope *scope, struct wedr_endpoint_ask q)
{
    static char text[512];
    text[0] = '\0';
    q.limit = q.limit ? q.limit : 10;
    assert_int_equal(TRIAGE->endpoints(s, scope, &q, note_endpoint, text), WEDR_OK);
    return text;
}

static void endpoints_have_a_status(void **state)
{
    (void)state;
    struct wedr_endpoint_counts n;
    struct wedr_state *s = filled();
    struct wedr_endpoint_ask any = {.status = -1, .online_since_us = STATE_NOW};
    assert_string_equal(endpoints(s, &all, any), "host-a/never/red/v1/ host-b/never/blue/v1/ ");
    assert_string_equal(endpoints(s, &red, any), "host-a/never/red/v1/ ");
    assert_int_equal(
        STATE_OPS->heartbeat(s, A, STATE_NOW, "1", "{\"status\":\"healthy\"}", NULL, 0), WEDR_OK);
    assert_int_equal(STATE_OPS->heartbeat(s, B, STATE_NOW, "1", "{\"status\":\"odd\"}", NULL, 0),
                     WEDR_OK);
    assert_string_equal(endpoints(s, &all, any), "host-a/online/red/v1/ host-b/degraded/blue/v1/ ");
    any.status = WEDR_ENDPOINT_DEGRADED;
    assert_string_equal(endpoints(s, &all, any), "host-b/degraded/blue/v1/ ");
    any.status = -1;
    any.online_since_us = STATE_NOW + 1;
    any.q = "HOST-A";
    assert_string_equal(endpoints(s, &all, any), "host-a/offline/red/v1/ ");
    any.q = NULL;
    any.behind_host = "host-a";
    any.behind_id = A;
    assert_string_equal(endpoints(s, &all, any), "host-b/offline/blue/v1/ ");
    struct wedr_endpoint_change c = {
        .group = "pink", .note = "n", .set_revoked = true, .revoked = true};
    assert_int_equal(TRIAGE->endpoint_change(s, &all, B, 2, &c, NULL), WEDR_E_CONFLICT);
    assert_int_equal(TRIAGE->endpoint_change(s, &all, B, 1, &c, NULL), WEDR_OK);
    assert_string_equal(endpoints(s, &red, any), "host-b/revoked/pink/v2/n ");
    assert_int_equal(TRIAGE->endpoint_counts(s, &all, STATE_NOW, &n), WEDR_OK);
    assert_int_equal(n.by_status[WEDR_ENDPOINT_ONLINE], 1);
    assert_int_equal(n.by_status[WEDR_ENDPOINT_REVOKED], 1);
    STATE_OPS->close(s);
}

static int note_process(void *ctx, const struct wedr_process_info *p)
{
    char *text = ctx;
    size_t n = strlen(text);
    (void)snprintf(text + n, 512 - n, "%s<%s ", p->process_key,
                   p->parent_key ? p->parent_key : "-");
    return 0;
}

static void processes_know_their_children(void **state)
{
    (void)state;
    char text[512] = "";
    struct wedr_process_row rows[] = {
        {.agent_id = A, .process_key = "k1", .pid = 1, .ppid = -1, .ts_us = 1},
        {.agent_id = A, .process_key = "k3", .parent_key = "k1", .pid = 3, .ppid = 1, .ts_us = 3},
        {.agent_id = A, .process_key = "k2", .parent_key = "k1", .pid = 2, .ppid = 1, .ts_us = 2},
        {.agent_id = B, .process_key = "k4", .parent_key = "k1", .pid = 4, .ppid = 1, .ts_us = 2}};
    struct wedr_detect_step step = {.processes = rows, .process_count = 4};
    struct wedr_state *s = filled();
    apply(s, &step);
    assert_int_equal(TRIAGE->children(s, A, "k1", 10, note_process, text), WEDR_OK);
    assert_string_equal(text, "k2<k1 k3<k1 ");
    assert_int_equal(TRIAGE->process(s, A, "k4", note_process, text), WEDR_E_NOENT);
    text[0] = '\0';
    assert_int_equal(TRIAGE->process(s, A, "k1", note_process, text), WEDR_OK);
    assert_string_equal(text, "k1<- ");
    STATE_OPS->close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, state_set_up, state_tear_down)
        T(questions_have_conditions_and_places),
        T(what_is_out_of_scope_is_not_there),
        T(a_person_may_have_as_many_groups_as_there_can_be),
        T(changes_carry_versions),
        T(a_bulk_change_is_all_or_nothing),
        T(each_alert_of_a_bulk_change_is_in_the_audit_log),
        T(what_comes_again_keeps_its_triage),
        T(comments_belong_to_their_authors),
        T(endpoints_have_a_status),
        T(processes_know_their_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
