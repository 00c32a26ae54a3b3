/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/loader.h — inside of the loader. */
#pragma once

#include "value.h"

/* A document that waits for finish, copied out of its file. */
struct wedr_sigma_pending {
    const struct wedr_yaml *doc;
    const char *file;
    bool filter; /* else a correlation */
    bool open;   /* being resolved: met again it would wait for itself */
    bool done;
    uint32_t rule; /* once it is one */
    struct wedr_sigma_pending *next;
};

/* What an id or a name stands for. */
struct wedr_sigma_known {
    struct wedr_text text; /* in the keep arena */
    uint32_t hash;
    uint32_t rule;                      /* WEDR_IR_NONE: pending */
    struct wedr_sigma_pending *pending; /* of a correlation */
};

struct wedr_sigma {
    uint32_t magic;
    struct wedr_ruleset *rs;
    struct wedr_sigma_options options;
    wedr_sigma_report_fn *fn;
    void *ctx;
    struct wedr_arena *scratch; /* of one file */
    struct wedr_arena *keep;    /* until the end */
    struct wedr_sigma_known *known;
    size_t known_count, known_cap; /* cap: power of two; rule and pending unset: free slot */
    struct wedr_sigma_pending *first, *last;
    uint8_t *uses; /* by rule: USE_* */
    size_t uses_cap;
    struct wedr_sigma_stats stats;
    struct wedr_errinfo ei;
    bool finished;
};

#define WEDR_SIGMA_USE_MEMBER 1u
#define WEDR_SIGMA_USE_GENERATE 2u

/* NULL when unknown. */
struct wedr_sigma_known *wedr_sigma_find(const struct wedr_sigma *s, struct wedr_text text);
/* WEDR_E_EXIST when it is known already. */
WEDR_MUST_USE int wedr_sigma_learn(struct wedr_sigma *s,
                                   struct wedr_text text,
                                   uint32_t rule,
                                   struct wedr_sigma_pending *pending);
WEDR_MUST_USE int wedr_sigma_use(struct wedr_sigma *s, uint32_t rule, unsigned use);

/* Title, id, level and all else that describes; the file and line too. */
WEDR_MUST_USE int wedr_sigma_metadata(struct wedr_sigma_compiler *c,
                                      const struct wedr_yaml *doc,
                                      struct wedr_rule *rule);
/* category, product, service; at least one is there. */
WEDR_MUST_USE int wedr_sigma_logsource(struct wedr_sigma_compiler *c,
                                       const struct wedr_yaml *doc,
                                       struct wedr_rule *rule);
/* A scalar, or nothing: then *ret_text stays. */
WEDR_MUST_USE int wedr_sigma_text_of(struct wedr_sigma_compiler *c,
                                     const struct wedr_yaml *map,
                                     const char *key,
                                     struct wedr_text *ret_text);
/* A list of scalars, or one scalar. */
WEDR_MUST_USE int wedr_sigma_list_of(struct wedr_sigma_compiler *c,
                                     const struct wedr_yaml *map,
                                     const char *key,
                                     struct wedr_text_list *ret_list);

WEDR_MUST_USE int wedr_sigma_rule(struct wedr_sigma *s,
                                  struct wedr_sigma_compiler *c,
                                  const struct wedr_yaml *doc,
                                  const char *file,
                                  uint32_t *ret_rule);
WEDR_MUST_USE int wedr_sigma_filter(struct wedr_sigma *s,
                                    struct wedr_sigma_compiler *c,
                                    const struct wedr_yaml *doc,
                                    uint32_t *ret_count);
/* Members that are correlations themselves must be rules by now. */
WEDR_MUST_USE int wedr_sigma_correlation(struct wedr_sigma *s,
                                         struct wedr_sigma_compiler *c,
                                         const struct wedr_sigma_pending *p,
                                         uint32_t *ret_rule);
/* The names in `rules`, and those in a condition that is a text. */
WEDR_MUST_USE int wedr_sigma_member_names(struct wedr_sigma_compiler *c,
                                          const struct wedr_yaml *doc,
                                          struct wedr_text_list *ret_names);
