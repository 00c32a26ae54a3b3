/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/endian.h"
#include "core/base/ring.h"
#include "core/util/alloc.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#define ARENA 1000u
#define HEAD 16u /* the stamp: seq, losses */

static void stamp(void *record, size_t len, uint64_t seq, uint64_t dropped)
{
    if (len >= HEAD) {
        wedr_put_le64(record, seq);
        wedr_put_le64((uint8_t *)record + 8, dropped);
    }
}

struct fixture {
    struct wedr_ring ring;
    uint8_t *arena[WEDR_RING_LANES];
};

static int setup_caps(void **state, size_t critical, size_t bulk)
{
    struct fixture *f = wedr_alloc(1, sizeof(*f));
    const size_t caps[] = {critical, bulk};
    assert_non_null(f);
    memset(&f->ring, 0xa5, sizeof(f->ring)); /* init leaves nothing of what was there */
    for (unsigned i = 0; i < WEDR_RING_LANES; i++) {
        f->arena[i] = wedr_alloc(caps[i], 1);
        assert_non_null(f->arena[i]);
    }
    assert_int_equal(wedr_ring_init(&f->ring, f->arena, caps, stamp), WEDR_OK);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return setup_caps(state, ARENA, ARENA);
}

static int setup_wide(void **state)
{
    return setup_caps(state, (size_t)WEDR_RING_SLOTS * 32, ARENA);
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < WEDR_RING_LANES; i++) {
        wedr_free(f->arena[i]);
    }
    wedr_free(f);
    return 0;
}

static void push(struct wedr_ring *r, unsigned lane, size_t len, uint8_t fill)
{
    uint8_t mem[ARENA];
    memset(mem, fill, len);
    assert_int_equal(wedr_ring_push(r, lane, mem, len), WEDR_OK);
}

static void assert_balanced(const struct wedr_ring *r)
{
    for (unsigned lane = 0; lane < WEDR_RING_LANES; lane++) {
        struct wedr_ring_stats s = wedr_ring_stats(r, lane);
        uint64_t sum = s.delivered + s.queued;
        for (unsigned i = 0; i < WEDR_RING_DROP_COUNT; i++) {
            sum += s.dropped[i];
        }
        assert_true(s.produced == sum);
    }
}

static void push_when_bytes_are_full_evicts_oldest_and_counts(void **state)
{
    struct wedr_ring *r = &((struct fixture *)*state)->ring;
    for (unsigned i = 0; i < 10; i++) {
        push(r, 0, 100, 0);
    }
    assert_int_equal(wedr_ring_stats(r, 0).queued, 10);
    assert_true(wedr_ring_stats(r, 0).dropped[WEDR_RING_DROP_EVICTED] == 0);
    push(r, 0, 150, 0);
    assert_int_equal(wedr_ring_stats(r, 0).queued, 9);
    assert_true(wedr_ring_stats(r, 0).dropped[WEDR_RING_DROP_EVICTED] == 2);
    assert_int_equal(wedr_ring_stats(r, 0).queued_peak, 10);
    const void *p;
    size_t len;
    uint64_t seq;
    assert_int_equal(wedr_ring_peek(r, 0, &p, &len, &seq), WEDR_OK);
    assert_true(seq == 3 && len == 100 && wedr_le64(p) == 3);
    assert_balanced(r);
}

static void push_when_slots_are_full_evicts_oldest(void **state)
{
    struct wedr_ring *r = &((struct fixture *)*state)->ring;
    for (unsigned i = 0; i < WEDR_RING_SLOTS + 904; i++) {
        push(r, 0, HEAD, 0);
    }
    struct wedr_ring_stats s = wedr_ring_stats(r, 0);
    assert_int_equal(s.queued, WEDR_RING_SLOTS);
    assert_true(s.produced == WEDR_RING_SLOTS + 904);
    assert_true(s.dropped[WEDR_RING_DROP_EVICTED] == 904);
    const void *p;
    size_t len;
    uint64_t seq;
    assert_int_equal(wedr_ring_peek(r, 0, &p, &len, &seq), WEDR_OK);
    assert_true(seq == 905);
    assert_balanced(r);
}

static void too_big_record_takes_a_seq_and_is_counted(void **state)
{
    struct wedr_ring *r = &((struct fixture *)*state)->ring;
    uint8_t mem[ARENA + 1] = {0};
    push(r, 0, 50, 1);
    assert_int_equal(wedr_ring_push(r, 0, mem, ARENA + 1), WEDR_E_LIMIT);
    push(r, 0, 50, 3);
    struct wedr_ring_stats s = wedr_ring_stats(r, 0);
    assert_true(s.produced == 3 && s.queued == 2 && s.dropped[WEDR_RING_DROP_TOO_BIG] == 1);
    /* The record behind the hole says both: seq 3, one lost. */
    assert_int_equal(wedr_ring_commit(r, 0, 1), WEDR_OK);
    const void *p;
    size_t len;
    uint64_t seq;
    assert_int_equal(wedr_ring_peek(r, 0, &p, &len, &seq), WEDR_OK);
    assert_true(seq == 3 && wedr_le64(p) == 3 && wedr_le64((const uint8_t *)p + 8) == 1);
    assert_balanced(r);
}

static void record_as_large_as_the_arena_fits_alone(void **state)
{
    struct wedr_ring *r = &((struct fixture *)*state)->ring;
    push(r, 0, 10, 0);
    push(r, 0, ARENA, 7);
    assert_int_equal(wedr_ring_stats(r, 0).queued, 1);
    assert_true(wedr_ring_stats(r, 0).dropped[WEDR_RING_DROP_EVICTED] == 1);
    push(r, 0, ARENA, 8);
    assert_int_equal(wedr_ring_stats(r, 0).queued, 1);
    assert_balanced(r);
}

static void record_lost_before_the_ring_is_a_counted_hole(void **state)
{
    struct wedr_ring *r = &((struct fixture *)*state)->ring;
    wedr_ring_lose(r, 1);
    push(r, 1, 20, 0);
    struct wedr_ring_stats s = wedr_ring_stats(r, 1);
    assert_true(s.produced == 2 && s.dropped[WEDR_RING_DROP_SOURCE] == 1 && s.queued == 1);
    assert_true(wedr_ring_stats(r, 0).produced == 0);
    wedr_ring_lose(r, 9);
    assert_balanced(r);
}

static void noise_in_bulk_never_costs_a_critical_record(void **state)
{
    struct wedr_ring *r = &((struct fixture *)*state)->ring;
    push(r, 0, 100, 1);
    for (unsigned i = 0; i < 5000; i++) {
        push(r, 1, 90, 2);
    }
    assert_int_equal(wedr_ring_stats(r, 0).queued, 1);
    uint8_t out[4096];
    size_t len;
    uint32_t count;
    assert_int_equal(wedr_ring_read(r, out, sizeof(out), &len, &count), WEDR_OK);
    assert_int_equal(out[HEAD], 1); /* critical comes first */
    assert_true(wedr_ring_stats(r, 0).delivered == 1);
    assert_balanced(r);
}

static void read_into_a_small_buffer_takes_nothing_and_says_the_size(void **state)
{
    struct wedr_ring *r = &((struct fixture *)*state)->ring;
    uint8_t out[300];
    size_t len = 77;
    uint32_t count = 77;
    assert_int_equal(wedr_ring_read(r, out, sizeof(out), &len, &count), WEDR_E_NOENT);
    assert_true(len == 77 && count == 77);
    push(r, 1, 200, 0);
    assert_int_equal(wedr_ring_read(r, out, 199, &len, &count), WEDR_E_LIMIT);
    assert_true(len == 200 && count == 0);
    assert_true(wedr_ring_stats(r, 1).delivered == 0 && wedr_ring_stats(r, 1).queued == 1);
    assert_int_equal(wedr_ring_read(r, out, 200, &len, &count), WEDR_OK);
    assert_true(len == 200 && count == 1 && wedr_ring_stats(r, 1).delivered == 1);
    assert_balanced(r);
}

static void read_fills_the_buffer_with_whole_records_only(void **state)
{
    struct wedr_ring *r = &((struct fixture *)*state)->ring;
    push(r, 0, 100, 0);
    push(r, 0, 100, 0);
    push(r, 1, 100, 0);
    push(r, 1, 20, 0);
    uint8_t out[260];
    size_t len;
    uint32_t count;
    memset(out, 0x77, sizeof(out));
    assert_int_equal(wedr_ring_read(r, out, sizeof(out), &len, &count), WEDR_OK);
    assert_true(len == 200 &&
                count == 2); /* bulk's second record would fit, but it must wait for its first */
    assert_int_equal(out[200], 0x77);
    assert_int_equal(wedr_ring_read(r, out, sizeof(out), &len, &count), WEDR_OK);
    assert_true(len == 120 && count == 2);
    assert_true(wedr_le64(out) == 1 && wedr_le64(out + 100) == 2);
    assert_balanced(r);
}

static void commit_after_eviction_says_so_and_counts_once(void **state)
{
    struct wedr_ring *r = &((struct fixture *)*state)->ring;
    const void *p;
    size_t len;
    uint64_t seq;
    assert_int_equal(wedr_ring_commit(r, 0, 1), WEDR_E_STATE);
    push(r, 0, 600, 0);
    assert_int_equal(wedr_ring_peek(r, 0, &p, &len, &seq), WEDR_OK);
    push(r, 0, 600, 0);
    assert_int_equal(wedr_ring_commit(r, 0, seq), WEDR_E_STATE);
    assert_int_equal(wedr_ring_commit(r, 0, seq + 2), WEDR_E_STATE); /* not there yet */
    struct wedr_ring_stats s = wedr_ring_stats(r, 0);
    assert_true(s.delivered == 0 && s.dropped[WEDR_RING_DROP_EVICTED] == 1 && s.queued == 1);
    assert_balanced(r);
}

static void bad_arguments_change_nothing(void **state)
{
    struct wedr_ring *r = &((struct fixture *)*state)->ring;
    static struct wedr_ring blank;
    uint8_t byte = 0;
    uint8_t *const none[] = {&byte, NULL}, *const both[] = {&byte, &byte};
    const size_t caps[] = {1, 1}, no_caps[] = {1, 0}, huge[] = {1, (size_t)UINT32_MAX + 1};
    const void *p;
    size_t len;
    uint64_t seq;
    uint32_t count;
    assert_int_equal(wedr_ring_push(r, WEDR_RING_LANES, &byte, 1), WEDR_E_INVAL);
    assert_int_equal(wedr_ring_push(r, 0, &byte, 0), WEDR_E_INVAL);
    assert_int_equal(wedr_ring_peek(r, WEDR_RING_LANES, &p, &len, &seq), WEDR_E_INVAL);
    assert_int_equal(wedr_ring_commit(r, WEDR_RING_LANES, 1), WEDR_E_INVAL);
    assert_int_equal(wedr_ring_push(&blank, 0, &byte, 1), WEDR_E_INVAL);
    assert_int_equal(wedr_ring_read(&blank, &byte, 1, &len, &count), WEDR_E_INVAL);
    assert_true(wedr_ring_stats(r, 0).produced == 0 && wedr_ring_stats(r, 7).produced == 0);
    assert_int_equal(wedr_ring_init(&blank, none, caps, NULL), WEDR_E_INVAL);
    assert_int_equal(wedr_ring_init(&blank, both, no_caps, NULL), WEDR_E_INVAL);
    assert_int_equal(wedr_ring_init(&blank, both, huge, NULL), WEDR_E_INVAL);
}

static void new_ring_is_empty_in_every_byte(void **state)
{
    const struct wedr_ring *r = &((struct fixture *)*state)->ring;
    static const struct wedr_ring_lane empty;
    for (unsigned i = 0; i < WEDR_RING_LANES; i++) {
        assert_true(r->lanes[i].write == 0 && r->lanes[i].head == 0);
        assert_memory_equal(&r->lanes[i].stats, &empty.stats, sizeof(empty.stats));
        assert_memory_equal(r->lanes[i].slots, empty.slots, sizeof(empty.slots));
    }
}

static void arena_of_the_largest_size_is_taken(void **state)
{
    static struct wedr_ring r;
    uint8_t byte = 0; /* no record is pushed */
    uint8_t *const arenas[] = {&byte, &byte};
    const size_t caps[] = {UINT32_MAX, UINT32_MAX};
    (void)state;
    assert_int_equal(wedr_ring_init(&r, arenas, caps, NULL), WEDR_OK);
    assert_true(r.lanes[0].cap == UINT32_MAX && r.lanes[1].cap == UINT32_MAX);
}

/* The model: a lane is the list of seqs and lengths that are queued; what the ring may drop is only
 * its oldest. */
struct model {
    uint64_t next_seq, first, delivered,
        lost;            /* queued seqs: first .. next_seq - 1, minus lost ones */
    uint32_t len[65536]; /* by seq modulo; 0 = not queued */
};

static uint64_t rng_state = 0x2545F4914F6CDD1D;

static uint32_t random_below(uint32_t n)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 32) % n;
}

static uint8_t fill_of(uint64_t seq)
{
    return (uint8_t)(seq * 31 + 5);
}

/* Every byte behind the stamp is the seq's own, so an overlap in the arena shows. */
static void check_record(const struct model *m, const uint8_t *p, size_t len, uint64_t seq)
{
    assert_int_equal(len, m->len[seq % 65536]);
    if (len >= HEAD) {
        assert_true(wedr_le64(p) == seq);
        for (size_t i = HEAD; i < len; i++) {
            assert_int_equal(p[i], fill_of(seq));
        }
    }
}

static void model_push(struct wedr_ring *r, struct model *m, unsigned lane, size_t cap)
{
    static uint8_t mem[ARENA + 64];
    size_t len =
        random_below(8) == 0 ? 1 + random_below((uint32_t)cap + 40) : 1 + random_below(120);
    uint64_t seq = m->next_seq++;
    memset(mem, fill_of(seq), len);
    int err = wedr_ring_push(r, lane, mem, len);
    assert_int_equal(err, len > cap ? WEDR_E_LIMIT : WEDR_OK);
    m->len[seq % 65536] = len > cap ? 0 : (uint32_t)len;
    m->lost += len > cap;
    /* Only the oldest may have gone, and only as many as the counters say. */
    struct wedr_ring_stats s = wedr_ring_stats(r, lane);
    while (m->lost < s.dropped[WEDR_RING_DROP_EVICTED] + s.dropped[WEDR_RING_DROP_TOO_BIG]) {
        if (m->len[m->first % 65536]) {
            m->len[m->first % 65536] = 0;
            m->lost++;
        }
        m->first++;
    }
}

static void model_take(struct model *m, const uint8_t *p, size_t len, uint64_t seq)
{
    while (m->len[m->first % 65536] == 0) {
        m->first++;
    }
    assert_true(m->first == seq);
    check_record(m, p, len, seq);
    m->len[seq % 65536] = 0;
    m->first++;
    m->delivered++;
}

static void random_operations_agree_with_a_simple_model(void **state)
{
    struct wedr_ring *r = &((struct fixture *)*state)->ring;
    static struct model models[WEDR_RING_LANES];
    memset(models, 0, sizeof(models));
    models[0].next_seq = models[0].first = models[1].next_seq = models[1].first = 1;
    for (unsigned step = 0; step < 200000; step++) {
        unsigned lane = random_below(2);
        struct model *m = &models[lane];
        /* Phases of mostly pushing and of mostly reading reach full and empty rings. */
        bool pushing = random_below(10) < (step / 500 % 2 ? 3u : 7u);
        if (pushing) {
            model_push(r, m, lane, ARENA);
        } else {
            const void *p;
            size_t len;
            uint64_t seq;
            int err = wedr_ring_peek(r, lane, &p, &len, &seq);
            assert_int_equal(err, wedr_ring_stats(r, lane).queued ? WEDR_OK : WEDR_E_NOENT);
            if (err == WEDR_OK) {
                model_take(m, p, len, seq);
                assert_int_equal(wedr_ring_commit(r, lane, seq), WEDR_OK);
            }
        }
        struct wedr_ring_stats s = wedr_ring_stats(r, lane);
        assert_true(s.produced == m->next_seq - 1);
        assert_true(s.delivered == m->delivered);
        assert_true(s.queued == s.produced - s.delivered - m->lost);
        assert_balanced(r);
    }
    assert_true(models[0].lost > 100 && models[0].delivered > 1000);
}

static void batches_of_any_size_deliver_all_in_order(void **state)
{
    struct wedr_ring *r = &((struct fixture *)*state)->ring;
    static uint8_t out[8192];
    uint64_t next = 1;
    for (unsigned step = 0; step < 5000; step++) {
        push(r, 0, HEAD + random_below(16), 0);
        size_t len = 0, at = 0;
        uint32_t count = 0;
        int err =
            wedr_ring_read(r, out, step % 97 == 0 ? sizeof(out) : random_below(64), &len, &count);
        assert_true(err == WEDR_OK || err == WEDR_E_LIMIT);
        /* Records have no length of their own here: the next one begins where its seq stands. */
        for (uint32_t i = 0; err == WEDR_OK && i < count; i++, next++) {
            while (wedr_le64(out + at) != next) {
                assert_true(++at < len);
            }
        }
        assert_balanced(r);
    }
    struct wedr_ring_stats s = wedr_ring_stats(r, 0);
    assert_true(s.delivered == next - 1 && s.delivered > 4000);
    assert_true(s.dropped[WEDR_RING_DROP_EVICTED] == 0);
}

static void bytes_are_counted_in_out_and_at_their_peak(void **state)
{
    struct fixture *f = *state;
    uint8_t record[400] = {0};
    uint8_t out[ARENA];
    size_t len = 0;
    uint32_t count = 0;

    for (unsigned i = 0; i < 3; i++) { /* the third evicts the first */
        assert_int_equal(wedr_ring_push(&f->ring, 1, record, sizeof(record)), WEDR_OK);
    }
    assert_int_equal(wedr_ring_stats(&f->ring, 1).bytes_queued, 800);
    assert_int_equal(wedr_ring_stats(&f->ring, 1).bytes_peak, 800);
    assert_int_equal(wedr_ring_read(&f->ring, out, sizeof(out), &len, &count), WEDR_OK);
    assert_int_equal(wedr_ring_stats(&f->ring, 1).bytes_queued, 0);
    assert_int_equal(wedr_ring_stats(&f->ring, 1).bytes_delivered, 800);
    assert_int_equal(wedr_ring_stats(&f->ring, 1).bytes_peak, 800);
    push(&f->ring, 1, 801, 0); /* one more than ever before */
    assert_int_equal(wedr_ring_stats(&f->ring, 1).bytes_peak, 801);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_ring_is_empty_in_every_byte, setup, teardown),
        cmocka_unit_test(arena_of_the_largest_size_is_taken),
        cmocka_unit_test_setup_teardown(bytes_are_counted_in_out_and_at_their_peak, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(push_when_bytes_are_full_evicts_oldest_and_counts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(push_when_slots_are_full_evicts_oldest, setup_wide,
                                        teardown),
        cmocka_unit_test_setup_teardown(too_big_record_takes_a_seq_and_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(record_as_large_as_the_arena_fits_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(record_lost_before_the_ring_is_a_counted_hole, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(noise_in_bulk_never_costs_a_critical_record, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(read_into_a_small_buffer_takes_nothing_and_says_the_size,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(read_fills_the_buffer_with_whole_records_only, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(commit_after_eviction_says_so_and_counts_once, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(bad_arguments_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(random_operations_agree_with_a_simple_model, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(batches_of_any_size_deliver_all_in_order, setup_wide,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
