/* SPDX-License-Identifier: Apache-2.0
 * server/store/print.h — foreign text for a terminal and for JSON. Any thread. */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* A quoted JSON string; what is no UTF-8 becomes U+FFFD. */
void wedr_print_json(FILE *out, const void *text, size_t len);
/* One valid JSON value, the same value on one line: what would steer a terminal is escaped. */
void wedr_print_json_value(FILE *out, const void *text, size_t len);
/* What an endpoint sent must not move the cursor or break the columns: control characters (of 8
 * bits too), marks that turn the order of letters, what is no UTF-8, and backslashes are escaped.
 */
void wedr_print_text(FILE *out, const void *text, size_t len);
