/* SPDX-License-Identifier: Apache-2.0 */
#include "choose.h"

#include "core/base/err.h"
#include "core/util/alloc.h"
#include <string.h>

static struct wedr_text of(const char *s)
{
    return wedr_text(s, strlen(s));
}

static bool named(const struct wedr_rule *rule, const struct wedr_rules_values *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (wedr_text_equal(rule->id, of(names->v[i]), false) ||
            wedr_text_equal(rule->title, of(names->v[i]), false)) {
            return true;
        }
    }
    return false;
}

/* attack.t1059 is also said of attack.t1059.001, and may be written t1059. */
static bool tag_is(struct wedr_text tag, struct wedr_text want)
{
    return wedr_text_starts(tag, want, false) && (tag.len == want.len || tag.p[want.len] == '.');
}

static bool tagged(const struct wedr_rule *rule, const struct wedr_rules_values *tags)
{
    for (size_t i = 0; i < tags->count; i++) {
        for (uint32_t k = 0; k < rule->tags.count; k++) {
            struct wedr_text tag = rule->tags.v[k];
            const char *dot = tag.len > 0 ? memchr(tag.p, '.', tag.len) : NULL;
            size_t behind = dot ? (size_t)(dot - tag.p) + 1 : 0;
            if (tag_is(tag, of(tags->v[i])) ||
                tag_is(wedr_text(tag.p + behind, tag.len - behind), of(tags->v[i]))) {
                return true;
            }
        }
    }
    return false;
}

static int check_names(const struct wedr_ruleset *rs,
                       const struct wedr_rules_values *names,
                       struct wedr_errinfo *ei)
{
    for (size_t i = 0; i < names->count; i++) {
        bool found = false;
        const struct wedr_rules_values one = {{names->v[i]}, 1};
        for (uint32_t k = 0; k < wedr_ruleset_rule_count(rs) && !found; k++) {
            found = named(wedr_ruleset_rule(rs, k), &one);
        }
        if (!found) {
            return wedr_fail(ei, WEDR_E_NOENT, "no rule has the id or title %.100s", names->v[i]);
        }
    }
    return WEDR_OK;
}

static bool
is_wanted(const struct wedr_rule *rule, const struct wedr_rules_args *args, uint8_t least)
{
    return rule->severity >= least && !named(rule, &args->exclude) &&
           (args->rule.count == 0 || named(rule, &args->rule)) &&
           (args->tag.count == 0 || tagged(rule, &args->tag));
}

/* From the last to the first: members come before what counts them. */
static int apply(struct wedr_ruleset *rs,
                 const struct wedr_rules_args *args,
                 uint8_t least,
                 uint32_t *ret_left)
{
    uint32_t count = wedr_ruleset_rule_count(rs);
    uint32_t left = 0;
    bool *needed = wedr_alloc((size_t)count + 1, sizeof(*needed));
    int r = needed ? WEDR_OK : WEDR_E_NOMEM;
    for (uint32_t i = count; r == WEDR_OK && i-- > 0;) {
        const struct wedr_rule *rule = wedr_ruleset_rule(rs, i);
        bool off = (rule->flags & WEDR_RULE_DISABLED) != 0;
        bool hidden = (rule->flags & WEDR_RULE_HIDDEN) != 0;
        bool wanted = !hidden && !off && is_wanted(rule, args, least);
        uint16_t flags = rule->flags;
        left += wanted;
        if (!wanted && !off) {
            flags = (uint16_t)(flags | (needed[i] ? WEDR_RULE_HIDDEN : WEDR_RULE_DISABLED));
        }
        if (rule->correlation != WEDR_IR_NONE && (wanted || (needed[i] && !off))) {
            const struct wedr_correlation *c = wedr_ruleset_correlation(rs, rule->correlation);
            for (uint32_t k = 0; k < c->member_count; k++) {
                needed[c->members[k]] = true;
            }
        }
        r = flags != rule->flags ? wedr_ruleset_set_flags(rs, i, flags) : WEDR_OK;
    }
    wedr_free(needed);
    *ret_left = left;
    return r;
}

int wedr_choose(struct wedr_ruleset *rs,
                const struct wedr_rules_args *args,
                uint32_t *ret_left,
                struct wedr_errinfo *ei)
{
    uint8_t least = WEDR_SEVERITY_INFORMATIONAL;
    if (args->min_severity &&
        wedr_severity_parse(args->min_severity, strlen(args->min_severity), &least) != WEDR_OK) {
        return wedr_fail(ei, WEDR_E_INVAL, "no severity is called %.64s", args->min_severity);
    }
    int r = check_names(rs, &args->rule, ei);
    if (r == WEDR_OK) {
        r = check_names(rs, &args->exclude, ei);
    }
    return r == WEDR_OK ? apply(rs, args, least, ret_left) : r;
}
