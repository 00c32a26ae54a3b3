/* SPDX-License-Identifier: Apache-2.0
 *
 * server/admin/events_page.h — one page of events in a fixed order: by time, those of one
 * microsecond by their names. A page goes on behind an event whatever was added meanwhile: nothing
 * that was there when the first page was asked for is left out or comes twice.
 */
#pragma once

#include "admin/data.h"
#include "admin/events_filter.h"
#include "admin/events_id.h"

struct wedr_page_ask {
    struct wedr_filter *filter; /* its conditions; used and put back */
    const struct wedr_query_scope *scope;
    uint32_t limit;
    bool oldest_first;
    bool behind; /* go on behind this event */
    int64_t behind_ts;
    struct wedr_event_id behind_id;
};

/* Answers {"items", "next"}; list is the name for the cursor. */
void wedr_page_answer(struct wedr_server *s,
                      struct wedr_request *rq,
                      const struct wedr_page_ask *ask,
                      const char *list);
/* The place of a cursor of that list; true without one. False: it was answered. */
bool wedr_page_place(struct wedr_request *rq, const char *list, struct wedr_page_ask *ask);
/* Parameters of the request but limit and cursor as conditions. NULL: it was answered. */
struct wedr_filter *wedr_page_filter(struct wedr_request *rq);
/* One event by its name: the answer. */
void wedr_event_answer(struct wedr_server *s,
                       struct wedr_request *rq,
                       const struct wedr_event_id *id,
                       const struct wedr_query_scope *scope);
