/* SPDX-License-Identifier: Apache-2.0 */
#include "auditd.h"

#include "auditd_record.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <string.h>

#define OPEN_US INT64_C(2000000) /* auditd's own end_of_event_timeout */

struct place {
    uint64_t index, line, offset;
    uint32_t at, len; /* of its text in the event's */
};

struct event {
    int64_t time_us;
    uint64_t serial;
    struct wedr_buf text; /* records, one behind the other */
    struct place places[WEDR_AUDITD_RECORDS_MAX];
    size_t count;
    bool closed;
};

struct wedr_auditd {
    wedr_docs_fn *fn;
    void *ctx;
    struct wedr_buf line; /* beginning of one whose end did not come yet */
    bool too_long;        /* that line */
    uint64_t index, line_number;
    uint64_t offset, line_offset; /* bytes in front of the piece at hand, of the line */
    struct event *ring[WEDR_AUDITD_OPEN_MAX];
    size_t first, open;
    struct wedr_audit_head heads[WEDR_AUDITD_RECORDS_MAX];
    struct wedr_buf json;
};

struct wedr_auditd *wedr_auditd_new(wedr_docs_fn *fn, void *ctx)
{
    struct wedr_auditd *a = wedr_alloc(1, sizeof(*a));
    if (a) {
        a->fn = fn;
        a->ctx = ctx;
        wedr_buf_init(&a->line, WEDR_AUDITD_LINE_MAX);
        wedr_buf_init(&a->json, WEDR_DOCS_BYTES_MAX);
    }
    return a;
}

void wedr_auditd_free(struct wedr_auditd *a)
{
    if (!a) {
        return;
    }
    for (size_t i = 0; i < WEDR_AUDITD_OPEN_MAX; i++) {
        if (a->ring[i]) {
            wedr_buf_fini(&a->ring[i]->text);
            wedr_free(a->ring[i]);
        }
    }
    wedr_buf_fini(&a->line);
    wedr_buf_fini(&a->json);
    wedr_free(a);
}

static struct event *event_at(struct wedr_auditd *a, size_t i)
{
    return a->ring[(a->first + i) % WEDR_AUDITD_OPEN_MAX];
}

static int tell_bad(struct wedr_auditd *a, const struct place *p, const char *why)
{
    struct wedr_doc doc = {.index = p->index, .line = p->line, .offset = p->offset, .bad = why};
    return a->fn(a->ctx, &doc);
}

static int tell_record(struct wedr_auditd *a, const struct wedr_audit_event *e, size_t i)
{
    const struct event *from = event_at(a, 0);
    const struct place *p = &from->places[i];
    struct wedr_doc doc = {.index = p->index,
                           .line = p->line,
                           .offset = p->offset,
                           .timed = true,
                           .time_us = from->time_us};
    wedr_buf_truncate(&a->json, 0);
    wedr_audit_json(e, i, &a->json);
    if (a->json.overflow) {
        return tell_bad(a, p, "larger than 1 MiB");
    }
    doc.json = (const char *)a->json.p;
    doc.len = a->json.len;
    return doc.len > 0 ? a->fn(a->ctx, &doc) : WEDR_OK;
}

/* Tells the oldest event and lets it go. */
static int tell_first(struct wedr_auditd *a)
{
    struct event *e = event_at(a, 0);
    struct wedr_audit_event all = {a->heads, e->count};
    int r = WEDR_OK;
    for (size_t i = 0; i < e->count; i++) {
        const struct place *p = &e->places[i];
        /* It was one when it came. */
        (void)wedr_audit_head(wedr_text((const char *)e->text.p + p->at, p->len), &a->heads[i]);
    }
    for (size_t i = 0; r == WEDR_OK && i < e->count; i++) {
        r = tell_record(a, &all, i);
    }
    wedr_buf_truncate(&e->text, 0);
    e->count = 0;
    a->first = (a->first + 1) % WEDR_AUDITD_OPEN_MAX;
    a->open--;
    return r;
}

/* The event that the record belongs to, a new one if need be. */
static int
open_event(struct wedr_auditd *a, const struct wedr_audit_head *h, size_t len, struct event **ret_e)
{
    for (size_t i = a->open; i-- > 0;) {
        struct event *e = event_at(a, i);
        if (!e->closed && e->serial == h->serial && e->time_us == h->time_us) {
            if (e->count < WEDR_AUDITD_RECORDS_MAX && e->text.len + len <= e->text.max) {
                *ret_e = e;
                return WEDR_OK;
            }
            e->closed = true;
        }
    }
    int r = a->open == WEDR_AUDITD_OPEN_MAX ? tell_first(a) : WEDR_OK;
    struct event **slot = &a->ring[(a->first + a->open) % WEDR_AUDITD_OPEN_MAX];
    if (r == WEDR_OK && !*slot) {
        *slot = wedr_alloc(1, sizeof(**slot));
        if (!*slot) {
            return WEDR_E_NOMEM;
        }
        wedr_buf_init(&(*slot)->text, WEDR_AUDITD_EVENT_MAX);
    }
    if (r == WEDR_OK) {
        (*slot)->serial = h->serial;
        (*slot)->time_us = h->time_us;
        (*slot)->closed = false;
        a->open++;
        *ret_e = *slot;
    }
    return r;
}

static int on_record(struct wedr_auditd *a, struct place *p, struct wedr_text line)
{
    struct wedr_audit_head h;
    struct event *e = NULL;
    if (!wedr_audit_head(line, &h)) {
        return tell_bad(a, p, "no audit record");
    }
    int r = open_event(a, &h, line.len, &e);
    if (r != WEDR_OK) {
        return r;
    }
    p->at = (uint32_t)e->text.len;
    p->len = line.len;
    wedr_buf_add(&e->text, line.p, line.len);
    if (e->text.overflow) {
        return WEDR_E_NOMEM;
    }
    e->places[e->count++] = *p;
    e->closed = h.type.len == 3 && memcmp(h.type.p, "EOE", 3) == 0;
    while (r == WEDR_OK && a->open > 0 &&
           (event_at(a, 0)->closed || event_at(a, 0)->time_us + OPEN_US < h.time_us)) {
        r = tell_first(a);
    }
    return r;
}

static int on_line(struct wedr_auditd *a, const char *p, size_t n)
{
    struct place place = {.line = a->line_number, .offset = a->line_offset};
    while (n > 0 && (p[n - 1] == '\r' || p[n - 1] == ' ')) {
        n--;
    }
    if (n == 0 && !a->too_long) {
        return WEDR_OK;
    }
    place.index = a->index++;
    return a->too_long ? tell_bad(a, &place, "a line longer than 64 KiB")
                       : on_record(a, &place, wedr_text(p, n));
}

/* Holds what came of a line that goes on in the next piece. */
static int hold(struct wedr_auditd *a, const char *p, size_t n)
{
    if (a->too_long || a->line.len + n > WEDR_AUDITD_LINE_MAX) {
        a->too_long = true;
        wedr_buf_truncate(&a->line, 0);
        return WEDR_OK;
    }
    wedr_buf_add(&a->line, p, n);
    return a->line.overflow ? WEDR_E_NOMEM : WEDR_OK;
}

/* The line ends; its last n bytes are at p. */
static int end_line(struct wedr_auditd *a, const char *p, size_t n)
{
    int r = WEDR_OK;
    a->line_number++;
    if (a->line.len > 0 || a->too_long || n > WEDR_AUDITD_LINE_MAX) {
        r = hold(a, p, n);
        p = (const char *)a->line.p;
        n = a->line.len;
    }
    r = r == WEDR_OK ? on_line(a, p, n) : r;
    wedr_buf_truncate(&a->line, 0);
    a->too_long = false;
    return r;
}

int wedr_auditd_feed(struct wedr_auditd *a, const char *p, size_t n)
{
    const char *at = p;
    const char *end = p + n;
    while (at < end) {
        const char *nl = memchr(at, '\n', (size_t)(end - at));
        if (!nl) {
            break;
        }
        int r = end_line(a, at, (size_t)(nl - at));
        at = nl + 1;
        a->line_offset = a->offset + (uint64_t)(at - p);
        if (r != WEDR_OK) {
            return r;
        }
    }
    a->offset += n;
    return at < end ? hold(a, at, (size_t)(end - at)) : WEDR_OK;
}

int wedr_auditd_end(struct wedr_auditd *a)
{
    int r = a->line.len > 0 || a->too_long ? end_line(a, "", 0) : WEDR_OK;
    while (r == WEDR_OK && a->open > 0) {
        r = tell_first(a);
    }
    return r;
}

bool wedr_auditd_knows(const char *p, size_t n)
{
    struct wedr_audit_head h;
    while (n > 0 && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) {
        p++;
        n--;
    }
    if (n == 0 || *p == '{' || *p == '[') {
        return false;
    }
    while (n > 0) {
        const char *nl = memchr(p, '\n', n);
        size_t len = nl ? (size_t)(nl - p) : n;
        if (wedr_audit_head(wedr_text(p, len), &h)) {
            return true;
        }
        n -= len + (nl != NULL);
        p += len + (nl != NULL);
    }
    return false;
}
