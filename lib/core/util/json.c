/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/json.c — after the first thing that did not fit, `end` is moved down to `p`:
 * nothing fits any more, so that every writer needs one test only. */
#include "core/util/json.h"
#include "core/base/endian.h"
#include "core/base/utf16.h"
#include <string.h>

#define WORD 8u /* bytes looked at in one step */

static const char hex_digits[] = "0123456789abcdef";
static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

void wedr_json_init(struct wedr_json *j, char *mem, size_t cap)
{
    j->p = mem;
    j->start = mem;
    j->end = mem + cap;
    j->comma = false;
    j->overflow = false;
}

size_t wedr_json_len(const struct wedr_json *j)
{
    return (size_t)(j->p - j->start);
}

static bool fits(struct wedr_json *j, size_t n)
{
    if ((size_t)(j->end - j->p) >= n) {
        return true;
    }
    j->overflow = true;
    j->end = j->p;
    return false;
}

static void put(struct wedr_json *j, const char *s, size_t n)
{
    if (fits(j, n)) {
        memcpy(j->p, s, n);
        j->p += n;
    }
}

static void put_char(struct wedr_json *j, char c)
{
    if (fits(j, 1)) {
        *j->p++ = c;
    }
}

/* Comma before a key or an element; a key's value gets none. */
static void separate(struct wedr_json *j)
{
    if (j->comma) {
        put_char(j, ',');
    }
    j->comma = true;
}

void wedr_json_obj_begin(struct wedr_json *j)
{
    separate(j);
    put_char(j, '{');
    j->comma = false;
}

void wedr_json_obj_end(struct wedr_json *j)
{
    put_char(j, '}');
    j->comma = true;
}

void wedr_json_arr_begin(struct wedr_json *j)
{
    separate(j);
    put_char(j, '[');
    j->comma = false;
}

void wedr_json_arr_end(struct wedr_json *j)
{
    put_char(j, ']');
    j->comma = true;
}

void wedr_json_key(struct wedr_json *j, const char *key)
{
    size_t n = strlen(key);
    separate(j);
    if (fits(j, n + 3)) {
        *j->p++ = '"';
        put(j, key, n);
        *j->p++ = '"';
        *j->p++ = ':';
    }
    j->comma = false;
}

/* Writes v so that it ends before `end`; returns where it begins. */
static char *digits_before(char *end, uint64_t v)
{
    while (v >= 100) {
        end -= 2;
        memcpy(end, pairs + 2 * (v % 100), 2);
        v /= 100;
    }
    if (v >= 10) {
        end -= 2;
        memcpy(end, pairs + 2 * v, 2);
    } else {
        *--end = (char)('0' + v);
    }
    return end;
}

void wedr_json_u64(struct wedr_json *j, uint64_t v)
{
    char text[20];
    char *first = digits_before(text + sizeof(text), v);
    separate(j);
    put(j, first, (size_t)(text + sizeof(text) - first));
}

void wedr_json_i64(struct wedr_json *j, int64_t v)
{
    char text[21];
    char *first = digits_before(text + sizeof(text), v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
    if (v < 0) {
        *--first = '-';
    }
    separate(j);
    put(j, first, (size_t)(text + sizeof(text) - first));
}

void wedr_json_bool(struct wedr_json *j, bool v)
{
    separate(j);
    put(j, v ? "true" : "false", v ? 4 : 5);
}

void wedr_json_null(struct wedr_json *j)
{
    separate(j);
    put(j, "null", 4);
}

void wedr_json_hex64(struct wedr_json *j, uint64_t v)
{
    char text[18];
    text[0] = '"';
    for (size_t i = 16; i > 0; i--) {
        text[i] = hex_digits[v & 15];
        v >>= 4;
    }
    text[17] = '"';
    separate(j);
    put(j, text, sizeof(text));
}

void wedr_json_hex(struct wedr_json *j, const void *p, size_t n)
{
    const uint8_t *b = p;
    separate(j);
    if (n > SIZE_MAX / 2 - 2 || !fits(j, 2 * n + 2)) {
        j->overflow = true;
        j->end = j->p;
        return;
    }
    char *to = j->p;
    *to++ = '"';
    for (size_t i = 0; i < n; i++) {
        *to++ = hex_digits[b[i] >> 4];
        *to++ = hex_digits[b[i] & 15];
    }
    *to++ = '"';
    j->p = to;
}

/* One ASCII character that may need an escape. */
static void put_ascii(struct wedr_json *j, uint8_t c)
{
    static const char short_form[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    if (c >= 0x20 && c != '"' && c != '\\') {
        put_char(j, (char)c);
        return;
    }
    for (size_t i = 0; i + 1 < sizeof(short_form); i += 2) {
        if ((uint8_t)short_form[i] == c) {
            const char text[2] = {'\\', short_form[i + 1]};
            put(j, text, sizeof(text));
            return;
        }
    }
    const char text[6] = {'\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15]};
    put(j, text, sizeof(text));
}

static void put_cp(struct wedr_json *j, uint32_t cp)
{
    if (cp < 0x80) {
        put_ascii(j, (uint8_t)cp);
        return;
    }
    uint8_t bytes[4];
    size_t n = wedr_utf8_put(cp, bytes);
    put(j, (const char *)bytes, n);
}

/* A high bit in each byte of the word that cannot be copied as it is: below 0x20, '"', '\\' or not
 * ASCII. Exact up to and including the lowest marked byte, which is all that the caller uses. */
static uint64_t special_bytes(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t highs = 0x8080808080808080u;
    uint64_t quote = word ^ ones * '"';
    uint64_t slash = word ^ ones * '\\';
    uint64_t below = word - ones * 0x20;
    return (below | (quote - ones) | (slash - ones) | word) & highs;
}

/* Copies the plain ASCII at the start of s; returns its length. Looks at whole words only, and
 * stops early when the output is nearly full: the caller goes on byte by byte. */
static size_t copy_plain(struct wedr_json *j, const uint8_t *s, size_t len)
{
    size_t room = (size_t)(j->end - j->p);
    size_t most = len < room ? len : room;
    size_t i = 0;
    while (most - i >= WORD) {
        uint64_t word = wedr_le64(s + i);
        uint64_t special = special_bytes(word);
        memcpy(j->p + i, s + i, WORD);
        if (special) {
            i += (size_t)__builtin_ctzll(special) / 8;
            break;
        }
        i += WORD;
    }
    j->p += i;
    return i;
}

bool wedr_json_str(struct wedr_json *j, const char *s, size_t len)
{
    const uint8_t *in = (const uint8_t *)s;
    bool valid = true;
    separate(j);
    put_char(j, '"');
    for (size_t i = 0; i < len;) {
        i += copy_plain(j, in + i, len - i);
        /* Here is a special byte, or less than a word is left of the input or of the output. */
        size_t stop = len - i < WORD ? len : i + WORD;
        while (i < stop) {
            if (in[i] < 0x80) {
                put_ascii(j, in[i++]);
                continue;
            }
            uint32_t cp;
            bool ok;
            size_t n = wedr_utf8_next(in + i, len - i, &cp, &ok);
            put_cp(j, cp);
            valid = valid && ok;
            i += n;
        }
    }
    put_char(j, '"');
    return valid;
}

void wedr_json_put_str(struct wedr_json *j, const char *key, const char *s)
{
    wedr_json_key(j, key);
    (void)wedr_json_str(j, s, strlen(s));
}

bool wedr_json_utf16(struct wedr_json *j, const void *s, size_t len)
{
    const uint8_t *in = s;
    bool valid = true;
    separate(j);
    put_char(j, '"');
    for (size_t i = 0; i + 1 < len;) {
        uint32_t cp;
        bool ok;
        i += wedr_utf16_next(in + i, len - i, &cp, &ok);
        put_cp(j, cp);
        valid = valid && ok;
    }
    put_char(j, '"');
    return valid;
}

void wedr_json_raw(struct wedr_json *j, const char *s, size_t len)
{
    separate(j);
    put(j, s, len);
}

static void put_pair(char *to, uint32_t v)
{
    memcpy(to, pairs + (size_t)2 * v, 2);
}

void wedr_json_time_us(struct wedr_json *j, int64_t unix_us)
{
    const int64_t last = 253402300799999999; /* 9999-12-31T23:59:59.999999Z */
    uint64_t t = unix_us < 0 ? 0 : (uint64_t)(unix_us > last ? last : unix_us);
    uint32_t us = (uint32_t)(t % 1000000);
    uint32_t second = (uint32_t)(t / 1000000 % 86400);
    /* Days since 0000-03-01, in eras of 400 years: leap days then stand at the end of a year. */
    uint32_t day = (uint32_t)(t / 86400000000) + 719468;
    uint32_t era = day / 146097;
    uint32_t day_of_era = day % 146097;
    uint32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t shifted = (5 * day_of_year + 2) / 153; /* 0 = March */
    uint32_t month = shifted < 10 ? shifted + 3 : shifted - 9;
    uint32_t year = year_of_era + era * 400 + (month <= 2);
    char text[] = "\"0000-00-00T00:00:00.000000Z\"";
    put_pair(text + 1, year / 100);
    put_pair(text + 3, year % 100);
    put_pair(text + 6, month);
    put_pair(text + 9, day_of_year - (153 * shifted + 2) / 5 + 1);
    put_pair(text + 12, second / 3600);
    put_pair(text + 15, second / 60 % 60);
    put_pair(text + 18, second % 60);
    put_pair(text + 21, us / 10000);
    put_pair(text + 23, us / 100 % 100);
    put_pair(text + 25, us % 100);
    separate(j);
    put(j, text, sizeof(text) - 1);
}
