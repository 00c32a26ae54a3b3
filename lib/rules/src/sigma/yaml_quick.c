/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/yaml_quick.c — the quick reader: block maps and lists with scalars of one line
 * and literal blocks. Whatever else it meets, errors too, it leaves to libyaml. */
#include "core/base/err.h"
#include "yaml.h"
#include <string.h>

#define KEY_MAX 512u
#define END_COLUMN (-1) /* at the end, or at a line that begins a document */

struct quick {
    struct wedr_arena *arena;
    const struct wedr_yaml_limits *limits;
    const char *p, *end; /* at the first character of a line that says something, or inside it */
    int column;          /* of p when it stands there */
    uint32_t line;
    uint32_t nodes;
    uint32_t depth;
    bool marker; /* p stands at --- */
};

static int block(struct quick *q, int column, struct wedr_yaml **ret);

static bool at_eol(const struct quick *q)
{
    return q->p == q->end || *q->p == '\n';
}

static void skip_spaces(struct quick *q)
{
    while (q->p < q->end && *q->p == ' ') {
        q->p++;
    }
}

static void to_eol(struct quick *q)
{
    const char *nl = q->p < q->end ? memchr(q->p, '\n', (size_t)(q->end - q->p)) : NULL;
    q->p = nl ? nl : q->end;
}

static bool is_marker(const struct quick *q)
{
    return q->end - q->p >= 3 && (memcmp(q->p, "---", 3) == 0 || memcmp(q->p, "...", 3) == 0) &&
           (q->end - q->p == 3 || q->p[3] == '\n' || q->p[3] == ' ' || q->p[3] == '\t');
}

/* From the start of a line to the next one that says something. */
static int find_content(struct quick *q)
{
    for (;;) {
        const char *start = q->p;
        skip_spaces(q);
        if (q->p == q->end) {
            q->column = END_COLUMN;
            return WEDR_OK;
        }
        if (*q->p == '\n') {
            q->p++;
            q->line++;
            continue;
        }
        if (*q->p == '\t') {
            return WEDR_E_UNSUP;
        }
        if (*q->p == '#') {
            to_eol(q);
            continue;
        }
        q->column = (int)(q->p - start);
        q->marker = q->column == 0 && is_marker(q);
        if (q->marker) {
            q->column = END_COLUMN;
        }
        return WEDR_OK;
    }
}

/* From behind a token: only blanks and a comment may follow on this line. */
static int finish_line(struct quick *q)
{
    const char *before = q->p;
    skip_spaces(q);
    if (!at_eol(q)) {
        if (*q->p != '#' || q->p == before) {
            return WEDR_E_UNSUP;
        }
        to_eol(q);
    }
    if (q->p < q->end) {
        q->p++;
        q->line++;
    }
    return find_content(q);
}

static struct wedr_yaml *node_new(struct quick *q, enum wedr_yaml_kind kind)
{
    if (q->nodes >= q->limits->nodes_max) {
        return NULL;
    }
    q->nodes++;
    struct wedr_yaml *n = wedr_arena_alloc(q->arena, sizeof(*n));
    if (n) {
        n->kind = (uint8_t)kind;
        n->line = q->line;
        n->depth = 1;
        n->weight = 1;
        n->text = n->key = wedr_text("", 0);
    }
    return n;
}

static int scalar(struct quick *q, struct wedr_text text, bool plain, struct wedr_yaml **ret)
{
    struct wedr_yaml *n = node_new(q, WEDR_YAML_SCALAR);
    if (!n) {
        return WEDR_E_UNSUP;
    }
    n->text = text;
    n->plain = plain;
    *ret = n;
    return WEDR_OK;
}

/* '...' on one line; q->p at the quote, afterwards behind the closing one. */
static int single_quoted(struct quick *q, struct wedr_text *ret_text)
{
    const char *start = ++q->p;
    size_t doubled = 0;
    for (;; q->p++) {
        if (at_eol(q)) {
            return WEDR_E_UNSUP;
        }
        if (*q->p == '\'') {
            if (q->end - q->p < 2 || q->p[1] != '\'') {
                break;
            }
            doubled++;
            q->p++;
        }
    }
    size_t len = (size_t)(q->p - start);
    *ret_text = wedr_text(start, len);
    if (doubled > 0) {
        char *to = wedr_arena_alloc(q->arena, len + 1);
        if (!to) {
            return WEDR_E_UNSUP;
        }
        size_t n = 0;
        for (size_t i = 0; i < len; i++) {
            to[n++] = start[i];
            i += start[i] == '\'';
        }
        *ret_text = wedr_text(to, n);
    }
    q->p++;
    return WEDR_OK;
}

static char unescaped(char c)
{
    switch (c) {
    case '\\':
    case '"':
    case '/':
        return c;
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    default:
        return '\0';
    }
}

static int double_quoted(struct quick *q, struct wedr_text *ret_text)
{
    const char *start = ++q->p;
    size_t escapes = 0;
    for (; at_eol(q) || *q->p != '"'; q->p++) {
        if (at_eol(q)) {
            return WEDR_E_UNSUP;
        }
        if (*q->p == '\\') {
            q->p++;
            escapes++;
            if (at_eol(q) || unescaped(*q->p) == '\0') {
                return WEDR_E_UNSUP;
            }
        }
    }
    size_t len = (size_t)(q->p - start);
    *ret_text = wedr_text(start, len);
    if (escapes > 0) {
        char *to = wedr_arena_alloc(q->arena, len + 1);
        if (!to) {
            return WEDR_E_UNSUP;
        }
        size_t n = 0;
        for (size_t i = 0; i < len; i++) {
            char c = start[i];
            if (c == '\\') {
                c = unescaped(start[++i]);
            }
            to[n++] = c;
        }
        *ret_text = wedr_text(to, n);
    }
    q->p++;
    return WEDR_OK;
}

static bool plain_start(const struct quick *q)
{
    char c = *q->p;
    if (c == '-' || c == '?' || c == ':') {
        return q->end - q->p > 1 && q->p[1] != ' ' && q->p[1] != '\n' && q->p[1] != '\t';
    }
    return c != '\0' && strchr(",[]{}#&*!|>'\"%@`", c) == NULL;
}

/* How far a plain scalar goes on this line: to a comment, a ": ", or the end. */
static int plain_extent(const struct quick *q, const char **ret_end, bool *ret_colon)
{
    const char *p = q->p;
    *ret_colon = false;
    for (; p < q->end && *p != '\n'; p++) {
        if (*p == '\t') {
            return WEDR_E_UNSUP;
        }
        if (*p == '#' && p > q->p && p[-1] == ' ') {
            break;
        }
        if (*p == ':' && (q->end - p == 1 || p[1] == ' ' || p[1] == '\n' || p[1] == '\t')) {
            *ret_colon = true;
            break;
        }
    }
    while (p > q->p && p[-1] == ' ') {
        p--;
    }
    *ret_end = p;
    return WEDR_OK;
}

/* A key when the line has one here: q->p then stands behind the colon. Otherwise nothing moved. */
static int key_here(struct quick *q, struct wedr_text *ret_key, bool *ret_found)
{
    const char *start = q->p;
    *ret_found = false;
    if (*q->p == '\'' || *q->p == '"') {
        int e = *q->p == '\'' ? single_quoted(q, ret_key) : double_quoted(q, ret_key);
        if (e < 0) {
            return e;
        }
        skip_spaces(q);
        *ret_found = q->p < q->end && *q->p == ':' &&
                     (q->end - q->p == 1 || q->p[1] == ' ' || q->p[1] == '\n');
    } else if (plain_start(q)) {
        const char *stop;
        int e = plain_extent(q, &stop, ret_found);
        if (e < 0) {
            return e;
        }
        *ret_key = wedr_text(start, (size_t)(stop - start));
        if (wedr_text_is(*ret_key, "<<")) {
            return WEDR_E_UNSUP;
        }
        q->p = stop;
        skip_spaces(q);
    }
    if (!*ret_found) {
        q->p = start;
        return WEDR_OK;
    }
    q->p++;
    return (size_t)(q->p - start) > KEY_MAX ? WEDR_E_UNSUP : WEDR_OK;
}

/* The line of a literal block at q->p: 1 content or blank, 0 the block ends before it. */
static int literal_line(struct quick *q, size_t indent, char *to, size_t *n)
{
    const char *start = q->p;
    skip_spaces(q);
    size_t have = (size_t)(q->p - start);
    if (!at_eol(q) && have < indent) {
        bool tab = *q->p == '\t';
        q->p = start;
        return tab ? WEDR_E_UNSUP : 0;
    }
    if (q->p == q->end && have <= indent) {
        return 0;
    }
    q->p = have < indent ? q->p : start + indent;
    const char *from = q->p;
    to_eol(q);
    memcpy(to + *n, from, (size_t)(q->p - from));
    *n += (size_t)(q->p - from);
    if (q->p == q->end) {
        return 0;
    }
    to[(*n)++] = '\n';
    q->p++;
    q->line++;
    return 1;
}

/* The indentation of a literal block: that of its first line, which is not blank. */
static int literal_indent(struct quick *q, int parent, size_t *ret_indent)
{
    const char *start = q->p;
    skip_spaces(q);
    size_t indent = (size_t)(q->p - start);
    if (parent < 0 || at_eol(q) || *q->p == '\t' || indent <= (size_t)parent) {
        return WEDR_E_UNSUP;
    }
    q->p = start;
    *ret_indent = indent;
    return WEDR_OK;
}

/* | and |- with q->p at the bar. */
static int literal(struct quick *q, int parent, struct wedr_yaml **ret)
{
    uint32_t line = q->line;
    q->p++;
    bool strip = q->p < q->end && *q->p == '-';
    q->p += strip;
    const char *before = q->p;
    skip_spaces(q);
    if (!at_eol(q)) {
        if (*q->p != '#' || q->p == before) {
            return WEDR_E_UNSUP;
        }
        to_eol(q);
    }
    if (q->p == q->end) {
        return WEDR_E_UNSUP;
    }
    q->p++;
    q->line++;
    size_t indent;
    int e = literal_indent(q, parent, &indent);
    if (e < 0) {
        return e;
    }
    struct quick ahead = *q; /* where the block ends bounds the memory that it needs */
    while (ahead.p < ahead.end) {
        const char *start = ahead.p;
        skip_spaces(&ahead);
        if (!at_eol(&ahead) && (size_t)(ahead.p - start) < indent) {
            ahead.p = start;
            break;
        }
        to_eol(&ahead);
        ahead.p += ahead.p < ahead.end;
    }
    char *to = wedr_arena_alloc(q->arena, (size_t)(ahead.p - q->p) + 1);
    size_t n = 0;
    int more = to ? 1 : WEDR_E_UNSUP;
    while (more == 1) {
        more = q->p < q->end ? literal_line(q, indent, to, &n) : 0;
    }
    if (more < 0) {
        return more;
    }
    size_t keep = n;
    while (keep > 0 && to[keep - 1] == '\n') {
        keep--;
    }
    keep += !strip && keep < n;
    e = scalar(q, wedr_text(to, keep), false, ret);
    if (e == WEDR_OK) {
        (*ret)->line = line;
        e = find_content(q);
    }
    return e;
}

/* A scalar that begins in the middle of a line; parent: column of what it belongs to. */
static int inline_value(struct quick *q, int parent, struct wedr_yaml **ret)
{
    struct wedr_text text;
    int e;
    if (*q->p == '|') {
        return literal(q, parent, ret);
    }
    bool plain = *q->p != '\'' && *q->p != '"';
    if (plain) {
        const char *stop;
        bool colon;
        if (!plain_start(q) || plain_extent(q, &stop, &colon) < 0 || colon) {
            return WEDR_E_UNSUP;
        }
        text = wedr_text(q->p, (size_t)(stop - q->p));
        q->p = stop;
        e = WEDR_OK;
    } else {
        e = *q->p == '\'' ? single_quoted(q, &text) : double_quoted(q, &text);
    }
    if (e == WEDR_OK) {
        e = scalar(q, text, plain, ret);
    }
    if (e == WEDR_OK) {
        e = finish_line(q);
    }
    return e == WEDR_OK && q->column > parent ? WEDR_E_UNSUP : e; /* goes on in the next line */
}

static void append(struct wedr_yaml *parent, struct wedr_yaml **last, struct wedr_yaml *child)
{
    if (*last) {
        (*last)->next = child;
    } else {
        parent->first = child;
    }
    *last = child;
    parent->count++;
    parent->weight += child->weight;
    if (child->depth >= parent->depth) {
        parent->depth = (uint8_t)(child->depth + 1);
    }
}

static bool at_item(const struct quick *q)
{
    return q->p < q->end && *q->p == '-' &&
           (q->end - q->p == 1 || q->p[1] == ' ' || q->p[1] == '\n');
}

/* Nothing but a comment follows on this line; otherwise q->p moves to what follows. */
static bool at_nothing(struct quick *q)
{
    const char *before = q->p;
    skip_spaces(q);
    bool nothing = at_eol(q) || (*q->p == '#' && q->p > before);
    q->p = nothing ? before : q->p;
    return nothing;
}

/* What stands on the lines below a key or a dash, or nothing. */
static int below(struct quick *q, int column, bool list_at_column, struct wedr_yaml **ret)
{
    struct wedr_yaml *empty;
    int e = scalar(q, wedr_text("", 0), true, &empty);
    if (e == WEDR_OK) {
        e = finish_line(q);
    }
    if (e < 0) {
        return e;
    }
    if (q->column > column || (list_at_column && q->column == column && at_item(q))) {
        q->nodes--;
        return block(q, q->column, ret);
    }
    *ret = empty;
    return WEDR_OK;
}

static int list(struct quick *q, int column, struct wedr_yaml *parent)
{
    struct wedr_yaml *last = NULL;
    while (q->column == column && at_item(q)) {
        const char *dash = q->p;
        struct wedr_yaml *item = NULL;
        struct wedr_text key;
        bool is_key = false;
        int e;
        q->p++;
        if (at_nothing(q)) {
            e = below(q, column, false, &item);
        } else {
            int inner = column + (int)(q->p - dash);
            const char *at = q->p;
            e = at_item(q) ? WEDR_OK : key_here(q, &key, &is_key);
            q->p = at;
            if (e == WEDR_OK) {
                q->column = inner;
                e = is_key || at_item(q) ? block(q, inner, &item) : inline_value(q, column, &item);
            }
        }
        if (e < 0 || !item) {
            return WEDR_E_UNSUP;
        }
        append(parent, &last, item);
    }
    return q->column > column ? WEDR_E_UNSUP : WEDR_OK;
}

static int map(struct quick *q, int column, struct wedr_yaml *parent)
{
    struct wedr_yaml *last = NULL;
    while (q->column == column && !at_item(q)) {
        struct wedr_yaml *value = NULL;
        struct wedr_text key;
        bool is_key;
        int e = key_here(q, &key, &is_key);
        if (e < 0 || !is_key) {
            return WEDR_E_UNSUP;
        }
        e = at_nothing(q) ? below(q, column, true, &value) : inline_value(q, column, &value);
        if (e < 0 || !value) {
            return WEDR_E_UNSUP;
        }
        value->key = key;
        append(parent, &last, value);
    }
    return q->column > column || wedr_yaml_twice(q->arena, parent) ? WEDR_E_UNSUP : WEDR_OK;
}

/* Recursion is bounded by depth_max. */
static int block(struct quick *q, int column, struct wedr_yaml **ret)
{
    bool is_list = at_item(q);
    if (q->depth + 1 >= q->limits->depth_max || q->depth + 1 >= 64) {
        return WEDR_E_UNSUP;
    }
    struct wedr_yaml *n = node_new(q, is_list ? WEDR_YAML_LIST : WEDR_YAML_MAP);
    if (!n) {
        return WEDR_E_UNSUP;
    }
    q->depth++;
    int e = is_list ? list(q, column, n) : map(q, column, n);
    q->depth--;
    *ret = n;
    return e;
}

int wedr_yaml_read_quick(struct wedr_arena *a,
                         const struct wedr_yaml_limits *limits,
                         const char *s,
                         size_t len,
                         struct wedr_yaml **ret_documents)
{
    struct quick q = {.arena = a, .limits = limits, .p = s, .end = len ? s + len : s, .line = 1};
    struct wedr_yaml *first = NULL;
    struct wedr_yaml *last = NULL;
    if (!wedr_yaml_is_simple(s, len) || find_content(&q) < 0) {
        return WEDR_E_UNSUP;
    }
    while (q.p < q.end) {
        struct wedr_yaml *n;
        if (q.marker && (*q.p != '-' || (q.p += 3, finish_line(&q)) < 0 || q.marker)) {
            return WEDR_E_UNSUP;
        }
        if (q.p == q.end || q.column < 0 || block(&q, q.column, &n) < 0) {
            return WEDR_E_UNSUP;
        }
        if (q.p < q.end && !q.marker) {
            return WEDR_E_UNSUP;
        }
        if (last) {
            last->next = n;
        } else {
            first = n;
        }
        last = n;
    }
    if (wedr_arena_overflowed(a)) {
        return WEDR_E_UNSUP;
    }
    *ret_documents = first;
    return WEDR_OK;
}
