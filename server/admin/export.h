/* SPDX-License-Identifier: Apache-2.0
 *
 * server/admin/export.h — rows of a query as a file: each export has a thread of its own, so that a
 * client that reads slowly holds up no query; so many at a time. A file that was cut short by a
 * limit or an error ends without the mark of a whole one.
 */
#pragma once

#include "admin/data.h"

#define WEDR_EXPORTS_USER_MAX 2u /* of one person: a slow reader must not have all places */
#define WEDR_EXPORTS_MAX 4u
#define WEDR_EXPORT_TIME_MS 600000u
#define WEDR_EXPORT_BUFFER ((size_t)1 << 20)
#define WEDR_EXPORT_STALL_MS 30000u /* a client that takes nothing for so long is left */

struct wedr_exports;

WEDR_MUST_USE int wedr_exports_new(struct wedr_exports **ret);
/* Ends them; the listener must have closed the streams. NULL is allowed. */
void wedr_exports_free(struct wedr_exports *e);
