/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/err.h"
#include "main/args.h"
#include <string.h>

#define NOW 1800000000000000LL

static struct wedr_server_args a;

static int parse(char *line)
{
    char *argv[32] = {"wedr-server"};
    int argc = 1;
    char *save = NULL;
    for (char *w = strtok_r(line, " ", &save); w && argc < 32; w = strtok_r(NULL, " ", &save)) {
        argv[argc++] = w;
    }
    return wedr_server_args_parse(argc, argv, NOW, &a, NULL);
}

#define PARSE(text) ((void)strcpy(line, text), parse(line))

static void every_command_takes_its_own_words_and_options(void **state)
{
    (void)state;
    char line[512];
    assert_int_equal(PARSE("rules import a.yml dir --author me --data /d"), WEDR_OK);
    assert_int_equal(a.command, WEDR_CMD_RULES_ADD);
    assert_int_equal(a.word_count, 2);
    assert_string_equal(a.words[1], "dir");
    assert_string_equal(a.author, "me");
    assert_string_equal(a.data, "/d");
    assert_int_equal(PARSE("rules show x --version 3"), WEDR_OK);
    assert_int_equal(a.version, 3);
    assert_int_equal(PARSE("profile set web kill=yes tags=a"), WEDR_OK);
    assert_int_equal(a.word_count, 3);
    assert_int_equal(PARSE("hunt a.yml --from 2h --to 2027-01-15 --limit 5 --json"), WEDR_OK);
    assert_true(a.from_us == NOW - 7200LL * 1000000 && a.to_us == 1799971200000000LL);
    assert_true(a.json && a.limit == 5);
    assert_int_equal(PARSE("token create --uses 5 --ttl 2h"), WEDR_OK);
    assert_true(a.uses == 5 && a.ttl_s == 7200);
    assert_int_equal(PARSE("--version"), WEDR_OK);
    assert_int_equal(a.command, WEDR_CMD_VERSION);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"rules",
                                      "rules dance",
                                      "dance",
                                      "rules add",
                                      "rules show",
                                      "rules show a b",
                                      "rules list --author me",
                                      "rules show a --version 0",
                                      "serve --json",
                                      "serve extra",
                                      "alerts --since soon",
                                      "alerts --since",
                                      "hunt a --from 2027-13-01",
                                      "hunt a --limit x",
                                      "sql",
                                      "profile assign a",
                                      "token create --ttl 367d"};
    char line[512];
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        if (PARSE(bad[i]) != WEDR_E_INVAL) {
            fail_msg("%s", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_takes_its_own_words_and_options),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
