/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/compare.c — PATH OP VALUE in all its forms. */
#include "core/base/err.h"
#include "waza/syntax.h"
#include <string.h>

enum takes { NOTHING, ONE, MANY, MASK, LIST };

static const struct operator
{
    const char *word;
    uint8_t op, takes;
    bool uncased;
}
operators[] = {
    {"contains", WAZA_OP_CONTAINS, MANY, false},
    {"startsWith", WAZA_OP_STARTS, MANY, false},
    {"endsWith", WAZA_OP_ENDS, MANY, false},
    {"icontains", WAZA_OP_CONTAINS, MANY, true},
    {"istartsWith", WAZA_OP_STARTS, MANY, true},
    {"iendsWith", WAZA_OP_ENDS, MANY, true},
    {"iequals", WAZA_OP_EQ, MANY, true},
    {"like", WAZA_OP_LIKE, MANY, false},
    {"ilike", WAZA_OP_LIKE, MANY, true},
    {"matches", WAZA_OP_MATCHES, MANY, false},
    {"cidr", WAZA_OP_CIDR, MANY, false},
    {"in", WAZA_OP_IN, LIST, false},
    {"iin", WAZA_OP_IN, LIST, true},
    {"exists", WAZA_OP_EXISTS, NOTHING, false},
    {"has_all", WAZA_OP_HAS_ALL, MASK, false},
    {"has_any", WAZA_OP_HAS_ANY, MASK, false},
};

static const struct {
    uint8_t token, op;
} signs[] = {{WAZA_EQ, WAZA_OP_EQ}, {WAZA_NE, WAZA_OP_EQ}, {WAZA_OTHER, WAZA_OP_OTHER},
             {WAZA_LT, WAZA_OP_LT}, {WAZA_LE, WAZA_OP_LE}, {WAZA_GT, WAZA_OP_GT},
             {WAZA_GE, WAZA_OP_GE}};

static const char *const parts[] = {
    [WEDR_TIME_MINUTE] = "minute", [WEDR_TIME_HOUR] = "hour",   [WEDR_TIME_DAY] = "day",
    [WEDR_TIME_WEEK] = "week",     [WEDR_TIME_MONTH] = "month", [WEDR_TIME_YEAR] = "year",
};

/* How many letters differ, in any case, up to 3: a spelling that may be meant. */
static unsigned distance(struct wedr_text t, const char *word)
{
    size_t n = strlen(word);
    uint8_t row[16];
    if (t.len > 14 || n > 14) {
        return 3;
    }
    for (size_t j = 0; j <= n; j++) {
        row[j] = (uint8_t)j;
    }
    for (uint32_t i = 1; i <= t.len; i++) {
        uint8_t corner = row[0];
        row[0] = (uint8_t)i;
        for (size_t j = 1; j <= n; j++) {
            uint8_t same = (uint8_t)(corner + ((t.p[i - 1] | 0x20) != (word[j - 1] | 0x20)));
            uint8_t least = row[j] < row[j - 1] ? row[j] : row[j - 1];
            corner = row[j];
            row[j] = same <= least ? same : (uint8_t)(least + 1);
        }
    }
    return row[n];
}

static int unknown(struct wedr_waza_parser *p)
{
    struct wedr_text t = wedr_waza_slice(p->source, p->token.span);
    const char *near = NULL;
    unsigned least = 3;
    for (size_t i = 0; p->token.kind == WAZA_WORD && i < WEDR_ARRAY_COUNT(operators); i++) {
        unsigned d = distance(t, operators[i].word);
        if (d < least) {
            least = d;
            near = operators[i].word;
        }
    }
    if (near) {
        return wedr_waza_fail(p->source, p->token.span, WEDR_E_FORMAT,
                              "unknown operator '%.*s'; did you mean '%s'?", WEDR_WAZA_SHOWN(t),
                              near);
    }
    return wedr_waza_expected(p, "an operator (==, !=, <, contains, in, matches ...)");
}

static int one_value(struct wedr_waza_parser *p, struct wedr_waza_value **ret_value)
{
    const struct wedr_waza_token *t = &p->token;
    bool yes = wedr_waza_word(t, "true");
    if (t->kind != WAZA_STRING && t->kind != WAZA_REGEX && t->kind != WAZA_NUMBER && !yes &&
        !wedr_waza_word(t, "false")) {
        return wedr_waza_expected(p, "a value (text, number, true, false)");
    }
    struct wedr_waza_value *v = wedr_waza_alloc(p->source, sizeof(*v));
    if (!v) {
        return WEDR_E_LIMIT;
    }
    v->kind = t->kind == WAZA_STRING   ? WAZA_TEXT
              : t->kind == WAZA_REGEX  ? WAZA_PATTERN
              : t->kind == WAZA_NUMBER ? WAZA_INTEGER
                                       : WAZA_TRUTH;
    v->flags = t->flags;
    v->truth = yes;
    v->span = t->span;
    v->text = v->kind == WAZA_TRUTH ? wedr_waza_slice(p->source, t->span) : t->text;
    v->number = t->number;
    wedr_waza_advance(p);
    *ret_value = v;
    return WEDR_OK;
}

int wedr_waza_list(struct wedr_waza_parser *p,
                   struct wedr_waza_value **ret_first,
                   uint32_t *ret_count)
{
    struct wedr_waza_span open = p->token.span;
    struct wedr_waza_value **link = ret_first;
    *ret_count = 0;
    wedr_waza_advance(p);
    while (p->token.kind != WAZA_LIST_END) {
        int e = one_value(p, link);
        if (e < 0) {
            return e;
        }
        link = &(*link)->next;
        (*ret_count)++;
        if (p->token.kind == WAZA_COMMA) {
            wedr_waza_advance(p); /* also behind the last one */
        } else if (p->token.kind == WAZA_END) {
            return wedr_waza_fail(p->source, open, WEDR_E_FORMAT, "this '[' is not closed");
        } else if (p->token.kind != WAZA_LIST_END) {
            return wedr_waza_expected(p, "',' or ']'");
        }
    }
    if (*ret_count == 0) {
        return wedr_waza_fail(p->source, open, WEDR_E_FORMAT, "the list is empty");
    }
    wedr_waza_advance(p);
    return WEDR_OK;
}

/* [..], list NAME, or domains, words, networks in front of them. */
static int parse_in(struct wedr_waza_parser *p, struct wedr_waza_compare *c)
{
    static const struct {
        const char *word;
        uint8_t mode;
    } modes[] = {
        {"domains", WEDR_SET_DOMAIN}, {"words", WEDR_SET_WORDS}, {"networks", WEDR_SET_CIDR}};
    c->mode = WEDR_SET_EXACT;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(modes); i++) {
        if (c->mode == WEDR_SET_EXACT && wedr_waza_word(&p->token, modes[i].word)) {
            c->mode = modes[i].mode;
            wedr_waza_advance(p);
        }
    }
    if (p->token.kind == WAZA_LIST) {
        return wedr_waza_list(p, &c->first, &c->count);
    }
    if (!wedr_waza_word(&p->token, "list")) {
        return wedr_waza_expected(p, "'[' or 'list NAME'");
    }
    wedr_waza_advance(p);
    if (p->token.kind != WAZA_WORD || p->token.path->count != 1 || p->token.path->label.p) {
        return wedr_waza_expected(p, "the name of a list");
    }
    c->list = p->token.path->parts[0];
    c->list_span = p->token.span;
    wedr_waza_advance(p);
    return WEDR_OK;
}

/* A value, a list of them (`all` in front: every one), or another field. */
static int parse_operand(struct wedr_waza_parser *p, struct wedr_waza_compare *c, bool many)
{
    struct wedr_waza_token after = wedr_waza_peek(p);
    if (many && wedr_waza_word(&p->token, "all") && after.kind == WAZA_LIST) {
        c->all = true;
        wedr_waza_advance(p);
    }
    if (p->token.kind == WAZA_LIST && many) {
        return wedr_waza_list(p, &c->first, &c->count);
    }
    if (p->token.kind == WAZA_WORD && !wedr_waza_word(&p->token, "true") &&
        !wedr_waza_word(&p->token, "false")) {
        c->right = p->token.path;
        if (c->right->count == 0 || c->right->any || c->part != UINT8_MAX ||
            c->op == WAZA_OP_LIKE || c->op == WAZA_OP_MATCHES || c->op == WAZA_OP_CIDR) {
            return wedr_waza_expected(p, "a value");
        }
        wedr_waza_advance(p);
        return WEDR_OK;
    }
    c->count = 1;
    return one_value(p, &c->first);
}

static int parse_mask(struct wedr_waza_parser *p, struct wedr_waza_value **ret_value)
{
    if (p->token.kind != WAZA_NUMBER || p->token.number.kind == WEDR_NUMBER_F64 ||
        (p->token.number.kind == WEDR_NUMBER_I64 && p->token.number.v.i < 0)) {
        return wedr_waza_expected(p, "bits as a number that is not negative");
    }
    return one_value(p, ret_value);
}

/* & mask, & mask == value */
static int parse_bits(struct wedr_waza_parser *p, struct wedr_waza_compare *c)
{
    c->op = WAZA_OP_HAS_ANY;
    c->count = 1;
    wedr_waza_advance(p);
    int e = parse_mask(p, &c->first);
    if (e < 0 || (p->token.kind != WAZA_EQ && p->token.kind != WAZA_NE)) {
        return e;
    }
    c->negated = p->token.kind == WAZA_NE;
    c->op = WAZA_OP_MASK;
    c->count = 2;
    wedr_waza_advance(p);
    return parse_mask(p, &c->first->next);
}

static int parse_word_operator(struct wedr_waza_parser *p, struct wedr_waza_compare *c)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(operators); i++) {
        const struct operator* o = & operators[i];
        if (!wedr_waza_word(&p->token, o->word) || (c->part != UINT8_MAX)) {
            continue;
        }
        c->op = o->op;
        c->uncased = o->uncased;
        wedr_waza_advance(p);
        c->count = 1;
        return o->takes == NOTHING ? (c->count = 0, WEDR_OK)
               : o->takes == LIST  ? parse_in(p, c)
               : o->takes == MASK  ? parse_mask(p, &c->first)
                                   : parse_operand(p, c, true);
    }
    return unknown(p);
}

static int parse_operator(struct wedr_waza_parser *p, struct wedr_waza_compare *c)
{
    c->op_span = p->token.span;
    if (p->token.kind == WAZA_BITS && c->part == UINT8_MAX) {
        return parse_bits(p, c);
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(signs); i++) {
        if (p->token.kind == signs[i].token) {
            c->op = signs[i].op;
            c->negated = p->token.kind == WAZA_NE;
            wedr_waza_advance(p);
            return parse_operand(p, c, false);
        }
    }
    return parse_word_operator(p, c);
}

/* minute(PATH) and the like. */
static int parse_left(struct wedr_waza_parser *p, struct wedr_waza_compare *c)
{
    struct wedr_waza_token after = wedr_waza_peek(p);
    c->part = UINT8_MAX;
    for (uint8_t i = 0; after.kind == WAZA_OPEN && i < WEDR_ARRAY_COUNT(parts); i++) {
        if (wedr_waza_word(&p->token, parts[i])) {
            c->part = i;
        }
    }
    if (c->part != UINT8_MAX) {
        wedr_waza_advance(p);
        wedr_waza_advance(p);
    }
    if (p->token.kind == WAZA_STRING) { /* a quoted name alone */
        p->lexer.at = p->token.span.at;
        wedr_waza_lex_word(&p->lexer, &p->token);
        p->token.span.len = p->lexer.at - p->token.span.at;
    }
    if (p->token.kind != WAZA_WORD || p->token.path->count == 0) {
        return wedr_waza_expected(p, "a condition (module.event_type.field == value)");
    }
    c->left = p->token.path;
    wedr_waza_advance(p);
    if (c->part != UINT8_MAX) {
        if (p->token.kind != WAZA_CLOSE) {
            return wedr_waza_expected(p, "')'");
        }
        wedr_waza_advance(p);
    }
    return WEDR_OK;
}

struct wedr_waza_expr *wedr_waza_comparison(struct wedr_waza_parser *p)
{
    struct wedr_waza_expr *x = wedr_waza_alloc(p->source, sizeof(*x));
    struct wedr_waza_compare *c = wedr_waza_alloc(p->source, sizeof(*c));
    if (!x || !c) {
        return NULL;
    }
    x->kind = WAZA_X_COMPARE;
    x->span = p->token.span;
    x->compare = c;
    int e = parse_left(p, c);
    e = e < 0 ? e : parse_operator(p, c);
    if (e < 0) {
        return NULL;
    }
    x->span.len = p->used - x->span.at;
    return x;
}
