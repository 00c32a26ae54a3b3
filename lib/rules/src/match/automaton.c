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
    uint8_t depth; /* at most WEDR_AC_GRAM */
};

struct trie {
    struct wedr_pool *tmp;
    struct wedr_vec nodes; /* struct trie_node */
    struct wedr_vec order; /* uint32_t: breadth first */
    struct wedr_vec outs;  /* struct wedr_automaton_out */
    enum wedr_automaton_kind kind;
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
    struct trie_node n = {.byte = byte, .out = WEDR_IR_NONE};
    uint32_t id = (uint32_t)t->nodes.count;
    uint8_t depth = node_at(t, parent)->depth;
    n.depth = (uint8_t)(depth < WEDR_AC_GRAM ? depth + 1 : depth);
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
    struct wedr_automaton_out o = {.atom = l->atom, .link = WEDR_IR_NONE};
    node_at(t, node)->out = (uint32_t)t->outs.count;
    return wedr_vec_push(t->tmp, &t->outs, &o, 1, sizeof(o));
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
        if (t->kind == WEDR_AUTOMATON_ANYWHERE) {
            n->fail = node == ROOT ? ROOT : follow(t, node_at(t, node)->fail, n->byte);
            const struct trie_node *f = node_at(t, n->fail);
            if (n->out == WEDR_IR_NONE) {
                n->out = f->out;
            } else {
                WEDR_VEC_AT(struct wedr_automaton_out, t->outs, n->out)->link = f->out;
            }
        }
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

/* Classes of the bytes that occur. */
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
}

/* A trie without failures gains less by rows. */
static bool is_row(const struct trie *t, const struct trie_node *n)
{
    return t->kind == WEDR_AUTOMATON_ANYWHERE ? n->depth < 2 || n->edges >= ROW_EDGES_MIN
                                              : n->edges > t->class_count / 2;
}

static uint32_t size_of(const struct trie *t, const struct trie_node *n)
{
    uint32_t size = 2 + (n->out != WEDR_IR_NONE);
    if (is_row(t, n)) {
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
        e[k] = t->kind == WEDR_AUTOMATON_TRIE ? WEDR_AC_DEAD
               : node == ROOT                 ? node_at(t, ROOT)->offset
                                              : wedr_automaton_step(words, fail, k);
    }
    for (uint32_t c = n->child; c; c = node_at(t, c)->sibling) {
        e[t->classes[node_at(t, c)->byte]] = node_at(t, c)->offset;
    }
}

static void write_state(const struct trie *t, uint32_t node, uint32_t *words)
{
    const struct trie_node *n = node_at(t, node);
    uint32_t *w = words + n->offset;
    uint32_t h = n->edges | (uint32_t)n->depth << WEDR_AC_DEPTH_SHIFT;
    w[1] = t->kind == WEDR_AUTOMATON_TRIE ? WEDR_AC_DEAD : node_at(t, n->fail)->offset;
    uint32_t *e = w + 2;
    if (n->out != WEDR_IR_NONE) {
        h |= WEDR_AC_OUT;
        *e++ = n->out;
    }
    if (is_row(t, n)) {
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

static void set_bit(uint64_t *bits, uint32_t at)
{
    bits[at / 64] |= UINT64_C(1) << (at % 64);
}

/* A literal that is shorter than a gram: its first two bytes, or the one with any other behind it.
 */
static void add_pairs(struct wedr_automaton *ac, struct wedr_text t)
{
    for (unsigned second = 0; second < 256; second++) {
        if (t.len == 1 || (uint8_t)t.p[1] == second) {
            uint8_t both[2] = {(uint8_t)t.p[0], (uint8_t)second};
            uint16_t pair;
            memcpy(&pair, both, sizeof(pair));
            set_bit(ac->pairs, pair);
        }
    }
}

static int
alloc_filter(struct wedr_automaton *ac, uint32_t shortest, size_t count, struct wedr_pool *pool)
{
    uint32_t bits = 10;
    ac->stride = shortest > WEDR_AC_GRAM ? shortest - WEDR_AC_GRAM + 1 : 1;
    while (bits < 18 && (size_t)1 << bits < count * 32 * ac->stride) {
        bits++;
    }
    ac->gram_shift = 32 - bits;
    ac->gram_words = ((size_t)1 << bits) / 64;
    ac->grams = wedr_pool_block(pool, ac->gram_words * sizeof(uint64_t), 64);
    if (shortest < WEDR_AC_GRAM) {
        ac->pairs = wedr_pool_block(pool, WEDR_AC_PAIR_WORDS * sizeof(uint64_t), 64);
    }
    return ac->grams && (shortest >= WEDR_AC_GRAM || ac->pairs) ? WEDR_OK : WEDR_E_NOMEM;
}

/* The first bytes of every literal, as bits. */
static int build_filter(struct wedr_automaton *ac,
                        const struct wedr_literal *l,
                        size_t count,
                        struct wedr_pool *pool)
{
    uint32_t shortest = WEDR_AC_GRAM + WEDR_AC_STRIDE_MAX - 1;
    for (size_t i = 0; i < count; i++) {
        shortest = l[i].text.len < shortest ? l[i].text.len : shortest;
    }
    int r = alloc_filter(ac, shortest, count, pool);
    for (size_t i = 0; r == WEDR_OK && i < count; i++) {
        if (l[i].text.len < WEDR_AC_GRAM) {
            add_pairs(ac, l[i].text);
            continue;
        }
        for (uint32_t at = 0; at < ac->stride; at++) {
            uint32_t four;
            memcpy(&four, l[i].text.p + at, sizeof(four));
            set_bit(ac->grams, wedr_automaton_gram(ac, four));
        }
    }
    return r;
}

int wedr_automaton_build(struct wedr_automaton *ac,
                         enum wedr_automaton_kind kind,
                         struct wedr_literal *literals,
                         size_t count,
                         struct wedr_pool *pool,
                         struct wedr_pool *tmp)
{
    struct trie t = {.tmp = tmp, .kind = kind, .classes = ac->classes};
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
    if (r == WEDR_OK && kind == WEDR_AUTOMATON_ANYWHERE) {
        r = build_filter(ac, literals, count, pool);
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
