/* SPDX-License-Identifier: Apache-2.0 */
#include "args.h"

#include "core/base/err.h"
#include "load.h"
#include "walk.h"
#include <string.h>

static const struct option {
    const char *name;
    size_t offset; /* of a bool in struct wedr_rules_args */
    const char *help;
} options[] = {
    {"--json", offsetof(struct wedr_rules_args, json), "JSON for programs instead of text"},
};

static int set_option(struct wedr_rules_args *a, const char *name, struct wedr_errinfo *ei)
{
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(options); i++) {
        if (strcmp(name, options[i].name) == 0) {
            *(bool *)((char *)a + options[i].offset) = true;
            return WEDR_OK;
        }
    }
    return wedr_fail(ei, WEDR_E_INVAL, "unknown option %.64s", name);
}

static bool is_rules(const char *path)
{
    return wedr_walk_has_ending(path, wedr_load_endings) || wedr_walk_is_folder(path);
}

/* Where the events begin among paths without "--". */
static size_t split(char *const *paths, size_t count)
{
    size_t i = 0;
    while (i < count && is_rules(paths[i])) {
        i++;
    }
    return i == count && count > 1 && wedr_walk_is_folder(paths[count - 1]) ? count - 1 : i;
}

int wedr_rules_args_parse(const struct wedr_rules_command *command,
                          int argc,
                          char **argv,
                          struct wedr_rules_args *ret_args,
                          struct wedr_errinfo *ei)
{
    struct wedr_rules_args a = {.rules = argv};
    size_t count = (size_t)argc;
    size_t i = 0;
    size_t paths = 0;
    for (; i < count && strcmp(argv[i], "--") != 0; i++) {
        if (argv[i][0] == '-') {
            int r = set_option(&a, argv[i], ei);
            if (r != WEDR_OK) {
                return r;
            }
        } else {
            argv[paths++] = argv[i];
        }
    }
    a.rule_count = paths;
    if (i < count) {
        a.more = argv + i + 1;
        a.more_count = count - i - 1;
    } else if (command->splits) {
        a.rule_count = split(argv, paths);
        a.more = argv + a.rule_count;
        a.more_count = paths - a.rule_count;
    }
    if (a.rule_count == 0) {
        return wedr_fail(ei, WEDR_E_INVAL, "%s needs rules", command->name);
    }
    if (a.more_count < command->more_min || a.more_count > command->more_max) {
        return wedr_fail(ei, WEDR_E_INVAL, "usage: wedr-rules %s %s", command->name,
                         command->usage);
    }
    *ret_args = a;
    return WEDR_OK;
}

void wedr_rules_help(FILE *out, const struct wedr_rules_command *commands, size_t count)
{
    (void)fputs("wedr-rules: Sigma rules on event files, without a server or an agent.\n\n", out);
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(out, "wedr-rules %s %s\n%s", commands[i].name, commands[i].usage,
                      commands[i].help);
    }
    (void)fputs("wedr-rules help | --help | --version\n\nOptions, in front of \"--\":\n", out);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(options); i++) {
        (void)fprintf(out, "  %-10s %s\n", options[i].name, options[i].help);
    }
    (void)fputs(
        "\n"
        "RULES: .yml and .yaml files of at most 8 MiB, or folders of them.\n"
        "EVENTS: .json, .ndjson and .jsonl files, or folders of them: one JSON event a line, an "
        "array,\n"
        "    or documents one after another. Files of any size are read piece by piece; one event "
        "has at\n"
        "    most 1 MiB, a larger one is passed over and reported. The form of each event (our "
        "own, "
        "Windows\n"
        "    and Sysmon, ECS, auditd, journald) is found by itself.\n"
        "In folders, names that begin with a dot are left out and links are not followed.\n"
        "Exit code: 0 done, 1 something did not compile or could not be read, 2 wrong usage.\n",
        out);
}
