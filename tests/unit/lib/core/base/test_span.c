/* SPDX-License-Identifier: Apache-2.0
 * span.h, endian.h and list.h: what has no .c file. */
#include "core/base/endian.h"
#include "core/base/list.h"
#include "core/base/span.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void sub_accepts_exactly_what_lies_inside(void **state)
{
    (void)state;
    uint8_t mem[10] = {0};
    struct wedr_span s = wedr_span(mem, sizeof(mem)), sub = {0};
    assert_true(wedr_span_sub(s, 0, 10, &sub));
    assert_ptr_equal(sub.p, mem);
    assert_true(wedr_span_sub(s, 10, 0, &sub));
    assert_int_equal(sub.len, 0);
    assert_true(wedr_span_sub(s, 9, 1, &sub));
    assert_ptr_equal(sub.p, mem + 9);
    assert_false(wedr_span_sub(s, 9, 2, &sub));
    assert_false(wedr_span_sub(s, 11, 0, &sub));
}

static void sub_does_not_overflow(void **state)
{
    (void)state;
    uint8_t mem[4] = {0};
    struct wedr_span s = wedr_span(mem, sizeof(mem)), sub = {mem, 77};
    assert_false(wedr_span_sub(s, SIZE_MAX, 2, &sub));
    assert_false(wedr_span_sub(s, 2, SIZE_MAX, &sub));
    assert_false(wedr_span_sub(s, SIZE_MAX, SIZE_MAX, &sub));
    assert_int_equal(sub.len, 77);
    assert_true(wedr_span_sub(wedr_span(NULL, 0), 0, 0, &sub));
}

static void loads_and_stores_are_little_endian_at_any_address(void **state)
{
    (void)state;
    uint8_t mem[17] = {0};
    for (size_t at = 0; at < 9; at++) {
        wedr_put_le64(mem + at, 0x1122334455667788u);
        assert_int_equal(mem[at], 0x88);
        assert_int_equal(mem[at + 7], 0x11);
        assert_true(wedr_le64(mem + at) == 0x1122334455667788u);
        assert_int_equal(wedr_le32(mem + at), 0x55667788);
        assert_int_equal(wedr_le16(mem + at + 6), 0x1122);
    }
    wedr_put_le16(mem, 0xFFFE);
    assert_int_equal(wedr_le16(mem), 0xFFFE);
}

struct item {
    int number;
    struct wedr_list node;
};

static void list_keeps_order_and_survives_double_removal(void **state)
{
    (void)state;
    struct wedr_list head;
    struct item items[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    wedr_list_init(&head);
    assert_true(wedr_list_empty(&head));
    assert_null(wedr_list_take_head(&head));
    wedr_list_add_tail(&head, &items[1].node);
    wedr_list_add_tail(&head, &items[2].node);
    wedr_list_add_head(&head, &items[0].node);
    int want = 1;
    WEDR_LIST_EACH(it, &head)
    {
        assert_int_equal(WEDR_LIST_ENTRY(it, struct item, node)->number, want++);
    }
    assert_int_equal(want, 4);
    wedr_list_remove(&items[1].node);
    wedr_list_remove(&items[1].node);
    assert_ptr_equal(wedr_list_take_head(&head), &items[0].node);
    assert_ptr_equal(wedr_list_take_head(&head), &items[2].node);
    assert_true(wedr_list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sub_accepts_exactly_what_lies_inside),
        cmocka_unit_test(sub_does_not_overflow),
        cmocka_unit_test(loads_and_stores_are_little_endian_at_any_address),
        cmocka_unit_test(list_keeps_order_and_survives_double_removal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
