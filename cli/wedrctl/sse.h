/* SPDX-License-Identifier: Apache-2.0
 * cli/wedrctl/sse.h — server-sent events out of pieces of bytes. One thread. */
#pragma once

#include "core/util/buf.h"

#define WEDR_SSE_DATA_MAX ((size_t)40 << 20)

/* event: its name, "message" without one. Both borrowed. Other than 0 ends. */
typedef int wedr_sse_fn(void *arg, const char *event, const char *data, size_t len);

struct wedr_sse {
    struct wedr_buf line, data;
    char event[64];
    char id[256]; /* the newest one; "" before the first */
    wedr_sse_fn *fn;
    void *arg;
};

void wedr_sse_init(struct wedr_sse *s, wedr_sse_fn *fn, void *arg);
void wedr_sse_fini(struct wedr_sse *s);
/* A new stream begins; the id stays. */
void wedr_sse_reset(struct wedr_sse *s);
/* What fn returned, WEDR_E_LIMIT for an event that is too large, or 0. */
int wedr_sse_feed(struct wedr_sse *s, const char *p, size_t n);
