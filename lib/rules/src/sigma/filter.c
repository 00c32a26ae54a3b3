/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/filter.c — filters: rules keep firing only where the filter's condition holds, so
 * its opposite becomes their exception. */
#include "core/base/err.h"
#include "loader.h"
#include <string.h>

static bool covers(struct wedr_text filter, struct wedr_text rule)
{
    return filter.len == 0 || (filter.len == rule.len && memcmp(filter.p, rule.p, rule.len) == 0);
}

/* Adds the exception when the rule is of the filter's log source. */
static int apply(struct wedr_sigma_compiler *c,
                 const struct wedr_rule *source,
                 uint32_t rule,
                 uint32_t exception,
                 uint32_t *count)
{
    const struct wedr_rule *r = wedr_ruleset_rule(c->rs, rule);
    if (r->correlation != WEDR_IR_NONE || !wedr_text_is(r->language, "sigma") ||
        !covers(source->category, r->category) || !covers(source->product, r->product) ||
        !covers(source->service, r->service)) {
        return WEDR_OK;
    }
    int e = WEDR_OK;
    if (r->exception != WEDR_IR_NONE) {
        uint32_t both[2] = {r->exception, exception};
        e = wedr_ir_or(c->rs, both, 2, &exception);
    }
    e = e < 0 ? e : wedr_ruleset_set_exception(c->rs, rule, exception);
    *count += e == WEDR_OK;
    return e;
}

static bool is_any(const struct wedr_text_list *rules)
{
    return rules->count == 0 || (rules->count == 1 && (wedr_text_is(rules->v[0], "any") ||
                                                       wedr_text_is(rules->v[0], "all")));
}

int wedr_sigma_filter(struct wedr_sigma *s,
                      struct wedr_sigma_compiler *c,
                      const struct wedr_yaml *doc,
                      uint32_t *ret_count)
{
    const struct wedr_yaml *f = wedr_yaml_get(doc, "filter");
    struct wedr_rule rule = wedr_rule_init();
    struct wedr_text_list rules = {NULL, 0};
    uint32_t node = 0;
    uint32_t count = 0;
    int e = wedr_sigma_metadata(c, doc, &rule);
    e = e < 0 ? e : wedr_sigma_logsource(c, doc, &rule);
    if (e == WEDR_OK && f->kind != WEDR_YAML_MAP) {
        e = wedr_sigma_fail(c, f->line, WEDR_E_FORMAT, "filter is no map");
    }
    if (e == WEDR_OK && !wedr_yaml_get(f, "rules")) {
        e = wedr_sigma_fail(c, f->line, WEDR_E_FORMAT,
                            "a filter needs rules (any: all of its log source)");
    }
    e = e < 0 ? e : wedr_sigma_list_of(c, f, "rules", &rules);
    e = e < 0 ? e : wedr_sigma_condition_node(c, f, &node);
    if (e == WEDR_OK && c->needs.len > 0) {
        e = wedr_sigma_fail(c, f->line, WEDR_E_NOENT, "no list for placeholder %.*s",
                            (int)(c->needs.len < 100 ? c->needs.len : 100), c->needs.p);
    }
    e = e < 0 ? e : wedr_ir_not(c->rs, node, &node);
    if (e < 0) {
        return e;
    }
    uint32_t all = wedr_ruleset_rule_count(c->rs);
    for (uint32_t i = 0; e == WEDR_OK && is_any(&rules) && i < all; i++) {
        e = apply(c, &rule, i, node, &count);
    }
    for (uint32_t i = 0; e == WEDR_OK && !is_any(&rules) && i < rules.count; i++) {
        const struct wedr_sigma_known *k = wedr_sigma_find(s, rules.v[i]);
        if (k && k->rule != WEDR_IR_NONE) {
            e = apply(c, &rule, k->rule, node, &count);
        }
    }
    *ret_count = count;
    return e;
}
