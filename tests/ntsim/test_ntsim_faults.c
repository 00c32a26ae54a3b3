/* SPDX-License-Identifier: Apache-2.0
 * Faults, hooks, registry, clock and counts, with the tiny driver. */
#include "ntsim.h"
#include "tiny.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    (void)state;
    tiny_sin = TINY_GOOD;
    ntsim_reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ntsim_reset();
    return 0;
}

static void torture_of_load(void **state)
{
    uint64_t n, failed = 0;

    (void)state;
    for (n = 1;; n++) {
        ntsim_fail_nth(n);
        if (ntsim_load() == 0) {
            ntsim_unload();
        } else {
            failed++;
        }
        if (!ntsim_fault_hit()) {
            assert_null(ntsim_fault_name());
            break;
        }
        assert_non_null(ntsim_fault_name());
    }
    assert_int_equal(n - 1, 7); /* device, link, five callbacks */
    assert_int_equal(failed, 5);
    assert_int_equal(ntsim_fault_points(), 7);
}

static void named_function_fails(void **state)
{
    (void)state;
    ntsim_fail("PsSetLoadImageNotifyRoutine", 1, 1, NTSIM_ACCESS_DENIED);
    assert_int_equal(ntsim_load(), 0);
    ntsim_unload();
    assert_int_equal(ntsim_load(), NTSIM_ACCESS_DENIED);
    assert_int_equal(ntsim_load(), 0);
    assert_int_equal(ntsim_calls("PsSetLoadImageNotifyRoutine"), 3);
    ntsim_fail("IoCreateDevice", 0, 5, 0);
    ntsim_faults_clear();
    ntsim_unload();
    assert_int_equal(ntsim_load(), 0);
}

static void count_up(void *arg)
{
    ++*(int *)arg;
    ntsim_fire_thread(9, 9, true); /* a hook may use the simulator; no hook within it */
}

static void hooks(void **state)
{
    int before = 0, after = 0;

    (void)state;
    ntsim_hook("ObRegisterCallbacks", count_up, &before);
    ntsim_hook("ObRegisterCallbacks.done", count_up, &after);
    assert_int_equal(ntsim_load(), 0);
    assert_int_equal(before, 1);
    assert_int_equal(after, 1);
    assert_int_equal(tiny_calls(NTSIM_SOURCE_THREAD), 2);
    ntsim_hook("ObRegisterCallbacks", NULL, NULL);
    ntsim_unload();
    assert_int_equal(ntsim_load(), 0);
    assert_int_equal(before, 1);
    assert_int_equal(after, 2);
}

static void registry_values(void **state)
{
    const struct ntsim_text key = NTSIM_TEXT(NTSIM_SERVICE u"\\Parameters");
    uint32_t type, number = 0;
    size_t len;

    (void)state;
    assert_false(ntsim_reg_get(key, NTSIM_TEXT(u"N"), &type, &number, 4, &len));
    ntsim_reg_set_dword(key, NTSIM_TEXT(u"N"), 5);
    ntsim_reg_set_dword(key, NTSIM_TEXT(u"n"), 6);
    assert_true(ntsim_reg_get(key, NTSIM_TEXT(u"N"), &type, &number, 4, &len));
    assert_int_equal(number, 6);
    assert_int_equal(type, 4);
    assert_int_equal(len, 4);
    assert_false(ntsim_reg_volatile(key));
    ntsim_reg_delete(NTSIM_TEXT(NTSIM_SERVICE));
    assert_false(ntsim_reg_get(key, NTSIM_TEXT(u"N"), &type, &number, 4, &len));
}

static void clock_and_context(void **state)
{
    struct ntsim_process *p = ntsim_process_new(&(struct ntsim_process_spec){.pid = 8});
    struct ntsim_thread *t = ntsim_thread_new(p, 12);

    (void)state;
    assert_true(ntsim_time() == NTSIM_TIME);
    ntsim_set_time(5);
    assert_true(ntsim_time() == 5);
    assert_int_equal(ntsim_pid(ntsim_system()), 4);
    assert_int_equal(ntsim_tid(ntsim_current()), 8);
    ntsim_set_current(t);
    assert_int_equal(ntsim_tid(ntsim_current()), 12);
    ntsim_reset();
    assert_int_equal(ntsim_tid(ntsim_current()), 8);
    ntsim_set_irql(1);
    assert_int_equal(ntsim_irql(), 1);
    ntsim_set_irql(0);
}

static void pool_counts(void **state)
{
    int32_t status;
    struct ntsim_file *f;

    (void)state;
    ntsim_record();
    assert_int_equal(ntsim_load(), 0);
    f = ntsim_open(&status);
    ntsim_ioctl(f, TINY_CODE(TINY_POOL_LEAK), NULL, 0, NULL, 0, NULL, NULL);
    assert_int_equal(ntsim_pool_allocations(), 1);
    assert_int_equal(ntsim_pool_live(), 1);
    assert_int_equal(ntsim_pool_bytes(), 24);
    assert_int_equal(ntsim_pool_peak(), 24);
    ntsim_ioctl(f, TINY_CODE(TINY_HANDLE_LEAK), NULL, 0, NULL, 0, NULL, NULL);
    assert_int_equal(ntsim_handles(), 1);
    ntsim_close_handle(f);
    ntsim_unload();
    assert_int_equal(ntsim_violations(), 2);
    assert_int_equal(ntsim_pool_live(), 0);
    assert_int_equal(ntsim_handles(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(torture_of_load), TEST(named_function_fails), TEST(hooks),
        TEST(registry_values), TEST(clock_and_context),    TEST(pool_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
