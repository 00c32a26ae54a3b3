/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/line_reader.h"

#include "core/base/endian.h"
#include "core/base/err.h"
#include "core/base/utf16.h"
#include "core/util/alloc.h"
#include "ingest/bytes16.h"
#include "ingest/schema_table.h"
#include "wedr/wire/batch.h"
#include <stdatomic.h>
#include <string.h>

#define MEMBERS_MAX 1024u /* a line with more is one for the general parser */
#define SECOND_LEN 20u    /* of "2026-11-23T20:34:17." */
#define TIME_LEN 27u
#define KEPT 8u                    /* readers between batches */
#define KEPT_TEXT_MAX (128u << 10) /* a reader that saw a longer line is not kept */

/* Where the key after a slot was found last, of one type; the two entries behind the last slot are
 * the first key of process and of raw. A guess that every line checks: writers keep their order. */
struct followers {
    struct wedr_schema_slot *slot[WEDR_SCHEMA_SLOTS_MAX + 2u]; /* NULL: none yet */
};

struct wedr_line_reader {
    struct wedr_line_parser *parser; /* made when a line needs it */
    size_t line_max;
    struct wedr_schema_table *schema;
    struct followers *follower; /* by index of the type */
    uint8_t env_follower[WEDR_ENV_COUNT + 1u];
    char stream[WEDR_STREAM_NAME_MAX];
    uint8_t stream_class;
    char source[64]; /* that was found good last */
    size_t source_len;
    char second[SECOND_LEN]; /* the second that was read last, and the time it is */
    int64_t second_us;
    char *text; /* decoded texts of the line */
    size_t text_cap, text_len;
    struct wedr_lp_member *next; /* free one in m */
    size_t texts;
    struct wedr_lp_member m[MEMBERS_MAX];
    const struct wedr_lp_member *value[MEMBERS_MAX]; /* texts in process and raw */
};

/* One line on its way. */
struct reading {
    struct wedr_line_reader *r;
    struct wedr_line_info *info;
    struct wedr_schema_type *type;
    struct followers *follower;
    const struct wedr_lp_member *env[WEDR_ENV_COUNT];
    uint8_t os; /* that all keys so far may stand in a line of */
};

/* The decoded texts of a line are no longer than it is. */
static bool room_for_text(struct wedr_line_reader *r, size_t len)
{
    if (r->text_cap >= len) {
        return true;
    }
    char *p = wedr_realloc(r->text, len, 1);
    if (p == NULL) {
        return false;
    }
    r->text = p;
    r->text_cap = len;
    return true;
}

static _Atomic(struct wedr_line_reader *) kept[KEPT];

struct wedr_line_reader *wedr_line_reader_new(size_t line_max)
{
    struct wedr_schema_table *schema = wedr_schema_get();
    struct wedr_line_reader *r = schema == NULL ? NULL : wedr_alloc(1, sizeof(*r));
    if (r == NULL) {
        return NULL;
    }
    r->schema = schema;
    r->line_max = line_max;
    r->follower = wedr_alloc(schema->type_count, sizeof(*r->follower));
    if (r->follower == NULL || !room_for_text(r, line_max + WEDR_LINE_PADDING)) {
        wedr_line_reader_free(r);
        return NULL;
    }
    return r;
}

void wedr_line_reader_free(struct wedr_line_reader *r)
{
    if (r != NULL) {
        wedr_line_parser_free(r->parser);
        wedr_free(r->follower);
        wedr_free(r->text);
        wedr_free(r);
    }
}

struct wedr_line_reader *wedr_line_reader_borrow(size_t line_max)
{
    struct wedr_line_reader *r = NULL;
    for (size_t i = 0; r == NULL && i < KEPT; i++) {
        r = atomic_exchange(&kept[i], NULL);
    }
    if (r == NULL) {
        return wedr_line_reader_new(line_max);
    }
    r->line_max = line_max;
    if (!room_for_text(r, line_max + WEDR_LINE_PADDING)) {
        wedr_line_reader_free(r);
        return NULL;
    }
    return r;
}

void wedr_line_reader_return(struct wedr_line_reader *r)
{
    bool keep = r != NULL && r->text_cap <= KEPT_TEXT_MAX;
    for (size_t i = 0; keep && i < KEPT; i++) {
        struct wedr_line_reader *none = NULL;
        if (atomic_compare_exchange_strong(&kept[i], &none, r)) {
            return;
        }
    }
    wedr_line_reader_free(r);
}

/* A copy of `blank`, which has no value yet. NULL when there are too many. */
static inline struct wedr_lp_member *
add_member(struct wedr_line_reader *r, const struct wedr_lp_member *blank, uint32_t parent)
{
    struct wedr_lp_member *m = r->next;
    if (m == r->m + MEMBERS_MAX) {
        return NULL;
    }
    *m = *blank;
    m->parent = parent;
    r->next = m + 1;
    return m;
}

/* A text that stands in a line as "text": and zeros behind it. */
static inline bool stands_at(const char *p, const char *text, size_t len)
{
    uint32_t differ = wedr_bytes16_differ(p, text);
    if (len <= 16) {
        return (differ & ((1u << len) - 1u)) == 0;
    }
    return differ == 0 && wedr_schema_same(p + 16, text + 16, len - 16);
}

/* The value of an escape that our own writer makes, and its length; 0 for any other. */
static size_t read_escape(const char *p, char *ret)
{
    static const char from[] = "\"\\bfnrt", to[] = "\"\\\b\f\n\r\t";
    const char *at = p[1] == 0 ? NULL : strchr(from, p[1]);
    if (at != NULL) {
        *ret = to[at - from];
        return 2;
    }
    if (memcmp(p + 1, "u00", 3) != 0 || (p[4] != '0' && p[4] != '1')) {
        return 0;
    }
    char c = p[5];
    bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'f';
    if (!digit && !letter) {
        return 0;
    }
    char v = (char)((p[4] - '0') * 16 + (digit ? c - '0' : c - 'a' + 10));
    if (v == 0 || strchr("\b\f\n\r\t", v) != NULL) {
        return 0; /* no text of ours, or it has a short form */
    }
    *ret = v;
    return 6;
}

/* The first byte from p on that is not simply a part of a text; the line's newline is one. */
static inline const char *plain_end(const char *p)
{
    uint32_t bits = wedr_bytes16_special(p);
    while (bits == 0) {
        p += 16;
        bits = wedr_bytes16_special(p);
    }
    return p + __builtin_ctz(bits);
}

/* A text with escapes or characters beyond ASCII; special: the first of them. */
static const char *read_odd_text(struct wedr_line_reader *r,
                                 const char *p,
                                 const char *special,
                                 struct wedr_lp_member *m)
{
    char *start = r->text + r->text_len, *to = start;
    bool ascii = true;
    for (;;) {
        size_t n = (size_t)(special - p);
        memcpy(to, p, n);
        to += n;
        p = special;
        if (*p == '"') {
            break;
        }
        if (*p == '\\') {
            n = read_escape(p, to);
            p += n;
            if (n == 0) {
                return NULL;
            }
        } else if ((uint8_t)*p >= 0x80) {
            ascii = false;
            *to = *p++;
        } else {
            return NULL;
        }
        to++;
        special = plain_end(p);
    }
    m->s = start;
    m->s_len = (uint32_t)(to - start);
    r->text_len += m->s_len;
    return ascii || wedr_utf8_valid(start, m->s_len) ? p + 1 : NULL;
}

/* p is behind the opening quote; the result behind the closing one. A newline ends every text. */
static inline const char *
read_text(struct wedr_line_reader *r, const char *p, struct wedr_lp_member *m)
{
    const char *e = plain_end(p);
    m->type = WEDR_LP_STR;
    if (*e != '"') {
        return read_odd_text(r, p, e, m);
    }
    m->s = p;
    m->s_len = (uint32_t)(e - p);
    return e + 1;
}

/* A number with a minus or of more than 8 digits. */
static const char *read_long_number(const char *p, struct wedr_lp_member *m)
{
    bool minus = *p == '-';
    const char *first = p + (minus ? 1 : 0);
    uint64_t v = 0;
    unsigned d = 0;
    for (p = first; (d = (unsigned)(uint8_t)*p - '0') <= 9; p++) {
        v = v * 10 + d;
    }
    size_t n = (size_t)(p - first);
    if (n == 20) { /* the largest begin with 1: what went over 2^64 has come down below 10^19 */
        n = *first == '1' && v >= UINT64_C(10000000000000000000) ? n : 0;
    }
    if (n == 0 || n > 20 || (*first == '0' && (n > 1 || minus)) || (minus && v > INT64_MAX)) {
        return NULL;
    }
    m->type = v > INT64_MAX ? WEDR_LP_UINT : WEDR_LP_INT;
    m->v = minus ? UINT64_MAX - v + 1 : v;
    return p;
}

/* Eight bytes at once: without a branch for each digit, which nobody can predict. */
static inline __attribute__((always_inline)) const char *read_number(const char *p,
                                                                     struct wedr_lp_member *m)
{
    uint64_t t = wedr_le64(p) ^ UINT64_C(0x3030303030303030); /* a digit's byte is its value */
    uint64_t others = (t | (t + UINT64_C(0x7676767676767676))) & UINT64_C(0x8080808080808080);
    unsigned n = others == 0 ? 0 : (unsigned)__builtin_ctzll(others) / 8u;
    if (n == 0 || (*p == '0' && n > 1)) {
        return read_long_number(p, m);
    }
    t <<= 64u - 8u * n;    /* zeros before it */
    t = t * 10 + (t >> 8); /* pairs, in every other byte */
    t = ((t & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x000F424000000064) +
         ((t >> 16) & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x0000271000000001)) >>
        32;
    m->type = WEDR_LP_INT;
    m->v = t & UINT32_MAX;
    return p + n;
}

/* The same of a text in process or raw. */
static inline const char *
read_value_text(struct wedr_line_reader *r, const char *p, struct wedr_lp_member *m)
{
    r->value[r->texts++] = m; /* as many as members at most */
    return *p == '"' ? read_text(r, p + 1, m) : NULL;
}

static const char *read_bool(const char *p, struct wedr_lp_member *m)
{
    bool yes = memcmp(p, "true", 4) == 0;
    if (!yes && memcmp(p, "false", 5) != 0) {
        return NULL;
    }
    m->type = WEDR_LP_BOOL;
    m->v = yes ? 1 : 0;
    return p + (yes ? 4 : 5);
}

static const char *read_list(struct wedr_line_reader *r, const char *p, struct wedr_lp_member *list)
{
    if (*p++ != '[') {
        return NULL;
    }
    static const struct wedr_lp_member element = {.scope = WEDR_LP_NESTED};
    uint32_t self = (uint32_t)(list - r->m);
    list->type = WEDR_LP_LIST;
    for (; *p != ']'; list->v++) {
        if (list->v != 0 && *p++ != ',') {
            return NULL;
        }
        struct wedr_lp_member *m = *p == '"' ? add_member(r, &element, self) : NULL;
        p = m == NULL ? NULL : read_value_text(r, p, m);
        if (p == NULL) {
            return NULL;
        }
    }
    return p + 1;
}

static const char *read_value(struct wedr_line_reader *r,
                              const struct wedr_schema_slot *s,
                              const char *p,
                              struct wedr_lp_member *m)
{
    switch (s->json_type) {
    case WEDR_JSON_INT:
        p = read_number(p, m);
        return p != NULL && wedr_schema_number_ok(s, m->type, m->v) ? p : NULL;
    case WEDR_JSON_STR:
        p = read_value_text(r, p, m);
        return p != NULL && (s->rule == WEDR_RULE_ANY || wedr_schema_text_ok(s, m->s, m->s_len))
                   ? p
                   : NULL;
    case WEDR_JSON_BOOL:
        return read_bool(p, m);
    case WEDR_JSON_LIST:
        return read_list(r, p, m);
    default:
        return NULL;
    }
}

/* The slot whose key stands at p; before: index of the slot before it. */
static struct wedr_schema_slot *
slot_at(struct reading *g, const char *p, uint8_t scope, size_t before)
{
    struct wedr_schema_slot *s = g->follower->slot[before];
    if (s != NULL && s->scope == scope && stands_at(p, s->text, s->text_len)) {
        return s;
    }
    size_t n = 1;
    while (n <= WEDR_SCHEMA_KEY_MAX && p[n] >= ' ' && p[n] <= '~' && p[n] != '"' && p[n] != '\\') {
        n++;
    }
    if (p[0] != '"' || p[n] != '"' || p[n + 1] != ':') {
        return NULL;
    }
    s = wedr_schema_find(g->type, scope, p + 1, n - 1);
    if (s != NULL) {
        g->follower->slot[before] = s;
    }
    return s;
}

/* p is behind the opening brace. The keys of process or raw: each known, once. */
static const char *read_object(struct reading *g, const char *p, struct wedr_lp_member *o)
{
    struct wedr_line_reader *r = g->r;
    uint8_t scope = o->key_len == 3 ? WEDR_LP_RAW : WEDR_LP_PROCESS;
    uint32_t self = (uint32_t)(o - r->m);
    size_t at = g->type->slot_count + (scope == WEDR_LP_RAW ? 1u : 0u);
    o->type = WEDR_LP_OBJ;
    if (*p == '}') {
        return p + 1;
    }
    for (;; p++) {
        struct wedr_schema_slot *s = slot_at(g, p, scope, at);
        if (s == NULL) {
            return NULL;
        }
        at = s->index;
        uint64_t *word = &g->info->keys[at / 64u], bit = UINT64_C(1) << (at % 64u);
        struct wedr_lp_member *m = add_member(r, &s->member, self);
        if ((*word & bit) != 0 || m == NULL) {
            return NULL;
        }
        *word |= bit;
        g->os &= s->os_mask;
        p = read_value(r, s, p + s->text_len, m);
        if (p == NULL) {
            return NULL;
        }
        if (s->column != WEDR_SCHEMA_NO_COLUMN) {
            g->info->column[s->column] = m;
        }
        o->v++;
        if (*p != ',') {
            return *p == '}' ? p + 1 : NULL;
        }
    }
}

static bool find_type(struct reading *g, const struct wedr_lp_member *m)
{
    g->type = wedr_schema_type_of(g->r->schema, m->s, m->s_len);
    if (g->type == NULL) {
        return false;
    }
    g->follower = &g->r->follower[g->type - g->r->schema->type];
    return true;
}

/* before: index of the key before it. */
static int env_at(struct wedr_line_reader *r, const char *p, size_t before)
{
    uint8_t next = r->env_follower[before];
    if (stands_at(p, wedr_env_keys[next].text, wedr_env_keys[next].text_len)) {
        return next;
    }
    for (int i = 0; i < WEDR_ENV_COMMON; i++) {
        if (stands_at(p, wedr_env_keys[i].text, wedr_env_keys[i].text_len)) {
            r->env_follower[before] = (uint8_t)i;
            return i;
        }
    }
    return -1;
}

static const char *read_env_value(struct reading *g, int k, const char *p, struct wedr_lp_member *m)
{
    if (wedr_env_keys[k].type == WEDR_LP_INT) {
        p = read_number(p, m);
        return p != NULL && m->type == WEDR_LP_INT && (int64_t)m->v >= 0 ? p : NULL;
    }
    if (wedr_env_keys[k].type == WEDR_LP_OBJ) {
        return g->type != NULL && *p == '{' ? read_object(g, p + 1, m) : NULL;
    }
    p = *p == '"' ? read_text(g->r, p + 1, m) : NULL;
    return p != NULL && (k != WEDR_ENV_EVENT_TYPE || find_type(g, m)) ? p : NULL;
}

/* All keys at the top, up to the newline. */
static bool read_top(struct reading *g, const char *p, const char *end)
{
    struct wedr_line_reader *r = g->r;
    size_t at = WEDR_ENV_COUNT;
    if (*p != '{') {
        return false;
    }
    do {
        int k = env_at(r, ++p, at);
        if (k < 0 || g->env[k] != NULL) {
            return false;
        }
        at = (size_t)k;
        struct wedr_lp_member key = {.key = wedr_env_keys[k].text + 1,
                                     .key_len = wedr_env_keys[k].len};
        struct wedr_lp_member *m = add_member(r, &key, UINT32_MAX);
        p = m == NULL ? NULL : read_env_value(g, k, p + wedr_env_keys[k].text_len, m);
        if (p == NULL) {
            return false;
        }
        g->env[k] = m;
    } while (*p == ',');
    return *p == '}' && p + 1 == end;
}

/* Mostly that of the line before. */
static bool source_ok(struct wedr_line_reader *r, const struct wedr_lp_member *m)
{
    if (m == NULL || wedr_schema_says(m, r->source, r->source_len)) {
        return m != NULL && m->s_len != 0;
    }
    if (!wedr_schema_source_ok(m->s, m->s_len)) {
        return false;
    }
    memcpy(r->source, m->s, m->s_len);
    r->source_len = m->s_len;
    return true;
}

/* Most lines are of the second of the line before. */
static bool read_time(struct wedr_line_reader *r, const struct wedr_lp_member *m, int64_t *ret_us)
{
    if (m == NULL) {
        return false;
    }
    if (m->s_len != TIME_LEN || !wedr_schema_same(m->s, r->second, SECOND_LEN)) {
        if (!wedr_line_time_parse(m->s, m->s_len, ret_us)) {
            return false;
        }
        memcpy(r->second, m->s, SECOND_LEN);
        r->second_us = *ret_us - *ret_us % 1000000;
        return true;
    }
    int64_t us = 0;
    for (size_t i = SECOND_LEN; i < TIME_LEN - 1u; i++) {
        unsigned d = (unsigned)(uint8_t)m->s[i] - '0';
        if (d > 9) {
            return false;
        }
        us = us * 10 + (int64_t)d;
    }
    *ret_us = r->second_us + us;
    return m->s[TIME_LEN - 1u] == 'Z';
}

static void remember_stream(struct wedr_line_reader *r, const char *stream)
{
    if (strcmp(r->stream, stream) != 0 || stream[0] == 0) {
        size_t n = strlen(stream);
        n = n < sizeof(r->stream) ? n : 0; /* remembered only when it has room */
        memcpy(r->stream, stream, n);
        r->stream[n] = 0;
        r->stream_class = (uint8_t)wedr_stream_class(stream);
    }
}

static bool check_top(struct reading *g, struct wedr_line_info *info)
{
    const struct wedr_lp_member *const *env = g->env;
    const struct wedr_schema_type *t = g->type;
    info->os = (uint8_t)(env[WEDR_ENV_TS_FT] != NULL ? WEDR_OSM_WINDOWS : WEDR_OSM_LINUX);
    if (t == NULL || env[WEDR_ENV_RAW] == NULL || env[WEDR_ENV_SEQ] == NULL ||
        env[WEDR_ENV_SEQ]->v == 0 || env[WEDR_ENV_VERSION] == NULL ||
        env[WEDR_ENV_VERSION]->v != WEDR_WIRE_VERSION || !source_ok(g->r, env[WEDR_ENV_SOURCE]) ||
        !wedr_schema_says(env[WEDR_ENV_MODULE], t->type->module, t->module_len) ||
        !wedr_schema_says(env[WEDR_ENV_KIND], t->type->kind, t->kind_len) ||
        t->stream_class != g->r->stream_class || (t->type->os_mask & g->os & info->os) == 0 ||
        !read_time(g->r, env[WEDR_ENV_TS], &info->ts_us)) {
        return false;
    }
    info->type = t->type;
    info->code = (uint8_t)t->type->code;
    info->schema = t;
    info->canonical = true; /* nothing else is read here */
    info->text = g->r->value;
    info->texts = g->r->texts;
    info->source = env[WEDR_ENV_SOURCE];
    info->has_seq = true;
    info->seq = env[WEDR_ENV_SEQ]->v;
    return wedr_schema_complete(t, info, env[WEDR_ENV_PROCESS] != NULL);
}

bool wedr_line_reader_plain(struct wedr_line_reader *r,
                            const char *s,
                            size_t len,
                            const char *stream,
                            struct wedr_line *ret_line,
                            struct wedr_line_info *ret_info)
{
    struct reading g = {.r = r, .info = ret_info, .os = WEDR_OSM_BOTH};
    memset(ret_info, 0, sizeof(*ret_info));
    remember_stream(r, stream);
    r->next = r->m;
    r->texts = 0;
    r->text_len = 0;
    if (len > WEDR_LINE_MAX || s[len] != '\n' || !room_for_text(r, len + WEDR_LINE_PADDING) ||
        !read_top(&g, s, s + len) || !check_top(&g, ret_info)) {
        return false;
    }
    *ret_line = (struct wedr_line){r->m, (size_t)(r->next - r->m)};
    return true;
}

int wedr_line_reader_next(struct wedr_line_reader *r,
                          const char *s,
                          size_t len,
                          const char *stream,
                          struct wedr_line *ret_line,
                          struct wedr_line_info *ret_info)
{
    bool room = room_for_text(r, len + WEDR_LINE_PADDING);
    if (room && wedr_line_reader_plain(r, s, len, stream, ret_line, ret_info)) {
        return WEDR_OK;
    }
    memset(ret_info, 0, sizeof(*ret_info));
    if (!room) {
        return WEDR_E_NOMEM;
    }
    if (r->parser == NULL && (r->parser = wedr_line_parser_new(r->line_max)) == NULL) {
        return WEDR_E_NOMEM;
    }
    int rc = wedr_line_parse(r->parser, s, len, ret_line);
    return rc == WEDR_OK ? wedr_line_check(ret_line, stream, ret_info) : rc;
}
