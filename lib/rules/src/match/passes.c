/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/passes.c — one pass over each value of a field. */
#include "core/base/err.h"
#include "event/scan.h"
#include "match/matcher.h"
#include <string.h>

#define SINGLE_LEAST 8u /* bytes of a text from which a search for one byte is worth its call */

/* Eight bytes with A-Z made small. */
static inline uint64_t small_eight(const void *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t w;
    memcpy(&w, p, sizeof(w));
    uint64_t low = w & ones * 0x7F;
    uint64_t from_a = low + ones * (0x80 - 'A');
    uint64_t behind_z = low + ones * (0x7F - 'Z');
    return w | ((from_a ^ behind_z) & ~w & ones * 0x80) >> 2;
}

static inline uint8_t small(uint8_t c)
{
    return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 32) : c;
}

/* A folded literal stands at s. */
static bool stands_at(const uint8_t *s, const char *literal, size_t len)
{
    uint64_t w;
    if (len < 8) {
        for (size_t i = 0; i < len; i++) {
            if (small(s[i]) != (uint8_t)literal[i]) {
                return false;
            }
        }
        return true;
    }
    for (size_t i = 0; i + 8 < len; i += 8) {
        memcpy(&w, literal + i, sizeof(w));
        if (small_eight(s + i) != w) {
            return false;
        }
    }
    memcpy(&w, literal + len - 8, sizeof(w));
    return small_eight(s + len - 8) == w;
}

/* What is searched: a value that is ASCII or folded, or a part of one. */
struct piece {
    const uint8_t *s;
    size_t len;
    bool front, end; /* the value begins, ends with it */
};

/* A literal with its gram at i stands where it must. */
static bool entry_holds(const struct wedr_grams *g,
                        const struct wedr_gram_entry *e,
                        const struct piece *p,
                        size_t i)
{
    if (e->at > i || e->len > p->len - (i - e->at)) {
        return false;
    }
    size_t from = i - e->at;
    if ((e->place == WEDR_PLACE_FRONT && !(p->front && from == 0)) ||
        (e->place == WEDR_PLACE_END && !(p->end && from + e->len == p->len))) {
        return false;
    }
    return stands_at(p->s + from, g->texts + e->text, e->len);
}

/* The bit of the gram at s is set. */
static void check_gram(struct wedr_matcher *m,
                       const struct wedr_grams *g,
                       const struct piece *p,
                       const uint8_t *s)
{
    uint32_t gram = wedr_gram_at(s);
    uint32_t slot = wedr_gram_hash(gram) >> g->slot_shift;
    for (; g->entries[slot].len > 0; slot = (slot + 1) & g->slot_mask) {
        const struct wedr_gram_entry *e = &g->entries[slot];
        if (e->gram == gram && !wedr_matcher_has(m, e->atom) &&
            entry_holds(g, e, p, (size_t)(s - p->s))) {
            wedr_matcher_spread(m, e->atom);
        }
    }
}

static inline void at_place(struct wedr_matcher *m,
                            const struct wedr_grams *g,
                            const struct piece *p,
                            const uint8_t *s)
{
    uint32_t at = wedr_gram_hash(wedr_gram_at(s)) >> g->shift;
    if (g->bits[at / 32] >> (at % 32) & 1) {
        check_gram(m, g, p, s);
    }
}

static void find_grams(struct wedr_matcher *m, const struct wedr_grams *g, const struct piece *p)
{
    const size_t stride = g->stride;
    if (p->len < WEDR_GRAM) {
        return;
    }
    const uint8_t *s = p->s;
    size_t left = p->len - WEDR_GRAM + stride; /* stride for each place that is left, and less */
    for (; left >= 4 * stride;
         left -= 4 * stride) { /* written out: half of all time is spent here */
        at_place(m, g, p, s);
        at_place(m, g, p, s += stride);
        at_place(m, g, p, s += stride);
        at_place(m, g, p, s += stride);
        s += stride;
    }
    for (; left >= stride; left -= stride, s += stride) {
        at_place(m, g, p, s);
    }
}

/* A literal of two or three bytes may begin at i. */
static void
check_short(struct wedr_matcher *m, const struct wedr_grams *g, const struct piece *p, size_t i)
{
    const uint8_t *s = p->s + i;
    uint32_t two = small(s[0]) | (uint32_t)small(s[1]) << 8;
    uint32_t three = p->len - i < 3 ? two : two | (uint32_t)small(s[2]) << 16;
    uint32_t slot = wedr_gram_hash(two) >> g->short_shift;
    uint32_t end = g->short_first[slot + 1];
    for (uint32_t at = g->short_first[slot]; at < end; at++) {
        const struct wedr_gram_entry *e = &g->shorts[at];
        if (e->len <= p->len - i && e->gram == (e->len == 2 ? two : three)) {
            wedr_matcher_set(m, e->atom);
        }
    }
}

/* Literals of two and three bytes. */
static void find_shorts(struct wedr_matcher *m, const struct wedr_grams *g, const struct piece *p)
{
    const uint8_t *s = p->s;
    const uint64_t *pairs = g->pairs;
    const size_t len = p->len;
    for (size_t i = 0; i + 2 <= len; i++) {
        if (wedr_gram_bit(pairs, wedr_pair_at(s + i))) {
            check_short(m, g, p, i);
        }
    }
}

/* A folded byte in either case. */
static bool has_byte(const struct piece *p, uint8_t c)
{
    return memchr(p->s, c, p->len) || ((uint8_t)(c - 'a') < 26 && memchr(p->s, c - 32, p->len));
}

/* Literals of one byte: each by itself where they are few for so long a text. */
static void find_singles(struct wedr_matcher *m, const struct wedr_grams *g, const struct piece *p)
{
    uint64_t there[4] = {0};
    const bool few = g->single_count <= p->len / SINGLE_LEAST;
    for (size_t i = 0; !few && i < p->len; i++) {
        uint8_t c = small(p->s[i]);
        there[c / 64] |= UINT64_C(1) << (c % 64);
    }
    for (uint32_t i = 0; i < g->single_count; i++) {
        const struct wedr_gram_entry *e = &g->singles[i];
        if (!wedr_matcher_has(m, e->atom) &&
            (few ? has_byte(p, (uint8_t)e->gram) : wedr_gram_bit(there, e->gram))) {
            wedr_matcher_spread(m, e->atom);
        }
    }
}

/* One of those places is where the literal stands. */
static bool stands_near(const uint8_t *s, uint32_t places, struct wedr_text literal)
{
    for (; places; places &= places - 1) {
        if (stands_at(s + wedr_lowest_bit(places), literal.p, literal.len)) {
            return true;
        }
    }
    return false;
}

/* Looks at its first and last byte in many places at once; the last step takes some of those before
 * it again. */
static bool stands_in(const struct piece *p, struct wedr_text literal)
{
    const size_t apart = literal.len - 1;
    const char first = (char)(literal.p[0] | ' ');
    const char last = (char)(literal.p[apart] | ' ');
    if (p->len < apart + WEDR_SCAN) {
        for (size_t i = 0; i + apart < p->len; i++) {
            if (small(p->s[i]) == (uint8_t)literal.p[0] &&
                stands_at(p->s + i, literal.p, literal.len)) {
                return true;
            }
        }
        return false;
    }
    const size_t end = p->len - apart - WEDR_SCAN; /* of the last step */
    for (size_t i = 0; i < end; i += WEDR_SCAN) {
        uint32_t places = wedr_scan_pair(p->s + i, apart, first, last);
        if (places && stands_near(p->s + i, places, literal)) {
            return true;
        }
    }
    return stands_near(p->s + end, wedr_scan_pair(p->s + end, apart, first, last), literal);
}

static void find_few(struct wedr_matcher *m, const struct wedr_grams *g, const struct piece *p)
{
    for (uint32_t i = 0; i < g->few_count; i++) {
        const struct wedr_gram_few *f = &g->few[i];
        if (!wedr_matcher_has(m, f->atom) && stands_in(p, wedr_text(f->text, f->len))) {
            wedr_matcher_spread(m, f->atom);
        }
    }
}

static void find(struct wedr_matcher *m, const struct wedr_grams *g, const struct piece *p)
{
    if (g->long_count > 0) {
        find_grams(m, g, p);
    }
    if (g->few_count > 0) {
        find_few(m, g, p);
    }
    if (g->pairs) {
        find_shorts(m, g, p);
    }
    if (g->single_count > 0) {
        find_singles(m, g, p);
    }
}

static inline void hit(struct wedr_matcher *m, const struct wedr_automaton *ac, uint32_t state)
{
    uint32_t atom = wedr_automaton_out(ac->words, state);
    if (atom != WEDR_IR_NONE) {
        wedr_matcher_set(m, atom);
    }
}

static void
walk_front(struct wedr_matcher *m, const struct wedr_automaton *ac, const uint8_t *s, size_t len)
{
    uint32_t state = 0;
    for (size_t i = 0; i < len; i++) {
        state = wedr_automaton_step(ac->words, state, ac->classes[s[i]]);
        if (state == WEDR_AC_DEAD) {
            return;
        }
        hit(m, ac, state);
    }
}

static void
walk_end(struct wedr_matcher *m, const struct wedr_automaton *ac, const uint8_t *s, size_t len)
{
    uint32_t state = 0;
    while (len > 0) {
        state = wedr_automaton_step(ac->words, state, ac->classes[s[--len]]);
        if (state == WEDR_AC_DEAD) {
            return;
        }
        hit(m, ac, state);
    }
}

struct exact_key {
    const struct wedr_table *t;
    struct wedr_text text;
    struct wedr_number number;
};

static bool same_exact(const void *ctx, uint32_t id)
{
    const struct exact_key *k = ctx;
    struct wedr_text have = WEDR_VEC_AT(struct wedr_exact, k->t->exacts, id)->text;
    return have.len == k->text.len && memcmp(have.p, k->text.p, have.len) == 0;
}

static bool same_number(const void *ctx, uint32_t id)
{
    const struct exact_key *k = ctx;
    return wedr_number_compare(WEDR_VEC_AT(struct wedr_exact_number, k->t->numbers, id)->number,
                               k->number) == 0;
}

static void pass_exact(struct wedr_matcher *m, const struct wedr_table *t, struct wedr_text plain)
{
    uint64_t bit = UINT64_C(1) << (plain.len < 63 ? plain.len : 63);
    if (!(t->exact_lengths & bit) || plain.len > t->exact_longest) {
        return;
    }
    char *fold = m->eval.fold;
    struct wedr_text folded = wedr_text(fold, plain.len);
    if (plain.p != fold) {
        folded.len = (uint32_t)wedr_fold(plain.p, plain.len, fold);
    }
    struct exact_key key = {.t = t, .text = folded};
    uint32_t id = wedr_index_find(&t->exact_index, wedr_hash_bytes(folded.p, folded.len, 0),
                                  same_exact, &key);
    if (id != WEDR_IR_NONE) {
        wedr_matcher_set(m, WEDR_VEC_AT(struct wedr_exact, t->exacts, id)->atom);
    }
}

/* A value that is ASCII or folded. */
static void pass_plain(struct wedr_matcher *m, const struct wedr_table *t, struct wedr_text plain)
{
    const uint8_t *s = (const uint8_t *)plain.p;
    if (t->sought & WEDR_SOUGHT_EXACTS) {
        pass_exact(m, t, plain);
    }
    if (t->sought & WEDR_SOUGHT_GRAMS) {
        const struct piece all = {s, plain.len, true, true};
        find(m, &t->grams, &all);
    }
    if (t->sought & WEDR_SOUGHT_FRONT) {
        walk_front(m, &t->front, s, plain.len);
    }
    if (t->sought & WEDR_SOUGHT_END) {
        walk_end(m, &t->end, s, plain.len);
    }
}

static bool inside_character(char c)
{
    return ((uint8_t)c & 0xC0) == 0x80;
}

/* A longer one: its front and its end, which literals of the tables do not exceed, and all of it in
 * parts that overlap by the longest literal. */
static void pass_long(struct wedr_matcher *m, const struct wedr_table *t, struct wedr_text text)
{
    char *fold = m->eval.fold;
    const char *end = text.p + text.len;
    const char *p = text.p;
    size_t kept = 0;
    for (bool first = true; p < end && (first || t->grams.entries); first = false) {
        size_t n = kept + wedr_fold_part(&p, end, fold + kept, WEDR_EVAL_FOLD_MAX - kept);
        if (first && t->front.words) {
            walk_front(m, &t->front, (const uint8_t *)fold, n);
        }
        if (t->grams.entries) {
            const struct piece part = {(const uint8_t *)fold, n, first, p == end};
            find(m, &t->grams, &part);
            kept = t->grams.longest < n ? t->grams.longest : n;
            memmove(fold, fold + n - kept, kept);
        }
    }
    if (t->end.words) {
        p = end - WEDR_EVAL_FOLD_MAX;
        for (int i = 0; i < 3 && inside_character(*p); i++) {
            p++;
        }
        size_t n = wedr_fold(p, (size_t)(end - p), fold);
        walk_end(m, &t->end, (const uint8_t *)fold, n);
    }
}

static void pass_text(struct wedr_matcher *m,
                      const struct wedr_table *t,
                      struct wedr_rule_event *ev,
                      uint32_t value)
{
    struct wedr_text plain;
    if (wedr_event_plain(ev, value, &plain)) {
        pass_plain(m, t, plain);
        return;
    }
    struct wedr_text text = wedr_rule_event_text(ev, value);
    if (text.len > WEDR_EVAL_FOLD_MAX) {
        pass_long(m, t, text);
    } else {
        pass_plain(m, t, wedr_text(m->eval.fold, wedr_fold(text.p, text.len, m->eval.fold)));
    }
}

static void pass_number(struct wedr_matcher *m,
                        const struct wedr_table *t,
                        const struct wedr_rule_value *v,
                        struct wedr_text text)
{
    struct exact_key key = {.t = t, .number = v->number};
    if (v->kind != WEDR_VALUE_NUMBER &&
        (v->kind != WEDR_VALUE_TEXT || wedr_number_parse(text.p, text.len, &key.number) < 0)) {
        return;
    }
    uint32_t id =
        wedr_index_find(&t->number_index, wedr_number_hash(key.number), same_number, &key);
    if (id != WEDR_IR_NONE) {
        wedr_matcher_set(m, WEDR_VEC_AT(struct wedr_exact_number, t->numbers, id)->atom);
    }
}

static void pass_bool(struct wedr_matcher *m,
                      const struct wedr_table *t,
                      const struct wedr_rule_value *v,
                      struct wedr_text text)
{
    bool yes = v->kind == WEDR_VALUE_BOOL && v->boolean;
    bool no = v->kind == WEDR_VALUE_BOOL && !v->boolean;
    if (v->kind == WEDR_VALUE_TEXT) {
        yes = text.len == 4 && wedr_text_equal(text, wedr_text("true", 4), false);
        no = text.len >= 5 && text.len <= 6 && wedr_text_equal(text, wedr_text("false", 5), false);
    }
    if (yes && t->yes != WEDR_IR_NONE) {
        wedr_matcher_set(m, t->yes);
    }
    if (no && t->no != WEDR_IR_NONE) {
        wedr_matcher_set(m, t->no);
    }
}

static void pass_lists(struct wedr_matcher *m,
                       const struct wedr_table *t,
                       struct wedr_rule_event *ev,
                       uint32_t value)
{
    const struct wedr_list *lists = t->lists.p;
    for (size_t i = 0; i < t->lists.count; i++) {
        struct wedr_pred p = {.kind = WEDR_PRED_SET, .u.set = lists[i].set};
        if (!wedr_matcher_has(m, lists[i].atom) && wedr_eval_value(&m->eval, &p, ev, value)) {
            wedr_matcher_set(m, lists[i].atom);
        }
    }
}

static void pass_value(struct wedr_matcher *m,
                       const struct wedr_table *t,
                       struct wedr_rule_event *ev,
                       uint32_t value)
{
    const struct wedr_rule_value *v = &ev->values[value];
    if (v->kind == WEDR_VALUE_NULL) {
        return;
    }
    if (t->exists != WEDR_IR_NONE) {
        wedr_matcher_set(m, t->exists);
    }
    struct wedr_text text = v->text;
    if (v->kind != WEDR_VALUE_NUMBER || t->numeric) {
        text = text.p && !v->escaped ? text : wedr_rule_event_text(ev, value);
        if (text.len > 0 && (t->sought & WEDR_SOUGHT_TEXTS)) {
            pass_text(m, t, ev, value);
        } else if (text.len == 0 && t->empty != WEDR_IR_NONE) {
            wedr_matcher_set(m, t->empty);
        }
    }
    if (t->sought < WEDR_SOUGHT_NUMBERS) {
        return;
    }
    if (t->sought & WEDR_SOUGHT_NUMBERS) {
        pass_number(m, t, v, text);
    }
    if (t->sought & WEDR_SOUGHT_BOOL) {
        pass_bool(m, t, v, text);
    }
    if (t->sought & WEDR_SOUGHT_LISTS) {
        pass_lists(m, t, ev, value);
    }
}

/* Literals anywhere in any value: in one piece, and those that are not ASCII folded besides. A
 * literal is folded, so that what it equals before folding it equals behind it. */
static void
pass_keywords(struct wedr_matcher *m, const struct wedr_table *t, struct wedr_rule_event *ev)
{
    if (!t->numeric && wedr_event_gather(ev)) {
        const struct piece all = {(const uint8_t *)ev->gathered, ev->gathered_used, true, true};
        find(m, &t->grams, &all);
        for (uint32_t i = 0; i < ev->high_count; i++) {
            pass_value(m, t, ev, ev->high[i]);
        }
        return;
    }
    for (uint32_t v = 0; v < ev->count; v++) {
        if (ev->values[v].origin == v) {
            pass_value(m, t, ev, v);
        }
    }
}

void wedr_pass_table(struct wedr_matcher *m, const struct wedr_table *t, struct wedr_rule_event *ev)
{
    if (t->whole) {
        pass_keywords(m, t, ev);
        return;
    }
    if (t->field == WEDR_FIELD_ANY) {
        for (uint32_t v = 0; v < ev->count; v++) {
            if (ev->values[v].origin == v) {
                pass_value(m, t, ev, v);
            }
        }
        return;
    }
    for (uint32_t v = ev->first[t->field]; v != WEDR_IR_NONE; v = ev->values[v].next) {
        pass_value(m, t, ev, v);
    }
}

static bool asked_stands(struct wedr_text plain, const struct wedr_ask *a, const char *literal)
{
    const struct piece all = {(const uint8_t *)plain.p, plain.len, true, true};
    if (a->place == WEDR_PLACE_ANYWHERE) {
        return stands_in(&all, wedr_text(literal, a->len));
    }
    size_t from = a->place == WEDR_PLACE_END ? plain.len - a->len : 0;
    return plain.len >= a->len && stands_at(all.s + from, literal, a->len);
}

static bool has_text(const struct wedr_table *t, const struct wedr_rule_value *v)
{
    return v->kind != WEDR_VALUE_NULL && (v->kind != WEDR_VALUE_NUMBER || t->numeric);
}

enum wedr_answer wedr_pass_asked(const struct wedr_table *t,
                                 const struct wedr_ask *a,
                                 const char *literal,
                                 struct wedr_rule_event *ev)
{
    for (uint32_t v = ev->first[t->field]; v != WEDR_IR_NONE; v = ev->values[v].next) {
        struct wedr_text plain;
        if (!has_text(t, &ev->values[v])) {
            continue;
        }
        if (!wedr_event_plain(ev, v, &plain)) {
            return WEDR_ANSWER_PASS;
        }
        if (asked_stands(plain, a, literal)) {
            return WEDR_ANSWER_YES;
        }
    }
    return WEDR_ANSWER_NO;
}

bool wedr_pass_filter(const struct wedr_table *t,
                      struct wedr_rule_event *ev,
                      struct wedr_filter *filter)
{
    size_t all = 0;
    memset(filter, 0, sizeof(*filter));
    for (uint32_t v = ev->first[t->field]; v != WEDR_IR_NONE; v = ev->values[v].next) {
        struct wedr_text plain;
        if (!has_text(t, &ev->values[v])) {
            continue;
        }
        if (!wedr_event_plain(ev, v, &plain) || plain.len > WEDR_FILTER_BYTES_MAX - all) {
            return false;
        }
        all += plain.len;
        for (uint32_t i = 0; i + WEDR_GRAM <= plain.len; i += WEDR_ASK_GRAMS) {
            uint32_t place = wedr_ask_place(plain.p + i);
            filter->bits[place / 64] |= UINT64_C(1) << (place % 64);
        }
    }
    return true;
}
