/* SPDX-License-Identifier: Apache-2.0
 *
 * Files change under a query: it gives what it listed when it began, or says that it cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "store/events/embedded/keep.h"
#include "store/query.h"
#include "store_fixture.h"
#include <string.h>

#define DAY_US 86400000000LL
#define NOW_US (20500 * DAY_US + 3600000000LL)
#define BLOCK 600u
#define BLOCKS 40u

struct seen {
    struct fx *f;
    void (*change)(struct fx *f); /* while the query stands on row number `at` */
    uint64_t at, rows;
    int64_t sum, max; /* of seq */
};

static int on_row(void *arg, const struct wedr_query_value *v, size_t count)
{
    struct seen *s = arg;
    assert_true(count >= 1);
    s->sum += v[0].i;
    s->max = v[0].i > s->max ? v[0].i : s->max;
    if (s->rows++ == s->at) {
        s->change(s->f);
    }
    return WEDR_OK;
}

static int ask(struct seen *s, const char *sql, struct wedr_errinfo *ei)
{
    struct wedr_query_result r;
    struct wedr_query q = {
        .data_dir = s->f->dir, .sql = sql, .time_limit_ms = 60000, .row = on_row, .arg = s};
    return wedr_query_run(&q, &r, ei);
}

static void merge(struct fx *f)
{
    wedr_keep_round(f->s, NOW_US + 400 * 1000000LL);
}

static void merge_and_sweep(struct fx *f)
{
    merge(f);
    wedr_keep_round(f->s, NOW_US + 400 * 1000000LL + 901 * 1000000LL); /* the grace is over */
    wedr_keep_round(f->s, NOW_US + 400 * 1000000LL + 901 * 1000000LL);
}

/* Batches that wait to be merged. */
static void begin_small(struct fx *f)
{
    fx_init(f);
    fx_keep(f);
    for (unsigned i = 0; i < 25; i++) {
        assert_int_equal(fx_forks(f, 1 + i * 10u, 10, NOW_US + i), WEDR_COMMIT_STORED);
    }
}

static const char *const orders[] = {"SELECT seq, raw FROM events",
                                     "SELECT seq, raw FROM events ORDER BY ts DESC",
                                     "SELECT seq, uid FROM events WHERE contains(raw, 'fork')"};

static void what_was_merged_stays_readable_for_the_grace(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(orders); i++) {
        struct fx f;
        struct wedr_errinfo ei = {""};
        begin_small(&f);
        struct seen s = {.f = &f, .change = merge};
        assert_int_equal(ask(&s, orders[i], &ei), WEDR_OK);
        assert_int_equal(s.rows, 250);
        assert_int_equal(s.sum, 250 * 251 / 2);
        assert_int_equal(fx_int(&f, "SELECT count(*) FROM events"), 250); /* as merged */
        fx_fini(&f);
    }
}

static void a_query_that_outlives_the_grace_is_busy(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(orders); i++) {
        struct fx f;
        struct wedr_errinfo ei = {""};
        begin_small(&f);
        struct seen s = {.f = &f, .change = merge_and_sweep};
        assert_int_equal(ask(&s, orders[i], &ei), WEDR_E_BUSY);
        assert_non_null(strstr(ei.text, "ask again"));
        assert_true(s.rows < 250); /* the rows that came were right: see the order */
        struct seen again = {.f = &f, .at = UINT64_MAX};
        assert_int_equal(ask(&again, orders[i], &ei), WEDR_OK);
        assert_int_equal(again.sum, 250 * 251 / 2);
        fx_fini(&f);
    }
}

static void drop(struct fx *f)
{
    assert_int_equal(wedr_embedded_drop_day(f->s, wedr_day_of(NOW_US), NULL), WEDR_OK);
}

/* Another file with the same name, whose blocks have the same numbers. */
static void replace(struct fx *f)
{
    wedr_embedded_set_aside(f->s, wedr_day_of(NOW_US));
    for (unsigned i = 0; i < BLOCKS; i++) {
        assert_int_equal(fx_forks(f, 1000001 + i * BLOCK, BLOCK, NOW_US + i), WEDR_COMMIT_STORED);
    }
}

static void put_blocks(struct fx *f)
{
    for (unsigned i = 0; i < BLOCKS; i++) {
        assert_int_equal(fx_forks(f, 1 + i * BLOCK, BLOCK, NOW_US + i), WEDR_COMMIT_STORED);
    }
}

/* Threads open the day by its name when the reader has it already. */
static void a_day_that_goes_or_changes_under_a_query_is_busy(void **state)
{
    (void)state;
    static void (*const changes[])(struct fx *) = {drop, replace};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(changes) * WEDR_ARRAY_COUNT(orders); i++) {
        struct fx f;
        struct wedr_errinfo ei = {""};
        fx_init(&f);
        put_blocks(&f);
        struct seen s = {.f = &f, .change = changes[i % 2]};
        int err = ask(&s, orders[i / 2], &ei);
        assert_true(s.max <= (int64_t)BLOCKS * BLOCK); /* never a row of the other file */
        if (err == WEDR_OK) { /* the reader was faster than its threads: all by its own file */
            assert_int_equal(s.rows, BLOCKS * BLOCK);
            assert_int_equal(s.sum, (int64_t)BLOCKS * BLOCK * (BLOCKS * BLOCK + 1) / 2);
        } else {
            assert_int_equal(err, WEDR_E_BUSY);
        }
        fx_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_merged_stays_readable_for_the_grace),
        cmocka_unit_test(a_query_that_outlives_the_grace_is_busy),
        cmocka_unit_test(a_day_that_goes_or_changes_under_a_query_is_busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
