/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/setting.c — lines that begin with a word of the language: window, include, title
 * and the like. */
#include "core/base/err.h"
#include "waza/syntax.h"
#include <stddef.h>
#include <string.h>

enum kind { WINDOW, THROTTLE, INCLUDE, TEXT, TEXTS, SEVERITY, FLAG, SCOPE, COMPAT, SOURCE, FORM };

/* What has to follow the word for it to be the setting. */
enum follows {
    ANYTHING, /* but what would go on a path */
    VALUE,    /* a colon and something */
    NAMED,    /* perhaps a name, then as VALUE */
    LIMIT,    /* a comparison */
    PATH,
    KEYS /* nothing, `by`, or a comparison */
};

enum where { GROUPS, EVERYWHERE };

static const struct setting {
    const char *word;
    uint8_t kind, follows, where;
    uint16_t offset; /* of the text or list; FORM: which; FLAG: of the bool */
} settings[] = {
    {"window", WINDOW, ANYTHING, GROUPS, 0},
    {"throttle", THROTTLE, ANYTHING, GROUPS, 0},
    {"include", INCLUDE, ANYTHING, EVERYWHERE, 0},
    {"id", TEXT, VALUE, GROUPS, offsetof(struct wedr_waza_group, id)},
    {"title", TEXT, VALUE, GROUPS, offsetof(struct wedr_waza_group, title)},
    {"description", TEXT, VALUE, GROUPS, offsetof(struct wedr_waza_group, description)},
    {"author", TEXT, VALUE, GROUPS, offsetof(struct wedr_waza_group, author)},
    {"date", TEXT, VALUE, GROUPS, offsetof(struct wedr_waza_group, date)},
    {"modified", TEXT, VALUE, GROUPS, offsetof(struct wedr_waza_group, modified)},
    {"status", TEXT, VALUE, GROUPS, offsetof(struct wedr_waza_group, status)},
    {"license", TEXT, VALUE, GROUPS, offsetof(struct wedr_waza_group, license)},
    {"needs", TEXT, VALUE, GROUPS, offsetof(struct wedr_waza_group, needs)},
    {"tags", TEXTS, VALUE, GROUPS, offsetof(struct wedr_waza_group, tags)},
    {"references", TEXTS, VALUE, GROUPS, offsetof(struct wedr_waza_group, references)},
    {"falsepositives", TEXTS, VALUE, GROUPS, offsetof(struct wedr_waza_group, false_positives)},
    {"severity", SEVERITY, VALUE, GROUPS, 0},
    {"enabled", FLAG, VALUE, GROUPS, offsetof(struct wedr_waza_group, disabled)},
    {"hidden", FLAG, VALUE, GROUPS, offsetof(struct wedr_waza_group, hidden)},
    {"consume", FLAG, VALUE, GROUPS, offsetof(struct wedr_waza_group, consume)},
    {"scope", SCOPE, VALUE, GROUPS, 0},
    {"compat", COMPAT, VALUE, EVERYWHERE, 0},
    {"source", SOURCE, VALUE, GROUPS, 0},
    {"entity", FORM, VALUE, GROUPS, WAZA_F_ENTITY},
    {"by", FORM, VALUE, GROUPS, WAZA_F_BY},
    {"exception", FORM, NAMED, GROUPS, WAZA_F_EXCEPTION},
    {"event", FORM, NAMED, GROUPS, WAZA_F_EVENT},
    {"list", FORM, NAMED, EVERYWHERE, WAZA_F_LIST},
    {"count", FORM, LIMIT, GROUPS, WAZA_F_COUNT},
    {"distinct", FORM, PATH, GROUPS, WAZA_F_DISTINCT},
    {"sequence", FORM, KEYS, GROUPS, WAZA_F_SEQUENCE},
    {"all", FORM, KEYS, GROUPS, WAZA_F_ALL},
};

static struct wedr_text trim(struct wedr_text t)
{
    while (t.len > 0 && (t.p[0] == ' ' || t.p[0] == '\t')) {
        t.p++;
        t.len--;
    }
    while (t.len > 0 && (t.p[t.len - 1] == ' ' || t.p[t.len - 1] == '\t')) {
        t.len--;
    }
    return t;
}

static struct wedr_text behind(struct wedr_text t, uint32_t n)
{
    return trim(wedr_text(t.p + n, t.len - n));
}

/* Length of a name in front: a bare word, or a text in quotes. */
static uint32_t name_len(struct wedr_text t)
{
    uint32_t n = 0;
    if (t.len > 0 && t.p[0] == '"') {
        for (n = 1; n < t.len && t.p[n] != '"'; n++) {
            n += t.p[n] == '\\';
        }
        return n < t.len ? n + 1 : 0;
    }
    while (n < t.len && (wedr_waza_is_word(t.p[n]) || (n > 0 && t.p[n] == '-'))) {
        n++;
    }
    return n;
}

static bool follows(uint8_t what, struct wedr_text rest)
{
    struct wedr_text t = trim(rest);
    switch (what) {
    case NAMED:
        t = behind(t, name_len(t));
        return t.len > 1 && t.p[0] == ':';
    case VALUE:
        return t.len > 1 && t.p[0] == ':';
    case LIMIT:
        return t.len > 0 && wedr_waza_one_of(t.p[0], "<>=!");
    case PATH:
        return t.len > 0 && rest.p[0] != t.p[0] &&
               (wedr_waza_is_word(t.p[0]) || wedr_waza_one_of(t.p[0], "$@\""));
    case KEYS:
        return t.len == 0 || wedr_waza_one_of(t.p[0], "<>=") ||
               (t.len > 3 && memcmp(t.p, "by", 2) == 0 && (t.p[2] == ' ' || t.p[2] == ':'));
    default:
        return true;
    }
}

static const struct setting *find(const struct wedr_waza_source *s, struct wedr_waza_span content)
{
    struct wedr_text t = wedr_waza_slice(s, content);
    uint32_t n = 0;
    while (n < t.len && (wedr_waza_is_word(t.p[n]) || t.p[n] == '.')) {
        n++;
    }
    for (size_t i = 0; n >= 2 && i < WEDR_ARRAY_COUNT(settings); i++) {
        if (wedr_waza_is(wedr_text(t.p, n), settings[i].word)) {
            return follows(settings[i].follows, wedr_text(t.p + n, t.len - n)) ? &settings[i]
                                                                               : NULL;
        }
    }
    return NULL;
}

bool wedr_waza_is_setting(const struct wedr_waza_source *s, struct wedr_waza_span content)
{
    return find(s, content) != NULL;
}

/* --- Values. */

bool wedr_waza_duration(struct wedr_text t, uint64_t *ret_ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"", 1000}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    uint64_t n = 0;
    uint32_t i = 0;
    for (; i < t.len && t.p[i] >= '0' && t.p[i] <= '9'; i++) {
        uint64_t digit = (uint64_t)(t.p[i] - '0');
        if (n > (UINT64_MAX - digit) / 10) {
            return false;
        }
        n = n * 10 + digit;
    }
    struct wedr_text unit = behind(t, i);
    for (size_t k = 0; i > 0 && k < WEDR_ARRAY_COUNT(units); k++) {
        if (wedr_waza_is(unit, units[k].unit)) {
            *ret_ms = n * units[k].ms;
            return n <= UINT64_MAX / units[k].ms;
        }
    }
    return false;
}

/* N/<duration>, N/sec and its other spellings. */
static bool throttle(struct wedr_text t, uint32_t *ret_count, uint64_t *ret_ms)
{
    static const struct {
        const char *word;
        uint64_t ms;
    } words[] = {{"s", 1000},    {"sec", 1000},  {"m", 60000},
                 {"min", 60000}, {"h", 3600000}, {"hour", 3600000}};
    uint64_t n = 0;
    uint32_t i = 0;
    for (; i < t.len && t.p[i] >= '0' && t.p[i] <= '9' && n <= UINT32_MAX; i++) {
        n = n * 10 + (uint64_t)(t.p[i] - '0');
    }
    struct wedr_text rest = behind(t, i);
    if (i == 0 || n == 0 || n > UINT32_MAX || rest.len == 0 || rest.p[0] != '/') {
        return false;
    }
    rest = behind(rest, 1);
    *ret_count = (uint32_t)n;
    for (size_t k = 0; k < WEDR_ARRAY_COUNT(words); k++) {
        if (wedr_waza_is(rest, words[k].word)) {
            *ret_ms = words[k].ms;
            return true;
        }
    }
    return wedr_waza_duration(rest, ret_ms) && *ret_ms > 0;
}

/* One item: as it stands, or in quotes. */
static int item(struct wedr_waza_reader *r, struct wedr_text t, struct wedr_text *ret_text)
{
    struct wedr_waza_span at = {(uint32_t)(t.p - r->source->text), t.len};
    if (t.len == 0 ||
        (t.p[0] != '"' && t.p[0] != '\'' && (t.len < 2 || t.p[0] != 'e' || t.p[1] != '"'))) {
        *ret_text = t;
        return t.len ? WEDR_OK
                     : wedr_waza_fail(r->source, at, WEDR_E_FORMAT, "a value was expected");
    }
    struct wedr_waza_parser p = wedr_waza_parser_at(r, at.at);
    if (p.token.kind != WAZA_STRING) {
        return wedr_waza_expected(&p, "a text");
    }
    *ret_text = p.token.text;
    wedr_waza_advance(&p);
    if (p.used < at.at + at.len) {
        return wedr_waza_expected(&p, "nothing more");
    }
    return WEDR_OK;
}

/* Length of "...", e"..." or '...' in front. */
static uint32_t quoted_len(struct wedr_text t)
{
    uint32_t e = t.len > 1 && t.p[0] == 'e' && t.p[1] == '"';
    if (t.p[e] == '"') {
        return e + name_len(wedr_text(t.p + e, t.len - e));
    }
    const char *end = t.p[0] == '\'' ? memchr(t.p + 1, '\'', t.len - 1) : NULL;
    return end ? (uint32_t)(end - t.p) + 1 : 0;
}

/* a, b or [a, b] on one line. */
static int split(struct wedr_waza_reader *r, struct wedr_text t, struct wedr_text_list *ret_list)
{
    if (t.len >= 2 && t.p[0] == '[' && t.p[t.len - 1] == ']') {
        t = trim(wedr_text(t.p + 1, t.len - 2));
    }
    struct wedr_text *v = wedr_waza_alloc(r->source, ((size_t)t.len / 2 + 2) * sizeof(*v));
    uint32_t count = 0;
    int e = v ? WEDR_OK : WEDR_E_LIMIT;
    while (e == WEDR_OK && t.len > 0) {
        uint32_t n = quoted_len(t);
        while (n < t.len && t.p[n] != ',') {
            n++;
        }
        e = item(r, trim(wedr_text(t.p, n)), &v[count++]);
        t = n < t.len ? behind(t, n + 1) : wedr_text(t.p, 0);
    }
    ret_list->v = v;
    ret_list->count = e < 0 ? 0 : count;
    return e;
}

/* [...] made of tokens, over several lines. */
static int texts(struct wedr_waza_reader *r, struct wedr_waza_parser *p, struct wedr_text_list *ret)
{
    uint32_t cap = 8;
    struct wedr_text *v = wedr_waza_alloc(r->source, cap * sizeof(*v));
    uint32_t count = 0;
    if (!v) {
        return WEDR_E_LIMIT;
    }
    wedr_waza_advance(p);
    while (p->token.kind != WAZA_LIST_END) {
        if (p->token.kind != WAZA_STRING && p->token.kind != WAZA_WORD &&
            p->token.kind != WAZA_NUMBER) {
            return wedr_waza_expected(p, "a text (in quotes unless it is a word)");
        }
        if (count == cap) {
            struct wedr_text *more = wedr_waza_alloc(r->source, (size_t)cap * 2 * sizeof(*v));
            if (!more) {
                return WEDR_E_LIMIT;
            }
            memcpy(more, v, cap * sizeof(*v));
            v = more;
            cap *= 2;
        }
        v[count++] = p->token.kind == WAZA_STRING ? p->token.text
                                                  : wedr_waza_slice(r->source, p->token.span);
        wedr_waza_advance(p);
        if (p->token.kind == WAZA_COMMA) {
            wedr_waza_advance(p);
        } else if (p->token.kind != WAZA_LIST_END) {
            return wedr_waza_expected(p, "',' or ']'");
        }
    }
    wedr_waza_advance(p);
    if (p->token.kind != WAZA_END) {
        return wedr_waza_expected(p, "the end of the line");
    }
    ret->v = v;
    ret->count = count;
    return WEDR_OK;
}

static int flag(struct wedr_waza_reader *r,
                const struct setting *s,
                struct wedr_text value,
                struct wedr_waza_span at)
{
    bool yes = wedr_waza_is(value, "true");
    bool *to = (void *)((char *)r->group + s->offset);
    if (!yes && !wedr_waza_is(value, "false")) {
        return wedr_waza_fail(r->source, at, WEDR_E_FORMAT, "%s is true or false", s->word);
    }
    *to = s->offset == offsetof(struct wedr_waza_group, disabled) ? !yes : yes;
    return WEDR_OK;
}

static int include(struct wedr_waza_reader *r, struct wedr_text value, struct wedr_waza_span at)
{
    struct wedr_waza_include *i = wedr_waza_alloc(r->source, sizeof(*i));
    if (value.len == 0 || value.p[0] != '"') {
        return wedr_waza_fail(r->source, at, WEDR_E_FORMAT, "include needs a \"path\"");
    }
    int e = i ? item(r, value, &i->path) : WEDR_E_LIMIT;
    if (e < 0) {
        return e;
    }
    if (++r->file->include_count > WEDR_WAZA_INCLUDES_MAX) {
        return wedr_waza_fail(r->source, at, WEDR_E_LIMIT, "more than %u includes",
                              WEDR_WAZA_INCLUDES_MAX);
    }
    i->span = at;
    if (r->file->includes_last) {
        r->file->includes_last->next = i;
    } else {
        r->file->includes = i;
    }
    r->file->includes_last = i;
    return WEDR_OK;
}

static int scope(struct wedr_waza_reader *r, struct wedr_text value, struct wedr_waza_span at)
{
    r->group->server = wedr_waza_is(value, "server");
    return r->group->server || wedr_waza_is(value, "agent")
               ? WEDR_OK
               : wedr_waza_fail(r->source, at, WEDR_E_FORMAT, "scope is agent or server");
}

static int compat(struct wedr_waza_reader *r, struct wedr_text value, struct wedr_waza_span at)
{
    bool v1 = wedr_waza_is(value, "v1");
    if (!v1 && !wedr_waza_is(value, "v2")) {
        return wedr_waza_fail(r->source, at, WEDR_E_FORMAT, "compat is v1 or v2");
    }
    if (r->group) {
        r->group->v1 = v1;
    } else {
        r->file->v1 = v1;
    }
    return WEDR_OK;
}

/* Values that are read as they stand up to the comment. */
static int plain(struct wedr_waza_reader *r,
                 const struct setting *s,
                 struct wedr_text value,
                 struct wedr_waza_span at)
{
    struct wedr_waza_group *g = r->group;
    switch (s->kind) {
    case WINDOW:
        return wedr_waza_duration(value, &g->window_ms)
                   ? WEDR_OK
                   : wedr_waza_fail(r->source, at, WEDR_E_FORMAT, "bad window '%.*s'",
                                    WEDR_WAZA_SHOWN(value));
    case THROTTLE:
        return throttle(value, &g->throttle_count, &g->throttle_ms)
                   ? WEDR_OK
                   : wedr_waza_fail(r->source, at, WEDR_E_FORMAT, "bad throttle '%.*s'",
                                    WEDR_WAZA_SHOWN(value));
    case INCLUDE:
        return include(r, value, at);
    case SEVERITY:
        return wedr_severity_parse(value.p, value.len, &g->severity) == WEDR_OK
                   ? WEDR_OK
                   : wedr_waza_fail(r->source, at, WEDR_E_FORMAT,
                                    "severity is informational, low, medium, high or critical");
    case FLAG:
        return flag(r, s, value, at);
    case SCOPE:
        return scope(r, value, at);
    case COMPAT:
        return compat(r, value, at);
    case SOURCE:
        return split(r, value, &g->sources);
    case TEXTS:
        if (s->offset == offsetof(struct wedr_waza_group, tags)) {
            return split(r, value, &g->tags);
        }
        struct wedr_text_list *list = (void *)((char *)g + s->offset);
        struct wedr_text *one = wedr_waza_alloc(r->source, sizeof(*one));
        list->v = one;
        list->count = one ? 1 : 0;
        return one ? item(r, value, one) : WEDR_E_LIMIT;
    default:
        return item(r, value, (void *)((char *)g + s->offset));
    }
}

static void allowed(struct wedr_waza_reader *r, const struct setting *s, struct wedr_waza_span at)
{
    uint32_t bit = UINT32_C(1) << (s - settings);
    bool many = s->kind == INCLUDE || (s->kind == FORM && s->follows == NAMED);
    if (r->group && !many) {
        if (r->group->seen & bit) {
            wedr_waza_warn(r->source, at, "'%s' is given twice, the last one counts", s->word);
        }
        r->group->seen |= bit;
    }
}

bool wedr_waza_setting(struct wedr_waza_reader *r, struct wedr_waza_span content)
{
    const struct setting *s = find(r->source, content);
    if (!s) {
        return false;
    }
    uint32_t n = (uint32_t)strlen(s->word);
    struct wedr_text value = behind(wedr_waza_slice(r->source, content), n);
    struct wedr_waza_span word = {content.at, n};
    bool tokens = s->kind == FORM;
    bool here = s->where == EVERYWHERE || (r->group && r->section == 1);
    uint32_t errors = r->source->errors;
    if (value.len > 0 && value.p[0] == ':' && s->follows != NAMED) {
        value = behind(value, 1);
    }
    tokens = tokens || (s->kind == TEXTS && value.len > 0 && value.p[0] == '[');
    struct wedr_waza_span at = {(uint32_t)(value.p - r->source->text), value.len};
    uint32_t end = wedr_waza_line_end(r->source, r->at);
    uint32_t next = end < r->source->len ? end + 1 : end;
    if (here) {
        allowed(r, s, word);
    } else {
        (void)wedr_waza_fail(r->source, word, WEDR_E_FORMAT,
                             "'%s:' only valid inside a Detection group", s->word);
    }
    if (tokens) {
        struct wedr_waza_parser p = wedr_waza_parser_at(r, at.at);
        if (here) {
            (void)(s->kind == FORM
                       ? wedr_waza_read_form(r, &p, (enum wedr_waza_form)s->offset, content)
                       : texts(r, &p, (void *)((char *)r->group + s->offset)));
        }
        next = wedr_waza_skip(&p.lexer);
    } else if (here) {
        (void)plain(r, s, value, at);
    }
    if (r->group && r->source->errors > errors) {
        r->group->bad = true;
    }
    wedr_waza_keep(r,
                   s->kind == INCLUDE ? WAZA_S_INCLUDE
                   : tokens           ? WAZA_S_TOKENS
                                      : WAZA_S_TEXT,
                   wedr_waza_depth(r), content.at, next);
    r->at = next;
    return true;
}
