/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/parse.c — lines to sections and groups. No error ends it. */
#include "core/base/err.h"
#include "waza/syntax.h"
#include <string.h>

static bool same_letters(struct wedr_text t, const char *word)
{
    return wedr_text_equal(t, wedr_text(word, strlen(word)), false);
}

/* --- Statements for the formatter, and moving on. */

void wedr_waza_keep(
    struct wedr_waza_reader *r, uint8_t kind, uint8_t depth, uint32_t at, uint32_t next)
{
    struct wedr_waza_statement *s =
        r->file->keep_statements ? wedr_waza_alloc(r->source, sizeof(*s)) : NULL;
    if (!s) {
        return;
    }
    s->kind = kind;
    s->depth = depth;
    s->at = at;
    s->end = next > at && r->source->text[next - 1] == '\n' ? next - 1 : next;
    if (r->file->statements_last) {
        r->file->statements_last->next = s;
    } else {
        r->file->statements = s;
    }
    r->file->statements_last = s;
}

static uint32_t next_line(const struct wedr_waza_source *s, uint32_t at)
{
    uint32_t end = wedr_waza_line_end(s, at);
    return end < s->len ? end + 1 : end;
}

uint8_t wedr_waza_depth(const struct wedr_waza_reader *r)
{
    return r->group ? 2 : r->section ? 1 : 0;
}

/* --- Groups. */

struct group_key {
    struct wedr_waza_group *const *groups;
    struct wedr_text name;
    bool action;
};

static bool same_group(const void *ctx, uint32_t id)
{
    const struct group_key *k = ctx;
    const struct wedr_waza_group *g = k->groups[id];
    return g->action == k->action && g->name.len == k->name.len &&
           memcmp(g->name.p, k->name.p, k->name.len) == 0;
}

static struct wedr_waza_group *
find_group(const struct wedr_waza_reader *r, struct wedr_text name, bool action)
{
    struct group_key key = {r->groups, name, action};
    uint32_t id =
        wedr_index_find(&r->index, wedr_hash_bytes(name.p, name.len, action), same_group, &key);
    return id == WEDR_IR_NONE ? NULL : r->groups[id];
}

static int index_group(struct wedr_waza_reader *r, struct wedr_waza_group *g)
{
    if (r->group_count == r->group_cap) {
        uint32_t cap = r->group_cap ? r->group_cap * 2 : 64;
        struct wedr_waza_group **v = wedr_waza_alloc(r->source, cap * sizeof(void *));
        if (!v) {
            return WEDR_E_LIMIT;
        }
        if (r->group_count) {
            memcpy(v, r->groups, r->group_count * sizeof(void *));
        }
        r->groups = v;
        r->group_cap = cap;
    }
    r->groups[r->group_count] = g;
    int e = wedr_index_add(&r->pool, &r->index, wedr_hash_bytes(g->name.p, g->name.len, g->action),
                           r->group_count);
    r->group_count += e == WEDR_OK;
    return e;
}

static void
open_group(struct wedr_waza_reader *r, struct wedr_text name, struct wedr_waza_span span)
{
    struct wedr_waza_group *g = wedr_waza_alloc(r->source, sizeof(*g));
    r->group = NULL;
    if (!g) {
        return;
    }
    g->name = name;
    g->span = span;
    g->line = r->line;
    g->action = r->section == 2;
    g->window_ms = WEDR_WAZA_WINDOW_MS;
    g->severity = WEDR_SEVERITY_MEDIUM;
    g->consume = true;
    g->v1 = r->file->v1;
    if (r->section == 0) {
        g->bad = true;
        (void)wedr_waza_fail(r->source, span, WEDR_E_FORMAT, "group '%.*s' outside any section",
                             WEDR_WAZA_SHOWN(name));
    } else if (find_group(r, name, g->action)) {
        g->bad = true;
        (void)wedr_waza_fail(r->source, span, WEDR_E_EXIST, "duplicate %s group '%.*s'",
                             g->action ? "Action" : "Detection", WEDR_WAZA_SHOWN(name));
    } else {
        struct wedr_waza_group *other = find_group(r, name, !g->action);
        g->other = other;
        if (other) {
            other->other = g;
        }
        if (index_group(r, g) < 0) {
            r->source->full = true;
        }
    }
    if (r->file->groups_last) {
        r->file->groups_last->next = g;
    } else {
        r->file->groups = g;
    }
    r->file->groups_last = g;
    r->group = g;
}

/* --- Lines of groups. */

void wedr_waza_add_line(struct wedr_waza_lines *lines, struct wedr_waza_line *line)
{
    if (lines->last) {
        lines->last->next = line;
    } else {
        lines->first = line;
    }
    lines->last = line;
    lines->count++;
}

struct wedr_waza_parser wedr_waza_parser_at(struct wedr_waza_reader *r, uint32_t at)
{
    struct wedr_waza_parser p = {.source = r->source, .lexer = {.source = r->source, .at = at}};
    wedr_waza_advance(&p);
    return p;
}

static void condition(struct wedr_waza_reader *r, struct wedr_waza_span c)
{
    struct wedr_waza_parser p = wedr_waza_parser_at(r, c.at);
    struct wedr_waza_line *line = wedr_waza_alloc(r->source, sizeof(*line));
    uint32_t errors = r->source->errors;
    if (!r->group) {
        (void)wedr_waza_fail(r->source, c, WEDR_E_FORMAT, "condition outside any Detection group");
    } else if (line) {
        line->expr = wedr_waza_expression(&p);
        line->span.at = c.at;
        line->span.len = p.used > c.at ? p.used - c.at : c.len;
        wedr_waza_add_line(&r->group->lines, line);
        r->group->bad |= !line->expr || r->source->errors > errors;
    }
    r->at = wedr_waza_skip(&p.lexer);
    wedr_waza_keep(r, WAZA_S_CONDITION, wedr_waza_depth(r), c.at, r->at);
}

static void alert(struct wedr_waza_reader *r, struct wedr_waza_span c, struct wedr_text rest)
{
    struct wedr_waza_group *g = r->group;
    struct wedr_text text = rest;
    if (rest.len > 0 &&
        (rest.p[0] == '"' || (rest.len > 1 && rest.p[0] == 'e' && rest.p[1] == '"'))) {
        struct wedr_waza_lexer l = {.source = r->source,
                                    .at = (uint32_t)(rest.p - r->source->text)};
        struct wedr_waza_token t;
        wedr_waza_next(&l, &t);
        g->bad |= t.kind != WAZA_STRING;
        text = t.text;
    }
    if (g->actions & WEDR_ACTION_ALERT) {
        wedr_waza_warn(r->source, c, "a second alert of a group is not used");
    } else {
        g->message = text;
    }
    g->actions |= WEDR_ACTION_ALERT;
}

static void action(struct wedr_waza_reader *r, struct wedr_waza_span c)
{
    struct wedr_text t = wedr_waza_slice(r->source, c);
    uint32_t word = 0;
    uint32_t rest = 0;
    while (word < t.len && t.p[word] != ' ' && t.p[word] != '\t' && t.p[word] != '"') {
        word++;
    }
    rest = word;
    while (rest < t.len && (t.p[rest] == ' ' || t.p[rest] == '\t')) {
        rest++;
    }
    struct wedr_text name = wedr_text(t.p, word);
    if (!r->group) {
        (void)wedr_waza_fail(r->source, c, WEDR_E_FORMAT, "action outside any Action group");
        return;
    }
    r->group->statements++;
    if (wedr_waza_is(name, "log")) {
        r->group->actions |= WEDR_ACTION_LOG;
    } else if (wedr_waza_is(name, "alert")) {
        alert(r, c, wedr_text(t.p + rest, t.len - rest));
    } else if (wedr_waza_is(name, "kill") || wedr_waza_is(name, "killProcess") ||
               wedr_waza_is(name, "kill_process")) {
        r->group->actions |= WEDR_ACTION_KILL;
    } else {
        struct wedr_waza_span at = {c.at, word ? word : 1};
        r->group->bad = true;
        (void)wedr_waza_fail(r->source, at, WEDR_E_FORMAT,
                             "unknown action '%.*s' (log, alert \"text\" and kill are known)",
                             WEDR_WAZA_SHOWN(name));
    }
}

/* --- The file. */

static void line(struct wedr_waza_reader *r, struct wedr_waza_span c)
{
    struct wedr_text t = wedr_waza_slice(r->source, c);
    struct wedr_text name;
    uint32_t next = next_line(r->source, r->at);
    uint8_t kind = WAZA_S_ACTION;
    uint8_t depth = 1;
    if (same_letters(t, "detection:") || same_letters(t, "action:")) {
        r->section = t.len == 7 ? 2 : 1;
        r->group = NULL;
        kind = WAZA_S_SECTION;
        depth = 0;
    } else if (wedr_waza_setting(r, c)) {
        return;
    } else if (wedr_waza_header(r->source, c, &name)) {
        open_group(r, name, c);
        kind = WAZA_S_GROUP;
    } else if (r->section == 0) {
        (void)wedr_waza_fail(r->source, c, WEDR_E_FORMAT, "content outside any section");
    } else if (r->section == 1) {
        condition(r, c);
        return;
    } else {
        action(r, c);
        depth = wedr_waza_depth(r);
    }
    wedr_waza_keep(r, kind, depth, c.at, next);
    r->at = next;
}

/* Both sections of each group, neither of them empty. */
static void check_groups(const struct wedr_waza_reader *r)
{
    for (struct wedr_waza_group *g = r->file->groups; g; g = g->next) {
        if (g->bad) {
            continue;
        }
        bool none = !g->other;
        if (none) {
            (void)wedr_waza_fail(r->source, g->span, WEDR_E_FORMAT,
                                 "rule '%.*s' has %s group but no matching %s group",
                                 WEDR_WAZA_SHOWN(g->name), g->action ? "an Action" : "a Detection",
                                 g->action ? "Detection" : "Action");
        } else if (g->action ? g->statements == 0 : g->lines.count == 0) {
            (void)wedr_waza_fail(r->source, g->span, WEDR_E_FORMAT, "%s group '%.*s' is empty: %s",
                                 g->action ? "Action" : "Detection", WEDR_WAZA_SHOWN(g->name),
                                 g->action ? "it needs log, alert or kill"
                                           : "it needs a condition");
        }
        g->bad |= none || (g->action ? g->statements == 0 : g->lines.count == 0);
    }
}

void wedr_waza_parse(struct wedr_waza_file *f)
{
    struct wedr_waza_reader r = {.file = f, .source = &f->source, .line = 1};
    uint32_t counted = 0;
    if (f->source.len >= 3 && memcmp(f->source.text, "\xEF\xBB\xBF", 3) == 0) {
        r.at = counted = 3;
    }
    r.pool.memory_max = SIZE_MAX;
    while (r.at < f->source.len && !f->source.full) {
        for (; counted < r.at; counted++) {
            r.line += f->source.text[counted] == '\n';
        }
        struct wedr_waza_span c = wedr_waza_content(&f->source, r.at);
        if (c.len > 0) {
            line(&r, c);
        } else {
            r.at = next_line(&f->source, r.at);
        }
    }
    check_groups(&r);
    wedr_index_fini(&r.pool, &r.index);
    wedr_pool_fini(&r.pool);
}
