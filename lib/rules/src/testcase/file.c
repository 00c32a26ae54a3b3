/* SPDX-License-Identifier: Apache-2.0
 * rules/src/testcase/file.c — test files to cases: our own form and Sigma's info.yml. */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "testcase/testcase.h"
#include <string.h>

#define MEMORY_MAX ((size_t)256 << 20) /* only what is used is touched */
#define DEPTH_MAX 40u
#define NODES_MAX 2000000u

static int fail(struct wedr_errinfo *ei, const struct wedr_yaml *y, int err, const char *what)
{
    return wedr_fail(ei, err, "line %u: %s", y->line, what);
}

static bool is_word(const struct wedr_yaml *y)
{
    return y->kind == WEDR_YAML_SCALAR && y->text.len > 0;
}

/* Children of a list, or the one scalar. */
static size_t texts_of(const struct wedr_yaml *y)
{
    return y->kind == WEDR_YAML_LIST ? y->count : 1;
}

static int read_texts(struct wedr_testfile *f,
                      const struct wedr_yaml *y,
                      const struct wedr_text **ret_texts,
                      size_t *ret_count,
                      struct wedr_errinfo *ei)
{
    size_t count = texts_of(y);
    struct wedr_text *v = wedr_arena_alloc(f->arena, (count ? count : 1) * sizeof(*v));
    const struct wedr_yaml *i = y->kind == WEDR_YAML_LIST ? y->first : y;
    if (!v) {
        return fail(ei, y, WEDR_E_NOMEM, "out of memory");
    }
    for (size_t n = 0; n < count; n++, i = i->next) {
        if (!is_word(i)) {
            return fail(ei, i, WEDR_E_FORMAT, "a text was expected");
        }
        v[n] = i->text;
    }
    *ret_texts = v;
    *ret_count = count;
    return WEDR_OK;
}

/* Documents in a text, counted and (v not NULL) put down. */
static int
split(const struct wedr_yaml *y, struct wedr_text *v, size_t *count, struct wedr_errinfo *ei)
{
    struct wedr_documents d = wedr_documents(y->text);
    struct wedr_text document;
    for (;;) {
        if (wedr_documents_next(&d, &document) < 0) {
            return fail(ei, y, WEDR_E_FORMAT, "an event is one JSON object");
        }
        if (document.len == 0) {
            return WEDR_OK;
        }
        if (v) {
            v[*count] = document;
        }
        if (++*count > WEDR_TESTCASE_EVENTS_MAX) {
            return fail(ei, y, WEDR_E_LIMIT, "too many events");
        }
    }
}

static int read_event(struct wedr_testfile *f,
                      const struct wedr_yaml *y,
                      struct wedr_text *v,
                      size_t *count,
                      struct wedr_errinfo *ei)
{
    if (y->kind == WEDR_YAML_SCALAR) {
        return split(y, v, count, ei);
    }
    if (y->kind != WEDR_YAML_MAP) {
        return fail(ei, y, WEDR_E_FORMAT, "an event is one JSON object");
    }
    size_t at = (*count)++;
    if (at >= WEDR_TESTCASE_EVENTS_MAX) {
        return fail(ei, y, WEDR_E_LIMIT, "too many events");
    }
    int r = v ? wedr_yaml_to_json(f->arena, y, &v[at]) : WEDR_OK;
    return r < 0 ? fail(ei, y, r, "out of memory") : WEDR_OK;
}

static int read_events(struct wedr_testfile *f,
                       const struct wedr_yaml *y,
                       struct wedr_testcase *c,
                       struct wedr_errinfo *ei)
{
    struct wedr_text *v = NULL;
    size_t count = 0;
    int r = WEDR_OK;
    for (int pass = 0; pass < 2; pass++) {
        const struct wedr_yaml *i = y->kind == WEDR_YAML_LIST ? y->first : y;
        count = 0;
        for (size_t n = texts_of(y); r == WEDR_OK && n > 0; n--, i = i->next) {
            r = read_event(f, i, v, &count, ei);
        }
        if (r == WEDR_OK && pass == 0) {
            v = wedr_arena_alloc(f->arena, (count ? count : 1) * sizeof(*v));
            r = v ? WEDR_OK : fail(ei, y, WEDR_E_NOMEM, "out of memory");
        }
    }
    c->events = v;
    c->event_count = count;
    return r;
}

static int read_offsets(struct wedr_testfile *f,
                        const struct wedr_yaml *y,
                        struct wedr_testcase *c,
                        struct wedr_errinfo *ei)
{
    const struct wedr_text *texts = NULL;
    size_t count = 0;
    int r = read_texts(f, y, &texts, &count, ei);
    int64_t *v = r < 0 ? NULL : wedr_arena_alloc(f->arena, (count ? count : 1) * sizeof(*v));
    if (r == WEDR_OK && !v) {
        return fail(ei, y, WEDR_E_NOMEM, "out of memory");
    }
    for (size_t i = 0; r == WEDR_OK && i < count; i++) {
        if (wedr_testcase_offset(texts[i], &v[i]) < 0) {
            return fail(ei, y, WEDR_E_FORMAT, "a time is written 500ms, 30s, 5m, 1h, 1d");
        }
        if (i > 0 && v[i] < v[i - 1]) {
            return fail(ei, y, WEDR_E_FORMAT, "times do not go back");
        }
    }
    c->at_us = v;
    c->at_count = count;
    return r;
}

static int read_expect(struct wedr_testfile *f,
                       const struct wedr_yaml *y,
                       struct wedr_testcase *c,
                       struct wedr_errinfo *ei)
{
    if (y->kind == WEDR_YAML_SCALAR && wedr_text_is(y->text, "none")) {
        c->expect_none = true;
        return WEDR_OK;
    }
    return read_texts(f, y, &c->expect, &c->expect_count, ei);
}

static int read_key(struct wedr_testfile *f,
                    const struct wedr_yaml *y,
                    struct wedr_testcase *c,
                    struct wedr_errinfo *ei)
{
    if (wedr_text_is(y->key, "name") && is_word(y)) {
        c->name = y->text;
        return WEDR_OK;
    }
    if (wedr_text_is(y->key, "events")) {
        return read_events(f, y, c, ei);
    }
    if (wedr_text_is(y->key, "file")) {
        return read_texts(f, y, &c->files, &c->file_count, ei);
    }
    if (wedr_text_is(y->key, "at")) {
        return read_offsets(f, y, c, ei);
    }
    if (wedr_text_is(y->key, "expect")) {
        return read_expect(f, y, c, ei);
    }
    if (wedr_text_is(y->key, "not")) {
        return read_texts(f, y, &c->never, &c->never_count, ei);
    }
    return fail(ei, y, WEDR_E_FORMAT, "a case has name, events, file, at, expect and not");
}

static int read_case(struct wedr_testfile *f,
                     const struct wedr_yaml *y,
                     struct wedr_testcase *c,
                     struct wedr_errinfo *ei)
{
    int r = WEDR_OK;
    c->line = y->line;
    if (y->kind != WEDR_YAML_MAP) {
        return fail(ei, y, WEDR_E_FORMAT, "a case has name, events, file, at, expect and not");
    }
    for (const struct wedr_yaml *i = y->first; r == WEDR_OK && i; i = i->next) {
        r = read_key(f, i, c, ei);
    }
    if (r < 0) {
        return r;
    }
    if (c->name.len == 0) {
        return fail(ei, y, WEDR_E_FORMAT, "a case needs a name");
    }
    if (c->event_count == 0 && c->file_count == 0) {
        return fail(ei, y, WEDR_E_FORMAT, "a case needs events or a file");
    }
    if (c->expect_count == 0 && c->never_count == 0 && !c->expect_none) {
        return fail(ei, y, WEDR_E_FORMAT, "a case says what it expects: rules, not, or none");
    }
    return WEDR_OK;
}

/* --- Sigma's regression form. */

/* "regression_data/a/b/c.evtx" -> "c.json": the recording as JSON lies beside it. */
static int sigma_file(struct wedr_testfile *f,
                      const struct wedr_yaml *path,
                      struct wedr_testcase *c,
                      struct wedr_errinfo *ei)
{
    const char *name = path->text.p;
    size_t len = path->text.len;
    for (size_t i = 0; i + 1 < path->text.len; i++) {
        if (path->text.p[i] == '/') {
            name = path->text.p + i + 1;
            len = path->text.len - i - 1;
        }
    }
    len -= len > 5 && memcmp(name + len - 5, ".evtx", 5) == 0 ? 5 : 0;
    len -= len > 5 && memcmp(name + len - 5, ".json", 5) == 0 ? 5 : 0;
    struct wedr_text *file = wedr_arena_alloc(f->arena, sizeof(*file));
    char *p = file ? wedr_arena_printf(f->arena, "%.*s.json", (int)len, name) : NULL;
    if (!p) {
        return fail(ei, path, WEDR_E_NOMEM, "out of memory");
    }
    *file = wedr_text(p, strlen(p)); /* a zero byte ends it */
    c->files = file;
    c->file_count = 1;
    return WEDR_OK;
}

static int sigma_rules(struct wedr_testfile *f,
                       const struct wedr_yaml *rules,
                       struct wedr_testcase *c,
                       struct wedr_errinfo *ei)
{
    struct wedr_text *v = wedr_arena_alloc(f->arena, (rules->count + 1u) * sizeof(*v));
    if (!v) {
        return fail(ei, rules, WEDR_E_NOMEM, "out of memory");
    }
    for (const struct wedr_yaml *i = rules->first; i; i = i->next) {
        const struct wedr_yaml *id = wedr_yaml_get(i, "id");
        if (!id || !is_word(id)) {
            return fail(ei, i, WEDR_E_FORMAT, "a rule of rule_metadata needs an id");
        }
        v[c->expect_count++] = id->text;
    }
    c->expect = v;
    return c->expect_count > 0 ? WEDR_OK
                               : fail(ei, rules, WEDR_E_FORMAT, "rule_metadata names no rule");
}

static int read_sigma(struct wedr_testfile *f,
                      const struct wedr_yaml *root,
                      const struct wedr_yaml *tests,
                      struct wedr_errinfo *ei)
{
    const struct wedr_yaml *rules = wedr_yaml_get(root, "rule_metadata");
    int r = WEDR_OK;
    if (!rules || rules->kind != WEDR_YAML_LIST) {
        return fail(ei, root, WEDR_E_FORMAT, "regression_tests_info without rule_metadata");
    }
    size_t at = 0;
    for (const struct wedr_yaml *i = tests->first; r == WEDR_OK && i; i = i->next) {
        const struct wedr_yaml *name = wedr_yaml_get(i, "name");
        const struct wedr_yaml *path = wedr_yaml_get(i, "path");
        struct wedr_testcase *c = &f->cases[at++];
        if (!path || !is_word(path)) {
            return fail(ei, i, WEDR_E_FORMAT, "a test needs a path");
        }
        c->line = i->line;
        c->name = name && is_word(name) ? name->text : path->text;
        r = sigma_file(f, path, c, ei);
        if (r == WEDR_OK) {
            r = sigma_rules(f, rules, c, ei);
        }
    }
    return r;
}

static int
read_cases(struct wedr_testfile *f, const struct wedr_yaml *root, struct wedr_errinfo *ei)
{
    const struct wedr_yaml *sigma = wedr_yaml_get(root, "regression_tests_info");
    const struct wedr_yaml *list = sigma ? sigma : wedr_yaml_get(root, "cases");
    int r = WEDR_OK;
    if (!list || list->kind != WEDR_YAML_LIST || list->count == 0) {
        return fail(ei, root, WEDR_E_FORMAT, "no list of cases");
    }
    f->count = list->count;
    f->cases = wedr_arena_alloc(f->arena, f->count * sizeof(*f->cases));
    if (!f->cases) {
        return fail(ei, root, WEDR_E_NOMEM, "out of memory");
    }
    if (sigma) {
        return read_sigma(f, root, sigma, ei);
    }
    size_t at = 0;
    for (const struct wedr_yaml *i = list->first; r == WEDR_OK && i; i = i->next) {
        r = read_case(f, i, &f->cases[at++], ei);
    }
    return r;
}

static int read_text(struct wedr_testfile *f, const char *yaml, size_t len, struct wedr_errinfo *ei)
{
    static const struct wedr_yaml_limits limits = {DEPTH_MAX, NODES_MAX};
    struct wedr_errinfo why = {{0}};
    struct wedr_yaml *root = NULL;
    uint32_t line = 0;
    char *copy = wedr_arena_strndup(f->arena, yaml, len);
    if (!copy) {
        return wedr_fail(ei, WEDR_E_NOMEM, "line 1: out of memory");
    }
    int r = wedr_yaml_read(f->arena, &limits, copy, len, &root, &line, &why);
    if (r < 0) {
        return wedr_fail(ei, r, "line %u: %s", line, why.text);
    }
    if (!root || root->next || root->kind != WEDR_YAML_MAP) {
        return wedr_fail(ei, WEDR_E_FORMAT, "line 1: a test file is one map with cases");
    }
    return read_cases(f, root, ei);
}

int wedr_testfile_read(const char *yaml,
                       size_t len,
                       struct wedr_testfile **ret_file,
                       struct wedr_errinfo *ei)
{
    if (len > WEDR_TESTCASE_FILE_MAX) {
        return wedr_fail(ei, WEDR_E_LIMIT, "line 1: the file is too large");
    }
    struct wedr_testfile *f = wedr_alloc(1, sizeof(*f));
    int r = WEDR_E_NOMEM;
    if (f) {
        f->arena = wedr_arena_new(MEMORY_MAX);
    }
    if (f && f->arena) {
        r = read_text(f, yaml, len, ei);
    } else {
        r = wedr_fail(ei, r, "line 1: out of memory");
    }
    if (r < 0) {
        wedr_testfile_free(f);
        return r;
    }
    *ret_file = f;
    return WEDR_OK;
}

void wedr_testfile_free(struct wedr_testfile *f)
{
    if (f) {
        wedr_arena_free(f->arena);
        wedr_free(f);
    }
}

size_t wedr_testfile_case_count(const struct wedr_testfile *f)
{
    return f->count;
}

const struct wedr_testcase *wedr_testfile_case(const struct wedr_testfile *f, size_t index)
{
    return index < f->count ? &f->cases[index] : NULL;
}
