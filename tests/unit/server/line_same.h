/* SPDX-License-Identifier: Apache-2.0
 *
 * tests/unit/server/line_same.h — whether two ways to read a line came to the same. */
#pragma once

#include "ingest/line_schema.h"
#include <string.h>

static inline bool member_same(const struct wedr_lp_member *a, const struct wedr_lp_member *b)
{
    return a->type == b->type && a->scope == b->scope && a->parent == b->parent && a->v == b->v &&
           a->key_len == b->key_len && a->s_len == b->s_len &&
           (a->key == NULL) == (b->key == NULL) && (a->s == NULL) == (b->s == NULL) &&
           (a->key == NULL || memcmp(a->key, b->key, a->key_len) == 0) &&
           (a->s == NULL || memcmp(a->s, b->s, a->s_len) == 0);
}

/* NULL, or what differs. */
static inline const char *line_differs(const struct wedr_line *a,
                                       const struct wedr_line_info *x,
                                       const struct wedr_line *b,
                                       const struct wedr_line_info *y)
{
    if (a->count != b->count) {
        return "number of members";
    }
    for (size_t i = 0; i < a->count; i++) {
        if (!member_same(&a->m[i], &b->m[i])) {
            return "a member";
        }
    }
    for (size_t i = 0; i < WEDR_COL_COUNT; i++) {
        if ((x->column[i] == NULL) != (y->column[i] == NULL) ||
            (x->column[i] != NULL && x->column[i] - a->m != y->column[i] - b->m)) {
            return "a column";
        }
    }
    return x->type == y->type && x->code == y->code && x->os == y->os && x->has_seq == y->has_seq &&
                   x->seq == y->seq && x->ts_us == y->ts_us && x->schema == y->schema &&
                   memcmp(x->keys, y->keys, sizeof(x->keys)) == 0
               ? NULL
               : "what is known of the line";
}
