/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/json.c — one pass over the document with a stack of its own: hostile input costs
 * neither recursion nor memory. */
#include "core/base/err.h"
#include "event/event.h"
#include "ir/utf8.h"
#include <string.h>

#define ONES UINT64_C(0x0101010101010101)
#define TOPS UINT64_C(0x8080808080808080)

/* Bytes before the first one of a word that `marks` marks at its top bit. */
static inline size_t first_mark(uint64_t marks)
{
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    return (size_t)__builtin_ctzll(marks) / 8;
#else
    (void)marks;
    return 0; /* the caller looks at each byte */
#endif
}

struct frame {
    bool array;
    bool fresh;        /* nothing was read in it yet */
    uint32_t name_len; /* of ev->name: an object's path with its dot, an array's own name */
    uint32_t skip;     /* bytes at its front that a prefix takes away */
    uint32_t source;   /* array: of its elements */
    uint32_t pairs;    /* object: index of the pairs entry + 1 */
    uint32_t pair_name, pair_value; /* value indexes */
    struct wedr_text key;           /* array: the key that it stands under */
};

struct reader {
    const char *p, *end, *start;
    struct wedr_rule_event *ev;
    const struct wedr_field_map *map;
    struct wedr_errinfo *ei;
    struct frame stack[WEDR_EVENT_DEPTH_MAX];
    uint32_t depth;
    bool key_dotted;
};

/* A string between its quotes. */
struct raw {
    struct wedr_text text;
    bool escaped;
};

static int fail(struct reader *r, int err, const char *what)
{
    return wedr_fail(r->ei, err, "%s at offset %zu", what, (size_t)(r->p - r->start));
}

static void skip_blanks(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t')) {
        r->p++;
    }
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f');
}

/* r->p is behind a backslash. */
static int check_escape(struct reader *r)
{
    if (r->p == r->end) {
        return fail(r, WEDR_E_FORMAT, "a string without its end");
    }
    if (*r->p == 'u') {
        for (int i = 1; i <= 4; i++) {
            if (r->end - r->p <= i || !is_hex(r->p[i])) {
                return fail(r, WEDR_E_FORMAT, "a bad \\u escape");
            }
        }
        r->p += 5;
        return WEDR_OK;
    }
    if (!memchr("\"\\/bfnrt", *r->p, 8)) {
        return fail(r, WEDR_E_FORMAT, "an unknown escape");
    }
    r->p++;
    return WEDR_OK;
}

/* Moves to the next quote or backslash, eight bytes at a time. */
static void find_special(struct reader *r)
{

    while (r->end - r->p >= 8) {
        uint64_t w;
        memcpy(&w, r->p, 8);
        uint64_t quote = w ^ (ONES * '"');
        uint64_t slash = w ^ (ONES * '\\');
        uint64_t marks = (((quote - ONES) & ~quote) | ((slash - ONES) & ~slash)) & TOPS;
        if (marks) {
            r->p += first_mark(marks);
            break;
        }
        r->p += 8;
    }
    while (r->p < r->end && *r->p != '"' && *r->p != '\\') {
        r->p++;
    }
}

/* r->p is behind the opening quote. */
static int read_string(struct reader *r, struct raw *ret_raw)
{
    const char *first = r->p;
    bool escaped = false;
    for (;;) {
        find_special(r);
        if (r->p == r->end) {
            return fail(r, WEDR_E_FORMAT, "a string without its end");
        }
        if (*r->p++ == '"') {
            break;
        }
        escaped = true;
        int e = check_escape(r);
        if (e < 0) {
            return e;
        }
    }
    ret_raw->text = wedr_text(first, (size_t)(r->p - first) - 1);
    ret_raw->escaped = escaped;
    return WEDR_OK;
}

static uint32_t hex4(const char *s)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t c = (uint8_t)s[i];
        v = v << 4 | (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return v;
}

/* The character of \uXXXX at s (behind the u); a pair takes both escapes. */
static size_t unescape_unicode(const char *s, const char *end, uint32_t *ret_char)
{
    uint32_t c = hex4(s);
    if (c < 0xD800 || c >= 0xE000) {
        *ret_char = c;
        return 4;
    }
    if (c < 0xDC00 && end - s >= 10 && s[4] == '\\' && s[5] == 'u') {
        uint32_t low = hex4(s + 6);
        if (low >= 0xDC00 && low < 0xE000) {
            *ret_char = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
            return 10;
        }
    }
    *ret_char = 0xFFFD;
    return 4;
}

/* Bytes before the next backslash are copied, eight at a time where there is room for that. */
static size_t copy_plain(const char *s, const char *end, char *to)
{
    size_t n = 0;
    while (end - s - (ptrdiff_t)n >= 8) {
        uint64_t w;
        memcpy(&w, s + n, 8);
        uint64_t slash = w ^ (ONES * '\\');
        uint64_t marks = (slash - ONES) & ~slash & TOPS;
        memcpy(to + n, &w, 8); /* what is too much is written over */
        if (marks) {
            n += first_mark(marks);
            break;
        }
        n += 8;
    }
    while (s + n < end && s[n] != '\\') {
        to[n] = s[n];
        n++;
    }
    return n;
}

size_t wedr_json_unescape(const char *s, size_t len, char *out)
{
    const char *end = s + len;
    char *to = out;
    for (;;) {
        size_t n = copy_plain(s, end, to);
        s += n;
        to += n;
        if (s == end) {
            return (size_t)(to - out);
        }
        char c = s[1];
        s += 2;
        if (c == 'u') {
            uint32_t v;
            s += unescape_unicode(s, end, &v);
            to += wedr_utf8_write(v, to);
            continue;
        }
        *to++ = (char)(c == 'n'   ? '\n'
                       : c == 't' ? '\t'
                       : c == 'r' ? '\r'
                       : c == 'b' ? '\b'
                       : c == 'f' ? '\f'
                                  : c);
    }
}

static bool number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

static int read_number(struct reader *r, struct wedr_rule_value *v)
{
    const char *first = r->p;
    while (r->p < r->end && number_byte(*r->p)) {
        r->p++;
    }
    size_t len = (size_t)(r->p - first);
    const char *digit = first + (*first == '-');
    bool padded = digit + 1 < r->p && *digit == '0' && digit[1] >= '0' && digit[1] <= '9';
    if (*first == '+' || padded || wedr_number_parse(first, len, &v->number) < 0) {
        return fail(r, WEDR_E_FORMAT, "not a number");
    }
    v->kind = WEDR_VALUE_NUMBER;
    v->text = wedr_text(first, len);
    return WEDR_OK;
}

static bool read_word(struct reader *r, const char *word, size_t len)
{
    if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len) != 0) {
        return false;
    }
    r->p += len;
    return true;
}

static int read_scalar(struct reader *r, struct wedr_rule_value *v)
{
    struct raw raw;
    switch (*r->p) {
    case '"': {
        r->p++;
        int e = read_string(r, &raw);
        if (e == WEDR_OK) {
            v->kind = WEDR_VALUE_TEXT;
            v->text = raw.text;
            v->escaped = raw.escaped;
        }
        return e;
    }
    case 't':
    case 'f':
        v->kind = WEDR_VALUE_BOOL;
        v->boolean = *r->p == 't';
        v->text = wedr_text(r->p, v->boolean ? 4 : 5);
        if (!read_word(r, v->boolean ? "true" : "false", v->text.len)) {
            break;
        }
        return WEDR_OK;
    case 'n':
        if (!read_word(r, "null", 4)) {
            break;
        }
        return WEDR_OK;
    default:
        if (number_byte(*r->p)) {
            return read_number(r, v);
        }
    }
    return fail(r, WEDR_E_FORMAT, "a value was expected");
}

static struct frame *top(struct reader *r)
{
    return &r->stack[r->depth - 1];
}

/* Puts the key behind the path of the object on top; the length of the whole name, 0 when it is too
 * long. */
static uint32_t compose(struct reader *r, const struct raw *key)
{
    struct wedr_rule_event *ev = r->ev;
    uint32_t path = top(r)->name_len;
    if (path == ev->limits.name_max || key->text.len > ev->limits.name_max - path) {
        return 0;
    }
    char *to = ev->name + path;
    size_t len = key->text.len;
    if (key->escaped) {
        len = wedr_json_unescape(key->text.p, len, to);
    } else {
        memcpy(to, key->text.p, len);
    }
    r->key_dotted = memchr(to, '.', len) != NULL;
    return path + (uint32_t)len;
}

static uint32_t source_of(struct reader *r, uint32_t name_len)
{
    uint32_t skip = top(r)->skip;
    if (name_len == 0) {
        return WEDR_IR_NONE;
    }
    if (r->key_dotted && r->map->prefix_count > 0) {
        skip = (uint32_t)wedr_map_strip(r->map, r->ev->name, name_len);
    }
    return skip < name_len ? wedr_map_find(r->map, r->ev->name + skip, name_len - skip)
                           : WEDR_IR_NONE;
}

/* The entry of the map for {name, value} objects that the name stands for, + 1. */
static uint32_t pairs_of(const struct reader *r, uint32_t name_len)
{
    for (uint32_t i = 0; i < r->map->pair_count; i++) {
        const struct wedr_text *a = &r->map->pairs[i].array;
        if (a->len == name_len && memcmp(a->p, r->ev->name, name_len) == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* Opens { or [ at r->p whose full name is ev->name[0, name_len). */
static int open_frame(struct reader *r, uint32_t name_len, uint32_t source, struct wedr_text key)
{
    if (r->depth == r->ev->limits.depth_max) {
        return fail(r, WEDR_E_LIMIT, "nested too deeply");
    }
    struct frame f = {
        .array = *r->p == '[', .fresh = true, .name_len = name_len, .source = source, .key = key};
    f.pair_name = f.pair_value = WEDR_IR_NONE;
    if (!f.array && r->depth > 0) {
        f.pairs = pairs_of(r, name_len);
        if (name_len > 0 && name_len < r->ev->limits.name_max) {
            r->ev->name[f.name_len++] = '.';
            f.skip = (uint32_t)wedr_map_strip(r->map, r->ev->name, f.name_len);
        } else {
            f.name_len = r->ev->limits.name_max; /* nothing below it gets a name */
        }
    }
    r->stack[r->depth++] = f;
    r->p++;
    return WEDR_OK;
}

/* Gives the value of a {name, value} object the name that it carries. */
static void name_pair(struct reader *r, const struct frame *f)
{
    struct wedr_rule_event *ev = r->ev;
    if (f->pair_name == WEDR_IR_NONE || f->pair_value == WEDR_IR_NONE) {
        return;
    }
    const struct wedr_text prefix = r->map->pairs[f->pairs - 1].prefix;
    struct wedr_text name = wedr_rule_event_text(ev, f->pair_name);
    if (prefix.len > ev->limits.name_max || name.len > ev->limits.name_max - prefix.len) {
        return;
    }
    char *full = ev->name + ev->limits.name_max;
    memcpy(full, prefix.p, prefix.len);
    if (name.len) {
        memcpy(full + prefix.len, name.p, name.len);
    }
    uint32_t len = prefix.len + name.len;
    uint32_t skip = (uint32_t)wedr_map_strip(r->map, full, len);
    struct wedr_rule_value *v = &ev->values[f->pair_value];
    v->name = name;
    v->source = skip < len ? wedr_map_find(r->map, full + skip, len - skip) : WEDR_IR_NONE;
}

static bool key_is(const struct wedr_text *want, const struct wedr_text *key)
{
    return want->len == key->len && memcmp(want->p, key->p, key->len) == 0;
}

/* Notes the two values of a {name, value} object, by any entry of the map for its array. */
static void note_pair(struct reader *r, const struct wedr_text *key, uint32_t index)
{
    struct frame *f = top(r);
    if (f->pairs == 0) {
        return;
    }
    const struct wedr_text *array = &r->map->pairs[f->pairs - 1].array;
    for (uint32_t i = f->pairs - 1; i < r->map->pair_count; i++) {
        const struct wedr_map_pairs *p = &r->map->pairs[i];
        if (!key_is(&p->array, array)) {
            continue;
        }
        if (key_is(&p->name_key, key)) {
            f->pair_name = index;
        } else if (key_is(&p->value_key, key)) {
            f->pair_value = index;
        }
    }
}

/* One value: a scalar is stored, an object or array is opened. */
static int read_value(struct reader *r, uint32_t name_len, struct wedr_text key)
{
    if (r->p == r->end) {
        return fail(r, WEDR_E_FORMAT, "the document ends too early");
    }
    bool in_array = top(r)->array;
    if (*r->p == '{') {
        return open_frame(r, name_len, WEDR_IR_NONE, key);
    }
    uint32_t source = in_array ? top(r)->source : source_of(r, name_len);
    if (*r->p == '[') {
        return open_frame(r, name_len, source, key);
    }
    struct wedr_rule_value *v = wedr_event_push(r->ev);
    if (!v) {
        return fail(r, WEDR_E_LIMIT, "too many values");
    }
    v->source = source;
    v->name = key;
    if (!in_array) {
        note_pair(r, &key, v->origin);
    }
    return read_scalar(r, v);
}

static int read_member(struct reader *r)
{
    struct raw key;
    if (r->p == r->end || *r->p != '"') {
        return fail(r, WEDR_E_FORMAT, "a key was expected");
    }
    r->p++;
    int e = read_string(r, &key);
    if (e < 0) {
        return e;
    }
    skip_blanks(r);
    if (r->p == r->end || *r->p != ':') {
        return fail(r, WEDR_E_FORMAT, "a colon was expected");
    }
    r->p++;
    skip_blanks(r);
    return read_value(r, compose(r, &key), key.text);
}

/* After a value: closes what ends here, and stops in front of the next member or element. */
static int after_value(struct reader *r)
{
    while (r->depth > 0) {
        skip_blanks(r);
        if (r->p == r->end) {
            return fail(r, WEDR_E_FORMAT, "the document ends too early");
        }
        const struct frame *f = top(r);
        if (*r->p == ',') {
            r->p++;
            skip_blanks(r);
            return WEDR_OK;
        }
        if (*r->p != (f->array ? ']' : '}')) {
            return fail(r, WEDR_E_FORMAT, "a comma or the end was expected");
        }
        r->p++;
        r->depth--;
        if (f->pairs > 0) {
            name_pair(r, f);
        }
    }
    return WEDR_OK;
}

static bool at_empty_end(const struct reader *r, const struct frame *f)
{
    return r->p < r->end && *r->p == (f->array ? ']' : '}');
}

static int read_document(struct reader *r)
{
    skip_blanks(r);
    if (r->p == r->end || *r->p != '{') {
        return fail(r, WEDR_E_FORMAT, "an object was expected");
    }
    int e = open_frame(r, 0, WEDR_IR_NONE, wedr_text(NULL, 0));
    while (e == WEDR_OK && r->depth > 0) {
        uint32_t before = r->depth;
        struct frame *f = top(r);
        skip_blanks(r);
        if (f->fresh && at_empty_end(r, f)) {
            e = after_value(r);
            continue;
        }
        f->fresh = false;
        e = f->array ? read_value(r, f->name_len, f->key) : read_member(r);
        if (e == WEDR_OK && r->depth == before) {
            e = after_value(r);
        }
    }
    skip_blanks(r);
    if (e == WEDR_OK && r->p != r->end) {
        e = fail(r, WEDR_E_FORMAT, "more than one document");
    }
    return e;
}

int wedr_rule_event_read_json(struct wedr_rule_event *ev,
                              const struct wedr_field_map *map,
                              const char *json,
                              size_t len,
                              struct wedr_errinfo *ei)
{
    wedr_rule_event_clear(ev);
    if (!map->sealed) {
        return WEDR_E_STATE;
    }
    if (len > ev->limits.document_max) {
        return wedr_fail(ei, WEDR_E_LIMIT, "a document of %zu bytes", len);
    }
    struct reader r = {.p = json, .start = json, .end = json + len, .ev = ev, .map = map, .ei = ei};
    int e = read_document(&r);
    if (e == WEDR_OK) {
        e = wedr_map_bind(map, ev);
    }
    if (e < 0) {
        wedr_rule_event_clear(ev);
    }
    return e;
}
