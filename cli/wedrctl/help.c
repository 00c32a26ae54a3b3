/* SPDX-License-Identifier: Apache-2.0
 * Help, manual page and completion, all made of the tables of options and commands. */
#include "commands.h"
#include <string.h>

#define WIDTH 100u

static const char about[] = "Look after a WazabiEDR server: hunt in events, triage alerts, look at "
                            "endpoints, manage people.";

static const struct {
    int code;
    const char *text;
} codes[] = {
    {WEDR_CTL_DONE, "done"},
    {WEDR_CTL_FAILED, "the server could not do it, or cannot be reached"},
    {WEDR_CTL_USAGE, "wrong usage"},
    {WEDR_CTL_SIGNED_OUT, "not signed in, or no longer"},
    {WEDR_CTL_REFUSED, "role or scope do not allow it"},
};

/* Appends text with line breaks, each further line indented; column is where it begins. */
static void add_wrapped(struct wedr_buf *out, const char *text, size_t column, size_t indent)
{
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " ");
        if (p > text && column + 1 + n > WIDTH) {
            wedr_buf_addf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (p > text) {
            wedr_buf_adds(out, " ");
            column++;
        }
        wedr_buf_add(out, p, n);
        column += n;
        p += n + (p[n] ? 1 : 0);
    }
    wedr_buf_adds(out, "\n");
}

static void help_option(struct wedr_buf *out, enum wedr_ctl_option o)
{
    const struct wedr_ctl_option_info *i = wedr_ctl_option_info(o);
    size_t before = out->len;
    wedr_buf_addf(out, "  --%s%s%s", i->name, i->value ? " " : "", i->value ? i->value : "");
    size_t used = out->len - before;
    if (used >= 28) {
        wedr_buf_addf(out, "\n%28s", "");
    } else {
        wedr_buf_addf(out, "%*s", (int)(28 - used), "");
    }
    add_wrapped(out, i->help, 28, 28);
}

static void help_command(struct wedr_buf *out, const struct wedr_ctl_command *command)
{
    bool any = false;
    wedr_buf_addf(out, "wedrctl %s%s%s%s\n    ", command->name,
                  command->options ? " [--option]..." : "", command->words[0] ? " " : "",
                  command->words);
    add_wrapped(out, command->help, 4, 4);
    for (unsigned o = 0; o < WEDR_CTL_OPTIONS; o++) {
        if ((command->options & UINT64_C(1) << o) != 0) {
            wedr_buf_adds(out, any ? "" : "\nOptions:\n");
            any = true;
            help_option(out, (enum wedr_ctl_option)o);
        }
    }
}

void wedr_ctl_help(struct wedr_buf *out, const struct wedr_ctl_command *command)
{
    if (command) {
        help_command(out, command);
        return;
    }
    wedr_buf_addf(out, "wedrctl COMMAND [SUBCOMMAND] [--option]... WORD...\n\n");
    add_wrapped(out, about, 0, 0);
    wedr_buf_adds(out, "\n");
    for (size_t i = 0; i < wedr_ctl_command_count; i++) {
        const struct wedr_ctl_command *k = &wedr_ctl_commands[i];
        size_t before = out->len;
        wedr_buf_addf(out, "  %s%s%s", k->name, k->words[0] ? " " : "", k->words);
        size_t used = out->len - before;
        if (used >= 40) {
            wedr_buf_addf(out, "\n%40s", "");
        } else {
            wedr_buf_addf(out, "%*s", (int)(40 - used), "");
        }
        add_wrapped(out, k->help, 40, 40);
    }
    wedr_buf_adds(out,
                  "\n`wedrctl COMMAND --help` names its options; `NAME` alone is `NAME list`. An "
                  "ENDPOINT is an id or a host name.\nExit code:");
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(codes); i++) {
        wedr_buf_addf(out, "%s %d %s", i > 0 ? "," : "", codes[i].code, codes[i].text);
    }
    wedr_buf_adds(out, ".\n");
}

/* Text for roff: dashes that can be copied, no line that begins with a control character. */
static void add_roff(struct wedr_buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '-') {
            wedr_buf_adds(out, "\\-");
        } else if (*p == '\\') {
            wedr_buf_adds(out, "\\e");
        } else if ((*p == '.' || *p == '\'') && p == text) {
            wedr_buf_addf(out, "\\&%c", *p);
        } else {
            wedr_buf_add(out, p, 1);
        }
    }
    wedr_buf_adds(out, "\n");
}

static void mdoc_options(struct wedr_buf *out)
{
    wedr_buf_adds(out, ".Sh OPTIONS\nEach command takes those that its entry names.\n.Bl -tag "
                       "-width Ds\n");
    for (unsigned o = 0; o < WEDR_CTL_OPTIONS; o++) {
        const struct wedr_ctl_option_info *i = wedr_ctl_option_info((enum wedr_ctl_option)o);
        wedr_buf_addf(out, ".It Fl Fl %s", i->name);
        if (i->value) {
            wedr_buf_addf(out, " Ar %s", i->value);
        }
        wedr_buf_adds(out, "\n");
        add_roff(out, i->help);
    }
    wedr_buf_adds(out, ".El\n");
}

static void mdoc_command(struct wedr_buf *out, const struct wedr_ctl_command *k)
{
    wedr_buf_addf(out, ".It Cm %s", k->name);
    for (const char *p = k->words; *p;) {
        size_t n = strcspn(p, " ");
        wedr_buf_addf(out, " Ar %.*s", (int)n, p);
        p += n;
        p += *p == ' ' ? 1 : 0;
    }
    wedr_buf_adds(out, "\n");
    add_roff(out, k->help);
    bool any = false;
    for (unsigned o = 0; o < WEDR_CTL_OPTIONS; o++) {
        if ((k->options & UINT64_C(1) << o) != 0) {
            wedr_buf_addf(out, "%s%s", any ? " , Fl Fl " : ".br\nOptions:\n.Fl Fl ",
                          wedr_ctl_option_info((enum wedr_ctl_option)o)->name);
            any = true;
        }
    }
    wedr_buf_adds(out, any ? " .\n" : "");
}

void wedr_ctl_mdoc(struct wedr_buf *out)
{
    wedr_buf_adds(out, ".\\\" SPDX-License-Identifier: Apache-2.0\n"
                       ".\\\" Made by `wedrctl help --mdoc`; do not edit.\n"
                       ".Dd $Mdocdate$\n.Dt WEDRCTL 1\n.Os\n.Sh NAME\n.Nm wedrctl\n"
                       ".Nd look after a WazabiEDR server\n.Sh SYNOPSIS\n.Nm\n.Ar COMMAND\n"
                       ".Op Ar SUBCOMMAND\n.Op Fl Fl option Ns ...\n.Op Ar WORD Ns ...\n"
                       ".Sh DESCRIPTION\n");
    add_roff(out, about);
    wedr_buf_adds(out, ".Pp\nThe server is known by the fingerprint of its CA, given once to\n"
                       ".Cm login .\nAn ENDPOINT is an id or a host name. A command NAME alone is\n"
                       ".Ql NAME list .\n.Sh COMMANDS\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < wedr_ctl_command_count; i++) {
        mdoc_command(out, &wedr_ctl_commands[i]);
    }
    wedr_buf_adds(out, ".El\n");
    mdoc_options(out);
    wedr_buf_adds(
        out, ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev WEDR_CONTEXT\nThe context that holds "
             "without\n.Fl Fl context .\n.It Ev NO_COLOR\nNo colours when it is set.\n"
             ".It Ev XDG_CONFIG_HOME\nWhere the files are kept.\n.El\n"
             ".Sh FILES\n.Bl -tag -width Ds\n"
             ".It Pa $XDG_CONFIG_HOME/wedr/wedrctl/NAME.json\n"
             "Address, fingerprint and API token of a context; else below\n.Pa ~/.config .\n"
             "Links are not followed; a file that others may read is refused.\n.El\n"
             ".Sh EXIT STATUS\n.Bl -tag -width Ds\n");
    for (size_t i = 0; i < WEDR_ARRAY_COUNT(codes); i++) {
        wedr_buf_addf(out, ".It %d\n%s\n", codes[i].code, codes[i].text);
    }
    wedr_buf_adds(out, ".El\n");
}

int wedr_ctl_help_command(struct wedr_ctl *c)
{
    const struct wedr_ctl_args *a = c->args;
    const struct wedr_ctl_command *command = NULL;
    if (wedr_ctl_has(a, WEDR_CTL_MDOC)) {
        wedr_ctl_mdoc(&c->out);
        return wedr_ctl_flush(c);
    }
    if (a->word_count > 0) {
        char *words[2] = {a->words[0], a->word_count > 1 ? a->words[1] : NULL};
        int used = 0;
        command = wedr_ctl_command_find((int)a->word_count, words, &used);
        if (!command) {
            return wedr_ctl_say(WEDR_CTL_USAGE, "no command %s", a->words[0]);
        }
    }
    wedr_ctl_help(&c->out, command);
    return wedr_ctl_flush(c);
}
