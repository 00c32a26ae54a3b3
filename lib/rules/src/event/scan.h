/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/scan.h — looks for bytes in many places at once: 16 at a time where the processor
 * always can (SSE2), 8 anywhere else. The first quote or backslash of a piece of a JSON string, and
 * two bytes that stand so far apart. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && defined(__GNUC__)

#    define WEDR_SCAN 16u /* bytes that are looked at; all of them must be readable */

typedef char wedr_scan_bytes __attribute__((vector_size(16)));

/* Without <emmintrin.h>, which brings an allocator along. */
static inline size_t wedr_scan_first(wedr_scan_bytes found)
{
    return (size_t)__builtin_ctz((unsigned)__builtin_ia32_pmovmskb128(found) | 0x10000u);
}

/* Bytes before the first backslash, WEDR_SCAN when there is none. */
static inline size_t wedr_scan_slash(const char *s)
{
    wedr_scan_bytes w;
    memcpy(&w, s, sizeof(w));
    return wedr_scan_first(w == '\\');
}

/* The same with a quote. */
static inline size_t wedr_scan_special(const char *s)
{
    wedr_scan_bytes w;
    memcpy(&w, s, sizeof(w));
    return wedr_scan_first((w == '\\') | (w == '"'));
}

/* Bit n: s[n] may be a and s[n + apart] b, both uncased as a gram is (match/grams.h). */
static inline uint32_t wedr_scan_pair(const void *s, size_t apart, char a, char b)
{
    wedr_scan_bytes v;
    wedr_scan_bytes w;
    memcpy(&v, s, sizeof(v));
    memcpy(&w, (const char *)s + apart, sizeof(w));
    return (uint32_t)__builtin_ia32_pmovmskb128(((v | ' ') == a) & ((w | ' ') == b));
}

#else

#    define WEDR_SCAN 8u

/* May say that there is one where there is none. */
static inline bool wedr_scan_may(uint64_t w, char c)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t x = w ^ ones * (uint8_t)c;
    return ((x - ones) & ~x & ones * 0x80) != 0;
}

static inline size_t wedr_scan_slash(const char *s)
{
    uint64_t w;
    size_t n = 0;
    memcpy(&w, s, sizeof(w));
    if (!wedr_scan_may(w, '\\')) {
        return WEDR_SCAN;
    }
    while (n < WEDR_SCAN && s[n] != '\\') {
        n++;
    }
    return n;
}

static inline size_t wedr_scan_special(const char *s)
{
    uint64_t w;
    size_t n = 0;
    memcpy(&w, s, sizeof(w));
    if (!wedr_scan_may(w, '\\') && !wedr_scan_may(w, '"')) {
        return WEDR_SCAN;
    }
    while (n < WEDR_SCAN && s[n] != '\\' && s[n] != '"') {
        n++;
    }
    return n;
}

/* Bit n: s[n] may be a and s[n + apart] b, both uncased as a gram is (match/grams.h). */
static inline uint32_t wedr_scan_pair(const void *s, size_t apart, char a, char b)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t v;
    uint64_t w;
    memcpy(&v, s, sizeof(v));
    memcpy(&w, (const char *)s + apart, sizeof(w));
    uint64_t x = ((v | ones * ' ') ^ ones * (uint8_t)a) | ((w | ones * ' ') ^ ones * (uint8_t)b);
    return ((x - ones) & ~x & ones * 0x80) != 0 ? (1u << WEDR_SCAN) - 1 : 0;
}

#endif
