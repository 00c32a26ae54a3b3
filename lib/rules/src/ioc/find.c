/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ioc/find.c — from a match back to the entry and its note. Runs once an alert, so it may
 * walk through a list. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "event/event.h"
#include "ioc/entry.h"
#include "ioc/fields.h"
#include "ir/ruleset.h"
#include "ir/value.h"
#include <string.h>

#define VALUE_MAX ((size_t)2 * WEDR_IOC_KEY_MAX) /* longer ones equal no entry */

struct finder {
    const struct wedr_ruleset *rs;
    struct wedr_ioc_hit *hit;
    uint32_t notes; /* set, or WEDR_IR_NONE */
    size_t key_len; /* of the entry that was found, as notes have it */
    char key[WEDR_FOLD_MAX(VALUE_MAX)];
    char folded[WEDR_FOLD_MAX(VALUE_MAX)];
};

struct wanted {
    const struct wedr_ruleset *rs;
    uint32_t set;
    struct wedr_text text;
};

static bool same_entry(const void *ctx, uint32_t id)
{
    const struct wanted *w = ctx;
    return wedr_text_equal(wedr_set_entry(w->rs, w->set, id), w->text, true);
}

/* The text, folded where the set is, is an entry: then it is the key. */
static bool is_entry(struct finder *f, uint32_t set, const char *p, size_t len)
{
    struct wanted w = {f->rs, set, wedr_text(p, len)};
    const struct wedr_set *s = wedr_rs_set(f->rs, set);
    if (wedr_index_find(&s->index, wedr_hash_bytes(p, len, 0), same_entry, &w) == WEDR_IR_NONE) {
        return false;
    }
    memcpy(f->key, p, len);
    f->key_len = len;
    return true;
}

static bool find_domain(struct finder *f, uint32_t set, const char *p, size_t len)
{
    len -= len > 0 && p[len - 1] == '.';
    while (len > 0 && !is_entry(f, set, p, len)) {
        const char *dot = memchr(p, '.', len);
        if (!dot) {
            return false;
        }
        len -= (size_t)(dot - p) + 1;
        p = dot + 1;
    }
    return len > 0;
}

/* As WEDR_SET_WORDS has it, of a folded text. */
static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (uint8_t)c >= 0x80;
}

static bool find_hash(struct finder *f, uint32_t set, const char *p, size_t len)
{
    for (size_t at = 0; at < len; at++) {
        size_t first = at;
        while (at < len && is_word(p[at])) {
            at++;
        }
        if (at > first && is_entry(f, set, p + first, at - first)) {
            return true;
        }
    }
    return false;
}

static bool find_net(struct finder *f, uint32_t set, struct wedr_text value)
{
    struct wedr_net address;
    struct wedr_net best = {.bits = 0};
    if (wedr_address_parse(value.p, value.len, &address) < 0) {
        return false;
    }
    for (uint32_t i = 0; i < wedr_set_entry_count(f->rs, set); i++) {
        struct wedr_net n = wedr_set_net(f->rs, set, i);
        if (n.bits > best.bits && wedr_net_has(&n, &address)) {
            best = n;
        }
    }
    if (best.bits == 0) {
        return false;
    }
    wedr_ioc_net_text(&best, f->key);
    f->key_len = strlen(f->key);
    return true;
}

static bool find_in_set(struct finder *f, uint32_t set, struct wedr_text value)
{
    bool cased = false;
    enum wedr_set_mode mode = wedr_set_mode(f->rs, set, &cased);
    static const uint8_t kinds[] = {[WEDR_SET_EXACT] = WEDR_IOC_PATH,
                                    [WEDR_SET_DOMAIN] = WEDR_IOC_DOMAIN,
                                    [WEDR_SET_WORDS] = WEDR_IOC_HASH,
                                    [WEDR_SET_CIDR] = WEDR_IOC_NET};
    const char *p = value.p;
    size_t len = value.len;
    f->hit->kind = (enum wedr_ioc_kind)kinds[mode];
    if (mode == WEDR_SET_CIDR) {
        return find_net(f, set, value);
    }
    if (!cased) {
        len = wedr_fold(value.p, value.len, f->folded);
        p = f->folded;
    }
    return mode == WEDR_SET_DOMAIN  ? find_domain(f, set, p, len)
           : mode == WEDR_SET_WORDS ? find_hash(f, set, p, len)
                                    : len > 0 && is_entry(f, set, p, len);
}

/* The pattern as it was written: simpler shapes have lost their stars, others have escapes. */
static void key_of_pattern(struct finder *f, const struct wedr_pred *p)
{
    struct wedr_text t = p->u.text;
    size_t len = 0;
    if (p->kind == WEDR_PRED_SUFFIX || p->kind == WEDR_PRED_CONTAINS) {
        f->folded[len++] = '*';
    }
    for (uint32_t i = 0; i < t.len && len < VALUE_MAX - 1; i++) {
        i += p->kind == WEDR_PRED_WILDCARD && t.p[i] == '\\' && i + 1 < t.len;
        f->folded[len++] = t.p[i];
    }
    if (p->kind == WEDR_PRED_PREFIX || p->kind == WEDR_PRED_CONTAINS) {
        f->folded[len++] = '*';
    }
    if (p->flags & WEDR_PRED_CASED) {
        memcpy(f->key, f->folded, len);
        f->key_len = len;
    } else {
        f->key_len = wedr_fold(f->folded, len, f->key);
    }
}

static bool find_pattern(struct finder *f, const struct wedr_pred *p, struct wedr_text value)
{
    bool cased = (p->flags & WEDR_PRED_CASED) != 0;
    bool yes = p->kind == WEDR_PRED_PREFIX     ? wedr_text_starts(value, p->u.text, cased)
               : p->kind == WEDR_PRED_SUFFIX   ? wedr_text_ends(value, p->u.text, cased)
               : p->kind == WEDR_PRED_CONTAINS ? wedr_text_contains(value, p->u.text, cased)
               : p->kind == WEDR_PRED_WILDCARD ? wedr_text_wildcard(value, p->u.text, cased)
                                               : false;
    if (yes) {
        f->hit->kind = WEDR_IOC_PATH;
        key_of_pattern(f, p);
    }
    return yes;
}

static bool find_pred(struct finder *f, const struct wedr_pred *p, struct wedr_rule_event *ev)
{
    if (p->kind == WEDR_PRED_SET && p->u.set == f->notes) {
        return false;
    }
    for (uint32_t v = wedr_rule_event_first(ev, p->field); v != WEDR_IR_NONE;
         v = ev->values[v].next) {
        struct wedr_text value = wedr_rule_event_text(ev, v);
        if (!value.p || value.len == 0 || value.len > VALUE_MAX) {
            continue;
        }
        if (p->kind == WEDR_PRED_SET ? find_in_set(f, p->u.set, value)
                                     : find_pattern(f, p, value)) {
            f->hit->value = value;
            f->hit->field = wedr_ruleset_field_name(f->rs, p->field);
            return true;
        }
    }
    return false;
}

static void take_note(struct finder *f)
{
    size_t len = f->key_len < sizeof(f->hit->entry) ? f->key_len : sizeof(f->hit->entry) - 1;
    memcpy(f->hit->entry, f->key, len);
    f->hit->entry[len] = '\0';
    if (f->notes == WEDR_IR_NONE) {
        return;
    }
    size_t key = f->hit->kind == WEDR_IOC_HASH ? WEDR_IOC_HASH_KEY : f->key_len;
    for (uint32_t i = 0; i < wedr_set_entry_count(f->rs, f->notes); i++) {
        struct wedr_text note = wedr_set_entry(f->rs, f->notes, i);
        if (note.len > key && note.p[key] == '\t' && memcmp(note.p, f->key, key) == 0) {
            f->hit->comment = wedr_text(note.p + key + 1, note.len - key - 1);
            return;
        }
    }
}

static const struct wedr_pred *pred_of(const struct wedr_ruleset *rs, uint32_t node)
{
    const struct wedr_node *n = wedr_ruleset_node(rs, node);
    return n && n->kind == WEDR_NODE_PRED ? wedr_ruleset_pred(rs, n->arg) : NULL;
}

static uint32_t notes_of(const struct wedr_ruleset *rs, const uint32_t *kids, uint32_t count)
{
    uint32_t field =
        wedr_ruleset_field_find(rs, WEDR_IOC_NOTE_FIELD, sizeof(WEDR_IOC_NOTE_FIELD) - 1);
    for (uint32_t i = 0; field != WEDR_IR_NONE && i < count; i++) {
        const struct wedr_pred *p = pred_of(rs, kids[i]);
        if (p && p->kind == WEDR_PRED_SET && p->field == field) {
            return p->u.set;
        }
    }
    return WEDR_IR_NONE;
}

int wedr_ioc_find(const struct wedr_ruleset *rs,
                  uint32_t rule,
                  struct wedr_rule_event *ev,
                  struct wedr_ioc_hit *ret_hit)
{
    const struct wedr_rule *r = wedr_ruleset_rule(rs, rule);
    struct wedr_ioc_hit hit = {.kind = WEDR_IOC_HASH};
    if (!r || !wedr_text_equal(r->language, wedr_text("ioc", 3), true) ||
        r->condition == WEDR_IR_NONE) {
        return WEDR_E_NOENT;
    }
    const struct wedr_node *n = wedr_ruleset_node(rs, r->condition);
    bool many = n->kind == WEDR_NODE_OR;
    const uint32_t *kids = many ? wedr_ruleset_kids(rs, n) : &r->condition;
    uint32_t count = many ? n->kid_count : 1;
    struct finder *f = wedr_alloc(1, sizeof(*f));
    if (!f) {
        return WEDR_E_NOMEM;
    }
    f->rs = rs;
    f->hit = &hit;
    f->notes = notes_of(rs, kids, count);
    bool found = false;
    for (uint32_t i = 0; !found && i < count; i++) {
        const struct wedr_pred *p = pred_of(rs, kids[i]);
        found = p && find_pred(f, p, ev);
    }
    if (found) {
        take_note(f);
        *ret_hit = hit;
    }
    wedr_free(f);
    return found ? WEDR_OK : WEDR_E_NOENT;
}

void wedr_ioc_describe(const struct wedr_ioc_hit *hit, struct wedr_buf *out)
{
    wedr_buf_addf(out, "%s %s", wedr_ioc_kind_name(hit->kind), hit->entry);
    if (hit->comment.len > 0) {
        wedr_buf_addf(out, ": %.*s", (int)hit->comment.len, hit->comment.p);
    }
}
