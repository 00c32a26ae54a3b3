/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/err.h"
#include "encode/redact.h"
#include "wedr/wire/event.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NAMES "password, passwd,pass,pwd,secret,token,api-key,access-key"

/* Arguments with '|' between them. */
static const char *redacted(const char *args)
{
    static char out[8192];
    char list[4096];
    struct wedr_redact *r = NULL;
    struct wedr_span s;
    size_t n = strlen(args);
    assert_true(n < sizeof(list));
    for (size_t i = 0; i <= n; i++) {
        list[i] = args[i] == '|' ? '\0' : args[i];
    }
    assert_int_equal(wedr_redact_new(NAMES, &r), WEDR_OK);
    bool any = wedr_redact_args(r, wedr_span(list, n + 1), &s);
    assert_int_equal(wedr_redact_count(r), any ? 1 : 0);
    assert_true(!any || s.len < sizeof(out));
    for (size_t i = 0; any && i < s.len; i++) {
        out[i] = s.p[i] == 0 && i + 1 < s.len ? '|' : (char)s.p[i];
    }
    wedr_redact_free(r);
    return any ? out : args;
}

static void secrets_of_command_lines_are_taken_out(void **state)
{
    static const char *const rows[][2] = {
        {"app|--password=hunter2|x", "app|--password=***|x"},
        {"app|--password|hunter2|x", "app|--password|***|x"},
        {"app|-password|my secret|x", "app|-password|***|x"},
        {"app|--db-password=a b&c", "app|--db-password=***"},
        {"app|--DB_PASSWORD=a", "app|--DB_PASSWORD=***"},
        {"env|PGPASSWORD=x;y|psql", "env|PGPASSWORD=***;y|psql"},
        {"env|TOKEN=abc|x", "env|TOKEN=***|x"},
        {"sh|-c|PASS=a1 run --token b2 --x", "sh|-c|PASS=*** run --token *** --x"},
        {"sh|-c|x --password='a b' y", "sh|-c|x --password='***' y"},
        {"curl|https://u:pw@host/x", "curl|https://u:***@host/x"},
        {"git|clone|https://u:a@b@host", "git|clone|https://u:***@host"},
        {"curl|-H|Authorization: Bearer abc.def", "curl|-H|Authorization: ***"},
        {"curl|-H|X-Api-Key: abc", "curl|-H|X-Api-Key: ***"},
        {"curl|-d|{\"user\":\"u\",\"password\":\"p\"}",
         "curl|-d|{\"user\":\"u\",\"password\":\"***\"}"},
        {"curl|http://h/?a=1&token=abc&b=2", "curl|http://h/?a=1&token=***&b=2"},
        {"curl|-u|me:pw|h", "curl|-u|me:***|h"},
        {"curl|-ume:pw|h", "curl|-ume:***|h"},
        {"curl|--user=me:pw", "curl|--user=me:***"},
        {"/usr/bin/mysql|-uroot|-psecret|db", "/usr/bin/mysql|-uroot|-p***|db"},
        {"sshpass|-p|pw|ssh|h", "sshpass|-p|***|ssh|h"},
        {"smbclient|-U|dom/me%pw", "smbclient|-U|dom/me%***"},
        {"x|AKIAIOSFODNN7EXAMPLE", "x|***"},
        {"x|key=ghp_0123456789abcdefghij", "x|key=***"},
        {"aws|configure|aws_secret_access_key=abc/def+", "aws|configure|aws_secret_access_key=***"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(redacted(rows[i][0]), rows[i][1]);
    }
}

static void what_is_no_secret_stays(void **state)
{
    static const char *const rows[] = {
        "mkdir|-p|/a/b",          "ssh|-p|22|host",     "docker|run|-p|80:80", "mysql|-p|db",
        "app|--password-file=/x", "app|--password",     "app|--password|--x",  "tool|bypass=1",
        "compass=north",          "x|http://h:80/a@b",  "x|AKIASHORT",         "ls|-la",
        "app|--token=",           "grep|password|file", "curl|-u|me",          "x|a=b",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(redacted(rows[i]), rows[i]);
    }
}

static void more_secrets_than_there_is_room_for_take_the_rest_with_them(void **state)
{
    struct wedr_redact *r = NULL;
    struct wedr_span s;
    static char list[32768];
    size_t n = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        n += (size_t)snprintf(list + n, sizeof(list) - n, "--password=pw%d", i) + 1;
    }
    assert_int_equal(wedr_redact_new(NAMES, &r), WEDR_OK);
    assert_true(wedr_redact_args(r, wedr_span(list, n), &s));
    for (size_t i = 0; i + 2 < s.len; i++) {
        assert_true(memcmp(s.p + i, "pw", 2) != 0);
    }
    memset(list, '=', sizeof(list)); /* nothing but places to look at */
    assert_false(wedr_redact_args(r, wedr_span(list, WEDR_ARGV_COPY_MAX), &s));
    wedr_redact_free(r);
}

static void the_secrets_that_were_found_leave_other_texts(void **state)
{
    struct wedr_redact *r = NULL;
    struct wedr_span s;
    char text[] = "said hunter2 and hunter2, b";
    char other[] = "said hunter2";
    (void)state;
    assert_int_equal(wedr_redact_new(NAMES, &r), WEDR_OK);
    assert_true(wedr_redact_args(r, wedr_span("a\0--pass=hunter2\0--token\0b\0", 27), &s));
    size_t n = wedr_redact_text(r, text, strlen(text));
    text[n] = '\0';
    assert_string_equal(text, "said *** and ***, *");
    wedr_redact_forget(r);
    assert_int_equal(wedr_redact_text(r, other, strlen(other)), strlen(other));
    wedr_redact_free(r);
}

static void a_policy_that_does_not_fit_is_refused(void **state)
{
    struct wedr_redact *r = NULL;
    char many[1024] = "";
    (void)state;
    assert_int_equal(wedr_redact_new("a23456789012345678901234567890123", &r), WEDR_E_FORMAT);
    for (int i = 0; i < 65; i++) {
        size_t n = strlen(many);
        (void)snprintf(many + n, sizeof(many) - n, "n%d,", i);
    }
    assert_int_equal(wedr_redact_new(many, &r), WEDR_E_FORMAT);
    assert_null(r);
    assert_int_equal(wedr_redact_new("", &r), WEDR_OK);
    wedr_redact_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_of_command_lines_are_taken_out),
        cmocka_unit_test(what_is_no_secret_stays),
        cmocka_unit_test(more_secrets_than_there_is_room_for_take_the_rest_with_them),
        cmocka_unit_test(the_secrets_that_were_found_leave_other_texts),
        cmocka_unit_test(a_policy_that_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
