/* SPDX-License-Identifier: Apache-2.0
 * Requests for records: what they need, when they wait, who gets which record. */
#include "driver_fixture.h"
#include "nt_direct.h"

#include <stdlib.h>

#define DISPATCH 2u

static struct ntsim_process *someone(void)
{
    struct ntsim_process *p = ntsim_process_find(8);

    return p ? p : driver_process(8, 4);
}

/* Critical records are told apart by seq, bulk ones too; both count from 1. */
static void expect_seq(struct driver_event e, uint8_t stream, uint64_t seq)
{
    assert_int_equal(e.v.h.stream, stream);
    assert_int_equal(e.v.h.seq, seq);
    driver_event_free(&e);
}

/* ---- buffers ----------------------------------------------------------------------------------
 */

static void expect_overflow(struct ntsim_file *f, uint32_t code, size_t room)
{
    uint64_t refused = driver_stats(f).refused;
    int32_t status;
    struct ntsim_irp *r = ntsim_ioctl_start(f, code, NULL, 0, room, &status);
    const uint8_t *out;
    size_t len;

    assert_int_equal(status, NTSIM_BUFFER_OVERFLOW);
    assert_true(ntsim_irp_done(r));
    out = ntsim_irp_output(r, &len);
    assert_int_equal(len, room < 4 ? 0 : 4);
    if (len > 0) {
        assert_memory_equal(out, "\x00\x00\x02\x00", 4);
    }
    driver_expect(r, NTSIM_BUFFER_OVERFLOW, room < 4 ? 0 : 4);
    assert_int_equal(driver_stats(f).refused - refused, 1);
}

static const size_t short_rooms[] = {0, 1, 3, 4, 5, 8, 63, 64, 4096, 65536, WEDR_RECORD_MAX - 1};

static void d04_a_short_buffer_takes_nothing_out_of_the_queue(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    driver_fire_exit(someone());
    for (unsigned i = 0; i < sizeof(short_rooms) / sizeof(short_rooms[0]); i++) {
        struct wedr_ioctl_stats s;

        expect_overflow(f, WEDR_IOCTL_GET_EVENT, short_rooms[i]);
        expect_overflow(f, WEDR_IOCTL_GET_EVENTS, short_rooms[i]);
        s = driver_stats(f);
        assert_int_equal(s.lane[0].queued, 1);
        assert_int_equal(s.lane[0].delivered, 0);
        assert_int_equal(s.completed, 0);
    }
    expect_seq(driver_read_type(f, WEDR_EV_PROCESS_TERMINATE), WEDR_STREAM_CRITICAL, 1);
}

/* BUFFER_OVERFLOW is a warning: user mode gets the size, and need not guess. */
static void d05_a_short_buffer_learns_the_size_even_when_nothing_is_queued(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    for (unsigned i = 0; i < sizeof(short_rooms) / sizeof(short_rooms[0]); i++) {
        expect_overflow(f, WEDR_IOCTL_GET_EVENT, short_rooms[i]);
        expect_overflow(f, WEDR_IOCTL_GET_EVENTS, short_rooms[i]);
        driver_expect_empty(f);
    }
}

static void d05_the_size_that_was_named_is_enough(void **state)
{
    struct ntsim_file *f = driver_start();
    uint8_t *out = malloc(WEDR_RECORD_MAX + 1u);

    (void)state;
    assert_non_null(out);
    for (unsigned extra = 0; extra < 2; extra++) {
        size_t len = 0;

        direct_push(WEDR_LANE_BULK, WEDR_RECORD_MAX, extra, 0);
        assert_int_equal(
            ntsim_ioctl(f, WEDR_IOCTL_GET_EVENT, NULL, 0, out, WEDR_RECORD_MAX + extra, &len, NULL),
            NTSIM_SUCCESS);
        assert_int_equal(len, WEDR_RECORD_MAX);
        expect_seq(driver_event_of(out, len), WEDR_STREAM_BULK, extra + 1);
    }
    free(out);
}

static void input_bytes_of_a_read_do_not_matter(void **state)
{
    static uint8_t out[WEDR_RECORD_MAX];
    struct ntsim_file *f = driver_start();
    size_t len = 0;

    (void)state;
    driver_fire_exit(someone());
    assert_int_equal(ntsim_ioctl(f, WEDR_IOCTL_GET_EVENT, "input", 5, out, sizeof(out), &len, NULL),
                     0);
    assert_int_equal(len, DRIVER_SMALL);
    expect_seq(driver_event_of(out, len), WEDR_STREAM_CRITICAL, 1);
}

/* ---- order ------------------------------------------------------------------------------------
 */

static void records_of_a_lane_come_in_order_and_critical_ones_first(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        driver_fire_thread_exit(8, 100 + i);
        driver_fire_exit(someone());
    }
    for (unsigned i = 1; i <= 5; i++) {
        expect_seq(driver_read(f), WEDR_STREAM_CRITICAL, i);
    }
    for (unsigned i = 0; i < 5; i++) {
        struct driver_event e = driver_read_type(f, WEDR_EV_THREAD_EXIT);

        assert_int_equal(driver_uint(&e, "tid"), 100 + i);
        expect_seq(e, WEDR_STREAM_BULK, i + 1);
    }
    assert_int_equal(driver_stats(f).completed, 10);
    driver_expect_empty(f);
}

static void waiting_requests_are_served_first_come_first_served(void **state)
{
    static const uint32_t codes[] = {WEDR_IOCTL_GET_EVENT, WEDR_IOCTL_GET_EVENTS};
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r[6];

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        r[i] = driver_park_code(f, codes[i % 2]);
        assert_int_equal(driver_stats(f).parked, i + 1);
    }
    for (unsigned i = 0; i < 6; i++) {
        if (i % 2 == 0) {
            driver_fire_exit(someone());
        } else {
            driver_fire_thread_exit(8, 12);
        }
        for (unsigned k = 0; k < 6; k++) {
            assert_int_equal(k > i ? ntsim_irp_done(r[k]) : 0, 0);
        }
        expect_seq(driver_take(r[i]), i % 2, i / 2 + 1);
        assert_int_equal(driver_stats(f).parked, 5 - i);
        assert_int_equal(driver_stats(f).completed, i + 1);
    }
    assert_int_equal(driver_stats(f).cancelled, 0);
    driver_expect_empty(f);
}

static void d10_sixty_four_requests_wait_and_the_next_is_refused(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r[64], *more;
    int32_t status;

    (void)state;
    for (unsigned i = 0; i < 64; i++) {
        r[i] = driver_park(f);
    }
    assert_int_equal(driver_stats(f).parked, 64);
    assert_int_equal(ntsim_parked(), 64);
    for (unsigned i = 0; i < 2; i++) {
        more = ntsim_ioctl_start(f, WEDR_IOCTL_GET_EVENT, NULL, 0, WEDR_RECORD_MAX, &status);
        assert_int_equal(status, NTSIM_PENDING);
        driver_expect(more, NTSIM_INSUFFICIENT_RESOURCES, 0);
    }
    driver_fire_exit(someone());
    expect_seq(driver_take(r[0]), WEDR_STREAM_CRITICAL, 1);
    more = driver_park(f);
    assert_int_equal(driver_stats(f).parked, 64);
    for (unsigned i = 1; i < 64; i++) {
        driver_fire_exit(someone());
        expect_seq(driver_take(r[i]), WEDR_STREAM_CRITICAL, i + 1);
    }
    driver_cancel(more);
    assert_int_equal(driver_stats(f).completed, 64);
    assert_int_equal(driver_stats(f).cancelled, 1);
}

/* ---- another processor in between -------------------------------------------------------------
 */

struct between {
    struct ntsim_file *f;
    unsigned due;   /* at the call of that number, counted down */
    unsigned fires; /* records to make then */
    unsigned made;
};

static void produce(void *arg)
{
    struct between *b = arg;

    if (b->due > 0 && --b->due == 0) {
        for (; b->made < b->fires; b->made++) {
            driver_fire_exit(someone());
        }
    }
}

/* One GET_EVENT of code with a producer at the due-th call of point. */
static struct ntsim_irp *
read_with_producer(struct ntsim_file *f, uint32_t code, const char *point, struct between *b)
{
    int32_t status;
    struct ntsim_irp *r;

    (void)someone();
    ntsim_hook(point, produce, b);
    r = ntsim_ioctl_start(f, code, NULL, 0, WEDR_RECORD_MAX, &status);
    ntsim_hook(point, NULL, NULL);
    assert_int_equal(b->made, b->fires);
    assert_true(ntsim_irp_done(r));
    assert_int_equal(status, strstr(point, "Acquire") ? NTSIM_SUCCESS : NTSIM_PENDING);
    return r;
}

/* The request waits, its lock is free, and the dispatch routine has not returned yet. */
static void d01_a_record_may_come_before_the_parking_call_returns(void **state)
{
    static const uint32_t codes[] = {WEDR_IOCTL_GET_EVENT, WEDR_IOCTL_GET_EVENTS};
    struct ntsim_file *f = driver_start();

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct between b = {.f = f, .due = 1, .fires = 1};
        uint64_t before = ntsim_completions();
        struct ntsim_irp *r =
            read_with_producer(f, codes[i], "KeReleaseInStackQueuedSpinLock.done", &b);

        assert_int_equal(ntsim_completions() - before, 1);
        expect_seq(driver_take(r), WEDR_STREAM_CRITICAL, i + 1);
        driver_expect_empty(f);
        assert_int_equal(driver_stats(f).completed, i + 1);
    }
}

static void d01_the_next_record_after_that_waits_in_the_queue(void **state)
{
    struct ntsim_file *f = driver_start();
    struct between b = {.f = f, .due = 1, .fires = 3};
    struct ntsim_irp *r;

    (void)state;
    r = read_with_producer(f, WEDR_IOCTL_GET_EVENTS, "KeReleaseInStackQueuedSpinLock.done", &b);
    expect_seq(driver_take(r), WEDR_STREAM_CRITICAL, 1);
    assert_int_equal(driver_stats(f).lane[0].queued, 2);
    assert_int_equal(driver_drain(f), 2);
}

static void a_record_pushed_just_before_the_look_is_not_slept_over(void **state)
{
    struct ntsim_file *f = driver_start();
    struct between b = {.f = f, .due = 1, .fires = 1};

    (void)state;
    expect_seq(driver_take(read_with_producer(f, WEDR_IOCTL_GET_EVENT,
                                              "KeAcquireInStackQueuedSpinLock", &b)),
               WEDR_STREAM_CRITICAL, 1);
    driver_expect_empty(f);
}

static void produce_once(void *arg)
{
    struct between *b = arg;

    if (b->due > 0 && --b->due == 0) {
        driver_fire_thread_exit(8, 12);
        b->made++;
    }
}

/* A batch that was waiting takes along what came while it was being served. */
static void a_served_batch_takes_what_came_meanwhile(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r = driver_park_code(f, WEDR_IOCTL_GET_EVENTS);
    struct ntsim_process *p = someone();
    struct between b = {.f = f};
    const uint8_t *out;
    size_t len;

    (void)state;
    /* Of the locks that the end of a process takes the queue's is the last before completion. */
    b.due = 2;
    ntsim_hook("KeReleaseInStackQueuedSpinLock.done", produce_once, &b);
    driver_fire_exit(p);
    ntsim_hook("KeReleaseInStackQueuedSpinLock.done", NULL, NULL);
    assert_int_equal(b.made, 1);
    assert_true(ntsim_irp_done(r));
    out = ntsim_irp_output(r, &len);
    assert_int_equal(len, 2 * DRIVER_SMALL);
    expect_seq(driver_event_of(out, DRIVER_SMALL), WEDR_STREAM_CRITICAL, 1);
    expect_seq(driver_event_of(out + DRIVER_SMALL, DRIVER_SMALL), WEDR_STREAM_BULK, 1);
    ntsim_irp_free(r);
    assert_int_equal(driver_stats(f).completed, 1);
    driver_expect_empty(f);
}

static void a_single_read_takes_one_whatever_comes_meanwhile(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r = driver_park(f);
    struct ntsim_process *p = someone();
    struct between b = {.f = f, .due = 2};

    (void)state;
    ntsim_hook("KeReleaseInStackQueuedSpinLock.done", produce_once, &b);
    driver_fire_exit(p);
    ntsim_hook("KeReleaseInStackQueuedSpinLock.done", NULL, NULL);
    assert_int_equal(b.made, 1);
    expect_seq(driver_take(r), WEDR_STREAM_CRITICAL, 1);
    assert_int_equal(driver_stats(f).lane[1].queued, 1);
    assert_int_equal(driver_drain(f), 1);
}

/* ---- levels and sizes -------------------------------------------------------------------------
 */

static void a_request_is_served_at_dispatch_level(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r[2];

    (void)state;
    r[0] = driver_park(f);
    r[1] = driver_park_code(f, WEDR_IOCTL_GET_EVENTS);
    for (unsigned i = 0; i < 2; i++) {
        ntsim_set_irql(DISPATCH);
        direct_push(WEDR_LANE_CRITICAL, DRIVER_IMAGE_FIXED, i, 0);
        ntsim_set_irql(0);
        expect_seq(driver_take(r[i]), WEDR_STREAM_CRITICAL, i + 1);
    }
}

static void callbacks_at_apc_level_are_served(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r = driver_park(f);

    (void)state;
    ntsim_set_irql(1);
    driver_fire_thread_exit(8, 12);
    ntsim_set_irql(0);
    expect_seq(driver_take(r), WEDR_STREAM_BULK, 1);
}

static void records_of_every_size_arrive_whole(void **state)
{
    static const size_t sizes[] = {88,    89,    4095,  4096,  16383,  16384,
                                   16385, 65535, 65536, 98304, 131071, 131072};
    struct ntsim_file *f = driver_start();

    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct ntsim_irp *r =
            driver_park_code(f, i % 2 == 0 ? WEDR_IOCTL_GET_EVENT : WEDR_IOCTL_GET_EVENTS);
        struct driver_event e;

        direct_push(WEDR_LANE_CRITICAL, sizes[i], sizes[i], 0);
        e = driver_take(r);
        assert_int_equal(e.v.h.size, sizes[i]);
        assert_int_equal(driver_uint(&e, "image_base"), sizes[i]);
        driver_event_free(&e);
    }
}

static void the_longest_command_line_arrives_whole(void **state)
{
    struct ntsim_file *f = driver_start();
    struct driver_event e;
    struct wedr_span s;
    uint16_t flags = 0;

    (void)state;
    driver_fire_start_long(someone(), 65534);
    e = driver_read_type(f, WEDR_EV_PROCESS_CREATE);
    s = wedr_event_str(&e.v, wedr_event_field(&e.v, "command_line"), &flags);
    assert_int_equal(s.len, 65534);
    assert_int_equal(flags, WEDR_SF_UTF16);
    for (size_t i = 0; i < s.len; i += 2) {
        assert_true(s.p[i] == 'c' && s.p[i + 1] == 0);
    }
    driver_event_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_TEST(d04_a_short_buffer_takes_nothing_out_of_the_queue),
        DRIVER_TEST(d05_a_short_buffer_learns_the_size_even_when_nothing_is_queued),
        DRIVER_TEST(d05_the_size_that_was_named_is_enough),
        DRIVER_TEST(input_bytes_of_a_read_do_not_matter),
        DRIVER_TEST(records_of_a_lane_come_in_order_and_critical_ones_first),
        DRIVER_TEST(waiting_requests_are_served_first_come_first_served),
        DRIVER_TEST(d10_sixty_four_requests_wait_and_the_next_is_refused),
        DRIVER_TEST(d01_a_record_may_come_before_the_parking_call_returns),
        DRIVER_TEST(d01_the_next_record_after_that_waits_in_the_queue),
        DRIVER_TEST(a_record_pushed_just_before_the_look_is_not_slept_over),
        DRIVER_TEST(a_served_batch_takes_what_came_meanwhile),
        DRIVER_TEST(a_single_read_takes_one_whatever_comes_meanwhile),
        DRIVER_TEST(a_request_is_served_at_dispatch_level),
        DRIVER_TEST(callbacks_at_apc_level_are_served),
        DRIVER_TEST(records_of_every_size_arrive_whole),
        DRIVER_TEST(the_longest_command_line_arrives_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
