/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/backoff.h — delay between retries: doubles from min to max, jitter of a quarter
 * either way, never compounded (the next delay doubles the plain value, not the jittered one). */
#pragma once

#include <stdint.h>

struct wedr_backoff {
    uint32_t min_ms;
    uint32_t max_ms;
    uint32_t base_ms; /* plain delay of the next failure; 0 before the first */
    uint64_t rng;
};

/* min_ms >= 1 and <= max_ms; seed gives the jitter. */
void wedr_backoff_init(struct wedr_backoff *b, uint32_t min_ms, uint32_t max_ms, uint64_t seed);
/* One more failure: how long to wait now, within [3/4, 5/4] of the plain delay and never above
 * max_ms. */
uint32_t wedr_backoff_next(struct wedr_backoff *b);
void wedr_backoff_reset(struct wedr_backoff *b);
