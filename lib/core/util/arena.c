/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/arena.c — one block, or with WEDR_ARENA_EMU one heap block per allocation at the
 * same positions, so that marks and the cap behave alike in both. */
#include "core/util/arena.h"
#include "core/util/alloc.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ALIGN 16u

#ifdef WEDR_ARENA_EMU
struct block {
    struct block *older;
    void *mem;
    size_t position; /* of its first byte */
};
#endif

struct wedr_arena {
    size_t cap, used;
    bool overflow;
#ifdef WEDR_ARENA_EMU
    struct block *newest;
#else
    uint8_t *mem;
#endif
};

#ifdef WEDR_ARENA_EMU

static bool backing_open(struct wedr_arena *a)
{
    a->newest = NULL;
    return true;
}

static void backing_reset(struct wedr_arena *a, size_t mark)
{
    while (a->newest && a->newest->position >= mark) {
        struct block *b = a->newest;
        a->newest = b->older;
        wedr_free(b->mem);
        wedr_free(b);
    }
}

static void backing_close(struct wedr_arena *a)
{
    backing_reset(a, 0);
}

static void *backing_take(struct wedr_arena *a, size_t size)
{
    struct block *b = wedr_alloc(1, sizeof(*b));
    void *mem = wedr_alloc(1, size);
    if (!b || !mem) {
        wedr_free(b);
        wedr_free(mem);
        return NULL;
    }
    b->mem = mem;
    b->position = a->used;
    b->older = a->newest;
    a->newest = b;
    return mem;
}

#else

static bool backing_open(struct wedr_arena *a)
{
    a->mem = wedr_alloc(1, a->cap);
    return a->mem != NULL;
}

static void backing_reset(struct wedr_arena *a, size_t mark)
{
    (void)a;
    (void)mark;
}

static void backing_close(struct wedr_arena *a)
{
    wedr_free(a->mem);
}

static void *backing_take(struct wedr_arena *a, size_t size)
{
    void *p = a->mem + a->used;
    memset(p, 0, size);
    return p;
}

#endif

struct wedr_arena *wedr_arena_new(size_t cap)
{
    struct wedr_arena *a = wedr_alloc(1, sizeof(*a));
    if (!a) {
        return NULL;
    }
    a->cap = cap;
    if (!backing_open(a)) {
        wedr_free(a);
        return NULL;
    }
    return a;
}

void wedr_arena_free(struct wedr_arena *a)
{
    if (a) {
        backing_close(a);
        wedr_free(a);
    }
}

void *wedr_arena_alloc(struct wedr_arena *a, size_t size)
{
    size_t n = size ? size : 1;
    size_t room = a->cap - a->used;
    if (n > room) {
        a->overflow = true;
        return NULL;
    }
    void *p = backing_take(a, n);
    if (!p) {
        a->overflow = true;
        return NULL;
    }
    size_t padded = (n + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
    a->used += padded > room || padded < n ? room : padded;
    return p;
}

char *wedr_arena_strndup(struct wedr_arena *a, const char *s, size_t len)
{
    if (len == SIZE_MAX) {
        a->overflow = true;
        return NULL;
    }
    char *p = wedr_arena_alloc(a, len + 1);
    if (p && len) {
        memcpy(p, s, len);
    }
    return p;
}

char *wedr_arena_printf(struct wedr_arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = NULL;
    if (n < 0) {
        a->overflow = true;
    } else {
        p = wedr_arena_alloc(a, (size_t)n + 1);
    }
    if (p && vsnprintf(p, (size_t)n + 1, fmt, again) != n) {
        a->overflow = true;
        p = NULL;
    }
    va_end(again);
    return p;
}

size_t wedr_arena_mark(const struct wedr_arena *a)
{
    return a->used;
}

void wedr_arena_reset(struct wedr_arena *a, size_t mark)
{
    if (mark <= a->used) {
        backing_reset(a, mark);
        a->used = mark;
    }
}

bool wedr_arena_overflowed(const struct wedr_arena *a)
{
    return a->overflow;
}

void wedr_arena_clear(struct wedr_arena *a)
{
    wedr_arena_reset(a, 0);
    a->overflow = false;
}
