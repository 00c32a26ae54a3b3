/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/diag.c — errors with their places, told in the order of the file. */
#include "core/base/err.h"
#include "waza/syntax.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 60u
#define WIDTH_MAX 100u /* of a source line on the screen */
#define TEXT_MAX 400u

int wedr_waza_shown(struct wedr_text t)
{
    return (int)(t.len < SHOWN_MAX ? t.len : SHOWN_MAX);
}

bool wedr_waza_is(struct wedr_text t, const char *word)
{
    size_t len = strlen(word);
    return t.len == len && memcmp(t.p, word, len) == 0;
}

static void
note(struct wedr_waza_source *s, struct wedr_waza_span at, int err, const char *fmt, va_list args)
    WEDR_PRINTF(4, 0);
static void
note(struct wedr_waza_source *s, struct wedr_waza_span at, int err, const char *fmt, va_list args)
{
    char text[TEXT_MAX];
    if (err == WEDR_OK) {
        s->warnings++;
    } else {
        s->errors++;
        s->err = err;
    }
    if (!s->diags) {
        s->diags = wedr_arena_alloc(s->arena, WEDR_WAZA_ERRORS_MAX * sizeof(*s->diags));
    }
    if (!s->diags || s->diag_count == WEDR_WAZA_ERRORS_MAX) {
        return;
    }
    (void)vsnprintf(text, sizeof(text), fmt, args);
    for (char *p = text; *p; p++) { /* one line, whatever was quoted */
        if ((unsigned char)*p < ' ') {
            *p = ' ';
        }
    }
    const char *copy = wedr_arena_strndup(s->arena, text, strlen(text));
    struct wedr_waza_diag *d = &s->diags[s->diag_count++];
    d->span = at;
    d->err = err;
    d->warning = err == WEDR_OK;
    d->text = copy ? copy : "out of memory";
}

bool wedr_waza_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

int wedr_waza_fail(
    struct wedr_waza_source *s, struct wedr_waza_span at, int err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    note(s, at, err, fmt, args);
    va_end(args);
    return err;
}

void wedr_waza_warn(struct wedr_waza_source *s, struct wedr_waza_span at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    note(s, at, WEDR_OK, fmt, args);
    va_end(args);
}

void *wedr_waza_alloc(struct wedr_waza_source *s, size_t size)
{
    void *p = s->full ? NULL : wedr_arena_alloc(s->arena, size);
    if (!p && !s->full) {
        struct wedr_waza_span none = {s->len, 0};
        s->full = true;
        (void)wedr_waza_fail(s, none, WEDR_E_LIMIT, "the rules need too much memory");
    }
    return p;
}

static int by_place(const void *a, const void *b)
{
    const struct wedr_waza_diag *x = a;
    const struct wedr_waza_diag *y = b;
    return x->span.at < y->span.at ? -1 : x->span.at > y->span.at;
}

/* Characters of a text: bytes that do not go on another one. */
static uint32_t characters(const char *p, size_t len)
{
    uint32_t n = 0;
    for (size_t i = 0; i < len; i++) {
        n += ((uint8_t)p[i] & 0xC0) != 0x80;
    }
    return n;
}

static struct wedr_waza_error error_of(const struct wedr_waza_source *s,
                                       const struct wedr_waza_diag *d,
                                       uint32_t line,
                                       uint32_t begin)
{
    uint32_t end = wedr_waza_line_end(s, begin);
    uint32_t len = d->span.len < end - d->span.at ? d->span.len : end - d->span.at;
    struct wedr_waza_error e = {.warning = d->warning,
                                .err = d->err,
                                .file = s->name,
                                .line = line,
                                .text = d->text,
                                .source = wedr_text(s->text + begin, end - begin)};
    e.column = characters(s->text + begin, d->span.at - begin) + 1;
    e.width = characters(s->text + d->span.at, len);
    e.width = e.width ? e.width : 1;
    return e;
}

void wedr_waza_tell(struct wedr_waza_source *s, wedr_waza_error_fn *fn, void *ctx)
{
    uint32_t line = 1;
    uint32_t begin = 0;
    if (s->diag_count > 0) {
        qsort(s->diags, s->diag_count, sizeof(*s->diags), by_place);
    }
    for (uint32_t i = 0, at = 0; i < s->diag_count; i++) {
        struct wedr_waza_diag *d = &s->diags[i];
        d->span.at = d->span.at < s->len ? d->span.at : s->len;
        for (; at < d->span.at; at++) {
            if (s->text[at] == '\n') {
                line++;
                begin = at + 1;
            }
        }
        if (fn) {
            struct wedr_waza_error e = error_of(s, d, line, begin);
            fn(ctx, &e);
        }
    }
    uint32_t more = s->errors + s->warnings - s->diag_count;
    if (more > 0 && fn) {
        char text[64];
        struct wedr_waza_error e = {.file = s->name, .err = s->err, .width = 1, .text = text};
        e.warning = s->errors == 0;
        (void)snprintf(text, sizeof(text), "%u more", more);
        fn(ctx, &e);
    }
    s->diag_count = 0;
}

/* [from, to) of the line that is shown: all, or what is around the place. */
static void cut(const struct wedr_waza_error *e, uint32_t *from, uint32_t *to)
{
    uint32_t total = characters(e->source.p, e->source.len);
    *from = 0;
    *to = total;
    if (total > WIDTH_MAX) {
        *from = e->column > WIDTH_MAX / 2 ? e->column - WIDTH_MAX / 2 : 0;
        *to = *from + WIDTH_MAX < total ? *from + WIDTH_MAX : total;
    }
}

static void print_source(const struct wedr_waza_error *e, struct wedr_buf *out)
{
    uint32_t from;
    uint32_t to;
    cut(e, &from, &to);
    wedr_buf_addf(out, "%6u | %s", e->line, from ? "..." : "");
    for (uint32_t i = 0, n = 0; i < e->source.len; i++) {
        uint8_t c = (uint8_t)e->source.p[i];
        n += (c & 0xC0) != 0x80;
        if (n > from && n <= to) {
            wedr_buf_add(out, c < ' ' || c == 0x7F ? " " : &e->source.p[i], 1);
        }
    }
    wedr_buf_adds(out, "\n");
    if (e->column == 0 || e->column > to + 1) {
        return;
    }
    uint32_t left = e->column - 1 - from;
    uint32_t width = e->width < WIDTH_MAX - left ? e->width : WIDTH_MAX - left;
    wedr_buf_addf(out, "       | %s%*s^", from ? "   " : "", (int)left, "");
    for (uint32_t i = 1; i < width; i++) {
        wedr_buf_adds(out, "~");
    }
    wedr_buf_adds(out, "\n");
}

void wedr_waza_error_print(const struct wedr_waza_error *e, struct wedr_buf *out)
{
    const char *kind = e->warning ? "warning" : "error";
    if (e->line == 0) {
        wedr_buf_addf(out, "%s: %s: %s\n", e->file, kind, e->text);
    } else if (e->column == 0) {
        wedr_buf_addf(out, "%s:%u: %s: %s\n", e->file, e->line, kind, e->text);
    } else {
        wedr_buf_addf(out, "%s:%u:%u: %s: %s\n", e->file, e->line, e->column, kind, e->text);
        print_source(e, out);
    }
}
