/* SPDX-License-Identifier: Apache-2.0
 * server/admin/alerts.h — alerts as JSON, for the lists, the single one and the stream. */
#pragma once

#include "admin/data.h"

/* Members of an alert as it stands in lists; the object is the caller's. */
void wedr_alert_out(struct wedr_out *o, const struct wedr_triage_alert *a);
/* The whole alert with its evidence, what agents did about it and its comments: the answer, with
 * its ETag. */
void wedr_alert_answer(struct wedr_server *s, struct wedr_request *rq, int64_t id);

/* alerts_change.c */
void wedr_alerts_change(void *arg, struct wedr_request *rq);
void wedr_alerts_bulk(void *arg, struct wedr_request *rq);
void wedr_alerts_comment_add(void *arg, struct wedr_request *rq);
void wedr_alerts_comment_delete(void *arg, struct wedr_request *rq);
void wedr_comment_out(struct wedr_out *o, const struct wedr_comment_row *c);
