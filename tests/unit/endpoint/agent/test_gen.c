/* SPDX-License-Identifier: Apache-2.0 */
#include "capture.h"
#include "encode/encode.h"
#include "support.h"

#include "core/util/alloc.h"
#include "wedr/wire/decode.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <cmocka.h>

#define EVENTS 100000u

static char path[128];
static const char *dir;
static uint8_t *bytes;
static size_t len;

static void generate(uint64_t events, uint64_t seed, uint8_t **ret, size_t *ret_len)
{
    wedr_handle h;
    struct wedr_errinfo ei = {""};
    assert_int_equal(wedr_fs_open(path, WEDR_FS_WRITE | WEDR_FS_CREATE | WEDR_FS_TRUNC, 0600, &h),
                     WEDR_OK);
    assert_int_equal(wedr_gen(h, events, seed, &ei), WEDR_OK);
    wedr_fs_close(h);
    t_read_file(path, ret, ret_len);
}

static int setup(void **state)
{
    (void)state;
    dir = t_dir(0);
    (void)snprintf(path, sizeof(path), "%s/cap", dir);
    generate(EVENTS, 11, &bytes, &len);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wedr_free(bytes);
    t_rmdir(dir);
    return 0;
}

static bool next(size_t *at, struct wedr_event_view *v)
{
    if (*at >= len) {
        return false;
    }
    assert_int_equal(wedr_event_decode(wedr_span(bytes + *at, len - *at), v), WEDR_OK);
    *at += v->h.size;
    return true;
}

static void same_seed_same_bytes_other_seed_other_bytes(void **state)
{
    (void)state;
    uint8_t *a, *b;
    size_t a_len, b_len;
    generate(3000, 1, &a, &a_len);
    generate(3000, 1, &b, &b_len);
    assert_int_equal(a_len, b_len);
    assert_memory_equal(a, b, a_len);
    wedr_free(b);
    generate(3000, 2, &b, &b_len);
    assert_true(a_len != b_len || memcmp(a, b, a_len) != 0);
    wedr_free(a);
    wedr_free(b);
}

static void every_record_decodes_in_seq_order_with_an_end_per_stream(void **state)
{
    (void)state;
    uint64_t seq[2] = {0, 0};
    uint64_t count = 0, creates = 0, ends = 0, existing = 0;
    struct wedr_event_view v;
    for (size_t at = sizeof(struct wedr_capture_header); next(&at, &v);) {
        if (v.h.type >= WEDR_EV_AGENT_START) {
            assert_int_equal(v.h.type, WEDR_EV_EPOCH_END);
            assert_int_equal(wedr_event_uint(&v, wedr_event_field(&v, "produced")),
                             seq[v.h.stream]);
            ends++;
            continue;
        }
        assert_int_equal(v.h.seq, ++seq[v.h.stream]);
        assert_int_equal(v.type->lane, v.h.stream);
        count++;
        creates += v.h.type == WEDR_EV_PROCESS_CREATE;
        existing += (v.h.flags & WEDR_EVF_EXISTING) != 0;
    }
    assert_int_equal(count, EVENTS);
    assert_int_equal(ends, 2);
    assert_true(existing > 0 && existing < 200);
    assert_true(creates > EVENTS * 32 / 100 && creates < EVENTS * 38 / 100);
    assert_true(seq[1] > EVENTS / 10);
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void at_least_five_percent_of_the_events_have_a_command_line_of_their_own(void **state)
{
    (void)state;
    uint64_t *hash = wedr_alloc(EVENTS, sizeof(*hash));
    size_t n = 0;
    size_t distinct = 0;
    struct wedr_event_view v;
    for (size_t at = sizeof(struct wedr_capture_header); next(&at, &v);) {
        if (v.h.type == WEDR_EV_PROCESS_CREATE) {
            uint16_t flags;
            struct wedr_span s = wedr_event_str(&v, wedr_event_field(&v, "command_line"), &flags);
            uint64_t h = 14695981039346656037ull;
            for (size_t i = 0; i < s.len; i++) {
                h = (h ^ s.p[i]) * 1099511628211ull;
            }
            hash[n++] = h;
        }
    }
    qsort(hash, n, sizeof(*hash), by_hash);
    for (size_t i = 0; i < n; i++) {
        distinct += i == 0 || hash[i] != hash[i - 1];
    }
    assert_true(distinct >= EVENTS / 20);
    wedr_free(hash);
}

static void ndjson_compresses_between_6_and_12_times(void **state)
{
    (void)state;
    struct wedr_encoder *enc;
    struct wedr_event_view v;
    size_t raw = 0, sum_raw = 0, sum_z = 0;
    char *text = wedr_alloc(WEDR_BATCH_RAW_MAX + WEDR_LINE_MAX, 1);
    char *z = wedr_alloc(ZSTD_compressBound(WEDR_BATCH_RAW_MAX + WEDR_LINE_MAX), 1);
    assert_int_equal(wedr_encoder_new(&enc), WEDR_OK);
    for (size_t at = sizeof(struct wedr_capture_header); next(&at, &v);) {
        size_t n = 0;
        if (v.h.type >= WEDR_EV_AGENT_START || v.h.stream != WEDR_STREAM_CRITICAL) {
            continue;
        }
        assert_int_equal(wedr_encode(enc, &v, (struct wedr_clock_pair){0, 1790000000000000},
                                     text + raw, WEDR_LINE_MAX, &n),
                         WEDR_OK);
        raw += n;
        if (raw >= 1u << 20) {
            sum_raw += raw;
            sum_z += ZSTD_compress(z, ZSTD_compressBound(raw), text, raw, 3);
            raw = 0;
        }
    }
    double ratio = (double)sum_raw / (double)sum_z;
    print_message("zstd -3: %.2f\n", ratio);
    assert_true(ratio >= 6 && ratio <= 12);
    wedr_encoder_free(enc);
    wedr_free(text);
    wedr_free(z);
}

static void trees_are_consistent(void **state)
{
    (void)state;
    /* whoever exits or is forked from was seen before under the same key and pid */
    enum { SLOTS = 1 << 20 };
    uint64_t *keys = wedr_alloc(SLOTS, sizeof(*keys));
    struct wedr_event_view v;
    for (size_t at = sizeof(struct wedr_capture_header); next(&at, &v);) {
        if (v.h.type != WEDR_EV_PROCESS_CREATE && v.h.type != WEDR_EV_PROCESS_FORK &&
            v.h.type != WEDR_EV_PROCESS_TERMINATE) {
            continue;
        }
        uint64_t key = wedr_event_uint(&v, wedr_event_field(&v, "process_key"));
        uint64_t pid = wedr_event_uint(&v, wedr_event_field(&v, "pid"));
        if (v.h.type == WEDR_EV_PROCESS_FORK || (v.h.flags & WEDR_EVF_EXISTING) != 0) {
            assert_int_equal(keys[pid % SLOTS], 0);
            keys[pid % SLOTS] = key;
        }
        assert_int_equal(keys[pid % SLOTS], key);
        if (v.h.type == WEDR_EV_PROCESS_TERMINATE) {
            keys[pid % SLOTS] = 0;
        }
    }
    wedr_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_same_bytes_other_seed_other_bytes),
        cmocka_unit_test(every_record_decodes_in_seq_order_with_an_end_per_stream),
        cmocka_unit_test(at_least_five_percent_of_the_events_have_a_command_line_of_their_own),
        cmocka_unit_test(ndjson_compresses_between_6_and_12_times),
        cmocka_unit_test(trees_are_consistent),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
