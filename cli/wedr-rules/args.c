/* SPDX-License-Identifier: Apache-2.0 */
#include "args.h"

#include "core/base/err.h"
#include "load.h"
#include "walk.h"
#include <stdlib.h>
#include <string.h>

enum kind { FLAG, TEXT, NUMBER, VALUES };

#define ALL_RULES                                                                    \
    (WEDR_RULES_VALIDATE | WEDR_RULES_SCAN | WEDR_RULES_EXPLAIN | WEDR_RULES_BENCH | \
     WEDR_RULES_TEST | WEDR_RULES_LIST | WEDR_RULES_CONVERT | WEDR_RULES_COMPILE)
#define CHOOSE \
    (WEDR_RULES_SCAN | WEDR_RULES_BENCH | WEDR_RULES_LIST | WEDR_RULES_CONVERT | WEDR_RULES_COMPILE)

static const struct option {
    const char *name;
    const char *value; /* its name in the help; NULL for a flag */
    enum kind kind;
    uint32_t commands;
    size_t offset; /* in struct wedr_rules_args */
    uint64_t max;  /* of a number */
    const char *help;
} options[] = {
    {"--json", NULL, FLAG,
     WEDR_RULES_VALIDATE | WEDR_RULES_SCAN | WEDR_RULES_EXPLAIN | WEDR_RULES_BENCH |
         WEDR_RULES_TEST | WEDR_RULES_LIST | WEDR_RULES_SCHEMA | WEDR_RULES_BUNDLE,
     offsetof(struct wedr_rules_args, json), 0, "JSON for programs instead of text"},
    {"--sarif", NULL, FLAG, WEDR_RULES_SCAN, offsetof(struct wedr_rules_args, sarif), 0,
     "SARIF 2.1.0 instead of text"},
    {"--timeline", NULL, FLAG, WEDR_RULES_SCAN, offsetof(struct wedr_rules_args, timeline), 0,
     "a line for each match, in the order of time"},
    {"--summary", NULL, FLAG, WEDR_RULES_SCAN, offsetof(struct wedr_rules_args, summary), 0,
     "counts alone: severities, hosts, rules, time covered"},
    {"--min-severity", "LEVEL", TEXT, CHOOSE, offsetof(struct wedr_rules_args, min_severity), 0,
     "only rules of this severity and above: informational, low, medium, high, critical"},
    {"--rule", "ID", VALUES, CHOOSE, offsetof(struct wedr_rules_args, rule), 0,
     "only rules with this id or title (can be repeated)"},
    {"--exclude", "ID", VALUES, CHOOSE, offsetof(struct wedr_rules_args, exclude), 0,
     "not the rules with this id or title (can be repeated)"},
    {"--tag", "TAG", VALUES, CHOOSE, offsetof(struct wedr_rules_args, tag), 0,
     "only rules with this tag or one below it: attack.t1059 (can be repeated)"},
    {"--field", "NAME", VALUES, WEDR_RULES_SCAN, offsetof(struct wedr_rules_args, field), 0,
     "show this field of the event too (can be repeated)"},
    {"--since", "TIME", TEXT, WEDR_RULES_SCAN, offsetof(struct wedr_rules_args, since), 0,
     "only events from this time on: 2026-01-31T08:00:00Z, without an offset UTC"},
    {"--until", "TIME", TEXT, WEDR_RULES_SCAN, offsetof(struct wedr_rules_args, until), 0,
     "only events before this time"},
    {"--pipeline", "FILE", VALUES, ALL_RULES, offsetof(struct wedr_rules_args, pipeline), 0,
     "a pipeline in front of the compiled-in ones (can be repeated)"},
    {"--threads", "N", NUMBER, WEDR_RULES_SCAN, offsetof(struct wedr_rules_args, threads),
     WEDR_RULES_THREADS_MAX, "how many threads match; default: one per processor"},
    {"--quiet", NULL, FLAG, WEDR_RULES_SCAN, offsetof(struct wedr_rules_args, quiet), 0,
     "no progress bar"},
    {"--color", NULL, FLAG, WEDR_RULES_SCAN | WEDR_RULES_LIST,
     offsetof(struct wedr_rules_args, color), 0, "colours even when it is no terminal"},
    {"--no-color", NULL, FLAG, WEDR_RULES_SCAN | WEDR_RULES_LIST,
     offsetof(struct wedr_rules_args, no_color), 0, "no colours; also with NO_COLOR set"},
    {"--output", "FILE", TEXT, ALL_RULES | (uint32_t)WEDR_RULES_SCHEMA,
     offsetof(struct wedr_rules_args, output), 0,
     "write there instead of standard output; convert: a file per rule in this folder; compile: "
     "the bundle"},
    {"--check", NULL, FLAG, WEDR_RULES_FMT, offsetof(struct wedr_rules_args, check), 0,
     "change nothing, name files that are not in form (exit code 1)"},
    {"--write", NULL, FLAG, WEDR_RULES_FMT, offsetof(struct wedr_rules_args, write), 0,
     "write the files in place"},
    {"--key", "FILE", TEXT, WEDR_RULES_COMPILE | WEDR_RULES_BUNDLE,
     offsetof(struct wedr_rules_args, key), 0,
     "compile: secret key to sign with; bundle verify: public key"},
    {"--new-key", NULL, FLAG, WEDR_RULES_COMPILE, offsetof(struct wedr_rules_args, new_key), 0,
     "make a key: secret into the file of --key, public beside it in FILE.pub"},
    {"--profile", "NAME", TEXT, WEDR_RULES_COMPILE, offsetof(struct wedr_rules_args, profile), 0,
     "name of the profile in the bundle; default: default"},
    {"--serial", "N", NUMBER, WEDR_RULES_COMPILE, offsetof(struct wedr_rules_args, serial),
     INT64_MAX, "serial of the bundle; default: the time in microseconds"},
    {"--system", "NAME", TEXT, WEDR_RULES_COMPILE, offsetof(struct wedr_rules_args, system), 0,
     "only rules that linux, or windows, agents can use"},
    {"--allow-kill", NULL, FLAG, WEDR_RULES_COMPILE, offsetof(struct wedr_rules_args, allow_kill),
     0, "agents may kill processes when a rule says so"},
    {"--server", NULL, FLAG, WEDR_RULES_COMPILE, offsetof(struct wedr_rules_args, server), 0,
     "every rule, also those that only the server counts"},
};

/* Short forms of the most used ones. */
static const struct {
    const char *name, *stands_for;
} shorts[] = {{"-j", "--json"},  {"-o", "--output"},  {"-q", "--quiet"},
              {"-w", "--write"}, {"-t", "--threads"}, {"-f", "--field"}};

static int set_value(struct wedr_rules_args *a,
                     const struct option *o,
                     const char *value,
                     struct wedr_errinfo *ei)
{
    void *at = (char *)a + o->offset;
    if (o->kind == TEXT) {
        *(const char **)at = value;
        return WEDR_OK;
    }
    if (o->kind == VALUES) {
        struct wedr_rules_values *list = at;
        if (list->count == WEDR_RULES_LIST_MAX) {
            return wedr_fail(ei, WEDR_E_INVAL, "%s at most %u times", o->name, WEDR_RULES_LIST_MAX);
        }
        list->v[list->count++] = value;
        return WEDR_OK;
    }
    uint64_t v = 0;
    for (const char *c = value; *c; c++) {
        if (*c < '0' || *c > '9' || v > o->max) {
            v = o->max + 1;
            break;
        }
        v = v * 10 + (uint64_t)(*c - '0');
    }
    if (v == 0 || v > o->max) {
        return wedr_fail(ei, WEDR_E_INVAL, "%s wants a number from 1 to %llu, not %.64s", o->name,
                         (unsigned long long)o->max, value);
    }
    *(uint64_t *)at = v;
    return WEDR_OK;
}

/* argv[*i] begins with "-"; *i is moved on to its value. */
static int set_option(const struct wedr_rules_command *command,
                      struct wedr_rules_args *a,
                      char *const *argv,
                      size_t count,
                      size_t *i,
                      struct wedr_errinfo *ei)
{
    const char *name = argv[*i];
    const char *equals = strchr(name, '=');
    for (size_t k = 0; k < WEDR_ARRAY_COUNT(shorts); k++) {
        if (strcmp(name, shorts[k].name) == 0) {
            name = shorts[k].stands_for;
        }
    }
    size_t len = equals && name == argv[*i] ? (size_t)(equals - name) : strlen(name);
    for (size_t k = 0; k < WEDR_ARRAY_COUNT(options); k++) {
        const struct option *o = &options[k];
        if (strlen(o->name) != len || memcmp(o->name, name, len) != 0 ||
            (o->commands & command->bit) == 0) {
            continue;
        }
        if (o->kind == FLAG) {
            *(bool *)((char *)a + o->offset) = true;
            return name[len] ? wedr_fail(ei, WEDR_E_INVAL, "%s takes no value", o->name) : WEDR_OK;
        }
        if (name[len]) {
            return set_value(a, o, name + len + 1, ei);
        }
        if (*i + 1 == count || strcmp(argv[*i + 1], "--") == 0) {
            return wedr_fail(ei, WEDR_E_INVAL, "%s needs a value: %s", o->name, o->value);
        }
        return set_value(a, o, argv[++*i], ei);
    }
    return wedr_fail(ei, WEDR_E_INVAL, "%s has no option %.64s", command->name, argv[*i]);
}

static bool is_rules(const char *path)
{
    return path[0] == '@' || wedr_walk_has_ending(path, wedr_load_endings) ||
           wedr_walk_is_folder(path);
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
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            int r = set_option(command, &a, argv, count, &i, ei);
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
    if (a.rule_count < command->rules_min && !a.new_key) {
        return wedr_fail(ei, WEDR_E_INVAL, "%s needs %s", command->name,
                         command->bit == WEDR_RULES_BUNDLE ? "show or verify, and a file"
                                                           : "rules");
    }
    if (a.more_count < command->more_min || a.more_count > command->more_max) {
        return wedr_fail(ei, WEDR_E_INVAL, "usage: wedr-rules %s %s", command->name,
                         command->usage);
    }
    *ret_args = a;
    return WEDR_OK;
}

static void help_option(FILE *out, const struct option *o)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%s%s%s", o->name, o->value ? " " : "",
                   o->value ? o->value : "");
    (void)fprintf(out, "  %-22s %s", name, o->help);
    for (size_t k = 0; k < WEDR_ARRAY_COUNT(shorts); k++) {
        if (strcmp(shorts[k].stands_for, o->name) == 0) {
            (void)fprintf(out, " (%s)", shorts[k].name);
        }
    }
    (void)fputs("\n", out);
}

void wedr_rules_help(FILE *out, const struct wedr_rules_command *commands, size_t count)
{
    uint32_t bits = 0;
    if (count != 1) {
        (void)fputs("wedr-rules: detection rules (Sigma, Waza, lists of indicators) on event "
                    "files, without a server or\nan agent.\n\n",
                    out);
    }
    for (size_t i = 0; i < count; i++) {
        bits |= commands[i].bit;
        (void)fprintf(out, "wedr-rules %s %s\n%s", commands[i].name, commands[i].usage,
                      commands[i].help);
    }
    if (count != 1) {
        (void)fputs("wedr-rules help | COMMAND --help | --version\n", out);
    }
    (void)fputs("\nOptions, in front of \"--\":\n", out);
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(options); i++) {
        if ((options[i].commands & bits) != 0) {
            help_option(out, &options[i]);
        }
    }
    (void)fputs(
        "\n"
        "RULES: files that end in .yml or .yaml (Sigma), .waza, .ioc (indicators), folders of "
        "them, or @pack:\n"
        "    the rules that come with this program (@pack/linux: those of one folder).\n"
        "EVENTS: .json, .ndjson, .jsonl and .log files, also packed (.gz, .zst), folders of them, "
        "or - for\n"
        "    standard input: one JSON event a line, an array, documents one after another, or a "
        "log of the\n"
        "    Linux audit daemon. Files of any size are read piece by piece; one event has at most "
        "1 MiB, a\n"
        "    larger one is passed over and reported. The form of each event (our own, Windows and "
        "Sysmon,\n"
        "    ECS, auditd, journald) is found by itself.\n"
        "In folders, names that begin with a dot are left out and links are not followed.\n"
        "Exit code: 0 done, 1 something did not compile, could not be read or failed, 2 wrong "
        "usage.\n",
        out);
}
