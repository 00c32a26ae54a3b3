/* SPDX-License-Identifier: Apache-2.0 */
#include "docs.h"

#include "core/base/err.h"
#include <string.h>

#define DEPTH_KNOWN 64u /* brackets whose kind is remembered; far beyond what an event may have */

enum state {
    BETWEEN, /* documents */
    INSIDE,  /* a document */
    STRING,
    ESCAPE,  /* behind a backslash in a string */
    SCALAR,  /* an element of an array that is no object; its end is told by , ] or a line's end */
    GARBAGE, /* until the line ends */
    LOST     /* behind a broken document: until a line begins with a bracket */
};

void wedr_docs_init(struct wedr_docs *d, wedr_docs_fn *fn, void *ctx)
{
    *d = (struct wedr_docs){.fn = fn, .ctx = ctx, .line = 1};
    wedr_buf_init(&d->held, WEDR_DOCS_BYTES_MAX);
}

void wedr_docs_fini(struct wedr_docs *d)
{
    wedr_buf_fini(&d->held);
}

static int tell_bad(struct wedr_docs *d, const char *why, enum state next)
{
    struct wedr_doc doc = {
        .index = d->index++, .line = d->start_line, .offset = d->start_offset, .bad = why};
    if (next == LOST && d->in_array) {
        d->in_array = false;
        d->array_lost = true;
    }
    d->state = (uint8_t)next;
    d->depth = 0;
    d->too_big = false;
    wedr_buf_truncate(&d->held, 0);
    return d->fn(d->ctx, &doc);
}

/* The document ends in front of `end`; what of it is in this piece begins at `from`. */
static int tell(struct wedr_docs *d, const char *from, const char *end)
{
    size_t n = (size_t)(end - from);
    struct wedr_doc doc = {
        .json = from, .len = n, .line = d->start_line, .offset = d->start_offset};
    if (d->too_big || d->held.len + n > WEDR_DOCS_BYTES_MAX) {
        return tell_bad(d, "larger than 1 MiB", BETWEEN);
    }
    if (d->held.len > 0) {
        wedr_buf_add(&d->held, from, n);
        if (d->held.overflow) {
            return WEDR_E_NOMEM;
        }
        doc.json = (const char *)d->held.p;
        doc.len = d->held.len;
    }
    doc.index = d->index++;
    d->state = BETWEEN;
    int r = d->fn(d->ctx, &doc);
    wedr_buf_truncate(&d->held, 0);
    return r;
}

static int hold(struct wedr_docs *d, const char *from, const char *end)
{
    size_t n = (size_t)(end - from);
    if (d->too_big || d->held.len + n > WEDR_DOCS_BYTES_MAX) {
        d->too_big = true;
        wedr_buf_truncate(&d->held, 0);
        return WEDR_OK;
    }
    wedr_buf_add(&d->held, from, n);
    return d->held.overflow ? WEDR_E_NOMEM : WEDR_OK;
}

static bool inner_is_array(const struct wedr_docs *d)
{
    return d->depth <= DEPTH_KNOWN && (d->arrays & 1) != 0;
}

/* Whether a value may begin here. Where it may not, a document was cut off. */
static bool value_may_begin(const struct wedr_docs *d)
{
    if (d->depth > DEPTH_KNOWN) {
        return true;
    }
    return d->last == ':' || (inner_is_array(d) && (d->last == ',' || d->last == '['));
}

static void start(struct wedr_docs *d, const char *at)
{
    d->start_line = d->line;
    d->start_offset = d->offset + (uint64_t)(at - d->piece);
}

static void begin(struct wedr_docs *d, const char *at)
{
    d->state = INSIDE;
    start(d, at);
    d->depth = 1;
    d->arrays = 0;
    d->last = '{';
}

/* Returns whether the document is at its end. */
static bool bracket(struct wedr_docs *d, char c)
{
    if (c == '{' || c == '[') {
        d->depth++;
        d->arrays = d->depth <= DEPTH_KNOWN ? d->arrays << 1 | (c == '[') : d->arrays;
        return false;
    }
    d->arrays = d->depth <= DEPTH_KNOWN ? d->arrays >> 1 : d->arrays;
    return --d->depth == 0;
}

static int between(struct wedr_docs *d, char c, const char *at)
{
    start(d, at);
    if (c == '{') {
        begin(d, at);
    } else if (c == '[' && !d->in_array) {
        d->in_array = true;
    } else if (c == ']' && d->in_array) {
        d->in_array = false;
    } else if ((c == ',' && d->in_array) || ((c == ',' || c == ']') && d->array_lost)) {
        return WEDR_OK;
    } else {
        return tell_bad(d, "no JSON object", d->in_array && c != '[' ? SCALAR : GARBAGE);
    }
    return WEDR_OK;
}

static int
inside(struct wedr_docs *d, char c, bool first_in_line, const char *at, const char **from)
{
    bool open = c == '{' || c == '[';
    if (c == '"') {
        d->state = STRING;
    } else if (open && !value_may_begin(d)) {
        int r = tell_bad(d, "cut off", LOST);
        if (r == WEDR_OK && first_in_line && c == '{') {
            begin(d, at);
            *from = at;
        }
        return r;
    } else if (open || c == '}' || c == ']') {
        if (bracket(d, c)) {
            return tell(d, *from, at + 1);
        }
    }
    d->last = c;
    return WEDR_OK;
}

static int newline(struct wedr_docs *d)
{
    int r = WEDR_OK;
    if (d->state == STRING || d->state == ESCAPE) {
        r = tell_bad(d, "a line ends inside a string", LOST);
    } else if (d->state == GARBAGE || d->state == SCALAR) {
        d->state = BETWEEN;
    }
    d->line++;
    d->line_begun = false;
    return r;
}

/* One byte at `at`, which is no newline and, outside strings, no blank. */
static int step(struct wedr_docs *d, const char *at, const char **from)
{
    char c = *at;
    bool first = !d->line_begun;
    d->line_begun = true;
    switch ((enum state)d->state) {
    case LOST:
    case BETWEEN:
        if (d->state == LOST && (!first || (c != '{' && c != '['))) {
            return WEDR_OK;
        }
        *from = at;
        d->state = BETWEEN;
        return between(d, c, at);
    case INSIDE:
        return inside(d, c, first, at, from);
    case STRING:
        d->state = c == '"' ? INSIDE : c == '\\' ? ESCAPE : STRING;
        return WEDR_OK;
    case ESCAPE:
        d->state = STRING;
        return WEDR_OK;
    case SCALAR:
        if (c == ']') {
            d->in_array = false;
        }
        d->state = c == ',' || c == ']' ? BETWEEN : SCALAR;
        return WEDR_OK;
    case GARBAGE:
        break;
    }
    return WEDR_OK;
}

static bool document_open(const struct wedr_docs *d)
{
    return d->state == INSIDE || d->state == STRING || d->state == ESCAPE;
}

/* The mark that some editors put in front of UTF-8. */
static bool is_mark(struct wedr_docs *d, char c)
{
    static const unsigned char mark[] = {0xEF, 0xBB, 0xBF};
    if (d->bom < sizeof(mark) && (unsigned char)c == mark[d->bom]) {
        d->bom++;
        return true;
    }
    d->bom = sizeof(mark);
    return false;
}

#define EACH(c) (UINT64_C(0x0101010101010101) * (uint8_t)(c))

/* Whether one of eight bytes is c. */
static uint64_t has(uint64_t eight, char c)
{
    uint64_t x = eight ^ EACH(c);
    return (x - EACH(1)) & ~x & EACH(0x80);
}

/* To the quote that ends it, past escapes that are whole in this piece. */
static const char *skip_string(const char *at, const char *end)
{
    uint64_t eight;
    while (at < end) {
        while (end - at >= 8) {
            memcpy(&eight, at, sizeof(eight));
            if ((has(eight, '"') | has(eight, '\\') | has(eight, '\n')) != 0) {
                break;
            }
            at += 8;
        }
        while (at < end && *at != '"' && *at != '\\' && *at != '\n') {
            at++;
        }
        if (end - at < 2 || *at != '\\' || at[1] == '\n') {
            break;
        }
        at += 2;
    }
    return at;
}

static const char *skip_inside(struct wedr_docs *d, const char *at, const char *end)
{
    const char *from = at;
    while (at < end && *at != '"' && *at != '{' && *at != '}' && *at != '[' && *at != ']' &&
           *at != '\n') {
        at++;
    }
    for (const char *p = at; p > from; p--) {
        if (p[-1] != ' ' && p[-1] != '\t' && p[-1] != '\r') {
            d->last = p[-1];
            d->line_begun = true;
            break;
        }
    }
    return at;
}

/* Past bytes that change nothing in a document but `last`: texts and scalars are most of it. */
static const char *skip(struct wedr_docs *d, const char *at, const char *end)
{
    return d->state == STRING   ? skip_string(at, end)
           : d->state == INSIDE ? skip_inside(d, at, end)
                                : at;
}

int wedr_docs_feed(struct wedr_docs *d, const char *p, size_t n)
{
    const char *end = p + n;
    const char *from = p; /* of the open document in this piece */
    d->piece = p;
    for (const char *at = skip(d, p, end); at < end; at = skip(d, at + 1, end)) {
        char c = *at;
        int r = WEDR_OK;
        if (d->bom < 3 && is_mark(d, c)) {
            continue;
        }
        if (c == '\n') {
            r = newline(d);
        } else if (d->state == STRING || d->state == ESCAPE ||
                   (c != ' ' && c != '\t' && c != '\r')) {
            r = step(d, at, &from);
        }
        if (r != WEDR_OK) {
            return r;
        }
    }
    d->offset += n;
    d->piece = end;
    return document_open(d) ? hold(d, from, end) : WEDR_OK;
}

int wedr_docs_end(struct wedr_docs *d)
{
    if (document_open(d)) {
        return tell_bad(d, "the file ends inside it", BETWEEN);
    }
    if (d->in_array) {
        d->in_array = false;
        d->start_line = d->line;
        d->start_offset = d->offset;
        return tell_bad(d, "the file ends inside an array", BETWEEN);
    }
    return WEDR_OK;
}
