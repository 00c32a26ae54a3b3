/* SPDX-License-Identifier: Apache-2.0
 * tests/unit/lib/rules/waza/test_waza_limits.c — much of everything: bounded, told, never a crash.
 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *text_of(size_t size)
{
    char *p = calloc(1, size);
    assert_non_null(p);
    return p;
}

/* front, then `part` n times with its number for each ~, then behind. */
static char *repeat(const char *front, const char *part, unsigned n, const char *behind)
{
    size_t size = strlen(front) + (strlen(part) + 24) * n + strlen(behind) + 1;
    char *p = text_of(size);
    size_t at = (size_t)snprintf(p, size, "%s", front);
    for (unsigned i = 0; i < n; i++) {
        for (const char *c = part; *c; c++) {
            if (*c == '~') {
                at += (size_t)snprintf(p + at, size - at, "%u", i);
            } else {
                p[at++] = *c;
            }
        }
    }
    snprintf(p + at, size - at, "%s", behind);
    return p;
}

#define FRONT "- Detection:\n- R:\n- a.b.c "
#define BEHIND "\n- Action:\n- R:\n- log\n"

static void a_list_of_a_hundred_thousand_is_looked_up(void **state)
{
    (void)state;
    static const char *const parts[] = {"\"value~\",", "~,"};
    static const char *const hit[] = {"\"c\":\"value99999\"", "\"c\":99999"};
    static const char *const miss[] = {"\"c\":\"value100000\"", "\"c\":100000"};
    for (int i = 0; i < 2; i++) {
        char *text = repeat(FRONT "in [", parts[i], 100000, "]" BEHIND);
        int e;
        struct wedr_ruleset *rs = waza_load(text, &e);
        free(text);
        assert_int_equal(e, WEDR_OK);
        assert_int_equal(wedr_ruleset_set_count(rs), 1);
        assert_int_equal(wedr_set_entry_count(rs, 0), 100000);
        assert_true(wedr_ruleset_memory(rs) < (8u << 20));
        struct waza_machine *m = waza_machine_take(rs);
        char json[256];
        snprintf(json, sizeof(json), "{\"module\":\"a\",\"event_type\":\"b\",\"raw\":{%s}}",
                 hit[i]);
        assert_string_equal(waza_feed(m, 1, json), "R[1]");
        snprintf(json, sizeof(json), "{\"module\":\"a\",\"event_type\":\"b\",\"raw\":{%s}}",
                 miss[i]);
        assert_string_equal(waza_feed(m, 2, json), "");
        waza_machine_free(m);
    }
}

static void a_named_list_is_stored_once_for_all_rules(void **state)
{
    (void)state;
    char *list = repeat("list big: [", "\"value~\",", 10000, "]\n- Detection:\n");
    char *all = repeat(list, "- R~:\n- a.b.c in list big\n", 200, "- Action:\n");
    char *text = repeat(all, "- R~:\n- log\n", 200, "");
    int e;
    struct wedr_ruleset *rs = waza_load(text, &e);
    assert_int_equal(e, WEDR_OK);
    assert_int_equal(wedr_ruleset_rule_count(rs), 200);
    assert_int_equal(wedr_ruleset_set_count(rs), 1);
    wedr_ruleset_free(rs);
    free(list);
    free(all);
    free(text);
}

static void ten_thousand_rules_load(void **state)
{
    (void)state;
    char *all =
        repeat("- Detection:\n", "- R~:\n- a.b.c == ~ && a.b.d == \"x\"\n", 10000, "- Action:\n");
    char *text = repeat(all, "- R~:\n- log\n", 10000, "");
    int e;
    struct wedr_ruleset *rs = waza_load(text, &e);
    assert_int_equal(e, WEDR_OK);
    assert_int_equal(wedr_ruleset_rule_count(rs), 10000);
    wedr_ruleset_free(rs);
    free(all);
    free(text);
}

static void nesting_is_bounded(void **state)
{
    (void)state;
    int e;
    char *open = repeat("- Detection:\n- R:\n- ", "(", 60, "a.b.c == 1");
    char *text = repeat(open, ")", 60, BEHIND);
    wedr_ruleset_free(waza_load(text, &e));
    assert_int_equal(e, WEDR_OK);
    free(open);
    free(text);
    static const char *const parts[] = {"(", "!", "!(", "2 of ("};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        text = repeat("- Detection:\n- R:\n- ", parts[i], 100000, BEHIND);
        wedr_ruleset_free(waza_load(text, &e));
        assert_int_equal(e, WEDR_E_LIMIT);
        assert_non_null(strstr(waza_told.all, "nested more than"));
        free(text);
    }
}

static void alternatives_over_events_do_not_explode(void **state)
{
    (void)state;
    int e;
    char *text = repeat("- Detection:\n- R:\n- x.y.z == 1", " && (a.b~.c == 1 || a.b~.d == e.f.g)",
                        30, BEHIND);
    wedr_ruleset_free(waza_load(text, &e));
    assert_int_equal(e, WEDR_E_LIMIT);
    assert_non_null(strstr(waza_told.text, "alternatives"));
    free(text);
    text = repeat("- Detection:\n- R:\n- x.y.z == 1", " && a.b~.c == 1", 100, BEHIND);
    wedr_ruleset_free(waza_load(text, &e));
    assert_int_equal(e, WEDR_E_LIMIT);
    free(text);
    text = repeat("- Detection:\n- R:\n- a.b.c == 1", " || a.b.c == ~", 20000, BEHIND);
    struct wedr_ruleset *rs = waza_load(text, &e);
    assert_int_equal(e, WEDR_OK);
    wedr_ruleset_free(rs);
    free(text);
}

static void many_lists_includes_and_keys_are_refused(void **state)
{
    (void)state;
    int e;
    char *text = repeat("", "list l~: [1]\n", 2000, "");
    wedr_ruleset_free(waza_load(text, &e));
    assert_int_equal(e, WEDR_E_LIMIT);
    free(text);
    text = repeat("", "include \"x~\"\n", 2000, "");
    wedr_ruleset_free(waza_load(text, &e));
    assert_true(waza_told.errors > 0);
    free(text);
    text = repeat("- Detection:\n- R:\nby: a.b.c", ", a.b.c~", 20, "\n- a.b.c == 1" BEHIND);
    wedr_ruleset_free(waza_load(text, &e));
    assert_int_equal(e, WEDR_E_LIMIT);
    free(text);
    text = repeat("- Detection:\n- R:\n- a", ".b~", 100, " == 1" BEHIND);
    wedr_ruleset_free(waza_load(text, &e));
    assert_int_equal(e, WEDR_E_FORMAT);
    free(text);
}

static int read_deeper(void *ctx, const char *path, struct wedr_buf *out)
{
    static unsigned n;
    (void)ctx;
    (void)path;
    wedr_buf_addf(out, "include \"d/f%u.waza\"\n", ++n);
    return WEDR_OK;
}

static void endless_includes_end(void **state)
{
    const struct wedr_waza_options options = {.read = read_deeper};
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(1u << 20);
    struct wedr_waza *w = wedr_waza_new(rs, &options);
    assert_int_equal(wedr_waza_add(w, "a", "include \"b\"", 11), WEDR_E_LIMIT);
    struct wedr_waza_stats stats;
    wedr_waza_stats(w, &stats);
    assert_int_equal(stats.files, WEDR_WAZA_INCLUDE_DEPTH_MAX + 1);
    wedr_waza_free(w);
    wedr_ruleset_free(rs);
}

static void a_small_ruleset_says_that_it_is_full(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(40000);
    struct wedr_waza *w = wedr_waza_new(rs, NULL);
    char *text = repeat(FRONT "in [", "\"value~\",", 5000, "]" BEHIND);
    int e = wedr_waza_add(w, "x", text, strlen(text));
    assert_true(e == WEDR_E_LIMIT || e == WEDR_E_NOMEM);
    wedr_waza_free(w);
    wedr_ruleset_free(rs);
    free(text);
}

static void a_file_that_is_too_large_is_refused(void **state)
{
    (void)state;
    struct wedr_ruleset *rs = wedr_ruleset_new(1u << 20);
    struct wedr_waza *w = wedr_waza_new(rs, NULL);
    char *text = text_of(WEDR_WAZA_FILE_MAX + 2);
    memset(text, '#', WEDR_WAZA_FILE_MAX + 1);
    assert_int_equal(wedr_waza_add(w, "x", text, WEDR_WAZA_FILE_MAX + 1), WEDR_E_LIMIT);
    assert_int_equal(wedr_waza_add(w, "y", text, WEDR_WAZA_FILE_MAX), WEDR_OK);
    assert_int_equal(wedr_waza_add(w, "y", "broken", 6), WEDR_OK); /* read before */
    assert_int_equal(wedr_waza_finish(w), WEDR_OK);
    assert_int_equal(wedr_waza_add(w, "z", "", 0), WEDR_E_STATE);
    wedr_waza_free(w);
    wedr_ruleset_free(rs);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_a_hundred_thousand_is_looked_up),
        cmocka_unit_test(a_named_list_is_stored_once_for_all_rules),
        cmocka_unit_test(ten_thousand_rules_load),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(alternatives_over_events_do_not_explode),
        cmocka_unit_test(many_lists_includes_and_keys_are_refused),
        cmocka_unit_test(endless_includes_end),
        cmocka_unit_test(a_small_ruleset_says_that_it_is_full),
        cmocka_unit_test(a_file_that_is_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
