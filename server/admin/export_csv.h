/* SPDX-License-Identifier: Apache-2.0
 *
 * server/admin/export_csv.h — cells of RFC 4180 for people who open them in a spreadsheet: a text
 * that such a program would take for a formula gets a leading apostrophe. Pure.
 */
#pragma once

#include "core/util/buf.h"
#include <stdbool.h>
#include <stddef.h>

/* One cell. number: made by us of a number, which may begin with a minus. */
void wedr_csv_cell(struct wedr_buf *b, const void *text, size_t len, bool first, bool number);
void wedr_csv_end_row(struct wedr_buf *b);
