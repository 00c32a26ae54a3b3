/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/emit.c — items and detections to nodes of the intermediate form. */
#include "core/base/err.h"
#include "value.h"
#include <string.h>

#define SET_FROM 64u /* plain values of one field: from here on they become a list */

struct node_list {
    uint32_t *v;
    uint32_t count;
};

static int
list_new(struct wedr_sigma_compiler *c, uint32_t line, uint32_t max, struct node_list *ret_list)
{
    if (max > WEDR_IR_KIDS_MAX) {
        (void)wedr_sigma_fail(c, line, WEDR_E_LIMIT, "more than %u values", WEDR_IR_KIDS_MAX);
        return WEDR_E_LIMIT;
    }
    ret_list->v = wedr_arena_alloc(c->arena, ((size_t)max + 1) * sizeof(uint32_t));
    ret_list->count = 0;
    if (!ret_list->v) {
        (void)wedr_sigma_full(c, line);
        return WEDR_E_LIMIT;
    }
    return WEDR_OK;
}

/* What the intermediate form refused, with our line. */
static int told(struct wedr_sigma_compiler *c, uint32_t line, int e)
{
    if (e < 0) {
        c->line = line;
    }
    if (e == WEDR_E_LIMIT && c->ei && c->ei->text[0] == '\0') {
        return wedr_sigma_fail(c, line, e, "the ruleset is full");
    }
    return e;
}

/* Stars at the ends, none or others inside. */
struct shape {
    uint32_t first, last; /* what is between the outer stars */
    bool front, behind, inner;
};

static struct shape shape_of(struct wedr_sigma_text t)
{
    struct shape s = {.last = t.len};
    while (s.first < s.last && t.c[s.first] == WEDR_SIGMA_STAR) {
        s.first++;
        s.front = true;
    }
    while (s.last > s.first && t.c[s.last - 1] == WEDR_SIGMA_STAR) {
        s.last--;
        s.behind = true;
    }
    struct wedr_sigma_text middle = {t.c + s.first, s.last - s.first};
    s.inner = wedr_sigma_text_special(middle);
    return s;
}

/* The pattern language of wedr_text_wildcard. */
static struct wedr_text pattern_of(struct wedr_arena *a, struct wedr_sigma_text t)
{
    char *p = wedr_arena_alloc(a, 2 * (size_t)t.len + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; p && i < t.len; i++) {
        uint16_t code = t.c[i];
        if (code == '*' || code == '?' || code == '\\') {
            p[n++] = '\\';
        }
        p[n++] = (char)(code == WEDR_SIGMA_STAR      ? '*'
                        : code == WEDR_SIGMA_ANY     ? '?'
                        : code == WEDR_SIGMA_PERCENT ? '%'
                                                     : code);
    }
    return wedr_text(p, n);
}

static int text_node(struct wedr_sigma_compiler *c,
                     uint32_t line,
                     uint32_t field,
                     const struct wedr_sigma_value *v,
                     uint32_t *ret_node)
{
    struct shape s = shape_of(v->text);
    enum wedr_pred_kind kind = WEDR_PRED_EQUALS;
    struct wedr_text t;
    if (s.inner || (s.first == s.last && (s.front || s.behind))) {
        kind = WEDR_PRED_WILDCARD;
        t = pattern_of(c->arena, v->text);
    } else {
        struct wedr_sigma_text middle = {v->text.c + s.first, s.last - s.first};
        t = wedr_sigma_text_bytes(c->arena, middle);
        kind = s.front && s.behind ? WEDR_PRED_CONTAINS
               : s.front           ? WEDR_PRED_SUFFIX
               : s.behind          ? WEDR_PRED_PREFIX
                                   : WEDR_PRED_EQUALS;
    }
    if (!t.p) {
        return wedr_sigma_full(c, line);
    }
    return told(c, line,
                wedr_ir_text(c->rs, field, kind, t, v->flags & WEDR_PRED_CASED, ret_node, c->ei));
}

static int regex_node(struct wedr_sigma_compiler *c,
                      uint32_t line,
                      uint32_t field,
                      const struct wedr_sigma_value *v,
                      uint32_t *ret_node)
{
    struct wedr_text t = v->raw;
    if (v->starts || v->ends) {
        char *p = wedr_arena_printf(c->arena, "%s(?:%.*s)%s", v->starts ? "^" : "", (int)t.len, t.p,
                                    v->ends ? "$" : "");
        if (!p) {
            return wedr_sigma_full(c, line);
        }
        t = wedr_text(p, strlen(p));
    }
    return told(c, line, wedr_ir_text(c->rs, field, WEDR_PRED_REGEX, t, v->flags, ret_node, c->ei));
}

static int cidr_node(struct wedr_sigma_compiler *c,
                     uint32_t line,
                     uint32_t field,
                     const struct wedr_sigma_value *v,
                     uint32_t *ret_node)
{
    struct wedr_pred p = {.field = field, .kind = WEDR_PRED_CIDR};
    if (wedr_net_parse(v->raw.p, v->raw.len, &p.u.net) < 0) {
        return wedr_sigma_fail(c, line, WEDR_E_FORMAT, "'%.*s' is no network",
                               (int)(v->raw.len < 60 ? v->raw.len : 60), v->raw.p);
    }
    return told(c, line, wedr_ir_pred(c->rs, &p, ret_node, c->ei));
}

static int field_node(struct wedr_sigma_compiler *c,
                      uint32_t line,
                      uint32_t field,
                      const struct wedr_sigma_value *v,
                      uint32_t *ret_node)
{
    struct wedr_pred p = {.field = field, .kind = WEDR_PRED_FIELD, .flags = v->flags};
    p.op = v->ordered             ? v->op
           : v->starts && v->ends ? WEDR_OP_CONTAINS
           : v->starts            ? WEDR_OP_STARTS
           : v->ends              ? WEDR_OP_ENDS
                                  : WEDR_OP_EQ;
    int e = wedr_ruleset_field(c->rs, v->raw.p, v->raw.len, &p.u.other);
    return told(c, line, e < 0 ? e : wedr_ir_pred(c->rs, &p, ret_node, c->ei));
}

static int value_node(struct wedr_sigma_compiler *c,
                      uint32_t line,
                      uint32_t field,
                      const struct wedr_sigma_value *v,
                      uint32_t *ret_node)
{
    struct wedr_pred p = {.field = field, .op = v->op, .part = v->part, .u.number = v->number};
    switch (v->kind) {
    case WEDR_SIGMA_TEXT:
        return text_node(c, line, field, v, ret_node);
    case WEDR_SIGMA_REGEX:
        return regex_node(c, line, field, v, ret_node);
    case WEDR_SIGMA_CIDR:
        return cidr_node(c, line, field, v, ret_node);
    case WEDR_SIGMA_FIELD:
        return field_node(c, line, field, v, ret_node);
    case WEDR_SIGMA_NUMBER:
    case WEDR_SIGMA_TIME:
        p.kind = v->kind == WEDR_SIGMA_TIME ? WEDR_PRED_TIME : WEDR_PRED_NUMBER;
        return told(c, line, wedr_ir_pred(c->rs, &p, ret_node, c->ei));
    case WEDR_SIGMA_BOOL:
        p.kind = WEDR_PRED_BOOL;
        p.u.boolean = v->boolean;
        return told(c, line, wedr_ir_pred(c->rs, &p, ret_node, c->ei));
    case WEDR_SIGMA_EXISTS:
    case WEDR_SIGMA_NULL:
        return told(
            c, line,
            wedr_ir_exists(c->rs, field, v->kind == WEDR_SIGMA_EXISTS && v->boolean, ret_node));
    default:
        return told(c, line, wedr_ir_constant(c->rs, false, ret_node));
    }
}

/* A keyword is looked for inside of every value, unless a modifier says where. */
static int keyword_value(struct wedr_sigma_compiler *c,
                         const struct wedr_sigma_item *item,
                         uint32_t line,
                         struct wedr_sigma_value *v)
{
    if (v->kind == WEDR_SIGMA_NUMBER && !v->ordered) {
        v->kind = WEDR_SIGMA_TEXT;
        v->text = wedr_sigma_text_plain(c->arena, v->raw);
    }
    if (v->kind == WEDR_SIGMA_NULL || v->kind == WEDR_SIGMA_EXISTS || v->kind == WEDR_SIGMA_FIELD) {
        return wedr_sigma_fail(c, line, WEDR_E_FORMAT, "null, exists and fieldref need a field");
    }
    if (v->kind != WEDR_SIGMA_TEXT || item->anchored) {
        return WEDR_OK;
    }
    struct wedr_sigma_text t = v->text;
    uint16_t *p = wedr_arena_alloc(c->arena, ((size_t)t.len + 2) * sizeof(*p));
    if (!p || !t.c) {
        return wedr_sigma_full(c, line);
    }
    p[0] = WEDR_SIGMA_STAR;
    memcpy(p + 1, t.c, t.len * sizeof(*p));
    p[t.len + 1] = WEDR_SIGMA_STAR;
    v->text.c = p;
    v->text.len = t.len + 2;
    return WEDR_OK;
}

static int group_node(struct wedr_sigma_compiler *c,
                      const struct wedr_sigma_item *item,
                      uint32_t field,
                      const struct wedr_sigma_group *g,
                      uint32_t *ret_node)
{
    struct node_list kids = {NULL, 0};
    int e = list_new(c, g->line, g->count, &kids);
    for (struct wedr_sigma_value *v = g->first; e == WEDR_OK && v; v = v->next) {
        if (field == WEDR_FIELD_ANY) {
            e = keyword_value(c, item, g->line, v);
        }
        if (e == WEDR_OK) {
            e = value_node(c, g->line, field, v, &kids.v[kids.count++]);
        }
    }
    if (e == WEDR_OK && kids.count == 1) {
        *ret_node = kids.v[0];
        return WEDR_OK;
    }
    return e < 0 ? e : told(c, g->line, wedr_ir_or(c->rs, kids.v, kids.count, ret_node));
}

static bool is_literal(const struct wedr_sigma_group *g, uint8_t flags)
{
    for (const struct wedr_sigma_value *v = g->first; v; v = v->next) {
        if (v->kind != WEDR_SIGMA_TEXT || v->flags != flags || wedr_sigma_text_special(v->text)) {
            return false;
        }
    }
    return g->first != NULL;
}

/* Many plain values: one list instead of as many predicates. */
static int set_node(struct wedr_sigma_compiler *c,
                    const struct wedr_sigma_item *item,
                    uint32_t field,
                    uint32_t *ret_node)
{
    uint8_t flags = item->first->first->flags;
    struct wedr_pred p = {.field = field, .kind = WEDR_PRED_SET};
    int e = wedr_ruleset_set_new(c->rs, WEDR_SET_EXACT, flags & WEDR_PRED_CASED, &p.u.set);
    for (const struct wedr_sigma_group *g = item->first; e == WEDR_OK && g; g = g->next) {
        for (const struct wedr_sigma_value *v = g->first; e == WEDR_OK && v; v = v->next) {
            struct wedr_text t = wedr_sigma_text_bytes(c->arena, v->text);
            e = t.p ? wedr_ruleset_set_add(c->rs, p.u.set, t.p, t.len)
                    : wedr_sigma_full(c, g->line);
        }
    }
    if (e == WEDR_OK) {
        e = wedr_ruleset_set_seal(c->rs, p.u.set);
    }
    return told(c, item->first->line, e < 0 ? e : wedr_ir_pred(c->rs, &p, ret_node, c->ei));
}

static bool wants_set(const struct wedr_sigma_item *item, uint32_t field)
{
    uint32_t count = 0;
    if (item->all || field == WEDR_FIELD_ANY || !item->first || !item->first->first) {
        return false;
    }
    for (const struct wedr_sigma_group *g = item->first; g; g = g->next) {
        if (!is_literal(g, item->first->first->flags)) {
            return false;
        }
        count += g->count;
    }
    return count >= SET_FROM;
}

static int item_node_plain(struct wedr_sigma_compiler *c,
                           const struct wedr_sigma_item *item,
                           uint32_t field,
                           uint32_t *ret_node)
{
    struct node_list kids = {NULL, 0};
    uint32_t line = item->first ? item->first->line : c->line;
    if (!item->first) { /* an empty list is null */
        return field == WEDR_FIELD_ANY
                   ? wedr_sigma_fail(c, line, WEDR_E_FORMAT, "an empty list of keywords")
                   : told(c, line, wedr_ir_exists(c->rs, field, false, ret_node));
    }
    if (wants_set(item, field)) {
        return set_node(c, item, field, ret_node);
    }
    int e = list_new(c, line, item->count, &kids);
    for (const struct wedr_sigma_group *g = item->first; e == WEDR_OK && g; g = g->next) {
        e = group_node(c, item, field, g, &kids.v[kids.count++]);
    }
    if (e < 0) {
        return e;
    }
    if (kids.count == 1) {
        *ret_node = kids.v[0];
        return WEDR_OK;
    }
    return told(c, line,
                item->all ? wedr_ir_and(c->rs, kids.v, kids.count, ret_node)
                          : wedr_ir_or(c->rs, kids.v, kids.count, ret_node));
}

int wedr_sigma_item_node(struct wedr_sigma_compiler *c,
                         const struct wedr_sigma_item *item,
                         uint32_t *ret_node)
{
    uint32_t field = WEDR_FIELD_ANY;
    uint32_t node = 0;
    int e = WEDR_OK;
    if (item->field.len > 0) {
        e = wedr_ruleset_field(c->rs, item->field.p, item->field.len, &field);
        if (e == WEDR_E_INVAL) {
            return wedr_sigma_fail(c, item->first ? item->first->line : c->line, WEDR_E_LIMIT,
                                   "the name of a field is too long");
        }
    }
    if (e == WEDR_OK) {
        e = item_node_plain(c, item, field, &node);
    }
    if (e == WEDR_OK && item->negated) {
        e = wedr_ir_not(c->rs, node, &node);
    }
    if (e == WEDR_OK) {
        *ret_node = node;
    }
    return e;
}

static bool only_scalars(const struct wedr_yaml *list)
{
    for (const struct wedr_yaml *y = list->first; y; y = y->next) {
        if (y->kind != WEDR_YAML_SCALAR) {
            return false;
        }
    }
    return true;
}

static int
keywords_node(struct wedr_sigma_compiler *c, const struct wedr_yaml *values, uint32_t *ret_node)
{
    struct wedr_sigma_item item;
    int e = wedr_sigma_item_read(c, values, wedr_text("", 0), &item);
    return e < 0 ? e : wedr_sigma_item_node(c, &item, ret_node);
}

int wedr_sigma_detection_node(struct wedr_sigma_compiler *c,
                              const struct wedr_yaml *d,
                              uint32_t *ret_node)
{
    struct node_list kids = {NULL, 0};
    if (d->kind != WEDR_YAML_SCALAR && !d->first) {
        return wedr_sigma_fail(c, d->line, WEDR_E_FORMAT, "an empty search identifier");
    }
    if (d->kind == WEDR_YAML_SCALAR || (d->kind == WEDR_YAML_LIST && only_scalars(d))) {
        return keywords_node(c, d, ret_node);
    }
    int e = list_new(c, d->line, d->count, &kids);
    for (const struct wedr_yaml *y = d->first; e == WEDR_OK && y; y = y->next) {
        uint32_t *node = &kids.v[kids.count++];
        struct wedr_sigma_item item;
        if (d->kind == WEDR_YAML_LIST) {
            e = wedr_sigma_detection_node(c, y, node);
        } else {
            c->line = y->line;
            e = wedr_sigma_item_read(c, y, y->key, &item);
            e = e < 0 ? e : wedr_sigma_item_node(c, &item, node);
        }
    }
    if (e < 0) {
        return e;
    }
    if (kids.count == 1) {
        *ret_node = kids.v[0];
        return WEDR_OK;
    }
    return told(c, d->line,
                d->kind == WEDR_YAML_LIST ? wedr_ir_or(c->rs, kids.v, kids.count, ret_node)
                                          : wedr_ir_and(c->rs, kids.v, kids.count, ret_node));
}
