/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/automaton.c — a trie from the sorted literals, failure targets in breadth-first
 * order, then the words. */
#include "match/automaton.h"
#include "core/base/err.h"
#include <stdlib.h>
#include <string.h>

#define ROW_EDGES_MIN 5u /* this many edges, or at the root and just below: a row */
#define ROOT 0u

struct trie_node {
    uint32_t child, sibling; /* 0: none */
    uint32_t fail;
    uint32_t out;    /* record of this state or of the next on the failure path, WEDR_IR_NONE */
    uint32_t offset; /* of its words */
    uint8_t byte, edges;
    uint8_t depth; /* 0, 1, 2: more */
    uint8_t flags; /* 1 MID, 2 END */
};

struct trie {
    struct wedr_pool *tmp;
    struct wedr_vec nodes; /* struct trie_node */
    struct wedr_vec order; /* uint32_t: breadth first */
    struct wedr_vec outs;  /* struct wedr_automaton_out */
    uint32_t class_count;
    uint8_t *classes;
};

static struct trie_node *node_at(const struct trie *t, uint32_t node)
{
    return WEDR_VEC_AT(struct trie_node, t->nodes, node);
}

static int literal_order(const void *a, const void *b)
{
    const struct wedr_literal *x = a;
    const struct wedr_literal *y = b;
    uint32_t common = x->text.len < y->text.len ? x->text.len : y->text.len;
    int r = memcmp(x->text.p, y->text.p, common);
    if (r != 0) {
        return r;
    }
    if (x->text.len != y->text.len) {
        return x->text.len < y->text.len ? -1 : 1;
    }
    return (int)x->place - (int)y->place;
}

static int
child_add(struct trie *t, uint32_t parent, uint32_t last, uint8_t byte, uint32_t *ret_node)
{
    struct trie_node n = {.byte = byte, .out = WEDR_IR_NONE};
    uint32_t id = (uint32_t)t->nodes.count;
    uint8_t depth = node_at(t, parent)->depth;
    n.depth = (uint8_t)(depth < 2 ? depth + 1 : 2);
    int r = wedr_vec_push(t->tmp, &t->nodes, &n, 1, sizeof(n));
    if (r < 0) {
        return r;
    }
    node_at(t, parent)->edges++; /* at most 230: folded texts have no A-Z */
    if (last) {
        node_at(t, last)->sibling = id;
    } else {
        node_at(t, parent)->child = id;
    }
    *ret_node = id;
    return WEDR_OK;
}

static int out_add(struct trie *t, uint32_t node, const struct wedr_literal *l)
{
    struct trie_node *n = node_at(t, node);
    if (n->out == WEDR_IR_NONE) {
        struct wedr_automaton_out o = {.depth = l->text.len, .link = WEDR_IR_NONE};
        memset(o.atom, 0xFF, sizeof(o.atom));
        n->out = (uint32_t)t->outs.count;
        int r = wedr_vec_push(t->tmp, &t->outs, &o, 1, sizeof(o));
        if (r < 0) {
            return r;
        }
    }
    WEDR_VEC_AT(struct wedr_automaton_out, t->outs, n->out)->atom[l->place] = l->atom;
    n->flags |= l->place == WEDR_LITERAL_SUFFIX ? 2 : 1;
    return WEDR_OK;
}

/* path[d] is the node of the first d bytes of the literal before; common bytes keep their nodes. */
static int insert_all(struct trie *t, const struct wedr_literal *l, size_t count, uint32_t *path)
{
    const struct wedr_literal *before = NULL;
    path[0] = ROOT;
    for (size_t i = 0; i < count; i++) {
        uint32_t d = 0;
        while (before && d < before->text.len && d < l[i].text.len &&
               before->text.p[d] == l[i].text.p[d]) {
            d++;
        }
        bool fork = before && d < before->text.len;
        for (uint32_t at = d; at < l[i].text.len; at++) {
            uint32_t last = fork && at == d ? path[d + 1] : 0;
            int r = child_add(t, path[at], last, (uint8_t)l[i].text.p[at], &path[at + 1]);
            if (r < 0) {
                return r;
            }
        }
        int r = out_add(t, path[l[i].text.len], &l[i]);
        if (r < 0) {
            return r;
        }
        before = &l[i];
    }
    return WEDR_OK;
}

static uint32_t child_of(const struct trie *t, uint32_t node, uint8_t byte)
{
    uint32_t c = node_at(t, node)->child;
    while (c && node_at(t, c)->byte != byte) {
        c = node_at(t, c)->sibling;
    }
    return c;
}

/* Where `byte` leads from node, following failures. */
static uint32_t follow(const struct trie *t, uint32_t node, uint8_t byte)
{
    for (;;) {
        uint32_t c = child_of(t, node, byte);
        if (c || node == ROOT) {
            return c;
        }
        node = node_at(t, node)->fail;
    }
}

/* Appends the children of node to the order, with their failures and the outputs they inherit. */
static int link_children(struct trie *t, uint32_t node)
{
    for (uint32_t c = node_at(t, node)->child; c; c = node_at(t, c)->sibling) {
        struct trie_node *n = node_at(t, c);
        n->fail = node == ROOT ? ROOT : follow(t, node_at(t, node)->fail, n->byte);
        const struct trie_node *f = node_at(t, n->fail);
        if (n->out == WEDR_IR_NONE) {
            n->out = f->out;
        } else {
            WEDR_VEC_AT(struct wedr_automaton_out, t->outs, n->out)->link = f->out;
        }
        n->flags |= f->flags;
        int r = wedr_vec_push(t->tmp, &t->order, &c, 1, sizeof(c));
        if (r < 0) {
            return r;
        }
    }
    return WEDR_OK;
}

static int link_all(struct trie *t)
{
    uint32_t root = ROOT;
    int r = wedr_vec_push(t->tmp, &t->order, &root, 1, sizeof(root));
    for (size_t i = 0; r == WEDR_OK && i < t->order.count; i++) {
        r = link_children(t, *WEDR_VEC_AT(uint32_t, t->order, i));
    }
    return r;
}

/* Classes of the bytes that occur; an upper-case letter is in the class of its lower case. */
static void classify(struct trie *t)
{
    bool used[256] = {false};
    for (size_t i = 1; i < t->nodes.count; i++) {
        used[node_at(t, (uint32_t)i)->byte] = true;
    }
    t->class_count = 1;
    for (unsigned b = 0; b < 256; b++) {
        t->classes[b] = used[b] ? (uint8_t)t->class_count++ : 0;
    }
    for (unsigned b = 'A'; b <= 'Z'; b++) {
        t->classes[b] = t->classes[b + 32];
    }
}

static bool is_row(const struct trie_node *n)
{
    return n->depth < 2 || n->edges >= ROW_EDGES_MIN;
}

static uint32_t size_of(const struct trie *t, const struct trie_node *n)
{
    uint32_t size = 2 + (n->out != WEDR_IR_NONE);
    if (is_row(n)) {
        return size + t->class_count;
    }
    return n->edges < 2 ? size + n->edges : size + (n->edges + 3u) / 4u + n->edges;
}

static void write_edges(const struct trie *t, const struct trie_node *n, uint32_t *e)
{
    uint8_t *classes = (uint8_t *)e;
    uint32_t at = 0;
    uint32_t base = n->edges < 2 ? 0 : (n->edges + 3u) / 4u;
    for (uint32_t c = n->child; c; c = node_at(t, c)->sibling, at++) {
        if (n->edges >= 2) {
            classes[at] = t->classes[node_at(t, c)->byte];
        }
        e[base + at] = node_at(t, c)->offset;
    }
}

/* A row needs no failures: it is filled with where they would lead, taken from the row or edges of
 * the failure. */
static void write_row(const struct trie *t, uint32_t node, const uint32_t *words, uint32_t *e)
{
    const struct trie_node *n = node_at(t, node);
    uint32_t fail = node_at(t, n->fail)->offset;
    for (uint32_t k = 0; k < t->class_count; k++) {
        e[k] = node == ROOT ? node_at(t, ROOT)->offset : wedr_automaton_step(words, fail, k);
    }
    for (uint32_t c = n->child; c; c = node_at(t, c)->sibling) {
        e[t->classes[node_at(t, c)->byte]] = node_at(t, c)->offset;
    }
}

static void write_state(const struct trie *t, uint32_t node, uint32_t *words)
{
    const struct trie_node *n = node_at(t, node);
    uint32_t *w = words + n->offset;
    uint32_t h = n->edges;
    h |= n->flags & 1 ? WEDR_AC_MID : 0;
    h |= n->flags & 2 ? WEDR_AC_END : 0;
    w[1] = node_at(t, n->fail)->offset;
    uint32_t *e = w + 2;
    if (n->out != WEDR_IR_NONE) {
        h |= WEDR_AC_OUT;
        *e++ = n->out;
    }
    if (is_row(n)) {
        w[0] = (h & ~WEDR_AC_EDGES) | WEDR_AC_ROW;
        write_row(t, node, words, e);
        return;
    }
    if (n->edges == 1) {
        h |= (uint32_t)t->classes[node_at(t, n->child)->byte] << WEDR_AC_CLASS_SHIFT;
    }
    w[0] = h;
    write_edges(t, n, e);
}

static int emit(struct trie *t, struct wedr_automaton *ac, struct wedr_pool *pool)
{
    uint64_t total = 0;
    const uint32_t *order = t->order.p;
    for (size_t i = 0; i < t->order.count; i++) {
        struct trie_node *n = node_at(t, order[i]);
        n->offset = (uint32_t)total;
        total += size_of(t, n);
        if (total >= UINT32_MAX) {
            return WEDR_E_LIMIT;
        }
    }
    size_t out_size = t->outs.count * sizeof(struct wedr_automaton_out);
    ac->words = wedr_pool_realloc(pool, NULL, 0, (size_t)total * sizeof(uint32_t));
    ac->outs = ac->words ? wedr_pool_realloc(pool, NULL, 0, out_size) : NULL;
    ac->word_count = ac->words ? (size_t)total : 0;
    ac->out_count = ac->outs ? t->outs.count : 0;
    if (!ac->outs) {
        return WEDR_E_NOMEM;
    }
    memset(ac->words, 0, (size_t)total * sizeof(uint32_t));
    memcpy(ac->outs, t->outs.p, out_size);
    for (size_t i = 0; i < t->order.count; i++) {
        write_state(t, order[i], ac->words);
    }
    ac->states = (uint32_t)t->order.count;
    return WEDR_OK;
}

int wedr_automaton_build(struct wedr_automaton *ac,
                         struct wedr_literal *literals,
                         size_t count,
                         struct wedr_pool *pool,
                         struct wedr_pool *tmp)
{
    struct trie t = {.tmp = tmp, .classes = ac->classes};
    uint32_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        longest = literals[i].text.len > longest ? literals[i].text.len : longest;
    }
    size_t path_size = ((size_t)longest + 1) * sizeof(uint32_t);
    uint32_t *path = wedr_pool_realloc(tmp, NULL, 0, path_size);
    struct trie_node root = {.out = WEDR_IR_NONE};
    int r = path ? wedr_vec_push(tmp, &t.nodes, &root, 1, sizeof(root)) : WEDR_E_NOMEM;
    if (r == WEDR_OK) {
        qsort(literals, count, sizeof(*literals), literal_order);
        r = insert_all(&t, literals, count, path);
    }
    if (r == WEDR_OK) {
        r = link_all(&t);
    }
    if (r == WEDR_OK) {
        classify(&t);
        r = emit(&t, ac, pool);
    }
    wedr_pool_release(tmp, path, path_size);
    wedr_vec_fini(tmp, &t.nodes, sizeof(struct trie_node));
    wedr_vec_fini(tmp, &t.order, sizeof(uint32_t));
    wedr_vec_fini(tmp, &t.outs, sizeof(struct wedr_automaton_out));
    return r;
}

void wedr_automaton_fini(struct wedr_automaton *ac, struct wedr_pool *pool)
{
    wedr_pool_release(pool, ac->words, ac->word_count * sizeof(uint32_t));
    wedr_pool_release(pool, ac->outs, ac->out_count * sizeof(struct wedr_automaton_out));
    ac->words = NULL;
    ac->outs = NULL;
}
