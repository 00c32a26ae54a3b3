/* SPDX-License-Identifier: Apache-2.0
 * Threads: a process's first one is no injection, a later one by somebody else is. */
#include "driver_expect.h"
#include "nt_probe.h"

#define PID 300u
#define TID 304u

/* The process 600 and its thread 604 create and open from now on; it is not announced. */
static void play_creator(void)
{
    ntsim_set_current(thread_of(driver_process(CREATOR_PID, 4)));
}

/* A process that was announced by its creator, whose context runs. */
static struct ntsim_process *announced(struct ntsim_file *f, uint64_t pid)
{
    struct ntsim_process *p = driver_process(pid, 0);

    driver_fire_start(p, NTSIM_NULL);
    expect_some(f, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    return p;
}

static struct wants creation(uint8_t lane, uint32_t tid, uint32_t creator, bool first)
{
    struct wants w = {.type = WEDR_EV_THREAD_CREATE, .lane = lane};

    want_number(&w, "pid", PID);
    want_number(&w, "tid", tid);
    want_number(&w, "creating_pid", creator);
    want_number(&w, "process_key", DRIVER_KEY(PID));
    want_number(&w, "creating_key", 0);
    want_number(&w, "first_thread", first ? 1 : 0);
    return w;
}

static void d18_first_thread_of_a_new_process_is_no_injection(void **state)
{
    const struct wants first = creation(WEDR_LANE_BULK, TID, CREATOR_PID, true);
    const struct wants remote = creation(WEDR_LANE_CRITICAL, TID + 4, CREATOR_PID, false);

    play_creator();
    (void)announced(*state, PID);
    ntsim_fire_thread(PID, TID, true);
    expect_record(*state, &first);
    ntsim_fire_thread(PID, TID + 4, true);
    expect_record(*state, &remote);
    expect_source(*state, WEDR_CALLBACK_THREAD, 2, 2, 0);
    expect_none(*state);
}

static void d18_first_thread_is_first_whoever_makes_it(void **state)
{
    struct wants w = creation(WEDR_LANE_BULK, TID, PID, true);
    struct ntsim_process *p = announced(*state, PID);

    ntsim_set_current(thread_of(p));
    want_number(&w, "creating_key", DRIVER_KEY(PID));
    ntsim_fire_thread(PID, TID, true);
    expect_record(*state, &w);
}

static void own_threads_are_no_injection(void **state)
{
    struct wants w = creation(WEDR_LANE_BULK, TID + 4, PID, false);
    struct ntsim_process *p = announced(*state, PID);

    ntsim_fire_thread(PID, TID, true);
    expect_some(*state, WEDR_EV_THREAD_CREATE, WEDR_LANE_BULK);
    ntsim_set_current(thread_of(p));
    want_number(&w, "creating_key", DRIVER_KEY(PID));
    ntsim_fire_thread(PID, TID + 4, true);
    expect_record(*state, &w);
}

static void remote_thread_names_the_key_of_its_creator(void **state)
{
    struct wants w = creation(WEDR_LANE_CRITICAL, TID + 4, CREATOR_PID, false);

    (void)announced(*state, PID);
    ntsim_set_current(thread_of(announced(*state, CREATOR_PID)));
    ntsim_fire_thread(PID, TID, true);
    expect_some(*state, WEDR_EV_THREAD_CREATE, WEDR_LANE_BULK);
    want_number(&w, "creating_key", DRIVER_KEY(CREATOR_PID));
    ntsim_fire_thread(PID, TID + 4, true);
    expect_record(*state, &w);
}

static void thread_in_an_unknown_process_is_remote_and_has_no_key(void **state)
{
    struct wants w = creation(WEDR_LANE_CRITICAL, TID, CREATOR_PID, false);

    want_number(&w, "process_key", 0);
    want_number(&w, "creating_pid", 4); /* a smaller number than the owner's */
    ntsim_fire_thread(PID, TID, true);
    expect_record(*state, &w);
    play_creator();
    want_number(&w, "creating_pid", CREATOR_PID);
    ntsim_fire_thread(PID, TID, true);
    expect_record(*state, &w);
}

/* Its first thread was made before the driver came. */
static void d18_any_new_thread_of_an_existing_process_is_remote(void **state)
{
    const struct wants w = creation(WEDR_LANE_CRITICAL, TID, CREATOR_PID, false);
    struct ntsim_file *f;

    (void)state;
    (void)driver_process(PID, 0);
    f = expect_start();
    expect_some(f, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    play_creator();
    ntsim_fire_thread(PID, TID, true);
    expect_record(f, &w);
}

static void d18_a_reused_pid_has_a_first_thread_again(void **state)
{
    const struct wants w = creation(WEDR_LANE_BULK, TID + 8, 4, true);
    struct ntsim_process *p = announced(*state, PID);

    ntsim_fire_thread(PID, TID, true);
    expect_some(*state, WEDR_EV_THREAD_CREATE, WEDR_LANE_BULK);
    driver_fire_exit(p);
    expect_some(*state, WEDR_EV_PROCESS_TERMINATE, WEDR_LANE_CRITICAL);
    ntsim_process_free(p);
    (void)announced(*state, PID);
    ntsim_fire_thread(PID, TID + 8, true);
    expect_record(*state, &w);
}

static void end_of_a_thread_is_bulk(void **state)
{
    struct wants w = {.type = WEDR_EV_THREAD_EXIT, .lane = WEDR_LANE_BULK};

    want_number(&w, "pid", PID);
    want_number(&w, "tid", TID);
    want_number(&w, "process_key", DRIVER_KEY(PID));
    play_creator();
    (void)announced(*state, PID);
    ntsim_fire_thread(PID, TID, false);
    expect_record(*state, &w);
    want_number(&w, "pid", PID + 40);
    want_number(&w, "tid", 0xfffffffc);
    want_number(&w, "process_key", 0);
    ntsim_fire_thread(PID + 40, 0xfffffffc, false);
    expect_record(*state, &w);
    expect_source(*state, WEDR_CALLBACK_THREAD, 2, 2, 0);
}

/* An end does not count as the first thread. */
static void d18_end_before_the_first_thread_teaches_nothing(void **state)
{
    const struct wants w = creation(WEDR_LANE_BULK, TID, CREATOR_PID, true);

    play_creator();
    (void)announced(*state, PID);
    ntsim_fire_thread(PID, TID, false);
    expect_some(*state, WEDR_EV_THREAD_EXIT, WEDR_LANE_BULK);
    ntsim_fire_thread(PID, TID, true);
    expect_record(*state, &w);
}

static void filter(struct ntsim_file *f, uint32_t classes)
{
    assert_int_equal(driver_set_filter(f, classes, NULL, 0, NULL, 0), NTSIM_SUCCESS);
}

static void class_that_is_off_counts_by_lane_and_still_learns(void **state)
{
    const struct wants w = creation(WEDR_LANE_CRITICAL, TID + 8, CREATOR_PID, false);

    play_creator();
    (void)announced(*state, PID);
    filter(*state, WEDR_CLASS_ALL & ~WEDR_CLASS_THREAD);
    ntsim_fire_thread(PID, TID, true); /* the first one */
    expect_filtered(*state, 0, 1);
    ntsim_fire_thread(PID, TID + 4, true);
    expect_filtered(*state, 1, 1);
    ntsim_fire_thread(PID, TID, false);
    expect_filtered(*state, 1, 2);
    expect_none(*state);
    expect_source(*state, WEDR_CALLBACK_THREAD, 3, 0, 0);
    filter(*state, WEDR_CLASS_ALL);
    ntsim_fire_thread(PID, TID + 8, true);
    expect_record(*state, &w);
    expect_source(*state, WEDR_CALLBACK_THREAD, 4, 1, 0);
    expect_filtered(*state, 1, 2);
}

static void only_its_own_class_switches_threads_off(void **state)
{
    filter(*state, WEDR_CLASS_PROCESS | WEDR_CLASS_THREAD);
    ntsim_fire_thread(PID, TID, false);
    expect_some(*state, WEDR_EV_THREAD_EXIT, WEDR_LANE_BULK);
    expect_filtered(*state, 0, 0);
}

static void threads_are_seen_at_apc_too(void **state)
{
    const struct wants w = creation(WEDR_LANE_BULK, TID, CREATOR_PID, true);

    play_creator();
    (void)announced(*state, PID);
    ntsim_set_irql(1);
    ntsim_fire_thread(PID, TID, true);
    ntsim_set_irql(0);
    expect_record(*state, &w);
}

static void d17_a_thread_takes_no_memory(void **state)
{
    uint64_t before = ntsim_pool_allocations();

    ntsim_fire_thread(PID, TID, true);
    ntsim_fire_thread(PID, TID, false);
    assert_int_equal(ntsim_pool_allocations(), before);
    assert_int_equal(driver_drain(*state), 2);
}

static void record_without_a_place_is_lost_in_its_lane(void **state)
{
    uint8_t *places[PROBE_STAGE_SMALL_COUNT + PROBE_STAGE_LARGE_COUNT];
    unsigned n = 0;

    play_creator();
    while (n < PROBE_STAGE_SMALL_COUNT + PROBE_STAGE_LARGE_COUNT) {
        places[n++] = probe_stage_claim(1);
    }
    ntsim_fire_thread(PID, TID, true);
    expect_hole(WEDR_LANE_CRITICAL);
    ntsim_fire_thread(PID, TID, false);
    expect_hole(WEDR_LANE_BULK);
    expect_none(*state);
    expect_source(*state, WEDR_CALLBACK_THREAD, 2, 0, 2);
    while (n > 0) {
        probe_stage_release(places[--n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPECT_TEST(d18_first_thread_of_a_new_process_is_no_injection),
        EXPECT_TEST(d18_first_thread_is_first_whoever_makes_it),
        EXPECT_TEST(own_threads_are_no_injection),
        EXPECT_TEST(remote_thread_names_the_key_of_its_creator),
        EXPECT_TEST(thread_in_an_unknown_process_is_remote_and_has_no_key),
        EXPECT_TEST_UNLOADED(d18_any_new_thread_of_an_existing_process_is_remote),
        EXPECT_TEST(d18_a_reused_pid_has_a_first_thread_again),
        EXPECT_TEST(end_of_a_thread_is_bulk),
        EXPECT_TEST(d18_end_before_the_first_thread_teaches_nothing),
        EXPECT_TEST(class_that_is_off_counts_by_lane_and_still_learns),
        EXPECT_TEST(only_its_own_class_switches_threads_off),
        EXPECT_TEST(threads_are_seen_at_apc_too),
        EXPECT_TEST(d17_a_thread_takes_no_memory),
        EXPECT_TEST(record_without_a_place_is_lost_in_its_lane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
