/* SPDX-License-Identifier: Apache-2.0
 * rules/src/ir/ruleset.h — inside of a ruleset, shared by the files of src/ir and src/match. */
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include "ir/pool.h"
#include "wedr/rules/ir.h"
#include <pcre2.h>

struct wedr_regex {
    pcre2_code *code;
};

struct wedr_set {
    uint8_t mode; /* enum wedr_set_mode */
    bool cased, sealed;
    struct wedr_vec bytes;   /* char: entries one after another */
    struct wedr_vec offsets; /* uint32_t: where each begins; one more at the end */
    struct wedr_vec nets;    /* struct wedr_net; sealed: by family, then bits, then address */
    struct wedr_index index;
    uint64_t lengths; /* bit n: an entry of n bytes exists; bit 63: of 63 and more */
};

struct wedr_ruleset {
    uint32_t magic;
    struct wedr_pool pool;
    pcre2_general_context *pcre_memory;
    pcre2_compile_context *pcre_compile;
    struct wedr_vec texts;   /* struct wedr_text, interned */
    struct wedr_vec fields;  /* uint32_t: text */
    struct wedr_vec classes; /* uint32_t: text */
    struct wedr_vec preds;   /* struct wedr_pred */
    struct wedr_vec nodes;   /* struct wedr_node */
    struct wedr_vec kids;    /* uint32_t */
    struct wedr_vec rules;   /* struct wedr_rule */
    struct wedr_vec correlations;
    struct wedr_vec sets;    /* struct wedr_set */
    struct wedr_vec regexes; /* struct wedr_regex */
    struct wedr_index text_index, field_index, class_index, pred_index, node_index, rule_index;
};

#define WEDR_RULESET_MAGIC 0x57525331u

/* Copies a text with a NUL behind it into a pool. */
WEDR_MUST_USE int
wedr_pool_text(struct wedr_pool *pool, struct wedr_text t, struct wedr_text *ret_text);
/* The same for texts that many rules share. */
WEDR_MUST_USE int
wedr_rs_intern(struct wedr_ruleset *rs, struct wedr_text t, struct wedr_text *ret_text);

/* Compiles p->u.text and appends it to regexes. */
WEDR_MUST_USE int wedr_regex_add(struct wedr_ruleset *rs,
                                 const struct wedr_pred *p,
                                 uint32_t *ret_regex,
                                 struct wedr_errinfo *ei);

/* A network into an open CIDR set. WEDR_E_INVAL, WEDR_E_LIMIT. */
WEDR_MUST_USE int
wedr_rs_set_add_net(struct wedr_ruleset *rs, uint32_t set, const struct wedr_net *net);
/* Whether text is in the set (by its mode). fold: memory of WEDR_FOLD_MAX(text.len) bytes; unused
 * for CIDR. */
bool wedr_set_has(const struct wedr_set *set, struct wedr_text text, char *fold);
static inline const struct wedr_set *wedr_rs_set(const struct wedr_ruleset *rs, uint32_t set)
{
    return WEDR_VEC_AT(const struct wedr_set, rs->sets, set);
}
