/* SPDX-License-Identifier: Apache-2.0 OR BSD-2-Clause
 * lib/core/base/utf16.h — UTF-8 and UTF-16LE: one step at a time, whole strings, validation. What
 * is not valid becomes U+FFFD: each maximal part of a broken UTF-8 sequence (Unicode 15, 3.9) and
 * each lone surrogate. NUL is a character like any other. Freestanding, no allocation. */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_UTF_BAD 0xFFFDu

/* Decodes the character at s (len >= 1). Returns how many bytes it took (>= 1). *ret_cp is
 * WEDR_UTF_BAD and *ret_ok false for a broken part; a U+FFFD that stands in the text is ok. */
size_t wedr_utf8_next(const void *s, size_t len, uint32_t *ret_cp, bool *ret_ok);
/* The same for UTF-16LE (len >= 2, in bytes). */
size_t wedr_utf16_next(const void *s, size_t len, uint32_t *ret_cp, bool *ret_ok);
/* Writes cp as UTF-8, 1 to 4 bytes; a surrogate or a number above 0x10FFFF is written as U+FFFD. */
size_t wedr_utf8_put(uint32_t cp, uint8_t ret[4]);

bool wedr_utf8_valid(const void *s, size_t len);
bool wedr_utf16_valid(const void *s, size_t len); /* an odd length is not valid */

struct wedr_utf_result {
    size_t used; /* bytes of the input that were converted */
    size_t len;  /* bytes written */
    bool valid;  /* nothing was replaced in what was used; an odd last byte of UTF-16 makes it false
                  */
    bool cut;    /* the output was too small: stopped before the first character that did not fit */
};
/* Whole characters only, never more than cap bytes, no NUL added. An odd last byte of UTF-16 counts
 * as used. */
struct wedr_utf_result wedr_utf16_to_utf8(const void *s, size_t len, void *ret, size_t cap);
struct wedr_utf_result wedr_utf8_to_utf16(const void *s, size_t len, void *ret, size_t cap);
