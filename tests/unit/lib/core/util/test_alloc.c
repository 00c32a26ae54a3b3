/* SPDX-License-Identifier: Apache-2.0 */
#include "core/util/alloc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void memory_is_zeroed_and_size_zero_is_a_block(void **state)
{
    (void)state;
    uint8_t *p = wedr_alloc(100, 3);
    assert_non_null(p);
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(p[i], 0);
    }
    wedr_free(p);
    void *empty = wedr_alloc(0, 8);
    assert_non_null(empty);
    wedr_free(empty);
    wedr_free(NULL);
    wedr_free_secret(NULL, 5);
}

static void products_that_overflow_are_refused(void **state)
{
    (void)state;
    assert_null(wedr_alloc(SIZE_MAX, 2));
    assert_null(wedr_alloc(SIZE_MAX / 2 + 1, 2));
    assert_null(wedr_alloc(2, SIZE_MAX));
    assert_null(wedr_alloc(1, (size_t)PTRDIFF_MAX + 1));
    assert_null(wedr_realloc(NULL, SIZE_MAX / 4, 8));
    assert_null(wedr_strndup("x", SIZE_MAX));
}

static void the_nth_allocation_fails_once_and_is_counted(void **state)
{
    (void)state;
    (void)wedr_alloc_fail_nth(3);
    void *a = wedr_alloc(1, 1), *b = wedr_alloc(1, 1), *c = wedr_alloc(1, 1), *d = wedr_alloc(1, 1);
    assert_non_null(a);
    assert_non_null(b);
    assert_null(c);
    assert_non_null(d);
    assert_int_equal(wedr_alloc_fail_nth(1), 4);
    char *kept = wedr_realloc(a, 100, 1);
    assert_null(kept); /* a stays valid and ours */
    assert_int_equal(wedr_alloc_fail_nth(0), 1);
    kept = wedr_realloc(a, 100, 1);
    assert_non_null(kept);
    wedr_free(kept);
    wedr_free(b);
    wedr_free(d);
}

static void strndup_ends_with_nul(void **state)
{
    (void)state;
    char *s = wedr_strndup("abcdef", 3);
    assert_string_equal(s, "abc");
    wedr_free_secret(s, 3);
    s = wedr_strndup(NULL, 0);
    assert_string_equal(s, "");
    wedr_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_size_zero_is_a_block),
        cmocka_unit_test(products_that_overflow_are_refused),
        cmocka_unit_test(the_nth_allocation_fails_once_and_is_counted),
        cmocka_unit_test(strndup_ends_with_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
