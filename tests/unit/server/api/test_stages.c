/* SPDX-License-Identifier: Apache-2.0 */
#include "api/metrics.h"
#include "api/stages.h"
#include "core/base/err.h"
#include "store/events.h"
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

static const struct wedr_events_ops quiet_store = {.name = "quiet", .tick = tick};

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stopped_pipeline_refuses_what_still_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
