/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/group.c — settings that are made of tokens: how lines combine, by what they are
 * grouped, exceptions, named events and lists. */
#include "core/base/err.h"
#include "waza/syntax.h"
#include <string.h>

static int done(struct wedr_waza_parser *p)
{
    return p->token.kind == WAZA_END ? WEDR_OK : wedr_waza_expected(p, "the end of the line");
}

/* PATH | PATH, PATH */
static int read_keys(struct wedr_waza_reader *r, struct wedr_waza_parser *p)
{
    struct wedr_waza_group *g = r->group;
    g->key_count = 0;
    for (;;) {
        if (g->key_count == WEDR_WAZA_KEYS_MAX) {
            return wedr_waza_fail(r->source, p->token.span, WEDR_E_LIMIT, "more than %u fields",
                                  WEDR_WAZA_KEYS_MAX);
        }
        struct wedr_waza_key *key = &g->keys[g->key_count];
        key->count = 0;
        key->paths = wedr_waza_alloc(r->source, WEDR_WAZA_LABELS_MAX * sizeof(void *));
        if (!key->paths) {
            return WEDR_E_LIMIT;
        }
        do {
            if (key->count > 0) {
                wedr_waza_advance(p);
            }
            if (p->token.kind != WAZA_WORD || p->token.path->count == 0 || p->token.path->any ||
                key->count == WEDR_WAZA_LABELS_MAX) {
                return wedr_waza_expected(p, "a field");
            }
            key->paths[key->count++] = p->token.path;
            wedr_waza_advance(p);
        } while (p->token.kind == WAZA_OR);
        g->key_count++;
        if (p->token.kind != WAZA_COMMA) {
            return done(p);
        }
        wedr_waza_advance(p);
    }
}

/* by KEYS at the end of a line, with a colon or without. */
static int optional_keys(struct wedr_waza_reader *r, struct wedr_waza_parser *p)
{
    if (!wedr_waza_word(&p->token, "by")) {
        return done(p);
    }
    wedr_waza_advance(p);
    if (p->token.kind == WAZA_COLON) {
        wedr_waza_advance(p);
    }
    return read_keys(r, p);
}

/* OP N [&& OP N] */
static int read_limits(struct wedr_waza_reader *r, struct wedr_waza_parser *p)
{
    static const uint8_t ops[] = {
        [WAZA_EQ] = WEDR_OP_EQ, [WAZA_NE] = WEDR_OP_NE, [WAZA_LT] = WEDR_OP_LT,
        [WAZA_LE] = WEDR_OP_LE, [WAZA_GT] = WEDR_OP_GT, [WAZA_GE] = WEDR_OP_GE};
    struct wedr_waza_group *g = r->group;
    g->limit_count = 0;
    for (;;) {
        uint8_t kind = p->token.kind;
        if ((kind != WAZA_EQ && kind != WAZA_NE && (kind < WAZA_LT || kind > WAZA_GE)) ||
            g->limit_count == WEDR_ARRAY_COUNT(g->limits)) {
            return wedr_waza_expected(p, "a comparison like >= 5 (two at most)");
        }
        wedr_waza_advance(p);
        if (p->token.kind != WAZA_NUMBER || p->token.number.kind != WEDR_NUMBER_I64 ||
            p->token.number.v.i < 0) {
            return wedr_waza_expected(p, "a count");
        }
        int64_t most = g->mode == WAZA_COUNT ? WEDR_IR_COUNT_MAX : WEDR_IR_DISTINCT_MAX;
        if (p->token.number.v.i > most) {
            return wedr_waza_fail(r->source, p->token.span, WEDR_E_LIMIT, "at most %lld",
                                  (long long)most);
        }
        struct wedr_correlation_limit *l = &g->limits[g->limit_count++];
        l->op = ops[kind];
        l->number = p->token.number;
        wedr_waza_advance(p);
        if (p->token.kind != WAZA_AND) {
            return WEDR_OK;
        }
        wedr_waza_advance(p);
    }
}

static int
read_mode(struct wedr_waza_reader *r, struct wedr_waza_parser *p, enum wedr_waza_form form)
{
    static const uint8_t modes[] = {[WAZA_F_COUNT] = WAZA_COUNT,
                                    [WAZA_F_DISTINCT] = WAZA_DISTINCT,
                                    [WAZA_F_SEQUENCE] = WAZA_SEQUENCE,
                                    [WAZA_F_ALL] = WAZA_ALL};
    struct wedr_waza_group *g = r->group;
    if (g->mode != WAZA_ANY && g->mode != modes[form]) {
        return wedr_waza_fail(r->source, g->mode_span, WEDR_E_FORMAT,
                              "a group has one of count, distinct, sequence and all");
    }
    g->mode = modes[form];
    if (form == WAZA_F_DISTINCT) {
        if (p->token.kind != WAZA_WORD || p->token.path->count == 0 || p->token.path->any) {
            return wedr_waza_expected(p, "the field whose values are counted");
        }
        g->value = p->token.path;
        wedr_waza_advance(p);
    }
    bool limits = form == WAZA_F_COUNT || form == WAZA_F_DISTINCT ||
                  (form == WAZA_F_ALL && p->token.kind >= WAZA_EQ && p->token.kind <= WAZA_GE);
    int e = limits ? read_limits(r, p) : WEDR_OK;
    return e < 0 ? e : optional_keys(r, p);
}

/* NAME: or "NAME": or, for an exception, just the colon. */
static int
read_name(struct wedr_waza_parser *p, struct wedr_text *ret_name, struct wedr_waza_span *at)
{
    *at = p->token.span;
    if (p->token.kind == WAZA_STRING) {
        *ret_name = p->token.text;
        wedr_waza_advance(p);
    } else if (p->token.kind == WAZA_WORD && p->token.path->count == 1 && !p->token.path->label.p &&
               !p->token.path->any) {
        *ret_name = p->token.path->parts[0];
        wedr_waza_advance(p);
    } else {
        *ret_name = wedr_text("", 0);
    }
    if (p->token.kind != WAZA_COLON) {
        return wedr_waza_expected(p, "a name and ':'");
    }
    wedr_waza_advance(p);
    return WEDR_OK;
}

static int read_exception(struct wedr_waza_reader *r, struct wedr_waza_parser *p)
{
    struct wedr_waza_line *line = wedr_waza_alloc(r->source, sizeof(*line));
    int e = line ? read_name(p, &line->name, &line->span) : WEDR_E_LIMIT;
    if (e < 0) {
        return e;
    }
    line->expr = wedr_waza_expression(p);
    wedr_waza_add_line(&r->group->exceptions, line);
    return line->expr ? WEDR_OK : WEDR_E_FORMAT;
}

/* event NAME: module.event_type | source CLASS | rule "id" */
static int read_event(struct wedr_waza_reader *r, struct wedr_waza_parser *p)
{
    struct wedr_waza_group *g = r->group;
    struct wedr_waza_label *label = wedr_waza_alloc(r->source, sizeof(*label));
    int e = label ? read_name(p, &label->name, &label->span) : WEDR_E_LIMIT;
    if (e < 0) {
        return e;
    }
    if (label->name.len == 0) {
        return wedr_waza_fail(r->source, label->span, WEDR_E_FORMAT, "an event needs a name");
    }
    for (const struct wedr_waza_label *l = g->labels; l; l = l->next) {
        if (wedr_text_equal(l->name, label->name, true)) {
            return wedr_waza_fail(r->source, label->span, WEDR_E_EXIST, "duplicate event '%.*s'",
                                  WEDR_WAZA_SHOWN(label->name));
        }
    }
    if (g->label_count == WEDR_WAZA_LABELS_MAX) {
        return wedr_waza_fail(r->source, label->span, WEDR_E_LIMIT, "more than %u events",
                              WEDR_WAZA_LABELS_MAX);
    }
    struct wedr_waza_token after = wedr_waza_peek(p);
    bool rule = wedr_waza_word(&p->token, "rule") && after.kind == WAZA_STRING;
    bool source = wedr_waza_word(&p->token, "source") && after.kind == WAZA_STRING;
    label->kind = rule ? WAZA_EVENT_RULE : source ? WAZA_EVENT_SOURCE : WAZA_EVENT_TYPE;
    if (rule || source) {
        wedr_waza_advance(p);
        label->text = p->token.text;
    } else if (p->token.kind != WAZA_WORD || p->token.path->count < 2 || p->token.path->label.p) {
        return wedr_waza_expected(p, "module.event_type, source \"...\" or rule \"...\"");
    } else {
        label->path = p->token.path;
    }
    wedr_waza_advance(p);
    if (g->labels_last) {
        g->labels_last->next = label;
    } else {
        g->labels = label;
    }
    g->labels_last = label;
    g->label_count++;
    return done(p);
}

static int read_list(struct wedr_waza_reader *r, struct wedr_waza_parser *p)
{
    struct wedr_waza_named *list = wedr_waza_alloc(r->source, sizeof(*list));
    struct wedr_waza_span at;
    int e = list ? read_name(p, &list->name, &at) : WEDR_E_LIMIT;
    if (e < 0) {
        return e;
    }
    for (const struct wedr_waza_named *l = r->file->lists; l; l = l->next) {
        if (wedr_text_equal(l->name, list->name, true)) {
            return wedr_waza_fail(r->source, at, WEDR_E_EXIST, "duplicate list '%.*s'",
                                  WEDR_WAZA_SHOWN(list->name));
        }
    }
    if (++r->file->list_count > WEDR_WAZA_LISTS_MAX) {
        return wedr_waza_fail(r->source, at, WEDR_E_LIMIT, "more than %u lists",
                              WEDR_WAZA_LISTS_MAX);
    }
    if (p->token.kind != WAZA_LIST || list->name.len == 0) {
        return wedr_waza_expected(p, "a name, ':' and a list [...]");
    }
    e = wedr_waza_list(p, &list->first, &list->count);
    if (e < 0) {
        return e;
    }
    list->next = r->file->lists;
    r->file->lists = list;
    return done(p);
}

static int read_entity(struct wedr_waza_reader *r, struct wedr_waza_parser *p)
{
    if (p->token.kind == WAZA_COLON) {
        wedr_waza_advance(p);
    }
    if (p->token.kind != WAZA_WORD || p->token.path->count == 0 || p->token.path->any) {
        return wedr_waza_expected(p, "a field");
    }
    r->group->entity = p->token.path;
    wedr_waza_advance(p);
    return done(p);
}

int wedr_waza_read_form(struct wedr_waza_reader *r,
                        struct wedr_waza_parser *p,
                        enum wedr_waza_form form,
                        struct wedr_waza_span content)
{
    switch (form) {
    case WAZA_F_BY:
        return read_keys(r, p);
    case WAZA_F_EXCEPTION:
        return read_exception(r, p);
    case WAZA_F_EVENT:
        return read_event(r, p);
    case WAZA_F_LIST:
        return read_list(r, p);
    case WAZA_F_ENTITY:
        return read_entity(r, p);
    default:
        r->group->mode_span = content;
        return read_mode(r, p, form);
    }
}
