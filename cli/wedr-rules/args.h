/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/args.h — the command line: `COMMAND [--option]... RULES... [-- MORE...]`. */
#pragma once

#include "core/util/errinfo.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define WEDR_EXIT_DONE 0
#define WEDR_EXIT_FAILED 1 /* something did not compile or could not be read */
#define WEDR_EXIT_USAGE 2

struct wedr_rules_args {
    bool json;
    char *const *rules; /* argv's, as everything here */
    size_t rule_count;
    char *const *more; /* behind "--": events, or a rule and an event */
    size_t more_count;
};

struct wedr_rules_command {
    const char *name;
    const char *usage;         /* what stands behind the name */
    const char *help;          /* lines, indented */
    size_t more_min, more_max; /* paths behind "--" */
    bool splits;               /* "--" may be left out: see wedr_rules_args_parse */
    int (*run)(const struct wedr_rules_args *args); /* exit code */
};

/* argv[0] is the first argument behind the command's name; arguments are moved around in argv.
 * Options stand anywhere in front of "--". Without "--" a command that `splits` takes for rules
 * what ends in .yml or .yaml and folders, up to the first that is neither; of folders and rule
 * files alone the last folder, when it stands last, is the events. WEDR_E_INVAL: wrong usage. */
WEDR_MUST_USE int wedr_rules_args_parse(const struct wedr_rules_command *command,
                                        int argc,
                                        char **argv,
                                        struct wedr_rules_args *ret_args,
                                        struct wedr_errinfo *ei);
void wedr_rules_help(FILE *out, const struct wedr_rules_command *commands, size_t count);
