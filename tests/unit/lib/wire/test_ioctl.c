/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/wire/ioctl.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A path prefix "\a" and a registry prefix "\Kk", typed by hand from docs/wire.md. */
static const uint8_t golden[] = {
    0x57, 0x45, 0x46, 0x37,               /*  0: magic */
    58,   0,    0,    0,                  /*  4: size */
    1,    0,    1,    0,    1,   0, 0, 0, /*  8: version, path_count, registry_count, reserved */
    0x05, 0,    0,    0,    0,   0, 0, 0, /* 16: process and registry, reserved */
    0,    0,    0,    0,    0,   0, 0, 0, /* 24: reserved */
    48,   0,    0,    0,    4,   0, 0, 0, /* 32: path prefix */
    52,   0,    0,    0,    6,   0, 0, 0, /* 40: registry prefix */
    '\\', 0,    'a',  0,                  /* 48 */
    '\\', 0,    'K',  0,    'k', 0        /* 52 */
};

static int check(const uint8_t *p, size_t len)
{
    struct wedr_filter f;
    uint8_t *copy = wedr_alloc(len > 0 ? len : 1, 1);
    int err;

    assert_non_null(copy);
    memcpy(copy, p, len);
    err = wedr_filter_check(wedr_span(copy, len), &f);
    wedr_free(copy);
    return err;
}

/* The golden filter with one byte changed. */
static int check_with(size_t at, uint8_t value)
{
    uint8_t p[sizeof(golden)];

    memcpy(p, golden, sizeof(p));
    p[at] = value;
    return check(p, sizeof(p));
}

static void filter_of_the_document_is_taken(void **state)
{
    struct wedr_span in = wedr_span(golden, sizeof(golden));
    struct wedr_filter f;
    struct wedr_span s;

    (void)state;
    assert_int_equal(wedr_filter_check(in, &f), WEDR_OK);
    assert_int_equal(f.classes, WEDR_CLASS_PROCESS | WEDR_CLASS_REGISTRY);
    assert_int_equal(f.path_count, 1);
    assert_int_equal(f.registry_count, 1);
    s = wedr_filter_prefix_at(in, 0);
    assert_int_equal(s.len, 4);
    assert_memory_equal(s.p, golden + 48, 4);
    s = wedr_filter_prefix_at(in, 1);
    assert_int_equal(s.len, 6);
    assert_memory_equal(s.p, golden + 52, 6);
}

static void every_truncated_filter_is_refused(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(golden); n++) {
        assert_int_equal(check(golden, n), WEDR_E_FORMAT);
    }
}

static void filter_that_breaks_a_bound_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check_with(0, 0), WEDR_E_VERSION);
    assert_int_equal(check_with(8, 2), WEDR_E_VERSION);
    assert_int_equal(check_with(4, 57), WEDR_E_FORMAT);
    assert_int_equal(check_with(4, 59), WEDR_E_FORMAT);
    assert_int_equal(check_with(10, WEDR_FILTER_PATHS_MAX + 1), WEDR_E_LIMIT);
    assert_int_equal(check_with(12, WEDR_FILTER_REGISTRY_MAX + 1), WEDR_E_LIMIT);
    assert_int_equal(check_with(10, WEDR_FILTER_PATHS_MAX), WEDR_E_FORMAT);
    assert_int_equal(check_with(14, 1), WEDR_E_FORMAT);
    assert_int_equal(check_with(15, 1), WEDR_E_FORMAT);
    assert_int_equal(check_with(16, WEDR_CLASS_REGISTRY), WEDR_E_RANGE);
    assert_int_equal(check_with(16, WEDR_CLASS_PROCESS | 0x20), WEDR_E_RANGE);
    assert_int_equal(check_with(20, 1), WEDR_E_FORMAT);
    assert_int_equal(check_with(23, 1), WEDR_E_FORMAT);
    assert_int_equal(check_with(31, 1), WEDR_E_FORMAT);
}

static void prefix_that_breaks_a_bound_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check_with(32, 46), WEDR_E_FORMAT); /* begins in the table */
    assert_int_equal(check_with(32, 49), WEDR_E_FORMAT); /* odd offset */
    assert_int_equal(check_with(32, 56), WEDR_E_FORMAT); /* ends behind the filter */
    assert_int_equal(check_with(35, 0xff), WEDR_E_FORMAT);
    assert_int_equal(check_with(36, 0), WEDR_E_FORMAT); /* empty */
    assert_int_equal(check_with(36, 3), WEDR_E_FORMAT); /* odd length */
    assert_int_equal(check_with(37, 5), WEDR_E_FORMAT); /* longer than the maximum */
    assert_int_equal(check_with(38, 1), WEDR_E_FORMAT); /* reserved */
    assert_int_equal(check_with(48, '/'), WEDR_E_FORMAT);
    assert_int_equal(check_with(48, 'a'), WEDR_E_FORMAT);
    assert_int_equal(check_with(50, 0), WEDR_E_FORMAT); /* NUL inside */
}

static void prefix_that_ends_one_byte_behind_the_filter_is_refused(void **state)
{
    uint8_t p[sizeof(golden)];

    (void)state;
    memcpy(p, golden, sizeof(p));
    p[4] = sizeof(golden) - 1;
    assert_int_equal(check(p, sizeof(p) - 1), WEDR_E_FORMAT);
}

/* U+0100: a byte that is 0 makes no NUL, and neither do two that belong to different units. */
static void unit_with_a_zero_byte_is_no_nul(void **state)
{
    uint8_t p[sizeof(golden)];

    (void)state;
    memcpy(p, golden, sizeof(p));
    p[50] = 0;
    p[51] = 1;
    assert_int_equal(check(p, sizeof(p)), WEDR_OK);
}

/* A registry prefix of `len` bytes behind the golden filter's path prefix. */
static int check_long(size_t len, uint8_t path_at)
{
    static uint8_t p[4096];

    memset(p, 0, sizeof(p));
    memcpy(p, golden, 52);
    for (size_t i = 0; i < len; i += 2) {
        p[52 + i] = '\\';
    }
    p[4] = (uint8_t)((52 + len) & 0xff);
    p[5] = (uint8_t)((52 + len) >> 8);
    p[44] = (uint8_t)(len & 0xff);
    p[45] = (uint8_t)(len >> 8);
    p[32] = path_at;
    p[36] = 2;
    return check(p, 52 + len);
}

static void prefix_has_at_most_its_maximum(void **state)
{
    (void)state;
    assert_int_equal(check_long(WEDR_FILTER_PREFIX_MAX, 48), WEDR_OK);
    assert_int_equal(check_long(WEDR_FILTER_PREFIX_MAX + 2, 48), WEDR_E_FORMAT);
}

/* 92 is a backslash: the length of the second prefix would pass for the text of the first. */
static void prefix_text_in_the_table_is_refused(void **state)
{
    (void)state;
    assert_int_equal(check_long(92, 48), WEDR_OK);
    assert_int_equal(check_long(92, 44), WEDR_E_FORMAT);
}

static void prefix_at_an_odd_offset_is_refused(void **state)
{
    uint8_t p[sizeof(golden)];

    (void)state;
    memcpy(p, golden, sizeof(p));
    p[32] = 49;
    p[36] = 2;
    p[49] = '\\';
    p[50] = 0;
    assert_int_equal(check(p, sizeof(p)), WEDR_E_FORMAT);
}

static void table_longer_than_the_filter_is_refused(void **state)
{
    uint8_t p[40];

    (void)state;
    memcpy(p, golden, sizeof(p));
    p[4] = 32;
    p[12] = 0;
    assert_int_equal(check(p, 32), WEDR_E_FORMAT);
    p[4] = 39;
    assert_int_equal(check(p, 39), WEDR_E_FORMAT);
}

static void every_corrupt_byte_of_a_filter_stays_within_bounds(void **state)
{
    uint8_t p[sizeof(golden)];
    struct wedr_filter f;

    (void)state;
    for (size_t at = 0; at < sizeof(golden); at++) {
        for (int value = 0; value < 256; value++) {
            memcpy(p, golden, sizeof(p));
            p[at] = (uint8_t)value;
            if (wedr_filter_check(wedr_span(p, sizeof(p)), &f) != WEDR_OK) {
                continue;
            }
            for (size_t i = 0; i < (size_t)f.path_count + f.registry_count; i++) {
                struct wedr_span s = wedr_filter_prefix_at(wedr_span(p, sizeof(p)), i);

                assert_true(s.p >= p + 32 && s.p + s.len <= p + sizeof(p));
            }
        }
    }
}

static void largest_filter_is_taken_and_one_more_byte_is_not(void **state)
{
    uint8_t *p = wedr_alloc(WEDR_FILTER_MAX + 2, 1);

    (void)state;
    assert_non_null(p);
    memcpy(p, golden, sizeof(golden));
    p[4] = 0;
    p[6] = 1; /* 65536 */
    assert_int_equal(check(p, WEDR_FILTER_MAX), WEDR_OK);
    assert_int_equal(check(p, WEDR_FILTER_MAX + 1), WEDR_E_LIMIT);
    wedr_free(p);
}

static void stats_answer_is_checked(void **state)
{
    struct wedr_ioctl_stats s = {.size = sizeof(s),
                                 .ioctl_version = WEDR_IOCTL_VERSION,
                                 .lane_count = WEDR_LANE_COUNT,
                                 .callback_count = WEDR_CALLBACK_COUNT,
                                 .epoch = 5,
                                 .lane = {{.produced = 3}, {.produced = 4}},
                                 .processes_untracked = UINT64_MAX};
    struct wedr_ioctl_stats got;

    (void)state;
    assert_int_equal(wedr_ioctl_stats_decode(wedr_span(&s, sizeof(s)), &got), WEDR_OK);
    assert_memory_equal(&got, &s, sizeof(s));
    assert_int_equal(wedr_ioctl_stats_decode(wedr_span(&s, sizeof(s) - 1), &got), WEDR_E_AGAIN);
    s.size--;
    assert_int_equal(wedr_ioctl_stats_decode(wedr_span(&s, sizeof(s)), &got), WEDR_E_FORMAT);
    s.size += 2; /* of a driver that says more */
    assert_int_equal(wedr_ioctl_stats_decode(wedr_span(&s, sizeof(s)), &got), WEDR_OK);
    s.size--;
    s.lane_count = 3;
    assert_int_equal(wedr_ioctl_stats_decode(wedr_span(&s, sizeof(s)), &got), WEDR_E_FORMAT);
    s.lane_count = 1;
    assert_int_equal(wedr_ioctl_stats_decode(wedr_span(&s, sizeof(s)), &got), WEDR_E_FORMAT);
    s.lane_count = WEDR_LANE_COUNT;
    s.callback_count = WEDR_CALLBACK_COUNT - 1;
    assert_int_equal(wedr_ioctl_stats_decode(wedr_span(&s, sizeof(s)), &got), WEDR_E_FORMAT);
    s.callback_count = WEDR_CALLBACK_MAX;
    assert_int_equal(wedr_ioctl_stats_decode(wedr_span(&s, sizeof(s)), &got), WEDR_OK);
    s.callback_count = WEDR_CALLBACK_MAX + 1;
    assert_int_equal(wedr_ioctl_stats_decode(wedr_span(&s, sizeof(s)), &got), WEDR_E_FORMAT);
    s.callback_count = WEDR_CALLBACK_COUNT;
    s.epoch = 0;
    assert_int_equal(wedr_ioctl_stats_decode(wedr_span(&s, sizeof(s)), &got), WEDR_E_FORMAT);
    s.ioctl_version = 2;
    assert_int_equal(wedr_ioctl_stats_decode(wedr_span(&s, sizeof(s)), &got), WEDR_E_VERSION);
}

static void version_answer_is_checked(void **state)
{
    struct wedr_ioctl_version v = {.size = sizeof(v),
                                   .ioctl_version = WEDR_IOCTL_VERSION,
                                   .wire_version = WEDR_WIRE_VERSION,
                                   .record_max = WEDR_RECORD_MAX,
                                   .epoch = 1,
                                   .reserved1 = UINT64_MAX};
    struct wedr_ioctl_version got;

    (void)state;
    assert_int_equal(wedr_ioctl_version_decode(wedr_span(&v, sizeof(v)), &got), WEDR_OK);
    assert_memory_equal(&got, &v, sizeof(v));
    assert_int_equal(wedr_ioctl_version_decode(wedr_span(&v, sizeof(v) - 1), &got), WEDR_E_AGAIN);
    v.size--;
    assert_int_equal(wedr_ioctl_version_decode(wedr_span(&v, sizeof(v)), &got), WEDR_E_FORMAT);
    v.size++;
    v.record_max++;
    assert_int_equal(wedr_ioctl_version_decode(wedr_span(&v, sizeof(v)), &got), WEDR_E_FORMAT);
    v.record_max = 4095;
    assert_int_equal(wedr_ioctl_version_decode(wedr_span(&v, sizeof(v)), &got), WEDR_E_FORMAT);
    v.record_max = 4096;
    assert_int_equal(wedr_ioctl_version_decode(wedr_span(&v, sizeof(v)), &got), WEDR_OK);
    v.wire_version = 6;
    assert_int_equal(wedr_ioctl_version_decode(wedr_span(&v, sizeof(v)), &got), WEDR_E_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filter_of_the_document_is_taken),
        cmocka_unit_test(every_truncated_filter_is_refused),
        cmocka_unit_test(filter_that_breaks_a_bound_is_refused),
        cmocka_unit_test(prefix_that_breaks_a_bound_is_refused),
        cmocka_unit_test(prefix_that_ends_one_byte_behind_the_filter_is_refused),
        cmocka_unit_test(unit_with_a_zero_byte_is_no_nul),
        cmocka_unit_test(prefix_has_at_most_its_maximum),
        cmocka_unit_test(prefix_text_in_the_table_is_refused),
        cmocka_unit_test(prefix_at_an_odd_offset_is_refused),
        cmocka_unit_test(table_longer_than_the_filter_is_refused),
        cmocka_unit_test(every_corrupt_byte_of_a_filter_stays_within_bounds),
        cmocka_unit_test(largest_filter_is_taken_and_one_more_byte_is_not),
        cmocka_unit_test(stats_answer_is_checked),
        cmocka_unit_test(version_answer_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
