/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/passes.c — one pass over each value of a field. */
#include "core/base/err.h"
#include "match/matcher.h"
#include <string.h>

/* Where a text stands in the automaton: it comes in parts when it has to be folded. */
struct walk {
    uint32_t state;
    uint32_t done; /* bytes before this part */
};

static void
hits(struct wedr_matcher *m, const struct wedr_automaton *ac, uint32_t state, uint32_t position)
{
    for (uint32_t o = ac->words[state + 2]; o != WEDR_IR_NONE; o = ac->outs[o].link) {
        const struct wedr_automaton_out *out = &ac->outs[o];
        if (out->atom[WEDR_LITERAL_CONTAINS] != WEDR_IR_NONE) {
            wedr_matcher_set(m, out->atom[WEDR_LITERAL_CONTAINS]);
        }
        if (out->atom[WEDR_LITERAL_PREFIX] != WEDR_IR_NONE && out->depth == position) {
            wedr_matcher_set(m, out->atom[WEDR_LITERAL_PREFIX]);
        }
    }
}

static void walk_part(struct wedr_matcher *m,
                      const struct wedr_automaton *ac,
                      struct walk *w,
                      const uint8_t *s,
                      size_t len)
{
    const uint32_t *t = ac->words;
    uint32_t state = w->state;
    for (size_t i = 0; i < len; i++) {
        state = wedr_automaton_step(t, state, ac->classes[s[i]]);
        if (t[state] & WEDR_AC_MID) {
            hits(m, ac, state, w->done + (uint32_t)i + 1);
        }
    }
    w->state = state;
    w->done += (uint32_t)len;
}

static void walk_end(struct wedr_matcher *m, const struct wedr_automaton *ac, uint32_t state)
{
    if (!(ac->words[state] & WEDR_AC_END)) {
        return;
    }
    for (uint32_t o = ac->words[state + 2]; o != WEDR_IR_NONE; o = ac->outs[o].link) {
        if (ac->outs[o].atom[WEDR_LITERAL_SUFFIX] != WEDR_IR_NONE) {
            wedr_matcher_set(m, ac->outs[o].atom[WEDR_LITERAL_SUFFIX]);
        }
    }
}

/* Upper-case ASCII letters need no folding here: they have the class of the lower-case ones. */
static void pass_automaton(struct wedr_matcher *m,
                           const struct wedr_automaton *ac,
                           struct wedr_text t,
                           bool high)
{
    struct walk w = {0, 0};
    if (!high) {
        walk_part(m, ac, &w, (const uint8_t *)t.p, t.len);
    } else {
        const char *p = t.p;
        const char *end = t.p + t.len;
        char part[WEDR_MATCHER_PART];
        while (p < end) {
            size_t n = wedr_fold_part(&p, end, part, sizeof(part));
            walk_part(m, ac, &w, (const uint8_t *)part, n);
        }
    }
    walk_end(m, ac, w.state);
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

static void
pass_exact(struct wedr_matcher *m, const struct wedr_table *t, struct wedr_text text, bool high)
{
    uint64_t bit = UINT64_C(1) << (text.len < 63 ? text.len : 63);
    if ((!high && !(t->exact_lengths & bit)) || text.len > t->exact_longest * 3) {
        return;
    }
    struct exact_key key = {.t = t};
    size_t len = wedr_fold(text.p, text.len, m->eval.fold);
    key.text = wedr_text(m->eval.fold, len);
    uint32_t id =
        wedr_index_find(&t->exact_index, wedr_hash_bytes(m->eval.fold, len, 0), same_exact, &key);
    if (id != WEDR_IR_NONE) {
        wedr_matcher_set(m, WEDR_VEC_AT(struct wedr_exact, t->exacts, id)->atom);
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
    struct wedr_text text = wedr_rule_event_text(ev, value);
    if (text.len == 0) {
        if (t->empty != WEDR_IR_NONE) {
            wedr_matcher_set(m, t->empty);
        }
    } else if (t->automaton.words || t->exacts.count > 0) {
        bool high = wedr_text_has_high(text.p, text.len);
        if (t->exacts.count > 0) {
            pass_exact(m, t, text, high);
        }
        if (t->automaton.words) {
            pass_automaton(m, &t->automaton, text, high);
        }
    }
    if (t->numbers.count > 0) {
        pass_number(m, t, v, text);
    }
    if (t->yes != WEDR_IR_NONE || t->no != WEDR_IR_NONE) {
        pass_bool(m, t, v, text);
    }
    const struct wedr_list *lists = t->lists.p;
    for (size_t i = 0; i < t->lists.count; i++) {
        struct wedr_pred p = {.kind = WEDR_PRED_SET, .u.set = lists[i].set};
        if (!wedr_matcher_has(m, lists[i].atom) && wedr_eval_value(&m->eval, &p, ev, value)) {
            wedr_matcher_set(m, lists[i].atom);
        }
    }
}

void wedr_pass_table(struct wedr_matcher *m, const struct wedr_table *t, struct wedr_rule_event *ev)
{
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
