/* SPDX-License-Identifier: Apache-2.0 */
#include "losses.h"
#include "support.h"

#include "core/util/alloc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static wedr_handle dir;
static const char *path;

static struct wedr_losses *open_ledger(int expected)
{
    struct wedr_losses *l = NULL;
    assert_int_equal(wedr_losses_open(dir, &l), expected);
    assert_non_null(l);
    return l;
}

static int setup(void **state)
{
    (void)state;
    path = t_dir(0);
    return wedr_fs_open_dir(path, &dir);
}

static int teardown(void **state)
{
    (void)state;
    wedr_fs_close(dir);
    t_rmdir(path);
    return 0;
}

static void text_of(const struct wedr_losses *l, uint32_t reason, const char *expected)
{
    struct wedr_buf b;
    wedr_buf_init(&b, 8192);
    wedr_loss_ranges_text(wedr_losses_find(l, 1, "kernel.bulk", reason), &b);
    assert_string_equal((const char *)b.p, expected);
    wedr_buf_fini(&b);
}

static void the_same_range_twice_counts_once_and_neighbours_merge(void **state)
{
    (void)state;
    struct wedr_losses *l = open_ledger(WEDR_OK);
    wedr_losses_add(l, 1, "kernel.bulk", 19, 10, 19, 10);
    wedr_losses_add(l, 1, "kernel.bulk", 19, 10, 19, 10);
    wedr_losses_add(l, 1, "kernel.bulk", 19, 30, 39, 10);
    wedr_losses_add(l, 1, "kernel.bulk", 19, 20, 29, 10);
    wedr_losses_add(l, 1, "kernel.bulk", 19, 35, 44, 10);
    assert_int_equal(wedr_losses_count(l, 1, "kernel.bulk", 19), 35);
    text_of(l, 19, "10-44");
    /* a range with holes names fewer records than it spans */
    wedr_losses_add(l, 1, "kernel.bulk", 20, 1, 100, 60);
    assert_int_equal(wedr_losses_count(l, 1, "kernel.bulk", 20), 60);
    wedr_losses_free(l);
}

static void counts_survive_reopen_and_never_go_back(void **state)
{
    (void)state;
    struct wedr_losses *l = open_ledger(WEDR_OK);
    wedr_losses_add(l, 1, "kernel.bulk", 19, 10, 19, 10);
    wedr_losses_add(l, 1, "kernel.critical", 16, 0, 0, 3);
    wedr_losses_set(l, 1, "kernel.bulk", 1, 500); /* the kernel's own: not kept */
    assert_int_equal(wedr_losses_flush(l), WEDR_OK);
    wedr_losses_free(l);
    l = open_ledger(WEDR_OK);
    assert_int_equal(wedr_losses_count(l, 1, "kernel.bulk", 19), 10);
    assert_int_equal(wedr_losses_count(l, 1, "kernel.critical", 16), 3);
    assert_int_equal(wedr_losses_count(l, 1, "kernel.bulk", 1), 0);
    wedr_losses_add(l, 1, "kernel.bulk", 19, 15, 24, 10);
    assert_int_equal(wedr_losses_count(l, 1, "kernel.bulk", 19), 15);
    text_of(l, 19, "10-24");
    wedr_losses_free(l);
}

static void only_the_newest_64_ranges_are_kept_and_the_count_stays(void **state)
{
    (void)state;
    struct wedr_losses *l = open_ledger(WEDR_OK);
    for (uint64_t i = 0; i < 200; i++) {
        wedr_losses_add(l, 1, "kernel.bulk", 17, i * 10 + 1, i * 10 + 1, 1);
    }
    const struct wedr_loss *k = wedr_losses_find(l, 1, "kernel.bulk", 17);
    assert_int_equal(k->lost, 200);
    assert_int_equal(k->range_count, WEDR_LOSSES_RANGES_MAX);
    assert_int_equal(k->ranges[WEDR_LOSSES_RANGES_MAX - 1].last, 1991);
    assert_int_equal(k->ranges[0].first, 1361);
    wedr_losses_free(l);
}

static void a_loss_is_told_at_once_and_then_once_a_second(void **state)
{
    (void)state;
    struct wedr_losses *l = open_ledger(WEDR_OK);
    wedr_losses_add(l, 1, "kernel.bulk", 19, 1, 1, 1);
    const struct wedr_loss *k = wedr_losses_due(l, 5000, false);
    assert_non_null(k);
    wedr_losses_reported(l, k, 5000);
    assert_null(wedr_losses_due(l, 5000, false));
    wedr_losses_add(l, 1, "kernel.bulk", 19, 2, 2, 1);
    assert_null(wedr_losses_due(l, 5999, false));
    assert_non_null(wedr_losses_due(l, 5999, true));
    assert_non_null(wedr_losses_due(l, 6000, false));
    wedr_losses_free(l);
}

static void damaged_state_is_told_and_replaced(void **state)
{
    (void)state;
    char file[512];
    uint8_t *bytes;
    size_t len;
    struct wedr_losses *l = open_ledger(WEDR_OK);
    wedr_losses_add(l, 1, "kernel.bulk", 19, 1, 9, 9);
    assert_int_equal(wedr_losses_flush(l), WEDR_OK);
    wedr_losses_free(l);
    t_find_file(path, "losses.state", file);
    t_read_file(file, &bytes, &len);
    for (size_t i = 0; i < len; i++) {
        bytes[i] ^= 2;
        t_write_file(file, bytes, len);
        bytes[i] ^= 2;
        l = open_ledger(WEDR_E_CORRUPT);
        assert_int_equal(wedr_losses_count(l, 1, "kernel.bulk", 19), 0);
        wedr_losses_free(l);
    }
    for (size_t n = 0; n < len; n++) {
        t_write_file(file, bytes, n);
        l = open_ledger(WEDR_E_CORRUPT);
        wedr_losses_free(l);
    }
    wedr_free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_range_twice_counts_once_and_neighbours_merge,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(counts_survive_reopen_and_never_go_back, setup, teardown),
        cmocka_unit_test_setup_teardown(only_the_newest_64_ranges_are_kept_and_the_count_stays,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_loss_is_told_at_once_and_then_once_a_second, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(damaged_state_is_told_and_replaced, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
