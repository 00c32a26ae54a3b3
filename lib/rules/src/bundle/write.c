/* SPDX-License-Identifier: Apache-2.0
 * rules/src/bundle/write.c — ruleset and map to bytes. Everything has one order, given by the
 * ruleset and the map: equal input, equal bytes. */
#include "bundle/bundle.h"
#include "bundle/select.h"
#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/util/sha256.h"
#include "wedr/rules/settings.h"
#include <sodium.h>
#include <string.h>

#define STRINGS_MEMORY_MAX ((size_t)256 << 20)

struct writer {
    const struct wedr_ruleset *rs;
    const struct wedr_field_map *map;
    const struct wedr_bundle_selection *s;
    struct wedr_buf body; /* behind the strings */
    struct wedr_pool pool;
    struct wedr_vec strings; /* struct wedr_text */
    struct wedr_index index;
    uint64_t weight;
    int err;
};

static void put(struct writer *w, uint64_t v)
{
    uint8_t b[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) {
        b[n++] = (uint8_t)(v | 0x80);
    }
    b[n++] = (uint8_t)v;
    wedr_buf_add(&w->body, b, n);
}

static void put_bytes(struct writer *w, const void *p, size_t n)
{
    wedr_buf_add(&w->body, p, n);
}

/* An id as it is in the bundle; 0 for none, so ids count from 1. */
static void put_id(struct writer *w, const struct wedr_bundle_ids *ids, uint32_t id)
{
    uint32_t to = id == WEDR_IR_NONE ? WEDR_IR_NONE : ids->to[id];
    put(w, to == WEDR_IR_NONE ? 0 : (uint64_t)to + 1);
}

struct string_key {
    const struct writer *w;
    struct wedr_text t;
};

static bool same_string(const void *ctx, uint32_t id)
{
    const struct string_key *k = ctx;
    const struct wedr_text *have = WEDR_VEC_AT(const struct wedr_text, k->w->strings, id);
    return have->len == k->t.len && memcmp(have->p, k->t.p, have->len) == 0;
}

/* Each text stands in the table once, in the order of first use; 0 is the empty one. */
static void put_text(struct writer *w, struct wedr_text t)
{
    struct string_key key = {w, t};
    if (t.len == 0) {
        put(w, 0);
        return;
    }
    uint32_t hash = wedr_hash_bytes(t.p, t.len, 0);
    uint32_t id = wedr_index_find(&w->index, hash, same_string, &key);
    if (id == WEDR_POOL_NONE) {
        id = (uint32_t)w->strings.count;
        int r = wedr_vec_push(&w->pool, &w->strings, &t, 1, sizeof(t));
        r = r < 0 ? r : wedr_index_add(&w->pool, &w->index, hash, id);
        w->err = w->err < 0 ? w->err : r;
    }
    put(w, (uint64_t)id + 1);
}

static void put_number(struct writer *w, struct wedr_number n)
{
    uint8_t b[8];
    wedr_put_le64(b, n.v.u);
    put(w, n.kind);
    put_bytes(w, b, sizeof(b));
}

static void put_net(struct writer *w, const struct wedr_net *n)
{
    put(w, n->family);
    put(w, n->bits);
    put_bytes(w, n->addr, n->family == 4 ? 4 : 16);
}

static void put_names(struct writer *w)
{
    put(w, w->s->fields.count);
    for (uint32_t i = 0; i < wedr_ruleset_field_count(w->rs); i++) {
        if (w->s->fields.to[i] != WEDR_IR_NONE) {
            put_text(w, wedr_ruleset_field_name(w->rs, i));
        }
    }
    put(w, w->s->classes.count);
    for (uint32_t i = 0; i < wedr_ruleset_class_count(w->rs); i++) {
        if (w->s->classes.to[i] != WEDR_IR_NONE) {
            put_text(w, wedr_ruleset_class_name(w->rs, i));
        }
    }
}

static void put_sets(struct writer *w)
{
    put(w, w->s->sets.count);
    for (uint32_t i = 0; i < wedr_ruleset_set_count(w->rs); i++) {
        if (w->s->sets.to[i] == WEDR_IR_NONE) {
            continue;
        }
        bool cased;
        enum wedr_set_mode mode = wedr_set_mode(w->rs, i, &cased);
        uint32_t count = wedr_set_entry_count(w->rs, i);
        put(w, mode);
        put(w, cased);
        put(w, count);
        for (uint32_t k = 0; k < count; k++) {
            if (mode == WEDR_SET_CIDR) {
                struct wedr_net n = wedr_set_net(w->rs, i, k);
                put_net(w, &n);
            } else { /* entries repeat nowhere: they stand where they are */
                struct wedr_text t = wedr_set_entry(w->rs, i, k);
                put(w, t.len);
                put_bytes(w, t.p, t.len);
            }
        }
    }
}

static void put_pred(struct writer *w, const struct wedr_pred *p)
{
    put(w, p->kind);
    put(w, p->field == WEDR_FIELD_ANY ? 0 : (uint64_t)w->s->fields.to[p->field] + 1);
    put(w, p->op);
    put(w, p->flags);
    put(w, p->part);
    switch (p->kind) {
    case WEDR_PRED_CIDR:
        put_net(w, &p->u.net);
        break;
    case WEDR_PRED_NUMBER:
    case WEDR_PRED_TIME:
        put_number(w, p->u.number);
        break;
    case WEDR_PRED_BOOL:
        put(w, p->u.boolean);
        break;
    case WEDR_PRED_FIELD:
        put_id(w, &w->s->fields, p->u.other);
        break;
    case WEDR_PRED_BITS:
        put(w, p->u.bits);
        break;
    case WEDR_PRED_SET:
        put_id(w, &w->s->sets, p->u.set);
        break;
    case WEDR_PRED_EXISTS:
    case WEDR_PRED_NULL:
        break;
    default:
        put_text(w, p->u.text);
        break;
    }
}

static void put_nodes(struct writer *w)
{
    put(w, w->s->nodes.count);
    for (uint32_t i = 0; i < wedr_ruleset_node_count(w->rs); i++) {
        const struct wedr_node *n = wedr_ruleset_node(w->rs, i);
        const uint32_t *kids = wedr_ruleset_kids(w->rs, n);
        if (w->s->nodes.to[i] == WEDR_IR_NONE) {
            continue;
        }
        put(w, n->kind);
        if (n->kind == WEDR_NODE_PRED) {
            put_pred(w, wedr_ruleset_pred(w->rs, n->arg));
            continue;
        }
        put(w, n->arg);
        put(w, n->kid_count);
        for (uint32_t k = 0; k < n->kid_count; k++) { /* how far back: small numbers */
            put(w, (uint64_t)w->s->nodes.to[i] - w->s->nodes.to[kids[k]]);
        }
    }
}

static void put_correlation(struct writer *w, const struct wedr_correlation *c)
{
    const struct wedr_bundle_ids *fields = &w->s->fields;
    put(w, c->kind);
    put(w, (c->ordered ? 1u : 0u) | (c->consume ? 2u : 0u));
    put(w, c->timespan_ms);
    put(w, c->member_count);
    for (uint32_t i = 0; i < c->member_count; i++) {
        put_id(w, &w->s->rules, c->members[i]);
    }
    put(w, c->group_count);
    for (uint32_t i = 0; i < c->group_count; i++) {
        put_id(w, fields, c->group_by[i]);
    }
    put(w, c->alias_count);
    for (uint32_t i = 0; i < c->alias_count; i++) {
        put(w, c->aliases[i].group);
        put(w, c->aliases[i].member);
        put_id(w, fields, c->aliases[i].field);
    }
    put(w, c->join_count);
    for (uint32_t i = 0; i < c->join_count; i++) {
        put(w, c->joins[i].member_a);
        put_id(w, fields, c->joins[i].field_a);
        put(w, c->joins[i].member_b);
        put_id(w, fields, c->joins[i].field_b);
    }
    put(w, c->limit_count);
    for (uint32_t i = 0; i < c->limit_count; i++) {
        put(w, c->limits[i].op);
        put_number(w, c->limits[i].number);
    }
    put_id(w, fields, c->value_field);
    put_id(w, &w->s->nodes, c->expression);
}

static uint64_t weight_of(const struct writer *w, uint32_t node)
{
    return node == WEDR_IR_NONE ? 0 : wedr_ruleset_node(w->rs, node)->weight;
}

static void put_rule(struct writer *w, uint32_t id)
{
    struct wedr_rule rule = *wedr_ruleset_rule(w->rs, id);
    for (size_t i = 0; i < wedr_bundle_text_count; i++) {
        put_text(w, *wedr_bundle_rule_text(&rule, i));
    }
    for (size_t i = 0; i < wedr_bundle_list_count; i++) {
        const struct wedr_text_list *list = wedr_bundle_rule_list(&rule, i);
        put(w, list->count);
        for (uint32_t k = 0; k < list->count; k++) {
            put_text(w, list->v[k]);
        }
    }
    put(w, rule.class_count);
    for (uint32_t i = 0; i < rule.class_count; i++) {
        put_id(w, &w->s->classes, rule.classes[i]);
    }
    put_id(w, &w->s->nodes, rule.guard);
    put_id(w, &w->s->nodes, rule.condition);
    put_id(w, &w->s->nodes, rule.exception);
    put(w, rule.source_line);
    put(w, rule.flags | (w->s->hidden[id] ? WEDR_RULE_HIDDEN : 0u));
    put(w, rule.severity);
    put(w, rule.actions);
    put(w, rule.throttle_count);
    put(w, rule.throttle_ms);
    put_id(w, &w->s->fields, rule.entity_field);
    put(w, rule.correlation != WEDR_IR_NONE);
    w->weight +=
        weight_of(w, rule.guard) + weight_of(w, rule.condition) + weight_of(w, rule.exception);
    if (rule.correlation != WEDR_IR_NONE) {
        const struct wedr_correlation *c = wedr_ruleset_correlation(w->rs, rule.correlation);
        put_correlation(w, c);
        w->weight += weight_of(w, c->expression);
    }
}

static void put_rules(struct writer *w)
{
    put(w, w->s->rules.count);
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(w->rs); i++) {
        if (w->s->rules.to[i] != WEDR_IR_NONE) {
            put_rule(w, i);
        }
    }
}

static uint32_t kept_field(const struct writer *w, uint32_t field)
{
    return field == WEDR_IR_NONE ? WEDR_IR_NONE : w->s->fields.to[field];
}

/* An entry that gives a field, or that takes the source's own name away. */
static bool
entry_counts(const struct writer *w, const struct wedr_map_source *s, const struct wedr_map_bind *b)
{
    return kept_field(w, b->field) != WEDR_IR_NONE || kept_field(w, s->identity) != WEDR_IR_NONE;
}

static void put_entries(struct writer *w)
{
    uint32_t count = 0;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < w->map->sources.count; i++) {
            const struct wedr_map_source *s = wedr_map_source_at(w->map, i);
            const struct wedr_map_bind *b =
                s->bind_count
                    ? WEDR_VEC_AT(const struct wedr_map_bind, w->map->binds, s->bind_first)
                    : NULL;
            for (uint32_t k = 0; k < s->bind_count; k++) {
                if (!entry_counts(w, s, &b[k])) {
                    continue;
                }
                if (pass == 0) {
                    count++;
                    continue;
                }
                put_text(w, s->name);
                put(w, b[k].view);
                put_id(w, &w->s->fields, b[k].field);
            }
        }
        if (pass == 0) {
            put(w, count);
        }
    }
}

static void put_source(struct writer *w, uint32_t source)
{
    put_text(w, wedr_map_source_at(w->map, source)->name);
}

static void put_selector(struct writer *w, const struct wedr_map_selector *sel)
{
    put(w, sel->view);
    put_id(w, &w->s->classes, sel->event_class);
    put(w, sel->count);
    for (uint32_t c = 0; c < sel->count; c++) {
        put_source(w, sel->conditions[c].source);
        put(w, sel->conditions[c].value.p != NULL);
        put_text(w, sel->conditions[c].value);
    }
}

static void put_selectors(struct writer *w)
{
    uint32_t count = 0;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < w->map->selectors.count; i++) {
            const struct wedr_map_selector *sel =
                WEDR_VEC_AT(const struct wedr_map_selector, w->map->selectors, i);
            bool known = sel->event_class != WEDR_IR_NONE &&
                         w->s->classes.to[sel->event_class] != WEDR_IR_NONE;
            if (!known && sel->view == 0) {
                continue; /* gives nothing */
            }
            if (pass == 0) {
                count++;
            } else {
                put_selector(w, sel);
            }
        }
        if (pass == 0) {
            put(w, count);
        }
    }
}

static void put_derived(struct writer *w)
{
    uint32_t count = 0;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < w->map->derived.count; i++) {
            const struct wedr_map_derived *d =
                WEDR_VEC_AT(const struct wedr_map_derived, w->map->derived, i);
            if (kept_field(w, d->field) == WEDR_IR_NONE) {
                continue;
            }
            if (pass == 0) {
                count++;
                continue;
            }
            put(w, d->view);
            put_id(w, &w->s->fields, d->field);
            put(w, d->part_count > 0);
            if (d->part_count > 0) {
                put_text(w, d->template);
            } else {
                put_source(w, d->source);
                put_text(w, d->value);
                put_text(w, d->text);
            }
        }
        if (pass == 0) {
            put(w, count);
        }
    }
}

static void put_map(struct writer *w)
{
    put(w, w->map->prefix_count);
    for (uint32_t i = 0; i < w->map->prefix_count; i++) {
        put_text(w, w->map->prefixes[i]);
    }
    put(w, w->map->pair_count);
    for (uint32_t i = 0; i < w->map->pair_count; i++) {
        put_text(w, w->map->pairs[i].array);
        put_text(w, w->map->pairs[i].name_key);
        put_text(w, w->map->pairs[i].value_key);
        put_text(w, w->map->pairs[i].prefix);
    }
    put_entries(w);
    put_selectors(w);
    put_derived(w);
}

/* Strings first: the reader needs them for everything behind them. */
static int put_strings(const struct writer *w, struct wedr_buf *out)
{
    struct writer table = {.body = *out};
    put(&table, w->strings.count);
    for (size_t i = 0; i < w->strings.count; i++) {
        const struct wedr_text *t = WEDR_VEC_AT(const struct wedr_text, w->strings, i);
        put(&table, t->len);
        put_bytes(&table, t->p, (size_t)t->len + 1); /* every text has a NUL behind it */
    }
    *out = table.body;
    return out->overflow ? WEDR_E_LIMIT : WEDR_OK;
}

static int write_body(struct writer *w, struct wedr_buf *out)
{
    put_names(w);
    put_sets(w);
    put_nodes(w);
    put_rules(w);
    put_map(w);
    if (w->err < 0 || w->body.overflow) {
        return w->err < 0 ? w->err : WEDR_E_LIMIT;
    }
    if (w->weight > WEDR_BUNDLE_WEIGHT_MAX || w->strings.count > WEDR_BUNDLE_STRINGS_MAX ||
        w->s->sets.count > WEDR_BUNDLE_SETS_MAX) {
        return WEDR_E_LIMIT;
    }
    int r = put_strings(w, out);
    wedr_buf_add(out, w->body.p, w->body.len);
    return r < 0 ? r : out->overflow ? WEDR_E_LIMIT : WEDR_OK;
}

static bool profile_ok(const char *profile)
{
    size_t len = strlen(profile);
    for (size_t i = 0; i < len; i++) {
        if (profile[i] < 0x20 || profile[i] > 0x7E) {
            return false;
        }
    }
    return len > 0 && len < WEDR_BUNDLE_PROFILE_MAX;
}

static bool has_settings(const struct wedr_bundle_options *o)
{
    return o->settings && o->settings[0];
}

static void put_settings(const struct wedr_bundle_options *o, struct wedr_buf *out)
{
    uint8_t len[WEDR_BUNDLE_SETTINGS_AT];
    if (has_settings(o)) {
        wedr_put_le32(len, (uint32_t)strlen(o->settings));
        wedr_buf_add(out, len, sizeof(len));
        wedr_buf_add(out, o->settings, strlen(o->settings));
    }
}

/* Header in front of the body, signature behind it. */
static int seal(const struct wedr_bundle_options *o,
                uint32_t rules,
                const uint8_t *secret_key,
                struct wedr_buf *out,
                size_t begin)
{
    size_t body = out->len - begin - WEDR_BUNDLE_HEADER_LEN;
    uint8_t *h = out->p + begin;
    if (body > WEDR_BUNDLE_MAX - WEDR_BUNDLE_HEADER_LEN - WEDR_BUNDLE_SIGNATURE_LEN) {
        return WEDR_E_LIMIT;
    }
    memcpy(h + WEDR_BUNDLE_AT_MAGIC, WEDR_BUNDLE_MAGIC, 8);
    wedr_put_le32(h + WEDR_BUNDLE_AT_FORMAT,
                  has_settings(o) ? WEDR_BUNDLE_FORMAT_SETTINGS : WEDR_BUNDLE_FORMAT_MIN);
    wedr_put_le32(h + WEDR_BUNDLE_AT_BODY_LEN, (uint32_t)body);
    wedr_put_le64(h + WEDR_BUNDLE_AT_SERIAL, o->serial);
    wedr_put_le32(h + WEDR_BUNDLE_AT_POLICY, o->policy);
    wedr_put_le32(h + WEDR_BUNDLE_AT_RULES, rules);
    memcpy(h + WEDR_BUNDLE_AT_PROFILE, o->profile, strlen(o->profile));
    wedr_sha256(h + WEDR_BUNDLE_HEADER_LEN, body, h + WEDR_BUNDLE_AT_HASH);
    uint8_t signature[WEDR_BUNDLE_SIGNATURE_LEN];
    (void)crypto_sign_detached(signature, NULL, h, out->len - begin, secret_key);
    wedr_buf_add(out, signature, sizeof(signature));
    return out->overflow ? WEDR_E_LIMIT : WEDR_OK;
}

int wedr_bundle_write(const struct wedr_ruleset *rs,
                      const struct wedr_field_map *map,
                      const struct wedr_bundle_options *options,
                      const uint8_t secret_key[WEDR_BUNDLE_SECRET_KEY_LEN],
                      struct wedr_buf *out,
                      struct wedr_bundle_info *ret_info,
                      struct wedr_errinfo *ei)
{
    static const uint8_t header[WEDR_BUNDLE_HEADER_LEN];
    struct wedr_bundle_selection s;
    size_t begin = out->len;
    if (!map->sealed || map->rs != rs) {
        return wedr_fail(ei, WEDR_E_STATE, "a field map that is not sealed, or of other rules");
    }
    if (!profile_ok(options->profile)) {
        return wedr_fail(ei, WEDR_E_INVAL, "a profile's name is 1 to %u printable characters",
                         WEDR_BUNDLE_PROFILE_MAX - 1);
    }
    if (has_settings(options) && strlen(options->settings) > WEDR_SETTINGS_TEXT_MAX) {
        return wedr_fail(ei, WEDR_E_INVAL, "settings of more than %u bytes",
                         WEDR_SETTINGS_TEXT_MAX);
    }
    int r = wedr_bundle_select(rs, map, options, &s);
    if (r < 0) {
        return r;
    }
    struct writer w = {.rs = rs, .map = map, .s = &s};
    w.pool.memory_max = STRINGS_MEMORY_MAX;
    wedr_buf_init(&w.body, WEDR_BUNDLE_MAX);
    wedr_buf_add(out, header, sizeof(header));
    put_settings(options, out);
    r = out->overflow ? WEDR_E_LIMIT : write_body(&w, out);
    r = r < 0 ? r : seal(options, s.rules.count, secret_key, out, begin);
    if (r == WEDR_OK && ret_info) {
        r = wedr_bundle_check(out->p + begin, out->len - begin, secret_key + 32, ret_info, ei);
    }
    wedr_buf_fini(&w.body);
    wedr_vec_fini(&w.pool, &w.strings, sizeof(struct wedr_text));
    wedr_index_fini(&w.pool, &w.index);
    wedr_bundle_selection_fini(&s);
    if (r < 0) {
        wedr_buf_truncate(out, begin);
        out->overflow = false;
        return wedr_fail(ei, r, "the bundle cannot be written: %s", wedr_err_text(r));
    }
    return WEDR_OK;
}
