/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/alloc.c */
#include "core/util/alloc.h"
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_size_t calls;
static atomic_size_t fail_at; /* number of the call that fails; 0 = none */

static bool planned_failure(void)
{
    size_t n = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) + 1;
    return n == atomic_load_explicit(&fail_at, memory_order_relaxed);
}

static bool multiply(size_t count, size_t size, size_t *ret)
{
    if (size != 0 && count > PTRDIFF_MAX / size) {
        return false;
    }
    *ret = count == 0 || size == 0 ? 1 : count * size;
    return true;
}

void *wedr_alloc(size_t count, size_t size)
{
    size_t n;
    if (planned_failure() || !multiply(count, size, &n)) {
        return NULL;
    }
    return calloc(1, n);
}

void *wedr_realloc(void *p, size_t count, size_t size)
{
    size_t n;
    if (planned_failure() || !multiply(count, size, &n)) {
        return NULL;
    }
    return realloc(p, n);
}

char *wedr_strndup(const char *s, size_t len)
{
    size_t n;
    if (planned_failure() || len == SIZE_MAX || !multiply(len + 1, 1, &n)) {
        return NULL;
    }
    char *copy = malloc(n);
    if (copy) {
        if (len) {
            memcpy(copy, s, len);
        }
        copy[len] = '\0';
    }
    return copy;
}

void wedr_free(void *p)
{
    free(p);
}

void wedr_wipe(void *p, size_t len)
{
    if (p) {
        sodium_memzero(p, len);
    }
}

void wedr_free_secret(void *p, size_t len)
{
    if (p) {
        sodium_memzero(p, len);
        free(p);
    }
}

size_t wedr_alloc_fail_nth(size_t n)
{
    size_t before = atomic_exchange(&calls, 0);
    atomic_store(&fail_at, n);
    return before;
}
