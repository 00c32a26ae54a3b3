/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/test_value.h — one test against one value. Pure; any thread.
 */
#pragma once

#include "store/events/sql/plan.h"
#include "store/events/sql/search.h"

/* Value of a text column. A text in an integer column passes. */
bool wedr_test_text(const struct wedr_test *t, const char *s, size_t len);
/* Integer value; in a text column it is compared as SQLite does it, by its digits. */
bool wedr_test_number(const struct wedr_test *t, int64_t v);
