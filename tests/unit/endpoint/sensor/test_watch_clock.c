/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/lib/proc/watch_priv.h"

#include "wedr/plat/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S UINT64_C(1000000000)
#define SLEPT (3600 * S)

/* Looked at until 100 s, then suspended for an hour. */
static struct watch_clock rested(void)
{
    struct watch_clock c = {0};
    watch_clock_note(&c, 10 * S, 12 * S);
    watch_clock_note(&c, 100 * S, 102 * S);
    watch_clock_note(&c, 101 * S, 103 * S + SLEPT);
    return c;
}

static void what_happens_after_a_suspend_is_dated_after_it(void **state)
{
    (void)state;
    struct watch_clock c = rested();
    assert_true(watch_clock_boot(&c, 101 * S) == 103 * S + SLEPT);
    assert_true(watch_clock_boot(&c, 200 * S) == 202 * S + SLEPT);
}

static void what_was_queued_before_a_suspend_is_dated_before_it(void **state)
{
    (void)state;
    struct watch_clock c = rested();
    assert_true(watch_clock_boot(&c, 99 * S) == 101 * S);
    assert_true(watch_clock_boot(&c, 100 * S) == 102 * S);
}

/* Keys of processes are made of these times. */
static void a_look_that_was_interrupted_moves_nothing(void **state)
{
    (void)state;
    struct watch_clock c = {0};
    watch_clock_note(&c, 10 * S, 12 * S);
    watch_clock_note(&c, 20 * S, 22 * S + 90000);
    assert_true(watch_clock_boot(&c, 20 * S) == 22 * S);
    watch_clock_note(&c, 30 * S, 32 * S - 90000);
    assert_true(watch_clock_boot(&c, 30 * S) == 32 * S);
}

static void the_clocks_of_this_machine_agree_with_it(void **state)
{
    (void)state;
    struct watch_clock c = {0};
    uint64_t before = wedr_time_boot_ns();
    watch_clock_read(&c);
    uint64_t got = watch_clock_boot(&c, wedr_time_mono_ns());
    assert_true(got + 1000000 >= before && got <= wedr_time_boot_ns() + 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_happens_after_a_suspend_is_dated_after_it),
        cmocka_unit_test(what_was_queued_before_a_suspend_is_dated_before_it),
        cmocka_unit_test(a_look_that_was_interrupted_moves_nothing),
        cmocka_unit_test(the_clocks_of_this_machine_agree_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
