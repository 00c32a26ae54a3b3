/* SPDX-License-Identifier: Apache-2.0
 * cli/wedr-rules/args.h — the command line: `COMMAND [--option]... RULES... [-- MORE...]`. One
 * table of options is behind the parser, the help and docs/wedr-rules.md. */
#pragma once

#include "core/util/errinfo.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define WEDR_EXIT_DONE 0
#define WEDR_EXIT_FAILED 1 /* something did not compile or could not be read, a test failed */
#define WEDR_EXIT_USAGE 2

#define WEDR_RULES_LIST_MAX 64u /* values of an option that can be given several times */
#define WEDR_RULES_THREADS_MAX 64u

/* Commands that an option belongs to. */
enum wedr_rules_command_bit {
    WEDR_RULES_VALIDATE = 1u << 0,
    WEDR_RULES_SCAN = 1u << 1,
    WEDR_RULES_EXPLAIN = 1u << 2,
    WEDR_RULES_BENCH = 1u << 3,
    WEDR_RULES_TEST = 1u << 4,
    WEDR_RULES_LIST = 1u << 5,
    WEDR_RULES_SCHEMA = 1u << 6,
    WEDR_RULES_CONVERT = 1u << 7,
    WEDR_RULES_FMT = 1u << 8,
    WEDR_RULES_COMPILE = 1u << 9,
    WEDR_RULES_BUNDLE = 1u << 10
};

struct wedr_rules_values {
    const char *v[WEDR_RULES_LIST_MAX];
    size_t count;
};

struct wedr_rules_args {
    bool json, sarif, summary, timeline, quiet, color, no_color, check, write, new_key, allow_kill,
        server;
    const char *min_severity, *since, *until, *output, *key, *profile, *system;
    uint64_t threads; /* 0: as many as the machine has processors */
    uint64_t serial;  /* 0: the time */
    struct wedr_rules_values rule, exclude, tag, field, pipeline;
    char *const *rules; /* argv's, as every text here */
    size_t rule_count;
    char *const *more; /* behind "--": events, or a rule and an event */
    size_t more_count;
};

struct wedr_rules_command {
    const char *name;
    uint32_t bit;              /* enum wedr_rules_command_bit */
    const char *usage;         /* what stands behind the name and the options */
    const char *help;          /* lines, indented */
    size_t rules_min;          /* paths in front of "--" */
    size_t more_min, more_max; /* paths behind it */
    bool splits;               /* "--" may be left out: see wedr_rules_args_parse */
    int (*run)(const struct wedr_rules_args *args); /* exit code */
};

/* argv[0] is the first argument behind the command's name; arguments are moved around in argv.
 * Options stand anywhere in front of "--", a value as "--name VALUE" or "--name=VALUE". Without
 * "--" a command that `splits` takes for rules what ends like a rule file, begins with @, and
 * folders, up to the first that is neither; of folders and rule files alone the last folder, when
 * it stands last, is the events. WEDR_E_INVAL: wrong usage. */
WEDR_MUST_USE int wedr_rules_args_parse(const struct wedr_rules_command *command,
                                        int argc,
                                        char **argv,
                                        struct wedr_rules_args *ret_args,
                                        struct wedr_errinfo *ei);
/* Of one command, or of all of them when count is not 1. */
void wedr_rules_help(FILE *out, const struct wedr_rules_command *commands, size_t count);
