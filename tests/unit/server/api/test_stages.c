/* SPDX-License-Identifier: Apache-2.0 */
#include "api/metrics.h"
#include "api/stages.h"
#include "auth/person.h"
#include "core/base/err.h"
#include "store/events.h"
#include "wedr/plat/thread.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
// clang-format on

static void tick(struct wedr_events *s)
{
    (void)s;
}

static void stats(struct wedr_events *s, struct wedr_events_stats *ret)
{
    (void)s;
    *ret = (struct wedr_events_stats){0};
}

static const struct wedr_events_ops quiet_store = {.name = "quiet", .tick = tick, .stats = stats};

static void run(void *arg, struct wedr_request *rq)
{
    (void)arg;
    (void)rq;
    fail_msg("ran after the stop");
}

static void a_stopped_pipeline_refuses_what_still_comes(void **state)
{
    (void)state;
    static struct wedr_metrics metrics;
    const struct wedr_route control = {.lane = WEDR_RUN_CONTROL, .run = run};
    const struct wedr_route ingest = {.lane = WEDR_RUN_INGEST, .run = run};
    struct wedr_stages_cfg cfg = {.workers = 2,
                                  .commit_batches = 8,
                                  .commit_bytes = 1 << 20,
                                  .events_ops = &quiet_store,
                                  .metrics = &metrics};
    struct wedr_stages *p = NULL;
    struct wedr_request *rq = calloc(1, sizeof(*rq));
    assert_non_null(rq);
    assert_int_equal(wedr_stages_new(&cfg, &p), WEDR_OK);
    wedr_stages_stop(p);
    rq->route = &control;
    assert_false(wedr_stages_submit(p, rq));
    rq->route = &ingest;
    assert_false(wedr_stages_submit(p, rq));
    wedr_stages_stop(p);
    wedr_stages_free(p);
    free(rq);
}

/* --- One person's long queries. */

#define ASKED 6

static struct wedr_mutex *lock;
static struct wedr_cond *changed;
static unsigned running[3], most[3]; /* by person */
static bool let_go;

static void query(void *arg, struct wedr_request *rq)
{
    (void)arg;
    int64_t id = rq->person->user_id;
    wedr_mutex_lock(lock);
    running[id]++;
    most[id] = running[id] > most[id] ? running[id] : most[id];
    wedr_cond_broadcast(changed);
    while (id == 1 && !let_go) {
        (void)wedr_cond_wait(changed, lock, UINT32_MAX);
    }
    running[id]--;
    wedr_mutex_unlock(lock);
}

static void one_person_does_not_keep_the_others_from_asking(void **state)
{
    (void)state;
    static struct wedr_metrics metrics;
    static struct wedr_person who[2] = {{.user_id = 1}, {.user_id = 2}};
    const struct wedr_route route = {.lane = WEDR_RUN_QUERY, .run = query, .finishes = true};
    struct wedr_stages_cfg cfg = {.workers = 1,
                                  .queries = 3,
                                  .commit_batches = 8,
                                  .commit_bytes = 1 << 20,
                                  .events_ops = &quiet_store,
                                  .metrics = &metrics};
    struct wedr_stages *p = NULL;
    struct wedr_request *rq = calloc(ASKED + 1, sizeof(*rq));
    lock = wedr_mutex_new();
    changed = wedr_cond_new();
    assert_true(rq && lock && changed);
    assert_int_equal(wedr_stages_new(&cfg, &p), WEDR_OK);
    for (size_t i = 0; i <= ASKED; i++) {
        rq[i].route = &route;
        rq[i].person = &who[i == ASKED];
        assert_true(wedr_stages_submit(p, &rq[i]));
    }
    wedr_mutex_lock(lock);
    while (most[2] == 0 ||
           running[1] < 2) { /* who came last gets an answer while the first one's run */
        (void)wedr_cond_wait(changed, lock, UINT32_MAX);
    }
    assert_int_equal(most[1], 2);
    let_go = true;
    wedr_cond_broadcast(changed);
    wedr_mutex_unlock(lock);
    wedr_stages_free(p); /* runs the rest */
    assert_int_equal(running[1] + running[2], 0);
    wedr_cond_free(changed);
    wedr_mutex_free(lock);
    free(rq);
}

/* --- Groups of commits. */

#define GROUPS_MAX 8
#define FIRST 16u
#define GROUP 32u

void __wrap_wedr_request_finish(struct wedr_request *rq);

static unsigned groups[GROUPS_MAX], group_count, checked, finished;

void __wrap_wedr_request_finish(struct wedr_request *rq)
{
    (void)rq;
    wedr_mutex_lock(lock);
    finished++;
    wedr_cond_broadcast(changed);
    wedr_mutex_unlock(lock);
}

/* The first one takes until the test has seen enough. */
static int commit(struct wedr_events *s, struct wedr_commit *c, size_t n, struct wedr_errinfo *ei)
{
    (void)s;
    (void)c;
    (void)ei;
    wedr_mutex_lock(lock);
    assert_true(group_count < GROUPS_MAX);
    groups[group_count++] = (unsigned)n;
    wedr_cond_broadcast(changed);
    while (!let_go) {
        (void)wedr_cond_wait(changed, lock, UINT32_MAX);
    }
    wedr_mutex_unlock(lock);
    return WEDR_OK;
}

static void done(void *arg,
                 struct wedr_request *rq,
                 const struct wedr_prepared *prepared,
                 int err,
                 enum wedr_commit_outcome outcome)
{
    (void)arg;
    (void)rq;
    (void)prepared;
    (void)outcome;
    assert_int_equal(err, WEDR_OK);
}

static void check(void *arg, struct wedr_request *rq)
{
    struct wedr_stages **p = arg;
    wedr_stages_commit(*p, rq, NULL, done);
    wedr_mutex_lock(lock);
    checked++;
    wedr_cond_broadcast(changed);
    wedr_mutex_unlock(lock);
}

static void wait_for(const unsigned *counter, unsigned n)
{
    wedr_mutex_lock(lock);
    while (*counter < n) {
        (void)wedr_cond_wait(changed, lock, UINT32_MAX);
    }
    wedr_mutex_unlock(lock);
}

/* Each comes when nothing else is on its way: alone it would be a commit of its own. */
static void send(struct wedr_stages *p, struct wedr_request *rq, unsigned n)
{
    unsigned before = checked;
    for (unsigned i = 0; i < n; i++) {
        assert_true(wedr_stages_submit(p, &rq[i]));
        wait_for(&checked, before + i + 1);
    }
}

static void behind_a_large_commit_many_are_committed_together(void **state)
{
    (void)state;
    static struct wedr_metrics metrics;
    static const struct wedr_events_ops store = {.name = "s", .tick = tick, .commit = commit};
    static struct wedr_stages *p;
    const struct wedr_route route = {.lane = WEDR_RUN_INGEST, .run = check, .finishes = true};
    struct wedr_stages_cfg cfg = {.workers = 1,
                                  .commit_batches = GROUP,
                                  .commit_bytes = 1 << 20,
                                  .commit_wait_us = 3600000000,
                                  .commit_longest_us = 3600000000,
                                  .events_ops = &store,
                                  .metrics = &metrics,
                                  .arg = &p};
    struct wedr_request *rq = calloc(1 + FIRST + GROUP, sizeof(*rq));
    lock = wedr_mutex_new();
    changed = wedr_cond_new();
    let_go = false;
    assert_true(rq && lock && changed);
    for (size_t i = 0; i < 1 + FIRST + GROUP; i++) {
        rq[i].route = &route;
    }
    assert_int_equal(wedr_stages_new(&cfg, &p), WEDR_OK);
    send(p, rq, 1);
    wait_for(&group_count, 1); /* nobody else was there to wait for */
    send(p, rq + 1, FIRST);
    wedr_mutex_lock(lock);
    let_go = true;
    wedr_cond_broadcast(changed);
    wedr_mutex_unlock(lock);
    wait_for(&finished, 1 + FIRST);
    send(p, rq + 1 + FIRST, GROUP);
    wait_for(&finished, 1 + FIRST + GROUP);
    wedr_stages_free(p);
    assert_int_equal(group_count, 3);
    assert_int_equal(groups[0], 1);
    assert_int_equal(groups[1], FIRST);
    assert_int_equal(groups[2], GROUP);
    wedr_cond_free(changed);
    wedr_mutex_free(lock);
    free(rq);
}

/* Nobody waits longer for it: they wait to be checked anyway. */
static void with_many_waiting_a_commit_takes_four_times_as_many(void **state)
{
    (void)state;
    static struct wedr_metrics metrics;
    static const struct wedr_events_ops store = {.name = "s", .tick = tick, .commit = commit};
    static struct wedr_stages *p;
    const struct wedr_route route = {.lane = WEDR_RUN_INGEST, .run = check, .finishes = true};
    enum { COUNT = 1 + FIRST + 5 * GROUP };
    struct wedr_stages_cfg cfg = {.workers = 1,
                                  .commit_batches = GROUP,
                                  .commit_bytes = 1 << 20,
                                  .commit_wait_us = 1000,
                                  .commit_longest_us = 3600000000,
                                  .events_ops = &store,
                                  .metrics = &metrics,
                                  .arg = &p};
    struct wedr_request *rq = calloc(COUNT, sizeof(*rq));
    lock = wedr_mutex_new();
    changed = wedr_cond_new();
    let_go = false;
    group_count = checked = finished = 0;
    assert_true(rq && lock && changed);
    for (size_t i = 0; i < COUNT; i++) {
        rq[i].route = &route;
    }
    assert_int_equal(wedr_stages_new(&cfg, &p), WEDR_OK);
    send(p, rq, 1);
    wait_for(&group_count, 1);
    send(p, rq + 1, FIRST); /* behind it the committer waits for company */
    wedr_mutex_lock(lock);  /* and the worker for this, with the next one */
    for (size_t i = 1 + FIRST; i < COUNT; i++) {
        assert_true(wedr_stages_submit(p, &rq[i]));
    }
    let_go = true;
    wedr_cond_broadcast(changed);
    wedr_mutex_unlock(lock);
    wait_for(&finished, COUNT);
    wedr_stages_free(p);
    unsigned largest = 0, sum = 0;
    for (unsigned i = 0; i < group_count; i++) {
        largest = groups[i] > largest ? groups[i] : largest;
        sum += groups[i];
    }
    assert_int_equal(sum, COUNT);
    assert_true(largest > GROUP && largest <= 4 * GROUP);
    wedr_cond_free(changed);
    wedr_mutex_free(lock);
    free(rq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_pipeline_refuses_what_still_comes),
        cmocka_unit_test(one_person_does_not_keep_the_others_from_asking),
        cmocka_unit_test(behind_a_large_commit_many_are_committed_together),
        cmocka_unit_test(with_many_waiting_a_commit_takes_four_times_as_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
