/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/expr.c — or, and, not, N of, parentheses; comparisons are in compare.c. */
#include "core/base/err.h"
#include "waza/syntax.h"
#include <string.h>

static struct wedr_waza_expr *parse_or(struct wedr_waza_parser *p);

void wedr_waza_advance(struct wedr_waza_parser *p)
{
    p->used = p->token.span.at + p->token.span.len;
    wedr_waza_next(&p->lexer, &p->token);
}

struct wedr_waza_token wedr_waza_peek(struct wedr_waza_parser *p)
{
    struct wedr_waza_lexer ahead = p->lexer;
    struct wedr_waza_token t;
    ahead.quiet = true;
    wedr_waza_next(&ahead, &t);
    return t;
}

bool wedr_waza_word(const struct wedr_waza_token *t, const char *word)
{
    return t->kind == WAZA_WORD && t->path->count == 1 && !t->path->label.p && !t->path->quoted &&
           t->path->key == 1 && wedr_waza_is(t->path->parts[0], word);
}

int wedr_waza_expected(struct wedr_waza_parser *p, const char *what)
{
    const struct wedr_waza_token *t = &p->token;
    if (t->kind == WAZA_BAD || p->source->full) {
        p->source->err = p->source->err < 0 ? p->source->err : WEDR_E_FORMAT;
        return p->source->err;
    }
    if (t->kind == WAZA_END) {
        struct wedr_waza_span end = {p->used, 0};
        return wedr_waza_fail(p->source, end, WEDR_E_FORMAT, "expected %s, the line ends here",
                              what);
    }
    return wedr_waza_fail(p->source, t->span, WEDR_E_FORMAT, "expected %s, found '%.*s'", what,
                          WEDR_WAZA_SHOWN(wedr_waza_slice(p->source, t->span)));
}

static struct wedr_waza_expr *
node(struct wedr_waza_parser *p, uint8_t kind, struct wedr_waza_span span)
{
    struct wedr_waza_expr *x = wedr_waza_alloc(p->source, sizeof(*x));
    if (x) {
        x->kind = kind;
        x->span = span;
    }
    return x;
}

static void close_span(const struct wedr_waza_parser *p, struct wedr_waza_expr *x)
{
    x->span.len = p->used - x->span.at;
}

static struct wedr_waza_expr *deeper(struct wedr_waza_parser *p,
                                     struct wedr_waza_expr *(*parse)(struct wedr_waza_parser *))
{
    if (p->nesting == WEDR_WAZA_NESTING_MAX) {
        (void)wedr_waza_fail(p->source, p->token.span, WEDR_E_LIMIT, "nested more than %u deep",
                             WEDR_WAZA_NESTING_MAX);
        return NULL;
    }
    p->nesting++;
    struct wedr_waza_expr *x = parse(p);
    p->nesting--;
    return x;
}

/* first (op next)*; one alone is itself. */
static struct wedr_waza_expr *chain(struct wedr_waza_parser *p,
                                    struct wedr_waza_expr *(*parse)(struct wedr_waza_parser *),
                                    uint8_t token,
                                    uint8_t kind)
{
    struct wedr_waza_span begin = p->token.span;
    struct wedr_waza_expr *first = parse(p);
    struct wedr_waza_expr *last = first;
    uint32_t count = 1;
    while (last && p->token.kind == token) {
        wedr_waza_advance(p);
        last->next = parse(p);
        last = last->next;
        count++;
    }
    if (!last || count == 1) {
        return last;
    }
    struct wedr_waza_expr *x = node(p, kind, begin);
    if (x) {
        x->first = first;
        x->count = count;
        close_span(p, x);
    }
    return x;
}

/* N of (a, b, c) */
static struct wedr_waza_expr *parse_of(struct wedr_waza_parser *p)
{
    struct wedr_waza_expr *x = node(p, WAZA_X_OF, p->token.span);
    if (!x || p->token.number.kind != WEDR_NUMBER_I64 || p->token.number.v.i < 1 ||
        p->token.number.v.i > (int64_t)WEDR_IR_KIDS_MAX) {
        (void)wedr_waza_fail(p->source, p->token.span, WEDR_E_FORMAT,
                             "the number of what has to hold is 1 to %u", WEDR_IR_KIDS_MAX);
        return NULL;
    }
    x->need = (uint32_t)p->token.number.v.i;
    wedr_waza_advance(p);
    wedr_waza_advance(p);
    if (p->token.kind != WAZA_OPEN) {
        (void)wedr_waza_expected(p, "'('");
        return NULL;
    }
    struct wedr_waza_expr **link = &x->first;
    do {
        wedr_waza_advance(p);
        *link = deeper(p, parse_or);
        if (!*link) {
            return NULL;
        }
        link = &(*link)->next;
        x->count++;
    } while (p->token.kind == WAZA_COMMA);
    if (p->token.kind != WAZA_CLOSE) {
        (void)wedr_waza_expected(p, "',' or ')'");
        return NULL;
    }
    if (x->need > x->count) {
        (void)wedr_waza_fail(p->source, x->span, WEDR_E_FORMAT, "only %u are listed", x->count);
        return NULL;
    }
    wedr_waza_advance(p);
    close_span(p, x);
    return x;
}

static struct wedr_waza_expr *parse_group(struct wedr_waza_parser *p)
{
    struct wedr_waza_span open = p->token.span;
    wedr_waza_advance(p);
    struct wedr_waza_expr *x = deeper(p, parse_or);
    if (!x) {
        return NULL;
    }
    if (p->token.kind != WAZA_CLOSE) {
        if (p->token.kind == WAZA_END) {
            (void)wedr_waza_fail(p->source, open, WEDR_E_FORMAT, "this '(' is not closed");
        } else {
            (void)wedr_waza_expected(p, "'&&', '||' or ')'");
        }
        return NULL;
    }
    wedr_waza_advance(p);
    return x;
}

/* rule "id", or $label with nothing behind it. */
static struct wedr_waza_expr *parse_event(struct wedr_waza_parser *p)
{
    struct wedr_waza_expr *x = node(p, WAZA_X_EVENT, p->token.span);
    if (!x) {
        return NULL;
    }
    if (p->token.path->label.p) {
        x->name = p->token.path->label;
    } else {
        wedr_waza_advance(p);
        x->name = p->token.text;
        x->is_rule = true;
    }
    wedr_waza_advance(p);
    close_span(p, x);
    return x;
}

static bool ends_operand(uint8_t kind)
{
    return kind == WAZA_END || kind == WAZA_AND || kind == WAZA_OR || kind == WAZA_CLOSE ||
           kind == WAZA_COMMA;
}

static struct wedr_waza_expr *parse_atom(struct wedr_waza_parser *p)
{
    struct wedr_waza_token *t = &p->token;
    if (t->kind == WAZA_OPEN) {
        return parse_group(p);
    }
    struct wedr_waza_token after = wedr_waza_peek(p);
    if (t->kind == WAZA_NUMBER && wedr_waza_word(&after, "of")) {
        return parse_of(p);
    }
    bool label = t->kind == WAZA_WORD && t->path->label.p && t->path->count == 0;
    if (label || (wedr_waza_word(t, "rule") && after.kind == WAZA_STRING)) {
        return parse_event(p);
    }
    if ((wedr_waza_word(t, "true") || wedr_waza_word(t, "false")) && ends_operand(after.kind)) {
        struct wedr_waza_expr *x = node(p, WAZA_X_CONSTANT, t->span);
        if (x) {
            x->truth = wedr_waza_word(t, "true");
            wedr_waza_advance(p);
        }
        return x;
    }
    return wedr_waza_comparison(p);
}

static struct wedr_waza_expr *parse_not(struct wedr_waza_parser *p)
{
    if (p->token.kind != WAZA_NOT) {
        return parse_atom(p);
    }
    struct wedr_waza_expr *x = node(p, WAZA_X_NOT, p->token.span);
    wedr_waza_advance(p);
    struct wedr_waza_expr *kid = x ? deeper(p, parse_not) : NULL;
    if (!kid) {
        return NULL;
    }
    x->first = kid;
    x->count = 1;
    close_span(p, x);
    return x;
}

static struct wedr_waza_expr *parse_and(struct wedr_waza_parser *p)
{
    return chain(p, parse_not, WAZA_AND, WAZA_X_AND);
}

static struct wedr_waza_expr *parse_or(struct wedr_waza_parser *p)
{
    return chain(p, parse_and, WAZA_OR, WAZA_X_OR);
}

struct wedr_waza_expr *wedr_waza_expression(struct wedr_waza_parser *p)
{
    struct wedr_waza_expr *x = parse_or(p);
    if (x && p->token.kind != WAZA_END) {
        (void)wedr_waza_expected(p, "'&&', '||' or the end of the line");
        return NULL;
    }
    return p->source->full ? NULL : x;
}
