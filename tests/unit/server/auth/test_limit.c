/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/limit.h"
#include "core/base/err.h"
#include "wedr/plat/thread.h"
#include <stdatomic.h>
#include <string.h>

static void s07_an_address_over_its_limit_waits_for_the_window(void **state)
{
    const uint8_t a[16] = {1}, b[16] = {2};
    uint32_t wait_s = 0;
    (void)state;
    struct wedr_limit *l = wedr_limit_new(3, 100);
    assert_non_null(l);
    for (int i = 0; i < 3; i++) {
        assert_true(wedr_limit_take(l, a, 1000, &wait_s));
    }
    assert_false(wedr_limit_take(l, a, 11000, &wait_s));
    assert_int_equal(wait_s, 50);
    assert_true(wedr_limit_take(l, b, 11000, &wait_s));
    assert_true(wedr_limit_take(l, a, 61000, &wait_s));
    wedr_limit_free(l);
}

static void an_honest_attempt_is_given_back(void **state)
{
    const uint8_t a[16] = {1};
    uint32_t wait_s = 0;
    (void)state;
    struct wedr_limit *l = wedr_limit_new(1, 100);
    for (int i = 0; i < 10; i++) {
        assert_true(wedr_limit_take(l, a, 1000, &wait_s));
        wedr_limit_refund(l, a, 1000);
    }
    assert_true(wedr_limit_take(l, a, 1000, &wait_s));
    assert_false(wedr_limit_take(l, a, 1000, &wait_s));
    wedr_limit_free(l);
}

static void many_addresses_together_meet_the_total(void **state)
{
    uint32_t wait_s = 0;
    unsigned passed = 0;
    (void)state;
    struct wedr_limit *l = wedr_limit_new(5, 700);
    for (uint32_t i = 0; i < 100000; i++) {
        uint8_t key[16] = {0};
        memcpy(key, &i, sizeof(i));
        passed += wedr_limit_take(l, key, 1000, &wait_s);
    }
    assert_int_equal(passed, 700);
    assert_int_equal(wait_s, 60);
    wedr_limit_free(l);
}

static struct wedr_limit *shared;
static atomic_uint passed_together;

static void guess(void *arg)
{
    const uint8_t a[16] = {9};
    uint32_t wait_s = 0;
    (void)arg;
    for (int i = 0; i < 125; i++) {
        if (wedr_limit_take(shared, a, 1000, &wait_s)) {
            atomic_fetch_add(&passed_together, 1);
        }
    }
}

static void a_thousand_guesses_at_once_do_not_slip_past(void **state)
{
    struct wedr_thread *t[8];
    (void)state;
    shared = wedr_limit_new(20, 100000);
    atomic_store(&passed_together, 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(wedr_thread_new(&t[i], "guess", guess, NULL), WEDR_OK);
    }
    for (int i = 0; i < 8; i++) {
        wedr_thread_join(t[i]);
    }
    assert_int_equal(atomic_load(&passed_together), 20);
    wedr_limit_free(shared);
}

/* Two threads read the clock and then meet at the lock in the other order. */
static void a_clock_read_a_moment_earlier_opens_no_new_window(void **state)
{
    const uint8_t a[16] = {1}, b[16] = {2};
    uint32_t wait_s = 0;
    (void)state;
    struct wedr_limit *l = wedr_limit_new(2, 3);
    assert_true(wedr_limit_take(l, a, 1000, &wait_s));
    assert_true(wedr_limit_take(l, a, 999, &wait_s));
    assert_false(wedr_limit_take(l, a, 999, &wait_s));
    assert_int_equal(wait_s, 60);
    assert_true(wedr_limit_take(l, b, 999, &wait_s));
    assert_false(wedr_limit_take(l, b, 999, &wait_s));
    wedr_limit_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s07_an_address_over_its_limit_waits_for_the_window),
        cmocka_unit_test(an_honest_attempt_is_given_back),
        cmocka_unit_test(many_addresses_together_meet_the_total),
        cmocka_unit_test(a_clock_read_a_moment_earlier_opens_no_new_window),
        cmocka_unit_test(a_thousand_guesses_at_once_do_not_slip_past),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
