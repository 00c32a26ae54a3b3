/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/node.c — equal nodes are one node: rules that share a filter share its evaluation.
 */
#include "ir/node.h"
#include "core/base/err.h"
#include <string.h>

struct node_key {
    const struct wedr_ruleset *rs;
    struct wedr_node n; /* kids lie at the end of rs->kids */
};

static const struct wedr_node *node_at(const struct wedr_ruleset *rs, uint32_t node)
{
    return WEDR_VEC_AT(const struct wedr_node, rs->nodes, node);
}

static bool same_node(const void *ctx, uint32_t id)
{
    const struct node_key *k = ctx;
    const struct wedr_node *have = node_at(k->rs, id);
    const uint32_t *kids = k->rs->kids.p;
    return have->kind == k->n.kind && have->arg == k->n.arg && have->kid_count == k->n.kid_count &&
           (have->kid_count == 0 || memcmp(kids + have->kid_first, kids + k->n.kid_first,
                                           have->kid_count * sizeof(uint32_t)) == 0);
}

/* The node n, whose kids are the last ones of rs->kids: they stay when it is new. */
static int finish(struct wedr_ruleset *rs, struct wedr_node n, uint32_t *ret_node)
{
    struct node_key key = {rs, n};
    const uint32_t *kids = rs->kids.p;
    uint32_t hash = wedr_hash_mix(n.kind, n.arg);
    if (n.kid_count) {
        hash = wedr_hash_bytes(kids + n.kid_first, n.kid_count * sizeof(uint32_t), hash);
    }
    uint32_t id = wedr_index_find(&rs->node_index, hash, same_node, &key);
    int r = WEDR_OK;
    if (id != WEDR_IR_NONE) {
        rs->kids.count = n.kid_first;
    } else {
        uint64_t weight = 1;
        n.depth = 1;
        for (uint32_t i = 0; i < n.kid_count; i++) {
            const struct wedr_node *kid = node_at(rs, kids[n.kid_first + i]);
            uint8_t depth = (uint8_t)(kid->depth + 1);
            weight += kid->weight;
            n.depth = depth > n.depth ? depth : n.depth;
        }
        id = (uint32_t)rs->nodes.count;
        bool fits = n.depth <= WEDR_IR_DEPTH_MAX && weight <= WEDR_IR_WEIGHT_MAX;
        n.weight = fits ? (uint32_t)weight : 0;
        r = fits ? wedr_vec_push(&rs->pool, &rs->nodes, &n, 1, sizeof(n)) : WEDR_E_LIMIT;
        if (r == WEDR_OK) {
            r = wedr_index_add(&rs->pool, &rs->node_index, hash, id);
        }
    }
    if (r < 0) {
        rs->kids.count = n.kid_first;
        return r;
    }
    *ret_node = id;
    return WEDR_OK;
}

int wedr_node_leaf(struct wedr_ruleset *rs,
                   enum wedr_node_kind kind,
                   uint32_t arg,
                   uint32_t *ret_node)
{
    struct wedr_node n = {.kind = (uint8_t)kind, .arg = arg, .kid_first = (uint32_t)rs->kids.count};
    return finish(rs, n, ret_node);
}

int wedr_ir_constant(struct wedr_ruleset *rs, bool value, uint32_t *ret_node)
{
    return wedr_node_leaf(rs, value ? WEDR_NODE_TRUE : WEDR_NODE_FALSE, 0, ret_node);
}

int wedr_ir_member(struct wedr_ruleset *rs, uint32_t member, uint32_t *ret_node)
{
    return member < WEDR_IR_MEMBERS_MAX ? wedr_node_leaf(rs, WEDR_NODE_MEMBER, member, ret_node)
                                        : WEDR_E_INVAL;
}

static int check_kids(const struct wedr_ruleset *rs, const uint32_t *kids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (kids[i] >= rs->nodes.count) {
            return WEDR_E_INVAL;
        }
    }
    return count > WEDR_IR_KIDS_MAX ? WEDR_E_LIMIT : WEDR_OK;
}

/* Appends kid to the open node that begins at `first`, unless it has it already. Wide nodes keep
 * their duplicates: looking would cost the square. */
static int append(struct wedr_ruleset *rs, size_t first, uint32_t kid)
{
    const uint32_t *kids = rs->kids.p;
    size_t count = rs->kids.count - first;
    if (count >= WEDR_IR_KIDS_MAX) {
        return WEDR_E_LIMIT;
    }
    for (size_t i = 0; count <= 32 && i < count; i++) {
        if (kids[first + i] == kid) {
            return WEDR_OK;
        }
    }
    return wedr_vec_push(&rs->pool, &rs->kids, &kid, 1, sizeof(kid));
}

/* AND or OR. `absorb`: the constant that decides it alone; the other one is left out. */
static int combine(
    struct wedr_ruleset *rs, uint8_t kind, const uint32_t *kids, size_t count, uint32_t *ret_node)
{
    uint8_t absorb = kind == WEDR_NODE_AND ? WEDR_NODE_FALSE : WEDR_NODE_TRUE;
    uint8_t neutral = kind == WEDR_NODE_AND ? WEDR_NODE_TRUE : WEDR_NODE_FALSE;
    size_t first = rs->kids.count;
    int r = check_kids(rs, kids, count);
    for (size_t i = 0; r == WEDR_OK && i < count; i++) {
        struct wedr_node n = *node_at(rs, kids[i]);
        if (n.kind == absorb) {
            rs->kids.count = first;
            return wedr_ir_constant(rs, absorb == WEDR_NODE_TRUE, ret_node);
        }
        if (n.kind == kind) {
            for (uint32_t k = 0; r == WEDR_OK && k < n.kid_count; k++) {
                r = append(rs, first, *WEDR_VEC_AT(uint32_t, rs->kids, n.kid_first + k));
            }
        } else if (n.kind != neutral) {
            r = append(rs, first, kids[i]);
        }
    }
    size_t kept = rs->kids.count - first;
    if (r < 0) {
        rs->kids.count = first;
        return r;
    }
    if (kept == 0) {
        return wedr_ir_constant(rs, neutral == WEDR_NODE_TRUE, ret_node);
    }
    if (kept == 1) {
        *ret_node = *WEDR_VEC_AT(uint32_t, rs->kids, first);
        rs->kids.count = first;
        return WEDR_OK;
    }
    struct wedr_node n = {.kind = kind, .kid_first = (uint32_t)first, .kid_count = (uint32_t)kept};
    return finish(rs, n, ret_node);
}

int wedr_ir_and(struct wedr_ruleset *rs, const uint32_t *kids, size_t count, uint32_t *ret_node)
{
    return combine(rs, WEDR_NODE_AND, kids, count, ret_node);
}

int wedr_ir_or(struct wedr_ruleset *rs, const uint32_t *kids, size_t count, uint32_t *ret_node)
{
    return combine(rs, WEDR_NODE_OR, kids, count, ret_node);
}

int wedr_ir_not(struct wedr_ruleset *rs, uint32_t kid, uint32_t *ret_node)
{
    int r = check_kids(rs, &kid, 1);
    if (r < 0) {
        return r;
    }
    const struct wedr_node *k = node_at(rs, kid);
    if (k->kind == WEDR_NODE_NOT) {
        *ret_node = *WEDR_VEC_AT(uint32_t, rs->kids, k->kid_first);
        return WEDR_OK;
    }
    if (k->kind == WEDR_NODE_TRUE || k->kind == WEDR_NODE_FALSE) {
        return wedr_ir_constant(rs, k->kind == WEDR_NODE_FALSE, ret_node);
    }
    struct wedr_node n = {
        .kind = WEDR_NODE_NOT, .kid_first = (uint32_t)rs->kids.count, .kid_count = 1};
    r = wedr_vec_push(&rs->pool, &rs->kids, &kid, 1, sizeof(kid));
    return r == WEDR_OK ? finish(rs, n, ret_node) : r;
}

int wedr_ir_at_least(
    struct wedr_ruleset *rs, uint32_t need, const uint32_t *kids, size_t count, uint32_t *ret_node)
{
    size_t first = rs->kids.count;
    int r = check_kids(rs, kids, count);
    if (r < 0) {
        return r;
    }
    if (need <= 1 || need >= count) {
        return need == 0      ? wedr_ir_constant(rs, true, ret_node)
               : need > count ? wedr_ir_constant(rs, false, ret_node)
               : need == 1    ? wedr_ir_or(rs, kids, count, ret_node)
                              : wedr_ir_and(rs, kids, count, ret_node);
    }
    r = wedr_vec_push(&rs->pool, &rs->kids, kids, count, sizeof(*kids));
    struct wedr_node n = {.kind = WEDR_NODE_AT_LEAST,
                          .arg = need,
                          .kid_first = (uint32_t)first,
                          .kid_count = (uint32_t)count};
    return r == WEDR_OK ? finish(rs, n, ret_node) : r;
}

uint32_t wedr_ruleset_node_count(const struct wedr_ruleset *rs)
{
    return (uint32_t)rs->nodes.count;
}

const struct wedr_node *wedr_ruleset_node(const struct wedr_ruleset *rs, uint32_t node)
{
    return node < rs->nodes.count ? node_at(rs, node) : NULL;
}

const uint32_t *wedr_ruleset_kids(const struct wedr_ruleset *rs, const struct wedr_node *node)
{
    return node->kid_count ? (const uint32_t *)rs->kids.p + node->kid_first : NULL;
}
