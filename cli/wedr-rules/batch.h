/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/batch.h — some events of a file, and what matching them gave. Belongs to one
 * thread at a time. */
#pragma once

#include "crew.h"
#include "docs.h"

/* What one thread matches with. */
struct wedr_batch_worker {
    const struct wedr_crew *crew;
    struct wedr_matcher *matcher;
    struct wedr_rule_event *event;
};

struct wedr_batch {
    const char *path;
    struct wedr_buf text;    /* of the documents */
    struct wedr_buf items;   /* struct item */
    struct wedr_buf results; /* struct result, in the order of items */
    struct wedr_buf rules;   /* uint32_t */
    struct wedr_buf refs;    /* struct ref into `strings` */
    struct wedr_buf strings;
    uint64_t events, unknown, outside, undated;
    int err; /* of matching */
};

void wedr_batch_init(struct wedr_batch *b);
void wedr_batch_fini(struct wedr_batch *b);
void wedr_batch_clear(struct wedr_batch *b);
bool wedr_batch_is_empty(const struct wedr_batch *b);
bool wedr_batch_is_full(const struct wedr_batch *b);
/* Copies doc. WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_batch_add(struct wedr_batch *b, const struct wedr_doc *doc);

/* WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_batch_worker_init(struct wedr_batch_worker *w, const struct wedr_crew *crew);
void wedr_batch_worker_fini(struct wedr_batch_worker *w);
/* Fills the results of b, err in the worst case. */
void wedr_batch_match(struct wedr_batch *b, struct wedr_batch_worker *w);

typedef int wedr_batch_hit_fn(void *ctx, const struct wedr_hit *hit);
typedef void
wedr_batch_bad_fn(void *ctx, const char *path, uint64_t line, uint64_t offset, const char *reason);
/* Hands out the results in order: what hit returned, or 0. */
WEDR_MUST_USE int wedr_batch_tell(const struct wedr_batch *b,
                                  wedr_batch_hit_fn *hit,
                                  wedr_batch_bad_fn *bad,
                                  void *ctx);
