/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "wedr/wire/batch.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* <epoch>.<first>.<last>.<count>.<produced>.<lost>.<boot id>.<sha256>.<stream>.zst */
static const char golden_name[] =
    "0123456789abcdef.0000000000000001.00000000000000ff.00000010.0000000000000100.0000000000000003."
    "000102030405060708090a0b0c0d0e0f."
    "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f."
    "kernel.critical.zst";

static struct wedr_batch_id golden_id(void)
{
    struct wedr_batch_id id = {.epoch = 0x0123456789abcdefu,
                               .stream = WEDR_STREAM_NAME_CRITICAL,
                               .first_seq = 1,
                               .last_seq = 255,
                               .count = 16,
                               .produced = 256,
                               .lost = 3};

    for (uint8_t i = 0; i < 16; i++) {
        id.boot_id[i] = i;
        id.sha256[i] = (uint8_t)(0xf0 + i);
        id.sha256[16 + i] = i;
    }
    return id;
}

static void name_carries_the_whole_identity(void **state)
{
    struct wedr_batch_id id = golden_id();
    struct wedr_batch_id back;
    char name[WEDR_BATCH_NAME_MAX];

    (void)state;
    assert_int_equal(wedr_batch_name(&id, name), WEDR_OK);
    assert_string_equal(name, golden_name);
    memset(&back, 0xaa, sizeof(back));
    assert_int_equal(wedr_batch_name_parse(name, strlen(name), &back), WEDR_OK);
    assert_memory_equal(&back.boot_id, &id.boot_id, sizeof(id.boot_id));
    assert_memory_equal(&back.sha256, &id.sha256, sizeof(id.sha256));
    assert_string_equal(back.stream, id.stream);
    assert_true(back.epoch == id.epoch && back.first_seq == id.first_seq &&
                back.last_seq == id.last_seq && back.count == id.count &&
                back.produced == id.produced && back.lost == id.lost);
}

static void longest_name_fits_and_parses(void **state)
{
    struct wedr_batch_id id = golden_id();
    struct wedr_batch_id back;
    char name[WEDR_BATCH_NAME_MAX];

    (void)state;
    memset(id.stream, 'z', sizeof(id.stream));
    id.stream[WEDR_STREAM_NAME_MAX - 1] = '\0';
    id.epoch = id.last_seq = id.produced = id.lost = UINT64_MAX;
    id.count = WEDR_BATCH_LINES_MAX;
    assert_int_equal(wedr_batch_name(&id, name), WEDR_OK);
    assert_int_equal(wedr_batch_name_parse(name, strlen(name), &back), WEDR_OK);
    assert_string_equal(back.stream, id.stream);
}

static void stream_name_with_dots_and_suffix_inside_parses(void **state)
{
    struct wedr_batch_id id = golden_id();
    struct wedr_batch_id back;
    char name[WEDR_BATCH_NAME_MAX];

    (void)state;
    memcpy(id.stream, "a.zst.b", 8);
    assert_int_equal(wedr_batch_name(&id, name), WEDR_OK);
    assert_int_equal(wedr_batch_name_parse(name, strlen(name), &back), WEDR_OK);
    assert_string_equal(back.stream, "a.zst.b");
}

static void names_sort_by_epoch_then_seq(void **state)
{
    struct wedr_batch_id a = golden_id();
    struct wedr_batch_id b = golden_id();
    char name_a[WEDR_BATCH_NAME_MAX], name_b[WEDR_BATCH_NAME_MAX];

    (void)state;
    a.first_seq = 9;
    b.first_seq = 10;
    assert_int_equal(wedr_batch_name(&a, name_a), WEDR_OK);
    assert_int_equal(wedr_batch_name(&b, name_b), WEDR_OK);
    assert_true(strcmp(name_a, name_b) < 0);
    b.epoch--;
    assert_int_equal(wedr_batch_name(&b, name_b), WEDR_OK);
    assert_true(strcmp(name_a, name_b) > 0);
}

static void every_truncated_name_is_refused(void **state)
{
    struct wedr_batch_id id;

    (void)state;
    for (size_t n = 0; n < sizeof(golden_name) - 1; n++) {
        assert_int_equal(wedr_batch_name_parse(golden_name, n, &id), WEDR_E_FORMAT);
    }
}

/* Every other byte at every place: refused, or a name that reads back as itself. */
static void every_changed_byte_is_refused_or_canonical(void **state)
{
    char name[WEDR_BATCH_NAME_MAX], again[WEDR_BATCH_NAME_MAX];
    struct wedr_batch_id id;
    size_t len = sizeof(golden_name) - 1;
    unsigned refused = 0;

    (void)state;
    for (size_t at = 0; at < len; at++) {
        for (int c = 0; c < 256; c++) {
            memcpy(name, golden_name, len + 1);
            name[at] = (char)c;
            if (wedr_batch_name_parse(name, len, &id) != WEDR_OK) {
                refused++;
                continue;
            }
            assert_int_equal(wedr_batch_name(&id, again), WEDR_OK);
            assert_string_equal(again, name);
        }
    }
    assert_true(refused > len * 200);
}

static void malformed_names_are_refused(void **state)
{
    static const char *const bad[] = {
        "", ".", "..", ".zst", "x.zst", "../../../../etc/passwd",
        /* upper case digit */
        "0123456789ABCDEF.0000000000000001.00000000000000ff.00000010.0000000000000100."
        "0000000000000003.000102030405060708090a0b0c0d0e0f."
        "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f.agent.zst",
        /* first above last */
        "0123456789abcdef.0000000000000100.00000000000000ff.00000001.0000000000000100."
        "0000000000000003.000102030405060708090a0b0c0d0e0f."
        "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f.agent.zst",
        /* no stream */
        "0123456789abcdef.0000000000000001.00000000000000ff.00000010.0000000000000100."
        "0000000000000003.000102030405060708090a0b0c0d0e0f."
        "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f..zst",
        /* a folder in the stream */
        "0123456789abcdef.0000000000000001.00000000000000ff.00000010.0000000000000100."
        "0000000000000003.000102030405060708090a0b0c0d0e0f."
        "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f.a/b.zst",
        /* another suffix */
        "0123456789abcdef.0000000000000001.00000000000000ff.00000010.0000000000000100."
        "0000000000000003.000102030405060708090a0b0c0d0e0f."
        "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f.agent.tmp"};
    struct wedr_batch_id id;

    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(bad); i++) {
        assert_int_equal(wedr_batch_name_parse(bad[i], strlen(bad[i]), &id), WEDR_E_FORMAT);
    }
}

static int check_with(void (*change)(struct wedr_batch_id *id))
{
    struct wedr_batch_id id = golden_id();

    change(&id);
    return wedr_batch_id_check(&id);
}

static void epoch_0(struct wedr_batch_id *id)
{
    id->epoch = 0;
}
static void first_0(struct wedr_batch_id *id)
{
    id->first_seq = 0;
}
static void last_low(struct wedr_batch_id *id)
{
    id->first_seq = 256;
    id->count = 1;
}
static void produced_low(struct wedr_batch_id *id)
{
    id->produced = 254;
}
static void count_0(struct wedr_batch_id *id)
{
    id->count = 0;
}
static void count_over_range(struct wedr_batch_id *id)
{
    id->count = 256;
}
static void count_whole_range(struct wedr_batch_id *id)
{
    id->count = 255;
}
static void count_over_max(struct wedr_batch_id *id)
{
    id->last_seq = id->produced = UINT64_MAX;
    id->count = WEDR_BATCH_LINES_MAX + 1;
}
static void stream_open(struct wedr_batch_id *id)
{
    memset(id->stream, 'a', sizeof(id->stream));
}
static void stream_empty(struct wedr_batch_id *id)
{
    id->stream[0] = '\0';
}

static void identity_bounds_are_checked(void **state)
{
    (void)state;
    assert_int_equal(check_with(epoch_0), WEDR_E_RANGE);
    assert_int_equal(check_with(first_0), WEDR_E_RANGE);
    assert_int_equal(check_with(last_low), WEDR_E_RANGE);
    assert_int_equal(check_with(produced_low), WEDR_E_RANGE);
    assert_int_equal(check_with(count_0), WEDR_E_RANGE);
    assert_int_equal(check_with(count_over_range), WEDR_E_RANGE);
    assert_int_equal(check_with(count_over_max), WEDR_E_RANGE);
    assert_int_equal(check_with(stream_open), WEDR_E_FORMAT);
    assert_int_equal(check_with(stream_empty), WEDR_E_FORMAT);
    assert_int_equal(check_with(count_whole_range), WEDR_OK);
}

static void stream_names_are_checked(void **state)
{
    char longest[WEDR_STREAM_NAME_MAX];

    (void)state;
    memset(longest, 'a', sizeof(longest));
    assert_true(wedr_stream_name_valid("a", 1));
    assert_true(wedr_stream_name_valid("etw.kernel-file_2", 17));
    assert_true(wedr_stream_name_valid(longest, sizeof(longest) - 1));
    assert_false(wedr_stream_name_valid(longest, sizeof(longest)));
    assert_false(wedr_stream_name_valid("", 0));
    assert_false(wedr_stream_name_valid("2a", 2));
    assert_false(wedr_stream_name_valid(".a", 2));
    assert_false(wedr_stream_name_valid("aB", 2));
    assert_false(wedr_stream_name_valid("a b", 3));
    assert_false(wedr_stream_name_valid("a\0b", 3));
    assert_false(wedr_stream_name_valid("a\xc3\xa9", 3));
}

/* Typed by hand from docs/wire.md. */
static void signed_bytes_are_those_of_the_document(void **state)
{
    static const uint8_t want[WEDR_BATCH_SIGNED_LEN] = {
        'W',  'E',  'D',  'R',  'B',  'A',  'T',  '7',  0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6,
        0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45,
        0x23, 0x01, 0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,
        13,   14,   15,   'k',  'e',  'r',  'n',  'e',  'l',  '.',  'c',  'r',  'i',  't',  'i',
        'c',  'a',  'l',  0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    1,    0,    0,    0,    0,    0,    0,    0,    255,
        0,    0,    0,    0,    0,    0,    0,    16,   0,    0,    0,    0,    1,    0,    0,
        0,    0,    0,    0,    3,    0,    0,    0,    0,    0,    0,    0,    0xf0, 0xf1, 0xf2,
        0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff, 0,    1,
        2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15};
    uint8_t agent[WEDR_AGENT_ID_LEN];
    uint8_t got[WEDR_BATCH_SIGNED_LEN];
    struct wedr_batch_id id = golden_id();

    (void)state;
    for (uint8_t i = 0; i < 16; i++) {
        agent[i] = (uint8_t)(0xa0 + i);
    }
    /* What stands behind the name's NUL must not be signed. */
    id.stream[WEDR_STREAM_NAME_MAX - 1] = 'x';
    wedr_batch_signed_bytes(agent, &id, got);
    assert_memory_equal(got, want, sizeof(want));
}

static void capture_header_is_checked(void **state)
{
    uint8_t h[56] = {'W', 'E', 'D', 'R',           'C', 'A', 'P', '7', 56,
                     0,   0,   0,   WEDR_OS_LINUX, 0,   0,   0,   9};
    struct wedr_capture_header got;

    (void)state;
    h[40] = 5;
    memset(h + 48, 0xff, 8);
    assert_int_equal(wedr_capture_header_decode(wedr_span(h, sizeof(h)), &got), WEDR_OK);
    assert_true(got.epoch == 9 && got.boot_ns == 5 && got.utc_us == -1 && got.size == 56);
    for (size_t n = 0; n < sizeof(h); n++) {
        assert_int_equal(wedr_capture_header_decode(wedr_span(h, n), &got), WEDR_E_AGAIN);
    }
    h[7] = '6';
    assert_int_equal(wedr_capture_header_decode(wedr_span(h, sizeof(h)), &got), WEDR_E_VERSION);
    h[7] = '7';
    h[8] = 55;
    assert_int_equal(wedr_capture_header_decode(wedr_span(h, sizeof(h)), &got), WEDR_E_FORMAT);
    h[8] = 56;
    h[10] = 1;
    assert_int_equal(wedr_capture_header_decode(wedr_span(h, sizeof(h)), &got), WEDR_E_FORMAT);
    h[10] = 0;
    h[12] = 3;
    assert_int_equal(wedr_capture_header_decode(wedr_span(h, sizeof(h)), &got), WEDR_E_FORMAT);
    h[12] = WEDR_OS_LINUX;
    h[15] = 1;
    assert_int_equal(wedr_capture_header_decode(wedr_span(h, sizeof(h)), &got), WEDR_E_FORMAT);
    h[15] = 0;
    h[16] = 0;
    assert_int_equal(wedr_capture_header_decode(wedr_span(h, sizeof(h)), &got), WEDR_E_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(name_carries_the_whole_identity),
        cmocka_unit_test(longest_name_fits_and_parses),
        cmocka_unit_test(stream_name_with_dots_and_suffix_inside_parses),
        cmocka_unit_test(names_sort_by_epoch_then_seq),
        cmocka_unit_test(every_truncated_name_is_refused),
        cmocka_unit_test(every_changed_byte_is_refused_or_canonical),
        cmocka_unit_test(malformed_names_are_refused),
        cmocka_unit_test(identity_bounds_are_checked),
        cmocka_unit_test(stream_names_are_checked),
        cmocka_unit_test(signed_bytes_are_those_of_the_document),
        cmocka_unit_test(capture_header_is_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
