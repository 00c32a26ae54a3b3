/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/transform.c — modifiers that write a text in another way: windash, wide and its
 * family, base64, base64offset, expand. */
#include "core/base/err.h"
#include "value.h"
#include <string.h>

void wedr_sigma_push(struct wedr_sigma_group *g, struct wedr_sigma_value *v)
{
    v->next = NULL;
    if (g->last) {
        g->last->next = v;
    } else {
        g->first = v;
    }
    g->last = v;
    g->count++;
}

/* A copy of v with another text, appended to g. */
static int push_text(struct wedr_sigma_compiler *c,
                     struct wedr_sigma_group *g,
                     const struct wedr_sigma_value *v,
                     struct wedr_sigma_text text)
{
    struct wedr_sigma_value *n = wedr_arena_alloc(c->arena, sizeof(*n));
    if (!n || !text.c) {
        return wedr_sigma_full(c, g->line);
    }
    if (g->count >= WEDR_SIGMA_ALTERNATIVES_MAX) {
        return wedr_sigma_fail(c, g->line, WEDR_E_LIMIT, "a value becomes more than %u texts",
                               WEDR_SIGMA_ALTERNATIVES_MAX);
    }
    *n = *v;
    n->text = text;
    n->changed = true;
    wedr_sigma_push(g, n);
    return WEDR_OK;
}

static int need_text(struct wedr_sigma_compiler *c,
                     const struct wedr_sigma_group *g,
                     const struct wedr_sigma_value *v,
                     const char *name)
{
    return v->kind == WEDR_SIGMA_TEXT
               ? WEDR_OK
               : wedr_sigma_fail(c, g->line, WEDR_E_FORMAT, "%s needs a text", name);
}

static int need_plain(struct wedr_sigma_compiler *c,
                      const struct wedr_sigma_group *g,
                      const struct wedr_sigma_value *v,
                      const char *name)
{
    int e = need_text(c, g, v, name);
    if (e == WEDR_OK && (wedr_sigma_text_special(v->text) || v->text.len == 0)) {
        e = wedr_sigma_fail(c, g->line, WEDR_E_FORMAT, "%s needs a text without wildcards", name);
    }
    return e;
}

/* --- windash */

static const char *const dashes[] = {"-", "/", "\xE2\x80\x93", "\xE2\x80\x94", "\xE2\x80\x95"};

/* Codes of the dash at i, 0 when there is none. */
static uint32_t dash_at(struct wedr_sigma_text t, uint32_t i)
{
    for (size_t d = 0; d < WEDR_ARRAY_COUNT(dashes); d++) {
        uint32_t n = 0;
        while (dashes[d][n] != '\0' && i + n < t.len && t.c[i + n] == (uint8_t)dashes[d][n]) {
            n++;
        }
        if (dashes[d][n] == '\0') {
            return n;
        }
    }
    return 0;
}

static bool word_code(uint16_t code)
{
    return (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') ||
           (code >= 'A' && code <= 'Z') || code == '_' || (code >= 0x80 && code <= 0xFF);
}

/* A dash that begins a word: no word character before it, one behind it. */
static uint32_t flag_dash(struct wedr_sigma_text t, uint32_t i)
{
    uint32_t n = dash_at(t, i);
    if (n == 0 || i + n >= t.len || !word_code(t.c[i + n]) || dash_at(t, i + n) > 0) {
        return 0;
    }
    bool after_dash = i >= 3 && dash_at(t, i - 3) == 3;
    return i > 0 && word_code(t.c[i - 1]) && !after_dash ? 0 : n;
}

int wedr_sigma_windash(struct wedr_sigma_compiler *c,
                       struct wedr_sigma_group *g,
                       struct wedr_sigma_value *v)
{
    int e = need_text(c, g, v, "windash");
    uint32_t variants = 1;
    uint32_t places = 0;
    for (uint32_t i = 0; e == WEDR_OK && i < v->text.len; i++) {
        if (flag_dash(v->text, i) > 0) {
            places++;
            variants = places < 6 ? variants * (uint32_t)WEDR_ARRAY_COUNT(dashes) : UINT32_MAX;
        }
    }
    if (e == WEDR_OK && variants > WEDR_SIGMA_ALTERNATIVES_MAX) {
        e = wedr_sigma_fail(c, g->line, WEDR_E_LIMIT, "windash: too many dashes in one value");
    }
    for (uint32_t k = 0; e == WEDR_OK && k < variants; k++) {
        size_t size = ((size_t)v->text.len + 3 * (size_t)places + 1) * sizeof(uint16_t);
        struct wedr_sigma_text t = {wedr_arena_alloc(c->arena, size), 0};
        uint32_t digits = k;
        for (uint32_t i = 0; t.c && i < v->text.len;) {
            uint32_t n = flag_dash(v->text, i);
            if (n == 0) {
                t.c[t.len++] = v->text.c[i++];
                continue;
            }
            for (const char *d = dashes[digits % WEDR_ARRAY_COUNT(dashes)]; *d; d++) {
                t.c[t.len++] = (uint8_t)*d;
            }
            digits /= (uint32_t)WEDR_ARRAY_COUNT(dashes);
            i += n;
        }
        e = push_text(c, g, v, t);
    }
    return e;
}

/* --- wide, utf16le, utf16be, utf16 */

/* The character at i of a run of bytes; stray bytes count as Latin-1. */
static uint32_t decode(struct wedr_sigma_text t, uint32_t i, uint32_t *ret_len)
{
    uint16_t b = t.c[i];
    uint32_t more = b >= 0xF0 && b < 0xF5 ? 3 : b >= 0xE0 && b < 0xF0 ? 2 : b >= 0xC2 ? 1 : 0;
    *ret_len = 1;
    if (b < 0x80 || b >= 0xF5 || more == 0 || i + more >= t.len) {
        return b;
    }
    uint32_t u = b & (0x3Fu >> more);
    for (uint32_t k = 1; k <= more; k++) {
        if ((t.c[i + k] & 0xFFC0u) != 0x80) {
            return b;
        }
        u = u << 6 | (t.c[i + k] & 0x3Fu);
    }
    *ret_len = more + 1;
    return u;
}

static void put16(struct wedr_sigma_text *t, uint32_t unit, bool big)
{
    t->c[t->len++] = (uint16_t)(big ? unit >> 8 : unit & 0xFF);
    t->c[t->len++] = (uint16_t)(big ? unit & 0xFF : unit >> 8);
}

static int utf16(struct wedr_sigma_compiler *c,
                 struct wedr_sigma_group *g,
                 struct wedr_sigma_value *v,
                 bool big,
                 bool mark)
{
    int e = need_text(c, g, v, "UTF-16");
    if (e < 0) {
        return e;
    }
    size_t size = (2 * (size_t)v->text.len + 4) * sizeof(uint16_t);
    struct wedr_sigma_text t = {wedr_arena_alloc(c->arena, size), 0};
    if (t.c && mark) {
        put16(&t, 0xFEFF, big);
    }
    for (uint32_t i = 0; t.c && i < v->text.len;) {
        uint32_t n = 1;
        if (v->text.c[i] == WEDR_SIGMA_STAR || v->text.c[i] == WEDR_SIGMA_ANY) {
            t.c[t.len++] = v->text.c[i];
        } else {
            uint32_t u = v->text.c[i] == WEDR_SIGMA_PERCENT ? '%' : decode(v->text, i, &n);
            if (u >= 0x10000) {
                put16(&t, 0xD7C0 + (u >> 10), big);
                u = 0xDC00 + (u & 0x3FF);
            }
            put16(&t, u, big);
        }
        i += n;
    }
    return push_text(c, g, v, t);
}

int wedr_sigma_utf16le(struct wedr_sigma_compiler *c,
                       struct wedr_sigma_group *g,
                       struct wedr_sigma_value *v)
{
    return utf16(c, g, v, false, false);
}

int wedr_sigma_utf16be(struct wedr_sigma_compiler *c,
                       struct wedr_sigma_group *g,
                       struct wedr_sigma_value *v)
{
    return utf16(c, g, v, true, false);
}

int wedr_sigma_utf16(struct wedr_sigma_compiler *c,
                     struct wedr_sigma_group *g,
                     struct wedr_sigma_value *v)
{
    return utf16(c, g, v, false, true);
}

/* --- base64 */

/* Base64 of `blanks` blanks and then t. */
static struct wedr_sigma_text
base64(struct wedr_arena *a, struct wedr_sigma_text t, uint32_t blanks)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = (size_t)t.len + blanks;
    struct wedr_sigma_text out = {wedr_arena_alloc(a, (n / 3 + 1) * 4 * sizeof(uint16_t)), 0};
    for (size_t i = 0; out.c && i < n; i += 3) {
        uint32_t word = 0;
        for (size_t k = 0; k < 3; k++) {
            uint32_t b = i + k < blanks ? ' ' : i + k < n ? t.c[i + k - blanks] : 0;
            word = word << 8 | (b == WEDR_SIGMA_PERCENT ? (uint32_t)'%' : b & 0xFF);
        }
        for (size_t k = 0; k < 4; k++) {
            bool pad = i + k > n;
            out.c[out.len++] = (uint8_t)(pad ? '=' : digits[word >> (18 - 6 * k) & 63]);
        }
    }
    return out;
}

int wedr_sigma_base64(struct wedr_sigma_compiler *c,
                      struct wedr_sigma_group *g,
                      struct wedr_sigma_value *v)
{
    int e = need_plain(c, g, v, "base64");
    return e < 0 ? e : push_text(c, g, v, base64(c->arena, v->text, 0));
}

int wedr_sigma_base64offset(struct wedr_sigma_compiler *c,
                            struct wedr_sigma_group *g,
                            struct wedr_sigma_value *v)
{
    static const uint32_t skip[] = {0, 2, 3}; /* digits that the bytes before have a part in */
    static const uint32_t drop[] = {0, 3, 2}; /* ... and the bytes behind, with the padding */
    int e = need_plain(c, g, v, "base64offset");
    for (uint32_t i = 0; e == WEDR_OK && i < 3; i++) {
        struct wedr_sigma_text t = base64(c->arena, v->text, i);
        uint32_t cut = skip[i] + drop[(v->text.len + i) % 3];
        if (t.c && t.len <= cut) {
            e = wedr_sigma_fail(c, g->line, WEDR_E_FORMAT, "base64offset: the value is too short");
            break;
        }
        if (t.c) {
            t.c += skip[i];
            t.len -= cut;
        }
        e = push_text(c, g, v, t);
    }
    return e;
}

/* --- expand */

static const struct wedr_sigma_list *find_list(const struct wedr_sigma_options *o,
                                               struct wedr_text name)
{
    for (size_t i = 0; i < o->list_count; i++) {
        if (wedr_text_is(name, o->lists[i].name)) {
            return o->lists[i].count ? &o->lists[i] : NULL;
        }
    }
    return NULL;
}

static int note_need(struct wedr_sigma_compiler *c, struct wedr_text name)
{
    char *p = wedr_arena_alloc(c->arena, (size_t)c->needs.len + name.len + 2);
    if (!p) {
        return wedr_sigma_full(c, c->line);
    }
    uint32_t n = 0;
    if (c->needs.len > 0) {
        for (uint32_t i = 0; i + name.len <= c->needs.len; i++) {
            if (memcmp(c->needs.p + i, name.p, name.len) == 0) {
                return WEDR_OK;
            }
        }
        memcpy(p, c->needs.p, c->needs.len);
        n = c->needs.len;
        p[n++] = ' ';
    }
    memcpy(p + n, name.p, name.len);
    c->needs = wedr_text(p, n + name.len);
    return WEDR_OK;
}

/* The first placeholder at or behind `from`: its percent signs. */
static bool find_placeholder(struct wedr_sigma_text t, uint32_t from, uint32_t *open, uint32_t *end)
{
    for (uint32_t i = from; i < t.len; i++) {
        if (t.c[i] != '%') {
            continue;
        }
        uint32_t k = i + 1;
        while (k < t.len && t.c[k] < 0x100 && t.c[k] != '%' && t.c[k] != '\\' && t.c[k] > ' ') {
            k++;
        }
        if (k < t.len && t.c[k] == '%' && k > i + 1) {
            *open = i;
            *end = k;
            return true;
        }
    }
    return false;
}

static struct wedr_sigma_text splice(struct wedr_arena *a,
                                     struct wedr_sigma_text t,
                                     uint32_t open,
                                     uint32_t end,
                                     struct wedr_sigma_text middle)
{
    size_t len = (size_t)t.len + middle.len;
    struct wedr_sigma_text n = {wedr_arena_alloc(a, (len + 1) * sizeof(uint16_t)), 0};
    if (n.c && middle.c) {
        memcpy(n.c, t.c, open * sizeof(uint16_t));
        memcpy(n.c + open, middle.c, middle.len * sizeof(uint16_t));
        memcpy(n.c + open + middle.len, t.c + end + 1, (t.len - end - 1) * sizeof(uint16_t));
        n.len = open + middle.len + t.len - end - 1;
    }
    return n;
}

static int expand_from(struct wedr_sigma_compiler *c,
                       struct wedr_sigma_group *g,
                       const struct wedr_sigma_value *v,
                       struct wedr_sigma_text t,
                       uint32_t from)
{
    uint32_t open;
    uint32_t end;
    if (!find_placeholder(t, from, &open, &end)) {
        return push_text(c, g, v, t);
    }
    struct wedr_sigma_text part = {t.c + open + 1, end - open - 1};
    struct wedr_text name = wedr_sigma_text_bytes(c->arena, part);
    if (!name.p || ++c->depth > 16) {
        return wedr_sigma_fail(c, g->line, WEDR_E_LIMIT, "too many placeholders in one value");
    }
    const struct wedr_sigma_list *list = find_list(c->options, name);
    int e = list ? WEDR_OK : note_need(c, name);
    struct wedr_sigma_value *never = list ? NULL : wedr_arena_alloc(c->arena, sizeof(*never));
    if (never) {
        never->kind = WEDR_SIGMA_NEVER;
        wedr_sigma_push(g, never);
    }
    for (size_t i = 0; e == WEDR_OK && list && i < list->count; i++) {
        struct wedr_text s = wedr_text(list->values[i], strlen(list->values[i]));
        struct wedr_sigma_text middle = v->kind == WEDR_SIGMA_REGEX
                                            ? wedr_sigma_text_plain(c->arena, s)
                                            : wedr_sigma_text_parse(c->arena, s, false);
        struct wedr_sigma_text n = splice(c->arena, t, open, end, middle);
        e = n.c ? expand_from(c, g, v, n, open + middle.len) : wedr_sigma_full(c, g->line);
    }
    c->depth--;
    return e;
}

int wedr_sigma_expand(struct wedr_sigma_compiler *c,
                      struct wedr_sigma_group *g,
                      struct wedr_sigma_value *v)
{
    struct wedr_sigma_text t = v->text;
    if (v->kind == WEDR_SIGMA_REGEX) {
        t = wedr_sigma_text_plain(c->arena, v->raw);
    } else if (v->kind != WEDR_SIGMA_TEXT) {
        return wedr_sigma_fail(c, g->line, WEDR_E_FORMAT, "expand needs a text");
    }
    struct wedr_sigma_value *before = g->last;
    int e = t.c ? expand_from(c, g, v, t, 0) : wedr_sigma_full(c, g->line);
    struct wedr_sigma_value *n = before ? before->next : g->first;
    for (; e == WEDR_OK && n; n = n->next) {
        if (n->kind == WEDR_SIGMA_REGEX) {
            n->raw = wedr_sigma_text_bytes(c->arena, n->text);
            e = n->raw.p ? WEDR_OK : wedr_sigma_full(c, g->line);
        }
    }
    return e;
}
