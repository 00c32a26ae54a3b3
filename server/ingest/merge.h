/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/merge.h — one block out of lines that were accepted before: text, columns and
 * filters as the ingest makes them. Pure computation; one thread per object.
 */
#pragma once

#include "ingest/columns.h"
#include "ingest/filter.h"
#include "ingest/line_schema.h"

#define WEDR_MERGE_RAW_MAX (8u << 20) /* text of one merged block */

/* Fields of the token filter beside whole values: process_key of the events that begin or end a
 * process, parent_key of all. */
#define WEDR_FILTER_LIFE "life"
#define WEDR_FILTER_PARENT "parent"
bool wedr_filter_life_type(uint8_t code);

struct wedr_merge;

struct wedr_merged {
    uint8_t *z; /* one zstd frame; the caller's, with wedr_free */
    size_t z_len, raw_len;
    uint32_t lines, rejected;
    uint32_t counts[256]; /* accepted lines by stored type code */
    int64_t t0, t1;       /* of the accepted lines; INT64_MAX, INT64_MIN without one */
    bool canonical;
    struct wedr_buf col, bloom, ngram;
};

/* seq0: of the first line. NULL: out of memory. */
WEDR_MUST_USE struct wedr_merge *wedr_merge_new(uint64_t seq0);
void wedr_merge_free(struct wedr_merge *m); /* NULL is allowed */
/* The next line without its newline; seq rises. line and info are NULL for a rejected one. Errors
 * stay until the end. */
void wedr_merge_add(struct wedr_merge *m,
                    uint64_t seq,
                    struct wedr_span text,
                    const struct wedr_line *line,
                    const struct wedr_line_info *info);
/* level: of zstd. WEDR_E_NOMEM, WEDR_E_LIMIT: over WEDR_MERGE_RAW_MAX or its lines' bound. */
WEDR_MUST_USE int wedr_merge_finish(struct wedr_merge *m, int level, struct wedr_merged *ret);
void wedr_merged_fini(struct wedr_merged *m);

/* One row of columns and filters: NULL line for a rejected one, whose time is ts. For the ingest
 * and for merges alike. */
void wedr_row_add(struct wedr_columns_writer *columns,
                  struct wedr_filter_builder *filter,
                  uint64_t seq,
                  uint32_t len,
                  int64_t ts,
                  const struct wedr_line *line,
                  const struct wedr_line_info *info);
/* Packs bytes into one zstd frame that says its size. *ret is the caller's. WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_pack(const void *p, size_t len, int level, uint8_t **ret, size_t *ret_len);
