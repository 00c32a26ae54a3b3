/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/arena.h — bump allocator of one batch or one request: hard cap, mark/reset, sticky
 * overflow. Not thread-safe. With WEDR_ARENA_EMU every allocation is its own malloc, so that ASan
 * sees overruns. */
#pragma once

#include "core/base/attr.h"
#include <stdbool.h>
#include <stddef.h>

struct wedr_arena;

/* An arena that never holds more than cap bytes in all. NULL when out of memory. */
WEDR_MUST_USE struct wedr_arena *wedr_arena_new(size_t cap);
/* NULL is allowed. */
void wedr_arena_free(struct wedr_arena *a);
/* Zeroed, aligned to 16. NULL after the cap was reached or memory ran out; the overflow flag then
 * sticks. */
void *wedr_arena_alloc(struct wedr_arena *a, size_t size);
char *wedr_arena_strndup(struct wedr_arena *a, const char *s, size_t len);
char *wedr_arena_printf(struct wedr_arena *a, const char *fmt, ...) WEDR_PRINTF(2, 3);
/* A position to go back to; everything allocated after it is gone after the reset. Does not clear
 * overflow. */
size_t wedr_arena_mark(const struct wedr_arena *a);
void wedr_arena_reset(struct wedr_arena *a, size_t mark);
/* True when any allocation failed since new or the last clear. */
bool wedr_arena_overflowed(const struct wedr_arena *a);
/* reset(0) and clears the overflow flag. */
void wedr_arena_clear(struct wedr_arena *a);
