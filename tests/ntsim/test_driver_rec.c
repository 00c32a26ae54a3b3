/* SPDX-License-Identifier: Apache-2.0
 * One record from its pieces, and the places where it is put together. */
#include "driver_play.h"
#include "nt_probe.h"
#include <stdlib.h>

#define REF(name) offsetof(struct wedr_windows_registry_write, name)
#define FIXED ((uint16_t)sizeof(struct wedr_windows_registry_write))
#define APC 1u

static struct ntsim_file *f;

static int setup(void **state)
{
    int err = expect_setup(state);

    f = *state;
    return err;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, driver_teardown)

static void begin(uint8_t lane)
{
    probe_rec_begin(WEDR_EV_REGISTRY_WRITE, FIXED, lane);
}

/* A record with all zero but that path. */
static struct wants wants(uint8_t lane, struct ntsim_text path, unsigned flags)
{
    struct wants w = wants_change(0, 0, NTSIM_TEXT(u""));

    w.lane = lane;
    want_number(&w, "pid", 0);
    want_text(&w, "key_path", path, flags);
    return w;
}

static void push(const struct wants *w)
{
    assert_true(probe_rec_push());
    expect_record(f, w);
    expect_none(f);
}

static void new_record_is_empty_and_has_its_header(void **state)
{
    const struct wants critical = wants(WEDR_LANE_CRITICAL, NTSIM_TEXT(u""), 0);
    const struct wants bulk = wants(WEDR_LANE_BULK, NTSIM_TEXT(u""), 0);

    (void)state;
    ntsim_set_time(NTSIM_TIME + 77);
    begin(WEDR_LANE_CRITICAL);
    assert_int_equal(probe_rec_len(), FIXED);
    assert_int_equal(probe_rec_parts(), 1);
    assert_int_equal(probe_rec_cuts(), 0);
    push(&critical);
    begin(WEDR_LANE_BULK);
    push(&bulk);
    begin(WEDR_LANE_CRITICAL);
    probe_rec_set_lane(WEDR_LANE_BULK); /* decided later */
    push(&bulk);
}

static void time_is_that_of_the_beginning(void **state)
{
    struct driver_event e;

    (void)state;
    begin(WEDR_LANE_CRITICAL);
    ntsim_set_time(NTSIM_TIME + 1000);
    assert_true(probe_rec_push());
    e = driver_read(f);
    assert_int_equal(e.v.h.time, NTSIM_TIME);
    driver_event_free(&e);
}

static void check_text(struct ntsim_text given, size_t max, struct ntsim_text want, unsigned flags)
{
    struct wants w = wants(WEDR_LANE_CRITICAL, want, flags);

    if (want.len == 0 && flags != 0) {
        want_nothing(&w, "key_path", flags | WEDR_SF_UTF16);
    }
    begin(WEDR_LANE_CRITICAL);
    probe_rec_text(REF(key_path), given, max);
    assert_int_equal(probe_rec_len(), FIXED + want.len);
    assert_int_equal(probe_rec_cuts(), (flags & WEDR_SF_CUT) != 0);
    push(&w);
}

static void d08_text_is_cut_only_when_it_does_not_fit(void **state)
{
    const struct ntsim_text none = NTSIM_TEXT(u"");

    (void)state;
    check_text(NTSIM_TEXT(u"abcd"), 8, NTSIM_TEXT(u"abcd"), 0);
    check_text(NTSIM_TEXT(u"abcd"), 9, NTSIM_TEXT(u"abcd"), 0);
    check_text(NTSIM_TEXT(u"abcd"), 7, NTSIM_TEXT(u"abc"), WEDR_SF_CUT);
    check_text(NTSIM_TEXT(u"abcd"), 6, NTSIM_TEXT(u"abc"), WEDR_SF_CUT);
    check_text(NTSIM_TEXT(u"abcd"), 2, NTSIM_TEXT(u"a"), WEDR_SF_CUT);
    check_text(NTSIM_TEXT(u"abcd"), 1, none, WEDR_SF_CUT);
    check_text(NTSIM_TEXT(u"abcd"), 0, none, WEDR_SF_CUT);
    check_text(NTSIM_BYTES(u"abcd", 7), 8, NTSIM_TEXT(u"abc"), WEDR_SF_CUT);
    check_text(NTSIM_BYTES(u"abcd", 7), 6, NTSIM_TEXT(u"abc"), WEDR_SF_CUT);
    check_text(none, 8, none, 0);
    check_text(NTSIM_NULL, 8, none, 0);
    check_text(NTSIM_BYTES(NULL, 6), 8, none, 0);
}

static void cut_does_not_divide_a_surrogate_pair(void **state)
{
    static const uint16_t pair[] = {'a', 0xd83d, 0xde00, 'b'};
    static const uint16_t high[] = {0xd800, 'b'};

    (void)state;
    check_text(NTSIM_BYTES(pair, 8), 4, NTSIM_BYTES(pair, 2), WEDR_SF_CUT);
    check_text(NTSIM_BYTES(pair, 8), 6, NTSIM_BYTES(pair, 6), WEDR_SF_CUT);
    check_text(NTSIM_BYTES(high, 4), 2, NTSIM_TEXT(u""), WEDR_SF_CUT);
    check_text(NTSIM_BYTES(high, 2), 2, NTSIM_BYTES(high, 2), 0);
}

static void nuls_of_text_are_shown_and_those_of_bytes_are_not(void **state)
{
    static const uint8_t zeroes[6];
    struct wants w = wants(WEDR_LANE_CRITICAL, NTSIM_TEXT(u"\u2400a\u2400"), 0);

    (void)state;
    want_bytes(&w, "data_preview", zeroes, 6, 0);
    begin(WEDR_LANE_CRITICAL);
    probe_rec_bytes(REF(data_preview), zeroes, 6, 6);
    probe_rec_text(REF(key_path), NTSIM_TEXT(u"\0a\0"), 100);
    push(&w);
    /* Between units of which no byte is 0, too. */
    want_text(&w, "key_path", NTSIM_TEXT(u"\u0431\u2400\u0431\u0431\u0431"), 0);
    begin(WEDR_LANE_CRITICAL);
    probe_rec_bytes(REF(data_preview), zeroes, 6, 6);
    probe_rec_text(REF(key_path), NTSIM_TEXT(u"\u0431\0\u0431\u0431\u0431"), 100);
    push(&w);
}

static void check_joined(struct ntsim_text root,
                         struct ntsim_text leaf,
                         size_t max,
                         struct ntsim_text want,
                         unsigned flags)
{
    const struct wants w = wants(WEDR_LANE_CRITICAL, want, flags);

    begin(WEDR_LANE_CRITICAL);
    probe_rec_joined(REF(key_path), root, leaf, max);
    assert_int_equal(probe_rec_cuts(), (flags & WEDR_SF_CUT) != 0);
    push(&w);
}

static void d12_root_and_leaf_are_joined_by_a_backslash(void **state)
{
    (void)state;
    check_joined(NTSIM_TEXT(u"ab"), NTSIM_TEXT(u"cd"), 100, NTSIM_TEXT(u"ab\\cd"), 0);
    check_joined(NTSIM_TEXT(u"ab"), NTSIM_NULL, 100, NTSIM_TEXT(u"ab"), 0);
    check_joined(NTSIM_TEXT(u"ab"), NTSIM_TEXT(u""), 100, NTSIM_TEXT(u"ab"), 0);
    check_joined(NTSIM_NULL, NTSIM_TEXT(u"cd"), 100, NTSIM_TEXT(u"cd"), 0);
    check_joined(NTSIM_TEXT(u""), NTSIM_TEXT(u"cd"), 100, NTSIM_TEXT(u"cd"), 0);
    check_joined(NTSIM_BYTES(NULL, 4), NTSIM_TEXT(u"cd"), 100, NTSIM_TEXT(u"cd"), 0);
    check_joined(NTSIM_TEXT(u"ab"), NTSIM_BYTES(NULL, 4), 100, NTSIM_TEXT(u"ab"), 0);
    check_joined(NTSIM_NULL, NTSIM_NULL, 100, NTSIM_TEXT(u""), 0);
}

static void d08_joined_text_is_cut_as_a_whole(void **state)
{
    const struct ntsim_text root = NTSIM_TEXT(u"ab");
    const struct ntsim_text leaf = NTSIM_TEXT(u"cd");

    (void)state;
    check_joined(root, leaf, 10, NTSIM_TEXT(u"ab\\cd"), 0);
    check_joined(root, leaf, 9, NTSIM_TEXT(u"ab\\c"), WEDR_SF_CUT);
    check_joined(root, leaf, 8, NTSIM_TEXT(u"ab\\c"), WEDR_SF_CUT);
    check_joined(root, leaf, 7, NTSIM_TEXT(u"ab\\"), WEDR_SF_CUT);
    check_joined(root, leaf, 6, NTSIM_TEXT(u"ab\\"), WEDR_SF_CUT);
    check_joined(root, leaf, 5, NTSIM_TEXT(u"ab"), WEDR_SF_CUT);
    check_joined(root, leaf, 4, NTSIM_TEXT(u"ab"), WEDR_SF_CUT);
    check_joined(root, leaf, 3, NTSIM_TEXT(u"a"), WEDR_SF_CUT);
    check_joined(root, NTSIM_NULL, 4, NTSIM_TEXT(u"ab"), 0);
    /* Half a unit at the end of the root: what would come behind it belongs elsewhere. */
    check_joined(NTSIM_BYTES(u"abx", 5), leaf, 100, NTSIM_TEXT(u"ab"), WEDR_SF_CUT);
    check_joined(root, NTSIM_BYTES(u"cdx", 5), 100, NTSIM_TEXT(u"ab\\cd"), WEDR_SF_CUT);
}

static void d07_each_string_is_counted_once_and_on_its_record(void **state)
{
    struct wants w = wants(WEDR_LANE_CRITICAL, NTSIM_TEXT(u"a"), WEDR_SF_CUT);
    static const uint8_t data[4] = {1, 2, 3, 4};

    (void)state;
    want_text(&w, "value_name", NTSIM_TEXT(u"v"), 0);
    want_text(&w, "new_name", NTSIM_TEXT(u"n"), WEDR_SF_CUT);
    want_bytes(&w, "data_preview", data, 3, WEDR_SF_CUT);
    begin(WEDR_LANE_CRITICAL);
    probe_rec_text(REF(key_path), NTSIM_BYTES(u"abc", 5), 2); /* too long and odd */
    probe_rec_text(REF(value_name), NTSIM_TEXT(u"v"), 2);
    probe_rec_text(REF(new_name), NTSIM_TEXT(u"nn"), 2);
    probe_rec_bytes(REF(data_preview), data, 3, 4);
    assert_int_equal(probe_rec_cuts(), 3);
    expect_truncated(f, 0, 0); /* nothing is counted before the push */
    push(&w);
    expect_truncated(f, 3, 0);
}

static void check_bytes(size_t len, size_t whole, unsigned flags)
{
    static const uint8_t data[16] = {0, 1, 0, 0, 5};
    struct wants w = wants(WEDR_LANE_BULK, NTSIM_TEXT(u""), 0);

    want_bytes(&w, "data_preview", data, len, flags);
    begin(WEDR_LANE_BULK);
    probe_rec_bytes(REF(data_preview), data, len, whole);
    push(&w);
}

static void bytes_are_flagged_when_some_are_missing(void **state)
{
    (void)state;
    check_bytes(16, 16, 0);
    check_bytes(15, 16, WEDR_SF_CUT);
    check_bytes(1, 1, 0);
    check_bytes(0, 0, 0);
    check_bytes(0, 1, WEDR_SF_CUT);
    check_bytes(5, 5, 0);
}

static void unreadable_text_is_empty(void **state)
{
    struct wants w = wants(WEDR_LANE_CRITICAL, NTSIM_TEXT(u""), 0);

    (void)state;
    want_nothing(&w, "key_path", WEDR_SF_UNREADABLE);
    begin(WEDR_LANE_CRITICAL);
    probe_rec_set_u16(REF(key_path), 0xffff);
    probe_rec_set_u16(REF(key_path) + 4, 0xffff);
    probe_rec_unreadable(REF(key_path));
    assert_int_equal(probe_rec_len(), FIXED);
    assert_int_equal(probe_rec_cuts(), 0);
    push(&w);
}

/* Reads the record, whose key_path must be this; what it holds besides is not looked at. */
static void push_and_check(struct ntsim_text want, unsigned flags)
{
    struct driver_event e;

    assert_true(probe_rec_push());
    e = driver_read(f);
    driver_expect_bytes(&e, "key_path", want.units, want.len, flags | WEDR_SF_UTF16);
    driver_event_free(&e);
}

static void fill_parts(unsigned count)
{
    begin(WEDR_LANE_CRITICAL);
    while (probe_rec_parts() < count) {
        probe_rec_text(REF(new_name), NTSIM_TEXT(u"x"), 10);
    }
}

static void string_without_a_part_left_is_cut(void **state)
{
    (void)state;
    fill_parts(PROBE_REC_PARTS_MAX);
    assert_int_equal(probe_rec_cuts(), 0);
    probe_rec_text(REF(key_path), NTSIM_TEXT(u"ab"), 10);
    assert_int_equal(probe_rec_parts(), PROBE_REC_PARTS_MAX);
    assert_int_equal(probe_rec_cuts(), 1);
    probe_rec_bytes(REF(data_preview), u"ab", 4, 4);
    assert_int_equal(probe_rec_cuts(), 2);
    push_and_check(NTSIM_TEXT(u""), WEDR_SF_CUT);

    fill_parts(PROBE_REC_PARTS_MAX - 1);
    probe_rec_joined(REF(key_path), NTSIM_TEXT(u"ab"), NTSIM_TEXT(u"cd"), 100);
    assert_int_equal(probe_rec_cuts(), 1);
    push_and_check(NTSIM_TEXT(u"ab"), WEDR_SF_CUT);
    fill_parts(PROBE_REC_PARTS_MAX - 2);
    probe_rec_joined(REF(key_path), NTSIM_TEXT(u"ab"), NTSIM_TEXT(u"cd"), 100);
    push_and_check(NTSIM_TEXT(u"ab\\"), WEDR_SF_CUT);
    fill_parts(PROBE_REC_PARTS_MAX - 3);
    probe_rec_joined(REF(key_path), NTSIM_TEXT(u"ab"), NTSIM_TEXT(u"cd"), 100);
    assert_int_equal(probe_rec_cuts(), 0);
    push_and_check(NTSIM_TEXT(u"ab\\cd"), 0);
}

static void push_is_a_critical_region_and_may_be_at_apc(void **state)
{
    const struct wants w = wants(WEDR_LANE_CRITICAL, NTSIM_TEXT(u"ab"), 0);
    uint64_t entered = ntsim_calls("KeEnterCriticalRegion");

    (void)state;
    ntsim_set_irql(APC);
    begin(WEDR_LANE_CRITICAL);
    probe_rec_text(REF(key_path), NTSIM_TEXT(u"ab"), 10);
    assert_true(probe_rec_push());
    ntsim_set_irql(0);
    expect_record(f, &w);
    assert_int_equal(ntsim_calls("KeEnterCriticalRegion"), entered + 1);
    assert_int_equal(ntsim_calls("KeLeaveCriticalRegion"), entered + 1);
}

/* ---- places ---- */

#define ALL_PLACES (PROBE_STAGE_SMALL_COUNT + PROBE_STAGE_LARGE_COUNT)

static void release_all(uint8_t **places, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        probe_stage_release(places[i]);
    }
}

static void each_place_belongs_to_one_alone(void **state)
{
    uint8_t *places[ALL_PLACES];

    (void)state;
    for (unsigned i = 0; i < ALL_PLACES; i++) {
        size_t len = i < PROBE_STAGE_SMALL_COUNT ? PROBE_STAGE_SMALL : PROBE_STAGE_LARGE;

        places[i] = probe_stage_claim(len);
        assert_non_null(places[i]);
        memset(places[i], (int)i, len);
    }
    assert_null(probe_stage_claim(1));
    assert_null(probe_stage_claim(PROBE_STAGE_LARGE));
    for (unsigned i = 0; i < ALL_PLACES; i++) {
        size_t len = i < PROBE_STAGE_SMALL_COUNT ? PROBE_STAGE_SMALL : PROBE_STAGE_LARGE;

        for (size_t n = 0; n < len; n += 512) {
            assert_int_equal(places[i][n], i);
        }
        assert_int_equal(places[i][len - 1], i);
    }
    for (unsigned i = 0; i < ALL_PLACES; i++) {
        probe_stage_release(places[i]);
        assert_ptr_equal(probe_stage_claim(i < PROBE_STAGE_SMALL_COUNT ? 1 : PROBE_STAGE_SMALL + 1),
                         places[i]);
    }
    release_all(places, ALL_PLACES);
}

static void place_is_as_large_as_is_needed(void **state)
{
    uint8_t *large[PROBE_STAGE_LARGE_COUNT];
    uint8_t *small;

    (void)state;
    assert_null(probe_stage_claim(PROBE_STAGE_LARGE + 1));
    for (unsigned i = 0; i < PROBE_STAGE_LARGE_COUNT; i++) {
        large[i] = probe_stage_claim(PROBE_STAGE_SMALL + 1);
        assert_non_null(large[i]);
    }
    assert_null(probe_stage_claim(PROBE_STAGE_SMALL + 1));
    small = probe_stage_claim(PROBE_STAGE_SMALL);
    assert_non_null(small);
    probe_stage_release(small);
    release_all(large, PROBE_STAGE_LARGE_COUNT);
}

static void small_records_take_large_places_when_theirs_are_taken(void **state)
{
    uint8_t *places[ALL_PLACES];

    (void)state;
    for (unsigned i = 0; i < ALL_PLACES; i++) {
        places[i] = probe_stage_claim(1);
        assert_non_null(places[i]);
    }
    assert_null(probe_stage_claim(1));
    release_all(places, ALL_PLACES);
    for (unsigned i = 0; i < ALL_PLACES; i++) {
        places[i] = probe_stage_claim(i < PROBE_STAGE_LARGE_COUNT ? PROBE_STAGE_LARGE : 1);
        assert_non_null(places[i]);
    }
    release_all(places, ALL_PLACES);
}

static uint64_t bugs(void)
{
    struct wedr_ioctl_stats s;
    size_t len = 0;

    assert_int_equal(ntsim_ioctl(f, WEDR_IOCTL_GET_STATS, NULL, 0, &s, sizeof(s), &len, NULL), 0);
    return s.bugs;
}

static void release_of_what_is_no_place_is_a_bug_that_is_survived(void **state)
{
    uint8_t *places[ALL_PLACES];
    uint8_t *first = NULL;

    (void)state;
    for (unsigned i = 0; i < ALL_PLACES; i++) {
        places[i] = probe_stage_claim(1);
        if (i < PROBE_STAGE_SMALL_COUNT && (!first || places[i] < first)) {
            first = places[i];
        }
    }
    probe_stage_release(first - 1);
    assert_int_equal(bugs(), 1);
    probe_stage_release(first + (size_t)PROBE_STAGE_SMALL * PROBE_STAGE_SMALL_COUNT);
    assert_int_equal(bugs(), 2);
    probe_stage_release(NULL);
    assert_int_equal(bugs(), 3);
    assert_null(probe_stage_claim(1)); /* nothing became free by it */
    release_all(places, ALL_PLACES);
    assert_int_equal(bugs(), 3);
}

static void record_without_a_place_takes_a_seq_and_is_lost(void **state)
{
    uint8_t *large[PROBE_STAGE_LARGE_COUNT];
    struct wants w = wants(WEDR_LANE_CRITICAL, NTSIM_TEXT(u"ab"), 0);
    uint64_t entered = ntsim_calls("KeEnterCriticalRegion");

    (void)state;
    for (unsigned i = 0; i < PROBE_STAGE_LARGE_COUNT; i++) {
        large[i] = probe_stage_claim(PROBE_STAGE_LARGE);
    }
    begin(WEDR_LANE_CRITICAL);
    probe_rec_text(REF(key_path), text_filled('k', PROBE_STAGE_SMALL - FIXED + 2), 65534);
    assert_false(probe_rec_push());
    expect_hole(WEDR_LANE_CRITICAL);
    begin(WEDR_LANE_BULK);
    probe_rec_text(REF(key_path), text_filled('k', 8000), 6); /* small, and cut */
    w.lane = WEDR_LANE_BULK;
    want_text(&w, "key_path", NTSIM_TEXT(u"kkk"), WEDR_SF_CUT);
    push(&w);
    assert_int_equal(driver_stats(f).lane[0].lost[WEDR_LOSS_REASON_SCRATCH], 1);
    assert_int_equal(driver_stats(f).lane[1].lost[WEDR_LOSS_REASON_SCRATCH], 0);
    assert_int_equal(ntsim_calls("KeEnterCriticalRegion"), entered + 2);
    assert_int_equal(ntsim_calls("KeLeaveCriticalRegion"), entered + 2);
    release_all(large, PROBE_STAGE_LARGE_COUNT);
}

/* A record of that many bytes in all. */
static bool push_bytes(size_t len)
{
    static const uint8_t bytes[PROBE_STAGE_SMALL];

    begin(WEDR_LANE_BULK);
    probe_rec_bytes(REF(data_preview), bytes, len - FIXED, len - FIXED);
    assert_int_equal(probe_rec_len(), len);
    return probe_rec_push();
}

static void record_takes_a_small_place_when_it_fits_exactly(void **state)
{
    uint8_t *places[ALL_PLACES];

    (void)state;
    for (unsigned i = 0; i < PROBE_STAGE_LARGE_COUNT; i++) {
        places[i] = probe_stage_claim(PROBE_STAGE_LARGE);
    }
    assert_true(push_bytes(PROBE_STAGE_SMALL));
    assert_false(push_bytes(PROBE_STAGE_SMALL + 1));
    assert_int_equal(driver_drain(f), 1);
    release_all(places, PROBE_STAGE_LARGE_COUNT);
    assert_true(push_bytes(PROBE_STAGE_SMALL + 1));
    assert_int_equal(driver_drain(f), 1);
}

static void place_may_be_released_by_any_byte_of_it(void **state)
{
    uint8_t *places[ALL_PLACES];
    uint8_t *last = NULL;

    (void)state;
    for (unsigned i = 0; i < ALL_PLACES; i++) {
        places[i] = probe_stage_claim(1);
        if (i < PROBE_STAGE_SMALL_COUNT && places[i] > last) {
            last = places[i];
        }
    }
    probe_stage_release(last + PROBE_STAGE_SMALL - 1);
    assert_int_equal(bugs(), 0);
    assert_ptr_equal(probe_stage_claim(1), last);
    release_all(places, ALL_PLACES);
}

static void all_places_are_free_after_a_load(void **state)
{
    for (unsigned loads = 0; loads < 2; loads++) {
        for (unsigned i = 0; i < ALL_PLACES; i++) {
            assert_non_null(probe_stage_claim(1));
        }
        assert_null(probe_stage_claim(1));
        driver_unload();
        assert_int_equal(expect_setup(state), 0);
        f = *state;
    }
}

static void without_memory_for_the_places_there_is_no_driver(void **state)
{
    (void)state;
    /* The first one is the path of the settings, which have defaults; the next three the lanes'. */
    for (unsigned good = 1; good <= 6; good++) {
        ntsim_fail("ExAllocatePool2", good, 1, NTSIM_INSUFFICIENT_RESOURCES);
        assert_int_equal(ntsim_load(), NTSIM_INSUFFICIENT_RESOURCES);
        assert_int_equal(ntsim_pool_live(), 0);
        ntsim_faults_clear();
    }
    driver_load();
}

static void place_is_given_back_after_each_record(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * ALL_PLACES; i++) {
        begin(WEDR_LANE_BULK);
        probe_rec_text(REF(key_path), text_filled('k', 5000), 65534);
        assert_true(probe_rec_push());
    }
    assert_int_equal(driver_drain(f), 2 * ALL_PLACES - driver_stats(f).lane[1].lost[4]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_record_is_empty_and_has_its_header),
        TEST(time_is_that_of_the_beginning),
        TEST(d08_text_is_cut_only_when_it_does_not_fit),
        TEST(cut_does_not_divide_a_surrogate_pair),
        TEST(nuls_of_text_are_shown_and_those_of_bytes_are_not),
        TEST(d12_root_and_leaf_are_joined_by_a_backslash),
        TEST(d08_joined_text_is_cut_as_a_whole),
        TEST(d07_each_string_is_counted_once_and_on_its_record),
        TEST(bytes_are_flagged_when_some_are_missing),
        TEST(unreadable_text_is_empty),
        TEST(string_without_a_part_left_is_cut),
        TEST(push_is_a_critical_region_and_may_be_at_apc),
        TEST(each_place_belongs_to_one_alone),
        TEST(place_is_as_large_as_is_needed),
        TEST(small_records_take_large_places_when_theirs_are_taken),
        TEST(release_of_what_is_no_place_is_a_bug_that_is_survived),
        TEST(record_without_a_place_takes_a_seq_and_is_lost),
        TEST(record_takes_a_small_place_when_it_fits_exactly),
        TEST(place_may_be_released_by_any_byte_of_it),
        TEST(all_places_are_free_after_a_load),
        EXPECT_TEST_UNLOADED(without_memory_for_the_places_there_is_no_driver),
        TEST(place_is_given_back_after_each_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
