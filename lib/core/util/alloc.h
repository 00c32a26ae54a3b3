/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/alloc.h — the only way hosted code allocates. Thread-safe. */
#pragma once

#include "core/base/attr.h"
#include <stddef.h>

/* Zeroed memory, or NULL (out of memory, count * size overflow, or the test's planned failure).
 * Free with wedr_free. */
WEDR_MUST_USE void *wedr_alloc(size_t count, size_t size);
/* Like realloc of an array: on failure NULL and the old block stays valid. Grown bytes are not
 * zeroed. */
WEDR_MUST_USE void *wedr_realloc(void *p, size_t count, size_t size);
/* Copies len bytes and adds a NUL. NULL on failure. */
WEDR_MUST_USE char *wedr_strndup(const char *s, size_t len);
/* NULL is allowed. */
void wedr_free(void *p);
/* Wipes len bytes in a way the compiler keeps. */
void wedr_wipe(void *p, size_t len);
/* wedr_wipe, then wedr_free. For keys and tokens. */
void wedr_free_secret(void *p, size_t len);

/* Tests only: let the n-th allocation from now (1 = the next) fail once; 0 switches off. Returns
 * how many allocations happened since the last call. */
size_t wedr_alloc_fail_nth(size_t n);
