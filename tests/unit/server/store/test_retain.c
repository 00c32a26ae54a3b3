/* SPDX-License-Identifier: Apache-2.0
 *
 * Which days go when the server's clock, or an endpoint's, is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "core/util/log.h"
#include "store/events/embedded/keep.h"
#include "store_fixture.h"
#include <stdio.h>
#include <string.h>

#define HOUR_US INT64_C(3600000000)
#define DAY_US (24 * HOUR_US)
#define NOW_US (TB_T0 + 12 * HOUR_US)
#define FAR_US (3650 * DAY_US)

static uint64_t next_seq;

static void no_log(void *arg, enum wedr_log_level level, const char *line, size_t len)
{
    (void)arg;
    (void)level;
    (void)line;
    (void)len;
}

/* One event of an endpoint, as its clock has it, received when the server's clock says. */
static void put(struct fx *f, const char *agent, int64_t ts_us, int64_t received_us)
{
    struct tb b;
    tb_init(&b, "kernel.critical");
    b.agent = agent;
    b.received_us = received_us;
    tb_fork(&b, ++next_seq, ts_us, 100, 1);
    assert_int_equal(fx_put(f, &b), WEDR_COMMIT_STORED);
}

/* Six days, NOW_US in the last of them; three beside it are kept. */
static void init(struct fx *f)
{
    wedr_log_init("test", WEDR_LOG_ERROR, no_log, NULL);
    fx_init(f);
    fx_keep(f);
    f->s->settings.merge_lines = 0;
    f->s->settings.retention_days = 3;
    f->s->settings.clock_doubt_s = 3 * 86400;
    next_seq = 0;
    for (int i = -5; i <= 0; i++) {
        put(f, TB_AGENT, NOW_US + i * DAY_US, NOW_US + i * DAY_US);
    }
}

static int64_t days_after_round(struct fx *f, int64_t now_us)
{
    wedr_keep_round(f->s, now_us);
    return (int64_t)f->s->stats.days;
}

static void a_clock_that_leaps_ahead_and_comes_back_deletes_no_day(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    assert_int_equal(days_after_round(&f, NOW_US), 4);
    assert_int_equal(days_after_round(&f, NOW_US + FAR_US), 4);
    assert_true(f.s->stats.clock_ahead_us > FAR_US / 2);
    put(&f, TB_AGENT, NOW_US, NOW_US + FAR_US); /* the endpoint's clock is right */
    assert_int_equal(days_after_round(&f, NOW_US + FAR_US + HOUR_US), 5);
    assert_int_equal(days_after_round(&f, NOW_US + 2 * HOUR_US), 5);
    assert_int_equal(f.s->stats.clock_ahead_us, 0);
    /* Days go on as ever, the one with the wrong name as one of the day on which it was made. */
    assert_int_equal(days_after_round(&f, NOW_US + DAY_US), 4);
    assert_int_equal(days_after_round(&f, NOW_US + 2 * DAY_US), 3);
    assert_int_equal(days_after_round(&f, NOW_US + 3 * DAY_US), 2);
    assert_int_equal(days_after_round(&f, NOW_US + 4 * DAY_US), 0);
    assert_int_equal(fx_int(&f, "SELECT sum(expired) FROM ledger"), 7);
    fx_fini(&f);
}

static void a_leap_over_a_restart_is_doubted_too(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    struct wedr_events_settings set = f.s->settings;
    assert_int_equal(days_after_round(&f, NOW_US), 4);
    for (int i = 0; i < 3; i++) {
        fx_close(&f);
        fx_open(&f);
        f.s->settings = set;
        assert_int_equal(days_after_round(&f, NOW_US + FAR_US + i * HOUR_US), 4);
    }
    fx_fini(&f);
}

/* As in a_clock_that_leaps, but it is not a mistake: the server was off for a hundred days. */
static void after_a_long_time_off_days_go_when_the_endpoints_agree(void **state)
{
    (void)state;
    struct fx f;
    const int64_t back = NOW_US + 100 * DAY_US;
    init(&f);
    f.s->settings.clock_doubt_s = 6 * 3600;
    assert_int_equal(days_after_round(&f, NOW_US), 4);
    assert_int_equal(days_after_round(&f, back), 4);
    assert_int_equal(days_after_round(&f, back + 5 * HOUR_US), 4);
    assert_int_equal(days_after_round(&f, back + 7 * HOUR_US), 4); /* nobody says so yet */
    put(&f, TB_AGENT, back + 7 * HOUR_US, back + 7 * HOUR_US);
    assert_int_equal(days_after_round(&f, back + 7 * HOUR_US), 1);
    assert_int_equal(f.s->stats.clock_ahead_us, 0);
    fx_fini(&f);
}

static void a_clock_that_most_endpoints_contradict_is_never_believed(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    assert_int_equal(days_after_round(&f, NOW_US), 4);
    for (int i = 0; i < 20; i++) {
        int64_t day = i * (DAY_US - 1), now = NOW_US + FAR_US + day;
        put(&f, TB_AGENT, now, now); /* its clock is the server's */
        put(&f, TB_AGENT2, NOW_US + day, now);
        wedr_keep_round(f.s, now);
    }
    assert_true(f.s->stats.clock_ahead_us > 0);
    /* Of the days as they truly were the last four are there: two events in each. */
    assert_int_equal(f.s->stats.days, 4);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 8);
    assert_int_equal(fx_int(&f, "SELECT min(seq) FROM events"), 7 + 2 * 16);
    fx_fini(&f);
}

/* The server's clock was forty days behind for a while: what came then is not forty days old. */
static void a_day_that_was_named_too_early_is_not_deleted_for_it(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    assert_int_equal(days_after_round(&f, NOW_US), 4);
    put(&f, TB_AGENT, NOW_US, NOW_US - 40 * DAY_US);
    assert_int_equal(days_after_round(&f, NOW_US), 5);
    assert_int_equal(days_after_round(&f, NOW_US + DAY_US), 4);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events WHERE seq=7"), 1);
    fx_fini(&f);
}

static void an_endpoints_clock_neither_deletes_nor_keeps_days(void **state)
{
    (void)state;
    struct fx f;
    init(&f);
    put(&f, TB_AGENT2, NOW_US + FAR_US, NOW_US - 4 * DAY_US);
    put(&f, TB_AGENT2, NOW_US + FAR_US, NOW_US);
    put(&f, TB_AGENT2, INT64_C(86400000000), NOW_US - DAY_US);
    assert_int_equal(days_after_round(&f, NOW_US), 4);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events WHERE seq<=2 OR seq=7"), 0);
    assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 6);
    fx_fini(&f);
}

static void a_clock_that_is_set_while_it_is_doubted_is_judged_by_where_it_is(void **state)
{
    (void)state;
    struct wedr_retain_clock c = {.seen_us = 0};
    assert_int_equal(wedr_retain_clock_look(&c, NOW_US, 1000), WEDR_CLOCK_QUIET);
    assert_int_equal(wedr_retain_clock_look(&c, NOW_US + HOUR_US, 3601000), WEDR_CLOCK_QUIET);
    /* As much as passed, however long: a look is late. */
    assert_int_equal(wedr_retain_clock_look(&c, NOW_US + 5 * DAY_US, 5 * 86400000 + 1000),
                     WEDR_CLOCK_QUIET);
    int64_t now = NOW_US + 5 * DAY_US;
    uint64_t boot = 5 * 86400000 + 1000;
    assert_int_equal(wedr_retain_clock_look(&c, now + FAR_US, boot), WEDR_CLOCK_LEAPT);
    assert_int_equal(wedr_retain_clock_now(&c), now);
    assert_int_equal(wedr_retain_clock_look(&c, now + FAR_US + HOUR_US, boot + 3600000),
                     WEDR_CLOCK_QUIET);
    assert_int_equal(c.doubted_us, HOUR_US);
    assert_int_equal(wedr_retain_clock_now(&c), now + HOUR_US);
    assert_int_equal(wedr_retain_clock_look(&c, now - FAR_US, boot + 3600000), WEDR_CLOCK_LEAPT);
    assert_int_equal(wedr_retain_clock_now(&c), now - FAR_US); /* never later than the clock */
    assert_int_equal(c.doubted_us, 0);
    assert_int_equal(wedr_retain_clock_look(&c, now + 2 * HOUR_US, boot + 7200000),
                     WEDR_CLOCK_RETURNED);
    assert_int_equal(wedr_retain_clock_now(&c), now + 2 * HOUR_US);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_leaps_ahead_and_comes_back_deletes_no_day),
        cmocka_unit_test(a_leap_over_a_restart_is_doubted_too),
        cmocka_unit_test(after_a_long_time_off_days_go_when_the_endpoints_agree),
        cmocka_unit_test(a_clock_that_most_endpoints_contradict_is_never_believed),
        cmocka_unit_test(a_day_that_was_named_too_early_is_not_deleted_for_it),
        cmocka_unit_test(an_endpoints_clock_neither_deletes_nor_keeps_days),
        cmocka_unit_test(a_clock_that_is_set_while_it_is_doubted_is_judged_by_where_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
