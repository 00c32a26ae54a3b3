/* SPDX-License-Identifier: Apache-2.0 */
#include "docs.h"

#include "core/base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    char text[4096]; /* "index@line json|" or "index@line !reason|" of each */
    size_t len;
};

static int note(void *ctx, const struct wedr_doc *doc)
{
    struct seen *s = ctx;
    int n =
        snprintf(s->text + s->len, sizeof(s->text) - s->len, "%u@%u %s%.*s|", (unsigned)doc->index,
                 (unsigned)doc->line, doc->bad ? "!" : "",
                 doc->bad ? (int)strlen(doc->bad) : (int)doc->len, doc->bad ? doc->bad : doc->json);
    assert_true(n > 0 && (size_t)n < sizeof(s->text) - s->len);
    s->len += (size_t)n;
    return 0;
}

/* In pieces of every size, each piece in memory of its own length. */
static void expect(const char *text, const char *want)
{
    size_t len = strlen(text);
    for (size_t piece = 1; piece <= len + 1; piece++) {
        struct seen s = {.len = 0};
        struct wedr_docs d;
        wedr_docs_init(&d, note, &s);
        for (size_t at = 0; at < len; at += piece) {
            size_t n = len - at < piece ? len - at : piece;
            char *copy = malloc(n);
            memcpy(copy, text + at, n);
            assert_int_equal(wedr_docs_feed(&d, copy, n), 0);
            free(copy);
        }
        assert_int_equal(wedr_docs_end(&d), 0);
        wedr_docs_fini(&d);
        assert_string_equal(s.text, want);
    }
}

static void lines_arrays_and_pretty_printed_documents_are_found(void **state)
{
    (void)state;
    expect("", "");
    expect("\xEF\xBB\xBF \r\n", "");
    expect("{\"a\":1}\n{\"b\":2}\n", "0@1 {\"a\":1}|1@2 {\"b\":2}|");
    expect("{\"a\":1}{\"b\":2}", "0@1 {\"a\":1}|1@1 {\"b\":2}|");
    expect("[{\"a\":1},\n {\"b\":[{},[1,{}]]}]", "0@1 {\"a\":1}|1@2 {\"b\":[{},[1,{}]]}|");
    expect("[{}]\n[{}]\n{}", "0@1 {}|1@2 {}|2@3 {}|");
    expect("{\n \"a\": {\n  \"b\": 1\n }\n}\n\n{\n}",
           "0@1 {\n \"a\": {\n  \"b\": 1\n }\n}|1@7 {\n}|");
}

static void brackets_and_quotes_in_strings_are_text(void **state)
{
    (void)state;
    expect("{\"a\":\"}{][\"}{}", "0@1 {\"a\":\"}{][\"}|1@1 {}|");
    expect("{\"a\":\"\\\"}\\\\\"}{}", "0@1 {\"a\":\"\\\"}\\\\\"}|1@1 {}|");
    expect("{\"a\":\"\\ \"}{}", "0@1 {\"a\":\"\\ \"}|1@1 {}|");
}

static void broken_documents_cost_only_themselves(void **state)
{
    (void)state;
    expect("{}\nno json\n{}", "0@1 {}|1@2 !no JSON object|2@3 {}|");
    expect("{\"a\":\"open\n{\"b\":1}\n", "0@1 !a line ends inside a string|1@2 {\"b\":1}|");
    expect("{\"a\":1\n{\"b\":1}\n", "0@1 !cut off|1@2 {\"b\":1}|");
    expect("{\"a\":1,\n{\"b\":1}\n", "0@1 !cut off|1@2 {\"b\":1}|");
    expect("{\"a\":1 {\"b\":1}\n{}", "0@1 !cut off|1@2 {}|");
    expect("{\"a\":{\"b\":", "0@1 !the file ends inside it|");
    expect("[{\"a\":1},", "0@1 {\"a\":1}|1@1 !the file ends inside an array|");
    expect("[{\"a\":\"x\n},\n{},\n{}\n]\n{}",
           "0@1 !a line ends inside a string|1@3 {}|2@4 {}|3@6 {}|");
}

static void elements_that_are_no_objects_count_as_events(void **state)
{
    (void)state;
    expect("[1,{},\"x\",null]",
           "0@1 !no JSON object|1@1 {}|2@1 !no JSON object|3@1 !no JSON object|");
    expect("[]\n{}", "0@2 {}|");
}

static void depth_is_followed_beyond_what_is_remembered(void **state)
{
    char text[600];
    size_t n = 0;
    (void)state;
    for (int i = 0; i < 100; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s{", i > 0 ? "\"\":" : "");
    }
    memset(text + n, '}', 100);
    struct seen s = {.len = 0};
    struct wedr_docs d;
    wedr_docs_init(&d, note, &s);
    assert_int_equal(wedr_docs_feed(&d, text, n + 100), 0);
    assert_int_equal(wedr_docs_feed(&d, "{}", 2), 0);
    assert_int_equal(wedr_docs_end(&d), 0);
    wedr_docs_fini(&d);
    assert_non_null(strstr(s.text, "|1@1 {}|"));
}

static int note_len(void *ctx, const struct wedr_doc *doc)
{
    size_t *lens = ctx;
    assert_true(doc->index < 3);
    lens[doc->index] = doc->bad ? 0 : doc->len;
    return 0;
}

static void a_document_over_the_maximum_is_passed_over_and_nothing_behind_it(void **state)
{
    static char fill[4096];
    (void)state;
    memset(fill, 'x', sizeof(fill));
    size_t lens[3] = {0};
    struct wedr_docs d;
    wedr_docs_init(&d, note_len, lens);
    for (int round = 0; round < 2; round++) { /* the first fits, the second does not */
        size_t blocks = WEDR_DOCS_BYTES_MAX / sizeof(fill) - (round == 0 ? 1 : 0);
        assert_int_equal(wedr_docs_feed(&d, "{\"a\":\"", 6), 0);
        for (size_t i = 0; i < blocks; i++) {
            assert_int_equal(wedr_docs_feed(&d, fill, sizeof(fill)), 0);
            assert_true(d.held.cap <= WEDR_DOCS_BYTES_MAX + 1);
        }
        assert_int_equal(wedr_docs_feed(&d, "\"}\n", 3), 0);
    }
    assert_int_equal(wedr_docs_feed(&d, "{}", 2), 0);
    assert_int_equal(wedr_docs_end(&d), 0);
    wedr_docs_fini(&d);
    assert_int_equal(lens[0], WEDR_DOCS_BYTES_MAX - sizeof(fill) + 8);
    assert_int_equal(lens[1], 0);
    assert_int_equal(lens[2], 2);
}

static int stop(void *ctx, const struct wedr_doc *doc)
{
    (void)doc;
    ++*(int *)ctx;
    return 7;
}

static void the_caller_can_stop(void **state)
{
    int calls = 0;
    struct wedr_docs d;
    (void)state;
    wedr_docs_init(&d, stop, &calls);
    assert_int_equal(wedr_docs_feed(&d, "{}{}", 4), 7);
    wedr_docs_fini(&d);
    assert_int_equal(calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_arrays_and_pretty_printed_documents_are_found),
        cmocka_unit_test(brackets_and_quotes_in_strings_are_text),
        cmocka_unit_test(broken_documents_cost_only_themselves),
        cmocka_unit_test(elements_that_are_no_objects_count_as_events),
        cmocka_unit_test(depth_is_followed_beyond_what_is_remembered),
        cmocka_unit_test(a_document_over_the_maximum_is_passed_over_and_nothing_behind_it),
        cmocka_unit_test(the_caller_can_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
