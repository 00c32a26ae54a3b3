/* SPDX-License-Identifier: Apache-2.0
 * rules/src/bundle/select.c — rules first, from the last to the first, since members come before
 * what counts them; then everything that they reach. */
#include "bundle/select.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <string.h>

#define MARK 0u /* until the ids are given out */

struct walk {
    const struct wedr_ruleset *rs;
    const struct wedr_field_map *map;
    const struct wedr_bundle_options *options;
    struct wedr_bundle_selection *s;
    bool *needed; /* by a correlation that goes in */
};

static bool text_is(struct wedr_text t, const char *s)
{
    return wedr_text_equal(t, wedr_text(s, strlen(s)), false);
}

/* An event that names its log source comes from elsewhere. */
static bool names_itself(const struct walk *w, const struct wedr_map_selector *s)
{
    static const char prefix[] = "logsource.";
    struct wedr_text source = wedr_map_source_at(w->map, s->conditions[0].source)->name;
    return wedr_text_starts(source, wedr_text(prefix, sizeof(prefix) - 1), true);
}

/* Whether any selector of the map gives one of the rule's classes. */
static bool reachable(const struct walk *w, const struct wedr_rule *rule)
{
    for (uint32_t i = 0; i < w->map->selectors.count; i++) {
        const struct wedr_map_selector *sel =
            WEDR_VEC_AT(const struct wedr_map_selector, w->map->selectors, i);
        for (uint32_t c = 0; c < rule->class_count; c++) {
            if (rule->classes[c] == sel->event_class && !names_itself(w, sel)) {
                return true;
            }
        }
    }
    return rule->class_count == 0;
}

static bool right_product(uint32_t parts, const struct wedr_rule *rule)
{
    bool linux = (parts & WEDR_BUNDLE_LINUX) != 0;
    bool windows = (parts & WEDR_BUNDLE_WINDOWS) != 0;
    if (rule->product.len == 0 || (!linux && !windows)) {
        return true;
    }
    return (linux && text_is(rule->product, "linux")) ||
           (windows && text_is(rule->product, "windows"));
}

static bool wanted(const struct walk *w, uint32_t id, const struct wedr_rule *rule)
{
    const struct wedr_bundle_options *o = w->options;
    bool correlation = rule->correlation != WEDR_IR_NONE;
    if (!right_product(o->parts, rule)) {
        return false;
    }
    if ((o->parts & WEDR_BUNDLE_AGENT) != 0) {
        const unsigned out =
            WEDR_RULE_SERVER | WEDR_RULE_DISABLED | WEDR_RULE_NEEDS_LIST | WEDR_RULE_HIDDEN;
        bool sigma_correlation = correlation && text_is(rule->language, "sigma");
        if ((rule->flags & out) != 0 || sigma_correlation ||
            (!correlation && !reachable(w, rule))) {
            return false;
        }
    }
    return !o->keep || o->keep(o->keep_ctx, w->rs, id);
}

static void mark(struct wedr_bundle_ids *ids, uint32_t id)
{
    if (id < WEDR_FIELD_ANY) {
        ids->to[id] = MARK;
    }
}

static void mark_correlation(struct walk *w, const struct wedr_correlation *c)
{
    struct wedr_bundle_selection *s = w->s;
    for (uint32_t i = 0; i < c->member_count; i++) {
        w->needed[c->members[i]] = true;
    }
    for (uint32_t i = 0; i < c->group_count; i++) {
        mark(&s->fields, c->group_by[i]);
    }
    for (uint32_t i = 0; i < c->alias_count; i++) {
        mark(&s->fields, c->aliases[i].field);
    }
    for (uint32_t i = 0; i < c->join_count; i++) {
        mark(&s->fields, c->joins[i].field_a);
        mark(&s->fields, c->joins[i].field_b);
    }
    mark(&s->fields, c->value_field);
    mark(&s->nodes, c->expression);
}

static void mark_rule(struct walk *w, uint32_t id, const struct wedr_rule *rule, bool by_itself)
{
    struct wedr_bundle_selection *s = w->s;
    s->rules.to[id] = MARK;
    s->hidden[id] = !by_itself && w->needed[id];
    mark(&s->nodes, rule->guard);
    mark(&s->nodes, rule->condition);
    mark(&s->nodes, rule->exception);
    mark(&s->fields, rule->entity_field);
    for (uint32_t i = 0; i < rule->class_count; i++) {
        mark(&s->classes, rule->classes[i]);
    }
    if (rule->correlation != WEDR_IR_NONE) {
        mark_correlation(w, wedr_ruleset_correlation(w->rs, rule->correlation));
    }
}

/* Kids come before their node. */
static void mark_nodes(struct walk *w)
{
    struct wedr_bundle_selection *s = w->s;
    for (uint32_t n = wedr_ruleset_node_count(w->rs); n-- > 0;) {
        const struct wedr_node *node = wedr_ruleset_node(w->rs, n);
        const uint32_t *kids = wedr_ruleset_kids(w->rs, node);
        for (uint32_t k = 0; s->nodes.to[n] == MARK && k < node->kid_count; k++) {
            mark(&s->nodes, kids[k]);
        }
        if (s->nodes.to[n] == MARK && node->kind == WEDR_NODE_PRED) {
            const struct wedr_pred *p = wedr_ruleset_pred(w->rs, node->arg);
            mark(&s->fields, p->field);
            if (p->kind == WEDR_PRED_FIELD) {
                mark(&s->fields, p->u.other);
            } else if (p->kind == WEDR_PRED_SET) {
                mark(&s->sets, p->u.set);
            }
        }
    }
}

static void number(struct wedr_bundle_ids *ids, uint32_t total)
{
    for (uint32_t i = 0; i < total; i++) {
        if (ids->to[i] == MARK) {
            ids->to[i] = ids->count++;
        }
    }
}

static int take(struct wedr_bundle_ids *ids, uint32_t total)
{
    ids->to = wedr_alloc((size_t)total + 1, sizeof(uint32_t));
    if (ids->to) {
        memset(ids->to, 0xFF, ((size_t)total + 1) * sizeof(uint32_t));
    }
    return ids->to ? WEDR_OK : WEDR_E_NOMEM;
}

int wedr_bundle_select(const struct wedr_ruleset *rs,
                       const struct wedr_field_map *map,
                       const struct wedr_bundle_options *options,
                       struct wedr_bundle_selection *ret_selection)
{
    struct wedr_bundle_selection s = {0};
    struct walk w = {rs, map, options, &s, NULL};
    struct wedr_bundle_ids *const ids[] = {&s.rules, &s.nodes, &s.sets, &s.fields, &s.classes};
    const uint32_t totals[] = {wedr_ruleset_rule_count(rs), wedr_ruleset_node_count(rs),
                               wedr_ruleset_set_count(rs), wedr_ruleset_field_count(rs),
                               wedr_ruleset_class_count(rs)};
    int r = WEDR_OK;
    for (size_t i = 0; r == WEDR_OK && i < WEDR_ARRAY_COUNT(ids); i++) {
        r = take(ids[i], totals[i]);
    }
    s.hidden = wedr_alloc((size_t)totals[0] + 1, sizeof(bool));
    w.needed = wedr_alloc((size_t)totals[0] + 1, sizeof(bool));
    if (r == WEDR_OK && s.hidden && w.needed) {
        for (uint32_t i = totals[0]; i-- > 0;) {
            const struct wedr_rule *rule = wedr_ruleset_rule(rs, i);
            bool by_itself = wanted(&w, i, rule);
            if (by_itself || w.needed[i]) {
                mark_rule(&w, i, rule, by_itself);
            }
        }
        mark_nodes(&w);
        for (size_t i = 0; i < WEDR_ARRAY_COUNT(ids); i++) {
            number(ids[i], totals[i]);
        }
        *ret_selection = s;
    } else {
        wedr_bundle_selection_fini(&s);
        r = WEDR_E_NOMEM;
    }
    wedr_free(w.needed);
    return r;
}

void wedr_bundle_selection_fini(struct wedr_bundle_selection *s)
{
    wedr_free(s->rules.to);
    wedr_free(s->nodes.to);
    wedr_free(s->sets.to);
    wedr_free(s->fields.to);
    wedr_free(s->classes.to);
    wedr_free(s->hidden);
    memset(s, 0, sizeof(*s));
}
