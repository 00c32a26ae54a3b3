/* SPDX-License-Identifier: Apache-2.0
 * backoff.h, errinfo.h and obj.h. */
#include "core/util/backoff.h"
#include "core/util/errinfo.h"
#include "core/util/obj.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void delays_double_within_a_quarter_and_stay_below_the_maximum(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        struct wedr_backoff b;
        wedr_backoff_init(&b, 1000, 300000, seed);
        uint64_t plain = 1000;
        for (int i = 0; i < 20; i++) {
            uint32_t d = wedr_backoff_next(&b);
            assert_true(d >= plain - plain / 4);
            assert_true(d <= plain + plain / 4 && d <= 300000);
            plain = plain * 2 < 300000 ? plain * 2 : 300000;
        }
        wedr_backoff_reset(&b);
        assert_true(wedr_backoff_next(&b) <= 1250);
    }
}

static void seeds_spread_the_delays(void **state)
{
    (void)state;
    uint32_t low = UINT32_MAX, high = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct wedr_backoff b;
        wedr_backoff_init(&b, 1000, 300000, seed);
        uint32_t d = wedr_backoff_next(&b);
        low = d < low ? d : low;
        high = d > high ? d : high;
    }
    assert_true(low < 800 && high > 1200);
}

static void extreme_bounds_do_not_overflow_or_reach_zero(void **state)
{
    (void)state;
    struct wedr_backoff b;
    wedr_backoff_init(&b, UINT32_MAX - 1, UINT32_MAX, 1);
    for (int i = 0; i < 10; i++) {
        assert_true(wedr_backoff_next(&b) >= UINT32_MAX / 4 * 3 - 1);
    }
    wedr_backoff_init(&b, 0, 0, 1);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(wedr_backoff_next(&b), 1);
    }
}

static void reason_is_one_line_and_cut_at_its_room(void **state)
{
    (void)state;
    struct wedr_errinfo ei;
    assert_int_equal(wedr_fail(&ei, WEDR_E_IO, "%s at %d\n\x1b[31m", "bad", 5), WEDR_E_IO);
    assert_string_equal(ei.text, "bad at 5  [31m");
    assert_int_equal(wedr_fail(&ei, WEDR_E_IO, "%1000d", 5), WEDR_E_IO);
    assert_int_equal(strlen(ei.text), WEDR_ERRINFO_MAX - 1);
    assert_int_equal(wedr_fail(NULL, WEDR_E_NET, "%s", "unheard"), WEDR_E_NET);
}

struct thing {
    uint32_t magic;
};

static int use_thing(const struct thing *t)
{
    WEDR_OBJ_CHECK(t, 0x1234);
    return WEDR_OK;
}

static void a_wrong_object_is_counted_and_refused_on_the_endpoint(void **state)
{
    (void)state;
    struct thing good = {0x1234}, bad = {0};
    wedr_obj_abort_on_bug(false);
    uint64_t before = wedr_obj_bugs();
    assert_int_equal(use_thing(&good), WEDR_OK);
    assert_true(wedr_obj_bugs() == before);
    assert_int_equal(use_thing(&bad), WEDR_E_BUG);
    assert_int_equal(use_thing(NULL), WEDR_E_BUG);
    assert_true(wedr_obj_bugs() == before + 2);
    wedr_obj_abort_on_bug(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_double_within_a_quarter_and_stay_below_the_maximum),
        cmocka_unit_test(seeds_spread_the_delays),
        cmocka_unit_test(extreme_bounds_do_not_overflow_or_reach_zero),
        cmocka_unit_test(reason_is_one_line_and_cut_at_its_room),
        cmocka_unit_test(a_wrong_object_is_counted_and_refused_on_the_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
