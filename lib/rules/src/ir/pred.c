/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/pred.c — predicates: checked, simplified, stored once. */
#include "core/base/err.h"
#include "ir/node.h"
#include <string.h>

static bool is_text(uint8_t kind)
{
    return kind <= WEDR_PRED_REGEX;
}

static bool is_order(uint8_t op)
{
    return op <= WEDR_OP_GE;
}

static bool op_allowed(const struct wedr_pred *p)
{
    switch (p->kind) {
    case WEDR_PRED_NUMBER:
        return is_order(p->op);
    case WEDR_PRED_TIME:
        return is_order(p->op) && p->part <= WEDR_TIME_YEAR;
    case WEDR_PRED_FIELD:
        return p->op <= WEDR_OP_ENDS;
    case WEDR_PRED_BITS:
        return p->op == WEDR_OP_ALL || p->op == WEDR_OP_ANY;
    default:
        return p->op == WEDR_OP_EQ;
    }
}

static int check(const struct wedr_ruleset *rs, const struct wedr_pred *p)
{
    bool any = p->field == WEDR_FIELD_ANY;
    if (p->kind >= WEDR_PRED_KIND_COUNT || !op_allowed(p) ||
        (!any && p->field >= rs->fields.count)) {
        return WEDR_E_INVAL;
    }
    if (any &&
        (p->kind == WEDR_PRED_EXISTS || p->kind == WEDR_PRED_NULL || p->kind == WEDR_PRED_FIELD)) {
        return WEDR_E_INVAL;
    }
    if (p->kind == WEDR_PRED_FIELD && p->u.other >= rs->fields.count) {
        return WEDR_E_INVAL;
    }
    if (p->kind == WEDR_PRED_SET &&
        (p->u.set >= rs->sets.count || !wedr_rs_set(rs, p->u.set)->sealed)) {
        return WEDR_E_INVAL;
    }
    if (p->kind == WEDR_PRED_CIDR && !((p->u.net.family == 4 && p->u.net.bits <= 32) ||
                                       (p->u.net.family == 6 && p->u.net.bits <= 128))) {
        return WEDR_E_INVAL;
    }
    return is_text(p->kind) && p->u.text.len > WEDR_IR_TEXT_MAX ? WEDR_E_LIMIT : WEDR_OK;
}

/* What a wildcard pattern is made of; `plain` receives the text without its escapes. */
struct shape {
    bool star_first, star_last, inner; /* inner: a ?, or a star between characters */
    size_t plain_len;
};

static struct shape shape_of(struct wedr_text t, char *plain)
{
    struct shape s = {0};
    bool star = false;
    for (uint32_t i = 0; i < t.len; i++) {
        char c = t.p[i];
        if (c == '*') {
            star = true;
            s.star_first |= s.plain_len == 0 && !s.inner;
            continue;
        }
        s.inner |= c == '?' || (star && s.plain_len > 0);
        star = false;
        if (c == '\\' && i + 1 < t.len) {
            c = t.p[++i];
        }
        plain[s.plain_len++] = c;
    }
    s.star_last = star;
    return s;
}

/* Turns a wildcard into something simpler where that is the same. `plain` holds p->u.text.len
 * bytes. */
static void simplify_wildcard(struct wedr_pred *p, char *plain)
{
    struct shape s = shape_of(p->u.text, plain);
    if (s.inner) {
        return;
    }
    p->kind = s.star_first && s.star_last ? WEDR_PRED_CONTAINS
              : s.star_first              ? WEDR_PRED_SUFFIX
              : s.star_last               ? WEDR_PRED_PREFIX
                                          : WEDR_PRED_EQUALS;
    p->u.text = wedr_text(plain, s.plain_len);
}

static void simplify_empty(struct wedr_pred *p)
{
    if (p->kind < WEDR_PRED_PREFIX || p->kind > WEDR_PRED_CONTAINS || p->u.text.len > 0) {
        return;
    }
    if (p->field == WEDR_FIELD_ANY) {
        p->kind = WEDR_PRED_CONTAINS;
    } else {
        p->kind = WEDR_PRED_EXISTS;
        p->flags = 0;
    }
}

static uint32_t pred_hash(const struct wedr_pred *p)
{
    uint32_t h = wedr_hash_mix(p->field,
                               (uint32_t)p->kind | (uint32_t)p->op << 8 | (uint32_t)p->flags << 16);
    h = wedr_hash_mix(h, p->part);
    if (is_text(p->kind)) {
        return wedr_hash_bytes(p->u.text.p, p->u.text.len, h);
    }
    switch (p->kind) {
    case WEDR_PRED_NUMBER:
    case WEDR_PRED_TIME:
        h = wedr_hash_mix(h, (uint32_t)p->u.number.v.u);
        return wedr_hash_mix(h, (uint32_t)(p->u.number.v.u >> 32) + p->u.number.kind);
    case WEDR_PRED_CIDR:
        return wedr_hash_bytes(p->u.net.addr, 16, h + p->u.net.bits);
    case WEDR_PRED_BITS:
        return wedr_hash_mix(wedr_hash_mix(h, (uint32_t)p->u.bits), (uint32_t)(p->u.bits >> 32));
    case WEDR_PRED_BOOL:
        return wedr_hash_mix(h, p->u.boolean);
    case WEDR_PRED_FIELD:
        return wedr_hash_mix(h, p->u.other);
    case WEDR_PRED_SET:
        return wedr_hash_mix(h, p->u.set);
    default:
        return h;
    }
}

struct pred_key {
    const struct wedr_ruleset *rs;
    const struct wedr_pred *p;
};

static bool same_payload(const struct wedr_pred *a, const struct wedr_pred *b)
{
    if (is_text(a->kind)) {
        return a->u.text.len == b->u.text.len &&
               (a->u.text.len == 0 || memcmp(a->u.text.p, b->u.text.p, a->u.text.len) == 0);
    }
    switch (a->kind) {
    case WEDR_PRED_NUMBER:
    case WEDR_PRED_TIME:
        return a->u.number.kind == b->u.number.kind && a->u.number.v.u == b->u.number.v.u;
    case WEDR_PRED_CIDR:
        return a->u.net.family == b->u.net.family && a->u.net.bits == b->u.net.bits &&
               memcmp(a->u.net.addr, b->u.net.addr, 16) == 0;
    case WEDR_PRED_BITS:
        return a->u.bits == b->u.bits;
    case WEDR_PRED_BOOL:
        return a->u.boolean == b->u.boolean;
    case WEDR_PRED_FIELD:
        return a->u.other == b->u.other;
    case WEDR_PRED_SET:
        return a->u.set == b->u.set;
    default:
        return true;
    }
}

static bool same_pred(const void *ctx, uint32_t id)
{
    const struct pred_key *k = ctx;
    const struct wedr_pred *have = WEDR_VEC_AT(const struct wedr_pred, k->rs->preds, id);
    return have->field == k->p->field && have->kind == k->p->kind && have->op == k->p->op &&
           have->flags == k->p->flags && have->part == k->p->part && same_payload(have, k->p);
}

static int
store(struct wedr_ruleset *rs, struct wedr_pred *p, uint32_t hash, struct wedr_errinfo *ei)
{
    int r = WEDR_OK;
    p->regex = WEDR_IR_NONE;
    if (is_text(p->kind)) {
        r = wedr_pool_text(&rs->pool, p->u.text, &p->u.text);
    }
    if (r == WEDR_OK && p->kind == WEDR_PRED_REGEX) {
        r = wedr_regex_add(rs, p, &p->regex, ei);
    }
    uint32_t id = (uint32_t)rs->preds.count;
    if (r == WEDR_OK) {
        r = wedr_vec_push(&rs->pool, &rs->preds, p, 1, sizeof(*p));
    }
    return r == WEDR_OK ? wedr_index_add(&rs->pool, &rs->pred_index, hash, id) : r;
}

static int
add(struct wedr_ruleset *rs, struct wedr_pred *p, uint32_t *ret_node, struct wedr_errinfo *ei)
{
    simplify_empty(p);
    struct pred_key key = {rs, p};
    uint32_t hash = pred_hash(p);
    uint32_t id = wedr_index_find(&rs->pred_index, hash, same_pred, &key);
    if (id == WEDR_IR_NONE) {
        id = (uint32_t)rs->preds.count;
        int r = store(rs, p, hash, ei);
        if (r < 0) {
            return r;
        }
    }
    return wedr_node_leaf(rs, WEDR_NODE_PRED, id, ret_node);
}

int wedr_ir_pred(struct wedr_ruleset *rs,
                 const struct wedr_pred *p,
                 uint32_t *ret_node,
                 struct wedr_errinfo *ei)
{
    int r = check(rs, p);
    if (r < 0) {
        return wedr_fail(ei, r, "a predicate that is out of range");
    }
    struct wedr_pred copy = *p;
    unsigned meaningful =
        p->kind == WEDR_PRED_REGEX ? WEDR_PRED_RE_I | WEDR_PRED_RE_M | WEDR_PRED_RE_S
        : p->kind <= WEDR_PRED_WILDCARD || p->kind == WEDR_PRED_FIELD ? WEDR_PRED_CASED
                                                                      : 0;
    copy.flags = (uint8_t)(p->flags & meaningful);
    copy.part = p->kind == WEDR_PRED_TIME ? p->part : 0;
    if (copy.kind != WEDR_PRED_WILDCARD) {
        return add(rs, &copy, ret_node, ei);
    }
    size_t size = (size_t)copy.u.text.len + 1;
    char *plain = wedr_pool_realloc(&rs->pool, NULL, 0, size);
    if (!plain) {
        return WEDR_E_NOMEM;
    }
    simplify_wildcard(&copy, plain);
    r = add(rs, &copy, ret_node, ei);
    wedr_pool_release(&rs->pool, plain, size);
    return r;
}

int wedr_ir_text(struct wedr_ruleset *rs,
                 uint32_t field,
                 enum wedr_pred_kind kind,
                 struct wedr_text text,
                 unsigned flags,
                 uint32_t *ret_node,
                 struct wedr_errinfo *ei)
{
    struct wedr_pred p = {
        .field = field, .kind = (uint8_t)kind, .flags = (uint8_t)flags, .u.text = text};
    return is_text((uint8_t)kind) ? wedr_ir_pred(rs, &p, ret_node, ei) : WEDR_E_INVAL;
}

int wedr_ir_number(struct wedr_ruleset *rs,
                   uint32_t field,
                   enum wedr_pred_op op,
                   struct wedr_number number,
                   uint32_t *ret_node)
{
    struct wedr_pred p = {
        .field = field, .kind = WEDR_PRED_NUMBER, .op = (uint8_t)op, .u.number = number};
    return wedr_ir_pred(rs, &p, ret_node, NULL);
}

int wedr_ir_exists(struct wedr_ruleset *rs, uint32_t field, bool exists, uint32_t *ret_node)
{
    struct wedr_pred p = {.field = field, .kind = exists ? WEDR_PRED_EXISTS : WEDR_PRED_NULL};
    return wedr_ir_pred(rs, &p, ret_node, NULL);
}

int wedr_regex_add(struct wedr_ruleset *rs,
                   const struct wedr_pred *p,
                   uint32_t *ret_regex,
                   struct wedr_errinfo *ei)
{
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
    options |= p->flags & WEDR_PRED_RE_I ? PCRE2_CASELESS : 0;
    options |= p->flags & WEDR_PRED_RE_M ? PCRE2_MULTILINE : 0;
    options |= p->flags & WEDR_PRED_RE_S ? PCRE2_DOTALL : 0;
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)p->u.text.p, p->u.text.len, options, &error,
                                     &offset, rs->pcre_compile);
    if (!code) {
        char reason[160] = "";
        (void)pcre2_get_error_message(error, (PCRE2_UCHAR *)reason, sizeof(reason));
        return wedr_fail(ei, error == PCRE2_ERROR_HEAP_FAILED ? WEDR_E_NOMEM : WEDR_E_FORMAT,
                         "regular expression: %s at offset %zu", reason, (size_t)offset);
    }
    uint32_t id = (uint32_t)rs->regexes.count;
    struct wedr_regex regex = {code};
    int r = wedr_vec_push(&rs->pool, &rs->regexes, &regex, 1, sizeof(regex));
    if (r < 0) {
        pcre2_code_free(code);
        return r;
    }
    *ret_regex = id;
    return WEDR_OK;
}

uint32_t wedr_ruleset_pred_count(const struct wedr_ruleset *rs)
{
    return (uint32_t)rs->preds.count;
}

const struct wedr_pred *wedr_ruleset_pred(const struct wedr_ruleset *rs, uint32_t pred)
{
    return pred < rs->preds.count ? WEDR_VEC_AT(const struct wedr_pred, rs->preds, pred) : NULL;
}
