/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/sql_memory.h — how much memory SQLite may take for one query. SQLite
 * knows only a limit for the whole process, which would make a commit fail because of an analyst's
 * sort; here each thread says which query it works for.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct wedr_sql_budget {
    size_t max;
    atomic_size_t used;
    atomic_bool exceeded; /* an allocation was refused */
};

/* What this thread allocates through SQLite from now on counts for b (NULL: for nobody). Returns
 * what it was before. b outlives all that. */
struct wedr_sql_budget *wedr_sql_budget_use(struct wedr_sql_budget *b);
