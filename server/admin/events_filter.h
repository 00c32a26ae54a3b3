/* SPDX-License-Identifier: Apache-2.0
 *
 * server/admin/events_filter.h — the form of a hunt: parameters of a request become conditions over
 * the table `events`, with every value bound, never as text of the statement. Pure.
 *
 *     name=value       equal; numbers and event types may be lists: pid=7,8
 *     name.not=value   not equal, or without a value
 *     name.like=a*b    `*` stands for anything, letters of ASCII in any case
 *     name.min=1 name.max=9   numbers, inclusive
 *     from= to=        time of the event, from <= ts < to
 *     q=text           part of the stored line
 *     endpoint, type, image_path, hash: other names of agent_id, event_type, process_path, sha256
 */
#pragma once

#include "core/base/attr.h"
#include "core/util/errinfo.h"
#include "store/query.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_FILTER_VALUES_MAX 256u
#define WEDR_FILTER_TEXT_MAX 16384u

struct wedr_filter {
    char text[WEDR_FILTER_TEXT_MAX]; /* " AND pid=?1 AND ..." */
    size_t len;
    struct wedr_query_value value[WEDR_FILTER_VALUES_MAX];
    size_t count;
    char *owned[WEDR_FILTER_VALUES_MAX]; /* patterns */
    size_t owned_count;
    int64_t from_us, to_us; /* 0: not said */
    /* Nothing but time, endpoint and type: answered without opening an event. */
    bool only_counted;
};

/* heap: it is large. NULL when out of memory. */
WEDR_MUST_USE struct wedr_filter *wedr_filter_new(void);
void wedr_filter_free(struct wedr_filter *f); /* NULL is allowed */
/* True for every name that wedr_filter_add takes. */
bool wedr_filter_knows(const char *name);
/* value is borrowed until the filter's end. WEDR_E_INVAL (ei says what is wrong with it),
 * WEDR_E_LIMIT, WEDR_E_NOMEM. */
WEDR_MUST_USE int wedr_filter_add(struct wedr_filter *f,
                                  const char *name,
                                  const char *value,
                                  struct wedr_errinfo *ei);
/* A condition of the caller's: a piece and the place of one value. WEDR_E_LIMIT. */
WEDR_MUST_USE int wedr_filter_number(struct wedr_filter *f, const char *piece, int64_t value);
WEDR_MUST_USE int wedr_filter_bytes(struct wedr_filter *f, const char *piece, const char *value);
WEDR_MUST_USE int wedr_filter_piece(struct wedr_filter *f, const char *piece);
/* Back to how it was: for several statements with the same conditions. */
struct wedr_filter_mark {
    size_t len, count;
};
struct wedr_filter_mark wedr_filter_mark(const struct wedr_filter *f);
void wedr_filter_reset(struct wedr_filter *f, struct wedr_filter_mark m);
