/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/passes.c — one pass over each value of a field. */
#include "core/base/err.h"
#include "match/matcher.h"
#include <string.h>

static void hits(struct wedr_matcher *m, const struct wedr_automaton *ac, uint32_t state)
{
    for (uint32_t o = wedr_automaton_out(ac->words, state); o != WEDR_IR_NONE;
         o = ac->outs[o].link) {
        wedr_matcher_set(m, ac->outs[o].atom);
    }
}

static bool has_bit(const uint64_t *bits, uint32_t at)
{
    return bits[at / 64] >> (at % 64) & 1;
}

/* The first position from i on at which a literal may begin; len when there is none. */
static size_t next_start(const struct wedr_automaton *ac, const uint8_t *s, size_t i, size_t len)
{
    const uint64_t *grams = ac->grams;
    const uint64_t *pairs = ac->pairs;
    size_t stride = ac->stride;
    size_t low = i;
    uint32_t four;
    uint16_t two;
    if (!pairs) {
        for (; i + WEDR_AC_GRAM <= len; i += stride) {
            memcpy(&four, s + i, sizeof(four));
            if (has_bit(grams, wedr_automaton_gram(ac, four))) {
                return i - low < stride ? low : i - stride + 1;
            }
        }
        return len;
    }
    for (; i + WEDR_AC_GRAM <= len; i++) {
        memcpy(&four, s + i, sizeof(four));
        memcpy(&two, s + i, sizeof(two));
        if (has_bit(grams, wedr_automaton_gram(ac, four)) || has_bit(pairs, two)) {
            return i;
        }
    }
    return i; /* a short one may begin in the last three bytes */
}

/* From a possible start until what is left could be nothing longer than the filter sees. At most a
 * few bytes are walked again then, so that the whole stays linear. */
static void
walk_anywhere(struct wedr_matcher *m, const struct wedr_automaton *ac, const uint8_t *s, size_t len)
{
    const uint32_t *t = ac->words;
    const uint32_t least = WEDR_AC_GRAM + ac->stride - 1;
    size_t i = next_start(ac, s, 0, len);
    while (i < len) {
        size_t start = i;
        uint32_t state = 0;
        uint32_t depth;
        do {
            state = wedr_automaton_step(t, state, ac->classes[s[i++]]);
            uint32_t h = t[state];
            depth = h >> WEDR_AC_DEPTH_SHIFT;
            if (h & WEDR_AC_OUT) {
                hits(m, ac, state);
            }
        } while (i < len && (depth >= WEDR_AC_GRAM || i - start < least));
        if (i < len) {
            i = next_start(ac, s, i - depth, len);
        }
    }
}

/* Along one path of a trie. */
static void
walk_front(struct wedr_matcher *m, const struct wedr_automaton *ac, const uint8_t *s, size_t len)
{
    uint32_t state = 0;
    for (size_t i = 0; i < len; i++) {
        state = wedr_automaton_step(ac->words, state, ac->classes[s[i]]);
        if (state == WEDR_AC_DEAD) {
            return;
        }
        hits(m, ac, state);
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
        hits(m, ac, state);
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

static void pass_exact(struct wedr_matcher *m, const struct wedr_table *t, struct wedr_text folded)
{
    uint64_t bit = UINT64_C(1) << (folded.len < 63 ? folded.len : 63);
    if (!(t->exact_lengths & bit) || folded.len > t->exact_longest) {
        return;
    }
    struct exact_key key = {.t = t, .text = folded};
    uint32_t id = wedr_index_find(&t->exact_index, wedr_hash_bytes(folded.p, folded.len, 0),
                                  same_exact, &key);
    if (id != WEDR_IR_NONE) {
        wedr_matcher_set(m, WEDR_VEC_AT(struct wedr_exact, t->exacts, id)->atom);
    }
}

/* A value that fits the scratch memory, folded. */
static void pass_folded(struct wedr_matcher *m, const struct wedr_table *t, struct wedr_text folded)
{
    const uint8_t *s = (const uint8_t *)folded.p;
    if (t->exacts.count > 0) {
        pass_exact(m, t, folded);
    }
    if (t->automata[WEDR_PLACE_ANYWHERE].words) {
        walk_anywhere(m, &t->automata[WEDR_PLACE_ANYWHERE], s, folded.len);
    }
    if (t->automata[WEDR_PLACE_FRONT].words) {
        walk_front(m, &t->automata[WEDR_PLACE_FRONT], s, folded.len);
    }
    if (t->automata[WEDR_PLACE_END].words) {
        walk_end(m, &t->automata[WEDR_PLACE_END], s, folded.len);
    }
}

static bool inside_character(char c)
{
    return ((uint8_t)c & 0xC0) == 0x80;
}

/* A longer one: its front and its end, which literals of the tables do not exceed, and all of it
 * without the filter. */
static void pass_long(struct wedr_matcher *m, const struct wedr_table *t, struct wedr_text text)
{
    char *fold = m->eval.fold;
    const char *end = text.p + text.len;
    const char *p = text.p;
    const struct wedr_automaton *ac = &t->automata[WEDR_PLACE_ANYWHERE];
    uint32_t state = 0;
    for (bool first = true; p < end && (first || ac->words); first = false) {
        size_t n = wedr_fold_part(&p, end, fold, WEDR_EVAL_FOLD_MAX);
        if (first && t->automata[WEDR_PLACE_FRONT].words) {
            walk_front(m, &t->automata[WEDR_PLACE_FRONT], (const uint8_t *)fold, n);
        }
        for (size_t i = 0; ac->words && i < n; i++) {
            state = wedr_automaton_step(ac->words, state, ac->classes[(uint8_t)fold[i]]);
            hits(m, ac, state);
        }
    }
    if (t->automata[WEDR_PLACE_END].words) {
        p = end - WEDR_EVAL_FOLD_MAX;
        for (int i = 0; i < 3 && inside_character(*p); i++) {
            p++;
        }
        size_t n = wedr_fold(p, (size_t)(end - p), fold);
        walk_end(m, &t->automata[WEDR_PLACE_END], (const uint8_t *)fold, n);
    }
}

static void pass_text(struct wedr_matcher *m,
                      const struct wedr_table *t,
                      struct wedr_rule_event *ev,
                      uint32_t value,
                      struct wedr_text text)
{
    struct wedr_text folded;
    if (text.len > WEDR_EVAL_FOLD_MAX) {
        pass_long(m, t, text);
    } else if (wedr_event_folded(ev, value, &folded)) {
        pass_folded(m, t, folded);
    } else {
        pass_folded(m, t, wedr_text(m->eval.fold, wedr_fold(text.p, text.len, m->eval.fold)));
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
    bool ready = v->text.p && !v->escaped;
    struct wedr_text text = ready ? v->text : wedr_rule_event_text(ev, value);
    if (text.len == 0) {
        if (t->empty != WEDR_IR_NONE) {
            wedr_matcher_set(m, t->empty);
        }
    } else if (t->texts) {
        pass_text(m, t, ev, value, text);
    }
    if (t->numbers.count > 0) {
        pass_number(m, t, v, text);
    }
    if (t->yes != WEDR_IR_NONE || t->no != WEDR_IR_NONE) {
        pass_bool(m, t, v, text);
    }
    pass_lists(m, t, ev, value);
}

void wedr_pass_table(struct wedr_matcher *m, const struct wedr_table *t, struct wedr_rule_event *ev)
{
    const struct wedr_automaton *ac = &t->automata[WEDR_PLACE_ANYWHERE];
    if (t->whole && ac->words && wedr_event_fold_all(ev)) {
        walk_anywhere(m, ac, (const uint8_t *)ev->folded, ev->folded_used);
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
