/* SPDX-License-Identifier: Apache-2.0
 * server/admin/events_sql.h — analysts' SQL over HTTP. */
#pragma once

#include "admin/data.h"

#define WEDR_SQL_TEXT_MAX 65536u
#define WEDR_SQL_BODY_MAX (256u << 10) /* the text may be escaped */
#define WEDR_SQL_ROWS_MAX 10000u
#define WEDR_SQL_ROWS_DEFAULT 1000u
#define WEDR_SQL_BYTES_MAX ((uint64_t)16 << 20) /* of names and values in one answer */

void wedr_events_sql(void *arg, struct wedr_request *rq);
/* "sql" of a body; NULL: it was answered. */
const char *wedr_sql_text(struct wedr_request *rq, const json_t *body);
/* The problem of a query that failed, with line and column of a mistake. */
void wedr_sql_failed(struct wedr_request *rq,
                     const char *sql,
                     const struct wedr_rows *q,
                     int err,
                     const struct wedr_errinfo *ei);
