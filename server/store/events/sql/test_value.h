/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/test_value.h — one test against one value, and searching for a text in
 * many lines at once. Pure; any thread.
 */
#pragma once

#include "store/events/sql/plan.h"

/* ASCII letters to lower case, in place. */
void wedr_lower(char *s, size_t len);
/* True when needle, in lower case, stands in s with ASCII letters of either case. */
bool wedr_contains(const char *s, size_t len, const char *needle, size_t needle_len);
/* Value of a text column. A text in an integer column passes. */
bool wedr_test_text(const struct wedr_test *t, const char *s, size_t len);
/* Integer value; in a text column it is compared as SQLite does it, by its digits. */
bool wedr_test_number(const struct wedr_test *t, int64_t v);

/* A text to look for. */
struct wedr_needle {
    char *p;          /* owned */
    size_t len, rare; /* rare: place of the byte that texts have least often */
    bool lower;       /* is looked for in a text that was made lower case */
};

/* Copies the text; with lower it matches ASCII letters of either case. False when out of memory. */
bool wedr_needle_init(struct wedr_needle *n, const char *s, size_t len, bool lower);
void wedr_needle_fini(struct wedr_needle *n);
/* First place in [s, end), NULL when there is none. The text is in lower case when n->lower. */
const char *wedr_needle_find(const struct wedr_needle *n, const char *s, const char *end);
