/* SPDX-License-Identifier: Apache-2.0
 * tests/rules/rule_cover.c — which rules can become true at all: `rule_cover RULES KINDS`. RULES
 * names a rule file a line; KINDS has a line `kind log-source field` for every field that events of
 * that kind have, a star for none. Prints for tools/sigma_page what became of each document, and of
 * each rule: log source, can it fire, fields that no kind of its log source has (a ! behind those
 * of which one alone would let it fire). Predicates on different fields are taken to be free of
 * each other. */
#include "core/base/err.h"
#include "wedr/rules/sigma.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 8192u

struct kind {
    char name[64], source[128];
    uint8_t *has; /* by field id */
};

static struct kind kinds[256];
static size_t kind_count;
static struct wedr_ruleset *rs;

static bool part_covers(const char **want, const char **have)
{
    size_t w = strcspn(*want, "/");
    size_t h = strcspn(*have, "/");
    bool ok = (w == 1 && **want == '*') || (w == h && memcmp(*want, *have, w) == 0);
    *want += w + ((*want)[w] == '/');
    *have += h + ((*have)[h] == '/');
    return ok;
}

/* What a rule of log source `want` asks of an event, one of `have` says. */
static bool covers(const char *want, const char *have)
{
    bool a = part_covers(&want, &have);
    bool b = part_covers(&want, &have);
    return part_covers(&want, &have) && a && b;
}

/* Can the node be true, can it be false, with the fields of the kind and one more? A field that is
 * not there makes every predicate false but the one that asks for nothing. */
static void
possible(uint32_t node, const struct kind *k, uint32_t extra, bool *ret_true, bool *ret_false)
{
    const struct wedr_node *n = wedr_ruleset_node(rs, node);
    uint32_t can_true = 0;
    uint32_t can_false = 0;
    for (uint32_t i = 0; i < n->kid_count; i++) {
        bool t;
        bool f;
        possible(wedr_ruleset_kids(rs, n)[i], k, extra, &t, &f);
        can_true += t;
        can_false += f;
    }
    *ret_true = *ret_false = false;
    if (n->kind == WEDR_NODE_AND) {
        *ret_true = can_true == n->kid_count;
        *ret_false = can_false > 0;
    } else if (n->kind == WEDR_NODE_OR) {
        *ret_true = can_true > 0;
        *ret_false = can_false == n->kid_count;
    } else if (n->kind == WEDR_NODE_AT_LEAST) {
        *ret_true = can_true >= n->arg;
        *ret_false = n->kid_count - can_false < n->arg;
    } else if (n->kind == WEDR_NODE_NOT) {
        *ret_true = can_false > 0;
        *ret_false = can_true > 0;
    } else if (n->kind == WEDR_NODE_PRED) {
        const struct wedr_pred *p = wedr_ruleset_pred(rs, n->arg);
        bool other = p->kind != WEDR_PRED_FIELD || p->u.other == extra || k->has[p->u.other];
        bool have = p->field == WEDR_FIELD_ANY || p->field == extra || k->has[p->field];
        *ret_true = (have && other) || p->kind == WEDR_PRED_NULL;
        *ret_false = have || p->kind != WEDR_PRED_NULL;
    } else {
        *ret_true = n->kind == WEDR_NODE_TRUE;
        *ret_false = n->kind == WEDR_NODE_FALSE;
    }
}

static bool fires(const struct wedr_rule *r, const char *class_name, uint32_t extra)
{
    for (size_t i = 0; i < kind_count && !(r->flags & WEDR_RULE_NEEDS_LIST); i++) {
        bool t = false;
        bool f;
        if (covers(class_name, kinds[i].source)) {
            possible(r->condition, &kinds[i], extra, &t, &f);
        }
        if (t) {
            return true;
        }
    }
    return false;
}

static void collect(uint32_t node, uint8_t *marks)
{
    const struct wedr_node *n = wedr_ruleset_node(rs, node);
    for (uint32_t i = 0; i < n->kid_count; i++) {
        collect(wedr_ruleset_kids(rs, n)[i], marks);
    }
    if (n->kind == WEDR_NODE_PRED && wedr_ruleset_pred(rs, n->arg)->field != WEDR_FIELD_ANY) {
        marks[wedr_ruleset_pred(rs, n->arg)->field] = 1;
    }
}

static void print_rule(const struct wedr_rule *r)
{
    char class_name[WEDR_SIGMA_CLASS_MAX];
    (void)wedr_sigma_class_name(r->product, r->category, r->service, class_name);
    uint8_t *marks = calloc(MANY, 1);
    if (!marks) {
        exit(1);
    }
    bool can = fires(r, class_name, WEDR_IR_NONE);
    collect(r->condition, marks);
    printf("rule\t%s\t%d\t", class_name, can);
    for (uint32_t f = 0; f < wedr_ruleset_field_count(rs); f++) {
        struct wedr_text name = wedr_ruleset_field_name(rs, f);
        bool have = !marks[f];
        for (size_t i = 0; !have && i < kind_count; i++) {
            have = covers(class_name, kinds[i].source) && kinds[i].has[f];
        }
        if (!have) {
            printf("%.*s%s,", (int)name.len, name.p, !can && fires(r, class_name, f) ? "!" : "");
        }
    }
    printf("\n");
    free(marks);
}

static void on_report(void *ctx, const struct wedr_sigma_report *r)
{
    (void)ctx;
    if (r->outcome == WEDR_SIGMA_REFUSED || r->text[0]) {
        printf("%s\t%s\t%u\t%s\n", r->outcome == WEDR_SIGMA_REFUSED ? "refused" : "needs", r->file,
               r->line, r->text);
    }
}

static void load(const char *list)
{
    struct wedr_sigma *s = wedr_sigma_new(rs, NULL, on_report, NULL);
    FILE *l = fopen(list, "r");
    char path[4096];
    static char text[1 << 20];
    while (l && fgets(path, sizeof(path), l)) {
        path[strcspn(path, "\n")] = '\0';
        FILE *f = fopen(path, "rb");
        size_t n = f ? fread(text, 1, sizeof(text), f) : 0;
        if (!f || n == sizeof(text)) {
            (void)fprintf(stderr, "cannot read %s\n", path);
            exit(1);
        }
        (void)fclose(f);
        (void)wedr_sigma_add(s, path, text, n);
    }
    if (!l || fclose(l) != 0) {
        exit(1);
    }
    (void)wedr_sigma_finish(s);
    wedr_sigma_free(s);
}

static struct kind *kind_of(const char *name, const char *source)
{
    for (size_t i = 0; i < kind_count; i++) {
        if (strcmp(kinds[i].name, name) == 0 && strcmp(kinds[i].source, source) == 0) {
            return &kinds[i];
        }
    }
    struct kind *k = &kinds[kind_count++];
    snprintf(k->name, sizeof(k->name), "%s", name);
    snprintf(k->source, sizeof(k->source), "%s", source);
    k->has = calloc(MANY, 1);
    if (!k->has || kind_count == sizeof(kinds) / sizeof(kinds[0])) {
        exit(1);
    }
    return k;
}

static void read_kinds(const char *path)
{
    FILE *f = fopen(path, "r");
    char name[64];
    char source[128];
    char field[128];
    while (f && fscanf(f, "%63s %127s %127s", name, source, field) == 3) {
        uint32_t id = wedr_ruleset_field_find(rs, field, strlen(field));
        struct kind *k = kind_of(name, source);
        if (id != WEDR_IR_NONE) {
            k->has[id] = 1;
        }
    }
    if (!f || fclose(f) != 0) {
        exit(1);
    }
}

int main(int argc, char **argv)
{
    rs = wedr_ruleset_new((size_t)256 << 20);
    if (argc != 3 || !rs) {
        return 2;
    }
    load(argv[1]);
    if (wedr_ruleset_field_count(rs) > MANY) {
        return 1;
    }
    read_kinds(argv[2]);
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(rs); i++) {
        if (wedr_ruleset_rule(rs, i)->condition != WEDR_IR_NONE) {
            print_rule(wedr_ruleset_rule(rs, i));
        }
    }
    for (size_t i = 0; i < kind_count; i++) {
        free(kinds[i].has);
    }
    wedr_ruleset_free(rs);
    return 0;
}
