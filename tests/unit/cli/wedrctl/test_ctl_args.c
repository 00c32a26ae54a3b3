/* SPDX-License-Identifier: Apache-2.0 */
#include "args.h"
#include "core/base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1790000000000000 /* 2026-09-21T14:13:20Z */

static struct wedr_ctl_args args;
static struct wedr_errinfo ei;

/* The words of line, at blanks; the first ones choose the command. */
static int parse(const char *line)
{
    static char text[512];
    static char *argv[64];
    int argc = 0, used = 0;
    (void)snprintf(text, sizeof(text), "%s", line);
    for (char *p = text; *p && argc < 64;) {
        argv[argc++] = p;
        p += strcspn(p, " ");
        if (*p) {
            *p++ = '\0';
        }
    }
    const struct wedr_ctl_command *k = wedr_ctl_command_find(argc, argv, &used);
    ei.text[0] = '\0';
    return k ? wedr_ctl_args_parse(k, argc - used, argv + used, NOW, &args, &ei) : WEDR_E_NOENT;
}

static void a_name_alone_is_its_list(void **state)
{
    (void)state;
    assert_int_equal(parse("alerts"), 0);
    assert_string_equal(args.command->name, "alerts list");
    assert_int_equal(parse("alerts --json"), 0);
    assert_string_equal(args.command->name, "alerts list");
    assert_int_equal(parse("alerts show 7"), 0);
    assert_string_equal(args.command->name, "alerts show");
    assert_string_equal(args.words[0], "7");
    assert_int_equal(parse("alerts frobnicate"), WEDR_E_NOENT);
    assert_int_equal(parse("list"), WEDR_E_NOENT);
    assert_int_equal(parse("status"), 0);
}

static void options_stand_anywhere_and_values_in_two_forms(void **state)
{
    (void)state;
    assert_int_equal(parse("alerts set --state closed 7 --resolution=benign 8 -- --9"), 0);
    assert_int_equal(args.word_count, 3);
    assert_string_equal(args.words[0], "7");
    assert_string_equal(args.words[1], "8");
    assert_string_equal(args.words[2], "--9");
    assert_string_equal(args.text[WEDR_CTL_STATE], "closed");
    assert_string_equal(args.text[WEDR_CTL_RESOLUTION], "benign");
    assert_int_equal(parse("alerts list --assignee="), 0); /* nobody's */
    assert_string_equal(args.text[WEDR_CTL_ASSIGNEE], "");
    assert_int_equal(parse("events --where a=1 --where b.not=x=y"), 0);
    assert_int_equal(args.where.count, 2);
    assert_string_equal(args.where.v[1], "b.not=x=y");
}

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *line, *says;
    } cases[] = {
        {"events --limit 0", "--limit wants a number from 1 to 1000000000, not 0"},
        {"events --limit 18446744073709551617", "--limit wants"},
        {"events --limit", "--limit needs a value: N"},
        {"events --limit 5x", "--limit wants"},
        {"events --json=1", "--json takes no value"},
        {"events --role admin", "events has no option --role"},
        {"events -x", "events has no option -x"},
        {"events one", "usage: wedrctl events"},
        {"alerts comment 7", "usage: wedrctl alerts comment"},
        {"events --since yesterday", "is no time"},
        {"events --since 0m", "is no time"},
        {"events --since -5m", "is no time"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(parse(cases[i].line), WEDR_E_INVAL);
        if (!strstr(ei.text, cases[i].says)) {
            fail_msg("%s: %s", cases[i].line, ei.text);
        }
    }
}

static void times_become_utc(void **state)
{
    static const struct {
        const char *since, *want;
    } cases[] = {{"90s", "2026-09-21T14:11:50.000000Z"},
                 {"15m", "2026-09-21T13:58:20.000000Z"},
                 {"2h", "2026-09-21T12:13:20.000000Z"},
                 {"7d", "2026-09-14T14:13:20.000000Z"},
                 {"99999999d", "1970-01-01T00:00:00.000000Z"},
                 {"2026-01-31T08:00:00Z", "2026-01-31T08:00:00.000000Z"},
                 {"2026-01-31T08:00:00.25+02:00", "2026-01-31T06:00:00.250000Z"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[128];
        (void)snprintf(line, sizeof(line), "events --until 1s --since %s", cases[i].since);
        assert_int_equal(parse(line), 0);
        assert_string_equal(args.since, cases[i].want);
        assert_string_equal(args.until, "2026-09-21T14:13:19.000000Z");
    }
}

static void an_option_is_there_at_most_so_often(void **state)
{
    char line[512] = "events";
    (void)state;
    for (unsigned i = 0; i < WEDR_CTL_VALUES_MAX; i++) {
        strcat(line, " --field=a");
    }
    assert_int_equal(parse(line), 0);
    assert_int_equal(args.field.count, WEDR_CTL_VALUES_MAX);
    strcat(line, " --field=a");
    assert_int_equal(parse(line), WEDR_E_INVAL);
}

/* Every option belongs to a command, every command has a help that is a sentence, and its words
 * agree with how many it takes. */
static void the_tables_are_sound(void **state)
{
    uint64_t used = 0;
    (void)state;
    for (size_t i = 0; i < wedr_ctl_command_count; i++) {
        const struct wedr_ctl_command *k = &wedr_ctl_commands[i];
        used |= k->options;
        assert_non_null(k->run);
        assert_true(k->min <= k->max && k->max <= WEDR_CTL_WORDS_MAX);
        assert_int_equal(k->max == 0, k->words[0] == '\0');
        assert_int_equal(k->min == 0 && k->max > 0, k->words[0] == '[');
        for (size_t n = 0; n < i; n++) {
            assert_string_not_equal(k->name, wedr_ctl_commands[n].name);
        }
    }
    assert_int_equal(used, (UINT64_C(1) << WEDR_CTL_OPTIONS) - 1);
    for (unsigned o = 0; o < WEDR_CTL_OPTIONS; o++) {
        const struct wedr_ctl_option_info *a = wedr_ctl_option_info((enum wedr_ctl_option)o);
        for (unsigned n = 0; n < o; n++) {
            assert_string_not_equal(a->name, wedr_ctl_option_info((enum wedr_ctl_option)n)->name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_alone_is_its_list),
        cmocka_unit_test(options_stand_anywhere_and_values_in_two_forms),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(times_become_utc),
        cmocka_unit_test(an_option_is_there_at_most_so_often),
        cmocka_unit_test(the_tables_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
