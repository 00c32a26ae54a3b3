/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/digits.h — whole numbers, eight digits at a time. */
#pragma once

#include "core/base/endian.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_DIGITS_MAX 19 /* that fit an uint64_t whatever they are */

/* Appends the eight digits at p to n; false when they are not all digits. */
static inline bool wedr_digits_eight(const char *p, uint64_t *n)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t w = wedr_le64(p);
    if (((w & ones * 0xF0) | ((w + ones * 6) & ones * 0xF0) >> 4) != ones * 0x33) {
        return false;
    }
    w = (w & ones * 0x0F) * 2561 >> 8; /* pairs, fours, all */
    w = (w & UINT64_C(0x00FF00FF00FF00FF)) * 6553601 >> 16;
    w = (w & UINT64_C(0x0000FFFF0000FFFF)) * UINT64_C(42949672960001) >> 32;
    *n = *n * 100000000 + w;
    return true;
}

/* A number of JSON at s that is digits with or without a minus: its end. NULL when there is none,
 * it does not fit, or needs a closer look (-0). */
static inline const char *wedr_digits_whole(const char *s, const char *end, int64_t *ret_n)
{
    const bool minus = s < end && *s == '-';
    const char *first = s + minus;
    const char *p = first;
    const char *most = end - p < WEDR_DIGITS_MAX ? end : p + WEDR_DIGITS_MAX;
    uint64_t n = 0;
    while (most - p >= 8 && wedr_digits_eight(p, &n)) {
        p += 8;
    }
    for (; p < most && (unsigned)(*p - '0') < 10; p++) {
        n = n * 10 + (unsigned)(*p - '0');
    }
    bool padded = p - first > 1 && *first == '0';
    if (p == first || padded || (minus && n == 0) || n > INT64_MAX) {
        return NULL;
    }
    *ret_n = minus ? -(int64_t)n : (int64_t)n;
    return p;
}
