/* SPDX-License-Identifier: Apache-2.0
 *
 * server/auth/limit.h — how often an address may try something in a minute. An attempt is charged
 * before it is made and given back when it was honest, so that many at once cannot slip past the
 * count. Fixed memory. Thread-safe.
 */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stdint.h>

#define WEDR_LIMIT_SLOTS 4096u

struct wedr_limit;

/* per_key and total: charges in a window of 60 s; more are refused. */
WEDR_MUST_USE struct wedr_limit *wedr_limit_new(uint32_t per_key, uint32_t total);
void wedr_limit_free(struct wedr_limit *l); /* NULL is allowed */
/* Charges one attempt. False: over a limit, nothing is charged; *ret_wait_s says when to come
 * again. */
bool wedr_limit_take(struct wedr_limit *l,
                     const uint8_t key[16],
                     uint64_t now_ms,
                     uint32_t *ret_wait_s);
/* The attempt was honest: its address gets it back (the total does not). */
void wedr_limit_refund(struct wedr_limit *l, const uint8_t key[16], uint64_t now_ms);
