/* SPDX-License-Identifier: Apache-2.0
 * Handles to processes and threads. */
#include "driver_expect.h"
#include "nt_probe.h"

#define TARGET 300u
#define TARGET_TID 304u
#define THIRD 500u
#define ALL 0x1fffffu
#define CREATE_OPERATION 1u
#define DUPLICATE_OPERATION 2u

/* ---- a machine with a caller and a target ---- */

struct machine {
    struct ntsim_file *f;
    struct ntsim_process *caller, *target;
    struct ntsim_thread *target_thread;
};
static struct machine m;

/* Both ran before the driver; the caller's context runs. */
static int machine_setup(void **state)
{
    if (expect_setup_unloaded(state) != 0) {
        return -1;
    }
    m.caller = driver_process(CREATOR_PID, 4);
    m.target = driver_process(TARGET, CREATOR_PID);
    m.target_thread = thread_of(m.target);
    m.f = expect_start();
    expect_some(m.f, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    expect_some(m.f, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    ntsim_set_current(thread_of(m.caller));
    return 0;
}

#define MACHINE_TEST(f) cmocka_unit_test_setup_teardown(f, machine_setup, driver_teardown)

static struct wants opened(uint32_t tid, uint32_t access)
{
    struct wants w = {.type = WEDR_EV_PROCESS_HANDLE_ACCESS, .lane = WEDR_LANE_CRITICAL};

    want_number(&w, "source_pid", CREATOR_PID);
    want_number(&w, "target_pid", TARGET);
    want_number(&w, "target_tid", tid);
    want_number(&w, "source_key", DRIVER_KEY(CREATOR_PID));
    want_number(&w, "target_key", DRIVER_KEY(TARGET));
    want_number(&w, "op", WEDR_HANDLE_OP_OPEN);
    want_number(&w, "desired_access", access);
    want_number(&w, "original_desired_access", access);
    want_number(&w, "duplicate_source_pid", 0);
    want_number(&w, "duplicate_target_pid", 0);
    return w;
}

/* Fires it; the rights must be left as they are. */
static void fire(const struct ntsim_handle *h)
{
    assert_int_equal(ntsim_fire_handle(h), h->reduced_access ? h->reduced_access : h->access);
}

static void fire_open(struct ntsim_process *p, struct ntsim_thread *t, uint32_t access)
{
    const struct ntsim_handle h = {.process = p, .thread = t, .access = access};

    fire(&h);
}

static uint64_t events(void)
{
    return driver_stats(m.f).callback[WEDR_CALLBACK_HANDLE].events;
}

/* Is it reported? The record is read. */
static bool reported(const struct ntsim_handle *h)
{
    uint64_t before = events();

    fire(h);
    if (events() == before) {
        expect_none(m.f);
        return false;
    }
    expect_some(m.f, WEDR_EV_PROCESS_HANDLE_ACCESS, WEDR_LANE_CRITICAL);
    return true;
}

static bool open_reported(struct ntsim_process *p, struct ntsim_thread *t, uint32_t access)
{
    const struct ntsim_handle h = {.process = p, .thread = t, .access = access};

    return reported(&h);
}

static void open_process_has_every_field(void **state)
{
    const struct ntsim_handle h = {.process = m.target, .access = 0x1410, .reduced_access = 0x1400};
    struct wants w = opened(0, 0x1410);

    (void)state;
    fire_open(m.target, NULL, 0x1410);
    expect_record(m.f, &w);
    want_number(&w, "desired_access", 0x1400);
    fire(&h);
    expect_record(m.f, &w);
    expect_none(m.f);
    expect_source(m.f, WEDR_CALLBACK_HANDLE, 2, 2, 0);
}

/* What was asked for counts, even when somebody else took it away. */
static void d20_rights_that_were_taken_away_count(void **state)
{
    const struct ntsim_handle h = {.process = m.target, .access = ALL, .reduced_access = 0x1000};
    struct wants w = opened(0, ALL);

    (void)state;
    want_number(&w, "desired_access", 0x1000);
    fire(&h);
    expect_record(m.f, &w);
}

static void d20_open_thread_names_its_process(void **state)
{
    const struct wants w = opened(TARGET_TID, 0x0010);

    (void)state;
    fire_open(NULL, m.target_thread, 0x0010);
    expect_record(m.f, &w);
}

static void d20_duplicate_tells_from_whom_to_whom(void **state)
{
    struct ntsim_handle h = {.process = m.target,
                             .duplicate = true,
                             .access = ALL,
                             .source = driver_process(THIRD, 0),
                             .target = driver_process(THIRD + 4, 0)};
    struct wants w = opened(0, ALL);

    (void)state;
    want_number(&w, "op", WEDR_HANDLE_OP_DUPLICATE);
    want_number(&w, "duplicate_source_pid", THIRD);
    want_number(&w, "duplicate_target_pid", THIRD + 4);
    fire(&h);
    expect_record(m.f, &w);
    h.process = NULL;
    h.thread = m.target_thread;
    h.reduced_access = 1;
    want_number(&w, "target_tid", TARGET_TID);
    want_number(&w, "desired_access", 1);
    fire(&h);
    expect_record(m.f, &w);
    expect_source(m.f, WEDR_CALLBACK_HANDLE, 2, 2, 0);
}

static void d20_each_right_is_looked_at_by_itself(void **state)
{
    const uint32_t process_rights = 0x0afb, thread_rights = 0x03bb;

    (void)state;
    for (uint32_t bit = 0; bit < 32; bit++) {
        uint32_t right = UINT32_C(1) << bit;

        assert_int_equal(open_reported(m.target, NULL, right), (process_rights & right) != 0);
        assert_int_equal(open_reported(NULL, m.target_thread, right), (thread_rights & right) != 0);
        assert_int_equal(open_reported(m.target, NULL, right | ~process_rights),
                         (process_rights & right) != 0);
        assert_int_equal(open_reported(NULL, m.target_thread, right | ~thread_rights),
                         (thread_rights & right) != 0);
    }
    assert_false(open_reported(m.target, NULL, 0));
    expect_filtered(m.f, 0, 0);
}

/* D-20 names these two. */
static void d20_create_process_and_set_information_are_rights_that_matter(void **state)
{
    (void)state;
    assert_true(open_reported(m.target, NULL, 0x0080));
    assert_true(open_reported(m.target, NULL, 0x0200));
    assert_false(open_reported(m.target, NULL, 0x1000)); /* limited information */
}

static void duplicate_is_looked_at_by_right_too(void **state)
{
    struct ntsim_handle h = {
        .process = m.target, .duplicate = true, .source = m.caller, .target = m.caller};

    (void)state;
    h.access = 0x1000;
    assert_false(reported(&h));
    h.access = 0x0010;
    assert_true(reported(&h));
}

static void handles_of_the_kernel_are_not_reported(void **state)
{
    const struct ntsim_handle h = {.process = m.target, .kernel_handle = true, .access = ALL};
    const struct ntsim_handle d = {.process = m.target,
                                   .kernel_handle = true,
                                   .duplicate = true,
                                   .access = ALL,
                                   .source = m.caller,
                                   .target = m.caller};

    (void)state;
    assert_false(reported(&h));
    assert_false(reported(&d));
    expect_source(m.f, WEDR_CALLBACK_HANDLE, 2, 0, 0);
}

static void process_that_opens_itself_is_not_reported(void **state)
{
    struct ntsim_handle d = {.process = m.caller, .duplicate = true, .access = ALL};

    (void)state;
    assert_false(open_reported(m.caller, NULL, ALL));
    assert_false(open_reported(NULL, ntsim_current(), ALL));
    /* It duplicates a handle to itself, for itself, from anybody. */
    d.target = m.caller;
    d.source = m.target;
    assert_false(reported(&d));
    /* It gives a handle to itself away. */
    d.source = m.caller;
    d.target = m.target;
    assert_true(reported(&d));
    d.target = driver_process(THIRD + 400, 0); /* to one of a larger number, too */
    assert_true(reported(&d));
    d.target = m.target;
    /* It gives a process a handle to that process itself. */
    d.process = m.target;
    assert_true(reported(&d));
    /* It takes one to another process for itself. */
    d.target = m.caller;
    assert_true(reported(&d));
    /* The other way round: from a smaller number to a larger. */
    ntsim_set_current(m.target_thread);
    assert_true(open_reported(m.caller, NULL, ALL));
    d.process = m.caller;
    d.target = m.caller;
    d.source = m.target;
    assert_true(reported(&d));
}

static void caller_that_is_not_in_the_table_has_no_key(void **state)
{
    struct wants w = opened(0, ALL);

    (void)state;
    ntsim_set_current(thread_of(driver_process(THIRD, 0)));
    want_number(&w, "source_pid", THIRD);
    want_number(&w, "source_key", 0);
    fire_open(m.target, NULL, ALL);
    expect_record(m.f, &w);
}

static void operations_that_were_not_asked_for_are_not_looked_at(void **state)
{
    (void)state;
    assert_int_equal(probe_fire_handle(PROBE_OTHER_TYPE, CREATE_OPERATION, m.target, NULL), 0);
    assert_int_equal(probe_fire_handle(PROBE_PROCESS, 0, m.target, NULL), 0);
    assert_int_equal(
        probe_fire_handle(PROBE_PROCESS, CREATE_OPERATION | DUPLICATE_OPERATION, m.target, NULL),
        0);
    assert_int_equal(probe_fire_handle(PROBE_THREAD, 4, NULL, m.target_thread), 0);
    expect_none(m.f);
    expect_source(m.f, WEDR_CALLBACK_HANDLE, 4, 0, 0);
    assert_int_equal(probe_fire_handle(PROBE_PROCESS, CREATE_OPERATION, m.target, NULL), 0);
    assert_int_equal(probe_fire_handle(PROBE_THREAD, DUPLICATE_OPERATION, NULL, m.target_thread),
                     0);
    expect_source(m.f, WEDR_CALLBACK_HANDLE, 6, 2, 0);
    assert_int_equal(driver_drain(m.f), 2);
}

/* ---- the handles of CreateProcess itself ---- */

#define CHILD 700u
#define CHILD_TID 704u

static struct ntsim_process *new_child(void)
{
    return driver_process(CHILD, CREATOR_PID);
}

static void announce(struct ntsim_process *p)
{
    driver_fire_start(p, NTSIM_NULL);
    expect_some(m.f, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
}

static void d19_handles_of_a_creation_are_not_reported_and_later_ones_are(void **state)
{
    struct ntsim_process *p = new_child();
    struct ntsim_thread *t = thread_of(p);

    (void)state;
    assert_false(open_reported(p, NULL, ALL)); /* before the process is announced */
    announce(p);
    ntsim_fire_thread(CHILD, CHILD_TID, true);
    expect_some(m.f, WEDR_EV_THREAD_CREATE, WEDR_LANE_BULK);
    assert_false(open_reported(NULL, t, ALL)); /* the creation's handle to the first thread */
    assert_true(open_reported(NULL, t, ALL));
    assert_true(open_reported(p, NULL, ALL));
    expect_filtered(m.f, 0, 0);
    expect_source(m.f, WEDR_CALLBACK_HANDLE, 4, 2, 0);
}

static void d19_the_first_thread_may_be_opened_before_it_is_announced(void **state)
{
    struct ntsim_process *p = new_child();
    struct ntsim_thread *t = thread_of(p);

    (void)state;
    assert_false(open_reported(NULL, t, ALL)); /* not even the process is announced */
    announce(p);
    assert_false(open_reported(NULL, t, ALL));
    assert_true(open_reported(NULL, t, ALL));
}

static void d19_a_second_thread_is_never_part_of_a_creation(void **state)
{
    struct ntsim_process *p = new_child();
    struct ntsim_thread *second = ntsim_thread_new(p, CHILD_TID + 4);

    (void)state;
    announce(p);
    ntsim_fire_thread(CHILD, CHILD_TID, true);
    expect_some(m.f, WEDR_EV_THREAD_CREATE, WEDR_LANE_BULK);
    assert_true(open_reported(NULL, second, ALL));
    assert_false(open_reported(NULL, thread_of(p), ALL));
}

static void d19_only_the_creating_thread_opens_for_the_creation(void **state)
{
    struct ntsim_process *p = new_child();
    struct ntsim_thread *t = thread_of(p);
    struct ntsim_thread *creator = ntsim_current();

    (void)state;
    announce(p);
    ntsim_set_current(ntsim_thread_new(m.caller, CREATOR_TID + 4));
    assert_true(open_reported(NULL, t, ALL));
    ntsim_set_current(m.target_thread);
    assert_true(open_reported(NULL, t, ALL));
    ntsim_set_current(creator);
    assert_false(open_reported(NULL, t, ALL));
}

static void d19_others_that_open_an_unannounced_process_are_reported(void **state)
{
    struct ntsim_process *p = new_child();

    (void)state;
    ntsim_set_current(m.target_thread);
    assert_true(open_reported(p, NULL, ALL));
    assert_true(open_reported(NULL, thread_of(p), ALL));
}

/* The parent was given by the creator, as programs do that hide behind another: the creation's own
 * handle is then somebody else's, and shows. */
static void d19_spoofed_parent_shows_the_creation(void **state)
{
    struct ntsim_process *p = driver_process(CHILD, TARGET);
    struct wants w = opened(0, ALL);

    (void)state;
    want_number(&w, "target_pid", CHILD);
    want_number(&w, "target_key", DRIVER_KEY(CHILD));
    fire_open(p, NULL, ALL);
    expect_record(m.f, &w);
    /* And the process it was made to belong to is not taken for the creator. */
    announce(p);
    ntsim_set_current(m.target_thread);
    assert_true(open_reported(NULL, thread_of(p), ALL));
}

static void d19_a_duplicate_is_never_part_of_a_creation(void **state)
{
    struct ntsim_process *p = new_child();
    const struct ntsim_handle h = {
        .process = p, .duplicate = true, .access = ALL, .source = m.caller, .target = m.caller};
    const struct ntsim_handle t = {.thread = thread_of(p),
                                   .duplicate = true,
                                   .access = ALL,
                                   .source = m.caller,
                                   .target = m.caller};

    (void)state;
    assert_true(reported(&h));
    announce(p);
    assert_true(reported(&t));
    assert_false(open_reported(NULL, t.thread, ALL));
}

static void d19_a_process_that_ended_is_no_creation(void **state)
{
    struct ntsim_process *p = new_child();
    struct ntsim_thread *t = thread_of(p);

    (void)state;
    announce(p);
    driver_fire_exit(p);
    expect_some(m.f, WEDR_EV_PROCESS_TERMINATE, WEDR_LANE_CRITICAL);
    assert_true(open_reported(p, NULL, ALL));
    assert_true(open_reported(NULL, t, ALL));
}

/* As above, but its end was not reported: the exit status says it. */
static void d19_a_process_that_is_ending_is_no_creation(void **state)
{
    struct ntsim_process *p = new_child();
    struct ntsim_thread *t = thread_of(p);

    (void)state;
    announce(p);
    ntsim_process_end(p);
    assert_true(open_reported(NULL, t, ALL));
}

static void d19_table_that_was_full_leaves_nothing_out(void **state)
{
    struct ntsim_process *p = new_child();

    (void)state;
    for (uint32_t i = 0; i < PROBE_PROCTAB_MAX - 2; i++) {
        const struct probe_proc other = {.pid = 100000 + 4 * i};

        assert_true(probe_proctab_add(&other, false));
    }
    assert_false(open_reported(p, NULL, ALL));
    announce(p); /* not taken */
    assert_int_equal(driver_stats(m.f).processes_untracked, 1);
    assert_true(open_reported(p, NULL, ALL));
    assert_true(open_reported(NULL, thread_of(p), ALL));
    assert_true(probe_proctab_remove(100000, NULL));
    assert_true(open_reported(p, NULL, ALL));
}

static void d19_without_an_inventory_nothing_is_left_out(void **state)
{
    struct ntsim_file *f;

    (void)state;
    m.caller = driver_process(CREATOR_PID, 4);
    ntsim_fail("ZwQuerySystemInformation", 0, 1, NTSIM_UNSUCCESSFUL);
    f = expect_start();
    m.f = f;
    ntsim_set_current(thread_of(m.caller));
    struct ntsim_process *p = new_child();

    assert_true(open_reported(p, NULL, ALL));
    /* What was announced since then is known. */
    announce(p);
    assert_false(open_reported(NULL, thread_of(p), ALL));
}

static void d19_threads_of_existing_processes_are_no_creation(void **state)
{
    (void)state;
    /* The target is the caller's child, made before the driver came. */
    assert_true(open_reported(m.target, NULL, ALL));
    assert_true(open_reported(NULL, m.target_thread, ALL));
}

/* ---- filter, memory, IRQL ---- */

static void filter(uint32_t classes)
{
    assert_int_equal(driver_set_filter(m.f, classes, NULL, 0, NULL, 0), NTSIM_SUCCESS);
}

static void class_that_is_off_counts_what_would_be_reported(void **state)
{
    (void)state;
    filter(WEDR_CLASS_ALL & ~WEDR_CLASS_HANDLE);
    fire_open(m.target, NULL, ALL);
    expect_filtered(m.f, 1, 0);
    fire_open(m.target, NULL, 0x1000);
    fire_open(m.caller, NULL, ALL);
    expect_filtered(m.f, 1, 0);
    expect_none(m.f);
    expect_source(m.f, WEDR_CALLBACK_HANDLE, 3, 0, 0);
    filter(WEDR_CLASS_PROCESS | WEDR_CLASS_HANDLE);
    assert_true(open_reported(m.target, NULL, ALL));
    expect_filtered(m.f, 1, 0);
}

static void d19_a_creation_is_seen_while_the_class_is_off(void **state)
{
    struct ntsim_process *p = new_child();
    struct ntsim_thread *t = thread_of(p);

    (void)state;
    filter(WEDR_CLASS_ALL & ~WEDR_CLASS_HANDLE);
    announce(p);
    fire_open(NULL, t, ALL);
    expect_filtered(m.f, 0, 0);
    filter(WEDR_CLASS_ALL);
    assert_true(open_reported(NULL, t, ALL));
}

static void handles_are_seen_at_apc_too(void **state)
{
    const struct wants w = opened(TARGET_TID, ALL);

    (void)state;
    ntsim_set_irql(1);
    fire_open(NULL, m.target_thread, ALL);
    ntsim_set_irql(0);
    expect_record(m.f, &w);
}

static void d17_a_handle_takes_no_memory(void **state)
{
    struct ntsim_process *p = new_child();
    uint64_t before = ntsim_pool_allocations();

    (void)state;
    fire_open(m.target, NULL, ALL);
    fire_open(NULL, m.target_thread, ALL);
    fire_open(p, NULL, ALL);
    assert_int_equal(ntsim_pool_allocations(), before);
    assert_int_equal(ntsim_references(), 0);
    assert_int_equal(driver_drain(m.f), 2);
}

static void handle_without_a_place_is_a_counted_loss(void **state)
{
    uint8_t *places[PROBE_STAGE_SMALL_COUNT + PROBE_STAGE_LARGE_COUNT];
    unsigned n = 0;

    (void)state;
    while (n < PROBE_STAGE_SMALL_COUNT + PROBE_STAGE_LARGE_COUNT) {
        places[n++] = probe_stage_claim(1);
    }
    fire_open(m.target, NULL, ALL);
    expect_hole(WEDR_LANE_CRITICAL);
    expect_none(m.f);
    expect_source(m.f, WEDR_CALLBACK_HANDLE, 1, 0, 1);
    while (n > 0) {
        probe_stage_release(places[--n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MACHINE_TEST(open_process_has_every_field),
        MACHINE_TEST(d20_rights_that_were_taken_away_count),
        MACHINE_TEST(d20_open_thread_names_its_process),
        MACHINE_TEST(d20_duplicate_tells_from_whom_to_whom),
        MACHINE_TEST(d20_each_right_is_looked_at_by_itself),
        MACHINE_TEST(d20_create_process_and_set_information_are_rights_that_matter),
        MACHINE_TEST(duplicate_is_looked_at_by_right_too),
        MACHINE_TEST(handles_of_the_kernel_are_not_reported),
        MACHINE_TEST(process_that_opens_itself_is_not_reported),
        MACHINE_TEST(caller_that_is_not_in_the_table_has_no_key),
        MACHINE_TEST(operations_that_were_not_asked_for_are_not_looked_at),
        MACHINE_TEST(d19_handles_of_a_creation_are_not_reported_and_later_ones_are),
        MACHINE_TEST(d19_the_first_thread_may_be_opened_before_it_is_announced),
        MACHINE_TEST(d19_a_second_thread_is_never_part_of_a_creation),
        MACHINE_TEST(d19_only_the_creating_thread_opens_for_the_creation),
        MACHINE_TEST(d19_others_that_open_an_unannounced_process_are_reported),
        MACHINE_TEST(d19_spoofed_parent_shows_the_creation),
        MACHINE_TEST(d19_a_duplicate_is_never_part_of_a_creation),
        MACHINE_TEST(d19_a_process_that_ended_is_no_creation),
        MACHINE_TEST(d19_a_process_that_is_ending_is_no_creation),
        MACHINE_TEST(d19_table_that_was_full_leaves_nothing_out),
        EXPECT_TEST_UNLOADED(d19_without_an_inventory_nothing_is_left_out),
        MACHINE_TEST(d19_threads_of_existing_processes_are_no_creation),
        MACHINE_TEST(class_that_is_off_counts_what_would_be_reported),
        MACHINE_TEST(d19_a_creation_is_seen_while_the_class_is_off),
        MACHINE_TEST(handles_are_seen_at_apc_too),
        MACHINE_TEST(d17_a_handle_takes_no_memory),
        MACHINE_TEST(handle_without_a_place_is_a_counted_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
