/* SPDX-License-Identifier: Apache-2.0 */
#include "core/util/alloc.h"
#include "core/util/arena.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void blocks_are_zeroed_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    struct wedr_arena *a = wedr_arena_new(4096);
    assert_non_null(a);
    uint8_t *p[3];
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 3; i++) {
            p[i] = wedr_arena_alloc(a, 5 + i);
            assert_non_null(p[i]);
            assert_int_equal((uintptr_t)p[i] % 16, 0);
            for (unsigned k = 0; k < 5 + i; k++) {
                assert_int_equal(p[i][k], 0); /* also in the second round, on used memory */
            }
            memset(p[i], 0xA0 + (int)i, 5 + i);
        }
        assert_int_equal(p[0][4], 0xA0);
        assert_int_equal(p[1][5], 0xA1);
        wedr_arena_reset(a, 0);
    }
    wedr_arena_free(a);
    wedr_arena_free(NULL);
}

static void the_cap_is_hard_and_overflow_sticks_until_clear(void **state)
{
    (void)state;
    struct wedr_arena *a = wedr_arena_new(100);
    assert_non_null(wedr_arena_alloc(a, 90));
    assert_false(wedr_arena_overflowed(a));
    assert_null(wedr_arena_alloc(a, 20));
    assert_null(wedr_arena_alloc(a, SIZE_MAX));
    assert_null(wedr_arena_strndup(a, "x", SIZE_MAX));
    assert_true(wedr_arena_overflowed(a));
    wedr_arena_reset(a, 0);
    assert_true(wedr_arena_overflowed(a));
    wedr_arena_clear(a);
    assert_false(wedr_arena_overflowed(a));
    assert_non_null(wedr_arena_alloc(a, 100));
    assert_null(wedr_arena_alloc(a, 1));
    wedr_arena_free(a);
}

static void reset_gives_back_what_came_after_the_mark(void **state)
{
    (void)state;
    struct wedr_arena *a = wedr_arena_new(160);
    char *kept = wedr_arena_strndup(a, "kept and more", 4);
    assert_string_equal(kept, "kept");
    size_t mark = wedr_arena_mark(a);
    for (int i = 0; i < 50; i++) {
        assert_non_null(wedr_arena_alloc(a, 140));
        wedr_arena_reset(a, mark);
    }
    assert_string_equal(kept, "kept");
    assert_string_equal(wedr_arena_printf(a, "%d-%s", 42, "x"), "42-x");
    wedr_arena_reset(a, mark + 100000); /* not a position it gave: nothing happens */
    assert_null(wedr_arena_printf(a, "%200s", "too long"));
    assert_true(wedr_arena_overflowed(a));
    wedr_arena_free(a);
}

static int use_arena(void)
{
    struct wedr_arena *a = wedr_arena_new(1000);
    if (!a) {
        return 1;
    }
    bool all =
        wedr_arena_alloc(a, 10) && wedr_arena_strndup(a, "abc", 3) && wedr_arena_printf(a, "%d", 7);
    int ret = all == wedr_arena_overflowed(a) ? 2 : !all;
    wedr_arena_free(a);
    return ret;
}

static void every_failed_allocation_is_reported_and_nothing_leaks(void **state)
{
    (void)state;
    (void)wedr_alloc_fail_nth(0);
    assert_int_equal(use_arena(), 0);
    size_t calls = wedr_alloc_fail_nth(0);
    assert_true(calls >= 2);
    for (size_t n = 1; n <= calls; n++) {
        (void)wedr_alloc_fail_nth(n);
        assert_int_equal(use_arena(), 1);
    }
    (void)wedr_alloc_fail_nth(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_zeroed_aligned_and_do_not_overlap),
        cmocka_unit_test(the_cap_is_hard_and_overflow_sticks_until_clear),
        cmocka_unit_test(reset_gives_back_what_came_after_the_mark),
        cmocka_unit_test(every_failed_allocation_is_reported_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
