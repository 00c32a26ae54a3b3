/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void what_is_put_is_counted_and_found(void **state)
{
    struct box *b = box_new();

    (void)state;
    assert_non_null(b);
    assert_int_equal(b->kind, 1);
    for (unsigned i = 0; i < BOX_MAX; i++) {
        assert_int_equal(box_put(b, 10 + i), WEDR_OK);
    }
    assert_int_equal(box_put(b, 99), WEDR_E_FULL);
    assert_int_equal(box_sum(b), 46);
    assert_int_equal(b->locks, 2 * BOX_MAX);
    assert_int_equal(b->notes, BOX_MAX);
    assert_true(box_has(b, 11, false));
    assert_true(box_has(b, 5, true));
    assert_false(box_has(b, 9, false));
    assert_int_equal(box_drain(b), BOX_MAX);
    box_free(b);
}

static void the_end_comes_in_order(void **state)
{
    struct box *b = box_new();

    (void)state;
    assert_non_null(b);
    box_finish(b);
    assert_int_equal(b->order, 12);
    assert_true(b->pending);
    box_free(b);
}

static void *note_once(void *arg)
{
    box_shared_note(arg);
    return NULL;
}

static void two_threads_note(void **state)
{
    struct box *b = box_new();
    pthread_t threads[2];

    (void)state;
    assert_non_null(b);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, note_once, b), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_in_range(b->notes, 1, 2);
    box_free(b);
}

static void larger_and_colour(void **state)
{
    (void)state;
    assert_int_equal(box_larger(3, 4), 4);
    assert_int_equal(box_larger(4, 3), 4);
    assert_int_equal(box_larger(3, 3), 3);
    assert_int_equal(box_smaller(3, 4), 3);
    assert_int_equal(box_smaller(4, 3), 3);
    assert_int_equal(box_colour(0), 7);
    assert_int_equal(box_colour(1), 8);
    assert_int_equal(box_colour(2), 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_counted_and_found),
        cmocka_unit_test(the_end_comes_in_order),
        cmocka_unit_test(two_threads_note),
        cmocka_unit_test(larger_and_colour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
