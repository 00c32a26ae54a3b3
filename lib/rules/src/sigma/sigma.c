/* SPDX-License-Identifier: Apache-2.0
 * rules/src/sigma/sigma.c — the loader: files to documents, documents to rules. */
#include "wedr/rules/sigma.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "core/util/obj.h"
#include "loader.h"
#include <string.h>

#define MAGIC 0x5347414Cu
#define SCRATCH_MAX ((size_t)96 << 20) /* of one file; only what is used is touched */
#define KEEP_MAX ((size_t)96 << 20)
#define CHAIN_MAX 16u /* correlations of correlations */
#define DEPTH_DEFAULT 32u
#define DEPTH_MAX 64u
#define VALUES_DEFAULT 200000u

struct wedr_sigma *wedr_sigma_new(struct wedr_ruleset *rs,
                                  const struct wedr_sigma_options *options,
                                  wedr_sigma_report_fn *fn,
                                  void *ctx)
{
    struct wedr_sigma *s = wedr_alloc(1, sizeof(*s));
    if (!s) {
        return NULL;
    }
    s->magic = MAGIC;
    s->rs = rs;
    s->fn = fn;
    s->ctx = ctx;
    if (options) {
        s->options = *options;
    }
    uint32_t depth = s->options.depth_max ? s->options.depth_max : DEPTH_DEFAULT;
    s->options.depth_max = depth < DEPTH_MAX ? depth : DEPTH_MAX;
    s->options.values_max = s->options.values_max ? s->options.values_max : VALUES_DEFAULT;
    s->scratch = wedr_arena_new(SCRATCH_MAX);
    s->keep = wedr_arena_new(KEEP_MAX);
    if (!s->scratch || !s->keep) {
        wedr_sigma_free(s);
        return NULL;
    }
    return s;
}

void wedr_sigma_free(struct wedr_sigma *s)
{
    if (s) {
        wedr_arena_free(s->scratch);
        wedr_arena_free(s->keep);
        wedr_free(s->known);
        wedr_free(s->uses);
        s->magic = 0;
        wedr_free(s);
    }
}

/* --- Ids and names. */

static uint32_t hash_of(struct wedr_text t)
{
    uint32_t h = 2166136261u;
    for (uint32_t i = 0; i < t.len; i++) {
        h = (h ^ (uint8_t)t.p[i]) * 16777619u;
    }
    return h;
}

static bool is_free(const struct wedr_sigma_known *k)
{
    return !k->text.p;
}

/* The slot of the text, or the free one where it belongs. */
static struct wedr_sigma_known *slot(const struct wedr_sigma *s, struct wedr_text t, uint32_t hash)
{
    size_t at = hash & (s->known_cap - 1);
    for (;; at = (at + 1) & (s->known_cap - 1)) {
        struct wedr_sigma_known *k = &s->known[at];
        if (is_free(k) ||
            (k->hash == hash && k->text.len == t.len && memcmp(k->text.p, t.p, t.len) == 0)) {
            return k;
        }
    }
}

struct wedr_sigma_known *wedr_sigma_find(const struct wedr_sigma *s, struct wedr_text text)
{
    struct wedr_sigma_known *k = s->known_cap && text.len ? slot(s, text, hash_of(text)) : NULL;
    return k && !is_free(k) ? k : NULL;
}

static int grow_known(struct wedr_sigma *s)
{
    struct wedr_sigma old = *s;
    size_t cap = s->known_cap ? s->known_cap * 2 : 256;
    struct wedr_sigma_known *v = wedr_alloc(cap, sizeof(*v));
    if (!v) {
        return WEDR_E_NOMEM;
    }
    s->known = v;
    s->known_cap = cap;
    for (size_t i = 0; i < old.known_cap; i++) {
        if (!is_free(&old.known[i])) {
            *slot(s, old.known[i].text, old.known[i].hash) = old.known[i];
        }
    }
    wedr_free(old.known);
    return WEDR_OK;
}

int wedr_sigma_learn(struct wedr_sigma *s,
                     struct wedr_text text,
                     uint32_t rule,
                     struct wedr_sigma_pending *pending)
{
    if ((s->known_count + 1) * 2 > s->known_cap) {
        int e = grow_known(s);
        if (e < 0) {
            return e;
        }
    }
    uint32_t hash = hash_of(text);
    struct wedr_sigma_known *k = slot(s, text, hash);
    if (!is_free(k)) {
        return WEDR_E_EXIST;
    }
    const char *copy = wedr_arena_strndup(s->keep, text.p, text.len);
    if (!copy) {
        return WEDR_E_LIMIT;
    }
    k->text = wedr_text(copy, text.len);
    k->hash = hash;
    k->rule = rule;
    k->pending = pending;
    s->known_count++;
    return WEDR_OK;
}

int wedr_sigma_use(struct wedr_sigma *s, uint32_t rule, unsigned use)
{
    if (rule >= s->uses_cap) {
        size_t cap = (size_t)rule + 1024;
        uint8_t *v = wedr_realloc(s->uses, cap, 1);
        if (!v) {
            return WEDR_E_NOMEM;
        }
        memset(v + s->uses_cap, 0, cap - s->uses_cap);
        s->uses = v;
        s->uses_cap = cap;
    }
    s->uses[rule] |= (uint8_t)use;
    return WEDR_OK;
}

/* --- Documents. */

static struct wedr_sigma_compiler compiler_of(struct wedr_sigma *s)
{
    struct wedr_sigma_compiler c = {.arena = s->scratch, .rs = s->rs, .options = &s->options};
    s->ei.text[0] = '\0';
    c.ei = &s->ei;
    c.needs = wedr_text("", 0);
    return c;
}

static void report(struct wedr_sigma *s, const struct wedr_sigma_report *r)
{
    if (s->fn) {
        s->fn(s->ctx, r);
    }
}

static int refuse(struct wedr_sigma *s, const char *file, uint32_t line, int err)
{
    for (char *p = s->ei.text; *p; p++) { /* one line */
        if ((unsigned char)*p < ' ') {
            *p = ' ';
        }
    }
    struct wedr_sigma_report r = {.outcome = WEDR_SIGMA_REFUSED,
                                  .err = err,
                                  .file = file,
                                  .line = line,
                                  .rule = WEDR_IR_NONE,
                                  .text = s->ei.text[0] ? s->ei.text : wedr_err_text(err)};
    s->stats.refused++;
    report(s, &r);
    return err;
}

static int add_pending(struct wedr_sigma *s,
                       struct wedr_sigma_compiler *c,
                       const struct wedr_yaml *doc,
                       const char *file,
                       bool filter)
{
    struct wedr_sigma_pending *p = wedr_arena_alloc(s->keep, sizeof(*p));
    const char *name = wedr_arena_strndup(s->keep, file, strlen(file));
    const struct wedr_yaml *copy = wedr_yaml_copy(s->keep, doc);
    if (!p || !name || !copy) {
        return wedr_sigma_fail(c, doc->line, WEDR_E_LIMIT, "too many filters and correlations");
    }
    p->doc = copy;
    p->file = name;
    p->filter = filter;
    p->rule = WEDR_IR_NONE;
    static const char *const keys[] = {"id", "name"};
    for (size_t i = 0; !filter && i < WEDR_ARRAY_COUNT(keys); i++) {
        struct wedr_text t = {NULL, 0};
        int e = wedr_sigma_text_of(c, copy, keys[i], &t);
        e = e < 0 || t.len == 0 ? e : wedr_sigma_learn(s, t, WEDR_IR_NONE, p);
        if (e == WEDR_E_EXIST && i == 0) {
            return wedr_sigma_fail(c, doc->line, e, "id %.*s is used already",
                                   (int)(t.len < 60 ? t.len : 60), t.p);
        }
        if (e < 0 && e != WEDR_E_EXIST) {
            return e;
        }
    }
    if (s->last) {
        s->last->next = p;
    } else {
        s->first = p;
    }
    s->last = p;
    return WEDR_OK;
}

static int add_rule(struct wedr_sigma *s,
                    struct wedr_sigma_compiler *c,
                    const struct wedr_yaml *doc,
                    const char *file)
{
    uint32_t rule;
    int e = wedr_sigma_rule(s, c, doc, file, &rule);
    if (e < 0) {
        return e;
    }
    const char *needs = wedr_arena_strndup(s->scratch, c->needs.p, c->needs.len);
    struct wedr_sigma_report r = {.outcome = WEDR_SIGMA_RULE,
                                  .file = file,
                                  .line = doc->line,
                                  .rule = rule,
                                  .text = needs ? needs : ""};
    s->stats.rules++;
    s->stats.need_list += c->needs.len > 0;
    report(s, &r);
    return WEDR_OK;
}

static bool is_empty(const struct wedr_yaml *doc)
{
    return doc->kind == WEDR_YAML_SCALAR && doc->plain && doc->text.len == 0;
}

static int add_document(struct wedr_sigma *s, const struct wedr_yaml *doc, const char *file)
{
    struct wedr_sigma_compiler c = compiler_of(s);
    int e;
    s->stats.documents++;
    if (doc->kind != WEDR_YAML_MAP) {
        e = wedr_sigma_fail(&c, doc->line, WEDR_E_FORMAT, "a document is no map");
    } else if (wedr_yaml_get(doc, "action")) {
        e = wedr_sigma_fail(&c, doc->line, WEDR_E_UNSUP, "action left Sigma with version 2");
    } else if (wedr_yaml_get(doc, "correlation")) {
        e = add_pending(s, &c, doc, file, false);
    } else if (wedr_yaml_get(doc, "filter")) {
        e = add_pending(s, &c, doc, file, true);
    } else if (wedr_yaml_get(doc, "detection")) {
        e = add_rule(s, &c, doc, file);
    } else {
        e = wedr_sigma_fail(&c, doc->line, WEDR_E_FORMAT, "no detection, correlation or filter");
    }
    return e < 0 ? refuse(s, file, c.line ? c.line : doc->line, e) : WEDR_OK;
}

int wedr_sigma_add(struct wedr_sigma *s, const char *file, const char *yaml, size_t len)
{
    WEDR_OBJ_CHECK(s, MAGIC);
    if (s->finished) {
        return WEDR_E_STATE;
    }
    struct wedr_yaml_limits limits = {s->options.depth_max, s->options.values_max};
    struct wedr_yaml *doc = NULL;
    uint32_t line = 0;
    wedr_arena_clear(s->scratch);
    s->ei.text[0] = '\0';
    s->stats.files++;
    int e = WEDR_OK;
    if (len > WEDR_SIGMA_FILE_MAX) {
        e = wedr_fail(&s->ei, WEDR_E_LIMIT, "larger than %zu bytes", WEDR_SIGMA_FILE_MAX);
    }
    e = e < 0 ? e : wedr_yaml_read(s->scratch, &limits, yaml, len, &doc, &line, &s->ei);
    if (e < 0) {
        return refuse(s, file, line, e);
    }
    int result = WEDR_OK;
    for (; doc && e != WEDR_E_NOMEM; doc = doc->next) {
        e = is_empty(doc) ? WEDR_OK : add_document(s, doc, file);
        result = e < 0 ? e : result;
    }
    return result;
}

/* --- The end. */

static int finish_filter(struct wedr_sigma *s, struct wedr_sigma_pending *p)
{
    wedr_arena_clear(s->scratch);
    struct wedr_sigma_compiler c = compiler_of(s);
    uint32_t count;
    int e = wedr_sigma_filter(s, &c, p->doc, &count);
    if (e < 0) {
        return refuse(s, p->file, c.line ? c.line : p->doc->line, e);
    }
    struct wedr_sigma_report r = {.outcome = WEDR_SIGMA_FILTER,
                                  .file = p->file,
                                  .line = p->doc->line,
                                  .rule = WEDR_IR_NONE,
                                  .text = count ? "" : "met no rule"};
    s->stats.filters++;
    s->stats.filtered += count;
    s->stats.filters_idle += count == 0;
    report(s, &r);
    return WEDR_OK;
}

static int finish_correlation(struct wedr_sigma *s, struct wedr_sigma_pending *p, uint32_t depth);

/* Correlations that this one is made of come first. */
static int finish_members(struct wedr_sigma *s, struct wedr_sigma_pending *p, uint32_t depth)
{
    struct wedr_text_list names = {NULL, 0};
    struct wedr_sigma_compiler c = compiler_of(s);
    int e = wedr_sigma_member_names(&c, p->doc, &names);
    if (e < 0) {
        return WEDR_OK; /* said when it is its turn */
    }
    for (uint32_t i = 0; i < names.count; i++) {
        struct wedr_sigma_known *k = wedr_sigma_find(s, names.v[i]);
        if (!k || k->rule != WEDR_IR_NONE || !k->pending || k->pending->done) {
            continue;
        }
        if (k->pending->open || depth >= CHAIN_MAX) {
            return WEDR_E_LIMIT;
        }
        (void)finish_correlation(s, k->pending, depth + 1); /* reported there */
    }
    return WEDR_OK;
}

/* Ids and names of a correlation now stand for a rule. */
static void settle(struct wedr_sigma *s, const struct wedr_sigma_pending *p)
{
    static const char *const keys[] = {"id", "name"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(keys); i++) {
        const struct wedr_yaml *y = wedr_yaml_get(p->doc, keys[i]);
        struct wedr_sigma_known *k = y ? wedr_sigma_find(s, y->text) : NULL;
        if (k && k->pending == p) {
            k->rule = p->rule;
        }
    }
}

static int finish_correlation(struct wedr_sigma *s, struct wedr_sigma_pending *p, uint32_t depth)
{
    p->open = true;
    int e = finish_members(s, p, depth);
    p->open = false;
    p->done = true;
    struct wedr_sigma_compiler c = compiler_of(s);
    size_t mark = wedr_arena_mark(s->scratch);
    e = e < 0 ? wedr_sigma_fail(&c, p->doc->line, WEDR_E_LIMIT,
                                "correlation: made of itself, or of too long a chain")
              : wedr_sigma_correlation(s, &c, p, &p->rule);
    wedr_arena_reset(s->scratch, mark);
    if (e < 0) {
        return refuse(s, p->file, c.line ? c.line : p->doc->line, e);
    }
    settle(s, p);
    struct wedr_sigma_report r = {.outcome = WEDR_SIGMA_CORRELATION,
                                  .file = p->file,
                                  .line = p->doc->line,
                                  .rule = p->rule,
                                  .text = ""};
    s->stats.correlations++;
    report(s, &r);
    return WEDR_OK;
}

/* Rules that only feed correlations are not shown by themselves. */
static int hide_members(struct wedr_sigma *s)
{
    uint32_t count = wedr_ruleset_rule_count(s->rs);
    for (uint32_t i = 0; i < count && i < s->uses_cap; i++) {
        if (s->uses[i] == WEDR_SIGMA_USE_MEMBER) {
            uint16_t flags = wedr_ruleset_rule(s->rs, i)->flags;
            int e = wedr_ruleset_set_flags(s->rs, i, flags | WEDR_RULE_HIDDEN);
            if (e < 0) {
                return e;
            }
        }
    }
    return WEDR_OK;
}

int wedr_sigma_finish(struct wedr_sigma *s)
{
    WEDR_OBJ_CHECK(s, MAGIC);
    if (s->finished) {
        return WEDR_E_STATE;
    }
    int result = WEDR_OK;
    s->finished = true;
    for (struct wedr_sigma_pending *p = s->first; p; p = p->next) {
        int e = p->filter ? finish_filter(s, p) : WEDR_OK;
        result = e < 0 ? e : result;
    }
    for (struct wedr_sigma_pending *p = s->first; p; p = p->next) {
        if (!p->filter && !p->done) {
            wedr_arena_clear(s->scratch);
            int e = finish_correlation(s, p, 0);
            result = e < 0 ? e : result;
        }
    }
    int e = hide_members(s);
    return e < 0 ? e : result;
}

void wedr_sigma_stats(const struct wedr_sigma *s, struct wedr_sigma_stats *ret_stats)
{
    *ret_stats = s->stats;
}
