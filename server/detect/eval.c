/* SPDX-License-Identifier: Apache-2.0 */
#include "detect/eval.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "detect/sources.h"
#include "wedr/rules/pipeline.h"
#include "wedr/wire/schema.h"
#include <stdio.h>
#include <string.h>

#define HOST_FIELDS 5u
#define WAZA_PREFIX "waza:"

struct wedr_eval {
    struct wedr_engine *engine;
    struct wedr_field_map *map;
    struct wedr_matcher *matcher;
    struct wedr_rule_event *event;
    uint32_t host[HOST_FIELDS], agent; /* WEDR_IR_NONE: no rule names it */
};

void wedr_eval_free(struct wedr_eval *e)
{
    if (e) {
        wedr_matcher_free(e->matcher);
        wedr_rule_event_free(e->event);
        wedr_field_map_free(e->map);
        wedr_engine_free(e->engine);
        wedr_free(e);
    }
}

static uint32_t find(const struct wedr_ruleset *rs, const char *name)
{
    return wedr_ruleset_field_find(rs, name, strlen(name));
}

static int make(struct wedr_eval *e)
{
    static const char *const hosts[HOST_FIELDS] = {"host.name", "host.hostname", "hostname",
                                                   "Computer", "ComputerName"};
    const struct wedr_ruleset *rs = wedr_engine_ruleset(e->engine);
    e->matcher = wedr_matcher_new(e->engine);
    e->event = wedr_rule_event_new(rs, NULL);
    for (size_t i = 0; i < HOST_FIELDS; i++) {
        e->host[i] = find(rs, hosts[i]);
    }
    e->agent = find(rs, "agent.id");
    return e->matcher && e->event ? WEDR_OK : WEDR_E_NOMEM;
}

int wedr_eval_new_take(struct wedr_ruleset *rs,
                       struct wedr_field_map *map,
                       struct wedr_eval **ret,
                       struct wedr_errinfo *ei)
{
    struct wedr_engine_options options = {.memory_max = WEDR_RULESET_BYTES_MAX};
    struct wedr_eval *e = wedr_alloc(1, sizeof(*e));
    if (!e) {
        wedr_field_map_free(map);
        wedr_ruleset_free(rs);
        return wedr_fail(ei, WEDR_E_NOMEM, "out of memory");
    }
    e->map = map;
    int err = wedr_engine_new_take(rs, &options, &e->engine, ei);
    if (err != WEDR_OK) {
        wedr_field_map_free(e->map);
        e->map = NULL;
        wedr_ruleset_free(rs);
    } else {
        err = make(e);
    }
    if (err != WEDR_OK) {
        wedr_eval_free(e);
        return err;
    }
    *ret = e;
    return WEDR_OK;
}

const struct wedr_engine *wedr_eval_engine(const struct wedr_eval *e)
{
    return e->engine;
}

const struct wedr_ruleset *wedr_eval_ruleset(const struct wedr_eval *e)
{
    return wedr_engine_ruleset(e->engine);
}

struct wedr_rule_event *wedr_eval_event(struct wedr_eval *e)
{
    return e->event;
}

void wedr_eval_stats(const struct wedr_eval *e, struct wedr_matcher_stats *ret)
{
    wedr_matcher_stats(e->matcher, ret);
}

static int add_missing(struct wedr_eval *e, uint32_t field, const char *text)
{
    if (field == WEDR_IR_NONE || wedr_rule_event_first(e->event, field) != WEDR_IR_NONE) {
        return WEDR_OK;
    }
    return wedr_rule_event_add_text(e->event, field, text, strlen(text));
}

int wedr_eval_line(struct wedr_eval *e,
                   const struct wedr_event_block *b,
                   const struct wedr_event_line *l,
                   const uint32_t **ret_rules,
                   size_t *ret_count)
{
    int err =
        wedr_rule_event_read_json(e->event, e->map, (const char *)l->text.p, l->text.len, NULL);
    for (size_t i = 0; err == WEDR_OK && i < HOST_FIELDS; i++) {
        err = add_missing(e, e->host[i], b->hostname);
    }
    err = err == WEDR_OK ? add_missing(e, e->agent, b->agent_id) : err;
    return err == WEDR_OK ? wedr_matcher_run(e->matcher, e->event, ret_rules, ret_count) : err;
}

int64_t wedr_eval_window_us(const struct wedr_ruleset *rs)
{
    uint64_t longest = 0;
    for (uint32_t i = 0; i < wedr_ruleset_correlation_count(rs); i++) {
        const struct wedr_correlation *c = wedr_ruleset_correlation(rs, i);
        const struct wedr_rule *r = wedr_ruleset_rule(rs, c->rule);
        if ((r->flags & WEDR_RULE_DISABLED) == 0 && c->timespan_ms > longest) {
            longest = c->timespan_ms;
        }
    }
    return longest > INT64_MAX / 1000 ? INT64_MAX : (int64_t)longest * 1000;
}

/* --- Types. */

struct types {
    const struct wedr_ruleset *rs;
    bool *ret;
    const bool *wanted; /* by class of the ruleset */
    uint32_t classes;
};

/* "a/b/c" with stars for any, on either side. */
static bool source_fits(struct wedr_text a, const char *b)
{
    const char *p = a.p, *end = a.p + a.len;
    while (p < end || *b) {
        size_t n = 0, k = strcspn(b, "/");
        while (p + n < end && p[n] != '/') {
            n++;
        }
        bool star = (n == 1 && *p == '*') || (k == 1 && *b == '*');
        if (!star && (n != k || memcmp(p, b, n) != 0)) {
            return false;
        }
        p += n + (p + n < end);
        b += k + (b[k] == '/');
    }
    return true;
}

static void on_source(void *ctx, const char *source, const char *view)
{
    struct types *t = ctx;
    const struct wedr_type_info *type = view ? wedr_type_by_name(view, strlen(view)) : NULL;
    for (uint32_t i = 0; i < t->classes; i++) {
        if (!source_fits(wedr_ruleset_class_name(t->rs, i), source)) {
            continue;
        }
        if (t->wanted[i] && type && type->code < 256) {
            t->ret[type->code] = true;
        } else if (t->wanted[i]) {
            memset(t->ret, true, 256); /* a source that says nothing of a type */
        }
    }
}

/* "waza:module/event_type" names the type itself. */
static bool waza_type(struct wedr_text name, uint8_t *ret)
{
    size_t prefix = strlen(WAZA_PREFIX);
    if (name.len <= prefix || memcmp(name.p, WAZA_PREFIX, prefix) != 0) {
        return false;
    }
    const char *slash = memchr(name.p, '/', name.len);
    const char *end = name.p + name.len;
    const struct wedr_type_info *type =
        slash ? wedr_type_by_name(slash + 1, (size_t)(end - slash - 1)) : NULL;
    if (!type || type->code > 255) {
        return false;
    }
    *ret = (uint8_t)type->code;
    return true;
}

static int ask_pipeline(struct types *t)
{
    const char *yaml = NULL, *name = NULL;
    size_t len = 0;
    struct wedr_pipeline *p = NULL;
    for (size_t i = 0; (name = wedr_pipeline_builtin(i, &yaml, &len)) != NULL; i++) {
        if (strcmp(name, "wedr") == 0) {
            break;
        }
    }
    int err = name ? wedr_pipeline_read(yaml, len, &p, NULL) : WEDR_E_BUG;
    if (err == WEDR_OK) {
        wedr_pipeline_sources(p, on_source, t);
    }
    wedr_pipeline_free(p);
    return err;
}

/* Classes that a rule which can match asks for. A rule without one wants every type. */
static void mark_wanted(const struct wedr_ruleset *rs, bool *wanted, bool *everything)
{
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(rs); i++) {
        const struct wedr_rule *r = wedr_ruleset_rule(rs, i);
        if ((r->flags & (WEDR_RULE_DISABLED | WEDR_RULE_NEEDS_LIST)) != 0 ||
            r->correlation != WEDR_IR_NONE) {
            continue;
        }
        *everything = *everything || r->class_count == 0;
        for (uint32_t c = 0; c < r->class_count; c++) {
            wanted[r->classes[c]] = true;
        }
    }
}

int wedr_eval_types(const struct wedr_ruleset *rs, bool ret_types[256])
{
    bool everything = false;
    struct types t = {.rs = rs, .ret = ret_types, .classes = wedr_ruleset_class_count(rs)};
    bool *wanted = wedr_alloc((size_t)t.classes + 1, sizeof(*wanted));
    memset(ret_types, false, 256);
    int err = wanted ? WEDR_OK : WEDR_E_NOMEM;
    if (err == WEDR_OK) {
        t.wanted = wanted;
        mark_wanted(rs, wanted, &everything);
        err = ask_pipeline(&t);
    }
    for (uint32_t i = 0; err == WEDR_OK && i < t.classes; i++) {
        uint8_t code = 0;
        if (wanted[i] && waza_type(wedr_ruleset_class_name(rs, i), &code)) {
            ret_types[code] = true;
        }
    }
    if (everything) {
        memset(ret_types, true, 256);
    }
    wedr_free(wanted);
    return err;
}
