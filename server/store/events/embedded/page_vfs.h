/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/embedded/page_vfs.h — a checksum on each page of a database file. SQLite has
 * none: a bit that turned in a table of ours would be told as a row. This layer between SQLite and
 * the file writes the sum into the last bytes of each page (which SQLite leaves free) and refuses a
 * page whose sum is wrong, is another page's or is missing, as SQLITE_CORRUPT. Pages in the log
 * have sums of SQLite's own.
 *
 * What a file says decides: one that leaves no bytes free (of a release before this) is read and
 * written as it is. Whoever writes such a file must come through this layer.
 */
#pragma once

#include "core/base/attr.h"
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#define WEDR_PAGE_LEN 16384u
#define WEDR_PAGE_SUM_LEN 8u

/* Name for sqlite3_open_v2(); registers the layer at the first call. NULL: out of memory. Any
 * thread. */
const char *wedr_page_vfs(void);
/* Makes a database that has no tables yet one with sums, on a connection through the layer. An
 * SQLite result. */
WEDR_MUST_USE int wedr_page_vfs_begin(sqlite3 *db);
/* Bytes that the file leaves free on each page: WEDR_PAGE_SUM_LEN, or 0 without sums. */
int wedr_page_vfs_free_bytes(sqlite3 *db);
/* Writes the sum of page `number` (from 1) to its place. */
void wedr_page_sum_put(uint8_t page[WEDR_PAGE_LEN], uint64_t number);
WEDR_MUST_USE bool wedr_page_sum_is_right(const uint8_t page[WEDR_PAGE_LEN], uint64_t number);
