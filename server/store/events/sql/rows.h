/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/rows.h — the rows of `events` that may answer a query, one after another:
 * by file, block and line, or by time when that is asked, merged from blocks that overlap. Blocks
 * are scanned by a few threads ahead of the reader, who may stop at any row.
 */
#pragma once

#include "store/events/sql/scan.h"

struct wedr_rows;

/* sql and ask outlive it. WEDR_E_NOMEM, WEDR_E_BUSY, WEDR_E_TIMEOUT. */
WEDR_MUST_USE int
wedr_rows_new(struct wedr_sql *sql, const struct wedr_events_ask *ask, struct wedr_rows **ret);
/* Waits for the threads. NULL is allowed. */
void wedr_rows_free(struct wedr_rows *r);
/* The next row: its block, which is open for reading until the next call, its line, its day.
 * WEDR_E_NOENT at the end. WEDR_E_TIMEOUT, WEDR_E_NOMEM, WEDR_E_BUSY: rows would be left out. */
WEDR_MUST_USE int wedr_rows_next(struct wedr_rows *r,
                                 struct wedr_block **ret_block,
                                 uint32_t *ret_row,
                                 int32_t *ret_day);
