/* SPDX-License-Identifier: Apache-2.0
 * The driver's life: what stands after a load, what is undone when a step fails, in which order it
 * goes down. */
#include "driver_fixture.h"
#include "nt_direct.h"

#define PROCEDURE_NOT_FOUND NTSIM_STATUS(0xc000007a)

/* Pool blocks of a loaded driver: the ring, two arenas, two shelves, the process table. */
#define BLOCKS 6u

static void expect_all_registered(unsigned count)
{
    for (unsigned i = 0; i < NTSIM_SOURCES; i++) {
        assert_int_equal(ntsim_registered((enum ntsim_source)i), count);
    }
}

static bool link_is_there(void)
{
    struct ntsim_text target;

    return ntsim_link(DRIVER_LINK, &target);
}

static bool device_is_there(void)
{
    struct ntsim_device d;

    return ntsim_device(DRIVER_DEVICE, &d);
}

/* ---- load and unload --------------------------------------------------------------------------
 */

static void a_loaded_driver_has_device_name_and_callbacks(void **state)
{
    struct ntsim_text target;

    (void)state;
    driver_load();
    expect_all_registered(1);
    assert_true(device_is_there());
    assert_true(ntsim_link(DRIVER_LINK, &target));
    assert_int_equal(target.len, sizeof(u"\\Device\\WazabiEDR") - 2);
    assert_memory_equal(target.units, u"\\Device\\WazabiEDR", target.len);
    assert_int_equal(ntsim_pool_live(), BLOCKS);
    assert_int_equal(ntsim_handles(), 0);
    assert_int_equal(ntsim_references(), 0);
    driver_unload();
    assert_false(device_is_there());
    assert_false(link_is_there());
}

static void it_loads_again_after_an_unload(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct ntsim_file *f = driver_start();
        struct driver_event e;

        driver_fire_exit(ntsim_system());
        e = driver_read_type(f, WEDR_EV_PROCESS_TERMINATE);
        assert_int_equal(e.v.h.seq, 1);
        driver_event_free(&e);
        driver_unload();
    }
}

static void expect_ready_for_requests(void *arg)
{
    expect_all_registered(1);
    assert_true(device_is_there());
    *(bool *)arg = true;
}

static void the_name_appears_last(void **state)
{
    bool seen = false;

    (void)state;
    ntsim_hook("IoCreateSymbolicLink", expect_ready_for_requests, &seen);
    driver_load();
    assert_true(seen);
}

static void expect_no_name(void *arg)
{
    assert_false(link_is_there());
    ++*(unsigned *)arg;
}

static void the_name_goes_first(void **state)
{
    unsigned seen = 0;

    (void)state;
    driver_load();
    ntsim_hook("ObUnRegisterCallbacks", expect_no_name, &seen);
    ntsim_hook("PsRemoveCreateThreadNotifyRoutine", expect_no_name, &seen);
    ntsim_hook("CmUnRegisterCallback", expect_no_name, &seen);
    ntsim_hook("PsRemoveLoadImageNotifyRoutine", expect_no_name, &seen);
    ntsim_hook("PsSetCreateProcessNotifyRoutineEx", expect_no_name, &seen);
    driver_unload();
    assert_int_equal(seen, 5);
}

/* ---- unload with work under way ---------------------------------------------------------------
 */

struct at_unload {
    struct ntsim_file *f;
    struct ntsim_process *p;
    unsigned parked; /* as seen when the last callback was gone */
    unsigned fired;
    bool refused;
};

static void fire_everything(void *arg)
{
    struct at_unload *a = arg;

    driver_fire_exit(a->p);
    driver_fire_image(8, false, 1, DRIVER_IMAGE_FIXED);
    driver_fire_thread_exit(8, 12);
    a->fired++;
}

static void callbacks_fire_until_each_is_unregistered(void **state)
{
    struct at_unload a = {0};

    (void)state;
    driver_load();
    a.p = driver_process(8, 4);
    ntsim_hook("ObUnRegisterCallbacks", fire_everything, &a);
    ntsim_hook("PsRemoveCreateThreadNotifyRoutine", fire_everything, &a);
    ntsim_hook("PsRemoveLoadImageNotifyRoutine", fire_everything, &a);
    ntsim_hook("PsSetCreateProcessNotifyRoutineEx", fire_everything, &a);
    ntsim_hook("PsSetCreateProcessNotifyRoutineEx.done", fire_everything, &a);
    driver_unload();
    assert_int_equal(a.fired, 5);
}

static void count_parked(void *arg)
{
    struct at_unload *a = arg;

    expect_all_registered(0);
    a->parked = ntsim_parked();
}

static void requests_wait_until_no_callback_is_left(void **state)
{
    struct at_unload a = {0};
    struct ntsim_irp *r[3];

    (void)state;
    a.f = driver_start();
    for (unsigned i = 0; i < 3; i++) {
        r[i] = driver_park(a.f);
    }
    ntsim_hook("PsSetCreateProcessNotifyRoutineEx.done", count_parked, &a);
    ntsim_unload();
    assert_int_equal(a.parked, 3);
    for (unsigned i = 0; i < 3; i++) {
        driver_expect(r[i], NTSIM_CANCELLED, 0);
    }
    assert_int_equal(ntsim_completions(), 4); /* with the CREATE */
    driver_close();
}

static void look_at_states(void *arg)
{
    struct at_unload *a = arg;
    struct wedr_ioctl_stats s = driver_stats(a->f);

    for (unsigned i = 0; i < WEDR_CALLBACK_COUNT; i++) {
        assert_int_equal(s.callback[i].state, WEDR_CALLBACK_STOPPED);
        assert_int_equal(s.callback[i].status, NTSIM_SUCCESS);
    }
    a->fired++;
}

static void sources_that_were_stopped_say_so(void **state)
{
    struct at_unload a = {0};

    (void)state;
    a.f = driver_start();
    ntsim_hook("IoDeleteDevice", look_at_states, &a);
    ntsim_unload();
    assert_int_equal(a.fired, 1);
    driver_close();
}

static void ask_once_more(void *arg)
{
    struct at_unload *a = arg;
    struct ntsim_irp *r;
    int32_t status;

    r = ntsim_ioctl_start(a->f, WEDR_IOCTL_GET_EVENT, NULL, 0, WEDR_RECORD_MAX, &status);
    assert_int_equal(status, NTSIM_PENDING);
    driver_expect(r, NTSIM_CANCELLED, 0);
    a->refused = true;
}

static void a_request_that_comes_during_unload_does_not_park(void **state)
{
    struct at_unload a = {0};

    (void)state;
    a.f = driver_start();
    ntsim_hook("IoDeleteDevice", ask_once_more, &a);
    ntsim_unload();
    assert_true(a.refused);
    driver_close();
}

static void expect_passive_and_count(void *arg)
{
    assert_int_equal(ntsim_irql(), 0);
    ++*(unsigned *)arg;
}

static void d27_unload_frees_blocks_not_records(void **state)
{
    struct ntsim_file *f;
    struct ntsim_process *p;
    unsigned freed = 0;

    (void)state;
    f = driver_start();
    p = driver_process(8, 4);
    for (unsigned i = 0; i < 4096; i++) {
        driver_fire_exit(p);
        driver_fire_thread_exit(8, 12);
    }
    assert_int_equal(driver_set_filter(f, WEDR_CLASS_ALL, NULL, 0, NULL, 0), 0);
    driver_close();
    ntsim_hook("ExFreePoolWithTag", expect_passive_and_count, &freed);
    driver_unload();
    assert_int_equal(freed, BLOCKS + 1); /* and the filter */
}

/* ---- steps of the load that fail --------------------------------------------------------------
 */

static void expect_undone(const char *function, unsigned skip, int32_t status, int32_t want)
{
    ntsim_fail(function, skip, 1, status);
    assert_int_equal(ntsim_load(), want);
    assert_false(ntsim_loaded());
    assert_int_equal(ntsim_pool_live(), 0);
    assert_int_equal(ntsim_handles(), 0);
    assert_int_equal(ntsim_references(), 0);
    expect_all_registered(0);
    assert_false(device_is_there());
    assert_false(link_is_there());
    ntsim_faults_clear();
}

static void without_memory_the_load_fails_and_is_undone(void **state)
{
    (void)state;
    /* The first is the path of the settings' key, which may be missing. */
    for (unsigned skip = 1; skip <= BLOCKS; skip++) {
        expect_undone("ExAllocatePool2", skip, 0, NTSIM_INSUFFICIENT_RESOURCES);
    }
    driver_load();
    assert_int_equal(ntsim_pool_live(), BLOCKS);
}

static void without_a_protected_device_the_load_fails_and_is_undone(void **state)
{
    static const struct {
        const char *function;
        unsigned calls;
    } steps[] = {{"IoCreateDevice", 1},
                 {"RtlCreateAcl", 1},
                 {"RtlAddAccessAllowedAce", 2},
                 {"RtlCreateSecurityDescriptor", 1},
                 {"RtlSetDaclSecurityDescriptor", 1},
                 {"ObOpenObjectByPointer", 1},
                 {"ZwSetSecurityObject", 1},
                 {"IoCreateSymbolicLink", 1}};

    (void)state;
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        for (unsigned skip = 0; skip < steps[i].calls; skip++) {
            int32_t status = NTSIM_STATUS(0xc0001000u + i * 16 + skip);

            expect_undone(steps[i].function, skip, status, status);
        }
    }
    driver_load();
}

static void a_device_of_that_name_fails_the_load(void **state)
{
    (void)state;
    expect_undone("IoCreateDevice", 0, NTSIM_OBJECT_NAME_COLLISION, NTSIM_OBJECT_NAME_COLLISION);
}

static void memory_of_an_older_kernel_is_zeroed_by_the_driver(void **state)
{
    struct ntsim_file *f;
    struct driver_event e;
    struct ntsim_process *p;

    (void)state;
    ntsim_hide("ExAllocatePool2");
    f = driver_start();
    assert_int_equal(ntsim_calls("ExAllocatePool2"), 0);
    assert_int_equal(ntsim_pool_live(), BLOCKS);
    assert_int_equal(driver_stats(f).processes, 0);
    p = driver_process(8, 4);
    driver_fire_start(p, NTSIM_TEXT(u"a"));
    assert_int_equal(driver_stats(f).processes, 1);
    e = driver_read_type(f, WEDR_EV_PROCESS_CREATE);
    driver_expect_text(&e, "command_line", NTSIM_TEXT(u"a"), 0);
    driver_event_free(&e);
}

static void without_memory_of_an_older_kernel_the_load_fails_and_is_undone(void **state)
{
    (void)state;
    ntsim_hide("ExAllocatePool2");
    ntsim_fail("ExAllocatePoolWithTag", BLOCKS, 1, 0);
    assert_int_equal(ntsim_load(), NTSIM_INSUFFICIENT_RESOURCES);
    assert_int_equal(ntsim_pool_live(), 0);
    ntsim_fail("ExAllocatePoolWithTag", BLOCKS + 1, 1, 0); /* the list of the inventory */
    driver_load();
}

static void expect_new(size_t count, size_t size)
{
    uint64_t bytes = ntsim_pool_bytes();
    uint8_t *p = direct_new(count, size);

    assert_non_null(p);
    assert_int_equal(ntsim_pool_bytes() - bytes, count * size);
    for (size_t i = 0; i < count * size; i++) {
        assert_int_equal(p[i], 0);
    }
    direct_free(p);
}

static void the_allocator_multiplies_zeroes_and_refuses(void **state)
{
    (void)state;
    for (unsigned old = 0; old < 2; old++) {
        if (old) {
            ntsim_hide("ExAllocatePool2");
        }
        driver_load();
        expect_new(1, 1);
        expect_new(10, 7);
        expect_new(3, 1000);
        assert_null(direct_new(0, 7));
        assert_null(direct_new(7, 0));
        assert_null(direct_new(0, 0));
        assert_null(direct_new(SIZE_MAX / 8 + 1, 8));
        assert_null(direct_new(8, SIZE_MAX / 8 + 1));
        assert_null(direct_new(SIZE_MAX, 2));
        direct_free(NULL);
        assert_int_equal(ntsim_pool_live(), BLOCKS);
        driver_unload();
    }
}

/* ---- sources ----------------------------------------------------------------------------------
 */

static void
expect_states(const struct wedr_ioctl_stats *s, unsigned odd, uint8_t state, int32_t status)
{
    for (unsigned i = 0; i < WEDR_CALLBACK_COUNT; i++) {
        assert_int_equal(s->callback[i].state, i == odd ? state : WEDR_CALLBACK_ACTIVE);
        assert_int_equal(s->callback[i].status, i == odd ? status : 0);
        assert_int_equal(s->callback[i].reserved0[0], 0);
        assert_int_equal(s->callback[i].calls, 0);
        assert_int_equal(s->callback[i].events, 0);
        assert_int_equal(s->callback[i].failed, 0);
    }
}

static void all_sources_are_active_after_a_plain_load(void **state)
{
    struct wedr_ioctl_stats s;

    (void)state;
    s = driver_stats(driver_start());
    expect_states(&s, WEDR_CALLBACK_MAX, 0, 0);
}

static void d24_a_source_that_cannot_register_says_so_and_the_others_work(void **state)
{
    static const struct {
        const char *function;
        unsigned callback;
        enum ntsim_source source;
    } sources[] = {
        {"PsSetCreateProcessNotifyRoutineEx", WEDR_CALLBACK_PROCESS, NTSIM_SOURCE_PROCESS},
        {"PsSetLoadImageNotifyRoutine", WEDR_CALLBACK_IMAGE, NTSIM_SOURCE_IMAGE},
        {"CmRegisterCallbackEx", WEDR_CALLBACK_REGISTRY, NTSIM_SOURCE_REGISTRY},
        {"PsSetCreateThreadNotifyRoutine", WEDR_CALLBACK_THREAD, NTSIM_SOURCE_THREAD},
        {"ObRegisterCallbacks", WEDR_CALLBACK_HANDLE, NTSIM_SOURCE_HANDLE}};

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        int32_t status = NTSIM_STATUS(0xc0002000u + i);
        struct wedr_ioctl_stats s;

        ntsim_fail(sources[i].function, 0, 1, status);
        s = driver_stats(driver_start());
        expect_states(&s, sources[i].callback, WEDR_CALLBACK_FAILED, status);
        for (unsigned k = 0; k < 5; k++) {
            assert_int_equal(ntsim_registered(sources[k].source), k == i ? 0 : 1);
        }
        driver_unload();
    }
}

static void d24_a_kernel_without_registry_callbacks_is_seen_as_such(void **state)
{
    static const char *const needed[] = {"CmRegisterCallbackEx", "CmUnRegisterCallback",
                                         "CmCallbackGetKeyObjectIDEx",
                                         "CmCallbackReleaseKeyObjectIDEx"};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct wedr_ioctl_stats s;

        ntsim_hide(needed[i]);
        s = driver_stats(driver_start());
        expect_states(&s, WEDR_CALLBACK_REGISTRY, WEDR_CALLBACK_ABSENT, PROCEDURE_NOT_FOUND);
        assert_int_equal(ntsim_registered(NTSIM_SOURCE_REGISTRY), 0);
        driver_unload();
        ntsim_faults_clear();
    }
}

static void d24_an_altitude_in_use_fails_those_two_sources_alone(void **state)
{
    struct wedr_ioctl_stats s;

    (void)state;
    ntsim_altitude_taken(NTSIM_TEXT(u"385100.7"));
    s = driver_stats(driver_start());
    for (unsigned i = 0; i < WEDR_CALLBACK_COUNT; i++) {
        bool failed = i == WEDR_CALLBACK_REGISTRY || i == WEDR_CALLBACK_HANDLE;

        assert_int_equal(s.callback[i].state, failed ? WEDR_CALLBACK_FAILED : WEDR_CALLBACK_ACTIVE);
        assert_int_equal(s.callback[i].status, failed ? NTSIM_ALTITUDE_COLLISION : 0);
    }
}

static void d24_with_no_source_at_all_the_driver_still_answers(void **state)
{
    struct wedr_ioctl_stats s;
    struct ntsim_file *f;

    (void)state;
    ntsim_fail("PsSetCreateProcessNotifyRoutineEx", 0, 1, 0);
    ntsim_fail("PsSetLoadImageNotifyRoutine", 0, 1, 0);
    ntsim_fail("CmRegisterCallbackEx", 0, 1, 0);
    ntsim_fail("PsSetCreateThreadNotifyRoutine", 0, 1, 0);
    ntsim_fail("ObRegisterCallbacks", 0, 1, 0);
    f = driver_start();
    s = driver_stats(f);
    for (unsigned i = 0; i < WEDR_CALLBACK_COUNT; i++) {
        assert_int_equal(s.callback[i].state, WEDR_CALLBACK_FAILED);
        assert_int_equal(s.callback[i].status, NTSIM_INSUFFICIENT_RESOURCES);
    }
    expect_all_registered(0);
    driver_cancel(driver_park(f));
}

static void an_inventory_without_memory_is_counted_and_the_driver_goes_on(void **state)
{
    struct wedr_ioctl_stats s;

    (void)state;
    ntsim_fail("ExAllocatePool2", BLOCKS + 1, 1, 0);
    s = driver_stats(driver_start());
    assert_int_equal(s.callback[WEDR_CALLBACK_PROCESS].failed, 1);
    assert_int_equal(s.callback[WEDR_CALLBACK_PROCESS].state, WEDR_CALLBACK_ACTIVE);
}

/* Between the registration and the moment its cookie is there. */
struct early {
    struct ntsim_key *key;
    unsigned fired;
};

static void write_a_value(void *arg)
{
    struct early *e = arg;

    assert_int_equal(
        ntsim_fire_registry_set_value(e->key, NTSIM_TEXT(u"x"), 1, u"y", 2, NTSIM_SUCCESS), 0);
    e->fired++;
}

static void d16_registry_calls_before_the_cookie_is_there_are_passed_by(void **state)
{
    struct early e = {0};
    struct wedr_ioctl_stats s;
    struct driver_event read;
    struct ntsim_file *f;

    (void)state;
    e.key = ntsim_key_new(
        NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run"));
    ntsim_hook("CmRegisterCallbackEx.done", write_a_value, &e);
    f = driver_start();
    assert_int_equal(e.fired, 1);
    assert_int_equal(ntsim_calls("CmCallbackGetKeyObjectIDEx"), 0);
    s = driver_stats(f);
    assert_int_equal(s.callback[WEDR_CALLBACK_REGISTRY].calls, 1);
    assert_int_equal(s.callback[WEDR_CALLBACK_REGISTRY].events, 0);
    assert_int_equal(s.callback[WEDR_CALLBACK_REGISTRY].failed, 0);
    write_a_value(&e);
    read = driver_read_type(f, WEDR_EV_REGISTRY_WRITE);
    driver_event_free(&read);
    assert_int_equal(ntsim_calls("CmCallbackGetKeyObjectIDEx"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DRIVER_TEST(a_loaded_driver_has_device_name_and_callbacks),
        DRIVER_TEST(it_loads_again_after_an_unload),
        DRIVER_TEST(the_name_appears_last),
        DRIVER_TEST(the_name_goes_first),
        DRIVER_TEST(callbacks_fire_until_each_is_unregistered),
        DRIVER_TEST(requests_wait_until_no_callback_is_left),
        DRIVER_TEST(sources_that_were_stopped_say_so),
        DRIVER_TEST(a_request_that_comes_during_unload_does_not_park),
        DRIVER_TEST(d27_unload_frees_blocks_not_records),
        DRIVER_TEST(without_memory_the_load_fails_and_is_undone),
        DRIVER_TEST(without_a_protected_device_the_load_fails_and_is_undone),
        DRIVER_TEST(a_device_of_that_name_fails_the_load),
        DRIVER_TEST(memory_of_an_older_kernel_is_zeroed_by_the_driver),
        DRIVER_TEST(without_memory_of_an_older_kernel_the_load_fails_and_is_undone),
        DRIVER_TEST(the_allocator_multiplies_zeroes_and_refuses),
        DRIVER_TEST(all_sources_are_active_after_a_plain_load),
        DRIVER_TEST(d24_a_source_that_cannot_register_says_so_and_the_others_work),
        DRIVER_TEST(d24_a_kernel_without_registry_callbacks_is_seen_as_such),
        DRIVER_TEST(d24_an_altitude_in_use_fails_those_two_sources_alone),
        DRIVER_TEST(d24_with_no_source_at_all_the_driver_still_answers),
        DRIVER_TEST(an_inventory_without_memory_is_counted_and_the_driver_goes_on),
        DRIVER_TEST(d16_registry_calls_before_the_cookie_is_there_are_passed_by),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
