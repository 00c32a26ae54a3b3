/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/rule.c — what describes a rule, and the rule itself. */
#include "core/base/err.h"
#include "loader.h"
#include <string.h>

int wedr_sigma_text_of(struct wedr_sigma_compiler *c,
                       const struct wedr_yaml *map,
                       const char *key,
                       struct wedr_text *ret_text)
{
    const struct wedr_yaml *y = wedr_yaml_get(map, key);
    bool boolean;
    struct wedr_number number;
    if (!y || wedr_yaml_type(y, &boolean, &number) == WEDR_YAML_NULL) {
        return WEDR_OK;
    }
    if (y->kind != WEDR_YAML_SCALAR) {
        return wedr_sigma_fail(c, y->line, WEDR_E_FORMAT, "%s is no text", key);
    }
    *ret_text = y->text;
    return WEDR_OK;
}

int wedr_sigma_list_of(struct wedr_sigma_compiler *c,
                       const struct wedr_yaml *map,
                       const char *key,
                       struct wedr_text_list *ret_list)
{
    const struct wedr_yaml *y = wedr_yaml_get(map, key);
    struct wedr_text one = {NULL, 0};
    if (!y) {
        return WEDR_OK;
    }
    if (y->kind == WEDR_YAML_MAP) {
        return wedr_sigma_fail(c, y->line, WEDR_E_FORMAT, "%s is no list", key);
    }
    if (y->kind == WEDR_YAML_SCALAR) {
        int e = wedr_sigma_text_of(c, map, key, &one);
        if (e < 0 || !one.p) {
            return e;
        }
    }
    struct wedr_text *v = wedr_arena_alloc(c->arena, (y->count + 1) * sizeof(*v));
    if (!v) {
        return wedr_sigma_full(c, y->line);
    }
    uint32_t n = 0;
    if (y->kind == WEDR_YAML_SCALAR) {
        v[n++] = one;
    }
    for (const struct wedr_yaml *i = y->first; i; i = i->next) {
        if (i->kind != WEDR_YAML_SCALAR) {
            return wedr_sigma_fail(c, i->line, WEDR_E_FORMAT, "%s: an entry is no text", key);
        }
        v[n++] = i->text;
    }
    ret_list->v = v;
    ret_list->count = n;
    return WEDR_OK;
}

static int check_related(struct wedr_sigma_compiler *c, const struct wedr_yaml *doc)
{
    const struct wedr_yaml *y = wedr_yaml_get(doc, "related");
    if (!y || (y->kind == WEDR_YAML_SCALAR && y->text.len == 0)) {
        return WEDR_OK;
    }
    if (y->kind != WEDR_YAML_LIST) {
        return wedr_sigma_fail(c, y->line, WEDR_E_FORMAT, "related is no list");
    }
    for (const struct wedr_yaml *i = y->first; i; i = i->next) {
        if (!wedr_yaml_get(i, "id") || !wedr_yaml_get(i, "type")) {
            return wedr_sigma_fail(c, i->line, WEDR_E_FORMAT, "related needs id and type");
        }
    }
    return WEDR_OK;
}

static int
read_level(struct wedr_sigma_compiler *c, const struct wedr_yaml *doc, struct wedr_rule *rule)
{
    struct wedr_text level = {NULL, 0};
    int e = wedr_sigma_text_of(c, doc, "level", &level);
    if (e == WEDR_OK && level.p && wedr_severity_parse(level.p, level.len, &rule->severity) < 0) {
        return wedr_sigma_fail(c, wedr_yaml_get(doc, "level")->line, WEDR_E_FORMAT,
                               "level '%.*s' is unknown", (int)(level.len < 60 ? level.len : 60),
                               level.p);
    }
    return e;
}

int wedr_sigma_metadata(struct wedr_sigma_compiler *c,
                        const struct wedr_yaml *doc,
                        struct wedr_rule *rule)
{
    const struct {
        const char *key;
        struct wedr_text *text;
    } texts[] = {
        {"title", &rule->title},       {"id", &rule->id},
        {"status", &rule->status},     {"description", &rule->description},
        {"author", &rule->author},     {"date", &rule->date},
        {"modified", &rule->modified}, {"license", &rule->license},
    };
    const struct {
        const char *key;
        struct wedr_text_list *list;
    } lists[] = {
        {"tags", &rule->tags},
        {"references", &rule->references},
        {"falsepositives", &rule->false_positives},
    };
    struct wedr_text_list fields = {NULL, 0};
    int e = WEDR_OK;
    for (size_t i = 0; e == WEDR_OK && i < WEDR_ARRAY_COUNT(texts); i++) {
        e = wedr_sigma_text_of(c, doc, texts[i].key, texts[i].text);
    }
    for (size_t i = 0; e == WEDR_OK && i < WEDR_ARRAY_COUNT(lists); i++) {
        e = wedr_sigma_list_of(c, doc, lists[i].key, lists[i].list);
    }
    e = e < 0 ? e : wedr_sigma_list_of(c, doc, "fields", &fields);
    e = e < 0 ? e : check_related(c, doc);
    e = e < 0 ? e : read_level(c, doc, rule);
    if (e == WEDR_OK && rule->title.len == 0) {
        e = wedr_sigma_fail(c, doc->line, WEDR_E_FORMAT, "no title");
    }
    rule->source_line = doc->line;
    rule->language = wedr_text("sigma", 5);
    return e;
}

int wedr_sigma_logsource(struct wedr_sigma_compiler *c,
                         const struct wedr_yaml *doc,
                         struct wedr_rule *rule)
{
    const struct wedr_yaml *y = wedr_yaml_get(doc, "logsource");
    if (!y || y->kind != WEDR_YAML_MAP) {
        return wedr_sigma_fail(c, y ? y->line : doc->line, WEDR_E_FORMAT, "no logsource");
    }
    int e = wedr_sigma_text_of(c, y, "category", &rule->category);
    e = e < 0 ? e : wedr_sigma_text_of(c, y, "product", &rule->product);
    e = e < 0 ? e : wedr_sigma_text_of(c, y, "service", &rule->service);
    if (e == WEDR_OK && rule->category.len + rule->product.len + rule->service.len == 0) {
        e = wedr_sigma_fail(c, y->line, WEDR_E_FORMAT, "an empty logsource");
    }
    return e;
}

size_t wedr_sigma_class_name(struct wedr_text product,
                             struct wedr_text category,
                             struct wedr_text service,
                             char out[WEDR_SIGMA_CLASS_MAX])
{
    const struct wedr_text parts[] = {product, category, service};
    size_t n = 0;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(parts); i++) {
        struct wedr_text t = parts[i].len ? parts[i] : wedr_text("*", 1);
        if (t.len > WEDR_SIGMA_CLASS_MAX - n - 2) {
            return 0;
        }
        memcpy(out + n, t.p, t.len);
        n += t.len;
        out[n++] = '/';
    }
    out[--n] = '\0';
    return n;
}

static int rule_class(struct wedr_sigma_compiler *c,
                      const struct wedr_rule *rule,
                      uint32_t line,
                      uint32_t *ret_class)
{
    char name[WEDR_SIGMA_CLASS_MAX];
    size_t len = wedr_sigma_class_name(rule->product, rule->category, rule->service, name);
    int e = len ? wedr_ruleset_class(c->rs, name, len, ret_class) : WEDR_E_LIMIT;
    return e == WEDR_E_LIMIT || e == WEDR_E_INVAL
               ? wedr_sigma_fail(c, line, WEDR_E_LIMIT, "one log source too many, or too long")
               : e;
}

/* A condition that says the same about every event is a mistake of the rule. */
static int check_constant(struct wedr_sigma_compiler *c, uint32_t line, uint32_t node)
{
    const struct wedr_node *n = wedr_ruleset_node(c->rs, node);
    if (c->needs.len > 0 || !n || (n->kind != WEDR_NODE_TRUE && n->kind != WEDR_NODE_FALSE)) {
        return WEDR_OK;
    }
    return wedr_sigma_fail(c, line, WEDR_E_FORMAT, "the condition is always %s",
                           n->kind == WEDR_NODE_TRUE ? "true" : "false");
}

int wedr_sigma_rule(struct wedr_sigma *s,
                    struct wedr_sigma_compiler *c,
                    const struct wedr_yaml *doc,
                    const char *file,
                    uint32_t *ret_rule)
{
    struct wedr_rule rule = wedr_rule_init();
    struct wedr_text name = {NULL, 0};
    const struct wedr_yaml *detection = wedr_yaml_get(doc, "detection");
    uint32_t event_class = WEDR_IR_NONE;
    int e = wedr_sigma_metadata(c, doc, &rule);
    e = e < 0 ? e : wedr_sigma_text_of(c, doc, "name", &name);
    e = e < 0 ? e : wedr_sigma_logsource(c, doc, &rule);
    if (e == WEDR_OK && detection->kind != WEDR_YAML_MAP) {
        e = wedr_sigma_fail(c, detection->line, WEDR_E_FORMAT, "detection is no map");
    }
    if (e == WEDR_OK && rule.id.len > 0 && wedr_sigma_find(s, rule.id)) {
        e = wedr_sigma_fail(c, doc->line, WEDR_E_EXIST, "id %.*s is used already",
                            (int)(rule.id.len < 60 ? rule.id.len : 60), rule.id.p);
    }
    e = e < 0 ? e : wedr_sigma_condition_node(c, detection, &rule.condition);
    e = e < 0 ? e : check_constant(c, detection->line, rule.condition);
    e = e < 0 ? e : rule_class(c, &rule, doc->line, &event_class);
    if (e < 0) {
        return e;
    }
    rule.classes = &event_class;
    rule.class_count = 1;
    rule.needs = c->needs;
    rule.flags = c->needs.len > 0 ? WEDR_RULE_NEEDS_LIST : 0;
    rule.source_file = wedr_text(file, strlen(file));
    e = wedr_ruleset_add_rule(c->rs, &rule, ret_rule);
    if (e < 0) {
        return wedr_sigma_fail(c, doc->line, e, "the ruleset did not take the rule: %s",
                               wedr_err_text(e));
    }
    e = rule.id.len > 0 ? wedr_sigma_learn(s, rule.id, *ret_rule, NULL) : WEDR_OK;
    if (e == WEDR_OK && name.len > 0) {
        e = wedr_sigma_learn(s, name, *ret_rule, NULL);
        e = e == WEDR_E_EXIST ? WEDR_OK : e; /* the first of a name keeps it */
    }
    return e;
}
