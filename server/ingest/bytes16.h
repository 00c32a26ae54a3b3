/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/bytes16.h — 16 bytes of text at a time, where the processor always can (SSE2); byte
 * by byte anywhere else. All 16 bytes must be readable. Bit n of a result speaks of s[n].
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && defined(__GNUC__)

typedef signed char wedr_bytes16 __attribute__((vector_size(16)));

static inline wedr_bytes16 wedr_bytes16_load(const char *s)
{
    wedr_bytes16 w;
    memcpy(&w, s, sizeof(w));
    return w;
}

/* The first bit of each byte. Without <emmintrin.h>, which brings an allocator along. */
static inline uint32_t wedr_bytes16_bits(wedr_bytes16 w)
{
    typedef char plain __attribute__((vector_size(16)));
    return (uint32_t)__builtin_ia32_pmovmskb128((plain)w);
}

/* What can stand in a JSON string in no other way than after a backslash, and what has to be looked
 * at: quote, backslash, control characters, and all that is not ASCII. */
static inline uint32_t wedr_bytes16_special(const char *s)
{
    wedr_bytes16 w = wedr_bytes16_load(s);
    return wedr_bytes16_bits((w == '"') | (w == '\\') | (w < ' '));
}

static inline uint32_t wedr_bytes16_differ(const char *a, const char *b)
{
    return wedr_bytes16_bits(wedr_bytes16_load(a) != wedr_bytes16_load(b));
}

/* [a-z0-9] are alnum. */
static inline uint32_t wedr_bytes16_not_alnum(const char *s)
{
    wedr_bytes16 w = wedr_bytes16_load(s);
    wedr_bytes16 digit = (w >= '0') & (w <= '9'), letter = (w >= 'a') & (w <= 'z');
    return wedr_bytes16_bits(~(digit | letter));
}

/* Writes them in lower case (ASCII); the bits are those that were not. */
static inline uint32_t wedr_bytes16_lower(char *ret, const char *s)
{
    wedr_bytes16 w = wedr_bytes16_load(s);
    wedr_bytes16 upper = (w >= 'A') & (w <= 'Z');
    w |= upper & 32;
    memcpy(ret, &w, sizeof(w));
    return wedr_bytes16_bits(upper);
}

static inline uint32_t wedr_bytes16_not_lower_hex(const char *s)
{
    wedr_bytes16 w = wedr_bytes16_load(s);
    wedr_bytes16 digit = (w >= '0') & (w <= '9'), letter = (w >= 'a') & (w <= 'f');
    return wedr_bytes16_bits(~(digit | letter));
}

#else

static inline uint32_t wedr_bytes16_not_alnum(const char *s)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < 16; i++) {
        bits |= (uint32_t) !((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'z')) << i;
    }
    return bits;
}

static inline uint32_t wedr_bytes16_lower(char *ret, const char *s)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < 16; i++) {
        uint32_t upper = s[i] >= 'A' && s[i] <= 'Z';
        ret[i] = (char)(s[i] + (char)(32u * upper));
        bits |= upper << i;
    }
    return bits;
}

static inline uint32_t wedr_bytes16_special(const char *s)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < 16; i++) {
        uint8_t c = (uint8_t)s[i];
        bits |= (uint32_t)(c == '"' || c == '\\' || c < ' ' || c >= 0x80) << i;
    }
    return bits;
}

static inline uint32_t wedr_bytes16_differ(const char *a, const char *b)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < 16; i++) {
        bits |= (uint32_t)(a[i] != b[i]) << i;
    }
    return bits;
}

static inline uint32_t wedr_bytes16_not_lower_hex(const char *s)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < 16; i++) {
        bits |= (uint32_t) !((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')) << i;
    }
    return bits;
}

#endif
