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
    {"GET", "/healthz", WEDR_ROUTE_OPEN, WEDR_RUN_INLINE, 0, NULL, NULL},
    {"POST", "/api/v1/agents/enroll", WEDR_ROUTE_OPEN, WEDR_RUN_CONTROL, 1, NULL, NULL},
    {"POST", "/api/v1/agents/{id}/logs", WEDR_ROUTE_AGENT, WEDR_RUN_INGEST, 1, NULL, NULL},
};

static enum wedr_route_result
match(const char *method, const char *path, const struct wedr_route **r, char *id)
{
    return wedr_route_match(table, WEDR_ARRAY_COUNT(table), method, path, r, id);
}

static void a_path_with_an_id_gives_the_route_and_the_id(void **state)
{
    const struct wedr_route *r = NULL;
    char id[WEDR_ROUTE_ID_MAX] = "x";
    (void)state;
    assert_int_equal(match("POST", "/api/v1/agents/" ID "/logs", &r, id), WEDR_ROUTE_FOUND);
    assert_ptr_equal(r, &table[2]);
    assert_string_equal(id, ID);
    assert_int_equal(match("GET", "/healthz", &r, id), WEDR_ROUTE_FOUND);
    assert_string_equal(id, "");
}

static void a_known_path_with_another_method_is_told_apart_from_an_unknown_one(void **state)
{
    const struct wedr_route *r = NULL;
    char id[WEDR_ROUTE_ID_MAX];
    (void)state;
    assert_int_equal(match("DELETE", "/healthz", &r, id), WEDR_ROUTE_NO_METHOD);
    assert_ptr_equal(r, &table[0]);
    assert_int_equal(match("get", "/healthz", &r, id), WEDR_ROUTE_NO_METHOD);
    assert_int_equal(match("GET", "/health", &r, id), WEDR_ROUTE_NO_PATH);
}

static void near_misses_match_nothing(void **state)
{
    static const char *const paths[] = {"",
                                        "/",
                                        "//healthz",
                                        "/healthz/",
                                        "/healthz/x",
                                        "/Healthz",
                                        "healthz",
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
    char id[WEDR_ROUTE_ID_MAX];
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(paths); i++) {
        assert_int_equal(match("POST", paths[i], &r, id), WEDR_ROUTE_NO_PATH);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_with_an_id_gives_the_route_and_the_id),
        cmocka_unit_test(a_known_path_with_another_method_is_told_apart_from_an_unknown_one),
        cmocka_unit_test(near_misses_match_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
