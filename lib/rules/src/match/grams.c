/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/grams.c — which gram a literal is known by: the one that the fewest literals, and
 * none of the texts that most events carry, have in them. Literals are a good sample of events. */
#include "match/grams.h"
#include "core/base/err.h"
#include "match/literal.h"
#include <stdlib.h>

#define SEEN_BITS_MIN 8u
#define SEEN_BITS_MAX 16u
#define COMMON_WEIGHT 512u /* a gram of a common text: as if so many literals had it */
#define SLOT_WEIGHT 4u     /* of a literal that is known by a gram of the same slot already */
#define POSITIONS_MAX 240u /* of a literal that are considered */
#define BITS_MIN 10u
#define BITS_MAX 19u
#define BITS_PER_ENTRY 64u /* one of so many foreign grams has its bit set */
#define SLOTS_MIN 4u
#define SLOTS_PER_ENTRY 2u /* at least: most slots are free, so that a search ends at once */
#define GRAMS_COST 152u    /* instructions for 16 bytes that are looked at, at each place */
#define FEW_COST 10u       /* the same for one literal that is looked for by itself */

/* A zeroed table of n elements. */
static void *table(struct wedr_grams *g, struct wedr_pool *pool, size_t n, size_t size)
{
    g->bytes += n * size;
    return wedr_pool_block(pool, n * size, 64);
}

struct picker {
    uint16_t *seen;  /* by hash: how often literals have the gram */
    uint8_t *at;     /* by literal: of the gram that was picked */
    uint16_t *slots; /* by slot: grams that were picked so far */
    uint32_t shift;
};

static uint16_t *seen_of(const struct picker *p, uint32_t gram)
{
    return &p->seen[wedr_gram_hash(gram) >> p->shift];
}

static void count_grams(struct picker *p, const char *s, size_t len, uint32_t weight)
{
    for (size_t i = 0; i + WEDR_GRAM <= len; i++) {
        uint16_t *n = seen_of(p, wedr_gram_at(s + i));
        *n = *n + weight < UINT16_MAX ? (uint16_t)(*n + weight) : UINT16_MAX;
    }
}

static uint16_t *slot_of(const struct wedr_grams *g, const struct picker *p, uint32_t gram)
{
    return &p->slots[wedr_gram_hash(gram) >> g->slot_shift];
}

/* Shorter ones first: they have less choice. */
static int literal_order(const void *a, const void *b)
{
    const struct wedr_literal *x = a;
    const struct wedr_literal *y = b;
    if (x->text.len != y->text.len) {
        return x->text.len < y->text.len ? -1 : 1;
    }
    return memcmp(x->text.p, y->text.p, x->text.len);
}

static void
pick(const struct wedr_grams *g, const struct picker *p, struct wedr_text t, uint8_t *ret_at)
{
    uint32_t end = t.len - WEDR_GRAM - (g->stride - 1);
    uint32_t best = UINT32_MAX;
    for (uint32_t at = 0; at <= end && at < POSITIONS_MAX; at++) {
        uint32_t score = 0;
        for (uint32_t k = 0; k < g->stride; k++) {
            uint32_t gram = wedr_gram_at(t.p + at + k);
            score += *seen_of(p, gram) + SLOT_WEIGHT * *slot_of(g, p, gram);
        }
        if (score < best) {
            best = score;
            *ret_at = (uint8_t)at;
        }
    }
    for (uint32_t k = 0; k < g->stride; k++) {
        uint16_t *n = slot_of(g, p, wedr_gram_at(t.p + *ret_at + k));
        *n = *n < UINT16_MAX ? (uint16_t)(*n + 1) : UINT16_MAX;
    }
}

static void put_long(struct wedr_grams *g, const struct wedr_literal *l, uint32_t text, uint8_t at)
{
    for (uint32_t k = 0; k < g->stride; k++) {
        uint32_t gram = wedr_gram_at(l->text.p + at + k);
        uint32_t hash = wedr_gram_hash(gram);
        struct wedr_gram_entry e = {.gram = gram,
                                    .atom = l->atom,
                                    .text = text,
                                    .len = (uint16_t)l->text.len,
                                    .at = (uint8_t)(at + k),
                                    .place = l->place};
        uint32_t slot = hash >> g->slot_shift;
        while (g->entries[slot].len > 0) {
            slot = (slot + 1) & g->slot_mask;
        }
        g->entries[slot] = e;
        g->bits[(hash >> g->shift) / 32] |= 1u << ((hash >> g->shift) % 32);
    }
}

static uint32_t log2_of(size_t n, uint32_t least, uint32_t most)
{
    uint32_t bits = least;
    while (bits < most && (size_t)1 << bits < n) {
        bits++;
    }
    return bits;
}

static int build_long(struct wedr_grams *g,
                      const struct wedr_literal *l,
                      size_t count,
                      struct wedr_pool *pool,
                      struct wedr_pool *tmp,
                      struct picker *p)
{
    size_t entries = count * g->stride;
    size_t bytes = 0;
    uint32_t bits = log2_of(entries * BITS_PER_ENTRY, BITS_MIN, BITS_MAX);
    uint32_t slot_bits = log2_of(entries * SLOTS_PER_ENTRY, SLOTS_MIN, 31);
    for (size_t i = 0; i < count; i++) {
        bytes += l[i].text.len;
    }
    g->shift = 32 - bits;
    g->slot_shift = 32 - slot_bits;
    g->slot_mask = (1u << slot_bits) - 1;
    size_t slots_size = sizeof(*p->slots) << slot_bits;
    p->slots = wedr_pool_realloc(tmp, NULL, 0, slots_size);
    g->bits = table(g, pool, ((size_t)1 << bits) / 32, sizeof(*g->bits));
    g->entries = table(g, pool, (size_t)1 << slot_bits, sizeof(*g->entries));
    g->texts = table(g, pool, bytes + 1, 1);
    if (!p->slots || !g->bits || !g->entries || !g->texts) {
        wedr_pool_release(tmp, p->slots, slots_size);
        return WEDR_E_NOMEM;
    }
    memset(p->slots, 0, slots_size);
    for (size_t i = 0; i < count; i++) {
        pick(g, p, l[i].text, &p->at[i]);
    }
    wedr_pool_release(tmp, p->slots, slots_size);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(g->texts + used, l[i].text.p, l[i].text.len);
        put_long(g, &l[i], (uint32_t)used, p->at[i]);
        used += l[i].text.len;
    }
    return WEDR_OK;
}

static uint32_t short_slot(const struct wedr_grams *g, uint32_t pair)
{
    return wedr_gram_hash(pair) >> g->short_shift;
}

static uint32_t byte_of(struct wedr_text t, uint32_t at)
{
    return at < t.len ? (uint8_t)t.p[at] : 0;
}

static uint32_t upper(uint32_t c)
{
    return c - 'a' < 26 ? c - 32 : c;
}

/* In all ways to write it. */
static void set_pair(struct wedr_grams *g, uint32_t first, uint32_t second)
{
    const uint32_t a[2] = {first, upper(first)};
    const uint32_t b[2] = {second, upper(second)};
    for (unsigned i = 0; i < 4; i++) {
        const uint8_t two[2] = {(uint8_t)a[i & 1], (uint8_t)b[i >> 1]};
        uint32_t pair = wedr_pair_at(two);
        g->pairs[pair / 64] |= UINT64_C(1) << (pair % 64);
    }
}

static uint32_t pair_of(struct wedr_text t)
{
    return byte_of(t, 0) | byte_of(t, 1) << 8;
}

static struct wedr_gram_entry short_entry(const struct wedr_literal *l)
{
    struct wedr_gram_entry e = {.gram = pair_of(l->text) | byte_of(l->text, 2) << 16,
                                .atom = l->atom,
                                .len = (uint16_t)l->text.len};
    return e;
}

/* Counts become where each slot ends; entries are then put in from behind. */
static void add_up(uint32_t *first, size_t slots)
{
    for (size_t i = 1; i <= slots; i++) {
        first[i] += first[i - 1];
    }
}

/* Literals of two and three bytes. */
static int build_short(struct wedr_grams *g,
                       const struct wedr_literal *l,
                       size_t count,
                       struct wedr_pool *pool)
{
    uint32_t slot_bits = log2_of(count, SLOTS_MIN, 24);
    g->short_shift = 32 - slot_bits;
    g->pairs = table(g, pool, WEDR_GRAM_PAIRS / 64, sizeof(uint64_t));
    g->short_first = table(g, pool, ((size_t)1 << slot_bits) + 1, sizeof(*g->short_first));
    g->shorts = table(g, pool, count + 1, sizeof(*g->shorts));
    if (!g->pairs || !g->short_first || !g->shorts) {
        return WEDR_E_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        g->short_first[short_slot(g, pair_of(l[i].text))]++;
    }
    add_up(g->short_first, (size_t)1 << slot_bits);
    for (size_t i = 0; i < count; i++) {
        g->shorts[--g->short_first[short_slot(g, pair_of(l[i].text))]] = short_entry(&l[i]);
        set_pair(g, byte_of(l[i].text, 0), byte_of(l[i].text, 1));
    }
    return WEDR_OK;
}

static int build_singles(struct wedr_grams *g,
                         const struct wedr_literal *l,
                         size_t count,
                         struct wedr_pool *pool)
{
    g->singles = table(g, pool, count + 1, sizeof(*g->singles));
    for (size_t i = 0; g->singles && i < count; i++) {
        g->singles[i] = short_entry(&l[i]);
    }
    g->single_count = (uint32_t)count;
    return g->singles ? WEDR_OK : WEDR_E_NOMEM;
}

/* How many grams in a row the shortest literal has. */
static uint32_t stride_of(const struct wedr_literal *l, size_t count)
{
    uint32_t more = count > 0 && l[0].text.len > WEDR_GRAM ? l[0].text.len - WEDR_GRAM : 0;
    return more < WEDR_GRAM_STRIDE_MAX ? more + 1 : WEDR_GRAM_STRIDE_MAX;
}

/* How many of the shortest literals are better looked for one by one. */
static uint32_t few_of(const struct wedr_literal *l, size_t count)
{
    uint32_t best = 0;
    uint32_t least = UINT32_MAX;
    for (uint32_t few = 0; few <= count && few <= WEDR_GRAM_FEW_MAX; few++) {
        uint32_t cost = few * FEW_COST;
        cost += few < count ? GRAMS_COST / stride_of(l + few, count - few) : 0;
        if (cost < least) {
            least = cost;
            best = few;
        }
    }
    return best;
}

static int build_few(struct wedr_grams *g,
                     const struct wedr_literal *l,
                     uint32_t count,
                     struct wedr_pool *pool)
{
    for (uint32_t i = 0; i < count; i++) {
        struct wedr_gram_few *f = &g->few[i];
        f->text = table(g, pool, l[i].text.len, 1);
        if (!f->text) {
            return WEDR_E_NOMEM;
        }
        memcpy(f->text, l[i].text.p, l[i].text.len);
        f->len = l[i].text.len;
        f->atom = l[i].atom;
    }
    g->few_count = count;
    return WEDR_OK;
}

/* How often each gram is met, guessed from the literals and the texts that most events carry. */
static int count_all(struct picker *p,
                     const struct wedr_literal *l,
                     size_t count,
                     struct wedr_pool *tmp,
                     size_t *ret_size)
{
    size_t bytes = 0;
    const char *common;
    for (size_t i = 0; i < count; i++) {
        bytes += l[i].text.len;
    }
    uint32_t bits = log2_of(bytes * 4, SEEN_BITS_MIN, SEEN_BITS_MAX);
    *ret_size = sizeof(uint16_t) << bits;
    p->shift = 32 - bits;
    p->seen = wedr_pool_realloc(tmp, NULL, 0, *ret_size);
    if (!p->seen) {
        return WEDR_E_NOMEM;
    }
    memset(p->seen, 0, *ret_size);
    for (size_t i = 0; (common = wedr_literal_common(i)) != NULL; i++) {
        count_grams(p, common, strlen(common), COMMON_WEIGHT);
    }
    for (size_t i = 0; i < count; i++) {
        count_grams(p, l[i].text.p, l[i].text.len, 1);
    }
    return WEDR_OK;
}

int wedr_grams_build(struct wedr_grams *g,
                     struct wedr_literal *literals,
                     size_t count,
                     bool long_texts,
                     struct wedr_pool *pool,
                     struct wedr_pool *tmp)
{
    size_t seen_size = 0;
    size_t at_size = count + 1;
    struct picker p = {.at = wedr_pool_realloc(tmp, NULL, 0, at_size)};
    size_t singles = 0;
    size_t shorts = 0;
    qsort(literals, count, sizeof(*literals), literal_order);
    while (shorts < count && literals[shorts].text.len < WEDR_GRAM) {
        singles += literals[shorts].text.len == 1;
        shorts++;
    }
    int r = p.at ? count_all(&p, literals, count, tmp, &seen_size) : WEDR_E_NOMEM;
    if (r == WEDR_OK && singles > 0) {
        r = build_singles(g, literals, singles, pool);
    }
    if (r == WEDR_OK && shorts > singles) {
        r = build_short(g, literals + singles, shorts - singles, pool);
    }
    uint32_t few = long_texts ? few_of(literals + shorts, count - shorts) : 0;
    r = r == WEDR_OK ? build_few(g, literals + shorts, few, pool) : r;
    if (r == WEDR_OK) {
        const struct wedr_literal *longs = literals + shorts + few;
        g->long_count = (uint32_t)(count - shorts) - few;
        g->stride = stride_of(longs, g->long_count);
        g->shortest = literals[0].text.len;
        g->longest = literals[count - 1].text.len;
        g->count = (uint32_t)count;
        r = build_long(g, longs, g->long_count, pool, tmp, &p);
    }
    wedr_pool_release(tmp, p.seen, p.seen ? seen_size : 0);
    wedr_pool_release(tmp, p.at, p.at ? at_size : 0);
    return r;
}
