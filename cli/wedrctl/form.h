/* SPDX-License-Identifier: Apache-2.0
 * cli/wedrctl/form.h — options as query parameters, and events as rows. One thread. */
#pragma once

#include "table.h"

/* The parameters of GET /events that --since, --endpoint, --where and so on stand for, as an object
 * of texts; the caller's. An exit code. */
int wedr_ctl_form(struct wedr_ctl *c, json_t **ret_form);
/* Appends them to a path. */
void wedr_ctl_form_add(struct wedr_buf *path, const json_t *form);
/* name=value when the option was given. */
void wedr_ctl_param_option(struct wedr_buf *path,
                           const struct wedr_ctl_args *a,
                           const char *name,
                           enum wedr_ctl_option o);
/* from= and to= of --since and --until. */
void wedr_ctl_param_period(struct wedr_buf *path, const struct wedr_ctl_args *a);

/* Columns of events: time, host, type, process and what happened, or those of --field. ret has
 * room for WEDR_CTL_COLUMNS_MAX. Returns how many. */
size_t wedr_ctl_event_columns(const struct wedr_ctl_args *a,
                              struct wedr_ctl_column *ret_columns,
                              wedr_ctl_shape_fn **ret_shape);
/* The object {ts, host, type, pid, detail} that the usual columns look at. */
json_t *wedr_ctl_event_row(const json_t *event);

/* GET of a stream of server-sent events, until it is stopped: every `data` is a row of the table,
 * or a line for --json. An exit code. */
int wedr_ctl_follow(struct wedr_ctl *c,
                    const char *path,
                    const struct wedr_ctl_column *columns,
                    size_t count,
                    wedr_ctl_shape_fn *shape);

/* What If-Match says: the version of --if-version, else "*". */
const char *wedr_ctl_if_match(const struct wedr_ctl_args *a, char ret_tag[32]);
