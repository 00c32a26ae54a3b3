/* SPDX-License-Identifier: Apache-2.0 */
#include "batch_builder.h"
#include "core/base/endian.h"
#include "core/base/err.h"
#include "ingest/columns.h"
#include "ingest/filter.h"
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <cmocka.h>
// clang-format on

#define ROWS 700u

static void make_row(uint32_t i, struct wedr_column_row *r, char name[16])
{
    (void)snprintf(name, 16, "prog%u", i % 50);
    *r = (struct wedr_column_row){.ts = TB_T0 + (int64_t)(i * 7919u % 5000u) - 2500,
                                  .seq = 10 + 3ull * i,
                                  .pid = i % 5 == 0 ? WEDR_COLUMN_NONE : (int64_t)i * 6000000,
                                  .ppid = i % 3,
                                  .name = i % 4 == 0 ? NULL : name,
                                  .line_len = i * 1000,
                                  .type = (uint8_t)i};
    r->name_len = r->name == NULL ? 0 : (uint32_t)strlen(name);
    if (r->pid > UINT32_MAX) {
        r->pid = UINT32_MAX;
    }
}

static void columns_give_back_what_was_added(void **state)
{
    (void)state;
    struct wedr_buf out;
    struct wedr_columns *c = NULL;
    struct wedr_column_row r;
    char name[16];
    wedr_buf_init(&out, 1u << 24);
    struct wedr_columns_writer *w = wedr_columns_writer_new(10);
    for (uint32_t i = 0; i < ROWS; i++) {
        make_row(i, &r, name);
        wedr_columns_add(w, &r);
    }
    assert_int_equal(wedr_columns_finish(w, &out), WEDR_OK);
    wedr_columns_writer_free(w);
    assert_int_equal(wedr_columns_open(out.p, out.len, ROWS, 10, &c), WEDR_OK);
    const int64_t *ts, *pid, *ppid, *len, *seq;
    const uint8_t *type;
    assert_int_equal(wedr_columns_ints(c, WEDR_COLUMN_TS, &ts), WEDR_OK);
    assert_int_equal(wedr_columns_ints(c, WEDR_COLUMN_PID, &pid), WEDR_OK);
    assert_int_equal(wedr_columns_ints(c, WEDR_COLUMN_PPID, &ppid), WEDR_OK);
    assert_int_equal(wedr_columns_ints(c, WEDR_COLUMN_LINE, &len), WEDR_OK);
    assert_int_equal(wedr_columns_ints(c, WEDR_COLUMN_SEQ, &seq), WEDR_OK);
    assert_int_equal(wedr_columns_types(c, &type), WEDR_OK);
    for (uint32_t i = 0; i < ROWS; i++) {
        struct wedr_span n;
        make_row(i, &r, name);
        assert_int_equal(ts[i], r.ts);
        assert_int_equal(pid[i], r.pid);
        assert_int_equal(ppid[i], r.ppid);
        assert_int_equal(len[i], r.line_len);
        assert_int_equal(seq[i], r.seq);
        assert_int_equal(type[i], r.type);
        assert_int_equal(wedr_columns_name(c, i, &n), WEDR_OK);
        assert_int_equal(n.len, r.name_len);
        assert_int_equal(n.p == NULL, r.name == NULL);
        if (n.p != NULL) {
            assert_memory_equal(n.p, r.name, n.len);
        }
    }
    wedr_columns_close(c);
    wedr_buf_fini(&out);
}

static void a_column_part_of_a_newer_format_or_another_length_is_refused(void **state)
{
    (void)state;
    struct wedr_buf out;
    struct wedr_columns *c = NULL;
    struct wedr_column_row r;
    char name[16];
    wedr_buf_init(&out, 1u << 20);
    struct wedr_columns_writer *w = wedr_columns_writer_new(10);
    make_row(1, &r, name);
    wedr_columns_add(w, &r);
    assert_int_equal(wedr_columns_finish(w, &out), WEDR_OK);
    wedr_columns_writer_free(w);
    assert_int_equal(wedr_columns_open(out.p, out.len, 2, 10, &c), WEDR_E_CORRUPT);
    assert_int_equal(wedr_columns_open(out.p, out.len - 1, 1, 10, &c), WEDR_E_CORRUPT);
    out.p[0] = 2;
    assert_int_equal(wedr_columns_open(out.p, out.len, 1, 10, &c), WEDR_E_VERSION);
    wedr_buf_fini(&out);
}

static void the_filter_has_no_false_negative_and_few_false_positives(void **state)
{
    (void)state;
    struct wedr_buf bloom, ngram;
    uint8_t bits[WEDR_NGRAM_BYTES];
    char text[64];
    unsigned wrong = 0;
    wedr_buf_init(&bloom, 1u << 24);
    wedr_buf_init(&ngram, 1u << 24);
    struct wedr_filter_builder *b = wedr_filter_builder_new(100);
    for (unsigned i = 0; i < 5000; i++) {
        int n = snprintf(text, sizeof(text), "/Usr/Bin/Tool%u", i);
        wedr_filter_add_value(b, text, (size_t)n);
        wedr_filter_add_number(b, "pid", i);
        wedr_filter_add_field(b, "life", text, (size_t)n);
    }
    assert_int_equal(wedr_filter_finish(b, &bloom, &ngram), WEDR_OK);
    wedr_filter_builder_free(b);
    assert_int_equal(wedr_ngram_unpack(ngram.p, ngram.len, bits), WEDR_OK);
    for (unsigned i = 0; i < 5000; i++) {
        int n = snprintf(text, sizeof(text), "/usr/bin/tool%u", i);
        assert_true(wedr_bloom_may_contain(bloom.p, bloom.len, wedr_filter_hash(text, (size_t)n)));
        assert_true(
            wedr_bloom_may_contain(bloom.p, bloom.len, wedr_filter_hash(text + 9, (size_t)n - 9)));
        assert_true(wedr_ngram_may_contain(bits, text, (size_t)n));
        assert_true(wedr_bloom_may_contain(bloom.p, bloom.len,
                                           wedr_filter_field_hash("life", text, (size_t)n)));
        wrong += wedr_bloom_may_contain(bloom.p, bloom.len,
                                        wedr_filter_field_hash("parent", text, (size_t)n));
        n = snprintf(text, sizeof(text), "pid=%u", i);
        assert_true(wedr_bloom_may_contain(bloom.p, bloom.len, wedr_filter_hash(text, (size_t)n)));
        n = snprintf(text, sizeof(text), "absent%u", i);
        wrong += wedr_bloom_may_contain(bloom.p, bloom.len, wedr_filter_hash(text, (size_t)n));
    }
    assert_true(wrong < 200); /* 2 %; about 0.5 % is expected */
    assert_true(wedr_bloom_has_fields(bloom.p, bloom.len));
    bloom.p[0] = 1;
    assert_false(wedr_bloom_has_fields(bloom.p, bloom.len));
    assert_false(
        wedr_bloom_may_contain(bloom.p, bloom.len, wedr_filter_hash("nowhere at all", 14)));
    bloom.p[0] = 3; /* not known: everything may be in it */
    assert_true(wedr_bloom_may_contain(bloom.p, bloom.len, wedr_filter_hash("nowhere at all", 14)));
    memset(text, 'x', sizeof(text));
    assert_int_equal(wedr_filter_field_hash("0123456789012345678901234567890123", text, 64), 0);
    assert_false(wedr_ngram_may_contain(bits, "zzqxj", 5));
    wedr_buf_fini(&bloom);
    wedr_buf_fini(&ngram);
}

/* x with a * x = 1 mod 2^64, for odd a. */
static uint64_t inverse(uint64_t a)
{
    uint64_t x = a;
    for (unsigned i = 0; i < 6; i++) {
        x *= 2 - a * x;
    }
    return x;
}

static uint64_t rotr(uint64_t v, unsigned n)
{
    return v >> n | v << (64u - n);
}

/* The 8 bytes that have this hash (docs/event-store.md says how it is made). */
static void bytes_with_hash(uint64_t h, char ret[8])
{
    const uint64_t a = 0x9E3779B185EBCA87ull, b = 0xC2B2AE3D27D4EB4Full;
    h ^= h >> 33;
    h *= inverse(0xC4CEB9FE1A85EC53ull);
    h ^= h >> 33;
    h *= inverse(0xFF51AFD7ED558CCDull);
    h ^= h >> 33;
    h = rotr((h - 0x85EBCA77C2B2AE63ull) * inverse(a), 27) ^ 0x27D4EB2F165667C5ull ^ 8u;
    wedr_put_le64(ret, rotr(h * inverse(b), 31) * inverse(a));
}

/* Places in a table that were a part of the hash would have all of these in one: 10^10 steps. */
static void values_chosen_to_have_like_hashes_cost_what_others_do(void **state)
{
    (void)state;
    enum { VALUES = 200000 };
    struct wedr_buf bloom, ngram, out;
    char text[8];
    wedr_buf_init(&bloom, 1u << 24);
    wedr_buf_init(&ngram, 1u << 24);
    wedr_buf_init(&out, 1u << 24);
    struct wedr_filter_builder *b = wedr_filter_builder_new(100);
    struct wedr_columns_writer *w = wedr_columns_writer_new(1);
    for (uint64_t i = 1; i <= VALUES; i++) {
        uint64_t h = i << 40 | 0x1234567890ull;
        bytes_with_hash(h, text);
        assert_true(wedr_filter_hash(text, 8) == h);
        wedr_filter_add_value(b, text, 8);
        wedr_columns_add(w, &(struct wedr_column_row){.seq = i, .name = text, .name_len = 8});
    }
    assert_int_equal(wedr_filter_finish(b, &bloom, &ngram), WEDR_OK);
    assert_int_equal(wedr_columns_finish(w, &out), WEDR_OK);
    wedr_filter_builder_free(b);
    wedr_columns_writer_free(w);
    for (uint64_t i = 1; i <= VALUES; i++) {
        bytes_with_hash(i << 40 | 0x1234567890ull, text);
        for (size_t k = 0; k < 8; k++) {
            text[k] = (char)(text[k] >= 'A' && text[k] <= 'Z' ? text[k] + 32 : text[k]);
        }
        assert_true(wedr_bloom_may_contain(bloom.p, bloom.len, wedr_filter_hash(text, 8)));
    }
    wedr_buf_fini(&bloom);
    wedr_buf_fini(&ngram);
    wedr_buf_fini(&out);
}

static bool in_word(char c, const char *beside)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr(beside, c) != NULL);
}

/* Every longest run of word bytes. */
static void check_words(const struct wedr_buf *bloom, const char *s, const char *beside)
{
    for (size_t from = 0; s[from] != 0; from++) {
        size_t n = 0;
        while (in_word(s[from + n], beside)) {
            n++;
        }
        if (n >= 3) {
            assert_true(
                wedr_bloom_may_contain(bloom->p, bloom->len, wedr_filter_hash(s + from, n)));
        }
        from += n > 0 ? n - 1 : 0;
    }
}

static void every_word_of_a_value_is_in_the_filter(void **state)
{
    (void)state;
    static const char bytes[] = "abcXYZ019._:-/ \"";
    struct wedr_buf bloom, ngram;
    uint8_t bits[WEDR_NGRAM_BYTES];
    uint32_t rng = 1;
    for (size_t len = 1; len < 70; len++) {
        for (size_t turn = 0; turn < 30; turn++) {
            char text[80] = "", lower[80] = "";
            for (size_t i = 0; i < len; i++) {
                rng = rng * 1664525u + 1013904223u;
                text[i] = bytes[(rng >> 24) % (turn % 2 == 0 ? sizeof(bytes) - 1 : 10)];
                lower[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
            }
            wedr_buf_init(&bloom, 1u << 20);
            wedr_buf_init(&ngram, 1u << 20);
            struct wedr_filter_builder *b = wedr_filter_builder_new(1);
            wedr_filter_add_value(b, text, len);
            assert_int_equal(wedr_filter_finish(b, &bloom, &ngram), WEDR_OK);
            wedr_filter_builder_free(b);
            assert_true(wedr_bloom_may_contain(bloom.p, bloom.len, wedr_filter_hash(lower, len)));
            check_words(&bloom, lower, "");
            check_words(&bloom, lower, "._:-");
            assert_int_equal(wedr_ngram_unpack(ngram.p, ngram.len, bits), WEDR_OK);
            assert_true(wedr_ngram_may_contain(bits, lower, len));
            wedr_buf_fini(&bloom);
            wedr_buf_fini(&ngram);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_give_back_what_was_added),
        cmocka_unit_test(a_column_part_of_a_newer_format_or_another_length_is_refused),
        cmocka_unit_test(the_filter_has_no_false_negative_and_few_false_positives),
        cmocka_unit_test(every_word_of_a_value_is_in_the_filter),
        cmocka_unit_test(values_chosen_to_have_like_hashes_cost_what_others_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
