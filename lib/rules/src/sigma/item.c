/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/item.c — one entry of a detection: its values, and the modifiers in their order.
 */
#include "core/base/err.h"
#include "value.h"
#include <string.h>

#define MODIFIERS_MAX 16u

struct modifier {
    const char *name;
    wedr_sigma_modifier_fn *fn; /* NULL: said by the item, see apply_list */
    uint8_t arg;
};

static int bad(struct wedr_sigma_compiler *c, const struct wedr_sigma_group *g, const char *what)
{
    return wedr_sigma_fail(c, g->line, WEDR_E_FORMAT, "%s", what);
}

static bool code_is(struct wedr_sigma_text t, uint32_t i, uint16_t code)
{
    return i < t.len && t.c[i] == code;
}

/* The text of a number, for modifiers that need a text. */
static int number_to_text(struct wedr_sigma_compiler *c, struct wedr_sigma_value *v)
{
    v->kind = WEDR_SIGMA_TEXT;
    v->text = wedr_sigma_text_plain(c->arena, v->raw);
    return v->text.c ? WEDR_OK : WEDR_E_LIMIT;
}

/* starts: a star goes behind; ends: one in front. Not doubled. */
static int widen(struct wedr_sigma_compiler *c,
                 const struct wedr_sigma_group *g,
                 struct wedr_sigma_value *v,
                 bool front,
                 bool behind)
{
    struct wedr_sigma_text t = v->text;
    struct wedr_sigma_text n = {wedr_arena_alloc(c->arena, ((size_t)t.len + 3) * sizeof(uint16_t)),
                                0};
    if (!n.c) {
        return wedr_sigma_full(c, g->line);
    }
    if (front && !code_is(t, 0, WEDR_SIGMA_STAR)) {
        n.c[n.len++] = WEDR_SIGMA_STAR;
    }
    memcpy(n.c + n.len, t.c, t.len * sizeof(uint16_t));
    n.len += t.len;
    if (behind && !(n.len > 0 && n.c[n.len - 1] == WEDR_SIGMA_STAR)) {
        n.c[n.len++] = WEDR_SIGMA_STAR;
    }
    v->text = n;
    v->changed = true;
    return WEDR_OK;
}

static int place(struct wedr_sigma_compiler *c,
                 struct wedr_sigma_group *g,
                 struct wedr_sigma_value *v,
                 bool starts,
                 bool ends)
{
    int e = WEDR_OK;
    if (v->kind == WEDR_SIGMA_NUMBER && !v->ordered) {
        e = number_to_text(c, v);
    }
    if (e == WEDR_OK && v->kind == WEDR_SIGMA_TEXT) {
        e = widen(c, g, v, !starts, !ends);
    } else if (v->kind == WEDR_SIGMA_REGEX || v->kind == WEDR_SIGMA_FIELD) {
        v->starts = starts || (v->kind == WEDR_SIGMA_FIELD && !ends);
        v->ends = ends || (v->kind == WEDR_SIGMA_FIELD && !starts);
    } else if (v->kind != WEDR_SIGMA_NEVER && e == WEDR_OK) {
        e = bad(c, g, "contains, startswith and endswith need a text");
    }
    wedr_sigma_push(g, v);
    return e;
}

static int
do_contains(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    return place(c, g, v, false, false);
}

static int
do_startswith(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    return place(c, g, v, true, false);
}

static int
do_endswith(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    return place(c, g, v, false, true);
}

/* re, cidr and fieldref take a text that no other modifier touched. */
static int retype(struct wedr_sigma_compiler *c,
                  struct wedr_sigma_group *g,
                  struct wedr_sigma_value *v,
                  enum wedr_sigma_kind kind,
                  const char *what)
{
    bool text = v->kind == WEDR_SIGMA_TEXT || (v->kind == WEDR_SIGMA_NUMBER && !v->ordered);
    text &= !v->changed || kind == WEDR_SIGMA_FIELD;
    v->kind = (uint8_t)kind;
    wedr_sigma_push(g, v);
    return text ? WEDR_OK : bad(c, g, what);
}

static int
do_re(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    return retype(c, g, v, WEDR_SIGMA_REGEX, "re needs a text, and comes first");
}

static int
do_cidr(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    return retype(c, g, v, WEDR_SIGMA_CIDR, "cidr needs a text, and comes first");
}

static int
do_fieldref(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    struct wedr_sigma_text t = v->text;
    bool front = v->kind == WEDR_SIGMA_TEXT && code_is(t, 0, WEDR_SIGMA_STAR);
    bool behind = v->kind == WEDR_SIGMA_TEXT && t.len > 0 && code_is(t, t.len - 1, WEDR_SIGMA_STAR);
    int e = retype(c, g, v, WEDR_SIGMA_FIELD, "fieldref needs the name of a field");
    if (e < 0) {
        return e;
    }
    if (t.c) { /* contains|fieldref: the stars say how to compare */
        t.c += front;
        t.len -= (uint32_t)front + (uint32_t)(behind && t.len > front);
        v->starts = behind || v->starts;
        v->ends = front || v->ends;
        v->raw = wedr_sigma_text_bytes(c->arena, t);
    }
    return v->raw.len == 0 || wedr_sigma_text_special(t)
               ? bad(c, g, "fieldref needs the name of a field")
               : WEDR_OK;
}

static int regex_flag(struct wedr_sigma_compiler *c,
                      struct wedr_sigma_group *g,
                      struct wedr_sigma_value *v,
                      unsigned flag)
{
    v->flags |= (uint8_t)flag;
    wedr_sigma_push(g, v);
    return v->kind == WEDR_SIGMA_REGEX || v->kind == WEDR_SIGMA_NEVER
               ? WEDR_OK
               : bad(c, g, "i, m and s follow re");
}

static int
do_i(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    return regex_flag(c, g, v, WEDR_PRED_RE_I);
}

static int
do_m(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    return regex_flag(c, g, v, WEDR_PRED_RE_M);
}

static int
do_s(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    return regex_flag(c, g, v, WEDR_PRED_RE_S);
}

static int
do_cased(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    v->flags |= WEDR_PRED_CASED;
    wedr_sigma_push(g, v);
    return v->kind == WEDR_SIGMA_TEXT || v->kind == WEDR_SIGMA_FIELD ||
                   v->kind == WEDR_SIGMA_NEVER || v->kind == WEDR_SIGMA_NUMBER
               ? WEDR_OK
               : bad(c, g, "cased needs a text");
}

static int
do_exists(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    bool given = v->kind == WEDR_SIGMA_BOOL;
    if (v->kind == WEDR_SIGMA_TEXT &&
        (wedr_text_is(v->raw, "true") || wedr_text_is(v->raw, "false"))) {
        v->boolean = wedr_text_is(v->raw, "true");
        given = true;
    }
    v->kind = WEDR_SIGMA_EXISTS;
    wedr_sigma_push(g, v);
    return given ? WEDR_OK : bad(c, g, "exists needs true or false");
}

/* A quoted number is a number too. */
static bool to_number(struct wedr_sigma_value *v)
{
    if (v->kind == WEDR_SIGMA_TEXT && wedr_number_parse(v->raw.p, v->raw.len, &v->number) == 0) {
        v->kind = WEDR_SIGMA_NUMBER;
    }
    return v->kind == WEDR_SIGMA_NUMBER;
}

static int compare(struct wedr_sigma_compiler *c,
                   struct wedr_sigma_group *g,
                   struct wedr_sigma_value *v,
                   enum wedr_pred_op op)
{
    bool ok = v->kind == WEDR_SIGMA_TIME || v->kind == WEDR_SIGMA_FIELD || to_number(v);
    if (v->ordered || (v->kind == WEDR_SIGMA_FIELD && (v->starts || v->ends))) {
        ok = false;
    }
    v->op = (uint8_t)op;
    v->ordered = true;
    wedr_sigma_push(g, v);
    return ok || v->kind == WEDR_SIGMA_NEVER ? WEDR_OK
                                             : bad(c, g, "lt, lte, gt and gte need one number");
}

static int
do_lt(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    return compare(c, g, v, WEDR_OP_LT);
}

static int
do_lte(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    return compare(c, g, v, WEDR_OP_LE);
}

static int
do_gt(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    return compare(c, g, v, WEDR_OP_GT);
}

static int
do_gte(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    return compare(c, g, v, WEDR_OP_GE);
}

static int time_part(struct wedr_sigma_compiler *c,
                     struct wedr_sigma_group *g,
                     struct wedr_sigma_value *v,
                     enum wedr_time_part part)
{
    bool ok = to_number(v);
    v->kind = WEDR_SIGMA_TIME;
    v->part = (uint8_t)part;
    wedr_sigma_push(g, v);
    return ok ? WEDR_OK : bad(c, g, "a part of a time needs a number");
}

#define TIME_PART(name, part)                                                       \
    static int do_##name(struct wedr_sigma_compiler *c, struct wedr_sigma_group *g, \
                         struct wedr_sigma_value *v)                                \
    {                                                                               \
        return time_part(c, g, v, part);                                            \
    }
TIME_PART(minute, WEDR_TIME_MINUTE)
TIME_PART(hour, WEDR_TIME_HOUR)
TIME_PART(day, WEDR_TIME_DAY)
TIME_PART(week, WEDR_TIME_WEEK)
TIME_PART(month, WEDR_TIME_MONTH)
TIME_PART(year, WEDR_TIME_YEAR)

enum { LIST_ALL = 1, LIST_NEQ, ANCHORS };

static const struct modifier modifiers[] = {
    {"contains", do_contains, ANCHORS},
    {"endswith", do_endswith, ANCHORS},
    {"startswith", do_startswith, ANCHORS},
    {"all", NULL, LIST_ALL},
    {"re", do_re, ANCHORS},
    {"windash", wedr_sigma_windash, 0},
    {"cidr", do_cidr, 0},
    {"expand", wedr_sigma_expand, 0},
    {"i", do_i, 0},
    {"m", do_m, 0},
    {"s", do_s, 0},
    {"ignorecase", do_i, 0},
    {"multiline", do_m, 0},
    {"dotall", do_s, 0},
    {"fieldref", do_fieldref, 0},
    {"exists", do_exists, 0},
    {"cased", do_cased, 0},
    {"base64", wedr_sigma_base64, 0},
    {"base64offset", wedr_sigma_base64offset, 0},
    {"wide", wedr_sigma_utf16le, 0},
    {"utf16le", wedr_sigma_utf16le, 0},
    {"utf16be", wedr_sigma_utf16be, 0},
    {"utf16", wedr_sigma_utf16, 0},
    {"neq", NULL, LIST_NEQ},
    {"lt", do_lt, 0},
    {"lte", do_lte, 0},
    {"gt", do_gt, 0},
    {"gte", do_gte, 0},
    {"minute", do_minute, 0},
    {"hour", do_hour, 0},
    {"day", do_day, 0},
    {"week", do_week, 0},
    {"month", do_month, 0},
    {"year", do_year, 0},
};

struct chain {
    const struct modifier *v[MODIFIERS_MAX];
    uint32_t count;
    bool expand;
};

static int read_key(struct wedr_sigma_compiler *c,
                    uint32_t line,
                    struct wedr_text key,
                    struct wedr_text *ret_field,
                    struct chain *ret_chain)
{
    const char *p = key.p;
    const char *end = key.len ? p + key.len : p;
    const char *bar = key.len ? memchr(p, '|', key.len) : NULL;
    *ret_field = wedr_text(p, (size_t)((bar ? bar : end) - p));
    while (bar) {
        p = bar + 1;
        bar = p < end ? memchr(p, '|', (size_t)(end - p)) : NULL;
        struct wedr_text name = wedr_text(p, (size_t)((bar ? bar : end) - p));
        size_t i = 0;
        while (i < WEDR_ARRAY_COUNT(modifiers) && !wedr_text_is(name, modifiers[i].name)) {
            i++;
        }
        if (i == WEDR_ARRAY_COUNT(modifiers)) {
            return wedr_sigma_fail(c, line, WEDR_E_UNSUP, "modifier '%.*s' is unknown",
                                   (int)(name.len < 60 ? name.len : 60), name.p);
        }
        if (ret_chain->count == MODIFIERS_MAX) {
            return wedr_sigma_fail(c, line, WEDR_E_LIMIT, "more than %u modifiers", MODIFIERS_MAX);
        }
        ret_chain->v[ret_chain->count++] = &modifiers[i];
        ret_chain->expand |= modifiers[i].fn == wedr_sigma_expand;
    }
    return WEDR_OK;
}

static int read_value(struct wedr_sigma_compiler *c,
                      const struct wedr_yaml *y,
                      const struct chain *chain,
                      struct wedr_sigma_value *v)
{
    bool boolean = false;
    v->raw = y->text;
    switch (wedr_yaml_type(y, &boolean, &v->number)) {
    case WEDR_YAML_NULL:
        v->kind = WEDR_SIGMA_NULL;
        return WEDR_OK;
    case WEDR_YAML_BOOL:
        v->kind = WEDR_SIGMA_BOOL;
        v->boolean = boolean;
        return WEDR_OK;
    case WEDR_YAML_NUMBER:
        v->kind = WEDR_SIGMA_NUMBER;
        return WEDR_OK;
    case WEDR_YAML_TEXT:
        v->kind = WEDR_SIGMA_TEXT;
        v->text = wedr_sigma_text_parse(c->arena, y->text, chain->expand);
        return v->text.c ? WEDR_OK : wedr_sigma_full(c, y->line);
    default:
        return wedr_sigma_fail(c, y->line, WEDR_E_FORMAT, "a value is a list or a map");
    }
}

/* One value through the whole chain. */
static int read_group(struct wedr_sigma_compiler *c,
                      const struct wedr_yaml *y,
                      const struct chain *chain,
                      struct wedr_sigma_group *g)
{
    struct wedr_sigma_value *v = wedr_arena_alloc(c->arena, sizeof(*v));
    if (!v) {
        return wedr_sigma_full(c, y->line);
    }
    g->line = y->line;
    int e = read_value(c, y, chain, v);
    if (e < 0) {
        return e;
    }
    wedr_sigma_push(g, v);
    for (uint32_t i = 0; i < chain->count; i++) {
        struct wedr_sigma_value *old = g->first;
        g->first = g->last = NULL;
        g->count = 0;
        while (old && chain->v[i]->fn) {
            struct wedr_sigma_value *next = old->next;
            bool skip = old->kind == WEDR_SIGMA_NEVER;
            if (skip) {
                wedr_sigma_push(g, old);
            }
            e = skip ? WEDR_OK : chain->v[i]->fn(c, g, old);
            if (e < 0) {
                return e;
            }
            old = next;
        }
        for (; old; old = v) { /* a modifier of the whole list */
            v = old->next;
            wedr_sigma_push(g, old);
        }
    }
    return WEDR_OK;
}

int wedr_sigma_item_read(struct wedr_sigma_compiler *c,
                         const struct wedr_yaml *entry,
                         struct wedr_text key,
                         struct wedr_sigma_item *ret_item)
{
    struct chain chain = {.count = 0};
    struct wedr_sigma_item item = {.count = 0};
    int e = read_key(c, entry->line, key, &item.field, &chain);
    for (uint32_t i = 0; i < chain.count; i++) {
        item.all |= chain.v[i]->arg == LIST_ALL;
        item.negated |= chain.v[i]->arg == LIST_NEQ;
        item.anchored |= chain.v[i]->arg == ANCHORS;
    }
    if (e == WEDR_OK && entry->kind == WEDR_YAML_MAP) {
        e = wedr_sigma_fail(c, entry->line, WEDR_E_FORMAT, "a value is a map");
    }
    const struct wedr_yaml *y = entry->kind == WEDR_YAML_LIST ? entry->first : entry;
    struct wedr_sigma_group **end = &item.first;
    while (e == WEDR_OK && y) {
        struct wedr_sigma_group *g = wedr_arena_alloc(c->arena, sizeof(*g));
        if (!g) {
            return wedr_sigma_full(c, entry->line);
        }
        e = read_group(c, y, &chain, g);
        *end = g;
        end = &g->next;
        item.count++;
        y = entry->kind == WEDR_YAML_LIST ? y->next : NULL;
    }
    if (e == WEDR_OK) {
        *ret_item = item;
    }
    return e;
}
