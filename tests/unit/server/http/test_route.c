/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "http/route.h"
#include <string.h>

#define ID "01234567-89ab-4cde-8f01-23456789abcd"

static const struct wedr_route table[] = {
    {.method = "GET", .pattern = "/healthz"},
    {.method = "POST", .pattern = "/api/v1/agents/enroll"},
    {.method = "POST", .pattern = "/api/v1/agents/{id}/logs", .auth = WEDR_ROUTE_AGENT},
    {.method = "GET", .pattern = "/api/v1/events/{id}", .auth = WEDR_ROUTE_PERSON},
    {.method = "POST", .pattern = "/api/v1/events/sql", .auth = WEDR_ROUTE_PERSON},
    {.method = "GET", .pattern = "/api/v1/users/{id}", .auth = WEDR_ROUTE_PERSON},
    {.method = "PATCH", .pattern = "/api/v1/users/{id}", .auth = WEDR_ROUTE_PERSON},
    {.method = "GET", .pattern = "/api/v1/hosts/{id}/processes/{key}", .auth = WEDR_ROUTE_PERSON},
    {.method = "GET", .pattern = "*"},
};

static struct wedr_route_params params;

static enum wedr_route_result
match(const char *method, const char *path, const struct wedr_route **r)
{
    return wedr_route_match(table, WEDR_ARRAY_COUNT(table), method, path, r, &params);
}

static void a_path_with_an_id_gives_the_route_and_the_id(void **state)
{
    const struct wedr_route *r = NULL;
    (void)state;
    assert_int_equal(match("POST", "/api/v1/agents/" ID "/logs", &r), WEDR_ROUTE_FOUND);
    assert_ptr_equal(r, &table[2]);
    assert_int_equal(params.count, 1);
    assert_string_equal(params.item[0].name, "id");
    assert_string_equal(params.item[0].value, ID);
    assert_int_equal(match("GET", "/healthz", &r), WEDR_ROUTE_FOUND);
    assert_int_equal(params.count, 0);
}

static void a_known_path_with_another_method_is_told_apart_from_an_unknown_one(void **state)
{
    const struct wedr_route *r = NULL;
    (void)state;
    assert_int_equal(match("DELETE", "/healthz", &r), WEDR_ROUTE_NO_METHOD);
    assert_ptr_equal(r, &table[0]);
    assert_int_equal(match("get", "/healthz", &r), WEDR_ROUTE_NO_METHOD);
    assert_int_equal(match("GET", "/api/v1/health", &r), WEDR_ROUTE_NO_PATH);
    assert_int_equal(match("PUT", "/api/v1/users/7", &r), WEDR_ROUTE_NO_METHOD);
    char allow[64];
    wedr_route_allow(table, WEDR_ARRAY_COUNT(table), r, allow, sizeof(allow));
    assert_string_equal(allow, "GET, PATCH");
}

static void near_misses_match_nothing(void **state)
{
    static const char *const paths[] = {"",
                                        "/healthz/",
                                        "/healthz/x",
                                        "healthz",
                                        "api/v1/users/7",
                                        "/api/v1/agents//logs",
                                        "/api/v1/agents/" ID,
                                        "/api/v1/agents/" ID "/logs/",
                                        "/api/v1/agents/" ID "0/logs",
                                        "/api/v1/agents/../" ID "/logs",
                                        "/api/v1/agents/" ID "/../logs",
                                        "/api/v1/agents/01234567-89AB-4cde-8f01-23456789abcd/logs",
                                        "/api/v1/agents/0123456789ab-4cde-8f01-23456789abcd00/logs",
                                        "/api/v1/agents/{id}/logs",
                                        "/api/v1/agents/01234567-89ab-4cde-8f01-23456789abc/logs",
                                        "/api/v1/agents/" ID "\n/logs"};
    const struct wedr_route *r = NULL;
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(paths); i++) {
        assert_int_equal(match("POST", paths[i], &r), WEDR_ROUTE_NO_PATH);
    }
}

static void names_are_decoded_and_bounded(void **state)
{
    const struct wedr_route *r = NULL;
    char longest[WEDR_ROUTE_PARAM_MAX + 32];
    (void)state;
    assert_int_equal(match("GET", "/api/v1/hosts/a%20b/processes/%C3%a9", &r), WEDR_ROUTE_FOUND);
    assert_int_equal(params.count, 2);
    assert_string_equal(params.item[0].value, "a b");
    assert_string_equal(params.item[1].name, "key");
    assert_string_equal(params.item[1].value, "\xc3\xa9");
    assert_int_equal(match("GET", "/api/v1/events/a+b:c", &r), WEDR_ROUTE_FOUND);
    assert_string_equal(params.item[0].value, "a+b:c");
    static const char *const refused[] = {
        "/api/v1/events/",    "/api/v1/events/%2f", "/api/v1/events/a%2Fb", "/api/v1/events/%00",
        "/api/v1/events/%",   "/api/v1/events/%4",  "/api/v1/events/%zz",   "/api/v1/events/%0a",
        "/api/v1/events/%ff", "/api/v1/events/%C3", "/api/v1/events/%7f",   "/api/v1/events/a/b",
    };
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(refused); i++) {
        assert_int_equal(match("GET", refused[i], &r), WEDR_ROUTE_NO_PATH);
    }
    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "/api/v1/events/", 15);
    longest[15 + WEDR_ROUTE_PARAM_MAX - 1] = '\0';
    assert_int_equal(match("GET", longest, &r), WEDR_ROUTE_FOUND);
    longest[15 + WEDR_ROUTE_PARAM_MAX - 1] = 'a';
    longest[15 + WEDR_ROUTE_PARAM_MAX] = '\0';
    assert_int_equal(match("GET", longest, &r), WEDR_ROUTE_NO_PATH);
}

static void the_pattern_with_the_fewest_names_counts(void **state)
{
    const struct wedr_route *r = NULL;
    (void)state;
    assert_int_equal(match("POST", "/api/v1/events/sql", &r), WEDR_ROUTE_FOUND);
    assert_string_equal(r->pattern, "/api/v1/events/sql");
    assert_int_equal(match("GET", "/api/v1/events/sql", &r), WEDR_ROUTE_NO_METHOD);
    assert_int_equal(match("GET", "/api/v1/events/sq", &r), WEDR_ROUTE_FOUND);
    assert_string_equal(r->pattern, "/api/v1/events/{id}");
}

static void every_other_path_is_the_consoles_but_never_one_of_the_interface(void **state)
{
    const struct wedr_route *r = NULL;
    (void)state;
    static const char *const free_paths[] = {"/", "/index.html", "/healthz2", "/apis", "/a/../b"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(free_paths); i++) {
        assert_int_equal(match("GET", free_paths[i], &r), WEDR_ROUTE_FOUND);
        assert_string_equal(r->pattern, "*");
        assert_int_equal(match("POST", free_paths[i], &r), WEDR_ROUTE_NO_METHOD);
    }
    static const char *const taken[] = {"/api",       "/api/",     "/api/v1", "/api/v1/x",
                                        "/healthz/x", "/metrics/", "x"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(taken); i++) {
        assert_int_equal(match("GET", taken[i], &r), WEDR_ROUTE_NO_PATH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_with_an_id_gives_the_route_and_the_id),
        cmocka_unit_test(a_known_path_with_another_method_is_told_apart_from_an_unknown_one),
        cmocka_unit_test(near_misses_match_nothing),
        cmocka_unit_test(names_are_decoded_and_bounded),
        cmocka_unit_test(the_pattern_with_the_fewest_names_counts),
        cmocka_unit_test(every_other_path_is_the_consoles_but_never_one_of_the_interface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
