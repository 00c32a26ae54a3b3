/* SPDX-License-Identifier: Apache-2.0
 *
 * server/detect/holdback.h — at most so many alerts of a rule and entity per time, the rest
 * counted. A bounded table; when it is full the pair that was quiet for the longest time is
 * forgotten. Event time. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_HOLDBACK_PAIRS_MAX 16384u

struct wedr_holdback;

WEDR_MUST_USE struct wedr_holdback *wedr_holdback_new(void);
void wedr_holdback_free(struct wedr_holdback *t); /* NULL is allowed */
/* May this match become an alert: fewer than `count` did since window_us. *ret_suppressed: matches
 * held back since the last alert of the pair. */
bool wedr_holdback_take(struct wedr_holdback *t,
                        const char *rule_id,
                        const char *entity,
                        int64_t ts_us,
                        int64_t window_us,
                        uint32_t count,
                        uint64_t *ret_suppressed);
/* An alert that was stored before a restart. */
void wedr_holdback_remember(struct wedr_holdback *t,
                            const char *rule_id,
                            const char *entity,
                            int64_t ts_us);
uint64_t wedr_holdback_forgotten(const struct wedr_holdback *t);
