/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/format.c — the canonical layout: two blanks for groups, four for what is in them,
 * one blank between tokens, comments where they were. Breaks inside of an expression stay. */
#include "core/base/err.h"
#include "waza/syntax.h"
#include <string.h>

#define MEMORY_MAX ((size_t)256 << 20)

struct printer {
    struct wedr_waza_file *file;
    const char *text;
    uint32_t len;
    struct wedr_buf *out;
    size_t begin; /* of out */
    bool blank;   /* an empty line was asked for */
};

static void indent(struct printer *p, uint32_t depth)
{
    static const char room[] = "                                                                ";
    uint32_t n = depth < 16 ? depth * 2 : 32;
    if (p->blank && p->out->len > p->begin) {
        wedr_buf_adds(p->out, "\n");
    }
    p->blank = false;
    wedr_buf_add(p->out, room, n);
}

static void add(struct printer *p, uint32_t at, uint32_t end)
{
    while (end > at && wedr_waza_one_of(p->text[end - 1], " \t\r")) {
        end--;
    }
    wedr_buf_add(p->out, p->text + at, end - at);
}

static uint32_t line_end(const struct printer *p, uint32_t at)
{
    return wedr_waza_line_end(&p->file->source, at);
}

/* The # of a comment in [at, end), which holds blanks, line feeds, dashes and comments alone. */
static uint32_t comment_in(const struct printer *p, uint32_t at, uint32_t end)
{
    while (at < end && p->text[at] != '#') {
        at++;
    }
    return at;
}

/* Lines between two statements: comments and empty lines. */
static void between(struct printer *p, uint32_t at, uint32_t end, uint32_t depth)
{
    bool empty = true; /* the line so far */
    while (at < end) {
        if (p->text[at] == '#') {
            uint32_t stop = line_end(p, at);
            stop = stop < end ? stop : end;
            indent(p, depth);
            add(p, at, stop);
            wedr_buf_adds(p->out, "\n");
            empty = false;
            at = stop;
        } else if (p->text[at] == '\n') {
            p->blank = p->blank || empty;
            empty = true;
            at++;
        } else {
            at++;
        }
    }
}

/* Behind what a line says: its comment, and the end. */
static void finish(struct printer *p, uint32_t at, uint32_t end)
{
    at = comment_in(p, at, end);
    if (at < end) {
        wedr_buf_adds(p->out, " ");
        wedr_buf_adds(p->out, " ");
        add(p, at, end);
    }
    wedr_buf_adds(p->out, "\n");
}

/* --- Tokens. */

static bool tight_before(uint8_t kind)
{
    return kind == WAZA_CLOSE || kind == WAZA_LIST_END || kind == WAZA_COMMA || kind == WAZA_COLON;
}

static bool tight_behind(uint8_t kind)
{
    return kind == WAZA_OPEN || kind == WAZA_LIST || kind == WAZA_NOT;
}

/* minute( and the like. */
static bool is_function(const struct printer *p, uint32_t at, uint32_t end)
{
    static const char *const words[] = {"minute", "hour", "day", "week", "month", "year"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(words); i++) {
        if (wedr_waza_is(wedr_text(p->text + at, end - at), words[i])) {
            return true;
        }
    }
    return false;
}

/* What stands between two tokens, when that is more than blanks. */
static bool gap(struct printer *p, uint32_t at, uint32_t end, uint32_t depth)
{
    const char *lf = memchr(p->text + at, '\n', end - at);
    uint32_t stop = lf ? (uint32_t)(lf - p->text) : end;
    uint32_t comment = comment_in(p, at, stop);
    if (!lf) {
        return false;
    }
    if (comment < stop) {
        wedr_buf_adds(p->out, "  ");
        add(p, comment, stop);
    }
    wedr_buf_adds(p->out, "\n");
    for (at = stop + 1; at < end;) { /* comments on lines of their own */
        comment = comment_in(p, at, end);
        if (comment < end) {
            stop = line_end(p, comment);
            indent(p, depth);
            add(p, comment, stop);
            wedr_buf_adds(p->out, "\n");
            at = stop;
        } else {
            at = end;
        }
    }
    return true;
}

static void add_token(struct printer *p, const struct wedr_waza_token *t)
{
    if (t->kind == WAZA_OR) {
        wedr_buf_adds(p->out, "||");
    } else {
        wedr_buf_add(p->out, p->text + t->span.at, t->span.len);
    }
}

/* How far a line inside of an expression goes in. */
static uint32_t inner(uint32_t depth, bool dash, uint32_t nested)
{
    return depth + (dash || nested == 0) + (nested < 12 ? nested : 12);
}

/* Tokens of [at, end), the first one where the line stands, perhaps behind a dash. */
static void tokens(struct printer *p, uint32_t at, uint32_t end, uint32_t depth, bool dash)
{
    struct wedr_waza_lexer l = {.source = &p->file->source, .at = at, .quiet = true};
    struct wedr_waza_token t;
    uint8_t before = WAZA_END;
    uint32_t from = at; /* end of the token before */
    uint32_t word = at; /* its beginning */
    uint32_t nested = 0;
    for (wedr_waza_next(&l, &t); t.kind != WAZA_END && t.span.at < end; wedr_waza_next(&l, &t)) {
        nested -= (t.kind == WAZA_CLOSE || t.kind == WAZA_LIST_END) && nested > 0;
        if (before != WAZA_END && gap(p, from, t.span.at, inner(depth, dash, nested))) {
            indent(p, t.kind == WAZA_CLOSE || t.kind == WAZA_LIST_END ? depth + dash + nested
                                                                      : inner(depth, dash, nested));
        } else if (before != WAZA_END && !tight_before(t.kind) && !tight_behind(before) &&
                   !(t.kind == WAZA_OPEN && is_function(p, word, from))) {
            wedr_buf_adds(p->out, " ");
        }
        add_token(p, &t);
        nested += t.kind == WAZA_OPEN || t.kind == WAZA_LIST;
        before = t.kind;
        word = t.span.at;
        from = t.span.at + t.span.len;
    }
    finish(p, from, end);
}

/* --- Statements. */

/* The word in front of a setting, and where its value begins. */
static uint32_t setting(struct printer *p, const struct wedr_waza_statement *s)
{
    uint32_t at = s->at;
    while (at < s->end && (wedr_waza_is_word(p->text[at]))) {
        at++;
    }
    add(p, s->at, at);
    return at;
}

static uint32_t blanks(const struct printer *p, uint32_t at, uint32_t end)
{
    while (at < end && wedr_waza_one_of(p->text[at], " \t")) {
        at++;
    }
    return at;
}

static void print_text(struct printer *p, const struct wedr_waza_statement *s)
{
    struct wedr_waza_span c = wedr_waza_content(&p->file->source, s->at);
    uint32_t end = c.at + c.len;
    uint32_t at = setting(p, s);
    at = blanks(p, at, end);
    at = blanks(p, at + (at < end && p->text[at] == ':'), end);
    wedr_buf_adds(p->out, s->kind == WAZA_S_INCLUDE ? " " : ": ");
    add(p, at, end);
    finish(p, end, s->end);
}

/* kill has three spellings, the other actions stay as they are. */
static void print_action(struct printer *p, const struct wedr_waza_statement *s)
{
    struct wedr_waza_span c = wedr_waza_content(&p->file->source, s->at);
    struct wedr_text t = wedr_text(p->text + c.at, c.len);
    uint32_t word = 0;
    while (word < t.len && !wedr_waza_one_of(t.p[word], " \t\"")) {
        word++;
    }
    uint32_t rest = word;
    while (rest < t.len && wedr_waza_one_of(t.p[rest], " \t")) {
        rest++;
    }
    bool kills = word > 4 && memcmp(t.p, "kill", 4) == 0;
    wedr_buf_add(p->out, t.p, kills ? 4 : word);
    if (rest < t.len) {
        wedr_buf_adds(p->out, " ");
        wedr_buf_add(p->out, t.p + rest, t.len - rest);
    }
    finish(p, c.at + c.len, s->end);
}

static void print_header(struct printer *p, const struct wedr_waza_statement *s)
{
    struct wedr_waza_span c = wedr_waza_content(&p->file->source, s->at);
    uint32_t end = c.at + c.len - 1; /* the colon */
    bool section = s->kind == WAZA_S_SECTION;
    wedr_buf_adds(p->out, "- ");
    if (section) {
        wedr_buf_adds(p->out, c.len == 7 ? "Action" : "Detection");
    } else {
        add(p, c.at, end);
    }
    wedr_buf_adds(p->out, ":");
    finish(p, c.at + c.len, s->end);
}

static void print(struct printer *p, const struct wedr_waza_statement *s)
{
    indent(p, s->depth);
    switch (s->kind) {
    case WAZA_S_SECTION:
    case WAZA_S_GROUP:
        print_header(p, s);
        break;
    case WAZA_S_INCLUDE:
        wedr_buf_adds(p->out, "- ");
        print_text(p, s);
        break;
    case WAZA_S_TEXT:
        print_text(p, s);
        break;
    case WAZA_S_TOKENS:
        tokens(p, s->at, s->end, s->depth, false);
        break;
    case WAZA_S_CONDITION:
        wedr_buf_adds(p->out, "- ");
        tokens(p, s->at, s->end, s->depth, true);
        break;
    default:
        wedr_buf_adds(p->out, "- ");
        print_action(p, s);
    }
}

static void print_file(struct printer *p)
{
    uint32_t at = p->len >= 3 && memcmp(p->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    for (const struct wedr_waza_statement *s = p->file->statements; s; s = s->next) {
        between(p, at, s->at, s->depth);
        print(p, s);
        at = s->end < p->len ? s->end + 1 : p->len;
    }
    between(p, at, p->len, 0);
}

int wedr_waza_format(const char *file,
                     const char *text,
                     size_t len,
                     struct wedr_buf *out,
                     wedr_waza_error_fn *error,
                     void *ctx)
{
    struct wedr_arena *arena = wedr_arena_new(MEMORY_MAX);
    size_t begin = out->len;
    if (!arena || len > WEDR_WAZA_FILE_MAX) {
        wedr_arena_free(arena);
        return arena ? WEDR_E_LIMIT : WEDR_E_NOMEM;
    }
    struct wedr_waza_file f = {.keep_statements = true};
    f.source.arena = arena;
    f.source.name = file;
    f.source.text = text;
    f.source.len = (uint32_t)len;
    wedr_waza_parse(&f);
    int e = f.source.err;
    wedr_waza_tell(&f.source, error, ctx);
    if (e == WEDR_OK) {
        struct printer p = {&f, text, (uint32_t)len, out, begin, false};
        print_file(&p);
        e = out->overflow || f.source.full ? WEDR_E_LIMIT : WEDR_OK;
    }
    if (e < 0) {
        wedr_buf_truncate(out, begin);
    }
    wedr_arena_free(arena);
    return e;
}
