/* SPDX-License-Identifier: Apache-2.0
 * The n-th allocation fails, for every n: loading and pipelines end with an error and leak nothing.
 */
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char yaml[] =
    "title: a\nname: a\nlogsource: {category: c}\ndetection:\n"
    "  s:\n    f|contains|all: [x, 'y*z']\n    g|wide|base64offset|contains: cmd\n"
    "    h|expand: '%l%'\n    i|re: a\n    j|windash: ' -a'\n  k: [w]\n  condition: s and not 1 of "
    "k*\n---\n"
    "title: c\ncorrelation: {type: event_count, rules: a, timespan: 1h, condition: {gte: 2}, "
    "group-by: f}\n---\n"
    "title: f\nlogsource: {category: c}\nfilter: {rules: any, s: {u: 1}, condition: not s}\n";

static unsigned refused;

static void on_report(void *ctx, const struct wedr_sigma_report *r)
{
    (void)ctx;
    refused += r->outcome == WEDR_SIGMA_REFUSED;
}

/* True when all went well. */
static bool load(void)
{
    struct wedr_ruleset *rs = wedr_ruleset_new(1u << 24);
    struct wedr_sigma *s = rs ? wedr_sigma_new(rs, NULL, on_report, NULL) : NULL;
    int a = WEDR_E_NOMEM;
    int b = WEDR_E_NOMEM;
    refused = 0;
    if (s) {
        a = wedr_sigma_add(s, "f", yaml, sizeof(yaml) - 1);
        b = wedr_sigma_finish(s);
        /* Only an error that nobody reported may come from the last steps of finish. */
        assert_true((a == WEDR_OK && b == WEDR_OK) || refused > 0 || b == WEDR_E_NOMEM);
    }
    wedr_sigma_free(s);
    wedr_ruleset_free(rs);
    return a == WEDR_OK && b == WEDR_OK;
}

static void loading_without_memory_ends_in_an_error(void **state)
{
    (void)state;
    assert_true(load());
    bool good = false;
    size_t n = 1;
    for (; !good && n < 5000; n++) {
        (void)wedr_alloc_fail_nth(n);
        good = load();
        (void)wedr_alloc_fail_nth(0);
    }
    assert_true(good);
    assert_true(n > 10);
}

static bool make_map(const struct wedr_ruleset *rs)
{
    struct wedr_field_map *map = NULL;
    int e = wedr_pipeline_map(rs, NULL, 0, true, &map, NULL);
    if (e == WEDR_OK) {
        wedr_field_map_free(map);
    }
    return e == WEDR_OK;
}

static void maps_without_memory_end_in_an_error(void **state)
{
    (void)state;
    struct wedr_ruleset *rs =
        sigma_load("title: t\nlogsource: {product: windows, category: process_creation}\n"
                   "detection: {s: {Image: a}, condition: s}\n",
                   NULL);
    assert_non_null(rs);
    bool good = false;
    size_t n = 1;
    size_t step = 1;
    for (; !good && n < 2000000; n += step) {
        (void)wedr_alloc_fail_nth(n);
        good = make_map(rs);
        (void)wedr_alloc_fail_nth(0);
        step = n / 40 + 1;
    }
    assert_true(good);
    assert_true(n > 3);
    wedr_ruleset_free(rs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loading_without_memory_ends_in_an_error),
        cmocka_unit_test(maps_without_memory_end_in_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
