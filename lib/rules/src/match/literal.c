/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/literal.c */
#include "match/literal.h"
#include <string.h>

#define NEEDED_MIN 2u

/* Runs of literal bytes; the longest one stays. */
struct runs {
    char now[WEDR_NEEDED_MAX], best[WEDR_NEEDED_MAX];
    size_t now_len, best_len;
};

static void run_end(struct runs *r)
{
    if (r->now_len > r->best_len) {
        memcpy(r->best, r->now, r->now_len);
        r->best_len = r->now_len;
    }
    r->now_len = 0;
}

static void run_add(struct runs *r, char c)
{
    if (r->now_len == WEDR_NEEDED_MAX) {
        run_end(r);
    }
    r->now[r->now_len++] = c;
}

/* The character before turned out to be optional. */
static void run_drop(struct runs *r)
{
    r->now_len -= r->now_len > 0;
    run_end(r);
}

/* A cut inside a character would make another text of it. */
static size_t finish(struct runs *r, char *out)
{
    run_end(r);
    size_t first = 0;
    while (first < r->best_len && ((uint8_t)r->best[first] & 0xC0) == 0x80) {
        first++;
    }
    size_t end = r->best_len;
    while (end > first && (uint8_t)r->best[end - 1] >= 0x80 && r->best_len == WEDR_NEEDED_MAX) {
        end--;
    }
    return end - first < NEEDED_MIN ? 0 : wedr_fold(r->best + first, end - first, out);
}

size_t wedr_needed_wildcard(struct wedr_text pattern, char *out)
{
    struct runs r = {.now_len = 0};
    for (uint32_t i = 0; i < pattern.len; i++) {
        char c = pattern.p[i];
        if (c == '*' || c == '?') {
            run_end(&r);
            continue;
        }
        if (c == '\\' && i + 1 < pattern.len) {
            c = pattern.p[++i];
        }
        run_add(&r, c);
    }
    return finish(&r, out);
}

struct scan {
    const char *p, *end;
};

/* s->p is behind the [ of a class; moves behind its ]. */
static bool skip_class(struct scan *s)
{
    if (s->p < s->end && *s->p == '^') {
        s->p++;
    }
    if (s->p < s->end && *s->p == ']') {
        s->p++;
    }
    while (s->p < s->end && *s->p != ']') {
        if (*s->p == '\\') {
            s->p++;
        } else if (*s->p == '[' && s->end - s->p > 1 && strchr(":.=", s->p[1])) {
            return false; /* a POSIX class: rare, and its end is another one */
        }
        s->p++;
    }
    return s->p++ < s->end;
}

/* s->p is behind the ( of a group; moves behind its ). Groups that change options or branch are not
 * understood. */
static bool skip_group(struct scan *s)
{
    unsigned depth = 1;
    if (s->p < s->end && *s->p == '*') {
        return false;
    }
    if (s->end - s->p > 1 && s->p[0] == '?' && !strchr(":=!<>", s->p[1])) {
        return s->p[1] == 'i' && s->end - s->p > 2 && s->p[2] == ')' ? (s->p += 3, true) : false;
    }
    while (s->p < s->end && depth > 0) {
        char c = *s->p++;
        if (c == '\\') {
            if (s->p < s->end && *s->p == 'Q') {
                return false;
            }
            s->p += s->p < s->end;
        } else if (c == '[') {
            if (!skip_class(s)) {
                return false;
            }
        } else if (c == '(') {
            if (s->p < s->end && *s->p == '?' && s->end - s->p > 1 && !strchr(":=!<>", s->p[1])) {
                return false;
            }
            depth++;
        } else if (c == ')') {
            depth--;
        }
    }
    return depth == 0;
}

/* A { that begins a quantifier moves s->p behind it. */
static bool skip_braces(struct scan *s)
{
    const char *p = s->p;
    while (p < s->end && ((*p >= '0' && *p <= '9') || *p == ',')) {
        p++;
    }
    if (p == s->p || p == s->end || *p != '}') {
        return false;
    }
    s->p = p + 1;
    return true;
}

/* Behind a backslash: a literal character, a class or assertion that ends the run, or something not
 * understood. */
static bool take_escape(struct scan *s, struct runs *r)
{
    if (s->p == s->end) {
        return false;
    }
    char c = *s->p++;
    bool letter = ((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9');
    if (!letter) {
        if ((uint8_t)c >= 0x80) {
            return false;
        }
        run_add(r, c);
        return true;
    }
    run_end(r);
    return strchr("dDwWsSbBAzZtnrfhHvV", c) != NULL;
}

/* One construct; false when it is not understood. */
static bool take(struct scan *s, struct runs *r)
{
    char c = *s->p++;
    switch (c) {
    case '\\':
        return take_escape(s, r);
    case '[':
        run_end(r);
        return skip_class(s);
    case '(':
        run_end(r);
        return skip_group(s);
    case '*':
    case '?':
        run_drop(r);
        return true;
    case '{':
        if (skip_braces(s)) {
            run_drop(r);
            return true;
        }
        return false;
    case '+':
    case '.':
    case '^':
    case '$':
        run_end(r);
        return true;
    case '|':
    case ')':
        return false;
    default:
        if ((uint8_t)c >= 0x80) { /* folding of the expression engine may know more pairs */
            run_end(r);
        } else {
            run_add(r, c);
        }
        return true;
    }
}

size_t wedr_needed_regex(struct wedr_text pattern, char *out)
{
    struct runs r = {.now_len = 0};
    struct scan s = {pattern.p, pattern.p + pattern.len};
    while (s.p < s.end) {
        if (!take(&s, &r)) {
            return 0;
        }
    }
    return finish(&r, out);
}
