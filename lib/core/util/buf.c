/* SPDX-License-Identifier: Apache-2.0
 * lib/core/util/buf.c */
#include "core/util/buf.h"
#include "core/util/alloc.h"
#include <stdio.h>
#include <string.h>

#define FIRST_CAP 64u

void wedr_buf_init(struct wedr_buf *b, size_t max)
{
    memset(b, 0, sizeof(*b));
    b->max = max < PTRDIFF_MAX ? max : PTRDIFF_MAX - 1;
}

void wedr_buf_fini(struct wedr_buf *b)
{
    wedr_free(b->p);
    wedr_buf_init(b, b->max);
}

uint8_t *wedr_buf_reserve(struct wedr_buf *b, size_t n)
{
    if (n > b->max - b->len) {
        b->overflow = true;
        return NULL;
    }
    size_t need = b->len + n + 1; /* the NUL */
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : FIRST_CAP;
        while (cap < need) {
            cap = cap > b->max / 2 ? b->max + 1 : cap * 2;
        }
        uint8_t *p = wedr_realloc(b->p, cap, 1);
        if (!p) {
            b->overflow = true;
            return NULL;
        }
        b->p = p;
        b->cap = cap;
    }
    b->p[b->len] = '\0';
    return b->p + b->len;
}

void wedr_buf_commit(struct wedr_buf *b, size_t n)
{
    b->len += n;
    b->p[b->len] = '\0';
}

void wedr_buf_add(struct wedr_buf *b, const void *p, size_t n)
{
    uint8_t *to = wedr_buf_reserve(b, n);
    if (!to) {
        return;
    }
    if (n) {
        memcpy(to, p, n);
    }
    wedr_buf_commit(b, n);
}

void wedr_buf_adds(struct wedr_buf *b, const char *s)
{
    wedr_buf_add(b, s, strlen(s));
}

void wedr_buf_addf(struct wedr_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    uint8_t *to = NULL;
    if (n < 0) {
        b->overflow = true;
    } else {
        to = wedr_buf_reserve(b, (size_t)n);
    }
    if (to && vsnprintf((char *)to, (size_t)n + 1, fmt, again) == n) {
        wedr_buf_commit(b, (size_t)n);
    }
    va_end(again);
}

void wedr_buf_truncate(struct wedr_buf *b, size_t n)
{
    if (n == 0) {
        b->overflow = false;
    }
    if (n <= b->len && b->p) {
        b->len = n;
        b->p[n] = '\0';
    }
}

struct wedr_span wedr_buf_span(const struct wedr_buf *b)
{
    return wedr_span(b->p, b->len);
}
