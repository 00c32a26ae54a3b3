/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/lex.c — tokens of one logical line. */
#include "core/base/err.h"
#include "waza/syntax.h"
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

uint32_t wedr_waza_line_end(const struct wedr_waza_source *s, uint32_t at)
{
    const char *lf = at < s->len ? memchr(s->text + at, '\n', s->len - at) : NULL;
    return lf ? (uint32_t)(lf - s->text) : s->len;
}

/* The first # outside of "...", or the end of the line. */
static uint32_t comment(const struct wedr_waza_source *s, uint32_t at)
{
    bool quoted = false;
    uint32_t end = wedr_waza_line_end(s, at);
    for (; at < end; at++) {
        char c = s->text[at];
        if (quoted && c == '\\') {
            at++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (c == '#' && !quoted) {
            return at;
        }
    }
    return end;
}

struct wedr_waza_span wedr_waza_content(const struct wedr_waza_source *s, uint32_t at)
{
    uint32_t end = comment(s, at);
    while (at < end && is_blank(s->text[at])) {
        at++;
    }
    if (at < end && s->text[at] == '-') {
        at++;
        while (at < end && is_blank(s->text[at])) {
            at++;
        }
    }
    while (end > at && is_blank(s->text[end - 1])) {
        end--;
    }
    struct wedr_waza_span span = {at, end - at};
    return span;
}

static bool is_name(struct wedr_text t)
{
    for (uint32_t i = 0; i < t.len; i++) {
        if (!wedr_waza_is_word(t.p[i]) || ((uint8_t)t.p[i] & 0x80) != 0) {
            return false;
        }
    }
    return t.len > 0;
}

static bool is_section(struct wedr_text t)
{
    return wedr_text_equal(t, wedr_text("detection:", 10), false) ||
           wedr_text_equal(t, wedr_text("action:", 7), false);
}

/* "name": in front of the colon, or a bare word. */
bool wedr_waza_header(struct wedr_waza_source *s,
                      struct wedr_waza_span c,
                      struct wedr_text *ret_name)
{
    struct wedr_text t = wedr_waza_slice(s, c);
    if (t.len < 2 || t.p[t.len - 1] != ':') {
        return false;
    }
    t.len--;
    while (is_blank(t.p[t.len - 1])) {
        t.len--;
    }
    if (is_name(t)) {
        *ret_name = t;
        return true;
    }
    if (t.len < 3 || t.p[0] != '"') {
        return false;
    }
    struct wedr_waza_lexer l = {.source = s, .at = c.at, .quiet = true};
    struct wedr_waza_token token;
    wedr_waza_next(&l, &token);
    *ret_name = token.text;
    return token.kind == WAZA_STRING && token.text.len > 0 && l.at == c.at + t.len;
}

bool wedr_waza_begins(struct wedr_waza_source *s, uint32_t at)
{
    struct wedr_waza_span c = wedr_waza_content(s, at);
    uint32_t dash = at;
    while (dash < s->len && is_blank(s->text[dash])) {
        dash++;
    }
    if (dash + 1 < s->len && s->text[dash] == '-' && (is_blank(s->text[dash + 1]))) {
        return true;
    }
    struct wedr_text name;
    return is_section(wedr_waza_slice(s, c)) || wedr_waza_header(s, c, &name) ||
           wedr_waza_is_setting(s, c);
}

/* At a line feed: moves to the next line when the logical line goes on there. */
static bool go_on(struct wedr_waza_lexer *l)
{
    struct wedr_waza_source *s = l->source;
    uint32_t next = l->at + 1;
    if ((l->depth == 0 && !l->open) || next >= s->len || wedr_waza_begins(s, next)) {
        return false;
    }
    l->at = next;
    return true;
}

/* Blanks and comments; false at the end of the logical line. */
static bool skip_blanks(struct wedr_waza_lexer *l)
{
    const struct wedr_waza_source *s = l->source;
    while (l->at < s->len) {
        char c = s->text[l->at];
        if (c == '#') {
            l->at = wedr_waza_line_end(s, l->at);
        } else if (c == '\n') {
            if (!go_on(l)) {
                return false;
            }
        } else if (is_blank(c)) {
            l->at++;
        } else {
            return true;
        }
    }
    return false;
}

static const struct {
    const char *text;
    uint8_t kind;
} puncts[] = {
    {"&&", WAZA_AND},   {"||", WAZA_OR},   {"==", WAZA_EQ},  {"!=", WAZA_NE},
    {"<>", WAZA_OTHER}, {"<=", WAZA_LE},   {">=", WAZA_GE},  {"<", WAZA_LT},
    {">", WAZA_GT},     {"!", WAZA_NOT},   {"|", WAZA_OR},   {"&", WAZA_BITS},
    {"(", WAZA_OPEN},   {")", WAZA_CLOSE}, {"[", WAZA_LIST}, {"]", WAZA_LIST_END},
    {",", WAZA_COMMA},  {":", WAZA_COLON},
};

static bool lex_punct(struct wedr_waza_lexer *l, struct wedr_waza_token *t)
{
    const struct wedr_waza_source *s = l->source;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(puncts); i++) {
        uint32_t n = (uint32_t)strlen(puncts[i].text);
        if (s->len - l->at >= n && memcmp(s->text + l->at, puncts[i].text, n) == 0) {
            t->kind = puncts[i].kind;
            l->at += n;
            return true;
        }
    }
    return false;
}

static void lex_bad(struct wedr_waza_lexer *l, struct wedr_waza_token *t)
{
    struct wedr_text c = wedr_text(l->source->text + l->at, 1);
    while (l->at + c.len < l->source->len && c.len < 4 && ((uint8_t)c.p[c.len] & 0xC0) == 0x80 &&
           ((uint8_t)c.p[0] & 0x80) != 0) {
        c.len++;
    }
    t->kind = WAZA_BAD;
    t->span.len = c.len;
    l->at += c.len;
    if (!l->quiet) {
        (void)wedr_waza_fail(l->source, t->span, WEDR_E_FORMAT, "unexpected character '%.*s'",
                             WEDR_WAZA_SHOWN(c));
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

void wedr_waza_next(struct wedr_waza_lexer *l, struct wedr_waza_token *ret_token)
{
    const struct wedr_waza_source *s = l->source;
    struct wedr_waza_token *t = ret_token;
    memset(t, 0, sizeof(*t));
    bool more = skip_blanks(l);
    t->span.at = l->at;
    l->open = false;
    if (!more || s->full) {
        t->kind = WAZA_END;
        return;
    }
    char c = s->text[l->at];
    char d = '\0';
    if (l->at + 1 < s->len) {
        d = s->text[l->at + 1];
    }
    if (c == '"') {
        wedr_waza_lex_string(l, t);
    } else if (c == '\'') {
        wedr_waza_lex_raw(l, t);
    } else if (c == 'e' && d == '"') {
        wedr_waza_lex_escaped(l, t);
    } else if (c == '/') {
        wedr_waza_lex_regex(l, t);
    } else if (is_digit(c) || (c == '-' && is_digit(d))) {
        wedr_waza_lex_number(l, t);
    } else if (c == '$' || c == '@' || c == '*' || wedr_waza_is_word(c)) {
        wedr_waza_lex_word(l, t);
    } else if (!lex_punct(l, t)) {
        lex_bad(l, t);
    }
    t->span.len = l->at - t->span.at;
    l->depth += t->kind == WAZA_OPEN || t->kind == WAZA_LIST;
    l->depth -= (t->kind == WAZA_CLOSE || t->kind == WAZA_LIST_END) && l->depth > 0;
    l->open = t->kind == WAZA_AND || t->kind == WAZA_OR || t->kind == WAZA_NOT ||
              t->kind == WAZA_COMMA || (t->kind >= WAZA_EQ && t->kind <= WAZA_BITS);
}

uint32_t wedr_waza_skip(struct wedr_waza_lexer *l)
{
    struct wedr_waza_token t;
    l->quiet = true;
    do {
        wedr_waza_next(l, &t);
    } while (t.kind != WAZA_END);
    uint32_t end = l->source->full ? l->source->len : wedr_waza_line_end(l->source, l->at);
    return end < l->source->len ? end + 1 : end;
}
