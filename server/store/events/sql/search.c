/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/search.h"

#include "core/util/alloc.h"
#include <stdint.h>
#include <string.h>

#define STEP 16u

static uint8_t lower_of(char c)
{
    uint8_t u = (uint8_t)c;
    return (uint8_t)(u + ((uint8_t)(u - 'A') < 26u ? 32u : 0u));
}

void wedr_lower(char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        s[i] = (char)lower_of(s[i]);
    }
}

/* How common a byte is in lines of events, roughly. */
static unsigned common(char c)
{
    static const char often[] = "\"_:,erstaocindplmu0123456789/.-fhg{}kvbwyx[]";
    const char *p = c == 0 ? NULL : strchr(often, c);
    return p == NULL ? 0 : (unsigned)(sizeof(often) - (size_t)(p - often));
}

/* The two rarest bytes; the same one twice when there is no other. */
static void pick(struct wedr_needle *n)
{
    unsigned first = UINT32_MAX, second = UINT32_MAX;
    n->rare = n->second = 0;
    for (size_t i = 0; i < n->len; i++) {
        unsigned c = common(n->p[i]);
        if (c < first) {
            second = first;
            n->second = n->rare;
            first = c;
            n->rare = i;
        } else if (c < second) {
            second = c;
            n->second = i;
        }
    }
    n->second = second == UINT32_MAX ? n->rare : n->second;
}

/* A byte, and the bit that its case is in: 0 when only this very byte will do. */
struct byte {
    char value, fold;
};

static struct byte byte_at(const struct wedr_needle *n, size_t i)
{
    bool letter = n->p[i] >= 'a' && n->p[i] <= 'z';
    return (struct byte){n->p[i], n->lower && letter ? ' ' : 0};
}

/* Bit i: s[i] may be a and t[i] b; STEP bytes of each can be read. */
#if defined(__SSE2__) && defined(__GNUC__)
typedef char bytes __attribute__((vector_size(STEP)));

static uint32_t both(const char *s, const char *t, struct byte a, struct byte b)
{
    bytes v, w;
    memcpy(&v, s, sizeof(v));
    memcpy(&w, t, sizeof(w));
    return (uint32_t)__builtin_ia32_pmovmskb128(((v | a.fold) == a.value) &
                                                ((w | b.fold) == b.value));
}
#else
static uint32_t both(const char *s, const char *t, struct byte a, struct byte b)
{
    uint32_t mask = 0;
    for (unsigned i = 0; i < STEP; i++) {
        bool hit = (s[i] | a.fold) == a.value && (t[i] | b.fold) == b.value;
        mask |= (uint32_t)hit << i;
    }
    return mask;
}
#endif

static bool equals(const struct wedr_needle *n, const char *s)
{
    if (!n->lower) {
        return memcmp(s, n->p, n->len) == 0;
    }
    size_t k = 0;
    while (k < n->len && lower_of(s[k]) == (uint8_t)n->p[k]) {
        k++;
    }
    return k == n->len;
}

const char *wedr_needle_find(const struct wedr_needle *n, const char *s, const char *end)
{
    if (n->len == 0) {
        return s;
    }
    struct byte a = byte_at(n, n->rare), b = byte_at(n, n->second);
    while ((size_t)(end - s) >= n->len + STEP) {
        uint32_t mask = both(s + n->rare, s + n->second, a, b);
        for (; mask != 0; mask &= mask - 1) {
            const char *at = s + __builtin_ctz(mask);
            if (equals(n, at)) {
                return at;
            }
        }
        s += STEP;
    }
    for (; (size_t)(end - s) >= n->len; s++) {
        if (equals(n, s)) {
            return s;
        }
    }
    return NULL;
}

size_t
wedr_find_lower(const char *s, size_t len, size_t from, const char *needle, size_t needle_len)
{
    struct wedr_needle n = {
        .p = (char *)(uintptr_t)needle, .len = needle_len, .lower = true}; /* only read */
    if (needle_len > len || from > len - needle_len) {
        return needle_len == 0 && from <= len ? from : len;
    }
    pick(&n);
    const char *at = wedr_needle_find(&n, s + from, s + len);
    return at == NULL ? len : (size_t)(at - s);
}

bool wedr_contains(const char *s, size_t len, const char *needle, size_t needle_len)
{
    return needle_len == 0 || wedr_find_lower(s, len, 0, needle, needle_len) < len;
}

bool wedr_needle_init(struct wedr_needle *n, const char *s, size_t len, bool lower)
{
    bool letters = false;
    memset(n, 0, sizeof(*n));
    n->p = wedr_strndup(s, len);
    if (n->p == NULL) {
        return false;
    }
    n->len = len;
    for (size_t i = 0; i < len; i++) {
        letters = letters || (lower_of(s[i]) >= 'a' && lower_of(s[i]) <= 'z');
    }
    n->lower = lower && letters;
    if (n->lower) {
        wedr_lower(n->p, len);
    }
    pick(n);
    return true;
}

void wedr_needle_fini(struct wedr_needle *n)
{
    wedr_free(n->p);
    memset(n, 0, sizeof(*n));
}
