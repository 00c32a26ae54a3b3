/* SPDX-License-Identifier: Apache-2.0
 * Batches: which records they hold, how many, in which order, and how much is copied at once. */
#include "driver_fixture.h"
#include "nt_direct.h"

#include <stdlib.h>

#define PORTION 16384u

static struct driver_event got[DRIVER_BATCH_MAX];
static size_t got_count;

static void forget(void)
{
    for (size_t i = 0; i < got_count; i++) {
        driver_event_free(&got[i]);
    }
    got_count = 0;
}

static void read_batch(struct ntsim_file *f, size_t room)
{
    forget();
    got_count = driver_read_batch(f, room, got, DRIVER_BATCH_MAX);
}

/* The records of a batch are these of one lane: seqs from first on. */
static void expect_run(size_t at, size_t count, uint8_t stream, uint64_t first)
{
    assert_true(at + count <= got_count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(got[at + i].v.h.stream, stream);
        assert_int_equal(got[at + i].v.h.seq, first + i);
    }
}

static struct ntsim_process *someone(void)
{
    struct ntsim_process *p = ntsim_process_find(8);

    return p ? p : driver_process(8, 4);
}

static void fire_small(unsigned critical, unsigned bulk)
{
    for (unsigned i = 0; i < bulk; i++) {
        driver_fire_thread_exit(8, 12);
    }
    for (unsigned i = 0; i < critical; i++) {
        driver_fire_exit(someone());
    }
}

static int teardown(void **state)
{
    forget();
    return driver_teardown(state);
}

#define BATCH_TEST(f) cmocka_unit_test_setup_teardown(f, driver_setup, teardown)

/* ---- what a batch holds -----------------------------------------------------------------------
 */

static void an_empty_queue_lets_a_batch_wait(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r = driver_park_code(f, WEDR_IOCTL_GET_EVENTS);
    struct driver_event e;

    (void)state;
    fire_small(0, 1);
    e = driver_take(r);
    assert_int_equal(e.v.h.type, WEDR_EV_THREAD_EXIT);
    driver_event_free(&e);
    read_batch(f, WEDR_RECORD_MAX);
    assert_int_equal(got_count, 0);
    assert_int_equal(driver_stats(f).cancelled, 1); /* the look before this one */
}

static void d10_a_batch_takes_all_critical_records_before_the_bulk(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    fire_small(300, 300); /* more than a portion of each */
    read_batch(f, WEDR_RECORD_MAX);
    assert_int_equal(got_count, 600);
    expect_run(0, 300, WEDR_STREAM_CRITICAL, 1);
    expect_run(300, 300, WEDR_STREAM_BULK, 1);
    assert_int_equal(driver_stats(f).completed, 1);
    driver_expect_empty(f);
}

static void a_single_read_takes_one_of_many(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    fire_small(2, 2);
    for (unsigned i = 0; i < 4; i++) {
        struct driver_event e = driver_read(f);
        struct wedr_ioctl_stats s = driver_stats(f);

        assert_int_equal(e.v.h.seq, i % 2 + 1);
        assert_int_equal(s.lane[0].queued + s.lane[1].queued, 3 - i);
        assert_int_equal(s.completed, i + 1);
        driver_event_free(&e);
    }
}

/* ---- edges ------------------------------------------------------------------------------------
 */

static void a_batch_that_fits_exactly_is_filled_to_the_last_byte(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    fire_small(2049, 0);
    read_batch(f, WEDR_RECORD_MAX); /* 2048 * 64 */
    assert_int_equal(got_count, 2048);
    expect_run(0, 2048, WEDR_STREAM_CRITICAL, 1);
    assert_int_equal(driver_stats(f).lane[0].queued, 1);
    read_batch(f, WEDR_RECORD_MAX);
    assert_int_equal(got_count, 1);
    expect_run(0, 1, WEDR_STREAM_CRITICAL, 2049);
}

static void a_record_is_not_split_for_want_of_one_byte(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    fire_small(2048, 0);
    read_batch(f, WEDR_RECORD_MAX + 63);
    assert_int_equal(got_count, 2048);
    fire_small(2049, 0);
    read_batch(f, WEDR_RECORD_MAX + 63);
    assert_int_equal(got_count, 2048);
    expect_run(0, 2048, WEDR_STREAM_CRITICAL, 2049);
    fire_small(2048, 0);
    read_batch(f, WEDR_RECORD_MAX + 64);
    assert_int_equal(got_count, 2049);
    expect_run(0, 2049, WEDR_STREAM_CRITICAL, 4097);
    driver_expect_empty(f);
}

static void big_records_fit_exactly_or_stay(void **state)
{
    static const struct {
        size_t first, second, room, count;
    } cases[] = {{65536, 65536, 131072, 2},   {65536, 65537, 131072, 1},
                 {65537, 65536, 131072, 1},   {100000, 100000, 200000, 2},
                 {100000, 100000, 199999, 1}, {131072, 88, 131072, 1},
                 {131072, 88, 131160, 2},     {131072, 131072, 262144, 2}};
    struct ntsim_file *f = driver_start();
    uint64_t seq = 1;

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        direct_push(WEDR_LANE_BULK, cases[i].first, 1, 0);
        direct_push(WEDR_LANE_BULK, cases[i].second, 2, 0);
        read_batch(f, cases[i].room);
        assert_int_equal(got_count, cases[i].count);
        expect_run(0, got_count, WEDR_STREAM_BULK, seq);
        assert_int_equal(driver_stats(f).lane[1].queued, 2 - cases[i].count);
        seq += 2;
        (void)driver_drain(f);
    }
}

static void records_around_the_size_of_a_portion_stay_in_order(void **state)
{
    static const size_t sizes[][4] = {{88, 20000, 88, 88},
                                      {20000, 88, 20000, 88},
                                      {PORTION, PORTION, 88, PORTION},
                                      {PORTION + 1, PORTION - 1, 88, PORTION + 1},
                                      {PORTION - 88, 88, 88, 60000},
                                      {PORTION - 88, 89, 88, 60000}};
    struct ntsim_file *f = driver_start();
    uint64_t seq = 1;

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        size_t sum = 0;

        for (unsigned k = 0; k < 4; k++) {
            direct_push(WEDR_LANE_CRITICAL, sizes[i][k], k, 0);
            sum += sizes[i][k];
        }
        read_batch(f, sum < WEDR_RECORD_MAX ? WEDR_RECORD_MAX : sum);
        assert_int_equal(got_count, 4);
        expect_run(0, 4, WEDR_STREAM_CRITICAL, seq);
        for (unsigned k = 0; k < 4; k++) {
            assert_int_equal(got[k].v.h.size, sizes[i][k]);
            assert_int_equal(driver_uint(&got[k], "image_base"), k);
        }
        seq += 4;
        driver_expect_empty(f);
    }
}

/* What is left is one byte less than a portion, and the next record has exactly a portion. */
static void the_last_room_is_not_taken_for_a_portion(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    direct_push(WEDR_LANE_CRITICAL, WEDR_RECORD_MAX - (PORTION - 1), 1, 0);
    direct_push(WEDR_LANE_CRITICAL, PORTION, 2, 0);
    read_batch(f, WEDR_RECORD_MAX);
    assert_int_equal(got_count, 1);
    read_batch(f, WEDR_RECORD_MAX);
    assert_int_equal(got_count, 1);
    expect_run(0, 1, WEDR_STREAM_CRITICAL, 2);
}

static void a_critical_record_that_does_not_fit_stops_the_batch(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    direct_push(WEDR_LANE_CRITICAL, 131000, 1, 0);
    direct_push(WEDR_LANE_CRITICAL, 88, 2, 0);
    fire_small(0, 1);
    read_batch(f, WEDR_RECORD_MAX); /* 72 bytes are left, the bulk record has 64 */
    assert_int_equal(got_count, 1);
    expect_run(0, 1, WEDR_STREAM_CRITICAL, 1);
    read_batch(f, WEDR_RECORD_MAX);
    assert_int_equal(got_count, 2);
    expect_run(0, 1, WEDR_STREAM_CRITICAL, 2);
    expect_run(1, 1, WEDR_STREAM_BULK, 1);
}

/* ---- how much at once -------------------------------------------------------------------------
 */

static uint64_t locks_for_batch(struct ntsim_file *f, size_t room)
{
    uint64_t before = ntsim_calls("KeAcquireInStackQueuedSpinLock");

    read_batch(f, room);
    return ntsim_calls("KeAcquireInStackQueuedSpinLock") - before;
}

static void one_hold_of_the_lock_copies_sixteen_kib_at_most(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    fire_small(2048, 0);
    assert_int_equal(locks_for_batch(f, WEDR_RECORD_MAX), 9); /* 8 portions, and none left */
    fire_small(256, 0);
    assert_int_equal(locks_for_batch(f, WEDR_RECORD_MAX), 2);
    assert_int_equal(got_count, 256);
    fire_small(257, 0);
    assert_int_equal(locks_for_batch(f, WEDR_RECORD_MAX), 3);
    assert_int_equal(got_count, 257);
    for (unsigned i = 0; i < 3; i++) {
        direct_push(WEDR_LANE_CRITICAL, 20000, i, 0);
    }
    assert_int_equal(locks_for_batch(f, WEDR_RECORD_MAX), 4); /* one record each */
    assert_int_equal(got_count, 3);
    fire_small(1, 0);
    assert_int_equal(locks_for_batch(f, WEDR_RECORD_MAX), 2);
}

static void a_single_read_takes_the_lock_once(void **state)
{
    struct ntsim_file *f = driver_start();
    struct driver_event e;
    uint64_t before;

    (void)state;
    fire_small(2, 0);
    before = ntsim_calls("KeAcquireInStackQueuedSpinLock");
    e = driver_read(f);
    assert_int_equal(ntsim_calls("KeAcquireInStackQueuedSpinLock") - before, 1);
    driver_event_free(&e);
}

static void push_critical(void *arg)
{
    unsigned *due = arg;

    if (*due > 0 && --*due == 0) {
        direct_push(WEDR_LANE_CRITICAL, DRIVER_IMAGE_FIXED, 77, 0);
    }
}

static void a_critical_record_between_two_portions_comes_in_the_next(void **state)
{
    struct ntsim_file *f = driver_start();
    unsigned due = 1;

    (void)state;
    fire_small(0, 300);
    ntsim_hook("KeReleaseInStackQueuedSpinLock.done", push_critical, &due);
    read_batch(f, WEDR_RECORD_MAX);
    ntsim_hook("KeReleaseInStackQueuedSpinLock.done", NULL, NULL);
    assert_int_equal(got_count, 301);
    expect_run(0, 256, WEDR_STREAM_BULK, 1);
    expect_run(256, 1, WEDR_STREAM_CRITICAL, 1);
    expect_run(257, 44, WEDR_STREAM_BULK, 257);
    driver_expect_empty(f);
}

static void bytes_and_records_delivered_are_counted_by_lane(void **state)
{
    struct ntsim_file *f = driver_start();
    struct wedr_ioctl_stats s;

    (void)state;
    fire_small(3, 5);
    direct_push(WEDR_LANE_BULK, 1000, 1, 0);
    s = driver_stats(f);
    assert_int_equal(s.lane[0].bytes_queued, 3 * DRIVER_SMALL);
    assert_int_equal(s.lane[1].bytes_queued, 5 * DRIVER_SMALL + 1000);
    read_batch(f, WEDR_RECORD_MAX);
    s = driver_stats(f);
    assert_int_equal(s.lane[0].delivered, 3);
    assert_int_equal(s.lane[0].bytes_delivered, 3 * DRIVER_SMALL);
    assert_int_equal(s.lane[0].queued_peak, 3);
    assert_int_equal(s.lane[0].bytes_peak, 3 * DRIVER_SMALL);
    assert_int_equal(s.lane[1].delivered, 6);
    assert_int_equal(s.lane[1].bytes_delivered, 5 * DRIVER_SMALL + 1000);
    assert_int_equal(s.lane[1].queued_peak, 6);
    assert_int_equal(s.lane[1].bytes_peak, 5 * DRIVER_SMALL + 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BATCH_TEST(an_empty_queue_lets_a_batch_wait),
        BATCH_TEST(d10_a_batch_takes_all_critical_records_before_the_bulk),
        BATCH_TEST(a_single_read_takes_one_of_many),
        BATCH_TEST(a_batch_that_fits_exactly_is_filled_to_the_last_byte),
        BATCH_TEST(a_record_is_not_split_for_want_of_one_byte),
        BATCH_TEST(big_records_fit_exactly_or_stay),
        BATCH_TEST(records_around_the_size_of_a_portion_stay_in_order),
        BATCH_TEST(the_last_room_is_not_taken_for_a_portion),
        BATCH_TEST(a_critical_record_that_does_not_fit_stops_the_batch),
        BATCH_TEST(one_hold_of_the_lock_copies_sixteen_kib_at_most),
        BATCH_TEST(a_single_read_takes_the_lock_once),
        BATCH_TEST(a_critical_record_between_two_portions_comes_in_the_next),
        BATCH_TEST(bytes_and_records_delivered_are_counted_by_lane),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
