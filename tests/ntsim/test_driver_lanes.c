/* SPDX-License-Identifier: Apache-2.0
 * The two lanes: what they hold, what they lose, and that every loss is counted. */
#include "driver_fixture.h"
#include "nt_direct.h"

#define SLOTS 4096u
#define LANE_SMALL (512u << 10)

static struct ntsim_process *someone(void)
{
    struct ntsim_process *p = ntsim_process_find(8);

    return p ? p : driver_process(8, 4);
}

static struct ntsim_file *start_small(void)
{
    driver_set_lanes(LANE_SMALL, LANE_SMALL);
    return driver_start();
}

static void fire_critical(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        driver_fire_exit(someone());
    }
}

static void fire_bulk(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        driver_fire_thread_exit(8, 12);
    }
}

/* Reads one record of that stream with that seq and that count of losses in its header. */
static void expect_read(struct ntsim_file *f, uint8_t stream, uint64_t seq, uint64_t drop_count)
{
    struct driver_event e = driver_read(f);

    assert_int_equal(e.v.h.stream, stream);
    assert_int_equal(e.v.h.seq, seq);
    assert_int_equal(e.v.h.drop_count, drop_count);
    driver_event_free(&e);
}

/* Reads a full lane of records of 64 bytes in two batches: the first has that seq, their counts of
 * losses are those of dropped(seq). */
static void expect_full_lane(struct ntsim_file *f,
                             uint8_t stream,
                             uint64_t first,
                             uint64_t (*dropped)(uint64_t seq))
{
    static struct driver_event e[SLOTS / 2];

    for (unsigned half = 0; half < 2; half++) {
        assert_int_equal(driver_read_batch(f, WEDR_RECORD_MAX, e, SLOTS / 2), SLOTS / 2);
        for (unsigned i = 0; i < SLOTS / 2; i++) {
            assert_int_equal(e[i].v.h.stream, stream);
            assert_int_equal(e[i].v.h.seq, first);
            assert_int_equal(e[i].v.h.drop_count, dropped(first));
            driver_event_free(&e[i]);
            first++;
        }
    }
}

/* ---- sequence numbers -------------------------------------------------------------------------
 */

static void d23_each_lane_counts_its_records_from_one(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        fire_critical(2);
        fire_bulk(3);
        for (unsigned i = 1; i <= 2; i++) {
            expect_read(f, WEDR_STREAM_CRITICAL, round * 2 + i, 0);
        }
        for (unsigned i = 1; i <= 3; i++) {
            expect_read(f, WEDR_STREAM_BULK, round * 3 + i, 0);
        }
    }
}

static void each_kind_of_event_has_its_lane(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_process *p = someone(), *other = driver_process(12, 4);
    const struct ntsim_handle h = {.process = p, .access = 0x1fffff};
    struct wedr_ioctl_stats s;

    (void)state;
    driver_fire_start(p, NTSIM_TEXT(u"a"));            /* critical 1 */
    driver_fire_image(0, true, 1, DRIVER_IMAGE_FIXED); /* critical 2 */
    ntsim_fire_thread(8, 100, true);                   /* the first: bulk 1 */
    ntsim_fire_thread(8, 104, true);                   /* by System: critical 3 */
    ntsim_set_current(ntsim_thread_new(other, 200));
    (void)ntsim_fire_handle(&h);      /* critical 4 */
    ntsim_fire_thread(12, 204, true); /* its own: bulk 2 */
    ntsim_set_current(NULL);
    driver_fire_image(8, false, 1, DRIVER_IMAGE_FIXED); /* bulk 3 */
    driver_fire_thread_exit(8, 104);                    /* bulk 4 */
    driver_fire_exit(p);                                /* critical 5 */
    s = driver_stats(f);
    assert_int_equal(s.lane[0].produced, 5);
    assert_int_equal(s.lane[1].produced, 4);
    assert_int_equal(driver_drain(f), 9);
}

/* ---- losses -----------------------------------------------------------------------------------
 */

static uint64_t dropped_around_the_end(uint64_t seq)
{
    return seq <= SLOTS ? 0 : seq <= SLOTS + 2 ? 1 : 2;
}

static void the_oldest_record_makes_room_when_all_slots_are_taken(void **state)
{
    struct ntsim_file *f = driver_start();
    struct wedr_ioctl_stats s;

    (void)state;
    fire_critical(SLOTS);
    s = driver_stats(f);
    assert_int_equal(driver_lost(&s.lane[0]), 0);
    assert_int_equal(s.lane[0].queued, SLOTS);
    fire_critical(1);
    s = driver_stats(f);
    assert_int_equal(s.lane[0].lost[WEDR_LOSS_REASON_EVICTED_RING], 1);
    assert_int_equal(driver_lost(&s.lane[0]), 1);
    assert_int_equal(s.lane[0].queued, SLOTS);
    assert_int_equal(s.lane[0].queued_peak, SLOTS);
    assert_int_equal(s.lane[0].bytes_queued, SLOTS * DRIVER_SMALL);
    assert_int_equal(s.lane[0].bytes_peak, SLOTS * DRIVER_SMALL);
    expect_read(f, WEDR_STREAM_CRITICAL, 2, 0);
    fire_critical(2); /* there is room for one, and none for the other */
    expect_full_lane(f, WEDR_STREAM_CRITICAL, 4, dropped_around_the_end);
    driver_expect_empty(f);
}

static uint64_t all_before_one_lane(uint64_t seq)
{
    return seq - SLOTS;
}

static void d06_losses_are_counted_even_when_those_that_told_of_them_are_lost(void **state)
{
    struct ntsim_file *f = driver_start();
    struct wedr_ioctl_stats s;

    (void)state;
    /* Every record that carries a count is itself evicted later, three times over. */
    for (unsigned i = 1; i <= 4; i++) {
        fire_bulk(SLOTS);
        s = driver_stats(f);
        assert_int_equal(s.lane[1].produced, i * SLOTS);
        assert_int_equal(s.lane[1].lost[WEDR_LOSS_REASON_EVICTED_RING], (i - 1) * SLOTS);
        assert_int_equal(driver_lost(&s.lane[1]), (i - 1) * SLOTS);
    }
    expect_full_lane(f, WEDR_STREAM_BULK, 3 * SLOTS + 1, all_before_one_lane);
    fire_bulk(1);
    expect_read(f, WEDR_STREAM_BULK, 4 * SLOTS + 1, 3 * SLOTS); /* never reset */
    s = driver_stats(f);
    assert_int_equal(s.lane[1].delivered, SLOTS + 1);
    assert_int_equal(driver_lost(&s.lane[1]), 3 * SLOTS);
    assert_int_equal(driver_lost(&s.lane[0]), 0);
}

static void d22_a_flood_of_bulk_events_costs_no_critical_record(void **state)
{
    struct ntsim_file *f = start_small();
    struct wedr_ioctl_stats s;

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        fire_critical(1);
        fire_bulk(500);
        driver_fire_image(8, false, i, DRIVER_IMAGE_LONGEST);
    }
    s = driver_stats(f);
    assert_int_equal(driver_lost(&s.lane[0]), 0);
    assert_int_equal(s.lane[0].queued, 10);
    assert_int_equal(s.lane[1].produced, 5010);
    assert_true(driver_lost(&s.lane[1]) >= 5010 - SLOTS);
    for (unsigned i = 1; i <= 10; i++) {
        expect_read(f, WEDR_STREAM_CRITICAL, i, 0);
    }
    assert_int_equal(s.lane[1].queued + driver_lost(&s.lane[1]), 5010);
}

static void d22_a_record_takes_the_bytes_that_it_has(void **state)
{
    struct ntsim_file *f = driver_start();
    struct driver_event e;
    size_t fixed;

    (void)state;
    fire_critical(1);
    assert_int_equal(driver_stats(f).lane[0].bytes_queued, 64);
    (void)driver_drain(f);
    driver_fire_start(someone(), NTSIM_TEXT(u"notepad"));
    e = driver_read_type(f, WEDR_EV_PROCESS_CREATE);
    fixed = sizeof(struct wedr_windows_process_create);
    /* image, command line and SID; System has no image */
    assert_int_equal(e.v.h.size, fixed + sizeof(DRIVER_IMAGE) - 2 + 2 * 7 + 2 * strlen("S-1-5-18"));
    assert_true(e.v.h.size < 400);
    driver_event_free(&e);
}

/* ---- arenas -----------------------------------------------------------------------------------
 */

static void expect_exact_arena(struct ntsim_file *f, uint8_t lane)
{
    struct wedr_ioctl_stats s;

    for (unsigned i = 0; i < 8; i++) {
        direct_push(lane, 65536, i, 0);
    }
    s = driver_stats(f);
    assert_int_equal(driver_lost(&s.lane[lane]), 0);
    assert_int_equal(s.lane[lane].bytes_queued, LANE_SMALL);
    assert_int_equal(s.lane[lane].bytes_peak, LANE_SMALL);
    direct_push(lane, 88, 8, 0);
    s = driver_stats(f);
    assert_int_equal(s.lane[lane].lost[WEDR_LOSS_REASON_EVICTED_RING], 1);
    assert_int_equal(s.lane[lane].bytes_queued, 7 * 65536 + 88);
    for (unsigned i = 2; i <= 9; i++) {
        expect_read(f, lane, i, i == 9 ? 1 : 0);
    }
}

static void an_arena_holds_what_fits_to_the_byte(void **state)
{
    struct ntsim_file *f = start_small();

    (void)state;
    expect_exact_arena(f, WEDR_LANE_CRITICAL);
    expect_exact_arena(f, WEDR_LANE_BULK);
}

static void one_byte_too_many_evicts_the_oldest(void **state)
{
    struct ntsim_file *f = start_small();

    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        direct_push(WEDR_LANE_BULK, 65536, i, 0);
    }
    direct_push(WEDR_LANE_BULK, 65537, 7, 0); /* at the end there are 65536 */
    assert_int_equal(driver_stats(f).lane[1].lost[WEDR_LOSS_REASON_EVICTED_RING], 2);
    for (unsigned i = 3; i <= 8; i++) {
        expect_read(f, WEDR_STREAM_BULK, i, i == 8 ? 2 : 0);
    }
    driver_expect_empty(f);
}

static void the_longest_command_lines_fit_into_the_smallest_lane(void **state)
{
    struct ntsim_file *f = start_small();
    struct ntsim_process *p = someone();
    struct wedr_ioctl_stats s;
    uint64_t lost;

    (void)state;
    for (unsigned i = 1; i <= 20; i++) {
        driver_fire_start_long(p, 65534);
        s = driver_stats(f);
        lost = i > 7 ? i - 7 : 0; /* seven and a half fit */
        assert_int_equal(s.lane[0].lost[WEDR_LOSS_REASON_EVICTED_RING], lost);
        assert_int_equal(driver_lost(&s.lane[0]), lost);
        assert_int_equal(s.lane[0].queued, i - lost);
        assert_int_equal(s.callback[WEDR_CALLBACK_PROCESS].events, i);
        assert_int_equal(s.callback[WEDR_CALLBACK_PROCESS].failed, 0);
    }
    for (unsigned i = 14; i <= 20; i++) {
        expect_read(f, WEDR_STREAM_CRITICAL, i, i - 7);
    }
}

static void a_record_larger_than_its_lane_is_lost_by_that_name(void **state)
{
    struct ntsim_file *f = start_small();
    struct ntsim_irp *r = driver_park(f);
    struct wedr_ioctl_stats s;
    struct driver_event e;

    (void)state;
    direct_push(WEDR_LANE_BULK, LANE_SMALL + 1, 1, 0);
    assert_false(ntsim_irp_done(r));
    s = driver_stats(f);
    assert_int_equal(s.lane[1].lost[WEDR_LOSS_REASON_RING_FULL], 1);
    assert_int_equal(driver_lost(&s.lane[1]), 1);
    assert_int_equal(s.lane[1].produced, 1);
    assert_int_equal(s.parked, 1);
    fire_bulk(1);
    e = driver_take(r);
    assert_int_equal(e.v.h.seq, 2);
    assert_int_equal(e.v.h.drop_count, 1);
    driver_event_free(&e);
}

static void a_record_that_could_not_be_made_leaves_a_hole_and_a_count(void **state)
{
    struct ntsim_file *f = driver_start();
    struct wedr_ioctl_stats s;

    (void)state;
    for (uint8_t lane = 0; lane < 2; lane++) {
        fire_critical(1 - lane);
        fire_bulk(lane);
        direct_lose(lane);
        direct_lose(lane);
        fire_critical(1 - lane);
        fire_bulk(lane);
        s = driver_stats(f);
        assert_int_equal(s.lane[lane].lost[WEDR_LOSS_REASON_SCRATCH], 2);
        assert_int_equal(driver_lost(&s.lane[lane]), 2);
        assert_int_equal(s.lane[lane].produced, 4);
        assert_int_equal(driver_lost(&s.lane[1 - lane]), lane == 0 ? 0 : 2);
        expect_read(f, lane, 1, 0);
        expect_read(f, lane, 4, 2);
    }
}

static void strings_that_were_cut_are_counted_by_lane(void **state)
{
    static const uint32_t cuts[] = {0, 3, 0, 2, 1};
    struct ntsim_file *f = driver_start();

    (void)state;
    for (uint8_t lane = 0; lane < 2; lane++) {
        uint32_t sum = 0;

        for (unsigned i = 0; i < 5; i++) {
            struct driver_event e;

            direct_push(lane, DRIVER_IMAGE_FIXED, i, cuts[i]);
            sum += cuts[i];
            e = driver_read(f);
            assert_int_equal(e.v.h.trunc_count, sum);
            driver_event_free(&e);
            assert_int_equal(driver_stats(f).lane[lane].truncated, sum);
        }
    }
}

/* ---- the account at every step ----------------------------------------------------------------
 */

struct account {
    uint64_t last[2];  /* seq read last */
    uint64_t holes[2]; /* seqs that were never read, up to last */
};

static void read_into(struct account *a, struct ntsim_file *f)
{
    struct driver_event e = driver_read(f);
    unsigned lane = e.v.h.stream;

    assert_true(lane < 2 && e.v.h.seq > a->last[lane]);
    a->holes[lane] += e.v.h.seq - a->last[lane] - 1;
    a->last[lane] = e.v.h.seq;
    driver_event_free(&e);
}

static void step(struct ntsim_file *f, struct account *a, uint32_t random)
{
    static const size_t sizes[] = {88, 500, 5000, 20000, 40000, 131072};
    unsigned what = random % 8;

    if (what < 5) {
        direct_push((uint8_t)(random >> 8 & 1), sizes[(random >> 16) % 6], random, 0);
    } else if (what == 5) {
        direct_lose((uint8_t)(random >> 8 & 1));
    } else {
        struct wedr_ioctl_stats s = driver_stats(f);

        if (s.lane[0].queued + s.lane[1].queued > 0) {
            read_into(a, f);
        }
    }
}

static void at_every_step_each_record_is_delivered_lost_or_queued(void **state)
{
    struct ntsim_file *f = start_small();
    struct account a = {0};
    uint32_t random = 12345;
    struct wedr_ioctl_stats s;

    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        random = random * 1664525u + 1013904223u;
        step(f, &a, random >> 4);
        (void)driver_stats(f); /* checks the account */
    }
    (void)driver_stats(f);
    for (s = driver_stats(f); s.lane[0].queued + s.lane[1].queued > 0; s = driver_stats(f)) {
        read_into(&a, f);
    }
    for (unsigned lane = 0; lane < 2; lane++) {
        assert_true(s.lane[lane].lost[WEDR_LOSS_REASON_EVICTED_RING] > 10);
        assert_int_equal(a.holes[lane] + (s.lane[lane].produced - a.last[lane]),
                         driver_lost(&s.lane[lane]));
        assert_int_equal(s.lane[lane].delivered, a.last[lane] - a.holes[lane]);
        assert_int_equal(s.lane[lane].bytes_queued, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_TEST(d23_each_lane_counts_its_records_from_one),
        DRIVER_TEST(each_kind_of_event_has_its_lane),
        DRIVER_TEST(the_oldest_record_makes_room_when_all_slots_are_taken),
        DRIVER_TEST(d06_losses_are_counted_even_when_those_that_told_of_them_are_lost),
        DRIVER_TEST(d22_a_flood_of_bulk_events_costs_no_critical_record),
        DRIVER_TEST(d22_a_record_takes_the_bytes_that_it_has),
        DRIVER_TEST(an_arena_holds_what_fits_to_the_byte),
        DRIVER_TEST(one_byte_too_many_evicts_the_oldest),
        DRIVER_TEST(the_longest_command_lines_fit_into_the_smallest_lane),
        DRIVER_TEST(a_record_larger_than_its_lane_is_lost_by_that_name),
        DRIVER_TEST(a_record_that_could_not_be_made_leaves_a_hole_and_a_count),
        DRIVER_TEST(strings_that_were_cut_are_counted_by_lane),
        DRIVER_TEST(at_every_step_each_record_is_delivered_lost_or_queued),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
