/* SPDX-License-Identifier: Apache-2.0
 * Requests that are cancelled: in every way that NT knows, at every moment. */
#include "driver_fixture.h"
#include "nt_direct.h"

static struct ntsim_process *someone(void)
{
    struct ntsim_process *p = ntsim_process_find(8);

    return p ? p : driver_process(8, 4);
}

static void expect_seq(struct driver_event e, uint64_t seq)
{
    assert_int_equal(e.v.h.type, WEDR_EV_PROCESS_TERMINATE);
    assert_int_equal(e.v.h.seq, seq);
    driver_event_free(&e);
}

static void expect_counts(struct ntsim_file *f, uint32_t parked, uint64_t cancelled, uint64_t done)
{
    struct wedr_ioctl_stats s = driver_stats(f);

    assert_int_equal(s.parked, parked);
    assert_int_equal(ntsim_parked(), parked);
    assert_int_equal(s.cancelled, cancelled);
    assert_int_equal(s.completed, done);
}

static void park(struct ntsim_file *f, struct ntsim_irp **r, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        r[i] = driver_park(f);
    }
}

static void expect_cancelled(struct ntsim_irp **r, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        driver_expect(r[i], NTSIM_CANCELLED, 0);
    }
}

/* ---- each way ---------------------------------------------------------------------------------
 */

static void d02_one_request_is_cancelled_at_once(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r = driver_park(f);
    uint64_t before = ntsim_completions();

    (void)state;
    assert_true(ntsim_cancel(r));
    assert_int_equal(ntsim_completions() - before, 1);
    assert_false(ntsim_cancel(r)); /* it is done */
    driver_expect(r, NTSIM_CANCELLED, 0);
    assert_int_equal(ntsim_completions() - before, 1);
    expect_counts(f, 0, 1, 0);
    r = driver_park(f);
    driver_fire_exit(someone());
    expect_seq(driver_take(r), 1);
}

static void d02_cancel_io_ex_ends_all_requests_of_the_handle(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r[5];

    (void)state;
    park(f, r, 5);
    assert_int_equal(ntsim_cancel_file(f), 5);
    expect_cancelled(r, 5);
    expect_counts(f, 0, 5, 0);
    assert_int_equal(ntsim_cancel_file(f), 0);
}

static void d02_the_end_of_a_thread_ends_its_requests_alone(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_thread *first = ntsim_thread_new(someone(), 100);
    struct ntsim_thread *second = ntsim_thread_new(someone(), 104);
    struct ntsim_irp *r[4];

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        ntsim_set_current(i % 2 == 0 ? first : second);
        r[i] = driver_park(f);
    }
    ntsim_set_current(NULL);
    assert_int_equal(ntsim_cancel_thread(first), 2);
    expect_cancelled(&r[0], 1);
    expect_cancelled(&r[2], 1);
    expect_counts(f, 2, 2, 0);
    driver_fire_exit(someone());
    expect_seq(driver_take(r[1]), 1);
    assert_int_equal(ntsim_cancel_thread(second), 1);
    expect_cancelled(&r[3], 1);
    expect_counts(f, 0, 3, 1);
}

static void d02_the_end_of_a_process_ends_its_requests_alone(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_process *p = someone(), *other = driver_process(12, 4);
    struct ntsim_irp *r[3];

    (void)state;
    ntsim_set_current(ntsim_thread_new(p, 100));
    park(f, r, 1);
    ntsim_set_current(ntsim_thread_new(p, 104));
    park(f, r + 1, 1);
    ntsim_set_current(ntsim_thread_new(other, 108));
    park(f, r + 2, 1);
    ntsim_set_current(NULL);
    assert_int_equal(ntsim_cancel_process(p), 2);
    expect_cancelled(r, 2);
    expect_counts(f, 1, 2, 0);
    driver_fire_exit(other);
    expect_seq(driver_take(r[2]), 1);
}

static void whichever_is_cancelled_the_others_keep_their_order(void **state)
{
    struct ntsim_file *f = driver_start();
    uint64_t seq = 0;

    (void)state;
    for (unsigned gone = 0; gone < 4; gone++) {
        struct ntsim_irp *r[4];

        park(f, r, 4);
        driver_cancel(r[gone]);
        for (unsigned i = 0; i < 4; i++) {
            if (i != gone) {
                driver_fire_exit(someone());
                expect_seq(driver_take(r[i]), ++seq);
            }
        }
        expect_counts(f, 0, gone + 1, seq);
    }
}

/* ---- a cancellation under way -----------------------------------------------------------------
 */

static void d02_a_record_that_comes_during_a_cancellation_goes_to_the_next_reader(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r = driver_park(f);
    uint64_t before = ntsim_completions();

    (void)state;
    assert_true(ntsim_cancel_begin(r));
    driver_fire_exit(someone());
    assert_false(ntsim_irp_done(r));
    assert_int_equal(driver_stats(f).lane[0].queued, 1);
    assert_int_equal(driver_stats(f).parked, 1);
    before = ntsim_completions();
    ntsim_cancel_finish(r);
    assert_int_equal(ntsim_completions() - before, 1);
    driver_expect(r, NTSIM_CANCELLED, 0);
    expect_counts(f, 0, 1, 0);
    expect_seq(driver_read(f), 1);
    expect_counts(f, 0, 1, 1);
}

static void d02_a_record_passes_by_the_one_that_is_being_cancelled(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    for (unsigned gone = 0; gone < 3; gone++) {
        struct ntsim_irp *r[3];

        park(f, r, 3);
        assert_true(ntsim_cancel_begin(r[gone]));
        for (unsigned i = 0; i < 3; i++) {
            if (i != gone) {
                driver_fire_exit(someone());
                expect_seq(driver_take(r[i]), gone * 2 + (i < gone ? i : i - (i > gone)) + 1);
            }
        }
        assert_false(ntsim_irp_done(r[gone]));
        expect_counts(f, 1, gone, gone * 2 + 2);
        ntsim_cancel_finish(r[gone]);
        driver_expect(r[gone], NTSIM_CANCELLED, 0);
        expect_counts(f, 0, gone + 1, gone * 2 + 2);
    }
}

static void cleanup_leaves_the_one_that_is_being_cancelled_to_its_routine(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r[3];
    uint64_t before;

    (void)state;
    park(f, r, 3);
    assert_true(ntsim_cancel_begin(r[1]));
    before = ntsim_completions();
    assert_int_equal(ntsim_cleanup(f), NTSIM_SUCCESS);
    assert_int_equal(ntsim_completions() - before, 3); /* two of them and the CLEANUP */
    assert_false(ntsim_irp_done(r[1]));
    expect_counts(f, 1, 2, 0);
    ntsim_cancel_finish(r[1]);
    expect_cancelled(r, 3);
    expect_counts(f, 0, 3, 0);
}

static void those_being_cancelled_still_count_as_parked(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r[64], *more;
    int32_t status;

    (void)state;
    park(f, r, 64);
    for (unsigned i = 0; i < 64; i++) {
        assert_true(ntsim_cancel_begin(r[i]));
    }
    more = ntsim_ioctl_start(f, WEDR_IOCTL_GET_EVENT, NULL, 0, WEDR_RECORD_MAX, &status);
    assert_int_equal(status, NTSIM_PENDING);
    driver_expect(more, NTSIM_INSUFFICIENT_RESOURCES, 0);
    for (unsigned i = 64; i-- > 0;) {
        ntsim_cancel_finish(r[i]);
        expect_counts(f, i, 64 - i, 0);
    }
    expect_cancelled(r, 64);
    driver_cancel(driver_park(f));
}

/* ---- in between -------------------------------------------------------------------------------
 */

struct between {
    struct ntsim_file *f;
    struct ntsim_irp *r;
    unsigned due;
    unsigned times;
};

static void cancel_all(void *arg)
{
    struct between *b = arg;

    if (b->due > 0 && --b->due == 0) {
        b->times = ntsim_cancel_file(b->f) + 1;
    }
}

static void close_handle(void *arg)
{
    struct between *b = arg;

    if (b->due > 0 && --b->due == 0) {
        b->times = ntsim_cleanup(b->f) == NTSIM_SUCCESS;
    }
}

static void fire(void *arg)
{
    struct between *b = arg;

    if (b->due > 0 && --b->due == 0) {
        driver_fire_exit(someone());
        b->times++;
    }
}

/* A read with fn at the first call of point; it must end cancelled. times as fn left it. */
static unsigned expect_cancelled_read(struct ntsim_file *f, const char *point, void (*fn)(void *))
{
    struct between b = {.f = f, .due = 1};
    uint64_t before;
    struct ntsim_irp *r;
    int32_t status;

    ntsim_hook(point, fn, &b);
    before = ntsim_completions();
    r = ntsim_ioctl_start(f, WEDR_IOCTL_GET_EVENT, NULL, 0, WEDR_RECORD_MAX, &status);
    ntsim_hook(point, NULL, NULL);
    assert_int_equal(status, NTSIM_PENDING);
    assert_int_equal(ntsim_completions() - before, fn == close_handle ? 2 : 1);
    driver_expect(r, NTSIM_CANCELLED, 0);
    return b.times;
}

static void d02_a_request_cancelled_before_it_parks_does_not_park(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    /* No routine was there yet; the driver has to look by itself. */
    assert_int_equal(expect_cancelled_read(f, "KeAcquireInStackQueuedSpinLock", cancel_all), 1);
    expect_counts(f, 0, 1, 0);
    driver_cancel(driver_park(f)); /* the list is sound */
}

static void d02_a_request_may_be_cancelled_before_the_parking_call_returns(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    assert_int_equal(expect_cancelled_read(f, "KeReleaseInStackQueuedSpinLock.done", cancel_all),
                     2);
    expect_counts(f, 0, 1, 0);
    driver_cancel(driver_park(f));
}

static void d03_a_handle_closed_before_a_request_parks_lets_none_park(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    assert_int_equal(expect_cancelled_read(f, "KeAcquireInStackQueuedSpinLock", close_handle), 1);
    expect_counts(f, 0, 0, 0); /* it never was parked */
}

static void d03_a_handle_closed_before_the_parking_call_returns_ends_it(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    assert_int_equal(expect_cancelled_read(f, "KeReleaseInStackQueuedSpinLock.done", close_handle),
                     1);
    expect_counts(f, 0, 1, 0);
}

static void a_request_cancelled_before_the_look_takes_a_waiting_record(void **state)
{
    struct ntsim_file *f = driver_start();
    struct between b = {.f = f, .due = 1};
    struct ntsim_irp *r;
    int32_t status;

    (void)state;
    driver_fire_exit(someone());
    ntsim_hook("KeAcquireInStackQueuedSpinLock", cancel_all, &b);
    r = ntsim_ioctl_start(f, WEDR_IOCTL_GET_EVENT, NULL, 0, WEDR_RECORD_MAX, &status);
    ntsim_hook("KeAcquireInStackQueuedSpinLock", NULL, NULL);
    assert_int_equal(status, NTSIM_SUCCESS);
    expect_seq(driver_take(r), 1);
    expect_counts(f, 0, 0, 1);
}

/* The routine runs, has given back the cancel lock and waits for the queue's. */
static void a_record_that_comes_while_the_routine_waits_stays_in_the_queue(void **state)
{
    struct ntsim_file *f = driver_start();
    struct between b = {.f = f, .due = 1};
    struct ntsim_irp *r = driver_park(f);

    (void)state;
    (void)someone();
    assert_true(ntsim_cancel_begin(r));
    ntsim_hook("KeAcquireInStackQueuedSpinLock", fire, &b);
    ntsim_cancel_finish(r);
    ntsim_hook("KeAcquireInStackQueuedSpinLock", NULL, NULL);
    assert_int_equal(b.times, 1);
    driver_expect(r, NTSIM_CANCELLED, 0);
    expect_seq(driver_read(f), 1);
    expect_counts(f, 0, 1, 1);
}

/* Cleanup completes one after another with no lock held: another processor cancels in between. */
static void a_request_is_cancelled_while_cleanup_completes_another(void **state)
{
    struct ntsim_file *f = driver_start();
    struct between b = {.f = f, .due = 1};
    struct ntsim_irp *r[3];

    (void)state;
    park(f, r, 3);
    ntsim_hook("IofCompleteRequest", cancel_all, &b);
    assert_int_equal(ntsim_cleanup(f), NTSIM_SUCCESS);
    ntsim_hook("IofCompleteRequest", NULL, NULL);
    assert_int_equal(b.times, 3); /* two had a routine */
    expect_cancelled(r, 3);
    expect_counts(f, 0, 3, 0);
}

static void what_lay_in_the_result_before_does_not_matter(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r[3];

    (void)state;
    direct_soil_results();
    park(f, r, 3);
    driver_cancel(r[1]);
    driver_fire_exit(someone());
    expect_seq(driver_take(r[0]), 1);
    assert_int_equal(ntsim_cleanup(f), NTSIM_SUCCESS);
    expect_cancelled(r + 2, 1);
}

static void a_cancellation_at_apc_level_returns_there(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r = driver_park(f);

    (void)state;
    ntsim_set_irql(1);
    assert_true(ntsim_cancel(r));
    assert_int_equal(ntsim_irql(), 1);
    ntsim_set_irql(0);
    driver_expect(r, NTSIM_CANCELLED, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_TEST(d02_one_request_is_cancelled_at_once),
        DRIVER_TEST(d02_cancel_io_ex_ends_all_requests_of_the_handle),
        DRIVER_TEST(d02_the_end_of_a_thread_ends_its_requests_alone),
        DRIVER_TEST(d02_the_end_of_a_process_ends_its_requests_alone),
        DRIVER_TEST(whichever_is_cancelled_the_others_keep_their_order),
        DRIVER_TEST(d02_a_record_that_comes_during_a_cancellation_goes_to_the_next_reader),
        DRIVER_TEST(d02_a_record_passes_by_the_one_that_is_being_cancelled),
        DRIVER_TEST(cleanup_leaves_the_one_that_is_being_cancelled_to_its_routine),
        DRIVER_TEST(those_being_cancelled_still_count_as_parked),
        DRIVER_TEST(d02_a_request_cancelled_before_it_parks_does_not_park),
        DRIVER_TEST(d02_a_request_may_be_cancelled_before_the_parking_call_returns),
        DRIVER_TEST(d03_a_handle_closed_before_a_request_parks_lets_none_park),
        DRIVER_TEST(d03_a_handle_closed_before_the_parking_call_returns_ends_it),
        DRIVER_TEST(a_request_cancelled_before_the_look_takes_a_waiting_record),
        DRIVER_TEST(a_record_that_comes_while_the_routine_waits_stays_in_the_queue),
        DRIVER_TEST(a_request_is_cancelled_while_cleanup_completes_another),
        DRIVER_TEST(what_lay_in_the_result_before_does_not_matter),
        DRIVER_TEST(a_cancellation_at_apc_level_returns_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
