/* SPDX-License-Identifier: Apache-2.0
 * rules/src/event/json.c — one pass over the document with a stack of its own: hostile input costs
 * neither recursion nor memory. */
#include "core/base/err.h"
#include "event/digits.h"
#include "event/event.h"
#include "event/scan.h"
#include <string.h>

#define PLAIN_LEAST (WEDR_KEY_MAX + 2 * WEDR_SCAN + 4) /* bytes behind a key that are looked at */

struct frame {
    bool array;
    bool fresh;        /* nothing was read in it yet */
    uint32_t name_len; /* of ev->name: an object's path with its dot, an array's own name */
    uint32_t skip;     /* bytes at its front that a prefix takes away */
    uint32_t source;   /* array: of its elements */
    uint32_t pairs;    /* object: index of the pairs entry + 1 */
    uint32_t pair_name, pair_value; /* value indexes */
    uint32_t path;                  /* for the keys that are remembered */
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

static inline void skip_blanks(struct reader *r)
{
    if (r->p < r->end && (uint8_t)*r->p > ' ') {
        return;
    }
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
    switch (*r->p) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        r->p++;
        return WEDR_OK;
    default:
        return fail(r, WEDR_E_FORMAT, "an unknown escape");
    }
}

/* Moves to the next quote or backslash. */
static inline void find_special(struct reader *r)
{
    const char *p = r->p;
    while (r->end - p >= (ptrdiff_t)WEDR_SCAN) {
        size_t n = wedr_scan_special(p);
        p += n;
        if (n < WEDR_SCAN) {
            r->p = p;
            return;
        }
    }
    while (p < r->end && *p != '"' && *p != '\\') {
        p++;
    }
    r->p = p;
}

/* r->p is behind the opening quote. */
static int read_string(struct reader *r, struct wedr_text *ret_text, bool *ret_escaped)
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
    *ret_text = wedr_text(first, (size_t)(r->p - first) - 1);
    *ret_escaped = escaped;
    return WEDR_OK;
}

static bool number_byte(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Most numbers are whole. */
static bool read_whole(struct reader *r, struct wedr_rule_value *v)
{
    int64_t n;
    const char *end = wedr_digits_whole(r->p, r->end, &n);
    if (!end || (end < r->end && number_byte(*end))) {
        return false;
    }
    v->kind = WEDR_VALUE_NUMBER;
    v->number = wedr_number_i64(n);
    v->text = wedr_text(r->p, (size_t)(end - r->p));
    r->p = end;
    return true;
}

static int read_number(struct reader *r, struct wedr_rule_value *v)
{
    const char *first = r->p;
    if (read_whole(r, v)) {
        return WEDR_OK;
    }
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
    switch (*r->p) {
    case '"':
        r->p++;
        v->kind = WEDR_VALUE_TEXT;
        return read_string(r, &v->text, &v->escaped);
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

/* Opens { or [ at r->p whose full name is ev->name[0, name_len); what the name of an object stands
 * for is noted in k. */
static int open_frame(struct reader *r, uint32_t name_len, struct wedr_key *k, struct wedr_text key)
{
    if (r->depth == r->ev->limits.depth_max) {
        return fail(r, WEDR_E_LIMIT, "nested too deeply");
    }
    struct frame f = {.array = *r->p == '[', .fresh = true, .name_len = name_len, .key = key};
    f.source = f.array ? k->source : WEDR_IR_NONE;
    f.pair_name = f.pair_value = WEDR_IR_NONE;
    f.path = name_len > 0 || r->depth == 0 ? k->child : WEDR_KEYS_NONE;
    if (!f.array && r->depth > 0) {
        if (name_len > 0 && name_len < r->ev->limits.name_max) {
            r->ev->name[f.name_len++] = '.';
            if (k->skip == WEDR_IR_NONE) {
                k->pairs = (uint16_t)pairs_of(r, name_len);
                k->skip = (uint32_t)wedr_map_strip(r->map, r->ev->name, f.name_len);
            }
            f.pairs = k->pairs;
            f.skip = k->skip;
        } else {
            f.pairs = pairs_of(r, name_len);
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
    r->ev->paired = true;
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

/* A string at r->p that ends before anything that must be looked at closer. */
static inline bool read_simple(struct reader *r, struct wedr_rule_value *v)
{
    const char *first = r->p + 1;
    for (const char *p = first; r->end - p >= (ptrdiff_t)WEDR_SCAN; p += WEDR_SCAN) {
        size_t n = wedr_scan_special(p);
        if (n < WEDR_SCAN) {
            if (p[n] != '"') {
                return false;
            }
            v->kind = WEDR_VALUE_TEXT;
            v->text = wedr_text(first, (size_t)(p + n - first));
            r->p = p + n + 1;
            return true;
        }
    }
    return false;
}

static inline int
push_scalar(struct reader *r, const struct frame *f, uint32_t source, struct wedr_text key)
{
    struct wedr_rule_value *v = wedr_event_push(r->ev);
    if (!v) {
        return fail(r, WEDR_E_LIMIT, "too many values");
    }
    v->source = source;
    v->name = key;
    if (f->pairs > 0) {
        note_pair(r, &key, v->origin);
    }
    return *r->p == '"' && read_simple(r, v) ? WEDR_OK : read_scalar(r, v);
}

static bool at_container(const struct reader *r)
{
    return *r->p == '{' || *r->p == '[';
}

static int read_element(struct reader *r)
{
    const struct frame *f = top(r);
    if (r->p == r->end) {
        return fail(r, WEDR_E_FORMAT, "the document ends too early");
    }
    if (at_container(r)) {
        struct wedr_key k = {.source = f->source, .child = f->path, .skip = WEDR_IR_NONE};
        return open_frame(r, f->name_len, &k, f->key);
    }
    return push_scalar(r, f, f->source, f->key);
}

/* The value of a key: of a scalar only the source matters, what is in an object or array needs the
 * name too. */
static int read_named(struct reader *r, const struct raw *key)
{
    struct wedr_key probe = {.id.path = top(r)->path};
    struct wedr_key *slots = NULL;
    bool named = false;
    uint32_t name_len = 0;
    if (probe.id.path != WEDR_KEYS_NONE && !key->escaped && key->text.len <= WEDR_KEY_MAX &&
        r->end - key->text.p >= (ptrdiff_t)WEDR_KEY_MAX) {
        probe.id = wedr_key_id(probe.id.path, key->text.p, key->text.len);
        slots = wedr_keys_slots(r->ev->keys, &probe.id);
    }
    struct wedr_key *k = slots ? wedr_keys_in(slots, &probe.id) : NULL;
    if (!k) {
        name_len = compose(r, key);
        named = true;
        probe.source = source_of(r, name_len);
        probe.paired = r->map->paired_bits >> (probe.source % 64) & 1;
        probe.child = slots ? r->ev->keys->next++ : WEDR_KEYS_NONE;
        probe.skip = WEDR_IR_NONE;
        k = slots ? wedr_keys_put(slots, &probe) : &probe;
    }
    r->ev->paired |= k->paired;
    if (!at_container(r)) {
        return push_scalar(r, top(r), k->source, key->text);
    }
    name_len = named ? name_len : compose(r, key);
    return open_frame(r, name_len, k, key->text);
}

/* Members as most are: a short key that is remembered, and a scalar behind it. Stops in front of
 * the first that is not (0) or behind the last one's value (1). */
static int read_plain(struct reader *r)
{
    const struct frame *f = top(r);
    while (r->end - r->p >= (ptrdiff_t)PLAIN_LEAST && *r->p == '"') {
        const char *key = r->p + 1;
        size_t len = wedr_scan_special(key);
        for (size_t more = len; more == WEDR_SCAN && len < WEDR_KEY_MAX; len += more) {
            more = wedr_scan_special(key + len);
        }
        const char *p = key + len + 2;
        if (len > WEDR_KEY_MAX || p[-2] != '"' || p[-1] != ':') {
            return 0;
        }
        const struct wedr_key_id id = wedr_key_id(f->path, key, (uint32_t)len);
        const struct wedr_key *k = wedr_keys_in(wedr_keys_slots(r->ev->keys, &id), &id);
        p += *p == ' ';
        if (!k || (uint8_t)*p <= ' ' || *p == '{' || *p == '[') {
            return 0;
        }
        r->p = p;
        r->ev->paired |= k->paired;
        int e = push_scalar(r, f, k->source, wedr_text(key, len));
        if (e < 0 || r->p == r->end || *r->p != ',') {
            return e < 0 ? e : 1;
        }
        r->p++;
        r->p += r->p < r->end && *r->p == ' ';
    }
    return 0;
}

static int read_member(struct reader *r)
{
    struct raw key = {.text = {"", 0}};
    if (r->p == r->end || *r->p != '"') {
        return fail(r, WEDR_E_FORMAT, "a key was expected");
    }
    r->p++;
    int e = read_string(r, &key.text, &key.escaped);
    if (e < 0) {
        return e;
    }
    skip_blanks(r);
    if (r->p == r->end || *r->p != ':') {
        return fail(r, WEDR_E_FORMAT, "a colon was expected");
    }
    r->p++;
    skip_blanks(r);
    if (r->p == r->end) {
        return fail(r, WEDR_E_FORMAT, "the document ends too early");
    }
    return read_named(r, &key);
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
    struct wedr_key root = {.source = WEDR_IR_NONE, .child = WEDR_KEYS_ROOT, .skip = WEDR_IR_NONE};
    int e = open_frame(r, 0, &root, wedr_text(NULL, 0));
    while (e == WEDR_OK && r->depth > 0) {
        uint32_t before = r->depth;
        struct frame *f = top(r);
        skip_blanks(r);
        if (f->fresh && at_empty_end(r, f)) {
            e = after_value(r);
            continue;
        }
        f->fresh = false;
        int plain = f->array || f->path == WEDR_KEYS_NONE ? 0 : read_plain(r);
        if (plain != 0) {
            e = plain < 0 ? plain : after_value(r);
            continue;
        }
        skip_blanks(r);
        e = f->array ? read_element(r) : read_member(r);
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
    struct reader r; /* the stack is filled as it grows */
    r.p = r.start = json;
    r.end = json + len;
    r.ev = ev;
    r.map = map;
    r.ei = ei;
    r.depth = 0;
    r.key_dotted = false;
    wedr_keys_begin(ev->keys, map->serial);
    int e = read_document(&r);
    if (e == WEDR_OK) {
        e = wedr_map_bind(map, ev);
    }
    if (e < 0) {
        wedr_rule_event_clear(ev);
    }
    return e;
}
