/* SPDX-License-Identifier: Apache-2.0
 *
 * server/store/state/sqlite/schema.h — the versions of state.db. A published migration never
 * changes; a new version is a new entry. Databases of every older version open.
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"

struct sqlite3;

/* Brings the database to the newest version in one transaction; safe when several processes do it
 * at once. WEDR_E_VERSION when the file was written by a newer program. */
WEDR_MUST_USE int wedr_state_migrate(struct sqlite3 *db, struct wedr_errinfo *ei);
/* The same to an older version, for tests that open what an older program left behind. */
WEDR_MUST_USE int wedr_state_migrate_to(struct sqlite3 *db, int version, struct wedr_errinfo *ei);
