/* SPDX-License-Identifier: Apache-2.0
 *
 * server/ingest/columns.h — the column part beside a block: what questions about time, type and
 * process ask without opening the lines. The byte format is in docs/event-store.md and opens for
 * ever. Not thread-safe.
 */
#pragma once

#include "core/base/attr.h"
#include "core/base/span.h"
#include "core/util/buf.h"
#include <stdint.h>

enum wedr_column_id {
    WEDR_COLUMN_TS = 1,   /* us since 1970 */
    WEDR_COLUMN_TYPE = 2, /* type code; WEDR_TYPE_CODE_* for the odd ones */
    WEDR_COLUMN_PID = 3,
    WEDR_COLUMN_PPID = 4,
    WEDR_COLUMN_NAME = 5, /* process name, by dictionary */
    WEDR_COLUMN_LINE = 6, /* bytes of the line with its newline */
    WEDR_COLUMN_SEQ = 7,
    WEDR_COLUMN_MAX = 8
};
#define WEDR_COLUMN_NONE (-1) /* pid, ppid: the event has none */

struct wedr_columns_writer;

/* seq0 is the base of the seq column. NULL when out of memory. */
WEDR_MUST_USE struct wedr_columns_writer *wedr_columns_writer_new(uint64_t seq0);
void wedr_columns_writer_free(struct wedr_columns_writer *w);
struct wedr_column_row {
    int64_t ts;
    uint64_t seq;
    int64_t pid, ppid; /* WEDR_COLUMN_NONE or 0 .. UINT32_MAX */
    const char *name;  /* NULL: none */
    uint32_t name_len;
    uint32_t line_len;
    uint8_t type;
};
void wedr_columns_add(struct wedr_columns_writer *w, const struct wedr_column_row *row);
/* Appends the finished part. WEDR_E_NOMEM when memory ran out here or in any add. */
WEDR_MUST_USE int wedr_columns_finish(struct wedr_columns_writer *w, struct wedr_buf *ret);

/* Reading. Every byte is hostile: arrays have n elements whatever the bytes say. */
struct wedr_columns;
/* p stays borrowed. n and seq0 are the block row's; WEDR_E_CORRUPT when the part speaks of another
 * number of lines, WEDR_E_VERSION for a format newer than this code. */
WEDR_MUST_USE int
wedr_columns_open(const void *p, size_t len, uint32_t n, uint64_t seq0, struct wedr_columns **ret);
void wedr_columns_close(struct wedr_columns *c);
/* Decodes a column on first use; the array is owned by c. WEDR_E_NOENT: the part has no such
 * column. */
WEDR_MUST_USE int
wedr_columns_ints(struct wedr_columns *c, enum wedr_column_id id, const int64_t **ret);
WEDR_MUST_USE int wedr_columns_types(struct wedr_columns *c, const uint8_t **ret);
/* Name of row i; an empty span with p NULL when the event has none. */
WEDR_MUST_USE int wedr_columns_name(struct wedr_columns *c, uint32_t i, struct wedr_span *ret);
