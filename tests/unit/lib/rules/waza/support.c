/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/waza/support.c */
#include "support.h"
#include "core/base/err.h"
#include "wedr/rules/sigma.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct waza_told waza_told;
static const struct waza_file *files;
static size_t file_count;

void waza_files(const struct waza_file *f, size_t count)
{
    files = f;
    file_count = count;
}

static int on_read(void *ctx, const char *path, struct wedr_buf *out)
{
    (void)ctx;
    for (size_t i = 0; i < file_count; i++) {
        if (strcmp(files[i].name, path) == 0) {
            wedr_buf_adds(out, files[i].text);
            return WEDR_OK;
        }
    }
    return WEDR_E_NOENT;
}

static void on_error(void *ctx, const struct wedr_waza_error *e)
{
    size_t n = strlen(waza_told.all);
    (void)ctx;
    assert_null(strchr(e->text, '\n'));
    assert_true(e->width >= 1);
    assert_int_equal(e->warning, e->err == WEDR_OK);
    waza_told.errors += !e->warning;
    waza_told.warnings += e->warning;
    waza_told.last = *e;
    snprintf(waza_told.text, sizeof(waza_told.text), "%s", e->text);
    snprintf(waza_told.all + n, sizeof(waza_told.all) - n, "%s%u:%u %s\n", e->warning ? "w" : "",
             e->line, e->column, e->text);
    waza_told.last.text = waza_told.text;
    snprintf(waza_told.file, sizeof(waza_told.file), "%s", e->file);
    waza_told.last.file = waza_told.file;
}

struct wedr_ruleset *waza_load_with(const char *sigma, const char *text, int *ret_err)
{
    const struct wedr_waza_options options = {.read = on_read, .error = on_error};
    memset(&waza_told, 0, sizeof(waza_told));
    struct wedr_ruleset *rs = wedr_ruleset_new(256u << 20);
    assert_non_null(rs);
    if (sigma) {
        struct wedr_sigma *s = wedr_sigma_new(rs, NULL, NULL, NULL);
        assert_int_equal(wedr_sigma_add(s, "x.yml", sigma, strlen(sigma)), WEDR_OK);
        assert_int_equal(wedr_sigma_finish(s), WEDR_OK);
        wedr_sigma_free(s);
    }
    struct wedr_waza *w = wedr_waza_new(rs, &options);
    assert_non_null(w);
    char *copy = malloc(strlen(text) + 1); /* gone before the rules are used */
    assert_non_null(copy);
    strcpy(copy, text);
    int a = wedr_waza_add(w, "rules/test.waza", copy, strlen(copy));
    free(copy);
    int b = wedr_waza_finish(w);
    struct wedr_waza_stats stats;
    wedr_waza_stats(w, &stats);
    assert_int_equal(a < 0 || b<0, stats.errors> 0);
    wedr_waza_free(w);
    if (ret_err) {
        *ret_err = a < 0 ? a : b;
    }
    return rs;
}

struct wedr_ruleset *waza_load(const char *text, int *ret_err)
{
    return waza_load_with(NULL, text, ret_err);
}

/* --- Matching. */

struct waza_machine {
    struct wedr_engine *e;
    struct wedr_matcher *m;
    struct wedr_field_map *map;
    struct wedr_rule_event *ev;
    struct wedr_correlate *c;
    struct wedr_correlate_stats stats;
    uint64_t ref;
    char out[4096];
};

struct waza_machine *waza_machine_take(struct wedr_ruleset *rs)
{
    struct waza_machine *m = calloc(1, sizeof(*m));
    struct wedr_errinfo ei = {{0}};
    assert_non_null(m);
    assert_int_equal(wedr_engine_new_take(rs, NULL, &m->e, &ei), WEDR_OK);
    assert_int_equal(wedr_pipeline_map(rs, NULL, 0, true, &m->map, &ei), WEDR_OK);
    m->m = wedr_matcher_new(m->e);
    m->ev = wedr_rule_event_new(rs, NULL);
    m->c = wedr_correlate_new(m->e, NULL);
    assert_true(m->m && m->ev && m->c);
    return m;
}

struct waza_machine *waza_machine(const char *text)
{
    int e;
    struct wedr_ruleset *rs = waza_load(text, &e);
    if (e < 0) {
        fail_msg("refused: %s\n%s", waza_told.all, text);
    }
    return waza_machine_take(rs);
}

void waza_machine_free(struct waza_machine *m)
{
    wedr_correlate_free(m->c);
    wedr_rule_event_free(m->ev);
    wedr_matcher_free(m->m);
    wedr_field_map_free(m->map);
    wedr_engine_free(m->e);
    free(m);
}

const struct wedr_ruleset *waza_machine_rules(const struct waza_machine *m)
{
    return wedr_engine_ruleset(m->e);
}

static void put(struct waza_machine *m, uint32_t rule, const uint64_t *refs, size_t count)
{
    const struct wedr_rule *r = wedr_ruleset_rule(waza_machine_rules(m), rule);
    size_t n = strlen(m->out);
    n += (size_t)snprintf(m->out + n, sizeof(m->out) - n, "%s%.*s[", n ? " " : "",
                          (int)r->title.len, r->title.p);
    for (size_t i = 0; i < count && n < sizeof(m->out) - 32; i++) {
        n += (size_t)snprintf(m->out + n, sizeof(m->out) - n, "%s%llu", i ? " " : "",
                              (unsigned long long)refs[i]);
    }
    snprintf(m->out + n, sizeof(m->out) - n, "]");
}

static void on_firing(void *ctx, const struct wedr_firing *f)
{
    struct waza_machine *m = ctx;
    const struct wedr_rule *r = wedr_ruleset_rule(waza_machine_rules(m), f->rule);
    if ((r->flags & WEDR_RULE_HIDDEN) == 0) {
        put(m, f->rule, f->evidence, f->evidence_count);
    }
}

const char *waza_feed(struct waza_machine *m, int64_t t_ms, const char *json)
{
    const uint32_t *rules;
    size_t count;
    struct wedr_errinfo ei = {{0}};
    m->out[0] = '\0';
    m->ref++;
    if (wedr_rule_event_read_json(m->ev, m->map, json, strlen(json), &ei) < 0) {
        fail_msg("%s: %s", ei.text, json);
    }
    assert_int_equal(wedr_matcher_run(m->m, m->ev, &rules, &count), WEDR_OK);
    for (size_t i = 0; i < count; i++) {
        if ((wedr_ruleset_rule(waza_machine_rules(m), rules[i])->flags & WEDR_RULE_HIDDEN) == 0) {
            put(m, rules[i], &m->ref, 1);
        }
    }
    assert_int_equal(
        wedr_correlate_feed(m->c, m->ev, rules, count, t_ms * 1000, m->ref, on_firing, m), WEDR_OK);
    return m->out;
}

const struct wedr_correlate_stats *waza_machine_stats(struct waza_machine *m)
{
    wedr_correlate_stats(m->c, &m->stats);
    return &m->stats;
}

const char *waza_event(const char *event_type, const char *raw)
{
    static char lines[4][8192];
    static unsigned at;
    char *p = lines[at++ % 4];
    snprintf(p, sizeof(lines[0]),
             "{\"module\":\"%s\",\"event_type\":\"%s\",\"host\":{\"name\":\"h\"},\"raw\":{%s}}",
             strchr(event_type, '.') ? "plugin" : "kernel_callback", event_type, raw);
    return p;
}

const char *waza_group(const char *lines)
{
    static char texts[4][16384];
    static unsigned at;
    char *p = texts[at++ % 4];
    snprintf(p, sizeof(texts[0]),
             "- Detection:\n  - R:\n%s\n- Action:\n  - R:\n    - alert \"m\"\n", lines);
    return p;
}

bool waza_match(const char *condition, const char *raw)
{
    struct waza_machine *m = waza_machine(waza_group(condition));
    bool fired = strcmp(waza_feed(m, 1000, waza_event("process_create", raw)), "") != 0;
    waza_machine_free(m);
    return fired;
}
