/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"

#include "below.h"
#include "common/show.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "load.h"
#include "walk.h"
#include "wedr/rules/pack.h"
#include "wedr/rules/testcase.h"
#include <inttypes.h>
#include <string.h>

#define FAILED_MAX ((size_t)64 << 20) /* bytes of the list of failures */
#define EVENTS_MAX ((size_t)64 << 20) /* of a file that a case names */

/* Endings of rule files and of their tests beside them. */
static const char *const rule_endings[] = {".yml", ".yaml", ".waza", ".ioc", NULL};
static const char *const test_endings[] = {".test.yml", ".test.yaml"};
static const char *const yaml_endings[] = {".yml", ".yaml", NULL};

struct testing {
    const struct wedr_rules_args *args;
    const struct wedr_ruleset *rs;
    struct wedr_testrunner *runner;
    bool *expected; /* of each rule: a case expects it */
    struct wedr_buf text, events, failed;
    const char *path; /* of the test file at hand */
    const struct wedr_testcase *c;
    uint64_t files, cases, passed, broken; /* broken: files that cannot be read */
};

static void tell(struct testing *t, uint32_t line, struct wedr_text name, const char *reason)
{
    char text[1024];
    if (t->args->json) {
        wedr_buf_adds(&t->failed, t->failed.len > 0 ? ",{\"file\":" : "{\"file\":");
        wedr_show_json(&t->failed, wedr_text(t->path, strlen(t->path)));
        wedr_buf_addf(&t->failed, ",\"line\":%" PRIu32 ",\"case\":", line);
        wedr_show_json(&t->failed, name);
        wedr_buf_adds(&t->failed, ",\"reason\":");
        wedr_show_json(&t->failed, wedr_text(reason, strlen(reason)));
        wedr_buf_adds(&t->failed, "}");
        return;
    }
    (void)snprintf(text, sizeof(text), "%.*s%s%s", name.len < 200 ? (int)name.len : 200,
                   name.p ? name.p : "", name.len > 0 ? ": " : "", reason);
    wedr_show_problem(t->path, line, text);
}

static void on_finding(void *ctx, const struct wedr_testcase_finding *finding)
{
    struct testing *t = ctx;
    tell(t, t->c->line, t->c->name, finding->text);
}

/* A file that a case names: beside the test file or below. */
static int open_events(void *ctx, struct wedr_text name, const char **ret_text, size_t *ret_len)
{
    struct testing *t = ctx;
    char folder[WEDR_WALK_PATH_MAX];
    char relative[WEDR_WALK_PATH_MAX];
    int n = snprintf(relative, sizeof(relative), "%.*s", (int)name.len, name.p);
    if (n < 0 || (size_t)n >= sizeof(relative) ||
        !wedr_below_folder(t->path, folder, sizeof(folder))) {
        return WEDR_E_LIMIT;
    }
    int r = wedr_below_read(folder, relative, &t->events);
    if (r == WEDR_OK) {
        *ret_text = t->events.p ? (const char *)t->events.p : "";
        *ret_len = t->events.len;
    }
    return r;
}

static void note_expected(struct testing *t, const struct wedr_testcase *c)
{
    for (size_t i = 0; i < c->expect_count; i++) {
        uint32_t rule = wedr_ruleset_rule_find(t->rs, c->expect[i].p, c->expect[i].len);
        if (rule != WEDR_IR_NONE) {
            t->expected[rule] = true;
        }
    }
}

static int run_text(struct testing *t, const char *path, const char *text, size_t len)
{
    struct wedr_testfile *file = NULL;
    struct wedr_errinfo ei = {""};
    t->path = path;
    t->files++;
    int r = wedr_testfile_read(text, len, &file, &ei);
    if (r != WEDR_OK) {
        t->broken++;
        tell(t, 0, wedr_text("", 0), ei.text[0] ? ei.text : wedr_err_text(r));
        t->path = "";
        return r == WEDR_E_NOMEM ? r : WEDR_OK;
    }
    for (size_t i = 0; r == WEDR_OK && i < wedr_testfile_case_count(file); i++) {
        bool passed = false;
        t->c = wedr_testfile_case(file, i);
        note_expected(t, t->c);
        r = wedr_testrunner_run(t->runner, t->c, open_events, on_finding, t, &passed);
        t->cases++;
        t->passed += r == WEDR_OK && passed;
    }
    wedr_testfile_free(file);
    t->path = "";
    return r;
}

static void on_failed(void *ctx, const char *path, const char *reason)
{
    struct testing *t = ctx;
    t->path = path;
    t->broken++;
    tell(t, 0, wedr_text("", 0), reason);
    t->path = "";
}

static int run_file(void *ctx, const char *path, wedr_handle h)
{
    struct testing *t = ctx;
    if (!wedr_load_is_test(path)) {
        return WEDR_OK;
    }
    int r = wedr_fs_read_all(h, &t->text);
    if (r != WEDR_OK) {
        on_failed(t, path, wedr_err_text(r));
        return r == WEDR_E_NOMEM ? r : WEDR_OK;
    }
    return run_text(t, path, t->text.p ? (const char *)t->text.p : "", t->text.len);
}

/* The tests that stand beside a rule file. */
static int run_neighbours(struct testing *t, const char *rules)
{
    char path[WEDR_WALK_PATH_MAX];
    size_t len = strlen(rules);
    int r = WEDR_OK;
    for (size_t i = 0; rule_endings[i]; i++) {
        size_t n = strlen(rule_endings[i]);
        if (len > n && strcmp(rules + len - n, rule_endings[i]) == 0) {
            len -= n;
            break;
        }
    }
    for (size_t i = 0; r == WEDR_OK && i < WEDR_ARRAY_COUNT(test_endings); i++) {
        wedr_handle h = WEDR_HANDLE_NONE;
        int k = snprintf(path, sizeof(path), "%.*s%s", (int)len, rules, test_endings[i]);
        if (k > 0 && (size_t)k < sizeof(path) &&
            wedr_fs_open(path, WEDR_FS_READ, 0, &h) == WEDR_OK) {
            r = run_file(t, path, h);
        }
        wedr_fs_close(h);
    }
    return r;
}

static int run_pack(struct testing *t, const char *argument)
{
    char path[WEDR_WALK_PATH_MAX];
    const char *text;
    size_t len;
    const char *name;
    int r = WEDR_OK;
    for (size_t i = 0; r == WEDR_OK && (name = wedr_pack_test_file(i, &text, &len)) != NULL; i++) {
        if (wedr_load_in_pack(argument, name) &&
            snprintf(path, sizeof(path), "@pack/%s", name) > 0) {
            r = run_text(t, path, text, len);
        }
    }
    return r;
}

static int run_all(struct testing *t)
{
    const struct wedr_walk walk = {yaml_endings, run_file, on_failed, t};
    int r = WEDR_OK;
    for (size_t i = 0; r == WEDR_OK && i < t->args->rule_count; i++) {
        const char *path = t->args->rules[i];
        if (path[0] == '@') {
            r = run_pack(t, path);
        } else if (wedr_walk_is_folder(path) || wedr_load_is_test(path)) {
            r = wedr_walk(&walk, path);
        } else {
            r = run_neighbours(t, path);
        }
    }
    return r;
}

/* Rules that no case expects. */
static uint64_t untested(const struct testing *t, uint64_t *ret_rules)
{
    uint64_t without = 0;
    *ret_rules = 0;
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(t->rs); i++) {
        bool counts =
            (wedr_ruleset_rule(t->rs, i)->flags & (WEDR_RULE_HIDDEN | WEDR_RULE_NEEDS_LIST)) == 0;
        *ret_rules += counts;
        without += counts && !t->expected[i];
    }
    return without;
}

static bool print(struct testing *t)
{
    uint64_t rules = 0;
    uint64_t without = untested(t, &rules);
    if (!t->args->json) {
        (void)printf("%" PRIu64 " cases in %" PRIu64 " files: %" PRIu64 " passed, %" PRIu64
                     " failed; %" PRIu64 " of %" PRIu64 " rules have no case that expects them\n",
                     t->cases, t->files, t->passed, t->cases - t->passed, without, rules);
        return true;
    }
    (void)printf("{\"files\":%" PRIu64 ",\"cases\":%" PRIu64 ",\"passed\":%" PRIu64
                 ",\"rules\":%" PRIu64 ",\"untested\":%" PRIu64 ",\"failed\":[",
                 t->files, t->cases, t->passed, rules, without);
    bool whole = wedr_show_flush(&t->failed);
    (void)puts("]}");
    return whole;
}

static int test(const struct wedr_load *l, struct testing *t, bool *ret_clean)
{
    t->rs = wedr_engine_ruleset(l->engine);
    t->runner = wedr_testrunner_new(l->engine, l->map);
    t->expected = wedr_alloc((size_t)wedr_ruleset_rule_count(t->rs) + 1, sizeof(*t->expected));
    wedr_buf_init(&t->text, WEDR_TESTCASE_FILE_MAX);
    wedr_buf_init(&t->events, EVENTS_MAX);
    wedr_buf_init(&t->failed, FAILED_MAX);
    int r = t->runner && t->expected ? run_all(t) : WEDR_E_NOMEM;
    if (r == WEDR_OK && t->files == 0) {
        t->path = t->args->rules[0];
        tell(t, 0, wedr_text("", 0), "no test case beside these rules");
        t->broken++;
    }
    *ret_clean = r == WEDR_OK && print(t) && t->passed == t->cases && t->broken == 0;
    wedr_buf_fini(&t->text);
    wedr_buf_fini(&t->events);
    wedr_buf_fini(&t->failed);
    wedr_free(t->expected);
    wedr_testrunner_free(t->runner);
    return r;
}

int wedr_rules_test(const struct wedr_rules_args *args)
{
    struct wedr_errinfo ei = {""};
    struct wedr_load l = {.args = args, .with_disabled = true};
    struct testing t = {.args = args};
    bool clean = false;
    int r = wedr_load_rules(&l, &ei);
    if (r == WEDR_OK) {
        r = test(&l, &t, &clean);
    }
    if (r < 0) {
        wedr_show_problem("", 0, ei.text[0] ? ei.text : wedr_err_text(r));
    }
    wedr_load_fini(&l);
    return r < 0 || !clean || l.failed > 0 ? WEDR_EXIT_FAILED : WEDR_EXIT_DONE;
}
