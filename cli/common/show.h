/* SPDX-License-Identifier: Apache-2.0
 * cli/common/show.h — text from files on its way to a person or a program. */
#pragma once

#include "core/util/buf.h"
#include "wedr/rules/text.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Appends t so that a terminal shows it and obeys nothing in it: control characters (C0, DEL, C1)
 * and bytes that are no UTF-8 become \xNN, marks that turn the direction of writing \uNNNN. At most
 * columns_max characters, then "..."; 0: no limit. */
void wedr_show_text(struct wedr_buf *out, struct wedr_text t, size_t columns_max);
/* "path:line: reason" on standard error, line 0 left out. */
void wedr_show_problem(const char *path, uint64_t line, const char *reason);
/* Appends t as a JSON string without control characters; bytes that are no UTF-8 become U+FFFD. */
void wedr_show_json(struct wedr_buf *out, struct wedr_text t);
/* Writes out to standard output and empties it. False when it did not hold everything. */
bool wedr_show_flush(struct wedr_buf *out);
