/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/pack/test_rule_pack.c — our own rules: all compile, say all that people
 * need, have cases for both outcomes, and keep quiet on a day of an ordinary machine. */
#include "core/base/err.h"
#include "page.h"
#include "wedr/rules/ioc.h"
#include "wedr/rules/pack.h"
#include "wedr/rules/pipeline.h"
#include "wedr/rules/sigma.h"
#include "wedr/rules/testcase.h"
#include "wedr/rules/waza.h"
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct wedr_engine *engine;
static const struct wedr_ruleset *rules;
static struct wedr_field_map *map;
static struct wedr_testrunner *runner;
static unsigned wrong; /* of the test under way: all is told, then it fails */

static void complain(const char *what, const char *why)
{
    printf("%s: %s\n", what, why);
    wrong++;
}

static void on_sigma(void *ctx, const struct wedr_sigma_report *r)
{
    (void)ctx;
    if (r->outcome == WEDR_SIGMA_REFUSED || r->text[0]) {
        printf("%s:%u: %s\n", r->file, r->line, r->text);
        wrong++;
    }
}

static void on_ioc(void *ctx, const struct wedr_ioc_report *r)
{
    (void)ctx;
    if (r->outcome != WEDR_IOC_LIST) {
        printf("%s:%u: %s\n", r->file, r->line, r->text);
        wrong++;
    }
}

static void on_waza(void *ctx, const struct wedr_waza_error *e)
{
    struct wedr_buf out;
    (void)ctx;
    wedr_buf_init(&out, 64u << 10);
    wedr_waza_error_print(e, &out);
    printf("%s", out.p ? (const char *)out.p : "");
    wedr_buf_fini(&out);
    wrong++;
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name);
    size_t k = strlen(end);
    return n > k && strcmp(name + n - k, end) == 0;
}

static void load_lists(struct wedr_ruleset *rs)
{
    const char *text;
    const char *name;
    size_t len;
    struct wedr_ioc_stats st;
    for (size_t i = 0; (name = wedr_pack_file(i, &text, &len)) != NULL; i++) {
        if (ends_with(name, ".ioc")) {
            assert_int_equal(wedr_ioc_add(rs, name, text, len, NULL, on_ioc, NULL, &st), WEDR_OK);
        }
    }
}

static void load_sigma(struct wedr_ruleset *rs)
{
    const char *text;
    const char *name;
    size_t len;
    struct wedr_sigma *s = wedr_sigma_new(rs, NULL, on_sigma, NULL);
    assert_non_null(s);
    for (size_t i = 0; (name = wedr_pack_file(i, &text, &len)) != NULL; i++) {
        if (ends_with(name, ".yml")) {
            (void)wedr_sigma_add(s, name, text, len);
        }
    }
    (void)wedr_sigma_finish(s);
    wedr_sigma_free(s);
}

static void load_waza(struct wedr_ruleset *rs)
{
    const char *text;
    const char *name;
    size_t len;
    struct wedr_waza_options options = {.error = on_waza};
    struct wedr_waza *w = wedr_waza_new(rs, &options);
    assert_non_null(w);
    for (size_t i = 0; (name = wedr_pack_file(i, &text, &len)) != NULL; i++) {
        if (ends_with(name, ".waza")) {
            (void)wedr_waza_add(w, name, text, len);
        }
    }
    (void)wedr_waza_finish(w);
    wedr_waza_free(w);
}

static struct wedr_buf page;

static struct wedr_ruleset *load(void)
{
    struct wedr_ruleset *rs = wedr_ruleset_new(32u << 20);
    assert_non_null(rs);
    load_sigma(rs);
    load_waza(rs);
    load_lists(rs);
    wedr_buf_init(&page, 1u << 20);
    page_write(rs, &page);
    return rs;
}

static int setup(void **state)
{
    struct wedr_errinfo ei = {{0}};
    struct wedr_ruleset *rs = load();
    (void)state;
    if (wrong > 0) {
        return -1;
    }
    /* What is off by default is tested all the same. */
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(rs); i++) {
        uint16_t flags = wedr_ruleset_rule(rs, i)->flags & (uint16_t)~WEDR_RULE_DISABLED;
        assert_int_equal(wedr_ruleset_set_flags(rs, i, flags), WEDR_OK);
    }
    assert_int_equal(wedr_engine_new_take(rs, NULL, &engine, &ei), WEDR_OK);
    rules = wedr_engine_ruleset(engine);
    assert_int_equal(wedr_pipeline_map(rules, NULL, 0, true, &map, &ei), WEDR_OK);
    runner = wedr_testrunner_new(engine, map);
    assert_non_null(runner);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    wedr_testrunner_free(runner);
    wedr_field_map_free(map);
    wedr_engine_free(engine);
    wedr_buf_fini(&page);
    return 0;
}

static bool seen_by_people(const struct wedr_rule *r)
{
    return (r->flags & WEDR_RULE_HIDDEN) == 0;
}

static bool is_uuid(struct wedr_text id)
{
    if (id.len != 36) {
        return false;
    }
    for (uint32_t i = 0; i < id.len; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? id.p[i] != '-'
                 : !isxdigit((unsigned char)id.p[i]) || isupper((unsigned char)id.p[i])) {
            return false;
        }
    }
    return true;
}

static void check_tags(const struct wedr_rule *r)
{
    bool technique = false;
    bool tactic = false;
    for (uint32_t i = 0; i < r->tags.count; i++) {
        const char *tag = r->tags.v[i].p;
        if (strncmp(tag, "attack.", 7) != 0) {
            complain(r->title.p, "a tag that is not of ATT&CK");
        } else if (tag[7] == 't' && isdigit((unsigned char)tag[8])) {
            technique = true;
        } else {
            tactic = true;
        }
    }
    if (!technique || !tactic) {
        complain(r->title.p, "needs a technique and a tactic");
    }
}

static void every_rule_has_its_metadata(void **state)
{
    (void)state;
    unsigned count = 0;
    wrong = 0;
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(rules); i++) {
        const struct wedr_rule *r = wedr_ruleset_rule(rules, i);
        if (!seen_by_people(r)) {
            continue;
        }
        count++;
        if (r->title.len < 10 || r->title.len > 100) {
            complain(r->title.p ? r->title.p : r->id.p, "the title");
        }
        if (!is_uuid(r->id)) {
            complain(r->title.p, "the id is no UUID");
        }
        if (r->description.len < 40) {
            complain(r->title.p, "the description");
        }
        if (!wedr_text_equal(r->author, wedr_text("WazabiEDR", 9), true) || r->date.len != 10 ||
            r->status.len == 0) {
            complain(r->title.p, "author, date or status");
        }
        if (r->false_positives.count == 0) {
            complain(r->title.p, "no word about false positives");
        }
        check_tags(r);
    }
    printf("%u rules\n", count);
    assert_int_equal(wrong, 0);
}

static void ids_and_titles_are_unique(void **state)
{
    (void)state;
    wrong = 0;
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(rules); i++) {
        const struct wedr_rule *a = wedr_ruleset_rule(rules, i);
        for (uint32_t k = 0; k < i && seen_by_people(a); k++) {
            const struct wedr_rule *b = wedr_ruleset_rule(rules, k);
            if (seen_by_people(b) && (wedr_text_equal(a->id, b->id, false) ||
                                      wedr_text_equal(a->title, b->title, false))) {
                complain(a->title.p, "id or title stand twice");
            }
        }
    }
    assert_int_equal(wrong, 0);
}

struct place {
    const char *file, *name;
};

static void on_finding(void *ctx, const struct wedr_testcase_finding *f)
{
    const struct place *p = ctx;
    printf("%s: %s: %s\n", p->file, p->name, f->text);
    wrong++;
}

/* Cases in which a rule has to fire, and in which it has not to. */
struct uses {
    unsigned *yes, *no;
};

static void count_uses(const struct wedr_testcase *c, const struct uses *u)
{
    for (size_t i = 0; i < c->expect_count + c->never_count; i++) {
        bool yes = i < c->expect_count;
        struct wedr_text name = yes ? c->expect[i] : c->never[i - c->expect_count];
        uint32_t rule = wedr_ruleset_rule_find(rules, name.p, name.len);
        if (rule != WEDR_IR_NONE) {
            ++*(yes ? &u->yes[rule] : &u->no[rule]);
        }
    }
}

static unsigned run_file(const char *name, const char *text, size_t len, const struct uses *u)
{
    struct wedr_errinfo ei = {{0}};
    struct wedr_testfile *f = NULL;
    unsigned count = 0;
    if (wedr_testfile_read(text, len, &f, &ei) < 0) {
        complain(name, ei.text);
        return 0;
    }
    for (size_t i = 0; i < wedr_testfile_case_count(f); i++) {
        const struct wedr_testcase *c = wedr_testfile_case(f, i);
        char shown[128];
        bool passed = false;
        snprintf(shown, sizeof(shown), "%.*s", (int)c->name.len, c->name.p);
        struct place p = {name, shown};
        assert_int_equal(wedr_testrunner_run(runner, c, NULL, on_finding, &p, &passed), WEDR_OK);
        count_uses(c, u);
        count++;
    }
    wedr_testfile_free(f);
    return count;
}

static void every_rule_has_cases_for_both_outcomes_and_all_pass(void **state)
{
    (void)state;
    uint32_t n = wedr_ruleset_rule_count(rules);
    struct uses u = {calloc(n, sizeof(unsigned)), calloc(n, sizeof(unsigned))};
    const char *text;
    const char *name;
    size_t len;
    unsigned count = 0;
    wrong = 0;
    assert_non_null(u.yes);
    assert_non_null(u.no);
    for (size_t i = 0; (name = wedr_pack_test_file(i, &text, &len)) != NULL; i++) {
        count += run_file(name, text, len, &u);
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct wedr_rule *r = wedr_ruleset_rule(rules, i);
        if (seen_by_people(r) && (u.yes[i] == 0 || u.no[i] == 0)) {
            complain(r->title.p, "needs a case in which it fires and one in which it does not");
        }
    }
    printf("%u cases\n", count);
    free(u.yes);
    free(u.no);
    assert_int_equal(wrong, 0);
}

/* What a machine for development does all day (packages, compilers, git, scripts, cron), recorded
 * by the agent and cut down to what rules look at. */
static int open_corpus(void *ctx, struct wedr_text name, const char **ret_text, size_t *ret_len)
{
    static char text[512 << 10];
    (void)ctx;
    (void)name;
    FILE *f = fopen(WEDR_CORPUS, "rb");
    assert_non_null(f);
    *ret_len = fread(text, 1, sizeof(text), f);
    fclose(f);
    assert_true(*ret_len > 100000 && *ret_len < sizeof(text));
    *ret_text = text;
    return WEDR_OK;
}

static void no_rule_fires_on_everyday_events(void **state)
{
    (void)state;
    struct wedr_text file = wedr_text("everyday.ndjson", 15);
    struct wedr_testcase c = {.name = file, .files = &file, .file_count = 1, .expect_none = true};
    struct place p = {"everyday.ndjson", "recording"};
    bool passed = false;
    wrong = 0;
    assert_int_equal(wedr_testrunner_run(runner, &c, open_corpus, on_finding, &p, &passed),
                     WEDR_OK);
    assert_true(passed);
}

static void waza_files_are_laid_out_canonically(void **state)
{
    const char *text;
    const char *name;
    size_t len;
    (void)state;
    wrong = 0;
    for (size_t i = 0; (name = wedr_pack_file(i, &text, &len)) != NULL; i++) {
        struct wedr_buf out;
        wedr_buf_init(&out, 1u << 20);
        if (ends_with(name, ".waza")) {
            assert_int_equal(wedr_waza_format(name, text, len, &out, NULL, NULL), WEDR_OK);
            if (out.len != len || memcmp(out.p, text, len) != 0) {
                complain(name, "wedr-rules fmt --write it");
            }
        }
        wedr_buf_fini(&out);
    }
    assert_int_equal(wrong, 0);
}

static void the_page_says_what_the_rules_say(void **state)
{
    static char text[1 << 20];
    (void)state;
    FILE *f = fopen(WEDR_PAGE, "rb");
    size_t len = f ? fread(text, 1, sizeof(text), f) : 0;
    if (f) {
        fclose(f);
    }
    assert_false(page.overflow);
    if (len != page.len || memcmp(text, page.p, len) != 0) {
        fail_msg("%s is stale: run rule_pack --write %s", WEDR_PAGE, WEDR_PAGE);
    }
}

/* `rule_pack --write FILE`: the page instead of the tests. */
static int write_page(const char *path)
{
    struct wedr_ruleset *rs = load();
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(page.p, 1, page.len, f) == page.len;
    ok = f && fclose(f) == 0 && ok;
    wedr_ruleset_free(rs);
    wedr_buf_fini(&page);
    return ok && wrong == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--write") == 0) {
        return write_page(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_has_its_metadata),
        cmocka_unit_test(ids_and_titles_are_unique),
        cmocka_unit_test(every_rule_has_cases_for_both_outcomes_and_all_pass),
        cmocka_unit_test(no_rule_fires_on_everyday_events),
        cmocka_unit_test(waza_files_are_laid_out_canonically),
        cmocka_unit_test(the_page_says_what_the_rules_say),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
