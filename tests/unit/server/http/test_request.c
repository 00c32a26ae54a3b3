/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/attr.h"
#include "core/base/err.h"
#include "core/util/alloc.h"
#include "http/request.h"
#include <stdio.h>
#include <string.h>

static struct wedr_request *make(const char *const *pairs)
{
    static struct wedr_request rq;
    wedr_buf_fini(&rq.answer);
    memset(&rq, 0, sizeof(rq));
    wedr_buf_init(&rq.answer, WEDR_HTTP_ANSWER_MAX);
    for (; pairs[0]; pairs += 2) {
        assert_int_equal(wedr_request_add_header(&rq, pairs[0], pairs[1]), 0);
    }
    return &rq;
}

static int check(const char *const *pairs, bool http11, size_t header_size)
{
    struct wedr_request *rq = make(pairs);
    wedr_request_check(rq, http11, strlen("POST /x HTTP/1.1"), header_size);
    int status = rq->status;
    wedr_buf_fini(&rq->answer);
    return status;
}

#define H(...) ((const char *const[]){__VA_ARGS__, NULL, NULL})

static void a_plain_request_passes_and_its_length_is_known(void **state)
{
    (void)state;
    struct wedr_request *rq =
        make(H("Host", "a", "content-length", "17", "EXPECT", "100-Continue"));
    wedr_request_check(rq, true, 16, 0);
    assert_int_equal(rq->status, 0);
    assert_int_equal(rq->content_length, 17);
}

static void what_two_parsers_read_differently_is_refused(void **state)
{
    (void)state;
    assert_int_equal(
        check(H("Host", "a", "Content-Length", "1", "Transfer-Encoding", "chunked"), true, 0), 400);
    assert_int_equal(check(H("Host", "a", "Transfer-Encoding", "identity"), true, 0), 411);
    assert_int_equal(check(H("Host", "a", "Content-Length", "1", "Content-Length", "1"), true, 0),
                     400);
    static const char *const lengths[] = {
        "", "+1", "-1", " 1", "1 ", "0x1", "1,1", "9999999999999999999", "1\t"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(lengths); i++) {
        assert_int_equal(check(H("Host", "a", "Content-Length", lengths[i]), true, 0), 400);
    }
    assert_int_equal(check(H("Content-Length", "1"), true, 0), 400);
    assert_int_equal(check(H("Host", "a", "host", "b"), true, 0), 400);
    assert_int_equal(check(H("Host", "a"), false, 0), 400);
    assert_int_equal(check(H("Host", "a", "Expect", "x"), true, 0), 417);
    assert_int_equal(check(H("Host", "a", "Upgrade", "h2c"), true, 0), 400);
    assert_int_equal(check(H("Host", "a", "X", "a\rb"), true, 0), 400);
    assert_int_equal(check(H("Host", "a", "X\x01", "b"), true, 0), 400);
}

static void a_block_larger_than_its_plain_lines_hides_a_folded_one(void **state)
{
    const size_t plain = strlen("POST /x HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)state;
    assert_int_equal(check(H("Host", "a"), true, plain), 0);
    assert_int_equal(check(H("Host", "a"), true, plain - 1), 0);
    assert_int_equal(check(H("Host", "a"), true, plain + 1), 400);
}

static void a_header_given_twice_has_no_value(void **state)
{
    (void)state;
    struct wedr_request *rq = make(H("A", "1", "B", "2", "b", "3"));
    assert_string_equal(wedr_request_header(rq, "a"), "1");
    assert_null(wedr_request_header(rq, "B"));
    assert_null(wedr_request_header(rq, "C"));
}

static void the_number_of_headers_is_bounded(void **state)
{
    struct wedr_request *rq = make(H("Host", "a"));
    (void)state;
    for (unsigned i = 1; i < WEDR_HTTP_HEADERS_MAX; i++) {
        assert_int_equal(wedr_request_add_header(rq, "X", "y"), 0);
    }
    assert_int_equal(wedr_request_add_header(rq, "X", "y"), -1);
}

static void a_problem_is_json_whatever_its_detail_holds(void **state)
{
    struct wedr_request *rq = make(H("Host", "a"));
    (void)state;
    wedr_answer_problem(rq, 429, "say \"%s\"", "x\n\x1b</script>\xff");
    assert_int_equal(rq->status, 429);
    assert_string_equal(rq->content_type, "application/problem+json");
    assert_string_equal((const char *)rq->answer.p,
                        "{\"type\":\"about:blank\",\"title\":\"Too Many Requests\",\"status\":429,"
                        "\"detail\":\"say \\\"x\\n\\u001b</script>\xef\xbf\xbd\\\"\"}");
    wedr_buf_fini(&rq->answer);
}

static void a_query_is_decoded_once_and_bounded(void **state)
{
    struct wedr_uri_query q;
    struct wedr_errinfo ei = {""};
    (void)state;
    assert_int_equal(
        wedr_uri_query_parse("a=1&b=x%20y+z%26&c&image_path=%2Fbin%2Fsh&d=a=b", &q, &ei), WEDR_OK);
    assert_int_equal(q.count, 5);
    assert_string_equal(wedr_uri_query_get(&q, "a"), "1");
    assert_string_equal(wedr_uri_query_get(&q, "b"), "x y z&");
    assert_string_equal(wedr_uri_query_get(&q, "c"), "");
    assert_string_equal(wedr_uri_query_get(&q, "image_path"), "/bin/sh");
    assert_string_equal(wedr_uri_query_get(&q, "d"), "a=b");
    assert_null(wedr_uri_query_get(&q, "e"));
    wedr_uri_query_fini(&q);
    static const char *const refused[] = {"a=1&a=2", "=1",       "&",     "a=1&",
                                          "a=%",     "a=%0",     "a=%00", "a=%0a",
                                          "a=%ff",   "%61%20=1", "a b=1", "a=%c3"};
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(refused); i++) {
        int err = wedr_uri_query_parse(refused[i], &q, &ei);
        if (strcmp(refused[i], "a=1&") == 0) {
            assert_int_equal(err, WEDR_OK);
            wedr_uri_query_fini(&q);
        } else {
            assert_int_equal(err, WEDR_E_FORMAT);
        }
    }
    char many[WEDR_URI_QUERY_MAX * 8 + 16] = "";
    for (unsigned i = 0; i <= WEDR_URI_QUERY_MAX; i++) {
        (void)snprintf(many + strlen(many), 8, "p%u&", i);
    }
    assert_int_equal(wedr_uri_query_parse(many, &q, &ei), WEDR_E_LIMIT);
}

static bool also(const char *name)
{
    return strcmp(name, "pid") == 0;
}

static void only_parameters_of_the_route_pass(void **state)
{
    const struct wedr_route route = {.query = "limit cursor", .query_also = also};
    static const struct {
        const char *query;
        int status;
    } cases[] = {{"limit=1&cursor=2&pid=3", 0}, {"limi=1", 400}, {"cursor2=1", 400}, {"q=1", 400}};
    (void)state;
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(cases); i++) {
        struct wedr_request *rq = make(H("Host", "a"));
        struct wedr_errinfo ei = {""};
        rq->route = &route;
        assert_int_equal(wedr_uri_query_parse(cases[i].query, &rq->query, &ei), WEDR_OK);
        wedr_request_check_query(rq);
        assert_int_equal(rq->status, cases[i].status);
        wedr_uri_query_fini(&rq->query);
        wedr_buf_fini(&rq->answer);
    }
}

static void a_cookie_counts_only_when_it_is_there_once(void **state)
{
    char v[8];
    (void)state;
    assert_true(wedr_request_cookie(make(H("Cookie", "x=1; sid=abc; y=2")), "sid", v, sizeof(v)));
    assert_string_equal(v, "abc");
    assert_true(wedr_request_cookie(make(H("Cookie", "sid=")), "sid", v, sizeof(v)));
    assert_string_equal(v, "");
    assert_false(wedr_request_cookie(make(H("Cookie", "sid=a; sid=b")), "sid", v, sizeof(v)));
    assert_false(
        wedr_request_cookie(make(H("Cookie", "sid=a", "cookie", "sid=a")), "sid", v, sizeof(v)));
    assert_false(
        wedr_request_cookie(make(H("Cookie", "xsid=a; sidx=b; sid")), "sid", v, sizeof(v)));
    assert_false(wedr_request_cookie(make(H("Cookie", "sid=12345678")), "sid", v, sizeof(v)));
    assert_false(wedr_request_cookie(make(H("Host", "a")), "sid", v, sizeof(v)));
}

static void an_answers_header_cannot_split_the_answer(void **state)
{
    struct wedr_request *rq = make(H("Host", "a"));
    (void)state;
    wedr_answer_empty(rq);
    wedr_answer_header(rq, "Location", "/x/%d", 7);
    assert_int_equal(rq->status, 204);
    assert_string_equal(rq->out[0].value, "/x/7");
    wedr_answer_header(rq, "Location", "/x\r\nSet-Cookie: a=b");
    assert_int_equal(rq->status, 500);
    assert_int_equal(rq->out_count, 1);
    wedr_free(rq->out[0].value);
    wedr_buf_fini(&rq->answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_request_passes_and_its_length_is_known),
        cmocka_unit_test(what_two_parsers_read_differently_is_refused),
        cmocka_unit_test(a_block_larger_than_its_plain_lines_hides_a_folded_one),
        cmocka_unit_test(a_header_given_twice_has_no_value),
        cmocka_unit_test(the_number_of_headers_is_bounded),
        cmocka_unit_test(a_query_is_decoded_once_and_bounded),
        cmocka_unit_test(only_parameters_of_the_route_pass),
        cmocka_unit_test(a_cookie_counts_only_when_it_is_there_once),
        cmocka_unit_test(an_answers_header_cannot_split_the_answer),
        cmocka_unit_test(a_problem_is_json_whatever_its_detail_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
