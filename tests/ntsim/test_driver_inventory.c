/* SPDX-License-Identifier: Apache-2.0
 * The processes that ran before the driver. Linked with --wrap=ZwQuerySystemInformation, so that a
 * test can give a list of its own. */
#include "driver_expect.h"
#include "nt_probe.h"
#include <stdlib.h>

#define ENTRY 0x60u /* bytes of an entry's head */
#define OLDER_IMAGE u"\\Device\\HarddiskVolume3\\Windows\\System32\\smss.exe"
#define LENGTH_MISMATCH NTSIM_STATUS(0xc0000004)

static struct ntsim_process *older(uint64_t pid, uint64_t parent_pid)
{
    const struct ntsim_process_spec s = {.pid = pid,
                                         .parent_pid = parent_pid,
                                         .create_time = NTSIM_TIME + (int64_t)pid,
                                         .start_key = DRIVER_KEY(pid),
                                         .session = 3,
                                         .image = NTSIM_TEXT(OLDER_IMAGE),
                                         .integrity = 0x4000,
                                         .elevated = true};

    return ntsim_process_new(&s);
}

static struct wants existing(uint32_t pid, uint32_t parent_pid)
{
    struct wants w = {
        .type = WEDR_EV_PROCESS_CREATE, .lane = WEDR_LANE_CRITICAL, .flags = WEDR_EVF_EXISTING};

    want_number(&w, "pid", pid);
    want_number(&w, "parent_pid", parent_pid);
    want_number(&w, "creating_pid", 0);
    want_number(&w, "process_key", DRIVER_KEY(pid));
    want_number(&w, "parent_key", DRIVER_KEY(parent_pid));
    want_text(&w, "image_path", NTSIM_TEXT(OLDER_IMAGE), 0);
    want_nothing(&w, "command_line", WEDR_SF_UNREADABLE);
    want_text(&w, "parent_image_path", NTSIM_TEXT(OLDER_IMAGE), 0);
    want_nothing(&w, "cwd", 0);
    want_text(&w, "user_sid", NTSIM_TEXT(u"S-1-5-18"), 0);
    want_number(&w, "integrity_level", 0x4000);
    want_number(&w, "session_id", 3);
    want_number(&w, "elevated", 1);
    return w;
}

static void without_parent(struct wants *w)
{
    want_number(w, "parent_key", 0);
    want_nothing(w, "parent_image_path", WEDR_SF_UNREADABLE);
}

/* A handle to a process that is not in the table, asked for by the one that made it: left out only
 * when the table knows all others. */
static bool is_complete(struct ntsim_file *f)
{
    struct ntsim_process *maker = driver_process(70000, 0);
    struct ntsim_handle h = {.process = driver_process(70004, 70000), .access = 1};
    uint64_t before = driver_stats(f).callback[WEDR_CALLBACK_HANDLE].events;

    ntsim_set_current(thread_of(maker));
    ntsim_fire_handle(&h);
    return driver_stats(f).callback[WEDR_CALLBACK_HANDLE].events == before;
}

static void each_living_process_is_announced_as_existing(void **state)
{
    struct wants w;
    struct ntsim_file *f;

    (void)state;
    for (uint32_t pid = 100; pid <= 108; pid += 4) {
        (void)older(pid, pid - 4);
    }
    f = expect_start();
    assert_int_equal(driver_stats(f).processes, 3);
    expect_source(f, WEDR_CALLBACK_PROCESS, 0, 3, 0);
    /* The newest comes first in the simulated list. */
    w = existing(108, 104);
    expect_record(f, &w);
    w = existing(104, 100);
    expect_record(f, &w);
    w = existing(100, 96);
    without_parent(&w);
    expect_record(f, &w);
    expect_none(f);
    assert_true(is_complete(f));
    expect_truncated(f, 0, 0);
}

static void system_has_neither_image_nor_parent(void **state)
{
    struct wants w = existing(4, 0);
    struct ntsim_file *f;

    (void)state;
    ntsim_process_fail(ntsim_system(), NTSIM_FAIL_IMAGE);
    f = expect_start();
    without_parent(&w);
    want_number(&w, "process_key", 1);
    want_number(&w, "session_id", 0);
    want_nothing(&w, "image_path", WEDR_SF_UNREADABLE);
    expect_record(f, &w);
    expect_none(f);
}

static void empty_machine_is_a_complete_table(void **state)
{
    struct ntsim_file *f = expect_start();

    (void)state;
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_PROCESS, 0, 0, 0);
    assert_int_equal(driver_stats(f).processes, 0);
    assert_true(is_complete(f));
}

static void process_that_cannot_be_looked_up_is_left_out(void **state)
{
    struct wants w = existing(104, 96);
    struct ntsim_file *f;

    (void)state;
    (void)older(104, 96);
    ntsim_process_fail(older(100, 96), NTSIM_FAIL_LOOKUP);
    without_parent(&w);
    f = expect_start();
    expect_record(f, &w);
    expect_none(f);
    assert_int_equal(driver_stats(f).processes, 1);
    assert_true(is_complete(f));
}

static void process_that_ended_but_is_still_an_object_is_left_out(void **state)
{
    struct ntsim_process *p = older(100, 96);
    struct ntsim_file *f;

    (void)state;
    /* Its end is fired before anybody listens: in the list, and over. */
    ntsim_fire_process_exit(p);
    f = expect_start();
    expect_none(f);
    assert_int_equal(driver_stats(f).processes, 0);
    assert_int_equal(ntsim_references(), 0);
}

/* ---- in the meantime ---- */

static struct ntsim_process *meanwhile;

static void announce_meanwhile(void *arg)
{
    (void)arg;
    ntsim_hook("ZwQuerySystemInformation.done", NULL, NULL);
    driver_fire_start(meanwhile, NTSIM_TEXT(u"run"));
}

static void process_announced_by_its_creation_is_not_announced_again(void **state)
{
    struct wants w = existing(100, 96);
    struct ntsim_file *f;

    (void)state;
    meanwhile = older(100, 96);
    ntsim_hook("ZwQuerySystemInformation.done", announce_meanwhile, NULL);
    f = expect_start();
    w.flags = 0;
    want_number(&w, "creating_pid", 4);
    want_text(&w, "command_line", NTSIM_TEXT(u"run"), 0);
    without_parent(&w);
    expect_record(f, &w);
    expect_none(f);
    expect_source(f, WEDR_CALLBACK_PROCESS, 1, 1, 0);
    assert_int_equal(driver_stats(f).processes, 1);
    assert_int_equal(ntsim_references(), 0);
}

static unsigned locks_to_come;

/* Somewhere between the two looks at the exit status. */
static void end_meanwhile(void *arg)
{
    (void)arg;
    if (--locks_to_come == 0) {
        ntsim_hook("KeAcquireInStackQueuedSpinLock", NULL, NULL);
        ntsim_fire_process_exit(meanwhile);
    }
}

static void watch_locks(void *arg)
{
    (void)arg;
    ntsim_hook("PsLookupProcessByProcessId.done", NULL, NULL);
    ntsim_hook("KeAcquireInStackQueuedSpinLock", end_meanwhile, NULL);
}

/* Its end came before the table knew it: it must not stay there for ever. */
static void process_that_ends_before_the_table_has_it_does_not_stay(void **state)
{
    struct wants w = {.type = WEDR_EV_PROCESS_TERMINATE, .lane = WEDR_LANE_CRITICAL};
    struct ntsim_file *f;

    (void)state;
    meanwhile = older(100, 96);
    locks_to_come = 1;
    ntsim_hook("PsLookupProcessByProcessId.done", watch_locks, NULL);
    f = expect_start();
    want_number(&w, "pid", 100);
    want_number(&w, "exit_code", 0);
    want_number(&w, "process_key", DRIVER_KEY(100));
    expect_record(f, &w);
    expect_none(f);
    assert_int_equal(driver_stats(f).processes, 0);
    assert_int_equal(ntsim_references(), 0);
    expect_source(f, WEDR_CALLBACK_PROCESS, 1, 1, 0);
}

/* ---- the list ---- */

static void thousands_of_processes_want_a_larger_list(void **state)
{
    struct ntsim_file *f;
    uint64_t allocations;

    (void)state;
    /* 256 bytes each in the list, the idle process, too: one more than fits into 256 KiB. */
    for (uint64_t i = 0; i < 1024; i++) {
        (void)older(1000 + 4 * i, 0);
    }
    allocations = ntsim_pool_allocations();
    f = expect_start();
    assert_int_equal(ntsim_calls("ZwQuerySystemInformation"), 2);
    assert_true(ntsim_pool_allocations() > allocations);
    assert_int_equal(driver_stats(f).processes, 1024);
    assert_int_equal(driver_drain(f), 1024);
    assert_true(is_complete(f));
}

static void list_that_fits_exactly_is_read_at_once(void **state)
{
    struct ntsim_file *f;

    (void)state;
    for (uint64_t i = 0; i < 1023; i++) {
        (void)older(1000 + 4 * i, 0);
    }
    f = expect_start();
    assert_int_equal(ntsim_calls("ZwQuerySystemInformation"), 1);
    assert_int_equal(driver_stats(f).processes, 1023);
}

static void check_failed(struct ntsim_file *f)
{
    expect_source(f, WEDR_CALLBACK_PROCESS, 0, 0, 1);
    assert_int_equal(driver_stats(f).callback[WEDR_CALLBACK_PROCESS].state, WEDR_CALLBACK_ACTIVE);
    assert_int_equal(driver_stats(f).processes, 0);
    expect_none(f);
    assert_false(is_complete(f));
}

static void list_is_tried_up_to_16_mib(void **state)
{
    struct ntsim_file *f;

    (void)state;
    (void)older(100, 0);
    ntsim_fail("ZwQuerySystemInformation", 0, 7, LENGTH_MISMATCH);
    f = expect_start();
    assert_int_equal(ntsim_calls("ZwQuerySystemInformation"), 7);
    check_failed(f);
}

static void list_of_16_mib_is_still_read(void **state)
{
    struct ntsim_file *f;

    (void)state;
    (void)older(100, 0);
    ntsim_fail("ZwQuerySystemInformation", 0, 6, LENGTH_MISMATCH);
    f = expect_start();
    assert_int_equal(ntsim_calls("ZwQuerySystemInformation"), 7);
    assert_int_equal(driver_stats(f).processes, 1);
}

static void list_that_fails_otherwise_is_not_tried_again(void **state)
{
    struct ntsim_file *f;

    (void)state;
    (void)older(100, 0);
    ntsim_fail("ZwQuerySystemInformation", 0, 1, NTSIM_INSUFFICIENT_RESOURCES);
    f = expect_start();
    assert_int_equal(ntsim_calls("ZwQuerySystemInformation"), 1);
    check_failed(f);
}

static void fail_memory(void *arg)
{
    (void)arg;
    ntsim_fail("ExAllocatePool2", 0, 1, NTSIM_INSUFFICIENT_RESOURCES);
}

static void without_memory_there_is_no_list(void **state)
{
    struct ntsim_file *f;

    (void)state;
    (void)older(100, 0);
    ntsim_hook("PsSetCreateProcessNotifyRoutineEx", fail_memory, NULL);
    f = expect_start();
    assert_int_equal(ntsim_calls("ZwQuerySystemInformation"), 0);
    check_failed(f);
}

/* ---- lists of the test's own ---- */

static struct {
    bool on;
    uint8_t bytes[256 << 10]; /* what the first try has room for */
    size_t len;
    uint32_t told; /* the length that is told, may differ */
    uint32_t asked;
} list;

int32_t __real_ZwQuerySystemInformation(uint32_t class, void *p, uint32_t len, uint32_t *ret_len);
int32_t __wrap_ZwQuerySystemInformation(uint32_t class, void *p, uint32_t len, uint32_t *ret_len);
int32_t __wrap_ZwQuerySystemInformation(uint32_t class, void *p, uint32_t len, uint32_t *ret_len)
{
    assert_int_equal(class, 5);
    list.asked = len;
    if (!list.on) {
        return __real_ZwQuerySystemInformation(class, p, len, ret_len);
    }
    memcpy(p, list.bytes, list.len);
    *ret_len = list.told;
    return NTSIM_SUCCESS;
}

static int list_setup(void **state)
{
    memset(&list, 0, sizeof(list));
    list.on = true;
    return expect_setup_unloaded(state);
}

static int list_teardown(void **state)
{
    list.on = false;
    return driver_teardown(state);
}

/* An entry at that place; each of these processes lives. */
static void put(size_t at, uint32_t next, uint64_t pid)
{
    uint64_t parent = 0;

    memcpy(list.bytes + at, &next, sizeof(next));
    memcpy(list.bytes + at + 0x50, &pid, sizeof(pid));
    memcpy(list.bytes + at + 0x58, &parent, sizeof(parent));
}

static void check_list(size_t len, unsigned processes)
{
    struct ntsim_file *f;

    for (uint64_t pid = 100; pid <= 112; pid += 4) {
        (void)older(pid, 0);
    }
    list.len = sizeof(list.bytes);
    list.told = (uint32_t)len;
    f = expect_start();
    assert_int_equal(driver_stats(f).processes, processes);
    assert_int_equal(driver_drain(f), processes);
    assert_int_equal(list.asked, 256 << 10);
    expect_source(f, WEDR_CALLBACK_PROCESS, 0, processes, 0);
}

static void last_entry_may_end_with_the_list(void **state)
{
    (void)state;
    put(0, ENTRY, 100);
    put(ENTRY, ENTRY, 0); /* the idle process has no number and is none */
    put(2 * ENTRY, 0, 104);
    put(3 * ENTRY, 0, 108);
    check_list(3 * ENTRY, 2);
}

static void entry_that_is_not_whole_is_not_read(void **state)
{
    (void)state;
    put(0, ENTRY, 100);
    put(ENTRY, ENTRY, 104);
    put(2 * ENTRY, 0, 108);
    check_list(3 * ENTRY - 1, 2);
}

static void next_entry_at_the_end_is_none(void **state)
{
    (void)state;
    put(0, ENTRY, 100);
    put(ENTRY, ENTRY, 104);
    check_list(2 * ENTRY, 2);
}

static void next_entry_beyond_the_end_is_none(void **state)
{
    (void)state;
    put(0, ENTRY, 100);
    put(ENTRY, ENTRY + 1, 104);
    put(2 * ENTRY + 1, 0, 108);
    check_list(2 * ENTRY, 2);
}

static void offset_that_wraps_around_is_the_end(void **state)
{
    (void)state;
    put(0, 2 * ENTRY, 100);
    put(ENTRY, 0, 108);
    put(2 * ENTRY, UINT32_MAX - ENTRY + 1, 104); /* back to ENTRY, if it were added */
    check_list(4 * ENTRY, 2);
}

static void entries_that_overlap_come_to_an_end(void **state)
{
    (void)state;
    put(0, 1, 100);
    for (size_t i = 1; i < 0x50; i++) {
        list.bytes[i] = 0;
    }
    list.bytes[1] = 1; /* next of the entry at 1: 1 */
    list.bytes[2] = 0;
    check_list(4 * ENTRY, 1);
}

static void list_shorter_than_an_entry_is_empty(void **state)
{
    (void)state;
    put(0, 0, 100);
    check_list(ENTRY - 1, 0);
}

static void empty_list_is_no_failure(void **state)
{
    (void)state;
    put(0, 0, 100);
    check_list(0, 0);
}

/* A kernel that tells a length beyond the buffer. */
static void list_ends_with_its_buffer(void **state)
{
    (void)state;
    put(0, 2 * (256u << 10), 100);
    check_list(4 * (256u << 10), 1);
}

static void list_may_end_one_byte_before_its_buffer(void **state)
{
    const size_t last = sizeof(list.bytes) - ENTRY;

    (void)state;
    put(0, (uint32_t)last, 100);
    put(last, 0, 104);
    check_list(sizeof(list.bytes) - 1, 1);
}

static void list_may_fill_its_buffer(void **state)
{
    const size_t last = sizeof(list.bytes) - ENTRY;

    (void)state;
    put(0, (uint32_t)last, 100);
    put(last, 0, 104);
    check_list(sizeof(list.bytes), 2);
}

static void without_the_callback_the_table_is_not_complete(void **state)
{
    struct ntsim_file *f;

    (void)state;
    (void)older(100, 0);
    ntsim_fail("PsSetCreateProcessNotifyRoutineEx", 0, 1, NTSIM_ACCESS_DENIED);
    f = expect_start();
    assert_int_equal(driver_stats(f).callback[WEDR_CALLBACK_PROCESS].state, WEDR_CALLBACK_FAILED);
    assert_int_equal(driver_stats(f).processes, 1);
    expect_some(f, WEDR_EV_PROCESS_CREATE, WEDR_LANE_CRITICAL);
    assert_false(is_complete(f));
}

#define LIST_TEST(f) cmocka_unit_test_setup_teardown(f, list_setup, list_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPECT_TEST_UNLOADED(each_living_process_is_announced_as_existing),
        EXPECT_TEST_UNLOADED(system_has_neither_image_nor_parent),
        EXPECT_TEST_UNLOADED(empty_machine_is_a_complete_table),
        EXPECT_TEST_UNLOADED(process_that_cannot_be_looked_up_is_left_out),
        EXPECT_TEST_UNLOADED(process_that_ended_but_is_still_an_object_is_left_out),
        EXPECT_TEST_UNLOADED(process_announced_by_its_creation_is_not_announced_again),
        EXPECT_TEST_UNLOADED(process_that_ends_before_the_table_has_it_does_not_stay),
        EXPECT_TEST_UNLOADED(thousands_of_processes_want_a_larger_list),
        EXPECT_TEST_UNLOADED(list_that_fits_exactly_is_read_at_once),
        EXPECT_TEST_UNLOADED(list_is_tried_up_to_16_mib),
        EXPECT_TEST_UNLOADED(list_of_16_mib_is_still_read),
        EXPECT_TEST_UNLOADED(list_that_fails_otherwise_is_not_tried_again),
        EXPECT_TEST_UNLOADED(without_memory_there_is_no_list),
        LIST_TEST(last_entry_may_end_with_the_list),
        LIST_TEST(entry_that_is_not_whole_is_not_read),
        LIST_TEST(next_entry_at_the_end_is_none),
        LIST_TEST(next_entry_beyond_the_end_is_none),
        LIST_TEST(offset_that_wraps_around_is_the_end),
        LIST_TEST(entries_that_overlap_come_to_an_end),
        LIST_TEST(list_shorter_than_an_entry_is_empty),
        LIST_TEST(empty_list_is_no_failure),
        LIST_TEST(list_ends_with_its_buffer),
        LIST_TEST(list_may_end_one_byte_before_its_buffer),
        LIST_TEST(list_may_fill_its_buffer),
        EXPECT_TEST_UNLOADED(without_the_callback_the_table_is_not_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
