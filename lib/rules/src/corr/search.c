/* SPDX-License-Identifier: Apache-2.0
 * rules/src/corr/search.c — patterns: a bounded search for events that join. */
#include "corr/state.h"
#include <string.h>

/* The sides of a member are numbered in the order in which the joins name its fields. */
uint32_t wedr_corr_join_slot(const struct wedr_correlation *c, uint32_t member, uint32_t field)
{
    uint32_t fields[WEDR_IR_JOIN_SIDES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < c->join_count * 2; i++) {
        const struct wedr_correlation_join *j = &c->joins[i / 2];
        uint32_t side = i % 2 ? j->field_b : j->field_a;
        if ((i % 2 ? j->member_b : j->member_a) != member) {
            continue;
        }
        uint32_t at = 0;
        while (at < count && fields[at] != side) {
            at++;
        }
        if (side == field) {
            return at;
        }
        if (at == count && count < WEDR_IR_JOIN_SIDES_MAX) {
            fields[count++] = side;
        }
    }
    return WEDR_CORR_NONE;
}

static uint64_t *slots_of(const struct wedr_correlate *c, uint32_t entry)
{
    return c->joins + (size_t)entry * WEDR_IR_JOIN_SIDES_MAX;
}

void wedr_corr_note_joins(struct wedr_correlate *c,
                          uint32_t window,
                          uint32_t entry,
                          struct wedr_rule_event *ev)
{
    const struct wedr_correlation *k = c->kinds[c->windows[window].kind_of].c;
    uint32_t member = c->entries[entry].member;
    for (uint32_t i = 0; i < k->join_count * 2; i++) {
        const struct wedr_correlation_join *j = &k->joins[i / 2];
        uint32_t field = i % 2 ? j->field_b : j->field_a;
        struct wedr_text t;
        if ((i % 2 ? j->member_b : j->member_a) == member) {
            /* 0: no value, which joins nothing */
            slots_of(c, entry)[wedr_corr_join_slot(k, member, field)] =
                wedr_corr_first(ev, field, &t) ? wedr_corr_hash(t, 1) | 1 : 0;
        }
    }
}

struct search {
    struct wedr_correlate *c;
    const struct wedr_corr_window *w;
    const struct wedr_corr_kind *kind;
    uint32_t *chosen;
    uint8_t order[WEDR_IR_MEMBERS_MAX]; /* members: that of this feed's event, then what joins with
                                           those before, negated ones last */
    uint32_t steps;
};

static bool joined(const struct search *s, const struct wedr_correlation_join *j)
{
    uint32_t a = s->chosen[j->member_a];
    uint32_t b = s->chosen[j->member_b];
    if (a == WEDR_CORR_NONE || b == WEDR_CORR_NONE) {
        return true;
    }
    uint64_t x = slots_of(s->c, a)[wedr_corr_join_slot(s->kind->c, j->member_a, j->field_a)];
    uint64_t y = slots_of(s->c, b)[wedr_corr_join_slot(s->kind->c, j->member_b, j->field_b)];
    return x == y && x != 0;
}

/* What was chosen for `member` fits what was chosen before. */
static bool fits(const struct search *s, uint32_t member)
{
    const struct wedr_correlation *k = s->kind->c;
    for (uint32_t i = 0; i < k->join_count; i++) {
        const struct wedr_correlation_join *j = &k->joins[i];
        if ((j->member_a == member || j->member_b == member) && !joined(s, j)) {
            return false;
        }
    }
    for (uint32_t m = 0; (k->ordered || k->timespan_ms == 0) && m < k->member_count; m++) {
        if (m == member || s->chosen[m] == WEDR_CORR_NONE) {
            continue;
        }
        const struct wedr_corr_entry *a = &s->c->entries[s->chosen[m < member ? m : member]];
        const struct wedr_corr_entry *b = &s->c->entries[s->chosen[m < member ? member : m]];
        if (k->timespan_ms == 0 && a->seq != b->seq) {
            return false;
        }
        if (k->ordered &&
            (a->time_us > b->time_us || (a->time_us == b->time_us && a->seq >= b->seq))) {
            return false;
        }
    }
    return true;
}

static bool truth(const struct search *s, uint32_t node)
{
    const struct wedr_ruleset *rs = s->c->e->rs;
    const struct wedr_node *n = wedr_ruleset_node(rs, node);
    const uint32_t *kids = wedr_ruleset_kids(rs, n);
    uint32_t have = 0;
    switch (n->kind) {
    case WEDR_NODE_TRUE:
        return true;
    case WEDR_NODE_MEMBER:
        return s->chosen[n->arg] != WEDR_CORR_NONE;
    case WEDR_NODE_NOT:
        return !truth(s, kids[0]);
    case WEDR_NODE_AND:
    case WEDR_NODE_OR:
    case WEDR_NODE_AT_LEAST:
        for (uint32_t i = 0; i < n->kid_count; i++) {
            have += truth(s, kids[i]);
        }
        return have >= (n->kind == WEDR_NODE_AND  ? n->kid_count
                        : n->kind == WEDR_NODE_OR ? 1
                                                  : n->arg);
    default:
        return false;
    }
}

/* All members have their choice. */
static bool accept(const struct search *s)
{
    const struct wedr_correlation *k = s->kind->c;
    bool fresh = false;
    bool all = true;
    for (uint32_t m = 0; m < k->member_count; m++) {
        bool there = s->chosen[m] != WEDR_CORR_NONE;
        all = all && there;
        fresh = fresh || (there && !(s->kind->negated >> m & 1) &&
                          s->c->entries[s->chosen[m]].seq == s->c->seq);
    }
    return fresh && (k->expression == WEDR_IR_NONE ? all : truth(s, k->expression));
}

/* Newest entries first, for the first member only those of this feed; none only where no entry
 * fits and the pattern can do without. */
static bool choose(struct search *s, uint32_t at)
{
    if (at == s->kind->c->member_count) {
        return accept(s);
    }
    uint32_t member = s->order[at];
    bool any = false;
    for (uint32_t e = s->w->newest; e != WEDR_CORR_NONE; e = s->c->entries[e].older) {
        const struct wedr_corr_entry *entry = &s->c->entries[e];
        if (entry->member != member || (at == 0 && entry->seq != s->c->seq)) {
            continue;
        }
        if (++s->steps > WEDR_CORR_STEPS_MAX) {
            return false;
        }
        s->chosen[member] = e;
        if (fits(s, member)) {
            any = true;
            if (choose(s, at + 1)) {
                return true;
            }
        }
    }
    s->chosen[member] = WEDR_CORR_NONE;
    return at > 0 && !any && !(s->kind->needed >> member & 1) && choose(s, at + 1);
}

static bool joins_with(const struct wedr_correlation *k, uint32_t member, uint64_t others)
{
    for (uint32_t i = 0; i < k->join_count; i++) {
        uint32_t a = k->joins[i].member_a;
        uint32_t b = k->joins[i].member_b;
        if ((a == member && others >> b & 1) || (b == member && others >> a & 1)) {
            return true;
        }
    }
    return false;
}

/* A join narrows the choice to a few entries, so that members which join with those before them
 * come first: without that the search would try every pair of events. */
static void arrange(struct search *s, uint32_t fresh)
{
    const struct wedr_correlation *k = s->kind->c;
    uint64_t placed = UINT64_C(1) << fresh;
    uint32_t count = 0;
    s->order[count++] = (uint8_t)fresh;
    while (count < k->member_count) {
        uint32_t best = 0;
        uint32_t best_rank = 4;
        for (uint32_t m = 0; m < k->member_count; m++) {
            uint32_t rank = (uint32_t)(s->kind->negated >> m & 1) * 2 + !joins_with(k, m, placed);
            if (!(placed >> m & 1) && rank < best_rank) {
                best = m;
                best_rank = rank;
            }
        }
        placed |= UINT64_C(1) << best;
        s->order[count++] = (uint8_t)best;
    }
}

/* Takes back choices that the pattern holds without: they are no evidence of it. */
static void drop_idle(struct search *s)
{
    for (uint32_t m = 0; m < s->kind->c->member_count; m++) {
        uint32_t entry = s->chosen[m];
        s->chosen[m] = WEDR_CORR_NONE;
        if (entry != WEDR_CORR_NONE && !accept(s)) {
            s->chosen[m] = entry;
        }
    }
}

bool wedr_corr_search(struct wedr_correlate *c, uint32_t window, uint32_t *chosen)
{
    struct search s = {.c = c, .w = &c->windows[window], .chosen = chosen};
    s.kind = &c->kinds[s.w->kind_of];
    bool found = false;
    for (uint32_t m = 0; m < s.kind->c->member_count && !found; m++) {
        if (s.kind->members >> m & ~(s.kind->negated >> m) & 1) {
            arrange(&s, m);
            memset(chosen, 0xFF, s.kind->c->member_count * sizeof(*chosen));
            found = choose(&s, 0);
        }
    }
    if (found) {
        drop_idle(&s);
    }
    c->stats.searches_limited += s.steps > WEDR_CORR_STEPS_MAX;
    return found;
}

static void
find_negated(const struct wedr_ruleset *rs, uint32_t node, bool below_not, uint64_t *bits)
{
    const struct wedr_node *n = wedr_ruleset_node(rs, node);
    if (n->kind == WEDR_NODE_MEMBER && below_not) {
        *bits |= UINT64_C(1) << n->arg;
    }
    for (uint32_t i = 0; i < n->kid_count; i++) {
        find_negated(rs, wedr_ruleset_kids(rs, n)[i], below_not != (n->kind == WEDR_NODE_NOT),
                     bits);
    }
}

uint64_t wedr_corr_negated(const struct wedr_ruleset *rs, const struct wedr_correlation *c)
{
    uint64_t bits = 0;
    if (c->expression != WEDR_IR_NONE) {
        find_negated(rs, c->expression, false, &bits);
    }
    return bits;
}

/* Members without which node cannot be true. */
static uint64_t needed(const struct wedr_ruleset *rs, uint32_t node)
{
    const struct wedr_node *n = wedr_ruleset_node(rs, node);
    const uint32_t *kids = wedr_ruleset_kids(rs, n);
    bool every =
        n->kind == WEDR_NODE_AND || (n->kind == WEDR_NODE_AT_LEAST && n->arg >= n->kid_count);
    uint64_t bits = n->kind == WEDR_NODE_MEMBER ? UINT64_C(1) << n->arg : 0;
    if (n->kind != WEDR_NODE_AND && n->kind != WEDR_NODE_OR && n->kind != WEDR_NODE_AT_LEAST) {
        return bits;
    }
    for (uint32_t i = 0; i < n->kid_count; i++) {
        uint64_t of = needed(rs, kids[i]);
        bits = every ? bits | of : i == 0 ? of : bits & of;
    }
    return bits;
}

uint64_t wedr_corr_needed(const struct wedr_ruleset *rs, const struct wedr_correlation *c)
{
    return c->expression != WEDR_IR_NONE ? needed(rs, c->expression)
                                         : UINT64_MAX >> (64 - c->member_count);
}
