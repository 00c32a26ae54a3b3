/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/sigma/sigma_cover.c — which rules can fire at all on the fields that our own
 * events have: `sigma_cover RULES [FIELD...]`; the fields named do not count. One line a rule that
 * our events have the log source of: class, can it fire, fields that it misses, and those of which
 * one alone would let it fire. */
#include "core/base/err.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 4096

static struct {
    char source[128], view[64];
} sources[MANY];
static size_t source_count;
static struct {
    char view[64], field[128];
} fields[MANY];
static size_t field_count;
static char **excluded;
static int excluded_count;

static void on_source(void *ctx, const char *source, const char *view)
{
    (void)ctx;
    snprintf(sources[source_count].source, sizeof(sources[0].source), "%s", source);
    snprintf(sources[source_count++].view, sizeof(sources[0].view), "%s", view ? view : "");
}

static void on_field(void *ctx, const char *view, const char *source, const char *field)
{
    (void)ctx;
    (void)source;
    snprintf(fields[field_count].view, sizeof(fields[0].view), "%s", view ? view : "");
    snprintf(fields[field_count++].field, sizeof(fields[0].field), "%s", field);
}

static bool part_covers(const char **want, const char **have)
{
    size_t w = strcspn(*want, "/");
    size_t h = strcspn(*have, "/");
    bool ok = (w == 1 && **want == '*') || (w == h && memcmp(*want, *have, w) == 0);
    *want += w + ((*want)[w] == '/');
    *have += h + ((*have)[h] == '/');
    return ok;
}

/* What a rule of class `want` asks of an event, a source says. */
static bool covers(const char *want, const char *have)
{
    bool a = part_covers(&want, &have);
    bool b = part_covers(&want, &have);
    return part_covers(&want, &have) && a && b;
}

static bool has_field(const char *view, struct wedr_text name)
{
    for (int i = 0; i < excluded_count; i++) {
        if (strlen(excluded[i]) == name.len && memcmp(excluded[i], name.p, name.len) == 0) {
            return false;
        }
    }
    for (size_t i = 0; i < field_count; i++) {
        if (strcmp(fields[i].view, view) == 0 && strlen(fields[i].field) == name.len &&
            memcmp(fields[i].field, name.p, name.len) == 0) {
            return true;
        }
    }
    return false;
}

/* Can the node be true, can it be false, with the fields of the view and one more? */
static void possible(const struct wedr_ruleset *rs,
                     uint32_t node,
                     const char *view,
                     uint32_t extra,
                     bool *ret_true,
                     bool *ret_false)
{
    const struct wedr_node *n = wedr_ruleset_node(rs, node);
    uint32_t can_true = 0;
    uint32_t can_false = 0;
    for (uint32_t i = 0; i < n->kid_count; i++) {
        bool t;
        bool f;
        possible(rs, wedr_ruleset_kids(rs, n)[i], view, extra, &t, &f);
        can_true += t;
        can_false += f;
    }
    *ret_true = *ret_false = true;
    if (n->kind == WEDR_NODE_AND) {
        *ret_true = can_true == n->kid_count;
        *ret_false = can_false > 0;
    } else if (n->kind == WEDR_NODE_OR) {
        *ret_true = can_true > 0;
        *ret_false = can_false == n->kid_count;
    } else if (n->kind == WEDR_NODE_AT_LEAST) {
        *ret_true = can_true >= n->arg;
    } else if (n->kind == WEDR_NODE_NOT) {
        *ret_true = can_false > 0;
        *ret_false = can_true > 0;
    } else if (n->kind == WEDR_NODE_PRED) {
        const struct wedr_pred *p = wedr_ruleset_pred(rs, n->arg);
        bool have = p->field == WEDR_FIELD_ANY || p->field == extra ||
                    has_field(view, wedr_ruleset_field_name(rs, p->field));
        *ret_true = have || p->kind == WEDR_PRED_NULL;
        *ret_false = have || p->kind != WEDR_PRED_NULL;
    }
}

static void collect(const struct wedr_ruleset *rs, uint32_t node, uint8_t *marks)
{
    const struct wedr_node *n = wedr_ruleset_node(rs, node);
    for (uint32_t i = 0; i < n->kid_count; i++) {
        collect(rs, wedr_ruleset_kids(rs, n)[i], marks);
    }
    if (n->kind == WEDR_NODE_PRED && wedr_ruleset_pred(rs, n->arg)->field != WEDR_FIELD_ANY) {
        marks[wedr_ruleset_pred(rs, n->arg)->field] = 1;
    }
}

static bool fires(const struct wedr_ruleset *rs,
                  const struct wedr_rule *r,
                  const char *class_name,
                  uint32_t extra)
{
    for (size_t i = 0; i < source_count; i++) {
        bool t = false;
        bool f;
        if (covers(class_name, sources[i].source)) {
            possible(rs, r->condition, sources[i].view, extra, &t, &f);
        }
        if (t && !(r->flags & WEDR_RULE_NEEDS_LIST)) {
            return true;
        }
    }
    return false;
}

static void print_rule(const struct wedr_ruleset *rs, const struct wedr_rule *r)
{
    char class_name[WEDR_SIGMA_CLASS_MAX];
    struct wedr_text c = wedr_ruleset_class_name(rs, r->classes[0]);
    snprintf(class_name, sizeof(class_name), "%.*s", (int)c.len, c.p);
    bool ours = false;
    for (size_t i = 0; i < source_count; i++) {
        ours |= covers(class_name, sources[i].source);
    }
    if (!ours) {
        return;
    }
    uint8_t *marks = calloc(wedr_ruleset_field_count(rs) + 1, 1);
    bool can = fires(rs, r, class_name, WEDR_IR_NONE);
    collect(rs, r->condition, marks);
    printf("%s\t%d\t", class_name, can);
    for (uint32_t f = 0; f < wedr_ruleset_field_count(rs); f++) {
        struct wedr_text name = wedr_ruleset_field_name(rs, f);
        bool have = !marks[f];
        for (size_t i = 0; !have && i < source_count; i++) {
            have = covers(class_name, sources[i].source) && has_field(sources[i].view, name);
        }
        if (!have) {
            printf("%.*s%s,", (int)name.len, name.p,
                   !can && fires(rs, r, class_name, f) ? "!" : "");
        }
    }
    printf("\n");
    free(marks);
}

static void load(struct wedr_ruleset *rs, const char *list)
{
    struct wedr_sigma *s = wedr_sigma_new(rs, NULL, NULL, NULL);
    FILE *l = fopen(list, "r");
    char path[4096];
    static char text[1 << 20];
    while (l && fgets(path, sizeof(path), l)) {
        path[strcspn(path, "\n")] = '\0';
        FILE *f = fopen(path, "rb");
        size_t n = f ? fread(text, 1, sizeof(text), f) : 0;
        if (f) {
            (void)fclose(f);
        }
        (void)wedr_sigma_add(s, path, text, n);
    }
    if (l) {
        (void)fclose(l);
    }
    (void)wedr_sigma_finish(s);
    wedr_sigma_free(s);
}

int main(int argc, char **argv)
{
    const char *yaml = NULL;
    size_t len = 0;
    struct wedr_pipeline *p;
    if (argc < 2 || !wedr_pipeline_builtin(0, &yaml, &len) ||
        wedr_pipeline_read(yaml, len, &p, NULL) < 0) {
        return 2;
    }
    excluded = argv + 2;
    excluded_count = argc - 2;
    wedr_pipeline_sources(p, on_source, NULL);
    wedr_pipeline_fields(p, on_field, NULL);
    wedr_pipeline_free(p);
    struct wedr_ruleset *rs = wedr_ruleset_new(256u << 20);
    load(rs, argv[1]);
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(rs); i++) {
        print_rule(rs, wedr_ruleset_rule(rs, i));
    }
    wedr_ruleset_free(rs);
    return 0;
}
