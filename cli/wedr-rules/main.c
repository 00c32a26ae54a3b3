/* SPDX-License-Identifier: Apache-2.0
 * wedr-rules — checks rules and runs them over event files. */
#include "commands.h"
#include "common/show.h"
#include "core/base/err.h"
#include <string.h>

static const struct wedr_rules_command commands[] = {
    {"validate", WEDR_RULES_VALIDATE, "[OPTION]... RULES...",
     "    Compile rules and say which do not compile, with file, line and reason.\n", 1, 0, 0,
     false, wedr_rules_validate},
    {"list", WEDR_RULES_LIST, "[OPTION]... RULES...",
     "    Name the rules: severity, language, id, title, tags, file.\n", 1, 0, 0, false,
     wedr_rules_list},
    {"scan", WEDR_RULES_SCAN, "[OPTION]... RULES... [--] EVENTS...",
     "    Match rules against events. Text: the rules that matched, the severest first, with their "
     "first matches.\n"
     "    JSON: one object a line for each match, event_index from 0. Without \"--\": rules are "
     "folders, @pack\n"
     "    and rule files up to the first other path; of folders alone, the last has the events. "
     "Correlations\n"
     "    are counted over the events of all files in the order of time, whatever the order of the "
     "files.\n",
     1, 1, SIZE_MAX, true, wedr_rules_scan},
    {"explain", WEDR_RULES_EXPLAIN, "[OPTION]... RULES... -- RULE FILE[:INDEX]",
     "    Say of each predicate of a rule (its id or title) whether it holds for an event of FILE, "
     "the first\n    without INDEX. Of a correlation: for each rule that it counts.\n",
     1, 2, 2, false, wedr_rules_explain},
    {"test", WEDR_RULES_TEST, "[OPTION]... RULES...",
     "    Run the test cases beside the rules (NAME.test.yml, also Sigma's info.yml) and in the "
     "folders; docs/rule-tests.md.\n",
     1, 0, 0, false, wedr_rules_test},
    {"convert", WEDR_RULES_CONVERT, "[OPTION]... RULES...",
     "    Write rules of any language as Waza, to standard output or a file for each into the "
     "folder of --output.\n",
     1, 0, 0, false, wedr_rules_convert},
    {"fmt", WEDR_RULES_FMT, "[--check | --write] FILE.waza...",
     "    Lay Waza files out in the one canonical way: to standard output, or in place.\n", 1, 0, 0,
     false, wedr_rules_fmt},
    {"schema", WEDR_RULES_SCHEMA, "[OPTION]...",
     "    Name what rules can ask for: event types and fields of our own events, and the fields of "
     "each log source.\n",
     0, 0, 0, false, wedr_rules_schema},
    {"compile", WEDR_RULES_COMPILE, "--key FILE [--new-key] [OPTION]... RULES... --output FILE",
     "    Compile rules into a signed bundle for agents. --new-key makes the key first, or "
     "alone.\n",
     1, 0, 0, false, wedr_rules_compile},
    {"bundle", WEDR_RULES_BUNDLE, "show|verify [OPTION]... FILE",
     "    Say what a bundle holds, and whether the key of --key signed it (verify needs one).\n", 1,
     0, 0, false, wedr_rules_bundle},
    {"bench", WEDR_RULES_BENCH, "[OPTION]... RULES... [--] EVENTS...",
     "    Read and match the events again and again for two seconds of a core. rss_bytes is "
     "without the text\n    of the events, of which up to 256 MiB and 2^20 events are held.\n",
     1, 1, SIZE_MAX, true, wedr_rules_bench},
};

static int usage(const char *reason)
{
    wedr_show_problem("wedr-rules", 0, reason);
    (void)fputs("wedr-rules --help says more\n", stderr);
    return WEDR_EXIT_USAGE;
}

/* Standard output becomes the file of --output, for the commands that have no other use for it. */
static bool redirect(const struct wedr_rules_command *command, const struct wedr_rules_args *args)
{
    const uint32_t own = WEDR_RULES_COMPILE | WEDR_RULES_CONVERT;
    if (!args->output || (command->bit & own) != 0) {
        return true;
    }
    return freopen(args->output, "wb", stdout) != NULL;
}

static int run(const struct wedr_rules_command *command, int argc, char **argv)
{
    struct wedr_rules_args args;
    struct wedr_errinfo ei = {""};
    if (wedr_rules_args_parse(command, argc, argv, &args, &ei) != WEDR_OK) {
        return usage(ei.text);
    }
    if (!redirect(command, &args)) {
        wedr_show_problem(args.output, 0, "cannot be written");
        return WEDR_EXIT_FAILED;
    }
    return command->run(&args);
}

int main(int argc, char **argv)
{
    const struct wedr_rules_command *command = NULL;
    int code = WEDR_EXIT_DONE;
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(commands); i++) {
        command = strcmp(name, commands[i].name) == 0 ? &commands[i] : command;
    }
    bool help = false;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        help = help || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
    }
    if (help && command) {
        wedr_rules_help(stdout, command, 1);
    } else if (help || strcmp(name, "help") == 0) {
        wedr_rules_help(stdout, commands, WEDR_ARRAY_COUNT(commands));
    } else if (strcmp(name, "--version") == 0) {
        (void)puts("wedr-rules " WEDR_RULES_VERSION);
    } else if (!command) {
        return usage(name[0] ? "unknown command" : "a command is needed");
    } else {
        code = run(command, argc - 2, argv + 2);
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        wedr_show_problem("standard output", 0, "cannot be written");
        return WEDR_EXIT_FAILED;
    }
    return code;
}
