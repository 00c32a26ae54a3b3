/* SPDX-License-Identifier: Apache-2.0
 * The device: who may open it, how handles come and go, what its requests answer. */
#include "driver_fixture.h"
#include "nt_direct.h"
#include "nt_probe.h"

#define MJ_CREATE 0x00u
#define MJ_CLOSE 0x02u
#define MJ_DEVICE_CONTROL 0x0eu
#define MJ_CLEANUP 0x12u
#define MJ_MAXIMUM 0x1bu
#define FILE_ALL_ACCESS 0x001f01ffu
#define DO_BUFFERED_IO 0x4u
#define DO_DEVICE_INITIALIZING 0x80u

static const uint8_t local_system[] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0};
static const uint8_t administrators[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0};

static int32_t major(struct ntsim_file *f, unsigned function)
{
    int32_t status = NTSIM_UNSUCCESSFUL;
    struct ntsim_irp *r = ntsim_major_start(f, function, &status);

    driver_expect(r, status, 0);
    return status;
}

/* ---- access -----------------------------------------------------------------------------------
 */

static void d09_system_and_administrators_alone_may_open_the_device(void **state)
{
    struct ntsim_device d;

    (void)state;
    driver_load();
    assert_true(ntsim_device(DRIVER_DEVICE, &d));
    assert_int_equal(d.type, 0x22);
    assert_int_equal(d.characteristics, 0x100); /* FILE_DEVICE_SECURE_OPEN */
    assert_true(d.exclusive);
    assert_int_equal(d.flags & DO_BUFFERED_IO, DO_BUFFERED_IO);
    assert_int_equal(d.flags & DO_DEVICE_INITIALIZING, 0);
    assert_int_equal(d.extension, 0);
    assert_true(d.has_dacl && d.dacl_protected && !d.dacl_null && !d.dacl_defaulted);
    assert_int_equal(d.aces, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(d.ace[i].type, 0);
        assert_int_equal(d.ace[i].flags, 0);
        assert_int_equal(d.ace[i].mask, FILE_ALL_ACCESS);
    }
    assert_int_equal(d.ace[0].sid_len, sizeof(local_system));
    assert_memory_equal(d.ace[0].sid, local_system, sizeof(local_system));
    assert_int_equal(d.ace[1].sid_len, sizeof(administrators));
    assert_memory_equal(d.ace[1].sid, administrators, sizeof(administrators));
}

static void expect_protected_and_closed(void *arg)
{
    struct ntsim_device d;

    assert_true(ntsim_device(DRIVER_DEVICE, &d));
    assert_true(d.has_dacl);
    assert_int_equal(d.flags & DO_DEVICE_INITIALIZING, DO_DEVICE_INITIALIZING);
    *(bool *)arg = true;
}

static void d09_the_access_list_is_there_before_the_name(void **state)
{
    bool seen = false;

    (void)state;
    ntsim_hook("IoCreateSymbolicLink", expect_protected_and_closed, &seen);
    driver_load();
    assert_true(seen);
}

static void d09_a_second_open_is_refused_by_the_driver_itself(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r = driver_park(f);
    int32_t status;

    (void)state;
    assert_null(ntsim_open(&status)); /* the I/O manager's answer */
    assert_int_equal(status, NTSIM_ACCESS_DENIED);
    assert_int_equal(driver_stats(f).refused, 0);
    assert_null(ntsim_open_shared(&status)); /* ours */
    assert_int_equal(status, NTSIM_ACCESS_DENIED);
    assert_int_equal(driver_stats(f).refused, 1);
    assert_null(ntsim_open_name(NTSIM_TEXT(u"\\Device\\WazabiEDR\\tail"), &status));
    assert_int_equal(status, NTSIM_ACCESS_DENIED);
    assert_false(ntsim_irp_done(r));
    driver_cancel(r);
    driver_close();
    f = ntsim_open_shared(&status);
    assert_int_equal(status, NTSIM_SUCCESS);
    driver_cancel(driver_park(f));
    ntsim_close_handle(f);
}

static void the_device_opens_by_either_name(void **state)
{
    static const struct ntsim_text names[] = {NTSIM_TEXT(u"\\Device\\WazabiEDR"),
                                              NTSIM_TEXT(u"\\??\\WazabiEDR"),
                                              NTSIM_TEXT(u"\\DosDevices\\WazabiEDR")};

    (void)state;
    driver_load();
    for (unsigned i = 0; i < 3; i++) {
        int32_t status;
        struct ntsim_file *f = ntsim_open_name(names[i], &status);

        assert_int_equal(status, NTSIM_SUCCESS);
        (void)driver_version(f);
        ntsim_close_handle(f);
    }
}

/* ---- handles ----------------------------------------------------------------------------------
 */

static void expect_all_cancelled(struct ntsim_irp **r, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        driver_expect(r[i], NTSIM_CANCELLED, 0);
    }
}

static void expect_no_parking(struct ntsim_file *f)
{
    static const uint32_t codes[] = {WEDR_IOCTL_GET_EVENT, WEDR_IOCTL_GET_EVENTS};

    for (unsigned i = 0; i < 2; i++) {
        int32_t status;
        struct ntsim_irp *r = ntsim_ioctl_start(f, codes[i], NULL, 0, WEDR_RECORD_MAX, &status);

        assert_int_equal(status, NTSIM_PENDING);
        driver_expect(r, NTSIM_CANCELLED, 0);
    }
}

static void d03_cleanup_cancels_what_its_handle_has_parked(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r[3];
    uint64_t before;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        r[i] = driver_park(f);
    }
    before = ntsim_completions();
    assert_int_equal(ntsim_cleanup(f), NTSIM_SUCCESS);
    assert_int_equal(ntsim_completions() - before, 4); /* these three and the CLEANUP */
    assert_int_equal(ntsim_parked(), 0);
    expect_all_cancelled(r, 3);
    expect_no_parking(f);
    assert_int_equal(driver_stats(f).cancelled, 3);
    assert_int_equal(driver_stats(f).parked, 0);
}

static void close_without_cleanup_cancels_what_is_parked(void **state)
{
    struct ntsim_irp *r[3];
    struct ntsim_file *f;
    int32_t status;

    (void)state;
    driver_load();
    f = ntsim_open(&status);
    for (unsigned i = 0; i < 3; i++) {
        r[i] = driver_park(f);
    }
    assert_int_equal(ntsim_close(f), NTSIM_SUCCESS);
    expect_all_cancelled(r, 3);
    assert_int_equal(driver_stats(driver_open()).cancelled, 3);
}

static void a_handle_is_closed_twice_without_harm(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    assert_int_equal(major(f, MJ_CLEANUP), NTSIM_SUCCESS);
    assert_int_equal(major(f, MJ_CLEANUP), NTSIM_SUCCESS);
    assert_int_equal(major(f, MJ_CLOSE), NTSIM_SUCCESS);
    assert_int_equal(major(f, MJ_CLOSE), NTSIM_SUCCESS);
    assert_int_equal(driver_stats(f).cancelled, 0);
}

static void after_cleanup_the_device_stays_taken_until_close(void **state)
{
    struct ntsim_file *f = driver_start();
    int32_t status;

    (void)state;
    assert_int_equal(ntsim_cleanup(f), NTSIM_SUCCESS);
    assert_null(ntsim_open_shared(&status));
    assert_int_equal(status, NTSIM_ACCESS_DENIED);
}

/* The first handle is closed in the driver's eyes, while the object lives on. */
static void d03_the_end_of_another_handle_leaves_the_reader_alone(void **state)
{
    struct ntsim_file *old = driver_start(), *f;
    struct ntsim_irp *r;
    struct driver_event e;
    int32_t status;

    (void)state;
    assert_int_equal(major(old, MJ_CLOSE), NTSIM_SUCCESS);
    f = ntsim_open_shared(&status);
    assert_int_equal(status, NTSIM_SUCCESS);
    r = driver_park(f);
    assert_int_equal(ntsim_cleanup(old), NTSIM_SUCCESS);
    assert_int_equal(major(old, MJ_CLOSE), NTSIM_SUCCESS);
    assert_false(ntsim_irp_done(r));
    assert_int_equal(driver_stats(f).cancelled, 0);
    assert_int_equal(driver_stats(f).parked, 1);
    expect_no_parking(old);
    assert_null(ntsim_open_shared(&status)); /* the device is still f's */
    assert_int_equal(status, NTSIM_ACCESS_DENIED);
    driver_fire_exit(driver_process(8, 4));
    e = driver_take(r);
    driver_event_free(&e);
    ntsim_close_handle(f);
}

struct reopening {
    unsigned tried;
};

static void try_to_open(void *arg)
{
    struct reopening *r = arg;
    int32_t status;

    if (r->tried++ < 2) {
        assert_null(ntsim_open_shared(&status));
        assert_int_equal(status, NTSIM_ACCESS_DENIED);
    }
}

static void the_device_is_free_when_nothing_of_the_old_handle_waits(void **state)
{
    struct reopening tries = {0};
    struct ntsim_irp *r[2];
    struct ntsim_file *f;
    int32_t status;

    (void)state;
    driver_load();
    f = ntsim_open(&status);
    r[0] = driver_park(f);
    r[1] = driver_park(f);
    ntsim_hook("IofCompleteRequest", try_to_open, &tries);
    assert_int_equal(ntsim_close(f), NTSIM_SUCCESS);
    ntsim_hook("IofCompleteRequest", NULL, NULL);
    assert_int_equal(tries.tried, 3); /* the last is the CLOSE itself */
    expect_all_cancelled(r, 2);
    (void)driver_open();
}

static void control_requests_without_a_file_object_are_refused(void **state)
{
    static const uint32_t codes[] = {WEDR_IOCTL_GET_EVENT, WEDR_IOCTL_GET_EVENTS,
                                     WEDR_IOCTL_GET_STATS, WEDR_IOCTL_GET_VERSION,
                                     WEDR_IOCTL_SET_FILTER};
    struct ntsim_file *f = driver_start();

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(direct_control_without_file(f, codes[i], WEDR_RECORD_MAX),
                         NTSIM_INVALID_DEVICE_REQUEST);
        assert_int_equal(driver_stats(f).refused, i + 1);
    }
    driver_expect_empty(f);
}

static void requests_without_a_file_object_change_nothing(void **state)
{
    struct ntsim_file *f = driver_start();
    struct ntsim_irp *r = driver_park(f);
    int32_t status;

    (void)state;
    assert_int_equal(direct_without_file(f, MJ_CREATE), NTSIM_ACCESS_DENIED);
    assert_int_equal(direct_without_file(f, MJ_CLEANUP), NTSIM_SUCCESS);
    assert_int_equal(direct_without_file(f, MJ_CLOSE), NTSIM_SUCCESS);
    assert_false(ntsim_irp_done(r));
    driver_cancel(driver_park(f));
    assert_null(ntsim_open_shared(&status));
    driver_cancel(r);
    assert_int_equal(major(f, MJ_CLOSE), NTSIM_SUCCESS);
    /* Now it is free, but not for nobody. */
    assert_int_equal(direct_without_file(f, MJ_CREATE), NTSIM_ACCESS_DENIED);
    assert_int_equal(driver_stats(f).refused, 3);
    assert_int_equal(major(f, MJ_CREATE), NTSIM_SUCCESS);
    driver_cancel(driver_park(f));
}

/* ---- requests ---------------------------------------------------------------------------------
 */

static void other_major_functions_are_refused(void **state)
{
    struct ntsim_file *f = driver_start();

    (void)state;
    assert_int_equal(ntsim_majors_unset(), 0);
    for (unsigned i = 0; i <= MJ_MAXIMUM; i++) {
        if (i != MJ_CREATE && i != MJ_CLOSE && i != MJ_DEVICE_CONTROL && i != MJ_CLEANUP) {
            assert_int_equal(major(f, i), NTSIM_INVALID_DEVICE_REQUEST);
        }
    }
    assert_int_equal(driver_stats(f).refused, 0);
}

static void unknown_codes_are_refused_and_counted(void **state)
{
    static const uint32_t codes[] = {0,          1,          0x00225ffc, 0x00226001, 0x00226002,
                                     0x00226003, 0x00226010, 0x00226014, 0x00222000, 0x0022a000,
                                     0x0022e000, 0x0022e014, 0x00326000, 0x80226000, UINT32_MAX};
    struct ntsim_file *f = driver_start();

    (void)state;
    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        int32_t status;
        struct ntsim_irp *r = ntsim_ioctl_start(f, codes[i], "abcd", 4, WEDR_RECORD_MAX, &status);

        assert_int_equal(status, NTSIM_INVALID_DEVICE_REQUEST);
        driver_expect(r, NTSIM_INVALID_DEVICE_REQUEST, 0);
        assert_int_equal(driver_stats(f).refused, i + 1);
    }
}

/* With every length from 0 on an answer is refused below 16 bytes, and else is what fits. */
static void expect_prefixes(struct ntsim_file *f, uint32_t code, size_t full)
{
    static uint8_t whole[1024], part[1024];
    size_t len = 0;

    assert_int_equal(ntsim_ioctl(f, code, NULL, 0, whole, sizeof(whole), &len, NULL),
                     NTSIM_SUCCESS);
    assert_int_equal(len, full);
    for (size_t room = 0; room <= full + 8; room++) {
        size_t want = room < 16 ? 0 : room < full ? room : full;
        uint64_t refused = driver_stats(f).refused;

        len = 1;
        memset(part, 0xee, sizeof(part));
        assert_int_equal(ntsim_ioctl(f, code, NULL, 0, part, room, &len, NULL),
                         room < 16 ? NTSIM_BUFFER_TOO_SMALL : NTSIM_SUCCESS);
        assert_int_equal(len, want);
        assert_memory_equal(part, whole, want < 64 ? want : 64);
        if (want > 72) { /* at 64 are the refusals, which go on */
            assert_memory_equal(part + 72, whole + 72, want - 72);
        }
        assert_int_equal(part[want], 0xee);
        assert_int_equal(driver_stats(f).refused - refused, room < 16 ? 1 : 0);
    }
}

static void a_short_version_is_cut_at_any_length(void **state)
{
    (void)state;
    expect_prefixes(driver_start(), WEDR_IOCTL_GET_VERSION, 64);
}

static void short_statistics_are_cut_at_any_length(void **state)
{
    (void)state;
    expect_prefixes(driver_start(), WEDR_IOCTL_GET_STATS, 608);
}

static void every_byte_of_the_version_is_as_documented(void **state)
{
    struct ntsim_file *f;
    struct wedr_ioctl_stats s;
    struct wedr_ioctl_version v;
    struct wedr_ioctl_version want = {.size = 64,
                                      .ioctl_version = 1,
                                      .wire_version = 7,
                                      .driver_major = 0,
                                      .driver_minor = 1,
                                      .driver_patch = 0,
                                      .record_max = 131072,
                                      .lane_slots = 4096,
                                      .lane_bytes = 700000};

    (void)state;
    driver_set_lanes(700000, 600000);
    f = driver_start();
    direct_soil_results();
    v = driver_version(f);
    s = driver_stats(f);
    want.epoch = s.epoch;
    memcpy(want.boot_id, s.boot_id, sizeof(want.boot_id));
    assert_memory_equal(&v, &want, sizeof(v));
}

static struct wedr_ioctl_stats stats_with_bugs(struct ntsim_file *f)
{
    struct wedr_ioctl_stats s;

    assert_int_equal(ntsim_ioctl(f, WEDR_IOCTL_GET_STATS, NULL, 0, &s, sizeof(s), NULL, NULL), 0);
    return s;
}

static void an_inconsistency_that_was_survived_is_counted(void **state)
{
    struct ntsim_file *f = driver_start();
    uint8_t no_place;

    (void)state;
    for (unsigned i = 1; i <= 3; i++) {
        probe_stage_release(&no_place);
        assert_int_equal(stats_with_bugs(f).bugs, i);
    }
    driver_unload();
    assert_int_equal(stats_with_bugs(driver_start()).bugs, 0);
}

static void processes_beyond_the_table_are_counted(void **state)
{
    struct ntsim_file *f = driver_start();
    struct wedr_ioctl_stats s;

    (void)state;
    for (uint32_t i = 1; i <= PROBE_PROCTAB_MAX + 3; i++) {
        const struct probe_proc p = {.pid = i * 4};

        assert_int_equal(probe_proctab_add(&p, false), i <= PROBE_PROCTAB_MAX);
    }
    s = driver_stats(f);
    assert_int_equal(s.processes, PROBE_PROCTAB_MAX);
    assert_int_equal(s.processes_untracked, 3);
}

static void every_byte_of_the_statistics_is_as_documented(void **state)
{
    struct ntsim_file *f = driver_start();
    struct wedr_ioctl_version v = driver_version(f);
    struct wedr_ioctl_stats s;
    struct wedr_ioctl_stats want = {.size = 608,
                                    .ioctl_version = 1,
                                    .lane_count = 2,
                                    .callback_count = 5,
                                    .epoch = v.epoch,
                                    .start_time = NTSIM_TIME,
                                    .parked = 2,
                                    .filter_generation = 1,
                                    .completed = 3,
                                    .cancelled = 1,
                                    .refused = 1,
                                    .processes = 0};

    (void)state;
    memcpy(want.boot_id, v.boot_id, sizeof(want.boot_id));
    for (unsigned i = 0; i < 5; i++) {
        want.callback[i].state = WEDR_CALLBACK_ACTIVE;
    }
    want.lane[0] = (struct wedr_ioctl_lane){.produced = 2,
                                            .delivered = 2,
                                            .bytes_delivered = 2 * DRIVER_SMALL,
                                            .queued_peak = 1,
                                            .bytes_peak = DRIVER_SMALL};
    want.lane[1] = (struct wedr_ioctl_lane){.produced = 1,
                                            .delivered = 1,
                                            .bytes_delivered = DRIVER_SMALL,
                                            .queued_peak = 1,
                                            .bytes_peak = DRIVER_SMALL};
    want.callback[WEDR_CALLBACK_PROCESS].calls = 2;
    want.callback[WEDR_CALLBACK_PROCESS].events = 2;
    want.callback[WEDR_CALLBACK_THREAD].calls = 1;
    want.callback[WEDR_CALLBACK_THREAD].events = 1;

    assert_int_equal(driver_set_filter(f, WEDR_CLASS_ALL, NULL, 0, NULL, 0), NTSIM_SUCCESS);
    assert_int_equal(driver_set_filter(f, 0, NULL, 0, NULL, 0), NTSIM_INVALID_PARAMETER);
    driver_fire_exit(driver_process(8, 4));
    assert_int_equal(driver_drain(f), 1);
    driver_fire_exit(ntsim_process_find(8));
    assert_int_equal(driver_drain(f), 1);
    driver_fire_thread_exit(8, 12);
    assert_int_equal(driver_drain(f), 1);
    driver_cancel(driver_park(f));
    (void)driver_park(f);
    (void)driver_park_code(f, WEDR_IOCTL_GET_EVENTS);
    direct_soil_results();
    s = driver_stats(f);
    assert_memory_equal(&s, &want, sizeof(s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_TEST(d09_system_and_administrators_alone_may_open_the_device),
        DRIVER_TEST(d09_the_access_list_is_there_before_the_name),
        DRIVER_TEST(d09_a_second_open_is_refused_by_the_driver_itself),
        DRIVER_TEST(the_device_opens_by_either_name),
        DRIVER_TEST(d03_cleanup_cancels_what_its_handle_has_parked),
        DRIVER_TEST(close_without_cleanup_cancels_what_is_parked),
        DRIVER_TEST(a_handle_is_closed_twice_without_harm),
        DRIVER_TEST(after_cleanup_the_device_stays_taken_until_close),
        DRIVER_TEST(d03_the_end_of_another_handle_leaves_the_reader_alone),
        DRIVER_TEST(the_device_is_free_when_nothing_of_the_old_handle_waits),
        DRIVER_TEST(control_requests_without_a_file_object_are_refused),
        DRIVER_TEST(requests_without_a_file_object_change_nothing),
        DRIVER_TEST(other_major_functions_are_refused),
        DRIVER_TEST(unknown_codes_are_refused_and_counted),
        DRIVER_TEST(a_short_version_is_cut_at_any_length),
        DRIVER_TEST(short_statistics_are_cut_at_any_length),
        DRIVER_TEST(every_byte_of_the_version_is_as_documented),
        DRIVER_TEST(an_inconsistency_that_was_survived_is_counted),
        DRIVER_TEST(processes_beyond_the_table_are_counted),
        DRIVER_TEST(every_byte_of_the_statistics_is_as_documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
