/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/set.c — lists of 10^5 entries: texts in one block behind a hash table, networks
 * sorted so that one binary search per prefix length finds an address. */
#include "core/base/err.h"
#include "ir/ruleset.h"
#include "ir/value.h"
#include <stdlib.h>
#include <string.h>

int wedr_ruleset_set_new(struct wedr_ruleset *rs,
                         enum wedr_set_mode mode,
                         bool cased,
                         uint32_t *ret_set)
{
    struct wedr_set s = {.mode = (uint8_t)mode, .cased = cased && mode != WEDR_SET_DOMAIN};
    uint32_t id = (uint32_t)rs->sets.count;
    if (mode > WEDR_SET_CIDR) {
        return WEDR_E_INVAL;
    }
    int r = wedr_vec_push(&rs->pool, &rs->sets, &s, 1, sizeof(s));
    if (r == WEDR_OK) {
        *ret_set = id;
    }
    return r;
}

struct entry_key {
    const struct wedr_set *set;
    const char *p;
    size_t len;
};

static struct wedr_text entry_at(const struct wedr_set *s, uint32_t i)
{
    const uint32_t *offsets = s->offsets.p;
    size_t end = i + 1 < s->offsets.count ? offsets[i + 1] : s->bytes.count;
    return wedr_text((const char *)s->bytes.p + offsets[i], end - offsets[i]);
}

static bool same_entry(const void *ctx, uint32_t id)
{
    const struct entry_key *k = ctx;
    struct wedr_text have = entry_at(k->set, id);
    return have.len == k->len && (k->len == 0 || memcmp(have.p, k->p, k->len) == 0);
}

static uint64_t length_bit(size_t len)
{
    return UINT64_C(1) << (len < 63 ? len : 63);
}

static bool has_folded(const struct wedr_set *s, const char *p, size_t len)
{
    struct entry_key key = {s, p, len};
    return (s->lengths & length_bit(len)) != 0 &&
           wedr_index_find(&s->index, wedr_hash_bytes(p, len, 0), same_entry, &key) != WEDR_IR_NONE;
}

static int add_net(struct wedr_ruleset *rs, struct wedr_set *s, const char *entry, size_t len)
{
    struct wedr_net n;
    int r = wedr_net_parse(entry, len, &n);
    return r == WEDR_OK ? wedr_vec_push(&rs->pool, &s->nets, &n, 1, sizeof(n)) : r;
}

static int add_text(struct wedr_ruleset *rs, struct wedr_set *s, const char *entry, size_t len)
{
    if (s->mode == WEDR_SET_DOMAIN && len > 0 && entry[len - 1] == '.') {
        len--;
    }
    size_t first = s->bytes.count;
    int r = wedr_vec_push(&rs->pool, &s->bytes, NULL, WEDR_FOLD_MAX(len), 1);
    if (r < 0) {
        return r;
    }
    char *p = (char *)s->bytes.p + first;
    size_t written = len;
    if (s->cased) {
        memcpy(p, entry, len);
    } else {
        written = wedr_fold(entry, len, p);
    }
    uint32_t offset = (uint32_t)first;
    uint32_t id = (uint32_t)s->offsets.count;
    s->bytes.count = first;
    if (has_folded(s, p, written)) {
        return WEDR_OK;
    }
    if (id >= WEDR_IR_SET_MAX) {
        return WEDR_E_LIMIT;
    }
    r = wedr_vec_push(&rs->pool, &s->offsets, &offset, 1, sizeof(offset));
    if (r < 0) {
        return r;
    }
    r = wedr_index_add(&rs->pool, &s->index, wedr_hash_bytes(p, written, 0), id);
    if (r < 0) {
        s->offsets.count--;
        return r;
    }
    s->bytes.count = first + written;
    s->lengths |= length_bit(written);
    return WEDR_OK;
}

int wedr_ruleset_set_add(struct wedr_ruleset *rs, uint32_t set, const char *entry, size_t len)
{
    if (set >= rs->sets.count) {
        return WEDR_E_INVAL;
    }
    struct wedr_set *s = WEDR_VEC_AT(struct wedr_set, rs->sets, set);
    if (s->sealed) {
        return WEDR_E_STATE;
    }
    if (len > WEDR_IR_TEXT_MAX || s->nets.count >= WEDR_IR_SET_MAX) {
        return WEDR_E_LIMIT;
    }
    return s->mode == WEDR_SET_CIDR ? add_net(rs, s, entry, len) : add_text(rs, s, entry, len);
}

int wedr_rs_set_add_net(struct wedr_ruleset *rs, uint32_t set, const struct wedr_net *net)
{
    struct wedr_set *s = WEDR_VEC_AT(struct wedr_set, rs->sets, set);
    struct wedr_net n = *net;
    if (n.bits > (n.family == 4 ? 32 : 128) || (n.family != 4 && n.family != 6)) {
        return WEDR_E_INVAL;
    }
    if (s->nets.count >= WEDR_IR_SET_MAX) {
        return WEDR_E_LIMIT;
    }
    wedr_net_trim(&n);
    return wedr_vec_push(&rs->pool, &s->nets, &n, 1, sizeof(n));
}

static int net_order(const void *a, const void *b)
{
    const struct wedr_net *x = a;
    const struct wedr_net *y = b;
    if (x->family != y->family) {
        return x->family < y->family ? -1 : 1;
    }
    if (x->bits != y->bits) {
        return x->bits < y->bits ? -1 : 1;
    }
    return memcmp(x->addr, y->addr, 16);
}

int wedr_ruleset_set_seal(struct wedr_ruleset *rs, uint32_t set)
{
    if (set >= rs->sets.count) {
        return WEDR_E_INVAL;
    }
    struct wedr_set *s = WEDR_VEC_AT(struct wedr_set, rs->sets, set);
    if (s->nets.count > 1 && !s->sealed) {
        struct wedr_net *n = s->nets.p;
        size_t kept = 1;
        qsort(n, s->nets.count, sizeof(*n), net_order);
        for (size_t i = 1; i < s->nets.count; i++) {
            if (net_order(&n[kept - 1], &n[i]) != 0) {
                n[kept++] = n[i];
            }
        }
        s->nets.count = kept;
    }
    wedr_vec_trim(&rs->pool, &s->bytes, 1);
    wedr_vec_trim(&rs->pool, &s->offsets, sizeof(uint32_t));
    wedr_vec_trim(&rs->pool, &s->nets, sizeof(struct wedr_net));
    s->sealed = true;
    return WEDR_OK;
}

/* Index of the first network that is not before key. */
static size_t net_lower(const struct wedr_set *s, const struct wedr_net *key)
{
    const struct wedr_net *n = s->nets.p;
    size_t low = 0;
    size_t high = s->nets.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (net_order(&n[middle], key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* One search per prefix length that the list has, at most 33 or 129. */
static bool has_address(const struct wedr_set *s, struct wedr_text text)
{
    const struct wedr_net *nets = s->nets.p;
    struct wedr_net address;
    if (wedr_address_parse(text.p, text.len, &address) < 0) {
        return false;
    }
    struct wedr_net key = {.family = address.family};
    for (unsigned bits = 0; bits <= address.bits; bits = key.bits + 1u) {
        key.bits = (uint8_t)bits;
        memset(key.addr, 0, sizeof(key.addr));
        size_t at = net_lower(s, &key);
        if (at == s->nets.count || nets[at].family != key.family) {
            return false;
        }
        key.bits = nets[at].bits; /* the next length that there is */
        memcpy(key.addr, address.addr, key.bits / 8u);
        if (key.bits % 8u) {
            key.addr[key.bits / 8u] =
                (uint8_t)(address.addr[key.bits / 8u] & (0xFF00u >> (key.bits % 8u)));
        }
        at = net_lower(s, &key);
        if (at < s->nets.count && net_order(&nets[at], &key) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_domain(const struct wedr_set *s, const char *p, size_t len)
{
    if (len > 0 && p[len - 1] == '.') {
        len--;
    }
    while (len > 0) {
        if (has_folded(s, p, len)) {
            return true;
        }
        const char *dot = memchr(p, '.', len);
        if (!dot) {
            return false;
        }
        len -= (size_t)(dot - p) + 1;
        p = dot + 1;
    }
    return false;
}

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (uint8_t)c >= 0x80;
}

static bool has_word(const struct wedr_set *s, const char *p, size_t len)
{
    for (size_t at = 0; at < len; at++) {
        size_t first = at;
        while (at < len && is_word(p[at])) {
            at++;
        }
        if (at > first && has_folded(s, p + first, at - first)) {
            return true;
        }
    }
    return false;
}

bool wedr_set_has(const struct wedr_set *set, struct wedr_text text, char *fold)
{
    if (set->mode == WEDR_SET_CIDR) {
        return has_address(set, text);
    }
    const char *p = text.p;
    size_t len = text.len;
    if (!set->cased) {
        len = wedr_fold(text.p, text.len, fold);
        p = fold;
    }
    switch (set->mode) {
    case WEDR_SET_DOMAIN:
        return has_domain(set, p, len);
    case WEDR_SET_WORDS:
        return has_word(set, p, len);
    default:
        return has_folded(set, p, len);
    }
}

uint32_t wedr_ruleset_set_count(const struct wedr_ruleset *rs)
{
    return (uint32_t)rs->sets.count;
}

uint32_t wedr_set_entry_count(const struct wedr_ruleset *rs, uint32_t set)
{
    const struct wedr_set *s = wedr_rs_set(rs, set);
    return (uint32_t)(s->mode == WEDR_SET_CIDR ? s->nets.count : s->offsets.count);
}

struct wedr_text wedr_set_entry(const struct wedr_ruleset *rs, uint32_t set, uint32_t index)
{
    return entry_at(wedr_rs_set(rs, set), index);
}

struct wedr_net wedr_set_net(const struct wedr_ruleset *rs, uint32_t set, uint32_t index)
{
    return *WEDR_VEC_AT(const struct wedr_net, wedr_rs_set(rs, set)->nets, index);
}

enum wedr_set_mode wedr_set_mode(const struct wedr_ruleset *rs, uint32_t set, bool *ret_cased)
{
    const struct wedr_set *s = wedr_rs_set(rs, set);
    *ret_cased = s->cased;
    return (enum wedr_set_mode)s->mode;
}
