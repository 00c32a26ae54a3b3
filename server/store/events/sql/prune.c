/* SPDX-License-Identifier: Apache-2.0 */
#include "store/events/sql/prune.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include "store/events/sql/test_value.h"
#include <stdio.h>
#include <string.h>

#define GRAM 4u
#define VALUES_MAX 64u  /* of one IN that are asked for */
#define LOWER_MAX 4096u /* longer values are not asked for */

/* A text value of the line, which stands in the filters unless it is a number there. */
static bool line_text(int column)
{
    return column >= C_PROCESS_KEY && column < C_RAW && !wedr_events_is_number(column);
}

bool wedr_prune_like_number(struct wedr_span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((s.p[i] < '0' || s.p[i] > '9') && s.p[i] != '-') {
            return false;
        }
    }
    return true;
}

/* --- Token filter. */

static bool bloom_usable(const struct wedr_test *t)
{
    if (t->op != WEDR_TEST_ANY || t->count == 0 || t->count > VALUES_MAX) {
        return false;
    }
    bool number = t->column == C_PID || t->column == C_PPID;
    for (size_t i = 0; i < t->count; i++) {
        bool good = number ? t->number[i] >= 0 && t->number[i] <= UINT32_MAX
                           : line_text(t->column) && !wedr_prune_like_number(t->text[i]) &&
                                 t->text[i].len <= LOWER_MAX;
        if (!good) {
            return false;
        }
    }
    return number || line_text(t->column);
}

static uint64_t key_of(const struct wedr_test *t, size_t i)
{
    char text[LOWER_MAX];
    size_t len;
    if (t->column == C_PID || t->column == C_PPID) {
        len = (size_t)snprintf(text, sizeof(text), "%s=%lld", t->column == C_PID ? "pid" : "ppid",
                               (long long)t->number[i]);
    } else {
        len = t->text[i].len;
        memcpy(text, t->text[i].p, len);
        wedr_lower(text, len);
    }
    return wedr_filter_hash(text, len);
}

static bool bloom_allows(const struct wedr_test *t, const uint8_t *bloom, size_t len)
{
    for (size_t i = 0; i < t->count; i++) {
        if (wedr_bloom_may_contain(bloom, len, key_of(t, i))) {
            return true;
        }
    }
    return false;
}

/* --- 4-grams. */

static bool hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* How many bytes at the beginning of s may belong to an escape whose backslash stands before:
 * the letter of \n, or any tail of \u001f. */
static size_t escape_tail(const char *s, size_t len)
{
    size_t i = 0;
    if (len != 0 && s[0] == 'u') {
        i = 1;
    }
    for (int zeros = 0; zeros < 2 && i < len && s[i] == '0'; zeros++) {
        i++;
    }
    for (int digits = 0; digits < 2 && i < len && hex(s[i]); digits++) {
        i++;
    }
    return i == 0 && len != 0 && strchr("bfnrt/", s[0]) != NULL ? 1 : i;
}

/* False for what can stand in a line outside of texts and names: numbers, times, literals. */
static bool only_in_texts(const char *s, size_t len)
{
    static const char *const literals[] = {"true", "false", "null"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(literals); i++) {
        if (wedr_contains(literals[i], strlen(literals[i]), s, len)) {
            return false;
        }
    }
    for (size_t i = 0; i < len; i++) {
        if (s[i] == 0 || strchr("0123456789+-.etz", s[i]) == NULL) {
            return true;
        }
    }
    return false;
}

bool wedr_prune_raw_allows(const uint8_t bits[WEDR_NGRAM_BYTES], const char *needle, size_t len)
{
    size_t at = escape_tail(needle, len);
    while (at < len) {
        size_t end = at;
        while (end < len && (needle[end] == 0 || strchr("\"\\:,{}[]", needle[end]) == NULL)) {
            end++;
        }
        if (end - at >= GRAM && only_in_texts(needle + at, end - at) &&
            !wedr_ngram_may_contain(bits, needle + at, end - at)) {
            return false;
        }
        bool escape = end < len && needle[end] == '\\';
        at = end + 1;
        at += escape && at < len ? escape_tail(needle + at, len - at) : 0;
    }
    return true;
}

static bool ngram_usable(const struct wedr_test *t, bool canonical)
{
    bool whole = t->op == WEDR_TEST_ANY && t->count == 1 && line_text(t->column);
    bool part = (t->op == WEDR_TEST_LIKE || t->op == WEDR_TEST_CONTAINS) &&
                (line_text(t->column) || (t->column == C_RAW && canonical));
    for (size_t i = 0; (whole || part) && i < t->count; i++) {
        if (t->text[i].len >= GRAM && t->text[i].len <= LOWER_MAX &&
            !wedr_prune_like_number(t->text[i])) {
            return true;
        }
    }
    return false;
}

static bool ngram_allows(const struct wedr_test *t, const uint8_t bits[WEDR_NGRAM_BYTES])
{
    for (size_t i = 0; i < t->count; i++) {
        char text[LOWER_MAX];
        size_t len = t->text[i].len;
        if (len < GRAM || len > LOWER_MAX || wedr_prune_like_number(t->text[i])) {
            continue;
        }
        memcpy(text, t->text[i].p, len);
        wedr_lower(text, len);
        if (t->column == C_RAW ? !wedr_prune_raw_allows(bits, text, len)
                               : !wedr_ngram_may_contain(bits, text, len)) {
            return false;
        }
    }
    return true;
}

/* --- Both. */

static bool tokens_allow(const struct wedr_events_ask *a, struct wedr_block *b)
{
    uint8_t *bloom = NULL;
    size_t len = 0;
    bool allowed = true, tried = false;
    for (size_t i = 0; allowed && i < a->count; i++) {
        if (!bloom_usable(&a->test[i])) {
            continue;
        }
        if (!tried && wedr_block_part(b, WEDR_PART_FILTER, &bloom, &len) != WEDR_OK) {
            return true;
        }
        tried = true;
        allowed = bloom_allows(&a->test[i], bloom, len);
    }
    wedr_free(bloom);
    return allowed;
}

static bool grams_allow(const struct wedr_events_ask *a, struct wedr_block *b, bool canonical)
{
    uint8_t bits[WEDR_NGRAM_BYTES];
    uint8_t *packed = NULL;
    size_t len = 0;
    bool allowed = true;
    for (size_t i = 0; allowed && i < a->count; i++) {
        const struct wedr_test *t = &a->test[i];
        if (!ngram_usable(t, canonical)) {
            continue;
        }
        if (packed == NULL && (wedr_block_part(b, WEDR_PART_NGRAM, &packed, &len) != WEDR_OK ||
                               wedr_ngram_unpack(packed, len, bits) != WEDR_OK)) {
            break;
        }
        allowed =
            (t->column == C_RAW && !wedr_ngram_has_envelope(packed, len)) || ngram_allows(t, bits);
    }
    wedr_free(packed);
    return allowed;
}

bool wedr_prune_allows(const struct wedr_events_ask *a, struct wedr_block *b, bool canonical)
{
    return b->tiny || (tokens_allow(a, b) && grams_allow(a, b, canonical));
}
