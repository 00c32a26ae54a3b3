/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/field.c — what a path names: an event variable and a field of the event's line. */
#include "core/base/err.h"
#include "waza/compiler.h"
#include <string.h>

#define NAME_MAX 255u /* bytes of a field's name in a ruleset */

const struct wedr_waza_var *wedr_waza_var(const struct wedr_waza_compiler *c, uint32_t var)
{
    return WEDR_VEC_AT(const struct wedr_waza_var, c->vars, var);
}

static bool same(struct wedr_text a, struct wedr_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool wedr_waza_same_event(const struct wedr_waza_event *a, const struct wedr_waza_event *b)
{
    return a->kind == b->kind && same(a->module, b->module) && same(a->type, b->type) &&
           same(a->source, b->source) && same(a->name, b->name);
}

/* parts[from, to) joined by dots, behind a prefix. */
static int join(struct wedr_waza_compiler *c,
                const struct wedr_waza_path *path,
                const char *prefix,
                uint32_t from,
                uint32_t to,
                struct wedr_text *ret_text)
{
    size_t len = strlen(prefix);
    for (uint32_t i = from; i < to; i++) {
        len += path->parts[i].len + 1u;
    }
    char *p = wedr_waza_alloc(c->source, len + 1);
    if (!p) {
        return WEDR_E_LIMIT;
    }
    size_t n = strlen(prefix);
    memcpy(p, prefix, n);
    for (uint32_t i = from; i < to; i++) {
        if (i > from) {
            p[n++] = '.';
        }
        memcpy(p + n, path->parts[i].p, path->parts[i].len);
        n += path->parts[i].len;
    }
    *ret_text = wedr_text(p, n);
    return WEDR_OK;
}

static bool ends(struct wedr_text t, const char *with)
{
    size_t n = strlen(with);
    return t.len > n && memcmp(t.p + t.len - n, with, n) == 0;
}

static bool has_field(const struct wedr_type_info *info, struct wedr_text t, bool process)
{
    static const char *const behind[] = {"_hex", "_cut", "_code"};
    for (size_t i = 0; i < info->field_count; i++) {
        if (wedr_waza_is(t, process ? info->fields[i].process_key : info->fields[i].name)) {
            return true;
        }
    }
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(behind); i++) {
        if (ends(t, behind[i]) &&
            has_field(info, wedr_text(t.p, t.len - strlen(behind[i])), process)) {
            return true;
        }
    }
    return false;
}

static void check_field(struct wedr_waza_compiler *c,
                        const struct wedr_waza_path *path,
                        const struct wedr_waza_event *event,
                        struct wedr_text field)
{
    if (c->w->options.no_schema || path->any) {
        return;
    }
    bool ours =
        wedr_waza_is(event->module, "kernel_callback") || wedr_waza_is(event->module, "agent");
    if (!event->info && ours) {
        wedr_waza_warn(c->source, path->span, "unknown event type '%.*s.%.*s'",
                       WEDR_WAZA_SHOWN(event->module), WEDR_WAZA_SHOWN(event->type));
    }
    if (!event->info || memchr(field.p + 4, '.', field.len > 4 ? field.len - 4 : 0)) {
        return;
    }
    if (memcmp(field.p, "raw.", 4) == 0 &&
        !has_field(event->info, wedr_text(field.p + 4, field.len - 4), false)) {
        wedr_waza_warn(c->source, path->span, "'%.*s' has no field '%.*s'",
                       WEDR_WAZA_SHOWN(event->type),
                       WEDR_WAZA_SHOWN(wedr_text(field.p + 4, field.len - 4)));
    }
}

/* module.event_type.field; parts before `last` name the event. */
static int split_type(struct wedr_waza_compiler *c,
                      const struct wedr_waza_path *path,
                      struct wedr_waza_event *event,
                      struct wedr_text *ret_field)
{
    uint32_t n = path->count;
    if (n < 3 || path->key < 2) {
        return wedr_waza_fail(c->source, path->span, WEDR_E_FORMAT,
                              "invalid field path '%.*s': module.event_type.field was expected",
                              WEDR_WAZA_SHOWN(wedr_waza_slice(c->source, path->span)));
    }
    const struct wedr_type_info *info = wedr_type_by_name(path->parts[1].p, path->parts[1].len);
    bool known = info && wedr_waza_is(path->parts[0], info->module);
    bool line = path->key < n; /* a key of the event's line, not of raw */
    uint32_t from = line ? path->key : known ? 2 : n - 1;
    if (known && !line && n > 3) {
        line = wedr_waza_is(path->parts[2], "process") || wedr_waza_is(path->parts[2], "host");
    }
    event->kind = WAZA_EVENT_TYPE;
    event->module = path->parts[0];
    event->info = known && from == 2 ? info : NULL;
    int e = join(c, path, "", 1, from, &event->type);
    return e < 0 ? e : join(c, path, line ? "" : "raw.", from, n, ret_field);
}

/* The variable of that event in the line at hand, made when there is none. */
static int variable(struct wedr_waza_compiler *c,
                    const struct wedr_waza_event *event,
                    struct wedr_waza_span span,
                    const struct wedr_waza_label *label,
                    uint32_t *ret_var)
{
    for (uint32_t i = c->scope; !label && i < c->vars.count; i++) {
        const struct wedr_waza_var *v = wedr_waza_var(c, i);
        if (!v->label && wedr_waza_same_event(&v->event, event)) {
            *ret_var = i;
            return WEDR_OK;
        }
    }
    if (c->vars.count >= WEDR_WAZA_VARS_MAX) {
        return wedr_waza_fail(c->source, span, WEDR_E_LIMIT, "too many events in one group");
    }
    struct wedr_waza_var v = {*event, label, span};
    *ret_var = (uint32_t)c->vars.count;
    int e = wedr_vec_push(&c->w->pool, &c->vars, &v, 1, sizeof(v));
    return e < 0 ? wedr_waza_fail(c->source, span, e, "%s", wedr_err_text(e)) : WEDR_OK;
}

static int
find_rule(struct wedr_waza_compiler *c, struct wedr_waza_event *event, struct wedr_waza_span span)
{
    event->kind = WAZA_EVENT_RULE;
    event->rule = wedr_ruleset_rule_find(c->rs, event->name.p, event->name.len);
    return event->rule != WEDR_IR_NONE
               ? WEDR_OK
               : wedr_waza_fail(c->source, span, WEDR_E_NOENT, "rule '%.*s' is not there",
                                WEDR_WAZA_SHOWN(event->name));
}

static int label_event(struct wedr_waza_compiler *c,
                       const struct wedr_waza_label *l,
                       struct wedr_waza_event *event)
{
    event->kind = l->kind;
    if (l->kind == WAZA_EVENT_RULE) {
        event->name = l->text;
        return find_rule(c, event, l->span);
    }
    if (l->kind == WAZA_EVENT_SOURCE) {
        event->source = l->text;
        return WEDR_OK;
    }
    const struct wedr_waza_path *p = l->path;
    const struct wedr_type_info *info = wedr_type_by_name(p->parts[1].p, p->parts[1].len);
    event->module = p->parts[0];
    event->info = p->count == 2 && info && wedr_waza_is(p->parts[0], info->module) ? info : NULL;
    return join(c, p, "", 1, p->count, &event->type);
}

static int label_variable(struct wedr_waza_compiler *c,
                          struct wedr_text name,
                          struct wedr_waza_span span,
                          uint32_t *ret_var)
{
    uint32_t number = 0;
    for (const struct wedr_waza_label *l = c->group->labels; l; l = l->next, number++) {
        if (!same(l->name, name)) {
            continue;
        }
        struct wedr_waza_event event = {0};
        int e = c->labels[number] ? WEDR_OK : label_event(c, l, &event);
        if (e == WEDR_OK && !c->labels[number]) {
            e = variable(c, &event, span, l, ret_var);
            c->labels[number] = e < 0 ? 0 : *ret_var + 1;
        }
        *ret_var = c->labels[number] - 1;
        return e;
    }
    return wedr_waza_fail(c->source, span, WEDR_E_NOENT,
                          "no event is called '%.*s' (event NAME: ... names one)",
                          WEDR_WAZA_SHOWN(name));
}

int wedr_waza_resolve_event(struct wedr_waza_compiler *c,
                            const struct wedr_waza_expr *x,
                            uint32_t *ret_var)
{
    if (!x->is_rule) {
        return label_variable(c, x->name, x->span, ret_var);
    }
    struct wedr_waza_event event = {.name = x->name};
    int e = find_rule(c, &event, x->span);
    return e < 0 ? e : variable(c, &event, x->span, NULL, ret_var);
}

int wedr_waza_resolve(struct wedr_waza_compiler *c,
                      const struct wedr_waza_path *path,
                      uint32_t *ret_var,
                      uint32_t *ret_field)
{
    struct wedr_waza_event event = {0};
    struct wedr_text field = {NULL, 0};
    int e = WEDR_OK;
    bool typed = !path->label.p && !c->group->sources.v;
    if (path->label.p) {
        e = label_variable(c, path->label, path->span, ret_var);
        if (e == WEDR_OK) {
            event = wedr_waza_var(c, *ret_var)->event;
            bool line = event.kind != WAZA_EVENT_TYPE || path->key == 0 ||
                        wedr_waza_is(path->parts[0], "process") ||
                        wedr_waza_is(path->parts[0], "host");
            e = join(c, path, line ? "" : "raw.", 0, path->count, &field);
        }
    } else if (typed) {
        e = split_type(c, path, &event, &field);
    } else {
        event.kind = WAZA_EVENT_SOURCE;
        e = join(c, path, "", 0, path->count, &field);
    }
    e = e < 0 || path->label.p ? e : variable(c, &event, path->span, NULL, ret_var);
    if (e < 0) {
        return e;
    }
    if (event.kind == WAZA_EVENT_TYPE) {
        check_field(c, path, &event, field);
    }
    if (path->any) {
        *ret_field = WEDR_FIELD_ANY;
        return WEDR_OK;
    }
    if (field.len > NAME_MAX) {
        return wedr_waza_fail(c->source, path->span, WEDR_E_LIMIT,
                              "the name of a field is too long");
    }
    e = wedr_ruleset_field(c->rs, field.p, field.len, ret_field);
    return e < 0 ? wedr_waza_refused(c, path->span, e, NULL) : WEDR_OK;
}
