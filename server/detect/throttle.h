/* SPDX-License-Identifier: Apache-2.0
 *
 * server/detect/throttle.h — at most so many alerts of a rule and entity per time, the rest
 * counted. A bounded table; when it is full the pair that was quiet for the longest time is
 * forgotten. Event time. One thread.
 */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_THROTTLE_PAIRS_MAX 16384u

struct wedr_throttle;

WEDR_MUST_USE struct wedr_throttle *wedr_throttle_new(void);
void wedr_throttle_free(struct wedr_throttle *t); /* NULL is allowed */
/* May this match become an alert: fewer than `count` did since window_us. *ret_suppressed: matches
 * held back since the last alert of the pair. */
bool wedr_throttle_take(struct wedr_throttle *t,
                        const char *rule_id,
                        const char *entity,
                        int64_t ts_us,
                        int64_t window_us,
                        uint32_t count,
                        uint64_t *ret_suppressed);
/* An alert that was stored before a restart. */
void wedr_throttle_remember(struct wedr_throttle *t,
                            const char *rule_id,
                            const char *entity,
                            int64_t ts_us);
uint64_t wedr_throttle_forgotten(const struct wedr_throttle *t);
