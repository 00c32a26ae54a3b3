/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/ruleset.c — memory, interned names, and what readers ask for. */
#include "ir/ruleset.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <string.h>

#define NAME_MAX_LEN 255u

static void *pcre_take(size_t size, void *ctx)
{
    struct wedr_pool *pool = ctx;
    size_t all = size + 16;
    if (all < size) {
        return NULL;
    }
    char *p = wedr_pool_realloc(pool, NULL, 0, all);
    if (!p) {
        return NULL;
    }
    memcpy(p, &all, sizeof(all)); /* so that giving it back can be counted */
    return p + 16;
}

static void pcre_give(void *p, void *ctx)
{
    if (p) {
        size_t all;
        memcpy(&all, (char *)p - 16, sizeof(all));
        wedr_pool_release(ctx, (char *)p - 16, all);
    }
}

struct wedr_ruleset *wedr_ruleset_new(size_t memory_max)
{
    struct wedr_ruleset *rs = wedr_alloc(1, sizeof(*rs));
    if (!rs) {
        return NULL;
    }
    rs->magic = WEDR_RULESET_MAGIC;
    rs->pool.memory = sizeof(*rs);
    rs->pool.memory_max = memory_max > sizeof(*rs) ? memory_max : sizeof(*rs);
    rs->pcre_memory = pcre2_general_context_create(pcre_take, pcre_give, &rs->pool);
    rs->pcre_compile = rs->pcre_memory ? pcre2_compile_context_create(rs->pcre_memory) : NULL;
    if (!rs->pcre_compile) {
        wedr_ruleset_free(rs);
        return NULL;
    }
    return rs;
}

static void free_sets(struct wedr_ruleset *rs)
{
    for (size_t i = 0; i < rs->sets.count; i++) {
        struct wedr_set *s = WEDR_VEC_AT(struct wedr_set, rs->sets, i);
        wedr_vec_fini(&rs->pool, &s->bytes, 1);
        wedr_vec_fini(&rs->pool, &s->offsets, sizeof(uint32_t));
        wedr_vec_fini(&rs->pool, &s->nets, sizeof(struct wedr_net));
        wedr_index_fini(&rs->pool, &s->index);
    }
    wedr_vec_fini(&rs->pool, &rs->sets, sizeof(struct wedr_set));
}

void wedr_ruleset_free(struct wedr_ruleset *rs)
{
    if (!rs) {
        return;
    }
    for (size_t i = 0; i < rs->regexes.count; i++) {
        pcre2_code_free(WEDR_VEC_AT(struct wedr_regex, rs->regexes, i)->code);
    }
    pcre2_compile_context_free(rs->pcre_compile);
    pcre2_general_context_free(rs->pcre_memory);
    free_sets(rs);
    wedr_vec_fini(&rs->pool, &rs->texts, sizeof(struct wedr_text));
    wedr_vec_fini(&rs->pool, &rs->fields, sizeof(uint32_t));
    wedr_vec_fini(&rs->pool, &rs->classes, sizeof(uint32_t));
    wedr_vec_fini(&rs->pool, &rs->preds, sizeof(struct wedr_pred));
    wedr_vec_fini(&rs->pool, &rs->nodes, sizeof(struct wedr_node));
    wedr_vec_fini(&rs->pool, &rs->kids, sizeof(uint32_t));
    wedr_vec_fini(&rs->pool, &rs->rules, sizeof(struct wedr_rule));
    wedr_vec_fini(&rs->pool, &rs->correlations, sizeof(struct wedr_correlation));
    wedr_vec_fini(&rs->pool, &rs->regexes, sizeof(struct wedr_regex));
    struct wedr_index *const indexes[] = {&rs->text_index, &rs->field_index, &rs->class_index,
                                          &rs->pred_index, &rs->node_index,  &rs->rule_index};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(indexes); i++) {
        wedr_index_fini(&rs->pool, indexes[i]);
    }
    wedr_pool_fini(&rs->pool);
    rs->magic = 0;
    wedr_free(rs);
}

size_t wedr_ruleset_memory(const struct wedr_ruleset *rs)
{
    return rs->pool.memory;
}

int wedr_pool_text(struct wedr_pool *pool, struct wedr_text t, struct wedr_text *ret_text)
{
    char *p = wedr_pool_block(pool, (size_t)t.len + 1, 1);
    if (!p) {
        return WEDR_E_NOMEM;
    }
    if (t.len) {
        memcpy(p, t.p, t.len);
    }
    *ret_text = wedr_text(p, t.len);
    return WEDR_OK;
}

struct text_key {
    const struct wedr_ruleset *rs;
    const struct wedr_vec *ids; /* NULL: the id is the text's */
    struct wedr_text t;
};

static struct wedr_text text_at(const struct wedr_ruleset *rs, uint32_t text)
{
    return *WEDR_VEC_AT(const struct wedr_text, rs->texts, text);
}

static bool same_text(const void *ctx, uint32_t id)
{
    const struct text_key *k = ctx;
    struct wedr_text have = text_at(k->rs, k->ids ? *WEDR_VEC_AT(uint32_t, *k->ids, id) : id);
    return have.len == k->t.len && memcmp(have.p, k->t.p, have.len) == 0;
}

static int intern_id(struct wedr_ruleset *rs, struct wedr_text t, uint32_t *ret_id)
{
    struct text_key key = {rs, NULL, t};
    uint32_t hash = wedr_hash_bytes(t.p, t.len, 0);
    uint32_t id = wedr_index_find(&rs->text_index, hash, same_text, &key);
    if (id == WEDR_IR_NONE) {
        struct wedr_text copy;
        int r = t.len > WEDR_IR_TEXT_MAX ? WEDR_E_LIMIT : wedr_pool_text(&rs->pool, t, &copy);
        id = (uint32_t)rs->texts.count;
        if (r == WEDR_OK) {
            r = wedr_vec_push(&rs->pool, &rs->texts, &copy, 1, sizeof(copy));
        }
        if (r == WEDR_OK) {
            r = wedr_index_add(&rs->pool, &rs->text_index, hash, id);
        }
        if (r < 0) {
            return r;
        }
    }
    *ret_id = id;
    return WEDR_OK;
}

int wedr_rs_intern(struct wedr_ruleset *rs, struct wedr_text t, struct wedr_text *ret_text)
{
    if (t.len == 0) {
        *ret_text = wedr_text("", 0);
        return WEDR_OK;
    }
    uint32_t id;
    int r = intern_id(rs, t, &id);
    if (r == WEDR_OK) {
        *ret_text = text_at(rs, id);
    }
    return r;
}

static int name_add(struct wedr_ruleset *rs,
                    struct wedr_vec *ids,
                    struct wedr_index *index,
                    struct wedr_text t,
                    uint32_t max,
                    uint32_t *ret_id)
{
    struct text_key key = {rs, ids, t};
    if (t.len == 0 || t.len > NAME_MAX_LEN) {
        return WEDR_E_INVAL;
    }
    uint32_t hash = wedr_hash_bytes(t.p, t.len, 0);
    uint32_t id = wedr_index_find(index, hash, same_text, &key);
    if (id == WEDR_IR_NONE) {
        uint32_t text;
        id = (uint32_t)ids->count;
        int r = id < max ? intern_id(rs, t, &text) : WEDR_E_LIMIT;
        if (r == WEDR_OK) {
            r = wedr_vec_push(&rs->pool, ids, &text, 1, sizeof(text));
        }
        if (r == WEDR_OK) {
            r = wedr_index_add(&rs->pool, index, hash, id);
        }
        if (r < 0) {
            return r;
        }
    }
    *ret_id = id;
    return WEDR_OK;
}

static uint32_t name_find(const struct wedr_ruleset *rs,
                          const struct wedr_vec *ids,
                          const struct wedr_index *index,
                          struct wedr_text t)
{
    struct text_key key = {rs, ids, t};
    return wedr_index_find(index, wedr_hash_bytes(t.p, t.len, 0), same_text, &key);
}

int wedr_ruleset_field(struct wedr_ruleset *rs, const char *name, size_t len, uint32_t *ret_field)
{
    if (len > NAME_MAX_LEN) {
        return WEDR_E_INVAL;
    }
    return name_add(rs, &rs->fields, &rs->field_index, wedr_text(name, len), WEDR_IR_FIELDS_MAX,
                    ret_field);
}

int wedr_ruleset_class(struct wedr_ruleset *rs, const char *name, size_t len, uint32_t *ret_class)
{
    if (len > NAME_MAX_LEN) {
        return WEDR_E_INVAL;
    }
    return name_add(rs, &rs->classes, &rs->class_index, wedr_text(name, len), WEDR_IR_CLASSES_MAX,
                    ret_class);
}

uint32_t wedr_ruleset_field_count(const struct wedr_ruleset *rs)
{
    return (uint32_t)rs->fields.count;
}

struct wedr_text wedr_ruleset_field_name(const struct wedr_ruleset *rs, uint32_t field)
{
    return field < rs->fields.count ? text_at(rs, *WEDR_VEC_AT(uint32_t, rs->fields, field))
                                    : wedr_text("", 0);
}

uint32_t wedr_ruleset_field_find(const struct wedr_ruleset *rs, const char *name, size_t len)
{
    return len > NAME_MAX_LEN ? WEDR_IR_NONE
                              : name_find(rs, &rs->fields, &rs->field_index, wedr_text(name, len));
}

uint32_t wedr_ruleset_class_count(const struct wedr_ruleset *rs)
{
    return (uint32_t)rs->classes.count;
}

struct wedr_text wedr_ruleset_class_name(const struct wedr_ruleset *rs, uint32_t event_class)
{
    return event_class < rs->classes.count
               ? text_at(rs, *WEDR_VEC_AT(uint32_t, rs->classes, event_class))
               : wedr_text("", 0);
}

uint32_t wedr_ruleset_class_find(const struct wedr_ruleset *rs, const char *name, size_t len)
{
    return len > NAME_MAX_LEN ? WEDR_IR_NONE
                              : name_find(rs, &rs->classes, &rs->class_index, wedr_text(name, len));
}
