/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/automaton.c — a trie from the sorted literals, then the words, breadth first. */
#include "match/automaton.h"
#include "core/base/err.h"
#include <stdlib.h>
#include <string.h>

#define ROW_EDGES_MIN 5u /* this many edges: a row */
#define ROOT 0u

struct trie_node {
    uint32_t child, sibling; /* 0: none */
    uint32_t atom;           /* of the literal that ends here, WEDR_IR_NONE */
    uint32_t offset;         /* of its words */
    uint8_t byte, edges;
};

struct trie {
    struct wedr_pool *tmp;
    struct wedr_vec nodes; /* struct trie_node */
    struct wedr_vec order; /* uint32_t: breadth first */
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
    return x->text.len < y->text.len ? -1 : x->text.len > y->text.len;
}

static int
child_add(struct trie *t, uint32_t parent, uint32_t last, uint8_t byte, uint32_t *ret_node)
{
    struct trie_node n = {.byte = byte, .atom = WEDR_IR_NONE};
    uint32_t id = (uint32_t)t->nodes.count;
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
        node_at(t, path[l[i].text.len])->atom = l[i].atom;
        before = &l[i];
    }
    return WEDR_OK;
}

/* Breadth first: states near the root lie close together. */
static int order_all(struct trie *t)
{
    uint32_t root = ROOT;
    int r = wedr_vec_push(t->tmp, &t->order, &root, 1, sizeof(root));
    for (size_t i = 0; r == WEDR_OK && i < t->order.count; i++) {
        uint32_t c = node_at(t, *WEDR_VEC_AT(uint32_t, t->order, i))->child;
        for (; r == WEDR_OK && c; c = node_at(t, c)->sibling) {
            r = wedr_vec_push(t->tmp, &t->order, &c, 1, sizeof(c));
        }
    }
    return r;
}

/* Classes of the bytes that occur; a letter in either case has one. */
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
    for (unsigned b = 'a'; b <= 'z'; b++) {
        t->classes[b - 'a' + 'A'] = t->classes[b];
    }
}

static uint32_t size_of(const struct trie *t, const struct trie_node *n)
{
    uint32_t size = 1 + (n->atom != WEDR_IR_NONE);
    if (n->edges >= ROW_EDGES_MIN) {
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

static void write_row(const struct trie *t, const struct trie_node *n, uint32_t *e)
{
    memset(e, 0xFF, t->class_count * sizeof(*e)); /* WEDR_AC_DEAD */
    for (uint32_t c = n->child; c; c = node_at(t, c)->sibling) {
        e[t->classes[node_at(t, c)->byte]] = node_at(t, c)->offset;
    }
}

static void write_state(const struct trie *t, uint32_t node, uint32_t *words)
{
    const struct trie_node *n = node_at(t, node);
    uint32_t *w = words + n->offset;
    bool row = n->edges >= ROW_EDGES_MIN;
    uint32_t *e = w + 1;
    *w = row ? WEDR_AC_ROW : n->edges;
    if (n->atom != WEDR_IR_NONE) {
        *w |= WEDR_AC_OUT;
        *e++ = n->atom;
    }
    if (row) {
        write_row(t, n, e);
        return;
    }
    if (n->edges == 1) {
        *w |= (uint32_t)t->classes[node_at(t, n->child)->byte] << WEDR_AC_CLASS_SHIFT;
    }
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
    ac->words = wedr_pool_realloc(pool, NULL, 0, (size_t)total * sizeof(uint32_t));
    if (!ac->words) {
        return WEDR_E_NOMEM;
    }
    ac->word_count = (size_t)total;
    memset(ac->words, 0, (size_t)total * sizeof(uint32_t));
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
    struct trie_node root = {.atom = WEDR_IR_NONE};
    int r = path ? wedr_vec_push(tmp, &t.nodes, &root, 1, sizeof(root)) : WEDR_E_NOMEM;
    if (r == WEDR_OK) {
        qsort(literals, count, sizeof(*literals), literal_order);
        r = insert_all(&t, literals, count, path);
    }
    if (r == WEDR_OK) {
        r = order_all(&t);
    }
    if (r == WEDR_OK) {
        classify(&t);
        r = emit(&t, ac, pool);
    }
    wedr_pool_release(tmp, path, path_size);
    wedr_vec_fini(tmp, &t.nodes, sizeof(struct trie_node));
    wedr_vec_fini(tmp, &t.order, sizeof(uint32_t));
    return r;
}

void wedr_automaton_fini(struct wedr_automaton *ac, struct wedr_pool *pool)
{
    wedr_pool_release(pool, ac->words, ac->word_count * sizeof(uint32_t));
    ac->words = NULL;
}
