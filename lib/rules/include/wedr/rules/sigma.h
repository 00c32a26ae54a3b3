/* SPDX-License-Identifier: Apache-2.0
 * rules/sigma.h — Sigma 2.x rules, filters and correlations from YAML into a ruleset. Files are
 * added one after another in any order; filters and correlations take effect in finish, when every
 * rule that they name is known. docs/sigma.md says what is supported. One thread. */
#pragma once

#include "wedr/rules/ir.h"

#define WEDR_SIGMA_FILE_MAX ((size_t)8 << 20)
#define WEDR_SIGMA_CLASS_MAX 256u

/* What a placeholder (%name% under `expand`) stands for: texts, wildcards allowed. */
struct wedr_sigma_list {
    const char *name;
    const char *const *values;
    size_t count;
};

struct wedr_sigma_options {
    const struct wedr_sigma_list
        *lists; /* borrowed as long as the loader lives; an empty one is none */
    size_t list_count;
    uint32_t depth_max;  /* of YAML; default 32 */
    uint32_t values_max; /* of YAML, per file; default 200,000 */
};

enum wedr_sigma_outcome {
    WEDR_SIGMA_RULE,
    WEDR_SIGMA_CORRELATION,
    WEDR_SIGMA_FILTER,
    WEDR_SIGMA_REFUSED
};

/* What became of one document. */
struct wedr_sigma_report {
    enum wedr_sigma_outcome outcome;
    int err;          /* of REFUSED */
    const char *file; /* as given to add */
    uint32_t line;    /* REFUSED: of the error; else of the document's beginning; 0 unknown */
    uint32_t rule;    /* index in the ruleset, WEDR_IR_NONE */
    const char *text; /* REFUSED: why, one line. RULE: placeholders that have no list, or "" */
};
typedef void wedr_sigma_report_fn(void *ctx, const struct wedr_sigma_report *report);

struct wedr_sigma_stats {
    uint32_t files, documents;
    uint32_t rules, correlations, filters, refused;
    uint32_t need_list;    /* of the rules: cannot match until a placeholder has a list */
    uint32_t filtered;     /* rule and filter pairs that came together */
    uint32_t filters_idle; /* filters that met no rule */
};

struct wedr_sigma;

/* options NULL: defaults. fn (may be NULL) hears of every document. The ruleset must outlive the
 * loader. NULL when out of memory. */
WEDR_MUST_USE struct wedr_sigma *wedr_sigma_new(struct wedr_ruleset *rs,
                                                const struct wedr_sigma_options *options,
                                                wedr_sigma_report_fn *fn,
                                                void *ctx);
void wedr_sigma_free(struct wedr_sigma *s);
/* Reads every document of [yaml, yaml + len); nothing is kept of it. 0 when all are fine, else the
 * error of the last that was not: the others count all the same. WEDR_E_FORMAT, WEDR_E_UNSUP (Sigma
 * 1 features), WEDR_E_LIMIT, WEDR_E_EXIST (id used before), WEDR_E_NOMEM (stop). */
int wedr_sigma_add(struct wedr_sigma *s, const char *file, const char *yaml, size_t len);
/* Applies filters, adds correlations. Call once, after the last file. Errors as above, and
 * WEDR_E_NOENT for a rule that is named but not there. */
int wedr_sigma_finish(struct wedr_sigma *s);
void wedr_sigma_stats(const struct wedr_sigma *s, struct wedr_sigma_stats *ret_stats);

/* The event class of a log source: "product/category/service", * for what is empty. NUL-terminated;
 * the length, or 0 when it does not fit WEDR_SIGMA_CLASS_MAX. */
size_t wedr_sigma_class_name(struct wedr_text product,
                             struct wedr_text category,
                             struct wedr_text service,
                             char out[WEDR_SIGMA_CLASS_MAX]);
