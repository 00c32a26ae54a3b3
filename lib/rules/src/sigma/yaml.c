/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/yaml.c — trees from the events of libyaml. */
#include "yaml.h"
#include "core/base/err.h"
#include <string.h>
#include <yaml.h>

#define DEPTH_MAX 64u

struct anchor {
    struct wedr_text name;
    const struct wedr_yaml *node;
    struct anchor *next;
};

struct frame {
    struct wedr_yaml *node;
    struct wedr_yaml *last; /* child */
    struct wedr_text anchor;
    struct wedr_text key; /* of the value to come */
    bool have_key;
    bool merge; /* that key is an unquoted << */
};

struct reader {
    struct wedr_arena *arena;
    const struct wedr_yaml_limits *limits;
    struct wedr_yaml *first, *last; /* documents */
    struct anchor *anchors;
    struct frame stack[DEPTH_MAX];
    uint32_t depth;
    uint32_t nodes;
    uint32_t line;
    struct wedr_errinfo *ei;
};

static struct wedr_text copy(struct reader *r, const void *p, size_t len)
{
    char *q = len ? wedr_arena_strndup(r->arena, p, len) : NULL;
    return q ? wedr_text(q, len) : wedr_text("", 0);
}

static struct wedr_yaml *node_new(struct reader *r, enum wedr_yaml_kind kind)
{
    struct wedr_yaml *n = wedr_arena_alloc(r->arena, sizeof(*n));
    if (n) {
        n->kind = (uint8_t)kind;
        n->line = r->line;
        n->depth = 1;
        n->weight = 1;
        n->text = n->key = wedr_text("", 0);
    }
    return n;
}

static int count_nodes(struct reader *r, uint32_t n)
{
    if (n > r->limits->nodes_max - r->nodes) {
        return wedr_fail(r->ei, WEDR_E_LIMIT, "more than %u values", r->limits->nodes_max);
    }
    r->nodes += n;
    return WEDR_OK;
}

static void append(struct frame *f, struct wedr_yaml *child)
{
    if (f->last) {
        f->last->next = child;
    } else {
        f->node->first = child;
    }
    f->last = child;
    f->node->count++;
    f->node->weight += child->weight;
    if (child->depth >= f->node->depth) {
        f->node->depth = (uint8_t)(child->depth + 1);
    }
}

/* The entries of a map that `<<` names, as far as the map has no such key of its own. */
static int merge_map(struct reader *r, struct frame *f, const struct wedr_yaml *from)
{
    if (from->kind != WEDR_YAML_MAP) {
        return wedr_fail(r->ei, WEDR_E_FORMAT, "<< needs a map");
    }
    for (const struct wedr_yaml *c = from->first; c; c = c->next) {
        bool have = false;
        for (const struct wedr_yaml *own = f->node->first; own && !have; own = own->next) {
            have = own->key.len == c->key.len &&
                   (c->key.len == 0 || memcmp(own->key.p, c->key.p, c->key.len) == 0);
        }
        struct wedr_yaml *n = have ? NULL : node_new(r, WEDR_YAML_SCALAR);
        int e = have ? WEDR_OK : count_nodes(r, c->weight);
        if (e < 0) {
            return e;
        }
        if (n) {
            *n = *c;
            n->next = NULL;
            append(f, n);
        }
    }
    return WEDR_OK;
}

/* A finished node goes where it belongs. */
static int place(struct reader *r, struct wedr_yaml *n)
{
    if (r->depth == 0) {
        if (r->last) {
            r->last->next = n;
        } else {
            r->first = n;
        }
        r->last = n;
        return WEDR_OK;
    }
    struct frame *f = &r->stack[r->depth - 1];
    if (f->node->kind == WEDR_YAML_LIST) {
        append(f, n);
        return WEDR_OK;
    }
    if (!f->have_key) {
        if (n->kind != WEDR_YAML_SCALAR) {
            return wedr_fail(r->ei, WEDR_E_FORMAT, "a key that is a list or a map");
        }
        f->key = n->text;
        f->have_key = true;
        f->merge = n->plain && wedr_text_is(n->text, "<<");
        return WEDR_OK;
    }
    f->have_key = false;
    n->key = f->key;
    append(f, n);
    if (f->merge) {
        n->key = wedr_text(NULL, 0); /* resolved at the end of the map */
    }
    return WEDR_OK;
}

static int add_anchor(struct reader *r, struct wedr_text name, const struct wedr_yaml *n)
{
    if (name.len == 0) {
        return WEDR_OK;
    }
    struct anchor *a = wedr_arena_alloc(r->arena, sizeof(*a));
    if (!a) {
        return WEDR_E_LIMIT;
    }
    a->name = name;
    a->node = n;
    a->next = r->anchors;
    r->anchors = a;
    return WEDR_OK;
}

static int on_alias(struct reader *r, const char *name)
{
    const struct anchor *a = r->anchors;
    while (a && !wedr_text_is(a->name, name)) {
        a = a->next;
    }
    if (!a) {
        return wedr_fail(r->ei, WEDR_E_FORMAT, "alias *%.40s names nothing before it", name);
    }
    if (a->node->depth + r->depth > r->limits->depth_max) {
        return wedr_fail(r->ei, WEDR_E_LIMIT, "nested more than %u deep", r->limits->depth_max);
    }
    int e = count_nodes(r, a->node->weight);
    struct wedr_yaml *n = e < 0 ? NULL : node_new(r, WEDR_YAML_SCALAR);
    if (!n) {
        return e < 0 ? e : WEDR_E_LIMIT;
    }
    *n = *a->node;
    n->next = NULL;
    n->key = wedr_text("", 0);
    return place(r, n);
}

static int on_scalar(struct reader *r, const yaml_event_t *ev)
{
    int e = count_nodes(r, 1);
    struct wedr_yaml *n = e < 0 ? NULL : node_new(r, WEDR_YAML_SCALAR);
    if (!n) {
        return e < 0 ? e : WEDR_E_LIMIT;
    }
    const char *tag = (const char *)ev->data.scalar.tag;
    n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
               !(tag && (strcmp(tag, "!") == 0 || strcmp(tag, "tag:yaml.org,2002:str") == 0));
    n->text = copy(r, ev->data.scalar.value, ev->data.scalar.length);
    const char *anchor = (const char *)ev->data.scalar.anchor;
    e = add_anchor(r, anchor ? copy(r, anchor, strlen(anchor)) : wedr_text("", 0), n);
    return e < 0 ? e : place(r, n);
}

static int on_begin(struct reader *r, enum wedr_yaml_kind kind, const yaml_char_t *anchor)
{
    if (r->depth + 1 >= r->limits->depth_max || r->depth + 1 >= DEPTH_MAX) {
        return wedr_fail(r->ei, WEDR_E_LIMIT, "nested more than %u deep", r->limits->depth_max);
    }
    int e = count_nodes(r, 1);
    struct wedr_yaml *n = e < 0 ? NULL : node_new(r, kind);
    if (!n) {
        return e < 0 ? e : WEDR_E_LIMIT;
    }
    struct frame f = {.node = n, .anchor = wedr_text("", 0)};
    if (anchor) {
        f.anchor = copy(r, anchor, strlen((const char *)anchor));
    }
    r->stack[r->depth++] = f;
    return WEDR_OK;
}

/* Entries whose key was << leave the map; what they hold comes in. */
static int merge_all(struct reader *r, struct frame *f)
{
    struct wedr_yaml **at = &f->node->first;
    const struct wedr_yaml *merges = NULL;
    f->last = NULL;
    while (*at) {
        struct wedr_yaml *c = *at;
        if (c->key.p) {
            f->last = c;
            at = &c->next;
            continue;
        }
        *at = c->next;
        f->node->count--;
        c->next = (struct wedr_yaml *)(uintptr_t)merges;
        merges = c;
    }
    for (const struct wedr_yaml *m = merges; m; m = m->next) {
        const struct wedr_yaml *one = m->kind == WEDR_YAML_LIST ? m->first : m;
        while (one) {
            int e = merge_map(r, f, one);
            if (e < 0) {
                return e;
            }
            one = m->kind == WEDR_YAML_LIST ? one->next : NULL;
        }
    }
    return WEDR_OK;
}

static int on_end(struct reader *r)
{
    struct frame *f = &r->stack[r->depth - 1];
    if (f->node && f->node->kind == WEDR_YAML_MAP) {
        int e = merge_all(r, f);
        if (e < 0) {
            return e;
        }
        const struct wedr_yaml *twice = wedr_yaml_twice(r->arena, f->node);
        if (twice) {
            r->line = twice->line;
            return wedr_fail(r->ei, WEDR_E_FORMAT, "key '%.*s' stands twice",
                             (int)(twice->key.len < 100 ? twice->key.len : 100), twice->key.p);
        }
    }
    struct wedr_yaml *n = f->node;
    int e = add_anchor(r, f->anchor, n);
    r->depth--;
    return e < 0 ? e : place(r, n);
}

static int on_event(struct reader *r, const yaml_event_t *ev)
{
    switch (ev->type) {
    case YAML_SCALAR_EVENT:
        return on_scalar(r, ev);
    case YAML_ALIAS_EVENT:
        return on_alias(r, (const char *)ev->data.alias.anchor);
    case YAML_SEQUENCE_START_EVENT:
        return on_begin(r, WEDR_YAML_LIST, ev->data.sequence_start.anchor);
    case YAML_MAPPING_START_EVENT:
        return on_begin(r, WEDR_YAML_MAP, ev->data.mapping_start.anchor);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_end(r);
    case YAML_DOCUMENT_START_EVENT:
        r->anchors = NULL;
        return WEDR_OK;
    default:
        return WEDR_OK;
    }
}

static int read_events(struct reader *r, yaml_parser_t *p)
{
    for (;;) {
        yaml_event_t ev;
        if (!yaml_parser_parse(p, &ev)) {
            r->line = (uint32_t)p->problem_mark.line + 1;
            return p->error == YAML_MEMORY_ERROR
                       ? WEDR_E_NOMEM
                       : wedr_fail(r->ei, WEDR_E_FORMAT, "no YAML: %s",
                                   p->problem ? p->problem : "unreadable");
        }
        bool end = ev.type == YAML_STREAM_END_EVENT;
        r->line = (uint32_t)ev.start_mark.line + 1;
        int e = on_event(r, &ev);
        yaml_event_delete(&ev);
        if (e < 0 || end) {
            return e;
        }
    }
}

int wedr_yaml_read_full(struct wedr_arena *a,
                        const struct wedr_yaml_limits *limits,
                        const char *s,
                        size_t len,
                        struct wedr_yaml **ret_documents,
                        uint32_t *ret_line,
                        struct wedr_errinfo *ei)
{
    yaml_parser_t p;
    struct reader r = {.arena = a, .limits = limits, .ei = ei};
    if (!yaml_parser_initialize(&p)) {
        return WEDR_E_NOMEM;
    }
    yaml_parser_set_input_string(&p, (const unsigned char *)s, len);
    int e = read_events(&r, &p);
    yaml_parser_delete(&p);
    if (wedr_arena_overflowed(a)) {
        e = wedr_fail(ei, WEDR_E_LIMIT, "too big");
    }
    if (e < 0) {
        *ret_line = r.line;
        return e;
    }
    *ret_documents = r.first;
    return WEDR_OK;
}

int wedr_yaml_read(struct wedr_arena *a,
                   const struct wedr_yaml_limits *limits,
                   const char *s,
                   size_t len,
                   struct wedr_yaml **ret_documents,
                   uint32_t *ret_line,
                   struct wedr_errinfo *ei)
{
    size_t mark = wedr_arena_mark(a);
    if (wedr_yaml_read_quick(a, limits, s, len, ret_documents) == WEDR_OK) {
        return WEDR_OK;
    }
    wedr_arena_reset(a, mark);
    return wedr_yaml_read_full(a, limits, s, len, ret_documents, ret_line, ei);
}
