/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/word.c — tokens that are longer than a sign: texts, regexes, numbers, paths. */
#include "core/base/err.h"
#include "ir/utf8.h"
#include "waza/syntax.h"
#include <string.h>

bool wedr_waza_is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           ((uint8_t)c & 0x80) != 0;
}

static void bad(struct wedr_waza_lexer *l, struct wedr_waza_token *t, const char *what)
{
    struct wedr_waza_span at = {t->span.at, l->at - t->span.at};
    t->kind = WAZA_BAD;
    if (!l->quiet) {
        (void)wedr_waza_fail(l->source, at, WEDR_E_FORMAT, "%s", what);
    }
}

/* Room for a decoded token of at most len bytes; NULL: the token is bad. */
static char *room(struct wedr_waza_lexer *l, struct wedr_waza_token *t, uint32_t len)
{
    char *p = wedr_waza_alloc(l->source, (size_t)len + 1);
    if (!p) {
        t->kind = WAZA_BAD;
    }
    return p;
}

/* Behind the closing `mark`, which a backslash (when it counts) hides; 0 when the line ends first.
 */
static uint32_t closing(const struct wedr_waza_lexer *l, uint32_t at, char mark, bool backslash)
{
    uint32_t end = wedr_waza_line_end(l->source, at);
    for (; at < end; at++) {
        char c = l->source->text[at];
        if (c == mark) {
            return at + 1;
        }
        if (c == '\\' && backslash) {
            at++;
        }
    }
    return 0;
}

static void unterminated(struct wedr_waza_lexer *l, struct wedr_waza_token *t, const char *what)
{
    l->at = wedr_waza_line_end(l->source, l->at);
    bad(l, t, what);
}

void wedr_waza_lex_string(struct wedr_waza_lexer *l, struct wedr_waza_token *t)
{
    uint32_t at = l->at + 1;
    uint32_t end = closing(l, at, '"', true);
    if (!end) {
        unterminated(l, t, "the text has no closing \"");
        return;
    }
    char *p = room(l, t, end - at);
    uint32_t n = 0;
    for (; p && at < end - 1; at++) {
        char c = l->source->text[at];
        if (c == '\\') {
            c = l->source->text[++at];
            if (c == 'n' || c == 't') {
                c = c == 'n' ? '\n' : '\t';
            }
        }
        p[n++] = c;
    }
    l->at = end;
    if (!p) {
        return;
    }
    t->kind = WAZA_STRING;
    t->text = wedr_text(p, n);
    if (l->at < l->source->len && l->source->text[l->at] == '.') { /* "a b".c is a path */
        l->at = t->span.at;
        wedr_waza_lex_word(l, t);
    }
}

/* '...': nothing is special but '' */
void wedr_waza_lex_raw(struct wedr_waza_lexer *l, struct wedr_waza_token *t)
{
    const char *text = l->source->text;
    uint32_t end = wedr_waza_line_end(l->source, l->at);
    char *p = room(l, t, end - l->at);
    uint32_t n = 0;
    for (uint32_t at = l->at + 1; p && at < end; at++) {
        if (text[at] == '\'' && (at + 1 == end || text[at + 1] != '\'')) {
            l->at = at + 1;
            t->kind = WAZA_STRING;
            t->text = wedr_text(p, n);
            return;
        }
        at += text[at] == '\'';
        p[n++] = text[at];
    }
    unterminated(l, t, "the text has no closing '");
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Behind e"...\ : one escape. False when it is none. */
static bool escape(const char **at, const char *end, char *out, uint32_t *n)
{
    static const char names[] = "nrt0\\\"";
    static const char values[] = "\n\r\t\0\\\"";
    const char *name = **at ? strchr(names, **at) : NULL;
    if (name) {
        out[(*n)++] = values[name - names];
        (*at)++;
        return true;
    }
    if (**at == 'x' && end - *at > 2 && hex_of((*at)[1]) >= 0 && hex_of((*at)[2]) >= 0) {
        out[(*n)++] = (char)(hex_of((*at)[1]) * 16 + hex_of((*at)[2]));
        *at += 3;
        return true;
    }
    uint32_t code = 0;
    const char *p = *at + 2;
    if (**at != 'u' || end - *at < 4 || (*at)[1] != '{') {
        return false;
    }
    for (; p < end && hex_of(*p) >= 0 && code <= 0x10FFFF; p++) {
        code = code * 16 + (uint32_t)hex_of(*p);
    }
    if (p == *at + 2 || p >= end || *p != '}' || code > 0x10FFFF ||
        (code >= 0xD800 && code <= 0xDFFF)) {
        return false;
    }
    *n += (uint32_t)wedr_utf8_write(code, out + *n);
    *at = p + 1;
    return true;
}

void wedr_waza_lex_escaped(struct wedr_waza_lexer *l, struct wedr_waza_token *t)
{
    uint32_t from = l->at + 2;
    uint32_t end = closing(l, from, '"', true);
    if (!end) {
        unterminated(l, t, "the text has no closing \"");
        return;
    }
    char *p = room(l, t, end - from);
    const char *at = l->source->text + from;
    const char *stop = l->source->text + end - 1;
    uint32_t n = 0;
    l->at = end;
    while (p && at < stop) {
        if (*at != '\\') {
            p[n++] = *at++;
            continue;
        }
        at++;
        if (!escape(&at, stop, p, &n)) {
            bad(l, t, "e\"...\" knows \\n \\r \\t \\0 \\\\ \\\" \\xHH and \\u{H}");
            return;
        }
    }
    if (p) {
        t->kind = WAZA_STRING;
        t->text = wedr_text(p, n);
    }
}

void wedr_waza_lex_regex(struct wedr_waza_lexer *l, struct wedr_waza_token *t)
{
    uint32_t at = l->at + 1;
    uint32_t end = closing(l, at, '/', true);
    if (!end) {
        unterminated(l, t, "the regular expression has no closing /");
        return;
    }
    char *p = room(l, t, end - at);
    uint32_t n = 0;
    for (; p && at < end - 1; at++) {
        if (l->source->text[at] == '\\') {
            if (l->source->text[at + 1] != '/') {
                p[n++] = '\\';
            }
            at++;
        }
        p[n++] = l->source->text[at];
    }
    l->at = end;
    if (!p) {
        return;
    }
    t->kind = WAZA_REGEX;
    t->text = wedr_text(p, n);
    for (; l->at < l->source->len && wedr_waza_is_word(l->source->text[l->at]); l->at++) {
        char c = l->source->text[l->at];
        uint8_t flag = c == 'i'   ? WEDR_PRED_RE_I
                       : c == 'm' ? WEDR_PRED_RE_M
                       : c == 's' ? WEDR_PRED_RE_S
                                  : 0;
        if (!flag) {
            l->at++;
            bad(l, t, "a regular expression has the flags i, m and s");
            return;
        }
        t->flags |= flag;
    }
}

void wedr_waza_lex_number(struct wedr_waza_lexer *l, struct wedr_waza_token *t)
{
    const struct wedr_waza_source *s = l->source;
    uint32_t at = l->at + (s->text[l->at] == '-');
    bool hex = at + 1 < s->len && s->text[at] == '0' && (s->text[at + 1] | 0x20) == 'x';
    bool point = false;
    while (at < s->len && (wedr_waza_is_word(s->text[at]) || s->text[at] == '.')) {
        point = point || s->text[at] == '.';
        at++;
    }
    struct wedr_text raw = wedr_text(s->text + l->at, at - l->at);
    struct wedr_text digits = raw;
    l->at = at;
    if (point && digits.p[digits.len - 1] == '.') { /* 1. is 1.0 */
        digits.len--;
    }
    bool exponent = !hex && (memchr(raw.p, 'e', raw.len) || memchr(raw.p, 'E', raw.len));
    int e = exponent ? WEDR_E_FORMAT
            : hex    ? wedr_number_parse_hex(digits.p, digits.len, &t->number)
                     : wedr_number_parse(digits.p, digits.len, &t->number);
    if (e < 0) {
        bad(l, t, "that is no number");
        return;
    }
    if (!point && t->number.kind == WEDR_NUMBER_F64) {
        bad(l, t, "the number does not fit 64 bits");
        return;
    }
    if (point && t->number.kind == WEDR_NUMBER_I64) {
        t->number = wedr_number_f64((double)t->number.v.i);
    }
    t->kind = WAZA_NUMBER;
    t->text = raw;
}

/* One part of a path at l->at: bare, quoted or *. False: there is none. */
static bool lex_part(struct wedr_waza_lexer *l, struct wedr_waza_path *path, struct wedr_text *part)
{
    const struct wedr_waza_source *s = l->source;
    char c = '\0';
    if (l->at < s->len) {
        c = s->text[l->at];
    }
    uint32_t from = l->at;
    if (c == '*') {
        path->any = true;
        l->at++;
        *part = wedr_text(s->text + from, 1);
        return true;
    }
    if (c == '"') {
        uint32_t end = closing(l, from + 1, '"', true);
        char *p = end ? wedr_waza_alloc(l->source, (size_t)(end - from)) : NULL;
        uint32_t n = 0;
        for (uint32_t at = from + 1; p && at < end - 1; at++) {
            at += s->text[at] == '\\';
            p[n++] = s->text[at];
        }
        path->quoted = true;
        l->at = end ? end : wedr_waza_line_end(s, from);
        *part = wedr_text(p, n);
        return p && n > 0;
    }
    while (l->at < s->len && (wedr_waza_is_word(s->text[l->at]) ||
                              (s->text[l->at] == '-' && l->at > from && l->at + 1 < s->len &&
                               wedr_waza_is_word(s->text[l->at + 1])))) {
        l->at++;
    }
    *part = wedr_text(s->text + from, l->at - from);
    return l->at > from;
}

static void invalid(struct wedr_waza_lexer *l, struct wedr_waza_token *t)
{
    while (l->at < l->source->len &&
           (wedr_waza_is_word(l->source->text[l->at]) || l->source->text[l->at] == '.')) {
        l->at++;
    }
    struct wedr_waza_span at = {t->span.at, l->at - t->span.at};
    t->kind = WAZA_BAD;
    if (!l->quiet) {
        (void)wedr_waza_fail(l->source, at, WEDR_E_FORMAT, "invalid field path '%.*s'",
                             WEDR_WAZA_SHOWN(wedr_waza_slice(l->source, at)));
    }
}

void wedr_waza_lex_word(struct wedr_waza_lexer *l, struct wedr_waza_token *t)
{
    const struct wedr_waza_source *s = l->source;
    struct wedr_text parts[WEDR_WAZA_PARTS_MAX];
    struct wedr_waza_path path = {.key = UINT32_MAX};
    bool more = true;
    if (s->text[l->at] == '$') {
        uint32_t from = ++l->at;
        while (l->at < s->len && wedr_waza_is_word(s->text[l->at])) {
            l->at++;
        }
        path.label = wedr_text(s->text + from, l->at - from);
        more = l->at < s->len && s->text[l->at] == '.';
        l->at += more;
        if (path.label.len == 0) {
            invalid(l, t);
            return;
        }
    }
    while (more) {
        if (l->at < s->len && s->text[l->at] == '@' && path.key == UINT32_MAX) {
            path.key = path.count;
            l->at++;
        }
        if (path.count == WEDR_WAZA_PARTS_MAX || path.any ||
            !lex_part(l, &path, &parts[path.count])) {
            invalid(l, t);
            return;
        }
        path.count++;
        more = l->at < s->len && s->text[l->at] == '.';
        l->at += more;
    }
    path.span.at = t->span.at;
    path.span.len = l->at - t->span.at;
    path.key = path.key < path.count ? path.key : path.count;
    struct wedr_waza_path *copy = wedr_waza_alloc(l->source, sizeof(*copy));
    struct wedr_text *v = wedr_waza_alloc(l->source, (path.count + 1) * sizeof(*v));
    if (!copy || !v) {
        t->kind = WAZA_BAD;
        return;
    }
    memcpy(v, parts, path.count * sizeof(*v));
    path.parts = v;
    *copy = path;
    t->kind = WAZA_WORD;
    t->path = copy;
}
