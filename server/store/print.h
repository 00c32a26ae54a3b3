/* SPDX-License-Identifier: Apache-2.0
 * server/store/print.h — foreign text for a terminal and for JSON. Any thread. */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* A quoted JSON string; what is no UTF-8 becomes U+FFFD. */
void wedr_print_json(FILE *out, const void *text, size_t len);
/* What an endpoint sent must not move the cursor or break the columns: control characters and
 * backslashes are escaped. */
void wedr_print_text(FILE *out, const void *text, size_t len);
