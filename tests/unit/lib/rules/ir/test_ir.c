/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "ir/ruleset.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define CAP (64u << 20)

static struct wedr_text t(const char *s)
{
    return wedr_text(s, strlen(s));
}

static uint32_t field(struct wedr_ruleset *rs, const char *name)
{
    uint32_t f = WEDR_IR_NONE;
    assert_int_equal(wedr_ruleset_field(rs, name, strlen(name), &f), WEDR_OK);
    return f;
}

static uint32_t
leaf(struct wedr_ruleset *rs, const char *name, enum wedr_pred_kind kind, const char *s)
{
    uint32_t n = WEDR_IR_NONE;
    assert_int_equal(wedr_ir_text(rs, field(rs, name), kind, t(s), 0, &n, NULL), WEDR_OK);
    return n;
}

static const struct wedr_pred *pred_of(struct wedr_ruleset *rs, uint32_t node)
{
    const struct wedr_node *n = wedr_ruleset_node(rs, node);
    assert_int_equal(n->kind, WEDR_NODE_PRED);
    return wedr_ruleset_pred(rs, n->arg);
}

static void equal_names_and_predicates_are_stored_once(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(CAP);
    assert_int_equal(field(rs, "Image"), field(rs, "Image"));
    assert_int_not_equal(field(rs, "Image"), field(rs, "image"));
    assert_int_equal(leaf(rs, "Image", WEDR_PRED_SUFFIX, "\\a.exe"),
                     leaf(rs, "Image", WEDR_PRED_SUFFIX, "\\a.exe"));
    assert_int_not_equal(leaf(rs, "Image", WEDR_PRED_SUFFIX, "x"),
                         leaf(rs, "Image", WEDR_PRED_PREFIX, "x"));
    uint32_t cased;
    assert_int_equal(wedr_ir_text(rs, 0, WEDR_PRED_SUFFIX, t("x"), WEDR_PRED_CASED, &cased, NULL),
                     WEDR_OK);
    assert_int_not_equal(cased, leaf(rs, "Image", WEDR_PRED_SUFFIX, "x"));
    uint32_t f;
    assert_int_equal(wedr_ruleset_field(rs, "", 0, &f), WEDR_E_INVAL);
    assert_int_equal(wedr_ruleset_field_find(rs, "nowhere", 7), WEDR_IR_NONE);
    assert_string_equal(wedr_ruleset_field_name(rs, field(rs, "Image")).p, "Image");
    wedr_ruleset_free(rs);
    wedr_ruleset_free(NULL);
}

static void wildcards_take_the_simplest_form(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        enum wedr_pred_kind kind;
        const char *text;
    } rows[] = {
        {"abc", WEDR_PRED_EQUALS, "abc"},
        {"*abc", WEDR_PRED_SUFFIX, "abc"},
        {"abc*", WEDR_PRED_PREFIX, "abc"},
        {"**abc**", WEDR_PRED_CONTAINS, "abc"},
        {"*a\\*b*", WEDR_PRED_CONTAINS, "a*b"},
        {"a*b", WEDR_PRED_WILDCARD, "a*b"},
        {"a?b", WEDR_PRED_WILDCARD, "a?b"},
        {"?", WEDR_PRED_WILDCARD, "?"},
        {"*?", WEDR_PRED_WILDCARD, "*?"},
        {"\\?\\\\", WEDR_PRED_EQUALS, "?\\"},
        {"", WEDR_PRED_EQUALS, ""},
        {"*\\**", WEDR_PRED_CONTAINS, "*"},
    };
    struct wedr_ruleset *rs = wedr_ruleset_new(CAP);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(rows); i++) {
        const struct wedr_pred *p = pred_of(rs, leaf(rs, "F", WEDR_PRED_WILDCARD, rows[i].pattern));
        assert_int_equal(p->kind, rows[i].kind);
        assert_string_equal(p->u.text.p, rows[i].text);
    }
    assert_int_equal(pred_of(rs, leaf(rs, "F", WEDR_PRED_WILDCARD, "*"))->kind, WEDR_PRED_EXISTS);
    assert_int_equal(pred_of(rs, leaf(rs, "F", WEDR_PRED_CONTAINS, ""))->kind, WEDR_PRED_EXISTS);
    wedr_ruleset_free(rs);
}

static void expressions_are_merged_and_constants_folded(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(CAP);
    uint32_t a = leaf(rs, "F", WEDR_PRED_EQUALS, "a");
    uint32_t b = leaf(rs, "F", WEDR_PRED_EQUALS, "b");
    uint32_t c = leaf(rs, "F", WEDR_PRED_EQUALS, "c");
    uint32_t yes, no, x, y, n;
    assert_int_equal(wedr_ir_constant(rs, true, &yes), WEDR_OK);
    assert_int_equal(wedr_ir_constant(rs, false, &no), WEDR_OK);
    assert_int_equal(wedr_ir_and(rs, (uint32_t[]){a, b}, 2, &x), WEDR_OK);
    assert_int_equal(wedr_ir_and(rs, (uint32_t[]){x, yes, c, a}, 4, &y), WEDR_OK);
    const struct wedr_node *node = wedr_ruleset_node(rs, y);
    assert_int_equal(node->kid_count, 3);
    assert_memory_equal(wedr_ruleset_kids(rs, node), ((uint32_t[]){a, b, c}), 12);
    assert_int_equal(wedr_ir_and(rs, (uint32_t[]){a, b, c}, 3, &x), WEDR_OK);
    assert_int_equal(x, y);
    assert_int_equal(wedr_ir_and(rs, (uint32_t[]){a, no}, 2, &x), WEDR_OK);
    assert_int_equal(x, no);
    assert_int_equal(wedr_ir_or(rs, (uint32_t[]){a, yes}, 2, &x), WEDR_OK);
    assert_int_equal(x, yes);
    assert_int_equal(wedr_ir_or(rs, (uint32_t[]){no, b}, 2, &x), WEDR_OK);
    assert_int_equal(x, b);
    assert_int_equal(wedr_ir_or(rs, NULL, 0, &x), WEDR_OK);
    assert_int_equal(x, no);
    assert_int_equal(wedr_ir_not(rs, a, &n), WEDR_OK);
    assert_int_equal(wedr_ir_not(rs, n, &x), WEDR_OK);
    assert_int_equal(x, a);
    assert_int_equal(wedr_ir_at_least(rs, 2, (uint32_t[]){a, b}, 2, &x), WEDR_OK);
    assert_int_equal(wedr_ruleset_node(rs, x)->kind, WEDR_NODE_AND);
    assert_int_equal(wedr_ir_at_least(rs, 3, (uint32_t[]){a, b}, 2, &x), WEDR_OK);
    assert_int_equal(x, no);
    assert_int_equal(wedr_ir_at_least(rs, 2, (uint32_t[]){a, b, c}, 3, &x), WEDR_OK);
    assert_int_equal(wedr_ruleset_node(rs, x)->kind, WEDR_NODE_AT_LEAST);
    assert_int_equal(wedr_ir_and(rs, (uint32_t[]){a, 12345}, 2, &x), WEDR_E_INVAL);
    wedr_ruleset_free(rs);
}

static void expressions_have_a_greatest_depth(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(CAP);
    uint32_t a = leaf(rs, "F", WEDR_PRED_EQUALS, "a");
    uint32_t x = leaf(rs, "F", WEDR_PRED_EQUALS, "b");
    int r = WEDR_OK;
    unsigned levels = 0;
    for (; r == WEDR_OK && levels < 200; levels++) {
        r = levels % 2 ? wedr_ir_and(rs, (uint32_t[]){x, a}, 2, &x)
                       : wedr_ir_or(rs, (uint32_t[]){x, a}, 2, &x);
    }
    assert_int_equal(r, WEDR_E_LIMIT);
    assert_int_equal(levels, WEDR_IR_DEPTH_MAX);
    wedr_ruleset_free(rs);
}

static void bad_predicates_say_why(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(CAP);
    struct wedr_errinfo ei = {""};
    uint32_t f = field(rs, "F");
    uint32_t n;
    assert_int_equal(wedr_ir_text(rs, f, WEDR_PRED_REGEX, t("a(b"), 0, &n, &ei), WEDR_E_FORMAT);
    assert_non_null(strstr(ei.text, "offset 3"));
    assert_int_equal(wedr_ir_text(rs, f, WEDR_PRED_REGEX, t("\\C"), 0, &n, &ei), WEDR_E_FORMAT);
    assert_int_equal(wedr_ir_text(rs, f + 1, WEDR_PRED_EQUALS, t("a"), 0, &n, NULL), WEDR_E_INVAL);
    assert_int_equal(wedr_ir_exists(rs, WEDR_FIELD_ANY, true, &n), WEDR_E_INVAL);
    assert_int_equal(wedr_ir_number(rs, f, WEDR_OP_CONTAINS, wedr_number_i64(1), &n), WEDR_E_INVAL);
    struct wedr_pred p = {.field = f, .kind = WEDR_PRED_SET, .u.set = 0};
    assert_int_equal(wedr_ir_pred(rs, &p, &n, NULL), WEDR_E_INVAL);
    assert_int_equal(wedr_ruleset_set_new(rs, WEDR_SET_EXACT, false, &p.u.set), WEDR_OK);
    assert_int_equal(wedr_ir_pred(rs, &p, &n, NULL), WEDR_E_INVAL); /* not sealed */
    assert_int_equal(wedr_ruleset_set_seal(rs, p.u.set), WEDR_OK);
    assert_int_equal(wedr_ir_pred(rs, &p, &n, NULL), WEDR_OK);
    assert_int_equal(wedr_ruleset_set_add(rs, p.u.set, "x", 1), WEDR_E_STATE);
    wedr_ruleset_free(rs);
}

static bool has(struct wedr_ruleset *rs, uint32_t set, const char *s)
{
    char fold[256];
    return wedr_set_has(wedr_rs_set(rs, set), t(s), fold);
}

static uint32_t
set_of(struct wedr_ruleset *rs, enum wedr_set_mode mode, bool cased, const char *const *entries)
{
    uint32_t s;
    assert_int_equal(wedr_ruleset_set_new(rs, mode, cased, &s), WEDR_OK);
    for (; *entries; entries++) {
        assert_int_equal(wedr_ruleset_set_add(rs, s, *entries, strlen(*entries)), WEDR_OK);
    }
    assert_int_equal(wedr_ruleset_set_seal(rs, s), WEDR_OK);
    return s;
}

static void lists_are_looked_up_by_their_mode(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(CAP);
    uint32_t exact =
        set_of(rs, WEDR_SET_EXACT, false, (const char *[]){"Alpha", "alpha", "b\xC3\x89", NULL});
    assert_int_equal(wedr_set_entry_count(rs, exact), 2);
    assert_true(has(rs, exact, "ALPHA") && has(rs, exact, "B\xC3\xA9"));
    assert_false(has(rs, exact, "alph") || has(rs, exact, "alphab"));
    uint32_t cased = set_of(rs, WEDR_SET_EXACT, true, (const char *[]){"Alpha", NULL});
    assert_true(has(rs, cased, "Alpha"));
    assert_false(has(rs, cased, "alpha"));
    uint32_t domain = set_of(rs, WEDR_SET_DOMAIN, true, (const char *[]){"Evil.example.", NULL});
    assert_true(has(rs, domain, "evil.EXAMPLE") && has(rs, domain, "a.b.evil.example."));
    assert_false(has(rs, domain, "notevil.example") || has(rs, domain, "example"));
    uint32_t words = set_of(rs, WEDR_SET_WORDS, false, (const char *[]){"d41d8cd98f00b204", NULL});
    assert_true(has(rs, words, "SHA1=00,MD5=D41D8CD98F00B204,IMPHASH=1"));
    assert_false(has(rs, words, "MD5=D41D8CD98F00B2044"));
    uint32_t nets = set_of(rs, WEDR_SET_CIDR, false,
                           (const char *[]){"10.0.0.0/8", "192.168.1.7", "10.1.0.0/16", "fe80::/10",
                                            "10.0.0.0/8", NULL});
    assert_int_equal(wedr_set_entry_count(rs, nets), 4);
    assert_true(has(rs, nets, "10.200.0.1") && has(rs, nets, "192.168.1.7") &&
                has(rs, nets, "fe80::9"));
    assert_false(has(rs, nets, "192.168.1.8") || has(rs, nets, "11.0.0.1") ||
                 has(rs, nets, "::1") || has(rs, nets, "x"));
    wedr_ruleset_free(rs);
}

static void a_hundred_thousand_entries_stay_small(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(CAP);
    uint32_t s;
    char entry[32];
    assert_int_equal(wedr_ruleset_set_new(rs, WEDR_SET_EXACT, false, &s), WEDR_OK);
    size_t before = wedr_ruleset_memory(rs);
    for (unsigned i = 0; i < 100000; i++) {
        int n = snprintf(entry, sizeof(entry), "host-%u.example", i * 7);
        assert_int_equal(wedr_ruleset_set_add(rs, s, entry, (size_t)n), WEDR_OK);
    }
    assert_int_equal(wedr_ruleset_set_seal(rs, s), WEDR_OK);
    assert_true(wedr_ruleset_memory(rs) - before < 100000 * 50);
    assert_true(has(rs, s, "host-699993.example"));
    assert_false(has(rs, s, "host-699994.example"));
    wedr_ruleset_free(rs);
}

static void rules_are_copied_whole_and_found(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(CAP);
    char title[] = "A title";
    struct wedr_text tags[] = {t("attack.t1059"), t("attack.execution")};
    uint32_t event_class, id;
    assert_int_equal(wedr_ruleset_class(rs, "windows/process_creation", 24, &event_class), WEDR_OK);
    struct wedr_rule r = wedr_rule_init();
    r.id = t("11111111-1111-1111-1111-111111111111");
    r.title = t(title);
    r.tags = (struct wedr_text_list){tags, 2};
    r.classes = &event_class;
    r.class_count = 1;
    assert_int_equal(wedr_ruleset_add_rule(rs, &r, &id), WEDR_E_INVAL); /* no condition */
    r.condition = leaf(rs, "F", WEDR_PRED_EQUALS, "a");
    assert_int_equal(wedr_ruleset_add_rule(rs, &r, &id), WEDR_OK);
    memset(title, 'x', sizeof(title) - 1);
    memset(tags, 0, sizeof(tags));
    const struct wedr_rule *have = wedr_ruleset_rule(rs, id);
    assert_string_equal(have->title.p, "A title");
    assert_string_equal(have->tags.v[1].p, "attack.execution");
    assert_int_equal(have->classes[0], event_class);
    assert_ptr_not_equal(have->classes, &event_class);
    assert_int_equal(wedr_ruleset_rule_find(rs, r.id.p, r.id.len), id);
    assert_int_equal(wedr_ruleset_rule_find(rs, "A title", 7), id);
    assert_int_equal(wedr_ruleset_rule_find(rs, "B title", 7), WEDR_IR_NONE);

    struct wedr_correlation c = wedr_correlation_init();
    c.members = (uint32_t[]){id};
    c.member_count = 1;
    c.timespan_ms = 1000;
    struct wedr_rule carrier = wedr_rule_init();
    uint32_t second;
    assert_int_equal(wedr_ruleset_add_correlation(rs, &carrier, &c, &second), WEDR_OK);
    assert_int_equal(wedr_ruleset_correlation(rs, wedr_ruleset_rule(rs, second)->correlation)->rule,
                     second);
    c.members = (uint32_t[]){99};
    assert_int_equal(wedr_ruleset_add_correlation(rs, &carrier, &c, &second), WEDR_E_INVAL);
    assert_int_equal(wedr_ruleset_correlation_count(rs), 1);
    wedr_ruleset_free(rs);
}

static int build_some(struct wedr_ruleset *rs)
{
    uint32_t f, n[3], set, id;
    int r = wedr_ruleset_field(rs, "Image", 5, &f);
    r = r < 0 ? r : wedr_ir_text(rs, f, WEDR_PRED_WILDCARD, t("*a*b"), 0, &n[0], NULL);
    r = r < 0 ? r : wedr_ir_text(rs, f, WEDR_PRED_REGEX, t("a+b"), WEDR_PRED_RE_I, &n[1], NULL);
    r = r < 0 ? r : wedr_ruleset_set_new(rs, WEDR_SET_EXACT, false, &set);
    r = r < 0 ? r : wedr_ruleset_set_add(rs, set, "entry", 5);
    r = r < 0 ? r : wedr_ruleset_set_seal(rs, set);
    r = r < 0
            ? r
            : wedr_ir_pred(rs, &(struct wedr_pred){.field = f, .kind = WEDR_PRED_SET, .u.set = set},
                           &n[2], NULL);
    r = r < 0 ? r : wedr_ir_or(rs, n, 3, &n[0]);
    struct wedr_rule rule = wedr_rule_init();
    struct wedr_text tag = t("tag");
    rule.id = t("id");
    rule.title = t("title");
    rule.tags = (struct wedr_text_list){&tag, 1};
    rule.condition = n[0];
    return r < 0 ? r : wedr_ruleset_add_rule(rs, &rule, &id);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    int r = -1;
    for (size_t n = 1; r < 0; n++) {
        assert_true(n < 200);
        (void)wedr_alloc_fail_nth(n);
        struct wedr_ruleset *rs = wedr_ruleset_new(CAP);
        r = rs ? build_some(rs) : WEDR_E_NOMEM;
        (void)wedr_alloc_fail_nth(0);
        assert_true(r == WEDR_OK || r == WEDR_E_NOMEM);
        if (rs) {
            assert_int_equal(build_some(rs), WEDR_OK); /* still usable */
        }
        wedr_ruleset_free(rs);
    }
}

static void the_memory_cap_holds(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(200000);
    char text[64];
    int r = WEDR_OK;
    uint32_t f = field(rs, "F");
    for (unsigned i = 0; r == WEDR_OK && i < 100000; i++) {
        uint32_t n;
        int len = snprintf(text, sizeof(text), "some text with number %u", i);
        r = wedr_ir_text(rs, f, WEDR_PRED_CONTAINS, wedr_text(text, (size_t)len), 0, &n, NULL);
    }
    assert_int_equal(r, WEDR_E_NOMEM);
    assert_true(wedr_ruleset_memory(rs) <= 200000);
    wedr_ruleset_free(rs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_names_and_predicates_are_stored_once),
        cmocka_unit_test(wildcards_take_the_simplest_form),
        cmocka_unit_test(expressions_are_merged_and_constants_folded),
        cmocka_unit_test(expressions_have_a_greatest_depth),
        cmocka_unit_test(bad_predicates_say_why),
        cmocka_unit_test(lists_are_looked_up_by_their_mode),
        cmocka_unit_test(a_hundred_thousand_entries_stay_small),
        cmocka_unit_test(rules_are_copied_whole_and_found),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(the_memory_cap_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
