/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/need.c — reads a pattern from left to right as sets of bytes that follow each
 * other. What may be absent, is of unknown width or is not ASCII ends a run; of a pattern with
 * anything in it that is not understood nothing is known. */
#include "match/need.h"
#include <string.h>

#define COPIES_MAX 64u /* of a quantified set that are looked at */

struct run {
    struct wedr_byte_set sets[WEDR_NEED_RUN];
    uint32_t count;
};

struct needs {
    const char *p, *end;
    bool caseless;
    struct run now;
    struct wedr_need best;
    double rarity; /* of best: how many of its texts a run of random bytes would be */
};

/* What one element of a pattern is. */
enum element { ELEMENT_SET, ELEMENT_OTHER, ELEMENT_FAIL };

static void set_add(struct wedr_byte_set *s, uint8_t c)
{
    s->bits[c / 64] |= UINT64_C(1) << (c % 64);
}

static bool set_has(const struct wedr_byte_set *s, uint8_t c)
{
    return s->bits[c / 64] >> (c % 64) & 1;
}

static void set_range(struct wedr_byte_set *s, uint8_t from, uint8_t to)
{
    for (unsigned c = from; c <= to; c++) {
        set_add(s, (uint8_t)c);
    }
}

static uint32_t set_count(const struct wedr_byte_set *s, char *ret_one)
{
    uint32_t n = 0;
    for (unsigned c = 0; c < 128; c++) {
        if (set_has(s, (uint8_t)c)) {
            *ret_one = (char)c;
            n++;
        }
    }
    return n;
}

/* Adds both cases. False when there are others beyond ASCII: U+017F is an s, U+212A a k. */
static bool set_fold(struct wedr_byte_set *s)
{
    for (unsigned c = 'a'; c <= 'z'; c++) {
        if (set_has(s, (uint8_t)c) || set_has(s, (uint8_t)(c - 32))) {
            if (c == 's' || c == 'k') {
                return false;
            }
            set_add(s, (uint8_t)c);
            set_add(s, (uint8_t)(c - 32));
        }
    }
    return true;
}

/* The run is compared with the best one so far. */
static void judge(struct needs *n)
{
    struct wedr_need need = {.count = (uint8_t)n->now.count, .anchor = UINT8_MAX};
    double rarity = 1;
    for (uint32_t i = 0; i < n->now.count; i++) {
        char one = 0;
        uint32_t members = set_count(&n->now.sets[i], &one);
        rarity *= (double)members / 128;
        if (members == 1 && need.anchor == UINT8_MAX) {
            need.anchor = (uint8_t)i;
            need.byte = one;
        }
        need.run[i] = n->now.sets[i];
    }
    if (need.anchor != UINT8_MAX && rarity < n->rarity) {
        n->best = need;
        n->rarity = rarity;
    }
}

static void run_end(struct needs *n)
{
    judge(n);
    n->now.count = 0;
}

static void run_add(struct needs *n, const struct wedr_byte_set *s)
{
    if (n->now.count == WEDR_NEED_RUN) {
        judge(n);
        n->now.count--;
        memmove(n->now.sets, n->now.sets + 1, sizeof(n->now.sets) - sizeof(n->now.sets[0]));
    }
    n->now.sets[n->now.count++] = *s;
}

/* \d and its like, and escaped punctuation; p is behind the backslash. */
static enum element take_escape(struct needs *n, struct wedr_byte_set *s)
{
    static const char blanks[] = " \t\n\v\f\r";
    if (n->p == n->end) {
        return ELEMENT_FAIL;
    }
    uint8_t c = (uint8_t)*n->p++;
    bool letter = (uint8_t)((c | 32) - 'a') < 26 || (uint8_t)(c - '0') < 10;
    if (!letter) {
        set_add(s, c);
        return c < 0x80 ? ELEMENT_SET : ELEMENT_FAIL;
    }
    switch (c) {
    case 'w':
        set_range(s, 'a', 'z');
        set_range(s, 'A', 'Z');
        set_add(s, '_');
        set_range(s, '0', '9');
        return ELEMENT_SET;
    case 'd':
        set_range(s, '0', '9');
        return ELEMENT_SET;
    case 's':
        for (size_t i = 0; i < sizeof(blanks) - 1; i++) {
            set_add(s, (uint8_t)blanks[i]);
        }
        return ELEMENT_SET;
    case 't':
        set_add(s, '\t');
        return ELEMENT_SET;
    default:
        return strchr("DWSbBAzZnrfhHvV", c) ? ELEMENT_OTHER : ELEMENT_FAIL;
    }
}

/* One member of a class or the first end of a range. */
static enum element class_member(struct needs *n, struct wedr_byte_set *s)
{
    uint8_t c = (uint8_t)*n->p++;
    if (c == '\\') {
        enum element e = take_escape(n, s);
        bool assertion = e == ELEMENT_OTHER && strchr("bBAzZ", n->p[-1]);
        bool range = n->end - n->p > 1 && n->p[0] == '-' && n->p[1] != ']';
        return assertion || range ? ELEMENT_FAIL : e;
    }
    if (c == '[' && n->p < n->end && strchr(":.=", *n->p)) {
        return ELEMENT_FAIL; /* a POSIX class: rare, and its end is another one */
    }
    if (n->end - n->p > 1 && n->p[0] == '-' && n->p[1] != ']') {
        uint8_t to = (uint8_t)n->p[1];
        if (to == '\\' || to == '[' || to < c) {
            return ELEMENT_FAIL;
        }
        n->p += 2;
        set_range(s, c, to);
        return to < 0x80 ? ELEMENT_SET : ELEMENT_OTHER;
    }
    set_add(s, c);
    return c < 0x80 ? ELEMENT_SET : ELEMENT_OTHER;
}

/* p is behind the [. */
static enum element take_class(struct needs *n, struct wedr_byte_set *s)
{
    enum element all = ELEMENT_SET;
    if (n->p < n->end && *n->p == '^') {
        n->p++;
        all = ELEMENT_OTHER;
    }
    for (bool first = true; n->p < n->end && (first || *n->p != ']'); first = false) {
        enum element e = class_member(n, s);
        all = e > all ? e : all;
        if (all == ELEMENT_FAIL) {
            return ELEMENT_FAIL;
        }
    }
    return n->p++ < n->end ? all : ELEMENT_FAIL;
}

static enum element take_one(struct needs *n, struct wedr_byte_set *s);

/* p is behind the ( of (a|[bc]|\d): alternatives of one element each are one set. Leaves p where it
 * was when it is another group. */
static bool take_choice(struct needs *n, struct wedr_byte_set *s)
{
    const char *from = n->p;
    if (n->end - n->p > 2 && n->p[0] == '?' && n->p[1] == ':') {
        n->p += 2;
    }
    while (n->p < n->end && !strchr("(*+?|{)^$.", *n->p) && take_one(n, s) == ELEMENT_SET &&
           n->p < n->end) {
        char c = *n->p++;
        if (c == ')') {
            return true;
        }
        if (c != '|') {
            break;
        }
    }
    n->p = from;
    return false;
}

/* p is behind the ( of a group; moves behind its ). Only groups that change nothing outside are
 * understood. */
static enum element skip_group(struct needs *n)
{
    struct wedr_byte_set ignored = {{0}};
    unsigned depth = 1;
    for (bool opened = true; n->p < n->end && depth > 0;) {
        if (opened && *n->p == '*') {
            return ELEMENT_FAIL;
        }
        if (opened && *n->p == '?' && (n->end - n->p < 2 || !strchr(":=!<>", n->p[1]))) {
            return ELEMENT_FAIL;
        }
        char c = *n->p++;
        opened = c == '(';
        if ((c == '\\' && take_escape(n, &ignored) == ELEMENT_FAIL) ||
            (c == '[' && take_class(n, &ignored) == ELEMENT_FAIL)) {
            return ELEMENT_FAIL;
        }
        depth += c == '(' ? 1 : 0;
        depth -= c == ')' ? 1 : 0;
    }
    return depth == 0 ? ELEMENT_OTHER : ELEMENT_FAIL;
}

static enum element take_group(struct needs *n, struct wedr_byte_set *s)
{
    if (n->end - n->p > 2 && memcmp(n->p, "?i)", 3) == 0) {
        n->p += 3;
        n->caseless = true;
        return ELEMENT_OTHER;
    }
    if (take_choice(n, s)) {
        return ELEMENT_SET;
    }
    return skip_group(n);
}

/* One element without its quantifier. */
static enum element take_one(struct needs *n, struct wedr_byte_set *s)
{
    uint8_t c = (uint8_t)*n->p++;
    switch (c) {
    case '\\':
        return take_escape(n, s);
    case '[':
        return take_class(n, s);
    case '(':
        return take_group(n, s);
    case '.':
    case '^':
    case '$':
        return ELEMENT_OTHER;
    case '|': /* every run before and behind it is one of an alternative */
    case ')':
    case '*':
    case '+':
    case '?':
    case '{':
        return ELEMENT_FAIL;
    default:
        set_add(s, c);
        return c < 0x80 ? ELEMENT_SET : ELEMENT_OTHER;
    }
}

/* How often at least, and whether no more than that; false when a { is not understood. */
static bool take_quantifier(struct needs *n, uint32_t *ret_least, bool *ret_exact)
{
    char c = '\0';
    if (n->p < n->end) {
        c = *n->p;
    }
    *ret_least = c == '*' || c == '?' ? 0 : 1;
    *ret_exact = c != '*' && c != '?' && c != '+';
    if (c == '{') {
        uint32_t least = 0;
        const char *p = n->p + 1;
        const char *digits = p;
        for (; p < n->end && (uint8_t)(*p - '0') < 10; p++) {
            least = least * 10 + (uint32_t)(*p - '0');
            least = least < COPIES_MAX ? least : COPIES_MAX;
        }
        bool more = p < n->end && *p == ',';
        for (p += more; more && p < n->end && (uint8_t)(*p - '0') < 10;) {
            p++;
        }
        if (p == digits || p == n->end || *p != '}' || *digits == ',') {
            return false;
        }
        *ret_least = least;
        *ret_exact = !more;
        n->p = p;
    }
    if (c == '{' || !*ret_exact) { /* lazy and possessive ones match the same bytes or less */
        n->p++;
        n->p += n->p < n->end && (*n->p == '?' || *n->p == '+') ? 1 : 0;
    }
    return true;
}

/* One element with its quantifier; false when it is not understood. */
static bool take(struct needs *n)
{
    struct wedr_byte_set s = {{0}};
    uint32_t least;
    bool exact;
    enum element e = take_one(n, &s);
    if (e == ELEMENT_FAIL || !take_quantifier(n, &least, &exact)) {
        return false;
    }
    if (e == ELEMENT_SET && n->caseless && !set_fold(&s)) {
        e = ELEMENT_OTHER;
    }
    if (e == ELEMENT_OTHER || least == 0) {
        run_end(n);
        return true;
    }
    for (uint32_t i = 0; i < least; i++) {
        run_add(n, &s);
    }
    if (!exact) { /* the last ones stand beside what follows too */
        run_end(n);
        for (uint32_t i = 0; i < least; i++) {
            run_add(n, &s);
        }
    }
    return true;
}

void wedr_need_regex(struct wedr_text pattern,
                     uint8_t flags,
                     uint32_t least,
                     struct wedr_need *ret_need)
{
    struct needs n = {.p = pattern.p,
                      .end = pattern.p + pattern.len,
                      .caseless = flags & WEDR_PRED_RE_I,
                      .rarity = 1};
    bool known = true;
    while (known && n.p < n.end) {
        known = take(&n);
    }
    run_end(&n);
    if (!known) {
        memset(&n.best, 0, sizeof(n.best));
    }
    n.best.least = least > n.best.count ? least : n.best.count;
    *ret_need = n.best;
}

static bool run_at(const struct wedr_need *n, const char *s)
{
    for (uint32_t i = 0; i < n->count; i++) {
        if (!set_has(&n->run[i], (uint8_t)s[i])) {
            return false;
        }
    }
    return true;
}

bool wedr_need_met(const struct wedr_need *n, struct wedr_text t)
{
    if (t.len < n->least || n->count == 0) {
        return t.len >= n->least;
    }
    const char *p = t.p + n->anchor;
    const char *end = t.p + t.len - (n->count - 1 - n->anchor);
    while (p < end && (p = memchr(p, n->byte, (size_t)(end - p))) != NULL) {
        if (run_at(n, p - n->anchor)) {
            return true;
        }
        p++;
    }
    return false;
}
