/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/test_value.h"

#include "store/events/sql/search.h"
#include <stdio.h>
#include <string.h>

#define NUMBER_TEXT 24u

/* The fragments stand in s one behind another. */
static bool like(const struct wedr_test *t, const char *s, size_t len)
{
    size_t at = 0;
    for (size_t i = 0; i < t->count; i++) {
        const char *f = (const char *)t->text[i].p;
        size_t n = t->text[i].len;
        size_t found = wedr_find_lower(s, len, at, f, n);
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
