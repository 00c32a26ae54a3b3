/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/test_value.h"

#include "core/util/alloc.h"
#include <stdio.h>
#include <string.h>

#define NUMBER_TEXT 24u

static uint8_t lower_of(char c)
{
    uint8_t u = (uint8_t)c;
    return (uint8_t)(u + ((uint8_t)(u - 'A') < 26u ? 32u : 0u)); /* no branch: done in vectors */
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

static size_t rarest(const char *s, size_t len)
{
    size_t best = 0;
    for (size_t i = 1; i < len; i++) {
        best = common(s[i]) < common(s[best]) ? i : best;
    }
    return best;
}

/* Next place of a byte in [s, end), end when there is none. `at` is where it was before. */
static const char *next_byte(const char *at, const char *s, const char *end, uint8_t byte)
{
    if (at >= s) {
        return at;
    }
    const char *p = s < end ? memchr(s, byte, (size_t)(end - s)) : NULL;
    return p == NULL ? end : p;
}

static bool equals_lower(const char *s, const char *needle, size_t len)
{
    size_t k = 0;
    while (k < len && lower_of(s[k]) == (uint8_t)needle[k]) {
        k++;
    }
    return k == len;
}

/* Where needle, which is not empty, begins in s, from `from` on; len when nowhere. */
static size_t
find_lower(const char *s, size_t len, size_t from, const char *needle, size_t needle_len)
{
    size_t rare = rarest(needle, needle_len);
    uint8_t low = (uint8_t)needle[rare];
    uint8_t high = (uint8_t)(low - 'a') < 26u ? (uint8_t)(low - 32u) : low;
    if (needle_len > len || from > len - needle_len) {
        return len;
    }
    const char *end = s + len - needle_len + rare + 1; /* behind the last place of that byte */
    const char *at = s + from + rare, *lows = NULL, *highs = NULL;
    while (at < end) {
        lows = next_byte(lows, at, end, low);
        highs = high == low ? end : next_byte(highs, at, end, high);
        at = lows < highs ? lows : highs;
        if (at < end && equals_lower(at - rare, needle, needle_len)) {
            return (size_t)(at - rare - s);
        }
        at++;
    }
    return len;
}

bool wedr_contains(const char *s, size_t len, const char *needle, size_t needle_len)
{
    return needle_len == 0 || find_lower(s, len, 0, needle, needle_len) < len;
}

/* The fragments stand in s one behind another. */
static bool like(const struct wedr_test *t, const char *s, size_t len)
{
    size_t at = 0;
    for (size_t i = 0; i < t->count; i++) {
        const char *f = (const char *)t->text[i].p;
        size_t n = t->text[i].len;
        size_t found = find_lower(s, len, at, f, n);
        if (found == len || (i == 0 && t->anchored && found != 0)) {
            return false;
        }
        at = found + n;
    }
    return true;
}

/* As memcmp orders texts. */
static int compare(const char *s, size_t len, struct wedr_span v)
{
    size_t n = len < v.len ? len : v.len;
    int c = n == 0 ? 0 : memcmp(s, v.p, n);
    return c != 0 ? c : (len > v.len) - (len < v.len);
}

bool wedr_test_text(const struct wedr_test *t, const char *s, size_t len)
{
    if (t->number != NULL || wedr_events_is_number(t->column)) {
        return true;
    }
    switch (t->op) {
    case WEDR_TEST_ANY:
        for (size_t i = 0; i < t->count; i++) {
            if (t->text[i].len == len && (len == 0 || memcmp(t->text[i].p, s, len) == 0)) {
                return true;
            }
        }
        return false;
    case WEDR_TEST_LIKE:
        return like(t, s, len);
    case WEDR_TEST_CONTAINS:
        return wedr_contains(s, len, (const char *)t->text[0].p, t->text[0].len);
    case WEDR_TEST_LT:
        return compare(s, len, t->text[0]) < 0;
    case WEDR_TEST_LE:
        return compare(s, len, t->text[0]) <= 0;
    case WEDR_TEST_GT:
        return compare(s, len, t->text[0]) > 0;
    default:
        return compare(s, len, t->text[0]) >= 0;
    }
}

bool wedr_test_number(const struct wedr_test *t, int64_t v)
{
    if (!wedr_events_is_number(t->column)) {
        char text[NUMBER_TEXT];
        int n = snprintf(text, sizeof(text), "%lld", (long long)v);
        return wedr_test_text(t, text, (size_t)n);
    }
    switch (t->op) {
    case WEDR_TEST_ANY:
        for (size_t i = 0; i < t->count; i++) {
            if (t->number[i] == v) {
                return true;
            }
        }
        return false;
    case WEDR_TEST_LT:
        return v < t->number[0];
    case WEDR_TEST_LE:
        return v <= t->number[0];
    case WEDR_TEST_GT:
        return v > t->number[0];
    default:
        return v >= t->number[0];
    }
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
    n->rare = rarest(n->p, len);
    return true;
}

void wedr_needle_fini(struct wedr_needle *n)
{
    wedr_free(n->p);
    memset(n, 0, sizeof(*n));
}

const char *wedr_needle_find(const struct wedr_needle *n, const char *s, const char *end)
{
    if (n->len == 0) {
        return s;
    }
    while ((size_t)(end - s) >= n->len) {
        size_t room = (size_t)(end - s) - n->len + 1; /* places where it may begin */
        const char *hit = memchr(s + n->rare, n->p[n->rare], room);
        if (hit == NULL) {
            return NULL;
        }
        hit -= n->rare;
        if (memcmp(hit, n->p, n->len) == 0) {
            return hit;
        }
        s = hit + 1;
    }
    return NULL;
}
