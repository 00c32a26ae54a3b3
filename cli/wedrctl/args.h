/* SPDX-License-Identifier: Apache-2.0
 * cli/wedrctl/args.h — the command line: `COMMAND [SUBCOMMAND] [--option]... WORD...`. The table of
 * options (options.def) and that of commands (commands.c) are behind the parser, --help, the manual
 * page and the completion. One thread. */
#pragma once

#include "core/util/buf.h"
#include "core/util/errinfo.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEDR_CTL_DONE 0
#define WEDR_CTL_FAILED 1
#define WEDR_CTL_USAGE 2
#define WEDR_CTL_SIGNED_OUT 3 /* nobody is signed in, or the token is no longer good */
#define WEDR_CTL_REFUSED 4    /* role or scope do not allow it */

#define WEDR_CTL_VALUES_MAX 32u /* of an option that can be repeated */
#define WEDR_CTL_WORDS_MAX 500u
#define WEDR_CTL_TIME_LEN 28u /* "2026-11-26T20:00:00.000000Z" with NUL */

enum wedr_ctl_option {
#define O(id, name, value, kind, max, choices, help) WEDR_CTL_##id,
#include "options.def"
#undef O
    WEDR_CTL_OPTIONS
};

struct wedr_ctl_values {
    const char *v[WEDR_CTL_VALUES_MAX];
    size_t count;
};

struct wedr_ctl_command;

/* Texts are argv's. */
struct wedr_ctl_args {
    const struct wedr_ctl_command *command;
    const char *text[WEDR_CTL_OPTIONS]; /* NULL: not given; a flag that was given: "" */
    uint64_t number[WEDR_CTL_OPTIONS];  /* 0: not given */
    struct wedr_ctl_values where, field;
    char since[WEDR_CTL_TIME_LEN], until[WEDR_CTL_TIME_LEN]; /* RFC 3339; "" when not given */
    char *const *words;
    size_t word_count;
};

struct wedr_ctl;

struct wedr_ctl_command {
    const char *name;               /* "status", "alerts show" */
    const char *words;              /* what stands behind the options */
    size_t min, max;                /* how many words */
    uint64_t options;               /* bits: enum wedr_ctl_option */
    const char *help;               /* a sentence or more */
    int (*run)(struct wedr_ctl *c); /* exit code */
};

/* commands.c */
extern const struct wedr_ctl_command wedr_ctl_commands[];
extern const size_t wedr_ctl_command_count;

/* The command that argv (behind the program's name) begins with: of one word, of two, or
 * "NAME list" for NAME alone; *ret_words says how many of argv are its name. NULL: none. */
const struct wedr_ctl_command *wedr_ctl_command_find(int argc, char **argv, int *ret_words);
/* argv[0] is the first behind the command's name; words are moved to the front of argv. Options
 * stand anywhere, a value as "--name VALUE" or "--name=VALUE"; behind "--" all is words. now_us:
 * what relative times count from. WEDR_E_INVAL: wrong usage. */
WEDR_MUST_USE int wedr_ctl_args_parse(const struct wedr_ctl_command *command,
                                      int argc,
                                      char **argv,
                                      int64_t now_us,
                                      struct wedr_ctl_args *ret_args,
                                      struct wedr_errinfo *ei);
static inline bool wedr_ctl_has(const struct wedr_ctl_args *a, enum wedr_ctl_option o)
{
    return a->text[o] != NULL;
}

/* --- What is made of the tables. --- */

/* --help of one command, or of all of them for NULL. */
void wedr_ctl_help(struct wedr_buf *out, const struct wedr_ctl_command *command);
/* The manual page, in mdoc. */
void wedr_ctl_mdoc(struct wedr_buf *out);
/* The completion for a shell; false: no such shell. */
bool wedr_ctl_completion(struct wedr_buf *out, const char *shell);

struct wedr_ctl_option_info {
    const char *name;    /* without dashes */
    const char *value;   /* NULL: a flag */
    const char *choices; /* words with blanks between them; "" for none */
    const char *help;
};
const struct wedr_ctl_option_info *wedr_ctl_option_info(enum wedr_ctl_option o);
