/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin/admin.h"
#include "admin/openapi.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define BASE "/api/v1"

static json_t *doc;
static struct wedr_route *routes;
static size_t route_count;

static int set_up(void **state)
{
    json_error_t e;
    (void)state;
    doc = json_loadb(wedr_openapi_json, wedr_openapi_json_len, JSON_REJECT_DUPLICATES, &e);
    return doc && wedr_admin_routes(&routes, &route_count) == WEDR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(doc);
    wedr_free(routes);
    return 0;
}

static const char *need_name(const struct wedr_route *r)
{
    static const char *const names[] = {"session", "self",  "read", "triage",
                                        "respond", "admin", "token"};
    return r->auth == WEDR_ROUTE_OPEN ? "none" : names[r->need];
}

static const struct wedr_route *find_route(const char *operation)
{
    for (size_t i = 0; i < route_count; i++) {
        if (routes[i].operation && strcmp(routes[i].operation, operation) == 0) {
            return &routes[i];
        }
    }
    return NULL;
}

static const char *string_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static const json_t *resolve(const json_t *p)
{
    const char *name = json_string_value(json_object_get(p, "$ref"));
    const json_t *parameters = json_object_get(json_object_get(doc, "components"), "parameters");
    return name ? json_object_get(parameters, name + strlen("#/components/parameters/")) : p;
}

/* Every query parameter of the document is one that the route knows. */
static void check_parameters(const json_t *op, const struct wedr_route *r)
{
    size_t i = 0, documented = 0, listed = 0;
    json_t *p = NULL;
    json_array_foreach(json_object_get(op, "parameters"), i, p)
    {
        const json_t *q = resolve(p);
        char word[64];
        assert_non_null(q);
        if (strcmp(string_of(q, "in"), "query") != 0) {
            continue;
        }
        documented++;
        (void)snprintf(word, sizeof(word), " %s ", string_of(q, "name"));
        char words[1024];
        (void)snprintf(words, sizeof(words), " %s ", r->query ? r->query : "");
        if (!strstr(words, word) && !(r->query_also && r->query_also(string_of(q, "name")))) {
            fail_msg("%s: the route does not know \"%s\"", r->operation, string_of(q, "name"));
        }
    }
    for (const char *s = r->query ? r->query : ""; *s; s += strspn(s, " ")) {
        listed++;
        s += strcspn(s, " ");
    }
    if (documented < listed) {
        fail_msg("%s: %zu query parameters, %zu are documented", r->operation, listed, documented);
    }
}

static void every_documented_operation_is_a_route_with_this_right(void **state)
{
    const char *path = NULL, *method = NULL;
    json_t *item = NULL, *op = NULL;
    size_t count = 0;
    (void)state;
    json_object_foreach(json_object_get(doc, "paths"), path, item)
    {
        json_object_foreach(item, method, op)
        {
            char pattern[256];
            const char *id = string_of(op, "operationId");
            const struct wedr_route *r = find_route(id);
            count++;
            if (!r) {
                fail_msg("%s %s (%s) is documented and is no route", method, path, id);
                return;
            }
            (void)snprintf(pattern, sizeof(pattern), BASE "%s", path);
            assert_string_equal(r->pattern, pattern);
            assert_int_equal(strlen(method), strlen(r->method));
            for (size_t i = 0; method[i]; i++) {
                assert_int_equal(toupper((unsigned char)method[i]), r->method[i]);
            }
            assert_string_equal(string_of(op, "x-wedr-need"), need_name(r));
            assert_int_equal(json_object_get(op, "requestBody") != NULL, r->body_max != 0);
            check_parameters(op, r);
        }
    }
    assert_true(count > 0);
}

static void every_route_for_people_is_documented(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        const struct wedr_route *r = &routes[i];
        if (r->auth == WEDR_ROUTE_PERSON && !r->operation) {
            fail_msg("%s %s has no operation", r->method, r->pattern);
        }
        if (!r->operation) {
            continue;
        }
        char method[16] = "";
        for (size_t n = 0; r->method[n] && n + 1 < sizeof(method); n++) {
            method[n] = (char)tolower((unsigned char)r->method[n]);
        }
        assert_int_equal(strncmp(r->pattern, BASE, strlen(BASE)), 0);
        const json_t *item =
            json_object_get(json_object_get(doc, "paths"), r->pattern + strlen(BASE));
        const json_t *op = json_object_get(item, method);
        if (!op || strcmp(string_of(op, "operationId"), r->operation) != 0) {
            fail_msg("%s %s (%s) is not documented", r->method, r->pattern, r->operation);
        }
    }
}

static void routes_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count; i++) {
        const struct wedr_route *r = &routes[i];
        assert_non_null(r->run);
        /* What an ingest route leaves behind is finished by the committing thread. */
        assert_true(r->lane != WEDR_RUN_INGEST || r->finishes);
        assert_true(r->lane != WEDR_RUN_INLINE || !r->finishes);
        for (size_t k = i + 1; k < route_count; k++) {
            if (strcmp(r->method, routes[k].method) == 0 &&
                strcmp(r->pattern, routes[k].pattern) == 0) {
                fail_msg("%s %s is there twice", r->method, r->pattern);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_documented_operation_is_a_route_with_this_right),
        cmocka_unit_test(every_route_for_people_is_documented),
        cmocka_unit_test(routes_are_sound),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
