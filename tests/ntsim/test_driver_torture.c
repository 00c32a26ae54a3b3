/* SPDX-License-Identifier: Apache-2.0
 * Every call that can fail, failing once: the n-th of a load, the n-th of a session. */
#include "driver_fixture.h"

#define STEPS_MAX 1000u /* far more than there are */

#define RUN u"\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run"

/* ---- one session: each callback, each request -------------------------------------------------
 */

static void fire_registry(void)
{
    const struct ntsim_registry ops[] = {
        {.op = NTSIM_REG_LOAD,
         .key = ntsim_key_new(NTSIM_TEXT(u"\\REGISTRY\\MACHINE")),
         .name = NTSIM_TEXT(u"Hive"),
         .file = NTSIM_TEXT(u"\\??\\C:\\hive")},
        {.op = NTSIM_REG_RESTORE, .key = ntsim_key_new(NTSIM_TEXT(RUN))},
        {.op = NTSIM_REG_REPLACE,
         .key = ntsim_key_new(NTSIM_TEXT(RUN)),
         .name = NTSIM_TEXT(u"\\??\\C:\\new"),
         .file = NTSIM_TEXT(u"\\??\\C:\\old")},
        {.op = NTSIM_REG_SET_SECURITY, .key = ntsim_key_new(NTSIM_TEXT(RUN)), .type = 4},
    };
    struct ntsim_key *k = ntsim_key_new(NTSIM_TEXT(RUN));

    (void)ntsim_fire_registry_set_value(k, NTSIM_TEXT(u"value"), 1, u"data", 8, NTSIM_SUCCESS);
    (void)ntsim_fire_registry_delete_value(k, NTSIM_TEXT(u"value"), NTSIM_SUCCESS);
    (void)ntsim_fire_registry_create_key(k, NTSIM_TEXT(u"Sub"),
                                         ntsim_key_new(NTSIM_TEXT(RUN u"\\Sub")), 1, NTSIM_SUCCESS);
    (void)ntsim_fire_registry_create_key(k, NTSIM_TEXT(u"Sub"), NULL, 0, NTSIM_ACCESS_DENIED);
    (void)ntsim_fire_registry_rename_key(k, NTSIM_TEXT(u"Other"), NTSIM_SUCCESS);
    (void)ntsim_fire_registry_delete_key(ntsim_key_new(NTSIM_TEXT(RUN)), NTSIM_SUCCESS);
    for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        struct ntsim_registry op = ops[i];

        (void)ntsim_fire_registry(&op, NTSIM_SUCCESS);
    }
}
#define REGISTRY_CHANGES 10u

/* Two records of processes, two of images, two of threads, one of a handle. */
static void fire_the_rest(void)
{
    struct ntsim_process *parent = ntsim_process_find(100), *child = driver_process(200, 100);
    const struct ntsim_handle h = {.process = parent, .access = 0x1fffff};

    ntsim_set_current(ntsim_thread_new(parent, 104));
    driver_fire_start(child, NTSIM_TEXT(u"child.exe /run"));
    ntsim_fire_thread(200, 204, true);
    ntsim_set_current(ntsim_thread_new(child, 204));
    driver_fire_image(200, false, 1, 300);
    driver_fire_image(0, true, 2, 300);
    (void)ntsim_fire_handle(&h);
    driver_fire_thread_exit(200, 204);
    ntsim_set_current(NULL);
    ntsim_fire_process_exit(child);
    ntsim_process_end(child);
}

static void expect_one_of(int32_t status, int32_t good, int32_t bad)
{
    if (status != good) {
        assert_int_equal(status, bad);
    }
}

static void ask(struct ntsim_file *f)
{
    static const struct ntsim_text paths[] = {NTSIM_TEXT(u"\\Device\\Left\\Out")};
    static const struct ntsim_text keys[] = {NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\Mine")};

    (void)driver_version(f);
    (void)driver_stats(f);
    expect_one_of(driver_set_filter(f, WEDR_CLASS_ALL, paths, 1, keys, 1), NTSIM_SUCCESS,
                  NTSIM_INSUFFICIENT_RESOURCES);
    expect_one_of(driver_set_filter(f, WEDR_CLASS_ALL, NULL, 0, keys, 1), NTSIM_SUCCESS,
                  NTSIM_INSUFFICIENT_RESOURCES);
    assert_int_equal(driver_set_filter(f, 0, NULL, 0, NULL, 0), NTSIM_INVALID_PARAMETER);
}

/* Reads all there is, each record whole; how many. */
static size_t read_all(struct ntsim_file *f)
{
    struct wedr_ioctl_stats s = driver_stats(f);
    size_t queued = (size_t)s.lane[0].queued + s.lane[1].queued;
    size_t count = 0;

    while (count < queued) {
        struct driver_event e[64];
        size_t got = driver_read_batch(f, WEDR_RECORD_MAX, e, 64);

        assert_true(got > 0);
        for (size_t i = 0; i < got; i++) {
            driver_event_free(&e[i]);
        }
        count += got;
    }
    assert_int_equal(count, queued);
    driver_expect_empty(f);
    return count;
}

/* before: the statistics when the session began. all: every source is active. */
static void expect_account(struct ntsim_file *f, const struct wedr_ioctl_stats *before, bool all)
{
    static const unsigned records[WEDR_CALLBACK_COUNT] = {2, 2, REGISTRY_CHANGES, 2, 1};
    struct wedr_ioctl_stats s = driver_stats(f);

    for (unsigned i = 0; i < WEDR_CALLBACK_COUNT; i++) {
        uint64_t events = s.callback[i].events - before->callback[i].events;
        uint64_t failed = s.callback[i].failed - before->callback[i].failed;

        if (all || s.callback[i].state == WEDR_CALLBACK_ACTIVE) {
            assert_int_equal(events + failed, records[i]);
        } else {
            assert_int_equal(events + failed, 0);
        }
        /* Only a change of a key without a name is not told. */
        assert_true(failed == 0 || i == WEDR_CALLBACK_REGISTRY);
    }
    assert_int_equal(driver_lost(&s.lane[0]), 0);
    assert_int_equal(driver_lost(&s.lane[1]), 0);
}

static void session(struct ntsim_file *f, bool all)
{
    struct wedr_ioctl_stats before = driver_stats(f);

    fire_the_rest();
    fire_registry();
    ask(f);
    expect_account(f, &before, all);
    (void)read_all(f);
    driver_cancel(driver_park(f));
}

/* ---- the n-th failure -------------------------------------------------------------------------
 */

static void fresh_machine(bool old_kernel)
{
    ntsim_reset();
    driver_time_limit(DRIVER_TEST_SECONDS);
    (void)driver_process(100, 4);
    driver_set_lanes(512u << 10, 512u << 10);
    if (old_kernel) {
        ntsim_hide("ExAllocatePool2");
        ntsim_hide("PsGetProcessStartKey");
    }
}

/* False when there is no n-th call. */
static bool load_with_failure(uint64_t n, bool old_kernel)
{
    int32_t status;
    bool hit;

    fresh_machine(old_kernel);
    ntsim_fail_nth(n);
    status = ntsim_load();
    hit = ntsim_fault_hit();
    ntsim_fail_nth(0);
    if (status != NTSIM_SUCCESS) {
        assert_true(hit);
        assert_int_equal(status, NTSIM_INSUFFICIENT_RESOURCES);
        assert_int_equal(ntsim_pool_live(), 0);
        assert_int_equal(ntsim_handles(), 0);
        assert_int_equal(ntsim_references(), 0);
        driver_load(); /* and nothing of it is in the way now */
    }
    session(driver_open(), false);
    driver_unload();
    return hit;
}

static void each_failing_call_of_a_load_is_undone_or_lived_with(void **state)
{
    uint64_t n = 1;

    (void)state;
    while (load_with_failure(n, false)) {
        assert_true(++n < STEPS_MAX);
    }
    assert_true(n > 30);
}

static void the_same_on_an_older_kernel(void **state)
{
    uint64_t n = 1;

    (void)state;
    while (load_with_failure(n, true)) {
        assert_true(++n < STEPS_MAX);
    }
    assert_true(n > 28);
}

static bool session_with_failure(uint64_t n)
{
    struct ntsim_file *f;
    bool hit;

    fresh_machine(false);
    f = driver_start();
    (void)read_all(f);
    ntsim_fail_nth(n);
    session(f, true);
    hit = ntsim_fault_hit();
    ntsim_fail_nth(0);
    session(f, true); /* as if nothing had been */
    driver_unload();
    return hit;
}

static void each_failing_call_of_a_session_is_lived_with(void **state)
{
    uint64_t n = 1;

    (void)state;
    while (session_with_failure(n)) {
        assert_true(++n < STEPS_MAX);
    }
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_TEST(each_failing_call_of_a_load_is_undone_or_lived_with),
        DRIVER_TEST(the_same_on_an_older_kernel),
        DRIVER_TEST(each_failing_call_of_a_session_is_lived_with),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
