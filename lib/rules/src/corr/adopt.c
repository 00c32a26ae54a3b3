/* SPDX-License-Identifier: Apache-2.0
 * rules/src/corr/adopt.c — windows that outlive a change of rules: correlations are compared by a
 * digest of all that decides what they count, ids of fields and rules left out. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "core/util/sha256.h"
#include "corr/state.h"
#include <string.h>

#define DIGEST_LEN WEDR_SHA256_LEN
#define TEXT_MEMORY_MAX ((size_t)64 << 20)

struct digest {
    uint8_t b[DIGEST_LEN];
};

/* Digests of one ruleset, made as they are asked for. */
struct digests {
    const struct wedr_ruleset *rs;
    struct digest *nodes, *rules;
    bool *node_made;
    bool failed;          /* no memory for text */
    struct wedr_buf text; /* what the digest at hand is made of, behind those it is a part of */
};

static void add_u64(struct digests *d, uint64_t v)
{
    wedr_buf_add(&d->text, &v, sizeof(v));
}

static void add_text(struct digests *d, struct wedr_text t)
{
    add_u64(d, t.len);
    wedr_buf_add(&d->text, t.p, t.len);
}

static void add_field(struct digests *d, uint32_t field)
{
    add_u64(d, field >= WEDR_FIELD_ANY ? field : 0);
    add_text(d, wedr_ruleset_field_name(d->rs, field));
}

static void add_number(struct digests *d, struct wedr_number n)
{
    add_u64(d, n.kind);
    add_u64(d, n.v.u);
}

static void add_net(struct digests *d, const struct wedr_net *n)
{
    add_u64(d, (uint64_t)n->family << 8 | n->bits);
    wedr_buf_add(&d->text, n->addr, sizeof(n->addr));
}

static void add_set(struct digests *d, uint32_t set)
{
    bool cased;
    enum wedr_set_mode mode = wedr_set_mode(d->rs, set, &cased);
    uint32_t count = wedr_set_entry_count(d->rs, set);
    add_u64(d, (uint64_t)mode << 1 | cased);
    add_u64(d, count);
    for (uint32_t i = 0; i < count; i++) {
        if (mode == WEDR_SET_CIDR) {
            struct wedr_net n = wedr_set_net(d->rs, set, i);
            add_net(d, &n);
        } else {
            add_text(d, wedr_set_entry(d->rs, set, i));
        }
    }
}

static void add_pred(struct digests *d, const struct wedr_pred *p)
{
    add_u64(d, (uint64_t)p->kind << 24 | (uint64_t)p->op << 16 | (uint64_t)p->flags << 8 | p->part);
    add_field(d, p->field);
    switch (p->kind) {
    case WEDR_PRED_CIDR:
        add_net(d, &p->u.net);
        break;
    case WEDR_PRED_NUMBER:
    case WEDR_PRED_TIME:
        add_number(d, p->u.number);
        break;
    case WEDR_PRED_BOOL:
        add_u64(d, p->u.boolean);
        break;
    case WEDR_PRED_FIELD:
        add_field(d, p->u.other);
        break;
    case WEDR_PRED_BITS:
        add_u64(d, p->u.bits);
        break;
    case WEDR_PRED_SET:
        add_set(d, p->u.set);
        break;
    case WEDR_PRED_EXISTS:
    case WEDR_PRED_NULL:
        break;
    default:
        add_text(d, p->u.text);
        break;
    }
}

/* Ends the digest at hand, which began at `begin` of the text. */
static void finish(struct digests *d, size_t begin, struct digest *ret)
{
    wedr_sha256(d->text.p ? d->text.p + begin : NULL, d->text.len - begin, ret->b);
    d->failed |= d->text.overflow; /* truncating to 0 forgets it */
    wedr_buf_truncate(&d->text, begin);
}

static void make_node(struct digests *d, uint32_t node); /* recursion: WEDR_IR_DEPTH_MAX deep */

static void add_node(struct digests *d, uint32_t node)
{
    static const struct digest none;
    if (node != WEDR_IR_NONE && !d->node_made[node]) {
        make_node(d, node);
    }
    wedr_buf_add(&d->text, node == WEDR_IR_NONE ? &none : &d->nodes[node], sizeof(none));
}

static void make_node(struct digests *d, uint32_t node)
{
    const struct wedr_node *n = wedr_ruleset_node(d->rs, node);
    const uint32_t *kids = wedr_ruleset_kids(d->rs, n);
    size_t begin = d->text.len;
    add_u64(d, n->kind);
    if (n->kind == WEDR_NODE_PRED) {
        add_pred(d, wedr_ruleset_pred(d->rs, n->arg));
    } else {
        add_u64(d, n->arg);
        add_u64(d, n->kid_count);
    }
    for (uint32_t i = 0; i < n->kid_count; i++) {
        add_node(d, kids[i]);
    }
    finish(d, begin, &d->nodes[node]);
    d->node_made[node] = true;
}

static void add_correlation(struct digests *d, const struct wedr_correlation *c)
{
    add_u64(d, (uint64_t)c->kind << 2 | (uint64_t)c->ordered << 1 | c->consume);
    add_u64(d, c->timespan_ms);
    add_u64(d, c->member_count);
    for (uint32_t i = 0; i < c->member_count; i++) { /* members come earlier: made before */
        wedr_buf_add(&d->text, &d->rules[c->members[i]], sizeof(struct digest));
    }
    add_u64(d, c->group_count);
    for (uint32_t i = 0; i < c->group_count; i++) {
        add_field(d, c->group_by[i]);
    }
    add_u64(d, c->alias_count);
    for (uint32_t i = 0; i < c->alias_count; i++) {
        add_u64(d, (uint64_t)c->aliases[i].group << 32 | c->aliases[i].member);
        add_field(d, c->aliases[i].field);
    }
    add_u64(d, c->join_count);
    for (uint32_t i = 0; i < c->join_count; i++) {
        add_u64(d, (uint64_t)c->joins[i].member_a << 32 | c->joins[i].member_b);
        add_field(d, c->joins[i].field_a);
        add_field(d, c->joins[i].field_b);
    }
    add_u64(d, c->limit_count);
    for (uint32_t i = 0; i < c->limit_count; i++) {
        add_u64(d, c->limits[i].op);
        add_number(d, c->limits[i].number);
    }
    add_field(d, c->value_field);
    add_node(d, c->expression);
}

static void make_rule(struct digests *d, uint32_t id)
{
    const struct wedr_rule *rule = wedr_ruleset_rule(d->rs, id);
    size_t begin = d->text.len;
    add_u64(d, rule->flags & (WEDR_RULE_DISABLED | WEDR_RULE_NEEDS_LIST));
    add_u64(d, rule->class_count);
    for (uint32_t i = 0; i < rule->class_count; i++) {
        add_text(d, wedr_ruleset_class_name(d->rs, rule->classes[i]));
    }
    add_node(d, rule->guard);
    add_node(d, rule->condition);
    add_node(d, rule->exception);
    if (rule->correlation != WEDR_IR_NONE) {
        add_correlation(d, wedr_ruleset_correlation(d->rs, rule->correlation));
    }
    finish(d, begin, &d->rules[id]);
}

/* Rules that correlations are or count. */
static int make_digests(struct digests *d, const struct wedr_ruleset *rs)
{
    uint32_t rules = wedr_ruleset_rule_count(rs);
    bool *needed = wedr_alloc((size_t)rules + 1, sizeof(*needed));
    memset(d, 0, sizeof(*d));
    d->rs = rs;
    wedr_buf_init(&d->text, TEXT_MEMORY_MAX);
    d->rules = wedr_alloc((size_t)rules + 1, sizeof(*d->rules));
    d->nodes = wedr_alloc((size_t)wedr_ruleset_node_count(rs) + 1, sizeof(*d->nodes));
    d->node_made = wedr_alloc((size_t)wedr_ruleset_node_count(rs) + 1, sizeof(*d->node_made));
    if (!needed || !d->rules || !d->nodes || !d->node_made) {
        wedr_free(needed);
        return WEDR_E_NOMEM;
    }
    for (uint32_t i = 0; i < wedr_ruleset_correlation_count(rs); i++) {
        const struct wedr_correlation *c = wedr_ruleset_correlation(rs, i);
        needed[c->rule] = true;
        for (uint32_t m = 0; m < c->member_count; m++) {
            needed[c->members[m]] = true;
        }
    }
    for (uint32_t i = 0; i < rules; i++) {
        if (needed[i]) {
            make_rule(d, i);
        }
    }
    wedr_free(needed);
    return d->failed ? WEDR_E_NOMEM : WEDR_OK;
}

static void digests_fini(struct digests *d)
{
    wedr_buf_fini(&d->text);
    wedr_free(d->rules);
    wedr_free(d->nodes);
    wedr_free(d->node_made);
}

/* The kind of `to` that goes on with kind `from` of the old state; WEDR_CORR_NONE: there is none.
 */
static uint32_t heir(const struct wedr_correlate *c,
                     const struct digests *now,
                     const struct digests *old,
                     const struct wedr_corr_kind *from,
                     struct wedr_correlate_adoption *a)
{
    const struct wedr_rule *rule = wedr_ruleset_rule(old->rs, from->c->rule);
    uint32_t id =
        rule->id.len > 0 ? wedr_ruleset_rule_find(now->rs, rule->id.p, rule->id.len) : WEDR_IR_NONE;
    const struct wedr_rule *found = wedr_ruleset_rule(now->rs, id);
    if (!found || found->id.len == 0) {
        a->gone++;
        return WEDR_CORR_NONE;
    }
    if (found->correlation == WEDR_IR_NONE || !c->kinds[found->correlation].on ||
        memcmp(&now->rules[id], &old->rules[from->c->rule], sizeof(struct digest)) != 0) {
        a->changed++;
        return WEDR_CORR_NONE;
    }
    a->kept++;
    return found->correlation;
}

/* The newest entries of the old window that the new one may hold. */
static void move_entries(struct wedr_correlate *c,
                         uint32_t to,
                         const struct wedr_correlate *from,
                         const struct wedr_corr_window *w)
{
    uint32_t skip = w->count > c->kinds[c->windows[to].kind_of].entries_max
                        ? w->count - c->kinds[c->windows[to].kind_of].entries_max
                        : 0;
    c->stats.evicted_entries += skip;
    for (uint32_t e = w->oldest; e != WEDR_CORR_NONE; e = from->entries[e].newer) {
        const struct wedr_corr_entry *x = &from->entries[e];
        if (skip > 0) {
            skip--;
            continue;
        }
        uint32_t id = wedr_corr_append(c, to);
        struct wedr_corr_entry *y = &c->entries[id];
        y->member = x->member;
        y->time_us = x->time_us;
        y->ref = x->ref;
        y->seq = x->seq;
        y->value = x->value;
        if (c->joins && from->joins) {
            memcpy(c->joins + (size_t)id * WEDR_IR_JOIN_SIDES_MAX,
                   from->joins + (size_t)e * WEDR_IR_JOIN_SIDES_MAX,
                   WEDR_IR_JOIN_SIDES_MAX * sizeof(*c->joins));
        }
    }
}

static void move_windows(struct wedr_correlate *c,
                         const struct wedr_correlate *from,
                         const uint32_t *heirs,
                         struct wedr_correlate_adoption *a)
{
    c->seq = from->seq;
    c->now_us = from->now_us;
    uint32_t id = from->least_used;
    for (uint32_t next; from->kind_count > 0 && id != WEDR_CORR_NONE; id = next) {
        const struct wedr_corr_window *w = &from->windows[id];
        next = w->more_used;
        if (heirs[w->kind_of] == WEDR_CORR_NONE) {
            a->dropped++;
            continue;
        }
        uint32_t to = wedr_corr_window_like(c, heirs[w->kind_of], w);
        c->windows[to].seq = c->seq; /* so that it is not the one that makes room for itself */
        move_entries(c, to, from, w);
        c->windows[to].seq = w->seq;
    }
    a->dropped += c->stats.evicted_windows;
    a->windows = c->stats.windows;
    a->entries = c->stats.entries;
}

int wedr_correlate_adopt(struct wedr_correlate *c,
                         const struct wedr_correlate *from,
                         struct wedr_correlate_adoption *ret_adoption)
{
    WEDR_OBJ_CHECK(c, WEDR_CORRELATE_MAGIC);
    WEDR_OBJ_CHECK(from, WEDR_CORRELATE_MAGIC);
    struct wedr_correlate_adoption a = {0};
    struct digests now = {0};
    struct digests old = {0};
    if (c->seq != 0 || c == from) {
        return WEDR_E_STATE;
    }
    uint32_t *heirs = wedr_alloc((size_t)from->kind_count + 1, sizeof(*heirs));
    int r = heirs ? make_digests(&now, c->e->rs) : WEDR_E_NOMEM;
    r = r < 0 ? r : make_digests(&old, from->e->rs);
    for (uint32_t i = 0; r == WEDR_OK && i < from->kind_count; i++) {
        heirs[i] = WEDR_CORR_NONE;
        if (from->kinds[i].on) {
            heirs[i] = heir(c, &now, &old, &from->kinds[i], &a);
        }
    }
    if (r == WEDR_OK) {
        move_windows(c, from, heirs, &a);
        *ret_adoption = a;
    }
    digests_fini(&now);
    digests_fini(&old);
    wedr_free(heirs);
    return r;
}
