/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/utf16.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BAD "\xEF\xBF\xBD"

/* What UTF-8 becomes when each maximal invalid part is replaced. The rows with E1 80, F1 80 80 and
 * so on are the examples of the Unicode standard's table 3-8 and their neighbours. */
static const struct {
    const char *in;
    size_t len;
    const char *out;
    bool valid;
} utf8_rows[] = {
    {"", 0, "", true},
    {"plain", 5, "plain", true},
    {"\xC2\x80\xDF\xBF", 4, "\xC2\x80\xDF\xBF", true},
    {"\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", 12,
     "\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF", true},
    {"\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", 8, "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF", true},
    {BAD, 3, BAD, true}, /* the replacement itself is a character like others */
    {"\x80", 1, BAD, false},
    {"\xBF\xBF", 2, BAD BAD, false},
    {"\xC0\xAF", 2, BAD BAD, false}, /* overlong slash */
    {"\xC1\xBF", 2, BAD BAD, false},
    {"\xE0\x9F\xBF", 3, BAD BAD BAD, false},         /* overlong, three bytes */
    {"\xF0\x8F\xBF\xBF", 4, BAD BAD BAD BAD, false}, /* overlong, four bytes */
    {"\xED\xA0\x80", 3, BAD BAD BAD, false},         /* surrogate D800 */
    {"\xED\xBF\xBF", 3, BAD BAD BAD, false},         /* surrogate DFFF */
    {"\xF4\x90\x80\x80", 4, BAD BAD BAD BAD, false}, /* U+110000 */
    {"\xF5\x80\x80\x80", 4, BAD BAD BAD BAD, false},
    {"\xFE\xFF", 2, BAD BAD, false},
    {"\xC2", 1, BAD, false},
    {"\xE2\x82", 2, BAD, false},     /* cut: one part */
    {"\xF0\x9F\x98", 3, BAD, false}, /* cut: one part */
    {"\xC2"
     "A",
     2, BAD "A", false},
    {"\xE2\x82"
     "A",
     3, BAD "A", false},
    {"\xF1\x80\x80\xE1\x80\xC2"
     "b\x80"
     "c\x80\xBF"
     "d",
     12, BAD BAD BAD "b" BAD "c" BAD BAD "d", false},
    {"a\xF0\x9F\x98\x80z", 6, "a\xF0\x9F\x98\x80z", true},
    {"eight by\xFFte", 11, "eight by" BAD "te", false},
};

static void utf8_replaces_each_maximal_invalid_part(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(utf8_rows) / sizeof(utf8_rows[0]); i++) {
        const uint8_t *in = (const uint8_t *)utf8_rows[i].in;
        uint8_t out[64];
        size_t used = 0, len = 0;
        bool valid = true;
        while (used < utf8_rows[i].len) {
            uint32_t cp;
            bool ok;
            used += wedr_utf8_next(in + used, utf8_rows[i].len - used, &cp, &ok);
            len += wedr_utf8_put(cp, out + len);
            valid = valid && ok;
        }
        assert_int_equal(len, strlen(utf8_rows[i].out));
        assert_memory_equal(out, utf8_rows[i].out, len);
        assert_int_equal(valid, utf8_rows[i].valid);
        assert_int_equal(wedr_utf8_valid(in, utf8_rows[i].len), utf8_rows[i].valid);
    }
}

static const struct {
    const char *in;
    size_t len;
    const char *out;
    bool valid;
} utf16_rows[] = {
    {"", 0, "", true},
    {"A\0\xE9\0", 4, "A\xC3\xA9", true},
    {"\xFF\xD7\x00\xE0", 4, "\xED\x9F\xBF\xEE\x80\x80", true}, /* just outside the surrogates */
    {"\x00\xD8\x00\xDC", 4, "\xF0\x90\x80\x80", true},
    {"\xFF\xDB\xFF\xDF", 4, "\xF4\x8F\xBF\xBF", true},
    {"\x00\xD8", 2, BAD, false}, /* high at the end */
    {"\x00\xDC", 2, BAD, false}, /* low alone */
    {"\x00\xD8"
     "A\0",
     4, BAD "A", false},                                            /* high, then a letter */
    {"\x00\xD8\x00\xD8\x00\xDC", 6, BAD "\xF0\x90\x80\x80", false}, /* high, then a pair */
    {"\x00\xDC\x00\xD8", 4, BAD BAD, false},                        /* the wrong way round */
    {"A\0B", 3, "A", false},                                        /* odd last byte */
    {"\xFD\xFF", 2, BAD, true},
};

static void utf16_replaces_lone_surrogates(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(utf16_rows) / sizeof(utf16_rows[0]); i++) {
        char out[64];
        struct wedr_utf_result r =
            wedr_utf16_to_utf8(utf16_rows[i].in, utf16_rows[i].len, out, sizeof(out));
        assert_int_equal(r.len, strlen(utf16_rows[i].out));
        assert_memory_equal(out, utf16_rows[i].out, r.len);
        assert_int_equal(r.valid, utf16_rows[i].valid);
        assert_int_equal(r.used, utf16_rows[i].len);
        assert_false(r.cut);
        assert_int_equal(wedr_utf16_valid(utf16_rows[i].in, utf16_rows[i].len),
                         utf16_rows[i].valid);
    }
}

static void every_code_point_survives_both_ways(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp <= 0x10FFFF; cp++) {
        uint8_t utf8[4], utf16[4], again[4];
        size_t n = wedr_utf8_put(cp, utf8);
        bool surrogate = cp >= 0xD800 && cp <= 0xDFFF;
        uint32_t read;
        bool ok;
        if (wedr_utf8_next(utf8, n, &read, &ok) != n || !ok ||
            read != (surrogate ? WEDR_UTF_BAD : cp)) {
            fail_msg("U+%04X does not come back from UTF-8", cp);
        }
        struct wedr_utf_result to = wedr_utf8_to_utf16(utf8, n, utf16, sizeof(utf16));
        struct wedr_utf_result back = wedr_utf16_to_utf8(utf16, to.len, again, sizeof(again));
        if (!to.valid || !back.valid || back.len != n || memcmp(again, utf8, n) != 0) {
            fail_msg("U+%04X does not come back from UTF-16", cp);
        }
    }
    uint8_t utf8[4];
    assert_int_equal(wedr_utf8_put(0x110000, utf8), 3);
    assert_memory_equal(utf8, BAD, 3);
}

static void conversion_stops_before_the_character_that_does_not_fit(void **state)
{
    (void)state;
    static const char wide[] =
        "a\0\xE9\0\x3D\xD8\x00\xDE"; /* a, e acute, a pair: 1 + 2 + 4 bytes */
    static const size_t want_len[] = {0, 1, 1, 3, 3, 3, 3, 7, 7};
    static const size_t want_used[] = {0, 2, 2, 4, 4, 4, 4, 8, 8};
    for (size_t cap = 0; cap <= 8; cap++) {
        uint8_t out[9];
        memset(out, 0x77, sizeof(out));
        struct wedr_utf_result r = wedr_utf16_to_utf8(wide, 8, out, cap);
        assert_int_equal(r.len, want_len[cap]);
        assert_int_equal(r.used, want_used[cap]);
        assert_int_equal(r.cut, cap < 7);
        assert_int_equal(out[r.len], 0x77);
    }
    for (size_t cap = 0; cap <= 8; cap++) {
        uint8_t out[9];
        memset(out, 0x77, sizeof(out));
        struct wedr_utf_result r = wedr_utf8_to_utf16("a\xC3\xA9\xF0\x9F\x98\x80", 7, out, cap);
        assert_int_equal(r.len, cap < 2 ? 0 : cap < 4 ? 2 : cap < 8 ? 4 : 8);
        assert_int_equal(r.cut, cap < 8);
        assert_int_equal(out[r.len], 0x77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_replaces_each_maximal_invalid_part),
        cmocka_unit_test(utf16_replaces_lone_surrogates),
        cmocka_unit_test(every_code_point_survives_both_ways),
        cmocka_unit_test(conversion_stops_before_the_character_that_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
