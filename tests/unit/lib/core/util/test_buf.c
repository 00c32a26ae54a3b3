/* SPDX-License-Identifier: Apache-2.0 */
#include "core/util/alloc.h"
#include "core/util/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void grows_to_its_maximum_and_not_a_byte_further(void **state)
{
    (void)state;
    struct wedr_buf b;
    wedr_buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++) {
        wedr_buf_add(&b, "x", 1);
    }
    assert_false(b.overflow);
    assert_int_equal(b.len, 1000);
    assert_int_equal(b.p[1000], 0);
    wedr_buf_add(&b, "y", 1);
    assert_true(b.overflow);
    assert_int_equal(b.len, 1000);
    assert_null(wedr_buf_reserve(&b, SIZE_MAX));
    wedr_buf_fini(&b);
    assert_null(b.p);
}

static void what_does_not_fit_is_left_out_whole(void **state)
{
    (void)state;
    struct wedr_buf b;
    wedr_buf_init(&b, 8);
    wedr_buf_adds(&b, "12345");
    wedr_buf_adds(&b, "6789");
    assert_true(b.overflow);
    assert_string_equal((char *)b.p, "12345");
    wedr_buf_addf(&b, "%s", "abcd");
    assert_string_equal((char *)b.p, "12345");
    wedr_buf_addf(&b, "%03d", 7);
    assert_string_equal((char *)b.p, "12345007");
    assert_true(b.overflow); /* sticky */
    wedr_buf_truncate(&b, 2);
    assert_true(b.overflow);
    assert_string_equal((char *)b.p, "12");
    wedr_buf_truncate(&b, 9); /* beyond len: ignored */
    assert_int_equal(b.len, 2);
    wedr_buf_truncate(&b, 0);
    assert_false(b.overflow);
    assert_int_equal(wedr_buf_span(&b).len, 0);
    wedr_buf_fini(&b);
}

static void an_empty_buffer_is_usable(void **state)
{
    (void)state;
    struct wedr_buf b;
    wedr_buf_init(&b, 0);
    assert_int_equal(wedr_buf_span(&b).len, 0);
    wedr_buf_truncate(&b, 0);
    wedr_buf_add(&b, NULL, 0);
    assert_false(b.overflow);
    assert_string_equal((char *)b.p, "");
    wedr_buf_adds(&b, "x");
    assert_true(b.overflow);
    wedr_buf_fini(&b);
    wedr_buf_fini(&b);
    wedr_buf_init(&b, SIZE_MAX);
    wedr_buf_adds(&b, "no overflow in the arithmetic");
    assert_false(b.overflow);
    wedr_buf_fini(&b);
}

static void reserve_then_commit_keeps_what_was_written(void **state)
{
    (void)state;
    struct wedr_buf b;
    wedr_buf_init(&b, 100);
    uint8_t *p = wedr_buf_reserve(&b, 100);
    assert_non_null(p);
    memset(p, 'z', 100);
    wedr_buf_commit(&b, 3);
    assert_string_equal((char *)b.p, "zzz");
    wedr_buf_fini(&b);
}

static void a_failed_allocation_loses_nothing_that_was_there(void **state)
{
    (void)state;
    struct wedr_buf b;
    wedr_buf_init(&b, 10000);
    wedr_buf_adds(&b, "there");
    (void)wedr_alloc_fail_nth(1);
    wedr_buf_addf(&b, "%500d", 1);
    (void)wedr_alloc_fail_nth(0);
    assert_true(b.overflow);
    assert_string_equal((char *)b.p, "there");
    wedr_buf_addf(&b, "%500d", 1);
    assert_int_equal(b.len, 505);
    wedr_buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_to_its_maximum_and_not_a_byte_further),
        cmocka_unit_test(what_does_not_fit_is_left_out_whole),
        cmocka_unit_test(an_empty_buffer_is_usable),
        cmocka_unit_test(reserve_then_commit_keeps_what_was_written),
        cmocka_unit_test(a_failed_allocation_loses_nothing_that_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
