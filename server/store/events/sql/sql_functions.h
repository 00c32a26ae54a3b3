/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/events/sql/sql_functions.h — SQL functions in place of those of SQLite that compare
 * every place of one text with all of another one: the time limit of a statement is looked at
 * between functions only, and a thread would be away for hours. The results are the same.
 */
#pragma once

#include "core/base/attr.h"
#include <sqlite3.h>

/* instr, replace, trim, ltrim, rtrim. An SQLite result code. */
WEDR_MUST_USE int wedr_sql_add_functions(sqlite3 *db);
