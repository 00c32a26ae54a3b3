/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/number.c */
#include "core/base/err.h"
#include "ir/pool.h"
#include "ir/value.h"
#include <stdlib.h>
#include <string.h>

#define NUMBER_TEXT_MAX 128u /* longer ones are no numbers that anyone means */
#define TWO_63 9223372036854775808.0
#define TWO_64 18446744073709551616.0

struct wedr_number wedr_number_u64(uint64_t u)
{
    struct wedr_number n = {WEDR_NUMBER_U64, {.u = u}};
    return u <= INT64_MAX ? wedr_number_i64((int64_t)u) : n;
}

/* A double that is an integer becomes one, so that equal numbers look alike. */
static struct wedr_number normal(double f)
{
    if (f >= -TWO_63 && f < TWO_63 && (double)(int64_t)f == f) {
        return wedr_number_i64((int64_t)f);
    }
    if (f >= TWO_63 && f < TWO_64) {
        return wedr_number_u64((uint64_t)f);
    }
    return wedr_number_f64(f);
}

static size_t digits(const char *s, size_t at, size_t len)
{
    size_t start = at;
    while (at < len && s[at] >= '0' && s[at] <= '9') {
        at++;
    }
    return at - start;
}

/* Length of the integer part with its sign when s is a number from end to end; 0 otherwise. */
static size_t number_shape(const char *s, size_t len)
{
    size_t at = len > 0 && (s[0] == '-' || s[0] == '+') ? 1 : 0;
    size_t n = digits(s, at, len);
    if (n == 0) {
        return 0;
    }
    size_t integer = at += n;
    if (at < len && s[at] == '.') {
        n = digits(s, at + 1, len);
        if (n == 0) {
            return 0;
        }
        at += 1 + n;
    }
    if (at < len && (s[at] == 'e' || s[at] == 'E')) {
        at++;
        if (at < len && (s[at] == '-' || s[at] == '+')) {
            at++;
        }
        n = digits(s, at, len);
        if (n == 0) {
            return 0;
        }
        at += n;
    }
    return at == len ? integer : 0;
}

/* False when it does not fit. */
static bool integer_parse(const char *s, size_t len, struct wedr_number *ret_number)
{
    size_t at = s[0] == '-' || s[0] == '+' ? 1 : 0;
    uint64_t v = 0;
    for (; at < len; at++) {
        uint64_t digit = (uint64_t)(s[at] - '0');
        if (v > (UINT64_MAX - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    if (s[0] != '-') {
        *ret_number = wedr_number_u64(v);
        return true;
    }
    if (v > (uint64_t)INT64_MAX + 1) {
        return false;
    }
    *ret_number = wedr_number_i64(v == 0 ? 0 : -(int64_t)(v - 1) - 1);
    return true;
}

int wedr_number_parse(const char *s, size_t len, struct wedr_number *ret_number)
{
    if (len == 0 || len >= NUMBER_TEXT_MAX) {
        return WEDR_E_FORMAT;
    }
    size_t integer = number_shape(s, len);
    if (integer == 0) {
        return WEDR_E_FORMAT;
    }
    if (integer == len && integer_parse(s, len, ret_number)) {
        return WEDR_OK;
    }
    char copy[NUMBER_TEXT_MAX];
    memcpy(copy, s, len);
    copy[len] = '\0';
    *ret_number = normal(strtod(copy, NULL));
    return WEDR_OK;
}

int wedr_number_parse_hex(const char *s, size_t len, struct wedr_number *ret_number)
{
    if (len < 3 || s[0] != '0' || (s[1] | 32) != 'x') {
        return wedr_number_parse(s, len, ret_number);
    }
    uint64_t v = 0;
    for (size_t i = 2; i < len; i++) {
        unsigned c = (uint8_t)s[i];
        unsigned digit = c - '0' < 10 ? c - '0' : (c | 32) - 'a' < 6 ? (c | 32) - 'a' + 10 : 16;
        if (digit == 16 || v >> 60) {
            return WEDR_E_FORMAT;
        }
        v = v << 4 | digit;
    }
    *ret_number = wedr_number_u64(v);
    return WEDR_OK;
}

static int order(double a, double b)
{
    return a < b ? -1 : a > b;
}

/* An integer with a double, exactly: the integers first, then the fraction. */
static int compare_double(struct wedr_number a, double f)
{
    bool negative = a.kind == WEDR_NUMBER_I64 && a.v.i < 0;
    if (f != f || f >= TWO_64) {
        return -1;
    }
    if (f < -TWO_63) {
        return 1;
    }
    if (negative != (f < 0)) {
        return negative ? -1 : 1;
    }
    if (negative) {
        int64_t whole = (int64_t)f;
        return a.v.i != whole ? (a.v.i < whole ? -1 : 1) : order(0, f - (double)whole);
    }
    uint64_t whole = (uint64_t)f;
    return a.v.u != whole ? (a.v.u < whole ? -1 : 1) : order(0, f - (double)whole);
}

int wedr_number_compare(struct wedr_number a, struct wedr_number b)
{
    if (a.kind == WEDR_NUMBER_F64 && b.kind == WEDR_NUMBER_F64) {
        bool nan_a = a.v.f != a.v.f;
        bool nan_b = b.v.f != b.v.f;
        return nan_a || nan_b ? nan_a - nan_b : order(a.v.f, b.v.f);
    }
    if (b.kind == WEDR_NUMBER_F64) {
        return compare_double(a, b.v.f);
    }
    if (a.kind == WEDR_NUMBER_F64) {
        return -compare_double(b, a.v.f);
    }
    if (a.kind != b.kind) {
        return a.kind == WEDR_NUMBER_U64 ? 1 : -1; /* U64 is above every I64 */
    }
    if (a.kind == WEDR_NUMBER_U64) {
        return a.v.u < b.v.u ? -1 : a.v.u > b.v.u;
    }
    return a.v.i < b.v.i ? -1 : a.v.i > b.v.i;
}

uint32_t wedr_number_hash(struct wedr_number n)
{
    if (n.kind == WEDR_NUMBER_F64) {
        n = normal(n.v.f);
    }
    return wedr_hash_mix(wedr_hash_mix(n.kind, (uint32_t)n.v.u), (uint32_t)(n.v.u >> 32));
}
