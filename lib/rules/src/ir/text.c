/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/text.c — folding works byte by byte on a cursor, so that comparing needs no memory.
 */
#include "wedr/rules/text.h"
#include "ir/utf8.h"
#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

struct fold_range {
    uint32_t first, last;
    uint32_t step;
    int32_t delta;
};

static const struct fold_range fold_ranges[] = {
#define X(first, last, step, delta) {first, last, step, delta},
#include "ir/fold.def"
#undef X
};

uint32_t wedr_fold_char(uint32_t c)
{
    if (c < 0x80) {
        return c - 'A' < 26 ? c + 32 : c;
    }
    size_t low = 0;
    size_t high = WEDR_ARRAY_COUNT(fold_ranges);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > fold_ranges[middle].last) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == WEDR_ARRAY_COUNT(fold_ranges) || c < fold_ranges[low].first ||
        (c - fold_ranges[low].first) % fold_ranges[low].step != 0) {
        return c;
    }
    return (uint32_t)((int32_t)c + fold_ranges[low].delta);
}

bool wedr_text_has_high(const char *s, size_t len)
{
    uint64_t w = 0;
    uint64_t all = 0;
    if (len < 8) {
        for (size_t i = 0; i < len; i++) {
            all |= (uint8_t)s[i];
        }
        return all & 0x80;
    }
    size_t i = 0;
    for (; i + 32 <= len; i += 32) {
        uint64_t four[4];
        memcpy(four, s + i, sizeof(four));
        all |= (four[0] | four[1]) | (four[2] | four[3]);
    }
    for (; i + 8 <= len; i += 8) {
        memcpy(&w, s + i, 8);
        all |= w;
    }
    memcpy(&w, s + len - 8, 8); /* overlaps */
    return (all | w) & HIGH_BITS;
}

/* Folds the character at p; writes 1 to 4 bytes to out, which never is longer than 3/2 of it. */
static size_t fold_one(const char *p, const char *end, char *out, size_t *ret_written)
{
    uint32_t c;
    size_t n = wedr_utf8_step(p, end, &c);
    if (c >= WEDR_UTF8_STRAY) {
        out[0] = *p;
        *ret_written = 1;
    } else {
        *ret_written = wedr_utf8_write(wedr_fold_char(c), out);
    }
    return n;
}

size_t wedr_fold_part(const char **s, const char *end, char *out, size_t cap)
{
    const char *p = *s;
    char *to = out;
    while (p < end && (size_t)(to - out) + 4 <= cap) {
        if ((uint8_t)*p < 0x80) {
            *to++ = (char)wedr_fold_char((uint8_t)*p++);
            continue;
        }
        size_t written;
        p += fold_one(p, end, to, &written);
        to += written;
    }
    *s = p;
    return (size_t)(to - out);
}

/* Eight bytes without a high one: A-Z become a-z. */
static uint64_t lower_eight(uint64_t w)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t from_a = w + ones * (0x80 - 'A');
    uint64_t behind_z = w + ones * (0x7F - 'Z');
    return w | ((from_a ^ behind_z) & ones * 0x80) >> 2;
}

/* Eight bytes; false when one is high. */
static inline bool fold_eight(const char *s, char *out)
{
    uint64_t w;
    memcpy(&w, s, 8);
    if (w & HIGH_BITS) {
        return false;
    }
    w = lower_eight(w);
    memcpy(out, &w, 8);
    return true;
}

/* Characters that begin in front of stop. */
static char *fold_until(const char **p, const char *stop, const char *end, char *to)
{
    while (*p < stop) {
        if ((uint8_t) * *p < 0x80) {
            *to++ = (char)wedr_fold_char((uint8_t) * (*p)++);
            continue;
        }
        size_t written;
        *p += fold_one(*p, end, to, &written);
        to += written;
    }
    return to;
}

/* Four to seven bytes as two halves that overlap; false when one is high. */
static inline bool fold_short(const char *s, size_t len, char *out)
{
    uint32_t half[2];
    uint64_t w;
    memcpy(&half[0], s, 4);
    memcpy(&half[1], s + len - 4, 4);
    memcpy(&w, half, 8);
    if (w & HIGH_BITS) {
        return false;
    }
    w = lower_eight(w);
    memcpy(half, &w, 8);
    memcpy(out, &half[0], 4);
    memcpy(out + len - 4, &half[1], 4);
    return true;
}

size_t wedr_fold(const char *s, size_t len, char *out)
{
    const char *p = s;
    const char *end = s + len;
    char *to = out;
    while (end - p >= 8) {
        if (fold_eight(p, to)) {
            p += 8;
            to += 8;
        } else {
            to = fold_until(&p, p + 8, end, to);
        }
    }
    size_t rest = (size_t)(end - p);
    if (rest > 0 && len >= 8 && fold_eight(end - 8, to + rest - 8)) {
        return (size_t)(to - out) + rest; /* the last eight overlap with those before */
    }
    if (len >= 4 && len < 8 && fold_short(s, len, out)) {
        return len;
    }
    return (size_t)(fold_until(&p, end, end, to) - out);
}

/* Gives a text byte by byte, folded unless cased. */
struct cursor {
    const char *p, *end;
    bool cased;
    uint8_t at, have;
    char bytes[4];
};

static struct cursor cursor_of(struct wedr_text t, bool cased)
{
    struct cursor c = {.p = t.p, .end = t.len ? t.p + t.len : t.p, .cased = cased};
    return c;
}

/* The next byte, -1 at the end. */
static int cursor_next(struct cursor *c)
{
    if (c->at < c->have) {
        return (uint8_t)c->bytes[c->at++];
    }
    if (c->p == c->end) {
        return -1;
    }
    if (c->cased) {
        return (uint8_t)*c->p++;
    }
    if ((uint8_t)*c->p < 0x80) {
        return (int)wedr_fold_char((uint8_t)*c->p++);
    }
    size_t written;
    c->p += fold_one(c->p, c->end, c->bytes, &written);
    c->have = (uint8_t)written;
    c->at = 1;
    return (uint8_t)c->bytes[0];
}

static size_t cursor_length(struct cursor c)
{
    size_t n = 0;
    while (cursor_next(&c) >= 0) {
        n++;
    }
    return n;
}

static inline uint8_t lower(uint8_t c)
{
    return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 32) : c;
}

/* Moves both behind what they have in common up to the first high byte. False when they differ. */
static bool skip_ascii(struct cursor *a, struct cursor *b)
{
    if (a->at < a->have || b->at < b->have) {
        return true;
    }
    while (a->end - a->p >= 8 && b->end - b->p >= 8) {
        uint64_t v;
        uint64_t w;
        memcpy(&v, a->p, sizeof(v));
        memcpy(&w, b->p, sizeof(w));
        if ((v | w) & HIGH_BITS) {
            break;
        }
        if (v != w && (a->cased || lower_eight(v) != lower_eight(w))) {
            return false;
        }
        a->p += 8;
        b->p += 8;
    }
    for (; a->p < a->end && b->p < b->end; a->p++, b->p++) {
        uint8_t x = (uint8_t)*a->p;
        uint8_t y = (uint8_t)*b->p;
        if ((x | y) & 0x80) {
            break;
        }
        if (x != y && (a->cased || lower(x) != lower(y))) {
            return false;
        }
    }
    return true;
}

/* True when want is a prefix of value (both as cursors); *ret_rest: value has more. */
static bool cursor_starts(struct cursor value, struct cursor want, bool *ret_rest)
{
    if (!skip_ascii(&value, &want)) {
        return false;
    }
    for (;;) {
        int w = cursor_next(&want);
        if (w < 0) {
            *ret_rest = cursor_next(&value) >= 0;
            return true;
        }
        if (cursor_next(&value) != w) {
            return false;
        }
    }
}

bool wedr_text_equal(struct wedr_text value, struct wedr_text want, bool cased)
{
    bool rest;
    return cursor_starts(cursor_of(value, cased), cursor_of(want, cased), &rest) && !rest;
}

bool wedr_text_starts(struct wedr_text value, struct wedr_text want, bool cased)
{
    bool rest;
    return cursor_starts(cursor_of(value, cased), cursor_of(want, cased), &rest);
}

bool wedr_text_ends(struct wedr_text value, struct wedr_text want, bool cased)
{
    bool rest;
    struct cursor v = cursor_of(value, cased);
    struct cursor w = cursor_of(want, cased);
    size_t have = cursor_length(v);
    size_t need = cursor_length(w);
    if (need > have) {
        return false;
    }
    for (size_t skip = have - need; skip > 0; skip--) {
        (void)cursor_next(&v);
    }
    return cursor_starts(v, w, &rest);
}

/* Rolling hash, so that two long texts do not cost their product. */
#define ROLL_PRIME UINT64_C(2147483647)
#define ROLL_BASE UINT64_C(911382323)

bool wedr_text_contains(struct wedr_text value, struct wedr_text want, bool cased)
{
    struct cursor w = cursor_of(want, cased);
    struct cursor head = cursor_of(value, cased);
    struct cursor tail = head;
    uint64_t target = 0;
    uint64_t hash = 0;
    uint64_t top = 1; /* BASE to the power of the length */
    for (int b; (b = cursor_next(&w)) >= 0;) {
        int v = cursor_next(&head);
        if (v < 0) {
            return false;
        }
        target = (target * ROLL_BASE + (uint64_t)b) % ROLL_PRIME;
        hash = (hash * ROLL_BASE + (uint64_t)v) % ROLL_PRIME;
        top = top * ROLL_BASE % ROLL_PRIME;
    }
    for (;;) {
        bool rest;
        if (hash == target && cursor_starts(tail, cursor_of(want, cased), &rest)) {
            return true;
        }
        int in = cursor_next(&head);
        if (in < 0) {
            return false;
        }
        uint64_t out = (uint64_t)cursor_next(&tail) * top % ROLL_PRIME;
        hash = (hash * ROLL_BASE + (uint64_t)in + ROLL_PRIME - out) % ROLL_PRIME;
    }
}

static inline uint32_t step_folded(const char **p, const char *end, bool cased)
{
    uint32_t c = (uint8_t) * *p;
    if (c < 0x80) {
        ++*p;
        return !cased && c - 'A' < 26 ? c + 32 : c;
    }
    *p += wedr_utf8_step(*p, end, &c);
    return cased || c >= WEDR_UTF8_STRAY ? c : wedr_fold_char(c);
}

bool wedr_text_wildcard(struct wedr_text value, struct wedr_text pattern, bool cased)
{
    const char *v = value.p;
    const char *v_end = value.len ? v + value.len : v;
    const char *p = pattern.p;
    const char *p_end = pattern.len ? p + pattern.len : p;
    const char *star = NULL; /* behind the last star, and where in the value it was tried last */
    const char *star_v = NULL;
    for (;;) {
        if (p < p_end && *p == '*') {
            star = ++p;
            star_v = v;
            continue;
        }
        if (v == v_end) {
            return p == p_end;
        }
        const char *next = v;
        uint32_t c = step_folded(&next, v_end, cased);
        bool same = false;
        if (p < p_end) {
            bool any = *p == '?';
            if (*p == '\\' && p + 1 < p_end) {
                p++;
            }
            const char *after = p;
            same = step_folded(&after, p_end, cased) == c || any;
            p = after;
        }
        if (same) {
            v = next;
        } else if (star) {
            v = star_v;
            (void)step_folded(&v, v_end, cased);
            star_v = v;
            p = star;
        } else {
            return false;
        }
    }
}
