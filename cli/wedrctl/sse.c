/* SPDX-License-Identifier: Apache-2.0 */
#include "sse.h"

#include "core/base/err.h"
#include <stdio.h>
#include <string.h>

void wedr_sse_init(struct wedr_sse *s, wedr_sse_fn *fn, void *arg)
{
    memset(s, 0, sizeof(*s));
    wedr_buf_init(&s->line, WEDR_SSE_DATA_MAX);
    wedr_buf_init(&s->data, WEDR_SSE_DATA_MAX);
    s->fn = fn;
    s->arg = arg;
}

void wedr_sse_fini(struct wedr_sse *s)
{
    wedr_buf_fini(&s->line);
    wedr_buf_fini(&s->data);
}

void wedr_sse_reset(struct wedr_sse *s)
{
    wedr_buf_truncate(&s->line, 0);
    wedr_buf_truncate(&s->data, 0);
    s->event[0] = '\0';
}

/* The value behind "NAME:" and one blank; NULL when the line has another name. */
static const char *value_of(const char *line, size_t len, const char *name, size_t *ret_len)
{
    size_t n = strlen(name);
    if (len <= n || memcmp(line, name, n) != 0 || line[n] != ':') {
        return NULL;
    }
    n++;
    n += n < len && line[n] == ' ' ? 1 : 0;
    *ret_len = len - n;
    return line + n;
}

/* An empty line ends an event; lines that begin with a colon, and names that we do not know, are
 * passed over. */
static int take_line(struct wedr_sse *s, const char *line, size_t len)
{
    size_t n = 0;
    const char *v = NULL;
    if (len == 0) {
        int r = 0;
        if (s->data.len > 0) { /* the last line feed is none of the data */
            r = s->fn(s->arg, s->event[0] ? s->event : "message", (const char *)s->data.p,
                      s->data.len - 1);
        }
        wedr_buf_truncate(&s->data, 0);
        s->event[0] = '\0';
        return r;
    }
    v = value_of(line, len, "data", &n);
    if (v) {
        wedr_buf_add(&s->data, v, n);
        wedr_buf_add(&s->data, "\n", 1);
        return s->data.overflow ? WEDR_E_LIMIT : 0;
    }
    v = value_of(line, len, "event", &n);
    if (v) {
        (void)snprintf(s->event, sizeof(s->event), "%.*s", (int)(n < 63 ? n : 63), v);
    }
    v = value_of(line, len, "id", &n);
    if (v && n < sizeof(s->id)) {
        (void)snprintf(s->id, sizeof(s->id), "%.*s", (int)n, v);
    }
    return 0;
}

int wedr_sse_feed(struct wedr_sse *s, const char *p, size_t n)
{
    while (n > 0) {
        const char *end = memchr(p, '\n', n);
        size_t part = end ? (size_t)(end - p) : n;
        wedr_buf_add(&s->line, p, part);
        if (s->line.overflow) {
            return WEDR_E_LIMIT;
        }
        if (end) {
            size_t len = s->line.len;
            len -= len > 0 && s->line.p[len - 1] == '\r' ? 1 : 0;
            int r = take_line(s, s->line.p ? (const char *)s->line.p : "", len);
            wedr_buf_truncate(&s->line, 0);
            if (r != 0) {
                return r;
            }
        }
        p += part + (end ? 1 : 0);
        n -= part + (end ? 1 : 0);
    }
    return 0;
}
