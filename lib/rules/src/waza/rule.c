/* SPDX-License-Identifier: Apache-2.0
 * rules/src/waza/rule.c — a group as one rule, when each of its alternatives looks at one event. */
#include "core/base/err.h"
#include "waza/alternative.h"
#include "waza/compiler.h"
#include <string.h>

static int refused(struct wedr_waza_compiler *c, int e)
{
    return wedr_waza_refused(c, c->group->span, e, NULL);
}

/* --- What describes a rule. */

int wedr_waza_describe(struct wedr_waza_compiler *c, struct wedr_rule *rule)
{
    const struct wedr_waza_group *g = c->group;
    *rule = wedr_rule_init();
    rule->id = g->id.len ? g->id : g->name;
    rule->title = g->title.len ? g->title : g->name;
    rule->description = g->description;
    rule->author = g->author;
    rule->date = g->date;
    rule->modified = g->modified;
    rule->status = g->status;
    rule->license = g->license;
    rule->needs = g->needs;
    rule->tags = g->tags;
    rule->references = g->references;
    rule->false_positives = g->false_positives;
    rule->message = g->other->message;
    rule->actions = g->other->actions;
    rule->severity = g->severity;
    rule->throttle_count = g->throttle_count;
    rule->throttle_ms = g->throttle_ms;
    rule->language = wedr_text("waza", 4);
    rule->source_file = wedr_text(c->source->name, strlen(c->source->name));
    rule->source_line = g->line;
    rule->flags =
        (uint16_t)((g->hidden ? WEDR_RULE_HIDDEN : 0) | (g->disabled ? WEDR_RULE_DISABLED : 0) |
                   (g->needs.len ? WEDR_RULE_NEEDS_LIST : 0) | (g->server ? WEDR_RULE_SERVER : 0));
    if (g->entity) {
        uint32_t var;
        int e = wedr_waza_resolve(c, g->entity, &var, &rule->entity_field);
        if (e < 0) {
            return e;
        }
    }
    struct wedr_text *v = wedr_waza_alloc(c->source, (g->exceptions.count + 1) * sizeof(*v));
    uint32_t count = 0;
    for (const struct wedr_waza_line *l = g->exceptions.first; v && l; l = l->next) {
        v[count++] = l->name.len ? l->name : wedr_text("exception", 9);
    }
    rule->exceptions.v = v;
    rule->exceptions.count = count;
    return v ? WEDR_OK : WEDR_E_LIMIT;
}

/* --- Which events. */

static int class_of(struct wedr_waza_compiler *c, struct wedr_text name, uint32_t *ret_class)
{
    int e = wedr_ruleset_class(c->rs, name.p, name.len, ret_class);
    return e < 0 ? wedr_waza_fail(c->source, c->group->span, e,
                                  "one event class too many, or '%.*s' is too long",
                                  WEDR_WAZA_SHOWN(name))
                 : WEDR_OK;
}

/* product/category/service; parts that are left out stand for any. */
static int source_class(struct wedr_waza_compiler *c, struct wedr_text name, uint32_t *ret_class)
{
    uint32_t slashes = 0;
    for (uint32_t i = 0; i < name.len; i++) {
        slashes += name.p[i] == '/';
    }
    if (name.len == 0) {
        return wedr_waza_fail(c->source, c->group->span, WEDR_E_FORMAT, "a source without a name");
    }
    bool plain = name.len > 5 && memcmp(name.p, "waza:", 5) == 0;
    char *p = wedr_waza_alloc(c->source, (size_t)name.len + 5);
    if (!p) {
        return WEDR_E_LIMIT;
    }
    memcpy(p, name.p, name.len);
    for (; !plain && slashes < 2; slashes++) {
        memcpy(p + name.len, "/*", 2);
        name.len += 2;
    }
    return class_of(c, wedr_text(p, name.len), ret_class);
}

static int
type_class(struct wedr_waza_compiler *c, const struct wedr_waza_event *event, uint32_t *ret_class)
{
    char *p = wedr_arena_printf(c->source->arena, "waza:%s/%s", event->info->module,
                                event->info->event_type);
    return p ? class_of(c, wedr_text(p, strlen(p)), ret_class) : WEDR_E_LIMIT;
}

/* product, category, service of the rule's text, for what reads them there. */
static void logsource(struct wedr_rule *rule, struct wedr_text name)
{
    struct wedr_text *const parts[] = {&rule->product, &rule->category, &rule->service};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(parts) && name.len > 0; i++) {
        const char *slash = memchr(name.p, '/', name.len);
        uint32_t n = slash ? (uint32_t)(slash - name.p) : name.len;
        if (n > 0 && !(n == 1 && name.p[0] == '*')) {
            *parts[i] = wedr_text(name.p, n);
        }
        n += slash != NULL;
        name = wedr_text(name.p + n, name.len - n);
    }
}

static int bind_sources(struct wedr_waza_compiler *c,
                        const struct wedr_text *v,
                        uint32_t count,
                        struct wedr_rule *rule,
                        uint32_t *classes)
{
    if (count > WEDR_WAZA_CLASSES_MAX) {
        return wedr_waza_fail(c->source, c->group->span, WEDR_E_LIMIT, "more than %u sources",
                              WEDR_WAZA_CLASSES_MAX);
    }
    rule->class_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (wedr_waza_is(v[i], "*") || wedr_waza_is(v[i], "*/*/*")) { /* any event */
            rule->class_count = 0;
            return WEDR_OK;
        }
        int e = source_class(c, v[i], &classes[rule->class_count]);
        if (e < 0) {
            return e;
        }
        rule->class_count++;
    }
    if (count == 1 && (v[0].len < 5 || memcmp(v[0].p, "waza:", 5) != 0)) {
        logsource(rule, v[0]);
    }
    return WEDR_OK;
}

int wedr_waza_tell_apart(struct wedr_waza_compiler *c,
                         const struct wedr_waza_event *event,
                         uint32_t *ret_node)
{
    static const char *const keys[] = {"module", "event_type"};
    uint32_t kids[2];
    int e = WEDR_OK;
    for (uint32_t i = 0; e == WEDR_OK && i < 2; i++) {
        uint32_t field = 0;
        e = wedr_ruleset_field(c->rs, keys[i], strlen(keys[i]), &field);
        e = e < 0 ? e
                  : wedr_ir_text(c->rs, field, WEDR_PRED_EQUALS, i ? event->type : event->module,
                                 WEDR_PRED_CASED, &kids[i], NULL);
    }
    return refused(c, e < 0 ? e : wedr_ir_and(c->rs, kids, 2, ret_node));
}

int wedr_waza_bind(struct wedr_waza_compiler *c,
                   const struct wedr_waza_event *event,
                   struct wedr_rule *rule,
                   uint32_t *classes)
{
    rule->classes = classes;
    rule->class_count = 0;
    if (event->kind == WAZA_EVENT_SOURCE) {
        return event->source.p
                   ? bind_sources(c, &event->source, 1, rule, classes)
                   : bind_sources(c, c->group->sources.v, c->group->sources.count, rule, classes);
    }
    if (!event->info) {
        return wedr_waza_tell_apart(c, event, &rule->guard);
    }
    rule->class_count = 1;
    return type_class(c, event, classes);
}

int wedr_waza_exception(struct wedr_waza_compiler *c,
                        const struct wedr_waza_event *event,
                        uint32_t *ret_node)
{
    const struct wedr_waza_lines *lines = &c->group->exceptions;
    uint32_t *kids = wedr_waza_alloc(c->source, ((size_t)lines->count + 1) * sizeof(*kids));
    uint32_t count = 0;
    int e = kids ? WEDR_OK : WEDR_E_LIMIT;
    for (const struct wedr_waza_line *l = lines->first; e == WEDR_OK && l; l = l->next) {
        bool any = l->expr->var == WEDR_WAZA_VAR_NONE;
        if (any || wedr_waza_same_event(&wedr_waza_var(c, l->expr->var)->event, event)) {
            e = wedr_waza_node(c, l->expr, &kids[count++]);
        }
    }
    *ret_node = WEDR_IR_NONE;
    return e < 0 || count == 0 ? e : refused(c, wedr_ir_or(c->rs, kids, count, ret_node));
}

/* --- One rule. */

/* Several kinds of events: each alternative says which it is. */
static int tell_all_apart(struct wedr_waza_compiler *c,
                          const struct wedr_waza_alternatives *a,
                          struct wedr_rule *rule,
                          uint32_t *classes)
{
    uint32_t conditions[WEDR_WAZA_CLASSES_MAX];
    uint32_t exceptions[WEDR_WAZA_CLASSES_MAX];
    uint32_t guards[WEDR_WAZA_CLASSES_MAX];
    uint32_t excepted = 0;
    bool known = true;
    int e = WEDR_OK;
    for (uint32_t i = 0; e == WEDR_OK && i < a->count; i++) {
        const struct wedr_waza_event *event = &a->v[i].event;
        uint32_t both[2] = {0, a->v[i].node};
        uint32_t exception = WEDR_IR_NONE;
        conditions[i] = guards[i] = 0;
        known = known && event->info;
        e = wedr_waza_tell_apart(c, event, &guards[i]);
        both[0] = guards[i];
        e = e < 0 ? e : refused(c, wedr_ir_and(c->rs, both, 2, &conditions[i]));
        e = e < 0 ? e : wedr_waza_exception(c, event, &exception);
        if (e == WEDR_OK && exception != WEDR_IR_NONE) {
            both[1] = exception;
            e = refused(c, wedr_ir_and(c->rs, both, 2, &exceptions[excepted++]));
        }
        e = e < 0 || !event->info ? e : type_class(c, event, &classes[i]);
    }
    e = e < 0 ? e : refused(c, wedr_ir_or(c->rs, conditions, a->count, &rule->condition));
    if (e == WEDR_OK && excepted) {
        e = refused(c, wedr_ir_or(c->rs, exceptions, excepted, &rule->exception));
    }
    rule->classes = classes;
    rule->class_count = known ? a->count : 0;
    return e < 0 || known ? e : refused(c, wedr_ir_or(c->rs, guards, a->count, &rule->guard));
}

static void check_constant(struct wedr_waza_compiler *c, uint32_t node)
{
    const struct wedr_node *n = wedr_ruleset_node(c->rs, node);
    if (c->group->needs.len == 0 && (n->kind == WEDR_NODE_TRUE || n->kind == WEDR_NODE_FALSE)) {
        wedr_waza_warn(c->source, c->group->span, "the condition is always %s",
                       n->kind == WEDR_NODE_TRUE ? "true" : "false");
    }
}

static int
single(struct wedr_waza_compiler *c, const struct wedr_waza_alternatives *a, uint32_t *ret_rule)
{
    struct wedr_rule rule;
    uint32_t classes[WEDR_WAZA_CLASSES_MAX];
    int e = wedr_waza_describe(c, &rule);
    if (e < 0) {
        return e;
    }
    if (a->count == 1) {
        e = wedr_waza_bind(c, &a->v[0].event, &rule, classes);
        rule.condition = a->v[0].node;
        e = e < 0 ? e : wedr_waza_exception(c, &a->v[0].event, &rule.exception);
    } else {
        e = tell_all_apart(c, a, &rule, classes);
    }
    if (e < 0) {
        return e;
    }
    check_constant(c, rule.condition);
    return refused(c, wedr_ruleset_add_rule(c->rs, &rule, ret_rule));
}

/* --- Groups. */

/* Exceptions speak of one event, and of one that the rule looks at. */
static int check_exceptions(struct wedr_waza_compiler *c, uint32_t vars)
{
    int result = WEDR_OK;
    for (struct wedr_waza_line *l = c->group->exceptions.first; l; l = l->next) {
        c->scope = (uint32_t)c->vars.count;
        int e = l->expr ? wedr_waza_analyse(c, l->expr) : WEDR_E_FORMAT;
        uint32_t var = e < 0 ? WEDR_WAZA_VAR_NONE : l->expr->var;
        if (var == WEDR_WAZA_VAR_MANY) {
            e = wedr_waza_fail(c->source, l->expr->span, WEDR_E_FORMAT,
                               "an exception speaks of one event");
        } else if (var != WEDR_WAZA_VAR_NONE) {
            const struct wedr_waza_event *event = &wedr_waza_var(c, var)->event;
            uint32_t i = 0;
            while (i < vars && !wedr_waza_same_event(&wedr_waza_var(c, i)->event, event)) {
                i++;
            }
            e = i < vars ? WEDR_OK
                         : wedr_waza_fail(c->source, l->expr->span, WEDR_E_FORMAT,
                                          "the exception speaks of an event that the rule does not "
                                          "look at");
        }
        result = e < 0 ? e : result;
    }
    return result;
}

static int analyse(struct wedr_waza_compiler *c)
{
    int result = WEDR_OK;
    for (struct wedr_waza_line *l = c->group->lines.first; l; l = l->next) {
        c->scope = (uint32_t)c->vars.count;
        int e = l->expr ? wedr_waza_analyse(c, l->expr) : WEDR_E_FORMAT;
        if (e == WEDR_OK && l->expr->var == WEDR_WAZA_VAR_NONE && !c->group->sources.v) {
            e = wedr_waza_fail(c->source, l->span, WEDR_E_FORMAT,
                               "the condition speaks of no event");
        }
        result = e < 0 ? e : result;
    }
    uint32_t vars = (uint32_t)c->vars.count;
    int e = check_exceptions(c, vars);
    c->scope = (uint32_t)c->vars.count;
    return e < 0 ? e : result;
}

int wedr_waza_compile(struct wedr_waza *w, struct wedr_waza_file *f, struct wedr_waza_group *g)
{
    struct wedr_waza_compiler c = {
        .w = w, .file = f, .source = &f->source, .rs = w->rs, .group = g};
    struct wedr_waza_alternatives a = {NULL, 0, 0};
    uint32_t rule = WEDR_IR_NONE;
    uint32_t errors = f->source.errors;
    int e = analyse(&c);
    if (e == WEDR_OK && wedr_waza_is_single(&c)) {
        e = wedr_waza_alternatives(&c, &a);
        e = e < 0 || g->bad ? e : single(&c, &a, &rule);
    } else if (e == WEDR_OK) {
        e = wedr_waza_pattern(&c, &rule);
    }
    wedr_vec_fini(&w->pool, &c.vars, sizeof(struct wedr_waza_var));
    e = e == WEDR_OK && f->source.errors > errors ? f->source.err : e;
    if (e < 0 || g->bad) {
        w->stats.refused++;
        return e < 0 ? e : WEDR_E_FORMAT;
    }
    w->stats.rules++;
    if (w->options.report) {
        struct wedr_waza_report r = {f->source.name, g->line, rule};
        w->options.report(w->options.ctx, &r);
    }
    return WEDR_OK;
}
