/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "wedr/rules/engine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { IMAGE, COMMAND, EVENT, TIME, OTHER, FIELDS };
static const char *const names[] = {"Image", "CommandLine", "EventID", "UtcTime", "Other"};

static struct wedr_text t(const char *s)
{
    return wedr_text(s, strlen(s));
}

static struct wedr_ruleset *ruleset(void)
{
    struct wedr_ruleset *rs = wedr_ruleset_new(64u << 20);
    for (uint32_t i = 0; i < FIELDS; i++) {
        uint32_t id;
        assert_int_equal(wedr_ruleset_field(rs, names[i], strlen(names[i]), &id), WEDR_OK);
    }
    return rs;
}

static uint32_t leaf(struct wedr_ruleset *rs, struct wedr_pred p)
{
    uint32_t node = WEDR_IR_NONE;
    struct wedr_errinfo ei = {""};
    if (wedr_ir_pred(rs, &p, &node, &ei) != WEDR_OK) {
        fail_msg("%s", ei.text);
    }
    return node;
}

static uint32_t
text_leaf(struct wedr_ruleset *rs, uint32_t field, enum wedr_pred_kind kind, const char *s)
{
    return leaf(rs, (struct wedr_pred){.field = field, .kind = (uint8_t)kind, .u.text = t(s)});
}

static uint32_t add_rule(struct wedr_ruleset *rs, uint32_t condition)
{
    struct wedr_rule r = wedr_rule_init();
    uint32_t id;
    r.condition = condition;
    assert_int_equal(wedr_ruleset_add_rule(rs, &r, &id), WEDR_OK);
    return id;
}

struct run {
    struct wedr_engine *e;
    struct wedr_matcher *m;
    struct wedr_rule_event *ev;
    const uint32_t *rules;
    size_t count;
};

static struct run compile(struct wedr_ruleset *rs, const struct wedr_engine_options *opts)
{
    struct run r = {0};
    assert_int_equal(wedr_engine_new_take(rs, opts, &r.e, NULL), WEDR_OK);
    r.m = wedr_matcher_new(r.e);
    r.ev = wedr_rule_event_new(wedr_engine_ruleset(r.e), NULL);
    assert_non_null(r.m);
    assert_non_null(r.ev);
    return r;
}

static void finish(struct run *r)
{
    wedr_matcher_free(r->m);
    wedr_rule_event_free(r->ev);
    wedr_engine_free(r->e);
}

/* Runs; the rules that match must be what plain evaluation says, too. */
static size_t run(struct run *r)
{
    assert_int_equal(wedr_matcher_run(r->m, r->ev, &r->rules, &r->count), WEDR_OK);
    size_t want = 0;
    for (uint32_t i = 0; i < wedr_ruleset_rule_count(wedr_engine_ruleset(r->e)); i++) {
        bool match;
        assert_int_equal(wedr_engine_explain(r->m, i, r->ev, NULL, NULL, &match), WEDR_OK);
        want += match;
    }
    assert_int_equal(want, r->count);
    return r->count;
}

static size_t run_text(struct run *r, uint32_t field, const char *s, size_t len)
{
    wedr_rule_event_clear(r->ev);
    assert_int_equal(wedr_rule_event_add_text(r->ev, field, s, len), WEDR_OK);
    return run(r);
}

#define TEXT(k, s, f)                                                         \
    {                                                                         \
        .field = IMAGE, .kind = k, .flags = f, .u.text = { s, sizeof(s) - 1 } \
    }
#define NUMBER(o, n)                                                     \
    {                                                                    \
        .field = IMAGE, .kind = WEDR_PRED_NUMBER, .op = o, .u.number = { \
            WEDR_NUMBER_I64,                                             \
            {.i = n}                                                     \
        }                                                                \
    }
#define BITS(o, n)                                                   \
    {                                                                \
        .field = IMAGE, .kind = WEDR_PRED_BITS, .op = o, .u.bits = n \
    }
#define PART(w, o, n)                                                             \
    {                                                                             \
        .field = IMAGE, .kind = WEDR_PRED_TIME, .part = w, .op = o, .u.number = { \
            WEDR_NUMBER_I64,                                                      \
            {.i = n}                                                              \
        }                                                                         \
    }
static const struct {
    struct wedr_pred p;
    const char *yes[4], *no[4];
} rows[] = {
    {TEXT(WEDR_PRED_EQUALS, "Ab", 0), {"ab", "AB"}, {"abc", "", "b"}},
    {TEXT(WEDR_PRED_EQUALS, "Ab", WEDR_PRED_CASED), {"Ab"}, {"ab", "AB"}},
    {TEXT(WEDR_PRED_EQUALS, "", 0), {""}, {" ", "a"}},
    {TEXT(WEDR_PRED_PREFIX, "C:\\", 0), {"c:\\x", "C:\\"}, {"xc:\\", "c:"}},
    {TEXT(WEDR_PRED_SUFFIX, "\\A.exe", 0), {"c:\\a.EXE", "\\a.exe"}, {"a.exe", "\\a.exe "}},
    {TEXT(WEDR_PRED_CONTAINS, " -Enc", 0), {"x -enc y", " -ENCODED"}, {"-enc", ""}},
    {TEXT(WEDR_PRED_CONTAINS, "MZ", WEDR_PRED_CASED), {"xMZ"}, {"mz", "Mz"}},
    {TEXT(WEDR_PRED_WILDCARD, "a*b?d", 0), {"AxxBcD", "abcd"}, {"abd", "abcde"}},
    {TEXT(WEDR_PRED_WILDCARD, "a*B", WEDR_PRED_CASED), {"axB"}, {"axb", "AxB"}},
    {TEXT(WEDR_PRED_REGEX, "^a.c$", 0), {"abc"}, {"Abc", "a\nc", "abcd"}},
    {TEXT(WEDR_PRED_REGEX, "^a.c$", WEDR_PRED_RE_I | WEDR_PRED_RE_S), {"A\nC"}, {"x\nabc"}},
    {TEXT(WEDR_PRED_REGEX, "^a.c$", WEDR_PRED_RE_M), {"x\nabc\ny"}, {"xabc"}},
    {TEXT(WEDR_PRED_REGEX, "", 0), {"", "x"}, {NULL}},
    {NUMBER(WEDR_OP_EQ, 10), {"10", "10.0", "1e1", "0010"}, {"0x0a", "10 ", "11", ""}},
    {NUMBER(WEDR_OP_NE, 10), {"11", "-10"}, {"10", "x"}},
    {NUMBER(WEDR_OP_LT, 10), {"9.99", "-1"}, {"10", "x"}},
    {NUMBER(WEDR_OP_LE, 10), {"10", "9"}, {"10.01"}},
    {NUMBER(WEDR_OP_GT, 10), {"10.5", "18446744073709551615"}, {"10", ""}},
    {NUMBER(WEDR_OP_GE, 10), {"10", "11"}, {"9.999"}},
    {{.field = IMAGE, .kind = WEDR_PRED_BOOL, .u.boolean = true},
     {"true", "TRUE"},
     {"false", "1", "truee"}},
    {{.field = IMAGE, .kind = WEDR_PRED_BOOL, .u.boolean = false}, {"False"}, {"true", "0", ""}},
    {{.field = IMAGE, .kind = WEDR_PRED_EXISTS}, {"", "x"}, {NULL}},
    {{.field = OTHER, .kind = WEDR_PRED_EXISTS}, {NULL}, {"", "x"}},
    {{.field = OTHER, .kind = WEDR_PRED_NULL}, {"", "x"}, {NULL}},
    {{.field = IMAGE, .kind = WEDR_PRED_NULL}, {NULL}, {"", "x"}},
    {{.field = WEDR_FIELD_ANY, .kind = WEDR_PRED_CONTAINS, .u.text = {"key", 3}},
     {"a Keyword"},
     {"ky"}},
    {{.field = IMAGE, .kind = WEDR_PRED_CIDR, .u.net = {4, 8, {10}}},
     {"10.1.2.3", "::ffff:10.0.0.1"},
     {"11.1.2.3", "10"}},
    {BITS(WEDR_OP_ALL, 0x12), {"0x1f", "18", "0xFFFFFFFFFFFFFFFF", "-1"}, {"16", "2.5", "x", "0x"}},
    {BITS(WEDR_OP_ANY, 0x12), {"2", "0x10"}, {"0", "4"}},
    {PART(WEDR_TIME_HOUR, WEDR_OP_GE, 20),
     {"2026-01-02T20:00:00Z", "2026-01-02 23:59:59.9"},
     {"2026-01-02T19:59:59Z", "20"}},
    {PART(WEDR_TIME_MONTH, WEDR_OP_EQ, 1), {"2026-01-31"}, {"2026-02-01", "1"}},
};

/* What each predicate means, without any help of the code under test. */
static void each_predicate_means_what_its_contract_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(rows); i++) {
        struct wedr_ruleset *rs = ruleset();
        add_rule(rs, leaf(rs, rows[i].p));
        struct run r = compile(rs, NULL);
        for (size_t k = 0; k < 4; k++) {
            const char *yes = rows[i].yes[k];
            const char *no = rows[i].no[k];
            if ((yes && run_text(&r, IMAGE, yes, strlen(yes)) != 1) ||
                (no && run_text(&r, IMAGE, no, strlen(no)) != 0)) {
                /* hour and month of the numbers "20" and "1": seconds after 1970 */
                if (rows[i].p.kind != WEDR_PRED_TIME || rows[i].p.part != WEDR_TIME_MONTH || !no ||
                    strcmp(no, "1") != 0) {
                    fail_msg("row %zu, value %zu", i, k);
                }
            }
        }
        finish(&r);
    }
}

static void values_with_types_and_several_values_compare(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = ruleset();
    uint32_t is_4 =
        leaf(rs, (struct wedr_pred){
                     .field = EVENT, .kind = WEDR_PRED_NUMBER, .u.number = wedr_number_i64(4)});
    uint32_t text_4 = text_leaf(rs, EVENT, WEDR_PRED_EQUALS, "4");
    uint32_t yes =
        leaf(rs, (struct wedr_pred){.field = EVENT, .kind = WEDR_PRED_BOOL, .u.boolean = true});
    uint32_t text_yes = text_leaf(rs, EVENT, WEDR_PRED_EQUALS, "TRUE");
    uint32_t not_4;
    assert_int_equal(wedr_ir_not(rs, is_4, &not_4), WEDR_OK);
    uint32_t same =
        leaf(rs, (struct wedr_pred){.field = EVENT, .kind = WEDR_PRED_FIELD, .u.other = OTHER});
    const uint32_t nodes[] = {is_4, text_4, yes, text_yes, not_4, same};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(nodes); i++) {
        add_rule(rs, nodes[i]);
    }
    struct run r = compile(rs, NULL);
    assert_int_equal(run(&r), 1); /* an event without anything: only `not` */
    assert_int_equal(r.rules[0], 4);
    assert_int_equal(wedr_rule_event_add_i64(r.ev, EVENT, 4), WEDR_OK);
    assert_int_equal(run(&r), 2);
    assert_int_equal(r.rules[1], 1);
    assert_int_equal(wedr_rule_event_add_bool(r.ev, EVENT, true), WEDR_OK);
    assert_int_equal(run(&r), 4);
    assert_int_equal(wedr_rule_event_add_text(r.ev, OTHER, "4.0", 3), WEDR_OK);
    assert_int_equal(run(&r), 5); /* a number and a text that is one */
    wedr_rule_event_clear(r.ev);
    assert_int_equal(wedr_rule_event_add_null(r.ev, EVENT), WEDR_OK);
    assert_int_equal(wedr_rule_event_add_null(r.ev, OTHER), WEDR_OK);
    assert_int_equal(run(&r), 1);
    finish(&r);
}

/* Values that fold to another length, across the parts in which long ones are folded. */
static void folding_keeps_positions(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = ruleset();
    add_rule(rs, text_leaf(rs, IMAGE, WEDR_PRED_PREFIX, "kk"));
    add_rule(rs, text_leaf(rs, IMAGE, WEDR_PRED_SUFFIX, "\xC3\x89nd"));
    add_rule(rs, text_leaf(rs, IMAGE, WEDR_PRED_CONTAINS, "needle\xC3\xA9"));
    add_rule(rs, text_leaf(rs, IMAGE, WEDR_PRED_EQUALS, "kkk"));
    add_rule(rs, text_leaf(rs, IMAGE, WEDR_PRED_EQUALS, "\xC8\xBA\xC8\xBA"));
    struct run r = compile(rs, NULL);
    assert_int_equal(run_text(&r, IMAGE, "\xE2\x84\xAA\xE2\x84\xAAK", 7), 2);
    assert_int_equal(r.rules[1], 3);
    assert_int_equal(run_text(&r, IMAGE, "\xC8\xBA\xE2\xB1\xA5", 5), 1);
    assert_int_equal(r.rules[0], 4);
    static char big[8192];
    for (size_t at = 0; at + 16 < sizeof(big); at += 61) {
        memset(big, 'x', sizeof(big));
        memcpy(big, "\xC3\x89", 2);
        memcpy(big + at + 2, "NEEDLE\xC3\x89", 8);
        memcpy(big + sizeof(big) - 4, "\xC3\xA9ND", 4);
        assert_int_equal(run_text(&r, IMAGE, big, sizeof(big)), 2);
        /* the prefix stands behind the first part: it must not count there */
        memcpy(big + at + 2, "xxxxxxkk", 8);
        assert_int_equal(run_text(&r, IMAGE, big, sizeof(big)), 1);
    }
    finish(&r);
}

/* Longer than what is folded at once. */
static void very_long_values_are_seen_in_whole(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = ruleset();
    add_rule(rs, text_leaf(rs, IMAGE, WEDR_PRED_PREFIX, "front"));
    add_rule(rs, text_leaf(rs, IMAGE, WEDR_PRED_SUFFIX, "\xC3\x89nd"));
    add_rule(rs, text_leaf(rs, IMAGE, WEDR_PRED_CONTAINS, "needle"));
    static char lit[9001];
    memset(lit, 'l', sizeof(lit) - 1); /* too long for the tables */
    add_rule(rs, text_leaf(rs, IMAGE, WEDR_PRED_CONTAINS, lit));
    add_rule(rs, text_leaf(rs, IMAGE, WEDR_PRED_EQUALS, lit));
    struct run r = compile(rs, NULL);
    static char big[200000];
    memset(big, '\xA9', sizeof(big)); /* stray bytes up to the cut */
    memcpy(big, "FRONT", 5);
    memcpy(big + sizeof(big) - 4, "\xC3\xA9ND", 4);
    assert_int_equal(run_text(&r, IMAGE, big, sizeof(big)), 2);
    for (size_t at = 65530; at < 65540; at++) {
        memset(big, 'x', sizeof(big));
        memcpy(big + at, "NEEDLE", 6);
        memcpy(big + sizeof(big) - 4, "\xC3\xA9ND", 4);
        assert_int_equal(run_text(&r, IMAGE, big, sizeof(big)), 2);
    }
    memset(big, 'L', sizeof(big));
    assert_int_equal(run_text(&r, IMAGE, big, 9000), 2);
    assert_int_equal(run_text(&r, IMAGE, big, 9001), 1);
    finish(&r);
}

/* Two keywords are much shorter than the others. */
static void keywords_of_any_length_are_found_wherever_they_stand(void **state)
{
    (void)state;
    static const char *const keywords[] = {"root", "a[]@x", "authentication failure",
                                           "permission denied", "segmentation fault"};
    static const char *const written[] = {"RoOt", "A[]@x", "Permission DENIED"};
    char text[72];
    struct wedr_ruleset *rs = ruleset();
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(keywords); i++) {
        add_rule(rs, text_leaf(rs, WEDR_FIELD_ANY, WEDR_PRED_CONTAINS, keywords[i]));
    }
    struct run r = compile(rs, NULL);
    for (size_t k = 0; k < WEDR_ARRAY_COUNT(written); k++) {
        size_t len = strlen(written[k]);
        for (size_t n = len; n <= sizeof(text); n++) {
            for (size_t at = 0; at + len <= n; at++) {
                memset(text, 'r', n);
                memcpy(text + at, written[k], len);
                assert_int_equal(run_text(&r, OTHER, text, n), 1);
            }
        }
    }
    assert_int_equal(run_text(&r, OTHER, "rooT, roxt, rOOT", 16), 1);
    assert_int_equal(run_text(&r, OTHER, "roo", 3), 0);
    assert_int_equal(run_text(&r, OTHER, "roxt r oot roo", 14), 0);
    assert_int_equal(run_text(&r, OTHER, "a{}`x A{}@x a[]`x a[]@ x", 24), 0);
    assert_int_equal(run_text(&r, OTHER, "\xC3\xA4 ROOT a[]@X", 13), 2);
    finish(&r);
}

static void scopes_restrict_rules_by_class_guard_and_exception(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = ruleset();
    uint32_t classes[2];
    assert_int_equal(wedr_ruleset_class(rs, "a", 1, &classes[0]), WEDR_OK);
    assert_int_equal(wedr_ruleset_class(rs, "b", 1, &classes[1]), WEDR_OK);
    uint32_t ids[4];
    struct wedr_rule r = wedr_rule_init();
    r.condition = text_leaf(rs, IMAGE, WEDR_PRED_CONTAINS, "evil");
    r.classes = classes;
    r.class_count = 1;
    assert_int_equal(wedr_ruleset_add_rule(rs, &r, &ids[0]), WEDR_OK);
    r.class_count = 2;
    r.exception = text_leaf(rs, COMMAND, WEDR_PRED_CONTAINS,
                            "fine"); /* a field that no condition of its scope has */
    assert_int_equal(wedr_ruleset_add_rule(rs, &r, &ids[1]), WEDR_OK);
    r.class_count = 0;
    r.exception = WEDR_IR_NONE;
    r.guard =
        leaf(rs, (struct wedr_pred){
                     .field = EVENT, .kind = WEDR_PRED_NUMBER, .u.number = wedr_number_i64(1)});
    assert_int_equal(wedr_ruleset_add_rule(rs, &r, &ids[2]), WEDR_OK);
    r.guard = leaf(rs, (struct wedr_pred){.field = OTHER, .kind = WEDR_PRED_NULL});
    r.condition =
        leaf(rs, (struct wedr_pred){.field = TIME,
                                    .kind = WEDR_PRED_NULL}); /* nothing triggers either */
    assert_int_equal(wedr_ruleset_add_rule(rs, &r, &ids[3]), WEDR_OK);
    struct run x = compile(rs, NULL);
    assert_int_equal(run_text(&x, IMAGE, "EVIL", 4), 1);
    assert_int_equal(x.rules[0], 3);
    assert_int_equal(wedr_rule_event_add_class(x.ev, classes[1]), WEDR_OK);
    assert_int_equal(run(&x), 2);
    assert_int_equal(x.rules[0], 1);
    assert_int_equal(wedr_rule_event_add_class(x.ev, classes[0]), WEDR_OK);
    assert_int_equal(run(&x), 3);
    assert_int_equal(wedr_rule_event_add_text(x.ev, COMMAND, "FINE", 4), WEDR_OK);
    assert_int_equal(run(&x), 2);
    assert_int_equal(wedr_rule_event_add_text(x.ev, EVENT, "1", 1), WEDR_OK);
    assert_int_equal(run(&x), 3);
    assert_int_equal(x.rules[1], 2);
    assert_int_equal(wedr_rule_event_add_i64(x.ev, OTHER, 1), WEDR_OK);
    assert_int_equal(run(&x), 2);
    finish(&x);
}

/* A rule is looked at only when a literal that it needs was found, the rarest one. */
static void only_candidates_are_evaluated(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = ruleset();
    char text[64];
    for (unsigned i = 0; i < 500; i++) {
        uint32_t kids[3] = {text_leaf(rs, IMAGE, WEDR_PRED_SUFFIX, ".exe")};
        (void)snprintf(text, sizeof(text), "--unlikely-option-%u ", i);
        kids[1] = text_leaf(rs, COMMAND, WEDR_PRED_CONTAINS, text);
        (void)snprintf(text, sizeof(text), "unlikely.*(a|b)[%u]+", i % 10);
        kids[2] = text_leaf(rs, COMMAND, WEDR_PRED_REGEX, text);
        uint32_t node;
        assert_int_equal(wedr_ir_and(rs, kids, i % 2 ? 2 : 3, &node), WEDR_OK);
        add_rule(rs, node);
    }
    struct run r = compile(rs, NULL);
    struct wedr_engine_info info;
    wedr_engine_info(r.e, &info);
    assert_int_equal(info.rules, 500);
    assert_int_equal(info.rules_always, 0);
    assert_int_equal(info.regexes, 10);
    assert_true(info.total_bytes > info.automaton_bytes && info.automaton_bytes > 500 * 8);
    assert_int_equal(wedr_rule_event_add_text(r.ev, IMAGE, "c:\\a.exe", 8), WEDR_OK);
    assert_int_equal(wedr_rule_event_add_text(
                         r.ev, COMMAND, "x --UNLIKELY-option-77 y --unlikely-option-78 a8", 48),
                     WEDR_OK);
    assert_int_equal(wedr_matcher_run(r.m, r.ev, &r.rules, &r.count),
                     WEDR_OK); /* the first regex takes its frames */
    (void)wedr_alloc_fail_nth(0);
    assert_int_equal(wedr_matcher_run(r.m, r.ev, &r.rules, &r.count), WEDR_OK);
    assert_int_equal(wedr_alloc_fail_nth(0), 0); /* nothing is allocated */
    assert_int_equal(r.count, 2);
    assert_int_equal(r.rules[0], 77);
    assert_int_equal(r.rules[1], 78);
    struct wedr_matcher_stats s;
    wedr_matcher_stats(r.m, &s);
    assert_int_equal(s.candidates, 4);
    assert_int_equal(s.regex_runs, 2);
    finish(&r);
}

static void a_regex_that_runs_away_is_stopped_and_counted(void **state)
{
    (void)state;
    for (int jit = 0; jit < 2; jit++) {
        struct wedr_ruleset *rs = ruleset();
        add_rule(rs, text_leaf(rs, IMAGE, WEDR_PRED_REGEX, "(a+)+(b|c)+$"));
        add_rule(rs, text_leaf(rs, IMAGE, WEDR_PRED_REGEX, "end$"));
        const struct wedr_engine_options opts = {.jit = jit, .regex_value_max = 1000};
        struct run r = compile(rs, &opts);
        char value[2000];
        memset(value, 'a', sizeof(value));
        memcpy(value + sizeof(value) - 3, "end", 3);
        wedr_rule_event_clear(r.ev);
        assert_int_equal(wedr_rule_event_add_text(r.ev, IMAGE, value, 40), WEDR_OK);
        assert_int_equal(wedr_matcher_run(r.m, r.ev, &r.rules, &r.count), WEDR_OK);
        assert_int_equal(r.count, 0);
        struct wedr_matcher_stats s;
        wedr_matcher_stats(r.m, &s);
        assert_int_equal(s.regex_limited, 1);
        wedr_rule_event_clear(r.ev);
        assert_int_equal(wedr_rule_event_add_text(r.ev, IMAGE, value, sizeof(value)), WEDR_OK);
        assert_int_equal(wedr_matcher_run(r.m, r.ev, &r.rules, &r.count), WEDR_OK);
        wedr_matcher_stats(r.m, &s);
        assert_int_equal(s.regex_cut, 2);
        finish(&r);
    }
}

static void an_event_that_makes_regexes_run_away_costs_no_more_than_a_few(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = ruleset();
    char regex[32];
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(regex, sizeof(regex), "(a+)+(b|%c)+$", 'c' + (int)i);
        add_rule(rs, text_leaf(rs, IMAGE, WEDR_PRED_REGEX, regex));
    }
    const struct wedr_engine_options opts = {.regex_give_up_max = 3};
    struct run r = compile(rs, &opts);
    char value[40];
    memset(value, 'a', sizeof(value));
    struct wedr_matcher_stats s;
    for (unsigned event = 1; event <= 2; event++) {
        wedr_rule_event_clear(r.ev);
        assert_int_equal(wedr_rule_event_add_text(r.ev, IMAGE, value, sizeof(value)), WEDR_OK);
        assert_int_equal(wedr_matcher_run(r.m, r.ev, &r.rules, &r.count), WEDR_OK);
        wedr_matcher_stats(r.m, &s);
        assert_int_equal(s.regex_runs, 3 * event);
        assert_int_equal(s.regex_limited, 20 * event);
    }
    finish(&r);
}

struct told {
    struct wedr_explain_step steps[8];
    size_t count;
};

static void tell(void *ctx, const struct wedr_explain_step *step)
{
    struct told *x = ctx;
    assert_true(x->count < 8);
    x->steps[x->count++] = *step;
}

static void explaining_gives_each_predicate_with_its_value(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = ruleset();
    uint32_t kids[2] = {text_leaf(rs, IMAGE, WEDR_PRED_SUFFIX, ".exe"),
                        text_leaf(rs, COMMAND, WEDR_PRED_CONTAINS, "-enc")};
    uint32_t node;
    assert_int_equal(wedr_ir_and(rs, kids, 2, &node), WEDR_OK);
    uint32_t id = add_rule(rs, node);
    struct run r = compile(rs, NULL);
    assert_int_equal(wedr_rule_event_add_text(r.ev, IMAGE, "b.dll", 5), WEDR_OK);
    assert_int_equal(wedr_rule_event_add_text(r.ev, IMAGE, "a.exe", 5), WEDR_OK);
    assert_int_equal(wedr_rule_event_add_text(r.ev, COMMAND, "plain", 5), WEDR_OK);
    struct told x = {.count = 0};
    bool match = true;
    assert_int_equal(wedr_engine_explain(r.m, id, r.ev, tell, &x, &match), WEDR_OK);
    assert_false(match);
    assert_int_equal(x.count, 3);
    assert_true(!x.steps[0].truth && x.steps[0].depth == 0 && x.steps[0].part == 1);
    assert_true(x.steps[1].truth && x.steps[1].depth == 1);
    assert_memory_equal(x.steps[1].value.p, "a.exe", 5);
    assert_int_equal(x.steps[1].value_count, 2);
    assert_string_equal(x.steps[1].field.p, "Image");
    assert_false(x.steps[2].truth);
    assert_memory_equal(x.steps[2].value.p, "plain", 5);
    struct wedr_buf out;
    wedr_buf_init(&out, 1000);
    wedr_pred_describe(wedr_engine_ruleset(r.e), x.steps[2].pred, &out);
    assert_string_equal((const char *)out.p, "CommandLine contains \"-enc\"");
    wedr_buf_fini(&out);
    assert_int_equal(wedr_engine_explain(r.m, 99, r.ev, tell, &x, &match), WEDR_E_NOENT);
    finish(&r);
}

static struct wedr_ruleset *many_literals(unsigned count)
{
    struct wedr_ruleset *rs = ruleset();
    char text[64];
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(text, sizeof(text), "%u literal with number %u", i * 7919, i);
        add_rule(rs, text_leaf(rs, i % 3, i % 2 ? WEDR_PRED_CONTAINS : WEDR_PRED_EQUALS, text));
    }
    return rs;
}

static void tables_keep_to_their_memory(void **state)
{
    (void)state;
    struct wedr_engine *e = NULL;
    struct wedr_errinfo ei = {""};
    struct wedr_ruleset *rs = many_literals(2000);
    struct wedr_engine_options opts = {.memory_max = 100000};
    assert_int_equal(wedr_engine_new_take(rs, &opts, &e, &ei), WEDR_E_NOMEM);
    assert_non_null(strstr(ei.text, "100000"));
    opts.memory_max = 8u << 20;
    assert_int_equal(wedr_engine_new_take(rs, &opts, &e, &ei), WEDR_OK); /* the rules stayed ours */
    struct wedr_engine_info info;
    wedr_engine_info(e, &info);
    assert_true(info.automaton_bytes + info.table_bytes <= opts.memory_max);
    assert_int_equal(info.literals, 2000);
    wedr_engine_free(e);
    wedr_engine_free(NULL);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    int r = -1;
    for (size_t n = 1; r < 0; n++) {
        assert_true(n < 1000);
        struct wedr_ruleset *rs = many_literals(30);
        struct wedr_engine *e = NULL;
        struct wedr_matcher *m = NULL;
        (void)wedr_alloc_fail_nth(n);
        r = wedr_engine_new_take(rs, NULL, &e, NULL);
        if (r == WEDR_OK) {
            m = wedr_matcher_new(e);
            r = m ? WEDR_OK : WEDR_E_NOMEM;
        }
        (void)wedr_alloc_fail_nth(0);
        assert_true(r == WEDR_OK || r == WEDR_E_NOMEM);
        wedr_matcher_free(m);
        if (e) {
            wedr_engine_free(e);
        } else {
            wedr_ruleset_free(rs);
        }
    }
}

static void an_empty_ruleset_matches_nothing(void **state)
{
    (void)state;
    struct run r = compile(wedr_ruleset_new(1u << 20), NULL);
    assert_int_equal(run(&r), 0);
    struct run other = compile(ruleset(), NULL);
    assert_int_equal(wedr_matcher_run(other.m, r.ev, &r.rules, &r.count),
                     WEDR_E_BUG); /* an event of other rules */
    finish(&r);
    finish(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_predicate_means_what_its_contract_says),
        cmocka_unit_test(values_with_types_and_several_values_compare),
        cmocka_unit_test(folding_keeps_positions),
        cmocka_unit_test(very_long_values_are_seen_in_whole),
        cmocka_unit_test(keywords_of_any_length_are_found_wherever_they_stand),
        cmocka_unit_test(scopes_restrict_rules_by_class_guard_and_exception),
        cmocka_unit_test(only_candidates_are_evaluated),
        cmocka_unit_test(a_regex_that_runs_away_is_stopped_and_counted),
        cmocka_unit_test(an_event_that_makes_regexes_run_away_costs_no_more_than_a_few),
        cmocka_unit_test(explaining_gives_each_predicate_with_its_value),
        cmocka_unit_test(tables_keep_to_their_memory),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(an_empty_ruleset_matches_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
