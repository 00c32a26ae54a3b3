/* SPDX-License-Identifier: Apache-2.0
 * rules/src/match/matcher.c — passes, candidates, evaluation. */
#include "match/matcher.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include <string.h>

static void *take(struct wedr_matcher *m, size_t count, size_t size)
{
    m->bytes += count * size;
    return wedr_alloc(count, size);
}

struct wedr_matcher *wedr_matcher_new(const struct wedr_engine *e)
{
    struct wedr_matcher *m = wedr_alloc(1, sizeof(*m));
    if (!m) {
        return NULL;
    }
    m->magic = WEDR_MATCHER_MAGIC;
    m->e = e;
    m->bytes = sizeof(*m) + WEDR_FOLD_MAX(WEDR_EVAL_FOLD_MAX);
    m->atoms = take(m, (size_t)e->atom_count / 64 + 1, sizeof(*m->atoms));
    m->touched = take(m, 2 * (size_t)e->atom_count + 1, sizeof(uint32_t)); /* asked for, then set */
    m->candidates = take(m, e->rules.count / 64 + 1, sizeof(uint64_t));
    m->scope_state = take(m, e->scopes.count + 1, 1);
    m->scopes = take(m, e->scopes.count + 1, sizeof(uint32_t));
    m->needed = take(m, (size_t)e->table_words + 1, sizeof(uint64_t));
    m->keywords = take(m, e->scopes.count + 1, sizeof(uint32_t));
    m->passed = take(m, e->tables.count + 1, sizeof(uint32_t));
    m->filters = take(m, WEDR_FILTERS, sizeof(*m->filters));
    m->memo = take(m, e->residuals.count + 1, sizeof(uint32_t));
    m->matches = take(m, e->rules.count + 1, sizeof(uint32_t));
    const struct wedr_eval_limits limits = {e->opts.regex_match_limit, e->opts.regex_heap_kib_max,
                                            e->opts.regex_value_max, e->opts.regex_give_up_max};
    int r = wedr_eval_init(&m->eval, e->rs, &limits);
    if (r < 0 || !m->atoms || !m->touched || !m->candidates || !m->scope_state || !m->scopes ||
        !m->needed || !m->keywords || !m->passed || !m->filters || !m->memo || !m->matches) {
        wedr_matcher_free(m);
        return NULL;
    }
    return m;
}

void wedr_matcher_free(struct wedr_matcher *m)
{
    if (m) {
        wedr_eval_fini(&m->eval);
        wedr_free(m->atoms);
        wedr_free(m->touched);
        wedr_free(m->candidates);
        wedr_free(m->scope_state);
        wedr_free(m->scopes);
        wedr_free(m->needed);
        wedr_free(m->keywords);
        wedr_free(m->passed);
        wedr_free(m->filters);
        wedr_free(m->memo);
        wedr_free(m->matches);
        m->magic = 0;
        wedr_free(m);
    }
}

size_t wedr_matcher_memory(const struct wedr_matcher *m)
{
    return m->bytes;
}

static void pick_scope(struct wedr_matcher *m, uint32_t scope)
{
    if (m->scope_state[scope] == WEDR_SCOPE_IDLE) {
        m->scope_state[scope] = WEDR_SCOPE_PICKED;
        m->scopes[m->scope_count++] = scope;
    }
}

static inline void apply(struct wedr_matcher *m, uint32_t effect)
{
    uint32_t id = effect & WEDR_EFFECT_ID;
    switch (effect >> WEDR_EFFECT_SHIFT) {
    case WEDR_EFFECT_RULE:
        m->candidates[id / 64] |= UINT64_C(1) << (id % 64);
        break;
    case WEDR_EFFECT_ATOM: /* a group lies above its members: no deeper than the expression */
        wedr_matcher_set(m, id);
        break;
    default:
        pick_scope(m, id);
    }
}

void wedr_matcher_spread(struct wedr_matcher *m, uint32_t atom)
{
    uint32_t effect = m->e->effect_of[atom];
    m->atoms[atom / 64].set |= UINT64_C(1) << (atom % 64);
    m->touched[m->touched_count++] = atom;
    if (effect == WEDR_IR_NONE) {
        return;
    }
    if (effect >> WEDR_EFFECT_SHIFT != WEDR_EFFECT_LIST) {
        apply(m, effect);
        return;
    }
    const uint32_t *list = WEDR_VEC_AT(const uint32_t, m->e->effects, effect &WEDR_EFFECT_ID);
    for (uint32_t i = 1; i <= list[0]; i++) {
        apply(m, list[i]);
    }
}

static bool demand(struct wedr_matcher *m, uint32_t atom, struct wedr_rule_event *ev);

/* A filter says so. */
static inline bool is_excluded(const struct wedr_matcher *m, const struct wedr_ask *a)
{
    if (!a->filtered) {
        return false;
    }
    uint32_t filter = m->passed[a->twin] - (m->epoch * WEDR_ASKS + WEDR_ASKS_FILTER);
    return filter < WEDR_FILTERS && !wedr_filter_may(&m->filters[filter], a);
}

/* An atom that the passes do not know: what was found out is kept. */
static inline bool ask_holds(struct wedr_matcher *m, uint32_t atom, struct wedr_rule_event *ev)
{
    struct wedr_truth *known = &m->atoms[atom / 64];
    const uint64_t bit = UINT64_C(1) << (atom % 64);
    if ((known->set | known->absent) & bit) {
        return known->set & bit;
    }
    if (is_excluded(m, &m->e->asks[atom])) {
        return false;
    }
    if (demand(m, atom, ev)) {
        return true;
    }
    known->absent |= bit;
    m->touched[m->touched_count++] = atom;
    return false;
}

/* Looks for a literal by itself, as long as few were asked for or the filter does not exclude it.
 */
static enum wedr_answer
ask(struct wedr_matcher *m, const struct wedr_ask *a, uint32_t *passed, struct wedr_rule_event *ev)
{
    const struct wedr_engine *e = m->e;
    const struct wedr_table *t = WEDR_VEC_AT(const struct wedr_table, e->tables, a->twin);
    uint32_t asks = *passed - m->epoch * WEDR_ASKS;
    if (asks == WEDR_ASKS_FEW && m->filter_count < WEDR_FILTERS &&
        wedr_pass_filter(t, ev, &m->filters[m->filter_count])) {
        *passed += WEDR_ASKS_FILTER - asks + m->filter_count;
        asks = WEDR_ASKS_FILTER + m->filter_count++;
    }
    if (asks < WEDR_ASKS_MANY) {
        ++*passed;
    } else if (asks < WEDR_ASKS_FILTER) {
        return WEDR_ANSWER_PASS;
    } else if (is_excluded(m, a)) {
        return WEDR_ANSWER_NO;
    }
    return wedr_pass_asked(t, a, e->ask_texts + a->text, ev);
}

/* Most candidates ask for one or two literals of a table of thousands: these are looked for by
 * themselves. What is no literal is known when the twin was passed. */
static bool demand_twin(struct wedr_matcher *m,
                        uint32_t atom,
                        const struct wedr_ask *a,
                        struct wedr_rule_event *ev)
{
    const uint32_t none = m->epoch * WEDR_ASKS;
    uint32_t *passed = &m->passed[a->twin];
    *passed = *passed < none ? none : *passed;
    if (*passed == none + WEDR_ASKS_PASSED) {
        return false;
    }
    enum wedr_answer answer = a->len > 0 ? ask(m, a, passed, ev) : WEDR_ANSWER_PASS;
    if (answer == WEDR_ANSWER_YES) {
        wedr_matcher_spread(m, atom);
    } else if (answer == WEDR_ANSWER_PASS) {
        *passed = none + WEDR_ASKS_PASSED;
        wedr_pass_table(m, WEDR_VEC_AT(const struct wedr_table, m->e->tables, a->twin), ev);
    }
    return wedr_matcher_has(m, atom);
}

/* Asks the twin that decides the atom, or for the members of the group, no deeper than the
 * expression was. */
static bool demand(struct wedr_matcher *m, uint32_t atom, struct wedr_rule_event *ev)
{
    const struct wedr_engine *e = m->e;
    const struct wedr_ask *a = &e->asks[atom];
    if (a->twin != WEDR_IR_NONE) {
        return demand_twin(m, atom, a, ev);
    }
    for (uint32_t i = e->member_first[atom]; i < e->member_first[atom + 1]; i++) {
        if (ask_holds(m, *WEDR_VEC_AT(const uint32_t, e->members, i), ev)) {
            wedr_matcher_spread(m, atom);
            return true;
        }
    }
    return false;
}

static bool residual_holds(struct wedr_matcher *m, uint32_t id, struct wedr_rule_event *ev)
{
    const struct wedr_residual *r = WEDR_VEC_AT(const struct wedr_residual, m->e->residuals, id);
    if (r->gate != WEDR_IR_NONE && !ask_holds(m, r->gate, ev)) {
        return false;
    }
    if (m->memo[id] / 2 != m->epoch) {
        uint32_t value;
        bool truth = wedr_eval_pred(
            &m->eval, WEDR_VEC_AT(const struct wedr_pred, m->e->rs->preds, r->pred), ev, &value);
        m->memo[id] = m->epoch * 2 + truth;
    }
    return m->memo[id] & 1;
}

static bool x_holds(struct wedr_matcher *m, uint32_t id, struct wedr_rule_event *ev);

/* Most kids are atoms. */
static inline bool ref_holds(struct wedr_matcher *m, uint32_t ref, struct wedr_rule_event *ev)
{
    uint32_t id = ref & WEDR_REF_ID;
    switch (ref >> WEDR_REF_SHIFT) {
    case WEDR_REF_X:
        return x_holds(m, id, ev);
    case WEDR_REF_ATOM:
        return wedr_matcher_has(m, id);
    default:
        return ask_holds(m, id, ev);
    }
}

static bool x_holds(struct wedr_matcher *m, uint32_t id, struct wedr_rule_event *ev)
{
    const struct wedr_x *x = wedr_engine_x(m->e, id);
    const uint32_t *kids = wedr_engine_kids(m->e, x);
    uint32_t have = 0;
    switch (x->kind) {
    case WEDR_X_TRUE:
        return true;
    case WEDR_X_RESIDUAL:
        return residual_holds(m, x->arg, ev);
    case WEDR_X_NOT:
        return !ref_holds(m, kids[0], ev);
    case WEDR_X_AND:
        for (uint32_t i = 0; i < x->kid_count; i++) {
            if (!ref_holds(m, kids[i], ev)) {
                return false;
            }
        }
        return true;
    case WEDR_X_OR:
        for (uint32_t i = 0; i < x->kid_count; i++) {
            if (ref_holds(m, kids[i], ev)) {
                return true;
            }
        }
        return false;
    case WEDR_X_AT_LEAST:
        for (uint32_t i = 0; have < x->arg && i < x->kid_count; i++) {
            have += ref_holds(m, kids[i], ev);
        }
        return have >= x->arg;
    default:
        return false;
    }
}

static bool class_holds(const struct wedr_scope *s, const struct wedr_rule_event *ev)
{
    for (uint32_t i = 0; i < s->class_count; i++) {
        for (uint32_t k = 0; k < ev->class_count; k++) {
            if (s->classes[i] == ev->classes[k]) {
                return true;
            }
        }
    }
    return s->class_count == 0;
}

/* Scopes that hold go on; the tables that their rules look at are needed, their rules without
 * triggers candidates. */
static void open_scopes(struct wedr_matcher *m, struct wedr_rule_event *ev)
{
    const struct wedr_engine *e = m->e;
    const uint32_t *open = e->open_scopes.p;
    for (size_t i = 0; i < e->open_scopes.count; i++) {
        pick_scope(m, open[i]);
    }
    uint32_t classes = wedr_ruleset_class_count(e->rs);
    for (uint32_t c = 0; c < ev->class_count; c++) {
        uint32_t id = ev->classes[c];
        for (uint32_t i = id < classes ? e->class_first[id] : 0;
             id < classes && i < e->class_first[id + 1]; i++) {
            pick_scope(m, *WEDR_VEC_AT(const uint32_t, e->class_scopes, i));
        }
    }
    memset(m->needed, 0, e->table_words * sizeof(uint64_t));
    for (uint32_t i = 0; i < m->scope_count; i++) {
        const struct wedr_scope *s = WEDR_VEC_AT(const struct wedr_scope, e->scopes, m->scopes[i]);
        if (!class_holds(s, ev) || (s->guard != WEDR_IR_NONE && !ref_holds(m, s->guard, ev))) {
            continue;
        }
        m->scope_state[m->scopes[i]] = WEDR_SCOPE_ON;
        const uint64_t *tables = e->scope_tables + (size_t)m->scopes[i] * e->table_words;
        for (uint32_t w = 0; w < e->table_words; w++) {
            m->needed[w] |= tables[w];
        }
        if (s->any != WEDR_IR_NONE) {
            m->keywords[m->keyword_count++] = s->any;
        }
        for (uint32_t a = s->always_first; a < s->always_first + s->always_count; a++) {
            uint32_t rule = *WEDR_VEC_AT(const uint32_t, e->always, a);
            m->candidates[rule / 64] |= UINT64_C(1) << (rule % 64);
        }
    }
    for (uint32_t w = 0; w < e->table_words; w++) {
        m->needed[w] &= ~e->guard_tables[w]; /* passed already */
    }
}

static void
pass(struct wedr_matcher *m, struct wedr_rule_event *ev, uint32_t table, const uint64_t *wanted)
{
    if (wanted[table / 64] >> (table % 64) & 1) {
        wedr_pass_table(m, WEDR_VEC_AT(const struct wedr_table, m->e->tables, table), ev);
    }
}

/* The tables of keywords, then the fields of the event. */
static void pass_all(struct wedr_matcher *m,
                     struct wedr_rule_event *ev,
                     const uint32_t *keywords,
                     size_t keyword_count,
                     const uint64_t *wanted)
{
    const struct wedr_engine *e = m->e;
    for (size_t i = 0; i < keyword_count; i++) {
        pass(m, ev, keywords[i], wanted);
    }
    for (uint32_t i = 0; i < ev->touched_count; i++) {
        uint32_t table = e->table_of_field[ev->touched[i]];
        if (table != WEDR_IR_NONE) {
            pass(m, ev, table, wanted);
        }
    }
}

/* Rules that hold, by scope; within one in their order. */
static size_t evaluate_scope(struct wedr_matcher *m,
                             const struct wedr_scope *s,
                             size_t count,
                             struct wedr_rule_event *ev)
{
    const struct wedr_engine_rule *rules = m->e->rules.p;
    const uint32_t end = s->rule_first + s->rule_count;
    for (uint32_t w = s->rule_first / 64; w * 64 < end; w++) {
        uint64_t bits = m->candidates[w];
        if (bits == 0) { /* most are */
            continue;
        }
        bits &= w * 64 < s->rule_first ? UINT64_MAX << (s->rule_first % 64) : UINT64_MAX;
        bits &= end - w * 64 < 64 ? (UINT64_C(1) << (end % 64)) - 1 : UINT64_MAX;
        for (; bits; bits &= bits - 1) {
            const struct wedr_engine_rule *r = &rules[w * 64 + wedr_lowest_bit(bits)];
            m->candidate_count++;
            if (ref_holds(m, r->x, ev)) {
                m->matches[count++] = r->rule;
            }
        }
    }
    return count;
}

/* Few rules hold, and most are in order. */
static void sort_matches(uint32_t *rules, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        uint32_t moved = rules[i];
        size_t at = i;
        for (; at > 0 && rules[at - 1] > moved; at--) {
            rules[at] = rules[at - 1];
        }
        rules[at] = moved;
    }
}

static size_t evaluate(struct wedr_matcher *m, struct wedr_rule_event *ev)
{
    size_t count = 0;
    for (uint32_t i = 0; i < m->scope_count; i++) {
        if (m->scope_state[m->scopes[i]] == WEDR_SCOPE_ON) {
            const struct wedr_scope *s =
                WEDR_VEC_AT(const struct wedr_scope, m->e->scopes, m->scopes[i]);
            count = evaluate_scope(m, s, count, ev);
        }
    }
    memset(m->candidates, 0, (m->e->rules.count / 64 + 1) * sizeof(*m->candidates));
    sort_matches(m->matches, count);
    return count;
}

static void begin(struct wedr_matcher *m, const struct wedr_engine *e)
{
    for (uint32_t i = 0; i < m->touched_count; i++) {
        m->atoms[m->touched[i] / 64] = (struct wedr_truth){0, 0};
    }
    for (uint32_t i = 0; i < m->scope_count; i++) {
        m->scope_state[m->scopes[i]] = WEDR_SCOPE_IDLE;
    }
    m->touched_count = m->scope_count = m->keyword_count = m->filter_count = 0;
    m->eval.gave_up = 0;
    m->eval.needs = e->needs;
    if (++m->epoch > UINT32_MAX / WEDR_ASKS - 1) {
        memset(m->memo, 0, (e->residuals.count + 1) * sizeof(uint32_t));
        memset(m->passed, 0, (e->tables.count + 1) * sizeof(uint32_t));
        m->epoch = 1;
    }
}

int wedr_matcher_run(struct wedr_matcher *m,
                     struct wedr_rule_event *ev,
                     const uint32_t **ret_rules,
                     size_t *ret_count)
{
    WEDR_OBJ_CHECK(m, WEDR_MATCHER_MAGIC);
    WEDR_OBJ_CHECK(ev, WEDR_EVENT_MAGIC);
    if (ev->rs != m->e->rs || ev->field_count != wedr_ruleset_field_count(m->e->rs)) {
        return WEDR_E_BUG;
    }
    begin(m, m->e);
    const struct wedr_engine *e = m->e;
    pass_all(m, ev, e->guard_keywords.p, e->guard_keywords.count, e->guard_tables);
    open_scopes(m, ev);
    pass_all(m, ev, m->keywords, m->keyword_count, m->needed);
    size_t count = evaluate(m, ev);
    m->events++;
    m->match_count += count;
    *ret_rules = m->matches;
    *ret_count = count;
    return WEDR_OK;
}

void wedr_matcher_stats(const struct wedr_matcher *m, struct wedr_matcher_stats *ret_stats)
{
    struct wedr_matcher_stats s = {.events = m->events,
                                   .candidates = m->candidate_count,
                                   .matches = m->match_count,
                                   .regex_runs = m->eval.regex_runs,
                                   .regex_limited = m->eval.regex_limited,
                                   .regex_cut = m->eval.regex_cut};
    *ret_stats = s;
}
