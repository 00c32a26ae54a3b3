/* SPDX-License-Identifier: Apache-2.0
 * rules/text.h — text as the rules see it: UTF-8 bytes with a length; bytes that are no UTF-8 stay
 * as they are and equal only themselves. "Uncased" means Unicode simple case folding of both sides
 * (CaseFolding.txt, classes C and S). No allocation, any thread. */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wedr_text {
    const char *p; /* may be NULL only when len is 0 */
    uint32_t len;  /* bytes */
};

struct wedr_text_list {
    const struct wedr_text *v;
    uint32_t count;
};

static inline struct wedr_text wedr_text(const char *p, size_t len)
{
    struct wedr_text t = {p, (uint32_t)len};
    return t;
}

/* Folding makes a text at most half as long again (and one byte for an odd length). */
#define WEDR_FOLD_MAX(len) ((len) + (len) / 2 + 1)

/* The simple case folding of one code point. */
uint32_t wedr_fold_char(uint32_t c);
/* Folds len bytes of s into out, which holds WEDR_FOLD_MAX(len) bytes. Returns the bytes written.
 */
size_t wedr_fold(const char *s, size_t len, char *out);
/* Folds from *s on while cap has room for one more character (4 bytes); moves *s. Returns the bytes
 * written. */
size_t wedr_fold_part(const char **s, const char *end, char *out, size_t cap);
/* True when a byte above 0x7F is in it. */
bool wedr_text_has_high(const char *s, size_t len);

/* How one text relates to another; `cased` false folds both. */
bool wedr_text_equal(struct wedr_text value, struct wedr_text want, bool cased);
bool wedr_text_starts(struct wedr_text value, struct wedr_text want, bool cased);
bool wedr_text_ends(struct wedr_text value, struct wedr_text want, bool cased);
bool wedr_text_contains(struct wedr_text value, struct wedr_text want, bool cased);
/* Wildcards: * any run, ? exactly one character (code point, or a stray byte), backslash makes the
 * next byte literal. Steps are at most value.len * pattern.len. */
bool wedr_text_wildcard(struct wedr_text value, struct wedr_text pattern, bool cased);

/* A number of a rule or of an event. Comparisons between the kinds are exact. */
enum wedr_number_kind { WEDR_NUMBER_I64, WEDR_NUMBER_U64, WEDR_NUMBER_F64 };

struct wedr_number {
    uint8_t kind; /* enum wedr_number_kind; U64 only above INT64_MAX */
    union {
        int64_t i;
        uint64_t u;
        double f;
    } v;
};

static inline struct wedr_number wedr_number_i64(int64_t i)
{
    struct wedr_number n = {WEDR_NUMBER_I64, {.i = i}};
    return n;
}

struct wedr_number wedr_number_u64(uint64_t u);
static inline struct wedr_number wedr_number_f64(double f)
{
    struct wedr_number n = {WEDR_NUMBER_F64, {.f = f}};
    return n;
}

/* The whole text is a decimal number as in JSON (a leading + and leading zeroes are allowed too,
 * blanks are not); WEDR_E_FORMAT. Integers that fit no 64 bits become F64. */
WEDR_MUST_USE int wedr_number_parse(const char *s, size_t len, struct wedr_number *ret_number);
/* Like wedr_number_parse, and hexadecimal with 0x in front. */
WEDR_MUST_USE int wedr_number_parse_hex(const char *s, size_t len, struct wedr_number *ret_number);
/* < 0, 0, > 0; a NaN is above everything and equal to itself. */
int wedr_number_compare(struct wedr_number a, struct wedr_number b);
/* A timestamp as text or number (ir.h, enum wedr_time_part, says which) in microseconds since 1970
 * UTC; WEDR_E_FORMAT. */
WEDR_MUST_USE int wedr_time_parse(const char *s, size_t len, int64_t *ret_us);
