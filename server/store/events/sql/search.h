/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/search.h — a text in much text, ASCII letters in either case if asked.
 * Two bytes that texts have least often are looked for in 16 places at once, the rest is compared
 * where both stand. Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A text to look for. */
struct wedr_needle {
    char *p; /* owned */
    size_t len;
    size_t rare, second; /* places of two bytes in it */
    bool lower;          /* matches letters of either case; p is in lower case */
};

/* ASCII letters to lower case, in place. */
void wedr_lower(char *s, size_t len);
/* Copies the text. False when out of memory. */
bool wedr_needle_init(struct wedr_needle *n, const char *s, size_t len, bool lower);
void wedr_needle_fini(struct wedr_needle *n);
/* First place in [s, end), NULL when there is none. */
const char *wedr_needle_find(const struct wedr_needle *n, const char *s, const char *end);
/* Where needle, in lower case, begins in s with letters of either case, from `from` on; len when
 * nowhere. An empty one is found at `from`. */
size_t
wedr_find_lower(const char *s, size_t len, size_t from, const char *needle, size_t needle_len);
/* True when it stands anywhere. */
bool wedr_contains(const char *s, size_t len, const char *needle, size_t needle_len);
