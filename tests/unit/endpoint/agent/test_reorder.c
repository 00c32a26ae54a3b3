/* SPDX-License-Identifier: Apache-2.0 */
#include "reorder.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define N 20000u

static uint64_t rng;

static uint32_t below(uint32_t n)
{
    rng = rng * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((rng >> 33) % n);
}

static struct wedr_span no_bytes(void)
{
    return wedr_span(NULL, 0);
}

/* Writes what may be written; each seq is marked once and in order. Returns how many. */
static size_t
write_all(struct wedr_reorder *r, uint64_t now, bool all, uint8_t *written, uint64_t *last)
{
    size_t n = 0;
    for (;;) {
        struct wedr_reorder_cursor c;
        const struct wedr_reorder_item *it;
        wedr_reorder_look(r, now, all, &c);
        while ((it = wedr_reorder_next(r, &c)) != NULL) {
            assert_true(it->seq > *last);
            assert_int_equal(written[it->seq], 0);
            written[it->seq] = 1;
            *last = it->seq;
            n++;
        }
        bool moved = c.seq != r->seq;
        wedr_reorder_commit(r, &c);
        if (!moved) {
            return n;
        }
    }
}

/* A permutation in which nothing moves further than `reach` places. */
static void shuffle(uint64_t *seq, size_t n, size_t reach)
{
    for (size_t i = 0; i + 1 < n; i++) {
        size_t block = i / reach * reach;
        size_t left = n - block < reach ? n - block : reach;
        size_t j = block + below((uint32_t)left);
        uint64_t t = seq[i];
        seq[i] = seq[j];
        seq[j] = t;
    }
}

static void
any_order_within_500_places_is_written_once_in_order_and_holes_are_the_losses(void **state)
{
    (void)state;
    for (int round = 0; round < 6; round++) {
        struct wedr_reorder r;
        static uint64_t seq[N];
        static uint8_t lost[N + 1], written[N + 1];
        size_t count = 0;
        uint64_t lost_count = 0;
        uint64_t last = 0;
        uint64_t end = 0;
        rng = (uint64_t)round + 1;
        memset(lost, 0, sizeof(lost));
        memset(written, 0, sizeof(written));
        for (uint64_t s = 1; s <= N; s++) {
            lost[s] = below(50) == 0 || (s > 5000 && s < 5300);
            lost_count += lost[s];
            if (!lost[s]) {
                seq[count++] = s;
            }
        }
        shuffle(seq, count, 500);
        assert_int_equal(wedr_reorder_init(&r), WEDR_OK);
        wedr_reorder_begin(&r, 0, 0);
        uint64_t now = 1000;
        size_t stored = 0;
        for (size_t i = 0; i < count;) {
            /* The counter runs ahead of what can be seen: every seq of the block was given out. */
            size_t step = 1 + below(900);
            uint64_t top = (i + step + 500) * 51 / 50 + 300;
            top = top > N ? N : top;
            uint64_t lost_now = 0;
            for (uint64_t s = 1; s <= top; s++) {
                lost_now += lost[s];
            }
            wedr_reorder_observe(&r, now, top, lost_now);
            for (size_t k = 0; k < step && i < count; k++, i++) {
                assert_int_equal(wedr_reorder_add(&r, seq[i], no_bytes(), i + 1),
                                 WEDR_REORDER_TAKEN);
            }
            stored += write_all(&r, now, false, written, &last);
            now += 3;
        }
        wedr_reorder_observe(&r, now, N, lost_count);
        stored += write_all(&r, now + 21, false, written, &last);
        assert_int_equal(stored, count);
        assert_int_equal(r.seq, N);
        assert_int_equal(r.explained, lost_count);
        for (uint64_t s = 1; s <= N; s++) {
            assert_int_equal(written[s], !lost[s]);
        }
        assert_int_equal(r.hole_count, 0);
        assert_true(wedr_reorder_released(&r, &end));
        assert_int_equal(end, count);
        wedr_reorder_fini(&r);
    }
}

static struct wedr_reorder make(uint64_t base)
{
    struct wedr_reorder r;
    assert_int_equal(wedr_reorder_init(&r), WEDR_OK);
    wedr_reorder_begin(&r, base, 0);
    return r;
}

static void hole_without_explanation_waits_200_ms_and_what_comes_after_is_late(void **state)
{
    (void)state;
    struct wedr_reorder r = make(0);
    uint8_t written[16] = {0};
    uint64_t last = 0;
    wedr_reorder_observe(&r, 1000, 3, 0);
    assert_int_equal(wedr_reorder_add(&r, 1, no_bytes(), 1), WEDR_REORDER_TAKEN);
    assert_int_equal(wedr_reorder_add(&r, 3, no_bytes(), 2), WEDR_REORDER_TAKEN);
    assert_int_equal(write_all(&r, 1000, false, written, &last), 1);
    assert_int_equal(write_all(&r, 1199, false, written, &last), 0);
    assert_int_equal(write_all(&r, 1200, false, written, &last), 1);
    assert_int_equal(r.seq, 3);
    assert_int_equal(wedr_reorder_add(&r, 2, no_bytes(), 3), WEDR_REORDER_LATE);
    assert_int_equal(wedr_reorder_add(&r, 2, no_bytes(), 4), WEDR_REORDER_TWICE);
    wedr_reorder_fini(&r);
}

static void explained_hole_waits_one_poll_only(void **state)
{
    (void)state;
    struct wedr_reorder r = make(0);
    uint8_t written[16] = {0};
    uint64_t last = 0;
    wedr_reorder_observe(&r, 1000, 4, 2);
    assert_int_equal(wedr_reorder_add(&r, 1, no_bytes(), 1), WEDR_REORDER_TAKEN);
    assert_int_equal(wedr_reorder_add(&r, 4, no_bytes(), 2), WEDR_REORDER_TAKEN);
    assert_int_equal(write_all(&r, 1019, false, written, &last), 1);
    assert_int_equal(write_all(&r, 1020, false, written, &last), 1);
    assert_int_equal(r.explained, 2);
    wedr_reorder_fini(&r);
}

static void one_loss_does_not_explain_two_holes(void **state)
{
    (void)state;
    struct wedr_reorder r = make(0);
    uint8_t written[16] = {0};
    uint64_t last = 0;
    wedr_reorder_observe(&r, 1000, 4, 1);
    assert_int_equal(wedr_reorder_add(&r, 1, no_bytes(), 1), WEDR_REORDER_TAKEN);
    assert_int_equal(wedr_reorder_add(&r, 4, no_bytes(), 2), WEDR_REORDER_TAKEN);
    assert_int_equal(write_all(&r, 1050, false, written, &last), 1);
    assert_int_equal(wedr_reorder_add(&r, 3, no_bytes(), 3), WEDR_REORDER_TAKEN);
    /* now there is one hole for one loss */
    assert_int_equal(write_all(&r, 1050, false, written, &last), 2);
    assert_int_equal(r.seq, 4);
    wedr_reorder_fini(&r);
}

static void losses_at_the_end_become_holes_without_a_record_behind_them(void **state)
{
    (void)state;
    struct wedr_reorder r = make(10);
    uint8_t written[16] = {0};
    uint64_t last = 0;
    wedr_reorder_observe(&r, 1000, 14, 4);
    assert_int_equal(write_all(&r, 1030, false, written, &last), 0);
    assert_int_equal(r.seq, 14);
    assert_int_equal(r.explained, 4);
    wedr_reorder_fini(&r);
}

static void what_an_earlier_run_wrote_is_skipped_and_released(void **state)
{
    (void)state;
    struct wedr_reorder r = make(5);
    uint64_t end = 0;
    for (uint64_t s = 1; s <= 5; s++) {
        assert_int_equal(wedr_reorder_add(&r, s, no_bytes(), s * 10), WEDR_REORDER_OLD);
    }
    assert_int_equal(wedr_reorder_add(&r, 6, no_bytes(), 60), WEDR_REORDER_TAKEN);
    assert_true(wedr_reorder_released(&r, &end));
    assert_int_equal(end, 50);
    wedr_reorder_fini(&r);
}

static void ring_is_released_only_up_to_the_first_record_not_written(void **state)
{
    (void)state;
    struct wedr_reorder r = make(0);
    uint8_t written[16] = {0};
    uint64_t last = 0;
    uint64_t end = 0;
    wedr_reorder_observe(&r, 1000, 4, 0);
    assert_int_equal(wedr_reorder_add(&r, 3, no_bytes(), 100), WEDR_REORDER_TAKEN);
    assert_int_equal(wedr_reorder_add(&r, 1, no_bytes(), 200), WEDR_REORDER_TAKEN);
    assert_int_equal(write_all(&r, 1000, false, written, &last), 1);
    assert_false(wedr_reorder_released(&r, &end));
    assert_int_equal(wedr_reorder_add(&r, 2, no_bytes(), 300), WEDR_REORDER_TAKEN);
    assert_int_equal(write_all(&r, 1000, false, written, &last), 2);
    assert_true(wedr_reorder_released(&r, &end));
    assert_int_equal(end, 300);
    wedr_reorder_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            any_order_within_500_places_is_written_once_in_order_and_holes_are_the_losses),
        cmocka_unit_test(hole_without_explanation_waits_200_ms_and_what_comes_after_is_late),
        cmocka_unit_test(explained_hole_waits_one_poll_only),
        cmocka_unit_test(one_loss_does_not_explain_two_holes),
        cmocka_unit_test(losses_at_the_end_become_holes_without_a_record_behind_them),
        cmocka_unit_test(what_an_earlier_run_wrote_is_skipped_and_released),
        cmocka_unit_test(ring_is_released_only_up_to_the_first_record_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
