/* SPDX-License-Identifier: Apache-2.0
 * Callbacks are fired with what the test says, and never after they were unregistered. */
#include "ntsim.h"
#include "tiny.h"
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int setup(void **state)
{
    (void)state;
    tiny_sin = TINY_GOOD;
    ntsim_reset();
    return ntsim_load();
}

static int teardown(void **state)
{
    (void)state;
    ntsim_reset();
    return 0;
}

static void registrations_are_seen(void **state)
{
    size_t len;

    (void)state;
    for (unsigned s = 0; s < NTSIM_SOURCES; s++) {
        assert_int_equal(ntsim_registered((enum ntsim_source)s), 1);
    }
    assert_memory_equal(ntsim_altitude(NTSIM_SOURCE_REGISTRY, &len), u"321", 6);
    assert_int_equal(len, 6);
    assert_memory_equal(ntsim_altitude(NTSIM_SOURCE_HANDLE, &len), u"321.5", 10);
    assert_int_equal(ntsim_handle_entries(), 2);
    assert_int_equal(ntsim_handle_operations(false), 3);
    assert_int_equal(ntsim_handle_operations(true), 1);
    ntsim_unload();
    for (unsigned s = 0; s < NTSIM_SOURCES; s++) {
        assert_int_equal(ntsim_registered((enum ntsim_source)s), 0);
    }
}

static void processes(void **state)
{
    struct ntsim_process *p = ntsim_process_new(&(struct ntsim_process_spec){.pid = 1000});
    struct ntsim_create c = {.process = p, .command_line = NTSIM_BYTES(u"abcdef", 7)};

    (void)state;
    assert_int_equal(ntsim_fire_process_create(&c), 0);
    assert_int_equal(tiny_last(), 7); /* an odd length is handed on */
    ntsim_fire_process_exit(p);
    assert_int_equal(tiny_last(), 1000);
    ntsim_fire_process_exit_as(NULL, 12);
    assert_int_equal(tiny_last(), 12);
    assert_int_equal(tiny_calls(NTSIM_SOURCE_PROCESS), 3);
}

static void images_and_threads(void **state)
{
    (void)state;
    ntsim_fire_image(&(struct ntsim_image){.properties = 0x1234});
    assert_int_equal(tiny_last(), 0x1234);
    ntsim_fire_image(&(struct ntsim_image){.name = NTSIM_TEXT(u"\\a.sys"), .pid = 4});
    assert_int_equal(tiny_last(), 12);
    ntsim_fire_thread(5, 77, true);
    assert_int_equal(tiny_last(), 77);
    assert_int_equal(tiny_calls(NTSIM_SOURCE_IMAGE), 2);
    assert_int_equal(tiny_calls(NTSIM_SOURCE_THREAD), 1);
}

static void handles_by_type_and_operation(void **state)
{
    struct ntsim_process *p = ntsim_process_new(&(struct ntsim_process_spec){.pid = 1000});
    struct ntsim_handle h = {.process = p, .access = 0x1fffff, .reduced_access = 0x10};

    (void)state;
    assert_int_equal(ntsim_fire_handle(&h), 0x10);
    assert_int_equal(tiny_last(), 0x1fffff);
    h.duplicate = true;
    h.source = h.target = p;
    ntsim_fire_handle(&h);
    assert_int_equal(tiny_calls(4), 2);
    h = (struct ntsim_handle){.thread = ntsim_thread_new(p, 1004), .duplicate = true};
    ntsim_fire_handle(&h); /* not asked for */
    assert_int_equal(tiny_calls(4), 2);
    h.duplicate = false;
    ntsim_fire_handle(&h);
    assert_int_equal(tiny_calls(4), 3);
}

static void registry_of_every_kind(void **state)
{
    struct ntsim_key *k = ntsim_key_new(NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\X"));

    (void)state;
    for (unsigned op = 0; op < NTSIM_REG_OPS; op++) {
        struct ntsim_registry r = {.op = (enum ntsim_reg)op,
                                   .key = k,
                                   .result = k,
                                   .name = NTSIM_TEXT(u"name"),
                                   .data = "data",
                                   .data_len = 2,
                                   .data_size = 4};

        assert_int_equal(ntsim_fire_registry(&r, 0), 0);
        assert_int_equal(tiny_calls(3), 2 * (op + 1));
        assert_int_not_equal(ntsim_registry_class(r.op, false), ntsim_registry_class(r.op, true));
    }
    ntsim_fire_registry_raw(9999, NULL);
    ntsim_fire_registry_raw(0, NULL);
    assert_int_equal(tiny_calls(3), 2 * NTSIM_REG_OPS + 2);
}

static void key_names(void **state)
{
    struct ntsim_key *k = ntsim_key_new(NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\X"));

    (void)state;
    ntsim_fire_registry_set_value(k, NTSIM_TEXT(u"v"), 1, "x", 1, 0);
    assert_int_equal(tiny_last(), 38);
    ntsim_fire_registry_rename_key(k, NTSIM_TEXT(u"longer"), 0);
    ntsim_fire_registry_set_value(k, NTSIM_TEXT(u"v"), 1, "x", 1, 0);
    assert_int_equal(tiny_last(), 48);
    ntsim_fire_thread(1, 1, true);
    ntsim_fire_registry_delete_key(k, 0);
    ntsim_fire_registry_set_value(k, NTSIM_TEXT(u"v"), 1, "x", 1, 0);
    assert_int_equal(tiny_last(), 1); /* a deleted key has no name */
    ntsim_key_fail(k, 0);
    ntsim_key_rename(k, NTSIM_TEXT(u"\\a"));
    ntsim_fire_registry_set_value(k, NTSIM_TEXT(u"v"), 1, "x", 1, 0);
    assert_int_equal(tiny_last(), 4);
}

/* ---- unregistering
 * ------------------------------------------------------------------------------- */

static atomic_int inside, go_on, unloaded;

static void wait_inside(void *arg)
{
    (void)arg;
    atomic_store(&inside, 1);
    while (!atomic_load(&go_on)) {
        sched_yield();
    }
}

static void *fire_one(void *arg)
{
    ntsim_fire_registry_set_value(arg, NTSIM_TEXT(u"v"), 1, "x", 1, 0);
    return NULL;
}

static void *unload(void *arg)
{
    (void)arg;
    ntsim_unload();
    atomic_store(&unloaded, 1);
    return NULL;
}

static void unregistering_waits_for_a_running_callback(void **state)
{
    struct ntsim_key *k = ntsim_key_new(NTSIM_TEXT(u"\\REGISTRY\\MACHINE\\X"));
    pthread_t a, b;

    (void)state;
    atomic_store(&inside, 0);
    atomic_store(&go_on, 0);
    atomic_store(&unloaded, 0);
    ntsim_hook("CmCallbackGetKeyObjectIDEx", wait_inside, NULL);
    assert_int_equal(pthread_create(&a, NULL, fire_one, k), 0);
    while (!atomic_load(&inside)) {
        sched_yield();
    }
    assert_int_equal(pthread_create(&b, NULL, unload, NULL), 0);
    while (ntsim_registered(NTSIM_SOURCE_REGISTRY) != 0) {
        sched_yield();
    }
    for (unsigned i = 0; i < 200; i++) {
        sched_yield();
        assert_int_equal(atomic_load(&unloaded), 0);
    }
    atomic_store(&go_on, 1);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    assert_int_equal(atomic_load(&unloaded), 1);
}

static atomic_bool stop_firing;

static void *fire_all(void *arg)
{
    struct ntsim_process *p = arg;
    struct ntsim_thread *t = ntsim_thread_new(p, (uint64_t)(uintptr_t)&p);
    struct ntsim_key *k = ntsim_key_new(NTSIM_TEXT(u"\\REGISTRY\\USER"));

    ntsim_set_current(t);
    while (!atomic_load(&stop_firing)) {
        ntsim_fire_process_create(&(struct ntsim_create){.process = p});
        ntsim_fire_image(&(struct ntsim_image){.name = NTSIM_TEXT(u"\\a.sys")});
        ntsim_fire_thread(1, 2, false);
        ntsim_fire_handle(&(struct ntsim_handle){.process = p, .access = 1});
        ntsim_fire_registry_set_value(k, NTSIM_TEXT(u"v"), 1, "x", 1, 0);
    }
    ntsim_set_current(NULL);
    return NULL;
}

static void load_and_unload_under_fire(void **state)
{
    pthread_t t[3];

    (void)state;
    atomic_store(&stop_firing, false);
    for (unsigned i = 0; i < 3; i++) {
        struct ntsim_process *p =
            ntsim_process_new(&(struct ntsim_process_spec){.pid = 1000 + 4 * i});

        assert_int_equal(pthread_create(&t[i], NULL, fire_all, p), 0);
    }
    for (unsigned i = 0; i < 100; i++) {
        ntsim_unload();
        assert_int_equal(ntsim_load(), 0);
    }
    atomic_store(&stop_firing, true);
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(t[i], NULL);
    }
}

static void altitude_collision(void **state)
{
    (void)state;
    ntsim_unload();
    ntsim_altitude_taken(NTSIM_TEXT(u"321"));
    assert_int_equal(ntsim_load(), 0);
    assert_int_equal(ntsim_registered(NTSIM_SOURCE_REGISTRY), 0);
    assert_int_equal(ntsim_registered(NTSIM_SOURCE_HANDLE), 1);
}

static void handle_callback_must_succeed(void **state)
{
    (void)state;
    ntsim_record();
    tiny_sin = TINY_GOOD - 1; /* the handle callback refuses */
    ntsim_fire_handle(&(struct ntsim_handle){.process = ntsim_system(), .access = 1});
    assert_int_equal(ntsim_violated("callback.ob_status"), 1);
    tiny_sin = TINY_GOOD;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registrations_are_seen),
        TEST(processes),
        TEST(images_and_threads),
        TEST(handles_by_type_and_operation),
        TEST(registry_of_every_kind),
        TEST(key_names),
        TEST(unregistering_waits_for_a_running_callback),
        TEST(load_and_unload_under_fire),
        TEST(altitude_collision),
        TEST(handle_callback_must_succeed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
