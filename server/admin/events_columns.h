/* SPDX-License-Identifier: Apache-2.0
 * server/admin/events_columns.h — what the columns of the table `events` are. Constant, any thread.
 */
#pragma once

#include "admin/out.h"
#include <stdbool.h>
#include <stddef.h>

struct wedr_events_column_info {
    const char *name;
    bool number;
    const char *help; /* NULL: as schema.def says it */
};

const struct wedr_events_column_info *wedr_events_columns(size_t *ret_count);
/* By name, or by one of the other names that forms know; NULL. */
const struct wedr_events_column_info *wedr_events_column(const char *name, size_t len);
/* [{name, type, help, ecs, types}]: with the event types that have it, as schema.def knows them. */
void wedr_events_columns_write(struct wedr_out *o);
