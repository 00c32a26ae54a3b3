/* SPDX-License-Identifier: Apache-2.0
 * Completion for shells, made of the tables: first words, second words, options of a command, and
 * the choices of an option's value. */
#include "commands.h"
#include <string.h>

/* "alerts" of "alerts show"; true when no entry before has it. */
static bool first_word(size_t i, const char **ret_word, size_t *ret_len)
{
    size_t len = strcspn(wedr_ctl_commands[i].name, " ");
    for (size_t k = 0; k < i; k++) {
        const char *other = wedr_ctl_commands[k].name;
        if (strcspn(other, " ") == len && memcmp(other, wedr_ctl_commands[i].name, len) == 0) {
            return false;
        }
    }
    *ret_word = wedr_ctl_commands[i].name;
    *ret_len = len;
    return true;
}

static void add_first_words(struct wedr_buf *out)
{
    const char *word = NULL;
    size_t len = 0;
    bool any = false;
    for (size_t i = 0; i < wedr_ctl_command_count; i++) {
        if (first_word(i, &word, &len)) {
            wedr_buf_adds(out, any ? " " : "");
            wedr_buf_add(out, word, len);
            any = true;
        }
    }
}

static void add_options(struct wedr_buf *out, uint64_t options)
{
    for (unsigned o = 0; o < WEDR_CTL_OPTIONS; o++) {
        if ((options & UINT64_C(1) << o) != 0) {
            wedr_buf_addf(out, "--%s ", wedr_ctl_option_info((enum wedr_ctl_option)o)->name);
        }
    }
    wedr_buf_adds(out, "--help");
}

/* Second words of the commands that begin with this one. */
static void add_second_words(struct wedr_buf *out, const char *word, size_t len)
{
    for (size_t i = 0; i < wedr_ctl_command_count; i++) {
        const char *name = wedr_ctl_commands[i].name;
        if (strncmp(name, word, len) == 0 && name[len] == ' ') {
            wedr_buf_addf(out, "%s ", name + len + 1);
        }
    }
}

/* Shell functions that both shells understand: they look at $w1 (first word), $w2 and $before (the
 * word in front of the one at hand) and set $words. */
static void add_tables(struct wedr_buf *out)
{
    wedr_buf_adds(out, "_wedrctl_values() {\n    case \"$before\" in\n");
    for (unsigned o = 0; o < WEDR_CTL_OPTIONS; o++) {
        const struct wedr_ctl_option_info *i = wedr_ctl_option_info((enum wedr_ctl_option)o);
        if (i->value) {
            wedr_buf_addf(out, "    --%s) words=\"%s\"; return 0 ;;\n", i->name, i->choices);
        }
    }
    wedr_buf_adds(out, "    esac\n    return 1\n}\n"
                       "_wedrctl_options() {\n    case \"$w1 $w2\" in\n");
    for (int pass = 0; pass < 2; pass++) { /* those of two words first */
        for (size_t i = 0; i < wedr_ctl_command_count; i++) {
            const struct wedr_ctl_command *k = &wedr_ctl_commands[i];
            const char *blank = strchr(k->name, ' ');
            if ((blank != NULL) != (pass == 0)) {
                continue;
            }
            if (blank && strcmp(blank, " list") == 0) {
                wedr_buf_addf(out, "    \"%s\"|\"%.*s -\"*|\"%.*s \") words=\"", k->name,
                              (int)(blank - k->name), k->name, (int)(blank - k->name), k->name);
            } else {
                wedr_buf_addf(out, blank ? "    \"%s\") words=\"" : "    \"%s \"*) words=\"",
                              k->name);
            }
            add_options(out, k->options);
            wedr_buf_adds(out, "\" ;;\n");
        }
    }
    wedr_buf_adds(out, "    esac\n}\n_wedrctl_second() {\n    case \"$w1\" in\n"
                       "    completion) words=\"bash zsh\" ;;\n    help) words=\"");
    add_first_words(out);
    wedr_buf_adds(out, "\" ;;\n");
    for (size_t i = 0; i < wedr_ctl_command_count; i++) {
        const char *word = NULL;
        size_t len = 0;
        if (first_word(i, &word, &len) && word[len] == ' ') {
            wedr_buf_addf(out, "    %.*s) words=\"", (int)len, word);
            add_second_words(out, word, len);
            wedr_buf_adds(out, "\" ;;\n");
        }
    }
    wedr_buf_adds(out, "    esac\n}\n_wedrctl_words() {\n    words=\"\"\n"
                       "    _wedrctl_values && return\n"
                       "    if [ \"$place\" = 1 ]; then\n        words=\"");
    add_first_words(out);
    wedr_buf_adds(out, "\"\n        return\n    fi\n"
                       "    case \"$now\" in\n    -*) _wedrctl_options ;;\n"
                       "    *) [ \"$place\" = 2 ] && _wedrctl_second ;;\n    esac\n}\n");
}

bool wedr_ctl_completion(struct wedr_buf *out, const char *shell)
{
    if (strcmp(shell, "bash") == 0) {
        wedr_buf_adds(out, "# bash completion of wedrctl\n");
        add_tables(out);
        wedr_buf_adds(
            out, "_wedrctl() {\n    local now=\"${COMP_WORDS[COMP_CWORD]}\" words "
                 "before=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
                 "    local w1=\"${COMP_WORDS[1]}\" w2=\"${COMP_WORDS[2]}\" place=$COMP_CWORD\n"
                 "    _wedrctl_words\n    COMPREPLY=($(compgen -W \"$words\" -- \"$now\"))\n}\n"
                 "complete -o default -F _wedrctl wedrctl\n");
        return true;
    }
    if (strcmp(shell, "zsh") == 0) {
        wedr_buf_adds(out, "#compdef wedrctl\n");
        add_tables(out);
        wedr_buf_adds(out, "_wedrctl() {\n    local now=\"$words[CURRENT]\" "
                           "before=\"$words[CURRENT-1]\" w1=\"$words[2]\" w2=\"$words[3]\"\n"
                           "    local place=$((CURRENT - 1)) chosen\n"
                           "    chosen=$(local words; _wedrctl_words; printf %s \"$words\")\n"
                           "    compadd -- ${=chosen}\n}\ncompdef _wedrctl wedrctl\n");
        return true;
    }
    return false;
}

int wedr_ctl_complete(struct wedr_ctl *c)
{
    if (!wedr_ctl_completion(&c->out, c->args->words[0])) {
        return wedr_ctl_say(WEDR_CTL_USAGE, "no completion for %s: bash or zsh", c->args->words[0]);
    }
    return wedr_ctl_flush(c);
}
