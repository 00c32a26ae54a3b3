/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/write_text.c — texts, names, regexes and numbers as the lexer reads them. */
#include "core/base/err.h"
#include "waza/write.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REGEX_MAX 4096u /* bytes of one that has to be written with escapes */

int wedr_waza_no_form(struct wedr_waza_writer *w, const char *what)
{
    if (w->err == WEDR_OK) {
        w->err = wedr_fail(w->ei, WEDR_E_UNSUP, "no text form: %s", what);
    }
    return w->err;
}

static bool has(struct wedr_text t, const char *any, bool control)
{
    for (uint32_t i = 0; i < t.len; i++) {
        uint8_t c = (uint8_t)t.p[i];
        if ((control && c < ' ' && c != '\n' && c != '\t') || (control && c == 0x7F) ||
            (c != 0 && strchr(any, c))) {
            return true;
        }
    }
    return false;
}

static void put_escaped(struct wedr_waza_writer *w, struct wedr_text t)
{
    for (uint32_t i = 0; i < t.len; i++) {
        uint8_t c = (uint8_t)t.p[i];
        if (c == '"' || c == '\\') {
            wedr_buf_addf(w->out, "\\%c", c);
        } else if (c == '\n' || c == '\t') {
            wedr_buf_adds(w->out, c == '\n' ? "\\n" : "\\t");
        } else if (c < ' ' || c == 0x7F) {
            wedr_buf_addf(w->out, "\\x%02x", c);
        } else {
            wedr_buf_add(w->out, &t.p[i], 1);
        }
    }
}

void wedr_waza_put_text(struct wedr_waza_writer *w, struct wedr_text t, bool plain)
{
    bool raw = !plain && has(t, "\\", false) && !has(t, "'\"#\n\t", true);
    if (raw) { /* paths of Windows stay readable */
        wedr_buf_adds(w->out, "'");
        wedr_buf_add(w->out, t.p, t.len);
        wedr_buf_adds(w->out, "'");
        return;
    }
    wedr_buf_adds(w->out, has(t, "", true) ? "e\"" : "\"");
    put_escaped(w, t);
    wedr_buf_adds(w->out, "\"");
}

static bool is_bare(const char *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        char c = p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(c >= '0' && c <= '9' && i > 0)) {
            return false;
        }
    }
    return n > 0;
}

/* Words that mean something where a field may stand. */
static bool is_reserved(struct wedr_text t)
{
    static const char *const words[] = {
        "true",   "false",     "rule",    "all",    "count", "distinct", "sequence",
        "window", "throttle",  "include", "by",     "list",  "of",       "domains",
        "words",  "networks",  "minute",  "hour",   "day",   "week",     "month",
        "year",   "exception", "event",   "source", "e"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(words); i++) {
        if (wedr_text_equal(t, wedr_text(words[i], strlen(words[i])), true)) {
            return true;
        }
    }
    return false;
}

void wedr_waza_put_name(struct wedr_waza_writer *w, struct wedr_text name)
{
    uint32_t begin = 0;
    uint32_t parts = 0;
    bool bare = name.len > 0 && !is_reserved(name);
    for (uint32_t i = 0; bare && i <= name.len; i++) {
        if (i == name.len || name.p[i] == '.') {
            bare = is_bare(name.p + begin, i - begin) && ++parts < 32;
            begin = i + 1;
        }
    }
    if (bare) {
        wedr_buf_add(w->out, name.p, name.len);
        return;
    }
    if (has(name, "\n\t", true)) {
        (void)wedr_waza_no_form(w, "the name of a field with control characters");
    }
    wedr_buf_adds(w->out, "@\"");
    put_escaped(w, name);
    wedr_buf_adds(w->out, "\"");
}

void wedr_waza_put_field(struct wedr_waza_writer *w, uint32_t field)
{
    if (field == WEDR_FIELD_ANY) {
        wedr_buf_adds(w->out, "*");
    } else {
        wedr_waza_put_name(w, wedr_ruleset_field_name(w->rs, field));
    }
}

/* \Q...\E takes backslashes literally: what has to be escaped cannot be inside of it. */
static bool is_hard(struct wedr_text t)
{
    bool quotes = false;
    for (uint32_t i = 0; i + 1 < t.len; i++) {
        if (t.p[i] == '\\') {
            i++;
            quotes = quotes || t.p[i] == 'Q';
        }
    }
    return quotes && (has(t, "/\n", true));
}

/* Control characters as escapes, / hidden. A backslash in front of one goes. */
static void put_pattern(struct wedr_waza_writer *w, struct wedr_text t)
{
    for (uint32_t i = 0; i < t.len; i++) {
        bool escaped = t.p[i] == '\\' && i + 1 < t.len;
        uint8_t c = (uint8_t)t.p[i + escaped];
        i += escaped;
        if (c < ' ' || c == 0x7F) {
            wedr_buf_addf(w->out, "\\x%02x", c);
        } else if (c == '/') {
            wedr_buf_adds(w->out, "\\/");
        } else {
            if (escaped) {
                wedr_buf_adds(w->out, "\\");
            }
            wedr_buf_add(w->out, &t.p[i], 1);
        }
    }
}

void wedr_waza_put_regex(struct wedr_waza_writer *w, struct wedr_text t, uint8_t flags)
{
    const char *i = flags & WEDR_PRED_RE_I ? "i" : "";
    const char *m = flags & WEDR_PRED_RE_M ? "m" : "";
    const char *s = flags & WEDR_PRED_RE_S ? "s" : "";
    if (!is_hard(t)) {
        wedr_buf_adds(w->out, "/");
        put_pattern(w, t);
        wedr_buf_addf(w->out, "/%s%s%s", i, m, s);
        return;
    }
    char pattern[REGEX_MAX];
    int n = flags ? snprintf(pattern, sizeof(pattern), "(?%s%s%s)", i, m, s) : 0;
    if (n < 0 || t.len >= REGEX_MAX - 16 || memchr(t.p, '\0', t.len)) {
        (void)wedr_waza_no_form(w, "a regular expression with \\Q and control characters");
        return;
    }
    memcpy(pattern + n, t.p, t.len);
    wedr_waza_put_text(w, wedr_text(pattern, (size_t)n + t.len), true);
}

void wedr_waza_put_number(struct wedr_waza_writer *w, struct wedr_number n)
{
    char text[512];
    struct wedr_number back;
    if (n.kind == WEDR_NUMBER_I64) {
        wedr_buf_addf(w->out, "%" PRId64, n.v.i);
        return;
    }
    if (n.kind == WEDR_NUMBER_U64) {
        wedr_buf_addf(w->out, "%" PRIu64, n.v.u);
        return;
    }
    int len = snprintf(text, sizeof(text), "%.17g", n.v.f);
    if (strchr(text, 'e')) { /* the language has no exponents */
        len = snprintf(text, sizeof(text), "%.60f", n.v.f);
    }
    if (len < 0 || (size_t)len >= sizeof(text) - 3 ||
        wedr_number_parse(text, (size_t)len, &back) < 0 || wedr_number_compare(back, n) != 0) {
        (void)wedr_waza_no_form(w, "a number that is too large or too small");
        return;
    }
    wedr_buf_addf(w->out, "%s%s", text, strchr(text, '.') ? "" : ".0");
}

void wedr_waza_put_net(struct wedr_waza_writer *w, const struct wedr_net *n)
{
    wedr_buf_adds(w->out, "\"");
    for (unsigned i = 0; i < (n->family == 4 ? 4u : 16u); i++) {
        if (n->family == 4) {
            wedr_buf_addf(w->out, "%s%u", i ? "." : "", n->addr[i]);
        } else {
            wedr_buf_addf(w->out, "%s%02x", i && i % 2 == 0 ? ":" : "", n->addr[i]);
        }
    }
    wedr_buf_addf(w->out, "/%u\"", n->bits);
}
