/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/condition.c — conditions: or, and, not, parentheses, N of pattern. */
#include "core/base/err.h"
#include "value.h"
#include <string.h>

#define NESTED_MAX 48u

struct parser {
    struct wedr_sigma_compiler *c;
    const struct wedr_sigma_names *names;
    uint32_t line;
    const char *p, *end;
    struct wedr_text token; /* empty at the end */
    uint32_t depth;
};

static int parse_or(struct parser *p, uint32_t *ret_node);

static bool is_blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r';
}

static bool is_punct(char ch)
{
    return ch == '(' || ch == ')' || ch == '|';
}

static void next(struct parser *p)
{
    while (p->p < p->end && is_blank(*p->p)) {
        p->p++;
    }
    const char *start = p->p;
    if (p->p < p->end && is_punct(*p->p)) {
        p->p++;
    } else {
        while (p->p < p->end && !is_blank(*p->p) && !is_punct(*p->p)) {
            p->p++;
        }
    }
    p->token = wedr_text(start, (size_t)(p->p - start));
}

/* Keywords in any case. */
static bool word(const struct parser *p, const char *w)
{
    uint32_t i = 0;
    for (; i < p->token.len && w[i] != '\0'; i++) {
        char ch = p->token.p[i];
        if ((ch >= 'A' && ch <= 'Z' ? ch + 32 : ch) != w[i]) {
            return false;
        }
    }
    return i == p->token.len && w[i] == '\0';
}

static int fail(const struct parser *p, const char *what)
{
    uint32_t n = p->token.len < 60 ? p->token.len : 60;
    return p->token.len > 0
               ? wedr_sigma_fail(p->c, p->line, WEDR_E_FORMAT, "condition: %s at '%.*s'", what,
                                 (int)n, p->token.p)
               : wedr_sigma_fail(p->c, p->line, WEDR_E_FORMAT, "condition: %s at the end", what);
}

static int refuse_aggregation(const struct parser *p)
{
    return wedr_sigma_fail(p->c, p->line, WEDR_E_UNSUP,
                           "condition: aggregation behind | left Sigma with version 2, write a "
                           "correlation rule");
}

/* The whole token is a number below a million. */
static bool count_of(const struct parser *p, uint32_t *ret_count)
{
    uint32_t n = 0;
    if (p->token.len == 0 || p->token.len > 6) {
        return false;
    }
    for (uint32_t i = 0; i < p->token.len; i++) {
        if (p->token.p[i] < '0' || p->token.p[i] > '9') {
            return false;
        }
        n = n * 10 + (uint32_t)(p->token.p[i] - '0');
    }
    *ret_count = n;
    return true;
}

/* "of" follows the token; nothing moves. */
static bool of_follows(const struct parser *p)
{
    struct parser ahead = *p;
    next(&ahead);
    return word(&ahead, "of");
}

/* N of what; p->token is what stands before `of`. */
static int parse_selector(struct parser *p, uint32_t need, bool all, uint32_t *ret_node)
{
    uint32_t *nodes;
    uint32_t count;
    next(p);
    next(p);
    if (p->token.len == 0 || is_punct(p->token.p[0])) {
        return fail(p, "a search identifier or 'them' is missing");
    }
    struct wedr_text pattern = word(p, "them") ? wedr_text("", 0) : p->token;
    int e = p->names->match(p->names->ctx, pattern, &nodes, &count);
    if (e < 0) {
        return e;
    }
    if (count == 0 && (all || need > 1)) {
        return fail(p, "no search identifier is so named");
    }
    if (!all && need > count && need > 1) {
        return fail(p, "more are asked for than there are");
    }
    if (!all && need == 0) {
        return fail(p, "0 of is always true");
    }
    next(p);
    if (all) {
        return wedr_ir_and(p->c->rs, nodes, count, ret_node);
    }
    return need == 1 ? wedr_ir_or(p->c->rs, nodes, count, ret_node)
                     : wedr_ir_at_least(p->c->rs, need, nodes, count, ret_node);
}

static int parse_name(struct parser *p, uint32_t *ret_node)
{
    int e = p->names->node(p->names->ctx, p->token, ret_node);
    if (e == WEDR_E_NOENT) {
        return fail(p, "unknown search identifier");
    }
    if (e == WEDR_OK) {
        next(p);
    }
    return e;
}

static int parse_operand(struct parser *p, uint32_t *ret_node)
{
    uint32_t need = 0;
    if (p->token.len == 0) {
        return fail(p, "something is missing");
    }
    if (p->token.p[0] == '(') {
        next(p);
        int e = parse_or(p, ret_node);
        if (e < 0) {
            return e;
        }
        if (p->token.len != 1 || p->token.p[0] != ')') {
            return p->token.len == 1 && p->token.p[0] == '|' ? refuse_aggregation(p)
                                                             : fail(p, "')' is missing");
        }
        next(p);
        return WEDR_OK;
    }
    if (p->token.p[0] == '|') {
        return refuse_aggregation(p);
    }
    if (p->token.p[0] == ')' || word(p, "and") || word(p, "or") || word(p, "of")) {
        return fail(p, "a search identifier was expected");
    }
    if (of_follows(p)) {
        bool all = word(p, "all");
        if (all || word(p, "any") || count_of(p, &need)) {
            return parse_selector(p, word(p, "any") ? 1 : need, all, ret_node);
        }
        return fail(p, "a number, any or all was expected");
    }
    return parse_name(p, ret_node);
}

static int parse_not(struct parser *p, uint32_t *ret_node)
{
    if (!word(p, "not")) {
        return parse_operand(p, ret_node);
    }
    if (++p->depth > NESTED_MAX) {
        return fail(p, "nested too deeply");
    }
    next(p);
    int e = parse_not(p, ret_node);
    p->depth--;
    return e < 0 ? e : wedr_ir_not(p->c->rs, *ret_node, ret_node);
}

/* Kids of one operator; the array doubles inside the arena. */
struct kids {
    uint32_t *v;
    uint32_t count, cap;
};

static int add_kid(struct parser *p, struct kids *k, uint32_t node)
{
    if (k->count == k->cap) {
        uint32_t cap = k->cap ? k->cap * 2 : 4;
        uint32_t *v = wedr_arena_alloc(p->c->arena, cap * sizeof(*v));
        if (!v || cap > WEDR_IR_KIDS_MAX) {
            return wedr_sigma_full(p->c, p->line);
        }
        if (k->count) {
            memcpy(v, k->v, k->count * sizeof(*v));
        }
        k->v = v;
        k->cap = cap;
    }
    k->v[k->count++] = node;
    return WEDR_OK;
}

static int parse_and(struct parser *p, uint32_t *ret_node)
{
    struct kids kids = {NULL, 0, 0};
    for (;;) {
        uint32_t node = 0;
        int e = parse_not(p, &node);
        e = e < 0 ? e : add_kid(p, &kids, node);
        if (e < 0) {
            return e;
        }
        if (!word(p, "and")) {
            return wedr_ir_and(p->c->rs, kids.v, kids.count, ret_node);
        }
        next(p);
    }
}

static int parse_or(struct parser *p, uint32_t *ret_node)
{
    struct kids kids = {NULL, 0, 0};
    if (++p->depth > NESTED_MAX) {
        return fail(p, "nested too deeply");
    }
    for (;;) {
        uint32_t node = 0;
        int e = parse_and(p, &node);
        e = e < 0 ? e : add_kid(p, &kids, node);
        if (e < 0) {
            return e;
        }
        if (!word(p, "or")) {
            p->depth--;
            return wedr_ir_or(p->c->rs, kids.v, kids.count, ret_node);
        }
        next(p);
    }
}

int wedr_sigma_expression(struct wedr_sigma_compiler *c,
                          struct wedr_text text,
                          uint32_t line,
                          const struct wedr_sigma_names *names,
                          uint32_t *ret_node)
{
    struct parser p = {.c = c, .names = names, .line = line, .p = text.p};
    p.end = text.len ? text.p + text.len : text.p;
    next(&p);
    int e = parse_or(&p, ret_node);
    if (e < 0) {
        if (c->line == 0) {
            c->line = line;
        }
        return e;
    }
    if (p.token.len > 0) {
        return p.token.p[0] == '|' ? refuse_aggregation(&p)
                                   : fail(&p, "and, or or the end was expected");
    }
    return WEDR_OK;
}

/* --- Search identifiers of a detection section. */

struct section {
    struct wedr_sigma_compiler *c;
    const struct wedr_yaml *map;
    const struct wedr_yaml **ids; /* NULL until first asked for */
    uint32_t *nodes;              /* WEDR_IR_NONE until compiled */
    uint32_t count;
};

static bool is_identifier(const struct wedr_yaml *y)
{
    return !wedr_text_is(y->key, "condition") && !wedr_text_is(y->key, "timeframe") &&
           !wedr_text_is(y->key, "rules");
}

static int section_open(struct section *s)
{
    s->ids = wedr_arena_alloc(s->c->arena, (s->map->count + 1) * sizeof(struct wedr_yaml *));
    s->nodes = wedr_arena_alloc(s->c->arena, (s->map->count + 1) * sizeof(uint32_t));
    if (!s->ids || !s->nodes) {
        return wedr_sigma_full(s->c, s->map->line);
    }
    for (const struct wedr_yaml *y = s->map->first; y; y = y->next) {
        if (is_identifier(y)) {
            s->nodes[s->count] = WEDR_IR_NONE;
            s->ids[s->count++] = y;
        }
    }
    return WEDR_OK;
}

static int section_compile(struct section *s, uint32_t i)
{
    return s->nodes[i] != WEDR_IR_NONE ? WEDR_OK
                                       : wedr_sigma_detection_node(s->c, s->ids[i], &s->nodes[i]);
}

static int section_node(void *ctx, struct wedr_text name, uint32_t *ret_node)
{
    struct section *s = ctx;
    for (uint32_t i = 0; i < s->count; i++) {
        struct wedr_text key = s->ids[i]->key;
        if (key.len == name.len && memcmp(key.p, name.p, name.len) == 0) {
            int e = section_compile(s, i);
            *ret_node = s->nodes[i];
            return e;
        }
    }
    return WEDR_E_NOENT;
}

/* * is any run; nothing else is special. */
static bool name_matches(struct wedr_text name, struct wedr_text pattern)
{
    uint32_t n = 0;
    uint32_t p = 0;
    uint32_t star = UINT32_MAX;
    uint32_t star_n = 0;
    while (n < name.len) {
        if (p < pattern.len && pattern.p[p] == '*') {
            star = p++;
            star_n = n;
        } else if (p < pattern.len && pattern.p[p] == name.p[n]) {
            p++;
            n++;
        } else if (star != UINT32_MAX) {
            p = star + 1;
            n = ++star_n;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.p[p] == '*') {
        p++;
    }
    return p == pattern.len;
}

static int
section_match(void *ctx, struct wedr_text pattern, uint32_t **ret_nodes, uint32_t *ret_count)
{
    struct section *s = ctx;
    bool hidden = pattern.len > 0 && pattern.p[0] == '_';
    uint32_t count = 0;
    uint32_t *v = wedr_arena_alloc(s->c->arena, (s->count + 1) * sizeof(*v));
    if (!v) {
        return wedr_sigma_full(s->c, s->map->line);
    }
    for (uint32_t i = 0; i < s->count; i++) {
        struct wedr_text key = s->ids[i]->key;
        bool under = key.len > 0 && key.p[0] == '_';
        if ((under && !hidden) || (pattern.len > 0 && !name_matches(key, pattern))) {
            continue;
        }
        int e = section_compile(s, i);
        if (e < 0) {
            return e;
        }
        v[count++] = s->nodes[i];
    }
    *ret_nodes = v;
    *ret_count = count;
    return WEDR_OK;
}

static int one_condition(struct section *s, const struct wedr_yaml *y, uint32_t *ret_node)
{
    const struct wedr_sigma_names names = {section_node, section_match, s};
    if (y->kind != WEDR_YAML_SCALAR || y->text.len == 0) {
        return wedr_sigma_fail(s->c, y->line, WEDR_E_FORMAT, "a condition is a text");
    }
    return wedr_sigma_expression(s->c, y->text, y->line, &names, ret_node);
}

int wedr_sigma_condition_node(struct wedr_sigma_compiler *c,
                              const struct wedr_yaml *map,
                              uint32_t *ret_node)
{
    struct section s = {.c = c, .map = map};
    const struct wedr_yaml *y = wedr_yaml_get(map, "condition");
    if (!y) {
        return wedr_sigma_fail(c, map->line, WEDR_E_FORMAT, "no condition");
    }
    int e = section_open(&s);
    if (e < 0 || y->kind != WEDR_YAML_LIST) {
        return e < 0 ? e : one_condition(&s, y, ret_node);
    }
    uint32_t count = 0;
    uint32_t *v = wedr_arena_alloc(c->arena, (y->count + 1) * sizeof(*v));
    if (!v || y->count == 0 || y->count > WEDR_IR_KIDS_MAX) {
        return wedr_sigma_fail(c, y->line, WEDR_E_FORMAT, "an empty list of conditions");
    }
    for (const struct wedr_yaml *one = y->first; e == WEDR_OK && one; one = one->next) {
        e = one_condition(&s, one, &v[count++]);
    }
    return e < 0 ? e : wedr_ir_or(c->rs, v, count, ret_node);
}
