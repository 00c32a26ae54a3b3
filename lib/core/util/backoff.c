/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/backoff.c */
#include "core/util/backoff.h"

void wedr_backoff_init(struct wedr_backoff *b, uint32_t min_ms, uint32_t max_ms, uint64_t seed)
{
    b->min_ms = min_ms ? min_ms : 1;
    b->max_ms = max_ms > b->min_ms ? max_ms : b->min_ms;
    b->base_ms = 0;
    b->rng = seed;
}

/* splitmix64: every seed, 0 too, gives a good sequence. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

uint32_t wedr_backoff_next(struct wedr_backoff *b)
{
    if (b->base_ms == 0) {
        b->base_ms = b->min_ms;
    }
    uint64_t base = b->base_ms;
    uint64_t spread = base / 4;
    uint64_t delay = base - spread + next_random(&b->rng) % (2 * spread + 1);
    b->base_ms = base * 2 > b->max_ms ? b->max_ms : (uint32_t)(base * 2);
    return delay > b->max_ms ? b->max_ms : (uint32_t)delay;
}

void wedr_backoff_reset(struct wedr_backoff *b)
{
    b->base_ms = 0;
}
